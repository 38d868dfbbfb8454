package runtime

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// memLog is a LogSink that keeps lines by stream.
type memLog struct {
	mu     sync.Mutex
	lines  []string
	group  string
	region string
	names  map[string]bool
}

func (l *memLog) Write(region, group, stream string, t time.Time, line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
	l.group = group
	l.region = region
	if l.names == nil {
		l.names = map[string]bool{}
	}
	l.names[stream] = true
}

func (l *memLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// need skips a test on a machine without a tool, and fails it in continuous integration.
func need(t testing.TB, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is needed in CI: %v", tool, err)
		}
		t.Skipf("no %s on this machine", tool)
	}
}

func newManager(t testing.TB, o Options) (*Manager, *memLog) {
	t.Helper()
	logs := &memLog{}
	if o.Logs == nil {
		o.Logs = logs
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	m := New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := m.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m, logs
}

// code writes the files of a function.
func code(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if name == "bootstrap" {
			mode = 0o755
		}
		if err := os.WriteFile(p, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func spec(runtime, handler, dir string) *Spec {
	return &Spec{
		Name: "hello", ARN: "arn:aws:lambda:us-east-1:000000000000:function:hello", Version: "$LATEST", Revision: "1",
		Runtime: runtime, Handler: handler, CodeDir: dir, Timeout: 10 * time.Second, MemoryMB: 256,
		Account: "000000000000", Region: "us-east-1",
	}
}

var serial int

func event1(payload string) *Invocation {
	serial++
	return &Invocation{RequestID: fmt.Sprintf("8f5f0000-0000-4000-8000-%012d", serial), Payload: []byte(payload)}
}

func invoke(t testing.TB, m *Manager, s *Spec, payload string) *Result {
	t.Helper()
	r, err := m.Invoke(t.Context(), s, event1(payload))
	if err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	return r
}

// goDir holds the compiled test function, once a test has needed it.
var goDir string

var goBinary = sync.OnceValue(func() error {
	var err error
	if goDir, err = os.MkdirTemp("", "gatehouse-test-"); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(goDir, "bootstrap"), "./testdata/gofunc")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %s", err, out)
	}
	return nil
})

func goFunction(t testing.TB) string {
	t.Helper()
	need(t, "go")
	if err := goBinary(); err != nil {
		t.Fatal(err)
	}
	return goDir
}

func TestMain(m *testing.M) {
	code := m.Run()
	if goDir != "" {
		os.RemoveAll(goDir)
	}
	os.Exit(code)
}

func nodeEcho(t testing.TB) *Spec {
	return spec("nodejs20.x", "index.handler", code(t, map[string]string{"index.js": "exports.handler = async (e) => e\n"}))
}

func pythonEcho(t testing.TB) *Spec {
	return spec("python3.11", "index.handler", code(t, map[string]string{"index.py": "def handler(event, context):\n    return event\n"}))
}

// settle waits until every spare process that is to be there is up.
func settle(m *Manager) {
	for range 2000 {
		m.mu.Lock()
		up := m.starting == 0 && len(m.spares) > 0
		for _, w := range m.spares {
			up = up && w.link.(*framed).booted.Load()
		}
		m.mu.Unlock()
		if up {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

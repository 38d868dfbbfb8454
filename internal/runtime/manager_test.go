package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// counter is a Node function that tells environments apart.
func counter(t testing.TB) *Spec {
	need(t, "node")
	return spec("nodejs20.x", "index.handler", code(t, map[string]string{"index.js": `
let n = 0;
exports.handler = async (e) => {
  if (e.sleep) await new Promise((r) => setTimeout(r, e.sleep));
  return { pid: process.pid, n: ++n };
};`}))
}

type counted struct{ Pid, N int }

func count(t testing.TB, r *Result, err error) counted {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var c counted
	if err := json.Unmarshal(r.Payload, &c); err != nil {
		t.Fatalf("%s: %v", r.Payload, err)
	}
	return c
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for range 500 {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("it never came true: %s", what)
}

func TestReuseAndRetire(t *testing.T) {
	m, logs := newManager(t, Options{})
	s := counter(t)
	r, err := m.Invoke(t.Context(), s, event1(`{}`))
	a := count(t, r, err)
	if r.InitDuration <= 0 || r.ExecutedVersion != "$LATEST" {
		t.Errorf("first result: %+v", r)
	}
	r, err = m.Invoke(t.Context(), s, event1(`{}`))
	if b := count(t, r, err); b.Pid != a.Pid || b.N != 2 || r.InitDuration != 0 {
		t.Errorf("second result: %+v %+v, want the same environment", b, r)
	}

	next := *s
	next.Revision = "2"
	r, err = m.Invoke(t.Context(), &next, event1(`{}`))
	c := count(t, r, err)
	if c.Pid == a.Pid || c.N != 1 {
		t.Errorf("new revision: %+v, want a new environment", c)
	}
	eventually(t, "the old revision's process ends", func() bool { return !alive(a.Pid) })

	other := next
	other.Version = "7"
	r, err = m.Invoke(t.Context(), &other, event1(`{}`))
	d := count(t, r, err)
	if !alive(c.Pid) || d.Pid == c.Pid || r.ExecutedVersion != "7" {
		t.Errorf("another version: %+v %+v; it must live beside the first", d, r)
	}

	// Busy environments finish their event.
	done := make(chan counted)
	go func() {
		r, err := m.Invoke(context.Background(), &next, event1(`{"sleep":200}`))
		if err != nil {
			t.Error(err)
		}
		var c counted
		json.Unmarshal(r.Payload, &c)
		done <- c
	}()
	time.Sleep(60 * time.Millisecond)
	m.Retire(s.ARN)
	if e := <-done; e.Pid != c.Pid {
		t.Errorf("busy environment: %+v", e)
	}
	eventually(t, "retired processes end", func() bool { return !alive(c.Pid) && !alive(d.Pid) })

	m.Flush()
	if len(logs.names) != 3 || logs.group != "/aws/lambda/hello" || logs.region != "us-east-1" {
		t.Errorf("streams %v of %s, want one for each environment", logs.names, logs.group)
	}
	for name := range logs.names {
		if !strings.HasPrefix(name, time.Now().UTC().Format("2006/01/02/[")) || len(name) < 45 {
			t.Errorf("stream name %s", name)
		}
	}
}

func TestConcurrency(t *testing.T) {
	m, _ := newManager(t, Options{})
	s := counter(t)
	s.MaxConcurrency = 5
	var wg sync.WaitGroup
	var mu sync.Mutex
	pids, throttles := map[int]bool{}, 0
	for range 8 {
		wg.Go(func() {
			mu.Lock()
			inv := event1(`{"sleep":1500}`)
			mu.Unlock()
			r, err := m.Invoke(context.Background(), s, inv)
			mu.Lock()
			defer mu.Unlock()
			var e *Error
			if errors.As(err, &e) {
				throttles++
				if diff := cmp.Diff(&Error{"TooManyRequestsException", "ReservedFunctionConcurrentInvocationLimitExceeded", "Rate Exceeded."}, e); diff != "" {
					t.Error(diff)
				}
				return
			}
			var c counted
			json.Unmarshal(r.Payload, &c)
			pids[c.Pid] = true
		})
	}
	wg.Wait()
	if len(pids) != 5 || throttles != 3 {
		t.Errorf("%d environments and %d throttled, want 5 and 3", len(pids), throttles)
	}
	s2 := *s
	s2.MaxConcurrency = -1
	if _, err := m.Invoke(t.Context(), &s2, event1(`{}`)); err == nil {
		t.Error("a reserved concurrency of none let an invocation pass")
	}
}

func TestAccountLimit(t *testing.T) {
	m, _ := newManager(t, Options{MaxProcesses: 1})
	s := counter(t)
	done := make(chan error)
	go func() {
		_, err := m.Invoke(context.Background(), s, &Invocation{RequestID: "a", Payload: []byte(`{"sleep":500}`)})
		done <- err
	}()
	time.Sleep(100 * time.Millisecond)
	other := *s
	other.ARN += "2"
	var e *Error
	if _, err := m.Invoke(t.Context(), &other, event1(`{}`)); !errors.As(err, &e) || e.Reason != "ConcurrentInvocationLimitExceeded" {
		t.Errorf("error %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	// An idle environment makes room.
	if r := invoke(t, m, &other, `{}`); r.FunctionError != "" {
		t.Errorf("%s", r.Payload)
	}
}

// TestFewProcesses: a fast function under many callers stays on few processes.
func TestFewProcesses(t *testing.T) {
	m, _ := newManager(t, Options{})
	s := counter(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	pids := map[int]bool{}
	for range 16 {
		wg.Go(func() {
			for i := range 50 {
				r, err := m.Invoke(context.Background(), s, &Invocation{RequestID: strconv.Itoa(i), Payload: []byte(`{}`)})
				if err != nil {
					t.Error(err)
					return
				}
				var c counted
				json.Unmarshal(r.Payload, &c)
				mu.Lock()
				pids[c.Pid] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(pids) > 14 {
		t.Errorf("%d processes for 16 callers", len(pids))
	}
	t.Logf("%d processes", len(pids))
}

func TestIdle(t *testing.T) {
	m, _ := newManager(t, Options{IdleTimeout: 50 * time.Millisecond})
	s := counter(t)
	r, err := m.Invoke(t.Context(), s, event1(`{}`))
	c := count(t, r, err)
	eventually(t, "an idle process ends", func() bool { return !alive(c.Pid) })
	eventually(t, "nothing is kept of it", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		dirs, _ := os.ReadDir(filepath.Join(m.dir, "env"))
		return len(m.envs) == 0 && len(m.pools) == 0 && len(dirs) == 0
	})
	if r := invoke(t, m, s, `{}`); r.InitDuration == 0 {
		t.Error("no new environment")
	}
}

// TestAge: an environment that is too old gets no more events, and one takes its place.
func TestAge(t *testing.T) {
	m, _ := newManager(t, Options{MaxAge: time.Millisecond})
	s := counter(t)
	r, err := m.Invoke(t.Context(), s, event1(`{"sleep":5}`))
	a := count(t, r, err)
	r, err = m.Invoke(t.Context(), s, event1(`{"sleep":5}`))
	if b := count(t, r, err); b.Pid == a.Pid {
		t.Errorf("%+v after %+v", b, a)
	}
}

// TestDies: an environment that ends between events does no harm.
func TestDies(t *testing.T) {
	m, _ := newManager(t, Options{})
	s := counter(t)
	r, err := m.Invoke(t.Context(), s, event1(`{}`))
	c := count(t, r, err)
	syscall.Kill(c.Pid, syscall.SIGKILL)
	eventually(t, "it is gone", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.envs) == 0 })
	r, err = m.Invoke(t.Context(), s, event1(`{}`))
	if d := count(t, r, err); d.Pid == c.Pid {
		t.Errorf("%+v", d)
	}
}

func TestCallerLeaves(t *testing.T) {
	m, _ := newManager(t, Options{})
	s := counter(t)
	r, err := m.Invoke(t.Context(), s, event1(`{}`))
	a := count(t, r, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := m.Invoke(ctx, s, event1(`{"sleep":300}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	eventually(t, "the event runs to its end", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.inflight == 0
	})
	r, err = m.Invoke(t.Context(), s, event1(`{}`))
	if c := count(t, r, err); c.Pid != a.Pid || c.N != 3 {
		t.Errorf("%+v, want the third event of %d", c, a.Pid)
	}
}

func TestEnvironmentVariables(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of the server")
	t.Setenv("GATEHOUSE_SEAL_KEY", "of the server")
	env := map[string]string{"STAGE": "dev", "AWS_REGION": "mine", "AWS_ACCESS_KEY_ID": "mine", "AWS_ENDPOINT_URL": "http://own", "LAMBDA_TASK_ROOT": "/mine"}
	for _, tt := range []struct {
		name string
		spec func(t *testing.T) *Spec
	}{
		{"go", func(t *testing.T) *Spec { return spec("provided.al2023", "the.handler", goFunction(t)) }},
		{"node", func(t *testing.T) *Spec {
			need(t, "node")
			return spec("nodejs20.x", "index.handler", code(t, map[string]string{"index.js": "exports.handler = async () => process.env"}))
		}},
		{"python", func(t *testing.T) *Spec {
			need(t, "python3")
			return spec("python3.11", "index.handler", code(t, map[string]string{"index.py": "import os\ndef handler(e, c): return dict(os.environ)"}))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, credentials := range []map[string]string{nil, {"AWS_ACCESS_KEY_ID": "ASIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}} {
				o := Options{Env: []string{"AWS_ENDPOINT_URL=http://all", "HTTPS_PROXY=http://p"}}
				if credentials != nil {
					o.Credentials = func(context.Context, *Spec) (map[string]string, error) { return credentials, nil }
				}
				m, _ := newManager(t, o)
				s := tt.spec(t)
				s.Env = env
				var got map[string]string
				if r := invoke(t, m, s, `{"do":"env"}`); json.Unmarshal(r.Payload, &got) != nil {
					t.Fatalf("%s", r.Payload)
				}
				want := map[string]string{
					"STAGE": "dev", "AWS_ENDPOINT_URL": "http://own", "HTTPS_PROXY": "http://p",
					"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "_HANDLER": s.Handler,
					"AWS_LAMBDA_FUNCTION_NAME": "hello", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
					"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/hello", "AWS_EXECUTION_ENV": "AWS_Lambda_" + s.Runtime, "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
					"LAMBDA_TASK_ROOT": s.CodeDir, "LAMBDA_RUNTIME_DIR": m.runtimeDir, "TZ": "UTC", "LANG": "en_US.UTF-8", "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
				}
				for k, v := range credentials {
					want[k] = v
				}
				for _, k := range []string{"AWS_LAMBDA_LOG_STREAM_NAME", "HOME", "TMPDIR", "PATH"} {
					want[k] = got[k]
					if got[k] == "" {
						t.Errorf("no %s", k)
					}
				}
				if got["TMPDIR"] == os.TempDir() || !strings.HasPrefix(got["TMPDIR"], m.dir) {
					t.Errorf("TMPDIR %s", got["TMPDIR"])
				}
				for _, k := range []string{"AWS_LAMBDA_RUNTIME_API", "_X_AMZN_TRACE_ID", "PWD", "LC_CTYPE", "__CF_USER_TEXT_ENCODING"} {
					delete(got, k) // of one kind only, or made by the runtime, by shells and interpreters
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestLogs(t *testing.T) {
	need(t, "node")
	m, logs := newManager(t, Options{})
	s := spec("nodejs20.x", "index.handler", code(t, map[string]string{"index.js": `
exports.handler = async (e) => {
  const fs = require('fs');
  for (let i = 0; i < e.lines; i++) fs.writeSync(1, 'x'.repeat(e.size - 1) + '\n');
  return 1;
};`}))
	r := invoke(t, m, s, `{"lines":1,"size":600000}`)
	if len(r.Log) > tailSize || !strings.HasSuffix(string(r.Log), "\t\n") {
		t.Errorf("tail of %d bytes: %.100s", len(r.Log), r.Log)
	}
	m.Flush()
	var sizes []int
	for _, l := range logs.lines {
		sizes = append(sizes, len(l))
	}
	if len(sizes) != 6 || sizes[1] != maxLine || sizes[2] != maxLine || sizes[1]+sizes[2]+sizes[3] != 599999 {
		t.Errorf("lines of %v bytes", sizes)
	}

	// A flood, to a sink that does not take it: the function goes on, memory is bounded, and what is
	// lost is said.
	block := make(chan struct{})
	slow := &slowLog{block: block}
	m2, _ := newManager(t, Options{Logs: slow})
	began := time.Now()
	if r := invoke(t, m2, s, `{"lines":20000,"size":1000}`); r.FunctionError != "" {
		t.Fatalf("%s", r.Payload)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("a flood of 20 MB took %v", d)
	}
	m2.mu.Lock()
	for e := range m2.envs {
		if n := e.w.tap.backlog.Load(); n > maxBacklog {
			t.Errorf("%d bytes wait for the sink", n)
		}
	}
	m2.mu.Unlock()
	close(block)
	m2.Flush()
	invoke(t, m2, s, `{"lines":1,"size":10}`)
	m2.Flush()
	if !strings.Contains(slow.text(), backlogText) {
		t.Error("lines were lost, and nothing says so")
	}
}

type slowLog struct {
	memLog
	block chan struct{}
}

func (l *slowLog) Write(region, group, stream string, t time.Time, line []byte) {
	<-l.block
	l.memLog.Write(region, group, stream, t, line)
}

func TestInitTimeout(t *testing.T) {
	need(t, "node")
	m, _ := newManager(t, Options{InitTimeout: 200 * time.Millisecond})
	marker := filepath.Join(t.TempDir(), "second")
	s := spec("nodejs20.x", "index.handler", code(t, map[string]string{"index.mjs": `
import fs from 'fs';
if (!fs.existsSync(process.env.MARKER)) { fs.writeFileSync(process.env.MARKER, ''); await new Promise((r) => setTimeout(r, 60000)); }
export const handler = async () => 'ready';`}))
	s.Env = map[string]string{"MARKER": marker}
	r := invoke(t, m, s, `{}`)
	check(t, r, false, `"ready"`, nil)
	if r.InitDuration != 0 {
		t.Errorf("initialised within the invocation, and InitDuration is %v", r.InitDuration)
	}

	s2 := spec("nodejs20.x", "index.handler", code(t, map[string]string{"index.mjs": `await new Promise((r) => setTimeout(r, 60000)); export const handler = async () => 1`}))
	s2.ARN += "2"
	s2.Timeout = 300 * time.Millisecond
	inv := event1(`{}`)
	r, err := m.Invoke(t.Context(), s2, inv)
	if err != nil {
		t.Fatal(err)
	}
	check(t, r, true, `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: `+inv.RequestID+` Error: Task timed out after 0.30 seconds"}`, []string{"INIT_REPORT Init Duration: ", "Phase: invoke\tStatus: timeout\n"})
}

func TestMemory(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("memory is watched on Linux only")
	}
	m, _ := newManager(t, Options{})
	s := spec("provided.al2023", "bootstrap", goFunction(t))
	s.MemoryMB = 128
	inv := event1(`{"do":"memory","n":200}`)
	r, err := m.Invoke(t.Context(), s, inv)
	if err != nil {
		t.Fatal(err)
	}
	check(t, r, true, `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: `+inv.RequestID+` Error: Runtime exited with error: signal: killed"}`, []string{"Max Memory Used: 128 MB"})
	s.MemoryMB = 512
	s.Revision = "2"
	if r := invoke(t, m, s, `{"do":"memory","n":100}`); r.FunctionError != "" {
		t.Errorf("%s", r.Payload)
	}

	need(t, "node")
	n := spec("nodejs20.x", "index.handler", code(t, map[string]string{"index.js": `exports.handler = async () => { const a = []; for (;;) a.push(new Array(1000).fill({}).map((x, i) => ({ i }))) }`}))
	n.ARN += "n"
	n.MemoryMB = 128
	if r := invoke(t, m, n, `{}`); !strings.Contains(string(r.Payload), "Runtime exited with error: signal: ") {
		t.Errorf("%s", r.Payload)
	}
}

// TestTimeoutKillsChildren: a function's own child processes end with it.
func TestTimeoutKillsChildren(t *testing.T) {
	need(t, "node")
	m, _ := newManager(t, Options{})
	s := spec("nodejs20.x", "index.handler", code(t, map[string]string{"index.js": `
exports.handler = async (e) => {
  const c = require('child_process').spawn('sleep', ['60'], { stdio: 'inherit' });
  console.log('child ' + c.pid);
  await new Promise((r) => setTimeout(r, 60000));
};`}))
	s.Timeout = 500 * time.Millisecond
	r := invoke(t, m, s, `{}`)
	_, rest, ok := strings.Cut(string(r.Log), "child ")
	line, _, _ := strings.Cut(rest, "\n")
	pid, err := strconv.Atoi(line)
	if !ok || err != nil {
		t.Fatalf("log %s", r.Log)
	}
	eventually(t, "the grandchild ends", func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return !alive(pid) || err == nil && bytes.Contains(b, []byte(") Z "))
	})
}

func TestUnusable(t *testing.T) {
	m, _ := newManager(t, Options{NodePath: "no-such-node", PythonPath: "no-such-python"})
	for _, tt := range []struct{ runtime, want string }{
		{"java21", `InvalidRuntimeException: The runtime "java21" is not supported by Gatehouse. A Java function runs as`},
		{"dotnet8", `InvalidRuntimeException: The runtime "dotnet8" is not supported by Gatehouse. A .NET function`},
		{"ruby3.3", `InvalidRuntimeException: The runtime "ruby3.3" is not supported by Gatehouse. A Ruby function`},
		{"nodejs12.x", `InvalidRuntimeException: The runtime "nodejs12.x" is not supported by Gatehouse: Node.js functions need nodejs14.x or newer.`},
		{"python2.7", `InvalidRuntimeException: The runtime "python2.7" is not supported`},
		{"cobol", `InvalidRuntimeException: The runtime "cobol" is not known.`},
		{"nodejs20.x", `InvalidRuntimeException: The runtime nodejs20.x needs Node.js on this machine, and there is no no-such-node on the PATH. Install Node.js`},
		{"python3.12", `InvalidRuntimeException: The runtime python3.12 needs Python 3.8 or newer on this machine, and there is no working no-such-python on the PATH. Install it`},
	} {
		_, err := m.Invoke(t.Context(), spec(tt.runtime, "a.b", t.TempDir()), event1(`{}`))
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %s", tt.runtime, err, tt.want)
		}
	}
	if _, err := m.Invoke(t.Context(), spec("provided.al2", "a.b", t.TempDir()), &Invocation{Payload: make([]byte, MaxRequest+1)}); err == nil || !strings.HasPrefix(err.Error(), "RequestTooLargeException") {
		t.Errorf("large payload: %v", err)
	}
}

func TestClose(t *testing.T) {
	dir := t.TempDir()
	m := New(Options{Dir: dir, Prefork: true})
	s := counter(t)
	r, err := m.Invoke(t.Context(), s, event1(`{}`))
	c := count(t, r, err)
	settle(m)
	result := make(chan *Result, 1)
	go func() {
		r, _ := m.Invoke(context.Background(), s, &Invocation{RequestID: "x", Payload: []byte(`{"sleep":60000}`)})
		result <- r
	}()
	time.Sleep(50 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
	if r := <-result; r == nil || r.FunctionError == "" {
		t.Errorf("the event that was cut off: %+v", r)
	}
	if alive(c.Pid) {
		t.Error("a process survived")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := m.Invoke(t.Context(), s, event1(`{}`)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := New(Options{}).Close(t.Context()); err != nil {
		t.Errorf("closing what was never used: %v", err)
	}
}

// TestServerKilled runs a server in a process of its own, kills it with SIGKILL, and looks for what
// is left: nothing, once another has started.
func TestServerKilled(t *testing.T) {
	if dir := os.Getenv("GATEHOUSE_TEST_DIR"); dir != "" {
		m := New(Options{Dir: dir, Prefork: true})
		r, err := m.Invoke(context.Background(), counter(t), event1(`{}`))
		settle(m)
		for _, w := range m.spares {
			fmt.Printf("spare %d\n", w.proc.pid)
		}
		fmt.Printf("pid %d\n", count(t, r, err).Pid)
		select {}
	}
	if goruntime.GOOS != "linux" {
		t.Skip("the death of a parent is signalled on Linux only")
	}
	need(t, "node")
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestServerKilled$", "-test.v")
	cmd.Env = append(os.Environ(), "GATEHOUSE_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	var seen []byte
	for buf := make([]byte, 4096); !bytes.Contains(seen, []byte("\npid ")); {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("%v after %s", err, seen)
		}
		seen = append(seen, buf[:n]...)
	}
	for _, line := range strings.Split(string(seen), "\n") {
		if f := strings.Fields(line); len(f) == 2 && slices.Contains([]string{"pid", "spare"}, f[0]) {
			pid, _ := strconv.Atoi(f[1])
			pids = append(pids, pid)
		}
	}
	if len(pids) != 2 || !alive(pids[0]) || !alive(pids[1]) {
		t.Fatalf("processes %v in %s", pids, seen)
	}
	cmd.Process.Kill()
	cmd.Wait()
	for _, pid := range pids {
		eventually(t, "processes die with the server", func() bool {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err != nil || bytes.Contains(b, []byte(") Z "))
		})
	}
	if runs, _ := filepath.Glob(filepath.Join(dir, "run-*")); len(runs) != 1 {
		t.Fatalf("directories %v", runs)
	}
	m, _ := newManager(t, Options{Dir: dir})
	invoke(t, m, counter(t), `{}`)
	if runs, _ := filepath.Glob(filepath.Join(dir, "run-*")); len(runs) != 1 || runs[0] != m.dir {
		t.Errorf("directories %v, want only %s", runs, m.dir)
	}
}

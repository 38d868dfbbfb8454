package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// repo is the root of the repository, seen from this directory.
const repo = ".."

var (
	binaryOnce sync.Once
	binaryPath string
	binaryErr  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if binaryPath != "" {
		os.RemoveAll(filepath.Dir(binaryPath))
	}
	os.Exit(code)
}

// binary builds the command, once, and returns its path.
func binary(t testing.TB) string {
	t.Helper()
	binaryOnce.Do(func() {
		dir, err := os.MkdirTemp("", "gatehouse-conformance-")
		if err != nil {
			binaryErr = err
			return
		}
		binaryPath = filepath.Join(dir, "gatehouse")
		cmd := exec.Command("go", "build", "-o", binaryPath, "./cmd/gatehouse")
		cmd.Dir = repo
		if out, err := cmd.CombinedOutput(); err != nil {
			binaryErr = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if binaryErr != nil {
		t.Fatalf("the command does not build: %v", binaryErr)
	}
	return binaryPath
}

// need returns the path of a program. Without it the test is skipped, and fails in CI.
func need(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" is not installed")
	}
	return path
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// each runs f for every database that a server can keep its state in. database is the value of the flag
// --database, "" for the SQLite file in the data directory.
func each(t *testing.T, f func(t *testing.T, database string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, "")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, storetest.PostgresURL(t))
	})
}

// cleanEnv is the environment without what would lead a client elsewhere.
func cleanEnv(more ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case strings.HasPrefix(name, "AWS_"), strings.HasPrefix(name, "GATEHOUSE_"), strings.HasSuffix(strings.ToLower(name), "_proxy"), name == "NODE_OPTIONS":
			continue
		}
		env = append(env, kv)
	}
	return append(env, more...)
}

// process is a running program and what it has printed.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu   sync.Mutex
	text bytes.Buffer // standard output and error, as they came
	more chan struct{}
}

// launch starts the command in the background; it ends with the test.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{done: make(chan struct{}), more: make(chan struct{}, 1)}
	p.cmd = exec.Command(binary(t), args...)
	p.cmd.Env = cleanEnv("NO_COLOR=1")
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.interrupt(t)
		if t.Failed() {
			t.Logf("gatehouse %s printed:\n%s", strings.Join(args, " "), tail(p.String(), 8000))
		}
	})
	return p
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// Write takes what the program prints.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
	return p.text.Write(b)
}

// String returns everything that the program has printed.
func (p *process) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// mark returns a place in the output, for await.
func (p *process) mark() int { return len(p.String()) }

// await waits until the program has printed something after from that the pattern matches, and returns
// the match with its groups.
func (p *process) await(t *testing.T, from int, pattern string, timeout time.Duration) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.After(timeout)
	for {
		text := p.String()
		if m := re.FindStringSubmatch(text[min(from, len(text)):]); m != nil {
			return m
		}
		select {
		case <-p.more:
		case <-p.done:
			if m := re.FindStringSubmatch(p.String()[from:]); m != nil {
				return m
			}
			t.Fatalf("gatehouse ended (%v) before it printed %q:\n%s", p.cmd.ProcessState, pattern, tail(p.String(), 8000))
		case <-deadline:
			t.Fatalf("gatehouse did not print %q within %v:\n%s", pattern, timeout, tail(p.String(), 8000))
		}
	}
}

// interrupt ends the program as Ctrl-C does.
func (p *process) interrupt(t *testing.T) {
	t.Helper()
	p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		t.Error("gatehouse does not end when it is interrupted")
		p.kill()
	}
}

// kill ends the program as kill -9 does.
func (p *process) kill() {
	p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// server is a gatehouse that was started for a test.
type server struct {
	*process
	URL  string
	Dir  string // data directory; empty for an ephemeral server
	Port string

	args []string
	home string // of the clients
}

// start runs `gatehouse start` on a free port and waits until it is ready.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{Dir: t.TempDir(), args: args, home: t.TempDir(), Port: "0"}
	s.restart(t)
	return s
}

// startOpen runs `gatehouse start --ephemeral --auth open`.
func startOpen(t *testing.T, args ...string) *server {
	t.Helper()
	return start(t, append([]string{"--ephemeral", "--auth", "open"}, args...)...)
}

// startOn runs `gatehouse start` on a database as each gives it.
func startOn(t *testing.T, database string, args ...string) *server {
	t.Helper()
	if database != "" {
		args = append(args, "--database", database)
	}
	return start(t, args...)
}

const listening = `listens on (http://127\.0\.0\.1:(\d+))`

// restart starts the server again, on the port that it had.
func (s *server) restart(t *testing.T) {
	t.Helper()
	s.process = launch(t, append([]string{"start", "--listen", "127.0.0.1:" + s.Port, "--data", s.Dir}, s.args...)...)
	m := s.await(t, 0, listening, 30*time.Second)
	s.URL, s.Port = m[1], m[2]
}

// result is what a program that has ended left behind.
type result struct {
	stdout, stderr string
	code           int
}

// run runs a program to its end, two minutes at the most.
func run(t testing.TB, env []string, name string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	var out, errw bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errw
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if cmd.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("%s %s: %v %v\n%s", name, strings.Join(args, " "), err, ctx.Err(), errw.String())
	}
	return result{out.String(), errw.String(), cmd.ProcessState.ExitCode()}
}

// gatehouse runs a command against the server and returns what it printed; it must succeed.
func (s *server) gatehouse(t testing.TB, args ...string) string {
	t.Helper()
	r := s.tryGatehouse(t, args...)
	if r.code != 0 {
		t.Fatalf("gatehouse %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

func (s *server) tryGatehouse(t testing.TB, args ...string) result {
	t.Helper()
	return run(t, cleanEnv("NO_COLOR=1"), binary(t), append(args, "--data", s.Dir)...)
}

// settings are what `gatehouse env` gives a client.
type settings struct {
	Endpoint string `json:"AWS_ENDPOINT_URL"`
	Region   string `json:"AWS_REGION"`
	KeyID    string `json:"AWS_ACCESS_KEY_ID"`
	Secret   string `json:"AWS_SECRET_ACCESS_KEY"`
}

// settings returns how a client reaches s. An open server takes any key.
func (s *server) settings(t testing.TB) settings {
	t.Helper()
	for _, a := range s.args {
		if a == "--ephemeral" {
			return settings{s.URL, "us-east-1", "test", "test"}
		}
	}
	var v settings
	decode(t, s.gatehouse(t, "env", "--json"), &v)
	if v.Endpoint != s.URL {
		t.Fatalf("gatehouse env says the server is at %s, it is at %s", v.Endpoint, s.URL)
	}
	return v
}

func decode(t testing.TB, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, tail(text, 2000))
	}
}

// message is a sent message, as /_gatehouse/messages lists it.
type message struct {
	Channel, Kind, Pool, Username, To, Subject, Body, Code, State string
}

// messages returns what an open server has sent to an address, newest first.
func (s *server) messages(t testing.TB, to string) []message {
	t.Helper()
	status, _, body := get(t, s.URL+"/_gatehouse/messages?to="+url.QueryEscape(to))
	if status != 200 {
		t.Fatalf("GET /_gatehouse/messages: %d %s", status, body)
	}
	var list []message
	decode(t, body, &list)
	return list
}

// get fetches a URL.
func get(t testing.TB, url string, header ...string) (status int, h http.Header, body string) {
	t.Helper()
	return send(t, "GET", url, "", header...)
}

// send makes a request; header alternates names and values.
func send(t testing.TB, method, url, payload string, header ...string) (status int, h http.Header, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// eventually calls f until it returns "", and fails with what it returned last.
func eventually(t testing.TB, timeout time.Duration, f func() string) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		last := f()
		if last == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %s", timeout, last)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

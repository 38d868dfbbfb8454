package bench

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// language is a runtime with a function that answers "hello" to an API.
type language struct {
	name, runtime, handler string
	code                   []byte
}

func languages(tb testing.TB) []language {
	return []language{
		{"go", "provided.al2023", "bootstrap", zipped(tb, "bootstrap", build(tb, "../examples/jwt-api/functions/public"))},
		{"node", "nodejs22.x", "index.handler", zipped(tb, "index.js", []byte(`exports.handler = async () => ({statusCode: 200, body: "hello"})`))},
		{"python", "python3.13", "index.handler", zipped(tb, "index.py", []byte("def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n"))},
	}
}

// build compiles a Go program for this machine.
func build(tb testing.TB, pkg string) []byte {
	out := filepath.Join(tb.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// BenchmarkInvoke is a JWT-authorised request to a warm function, from one caller and from 16. The
// function's own process is not in cpu-µs.
func BenchmarkInvoke(b *testing.B) {
	s := start(b, b.TempDir())
	pool, client := s.pool(1)
	token, err := s.signIn(client, 1)
	if err != nil {
		b.Fatal(err)
	}
	s.settle()
	for _, l := range languages(b) {
		endpoint := s.api(pool, client, s.function(l.name, l.runtime, l.handler, l.code))
		b.Run(l.name+"/callers=1", func(b *testing.B) { load(b, s.process, 1, get(b, endpoint, token)) })
		b.Run(l.name+"/callers=16", func(b *testing.B) { load(b, s.process, 16, get(b, endpoint, token)) })
	}
}

// BenchmarkCold is the first invocation of a function by the Invoke operation: in "first", the first of
// its runtime too, so that no process is ready; in "preforked", with a spare process of its runtime.
func BenchmarkCold(b *testing.B) {
	const event = `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET","path":"/"}}}`
	invoke := func(s *server, name string) {
		if _, err := s.send("lambda", "POST", "/2015-03-31/functions/"+name+"/invocations", http.Header{}, []byte(event)); err != nil {
			s.tb.Fatal(err)
		}
	}
	for _, l := range languages(b) {
		b.Run(l.name+"/first", func(b *testing.B) {
			dir := b.TempDir()
			times := make([]time.Duration, b.N)
			for i := range times {
				s := start(b, dir)
				name := fmt.Sprintf("f%d", i)
				s.function(name, l.runtime, l.handler, l.code)
				if i == 0 {
					s.settle()
				}
				begun := time.Now()
				invoke(s, name)
				times[i] = time.Since(begun)
				s.end()
			}
			b.ReportMetric(0, "ns/op")
			report(b, times)
		})
		if l.name == "go" {
			continue // compiled programs have nothing in common that could be started before
		}
		b.Run(l.name+"/preforked", func(b *testing.B) {
			s := start(b, b.TempDir())
			s.function("f", l.runtime, l.handler, l.code)
			invoke(s, "f")
			times := make([]time.Duration, b.N)
			for i := range times {
				name := fmt.Sprintf("f%d", i)
				s.function(name, l.runtime, l.handler, l.code)
				if i == 0 {
					s.settle()
				}
				time.Sleep(300 * time.Millisecond) // the next spare starts
				begun := time.Now()
				invoke(s, name)
				times[i] = time.Since(begun)
				s.send("lambda", "DELETE", "/2015-03-31/functions/"+name, http.Header{}, nil)
			}
			b.ReportMetric(0, "ns/op")
			report(b, times)
		})
	}
}

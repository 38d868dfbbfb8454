package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// script is a backend that answers the n-th request of each connection with a text, and closes the
// connection when there is none.
func script(t *testing.T, answers ...string) (url string, connections *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	connections = new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for _, a := range answers {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					if _, err := io.WriteString(c, a); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), connections
}

func roundTrip(t *testing.T, c *client, method, url, body string) (int, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = req.URL.Host
	res, err := c.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestClientAnswers(t *testing.T) {
	for _, test := range []struct {
		name, method, answer, body string
		status                     int
	}{
		{"length", "GET", ok, "ok", 200},
		{"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", "ok", 200},
		{"until close", "GET", "HTTP/1.0 200 OK\r\n\r\nok", "ok", 200},
		{"none", "GET", "HTTP/1.1 204 No Content\r\n\r\n", "", 204},
		{"not modified", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "", 304},
		{"head", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "", 200},
		{"interim", "GET", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok, "ok", 200},
		{"post", "POST", ok, "ok", 200},
	} {
		answers := []string{test.answer, test.answer}
		if test.name == "until close" {
			answers = answers[:1]
		}
		url, connections := script(t, answers...)
		c := newClient()
		for range 3 { // on two connections, but where the first answer ends with the connection
			status, body, err := roundTrip(t, c, test.method, url, map[bool]string{true: "data"}[test.method == "POST"])
			if err != nil && test.method == "POST" {
				break // the backend has closed the connection, and a POST is not sent twice
			}
			if err != nil || status != test.status || body != test.body {
				t.Errorf("%s: %d %q %v", test.name, status, body, err)
			}
		}
		if n := connections.Load(); n > 2 && test.name != "until close" {
			t.Errorf("%s: %d connections", test.name, n)
		}
	}
}

func TestClientFailures(t *testing.T) {
	for name, answer := range map[string]string{
		"no HTTP":       "SSH-2.0\r\n\r\n",
		"large header":  "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", maxAnswerHeader) + "\r\n\r\n",
		"switch":        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"only interim":  strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20),
		"half a body":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal",
		"two lengths":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"nothing":       "",
		"half a header": "HTTP/1.1 200 OK\r\nCont",
	} {
		url, _ := script(t, answer)
		if status, body, err := roundTrip(t, newClient(), "GET", url, ""); err == nil {
			t.Errorf("%s: %d %.20q", name, status, body)
		}
	}
}

// An answer that says more than it should must not become the next request's.
func TestClientKeepsNoDirtyConnection(t *testing.T) {
	url, connections := script(t, ok+"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", ok)
	c := newClient()
	for range 3 {
		if _, body, err := roundTrip(t, c, "GET", url, ""); err != nil || body != "ok" {
			t.Errorf("%q %v", body, err)
		}
	}
	if n := connections.Load(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
}

// Nor one that says it late: the body that a HEAD should not have.
func TestClientKeepsNoTalkativeConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := make(chan struct{})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(c)
			for {
				req, err := http.ReadRequest(r)
				if err != nil {
					break
				}
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
				if req.Method == "HEAD" {
					<-said
				}
				io.WriteString(c, "late")
				if req.Method == "HEAD" {
					said <- struct{}{}
				}
			}
		}
	}()
	c := newClient()
	url := "http://" + l.Addr().String()
	if _, _, err := roundTrip(t, c, "HEAD", url, ""); err != nil {
		t.Fatal(err)
	}
	said <- struct{}{}
	<-said
	if _, body, err := roundTrip(t, c, "GET", url, ""); err != nil || body != "late" {
		t.Errorf("%q %v", body, err)
	}
}

func TestClientIdle(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer backend.Close()
	c := newClient()
	if _, _, err := roundTrip(t, c, "GET", backend.URL, ""); err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimPrefix(backend.URL, "http://")
	c.mu.Lock()
	if len(c.idle[addr]) != 1 {
		t.Fatalf("%d idle connections", len(c.idle[addr]))
	}
	c.idle[addr][0].since = time.Now().Add(-maxIdle)
	c.mu.Unlock()
	c.sweep()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) != 0 || c.sweeping {
		t.Errorf("after the sweep: %v, %v", c.idle, c.sweeping)
	}
}

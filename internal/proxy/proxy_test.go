package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	user     = "gatehouse"
	password = "correct"
)

// fixture is a server with a proxy that takes *.taken.example, and one elsewhere.
type fixture struct {
	*Proxy
	addr      string // of the proxy
	elsewhere *httptest.Server
	homes     chan string // what arrived on connections that came home
}

func newFixture(t *testing.T, change func(*Options)) *fixture {
	t.Helper()
	f := &fixture{homes: make(chan string, 16)}
	o := Options{
		Takes: func(host string) bool { return strings.HasSuffix(host, ".taken.example") },
		Serve: func(c net.Conn) {
			go func() {
				defer c.Close()
				line, _ := bufio.NewReader(c).ReadString('\n')
				f.homes <- line
				io.WriteString(c, "home\n")
			}()
		},
		Front: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "front %s %s %q", r.Host, r.URL, r.Header.Get("Proxy-Authorization"))
		}),
		User: user, Password: password, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	f.Proxy = New(o)
	srv := httptest.NewServer(f.Proxy)
	f.addr = srv.Listener.Addr().String()
	f.elsewhere = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "elsewhere %s", r.URL.Path)
	}))
	t.Cleanup(func() {
		f.elsewhere.Close()
		f.Close(context.Background())
		srv.Close()
	})
	return f
}

// ask sends raw bytes to the proxy and returns the connection and the answer's head.
func (f *fixture) ask(t *testing.T, raw string) (net.Conn, *http.Response, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, raw)
	br := bufio.NewReader(c)
	method, _, _ := strings.Cut(raw, " ")
	resp, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return c, resp, br
}

func basic(user, password string) string {
	return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)) + "\r\n"
}

func TestAnswers(t *testing.T) {
	f := newFixture(t, nil)
	to := f.elsewhere.Listener.Addr().String()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "X-Mine")
		w.Header().Set("X-Mine", "1")
		fmt.Fprintf(w, "plain %s %s %v", r.Host, r.URL, r.Header)
	}))
	defer plain.Close()
	for _, c := range []struct {
		name, raw string
		status    int
		body      string
	}{
		{"home", "CONNECT a.taken.example:443 HTTP/1.1\r\nHost: a.taken.example:443\r\n\r\n", 200, ""},
		{"home, in capitals, with a dot", "CONNECT A.Taken.Example.:443 HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""},
		{"another port of such a name", "CONNECT a.taken.example:22 HTTP/1.1\r\nHost: x\r\n\r\n", 407, ""},
		{"elsewhere without the password", "CONNECT " + to + " HTTP/1.1\r\nHost: x\r\n\r\n", 407, "gatehouse run"},
		{"with a wrong one", "CONNECT " + to + " HTTP/1.1\r\nHost: x\r\n" + basic(user, "wrong") + "\r\n", 407, ""},
		{"with a wrong user", "CONNECT " + to + " HTTP/1.1\r\nHost: x\r\n" + basic("other", password) + "\r\n", 407, ""},
		{"with no Base64", "CONNECT " + to + " HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic !\r\n\r\n", 407, ""},
		{"with another scheme", "CONNECT " + to + " HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Bearer correct\r\n\r\n", 407, ""},
		{"with the password", "CONNECT " + to + " HTTP/1.1\r\nHost: x\r\n" + basic(user, password) + "\r\n", 200, ""},
		{"nobody there", "CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n" + basic(user, password) + "\r\n", 502, "connection refused"},
		{"no such name", "CONNECT nowhere.invalid:443 HTTP/1.1\r\nHost: x\r\n" + basic(user, password) + "\r\n", 502, "cannot reach nowhere.invalid:443"},
		{"no port", "CONNECT a.taken.example HTTP/1.1\r\nHost: x\r\n\r\n", 400, ""},
		{"no host", "CONNECT :443 HTTP/1.1\r\nHost: x\r\n\r\n", 400, ""},
		{"a whole URL, home", "GET http://a.taken.example/p?q=1 HTTP/1.1\r\nHost: a.taken.example\r\n" + basic(user, password) + "\r\n", 200, `front a.taken.example /p?q=1 ""`},
		{"a whole https URL, home", "GET https://a.taken.example/p HTTP/1.1\r\nHost: a.taken.example\r\n\r\n", 200, `front a.taken.example /p ""`},
		{"a whole https URL, elsewhere, without the password", "GET https://" + to + "/p HTTP/1.1\r\nHost: x\r\n\r\n", 407, ""},
		{"a whole https URL, to whom is none", "GET https://127.0.0.1:1/p HTTP/1.1\r\nHost: x\r\n" + basic(user, password) + "\r\n", 502, "connection refused"},
		{"a whole URL of https, as axios sends it", "GET https://a.taken.example/p HTTP/1.1\r\nHost: a.taken.example\r\n\r\n", 200, `front a.taken.example /p ""`},
		{"a whole URL, without the password", "GET " + plain.URL + "/p HTTP/1.1\r\nHost: x\r\n\r\n", 407, ""},
		{"a whole URL, elsewhere", "GET " + plain.URL + "/p HTTP/1.1\r\nHost: x\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Stays: 1\r\nProxy-Connection: x\r\n" + basic(user, password) + "\r\n",
			200, "plain " + strings.TrimPrefix(plain.URL, "http://") + " /p map[X-Stays:[1]]"},
		{"a whole URL of another scheme", "GET ftp://a.taken.example/p HTTP/1.1\r\nHost: x\r\n\r\n", 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, resp, _ := f.ask(t, c.raw)
			if resp.StatusCode != c.status {
				t.Fatalf("%s, want %d", resp.Status, c.status)
			}
			if strings.HasPrefix(c.raw, "CONNECT") && resp.StatusCode == 200 {
				return
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || !strings.Contains(string(body), c.body) || strings.Contains(string(body), "wrong") {
				t.Errorf("%q, %v; want %q", body, err, c.body)
			}
			if c.status == 407 && resp.Header.Get("Proxy-Authenticate") == "" {
				t.Error("a 407 without Proxy-Authenticate")
			}
			if resp.Header.Get("X-Mine") != "" {
				t.Error("a header of the other connection came through")
			}
		})
	}
}

// Only programs of this machine are led anywhere.
func TestStrangers(t *testing.T) {
	f := newFixture(t, nil)
	for _, c := range []struct {
		peer, to string
		status   int
	}{
		{"192.0.2.7:1000", "192.0.2.1:4566", http.StatusForbidden},
		{"[2001:db8::7]:1000", "[2001:db8::1]:4566", http.StatusForbidden},
		{"not an address", "192.0.2.1:4566", http.StatusForbidden},
		{"192.0.2.1:1000", "192.0.2.1:4566", 200}, // this machine's own address
		{"127.0.0.1:1000", "127.0.0.1:4566", 200},
		{"[::1]:1000", "[::1]:4566", 200},
	} {
		r := httptest.NewRequest("GET", "http://a.taken.example/", nil)
		r.RemoteAddr = c.peer
		to, _ := net.ResolveTCPAddr("tcp", c.to)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, to))
		r.Header.Set("Proxy-Authorization", strings.TrimPrefix(strings.TrimSpace(basic(user, password)), "Proxy-Authorization: "))
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("from %s: %d, want %d", c.peer, w.Code, c.status)
		}
	}
}

// What a client sends before it was answered is not lost, and a side that is done may still listen.
func TestTunnel(t *testing.T) {
	f := newFixture(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all, _ := io.ReadAll(c)
		fmt.Fprintf(c, "got %d", len(all))
		c.Close()
	}()
	big := strings.Repeat("x", 1<<20)
	c, resp, br := f.ask(t, "CONNECT "+l.Addr().String()+" HTTP/1.1\r\nHost: x\r\n"+basic(user, password)+"\r\nearly")
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	io.WriteString(c, big)
	c.(*net.TCPConn).CloseWrite()
	if answer, err := io.ReadAll(br); string(answer) != fmt.Sprintf("got %d", len(big)+5) {
		t.Errorf("%q, %v", answer, err)
	}

	c, _, br = f.ask(t, "CONNECT a.taken.example:443 HTTP/1.1\r\nHost: x\r\n\r\nhel")
	io.WriteString(c, "lo\n")
	if line := <-f.homes; line != "hello\n" {
		t.Errorf("home got %q", line)
	}
	if answer, _ := br.ReadString('\n'); answer != "home\n" {
		t.Errorf("home said %q", answer)
	}
}

func (f *fixture) client() *http.Client {
	roots := f.elsewhere.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: f.addr, User: url.UserPassword(user, password)}),
		TLSClientConfig: &tls.Config{RootCAs: roots},
	}}
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

// The server's own proxy leads on, with its password, and its refusals are told.
func TestUpstream(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	refusing := false
	far := newFixture(t, func(o *Options) { o.User, o.Password = "far", "secret" })
	watch := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.Method+" "+r.Host)
		no := refusing
		mu.Unlock()
		if no {
			w.WriteHeader(403)
			return
		}
		far.Proxy.ServeHTTP(w, r)
	}))
	defer watch.Close()
	near := newFixture(t, func(o *Options) {
		o.Upstream = http.ProxyURL(&url.URL{Scheme: "http", Host: strings.TrimPrefix(watch.URL, "http://"), User: url.UserPassword("far", "secret")})
	})
	near.elsewhere = far.elsewhere
	if got := get(t, near.client(), far.elsewhere.URL+"/x"); got != "elsewhere /x" {
		t.Errorf("%q", got)
	}
	mu.Lock()
	if want := "CONNECT " + far.elsewhere.Listener.Addr().String(); len(seen) != 1 || seen[0] != want {
		t.Errorf("the upstream proxy saw %q, want %q", seen, want)
	}
	refusing = true
	mu.Unlock()
	_, resp, _ := near.ask(t, "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n"+basic(user, password)+"\r\n")
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 502 || !strings.Contains(string(body), "answers 403") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

// Tunnels end with the proxy, and none is made after.
func TestClose(t *testing.T) {
	f := newFixture(t, nil)
	_, resp, br := f.ask(t, "CONNECT "+f.elsewhere.Listener.Addr().String()+" HTTP/1.1\r\nHost: x\r\n"+basic(user, password)+"\r\n")
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	done := make(chan struct{})
	go func() { f.Close(context.Background()); close(done) }()
	if _, err := br.ReadByte(); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the tunnel goes on: %v", err)
	}
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("Close does not return")
	}
	_, resp, _ = f.ask(t, "CONNECT "+f.elsewhere.Listener.Addr().String()+" HTTP/1.1\r\nHost: x\r\n"+basic(user, password)+"\r\n")
	if resp.StatusCode != 503 {
		t.Errorf("after Close: %s", resp.Status)
	}
}

func TestMatch(t *testing.T) {
	own := func(authority string) bool { return authority == "localhost:4566" }
	for raw, want := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n":                   false,
		"GET http://localhost:4566/ HTTP/1.1\r\nHost: x\r\n\r\n":        false,
		"GET http://localhost:3000/ HTTP/1.1\r\nHost: x\r\n\r\n":        true,
		"CONNECT localhost:4566 HTTP/1.1\r\nHost: localhost\r\n\r\n":    true,
		"OPTIONS * HTTP/1.1\r\nHost: example.com\r\n\r\n":               false,
		"GET //evil.example/x HTTP/1.1\r\nHost: localhost:4566\r\n\r\n": false,
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			t.Fatal(err)
		}
		if got := Match(r, own); got != want {
			t.Errorf("%q: %v", raw, got)
		}
	}
}

// What a tunnel costs beside a connection: CONNECT, and a request over TLS, on a connection of its own.
func BenchmarkTunnel(b *testing.B) {
	far := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer far.Close()
	p := New(Options{Takes: func(string) bool { return false }, Logger: slog.New(slog.DiscardHandler)})
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer p.Close(context.Background())
	roots := far.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for _, via := range []string{"direct", "proxy"} {
		b.Run(via, func(b *testing.B) {
			tr := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}
			if via == "proxy" {
				tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: srv.Listener.Addr().String()})
			}
			c := &http.Client{Transport: tr}
			for b.Loop() {
				resp, err := c.Get(far.URL)
				if err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
			}
		})
	}
}

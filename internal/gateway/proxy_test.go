package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// serve runs the gateway as a server, for what a recorder cannot show.
func (f *fixture) serve() *httptest.Server {
	f.t.Helper()
	f.g.Now = time.Now
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.g.Serve(w, r, Target{APIID: f.api, Path: r.URL.EscapedPath()})
	}))
	f.t.Cleanup(s.Close)
	return s
}

func TestProxyTargets(t *testing.T) {
	var got *http.Request
	var body string
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		fmt.Fprint(w, "from the backend")
	}))
	defer backend.Close()
	f := start(t)
	f.stage("prod", nil)
	f.backend("GET /fixed", backend.URL+"/one/two?a=b", nil)
	f.backend("ANY /pets/{id}", backend.URL+"/extended/{id}/x", nil)
	f.backend("ANY /parent/{proxy+}", backend.URL+"/store/{proxy}", nil)
	f.backend("POST /get", backend.URL, func(in *v2.CreateIntegrationRequest) { in.IntegrationMethod = shape.Ptr("GET") })
	f.backend("$default", backend.URL+"/base/", nil)
	for _, test := range []struct{ method, path, want string }{
		{"GET", "/fixed", "GET /one/two?a=b"},
		{"GET", "/fixed?c=d%20e", "GET /one/two?a=b&c=d%20e"},
		{"PUT", "/pets/a%20b", "PUT /extended/a%20b/x"},
		{"PUT", "/pets/a%3Fb", ""}, // a decoded question mark ends the path
		{"DELETE", "/parent/a/b%25?x=1", "DELETE /store/a/b%25?x=1"},
		{"GET", "/parent/", "GET /store/"},
		{"GET", "/prod/parent/a", "GET /store/a"},
		{"POST", "/get", "GET /"},
		{"GET", "/any/thing", "GET /base/any/thing"},
		{"GET", "/", "GET /base/"},
		{"GET", "/parent/a;b=c:d@e,f", "GET /store/a;b=c:d@e,f"},
		{"GET", "/parent/%C3%A9", "GET /store/%C3%A9"},
	} {
		got = nil
		w, tr := f.do(f.request(test.method, test.path, ""))
		if test.want == "" {
			continue
		}
		if w.Code != 200 || w.Body.String() != "from the backend" || got == nil || got.Method+" "+got.RequestURI != test.want {
			t.Errorf("%s %s: %d %s, backend got %+v, trace %+v", test.method, test.path, w.Code, w.Body, got, tr.Steps)
		}
	}
	for _, path := range []string{"/parent/../admin", "/parent/%2e%2e/admin", "/parent/a/..", "/pets/..", "/parent/.%2fx"} {
		got = nil
		w, _ := f.do(f.request("GET", path, ""))
		if got != nil || w.Code != 400 {
			t.Errorf("%s: %d, backend got %v", path, w.Code, got)
		}
	}
	w, _ := f.do(f.request("POST", "/any", "a body", "Content-Type: text/x"))
	if w.Code != 200 || body != "a body" || got.Header.Get("Content-Type") != "text/x" || got.ContentLength != 6 {
		t.Errorf("body %q, header %v", body, got.Header)
	}
}

func TestProxyHeaders(t *testing.T) {
	var got *http.Request
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Connection", "X-Secret")
		w.Header().Set("X-Secret", "s")
		w.Header().Set("X-Kept", "k")
		w.Header().Set("Location", "/elsewhere")
		w.Header()["Content-Type"] = nil
		w.WriteHeader(302)
	}))
	defer backend.Close()
	f := start(t)
	f.backend("$default", backend.URL, nil)
	w, _ := f.get("/", "X-Forwarded-For: 192.0.2.9", "X-Forwarded-Host: forged", "Connection: X-Hop", "X-Hop: 1", "X-Mine: 2", "Te: trailers", "Expect: 100-continue")
	if w.Code != 302 || w.Header().Get("X-Kept") != "k" || w.Header().Get("X-Secret") != "" || w.Header().Get("Location") != "/elsewhere" || w.Header().Get("Content-Type") != "" {
		t.Errorf("answer %d %v", w.Code, w.Header())
	}
	if want := "for=192.0.2.9, by=127.0.0.1;for=203.0.113.7;host=127.0.0.1:4566;proto=http"; got.Header.Get("Forwarded") != want {
		t.Errorf("Forwarded: %s, want %s", got.Header.Get("Forwarded"), want)
	}
	if got.Header.Get("Via") != "HTTP/1.1 AmazonAPIGateway" || "http://"+got.Host != backend.URL || got.Header.Get("X-Mine") != "2" {
		t.Errorf("host %s, headers %v", got.Host, got.Header)
	}
	for _, name := range []string{"X-Hop", "Te", "Expect", "X-Forwarded-For", "X-Forwarded-Host", "User-Agent"} {
		if v := got.Header.Values(name); len(v) > 0 {
			t.Errorf("the backend got %s: %v", name, v)
		}
	}
}

func TestProxyFailures(t *testing.T) {
	slow := make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			<-slow
		case "/half":
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.Copy(io.Discard, r.Body)
		}
	}))
	defer backend.Close()
	defer close(slow)
	f := start(t)
	f.backend("GET /slow", backend.URL+"/slow", func(in *v2.CreateIntegrationRequest) { in.TimeoutInMillis = shape.Ptr[int64](50) })
	f.backend("GET /half", backend.URL+"/half", nil)
	f.backend("GET /nobody", "http://127.0.0.1:1", nil)
	f.backend("POST /body", backend.URL, nil)
	for _, path := range []string{"/slow", "/nobody"} {
		w, tr := f.get(path)
		want(t, w, 503, unavailable)
		if failed(tr).Name != "integration" {
			t.Errorf("%s: %+v", path, tr.Steps)
		}
	}
	big := f.request("POST", "/body", strings.Repeat("a", maxBody+1))
	big.ContentLength = -1
	w, _ := f.do(big)
	want(t, w, 413, `{"message":"Request Entity Too Large"}`)

	s := f.serve()
	if res, err := http.Get(s.URL + "/half"); err == nil {
		defer res.Body.Close()
		if b, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("half an answer looks whole: %d %q", res.StatusCode, b)
		}
	}
}

func TestProxyStreams(t *testing.T) {
	goOn := make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "first")
		w.(http.Flusher).Flush()
		<-goOn
		fmt.Fprintln(w, "second")
	}))
	defer backend.Close()
	f := start(t)
	f.backend("GET /", backend.URL, nil)
	res, err := http.Get(f.serve().URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || lines.Text() != "first" {
		t.Fatalf("got %q, %v", lines.Text(), lines.Err())
	}
	close(goOn)
	if !lines.Scan() || lines.Text() != "second" {
		t.Fatalf("got %q, %v", lines.Text(), lines.Err())
	}
}

// A client cannot write elements of its own into what the gateway says of it.
func TestForwardedIsNotForged(t *testing.T) {
	var got *http.Request
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r }))
	defer backend.Close()
	f := start(t)
	f.backend("$default", backend.URL, nil)
	req := f.request("GET", "/", "", `Forwarded: for="open`, "Forwarded: for=192.0.2.1")
	req.Host = `a;for=192.0.2.66`
	f.do(req)
	if want := `for=192.0.2.1, by=127.0.0.1;for=203.0.113.7;host="a;for=192.0.2.66";proto=http`; got.Header.Get("Forwarded") != want {
		t.Errorf("Forwarded: %s, want %s", got.Header.Get("Forwarded"), want)
	}
}

// CONNECT asks for a tunnel and TRACE for an echo of headers that proxies add: no API has a route for them.
func TestMethodsOfProxies(t *testing.T) {
	f := start(t)
	f.backend("$default", "http://127.0.0.1:1", nil)
	for _, method := range []string{"CONNECT", "TRACE"} {
		w, _ := f.do(f.request(method, "/", ""))
		want(t, w, 404, `{"message":"Not Found"}`)
	}
}

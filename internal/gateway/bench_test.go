package gateway

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"
)

// A load of 16 connections against a trivial backend, the client and the backend in this process too, so
// that the numbers are for comparison within one run: gateway with JWT against a bare ReverseProxy.
func BenchmarkHTTPBackend(b *testing.B) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = contentText
		_, _ = io.WriteString(w, "Hello user!")
	}))
	defer backend.Close()
	run := func(b *testing.B, url, token string) {
		tr := &http.Transport{MaxIdleConnsPerHost: 64}
		defer tr.CloseIdleConnections()
		b.ReportAllocs()
		b.SetParallelism(8)
		used := cpuTime()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				req, _ := http.NewRequest("GET", url, nil)
				req.Header.Set("Authorization", "Bearer "+token)
				res, err := tr.RoundTrip(req)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode != 200 {
					b.Errorf("status %d", res.StatusCode)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
		b.ReportMetric(float64((cpuTime()-used).Nanoseconds())/float64(b.N)/1000, "cpu-µs/req") // the client's and the backend's too
	}
	f := start(b)
	token := sign(b, "k1", claims(map[string]any{"exp": time.Now().Unix() + 3600, "iat": time.Now().Unix() - 1}))
	f.backend("GET /{proxy+}", backend.URL+"/{proxy}", nil, f.jwt("$request.header.Authorization"))
	s := f.serve()
	b.Run("bare", func(b *testing.B) { run(b, backend.URL+"/x", token) })
	b.Run("reverseproxy", func(b *testing.B) {
		u, _ := url.Parse(backend.URL)
		p := httputil.NewSingleHostReverseProxy(u)
		p.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
		ps := httptest.NewServer(p)
		defer ps.Close()
		run(b, ps.URL+"/x", token)
	})
	b.Run("jwt+backend", func(b *testing.B) { run(b, s.URL+"/x", token) })
	f2 := start(b)
	i := f2.jwt("$request.header.Authorization")
	f2.function("GET /function", "2.0", i)
	f2.backend("GET /{proxy+}", backend.URL+"/{proxy}", nil)
	s2 := f2.serve()
	b.Run("jwt+function", func(b *testing.B) { run(b, s2.URL+"/function", token) })
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// The gateway's own work, without any network.
func BenchmarkServe(b *testing.B) {
	f := start(b)
	f.g.Now = time.Now
	f.function("GET /open", "2.0", nil)
	f.function("GET /private", "2.0", f.jwt("$request.header.Authorization"))
	f.function("GET /one", "1.0", f.jwt("$request.header.Authorization"))
	f.backend("GET /proxy/{p+}", "http://backend/{p}", nil)
	f.g.Invoker = invoker{}
	f.g.transport = transport(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": contentText}, Body: http.NoBody, ContentLength: 0}, nil
	})
	token := sign(b, "k1", claims(map[string]any{"exp": time.Now().Unix() + 3600, "iat": time.Now().Unix() - 1}))
	for _, path := range []string{"/open", "/private", "/one", "/proxy/a/b", "/none"} {
		b.Run(path[1:], func(b *testing.B) {
			req := f.request("GET", path, "", "Authorization: Bearer "+token, "User-Agent: curl/8.2.1", "Accept: */*", "Accept-Encoding: gzip, deflate, br", "Accept-Language: en")
			req = req.WithContext(context.WithValue(b.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4566})))
			w := &discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.h)
				f.g.Serve(w, req, Target{APIID: f.api, Path: path})
			}
		})
	}
}

type invoker struct{}

func (invoker) InvokeFunction(context.Context, string, []byte) ([]byte, string, error) {
	return []byte(`{"statusCode":200,"body":"Hello user!"}`), "", nil
}

// What a decision costs once the token has been seen.
func BenchmarkAuthorize(b *testing.B) {
	f := start(b)
	f.function("GET /private", "2.0", f.jwt("$request.header.Authorization"))
	token := sign(b, "k1", claims(nil))
	req := f.request("GET", "/private", "", "Authorization: Bearer "+token)
	x := &httpExchange{exchange: exchange{g: f.g, r: req, w: &discard{http.Header{}}, t: Target{APIID: f.api, Path: "/private"}, start: testNow}}
	if !x.selectStage(f.g.kinds[len(f.g.kinds)-1].(*httpAPIs)) {
		b.Fatal("no stage")
	}
	x.route = &x.plan.routes[x.snap.Match("GET", "/private").Index]
	b.ReportAllocs()
	for b.Loop() {
		if !x.authorize(x.route.authorizer, x.path, x) {
			b.Fatal("refused")
		}
	}
}

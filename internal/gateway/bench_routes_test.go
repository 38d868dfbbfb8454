package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// manyRoutes is an API of n routes to a backend, whose callers need what security says.
func (f *fixture) manyRoutes(n int, security string) {
	f.t.Helper()
	var doc strings.Builder
	fmt.Fprintf(&doc, `{"openapi":"3.0.1","info":{"title":"many"},"security":%s,"components":{"securitySchemes":{
		"jwt":{"type":"oauth2","x-amazon-apigateway-authorizer":{"type":"jwt","identitySource":"$request.header.Authorization","jwtConfiguration":{"issuer":%q,"audience":[%q]}}},
		"asks":{"type":"apiKey","in":"header","name":"Authorization","x-amazon-apigateway-authorizer":{"type":"request","authorizerPayloadFormatVersion":"2.0","enableSimpleResponses":true,"authorizerResultTtlInSeconds":3600,
			"authorizerUri":"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations"}},
		"iam":{"type":"apiKey","in":"header","name":"Authorization","x-amazon-apigateway-authtype":"awsSigv4"}},
		"x-amazon-apigateway-integrations":{"b":{"type":"http_proxy","httpMethod":"GET","uri":"http://backend/{id}","payloadFormatVersion":"1.0"}}},"paths":{`, security, testIssuer, testClient, testFunction)
	for i := range n {
		if i > 0 {
			doc.WriteByte(',')
		}
		fmt.Fprintf(&doc, `"/r%d/{id}":{"get":{"x-amazon-apigateway-integration":{"$ref":"#/components/x-amazon-apigateway-integrations/b"}}}`, i)
	}
	doc.WriteString(`}}`)
	_, err := f.apis.ReimportApi(f.ctx, &v2.ReimportApiRequest{ApiId: f.api, Body: doc.String(), FailOnWarnings: shape.Ptr(true)})
	f.check(err)
}

// BenchmarkRoutes serves a backend's answer through HTTP APIs of few and many routes, and through each authorizer with
// what it keeps; none of it over a network. "x bare" is the time as a multiple of what a bare ReverseProxy needs for the
// same in the same run.
func BenchmarkRoutes(b *testing.B) {
	backend := transport(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": contentText}, Body: http.NoBody}, nil
	})
	u, _ := url.Parse("http://backend")
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.Transport = backend
	var bare float64
	f := start(b)
	b.Run("bare", func(b *testing.B) {
		req := f.request("GET", "/r0/7", "", "User-Agent: curl/8.2.1", "Accept: */*")
		b.ReportAllocs()
		for b.Loop() {
			proxy.ServeHTTP(&discard{http.Header{}}, req)
		}
		bare = float64(b.Elapsed()) / float64(b.N)
	})
	for _, bb := range []struct {
		name, security string
		routes         int
		header         func(*fixture, string) *http.Request
	}{
		{"open/10", `[]`, 10, nil},
		{"open/10000", `[]`, 10_000, nil},
		{"jwt/10", `[{"jwt":[]}]`, 10, func(f *fixture, path string) *http.Request {
			return f.request("GET", path, "", "Authorization: "+sign(b, "k1", claims(nil)))
		}},
		{"jwt/10000", `[{"jwt":[]}]`, 10_000, func(f *fixture, path string) *http.Request {
			return f.request("GET", path, "", "Authorization: "+sign(b, "k1", claims(nil)))
		}},
		{"lambda/10", `[{"asks":[]}]`, 10, func(f *fixture, path string) *http.Request {
			return f.request("GET", path, "", "Authorization: me")
		}},
		{"iam/10", `[{"iam":[]}]`, 10, func(f *fixture, path string) *http.Request { return f.signed(f.rootKey(), "GET", path, "") }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			f := start(b)
			f.invoke = func(context.Context, []byte) ([]byte, string, error) { return []byte(`{"isAuthorized":true}`), "", nil }
			f.manyRoutes(bb.routes, bb.security)
			f.g.transport = backend
			path := fmt.Sprintf("/r%d/7", bb.routes-1)
			req := f.request("GET", path, "", "User-Agent: curl/8.2.1", "Accept: */*")
			if bb.header != nil {
				req = bb.header(f, path)
			}
			serve := func() { f.g.Serve(&discard{http.Header{}}, req, Target{APIID: f.api, Path: path}) }
			serve() // compiles the stage, and asks who is to be asked
			if w, _ := f.do(req.Clone(req.Context())); w.Code != 200 {
				b.Fatal(w.Code, w.Body)
			}
			b.ReportAllocs()
			for b.Loop() {
				serve()
			}
			if bare > 0 {
				b.ReportMetric(float64(b.Elapsed())/float64(b.N)/bare, "x_bare")
			}
		})
	}
}

// TestThrottleUnderLoad: limits hold for many callers at once, a route's own and the stage's, which each route has for
// itself.
func TestThrottleUnderLoad(t *testing.T) {
	f := start(t)
	var mu sync.Mutex
	now := testNow
	f.g.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	f.g.Recorder, f.g.transport = nil, transport(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
	})
	f.manyRoutes(3, `[]`)
	_, err := f.apis.UpdateStage(f.ctx, &v2.UpdateStageRequest{ApiId: f.api, StageName: "$default",
		DefaultRouteSettings: &v2.RouteSettings{ThrottlingRateLimit: shape.Ptr(50.0), ThrottlingBurstLimit: shape.Ptr[int64](20), DetailedMetricsEnabled: shape.Ptr(true)},
		RouteSettings:        map[string]v2.RouteSettings{"GET /r2/{id}": {ThrottlingBurstLimit: shape.Ptr[int64](5)}}})
	f.check(err)
	load := func() [3]int {
		var passed [3]int
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for i := range 90 {
					path := fmt.Sprintf("/r%d/7", i%3)
					w := &status{discard{http.Header{}}, 0}
					f.g.Serve(w, f.request("GET", path, ""), Target{APIID: f.api, Path: path})
					mu.Lock()
					if w.code == 200 {
						passed[i%3]++
					} else if w.code != 429 {
						t.Errorf("status %d", w.code)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		return passed
	}
	for _, step := range []struct {
		wait time.Duration
		want [3]int
	}{{0, [3]int{20, 20, 5}}, {0, [3]int{}}, {100 * time.Millisecond, [3]int{5, 5, 5}}, {time.Minute, [3]int{20, 20, 5}}} {
		mu.Lock()
		now = now.Add(step.wait)
		mu.Unlock()
		if got := load(); got != step.want {
			t.Errorf("%v later %v pass, want %v", step.wait, got, step.want)
		}
	}
}

// status is a ResponseWriter that keeps the status.
type status struct {
	discard
	code int
}

func (s *status) WriteHeader(code int) { s.code = code }

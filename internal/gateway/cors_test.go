package gateway

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

func TestCORS(t *testing.T) {
	some := &v2.Cors{AllowCredentials: shape.Ptr(true), AllowHeaders: []string{"authorization", "x-a"}, AllowMethods: []string{"GET", "POST"},
		AllowOrigins: []string{"https://www.example.com"}, ExposeHeaders: []string{"etag"}, MaxAge: shape.Ptr[int64](300)}
	all := &v2.Cors{AllowHeaders: []string{"*"}, AllowMethods: []string{"*"}, AllowOrigins: []string{"*"}}
	https := &v2.Cors{AllowOrigins: []string{"https://*"}}
	age := &v2.Cors{MaxAge: shape.Ptr[int64](123)}
	const page, ask = "Origin: https://www.example.com", "Access-Control-Request-Method: GET"
	for _, test := range []struct {
		name         string
		config       *v2.Cors
		method, path string
		headers      []string
		status       int
		want         http.Header // of CORS
	}{
		{"preflight", some, "OPTIONS", "/open", []string{page, ask}, 204, http.Header{"Access-Control-Allow-Origin": {"https://www.example.com"},
			"Access-Control-Allow-Credentials": {"true"}, "Access-Control-Allow-Methods": {"GET,POST"}, "Access-Control-Allow-Headers": {"authorization,x-a"},
			"Access-Control-Max-Age": {"300"}, "Access-Control-Expose-Headers": {"etag"}, "Vary": {"Origin"}}},
		{"preflight, no such path", all, "OPTIONS", "/none", []string{page, ask}, 204, http.Header{"Access-Control-Allow-Origin": {"*"},
			"Access-Control-Allow-Methods": {"*"}, "Access-Control-Allow-Headers": {"*"}}},
		{"preflight of another page", some, "OPTIONS", "/open", []string{"Origin: https://evil.example", ask}, 204, http.Header{"Vary": {"Origin"}}},
		{"preflight, ANY", all, "OPTIONS", "/any", []string{page, ask}, 204, http.Header{"Access-Control-Allow-Origin": {"*"},
			"Access-Control-Allow-Methods": {"*"}, "Access-Control-Allow-Headers": {"*"}}},
		{"preflight, ANY with authorizer", all, "OPTIONS", "/closed", []string{page, ask}, 401, http.Header{"Access-Control-Allow-Origin": {"*"}}},
		{"no preflight without method", all, "OPTIONS", "/any", []string{page}, 200, http.Header{"Access-Control-Allow-Origin": {"*"}}},
		{"no configuration", nil, "OPTIONS", "/open", []string{page, ask}, 404, http.Header{}},
		{"answer", some, "GET", "/open", []string{page}, 200, http.Header{"Access-Control-Allow-Origin": {"https://www.example.com"},
			"Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"etag"}, "Vary": {"Origin"}}},
		{"answer to another page", some, "GET", "/open", []string{"Origin: https://evil.example"}, 200, http.Header{"Vary": {"Origin"}}},
		{"answer to no page", all, "GET", "/open", nil, 200, http.Header{}},
		{"error", all, "GET", "/none", []string{page}, 404, http.Header{"Access-Control-Allow-Origin": {"*"}}},
		{"function's own, no configuration", nil, "GET", "/open", []string{page}, 200, http.Header{"Access-Control-Allow-Origin": {"mine"}}},
		{"prefix", https, "GET", "/open", []string{"Origin: https://x.example"}, 200, http.Header{"Access-Control-Allow-Origin": {"https://x.example"}, "Vary": {"Origin"}}},
		{"prefix, other scheme", https, "GET", "/open", []string{"Origin: http://x.example"}, 200, http.Header{"Vary": {"Origin"}}},
		{"only an age", age, "OPTIONS", "/open", []string{page, ask}, 204, http.Header{"Vary": {"Origin"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := start(t)
			f.function("GET /open", "2.0", nil)
			f.function("ANY /any", "2.0", nil)
			f.function("ANY /closed", "2.0", f.jwt("$request.header.Authorization"))
			f.invoke = func(context.Context, []byte) ([]byte, string, error) {
				return []byte(`{"statusCode":200,"headers":{"access-control-allow-origin":"mine"}}`), "", nil
			}
			if test.config != nil {
				_, err := f.apis.UpdateApi(f.ctx, &v2.UpdateApiRequest{ApiId: f.api, CorsConfiguration: test.config})
				f.check(err)
			}
			w, _ := f.do(f.request(test.method, test.path, "", test.headers...))
			got := http.Header{}
			for name, v := range w.Header() {
				if corsHeader(name) || name == "Vary" {
					got[name] = v
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" || w.Code != test.status {
				t.Errorf("status %d, want %d\n%s", w.Code, test.status, diff)
			}
		})
	}
}

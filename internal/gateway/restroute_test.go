package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// BenchmarkRESTRoutes serves mocks of an API with many resources: the cost of finding one does not grow with them.
func BenchmarkRESTRoutes(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := memoryREST(b)
			var doc strings.Builder
			doc.WriteString(`{"swagger":"2.0","info":{"title":"many","version":"1"},"paths":{`)
			for i := range n {
				if i > 0 {
					doc.WriteByte(',')
				}
				fmt.Fprintf(&doc, `"/r%d/{id}":{"get":{"responses":{"200":{"description":""}},"x-amazon-apigateway-integration":{"type":"mock","requestTemplates":{"application/json":"{\"statusCode\":200}"},"responses":{"default":{"statusCode":"200"}}}}}`, i)
			}
			doc.WriteString(`}}`)
			api, err := f.rest.ImportRestApi(f.ctx, &v1.ImportRestApiRequest{Body: []byte(doc.String())})
			if err != nil {
				b.Skip("so many resources are not taken: ", err)
			}
			f.api = *api.Id
			_, err = f.rest.CreateDeployment(f.ctx, &v1.CreateDeploymentRequest{RestApiId: f.api, StageName: shape.Ptr("prod")})
			f.check(err)
			path := fmt.Sprintf("/prod/r%d/7", n-1)
			req := f.request("GET", path, "")
			serve := func() {
				w := &discard{h: http.Header{}}
				f.g.Serve(w, req, Target{APIID: f.api, Path: path})
				if w.h.Get("X-Amzn-Errortype") != "" {
					b.Fatal(w.h)
				}
			}
			serve() // compiles the stage
			b.ReportAllocs()
			for b.Loop() {
				serve()
			}
		})
	}
}

// TestRESTCustomDomain serves what came by a custom domain: the stage is the mapping's, and functions see the base
// path as a part of the path.
func TestRESTCustomDomain(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /x", nil, nil)
	_, err := f.rest.UpdateRestApi(f.ctx, &v1.UpdateRestApiRequest{RestApiId: f.api, PatchOperations: patches("replace /disableExecuteApiEndpoint true")})
	f.check(err)
	f.deploy()
	w, _ := f.call("GET", "/prod/x", "")
	refused(t, w, 403, "ForbiddenException", `{"message":"Forbidden"}`)
	f.invoke = func(_ context.Context, event []byte) ([]byte, string, error) {
		return []byte(`{"statusCode":200,"body":"ok"}`), "", nil
	}
	for _, target := range []Target{{APIID: f.api, Path: "/x", Host: "api.example.com", Custom: true, Stage: "prod", Base: "/v1"}, {APIID: f.api, Path: "/prod/x", Host: "api.example.com", Custom: true}} {
		rec := &discard{h: http.Header{}}
		f.event = nil
		f.g.Serve(rec, f.request("GET", target.Base+target.Path, ""), target)
		var e map[string]any
		if e = f.lastEvent(); e == nil {
			t.Fatal(rec.h)
		}
		ctx := e["requestContext"].(map[string]any)
		if whole := target.Base + target.Path; e["path"] != whole || ctx["path"] != whole || ctx["stage"] != "prod" || ctx["domainName"] != "api.example.com" || ctx["domainPrefix"] != "api" {
			t.Errorf("%s", f.event)
		}
	}
}

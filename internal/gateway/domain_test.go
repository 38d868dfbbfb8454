package gateway

import (
	"net/http/httptest"
	"strings"
	"testing"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// exampleClient is as in AWS's examples.
var exampleClient = &domains.Client{PEM: "CERT_CONTENT", Subject: "CN=www.example.com", Issuer: "CN=Example issuer", Serial: "a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1",
	NotBefore: "May 28 12:30:02 2019 GMT", NotAfter: "Aug  5 09:36:04 2021 GMT"}

// What functions of HTTP APIs see of a custom domain, and of a client's certificate.
func TestCustomDomain(t *testing.T) {
	f := start(t)
	f.stage("prod", nil)
	f.function("GET /two/{id}", "2.0", nil)
	f.function("GET /one/{id}", "1.0", nil)
	get := func(target Target, path string) map[string]any {
		t.Helper()
		target.APIID, target.Path, target.Host, target.Custom = f.api, path, "api.example.com", true
		r := httptest.NewRequest("GET", "https://api.example.com"+target.Base+path, nil)
		w := httptest.NewRecorder()
		f.event = nil
		f.g.Serve(w, r, target)
		if w.Code != 200 {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return f.lastEvent()
	}
	want := func(event map[string]any, path, value string) {
		t.Helper()
		var v any = event
		for _, p := range strings.Split(path, ".") {
			m, _ := v.(map[string]any)
			v = m[p]
		}
		if v != value {
			t.Errorf("%s is %v, want %q", path, v, value)
		}
	}
	mapped := Target{Stage: "prod", Base: "/orders/v1", Client: exampleClient}
	e := get(mapped, "/two/7")
	// The stage's name stands in the path, not the mapping's.
	want(e, "rawPath", "/prod/two/7")
	want(e, "requestContext.http.path", "/prod/two/7")
	want(e, "requestContext.stage", "prod")
	want(e, "pathParameters.id", "7")
	want(e, "requestContext.domainName", "api.example.com")
	want(e, "requestContext.domainPrefix", "api")
	want(e, "requestContext.authentication.clientCert.subjectDN", "CN=www.example.com")
	want(e, "requestContext.authentication.clientCert.issuerDN", "CN=Example issuer")
	want(e, "requestContext.authentication.clientCert.clientCertPem", "CERT_CONTENT")
	want(e, "requestContext.authentication.clientCert.serialNumber", exampleClient.Serial)
	want(e, "requestContext.authentication.clientCert.validity.notBefore", "May 28 12:30:02 2019 GMT")
	want(e, "requestContext.authentication.clientCert.validity.notAfter", "Aug  5 09:36:04 2021 GMT")
	want(get(Target{Stage: "$default", Base: "/orders/v1"}, "/two/7"), "rawPath", "/two/7")
	if _, ok := get(Target{Stage: "$default"}, "/two/7")["requestContext"].(map[string]any)["authentication"]; ok {
		t.Error("a certificate is shown where there is none")
	}

	e = get(mapped, "/one/7")
	// Format 1.0 has the path as the client sent it.
	want(e, "path", "/orders/v1/one/7")
	want(e, "requestContext.path", "/orders/v1/one/7")
	want(e, "requestContext.identity.clientCert.subjectDN", "CN=www.example.com")
	want(e, "requestContext.identity.clientCert.validity.notAfter", "Aug  5 09:36:04 2021 GMT")

	// The default endpoint may be disabled.
	_, err := f.apis.UpdateApi(f.ctx, &v2.UpdateApiRequest{ApiId: f.api, DisableExecuteApiEndpoint: shape.Ptr(true)})
	f.check(err)
	get(mapped, "/two/7")
	if w, _ := f.get("/two/7"); w.Code != 404 {
		t.Errorf("the disabled endpoint answers %d", w.Code)
	}
}

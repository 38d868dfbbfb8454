package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// TestRESTEmptySegments tries names of a method by which a policy does not know it.
func TestRESTEmptySegments(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /admin", f.authorizer(&v1.CreateAuthorizerRequest{Type: "TOKEN", IdentitySource: shape.Ptr("method.request.header.Authorization")}), nil)
	f.method("GET /files/{path+}", nil, nil)
	f.deploy()
	f.authorize = func(map[string]any) (string, string, error) {
		return `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"arn:aws:execute-api:*:*:*/GET/admin"}]}}`, "", nil
	}
	for _, path := range []string{"/admin", "/admin/", "/admin//", "/admin///", "//admin", "/%61dmin//", "/admin/%2F", "/admin%2F", "/files/", "/files//"} {
		f.event = nil
		if w, _ := f.call("GET", "/prod"+path, "", "Authorization: t"); w.Code != 403 || f.event != nil {
			t.Errorf("%s: %d %s", path, w.Code, f.event)
		}
	}
}

// TestRESTEncodedSlash holds what guards a path against what the back end gets: a slash that did not part segments
// for the one does not do so for the other.
func TestRESTEncodedSlash(t *testing.T) {
	f := memoryREST(t)
	var got string
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI }))
	defer backend.Close()
	f.method("GET /{proxy+}", func(in *v1.PutMethodRequest) {
		in.RequestParameters = map[string]bool{"method.request.path.proxy": true}
	}, func(in *v1.PutIntegrationRequest) {
		in.Type, in.IntegrationHttpMethod, in.Uri = "HTTP_PROXY", shape.Ptr("GET"), shape.Ptr(backend.URL+"/{proxy}")
		in.RequestParameters = map[string]string{"integration.request.path.proxy": "method.request.path.proxy"}
	})
	f.deploy()
	for path, want := range map[string]string{"/admin%2Fusers": "/admin%2Fusers", "/admin%2fusers": "/admin%2Fusers", "/a/b%20c/d": "/a/b%20c/d", "/a%3Fb%23": "/a%3Fb%23", "/a;b/c": "/a;b/c",
		"/a%2F%2e%2e%2Fb": "", "/%2e%2e/b": "", "/a/..": ""} {
		got = ""
		if f.call("GET", "/prod"+path, ""); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// TestRESTIdentityConfusion tries to have a function's answer kept under an identity that it was not asked about:
// the function looks at the last of several values.
func TestRESTIdentityConfusion(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /q", f.authorizer(&v1.CreateAuthorizerRequest{Name: "q", Type: "REQUEST", AuthorizerResultTtlInSeconds: shape.Ptr[int64](300),
		IdentitySource: shape.Ptr("method.request.header.Authorization, method.request.querystring.tenant")}), nil)
	f.method("GET /h", f.authorizer(&v1.CreateAuthorizerRequest{Name: "h", Type: "REQUEST", AuthorizerResultTtlInSeconds: shape.Ptr[int64](300),
		IdentitySource: shape.Ptr("method.request.header.X-Tenant, method.request.header.X-Forwarded-For")}), nil)
	f.deploy()
	f.authorize = func(e map[string]any) (string, string, error) {
		if q, _ := e["queryStringParameters"].(map[string]any); q != nil {
			if s := q["tenant"].(string); strings.Contains(s, "theirs") {
				return strings.Replace(allowAll, "Allow", "Deny", 1), "", nil
			}
			return allowAll, "", nil
		}
		h := e["headers"].(map[string]any)
		if s := h["X-Tenant"].(string); strings.Contains(s, "theirs") || !strings.HasSuffix(h["X-Forwarded-For"].(string), ", 203.0.113.7") {
			return strings.Replace(allowAll, "Allow", "Deny", 1), "", nil
		}
		return allowAll, "", nil
	}
	for _, first := range []string{"tenant=theirs&tenant=", "tenant=theirs&tenant=%zz", "tenant=theirs&tenant=mine", "tenant=theirs&te%6eant=mine", "tenant=theirs&tenant"} {
		f.call("GET", "/prod/q?"+first, "", "Authorization: me")
		for _, then := range []string{"tenant=theirs", "tenant=mine,theirs", "tenant=theirs,", "tenant=theirs,mine", "tenant=theirs%2Cmine"} {
			if w, _ := f.call("GET", "/prod/q?"+then, "", "Authorization: me"); w.Code != 403 {
				t.Errorf("%s after %s: %d", then, first, w.Code)
			}
		}
	}
	f.call("GET", "/prod/h", "", "X-Tenant: theirs", "X-Tenant: mine", "X-Forwarded-For: 1.1.1.1")
	if w, _ := f.call("GET", "/prod/h", "", "X-Tenant: theirs,mine", "X-Forwarded-For: 1.1.1.1"); w.Code != 403 {
		t.Error("two values were taken for one", w.Code)
	}
	// What a client writes into X-Forwarded-For is not who it is: the gateway adds that.
	req := f.request("GET", "/prod/h", "")
	req.Header["X-Tenant"], req.Header["X-Forwarded-For"] = []string{"mine"}, []string{"1.1.1.1"}
	for source, want := range map[string]int{"203.0.113.7:1": 200, "198.51.100.1:1": 403} {
		req.RemoteAddr = source
		w := httptest.NewRecorder()
		f.g.Serve(w, req, Target{APIID: f.api, Path: "/prod/h"})
		if w.Code != want {
			t.Error(source, w.Code)
		}
	}
}

// TestRESTTwoTokens sends a second token behind the one that is good: functions look at the last of a header's values.
func TestRESTTwoTokens(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /h", f.authorizer(&v1.CreateAuthorizerRequest{Name: "h", Type: "COGNITO_USER_POOLS", ProviderARNs: []string{testPool}, IdentitySource: shape.Ptr("method.request.header.Authorization")}), nil)
	f.deploy()
	good := sign(t, "k1", claims(map[string]any{"token_use": "id", "scope": nil, "client_id": nil}))
	w, _ := f.call("GET", "/prod/h", "", "Authorization: "+good)
	want(t, w, 200, "Hello")
	for _, second := range []string{"evil", "", good} {
		if w, _ = f.call("GET", "/prod/h", "", "Authorization: "+good, "Authorization: "+second); w.Code != 401 {
			t.Errorf("%.10s: %d", second, w.Code)
		}
	}
}

// TestRESTTestPaths tests a method with targets that are no paths.
func TestRESTTestPaths(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /x", nil, nil)
	f.deploy()
	snap, err := f.rest.Snapshot(f.ctx, f.api, "prod")
	f.check(err)
	m := snap.Methods[0]
	for _, target := range []string{"http://host", "mailto:x", "*", "x", "http://host/x", "?a=b", "/%", "/\n"} {
		if _, err := f.g.TestMethod(f.ctx, snap, m, &v1.TestInvokeMethodRequest{HttpMethod: "GET", PathWithQueryString: &target}); err == nil {
			t.Errorf("%q was taken", target)
		}
		z := &restapis.Authorizer{ID: "z", Type: "TOKEN", FunctionARN: testAuthorizer}
		if _, err := f.g.TestAuthorizer(f.ctx, snap, z, &v1.TestInvokeAuthorizerRequest{PathWithQueryString: &target}); err == nil {
			t.Errorf("%q was taken", target)
		}
	}
}

// TestHeaderNames writes names that some servers read as others.
func TestHeaderNames(t *testing.T) {
	for _, name := range []string{"", "Transfer-Encoding\v", "Transfer-Encoding ", "\x00X", "X\x7f", "X\xff", "X(", "X/", "X:", "X\n", `"`} {
		if validHeader(name, "v") {
			t.Errorf("%q is taken", name)
		}
	}
	if !validHeader("X-Amz_b.c!#$%&'*+^`|~", "v") {
		t.Error("refused")
	}
	h := http.Header{}
	for _, name := range []string{"transfer-encoding", "content-length", "connection\v", "Trailer", "upgrade"} {
		setHeader(h, name, "x")
		setMapped(h, http.CanonicalHeaderKey(name), []string{"x"})
	}
	if len(h) != 0 {
		t.Error(h)
	}
}

// TestRESTQuotaUnderGrants grants more while requests run, which are counted and written at the same time: nobody waits
// for ever, and each use counts once.
func TestRESTQuotaUnderGrants(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /x", func(in *v1.PutMethodRequest) { in.ApiKeyRequired = shape.Ptr(true) }, nil)
	f.deploy()
	k, err := f.rest.CreateApiKey(f.ctx, &v1.CreateApiKeyRequest{Name: shape.Ptr("k"), Enabled: shape.Ptr(true)})
	f.check(err)
	const limit = 3000
	p, err := f.rest.CreateUsagePlan(f.ctx, &v1.CreateUsagePlanRequest{Name: "p", ApiStages: []v1.ApiStage{{ApiId: &f.api, Stage: shape.Ptr("prod")}},
		Quota: &v1.QuotaSettings{Limit: shape.Ptr[int64](limit), Period: shape.Ptr("DAY")}})
	f.check(err)
	_, err = f.rest.CreateUsagePlanKey(f.ctx, &v1.CreateUsagePlanKeyRequest{UsagePlanId: *p.Id, KeyId: *k.Id, KeyType: "API_KEY"})
	f.check(err)
	quiet := f.g.Options
	quiet.Recorder, quiet.Invoker = nil, invokerFunc(func(context.Context, string, []byte) ([]byte, string, error) {
		return []byte(`{"statusCode":200}`), "", nil
	})
	g := New(quiet)
	var let atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var helpers sync.WaitGroup
	helpers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				g.rest.meters.flush()
				g.rest.meters.forget("", "") // as a grant has it
			}
		}
	})
	for range 8 {
		wg.Go(func() {
			for range 500 {
				w := httptest.NewRecorder()
				g.Serve(w, f.request("GET", "/prod/x", "", "X-Api-Key: "+*k.Value), Target{APIID: f.api, Path: "/prod/x"})
				if w.Code == 200 {
					let.Add(1)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("requests and grants wait for each other")
	}
	close(stop)
	helpers.Wait()
	if let.Load() != limit {
		t.Errorf("%d were let in, not %d", let.Load(), limit)
	}
}

// TestReadBody reads bodies that are longer than what is made room for at once, and one that breaks off.
func TestReadBody(t *testing.T) {
	for _, n := range []int{0, 1, maxTrusted, maxTrusted + 1, 3 << 20, maxBody, maxBody + 1} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", n)))
		body, err := readBody(r)
		if n > maxBody {
			if err != errTooLarge {
				t.Error(n, err)
			}
		} else if len(body) != n || err != nil {
			t.Error(n, len(body), err)
		}
	}
	for _, n := range []int64{10, maxTrusted + 10} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("abc"))
		r.ContentLength = n
		if _, err := readBody(r); err != io.ErrUnexpectedEOF {
			t.Error(n, err)
		}
	}
}

// TestRESTGatewayResponseHeaders maps a request's header to one of the connection.
func TestRESTGatewayResponseHeaders(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /x", nil, nil)
	_, err := f.rest.PutGatewayResponse(f.ctx, &v1.PutGatewayResponseRequest{RestApiId: f.api, ResponseType: "MISSING_AUTHENTICATION_TOKEN", ResponseParameters: map[string]string{
		"gatewayresponse.header.Transfer-Encoding": "method.request.header.X-A", "gatewayresponse.header.Content-Length": "method.request.header.X-A",
		"gatewayresponse.header.X-Path": "context.path", "gatewayresponse.header.X-Good": "method.request.header.X-A"}})
	f.check(err)
	f.deploy()
	w, _ := f.call("GET", "/prod/no%0d%0aX-Evil:1", "", "X-A: chunked")
	h := w.Header()
	if h.Get("Transfer-Encoding") != "" || h.Get("Content-Length") == "chunked" || h.Get("X-Path") != "" || h.Get("X-Evil") != "" || h.Get("X-Good") != "chunked" {
		t.Error(h)
	}
}

package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/token"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const (
	testFunction = "arn:aws:lambda:us-east-1:123456789012:function:hello"
	testIssuer   = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_QLBISRQwA"
	localIssuer  = "http://127.0.0.1:4566/us-east-1_QLBISRQwA"
	testClient   = "t4gepqqbmbg90dh61pam8rg9r"
)

var testNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// fixture is a gateway with an API.
type fixture struct {
	t    testing.TB
	apis *httpapis.Service
	ctx  context.Context
	g    *Gateway
	api  string

	event   []byte // of the last invocation
	invoke  func(ctx context.Context, event []byte) ([]byte, string, error)
	permits func(source string) bool
	policy  *policy.Compiled // of the function
	iam     *iam.Service
	lines   []string // of the access log
}

func (f *fixture) InvokeFunction(ctx context.Context, arn string, event []byte) ([]byte, string, error) {
	if arn != testFunction {
		return nil, "", errors.New("invoked " + arn)
	}
	f.event = bytes.Clone(event)
	return f.invoke(ctx, event)
}

func (f *fixture) Permits(_ context.Context, arn, principal, source, account string) bool {
	return arn == testFunction && principal == "apigateway.amazonaws.com" && account == "123456789012" && f.permits(source)
}

func (f *fixture) Permission(_ context.Context, _, _, _, _ string) (bool, string) {
	return false, "no statement allows it"
}

func (f *fixture) FunctionPolicy(context.Context, string) (*policy.Compiled, error) {
	return f.policy, nil
}

func (f *fixture) Write(_, group, _ string, _ time.Time, line []byte) {
	f.lines = append(f.lines, group+" "+string(line))
}

type testKeys struct{}

func (testKeys) Key(_ context.Context, kid string) (crypto.PublicKey, string, error) {
	if kid != "k1" {
		return nil, "", nil
	}
	return &testKey().PublicKey, "RS256", nil
}
func (testKeys) Version() uint64 { return 1 }

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// sign makes a token; claims is JSON.
func sign(t testing.TB, kid, claims string) string {
	t.Helper()
	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	input := b64(`{"alg":"RS256","kid":"`+kid+`"}`) + "." + b64(claims)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, testKey(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// claims are those of an ID token, with changes: a value of nil takes a claim away.
func claims(changes map[string]any) string {
	c := map[string]any{"iss": testIssuer, "aud": testClient, "sub": "3f4e", "token_use": "id", "exp": testNow.Unix() + 3600, "iat": testNow.Unix()}
	for k, v := range changes {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	b, _ := json.Marshal(c)
	return string(b)
}

func start(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, permits: func(string) bool { return true }}
	f.invoke = func(context.Context, []byte) ([]byte, string, error) {
		return []byte(`{"statusCode":200,"body":"Hello"}`), "", nil
	}
	f.ctx = wire.WithCall(t.Context(), &wire.Call{Account: "123456789012", Region: "us-east-1"})
	db := storetest.Open(t, "memory:")
	box, err := seal.FromBytes(bytes.Repeat([]byte{7}, seal.KeySize))
	f.check(err)
	f.iam = iam.New(iam.Options{DB: db, Seal: box, Account: "123456789012", Region: "us-east-1", Now: func() time.Time { return f.g.Now() }})
	f.apis = httpapis.New(httpapis.Options{DB: db, Account: "123456789012", PublicURL: func() string { return "http://127.0.0.1:4566" }})
	verifier := token.NewVerifier(token.Options{Local: func(_ context.Context, issuer string) (token.KeySource, bool) {
		return testKeys{}, issuer == testIssuer || issuer == localIssuer
	}})
	f.g = New(Options{HTTPAPIs: f.apis, Invoker: f, Permitter: f, IAM: f.iam, Verifier: verifier, Recorder: trace.NewRecorder(100), AccessLog: f,
		SameIssuer: func(a, b string) bool {
			return (a == testIssuer || a == localIssuer) && (b == testIssuer || b == localIssuer)
		},
		Now: func() time.Time { return testNow }})
	api, err := f.apis.CreateApi(f.ctx, &v2.CreateApiRequest{Name: "test", ProtocolType: "HTTP"})
	if err != nil {
		t.Fatal(err)
	}
	f.api = *api.ApiId
	f.stage("$default", nil)
	return f
}

func (f *fixture) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) stage(name string, change func(*v2.CreateStageRequest)) {
	f.t.Helper()
	in := &v2.CreateStageRequest{ApiId: f.api, StageName: name, AutoDeploy: shape.Ptr(true)}
	if change != nil {
		change(in)
	}
	_, err := f.apis.CreateStage(f.ctx, in)
	f.check(err)
}

// function adds a route to the test's function.
func (f *fixture) function(key, version string, change func(*v2.CreateRouteRequest)) {
	f.t.Helper()
	i, err := f.apis.CreateIntegration(f.ctx, &v2.CreateIntegrationRequest{ApiId: f.api, IntegrationType: "AWS_PROXY",
		IntegrationUri: shape.Ptr(testFunction), PayloadFormatVersion: &version, TimeoutInMillis: shape.Ptr[int64](50)})
	f.check(err)
	f.route(key, *i.IntegrationId, change)
}

// backend adds a route to a URL.
func (f *fixture) backend(key, uri string, change func(*v2.CreateIntegrationRequest), route ...func(*v2.CreateRouteRequest)) {
	f.t.Helper()
	in := &v2.CreateIntegrationRequest{ApiId: f.api, IntegrationType: "HTTP_PROXY", IntegrationMethod: shape.Ptr("ANY"), IntegrationUri: &uri, PayloadFormatVersion: shape.Ptr("1.0")}
	if change != nil {
		change(in)
	}
	i, err := f.apis.CreateIntegration(f.ctx, in)
	f.check(err)
	f.route(key, *i.IntegrationId, append(route, nil)[0])
}

func (f *fixture) route(key, integration string, change func(*v2.CreateRouteRequest)) {
	f.t.Helper()
	in := &v2.CreateRouteRequest{ApiId: f.api, RouteKey: key, Target: shape.Ptr("integrations/" + integration)}
	if change != nil {
		change(in)
	}
	_, err := f.apis.CreateRoute(f.ctx, in)
	f.check(err)
}

// jwt makes a route need a token with one of the scopes.
func (f *fixture) jwt(source string, scopes ...string) func(*v2.CreateRouteRequest) {
	f.t.Helper()
	z, err := f.apis.CreateAuthorizer(f.ctx, &v2.CreateAuthorizerRequest{ApiId: f.api, Name: "jwt", AuthorizerType: "JWT", IdentitySource: []string{source},
		JwtConfiguration: &v2.JWTConfiguration{Issuer: shape.Ptr(testIssuer), Audience: []string{"other", testClient}}})
	f.check(err)
	return func(in *v2.CreateRouteRequest) {
		in.AuthorizationType, in.AuthorizerId, in.AuthorizationScopes = shape.Ptr("JWT"), z.AuthorizerId, scopes
	}
}

// request makes a request; headers are "Name: value".
func (f *fixture) request(method, target, body string, headers ...string) *http.Request {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, target, r)
	req.Host = "127.0.0.1:4566"
	req.RemoteAddr = "203.0.113.7:51234"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	return req.WithContext(context.WithValue(req.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4566})))
}

// do serves a request and returns the answer and its trace.
func (f *fixture) do(req *http.Request) (*httptest.ResponseRecorder, *trace.Trace) {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.g.Serve(w, req, Target{APIID: f.api, Path: req.URL.EscapedPath()})
	id := w.Header().Get("Apigw-Requestid")
	tr := f.g.Recorder.Get(id)
	if tr == nil || tr.Status != w.Code {
		f.t.Fatalf("request %q left trace %+v, status %d", id, tr, w.Code)
	}
	return w, tr
}

func (f *fixture) get(path string, headers ...string) (*httptest.ResponseRecorder, *trace.Trace) {
	f.t.Helper()
	return f.do(f.request("GET", path, "", headers...))
}

// want checks status and body.
func want(t testing.TB, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || w.Body.String() != body {
		t.Errorf("answer is %d %s, want %d %s", w.Code, w.Body, status, body)
	}
}

// failed returns the step of a trace that failed.
func failed(tr *trace.Trace) trace.Step {
	for _, s := range tr.Steps {
		if !s.OK {
			return s
		}
	}
	return trace.Step{}
}

const (
	notFound     = `{"message":"Not Found"}`
	unauthorized = `{"message":"Unauthorized"}`
	internal     = `{"message":"Internal Server Error"}`
	unavailable  = `{"message":"Service Unavailable"}`
)

func TestStagesAndRoutes(t *testing.T) {
	f := start(t)
	f.function("GET /hello", "2.0", nil)
	f.function("POST /hello/{name}", "2.0", nil)
	f.stage("prod", nil)
	f.stage("idle", func(in *v2.CreateStageRequest) { in.AutoDeploy = nil })
	for _, test := range []struct {
		path   string
		status int
		step   string // that failed
		want   string // what the trace says would have passed
	}{
		{"/hello", 200, "", ""},
		{"/prod/hello", 200, "", ""},
		{"/prod", 404, "route", ""},
		{"/hello/", 404, "route", "one of: GET /hello, POST /hello/{name}"},
		{"/hello/x", 404, "route", "one of: POST /hello/{name}, GET /hello"},
		{"/nothing", 404, "route", "a route; the stage has none like it"},
		{"/idle/hello", 404, "stage", "a deployment, or AutoDeploy"},
		{"/%68ello", 200, "", ""},
		{"/prod%2Fhello", 200, "", ""},
	} {
		w, tr := f.get(test.path)
		if w.Code != test.status || failed(tr).Name != test.step || test.want != "" && failed(tr).Want != test.want {
			t.Errorf("%s: %d %s %+v", test.path, w.Code, w.Body, failed(tr))
		}
		if w.Code == 404 {
			want(t, w, 404, notFound)
			if ct := w.Header().Get("Content-Type"); ct != "application/json" {
				t.Errorf("%s: content type %q", test.path, ct)
			}
		}
	}
	_, err := f.apis.DeleteStage(f.ctx, &v2.DeleteStageRequest{ApiId: f.api, StageName: "$default"})
	f.check(err)
	w, tr := f.get("/hello")
	want(t, w, 404, notFound)
	if s := failed(tr); s.Name != "stage" || s.Got != "hello" || s.Want != "idle or prod" {
		t.Errorf("step %+v", s)
	}
	_, err = f.apis.UpdateApi(f.ctx, &v2.UpdateApiRequest{ApiId: f.api, DisableExecuteApiEndpoint: shape.Ptr(true)})
	f.check(err)
	w, _ = f.get("/prod/hello")
	want(t, w, 404, notFound)
	f.api = "nosuchapi0"
	w, _ = f.get("/hello")
	want(t, w, 404, notFound)
}

// TestTooLargeIsTold sends all of a body that is too large before it listens, as many clients do.
func TestTooLargeIsTold(t *testing.T) {
	f := start(t)
	f.function("POST /a", "2.0", nil)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.g.Serve(w, r, Target{APIID: f.api, Path: r.URL.EscapedPath()})
	}))
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	const size = maxBody + 1<<20
	fmt.Fprintf(c, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatalf("while it was sent: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 413 {
		t.Fatal(resp, err)
	}
}

func TestLimits(t *testing.T) {
	f := start(t)
	f.function("ANY /{p+}", "2.0", nil)
	for _, test := range []struct {
		name   string
		req    *http.Request
		status int
		body   string
	}{
		{"long line", f.request("GET", "/"+strings.Repeat("a", 10300), ""), 414, `{"message":"Request URI Too Long"}`},
		{"long headers", f.request("GET", "/a", "", "X: "+strings.Repeat("a", 10300)), 431, `{"message":"Request Header Fields Too Large"}`},
		{"fits", f.request("GET", "/a", "", "X: "+strings.Repeat("a", 10100)), 200, "Hello"},
		{"large body", f.request("POST", "/a", strings.Repeat("a", maxBody+1)), 413, `{"message":"Request Entity Too Large"}`},
		{"large for a function", f.request("POST", "/a", strings.Repeat("a", maxPayload)), 413, `{"message":"Request Entity Too Large"}`},
	} {
		w, _ := f.do(test.req)
		if w.Code != test.status || w.Body.String() != test.body {
			t.Errorf("%s: %d %.80s", test.name, w.Code, w.Body)
		}
	}
	chunked := f.request("POST", "/a", strings.Repeat("a", maxBody+1))
	chunked.ContentLength = -1
	w, _ := f.do(chunked)
	want(t, w, 413, `{"message":"Request Entity Too Large"}`)
	w = httptest.NewRecorder()
	f.g.Serve(w, f.request("GET", "/", ""), Target{APIID: f.api, Path: "/%zz"})
	want(t, w, 400, `{"message":"Bad Request"}`)
}

func TestThrottle(t *testing.T) {
	f := start(t)
	now := testNow
	f.g.Now = func() time.Time { return now }
	f.function("GET /a", "2.0", nil)
	f.function("GET /b", "2.0", nil)
	_, err := f.apis.UpdateStage(f.ctx, &v2.UpdateStageRequest{ApiId: f.api, StageName: "$default", RouteSettings: map[string]v2.RouteSettings{
		"GET /a": {ThrottlingRateLimit: shape.Ptr(2.0), ThrottlingBurstLimit: shape.Ptr[int64](3)}}})
	f.check(err)
	count := func(path string) (ok int) {
		for range 5 {
			if w, _ := f.get(path); w.Code == 200 {
				ok++
			} else {
				want(t, w, 429, `{"message":"Too Many Requests"}`)
			}
		}
		return ok
	}
	if n := count("/a"); n != 3 {
		t.Errorf("%d requests at once, want 3", n)
	}
	if n := count("/b"); n != 5 {
		t.Errorf("%d requests of the other route, want 5", n)
	}
	now = now.Add(time.Second)
	if n := count("/a"); n != 2 {
		t.Errorf("%d requests a second later, want 2", n)
	}
}

func TestRequestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 10000 {
		id := newRequestID()
		if len(id) != 16 || id[15] != '=' || id[0] == '-' || id[0] == '_' || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}

func TestAccessLog(t *testing.T) {
	f := start(t)
	f.function("GET /pets/{id}", "2.0", f.jwt("$request.header.Authorization"))
	_, err := f.apis.UpdateStage(f.ctx, &v2.UpdateStageRequest{ApiId: f.api, StageName: "$default", AccessLogSettings: &v2.AccessLogSettings{
		DestinationArn: shape.Ptr("arn:aws:logs:us-east-1:123456789012:log-group:/aws/api"),
		Format: shape.Ptr(`{"id":"$context.requestId","time":"$context.requestTime","m":"$context.httpMethod","p":"$context.path","r":"$context.routeKey","s":$context.status,` +
			`"sub":"$context.authorizer.claims.sub","err":"$context.authorizer.error","is":"$context.integration.status","ua":"$context.identity.userAgent","x":"$context.nothing"}` + "\n")}})
	f.check(err)
	w, _ := f.get("/pets/1", "Authorization: "+sign(t, "k1", claims(nil)), `User-Agent: a"b`)
	f.get("/pets/1")
	f.get("/none")
	wants := []string{
		`/aws/api {"id":"` + w.Header().Get("Apigw-Requestid") + `","time":"21/Nov/2026:12:00:00 +0000","m":"GET","p":"/pets/1","r":"GET /pets/{id}","s":200,"sub":"3f4e","err":"-","is":"200","ua":"a\"b","x":"-"}`,
		`"s":401,"sub":"-","err":"no token","is":"-"`, `"r":"-","s":404`,
	}
	for i, line := range f.lines {
		if !strings.Contains(line, wants[i]) {
			t.Errorf("line %s\nwant %s", line, wants[i])
		}
	}
	if len(f.lines) != 3 {
		t.Errorf("%d lines", len(f.lines))
	}
}

func TestClaimText(t *testing.T) {
	for _, test := range []struct{ claim, want string }{
		{`"text"`, "text"}, {`true`, "true"}, {`1612061676`, "1612061676"}, {`1.5`, "1.5"},
		{`["a","b"]`, "[a b]"}, {`[]`, "[]"}, {`{"k":"v"}`, "map[k:v]"}, {`null`, "<nil>"}, {`[1,true]`, "[1 true]"},
	} {
		dec := json.NewDecoder(strings.NewReader(test.claim))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if got := claimText(v); got != test.want {
			t.Errorf("%s becomes %q, want %q", test.claim, got, test.want)
		}
	}
}

func FuzzDecodePath(f *testing.F) {
	for _, s := range []string{"/", "/a%2Fb", "/%", "/a?b", "//", "/%C3%A9/%3Fx", "/..%2f..", "/a%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if path == "" {
			return
		}
		d, err := decodePath(path)
		if err != nil {
			return
		}
		if d[0] != '/' || strings.Contains(d, "?") && strings.Contains(path, "%") {
			t.Fatalf("%q becomes %q", path, d)
		}
		var b strings.Builder
		escapePath(&b, d)
		if again, err := decodePath(b.String()); err != nil || again != d && !strings.Contains(d, "?") {
			t.Fatalf("%q becomes %q, encoded again %q", path, d, b.String())
		}
	})
}

func FuzzString(f *testing.F) {
	f.Add("a\"\\\n\x00\xff\u2028é\xc3")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); strings.ReplaceAll(got, "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
			t.Fatalf("%q becomes %q", s, got)
		}
	})
}

// doHost is do for a request that came by the API's own host.
func (f *fixture) doHost(req *http.Request, host string) (*httptest.ResponseRecorder, *trace.Trace) {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.g.Serve(w, req, Target{APIID: f.api, Path: req.URL.EscapedPath(), Host: host})
	return w, f.g.Recorder.Get(w.Header().Get("Apigw-Requestid"))
}

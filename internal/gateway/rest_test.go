package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/token"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const (
	testAuthorizer = "arn:aws:lambda:us-east-1:123456789012:function:authorizer"
	testPool       = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_QLBISRQwA"
)

// restFixture is a gateway with a REST API, whose stage is "prod".
type restFixture struct {
	*fixture
	rest      *restapis.Service
	root      string
	now       time.Time
	authorize func(event map[string]any) (string, string, error) // the authorizer's function
	asked     int                                                // how often that was
	asking    []byte                                             // its last event
}

func (f *restFixture) InvokeFunction(ctx context.Context, arn string, event []byte) ([]byte, string, error) {
	if arn != testAuthorizer {
		return f.fixture.InvokeFunction(ctx, arn, event)
	}
	f.asked++
	f.asking = bytes.Clone(event)
	var e map[string]any
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, "", err
	}
	out, functionError, err := f.authorize(e)
	return []byte(out), functionError, err
}

func (f *restFixture) Permits(_ context.Context, arn, principal, source, account string) bool {
	return principal == "apigateway.amazonaws.com" && account == "123456789012" && f.permits(source)
}

func startREST(t testing.TB, db *store.DB) *restFixture {
	t.Helper()
	f := &restFixture{fixture: &fixture{t: t, permits: func(string) bool { return true }}, now: testNow}
	f.invoke = func(context.Context, []byte) ([]byte, string, error) {
		return []byte(`{"statusCode":200,"body":"Hello"}`), "", nil
	}
	f.ctx = wire.WithCall(t.Context(), &wire.Call{Account: "123456789012", Region: "us-east-1"})
	box, err := seal.FromBytes(bytes.Repeat([]byte{7}, seal.KeySize))
	f.check(err)
	now := func() time.Time { return f.now }
	f.iam = iam.New(iam.Options{DB: db, Seal: box, Account: "123456789012", Region: "us-east-1", Now: now})
	f.rest = restapis.New(restapis.Options{DB: db, Seal: box, Account: "123456789012", PublicURL: func() string { return "http://127.0.0.1:4566" }, Now: now})
	verifier := token.NewVerifier(token.Options{Local: func(_ context.Context, issuer string) (token.KeySource, bool) {
		return testKeys{}, issuer == testIssuer || issuer == localIssuer
	}})
	f.g = New(Options{RESTAPIs: f.rest, Invoker: f, Permitter: f, IAM: f.iam, Verifier: verifier, Recorder: trace.NewRecorder(100), AccessLog: f,
		SameIssuer: func(a, b string) bool {
			return (a == testIssuer || a == localIssuer) && (b == testIssuer || b == localIssuer)
		},
		Now: now})
	api, err := f.rest.CreateRestApi(f.ctx, &v1.CreateRestApiRequest{Name: "test"})
	f.check(err)
	f.api, f.root = *api.Id, *api.RootResourceId
	return f
}

// memoryREST is startREST on a database in memory, for what the engine does not matter to.
func memoryREST(t testing.TB) *restFixture {
	t.Helper()
	return startREST(t, storetest.Open(t, "memory:"))
}

// resource makes what is missing of a path.
func (f *restFixture) resource(path string) string {
	f.t.Helper()
	all, err := f.rest.GetResources(f.ctx, &v1.GetResourcesRequest{RestApiId: f.api, Limit: shape.Ptr[int64](500)})
	f.check(err)
	byPath := map[string]string{}
	for _, r := range all.Items {
		byPath[*r.Path] = *r.Id
	}
	id, at := f.root, ""
	for p := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if p == "" {
			break
		}
		at += "/" + p
		if byPath[at] == "" {
			r, err := f.rest.CreateResource(f.ctx, &v1.CreateResourceRequest{RestApiId: f.api, ParentId: id, PathPart: p})
			f.check(err)
			byPath[at] = *r.Id
		}
		id = byPath[at]
	}
	return id
}

func lambdaURI(arn string) *string {
	return shape.Ptr("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + arn + "/invocations")
}

// method adds a method, "GET /pets/{id}", with a Lambda proxy integration unless change says otherwise.
func (f *restFixture) method(key string, method func(*v1.PutMethodRequest), integration func(*v1.PutIntegrationRequest), responses ...*v1.PutIntegrationResponseRequest) {
	f.t.Helper()
	verb, path, _ := strings.Cut(key, " ")
	id := f.resource(path)
	m := &v1.PutMethodRequest{RestApiId: f.api, ResourceId: id, HttpMethod: verb, AuthorizationType: "NONE"}
	if method != nil {
		method(m)
	}
	_, err := f.rest.PutMethod(f.ctx, m)
	f.check(err)
	i := &v1.PutIntegrationRequest{RestApiId: f.api, ResourceId: id, HttpMethod: verb, Type: "AWS_PROXY", IntegrationHttpMethod: shape.Ptr("POST"), Uri: lambdaURI(testFunction)}
	if integration != nil {
		integration(i)
	}
	if i.Type == "MOCK" {
		i.Uri, i.IntegrationHttpMethod = nil, nil
	}
	_, err = f.rest.PutIntegration(f.ctx, i)
	f.check(err)
	for _, r := range responses {
		r.RestApiId, r.ResourceId, r.HttpMethod = f.api, id, verb
		params := map[string]bool{}
		for name := range r.ResponseParameters {
			params[name] = false
		}
		_, err = f.rest.PutMethodResponse(f.ctx, &v1.PutMethodResponseRequest{RestApiId: f.api, ResourceId: id, HttpMethod: verb, StatusCode: r.StatusCode, ResponseParameters: params})
		f.check(err)
		_, err = f.rest.PutIntegrationResponse(f.ctx, r)
		f.check(err)
	}
}

func (f *restFixture) deploy() {
	f.t.Helper()
	_, err := f.rest.CreateDeployment(f.ctx, &v1.CreateDeploymentRequest{RestApiId: f.api, StageName: shape.Ptr("prod")})
	f.check(err)
}

func (f *restFixture) patchStage(ops ...string) {
	f.t.Helper()
	_, err := f.rest.UpdateStage(f.ctx, &v1.UpdateStageRequest{RestApiId: f.api, StageName: "prod", PatchOperations: patches(ops...)})
	f.check(err)
}

// patches reads "replace /path value".
func patches(ops ...string) (out []v1.PatchOperation) {
	for _, op := range ops {
		part := strings.SplitN(op, " ", 3)
		p := v1.PatchOperation{Op: &part[0], Path: &part[1]}
		if len(part) == 3 {
			p.Value = &part[2]
		}
		out = append(out, p)
	}
	return out
}

func (f *restFixture) call(method, path, body string, headers ...string) (*httptest.ResponseRecorder, *trace.Trace) {
	f.t.Helper()
	req := f.request(method, path, body, headers...)
	w := httptest.NewRecorder()
	f.g.Serve(w, req, Target{APIID: f.api, Path: req.URL.EscapedPath()})
	id := w.Header().Get("X-Amzn-Requestid")
	tr := f.g.Recorder.Get(id)
	if tr == nil || tr.Status != w.Code {
		f.t.Fatalf("request %q left trace %+v, status %d", id, tr, w.Code)
	}
	if w.Code >= 400 && !tr.Refused() && w.Header().Get("X-Amzn-Errortype") != "" {
		f.t.Errorf("nothing in the trace says why it is %d: %+v", w.Code, tr.Steps)
	}
	if len(w.Header().Get("X-Amz-Apigw-Id")) != 16 {
		f.t.Error("no x-amz-apigw-id")
	}
	return w, tr
}

// refused checks an answer of the gateway's own.
func refused(t testing.TB, w *httptest.ResponseRecorder, status int, errorType, body string) {
	t.Helper()
	if w.Code != status || w.Body.String() != body || w.Header().Get("X-Amzn-Errortype") != errorType || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("answer is %d %s %s, want %d %s %s", w.Code, w.Header().Get("X-Amzn-Errortype"), w.Body, status, errorType, body)
	}
}

const (
	missingToken = `{"message":"Missing Authentication Token"}`
	missingType  = "MissingAuthenticationTokenException"
	serverError  = `{"message": "Internal server error"}`
	serverType   = "InternalServerErrorException"
)

func TestRESTRoutes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := startREST(t, db)
		f.method("GET /pets", nil, nil)
		f.method("ANY /pets/{id}", nil, nil)
		f.method("GET /files/{path+}", nil, nil)
		f.method("GET /", nil, nil)
		w, _ := f.call("GET", "/prod/pets", "")
		refused(t, w, 403, missingType, missingToken) // not deployed
		f.deploy()
		for _, tt := range []struct{ method, path, resource, params string }{
			{"GET", "/prod/pets", "/pets", "null"},
			{"GET", "/prod/pets/", "/pets", "null"},
			{"GET", "/prod/pets/7", "/pets/{id}", `{"id":"7"}`},
			{"PATCH", "/prod/pets/a%20b", "/pets/{id}", `{"id":"a b"}`},
			{"GET", "/prod/pets/a%2Fb", "/pets/{id}", `{"id":"a/b"}`},
			{"GET", "/prod/pets/..%2f..", "/pets/{id}", `{"id":"../.."}`},
			{"GET", "/prod/files/a/b/c", "/files/{path+}", `{"path":"a/b/c"}`},
			{"GET", "/prod/files/a%2Fb", "/files/{path+}", `{"path":"a/b"}`},
			{"GET", "/prod", "/", "null"},
			{"GET", "/prod/", "/", "null"},
		} {
			w, _ := f.call(tt.method, tt.path, "")
			want(t, w, 200, "Hello")
			var e struct {
				Resource       string
				PathParameters json.RawMessage
			}
			f.check(json.Unmarshal(f.event, &e))
			if e.Resource != tt.resource || string(e.PathParameters) != tt.params {
				t.Errorf("%s %s: %s %s", tt.method, tt.path, e.Resource, e.PathParameters)
			}
		}
		for _, tt := range [][2]string{{"POST", "/prod/pets"}, {"GET", "/prod/nothing"}, {"GET", "/pets"}, {"GET", "/"}, {"GET", "/test/pets"}, {"GET", "/prod/pets/7/8"}, {"GET", "/prod/files/"},
			{"GET", "/prod%2Fpets"}, {"TRACE", "/prod/pets/7"}} {
			w, _ := f.call(tt[0], tt[1], "")
			refused(t, w, 403, missingType, missingToken)
		}
		w, _ = f.call("HEAD", "/prod/pets/7", "")
		want(t, w, 200, "")
	})
}

// TestRESTEvent compares the event with the example of AWS's guide to Lambda proxy integrations, field by field.
func TestRESTEvent(t *testing.T) {
	f := memoryREST(t)
	f.method("POST /my/{proxy+}", nil, nil)
	f.deploy()
	f.patchStage("replace /variables/color red")
	w, _ := f.call("POST", "/prod/my/path?parameter1=value1&parameter1=value2&parameter2=value", "Hello from client!", "Header1: value1", "Header1: value2", "User-Agent: curl/8")
	want(t, w, 200, "Hello")
	var got map[string]any
	f.check(json.Unmarshal(f.event, &got))
	ctx := got["requestContext"].(map[string]any)
	for _, name := range []string{"resourceId", "extendedRequestId", "requestId", "deploymentId"} {
		if s, _ := ctx[name].(string); s == "" {
			t.Error("no", name)
		}
		ctx[name] = ""
	}
	headers := got["headers"].(map[string]any)
	if s, _ := headers["X-Amzn-Trace-Id"].(string); !strings.HasPrefix(s, "Root=1-") {
		t.Error("trace id", s)
	}
	delete(headers, "X-Amzn-Trace-Id")
	delete(got["multiValueHeaders"].(map[string]any), "X-Amzn-Trace-Id")
	var wanted map[string]any
	f.check(json.Unmarshal([]byte(`{"resource":"/my/{proxy+}","path":"/my/path","httpMethod":"POST",
"headers":{"Header1":"value2","Host":"127.0.0.1:4566","User-Agent":"curl/8","X-Forwarded-For":"203.0.113.7","X-Forwarded-Port":"4566","X-Forwarded-Proto":"http"},
"multiValueHeaders":{"Header1":["value1","value2"],"Host":["127.0.0.1:4566"],"User-Agent":["curl/8"],"X-Forwarded-For":["203.0.113.7"],"X-Forwarded-Port":["4566"],"X-Forwarded-Proto":["http"]},
"queryStringParameters":{"parameter1":"value2","parameter2":"value"},"multiValueQueryStringParameters":{"parameter1":["value1","value2"],"parameter2":["value"]},
"pathParameters":{"proxy":"path"},"stageVariables":{"color":"red"},
"requestContext":{"resourceId":"","resourcePath":"/my/{proxy+}","httpMethod":"POST","extendedRequestId":"","requestTime":"21/Nov/2026:12:00:00 +0000","path":"/prod/my/path",
"accountId":"123456789012","protocol":"HTTP/1.1","stage":"prod","domainPrefix":"`+f.api+`","requestTimeEpoch":1795262400000,"requestId":"",
"identity":{"cognitoIdentityPoolId":null,"accountId":null,"cognitoIdentityId":null,"caller":null,"sourceIp":"203.0.113.7","principalOrgId":null,"accessKey":null,
"cognitoAuthenticationType":null,"cognitoAuthenticationProvider":null,"userArn":null,"userAgent":"curl/8","user":null},
"domainName":"`+f.api+`.execute-api.us-east-1.amazonaws.com","deploymentId":"","apiId":"`+f.api+`"},
"body":"Hello from client!","isBase64Encoded":false}`), &wanted))
	if d := cmp.Diff(wanted, got); d != "" {
		t.Error(d)
	}
	// Without any of them, null.
	f.patchStage("remove /variables/color")
	f.call("POST", "/prod/my/path", "")
	got = nil
	f.check(json.Unmarshal(f.event, &got))
	for _, name := range []string{"queryStringParameters", "multiValueQueryStringParameters", "stageVariables", "body"} {
		if v, there := got[name]; !there || v != nil {
			t.Errorf("%s is %v", name, v)
		}
	}
}

func TestRESTFunctionAnswers(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /x", nil, nil)
	f.deploy()
	type invoke = func(context.Context, []byte) ([]byte, string, error)
	says := func(s string) invoke {
		return func(context.Context, []byte) ([]byte, string, error) { return []byte(s), "", nil }
	}
	for _, tt := range []struct {
		name   string
		invoke invoke
		status int
		body   string
	}{
		{"whole", says(`{"statusCode":201,"headers":{"X-A":"1","X-B":2,"Date":"now"},"multiValueHeaders":{"Set-Cookie":["a","b"]},"body":"b","isBase64Encoded":false}`), 201, "b"},
		{"text status", says(`{"statusCode":"202"}`), 202, ""},
		{"no status", says(`{"body":"x"}`), 200, "x"},
		{"base64 without binary types", says(`{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`), 200, "aGk="},
		{"unknown member", says(`{"statusCode":200,"message":"x"}`), 502, serverError},
		{"body is no text", says(`{"statusCode":200,"body":{"a":1}}`), 502, serverError},
		{"text", says(`"hello"`), 502, serverError},
		{"null", says(`null`), 502, serverError},
		{"no JSON", says(`hello`), 502, serverError},
		{"thrown", func(context.Context, []byte) ([]byte, string, error) {
			return []byte(`{"errorMessage":"no","errorType":"Error"}`), "Unhandled", nil
		}, 502, serverError},
		{"too slow", func(context.Context, []byte) ([]byte, string, error) { return nil, "", context.DeadlineExceeded }, 504, `{"message": "Endpoint request timed out"}`},
		{"throttled", func(context.Context, []byte) ([]byte, string, error) {
			return nil, "", &shape.Error{Code: "TooManyRequestsException", Status: 429}
		}, 500, serverError},
		{"gone", func(context.Context, []byte) ([]byte, string, error) { return nil, "", errors.New("gone") }, 500, serverError},
	} {
		f.invoke = tt.invoke
		w, _ := f.call("GET", "/prod/x", "")
		if tt.status >= 500 {
			refused(t, w, tt.status, serverType, tt.body)
		} else {
			want(t, w, tt.status, tt.body)
		}
		if tt.name == "whole" {
			h := w.Header()
			if h.Get("X-A") != "1" || h.Get("X-B") != "2" || len(h["Set-Cookie"]) != 2 || h.Get("X-Amzn-Remapped-Date") != "now" || h.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v", h)
			}
		}
	}
	f.permits = func(source string) bool {
		return source == "arn:aws:execute-api:us-east-1:123456789012:"+f.api+"/prod/POST/x"
	}
	w, _ := f.call("GET", "/prod/x", "")
	refused(t, w, 500, serverType, serverError)
}

func TestRESTBinary(t *testing.T) {
	f := memoryREST(t)
	f.method("POST /x", nil, nil)
	_, err := f.rest.UpdateRestApi(f.ctx, &v1.UpdateRestApiRequest{RestApiId: f.api, PatchOperations: patches("add /binaryMediaTypes/image~1png")})
	f.check(err)
	f.deploy()
	f.invoke = func(context.Context, []byte) ([]byte, string, error) {
		return []byte(`{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`), "", nil
	}
	for _, tt := range []struct{ contentType, accept, body, answer string }{
		{"image/png", "image/png", `"body":"AAE=","isBase64Encoded":true`, "hi"},
		{"text/plain", "text/html, image/png", `"body":"\u0000\u0001","isBase64Encoded":false`, "aGk="},
	} {
		w, _ := f.call("POST", "/prod/x", "\x00\x01", "Content-Type: "+tt.contentType, "Accept: "+tt.accept)
		want(t, w, 200, tt.answer)
		if !strings.Contains(string(f.event), tt.body) {
			t.Errorf("%s: %s", tt.contentType, f.event)
		}
	}
}

func TestRESTLimits(t *testing.T) {
	f := memoryREST(t)
	f.method("POST /x", nil, nil)
	f.method("POST /mock", nil, func(in *v1.PutIntegrationRequest) {
		in.Type, in.RequestTemplates = "MOCK", map[string]string{"application/json": `{"statusCode":200}`}
	}, &v1.PutIntegrationResponseRequest{StatusCode: "200"})
	f.deploy()
	w, _ := f.call("POST", "/prod/x", strings.Repeat("x", maxBody+1))
	refused(t, w, 413, "RequestTooLargeException", `{"message":"Request Too Long"}`)
	w, _ = f.call("POST", "/prod/x", strings.Repeat("x", maxPayload))
	refused(t, w, 413, "RequestTooLargeException", `{"message":"Request Too Long"}`)
	w, _ = f.call("POST", "/prod/mock", strings.Repeat("x", maxBody))
	want(t, w, 200, "")
	w, _ = f.call("POST", "/prod/x", "", "X-Long: "+strings.Repeat("x", maxHead))
	refused(t, w, 413, "RequestTooLargeException", `{"message":"Request Too Long"}`)
}

func TestRESTMockCORS(t *testing.T) {
	f := memoryREST(t)
	f.method("OPTIONS /x", nil, func(in *v1.PutIntegrationRequest) {
		in.Type, in.RequestTemplates = "MOCK", map[string]string{"application/json": `{ statusCode: 204 }`} // as the CDK writes it
	}, &v1.PutIntegrationResponseRequest{StatusCode: "204", ResponseParameters: map[string]string{
		"method.response.header.Access-Control-Allow-Origin": "'*'", "method.response.header.Access-Control-Allow-Headers": "'Content-Type,Authorization'",
		"method.response.header.Access-Control-Allow-Methods": "'OPTIONS,GET'"}})
	f.deploy()
	w, _ := f.call("OPTIONS", "/prod/x", "", "Origin: http://localhost:3000", "Access-Control-Request-Method: GET")
	if h := w.Header(); w.Code != 204 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Headers") != "Content-Type,Authorization" || h.Get("Access-Control-Allow-Methods") != "OPTIONS,GET" {
		t.Errorf("%d %v", w.Code, h)
	}
}

func TestRESTGatewayResponses(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /x", nil, nil)
	_, err := f.rest.PutGatewayResponse(f.ctx, &v1.PutGatewayResponseRequest{RestApiId: f.api, ResponseType: "DEFAULT_4XX",
		ResponseParameters: map[string]string{"gatewayresponse.header.Access-Control-Allow-Origin": "'*'", "gatewayresponse.header.X-Path": "context.path", "gatewayresponse.header.X-Q": "method.request.querystring.q"},
		ResponseTemplates:  map[string]string{"application/json": `{"m":$context.error.messageString,"t":"$context.error.responseType","p":"${context.path}","none":"$context.none","dollar":"$5"}`}})
	f.check(err)
	_, err = f.rest.PutGatewayResponse(f.ctx, &v1.PutGatewayResponseRequest{RestApiId: f.api, ResponseType: "MISSING_AUTHENTICATION_TOKEN", StatusCode: shape.Ptr("404"),
		ResponseTemplates: map[string]string{"text/plain": "no such thing", "application/xml": "<no/>"}})
	f.check(err)
	f.method("GET /key", func(in *v1.PutMethodRequest) { in.ApiKeyRequired = shape.Ptr(true) }, nil)
	f.deploy()
	w, _ := f.call("GET", "/prod/key?q=1%0d%0aX-Evil:1", "")
	want(t, w, 403, `{"m":"Forbidden","t":"INVALID_API_KEY","p":"/prod/key","none":"","dollar":"$5"}`)
	if h := w.Header(); h.Get("Access-Control-Allow-Origin") != "*" || h.Get("X-Path") != "/prod/key" || h.Get("X-Q") != "" || h.Get("X-Evil") != "" {
		t.Errorf("%v", h)
	}
	w, _ = f.call("GET", "/prod/none", "", "Accept: text/html, text/plain;q=0.5")
	want(t, w, 404, "no such thing")
	if ct := w.Header().Get("Content-Type"); ct != "text/plain" {
		t.Error(ct)
	}
}

func TestRESTAccessLogAndCanary(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /x", nil, nil)
	f.deploy()
	_, err := f.rest.UpdateAccount(f.ctx, &v1.UpdateAccountRequest{PatchOperations: patches("replace /cloudwatchRoleArn arn:aws:iam::123456789012:role/logs")})
	f.check(err)
	f.patchStage("replace /accessLogSettings/destinationArn arn:aws:logs:us-east-1:123456789012:log-group:rest",
		`replace /accessLogSettings/format {"r":"$context.requestId","p":"$context.resourcePath","s":$context.status,"e":$context.error.messageString,"i":"$context.integrationStatus"}`)
	w, _ := f.call("GET", "/prod/x", "")
	if got, want := f.lines[0], fmt.Sprintf(`rest {"r":"%s","p":"/x","s":200,"e":-,"i":"200"}`, w.Header().Get("X-Amzn-Requestid")); got != want {
		t.Errorf("%s\n%s", got, want)
	}
	f.call("GET", "/prod/y", "")
	if !strings.Contains(f.lines[1], `"s":403,"e":"Missing Authentication Token","i":"-"`) {
		t.Error(f.lines[1])
	}
	f.method("GET /new", nil, nil)
	_, err = f.rest.CreateDeployment(f.ctx, &v1.CreateDeploymentRequest{RestApiId: f.api, StageName: shape.Ptr("prod"),
		CanarySettings: &v1.DeploymentCanarySettings{PercentTraffic: shape.Ptr(50.0), StageVariableOverrides: map[string]string{"v": "2"}}})
	f.check(err)
	seen := map[int]int{}
	for range 200 {
		w, _ := f.call("GET", "/prod/new", "")
		seen[w.Code]++
	}
	if seen[200] < 60 || seen[403] < 60 {
		t.Errorf("of 200 requests at 50 %%: %v", seen)
	}
}

func TestRESTThrottle(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /x", nil, nil)
	f.deploy()
	f.patchStage("replace /~1x/GET/throttling/rateLimit 1", "replace /~1x/GET/throttling/burstLimit 2")
	for i := range 4 {
		w, _ := f.call("GET", "/prod/x", "")
		if i < 2 {
			want(t, w, 200, "Hello")
		} else {
			refused(t, w, 429, "TooManyRequestsException", `{"message":"Too Many Requests"}`)
		}
	}
	f.now = f.now.Add(time.Second)
	w, _ := f.call("GET", "/prod/x", "")
	want(t, w, 200, "Hello")
}

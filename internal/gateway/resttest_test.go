package gateway

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

func TestRESTTestInvoke(t *testing.T) {
	f := memoryREST(t)
	f.rest.Join(f.g)
	with := f.authorizer(&v1.CreateAuthorizerRequest{Type: "TOKEN", IdentitySource: shape.Ptr("method.request.header.Authorization")})
	var m v1.PutMethodRequest
	with(&m)
	f.method("POST /x/{id}", with, func(in *v1.PutIntegrationRequest) {
		in.Type, in.RequestTemplates = "AWS", map[string]string{"application/json": `{"id":"$input.params('id')","v":"$stageVariables.v","s":"$context.stage"}`}
	}, &v1.PutIntegrationResponseRequest{StatusCode: "200"})
	var source string
	f.permits = func(s string) bool { source = s; return true }
	out, err := f.rest.TestInvokeMethod(f.ctx, &v1.TestInvokeMethodRequest{RestApiId: f.api, ResourceId: f.resource("/x/{id}"), HttpMethod: "POST", PathWithQueryString: shape.Ptr("/x/7?q=1"),
		Body: shape.Ptr(`{"a":1}`), Headers: map[string]string{"Authorization": "a-secret"}, StageVariables: map[string]string{"v": "live"}})
	f.check(err)
	if *out.Status != 200 || *out.Body != `{"statusCode":200,"body":"Hello"}` || string(f.event) != `{"id":"7","v":"live","s":"test-invoke-stage"}` || out.Headers["Content-Type"] != "application/json" {
		t.Errorf("%d %s, event %s, %v", *out.Status, *out.Body, f.event, out.Headers)
	}
	if want := "arn:aws:execute-api:us-east-1:123456789012:" + f.api + "/test-invoke-stage/POST/x/{id}"; source != want {
		t.Error(source)
	}
	for _, line := range []string{"Execution log for request ", "HTTP Method: POST, Resource Path: /x/{id}", "Method request path: {id=7}", "Method request query string: {q=1}", `Method request body before transformations: {"a":1}`,
		`Endpoint request body after transformations: {"id":"7"`, "Received response. Status: 200", "Method completed with status: 200"} {
		if !strings.Contains(*out.Log, line) {
			t.Errorf("the log lacks %q:\n%s", line, *out.Log)
		}
	}
	if strings.Contains(*out.Log, "a-secret") {
		t.Error("the log holds a token")
	}
	f.method("GET /malformed", nil, nil)
	f.invoke = func(context.Context, []byte) ([]byte, string, error) {
		return []byte(`{"statusCode":200,"cookies":[]}`), "", nil
	}
	out, err = f.rest.TestInvokeMethod(f.ctx, &v1.TestInvokeMethodRequest{RestApiId: f.api, ResourceId: f.resource("/malformed"), HttpMethod: "GET"})
	f.check(err)
	if *out.Status != 502 || !strings.Contains(*out.Log, "Execution failed due to configuration error: Malformed Lambda proxy response\n") {
		t.Errorf("%d %s", *out.Status, *out.Log)
	}
	f.invoke = func(context.Context, []byte) ([]byte, string, error) { return nil, "", context.DeadlineExceeded }
	out, err = f.rest.TestInvokeMethod(f.ctx, &v1.TestInvokeMethodRequest{RestApiId: f.api, ResourceId: f.resource("/x/{id}"), HttpMethod: "POST"})
	f.check(err)
	if *out.Status != 504 || !strings.Contains(*out.Log, "Execution failed due to a timeout error") {
		t.Errorf("%d %s", *out.Status, *out.Log)
	}

	f.authorize = func(map[string]any) (string, string, error) { return allowAll, "", nil }
	for range 2 {
		z, err := f.rest.TestInvokeAuthorizer(f.ctx, &v1.TestInvokeAuthorizerRequest{RestApiId: f.api, AuthorizerId: *m.AuthorizerId, Headers: map[string]string{"Authorization": "t"}})
		f.check(err)
		if *z.ClientStatus != 200 || *z.PrincipalId != "me" || !strings.Contains(*z.Policy, `"Effect":"Allow"`) || z.Authorization["s"][0] != "text" {
			t.Errorf("%+v", z)
		}
	}
	if f.asked != 2 {
		t.Error("a test is answered from the cache")
	}
	z, err := f.rest.TestInvokeAuthorizer(f.ctx, &v1.TestInvokeAuthorizerRequest{RestApiId: f.api, AuthorizerId: *m.AuthorizerId})
	f.check(err)
	if *z.ClientStatus != 401 {
		t.Error(*z.ClientStatus)
	}
}

// TestRESTDeploymentUnderTraffic deploys again and again: each request is served by one deployment or another, whole.
func TestRESTDeploymentUnderTraffic(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /x", nil, nil)
	f.deploy()
	f.invoke = func(context.Context, []byte) ([]byte, string, error) {
		return []byte(`{"statusCode":200,"body":"ok"}`), "", nil
	}
	quiet := f.g.Options
	quiet.Recorder = nil
	quiet.Invoker = invokerFunc(func(context.Context, string, []byte) ([]byte, string, error) {
		return []byte(`{"statusCode":200,"body":"ok"}`), "", nil
	})
	g := New(quiet)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				w := httptest.NewRecorder()
				g.Serve(w, f.request("GET", "/prod/x", ""), Target{APIID: f.api, Path: "/prod/x"})
				if w.Code != 200 || w.Body.String() != "ok" {
					t.Errorf("%d %s", w.Code, w.Body)
					return
				}
			}
		})
	}
	for range 20 {
		f.deploy()
	}
	close(done)
	wg.Wait()
}

type invokerFunc func(context.Context, string, []byte) ([]byte, string, error)

func (i invokerFunc) InvokeFunction(ctx context.Context, arn string, event []byte) ([]byte, string, error) {
	return i(ctx, arn, event)
}

// FuzzREST sends requests of any path, query, header and body through all parts of the way.
func FuzzREST(f *testing.F) {
	fx := memoryREST(f)
	fx.method("ANY /p/{proxy+}", nil, nil)
	fx.aws("POST /v/{id}", `{"id":"$util.escapeJavaScript($input.params('id'))","q":"$util.escapeJavaScript($input.params('q'))","b":$input.json('$')}`, nil)
	fx.deploy()
	for _, s := range []string{"/prod/p/a%2F..%2Fb", "/prod/v/%ff?q=%00", "/prod/v/x?q=a&q=b", "//prod", "/prod/p/%25%32%46"} {
		f.Add(s, "X-A", "b", `{"a":1}`)
	}
	f.Fuzz(func(t *testing.T, target, name, value, body string) {
		path, query, _ := strings.Cut(target, "?")
		req := httptest.NewRequest("POST", "/", strings.NewReader(body))
		req.RequestURI, req.URL.RawQuery = target, query
		if validHeader(name, value) {
			req.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		fx.g.Serve(w, req, Target{APIID: fx.api, Path: path})
		if w.Code < 200 || w.Code > 599 {
			t.Fatal(w.Code)
		}
	})
}

func TestRESTExecutionLog(t *testing.T) {
	f := memoryREST(t)
	_, err := f.rest.UpdateAccount(f.ctx, &v1.UpdateAccountRequest{PatchOperations: patches("replace /cloudwatchRoleArn arn:aws:iam::123456789012:role/logs")})
	f.check(err)
	f.method("POST /x", nil, nil)
	f.deploy()
	log := func() string { all := strings.Join(f.lines, "\n"); f.lines = nil; return all }
	f.call("POST", "/prod/x", "body", "Authorization: secret-token")
	if got := log(); got != "" {
		t.Error("logged without being asked to:", got)
	}
	f.patchStage("replace /*/*/logging/loglevel ERROR")
	f.call("POST", "/prod/x", "body", "Authorization: secret-token")
	if got := log(); got != "" {
		t.Error("logged though nothing failed:", got)
	}
	f.patchStage("replace /*/*/logging/loglevel INFO", "replace /*/*/logging/dataTrace true")
	w, _ := f.call("POST", "/prod/x", "body", "Authorization: secret-token")
	got := log()
	for _, want := range []string{"API-Gateway-Execution-Logs_" + f.api + "/prod (" + w.Header().Get("X-Amzn-Requestid") + ") Starting execution", `"body":"body"`, "Successfully completed execution", "Method completed with status: 200"} {
		if !strings.Contains(got, want) {
			t.Errorf("the log lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret-token") {
		t.Error("the log holds a token:\n", got)
	}
}

// TestRESTTracesHoldNoValues looks into the traces of refusals for what the requests held.
func TestRESTTracesHoldNoValues(t *testing.T) {
	f := memoryREST(t)
	_, err := f.rest.CreateModel(f.ctx, &v1.CreateModelRequest{RestApiId: f.api, Name: "M", ContentType: "application/json",
		Schema: shape.Ptr(`{"type":"object","properties":{"p":{"type":"string","minLength":20,"pattern":"^[0-9]+$","enum":["a"]},"n":{"type":"number","maximum":3}}}`)})
	f.check(err)
	v, err := f.rest.CreateRequestValidator(f.ctx, &v1.CreateRequestValidatorRequest{RestApiId: f.api, Name: shape.Ptr("v"), ValidateRequestBody: shape.Ptr(true)})
	f.check(err)
	f.method("POST /v", func(in *v1.PutMethodRequest) {
		in.RequestValidatorId, in.RequestModels = v.Id, map[string]string{"application/json": "M"}
	}, nil)
	f.aws("POST /t", `$input.path('$.p')`, nil)
	f.method("GET /z", f.authorizer(&v1.CreateAuthorizerRequest{Type: "TOKEN", IdentitySource: shape.Ptr("method.request.header.Authorization")}), nil)
	f.authorize = func(e map[string]any) (string, string, error) {
		return `{"errorMessage":"bad token ` + strings.TrimPrefix(e["authorizationToken"].(string), "Bearer ") + `"}`, "Unhandled", nil
	}
	f.deploy()
	for _, path := range []string{"POST /prod/v", "POST /prod/t", "GET /prod/z"} {
		verb, path, _ := strings.Cut(path, " ")
		body := ""
		if verb == "POST" {
			body = `{"p":"pass\"word!","n":8817263}`
		}
		w, tr := f.call(verb, path, body, "Authorization: Bearer secret-token")
		if w.Code < 400 {
			t.Error(path, w.Code)
		}
		for _, s := range tr.Steps {
			for _, secret := range []string{"word!", "8817263", "secret-token"} {
				if strings.Contains(s.Detail+s.Got+s.Want, secret) {
					t.Errorf("%s: %+v", path, s)
				}
			}
		}
	}
}

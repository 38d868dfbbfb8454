package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// asks makes an authorizer of the test's function, and a change of routes that uses it.
func (f *fixture) asks(change func(*v2.CreateAuthorizerRequest)) func(*v2.CreateRouteRequest) {
	f.t.Helper()
	in := &v2.CreateAuthorizerRequest{ApiId: f.api, Name: "ask", AuthorizerType: "REQUEST", AuthorizerPayloadFormatVersion: shape.Ptr("2.0"), EnableSimpleResponses: shape.Ptr(true),
		AuthorizerUri: shape.Ptr("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + testFunction + "/invocations"), IdentitySource: []string{"$request.header.Authorization"}}
	if change != nil {
		change(in)
	}
	z, err := f.apis.CreateAuthorizer(f.ctx, in)
	f.check(err)
	return func(in *v2.CreateRouteRequest) {
		in.AuthorizationType, in.AuthorizerId = shape.Ptr("CUSTOM"), z.AuthorizerId
	}
}

// answers makes the function answer authorizers with what decide says, and anybody else with Hello. It
// returns the number of questions and the last one.
func (f *fixture) answers(decide func(event map[string]any) (string, string, error)) (asked *int, last *[]byte) {
	asked, last = new(int), new([]byte)
	f.invoke = func(_ context.Context, event []byte) ([]byte, string, error) {
		if !bytes.Contains(event, []byte(`"type":"REQUEST"`)) {
			return []byte(`{"statusCode":200,"body":"Hello"}`), "", nil
		}
		*asked++
		*last = bytes.Clone(event)
		var m map[string]any
		f.check(json.Unmarshal(event, &m))
		out, functionError, err := decide(m)
		return []byte(out), functionError, err
	}
	return asked, last
}

func TestLambdaAuthorizerEvents(t *testing.T) {
	f := start(t)
	f.stage("test", func(in *v2.CreateStageRequest) { in.StageVariables = map[string]string{"v": "1"} })
	sources := []string{"$request.header.user", "$request.querystring.id", "$context.routeKey", "$stageVariables.v"}
	f.function("GET /request/{name}", "2.0", f.asks(func(in *v2.CreateAuthorizerRequest) { in.IdentitySource = sources }))
	f.function("GET /one/{name}", "1.0", f.asks(func(in *v2.CreateAuthorizerRequest) {
		in.IdentitySource, in.AuthorizerPayloadFormatVersion, in.EnableSimpleResponses = sources, shape.Ptr("1.0"), nil
	}))
	simple := `{"isAuthorized":true,"context":{"text":"a\"b","n":1,"list":["x"],"map":{"k":true}}}`
	allow := `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]},"context":{"text":"a","n":1,"yes":true}}`
	_, last := f.answers(func(event map[string]any) (string, string, error) {
		if event["version"] == "1.0" {
			return allow, "", nil
		}
		return simple, "", nil
	})
	arn := "arn:aws:execute-api:us-east-1:123456789012:" + f.api + "/test/GET"
	headers := func(m map[string]any) map[string]any {
		h := m["headers"].(map[string]any)
		for name := range h {
			if strings.EqualFold(name, "X-Amzn-Trace-Id") {
				delete(h, name)
			}
		}
		return h
	}

	w, _ := f.get("/test/request/ann?id=7", "User: u", "User-Agent: curl/8")
	want(t, w, 200, "Hello")
	var got map[string]any
	f.check(json.Unmarshal(*last, &got))
	headers(got)
	domain := f.api + ".execute-api.us-east-1.amazonaws.com"
	id := w.Header().Get("Apigw-Requestid")
	if diff := cmp.Diff(map[string]any{
		"version": "2.0", "type": "REQUEST", "routeArn": arn + "/request/ann", "identitySource": []any{"u", "7", "GET /request/{name}", "1"}, "routeKey": "GET /request/{name}",
		"rawPath": "/test/request/ann", "rawQueryString": "id=7",
		"headers":               map[string]any{"content-length": "0", "host": "127.0.0.1:4566", "user": "u", "user-agent": "curl/8", "x-forwarded-for": "203.0.113.7", "x-forwarded-port": "4566", "x-forwarded-proto": "http"},
		"queryStringParameters": map[string]any{"id": "7"},
		"requestContext": map[string]any{"accountId": "123456789012", "apiId": f.api, "domainName": domain, "domainPrefix": f.api,
			"http":      map[string]any{"method": "GET", "path": "/test/request/ann", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "curl/8"},
			"requestId": id, "routeKey": "GET /request/{name}", "stage": "test", "time": "21/Nov/2026:12:00:00 +0000", "timeEpoch": float64(testNow.UnixMilli())},
		"pathParameters": map[string]any{"name": "ann"}, "stageVariables": map[string]any{"v": "1"},
	}, got); diff != "" {
		t.Error(diff)
	}
	var event struct{ RequestContext map[string]any }
	f.check(json.Unmarshal(f.event, &event))
	if diff := cmp.Diff(map[string]any{"lambda": map[string]any{"text": `a"b`, "n": 1.0, "list": []any{"x"}, "map": map[string]any{"k": true}}}, event.RequestContext["authorizer"]); diff != "" {
		t.Error(diff)
	}

	w, _ = f.get("/test/one/ann?id=7", "User: u", "User-Agent: curl/8")
	want(t, w, 200, "Hello")
	got = nil
	f.check(json.Unmarshal(*last, &got))
	headers(got)
	id = w.Header().Get("Apigw-Requestid")
	nothing := map[string]any{"sourceIp": "203.0.113.7", "userAgent": "curl/8"}
	for _, name := range []string{"accessKey", "accountId", "caller", "cognitoAmr", "cognitoAuthenticationProvider", "cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn"} {
		nothing[name] = nil
	}
	if diff := cmp.Diff(map[string]any{
		"version": "1.0", "type": "REQUEST", "methodArn": arn + "/one/ann", "identitySource": "u,7,GET /one/{name},1", "authorizationToken": "u,7,GET /one/{name},1",
		"resource": "/one/{name}", "path": "/test/one/ann", "httpMethod": "GET",
		"headers":               map[string]any{"Content-Length": "0", "Host": "127.0.0.1:4566", "user": "u", "User-Agent": "curl/8", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Port": "4566", "X-Forwarded-Proto": "http"},
		"queryStringParameters": map[string]any{"id": "7"}, "pathParameters": map[string]any{"name": "ann"}, "stageVariables": map[string]any{"v": "1"},
		"requestContext": map[string]any{"accountId": "123456789012", "apiId": f.api, "domainName": domain, "domainPrefix": f.api, "extendedRequestId": id, "httpMethod": "GET", "identity": nothing,
			"path": "/test/one/ann", "protocol": "HTTP/1.1", "requestId": id, "requestTime": "21/Nov/2026:12:00:00 +0000", "requestTimeEpoch": float64(testNow.UnixMilli()),
			"resourceId": nil, "resourcePath": "/one/{name}", "stage": "test"},
	}, got); diff != "" {
		t.Error(diff)
	}
	event.RequestContext = nil
	f.check(json.Unmarshal(f.event, &event))
	if diff := cmp.Diff(map[string]any{"principalId": "me", "text": "a", "n": 1.0, "yes": true}, event.RequestContext["authorizer"]); diff != "" {
		t.Error(diff)
	}
}

func TestLambdaAuthorizerAnswers(t *testing.T) {
	f := start(t)
	f.function("GET /simple", "2.0", f.asks(func(in *v2.CreateAuthorizerRequest) { in.AuthorizerResultTtlInSeconds = shape.Ptr[int64](0) }))
	f.function("GET /policy", "2.0", f.asks(func(in *v2.CreateAuthorizerRequest) {
		in.AuthorizerResultTtlInSeconds, in.EnableSimpleResponses = shape.Ptr[int64](0), nil
	}))
	policyFor := func(effect, resource string) string {
		return `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:123456789012:` + f.api + resource + `"}]}}`
	}
	const no, unauth = forbidden, unauthorized
	for _, test := range []struct {
		name, path, answer, functionError string
		err                               error
		status                            int
		body                              string
	}{
		{"yes", "/simple", `{"isAuthorized":true}`, "", nil, 200, "Hello"},
		{"no", "/simple", `{"isAuthorized":false}`, "", nil, 403, no},
		{"nothing said", "/simple", `{}`, "", nil, 500, internal},
		{"text for true", "/simple", `{"isAuthorized":"true"}`, "", nil, 500, internal},
		{"null", "/simple", `null`, "", nil, 500, internal},
		{"a policy instead", "/simple", policyFor("Allow", "/*"), "", nil, 500, internal},
		{"allowed", "/policy", policyFor("Allow", "/$default/GET/policy"), "", nil, 200, "Hello"},
		{"allowed elsewhere", "/policy", policyFor("Allow", "/$default/GET/other"), "", nil, 403, no},
		{"another stage", "/policy", policyFor("Allow", "/prod/*"), "", nil, 403, no},
		{"denied", "/policy", policyFor("Deny", "/*"), "", nil, 403, no},
		{"simple instead", "/policy", `{"isAuthorized":true}`, "", nil, 500, internal},
		{"threw Unauthorized", "/policy", `{"errorMessage":"Unauthorized","errorType":"Error"}`, "Unhandled", nil, 401, unauth},
		{"threw", "/policy", `{"errorMessage":"no luck","errorType":"Error"}`, "Unhandled", nil, 500, internal},
		{"cannot be run", "/policy", ``, "", errors.New("down"), 500, internal},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked, _ := f.answers(func(map[string]any) (string, string, error) { return test.answer, test.functionError, test.err })
			w, tr := f.get(test.path, "Authorization: secret-token-of-a-caller")
			want(t, w, test.status, test.body)
			if *asked != 1 || tr.Refused() != (test.status != 200) {
				t.Errorf("asked %d times, trace %+v", *asked, tr.Steps)
			}
			if b, _ := json.Marshal(tr); bytes.Contains(b, []byte("secret-token")) {
				t.Errorf("the trace holds the token: %s", b)
			}
		})
	}
	asked, _ := f.answers(func(map[string]any) (string, string, error) { return `{"isAuthorized":true}`, "", nil })
	w, tr := f.get("/simple")
	want(t, w, 401, unauth)
	if s := failed(tr); s.Name != "identity source" || *asked != 0 {
		t.Errorf("step %+v, asked %d times", s, *asked)
	}
	f.permits = func(source string) bool { return !strings.Contains(source, "/authorizers/") }
	w, tr = f.get("/simple", "Authorization: x")
	want(t, w, 500, internal)
	if s := failed(tr); s.Name != "permission" {
		t.Errorf("step %+v", s)
	}
}

// Results are kept by identity, and by nothing less.
func TestLambdaAuthorizerCache(t *testing.T) {
	f := start(t)
	now := testNow
	f.g.Now = func() time.Time { return now }
	two := f.asks(func(in *v2.CreateAuthorizerRequest) {
		in.IdentitySource, in.AuthorizerResultTtlInSeconds = []string{"$request.header.A", "$request.header.B"}, shape.Ptr[int64](60)
	})
	f.function("GET /a", "2.0", two)
	f.function("GET /b", "2.0", two)
	f.stage("prod", nil)
	asked, _ := f.answers(func(event map[string]any) (string, string, error) {
		if list := event["identitySource"].([]any); list[0] == "evil" {
			return `{"isAuthorized":false}`, "", nil
		}
		return `{"isAuthorized":true}`, "", nil
	})
	count := func(path, a, b string, status, more int) {
		t.Helper()
		before := *asked
		if w, _ := f.get(path, "A: "+a, "B: "+b); w.Code != status || *asked-before != more {
			t.Errorf("%s with %q, %q: %d, asked %d times", path, a, b, w.Code, *asked-before)
		}
	}
	count("/a", "ann", "x", 200, 1)
	count("/a", "ann", "x", 200, 0)
	count("/b", "ann", "x", 200, 0) // another route, the same authorizer
	count("/prod/a", "ann", "x", 200, 1)
	count("/a", "annx", "x", 200, 1)
	count("/a", "an", "nx", 200, 1) // not the same when joined
	count("/a", "evil", "x", 403, 1)
	count("/a", "evil", "x", 403, 0)
	now = now.Add(59 * time.Second)
	count("/a", "ann", "x", 200, 0)
	now = now.Add(time.Second)
	count("/a", "ann", "x", 200, 1)
	count("/a", "ann", "x", 200, 0)
	_, err := f.apis.ResetAuthorizersCache(f.ctx, &v2.ResetAuthorizersCacheRequest{ApiId: f.api, StageName: "$default"})
	f.check(err)
	count("/a", "ann", "x", 200, 1)
	count("/prod/a", "annx", "x", 200, 1)
	count("/prod/a", "annx", "x", 200, 0) // of a stage that was not reset
	list, err := f.apis.GetAuthorizers(f.ctx, &v2.GetAuthorizersRequest{ApiId: f.api})
	f.check(err)
	_, err = f.apis.UpdateAuthorizer(f.ctx, &v2.UpdateAuthorizerRequest{ApiId: f.api, AuthorizerId: *list.Items[0].AuthorizerId, IdentitySource: []string{"$request.header.B", "$request.header.A"}})
	f.check(err)
	count("/a", "x", "ann", 200, 1) // the same values, from other places
	if _, err := f.apis.ResetAuthorizersCache(f.ctx, &v2.ResetAuthorizersCacheRequest{ApiId: f.api, StageName: "none"}); err == nil {
		t.Error("the cache of no stage was reset")
	}
}

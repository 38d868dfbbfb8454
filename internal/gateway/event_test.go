package gateway

import (
	"encoding/json"
	"strings"
	"testing"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/google/go-cmp/cmp"
)

// lastEvent returns the event of the last invocation.
func (f *fixture) lastEvent() map[string]any {
	f.t.Helper()
	var out map[string]any
	if err := json.Unmarshal(f.event, &out); err != nil {
		f.t.Fatalf("%v: %s", err, f.event)
	}
	return out
}

// object reads JSON in which ID and API stand for what only the answer tells.
func (f *fixture) object(text, id string) map[string]any {
	f.t.Helper()
	text = strings.NewReplacer("{ID}", id, "{API}", f.api).Replace(text)
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		f.t.Fatal(err)
	}
	return out
}

// The events below follow the examples in "Create AWS Lambda proxy integrations for HTTP APIs", with a
// request like the one that they show.
const (
	exampleTarget = "/my/path?parameter1=value1&parameter1=value2&parameter2=value"
)

var exampleHeaders = []string{"Cookie: cookie1; cookie2", "Header1: value1", "Header2: value1", "Header2: value2", "Content-Type: text/plain",
	"User-Agent: agent", "X-Amzn-Trace-Id: Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e", "Connection: keep-alive", "X-Forwarded-For: 192.0.2.1"}

func TestEvent2(t *testing.T) {
	f := start(t)
	f.function("$default", "2.0", nil)
	w, _ := f.do(f.request("POST", exampleTarget, "Hello from Lambda", exampleHeaders...))
	want(t, w, 200, "Hello")
	golden := f.object(`{
		"version": "2.0", "routeKey": "$default", "rawPath": "/my/path",
		"rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
		"cookies": ["cookie1", "cookie2"],
		"headers": {"header1": "value1", "header2": "value1,value2", "content-type": "text/plain", "content-length": "17", "host": "127.0.0.1:4566",
			"user-agent": "agent", "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e", "x-forwarded-for": "192.0.2.1, 203.0.113.7",
			"x-forwarded-port": "4566", "x-forwarded-proto": "http"},
		"queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
		"requestContext": {
			"accountId": "123456789012", "apiId": "{API}", "domainName": "{API}.execute-api.us-east-1.amazonaws.com", "domainPrefix": "{API}",
			"http": {"method": "POST", "path": "/my/path", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "agent"},
			"requestId": "{ID}", "routeKey": "$default", "stage": "$default", "time": "21/Nov/2026:12:00:00 +0000", "timeEpoch": 1795262400000},
		"body": "Hello from Lambda", "isBase64Encoded": false}`, w.Header().Get("Apigw-Requestid"))
	if diff := cmp.Diff(golden, f.lastEvent()); diff != "" {
		t.Error(diff)
	}
}

func TestEvent2OfAnAuthorisedRequest(t *testing.T) {
	f := start(t)
	f.function("GET /pets/{id}/{rest+}", "2.0", f.jwt("$request.header.Authorization", "pets/read", "pets/write"))
	f.stage("prod", func(in *v2.CreateStageRequest) { in.StageVariables = map[string]string{"a": `x"y`, "b": "z"} })
	raw := sign(t, "k1", claims(map[string]any{"scope": "pets/read x", "cognito:groups": []string{"admins", "staff"}, "email_verified": true, "auth_time": 1612061676}))
	req := f.request("GET", "/prod/pets/a%20b/c%2Fd/e", "", "Authorization: Bearer "+raw)
	req.Host = f.api + ".execute-api.localhost:4566"
	rec, _ := f.doHost(req, req.Host)
	want(t, rec, 200, "Hello")
	golden := f.object(`{
		"version": "2.0", "routeKey": "GET /pets/{id}/{rest+}", "rawPath": "/prod/pets/a b/c/d/e", "rawQueryString": "",
		"headers": {"authorization": "Bearer `+raw+`", "content-length": "0", "host": "{API}.execute-api.localhost:4566", "x-forwarded-for": "203.0.113.7",
			"x-forwarded-port": "4566", "x-forwarded-proto": "http"},
		"requestContext": {
			"accountId": "123456789012", "apiId": "{API}",
			"authorizer": {"jwt": {"claims": {"iss": "`+testIssuer+`", "aud": "`+testClient+`", "sub": "3f4e", "token_use": "id", "exp": "1795266000", "iat": "1795262400",
				"scope": "pets/read x", "cognito:groups": "[admins staff]", "email_verified": "true", "auth_time": "1612061676"}, "scopes": ["pets/read"]}},
			"domainName": "{API}.execute-api.localhost:4566", "domainPrefix": "{API}",
			"http": {"method": "GET", "path": "/prod/pets/a b/c/d/e", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": ""},
			"requestId": "{ID}", "routeKey": "GET /pets/{id}/{rest+}", "stage": "prod", "time": "21/Nov/2026:12:00:00 +0000", "timeEpoch": 1795262400000},
		"pathParameters": {"id": "a b", "rest": "c/d/e"}, "stageVariables": {"a": "x\"y", "b": "z"}, "isBase64Encoded": false}`, rec.Header().Get("Apigw-Requestid"))
	got := f.lastEvent()
	delete(got["headers"].(map[string]any), "x-amzn-trace-id") // made for each request
	if diff := cmp.Diff(golden, got); diff != "" {
		t.Error(diff)
	}
}

func TestEvent1(t *testing.T) {
	f := start(t)
	f.function("GET /my/path", "1.0", nil)
	w, _ := f.do(f.request("GET", exampleTarget, "", exampleHeaders...))
	want(t, w, 200, "Hello")
	golden := f.object(`{
		"version": "1.0", "resource": "/my/path", "path": "/my/path", "httpMethod": "GET",
		"headers": {"header1": "value1", "header2": "value2", "cookie": "cookie1; cookie2", "content-type": "text/plain", "Content-Length": "0", "Host": "127.0.0.1:4566",
			"User-Agent": "agent", "X-Amzn-Trace-Id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e", "X-Forwarded-For": "192.0.2.1, 203.0.113.7",
			"X-Forwarded-Port": "4566", "X-Forwarded-Proto": "http"},
		"multiValueHeaders": {"header1": ["value1"], "header2": ["value1", "value2"], "cookie": ["cookie1; cookie2"], "content-type": ["text/plain"],
			"Content-Length": ["0"], "Host": ["127.0.0.1:4566"], "User-Agent": ["agent"], "X-Amzn-Trace-Id": ["Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e"],
			"X-Forwarded-For": ["192.0.2.1, 203.0.113.7"], "X-Forwarded-Port": ["4566"], "X-Forwarded-Proto": ["http"]},
		"queryStringParameters": {"parameter1": "value2", "parameter2": "value"},
		"multiValueQueryStringParameters": {"parameter1": ["value1", "value2"], "parameter2": ["value"]},
		"requestContext": {
			"accountId": "123456789012", "apiId": "{API}", "authorizer": {"claims": null, "scopes": null},
			"domainName": "{API}.execute-api.us-east-1.amazonaws.com", "domainPrefix": "{API}", "extendedRequestId": "{ID}", "httpMethod": "GET",
			"identity": {"accessKey": null, "accountId": null, "caller": null, "cognitoAmr": null, "cognitoAuthenticationProvider": null, "cognitoAuthenticationType": null,
				"cognitoIdentityId": null, "cognitoIdentityPoolId": null, "principalOrgId": null, "sourceIp": "203.0.113.7", "user": null, "userAgent": "agent", "userArn": null},
			"path": "/my/path", "protocol": "HTTP/1.1", "requestId": "{ID}", "requestTime": "21/Nov/2026:12:00:00 +0000", "requestTimeEpoch": 1795262400000,
			"resourceId": null, "resourcePath": "/my/path", "stage": "$default"},
		"pathParameters": null, "stageVariables": null, "body": null, "isBase64Encoded": false}`, w.Header().Get("Apigw-Requestid"))
	if diff := cmp.Diff(golden, f.lastEvent()); diff != "" {
		t.Error(diff)
	}
}

func TestEvent1OfAnAuthorisedRequest(t *testing.T) {
	f := start(t)
	f.function("POST /a/{x}", "1.0", f.jwt("$request.header.Authorization"))
	w, _ := f.do(f.request("POST", "/a/b", `{"k":1}`, "Content-Type: application/json", "Authorization: "+sign(t, "k1", claims(nil))))
	want(t, w, 200, "Hello")
	got := f.lastEvent()
	ctx := got["requestContext"].(map[string]any)
	authorizer := map[string]any{"claims": map[string]any{"iss": testIssuer, "aud": testClient, "sub": "3f4e", "token_use": "id", "exp": "1795266000", "iat": "1795262400"}, "scopes": nil}
	if diff := cmp.Diff(authorizer, ctx["authorizer"]); diff != "" {
		t.Error(diff)
	}
	if got["resource"] != "/a/{x}" || got["body"] != `{"k":1}` || got["pathParameters"].(map[string]any)["x"] != "b" {
		t.Errorf("event %v", got)
	}
}

func TestBodies(t *testing.T) {
	f := start(t)
	f.function("POST /", "2.0", nil)
	for _, test := range []struct {
		contentType, body, want string
		encoded                 bool
	}{
		{"text/plain", "é", "é", false},
		{"text/html; charset=utf-8", "<p>", "<p>", false},
		{"application/json", `{"a":"\u00e9"}`, `{"a":"\u00e9"}`, false},
		{"Application/JSON;charset=UTF-8", `{}`, `{}`, false},
		{"application/xml", "<a/>", "<a/>", false},
		{"application/javascript", "1", "1", false},
		{"application/x-www-form-urlencoded", "a=b", "YT1i", true},
		{"application/vnd.api+json", "{}", "e30=", true},
		{"application/octet-stream", "\x00\xff", "AP8=", true},
		{"text/plain", "\xff", "/w==", true},
		{"", "a", "YQ==", true},
	} {
		var headers []string
		if test.contentType != "" {
			headers = append(headers, "Content-Type: "+test.contentType)
		}
		f.do(f.request("POST", "/", test.body, headers...))
		if e := f.lastEvent(); e["body"] != test.want || e["isBase64Encoded"] != test.encoded {
			t.Errorf("%q %q: body %q, encoded %v", test.contentType, test.body, e["body"], e["isBase64Encoded"])
		}
	}
}

func TestQueries(t *testing.T) {
	f := start(t)
	f.function("GET /", "2.0", nil)
	for query, wants := range map[string]map[string]any{
		"a=1&b=&c":            {"a": "1", "b": "", "c": ""},
		"a=%20b+c&a=d":        {"a": " b c,d"},
		"%C3%A9=%F0%9F%98%8A": {"é": "😊"},
		"a=%zz&&":             {"a": "%zz"},
		"a=b=c":               {"a": "b=c"},
	} {
		f.get("/?" + query)
		e := f.lastEvent()
		if diff := cmp.Diff(wants, e["queryStringParameters"]); diff != "" || e["rawQueryString"] != query {
			t.Errorf("%s: raw %v %s", query, e["rawQueryString"], diff)
		}
	}
}

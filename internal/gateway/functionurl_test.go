package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/functions"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

type urls map[string]*functions.URL

func (u urls) FunctionURL(_ context.Context, id string) (*functions.URL, error) {
	if u[id] == nil {
		return nil, functions.ErrNoURL
	}
	return u[id], nil
}

const publicPolicy = `{"Version":"2012-10-17","Statement":[` +
	`{"Sid":"Url","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"` + testFunction + `","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}},` +
	`{"Sid":"Call","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + testFunction + `","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}]}`

func (f *fixture) resourcePolicy(text string) {
	f.t.Helper()
	p, err := policy.Compile(policy.Resource, "the policy", text)
	f.check(err)
	f.policy = p
}

var urlID = strings.Repeat("u1", 16)

func (f *fixture) url(auth string, cors *lambda.Cors) {
	f.g.URLs = urls{urlID: {ID: urlID, Region: "us-east-1", FunctionARN: testFunction, AuthType: auth, CORS: cors}}
}

func (f *fixture) open(req *http.Request, t Target) (*httptest.ResponseRecorder, *trace.Trace) {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.g.ServeFunctionURL(w, req, t)
	tr := f.g.Recorder.Get(w.Header().Get("X-Amzn-Requestid"))
	if tr == nil || tr.Status != w.Code {
		f.t.Fatalf("trace %+v, status %d", tr, w.Code)
	}
	return w, tr
}

const urlForbidden = `{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}`

func TestFunctionURLEvent(t *testing.T) {
	f := start(t)
	f.url("NONE", nil)
	f.resourcePolicy(publicPolicy)
	req := f.request("POST", "/a%20b/c?x=1&x=2&y=%26", `{"k":1}`, "Content-Type: application/json", "Cookie: a=1; b=2", "User-Agent: curl/8", "X-Two: 1", "X-Two: 2")
	req.Host = urlID + ".lambda-url.us-east-1.on.aws"
	w, _ := f.open(req, Target{APIID: urlID, Path: "/a%20b/c", Host: req.Host})
	want(t, w, 200, "Hello")
	var got map[string]any
	f.check(json.Unmarshal(f.event, &got))
	headers := got["headers"].(map[string]any)
	id := w.Header().Get("X-Amzn-Requestid")
	if diff := cmp.Diff(map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": "/a%20b/c", "rawQueryString": "x=1&x=2&y=%26", "cookies": []any{"a=1", "b=2"},
		"headers": map[string]any{"content-length": "7", "content-type": "application/json", "host": req.Host, "user-agent": "curl/8", "x-two": "1,2",
			"x-amzn-trace-id": headers["x-amzn-trace-id"], "x-forwarded-for": "203.0.113.7", "x-forwarded-port": "80", "x-forwarded-proto": "http"},
		"queryStringParameters": map[string]any{"x": "1,2", "y": "&"},
		"requestContext": map[string]any{
			"accountId": "anonymous", "apiId": urlID, "domainName": req.Host, "domainPrefix": urlID,
			"http":      map[string]any{"method": "POST", "path": "/a%20b/c", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "curl/8"},
			"requestId": id, "routeKey": "$default", "stage": "$default", "time": "21/Nov/2026:12:00:00 +0000", "timeEpoch": float64(testNow.UnixMilli()),
		},
		"body": `{"k":1}`, "isBase64Encoded": false,
	}, got); diff != "" {
		t.Error(diff)
	}
	if len(id) != 36 {
		t.Errorf("request id %q", id)
	}

	// By path, and signed; a body that is no text.
	f.url("AWS_IAM", nil)
	arn, roleID := f.role("caller", "x.amazonaws.com", `{"Effect":"Allow","Action":["lambda:InvokeFunctionUrl","lambda:InvokeFunction"],"Resource":"`+testFunction+`"}`)
	k := f.identity("caller", arn, roleID, nil)
	req = f.signedAs(k, "lambda", "us-east-1", testNow, "PUT", "/_aws/lambda-url/"+urlID, "\xff\x00", "Content-Type: image/png")
	w, _ = f.open(req, Target{APIID: urlID})
	want(t, w, 200, "Hello")
	got = nil
	f.check(json.Unmarshal(f.event, &got))
	context := got["requestContext"].(map[string]any)
	if got["rawPath"] != "/" || got["body"] != "/wA=" || got["isBase64Encoded"] != true || context["accountId"] != "123456789012" || context["domainName"] != urlID+".lambda-url.us-east-1.on.aws" {
		t.Errorf("event %s", f.event)
	}
	if diff := cmp.Diff(map[string]any{"iam": map[string]any{
		"accessKey": k.id, "accountId": "123456789012", "callerId": roleID + ":CognitoIdentityCredentials",
		"cognitoIdentity": map[string]any{"amr": []any{"authenticated", "cognito-idp.us-east-1.amazonaws.com/us-east-1_A", "cognito-idp.us-east-1.amazonaws.com/us-east-1_A:CognitoSignIn:3f4e"},
			"identityId": "us-east-1:me", "identityPoolId": "us-east-1:pool"},
		"principalOrgId": nil, "userArn": "arn:aws:sts::123456789012:assumed-role/caller/CognitoIdentityCredentials", "userId": roleID + ":CognitoIdentityCredentials",
	}}, context["authorizer"]); diff != "" {
		t.Error(diff)
	}
}

func TestFunctionURLAuth(t *testing.T) {
	f := start(t)
	both := `"Action":["lambda:InvokeFunctionUrl","lambda:InvokeFunction"],"Resource":"` + testFunction + `"}`
	arn, id := f.role("both", "x.amazonaws.com", `{"Effect":"Allow",`+both)
	may := f.identity("both", arn, id, nil)
	arn, id = f.role("half", "x.amazonaws.com", `{"Effect":"Allow","Action":"lambda:InvokeFunctionUrl","Resource":"*"}`)
	half := f.identity("half", arn, id, nil)
	arn, id = f.role("none", "x.amazonaws.com", invokePath("*"))
	none := f.identity("none", arn, id, nil)
	signed := func(k key) *http.Request { return f.signedAs(k, "lambda", "us-east-1", testNow, "GET", "/x", "") }
	toRole := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + arn + `"},` + both + `}`
	onlyURL := `{"Version":"2012-10-17","Statement":{"Sid":"Url","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"` + testFunction + `"}}`
	for _, test := range []struct {
		name, auth, policy string
		req                *http.Request
		status             int
		body, kind         string
		step, detail       string
	}{
		{"public", "NONE", publicPolicy, f.request("GET", "/x", ""), 200, "Hello", "", "", ""},
		{"public, signature ignored", "NONE", publicPolicy, signed(key{"AKIAAAAAAAAAAAAAAAAA", "x", ""}), 200, "Hello", "", "", ""},
		{"no policy", "NONE", "", f.request("GET", "/x", ""), 403, urlForbidden, "AccessDeniedException", "resource-based policy", ""},
		{"half a policy", "NONE", onlyURL, f.request("GET", "/x", ""), 403, urlForbidden, "AccessDeniedException", "resource-based policy", "no statement allows lambda:InvokeFunction"},
		{"policy for the other kind", "AWS_IAM", publicPolicy, signed(none), 403, urlForbidden, "AccessDeniedException", "resource-based policy", "lambda:FunctionUrlAuthType"},
		{"by identity policy", "AWS_IAM", "", signed(may), 200, "Hello", "", "", ""},
		{"by resource policy", "AWS_IAM", toRole, signed(none), 200, "Hello", "", "", ""},
		{"half by identity policy", "AWS_IAM", "", signed(half), 403, urlForbidden, "AccessDeniedException", "identity-based policy", ""},
		{"half and half", "AWS_IAM", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}}`, signed(half), 200, "Hello", "", "", ""},
		{"denied by resource policy", "AWS_IAM", `{"Version":"2012-10-17","Statement":{"Sid":"No","Effect":"Deny","Principal":"*","Action":"lambda:*","Resource":"*"}}`, signed(may), 403, urlForbidden, "AccessDeniedException", "resource-based policy", "statement No"},
		{"unsigned", "AWS_IAM", publicPolicy, f.request("GET", "/x", ""), 403, urlForbidden, "MissingAuthenticationTokenException", "signature", "not signed"},
		{"wrong secret", "AWS_IAM", "", signed(key{may.id, may.secret + "x", may.token}), 403, "", "InvalidSignatureException", "signature", "another secret"},
		{"unknown key", "AWS_IAM", "", signed(key{"AKIAAAAAAAAAAAAAAAAA", "x", ""}), 403, `{"message":"The security token included in the request is invalid."}`, "UnrecognizedClientException", "access key", ""},
		{"signed for an API", "AWS_IAM", "", f.signed(may, "GET", "/x", ""), 403, "", "InvalidSignatureException", "signature", "service"},
		{"signed for another region", "AWS_IAM", "", f.signedAs(may, "lambda", "eu-west-1", testNow, "GET", "/x", ""), 403, "", "InvalidSignatureException", "signature", "another region"},
		{"old", "AWS_IAM", "", f.signedAs(may, "lambda", "us-east-1", testNow.Add(-time.Hour), "GET", "/x", ""), 403, "", "InvalidSignatureException", "signature", "expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f.url(test.auth, nil)
			if f.policy = nil; test.policy != "" {
				f.resourcePolicy(test.policy)
			}
			w, tr := f.open(test.req, Target{APIID: urlID, Path: "/x"})
			if w.Code != test.status || test.body != "" && w.Body.String() != test.body || test.kind != "MissingAuthenticationTokenException" && w.Header().Get("X-Amzn-Errortype") != test.kind {
				t.Errorf("answer %d %v %s", w.Code, w.Header(), w.Body)
			}
			if strings.Contains(w.Body.String(), "Canonical") {
				t.Errorf("the answer tells the canonical request: %s", w.Body)
			}
			var why []string
			for _, s := range tr.Steps {
				if !s.OK && s.Name == test.step {
					why = append(why, s.Detail)
				}
			}
			if test.step != "" && (len(why) == 0 || !strings.Contains(strings.Join(why, "; "), test.detail)) {
				t.Errorf("steps %+v, want %s: %s", tr.Steps, test.step, test.detail)
			}
		})
	}
	f.g.URLs = urls{}
	w, _ := f.open(f.request("GET", "/x", ""), Target{APIID: urlID, Path: "/x"})
	want(t, w, 403, urlForbidden)
}

func TestFunctionURLAnswers(t *testing.T) {
	f := start(t)
	f.url("NONE", nil)
	f.resourcePolicy(publicPolicy)
	for _, test := range []struct {
		payload, functionError string
		err                    error
		status                 int
		contentType, body      string
	}{
		{`{"statusCode":201,"body":"x"}`, "", nil, 201, "application/json", "x"},
		{`{"a":1}`, "", nil, 200, "application/json", `{"a":1}`},
		{`"text"`, "", nil, 200, "application/json", "text"},
		{`{"statusCode":200,"body":"aGk=","isBase64Encoded":true,"headers":{"Content-Type":"image/png","X-Amzn-RequestId":"mine","Connection":"close"},"cookies":["a=1"]}`, "", nil, 200, "image/png", "hi"},
		{`{"statusCode":204}`, "", nil, 204, "", ""},
		{`{"statusCode":200,"body":"%","isBase64Encoded":true}`, "", nil, 502, "application/json", "Internal Server Error"},
		{`{"statusCode":"no"}`, "", nil, 502, "application/json", "Internal Server Error"},
		{`{"errorMessage":"it failed"}`, "Unhandled", nil, 502, "application/json", "Internal Server Error"},
		{``, "", lambda.TooManyRequestsException("Rate Exceeded."), 429, "application/json", `{"message":"Rate Exceeded."}`},
		{``, "", lambda.ServiceException("down"), 502, "application/json", "Internal Server Error"},
	} {
		f.invoke = func(context.Context, []byte) ([]byte, string, error) {
			return []byte(test.payload), test.functionError, test.err
		}
		w, _ := f.open(f.request("GET", "/", ""), Target{APIID: urlID, Path: "/"})
		if w.Code != test.status || w.Header().Get("Content-Type") != test.contentType || w.Body.String() != test.body || len(w.Header().Get("X-Amzn-Requestid")) != 36 {
			t.Errorf("%s: %d %v %s", test.payload, w.Code, w.Header(), w.Body)
		}
	}
	w, _ := f.open(f.request("POST", "/", strings.Repeat("a", maxPayload)), Target{APIID: urlID, Path: "/"})
	want(t, w, 413, `{"message":"Exceeded maximum allowed payload size (6291456 bytes)."}`)
	w, _ = f.open(f.request("POST", "/", strings.Repeat("a", maxBody+1)), Target{APIID: urlID, Path: "/"})
	want(t, w, 413, `{"message":"Exceeded maximum allowed payload size (6291456 bytes)."}`)
}

func TestFunctionURLCORS(t *testing.T) {
	f := start(t)
	f.url("AWS_IAM", &lambda.Cors{AllowOrigins: []string{"https://a.example"}, AllowMethods: []string{"GET", "PUT"}, AllowHeaders: []string{"x-a"}, ExposeHeaders: []string{"x-b"},
		MaxAge: shape.Ptr[int64](60), AllowCredentials: shape.Ptr(true)})
	preflight := func(origin string) http.Header {
		w, _ := f.open(f.request("OPTIONS", "/", "", "Origin: "+origin, "Access-Control-Request-Method: PUT"), Target{APIID: urlID, Path: "/"})
		if w.Code != 200 || w.Body.Len() > 0 {
			t.Errorf("preflight %d %s", w.Code, w.Body)
		}
		h := w.Header()
		h.Del("X-Amzn-Requestid")
		return h
	}
	if diff := cmp.Diff(http.Header{"Access-Control-Allow-Origin": {"https://a.example"}, "Access-Control-Allow-Methods": {"GET,PUT"}, "Access-Control-Allow-Headers": {"x-a"},
		"Access-Control-Expose-Headers": {"x-b"}, "Access-Control-Max-Age": {"60"}, "Access-Control-Allow-Credentials": {"true"}, "Vary": {"Origin"}}, preflight("https://a.example")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(http.Header{"Vary": {"Origin"}}, preflight("https://b.example")); diff != "" {
		t.Error(diff)
	}
	f.invoke = func(context.Context, []byte) ([]byte, string, error) {
		return []byte(`{"statusCode":200,"headers":{"access-control-allow-origin":"*"},"body":"x"}`), "", nil
	}
	req := f.signedAs(f.rootKey(), "lambda", "us-east-1", testNow, "GET", "/", "", "Origin: https://a.example")
	w, _ := f.open(req, Target{APIID: urlID, Path: "/"})
	if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "https://a.example" || len(w.Header()["Access-Control-Allow-Origin"]) != 1 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func BenchmarkFunctionURL(b *testing.B) {
	f := start(b)
	f.g.Now = func() time.Time { return testNow }
	f.g.Invoker = invoker{}
	f.resourcePolicy(publicPolicy)
	for _, auth := range []string{"NONE", "AWS_IAM"} {
		b.Run(auth, func(b *testing.B) {
			f.url(auth, nil)
			k := f.rootKey()
			req := f.request("GET", "/x", "", "User-Agent: curl/8.2.1")
			sigv4.Sign(req, sigv4.EmptyPayload, k.id, k.secret, "", "lambda", "us-east-1", testNow)
			w := &discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.h)
				f.g.ServeFunctionURL(w, req, Target{APIID: urlID, Path: "/x"})
			}
		})
	}
}

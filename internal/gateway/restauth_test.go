package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

const unauthorizedType = "UnauthorizedException"

// authorizer makes an authorizer and returns what puts it on a method.
func (f *restFixture) authorizer(in *v1.CreateAuthorizerRequest, scopes ...string) func(*v1.PutMethodRequest) {
	f.t.Helper()
	in.RestApiId = f.api
	if in.Name == "" {
		in.Name = "authorizer"
	}
	if in.Type != "COGNITO_USER_POOLS" && in.AuthorizerUri == nil {
		in.AuthorizerUri = lambdaURI(testAuthorizer)
	}
	z, err := f.rest.CreateAuthorizer(f.ctx, in)
	f.check(err)
	return func(m *v1.PutMethodRequest) {
		m.AuthorizationType, m.AuthorizerId, m.AuthorizationScopes = "CUSTOM", z.Id, scopes
		if in.Type == "COGNITO_USER_POOLS" {
			m.AuthorizationType = "COGNITO_USER_POOLS"
		}
	}
}

func TestRESTCognito(t *testing.T) {
	f := memoryREST(t)
	other := "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_OTHER0000"
	f.method("GET /id", f.authorizer(&v1.CreateAuthorizerRequest{Name: "id", Type: "COGNITO_USER_POOLS", ProviderARNs: []string{other, testPool}, IdentitySource: shape.Ptr("method.request.header.Authorization")}), nil)
	f.method("GET /access", f.authorizer(&v1.CreateAuthorizerRequest{Name: "access", Type: "COGNITO_USER_POOLS", ProviderARNs: []string{testPool}, IdentitySource: shape.Ptr("method.request.header.X-Token")}, "api/read", "api/write"), nil)
	f.method("GET /aud", f.authorizer(&v1.CreateAuthorizerRequest{Name: "aud", Type: "COGNITO_USER_POOLS", ProviderARNs: []string{testPool}, IdentitySource: shape.Ptr("method.request.header.Authorization"),
		IdentityValidationExpression: shape.Ptr("t4ge.*")}), nil)
	f.deploy()
	id := func(changes map[string]any) string {
		c := map[string]any{"token_use": "id", "scope": nil, "client_id": nil, "cognito:groups": []string{"admin", "users"}, "email_verified": true}
		for k, v := range changes {
			c[k] = v
		}
		return sign(t, "k1", claims(c))
	}
	access := func(scope string) string {
		return sign(t, "k1", claims(map[string]any{"token_use": "access", "scope": scope, "aud": nil, "client_id": testClient}))
	}
	for _, tt := range []struct {
		name, path, header string
		status             int
		body               string
	}{
		{"plain", "/id", "Authorization: " + id(nil), 200, "Hello"},
		{"Bearer", "/id", "Authorization: Bearer " + id(nil), 200, "Hello"},
		{"none", "/id", "X: y", 401, unauthorized},
		{"nonsense", "/id", "Authorization: abc", 401, unauthorized},
		{"expired", "/id", "Authorization: " + id(map[string]any{"exp": testNow.Unix() - 1}), 401, `{"message":"The incoming token has expired"}`},
		{"no expiry", "/id", "Authorization: " + id(map[string]any{"exp": nil}), 401, unauthorized},
		{"another issuer", "/id", "Authorization: " + id(map[string]any{"iss": "https://evil.example"}), 401, unauthorized},
		{"another key", "/id", "Authorization: " + sign(t, "k2", claims(nil)), 401, unauthorized},
		{"access token without scopes", "/id", "Authorization: " + access("api/read"), 401, unauthorized},
		{"access token", "/access", "X-Token: " + access("x api/write"), 200, "Hello"},
		{"access token with other scopes", "/access", "X-Token: " + access("x"), 401, unauthorized},
		{"ID token with scopes", "/access", "X-Token: " + id(map[string]any{"scope": "api/read"}), 401, unauthorized},
		{"elsewhere", "/access", "Authorization: " + access("api/write"), 401, unauthorized},
		{"audience", "/aud", "Authorization: " + id(nil), 200, "Hello"},
		{"another audience", "/aud", "Authorization: " + id(map[string]any{"aud": "other"}), 401, unauthorized},
	} {
		w, tr := f.call("GET", "/prod"+tt.path, "", tt.header)
		if w.Code != tt.status || w.Body.String() != tt.body || tt.status == 401 && w.Header().Get("X-Amzn-Errortype") != unauthorizedType {
			t.Errorf("%s: %d %s %s, trace %+v", tt.name, w.Code, w.Body, w.Header(), tr.Steps)
		}
		_, raw, _ := strings.Cut(tt.header, ": ")
		noToken(t, tr, strings.TrimPrefix(raw, "Bearer "))
	}
	f.call("GET", "/prod/id", "", "Authorization: "+id(map[string]any{"exp": testNow.Unix() + 3600, "iat": testNow.Unix()}))
	var e struct {
		RequestContext struct {
			Authorizer struct{ Claims map[string]string }
		}
	}
	f.check(json.Unmarshal(f.event, &e))
	got := e.RequestContext.Authorizer.Claims
	for name, value := range map[string]string{"exp": "Sat Nov 21 13:00:00 UTC 2026", "iat": "Sat Nov 21 12:00:00 UTC 2026", "cognito:groups": "admin,users", "email_verified": "true", "token_use": "id"} {
		if got[name] != value {
			t.Errorf("claim %s is %q, want %q", name, got[name], value)
		}
	}
}

const allowAll = `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"*"}]},"context":{"n":1,"b":true,"s":"text"}}`

func policyOf(effect, resource string) string {
	return `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"` + effect + `","Resource":"` + resource + `"}]}}`
}

func TestRESTTokenAuthorizer(t *testing.T) {
	f := memoryREST(t)
	with := f.authorizer(&v1.CreateAuthorizerRequest{Type: "TOKEN", IdentitySource: shape.Ptr("method.request.header.Authorization"), AuthorizerResultTtlInSeconds: shape.Ptr[int64](60),
		IdentityValidationExpression: shape.Ptr("[a-z]+[0-9]*")})
	f.method("GET /a", with, nil)
	f.method("GET /b", with, nil)
	f.deploy()
	says := func(s string) func(map[string]any) (string, string, error) {
		return func(map[string]any) (string, string, error) { return s, "", nil }
	}
	here := "arn:aws:execute-api:us-east-1:123456789012:" + f.api
	fault := `{"message":null}`
	for _, tt := range []struct {
		name    string
		says    func(map[string]any) (string, string, error)
		status  int
		typ     string
		body    string
		unasked bool
		token   string
	}{
		{name: "allow", says: says(allowAll), status: 200, body: "Hello"},
		{name: "allow by pattern", says: says(policyOf("Allow", here+"/*/GET/a")), status: 200, body: "Hello"},
		{name: "another method", says: says(policyOf("Allow", here+"/prod/POST/*")), status: 403, typ: "AccessDeniedException", body: `{"Message":"User is not authorized to access this resource"}`},
		{name: "deny", says: says(policyOf("Deny", "*")), status: 403, typ: "AccessDeniedException", body: `{"Message":"User is not authorized to access this resource with an explicit deny"}`},
		{name: "Unauthorized", says: func(map[string]any) (string, string, error) {
			return `{"errorMessage":"Unauthorized","errorType":"Error"}`, "Unhandled", nil
		}, status: 401, typ: unauthorizedType, body: unauthorized},
		{name: "another error", says: func(map[string]any) (string, string, error) {
			return `{"errorMessage":"Error: Invalid token"}`, "Unhandled", nil
		}, status: 500, typ: "AuthorizerConfigurationException", body: fault},
		{name: "too slow", says: func(map[string]any) (string, string, error) { return "", "", context.DeadlineExceeded }, status: 500, typ: "AuthorizerConfigurationException", body: fault},
		{name: "gone", says: func(map[string]any) (string, string, error) { return "", "", errors.New("gone") }, status: 500, typ: "AuthorizerConfigurationException", body: fault},
		{name: "no token", says: says(allowAll), status: 401, typ: unauthorizedType, body: unauthorized, unasked: true, token: " "},
		{name: "token of another form", says: says(allowAll), status: 401, typ: unauthorizedType, body: unauthorized, unasked: true, token: "A B"},
	} {
		f.authorize, f.asked = tt.says, 0
		token := tt.token
		if token == "" {
			token = strings.ReplaceAll(strings.ToLower(tt.name), " ", "")
		}
		w, tr := f.call("GET", "/prod/a", "", "Authorization: "+strings.TrimSpace(token))
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("X-Amzn-Errortype") != tt.typ || (f.asked == 0) != tt.unasked {
			t.Errorf("%s: %d %s %s, asked %d times, trace %+v", tt.name, w.Code, w.Body, w.Header(), f.asked, tr.Steps)
		}
	}
	// Nonsense.
	for i, s := range []string{"", "null", "1", "[]", "{}", `{"principalId":"me"}`, `{"policyDocument":{"Version":"2012-10-17","Statement":[]}}`, `{"principalId":"me","policyDocument":"*"}`,
		`{"principalId":"me","policyDocument":{"Statement":[{"Effect":"Maybe","Action":"*","Resource":"*"}]}}`, `{"principalId":1,"policyDocument":{}}`,
		strings.Replace(allowAll, `"n":1`, `"n":{"deep":1}`, 1), strings.Replace(allowAll, `"n":1`, `"n":[1]`, 1), strings.Repeat("[", 100_000)} {
		f.authorize = says(s)
		w, _ := f.call("GET", "/prod/a", "", "Authorization: nonsense"+string(rune('0'+i%10))+string(rune('0'+i/10)))
		if w.Code != 500 || w.Body.String() != fault {
			t.Errorf("%.60s: %d %s", s, w.Code, w.Body)
		}
	}
	// The event, and what the function sees.
	f.authorize = says(allowAll)
	f.call("GET", "/prod/a?x=1", "", "Authorization: fresh")
	if got, want := string(f.asking), `{"type":"TOKEN","methodArn":"`+here+`/prod/GET/a","authorizationToken":"fresh"}`; got != want {
		t.Errorf("%s\n%s", got, want)
	}
	var e struct {
		RequestContext struct{ Authorizer map[string]any }
	}
	f.check(json.Unmarshal(f.event, &e))
	if d := cmp.Diff(map[string]any{"principalId": "me", "n": "1", "b": "true", "s": "text", "integrationLatency": 0.0}, e.RequestContext.Authorizer); d != "" {
		t.Error(d)
	}
	// Results are kept by token; the policy is evaluated each time.
	f.authorize, f.asked = says(policyOf("Allow", here+"/prod/GET/a")), 0
	for _, tt := range []struct {
		path, token string
		status      int
		asked       int
	}{{"/a", "one", 200, 1}, {"/a", "one", 200, 1}, {"/b", "one", 403, 1}, {"/a", "two", 200, 2}} {
		w, _ := f.call("GET", "/prod"+tt.path, "", "Authorization: "+tt.token)
		if w.Code != tt.status || f.asked != tt.asked {
			t.Errorf("%s %s: %d, asked %d times", tt.path, tt.token, w.Code, f.asked)
		}
	}
	f.now = f.now.Add(60 * time.Second)
	if f.call("GET", "/prod/a", "", "Authorization: one"); f.asked != 3 {
		t.Error("a result was kept too long")
	}
}

// TestRESTRequestAuthorizer compares the event with AWS's example, and tries to be taken for somebody else.
func TestRESTRequestAuthorizer(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /request/{id}", f.authorizer(&v1.CreateAuthorizerRequest{Type: "REQUEST", AuthorizerResultTtlInSeconds: shape.Ptr[int64](300),
		IdentitySource: shape.Ptr("method.request.header.HeaderAuth1, method.request.querystring.QueryString1, stageVariables.StageVar1, context.httpMethod")}), nil)
	f.method("GET /always", f.authorizer(&v1.CreateAuthorizerRequest{Name: "always", Type: "REQUEST", AuthorizerResultTtlInSeconds: shape.Ptr[int64](0)}), nil)
	f.deploy()
	f.patchStage("replace /variables/StageVar1 stageValue1")
	f.authorize = func(map[string]any) (string, string, error) { return allowAll, "", nil }
	w, _ := f.call("GET", "/prod/request/7?QueryString1=queryValue1", "", "HeaderAuth1: headerValue1")
	want(t, w, 200, "Hello")
	var e map[string]any
	f.check(json.Unmarshal(f.asking, &e))
	ctx := e["requestContext"].(map[string]any)
	for name, want := range map[string]any{"type": "REQUEST", "methodArn": "arn:aws:execute-api:us-east-1:123456789012:" + f.api + "/prod/GET/request/7", "resource": "/request/{id}", "path": "/request/7",
		"httpMethod": "GET", "queryStringParameters": map[string]any{"QueryString1": "queryValue1"}, "pathParameters": map[string]any{"id": "7"}, "stageVariables": map[string]any{"StageVar1": "stageValue1"}} {
		if d := cmp.Diff(want, e[name]); d != "" {
			t.Error(name, d)
		}
	}
	if h := e["headers"].(map[string]any); h["Headerauth1"] != "headerValue1" || ctx["path"] != "/prod/request/7" || ctx["stage"] != "prod" || ctx["identity"].(map[string]any)["sourceIp"] != "203.0.113.7" {
		t.Errorf("%s", f.asking)
	}
	if _, there := ctx["authorizer"]; there {
		t.Error("the event has an authorizer")
	}
	f.asked = 0
	for _, tt := range []struct {
		query, header string
		status        int
	}{{"QueryString1=queryValue1", "headerValue1", 200}, {"QueryString1=", "headerValue1", 401}, {"", "headerValue1", 401}, {"QueryString1=queryValue1", "", 401}} {
		if w, _ := f.call("GET", "/prod/request/7?"+tt.query, "", "HeaderAuth1: "+tt.header); w.Code != tt.status {
			t.Errorf("%+v: %d", tt, w.Code)
		}
	}
	if f.asked != 0 {
		t.Error("asked again", f.asked)
	}
	// One identity is never another's: the parts are not run together, nor is a second value left out.
	for i, tt := range [][2]string{{"QueryString1=b", "ab"}, {"QueryString1=bb", "a"}, {"QueryString1=b&QueryString1=c", "ab"}, {"QueryString1=c&QueryString1=b", "ab"}, {"QueryString1=b,c", "ab2"}} {
		f.call("GET", "/prod/request/7?"+tt[0], "", "HeaderAuth1: "+tt[1])
		if f.asked != i+1 {
			t.Errorf("%v was taken for another", tt)
		}
	}
	f.asked = 0
	f.call("GET", "/prod/always", "")
	if w, _ = f.call("GET", "/prod/always", ""); w.Code != 200 || f.asked != 2 {
		t.Error("with a TTL of 0 the function is always asked", w.Code, f.asked)
	}
}

func TestRESTIAM(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /x", func(m *v1.PutMethodRequest) { m.AuthorizationType = "AWS_IAM" }, nil)
	f.deploy()
	k := f.rootKey()
	do := func(k key, change func(string) string) *httptest.ResponseRecorder {
		req := f.signed(k, "GET", "/prod/x", "")
		if change != nil {
			req.Header.Set("Authorization", change(req.Header.Get("Authorization")))
		}
		w := httptest.NewRecorder()
		f.g.Serve(w, req, Target{APIID: f.api, Path: "/prod/x"})
		return w
	}
	want(t, do(k, nil), 200, "Hello")
	var e struct {
		RequestContext struct{ Identity map[string]any }
	}
	f.check(json.Unmarshal(f.event, &e))
	if id := e.RequestContext.Identity; id["accountId"] != "123456789012" || id["accessKey"] != k.id || id["userArn"] != "arn:aws:iam::123456789012:root" || id["caller"] == nil || id["user"] == nil {
		t.Errorf("%v", id)
	}
	w, _ := f.call("GET", "/prod/x", "")
	refused(t, w, 403, missingType, missingToken)
	w = do(key{id: "AKIAIOSFODNN7EXAMPLE", secret: "x"}, nil)
	refused(t, w, 403, "UnrecognizedClientException", `{"message":"The security token included in the request is invalid."}`)
	w = do(key{id: k.id, secret: "wrong"}, nil)
	if w.Code != 403 || w.Header().Get("X-Amzn-Errortype") != "InvalidSignatureException" || !strings.HasPrefix(w.Body.String(), `{"message":"The request signature we calculated does not match`) {
		t.Errorf("%d %s %s", w.Code, w.Header(), w.Body)
	}
	arn, id := f.role("caller", "lambda.amazonaws.com", `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:*:*/prod/POST/*"}`)
	guest := f.identity("caller", arn, id, nil)
	w = do(guest, nil)
	if w.Code != 403 || w.Header().Get("X-Amzn-Errortype") != "AccessDeniedException" ||
		!strings.HasPrefix(w.Body.String(), `{"Message":"User: arn:aws:sts::123456789012:assumed-role/caller/CognitoIdentityCredentials is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:`+f.api+`/prod/GET/x`) {
		t.Errorf("%d %s %s", w.Code, w.Header(), w.Body)
	}

	f.rolePolicy("caller", `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:*:`+f.api+`/prod/GET/x"}`)
	want(t, do(guest, nil), 200, "Hello")
	e.RequestContext.Identity = nil
	f.check(json.Unmarshal(f.event, &e))
	if d := cmp.Diff(map[string]any{"cognitoIdentityPoolId": "us-east-1:pool", "cognitoIdentityId": "us-east-1:me", "cognitoAuthenticationType": "authenticated",
		"cognitoAuthenticationProvider": "cognito-idp.us-east-1.amazonaws.com/us-east-1_A,cognito-idp.us-east-1.amazonaws.com/us-east-1_A:CognitoSignIn:3f4e",
		"accountId":                     "123456789012", "accessKey": guest.id, "caller": id + ":CognitoIdentityCredentials", "user": id + ":CognitoIdentityCredentials",
		"userArn": "arn:aws:sts::123456789012:assumed-role/caller/CognitoIdentityCredentials", "sourceIp": "203.0.113.7", "userAgent": nil, "principalOrgId": nil}, e.RequestContext.Identity); d != "" {
		t.Error(d)
	}
}

func TestRESTResourcePolicy(t *testing.T) {
	f := memoryREST(t)
	f.method("GET /open", nil, nil)
	f.method("GET /token", f.authorizer(&v1.CreateAuthorizerRequest{Type: "TOKEN", IdentitySource: shape.Ptr("method.request.header.Authorization"), AuthorizerResultTtlInSeconds: shape.Ptr[int64](0)}), nil)
	f.method("GET /iam", func(m *v1.PutMethodRequest) { m.AuthorizationType = "AWS_IAM" }, nil)
	f.authorize = func(map[string]any) (string, string, error) { return allowAll, "", nil }
	set := func(statements string) {
		_, err := f.rest.UpdateRestApi(f.ctx, &v1.UpdateRestApiRequest{RestApiId: f.api, PatchOperations: patches(`replace /policy {"Version":"2012-10-17","Statement":[` + statements + `]}`)})
		f.check(err)
		f.deploy()
	}
	const allow = `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}`
	for _, tt := range []struct {
		name, statements string
		open, token      int
	}{
		{"anybody", allow, 200, 200},
		{"from elsewhere", allow + `,{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"NotIpAddress":{"aws:SourceIp":"198.51.100.0/24"}}}`, 403, 403},
		{"from here", `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}`, 200, 200},
		{"nobody", `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/POST/*"}`, 403, 200},
	} {
		set(tt.statements)
		f.asked = 0
		w, tr := f.call("GET", "/prod/open", "", "X-Forwarded-For: 198.51.100.1")
		if w.Code != tt.open {
			t.Errorf("%s: %d %s %+v", tt.name, w.Code, w.Body, tr.Steps)
		}
		if w.Code == 403 && !strings.HasPrefix(w.Body.String(), `{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:`+f.api+`/prod/GET/open`) {
			t.Error(w.Body)
		}
		w, tr = f.call("GET", "/prod/token", "", "Authorization: x")
		if w.Code != tt.token || (f.asked > 0) != (tt.token == 200) {
			t.Errorf("%s: with a token %d %s, asked %d times, %+v", tt.name, w.Code, w.Body, f.asked, tr.Steps)
		}
	}
}

// TestRESTKeys holds plans against load, on both engines.
func TestRESTKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := startREST(t, db)
		f.method("GET /x", func(in *v1.PutMethodRequest) { in.ApiKeyRequired = shape.Ptr(true) }, nil)
		f.deploy()
		newKey := func(name string) *v1.ApiKey {
			k, err := f.rest.CreateApiKey(f.ctx, &v1.CreateApiKeyRequest{Name: &name, Enabled: shape.Ptr(true)})
			f.check(err)
			return k
		}
		plan := func(key *v1.ApiKey, in *v1.CreateUsagePlanRequest) string {
			in.ApiStages = []v1.ApiStage{{ApiId: &f.api, Stage: shape.Ptr("prod")}}
			p, err := f.rest.CreateUsagePlan(f.ctx, in)
			f.check(err)
			_, err = f.rest.CreateUsagePlanKey(f.ctx, &v1.CreateUsagePlanKeyRequest{UsagePlanId: *p.Id, KeyId: *key.Id, KeyType: "API_KEY"})
			f.check(err)
			return *p.Id
		}
		const typ, body = "ForbiddenException", `{"message":"Forbidden"}`
		w, _ := f.call("GET", "/prod/x", "")
		refused(t, w, 403, typ, body)
		w, _ = f.call("GET", "/prod/x", "", "X-Api-Key: nobodys-key-at-all-0000")
		refused(t, w, 403, typ, body)
		loose := newKey("loose")
		w, _ = f.call("GET", "/prod/x", "", "X-Api-Key: "+*loose.Value)
		refused(t, w, 403, typ, body)

		limited := newKey("limited")
		id := plan(limited, &v1.CreateUsagePlanRequest{Name: "limited", Quota: &v1.QuotaSettings{Limit: shape.Ptr[int64](50), Period: shape.Ptr("DAY")}})
		// Under load the quota holds to the request.
		quiet := f.g.Options
		quiet.Recorder, quiet.Invoker = nil, invokerFunc(func(context.Context, string, []byte) ([]byte, string, error) {
			return []byte(`{"statusCode":200}`), "", nil
		})
		loaded := New(quiet)
		var let, refusedN atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					w := httptest.NewRecorder()
					loaded.Serve(w, f.request("GET", "/prod/x", "", "X-Api-Key: "+*limited.Value), Target{APIID: f.api, Path: "/prod/x"})
					switch w.Code {
					case 200:
						let.Add(1)
					case 429:
						refusedN.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if let.Load() != 50 || refusedN.Load() != 110 {
			t.Errorf("%d were let in, %d refused", let.Load(), refusedN.Load())
		}
		// What was used is written, and counts for another gateway.
		loaded.rest.meters.flush()
		w, _ = f.call("GET", "/prod/x", "", "X-Api-Key: "+*limited.Value)
		refused(t, w, 429, "LimitExceededException", `{"message":"Limit Exceeded"}`)
		_, err := f.rest.UpdateUsage(f.ctx, &v1.UpdateUsageRequest{UsagePlanId: id, KeyId: *limited.Id, PatchOperations: patches("replace /remaining 1")})
		f.check(err)
		waitFor(t, func() bool {
			w, _ := f.call("GET", "/prod/x", "", "X-Api-Key: "+*limited.Value)
			return w.Code == 200
		})
		f.now = f.now.Add(24 * time.Hour)
		w, _ = f.call("GET", "/prod/x", "", "X-Api-Key: "+*limited.Value)
		if w.Code != 200 {
			t.Error("the next day:", w.Code)
		}

		fast := newKey("fast")
		plan(fast, &v1.CreateUsagePlanRequest{Name: "fast", Throttle: &v1.ThrottleSettings{RateLimit: shape.Ptr(1.0), BurstLimit: shape.Ptr[int64](3)}})
		for i := range 5 {
			w, _ := f.call("GET", "/prod/x", "", "X-Api-Key: "+*fast.Value)
			if i >= 3 {
				refused(t, w, 429, "TooManyRequestsException", `{"message":"Too Many Requests"}`)
			} else if w.Code != 200 {
				t.Error(w.Code)
			}
		}
		_, err = f.rest.UpdateApiKey(f.ctx, &v1.UpdateApiKeyRequest{ApiKey: *fast.Id, PatchOperations: patches("replace /enabled false")})
		f.check(err)
		waitFor(t, func() bool {
			w, _ := f.call("GET", "/prod/x", "", "X-Api-Key: "+*fast.Value)
			return w.Code == 403
		})
	})
}

// waitFor waits for what a database's notice brings about.
func waitFor(t *testing.T, f func() bool) {
	t.Helper()
	for range 100 {
		if f() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("it did not come about")
}

// TestRESTKeyOfAuthorizer takes the key from the authorizer's answer.
func TestRESTKeyOfAuthorizer(t *testing.T) {
	f := memoryREST(t)
	with := f.authorizer(&v1.CreateAuthorizerRequest{Type: "TOKEN", IdentitySource: shape.Ptr("method.request.header.Authorization")})
	f.method("GET /x", func(in *v1.PutMethodRequest) { with(in); in.ApiKeyRequired = shape.Ptr(true) }, nil)
	_, err := f.rest.UpdateRestApi(f.ctx, &v1.UpdateRestApiRequest{RestApiId: f.api, PatchOperations: patches("replace /apiKeySource AUTHORIZER")})
	f.check(err)
	f.deploy()
	k, err := f.rest.CreateApiKey(f.ctx, &v1.CreateApiKeyRequest{Enabled: shape.Ptr(true), Name: shape.Ptr("k")})
	f.check(err)
	p, err := f.rest.CreateUsagePlan(f.ctx, &v1.CreateUsagePlanRequest{Name: "p", ApiStages: []v1.ApiStage{{ApiId: &f.api, Stage: shape.Ptr("prod")}}})
	f.check(err)
	_, err = f.rest.CreateUsagePlanKey(f.ctx, &v1.CreateUsagePlanKeyRequest{UsagePlanId: *p.Id, KeyId: *k.Id, KeyType: "API_KEY"})
	f.check(err)
	f.authorize = func(e map[string]any) (string, string, error) {
		if e["authorizationToken"] == "keyless" {
			return allowAll, "", nil
		}
		return strings.Replace(allowAll, "{", `{"usageIdentifierKey":"`+*k.Value+`",`, 1), "", nil
	}
	w, _ := f.call("GET", "/prod/x", "", "Authorization: keyless", "X-Api-Key: "+*k.Value)
	refused(t, w, 403, "ForbiddenException", `{"message":"Forbidden"}`)
	w, tr := f.call("GET", "/prod/x", "", "Authorization: good")
	want(t, w, 200, "Hello")
	noToken(t, tr, *k.Value)
}

package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
)

// key is what somebody signs with.
type key struct{ id, secret, token string }

func (f *fixture) rootKey() key {
	f.t.Helper()
	id, secret, err := f.iam.RootKey(f.ctx)
	f.check(err)
	return key{id: id, secret: secret.Reveal()}
}

// role makes a role that the service may assume, with statements as its policy, and returns its ARN and id.
func (f *fixture) role(name, service, statements string) (arn, id string) {
	f.t.Helper()
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`
	out, err := f.iam.CreateRole(f.ctx, &iamapi.CreateRoleRequest{RoleName: name, AssumeRolePolicyDocument: trust})
	f.check(err)
	f.rolePolicy(name, statements)
	return out.Role.Arn, out.Role.RoleId
}

func (f *fixture) rolePolicy(name, statements string) {
	f.t.Helper()
	_, err := f.iam.PutRolePolicy(f.ctx, &iamapi.PutRolePolicyRequest{RoleName: name, PolicyName: "p", PolicyDocument: `{"Version":"2012-10-17","Statement":[` + statements + `]}`})
	f.check(err)
}

// identity makes credentials of the role as an identity pool does.
func (f *fixture) identity(name, arn, id string, more func(*session.Session)) key {
	f.t.Helper()
	s := &session.Session{Type: policy.RoleSession, Account: "123456789012", OwnerARN: arn, OwnerID: id, OwnerName: name, Name: "CognitoIdentityCredentials",
		Issued: testNow.Unix(), Expires: testNow.Unix() + 3600, Provider: "cognito-identity.amazonaws.com",
		Context: map[string][]string{"cognito-identity.amazonaws.com:aud": {"us-east-1:pool"}, "cognito-identity.amazonaws.com:sub": {"us-east-1:me"},
			"cognito-identity.amazonaws.com:amr": {"authenticated", "cognito-idp.us-east-1.amazonaws.com/us-east-1_A", "cognito-idp.us-east-1.amazonaws.com/us-east-1_A:CognitoSignIn:3f4e"}}}
	if more != nil {
		more(s)
	}
	c, err := f.iam.Sessions.Issue(s)
	f.check(err)
	return key{c.AccessKey, c.Secret.Reveal(), c.Token}
}

// signed makes a request that k has signed for an API in us-east-1.
func (f *fixture) signed(k key, method, target, body string, headers ...string) *http.Request {
	f.t.Helper()
	return f.signedAs(k, "execute-api", "us-east-1", testNow, method, target, body, headers...)
}

func (f *fixture) signedAs(k key, service, region string, at time.Time, method, target, body string, headers ...string) *http.Request {
	f.t.Helper()
	r := f.request(method, target, body, headers...)
	sigv4.Sign(r, sigv4.PayloadHash([]byte(body)), k.id, k.secret, k.token, service, region, at)
	return r
}

func (f *fixture) iamRoute(in *v2.CreateRouteRequest) { in.AuthorizationType = shape.Ptr("AWS_IAM") }

const forbidden = `{"message":"Forbidden"}`

func invokePath(path string) string {
	return `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:123456789012:*/$default/` + path + `"}`
}

func TestIAM(t *testing.T) {
	f := start(t)
	f.stage("prod", nil)
	for _, route := range []string{"GET /private", "POST /private", "GET /other", "ANY /files/{p+}"} {
		f.function(route, "2.0", f.iamRoute)
	}
	root := f.rootKey()
	arn, id := f.role("member", "x.amazonaws.com", invokePath("*/private")+","+invokePath("GET/files/a b/*"))
	member := f.identity("member", arn, id, nil)
	bare := f.identity("member", arn, id, func(s *session.Session) {
		s.Policies = []string{`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`}
	})
	old := f.identity("member", arn, id, func(s *session.Session) { s.Issued -= 7200; s.Expires = testNow.Unix() - 1 })
	goneARN, goneID := f.role("gone", "x.amazonaws.com", invokePath("*"))
	gone := f.identity("gone", goneARN, goneID, nil)
	_, err := f.iam.DeleteRolePolicy(f.ctx, &iamapi.DeleteRolePolicyRequest{RoleName: "gone", PolicyName: "p"})
	f.check(err)
	_, err = f.iam.DeleteRole(f.ctx, &iamapi.DeleteRoleRequest{RoleName: "gone"})
	f.check(err)

	edit := func(r *http.Request, change func(r *http.Request)) *http.Request { change(r); return r }
	presigned := func(k key, expires time.Duration, at time.Time) *http.Request {
		r := f.request("GET", "/private?a=1", "")
		r.RequestURI = "" // it is still to be sent
		sigv4.Presign(r, sigv4.EmptyPayload, k.id, k.secret, k.token, "execute-api", "us-east-1", at, expires)
		r.RequestURI = r.URL.RequestURI()
		return r
	}
	other := func(target string, r *http.Request) *http.Request { // r's signature on another request
		out := f.request("GET", target, "")
		out.Header = r.Header
		return out
	}
	for _, test := range []struct {
		name   string
		req    *http.Request
		status int
		step   string // that failed
		detail string // of it
	}{
		{"root", f.signed(root, "GET", "/private", ""), 200, "", ""},
		{"member", f.signed(member, "GET", "/private", ""), 200, "", ""},
		{"member with a body", f.signed(member, "POST", "/private?b=2&a=1+x", `{"a":1}`, "Content-Type: application/json"), 200, "", ""},
		{"special characters", f.signed(member, "GET", "/files/a%20b/c%2Bd", ""), 200, "", ""},
		{"token not signed", edit(f.signed(key{member.id, member.secret, ""}, "GET", "/private", ""), func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", member.token) }), 200, "", ""},
		{"presigned", presigned(member, time.Minute, testNow.Add(-59*time.Second)), 200, "", ""},
		{"as the server's clock", f.signedAs(member, "execute-api", "us-east-1", testNow.Add(-299*time.Second), "GET", "/private", ""), 200, "", ""},

		{"unsigned", f.request("GET", "/private", ""), 403, "signature", "the request is not signed"},
		{"bearer", f.request("GET", "/private", "", "Authorization: Bearer x"), 403, "signature", ""},
		{"no permission", f.signed(member, "GET", "/other", ""), 403, "identity-based policy", "Resource"},
		{"another stage", f.signed(member, "GET", "/prod/private", ""), 403, "identity-based policy", "Resource"},
		{"another path below", f.signed(member, "GET", "/files/b/c", ""), 403, "identity-based policy", "Resource"},
		{"session policy", f.signed(bare, "GET", "/private", ""), 403, "session policy", "denies"},
		{"role is gone", f.signed(gone, "GET", "/private", ""), 403, "access key", ""},
		{"session is over", f.signed(old, "GET", "/private", ""), 403, "access key", "expired"},
		{"no token", f.signed(key{member.id, member.secret, ""}, "GET", "/private", ""), 403, "access key", "no session token"},
		{"another's token", f.signed(key{member.id, member.secret, bare.token}, "GET", "/private", ""), 403, "access key", ""},
		{"unknown key", f.signed(key{"AKIAAAAAAAAAAAAAAAAA", root.secret, ""}, "GET", "/private", ""), 403, "access key", ""},
		{"wrong secret", f.signed(key{root.id, root.secret + "x", ""}, "GET", "/private", ""), 403, "signature", "another secret"},
		{"another service", f.signedAs(member, "lambda", "us-east-1", testNow, "GET", "/private", ""), 403, "signature", "service: 'execute-api'"},
		{"another region", f.signedAs(member, "execute-api", "eu-west-1", testNow, "GET", "/private", ""), 403, "signature", "another region"},
		{"old", f.signedAs(member, "execute-api", "us-east-1", testNow.Add(-301*time.Second), "GET", "/private", ""), 403, "signature", "Signature expired"},
		{"early", f.signedAs(member, "execute-api", "us-east-1", testNow.Add(301*time.Second), "GET", "/private", ""), 403, "signature", "not yet current"},
		{"presigned and over", presigned(member, time.Minute, testNow.Add(-61*time.Second)), 403, "signature", "Signature expired"},
		{"presigned for too long", presigned(member, 8*24*time.Hour, testNow), 403, "signature", "X-Amz-Expires"},
		{"body changed", edit(f.signed(member, "POST", "/private", "abc", "X-Amz-Content-Sha256: "+sigv4.PayloadHash([]byte("abc"))), func(r *http.Request) {
			r.Body = f.request("POST", "/", "abd").Body
		}), 403, "signature", "the body is not the one that was signed"},
		{"body added", edit(f.signed(member, "GET", "/private", ""), func(r *http.Request) {
			b := f.request("GET", "/", "abc")
			r.Body, r.ContentLength = b.Body, b.ContentLength
		}), 403, "signature", ""},
		{"replayed on a path", other("/files/a%20b/c", f.signed(member, "GET", "/private", "")), 403, "signature", ""},
		{"replayed on a stage", other("/prod/private", f.signed(root, "GET", "/private", "")), 403, "signature", ""},
		{"replayed with a query", other("/private?a=1", f.signed(member, "GET", "/private", "")), 403, "signature", ""},
		{"replayed with another method", edit(f.signed(member, "GET", "/private", ""), func(r *http.Request) { r.Method = "POST" }), 403, "signature", ""},
		{"replayed on a host", edit(f.signed(member, "GET", "/private", ""), func(r *http.Request) { r.Host = "other.example" }), 403, "signature", ""},
		{"behind a proxy", edit(f.signed(member, "GET", "/private", ""), func(r *http.Request) {
			r.Host = "inner"
			r.Header.Set("X-Forwarded-Host", "127.0.0.1:4566")
		}), 403, "signature", "a proxy has changed the host"},
		{"two signatures", edit(f.signed(member, "GET", "/private", ""), func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }), 403, "signature", "Only one auth mechanism"},
		{"signature and bearer", edit(f.signed(member, "GET", "/private", ""), func(r *http.Request) {
			r.Header["Authorization"] = append([]string{"Bearer x"}, r.Header["Authorization"]...)
		}), 403, "signature", ""},
		{"header and query", edit(presigned(member, time.Minute, testNow), func(r *http.Request) {
			r.Header = f.signed(member, "GET", "/private?a=1", "").Header
		}), 403, "signature", "Only one auth mechanism"},
		{"a signed header twice", edit(f.signed(member, "GET", "/private", "", "X-Amz-Meta: a"), func(r *http.Request) { r.Header.Add("X-Amz-Meta", "b") }), 403, "signature", ""},
		{"a header smuggled into another", edit(f.signed(member, "GET", "/private", "", "X-Amz-Meta: a"), func(r *http.Request) { r.Header.Set("X-Amz-Meta", "a\nx-amz-other:b") }), 403, "signature", ""},
		{"host left unsigned", edit(f.signed(member, "GET", "/private", ""), func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "SignedHeaders=host;", "SignedHeaders=", 1))
		}), 403, "signature", "'Host'"},
		{"two dates", edit(f.signed(member, "GET", "/private", ""), func(r *http.Request) {
			r.Header["X-Amz-Date"] = append(r.Header["X-Amz-Date"], "20270101T000000Z")
		}), 403, "signature", ""},
		{"unsigned payload", edit(f.signed(member, "GET", "/private", ""), func(r *http.Request) {
			r.Header.Del("X-Amz-Date")
			r.Header.Set("X-Amz-Content-Sha256", sigv4.UnsignedPayload)
			sigv4.Sign(r, sigv4.UnsignedPayload, member.id, member.secret, member.token, "execute-api", "us-east-1", testNow)
		}), 403, "signature", "only S3 takes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, tr := f.do(test.req)
			body := "Hello"
			if test.status == 403 {
				body = forbidden
			}
			want(t, w, test.status, body)
			if s := failed(tr); s.Name != test.step || !strings.Contains(s.Detail, test.detail) {
				t.Errorf("failed step is %+v, want %s: %s", s, test.step, test.detail)
			}
			if h := w.Header(); h.Get("Www-Authenticate") != "" || test.status == 403 && h.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v", h)
			}
			text, err := json.Marshal(tr)
			f.check(err)
			for _, k := range []key{root, member, bare, old, gone} {
				if bytes.Contains(text, []byte(k.secret)) || k.token != "" && bytes.Contains(text, []byte(k.token[:40])) {
					t.Errorf("the trace holds a secret: %s", text)
				}
			}
		})
	}

	// A change of a policy counts at once, for credentials that are out.
	f.rolePolicy("member", `{"Effect":"Allow","Action":"execute-api:*","Resource":"*"},{"Sid":"No","Effect":"Deny","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/POST/*"}`)
	w, _ := f.do(f.signed(member, "GET", "/other", ""))
	want(t, w, 200, "Hello")
	w, tr := f.do(f.signed(member, "POST", "/private", ""))
	want(t, w, 403, forbidden)
	if s := failed(tr); !strings.Contains(s.Detail, "statement No") {
		t.Errorf("failed step is %+v", s)
	}
	f.rolePolicy("member", `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"},`+
		`"StringEquals":{"cognito-identity.amazonaws.com:sub":"us-east-1:me","aws:UserAgent":"curl/8"},"Bool":{"aws:SecureTransport":"false"},"DateGreaterThan":{"aws:CurrentTime":"2026-11-21T11:59:59Z"}}}`)
	w, _ = f.do(f.signed(member, "GET", "/other", "", "User-Agent: curl/8"))
	want(t, w, 200, "Hello")
	w, tr = f.do(f.signed(member, "GET", "/other", "", "User-Agent: curl/9"))
	want(t, w, 403, forbidden)
	if s := failed(tr); !strings.Contains(s.Detail, "aws:UserAgent") || s.Got != "curl/9" {
		t.Errorf("failed step is %+v", s)
	}
}

// A changed byte anywhere in what is signed, or in the signature, is refused.
func TestIAMChangedBytes(t *testing.T) {
	f := start(t)
	f.function("ANY /{p+}", "2.0", f.iamRoute)
	root := f.rootKey()
	good := func() *http.Request {
		return f.signed(root, "POST", "/private/7?a=1&b=x%20y", "body text", "Content-Type: application/json", "X-Amz-Meta: some value")
	}
	w, _ := f.do(good())
	want(t, w, 200, "Hello")
	flip := func(s string, i int) string {
		b := []byte(s)
		b[i] ^= 1
		return string(b)
	}
	refused := func(what string, r *http.Request) {
		t.Helper()
		if r.URL == nil {
			return
		}
		if w, _ := f.do(r); w.Code == 200 {
			t.Errorf("let in with %s", what)
		}
	}
	for _, name := range []string{"Content-Type", "X-Amz-Meta", "X-Amz-Date"} {
		v := good().Header.Get(name)
		for i := range v {
			r := good()
			r.Header.Set(name, flip(v, i))
			refused(fmt.Sprintf("%s %q", name, r.Header.Get(name)), r)
		}
	}
	auth := good().Header.Get("Authorization")
	for i := range auth {
		r := good()
		r.Header.Set("Authorization", flip(auth, i))
		refused("Authorization "+r.Header.Get("Authorization"), r)
	}
	for i := range "body text" {
		r := good()
		r.Body = f.request("POST", "/", flip("body text", i)).Body
		refused("another body", r)
	}
	uri := good().RequestURI
	for i := 1; i < len(uri); i++ {
		changed := flip(uri, i)
		if strings.ContainsAny(changed, " #\x7f") || changed == uri {
			continue
		}
		r := good()
		r.RequestURI = changed
		u, err := r.URL.Parse(changed)
		if err != nil {
			continue
		}
		r.URL = u
		refused("URI "+changed, r)
	}
}

func TestIAMEvents(t *testing.T) {
	f := start(t)
	f.function("GET /two", "2.0", f.iamRoute)
	f.function("GET /one", "1.0", f.iamRoute)
	arn, id := f.role("auth", "x.amazonaws.com", invokePath("*"))
	member := f.identity("auth", arn, id, nil)
	root := f.rootKey()
	session := "arn:aws:sts::123456789012:assumed-role/auth/CognitoIdentityCredentials"
	get := func(r *http.Request) (context map[string]any, headers map[string]any) {
		t.Helper()
		w, _ := f.do(r)
		want(t, w, 200, "Hello")
		var event struct {
			Headers, RequestContext map[string]any
		}
		f.check(json.Unmarshal(f.event, &event))
		return event.RequestContext, event.Headers
	}
	r := f.signed(member, "GET", "/two", "")
	context, headers := get(r)
	if diff := cmp.Diff(map[string]any{"iam": map[string]any{
		"accessKey": member.id, "accountId": "123456789012", "callerId": id + ":CognitoIdentityCredentials",
		"cognitoIdentity": map[string]any{"amr": []any{"authenticated", "cognito-idp.us-east-1.amazonaws.com/us-east-1_A", "cognito-idp.us-east-1.amazonaws.com/us-east-1_A:CognitoSignIn:3f4e"},
			"identityId": "us-east-1:me", "identityPoolId": "us-east-1:pool"},
		"principalOrgId": "aws:PrincipalOrgID", "userArn": session, "userId": id + ":CognitoIdentityCredentials",
	}}, context["authorizer"]); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		if headers[strings.ToLower(name)] != r.Header.Get(name) {
			t.Errorf("header %s is %v", name, headers[strings.ToLower(name)])
		}
	}
	context, _ = get(f.signed(root, "GET", "/two", ""))
	if diff := cmp.Diff(map[string]any{"iam": map[string]any{
		"accessKey": root.id, "accountId": "123456789012", "callerId": "123456789012", "cognitoIdentity": nil,
		"principalOrgId": "aws:PrincipalOrgID", "userArn": "arn:aws:iam::123456789012:root", "userId": "123456789012",
	}}, context["authorizer"]); diff != "" {
		t.Error(diff)
	}
	context, _ = get(f.signed(member, "GET", "/one", "", "User-Agent: curl/8"))
	if diff := cmp.Diff(map[string]any{
		"accessKey": member.id, "accountId": "123456789012", "caller": id + ":CognitoIdentityCredentials", "cognitoAmr": nil,
		"cognitoAuthenticationProvider": "cognito-idp.us-east-1.amazonaws.com/us-east-1_A,cognito-idp.us-east-1.amazonaws.com/us-east-1_A:CognitoSignIn:3f4e",
		"cognitoAuthenticationType":     "authenticated", "cognitoIdentityId": "us-east-1:me", "cognitoIdentityPoolId": "us-east-1:pool",
		"principalOrgId": "aws:PrincipalOrgID", "sourceIp": "203.0.113.7", "user": id + ":CognitoIdentityCredentials", "userAgent": "curl/8", "userArn": session,
	}, context["identity"]); diff != "" {
		t.Error(diff)
	}
	context, _ = get(f.signed(root, "GET", "/one", ""))
	identity := context["identity"].(map[string]any)
	if identity["cognitoIdentityId"] != nil || identity["cognitoAuthenticationType"] != nil || identity["accessKey"] != root.id {
		t.Errorf("identity %v", identity)
	}
}

// The function is invoked as the integration says: by its own policy, by a role, or by the caller.
func TestIntegrationCredentials(t *testing.T) {
	f := start(t)
	f.permits = func(string) bool { return false }
	invoke := `{"Sid":"Call","Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"` + testFunction + `"}`
	good, _ := f.role("good", "apigateway.amazonaws.com", invoke)
	idle, _ := f.role("idle", "apigateway.amazonaws.com", invokePath("*"))
	foreign, _ := f.role("foreign", "lambda.amazonaws.com", invoke)
	arn, id := f.role("member", "x.amazonaws.com", invokePath("*")+","+invoke)
	member := f.identity("member", arn, id, nil)
	arn, id = f.role("weak", "x.amazonaws.com", invokePath("*"))
	weak := f.identity("weak", arn, id, nil)
	for path, credentials := range map[string]string{"none": "", "good": good, "idle": idle, "foreign": foreign, "missing": "arn:aws:iam::123456789012:role/missing", "caller": httpapis.CallerCredentials} {
		i, err := f.apis.CreateIntegration(f.ctx, &v2.CreateIntegrationRequest{ApiId: f.api, IntegrationType: "AWS_PROXY", IntegrationUri: shape.Ptr(testFunction),
			PayloadFormatVersion: shape.Ptr("2.0"), CredentialsArn: shape.Ptr(credentials)})
		f.check(err)
		f.route("GET /"+path, *i.IntegrationId, nil)
		f.route("GET /iam/"+path, *i.IntegrationId, f.iamRoute)
	}
	for _, test := range []struct {
		path   string
		by     key
		status int
		detail string
	}{
		{"/good", key{}, 200, ""},
		{"/iam/good", weak, 200, ""},
		{"/none", key{}, 500, "the function's resource policy does not let this API invoke it"},
		{"/idle", key{}, 500, "no statement allows lambda:InvokeFunction"},
		{"/foreign", key{}, 500, "Principal"},
		{"/missing", key{}, 500, "there is no such role"},
		{"/caller", key{}, 500, "the caller has none"},
		{"/iam/caller", member, 200, ""},
		{"/iam/caller", weak, 500, "no statement allows lambda:InvokeFunction"},
	} {
		r := f.request("GET", test.path, "")
		if test.by.id != "" {
			r = f.signed(test.by, "GET", test.path, "")
		}
		w, tr := f.do(r)
		body := "Hello"
		if test.status == 500 {
			body = internal
		}
		want(t, w, test.status, body)
		if s := failed(tr); !strings.Contains(s.Detail, test.detail) {
			t.Errorf("%s: failed step %+v, want %s", test.path, s, test.detail)
		}
	}
	var err error
	f.policy, err = policy.Compile(policy.Resource, "p", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"`+arn+`"},"Action":"lambda:InvokeFunction","Resource":"`+testFunction+`"}}`)
	f.check(err)
	w, _ := f.do(f.signed(weak, "GET", "/iam/caller", ""))
	want(t, w, 200, "Hello")
}

func TestIAMAccessLog(t *testing.T) {
	f := start(t)
	f.function("GET /a", "2.0", f.iamRoute)
	_, err := f.apis.UpdateStage(f.ctx, &v2.UpdateStageRequest{ApiId: f.api, StageName: "$default", AccessLogSettings: &v2.AccessLogSettings{
		DestinationArn: shape.Ptr("arn:aws:logs:us-east-1:123456789012:log-group:g"),
		Format: shape.Ptr(`$context.requestId $context.identity.accountId $context.identity.caller $context.identity.user $context.identity.userArn $context.identity.cognitoIdentityId ` +
			`$context.identity.cognitoIdentityPoolId $context.identity.cognitoAuthenticationType $context.identity.cognitoAuthenticationProvider $context.identity.principalOrgId $context.authorizer.error`)}})
	f.check(err)
	arn, id := f.role("auth", "x.amazonaws.com", invokePath("*"))
	w, _ := f.do(f.signed(f.identity("auth", arn, id, nil), "GET", "/a", ""))
	f.get("/a")
	user := id + ":CognitoIdentityCredentials"
	line := "g " + w.Header().Get("Apigw-Requestid") + " 123456789012 " + user + " " + user + " arn:aws:sts::123456789012:assumed-role/auth/CognitoIdentityCredentials us-east-1:me us-east-1:pool authenticated " +
		"cognito-idp.us-east-1.amazonaws.com/us-east-1_A,cognito-idp.us-east-1.amazonaws.com/us-east-1_A:CognitoSignIn:3f4e - -"
	if len(f.lines) != 2 || f.lines[0] != line || !strings.HasSuffix(f.lines[1], " - - - - - - - - - no signature") {
		t.Errorf("lines %q\nwant %q", f.lines, line)
	}
}

// An HTTP backend gets the body that the authorizer has read.
func TestIAMProxyBody(t *testing.T) {
	f := start(t)
	var got string
	f.g.transport = transport(func(r *http.Request) (*http.Response, error) {
		var b bytes.Buffer
		_, err := b.ReadFrom(r.Body)
		got = fmt.Sprint(b.String(), r.ContentLength)
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, err
	})
	f.backend("POST /a", "http://backend/", nil, f.iamRoute)
	w, _ := f.do(f.signed(f.rootKey(), "POST", "/a", "text"))
	if w.Code != 200 || got != "text4" {
		t.Errorf("%d, backend got %q", w.Code, got)
	}
	r := f.signed(f.rootKey(), "POST", "/a", strings.Repeat("a", maxBody+1))
	w, _ = f.do(r)
	want(t, w, 413, `{"message":"Request Entity Too Large"}`)
}

func BenchmarkAuthorizeIAM(b *testing.B) {
	f := start(b)
	f.function("GET /private", "2.0", f.iamRoute)
	arn, id := f.role("auth", "x.amazonaws.com", invokePath("*"))
	for i := range 500 { // that nobody asks about
		f.role(fmt.Sprint("other", i), "x.amazonaws.com", invokePath("*"))
	}
	k := f.identity("auth", arn, id, nil)
	req := f.signed(k, "GET", "/private", "")
	x := &httpExchange{exchange: exchange{g: f.g, r: req, w: &discard{http.Header{}}, t: Target{APIID: f.api, Path: "/private"}, start: testNow}}
	if !x.selectStage(f.g.kinds[len(f.g.kinds)-1].(*httpAPIs)) {
		b.Fatal("no stage")
	}
	x.route = &x.plan.routes[x.snap.Match("GET", "/private").Index]
	b.ReportAllocs()
	for b.Loop() {
		if !x.authorize(x.route.authorizer, x.path, x) {
			b.Fatal("refused")
		}
	}
}

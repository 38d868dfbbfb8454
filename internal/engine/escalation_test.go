package engine

import (
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
)

// signed makes a signed call and returns status and body as one text.
func (e *Engine) signed(t testing.TB, k key, service, method, path, target, body string) string {
	t.Helper()
	r := httptest.NewRequest(method, e.URL()+path, strings.NewReader(body))
	switch {
	case target != "":
		r.Header.Set("X-Amz-Target", target)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	case service == "iam" || service == "sts" || service == "cloudformation":
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	case service != "s3":
		r.Header.Set("Content-Type", "application/json")
	}
	uri := r.RequestURI
	r.RequestURI = ""
	sigv4.Sign(r, sigv4.PayloadHash([]byte(body)), k.id, k.secret, k.token, service, "us-east-1", time.Now())
	r.RequestURI = uri
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return fmt.Sprint(w.Code, " ", w.Body.String())
}

// between returns what stands between a and b in s.
func between(s, a, b string) string {
	_, s, _ = strings.Cut(s, a)
	s, _, _ = strings.Cut(s, b)
	return s
}

// TestForeignARNs asks for things of this account and region by ARNs of others, of which policies say
// something else.
func TestForeignARNs(t *testing.T) {
	e := startEphemeral(t)
	root := e.root()
	const ssm, logs, pools, identities = "AmazonSSM.", "Logs_20140328.", "AWSCognitoIdentityProviderService.", "AWSCognitoIdentityService."
	must := func(s string) string {
		t.Helper()
		if !strings.HasPrefix(s, "200 ") {
			t.Fatal(s)
		}
		return s
	}
	must(e.signed(t, root, "ssm", "POST", "/", ssm+"PutParameter", `{"Name":"/secret","Type":"SecureString","Value":"hush"}`))
	must(e.signed(t, root, "logs", "POST", "/", logs+"CreateLogGroup", `{"logGroupName":"/private"}`))
	pool := between(must(e.signed(t, root, "cognito-idp", "POST", "/", pools+"CreateUserPool", `{"PoolName":"p"}`)), `"Id":"`, `"`)
	identity := between(must(e.signed(t, root, "cognito-identity", "POST", "/", identities+"CreateIdentityPool", `{"IdentityPoolName":"p","AllowUnauthenticatedIdentities":false}`)), `"IdentityPoolId":"`, `"`)

	// May everything but what has the ARNs of here.
	eve := e.user(t, "eve", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Effect":"Deny","Action":["ssm:*","logs:*","cognito-idp:*","cognito-identity:*"],"Resource":["arn:aws:ssm:us-east-1:000000000000:*","arn:aws:logs:us-east-1:000000000000:*","arn:aws:cognito-idp:us-east-1:000000000000:*","arn:aws:cognito-identity:us-east-1:000000000000:*"]}]}`)
	for _, c := range []struct{ service, op, body, arn string }{
		{"ssm", ssm + "GetParameter", `{"Name":"%s","WithDecryption":true}`, "arn:aws:ssm:us-east-1:000000000000:parameter/secret"},
		{"ssm", ssm + "GetParameters", `{"Names":["%s"],"WithDecryption":true}`, "arn:aws:ssm:us-east-1:000000000000:parameter/secret"},
		{"logs", logs + "FilterLogEvents", `{"logGroupIdentifier":"%s"}`, "arn:aws:logs:us-east-1:000000000000:log-group:/private"},
		{"logs", logs + "DescribeLogStreams", `{"logGroupIdentifier":"%s"}`, "arn:aws:logs:us-east-1:000000000000:log-group:/private"},
		{"logs", logs + "TagResource", `{"resourceArn":"%s","tags":{"a":"b"}}`, "arn:aws:logs:us-east-1:000000000000:log-group:/private"},
		{"logs", logs + "UntagResource", `{"resourceArn":"%s","tagKeys":["a"]}`, "arn:aws:logs:us-east-1:000000000000:log-group:/private"},
		{"logs", logs + "ListTagsForResource", `{"resourceArn":"%s"}`, "arn:aws:logs:us-east-1:000000000000:log-group:/private"},
		{"cognito-idp", pools + "TagResource", `{"ResourceArn":"%s","Tags":{"a":"b"}}`, "arn:aws:cognito-idp:us-east-1:000000000000:userpool/" + pool},
		{"cognito-idp", pools + "UntagResource", `{"ResourceArn":"%s","TagKeys":["a"]}`, "arn:aws:cognito-idp:us-east-1:000000000000:userpool/" + pool},
		{"cognito-idp", pools + "ListTagsForResource", `{"ResourceArn":"%s"}`, "arn:aws:cognito-idp:us-east-1:000000000000:userpool/" + pool},
		{"cognito-identity", identities + "TagResource", `{"ResourceArn":"%s","Tags":{"a":"b"}}`, "arn:aws:cognito-identity:us-east-1:000000000000:identitypool/" + identity},
		{"cognito-identity", identities + "UntagResource", `{"ResourceArn":"%s","TagKeys":["a"]}`, "arn:aws:cognito-identity:us-east-1:000000000000:identitypool/" + identity},
		{"cognito-identity", identities + "ListTagsForResource", `{"ResourceArn":"%s"}`, "arn:aws:cognito-identity:us-east-1:000000000000:identitypool/" + identity},
	} {
		if got := e.signed(t, root, c.service, "POST", "/", c.op, fmt.Sprintf(c.body, c.arn)); !strings.HasPrefix(got, "200 ") {
			t.Errorf("%s: root: %s", c.op, got)
		}
		if got := e.signed(t, eve, c.service, "POST", "/", c.op, fmt.Sprintf(c.body, c.arn)); !strings.Contains(got, "explicit deny") && !strings.Contains(got, `"Parameters":[]`) {
			t.Errorf("%s: denied: %s", c.op, got)
		}
		for _, change := range [][2]string{{"arn:aws:", "arn:aws-cn:"}, {"us-east-1:0", "eu-west-1:0"}, {":000000000000:", ":111111111111:"}, {":000000000000:", "::"},
			{":parameter/", ":other/"}, {":log-group:", ":other:"}, {":userpool/", ":userpool/mine/"}, {":identitypool/", ":identitypool/mine/"}, {c.arn, c.arn[strings.LastIndexAny(c.arn, ":/"):][1:]}} {
			arn := strings.Replace(c.arn, change[0], change[1], 1)
			if arn == c.arn {
				continue
			}
			if got := e.signed(t, eve, c.service, "POST", "/", c.op, fmt.Sprintf(c.body, arn)); strings.HasPrefix(got, "200 ") && !strings.Contains(got, `"Parameters":[]`) {
				t.Errorf("%s by %s: %s", c.op, arn, got)
			}
		}
	}
}

// TestPassedToAPIs gives a role to API Gateway by every way that there is, as somebody who may not pass it.
func TestPassedToAPIs(t *testing.T) {
	e := startEphemeral(t)
	root := e.root()
	const role = "arn:aws:iam::000000000000:role/strong"
	trust := url.QueryEscape(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
	if got := e.signed(t, root, "iam", "POST", "/", "", "Action=CreateRole&Version=2010-05-08&RoleName=strong&AssumeRolePolicyDocument="+trust); !strings.HasPrefix(got, "200 ") {
		t.Fatal(got)
	}
	const may = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["apigateway:*","cloudformation:*"],"Resource":"*"}`
	eve := e.user(t, "eve", may+`,{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::000000000000:role/weak"},
		{"Effect":"Deny","Action":"apigateway:UpdateRestApiPolicy","Resource":"*"}]}`)
	ann := e.user(t, "ann", may+`,{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"apigateway.amazonaws.com"}}}]}`)

	const uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations"
	document := func(integration, authorizer, policy string) string {
		return `{"swagger":"2.0","info":{"title":"x","version":"1"}` + policy + `,"securityDefinitions":{"z":{"type":"apiKey","name":"Authorization","in":"header","x-amazon-apigateway-authtype":"custom",
			"x-amazon-apigateway-authorizer":{"type":"token","authorizerUri":"` + uri + `"` + authorizer + `}}},"paths":{"/a":{"get":{"responses":{"200":{"description":"ok"}},"security":[{"z":[]}],
			"x-amazon-apigateway-integration":{"type":"aws","httpMethod":"POST","uri":"` + uri + `"` + integration + `}}}}}`
	}
	made := e.signed(t, eve, "apigateway", "POST", "/restapis?mode=import", "", document("", "", ""))
	api := between(made, `"id":"`, `"`)
	method := "/restapis/" + api + "/resources/" + between(made, `"rootResourceId":"`, `"`) + "/methods/GET"
	e.signed(t, eve, "apigateway", "PUT", method, "", `{"authorizationType":"NONE"}`)
	method += "/integration"
	credentials := `,"credentials":"` + role + `"`
	for _, c := range []struct{ what, method, path, body string }{
		{"an integration", "PUT", method, `{"type":"AWS","httpMethod":"POST","uri":"` + uri + `"` + credentials + `}`},
		{"an integration, by a stage's variable", "PUT", method, `{"type":"AWS","httpMethod":"POST","uri":"` + uri + `","credentials":"arn:aws:iam::000000000000:${stageVariables.r}"}`},
		{"a patch", "PATCH", method, `{"patchOperations":[{"op":"replace","path":"/credentials","value":"` + role + `"}]}`},
		{"a patch, by a stage's variable", "PATCH", method, `{"patchOperations":[{"op":"replace","path":"/credentials","value":"${stageVariables.r}"}]}`},
		{"an authorizer", "POST", "/restapis/" + api + "/authorizers", `{"name":"y","type":"TOKEN","authorizerUri":"` + uri + `","identitySource":"method.request.header.A","authorizerCredentials":"` + role + `"}`},
		{"an import", "POST", "/restapis?mode=import", document(credentials, "", "")},
		{"an import, escaped", "POST", "/restapis?mode=import", document(strings.ReplaceAll(credentials, "/", `\u002f`), "", "")},
		{"an import, by a stage's variable", "POST", "/restapis?mode=import", document(`,"credentials":"arn:aws:iam::000000000000:${stageVariables.r}"`, "", "")},
		{"an import of an authorizer", "POST", "/restapis?mode=import", document("", `,"authorizerCredentials":"`+role+`"`, "")},
		{"an import of a policy", "POST", "/restapis?mode=import", document("", "", `,"x-amazon-apigateway-policy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}]}`)},
		{"an import into an API", "PUT", "/restapis/" + api + "?mode=merge", document(credentials, "", "")},
	} {
		if got := e.signed(t, eve, "apigateway", c.method, c.path, "", c.body); !strings.HasPrefix(got, "403 ") || !strings.Contains(got, "is not authorized to perform: ") {
			t.Errorf("%s: %s", c.what, got)
		}
		if got := e.signed(t, ann, "apigateway", c.method, c.path, "", c.body); !strings.HasPrefix(got, "20") {
			t.Errorf("%s, allowed: %s", c.what, got)
		}
	}
	template := `{"Resources":{"A":{"Type":"AWS::ApiGateway::RestApi","Properties":{"Body":` + strconv.Quote(document(credentials, "", "")) + `}}}}`
	e.cfn(t, eve, "CreateStack", "StackName", "a", "TemplateBody", template)
	if status := e.ended(t, "a"); status != "ROLLBACK_COMPLETE" {
		t.Errorf("a stack: %s", status)
	}
	if events := e.cfn(t, eve, "DescribeStackEvents", "StackName", "a"); !strings.Contains(events, "not authorized to perform: iam:PassRole on resource: "+role) {
		t.Errorf("a stack: %s", events)
	}
}

// TestDeniedMethod calls a method of a REST API that a policy denies, in every way that could lead to it.
func TestDeniedMethod(t *testing.T) {
	e := startEphemeral(t)
	root := e.root()
	rest := func(method, path, body string) string {
		t.Helper()
		got := e.signed(t, root, "apigateway", method, path, "", body)
		if !strings.HasPrefix(got, "20") {
			t.Fatalf("%s %s: %s", method, path, got)
		}
		return got
	}
	made := rest("POST", "/restapis", `{"name":"x"}`)
	base := "/restapis/" + between(made, `"id":"`, `"`)
	at := rest("POST", base+"/resources/"+between(made, `"rootResourceId":"`, `"`), `{"pathPart":"private"}`)
	method := base + "/resources/" + between(at, `"id":"`, `"`) + "/methods/ANY"
	rest("PUT", method, `{"authorizationType":"AWS_IAM"}`)
	rest("PUT", method+"/responses/200", `{}`)
	rest("PUT", method+"/integration", `{"type":"MOCK","requestTemplates":{"application/json":"{\"statusCode\":200}"}}`)
	rest("PUT", method+"/integration/responses/200", `{}`)
	rest("POST", base+"/deployments", `{"stageName":"v1"}`)

	const all = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}`
	ann := e.user(t, "ann", all+`]}`)
	eve := e.user(t, "eve", all+`,{"Effect":"Deny","Action":"execute-api:Invoke","Resource":["arn:aws:execute-api:*:*:*/v1/GET/private"]}]}`)
	host := strings.TrimPrefix(base, "/restapis/") + ".execute-api.us-east-1.amazonaws.com"
	call := func(k key, method, path string) int {
		r := httptest.NewRequest(method, "http://"+host+path, nil)
		r.RequestURI = ""
		sigv4.Sign(r, sigv4.EmptyPayload, k.id, k.secret, k.token, "execute-api", "us-east-1", time.Now())
		r.RequestURI, r.URL.Scheme, r.URL.Host = path, "", ""
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w.Code
	}
	if got := call(eve, "POST", "/v1/private"); got != 200 {
		t.Errorf("another method: %d", got)
	}
	for _, c := range []struct {
		method, path string
		ann          int
	}{
		{"GET", "/v1/private", 200}, {"GET", "/v1/private/", 200}, {"GET", "/v1/%70rivate", 200}, {"GET", "/v1/private?a=b", 200}, {"GET", "/v1/private%2F", 403}, {"GET", "/v1//private", 403},
		{"get", "/v1/private", 403}, {"Get", "/v1/private", 403}, {"GETS", "/v1/private", 403},
	} {
		if got := call(ann, c.method, c.path); got != c.ann {
			t.Errorf("%s %s, allowed: %d", c.method, c.path, got)
		}
		if got := call(eve, c.method, c.path); got != 403 {
			t.Errorf("%s %s, denied: %d", c.method, c.path, got)
		}
	}
}

// TestStrangersBodies sends long bodies without being anybody: they must not be read into memory.
func TestStrangersBodies(t *testing.T) {
	e := startEphemeral(t)
	for _, c := range []struct{ what, method, path, target, auth, want string }{
		{"an unknown key", "PUT", "/2015-03-31/functions/f/code", "", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261121/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64), "UnrecognizedClientException"},
		{"no key", "PUT", "/2015-03-31/functions/f/code", "", "", "MissingAuthenticationTokenException"},
		{"an open operation", "POST", "/", "AWSCognitoIdentityProviderService.SignUp", "", "RequestEntityTooLargeException"},
	} {
		body := &counted{left: 40 << 20}
		r := httptest.NewRequest(c.method, e.URL()+c.path, body)
		r.ContentLength = body.left
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
		for name, value := range map[string]string{"X-Amz-Target": c.target, "Authorization": c.auth} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if answer := w.Body.String() + w.Header().Get("X-Amzn-Errortype"); !strings.Contains(answer, c.want) || body.read > 2<<20 {
			t.Errorf("%s: %d %s, after %d bytes", c.what, w.Code, answer, body.read)
		}
	}
}

// counted is a body that counts what is read of it.
type counted struct{ left, read int64 }

func (c *counted) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n := min(c.left, int64(len(p)))
	c.left, c.read = c.left-n, c.read+n
	return int(n), nil
}

// TestPresignedUpload makes more of a presigned URL than its signer meant.
func TestPresignedUpload(t *testing.T) {
	e := startEphemeral(t)
	root := e.root()
	for _, path := range []string{"/uploads", "/secrets", "/secrets/s"} {
		if got := e.signed(t, root, "s3", "PUT", path, "", ""); !strings.HasPrefix(got, "200 ") {
			t.Fatal(got)
		}
	}
	for header, want := range map[string]string{"": "200 ", "X-Amz-Copy-Source": "403 ", "X-Amz-Meta-A": "403 ", "X-Amz-Content-Sha256": "200 ", "X-Amzn-Trace-Id": "200 ", "Content-Type": "200 "} {
		r := httptest.NewRequest("PUT", e.URL()+"/uploads/u", strings.NewReader("x"))
		r.RequestURI = ""
		sigv4.Presign(r, "", root.id, root.secret, "", "s3", "us-east-1", time.Now(), time.Minute)
		if header != "" {
			r.Header.Set(header, "/secrets/s")
		}
		if header == "X-Amz-Content-Sha256" {
			r.Header.Set(header, sigv4.UnsignedPayload)
		}
		r.RequestURI = r.URL.RequestURI()
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if got := fmt.Sprint(w.Code, " ", w.Body.String()); !strings.HasPrefix(got, want) || want == "403 " && !strings.Contains(got, "<HeadersNotSigned>"+strings.ToLower(header)+"</HeadersNotSigned>") {
			t.Errorf("with %q: %s", header, got)
		}
	}
}

package engine

import (
	"fmt"
	"net/http/httptest"
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

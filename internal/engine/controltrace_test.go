package engine

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// key is an access key of the test's server.
type key struct{ id, secret, token string }

// ask makes a signed call of a JSON service and returns its status, its body and its trace.
func (e *Engine) ask(t testing.TB, k key, service, target, body string, change func(r *http.Request)) (int, string, *trace.Trace) {
	t.Helper()
	r := httptest.NewRequest("POST", e.URL()+"/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	} else {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	if k.id != "" {
		uri := r.RequestURI
		r.RequestURI = ""
		sigv4.Sign(r, sigv4.PayloadHash([]byte(body)), k.id, k.secret, k.token, service, "us-east-1", time.Now())
		r.RequestURI = uri
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w.Code, w.Body.String(), e.recorder.Get(w.Header().Get("X-Amzn-Requestid"))
}

// user makes a user with a policy and a key.
func (e *Engine) user(t testing.TB, name, policy string) key {
	t.Helper()
	ctx := wire.WithCall(t.Context(), &wire.Call{Account: DefaultAccount, Region: DefaultRegion, Partition: "aws", Time: time.Now()})
	if _, err := e.iam.CreateUser(ctx, &iamapi.CreateUserRequest{UserName: name}); err != nil {
		t.Fatal(err)
	}
	if policy != "" {
		if _, err := e.iam.PutUserPolicy(ctx, &iamapi.PutUserPolicyRequest{UserName: name, PolicyName: "own", PolicyDocument: policy}); err != nil {
			t.Fatal(err)
		}
	}
	out, err := e.iam.CreateAccessKey(ctx, &iamapi.CreateAccessKeyRequest{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return key{out.AccessKey.AccessKeyId, out.AccessKey.SecretAccessKey, ""}
}

func startEphemeral(t testing.TB) *Engine {
	t.Helper()
	e, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

func (e *Engine) root() key {
	p := e.Profile()
	return key{p.AccessKey, string(p.Secret), ""}
}

// text writes a trace as lines, for a look at all of it.
func text(tr *trace.Trace) string {
	var b strings.Builder
	b.WriteString(tr.Operation + " " + tr.Principal + " " + tr.Error + "\n")
	for _, s := range tr.Steps {
		mark := "ok"
		if !s.OK {
			mark = "no"
		}
		b.WriteString(mark + " " + s.Name + ": " + s.Detail + " | " + s.Got + " | " + s.Want + "\n")
	}
	if s := tr.Signature; s != nil {
		for _, l := range s.Lines {
			b.WriteString(l.Name + ": " + l.Server + " | " + l.Client + "\n")
		}
		b.WriteString(strings.Join(s.StringToSign, "\n"))
	}
	return b.String()
}

// TestControlTraces asks as people do who made one mistake, and wants the trace to say which.
func TestControlTraces(t *testing.T) {
	e := startEphemeral(t)
	ann := e.user(t, "ann", `{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Action":"cognito-idp:List*","Resource":"*"},
		{"Sid":"Mine","Effect":"Allow","Action":"cognito-idp:DescribeUserPool","Resource":"arn:aws:cognito-idp:*:*:userpool/us-east-1_mine"},
		{"Sid":"Never","Effect":"Deny","Action":"cognito-idp:DeleteUserPool","Resource":"*"}]}`)
	const pools = "AWSCognitoIdentityProviderService."
	for _, tt := range []struct {
		name, service, op, body string
		key                     key
		change                  func(*http.Request)
		status                  int
		answer                  string
		want                    []string
	}{
		{"allowed", "cognito-idp", "ListUserPools", `{"MaxResults":1}`, ann, nil, 200, "UserPools",
			[]string{"cognito-idp:ListUserPools arn:aws:iam::000000000000:user/ann", "ok credentials: access key " + ann.id, "ok signature: fits", "ok asked: cognito-idp:ListUserPools on *", "ok policy: "}},
		{"root", "cognito-idp", "ListUserPools", `{"MaxResults":1}`, e.root(), nil, 200, "UserPools", []string{"the account's root may do everything"}},
		{"no statement", "cognito-idp", "DescribeUserPool", `{"UserPoolId":"us-east-1_yours"}`, ann, nil, 400,
			"User: arn:aws:iam::000000000000:user/ann is not authorized to perform: cognito-idp:DescribeUserPool on resource: arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_yours because no identity-based policy allows the cognito-idp:DescribeUserPool action",
			[]string{"AccessDeniedException", "Mine", "us-east-1_yours", "us-east-1_mine"}},
		{"denied", "cognito-idp", "DeleteUserPool", `{"UserPoolId":"us-east-1_mine"}`, ann, nil, 400, "with an explicit deny in an identity-based policy", []string{"Never"}},
		{"not signed", "cognito-idp", "ListUserPools", `{"MaxResults":1}`, key{}, nil, 400, "Missing Authentication Token", []string{"no credentials: the request is not signed"}},
		{"public", "cognito-idp", "SignUp", `{"ClientId":"abc","Username":"u","Password":"Topsecret1!"}`, key{}, nil, 400, "ResourceNotFoundException", []string{"ok credentials: none, and none are needed", "ResourceNotFoundException"}},
		{"unknown key", "cognito-idp", "ListUserPools", `{"MaxResults":1}`, key{"AKIDEXAMPLE", "x", ""}, nil, 400, "UnrecognizedClientException", []string{"no credentials: the access key is unknown", "AKIDEXAMPLE, scope "}},
		{"no token", "cognito-idp", "ListUserPools", `{"MaxResults":1}`, key{"ASIAEXAMPLE", "x", ""}, nil, 400, "UnrecognizedClientException", []string{"whose session token does not come with it"}},
		{"a stale token", "cognito-idp", "ListUserPools", `{"MaxResults":1}`, key{ann.id, ann.secret, "Hushhush"}, nil, 400, "UnrecognizedClientException", []string{"AWS_SESSION_TOKEN is left from somewhere"}},
		{"secret", "cognito-idp", "ListUserPools", `{"MaxResults":1}`, key{ann.id, "wrong", ""}, nil, 400, "InvalidSignatureException",
			[]string{"no signature: it is not the one", "another secret", "method: POST | POST", "path: / | /", "x-amz-target: ", "payload hash: ", "AWS4-HMAC-SHA256"}},
		{"changed body", "cognito-idp", "ListUserPools", `{"MaxResults":1}`, ann, func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", sigv4.PayloadHash([]byte(`{"MaxResults":1}`)))
			r.Body = http.NoBody
		}, 400, "InvalidSignatureException", []string{"the body is not the one that was signed", "payload hash: " + sigv4.EmptyPayload}},
		{"changed host", "cognito-idp", "ListUserPools", `{"MaxResults":1}`, ann, func(r *http.Request) { r.Host = "localhost:1" }, 400, "InvalidSignatureException", []string{"host: localhost:1 | localhost:1"}},
		{"old", "cognito-idp", "ListUserPools", `{"MaxResults":1}`, ann, func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().UTC().Add(-time.Hour).Format("20060102T150405Z"))
		}, 400, "", []string{"no signature: Signature", "a clock that agrees"}},
		{"scope", "iam", "ListUserPools", `{"MaxResults":1}`, ann, nil, 400, "Credential should be scoped to correct service", []string{"no signature: Credential should be scoped"}},
	} {
		status, body, tr := e.ask(t, tt.key, tt.service, pools+tt.op, tt.body, tt.change)
		if status != tt.status || !strings.Contains(body, tt.answer) {
			t.Errorf("%s: %d %s", tt.name, status, body)
		}
		if tr == nil {
			t.Errorf("%s: no trace", tt.name)
			continue
		}
		all := text(tr)
		for _, want := range tt.want {
			if !strings.Contains(all, want) {
				t.Errorf("%s: no %q in the trace:\n%s", tt.name, want, all)
			}
		}
		for _, secret := range []string{ann.secret, e.root().secret, "Topsecret1!", "Hushhush"} {
			if strings.Contains(all, secret) {
				t.Errorf("%s: a secret is in the trace:\n%s", tt.name, all)
			}
		}
	}
}

// BenchmarkTrace measures what the trace of a call costs: a public operation that fails at once, with one
// and without.
func BenchmarkTrace(b *testing.B) {
	e := startEphemeral(b)
	for name, h := range map[string]http.Handler{"traced": e, "bare": e.control} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("POST", "/", strings.NewReader(`{"ClientId":"abc","AuthFlow":"USER_SRP_AUTH"}`))
				r.Header.Set("Content-Type", "application/x-amz-json-1.1")
				r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}

// BenchmarkControlPlane measures a signed call with its decision and its trace, from the request to the
// answer.
func BenchmarkControlPlane(b *testing.B) {
	e := startEphemeral(b)
	ann := e.user(b, "ann", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cognito-idp:List*","Resource":"*"}]}`)
	for _, tt := range []struct {
		name string
		key  key
	}{{"root", e.root()}, {"user", ann}} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if status, body, _ := e.ask(b, tt.key, "cognito-idp", "AWSCognitoIdentityProviderService.ListUserPools", `{"MaxResults":1}`, nil); status != 200 {
					b.Fatal(body)
				}
			}
		})
	}
}

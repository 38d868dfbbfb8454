package authorizer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const account = "123456789012"

var nopLogger = slog.New(slog.DiscardHandler)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

type text string

func (t text) ReadBody() ([]byte, error) { return []byte(t), nil }

type tooLong struct{ err error }

func (t tooLong) ReadBody() ([]byte, error) { return nil, t.err }

func request(method, target string) *Request {
	return &Request{HTTP: httptest.NewRequest(method, target, nil), API: &API{"abc", "prod", "us-east-1", account}, Path: "/pets", SourceIP: "203.0.113.7", Start: now,
		Trace: new(trace.Trace), Body: text(""), Logger: nopLogger}
}

// Refusals are told in the words of REST APIs and URLs of functions.
func TestRefusals(t *testing.T) {
	box, err := seal.FromBytes(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s := iam.New(iam.Options{DB: storetest.Open(t, "memory:"), Seal: box, Account: account, Region: "us-east-1", Now: func() time.Time { return now }})
	ctx := wire.WithCall(t.Context(), &wire.Call{Account: account, Region: "us-east-1"})
	id, secret, err := s.RootKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// Someone whom the root has federated, without a policy.
	federated, err := s.Sessions.Issue(&session.Session{Type: policy.FederatedUser, Account: account, OwnerARN: "arn:aws:iam::" + account + ":root", OwnerID: account, Name: "guest",
		Issued: now.Unix() - 7200, Expires: now.Unix() + 60})
	if err != nil {
		t.Fatal(err)
	}
	over, err := s.Sessions.Issue(&session.Session{Type: policy.FederatedUser, Account: account, OwnerARN: "arn:aws:iam::" + account + ":root", OwnerID: account, Name: "guest",
		Issued: now.Unix() - 7200, Expires: now.Unix() - 60})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(r *Request, key, secret, token, region string, at time.Time) *Request {
		sigv4.Sign(r.HTTP, sigv4.EmptyPayload, key, secret, token, "execute-api", region, at)
		return r
	}
	deny, err := policy.Compile(policy.Resource, "the API's policy", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:`+account+`:abc/prod/GET/pets"}}`)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("cannot be read")
	unreadable := sign(request("POST", "/prod/pets"), id, secret.Reveal(), "", "us-east-1", now)
	unreadable.Body = tooLong{broken}
	for _, test := range []struct {
		name      string
		req       *Request
		policy    *policy.Compiled
		refusal   Refusal
		kind      string
		message   string // its beginning
		forbidden int
	}{
		{"root", sign(request("GET", "/prod/pets"), id, secret.Reveal(), "", "us-east-1", now), nil, None, "", "", 200},
		{"unsigned", request("GET", "/prod/pets"), nil, NoSignature, "MissingAuthenticationTokenException", "Missing Authentication Token", 403},
		{"wrong secret", sign(request("GET", "/prod/pets"), id, "x", "", "us-east-1", now), nil, BadSignature, "InvalidSignatureException",
			"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'GET\n/prod/pets\n", 403},
		{"another region", sign(request("GET", "/prod/pets"), id, secret.Reveal(), "", "eu-west-1", now), nil, BadSignature, "InvalidSignatureException", "Credential should be scoped to a valid region.", 403},
		{"unknown", sign(request("GET", "/prod/pets"), "AKIAAAAAAAAAAAAAAAAA", "x", "", "us-east-1", now), nil, BadSignature, "UnrecognizedClientException", "The security token included in the request is invalid.", 403},
		{"expired", sign(request("GET", "/prod/pets"), id, secret.Reveal(), "", "us-east-1", now.Add(-time.Hour)), nil, ExpiredSignature, "InvalidSignatureException", "Signature expired: 20261121T110000Z is now earlier than 20261121T115500Z (20261121T120000Z - 5 min.)", 403},
		{"expired token", sign(request("GET", "/prod/pets"), over.AccessKey, over.Secret.Reveal(), over.Token, "us-east-1", now), nil, ExpiredSignature, "ExpiredTokenException", "The security token included in the request is expired", 403},
		{"not allowed", sign(request("GET", "/prod/pets"), federated.AccessKey, federated.Secret.Reveal(), federated.Token, "us-east-1", now), nil, Forbidden, "AccessDeniedException",
			"User: arn:aws:sts::" + account + ":federated-user/guest is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:abc/prod/GET/pets because no session policy allows the execute-api:Invoke action", 403},
		{"denied", sign(request("GET", "/prod/pets"), id, secret.Reveal(), "", "us-east-1", now), deny, Forbidden, "AccessDeniedException",
			"User: arn:aws:iam::" + account + ":root is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:abc/prod/GET/pets with an explicit deny in a resource-based policy", 403},
		{"body unreadable", unreadable, nil, Fault, "", "", 500},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out Result
			NewIAM(IAM{Identities: s, API: test.req.API, Policy: test.policy}).Authorize(test.req, &out)
			if out.Refusal != test.refusal || out.Type != test.kind || !strings.HasPrefix(out.Message, test.message) || test.message == "" && out.Message != "" || out.Refusal.Status() != test.forbidden {
				t.Errorf("result %+v", out)
			}
			if (out.Caller != nil) != (test.refusal == None) || (out.Why == "") != (test.refusal == None) {
				t.Errorf("result %+v", out)
			}
			if test.name != "body unreadable" && test.req.Trace.Refused() != (test.refusal != None) {
				t.Errorf("trace %+v", test.req.Trace.Steps)
			}
			trace, err := json.Marshal(test.req.Trace)
			if err != nil || bytes.Contains(trace, []byte(secret.Reveal())) {
				t.Errorf("trace %s, %v", trace, err)
			}
		})
	}
}

// failing is an identity service whose store is down.
type failing struct{ caller *iam.Caller }

func (f failing) AuthenticateAPI(context.Context, *http.Request, func() (string, error), string) (*iam.Caller, error) {
	if f.caller == nil {
		return nil, errors.New("the store is down")
	}
	return f.caller, nil
}

func (f failing) Decide(context.Context, *iam.Caller, *policy.Request, *policy.Compiled) (policy.Decision, error) {
	return policy.Decision{}, errors.New("the store is down")
}

// A store that fails lets nobody in.
func TestFaults(t *testing.T) {
	for _, ids := range []failing{{}, {&iam.Caller{Principal: policy.Principal{Type: policy.RootUser, ARN: "arn:aws:iam::" + account + ":root", Account: account}}}} {
		r := request("GET", "/prod/pets")
		sigv4.Sign(r.HTTP, sigv4.EmptyPayload, "AKIAAAAAAAAAAAAAAAAA", "x", "", "execute-api", "us-east-1", now)
		var out Result
		NewIAM(IAM{Identities: ids, API: r.API}).Authorize(r, &out)
		if out.Refusal != Fault || out.Caller != nil || out.Message != "" || !r.Trace.Refused() {
			t.Errorf("result %+v, trace %+v", out, r.Trace.Steps)
		}
	}
}

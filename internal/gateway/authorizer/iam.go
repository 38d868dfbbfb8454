package authorizer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Identities knows who signs requests, and what they may: package iam.
type Identities interface {
	// AuthenticateAPI says who signed r for the service signingName. A refusal is a *sigv4.Error or a
	// *wire.AuthError.
	AuthenticateAPI(ctx context.Context, r *http.Request, bodySHA256 func() (string, error), signingName string) (*iam.Caller, error)

	// Decide evaluates the caller's policies and, if it is not nil, the resource's. It notes its steps in
	// the trace that ctx carries.
	Decide(ctx context.Context, c *iam.Caller, req *policy.Request, resource *policy.Compiled) (policy.Decision, error)
}

// IAM configures an authorizer of type AWS_IAM: it lets in who has signed the request with Signature
// Version 4, for service execute-api in the API's region, and is allowed execute-api:Invoke on
//
//	arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH
//
// by policies. PATH is the request's, decoded, not the route's: /pets/7.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html
type IAM struct {
	Identities Identities
	API        *API
	Policy     *policy.Compiled // the API's resource policy; nil: it has none
}

type iamAuthorizer struct {
	IAM
	prefix string // of ARNs, up to the method
}

// NewIAM compiles the authorizer.
func NewIAM(c IAM) Authorizer {
	return &iamAuthorizer{IAM: c, prefix: "arn:aws:execute-api:" + c.API.Region + ":" + c.API.Account + ":" + c.API.ID + "/" + c.API.Stage + "/"}
}

func (z *iamAuthorizer) Authorize(r *Request, out *Result) {
	ctx := r.HTTP.Context()
	if r.Trace != nil {
		ctx = trace.With(ctx, r.Trace)
	}
	caller := Authenticate(ctx, z.Identities, r, "execute-api", out)
	if caller == nil {
		return
	}
	arn := z.prefix + r.HTTP.Method + r.Path
	Allow(ctx, z.Identities, r, caller, "execute-api:Invoke", arn, z.Policy, nil, out)
	if out.Refusal == None {
		out.Caller = caller
	}
}

// Allow decides whether the caller, nil for nobody in particular, may do the action on the resource that arn
// names, and fills in out if not. more holds further condition keys, in lower case.
func Allow(ctx context.Context, ids Identities, r *Request, caller *iam.Caller, action, arn string, resource *policy.Compiled, more policy.Values, out *Result) {
	about := iam.HTTPContext(r.HTTP, r.API.Region, r.Start)
	about.SourceIP, about.More = r.SourceIP, more
	d, err := ids.Decide(ctx, caller, &policy.Request{Action: action, Resource: arn, Context: about}, resource)
	switch {
	case err != nil:
		r.Logger.Error("policies cannot be read", "error", err)
		r.Trace.Fail("policy", "the policies cannot be read", "", "")
		out.Refusal, out.Why = Fault, "internal error"
	case d.Allowed:
		r.Trace.Pass("authorization", action+" on "+arn)
	default:
		who := "anonymous"
		if caller != nil {
			who = caller.ARN
		}
		out.Refusal, out.Type, out.Why = Forbidden, "AccessDeniedException", "not authorized"
		out.Message = "User: " + who + " is not authorized to perform: " + action + " on resource: " + hideAccount(arn) + " " + d.Because()
		r.Trace.Fail("authorization", "no policy lets the caller in", who, action+" on "+arn)
	}
}

// hideAccount writes an ARN as API Gateway shows it to strangers: of the account, the last four digits.
func hideAccount(arn string) string {
	part := strings.SplitN(arn, ":", 6)
	if len(part) == 6 && len(part[4]) == 12 {
		part[4] = "********" + part[4][8:]
	}
	return strings.Join(part, ":")
}

// Authenticate finds out who has signed a request for the service, and fills in out if nobody has, or badly.
func Authenticate(ctx context.Context, ids Identities, r *Request, service string, out *Result) *iam.Caller {
	sig, err := sigv4.Parse(r.HTTP)
	if err == nil && sig.Service == service && sig.Region != r.API.Region {
		err = &sigv4.Error{Kind: sigv4.Scope, Message: "Credential should be scoped to a valid region.", Presigned: sig.Presigned}
		r.Trace.Fail("signature", "it is for another region than the API's", sig.Region, r.API.Region)
		return refuseSignature(err, out)
	}
	var caller *iam.Caller
	var unread error // why the body could not be read, which is noted already
	if err == nil {
		caller, err = ids.AuthenticateAPI(ctx, r.HTTP, func() (sum string, err error) {
			sum, unread = bodyHash(r)
			return sum, unread
		}, service)
	}
	if err == nil {
		r.Trace.Pass("signature", "signed by "+caller.ARN)
		return caller
	}
	var bad *sigv4.Error
	var auth *wire.AuthError
	switch {
	case errors.As(err, &bad):
		if r.Trace != nil {
			explainSignature(r, sig, service, bad)
		}
	case errors.As(err, &auth):
		step := trace.Step{Name: "access key", Detail: "there is no such access key, or it is not active, or its session token is not one of this server for it, or its user or role is gone", Want: "a key of this account"}
		if auth.Problem == wire.SessionTokenExpired {
			step.Detail, step.Want = "the session token has expired", "fresh credentials"
		}
		if sig != nil {
			step.Got = sig.AccessKey
			if sig.SessionToken == "" && strings.HasPrefix(sig.AccessKey, "ASIA") {
				step.Detail, step.Want = "the access key is of temporary credentials, and the request bears no session token", "X-Amz-Security-Token"
			}
		}
		r.Trace.Fail(step.Name, step.Detail, step.Got, step.Want)
	case unread == nil:
		r.Logger.Error("signature cannot be verified", "error", err)
		r.Trace.Fail("signature", "it cannot be verified", "", "")
	}
	return refuseSignature(err, out)
}

// refuseSignature fills in out; the result is always nil.
func refuseSignature(err error, out *Result) *iam.Caller {
	var bad *sigv4.Error
	var auth *wire.AuthError
	switch {
	case errors.As(err, &bad):
		out.Refusal, out.Why = BadSignature, "invalid signature"
		out.Type, out.Message, _ = bad.AWS(sigv4.RESTJSON)
		switch bad.Kind {
		case sigv4.Missing:
			out.Refusal, out.Why = NoSignature, "no signature"
		case sigv4.Expired:
			out.Refusal, out.Why = ExpiredSignature, "expired signature"
		}
	case errors.As(err, &auth):
		out.Refusal, out.Type, out.Message, out.Why = BadSignature, "UnrecognizedClientException", "The security token included in the request is invalid.", "unknown access key"
		if auth.Problem == wire.SessionTokenExpired {
			out.Refusal, out.Type, out.Message, out.Why = ExpiredSignature, "ExpiredTokenException", "The security token included in the request is expired", "expired security token"
		}
	default:
		out.Refusal, out.Why = Fault, "internal error"
	}
	return nil
}

func bodyHash(r *Request) (string, error) {
	body, err := r.Body.ReadBody()
	if err != nil {
		return "", err
	}
	if len(body) == 0 {
		return sigv4.EmptyPayload, nil
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

// explainSignature notes what is wrong with a signature, as far as a server can know. What a client has
// signed it cannot: it shows what it would have had to, and what is known to differ.
func explainSignature(r *Request, sig *sigv4.Signature, service string, bad *sigv4.Error) {
	switch bad.Kind {
	case sigv4.Missing:
		r.Trace.Fail("signature", "the request is not signed", "neither an Authorization header of AWS4-HMAC-SHA256 nor X-Amz-Signature in the query",
			"Signature Version 4 for service "+service+" in region "+r.API.Region)
		return
	case sigv4.Mismatch:
	default:
		r.Trace.Fail("signature", bad.Message, "", "Signature Version 4 for service "+service+" in region "+r.API.Region)
		return
	}
	form := "headers"
	if sig.Presigned {
		form = "query"
	}
	r.Trace.Fail("signature", "it is not the one that the key makes of this request: "+bad.Likely,
		"signed in the "+form+": "+strings.Join(sig.SignedHeaders, ";")+" with scope "+sig.Scope()+"; "+r.HTTP.Method+" "+pathOf(r.HTTP)+" on "+r.HTTP.Host, "")
	r.Trace.Signature = trace.SignatureOf(r.HTTP, sig, bad)
}

// pathOf returns the path as the client sent it.
func pathOf(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path
}

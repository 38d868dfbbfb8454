package authorizer

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/token"
)

// Cognito configures an authorizer of type COGNITO_USER_POOLS, that of REST APIs: it lets in who bears a token
// of one of its user pools. Without scopes it wants an ID token; with scopes, an access token that has one of
// them.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html
type Cognito struct {
	Verifier   TokenVerifier
	Issuers    []string               // of the pools
	Source     Source                 // where the token is; "Bearer " before it does not count
	Validation *regexp.Regexp         // of aud, in access tokens client_id; nil: any
	Scopes     []string               // of the method
	SameIssuer func(a, b string) bool // whether two issuers that differ name the same user pool; nil: never
}

type cognito struct {
	Cognito
	sources []identitySource
	want    string // a token of one of these pools
}

// NewCognito compiles the authorizer.
func NewCognito(c Cognito) Authorizer {
	z := &cognito{Cognito: c, want: strings.Join(c.Issuers, " or ")}
	z.sources = []identitySource{{header: http.CanonicalHeaderKey(c.Source.Header), query: c.Source.Query, name: c.Source.String()}}
	return z
}

// IssuerOfPool returns the issuer of the tokens of a user pool, by its ARN; "" if that is not one.
func IssuerOfPool(arn string) string {
	part := strings.SplitN(arn, ":", 6)
	if len(part) != 6 || part[2] != "cognito-idp" {
		return ""
	}
	pool, ok := strings.CutPrefix(part[5], "userpool/")
	if !ok {
		return ""
	}
	return "https://cognito-idp." + part[3] + ".amazonaws.com/" + pool
}

// MessageExpired is what REST APIs say of a token that was good once.
const MessageExpired = "The incoming token has expired"

func (z *cognito) refuse(out *Result, why string) { out.Refusal, out.Why = Unauthorized, why }

func (z *cognito) Authorize(r *Request, out *Result) {
	raw, source := bearer(r.HTTP, z.sources)
	if raw == "" {
		r.Trace.Fail("identity source", "the request bears no token", "nothing", "a token in "+z.sources[0].name)
		out.Refusal, out.Why = NoIdentity, "no token"
		return
	}
	r.Trace.Pass("identity source", source)
	t := z.verify(r, out, raw)
	if t == nil {
		return
	}
	if t.Algorithm != "RS256" { // as all pools sign
		r.Trace.Fail("jwt algorithm", "user pools sign otherwise", t.Algorithm, "RS256")
		z.refuse(out, "signing method is invalid")
		return
	}
	if t.Expiry.IsZero() {
		r.Trace.Fail("jwt time", "the token has no expiry", "no exp", "exp later than now")
		z.refuse(out, "the token does not have a valid expiry")
		return
	}
	if err := t.CheckTime(r.Start, 0); err != nil {
		z.untimely(r, out, err)
		return
	}
	r.Trace.Pass("jwt time", "exp, nbf and iat")
	use, want := t.Text("token_use"), "id"
	if len(z.Scopes) > 0 {
		want = "access"
	}
	if use != want {
		detail := "the method has no scopes, so it wants an ID token"
		if len(z.Scopes) > 0 {
			detail = "the method has scopes, so it wants an access token"
		}
		r.Trace.Fail("jwt use", detail, "token_use "+quoted(use), "token_use "+quoted(want))
		z.refuse(out, "wrong token use")
		return
	}
	r.Trace.Pass("jwt use", use)
	if z.Validation != nil && !z.valid(t) {
		got := "aud " + quoted(strings.Join(t.Audience, ", "))
		if len(t.Audience) == 0 {
			got = "client_id " + quoted(t.Text("client_id"))
		}
		r.Trace.Fail("jwt audience", "the token's client does not match the authorizer's validation expression", got, z.Validation.String())
		z.refuse(out, "the audience does not match")
		return
	}
	if len(z.Scopes) > 0 {
		granted := t.Scopes()
		for _, s := range z.Scopes {
			if slices.Contains(granted, s) {
				out.Scopes = append(out.Scopes, s)
			}
		}
		if len(out.Scopes) == 0 {
			r.Trace.Fail("jwt scopes", "the token has none of the method's scopes", quoted(strings.Join(granted, " ")), "one of: "+strings.Join(z.Scopes, ", "))
			z.refuse(out, "insufficient scope")
			return
		}
		r.Trace.Pass("jwt scopes", out.Scopes[0])
	}
	out.Token = t
}

// verify finds the pool that has signed the token, nil if none has.
func (z *cognito) verify(r *Request, out *Result, raw string) *token.Token {
	var first error
	for _, issuer := range z.Issuers {
		t, err := z.Verifier.Verify(r.HTTP.Context(), raw, issuer)
		if err == nil && t.Issuer != issuer && (t.Issuer == "" || z.SameIssuer == nil || !z.SameIssuer(t.Issuer, issuer)) {
			r.Trace.Fail("jwt issuer", "the token names another issuer than the pool whose key has signed it", quoted(t.Issuer), quoted(issuer))
			z.refuse(out, "the token does not have a valid issuer")
			return nil
		}
		if err == nil {
			r.Trace.Pass("jwt signature", issuer)
			r.Trace.Pass("jwt issuer", issuer)
			return t
		}
		if first == nil {
			first = err
		}
	}
	var e *token.Error
	switch {
	case first == nil:
		r.Trace.Fail("jwt signature", "the authorizer names no user pool", "", "a ProviderARN")
	case errors.As(first, &e):
		r.Trace.Fail("jwt signature", e.Detail, e.Got, "a token of "+z.want)
	default:
		r.Logger.Error("token cannot be verified", "error", first)
		r.Trace.Fail("jwt signature", "the token cannot be verified", "", "")
	}
	z.refuse(out, "the token is not valid")
	return nil
}

func (z *cognito) untimely(r *Request, out *Result, err error) {
	z.refuse(out, "the token is not valid")
	var e *token.Error
	if !errors.As(err, &e) {
		r.Trace.Fail("jwt time", err.Error(), "", "")
		return
	}
	r.Trace.Fail("jwt time", e.Detail, e.Got, e.Want)
	if e.Reason == token.Expired {
		out.Refusal, out.Message, out.Why = Expired, MessageExpired, "the token has expired"
	}
}

func (z *cognito) valid(t *token.Token) bool {
	if len(t.Audience) == 0 {
		return z.Validation.MatchString(t.Text("client_id"))
	}
	return slices.ContainsFunc(t.Audience, z.Validation.MatchString)
}

package authorizer

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/token"
)

// JWT configures an authorizer that lets in who bears a token of its issuer for its audience, with one of the
// route's scopes if that has any.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
type JWT struct {
	Verifier   TokenVerifier
	Issuer     string
	Audience   []string
	Sources    []Source               // where a token may be; the first that is there counts
	Scopes     []string               // of the route; any of them is enough
	SameIssuer func(a, b string) bool // whether two issuers that differ name the same user pool; nil: never
}

// Source is a place in a request: one of the two.
type Source struct{ Header, Query string }

func (s Source) String() string {
	if s.Header != "" {
		return "$request.header." + s.Header
	}
	return "$request.querystring." + s.Query
}

// TokenVerifier verifies structure and signature of tokens: package token.
type TokenVerifier interface {
	// Verify returns the token in raw if one of the issuer's keys has signed it. Claims and times are the
	// caller's to judge, each time. The error is a *token.Error.
	Verify(ctx context.Context, raw, issuer string) (*token.Token, error)
}

type jwt struct {
	JWT
	sources   []identitySource
	wantToken string // for the trace: where a token is looked for
	challenge string // start of www-authenticate: Bearer scope="…"
}

type identitySource struct {
	header string // canonical; or
	query  string
	name   string // as configured
}

// NewJWT compiles the authorizer.
func NewJWT(c JWT) Authorizer {
	z := &jwt{JWT: c, challenge: `Bearer scope="` + strings.Join(c.Scopes, " ") + `"`}
	names := make([]string, len(c.Sources))
	for i, src := range c.Sources {
		names[i] = src.String()
		z.sources = append(z.sources, identitySource{header: http.CanonicalHeaderKey(src.Header), query: src.Query, name: names[i]})
	}
	z.wantToken = "a token in " + strings.Join(names, " or ")
	return z
}

func (z *jwt) Authorize(r *Request, out *Result) {
	raw, source := bearer(r.HTTP, z.sources)
	if raw == "" {
		r.Trace.Fail("identity source", "the request bears no token", "nothing", z.wantToken)
		out.Refusal, out.Challenge, out.Why = NoIdentity, "Bearer", "no token"
		return
	}
	r.Trace.Pass("identity source", source)
	t, err := z.Verifier.Verify(r.HTTP.Context(), raw, z.Issuer)
	if err != nil {
		z.badToken(r, out, "jwt signature", err)
		return
	}
	r.Trace.Pass("jwt signature", z.Issuer)
	if t.Algorithm != "" && t.Algorithm[0] != 'R' && t.Algorithm[0] != 'P' {
		r.Trace.Fail("jwt algorithm", "only RSA-based algorithms are supported", t.Algorithm, "RS256, RS384 or RS512")
		z.refuse(out, "signing method "+t.Algorithm+" is invalid")
		return
	}
	if t.Issuer != z.Issuer && (t.Issuer == "" || z.SameIssuer == nil || !z.SameIssuer(t.Issuer, z.Issuer)) {
		r.Trace.Fail("jwt issuer", "the token names another issuer than the authorizer", quoted(t.Issuer), quoted(z.Issuer))
		z.refuse(out, "the token does not have a valid issuer")
		return
	}
	r.Trace.Pass("jwt issuer", z.Issuer)
	if !z.audience(r, out, t) {
		return
	}
	if t.Expiry.IsZero() {
		r.Trace.Fail("jwt time", "the token has no expiry", "no exp", "exp later than now")
		z.refuse(out, "the token does not have a valid expiry")
		return
	}
	if err := t.CheckTime(r.Start, 0); err != nil {
		z.badToken(r, out, "jwt time", err)
		return
	}
	r.Trace.Pass("jwt time", "exp, nbf and iat")
	if len(z.Scopes) > 0 {
		granted := t.Scopes()
		for _, s := range z.Scopes {
			if slices.Contains(granted, s) {
				out.Scopes = append(out.Scopes, s)
			}
		}
		if len(out.Scopes) == 0 {
			r.Trace.Fail("jwt scopes", "the token has none of the route's scopes", quoted(strings.Join(granted, " ")), "one of: "+strings.Join(z.Scopes, ", "))
			out.Refusal, out.Why = Forbidden, "insufficient_scope"
			out.Challenge = z.challenge + ` error="insufficient_scope" error_description="the token does not have any of the required scopes"`
			return
		}
		r.Trace.Pass("jwt scopes", out.Scopes[0])
	}
	out.Token = t
}

func quoted(s string) string {
	if s == "" {
		return "none"
	}
	return `"` + s + `"`
}

// bearer returns the token that the request bears, and where it was.
func bearer(r *http.Request, sources []identitySource) (raw, source string) {
	for i := range sources {
		src := &sources[i]
		if src.query == "" {
			if v := r.Header[src.header]; len(v) == 1 {
				raw = v[0]
			} else {
				raw = strings.Join(v, ",") // no token: the function must not see another one than was verified
			}
		} else if one, more := queryValues(r.URL.RawQuery, src.query); len(more) == 0 {
			raw = one
		} else {
			raw = one + "," + strings.Join(more, ",")
		}
		const bearer = "Bearer "
		if len(raw) >= len(bearer) && strings.EqualFold(raw[:len(bearer)], bearer) {
			raw = raw[len(bearer):]
		}
		if raw = strings.TrimSpace(raw); raw != "" {
			return raw, src.name
		}
	}
	return "", ""
}

// queryValues returns the first value of a query parameter and the others, as functions see them: what is not well
// encoded stands as it is.
func queryValues(query, name string) (one string, more []string) {
	found := false
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		if pair == "" || unescape(k) != name {
			continue
		}
		if v = unescape(v); found {
			more = append(more, v)
		} else {
			one, found = v, true
		}
	}
	return one, more
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// audience checks aud, or client_id in a token that has no aud: an access token of a user pool.
func (z *jwt) audience(r *Request, out *Result, t *token.Token) bool {
	claim, values := "aud", t.Audience
	if _, ok := t.Claims["aud"]; !ok {
		claim = "client_id"
		if id := t.Text("client_id"); id != "" {
			for _, want := range z.Audience {
				if id == want {
					r.Trace.Pass("jwt audience", want)
					return true
				}
			}
			values = []string{id}
		}
	}
	for _, v := range values {
		for _, want := range z.Audience {
			if v == want {
				r.Trace.Pass("jwt audience", want)
				return true
			}
		}
	}
	if r.Trace != nil {
		got := "neither aud nor client_id"
		if len(values) > 0 {
			got = claim + " " + strings.Join(values, ", ")
		}
		r.Trace.Fail("jwt audience", "the token is for somebody else", got, "one of: "+strings.Join(z.Audience, ", "))
	}
	z.refuse(out, "the token does not have a valid audience")
	return false
}

// badToken refuses for what package token found.
func (z *jwt) badToken(r *Request, out *Result, step string, err error) {
	var e *token.Error
	if !errors.As(err, &e) {
		r.Logger.Error("token cannot be verified", "error", err)
		r.Trace.Fail(step, "the token cannot be verified", "", "")
		z.refuse(out, "the token cannot be verified")
		return
	}
	detail := e.Detail
	if e.Cause != nil {
		detail += ": " + e.Cause.Error()
	}
	r.Trace.Fail(step, detail, e.Got, e.Want)
	description := "the token is malformed"
	switch e.Reason {
	case token.Expired:
		description = "the token has expired"
	case token.NotYetValid:
		description = "the token is not valid yet"
	case token.BadSignature:
		description = "crypto/rsa: verification error"
	case token.UnknownKey, token.NoKeyID:
		description = "the token does not have a valid kid"
	case token.BadAlgorithm:
		description = "signing method is invalid"
	case token.KeysUnavailable:
		description = "OIDC discovery endpoint communication error"
	case token.BadClaims:
		description = "the token does not have valid claims"
	}
	z.refuse(out, description)
}

// refuse says that the token is no good, in the form of RFC 6750, section 3, as AWS writes it.
func (z *jwt) refuse(out *Result, description string) {
	out.Refusal, out.Why = Unauthorized, description
	out.Challenge = z.challenge + ` error="invalid_token" error_description="` + description + `"`
}

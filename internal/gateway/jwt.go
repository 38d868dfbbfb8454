package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
	"github.com/gatehouse-dev/gatehouse/internal/token"
)

// jwtAuthorizer lets in who bears a token of its issuer for its audience, with one of the route's scopes
// if that has any.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
type jwtAuthorizer struct {
	*httpapis.Authorizer
	scopes    []string // the route's
	sources   []identitySource
	wantToken string // for the trace: where a token is looked for
	challenge string // start of www-authenticate: Bearer scope="…"
}

type identitySource struct {
	header string // canonical; or
	query  string
	name   string // as configured
}

func newJWT(r *httpapis.Route) *jwtAuthorizer {
	z := &jwtAuthorizer{Authorizer: r.Authorizer, scopes: r.Scopes, challenge: `Bearer scope="` + strings.Join(r.Scopes, " ") + `"`}
	names := make([]string, len(z.IdentitySources))
	for i, src := range z.IdentitySources {
		z.sources = append(z.sources, identitySource{header: http.CanonicalHeaderKey(src.Header), query: src.Query, name: src.String()})
		names[i] = src.String()
	}
	z.wantToken = "a token in " + strings.Join(names, " or ")
	return z
}

func (z *jwtAuthorizer) authorize(x *exchange) bool {
	raw, source := z.identity(x.r)
	if raw == "" {
		x.trace.Fail("identity source", "the request bears no token", "nothing", z.wantToken)
		x.refuse(http.StatusUnauthorized, "Unauthorized", "Bearer", "no token")
		return false
	}
	x.trace.Pass("identity source", source)
	t, err := x.g.Verifier.Verify(x.r.Context(), raw, z.Issuer)
	if err != nil {
		z.badToken(x, "jwt signature", err)
		return false
	}
	x.trace.Pass("jwt signature", z.Issuer)
	if t.Algorithm != "" && t.Algorithm[0] != 'R' && t.Algorithm[0] != 'P' {
		x.trace.Fail("jwt algorithm", "only RSA-based algorithms are supported", t.Algorithm, "RS256, RS384 or RS512")
		z.refuseToken(x, "signing method "+t.Algorithm+" is invalid")
		return false
	}
	if t.Issuer != z.Issuer && (t.Issuer == "" || x.g.SameIssuer == nil || !x.g.SameIssuer(t.Issuer, z.Issuer)) {
		x.trace.Fail("jwt issuer", "the token names another issuer than the authorizer", quoted(t.Issuer), quoted(z.Issuer))
		z.refuseToken(x, "the token does not have a valid issuer")
		return false
	}
	x.trace.Pass("jwt issuer", z.Issuer)
	if !z.audience(x, t) {
		return false
	}
	if t.Expiry.IsZero() {
		x.trace.Fail("jwt time", "the token has no expiry", "no exp", "exp later than now")
		z.refuseToken(x, "the token does not have a valid expiry")
		return false
	}
	if err := t.CheckTime(x.start, 0); err != nil {
		z.badToken(x, "jwt time", err)
		return false
	}
	x.trace.Pass("jwt time", "exp, nbf and iat")
	if len(z.scopes) > 0 {
		granted := t.Scopes()
		for _, s := range z.scopes {
			if slices.Contains(granted, s) {
				x.scopes = append(x.scopes, s)
			}
		}
		if len(x.scopes) == 0 {
			x.trace.Fail("jwt scopes", "the token has none of the route's scopes", quoted(strings.Join(granted, " ")), "one of: "+strings.Join(z.scopes, ", "))
			x.refuse(http.StatusForbidden, "Forbidden", z.challenge+` error="insufficient_scope" error_description="the token does not have any of the required scopes"`, "insufficient_scope")
			return false
		}
		x.trace.Pass("jwt scopes", x.scopes[0])
	}
	x.claims = t
	return true
}

func quoted(s string) string {
	if s == "" {
		return "none"
	}
	return `"` + s + `"`
}

// identity returns the token that the request bears, and where it was.
func (z *jwtAuthorizer) identity(r *http.Request) (raw, source string) {
	for i := range z.sources {
		src := &z.sources[i]
		if src.query == "" {
			if v := r.Header[src.header]; len(v) > 0 {
				raw = v[0]
			}
		} else {
			raw = queryValue(r.URL.RawQuery, src.query)
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

// queryValue returns the first value of a query parameter.
func queryValue(query, name string) string {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		if k, err := url.QueryUnescape(k); err != nil || k != name {
			continue
		}
		if v, err := url.QueryUnescape(v); err == nil {
			return v
		}
	}
	return ""
}

// audience checks aud, or client_id in a token that has no aud: an access token of a user pool.
func (z *jwtAuthorizer) audience(x *exchange, t *token.Token) bool {
	claim, values := "aud", t.Audience
	if _, ok := t.Claims["aud"]; !ok {
		claim = "client_id"
		if id := t.Text("client_id"); id != "" {
			for _, want := range z.Audience {
				if id == want {
					x.trace.Pass("jwt audience", want)
					return true
				}
			}
			values = []string{id}
		}
	}
	for _, v := range values {
		for _, want := range z.Audience {
			if v == want {
				x.trace.Pass("jwt audience", want)
				return true
			}
		}
	}
	if x.trace != nil {
		got := "neither aud nor client_id"
		if len(values) > 0 {
			got = claim + " " + strings.Join(values, ", ")
		}
		x.trace.Fail("jwt audience", "the token is for somebody else", got, "one of: "+strings.Join(z.Audience, ", "))
	}
	z.refuseToken(x, "the token does not have a valid audience")
	return false
}

// badToken refuses for what package token found.
func (z *jwtAuthorizer) badToken(x *exchange, step string, err error) {
	var e *token.Error
	if !errors.As(err, &e) {
		x.g.Logger.Error("token cannot be verified", "error", err)
		x.trace.Fail(step, "the token cannot be verified", "", "")
		z.refuseToken(x, "the token cannot be verified")
		return
	}
	detail := e.Detail
	if e.Cause != nil {
		detail += ": " + e.Cause.Error()
	}
	x.trace.Fail(step, detail, e.Got, e.Want)
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
	z.refuseToken(x, description)
}

// refuseToken answers that the token is no good, in the form of RFC 6750, section 3, as AWS writes it.
func (z *jwtAuthorizer) refuseToken(x *exchange, description string) {
	x.refuse(http.StatusUnauthorized, "Unauthorized", z.challenge+` error="invalid_token" error_description="`+description+`"`, description)
}

// refuse answers for an authorizer; why is for the access log.
func (x *exchange) refuse(status int, message, challenge, why string) {
	x.authorizerError = why
	x.w.Header()["Www-Authenticate"] = []string{challenge}
	x.fail(status, message)
}

// appendContext: in format 1.0 the claims stand where authorizers of REST APIs put them.
func (z *jwtAuthorizer) appendContext(b []byte, x *exchange, format string) []byte {
	if format == "2.0" {
		b = append(b, `{"jwt":`...)
	}
	b = append(b, `{"claims":`...)
	b = append(b, x.g.claims.of(x.claims)...)
	b = append(b, `,"scopes":`...)
	if x.scopes == nil {
		b = append(b, "null"...)
	} else {
		b = appendList(b, x.scopes)
	}
	b = append(b, '}')
	if format == "2.0" {
		b = append(b, '}')
	}
	return b
}

// claimText writes a claim as AWS hands it to functions: text as it is, anything else as Go prints it, so
// a list is [a b].
func claimText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return fmt.Sprint(v)
}

// claimsCache keeps the claims of verified tokens as they stand in events.
type claimsCache struct {
	mu   sync.RWMutex
	text map[*token.Token][]byte
}

const maxClaims = 4096 // tokens in a claimsCache

// of returns {"sub":"…", …}.
func (c *claimsCache) of(t *token.Token) []byte {
	c.mu.RLock()
	b := c.text[t]
	c.mu.RUnlock()
	if b != nil {
		return b
	}
	names := make([]string, 0, len(t.Claims))
	for k := range t.Claims {
		names = append(names, k)
	}
	slices.Sort(names)
	b = []byte{'{'}
	for i, k := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
		b = append(b, ':')
		b = appendString(b, claimText(t.Claims[k]))
	}
	b = append(b, '}')
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.text == nil || len(c.text) >= maxClaims {
		c.text = map[*token.Token][]byte{}
	}
	c.text[t] = b
	return b
}

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

	"github.com/gatehouse-dev/gatehouse/internal/token"
)

// authorize lets the request in if it bears a token that the route's JWT authorizer takes.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
func (x *exchange) authorize() bool {
	p, z := x.route, x.route.Authorizer
	raw, source := x.identity()
	if raw == "" {
		x.trace.Fail("identity source", "the request bears no token", "nothing", p.wantToken)
		x.refuse(http.StatusUnauthorized, "Unauthorized", "Bearer", "no token")
		return false
	}
	x.trace.Pass("identity source", source)
	t, err := x.g.Verifier.Verify(x.r.Context(), raw, z.Issuer)
	if err != nil {
		x.badToken("jwt signature", err)
		return false
	}
	x.trace.Pass("jwt signature", z.Issuer)
	if t.Algorithm != "" && t.Algorithm[0] != 'R' && t.Algorithm[0] != 'P' {
		x.trace.Fail("jwt algorithm", "only RSA-based algorithms are supported", t.Algorithm, "RS256, RS384 or RS512")
		x.refuseToken("signing method " + t.Algorithm + " is invalid")
		return false
	}
	if t.Issuer != z.Issuer && (t.Issuer == "" || x.g.SameIssuer == nil || !x.g.SameIssuer(t.Issuer, z.Issuer)) {
		x.trace.Fail("jwt issuer", "the token names another issuer than the authorizer", quoted(t.Issuer), quoted(z.Issuer))
		x.refuseToken("the token does not have a valid issuer")
		return false
	}
	x.trace.Pass("jwt issuer", z.Issuer)
	if !x.audience(t) {
		return false
	}
	if t.Expiry.IsZero() {
		x.trace.Fail("jwt time", "the token has no expiry", "no exp", "exp later than now")
		x.refuseToken("the token does not have a valid expiry")
		return false
	}
	if err := t.CheckTime(x.start, 0); err != nil {
		x.badToken("jwt time", err)
		return false
	}
	x.trace.Pass("jwt time", "exp, nbf and iat")
	if len(p.Scopes) > 0 {
		granted := t.Scopes()
		for _, s := range p.Scopes {
			if slices.Contains(granted, s) {
				x.scopes = append(x.scopes, s)
			}
		}
		if len(x.scopes) == 0 {
			x.trace.Fail("jwt scopes", "the token has none of the route's scopes", quoted(strings.Join(granted, " ")), "one of: "+strings.Join(p.Scopes, ", "))
			x.refuse(http.StatusForbidden, "Forbidden", p.challenge+` error="insufficient_scope" error_description="the token does not have any of the required scopes"`, "insufficient_scope")
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
func (x *exchange) identity() (raw, source string) {
	for i := range x.route.sources {
		src := &x.route.sources[i]
		if src.query == "" {
			if v := x.r.Header[src.header]; len(v) > 0 {
				raw = v[0]
			}
		} else {
			raw = queryValue(x.r.URL.RawQuery, src.query)
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
func (x *exchange) audience(t *token.Token) bool {
	claim, values := "aud", t.Audience
	if _, ok := t.Claims["aud"]; !ok {
		claim = "client_id"
		if id := t.Text("client_id"); id != "" {
			for _, want := range x.route.Authorizer.Audience {
				if id == want {
					x.trace.Pass("jwt audience", want)
					return true
				}
			}
			values = []string{id}
		}
	}
	for _, v := range values {
		for _, want := range x.route.Authorizer.Audience {
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
		x.trace.Fail("jwt audience", "the token is for somebody else", got, "one of: "+strings.Join(x.route.Authorizer.Audience, ", "))
	}
	x.refuseToken("the token does not have a valid audience")
	return false
}

// badToken refuses for what package token found.
func (x *exchange) badToken(step string, err error) {
	var e *token.Error
	if !errors.As(err, &e) {
		x.g.Logger.Error("token cannot be verified", "error", err)
		x.trace.Fail(step, "the token cannot be verified", "", "")
		x.refuseToken("the token cannot be verified")
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
	x.refuseToken(description)
}

// refuseToken answers that the token is no good, in the form of RFC 6750, section 3, as AWS writes it.
func (x *exchange) refuseToken(description string) {
	x.refuse(http.StatusUnauthorized, "Unauthorized", x.route.challenge+` error="invalid_token" error_description="`+description+`"`, description)
}

func (x *exchange) refuse(status int, message, challenge, why string) {
	x.authorizerError = why
	x.w.Header()["Www-Authenticate"] = []string{challenge}
	x.fail(status, message)
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

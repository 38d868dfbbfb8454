// Package token verifies JSON Web Tokens of any issuer: of local user pools and of OpenID Connect
// providers elsewhere.
//
// Verification is of structure and signature only, and strict. A token is the compact form, of bounded
// size, in canonical base64url, with no name twice in one object. Its algorithm is an asymmetric one,
// fits the key, and is the key's own where the key names one; its kid names exactly one key of the
// issuer; it has no critical extensions. What a token says of its keys (jwk, jku, x5c, x5u) is not
// looked at. The claims are the caller's to judge: iss, aud, exp, scope are for an authorizer, which
// knows what it wants. [Token.CheckTime] helps with the times.
//
// A verified token is kept in a bounded cache under its whole text, so that the next request that bears
// it costs a map look-up. An entry dies when the issuer's keys change: each [KeySource] has a version.
//
// JOSE itself is go-jose's work: parsing of keys, and the signature. The reasons for refusal are of type
// [*Error], made for an explanation, not for the caller of an API, who only learns "Unauthorized".
//
// RFC 7515 (JWS), RFC 7517 (JWK), RFC 7519 (JWT), RFC 8725 (best current practice), OpenID Connect
// Discovery 1.0.
package token

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Token is a verified token. It is shared between requests: it and what it holds must not be modified.
type Token struct {
	Raw       string
	Header    map[string]any // numbers are json.Number
	Claims    map[string]any // numbers are json.Number
	KeyID     string
	Algorithm string

	// Registered claims, zero where the token has none. Times are those of exp, nbf and iat.
	Issuer    string
	Subject   string
	Audience  []string
	Expiry    time.Time
	NotBefore time.Time
	IssuedAt  time.Time
}

// Text returns the value of a claim that is a string, or "".
func (t *Token) Text(claim string) string {
	s, _ := t.Claims[claim].(string)
	return s
}

// Scopes returns the scopes that the token grants: those of claim scope, a string of words, or, where
// that is absent, of scp, a string or a list of strings.
func (t *Token) Scopes() []string {
	v, ok := t.Claims["scope"]
	if !ok {
		v = t.Claims["scp"]
	}
	switch v := v.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		var out []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, strings.Fields(s)...)
			}
		}
		return out
	}
	return nil
}

// CheckTime returns an error unless now lies between the token's times, give or take the leeway. A
// token without a time passes that check.
func (t *Token) CheckTime(now time.Time, leeway time.Duration) error {
	iso := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	switch {
	case !t.Expiry.IsZero() && !now.Before(t.Expiry.Add(leeway)):
		return &Error{Reason: Expired, Detail: "the token has expired", Got: "exp " + iso(t.Expiry), Want: "later than " + iso(now)}
	case now.Add(leeway).Before(t.NotBefore):
		return &Error{Reason: NotYetValid, Detail: "the token is not valid yet", Got: "nbf " + iso(t.NotBefore), Want: "no later than " + iso(now)}
	case now.Add(leeway).Before(t.IssuedAt):
		return &Error{Reason: NotYetValid, Detail: "the token was issued in the future", Got: "iat " + iso(t.IssuedAt), Want: "no later than " + iso(now)}
	}
	return nil
}

// The reasons for which a token is refused, as words for machines.
const (
	Malformed       = "malformed"        // not a JWT in compact form
	TooLarge        = "too_large"        // longer than MaxSize
	BadAlgorithm    = "bad_algorithm"    // none, symmetric, unknown, or not the key's
	Critical        = "critical"         // needs an extension
	NoKeyID         = "no_key_id"        // has no kid
	UnknownKey      = "unknown_key"      // kid names no usable key of the issuer
	BadSignature    = "bad_signature"    // the key says no
	BadClaims       = "bad_claims"       // the claims are not an object, or a registered one has a wrong type
	KeysUnavailable = "keys_unavailable" // the issuer's keys cannot be had; not the token's fault
	Expired         = "expired"          // see CheckTime
	NotYetValid     = "not_yet_valid"    // see CheckTime
)

// Error says why a token was refused. It never holds the token.
type Error struct {
	Reason string // one of the constants
	Detail string // a sentence for people
	Got    string // what the token has, if one thing is at fault
	Want   string // what would have passed
	Cause  error
}

func (e *Error) Error() string {
	s := "token: " + e.Detail
	if e.Got != "" || e.Want != "" {
		s += fmt.Sprintf(" (got %s, want %s)", e.Got, e.Want)
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// setRegistered fills in the fields for the registered claims.
func (t *Token) setRegistered() error {
	var err error
	text := func(name string) string {
		v, ok := t.Claims[name]
		s, isString := v.(string)
		if ok && !isString && err == nil {
			err = &Error{Reason: BadClaims, Detail: "claim " + name + " is not a string"}
		}
		return s
	}
	date := func(name string) time.Time {
		v, ok := t.Claims[name]
		if !ok {
			return time.Time{}
		}
		n, isNumber := v.(json.Number)
		f, e := n.Float64()
		if !isNumber || e != nil || math.Abs(f) > 1<<40 { // the year 36,812
			if err == nil {
				err = &Error{Reason: BadClaims, Detail: "claim " + name + " is not a time in seconds"}
			}
			return time.Time{}
		}
		sec, frac := math.Modf(f)
		return time.Unix(int64(sec), int64(frac*1e9))
	}
	t.Issuer, t.Subject = text("iss"), text("sub")
	t.Expiry, t.NotBefore, t.IssuedAt = date("exp"), date("nbf"), date("iat")
	switch aud := t.Claims["aud"].(type) {
	case nil:
	case string:
		t.Audience = []string{aud}
	case []any:
		for _, a := range aud {
			s, ok := a.(string)
			if !ok {
				return &Error{Reason: BadClaims, Detail: "claim aud is not a string or a list of strings"}
			}
			t.Audience = append(t.Audience, s)
		}
	default:
		return &Error{Reason: BadClaims, Detail: "claim aud is not a string or a list of strings"}
	}
	t.Audience = slices.Clip(t.Audience)
	return err
}

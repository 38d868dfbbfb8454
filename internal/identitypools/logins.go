package identitypools

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/token"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

// kind says what vouches for a login.
type kind uint8

const (
	userPool  kind = iota // a user pool's ID token
	oidc                  // another OpenID Connect provider's
	saml                  // a SAML assertion
	developer             // the word of the pool's owner, in a signed call
	own                   // a token that this service has issued for an identity
)

// login is a verified login.
type login struct {
	kind     kind
	provider string // its name in Logins, and in the tables
	arn      string // of IAM's provider, if it is one
	subject  string
	audience string

	claims     map[string]any      // of a token
	attributes map[string][]string // of an assertion

	identity uid               // of kind own: whose token it is,
	amr      []string          // how that one had logged in,
	tags     map[string]string // and the session tags in the token
}

func (l *login) link() link { return link{l.provider, l.subject} }

// methods are what the login adds to the claim amr. pool is the identity pool's id.
func (l *login) methods(pool string) []string {
	switch l.kind {
	case userPool:
		return []string{l.provider, l.provider + ":CognitoSignIn:" + l.subject}
	case oidc:
		if l.arn != "" {
			return []string{l.provider, l.provider + ":OIDC:" + l.subject}
		}
		return []string{l.provider, l.provider + ":" + l.audience + ":" + l.subject}
	case developer:
		return []string{l.provider, l.provider + ":" + pool + ":" + l.subject}
	case own:
		return l.amr
	}
	return []string{l.provider, l.provider + ":" + l.subject}
}

// claim returns the values of a claim, or of an attribute of an assertion, as text; none if there is no
// such claim or it is no scalar and no list of these.
func (l *login) claim(name string) []string {
	if l.attributes != nil {
		return l.attributes[name]
	}
	if name == "aud" && l.audience != "" {
		return []string{l.audience}
	}
	return texts(l.claims[name])
}

func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case json.Number:
		return []string{v.String()}
	case bool:
		return []string{strconv.FormatBool(v)}
	case []any:
		var list []string
		for _, e := range v {
			if _, nested := e.([]any); !nested {
				list = append(list, texts(e)...)
			}
		}
		return list
	}
	return nil
}

// clockSkew is how far the clock of an issuer may be ahead.
const clockSkew = 5 * time.Minute

// verify verifies all logins of a call, in the order of their providers' names. If developers is true, the
// pool's developer provider is among those that may stand there, and is taken by its word.
func (s *Service) verify(ctx context.Context, p *Pool, logins map[string]string, developers bool) ([]*login, error) {
	list := make([]*login, 0, len(logins))
	for _, name := range slices.Sorted(maps.Keys(logins)) {
		l, err := s.verifyLogin(ctx, p, name, logins[name], developers)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(list, func(o *login) bool { return o.provider == l.provider }); i >= 0 && list[i].subject != l.subject {
			return nil, errLoginsDontMatch() // one provider under two of its names
		} else if i < 0 {
			list = append(list, l)
		}
	}
	return list, nil
}

func (s *Service) verifyLogin(ctx context.Context, p *Pool, name, raw string, developers bool) (*login, error) {
	tr := trace.From(ctx)
	if name == p.developer() && name != "" {
		if !developers {
			tr.Fail("login", "a developer provider's users are vouched for by GetOpenIdTokenForDeveloperIdentity, a signed call, whose token is the login", name, Provider)
			return nil, errPublicProvider()
		}
		if len(raw) > 1024 {
			return nil, errInvalid("1 validation error detected: Value at 'logins' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 1024]")
		}
		tr.Pass("login", "developer provider "+name+", user "+raw)
		return &login{kind: developer, provider: name, subject: raw}, nil
	}
	l, err := s.verifyPublic(ctx, p, name, raw)
	if err == nil {
		tr.Pass("login", l.provider+": the token is good; sub "+l.subject)
	}
	return l, err
}

// verifyPublic verifies a login that comes with a token or an assertion.
func (s *Service) verifyPublic(ctx context.Context, p *Pool, name, raw string) (*login, error) {
	tr := trace.From(ctx)
	if name == Provider {
		return s.verifyOwn(ctx, p, raw)
	}
	if p.hasUserPool(name) {
		return s.verifyUserPool(ctx, p, name, raw)
	}
	if audience, ok := p.Config.SupportedLoginProviders[name]; ok {
		issuer := publicProviders[name].issuer
		if issuer == "" {
			tr.Fail("login", "logins of "+name+" can only be verified by asking that company's servers, which is not built", name, "a provider that issues ID tokens")
			return nil, cognitoidentity.ExternalServiceException("Logins of %s are not supported by this version of Gatehouse.", name)
		}
		t, aud, err := s.verifyToken(ctx, name, raw, issuer, func(iss string) bool { return iss == issuer || iss == strings.TrimPrefix(issuer, "https://") },
			strings.FieldsFunc(audience, func(r rune) bool { return r == ';' || r == ',' }))
		if err != nil {
			return nil, err
		}
		return &login{kind: oidc, provider: name, subject: t.Subject, audience: aud, claims: t.Claims}, nil
	}
	for _, a := range p.Config.OpenIdConnectProviderARNs {
		if name == a || name == oidcName(a) {
			return s.verifyOIDC(ctx, a, raw)
		}
	}
	if slices.Contains(p.Config.SamlProviderARNs, name) && s.o.SAML != nil {
		a, err := s.o.SAML(ctx, name, raw)
		if e := (*shape.Error)(nil); errors.As(err, &e) {
			tr.Fail("login", "the SAML response is refused: "+e.Message, name, "a response that the provider has signed")
			return nil, errToken("%s", e.Message)
		}
		if err != nil {
			return nil, err
		}
		if a.Subject == "" {
			return nil, errToken("Missing a required element: NameID")
		}
		return &login{kind: saml, provider: name, arn: name, subject: a.Subject, attributes: withSubject(a)}, nil
	}
	tr.Fail("login", "the identity pool has no such provider", name, strings.Join(p.providerNames(), ", "))
	return nil, errProvider()
}

// withSubject returns an assertion's attributes with its NameID among them, under the name that the
// default map of principal tags has for it.
func withSubject(a *Assertion) map[string][]string {
	m := map[string][]string{}
	maps.Copy(m, a.Attributes)
	for _, name := range []string{"sub", defaultSAMLTags["client"]} {
		if m[name] == nil {
			m[name] = []string{a.Subject}
		}
	}
	return m
}

// providerNames are the names that may stand in Logins.
func (p *Pool) providerNames() []string {
	var names []string
	for _, u := range p.Config.CognitoIdentityProviders {
		names = append(names, shape.Val(u.ProviderName))
	}
	names = append(names, slices.Sorted(maps.Keys(p.Config.SupportedLoginProviders))...)
	for _, a := range p.Config.OpenIdConnectProviderARNs {
		names = append(names, oidcName(a))
	}
	return slices.Compact(append(names, p.Config.SamlProviderARNs...))
}

// verifyUserPool verifies an ID token of a user pool.
func (s *Service) verifyUserPool(ctx context.Context, p *Pool, name, raw string) (*login, error) {
	tr := trace.From(ctx)
	issuer := "https://" + name
	poolID := name[strings.LastIndexByte(name, '/')+1:]
	var clients []string
	for _, u := range p.Config.CognitoIdentityProviders {
		if shape.Val(u.ProviderName) == name {
			clients = append(clients, shape.Val(u.ClientId))
		}
	}
	t, client, err := s.verifyToken(ctx, name, raw, issuer, func(iss string) bool {
		if iss == issuer {
			return true
		}
		id, ok := s.o.UserPools.IssuerPool(ctx, iss) // the server's own form
		other, ok2 := s.o.UserPools.IssuerPool(ctx, issuer)
		return ok && ok2 && id == other
	}, clients)
	if err != nil {
		return nil, err
	}
	if use := t.Text("token_use"); use != "id" {
		tr.Fail("login", "the token is no ID token", "token_use "+strconv.Quote(use), `token_use "id"`)
		return nil, errToken("Not a valid OpenId Connect identity token.")
	}
	for _, u := range p.Config.CognitoIdentityProviders {
		if shape.Val(u.ProviderName) != name || shape.Val(u.ClientId) != client || !shape.Val(u.ServerSideTokenCheck) {
			continue
		}
		err := s.o.UserPools.CheckIDToken(ctx, poolID, t.Claims)
		if e := (*shape.Error)(nil); errors.As(err, &e) {
			tr.Fail("login", "the user pool no longer stands by the token (ServerSideTokenCheck): "+e.Message, "sub "+t.Subject, "a user who is there, enabled and signed in")
			return nil, errToken("%s", e.Message)
		}
		if err != nil {
			return nil, err
		}
	}
	return &login{kind: userPool, provider: name, subject: t.Subject, audience: client, claims: t.Claims}, nil
}

// verifyOIDC verifies an ID token of a provider that IAM knows.
func (s *Service) verifyOIDC(ctx context.Context, arn, raw string) (*login, error) {
	tr, name := trace.From(ctx), oidcName(arn)
	if s.o.OIDCProvider == nil {
		tr.Fail("login", "IAM has no OpenID Connect provider of that name", arn, "one that exists")
		return nil, errProvider()
	}
	provider, err := s.o.OIDCProvider(ctx, arn)
	if e := (*shape.Error)(nil); errors.As(err, &e) {
		tr.Fail("login", "IAM has no OpenID Connect provider of that name", arn, "one that exists")
		return nil, errProvider()
	}
	if err != nil {
		return nil, err
	}
	issuer := provider.URL
	if !strings.Contains(issuer, "://") {
		issuer = "https://" + issuer
	}
	t, aud, err := s.verifyToken(ctx, name, raw, issuer, func(iss string) bool {
		return strings.TrimSuffix(iss, "/") == strings.TrimSuffix(issuer, "/")
	}, provider.ClientIDs)
	if err != nil {
		return nil, err
	}
	return &login{kind: oidc, provider: name, arn: arn, subject: t.Subject, audience: aud, claims: t.Claims}, nil
}

// verifyOwn verifies a token that this service has issued for an identity of the pool.
func (s *Service) verifyOwn(ctx context.Context, p *Pool, raw string) (*login, error) {
	t, _, err := s.verifyToken(ctx, Provider, raw, Issuer, func(iss string) bool { return iss == Issuer }, []string{p.id()})
	if err != nil {
		return nil, err
	}
	region, id, ok := parseID(t.Subject)
	amr := texts(t.Claims["amr"])
	if !ok || region != p.Region || len(amr) == 0 || amr[0] != amrAuthenticated {
		trace.From(ctx).Fail("login", "the token is not one of an authenticated identity", strings.Join(amr, ", "), amrAuthenticated)
		return nil, errToken("Not a Cognito token.")
	}
	return &login{kind: own, provider: Provider, subject: t.Subject, audience: p.id(), claims: t.Claims, identity: id, amr: amr[1:], tags: tokenTags(t.Claims)}, nil
}

// verifyToken verifies a token: signature, issuer, times, and that one of its audiences is among those
// given, which it returns.
func (s *Service) verifyToken(ctx context.Context, provider, raw, issuer string, from func(iss string) bool, audiences []string) (*token.Token, string, error) {
	tr := trace.From(ctx)
	t, err := s.o.Verifier.Verify(ctx, raw, issuer)
	if err != nil {
		return nil, "", refused(ctx, provider, raw, from, err)
	}
	if !from(t.Issuer) {
		tr.Fail("login", "the token is not one of the provider", "iss "+strconv.Quote(t.Issuer), "the issuer of "+provider)
		return nil, "", errToken("Issuer doesn't match providerName")
	}
	for _, c := range []struct {
		name    string
		missing bool
	}{{"aud", len(t.Audience) == 0}, {"sub", t.Subject == ""}, {"exp", t.Expiry.IsZero()}} {
		if c.missing {
			detail := "the token lacks a claim"
			if use := t.Text("token_use"); use == "access" {
				detail += ": it is an access token"
			}
			tr.Fail("login", detail, "no "+c.name, "an ID token, with "+c.name)
			return nil, "", errToken("Missing a required claim: %s", c.name)
		}
	}
	now := s.now()
	if !now.Before(t.Expiry) {
		tr.Fail("login", "the token has expired", "exp "+t.Expiry.UTC().Format("2006-01-02T15:04:05Z"), "a later time than "+now.UTC().Format("2006-01-02T15:04:05Z"))
		return nil, "", errToken("Token expired: %d >= %d", now.Unix(), t.Expiry.Unix())
	}
	if err := t.CheckTime(now, clockSkew); err != nil {
		tr.Fail("login", err.Error(), "nbf or iat", "a time that has come")
		return nil, "", errToken("Token is not valid yet.")
	}
	for _, aud := range t.Audience {
		if slices.Contains(audiences, aud) {
			return t, aud, nil
		}
	}
	tr.Fail("login", "the token is not for a client that the identity pool knows of "+provider, "aud "+strings.Join(t.Audience, ", "), strings.Join(audiences, ", "))
	return nil, "", errProvider()
}

// refused says why a token did not verify. The issuer that the token claims is looked at for no other
// purpose than a better word: a token of another issuer never passes.
func refused(ctx context.Context, provider, raw string, from func(string) bool, err error) error {
	var e *token.Error
	if !errors.As(err, &e) {
		return err
	}
	tr := trace.From(ctx)
	switch e.Reason {
	case token.Malformed, token.TooLarge, token.BadClaims:
		tr.Fail("login", provider+": "+e.Detail, e.Got, e.Want)
		if provider == Provider {
			return errToken("Not a Cognito token.")
		}
		return errToken("Not a valid OpenId Connect identity token.")
	case token.KeysUnavailable:
		tr.Fail("login", provider+": "+e.Detail, e.Got, e.Want)
		x := cognitoidentity.ExternalServiceException("The keys of %s cannot be had.", provider)
		x.Cause = err
		return x
	}
	if iss, ok := claimedIssuer(raw); ok && !from(iss) {
		tr.Fail("login", "the token is not one of the provider", "iss "+strconv.Quote(iss), "the issuer of "+provider)
		return errToken("Issuer doesn't match providerName")
	}
	tr.Fail("login", fmt.Sprintf("%s: %s", provider, e.Detail), e.Got, e.Want)
	return errToken("Couldn't verify signed token.")
}

func claimedIssuer(raw string) (string, bool) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", false
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c struct {
		Issuer string `json:"iss"`
	}
	ok := err == nil && json.Unmarshal(b, &c) == nil
	return c.Issuer, ok
}

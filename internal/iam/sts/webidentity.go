package sts

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/token"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// The providers that AWS knows without being told of them.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-federated-web-identity
const (
	cognito = "cognito-identity.amazonaws.com"
	google  = "accounts.google.com"
)

const (
	claimTags       = "https://aws.amazon.com/tags"
	claimSourceID   = "https://aws.amazon.com/source_identity"
	claimTag        = claimTags + "/principal_tags/"
	claimTransitive = claimTags + "/transitive_tag_keys"
)

// tokenLeeway is how far an issuer's clock may be ahead.
const tokenLeeway = 5 * time.Minute

// AssumeRoleWithWebIdentity gives a role to the bearer of a token.
func (s *Service) AssumeRoleWithWebIdentity(ctx context.Context, in *sts.AssumeRoleWithWebIdentityRequest) (*sts.AssumeRoleWithWebIdentityResponse, error) {
	if in.MinimumSessionTokenSize != nil {
		return nil, unsupported("MinimumSessionTokenSize")
	}
	if p := shape.Val(in.ProviderId); p != "" { // only of OAuth 2.0 access tokens
		return nil, unsupported("ProviderId " + p)
	}
	who, err := s.verifyToken(ctx, in.WebIdentityToken)
	if err != nil {
		return nil, err
	}
	req := &session.RoleRequest{RoleARN: in.RoleArn, SessionName: in.RoleSessionName, WebIdentity: who}
	if req.Policies, req.PolicyARNs, err = s.limits(ctx, in.Policy, in.PolicyArns); err != nil {
		return nil, err
	}
	ses, d, err := s.webSession(ctx, req, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	size, err := packed(ses)
	if err != nil {
		return nil, err
	}
	creds, err := s.issue(ses, d)
	if err != nil {
		return nil, err
	}
	return &sts.AssumeRoleWithWebIdentityResponse{Credentials: credentials(creds), AssumedRoleUser: assumed(ses), PackedPolicySize: size,
		SubjectFromWebIdentityToken: &who.Subject, Audience: textOrNil(strings.Join(who.Audience, ",")), Provider: &who.Provider,
		SourceIdentity: textOrNil(who.SourceIdentity)}, nil
}

// AssumeWithWebIdentity gives a role to somebody whose token has been verified already, or who needs none,
// if the role's trust policy lets it. Duration 0 is an hour. ctx must carry the call that it is for. The
// error is a *shape.Error of code AccessDenied where the role is not there or does not trust.
func (s *Service) AssumeWithWebIdentity(ctx context.Context, req *session.RoleRequest) (session.Credentials, *session.Session, error) {
	var wanted *int64
	if req.Duration > 0 {
		wanted = shape.Ptr(int64(req.Duration / time.Second))
	}
	if err := s.o.IAM.CheckSessionPolicies(ctx, req.Policies, req.PolicyARNs); err != nil {
		return session.Credentials{}, nil, err
	}
	ses, d, err := s.webSession(ctx, req, wanted)
	if err != nil {
		return session.Credentials{}, nil, err
	}
	c, err := s.issue(ses, d)
	return c, ses, err
}

// webSession begins a session, if the trust policy lets.
func (s *Service) webSession(ctx context.Context, req *session.RoleRequest, wanted *int64) (*session.Session, time.Duration, error) {
	call, who := wire.CallFrom(ctx), req.WebIdentity
	t, err := newTags(tagList(who.Tags), who.Transitive, nil)
	if err != nil {
		return nil, 0, err
	}
	role, err := s.role(ctx, req.RoleARN)
	if err != nil {
		return nil, 0, err
	}
	if role == nil {
		return nil, 0, notFederated(actWebIdentity)
	}
	about := t.about(call, role, req.SessionName, who.SourceIdentity)
	for key, values := range who.Context {
		about.Set(key, values...)
	}
	p := policy.Principal{Type: policy.WebIdentity, Provider: who.Provider}
	if !trusts(ctx, role, p, about, actions(actWebIdentity, &t, who.SourceIdentity)...) {
		return nil, 0, notFederated(actWebIdentity)
	}
	d, err := lasts(role, wanted)
	if err != nil {
		return nil, 0, err
	}
	ses := roleSession(call.Account, role, req.SessionName, &t)
	ses.Policies, ses.PolicyARNs = req.Policies, req.PolicyARNs
	ses.Provider, ses.Context, ses.SourceIdentity = who.Provider, who.Context, who.SourceIdentity
	return ses, d, nil
}

func tagList(m map[string]string) []sts.Tag {
	var list []sts.Tag
	for key, value := range m {
		list = append(list, sts.Tag{Key: key, Value: value})
	}
	slices.SortFunc(list, func(a, b sts.Tag) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// verifyToken returns who bears a token of an issuer that the account trusts.
func (s *Service) verifyToken(ctx context.Context, raw string) (*session.WebIdentity, error) {
	if s.o.Verifier == nil {
		return nil, unsupported("WebIdentityToken")
	}
	iss, ok := issuer(raw)
	if !ok {
		trace.From(ctx).Fail("web identity token", "not a JWT with an issuer", "", "an ID token")
		return nil, invalidToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	p, err := s.provider(ctx, iss)
	if err != nil {
		return nil, err
	}
	t, err := s.o.Verifier.Verify(ctx, raw, p.issuer)
	if err != nil {
		return nil, refusedToken(ctx, err)
	}
	if t.Issuer != iss {
		return nil, refusedToken(ctx, &token.Error{Reason: token.BadClaims, Detail: "the token has more than one issuer", Got: t.Issuer, Want: iss})
	}
	return s.readToken(ctx, t, p)
}

// issuer reads the issuer in a token that is not verified yet: whose keys to look for.
func issuer(raw string) (string, bool) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || len(raw) > token.MaxSize {
		return "", false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return "", false
	}
	return claims.Issuer, claims.Issuer != ""
}

// provider is an issuer of tokens.
type provider struct {
	name    string   // as Federated in trust policies names it
	prefix  string   // of condition keys
	issuer  string   // whose keys sign
	clients []string // whom tokens may be for; nil: anybody, the trust policy decides
}

func (s *Service) provider(ctx context.Context, iss string) (*provider, error) {
	switch strings.TrimPrefix(iss, "https://") {
	case cognito:
		return &provider{name: cognito, prefix: cognito, issuer: "https://" + cognito}, nil
	case google:
		return &provider{name: google, prefix: google, issuer: "https://" + google}, nil
	}
	if strings.HasPrefix(iss, "https://") {
		p, err := s.o.IAM.OIDCProvider(ctx, iss)
		if err == nil {
			return &provider{name: p.ARN, prefix: strings.ToLower(p.URL), issuer: iss, clients: append([]string{}, p.ClientIDs...)}, nil
		}
		if !shape.HasCode(err, "NoSuchEntity") {
			return nil, err
		}
	}
	trace.From(ctx).Fail("web identity provider", "the account knows no such issuer", iss, "the URL of an OpenID Connect provider in IAM")
	return nil, invalidToken("No OpenIDConnect provider found in your account for %s", iss)
}

// refusedToken words why a token does not verify.
func refusedToken(ctx context.Context, err error) error {
	var e *token.Error
	if !errors.As(err, &e) {
		return err
	}
	trace.From(ctx).Fail("web identity token", e.Detail, e.Got, e.Want)
	switch e.Reason {
	case token.KeysUnavailable, token.UnknownKey, token.NoKeyID:
		return invalidToken("Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements")
	case token.BadSignature:
		return invalidToken("The web identity token that was passed could not be validated by AWS. Get a new identity token from the identity provider and then retry the request.")
	}
	return invalidToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
}

// readToken takes from a verified token what is in it for AWS.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html#manage-oidc-provider-prerequisites
func (s *Service) readToken(ctx context.Context, t *token.Token, p *provider) (*session.WebIdentity, error) {
	now := s.o.Now()
	fail := func(detail, got, want string, err error) (*session.WebIdentity, error) {
		trace.From(ctx).Fail("web identity token", detail, got, want)
		return nil, err
	}
	for _, c := range []struct {
		name string
		ok   bool
	}{{"iss", t.Issuer != ""}, {"sub", t.Subject != ""}, {"aud", len(t.Audience) > 0}, {"exp", !t.Expiry.IsZero()}, {"iat", !t.IssuedAt.IsZero()}} {
		if !c.ok {
			return fail("a claim is missing", "", c.name, invalidToken("Missing a required claim: %s", c.name))
		}
	}
	if !now.Before(t.Expiry) {
		return fail("the token has expired", "exp "+t.Expiry.UTC().Format(time.RFC3339), "", sts.ExpiredTokenException(
			"Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), t.Expiry.Unix()))
	}
	if from := now.Add(tokenLeeway); t.NotBefore.After(from) || t.IssuedAt.After(from) {
		return fail("the token is not valid yet", "", "", invalidToken("The ID Token provided is not valid yet: current date/time %d", now.Unix()))
	}
	audience := t.Audience
	if azp := t.Text("azp"); azp != "" {
		audience = []string{azp}
	}
	if p.clients != nil && !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(p.clients, a) }) {
		return fail("the token is for another client", strings.Join(audience, ", "), strings.Join(p.clients, ", "), invalidToken("Incorrect token audience"))
	}
	who := &session.WebIdentity{Provider: p.name, Subject: t.Subject, Audience: audience, Context: map[string][]string{
		p.prefix + ":aud": audience, p.prefix + ":sub": {t.Subject}}}
	if p.name != cognito {
		who.Context[p.prefix+":oaud"] = t.Audience
	}
	if amr := texts(t.Claims["amr"]); len(amr) > 0 {
		who.Context[p.prefix+":amr"] = amr
	}
	if email := t.Text("email"); p.name != cognito && email != "" {
		who.Context[p.prefix+":email"] = []string{email}
	}
	if err := readTags(who, t); err != nil {
		return fail("the token's tags cannot be used", "", "a text for each key", err)
	}
	if !checkSourceIdentity(who.SourceIdentity) {
		return fail("the token's source identity cannot be used", "", "", invalidToken("Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with \"aws:\""))
	}
	return who, nil
}

// readTags takes session tags and the source identity from a token's claims, nested or flat.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_adding-assume-role-idp
func readTags(who *session.WebIdentity, t *token.Token) error {
	who.SourceIdentity = t.Text(claimSourceID)
	tags := map[string]any{}
	var transitive any
	if c, ok := t.Claims[claimTags].(map[string]any); ok {
		if list, ok := c["principal_tags"].(map[string]any); ok {
			tags = list
		}
		transitive = c["transitive_tag_keys"]
	} else {
		for name, value := range t.Claims {
			if key, ok := strings.CutPrefix(name, claimTag); ok {
				tags[key] = value
			}
		}
		transitive = t.Claims[claimTransitive]
	}
	for key, value := range tags {
		v := texts(value)
		if len(v) != 1 || len([]rune(key)) > maxTagKey || len([]rune(v[0])) > maxTagValue || key == "" {
			return invalidToken("The session tag %q must have a single value; keys have at most %d characters, values %d.", key, maxTagKey, maxTagValue)
		}
		if who.Tags == nil {
			who.Tags = map[string]string{}
		}
		who.Tags[key] = v[0]
	}
	who.Transitive = texts(transitive)
	return nil
}

const maxTagKey, maxTagValue = 128, 256

// texts returns a claim that is a text or a list of texts; nil for anything else.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil
			}
			out = append(out, s)
		}
		return out
	}
	return nil
}

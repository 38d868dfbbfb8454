package identitypools

import (
	"context"
	"maps"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// roleKeys returns the names under which a role mapping of a login may stand, the closest first.
func (p *Pool) roleKeys(l *login) []string {
	if l.kind == userPool {
		return []string{l.provider + ":" + l.audience}
	}
	if l.arn != "" && l.arn != l.provider {
		return []string{l.provider, l.arn}
	}
	return []string{l.provider}
}

// mappable tells whether a role mapping, or a map of principal tags, can stand under the name.
func (p *Pool) mappable(name string) bool {
	for _, u := range p.Config.CognitoIdentityProviders {
		if name == shape.Val(u.ProviderName)+":"+shape.Val(u.ClientId) {
			return true
		}
	}
	if _, ok := p.Config.SupportedLoginProviders[name]; ok {
		return true
	}
	for _, a := range p.Config.OpenIdConnectProviderARNs {
		if name == a || name == oidcName(a) {
			return true
		}
	}
	for _, a := range p.Config.SamlProviderARNs {
		if name == a {
			return true
		}
	}
	return false
}

// oidcName is the name of an OpenID Connect provider in logins: its URL without https://.
func oidcName(arn string) string {
	_, name, _ := strings.Cut(arn, ":oidc-provider/")
	return name
}

// setRoles replaces the roles of a pool and their mappings.
func (s *Service) setRoles(ctx context.Context, in *cognitoidentity.SetIdentityPoolRolesInput, attachment string) error {
	_, err := s.changePool(ctx, in.IdentityPoolId, func(p *Pool) error {
		for _, role := range in.Roles {
			if !roleARN.MatchString(role) {
				return errInvalid("Invalid role ARN: %s", role)
			}
		}
		for name, m := range in.RoleMappings {
			if !p.mappable(name) {
				return errInvalid("(%s) is not a valid RoleMapping ProviderName or is not a configured provider.", name)
			}
			if err := checkMapping(&m); err != nil {
				return err
			}
		}
		p.Roles, p.RoleMappings, p.Attachment = in.Roles, in.RoleMappings, attachment
		return nil
	})
	return err
}

func checkMapping(m *cognitoidentity.RoleMapping) error {
	if m.AmbiguousRoleResolution == nil {
		return errInvalid("AmbiguousRoleResolution is required for role mappings of type %s.", m.Type)
	}
	rules := m.RulesConfiguration
	switch {
	case m.Type == cognitoidentity.RoleMappingTypeToken && rules != nil:
		return errInvalid("RulesConfiguration is not allowed for role mappings of type Token.")
	case m.Type == cognitoidentity.RoleMappingTypeToken:
		return nil
	case rules == nil:
		return errInvalid("RulesConfiguration is required for role mappings of type Rules.")
	case len(rules.Rules) > maxRules:
		return cognitoidentity.LimitExceededException("A role mapping can have at most %d rules.", maxRules)
	}
	for _, r := range rules.Rules {
		if !roleARN.MatchString(r.RoleARN) {
			return errInvalid("Invalid role ARN: %s", r.RoleARN)
		}
	}
	return nil
}

func (s *Service) SetIdentityPoolRoles(ctx context.Context, in *cognitoidentity.SetIdentityPoolRolesInput) (*cognitoidentity.SetIdentityPoolRolesResponse, error) {
	return &cognitoidentity.SetIdentityPoolRolesResponse{}, s.setRoles(ctx, in, "")
}

func (s *Service) GetIdentityPoolRoles(ctx context.Context, in *cognitoidentity.GetIdentityPoolRolesInput) (*cognitoidentity.GetIdentityPoolRolesResponse, error) {
	p, err := s.regionPool(ctx, in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	return &cognitoidentity.GetIdentityPoolRolesResponse{IdentityPoolId: &in.IdentityPoolId, Roles: p.Roles, RoleMappings: p.RoleMappings}, nil
}

// Defaults of the map from claims to principal tags. Of SAML assertions they are attributes.
// https://docs.aws.amazon.com/cognito/latest/developerguide/provider-mappings.html
var (
	defaultTags     = map[string]string{"client": "aud", "username": "sub"}
	defaultSAMLTags = map[string]string{
		"client":   "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
		"username": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
	}
)

// tags returns the map from tag keys to claims; name is a provider's.
func (m tagMap) tags(name string) map[string]string {
	switch {
	case !m.UseDefaults:
		return m.Tags
	case samlARN.MatchString(name):
		return defaultSAMLTags
	}
	return defaultTags
}

// tagsOf returns the session tags that the pool wants for a login.
func (p *Pool) tagsOf(l *login) map[string]string {
	for _, name := range append(p.roleKeys(l), l.provider) {
		m, ok := p.Tags[name]
		if !ok {
			continue
		}
		tags := map[string]string{}
		for key, claim := range m.tags(name) {
			if v := l.claim(claim); len(v) > 0 && v[0] != "" {
				tags[key] = v[0]
			}
		}
		return tags
	}
	return nil
}

// setTags sets how a provider's claims become session tags. step is the token of a stack's step, or "".
func (s *Service) setTags(ctx context.Context, in *cognitoidentity.SetPrincipalTagAttributeMapInput, step string) (tagMap, error) {
	m := tagMap{UseDefaults: shape.Val(in.UseDefaults), Tags: in.PrincipalTags, Step: step}
	if m.UseDefaults {
		m.Tags = nil
	}
	_, err := s.changePool(ctx, in.IdentityPoolId, func(p *Pool) error {
		if name := in.IdentityProviderName; !p.mappable(name) && !p.hasUserPool(name) {
			return errInvalid("(%s) is not a valid ProviderName or is not a configured provider.", name)
		}
		tags := map[string]tagMap{}
		maps.Copy(tags, p.Tags)
		if tags[in.IdentityProviderName] = m; !m.UseDefaults && len(m.Tags) == 0 && step == "" {
			delete(tags, in.IdentityProviderName)
		}
		p.Tags = tags
		return nil
	})
	return m, err
}

// hasUserPool tells whether a user pool of that provider name, with any client, is a provider.
func (p *Pool) hasUserPool(name string) bool {
	for _, u := range p.Config.CognitoIdentityProviders {
		if shape.Val(u.ProviderName) == name {
			return true
		}
	}
	return false
}

func (s *Service) SetPrincipalTagAttributeMap(ctx context.Context, in *cognitoidentity.SetPrincipalTagAttributeMapInput) (*cognitoidentity.SetPrincipalTagAttributeMapResponse, error) {
	m, err := s.setTags(ctx, in, "")
	if err != nil {
		return nil, err
	}
	return &cognitoidentity.SetPrincipalTagAttributeMapResponse{IdentityPoolId: &in.IdentityPoolId, IdentityProviderName: &in.IdentityProviderName,
		UseDefaults: &m.UseDefaults, PrincipalTags: m.tags(in.IdentityProviderName)}, nil
}

func (s *Service) GetPrincipalTagAttributeMap(ctx context.Context, in *cognitoidentity.GetPrincipalTagAttributeMapInput) (*cognitoidentity.GetPrincipalTagAttributeMapResponse, error) {
	p, err := s.regionPool(ctx, in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	m := p.Tags[in.IdentityProviderName]
	tags := m.tags(in.IdentityProviderName)
	if tags == nil {
		tags = map[string]string{}
	}
	return &cognitoidentity.GetPrincipalTagAttributeMapResponse{IdentityPoolId: &in.IdentityPoolId, IdentityProviderName: &in.IdentityProviderName,
		UseDefaults: &m.UseDefaults, PrincipalTags: tags}, nil
}

package identitypools

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

// samlRoles is the attribute of an assertion that lists roles, each as "role ARN,provider ARN" in either
// order.
const samlRoles = "https://aws.amazon.com/SAML/Attributes/Role"

// role chooses the caller's role. custom is the role that the caller asks for, or "".
// https://docs.aws.amazon.com/cognito/latest/developerguide/role-based-access-control.html
func (c *caller) role(ctx context.Context, custom string) (string, error) {
	tr := trace.From(ctx)
	fallback := func(which string) (string, error) {
		role := c.pool.Roles[which]
		if role == "" {
			tr.Fail("role", "the identity pool has no role for "+which+" identities", "", "Roles."+which+", see SetIdentityPoolRoles")
			return "", errConfiguration()
		}
		if custom != "" && custom != role {
			tr.Fail("role", "no mapping lets the caller choose", custom, role)
			return "", errRole(custom)
		}
		tr.Pass("role", role+", the pool's for "+which+" identities")
		return role, nil
	}
	if len(c.logins) == 0 {
		return fallback(amrUnauthenticated)
	}
	denied := ""
	for _, l := range c.logins {
		m := c.pool.mapping(l)
		if m == nil {
			continue
		}
		role, why := resolveRole(c.pool, m, l, custom)
		switch {
		case role != "":
			tr.Pass("role", role+": "+why)
			return role, nil
		case custom != "":
			tr.Fail("role", l.provider+": "+why, custom, "a role that the mapping gives to this login")
			denied = l.provider // unless another login brings it
			continue
		case shape.Val(m.AmbiguousRoleResolution) == cognitoidentity.AmbiguousRoleResolutionTypeAuthenticatedRole:
			tr.Pass("role", l.provider+": "+why+"; AmbiguousRoleResolution is AuthenticatedRole")
			return fallback(amrAuthenticated)
		}
		tr.Fail("role", l.provider+": "+why+"; AmbiguousRoleResolution is Deny", why, "a claim that leads to one role")
		denied = l.provider
	}
	switch {
	case denied != "" && custom != "":
		return "", errRole(custom)
	case denied != "":
		return "", errAmbiguous(denied)
	}
	return fallback(amrAuthenticated)
}

// mapping returns the role mapping for a login, or nil.
func (p *Pool) mapping(l *login) *cognitoidentity.RoleMapping {
	for _, name := range p.roleKeys(l) {
		if m, ok := p.RoleMappings[name]; ok {
			return &m
		}
	}
	return nil
}

// resolveRole applies a mapping to a login; "" if it leads to no role. why is for the trace.
func resolveRole(p *Pool, m *cognitoidentity.RoleMapping, l *login, custom string) (role, why string) {
	if m.Type == cognitoidentity.RoleMappingTypeToken {
		preferred, roles := tokenRoles(l)
		switch {
		case custom != "" && slices.Contains(roles, custom):
			return custom, "asked for, and among the token's roles"
		case custom != "":
			return "", "the role is not among the token's (" + strings.Join(roles, ", ") + ")"
		case preferred != "":
			return preferred, "the token's cognito:preferred_role"
		case len(roles) == 1:
			return roles[0], "the only one of the token's roles"
		}
		return "", "the token has " + strconv.Itoa(len(roles)) + " roles and prefers none"
	}
	if m.RulesConfiguration == nil {
		return "", "there are no rules"
	}
	for i, r := range m.RulesConfiguration.Rules {
		if custom != "" && r.RoleARN != custom || !matches(&r, l.claim(r.Claim)) {
			continue
		}
		return r.RoleARN, "rule " + strconv.Itoa(i+1) + ": claim " + r.Claim + " " + r.MatchType + " " + strconv.Quote(r.Value)
	}
	return "", "no rule matches"
}

// tokenRoles are the roles that a login brings with it. Only a user pool's tokens and SAML assertions do:
// what another provider writes into a claim of that name is not the pool owner's word.
func tokenRoles(l *login) (preferred string, roles []string) {
	switch l.kind {
	case userPool:
		for _, v := range l.claim("cognito:roles") {
			for role := range strings.SplitSeq(v, ",") {
				if role = strings.TrimSpace(role); role != "" {
					roles = append(roles, role)
				}
			}
		}
		if v := l.claim("cognito:preferred_role"); len(v) == 1 {
			preferred = v[0]
		}
	case saml:
		for _, v := range l.claim(samlRoles) {
			a, b, _ := strings.Cut(v, ",")
			a, b = strings.TrimSpace(a), strings.TrimSpace(b)
			switch l.arn { // a role is the assertion's to give only if it names the provider that has made it
			case b:
				roles = append(roles, a)
			case a:
				roles = append(roles, b)
			}
		}
	}
	return preferred, roles
}

// matches applies a rule to the values of its claim. Of a list, one value that matches is enough; NotEqual
// wants that none equals, and a claim.
func matches(r *cognitoidentity.MappingRule, values []string) bool {
	var test func(v string) bool
	switch r.MatchType {
	case cognitoidentity.MappingRuleMatchTypeEquals:
		test = func(v string) bool { return v == r.Value }
	case cognitoidentity.MappingRuleMatchTypeContains:
		test = func(v string) bool { return strings.Contains(v, r.Value) }
	case cognitoidentity.MappingRuleMatchTypeStartsWith:
		test = func(v string) bool { return strings.HasPrefix(v, r.Value) }
	case cognitoidentity.MappingRuleMatchTypeNotEqual:
		return len(values) > 0 && !slices.Contains(values, r.Value)
	default:
		return false
	}
	return slices.ContainsFunc(values, test)
}

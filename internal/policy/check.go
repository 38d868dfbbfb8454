package policy

import (
	"strings"
)

// Kind is what a policy is attached to, or used for.
type Kind uint8

const (
	Identity Kind = iota // of users, groups and roles, inline or managed
	Resource             // a resource's own
	Trust                // who may assume a role
	Boundary             // a permissions boundary: a managed policy
	Session              // given when a session is made
	SCP                  // a service control policy of an organization
)

func (k Kind) String() string {
	return [...]string{"identity-based policy", "resource-based policy", "role trust policy", "permissions boundary", "session policy", "service control policy"}[k]
}

// Check tells whether the document can be a policy of kind k. Its errors are of type *[Error]; the
// first one found is returned.
//
// Identity policies, boundaries, session policies and SCPs must name resources, as ARNs or *, and no
// principals, and have no Id. Trust policies must name principals and no resources, and only actions
// of sts. Resource policies must name principals; of what resources look like there, services have
// ideas of their own. Sids are letters and digits, each once, except in resource policies.
//
// Which actions, services and condition keys exist is not checked, as IAM does not either.
func (d *Document) Check(k Kind) error {
	if d.Version != "" && d.Version != Version2008 && d.Version != Version2012 {
		return d.errorAt(InvalidVersion, -1, 0, d.Version)
	}
	if len(d.Statements) == 0 {
		return d.errorAt(MissingStatement, -1, 0, "")
	}
	if k != Resource && k != Trust && (d.hasID || d.ID != "") {
		return d.errorAt(IDNotAllowed, -1, 0, d.ID)
	}
	sids := map[string]bool{}
	for i := range d.Statements {
		if err := d.checkStatement(k, i, sids); err != nil {
			return err
		}
	}
	return nil
}

// statementError is an error at the value of an element.
func (d *Document) statementError(r Reason, i, element int, detail string) error {
	st := &d.Statements[i]
	at := st.pos[element]
	if at == 0 {
		at = st.pos[elemStatement]
	}
	return d.errorAt(r, i, at, detail)
}

// checkGrammar checks what every statement needs, wherever it hangs.
func (d *Document) checkGrammar(i int) error {
	st := &d.Statements[i]
	switch {
	case st.Effect != Allow && st.Effect != Deny:
		return d.statementError(InvalidEffect, i, elemEffect, string(st.Effect))
	case st.Action != nil && st.NotAction != nil:
		return d.statementError(Exclusive, i, elemNotAction, "NotAction")
	case st.Resource != nil && st.NotResource != nil:
		return d.statementError(Exclusive, i, elemNotResource, "NotResource")
	case st.Principal != nil && st.NotPrincipal != nil:
		return d.statementError(Exclusive, i, elemNotPrincipal, "NotPrincipal")
	case len(st.Action)+len(st.NotAction) == 0:
		return d.statementError(MissingAction, i, elemStatement, "")
	}
	return nil
}

func (d *Document) checkStatement(k Kind, i int, sids map[string]bool) error {
	if err := d.checkGrammar(i); err != nil {
		return err
	}
	st := &d.Statements[i]
	if k != Resource && st.Sid != "" {
		if strings.IndexFunc(st.Sid, func(r rune) bool { return !isAlphanumeric(r) }) >= 0 {
			return d.statementError(InvalidSid, i, elemSid, st.Sid)
		}
		if sids[st.Sid] {
			return d.statementError(DuplicateSid, i, elemSid, st.Sid)
		}
		sids[st.Sid] = true
	}
	if err := d.checkActions(k, i); err != nil {
		return err
	}
	if err := d.checkPrincipals(k, i); err != nil {
		return err
	}
	if err := d.checkResources(k, i); err != nil {
		return err
	}
	for j := range st.Condition {
		c := &st.Condition[j]
		if r, detail := c.check(d.Version == Version2012); r != 0 {
			return d.errorAt(r, i, c.pos, detail)
		}
	}
	return nil
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func (d *Document) checkActions(k Kind, i int) error {
	st := &d.Statements[i]
	element, list := elemAction, st.Action
	if st.NotAction != nil {
		element, list = elemNotAction, st.NotAction
		if k == Trust {
			return d.statementError(ForeignAction, i, element, list[0])
		}
	}
	for _, a := range list {
		vendor, name, ok := strings.Cut(a, ":")
		switch {
		case k == Trust && !strings.EqualFold(vendor, "sts"):
			return d.statementError(ForeignAction, i, element, a)
		case a == "*", a == "*:*":
		case !ok, !isVendor(vendor), name == "", strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0:
			return d.statementError(InvalidAction, i, element, a)
		case strings.Contains(name, ":"):
			return d.statementError(ActionColons, i, element, a)
		}
	}
	return nil
}

// isVendor tells whether s can be the namespace of a service: letters, digits and dashes.
func isVendor(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !isAlphanumeric(r) && r != '-' }) < 0
}

func (d *Document) checkPrincipals(k Kind, i int) error {
	st := &d.Statements[i]
	element, ps := elemPrincipal, st.Principal
	if st.NotPrincipal != nil {
		element, ps = elemNotPrincipal, st.NotPrincipal
	}
	switch {
	case k != Resource && k != Trust:
		if ps != nil {
			return d.statementError(PrincipalNotAllowed, i, element, "")
		}
		return nil
	case ps == nil:
		return d.statementError(MissingPrincipal, i, elemStatement, "")
	case element == elemNotPrincipal && (k == Trust || st.Effect == Allow):
		return d.statementError(NotPrincipalNotAllowed, i, element, "")
	case ps.Any:
		return nil
	case len(ps.AWS)+len(ps.Service)+len(ps.Federated)+len(ps.CanonicalUser) == 0:
		return d.statementError(InvalidPrincipal, i, element, "")
	case k == Trust && len(ps.CanonicalUser) > 0:
		return d.statementError(InvalidPrincipal, i, element, "CanonicalUser")
	}
	for _, set := range []struct {
		list  []string
		valid func(string) bool
	}{
		{ps.AWS, validAWSPrincipal},
		{ps.Service, validService},
		{ps.Federated, validProvider},
		{ps.CanonicalUser, func(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == "" }},
	} {
		for _, s := range set.list {
			if !set.valid(s) {
				return d.statementError(InvalidPrincipal, i, element, s)
			}
		}
	}
	return nil
}

// validAWSPrincipal: everybody, an account, a user, a role, a session, or the id of one that was
// deleted. A part of a name cannot be a wildcard.
func validAWSPrincipal(s string) bool {
	if s == "*" || isAccount(s) {
		return true
	}
	if len(s) >= 16 && len(s) <= 128 && (strings.HasPrefix(s, "AIDA") || strings.HasPrefix(s, "AROA")) {
		return strings.IndexFunc(s, func(r rune) bool { return !isAlphanumeric(r) }) < 0
	}
	f := strings.SplitN(s, ":", 6)
	if len(f) != 6 || f[0] != "arn" || !strings.HasPrefix(f[1], "aws") || f[3] != "" || f[4] == "" || strings.ContainsAny(s, "*?") {
		return false
	}
	kind, name, _ := strings.Cut(f[5], "/")
	switch f[2] {
	case "iam":
		return f[5] == "root" || (kind == "user" || kind == "role") && name != ""
	case "sts":
		role, session, _ := strings.Cut(name, "/")
		return kind == "assumed-role" && role != "" && session != "" && !strings.Contains(session, "/") || kind == "federated-user" && name != ""
	}
	return false
}

func validService(s string) bool {
	return s == "*" || strings.Contains(s, ".") && strings.IndexFunc(s, func(r rune) bool { return !isAlphanumeric(r) && r != '.' && r != '-' }) < 0
}

// validProvider: the domain of a known provider, or the ARN of one that the account has.
func validProvider(s string) bool {
	f := strings.SplitN(s, ":", 6)
	if len(f) < 6 {
		return validService(s) && s != "*"
	}
	kind, name, _ := strings.Cut(f[5], "/")
	return f[0] == "arn" && strings.HasPrefix(f[1], "aws") && f[2] == "iam" && f[3] == "" && isAccount(f[4]) &&
		(kind == "saml-provider" || kind == "oidc-provider") && name != "" && !strings.ContainsAny(name, "*?")
}

func (d *Document) checkResources(k Kind, i int) error {
	st := &d.Statements[i]
	element, list := elemResource, st.Resource
	if st.NotResource != nil {
		element, list = elemNotResource, st.NotResource
	}
	switch {
	case k == Trust && list != nil:
		return d.statementError(ResourceNotAllowed, i, element, "")
	case k == Trust:
		return nil
	case len(list) == 0:
		return d.statementError(MissingResource, i, elemStatement, "")
	}
	for _, s := range list {
		if r := checkResource(k, s, d.Version == Version2012); r != 0 {
			return d.statementError(r, i, element, s)
		}
	}
	return nil
}

func checkResource(k Kind, s string, vars bool) Reason {
	p, err := parsePattern(s, true, vars)
	switch {
	case err != nil:
		return InvalidVariable
	case s == "":
		return InvalidResource
	case k == Resource, s == "*":
		return 0
	}
	f := strings.SplitN(s, ":", 6)
	if f[0] != "arn" || len(f) < 3 {
		return InvalidResource
	}
	// Variables belong behind the fifth colon.
	if len(p.vars) > 0 && (len(f) < 6 || strings.Contains(strings.Join(f[:5], ":"), "${")) {
		return InvalidVariable
	}
	switch {
	case !strings.HasPrefix(f[1], "aws") && !strings.ContainsAny(f[1], "*?"):
		return ResourcePartition
	case strings.ContainsAny(f[2], "*?"):
		return ResourceVendor
	case f[2] == "":
		return InvalidResource
	}
	return 0
}

// check returns what is wrong with a condition, and the text that it is about.
func (c *Condition) check(vars bool) (Reason, string) {
	op, _, _, ok := parseOperator(c.Operator)
	if !ok {
		return InvalidOperator, c.Operator
	}
	if vendor, name, ok := strings.Cut(c.Key, ":"); !ok || vendor == "" || name == "" {
		return InvalidConditionKey, c.Key
	}
	for _, v := range c.Values {
		if _, r := parseValue(op, v, vars); r != 0 {
			return r, v
		}
	}
	return 0, ""
}

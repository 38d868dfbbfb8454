package policy

import "strings"

// Request is what is to be decided. For a call on several resources, each is decided for itself.
type Request struct {
	Principal Principal
	Action    string // "cognito-idp:ListUsers", in any case
	Resource  string // ARN; "*" where the action is about no resource

	// ResourceAccount is who owns the resource, where its ARN does not say so (S3's). "" takes the
	// account in the ARN; if that has none either, the resource is the principal's account's own.
	ResourceAccount string

	Context Context // nil: only what is known from the principal
}

// Context gives the values of condition keys. Keys come in lower case. nil means that the request has
// no such key; a list that is not nil, even an empty one, takes precedence over what [Request.Principal]
// says. The list is not changed, and not kept beyond the evaluation.
//
// Keys about the principal need not be given: aws:PrincipalArn, aws:PrincipalAccount,
// aws:PrincipalType, aws:PrincipalTag/…, aws:PrincipalIsAWSService, aws:PrincipalServiceName,
// aws:FederatedProvider, aws:userid and aws:username follow from it. Binary values are in base64.
type Context interface {
	Values(key string) []string
}

// Values is a [Context] in a map. Its keys must be in lower case.
type Values map[string][]string

func (v Values) Values(key string) []string { return v[key] }

// Set sets the values of a key, which may be in any case.
func (v Values) Set(key string, values ...string) { v[lowerKey(key)] = values }

// Lookup is a [Context] that is a function.
type Lookup func(key string) []string

func (f Lookup) Values(key string) []string { return f(key) }

func lowerKey(s string) string { return strings.ToLower(s) }

// env is a request under evaluation.
type env struct {
	req     *Request
	bounded bool // the principal has a permissions boundary
}

// values returns the values of a key, with buf as the place for one that follows from the principal.
func (e *env) values(key string, buf *[1]string) []string {
	if c := e.req.Context; c != nil {
		if v := c.Values(key); v != nil {
			return v
		}
	}
	if s, ok := e.req.Principal.value(key); ok {
		buf[0] = s
		return buf[:]
	}
	return nil
}

// variable returns the value of a variable. A key with several values is none.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func (e *env) variable(v *variable) (string, bool) {
	var buf [1]string
	switch got := e.values(v.key, &buf); len(got) {
	case 0:
		return v.def, v.hasDefault
	case 1:
		return got[0], true
	}
	return "", false
}

const principalTag = "aws:principaltag/"

// value returns what a global condition key says of the principal.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principal-properties
func (p *Principal) value(key string) (string, bool) {
	s := ""
	switch key {
	case "aws:principalarn":
		s = p.entity()
	case "aws:principalaccount":
		s = p.Account
	case "aws:principaltype":
		s = principalTypes[p.Type]
	case "aws:principalisawsservice":
		s = "false"
		if p.Type == AWSService {
			s = "true"
		}
	case "aws:principalservicename":
		s = p.Service
	case "aws:federatedprovider":
		if p.Type == RoleSession {
			s = p.Provider
		}
	case "aws:userid":
		switch s = p.UserID; {
		case s != "":
		case p.Type == RootUser:
			s = p.Account
		case p.Type == User:
			s = p.ID
		}
	case "aws:username":
		if p.Type == User {
			s = p.Name
		}
	default:
		if tag, ok := strings.CutPrefix(key, principalTag); ok && p.Tags != nil {
			return p.tag(tag)
		}
	}
	return s, s != ""
}

// tag finds a tag by the name that a condition key has: in lower case, for keys ignore it.
func (p *Principal) tag(name string) (string, bool) {
	if v, ok := p.Tags[name]; ok {
		return v, true
	}
	found, key, ok := "", "", false
	for k, v := range p.Tags {
		if (!ok || k < key) && strings.EqualFold(k, name) { // the first by name: the same one each time
			found, key, ok = v, k, true
		}
	}
	return found, ok
}

var principalTypes = [...]string{
	Anonymous: "Anonymous", RootUser: "Account", User: "User", Role: "AssumedRole", RoleSession: "AssumedRole", FederatedUser: "FederatedUser",
	WebIdentity: "", AWSService: "",
}

// accountOf returns the account in an ARN, or "".
func accountOf(arn string) string {
	for range 4 {
		i := strings.IndexByte(arn, ':')
		if i < 0 {
			return ""
		}
		arn = arn[i+1:]
	}
	if i := strings.IndexByte(arn, ':'); i >= 0 && isAccount(arn[:i]) {
		return arn[:i]
	}
	return ""
}

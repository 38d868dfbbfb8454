package policy

import "strings"

// PrincipalType says what kind of principal makes a request.
type PrincipalType uint8

const (
	Anonymous     PrincipalType = iota // nobody signed
	RootUser                           // ARN arn:aws:iam::ACCOUNT:root
	User                               // ARN arn:aws:iam::ACCOUNT:user/NAME
	Role                               // a role as such, as in simulations; sessions are RoleSession
	RoleSession                        // ARN arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
	FederatedUser                      // ARN arn:aws:sts::ACCOUNT:federated-user/NAME
	WebIdentity                        // holder of a token or an assertion, before there is a session
	AWSService                         // "lambda.amazonaws.com"
)

// Principal is who makes a request. The server fills it in; nothing in it is the client's word.
type Principal struct {
	Type    PrincipalType
	ARN     string // of everybody in an account, as GetCallerIdentity shows it
	Account string // 12 digits
	Issuer  string // ARN of the role of a RoleSession, or of whom a FederatedUser federates
	ID      string // the unique id: AIDA…, AROA… (of a session its role's)
	UserID  string // aws:userid: the unique id, and after a colon the name of the session

	Name          string            // of a User, without path: aws:username
	Service       string            // of an AWSService
	Provider      string            // as Federated names it; of a WebIdentity, and of the sessions that come of one
	CanonicalUser string            // of the account, in S3
	Tags          map[string]string // aws:PrincipalTag; of a session, role and session tags together
}

// inAccount tells whether the principal has identity policies of its own account to answer for it.
func (p *Principal) inAccount() bool { return p.Type >= RootUser && p.Type <= FederatedUser }

// entity is the ARN that aws:PrincipalArn gives: the role, not the session.
func (p *Principal) entity() string {
	if p.Type == RoleSession {
		return p.Issuer
	}
	return p.ARN
}

// grant is what a statement of a resource policy gives to a principal by naming it so.
type grant uint8

const (
	noGrant   grant = iota
	delegated       // its account is named: the account's own policies decide
	limited         // the role behind the session is named: boundary and session policies limit it
	direct          // it is named itself, or everybody is
)

// principals is the value of Principal or NotPrincipal, sorted.
type principals struct {
	all        bool // "*"
	allAWS     bool // {"AWS": "*"}
	accounts   []string
	names      []string // ARNs and unique ids
	services   []string
	allService bool
	federated  []string
	canonical  []string
}

func compilePrincipals(ps *Principals) *principals {
	if ps == nil {
		return nil
	}
	c := &principals{all: ps.Any, federated: ps.Federated, canonical: ps.CanonicalUser}
	for _, s := range ps.AWS {
		switch account, isRoot := rootAccount(s); {
		case s == "*":
			c.allAWS = true
		case isRoot:
			c.accounts = append(c.accounts, account)
		default:
			c.names = append(c.names, s)
		}
	}
	for _, s := range ps.Service {
		if s == "*" {
			c.allService = true
		} else {
			c.services = append(c.services, s)
		}
	}
	return c
}

// rootAccount returns the account that s stands for, as 12 digits or as the ARN of the root.
func rootAccount(s string) (string, bool) {
	if isAccount(s) {
		return s, true
	}
	rest, ok := strings.CutPrefix(s, "arn:")
	if !ok {
		return "", false
	}
	_, rest, _ = strings.Cut(rest, ":")
	rest, ok = strings.CutPrefix(rest, "iam::")
	if !ok {
		return "", false
	}
	account, ok := strings.CutSuffix(rest, ":root")
	return account, ok && isAccount(account)
}

func isAccount(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == 12
}

func contains(list []string, s string) bool {
	if s == "" {
		return false
	}
	for _, t := range list {
		if t == s {
			return true
		}
	}
	return false
}

// grant tells how the list names p.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (c *principals) grant(p *Principal) grant {
	if c.all {
		return direct
	}
	switch p.Type {
	case Anonymous:
		return ifGrant(c.allAWS, direct)
	case AWSService:
		return ifGrant(c.allService || contains(c.services, p.Service), direct)
	case WebIdentity:
		return ifGrant(contains(c.federated, p.Provider), direct)
	}
	named := contains(c.names, p.ARN)
	switch {
	case c.allAWS, named && p.Type != Role, p.Type == User && contains(c.names, p.ID):
		return direct
	case p.Type == RootUser && contains(c.accounts, p.Account):
		return direct
	case named, contains(c.names, p.Issuer), contains(c.names, p.ID), contains(c.federated, p.Provider):
		return limited
	case contains(c.accounts, p.Account), contains(c.canonical, p.CanonicalUser):
		return delegated
	}
	return noGrant
}

func ifGrant(ok bool, g grant) grant {
	if ok {
		return g
	}
	return noGrant
}

// exempts tells whether the list, as NotPrincipal, leaves p out: everything that p is must be on it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
func (c *principals) exempts(p *Principal) bool {
	if c.all {
		return true
	}
	switch p.Type {
	case Anonymous:
		return c.allAWS
	case AWSService, WebIdentity:
		return c.grant(p) == direct
	}
	if c.allAWS {
		return true
	}
	if !contains(c.accounts, p.Account) {
		return false
	}
	named := contains(c.names, p.ARN)
	byID := contains(c.names, p.ID)
	switch p.Type {
	case RootUser:
		return true
	case RoleSession:
		return named && (byID || contains(c.names, p.Issuer))
	case FederatedUser:
		return named
	}
	return named || byID
}

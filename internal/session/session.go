package session

import (
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
)

// Credentials are temporary credentials, as they are given out.
type Credentials struct {
	AccessKey string // ASIA…, 20 characters
	Secret    seal.Secret
	Token     string
	Expires   time.Time
}

// Session is what a token says. It can be stored as JSON; it holds no secret.
type Session struct {
	Type      policy.PrincipalType `json:"t"` // RoleSession, FederatedUser, and, of GetSessionToken, User or RootUser
	Account   string               `json:"ac"`
	OwnerARN  string               `json:"arn,omitempty"` // the role's ARN with its path, or the user's; of a FederatedUser, who called
	OwnerID   string               `json:"id,omitempty"`  // AROA…, AIDA…; the account for the root
	OwnerName string               `json:"n,omitempty"`   // the role's or user's name, without path; "" for the root
	Name      string               `json:"s,omitempty"`   // RoleSessionName, or the federated user's name

	Policies   []string          `json:"p,omitempty"`  // inline session policies
	PolicyARNs []string          `json:"pa,omitempty"` // managed session policies
	Tags       map[string]string `json:"g,omitempty"`  // session tags, those that came down a chain included
	Transitive []string          `json:"tr,omitempty"` // keys of Tags that go on to the next role of a chain

	SourceIdentity string              `json:"si,omitempty"`
	Provider       string              `json:"f,omitempty"` // of federation: "cognito-identity.amazonaws.com", an OIDC provider's URL without its scheme, a SAML provider's ARN
	Context        map[string][]string `json:"c,omitempty"` // condition keys that stay with the session, in lower case
	MFA            bool                `json:"m,omitempty"`
	Issued         int64               `json:"i"` // seconds since 1970: aws:TokenIssueTime
	Expires        int64               `json:"e"`
}

// Principal returns the session as package policy knows it. Its tags are the session's own; those of
// the role or user are for the caller to put under them. They are not copied.
func (s *Session) Principal() policy.Principal {
	p := policy.Principal{Type: s.Type, Account: s.Account, ID: s.OwnerID, Provider: s.Provider, Tags: s.Tags}
	switch s.Type {
	case policy.RoleSession:
		p.ARN = arn.New("sts", "", s.Account, "assumed-role/"+s.OwnerName+"/"+s.Name).String()
		p.Issuer = s.OwnerARN
		p.UserID = s.OwnerID + ":" + s.Name
	case policy.FederatedUser:
		p.ARN = arn.New("sts", "", s.Account, "federated-user/"+s.Name).String()
		p.Issuer = s.OwnerARN
		p.UserID = s.Account + ":" + s.Name
	case policy.User:
		p.ARN, p.UserID, p.Name = s.OwnerARN, s.OwnerID, s.OwnerName
	case policy.RootUser:
		p.ARN, p.ID, p.UserID = arn.New("iam", "", s.Account, "root").String(), s.Account, s.Account
	}
	return p
}

// WebIdentity is somebody whose token or assertion has been verified, and who wants a role.
type WebIdentity struct {
	Provider       string // as Federated in trust policies names it
	Subject        string
	Audience       []string
	Context        map[string][]string // condition keys, in lower case: "cognito-identity.amazonaws.com:aud"
	Tags           map[string]string   // session tags that the identity provider asks for
	Transitive     []string            // keys of Tags
	SourceIdentity string
}

// RoleRequest is a wish for credentials of a role.
type RoleRequest struct {
	RoleARN     string
	SessionName string
	Duration    time.Duration // 0: one hour
	Policies    []string      // inline session policies
	PolicyARNs  []string      // managed ones
	WebIdentity *WebIdentity
}

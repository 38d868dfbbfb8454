// Package iam answers IAM, says who made a signed request, and decides what that one may do.
//
// # Who
//
// An account has a root, whose access key is made on first run, kept sealed in the store and written
// to the data directory for `gatehouse env`. Users have keys of their own; whoever has taken a role, or a
// session otherwise, signs with temporary credentials, whose token holds the session (package session).
// [Service.Authenticate] finds the key and holds the request to its signature; who it then is, is
// a [Caller]. A token is good only as long as the role or user behind it is there and is the same one, by
// its unique id. In open mode, which only a loopback server may be in, a request whose key was not made
// here is the root's. The data plane is never open: [Service.AuthenticateAPI].
//
// # What
//
// [Service.Decide] gathers the policies that have a say about a caller: of the user and its groups or of
// the role, the permissions boundary, those of the session, and what the resource has; package policy
// evaluates them. All come from the store's cache, compiled once beside the cached document, so a change
// counts from the next request on, and the cost does not grow with the number of users and roles. Which
// questions an operation asks is package access's knowledge; that roles are given away is package sts's.
//
// # Entities
//
// Users, groups, roles, managed policies, instance profiles, OIDC and SAML providers are documents, named
// as IAM names them: without regard to case, one for all regions. What hangs on an entity is in its own
// document ([Grants]); links lead back from a policy or a group to those who use it (links.go), and both
// are written in one transaction. A policy's text is checked when it is stored, in IAM's words. A trust
// policy means the users and roles that it names at that moment (trust.go).
//
// AWS's managed policies are data, in awsmanaged: the documents that AWS publishes. One that is not there
// is refused by name where it would be attached.
//
// Passwords are kept as hashes, seeds of MFA devices sealed. There are no server certificates, SSH keys,
// signing certificates, service-specific credentials and service-linked roles: these operations say so.
package iam

import (
	"log/slog"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Options are what a [Service] needs.
type Options struct {
	DB      *store.DB
	Seal    *seal.Key
	Account string // 12 digits
	Region  string // of a call that names none
	Open    bool   // any access key is the root's
	Logger  *slog.Logger

	// Sessions opens the tokens of temporary credentials. nil: one is made of Seal and Now.
	Sessions *session.Mint
	Now      func() time.Time // nil: time.Now
}

// Service implements the IAM API. Package sts, below this one, is the STS API.
type Service struct {
	iam.Unimplemented
	Options
	verifier  sigv4.Verifier
	root      *Caller
	inSession texts
	aws       awsManaged
	used      lastUsed
}

var _ iam.Handler = (*Service)(nil)

// New returns a service.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sessions == nil {
		o.Sessions = session.NewMint(o.Seal, o.Now)
	}
	s := &Service{Options: o, verifier: sigv4.Verifier{Now: o.Now}}
	s.root = &Caller{Principal: policy.Principal{Type: policy.RootUser, ARN: rootARN(o.Account), Account: o.Account, ID: o.Account, UserID: o.Account}}
	s.used.db = o.DB
	return s
}

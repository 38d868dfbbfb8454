// Package iam answers IAM, and says who a caller of the control plane is.
//
// An account has a root, whose access key is made on first run, kept sealed in the store and written
// to the data directory for `gatehouse env`. A call is let in when its Signature Version 4 is right
// under the secret of the access key that it names; [Service.Authenticate] is the one place that
// decides so. In open mode, which only a loopback server may be in, any access key is the root's and
// signatures are not looked at.
//
// Roles are documents with their inline policies and the managed policies attached to them. Policies
// are checked for their form when they are stored.
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

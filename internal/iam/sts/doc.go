// Package sts answers the Security Token Service: it gives temporary credentials to those whom a role's
// trust policy, or their own, lets have them.
//
// What credentials are is package session's; who a caller is and what policies say is package iam's.
// This one decides who may have which session, and what is in it. Each operation goes the same way:
// who asks (a signed caller, a token, an assertion) · the role, which a stranger must not learn the
// absence of · the trust policy, and in AssumeRole the caller's own policies too, asked for the action
// itself and for sts:TagSession and sts:SetSourceIdentity where tags or a source identity come along ·
// how long · the session's policies and tags · the credentials.
//
// # Tokens and assertions
//
// The issuer of a web identity token is one that AWS knows (Amazon Cognito's identity pools, Google) or an
// OpenID Connect provider of the account. Facebook and Login with Amazon have no tokens that could be
// verified here without asking them, and are refused by name. The audience is the azp claim where a
// token has one, otherwise aud, and must be one of the provider's client ids. SAML assertions are
// package saml's.
//
// # Choices
//
//   - AWS's packed format of session policies and tags is not public. Here they are deflated, and the
//     bound is 1,024 bytes, about twice as much as AWS seems to take.
//   - An inherited transitive tag asks for sts:TagSession, as one does that is passed.
//   - DecodeAuthorizationMessage knows no message, for no service here encodes one.
//   - AssumeRoot, GetWebIdentityToken and GetDelegatedAccessToken are not there: they belong to AWS
//     Organizations, to outbound federation and to products of partners.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html
package sts

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/token"
)

// Verifier verifies the signatures of tokens: *token.Verifier.
type Verifier interface {
	Verify(ctx context.Context, raw, issuer string) (*token.Token, error)
}

// Options are what a [Service] needs.
type Options struct {
	IAM      *iam.Service
	Mint     *session.Mint // nil: IAM's
	Verifier Verifier      // of web identity tokens; nil: they are refused by name
	Logger   *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// Service implements the STS API. It is safe for concurrent use.
type Service struct {
	sts.Unimplemented
	o Options
}

var _ sts.Handler = (*Service)(nil)

// New returns a service.
func New(o Options) *Service {
	if o.Mint == nil {
		o.Mint = o.IAM.Sessions
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{o: o}
}

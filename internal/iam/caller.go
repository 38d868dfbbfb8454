package iam

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Caller is who made a signed request: wire.Identity.Caller and wire.Call.Caller hold a *Caller. It may
// be shared, and must not be modified.
type Caller struct {
	policy.Principal
	AccessKey string
	Session   *session.Session // nil with long-lived keys
	MFA       bool             // the session was begun, or the call made, with a code of an MFA device
	LongLived bool             // it signed with a key of its own, which no session stands behind

	owner string // id of the user's or role's document
}

// CallerOf returns the caller that c carries, or nil: operations that need no signature have none.
func CallerOf(c *wire.Call) *Caller {
	who, _ := c.Caller.(*Caller)
	return who
}

// Root is the account's root as a caller: the server itself, and anybody in open mode.
func (s *Service) Root() *Caller { return s.root }

var (
	_ wire.Authenticator = (*Service)(nil)
	_ wire.Doorkeeper    = (*Service)(nil)
)

// errUnknownKey is what a stranger learns: not whether the key, its token or its owner is missing.
func errUnknownKey() error { return &wire.AuthError{Problem: wire.UnknownAccessKey} }

// Authenticate says who signed r, which must be signed for the service signingName. bodySHA256 is asked
// for the hash of the body where the signature covers it. A refusal is a *wire.AuthError or a
// *sigv4.Error, which the wire words as the service's protocol does.
//
// In open mode a key that this server gave out is held to its signature as ever; any other one, and a
// request that is signed by none, is the root's.
func (s *Service) Authenticate(ctx context.Context, r *http.Request, bodySHA256 func() (string, error), signingName string) (wire.Identity, error) {
	sig, err := sigv4.Parse(r)
	if err == nil {
		var who *Caller
		var sign func(string) string
		if who, sign, err = s.authenticate(ctx, r, sig, bodySHA256, signingName); err == nil {
			return wire.Identity{Principal: who.ARN, AccessKey: who.AccessKey, Account: s.Account, Region: sig.Region, Caller: who, Sign: sign}, nil
		}
	}
	var signature *sigv4.Error
	if s.Open && (sig == nil && errors.As(err, &signature) || errors.Is(err, errStranger)) {
		id := wire.Identity{Principal: s.root.ARN, Account: s.Account, Caller: s.root}
		if sig != nil {
			id.AccessKey, id.Region = sig.AccessKey, sig.Region
		}
		return id, nil
	}
	return wire.Identity{}, s3Words(err, sig, signingName)
}

// Known turns away a request whose access key or session token is not good, whatever its signature. It
// implements [wire.Doorkeeper].
func (s *Service) Known(ctx context.Context, r *http.Request) error {
	if s.Open { // strangers are let in
		return nil
	}
	sig, err := sigv4.Parse(r)
	if err == nil {
		_, _, err = s.caller(ctx, sig)
	}
	return err
}

// s3Words: S3 has an error of its own for a token that is none.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func s3Words(err error, sig *sigv4.Signature, signingName string) error {
	var auth *wire.AuthError
	if signingName == "s3" && sig != nil && sig.SessionToken != "" && errors.As(err, &auth) && auth.Problem == wire.UnknownAccessKey {
		return shape.Errorf("InvalidToken", 400, "The provided token is malformed or otherwise invalid.")
	}
	return err
}

// AuthenticateAPI says who signed r, a request to the data plane: an API or a function's URL, for whose
// service signingName ("execute-api", "lambda") it must be signed. It is never open. Its errors are those
// of [Service.Authenticate].
func (s *Service) AuthenticateAPI(ctx context.Context, r *http.Request, bodySHA256 func() (string, error), signingName string) (*Caller, error) {
	sig, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	who, _, err := s.authenticate(ctx, r, sig, bodySHA256, signingName)
	return who, err
}

// errStranger is the cause where an access key or a token was not made by this server. What was made
// here and is no longer good has none.
var errStranger = errors.New("the access key was not given out here")

// authenticate finds the key, and then holds the request to its signature.
func (s *Service) authenticate(ctx context.Context, r *http.Request, sig *sigv4.Signature, bodySHA256 func() (string, error), signingName string) (*Caller, func(string) string, error) {
	who, secret, err := s.caller(ctx, sig)
	if err != nil {
		return nil, nil, err
	}
	hash, err := sig.PayloadHash(r, bodySHA256)
	if err != nil {
		return nil, nil, err
	}
	if err := s.verifier.Verify(r, sig, secret.Reveal(), hash, signingName); err != nil {
		return nil, nil, err
	}
	if names := sig.Unsigned(r); names != nil {
		return nil, nil, shape.Errorf("AccessDenied", http.StatusForbidden, "There were headers present in the request which were not signed").With("HeadersNotSigned", strings.Join(names, ", "))
	}
	if signingName == "iam" && who.barredFromIAM() {
		return nil, nil, errUnknownKey()
	}
	s.used.note(who, sig.Service, sig.Region, s.Now())
	return who, s.verifier.Signer(sig, secret.Reveal()), nil
}

// barredFromIAM: IAM takes no credentials of GetFederationToken, and those of GetSessionToken only if a code
// of an MFA device came along.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html
func (c *Caller) barredFromIAM() bool {
	return c.Session != nil && (c.Type == policy.FederatedUser || c.Type != policy.RoleSession && !c.MFA)
}

// caller returns who the key of a signature belongs to, and its secret.
func (s *Service) caller(ctx context.Context, sig *sigv4.Signature) (*Caller, seal.Secret, error) {
	if sig.SessionToken != "" && strings.HasPrefix(sig.AccessKey, "ASIA") {
		return s.sessionCaller(ctx, sig)
	}
	if !validText(sig.AccessKey) {
		return nil, "", &wire.AuthError{Problem: wire.UnknownAccessKey, Cause: errStranger}
	}
	k, err := accessKeys.Cached(ctx, s.DB, sig.AccessKey)
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", &wire.AuthError{Problem: wire.UnknownAccessKey, Cause: errStranger}
	}
	if err != nil {
		return nil, "", err
	}
	if !k.Active || sig.SessionToken != "" {
		return nil, "", errUnknownKey()
	}
	secret, err := s.secret(k)
	if err != nil {
		return nil, "", err
	}
	if k.User == "" {
		return &Caller{Principal: s.root.Principal, AccessKey: k.ID, LongLived: true}, secret, nil
	}
	u, err := users.Cached(ctx, s.DB, k.User)
	if errors.Is(err, store.ErrNotFound) || err == nil && u.ID != k.UserID {
		return nil, "", errUnknownKey()
	}
	if err != nil {
		return nil, "", err
	}
	return &Caller{Principal: u.principal(s.Account), AccessKey: k.ID, LongLived: true, owner: k.User}, secret, nil
}

// sessionCaller opens a session token. Its role or user must still be there and be the same.
func (s *Service) sessionCaller(ctx context.Context, sig *sigv4.Signature) (*Caller, seal.Secret, error) {
	ses, secret, err := s.Sessions.Open(sig.AccessKey, sig.SessionToken)
	if errors.Is(err, session.ErrExpired) {
		return nil, "", &wire.AuthError{Problem: wire.SessionTokenExpired}
	}
	if errors.Is(err, session.ErrInvalid) {
		return nil, "", &wire.AuthError{Problem: wire.UnknownAccessKey, Cause: errStranger}
	}
	if err != nil {
		return nil, "", err
	}
	who, err := s.SessionCaller(ctx, ses)
	if err != nil {
		return nil, "", err
	}
	who.AccessKey = sig.AccessKey
	return who, secret, nil
}

// SessionCaller returns who acts in a session. A role or user that is gone, or was made anew under
// its name, is a *wire.AuthError of an unknown key. ses must not be modified afterwards.
func (s *Service) SessionCaller(ctx context.Context, ses *session.Session) (*Caller, error) {
	if ses.Account != s.Account {
		return nil, errUnknownKey()
	}
	c := &Caller{Principal: ses.Principal(), Session: ses, MFA: ses.MFA}
	var id string
	var tags map[string]string
	switch {
	case ses.Type == policy.RoleSession:
		c.owner = roleKey(ses.OwnerName).ID
		r, err := roles.Cached(ctx, s.DB, c.owner)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			id, tags = r.ID, r.Tags
		}
	case ses.Type == policy.RootUser, ses.OwnerARN == s.root.ARN:
		return c, nil
	default: // User, or a FederatedUser whose federator is a user
		name := ses.OwnerName
		if name == "" {
			name = ses.OwnerARN[strings.LastIndexByte(ses.OwnerARN, '/')+1:]
		}
		c.owner = userKey(name).ID
		u, err := users.Cached(ctx, s.DB, c.owner)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			id = u.ID
			if ses.Type == policy.User {
				c.Principal = u.principal(s.Account)
				return c, sameOwner(id, ses)
			}
		}
	}
	if err := sameOwner(id, ses); err != nil {
		return nil, err
	}
	if len(tags) > 0 { // session tags go over the role's; keys count in any case
		all := maps.Clone(tags)
		for key := range c.Tags {
			maps.DeleteFunc(all, func(k, _ string) bool { return strings.EqualFold(k, key) })
		}
		maps.Copy(all, c.Tags)
		c.Tags = all
	}
	return c, nil
}

func sameOwner(id string, ses *session.Session) error {
	if id == "" || id != ses.OwnerID {
		return errUnknownKey()
	}
	return nil
}

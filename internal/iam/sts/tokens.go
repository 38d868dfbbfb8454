package sts

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const (
	lambda           = "lambda.amazonaws.com"
	functionDuration = 12 * time.Hour

	userDuration = 12 * time.Hour // of sessions of users and federated users, unless they ask for another
	rootDuration = time.Hour      // longest of a session of the root
)

// GetCallerIdentity says who calls. Nobody needs a permission for it, and no policy can forbid it.
func (s *Service) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
	call := wire.CallFrom(ctx)
	c := iam.CallerOf(call)
	if c == nil {
		return nil, errors.New("sts: GetCallerIdentity without a caller")
	}
	return &sts.GetCallerIdentityResponse{UserId: shape.Ptr(c.UserID), Account: shape.Ptr(c.Account), Arn: shape.Ptr(c.ARN)}, nil
}

// GetAccessKeyInfo says whose account an access key is of: there is one.
func (s *Service) GetAccessKeyInfo(ctx context.Context, in *sts.GetAccessKeyInfoRequest) (*sts.GetAccessKeyInfoResponse, error) {
	if !strings.HasPrefix(in.AccessKeyId, "AKIA") && !strings.HasPrefix(in.AccessKeyId, "ASIA") {
		return nil, validation("Invalid Access Key ID: %s", in.AccessKeyId)
	}
	return &sts.GetAccessKeyInfoResponse{Account: shape.Ptr(wire.CallFrom(ctx).Account)}, nil
}

// DecodeAuthorizationMessage knows no message: no service here encodes one.
func (s *Service) DecodeAuthorizationMessage(context.Context, *sts.DecodeAuthorizationMessageRequest) (*sts.DecodeAuthorizationMessageResponse, error) {
	return nil, sts.InvalidAuthorizationMessageException("Message is not valid: no service of Gatehouse encodes authorization messages.")
}

// GetSessionToken makes temporary credentials of a user's or the root's own.
func (s *Service) GetSessionToken(ctx context.Context, in *sts.GetSessionTokenRequest) (*sts.GetSessionTokenResponse, error) {
	call := wire.CallFrom(ctx)
	c := iam.CallerOf(call)
	if in.MinimumSessionTokenSize != nil {
		return nil, unsupported("MinimumSessionTokenSize")
	}
	if err := longLived(c, "GetSessionToken"); err != nil {
		return nil, err
	}
	ses := &session.Session{Type: c.Type, Account: call.Account, OwnerARN: c.ARN, OwnerID: c.ID, OwnerName: c.Name}
	if in.SerialNumber != nil || in.TokenCode != nil {
		if err := s.checkMFA(ctx, c, in.SerialNumber, in.TokenCode); err != nil {
			return nil, err
		}
		ses.MFA = true
	}
	creds, err := s.issue(ses, userLasts(c, in.DurationSeconds))
	if err != nil {
		return nil, err
	}
	return &sts.GetSessionTokenResponse{Credentials: credentials(creds)}, nil
}

// longLived tells whether the caller may ask for a session of its own: a user or the root, with a key that
// is no session's.
func longLived(c *iam.Caller, operation string) error {
	if c == nil {
		return errors.New("sts: " + operation + " without a caller")
	}
	if c.Session != nil || c.Type != policy.User && c.Type != policy.RootUser {
		return accessDenied("Cannot call %s with session credentials", operation)
	}
	return nil
}

// userLasts is how long a session of a user or the root lasts; the root's is cut to an hour.
func userLasts(c *iam.Caller, wanted *int64) time.Duration {
	d := userDuration
	if wanted != nil {
		d = time.Duration(*wanted) * time.Second
	}
	if c.Type == policy.RootUser {
		d = min(d, rootDuration)
	}
	return d
}

// GetFederationToken makes a session in another's name, of at most what its caller may do and the session's
// policies let.
func (s *Service) GetFederationToken(ctx context.Context, in *sts.GetFederationTokenRequest) (*sts.GetFederationTokenResponse, error) {
	call := wire.CallFrom(ctx)
	c := iam.CallerOf(call)
	if in.MinimumSessionTokenSize != nil {
		return nil, unsupported("MinimumSessionTokenSize")
	}
	if err := longLived(c, "GetFederationToken"); err != nil {
		return nil, err
	}
	t, err := newTags(in.Tags, nil, nil)
	if err != nil {
		return nil, err
	}
	if len(t.given) > 0 { // GetFederationToken itself is decided where all operations are: on the wire
		resource := arn.New("sts", "", call.Account, "federated-user/"+in.Name).String()
		d, err := s.o.IAM.Decide(ctx, c, &policy.Request{Action: actTagSession, Resource: resource, Context: t.about(call, nil, "", "")}, nil)
		if err != nil {
			return nil, err
		}
		if !d.Allowed {
			return nil, notAuthorized(c, actTagSession, resource, d)
		}
	}
	ses := &session.Session{Type: policy.FederatedUser, Account: call.Account, OwnerARN: c.ARN, OwnerID: c.ID, OwnerName: c.Name, Name: in.Name, Tags: t.all}
	if ses.Policies, ses.PolicyARNs, err = s.limits(ctx, in.Policy, in.PolicyArns); err != nil {
		return nil, err
	}
	size, err := packed(ses)
	if err != nil {
		return nil, err
	}
	creds, err := s.issue(ses, userLasts(c, in.DurationSeconds))
	if err != nil {
		return nil, err
	}
	p := ses.Principal()
	return &sts.GetFederationTokenResponse{Credentials: credentials(creds), PackedPolicySize: size, FederatedUser: &sts.FederatedUser{Arn: p.ARN, FederatedUserId: p.UserID}}, nil
}

package sts

import (
	"context"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// AssumeRole lets a user or a session become a role.
func (s *Service) AssumeRole(ctx context.Context, in *sts.AssumeRoleRequest) (*sts.AssumeRoleResponse, error) {
	call := wire.CallFrom(ctx)
	c := iam.CallerOf(call)
	switch {
	case c == nil:
		return nil, errors.New("sts: AssumeRole without a caller")
	case len(in.ProvidedContexts) > 0:
		return nil, unsupported("ProvidedContexts")
	case in.MinimumSessionTokenSize != nil:
		return nil, unsupported("MinimumSessionTokenSize")
	case c.Type == policy.RootUser:
		trace.From(ctx).Fail("caller", "the root assumes no roles", c.ARN, "a user's key or a session")
		return nil, accessDenied("Roles may not be assumed by root accounts.")
	}
	chained := c.Type == policy.RoleSession
	var from *session.Session
	source := shape.Val(in.SourceIdentity)
	if chained {
		from = c.Session
	}
	t, err := newTags(in.Tags, in.TransitiveTagKeys, from)
	if err != nil {
		return nil, err
	}
	if !checkSourceIdentity(source) {
		return nil, validation("Source Identity must match [\\w+=,.@-]{2,64} and not begin with \"aws:\"")
	}
	who := *c
	if in.SerialNumber != nil || in.TokenCode != nil {
		if err := s.checkMFA(ctx, c, in.SerialNumber, in.TokenCode); err != nil {
			return nil, err
		}
		who.MFA = true
	}

	role, err := s.role(ctx, in.RoleArn)
	if err != nil {
		return nil, err
	}
	if role == nil || c.Type == policy.FederatedUser {
		return nil, notAuthorized(c, actAssumeRole, in.RoleArn, policy.Decision{})
	}
	if from != nil && from.SourceIdentity != "" {
		if source != "" && source != from.SourceIdentity { // once set, it stays
			trace.From(ctx).Fail("source identity", "the session has another one already", source, from.SourceIdentity)
			return nil, notAuthorized(c, actSourceIdentity, in.RoleArn, policy.Decision{})
		}
		source = from.SourceIdentity
	}
	about := t.about(call, role, in.RoleSessionName, source)
	if in.ExternalId != nil {
		about.Set("sts:externalid", *in.ExternalId)
	}
	for _, action := range actions(actAssumeRole, &t, source) {
		d, err := s.o.IAM.Decide(ctx, &who, &policy.Request{Action: action, Resource: role.ARN, Context: about}, role.TrustPolicy())
		if err != nil {
			return nil, err
		}
		if !d.Allowed {
			return nil, notAuthorized(c, action, in.RoleArn, d)
		}
	}

	d, err := lasts(role, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	if chained && d > chainDuration {
		return nil, validation("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	ses := roleSession(call.Account, role, in.RoleSessionName, &t)
	ses.SourceIdentity = source
	if ses.Policies, ses.PolicyARNs, err = s.limits(ctx, in.Policy, in.PolicyArns); err != nil {
		return nil, err
	}
	size, err := packed(ses)
	if err != nil {
		return nil, err
	}
	creds, err := s.issue(ses, d)
	if err != nil {
		return nil, err
	}
	return &sts.AssumeRoleResponse{Credentials: credentials(creds), AssumedRoleUser: assumed(ses), PackedPolicySize: size, SourceIdentity: textOrNil(source)}, nil
}

// checkMFA checks the code of a device of the caller's, who must be a user with a key of its own.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html
func (s *Service) checkMFA(ctx context.Context, c *iam.Caller, serial, code *string) error {
	if serial == nil || code == nil || c.Session != nil {
		return accessDenied("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
	}
	return s.o.IAM.VerifyMFA(ctx, c, *serial, *code)
}

// FunctionCredentials returns credentials of a function's execution role, good for twelve hours. The
// session has the function's name. An iam.ErrNotAssumable says that there is no such role, or that it
// does not trust lambda.amazonaws.com.
func (s *Service) FunctionCredentials(ctx context.Context, roleARN, functionName string) (session.Credentials, error) {
	c, err := s.o.IAM.AssumeAsService(ctx, roleARN, lambda, functionName)
	if err != nil {
		return session.Credentials{}, err
	}
	ses := *c.Session
	return s.issue(&ses, functionDuration)
}

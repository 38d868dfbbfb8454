package iam

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/session"
)

// ErrNotAssumable says that a service of AWS may not assume a role: the role is not there, or its trust
// policy does not let the service.
type ErrNotAssumable struct {
	RoleARN string
	Service string // "lambda.amazonaws.com"
	Because string // what the trust policy says; "" where there is no such role
}

func (e ErrNotAssumable) Error() string {
	if e.Because == "" {
		return fmt.Sprintf("iam: %s cannot assume %s: there is no such role", e.Service, e.RoleARN)
	}
	return fmt.Sprintf("iam: %s is not authorized to perform: sts:AssumeRole on resource: %s %s", e.Service, e.RoleARN, e.Because)
}

// RoleByARN returns the role with the ARN, path included. It is shared and must not be modified. The error
// for one that is not there is IAM's NoSuchEntity.
func (s *Service) RoleByARN(ctx context.Context, roleARN string) (*Role, error) {
	a, err := arn.Parse(roleARN)
	name := a.Resource[strings.LastIndexByte(a.Resource, '/')+1:]
	if err != nil || a.Service != "iam" || a.Account != s.Account || !strings.HasPrefix(a.Resource, "role/") || name == "" || !validText(name) {
		return nil, noRole(roleARN)
	}
	r, err := s.getRole(ctx, name)
	if err == nil && r.ARN != roleARN {
		return nil, noRole(name)
	}
	if err != nil {
		return nil, err
	}
	return s.asTrusted(ctx, r)
}

// AssumeAsService lets a service of AWS's, such as "lambda.amazonaws.com", assume a role, and returns
// who it then is: a session of one hour without credentials. An ErrNotAssumable says that it may not.
func (s *Service) AssumeAsService(ctx context.Context, roleARN, service, sessionName string) (*Caller, error) {
	return s.AssumeAsServiceFor(ctx, roleARN, service, sessionName, "")
}

// AssumeAsServiceFor is AssumeAsService on behalf of a resource, which trust policies know as
// aws:SourceArn.
func (s *Service) AssumeAsServiceFor(ctx context.Context, roleARN, service, sessionName, sourceARN string) (*Caller, error) {
	r, err := s.RoleByARN(ctx, roleARN)
	if gone(err) {
		return nil, ErrNotAssumable{RoleARN: roleARN, Service: service}
	}
	if err != nil {
		return nil, err
	}
	now := s.Now()
	about := &Request{Time: now, Secure: true}
	about.Set("aws:sourceaccount", s.Account)
	about.Set("sts:rolesessionname", sessionName)
	if sourceARN != "" {
		about.Set("aws:sourcearn", sourceARN)
	}
	d := policy.Evaluate(&policy.Set{Resource: r.TrustPolicy()}, &policy.Request{
		Principal: policy.Principal{Type: policy.AWSService, Service: service}, Action: "sts:AssumeRole", Resource: r.ARN, Context: about,
	})
	note(ctx, d)
	if !d.Allowed {
		return nil, ErrNotAssumable{RoleARN: roleARN, Service: service, Because: d.Because()}
	}
	return s.SessionCaller(ctx, &session.Session{
		Type: policy.RoleSession, Account: s.Account, OwnerARN: r.ARN, OwnerID: r.ID, OwnerName: r.Name, Name: sessionName,
		Issued: now.Unix(), Expires: now.Add(time.Hour).Unix(),
	})
}

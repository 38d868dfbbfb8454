package iam

import (
	"context"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
)

func (s *Service) PutUserPolicy(ctx context.Context, in *iam.PutUserPolicyRequest) (*iam.PutUserPolicyResponse, error) {
	return &iam.PutUserPolicyResponse{}, s.put(ctx, s.ofUser(), in.UserName, in.PolicyName, in.PolicyDocument, "")
}

func (s *Service) GetUserPolicy(ctx context.Context, in *iam.GetUserPolicyRequest) (*iam.GetUserPolicyResponse, error) {
	doc, name, err := s.inline(ctx, s.ofUser(), in.UserName, in.PolicyName)
	return &iam.GetUserPolicyResponse{UserName: name, PolicyName: in.PolicyName, PolicyDocument: doc}, err
}

func (s *Service) DeleteUserPolicy(ctx context.Context, in *iam.DeleteUserPolicyRequest) (*iam.DeleteUserPolicyResponse, error) {
	return &iam.DeleteUserPolicyResponse{}, s.deleteInline(ctx, s.ofUser(), in.UserName, in.PolicyName)
}

func (s *Service) ListUserPolicies(ctx context.Context, in *iam.ListUserPoliciesRequest) (out *iam.ListUserPoliciesResponse, err error) {
	out = new(iam.ListUserPoliciesResponse)
	out.PolicyNames, out.IsTruncated, out.Marker, err = s.inlineNames(ctx, s.ofUser(), in.UserName, in.Marker, in.MaxItems)
	return out, err
}

func (s *Service) AttachUserPolicy(ctx context.Context, in *iam.AttachUserPolicyRequest) (*iam.AttachUserPolicyResponse, error) {
	return &iam.AttachUserPolicyResponse{}, s.attach(ctx, s.ofUser(), in.UserName, in.PolicyArn)
}

func (s *Service) DetachUserPolicy(ctx context.Context, in *iam.DetachUserPolicyRequest) (*iam.DetachUserPolicyResponse, error) {
	return &iam.DetachUserPolicyResponse{}, s.detach(ctx, s.ofUser(), in.UserName, in.PolicyArn)
}

func (s *Service) ListAttachedUserPolicies(ctx context.Context, in *iam.ListAttachedUserPoliciesRequest) (out *iam.ListAttachedUserPoliciesResponse, err error) {
	out = new(iam.ListAttachedUserPoliciesResponse)
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = s.listAttached(ctx, s.ofUser(), in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return out, err
}

func (s *Service) PutUserPermissionsBoundary(ctx context.Context, in *iam.PutUserPermissionsBoundaryRequest) (*iam.PutUserPermissionsBoundaryResponse, error) {
	return &iam.PutUserPermissionsBoundaryResponse{}, s.setBoundary(ctx, s.ofUser(), in.UserName, in.PermissionsBoundary)
}

func (s *Service) DeleteUserPermissionsBoundary(ctx context.Context, in *iam.DeleteUserPermissionsBoundaryRequest) (*iam.DeleteUserPermissionsBoundaryResponse, error) {
	return &iam.DeleteUserPermissionsBoundaryResponse{}, s.setBoundary(ctx, s.ofUser(), in.UserName, "")
}

func (s *Service) PutGroupPolicy(ctx context.Context, in *iam.PutGroupPolicyRequest) (*iam.PutGroupPolicyResponse, error) {
	return &iam.PutGroupPolicyResponse{}, s.put(ctx, s.ofGroup(), in.GroupName, in.PolicyName, in.PolicyDocument, "")
}

func (s *Service) GetGroupPolicy(ctx context.Context, in *iam.GetGroupPolicyRequest) (*iam.GetGroupPolicyResponse, error) {
	doc, name, err := s.inline(ctx, s.ofGroup(), in.GroupName, in.PolicyName)
	return &iam.GetGroupPolicyResponse{GroupName: name, PolicyName: in.PolicyName, PolicyDocument: doc}, err
}

func (s *Service) DeleteGroupPolicy(ctx context.Context, in *iam.DeleteGroupPolicyRequest) (*iam.DeleteGroupPolicyResponse, error) {
	return &iam.DeleteGroupPolicyResponse{}, s.deleteInline(ctx, s.ofGroup(), in.GroupName, in.PolicyName)
}

func (s *Service) ListGroupPolicies(ctx context.Context, in *iam.ListGroupPoliciesRequest) (out *iam.ListGroupPoliciesResponse, err error) {
	out = new(iam.ListGroupPoliciesResponse)
	out.PolicyNames, out.IsTruncated, out.Marker, err = s.inlineNames(ctx, s.ofGroup(), in.GroupName, in.Marker, in.MaxItems)
	return out, err
}

func (s *Service) AttachGroupPolicy(ctx context.Context, in *iam.AttachGroupPolicyRequest) (*iam.AttachGroupPolicyResponse, error) {
	return &iam.AttachGroupPolicyResponse{}, s.attach(ctx, s.ofGroup(), in.GroupName, in.PolicyArn)
}

func (s *Service) DetachGroupPolicy(ctx context.Context, in *iam.DetachGroupPolicyRequest) (*iam.DetachGroupPolicyResponse, error) {
	return &iam.DetachGroupPolicyResponse{}, s.detach(ctx, s.ofGroup(), in.GroupName, in.PolicyArn)
}

func (s *Service) ListAttachedGroupPolicies(ctx context.Context, in *iam.ListAttachedGroupPoliciesRequest) (out *iam.ListAttachedGroupPoliciesResponse, err error) {
	out = new(iam.ListAttachedGroupPoliciesResponse)
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = s.listAttached(ctx, s.ofGroup(), in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	return out, err
}

func (s *Service) PutRolePolicy(ctx context.Context, in *iam.PutRolePolicyRequest) (*iam.PutRolePolicyResponse, error) {
	return &iam.PutRolePolicyResponse{}, s.put(ctx, s.ofRole(), in.RoleName, in.PolicyName, in.PolicyDocument, "")
}

func (s *Service) GetRolePolicy(ctx context.Context, in *iam.GetRolePolicyRequest) (*iam.GetRolePolicyResponse, error) {
	doc, name, err := s.inline(ctx, s.ofRole(), in.RoleName, in.PolicyName)
	return &iam.GetRolePolicyResponse{RoleName: name, PolicyName: in.PolicyName, PolicyDocument: doc}, err
}

func (s *Service) DeleteRolePolicy(ctx context.Context, in *iam.DeleteRolePolicyRequest) (*iam.DeleteRolePolicyResponse, error) {
	return &iam.DeleteRolePolicyResponse{}, s.deleteInline(ctx, s.ofRole(), in.RoleName, in.PolicyName)
}

func (s *Service) ListRolePolicies(ctx context.Context, in *iam.ListRolePoliciesRequest) (out *iam.ListRolePoliciesResponse, err error) {
	out = new(iam.ListRolePoliciesResponse)
	out.PolicyNames, out.IsTruncated, out.Marker, err = s.inlineNames(ctx, s.ofRole(), in.RoleName, in.Marker, in.MaxItems)
	return out, err
}

func (s *Service) AttachRolePolicy(ctx context.Context, in *iam.AttachRolePolicyRequest) (*iam.AttachRolePolicyResponse, error) {
	return &iam.AttachRolePolicyResponse{}, s.attach(ctx, s.ofRole(), in.RoleName, in.PolicyArn)
}

func (s *Service) DetachRolePolicy(ctx context.Context, in *iam.DetachRolePolicyRequest) (*iam.DetachRolePolicyResponse, error) {
	return &iam.DetachRolePolicyResponse{}, s.detach(ctx, s.ofRole(), in.RoleName, in.PolicyArn)
}

func (s *Service) ListAttachedRolePolicies(ctx context.Context, in *iam.ListAttachedRolePoliciesRequest) (out *iam.ListAttachedRolePoliciesResponse, err error) {
	out = new(iam.ListAttachedRolePoliciesResponse)
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = s.listAttached(ctx, s.ofRole(), in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return out, err
}

func (s *Service) PutRolePermissionsBoundary(ctx context.Context, in *iam.PutRolePermissionsBoundaryRequest) (*iam.PutRolePermissionsBoundaryResponse, error) {
	return &iam.PutRolePermissionsBoundaryResponse{}, s.setBoundary(ctx, s.ofRole(), in.RoleName, in.PermissionsBoundary)
}

func (s *Service) DeleteRolePermissionsBoundary(ctx context.Context, in *iam.DeleteRolePermissionsBoundaryRequest) (*iam.DeleteRolePermissionsBoundaryResponse, error) {
	return &iam.DeleteRolePermissionsBoundaryResponse{}, s.setBoundary(ctx, s.ofRole(), in.RoleName, "")
}

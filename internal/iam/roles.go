package iam

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Limits of IAM (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html), in
// characters without white space.
const (
	maxInlinePolicies = 10240
	maxTrustPolicy    = 2048
	maxAttached       = 10
)

// Role is a role with everything that hangs on it.
type Role struct {
	Name, Path, ID, ARN string
	Created             int64 // epoch milliseconds
	Trust               string
	Description         *string
	MaxSession          int64 // seconds
	Grants
	Tags  map[string]string
	Token string `json:",omitempty"` // of the step of a stack that made it

	trust atomic.Pointer[policy.Compiled] // of Trust, made when first asked for
}

// closed is the trust policy of a role whose own cannot be read: nobody may assume it.
const closed = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:*"}]}`

// TrustPolicy returns the role's trust policy, ready for evaluation. It is never nil.
func (r *Role) TrustPolicy() *policy.Compiled {
	if c := r.trust.Load(); c != nil {
		return c
	}
	c, err := policy.Compile(policy.Trust, "the trust policy of role "+r.Name, r.Trust)
	if err != nil {
		c, _ = policy.Compile(policy.Trust, "the unreadable trust policy of role "+r.Name, closed)
	}
	r.trust.Store(c)
	return c
}

var roles = store.Kind[Role]{Name: "iam.role"}

// roleKey: IAM is one for all regions; role names are unique without regard to case.
func roleKey(name string) store.Key {
	return store.Key{ID: strings.ToLower(name), Parent: "roles", Name: strings.ToLower(name)}
}

func noRole(name string) error {
	return iam.NoSuchEntityException("The role with name %s cannot be found.", name)
}

// getRole returns a role for reading.
func (s *Service) getRole(ctx context.Context, name string) (*Role, error) {
	r, err := roles.Cached(ctx, s.DB, roleKey(name).ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noRole(name)
	}
	return r, err
}

// changeRole applies f to a role.
func (s *Service) changeRole(ctx context.Context, name string, f func(*Role) error) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		r, err := roles.Get(tx, roleKey(name).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noRole(name)
		}
		if err != nil {
			return err
		}
		if err := f(r); err != nil {
			return err
		}
		return roles.Put(tx, roleKey(name), r)
	})
}

func (s *Service) CreateRole(ctx context.Context, in *iam.CreateRoleRequest) (*iam.CreateRoleResponse, error) {
	r, err := s.createRole(ctx, in, "")
	if err != nil {
		return nil, err
	}
	return &iam.CreateRoleResponse{Role: r.shape(true)}, nil
}

// createRole makes a role. token, if any, tells tries to make the same role.
func (s *Service) createRole(ctx context.Context, in *iam.CreateRoleRequest, token string) (*Role, error) {
	path := "/"
	if in.Path != nil {
		path = *in.Path
	}
	r := &Role{
		Name: in.RoleName, Path: path, ID: ident.UniqueID("AROA"), Created: s.Now().UnixMilli(), Grants: Grants{Inline: map[string]string{}}, Token: token,
		ARN: arn.ARN{Partition: "aws", Service: "iam", Account: s.Account, Resource: "role" + path + in.RoleName}.String(),
	}
	if err := r.configure(in); err != nil {
		return nil, err
	}
	made := r
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		made = r
		err := roles.Insert(tx, roleKey(r.Name), r)
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		old, err := roles.Get(tx, roleKey(r.Name).ID)
		if err != nil {
			return err
		}
		if token == "" || old.Token != token {
			return iam.EntityAlreadyExistsException("Role with name %s already exists.", in.RoleName)
		}
		made = old
		return nil
	})
	return made, err
}

// configure applies what of a role can be changed, and puts the default where a setting is absent.
func (r *Role) configure(in *iam.CreateRoleRequest) error {
	if err := checkTrust(in.AssumeRolePolicyDocument); err != nil {
		return err
	}
	r.Trust, r.Description, r.Boundary, r.MaxSession = in.AssumeRolePolicyDocument, in.Description, shape.Val(in.PermissionsBoundary), 3600
	if in.MaxSessionDuration != nil {
		r.MaxSession = *in.MaxSessionDuration
	}
	r.Tags = map[string]string{}
	return setTags(r.Tags, in.Tags)
}

// shape returns the role as the API shows it. Tags and boundary are left out of lists.
func (r *Role) shape(full bool) *iam.Role {
	out := &iam.Role{
		Path: r.Path, RoleName: r.Name, RoleId: r.ID, Arn: r.ARN, CreateDate: time.UnixMilli(r.Created).UTC(),
		// The API gives policy documents URL-encoded (RFC 3986).
		AssumeRolePolicyDocument: shape.Ptr(encodeDocument(r.Trust)), Description: r.Description, MaxSessionDuration: shape.Ptr(r.MaxSession),
	}
	if full {
		if r.Boundary != "" {
			out.PermissionsBoundary = &iam.AttachedPermissionsBoundary{PermissionsBoundaryType: shape.Ptr("Policy"), PermissionsBoundaryArn: shape.Ptr(r.Boundary)}
		}
		out.Tags = tagList(r.Tags)
	}
	return out
}

func encodeDocument(doc string) string {
	return strings.ReplaceAll(url.QueryEscape(doc), "+", "%20")
}

func (s *Service) GetRole(ctx context.Context, in *iam.GetRoleRequest) (*iam.GetRoleResponse, error) {
	r, err := s.getRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := r.shape(true)
	out.RoleLastUsed = &iam.RoleLastUsed{}
	return &iam.GetRoleResponse{Role: out}, nil
}

func (s *Service) ListRoles(ctx context.Context, in *iam.ListRolesRequest) (*iam.ListRolesResponse, error) {
	prefix := shape.Val(in.PathPrefix)
	limit := 100
	if in.MaxItems != nil {
		limit = int(*in.MaxItems)
	}
	out := &iam.ListRolesResponse{Roles: []iam.Role{}, IsTruncated: shape.Ptr(false)}
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		after := shape.Val(in.Marker)
		for {
			page, next, err := roles.List(tx, "roles", after, limit)
			if err != nil {
				return err
			}
			for _, r := range page {
				if !strings.HasPrefix(r.Path, prefix) {
					continue
				}
				if len(out.Roles) == limit {
					out.IsTruncated = shape.Ptr(true)
					out.Marker = shape.Ptr(strings.ToLower(out.Roles[limit-1].RoleName))
					return nil
				}
				out.Roles = append(out.Roles, *r.shape(false))
			}
			if next == "" {
				return nil
			}
			after = next
		}
	})
	return out, err
}

func (s *Service) UpdateRole(ctx context.Context, in *iam.UpdateRoleRequest) (*iam.UpdateRoleResponse, error) {
	err := s.changeRole(ctx, in.RoleName, func(r *Role) error {
		if in.Description != nil {
			r.Description = in.Description
		}
		if in.MaxSessionDuration != nil {
			r.MaxSession = *in.MaxSessionDuration
		}
		return nil
	})
	return &iam.UpdateRoleResponse{}, err
}

func (s *Service) UpdateAssumeRolePolicy(ctx context.Context, in *iam.UpdateAssumeRolePolicyRequest) (*iam.UpdateAssumeRolePolicyResponse, error) {
	if err := checkTrust(in.PolicyDocument); err != nil {
		return nil, err
	}
	err := s.changeRole(ctx, in.RoleName, func(r *Role) error { r.Trust = in.PolicyDocument; return nil })
	return &iam.UpdateAssumeRolePolicyResponse{}, err
}

func (s *Service) DeleteRole(ctx context.Context, in *iam.DeleteRoleRequest) (*iam.DeleteRoleResponse, error) {
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		r, err := roles.Get(tx, roleKey(in.RoleName).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noRole(in.RoleName)
		}
		if err != nil {
			return err
		}
		if len(r.Attached) > 0 {
			return iam.DeleteConflictException("Cannot delete entity, must detach all policies first.")
		}
		if len(r.Inline) > 0 {
			return iam.DeleteConflictException("Cannot delete entity, must delete policies first.")
		}
		return roles.Delete(tx, roleKey(in.RoleName).ID)
	})
	return &iam.DeleteRoleResponse{}, err
}

func (s *Service) PutRolePolicy(ctx context.Context, in *iam.PutRolePolicyRequest) (*iam.PutRolePolicyResponse, error) {
	if err := checkPolicy(in.PolicyDocument); err != nil {
		return nil, err
	}
	err := s.changeRole(ctx, in.RoleName, func(r *Role) error {
		r.Inline[in.PolicyName] = in.PolicyDocument
		size := 0
		for _, doc := range r.Inline {
			size += policy.Size(doc)
		}
		if size > maxInlinePolicies {
			return iam.LimitExceededException("Maximum policy size of %d bytes exceeded for role %s", maxInlinePolicies, r.Name)
		}
		return nil
	})
	return &iam.PutRolePolicyResponse{}, err
}

func (s *Service) GetRolePolicy(ctx context.Context, in *iam.GetRolePolicyRequest) (*iam.GetRolePolicyResponse, error) {
	r, err := s.getRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	doc, ok := r.Inline[in.PolicyName]
	if !ok {
		return nil, iam.NoSuchEntityException("The role policy with name %s cannot be found.", in.PolicyName)
	}
	return &iam.GetRolePolicyResponse{RoleName: r.Name, PolicyName: in.PolicyName, PolicyDocument: encodeDocument(doc)}, nil
}

func (s *Service) DeleteRolePolicy(ctx context.Context, in *iam.DeleteRolePolicyRequest) (*iam.DeleteRolePolicyResponse, error) {
	err := s.changeRole(ctx, in.RoleName, func(r *Role) error {
		if _, ok := r.Inline[in.PolicyName]; !ok {
			return iam.NoSuchEntityException("The role policy with name %s cannot be found.", in.PolicyName)
		}
		delete(r.Inline, in.PolicyName)
		return nil
	})
	return &iam.DeleteRolePolicyResponse{}, err
}

func (s *Service) ListRolePolicies(ctx context.Context, in *iam.ListRolePoliciesRequest) (*iam.ListRolePoliciesResponse, error) {
	r, err := s.getRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(r.Inline))
	for name := range r.Inline {
		names = append(names, name)
	}
	slices.Sort(names)
	return &iam.ListRolePoliciesResponse{PolicyNames: names, IsTruncated: shape.Ptr(false)}, nil
}

func (s *Service) AttachRolePolicy(ctx context.Context, in *iam.AttachRolePolicyRequest) (*iam.AttachRolePolicyResponse, error) {
	if _, err := s.managedPolicy(ctx, in.PolicyArn); err != nil {
		return nil, attachable(err, in.PolicyArn)
	}
	err := s.changeRole(ctx, in.RoleName, func(r *Role) error {
		if slices.Contains(r.Attached, in.PolicyArn) {
			return nil
		}
		if len(r.Attached) >= maxAttached {
			return iam.LimitExceededException("Cannot exceed quota for PoliciesPerRole: %d", maxAttached)
		}
		r.Attached = append(r.Attached, in.PolicyArn)
		return nil
	})
	return &iam.AttachRolePolicyResponse{}, err
}

func (s *Service) DetachRolePolicy(ctx context.Context, in *iam.DetachRolePolicyRequest) (*iam.DetachRolePolicyResponse, error) {
	err := s.changeRole(ctx, in.RoleName, func(r *Role) error {
		i := slices.Index(r.Attached, in.PolicyArn)
		if i < 0 {
			return iam.NoSuchEntityException("Policy %s was not found.", in.PolicyArn)
		}
		r.Attached = slices.Delete(r.Attached, i, i+1)
		return nil
	})
	return &iam.DetachRolePolicyResponse{}, err
}

func (s *Service) ListAttachedRolePolicies(ctx context.Context, in *iam.ListAttachedRolePoliciesRequest) (*iam.ListAttachedRolePoliciesResponse, error) {
	r, err := s.getRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &iam.ListAttachedRolePoliciesResponse{AttachedPolicies: []iam.AttachedPolicy{}, IsTruncated: shape.Ptr(false)}
	for _, a := range r.Attached {
		out.AttachedPolicies = append(out.AttachedPolicies, iam.AttachedPolicy{PolicyName: shape.Ptr(a[strings.LastIndexByte(a, '/')+1:]), PolicyArn: shape.Ptr(a)})
	}
	return out, nil
}

func (s *Service) ListInstanceProfilesForRole(ctx context.Context, in *iam.ListInstanceProfilesForRoleRequest) (*iam.ListInstanceProfilesForRoleResponse, error) {
	if _, err := s.getRole(ctx, in.RoleName); err != nil {
		return nil, err
	}
	return &iam.ListInstanceProfilesForRoleResponse{InstanceProfiles: []iam.InstanceProfile{}, IsTruncated: shape.Ptr(false)}, nil
}

func (s *Service) TagRole(ctx context.Context, in *iam.TagRoleRequest) (*iam.TagRoleResponse, error) {
	err := s.changeRole(ctx, in.RoleName, func(r *Role) error { return setTags(r.Tags, in.Tags) })
	return &iam.TagRoleResponse{}, err
}

func (s *Service) UntagRole(ctx context.Context, in *iam.UntagRoleRequest) (*iam.UntagRoleResponse, error) {
	err := s.changeRole(ctx, in.RoleName, func(r *Role) error {
		for _, k := range in.TagKeys {
			delete(r.Tags, k)
		}
		return nil
	})
	return &iam.UntagRoleResponse{}, err
}

func (s *Service) ListRoleTags(ctx context.Context, in *iam.ListRoleTagsRequest) (*iam.ListRoleTagsResponse, error) {
	r, err := s.getRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	return &iam.ListRoleTagsResponse{Tags: tagList(r.Tags), IsTruncated: shape.Ptr(false)}, nil
}

// maxTags is how many tags a role may have.
const maxTags = 50

func setTags(tags map[string]string, add []iam.Tag) error {
	for _, t := range add {
		tags[t.Key] = t.Value
	}
	if len(tags) > maxTags {
		return iam.LimitExceededException("The number of tags has reached the maximum limit.")
	}
	return nil
}

func tagList(tags map[string]string) []iam.Tag {
	out := make([]iam.Tag, 0, len(tags))
	for k, v := range tags {
		out = append(out, iam.Tag{Key: k, Value: v})
	}
	slices.SortFunc(out, func(a, b iam.Tag) int { return strings.Compare(a.Key, b.Key) })
	return out
}

package iam

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Role is a role with everything that hangs on it.
type Role struct {
	Name, Path, ID, ARN string
	Created             int64 // epoch milliseconds
	Trust               string
	TrustIDs            map[string]string `json:",omitempty"` // of users and roles of the account that Trust names: unique id by ARN
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
	return s.DB.Update(ctx, func(tx *store.Tx) error { return change(tx, roles, roleKey(name), noRole(name), f) })
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
	path := pathOf(in.Path)
	r := &Role{
		Name: in.RoleName, Path: path, ID: ident.UniqueID("AROA"), Created: s.Now().UnixMilli(), Grants: Grants{Inline: map[string]string{}}, Token: token,
		ARN: arn.ARN{Partition: "aws", Service: "iam", Account: s.Account, Resource: "role" + path + in.RoleName}.String(),
	}
	if err := r.configure(in); err != nil {
		return nil, err
	}
	if err := s.room(ctx, roles.Name, roleKey("").Parent, "RolesPerAccount", maxRoles); err != nil {
		return nil, err
	}
	made := r
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		made = r
		if err := s.trusts(tx, r, r.Trust); err != nil {
			return err
		}
		if r.Boundary != "" {
			if err := s.checkAttachable(tx, r.Boundary); err != nil {
				return err
			}
		}
		err := roles.Insert(tx, roleKey(r.Name), r)
		if err == nil {
			return relink(tx, nil, nil, r)
		}
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
	var err error
	r.Tags, err = newTags(in.Tags)
	return err
}

// shape returns the role as the API shows it. Tags and boundary are left out of lists.
func (r *Role) shape(full bool) *iam.Role {
	out := &iam.Role{
		Path: r.Path, RoleName: r.Name, RoleId: r.ID, Arn: r.ARN, CreateDate: timeOf(r.Created),
		AssumeRolePolicyDocument: shape.Ptr(encodeDocument(r.Trust)), Description: r.Description, MaxSessionDuration: shape.Ptr(r.MaxSession),
	}
	if full {
		out.PermissionsBoundary, out.Tags = r.boundary(), tagList(r.Tags)
	}
	return out
}

func (s *Service) GetRole(ctx context.Context, in *iam.GetRoleRequest) (*iam.GetRoleResponse, error) {
	r, err := s.getRole(ctx, in.RoleName)
	if err == nil {
		r, err = s.asTrusted(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	out := r.shape(true)
	if out.RoleLastUsed, err = s.roleLastUsed(ctx, r); err != nil {
		return nil, err
	}
	return &iam.GetRoleResponse{Role: out}, nil
}

func (s *Service) ListRoles(ctx context.Context, in *iam.ListRolesRequest) (*iam.ListRolesResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	page, next, err := list(ctx, s.DB, roles, roleKey("").Parent, w, func(_ *store.Tx, r *Role) (iam.Role, bool, error) {
		return *r.shape(false), under(r.Path, in.PathPrefix), nil
	})
	out := &iam.ListRolesResponse{Roles: page}
	out.IsTruncated, out.Marker = more(next)
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

// UpdateRoleDescription is what UpdateRole was before.
func (s *Service) UpdateRoleDescription(ctx context.Context, in *iam.UpdateRoleDescriptionRequest) (*iam.UpdateRoleDescriptionResponse, error) {
	out := new(iam.UpdateRoleDescriptionResponse)
	err := s.changeRole(ctx, in.RoleName, func(r *Role) error {
		r.Description = &in.Description
		out.Role = r.shape(true)
		return nil
	})
	return out, err
}

// roleLastUsed says when the role was last used: empty if it never was.
func (s *Service) roleLastUsed(ctx context.Context, r *Role) (*iam.RoleLastUsed, error) {
	u, ok, err := s.used.of(ctx, r.ID)
	if !ok {
		return &iam.RoleLastUsed{}, err
	}
	return &iam.RoleLastUsed{LastUsedDate: timePtr(u.Time), Region: &u.Region}, nil
}

func (s *Service) UpdateAssumeRolePolicy(ctx context.Context, in *iam.UpdateAssumeRolePolicyRequest) (*iam.UpdateAssumeRolePolicyResponse, error) {
	if err := checkTrust(in.PolicyDocument); err != nil {
		return nil, err
	}
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		return change(tx, roles, roleKey(in.RoleName), noRole(in.RoleName), func(r *Role) error { return s.trusts(tx, r, in.PolicyDocument) })
	})
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
		if err := r.busy(); err != nil {
			return err
		}
		n, err := linked(tx, profileOf+roleKey(r.Name).ID)
		if err != nil {
			return err
		}
		if n > 0 {
			return iam.DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
		}
		if err := unlink(tx, r); err != nil {
			return err
		}
		return roles.Delete(tx, roleKey(in.RoleName).ID)
	})
	return &iam.DeleteRoleResponse{}, err
}

func (s *Service) TagRole(ctx context.Context, in *iam.TagRoleRequest) (*iam.TagRoleResponse, error) {
	err := s.changeRole(ctx, in.RoleName, func(r *Role) error { return retag(&r.Tags, in.Tags) })
	return &iam.TagRoleResponse{}, err
}

func (s *Service) UntagRole(ctx context.Context, in *iam.UntagRoleRequest) (*iam.UntagRoleResponse, error) {
	err := s.changeRole(ctx, in.RoleName, func(r *Role) error { untag(r.Tags, in.TagKeys); return nil })
	return &iam.UntagRoleResponse{}, err
}

func (s *Service) ListRoleTags(ctx context.Context, in *iam.ListRoleTagsRequest) (*iam.ListRoleTagsResponse, error) {
	r, err := s.getRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := new(iam.ListRoleTagsResponse)
	out.Tags, out.IsTruncated, out.Marker, err = tagPage(r.Tags, in.Marker, in.MaxItems)
	return out, err
}

package iam

import (
	"context"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// roleResource makes AWS::IAM::Role: the role itself, then what hangs on it.
type roleResource struct{ s *Service }

// read makes the call that would create the role of the properties, and says what hangs on it.
func (h roleResource) read(r *resource.Request, name string) (*iam.CreateRoleRequest, hangings, error) {
	in := new(iam.CreateRoleRequest)
	if err := resource.Fill(&iam.Model, in, resource.With(map[string]any{"RoleName": name}, r.Props), elsewhere); err != nil {
		return nil, hangings{}, err
	}
	tags, err := r.AllTags("Tags")
	if err != nil {
		return nil, hangings{}, err
	}
	in.Tags = tagList(tags)
	want, err := readHangings(r.Props)
	return in, want, err
}

func (h roleResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in, want, err := h.read(r, r.PhysicalName(64, false))
	if err != nil {
		return resource.Result{}, err
	}
	if err := resource.Authorize(ctx, &iam.Model, in); err != nil {
		return resource.Result{}, err
	}
	role, err := h.s.createRole(ctx, in, r.Token)
	if err != nil {
		return resource.Result{}, err
	}
	if err := h.s.hanger("role").hang(ctx, role.Name, hangings{}, want); err != nil {
		h.Delete(resource.Undo(ctx), &resource.Request{PhysicalID: role.Name}) // half a role must not stay
		return resource.Result{}, err
	}
	return roleResult(role), nil
}

func roleResult(r *Role) resource.Result {
	return resource.Result{PhysicalID: r.Name, Attrs: map[string]any{"Arn": r.ARN, "RoleId": r.ID}}
}

func (h roleResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in, _, err := h.read(r, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	if err := h.mayConfigure(ctx, r, in); err != nil {
		return resource.Result{}, err
	}
	if err := h.s.known(ctx, shape.Val(in.PermissionsBoundary)); err != nil {
		return resource.Result{}, err
	}
	err = h.s.DB.Update(ctx, func(tx *store.Tx) error {
		return change(tx, roles, roleKey(r.PhysicalID), noRole(r.PhysicalID), func(role *Role) error {
			if err := role.configure(in); err != nil {
				return err
			}
			return h.s.trusts(tx, role, in.AssumeRolePolicyDocument)
		})
	})
	if err != nil {
		return resource.Result{}, err
	}
	if err := h.s.hanger("role").rehang(ctx, r.PhysicalID, r); err != nil {
		return resource.Result{}, err
	}
	role, err := h.s.getRole(ctx, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	return roleResult(role), nil
}

// mayConfigure asks about what an update of a role is in calls of the API.
func (h roleResource) mayConfigure(ctx context.Context, r *resource.Request, in *iam.CreateRoleRequest) error {
	role, err := h.s.getRole(ctx, r.PhysicalID)
	if err != nil {
		return err
	}
	calls := []any{&iam.UpdateRoleRequest{RoleName: role.Name, Description: in.Description, MaxSessionDuration: in.MaxSessionDuration}}
	if in.AssumeRolePolicyDocument != role.Trust {
		calls = append(calls, &iam.UpdateAssumeRolePolicyRequest{RoleName: role.Name, PolicyDocument: in.AssumeRolePolicyDocument})
	}
	switch boundary := shape.Val(in.PermissionsBoundary); {
	case boundary == role.Boundary:
	case boundary == "":
		calls = append(calls, &iam.DeleteRolePermissionsBoundaryRequest{RoleName: role.Name})
	default:
		calls = append(calls, &iam.PutRolePermissionsBoundaryRequest{RoleName: role.Name, PermissionsBoundary: boundary})
	}
	if r.Retags("Tags") {
		calls = append(calls, &iam.TagRoleRequest{RoleName: role.Name, Tags: in.Tags})
	}
	return may(ctx, calls...)
}

// Delete removes the role with all that hangs on it, as CloudFormation does.
func (h roleResource) Delete(ctx context.Context, r *resource.Request) error {
	role, err := h.s.getRole(ctx, r.PhysicalID)
	if err != nil {
		return unlessGone(err)
	}
	calls := []any{&iam.DeleteRoleRequest{RoleName: role.Name}}
	for name := range role.Inline {
		calls = append(calls, &iam.DeleteRolePolicyRequest{RoleName: role.Name, PolicyName: name})
	}
	for _, a := range role.Attached {
		calls = append(calls, &iam.DetachRolePolicyRequest{RoleName: role.Name, PolicyArn: a})
	}
	if err := may(ctx, calls...); err != nil {
		return err
	}
	err = h.s.changeRole(ctx, r.PhysicalID, func(role *Role) error {
		clear(role.Inline)
		role.Attached = nil
		return nil
	})
	if err == nil {
		_, err = h.s.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: r.PhysicalID})
	}
	return unlessGone(err)
}

// profileResource makes AWS::IAM::InstanceProfile.
type profileResource struct{ s *Service }

func (h profileResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(iam.CreateInstanceProfileRequest)
	if err := resource.Input(ctx, &iam.Model, in, resource.With(map[string]any{"InstanceProfileName": r.PhysicalName(128, false)}, r.Props), map[string]string{"Roles": ""}); err != nil {
		return resource.Result{}, err
	}
	p, err := h.s.createProfile(ctx, in, r.Token)
	if err != nil {
		return resource.Result{}, err
	}
	if err := h.fill(ctx, p.Name, nil, textsIn(r.Props["Roles"])); err != nil {
		if p.Role == "" {
			h.s.deleteProfile(ctx, p.Name, true)
		}
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: p.Name, Attrs: map[string]any{"Arn": p.ARN}}, nil
}

// fill puts the role of the properties in place of the one of the old ones.
func (h profileResource) fill(ctx context.Context, name string, old, want []string) error {
	out, _, err := h.s.getProfile(ctx, name)
	if err != nil {
		return err
	}
	var have []string
	for _, r := range out.Roles {
		have = append(have, r.RoleName)
	}
	for _, role := range only(old, want) {
		if err := call(ctx, h.s.RemoveRoleFromInstanceProfile, &iam.RemoveRoleFromInstanceProfileRequest{InstanceProfileName: name, RoleName: role}); unlessGone(err) != nil {
			return err
		}
	}
	for _, role := range only(want, have) {
		if err := call(ctx, h.s.AddRoleToInstanceProfile, &iam.AddRoleToInstanceProfileRequest{InstanceProfileName: name, RoleName: role}); err != nil {
			return err
		}
	}
	return nil
}

func (h profileResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if err := h.fill(ctx, r.PhysicalID, textsIn(r.OldProps["Roles"]), textsIn(r.Props["Roles"])); err != nil {
		return resource.Result{}, err
	}
	_, p, err := h.s.getProfile(ctx, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: p.Name, Attrs: map[string]any{"Arn": p.ARN}}, nil
}

func (h profileResource) Delete(ctx context.Context, r *resource.Request) error {
	_, p, err := h.s.getProfile(ctx, r.PhysicalID)
	if err != nil {
		return unlessGone(err)
	}
	calls := []any{&iam.DeleteInstanceProfileRequest{InstanceProfileName: p.Name}}
	if p.Role != "" {
		calls = append(calls, &iam.RemoveRoleFromInstanceProfileRequest{InstanceProfileName: p.Name, RoleName: p.Role})
	}
	if err := may(ctx, calls...); err != nil {
		return err
	}
	return unlessGone(h.s.deleteProfile(ctx, p.Name, true))
}

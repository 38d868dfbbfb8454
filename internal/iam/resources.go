package iam

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// Resources returns the CloudFormation types that the service makes.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		{Name: "AWS::IAM::Role", Handler: roleResource{s}},
		{Name: "AWS::IAM::Policy", Handler: policyResource{s}, Properties: []string{"PolicyName", "PolicyDocument", "Roles"}},
	}
}

// roleResource makes AWS::IAM::Role: the role itself, then what hangs on it.
type roleResource struct{ s *Service }

// elsewhere are the properties that are not CreateRole's.
var elsewhere = map[string]string{"Policies": "", "ManagedPolicyArns": ""}

// hangings are the properties of a role that have calls of their own.
type hangings struct {
	inline  map[string]string
	managed []string
}

func readHangings(role string, props map[string]any) (h hangings, err error) {
	h.inline = map[string]string{}
	list, _ := props["Policies"].([]any)
	for _, p := range list {
		in := new(iam.PutRolePolicyRequest)
		m, _ := p.(map[string]any)
		if err := resource.Fill(&iam.Model, in, resource.With(m, map[string]any{"RoleName": role}), nil); err != nil {
			return h, err
		}
		h.inline[in.PolicyName] = in.PolicyDocument
	}
	arns, _ := props["ManagedPolicyArns"].([]any)
	for _, a := range arns {
		if text, ok := a.(string); ok {
			h.managed = append(h.managed, text)
		}
	}
	return h, nil
}

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
	want, err := readHangings(in.RoleName, r.Props)
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
	if err := h.hang(ctx, role.Name, hangings{}, want); err != nil {
		h.Delete(resource.Undo(ctx), &resource.Request{PhysicalID: role.Name}) // half a role must not stay
		return resource.Result{}, err
	}
	return roleResult(role), nil
}

func roleResult(r *Role) resource.Result {
	return resource.Result{PhysicalID: r.Name, Attrs: map[string]any{"Arn": r.ARN, "RoleId": r.ID}}
}

// hang brings a role's policies from what they were to what they should be. Policies that others put
// there stay.
func (h roleResource) hang(ctx context.Context, role string, old, want hangings) error {
	for _, a := range want.managed {
		if slices.Contains(old.managed, a) {
			continue
		}
		in := &iam.AttachRolePolicyRequest{RoleName: role, PolicyArn: a}
		if err := resource.Authorize(ctx, &iam.Model, in); err != nil {
			return err
		}
		if _, err := h.s.AttachRolePolicy(ctx, in); err != nil {
			return err
		}
	}
	for name, doc := range want.inline {
		if old.inline[name] == doc {
			continue
		}
		in := &iam.PutRolePolicyRequest{RoleName: role, PolicyName: name, PolicyDocument: doc}
		if err := resource.Authorize(ctx, &iam.Model, in); err != nil {
			return err
		}
		if _, err := h.s.PutRolePolicy(ctx, in); err != nil {
			return err
		}
	}
	for _, a := range old.managed {
		if !slices.Contains(want.managed, a) {
			in := &iam.DetachRolePolicyRequest{RoleName: role, PolicyArn: a}
			if err := resource.Authorize(ctx, &iam.Model, in); err != nil {
				return err
			}
			if _, err := h.s.DetachRolePolicy(ctx, in); err != nil && !gone(err) {
				return err
			}
		}
	}
	for name := range old.inline {
		if _, ok := want.inline[name]; !ok {
			in := &iam.DeleteRolePolicyRequest{RoleName: role, PolicyName: name}
			if err := resource.Authorize(ctx, &iam.Model, in); err != nil {
				return err
			}
			if _, err := h.s.DeleteRolePolicy(ctx, in); err != nil && !gone(err) {
				return err
			}
		}
	}
	return nil
}

// gone tells of an error that says that something is not there.
func gone(err error) bool { return shape.HasCode(err, "NoSuchEntity") }

func (h roleResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in, want, err := h.read(r, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	old, err := readHangings(r.PhysicalID, r.OldProps)
	if err != nil {
		return resource.Result{}, err
	}
	if err := h.mayConfigure(ctx, r, in); err != nil {
		return resource.Result{}, err
	}
	if err := h.s.changeRole(ctx, r.PhysicalID, func(role *Role) error { return role.configure(in) }); err != nil {
		return resource.Result{}, err
	}
	if err := h.hang(ctx, r.PhysicalID, old, want); err != nil {
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
	for _, call := range calls {
		if err := resource.Authorize(ctx, &iam.Model, call); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes the role with all that hangs on it, as CloudFormation does.
func (h roleResource) Delete(ctx context.Context, r *resource.Request) error {
	role, err := h.s.getRole(ctx, r.PhysicalID)
	if err != nil {
		return resource.Gone(err, "NoSuchEntity")
	}
	calls := []any{&iam.DeleteRoleRequest{RoleName: role.Name}}
	for name := range role.Inline {
		calls = append(calls, &iam.DeleteRolePolicyRequest{RoleName: role.Name, PolicyName: name})
	}
	for _, a := range role.Attached {
		calls = append(calls, &iam.DetachRolePolicyRequest{RoleName: role.Name, PolicyArn: a})
	}
	for _, call := range calls {
		if err := resource.Authorize(ctx, &iam.Model, call); err != nil {
			return err
		}
	}
	err = h.s.changeRole(ctx, r.PhysicalID, func(role *Role) error {
		clear(role.Inline)
		role.Attached = nil
		return nil
	})
	if err == nil {
		_, err = h.s.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: r.PhysicalID})
	}
	return resource.Gone(err, "NoSuchEntity")
}

// policyResource makes AWS::IAM::Policy: an inline policy of roles.
type policyResource struct{ s *Service }

func policyRoles(props map[string]any) []string {
	list, _ := props["Roles"].([]any)
	var out []string
	for _, v := range list {
		if text, ok := v.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

func (h policyResource) put(ctx context.Context, r *resource.Request) (string, error) {
	targets := policyRoles(r.Props)
	if len(targets) == 0 {
		return "", errors.New("At least one of [Groups,Roles,Users] must be non-empty.")
	}
	in := new(iam.PutRolePolicyRequest)
	for _, role := range targets {
		if err := resource.Input(ctx, &iam.Model, in, resource.With(r.Props, map[string]any{"RoleName": role}), map[string]string{"Roles": ""}); err != nil {
			return "", err
		}
		if _, err := h.s.PutRolePolicy(ctx, in); err != nil {
			return "", err
		}
	}
	return in.PolicyName, nil
}

func (h policyResource) remove(ctx context.Context, name string, from []string) error {
	for _, role := range from {
		in := &iam.DeleteRolePolicyRequest{RoleName: role, PolicyName: name}
		if err := resource.Authorize(ctx, &iam.Model, in); err != nil {
			return err
		}
		if _, err := h.s.DeleteRolePolicy(ctx, in); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

func (h policyResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	name, err := h.put(ctx, r)
	if err != nil {
		if text, ok := r.Props["PolicyName"].(string); ok {
			h.remove(resource.Undo(ctx), text, policyRoles(r.Props))
		}
		return resource.Result{}, err
	}
	id := r.PhysicalName(128, false)
	return resource.Result{PhysicalID: id, Ref: name, Attrs: map[string]any{"Id": id}}, nil
}

func (h policyResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	name, err := h.put(ctx, r)
	if err != nil {
		return resource.Result{}, err
	}
	old, _ := r.OldProps["PolicyName"].(string)
	left := policyRoles(r.OldProps)
	if old == name {
		now := policyRoles(r.Props)
		left = slices.DeleteFunc(left, func(role string) bool { return slices.Contains(now, role) })
	}
	if err := h.remove(ctx, old, left); err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: r.PhysicalID, Ref: name, Attrs: map[string]any{"Id": r.PhysicalID}}, nil
}

func (h policyResource) Delete(ctx context.Context, r *resource.Request) error {
	name, _ := r.Props["PolicyName"].(string)
	return h.remove(ctx, name, policyRoles(r.Props))
}

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

func readHangings(props map[string]any) (h hangings, err error) {
	h.inline = map[string]string{}
	list, _ := props["Policies"].([]any)
	for _, p := range list {
		in := new(iam.PutRolePolicyRequest)
		m, _ := p.(map[string]any)
		if err := resource.Bind(&iam.Model, 0, m, in, nil); err != nil {
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

// validate holds an input that was bound from properties against the model, as the wire does.
func validate(name string, in any) error {
	return shape.Validate(&iam.Model, iam.Model.Ref(name), in)
}

func (h roleResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(iam.CreateRoleRequest)
	if err := resource.Bind(&iam.Model, 0, r.Props, in, elsewhere); err != nil {
		return resource.Result{}, err
	}
	if in.RoleName == "" {
		in.RoleName = r.PhysicalName(64, false)
	}
	in.Absent = 0
	if err := validate("CreateRoleRequest", in); err != nil {
		return resource.Result{}, err
	}
	for k, v := range r.Tags {
		if !slices.ContainsFunc(in.Tags, func(t iam.Tag) bool { return t.Key == k }) {
			in.Tags = append(in.Tags, iam.Tag{Key: k, Value: v})
		}
	}
	want, err := readHangings(r.Props)
	if err != nil {
		return resource.Result{}, err
	}
	out, err := h.s.CreateRole(ctx, in)
	if err != nil {
		return resource.Result{}, err
	}
	if err := h.hang(ctx, in.RoleName, hangings{}, want); err != nil {
		h.Delete(ctx, &resource.Request{PhysicalID: in.RoleName}) // half a role must not stay
		return resource.Result{}, err
	}
	return roleResult(out.Role), nil
}

func roleResult(r *iam.Role) resource.Result {
	return resource.Result{PhysicalID: r.RoleName, Attrs: map[string]any{"Arn": r.Arn, "RoleId": r.RoleId}}
}

// hang brings a role's policies from what they were to what they should be. Policies that others put
// there stay.
func (h roleResource) hang(ctx context.Context, role string, old, want hangings) error {
	for _, a := range want.managed {
		if _, err := h.s.AttachRolePolicy(ctx, &iam.AttachRolePolicyRequest{RoleName: role, PolicyArn: a}); err != nil {
			return err
		}
	}
	for name, doc := range want.inline {
		in := &iam.PutRolePolicyRequest{RoleName: role, PolicyName: name, PolicyDocument: doc}
		if err := validate("PutRolePolicyRequest", in); err != nil {
			return err
		}
		if _, err := h.s.PutRolePolicy(ctx, in); err != nil {
			return err
		}
	}
	for _, a := range old.managed {
		if !slices.Contains(want.managed, a) {
			if _, err := h.s.DetachRolePolicy(ctx, &iam.DetachRolePolicyRequest{RoleName: role, PolicyArn: a}); err != nil && !gone(err) {
				return err
			}
		}
	}
	for name := range old.inline {
		if _, ok := want.inline[name]; !ok {
			if _, err := h.s.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyRequest{RoleName: role, PolicyName: name}); err != nil && !gone(err) {
				return err
			}
		}
	}
	return nil
}

// gone tells of an error that says that something is not there.
func gone(err error) bool {
	var e *shape.Error
	return errors.As(err, &e) && e.Code == "NoSuchEntity"
}

func (h roleResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(iam.CreateRoleRequest)
	if err := resource.Bind(&iam.Model, 0, r.Props, in, elsewhere); err != nil {
		return resource.Result{}, err
	}
	if err := checkTrust(in.AssumeRolePolicyDocument); err != nil {
		return resource.Result{}, err
	}
	old, err := readHangings(r.OldProps)
	if err != nil {
		return resource.Result{}, err
	}
	want, err := readHangings(r.Props)
	if err != nil {
		return resource.Result{}, err
	}
	tags := map[string]string{}
	for k, v := range r.Tags {
		tags[k] = v
	}
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	session := int64(3600)
	if in.MaxSessionDuration != nil {
		session = *in.MaxSessionDuration
	}
	err = h.s.changeRole(ctx, r.PhysicalID, func(role *Role) error {
		role.Trust, role.Description, role.MaxSession = in.AssumeRolePolicyDocument, in.Description, session
		role.Boundary, role.Tags = shape.Val(in.PermissionsBoundary), tags
		return nil
	})
	if err == nil {
		err = h.hang(ctx, r.PhysicalID, old, want)
	}
	if err != nil {
		return resource.Result{}, err
	}
	out, err := h.s.GetRole(ctx, &iam.GetRoleRequest{RoleName: r.PhysicalID})
	if err != nil {
		return resource.Result{}, err
	}
	return roleResult(out.Role), nil
}

// Delete removes the role with all that hangs on it, as CloudFormation does.
func (h roleResource) Delete(ctx context.Context, r *resource.Request) error {
	err := h.s.changeRole(ctx, r.PhysicalID, func(role *Role) error {
		clear(role.Inline)
		role.Attached = nil
		return nil
	})
	if err == nil {
		_, err = h.s.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: r.PhysicalID})
	}
	if gone(err) {
		return nil
	}
	return err
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
	in := new(iam.PutRolePolicyRequest)
	if err := resource.Bind(&iam.Model, 0, r.Props, in, map[string]string{"Roles": ""}); err != nil {
		return "", err
	}
	targets := policyRoles(r.Props)
	if len(targets) == 0 {
		return "", errors.New("At least one of [Groups,Roles,Users] must be non-empty.")
	}
	for _, role := range targets {
		in.RoleName, in.Absent = role, 0
		if err := validate("PutRolePolicyRequest", in); err != nil {
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
		if _, err := h.s.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyRequest{RoleName: role, PolicyName: name}); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

func (h policyResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	name, err := h.put(ctx, r)
	if err != nil {
		if text, ok := r.Props["PolicyName"].(string); ok {
			h.remove(ctx, text, policyRoles(r.Props))
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

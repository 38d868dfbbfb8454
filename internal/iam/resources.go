package iam

import (
	"context"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Resources returns the CloudFormation types that the service makes.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		{Name: "AWS::IAM::AccessKey", Handler: keyResource{s}},
		{Name: "AWS::IAM::Group", Handler: groupResource{s}},
		{Name: "AWS::IAM::GroupPolicy", Handler: inlineResource{s, "group", "GroupName"}},
		{Name: "AWS::IAM::InstanceProfile", Handler: profileResource{s}},
		{Name: "AWS::IAM::ManagedPolicy", Handler: managedResource{s}},
		{Name: "AWS::IAM::OIDCProvider", Handler: oidcResource{s}},
		{Name: "AWS::IAM::Policy", Handler: policyResource{s}},
		{Name: "AWS::IAM::Role", Handler: roleResource{s}},
		{Name: "AWS::IAM::RolePolicy", Handler: inlineResource{s, "role", "RoleName"}},
		{Name: "AWS::IAM::SAMLProvider", Handler: samlResource{s}, Properties: []string{"AssertionEncryptionMode", "Name", "SamlMetadataDocument", "Tags"}},
		{Name: "AWS::IAM::User", Handler: userResource{s}},
		{Name: "AWS::IAM::UserPolicy", Handler: inlineResource{s, "user", "UserName"}},
		{Name: "AWS::IAM::UserToGroupAddition", Handler: additionResource{s}},
	}
}

// call makes a call of the API for a stack, if its caller may.
func call[In, Out any](ctx context.Context, f func(context.Context, *In) (*Out, error), in *In) error {
	if err := resource.Authorize(ctx, &iam.Model, in); err != nil {
		return err
	}
	_, err := f(ctx, in)
	return err
}

// may asks about calls of the API whose work is done by other means.
func may(ctx context.Context, calls ...any) error {
	for _, in := range calls {
		if err := resource.Authorize(ctx, &iam.Model, in); err != nil {
			return err
		}
	}
	return nil
}

// gone tells of an error that says that something is not there.
func gone(err error) bool { return shape.HasCode(err, "NoSuchEntity") }

// unlessGone is for what a handler takes away.
func unlessGone(err error) error { return resource.Gone(err, "NoSuchEntity") }

// textsIn returns the texts in a list.
func textsIn(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if text, ok := e.(string); ok && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// only returns those of list that are not in other.
func only(list, other []string) []string {
	var out []string
	for _, v := range list {
		if !slices.Contains(other, v) {
			out = append(out, v)
		}
	}
	return out
}

// elsewhere are the properties of users, groups and roles that are not those of the call that makes them.
var elsewhere = map[string]string{"Policies": "", "ManagedPolicyArns": "", "Groups": "", "LoginProfile": ""}

// hanger makes the calls about the policies of one kind of entities.
type hanger struct {
	put            func(ctx context.Context, of, name, doc string) error
	remove         func(ctx context.Context, of, name string) error
	attach, detach func(ctx context.Context, of, policyARN string) error
}

func (s *Service) hanger(kind string) hanger {
	switch kind {
	case "user":
		return hanger{
			func(ctx context.Context, of, name, doc string) error {
				return call(ctx, s.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: of, PolicyName: name, PolicyDocument: doc})
			},
			func(ctx context.Context, of, name string) error {
				return call(ctx, s.DeleteUserPolicy, &iam.DeleteUserPolicyRequest{UserName: of, PolicyName: name})
			},
			func(ctx context.Context, of, a string) error {
				return call(ctx, s.AttachUserPolicy, &iam.AttachUserPolicyRequest{UserName: of, PolicyArn: a})
			},
			func(ctx context.Context, of, a string) error {
				return call(ctx, s.DetachUserPolicy, &iam.DetachUserPolicyRequest{UserName: of, PolicyArn: a})
			},
		}
	case "group":
		return hanger{
			func(ctx context.Context, of, name, doc string) error {
				return call(ctx, s.PutGroupPolicy, &iam.PutGroupPolicyRequest{GroupName: of, PolicyName: name, PolicyDocument: doc})
			},
			func(ctx context.Context, of, name string) error {
				return call(ctx, s.DeleteGroupPolicy, &iam.DeleteGroupPolicyRequest{GroupName: of, PolicyName: name})
			},
			func(ctx context.Context, of, a string) error {
				return call(ctx, s.AttachGroupPolicy, &iam.AttachGroupPolicyRequest{GroupName: of, PolicyArn: a})
			},
			func(ctx context.Context, of, a string) error {
				return call(ctx, s.DetachGroupPolicy, &iam.DetachGroupPolicyRequest{GroupName: of, PolicyArn: a})
			},
		}
	}
	return hanger{
		func(ctx context.Context, of, name, doc string) error {
			return call(ctx, s.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: of, PolicyName: name, PolicyDocument: doc})
		},
		func(ctx context.Context, of, name string) error {
			return call(ctx, s.DeleteRolePolicy, &iam.DeleteRolePolicyRequest{RoleName: of, PolicyName: name})
		},
		func(ctx context.Context, of, a string) error {
			return call(ctx, s.AttachRolePolicy, &iam.AttachRolePolicyRequest{RoleName: of, PolicyArn: a})
		},
		func(ctx context.Context, of, a string) error {
			return call(ctx, s.DetachRolePolicy, &iam.DetachRolePolicyRequest{RoleName: of, PolicyArn: a})
		},
	}
}

// hangings are the policies among an entity's properties.
type hangings struct {
	inline  map[string]string
	managed []string
}

func readHangings(props map[string]any) (h hangings, err error) {
	h.inline, h.managed = map[string]string{}, textsIn(props["ManagedPolicyArns"])
	list, _ := props["Policies"].([]any)
	for _, p := range list {
		in := new(iam.PutRolePolicyRequest) // the form is that of users and groups too
		m, _ := p.(map[string]any)
		if err := resource.Fill(&iam.Model, in, resource.With(m, map[string]any{"RoleName": "x"}), nil); err != nil {
			return h, err
		}
		h.inline[in.PolicyName] = in.PolicyDocument
	}
	return h, nil
}

// hang brings an entity's policies from what they were to what they should be. Policies that others put
// there stay.
func (h hanger) hang(ctx context.Context, of string, old, want hangings) error {
	for _, a := range only(want.managed, old.managed) {
		if err := h.attach(ctx, of, a); err != nil {
			return err
		}
	}
	for name, doc := range want.inline {
		if old.inline[name] == doc {
			continue
		}
		if err := h.put(ctx, of, name, doc); err != nil {
			return err
		}
	}
	for _, a := range only(old.managed, want.managed) {
		if err := h.detach(ctx, of, a); unlessGone(err) != nil {
			return err
		}
	}
	for name := range old.inline {
		if _, ok := want.inline[name]; ok {
			continue
		}
		if err := h.remove(ctx, of, name); unlessGone(err) != nil {
			return err
		}
	}
	return nil
}

// rehang is hang for an update.
func (h hanger) rehang(ctx context.Context, of string, r *resource.Request) error {
	old, err := readHangings(r.OldProps)
	if err != nil {
		return err
	}
	want, err := readHangings(r.Props)
	if err != nil {
		return err
	}
	return h.hang(ctx, of, old, want)
}

// known refuses a permissions boundary that is not there, for updates that set it with other things.
func (s *Service) known(ctx context.Context, boundary string) error {
	if boundary == "" {
		return nil
	}
	return s.DB.View(ctx, func(tx *store.Tx) error { return s.checkAttachable(tx, boundary) })
}

package iam

import (
	"context"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// userResource makes AWS::IAM::User with its groups, policies and password.
type userResource struct{ s *Service }

func userResult(u *User) resource.Result {
	return resource.Result{PhysicalID: u.Name, Attrs: map[string]any{"Arn": u.ARN}}
}

// read makes the call that would create the user of the properties.
func (h userResource) read(r *resource.Request, name string) (*iam.CreateUserRequest, error) {
	in := new(iam.CreateUserRequest)
	if err := resource.Fill(&iam.Model, in, resource.With(map[string]any{"UserName": name}, r.Props), elsewhere); err != nil {
		return nil, err
	}
	tags, err := r.AllTags("Tags")
	in.Tags = tagList(tags)
	return in, err
}

func (h userResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in, err := h.read(r, r.PhysicalName(64, false))
	if err != nil {
		return resource.Result{}, err
	}
	want, err := readHangings(r.Props)
	if err != nil {
		return resource.Result{}, err
	}
	if err := may(ctx, in); err != nil {
		return resource.Result{}, err
	}
	u, err := h.s.createUser(ctx, in, r.Token)
	if err != nil {
		return resource.Result{}, err
	}
	if err = h.s.hanger("user").hang(ctx, u.Name, hangings{}, want); err == nil {
		if err = h.s.regroup(ctx, u.Name, nil, textsIn(r.Props["Groups"])); err == nil {
			err = h.password(ctx, u.Name, nil, r.Props["LoginProfile"])
		}
	}
	if err != nil {
		h.Delete(resource.Undo(ctx), &resource.Request{PhysicalID: u.Name})
		return resource.Result{}, err
	}
	return userResult(u), nil
}

// regroup puts a user into the groups of want, and out of those that only old names.
func (s *Service) regroup(ctx context.Context, user string, old, want []string) error {
	for _, g := range only(want, old) {
		if err := call(ctx, s.AddUserToGroup, &iam.AddUserToGroupRequest{GroupName: g, UserName: user}); err != nil {
			return err
		}
	}
	for _, g := range only(old, want) {
		if err := call(ctx, s.RemoveUserFromGroup, &iam.RemoveUserFromGroupRequest{GroupName: g, UserName: user}); unlessGone(err) != nil {
			return err
		}
	}
	return nil
}

// password makes the login profile what the properties say.
func (h userResource) password(ctx context.Context, user string, old, want any) error {
	props, ok := want.(map[string]any)
	if !ok {
		if old == nil {
			return nil
		}
		return unlessGone(call(ctx, h.s.DeleteLoginProfile, &iam.DeleteLoginProfileRequest{UserName: &user}))
	}
	if resource.Equal(old, want) {
		return nil
	}
	_, err := h.s.GetLoginProfile(ctx, &iam.GetLoginProfileRequest{UserName: &user})
	props = resource.With(props, map[string]any{"UserName": user})
	switch {
	case gone(err):
		in := new(iam.CreateLoginProfileRequest)
		if err := resource.Input(ctx, &iam.Model, in, props, nil); err != nil {
			return err
		}
		_, err := h.s.CreateLoginProfile(ctx, in)
		return err
	case err != nil:
		return err
	case old == nil:
		return nil // a step that is run again has made it
	}
	in := new(iam.UpdateLoginProfileRequest)
	if err := resource.Input(ctx, &iam.Model, in, props, nil); err != nil {
		return err
	}
	_, err = h.s.UpdateLoginProfile(ctx, in)
	return err
}

func (h userResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in, err := h.read(r, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	u, err := h.s.getUser(ctx, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	if path := pathOf(in.Path); path != u.Path {
		if err := call(ctx, h.s.UpdateUser, &iam.UpdateUserRequest{UserName: u.Name, NewPath: &path}); err != nil {
			return resource.Result{}, err
		}
	}
	switch boundary := shape.Val(in.PermissionsBoundary); {
	case boundary == u.Boundary:
	case boundary == "":
		err = call(ctx, h.s.DeleteUserPermissionsBoundary, &iam.DeleteUserPermissionsBoundaryRequest{UserName: u.Name})
	default:
		err = call(ctx, h.s.PutUserPermissionsBoundary, &iam.PutUserPermissionsBoundaryRequest{UserName: u.Name, PermissionsBoundary: boundary})
	}
	if err == nil && r.Retags("Tags") {
		if err = may(ctx, &iam.TagUserRequest{UserName: u.Name, Tags: in.Tags}); err == nil {
			err = h.s.changeUser(ctx, u.Name, func(u *User) error { u.Tags, err = newTags(in.Tags); return err })
		}
	}
	if err == nil {
		err = h.s.hanger("user").rehang(ctx, u.Name, r)
	}
	if err == nil {
		err = h.s.regroup(ctx, u.Name, textsIn(r.OldProps["Groups"]), textsIn(r.Props["Groups"]))
	}
	if err == nil {
		err = h.password(ctx, u.Name, r.OldProps["LoginProfile"], r.Props["LoginProfile"])
	}
	if err == nil {
		u, err = h.s.getUser(ctx, u.Name)
	}
	if err != nil {
		return resource.Result{}, err
	}
	return userResult(u), nil
}

// Delete removes the user with its policies, groups and password. Access keys and MFA devices that
// others gave it keep it, as on AWS.
func (h userResource) Delete(ctx context.Context, r *resource.Request) error {
	u, err := h.s.getUser(ctx, r.PhysicalID)
	if err != nil {
		return unlessGone(err)
	}
	calls := []any{&iam.DeleteUserRequest{UserName: u.Name}}
	for name := range u.Inline {
		calls = append(calls, &iam.DeleteUserPolicyRequest{UserName: u.Name, PolicyName: name})
	}
	for _, a := range u.Attached {
		calls = append(calls, &iam.DetachUserPolicyRequest{UserName: u.Name, PolicyArn: a})
	}
	for _, g := range u.Groups {
		calls = append(calls, &iam.RemoveUserFromGroupRequest{UserName: u.Name, GroupName: g})
	}
	if err := may(ctx, calls...); err != nil {
		return err
	}
	if err := call(ctx, h.s.DeleteLoginProfile, &iam.DeleteLoginProfileRequest{UserName: &u.Name}); unlessGone(err) != nil {
		return err
	}
	err = h.s.changeUser(ctx, u.Name, func(u *User) error {
		clear(u.Inline)
		u.Attached, u.Groups = nil, nil
		return nil
	})
	if err == nil {
		_, err = h.s.DeleteUser(ctx, &iam.DeleteUserRequest{UserName: u.Name})
	}
	return unlessGone(err)
}

// groupResource makes AWS::IAM::Group with its policies.
type groupResource struct{ s *Service }

func groupResult(g *Group) resource.Result {
	return resource.Result{PhysicalID: g.Name, Attrs: map[string]any{"Arn": g.ARN}}
}

func (h groupResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(iam.CreateGroupRequest)
	if err := resource.Input(ctx, &iam.Model, in, resource.With(map[string]any{"GroupName": r.PhysicalName(128, false)}, r.Props), elsewhere); err != nil {
		return resource.Result{}, err
	}
	want, err := readHangings(r.Props)
	if err != nil {
		return resource.Result{}, err
	}
	g, err := h.s.createGroup(ctx, in, r.Token)
	if err != nil {
		return resource.Result{}, err
	}
	if err := h.s.hanger("group").hang(ctx, g.Name, hangings{}, want); err != nil {
		h.Delete(resource.Undo(ctx), &resource.Request{PhysicalID: g.Name})
		return resource.Result{}, err
	}
	return groupResult(g), nil
}

func (h groupResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	path, _ := r.Props["Path"].(string)
	path = pathOf(&path)
	g, err := h.s.getGroup(ctx, r.PhysicalID)
	if err == nil && g.Path != path {
		err = call(ctx, h.s.UpdateGroup, &iam.UpdateGroupRequest{GroupName: g.Name, NewPath: &path})
	}
	if err == nil {
		err = h.s.hanger("group").rehang(ctx, r.PhysicalID, r)
	}
	if err == nil {
		g, err = h.s.getGroup(ctx, r.PhysicalID)
	}
	if err != nil {
		return resource.Result{}, err
	}
	return groupResult(g), nil
}

func (h groupResource) Delete(ctx context.Context, r *resource.Request) error {
	g, err := h.s.getGroup(ctx, r.PhysicalID)
	if err != nil {
		return unlessGone(err)
	}
	calls := []any{&iam.DeleteGroupRequest{GroupName: g.Name}}
	for name := range g.Inline {
		calls = append(calls, &iam.DeleteGroupPolicyRequest{GroupName: g.Name, PolicyName: name})
	}
	for _, a := range g.Attached {
		calls = append(calls, &iam.DetachGroupPolicyRequest{GroupName: g.Name, PolicyArn: a})
	}
	if err := may(ctx, calls...); err != nil {
		return err
	}
	err = h.s.DB.Update(ctx, func(tx *store.Tx) error {
		return change(tx, groups, groupKey(g.Name), noGroup(g.Name), func(g *Group) error {
			clear(g.Inline)
			g.Attached = nil
			return nil
		})
	})
	if err == nil {
		_, err = h.s.DeleteGroup(ctx, &iam.DeleteGroupRequest{GroupName: g.Name})
	}
	return unlessGone(err)
}

// additionResource makes AWS::IAM::UserToGroupAddition.
type additionResource struct{ s *Service }

func (h additionResource) result(r *resource.Request, id string) resource.Result {
	return resource.Result{PhysicalID: id, Attrs: map[string]any{"Id": id}}
}

func (h additionResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	group, _ := r.Props["GroupName"].(string)
	for _, user := range textsIn(r.Props["Users"]) {
		if err := h.s.regroup(ctx, user, nil, []string{group}); err != nil {
			return resource.Result{}, err
		}
	}
	return h.result(r, r.PhysicalName(128, false)), nil
}

func (h additionResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	was, _ := r.OldProps["GroupName"].(string)
	group, _ := r.Props["GroupName"].(string)
	now := textsIn(r.Props["Users"])
	for _, user := range now {
		if err := h.s.regroup(ctx, user, nil, []string{group}); err != nil {
			return resource.Result{}, err
		}
	}
	gone := textsIn(r.OldProps["Users"])
	if was == group {
		gone = only(gone, now)
	}
	for _, user := range gone {
		if err := h.s.regroup(ctx, user, []string{was}, nil); err != nil {
			return resource.Result{}, err
		}
	}
	return h.result(r, r.PhysicalID), nil
}

func (h additionResource) Delete(ctx context.Context, r *resource.Request) error {
	group, _ := r.Props["GroupName"].(string)
	for _, user := range textsIn(r.Props["Users"]) {
		if err := h.s.regroup(ctx, user, []string{group}, nil); err != nil {
			return err
		}
	}
	return nil
}

// keyResource makes AWS::IAM::AccessKey.
type keyResource struct{ s *Service }

func (h keyResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(iam.CreateAccessKeyRequest)
	if err := resource.Input(ctx, &iam.Model, in, r.Props, map[string]string{"Serial": "", "Status": ""}); err != nil {
		return resource.Result{}, err
	}
	u, err := h.s.getUser(ctx, shape.Val(in.UserName))
	if err != nil {
		return resource.Result{}, err
	}
	k, secret, err := h.s.createKey(ctx, u, r.Token)
	if err != nil {
		return resource.Result{}, err
	}
	if err := h.status(ctx, k.ID, u.Name, r.Props["Status"]); err != nil {
		h.s.DeleteAccessKey(ctx, &iam.DeleteAccessKeyRequest{AccessKeyId: k.ID, UserName: &u.Name})
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: k.ID, Attrs: map[string]any{"Id": k.ID, "SecretAccessKey": secret}}, nil
}

// status makes a key what the property says: active, if it says nothing.
func (h keyResource) status(ctx context.Context, id, user string, status any) error {
	want, _ := status.(string)
	if want == "" {
		want = "Active"
	}
	k, err := accessKeys.Cached(ctx, h.s.DB, id)
	if err == nil && k.Active == (want == "Active") && (want == "Active" || want == "Inactive") {
		return nil
	}
	return call(ctx, h.s.UpdateAccessKey, &iam.UpdateAccessKeyRequest{AccessKeyId: id, Status: want, UserName: &user})
}

func (h keyResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	user, _ := r.Props["UserName"].(string)
	if err := h.status(ctx, r.PhysicalID, user, r.Props["Status"]); err != nil {
		return resource.Result{}, err
	}
	k, err := accessKeys.Cached(ctx, h.s.DB, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	secret, err := h.s.secret(k)
	return resource.Result{PhysicalID: k.ID, Attrs: map[string]any{"Id": k.ID, "SecretAccessKey": secret.Reveal()}}, err
}

func (h keyResource) Delete(ctx context.Context, r *resource.Request) error {
	user, _ := r.Props["UserName"].(string)
	return unlessGone(call(ctx, h.s.DeleteAccessKey, &iam.DeleteAccessKeyRequest{AccessKeyId: r.PhysicalID, UserName: &user}))
}

package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// wants fails the test unless err has the code.
func wants[T any](t testing.TB, want string) func(T, error) {
	t.Helper()
	return func(_ T, err error) {
		t.Helper()
		if got := code(err); err == nil || got != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestEntityNames(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		makeUser(t, s, ctx, "Ann")
		makeUser(t, s, ctx, "Bob")
		ok[*iam.CreateGroupResponse](t)(s.CreateGroup(ctx, &iam.CreateGroupRequest{GroupName: "Team", Path: shape.Ptr("/a/b/")}))
		ok[*iam.CreatePolicyResponse](t)(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: "Own", PolicyDocument: doc(allow("s3:*")), Path: shape.Ptr("/x/")}))
		wants[*iam.CreateUserResponse](t, "EntityAlreadyExists")(s.CreateUser(ctx, &iam.CreateUserRequest{UserName: "ANN", Path: shape.Ptr("/other/")}))
		wants[*iam.CreateGroupResponse](t, "EntityAlreadyExists")(s.CreateGroup(ctx, &iam.CreateGroupRequest{GroupName: "team"}))
		wants[*iam.CreatePolicyResponse](t, "EntityAlreadyExists")(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: "own", PolicyDocument: doc(allow("s3:*"))}))
		wants[*iam.UpdateUserResponse](t, "EntityAlreadyExists")(s.UpdateUser(ctx, &iam.UpdateUserRequest{UserName: "Bob", NewUserName: shape.Ptr("aNN")}))
		ok[*iam.UpdateUserResponse](t)(s.UpdateUser(ctx, &iam.UpdateUserRequest{UserName: "bob", NewUserName: shape.Ptr("BOB")}))
		u := ok[*iam.GetUserResponse](t)(s.GetUser(ctx, &iam.GetUserRequest{UserName: shape.Ptr("bob")}))
		if u.User.UserName != "BOB" || u.User.Arn != "arn:aws:iam::123456789012:user/BOB" || !strings.HasPrefix(u.User.UserId, "AIDA") {
			t.Errorf("%+v", u.User)
		}
		// A policy is found by its whole ARN, path and case included.
		for arn, want := range map[string]string{"arn:aws:iam::123456789012:policy/x/Own": "<nil>", "arn:aws:iam::123456789012:policy/Own": "NoSuchEntity",
			"arn:aws:iam::123456789012:policy/x/own": "NoSuchEntity", "arn:aws:iam::210987654321:policy/x/Own": "NoSuchEntity", "Own": "NoSuchEntity", awsPolicies + "Own": "NoSuchEntity"} {
			if _, err := s.GetPolicy(ctx, &iam.GetPolicyRequest{PolicyArn: arn}); code(err) != want {
				t.Errorf("%s: %v", arn, err)
			}
			if _, err := s.AttachUserPolicy(ctx, &iam.AttachUserPolicyRequest{UserName: "Ann", PolicyArn: arn}); code(err) != want {
				t.Errorf("attach %s: %v", arn, err)
			}
		}
		for name, err := range map[string]error{
			"GetUser":   second(s.GetUser(ctx, &iam.GetUserRequest{UserName: shape.Ptr("nobody")})),
			"GetGroup":  second(s.GetGroup(ctx, &iam.GetGroupRequest{GroupName: "nobody"})),
			"GetRole":   second(s.GetRole(ctx, &iam.GetRoleRequest{RoleName: "nobody"})),
			"AddUser":   second(s.AddUserToGroup(ctx, &iam.AddUserToGroupRequest{GroupName: "Team", UserName: "nobody"})),
			"AddTo":     second(s.AddUserToGroup(ctx, &iam.AddUserToGroupRequest{GroupName: "nothing", UserName: "Ann"})),
			"Put":       second(s.PutGroupPolicy(ctx, &iam.PutGroupPolicyRequest{GroupName: "nothing", PolicyName: "p", PolicyDocument: doc(allow("*"))})),
			"GetPolicy": second(s.GetUserPolicy(ctx, &iam.GetUserPolicyRequest{UserName: "Ann", PolicyName: "p"})),
			"Boundary":  second(s.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryRequest{UserName: "Ann", PermissionsBoundary: awsPolicies + "None"})),
			"Create":    second(s.CreateUser(ctx, &iam.CreateUserRequest{UserName: "New", PermissionsBoundary: shape.Ptr(awsPolicies + "None")})),
			"Key":       second(s.CreateAccessKey(ctx, &iam.CreateAccessKeyRequest{UserName: shape.Ptr("nobody")})),
			"LastUsed":  second(s.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedRequest{AccessKeyId: "AKIAAAAAAAAAAAAAAAAA"})),
			"Login":     second(s.GetLoginProfile(ctx, &iam.GetLoginProfileRequest{UserName: shape.Ptr("Ann")})),
			"MFA":       second(s.GetMFADevice(ctx, &iam.GetMFADeviceRequest{SerialNumber: "arn:aws:iam::123456789012:mfa/none"})),
			"OIDC":      second(s.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderRequest{OpenIDConnectProviderArn: "arn:aws:iam::123456789012:oidc-provider/x"})),
			"SAML":      second(s.GetSAMLProvider(ctx, &iam.GetSAMLProviderRequest{SAMLProviderArn: "arn:aws:iam::123456789012:saml-provider/x"})),
			"Profile":   second(s.GetInstanceProfile(ctx, &iam.GetInstanceProfileRequest{InstanceProfileName: "x"})),
		} {
			if code(err) != "NoSuchEntity" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestLinks: what uses a policy, and who is in a group, stays right through renaming and deleting.
func TestLinks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		makeUser(t, s, ctx, "Ann")
		makeRole(t, s, ctx, "Worker")
		ok[*iam.CreateGroupResponse](t)(s.CreateGroup(ctx, &iam.CreateGroupRequest{GroupName: "Team"}))
		own := *ok[*iam.CreatePolicyResponse](t)(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: "Own", PolicyDocument: doc(allow("s3:*"))})).Policy.Arn
		ok[*iam.AttachUserPolicyResponse](t)(s.AttachUserPolicy(ctx, &iam.AttachUserPolicyRequest{UserName: "Ann", PolicyArn: own}))
		ok[*iam.AttachGroupPolicyResponse](t)(s.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyRequest{GroupName: "Team", PolicyArn: own}))
		ok[*iam.AttachRolePolicyResponse](t)(s.AttachRolePolicy(ctx, &iam.AttachRolePolicyRequest{RoleName: "Worker", PolicyArn: own}))
		ok[*iam.PutRolePermissionsBoundaryResponse](t)(s.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryRequest{RoleName: "Worker", PermissionsBoundary: own}))
		ok[*iam.AddUserToGroupResponse](t)(s.AddUserToGroup(ctx, &iam.AddUserToGroupRequest{GroupName: "Team", UserName: "Ann"}))
		ok[*iam.UpdateUserResponse](t)(s.UpdateUser(ctx, &iam.UpdateUserRequest{UserName: "Ann", NewUserName: shape.Ptr("Eve")}))
		ok[*iam.UpdateGroupResponse](t)(s.UpdateGroup(ctx, &iam.UpdateGroupRequest{GroupName: "Team", NewGroupName: shape.Ptr("Crew")}))

		var got []string
		in := &iam.ListEntitiesForPolicyRequest{PolicyArn: own, MaxItems: shape.Ptr(int64(1))}
		for pages := 0; ; pages++ {
			out := ok[*iam.ListEntitiesForPolicyResponse](t)(s.ListEntitiesForPolicy(ctx, in))
			for _, v := range out.PolicyGroups {
				got = append(got, *v.GroupName)
			}
			for _, v := range out.PolicyRoles {
				got = append(got, *v.RoleName)
			}
			for _, v := range out.PolicyUsers {
				got = append(got, *v.UserName)
			}
			if in.Marker = out.Marker; !*out.IsTruncated || pages > 9 {
				break
			}
		}
		if strings.Join(got, " ") != "Crew Worker Eve Worker" { // the role once more, for its boundary
			t.Errorf("entities: %v", got)
		}
		p := ok[*iam.GetPolicyResponse](t)(s.GetPolicy(ctx, &iam.GetPolicyRequest{PolicyArn: own}))
		if *p.Policy.AttachmentCount != 3 || *p.Policy.PermissionsBoundaryUsageCount != 1 {
			t.Errorf("%d attachments, %d boundaries", *p.Policy.AttachmentCount, *p.Policy.PermissionsBoundaryUsageCount)
		}
		g := ok[*iam.GetGroupResponse](t)(s.GetGroup(ctx, &iam.GetGroupRequest{GroupName: "crew"}))
		if len(g.Users) != 1 || g.Users[0].UserName != "Eve" {
			t.Errorf("members: %+v", g.Users)
		}
		of := ok[*iam.ListGroupsForUserResponse](t)(s.ListGroupsForUser(ctx, &iam.ListGroupsForUserRequest{UserName: "eve"}))
		if len(of.Groups) != 1 || of.Groups[0].GroupName != "Crew" {
			t.Errorf("groups: %+v", of.Groups)
		}

		// Nothing can be deleted while something holds on to it.
		del := func() error { return second(s.DeletePolicy(ctx, &iam.DeletePolicyRequest{PolicyArn: own})) }
		steps := []struct {
			name string
			err  error
		}{
			{"policy", del()},
			{"group with policies", second(s.DeleteGroup(ctx, &iam.DeleteGroupRequest{GroupName: "Crew"}))},
			{"user with policies", second(s.DeleteUser(ctx, &iam.DeleteUserRequest{UserName: "Eve"}))},
			{"role with policies", second(s.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: "Worker"}))},
		}
		ok[*iam.DetachGroupPolicyResponse](t)(s.DetachGroupPolicy(ctx, &iam.DetachGroupPolicyRequest{GroupName: "crew", PolicyArn: own}))
		ok[*iam.DetachUserPolicyResponse](t)(s.DetachUserPolicy(ctx, &iam.DetachUserPolicyRequest{UserName: "eve", PolicyArn: own}))
		ok[*iam.DetachRolePolicyResponse](t)(s.DetachRolePolicy(ctx, &iam.DetachRolePolicyRequest{RoleName: "Worker", PolicyArn: own}))
		wants[*iam.DetachRolePolicyResponse](t, "NoSuchEntity")(s.DetachRolePolicy(ctx, &iam.DetachRolePolicyRequest{RoleName: "Worker", PolicyArn: own}))
		steps = append(steps, struct {
			name string
			err  error
		}{"policy that is a boundary", del()}, struct {
			name string
			err  error
		}{"group with members", second(s.DeleteGroup(ctx, &iam.DeleteGroupRequest{GroupName: "Crew"}))}, struct {
			name string
			err  error
		}{"user in a group", second(s.DeleteUser(ctx, &iam.DeleteUserRequest{UserName: "Eve"}))})
		for _, step := range steps {
			if code(step.err) != "DeleteConflict" {
				t.Errorf("deleted a %s: %v", step.name, step.err)
			}
		}
		ok[*iam.RemoveUserFromGroupResponse](t)(s.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupRequest{GroupName: "Crew", UserName: "Eve"}))
		wants[*iam.DeleteUserResponse](t, "DeleteConflict")(s.DeleteUser(ctx, &iam.DeleteUserRequest{UserName: "Eve"})) // her key
		keys := ok[*iam.ListAccessKeysResponse](t)(s.ListAccessKeys(ctx, &iam.ListAccessKeysRequest{UserName: shape.Ptr("Eve")}))
		ok[*iam.DeleteAccessKeyResponse](t)(s.DeleteAccessKey(ctx, &iam.DeleteAccessKeyRequest{UserName: shape.Ptr("Eve"), AccessKeyId: *keys.AccessKeyMetadata[0].AccessKeyId}))
		ok[*iam.DeleteUserResponse](t)(s.DeleteUser(ctx, &iam.DeleteUserRequest{UserName: "Eve"}))
		ok[*iam.DeleteGroupResponse](t)(s.DeleteGroup(ctx, &iam.DeleteGroupRequest{GroupName: "Crew"}))
		ok[*iam.DeleteRoleResponse](t)(s.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: "Worker"})) // its boundary goes with it
		if err := del(); err != nil {
			t.Error(err)
		}
		if n := ok[int64](t)(s.countKind(ctx, links.Name)); n != 0 {
			t.Errorf("%d links left", n)
		}
	})
}

// countKind counts all documents of a kind.
func (s *Service) countKind(ctx context.Context, kind string) (n int64, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM documents WHERE kind = $1", kind).Scan(&n)
	})
	return n, err
}

func TestVersions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		own := *ok[*iam.CreatePolicyResponse](t)(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: "Own", PolicyDocument: doc(allow("s3:*"))})).Policy.Arn
		add := func(asDefault bool) error {
			return second(s.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionRequest{PolicyArn: own, PolicyDocument: doc(allow("sqs:*")), SetAsDefault: &asDefault}))
		}
		for i := range 4 {
			if err := add(i == 2); err != nil { // v4 is the default
				t.Fatal(err)
			}
		}
		if err := add(true); code(err) != "LimitExceeded" {
			t.Errorf("a sixth version: %v", err)
		}
		wants[*iam.DeletePolicyVersionResponse](t, "DeleteConflict")(s.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionRequest{PolicyArn: own, VersionId: "v4"}))
		ok[*iam.DeletePolicyVersionResponse](t)(s.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionRequest{PolicyArn: own, VersionId: "v5"}))
		if err := add(false); err != nil {
			t.Fatal(err)
		}
		var got []string
		in := &iam.ListPolicyVersionsRequest{PolicyArn: own, MaxItems: shape.Ptr(int64(2))}
		for {
			out := ok[*iam.ListPolicyVersionsResponse](t)(s.ListPolicyVersions(ctx, in))
			for _, v := range out.Versions {
				if *v.IsDefaultVersion != (*v.VersionId == "v4") || v.Document != nil {
					t.Errorf("%+v", v)
				}
				got = append(got, *v.VersionId)
			}
			if in.Marker = out.Marker; !*out.IsTruncated {
				break
			}
		}
		if strings.Join(got, " ") != "v6 v4 v3 v2 v1" { // a number never comes again
			t.Errorf("%v", got)
		}
		wants[*iam.GetPolicyVersionResponse](t, "NoSuchEntity")(s.GetPolicyVersion(ctx, &iam.GetPolicyVersionRequest{PolicyArn: own, VersionId: "v5"}))
		wants[*iam.SetDefaultPolicyVersionResponse](t, "NoSuchEntity")(s.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionRequest{PolicyArn: own, VersionId: "v5"}))
		wants[*iam.DeletePolicyResponse](t, "DeleteConflict")(s.DeletePolicy(ctx, &iam.DeletePolicyRequest{PolicyArn: own}))
	})
}

func TestQuotas(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		makeUser(t, s, ctx, "Ann")
		makeRole(t, s, ctx, "Worker")
		long := func(n int) string {
			var list []string
			for i := range n {
				list = append(list, allow(fmt.Sprintf("s3:Get%0200d", i))) // 247 characters each
			}
			return doc(list...)
		}
		for _, tc := range []struct {
			name string
			err  error
		}{
			{"a user's inline policies", second(s.PutUserPolicy(ctx, &iam.PutUserPolicyRequest{UserName: "Ann", PolicyName: "p", PolicyDocument: long(9)}))},
			{"a role's inline policies", second(s.PutRolePolicy(ctx, &iam.PutRolePolicyRequest{RoleName: "Worker", PolicyName: "p", PolicyDocument: long(42)}))},
			{"a managed policy", second(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: "p", PolicyDocument: long(25)}))},
			{"a trust policy", second(s.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyRequest{RoleName: "Worker", PolicyDocument: strings.Replace(lambdaTrust, `"Version"`, `"Id":"`+strings.Repeat("x", 4096)+`","Version"`, 1)}))},
		} {
			if code(tc.err) != "LimitExceeded" {
				t.Errorf("%s: %v", tc.name, tc.err)
			}
		}
		if _, err := s.PutUserPolicy(ctx, &iam.PutUserPolicyRequest{UserName: "Ann", PolicyName: "p", PolicyDocument: strings.ReplaceAll(long(7), ",", strings.Repeat(" \n\t", 1000)+",")}); err != nil {
			t.Errorf("white space counts: %v", err)
		}
		s.CreateAccessKey(ctx, &iam.CreateAccessKeyRequest{UserName: shape.Ptr("Ann")})
		wants[*iam.CreateAccessKeyResponse](t, "LimitExceeded")(s.CreateAccessKey(ctx, &iam.CreateAccessKeyRequest{UserName: shape.Ptr("Ann")}))
		for i := range maxGroupsOfUser + 1 {
			name := fmt.Sprint("g", i)
			ok[*iam.CreateGroupResponse](t)(s.CreateGroup(ctx, &iam.CreateGroupRequest{GroupName: name}))
			if _, err := s.AddUserToGroup(ctx, &iam.AddUserToGroupRequest{GroupName: name, UserName: "Ann"}); (err != nil) != (i == maxGroupsOfUser) {
				t.Errorf("group %d: %v", i, err)
			}
		}
		for i := range maxGroupAttached + 1 {
			p := ok[*iam.CreatePolicyResponse](t)(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: fmt.Sprint("p", i), PolicyDocument: doc(allow("s3:*"))}))
			if _, err := s.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyRequest{GroupName: "g0", PolicyArn: *p.Policy.Arn}); (err != nil) != (i == maxGroupAttached) {
				t.Errorf("policy %d: %v", i, err)
			}
		}
		var tags []iam.Tag
		for i := range maxTags + 1 {
			tags = append(tags, iam.Tag{Key: fmt.Sprint("k", i), Value: "v"})
		}
		wants[*iam.TagUserResponse](t, "LimitExceeded")(s.TagUser(ctx, &iam.TagUserRequest{UserName: "Ann", Tags: tags}))
		wants[*iam.TagUserResponse](t, "InvalidInput")(s.TagUser(ctx, &iam.TagUserRequest{UserName: "Ann", Tags: []iam.Tag{{Key: "a", Value: "1"}, {Key: "A", Value: "2"}}}))
		wants[*iam.TagUserResponse](t, "InvalidInput")(s.TagUser(ctx, &iam.TagUserRequest{UserName: "Ann", Tags: []iam.Tag{{Key: "aws:x", Value: "1"}}}))
		ok[*iam.TagUserResponse](t)(s.TagUser(ctx, &iam.TagUserRequest{UserName: "Ann", Tags: tags[:maxTags]}))
		ok[*iam.UntagUserResponse](t)(s.UntagUser(ctx, &iam.UntagUserRequest{UserName: "Ann", TagKeys: []string{"K0", "nothing"}}))
		out := ok[*iam.ListUserTagsResponse](t)(s.ListUserTags(ctx, &iam.ListUserTagsRequest{UserName: "Ann", MaxItems: shape.Ptr(int64(40))}))
		rest := ok[*iam.ListUserTagsResponse](t)(s.ListUserTags(ctx, &iam.ListUserTagsRequest{UserName: "Ann", Marker: out.Marker}))
		if len(out.Tags) != 40 || len(rest.Tags) != maxTags-1-40 || *rest.IsTruncated {
			t.Errorf("%d and %d tags", len(out.Tags), len(rest.Tags))
		}
	})
}

// TestPages: every list comes in pages that together are the whole, whatever the filter, and a marker that
// is none is refused.
func TestPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		const n = 25
		for i := range n {
			path := shape.Ptr([]string{"/a/", "/b/"}[i%2])
			name := fmt.Sprintf("E%02d", i)
			ok[*iam.CreateUserResponse](t)(s.CreateUser(ctx, &iam.CreateUserRequest{UserName: name, Path: path}))
			ok[*iam.CreateGroupResponse](t)(s.CreateGroup(ctx, &iam.CreateGroupRequest{GroupName: name, Path: path}))
			ok[*iam.CreateRoleResponse](t)(s.CreateRole(ctx, &iam.CreateRoleRequest{RoleName: name, Path: path, AssumeRolePolicyDocument: lambdaTrust}))
			ok[*iam.CreatePolicyResponse](t)(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: name, Path: path, PolicyDocument: doc(allow("s3:*"))}))
			ok[*iam.CreateInstanceProfileResponse](t)(s.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileRequest{InstanceProfileName: name, Path: path}))
			ok[*iam.AddUserToGroupResponse](t)(s.AddUserToGroup(ctx, &iam.AddUserToGroupRequest{GroupName: "e00", UserName: name}))
			ok[*iam.PutRolePolicyResponse](t)(s.PutRolePolicy(ctx, &iam.PutRolePolicyRequest{RoleName: "e00", PolicyName: name, PolicyDocument: doc(allow("s3:*"))}))
			ok[*iam.CreateVirtualMFADeviceResponse](t)(s.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceRequest{VirtualMFADeviceName: name}))
		}
		type page struct {
			names     []string
			truncated *bool
			marker    *string
		}
		lists := map[string]func(prefix, marker *string, items int64) (page, error){
			"users": func(p, m *string, i int64) (page, error) {
				out, err := s.ListUsers(ctx, &iam.ListUsersRequest{PathPrefix: p, Marker: m, MaxItems: &i})
				if err != nil {
					return page{}, err
				}
				return page{names(out.Users, func(v iam.User) string { return v.UserName }), out.IsTruncated, out.Marker}, err
			},
			"groups": func(p, m *string, i int64) (page, error) {
				out, err := s.ListGroups(ctx, &iam.ListGroupsRequest{PathPrefix: p, Marker: m, MaxItems: &i})
				if err != nil {
					return page{}, err
				}
				return page{names(out.Groups, func(v iam.Group) string { return v.GroupName }), out.IsTruncated, out.Marker}, err
			},
			"roles": func(p, m *string, i int64) (page, error) {
				out, err := s.ListRoles(ctx, &iam.ListRolesRequest{PathPrefix: p, Marker: m, MaxItems: &i})
				if err != nil {
					return page{}, err
				}
				return page{names(out.Roles, func(v iam.Role) string { return v.RoleName }), out.IsTruncated, out.Marker}, err
			},
			"profiles": func(p, m *string, i int64) (page, error) {
				out, err := s.ListInstanceProfiles(ctx, &iam.ListInstanceProfilesRequest{PathPrefix: p, Marker: m, MaxItems: &i})
				if err != nil {
					return page{}, err
				}
				return page{names(out.InstanceProfiles, func(v iam.InstanceProfile) string { return v.InstanceProfileName }), out.IsTruncated, out.Marker}, err
			},
			"policies": func(p, m *string, i int64) (page, error) {
				out, err := s.ListPolicies(ctx, &iam.ListPoliciesRequest{Scope: shape.Ptr("Local"), PathPrefix: p, Marker: m, MaxItems: &i})
				if err != nil {
					return page{}, err
				}
				return page{names(out.Policies, func(v iam.Policy) string { return *v.PolicyName }), out.IsTruncated, out.Marker}, err
			},
			"policies of both": func(p, m *string, i int64) (page, error) {
				out, err := s.ListPolicies(ctx, &iam.ListPoliciesRequest{PathPrefix: p, Marker: m, MaxItems: &i})
				if err != nil {
					return page{}, err
				}
				var own []string
				for _, v := range out.Policies {
					if !strings.HasPrefix(*v.Arn, awsPolicies) {
						own = append(own, *v.PolicyName)
					}
				}
				return page{own, out.IsTruncated, out.Marker}, err
			},
			"members": func(_, m *string, i int64) (page, error) {
				out, err := s.GetGroup(ctx, &iam.GetGroupRequest{GroupName: "E00", Marker: m, MaxItems: &i})
				if err != nil {
					return page{}, err
				}
				return page{names(out.Users, func(v iam.User) string { return v.UserName }), out.IsTruncated, out.Marker}, err
			},
			"inline policies": func(_, m *string, i int64) (page, error) {
				out, err := s.ListRolePolicies(ctx, &iam.ListRolePoliciesRequest{RoleName: "E00", Marker: m, MaxItems: &i})
				if err != nil {
					return page{}, err
				}
				return page{out.PolicyNames, out.IsTruncated, out.Marker}, err
			},
			"MFA devices": func(_, m *string, i int64) (page, error) {
				out, err := s.ListVirtualMFADevices(ctx, &iam.ListVirtualMFADevicesRequest{AssignmentStatus: shape.Ptr("Unassigned"), Marker: m, MaxItems: &i})
				if err != nil {
					return page{}, err
				}
				return page{names(out.VirtualMFADevices, func(v iam.VirtualMFADevice) string { return v.SerialNumber }), out.IsTruncated, out.Marker}, err
			},
			"details": func(_, m *string, i int64) (page, error) {
				out, err := s.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsRequest{Filter: []string{"User", "LocalManagedPolicy"}, Marker: m, MaxItems: &i})
				if err != nil {
					return page{}, err
				}
				var own []string
				for _, v := range out.UserDetailList {
					own = append(own, *v.UserName)
				}
				return page{own, out.IsTruncated, out.Marker}, err
			},
		}
		for name, list := range lists {
			for _, size := range []int64{1, 7, n, 100} {
				for prefix, want := range map[string]int{"": n, "/": n, "/a/": 13, "/c/": 0} {
					if (name == "members" || name == "inline policies" || name == "MFA devices" || name == "details") && prefix != "" {
						continue
					}
					var p, m *string
					if prefix != "" {
						p = &prefix
					}
					var all []string
					for pages := 0; ; pages++ {
						out, err := list(p, m, size)
						if err != nil || len(out.names) > int(size) || pages > 100 || *out.truncated != (out.marker != nil) {
							t.Fatalf("%s of %d below %q: %+v, %v", name, size, prefix, out, err)
						}
						all = append(all, out.names...)
						if m = out.marker; m == nil {
							break
						}
					}
					if len(all) != want || !slices.IsSorted(all) || len(slices.Compact(all)) != want {
						t.Errorf("%s of %d below %q: %v", name, size, prefix, all)
					}
				}
			}
			for _, bad := range []string{"!", "AA==", "/wAA", "AAAA"} {
				if _, err := list(nil, &bad, 5); code(err) != "ValidationError" {
					t.Errorf("%s: marker %q: %v", name, bad, err)
				}
			}
		}
	})
}

func names[T any](list []T, name func(T) string) (out []string) {
	for _, v := range list {
		out = append(out, name(v))
	}
	return out
}

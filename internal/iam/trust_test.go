package iam

import (
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// TestTrustedByName: who is made under the name of one that was trusted is not trusted, and who was
// renamed still is.
func TestTrustedByName(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		const acct = "arn:aws:iam::123456789012:"
		trusting := func(arns ...string) string {
			return doc(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":["` + strings.Join(arns, `","`) + `"]}}`)
		}
		makeUser(t, s, ctx, "Bob")
		user := func(name string) {
			ok[*iam.CreateUserResponse](t)(s.CreateUser(ctx, &iam.CreateUserRequest{UserName: name}))
		}
		user("Ann")
		makeRole(t, s, ctx, "Caller")
		for _, nobody := range []string{acct + "user/None", acct + "role/None", acct + "user/ann", acct + "user/x/Ann"} {
			wants[*iam.CreateRoleResponse](t, "MalformedPolicyDocument")(s.CreateRole(ctx, &iam.CreateRoleRequest{RoleName: "Worker", AssumeRolePolicyDocument: trusting(nobody)}))
		}
		// The slash is escaped, as JSON may have it.
		text := trusting(`arn:aws:iam::123456789012:user\/Ann`, acct+"user/Bob", acct+"role/Caller", "arn:aws:iam::210987654321:user/Ann", "123456789012")
		text = strings.Replace(text, `,"123456789012"`, "", 1)
		ok[*iam.CreateRoleResponse](t)(s.CreateRole(ctx, &iam.CreateRoleRequest{RoleName: "Worker", AssumeRolePolicyDocument: text}))
		check := func(step string, want map[string]bool) {
			t.Helper()
			r := ok[*Role](t)(s.RoleByARN(ctx, acct+"role/Worker"))
			for name, may := range want {
				u := ok[*User](t)(s.getUser(ctx, name))
				d := policy.Evaluate(&policy.Set{Resource: r.TrustPolicy()}, &policy.Request{Principal: u.principal(s.Account), Action: "sts:AssumeRole", Resource: r.ARN})
				if d.Allowed != may {
					t.Errorf("%s: %s: %+v", step, name, d)
				}
			}
		}
		check("at first", map[string]bool{"Ann": true, "Bob": true})
		ok[*iam.DeleteUserResponse](t)(s.DeleteUser(ctx, &iam.DeleteUserRequest{UserName: "Ann"}))
		user("Ann")
		check("another Ann", map[string]bool{"Ann": false, "Bob": true})
		ok[*iam.UpdateUserResponse](t)(s.UpdateUser(ctx, &iam.UpdateUserRequest{UserName: "Bob", NewUserName: shape.Ptr("Rob")}))
		user("Bob")
		check("Bob renamed", map[string]bool{"Ann": false, "Bob": false, "Rob": true})
		shown := ok[*iam.GetRoleResponse](t)(s.GetRole(ctx, &iam.GetRoleRequest{RoleName: "Worker"}))
		if text, _ := url.QueryUnescape(*shown.Role.AssumeRolePolicyDocument); strings.Count(text, `"AIDA`) != 2 || !strings.Contains(text, `"`+acct+`role/Caller"`) {
			t.Errorf("shown as %s", text)
		}
		ok[*iam.UpdateAssumeRolePolicyResponse](t)(s.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyRequest{RoleName: "Worker", PolicyDocument: trusting(acct + "user/Ann")}))
		check("written anew", map[string]bool{"Ann": true, "Bob": false, "Rob": false})
	})
}

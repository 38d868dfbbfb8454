package iam

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

func doc(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func allow(action string, more ...string) string {
	return `{"Effect":"Allow","Action":"` + action + `","Resource":"*"` + strings.Join(append([]string{""}, more...), ",") + `}`
}

func deny(action string) string { return `{"Effect":"Deny","Action":"` + action + `","Resource":"*"}` }

// decides tells whether c may do action, and why not.
func decides(t testing.TB, s *Service, ctx context.Context, c *Caller, action string) (bool, policy.Decision) {
	t.Helper()
	about := &Request{SourceIP: "192.0.2.7", Region: "eu-west-1", Secure: true, Time: time.Now(), UserAgent: "test"}
	d, err := s.Decide(ctx, c, &policy.Request{Action: action, Resource: "*", Context: about}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d.Allowed, d
}

// callerOf authenticates with a user's key.
func callerOf(t testing.TB, s *Service, ctx context.Context, id, secret, token string) *Caller {
	t.Helper()
	return ok[wire.Identity](t)(s.Authenticate(ctx, signedBy(t, id, secret, token, "iam"), bodyHash, "iam")).Caller.(*Caller)
}

func TestDecideUser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		id, secret := makeUser(t, s, ctx, "Ann")
		c := callerOf(t, s, ctx, id, secret, "")
		check := func(step string, want map[string]bool) {
			t.Helper()
			for action, may := range want {
				if got, d := decides(t, s, ctx, c, action); got != may {
					t.Errorf("%s: %s: %v, %+v", step, action, got, d)
				}
			}
		}
		check("nothing", map[string]bool{"logs:PutLogEvents": false})
		ok[*iam.PutUserPolicyResponse](t)(s.PutUserPolicy(ctx, &iam.PutUserPolicyRequest{UserName: "Ann", PolicyName: "p", PolicyDocument: doc(allow("logs:*"))}))
		check("inline", map[string]bool{"logs:PutLogEvents": true, "s3:GetObject": false})
		ok[*iam.CreateGroupResponse](t)(s.CreateGroup(ctx, &iam.CreateGroupRequest{GroupName: "Readers"}))
		ok[*iam.AddUserToGroupResponse](t)(s.AddUserToGroup(ctx, &iam.AddUserToGroupRequest{GroupName: "readers", UserName: "ann"}))
		ok[*iam.AttachGroupPolicyResponse](t)(s.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyRequest{GroupName: "Readers", PolicyArn: awsPolicies + "AmazonS3ReadOnlyAccess"}))
		check("group", map[string]bool{"logs:PutLogEvents": true, "s3:GetObject": true, "s3:PutObject": false})
		own := ok[*iam.CreatePolicyResponse](t)(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: "Own", Path: shape.Ptr("/a/"), PolicyDocument: doc(deny("s3:GetObject"), allow("s3:Put*", `"Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`))}))
		ok[*iam.AttachUserPolicyResponse](t)(s.AttachUserPolicy(ctx, &iam.AttachUserPolicyRequest{UserName: "Ann", PolicyArn: *own.Policy.Arn}))
		check("managed", map[string]bool{"logs:PutLogEvents": true, "s3:GetObject": false, "s3:PutObject": true, "s3:ListBucket": true})
		ok[*iam.CreatePolicyVersionResponse](t)(s.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionRequest{PolicyArn: *own.Policy.Arn, PolicyDocument: doc(allow("sqs:*"))}))
		check("another version", map[string]bool{"s3:GetObject": false, "sqs:SendMessage": false})
		ok[*iam.SetDefaultPolicyVersionResponse](t)(s.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionRequest{PolicyArn: *own.Policy.Arn, VersionId: "v2"}))
		check("the other version", map[string]bool{"s3:GetObject": true, "sqs:SendMessage": true, "s3:PutObject": false})
		ok[*iam.PutUserPermissionsBoundaryResponse](t)(s.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryRequest{UserName: "Ann", PermissionsBoundary: awsPolicies + "AmazonS3FullAccess"}))
		check("boundary", map[string]bool{"s3:GetObject": true, "sqs:SendMessage": false, "s3:PutObject": false, "logs:PutLogEvents": false})
		ok[*iam.DeleteUserPermissionsBoundaryResponse](t)(s.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryRequest{UserName: "Ann"}))
		ok[*iam.UpdateGroupResponse](t)(s.UpdateGroup(ctx, &iam.UpdateGroupRequest{GroupName: "Readers", NewGroupName: shape.Ptr("Lesers")}))
		check("the group renamed", map[string]bool{"s3:GetObject": true, "sqs:SendMessage": true})
		ok[*iam.RemoveUserFromGroupResponse](t)(s.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupRequest{GroupName: "LESERS", UserName: "Ann"}))
		check("out of the group", map[string]bool{"s3:GetObject": false, "sqs:SendMessage": true})
		ok[*iam.DetachUserPolicyResponse](t)(s.DetachUserPolicy(ctx, &iam.DetachUserPolicyRequest{UserName: "Ann", PolicyArn: *own.Policy.Arn}))
		ok[*iam.DeleteUserPolicyResponse](t)(s.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyRequest{UserName: "Ann", PolicyName: "p"}))
		check("all taken away", map[string]bool{"logs:PutLogEvents": false, "sqs:SendMessage": false})
	})
}

func TestDecideSession(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		role := makeRole(t, s, ctx, "Worker")
		ok[*iam.TagRoleResponse](t)(s.TagRole(ctx, &iam.TagRoleRequest{RoleName: "Worker", Tags: []iam.Tag{{Key: "team", Value: "red"}, {Key: "own", Value: "role"}}}))
		if _, err := s.PutRolePolicy(ctx, &iam.PutRolePolicyRequest{RoleName: "Worker", PolicyName: "p", PolicyDocument: doc(
			allow("logs:*"), allow("s3:*"),
			allow("sqs:A", `"Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}`),
			allow("sqs:B", `"Condition":{"StringEquals":{"aws:PrincipalTag/own":"session"}}`),
			allow("sqs:C", `"Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"eu-west-1:pool"}}`),
			allow("sqs:D", `"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`),
			allow("sqs:E", `"Condition":{"DateLessThan":{"aws:TokenIssueTime":"2000-01-01T00:00:00Z"}}`),
			allow("sqs:F", `"Condition":{"StringEquals":{"aws:SourceIdentity":"ann","aws:FederatedProvider":"cognito-identity.amazonaws.com"}}`),
			allow("sqs:G", `"Condition":{"StringEquals":{"aws:userid":"`+role.ID+`:it"},"ArnEquals":{"aws:PrincipalArn":"`+role.ARN+`"},"Bool":{"aws:SecureTransport":"true"}}`),
			`{"Effect":"Deny","Action":"sqs:H","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2100-01-01T00:00:00Z"}}}`, allow("sqs:H"),
		)}); err != nil {
			t.Fatal(err)
		}
		caller := func(change func(*session.Session)) *Caller {
			t.Helper()
			cred := issue(t, s, role, change)
			return callerOf(t, s, ctx, cred.AccessKey, cred.Secret.Reveal(), cred.Token)
		}
		plain := caller(nil)
		limited := caller(func(ses *session.Session) {
			ses.Policies = []string{doc(allow("logs:Put*"))}
			ses.PolicyARNs = []string{awsPolicies + "AmazonS3ReadOnlyAccess"}
		})
		web := caller(func(ses *session.Session) {
			ses.Provider, ses.SourceIdentity, ses.MFA = "cognito-identity.amazonaws.com", "ann", true
			ses.Context = map[string][]string{"cognito-identity.amazonaws.com:aud": {"eu-west-1:pool"}}
			ses.Tags = map[string]string{"Own": "session"} // keys count in any case
		})
		for _, tc := range []struct {
			c      *Caller
			action string
			want   bool
		}{
			{plain, "logs:PutLogEvents", true}, {plain, "s3:PutObject", true}, {plain, "iam:ListUsers", false},
			{limited, "logs:PutLogEvents", true}, {limited, "logs:GetLogEvents", false}, {limited, "s3:GetObject", true}, {limited, "s3:PutObject", false}, {limited, "iam:ListUsers", false},
			{plain, "sqs:A", true}, {web, "sqs:A", true}, {plain, "sqs:B", false}, {web, "sqs:B", true}, {plain, "sqs:C", false}, {web, "sqs:C", true},
			{plain, "sqs:D", false}, {web, "sqs:D", true}, {plain, "sqs:E", false}, {plain, "sqs:F", false}, {web, "sqs:F", true}, {plain, "sqs:G", true}, {plain, "sqs:H", false},
		} {
			if got, d := decides(t, s, ctx, tc.c, tc.action); got != tc.want {
				t.Errorf("%s of %+v: %v, %+v", tc.action, tc.c.Session, got, d)
			}
		}

		// The request cannot say what only the server knows.
		lie := policy.Values{"aws:principaltag/own": {"session"}, "aws:multifactorauthpresent": {"true"}, "aws:sourceidentity": {"ann"}, "aws:federatedprovider": {"cognito-identity.amazonaws.com"}, "aws:tokenissuetime": {"1999-01-01T00:00:00Z"}}
		for _, action := range []string{"sqs:B", "sqs:D", "sqs:E", "sqs:F"} {
			d, err := s.Decide(ctx, plain, &policy.Request{Principal: web.Principal, Action: action, Resource: "*", Context: lie}, nil)
			if err != nil || d.Allowed {
				t.Errorf("%s by lies: %+v, %v", action, d, err)
			}
		}

		// A role that is deleted has nothing to give, even to one who was let in before.
		tr := &trace.Trace{}
		ok[*iam.DeleteRolePolicyResponse](t)(s.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyRequest{RoleName: "Worker", PolicyName: "p"}))
		ok[*iam.DeleteRoleResponse](t)(s.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: "Worker"}))
		if got, d := decides(t, s, trace.With(ctx, tr), plain, "logs:PutLogEvents"); got || len(tr.Steps) == 0 || !tr.Refused() {
			t.Errorf("a deleted role: %+v, %+v", d, tr.Steps)
		}
		makeRole(t, s, ctx, "Worker")
		ok[*iam.AttachRolePolicyResponse](t)(s.AttachRolePolicy(ctx, &iam.AttachRolePolicyRequest{RoleName: "Worker", PolicyArn: administrator}))
		if got, d := decides(t, s, ctx, plain, "logs:PutLogEvents"); got {
			t.Errorf("the role of another: %+v", d)
		}
	})
}

func TestDecideOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		makeUser(t, s, ctx, "Ann")
		ann := ok[*User](t)(s.getUser(ctx, "Ann"))
		ok[*iam.AttachUserPolicyResponse](t)(s.AttachUserPolicy(ctx, &iam.AttachUserPolicyRequest{UserName: "Ann", PolicyArn: awsPolicies + "AmazonS3FullAccess"}))
		federated := func(ownerARN, ownerID, policyText string) *Caller {
			t.Helper()
			ses := &session.Session{Type: policy.FederatedUser, Account: s.Account, OwnerARN: ownerARN, OwnerID: ownerID, OwnerName: "Ann", Name: "bob", Issued: 1, Expires: 2}
			if policyText != "" {
				ses.Policies = []string{policyText}
			}
			return ok[*Caller](t)(s.SessionCaller(ctx, ses))
		}
		everything := doc(allow("*"))
		for _, tc := range []struct {
			name   string
			c      *Caller
			action string
			want   bool
		}{
			{"root", s.Root(), "iam:CreateUser", true},
			{"nobody", nil, "s3:GetObject", false},
			{"a user's federated user", federated(ann.ARN, ann.ID, everything), "s3:GetObject", true},
			{"beyond the user", federated(ann.ARN, ann.ID, everything), "iam:CreateUser", false},
			{"without a session policy", federated(ann.ARN, ann.ID, ""), "s3:GetObject", false},
			{"the root's federated user", federated(s.root.ARN, s.Account, doc(allow("sqs:*"))), "sqs:SendMessage", true},
			{"beyond its policy", federated(s.root.ARN, s.Account, doc(allow("sqs:*"))), "s3:GetObject", false},
		} {
			if got, d := decides(t, s, ctx, tc.c, tc.action); got != tc.want {
				t.Errorf("%s: %v, %+v", tc.name, got, d)
			}
		}
		open := ok[*policy.Compiled](t)(policy.Compile(policy.Resource, "bucket", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}}`))
		d, err := s.Decide(ctx, nil, &policy.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k"}, open)
		if err != nil || !d.Allowed {
			t.Errorf("public: %+v, %v", d, err)
		}
	})
}

// TestAWSManaged: every published policy is well-formed, has its document, and is shown.
func TestAWSManaged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		files, err := awsDocuments.ReadDir("awsmanaged")
		if err != nil {
			t.Fatal(err)
		}
		var all []iam.Policy
		in := &iam.ListPoliciesRequest{Scope: shape.Ptr("AWS"), MaxItems: shape.Ptr(int64(7))}
		for {
			out := ok[*iam.ListPoliciesResponse](t)(s.ListPolicies(ctx, in))
			all = append(all, out.Policies...)
			if in.Marker = out.Marker; !*out.IsTruncated {
				break
			}
		}
		if len(all) != len(files)-1 {
			t.Errorf("%d policies in %d files", len(all), len(files))
		}
		ids := map[string]bool{}
		for _, p := range all {
			if _, err := s.aws.get(*p.Arn).compiled(); err != nil {
				t.Errorf("%s: %v", *p.Arn, err)
			}
			if ids[*p.PolicyId] || len(*p.PolicyId) != 21 {
				t.Errorf("%s: id %s", *p.Arn, *p.PolicyId)
			}
			ids[*p.PolicyId] = true
			v := ok[*iam.GetPolicyVersionResponse](t)(s.GetPolicyVersion(ctx, &iam.GetPolicyVersionRequest{PolicyArn: *p.Arn, VersionId: *p.DefaultVersionId}))
			if !strings.HasPrefix(*v.PolicyVersion.Document, "%7B") {
				t.Errorf("%s: %s", *p.Arn, *v.PolicyVersion.Document)
			}
		}
		for _, change := range []error{
			s.changePolicy(ctx, administrator, nil), s.deletePolicy(ctx, administrator, true),
		} {
			if code(change) != "AccessDenied" {
				t.Errorf("changed a policy of AWS: %v", change)
			}
		}
	})
}

// BenchmarkSignedCall is what a signed call costs before its handler: signature, caller, decision.
func BenchmarkSignedCall(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(fmt.Sprintf("%dusers", n), func(b *testing.B) {
			db, err := store.Open(b.Context(), store.Options{URL: "memory:"})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			s, ctx := newTest(b, db, false)
			id, secret := makeUser(b, s, ctx, "ann")
			ok[*iam.AttachUserPolicyResponse](b)(s.AttachUserPolicy(ctx, &iam.AttachUserPolicyRequest{UserName: "ann", PolicyArn: awsPolicies + "AmazonCognitoPowerUser"}))
			fill(b, s, ctx, n)
			r := signedBy(b, id, secret, "", "cognito-idp")
			about := &Request{SourceIP: "192.0.2.7", Region: "eu-west-1", Time: time.Now()}
			q := &policy.Request{Action: "cognito-idp:ListUsers", Resource: "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_x", Context: about}
			b.Run("authenticate", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Authenticate(ctx, r, bodyHash, "cognito-idp"); err != nil {
						b.Fatal(err)
					}
				}
			})
			c := callerOf(b, s, ctx, id, secret, "")
			b.Run("decide", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if d, err := s.Decide(ctx, c, q, nil); err != nil || !d.Allowed {
						b.Fatal(d, err)
					}
				}
			})
			role := makeRole(b, s, ctx, "worker")
			ok[*iam.AttachRolePolicyResponse](b)(s.AttachRolePolicy(ctx, &iam.AttachRolePolicyRequest{RoleName: "worker", PolicyArn: awsPolicies + "AmazonCognitoPowerUser"}))
			cred := issue(b, s, role, nil)
			rs := signedBy(b, cred.AccessKey, cred.Secret.Reveal(), cred.Token, "cognito-idp")
			b.Run("session", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					who, err := s.Authenticate(ctx, rs, bodyHash, "cognito-idp")
					if err != nil {
						b.Fatal(err)
					}
					if d, err := s.Decide(ctx, who.Caller.(*Caller), q, nil); err != nil || !d.Allowed {
						b.Fatal(d, err)
					}
				}
			})
			s.Close(ctx)
		})
	}
}

// fill makes users, each with a key, and roles, straight in the store.
func fill(b *testing.B, s *Service, ctx context.Context, n int) {
	b.Helper()
	for from := 0; from < n; from += 2000 {
		err := s.DB.Update(ctx, func(tx *store.Tx) error {
			for i := from; i < min(from+2000, n); i++ {
				name := fmt.Sprintf("user%06d", i)
				u := &User{Name: name, Path: "/", ID: fmt.Sprintf("AIDA%017d", i), ARN: s.arnOf("user", "/", name), Grants: Grants{Attached: []string{administrator}}}
				if err := users.Insert(tx, userKey(name), u); err != nil {
					return err
				}
				k := &accessKey{ID: fmt.Sprintf("AKIA%016d", i), Principal: u.ARN, User: userKey(name).ID, UserID: u.ID, Active: true}
				if err := accessKeys.Insert(tx, store.Key{ID: k.ID, Parent: keysOf(k.User)}, k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

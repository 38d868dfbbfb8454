package iam

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// TestMalformed: documents that are none are refused everywhere in IAM's words, and leave nothing behind.
func TestMalformed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		makeUser(t, s, ctx, "Ann")
		ok[*iam.CreateGroupResponse](t)(s.CreateGroup(ctx, &iam.CreateGroupRequest{GroupName: "Team"}))
		makeRole(t, s, ctx, "Worker")
		own := *ok[*iam.CreatePolicyResponse](t)(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: "Own", PolicyDocument: doc(allow("s3:*"))})).Policy.Arn
		syntax := "Syntax errors in policy."
		for text, want := range map[string]string{
			`not json`: syntax, `{`: syntax, `[]`: syntax, `{}`: syntax, `null`: syntax, `{"Version":"2012-10-17"}`: syntax,
			`{"Version":"2020-01-01","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`: syntax,
			doc(`{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}`):                   syntax,
			doc(allow("s3:*")) + "x":               syntax,
			strings.Repeat(`[`, 100_000):           syntax,
			strings.Repeat(`{"Statement":`, 8_000): syntax,
			`{"Version":"2012-10-17","Statement":"` + strings.Repeat("x", 100_000) + `"}`: syntax,
			doc(`{"Effect":"Allow","Resource":"*"}`):                                      "Policy statement must contain actions.",
			doc(`{"Effect":"Allow","Action":"s3:*"}`):                                     "Policy statement must contain resources.",
			doc(`{"Effect":"Allow","Action":"s3","Resource":"*"}`):                        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
			doc(`{"Effect":"Allow","Action":"s3:a:b","Resource":"*"}`):                    "Actions/Condition can contain only one colon.",
			doc(`{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}`):                 `Resource bucket must be in ARN format or "*".`,
			doc(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:x:s3:::b"}`):           `Partition "x" is not valid for resource "arn:x:s3:::b".`,
			doc(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*"}`):      "Policy document should not specify a principal.",
			doc(`{"Sid":"a b","Effect":"Allow","Action":"s3:*","Resource":"*"}`):          "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
			doc(allow("s3:*", `"Sid":"a"`), allow("s3:*", `"Sid":"a"`)):                   "Statement IDs (SID) in a single policy must be unique.",
			doc(allow("s3:*", `"Condition":{"NoSuch":{"aws:username":"x"}}`)):             "Invalid Condition type : NoSuch",
		} {
			for name, err := range map[string]error{
				"user":    second(s.PutUserPolicy(ctx, &iam.PutUserPolicyRequest{UserName: "Ann", PolicyName: "p", PolicyDocument: text})),
				"group":   second(s.PutGroupPolicy(ctx, &iam.PutGroupPolicyRequest{GroupName: "Team", PolicyName: "p", PolicyDocument: text})),
				"role":    second(s.PutRolePolicy(ctx, &iam.PutRolePolicyRequest{RoleName: "Worker", PolicyName: "p", PolicyDocument: text})),
				"managed": second(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: "p", PolicyDocument: text})),
				"version": second(s.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionRequest{PolicyArn: own, PolicyDocument: text})),
			} {
				var e *shape.Error
				if !errors.As(err, &e) || e.Code != "MalformedPolicyDocument" || e.Message != want {
					t.Errorf("%s: %.100s: %v, want %s", name, text, err, want)
				}
			}
		}
		for text, want := range map[string]string{
			doc(allow("sts:AssumeRole")):                                                                               "Has prohibited field Resource",
			doc(`{"Effect":"Allow","Action":"s3:GetObject","Principal":"*"}`):                                          "AssumeRole policy may only specify STS AssumeRole actions.",
			doc(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"nobody"}}`):                           `Invalid principal in policy: "AWS":"nobody"`,
			doc(`{"Effect":"Allow","Action":"sts:AssumeRole"}`):                                                        "AssumeRole policy must contain principals.",
			doc(`{"Effect":"Deny","Action":"sts:AssumeRole","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:root"}}`): "AssumeRolepolicy contained disallowed field NotPrincipal",
		} {
			_, err := s.CreateRole(ctx, &iam.CreateRoleRequest{RoleName: "New", AssumeRolePolicyDocument: text})
			var e *shape.Error
			if !errors.As(err, &e) || e.Code != "MalformedPolicyDocument" || e.Message != want {
				t.Errorf("trust: %s: %v, want %s", text, err, want)
			}
		}
		huge := doc(strings.TrimSuffix(strings.Repeat(allow("s3:*")+",", 3000), ","))
		wants[*iam.CreatePolicyResponse](t, "LimitExceeded")(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: "p", PolicyDocument: huge}))
		if n := ok[int64](t)(s.countKind(ctx, managedPolicies.Name)); n != 1 {
			t.Errorf("%d policies", n)
		}
	})
}

// FuzzPolicyDocument: what is accepted can be evaluated, and what is refused has IAM's code.
func FuzzPolicyDocument(f *testing.F) {
	f.Add(doc(allow("s3:*")))
	f.Add(lambdaTrust)
	f.Add(doc(`{"Effect":"Deny","NotAction":["a:b"],"NotResource":["arn:aws:s3:::${aws:username}"],"Condition":{"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":["?*"]},"Null":{"aws:x":"true"}}}`))
	f.Fuzz(func(t *testing.T, text string) {
		for _, check := range []func(string) error{checkPolicy, checkTrust} {
			if err := check(text); err != nil && code(err) != "MalformedPolicyDocument" && code(err) != "LimitExceeded" {
				t.Errorf("%v", err)
			}
		}
		g := &Grants{Inline: map[string]string{"p": text}}
		list, err := g.compiled("role x")
		if (err == nil) != (checkPolicy(text) == nil) {
			t.Fatalf("stored, and then %v", err)
		}
		if err == nil {
			req := &policy.Request{Principal: policy.Principal{Type: policy.User, ARN: "arn:aws:iam::123456789012:user/x", Account: "123456789012"}, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k"}
			policy.Explain(policy.Evaluate(&policy.Set{Identity: list}, req))
			for i := range 3 {
				if from, to, ok := span(text, i); ok && (from < 0 || to > len(text) || from > to) {
					t.Errorf("statement %d at %d to %d", i, from, to)
				}
			}
		}
	})
}

// TestRaces: of many who want one name, one gets it; attaching and deleting do not slip past each other.
func TestRaces(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		const n = 8
		at := func(f func(i int) error) (made int32) {
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					err := f(i)
					if err == nil {
						atomic.AddInt32(&made, 1)
					} else if c := code(err); c != "EntityAlreadyExists" && c != "LimitExceeded" && c != "NoSuchEntity" && c != "DeleteConflict" {
						t.Errorf("%v", err)
					}
				})
			}
			wg.Wait()
			return made
		}
		name := func(i int) string { return []string{"Twin", "TWIN", "twin", "tWIN"}[i%4] }
		for what, f := range map[string]func(i int) error{
			"user":  func(i int) error { return second(s.CreateUser(ctx, &iam.CreateUserRequest{UserName: name(i)})) },
			"group": func(i int) error { return second(s.CreateGroup(ctx, &iam.CreateGroupRequest{GroupName: name(i)})) },
			"role": func(i int) error {
				return second(s.CreateRole(ctx, &iam.CreateRoleRequest{RoleName: name(i), AssumeRolePolicyDocument: lambdaTrust}))
			},
			"policy": func(i int) error {
				return second(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: name(i), PolicyDocument: doc(allow("s3:*"))}))
			},
		} {
			if made := at(f); made != 1 {
				t.Errorf("%d of %s", made, what)
			}
		}
		if made := at(func(int) error {
			return second(s.CreateAccessKey(ctx, &iam.CreateAccessKeyRequest{UserName: shape.Ptr("twin")}))
		}); made != maxKeysOfUser {
			t.Errorf("%d keys", made)
		}
		for round := range 4 {
			own := *ok[*iam.CreatePolicyResponse](t)(s.CreatePolicy(ctx, &iam.CreatePolicyRequest{PolicyName: fmt.Sprint("p", round), PolicyDocument: doc(allow("s3:*"))})).Policy.Arn
			at(func(i int) error {
				switch i % 3 {
				case 0:
					return second(s.AttachUserPolicy(ctx, &iam.AttachUserPolicyRequest{UserName: "twin", PolicyArn: own}))
				case 1:
					return second(s.AttachRolePolicy(ctx, &iam.AttachRolePolicyRequest{RoleName: "twin", PolicyArn: own}))
				}
				return second(s.DeletePolicy(ctx, &iam.DeletePolicyRequest{PolicyArn: own}))
			})
			// Either it is gone and nobody has it, or it is there.
			u := ok[*User](t)(s.getUser(ctx, "twin"))
			r := ok[*Role](t)(s.getRole(ctx, "twin"))
			for _, a := range append(append([]string{}, u.Attached...), r.Attached...) {
				if _, err := s.managedPolicy(ctx, a); err != nil {
					t.Errorf("attached, and %v", err)
				}
			}
			p, err := s.GetPolicy(ctx, &iam.GetPolicyRequest{PolicyArn: own})
			have := int64(0)
			for _, list := range [][]string{u.Attached, r.Attached} {
				for _, a := range list {
					if a == own {
						have++
					}
				}
			}
			if err == nil && *p.Policy.AttachmentCount != have {
				t.Errorf("%d attachments counted, %d there", *p.Policy.AttachmentCount, have)
			}
		}
	})
}

// TestRevocation: a key or a role that is taken away in the midst of calls lets no later call in, on this
// node and on another.
func TestRevocation(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		open := func() *store.DB {
			db, err := store.Open(t.Context(), store.Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		}
		db := open()
		s, ctx := newTest(t, db, false)
		id, secret := makeUser(t, s, ctx, "Ann")
		role := makeRole(t, s, ctx, "Worker")
		cred := issue(t, s, role, nil)
		var revoked atomic.Bool
		var wg sync.WaitGroup
		ctx, stop := context.WithCancel(ctx)
		requests := []func() *http.Request{
			func() *http.Request { return signedBy(t, id, secret, "", "logs") },
			func() *http.Request { return signedBy(t, cred.AccessKey, cred.Secret.Reveal(), cred.Token, "logs") },
		}
		for range 2 {
			for _, r := range requests {
				wg.Go(func() {
					for ctx.Err() == nil {
						late := revoked.Load()
						if _, err := s.Authenticate(ctx, r(), bodyHash, "logs"); late && err == nil {
							t.Error("let in after the revocation")
							return
						}
					}
				})
			}
		}
		ok[*iam.UpdateAccessKeyResponse](t)(s.UpdateAccessKey(ctx, &iam.UpdateAccessKeyRequest{AccessKeyId: id, Status: "Inactive", UserName: shape.Ptr("Ann")}))
		ok[*iam.DeleteRoleResponse](t)(s.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: "Worker"}))
		revoked.Store(true)
		for range 50 {
			for _, r := range requests {
				if _, err := s.Authenticate(ctx, r(), bodyHash, "logs"); problem(err) != "unknown" {
					t.Errorf("%v", err)
				}
			}
		}
		stop()
		wg.Wait()
		s.Close(ctx)
	})
}

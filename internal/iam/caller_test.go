package iam

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// ok fails the test on an error, and returns what came with it.
func ok[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// makeUser makes a user with a key.
func makeUser(t testing.TB, s *Service, ctx context.Context, name string) (id, secret string) {
	t.Helper()
	ok[*iam.CreateUserResponse](t)(s.CreateUser(ctx, &iam.CreateUserRequest{UserName: name}))
	k := ok[*iam.CreateAccessKeyResponse](t)(s.CreateAccessKey(ctx, &iam.CreateAccessKeyRequest{UserName: &name}))
	return k.AccessKey.AccessKeyId, k.AccessKey.SecretAccessKey
}

func makeRole(t testing.TB, s *Service, ctx context.Context, name string) *Role {
	t.Helper()
	ok[*iam.CreateRoleResponse](t)(s.CreateRole(ctx, &iam.CreateRoleRequest{RoleName: name, AssumeRolePolicyDocument: lambdaTrust}))
	return ok[*Role](t)(s.getRole(ctx, name))
}

// issue makes credentials of a role's session.
func issue(t testing.TB, s *Service, r *Role, change func(*session.Session)) session.Credentials {
	t.Helper()
	now := s.Now().Unix()
	ses := &session.Session{Type: policy.RoleSession, Account: s.Account, OwnerARN: r.ARN, OwnerID: r.ID, OwnerName: r.Name, Name: "it", Issued: now, Expires: now + 3600}
	if change != nil {
		change(ses)
	}
	return ok[session.Credentials](t)(s.Sessions.Issue(ses))
}

func signedBy(t testing.TB, id, secret, token, service string) *http.Request {
	r, err := http.NewRequest("POST", "http://127.0.0.1:4566/", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	sigv4.Sign(r, sigv4.PayloadHash([]byte("body")), id, secret, token, service, "eu-west-1", time.Now())
	return r
}

// problem names how a request was refused.
func problem(err error) string {
	var ae *wire.AuthError
	var se *sigv4.Error
	var e *shape.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &ae):
		return map[wire.AuthProblem]string{wire.MissingCredentials: "missing", wire.UnknownAccessKey: "unknown", wire.SessionTokenExpired: "expired", wire.Denied: "denied"}[ae.Problem]
	case errors.As(err, &se):
		return map[sigv4.Kind]string{sigv4.Missing: "unsigned", sigv4.Mismatch: "mismatch", sigv4.Scope: "scope", sigv4.Incomplete: "incomplete"}[se.Kind]
	case errors.As(err, &e):
		return e.Code
	}
	return err.Error()
}

func TestCallers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		id, secret := makeUser(t, s, ctx, "Ann")
		idle, idleSecret := makeUser(t, s, ctx, "idle")
		ok[*iam.UpdateAccessKeyResponse](t)(s.UpdateAccessKey(ctx, &iam.UpdateAccessKeyRequest{AccessKeyId: idle, Status: "Inactive", UserName: shape.Ptr("IDLE")}))
		worker := makeRole(t, s, ctx, "Worker")
		live := issue(t, s, worker, nil)
		over := issue(t, s, worker, func(ses *session.Session) { ses.Issued -= 7200; ses.Expires = ses.Issued + 900 })
		other := issue(t, s, worker, func(ses *session.Session) { ses.OwnerID = "AROAAAAAAAAAAAAAAAAAA" })
		abroad := issue(t, s, worker, func(ses *session.Session) { ses.Account = "210987654321" })
		lost := makeRole(t, s, ctx, "Lost")
		dead := issue(t, s, lost, nil)
		ok[*iam.DeleteRoleResponse](t)(s.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: "Lost"}))
		again := makeRole(t, s, ctx, "Anew")
		stale := issue(t, s, again, nil)
		ok[*iam.DeleteRoleResponse](t)(s.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: "Anew"}))
		makeRole(t, s, ctx, "Anew")
		ann := ok[*User](t)(s.getUser(ctx, "ann"))
		annSession := issue(t, s, worker, func(ses *session.Session) {
			ses.Type, ses.OwnerARN, ses.OwnerID, ses.OwnerName, ses.Name, ses.MFA = policy.User, ann.ARN, ann.ID, "Ann", "", true
		})
		federated := issue(t, s, worker, func(ses *session.Session) {
			ses.Type, ses.OwnerARN, ses.OwnerID, ses.OwnerName, ses.Name = policy.FederatedUser, ann.ARN, ann.ID, "Ann", "bob"
		})
		root := issue(t, s, worker, func(ses *session.Session) {
			ses.Type, ses.OwnerARN, ses.OwnerID, ses.OwnerName, ses.Name = policy.RootUser, s.root.ARN, s.Account, "", ""
		})
		const acct = "arn:aws:iam::123456789012:"
		for _, tc := range []struct {
			name, id, secret, token string
			want, arn               string
		}{
			{"a user", id, secret, "", "", acct + "user/Ann"},
			{"a wrong secret", id, secret + "x", "", "mismatch", ""},
			{"an unknown key", "AKIAAAAAAAAAAAAAAAAA", secret, "", "unknown", ""},
			{"an inactive key", idle, idleSecret, "", "unknown", ""},
			{"an inactive key, wrong secret", idle, "x", "", "unknown", ""},
			{"a token with a long-lived key", id, secret, live.Token, "unknown", ""},
			{"a session", live.AccessKey, live.Secret.Reveal(), live.Token, "", "arn:aws:sts::123456789012:assumed-role/Worker/it"},
			{"a session, wrong secret", live.AccessKey, "x", live.Token, "mismatch", ""},
			{"a session without its token", live.AccessKey, live.Secret.Reveal(), "", "unknown", ""},
			{"another's token", live.AccessKey, live.Secret.Reveal(), dead.Token, "unknown", ""},
			{"a changed token", live.AccessKey, live.Secret.Reveal(), live.Token[:20] + "A" + live.Token[21:] + "A", "unknown", ""},
			{"an expired token", over.AccessKey, over.Secret.Reveal(), over.Token, "expired", ""},
			{"an expired token, wrong secret", over.AccessKey, "x", over.Token, "expired", ""},
			{"a deleted role", dead.AccessKey, dead.Secret.Reveal(), dead.Token, "unknown", ""},
			{"a role that was made anew", stale.AccessKey, stale.Secret.Reveal(), stale.Token, "unknown", ""},
			{"another role's id", other.AccessKey, other.Secret.Reveal(), other.Token, "unknown", ""},
			{"another account", abroad.AccessKey, abroad.Secret.Reveal(), abroad.Token, "unknown", ""},
			{"a user's session", annSession.AccessKey, annSession.Secret.Reveal(), annSession.Token, "", acct + "user/Ann"},
			{"a federated user", federated.AccessKey, federated.Secret.Reveal(), federated.Token, "", "arn:aws:sts::123456789012:federated-user/bob"},
			{"the root's session", root.AccessKey, root.Secret.Reveal(), root.Token, "", acct + "root"},
		} {
			r := signedBy(t, tc.id, tc.secret, tc.token, "logs")
			who, err := s.Authenticate(ctx, r, bodyHash, "logs")
			if problem(err) != tc.want || who.Principal != tc.arn {
				t.Errorf("%s: %s, %q; want %q, %q", tc.name, who.Principal, problem(err), tc.arn, tc.want)
				continue
			}
			if c, _ := who.Caller.(*Caller); tc.want == "" && (c == nil || c.ARN != tc.arn || c.AccessKey != tc.id || c.LongLived != (tc.token == "")) {
				t.Errorf("%s: caller %+v", tc.name, c)
			}
			api, err := s.AuthenticateAPI(ctx, signedBy(t, tc.id, tc.secret, tc.token, "execute-api"), bodyHash, "execute-api")
			if problem(err) != tc.want || err == nil && api.ARN != tc.arn {
				t.Errorf("%s: at an API %q", tc.name, problem(err))
			}
		}
		for name, cred := range map[string]session.Credentials{"a federated user": federated, "the root's session without MFA": root} {
			if _, err := s.Authenticate(ctx, signedBy(t, cred.AccessKey, cred.Secret.Reveal(), cred.Token, "iam"), bodyHash, "iam"); problem(err) != "unknown" {
				t.Errorf("%s calls IAM: %v", name, err)
			}
		}
		if _, err := s.Authenticate(ctx, signedBy(t, annSession.AccessKey, annSession.Secret.Reveal(), annSession.Token, "iam"), bodyHash, "iam"); err != nil {
			t.Errorf("a user's session with MFA calls IAM: %v", err)
		}
		if _, err := s.AuthenticateAPI(ctx, signedBy(t, id, secret, "", "iam"), bodyHash, "execute-api"); problem(err) != "scope" {
			t.Errorf("signed for another service: %v", err)
		}
		if _, err := s.Authenticate(ctx, signedBy(t, live.AccessKey, live.Secret.Reveal(), "nonsense", "s3"), bodyHash, "s3"); problem(err) != "InvalidToken" {
			t.Errorf("a token that is none, to S3: %v", err)
		}

		// What a user is renamed to signs with the same key, and is no longer what its sessions were for.
		ok[*iam.UpdateUserResponse](t)(s.UpdateUser(ctx, &iam.UpdateUserRequest{UserName: "ann", NewUserName: shape.Ptr("Eve"), NewPath: shape.Ptr("/x/")}))
		who, err := s.Authenticate(ctx, signedBy(t, id, secret, "", "iam"), bodyHash, "iam")
		if err != nil || who.Principal != acct+"user/x/Eve" {
			t.Errorf("renamed: %s, %v", who.Principal, err)
		}
		ok[*iam.DeleteAccessKeyResponse](t)(s.DeleteAccessKey(ctx, &iam.DeleteAccessKeyRequest{AccessKeyId: id, UserName: shape.Ptr("Eve")}))
		if _, err := s.Authenticate(ctx, signedBy(t, id, secret, "", "iam"), bodyHash, "iam"); problem(err) != "unknown" {
			t.Errorf("a deleted key: %v", err)
		}
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestOpen: an open server takes what it did not make for the root's, and holds what it did make to it.
func TestOpen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, true)
		id, secret := makeUser(t, s, ctx, "Ann")
		role := makeRole(t, s, ctx, "Worker")
		live := issue(t, s, role, nil)
		over := issue(t, s, role, func(ses *session.Session) { ses.Issued -= 7200; ses.Expires = ses.Issued + 900 })
		unsigned, _ := http.NewRequest("POST", "http://127.0.0.1:4566/", strings.NewReader("body"))
		const root = "arn:aws:iam::123456789012:root"
		for _, tc := range []struct {
			name      string
			r         *http.Request
			want, arn string
		}{
			{"any key", signedBy(t, "test", "test", "", "iam"), "", root},
			{"any key of AWS's form", signedBy(t, "AKIAAAAAAAAAAAAAAAAA", "x", "", "iam"), "", root},
			{"any token", signedBy(t, "ASIAAAAAAAAAAAAAAAAA", "x", "token", "iam"), "", root},
			{"none", unsigned, "", root},
			{"a user's", signedBy(t, id, secret, "", "iam"), "", "arn:aws:iam::123456789012:user/Ann"},
			{"a user's, wrong", signedBy(t, id, "x", "", "iam"), "mismatch", ""},
			{"a session's", signedBy(t, live.AccessKey, live.Secret.Reveal(), live.Token, "iam"), "", "arn:aws:sts::123456789012:assumed-role/Worker/it"},
			{"a session's, wrong", signedBy(t, live.AccessKey, "x", live.Token, "iam"), "mismatch", ""},
			{"a session's, over", signedBy(t, over.AccessKey, over.Secret.Reveal(), over.Token, "iam"), "expired", ""},
		} {
			who, err := s.Authenticate(ctx, tc.r, bodyHash, "iam")
			if problem(err) != tc.want || who.Principal != tc.arn {
				t.Errorf("%s: %q, %q", tc.name, who.Principal, problem(err))
			}
			if _, err := s.AuthenticateAPI(ctx, tc.r, bodyHash, "iam"); (tc.arn == root) != (problem(err) == "unknown" || problem(err) == "unsigned") {
				t.Errorf("%s: at an API %v", tc.name, err)
			}
		}
	})
}

func TestLastUsed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		id, secret := makeUser(t, s, ctx, "Ann")
		role := makeRole(t, s, ctx, "Worker")
		never := ok[*iam.GetAccessKeyLastUsedResponse](t)(s.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedRequest{AccessKeyId: id}))
		if u := never.AccessKeyLastUsed; u.ServiceName != "N/A" || u.LastUsedDate != nil {
			t.Errorf("never used: %+v", u)
		}
		live := issue(t, s, role, nil)
		for range 3 {
			ok[wire.Identity](t)(s.Authenticate(ctx, signedBy(t, id, secret, "", "iam"), bodyHash, "iam"))
			ok[wire.Identity](t)(s.Authenticate(ctx, signedBy(t, live.AccessKey, live.Secret.Reveal(), live.Token, "iam"), bodyHash, "iam"))
		}
		s.Close(ctx)
		other, _ := newTest(t, db, false) // another node, or this one started again
		for _, s := range []*Service{s, other} {
			got := ok[*iam.GetAccessKeyLastUsedResponse](t)(s.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedRequest{AccessKeyId: id}))
			if u := got.AccessKeyLastUsed; u.ServiceName != "iam" || u.Region != "eu-west-1" || u.LastUsedDate == nil || *got.UserName != "Ann" {
				t.Errorf("%+v", u)
			}
			r := ok[*iam.GetRoleResponse](t)(s.GetRole(ctx, &iam.GetRoleRequest{RoleName: "Worker"}))
			if r.Role.RoleLastUsed.LastUsedDate == nil {
				t.Error("the role was not used")
			}
		}
	})
}

func TestAssumeAsService(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		role := makeRole(t, s, ctx, "Worker")
		c, err := s.AssumeAsService(ctx, role.ARN, "lambda.amazonaws.com", "fn")
		if err != nil || c.ARN != "arn:aws:sts::123456789012:assumed-role/Worker/fn" || c.ID != role.ID {
			t.Fatalf("%+v, %v", c, err)
		}
		var no ErrNotAssumable
		for arn, service := range map[string]string{role.ARN: "apigateway.amazonaws.com", "arn:aws:iam::123456789012:role/None": "lambda.amazonaws.com",
			"arn:aws:iam::123456789012:role/x/Worker": "lambda.amazonaws.com", "arn:aws:iam::210987654321:role/Worker": "lambda.amazonaws.com", "Worker": "lambda.amazonaws.com"} {
			if _, err := s.AssumeAsService(ctx, arn, service, "fn"); !errors.As(err, &no) {
				t.Errorf("%s of %s: %v", service, arn, err)
			}
		}
		doc := strings.Replace(lambdaTrust, `"Action"`, `"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:lambda:*:*:function:mine"},"StringEquals":{"aws:SourceAccount":"123456789012"}},"Action"`, 1)
		ok[*iam.UpdateAssumeRolePolicyResponse](t)(s.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyRequest{RoleName: "Worker", PolicyDocument: doc}))
		if _, err := s.AssumeAsServiceFor(ctx, role.ARN, "lambda.amazonaws.com", "fn", "arn:aws:lambda:eu-west-1:123456789012:function:mine"); err != nil {
			t.Error(err)
		}
		if _, err := s.AssumeAsServiceFor(ctx, role.ARN, "lambda.amazonaws.com", "fn", "arn:aws:lambda:eu-west-1:123456789012:function:other"); !errors.As(err, &no) {
			t.Errorf("another function: %v", err)
		}
	})
}

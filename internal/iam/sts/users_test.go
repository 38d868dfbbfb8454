package sts_test

import (
	"testing"
	"time"

	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	stsapi "github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

func TestSessionsOfUsers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		alice := w.user("alice", `{"Effect":"Allow","Action":["s3:*","sts:GetFederationToken"],"Resource":"*"}`)
		out, err := w.sts.GetSessionToken(w.as(alice), &stsapi.GetSessionTokenRequest{})
		w.ok(err)
		if !out.Credentials.Expiration.Equal(w.now.Add(12 * time.Hour)) {
			t.Errorf("expires %v", out.Credentials.Expiration)
		}
		again := w.become(out.Credentials)
		id, err := w.sts.GetCallerIdentity(w.as(again), nil)
		w.ok(err)
		if *id.Arn != alice.ARN || *id.UserId != alice.ID || !w.may(again, "s3:GetObject", "arn:aws:s3:::a/b") {
			t.Errorf("%s %s", *id.Arn, *id.UserId)
		}
		for name, f := range map[string]func() error{
			"GetSessionToken": func() error {
				_, err := w.sts.GetSessionToken(w.as(again), &stsapi.GetSessionTokenRequest{})
				return err
			},
			"GetFederationToken": func() error {
				_, err := w.sts.GetFederationToken(w.as(again), &stsapi.GetFederationTokenRequest{Name: "bob"})
				return err
			},
		} {
			w.is(name+" in a session", f(), "403 AccessDenied: Cannot call "+name+" with session credentials")
		}

		fed := func(in stsapi.GetFederationTokenRequest, c *iam.Caller) (*stsapi.GetFederationTokenResponse, *iam.Caller) {
			t.Helper()
			in.Name = "bob"
			out, err := w.sts.GetFederationToken(w.as(c), &in)
			w.ok(err)
			return out, w.become(out.Credentials)
		}
		ft, bob := fed(stsapi.GetFederationTokenRequest{}, alice)
		if ft.FederatedUser.Arn != "arn:aws:sts::"+account+":federated-user/bob" || ft.FederatedUser.FederatedUserId != account+":bob" || bob.ARN != ft.FederatedUser.Arn {
			t.Errorf("%+v", ft.FederatedUser)
		}
		if w.may(bob, "s3:GetObject", "arn:aws:s3:::a/b") {
			t.Error("without policies of its own, a federated user may do something")
		}
		_, bob = fed(stsapi.GetFederationTokenRequest{Policy: shape.Ptr(document(`{"Effect":"Allow","Action":["s3:GetObject","sqs:*"],"Resource":"*"}`)), DurationSeconds: shape.Ptr[int64](129600)}, alice)
		if !w.may(bob, "s3:GetObject", "arn:aws:s3:::a/b") || w.may(bob, "s3:PutObject", "arn:aws:s3:::a/b") || w.may(bob, "sqs:SendMessage", "*") {
			t.Error("a federated user may not do what both its user and its policies let")
		}
		_, err = w.sts.GetFederationToken(w.as(alice), &stsapi.GetFederationTokenRequest{Name: "bob", Tags: []stsapi.Tag{{Key: "a", Value: "b"}}})
		w.is("tags without TagSession", err, "403 AccessDenied: User: "+alice.ARN+" is not authorized to perform: sts:TagSession on resource: arn:aws:sts::"+account+":federated-user/bob")
		arn := w.role("r", allow(aws(arnOf("root")), `"sts:AssumeRole"`, ""))
		_, err = w.sts.AssumeRole(w.as(bob), &stsapi.AssumeRoleRequest{RoleArn: arn, RoleSessionName: "s1"})
		w.is("a federated user assumes a role", err, "403 AccessDenied: User: "+bob.ARN+" is not authorized to perform: sts:AssumeRole on resource: "+arn)

		// IAM takes neither kind, as long as no code of an MFA device came along.
		for name, c := range map[string]*stsapi.Credentials{"GetSessionToken": out.Credentials, "GetFederationToken": ft.Credentials} {
			if _, err := w.signedFor("iam", c.AccessKeyId, c.SecretAccessKey, c.SessionToken); !isAuth(err, wire.UnknownAccessKey) {
				t.Errorf("%s's, at IAM: %v", name, err)
			}
		}

		// The root's last an hour at most.
		rt, err := w.sts.GetSessionToken(w.ctx, &stsapi.GetSessionTokenRequest{DurationSeconds: shape.Ptr[int64](43200)})
		w.ok(err)
		if !rt.Credentials.Expiration.Equal(w.now.Add(time.Hour)) {
			t.Errorf("the root's expires %v", rt.Credentials.Expiration)
		}
		root := w.become(rt.Credentials)
		id, err = w.sts.GetCallerIdentity(w.as(root), nil)
		w.ok(err)
		if *id.Arn != arnOf("root") || *id.UserId != account || !w.may(root, "s3:GetObject", "*") {
			t.Errorf("%s %s", *id.Arn, *id.UserId)
		}
		_, carol := fed(stsapi.GetFederationTokenRequest{Policy: shape.Ptr(document(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`)), Tags: []stsapi.Tag{{Key: "a", Value: "b"}}}, w.iam.Root())
		if !w.may(carol, "s3:GetObject", "*") || w.may(carol, "s3:PutObject", "*") {
			t.Error("a federated user of the root's may not do what its policies let")
		}

		// A user that is gone takes its sessions with it.
		w.ok(w.deleteUser("alice"))
		if _, err := w.signedBy(out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken); !isAuth(err, wire.UnknownAccessKey) {
			t.Errorf("the user is gone: %v", err)
		}
		if _, err := w.signedBy(ft.Credentials.AccessKeyId, ft.Credentials.SecretAccessKey, ft.Credentials.SessionToken); !isAuth(err, wire.UnknownAccessKey) {
			t.Errorf("its federated user: %v", err)
		}
	})
}

func (w *world) deleteUser(name string) error {
	keys, err := w.iam.ListAccessKeys(w.ctx, &iamapi.ListAccessKeysRequest{UserName: &name})
	if err != nil {
		return err
	}
	for _, k := range keys.AccessKeyMetadata {
		if _, err := w.iam.DeleteAccessKey(w.ctx, &iamapi.DeleteAccessKeyRequest{UserName: &name, AccessKeyId: *k.AccessKeyId}); err != nil {
			return err
		}
	}
	if _, err := w.iam.DeleteUserPolicy(w.ctx, &iamapi.DeleteUserPolicyRequest{UserName: name, PolicyName: "p"}); err != nil {
		return err
	}
	_, err = w.iam.DeleteUser(w.ctx, &iamapi.DeleteUserRequest{UserName: name})
	return err
}

// A managed policy that limits a session and is deleted: the session may nothing, rather than everything.
func TestSessionPolicyGone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		alice := w.user("alice")
		arn := w.role("r", allow(aws(alice.ARN), `"sts:AssumeRole"`, ""))
		_, err := w.iam.PutRolePolicy(w.ctx, &iamapi.PutRolePolicyRequest{RoleName: "r", PolicyName: "p", PolicyDocument: document(anyAction)})
		w.ok(err)
		p, err := w.iam.CreatePolicy(w.ctx, &iamapi.CreatePolicyRequest{PolicyName: "limit", PolicyDocument: document(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)})
		w.ok(err)
		out, err := w.sts.AssumeRole(w.as(alice), &stsapi.AssumeRoleRequest{RoleArn: arn, RoleSessionName: "s1", PolicyArns: []stsapi.PolicyDescriptorType{{Arn: p.Policy.Arn}}})
		w.ok(err)
		who := w.become(out.Credentials)
		if !w.may(who, "s3:GetObject", "*") || w.may(who, "sqs:SendMessage", "*") {
			t.Error("the policy does not limit")
		}
		_, err = w.iam.DeletePolicy(w.ctx, &iamapi.DeletePolicyRequest{PolicyArn: *p.Policy.Arn})
		w.ok(err)
		if w.may(who, "s3:GetObject", "*") || w.may(who, "sqs:SendMessage", "*") {
			t.Error("without the policy the session may do something")
		}
	})
}

// BenchmarkAssumeWithWebIdentity is what GetCredentialsForIdentity asks of STS, with few roles and with many.
func BenchmarkAssumeWithWebIdentity(b *testing.B) {
	w := newWorld(b, storetest.Open(b, "memory:"))
	arn := w.role("auth", cognitoTrust(pool, "authenticated"))
	ctx := w.as(nil)
	req := &session.RoleRequest{RoleARN: arn, SessionName: "CognitoIdentityCredentials", WebIdentity: &session.WebIdentity{Provider: cognito, Subject: person, Audience: []string{pool},
		Context: map[string][]string{cognito + ":aud": {pool}, cognito + ":sub": {person}, cognito + ":amr": {"authenticated", "graph.example.com"}}}}
	run := func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := w.sts.AssumeWithWebIdentity(ctx, req); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("1 role", run)
	for i := range 999 {
		w.role("r"+string(rune('a'+i%26))+string(rune('a'+i/26)), cognitoTrust(pool, "authenticated"))
	}
	b.Run("1000 roles", run)
}

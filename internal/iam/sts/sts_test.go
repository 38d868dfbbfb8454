package sts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	stsapi "github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/iam/sts"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/token"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const account = "123456789012"

// world is an account with IAM and STS, and a clock.
type world struct {
	t   testing.TB
	iam *iam.Service
	sts *sts.Service
	now time.Time
	ctx context.Context // the root's

	issuers map[string]*issuer
}

func newWorld(t testing.TB, db *store.DB) *world {
	t.Helper()
	w := &world{t: t, now: time.Now().Truncate(time.Second), issuers: map[string]*issuer{}}
	clock := func() time.Time { return w.now }
	box, err := seal.FromBytes([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	w.iam = iam.New(iam.Options{DB: db, Seal: box, Account: account, Region: "us-east-1", Now: clock})
	t.Cleanup(func() { w.iam.Close(context.Background()) })
	v := token.NewVerifier(token.Options{Local: w.keys, Now: clock})
	w.sts = sts.New(sts.Options{IAM: w.iam, Verifier: v, Now: clock})
	w.ctx = w.as(w.iam.Root())
	return w
}

// as returns a context of a call by c, who may be nil.
func (w *world) as(c *iam.Caller) context.Context {
	call := &wire.Call{Account: account, Region: "us-east-1", Partition: "aws", SourceIP: "127.0.0.1", Time: w.now, Secure: true}
	if c != nil {
		call.Caller, call.Principal, call.AccessKey = c, c.ARN, c.AccessKey
	}
	return wire.WithCall(w.t.Context(), call)
}

// signedBy returns who signs with the key.
func (w *world) signedBy(key, secret, sessionToken string) (*iam.Caller, error) {
	return w.signedFor("sts", key, secret, sessionToken)
}

func (w *world) signedFor(service, key, secret, sessionToken string) (*iam.Caller, error) {
	r, err := http.NewRequestWithContext(w.t.Context(), "POST", "http://127.0.0.1:4566/", strings.NewReader(""))
	if err != nil {
		w.t.Fatal(err)
	}
	hash := sigv4.PayloadHash(nil)
	sigv4.Sign(r, hash, key, secret, sessionToken, service, "us-east-1", w.now)
	id, err := w.iam.Authenticate(w.t.Context(), r, func() (string, error) { return hash, nil }, service)
	if err != nil {
		return nil, err
	}
	return id.Caller.(*iam.Caller), nil
}

// become returns the caller with the credentials, which must be good.
func (w *world) become(c *stsapi.Credentials) *iam.Caller {
	w.t.Helper()
	who, err := w.signedBy(c.AccessKeyId, c.SecretAccessKey, c.SessionToken)
	if err != nil {
		w.t.Fatal(err)
	}
	return who
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// user makes a user with a key and the statements, if any, and returns it as a caller.
func (w *world) user(name string, statements ...string) *iam.Caller {
	w.t.Helper()
	_, err := w.iam.CreateUser(w.ctx, &iamapi.CreateUserRequest{UserName: name})
	w.ok(err)
	if len(statements) > 0 {
		_, err = w.iam.PutUserPolicy(w.ctx, &iamapi.PutUserPolicyRequest{UserName: name, PolicyName: "p", PolicyDocument: document(statements...)})
		w.ok(err)
	}
	k, err := w.iam.CreateAccessKey(w.ctx, &iamapi.CreateAccessKeyRequest{UserName: &name})
	w.ok(err)
	who, err := w.signedBy(k.AccessKey.AccessKeyId, k.AccessKey.SecretAccessKey, "")
	w.ok(err)
	return who
}

// role makes a role that trusts by the statements, and returns its ARN.
func (w *world) role(name string, trust ...string) string {
	w.t.Helper()
	out, err := w.iam.CreateRole(w.ctx, &iamapi.CreateRoleRequest{RoleName: name, AssumeRolePolicyDocument: document(trust...), MaxSessionDuration: shape.Ptr[int64](7200)})
	w.ok(err)
	return out.Role.Arn
}

// trust changes whom a role trusts.
func (w *world) trust(name string, statements ...string) {
	w.t.Helper()
	_, err := w.iam.UpdateAssumeRolePolicy(w.ctx, &iamapi.UpdateAssumeRolePolicyRequest{RoleName: name, PolicyDocument: document(statements...)})
	w.ok(err)
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// allow is a statement for a principal, with conditions.
func allow(principal, actions, conditions string) string {
	s := `{"Effect":"Allow","Principal":` + principal + `,"Action":` + actions
	if conditions != "" {
		s += `,"Condition":` + conditions
	}
	return s + "}"
}

// says is an error as "Code: message"; "" for none.
func says(err error) string {
	if err == nil {
		return ""
	}
	if e := (*shape.Error)(nil); errors.As(err, &e) {
		return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message)
	}
	return fmt.Sprintf("%T: %v", err, err)
}

func (w *world) is(what string, err error, want string) {
	w.t.Helper()
	if got := says(err); got != want {
		w.t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

// may tells whether c may do an action on a resource.
func (w *world) may(c *iam.Caller, action, resource string) bool {
	w.t.Helper()
	d, err := w.iam.Decide(w.t.Context(), c, &policy.Request{Action: action, Resource: resource, Context: iam.RequestContext(wire.CallFrom(w.as(c)))}, nil)
	w.ok(err)
	return d.Allowed
}

const (
	anyAction = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	assumeAny = `{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Resource":"*"}`
)

func arnOf(resource string) string { return "arn:aws:iam::" + account + ":" + resource }

func quoted(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func aws(arn string) string { return `{"AWS":` + quoted(arn) + `}` }

func TestAssumeRole(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		alice := w.user("alice")
		arn := w.role("reader", allow(aws(alice.ARN), `"sts:AssumeRole"`, ""))
		_, err := w.iam.PutRolePolicy(w.ctx, &iamapi.PutRolePolicyRequest{RoleName: "reader", PolicyName: "p", PolicyDocument: document(`{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}`)})
		w.ok(err)
		out, err := w.sts.AssumeRole(w.as(alice), &stsapi.AssumeRoleRequest{RoleArn: arn, RoleSessionName: "s1"})
		w.ok(err)
		role, err := w.iam.GetRole(w.ctx, &iamapi.GetRoleRequest{RoleName: "reader"})
		w.ok(err)
		if u := out.AssumedRoleUser; u.Arn != "arn:aws:sts::"+account+":assumed-role/reader/s1" || u.AssumedRoleId != role.Role.RoleId+":s1" {
			t.Errorf("%+v", u)
		}
		if !out.Credentials.Expiration.Equal(w.now.Add(time.Hour)) || out.PackedPolicySize != nil || !strings.HasPrefix(out.Credentials.AccessKeyId, "ASIA") {
			t.Errorf("%+v", out)
		}
		s1 := w.become(out.Credentials)
		id, err := w.sts.GetCallerIdentity(w.as(s1), nil)
		w.ok(err)
		if *id.Arn != out.AssumedRoleUser.Arn || *id.UserId != out.AssumedRoleUser.AssumedRoleId || *id.Account != account {
			t.Errorf("%v", id)
		}
		if !w.may(s1, "s3:GetObject", "arn:aws:s3:::b/k") || w.may(s1, "s3:PutObject", "arn:aws:s3:::b/k") {
			t.Error("the session may not do what the role may")
		}

		// With policies of its own.
		out, err = w.sts.AssumeRole(w.as(alice), &stsapi.AssumeRoleRequest{RoleArn: arn, RoleSessionName: "s2", Policy: shape.Ptr(document(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::a/*"}`)),
			PolicyArns: []stsapi.PolicyDescriptorType{{Arn: shape.Ptr("arn:aws:iam::aws:policy/AmazonCognitoPowerUser")}}, DurationSeconds: shape.Ptr[int64](900)})
		w.ok(err)
		if p := out.PackedPolicySize; p == nil || *p < 1 || *p > 50 {
			t.Errorf("packed: %v", p)
		}
		s2 := w.become(out.Credentials)
		if !w.may(s2, "s3:GetObject", "arn:aws:s3:::a/k") || w.may(s2, "s3:GetObject", "arn:aws:s3:::b/k") || w.may(s2, "s3:PutObject", "arn:aws:s3:::a/k") {
			t.Error("session policies do not limit")
		}

		// Revoked as on AWS, and over when over.
		w.now = w.now.Add(time.Minute)
		_, err = w.iam.PutRolePolicy(w.ctx, &iamapi.PutRolePolicyRequest{RoleName: "reader", PolicyName: "AWSRevokeOlderSessions",
			PolicyDocument: document(`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"` + w.now.UTC().Format(time.RFC3339) + `"}}}`)})
		w.ok(err)
		if w.may(s1, "s3:GetObject", "arn:aws:s3:::b/k") {
			t.Error("a session that was revoked may still")
		}
		w.now = w.now.Add(15 * time.Minute)
		c := out.Credentials
		if _, err = w.signedBy(c.AccessKeyId, c.SecretAccessKey, c.SessionToken); !isAuth(err, wire.SessionTokenExpired) {
			t.Errorf("expired: %v", err)
		}
		if _, err = w.signedBy(c.AccessKeyId, c.SecretAccessKey, c.SessionToken[1:]); !isAuth(err, wire.UnknownAccessKey) {
			t.Errorf("a changed token: %v", err)
		}
	})
}

func isAuth(err error, problem wire.AuthProblem) bool {
	var e *wire.AuthError
	return errors.As(err, &e) && e.Problem == problem
}

// A role that was deleted after credentials were given, and one that was made anew under its name.
func TestRoleGone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		alice := w.user("alice")
		trust := allow(aws(alice.ARN), `"sts:AssumeRole"`, "")
		arn := w.role("r", trust)
		out, err := w.sts.AssumeRole(w.as(alice), &stsapi.AssumeRoleRequest{RoleArn: arn, RoleSessionName: "s1"})
		w.ok(err)
		w.become(out.Credentials)
		for range 2 {
			_, err = w.iam.DeleteRole(w.ctx, &iamapi.DeleteRoleRequest{RoleName: "r"})
			w.ok(err)
			if _, err := w.signedBy(out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken); !isAuth(err, wire.UnknownAccessKey) {
				t.Errorf("without the role: %v", err)
			}
			w.role("r", trust)
			if _, err := w.signedBy(out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken); !isAuth(err, wire.UnknownAccessKey) {
				t.Errorf("with another role of that name: %v", err)
			}
		}
	})
}

// Who may assume a role, by its trust policy and their own.
func TestTrust(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		plain := w.user("plain")
		able := w.user("able", assumeAny)
		denied := w.user("denied", `{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}`)
		_, err := w.iam.TagUser(w.ctx, &iamapi.TagUserRequest{UserName: "able", Tags: []iamapi.Tag{{Key: "team", Value: "blue"}}})
		w.ok(err)
		able = w.again(able)
		arn := w.role("r", allow(aws(plain.ARN), `"sts:AssumeRole"`, ""))
		root := aws(arnOf("root"))
		tests := []struct {
			name  string
			trust string
			who   *iam.Caller
			in    stsapi.AssumeRoleRequest
			want  string // the action that is refused; "": let in
		}{
			{"named, without a policy of its own", allow(aws(plain.ARN), `"sts:AssumeRole"`, ""), plain, stsapi.AssumeRoleRequest{}, ""},
			{"another is named", allow(aws(plain.ARN), `"sts:AssumeRole"`, ""), able, stsapi.AssumeRoleRequest{}, "sts:AssumeRole"},
			{"the account is named, without a policy of its own", allow(root, `"sts:AssumeRole"`, ""), plain, stsapi.AssumeRoleRequest{}, "sts:AssumeRole"},
			{"the account is named", allow(root, `"sts:AssumeRole"`, ""), able, stsapi.AssumeRoleRequest{}, ""},
			{"named, with a Deny of its own", allow(aws(denied.ARN), `"sts:AssumeRole"`, ""), denied, stsapi.AssumeRoleRequest{}, "sts:AssumeRole with an explicit deny in an identity-based policy"},
			{"denied by the role", allow(aws(plain.ARN), `"sts:AssumeRole"`, "") + "," + strings.Replace(allow(aws(plain.ARN), `"sts:*"`, ""), "Allow", "Deny", 1), plain, stsapi.AssumeRoleRequest{},
				"sts:AssumeRole with an explicit deny in the role trust policy"},
			{"for another action", allow(aws(plain.ARN), `"sts:AssumeRoleWithSAML"`, ""), plain, stsapi.AssumeRoleRequest{}, "sts:AssumeRole"},
			{"trusts a service only", allow(`{"Service":"lambda.amazonaws.com"}`, `"sts:AssumeRole"`, ""), able, stsapi.AssumeRoleRequest{}, "sts:AssumeRole"},
			{"trusts a provider only", allow(`{"Federated":"cognito-identity.amazonaws.com"}`, `"sts:*"`, ""), able, stsapi.AssumeRoleRequest{}, "sts:AssumeRole"},

			{"external id", allow(root, `"sts:AssumeRole"`, `{"StringEquals":{"sts:ExternalId":"x-1"}}`), able, stsapi.AssumeRoleRequest{ExternalId: shape.Ptr("x-1")}, ""},
			{"wrong external id", allow(root, `"sts:AssumeRole"`, `{"StringEquals":{"sts:ExternalId":"x-1"}}`), able, stsapi.AssumeRoleRequest{ExternalId: shape.Ptr("x-2")}, "sts:AssumeRole"},
			{"no external id", allow(root, `"sts:AssumeRole"`, `{"StringEquals":{"sts:ExternalId":"x-1"}}`), able, stsapi.AssumeRoleRequest{}, "sts:AssumeRole"},
			{"session name", allow(root, `"sts:AssumeRole"`, `{"StringLike":{"sts:RoleSessionName":"${aws:username}"}}`), able, stsapi.AssumeRoleRequest{RoleSessionName: "able"}, ""},
			{"wrong session name", allow(root, `"sts:AssumeRole"`, `{"StringLike":{"sts:RoleSessionName":"${aws:username}"}}`), able, stsapi.AssumeRoleRequest{RoleSessionName: "bob"}, "sts:AssumeRole"},
			{"principal tag", allow(root, `"sts:AssumeRole"`, `{"StringEquals":{"aws:PrincipalTag/team":"blue"}}`), able, stsapi.AssumeRoleRequest{}, ""},
			{"wrong principal tag", allow(root, `"sts:AssumeRole"`, `{"StringEquals":{"aws:PrincipalTag/team":"red"}}`), able, stsapi.AssumeRoleRequest{}, "sts:AssumeRole"},
			{"no MFA", allow(root, `"sts:AssumeRole"`, `{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`), able, stsapi.AssumeRoleRequest{}, "sts:AssumeRole"},
			{"from here", allow(root, `"sts:AssumeRole"`, `{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`), able, stsapi.AssumeRoleRequest{}, ""},
			{"from elsewhere", allow(root, `"sts:AssumeRole"`, `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), able, stsapi.AssumeRoleRequest{}, "sts:AssumeRole"},

			{"tags", allow(root, `["sts:AssumeRole","sts:TagSession"]`, ""), able, stsapi.AssumeRoleRequest{Tags: []stsapi.Tag{{Key: "Project", Value: "x"}}}, ""},
			{"tags without TagSession", allow(root, `"sts:AssumeRole"`, ""), able, stsapi.AssumeRoleRequest{Tags: []stsapi.Tag{{Key: "Project", Value: "x"}}}, "sts:TagSession"},
			{"tags with the right value", allow(root, `["sts:AssumeRole","sts:TagSession"]`, `{"StringEquals":{"aws:RequestTag/project":"x"},"ForAllValues:StringEquals":{"aws:TagKeys":["Project"]}}`), able,
				stsapi.AssumeRoleRequest{Tags: []stsapi.Tag{{Key: "Project", Value: "x"}}}, ""},
			{"tags with a wrong value", allow(root, `["sts:AssumeRole","sts:TagSession"]`, `{"StringEquals":{"aws:RequestTag/project":"x"}}`), able,
				stsapi.AssumeRoleRequest{Tags: []stsapi.Tag{{Key: "Project", Value: "y"}}}, "sts:AssumeRole"},
			{"transitive keys", allow(root, `["sts:AssumeRole","sts:TagSession"]`, `{"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["a"]}}`), able,
				stsapi.AssumeRoleRequest{Tags: []stsapi.Tag{{Key: "a", Value: "1"}}, TransitiveTagKeys: []string{"A"}}, ""},
			{"wrong transitive keys", allow(root, `["sts:AssumeRole","sts:TagSession"]`, `{"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["b"]}}`), able,
				stsapi.AssumeRoleRequest{Tags: []stsapi.Tag{{Key: "a", Value: "1"}}, TransitiveTagKeys: []string{"a"}}, "sts:AssumeRole"},
			{"source identity", allow(root, `["sts:AssumeRole","sts:SetSourceIdentity"]`, `{"StringEquals":{"sts:SourceIdentity":"alice"}}`), able, stsapi.AssumeRoleRequest{SourceIdentity: shape.Ptr("alice")}, ""},
			{"wrong source identity", allow(root, `["sts:AssumeRole","sts:SetSourceIdentity"]`, `{"StringEquals":{"sts:SourceIdentity":"alice"}}`), able, stsapi.AssumeRoleRequest{SourceIdentity: shape.Ptr("bob")}, "sts:AssumeRole"},
			{"source identity without SetSourceIdentity", allow(root, `"sts:AssumeRole"`, ""), able, stsapi.AssumeRoleRequest{SourceIdentity: shape.Ptr("alice")}, "sts:SetSourceIdentity"},
		}
		for _, test := range tests {
			w.trust("r", test.trust)
			in := test.in
			in.RoleArn = arn
			if in.RoleSessionName == "" {
				in.RoleSessionName = "session"
			}
			_, err := w.sts.AssumeRole(w.as(test.who), &in)
			want := ""
			if test.want != "" {
				action, because, denied := strings.Cut(test.want, " ")
				want = "403 AccessDenied: User: " + test.who.ARN + " is not authorized to perform: " + action + " on resource: " + arn
				if denied {
					want += " " + because
				}
			}
			w.is(test.name, err, want)
		}
		for _, other := range []string{"nobody", "path/r", "R"} {
			_, err := w.sts.AssumeRole(w.as(able), &stsapi.AssumeRoleRequest{RoleArn: arnOf("role/" + other), RoleSessionName: "s1"})
			w.is("role "+other, err, "403 AccessDenied: User: "+able.ARN+" is not authorized to perform: sts:AssumeRole on resource: "+arnOf("role/"+other))
		}
		_, err = w.sts.AssumeRole(w.ctx, &stsapi.AssumeRoleRequest{RoleArn: arn, RoleSessionName: "s1"})
		w.is("the root", err, "403 AccessDenied: Roles may not be assumed by root accounts.")
	})
}

// again returns the user as its key finds it now.
func (w *world) again(c *iam.Caller) *iam.Caller {
	w.t.Helper()
	k, err := w.iam.CreateAccessKey(w.ctx, &iamapi.CreateAccessKeyRequest{UserName: &c.Name})
	w.ok(err)
	who, err := w.signedBy(k.AccessKey.AccessKeyId, k.AccessKey.SecretAccessKey, "")
	w.ok(err)
	return who
}

func TestAssumeRoleRefuses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		alice := w.user("alice", anyAction)
		arn := w.role("r", allow(aws(arnOf("root")), `["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`, ""))
		random := func(n int) string { // what does not compress
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, "%c", 'A'+(i*i*31+i*7)%26)
			}
			return b.String()
		}
		var many []stsapi.Tag
		for i := range 50 {
			many = append(many, stsapi.Tag{Key: fmt.Sprint("k", i), Value: seal40(i)})
		}
		tests := []struct {
			name string
			in   stsapi.AssumeRoleRequest
			want string
		}{
			{"too long", stsapi.AssumeRoleRequest{DurationSeconds: shape.Ptr[int64](7201)}, "400 ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
			{"no policy", stsapi.AssumeRoleRequest{Policy: shape.Ptr("{}")}, "400 MalformedPolicyDocument: Syntax errors in policy."},
			{"no JSON", stsapi.AssumeRoleRequest{Policy: shape.Ptr("allow")}, "400 MalformedPolicyDocument: Syntax errors in policy."},
			{"a principal", stsapi.AssumeRoleRequest{Policy: shape.Ptr(document(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}`))}, "400 MalformedPolicyDocument: Policy document should not specify a principal."},
			{"long policy", stsapi.AssumeRoleRequest{Policy: shape.Ptr(document(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::` + random(2048) + `"}`))},
				"400 ValidationError: 1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048"},
			{"unknown managed policy", stsapi.AssumeRoleRequest{PolicyArns: []stsapi.PolicyDescriptorType{{Arn: shape.Ptr(arnOf("policy/nothing"))}}}, "404 NoSuchEntity: Policy " + arnOf("policy/nothing") + " does not exist or is not attachable."},
			{"many policies", stsapi.AssumeRoleRequest{PolicyArns: make([]stsapi.PolicyDescriptorType, 11)}, "400 ValidationError: 1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to 10"},
			{"tag twice", stsapi.AssumeRoleRequest{Tags: []stsapi.Tag{{Key: "a"}, {Key: "A"}}}, "400 InvalidParameterValue: Duplicate tag keys found. Please note that Tag keys are case insensitive."},
			{"system tag", stsapi.AssumeRoleRequest{Tags: []stsapi.Tag{{Key: "aws:x"}}}, "400 InvalidParameterValue: Tag keys that begin with aws: are reserved for system use."},
			{"transitive, not a tag", stsapi.AssumeRoleRequest{Tags: []stsapi.Tag{{Key: "a"}}, TransitiveTagKeys: []string{"b"}}, "400 InvalidParameterValue: The specified transitive tag key must be included in the requested tags."},
			{"source identity of AWS", stsapi.AssumeRoleRequest{SourceIdentity: shape.Ptr("aws-x")}, ""},
			{"provided contexts", stsapi.AssumeRoleRequest{ProvidedContexts: make([]stsapi.ProvidedContext, 1)}, "400 ValidationError: ProvidedContexts is not supported by this version of Gatehouse."},
			{"token size", stsapi.AssumeRoleRequest{MinimumSessionTokenSize: shape.Ptr[int64](1)}, "400 ValidationError: MinimumSessionTokenSize is not supported by this version of Gatehouse."},
			{"MFA without code", stsapi.AssumeRoleRequest{SerialNumber: shape.Ptr(arnOf("mfa/x"))}, "403 AccessDenied: MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."},
			{"unknown MFA device", stsapi.AssumeRoleRequest{SerialNumber: shape.Ptr(arnOf("mfa/x")), TokenCode: shape.Ptr("123456")},
				"403 AccessDenied: MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."},
		}
		for _, test := range tests {
			in := test.in
			in.RoleArn, in.RoleSessionName = arn, "session"
			_, err := w.sts.AssumeRole(w.as(alice), &in)
			w.is(test.name, err, test.want)
		}
		_, err := w.sts.AssumeRole(w.as(alice), &stsapi.AssumeRoleRequest{RoleArn: arn, RoleSessionName: "session", Tags: many})
		if got := says(err); !strings.HasPrefix(got, "400 PackedPolicyTooLarge: Packed policy consumes ") || !strings.HasSuffix(got, "% of allotted space, please use smaller policy.") {
			t.Errorf("large tags: %s", got)
		}
	})
}

func seal40(i int) string {
	h := sigv4.PayloadHash([]byte{byte(i)})
	return h + sigv4.PayloadHash([]byte(h))
}

// Sessions that begin sessions: an hour, and what they hand down.
func TestChaining(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		alice := w.user("alice", assumeAny)
		root := aws(arnOf("root"))
		all := `["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`
		first := w.role("first", allow(root, all, ""))
		_, err := w.iam.PutRolePolicy(w.ctx, &iamapi.PutRolePolicyRequest{RoleName: "first", PolicyName: "p", PolicyDocument: document(assumeAny)})
		w.ok(err)
		second := w.role("second", allow(root, all, ""))
		out, err := w.sts.AssumeRole(w.as(alice), &stsapi.AssumeRoleRequest{RoleArn: first, RoleSessionName: "one", SourceIdentity: shape.Ptr("alice"),
			Tags: []stsapi.Tag{{Key: "Star", Value: "1"}, {Key: "Heart", Value: "1"}, {Key: "Moon", Value: "1"}}, TransitiveTagKeys: []string{"star", "Heart"}})
		w.ok(err)
		if shape.Val(out.SourceIdentity) != "alice" {
			t.Errorf("source identity %q", shape.Val(out.SourceIdentity))
		}
		one := w.become(out.Credentials)

		next := func(in stsapi.AssumeRoleRequest) (*iam.Caller, error) {
			in.RoleArn, in.RoleSessionName = second, "two"
			out, err := w.sts.AssumeRole(w.as(one), &in)
			if err != nil {
				return nil, err
			}
			return w.become(out.Credentials), nil
		}
		two, err := next(stsapi.AssumeRoleRequest{Tags: []stsapi.Tag{{Key: "Sun", Value: "2"}}})
		w.ok(err)
		if fmt.Sprint(two.Session.Tags) != "map[Heart:1 Star:1 Sun:2]" || fmt.Sprint(two.Session.Transitive) != "[Heart Star]" || two.Session.SourceIdentity != "alice" {
			t.Errorf("%+v", two.Session)
		}
		_, err = next(stsapi.AssumeRoleRequest{Tags: []stsapi.Tag{{Key: "HEART", Value: "3"}}})
		w.is("a tag that came down", err, "400 InvalidParameterValue: One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		_, err = next(stsapi.AssumeRoleRequest{DurationSeconds: shape.Ptr[int64](3601)})
		w.is("more than an hour", err, "400 ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
		_, err = next(stsapi.AssumeRoleRequest{SourceIdentity: shape.Ptr("bob")})
		w.is("another source identity", err, "403 AccessDenied: User: "+one.ARN+" is not authorized to perform: sts:SetSourceIdentity on resource: "+second)
		_, err = next(stsapi.AssumeRoleRequest{DurationSeconds: shape.Ptr[int64](3600), SourceIdentity: shape.Ptr("alice")})
		w.is("an hour", err, "")
		w.trust("second", allow(aws(first), `["sts:AssumeRole","sts:SetSourceIdentity"]`, ""))
		_, err = next(stsapi.AssumeRoleRequest{})
		w.is("tags come down without TagSession", err, "403 AccessDenied: User: "+one.ARN+" is not authorized to perform: sts:TagSession on resource: "+second)
		w.trust("second", allow(aws(first), `["sts:AssumeRole","sts:TagSession"]`, `{"StringEquals":{"aws:SourceIdentity":"alice"}}`))
		_, err = next(stsapi.AssumeRoleRequest{})
		w.is("a source identity comes down without SetSourceIdentity", err, "403 AccessDenied: User: "+one.ARN+" is not authorized to perform: sts:SetSourceIdentity on resource: "+second)
		w.trust("second", allow(aws(one.ARN), all, `{"StringEquals":{"aws:PrincipalTag/Moon":"1","aws:SourceIdentity":"alice"}}`))
		_, err = next(stsapi.AssumeRoleRequest{})
		w.is("by what the session is", err, "")
	})
}

func TestOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id, err := w.sts.GetCallerIdentity(w.ctx, nil)
		w.ok(err)
		if *id.Arn != arnOf("root") || *id.UserId != account {
			t.Errorf("%+v", id)
		}
		info, err := w.sts.GetAccessKeyInfo(w.ctx, &stsapi.GetAccessKeyInfoRequest{AccessKeyId: "AKIAIOSFODNN7EXAMPLE"})
		if err != nil || *info.Account != account {
			t.Errorf("%v", err)
		}
		_, err = w.sts.GetAccessKeyInfo(w.ctx, &stsapi.GetAccessKeyInfoRequest{AccessKeyId: "XXXXXXXXXXXXXXXX"})
		w.is("no key", err, "400 ValidationError: Invalid Access Key ID: XXXXXXXXXXXXXXXX")
		_, err = w.sts.DecodeAuthorizationMessage(w.ctx, &stsapi.DecodeAuthorizationMessageRequest{EncodedMessage: "x"})
		w.is("message", err, "400 InvalidAuthorizationMessageException: Message is not valid: no service of Gatehouse encodes authorization messages.")
		if _, err := w.sts.AssumeRoot(w.ctx, nil); err == nil || !strings.Contains(err.Error(), "AssumeRoot") {
			t.Errorf("AssumeRoot: %v", err)
		}
	})
}

func TestFunctionCredentials(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		service := func(name string) string { return allow(`{"Service":"`+name+`"}`, `"sts:AssumeRole"`, "") }
		arn := w.role("fn", service("lambda.amazonaws.com"))
		c, err := w.sts.FunctionCredentials(t.Context(), arn, "hello")
		w.ok(err)
		who, err := w.signedBy(c.AccessKey, c.Secret.Reveal(), c.Token)
		w.ok(err)
		if who.ARN != "arn:aws:sts::"+account+":assumed-role/fn/hello" || !c.Expires.Equal(w.now.Add(12*time.Hour)) {
			t.Errorf("%s until %v", who.ARN, c.Expires)
		}
		w.trust("fn", service("edgelambda.amazonaws.com"))
		for name, arn := range map[string]string{"of another service": arn, "that is not there": arnOf("role/none")} {
			_, err := w.sts.FunctionCredentials(t.Context(), arn, "hello")
			var e iam.ErrNotAssumable
			if !errors.As(err, &e) || e.Service != "lambda.amazonaws.com" || !strings.Contains(err.Error(), arn) {
				t.Errorf("a role %s: %v", name, err)
			}
		}
	})
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	logsapi "github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/iam/access"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// TestResourceTags holds that policies find the tags of what the services have, by the ARN that they are
// asked about.
func TestResourceTags(t *testing.T) {
	e := startEphemeral(t)
	ctx := wire.WithCall(t.Context(), &wire.Call{Account: DefaultAccount, Region: DefaultRegion, Partition: "aws", Time: time.Now()})
	tags := map[string]string{"team": "blue"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pool, err := e.pools.CreateUserPool(ctx, &cognitoidp.CreateUserPoolRequest{PoolName: "p", UserPoolTags: tags})
	must(err)
	_, err = e.logs.CreateLogGroup(ctx, &logsapi.CreateLogGroupRequest{LogGroupName: "/g", Tags: tags})
	must(err)
	_, err = e.params.PutParameter(ctx, &ssm.PutParameterRequest{Name: "/a/b", Value: "v", Type: shape.Ptr("String"), Tags: []ssm.Tag{{Key: "team", Value: "blue"}}})
	must(err)
	role, err := e.iam.CreateRole(ctx, &iamapi.CreateRoleRequest{RoleName: "r", Path: shape.Ptr("/app/"), Tags: []iamapi.Tag{{Key: "team", Value: "blue"}},
		AssumeRolePolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`})
	must(err)
	_, err = e.functions.CreateFunction(ctx, &lambda.CreateFunctionRequest{FunctionName: "f", Role: role.Role.Arn, Runtime: shape.Ptr("provided.al2023"), Handler: shape.Ptr("x"),
		Code: &lambda.FunctionCode{ZipFile: archive(t)}, Tags: tags})
	must(err)
	z := e.authorizer()
	for arn, want := range map[string]string{
		*pool.UserPool.Arn: "blue",
		"arn:aws:logs:us-east-1:000000000000:log-group:/g:log-stream:": "blue",
		"arn:aws:ssm:us-east-1:000000000000:parameter/a/b":             "blue",
		role.Role.Arn: "blue",
		"arn:aws:lambda:us-east-1:000000000000:function:f":         "blue",
		"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST": "blue",
		"arn:aws:lambda:us-east-1:000000000000:function:none":      "",
		"arn:aws:s3:::none": "",
		"arn:aws:apigateway:us-east-1::/apis/none/routes": "",
	} {
		if got := z.Tags[strings.Split(arn, ":")[2]].ResourceTags(ctx, arn)["team"]; got != want {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
	}
}

// TestCallersAreKept takes callers to JSON and back, as a restart does, and finds those gone who are gone.
func TestCallersAreKept(t *testing.T) {
	e := startEphemeral(t)
	ctx := wire.WithCall(t.Context(), &wire.Call{Account: DefaultAccount, Region: DefaultRegion, Partition: "aws", Time: time.Now()})
	ann := e.user(t, "ann", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}`)
	x := access.Callers{IAM: e.iam}
	caller := func(k key) *iam.Caller {
		t.Helper()
		r := httptest.NewRequest("GET", "http://localhost/", nil)
		r.RequestURI = ""
		sigv4.Sign(r, sigv4.EmptyPayload, k.id, k.secret, k.token, "logs", "us-east-1", time.Now())
		id, err := e.iam.Authenticate(ctx, r, func() (string, error) { return sigv4.EmptyPayload, nil }, "logs")
		if err != nil {
			t.Fatal(err)
		}
		return id.Caller.(*iam.Caller)
	}
	for _, who := range []*iam.Caller{caller(e.root()), caller(ann)} {
		saved := x.SaveCaller(who)
		if strings.Contains(string(saved), ann.secret) || strings.Contains(string(saved), e.root().secret) {
			t.Errorf("a secret was kept: %s", saved)
		}
		again, err := x.RestoreCaller(ctx, saved)
		if err != nil || again.(*iam.Caller).ARN != who.ARN || again.(*iam.Caller).Type != who.Type || (again.(*iam.Caller).Session == nil) != (who.Session == nil) {
			t.Errorf("%s: %+v, %v", who.ARN, again, err)
			continue
		}
		d, err := e.iam.Decide(ctx, again.(*iam.Caller), &policy.Request{Action: "logs:PutLogEvents", Resource: "*"}, nil)
		if err != nil || !d.Allowed {
			t.Errorf("%s: %+v, %v", who.ARN, d, err)
		}
	}
	saved := x.SaveCaller(caller(ann))
	for _, err := range []error{
		func() error {
			_, err := e.iam.DeleteAccessKey(ctx, &iamapi.DeleteAccessKeyRequest{UserName: shape.Ptr("ann"), AccessKeyId: ann.id})
			return err
		}(),
		func() error {
			_, err := e.iam.DeleteUserPolicy(ctx, &iamapi.DeleteUserPolicyRequest{UserName: "ann", PolicyName: "own"})
			return err
		}(),
		func() error {
			_, err := e.iam.DeleteUser(ctx, &iamapi.DeleteUserRequest{UserName: "ann"})
			return err
		}(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	e.user(t, "ann", "") // another one of that name
	var auth *wire.AuthError
	if who, err := x.RestoreCaller(ctx, saved); !errors.As(err, &auth) {
		t.Errorf("a user who is gone: %+v, %v", who, err)
	}
}

// TestAdminIsTheRoots holds that nobody but the root reads what was sent, whatever policies say.
func TestAdminIsTheRoots(t *testing.T) {
	e := startEphemeral(t)
	all := e.user(t, "all", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
	for _, tt := range []struct {
		key    key
		status int
	}{{e.root(), 200}, {all, 403}} {
		r := httptest.NewRequest("GET", e.URL()+"/_gatehouse/messages", nil)
		uri := r.RequestURI
		r.RequestURI = ""
		sigv4.Sign(r, sigv4.EmptyPayload, tt.key.id, tt.key.secret, "", "gatehouse", "us-east-1", time.Now())
		r.RequestURI = uri
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("%s: %d %s", tt.key.id, w.Code, w.Body)
		}
	}
}

// BenchmarkDecision measures what a signed call costs before its handler: the signature parsed and
// verified, the caller found, the policies asked. It does not depend on how many users and roles there
// are.
func BenchmarkDecision(b *testing.B) {
	for _, n := range []int{10, 4900} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e := startEphemeral(b)
			ctx := wire.WithCall(b.Context(), &wire.Call{Account: DefaultAccount, Region: DefaultRegion, Partition: "aws", Time: time.Now()})
			for i := range n {
				if _, err := e.iam.CreateUser(ctx, &iamapi.CreateUserRequest{UserName: fmt.Sprintf("user%d", i)}); err != nil {
					b.Fatal(err)
				}
				if i > 990 {
					continue // IAM's quotas end here
				}
				if _, err := e.iam.CreateRole(ctx, &iamapi.CreateRoleRequest{RoleName: fmt.Sprintf("role%d", i),
					AssumeRolePolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`}); err != nil {
					b.Fatal(err)
				}
			}
			ann := e.user(b, "ann", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cognito-idp:Admin*","Resource":"arn:aws:cognito-idp:*:*:userpool/us-east-1_*"}]}`)
			z := e.authorizer()
			r := httptest.NewRequest("POST", "http://localhost:4566/", nil)
			r.RequestURI = ""
			r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.AdminGetUser")
			sigv4.Sign(r, sigv4.EmptyPayload, ann.id, ann.secret, "", "cognito-idp", "us-east-1", time.Now())
			r.RequestURI = "/"
			op, in := cognitoidp.Model.Operation("AdminGetUser"), &cognitoidp.AdminGetUserRequest{UserPoolId: "us-east-1_abc", Username: "u"}
			hash := func() (string, error) { return sigv4.EmptyPayload, nil }
			b.ReportAllocs()
			for b.Loop() {
				id, err := e.iam.Authenticate(context.Background(), r, hash, "cognito-idp")
				if err != nil {
					b.Fatal(err)
				}
				c := &wire.Call{Account: id.Account, Region: id.Region, Partition: "aws", Principal: id.Principal, Caller: id.Caller}
				if err := z.Authorize(context.Background(), &cognitoidp.Model, op, in, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

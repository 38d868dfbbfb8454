package iam

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const lambdaTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func newTest(t testing.TB, db *store.DB, open bool) (*Service, context.Context) {
	key, err := seal.FromBytes([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{DB: db, Seal: key, Account: "123456789012", Region: "us-east-1", Open: open})
	return s, wire.WithCall(t.Context(), &wire.Call{Account: "123456789012", Region: "us-east-1", Principal: rootARN("123456789012")})
}

func code(err error) string {
	var e *shape.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

func signed(t *testing.T, id, secret, service string) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://127.0.0.1:4566/", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	sigv4.Sign(r, sigv4.PayloadHash([]byte("body")), id, secret, "", service, "eu-west-1", time.Now())
	return r
}

func bodyHash() (string, error) { return sigv4.PayloadHash([]byte("body")), nil }

func TestAuthenticate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		id, secret, err := s.RootKey(ctx)
		if err != nil {
			t.Fatal(err)
		}
		again, secret2, err := s.RootKey(ctx)
		if err != nil || again != id || !secret2.Equal(secret.Reveal()) {
			t.Fatalf("the root's key changed: %v", err)
		}
		who, err := s.Authenticate(ctx, signed(t, id, secret.Reveal(), "iam"), bodyHash, "iam")
		if err != nil || who.Principal != "arn:aws:iam::123456789012:root" || who.Region != "eu-west-1" {
			t.Errorf("root: %+v, %v", who, err)
		}
		var se *sigv4.Error
		if _, err := s.Authenticate(ctx, signed(t, id, "wrong", "iam"), bodyHash, "iam"); !errors.As(err, &se) || se.Kind != sigv4.Mismatch {
			t.Errorf("wrong secret: %v", err)
		}
		if _, err := s.Authenticate(ctx, signed(t, id, secret.Reveal(), "sts"), bodyHash, "iam"); !errors.As(err, &se) || se.Kind != sigv4.Scope {
			t.Errorf("signed for another service: %v", err)
		}
		if _, err := s.Authenticate(ctx, signed(t, id, secret.Reveal(), "iam"), func() (string, error) { return sigv4.PayloadHash([]byte("other")), nil }, "iam"); !errors.As(err, &se) {
			t.Errorf("another body: %v", err)
		}
		var ae *wire.AuthError
		if _, err := s.Authenticate(ctx, signed(t, "AKIAAAAAAAAAAAAAAAAA", secret.Reveal(), "iam"), bodyHash, "iam"); !errors.As(err, &ae) || ae.Problem != wire.UnknownAccessKey {
			t.Errorf("unknown key: %v", err)
		}

		open, _ := newTest(t, db, true)
		who, err = open.Authenticate(ctx, signed(t, "test", "test", "iam"), bodyHash, "iam")
		if err != nil || who.Principal != "arn:aws:iam::123456789012:root" || who.Region != "eu-west-1" {
			t.Errorf("open: %+v, %v", who, err)
		}
	})
}

func TestRoles(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		out, err := s.CreateRole(ctx, &iam.CreateRoleRequest{RoleName: "Worker", AssumeRolePolicyDocument: lambdaTrust, Path: shape.Ptr("/app/")})
		if err != nil {
			t.Fatal(err)
		}
		if got := out.Role.Arn; got != "arn:aws:iam::123456789012:role/app/Worker" {
			t.Errorf("ARN %s", got)
		}
		if _, err := s.CreateRole(ctx, &iam.CreateRoleRequest{RoleName: "worker", AssumeRolePolicyDocument: lambdaTrust}); code(err) != "EntityAlreadyExists" {
			t.Errorf("a second role: %v", err)
		}
		if _, err := s.AttachRolePolicy(ctx, &iam.AttachRolePolicyRequest{RoleName: "Worker", PolicyArn: "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}); err != nil {
			t.Error(err)
		}
		if _, err := s.AttachRolePolicy(ctx, &iam.AttachRolePolicyRequest{RoleName: "Worker", PolicyArn: "arn:aws:iam::aws:policy/Nothing"}); code(err) != "NoSuchEntity" {
			t.Errorf("an unknown policy: %v", err)
		}
		doc := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`
		if _, err := s.PutRolePolicy(ctx, &iam.PutRolePolicyRequest{RoleName: "Worker", PolicyName: "p", PolicyDocument: doc}); err != nil {
			t.Error(err)
		}
		if _, err := s.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: "Worker"}); code(err) != "DeleteConflict" {
			t.Errorf("deleted with policies: %v", err)
		}
		got, err := s.GetRolePolicy(ctx, &iam.GetRolePolicyRequest{RoleName: "Worker", PolicyName: "p"})
		if err != nil || !strings.HasPrefix(got.PolicyDocument, "%7B%22Version%22") {
			t.Errorf("policy: %+v, %v", got, err)
		}
		list, err := s.ListRoles(ctx, &iam.ListRolesRequest{PathPrefix: shape.Ptr("/app/")})
		if err != nil || len(list.Roles) != 1 {
			t.Errorf("list: %+v, %v", list, err)
		}
	})
}

func TestPolicyForms(t *testing.T) {
	st := func(s string) string { return `{"Version":"2012-10-17","Statement":[` + s + `]}` }
	bad := map[string]func(string) error{
		`not json`: checkPolicy,
		`{"Version":"2012-10-17","Statement":[],"Extra":1}`:                                     checkPolicy,
		`{"Version":"2020-01-01","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`: checkPolicy,
		st(``): checkPolicy,
		st(`{"Effect":"Permit","Action":"*","Resource":"*"}`):                             checkPolicy,
		st(`{"Effect":"Allow","Resource":"*"}`):                                           checkPolicy,
		st(`{"Effect":"Allow","Action":"*","NotAction":"a:b","Resource":"*"}`):            checkPolicy,
		st(`{"Effect":"Allow","Action":"*"}`):                                             checkPolicy,
		st(`{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}`):              checkPolicy,
		st(`{"Effect":"Allow","Action":"sts:AssumeRole"}`):                                checkTrust,
		st(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Resource":"*"}`): checkTrust,
	}
	for doc, check := range bad {
		if err := check(doc); code(err) != "MalformedPolicyDocument" {
			t.Errorf("%s: %v", doc, err)
		}
	}
	if err := checkTrust(lambdaTrust); err != nil {
		t.Error(err)
	}
}

func TestRoleResource(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		h := roleResource{s}
		trust := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}}}}
		policy := func(name string) any {
			return map[string]any{"PolicyName": name, "PolicyDocument": map[string]any{"Version": "2012-10-17",
				"Statement": []any{map[string]any{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}}}
		}
		r := &resource.Request{StackName: "dev-app", LogicalID: "Role", Type: "AWS::IAM::Role", Props: map[string]any{
			"AssumeRolePolicyDocument": trust,
			"ManagedPolicyArns":        []any{"arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"},
			"Policies":                 []any{policy("a"), policy("b")},
		}}
		res, err := h.Create(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(res.PhysicalID, "dev-app-Role-") || res.Attrs["Arn"] != "arn:aws:iam::123456789012:role/"+res.PhysicalID {
			t.Errorf("%+v", res)
		}
		up := &resource.Request{StackName: "dev-app", LogicalID: "Role", Type: "AWS::IAM::Role", PhysicalID: res.PhysicalID, OldProps: r.Props,
			Props: map[string]any{"AssumeRolePolicyDocument": trust, "Policies": []any{policy("b"), policy("c")}}}
		if _, err := h.Update(ctx, up); err != nil {
			t.Fatal(err)
		}
		names, err := s.ListRolePolicies(ctx, &iam.ListRolePoliciesRequest{RoleName: res.PhysicalID})
		if err != nil || strings.Join(names.PolicyNames, " ") != "b c" {
			t.Errorf("inline: %v, %v", names, err)
		}
		attached, err := s.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesRequest{RoleName: res.PhysicalID})
		if err != nil || len(attached.AttachedPolicies) != 0 {
			t.Errorf("attached: %v, %v", attached, err)
		}
		for range 2 {
			if err := h.Delete(ctx, up); err != nil {
				t.Errorf("delete: %v", err)
			}
		}
		bad := &resource.Request{StackName: "dev-app", LogicalID: "Role", Type: "AWS::IAM::Role", Props: map[string]any{
			"AssumeRolePolicyDocument": trust, "ManagedPolicyArns": []any{"arn:aws:iam::aws:policy/Nothing"}}}
		if _, err := h.Create(ctx, bad); code(err) != "NoSuchEntity" {
			t.Errorf("unknown managed policy: %v", err)
		}
		if list, err := s.ListRoles(ctx, &iam.ListRolesRequest{}); err != nil || len(list.Roles) != 0 {
			t.Errorf("left behind: %v, %v", list, err)
		}
	})
}

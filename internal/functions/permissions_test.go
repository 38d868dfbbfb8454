package functions

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

const gateway = "apigateway.amazonaws.com"

// route is the source ARN of a call through an API's route.
func route(api, tail string) string {
	return "arn:aws:execute-api:us-east-1:" + account + ":" + api + "/" + tail
}

func (e *env) permit(t *testing.T, in lambda.AddPermissionRequest) string {
	t.Helper()
	if in.Action == "" {
		in.Action = "lambda:InvokeFunction"
	}
	out, err := e.AddPermission(e.ctx, &in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.Statement
}

func TestPermissions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e, _ := newTest(t, db, t.TempDir())
		made := e.createNode(t, "f")
		if ok, why := e.Permission(t.Context(), arnOf("f"), gateway, route("api", "$default/GET/"), account); ok || !strings.Contains(why, "no resource policy") {
			t.Errorf("without a policy: %v %s", ok, why)
		}
		_, err := e.GetPolicy(e.ctx, &lambda.GetPolicyRequest{FunctionName: "f"})
		fails(t, "GetPolicy", err, "ResourceNotFoundException", "The resource you requested does not exist.")

		got := e.permit(t, lambda.AddPermissionRequest{FunctionName: "f", StatementId: "api", Principal: gateway, SourceArn: shape.Ptr(route("api", "*/*/private"))})
		want := `{"Sid":"api","Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + arnOf("f") +
			`","Condition":{"ArnLike":{"AWS:SourceArn":"` + route("api", "*/*/private") + `"}}}`
		if got != want {
			t.Errorf("statement\n%s, want\n%s", got, want)
		}
		e.permit(t, lambda.AddPermissionRequest{FunctionName: "f", StatementId: "bucket", Principal: "s3.amazonaws.com", SourceAccount: shape.Ptr(account), SourceArn: shape.Ptr("arn:aws:s3:::b")})
		e.permit(t, lambda.AddPermissionRequest{FunctionName: "f", StatementId: "friend", Principal: "999999999999"})
		e.permit(t, lambda.AddPermissionRequest{FunctionName: "f", StatementId: "url", Principal: "*", Action: "lambda:InvokeFunctionUrl", FunctionUrlAuthType: shape.Ptr("NONE")})
		e.permit(t, lambda.AddPermissionRequest{FunctionName: "f", StatementId: "read", Principal: "cognito-idp.amazonaws.com", Action: "lambda:GetFunction"})
		_, err = e.AddPermission(e.ctx, &lambda.AddPermissionRequest{FunctionName: "f", StatementId: "api", Principal: gateway, Action: "lambda:InvokeFunction"})
		fails(t, "a taken Sid", err, "ResourceConflictException", "The statement id (api) provided already exists. Please provide a new statement id, or remove the existing statement.")
		_, err = e.AddPermission(e.ctx, &lambda.AddPermissionRequest{FunctionName: "f", StatementId: "x", Principal: "nobody", Action: "lambda:InvokeFunction"})
		fails(t, "a principal", err, "InvalidParameterValueException", "The provided principal was invalid.")
		_, err = e.AddPermission(e.ctx, &lambda.AddPermissionRequest{FunctionName: "f", StatementId: "x", Principal: gateway, Action: "lambda:InvokeFunction", RevisionId: made.RevisionId})
		fails(t, "an old revision", err, "PreconditionFailedException", "Call the GetPolicy API")
		_, err = e.AddPermission(e.ctx, &lambda.AddPermissionRequest{FunctionName: "none", StatementId: "x", Principal: gateway, Action: "lambda:InvokeFunction"})
		fails(t, "no function", err, "ResourceNotFoundException", "Function not found: "+arnOf("none"))

		var policy struct {
			Version, ID string
			Statement   []struct {
				Sid       string
				Principal any
				Condition map[string]map[string]string
			}
		}
		out, err := e.GetPolicy(e.ctx, &lambda.GetPolicyRequest{FunctionName: "f"})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(*out.Policy), &policy); err != nil || policy.Version != "2012-10-17" || policy.ID != "default" || len(policy.Statement) != 5 ||
			fmt.Sprint(policy.Statement[1].Condition) != "map[ArnLike:map[AWS:SourceArn:arn:aws:s3:::b] StringEquals:map[AWS:SourceAccount:"+account+"]]" ||
			fmt.Sprint(policy.Statement[2].Principal) != "map[AWS:arn:aws:iam::999999999999:root]" || policy.Statement[3].Principal != "*" {
			t.Errorf("policy %s", *out.Policy)
		}

		for _, tt := range []struct {
			what, function, service, source, account string
			want                                     bool
			why                                      string
		}{
			{"the route", arnOf("f"), gateway, route("api", "$default/GET/private"), account, true, "api"},
			{"the route of another stage", arnOf("f"), gateway, route("api", "dev/ANY/private"), account, true, "api"},
			{"another route", arnOf("f"), gateway, route("api", "$default/GET/public"), account, false, "AWS:SourceArn"},
			{"another API", arnOf("f"), gateway, route("other", "$default/GET/private"), account, false, "AWS:SourceArn"},
			{"another region", arnOf("f"), gateway, strings.Replace(route("api", "$default/GET/private"), "us-east-1", "eu-west-1", 1), account, false, "AWS:SourceArn"},
			{"no source", arnOf("f"), gateway, "", account, false, "AWS:SourceArn"},
			{"another service", arnOf("f"), "events.amazonaws.com", route("api", "$default/GET/private"), account, false, "not for this service"},
			{"a service that may only read", arnOf("f"), "cognito-idp.amazonaws.com", "", account, false, ""},
			{"the bucket", arnOf("f"), "s3.amazonaws.com", "arn:aws:s3:::b", account, true, "bucket"},
			{"a bucket of another account", arnOf("f"), "s3.amazonaws.com", "arn:aws:s3:::b", "999999999999", false, "AWS:SourceAccount"},
			{"an alias without a policy", arnOf("f:live"), gateway, route("api", "$default/GET/private"), account, false, "no resource policy"},
			{"an unknown function", arnOf("g"), gateway, route("api", "$default/GET/private"), account, false, "no such function"},
			{"another account's function", strings.Replace(arnOf("f"), account, "999999999999", 1), gateway, route("api", "$default/GET/private"), account, false, "no such function"},
			{"a name", "f", gateway, route("api", "$default/GET/private"), account, false, "not the ARN"},
		} {
			ok, why := e.Permission(t.Context(), tt.function, tt.service, tt.source, tt.account)
			if ok != tt.want || tt.what != "another service" && !strings.Contains(why, tt.why) {
				t.Errorf("%s: %v (%s), want %v (%s)", tt.what, ok, why, tt.want, tt.why)
			}
			if e.Permits(t.Context(), tt.function, tt.service, tt.source, tt.account) != tt.want {
				t.Errorf("%s: Permits differs", tt.what)
			}
		}

		_, err = e.RemovePermission(e.ctx, &lambda.RemovePermissionRequest{FunctionName: "f", StatementId: "none"})
		fails(t, "RemovePermission", err, "ResourceNotFoundException", "Statement none is not found in resource policy.")
		if _, err := e.RemovePermission(e.ctx, &lambda.RemovePermissionRequest{FunctionName: "f", StatementId: "api", RevisionId: out.RevisionId}); err != nil {
			t.Fatal(err)
		}
		if e.Permits(t.Context(), arnOf("f"), gateway, route("api", "$default/GET/private"), account) {
			t.Error("a removed permission holds")
		}
		long := strings.Repeat("x", 1000)
		for i := range 30 {
			if _, err = e.AddPermission(e.ctx, &lambda.AddPermissionRequest{FunctionName: "f", StatementId: fmt.Sprint("s", i), Principal: gateway, Action: "lambda:InvokeFunction", SourceArn: shape.Ptr(route("api", long))}); err != nil {
				break
			}
		}
		fails(t, "a long policy", err, "PolicyLengthExceededException", "is bigger than the limit (20480).")
	})
}

func TestParseName(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want name
		ok   bool
	}{
		{"f", name{function: "f"}, true},
		{"f:$LATEST", name{function: "f", qualifier: "$LATEST"}, true},
		{"f:live", name{function: "f", qualifier: "live"}, true},
		{"function:f", name{function: "f"}, true},
		{"123456789012:function:f:3", name{account: "123456789012", function: "f", qualifier: "3"}, true},
		{"arn:aws:lambda:us-east-1:123456789012:function:f", name{region: "us-east-1", account: "123456789012", function: "f"}, true},
		{"arn:aws:lambda:us-east-1:123456789012:function:f:live", name{region: "us-east-1", account: "123456789012", function: "f", qualifier: "live"}, true},
		{"", name{}, false},
		{"f:", name{}, false},
		{"f:a:b", name{}, false},
		{"f/g", name{}, false},
		{"a:function:f", name{}, false},
		{"arn:aws:lambda:us-east-1:123456789012:layer:f", name{}, false},
		{"arn:aws:s3:::f", name{}, false},
		{"arn:aws:lambda:us-east-1:f", name{}, false},
		{"arn:aws:lambda", name{}, false},
	} {
		if got, ok := parseName(tt.in); ok != tt.ok || ok && got != tt.want {
			t.Errorf("parseName(%q) = %+v, %v", tt.in, got, ok)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("arn:aws:lambda:us-east-1:123456789012:function:f:live")
	f.Add("f:$LATEST")
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := parseName(s); ok && n.region != "" && n.account != "" {
			if again, ok := parseName(n.arn()); !ok || again != n {
				t.Errorf("%q is read as %+v, which is written as %q", s, n, n.arn())
			}
		}
	})
}

func BenchmarkPermits(b *testing.B) {
	e, _ := newTest(b, storetest.Open(b, "memory:"), b.TempDir())
	e.createNode(b, "f")
	for i := range 10 {
		_, err := e.AddPermission(e.ctx, &lambda.AddPermissionRequest{FunctionName: "f", StatementId: fmt.Sprint("s", i), Principal: gateway, Action: "lambda:InvokeFunction",
			SourceArn: shape.Ptr(route("api", fmt.Sprintf("*/*/route%d", i)))})
		if err != nil {
			b.Fatal(err)
		}
	}
	function, source := arnOf("f"), route("api", "$default/GET/route9")
	b.ReportAllocs()
	for b.Loop() {
		if !e.Permits(b.Context(), function, gateway, source, account) {
			b.Fatal("not permitted")
		}
	}
}

package engine

import (
	"net/url"
	"strings"
	"testing"
	"time"

	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	logsapi "github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// cfn calls CloudFormation and returns the answer.
func (e *Engine) cfn(t *testing.T, k key, action string, params ...string) string {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2010-05-15"}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	_, body, _ := e.ask(t, k, "cloudformation", "", form.Encode(), nil)
	return strings.NewReplacer("&quot;", `"`, "&#34;", `"`, "&apos;", "'", "&#39;", "'", "&#xA;", "\n", "&amp;", "&").Replace(body)
}

// ended waits until a stack is in a status that it stays in.
func (e *Engine) ended(t *testing.T, stack string) string {
	t.Helper()
	for range 200 {
		body := e.cfn(t, e.root(), "DescribeStacks", "StackName", stack)
		_, status, _ := strings.Cut(body, "<StackStatus>")
		if status, _, _ = strings.Cut(status, "<"); status != "" && !strings.HasSuffix(status, "_IN_PROGRESS") {
			return status
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the stack does not come to rest")
	return ""
}

// TestStackCaller makes stacks as callers who may more and less, and with roles.
func TestStackCaller(t *testing.T) {
	e := startEphemeral(t)
	ctx := wire.WithCall(t.Context(), &wire.Call{Account: DefaultAccount, Region: DefaultRegion, Partition: "aws", Time: time.Now()})
	const statement = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudformation:*","Resource":"*"}`
	carol := e.user(t, "carol", statement+`]}`)
	dave := e.user(t, "dave", statement+`,{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}`)
	erin := e.user(t, "erin", statement+`,{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::000000000000:role/stack*","Condition":{"StringEquals":{"iam:PassedToService":"cloudformation.amazonaws.com"}}}]}`)
	role := func(name, service string) string {
		t.Helper()
		out, err := e.iam.CreateRole(ctx, &iamapi.CreateRoleRequest{RoleName: name, AssumeRolePolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`})
		if err == nil {
			_, err = e.iam.PutRolePolicy(ctx, &iamapi.PutRolePolicyRequest{RoleName: name, PolicyName: "logs", PolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}`})
		}
		if err != nil {
			t.Fatal(err)
		}
		return out.Role.Arn
	}
	trusted, other := role("stacks", "cloudformation.amazonaws.com"), role("stacks-not", "lambda.amazonaws.com")
	const group = `{"Resources":{"G":{"Type":"AWS::Logs::LogGroup","Properties":{"LogGroupName":"/x"}}}}`
	exists := func() bool {
		out, err := e.logs.DescribeLogGroups(ctx, &logsapi.DescribeLogGroupsRequest{})
		return err == nil && len(out.LogGroups) > 0
	}
	contains := func(what, body string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q in %s", what, want, body)
			}
		}
	}

	// Who may only CloudFormation makes nothing.
	e.cfn(t, carol, "CreateStack", "StackName", "a", "TemplateBody", group)
	if status := e.ended(t, "a"); status != "ROLLBACK_COMPLETE" || exists() {
		t.Errorf("without permissions: %s", status)
	}
	contains("the event", e.cfn(t, carol, "DescribeStackEvents", "StackName", "a"),
		"User: arn:aws:iam::000000000000:user/carol is not authorized to perform: logs:CreateLogGroup on resource: arn:aws:logs:us-east-1:000000000000:log-group:/x:log-stream: because no identity-based policy allows the logs:CreateLogGroup action (Service: AWSLogs; Status Code: 400; Error Code: AccessDeniedException; Request ID: ")

	// Who may make the resource does so by a stack; who may not, does not get it away by the same stack.
	e.cfn(t, dave, "CreateStack", "StackName", "b", "TemplateBody", group)
	if status := e.ended(t, "b"); status != "CREATE_COMPLETE" || !exists() {
		t.Errorf("with permissions: %s", status)
	}
	e.cfn(t, carol, "DeleteStack", "StackName", "b")
	if status := e.ended(t, "b"); status != "DELETE_FAILED" || !exists() {
		t.Errorf("deleted without permissions: %s", status)
	}
	e.cfn(t, dave, "DeleteStack", "StackName", "b")
	if exists() {
		t.Error("deleted with permissions, and still there")
	}

	// A role acts instead of its caller, who must be allowed to pass it; later callers use it too.
	contains("a role that may not be passed", e.cfn(t, carol, "CreateStack", "StackName", "c", "TemplateBody", group, "RoleARN", trusted),
		"<Code>AccessDenied</Code>", "is not authorized to perform: iam:PassRole on resource: "+trusted+" because no identity-based policy allows the iam:PassRole action")
	contains("a role that trusts another", e.cfn(t, erin, "CreateStack", "StackName", "c", "TemplateBody", group, "RoleARN", other),
		"<Code>ValidationError</Code>", "Role "+other+" is invalid or cannot be assumed")
	contains("a role that is not there", e.cfn(t, erin, "CreateStack", "StackName", "c", "TemplateBody", group, "RoleARN", trusted+"x"), "is invalid or cannot be assumed")
	e.cfn(t, erin, "CreateStack", "StackName", "c", "TemplateBody", group, "RoleARN", trusted)
	if status := e.ended(t, "c"); status != "CREATE_COMPLETE" || !exists() {
		t.Errorf("with a role: %s", status)
	}
	e.cfn(t, carol, "DeleteStack", "StackName", "c")
	if exists() {
		t.Error("deleted with the stack's role, and still there")
	}

	// What a template reads is asked about, too.
	if _, err := e.params.PutParameter(ctx, &ssm.PutParameterRequest{Name: "/secret", Type: shape.Ptr("String"), Value: "x"}); err != nil {
		t.Fatal(err)
	}
	contains("a parameter", e.cfn(t, dave, "CreateStack", "StackName", "d", "TemplateBody",
		`{"Parameters":{"P":{"Type":"AWS::SSM::Parameter::Value<String>","Default":"/secret"}},"Resources":{"G":{"Type":"AWS::Logs::LogGroup"}},"Outputs":{"O":{"Value":{"Ref":"P"}}}}`),
		"<Code>ValidationError</Code>", "is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:us-east-1:000000000000:parameter/secret")
	e.cfn(t, dave, "CreateStack", "StackName", "d", "TemplateBody", `{"Resources":{"G":{"Type":"AWS::Logs::LogGroup"}},"Outputs":{"O":{"Value":"{{resolve:ssm:/secret}}"}}}`)
	if body := e.cfn(t, dave, "DescribeStacks", "StackName", "d"); strings.Contains(body, "<OutputValue>x") {
		t.Errorf("a dynamic reference was read: %s", body)
	}
	if _, err := e.buckets.CreateBucket(ctx, &s3.CreateBucketRequest{Bucket: "templates"}); err != nil {
		t.Fatal(err)
	}
	contains("a template", e.cfn(t, dave, "CreateStack", "StackName", "f", "TemplateURL", "https://templates.s3.amazonaws.com/t.json"), "S3 error: Access Denied")
}

package access

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// decider decides by one identity policy.
type decider struct{ own *policy.Compiled }

func (d decider) Decide(_ context.Context, c *iam.Caller, req *policy.Request, its *policy.Compiled) (policy.Decision, error) {
	r := *req
	r.Principal = c.Principal
	return policy.Evaluate(&policy.Set{Identity: []*policy.Compiled{d.own}, Resource: its}, &r), nil
}

// functions is a function with a policy.
type functions struct {
	its *policy.Compiled
	err error
}

func (f functions) FunctionPolicy(_ context.Context, arn string) (*policy.Compiled, error) {
	if !strings.HasSuffix(arn, ":function:shared") {
		return nil, f.err
	}
	return f.its, nil
}

// TestAuthorize holds the words of refusals, and who is not asked at all.
func TestAuthorize(t *testing.T) {
	compile := func(k policy.Kind, text string) *policy.Compiled {
		t.Helper()
		c, err := policy.Compile(k, "p", text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ann := &iam.Caller{Principal: policy.Principal{Type: policy.User, ARN: "arn:aws:iam::000000000000:user/ann", Account: "000000000000", ID: "AIDAX", UserID: "AIDAX", Name: "ann"}}
	root := &iam.Caller{Principal: policy.Principal{Type: policy.RootUser, ARN: "arn:aws:iam::000000000000:root", Account: "000000000000"}}
	z := &Authorizer{
		IAM: decider{compile(policy.Identity, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"lambda:CreateFunction","Resource":"*"},
			{"Effect":"Deny","Action":"cognito-idp:DeleteUserPool","Resource":"*"}]}`)},
		Functions: functions{its: compile(policy.Resource, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:000000000000:function:shared"}]}`)},
	}
	const may = "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: "
	for _, tt := range []struct {
		who   *iam.Caller
		model *shape.Model
		op    string
		in    string
		want  string // the refusal, "" for none
	}{
		{root, &iamapi.Model, "CreateUser", `{"UserName":"x"}`, ""},
		{ann, &sts.Model, "GetCallerIdentity", `{}`, ""},
		{ann, &lambda.Model, "Invoke", `{"FunctionName":"shared"}`, ""},
		{ann, &lambda.Model, "Invoke", `{"FunctionName":"other"}`, may + "lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:other because no identity-based policy allows the lambda:InvokeFunction action"},
		{ann, &lambda.Model, "CreateFunction", `{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{"ZipFile":"AA=="}}`,
			may + "iam:PassRole on resource: arn:aws:iam::000000000000:role/r because no identity-based policy allows the iam:PassRole action"},
		{ann, &lambda.Model, "CreateFunction", `{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{"S3Bucket":"b","S3Key":"k"}}`,
			"Your access has been denied by S3, please make sure your request credentials have permission to GetObject for b/k. S3 Error Code: AccessDenied. S3 Error Message: " + may + `s3:GetObject on resource: "arn:aws:s3:::b/k" because no identity-based policy allows the s3:GetObject action`},
		{ann, &cognitoidp.Model, "DeleteUserPool", `{"UserPoolId":"us-east-1_a"}`, may + "cognito-idp:DeleteUserPool on resource: arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a with an explicit deny in an identity-based policy"},
		{ann, &s3.Model, "GetObject", `{"Bucket":"b","Key":"k"}`, may + `s3:GetObject on resource: "arn:aws:s3:::b/k" because no identity-based policy allows the s3:GetObject action`},
		{ann, &s3.Model, "ListBuckets", `{}`, may + "s3:ListAllMyBuckets because no identity-based policy allows the s3:ListAllMyBuckets action"},
		{ann, &cloudformation.Model, "ValidateTemplate", `{}`, may + "cloudformation:ValidateTemplate because no identity-based policy allows the cloudformation:ValidateTemplate action"},
		{ann, &iamapi.Model, "CreatePolicy", `{"PolicyName":"n","Path":"/a/","PolicyDocument":"{}"}`, may + "iam:CreatePolicy on resource: policy n because no identity-based policy allows the iam:CreatePolicy action"},
		{ann, &iamapi.Model, "GetPolicy", `{"PolicyArn":"arn:aws:iam::aws:policy/X"}`, may + "iam:GetPolicy on resource: policy arn:aws:iam::aws:policy/X because no identity-based policy allows the iam:GetPolicy action"},
		{ann, &iamapi.Model, "ListPolicies", `{}`, may + "iam:ListPolicies on resource: policy path / because no identity-based policy allows the iam:ListPolicies action"},
	} {
		op := tt.model.Operation(tt.op)
		in := op.New()
		if err := json.Unmarshal([]byte(tt.in), in); err != nil {
			t.Fatal(err)
		}
		call := testCall()
		call.Caller, call.Principal = tt.who, tt.who.ARN
		err := z.Authorize(wire.WithCall(t.Context(), call), tt.model, op, in, call)
		var denied *wire.AuthError
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s %s: %v", tt.op, tt.in, err)
		case tt.want != "" && (!errors.As(err, &denied) || denied.Problem != wire.Denied || denied.Message != tt.want):
			t.Errorf("%s %s:\n%v\nwant\n%s", tt.op, tt.in, err, tt.want)
		}
	}
	op := cognitoidp.Model.Operation("ListUserPools")
	if err := z.Authorize(t.Context(), &cognitoidp.Model, op, op.New(), testCall()); err == nil {
		t.Error("a caller of whom nothing is known may")
	}
	z.Functions = functions{err: errors.New("the store fails")}
	call := testCall()
	call.Caller = ann
	op = lambda.Model.Operation("GetFunction")
	if err := z.Authorize(t.Context(), &lambda.Model, op, &lambda.GetFunctionRequest{FunctionName: "f"}, call); err == nil || err.Error() != "the store fails" {
		t.Errorf("a policy that cannot be read: %v", err)
	}
}

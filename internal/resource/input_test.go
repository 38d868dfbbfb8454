package resource

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

func TestInput(t *testing.T) {
	p := shape.Ptr[string]
	tests := []struct {
		name   string
		model  *shape.Model
		props  string
		into   any
		rename map[string]string
		want   any
	}{
		{
			"scalars and structures", &cognitoidp.Model,
			`{"UserPoolName":"pool","Policies":{"PasswordPolicy":{"MinimumLength":"12","RequireNumbers":"true"}},"UsernameAttributes":["email"]}`,
			new(cognitoidp.CreateUserPoolRequest), map[string]string{"UserPoolName": "PoolName"},
			&cognitoidp.CreateUserPoolRequest{
				PoolName:           "pool",
				UsernameAttributes: []string{"email"},
				Policies:           &cognitoidp.UserPoolPolicyType{PasswordPolicy: &cognitoidp.PasswordPolicyType{MinimumLength: shape.Ptr(int64(12)), RequireNumbers: shape.Ptr(true)}},
			},
		},
		{
			"a document becomes text", &iam.Model,
			`{"RoleName":"r","AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Sid":"<1>"}]},"Tags":[{"Key":"a","Value":1}],"Policies":[]}`,
			new(iam.CreateRoleRequest), map[string]string{"Policies": ""},
			&iam.CreateRoleRequest{
				RoleName:                 "r",
				AssumeRolePolicyDocument: `{"Statement":[{"Effect":"Allow","Sid":"<1>"}],"Version":"2012-10-17"}`,
				Tags:                     []iam.Tag{{Key: "a", Value: "1"}},
			},
		},
		{
			"a list of tags becomes a map", &logs.Model,
			`{"LogGroupName":"g","RetentionInDays":7,"Tags":[{"Key":"a","Value":"b"},{"Key":"c","Value":"d"}]}`,
			new(logs.CreateLogGroupRequest), map[string]string{"RetentionInDays": ""},
			&logs.CreateLogGroupRequest{LogGroupName: "g", Tags: map[string]string{"a": "b", "c": "d"}},
		},
		{
			"a map of tags becomes a list", &ssm.Model,
			`{"Name":"/n","Value":"v","Type":"String","Tags":{"b":"2","a":"1"}}`,
			new(ssm.PutParameterRequest), nil,
			&ssm.PutParameterRequest{Name: "/n", Value: "v", Type: p("String"), Tags: []ssm.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}},
		},
		{
			"names that begin in lower case", &apigateway.Model,
			`{"RestApiId":"abc","ParentId":"root","PathPart":"secret"}`,
			new(apigateway.CreateResourceRequest), nil,
			&apigateway.CreateResourceRequest{RestApiId: "abc", ParentId: "root", PathPart: "secret"},
		},
		{
			"a rename within, a map whose keys are data", &lambda.Model,
			`{"FunctionName":"f","Role":"r","KmsKeyArn":"arn","Code":{"S3Bucket":"b","Key":"k"},"Environment":{"Variables":{"Code":"x","n":5}}}`,
			new(lambda.CreateFunctionRequest), map[string]string{"Code.Key": "S3Key", "Code": "Code"},
			&lambda.CreateFunctionRequest{
				FunctionName: "f", Role: "r", KMSKeyArn: p("arn"),
				Code:        &lambda.FunctionCode{S3Bucket: p("b"), S3Key: p("k")},
				Environment: &lambda.Environment{Variables: map[string]string{"Code": "x", "n": "5"}},
			},
		},
		{
			"CORS", &apigatewayv2.Model,
			`{"Name":"api","ProtocolType":"HTTP","CorsConfiguration":{"AllowOrigins":["*"],"MaxAge":"5"}}`,
			new(apigatewayv2.CreateApiRequest), nil,
			&apigatewayv2.CreateApiRequest{Name: "api", ProtocolType: "HTTP", CorsConfiguration: &apigatewayv2.Cors{AllowOrigins: []string{"*"}, MaxAge: shape.Ptr(int64(5))}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := bind(tt.model, tt.into, doc(t, tt.props), tt.rename); err != nil {
				t.Fatal(err)
			}
			// Which required members were left out is the decoder's own note.
			ignore := cmp.FilterPath(func(path cmp.Path) bool { return path.Last().String() == ".Absent" }, cmp.Ignore())
			if d := cmp.Diff(tt.want, tt.into, ignore); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestInputErrors(t *testing.T) {
	tests := []struct{ props, want string }{
		{`{"Nope":1}`, "Encountered unsupported property Nope"},
		{`{"Code":{"Nope":1}}`, "Encountered unsupported property Code.Nope"},
		{`{"Timeout":"soon"}`, "Value of property"},
		{`{"Layers":{"a":"b"}}`, "Value of property"},
		{`{"Tags":["a"]}`, "Value of property"},
	}
	for _, tt := range tests {
		_, err := bind(&lambda.Model, new(lambda.CreateFunctionRequest), doc(t, tt.props), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.props, err, tt.want)
		}
	}
	if err := Input(t.Context(), &logs.Model, new(logs.CreateLogGroupRequest), nil, nil); err == nil || !strings.Contains(err.Error(), "'logGroupName' failed to satisfy constraint: Member must not be null") {
		t.Errorf("a request that lacks a required member: %v", err)
	}
	if err := Input(t.Context(), &lambda.Model, new(iam.CreateRoleRequest), nil, nil); err == nil {
		t.Error("a structure of another service was bound")
	}
	if err := Input(t.Context(), &lambda.Model, lambda.CreateFunctionRequest{}, nil, nil); err == nil {
		t.Error("bound to a value")
	}
}

func TestTags(t *testing.T) {
	for _, text := range []string{`{"T":[{"Key":"a","Value":1}]}`, `{"T":{"a":"1"}}`} {
		got, err := Tags(doc(t, text)["T"])
		if err != nil || got["a"] != "1" || len(got) != 1 {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{`{"T":"a"}`, `{"T":["a"]}`, `{"T":[{"Key":"a"}]}`, `{"T":[{"Key":"a","Value":["b"]}]}`, `{"T":{"a":["b"]}}`} {
		if got, err := Tags(doc(t, text)["T"]); err == nil {
			t.Errorf("%s passed: %v", text, got)
		}
	}
	if got, err := Tags(nil); err != nil || len(got) != 0 {
		t.Errorf("nil: %v, %v", got, err)
	}
}

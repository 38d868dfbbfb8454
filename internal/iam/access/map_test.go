package access

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// names is an account with a role /app/Worker, which has a boundary, and a user /ops/Ann.
type names struct{}

func (names) Entity(_ context.Context, kind, name string) (string, string) {
	switch kind + " " + strings.ToLower(name) {
	case "role worker":
		return "arn:aws:iam::000000000000:role/app/Worker", "arn:aws:iam::000000000000:policy/limit"
	case "user ann":
		return "arn:aws:iam::000000000000:user/ops/Ann", ""
	}
	return "", ""
}

// TestQuestions holds what operations ask, as "ACTION RESOURCE" and then "KEY=VALUES" of the keys that
// the case wants to see.
func TestQuestions(t *testing.T) {
	const role = "arn:aws:iam::000000000000:role/app/Worker"
	for _, tt := range []struct {
		model *shape.Model
		op    string
		in    string // JSON of the Go type
		keys  string
		want  []string
	}{
		{&cognitoidp.Model, "AdminCreateUser", `{"UserPoolId":"us-east-1_abc","Username":"u"}`, "", []string{"cognito-idp:AdminCreateUser arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_abc"}},
		{&cognitoidp.Model, "ListUserPools", `{}`, "", []string{"cognito-idp:ListUserPools *"}},
		{&cognitoidp.Model, "CreateUserPool", `{"PoolName":"p","UserPoolTags":{"Team":"blue"},"SmsConfiguration":{"SnsCallerArn":"` + role + `"}}`, "aws:requesttag/team aws:tagkeys iam:passedtoservice",
			[]string{"cognito-idp:CreateUserPool * aws:requesttag/team=blue aws:tagkeys=Team", "iam:PassRole " + role + " aws:requesttag/team=blue aws:tagkeys=Team iam:passedtoservice=cognito-idp.amazonaws.com"}},
		{&cognitoidp.Model, "TagResource", `{"ResourceArn":"arn:aws:cognito-idp:us-east-1:000000000000:userpool/x","Tags":{"a":"b"}}`, "aws:tagkeys", []string{"cognito-idp:TagResource arn:aws:cognito-idp:us-east-1:000000000000:userpool/x aws:tagkeys=a"}},
		{&cognitoidp.Model, "TagResource", `{"ResourceArn":"arn:what/x","Tags":{"a":"b"}}`, "", []string{"cognito-idp:TagResource arn:aws:cognito-idp:us-east-1:000000000000:userpool/x"}},
		{&cognitoidp.Model, "SignUp", `{}`, "", nil},
		{&cognitoidentity.Model, "SetIdentityPoolRoles", `{"IdentityPoolId":"us-east-1:1","Roles":{"authenticated":"arn:aws:iam::000000000000:role/worker"},"RoleMappings":{"p":{"Type":"Rules","RulesConfiguration":{"Rules":[{"Claim":"c","MatchType":"Equals","Value":"v","RoleARN":"arn:aws:iam::000000000000:role/other"}]}}}}`, "iam:passedtoservice",
			[]string{"cognito-identity:SetIdentityPoolRoles arn:aws:cognito-identity:us-east-1:000000000000:identitypool/us-east-1:1",
				"iam:PassRole " + role + " iam:passedtoservice=cognito-identity.amazonaws.com",
				"iam:PassRole arn:aws:iam::000000000000:role/other iam:passedtoservice=cognito-identity.amazonaws.com"}},

		{&lambda.Model, "Invoke", `{"FunctionName":"f"}`, "", []string{"lambda:InvokeFunction arn:aws:lambda:us-east-1:000000000000:function:f"}},
		{&lambda.Model, "Invoke", `{"FunctionName":"f:live"}`, "", []string{"lambda:InvokeFunction arn:aws:lambda:us-east-1:000000000000:function:f:live"}},
		{&lambda.Model, "Invoke", `{"FunctionName":"000000000000:function:f","Qualifier":"2"}`, "", []string{"lambda:InvokeFunction arn:aws:lambda:us-east-1:000000000000:function:f:2"}},
		{&lambda.Model, "GetFunction", `{"FunctionName":"arn:aws:lambda:us-east-1:function:f","Qualifier":"2"}`, "", []string{"lambda:GetFunction arn:aws:lambda:us-east-1:000000000000:function:f"}},
		{&lambda.Model, "CreateFunction", `{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/WORKER","Layers":["arn:aws:lambda:us-east-1:000000000000:layer:l:1"],"Code":{"S3Bucket":"b","S3Key":"k/1"},"Tags":{"a":"b"}}`, "lambda:layer",
			[]string{"lambda:CreateFunction arn:aws:lambda:us-east-1:000000000000:function:f lambda:layer=arn:aws:lambda:us-east-1:000000000000:layer:l:1",
				"lambda:GetLayerVersion arn:aws:lambda:us-east-1:000000000000:layer:l:1 lambda:layer=arn:aws:lambda:us-east-1:000000000000:layer:l:1",
				"lambda:TagResource arn:aws:lambda:us-east-1:000000000000:function:f lambda:layer=arn:aws:lambda:us-east-1:000000000000:layer:l:1",
				"s3:GetObject arn:aws:s3:::b/k/1 lambda:layer=arn:aws:lambda:us-east-1:000000000000:layer:l:1",
				"iam:PassRole " + role + " lambda:layer=arn:aws:lambda:us-east-1:000000000000:layer:l:1"}},
		{&lambda.Model, "UpdateFunctionConfiguration", `{"FunctionName":"f"}`, "", []string{"lambda:UpdateFunctionConfiguration arn:aws:lambda:us-east-1:000000000000:function:f"}},
		{&lambda.Model, "AddPermission", `{"FunctionName":"f","Principal":"*","Action":"lambda:InvokeFunctionUrl","StatementId":"s","FunctionUrlAuthType":"NONE"}`, "lambda:principal lambda:functionurlauthtype",
			[]string{"lambda:AddPermission arn:aws:lambda:us-east-1:000000000000:function:f lambda:principal=* lambda:functionurlauthtype=NONE"}},
		{&lambda.Model, "TagResource", `{"Resource":"arn:xx:lambda:us-east-1:function:f:1","Tags":{}}`, "", []string{"lambda:TagResource arn:aws:lambda:us-east-1:000000000000:function:f"}},
		{&lambda.Model, "ListFunctions", `{}`, "", []string{"lambda:ListFunctions *"}},

		{&apigateway.Model, "CreateRestApi", `{"Name":"a"}`, "", []string{"apigateway:POST arn:aws:apigateway:us-east-1::/restapis"}},
		{&apigateway.Model, "CreateRestApi", `{"Name":"a","Policy":"{}"}`, "", []string{"apigateway:POST arn:aws:apigateway:us-east-1::/restapis", "apigateway:UpdateRestApiPolicy arn:aws:apigateway:us-east-1::/restapis"}},
		{&apigateway.Model, "UpdateRestApi", `{"RestApiId":"x","PatchOperations":[{"Op":"replace","Path":"/policy","Value":"{}"}]}`, "", []string{"apigateway:PATCH arn:aws:apigateway:us-east-1::/restapis/x", "apigateway:UpdateRestApiPolicy arn:aws:apigateway:us-east-1::/restapis/x"}},
		{&apigateway.Model, "PutIntegration", `{"RestApiId":"x","ResourceId":"r","HttpMethod":"GET","Type":"AWS","Credentials":"` + role + `"}`, "iam:passedtoservice",
			[]string{"apigateway:PUT arn:aws:apigateway:us-east-1::/restapis/x/resources/r/methods/GET/integration", "iam:PassRole " + role + " iam:passedtoservice=apigateway.amazonaws.com"}},
		{&apigateway.Model, "PutIntegration", `{"RestApiId":"x","ResourceId":"r","HttpMethod":"GET","Type":"AWS","Credentials":"arn:aws:iam::*:user/*"}`, "", []string{"apigateway:PUT arn:aws:apigateway:us-east-1::/restapis/x/resources/r/methods/GET/integration"}},
		{&apigateway.Model, "PutIntegration", `{"RestApiId":"x","ResourceId":"r","HttpMethod":"GET","Type":"AWS","Credentials":"arn:aws:iam::000000000000:${stageVariables.r}"}`, "",
			[]string{"apigateway:PUT arn:aws:apigateway:us-east-1::/restapis/x/resources/r/methods/GET/integration", "iam:PassRole arn:aws:iam::000000000000:*"}},
		{&apigateway.Model, "UpdateIntegration", `{"RestApiId":"x","ResourceId":"r","HttpMethod":"GET","PatchOperations":[{"Path":"/credentials","Value":"${stageVariables.r}"},{"Path":"/uri","Value":"https://${stageVariables.host}/"},{"Path":"/cacheNamespace","Value":"*"},
			{"Path":"/credentials","Value":"arn:aws:iam::000000000000:role/dev-${stageVariables.r}"}]}`, "",
			[]string{"apigateway:PATCH arn:aws:apigateway:us-east-1::/restapis/x/resources/r/methods/GET/integration", "iam:PassRole *", "iam:PassRole arn:aws:iam::000000000000:role/dev-*"}},
		{&apigatewayv2.Model, "GetApis", `{}`, "", []string{"apigateway:GET arn:aws:apigateway:us-east-1::/apis"}},
		{&apigatewayv2.Model, "CreateRoute", `{"ApiId":"x","RouteKey":"GET /","AuthorizationType":"NONE"}`, "apigateway:request/routeauthorizationtype", []string{"apigateway:POST arn:aws:apigateway:us-east-1::/apis/x/routes apigateway:request/routeauthorizationtype=NONE"}},
		{&apigatewayv2.Model, "TagResource", `{"ResourceArn":"arn:aws:apigateway:us-east-1::/apis/x","Tags":{"a":"b"}}`, "", []string{"apigateway:POST arn:aws:apigateway:us-east-1::/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapis%2Fx"}},

		{&cloudformation.Model, "CreateStack", `{"StackName":"s","RoleARN":"` + role + `","TemplateURL":"https://b/k"}`, "cloudformation:templateurl cloudformation:rolearn",
			[]string{"cloudformation:CreateStack arn:aws:cloudformation:us-east-1:000000000000:stack/s/* cloudformation:templateurl=https://b/k cloudformation:rolearn=" + role,
				"iam:PassRole " + role + " cloudformation:templateurl=https://b/k cloudformation:rolearn=" + role}},
		{&cloudformation.Model, "UpdateStack", `{"StackName":"there"}`, "", []string{"cloudformation:UpdateStack arn:aws:cloudformation:us-east-1:000000000000:stack/there/1"}},
		{&cloudformation.Model, "DescribeChangeSet", `{"ChangeSetName":"arn:aws:cloudformation:us-east-1:000000000000:changeSet/c/1"}`, "", []string{"cloudformation:DescribeChangeSet arn:aws:cloudformation:us-east-1:000000000000:stack/there/1"}},
		{&cloudformation.Model, "DescribeStacks", `{}`, "", []string{"cloudformation:DescribeStacks arn:aws:cloudformation:us-east-1:000000000000:stack/*/*"}},
		{&cloudformation.Model, "DeleteStack", `{"StackName":"arn:aws:cloudformation:us-east-1:000000000000:stack/s/1"}`, "", []string{"cloudformation:DeleteStack arn:aws:cloudformation:us-east-1:000000000000:stack/s/1"}},
		{&cloudformation.Model, "ExecuteChangeSet", `{"ChangeSetName":"c","StackName":"s"}`, "cloudformation:changesetname", []string{"cloudformation:ExecuteChangeSet arn:aws:cloudformation:us-east-1:000000000000:stack/s/* cloudformation:changesetname=c"}},

		{&s3.Model, "ListObjectsV2", `{"Bucket":"b","Prefix":"home/","MaxKeys":5}`, "s3:prefix s3:max-keys s3:delimiter", []string{"s3:ListBucket arn:aws:s3:::b s3:prefix=home/ s3:max-keys=5"}},
		{&s3.Model, "GetObject", `{"Bucket":"b","Key":"a/b"}`, "", []string{"s3:GetObject arn:aws:s3:::b/a/b"}},
		{&s3.Model, "GetObject", `{"Bucket":"b","Key":"k","VersionId":"v"}`, "s3:versionid", []string{"s3:GetObjectVersion arn:aws:s3:::b/k s3:versionid=v"}},
		{&s3.Model, "HeadObject", `{"Bucket":"b","Key":"k"}`, "", []string{"s3:GetObject arn:aws:s3:::b/k"}},
		{&s3.Model, "CopyObject", `{"Bucket":"b","Key":"k","CopySource":"/from/a%20b?versionId=v"}`, "", []string{"s3:PutObject arn:aws:s3:::b/k", "s3:GetObjectVersion arn:aws:s3:::from/a b"}},
		{&s3.Model, "UploadPart", `{"Bucket":"b","Key":"k"}`, "", []string{"s3:PutObject arn:aws:s3:::b/k"}},
		{&s3.Model, "DeleteObjects", `{"Bucket":"b","Delete":{"Objects":[{"Key":"x"},{"Key":"y"}]}}`, "", []string{"s3:DeleteObject arn:aws:s3:::b/x", "s3:DeleteObject arn:aws:s3:::b/y"}},
		{&s3.Model, "PutObject", `{"Bucket":"b","Key":"k","Tagging":"a=1&b=2"}`, "s3:requestobjecttagkeys s3:requestobjecttag/b", []string{"s3:PutObject arn:aws:s3:::b/k s3:requestobjecttagkeys=a,b s3:requestobjecttag/b=2",
			"s3:PutObjectTagging arn:aws:s3:::b/k s3:requestobjecttagkeys=a,b s3:requestobjecttag/b=2"}},
		{&s3.Model, "PutObjectTagging", `{"Bucket":"b","Key":"k","Tagging":{"TagSet":[{"Key":"a","Value":"1"}]}}`, "s3:requestobjecttagkeys s3:requestobjecttag/a", []string{"s3:PutObjectTagging arn:aws:s3:::b/k s3:requestobjecttagkeys=a s3:requestobjecttag/a=1"}},
		{&s3.Model, "ListBuckets", `{}`, "", []string{"s3:ListAllMyBuckets arn:aws:s3:::*"}},
		{&s3.Model, "PutBucketTagging", `{"Bucket":"b","Tagging":{"TagSet":[{"Key":"a","Value":""},{"Key":"c","Value":"d"}]}}`, "aws:tagkeys aws:requesttag/a aws:requesttag/c", []string{"s3:PutBucketTagging arn:aws:s3:::b aws:tagkeys=a,c aws:requesttag/a= aws:requesttag/c=d"}},

		{&ssm.Model, "GetParameters", `{"Names":["/a/b","c:3","arn:aws:ssm:us-east-1:000000000000:parameter/d"]}`, "", []string{"ssm:GetParameters arn:aws:ssm:us-east-1:000000000000:parameter/a/b",
			"ssm:GetParameters arn:aws:ssm:us-east-1:000000000000:parameter/c", "ssm:GetParameters arn:aws:ssm:us-east-1:000000000000:parameter/d"}},
		{&ssm.Model, "GetParametersByPath", `{"Path":"/a/b","Recursive":true}`, "ssm:recursive", []string{"ssm:GetParametersByPath arn:aws:ssm:us-east-1:000000000000:parameter/a/b ssm:recursive=true"}},
		{&ssm.Model, "GetParametersByPath", `{"Path":"/"}`, "", []string{"ssm:GetParametersByPath arn:aws:ssm:us-east-1:000000000000:parameter/"}},
		{&ssm.Model, "GetParametersByPath", `{"Path":"/a/"}`, "", []string{"ssm:GetParametersByPath arn:aws:ssm:us-east-1:000000000000:parameter/a"}},
		{&ssm.Model, "AddTagsToResource", `{"ResourceType":"Parameter","ResourceId":"/a","Tags":[{"Key":"k","Value":"v"}]}`, "aws:requesttag/k", []string{"ssm:AddTagsToResource arn:aws:ssm:us-east-1:000000000000:parameter/a aws:requesttag/k=v"}},
		{&ssm.Model, "DescribeParameters", `{}`, "", []string{"ssm:DescribeParameters arn:aws:ssm:us-east-1:000000000000:*"}},

		{&logs.Model, "DescribeLogGroups", `{}`, "", []string{"logs:DescribeLogGroups arn:aws:logs:us-east-1:000000000000:log-group::log-stream:"}},
		{&logs.Model, "CreateLogGroup", `{"LogGroupName":"/a"}`, "", []string{"logs:CreateLogGroup arn:aws:logs:us-east-1:000000000000:log-group:/a:log-stream:"}},
		{&logs.Model, "PutLogEvents", `{"LogGroupName":"/a","LogStreamName":"s"}`, "", []string{"logs:PutLogEvents arn:aws:logs:us-east-1:000000000000:log-group:/a:log-stream:s"}},
		{&logs.Model, "GetLogEvents", `{"LogGroupIdentifier":"arn:aws:logs:us-east-1:000000000000:log-group:/a:*","LogStreamName":"s"}`, "", []string{"logs:GetLogEvents arn:aws:logs:us-east-1:000000000000:log-group:/a:log-stream:s"}},
		{&logs.Model, "GetLogEvents", `{"LogGroupIdentifier":"arn:aws:x:eu-west-1:1:log-group:/a","LogStreamName":"s"}`, "", []string{"logs:GetLogEvents arn:aws:logs:us-east-1:000000000000:log-group:/a:log-stream:s"}},
		{&logs.Model, "TagResource", `{"ResourceArn":"arn:aws:logs:eu-west-1:000000000000:log-group:/a:*","Tags":{"a":"b"}}`, "", []string{"logs:TagResource arn:aws:logs:us-east-1:000000000000:log-group:/a"}},
		{&logs.Model, "TagResource", `{"ResourceArn":"arn:aws:logs:us-east-1:000000000000:log-group:/a","Tags":{"a":"b"}}`, "", []string{"logs:TagResource arn:aws:logs:us-east-1:000000000000:log-group:/a"}},

		{&iamapi.Model, "GetRole", `{"RoleName":"WORKER"}`, "", []string{"iam:GetRole " + role}},
		{&iamapi.Model, "CreateRole", `{"RoleName":"n","Path":"/app/","PermissionsBoundary":"arn:aws:iam::000000000000:policy/limit"}`, "iam:permissionsboundary", []string{"iam:CreateRole arn:aws:iam::000000000000:role/app/n iam:permissionsboundary=arn:aws:iam::000000000000:policy/limit"}},
		{&iamapi.Model, "AttachRolePolicy", `{"RoleName":"Worker","PolicyArn":"arn:aws:iam::aws:policy/X"}`, "iam:policyarn iam:permissionsboundary", []string{"iam:AttachRolePolicy " + role + " iam:policyarn=arn:aws:iam::aws:policy/X iam:permissionsboundary=arn:aws:iam::000000000000:policy/limit"}},
		{&iamapi.Model, "CreateAccessKey", `{}`, "", []string{"iam:CreateAccessKey arn:aws:iam::000000000000:user/ops/Ann"}},
		{&iamapi.Model, "CreateAccessKey", `{"UserName":"bob"}`, "", []string{"iam:CreateAccessKey arn:aws:iam::000000000000:user/bob"}},
		{&iamapi.Model, "ChangePassword", `{}`, "", []string{"iam:ChangePassword arn:aws:iam::000000000000:user/ops/Ann"}},
		{&iamapi.Model, "AddRoleToInstanceProfile", `{"InstanceProfileName":"i","RoleName":"worker"}`, "", []string{"iam:AddRoleToInstanceProfile arn:aws:iam::000000000000:instance-profile/i", "iam:PassRole " + role}},
		{&iamapi.Model, "UpdateUser", `{"UserName":"ANN","NewUserName":"Eve"}`, "", []string{"iam:UpdateUser arn:aws:iam::000000000000:user/ops/Ann", "iam:UpdateUser arn:aws:iam::000000000000:user/ops/Eve"}},
		{&iamapi.Model, "UpdateUser", `{"UserName":"ann","NewPath":"/new/"}`, "", []string{"iam:UpdateUser arn:aws:iam::000000000000:user/ops/Ann", "iam:UpdateUser arn:aws:iam::000000000000:user/new/Ann"}},
		{&iamapi.Model, "DeleteOpenIDConnectProvider", `{"OpenIDConnectProviderArn":"issuer.example/x"}`, "", []string{"iam:DeleteOpenIDConnectProvider arn:aws:iam::000000000000:oidc-provider/issuer.example/x"}},
		{&iamapi.Model, "ListRoles", `{}`, "", []string{"iam:ListRoles arn:aws:iam::000000000000:role/"}},
		{&iamapi.Model, "CreateOpenIDConnectProvider", `{"Url":"https://issuer.example/x"}`, "", []string{"iam:CreateOpenIDConnectProvider arn:aws:iam::000000000000:oidc-provider/issuer.example/x"}},

		{&sts.Model, "GetCallerIdentity", `{}`, "", nil},
		{&sts.Model, "GetFederationToken", `{"Name":"bob"}`, "", []string{"sts:GetFederationToken arn:aws:sts::000000000000:federated-user/bob"}},
	} {
		op := tt.model.Operation(tt.op)
		in := op.New()
		if err := json.Unmarshal([]byte(tt.in), in); err != nil {
			t.Fatalf("%s: %v", tt.op, err)
		}
		m := &Map{Entities: names{}, StackID: func(_ context.Context, name string) string {
			if name == "there" || strings.Contains(name, ":changeSet/") {
				return "arn:aws:cloudformation:us-east-1:000000000000:stack/there/1"
			}
			return ""
		}}
		var got []string
		for _, q := range m.Of(t.Context(), tt.model, op, in, testCall()) {
			line := q.Action + " " + q.Resource
			for key := range strings.FieldsSeq(tt.keys) {
				if v := q.Context.Values(key); v != nil {
					slices.Sort(v)
					line += " " + key + "=" + strings.Join(v, ",")
				}
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tt.op, tt.in, diff)
		}
	}
}

func testCall() *wire.Call {
	return &wire.Call{Account: "000000000000", Region: "us-east-1", Partition: "aws", Principal: "arn:aws:iam::000000000000:user/ops/Ann", SourceIP: "192.0.2.1"}
}

// TestKeys holds keys that are not the service's own.
func TestKeys(t *testing.T) {
	m := &Map{Tags: map[string]Tagger{"cognito-idp": TaggerFunc(func(_ context.Context, arn string) map[string]string {
		return map[string]string{"Owner": "blue " + arn}
	})}}
	op := cognitoidp.Model.Operation("DescribeUserPool")
	call := testCall()
	call.Via = "cloudformation.amazonaws.com"
	q := m.Of(t.Context(), &cognitoidp.Model, op, &cognitoidp.DescribeUserPoolRequest{UserPoolId: "p"}, call)[0]
	for key, want := range map[string]string{
		"aws:resourcetag/owner": "[blue arn:aws:cognito-idp:us-east-1:000000000000:userpool/p]", "aws:resourcetag/other": "[]", "aws:requesttag/owner": "[]", "aws:tagkeys": "[]",
		"aws:sourceip": "[192.0.2.1]", "aws:requestedregion": "[us-east-1]", "aws:viaawsservice": "[true]", "aws:calledvia": "[cloudformation.amazonaws.com]", "iam:passedtoservice": "[]",
	} {
		if got := fmt.Sprint(q.Context.Values(key)); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	m := &Map{}
	op, in, call := cognitoidp.Model.Operation("AdminGetUser"), &cognitoidp.AdminGetUserRequest{UserPoolId: "us-east-1_abc", Username: "u"}, testCall()
	b.ReportAllocs()
	for b.Loop() {
		m.Of(b.Context(), &cognitoidp.Model, op, in, call)
	}
}

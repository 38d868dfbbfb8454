package engine

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/saml/samltest"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// unchanging are the types that have nothing to update, and no tags, where no property has changed.
var unchanging = map[string]bool{"AWS::Lambda::Permission": true, "AWS::IAM::AccessKey": true, "AWS::IAM::Group": true, "AWS::IAM::InstanceProfile": true, "AWS::IAM::ManagedPolicy": true,
	"AWS::ApiGateway::Resource": true, "AWS::ApiGateway::UsagePlanKey": true}

// unasked are the types that no service's API is called for.
var unasked = map[string]bool{"AWS::CDK::Metadata": true, "AWS::ECR::Repository": true, "AWS::CloudFormation::WaitConditionHandle": true, "AWS::CloudFormation::WaitCondition": true}

// powerless returns a context in which a user acts through a stack who has all permissions of
// CloudFormation and no other.
func (e *Engine) powerless(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	name := "powerless"
	out, err := e.iam.CreateUser(ctx, &iamapi.CreateUserRequest{UserName: name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.iam.PutUserPolicy(ctx, &iamapi.PutUserPolicyRequest{UserName: name, PolicyName: "stacks",
		PolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudformation:*","Resource":"*"}]}`}); err != nil {
		t.Fatal(err)
	}
	who, err := e.iam.SessionCaller(ctx, &session.Session{Type: policy.User, Account: DefaultAccount, OwnerARN: out.User.Arn, OwnerID: out.User.UserId, OwnerName: name})
	if err != nil {
		t.Fatal(err)
	}
	call := *wire.CallFrom(ctx)
	call.Caller, call.Principal, call.Via = who, who.ARN, "cloudformation.amazonaws.com"
	return resource.For(wire.WithCall(ctx, &call), e.authorizer(), nil)
}

// TestResourceTypes takes every resource type through its life: created, created again by the same step
// as after a crash, refused to another step that wants the same name, updated, deleted twice. Each is
// refused to a caller who has no permissions but CloudFormation's. A type
// without properties here fails: what CloudFormation can make, must bear all that.
func TestResourceTypes(t *testing.T) {
	e, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	ctx := wire.WithCall(t.Context(), &wire.Call{Account: DefaultAccount, Region: DefaultRegion, Partition: "aws", Time: time.Now()})

	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}`
	text, err := json.Marshal(string(samltest.New(t, "https://issuer.example/life").Metadata()))
	if err != nil {
		t.Fatal(err)
	}
	metadata := string(text)
	powerless := e.powerless(t, ctx)
	refs := map[string]string{} // what ${TYPE} and ${TYPE.Attribute} stand for in later properties
	tested := map[string]bool{}
	// In an order in which each finds what it needs. named says that the properties name the thing, so that
	// a second one is refused.
	for _, s := range []struct {
		typ, props string
		named      bool
	}{
		{"AWS::CDK::Metadata", `{}`, false},
		{"AWS::Logs::LogGroup", `{"LogGroupName":"/life","RetentionInDays":7,"Tags":[{"Key":"a","Value":"b"}]}`, true},
		{"AWS::S3::Bucket", `{"BucketName":"life-bucket"}`, true},
		{"AWS::S3::BucketPolicy", `{"Bucket":"${AWS::S3::Bucket}","PolicyDocument":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::life-bucket/*"}}}`, true},
		{"AWS::ECR::Repository", `{"RepositoryName":"life"}`, true},
		{"AWS::SSM::Parameter", `{"Name":"/life","Type":"String","Value":"v"}`, true},
		{"AWS::IAM::Role", `{"RoleName":"life","AssumeRolePolicyDocument":` + trust + `,"Policies":[{"PolicyName":"p","PolicyDocument":` + policy + `}]}`, true},
		{"AWS::IAM::Policy", `{"PolicyName":"life","PolicyDocument":` + policy + `,"Roles":["${AWS::IAM::Role}"]}`, false},
		{"AWS::IAM::RolePolicy", `{"PolicyName":"own","PolicyDocument":` + policy + `,"RoleName":"${AWS::IAM::Role}"}`, true},
		{"AWS::IAM::InstanceProfile", `{"InstanceProfileName":"life","Roles":["${AWS::IAM::Role}"]}`, true},
		{"AWS::IAM::Group", `{"GroupName":"life","ManagedPolicyArns":["arn:aws:iam::aws:policy/AmazonCognitoReadOnly"]}`, true},
		{"AWS::IAM::GroupPolicy", `{"PolicyName":"own","PolicyDocument":` + policy + `,"GroupName":"${AWS::IAM::Group}"}`, true},
		{"AWS::IAM::User", `{"UserName":"life","Groups":["${AWS::IAM::Group}"],"Policies":[{"PolicyName":"p","PolicyDocument":` + policy + `}]}`, true},
		{"AWS::IAM::UserPolicy", `{"PolicyName":"own","PolicyDocument":` + policy + `,"UserName":"${AWS::IAM::User}"}`, true},
		{"AWS::IAM::UserToGroupAddition", `{"GroupName":"${AWS::IAM::Group}","Users":["${AWS::IAM::User}"]}`, false},
		{"AWS::IAM::ManagedPolicy", `{"ManagedPolicyName":"life","PolicyDocument":` + policy + `,"Users":["${AWS::IAM::User}"]}`, true},
		{"AWS::IAM::AccessKey", `{"UserName":"${AWS::IAM::User}"}`, false},
		{"AWS::IAM::OIDCProvider", `{"Url":"https://issuer.example/life","ClientIdList":["a"],"ThumbprintList":["0123456789012345678901234567890123456789"]}`, true},
		{"AWS::IAM::SAMLProvider", `{"Name":"life","SamlMetadataDocument":` + metadata + `}`, true},
		{"AWS::Lambda::Function", `{"FunctionName":"life","Runtime":"nodejs22.x","Handler":"index.handler","Role":"${AWS::IAM::Role.Arn}","Code":{"ZipFile":"exports.handler = async () => 1"}}`, true},
		{"AWS::Lambda::Permission", `{"FunctionName":"${AWS::Lambda::Function}","Action":"lambda:InvokeFunction","Principal":"apigateway.amazonaws.com"}`, false},
		{"AWS::Lambda::Url", `{"TargetFunctionArn":"${AWS::Lambda::Function.Arn}","AuthType":"NONE"}`, true},
		{"AWS::Cognito::UserPool", `{"UserPoolName":"life"}`, false},
		{"AWS::Cognito::UserPoolClient", `{"UserPoolId":"${AWS::Cognito::UserPool}"}`, false},
		{"AWS::Cognito::IdentityPool", `{"AllowUnauthenticatedIdentities":true,"SupportedLoginProviders":{"accounts.google.com":"life"}}`, false},
		{"AWS::Cognito::IdentityPoolRoleAttachment", `{"IdentityPoolId":"${AWS::Cognito::IdentityPool}","Roles":{"authenticated":"${AWS::IAM::Role.Arn}"}}`, false},
		{"AWS::Cognito::IdentityPoolPrincipalTag", `{"IdentityPoolId":"${AWS::Cognito::IdentityPool}","IdentityProviderName":"accounts.google.com","UseDefaults":true}`, true},
		{"AWS::ApiGateway::Account", `{}`, false},
		{"AWS::ApiGateway::ClientCertificate", `{"Description":"life"}`, false},
		{"AWS::ApiGateway::RestApi", `{"Name":"life"}`, false},
		{"AWS::ApiGateway::Model", `{"RestApiId":"${AWS::ApiGateway::RestApi}","Name":"Life","ContentType":"application/json","Schema":{"type":"object"}}`, true},
		{"AWS::ApiGateway::RequestValidator", `{"RestApiId":"${AWS::ApiGateway::RestApi}","Name":"life","ValidateRequestBody":true}`, false},
		{"AWS::ApiGateway::Authorizer", `{"RestApiId":"${AWS::ApiGateway::RestApi}","Name":"life","Type":"COGNITO_USER_POOLS","ProviderARNs":["${AWS::Cognito::UserPool.Arn}"],"IdentitySource":"method.request.header.Authorization"}`, true},
		{"AWS::ApiGateway::Resource", `{"RestApiId":"${AWS::ApiGateway::RestApi}","ParentId":"${AWS::ApiGateway::RestApi.RootResourceId}","PathPart":"life"}`, true},
		{"AWS::ApiGateway::Method", `{"RestApiId":"${AWS::ApiGateway::RestApi}","ResourceId":"${AWS::ApiGateway::Resource}","HttpMethod":"GET","AuthorizationType":"COGNITO_USER_POOLS","AuthorizerId":"${AWS::ApiGateway::Authorizer}","RequestValidatorId":"${AWS::ApiGateway::RequestValidator}","MethodResponses":[{"StatusCode":"200"}],"Integration":{"Type":"MOCK","RequestTemplates":{"application/json":"{}"},"IntegrationResponses":[{"StatusCode":"200"}]}}`, true},
		{"AWS::ApiGateway::GatewayResponse", `{"RestApiId":"${AWS::ApiGateway::RestApi}","ResponseType":"ACCESS_DENIED"}`, true},
		{"AWS::ApiGateway::DocumentationPart", `{"RestApiId":"${AWS::ApiGateway::RestApi}","Location":{"Type":"API"},"Properties":"{\"description\":\"life\"}"}`, true},
		{"AWS::ApiGateway::DocumentationVersion", `{"RestApiId":"${AWS::ApiGateway::RestApi}","DocumentationVersion":"1"}`, true},
		{"AWS::ApiGateway::Deployment", `{"RestApiId":"${AWS::ApiGateway::RestApi}"}`, false},
		{"AWS::ApiGateway::Stage", `{"RestApiId":"${AWS::ApiGateway::RestApi}","StageName":"life","DeploymentId":"${AWS::ApiGateway::Deployment}"}`, true},
		{"AWS::ApiGateway::ApiKey", `{"Name":"life","Enabled":true}`, false},
		{"AWS::ApiGateway::UsagePlan", `{"UsagePlanName":"life","ApiStages":[{"ApiId":"${AWS::ApiGateway::RestApi}","Stage":"${AWS::ApiGateway::Stage}"}]}`, false},
		{"AWS::ApiGateway::UsagePlanKey", `{"UsagePlanId":"${AWS::ApiGateway::UsagePlan}","KeyId":"${AWS::ApiGateway::ApiKey}","KeyType":"API_KEY"}`, true},
		{"AWS::ApiGateway::DomainName", `{"DomainName":"life.example.com","RegionalCertificateArn":"arn:aws:acm:us-east-1:000000000000:certificate/life","EndpointConfiguration":{"Types":["REGIONAL"]}}`, true},
		{"AWS::ApiGateway::BasePathMapping", `{"DomainName":"${AWS::ApiGateway::DomainName}","RestApiId":"${AWS::ApiGateway::RestApi}","Stage":"${AWS::ApiGateway::Stage}"}`, true},
		{"AWS::ApiGatewayV2::Api", `{"Name":"life","ProtocolType":"HTTP"}`, false},
		{"AWS::ApiGatewayV2::Integration", `{"ApiId":"${AWS::ApiGatewayV2::Api}","IntegrationType":"AWS_PROXY","IntegrationUri":"${AWS::Lambda::Function.Arn}","PayloadFormatVersion":"2.0"}`, false},
		{"AWS::ApiGatewayV2::Authorizer", `{"ApiId":"${AWS::ApiGatewayV2::Api}","Name":"jwt","AuthorizerType":"JWT","IdentitySource":["$request.header.Authorization"],"JwtConfiguration":{"Issuer":"https://issuer.example","Audience":["a"]}}`, false},
		{"AWS::ApiGatewayV2::Route", `{"ApiId":"${AWS::ApiGatewayV2::Api}","RouteKey":"GET /life","Target":"integrations/${AWS::ApiGatewayV2::Integration}","AuthorizationType":"JWT","AuthorizerId":"${AWS::ApiGatewayV2::Authorizer}"}`, true},
		{"AWS::ApiGatewayV2::Deployment", `{"ApiId":"${AWS::ApiGatewayV2::Api}"}`, false},
		{"AWS::ApiGatewayV2::Stage", `{"ApiId":"${AWS::ApiGatewayV2::Api}","StageName":"life","DeploymentId":"${AWS::ApiGatewayV2::Deployment}"}`, true},
		{"AWS::ApiGatewayV2::DomainName", `{"DomainName":"life2.example.com","DomainNameConfigurations":[{"CertificateArn":"arn:aws:acm:us-east-1:000000000000:certificate/life","EndpointType":"REGIONAL"}],"Tags":{"k":"v"}}`, true},
		{"AWS::ApiGatewayV2::ApiMapping", `{"DomainName":"${AWS::ApiGatewayV2::DomainName}","ApiId":"${AWS::ApiGatewayV2::Api}","Stage":"${AWS::ApiGatewayV2::Stage}","ApiMappingKey":"v1/life"}`, true},
	} {
		typ, ok := e.registry.Lookup(s.typ)
		if !ok {
			t.Errorf("%s is not registered", s.typ)
			continue
		}
		h, props := typ.Handler, map[string]any{}
		if err := json.Unmarshal([]byte(os.Expand(s.props, func(name string) string {
			if v, ok := refs[name]; ok {
				return v
			}
			return "$" + name // $request.header…
		})), &props); err != nil {
			t.Fatal(err)
		}
		if err := e.registry.Check(s.typ, "Life", props); err != nil {
			t.Errorf("%s: %v", s.typ, err)
		}
		request := func(token string) *resource.Request {
			return &resource.Request{StackID: "arn:aws:cloudformation:us-east-1:000000000000:stack/life/1", StackName: "life", LogicalID: "Life" + strings.ReplaceAll(s.typ, "::", ""), Type: s.typ, Token: token,
				Props: resource.With(props, nil), Tags: map[string]string{"aws:cloudformation:logical-id": token}}
		}
		refused := func(what string, err error) {
			t.Helper()
			if !unasked[s.typ] && (err == nil || !strings.Contains(err.Error(), "is not authorized to perform: ")) {
				t.Errorf("%s: %s by a caller who may only use stacks: %v", s.typ, what, err)
			}
		}
		if !unasked[s.typ] {
			_, err := h.Create(powerless, request("zero"))
			refused("created", err)
		}
		first, err := h.Create(ctx, request("one"))
		if err != nil {
			t.Fatalf("%s: %v", s.typ, err)
		}
		again, err := h.Create(ctx, request("one"))
		if err != nil || again.PhysicalID != first.PhysicalID {
			t.Errorf("%s: the same step made %q, then %q, %v", s.typ, first.PhysicalID, again.PhysicalID, err)
		}
		other, err := h.Create(ctx, request("two"))
		switch {
		case s.named && err == nil:
			t.Errorf("%s: another step got %q, which has the same name", s.typ, other.PhysicalID)
		case !s.named && (err != nil || other.PhysicalID == first.PhysicalID):
			t.Errorf("%s: another step made %q, %v", s.typ, other.PhysicalID, err)
		}
		if err == nil {
			t.Cleanup(func() {
				del := request("four")
				del.PhysicalID = other.PhysicalID
				if err := h.Delete(context.WithoutCancel(ctx), del); err != nil {
					t.Errorf("%s: the other one deleted: %v", s.typ, err)
				}
			})
		}
		update := request("three")
		update.PhysicalID, update.OldProps = first.PhysicalID, props
		retag := *update
		retag.TagsChanged, retag.Tags = true, map[string]string{"stack": "other"}
		if _, err := h.Update(powerless, &retag); !unchanging[s.typ] {
			refused("updated", err)
		}
		del := request("three")
		del.PhysicalID = first.PhysicalID
		refused("deleted", h.Delete(powerless, del))
		if res, err := h.Update(ctx, update); err != nil || res.PhysicalID != first.PhysicalID {
			t.Errorf("%s: updated to %q, %v", s.typ, res.PhysicalID, err)
		}
		ref := first.PhysicalID
		if first.Ref != "" {
			ref = first.Ref
		}
		refs[s.typ] = ref
		for name, v := range first.Attrs {
			if text, ok := v.(string); ok {
				refs[s.typ+"."+name] = text
			}
		}
		t.Cleanup(func() { // the last first
			ctx := context.WithoutCancel(ctx)
			for range 2 {
				del := request("four")
				del.PhysicalID = first.PhysicalID
				if err := h.Delete(ctx, del); err != nil {
					t.Errorf("%s: deleted: %v", s.typ, err)
				}
			}
		})
		tested[s.typ] = true
	}
	// What waits for answers is taken through its life in package stacks.
	elsewhere := []string{resource.CustomResource, "AWS::CloudFormation::Stack", "AWS::CloudFormation::WaitCondition", "AWS::CloudFormation::WaitConditionHandle"}
	for _, name := range e.registry.Names() {
		if !tested[name] && !slices.Contains(elsewhere, name) {
			t.Errorf("%s is not tested", name)
		}
	}
}

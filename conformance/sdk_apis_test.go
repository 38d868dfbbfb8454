package conformance

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// backend is an HTTP server that says what it was asked.
func backend(t testing.TB) *httptest.Server {
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Method, r.URL.RequestURI())
	}))
	t.Cleanup(b.Close)
	return b
}

func TestSDKHTTPAPIs(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		c := apigatewayv2.NewFromConfig(s.config(t))
		ctx := t.Context()
		origin := backend(t)

		made := must(c.CreateApi(ctx, &apigatewayv2.CreateApiInput{Name: aws.String("things"), ProtocolType: apitypes.ProtocolTypeHttp, Tags: map[string]string{"stage": "test"}}))(t)
		same(t, "ApiEndpoint", *made.ApiEndpoint, s.URL+"/_aws/execute-api/"+*made.ApiId)
		integration := must(c.CreateIntegration(ctx, &apigatewayv2.CreateIntegrationInput{ApiId: made.ApiId, IntegrationType: apitypes.IntegrationTypeHttpProxy,
			IntegrationMethod: aws.String("ANY"), IntegrationUri: aws.String(origin.URL + "/base/{proxy}"), PayloadFormatVersion: aws.String("1.0")}))(t)
		target := aws.String("integrations/" + *integration.IntegrationId)
		route := must(c.CreateRoute(ctx, &apigatewayv2.CreateRouteInput{ApiId: made.ApiId, RouteKey: aws.String("GET /things/{proxy+}"), Target: target}))(t)
		must(c.CreateStage(ctx, &apigatewayv2.CreateStageInput{ApiId: made.ApiId, StageName: aws.String("$default"), AutoDeploy: aws.Bool(true)}))(t)
		status, _, body := get(t, *made.ApiEndpoint+"/things/a/b?x=1")
		same(t, "the route", words(status, body), "200 GET /base/a/b?x=1")

		// A stage that is deployed by hand serves its deployment, not what came since.
		deployment := must(c.CreateDeployment(ctx, &apigatewayv2.CreateDeploymentInput{ApiId: made.ApiId}))(t)
		must(c.CreateStage(ctx, &apigatewayv2.CreateStageInput{ApiId: made.ApiId, StageName: aws.String("v1"), DeploymentId: deployment.DeploymentId}))(t)
		must(c.UpdateRoute(ctx, &apigatewayv2.UpdateRouteInput{ApiId: made.ApiId, RouteId: route.RouteId, RouteKey: aws.String("GET /renamed/{proxy+}")}))(t)
		for path, want := range map[string]string{"/renamed/a": "200 GET /base/a", "/things/a": `404 {"message":"Not Found"}`, "/v1/things/a": "200 GET /base/a", "/v1/renamed/a": `404 {"message":"Not Found"}`} {
			status, _, body := get(t, *made.ApiEndpoint+path)
			same(t, path, words(status, body), want)
		}

		authorizer := must(c.CreateAuthorizer(ctx, &apigatewayv2.CreateAuthorizerInput{ApiId: made.ApiId, Name: aws.String("jwt"), AuthorizerType: apitypes.AuthorizerTypeJwt,
			IdentitySource: []string{"$request.header.Authorization"}, JwtConfiguration: &apitypes.JWTConfiguration{Audience: []string{"me"}, Issuer: aws.String("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEfGhI")}}))(t)
		must(c.UpdateRoute(ctx, &apigatewayv2.UpdateRouteInput{ApiId: made.ApiId, RouteId: route.RouteId, AuthorizationType: apitypes.AuthorizationTypeJwt, AuthorizerId: authorizer.AuthorizerId}))(t)
		status, _, body = get(t, *made.ApiEndpoint+"/renamed/a")
		same(t, "with an authorizer", words(status, body), `401 {"message":"Unauthorized"}`)

		same(t, "GetRoutes", len(must(c.GetRoutes(ctx, &apigatewayv2.GetRoutesInput{ApiId: made.ApiId}))(t).Items), 1)
		same(t, "GetStages", len(must(c.GetStages(ctx, &apigatewayv2.GetStagesInput{ApiId: made.ApiId}))(t).Items), 2)
		same(t, "GetIntegrations", len(must(c.GetIntegrations(ctx, &apigatewayv2.GetIntegrationsInput{ApiId: made.ApiId}))(t).Items), 1)
		same(t, "GetAuthorizers", len(must(c.GetAuthorizers(ctx, &apigatewayv2.GetAuthorizersInput{ApiId: made.ApiId}))(t).Items), 1)
		same(t, "UpdateApi", *must(c.UpdateApi(ctx, &apigatewayv2.UpdateApiInput{ApiId: made.ApiId, Description: aws.String("of mine")}))(t).Description, "of mine")
		same(t, "GetApi", *must(c.GetApi(ctx, &apigatewayv2.GetApiInput{ApiId: made.ApiId}))(t).Name, "things")

		nothing := aws.String("aaaaaaaaaa")
		typed[*apitypes.NotFoundException](t, "GetApi", "Invalid API identifier specified 000000000000:aaaaaaaaaa")(c.GetApi(ctx, &apigatewayv2.GetApiInput{ApiId: nothing}))
		typed[*apitypes.NotFoundException](t, "CreateRoute", "")(c.CreateRoute(ctx, &apigatewayv2.CreateRouteInput{ApiId: nothing, RouteKey: aws.String("GET /")}))
		typed[*apitypes.NotFoundException](t, "GetRoute", "")(c.GetRoute(ctx, &apigatewayv2.GetRouteInput{ApiId: made.ApiId, RouteId: nothing}))
		typed[*apitypes.ConflictException](t, "a route twice", "")(c.CreateRoute(ctx, &apigatewayv2.CreateRouteInput{ApiId: made.ApiId, RouteKey: aws.String("GET /renamed/{proxy+}"), Target: target}))
		typed[*apitypes.BadRequestException](t, "a bad route key", "")(c.CreateRoute(ctx, &apigatewayv2.CreateRouteInput{ApiId: made.ApiId, RouteKey: aws.String("FETCH things")}))
		typed[*apitypes.ConflictException](t, "a stage twice", "")(c.CreateStage(ctx, &apigatewayv2.CreateStageInput{ApiId: made.ApiId, StageName: aws.String("v1")}))
		must(c.DeleteRoute(ctx, &apigatewayv2.DeleteRouteInput{ApiId: made.ApiId, RouteId: route.RouteId}))(t)
		must(c.DeleteStage(ctx, &apigatewayv2.DeleteStageInput{ApiId: made.ApiId, StageName: aws.String("v1")}))(t)
		must(c.DeleteApi(ctx, &apigatewayv2.DeleteApiInput{ApiId: made.ApiId}))(t)
		same(t, "GetApis", len(must(c.GetApis(ctx, &apigatewayv2.GetApisInput{}))(t).Items), 0)
	})
}

// A template small enough to read: an API, a pool, a role with a name.
const stackTemplate = `
Parameters:
  Label: {Type: String, Default: one, AllowedPattern: "[a-z]+"}
Resources:
  Pool: {Type: AWS::Cognito::UserPool, Properties: {UserPoolName: !Sub "${AWS::StackName}-${Label}"}}
  Client: {Type: AWS::Cognito::UserPoolClient, Properties: {UserPoolId: !Ref Pool}}
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: !Ref Label, ProtocolType: HTTP}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub "${AWS::StackName}-role"
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}
Outputs:
  PoolId: {Value: !Ref Pool}
  Endpoint: {Value: !GetAtt Api.ApiEndpoint, Export: {Name: !Sub "${AWS::StackName}-endpoint"}}
  Label: {Value: !Ref Label}
`

func TestSDKStacks(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		c := cloudformation.NewFromConfig(s.config(t))
		ctx := t.Context()
		name := aws.String("things")
		named := []cfntypes.Capability{cfntypes.CapabilityCapabilityNamedIam}
		label := func(v string) []cfntypes.Parameter {
			return []cfntypes.Parameter{{ParameterKey: aws.String("Label"), ParameterValue: &v}}
		}
		describe := &cloudformation.DescribeStacksInput{StackName: name}
		soon := func(o *cloudformation.StackCreateCompleteWaiterOptions) {
			o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second
		}

		create := &cloudformation.CreateStackInput{StackName: name, TemplateBody: aws.String(stackTemplate)}
		typed[*cfntypes.InsufficientCapabilitiesException](t, "no capabilities", "Requires capabilities : [CAPABILITY_NAMED_IAM]")(c.CreateStack(ctx, create))
		create.Capabilities, create.Parameters = named, label("Nine9")
		coded(t, "a parameter that does not match", "ValidationError", "")(c.CreateStack(ctx, create))
		create.Parameters = nil
		coded(t, "no stack yet", "ValidationError", "Stack with id things does not exist")(c.DescribeStacks(ctx, describe))
		id := must(c.CreateStack(ctx, create))(t).StackId
		ok(t, cloudformation.NewStackCreateCompleteWaiter(c).Wait(ctx, describe, time.Minute, soon))
		typed[*cfntypes.AlreadyExistsException](t, "CreateStack", "Stack [things] already exists")(c.CreateStack(ctx, create))
		stack := func() (out map[string]string, st cfntypes.Stack) {
			t.Helper()
			st = must(c.DescribeStacks(ctx, describe))(t).Stacks[0]
			out = map[string]string{}
			for _, o := range st.Outputs {
				out[*o.OutputKey] = *o.OutputValue
			}
			return out, st
		}
		out, st := stack()
		if !poolForm.MatchString(out["PoolId"]) || !strings.HasPrefix(out["Endpoint"], s.URL+"/_aws/execute-api/") || out["Label"] != "one" || st.StackStatus != cfntypes.StackStatusCreateComplete || *st.StackId != *id {
			t.Errorf("the stack: %v %v", out, st.StackStatus)
		}
		n := 0
		for pages := cloudformation.NewListStackResourcesPaginator(c, &cloudformation.ListStackResourcesInput{StackName: name}); pages.HasMorePages(); {
			n += len(must(pages.NextPage(ctx))(t).StackResourceSummaries)
		}
		same(t, "ListStackResources", n, 4)
		n = 0
		for pages := cloudformation.NewDescribeStackEventsPaginator(c, &cloudformation.DescribeStackEventsInput{StackName: name}); pages.HasMorePages(); {
			n += len(must(pages.NextPage(ctx))(t).StackEvents)
		}
		if n < 10 { // two for the stack and for each resource
			t.Errorf("%d events", n)
		}
		same(t, "GetTemplate", *must(c.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: name}))(t).TemplateBody, stackTemplate)
		exports := must(c.ListExports(ctx, &cloudformation.ListExportsInput{}))(t).Exports
		if len(exports) != 1 || *exports[0].Name != "things-endpoint" {
			t.Errorf("ListExports: %v", exports)
		}

		// Update: in place, and refused when nothing changes.
		update := &cloudformation.UpdateStackInput{StackName: name, UsePreviousTemplate: aws.Bool(true), Capabilities: named}
		coded(t, "UpdateStack", "ValidationError", "No updates are to be performed.")(c.UpdateStack(ctx, update))
		update.Parameters = label("two")
		must(c.UpdateStack(ctx, update))(t)
		ok(t, cloudformation.NewStackUpdateCompleteWaiter(c).Wait(ctx, describe, time.Minute, func(o *cloudformation.StackUpdateCompleteWaiterOptions) {
			o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second
		}))
		after, _ := stack()
		same(t, "outputs after the update", after, map[string]string{"PoolId": out["PoolId"], "Endpoint": out["Endpoint"], "Label": "two"})

		// A change set.
		set := &cloudformation.CreateChangeSetInput{StackName: name, ChangeSetName: aws.String("next"), UsePreviousTemplate: aws.Bool(true), Capabilities: named, Parameters: label("three")}
		must(c.CreateChangeSet(ctx, set))(t)
		which := &cloudformation.DescribeChangeSetInput{StackName: name, ChangeSetName: set.ChangeSetName}
		ok(t, cloudformation.NewChangeSetCreateCompleteWaiter(c).Wait(ctx, which, time.Minute, func(o *cloudformation.ChangeSetCreateCompleteWaiterOptions) {
			o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second
		}))
		changes := map[string]cfntypes.ChangeAction{}
		for _, ch := range must(c.DescribeChangeSet(ctx, which))(t).Changes {
			changes[*ch.ResourceChange.LogicalResourceId] = ch.ResourceChange.Action
		}
		same(t, "changes", changes, map[string]cfntypes.ChangeAction{"Pool": cfntypes.ChangeActionModify, "Api": cfntypes.ChangeActionModify})
		must(c.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{StackName: name, ChangeSetName: set.ChangeSetName}))(t)
		ok(t, cloudformation.NewStackUpdateCompleteWaiter(c).Wait(ctx, describe, time.Minute, func(o *cloudformation.StackUpdateCompleteWaiterOptions) {
			o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second
		}))
		typed[*cfntypes.ChangeSetNotFoundException](t, "an unknown change set", "")(c.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{StackName: name, ChangeSetName: aws.String("none")}))

		// What fails is rolled back: the name of the role is taken.
		other := aws.String("other")
		body := strings.Replace(stackTemplate, `RoleName: !Sub "${AWS::StackName}-role"`, "RoleName: things-role", 1)
		must(c.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: other, TemplateBody: &body, Capabilities: named}))(t)
		err := cloudformation.NewStackCreateCompleteWaiter(c).Wait(ctx, &cloudformation.DescribeStacksInput{StackName: other}, time.Minute, soon)
		if err == nil || !strings.Contains(err.Error(), "waiter state transitioned to Failure") {
			t.Errorf("a stack whose role exists: %v", err)
		}
		eventually(t, 30*time.Second, func() string {
			st := must(c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: other}))(t).Stacks[0]
			if st.StackStatus == cfntypes.StackStatusRollbackComplete {
				return ""
			}
			return string(st.StackStatus)
		})
		same(t, "pools after a rollback", s.countPools(t), 1)

		for _, n := range []*string{other, name} {
			must(c.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: n}))(t)
			ok(t, cloudformation.NewStackDeleteCompleteWaiter(c).Wait(ctx, &cloudformation.DescribeStacksInput{StackName: n}, time.Minute, func(o *cloudformation.StackDeleteCompleteWaiterOptions) {
				o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second
			}))
		}
		same(t, "a deleted stack by its ARN", must(c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: id}))(t).Stacks[0].StackStatus, cfntypes.StackStatusDeleteComplete)
		same(t, "pools left", s.countPools(t), 0)
	})
}

// What is wrong with a template is said before anything is made.
func TestBadTemplates(t *testing.T) {
	t.Parallel()
	s := startOpen(t)
	c := cloudformation.NewFromConfig(s.config(t))
	ctx := t.Context()
	for what, tt := range map[string]struct{ body, message string }{
		"no YAML":             {"{", ""},
		"no resources":        {"Outputs: {}", "Template format error: At least one Resources member must be defined."},
		"a cycle":             {"Resources:\n  A: {Type: AWS::Cognito::UserPool, DependsOn: B}\n  B: {Type: AWS::Cognito::UserPool, DependsOn: A}", "Circular dependency between resources: [A, B]"},
		"an unknown name":     {"Resources:\n  A: {Type: AWS::Cognito::UserPoolClient, Properties: {UserPoolId: !Ref Nothing}}", "Template format error: Unresolved resource dependencies [Nothing] in the Resources block of the template"},
		"a missing parameter": {"Parameters: {P: {Type: String}}\nResources:\n  A: {Type: AWS::Cognito::UserPool, Properties: {UserPoolName: !Ref P}}", "Parameters: [P] must have values"},
		"an unknown type":     {"Resources:\n  A: {Type: AWS::Nothing::AtAll}", ""},
	} {
		coded(t, what, "ValidationError", tt.message)(c.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("bad"), TemplateBody: aws.String(tt.body)}))
	}
	coded(t, "what was refused", "ValidationError", "Stack with id bad does not exist")(c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("bad")}))
	coded(t, "a long template", "ValidationError", "")(c.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("bad"), TemplateBody: aws.String("# " + strings.Repeat("x", 51200))}))
}

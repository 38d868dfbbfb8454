package httpapis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const (
	testRegion   = "us-east-1"
	testAccount  = "000000000000"
	testFunction = "arn:aws:lambda:us-east-1:000000000000:function:hello"
)

func start(t testing.TB, db *store.DB) (*Service, context.Context) {
	t.Helper()
	s := New(Options{DB: db, Account: testAccount, PublicURL: func() string { return "http://127.0.0.1:4566" }})
	return s, wire.WithCall(t.Context(), &wire.Call{Account: testAccount, Region: testRegion})
}

// must returns a value that has to be had.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantError checks the code and a part of the message.
func wantError(t testing.TB, err error, code, text string) {
	t.Helper()
	var e *shape.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, text) {
		t.Errorf("error is %v, want %s: … %s …", err, code, text)
	}
}

func newAPI(t testing.TB, s *Service, ctx context.Context) string {
	t.Helper()
	out := must(s.CreateApi(ctx, &v2.CreateApiRequest{Name: "test", ProtocolType: "HTTP"}))(t)
	return *out.ApiId
}

func newIntegration(t testing.TB, s *Service, ctx context.Context, api string) string {
	t.Helper()
	out := must(s.CreateIntegration(ctx, &v2.CreateIntegrationRequest{ApiId: api, IntegrationType: "AWS_PROXY",
		IntegrationUri: shape.Ptr(testFunction), PayloadFormatVersion: shape.Ptr("2.0")}))(t)
	return *out.IntegrationId
}

func newRoute(t testing.TB, s *Service, ctx context.Context, api, key, integration string) string {
	t.Helper()
	in := &v2.CreateRouteRequest{ApiId: api, RouteKey: key}
	if integration != "" {
		in.Target = shape.Ptr("integrations/" + integration)
	}
	return *must(s.CreateRoute(ctx, in))(t).RouteId
}

func newStage(t testing.TB, s *Service, ctx context.Context, api, name string, auto bool) {
	t.Helper()
	must(s.CreateStage(ctx, &v2.CreateStageRequest{ApiId: api, StageName: name, AutoDeploy: &auto}))(t)
}

func TestLifeOfAnAPI(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		made := must(s.CreateApi(ctx, &v2.CreateApiRequest{Name: "pets", ProtocolType: "HTTP", Tags: map[string]string{"a": "1"}}))(t)
		id := *made.ApiId
		if *made.ApiEndpoint != "http://127.0.0.1:4566/_aws/execute-api/"+id || *made.ApiKeySelectionExpression != "$request.header.x-api-key" ||
			*made.RouteSelectionExpression != "$request.method $request.path" || *made.DisableExecuteApiEndpoint || *made.IpAddressType != "ipv4" || made.CreatedDate == nil {
			t.Errorf("CreateApi answered %+v", made)
		}
		must(s.UpdateApi(ctx, &v2.UpdateApiRequest{ApiId: id, Description: shape.Ptr("all pets"), CorsConfiguration: &v2.Cors{AllowOrigins: []string{"*"}}}))(t)
		if got := must(s.GetApi(ctx, &v2.GetApiRequest{ApiId: id}))(t); *got.Name != "pets" || *got.Description != "all pets" || got.CorsConfiguration == nil {
			t.Errorf("after the update: %+v", got)
		}
		must(s.DeleteCorsConfiguration(ctx, &v2.DeleteCorsConfigurationRequest{ApiId: id}))(t)
		if got := must(s.GetApi(ctx, &v2.GetApiRequest{ApiId: id}))(t); got.CorsConfiguration != nil {
			t.Error("the CORS configuration is still there")
		}
		arn := "arn:aws:apigateway:us-east-1::/apis/" + id
		must(s.TagResource(ctx, &v2.TagResourceRequest{ResourceArn: arn, Tags: map[string]string{"b": "2"}}))(t)
		must(s.UntagResource(ctx, &v2.UntagResourceRequest{ResourceArn: arn, TagKeys: []string{"a"}}))(t)
		if got := must(s.GetTags(ctx, &v2.GetTagsRequest{ResourceArn: arn}))(t); len(got.Tags) != 1 || got.Tags["b"] != "2" {
			t.Errorf("tags are %v", got.Tags)
		}
		integration := newIntegration(t, s, ctx, id)
		route := newRoute(t, s, ctx, id, "GET /pets", integration)
		newStage(t, s, ctx, id, "$default", true)
		if snap := must(s.Snapshot(ctx, id, "$default"))(t); snap.Match("GET", "/pets") == nil {
			t.Error("the route is not served")
		}

		_, err := s.CreateRoute(ctx, &v2.CreateRouteRequest{ApiId: id, RouteKey: "GET /pets"})
		wantError(t, err, "ConflictException", "Route with key GET /pets already exists for this API")
		_, err = s.DeleteIntegration(ctx, &v2.DeleteIntegrationRequest{ApiId: id, IntegrationId: integration})
		wantError(t, err, "ConflictException", "GET /pets")
		_, err = s.CreateStage(ctx, &v2.CreateStageRequest{ApiId: id, StageName: "$default"})
		wantError(t, err, "ConflictException", "Stage already exists")
		elsewhere := wire.WithCall(t.Context(), &wire.Call{Region: "eu-west-1"})
		_, err = s.GetApi(elsewhere, &v2.GetApiRequest{ApiId: id})
		wantError(t, err, "NotFoundException", "Invalid API identifier specified 000000000000:"+id)
		_, err = s.GetRoute(ctx, &v2.GetRouteRequest{ApiId: id, RouteId: "none"})
		wantError(t, err, "NotFoundException", "Invalid Route identifier specified")

		must(s.DeleteRoute(ctx, &v2.DeleteRouteRequest{ApiId: id, RouteId: route}))(t)
		must(s.DeleteIntegration(ctx, &v2.DeleteIntegrationRequest{ApiId: id, IntegrationId: integration}))(t)
		if snap := must(s.Snapshot(ctx, id, "$default"))(t); snap.Match("GET", "/pets") != nil {
			t.Error("the deleted route is still served")
		}
		must(s.DeleteApi(ctx, &v2.DeleteApiRequest{ApiId: id}))(t)
		if _, err := s.Snapshot(ctx, id, "$default"); !errors.Is(err, ErrNoAPI) {
			t.Errorf("the snapshot of a deleted API is %v", err)
		}
		_, err = s.GetStages(ctx, &v2.GetStagesRequest{ApiId: id})
		wantError(t, err, "NotFoundException", id)
	})
}

func TestPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		api := newAPI(t, s, ctx)
		for i := range 7 {
			newRoute(t, s, ctx, api, fmt.Sprintf("GET /%d", i), "")
		}
		seen := map[string]bool{}
		in := &v2.GetRoutesRequest{ApiId: api, MaxResults: shape.Ptr("3")}
		for pages := 1; ; pages++ {
			out := must(s.GetRoutes(ctx, in))(t)
			for _, r := range out.Items {
				seen[r.RouteKey] = true
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				if pages != 3 || len(seen) != 7 {
					t.Errorf("%d routes on %d pages", len(seen), pages)
				}
				break
			}
		}
		_, err := s.GetRoutes(ctx, &v2.GetRoutesRequest{ApiId: api, MaxResults: shape.Ptr("x")})
		wantError(t, err, "BadRequestException", "maxResults")
	})
}

func TestDeployments(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		api := newAPI(t, s, ctx)
		_, err := s.CreateDeployment(ctx, &v2.CreateDeploymentRequest{ApiId: api})
		wantError(t, err, "BadRequestException", "At least one route is required")
		integration := newIntegration(t, s, ctx, api)
		newRoute(t, s, ctx, api, "GET /one", integration)
		newStage(t, s, ctx, api, "prod", false)
		newStage(t, s, ctx, api, "$default", true)

		serves := func(stage, path string, want bool) {
			t.Helper()
			if got := must(s.Snapshot(ctx, api, stage))(t).Match("GET", path) != nil; got != want {
				t.Errorf("stage %s serves %s: %v", stage, path, got)
			}
		}
		serves("prod", "/one", false)
		serves("$default", "/one", true)
		first := must(s.CreateDeployment(ctx, &v2.CreateDeploymentRequest{ApiId: api, StageName: shape.Ptr("prod")}))(t)
		serves("prod", "/one", true)
		newRoute(t, s, ctx, api, "GET /two", integration)
		serves("prod", "/two", false)
		serves("$default", "/two", true)
		second := must(s.CreateDeployment(ctx, &v2.CreateDeploymentRequest{ApiId: api}))(t)
		serves("prod", "/two", false)
		must(s.UpdateStage(ctx, &v2.UpdateStageRequest{ApiId: api, StageName: "prod", DeploymentId: second.DeploymentId}))(t)
		serves("prod", "/two", true)
		_, err = s.DeleteDeployment(ctx, &v2.DeleteDeploymentRequest{ApiId: api, DeploymentId: *second.DeploymentId})
		wantError(t, err, "BadRequestException", "Active stages")
		must(s.DeleteDeployment(ctx, &v2.DeleteDeploymentRequest{ApiId: api, DeploymentId: *first.DeploymentId}))(t)

		_, err = s.CreateDeployment(ctx, &v2.CreateDeploymentRequest{ApiId: api, StageName: shape.Ptr("$default")})
		wantError(t, err, "BadRequestException", "AutoDeploy is enabled")
		// What is served stays when automatic deployment is turned off.
		st := must(s.UpdateStage(ctx, &v2.UpdateStageRequest{ApiId: api, StageName: "$default", AutoDeploy: shape.Ptr(false)}))(t)
		if st.DeploymentId == nil {
			t.Fatal("the stage points to no deployment")
		}
		newRoute(t, s, ctx, api, "GET /three", integration)
		serves("$default", "/two", true)
		serves("$default", "/three", false)
	})
}

func TestQuickCreate(t *testing.T) {
	s, ctx := start(t, storetest.Open(t, "memory:"))
	api := must(s.CreateApi(ctx, &v2.CreateApiRequest{Name: "q", ProtocolType: "HTTP", Target: shape.Ptr(testFunction)}))(t)
	snap := must(s.Snapshot(ctx, *api.ApiId, "$default"))(t)
	if r := snap.Match("POST", "/any/thing"); r == nil || r.Key != "$default" || r.Integration.FunctionARN != testFunction || r.Integration.Version != "2.0" {
		t.Errorf("the route is %+v", r)
	}
	must(s.UpdateApi(ctx, &v2.UpdateApiRequest{ApiId: *api.ApiId, Target: shape.Ptr("https://example.com/base"), RouteKey: shape.Ptr("ANY /x")}))(t)
	snap = must(s.Snapshot(ctx, *api.ApiId, "$default"))(t)
	if r := snap.Match("POST", "/x"); r == nil || r.Integration.URI != "https://example.com/base" || r.Integration.Method != "ANY" {
		t.Errorf("after the update the route is %+v", r)
	}
	_, err := s.CreateApi(ctx, &v2.CreateApiRequest{Name: "q", ProtocolType: "WEBSOCKET"})
	wantError(t, err, "BadRequestException", "WEBSOCKET")
	_, err = s.CreateApi(ctx, &v2.CreateApiRequest{Name: "q", ProtocolType: "HTTP", Target: shape.Ptr("nowhere")})
	wantError(t, err, "BadRequestException", "Invalid HTTP endpoint")
	if out := must(s.GetApis(ctx, &v2.GetApisRequest{}))(t); len(out.Items) != 1 {
		t.Errorf("a failed creation left %d APIs", len(out.Items))
	}
}

func TestRefusals(t *testing.T) {
	s, ctx := start(t, storetest.Open(t, "memory:"))
	api := newAPI(t, s, ctx)
	integration := newIntegration(t, s, ctx, api)
	jwt := must(s.CreateAuthorizer(ctx, &v2.CreateAuthorizerRequest{ApiId: api, Name: "jwt", AuthorizerType: "JWT", IdentitySource: []string{"$request.header.Authorization"},
		JwtConfiguration: &v2.JWTConfiguration{Issuer: shape.Ptr("https://example.com/"), Audience: []string{"a"}}}))(t)
	route := func(change func(*v2.CreateRouteRequest)) func() error {
		return func() error {
			in := &v2.CreateRouteRequest{ApiId: api, RouteKey: "GET /x", Target: shape.Ptr("integrations/" + integration)}
			change(in)
			_, err := s.CreateRoute(ctx, in)
			return err
		}
	}
	integ := func(change func(*v2.CreateIntegrationRequest)) func() error {
		return func() error {
			in := &v2.CreateIntegrationRequest{ApiId: api, IntegrationType: "HTTP_PROXY", IntegrationMethod: shape.Ptr("GET"),
				IntegrationUri: shape.Ptr("https://example.com/{proxy}"), PayloadFormatVersion: shape.Ptr("1.0")}
			change(in)
			_, err := s.CreateIntegration(ctx, in)
			return err
		}
	}
	auth := func(change func(*v2.CreateAuthorizerRequest)) func() error {
		return func() error {
			in := &v2.CreateAuthorizerRequest{ApiId: api, Name: "z", AuthorizerType: "JWT", IdentitySource: []string{"$request.querystring.token"},
				JwtConfiguration: &v2.JWTConfiguration{Issuer: shape.Ptr("https://example.com/"), Audience: []string{"a"}}}
			change(in)
			_, err := s.CreateAuthorizer(ctx, in)
			return err
		}
	}
	stage := func(change func(*v2.CreateStageRequest)) func() error {
		return func() error {
			in := &v2.CreateStageRequest{ApiId: api, StageName: "s"}
			change(in)
			_, err := s.CreateStage(ctx, in)
			return err
		}
	}
	for _, test := range []struct {
		name, text string
		call       func() error
	}{
		{"route key", "not formatted properly", route(func(in *v2.CreateRouteRequest) { in.RouteKey = "/x" })},
		{"route method", "not formatted properly", route(func(in *v2.CreateRouteRequest) { in.RouteKey = "FETCH /x" })},
		{"route end", "empty path segment", route(func(in *v2.CreateRouteRequest) { in.RouteKey = "GET /x/" })},
		{"route greedy", "must be at the end", route(func(in *v2.CreateRouteRequest) { in.RouteKey = "GET /{x+}/y" })},
		{"route variable", "whole segment", route(func(in *v2.CreateRouteRequest) { in.RouteKey = "GET /a{x}" })},
		{"route variable twice", "twice", route(func(in *v2.CreateRouteRequest) { in.RouteKey = "GET /{x}/{x}" })},
		{"route target", "Invalid target", route(func(in *v2.CreateRouteRequest) { in.Target = shape.Ptr(integration) })},
		{"route iam with an authorizer", "authorization type of the route is AWS_IAM", route(func(in *v2.CreateRouteRequest) {
			in.AuthorizationType, in.AuthorizerId = shape.Ptr("AWS_IAM"), shape.Ptr("abc")
		})},
		{"route custom", "CUSTOM", route(func(in *v2.CreateRouteRequest) { in.AuthorizationType = shape.Ptr("CUSTOM") })},
		{"route jwt", "requires a valid JWT authorizer", route(func(in *v2.CreateRouteRequest) { in.AuthorizationType = shape.Ptr("JWT") })},
		{"route wrong jwt", "requires a valid JWT authorizer", route(func(in *v2.CreateRouteRequest) {
			in.AuthorizationType, in.AuthorizerId = shape.Ptr("JWT"), shape.Ptr("no")
		})},
		{"route open with authorizer", "NONE", route(func(in *v2.CreateRouteRequest) { in.AuthorizerId = jwt.AuthorizerId })},
		{"route scopes", "scopes", route(func(in *v2.CreateRouteRequest) { in.AuthorizationScopes = []string{"a"} })},
		{"route key required", "WEBSOCKET", route(func(in *v2.CreateRouteRequest) { in.ApiKeyRequired = shape.Ptr(true) })},
		{"integration type", "proxy integrations (AWS_PROXY, HTTP_PROXY)", integ(func(in *v2.CreateIntegrationRequest) { in.IntegrationType = "MOCK" })},
		{"integration version", "PayloadFormatVersion is a required", integ(func(in *v2.CreateIntegrationRequest) { in.PayloadFormatVersion = nil })},
		{"integration version 2", "Invalid payload format version", integ(func(in *v2.CreateIntegrationRequest) { in.PayloadFormatVersion = shape.Ptr("2.0") })},
		{"integration timeout", "between 50 ms and 30000 ms", integ(func(in *v2.CreateIntegrationRequest) { in.TimeoutInMillis = shape.Ptr[int64](30001) })},
		{"integration method", "HttpMethod must be specified", integ(func(in *v2.CreateIntegrationRequest) { in.IntegrationMethod = nil })},
		{"integration uri", "Invalid HTTP endpoint", integ(func(in *v2.CreateIntegrationRequest) { in.IntegrationUri = shape.Ptr("ftp://x/") })},
		{"integration function", "Invalid function ARN", integ(func(in *v2.CreateIntegrationRequest) { in.IntegrationType = "AWS_PROXY" })},
		{"integration vpc", "VPC_LINK", integ(func(in *v2.CreateIntegrationRequest) { in.ConnectionType = shape.Ptr("VPC_LINK") })},
		{"integration subtype", "SQS-SendMessage", integ(func(in *v2.CreateIntegrationRequest) {
			in.IntegrationType, in.IntegrationSubtype = "AWS_PROXY", shape.Ptr("SQS-SendMessage")
		})},
		{"mapping of a cookie place", "Invalid mapping expression parameter specified: overwrite:cookie.a", integ(func(in *v2.CreateIntegrationRequest) {
			in.RequestParameters = map[string]string{"overwrite:cookie.a": "b"}
		})},
		{"mapping of a path, appended", "append:path", integ(func(in *v2.CreateIntegrationRequest) { in.RequestParameters = map[string]string{"append:path": "b"} })},
		{"mapping of a status of a request", "overwrite:statuscode", integ(func(in *v2.CreateIntegrationRequest) {
			in.RequestParameters = map[string]string{"overwrite:statuscode": "200"}
		})},
		{"mapping of a reserved header", "Operations on header authorization are restricted", integ(func(in *v2.CreateIntegrationRequest) {
			in.RequestParameters = map[string]string{"overwrite:header.Authorization": "b"}
		})},
		{"mapping of a reserved family", "Operations on header x-amz-date are restricted", integ(func(in *v2.CreateIntegrationRequest) {
			in.RequestParameters = map[string]string{"remove:header.X-Amz-Date": "''"}
		})},
		{"mapping from nowhere", "Invalid mapping expression specified: $request.cookie.a", integ(func(in *v2.CreateIntegrationRequest) {
			in.RequestParameters = map[string]string{"append:header.a": "$request.cookie.a"}
		})},
		{"mapping from an answer", "Invalid mapping expression specified: $response.header.a", integ(func(in *v2.CreateIntegrationRequest) {
			in.RequestParameters = map[string]string{"append:header.a": "$response.header.a"}
		})},
		{"mapping of a deep scan", "$request.body..a", integ(func(in *v2.CreateIntegrationRequest) {
			in.RequestParameters = map[string]string{"append:header.a": "$request.body..a"}
		})},
		{"mapping of a filter", "$request.body.a[?(@.b)]", integ(func(in *v2.CreateIntegrationRequest) {
			in.RequestParameters = map[string]string{"append:header.a": "${request.body.a[?(@.b)]}"}
		})},
		{"mapping that is long", "longer than 512", integ(func(in *v2.CreateIntegrationRequest) {
			in.RequestParameters = map[string]string{"append:header.a": strings.Repeat("a", 513)}
		})},
		{"mapping of an answer's query", "overwrite:querystring.a", integ(func(in *v2.CreateIntegrationRequest) {
			in.ResponseParameters = map[string]map[string]string{"200": {"overwrite:querystring.a": "b"}}
		})},
		{"mapping of status 99", "Invalid response parameters key specified: 99", integ(func(in *v2.CreateIntegrationRequest) {
			in.ResponseParameters = map[string]map[string]string{"99": {"overwrite:header.a": "b"}}
		})},
		{"mapping to status 99", "Invalid status code specified: 99", integ(func(in *v2.CreateIntegrationRequest) {
			in.ResponseParameters = map[string]map[string]string{"200": {"overwrite:statuscode": "99"}}
		})},
		{"integration tls", "TlsConfig", integ(func(in *v2.CreateIntegrationRequest) { in.TlsConfig = &v2.TlsConfigInput{} })},
		{"authorizer type", "Invalid authorizer type", auth(func(in *v2.CreateAuthorizerRequest) { in.AuthorizerType = "TOKEN" })},
		{"function authorizer without format", "AuthorizerPayloadFormatVersion is a required parameter", auth(request(func(in *v2.CreateAuthorizerRequest) { in.AuthorizerPayloadFormatVersion = nil }))},
		{"function authorizer of format 3", "Invalid authorizer payload format version", auth(request(func(in *v2.CreateAuthorizerRequest) { in.AuthorizerPayloadFormatVersion = shape.Ptr("3.0") }))},
		{"function authorizer, simple in format 1", "EnableSimpleResponses is only supported", auth(request(func(in *v2.CreateAuthorizerRequest) { in.AuthorizerPayloadFormatVersion = shape.Ptr("1.0") }))},
		{"function authorizer's URI", "Invalid Authorizer URI", auth(request(func(in *v2.CreateAuthorizerRequest) {
			in.AuthorizerUri = shape.Ptr("arn:aws:lambda:us-east-1:123456789012:function:f")
		}))},
		{"function authorizer's role", "Invalid credentials ARN", auth(request(func(in *v2.CreateAuthorizerRequest) { in.AuthorizerCredentialsArn = shape.Ptr("role") }))},
		{"function authorizer's source", "Invalid identity source", auth(request(func(in *v2.CreateAuthorizerRequest) { in.IdentitySource = []string{"$request.body.a"} }))},
		{"function authorizer's time", "TTL must be between", auth(request(func(in *v2.CreateAuthorizerRequest) { in.AuthorizerResultTtlInSeconds = shape.Ptr[int64](3601) }))},
		{"function authorizer that keeps for nobody", "IdentitySource is a required parameter", auth(request(func(in *v2.CreateAuthorizerRequest) {
			in.IdentitySource, in.AuthorizerResultTtlInSeconds = nil, shape.Ptr[int64](5)
		}))},
		{"authorizer of the other type", "JwtConfiguration is only supported", auth(func(in *v2.CreateAuthorizerRequest) { in.AuthorizerType = "REQUEST" })},
		{"authorizer source", "identity source", auth(func(in *v2.CreateAuthorizerRequest) { in.IdentitySource = []string{"Authorization"} })},
		{"authorizer issuer", "issuer", auth(func(in *v2.CreateAuthorizerRequest) { in.JwtConfiguration.Issuer = shape.Ptr("http://example.com") })},
		{"authorizer audience", "audiences", auth(func(in *v2.CreateAuthorizerRequest) { in.JwtConfiguration.Audience = nil })},
		{"authorizer uri", "AuthorizerUri", auth(func(in *v2.CreateAuthorizerRequest) { in.AuthorizerUri = shape.Ptr("arn") })},
		{"stage name", "Stage name", stage(func(in *v2.CreateStageRequest) { in.StageName = "a b" })},
		{"stage log", "Invalid ARN", stage(func(in *v2.CreateStageRequest) {
			in.AccessLogSettings = &v2.AccessLogSettings{DestinationArn: shape.Ptr("arn:aws:firehose:us-east-1:000000000000:deliverystream/x"), Format: shape.Ptr("$context.requestId")}
		})},
		{"stage variable", "stage variable", stage(func(in *v2.CreateStageRequest) { in.StageVariables = map[string]string{"a-b": "x"} })},
		{"stage both", "AutoDeploy is enabled", stage(func(in *v2.CreateStageRequest) { in.AutoDeploy, in.DeploymentId = shape.Ptr(true), shape.Ptr("x") })},
		{"stage execution log", "Execution logs", stage(func(in *v2.CreateStageRequest) {
			in.DefaultRouteSettings = &v2.RouteSettings{LoggingLevel: shape.Ptr("INFO")}
		})},
		{"api cors", "allowCredentials", func() error {
			_, err := s.UpdateApi(ctx, &v2.UpdateApiRequest{ApiId: api, CorsConfiguration: &v2.Cors{AllowCredentials: shape.Ptr(true), AllowOrigins: []string{"*"}}})
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) { wantError(t, test.call(), "BadRequestException", test.text) })
	}
	_, err := s.CreateStage(ctx, &v2.CreateStageRequest{ApiId: api, StageName: "s", DeploymentId: shape.Ptr("none")})
	wantError(t, err, "NotFoundException", "Deployment")
	err = route(func(in *v2.CreateRouteRequest) { in.Target = shape.Ptr("integrations/none") })()
	wantError(t, err, "NotFoundException", "Integration")
	if _, err := s.CreateVpcLink(ctx, &v2.CreateVpcLinkRequest{}); err == nil || !strings.Contains(err.Error(), "CreateVpcLink") {
		t.Errorf("CreateVpcLink: %v", err)
	}
}

func TestFunctionARN(t *testing.T) {
	for uri, want := range map[string]string{
		testFunction:           testFunction,
		testFunction + ":live": testFunction + ":live",
		"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + testFunction + "/invocations": testFunction,
		"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + testFunction:                  "",
		"arn:aws:apigateway:us-east-1:sqs:path/x":                                                        "",
		"arn:aws:s3:::bucket": "", "hello": "", "": "", "arn:aws:lambda:us-east-1:000000000000:function:": "",
	} {
		got, ok := functionARN(uri)
		if ok != (want != "") || ok && got != want {
			t.Errorf("functionARN(%q) = %q, %v", uri, got, ok)
		}
	}
}

func TestStageVariables(t *testing.T) {
	s, ctx := start(t, storetest.Open(t, "memory:"))
	api := newAPI(t, s, ctx)
	i := must(s.CreateIntegration(ctx, &v2.CreateIntegrationRequest{ApiId: api, IntegrationType: "AWS_PROXY", PayloadFormatVersion: shape.Ptr("2.0"),
		IntegrationUri: shape.Ptr("arn:aws:lambda:us-east-1:000000000000:function:${stageVariables.fn}")}))(t)
	newRoute(t, s, ctx, api, "GET /", *i.IntegrationId)
	must(s.CreateStage(ctx, &v2.CreateStageRequest{ApiId: api, StageName: "a", AutoDeploy: shape.Ptr(true), StageVariables: map[string]string{"fn": "hello"}}))(t)
	newStage(t, s, ctx, api, "b", true)
	if got := must(s.Snapshot(ctx, api, "a"))(t).Match("GET", "/").Integration; got.FunctionARN != testFunction {
		t.Errorf("the integration is %+v", got)
	}
	if got := must(s.Snapshot(ctx, api, "b"))(t).Match("GET", "/").Integration; !strings.Contains(got.Fault, "fn") {
		t.Errorf("without the variable the integration is %+v", got)
	}
	st := must(s.UpdateStage(ctx, &v2.UpdateStageRequest{ApiId: api, StageName: "a", StageVariables: map[string]string{"fn": "", "other": "x"}}))(t)
	if len(st.StageVariables) != 1 || st.StageVariables["other"] != "x" {
		t.Errorf("variables are %v", st.StageVariables)
	}

	// The role that an integration acts as.
	i = must(s.CreateIntegration(ctx, &v2.CreateIntegrationRequest{ApiId: api, IntegrationType: "AWS_PROXY", PayloadFormatVersion: shape.Ptr("2.0"),
		IntegrationUri: shape.Ptr(testFunction), CredentialsArn: shape.Ptr("arn:aws:iam::000000000000:${stageVariables.who}")}))(t)
	newRoute(t, s, ctx, api, "GET /role", *i.IntegrationId)
	for who, want := range map[string]string{"role/invoke": "", "user/me": "not the ARN of a role"} {
		must(s.UpdateStage(ctx, &v2.UpdateStageRequest{ApiId: api, StageName: "a", StageVariables: map[string]string{"who": who}}))(t)
		got := must(s.Snapshot(ctx, api, "a"))(t).Match("GET", "/role").Integration
		if (got.Fault == "") != (want == "") || !strings.Contains(got.Fault, want) || got.Credentials != "arn:aws:iam::000000000000:"+who {
			t.Errorf("with %s the integration is %+v", who, got)
		}
	}
	if got := must(s.Snapshot(ctx, api, "b"))(t).Match("GET", "/role").Integration; !strings.Contains(got.Fault, "stage variable that the stage does not have: who") {
		t.Errorf("without the variable the integration is %+v", got)
	}
}

// TestWebSocket: there is nothing of what only WebSocket APIs have, and none is made.
func TestWebSocket(t *testing.T) {
	s, ctx := start(t, storetest.Open(t, "memory:"))
	id := newAPI(t, s, ctx)
	i := newIntegration(t, s, ctx, id)
	r := newRoute(t, s, ctx, id, "GET /", i)
	if n := len(must(s.GetModels(ctx, &v2.GetModelsRequest{ApiId: id}))(t).Items) + len(must(s.GetIntegrationResponses(ctx, &v2.GetIntegrationResponsesRequest{ApiId: id, IntegrationId: i}))(t).Items) +
		len(must(s.GetRouteResponses(ctx, &v2.GetRouteResponsesRequest{ApiId: id, RouteId: r}))(t).Items) + len(must(s.GetVpcLinks(ctx, &v2.GetVpcLinksRequest{}))(t).Items); n != 0 {
		t.Errorf("there are %d", n)
	}
	_, err := s.GetModels(ctx, &v2.GetModelsRequest{ApiId: "no"})
	wantError(t, err, "NotFoundException", "Invalid API identifier")
	_, err = s.GetRouteResponses(ctx, &v2.GetRouteResponsesRequest{ApiId: id, RouteId: "no"})
	wantError(t, err, "NotFoundException", "Invalid Route identifier")
	for name, call := range map[string]func() error{
		"CreateModel": func() error { _, err := s.CreateModel(ctx, &v2.CreateModelRequest{ApiId: id}); return err },
		"CreateIntegrationResponse": func() error {
			_, err := s.CreateIntegrationResponse(ctx, &v2.CreateIntegrationResponseRequest{ApiId: id})
			return err
		},
		"CreateRouteResponse": func() error {
			_, err := s.CreateRouteResponse(ctx, &v2.CreateRouteResponseRequest{ApiId: id})
			return err
		},
		"CreateVpcLink": func() error { _, err := s.CreateVpcLink(ctx, &v2.CreateVpcLinkRequest{}); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// request makes an authorizer one that asks a function.
func request(change func(*v2.CreateAuthorizerRequest)) func(*v2.CreateAuthorizerRequest) {
	return func(in *v2.CreateAuthorizerRequest) {
		in.AuthorizerType, in.JwtConfiguration = "REQUEST", nil
		in.AuthorizerUri = shape.Ptr("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f/invocations")
		in.AuthorizerPayloadFormatVersion, in.EnableSimpleResponses = shape.Ptr("2.0"), shape.Ptr(true)
		change(in)
	}
}

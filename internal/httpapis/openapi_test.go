package httpapis

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

func pets(t testing.TB) string {
	t.Helper()
	body, err := os.ReadFile("testdata/pets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func (s *Service) keys(t testing.TB, ctx context.Context, api string) []string {
	t.Helper()
	var out []string
	for _, r := range must(s.GetRoutes(ctx, &v2.GetRoutesRequest{ApiId: api}))(t).Items {
		out = append(out, r.RouteKey)
	}
	slices.Sort(out)
	return out
}

func TestImport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		out := must(s.ImportApi(ctx, &v2.ImportApiRequest{Body: pets(t)}))(t)
		id := *out.ApiId
		if *out.Name != "Pets" || *out.Version != "2026-01-02" || *out.Description != "A store of pets." || !*out.DisableExecuteApiEndpoint || *out.ProtocolType != "HTTP" ||
			!maps.Equal(out.Tags, map[string]string{"team": "blue"}) || *out.CorsConfiguration.MaxAge != 300 || !*out.CorsConfiguration.AllowCredentials {
			t.Errorf("the API is %+v", out)
		}
		if len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], onlyProxies) {
			t.Errorf("the warnings are %q", out.Warnings)
		}
		want := []string{"Models are not supported", "requestBody of 'POST /pets'", "passthroughBehavior is not supported"}
		slices.Sort(out.ImportInfo)
		for i, text := range want {
			if len(out.ImportInfo) != len(want) || !strings.Contains(out.ImportInfo[i], text) {
				t.Errorf("the info is %q", out.ImportInfo)
			}
		}
		must(s.CreateStage(ctx, &v2.CreateStageRequest{ApiId: id, StageName: "prod", AutoDeploy: shape.Ptr(true), StageVariables: map[string]string{"version": "v2"}}))(t)
		snap := must(s.Snapshot(ctx, id, "prod"))(t)
		root, list, post := snap.Match("GET", "/"), snap.Match("GET", "/pets"), snap.Match("POST", "/pets")
		if root.Authorizer != nil || root.IAM || root.Integration.FunctionARN != testFunction || root.Integration.ID != list.Integration.ID || root.Integration.Version != "2.0" {
			t.Errorf("GET / is %+v", root)
		}
		if z := list.Authorizer; z.Issuer != "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_QLBISRQwA" || z.Audience[0] != "client" || len(z.IdentitySources) != 2 || list.Scopes[0] != "pets/read" {
			t.Errorf("GET /pets is %+v of %+v", list, z)
		}
		if z := post.Authorizer; !z.Simple || z.Version != "2.0" || z.TTL != time.Minute || z.IdentitySources[0].Header != "X-Token" {
			t.Errorf("POST /pets has the authorizer %+v", z)
		}
		if i := post.Integration; i.Version != "1.0" || i.Timeout != time.Second || i.Credentials != "arn:aws:iam::000000000000:role/invoke" || i.FunctionARN != testFunction {
			t.Errorf("POST /pets leads to %+v", i)
		}
		if r := snap.Match("GET", "/pets/7"); !r.IAM || r.Integration.URI != "https://backend.example.com/v2/pets/{id}" || len(r.Integration.Request) != 2 || len(r.Integration.Response) != 2 {
			t.Errorf("GET /pets/{id} is %+v to %+v", r, r.Integration)
		}
		if r := snap.Match("PUT", "/files/a/b"); r.Key != "ANY /files/{path+}" || r.Integration != nil || r.Authorizer != nil {
			t.Errorf("ANY /files/{path+} is %+v", r)
		}
		if r := snap.Match("PUT", "/nothing"); r.Key != "$default" {
			t.Errorf("PUT /nothing finds %+v", r)
		}
		_, err := s.ImportApi(ctx, &v2.ImportApiRequest{Body: pets(t), FailOnWarnings: shape.Ptr(true)})
		wantError(t, err, "BadRequestException", "Warnings found during import:\n\tIgnoring the integration of 'ANY /files/{path+}'")

		for mode, want := range map[string]string{"ignore": "GET /pets", "prepend": "GET /v1/store/pets", "split": "GET /store/pets"} {
			out := must(s.ImportApi(ctx, &v2.ImportApiRequest{Body: pets(t), Basepath: &mode}))(t)
			if got := s.keys(t, ctx, *out.ApiId); !slices.Contains(got, want) || !slices.Contains(got, "$default") || !slices.Contains(got, strings.TrimSuffix(want, "pets")) && !slices.Contains(got, strings.TrimSuffix(want, "/pets")) {
				t.Errorf("basepath %s made %q", mode, got)
			}
		}
	})
}

func TestReimport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		id := newAPI(t, s, ctx)
		i := newIntegration(t, s, ctx, id)
		kept := newRoute(t, s, ctx, id, "GET /pets", i)
		newRoute(t, s, ctx, id, "GET /gone", i)
		newStage(t, s, ctx, id, "live", true)
		newStage(t, s, ctx, id, "deployed", false)
		d := must(s.CreateDeployment(ctx, &v2.CreateDeploymentRequest{ApiId: id, StageName: shape.Ptr("deployed")}))(t)
		must(s.TagResource(ctx, &v2.TagResourceRequest{ResourceArn: "arn:aws:apigateway:us-east-1::/apis/" + id, Tags: map[string]string{"own": "1"}}))(t)

		out := must(s.ReimportApi(ctx, &v2.ReimportApiRequest{ApiId: id, Body: pets(t)}))(t)
		if *out.ApiId != id || *out.Name != "Pets" || len(out.Tags) != 2 || len(out.Warnings) != 1 {
			t.Errorf("the API is %+v", out)
		}
		if got := s.keys(t, ctx, id); len(got) != 6 || slices.Contains(got, "GET /gone") {
			t.Errorf("the routes are %q", got)
		}
		must(s.GetRoute(ctx, &v2.GetRouteRequest{ApiId: id, RouteId: kept}))(t)
		if r := must(s.Snapshot(ctx, id, "live"))(t).Match("GET", "/gone"); r.Key != "$default" {
			t.Errorf("the stage that deploys by itself serves %s", r.Key)
		}
		if r := must(s.Snapshot(ctx, id, "deployed"))(t).Match("GET", "/gone"); r == nil || r.Key != "GET /gone" {
			t.Errorf("the stage of a deployment serves %+v", r)
		}
		must(s.GetDeployment(ctx, &v2.GetDeploymentRequest{ApiId: id, DeploymentId: *d.DeploymentId}))(t)

		// Authorizers keep their ids; what a document does not say any more is gone; nothing is changed by one that fails.
		z := must(s.GetAuthorizers(ctx, &v2.GetAuthorizersRequest{ApiId: id}))(t)
		must(s.ReimportApi(ctx, &v2.ReimportApiRequest{ApiId: id, Body: pets(t)}))(t)
		if d := cmp.Diff(z, must(s.GetAuthorizers(ctx, &v2.GetAuthorizersRequest{ApiId: id}))(t)); d != "" {
			t.Error(d)
		}
		small := `{"openapi":"3.0.1","info":{"title":"Small"},"paths":{"/a":{"get":{}}}}`
		out = must(s.ReimportApi(ctx, &v2.ReimportApiRequest{ApiId: id, Body: small}))(t)
		if out.CorsConfiguration != nil || out.Description != nil || *out.DisableExecuteApiEndpoint || len(must(s.GetAuthorizers(ctx, &v2.GetAuthorizersRequest{ApiId: id}))(t).Items) != 0 ||
			len(must(s.GetIntegrations(ctx, &v2.GetIntegrationsRequest{ApiId: id}))(t).Items) != 0 {
			t.Errorf("the API is %+v", out)
		}
		_, err := s.ReimportApi(ctx, &v2.ReimportApiRequest{ApiId: id, Body: `{"openapi":"3.0.1","paths":{"/b":{"get":{}},"/c":{"get":{"security":[{"none":[]}]}}}}`})
		wantError(t, err, "BadRequestException", "asks for the security scheme 'none'")
		if got := s.keys(t, ctx, id); !slices.Equal(got, []string{"GET /a"}) {
			t.Errorf("half an import is there: %q", got)
		}
		_, err = s.ReimportApi(ctx, &v2.ReimportApiRequest{ApiId: "nothere", Body: small})
		wantError(t, err, "NotFoundException", "Invalid API identifier specified")
	})
}

// TestRoundTrip: what is exported and imported again is the same API.
func TestRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		first := *must(s.ImportApi(ctx, &v2.ImportApiRequest{Body: pets(t)}))(t).ApiId
		newStage(t, s, ctx, first, "auto", true)
		newStage(t, s, ctx, first, "empty", false)
		newStage(t, s, ctx, first, "prod", false)
		must(s.CreateDeployment(ctx, &v2.CreateDeploymentRequest{ApiId: first, StageName: shape.Ptr("prod")}))(t)
		// An API with places in the place of ids.
		shot := func(id string) string {
			a := must(s.GetApi(ctx, &v2.GetApiRequest{ApiId: id}))(t)
			var c *config
			err := s.db.View(ctx, func(tx *store.Tx) (err error) {
				full, err := s.api(ctx, tx, id)
				if err == nil {
					c, err = live(tx, full)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(c.Routes, func(a, b *route) int { return strings.Compare(*a.RouteKey, *b.RouteKey) })
			slices.SortFunc(c.Authorizers, func(a, b *authorizer) int { return strings.Compare(*a.Name, *b.Name) })
			slices.SortFunc(c.Integrations, func(a, b *integration) int {
				return strings.Compare(openapi.JSON(integrationDocument(a)), openapi.JSON(integrationDocument(b)))
			})
			a.ApiId, a.ApiEndpoint, a.CreatedDate = nil, nil, nil
			names := []string{}
			for i, r := range c.Routes {
				names = append(names, *r.RouteId, "route"+string(rune('0'+i)))
			}
			for i, z := range c.Authorizers {
				names = append(names, *z.AuthorizerId, "authorizer"+string(rune('0'+i)))
			}
			for i, z := range c.Integrations {
				names = append(names, *z.IntegrationId, "integration"+string(rune('0'+i)))
			}
			text, _ := json.MarshalIndent(map[string]any{"api": a, "config": c}, "", " ")
			return strings.NewReplacer(names...).Replace(string(text))
		}
		for _, stage := range []string{"", "auto", "prod"} {
			for _, output := range []string{"JSON", "YAML"} {
				doc := must(s.ExportApi(ctx, &v2.ExportApiRequest{ApiId: first, OutputType: output, Specification: "OAS30", StageName: opt(stage), ExportVersion: shape.Ptr("1.0")}))(t)
				second, err := s.ImportApi(ctx, &v2.ImportApiRequest{Body: string(doc.Body), FailOnWarnings: shape.Ptr(true)})
				if err != nil {
					t.Fatalf("%s of %q: %v\n%s", output, stage, err, doc.Body)
				}
				if d := cmp.Diff(shot(first), shot(*second.ApiId)); d != "" {
					t.Errorf("%s of %q: %s", output, stage, d)
				}
			}
		}
		doc := string(must(s.ExportApi(ctx, &v2.ExportApiRequest{ApiId: first, OutputType: "JSON", Specification: "OAS30", IncludeExtensions: shape.Ptr(false), StageName: shape.Ptr("prod")}))(t).Body)
		for _, no := range []string{openapi.XIntegration, openapi.XAuthorizer, openapi.XCORS, openapi.XTagValue, openapi.XImportVersion} {
			if strings.Contains(doc, no) {
				t.Errorf("%s is exported unasked", no)
			}
		}
		for _, yes := range []string{`"default": "prod"`, `"Generated path parameter for path+"`, `"Default response for GET /pets/{id}"`, `"operationId": "listPets"`} {
			if !strings.Contains(doc, yes) {
				t.Errorf("%s is not exported: %s", yes, doc)
			}
		}
		for _, c := range []struct {
			in   v2.ExportApiRequest
			code string
			text string
		}{
			{v2.ExportApiRequest{ApiId: first, OutputType: "JSON", Specification: "OAS31"}, "BadRequestException", "OAS31"},
			{v2.ExportApiRequest{ApiId: first, OutputType: "XML", Specification: "OAS30"}, "BadRequestException", "XML"},
			{v2.ExportApiRequest{ApiId: first, OutputType: "JSON", Specification: "OAS30", ExportVersion: shape.Ptr("2.0")}, "BadRequestException", "2.0"},
			{v2.ExportApiRequest{ApiId: first, OutputType: "JSON", Specification: "OAS30", StageName: shape.Ptr("no")}, "NotFoundException", "Invalid Stage identifier"},
			{v2.ExportApiRequest{ApiId: first, OutputType: "JSON", Specification: "OAS30", StageName: shape.Ptr("empty")}, "BadRequestException", "no deployment"},
			{v2.ExportApiRequest{ApiId: "no", OutputType: "JSON", Specification: "OAS30"}, "NotFoundException", "Invalid API identifier"},
		} {
			_, err := s.ExportApi(ctx, &c.in)
			wantError(t, err, c.code, c.text)
		}
	})
}

// TestDefinition: what a document may say, and what is said of it.
func TestDefinition(t *testing.T) {
	at := func(op string) string {
		return `{"openapi":"3.0.1","info":{"title":"a"},"paths":{"/a":{"get":` + op + `}},"components":{"securitySchemes":{"iam":{"type":"apiKey","name":"Authorization","in":"header","x-amazon-apigateway-authtype":"awsSigv4"},
			"jwt":{"type":"oauth2","x-amazon-apigateway-authorizer":{"type":"jwt","identitySource":["$request.header.Authorization"],"jwtConfiguration":{"audience":"c","issuer":"https://i.example.com"}}},
			"key":{"type":"apiKey","name":"x-api-key","in":"header"}}}}`
	}
	with := func(integration string) string { return at(`{"x-amazon-apigateway-integration":` + integration + `}`) }
	for _, c := range []struct{ name, body, errors, warnings string }{
		{"nothing", ``, "malformed", ""},
		{"neither", `{"info":{}}`, "neither swagger nor openapi", ""},
		{"2.0", `{"swagger":"2.0","info":{}}`, "only OpenAPI 3.0", ""},
		{"3.1", `{"openapi":"3.1.0"}`, "Unsupported OpenAPI version '3.1.0'", ""},
		{"bomb", "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]", "malformed", ""},
		{"deep", strings.Repeat("[", 1000), "malformed", ""},
		{"remote reference", `{"openapi":"3.0.1","paths":{"/a":{"$ref":"http://169.254.169.254/x"}}}`, "not supported", ""},
		{"circle", `{"openapi":"3.0.1","paths":{"/a":{"$ref":"#/paths/~1a"}}}`, "circle", ""},
		{"types", `{"openapi":"3.0.1","paths":[],"info":7,"tags":{},"components":{"securitySchemes":4},"servers":[1,"x"],"security":9}`, "", ""},
		{"path that is none", `{"openapi":"3.0.1","paths":{"/a":1}}`, "not an object", ""},
		{"path", `{"openapi":"3.0.1","paths":{"/a b":{"get":{}}}}`, "Unable to create route 'GET /a b'", ""},
		{"variable", `{"openapi":"3.0.1","paths":{"/{a+}/b":{"get":{}}}}`, "must be at the end", ""},
		{"operation", `{"openapi":"3.0.1","paths":{"/a":{"get":1}}}`, "not an object", ""},
		{"method", `{"openapi":"3.0.1","paths":{"/a":{"trace":{},"any":{}}}}`, "", "unsupported method 'any'"},
		{"two defaults", `{"openapi":"3.0.1","paths":{"$default":{"x-amazon-apigateway-any-method":{}},"/$default":{"x-amazon-apigateway-any-method":{"isDefaultRoute":true}}}}`, "already exists", ""},
		{"version of the importer", `{"openapi":"3.0.1","x-amazon-apigateway-importexport-version":"2.0"}`, "Unsupported x-amazon-apigateway-importexport-version '2.0'", ""},
		{"CORS", `{"openapi":"3.0.1","x-amazon-apigateway-cors":{"allowOrigins":["*"],"allowCredentials":true}}`, "", "CORS Scheme is malformed, ignoring."},
		{"CORS that is none", `{"openapi":"3.0.1","x-amazon-apigateway-cors":true}`, "", "CORS Scheme is malformed, ignoring."},
		{"policy", `{"openapi":"3.0.1","x-amazon-apigateway-policy":{}}`, "", "x-amazon-apigateway-policy is not supported"},
		{"no integration", at(`{}`), "", ""},
		{"malformed integration", with(`"x"`), "malformed integration at 'GET /a'", ""},
		{"reference to no integration", with(`{"$ref":"#/components/x"}`), "cannot be resolved", ""},
		{"AWS", with(`{"type":"AWS","uri":"` + testFunction + `"}`), "", "Ignoring the integration of 'GET /a': Currently"},
		{"VPC link", with(`{"type":"http_proxy","connectionType":"VPC_LINK","connectionId":"x","httpMethod":"GET","uri":"http://a"}`), "VPC_LINK) are not supported", ""},
		{"subtype", with(`{"type":"aws_proxy","integrationSubtype":"SQS-SendMessage","payloadFormatVersion":"1.0"}`), "SQS-SendMessage", ""},
		{"method of a proxy", with(`{"type":"http_proxy","uri":"http://a"}`), "HttpMethod must be specified", ""},
		{"time-out", with(`{"type":"http_proxy","uri":"http://a","httpMethod":"GET","timeoutInMillis":49}`), "Timeout should be between", ""},
		{"TLS", with(`{"type":"http_proxy","uri":"http://a","httpMethod":"GET","tlsConfig":{"serverNameToVerify":"x"}}`), "TlsConfig", ""},
		{"TLS of REST APIs", with(`{"type":"http_proxy","uri":"http://a","httpMethod":"GET","tlsConfig":{"insecureSkipVerification":true}}`), "", "insecureSkipVerification"},
		{"mapping of REST APIs", with(`{"type":"http_proxy","uri":"http://a","httpMethod":"GET","requestParameters":{"integration.request.path.a":"method.request.path.a"}}`), "", "it is one of REST APIs"},
		{"mapping", with(`{"type":"http_proxy","uri":"http://a","httpMethod":"GET","requestParameters":{"append:cookie.a":"1"}}`), "Invalid mapping expression", ""},
		{"format as a number", with(`{"type":"aws_proxy","uri":"` + testFunction + `","payloadFormatVersion":2}`), "", ""},
		{"format", with(`{"type":"aws_proxy","uri":"` + testFunction + `","payloadFormatVersion":3}`), "Invalid payload format version", ""},
		{"IAM by the method", at(`{"x-amazon-apigateway-auth":{"type":"AWS_IAM"}}`), "", ""},
		{"a method's own that there is not", at(`{"x-amazon-apigateway-auth":{"type":"IAM"}}`), "its type must be NONE or AWS_IAM", ""},
		{"two in one", at(`{"security":[{"iam":[],"jwt":[]}]}`), "Multiple security requirements are not supported", ""},
		{"one or the other", at(`{"security":[{"iam":[]},{"jwt":[]}]}`), "Multiple security requirements are not supported", ""},
		{"API key beside", at(`{"security":[{"jwt":[],"key":[]}]}`), "", "'key' is no authorizer"},
		{"unknown scheme", at(`{"security":[{"jvt":[]}]}`), "asks for the security scheme 'jvt'", ""},
		{"SAM's none", at(`{"security":[{"NONE":[]}]}`), "", ""},
		{"optional", at(`{"security":[{}]}`), "", ""},
		{"security that is no list", at(`{"security":{"jwt":[]}}`), "Malformed security of route 'GET /a'", ""},
		{"a requirement that is no object", at(`{"security":["jwt"]}`), "Malformed security of route 'GET /a'", ""},
		{"the document's security", `{"openapi":"3.0.1","security":"jwt","paths":{"/a":{"get":{}}}}`, "Malformed security of route 'GET /a'", ""},
		{"authorizer that is no object", `{"openapi":"3.0.1","components":{"securitySchemes":{"a":{"type":"apiKey","x-amazon-apigateway-authorizer":"jwt"}}}}`, "Unable to create authorizer from security scheme 'a'", ""},
		{"authorizer without URI", `{"openapi":"3.0.1","components":{"securitySchemes":{"a":{"type":"apiKey","x-amazon-apigateway-authorizer":{"type":"request","authorizerPayloadFormatVersion":"2.0"}}}}}`, "Unable to create authorizer from security scheme 'a'", ""},
		{"authorizer of REST APIs", `{"openapi":"3.0.1","components":{"securitySchemes":{"a":{"type":"apiKey","x-amazon-apigateway-authorizer":{"type":"cognito_user_pools"}}}}}`, "Invalid authorizer type specified: COGNITO_USER_POOLS", ""},
	} {
		d, err := readDefinition(c.body, "", nil)
		if err == nil {
			if why := d.Refusal(false); why != "" {
				err = errors.New(why)
			}
		}
		if (c.errors == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.errors) {
			t.Errorf("%s: error is %v, want %q", c.name, err, c.errors)
		}
		if d != nil && (len(d.Warnings) > 0 && c.warnings == "" || !strings.Contains(strings.Join(d.Warnings, "\n"), c.warnings)) {
			t.Errorf("%s: warnings are %q, want %q", c.name, d.Warnings, c.warnings)
		}
	}
	if _, err := readDefinition(at(`{}`), "append", nil); err == nil {
		t.Error("a base path mode that there is not was taken")
	}
}

func FuzzDefinition(f *testing.F) {
	f.Add(pets(f), "prepend")
	f.Add(`{"openapi":"3.0.1","security":[{"a":["s"]}],"paths":{"/a/{b}":{"$ref":"#/paths/~1c"},"/c":{"x-amazon-apigateway-any-method":{"x-amazon-apigateway-integration":{"$ref":"#/components/i"}}}},"components":{"i":{"type":"http_proxy","uri":"http://a","httpMethod":"ANY"}}}`, "split")
	f.Add("openapi: 3.0.1\npaths: {/a: {get: {security: [{a: []}]}}}", "")
	f.Fuzz(func(t *testing.T, body, base string) {
		begun := time.Now()
		d, err := readDefinition(body, base, openapi.Variables(testAccount, testRegion))
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if err != nil || d.Refusal(false) != "" {
			return
		}
		for _, r := range d.routes {
			if _, _, err := parseRouteKey(*r.RouteKey); err != nil || r.target >= len(d.integrations) {
				t.Errorf("%+v: %v", r, err)
			}
			known := slices.ContainsFunc(d.authorizers, func(z *authorizer) bool { return *z.Name == r.authorizer })
			if kind := *r.AuthorizationType; known != (kind == v2.AuthorizationTypeJwt || kind == v2.AuthorizationTypeCustom) {
				t.Errorf("%s is open to %s with authorizer %q", *r.RouteKey, kind, r.authorizer)
			}
		}
	})
}

// objects is a bucket of documents.
type objects map[string]string

func (o objects) OpenObject(_ context.Context, bucket, key, version string) (io.ReadCloser, int64, error) {
	body, ok := o[bucket+"/"+key+"/"+version]
	if !ok {
		return nil, 0, errors.New("no such object")
	}
	return io.NopCloser(strings.NewReader(body)), int64(len(body)), nil
}

// TestResourceOfADocument goes through the life of an API as SAM emits it.
func TestResourceOfADocument(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		var reg resource.Registry
		for _, r := range s.Resources() {
			reg.Register(r)
		}
		h, _ := reg.Lookup("AWS::ApiGatewayV2::Api")
		request := func(id string, old, p map[string]any) *resource.Request {
			t.Helper()
			if err := reg.Check("AWS::ApiGatewayV2::Api", "HttpApi", p); err != nil {
				t.Fatal(err)
			}
			return &resource.Request{LogicalID: "HttpApi", StackName: "sam", Type: "AWS::ApiGatewayV2::Api", Token: "1", PhysicalID: id, Props: p, OldProps: old, Tags: map[string]string{"aws:cloudformation:stack-name": "sam"}}
		}
		first := props(t, `{"Body":{"openapi":"3.0.1","info":{"version":"1.0","title":"sam"},"tags":[{"name":"httpapi:createdBy","x-amazon-apigateway-tag-value":"SAM"}],
			"paths":{"/private":{"get":{"x-amazon-apigateway-integration":{"httpMethod":"POST","type":"aws_proxy","uri":"`+testFunction+`","payloadFormatVersion":"2.0"},"security":[{"Jwt":[]}],"responses":{}}},
			"/public":{"get":{"security":[{"NONE":[]}],"responses":{}}},"$default":{"x-amazon-apigateway-any-method":{"isDefaultRoute":true,"responses":{}}}},
			"components":{"securitySchemes":{"Jwt":{"type":"oauth2","x-amazon-apigateway-authorizer":{"jwtConfiguration":{"issuer":"https://i.example.com","audience":["c"]},"identitySource":"$request.header.Authorization","type":"jwt"}}}},
			"x-amazon-apigateway-cors":{"allowOrigins":["*"],"maxAge":"10","allowCredentials":"false"}},"Description":"of the property","FailOnWarnings":"true","Tags":{"own":"1"}}`)
		res := must(h.Handler.Create(ctx, request("", nil, first)))(t)
		again := must(h.Handler.Create(ctx, request("", nil, first)))(t)
		if id := res.PhysicalID; again.PhysicalID != id || !slices.Equal(s.keys(t, ctx, id), []string{"$default", "GET /private", "GET /public"}) {
			t.Errorf("made %s and %s", id, again.PhysicalID)
		}
		a := must(s.GetApi(ctx, &v2.GetApiRequest{ApiId: res.PhysicalID}))(t)
		if *a.Name != "sam" || *a.Description != "of the property" || *a.CorsConfiguration.MaxAge != 10 || len(a.Tags) != 3 || a.Tags["httpapi:createdBy"] != "SAM" {
			t.Errorf("the API is %+v", a)
		}

		s.objects = objects{"b/k/": `{"openapi":"3.0.1","info":{"title":"small"},"servers":[{"url":"/v1"}],"paths":{"/a":{"get":{}}}}`}
		second := props(t, `{"BodyS3Location":{"Bucket":"b","Key":"k"},"BasePath":"prepend","Name":"named"}`)
		must(h.Handler.Update(ctx, request(res.PhysicalID, first, second)))(t)
		if a = must(s.GetApi(ctx, &v2.GetApiRequest{ApiId: res.PhysicalID}))(t); *a.Name != "named" || a.CorsConfiguration != nil || len(a.Tags) != 1 || !slices.Equal(s.keys(t, ctx, res.PhysicalID), []string{"GET /v1/a"}) {
			t.Errorf("after the update the API is %+v", a)
		}

		for text, p := range map[string]string{
			"Target cannot be used": `{"Body":{},"Target":"https://a"}`,
			"WEBSOCKET":             `{"Body":{},"ProtocolType":"WEBSOCKET"}`,
			"info.title is missing": `{"Body":{"openapi":"3.0.1"}}`,
			"no such object":        `{"BodyS3Location":{"Bucket":"b","Key":"other"}}`,
			"Warnings found":        `{"Body":{"openapi":"3.0.1","info":{"title":"a"},"x-amazon-apigateway-cors":1},"FailOnWarnings":true}`,
		} {
			r := request("", nil, props(t, p))
			r.Token = text
			if _, err := h.Handler.Create(ctx, r); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", p, err)
			}
		}
		if err := h.Handler.Delete(ctx, request(res.PhysicalID, nil, second)); err != nil {
			t.Error(err)
		}
	})
}

func TestImportAsksForRoles(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		var asked []string
		s.ask = func(_ context.Context, action, resource, passedTo string) error {
			if asked = append(asked, action+" "+resource+" "+passedTo); strings.HasSuffix(resource, "/invoke") {
				return bad("no")
			}
			return nil
		}
		_, err := s.ImportApi(ctx, &v2.ImportApiRequest{Body: pets(t)})
		wantError(t, err, "BadRequestException", "no")
		if !slices.Contains(asked, "iam:PassRole arn:aws:iam::000000000000:role/invoke apigateway.amazonaws.com") {
			t.Errorf("asked %q", asked)
		}
	})
}

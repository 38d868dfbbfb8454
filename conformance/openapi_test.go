package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
)

// definition is an HTTP API that passes what it gets to an origin, or asks for a token first.
func definition(origin string) string {
	return `openapi: 3.0.1
info: {title: Pets, version: "1"}
tags: [{name: team, x-amazon-apigateway-tag-value: blue}]
paths:
  /pets/{id}:
    get:
      x-amazon-apigateway-integration:
        $ref: "#/components/x-amazon-apigateway-integrations/origin"
  /guarded:
    get:
      security: [{users: [pets/read]}]
      x-amazon-apigateway-integration:
        $ref: "#/components/x-amazon-apigateway-integrations/origin"
  /$default:
    x-amazon-apigateway-any-method:
      isDefaultRoute: true
      x-amazon-apigateway-integration: {type: http_proxy, httpMethod: ANY, uri: ` + origin + `/rest, payloadFormatVersion: 1.0}
  /old:
    get:
      x-amazon-apigateway-integration: {type: mock}
components:
  x-amazon-apigateway-integrations:
    origin: {type: http_proxy, httpMethod: GET, uri: "` + origin + `/pet", payloadFormatVersion: 1.0, requestParameters: {"append:querystring.id": $request.path.id}}
  securitySchemes:
    users:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: {issuer: "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEfGhI", audience: [me]}
x-amazon-apigateway-cors: {allowOrigins: ["https://www.example.com"], allowMethods: [GET]}
`
}

// TestOpenAPI: an HTTP API made of a document with the AWS CLI, served, exported, and made again with the SDK of what was
// exported; and one in a stack, as SAM emits it.
func TestOpenAPI(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		cli, dir, origin := s.aws(t), t.TempDir(), backend(t).URL
		write := func(name, text string) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		read := func(name string) string { return string(must(os.ReadFile(filepath.Join(dir, name)))(t)) }
		doc := write("api.yaml", definition(origin))

		cli.refused(t, "ImportApi", "BadRequestException | Warnings found during import:…", "apigatewayv2", "import-api", "--body", "file://"+doc, "--fail-on-warnings")
		made := cli.json(t, "apigatewayv2", "import-api", "--body", "file://"+doc)
		id, endpoint := at(t, made, "ApiId"), at(t, made, "ApiEndpoint")
		same(t, "the tags", at(t, made, "Tags.team"), "blue")
		if w := at(t, made, "Warnings.0"); !strings.Contains(w, "GET /old") {
			t.Errorf("the warning is %s", w)
		}
		cli.json(t, "apigatewayv2", "create-stage", "--api-id", id, "--stage-name", "$default", "--auto-deploy")
		cli.json(t, "apigatewayv2", "create-stage", "--api-id", id, "--stage-name", "prod")
		cli.json(t, "apigatewayv2", "create-deployment", "--api-id", id, "--stage-name", "prod")
		serves := func(endpoint string) {
			t.Helper()
			for path, want := range map[string]string{"/pets/7": "200 GET /pet?id=7", "/guarded": `401 {"message":"Unauthorized"}`, "/other": "200 GET /rest/other", "/old": `500 {"message":"Internal Server Error"}`} {
				status, _, body := get(t, endpoint+path)
				same(t, path, words(status, body), want)
			}
			_, h, _ := get(t, endpoint+"/pets/7", "Origin", "https://www.example.com")
			same(t, "CORS", h.Get("Access-Control-Allow-Origin"), "https://www.example.com")
		}
		serves(endpoint)

		cli.text(t, "apigatewayv2", "export-api", "--api-id", id, "--output-type", "YAML", "--specification", "OAS30", "--stage-name", "prod", filepath.Join(dir, "export.yaml"))
		cli.text(t, "apigatewayv2", "export-api", "--api-id", id, "--output-type", "JSON", "--specification", "OAS30", "--no-include-extensions", filepath.Join(dir, "bare.json"))
		if bare := read("bare.json"); strings.Contains(bare, "x-amazon-apigateway-integration") || !strings.Contains(bare, `"openapi": "3.0.1"`) {
			t.Errorf("without extensions the export is %s", bare)
		}

		// Again, with the SDK, of what was exported.
		c, ctx := apigatewayv2.NewFromConfig(s.config(t)), t.Context()
		again := must(c.ImportApi(ctx, &apigatewayv2.ImportApiInput{Body: aws.String(read("export.yaml")), FailOnWarnings: aws.Bool(true)}))(t)
		must(c.CreateStage(ctx, &apigatewayv2.CreateStageInput{ApiId: again.ApiId, StageName: aws.String("$default"), AutoDeploy: aws.Bool(true)}))(t)
		serves(*again.ApiEndpoint)
		one := must(c.ExportApi(ctx, &apigatewayv2.ExportApiInput{ApiId: again.ApiId, OutputType: aws.String("YAML"), Specification: aws.String("OAS30")}))(t)
		if text := string(one.Body); !strings.Contains(text, "x-amazon-apigateway-importexport-version: '1.0'") {
			t.Errorf("the export is %s", text)
		}

		// What a document does not say any more is gone, but for what was deployed.
		small := `{"openapi":"3.0.1","info":{"title":"Small"},"servers":[{"url":"/v1/api"}],"paths":{"/a":{"get":{}}}}`
		cli.refused(t, "ReimportApi", "BadRequestException | Unsupported OpenAPI version '2.0': …", "apigatewayv2", "reimport-api", "--api-id", id, "--body", `{"swagger":"2.0"}`)
		got := cli.json(t, "apigatewayv2", "reimport-api", "--api-id", id, "--body", small, "--basepath", "split")
		same(t, "the name", at(t, got, "Name"), "Small")
		routes := must(c.GetRoutes(ctx, &apigatewayv2.GetRoutesInput{ApiId: aws.String(id)}))(t).Items
		if len(routes) != 1 || *routes[0].RouteKey != "GET /api/a" || routes[0].AuthorizationType != apitypes.AuthorizationTypeNone {
			t.Errorf("the routes are %+v", routes)
		}
		serves(endpoint + "/prod")
		status, _, body := get(t, endpoint+"/pets/7")
		same(t, "what is gone", words(status, body), `404 {"message":"Not Found"}`)

		// A stack with a definition in a bucket, and one with it inline.
		cli.text(t, "s3", "mb", "s3://definitions")
		cli.text(t, "s3", "cp", doc, "s3://definitions/api.yaml")
		template := write("stack.json", `{"Parameters":{"Inline":{"Type":"String","Default":"no"}},"Conditions":{"Inline":{"Fn::Equals":[{"Ref":"Inline"},"yes"]}},"Resources":{
			"Api":{"Type":"AWS::ApiGatewayV2::Api","Properties":{"Description":"of the stack",
				"Body":{"Fn::If":["Inline",{"openapi":"3.0.1","info":{"title":{"Ref":"AWS::StackName"},"version":"1.0"},"paths":{"/in":{"get":{"security":[{"NONE":[]}],"responses":{},
					"x-amazon-apigateway-integration":{"type":"http_proxy","httpMethod":"GET","uri":"`+origin+`/in","payloadFormatVersion":"1.0"}}}}},{"Ref":"AWS::NoValue"}]},
				"BodyS3Location":{"Fn::If":["Inline",{"Ref":"AWS::NoValue"},{"Bucket":"definitions","Key":"api.yaml"}]}}},
			"Stage":{"Type":"AWS::ApiGatewayV2::Stage","Properties":{"ApiId":{"Ref":"Api"},"StageName":"$default","AutoDeploy":true}}},
			"Outputs":{"Url":{"Value":{"Fn::GetAtt":["Api","ApiEndpoint"]}},"Id":{"Value":{"Ref":"Api"}}}}`)
		cli.text(t, "cloudformation", "deploy", "--stack-name", "pets", "--template-file", template)
		url := strings.TrimSpace(cli.text(t, "cloudformation", "describe-stacks", "--stack-name", "pets", "--query", "Stacks[0].Outputs[?OutputKey=='Url'].OutputValue", "--output", "text"))
		serves(url)
		cli.text(t, "cloudformation", "deploy", "--stack-name", "pets", "--template-file", template, "--parameter-overrides", "Inline=yes")
		status, _, body = get(t, url+"/in")
		same(t, "the document in the template", words(status, body), "200 GET /in")
		status, _, body = get(t, url+"/pets/7")
		same(t, "the document in the bucket", words(status, body), `404 {"message":"Not Found"}`)
		cli.text(t, "cloudformation", "delete-stack", "--stack-name", "pets")
		cli.text(t, "cloudformation", "wait", "stack-delete-complete", "--stack-name", "pets")
	})
}

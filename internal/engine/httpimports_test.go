package engine

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// TestPassedToHTTPAPIs: a role in an OpenAPI document of an HTTP API is passed, as one in a call or in a template is.
func TestPassedToHTTPAPIs(t *testing.T) {
	e := startEphemeral(t)
	root := e.root()
	const role = "arn:aws:iam::000000000000:role/strong"
	trust := url.QueryEscape(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
	if got := e.signed(t, root, "iam", "POST", "/", "", "Action=CreateRole&Version=2010-05-08&RoleName=strong&AssumeRolePolicyDocument="+trust); !strings.HasPrefix(got, "200 ") {
		t.Fatal(got)
	}
	const may = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["apigateway:*","cloudformation:*"],"Resource":"*"}`
	eve := e.user(t, "eve", may+`,{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::000000000000:role/weak"}]}`)
	ann := e.user(t, "ann", may+`,{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"apigateway.amazonaws.com"}}}]}`)

	const function = "arn:aws:lambda:us-east-1:000000000000:function:f"
	document := func(integration, authorizer string) string {
		return `{"openapi":"3.0.1","info":{"title":"x"},"components":{"securitySchemes":{"z":{"type":"apiKey","name":"Authorization","in":"header","x-amazon-apigateway-authorizer":{"type":"request",
			"authorizerPayloadFormatVersion":"2.0","authorizerUri":"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/` + function + `/invocations"` + authorizer + `}}}},
			"paths":{"/a":{"get":{"security":[{"z":[]}],"x-amazon-apigateway-integration":{"type":"aws_proxy","payloadFormatVersion":"2.0","uri":"` + function + `"` + integration + `}}}}}`
	}
	body := func(document string) string { return `{"body":` + strconv.Quote(document) + `}` }
	made := e.signed(t, eve, "apigateway", "PUT", "/v2/apis", "", body(document("", "")))
	api := between(made, `"apiId":"`, `"`)
	if api == "" {
		t.Fatal(made)
	}
	credentials := `,"credentials":"` + role + `"`
	for _, c := range []struct{ what, method, path, body string }{
		{"an integration", "POST", "/v2/apis/" + api + "/integrations", `{"integrationType":"AWS_PROXY","payloadFormatVersion":"2.0","integrationUri":"` + function + `","credentialsArn":"` + role + `"}`},
		{"an integration, by a stage's variable", "POST", "/v2/apis/" + api + "/integrations", `{"integrationType":"AWS_PROXY","payloadFormatVersion":"2.0","integrationUri":"` + function + `","credentialsArn":"arn:aws:iam::000000000000:${stageVariables.r}"}`},
		{"an import", "PUT", "/v2/apis", body(document(credentials, ""))},
		{"an import, by AWS's variable", "PUT", "/v2/apis", body(document(`,"credentials":"arn:${AWS::Partition}:iam::${AWS::AccountId}:role/strong"`, ""))},
		{"an import, by a stage's variable", "PUT", "/v2/apis", body(document(`,"credentials":"arn:aws:iam::000000000000:${stageVariables.r}"`, ""))},
		{"an import of an authorizer", "PUT", "/v2/apis", body(document("", `,"authorizerCredentials":"`+role+`"`))},
		{"an import into an API", "PUT", "/v2/apis/" + api, body(document(credentials, ""))},
	} {
		if got := e.signed(t, eve, "apigateway", c.method, c.path, "", c.body); !strings.HasPrefix(got, "403 ") || !strings.Contains(got, "is not authorized to perform: iam:PassRole") {
			t.Errorf("%s: %s", c.what, got)
		}
		if got := e.signed(t, ann, "apigateway", c.method, c.path, "", c.body); !strings.HasPrefix(got, "20") {
			t.Errorf("%s, allowed: %s", c.what, got)
		}
	}
	template := `{"Resources":{"A":{"Type":"AWS::ApiGatewayV2::Api","Properties":{"Body":` + strconv.Quote(document(credentials, "")) + `}}}}`
	e.cfn(t, eve, "CreateStack", "StackName", "a", "TemplateBody", template)
	if status := e.ended(t, "a"); status != "ROLLBACK_COMPLETE" {
		t.Errorf("a stack: %s", status)
	}
	if events := e.cfn(t, eve, "DescribeStackEvents", "StackName", "a"); !strings.Contains(events, "not authorized to perform: iam:PassRole on resource: "+role) {
		t.Errorf("a stack: %s", events)
	}
}

// TestLargeDefinition: documents may be as large as AWS takes them, and no larger.
func TestLargeDefinition(t *testing.T) {
	e := startEphemeral(t)
	document := func(size int) string {
		return `{"body":` + strconv.Quote(`{"openapi":"3.0.1","info":{"title":"x","description":"`+strings.Repeat(`\"`, size/2)+`"}}`) + `}`
	}
	if got := e.signed(t, e.root(), "apigateway", "PUT", "/v2/apis", "", document(5<<20)); !strings.HasPrefix(got, "201 ") {
		t.Errorf("5 MB: %.200s", got)
	}
	for _, size := range []int{7 << 20, 16 << 20} {
		if got := e.signed(t, e.root(), "apigateway", "PUT", "/v2/apis", "", document(size)); !strings.HasPrefix(got, "4") {
			t.Errorf("%d bytes: %.200s", size, got)
		}
	}
}

package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// logVariables are the variables of the developer guide's table, each where it has a value: "function" is a request
// that a function answers for a caller with a token, "backend" one that an AWS service answers, "refused" one without
// a token, "missing" one without a route, "mutual" one on a custom domain with mutual TLS. What IAM's variables are is
// tried in TestIAMAccessLog; nobody here is in an organization.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
var logVariables = []struct{ name, in, want string }{
	{"accountId", "function", "123456789012"},
	{"apiId", "function", "API"},
	{"authorizer.claims.sub", "function", "3f4e"},
	{"authorizer.claims", "function", "-"},
	{"authorizer.error", "refused", "no token"},
	{"authorizer.principalId", "function", "-"}, // of Lambda authorizers
	{"authorizer.property", "function", "-"},
	{"awsEndpointRequestId", "function", "UUID"},
	{"awsEndpointRequestId", "backend", "aws-1"},
	{"awsEndpointRequestId2", "backend", "aws-2"},
	{"customDomain.basePathMatched", "mutual", "v1/orders"},
	{"customDomain.basePathMatched", "function", "-"},
	{"dataProcessed", "function", "9"}, // "1234" and "Hello"
	{"domainName", "function", "API.execute-api.us-east-1.amazonaws.com"},
	{"domainName", "mutual", "api.example.com"},
	{"domainPrefix", "function", "API"},
	{"domainPrefix", "mutual", "api"},
	{"error.message", "function", "-"},
	{"error.message", "missing", "Not Found"},
	{"error.messageString", "missing", `"Not Found"`},
	{"error.messageString", "function", "-"},
	{"error.responseType", "function", "-"},
	{"error.responseType", "refused", "UNAUTHORIZED"},
	{"extendedRequestId", "function", "ID"},
	{"httpMethod", "function", "POST"},
	{"identity.accountId", "function", "-"},
	{"identity.caller", "function", "-"},
	{"identity.cognitoAuthenticationProvider", "function", "-"},
	{"identity.cognitoAuthenticationType", "function", "-"},
	{"identity.cognitoIdentityId", "function", "-"},
	{"identity.cognitoIdentityPoolId", "function", "-"},
	{"identity.principalOrgId", "function", "-"},
	{"identity.clientCert.clientCertPem", "mutual", "PEM"},
	{"identity.clientCert.subjectDN", "mutual", "CN=me"},
	{"identity.clientCert.issuerDN", "mutual", "CN=ca"},
	{"identity.clientCert.serialNumber", "mutual", "7"},
	{"identity.clientCert.validity.notBefore", "mutual", "May 1"},
	{"identity.clientCert.validity.notAfter", "mutual", "May 2"},
	{"identity.clientCert.clientCertPem", "function", "-"},
	{"identity.sourceIp", "function", "203.0.113.7"},
	{"identity.user", "function", "-"},
	{"identity.userAgent", "function", "a"},
	{"identity.userArn", "function", "-"},
	{"integration.error", "thrown", "Unhandled: Error: boom"},
	{"integration.integrationStatus", "function", "200"},
	{"integration.latency", "function", "0"},
	{"integration.requestId", "backend", "aws-1"},
	{"integration.status", "function", "201"},
	{"integration.status", "backend", "404"},
	{"integrationErrorMessage", "thrown", "Unhandled: Error: boom"},
	{"integrationLatency", "function", "0"},
	{"integrationStatus", "function", "200"},
	{"integrationStatus", "missing", "-"},
	{"path", "function", "/pets"},
	{"protocol", "function", "HTTP/1.1"},
	{"requestId", "function", "ID"},
	{"requestTime", "function", "21/Nov/2026:12:00:00 +0000"},
	{"requestTimeEpoch", "function", "1795262400000"},
	{"responseLatency", "function", "0"},
	{"responseLength", "function", "5"},
	{"routeKey", "function", "POST /pets"},
	{"routeKey", "missing", "-"},
	{"stage", "function", "$default"},
	{"status", "function", "201"},
	{"status", "thrown", "500"},
	{"error.responseType", "thrown", "INTEGRATION_FAILURE"},
	{"unknown", "function", "-"},
}

func TestAccessLogVariables(t *testing.T) {
	f := start(t)
	f.function("POST /pets", "2.0", f.jwt("$request.header.Authorization"))
	f.function("GET /throws", "2.0", nil)
	f.backend("GET /backend", "http://b/", nil)
	f.echo(http.Header{"X-Amzn-Requestid": {"aws-1"}, "X-Amz-Id-2": {"aws-2"}}, 404, "")
	var ids []string
	f.invoke = func(ctx context.Context, event []byte) ([]byte, string, error) {
		ids = append(ids, runtime.RequestID(ctx))
		if strings.Contains(string(event), "/throws") {
			return []byte(`{"errorType":"Error","errorMessage":"boom"}`), "Unhandled", nil
		}
		return []byte(`{"statusCode":201,"body":"Hello"}`), "", nil
	}
	format := "$context.requestId"
	for _, v := range logVariables {
		format += "\t$context." + v.name
	}
	_, err := f.apis.UpdateStage(f.ctx, &v2.UpdateStageRequest{ApiId: f.api, StageName: "$default", AccessLogSettings: &v2.AccessLogSettings{
		DestinationArn: shape.Ptr("arn:aws:logs:us-east-1:123456789012:log-group:g"), Format: &format}})
	f.check(err)
	client := &domains.Client{PEM: "PEM", Subject: "CN=me", Issuer: "CN=ca", Serial: "7", NotBefore: "May 1", NotAfter: "May 2"}
	lines := map[string][]string{}
	ask := func(name string, t Target, method, body string, headers ...string) {
		f.lines = nil
		t.APIID = f.api
		f.g.Serve(httptest.NewRecorder(), f.request(method, t.Path, body, headers...), t)
		if len(f.lines) != 1 {
			f.t.Fatalf("%s: lines %q", name, f.lines)
		}
		lines[name] = strings.Split(strings.TrimPrefix(f.lines[0], "g "), "\t")
	}
	own := f.api + ".execute-api.us-east-1.amazonaws.com"
	ask("function", Target{Path: "/pets", Host: own}, "POST", "1234", "Authorization: "+sign(t, "k1", claims(nil)), "User-Agent: a")
	ask("refused", Target{Path: "/pets", Host: own}, "POST", "")
	ask("thrown", Target{Path: "/throws", Host: own}, "GET", "")
	ask("backend", Target{Path: "/backend", Host: own}, "GET", "")
	ask("missing", Target{Path: "/none", Host: own}, "GET", "")
	ask("mutual", Target{Path: "/backend", Host: "api.example.com", Custom: true, Stage: "$default", Base: "/v1/orders", Client: client}, "GET", "")
	for i, v := range logVariables {
		got, want := lines[v.in][i+1], v.want
		switch want {
		case "ID":
			want = lines[v.in][0]
		case "UUID":
			want = ids[0]
		default:
			want = strings.ReplaceAll(want, "API", f.api)
		}
		if got != want || got == "" {
			t.Errorf("$context.%s of %s is %q, want %q", v.name, v.in, got, want)
		}
	}
}

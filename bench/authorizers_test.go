package bench

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
)

// BenchmarkAuthorizers is what each kind of authorizer costs a request to an HTTP backend, what a mapping
// template costs, and what routes cost in number: each beside a bare httputil.ReverseProxy in the same run,
// over 16 connections. Whatever a server may remember is remembered: tokens and signing keys are known, the
// answers of Lambda authorizers are cached. cpu-µs are those of the server alone; x-floor is their ratio to
// the bare proxy's.
func BenchmarkAuthorizers(b *testing.B) {
	backend := startProcess(b, "backend", "")
	bare := startProcess(b, "httputil", backend.url)
	s := start(b, b.TempDir())
	pool, client := s.pool(1)
	token, err := s.signIn(client, 1)
	if err != nil {
		b.Fatal(err)
	}
	authorizer := s.function("authorizer", "python3.13", "index.handler", zipped(b, "index.py", []byte(authorizerSource)))
	key, secret := s.user("caller")
	public := s.httpAPI(pool, client, authorizer, backend.url)
	rest := s.restAPI(pool, authorizer, backend.url)
	apiKey := s.apiKey(rest)
	few, many := s.routes(backend.url, 10), s.routes(backend.url, 10_000)
	restFew, restMany := s.resources(backend.url, 10), s.resources(backend.url, 10_000)
	s.settle()

	var floor float64
	measure := func(name string, p *process, target string, header ...string) {
		b.Run(name, func(b *testing.B) {
			cost := load(b, p, 16, ask(b, target, header...))
			if name == "floor/httputil" {
				floor = cost
			}
			if floor > 0 {
				b.ReportMetric(cost/floor, "x-floor")
			}
		})
	}
	signed := func(target string) []string {
		r, err := http.NewRequest("GET", target, nil)
		if err != nil {
			b.Fatal(err)
		}
		sigv4.Sign(r, sigv4.EmptyPayload, key, secret, "", "execute-api", "us-east-1", time.Now())
		return []string{"Authorization", r.Header.Get("Authorization"), "X-Amz-Date", r.Header.Get("X-Amz-Date")}
	}
	measure("floor/httputil", bare, bare.url+"/open")
	measure("http/NONE", s.process, public+"/open")
	measure("http/JWT", s.process, public+"/jwt", "Authorization", "Bearer "+token)
	measure("http/AWS_IAM", s.process, public+"/iam", signed(public+"/iam")...)
	measure("http/Lambda", s.process, public+"/lambda", "Authorization", "let me in")
	measure("rest/NONE", s.process, rest+"/open")
	measure("rest/Cognito", s.process, rest+"/cognito", "Authorization", token)
	measure("rest/AWS_IAM", s.process, rest+"/iam", signed(rest+"/iam")...)
	measure("rest/Lambda", s.process, rest+"/lambda", "Authorization", "let me in")
	measure("rest/APIKey", s.process, rest+"/key", "X-Api-Key", apiKey)
	measure("rest/VTL", s.process, rest+"/vtl?name=ann")
	measure("http/10routes", s.process, few)
	measure("http/10000routes", s.process, many)
	measure("rest/10resources", s.process, restFew)
	measure("rest/10000resources", s.process, restMany)
}

const authorizerSource = `
def handler(event, context):
    return {"principalId": "ann", "policyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}]}, "context": {"who": "ann"}}
`

// user makes an IAM user who may call all APIs, and returns an access key.
func (s *server) user(name string) (id string, secret string) {
	s.tb.Helper()
	iam := func(action string, form url.Values) []byte {
		form.Set("Action", action)
		form.Set("Version", "2010-05-08")
		form.Set("UserName", name)
		out, err := s.send("iam", "POST", "/", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(form.Encode()))
		if err != nil {
			s.tb.Fatal(err)
		}
		return out
	}
	iam("CreateUser", url.Values{})
	iam("PutUserPolicy", url.Values{"PolicyName": {"call"}, "PolicyDocument": {
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]}`}})
	var out struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	if err := xml.Unmarshal(iam("CreateAccessKey", url.Values{}), &out); err != nil {
		s.tb.Fatal(err)
	}
	return out.ID, out.Secret
}

// invocation is the URI by which API Gateway names a function.
func invocation(function string) string {
	return "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + function + "/invocations"
}

// httpAPI makes an HTTP API with a route for each kind of authorizer, all leading to target, and returns
// its address.
func (s *server) httpAPI(pool, client, function, target string) string {
	api := s.call("apigateway", "POST /v2/apis", doc{"name": "authorizers", "protocolType": "HTTP"})
	base := "/v2/apis/" + api["apiId"].(string)
	header := []string{"$request.header.Authorization"}
	jwt := s.call("apigateway", "POST "+base+"/authorizers", doc{"name": "jwt", "authorizerType": "JWT", "identitySource": header,
		"jwtConfiguration": doc{"issuer": "https://cognito-idp.us-east-1.amazonaws.com/" + pool, "audience": []string{client}}})["authorizerId"]
	lambda := s.call("apigateway", "POST "+base+"/authorizers", doc{"name": "lambda", "authorizerType": "REQUEST", "identitySource": header,
		"authorizerUri": invocation(function), "authorizerPayloadFormatVersion": "1.0", "authorizerResultTtlInSeconds": 3600})["authorizerId"]
	in := s.call("apigateway", "POST "+base+"/integrations", doc{"integrationType": "HTTP_PROXY", "integrationMethod": "ANY", "integrationUri": target, "payloadFormatVersion": "1.0"})
	route := func(path, kind string, authorizer any) {
		r := doc{"routeKey": "GET /" + path, "target": "integrations/" + in["integrationId"].(string), "authorizationType": kind}
		if authorizer != nil {
			r["authorizerId"] = authorizer
		}
		s.call("apigateway", "POST "+base+"/routes", r)
	}
	route("open", "NONE", nil)
	route("jwt", "JWT", jwt)
	route("iam", "AWS_IAM", nil)
	route("lambda", "CUSTOM", lambda)
	s.call("apigateway", "POST "+base+"/stages", doc{"stageName": "$default", "autoDeploy": true})
	return api["apiEndpoint"].(string)
}

// restAPI makes a REST API with a resource for each kind of authorizer and one with mapping templates, all
// leading to target, and returns the address of its stage.
func (s *server) restAPI(pool, function, target string) string {
	security := func(kind string, authorizer doc) doc {
		return doc{"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": kind, "x-amazon-apigateway-authorizer": authorizer}
	}
	proxy := doc{"type": "http_proxy", "httpMethod": "GET", "uri": target}
	method := func(scheme string) doc {
		m := doc{"responses": doc{}, "x-amazon-apigateway-integration": proxy}
		if scheme != "" {
			m["security"] = []doc{{scheme: []string{}}}
		}
		return doc{"get": m}
	}
	mapped := doc{"get": doc{"responses": doc{"200": doc{"description": "mapped"}}, "x-amazon-apigateway-integration": doc{
		"type": "http", "httpMethod": "POST", "uri": target,
		"requestTemplates": doc{"application/json": `{"name": "$util.escapeJavaScript($input.params('name'))", "stage": "$context.stage", "from": "$context.identity.sourceIp"}`},
		"responses": doc{"default": doc{"statusCode": "200", "responseTemplates": doc{"application/json": `#set($text = $input.body)
{"answer": "$util.escapeJavaScript($text)", "words": [#foreach($w in ["a", "b", "c"])"$w"#if($foreach.hasNext), #end#end]}`}}}}}}
	return s.imported(doc{"openapi": "3.0.1", "info": doc{"title": "authorizers", "version": "1"},
		"components": doc{"securitySchemes": doc{
			"cognito": security("cognito_user_pools", doc{"type": "cognito_user_pools", "providerARNs": []string{"arn:aws:cognito-idp:us-east-1:000000000000:userpool/" + pool}}),
			"lambda":  security("custom", doc{"type": "token", "authorizerUri": invocation(function), "authorizerResultTtlInSeconds": 3600}),
			"iam":     doc{"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"},
			"key":     doc{"type": "apiKey", "name": "x-api-key", "in": "header"},
		}},
		"paths": doc{"/open": method(""), "/cognito": method("cognito"), "/iam": method("iam"), "/lambda": method("lambda"), "/key": method("key"), "/vtl": mapped},
	})
}

// imported makes a REST API of an OpenAPI document, deploys it to stage bench and returns its address.
func (s *server) imported(document doc) string {
	s.tb.Helper()
	api := s.call("apigateway", "POST /restapis?mode=import&failonwarnings=true", document)["id"].(string)
	s.call("apigateway", "POST /restapis/"+api+"/deployments", doc{"stageName": "bench"})
	return s.url + "/_aws/execute-api/" + api + "/bench"
}

// apiKey makes a key with a usage plan that throttles and counts, for the API with this address.
func (s *server) apiKey(address string) string {
	api := strings.Split(address, "/")[5]
	key := s.call("apigateway", "POST /apikeys", doc{"name": "bench", "enabled": true})
	plan := s.call("apigateway", "POST /usageplans", doc{"name": "bench", "apiStages": []doc{{"apiId": api, "stage": "bench"}},
		"throttle": doc{"rateLimit": 1e6, "burstLimit": 1_000_000}, "quota": doc{"limit": 1_000_000_000, "period": "MONTH"}})
	s.call("apigateway", "POST /usageplans/"+plan["id"].(string)+"/keys", doc{"keyId": key["id"], "keyType": "API_KEY"})
	return key["value"].(string)
}

// paths are those of an API with n routes, a third of them with variables.
func paths(n int, operation doc) doc {
	all := doc{}
	for i := range n {
		path := fmt.Sprintf("/group%d/item%d", i/100, i)
		if i%3 == 0 {
			path += "/{id}"
		}
		all[path] = doc{"get": operation}
	}
	return all
}

// last is a path of the last route with a variable that paths makes.
func last(n int) string {
	i := (n - 1) / 3 * 3
	return fmt.Sprintf("/group%d/item%d/7", i/100, i)
}

// routes makes an HTTP API with n routes, and returns an address that the last of them serves.
func (s *server) routes(target string, n int) string {
	body, err := json.Marshal(doc{"openapi": "3.0.1", "info": doc{"title": "routes", "version": "1"}, "paths": paths(n, doc{"responses": doc{},
		"x-amazon-apigateway-integration": doc{"type": "http_proxy", "httpMethod": "ANY", "uri": target, "payloadFormatVersion": "1.0"}})})
	if err != nil {
		s.tb.Fatal(err)
	}
	api := s.call("apigateway", "PUT /v2/apis", doc{"body": string(body)})
	s.call("apigateway", "POST /v2/apis/"+api["apiId"].(string)+"/stages", doc{"stageName": "$default", "autoDeploy": true})
	return api["apiEndpoint"].(string) + last(n)
}

// resources is routes with a REST API.
func (s *server) resources(target string, n int) string {
	return s.imported(doc{"openapi": "3.0.1", "info": doc{"title": "resources", "version": "1"}, "paths": paths(n, doc{"responses": doc{},
		"x-amazon-apigateway-integration": doc{"type": "http_proxy", "httpMethod": "GET", "uri": target}})}) + last(n)
}

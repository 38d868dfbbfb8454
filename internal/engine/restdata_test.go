package engine

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestRESTDataPlane takes a REST API through the life that seed 004 gives it, with all services real: open, then closed
// by a user pool, which counts from the deployment on; a method of AWS_IAM; a custom domain.
func TestRESTDataPlane(t *testing.T) {
	e := startEphemeral(t)
	root := e.root()
	must := func(got string) string {
		t.Helper()
		if got[0] != '2' {
			t.Fatal(got)
		}
		return got
	}
	const pools = "AWSCognitoIdentityProviderService."
	cognito := func(op, body string) string {
		t.Helper()
		return must(e.signed(t, root, "cognito-idp", "POST", "/", pools+op, body))
	}
	pool := between(cognito("CreateUserPool", `{"PoolName":"p"}`), `"Id":"`, `"`)
	client := between(cognito("CreateUserPoolClient", `{"UserPoolId":"`+pool+`","ClientName":"c","ExplicitAuthFlows":["ADMIN_NO_SRP_AUTH"]}`), `"ClientId":"`, `"`)
	cognito("AdminCreateUser", `{"UserPoolId":"`+pool+`","Username":"ann","MessageAction":"SUPPRESS"}`)
	cognito("AdminSetUserPassword", `{"UserPoolId":"`+pool+`","Username":"ann","Password":"Passw0rd!","Permanent":true}`)
	signedIn := cognito("AdminInitiateAuth", `{"UserPoolId":"`+pool+`","ClientId":"`+client+`","AuthFlow":"ADMIN_NO_SRP_AUTH","AuthParameters":{"USERNAME":"ann","PASSWORD":"Passw0rd!"}}`)
	id, access := between(signedIn, `"IdToken":"`, `"`), between(signedIn, `"AccessToken":"`, `"`)

	method := func(security string) string {
		return `{"get":{` + security + `"responses":{"200":{"description":"ok"}},"x-amazon-apigateway-integration":{"type":"mock","requestTemplates":{"application/json":"{\"statusCode\":200}"},
			"responses":{"default":{"statusCode":"200","responseTemplates":{"application/json":"{\"sub\":\"$context.authorizer.claims.sub\",\"caller\":\"$context.identity.userArn\",\"path\":\"$context.path\"}"}}}}}}`
	}
	document := func(security string) string {
		return `{"swagger":"2.0","info":{"title":"todo","version":"1"},"securityDefinitions":{"cognito":{"type":"apiKey","name":"Authorization","in":"header","x-amazon-apigateway-authtype":"cognito_user_pools",
			"x-amazon-apigateway-authorizer":{"type":"cognito_user_pools","providerARNs":["arn:aws:cognito-idp:us-east-1:000000000000:userpool/` + pool + `"]}},
			"sigv4":{"type":"apiKey","name":"Authorization","in":"header","x-amazon-apigateway-authtype":"awsSigv4"}},
			"paths":{"/todos":` + method(security) + `,"/iam":` + method(`"security":[{"sigv4":[]}],`) + `}}`
	}
	api := between(must(e.signed(t, root, "apigateway", "POST", "/restapis?mode=import", "", document(""))), `"id":"`, `"`)
	deploy := func() {
		t.Helper()
		must(e.signed(t, root, "apigateway", "POST", "/restapis/"+api+"/deployments", "", `{"stageName":"dev"}`))
	}
	get := func(where, token string) (*httptest.ResponseRecorder, string) {
		u, err := url.Parse(where)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", u.Path, nil)
		r.Host = u.Host
		if token != "" {
			r.Header.Set("Authorization", token)
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w, strings.TrimSpace(w.Body.String())
	}
	at := e.URL() + "/_aws/execute-api/" + api + "/dev"
	want := func(token string, status int, body string) {
		t.Helper()
		if w, got := get(at+"/todos", token); w.Code != status || !strings.HasPrefix(got, body) {
			t.Errorf("%d %s, want %d %s", w.Code, got, status, body)
		}
	}
	want("", 403, `{"message":"Missing Authentication Token"}`)
	deploy()
	want("", 200, `{"sub":"",`)
	must(e.signed(t, root, "apigateway", "PUT", "/restapis/"+api+"?mode=overwrite", "", document(`"security":[{"cognito":[]}],`)))
	want("", 200, `{"sub":"",`)
	deploy()
	want("", 401, `{"message":"Unauthorized"}`)
	want(access, 401, `{"message":"Unauthorized"}`)
	want(id[:len(id)-4], 401, `{"message":"Unauthorized"}`)
	for _, token := range []string{id, "Bearer " + id} {
		want(token, 200, `{"sub":"`)
	}
	w, _ := get(at+"/todos", "")
	if tr := e.recorder.Get(w.Header().Get("X-Amzn-Requestid")); tr == nil || !tr.Refused() || tr.Stage != "dev" {
		t.Errorf("trace %+v", tr)
	}

	if got := e.signed(t, root, "execute-api", "GET", "/_aws/execute-api/"+api+"/dev/iam", "", ""); !strings.HasPrefix(got, `200 {"sub":"","caller":"arn:aws:iam::000000000000:root"`) {
		t.Error(got)
	}
	if w, got := get(at+"/iam", ""); w.Code != 403 || got != `{"message":"Missing Authentication Token"}` {
		t.Error(w.Code, got)
	}
	eve := e.user(t, "eve", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/dev/POST/*"}]}`)
	if got := e.signed(t, eve, "execute-api", "GET", "/_aws/execute-api/"+api+"/dev/iam", "", ""); !strings.HasPrefix(got, `403 {"Message":"User: arn:aws:iam::000000000000:user/eve is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********0000:`+api+`/dev/GET/iam`) {
		t.Error(got)
	}

	must(e.signed(t, root, "apigateway", "POST", "/domainnames", "", `{"domainName":"api.example.com","regionalCertificateArn":"arn:aws:acm:us-east-1:000000000000:certificate/x","endpointConfiguration":{"types":["REGIONAL"]}}`))
	must(e.signed(t, root, "apigateway", "POST", "/domainnames/api.example.com/basepathmappings", "", `{"basePath":"v1","restApiId":"`+api+`","stage":"dev"}`))
	if w, got := get("http://api.example.com/v1/todos", id); w.Code != 200 || !strings.HasSuffix(got, `"path":"/v1/todos"}`) {
		t.Error(w.Code, got)
	}
	if w, got := get("http://api.example.com/v2/todos", id); w.Code != 403 || got != `{"message":"Forbidden"}` {
		t.Error(w.Code, got)
	}
	var claims struct{ Sub string }
	_, got := get(at+"/todos", id)
	if err := json.Unmarshal([]byte(got), &claims); err != nil || len(claims.Sub) != 36 {
		t.Error(got, err)
	}
}

package bench

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// server is a running Gatehouse with what a benchmark asks of it.
type server struct {
	*process
	tb testing.TB
}

func start(tb testing.TB, dir string) *server {
	tb.Helper()
	return &server{startProcess(tb, "gatehouse", dir), tb}
}

// credentials are taken by an open server whatever they are.
const credentials = "AWS4-HMAC-SHA256 Credential=bench/20261121/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=00"

var hundred = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}

type doc = map[string]any

// call calls an operation of a JSON service by its target, or of a REST service by method and path.
func (s *server) call(service, target string, in doc) doc {
	s.tb.Helper()
	out, err := s.try(service, target, in)
	if err != nil {
		s.tb.Fatal(err)
	}
	return out
}

func (s *server) try(service, target string, in doc) (doc, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	method, path, rest := strings.Cut(target, " ")
	header := http.Header{"Content-Type": {"application/json"}}
	if !rest {
		method, path = "POST", "/"
		header = http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target}}
	}
	data, err := s.send(service, method, path, header, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", target, err)
	}
	out := doc{}
	if len(data) > 0 {
		err = json.Unmarshal(data, &out)
	}
	return out, err
}

// send sends a request and returns the body of the answer.
func (s *server) send(service, method, path string, header http.Header, body []byte) ([]byte, error) {
	r, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = header
	header.Set("Authorization", fmt.Sprintf(credentials, service))
	resp, err := hundred.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%d %s", resp.StatusCode, data)
	}
	return data, nil
}

const cognito = "AWSCognitoIdentityProviderService."

const password = "Passw0rd!"

// pool makes a user pool with a client and n users, of whom the first hundred have a password.
func (s *server) pool(n int) (pool, client string) {
	pool = s.call("cognito-idp", cognito+"CreateUserPool", doc{"PoolName": "bench"})["UserPool"].(doc)["Id"].(string)
	client = s.call("cognito-idp", cognito+"CreateUserPoolClient", doc{"UserPoolId": pool, "ClientName": "bench",
		"ExplicitAuthFlows": []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}})["UserPoolClient"].(doc)["ClientId"].(string)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if _, err := s.try("cognito-idp", cognito+"AdminCreateUser", doc{"UserPoolId": pool, "Username": user(i), "MessageAction": "SUPPRESS",
					"UserAttributes": []doc{{"Name": "email", "Value": user(i) + "@example.com"}}}); err != nil {
					s.tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for i := 1; i <= min(n, 100); i++ {
		s.call("cognito-idp", cognito+"AdminSetUserPassword", doc{"UserPoolId": pool, "Username": user(i), "Password": password, "Permanent": true})
	}
	return pool, client
}

func user(i int) string { return fmt.Sprintf("user%07d", i) }

func (s *server) signIn(client string, i int) (idToken string, err error) {
	out, err := s.try("cognito-idp", cognito+"InitiateAuth", doc{"ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH",
		"AuthParameters": doc{"USERNAME": user(i), "PASSWORD": password}})
	if err != nil {
		return "", err
	}
	return out["AuthenticationResult"].(doc)["IdToken"].(string), nil
}

// api makes an HTTP API with a JWT authorizer for the pool on its route, and returns the route's URL.
// The integration is a Lambda function if target is an ARN, or else an HTTP proxy.
func (s *server) api(pool, client, target string) string {
	api := s.call("apigateway", "POST /v2/apis", doc{"name": "bench", "protocolType": "HTTP"})
	base := "/v2/apis/" + api["apiId"].(string)
	auth := s.call("apigateway", "POST "+base+"/authorizers", doc{"name": "jwt", "authorizerType": "JWT", "identitySource": []string{"$request.header.Authorization"},
		"jwtConfiguration": doc{"issuer": "https://cognito-idp.us-east-1.amazonaws.com/" + pool, "audience": []string{client}}})["authorizerId"]
	integration := doc{"integrationType": "HTTP_PROXY", "integrationMethod": "ANY", "integrationUri": target, "payloadFormatVersion": "1.0"}
	if strings.HasPrefix(target, "arn:") {
		integration = doc{"integrationType": "AWS_PROXY", "integrationUri": target, "payloadFormatVersion": "2.0"}
	}
	in := s.call("apigateway", "POST "+base+"/integrations", integration)["integrationId"].(string)
	s.call("apigateway", "POST "+base+"/routes", doc{"routeKey": "GET /private", "target": "integrations/" + in, "authorizationType": "JWT", "authorizerId": auth})
	s.call("apigateway", "POST "+base+"/stages", doc{"stageName": "$default", "autoDeploy": true})
	return api["apiEndpoint"].(string) + "/private"
}

// function makes a function, lets APIs invoke it, and returns its ARN.
func (s *server) function(name, runtime, handler string, code []byte) string {
	role := url.Values{"Action": {"CreateRole"}, "Version": {"2010-05-08"}, "RoleName": {name}, "AssumeRolePolicyDocument": {
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`}}
	if _, err := s.send("iam", "POST", "/", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(role.Encode())); err != nil && !strings.Contains(err.Error(), "EntityAlreadyExists") {
		s.tb.Fatal(err)
	}
	arn := s.call("lambda", "POST /2015-03-31/functions", doc{"FunctionName": name, "Runtime": runtime, "Handler": handler, "Timeout": 10,
		"Role": "arn:aws:iam::000000000000:role/" + name, "Code": doc{"ZipFile": code}})["FunctionArn"].(string)
	s.call("lambda", "POST /2015-03-31/functions/"+name+"/policy", doc{"StatementId": "api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"})
	return arn
}

// zipped packs one file.
func zipped(tb testing.TB, name string, data []byte) []byte {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

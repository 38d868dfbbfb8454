package conformance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificateFiles makes NAME.crt and NAME.key in dir, signed by the authority whose files lie there as by; "" makes an authority.
func certificateFiles(t *testing.T, dir, name, by string, dns ...string) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{Organization: []string{"Gatehouse tests"}, CommonName: name}, DNSNames: dns,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	parent, signer := tmpl, any(key)
	if by == "" {
		tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		read := func(ext string) []byte {
			block, _ := pem.Decode(must(os.ReadFile(filepath.Join(dir, by+ext)))(t))
			return block.Bytes
		}
		parent, signer = must(x509.ParseCertificate(read(".crt")))(t), must(x509.ParsePKCS8PrivateKey(read(".key")))(t)
	}
	der := must(x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer))(t)
	for ext, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))(t)}} {
		if err := os.WriteFile(filepath.Join(dir, name+ext), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCustomDomains: an HTTP and a REST API below one name, made with the AWS CLI and opened with curl; certificates as
// files, mutual TLS, a restart, a stack.
func TestCustomDomains(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		authority, certs := t.TempDir(), t.TempDir()
		certificateFiles(t, authority, "ca", "")
		certificateFiles(t, authority, "clients", "")
		certificateFiles(t, authority, "jane", "clients")
		certificateFiles(t, authority, "mallory", "ca")
		certificateFiles(t, authority, "api", "ca", "api.example.com", "*.example.com")
		for _, ext := range []string{".crt", ".key"} {
			if err := os.Rename(filepath.Join(authority, "api"+ext), filepath.Join(certs, "api"+ext)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(certs, "broken.pem"), []byte("no certificate"), 0o600); err != nil {
			t.Fatal(err)
		}
		var s *server
		if database == "" {
			s = start(t, "--certificates", certs)
		} else {
			s = start(t, "--certificates", certs, "--database", database)
		}
		s.await(t, 0, `broken\.pem`, 5*time.Second)
		aws := s.aws(t)

		file := func(name string) string { return filepath.Join(authority, name) }
		get := func(url string, more ...string) string {
			t.Helper()
			host, _, _ := strings.Cut(strings.SplitN(url, "://", 2)[1], "/")
			status, _, body := curl(t, append([]string{"--noproxy", "*", "--cacert", file("ca.crt"), "--connect-to", host + ":443:127.0.0.1:" + s.Port, "--connect-to", host + ":80:127.0.0.1:" + s.Port, url}, more...)...)
			return words(status, strings.TrimSpace(body))
		}

		// A REST API that says what it sees, and an HTTP API whose function does.
		const arn = "arn:aws:acm:us-east-1:000000000000:certificate/api"
		api := s.echoAPIs(t, aws)
		aws.refused(t, "CreateDomainName", "BadRequestException | The provided certificate does not exist.…", "apigatewayv2", "create-domain-name", "--domain-name", "api.example.com",
			"--domain-name-configurations", "CertificateArn="+arn+"x")
		d := aws.json(t, "apigatewayv2", "create-domain-name", "--domain-name", "api.example.com", "--domain-name-configurations", "CertificateArn="+arn)
		if at(t, d, "DomainNameConfigurations.0.DomainNameStatus") != "AVAILABLE" {
			t.Errorf("the domain is %v", d)
		}
		if both := aws.json(t, "apigateway", "get-domain-name", "--domain-name", "api.example.com"); at(t, both, "regionalCertificateArn") != arn {
			t.Errorf("the older API sees %v", both)
		}
		mapping := at(t, aws.json(t, "apigatewayv2", "create-api-mapping", "--domain-name", "api.example.com", "--api-id", api.http, "--stage", "prod", "--api-mapping-key", "orders/v1"), "ApiMappingId")
		aws.json(t, "apigateway", "create-base-path-mapping", "--domain-name", "api.example.com", "--base-path", "rest", "--rest-api-id", api.rest, "--stage", "prod")
		aws.json(t, "apigatewayv2", "create-domain-name", "--domain-name", "*.example.com", "--domain-name-configurations", "CertificateArn="+arn)
		aws.json(t, "apigatewayv2", "create-api-mapping", "--domain-name", "*.example.com", "--api-id", api.rest, "--stage", "prod")
		all := func() {
			t.Helper()
			same(t, "the HTTP API", get("https://api.example.com/orders/v1/items"), "200 /prod/items api.example.com api")
			same(t, "the REST API", get("https://api.example.com/rest/where"), "200 /rest/where api.example.com")
			same(t, "the wildcard", get("https://t1.example.com/where"), "200 /where t1.example.com")
			same(t, "plain HTTP", get("http://api.example.com/rest/where"), "200 /rest/where api.example.com")
			same(t, "no mapping", get("https://api.example.com/nothing"), `403 {"message":"Forbidden"}`)
		}
		all()
		aws.refused(t, "DeleteApi", "BadRequestException | Deleting API "+api.http+" failed. Please remove all API mappings for the API from your custom domain names.…", "apigatewayv2", "delete-api", "--api-id", api.http)
		if r := run(t, cleanEnv(), need(t, "curl"), "-sS", "--noproxy", "*", "--cacert", file("ca.crt"), "--connect-to", "a.example.org:443:127.0.0.1:"+s.Port, "https://a.example.org/"); r.code != 35 {
			t.Errorf("a name that is no domain: exit %d %s", r.code, r.stderr)
		}
		s.kill()
		s.restart(t)
		all()

		// Mutual TLS.
		aws.text(t, "s3api", "create-bucket", "--bucket", "trust")
		aws.text(t, "s3api", "put-object", "--bucket", "trust", "--key", "store.pem", "--body", file("clients.crt"))
		aws.refused(t, "UpdateDomainName", "BadRequestException | The truststore cannot be read: …", "apigatewayv2", "update-domain-name", "--domain-name", "api.example.com", "--mutual-tls-authentication", "TruststoreUri=s3://trust/nothing.pem")
		u := aws.json(t, "apigatewayv2", "update-domain-name", "--domain-name", "api.example.com", "--mutual-tls-authentication", "TruststoreUri=s3://trust/store.pem")
		same(t, "truststore", at(t, u, "MutualTlsAuthentication.TruststoreUri"), "s3://trust/store.pem")
		const secure = "https://api.example.com/orders/v1/who"
		who := func(name string) []string {
			return []string{"--cert", file(name + ".crt"), "--key", file(name + ".key")}
		}
		same(t, "a trusted client", get(secure, who("jane")...), "200 O=Gatehouse tests,CN=jane of O=Gatehouse tests,CN=clients")
		same(t, "a client that is not trusted", get(secure, who("mallory")...), `403 {"message":"Forbidden"}`)
		same(t, "a client without TLS", get("http://api.example.com/orders/v1/who"), `403 {"message":"Forbidden"}`)
		same(t, "the other domain", get("https://t1.example.com/where"), "200 /where t1.example.com")
		if r := run(t, cleanEnv(), need(t, "curl"), "-sS", "--noproxy", "*", "--cacert", file("ca.crt"), "--connect-to", "api.example.com:443:127.0.0.1:"+s.Port, secure); r.code == 0 {
			t.Errorf("a client without a certificate: %s", r.stdout)
		}
		r := run(t, cleanEnv(), need(t, "curl"), append([]string{"-sS", "-w", " %{http_code}", "--noproxy", "*", "--cacert", file("ca.crt"), "-H", "Host: api.example.com", "--connect-to", "t1.example.com:443:127.0.0.1:" + s.Port,
			"https://t1.example.com/orders/v1/who"}, who("jane")...)...)
		same(t, "a request on another name's connection", r.stdout, `{"message":"Misdirected Request"} 421`)

		// It all goes, in the order in which it must.
		aws.text(t, "apigatewayv2", "delete-api-mapping", "--domain-name", "api.example.com", "--api-mapping-id", mapping)
		aws.text(t, "cloudformation", "delete-stack", "--stack-name", "echo")
		aws.text(t, "cloudformation", "wait", "stack-delete-complete", "--stack-name", "echo")
		aws.refused(t, "GetDomainName", "NotFoundException | Invalid domain name identifier specified", "apigatewayv2", "get-domain-name", "--domain-name", "stack.example.com")
		aws.text(t, "apigateway", "delete-domain-name", "--domain-name", "api.example.com")
	})
}

// twoAPIs are the ids of an HTTP and of a REST API.
type twoAPIs struct{ http, rest string }

// echoAPIs makes an HTTP API with a function that answers with what it sees, and a REST API with a mock that does.
func (s *server) echoAPIs(t *testing.T, aws *awsCLI) (out twoAPIs) {
	t.Helper()
	mock := map[string]any{"get": map[string]any{"responses": map[string]any{"200": map[string]any{"description": "ok"}}, "x-amazon-apigateway-integration": map[string]any{
		"type": "mock", "requestTemplates": map[string]any{"application/json": `{"statusCode":200}`},
		"responses": map[string]any{"default": map[string]any{"statusCode": "200", "responseTemplates": map[string]any{"application/json": "$context.path $context.domainName"}}}}}}
	doc := must(json.Marshal(map[string]any{"swagger": "2.0", "info": map[string]any{"title": "rest", "version": "1"}, "paths": map[string]any{"/where": mock}}))(t)
	file := filepath.Join(t.TempDir(), "rest.json")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	out.rest = at(t, aws.json(t, "apigateway", "import-rest-api", "--body", "fileb://"+file), "id")
	aws.json(t, "apigateway", "create-deployment", "--rest-api-id", out.rest, "--stage-name", "prod")

	template := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(template, []byte(`Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: nodejs20.x
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          exports.handler = async (event) => {
            const c = event.requestContext, cert = c.authentication && c.authentication.clientCert
            if (event.rawPath.endsWith("/who")) return cert ? cert.subjectDN + " of " + cert.issuerDN : "nobody"
            return event.rawPath + " " + c.domainName + " " + c.domainPrefix
          }
  Permission:
    Type: AWS::Lambda::Permission
    Properties: {Action: "lambda:InvokeFunction", FunctionName: !Ref Function, Principal: apigateway.amazonaws.com}
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: {Name: http, ProtocolType: HTTP}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties: {ApiId: !Ref Api, IntegrationType: AWS_PROXY, IntegrationUri: !GetAtt Function.Arn, PayloadFormatVersion: "2.0"}
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Api, RouteKey: "GET /{p}", Target: !Sub "integrations/${Integration}"}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Api, StageName: prod, AutoDeploy: true}
  Domain:
    Type: AWS::ApiGatewayV2::DomainName
    Properties: {DomainName: stack.example.com, DomainNameConfigurations: [{CertificateArn: "arn:aws:acm:us-east-1:000000000000:certificate/api", EndpointType: REGIONAL}]}
  Mapping:
    Type: AWS::ApiGatewayV2::ApiMapping
    Properties: {DomainName: !Ref Domain, ApiId: !Ref Api, Stage: !Ref Stage}
Outputs:
  Api: {Value: !Ref Api}
  Target: {Value: !GetAtt Domain.RegionalDomainName}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	aws.text(t, "cloudformation", "deploy", "--stack-name", "echo", "--template-file", template, "--capabilities", "CAPABILITY_IAM")
	for _, o := range aws.json(t, "cloudformation", "describe-stacks", "--stack-name", "echo")["Stacks"].([]any)[0].(map[string]any)["Outputs"].([]any) {
		if at(t, o, "OutputKey") == "Api" {
			out.http = at(t, o, "OutputValue")
		}
	}
	return out
}

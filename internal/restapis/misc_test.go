package restapis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// certificate makes a certificate for a name, as PEM, and its key.
func certificate(t testing.TB, name string) (body, key string) {
	t.Helper()
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der := must(x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k))(t)
	private := must(x509.MarshalPKCS8PrivateKey(k))(t)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func TestDomains(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		a := newAPI(t, s, ctx)
		a.method("GET", "/pets")
		a.deploy("prod")
		body, key := certificate(t, "*.example.com")
		in := &v1.CreateDomainNameRequest{DomainName: "*.Example.com", CertificateName: shape.Ptr("mine"), CertificateBody: &body, CertificatePrivateKey: &key}
		d := must(s.CreateDomainName(ctx, in))(t)
		if *d.DomainName != "*.example.com" || !strings.HasSuffix(*d.DistributionDomainName, ".cloudfront.net") || *d.DistributionHostedZoneId != "Z2FDTNDATAQYW2" || *d.SecurityPolicy != "TLS_1_2" {
			t.Errorf("the domain is %+v", d)
		}
		_, err := s.CreateDomainName(ctx, in)
		wantError(t, err, "BadRequestException", "The domain name you provided already exists.")
		_, err = s.CreateDomainName(ctx, &v1.CreateDomainNameRequest{DomainName: "other.com", CertificateName: shape.Ptr("mine"), CertificateBody: &body, CertificatePrivateKey: &key})
		wantError(t, err, "BadRequestException", "not covered by the provided certificate")
		_, other := certificate(t, "other.com")
		_, err = s.CreateDomainName(ctx, &v1.CreateDomainNameRequest{DomainName: "x.example.com", CertificateName: shape.Ptr("mine"), CertificateBody: &body, CertificatePrivateKey: &other})
		wantError(t, err, "BadRequestException", "belong together")
		_, err = s.CreateDomainName(ctx, &v1.CreateDomainNameRequest{DomainName: "x.example.com"})
		wantError(t, err, "BadRequestException", "A certificate was not provided for the endpoint type EDGE.")
		_, err = s.CreateDomainName(ctx, &v1.CreateDomainNameRequest{DomainName: "-.com"})
		wantError(t, err, "BadRequestException", "Invalid domain name")
		_, err = s.CreateDomainName(ctx, &v1.CreateDomainNameRequest{DomainName: "m.example.com", CertificateArn: shape.Ptr("arn:aws:acm:us-east-1:000000000000:certificate/x"), MutualTlsAuthentication: &v1.MutualTlsAuthenticationInput{}})
		wantError(t, err, "BadRequestException", "Mutual TLS authentication needs a truststore URI")

		host := func(name string) *domains.Host { t.Helper(); return must(s.domains.Host(ctx, name))(t) }
		if host("nothing.org") != nil || host("a.b.example.com") != nil || host("example.com") != nil {
			t.Error("a domain serves hosts that are not its own")
		}
		if x := host("a.example.com"); x == nil || x.Domain != "*.example.com" || len(x.Keys()) != 0 {
			t.Fatalf("the wildcard serves %+v", x)
		}
		mapTo := func(base, stage string) error {
			_, err := s.CreateBasePathMapping(ctx, &v1.CreateBasePathMappingRequest{DomainName: "*.example.com", RestApiId: a.id, BasePath: opt(base), Stage: opt(stage)})
			return err
		}
		for _, err := range []error{mapTo("", "prod"), mapTo("v1", ""), mapTo("v12", "prod")} {
			if err != nil {
				t.Fatal(err)
			}
		}
		wantError(t, mapTo("v1", "prod"), "ConflictException", "Base path already exists for this domain name")
		wantError(t, mapTo("a/b", "prod"), "BadRequestException", "slash")
		wantError(t, mapTo("v3", "nope"), "BadRequestException", "Invalid stage identifier specified")
		x := host("a.example.com")
		for path, want := range map[string]string{"/v1/pets": "/v1 /pets", "/v12": "/v12 /", "/v13": " /v13", "/": " /"} {
			m, rest, ok := x.Match(path)
			if got := m.Base + " " + rest; !ok || got != want {
				t.Errorf("%s goes to %q, want %q", path, got, want)
			}
		}
		_, err = s.DeleteStage(ctx, &v1.DeleteStageRequest{RestApiId: a.id, StageName: "prod"})
		wantError(t, err, "BadRequestException", "base path mappings")
		m := must(s.UpdateBasePathMapping(ctx, &v1.UpdateBasePathMappingRequest{DomainName: "*.example.com", BasePath: "(none)", PatchOperations: patches("replace /basePath root")}))(t)
		if *m.BasePath != "root" {
			t.Errorf("%+v", m)
		}
		if _, _, ok := host("a.example.com").Match("/"); ok {
			t.Error("the old base path is still there")
		}
		must(s.DeleteDomainName(ctx, &v1.DeleteDomainNameRequest{DomainName: "*.example.com"}))(t)
		if host("a.example.com") != nil {
			t.Error("the domain is still there")
		}
		must(s.DeleteRestApi(ctx, &v1.DeleteRestApiRequest{RestApiId: a.id}))(t)
	})
}

func TestStages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		a := newAPI(t, s, ctx)
		a.method("GET", "/pets")
		d := a.deploy("")
		create := func(in v1.CreateStageRequest) error {
			in.RestApiId = a.id
			if in.StageName == "" {
				in.StageName = "x"
			}
			if in.DeploymentId == "" {
				in.DeploymentId = d
			}
			_, err := s.CreateStage(ctx, &in)
			return err
		}
		cert := must(s.GenerateClientCertificate(ctx, &v1.GenerateClientCertificateRequest{}))(t)
		wantError(t, create(v1.CreateStageRequest{StageName: "a b"}), "BadRequestException", "Stage name only allows a-zA-Z0-9_-")
		wantError(t, create(v1.CreateStageRequest{DeploymentId: "nope"}), "BadRequestException", "Deployment id does not exist")
		wantError(t, create(v1.CreateStageRequest{Variables: map[string]string{"a-b": "1"}}), "BadRequestException", "Stage variable names")
		wantError(t, create(v1.CreateStageRequest{Variables: map[string]string{"a": "<>"}}), "BadRequestException", "Invalid stage variable value: <>")
		many := map[string]string{}
		for i := range 101 {
			many["v"+strconv.Itoa(i)] = "x"
		}
		wantError(t, create(v1.CreateStageRequest{Variables: many}), "LimitExceededException", "100")
		wantError(t, create(v1.CreateStageRequest{CacheClusterEnabled: shape.Ptr(true)}), "BadRequestException", "not supported by Gatehouse")
		wantError(t, create(v1.CreateStageRequest{DocumentationVersion: shape.Ptr("9")}), "NotFoundException", "Invalid Documentation version")
		if err := create(v1.CreateStageRequest{StageName: "prod", Tags: map[string]string{"a": "b"}}); err != nil {
			t.Fatal(err)
		}
		wantError(t, create(v1.CreateStageRequest{StageName: "prod"}), "ConflictException", "Stage already exists")
		update := func(lines ...string) error {
			_, err := s.UpdateStage(ctx, &v1.UpdateStageRequest{RestApiId: a.id, StageName: "prod", PatchOperations: patches(lines...)})
			return err
		}
		wantError(t, update("replace /accessLogSettings/destinationArn arn:aws:logs:us-east-1:000000000000:log-group:x", "replace /accessLogSettings/format $context.requestId"), "BadRequestException", "CloudWatch Logs role ARN")
		must(s.UpdateAccount(ctx, &v1.UpdateAccountRequest{PatchOperations: patches("replace /cloudwatchRoleArn " + testRole)}))(t)
		wantError(t, update("replace /accessLogSettings/destinationArn arn:aws:logs:us-east-1:000000000000:log-group:x", "replace /accessLogSettings/format $context.status"), "BadRequestException", "$context.requestId")
		if err := update("replace /accessLogSettings/destinationArn arn:aws:logs:us-east-1:000000000000:log-group:x", "replace /accessLogSettings/format $context.requestId",
			"replace /clientCertificateId "+*cert.ClientCertificateId, "replace /*/*/throttling/rateLimit 7", "replace /~1pets/GET/logging/loglevel INFO"); err != nil {
			t.Fatal(err)
		}
		snap := a.snapshot("prod")
		_, m := snap.Match("GET", "/pets")
		if snap.Certificate == nil || snap.AccessLog == nil || m.Settings.Logging != "INFO" || m.Settings.Throttle.Rate != 7 || m.Settings.Throttle.Burst != defaultBurst {
			t.Errorf("the stage serves %+v with %+v", snap, m.Settings)
		}
		_, err := s.DeleteClientCertificate(ctx, &v1.DeleteClientCertificateRequest{ClientCertificateId: *cert.ClientCertificateId})
		wantError(t, err, "BadRequestException", "in use by stage prod")
		arn := "arn:aws:apigateway:us-east-1::/restapis/" + a.id + "/stages/prod"
		must(s.TagResource(ctx, &v1.TagResourceRequest{ResourceArn: arn, Tags: map[string]string{"c": "d"}}))(t)
		must(s.UntagResource(ctx, &v1.UntagResourceRequest{ResourceArn: arn, TagKeys: []string{"a"}}))(t)
		if got := must(s.GetTags(ctx, &v1.GetTagsRequest{ResourceArn: arn}))(t).Tags; len(got) != 1 || got["c"] != "d" {
			t.Errorf("the tags are %v", got)
		}
		_, err = s.GetTags(ctx, &v1.GetTagsRequest{ResourceArn: strings.Replace(arn, "us-east-1", "eu-west-1", 1)})
		wantError(t, err, "NotFoundException", "ARN")

		_, err = s.TestInvokeMethod(ctx, &v1.TestInvokeMethodRequest{RestApiId: a.id, ResourceId: a.resource("/pets"), HttpMethod: "GET"})
		wantError(t, err, "BadRequestException", "TestInvokeMethod is not supported")

		// A copy.
		z := must(s.CreateAuthorizer(ctx, &v1.CreateAuthorizerRequest{RestApiId: a.id, Name: "z", Type: "TOKEN", AuthorizerUri: shape.Ptr(testURI), IdentitySource: shape.Ptr("method.request.header.Auth")}))(t)
		must(s.UpdateMethod(ctx, &v1.UpdateMethodRequest{RestApiId: a.id, ResourceId: a.resource("/pets"), HttpMethod: "GET", PatchOperations: patches("replace /authorizationType CUSTOM", "replace /authorizerId "+*z.Id)}))(t)
		c := must(s.CreateRestApi(ctx, &v1.CreateRestApiRequest{Name: "copy", CloneFrom: &a.id}))(t)
		b := &testAPI{s, ctx, t, *c.Id, *c.RootResourceId}
		b.deploy("prod")
		if _, m := b.snapshot("prod").Match("GET", "/pets"); m == nil || m.Authorizer == nil || m.Authorizer.ID == *z.Id || m.Authorizer.FunctionARN != testFunction || m.Authorizer.TTL.Seconds() != 300 {
			t.Errorf("the copy serves %+v", m)
		}
	})
}

func TestAuthorizersAreChecked(t *testing.T) {
	for _, c := range []struct {
		z    v1.Authorizer
		want string
	}{
		{v1.Authorizer{Type: shape.Ptr("TOKEN"), AuthorizerUri: shape.Ptr(testURI)}, "Identity source for TOKEN"},
		{v1.Authorizer{Type: shape.Ptr("TOKEN"), AuthorizerUri: shape.Ptr("http://x"), IdentitySource: shape.Ptr("method.request.header.A")}, "Invalid Authorizer URI"},
		{v1.Authorizer{Type: shape.Ptr("TOKEN"), AuthorizerUri: shape.Ptr(testURI), IdentitySource: shape.Ptr("method.request.header.A"), AuthorizerResultTtlInSeconds: shape.Ptr(int64(4000))}, "between 0 and 3600"},
		{v1.Authorizer{Type: shape.Ptr("TOKEN"), AuthorizerUri: shape.Ptr(testURI), IdentitySource: shape.Ptr("method.request.header.A"), IdentityValidationExpression: shape.Ptr("(?=x)")}, "Look-around"},
		{v1.Authorizer{Type: shape.Ptr("REQUEST"), AuthorizerUri: shape.Ptr(testURI)}, "Identity source is required"},
		{v1.Authorizer{Type: shape.Ptr("REQUEST"), AuthorizerUri: shape.Ptr(testURI), IdentitySource: shape.Ptr("header.A")}, "Invalid identity source"},
		{v1.Authorizer{Type: shape.Ptr("REQUEST"), AuthorizerUri: shape.Ptr(testURI), AuthorizerResultTtlInSeconds: shape.Ptr(int64(0))}, ""},
		{v1.Authorizer{Type: shape.Ptr("REQUEST"), AuthorizerUri: shape.Ptr(testURI), IdentitySource: shape.Ptr("method.request.querystring.a, context.identity.sourceIp, stageVariables.b")}, ""},
		{v1.Authorizer{Type: shape.Ptr("COGNITO_USER_POOLS")}, "at least one user pool"},
		{v1.Authorizer{Type: shape.Ptr("COGNITO_USER_POOLS"), ProviderARNs: []string{"arn:aws:s3:::x"}}, "Invalid authorizer provider ARN"},
		{v1.Authorizer{Type: shape.Ptr("COGNITO_USER_POOLS"), ProviderARNs: []string{testPool}}, ""},
		{v1.Authorizer{Type: shape.Ptr("JWT")}, "Invalid authorizer type"},
	} {
		c.z.Name = shape.Ptr("z")
		err := checkAuthorizer(&c.z)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.z, err, c.want)
		}
	}
}

func TestIntegrationsAreChecked(t *testing.T) {
	type i = v1.Integration
	p := func(s string) *string { return &s }
	for _, c := range []struct {
		i    i
		want string
	}{
		{i{Type: p("AWS_PROXY"), Uri: p(testURI)}, "Enumeration value for HttpMethod must be non-empty"},
		{i{Type: p("AWS_PROXY"), Uri: p(testURI), HttpMethod: p("POST")}, ""},
		{i{Type: p("AWS_PROXY"), Uri: p("hello"), HttpMethod: p("POST")}, "Invalid ARN specified in the request"},
		{i{Type: p("AWS_PROXY"), Uri: p("arn:aws:apigateway:us-east-1:lambda:x"), HttpMethod: p("POST")}, "AWS ARN for integration must contain path or action"},
		{i{Type: p("AWS_PROXY"), Uri: p("arn:aws:apigateway:us-east-1:sqs:path/q"), HttpMethod: p("POST")}, "currently only supports Lambda"},
		{i{Type: p("AWS"), Uri: p("arn:aws:apigateway:us-east-1:sqs:path/q"), HttpMethod: p("POST"), Credentials: p(testRole)}, "other than Lambda are not supported by Gatehouse yet: arn:aws:apigateway:us-east-1:sqs:path/q"},
		{i{Type: p("AWS"), Uri: p("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${stageVariables.fn}/invocations"), HttpMethod: p("POST")}, ""},
		{i{Type: p("HTTP"), Uri: p("ftp://x"), HttpMethod: p("GET")}, "Invalid HTTP endpoint specified for URI"},
		{i{Type: p("HTTP"), Uri: p("https://${stageVariables.host}/x/{id}"), HttpMethod: p("GET")}, ""},
		{i{Type: p("HTTP_PROXY"), Uri: p("https://x"), HttpMethod: p("GET"), ConnectionType: p("VPC_LINK")}, "VPC_LINK is not supported"},
		{i{Type: p("MOCK"), TimeoutInMillis: shape.Ptr(int64(10))}, "Timeout should be between 50 ms and 29000 ms"},
		{i{Type: p("MOCK"), PassthroughBehavior: p("ALWAYS")}, "passthrough"},
		{i{Type: p("MOCK"), RequestParameters: map[string]string{"integration.request.header.A": "method.request.header.B"}}, "Invalid mapping expression parameter specified: method.request.header.B"},
		{i{Type: p("MOCK"), RequestParameters: map[string]string{"integration.request.header.A": "method.request.header.Known"}}, ""},
		{i{Type: p("MOCK"), RequestParameters: map[string]string{"integration.header.A": "'x'"}}, "Invalid mapping expression specified: integration.header.A"},
		{i{Type: p("MOCK"), RequestTemplates: map[string]string{"a/b": strings.Repeat("x", maxTemplate+1)}}, "too large"},
		{i{Type: p("MOCK"), ResponseTransferMode: p("STREAM")}, "STREAM is not supported"},
	} {
		m := &v1.Method{RequestParameters: map[string]bool{"method.request.header.Known": true}}
		err := checkIntegration(&v1.Resource{Id: p("r")}, m, &c.i)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", openapi.JSON(c.i), err, c.want)
		}
	}
}

func TestQuotaPeriods(t *testing.T) {
	at := time.Date(2026, 11, 18, 23, 59, 0, 0, time.UTC) // a Wednesday
	for _, c := range []struct {
		q    Quota
		want string
	}{
		{Quota{Period: "DAY"}, "2026-11-18"}, {Quota{Period: "WEEK"}, "2026-11-16"}, {Quota{Period: "WEEK", Offset: 2}, "2026-11-18"}, {Quota{Period: "WEEK", Offset: 3}, "2026-11-12"},
		{Quota{Period: "MONTH"}, "2026-11-01"}, {Quota{Period: "MONTH", Offset: 17}, "2026-11-18"}, {Quota{Period: "MONTH", Offset: 27}, "2026-10-28"},
	} {
		if got := c.q.Start(at).Format(dateForm); got != c.want {
			t.Errorf("%+v begins on %s, want %s", c.q, got, c.want)
		}
	}
}

package wire_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

func TestMatch(t *testing.T) {
	const form = "application/x-www-form-urlencoded; charset=utf-8"
	tests := []struct {
		name    string
		method  string
		url     string
		scope   string // service in the credential scope
		headers map[string]string
		body    string
		want    string // "service.Operation", "service." for an unknown operation, "" for not ours
	}{
		// The JSON services.
		{name: "target", method: "POST", url: endpoint + "/", headers: map[string]string{"X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth"}, want: "cognito-idp.InitiateAuth"},
		{name: "target on a pool's host", method: "POST", url: "https://cognito-idp.us-east-1.amazonaws.com/", headers: map[string]string{"X-Amz-Target": "AWSCognitoIdentityProviderService.SignUp"}, want: "cognito-idp.SignUp"},
		{name: "unknown target", method: "POST", url: endpoint + "/", headers: map[string]string{"X-Amz-Target": "AWSCognitoIdentityProviderService.Frobnicate"}, want: "cognito-idp."},
		{name: "another service's target", method: "POST", url: endpoint + "/", headers: map[string]string{"X-Amz-Target": "DynamoDB_20120810.ListTables"}},
		{name: "target elsewhere than at the root", method: "POST", url: endpoint + "/api/x", headers: map[string]string{"X-Amz-Target": "AWSCognitoIdentityProviderService.SignUp"}},
		{name: "another service's target, signed for this one", method: "POST", url: endpoint + "/", scope: "cognito-idp", headers: map[string]string{"X-Amz-Target": "Foo.Bar"}, want: "cognito-idp."},
		{name: "no target", method: "POST", url: "https://cognito-idp.us-east-1.amazonaws.com/", want: "cognito-idp."},
		{name: "a pool's keys", method: "GET", url: "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abcdefghi/.well-known/jwks.json"},
		{name: "a pool's keys by path", method: "GET", url: endpoint + "/us-east-1_abcdefghi/.well-known/openid-configuration"},

		// The Query services.
		{name: "signed form", method: "POST", url: endpoint + "/", scope: "cloudformation", headers: map[string]string{"Content-Type": form}, body: "Action=DescribeStacks&Version=2010-05-15", want: "cloudformation.DescribeStacks"},
		{name: "unsigned form", method: "POST", url: endpoint + "/", headers: map[string]string{"Content-Type": form}, body: "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=x", want: "sts.AssumeRoleWithWebIdentity"},
		{name: "form of a user's page", method: "POST", url: endpoint + "/", headers: map[string]string{"Content-Type": form}, body: "name=a&Action=save"},
		{name: "query string", method: "GET", url: "https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15", want: "sts.GetCallerIdentity"},
		{name: "presigned query string", method: "GET", url: endpoint + "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20261121%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Signature=00", want: "sts.GetCallerIdentity"},
		{name: "unknown action", method: "POST", url: endpoint + "/", scope: "iam", headers: map[string]string{"Content-Type": form}, body: "Action=Frobnicate&Version=2010-05-08", want: "iam."},
		{name: "action of another version", method: "POST", url: endpoint + "/", scope: "iam", headers: map[string]string{"Content-Type": form}, body: "Action=GetRole&Version=1999-01-01", want: "iam."},
		{name: "the console's page", method: "GET", url: endpoint + "/"},

		// REST JSON.
		{name: "lambda", method: "POST", url: endpoint + "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations", scope: "lambda", want: "lambda.Invoke"},
		{name: "lambda, trailing slash", method: "GET", url: endpoint + "/2015-03-31/functions/", scope: "lambda", want: "lambda.ListFunctions"},
		{name: "lambda by host", method: "GET", url: "https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/f", want: "lambda.GetFunction"},
		{name: "lambda without anything", method: "GET", url: endpoint + "/2015-03-31/functions/f", want: "lambda.GetFunction"},
		{name: "layer by ARN", method: "GET", url: endpoint + "/2018-10-31/layers?find=LayerVersion&Arn=a", scope: "lambda", want: "lambda.GetLayerVersionByArn"},
		{name: "layers", method: "GET", url: endpoint + "/2018-10-31/layers", scope: "lambda", want: "lambda.ListLayers"},
		{name: "lambda, no such path", method: "GET", url: endpoint + "/2015-03-31/nothing", scope: "lambda", want: "lambda."},
		{name: "lambda, no such method", method: "PATCH", url: endpoint + "/2015-03-31/functions/f", want: "lambda."},
		{name: "REST APIs", method: "GET", url: endpoint + "/restapis/abc/resources", scope: "apigateway", want: "apigateway.GetResources"},
		{name: "import", method: "POST", url: endpoint + "/restapis?mode=import", scope: "apigateway", want: "apigateway.ImportRestApi"},
		{name: "create", method: "POST", url: endpoint + "/restapis", scope: "apigateway", want: "apigateway.CreateRestApi"},
		{name: "tags with slashes in the ARN", method: "GET", url: endpoint + "/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fabc", scope: "apigateway", want: "apigateway.GetTags"},
		{name: "HTTP APIs", method: "GET", url: endpoint + "/v2/apis/abc/routes", scope: "apigateway", want: "apigateway.GetRoutes"},
		{name: "HTTP APIs by host", method: "POST", url: "https://apigateway.us-east-1.amazonaws.com/v2/apis", want: "apigateway.CreateApi"},
		{name: "unsigned path of a user's", method: "GET", url: endpoint + "/v2/apis"},
		{name: "dated path of a user's", method: "GET", url: endpoint + "/2026-11-21/diary"},

		// REST XML.
		{name: "buckets", method: "GET", url: endpoint + "/", scope: "s3", want: "s3.ListBuckets"},
		{name: "bucket", method: "GET", url: endpoint + "/one", scope: "s3", want: "s3.ListObjects"},
		{name: "bucket, trailing slash", method: "GET", url: endpoint + "/one/?list-type=2&prefix=a", scope: "s3", want: "s3.ListObjectsV2"},
		{name: "location", method: "GET", url: endpoint + "/one?location", scope: "s3", want: "s3.GetBucketLocation"},
		{name: "location=", method: "GET", url: endpoint + "/one?location=", scope: "s3", want: "s3.GetBucketLocation"},
		{name: "encryption", method: "GET", url: endpoint + "/one?encryption", scope: "s3", want: "s3.GetBucketEncryption"},
		{name: "object", method: "PUT", url: endpoint + "/one/a/b//c%2Fd", scope: "s3", want: "s3.PutObject"},
		{name: "object, presigned by version 2", method: "GET", url: endpoint + "/one/a?AWSAccessKeyId=AK&Signature=x&Expires=1795258330", want: "s3.GetObject"},
		{name: "copy", method: "PUT", url: endpoint + "/one/a", scope: "s3", headers: map[string]string{"X-Amz-Copy-Source": "/x/y"}, want: "s3.CopyObject"},
		{name: "part", method: "PUT", url: endpoint + "/one/a?partNumber=1&uploadId=x", scope: "s3", want: "s3.UploadPart"},
		{name: "part copy", method: "PUT", url: endpoint + "/one/a?partNumber=1&uploadId=x", scope: "s3", headers: map[string]string{"X-Amz-Copy-Source": "/x/y"}, want: "s3.UploadPartCopy"},
		{name: "abort", method: "DELETE", url: endpoint + "/one/a?uploadId=x", scope: "s3", want: "s3.AbortMultipartUpload"},
		{name: "delete", method: "DELETE", url: endpoint + "/one/a", scope: "s3", want: "s3.DeleteObject"},
		{name: "complete", method: "POST", url: endpoint + "/one/a?uploadId=x", scope: "s3", want: "s3.CompleteMultipartUpload"},
		{name: "attributes without their header", method: "GET", url: endpoint + "/one/a?attributes", scope: "s3", want: "s3.GetObjectAttributes"},
		{name: "virtual host", method: "PUT", url: "https://one.s3.amazonaws.com/a", want: "s3.PutObject"},
		{name: "virtual host, region, dots", method: "GET", url: "https://my.own.bucket.s3.eu-west-1.amazonaws.com/", want: "s3.ListObjects"},
		{name: "local virtual host", method: "GET", url: "http://one.s3.localhost.localstack.cloud:4566/a", want: "s3.GetObject"},
		{name: "local name", method: "POST", url: "http://gatehouse.localhost:4566/", headers: map[string]string{"Content-Type": form}, body: "Action=AssumeRoleWithWebIdentity&Version=2011-06-15", want: "sts.AssumeRoleWithWebIdentity"},
		{name: "legacy host", method: "GET", url: "https://s3-eu-west-1.amazonaws.com/one/a", want: "s3.GetObject"},
		{name: "presigned", method: "GET", url: endpoint + "/one/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20261121%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=00", want: "s3.GetObject"},
		{name: "unsigned path", method: "GET", url: endpoint + "/one/a"},

		// The data plane, whatever it is signed with.
		{name: "API by host", method: "POST", url: "https://abc.execute-api.us-east-1.amazonaws.com/", headers: map[string]string{"X-Amz-Target": "AWSCognitoIdentityProviderService.SignUp"}},
		{name: "API by local host", method: "GET", url: "http://abc.execute-api.localhost:4566/2015-03-31/functions/f"},
		{name: "API, signed", method: "GET", url: endpoint + "/restapis/abc/resources", scope: "execute-api"},
		{name: "API by path", method: "GET", url: endpoint + "/_aws/execute-api/abc/dev/", scope: "lambda"},
		{name: "API by LocalStack's path", method: "GET", url: endpoint + "/restapis/abc/resources/_user_request_/x", scope: "apigateway"},
		{name: "sign-in pages", method: "POST", url: "https://my.auth.us-east-1.amazoncognito.com/", headers: map[string]string{"Content-Type": form}, body: "Action=GetCallerIdentity&Version=2011-06-15"},
		{name: "function URL", method: "GET", url: "https://abc.lambda-url.us-east-1.on.aws/2015-03-31/functions/f", scope: "lambda"},
		{name: "unserved service", method: "POST", url: endpoint + "/", scope: "dynamodb"},
	}
	s := wire.NewServer(wire.Options{Services: unimplemented()})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.url, strings.NewReader(tt.body))
			if tt.scope != "" {
				sign(r, tt.scope)
			}
			for name, value := range tt.headers {
				r.Header.Set(name, value)
			}
			got := ""
			if target, ok := s.Match(r); ok {
				got = target.Service.Model.Endpoint + "."
				if target.Operation != nil {
					got += target.Operation.Name
				}
			}
			if got != tt.want {
				t.Errorf("matched %q, want %q", got, tt.want)
			}
			if body, _ := io.ReadAll(r.Body); string(body) != tt.body {
				t.Errorf("the body is now %q", body)
			}
		})
	}
}

func TestUnserved(t *testing.T) {
	s := wire.NewServer(wire.Options{Services: unimplemented()})
	tests := []struct{ url, scope, target, want string }{
		{endpoint + "/", "dynamodb", "DynamoDB_20120810.ListTables", "dynamodb"},
		{endpoint + "/", "", "DynamoDB_20120810.ListTables", "DynamoDB_20120810.ListTables"},
		{"https://cloudtrail.us-east-1.amazonaws.com/", "", "", "cloudtrail"},
		{endpoint + "/x", "execute-api", "", ""},
		{"https://abc.execute-api.us-east-1.amazonaws.com/x", "sqs", "", ""},
		{endpoint + "/x", "", "", ""},
		{endpoint + "/x", "s3", "", ""},
		{"http://anything.localhost:4566/x", "", "", ""},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("POST", tt.url, nil)
		r.Header.Set("Content-Type", "application/x-amz-json-1.0")
		if tt.scope != "" {
			sign(r, tt.scope)
		}
		if tt.target != "" {
			r.Header.Set("X-Amz-Target", tt.target)
		}
		got, ok := s.Unserved(r)
		if got != tt.want || ok != (tt.want != "") {
			if !(tt.want == "" && !ok) {
				t.Errorf("%s %s %s: %q, %v", tt.url, tt.scope, tt.target, got, ok)
			}
		}
		if ok {
			w := httptest.NewRecorder()
			s.ServeUnserved(w, r, got)
			if w.Code != http.StatusNotImplemented || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
	}
}

package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// whoCode answers with who has signed the request.
const whoCode = `import json
def handler(event, context):
    rc = event["requestContext"]
    who = rc.get("authorizer", {}).get("iam", {})
    return {"statusCode": 200, "headers": {"content-type": "text/plain"},
            "body": " ".join([event["rawPath"], event.get("body", ""), rc["accountId"], str(who.get("userArn")), str(who.get("accessKey"))])}
`

// callSigned makes a request, signed by the SDK's own signer if k is not empty.
func callSigned(t testing.TB, k aws.Credentials, service, method, url, host, body string, option ...func(*v4.SignerOptions)) string {
	t.Helper()
	r := must(http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body)))(t)
	if host != "" {
		r.Host = host
	}
	if k.AccessKeyID != "" {
		sum := sha256.Sum256([]byte(body))
		ok(t, v4.NewSigner(option...).SignHTTP(t.Context(), k, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()))
	}
	return fetch(t, r)
}

func fetch(t testing.TB, r *http.Request) string {
	t.Helper()
	resp := must(http.DefaultClient.Do(r))(t)
	defer resp.Body.Close()
	return words(resp.StatusCode, string(must(io.ReadAll(resp.Body))(t)))
}

// user makes a user with an access key and a policy.
func iamUser(t testing.TB, c *iam.Client, name, statements string) aws.Credentials {
	t.Helper()
	must(c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}))(t)
	if statements != "" {
		must(c.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` + statements + `]}`)}))(t)
	}
	k := must(c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name}))(t).AccessKey
	return aws.Credentials{AccessKeyID: *k.AccessKeyId, SecretAccessKey: *k.SecretAccessKey}
}

// Calls of APIs and of functions' URLs, signed by the SDK's signer with the keys of users and of roles.
func TestSignedCalls(t *testing.T) {
	need(t, "python3")
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		cfg := s.config(t)
		ctx := t.Context()
		users, functions, apis := iam.NewFromConfig(cfg), lambda.NewFromConfig(cfg), apigatewayv2.NewFromConfig(cfg)
		name := aws.String("who")
		_, err := functions.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: name, Role: aws.String("arn:aws:iam::000000000000:role/none"), Runtime: lambdatypes.RuntimePython312,
			Handler: aws.String("app.handler"), Code: &lambdatypes.FunctionCode{ZipFile: zipped(t, "app.py", whoCode)}})
		typed[*lambdatypes.InvalidParameterValueException](t, "a role that is not there", "The role defined for the function cannot be assumed by Lambda.")(nil, err)
		function := must(functions.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: name, Role: makeRole(t, users, "worker"), Runtime: lambdatypes.RuntimePython312,
			Handler: aws.String("app.handler"), Code: &lambdatypes.FunctionCode{ZipFile: zipped(t, "app.py", whoCode)}, Timeout: aws.Int32(10)}))(t)

		api := must(apis.CreateApi(ctx, &apigatewayv2.CreateApiInput{Name: aws.String("signed"), ProtocolType: apitypes.ProtocolTypeHttp}))(t)
		integration := must(apis.CreateIntegration(ctx, &apigatewayv2.CreateIntegrationInput{ApiId: api.ApiId, IntegrationType: apitypes.IntegrationTypeAwsProxy,
			IntegrationUri: function.FunctionArn, PayloadFormatVersion: aws.String("2.0")}))(t)
		must(apis.CreateRoute(ctx, &apigatewayv2.CreateRouteInput{ApiId: api.ApiId, RouteKey: aws.String("ANY /{path+}"), AuthorizationType: apitypes.AuthorizationTypeAwsIam,
			Target: aws.String("integrations/" + *integration.IntegrationId)}))(t)
		must(apis.CreateStage(ctx, &apigatewayv2.CreateStageInput{ApiId: api.ApiId, StageName: aws.String("$default"), AutoDeploy: aws.Bool(true)}))(t)
		must(functions.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: name, StatementId: aws.String("api"), Action: aws.String("lambda:InvokeFunction"),
			Principal: aws.String("apigateway.amazonaws.com"), SourceArn: aws.String("arn:aws:execute-api:us-east-1:000000000000:" + *api.ApiId + "/*")}))(t)

		invoke := `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:000000000000:` + *api.ApiId + `/$default/`
		ann := iamUser(t, users, "ann", invoke+`*/private/*"},{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`)
		bob := iamUser(t, users, "bob", "")
		trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":"sts:AssumeRole"}]}`
		role := must(users.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("reader"), AssumeRolePolicyDocument: &trust}))(t).Role
		must(users.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("p"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":` + invoke + `GET/*"}}`)}))(t)
		asAnn := cfg.Copy()
		asAnn.Credentials = aws.NewCredentialsCache(staticKey(ann))
		c := must(sts.NewFromConfig(asAnn).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("now")}))(t).Credentials
		session := aws.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}

		at, host := *api.ApiEndpoint, *api.ApiId+".execute-api.us-east-1.amazonaws.com"
		const no = `403 {"message":"Forbidden"}`
		plain := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }
		annIs, sessionIs := " 000000000000 arn:aws:iam::000000000000:user/ann "+ann.AccessKeyID, " 000000000000 arn:aws:sts::000000000000:assumed-role/reader/now "+session.AccessKeyID
		same(t, "a user", callSigned(t, ann, "execute-api", "GET", at+"/private/x?b=2&a=1", "", ""), "200 /private/x "+annIs)
		same(t, "a body", callSigned(t, ann, "execute-api", "POST", at+"/private/x", "", "some text"), "200 /private/x c29tZSB0ZXh0"+annIs)
		same(t, "by host", callSigned(t, ann, "execute-api", "GET", s.URL+"/private/x", host, ""), "200 /private/x "+annIs)
		same(t, "a path with blanks", callSigned(t, ann, "execute-api", "GET", at+"/private/a%20b", "", ""), "200 /private/a b "+annIs)
		same(t, "a path encoded once", callSigned(t, ann, "execute-api", "GET", at+"/private/a%20b", "", "", plain), "200 /private/a b "+annIs)
		same(t, "a session", callSigned(t, session, "execute-api", "GET", at+"/anything", "", ""), "200 /anything "+sessionIs)
		same(t, "a session's other method", callSigned(t, session, "execute-api", "PUT", at+"/anything", "", ""), no)
		same(t, "another path", callSigned(t, ann, "execute-api", "GET", at+"/public", "", ""), no)
		same(t, "a user without policies", callSigned(t, bob, "execute-api", "GET", at+"/private/x", "", ""), no)
		same(t, "nobody", callSigned(t, aws.Credentials{}, "execute-api", "GET", at+"/private/x", "", ""), no)
		if why := s.gatehouse(t, "why", "--last"); !strings.Contains(why, "not signed") {
			t.Errorf("why says %s", why)
		}
		same(t, "another service", callSigned(t, ann, "lambda", "GET", at+"/private/x", "", ""), no)
		r := must(http.NewRequestWithContext(ctx, "GET", at+"/anything?a=b", nil))(t)
		link, _, err := v4.NewSigner().PresignHTTP(ctx, session, r, emptyHash, "execute-api", "us-east-1", time.Now())
		ok(t, err)
		same(t, "presigned", fetch(t, must(http.NewRequestWithContext(ctx, "GET", link, nil))(t)), "200 /anything "+sessionIs)
		same(t, "presigned and changed", fetch(t, must(http.NewRequestWithContext(ctx, "GET", strings.Replace(link, "a=b", "a=c", 1), nil))(t)), no)
		must(users.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: aws.String("ann"), AccessKeyId: &ann.AccessKeyID, Status: "Inactive"}))(t)
		same(t, "an inactive key", callSigned(t, ann, "execute-api", "GET", at+"/private/x", "", ""), no)

		// The function's own URL.
		made := must(functions.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: name, AuthType: lambdatypes.FunctionUrlAuthTypeAwsIam}))(t)
		host = strings.TrimSuffix(strings.TrimPrefix(*made.FunctionUrl, "https://"), "/")
		id, _, _ := strings.Cut(host, ".")
		at = s.URL + "/_aws/lambda-url/" + id
		const urlNo = `403 {"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}`
		same(t, "URL, no policy", callSigned(t, bob, "lambda", "GET", at+"/x", "", ""), urlNo)
		must(users.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("bob"), PolicyName: aws.String("p"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["lambda:InvokeFunctionUrl","lambda:InvokeFunction"],"Resource":"` + *function.FunctionArn + `"}]}`)}))(t)
		bobIs := " 000000000000 arn:aws:iam::000000000000:user/bob " + bob.AccessKeyID
		same(t, "URL", callSigned(t, bob, "lambda", "GET", at+"/x", "", ""), "200 /x "+bobIs)
		same(t, "URL by host", callSigned(t, bob, "lambda", "GET", s.URL+"/x", host, ""), "200 /x "+bobIs)
		same(t, "URL, unsigned", callSigned(t, aws.Credentials{}, "lambda", "GET", at+"/x", "", ""), urlNo)
		must(functions.UpdateFunctionUrlConfig(ctx, &lambda.UpdateFunctionUrlConfigInput{FunctionName: name, AuthType: lambdatypes.FunctionUrlAuthTypeNone}))(t)
		must(functions.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: name, StatementId: aws.String("url"), Action: aws.String("lambda:InvokeFunctionUrl"),
			Principal: aws.String("*"), FunctionUrlAuthType: lambdatypes.FunctionUrlAuthTypeNone}))(t)
		same(t, "public URL, half permitted", callSigned(t, aws.Credentials{}, "lambda", "GET", at+"/x", "", ""), urlNo)
		must(functions.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: name, StatementId: aws.String("invoke"), Action: aws.String("lambda:InvokeFunction"),
			Principal: aws.String("*"), InvokedViaFunctionUrl: aws.Bool(true)}))(t)
		same(t, "public URL", callSigned(t, aws.Credentials{}, "lambda", "GET", at+"/x", "", ""), "200 /x  anonymous None None")
		must(functions.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: name}))(t)
		same(t, "a deleted URL", callSigned(t, aws.Credentials{}, "lambda", "GET", at+"/x", "", ""), urlNo)
	})
}

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func staticKey(k aws.Credentials) aws.CredentialsProviderFunc {
	return func(context.Context) (aws.Credentials, error) { return k, nil }
}

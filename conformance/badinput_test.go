package conformance

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

// Refusals as the AWS CLI shows them: every protocol's errors come through with code and message.
func TestCLIErrors(t *testing.T) {
	t.Parallel()
	s := start(t)
	good := s.settings(t)
	wrong, unknown := good, good
	wrong.Secret = strings.Repeat("x", 40)
	unknown.KeyID = "AKIAIOSFODNN7EXAMPLE"
	aws, forged, stranger := newCLI(t, good, s.home), newCLI(t, wrong, s.home), newCLI(t, unknown, s.home)

	const badSignature = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.…"
	pools := []string{"cognito-idp", "list-user-pools", "--max-results", "1"}
	forged.refused(t, "ListUserPools", "InvalidSignatureException | "+badSignature, pools...)
	stranger.refused(t, "ListUserPools", "UnrecognizedClientException | The security token included in the request is invalid.", pools...)
	aws.refused(t, "ListUserPools", "MissingAuthenticationTokenException", append(pools, "--no-sign-request")...) // JSON
	forged.refused(t, "ListFunctions", "InvalidSignatureException | "+badSignature, "lambda", "list-functions")   // REST JSON
	stranger.refused(t, "ListFunctions", "UnrecognizedClientException | The security token included in the request is invalid.", "lambda", "list-functions")
	forged.refused(t, "GetCallerIdentity", "SignatureDoesNotMatch | "+badSignature, "sts", "get-caller-identity") // Query
	stranger.refused(t, "ListRoles", "InvalidClientTokenId | The security token included in the request is invalid.", "iam", "list-roles")
	forged.refused(t, "ListBuckets", "SignatureDoesNotMatch", "s3api", "list-buckets") // REST XML
	stranger.refused(t, "ListBuckets", "InvalidAccessKeyId", "s3api", "list-buckets")

	aws.refused(t, "DescribeUserPool", "ResourceNotFoundException | User pool us-east-1_AbCdEfGhI does not exist.", "cognito-idp", "describe-user-pool", "--user-pool-id", "us-east-1_AbCdEfGhI")
	aws.refused(t, "DescribeUserPool", "InvalidParameterException | 1 validation error detected: Value 'nonsense' at 'userPoolId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w-]+_[0-9a-zA-Z]+",
		"cognito-idp", "describe-user-pool", "--user-pool-id", "nonsense")
	aws.refused(t, "SignUp", "ResourceNotFoundException | User pool client abcdefghijklmnopqrstuvwxyz does not exist.",
		"cognito-idp", "sign-up", "--client-id", "abcdefghijklmnopqrstuvwxyz", "--username", "x", "--password", password)
	aws.refused(t, "GetFunction", "ResourceNotFoundException | Function not found: arn:aws:lambda:us-east-1:000000000000:function:none", "lambda", "get-function", "--function-name", "none")
	aws.refused(t, "GetApi", "NotFoundException | Invalid API identifier specified 000000000000:aaaaaaaaaa", "apigatewayv2", "get-api", "--api-id", "aaaaaaaaaa")
	aws.refused(t, "DescribeStacks", "ValidationError | Stack with id none does not exist", "cloudformation", "describe-stacks", "--stack-name", "none")
	aws.refused(t, "GetRole", "NoSuchEntity | The role with name none cannot be found.", "iam", "get-role", "--role-name", "none")
	aws.refused(t, "ListObjectsV2", "NoSuchBucket | The specified bucket does not exist", "s3api", "list-objects-v2", "--bucket", "none")
	aws.refused(t, "DescribeLogStreams", "ResourceNotFoundException | The specified log group does not exist.", "logs", "describe-log-streams", "--log-group-name", "none")

	// What Gatehouse does not have is refused by name.
	for _, args := range [][]string{
		{"cognito-idp", "describe-risk-configuration", "--user-pool-id", "us-east-1_AbCdEfGhI"},
		{"dynamodb", "list-tables"},
		{"sqs", "list-queues"},
	} {
		if r := aws.try(t, args...); r.code == 0 || !strings.Contains(r.stderr, "An error occurred (") || !strings.Contains(strings.ToLower(r.stderr), strings.Split(args[0], "-")[0]) &&
			!strings.Contains(r.stderr, "DescribeRiskConfiguration") {
			t.Errorf("aws %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
		}
	}
}

// What no client sends, byte by byte.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := startOpen(t)
	const target = "AWSCognitoIdentityProviderService."
	const signed = "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=00"
	for _, tt := range []struct {
		name, operation, body string
		status                int
		code, message         string
	}{
		{"malformed JSON", "SignUp", `{"ClientId":`, 400, "SerializationException", ""},
		{"more than JSON", "SignUp", `{} {}`, 400, "SerializationException", ""},
		{"an array", "SignUp", `[]`, 400, "SerializationException", ""},
		{"a number for a string", "SignUp", `{"ClientId":5}`, 400, "SerializationException", ""},
		{"a string for a list", "SignUp", `{"ClientId":"a","Username":"a","Password":"a","UserAttributes":"x"}`, 400, "SerializationException", ""},
		{"not UTF-8", "SignUp", "{\"ClientId\":\"\xff\"}", 400, "SerializationException", ""},
		{"nested without end", "SignUp", strings.Repeat(`{"a":`, 100000), 400, "SerializationException", ""},
		{"nothing", "SignUp", `{}`, 400, "InvalidParameterException", "2 validation errors detected: Value null at 'clientId' failed to satisfy constraint: Member must not be null; "},
		{"an unknown operation", "SignUpp", `{}`, 400, "UnknownOperationException", ""},
		{"no operation", "", `{}`, 400, "UnknownOperationException", ""},
		{"a long user name", "SignUp", `{"ClientId":"abc","Username":"` + strings.Repeat("u", 129) + `","Password":"Passw0rd!"}`, 400, "InvalidParameterException",
			"1 validation error detected: Value at 'username' failed to satisfy constraint: Member must have length less than or equal to 128"},
		{"a secret in a complaint", "SignUp", `{"ClientId":"abc","Username":"u","Password":"` + strings.Repeat("s", 257) + `"}`, 400, "InvalidParameterException", "1 validation error detected: Value at 'password' failed to satisfy constraint: "},
		{"an unknown field", "SignUp", `{"ClientId":"abc","Username":"u","Password":"Passw0rd!","Nonsense":1}`, 400, "ResourceNotFoundException", "User pool client abc does not exist."},
		{"a huge body", "SignUp", `{"ClientId":"` + strings.Repeat("a", 11<<20) + `"}`, 413, "", ""},
	} {
		status, h, body := send(t, "POST", s.URL+"/", tt.body, "Content-Type", "application/x-amz-json-1.1", "X-Amz-Target", target+tt.operation, "Authorization", fmt.Sprintf(signed, "cognito-idp"))
		var e struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		decode(t, body, &e)
		if status != tt.status || tt.code != "" && e.Type != tt.code || !strings.HasPrefix(e.Message, tt.message) || h.Get("X-Amzn-Requestid") == "" {
			t.Errorf("%s: %d %s, want %d %s %q", tt.name, status, tail(body, 500), tt.status, tt.code, tt.message)
		}
		if strings.Contains(body, "ssss") {
			t.Errorf("%s: the answer holds the password: %s", tt.name, body)
		}
	}
	// The other protocols.
	for _, tt := range []struct {
		name, method, path, service, contentType, body string
		status                                         int
		says                                           string
	}{
		{"Query: an unknown action", "POST", "/", "cloudformation", "application/x-www-form-urlencoded", "Action=Nonsense&Version=2010-05-15", 400, "<Code>InvalidAction</Code>"},
		{"Query: no action", "POST", "/", "cloudformation", "application/x-www-form-urlencoded", "Version=2010-05-15", 400, "<Code>"},
		{"Query: a missing parameter", "POST", "/", "cloudformation", "application/x-www-form-urlencoded", "Action=DeleteStack&Version=2010-05-15", 400, "<Code>ValidationError</Code>"},
		{"Query: not a form", "POST", "/", "iam", "application/x-www-form-urlencoded", "Action=GetRole&Version=2010-05-08&RoleName=%zz", 400, "<Code>"},
		{"REST: malformed JSON", "POST", "/v2/apis", "apigateway", "application/json", "{", 400, "SerializationException"},
		{"REST: a missing member", "POST", "/v2/apis", "apigateway", "application/json", "{}", 400, "BadRequestException"},
		{"REST: an unknown path", "GET", "/2015-03-31/nonsense", "lambda", "", "", 404, "UnknownOperationException"},
		{"S3: malformed XML", "PUT", "/some-bucket", "s3", "application/xml", "<CreateBucketConfiguration", 400, "MalformedXML"},
		{"S3: a bad name", "PUT", "/Some_Bucket", "s3", "", "", 400, "<Code>InvalidBucketName</Code>"},
	} {
		status, h, body := send(t, tt.method, s.URL+tt.path, tt.body, "Content-Type", tt.contentType, "Authorization", fmt.Sprintf(signed, tt.service), "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		if status != tt.status || !strings.Contains(h.Get("X-Amzn-Errortype")+" "+body, tt.says) {
			t.Errorf("%s: %d %s %s, want %d %s", tt.name, status, h.Get("X-Amzn-Errortype"), body, tt.status, tt.says)
		}
	}
	// Nothing of all that has made anything.
	same(t, "pools", s.countPools(t), 0)
	if status, _, body := get(t, s.URL+"/nowhere"); status != 404 || !strings.Contains(body, "Gatehouse") {
		t.Errorf("GET /nowhere: %d %s", status, body)
	}
}

// Of several who make the same thing at once, one succeeds, and the others hear that it exists.
func TestConcurrentDuplicates(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		cfg := s.config(t)
		ctx := t.Context()
		c := cognito.NewFromConfig(cfg)
		pool, client, _ := testPool(t, c, false)
		role := makeRole(t, iam.NewFromConfig(cfg), "worker")
		code := zipped(t, "app.py", "def handler(event, context): return 1\n")
		fn := lambda.NewFromConfig(cfg)
		for what, f := range map[string]func() error{
			"UsernameExistsException": func() error {
				_, err := c.SignUp(ctx, &cognito.SignUpInput{ClientId: &client, Username: aws.String("jane"), Password: aws.String(password)})
				return err
			},
			"AliasExistsException": func() error {
				// Each user is new, and all say that the address is theirs.
				u := must(c.AdminCreateUser(ctx, &cognito.AdminCreateUserInput{UserPoolId: &pool, Username: aws.String(rand.Text()), MessageAction: types.MessageActionTypeSuppress}))(t).User
				_, err := c.AdminUpdateUserAttributes(ctx, &cognito.AdminUpdateUserAttributesInput{UserPoolId: &pool, Username: u.Username,
					UserAttributes: []types.AttributeType{attr("email", "shared@example.com"), attr("email_verified", "true")}})
				return err
			},
			"ResourceConflictException": func() error {
				_, err := fn.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: aws.String("one"), Role: role, Runtime: lambdatypes.RuntimePython312, Handler: aws.String("app.handler"),
					Code: &lambdatypes.FunctionCode{ZipFile: code}})
				return err
			},
			"EntityAlreadyExists": func() error {
				_, err := iam.NewFromConfig(cfg).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("other"), AssumeRolePolicyDocument: aws.String(lambdaTrust)})
				return err
			},
		} {
			var mu sync.Mutex
			got := map[string]int{}
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					err := f()
					name := "made"
					var e smithy.APIError
					if errors.As(err, &e) {
						name = e.ErrorCode()
					} else if err != nil {
						name = err.Error()
					}
					mu.Lock()
					defer mu.Unlock()
					got[name]++
				})
			}
			wg.Wait()
			same(t, what, got, map[string]int{"made": 1, what: 7})
		}
	})
}

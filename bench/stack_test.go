package bench

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// ten is an API with sign-in, of ten resources.
const ten = `
Resources:
  Pool: {Type: AWS::Cognito::UserPool, Properties: {UsernameAttributes: [email], AutoVerifiedAttributes: [email]}}
  Client: {Type: AWS::Cognito::UserPoolClient, Properties: {UserPoolId: !Ref Pool, ExplicitAuthFlows: [ALLOW_USER_SRP_AUTH, ALLOW_REFRESH_TOKEN_AUTH]}}
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: !Ref AWS::StackName, ProtocolType: HTTP}}
  Stage: {Type: AWS::ApiGatewayV2::Stage, Properties: {ApiId: !Ref Api, StageName: $default, AutoDeploy: true}}
  Authorizer:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      {ApiId: !Ref Api, Name: jwt, AuthorizerType: JWT, IdentitySource: [$request.header.Authorization],
       JwtConfiguration: {Issuer: !Sub "https://cognito-idp.${AWS::Region}.amazonaws.com/${Pool}", Audience: [!Ref Client]}}
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}}
  Function:
    Type: AWS::Lambda::Function
    Properties: {Runtime: nodejs22.x, Handler: private.handler, Role: !GetAtt Role.Arn, Code: ./functions/private.ts}
  Integration: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: AWS_PROXY, IntegrationUri: !GetAtt Function.Arn, PayloadFormatVersion: "2.0"}}
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Api, RouteKey: GET /private, AuthorizationType: JWT, AuthorizerId: !Ref Authorizer, Target: !Sub "integrations/${Integration}"}
  Permission: {Type: AWS::Lambda::Permission, Properties: {Action: lambda:InvokeFunction, FunctionName: !Ref Function, Principal: apigateway.amazonaws.com}}
`

// BenchmarkStack creates and deletes a stack of ten resources, and the one of examples/jwt-api-ts with
// its 21; the functions' packages are in a bucket already. The time is from the call to the state that
// ends the operation, asked for every millisecond.
func BenchmarkStack(b *testing.B) {
	s := start(b, b.TempDir())
	if _, err := s.send("s3", "PUT", "/bench", http.Header{}, nil); err != nil {
		b.Fatal(err)
	}
	code := func(template string) string {
		for name, text := range map[string]string{
			"private.ts": "exports.handler = async () => 'private'",
			"public.ts":  "exports.handler = async () => 'public'",
			"health.py":  "def handler(event, context):\n    return 'health'\n",
		} {
			file := strings.Replace(name, ".ts", ".js", 1)
			if _, err := s.send("s3", "PUT", "/bench/"+name, http.Header{}, zipped(b, file, []byte(text))); err != nil {
				b.Fatal(err)
			}
			template = strings.ReplaceAll(template, "Code: ./functions/"+name, "Code: {S3Bucket: bench, S3Key: "+name+"}")
		}
		return template
	}
	example, err := os.ReadFile("../examples/jwt-api-ts/template.yaml")
	if err != nil {
		b.Fatal(err)
	}
	query := func(action string, args ...string) (string, error) {
		form := url.Values{"Action": {action}, "Version": {"2010-05-15"}}
		for i := 0; i < len(args); i += 2 {
			form.Set(args[i], args[i+1])
		}
		data, err := s.send("cloudformation", "POST", "/", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(form.Encode()))
		return string(data), err
	}
	// wait returns when the stack's status is want.
	wait := func(id, want string) error {
		for {
			answer, err := query("DescribeStacks", "StackName", id)
			if err != nil {
				return err
			}
			_, status, _ := strings.Cut(answer, "<StackStatus>")
			status, _, _ = strings.Cut(status, "<")
			switch {
			case status == want:
				return nil
			case !strings.HasSuffix(status, "_IN_PROGRESS"):
				return fmt.Errorf("stack is %s: %s", status, answer)
			}
			time.Sleep(time.Millisecond)
		}
	}
	for name, template := range map[string]string{"ten": code(ten), "jwt-api-ts": code(string(example))} {
		b.Run(name, func(b *testing.B) {
			created, deleted := make([]time.Duration, b.N), make([]time.Duration, b.N)
			var cpu time.Duration
			for i := range b.N {
				s.settle() // the next pool's keys are made
				before := s.ask().CPU
				begun := time.Now()
				answer, err := query("CreateStack", "StackName", "bench", "TemplateBody", template, "Capabilities.member.1", "CAPABILITY_IAM")
				if err != nil {
					b.Fatal(err)
				}
				_, id, _ := strings.Cut(answer, "<StackId>")
				id, _, _ = strings.Cut(id, "<")
				if err := wait(id, "CREATE_COMPLETE"); err != nil {
					b.Fatal(err)
				}
				created[i] = time.Since(begun)
				begun = time.Now()
				if _, err = query("DeleteStack", "StackName", id); err == nil {
					err = wait(id, "DELETE_COMPLETE")
				}
				if err != nil {
					b.Fatal(err)
				}
				deleted[i] = time.Since(begun)
				cpu += s.ask().CPU - before
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(median(created).Microseconds())/1e3, "create-ms")
			b.ReportMetric(float64(median(deleted).Microseconds())/1e3, "delete-ms")
			b.ReportMetric(float64(cpu.Microseconds())/1e3/float64(b.N), "cpu-ms")
		})
	}
}

package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// samOutputs are those of examples/sam.
type samOutputs struct{ HttpEndpoint, RestEndpoint, UserPoolId, UserPoolClientId string }

// samSignIn makes a user of the app's pool and returns a token.
func samSignIn(t *testing.T, aws *awsCLI, o samOutputs) string {
	t.Helper()
	aws.json(t, "cognito-idp", "sign-up", "--client-id", o.UserPoolClientId, "--username", email, "--password", password)
	aws.text(t, "cognito-idp", "admin-confirm-sign-up", "--user-pool-id", o.UserPoolId, "--username", email)
	in := aws.json(t, "cognito-idp", "initiate-auth", "--client-id", o.UserPoolClientId, "--auth-flow", "USER_PASSWORD_AUTH",
		"--auth-parameters", "USERNAME="+email+",PASSWORD="+password)
	token, _ := in["AuthenticationResult"].(map[string]any)["IdToken"].(string)
	return token
}

// samRoutes checks both APIs, with a token and without.
func samRoutes(t *testing.T, o samOutputs, token, stage string) {
	t.Helper()
	for _, tt := range []struct{ url, without, with string }{
		{o.HttpEndpoint + "/public", "200 Hello stranger, this is " + stage + "!", "200 Hello stranger, this is " + stage + "!"},
		{o.RestEndpoint + "/public", "200 Hello stranger, this is " + stage + "!", "200 Hello stranger, this is " + stage + "!"},
		{o.HttpEndpoint + "/private", `401 {"message":"Unauthorized"}`, "200 Hello " + email + "!"},
		{o.RestEndpoint + "/secret", `401 {"message":"Unauthorized"}`, "200 Hello " + email + "!"},
	} {
		status, _, body := get(t, tt.url)
		same(t, tt.url, words(status, body), tt.without)
		status, _, body = get(t, tt.url, "Authorization", token)
		same(t, tt.url+" with a token", words(status, body), tt.with)
	}
	for url, want := range map[string]string{o.HttpEndpoint + "/private": "GET", o.RestEndpoint + "/secret": "GET,OPTIONS"} {
		status, h, _ := send(t, "OPTIONS", url, "", "Origin", "https://app.example.com", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
		if status/100 != 2 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != want || !strings.EqualFold(h.Get("Access-Control-Allow-Headers"), "authorization") {
			t.Errorf("preflight of %s: %d %v", url, status, h)
		}
	}
}

// TestSAM deploys examples/sam as its README tells: live, to a stage, and through CloudFormation as the
// AWS CLI packages it.
func TestSAM(t *testing.T) {
	need(t, "node")
	app := copyApp(t, "sam")

	s := &server{Dir: t.TempDir(), home: t.TempDir()}
	s.process = launch(t, "dev", app, "--listen", "127.0.0.1:0", "--data", s.Dir)
	m := s.await(t, 0, listening, time.Minute)
	s.URL, s.Port = m[1], m[2]
	if m := s.await(t, 0, `Watching the sources|Waiting for a change`, time.Minute); !strings.HasPrefix(m[0], "Watching") {
		t.Fatalf("the app is not deployed:\n%s", s.String())
	}
	aws := s.aws(t)
	output := func(name string) string { return s.await(t, 0, `(?m)^  `+name+`: +(\S+)$`, time.Second)[1] }
	dev := samOutputs{output("HttpEndpoint"), output("RestEndpoint"), output("UserPoolId"), output("UserPoolClientId")}
	token := samSignIn(t, aws, dev)
	samRoutes(t, dev, token, "dev")

	// A saved source is in the next answer of both APIs; a mistake in the template leaves what runs.
	edit(t, filepath.Join(app, "src", "private.mjs"), "Hello ${claims.email}!", "Hi ${claims.email}!")
	for _, url := range []string{dev.HttpEndpoint + "/private", dev.RestEndpoint + "/secret"} {
		eventually(t, 10*time.Second, func() string {
			if status, _, body := get(t, url, "Authorization", token); body != "Hi "+email+"!" {
				return fmt.Sprintf("%s: %d %s", url, status, body)
			}
			return ""
		})
	}
	edit(t, filepath.Join(app, "src", "private.mjs"), "Hi ${claims.email}!", "Hello ${claims.email}!")
	from := s.mark()
	edit(t, filepath.Join(app, "template.yaml"), "Handler: private.handler", "Handlr: private.handler")
	s.await(t, from, `Resource with id \[Private\] is invalid. property Handlr not defined for resource of type AWS::Serverless::Function`, 10*time.Second)
	from = s.mark()
	edit(t, filepath.Join(app, "template.yaml"), "Handlr: private.handler", "Handler: private.handler")
	s.await(t, from, `dev-sam  (deployed|unchanged)`, 20*time.Second)

	// Another stage beside it.
	var prod samOutputs
	decode(t, s.gatehouse(t, "deploy", app, "--stage", "prod", "--json"), &prod)
	samRoutes(t, prod, samSignIn(t, aws, prod), "prod")

	// The AWS CLI packages sources as they are: no TypeScript.
	write(t, filepath.Join(app, "src", "public.mjs"), "export const handler = async () => ({ statusCode: 200, body: `Hello stranger, this is ${process.env.STAGE}!` });\n")
	template := filepath.Join(app, "template.yaml")
	edit(t, template, "    Metadata:\n      BuildMethod: esbuild\n      BuildProperties: { EntryPoints: [public.ts], Minify: true, Target: es2022 }\n", "")
	aws.text(t, "s3", "mb", "s3://packages")
	packaged := filepath.Join(t.TempDir(), "packaged.yaml")
	// It uploads past --endpoint-url, so it needs surroundings that lead it here.
	packing := []string{"run", "--data", s.Dir, "--", aws.path, "cloudformation", "package", "--template-file", template, "--s3-bucket", "packages", "--output-template-file", packaged}
	if r := run(t, cleanEnv("HOME="+s.home, "AWS_PAGER="), binary(t), packing...); r.code != 0 {
		t.Fatalf("aws cloudformation package: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	aws.text(t, "cloudformation", "deploy", "--template-file", packaged, "--stack-name", "sam", "--capabilities", "CAPABILITY_IAM", "--parameter-overrides", "Stage=cli")
	stack := aws.json(t, "cloudformation", "describe-stacks", "--stack-name", "sam")["Stacks"].([]any)[0].(map[string]any)
	var cli samOutputs
	for _, v := range stack["Outputs"].([]any) {
		v := v.(map[string]any)
		switch value := v["OutputValue"].(string); v["OutputKey"] {
		case "HttpEndpoint":
			cli.HttpEndpoint = value
		case "RestEndpoint":
			cli.RestEndpoint = value
		case "UserPoolId":
			cli.UserPoolId = value
		case "UserPoolClientId":
			cli.UserPoolClientId = value
		}
	}
	samRoutes(t, cli, samSignIn(t, aws, cli), "cli")
	text, err := os.ReadFile(packaged)
	if err != nil {
		t.Fatal(err)
	}
	aws.refused(t, "CreateStack", "InsufficientCapabilitiesException | Requires capabilities : [CAPABILITY_AUTO_EXPAND]",
		"cloudformation", "create-stack", "--stack-name", "other", "--template-body", string(text), "--capabilities", "CAPABILITY_IAM")
	processed := aws.text(t, "cloudformation", "get-template", "--stack-name", "sam", "--template-stage", "Processed")
	if !strings.Contains(processed, "AWS::ApiGateway::RestApi") || strings.Contains(processed, "AWS::Serverless") {
		t.Errorf("processed: %s", processed)
	}
	for _, stack := range []string{"sam", "prod-sam", "dev-sam"} {
		aws.text(t, "cloudformation", "delete-stack", "--stack-name", stack)
		aws.text(t, "cloudformation", "wait", "stack-delete-complete", "--stack-name", stack)
	}
	if left := aws.json(t, "lambda", "list-functions")["Functions"].([]any); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

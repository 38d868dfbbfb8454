package conformance

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// outputs001 are those of seed 001's stack.
type outputs001 struct{ ApiEndpoint, UserPoolId, UserPoolClientId, IdentityPoolId string }

var identityForm = regexp.MustCompile(`^us-east-1:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// under runs a program as `gatehouse run` does, from the directory of the JavaScript packages.
func (s *server) under(t testing.TB, args ...string) result {
	t.Helper()
	js, err := filepath.Abs("js")
	ok(t, err)
	env := cleanEnv("HOME="+s.home, "NO_COLOR=1", "PATH="+filepath.Join(js, "node_modules", ".bin")+":"+os.Getenv("PATH"))
	return run(t, env, binary(t), append([]string{"run", "--data", s.Dir, "--"}, args...)...)
}

// apigTest is the document's call: aws-api-gateway-cli-test with all its options, of which change
// replaces some.
func (s *server) apigTest(t testing.TB, o outputs001, url string, change ...string) result {
	t.Helper()
	need(t, "node")
	args := []string{"apig-test", "--username=" + email, "--password=" + password, "--user-pool-id=" + o.UserPoolId,
		"--app-client-id=" + o.UserPoolClientId, "--cognito-region=us-east-1", "--identity-pool-id=" + o.IdentityPoolId, "--invoke-url=" + url,
		"--api-gateway-region=us-east-1", "--path-template=/private", "--method=GET"}
	for _, c := range change {
		name, _, _ := strings.Cut(c, "=")
		for i := range args {
			if strings.HasPrefix(args[i], name+"=") {
				args[i] = c
			}
		}
	}
	return s.under(t, args...)
}

var printed = regexp.MustCompile(`\{\s*status: (\d+),\s*statusText: '([^']*)',\s*data: (?s:(.*))\}\s*$`)

// answer is what the tool printed of the answer.
func answer(t testing.TB, r result) string {
	t.Helper()
	m := printed.FindStringSubmatch(r.stdout)
	if m == nil {
		t.Fatalf("aws-api-gateway-cli-test: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	return m[1] + " " + m[2] + " " + strings.TrimSpace(m[3])
}

// seed001 goes through the document: the two routes, sign-up, the signed call, the caller's identity.
// change makes the private function greet by identity id.
func seed001(t *testing.T, s *server, o outputs001, change func()) {
	id := regexp.MustCompile(`[a-z0-9]{10}$`).FindString(o.ApiEndpoint)
	onAWS := "https://" + id + ".execute-api.us-east-1.amazonaws.com"
	if !identityForm.MatchString(o.IdentityPoolId) {
		t.Errorf("IdentityPoolId is %s", o.IdentityPoolId)
	}
	status, _, body := curl(t, o.ApiEndpoint+"/public")
	same(t, "/public", words(status, body), "200 Hello stranger!")
	status, header, body := curl(t, o.ApiEndpoint+"/private")
	same(t, "/private", words(status, body), `403 {"message":"Forbidden"}`)
	same(t, "curl on the API's name on AWS", s.under(t, "curl", "-sS", onAWS+"/public").stdout, "Hello stranger!")
	same(t, "curl on the private route's name on AWS", s.under(t, "curl", "-sS", onAWS+"/private").stdout, `{"message":"Forbidden"}`)
	if why := s.gatehouse(t, "why", header.Get("Apigw-Requestid")); !strings.Contains(why, "✗") {
		t.Errorf("gatehouse why: %s", why)
	}

	// The document's CLI commands, which name no endpoint.
	for _, args := range [][]string{
		{"sign-up", "--region", "us-east-1", "--client-id", o.UserPoolClientId, "--username", email, "--password", password},
		{"admin-confirm-sign-up", "--region", "us-east-1", "--user-pool-id", o.UserPoolId, "--username", email},
	} {
		if r := s.under(t, append([]string{s.aws(t).path, "cognito-idp"}, args...)...); r.code != 0 {
			t.Fatalf("aws cognito-idp %s: exit %d\n%s%s", args[0], r.code, r.stdout, r.stderr)
		}
	}

	for _, url := range []string{o.ApiEndpoint, onAWS} {
		begun := time.Now()
		same(t, "the signed call to "+url, answer(t, s.apigTest(t, o, url)), "200 OK 'Hello user!'")
		t.Logf("aws-api-gateway-cli-test took %v", time.Since(begun).Round(time.Millisecond))
	}
	// Who has credentials may call no more than the policy says.
	if got := answer(t, s.apigTest(t, o, o.ApiEndpoint, "--method=POST")); !strings.HasPrefix(got, "403 ") && !strings.HasPrefix(got, "404 ") {
		t.Errorf("POST /private: %s", got)
	}
	if r := s.apigTest(t, o, o.ApiEndpoint, "--password=Wrong1234!"); !strings.Contains(r.stdout+r.stderr, "Incorrect username or password.") {
		t.Errorf("with a wrong password:\n%s%s", r.stdout, r.stderr)
	}

	// The function sees who calls, and it is the same person each time.
	change()
	identity := ""
	eventually(t, 30*time.Second, func() string {
		got := answer(t, s.apigTest(t, o, o.ApiEndpoint))
		m := regexp.MustCompile(`^200 OK 'Hello (us-east-1:[0-9a-f-]{36})!'$`).FindStringSubmatch(got)
		if m == nil {
			return got
		}
		identity = m[1]
		return ""
	})
	same(t, "the second time", answer(t, s.apigTest(t, o, onAWS)), "200 OK 'Hello "+identity+"!'")
	if why := s.gatehouse(t, "why", "--last"); !strings.Contains(why, "GET") || strings.Contains(why, "✗") {
		t.Errorf("gatehouse why of the signed call:\n%s", why)
	}
	amplify(t, s, o, identity)

	// After kill -9 the person is still the same.
	s.kill()
	s.restart(t)
	same(t, "after kill -9", answer(t, s.apigTest(t, o, o.ApiEndpoint)), "200 OK 'Hello "+identity+"!'")
}

// TestSeed001 is seed 001, as its text tells it, for the example in Go.
func TestSeed001(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		dir := copyApp(t, "iam-api")
		s := startOn(t, database)
		deploy := func() (o outputs001) {
			decode(t, s.gatehouse(t, "deploy", dir, "--json"), &o)
			return o
		}
		seed001(t, s, deploy(), func() {
			file := filepath.Join(dir, "src", "private.js")
			edit(t, file, "handler()", "handler(event)")
			edit(t, file, `"Hello user!"`, "`Hello ${event.requestContext.authorizer.iam.cognitoIdentity.identityId}!`")
			deploy()
		})
		s.gatehouse(t, "remove", dir)
	})
}

// TestSeed001Template is the same for the template that SST 0.69 made of the document's own app, where
// the seeds stand beside the checkout.
func TestSeed001Template(t *testing.T) {
	shared := filepath.Join(repo, "..", "shared")
	text, err := os.ReadFile(filepath.Join(shared, "templates", "seed-001-sst-0.69.template.json"))
	if err != nil {
		t.Skip("the seeds are not beside the checkout")
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				Code    struct{ S3Bucket, S3Key string }
				Handler string
			}
		}
	}
	ok(t, json.Unmarshal(text, &template))
	each(t, func(t *testing.T, database string) {
		const account = "123456789012" // stands in the template
		s := startOn(t, database, "--account", account)
		aws := s.aws(t)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "template.json"), string(text))
		for _, r := range template.Resources {
			if r.Type != "AWS::Lambda::Function" {
				continue
			}
			file := strings.TrimSuffix(r.Properties.Handler, ".main") + ".js" // src/private.main
			write(t, filepath.Join(dir, "code.zip"), string(asCommonJS(t, filepath.Join(shared, "apps", "seed-001", file), file)))
			aws.try(t, "s3", "mb", "s3://"+r.Properties.Code.S3Bucket) // two of them share one
			aws.text(t, "s3", "cp", filepath.Join(dir, "code.zip"), "s3://"+r.Properties.Code.S3Bucket+"/"+r.Properties.Code.S3Key, "--no-progress")
		}
		aws.json(t, "ssm", "put-parameter", "--name", "/cdk-bootstrap/hnb659fds/version", "--type", "String", "--value", "33") // CDK's own
		const stack = "dev-api-auth-cognito-my-stack"
		aws.text(t, "cloudformation", "deploy", "--template-file", filepath.Join(dir, "template.json"), "--stack-name", stack, "--capabilities", "CAPABILITY_IAM")
		described := aws.json(t, "cloudformation", "describe-stacks", "--stack-name", stack)
		values := map[string]string{}
		for _, o := range described["Stacks"].([]any)[0].(map[string]any)["Outputs"].([]any) {
			o := o.(map[string]any)
			values[o["OutputKey"].(string)] = o["OutputValue"].(string)
		}
		var o outputs001
		ok(t, json.Unmarshal(must(json.Marshal(values))(t), &o))
		seed001(t, s, o, func() {
			code := filepath.Join(dir, "code.zip")
			write(t, code, string(asCommonJS(t, filepath.Join(shared, "apps", "seed-001", "src", "private.v2.js.txt"), "src/private.js")))
			for _, f := range names(t, aws.json(t, "lambda", "list-functions"), "Functions", "FunctionName") {
				if strings.Contains(f, "private") {
					aws.json(t, "lambda", "update-function-code", "--function-name", f, "--zip-file", "fileb://"+code)
				}
			}
		})
		aws.text(t, "cloudformation", "delete-stack", "--stack-name", stack)
		aws.text(t, "cloudformation", "wait", "stack-delete-complete", "--stack-name", stack)
	})
}

// asCommonJS packs a module as SST 0.69 does, in the form that Node loads without a package.json.
func asCommonJS(t *testing.T, source, name string) []byte {
	t.Helper()
	built := api.Transform(string(must(os.ReadFile(source))(t)), api.TransformOptions{Format: api.FormatCommonJS})
	if len(built.Errors) > 0 {
		t.Fatal(built.Errors[0].Text)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create(name)
	ok(t, err)
	_, err = f.Write(built.Code)
	ok(t, err)
	ok(t, z.Close())
	return b.Bytes()
}

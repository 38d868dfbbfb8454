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

	"github.com/evanw/esbuild/pkg/api"
)

// seed002 goes through the document's calls: sign-up, the code from the mail, sign-in, all by the API's
// own routes, and the secret with and without the token.
func seed002(t *testing.T, s *server, url, secret string) {
	t.Helper()
	post := func(route, body string) string {
		t.Helper()
		status, _, answer := send(t, "POST", url+route, body, "Content-Type", "application/json")
		return words(status, answer)
	}
	same(t, "/sign-up", post("/sign-up", `{"username":"admin","password":"Passw0rd!","email":"`+email+`"}`), "200 User created")
	same(t, "/sign-up without an address", post("/sign-up", `{"username":"admin","password":"Passw0rd!"}`), "400 Missing username, email or password")
	mail := s.gatehouse(t, "mail", "--to", email)
	code := regexp.MustCompile(`\b\d{6}\b`).FindString(mail)
	if code == "" {
		t.Fatalf("no code in the mail:\n%s", mail)
	}
	same(t, "/confirm", post("/confirm", `{"username":"admin","code":"`+code+`"}`), "200 User confirmed")
	status, _, token := send(t, "POST", url+"/sign-in", `{"username":"admin","password":"Passw0rd!"}`)
	if status != 200 || strings.Count(token, ".") != 2 {
		t.Fatalf("/sign-in: %d %s", status, token)
	}

	for what, c := range map[string]struct{ header, want string }{
		"without a token":         {"", `401 {"message":"Unauthorized"}`},
		"with Bearer TOKEN":       {"Bearer " + token, "200 " + secret},
		"with TOKEN":              {token, "200 " + secret},
		"with a changed token":    {token[:len(token)-10] + "AAAAAAAAAA", `401 {"message":"Unauthorized"}`},
		"with another word":       {"Basic " + token, `401 {"message":"Unauthorized"}`},
		"with no token but words": {"Bearer", `401 {"message":"Unauthorized"}`},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{"Authorization", c.header}
		}
		status, h, body := get(t, url+"/secret", headers...)
		same(t, "/secret "+what, words(status, body), c.want)
		if status == 401 && h.Get("X-Amzn-Errortype") != "UnauthorizedException" {
			t.Errorf("/secret %s: x-amzn-ErrorType %q", what, h.Get("X-Amzn-Errortype"))
		}
		why := s.gatehouse(t, "why", h.Get("X-Amzn-Requestid"))
		if strings.Contains(why, "✗") == (status == 200) || strings.Contains(why, token) {
			t.Errorf("/secret %s: gatehouse why says\n%s", what, why)
		}
	}
	status, h, body := get(t, url+"/nowhere")
	same(t, "/nowhere", words(status, body), `403 {"message":"Missing Authentication Token"}`)
	same(t, "its error type", h.Get("X-Amzn-Errortype"), "MissingAuthenticationTokenException")
}

// TestSeed002 is seed 002 for the example that is a template with TypeScript functions.
func TestSeed002(t *testing.T) {
	need(t, "node")
	modules, err := filepath.Abs("js/node_modules")
	ok(t, err)
	each(t, func(t *testing.T, database string) {
		dir := copyApp(t, "rest-api-ts")
		ok(t, os.Symlink(modules, filepath.Join(dir, "node_modules"))) // what npm install brings
		s := startOn(t, database)
		var o outputs
		decode(t, s.gatehouse(t, "deploy", dir, "--json"), &o)
		seed002(t, s, o.ApiEndpoint, "This is very secret.")
		s.gatehouse(t, "remove", dir)
	})
}

// TestSeed002Template is the same for what CDK made of the document's own app, where the seeds stand
// beside the checkout.
func TestSeed002Template(t *testing.T) {
	need(t, "node")
	shared := filepath.Join(repo, "..", "shared")
	text, err := os.ReadFile(filepath.Join(shared, "templates", "seed-002-cdk-2.276.template.json"))
	if err != nil {
		t.Skip("the seeds are not beside the checkout")
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct{ Code struct{ S3Key string } }
		}
	}
	ok(t, json.Unmarshal(text, &template))
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		aws := s.aws(t)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "template.json"), string(text))
		const bucket = "cdk-hnb659fds-assets-000000000000-us-east-1"
		aws.text(t, "s3", "mb", "s3://"+bucket)
		aws.json(t, "ssm", "put-parameter", "--name", "/cdk-bootstrap/hnb659fds/version", "--type", "String", "--value", "33")
		for id, r := range template.Resources {
			if r.Type != "AWS::Lambda::Function" {
				continue
			}
			name := regexp.MustCompile(`^[a-z]+`).FindString(id) // signup3542BA4E
			write(t, filepath.Join(dir, "code.zip"), string(bundled(t, filepath.Join(shared, "apps", "seed-002", "lib", name, "handler.ts"))))
			aws.text(t, "s3", "cp", filepath.Join(dir, "code.zip"), "s3://"+bucket+"/"+r.Properties.Code.S3Key, "--no-progress")
		}
		const stack = "MyFirstStack"
		aws.text(t, "cloudformation", "deploy", "--template-file", filepath.Join(dir, "template.json"), "--stack-name", stack, "--capabilities", "CAPABILITY_IAM")
		output := aws.json(t, "cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"].([]any)[0].(map[string]any)["Outputs"].([]any)[0].(map[string]any)
		url := output["OutputValue"].(string)
		if !strings.HasSuffix(url, "/prod/") {
			t.Errorf("the output is %s", url)
		}
		seed002(t, s, strings.TrimSuffix(url, "/"), "CAUTION !!! THIS IS VERY SECRET")
		aws.text(t, "cloudformation", "delete-stack", "--stack-name", stack)
		aws.text(t, "cloudformation", "wait", "stack-delete-complete", "--stack-name", stack)
	})
}

// bundled packs a TypeScript handler with all that it imports, as CDK's NodejsFunction does.
func bundled(t *testing.T, source string) []byte {
	t.Helper()
	modules, err := filepath.Abs("js/node_modules")
	ok(t, err)
	built := api.Build(api.BuildOptions{EntryPoints: []string{source}, Bundle: true, Platform: api.PlatformNode, Format: api.FormatCommonJS, NodePaths: []string{modules}})
	if len(built.Errors) > 0 {
		t.Fatal(built.Errors[0].Text)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create("index.js")
	ok(t, err)
	_, err = f.Write(built.OutputFiles[0].Contents)
	ok(t, err)
	ok(t, z.Close())
	return b.Bytes()
}

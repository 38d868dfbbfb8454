package conformance

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// installs are the examples whose packages npm installs for these tests; apps of the same tools use them too.
const (
	cdkPackages = "cdk-rest-api"
	sstPackages = "sst"
)

// toolApp copies an app that is built by a tool of its own, with the packages of an example.
func toolApp(t *testing.T, from, packages string) string {
	t.Helper()
	need(t, "node")
	modules, err := filepath.Abs(filepath.Join(repo, "examples", packages, "node_modules"))
	ok(t, err)
	if _, err := os.Stat(modules); err != nil {
		missing(t, "the packages of examples/"+packages+" are not installed (npm ci --prefix examples/"+packages+")")
	}
	dir := filepath.Join(t.TempDir(), filepath.Base(from))
	ok(t, filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case name == "node_modules" && !d.IsDir():
			return nil // a link to packages elsewhere
		case d.IsDir() && (name == "node_modules" || name == "cdk.out" || name == ".sst" || name == ".build"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dir, rel), 0o755)
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, rel), text, 0o644)
	}))
	if _, err := os.Stat(filepath.Join(dir, "package-lock.json")); err != nil { // what npm install leaves
		write(t, filepath.Join(dir, "package-lock.json"), "{}")
	}
	ok(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	return dir
}

func example(name string) string { return filepath.Join(repo, "examples", name) }

// seedApp is an app of the seeds, where they stand beside the checkout.
func seedApp(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(repo, "..", "shared", "apps", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the seeds are not beside the checkout")
	}
	return dir
}

// live runs `gatehouse dev` on an app of a tool until it watches the sources, and returns its outputs.
func live(t *testing.T, s *server, app string) (*process, map[string]string) {
	t.Helper()
	p := launch(t, "dev", app, "--data", s.Dir)
	if m := p.await(t, 0, `Watching the sources|Waiting for a change`, 4*time.Minute); m[0] != "Watching the sources" {
		t.Fatalf("the app is not deployed:\n%s", p)
	}
	outputs := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^  (\w+): +(\S+)$`).FindAllStringSubmatch(p.String(), -1) {
		outputs[m[1]] = m[2]
	}
	return p, outputs
}

// becomes waits until a URL answers with a text.
func becomes(t *testing.T, url, want string, timeout time.Duration, header ...string) time.Duration {
	t.Helper()
	begun := time.Now()
	eventually(t, timeout, func() string {
		if status, _, body := get(t, url, header...); status != 200 || body != want {
			return words(status, body)
		}
		return ""
	})
	return time.Since(begun)
}

// A CDK app with a REST API: deployed by its own synthesis, live edits of a handler without one, edits of
// the stack by one in the background, a second stage, and all of it removed.
func TestCDKRestAPI(t *testing.T) {
	app := toolApp(t, example("cdk-rest-api"), cdkPackages)
	s := start(t)
	p, out := live(t, s, app)
	var url string
	for k, v := range out {
		if strings.HasPrefix(k, "ApiEndpoint") {
			url = strings.TrimSuffix(v, "/")
		}
	}
	post := func(path, body, want string) string {
		t.Helper()
		status, _, answer := send(t, "POST", url+path, body)
		if status != 200 || want != "" && answer != want {
			t.Fatalf("POST %s: %s", path, words(status, answer))
		}
		return answer
	}
	post("/sign-up", `{"email":"ann@example.com","password":"Passw0rd!"}`, "User created")
	code := regexp.MustCompile(`\b\d{6}\b`).FindString(s.gatehouse(t, "mail"))
	post("/confirm", `{"email":"ann@example.com","code":"`+code+`"}`, "User confirmed")
	token := post("/sign-in", `{"email":"ann@example.com","password":"Passw0rd!"}`, "")
	status, _, body := get(t, url+"/notes")
	same(t, "/notes without a token", words(status, body), `401 {"message":"Unauthorized"}`)
	becomes(t, url+"/notes", "The notes of ann@example.com", time.Second, "Authorization", token)

	from := p.mark()
	edit(t, filepath.Join(app, "functions", "notes.ts"), "The notes of", "All notes of")
	becomes(t, url+"/notes", "All notes of ann@example.com", 5*time.Second, "Authorization", token)
	p.await(t, from, `new code in`, 5*time.Second)
	if text := p.String()[from:]; strings.Contains(text, "synthesising") {
		t.Errorf("a change of a handler alone had the app synthesised:\n%s", text)
	}
	edit(t, filepath.Join(app, "functions", "notes.ts"), "All notes of ${", "All notes of ${{")
	p.await(t, from, `functions/notes\.ts:\d+:\d+`, 10*time.Second)
	becomes(t, url+"/notes", "All notes of ann@example.com", time.Second, "Authorization", token)
	edit(t, filepath.Join(app, "functions", "notes.ts"), "${{", "${")

	from = p.mark()
	edit(t, filepath.Join(app, "lib", "notes-stack.ts"), "addResource('notes')", "addResource('papers')")
	p.await(t, from, `synthesising again`, 10*time.Second)
	p.await(t, from, `deployed in`, 2*time.Minute)
	becomes(t, url+"/papers", "All notes of ann@example.com", 5*time.Second, "Authorization", token)
	p.interrupt(t)

	var prod map[string]string
	decode(t, s.gatehouse(t, "deploy", app, "--stage", "prod", "--json"), &prod)
	if prod["UserPoolId"] == "" || prod["UserPoolId"] == out["UserPoolId"] {
		t.Errorf("the stage prod has the outputs %v", prod)
	}
	if text := s.gatehouse(t, "remove", app, "--stage", "prod"); !strings.Contains(text, "removed Notes-prod") {
		t.Errorf("remove says %s", text)
	}
	s.gatehouse(t, "remove", app)
	if r := s.tryGatehouse(t, "remove", app); r.code == 0 || !strings.Contains(r.stderr, "is not deployed here") {
		t.Errorf("removed twice: %d %s", r.code, r.stderr)
	}
}

// A CDK app with an HTTP API: a Python function that is copied, not bundled, an integration with a role.
func TestCDKHTTPAPI(t *testing.T) {
	need(t, "python3")
	app := toolApp(t, example("cdk-http-api"), cdkPackages)
	s := start(t)
	p, out := live(t, s, app)
	aws := s.aws(t)
	aws.json(t, "cognito-idp", "admin-create-user", "--user-pool-id", out["UserPoolId"], "--username", "ann", "--message-action", "SUPPRESS")
	aws.text(t, "cognito-idp", "admin-set-user-password", "--user-pool-id", out["UserPoolId"], "--username", "ann", "--password", "Passw0rd!", "--permanent")
	token := strings.TrimSpace(aws.text(t, "cognito-idp", "admin-initiate-auth", "--user-pool-id", out["UserPoolId"], "--client-id", out["UserPoolClientId"], "--auth-flow", "ADMIN_USER_PASSWORD_AUTH",
		"--auth-parameters", "USERNAME=ann,PASSWORD=Passw0rd!", "--query", "AuthenticationResult.IdToken", "--output", "text"))
	url := out["ApiEndpoint"] + "/hello"
	status, _, body := get(t, url)
	same(t, "without a token", words(status, body), `401 {"message":"Unauthorized"}`)
	becomes(t, url, `"Hello from Python!"`, time.Second, "Authorization", "Bearer "+token)
	from := p.mark()
	edit(t, filepath.Join(app, "functions", "hello.py"), "Hello from Python!", "Hello, live!")
	becomes(t, url, `"Hello, live!"`, 5*time.Second, "Authorization", "Bearer "+token)
	if text := p.String()[from:]; strings.Contains(text, "synthesising") {
		t.Errorf("a change of a handler alone had the app synthesised:\n%s", text)
	}
	p.interrupt(t)
	s.gatehouse(t, "remove", app)
}

// An SST app, built by its own SST.
func TestSST(t *testing.T) {
	app := toolApp(t, example("sst"), sstPackages)
	s := start(t)
	p, out := live(t, s, app)
	becomes(t, out["ApiEndpoint"]+"/about", "Notes, by SST", time.Second)
	token := signUpAndIn(t, s, out["UserPoolId"], out["UserPoolClientId"])
	becomes(t, out["ApiEndpoint"]+"/notes", "The notes of admin@example.com", time.Second, "Authorization", "Bearer "+token)
	edit(t, filepath.Join(app, "functions", "about.ts"), "Notes, by SST", "Notes, live")
	becomes(t, out["ApiEndpoint"]+"/about", "Notes, live", 5*time.Second)
	p.interrupt(t)
	s.gatehouse(t, "remove", app)
}

// signUpAndIn signs a person up, as seed 000 does, and in.
func signUpAndIn(t *testing.T, s *server, pool, client string) string {
	t.Helper()
	aws := s.aws(t)
	aws.json(t, "cognito-idp", "sign-up", "--client-id", client, "--username", "admin@example.com", "--password", "Passw0rd!")
	aws.text(t, "cognito-idp", "admin-confirm-sign-up", "--user-pool-id", pool, "--username", "admin@example.com")
	return strings.TrimSpace(aws.text(t, "cognito-idp", "initiate-auth", "--auth-flow", "USER_PASSWORD_AUTH", "--client-id", client,
		"--auth-parameters", "USERNAME=admin@example.com,PASSWORD=Passw0rd!", "--query", "AuthenticationResult.IdToken", "--output", "text"))
}

// The document's own SST app of seed 000, live, and on the stage prod beside it.
func TestSeed000App(t *testing.T) {
	app := toolApp(t, seedApp(t, "seed-000"), sstPackages)
	s := start(t)
	p, out := live(t, s, app)
	url := out["ApiEndpoint"]
	becomes(t, url+"/public", "Hello stranger!", time.Second)
	status, _, body := get(t, url+"/private")
	same(t, "/private", words(status, body), `401 {"message":"Unauthorized"}`)
	token := signUpAndIn(t, s, out["UserPoolId"], out["UserPoolClientId"])
	becomes(t, url+"/private", "Hello user!", time.Second, "Authorization", "Bearer "+token)
	write(t, filepath.Join(app, "backend", "functions", "private.ts"), `import { APIGatewayProxyHandlerV2WithJWTAuthorizer } from "aws-lambda";

export const handler: APIGatewayProxyHandlerV2WithJWTAuthorizer = async (event) => {
  return {
    statusCode: 200,
    body: `+"`Hello ${event.requestContext.authorizer.jwt.claims.sub}!`"+`,
  };
};
`)
	eventually(t, 5*time.Second, func() string {
		if _, _, body := get(t, url+"/private", "Authorization", "Bearer "+token); !regexp.MustCompile(`^Hello [0-9a-f-]{36}!$`).MatchString(body) {
			return body
		}
		return ""
	})
	p.interrupt(t)
	var prod outputs
	decode(t, s.gatehouse(t, "deploy", app, "--stage", "prod", "--json"), &prod)
	prod.check(t, s.URL)
	if text := s.gatehouse(t, "remove", app, "--stage", "prod"); !strings.Contains(text, "removed prod-api-auth-jwt-cognito-user-pool-MyStack") {
		t.Errorf("remove says %s", text)
	}
	s.gatehouse(t, "remove", app)
}

// The document's own CDK app of seed 002.
func TestSeed002App(t *testing.T) {
	app := toolApp(t, seedApp(t, "seed-002"), cdkPackages)
	s := start(t)
	var out map[string]string
	decode(t, s.gatehouse(t, "deploy", app, "--json"), &out)
	for _, url := range out {
		seed002(t, s, strings.TrimSuffix(url, "/"), "CAUTION !!! THIS IS VERY SECRET")
	}
	s.gatehouse(t, "remove", app)
}

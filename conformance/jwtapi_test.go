package conformance

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// source is what the tests change in an example's private function.
type source struct {
	file       string   // below the app's directory
	hello      string   // what the body of the answer is, as the file has it
	sub        string   // put in place of it: greets by the caller's sub, and logs
	mended     string   // put in place of sub
	broken     string   // put in place of sub: does not compile
	diagnostic string   // how the compiler's complaint begins
	stack      string   // the file that says what the stack is
	rename     []string // what in it makes /open of /public: old, new, old, new …
}

var examples = map[string]source{
	"jwt-api": {
		file:       "functions/private/main.go",
		hello:      `"Hello user!",`,
		sub:        `greet(event.RequestContext.Authorizer.JWT.Claims["sub"]),`,
		mended:     `"Mended " + greet(event.RequestContext.Authorizer.JWT.Claims["sub"]),`,
		broken:     `greet(event.RequestContext.Authorizer.JWT.Claims["sub"],`,
		diagnostic: `functions/private/main\.go:\d+:\d+`,
		stack:      "main.go",
		rename:     []string{`"GET /public":`, `"GET /open":`},
	},
	"jwt-api-ts": {
		file:       "functions/private.ts",
		hello:      `"Hello user!",`,
		sub:        "greet(_event.requestContext.authorizer?.jwt.claims.sub),",
		mended:     "`Mended ${greet(_event.requestContext.authorizer?.jwt.claims.sub)}`,",
		broken:     "greet(_event.requestContext.authorizer?.jwt.claims.sub",
		diagnostic: `functions/private\.ts:\d+:\d+`,
		stack:      "template.yaml",
		rename:     []string{"RouteKey: GET /public", "RouteKey: GET /open", "${Api}/*/*/public", "${Api}/*/*/open"},
	},
}

// greet is appended to the function's source.
var greet = map[string]string{
	"jwt-api":    "\nfunc greet(sub string) string {\n\tprintln(\"greeting\", sub)\n\treturn \"Hello \" + sub + \"!\"\n}\n",
	"jwt-api-ts": "\nfunction greet(sub: string | undefined): string {\n  console.log(`greeting ${sub}`);\n  return `Hello ${sub}!`;\n}\n",
}

// copyApp copies an example to a directory of its own. A Go app becomes a module of its own there, which
// takes this checkout for the module that it imports.
func copyApp(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(repo, "examples", name))); err != nil {
		t.Fatal(err)
	}
	if list, _ := filepath.Glob(filepath.Join(dir, "*.go")); len(list) == 0 {
		return dir
	}
	root, err := filepath.Abs(repo)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(repo, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/gatehouse-dev/gatehouse"
	text := strings.Replace(string(mod), "module "+module, "module example.com/"+name, 1) +
		"\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + root + "\n"
	sum, err := os.ReadFile(filepath.Join(repo, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.mod"), text)
	write(t, filepath.Join(dir, "go.sum"), string(sum))
	return dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// edit replaces old, which is there once, by new in a file.
func edit(t testing.TB, path, old, new string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), old); n != 1 {
		t.Fatalf("%s has %q %d times, want once", path, old, n)
	}
	write(t, path, strings.Replace(string(text), old, new, 1))
}

// outputs are those of a stage of the app.
type outputs struct{ ApiEndpoint, UserPoolId, UserPoolClientId string }

var (
	poolForm   = regexp.MustCompile(`^us-east-1_[A-Za-z0-9]{9}$`)
	clientForm = regexp.MustCompile(`^[a-z0-9]{26}$`)
	uuidForm   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

func (o outputs) check(t testing.TB, server string) {
	t.Helper()
	if !regexp.MustCompile(`^` + regexp.QuoteMeta(server) + `/_aws/execute-api/[a-z0-9]{10}$`).MatchString(o.ApiEndpoint) {
		t.Errorf("ApiEndpoint is %s", o.ApiEndpoint)
	}
	if !poolForm.MatchString(o.UserPoolId) {
		t.Errorf("UserPoolId is %s", o.UserPoolId)
	}
	if !clientForm.MatchString(o.UserPoolClientId) {
		t.Errorf("UserPoolClientId is %s", o.UserPoolClientId)
	}
}

// TestJWTAPI is seed 000, as its text tells it, for the app in Go and for the template with functions in
// TypeScript and Python.
func TestJWTAPI(t *testing.T) {
	for name := range examples {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, database string) { seed000(t, name, database) })
		})
	}
}

const (
	email    = "admin@example.com"
	password = "Passw0rd!"
)

func seed000(t *testing.T, name, database string) {
	if name == "jwt-api-ts" {
		need(t, "node")
		need(t, "python3")
	}
	src := examples[name]
	app := copyApp(t, name)
	file := filepath.Join(app, filepath.FromSlash(src.file))
	if database != "" {
		database = "--database=" + database
	}

	// gatehouse dev: in the foreground, with the outputs and the commands to try.
	s := &server{Dir: t.TempDir(), home: t.TempDir()}
	args := []string{"dev", app, "--listen", "127.0.0.1:0", "--data", s.Dir}
	if database != "" {
		s.args = []string{database}
		args = append(args, database)
	}
	begun := time.Now()
	s.process = launch(t, args...)
	m := s.await(t, 0, listening, time.Minute)
	s.URL, s.Port = m[1], m[2]
	if m := s.await(t, 0, `Watching the sources|Waiting for a change`, 3*time.Minute); !strings.HasPrefix(m[0], "Watching") {
		t.Fatal("the app is not deployed")
	}
	t.Logf("up after %v", time.Since(begun).Round(time.Millisecond))
	dev := outputs{
		s.await(t, 0, `(?m)^  ApiEndpoint: +(\S+)$`, time.Second)[1],
		s.await(t, 0, `(?m)^  UserPoolId: +(\S+)$`, time.Second)[1],
		s.await(t, 0, `(?m)^  UserPoolClientId: +(\S+)$`, time.Second)[1],
	}
	dev.check(t, s.URL)
	for _, hint := range []string{"curl " + dev.ApiEndpoint + "/public\n", "cognito-idp sign-up --client-id " + dev.UserPoolClientId,
		"cognito-idp admin-confirm-sign-up --user-pool-id " + dev.UserPoolId, "initiate-auth --client-id " + dev.UserPoolClientId} {
		if !strings.Contains(s.String(), hint) {
			t.Errorf("dev does not print %q", hint)
		}
	}
	aws := s.aws(t)

	// The two routes.
	status, _, body := curl(t, dev.ApiEndpoint+"/public")
	same(t, "/public", words(status, body), "200 Hello stranger!")
	status, header, body := curl(t, dev.ApiEndpoint+"/private")
	same(t, "/private", words(status, body), `401 {"message":"Unauthorized"}`)
	refused := header.Get("Apigw-Requestid")
	if header.Get("Content-Type") != "application/json" || header.Get("Www-Authenticate") != "Bearer" || refused == "" {
		t.Errorf("headers of /private: %v", header)
	}
	status, _, body = curl(t, dev.ApiEndpoint+"/nowhere")
	same(t, "/nowhere", words(status, body), `404 {"message":"Not Found"}`)
	if name == "jwt-api-ts" {
		status, header, body = curl(t, dev.ApiEndpoint+"/health")
		if status != 200 || header.Get("Content-Type") != "application/json" || !strings.Contains(body, `"status": "ok", "stage": "dev", "python": "3.`) {
			t.Errorf("/health: %d %s", status, body)
		}
	}

	// Sign up, confirm, sign in.
	signIn := []string{"cognito-idp", "initiate-auth", "--client-id", dev.UserPoolClientId, "--auth-flow", "USER_PASSWORD_AUTH",
		"--auth-parameters", "USERNAME=" + email + ",PASSWORD=" + password}
	signUp := []string{"cognito-idp", "sign-up", "--region", "us-east-1", "--client-id", dev.UserPoolClientId, "--username", email, "--password", password}
	aws.refused(t, "InitiateAuth", "UserNotFoundException | User does not exist.", signIn...)
	up := aws.json(t, signUp...)
	same(t, "sign-up answers with", keys(up), []string{"CodeDeliveryDetails", "UserConfirmed", "UserSub"})
	same(t, "CodeDeliveryDetails", up["CodeDeliveryDetails"], any(map[string]any{"Destination": "a***@e***", "DeliveryMedium": "EMAIL", "AttributeName": "email"}))
	sub, _ := up["UserSub"].(string)
	if up["UserConfirmed"] != false || !uuidForm.MatchString(sub) {
		t.Errorf("sign-up: %v", up)
	}
	aws.refused(t, "SignUp", "UsernameExistsException | An account with the given email already exists.", signUp...)
	aws.refused(t, "InitiateAuth", "UserNotConfirmedException | User is not confirmed.", signIn...)
	if mail := s.gatehouse(t, "mail", "--to", email); !regexp.MustCompile(`email to ` + email + `[\s\S]*\d{6}`).MatchString(mail) {
		t.Errorf("gatehouse mail prints no code:\n%s", mail)
	}
	if out := aws.text(t, "cognito-idp", "admin-confirm-sign-up", "--region", "us-east-1", "--user-pool-id", dev.UserPoolId, "--username", email); strings.TrimSpace(out) != "" {
		t.Errorf("admin-confirm-sign-up prints %s", out)
	}
	tokens := checkSignIn(t, aws.json(t, signIn...), dev, sub)

	// The private route opens with either token; the other case of the e-mail address is the same user.
	private := func(o outputs, token string) string {
		status, _, body := get(t, o.ApiEndpoint+"/private", "Authorization", "Bearer "+token)
		return words(status, body)
	}
	status, header, body = curl(t, "--url", dev.ApiEndpoint+"/private", "-H", "Authorization: Bearer "+tokens.id)
	same(t, "/private with the ID token", words(status, body), "200 Hello user!")
	allowed := header.Get("Apigw-Requestid")
	same(t, "/private with the access token", private(dev, tokens.access), "200 Hello user!")
	aws.json(t, "cognito-idp", "initiate-auth", "--client-id", dev.UserPoolClientId, "--auth-flow", "USER_PASSWORD_AUTH",
		"--auth-parameters", "USERNAME=Admin@Example.com,PASSWORD="+password)

	// Why.
	for id, want := range map[string][]string{allowed: {"GET /private", "200", "✓"}, refused: {"GET /private", "401", "✗", "want:"}} {
		text := s.gatehouse(t, "why", id)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("gatehouse why %s does not say %q:\n%s", id, w, text)
			}
		}
		if strings.Contains(text, tokens.id) || id == allowed && strings.Contains(text, "✗") {
			t.Errorf("gatehouse why %s:\n%s", id, text)
		}
	}
	if r := s.tryGatehouse(t, "why", "AAAAAAAAAAAAAAA="); r.code != 1 || !strings.Contains(r.stderr, "is not known") {
		t.Errorf("gatehouse why of an unknown request: exit %d %s", r.code, r.stderr)
	}

	// A change of the source is in the next answer; a mistake is shown, and what ran goes on.
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	answers := func(what, want string) {
		t.Helper()
		begun := time.Now()
		eventually(t, 30*time.Second, func() string {
			if got := private(dev, tokens.id); got != want {
				return fmt.Sprintf("after %s: got %s, want %s", what, got, want)
			}
			return ""
		})
		t.Logf("%s: in the answer after %v", what, time.Since(begun).Round(time.Millisecond))
	}
	if n := strings.Count(string(text), src.hello); n != 1 {
		t.Fatalf("%s has %q %d times", file, src.hello, n)
	}
	write(t, file, strings.Replace(string(text), src.hello, src.sub, 1)+greet[name])
	answers("an edit", "200 Hello "+sub+"!")
	from := s.mark()
	edit(t, file, src.sub, src.broken)
	t.Logf("a mistake: %s", s.await(t, from, src.diagnostic+`.*`, 30*time.Second)[0])
	same(t, "/private while the source has a mistake", private(dev, tokens.id), "200 Hello "+sub+"!")
	edit(t, file, src.broken, src.mended)
	answers("mending it", "200 Mended Hello "+sub+"!")
	s.await(t, 0, `greeting `+sub, 10*time.Second) // the function's log, live

	// gatehouse logs.
	functions := names(t, aws.json(t, "lambda", "list-functions"), "Functions", "FunctionName")
	private0 := ""
	for _, f := range functions {
		if strings.Contains(strings.ToLower(f), "private") {
			private0 = f
		}
	}
	eventually(t, 10*time.Second, func() string {
		if text := s.gatehouse(t, "logs", private0); !strings.Contains(text, "greeting "+sub) {
			return "gatehouse logs " + private0 + " prints:\n" + text
		}
		return ""
	})

	// A change of the stack itself, live.
	for i := 0; i < len(src.rename); i += 2 {
		edit(t, filepath.Join(app, src.stack), src.rename[i], src.rename[i+1])
	}
	for path, want := range map[string]string{"/open": "200 Hello stranger!", "/public": `404 {"message":"Not Found"}`} {
		eventually(t, time.Minute, func() string {
			status, _, body := get(t, dev.ApiEndpoint+path)
			if got := words(status, body); got != want {
				return path + " after the change: " + got
			}
			return ""
		})
	}
	same(t, "/private after the change", private(dev, tokens.id), "200 Mended Hello "+sub+"!")

	// Another stage beside it.
	var prod outputs
	decode(t, s.gatehouse(t, "deploy", app, "--stage", "prod", "--json"), &prod)
	prod.check(t, s.URL)
	if prod.ApiEndpoint == dev.ApiEndpoint || prod.UserPoolId == dev.UserPoolId || prod.UserPoolClientId == dev.UserPoolClientId {
		t.Errorf("stage prod is %v, stage dev %v", prod, dev)
	}
	status, _, body = get(t, prod.ApiEndpoint+"/open")
	same(t, "/open of prod", words(status, body), "200 Hello stranger!")
	same(t, "/private of prod with a token of dev", private(prod, tokens.id), `401 {"message":"Unauthorized"}`)
	same(t, "users of prod", names(t, aws.json(t, "cognito-idp", "list-users", "--user-pool-id", prod.UserPoolId), "Users", "Username"), []string{})
	same(t, "/private of dev", private(dev, tokens.access), "200 Mended Hello "+sub+"!")

	// After kill -9 everything is there again.
	_, _, keysBefore := get(t, s.URL+"/"+dev.UserPoolId+"/.well-known/jwks.json")
	s.kill()
	s.restart(t)
	same(t, "/private after kill -9, with the ID token from before", private(dev, tokens.id), "200 Mended Hello "+sub+"!")
	same(t, "/private after kill -9, with the access token from before", private(dev, tokens.access), "200 Mended Hello "+sub+"!")
	_, _, keysAfter := get(t, s.URL+"/"+dev.UserPoolId+"/.well-known/jwks.json")
	same(t, "the pool's keys after kill -9", keysAfter, keysBefore)
	same(t, "pools after kill -9", sorted(names(t, aws.json(t, "cognito-idp", "list-user-pools", "--max-results", "10"), "UserPools", "Id")), sorted([]string{dev.UserPoolId, prod.UserPoolId}))
	same(t, "users after kill -9", names(t, aws.json(t, "cognito-idp", "list-users", "--user-pool-id", dev.UserPoolId), "Users", "Username"), []string{sub})
	same(t, "stacks after kill -9", sorted(names(t, aws.json(t, "cloudformation", "describe-stacks"), "Stacks", "StackName")), []string{"dev-" + name, "prod-" + name})
	again := checkSignIn(t, aws.json(t, signIn...), dev, sub)
	same(t, "/private with a token from after kill -9", private(prod, again.id)+", "+private(dev, again.id), `401 {"message":"Unauthorized"}, 200 Mended Hello `+sub+"!")
	refreshed := aws.json(t, "cognito-idp", "initiate-auth", "--client-id", dev.UserPoolClientId, "--auth-flow", "REFRESH_TOKEN_AUTH", "--auth-parameters", "REFRESH_TOKEN="+tokens.refresh)
	result, _ := refreshed["AuthenticationResult"].(map[string]any)
	same(t, "refreshing with the token from before answers with", keys(result), []string{"AccessToken", "ExpiresIn", "IdToken", "TokenType"})

	// Another dev session joins the server that runs, and leaves it running.
	joined := launch(t, "dev", app, "--data", s.Dir)
	joined.await(t, 0, `using the server at `+s.URL, time.Minute)
	joined.await(t, 0, `Watching the sources`, time.Minute)
	same(t, "the outputs are the same", joined.await(t, 0, `(?m)^  UserPoolId: +(\S+)$`, time.Second)[1], dev.UserPoolId)
	joined.interrupt(t)
	same(t, "/private after it", private(dev, tokens.id), "200 Mended Hello "+sub+"!")

	// remove leaves nothing.
	s.gatehouse(t, "remove", app, "--stage", "prod")
	status, _, body = get(t, prod.ApiEndpoint+"/open")
	same(t, "/open of prod, removed", words(status, body), `404 {"message":"Not Found"}`)
	same(t, "/private of dev when prod is removed", private(dev, tokens.access), "200 Mended Hello "+sub+"!")
	s.gatehouse(t, "remove", app)
	noTrace(t, aws)
	if r := s.tryGatehouse(t, "remove", app); r.code != 1 || !strings.Contains(r.stderr, "is not deployed here") {
		t.Errorf("removing it again: exit %d %s%s", r.code, r.stdout, r.stderr)
	}
}

// tokens are what a sign-in gives.
type tokens struct{ id, access, refresh string }

// checkSignIn holds the answer of initiate-auth against the one that the seed shows.
func checkSignIn(t *testing.T, answer map[string]any, o outputs, sub string) tokens {
	t.Helper()
	same(t, "initiate-auth answers with", keys(answer), []string{"AuthenticationResult", "ChallengeParameters"})
	same(t, "ChallengeParameters", answer["ChallengeParameters"], any(map[string]any{}))
	result, _ := answer["AuthenticationResult"].(map[string]any)
	same(t, "AuthenticationResult", keys(result), []string{"AccessToken", "ExpiresIn", "IdToken", "RefreshToken", "TokenType"})
	same(t, "ExpiresIn and TokenType", words(result["ExpiresIn"], result["TokenType"]), "3600 Bearer")
	text := func(name string) string { s, _ := result[name].(string); return s }
	got := tokens{text("IdToken"), text("AccessToken"), text("RefreshToken")}

	// The claims are those of the tokens that the seed shows, and origin_jti and jti, which came since.
	shared := map[string]any{"sub": sub, "iss": "https://cognito-idp.us-east-1.amazonaws.com/" + o.UserPoolId}
	for _, tok := range []struct {
		raw   string
		names []string
		want  map[string]any
	}{
		{got.access, []string{"auth_time", "client_id", "event_id", "exp", "iat", "iss", "jti", "origin_jti", "scope", "sub", "token_use", "username"},
			map[string]any{"token_use": "access", "scope": "aws.cognito.signin.user.admin", "client_id": o.UserPoolClientId, "username": sub}},
		{got.id, []string{"aud", "auth_time", "cognito:username", "email", "email_verified", "event_id", "exp", "iat", "iss", "jti", "origin_jti", "sub", "token_use"},
			map[string]any{"token_use": "id", "aud": o.UserPoolClientId, "cognito:username": sub, "email": email, "email_verified": false}},
	} {
		header, claims := parseJWT(t, tok.raw)
		kid, _ := header["kid"].(string)
		if header["alg"] != "RS256" || len(header) != 2 || len(kid) != 44 {
			t.Errorf("header of a token: %v", header)
		}
		same(t, "claims", keys(claims), tok.names)
		for _, m := range []map[string]any{shared, tok.want} {
			for k, v := range m {
				if claims[k] != v {
					t.Errorf("claim %s of the %v token is %v, want %v", k, claims["token_use"], claims[k], v)
				}
			}
		}
		iat, _ := claims["iat"].(float64)
		exp, _ := claims["exp"].(float64)
		if exp-iat != 3600 || claims["auth_time"] != claims["iat"] {
			t.Errorf("times of the token: %v", claims)
		}
	}
	if len(got.refresh) < 100 {
		t.Errorf("the refresh token is %q", got.refresh)
	}
	return got
}

// parseJWT decodes a token without verifying it.
func parseJWT(t testing.TB, raw string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", raw)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		decode(t, string(b), into)
	}
	return header, claims
}

// noTrace checks that the account has nothing left in it.
func noTrace(t *testing.T, aws *awsCLI) {
	t.Helper()
	for _, q := range []struct {
		args []string
		list string
		name string
	}{
		{[]string{"cognito-idp", "list-user-pools", "--max-results", "60"}, "UserPools", "Id"},
		{[]string{"apigatewayv2", "get-apis"}, "Items", "ApiId"},
		{[]string{"lambda", "list-functions"}, "Functions", "FunctionName"},
		{[]string{"logs", "describe-log-groups"}, "logGroups", "logGroupName"},
		{[]string{"iam", "list-roles"}, "Roles", "RoleName"},
		{[]string{"s3api", "list-buckets"}, "Buckets", "Name"},
		{[]string{"cloudformation", "describe-stacks"}, "Stacks", "StackName"},
	} {
		same(t, "left: "+strings.Join(q.args, " "), names(t, aws.json(t, q.args...), q.list, q.name), []string{})
	}
}

// The examples where they are, with the settings that `gatehouse env` prints for a shell, and the API at
// each of its addresses.
func TestExamplesInPlace(t *testing.T) {
	t.Parallel()
	need(t, "node")
	s := start(t)
	for name := range examples {
		var out outputs
		decode(t, s.gatehouse(t, "deploy", filepath.Join(repo, "examples", name), "--stage", "test", "--json"), &out)
		out.check(t, s.URL)
		id := out.ApiEndpoint[strings.LastIndexByte(out.ApiEndpoint, '/')+1:]
		for _, args := range [][]string{
			{out.ApiEndpoint + "/public"},
			{s.URL + "/execute-api/" + id + "/public"},
			{s.URL + "/public", "-H", "Host: " + id + ".execute-api.us-east-1.amazonaws.com"},
			{"http://" + id + ".execute-api.localhost:" + s.Port + "/public", "--resolve", id + ".execute-api.localhost:" + s.Port + ":127.0.0.1"},
			{"https://" + id + ".execute-api.us-east-1.amazonaws.com/public", "--cacert", filepath.Join(s.Dir, "ca.pem"),
				"--connect-to", "::127.0.0.1:" + s.Port},
		} {
			status, _, body := curl(t, args...)
			same(t, args[0], words(status, body), "200 Hello stranger!")
		}
	}
	aws := s.aws(t)
	r := run(t, aws.env, need(t, "sh"), "-c", `eval "$("$0" env --data "$1")" && "$2" --endpoint-url "$AWS_ENDPOINT_URL" cloudformation describe-stacks --query 'Stacks[].StackName' --output text`,
		binary(t), s.Dir, aws.path)
	same(t, "describe-stacks in a shell", sorted(strings.Fields(r.stdout+r.stderr)), []string{"test-jwt-api", "test-jwt-api-ts"})
}

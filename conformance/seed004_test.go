package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSeed004User goes through the command-line steps of seed 004: a user with AmazonCognitoPowerUser and
// an access key, `aws configure`, the temporary password from the mail, the new one; and what the policy
// does not give is refused.
func TestSeed004User(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		root := s.aws(t)
		const region = "eu-west-1"

		// In the console: the pool with its defaults, a client with all flows, a user with a temporary password.
		pool := root.json(t, "cognito-idp", "create-user-pool", "--region", region, "--pool-name", "todo", "--auto-verified-attributes", "email")["UserPool"].(map[string]any)["Id"].(string)
		client := root.json(t, "cognito-idp", "create-user-pool-client", "--region", region, "--user-pool-id", pool, "--client-name", "todo", "--explicit-auth-flows",
			"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH")["UserPoolClient"].(map[string]any)["ClientId"].(string)
		root.json(t, "cognito-idp", "admin-create-user", "--region", region, "--user-pool-id", pool, "--username", "tejansh", "--user-attributes", "Name=email,Value=tejansh@example.com")
		mail := s.gatehouse(t, "mail", "--to", "tejansh@example.com")
		m := regexp.MustCompile(`temporary password is (\S+)`).FindStringSubmatch(mail)
		if m == nil {
			t.Fatalf("no temporary password in the mail:\n%s", mail)
		}
		temporary := strings.TrimSuffix(m[1], ".")

		// IAM: a user with programmatic access.
		root.json(t, "iam", "create-user", "--user-name", "cli")
		root.json(t, "iam", "attach-user-policy", "--user-name", "cli", "--policy-arn", "arn:aws:iam::aws:policy/AmazonCognitoPowerUser")
		key := root.json(t, "iam", "create-access-key", "--user-name", "cli")["AccessKey"].(map[string]any)
		id, secret := key["AccessKeyId"].(string), key["SecretAccessKey"].(string)

		// aws configure asks four questions.
		dir := t.TempDir()
		env := cleanEnv("HOME="+s.home, "NO_COLOR=1", "LC_ALL=C.UTF-8")
		shell := func(script string) result {
			return run(t, env, binary(t), "run", "--data", s.Dir, "--no-credentials", "--", "sh", "-c", "cd "+dir+" && "+script)
		}
		if r := shell("printf '" + id + `\n` + strings.ReplaceAll(secret, "%", "%%") + `\n` + region + `\njson\n' | ` + root.path + " configure"); r.code != 0 {
			t.Fatalf("aws configure: exit %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		aws := func(args string) result { return shell(root.path + " " + args) }
		who := aws("sts get-caller-identity")
		if want := `"Arn": "arn:aws:iam::000000000000:user/cli"`; !strings.Contains(who.stdout, want) {
			t.Fatalf("get-caller-identity: exit %d\n%s%s\nwant %s", who.code, who.stdout, who.stderr, want)
		}

		file := func(name string, v map[string]any) {
			t.Helper()
			text, err := json.Marshal(v)
			ok(t, err)
			ok(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
		}
		signIn := func(password string) map[string]any {
			t.Helper()
			file("auth.json", map[string]any{"UserPoolId": pool, "ClientId": client, "AuthFlow": "ADMIN_NO_SRP_AUTH",
				"AuthParameters": map[string]string{"USERNAME": "tejansh", "PASSWORD": password}})
			r := aws("cognito-idp admin-initiate-auth --cli-input-json file://auth.json")
			if r.code != 0 {
				t.Fatalf("admin-initiate-auth: exit %d\n%s%s", r.code, r.stdout, r.stderr)
			}
			var out map[string]any
			decode(t, r.stdout, &out)
			return out
		}
		challenge := signIn(temporary)
		same(t, "the challenge", challenge["ChallengeName"], any("NEW_PASSWORD_REQUIRED"))
		file("challenge_response.json", map[string]any{"UserPoolId": pool, "ClientId": client, "ChallengeName": "NEW_PASSWORD_REQUIRED",
			"ChallengeResponses": map[string]string{"USERNAME": "tejansh", "NEW_PASSWORD": "N3w-Passw0rd!"}, "Session": challenge["Session"]})
		if r := aws("cognito-idp admin-respond-to-auth-challenge --cli-input-json file://challenge_response.json"); r.code != 0 || !strings.Contains(r.stdout, "IdToken") {
			t.Fatalf("admin-respond-to-auth-challenge: exit %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		result, _ := signIn("N3w-Passw0rd!")["AuthenticationResult"].(map[string]any)
		if result["IdToken"] == nil {
			t.Error("no ID token with the new password")
		}

		// What the policy does not give.
		const denied = "User: arn:aws:iam::000000000000:user/cli is not authorized to perform: "
		for args, want := range map[string]string{
			"lambda delete-function --function-name any": "AccessDeniedException) when calling the DeleteFunction operation: " + denied + "lambda:DeleteFunction on resource: arn:aws:lambda:" + region + ":000000000000:function:any because no identity-based policy allows the lambda:DeleteFunction action",
			"iam create-user --user-name other":          "AccessDenied) when calling the CreateUser operation: " + denied + "iam:CreateUser on resource: arn:aws:iam::000000000000:user/other because no identity-based policy allows the iam:CreateUser action",
			"iam create-access-key":                      "AccessDenied) when calling the CreateAccessKey operation: " + denied + "iam:CreateAccessKey",
			"cloudformation create-stack --stack-name s --template-body '{\"Resources\":{\"L\":{\"Type\":\"AWS::Logs::LogGroup\"}}}'": "AccessDenied) when calling the CreateStack operation: " + denied + "cloudformation:CreateStack",
			"s3api list-buckets": "AccessDenied) when calling the ListBuckets operation: ",
		} {
			if r := aws(args); r.code == 0 || !strings.Contains(r.stderr, want) {
				t.Errorf("aws %s: exit %d\n got %s%s\nwant …%s…", args, r.code, r.stdout, r.stderr, want)
			}
		}
		if why := s.gatehouse(t, "why", "--last"); !strings.Contains(why, "✗") {
			t.Errorf("gatehouse why of a refused call:\n%s", why)
		}

		// Without the policy nothing is left; without the key nobody is there.
		list := "cognito-idp list-user-pools --max-results 5"
		if r := aws(list); r.code != 0 {
			t.Errorf("list-user-pools: %s", r.stderr)
		}
		root.json(t, "iam", "detach-user-policy", "--user-name", "cli", "--policy-arn", "arn:aws:iam::aws:policy/AmazonCognitoPowerUser")
		if r := aws(list); !strings.Contains(r.stderr, denied+"cognito-idp:ListUserPools") {
			t.Errorf("list-user-pools without the policy: exit %d %s", r.code, r.stderr)
		}
		root.json(t, "iam", "update-access-key", "--user-name", "cli", "--access-key-id", id, "--status", "Inactive")
		if r := aws(list); !strings.Contains(r.stderr, "UnrecognizedClientException") {
			t.Errorf("list-user-pools with an inactive key: exit %d %s", r.code, r.stderr)
		}
	})
}

// TestSeed004API builds seed 004's API with the script of examples/todo-cli: each step of the console as a
// command. An authorizer guards what is deployed after it was attached, not before.
func TestSeed004API(t *testing.T) {
	need(t, "python3")
	python := debianPython
	if _, err := os.Stat(python); err != nil {
		python = need(t, "python3")
	}
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		dir := copyApp(t, "todo-cli")
		// The AWS CLI and the Python of the tests go before others on the PATH.
		env := cleanEnv("HOME="+s.home, "NO_COLOR=1", "LC_ALL=C.UTF-8", "PATH="+filepath.Dir(s.aws(t).path)+":"+filepath.Dir(python)+":"+os.Getenv("PATH"))
		todo := func(args ...string) string {
			t.Helper()
			r := run(t, env, binary(t), append([]string{"run", "--data", s.Dir, "--", filepath.Join(dir, "todo.sh")}, args...)...)
			if r.code != 0 {
				t.Fatalf("todo.sh %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
			}
			return strings.TrimSpace(r.stdout)
		}
		built := todo("build")
		onAWS := built[strings.LastIndex(built, "\n")+1:]
		m := regexp.MustCompile(`^https://([a-z0-9]{10})\.execute-api\.us-east-1\.amazonaws\.com(/todo/tasks)$`).FindStringSubmatch(onAWS)
		if m == nil {
			t.Fatalf("todo.sh build printed\n%s", built)
		}
		url := s.URL + "/_aws/execute-api/" + m[1] + m[2]
		tasks := func(header ...string) string {
			t.Helper()
			status, _, body := get(t, url, header...)
			return words(status, body)
		}
		same(t, "tasks at first", tasks(), "200 []")
		status, _, body := send(t, "POST", url, `{"task":"write"}`)
		same(t, "a task", words(status, body), `201 {"task": "write"}`)
		same(t, "tasks", tasks(), `200 ["write"]`)

		todo("authorize")
		same(t, "tasks, with an authorizer that is not deployed", tasks(), `200 ["write"]`)
		todo("deploy")
		same(t, "tasks, with the authorizer", tasks(), `401 {"message":"Unauthorized"}`)
		same(t, "in a browser", screen(t, url), `{"message":"Unauthorized"}`)

		same(t, "todo.sh user", todo("user", email), "FORCE_CHANGE_PASSWORD")
		password := regexp.MustCompile(`temporary password is (\S+)\.`).FindStringSubmatch(s.gatehouse(t, "mail", "--to", email))
		if password == nil {
			t.Fatal("no temporary password in the mail")
		}
		first := todo("sign-in", email, password[1], "N3w-Passw0rd!")
		token := todo("sign-in", email, "N3w-Passw0rd!")
		same(t, "tasks with the token of the first sign-in", tasks("Authorization", first), `200 ["write"]`)
		same(t, "tasks with a token", tasks("Authorization", token), `200 ["write"]`)
		s.kill()
		s.restart(t)
		same(t, "tasks after kill -9", tasks("Authorization", token), `200 ["write"]`)
		todo("clean")
		same(t, "tasks of an API that is gone", tasks("Authorization", token), `404 {"message":"Not Found"}`)
	})
}

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

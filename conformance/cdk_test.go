package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCDK takes seed 002's own app through its life with the CDK's own tool, as a user who assumes the roles
// that the tool wants: on a server that was never bootstrapped, and was then. It runs where the seeds stand beside
// the checkout; the packages come from npm.
func TestCDK(t *testing.T) {
	need(t, "npm")
	app := filepath.Join(repo, "..", "shared", "apps", "seed-002")
	if _, err := os.Stat(app); err != nil {
		t.Skip("the seeds are not beside the checkout")
	}
	dir := t.TempDir()
	ok(t, os.CopyFS(dir, os.DirFS(app)))
	if r := run(t, os.Environ(), "npm", "install", "--prefix", dir, "--no-audit", "--no-fund"); r.code != 0 {
		missing(t, "npm's registry cannot be reached: "+r.stderr)
	}
	s := start(t)
	aws := s.aws(t)
	aws.json(t, "iam", "create-user", "--user-name", "dev")
	aws.text(t, "iam", "attach-user-policy", "--user-name", "dev", "--policy-arn", "arn:aws:iam::aws:policy/AdministratorAccess")
	key := aws.json(t, "iam", "create-access-key", "--user-name", "dev")["AccessKey"].(map[string]any)
	env := cleanEnv("HOME="+t.TempDir(), "CI=1", "AWS_ENDPOINT_URL="+s.URL, "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID="+key["AccessKeyId"].(string), "AWS_SECRET_ACCESS_KEY="+key["SecretAccessKey"].(string))
	cdk := func(want string, args ...string) string {
		t.Helper()
		r := run(t, env, "sh", append([]string{"-c", `cd "$0" && exec npx cdk "$@"`, dir}, args...)...)
		if all := r.stdout + r.stderr; r.code != 0 || !strings.Contains(all, want) || strings.Contains(all, "was not assumed") {
			t.Fatalf("cdk %s: exit %d, want %q\n%s", strings.Join(args, " "), r.code, want, tail(all, 4000))
		}
		return r.stdout + r.stderr
	}
	cdk("✅  MyFirstStack", "deploy", "--require-approval", "never")
	built := []string{"--app", "cdk.out"}
	cdk("(no changes)", append([]string{"deploy", "--require-approval", "never"}, built...)...)
	cdk("There were no differences", append([]string{"diff"}, built...)...)
	cdk("bootstrapped", "bootstrap")
	output := aws.json(t, "cloudformation", "describe-stacks", "--stack-name", "MyFirstStack")["Stacks"].([]any)[0].(map[string]any)["Outputs"].([]any)[0].(map[string]any)
	seed002(t, s, strings.TrimSuffix(output["OutputValue"].(string), "/"), "CAUTION !!! THIS IS VERY SECRET")
	cdk("destroyed", append([]string{"destroy", "--force"}, built...)...)
}

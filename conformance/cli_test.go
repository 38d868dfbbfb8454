package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The AWS CLI's own commands, which make many calls each: s3, cloudformation deploy, logs tail, waiters.
// (cloudformation package takes no --endpoint-url for its uploads.)
func TestCLICommands(t *testing.T) {
	need(t, "python3")
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		aws := s.aws(t)
		dir := t.TempDir()
		path := func(name string) string { return filepath.Join(dir, name) }
		ok(t, os.MkdirAll(path("site/sub"), 0o755))
		write(t, path("site/a.txt"), "hello")
		write(t, path("site/sub/b c.txt"), "there")
		write(t, path("big"), strings.Repeat("0123456789abcdef", 600<<10)) // 9.6 MB: the CLI uploads it in parts

		aws.text(t, "s3", "mb", "s3://things")
		aws.text(t, "s3", "sync", path("site"), "s3://things/site", "--no-progress")
		aws.text(t, "s3", "cp", path("big"), "s3://things/big", "--no-progress")
		list := aws.text(t, "s3", "ls", "s3://things", "--recursive")
		for _, want := range []string{" 5 site/a.txt\n", " 5 site/sub/b c.txt\n", " 9830400 big\n"} {
			if !strings.Contains(list, want) {
				t.Errorf("s3 ls does not list %q:\n%s", want, list)
			}
		}
		aws.text(t, "s3", "cp", "s3://things/big", path("back"), "--no-progress")
		if string(must(os.ReadFile(path("back")))(t)) != string(must(os.ReadFile(path("big")))(t)) {
			t.Error("what comes back is not what went up")
		}
		aws.text(t, "s3", "mv", "s3://things/site/a.txt", "s3://things/moved.txt", "--no-progress")
		link := strings.TrimSpace(aws.text(t, "s3", "presign", "s3://things/moved.txt", "--expires-in", "60"))
		status, _, body := curl(t, link)
		same(t, "a presigned URL", words(status, body), "200 hello")
		if status, _, body := curl(t, strings.Replace(link, "moved.txt", "big", 1)); status != 403 || !strings.Contains(body, "SignatureDoesNotMatch") {
			t.Errorf("a presigned URL for another object: %d %s", status, tail(body, 300))
		}
		if status, _, body := curl(t, s.URL+"/things/moved.txt"); status == 200 {
			t.Errorf("an object without a signature: %d %s", status, body)
		}

		// deploy makes and executes a change set.
		write(t, path("fn.zip"), string(zipped(t, "app.py", "import os\ndef handler(event, context):\n    print('greeting', event['name'])\n    return os.environ['GREETING'] + ' ' + event['name']\n")))
		aws.text(t, "s3", "cp", path("fn.zip"), "s3://things/fn.zip", "--no-progress")
		write(t, path("template.yaml"), `
Parameters:
  Greeting: {Type: String, Default: Hello}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Sub "${AWS::StackName}-greeter"
      Code: {S3Bucket: things, S3Key: fn.zip}
      Handler: app.handler
      Runtime: python3.12
      Role: !GetAtt Role.Arn
      Environment: {Variables: {GREETING: !Ref Greeting}}
`)
		deploy := func(more ...string) result {
			t.Helper()
			// The CLI names its change sets by the second. Two in one second, which no deployment on AWS
			// is quick enough for, would have one name.
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
			return aws.try(t, append([]string{"cloudformation", "deploy", "--template-file", path("template.yaml"), "--stack-name", "greeting", "--capabilities", "CAPABILITY_IAM"}, more...)...)
		}
		begun := time.Now()
		if r := deploy(); r.code != 0 || !strings.Contains(r.stdout, "Successfully created/updated stack - greeting") {
			t.Fatalf("deploy: exit %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		t.Logf("aws cloudformation deploy took %v", time.Since(begun).Round(time.Millisecond))
		if r := deploy("--no-fail-on-empty-changeset"); r.code != 0 || !strings.Contains(r.stdout, "No changes to deploy. Stack greeting is up to date") {
			t.Errorf("deploying it again: exit %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		invoke := func(want string) {
			t.Helper()
			answer := aws.json(t, "lambda", "invoke", "--function-name", "greeting-greeter", "--cli-binary-format", "raw-in-base64-out", "--payload", `{"name":"you"}`, path("out.json"))
			same(t, "lambda invoke", answer, map[string]any{"StatusCode": 200.0, "ExecutedVersion": "$LATEST"})
			same(t, "what it answered", string(must(os.ReadFile(path("out.json")))(t)), want)
		}
		invoke(`"Hello you"`)
		if r := deploy("--parameter-overrides", "Greeting=Goodbye"); r.code != 0 {
			t.Errorf("deploying a change: exit %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		invoke(`"Goodbye you"`)
		eventually(t, 10*time.Second, func() string {
			if out := aws.text(t, "logs", "tail", "/aws/lambda/greeting-greeter", "--format", "short"); strings.Count(out, "greeting you") != 2 {
				return "logs tail prints:\n" + out
			}
			return ""
		})
		aws.text(t, "cloudformation", "delete-stack", "--stack-name", "greeting")
		aws.text(t, "cloudformation", "wait", "stack-delete-complete", "--stack-name", "greeting")
		aws.refused(t, "GetFunction", "ResourceNotFoundException", "lambda", "get-function", "--function-name", "greeting-greeter")
		aws.text(t, "logs", "delete-log-group", "--log-group-name", "/aws/lambda/greeting-greeter")
		aws.text(t, "s3", "rb", "s3://things", "--force")
		noTrace(t, aws)
	})
}

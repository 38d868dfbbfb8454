package conformance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// The server for test suites: in memory, open to any access key, emptied between tests.
func TestEphemeral(t *testing.T) {
	t.Parallel()
	s := startOpen(t, "--account", "123456789012")
	ctx := t.Context()
	cfg := sdkConfig(t, settings{s.URL, "eu-west-3", "anything", "at all"})
	who := must(sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
	same(t, "GetCallerIdentity", *who.Account+" "+*who.Arn, "123456789012 arn:aws:iam::123456789012:root")

	c := cognito.NewFromConfig(cfg)
	pool, client, _ := testPool(t, c, false)
	if !regexp.MustCompile(`^eu-west-3_[A-Za-z0-9]{9}$`).MatchString(pool) {
		t.Errorf("a pool in eu-west-3: %s", pool)
	}
	must(c.SignUp(ctx, &cognito.SignUpInput{ClientId: &client, Username: aws.String("jane"), Password: aws.String(password), UserAttributes: attrList("email", "jane@example.com")}))(t)
	list := s.messages(t, "jane@example.com")
	if len(list) != 1 || list[0].Channel != "email" || list[0].Username != "jane" || list[0].Pool != pool || !regexp.MustCompile(`^\d{6}$`).MatchString(list[0].Code) || !strings.Contains(list[0].Body, list[0].Code) {
		t.Errorf("messages: %+v", list)
	}
	must(c.ConfirmSignUp(ctx, &cognito.ConfirmSignUpInput{ClientId: &client, Username: aws.String("jane"), ConfirmationCode: &list[0].Code}))(t)
	same(t, "messages to another", len(s.messages(t, "joe@example.com")), 0)

	status, _, body := send(t, "POST", s.URL+"/_gatehouse/reset", "")
	same(t, "reset", words(status, body), "204")
	same(t, "messages after the reset", len(s.messages(t, "jane@example.com")), 0)
	coded(t, "a pool after the reset", "ResourceNotFoundException", "")(c.DescribeUserPool(ctx, &cognito.DescribeUserPoolInput{UserPoolId: &pool}))
	pool, client, _ = testPool(t, c, false) // and it goes on working
	must(c.SignUp(ctx, &cognito.SignUpInput{ClientId: &client, Username: aws.String("jane"), Password: aws.String(password)}))(t)

	// A web page must not come in through the browser.
	for _, req := range [][]string{{"Origin", "https://example.com"}, {"Host", "example.com"}} {
		if req[0] == "Host" {
			status, _, body = curl(t, "-X", "POST", "-H", "Host: "+req[1], s.URL+"/_gatehouse/reset")
		} else {
			status, _, body = send(t, "POST", s.URL+"/_gatehouse/reset", "", req...)
		}
		if status != 403 {
			t.Errorf("reset with %v: %d %s", req, status, body)
		}
	}
	must(c.DescribeUserPool(ctx, &cognito.DescribeUserPoolInput{UserPoolId: &pool}))(t)
	if entries, err := os.ReadDir(s.Dir); err != nil || len(entries) != 0 {
		t.Errorf("an ephemeral server leaves %v in its data directory, %v", entries, err)
	}
}

// Flags that make no sense are refused before anything is opened.
func TestStartRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, says string }{
		{"--auth open --listen 0.0.0.0:0", "it may listen on a loopback address only"},
		{"--auth open --listen :0", "it may listen on a loopback address only"},
		{"--auth sesame", "it is signed or open"},
		{"--account 12", "it is 12 digits"},
		{"--ephemeral --database postgres://localhost/x", "takes no database"},
		{"--listen nowhere", "listen"},
		{"--listen 127.0.0.1:0 --database mysql://localhost/x", "mysql"},
		{"--issuer nothing", "issuer"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		r := run(t, cleanEnv("NO_COLOR=1"), binary(t), append([]string{"start", "--data", dir}, strings.Fields(tt.args)...)...)
		if r.code == 0 || !strings.Contains(r.stderr, tt.says) {
			t.Errorf("gatehouse start %s: exit %d, %s; want %q", tt.args, r.code, r.stderr, tt.says)
		}
	}
	s := start(t)
	r := run(t, cleanEnv("NO_COLOR=1"), binary(t), "start", "--data", t.TempDir(), "--listen", "127.0.0.1:"+s.Port)
	if r.code != 1 || !strings.Contains(r.stderr, "is taken by another program") {
		t.Errorf("a port that is taken: exit %d %s", r.code, r.stderr)
	}
	// What a signed server tells of itself needs a signature.
	for _, path := range []string{"/_gatehouse/messages", "/_gatehouse/requests", "/_gatehouse/logs?group=/x"} {
		if status, _, body := get(t, s.URL+path); status != 403 {
			t.Errorf("GET %s unsigned: %d %s", path, status, body)
		}
	}
	if status, _, _ := send(t, "POST", s.URL+"/_gatehouse/reset", ""); status != 403 {
		t.Errorf("reset of a signed server: %d", status)
	}
	if status, _, body := get(t, s.URL+"/_gatehouse/health"); status != 200 || !strings.Contains(body, `"ok"`) {
		t.Errorf("health: %d %s", status, body)
	}
}

// Commands that find nothing to do say so, and what would help.
func TestCommandErrors(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	s := start(t)
	app := t.TempDir()
	write(t, filepath.Join(app, "template.yaml"), `Resources:
  F: {Type: AWS::Lambda::Function, Properties: {Code: ./none.ts, Handler: none.handler, Runtime: nodejs22.x, Role: "arn:aws:iam::000000000000:role/x"}}
`)
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"mail", "--data", empty}, 1, "no Gatehouse server has run with this data directory"},
		{[]string{"why", "--data", s.Dir}, 2, "why takes a request id, or --last"},
		{[]string{"why", "--last", "--data", s.Dir}, 1, "no request has been seen"},
		{[]string{"deploy", empty, "--data", s.Dir}, 1, "holds no app"},
		{[]string{"deploy", filepath.Join(empty, "none"), "--data", s.Dir}, 1, "no app at"},
		{[]string{"deploy", app, "--data", s.Dir}, 1, "none.ts"},
		{[]string{"deploy", app, "--stage", "9", "--data", s.Dir}, 1, "a stage's name begins with a letter"},
		{[]string{"remove", app, "--data", s.Dir}, 1, "is not deployed here"},
		{[]string{"fly"}, 2, "unknown command"},
		{[]string{"start", "--nothing"}, 2, "unknown flag"},
	} {
		r := run(t, cleanEnv("NO_COLOR=1"), binary(t), tt.args...)
		if r.code != tt.code || !strings.Contains(r.stderr, tt.says) {
			t.Errorf("gatehouse %s: exit %d, %swant exit %d and %q", strings.Join(tt.args, " "), r.code, r.stderr, tt.code, tt.says)
		}
	}
	// The deployment that failed has made nothing.
	same(t, "pools", s.countPools(t), 0)
}

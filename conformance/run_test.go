package conformance

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
)

// debianPython is where Debian's boto3 is.
const debianPython = "/usr/bin/python3"

// run runs a program under `gatehouse run`, with a home of its own.
func (s *server) run(t testing.TB, env []string, args ...string) result {
	t.Helper()
	env = append(cleanEnv("HOME="+s.home, "NO_COLOR=1", "LC_ALL=C.UTF-8", "AWS_EC2_METADATA_DISABLED=true"), env...)
	return run(t, env, binary(t), append([]string{"run", "--data", s.Dir, "--"}, args...)...)
}

// ran runs a program that must succeed and returns what it printed.
func (s *server) ran(t testing.TB, args ...string) string {
	t.Helper()
	r := s.run(t, nil, args...)
	if r.code != 0 {
		t.Fatalf("gatehouse run -- %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// surrounded deploys js/surroundings and returns its outputs.
func surrounded(t *testing.T, s *server) (out struct{ Pool, Client, Api string }) {
	t.Helper()
	if _, err := os.Stat(filepath.Join("js", "node_modules", "aws-sdk")); err != nil {
		missing(t, "the packages of conformance/js are not installed: run `npm ci` there")
	}
	decode(t, s.gatehouse(t, "deploy", filepath.Join("js", "surroundings"), "--json"), &out)
	return out
}

// TestRunClients: clients that know nothing of Gatehouse reach it under `gatehouse run`, each in the way
// that it knows, and so do functions with what they are built with.
func TestRunClients(t *testing.T) {
	t.Parallel()
	need(t, "node")
	s := start(t)
	out := surrounded(t, s)
	c := cognito.NewFromConfig(s.config(t))
	tok := newUser(t, c, out.Pool, out.Client, "jane")

	t.Run("JavaScript", func(t *testing.T) {
		text := must(json.Marshal(map[string]string{"pool": out.Pool, "client": out.Client, "idToken": tok.id, "api": out.Api}))(t)
		r := s.run(t, []string{"GATEHOUSE_CONFORMANCE=" + string(text), "NODE_OPTIONS=--no-warnings"}, "node", "--test-reporter=spec", filepath.Join("js", "run.mjs"))
		t.Logf("%s%s", r.stdout, r.stderr)
		if r.code != 0 || !strings.Contains(r.stdout, "ℹ fail 0\n") {
			t.Errorf("exit %d", r.code)
		}
	})
	t.Run("boto3", func(t *testing.T) {
		python := debianPython
		if run(t, os.Environ(), python, "-c", "import boto3").code != 0 {
			if python = need(t, "python3"); run(t, os.Environ(), python, "-c", "import boto3").code != 0 {
				missing(t, "boto3 is not installed")
			}
		}
		got := s.ran(t, python, "-c", `
import boto3, urllib.request
print(boto3.client("sts").get_caller_identity()["Arn"])
print([p["Name"] for p in boto3.client("cognito-idp").list_user_pools(MaxResults=5)["UserPools"]])
s3 = boto3.client("s3")
s3.create_bucket(Bucket="from-boto3")
s3.put_object(Bucket="from-boto3", Key="k", Body=b"v")
print(s3.get_object(Bucket="from-boto3", Key="k")["Body"].read())
s3.delete_object(Bucket="from-boto3", Key="k")
s3.delete_bucket(Bucket="from-boto3")
print(urllib.request.urlopen("https://`+out.Api+`.execute-api.us-east-1.amazonaws.com/urllib").read())
`)
		same(t, "boto3 printed", got, "arn:aws:iam::000000000000:root\n['surroundings']\nb'v'\nb'"+out.Api+".execute-api.us-east-1.amazonaws.com /urllib'\n")
	})
	t.Run("curl", func(t *testing.T) {
		need(t, "curl")
		host := out.Api + ".execute-api.us-east-1.amazonaws.com"
		same(t, "curl printed", s.ran(t, "curl", "-sS", "https://"+host+"/curl"), host+" /curl")
		same(t, "through a shell", s.ran(t, "sh", "-c", "cd / && curl -sS https://"+host+"/$((1+1)) | tr a-z A-Z"), strings.ToUpper(host+" /2"))
		keys := s.ran(t, "curl", "-sS", "--http1.1", "https://cognito-idp.us-east-1.amazonaws.com/"+out.Pool+"/.well-known/jwks.json")
		if !strings.Contains(keys, `"kty":"RSA"`) {
			t.Errorf("the pool's keys: %s", keys)
		}
	})
	// Seed 001 has the whole chain. Here: its hosts are its own, and it does reach the server.
	t.Run("aws-api-gateway-cli-test", func(t *testing.T) {
		r := s.run(t, nil, "node", filepath.Join("js", "node_modules", "aws-api-gateway-cli-test", "index.js"), "--username=jane", "--password=Wrong-passw0rd", "--user-pool-id="+out.Pool,
			"--app-client-id="+out.Client, "--cognito-region=us-east-1", "--identity-pool-id=us-east-1:00000000-0000-4000-8000-000000000000",
			"--invoke-url=https://"+out.Api+".execute-api.us-east-1.amazonaws.com", "--api-gateway-region=us-east-1", "--path-template=/x", "--method=GET")
		if !strings.Contains(r.stdout+r.stderr, "Incorrect username or password.") {
			t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
	t.Run("functions", func(t *testing.T) {
		invoke := func(name string) map[string]any {
			file := filepath.Join(t.TempDir(), "out.json")
			s.ran(t, newCLI(t, settings{}, s.home).path, "lambda", "invoke", "--function-name", name, file)
			var v map[string]any
			decode(t, string(must(os.ReadFile(file))(t)), &v)
			return v
		}
		pools := []any{"surroundings"}
		who := "arn:aws:sts::000000000000:assumed-role/surrounded/"
		same(t, "in Node.js", invoke("surrounded-node"), map[string]any{"who": who + "surrounded-node", "v2": pools, "now": pools, "v43": pools, "v363": pools,
			"denied": "AccessDenied: User: " + who + "surrounded-node is not authorized to perform: s3:ListAllMyBuckets because no identity-based policy allows the s3:ListAllMyBuckets action"})
		if run(t, os.Environ(), debianPython, "-c", "import boto3").code == 0 {
			same(t, "in Python", invoke("surrounded-python"), map[string]any{"who": who + "surrounded-python", "pools": pools, "denied": "AccessDenied"})
		}

		// Without its role, a function that runs has credentials of nobody, and none begins to run.
		aws := s.aws(t)
		aws.text(t, "iam", "delete-role-policy", "--role-name", "surrounded", "--policy-name", "pools")
		got := invoke("surrounded-node")["now"].(string)
		if !strings.HasPrefix(got, "AccessDeniedException: User: "+who+"surrounded-node is not authorized to perform: cognito-idp:ListUserPools") {
			t.Errorf("without its policy: %s", got)
		}
		aws.text(t, "iam", "delete-role", "--role-name", "surrounded")
		if got := invoke("surrounded-node")["who"].(string); !strings.HasPrefix(got, "InvalidClientTokenId: ") {
			t.Errorf("without its role: %s", got)
		}
		aws.json(t, "lambda", "update-function-configuration", "--function-name", "surrounded-node", "--timeout", "20")
		aws.refused(t, "Invoke", "AccessDeniedException | The role defined for the function cannot be assumed by Lambda.", "lambda", "invoke", "--function-name", "surrounded-node", filepath.Join(t.TempDir(), "out"))
	})
}

// TestRunCLI: Debian's AWS CLI without --endpoint-url, its command package among it, which would not take it.
func TestRunCLI(t *testing.T) {
	t.Parallel()
	s := start(t)
	cli := newCLI(t, settings{}, s.home).path
	dir := t.TempDir()
	ok(t, os.Mkdir(filepath.Join(dir, "app"), 0o755))
	write(t, filepath.Join(dir, "app", "app.py"), "def handler(event, context):\n    return 'Hello ' + event['name']\n")
	write(t, filepath.Join(dir, "template.yaml"), `
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}
  Function:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: greeter, Code: ./app, Handler: app.handler, Runtime: python3.12, Role: !GetAtt Role.Arn}
`)
	same(t, "sts", s.ran(t, cli, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"), "arn:aws:iam::000000000000:root\n")
	s.ran(t, cli, "s3", "mb", "s3://artifacts")
	s.ran(t, cli, "s3", "cp", filepath.Join(dir, "template.yaml"), "s3://artifacts/a b", "--no-progress")
	packaged := filepath.Join(dir, "packaged.yaml")
	s.ran(t, cli, "cloudformation", "package", "--template-file", filepath.Join(dir, "template.yaml"), "--s3-bucket", "artifacts", "--output-template-file", packaged)
	if text := string(must(os.ReadFile(packaged))(t)); !strings.Contains(text, "S3Bucket: artifacts") {
		t.Fatalf("the packaged template:\n%s", text)
	}
	s.ran(t, cli, "cloudformation", "deploy", "--template-file", packaged, "--stack-name", "greeter", "--capabilities", "CAPABILITY_IAM")
	file := filepath.Join(dir, "out.json")
	s.ran(t, cli, "lambda", "invoke", "--function-name", "greeter", "--cli-binary-format", "raw-in-base64-out", "--payload", `{"name":"you"}`, file)
	same(t, "what the function answered", string(must(os.ReadFile(file))(t)), `"Hello you"`)
}

// TestRunProgram: the program is itself: its exit status, its input and output, its signals.
func TestRunProgram(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{"sh", "-c", "exit 42"}, 42, ""},
		{[]string{"sh", "-c", "kill -TERM $$"}, -1, ""},
		{[]string{"sh", "-c", "echo out; echo err >&2"}, 0, "out\n"},
		{[]string{"printf", "%s|", "a b", "--flag", "$HOME"}, 0, "a b|--flag|$HOME|"},
		{[]string{"no-such-program"}, 127, ""},
		{[]string{s.Dir}, 126, ""},
	} {
		r := s.run(t, nil, c.args...)
		if r.code != c.code || r.stdout != c.out {
			t.Errorf("%q: exit %d, %q; want %d, %q\n%s", c.args, r.code, r.stdout, c.code, c.out, r.stderr)
		}
	}
}

// TestProxy: what is not AWS's passes, for whoever has the password.
func TestProxy(t *testing.T) {
	t.Parallel()
	s := start(t)
	far := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "far ", r.URL.Path) }))
	defer far.Close()
	var env map[string]*string
	decode(t, s.gatehouse(t, "env", "--json"), &env)
	proxy := must(url.Parse(*env["HTTPS_PROXY"]))(t)
	roots := x509.NewCertPool()
	roots.AddCert(far.Certificate())
	roots.AppendCertsFromPEM(must(os.ReadFile(*env["SSL_CERT_FILE"]))(t))
	client := func(via *url.URL) *http.Client {
		return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{Proxy: http.ProxyURL(via), TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	}
	get := func(via *url.URL, address string) string {
		resp, err := client(via).Get(address)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	same(t, "another host", get(proxy, far.URL+"/x"), "far /x")
	bare := *proxy
	bare.User = nil
	if got := get(&bare, far.URL+"/x"); !strings.Contains(got, "Proxy Authentication Required") {
		t.Errorf("without the password: %s", got)
	}
	const keys = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_aaaaaaaaa/.well-known/jwks.json"
	for _, via := range []*url.URL{proxy, &bare} {
		if got := get(via, keys); !strings.Contains(got, "us-east-1_aaaaaaaaa does not exist") {
			t.Errorf("a name that is taken over: %s", got)
		}
	}
	// Half-open, silent and odd clients do not keep the server from ending.
	for _, raw := range []string{"", "CONNECT ", "CONNECT sts.amazonaws.com:443 HTTP/1.1\r\n\r\n", "CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nHost: x\r\n\r\n\x16\x03\x01", "CONNECT " + strings.Repeat("a", 100<<10)} {
		conn := must(net.Dial("tcp", "127.0.0.1:"+s.Port))(t)
		defer conn.Close()
		io.WriteString(conn, raw)
	}
	tunnel := must(net.Dial("tcp", "127.0.0.1:"+s.Port))(t)
	defer tunnel.Close()
	password, _ := proxy.User.Password()
	req, _ := http.NewRequest("CONNECT", far.URL, nil)
	req.SetBasicAuth(proxy.User.Username(), password)
	fmt.Fprintf(tunnel, "CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", far.Listener.Addr(), req.Header.Get("Authorization"))
	head := make([]byte, 12)
	if _, err := io.ReadFull(tunnel, head); err != nil || string(head) != "HTTP/1.1 200" {
		t.Fatalf("%q, %v", head, err)
	}
	s.interrupt(t)
}

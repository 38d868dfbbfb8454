package conformance

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// awsCLI is the AWS CLI with the settings of one server.
type awsCLI struct {
	path string
	env  []string
	url  string
}

// debianCLI is where Debian's awscli is; a CLI put before it on the PATH by other tools may be another.
const debianCLI = "/usr/bin/aws"

// aws returns the AWS CLI for a server: the one that GATEHOUSE_TEST_AWS names, else Debian's, else the
// one on the PATH.
func (s *server) aws(t testing.TB) *awsCLI {
	t.Helper()
	return newCLI(t, s.settings(t), s.home)
}

func newCLI(t testing.TB, v settings, home string) *awsCLI {
	t.Helper()
	path := os.Getenv("GATEHOUSE_TEST_AWS")
	if _, err := os.Stat(debianCLI); path == "" && err == nil {
		path = debianCLI
	}
	if path == "" {
		path = need(t, "aws")
	}
	var env []string
	for _, kv := range cleanEnv() {
		if !strings.HasPrefix(kv, "HOME=") && !strings.HasPrefix(kv, "LANG=") && !strings.HasPrefix(kv, "LC_") && !strings.HasPrefix(kv, "PYTHON") {
			env = append(env, kv)
		}
	}
	env = append(env, "HOME="+home, "LC_ALL=C.UTF-8", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "AWS_DEFAULT_OUTPUT=json",
		"AWS_CONFIG_FILE="+filepath.Join(home, "none"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(home, "none"),
		"AWS_REGION="+v.Region, "AWS_DEFAULT_REGION="+v.Region, "AWS_ACCESS_KEY_ID="+v.KeyID, "AWS_SECRET_ACCESS_KEY="+v.Secret)
	return &awsCLI{path: path, env: env, url: v.Endpoint}
}

// try runs `aws args…`.
func (c *awsCLI) try(t testing.TB, args ...string) result {
	t.Helper()
	return run(t, c.env, c.path, append([]string{"--endpoint-url", c.url, "--no-cli-pager"}, args...)...)
}

// text runs `aws args…`, which must succeed, and returns what it printed.
func (c *awsCLI) text(t testing.TB, args ...string) string {
	t.Helper()
	r := c.try(t, args...)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("aws %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// json runs `aws args…`, which must succeed, and returns the JSON that it printed; nil for nothing.
func (c *awsCLI) json(t testing.TB, args ...string) map[string]any {
	t.Helper()
	out := c.text(t, args...)
	if strings.TrimSpace(out) == "" {
		return nil
	}
	var m map[string]any
	decode(t, out, &m)
	return m
}

// refused runs `aws args…`, which must fail as the service's error wanted, "Code | message", says. The
// message may be left out, or end in "…" for whatever follows.
func (c *awsCLI) refused(t testing.TB, operation, wanted string, args ...string) {
	t.Helper()
	r := c.try(t, args...)
	code, message, exact := strings.Cut(wanted, " | ")
	want := "An error occurred (" + code + ") when calling the " + operation + " operation: " + message
	got := strings.TrimSpace(r.stderr)
	if start, more := strings.CutSuffix(want, "…"); more {
		want, exact = start, false
	}
	if exact && got == want || !exact && strings.HasPrefix(got, want) {
		if r.code != 254 { // what the CLI exits with for an error of the service
			t.Errorf("aws %s: exit %d, want 254", strings.Join(args, " "), r.code)
		}
		return
	}
	t.Errorf("aws %s: exit %d\n got %s%s\nwant %s", strings.Join(args, " "), r.code, r.stdout, got, want)
}

// names returns a field of every element of a list in an answer of the CLI.
func names(t testing.TB, m map[string]any, list, field string) []string {
	t.Helper()
	out := []string{}
	elements, ok := m[list].([]any)
	if m != nil && !ok {
		t.Fatalf("no list %s in %v", list, m)
	}
	for _, e := range elements {
		name, _ := e.(map[string]any)[field].(string)
		out = append(out, name)
	}
	return out
}

// keys returns the names of an object's members, sorted.
func keys(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return sorted(out)
}

// curl runs curl and returns the answer that it printed.
func curl(t testing.TB, args ...string) (status int, header http.Header, body string) {
	t.Helper()
	r := run(t, cleanEnv(), need(t, "curl"), append([]string{"-sS", "-i", "--http1.1"}, args...)...)
	if r.code != 0 {
		t.Fatalf("curl %s: exit %d\n%s", strings.Join(args, " "), r.code, r.stderr)
	}
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(r.stdout)), nil)
	if err != nil {
		t.Fatalf("curl %s: %v\n%s", strings.Join(args, " "), err, r.stdout)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// node runs a test script of the directory js with Node's own test runner. conf is given to it as JSON.
func node(t *testing.T, script string, conf map[string]any) {
	t.Helper()
	path := need(t, "node")
	if _, err := os.Stat(filepath.Join("js", "node_modules", "amazon-cognito-identity-js")); err != nil {
		missing(t, "the packages of conformance/js are not installed: run `npm ci` there")
	}
	text, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	env := cleanEnv("AWS_EC2_METADATA_DISABLED=true", "NO_COLOR=1", "GATEHOUSE_CONFORMANCE="+string(text))
	r := run(t, env, path, "--test-reporter=spec", filepath.Join("js", script))
	t.Logf("node %s\n%s%s", script, r.stdout, r.stderr)
	if r.code != 0 {
		t.Errorf("node %s: exit %d", script, r.code)
	}
	if !strings.Contains(r.stdout, "ℹ pass ") || strings.Contains(r.stdout, "ℹ pass 0\n") {
		t.Errorf("node %s ran no test", script)
	}
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}

// same compares what a client saw with what it should see.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

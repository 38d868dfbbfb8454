package runtime

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestGo(t *testing.T) {
	m, _ := newManager(t, Options{})
	s := spec("provided.al2023", "bootstrap", goFunction(t))
	s.Timeout = time.Second
	const id = "8f5f0000-0000-4000-8000-000000000044"
	for _, tt := range []struct {
		name, payload string
		fault         bool
		want          string
		log           []string
	}{
		{"echo", `{"do":"echo","x":[1]}`, false, `{"do":"echo","x":[1]}`, nil},
		{"prints", `{"do":"print","n":3}`, false, `"printed"`, []string{"Version: $LATEST\nline 0\nline 1\nline 2\nEND RequestId: " + id}},
		{"error", `{"do":"error"}`, true, `{"errorMessage":"it did not work","errorType":"errorString"}`, nil},
		{"after an error", `{"do":"echo"}`, false, `{"do":"echo"}`, nil},
		{"panic", `{"do":"panic"}`, true, `{"errorMessage":"oh no","errorType":"string","stackTrace":[…`, nil},
		{"after a panic", `{"do":"echo"}`, false, `{"do":"echo"}`, nil},
		{"exit", `{"do":"exit","n":1}`, true, `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + id + ` Error: Runtime exited with error: exit status 1"}`,
			[]string{"RequestId: " + id + " Error: Runtime exited with error: exit status 1\nRuntime.ExitError\nEND RequestId: " + id + "\nREPORT RequestId: " + id + "\tDuration: "}},
		{"timeout", `{"do":"sleep","n":5000}`, true, `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ` + id + ` Error: Task timed out after 1.00 seconds"}`, []string{"\tStatus: timeout"}},
		{"large", fmt.Sprintf(`{"do":"large","n":%d}`, 6<<20), false, `"xxx…`, nil},
		{"too large", fmt.Sprintf(`{"do":"large","n":%d}`, 7<<20), true, `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}`, nil},
		{"large event", `{"do":"echo","x":"` + strings.Repeat("y", 5<<20) + `"}`, false, `{"do":"echo","x":"yyy…`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := m.Invoke(t.Context(), s, &Invocation{RequestID: id, Payload: []byte(tt.payload)})
			if err != nil {
				t.Fatal(err)
			}
			check(t, r, tt.fault, tt.want, tt.log)
		})
	}

	r, err := m.Invoke(t.Context(), s, &Invocation{
		RequestID: id, Payload: []byte(`{"do":"context"}`), InvokedARN: s.ARN + ":live",
		ClientContext: `{"client":{"app_title":"app"}}`, CognitoIdentity: `{"cognitoIdentityId":"us-east-1:abc"}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(r.Payload, &c); err != nil {
		t.Fatal(err)
	}
	if left := c["left"].(float64); left <= 0.5 || left > 1 {
		t.Errorf("%v s left of 1 s", left)
	}
	delete(c, "left")
	b, _ := json.Marshal(c)
	if want := `{"arn":"` + s.ARN + `:live","client":"app","id":"` + id + `","identity":"us-east-1:abc","memory":256,"name":"hello"}`; string(b) != want {
		t.Errorf("context\n got %s\nwant %s", b, want)
	}
}

// TestEntrypoint has packages that cannot be started.
func TestEntrypoint(t *testing.T) {
	const id = "8f5f0000-0000-4000-8000-000000000045"
	for _, tt := range []struct {
		name, runtime, handler string
		files                  map[string]string
		mode                   os.FileMode
		kind, text             string
	}{
		{"none", "provided.al2023", "x", map[string]string{"other": ""}, 0o755, "Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): [/var/task/bootstrap]"},
		{"go1.x", "go1.x", "main", map[string]string{"other": ""}, 0o755, "Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): [/var/task/main /var/task/bootstrap]"},
		{"not executable", "provided.al2", "x", map[string]string{"bootstrap": "#!/bin/sh\n"}, 0o644, "Runtime.InvalidEntrypoint", "fork/exec /var/task/bootstrap: permission denied"},
		{"no program", "provided.al2", "x", map[string]string{"bootstrap": "\x01\x02"}, 0o755, "Runtime.InvalidEntrypoint", "fork/exec /var/task/bootstrap: exec format error"},
		{"ends at once", "provided.al2", "x", map[string]string{"bootstrap": "#!/bin/sh\necho hi\nexit 7\n"}, 0o755, "Runtime.ExitError", "Runtime exited with error: exit status 7"},
		{"ends well", "provided.al2", "x", map[string]string{"bootstrap": "#!/bin/sh\nexit 0\n"}, 0o755, "Runtime.ExitError", "Runtime exited without providing a reason"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := newManager(t, Options{})
			dir := code(t, tt.files)
			if _, err := os.Stat(dir + "/bootstrap"); err == nil {
				os.Chmod(dir+"/bootstrap", tt.mode)
			}
			r, err := m.Invoke(t.Context(), spec(tt.runtime, tt.handler, dir), &Invocation{RequestID: id})
			if err != nil {
				t.Fatal(err)
			}
			check(t, r, true, fmt.Sprintf(`{"errorType":%q,"errorMessage":"RequestId: %s Error: %s"}`, tt.kind, id, tt.text), []string{"INIT_REPORT ", "START RequestId: " + id, "Error Type: " + tt.kind})
		})
	}
}

// TestCustomRuntime is the runtime of Lambda's own tutorial: a shell script with curl, which makes
// a connection for each request.
func TestCustomRuntime(t *testing.T) {
	need(t, "curl")
	m, _ := newManager(t, Options{})
	dir := code(t, map[string]string{"bootstrap": `#!/bin/sh
API="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while true; do
  HEADERS="$(mktemp)"
  EVENT="$(curl -sS -LD "$HEADERS" "$API/invocation/next")"
  ID="$(grep -Fi Lambda-Runtime-Aws-Request-Id "$HEADERS" | tr -d '[:space:]' | cut -d: -f2)"
  case "$EVENT" in
  *fail*) curl -sS -o /dev/null "$API/invocation/$ID/error" -d '{"errorType":"Own.Type","errorMessage":"failed"}' ;;
  *stream*) curl -sS -o /dev/null -H 'Lambda-Runtime-Function-Response-Mode: streaming' "$API/invocation/$ID/response" -d x ;;
  *wrong*) curl -sS "$API/invocation/other/response" -d x; echo; curl -sS "$API/../../2020-01-01/extension/register" -d x; echo; curl -sS -o /dev/null "$API/invocation/$ID/response" -d '"done"' ;;
  *) curl -sS -o /dev/null "$API/invocation/$ID/response" -d "$EVENT" ;;
  esac
done
`})
	s := spec("provided.al2", "x", dir)
	for _, tt := range []struct {
		payload string
		fault   bool
		want    string
		log     []string
	}{
		{`{"a":1}`, false, `{"a":1}`, nil},
		{`{"a":"fail"}`, true, `{"errorType":"Own.Type","errorMessage":"failed"}`, nil},
		{`{"a":2}`, false, `{"a":2}`, nil},
		{`{"a":"stream"}`, true, `{"errorType":"Runtime.StreamingNotSupported",…`, nil},
		{`{"a":"wrong"}`, false, `"done"`, []string{`{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}`, "does not support Lambda extensions"}},
	} {
		check(t, invoke(t, m, s, tt.payload), tt.fault, tt.want, tt.log)
	}
}

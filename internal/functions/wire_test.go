package functions

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

type anybody struct{}

func (anybody) Authenticate(context.Context, *http.Request, func() (string, error), string) (wire.Identity, error) {
	return wire.Identity{Principal: "arn:aws:iam::" + account + ":root", Account: account, Region: "us-east-1"}, nil
}

// TestWire talks to the service as clients do.
func TestWire(t *testing.T) {
	need(t, "node")
	e, _ := newTest(t, storetest.Open(t, "memory:"), t.TempDir())
	server := httptest.NewServer(wire.NewServer(wire.Options{Auth: anybody{}, Account: account, Services: []wire.Service{{Model: &lambda.Model, Handler: e.Service, MaxBody: MaxBody}}}))
	defer server.Close()
	call := func(method, path, body string, header ...string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261121/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(b)
	}
	create, _ := json.Marshal(map[string]any{"FunctionName": "f", "Role": testRole, "Runtime": "nodejs22.x", "Handler": "index.handler",
		"Code": map[string]any{"ZipFile": base64.StdEncoding.EncodeToString(nodeZip(t, nodeEcho))}})
	for _, tt := range []struct {
		what, method, path, body string
		header                   []string
		status                   int
		want                     string            // in the body
		headers                  map[string]string // of the answer
	}{
		{"create", "POST", "/2015-03-31/functions", string(create), nil, 201, `"State":"Active"`, nil},
		{"create again", "POST", "/2015-03-31/functions", string(create), nil, 409, `Function already exist: f`, map[string]string{"X-Amzn-Errortype": "ResourceConflictException"}},
		{"create nothing", "POST", "/2015-03-31/functions", `{"FunctionName":"g"}`, nil, 400, `validation error`, map[string]string{"X-Amzn-Errortype": "ValidationException"}},
		{"invoke", "POST", "/2015-03-31/functions/f/invocations", `{"a":1}`, []string{"X-Amz-Log-Type", "Tail"}, 200, `"event":{"a":1}`, map[string]string{"X-Amz-Executed-Version": "$LATEST"}},
		{"invoke by ARN", "POST", "/2015-03-31/functions/" + strings.ReplaceAll(arnOf("f"), ":", "%3A") + "/invocations?Qualifier=%24LATEST", `{}`, nil, 200, `"arn":"` + arnOf("f:$LATEST"), nil},
		{"a failure", "POST", "/2015-03-31/functions/f/invocations", `{"fail":1}`, nil, 200, `"errorType":"Error"`, map[string]string{"X-Amz-Function-Error": "Unhandled"}},
		{"an event", "POST", "/2015-03-31/functions/f/invocations", `{}`, []string{"X-Amz-Invocation-Type", "Event"}, 202, "", nil},
		{"a dry run", "POST", "/2015-03-31/functions/f/invocations", `{}`, []string{"X-Amz-Invocation-Type", "DryRun"}, 204, "", nil},
		{"unknown", "POST", "/2015-03-31/functions/none/invocations", `{}`, nil, 404, `"Type":"User"`, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}},
		{"too large", "POST", "/2015-03-31/functions/f/invocations", strings.Repeat(" ", maxPayload+1), nil, 413, `Request must be smaller than 6291456 bytes for the InvokeFunction operation`, nil},
		{"permission", "POST", "/2015-03-31/functions/f/policy", `{"StatementId":"s","Action":"lambda:InvokeFunction","Principal":"apigateway.amazonaws.com"}`, nil, 201, `{\"Sid\":\"s\"`, nil},
		{"policy", "GET", "/2015-03-31/functions/f/policy", ``, nil, 200, `{\"Version\":\"2012-10-17\",\"Id\":\"default\",\"Statement\":[{\"Sid\":\"s\",`, nil},
		{"list", "GET", "/2015-03-31/functions?MaxItems=10", ``, nil, 200, `"FunctionName":"f"`, nil},
		{"concurrency", "PUT", "/2017-10-31/functions/f/concurrency", `{"ReservedConcurrentExecutions":0}`, nil, 200, `{"ReservedConcurrentExecutions":0}`, nil},
		{"throttled", "POST", "/2015-03-31/functions/f/invocations", `{}`, nil, 429, `"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded"`, map[string]string{"X-Amzn-Errortype": "TooManyRequestsException"}},
		{"tags", "GET", "/2017-03-31/tags/" + strings.ReplaceAll(arnOf("f"), ":", "%3A"), ``, nil, 200, `{"Tags":{}}`, nil},
		{"not built", "GET", "/2015-03-31/event-source-mappings/", ``, nil, 501, `ListEventSourceMappings`, nil},
		{"delete", "DELETE", "/2015-03-31/functions/f", ``, nil, 204, "", nil},
	} {
		resp, body := call(tt.method, tt.path, tt.body, tt.header...)
		if resp.StatusCode != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %.300s, want %d …%s…", tt.what, resp.StatusCode, body, tt.status, tt.want)
		}
		for k, v := range tt.headers {
			if got := resp.Header.Get(k); got != v {
				t.Errorf("%s: %s is %q, want %q", tt.what, k, got, v)
			}
		}
	}
}

package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
)

// Rows marked AWS were observed on AWS by its own .NET test tool.
func TestFunctionAnswers(t *testing.T) {
	f := start(t)
	f.function("GET /2", "2.0", nil)
	f.function("GET /1", "1.0", nil)
	const json, plain = "application/json", "text/plain; charset=utf-8"
	for _, test := range []struct {
		path, payload string
		status        int
		contentType   string
		body          string
	}{
		{"/2", `{"statusCode":200,"body":"Hello user!"}`, 200, plain, "Hello user!"},
		{"/2", `"Hello from Lambda!"`, 200, json, "Hello from Lambda!"}, // AWS
		{"/2", `{"message":"Hello"}`, 200, json, `{"message":"Hello"}`},
		{"/2", `{"name": "John Doe", "age":`, 200, json, `{"name": "John Doe", "age":`}, // AWS
		{"/2", `[1, 2]`, 200, json, `[1, 2]`},                                           // AWS
		{"/2", `42`, 200, json, `42`},                                                   // AWS
		{"/2", `""`, 200, json, ``},                                                     // AWS
		{"/2", `"Special \"quoted\" text"`, 200, json, `Special "quoted" text`},         // AWS
		{"/2", `null`, 200, json, `null`},
		{"/2", `{"StatusCode":404,"body":"x"}`, 200, json, `{"StatusCode":404,"body":"x"}`},
		{"/2", `{"statusCode":200.5,"body":"x"}`, 500, json, internal}, // AWS
		{"/2", `{"statusCode":"201","body":"x"}`, 201, plain, "x"},
		{"/2", `{"statusCode":0}`, 500, json, internal},
		{"/2", `{"statusCode":101}`, 500, json, internal},
		{"/2", `{"statusCode":null,"body":"x"}`, 500, json, internal},
		{"/2", `{"statusCode":200,"body":{"a":1}}`, 500, json, internal},
		{"/2", `{"statusCode":200,"body":"aGk=","isBase64Encoded":true,"headers":{"content-type":"image/png"}}`, 200, "image/png", "hi"},
		{"/2", `{"statusCode":200,"body":"%%%","isBase64Encoded":true}`, 500, json, internal},
		{"/2", `{"statusCode":200,"headers":["a"]}`, 500, json, internal},
		{"/2", `{"statusCode":200,"headers":{"a":{}}}`, 500, json, internal},
		{"/2", `{"statusCode":204}`, 204, "", ""},
		{"/2", ` { "statusCode" : 302 , "headers" : { "Location" : "/x\u0041" } , "extra" : [ { "}" : "]" } ] } `, 302, plain, ""},
		{"/1", `{"statusCode":200,"body":"\"Hello from Lambda!\""}`, 200, plain, `"Hello from Lambda!"`},
		{"/1", `{"statusCode":200,"body":"x","headers":{"Content-Type":"application/json"}}`, 200, json, "x"},
		{"/1", `{"body":"x"}`, 500, json, internal}, // AWS
		{"/1", `"x"`, 500, json, internal},          // AWS
		{"/1", `not json`, 500, json, internal},     // AWS
	} {
		f.invoke = func(context.Context, []byte) ([]byte, string, error) { return []byte(test.payload), "", nil }
		w, tr := f.get(test.path)
		if w.Code != test.status || w.Body.String() != test.body || w.Header().Get("Content-Type") != test.contentType {
			t.Errorf("%s %s: %d %q %q", test.path, test.payload, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if (failed(tr).Name == "integration") != (test.status == 500) {
			t.Errorf("%s: trace %+v", test.payload, tr.Steps)
		}
	}
}

func TestFunctionAnswerHeaders(t *testing.T) {
	f := start(t)
	f.function("GET /2", "2.0", nil)
	f.function("GET /1", "1.0", nil)
	for path, wants := range map[string]http.Header{
		"/2": {"X-A": {"1"}, "X-N": {"5"}, "X-B": {"true"}, "Www-Authenticate": {"Basic"}, "Set-Cookie": {"a=1", "b=2"},
			"Content-Type": {"text/plain; charset=utf-8"}, "Content-Length": {"0"}, "Access-Control-Allow-Origin": {"x"}},
		"/1": {"X-A": {"1"}, "X-N": {"5"}, "X-B": {"true"}, "Www-Authenticate": {"Basic"}, "X-M": {"1", "2"},
			"Content-Type": {"text/plain; charset=utf-8"}, "Content-Length": {"0"}, "Access-Control-Allow-Origin": {"x"}},
	} {
		f.invoke = func(context.Context, []byte) ([]byte, string, error) {
			return []byte(`{"statusCode":200,"headers":{"x-a":"1","x-n":5,"x-b":true,"WWW-Authenticate":"Basic","content-length":"99","Connection":"close",
				"transfer-encoding":"chunked","apigw-requestid":"mine","access-control-allow-origin":"x"},"cookies":["a=1","b=2"],"multiValueHeaders":{"x-m":["1","2"]}}`), "", nil
		}
		w, _ := f.get(path)
		got := w.Header().Clone()
		if len(got["Apigw-Requestid"]) != 1 || got.Get("Apigw-Requestid") == "mine" {
			t.Errorf("request id %v", got["Apigw-Requestid"])
		}
		delete(got, "Apigw-Requestid")
		if diff := cmp.Diff(wants, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

func TestFunctionFailures(t *testing.T) {
	f := start(t)
	f.function("GET /", "2.0", nil)
	for _, test := range []struct {
		name   string
		invoke func(context.Context, []byte) ([]byte, string, error)
		status int
		body   string
		trace  string // in the failed step
	}{
		{"throws", func(context.Context, []byte) ([]byte, string, error) {
			return []byte(`{"errorType":"TypeError","errorMessage":"x is undefined","trace":[]}`), "Unhandled", nil
		}, 500, internal, "Unhandled: TypeError: x is undefined"},
		{"too slow", func(ctx context.Context, _ []byte) ([]byte, string, error) {
			<-ctx.Done()
			return nil, "", ctx.Err()
		}, 503, unavailable, "an answer within 50ms"},
		{"throttled", func(context.Context, []byte) ([]byte, string, error) {
			return nil, "", lambda.TooManyRequestsException("Rate Exceeded.")
		}, 503, unavailable, "throttled"},
		{"gone", func(context.Context, []byte) ([]byte, string, error) {
			return nil, "", lambda.ResourceNotFoundException("Function not found: hello")
		}, 500, internal, "Function not found"},
		{"broken", func(context.Context, []byte) ([]byte, string, error) { return nil, "", errors.New("disk full") }, 500, internal, "disk full"},
		{"large", func(context.Context, []byte) ([]byte, string, error) {
			return []byte(`{"statusCode":200,"body":"` + strings.Repeat("a", maxPayload) + `"}`), "", nil
		}, 500, internal, "larger than 6 MB"},
	} {
		f.invoke = test.invoke
		w, tr := f.get("/")
		want(t, w, test.status, test.body)
		if s := failed(tr); s.Name != "integration" || !strings.Contains(s.Detail+s.Got+s.Want, test.trace) {
			t.Errorf("%s: step %+v", test.name, s)
		}
	}
}

func TestPermission(t *testing.T) {
	f := start(t)
	f.function("GET /pets/{id}", "2.0", nil)
	f.function("ANY /any", "2.0", nil)
	f.function("$default", "2.0", nil)
	f.stage("prod", nil)
	for path, source := range map[string]string{
		"/pets/1": "/$default/GET/pets/{id}", "/prod/pets/1": "/prod/GET/pets/{id}", "/any": "/$default/GET/any", "/other": "/$default/$default",
	} {
		var asked string
		f.permits = func(source string) bool { asked = source; return false }
		w, tr := f.get(path)
		want(t, w, 500, internal)
		if s := failed(tr); s.Name != "permission" || !strings.Contains(s.Got, source) || !strings.Contains(s.Detail, "no statement") {
			t.Errorf("%s: step %+v", path, s)
		}
		if asked != "arn:aws:execute-api:us-east-1:123456789012:"+f.api+source {
			t.Errorf("%s: source ARN %s", path, asked)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"statusCode":200,"headers":{"a":"b"},"multiValueHeaders":{"a":["b"]},"cookies":["a"],"body":"\ud800","isBase64Encoded":false}`))
	f.Add([]byte(`{"a":[{"statusCode":1}],"b":"}\"{"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var two, one answer
		if err := two.parse2(payload); err == nil && (two.status < 200 || two.status > 599) {
			t.Fatalf("status %d", two.status)
		}
		if err := one.parse1(payload); err == nil && (one.status < 200 || one.status > 599) {
			t.Fatalf("status %d", one.status)
		}
	})
}

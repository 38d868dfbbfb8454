package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// backendEcho answers with what it got, and with the headers given.
func (f *fixture) echo(header http.Header, status int, body string) {
	f.g.transport = transport(func(r *http.Request) (*http.Response, error) {
		var b []byte
		if r.Body != nil {
			b, _ = io.ReadAll(r.Body)
		}
		h := header.Clone()
		if h == nil {
			h = http.Header{}
		}
		h.Set("Got", fmt.Sprintf("%s %s host=%s a=%q b=%q body=%s", r.Method, r.URL, r.Host, r.Header["A"], r.Header["B"], b))
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}, nil
	})
}

func TestRequestMapping(t *testing.T) {
	f := start(t)
	f.stage("prod", func(in *v2.CreateStageRequest) { in.StageVariables = map[string]string{"color": "blue"} })
	f.echo(nil, 200, "")
	for i, test := range []struct {
		mapping map[string]string
		headers []string
		path    string // below the route's variable
		body    string
		want    string
	}{
		{map[string]string{"append:header.a": "static"}, []string{"A: own"}, "x", "", `GET http://b/r/x host=b a=["own" "static"] b=[] body=`},
		{map[string]string{"overwrite:header.A": "$request.header.b"}, []string{"A: own", "B: 1", "B: 2"}, "x", "", `GET http://b/r/x host=b a=["1,2"] b=["1" "2"] body=`},
		{map[string]string{"overwrite:header.A": "$request.header.missing"}, []string{"A: own"}, "x", "", `GET http://b/r/x host=b a=["own"] b=[] body=`},
		{map[string]string{"remove:header.a": "''"}, []string{"A: own"}, "x", "", `GET http://b/r/x host=b a=[] b=[] body=`},
		{map[string]string{"overwrite:header.a": "${request.path.p}-${stageVariables.color}-${context.httpMethod}"}, nil, "x", "", `GET http://b/r/x host=b a=["x-blue-GET"] b=[] body=`},
		{map[string]string{"overwrite:header.a": "$request.path"}, nil, "x", "", `GET http://b/r/x host=b a=["/r0/x"] b=[] body=`},
		{map[string]string{"append:querystring.q": "$request.querystring.q", "overwrite:querystring.r": "a b&c", "remove:querystring.s": "''"}, nil, "x?q=1&s=2&q=3", "", `GET http://b/r/x?q=1&q=3&q=1%2C3&r=a+b%26c host=b a=[] b=[] body=`},
		{map[string]string{"overwrite:path": "/other/${request.path.p}?"}, nil, "x%20y?q=1", "", `GET http://b/other/x%20y%3F?q=1 host=b a=[] b=[] body=`},
		{map[string]string{"overwrite:header.a": "$request.body.user.names[1]", "overwrite:header.b": "$request.body.user"}, nil, "x", `{"user":{"names":["ann","bob"]}}`,
			`POST http://b/r/x host=b a=["bob"] b=["{\"names\":[\"ann\",\"bob\"]}"] body={"user":{"names":["ann","bob"]}}`},
		{map[string]string{"overwrite:header.a": "$request.body.x"}, nil, "x", `no json`, `POST http://b/r/x host=b a=[] b=[] body=no json`},
		{map[string]string{"overwrite:header.a": "$request.body.x"}, nil, "x", `{"x":"1\r\nEvil: 2"}`, `POST http://b/r/x host=b a=["1  Evil: 2"] b=[] body={"x":"1\r\nEvil: 2"}`},
		{map[string]string{"overwrite:header.host": "other.example"}, nil, "x", "", `GET http://b/r/x host=other.example a=[] b=[] body=`},
		{map[string]string{"overwrite:header.host": "$request.header.a"}, []string{"A: evil example"}, "x", "", `GET http://b/r/x host=b a=["evil example"] b=[] body=`},
	} {
		route := fmt.Sprintf("/r%d/", i)
		f.backend("ANY "+route+"{p+}", "http://b/r/{p}", func(in *v2.CreateIntegrationRequest) { in.RequestParameters = test.mapping })
		method := "GET"
		if test.body != "" {
			method = "POST"
		}
		w, tr := f.do(f.request(method, "/prod"+route+test.path, test.body, test.headers...))
		want := strings.Replace(test.want, "/r0/", route, 1)
		if got := w.Header().Get("Got"); w.Code != 200 || got != want {
			t.Errorf("%v: %d\n got %s\nwant %s\n%+v", test.mapping, w.Code, got, want, tr.Steps)
		}
	}
	// A path that a client chose stays below what the mapping names.
	f.backend("GET /up/{p+}", "http://b/", func(in *v2.CreateIntegrationRequest) {
		in.RequestParameters = map[string]string{"overwrite:path": "/safe/${request.path.p}"}
	})
	w, _ := f.get("/prod/up/..%2fsecret")
	want(t, w, 400, `{"message":"Bad Request"}`)

	// A function sees the mapped request; the answer and the log are of the one that was sent.
	i, err := f.apis.CreateIntegration(f.ctx, &v2.CreateIntegrationRequest{ApiId: f.api, IntegrationType: "AWS_PROXY", IntegrationUri: shape.Ptr(testFunction), PayloadFormatVersion: shape.Ptr("2.0"),
		RequestParameters: map[string]string{"overwrite:header.a": "$context.requestId", "append:querystring.q": "1", "overwrite:path": "/mapped"}})
	f.check(err)
	f.route("GET /f", *i.IntegrationId, nil)
	w, _ = f.get("/prod/f?x=1")
	var event struct {
		RawPath, RawQueryString string
		Headers                 map[string]string
	}
	f.check(json.Unmarshal(f.event, &event))
	if event.RawPath != "/mapped" || event.RawQueryString != "x=1&q=1" || event.Headers["a"] != w.Header().Get("Apigw-Requestid") {
		t.Errorf("event %+v", event)
	}

	// An update takes single mappings away.
	_, err = f.apis.UpdateIntegration(f.ctx, &v2.UpdateIntegrationRequest{ApiId: f.api, IntegrationId: *i.IntegrationId, RequestParameters: map[string]string{"overwrite:path": ""}})
	f.check(err)
	got, err := f.apis.GetIntegration(f.ctx, &v2.GetIntegrationRequest{ApiId: f.api, IntegrationId: *i.IntegrationId})
	if err != nil || len(got.RequestParameters) != 2 {
		t.Errorf("mappings %v, %v", got.RequestParameters, err)
	}
}

func TestResponseMapping(t *testing.T) {
	f := start(t)
	mapping := map[string]map[string]string{
		"200": {"append:header.a": "$response.header.b", "overwrite:header.c": "$response.body.id", "remove:header.d": "''", "overwrite:header.e": "${context.requestId}!"},
		"404": {"overwrite:statuscode": "403", "overwrite:header.c": "$response.body"},
		"500": {"overwrite:statuscode": "204"},
		"502": {"overwrite:statuscode": "$response.header.b"},
	}
	f.backend("GET /b", "http://b/", func(in *v2.CreateIntegrationRequest) { in.ResponseParameters = mapping })
	i, err := f.apis.CreateIntegration(f.ctx, &v2.CreateIntegrationRequest{ApiId: f.api, IntegrationType: "AWS_PROXY", IntegrationUri: shape.Ptr(testFunction), PayloadFormatVersion: shape.Ptr("2.0"), ResponseParameters: mapping})
	f.check(err)
	f.route("GET /f", *i.IntegrationId, nil)
	for _, path := range []string{"/b", "/f"} {
		for _, test := range []struct {
			status int
			header map[string]string
			body   string
			want   int
			check  map[string][]string
		}{
			{200, map[string]string{"A": "1", "B": "2", "D": "3"}, `{"id":7}`, 200, map[string][]string{"A": {"1", "2"}, "B": {"2"}, "C": {"7"}, "D": nil}},
			{200, map[string]string{"D": "3"}, `none`, 200, map[string][]string{"A": nil, "C": nil, "D": nil}},
			{201, map[string]string{"D": "3"}, `{"id":7}`, 201, map[string][]string{"C": nil, "D": {"3"}}},
			{404, nil, "not here", 403, map[string][]string{"C": {"not here"}}},
			{500, nil, "broken", 204, nil},
			{502, map[string]string{"B": "418"}, "x", 418, nil},
			{502, map[string]string{"B": "many"}, "x", 502, nil},
		} {
			h := http.Header{}
			for k, v := range test.header {
				h.Set(k, v)
			}
			f.echo(h, test.status, test.body)
			f.invoke = func(context.Context, []byte) ([]byte, string, error) {
				b, _ := json.Marshal(map[string]any{"statusCode": test.status, "headers": test.header, "body": test.body})
				return b, "", nil
			}
			w, _ := f.get(path)
			body := test.body
			if test.want == 204 {
				body = ""
			}
			if w.Code != test.want || w.Body.String() != body {
				t.Errorf("%s, %d: %d %q, want %d", path, test.status, w.Code, w.Body, test.want)
			}
			for name, v := range test.check {
				if strings.Join(w.Header()[name], "|") != strings.Join(v, "|") {
					t.Errorf("%s, %d: header %s is %q, want %q", path, test.status, name, w.Header()[name], v)
				}
			}
			if test.status == 200 && w.Header().Get("E") != w.Header().Get("Apigw-Requestid")+"!" {
				t.Errorf("headers %v", w.Header())
			}
		}
	}
}

package gateway

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// aws makes a method with a Lambda integration and a request template.
func (f *restFixture) aws(key, template string, more func(*v1.PutIntegrationRequest), responses ...*v1.PutIntegrationResponseRequest) {
	f.t.Helper()
	if len(responses) == 0 {
		responses = []*v1.PutIntegrationResponseRequest{{StatusCode: "200"}}
	}
	f.method(key, nil, func(in *v1.PutIntegrationRequest) {
		in.Type = "AWS"
		if template != "" {
			in.RequestTemplates = map[string]string{"application/json": template}
		}
		if more != nil {
			more(in)
		}
	}, responses...)
}

// TestRESTTemplates runs request templates, those of AWS's reference of mapping templates among them, and looks at
// what the function gets.
func TestRESTTemplates(t *testing.T) {
	f := memoryREST(t)
	f.invoke = func(_ context.Context, event []byte) ([]byte, string, error) { return []byte(`{}`), "", nil }
	params := `#set($allParams = $input.params())
{
  "params" : {
    #foreach($type in $allParams.keySet())
    #set($params = $allParams.get($type))
    "$type" : {
      #foreach($paramName in $params.keySet())
      "$paramName" : "$util.escapeJavaScript($params.get($paramName))"
      #if($foreach.hasNext),#end
      #end
    }
    #if($foreach.hasNext),#end
    #end
  }
}`
	tests := []struct{ name, template, target, body, want string }{
		{"name and body", `{"name" : "$input.params('name')", "body" : $input.json('$')}`, "?name=Ann", `{"a":1}`, `{"name":"Ann","body":{"a":1}}`},
		{"no body", `{"body" : $input.json('$'), "raw" : $input.body, "none": $input.json('$.none'), "path": "$input.path('$.none')", "p": "$input.params('none')"}`, "", "", `{"body":{},"raw":{},"none":"","path":"","p":""}`},
		{"things", `{"id" : "$input.params('id')", "count" : "$input.path('$.things').size()", "things" : $input.json('$.things')}`, "", `{"things":{"1":{},"2":{},"3":{}}}`, `{"id":"7","count":"3","things":{"1":{},"2":{},"3":{}}}`},
		{"parseJson", "#set ($errorMessageObj = $util.parseJson($input.path('$.errorMessage')))\n{\"errorMessageObjKey2ArrVal\" : $errorMessageObj.key2.arr[0]}", "", `{"errorMessage":"{\"key1\":\"var1\",\"key2\":{\"arr\":[1,2,3]}}"}`, `{"errorMessageObjKey2ArrVal":1}`},
		{"util", `["$util.urlEncode('a b&é~*')", "$util.urlDecode('a+b%26')", "$util.base64Encode('hi')", "$util.base64Decode('aGk=')", "$util.escapeJavaScript('a""b')"]`, "", "", `["a+b%26%C3%A9%7E*","a b&","aGk=","hi","a\"\"b"]`},
		{"quotes", `{"q": "$util.escapeJavaScript($input.path('$.q')).replaceAll("\\'","'")"}`, "", `{"q":"it's \"é\"/"}`, `{"q":"it's \"é\"/"}`},
		{"context", `{"stage" : "$context.stage", "api_id" : "$context.apiId", "resource_path" : "$context.resourcePath", "http_method" : "$context.httpMethod", "source_ip" : "$context.identity.sourceIp", "user" : "$context.identity.user", "ua": "$context.identity.userAgent", "sub": "$context.authorizer.claims.sub", "path": "$context.path", "e": $context.requestTimeEpoch, "v": "$stageVariables.color ${stageVariables.color} $stageVariables['color'] $stageVariables.none"}`,
			"", "", `{"stage":"prod","api_id":"API","resource_path":"/t/{id}","http_method":"POST","source_ip":"203.0.113.7","user":"","ua":"","sub":"","path":"/prod/t/7","e":1795262400000,"v":"red red red "}`},
		{"params", params, "?a=1&b=2", "", `{"params":{"path":{"id":"7"},"querystring":{"a":"1","b":"2"},"header":{"Content-Type":"application/json","Host":"127.0.0.1:4566","X-Amzn-Trace-Id":"Root=1","X-Forwarded-For":"203.0.113.7","X-Forwarded-Port":"4566","X-Forwarded-Proto":"http"}}}`},
		{"java", `{"m": "$input.path('$')", "l": "$input.path('$.l')"}`, "", `{"a":{"b":"c"},"l":[1,2]}`, `{"m":"{a={b=c}, l=[1,2]}","l":"[1,2]"}`},
	}
	tests[6].want = strings.Replace(tests[6].want, "API", f.api, 1)
	for _, tt := range tests {
		f.aws("POST /"+strings.ReplaceAll(tt.name, " ", "")+"/{id}", tt.template, nil)
	}
	f.aws("POST /t/{id}", tests[6].template, nil)
	f.aws("POST /bad/{id}", "#if(", nil)
	f.aws("POST /loop/{id}", "#macro(m)#m()#end#m()", nil)
	f.aws("POST /text/{id}", "not JSON", nil)
	f.deploy()
	f.patchStage("replace /variables/color red")
	for _, tt := range tests {
		f.event = nil
		path := "/prod/" + strings.ReplaceAll(tt.name, " ", "") + "/7"
		if tt.name == "context" {
			path = "/prod/t/7"
		}
		w, tr := f.call("POST", path+tt.target, tt.body, "Content-Type: application/json", "X-Amzn-Trace-Id: Root=1")
		var got, wanted any
		if json.Unmarshal(f.event, &got) != nil || w.Code != 200 {
			t.Errorf("%s: %d %s: %s, %+v", tt.name, w.Code, w.Body, f.event, tr.Steps)
			continue
		}
		f.check(json.Unmarshal([]byte(tt.want), &wanted))
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(wanted)
		if string(a) != string(b) {
			t.Errorf("%s\n got %s\nwant %s", tt.name, a, b)
		}
	}
	for path, status := range map[string]int{"bad": 500, "loop": 500, "text": 500} {
		w, _ := f.call("POST", "/prod/"+path+"/7", "{}")
		refused(t, w, status, serverType, serverError)
	}
	w, _ := f.call("POST", "/prod/nameandbody/7", "{")
	if w.Code != 400 || !strings.HasPrefix(w.Body.String(), `{"message": "Could not parse request body into json: `) {
		t.Error(w.Code, w.Body)
	}
}

func TestRESTIntegrationResponses(t *testing.T) {
	f := memoryREST(t)
	f.aws("POST /x", "", nil,
		&v1.PutIntegrationResponseRequest{StatusCode: "200", ResponseParameters: map[string]string{"method.response.header.X-Name": "integration.response.body.name", "method.response.header.X-Id": "context.apiId"}},
		&v1.PutIntegrationResponseRequest{StatusCode: "404", SelectionPattern: shape.Ptr(`.*not found.*`), ResponseTemplates: map[string]string{"application/json": `{"message":"$input.path('$.errorMessage')"}`}},
		&v1.PutIntegrationResponseRequest{StatusCode: "400", SelectionPattern: shape.Ptr(`.*statusCode.*`), ResponseTemplates: map[string]string{
			"application/json": "#set($inputRoot = $input.path('$'))\n$input.json('$')\n#if($inputRoot.toString().contains('teapot'))\n#set($context.responseOverride.status = 418)\n#set($context.responseOverride.header.X-Tea = 'green')\n#end\n"}})
	f.aws("POST /strict", "", nil, &v1.PutIntegrationResponseRequest{StatusCode: "404", SelectionPattern: shape.Ptr("none")})
	f.aws("POST /twice", "", nil, &v1.PutIntegrationResponseRequest{StatusCode: "200", ResponseTemplates: map[string]string{"application/json": "#set($context.responseOverride.status = 201)#set($context.responseOverride.status = 202)"}})
	f.deploy()
	fails := func(message string) func(context.Context, []byte) ([]byte, string, error) {
		return func(context.Context, []byte) ([]byte, string, error) {
			b, _ := json.Marshal(map[string]string{"errorMessage": message})
			return b, "Unhandled", nil
		}
	}
	f.invoke = func(context.Context, []byte) ([]byte, string, error) { return []byte(`{"name":"Ann"}`), "", nil }
	w, _ := f.call("POST", "/prod/x", "{}")
	want(t, w, 200, `{"name":"Ann"}`)
	if w.Header().Get("X-Name") != "Ann" || w.Header().Get("X-Id") != f.api {
		t.Error(w.Header())
	}
	w, _ = f.call("POST", "/prod/strict", "{}")
	refused(t, w, 500, serverType, serverError)
	w, _ = f.call("POST", "/prod/twice", "{}")
	refused(t, w, 500, serverType, serverError)
	f.invoke = fails("pet not found here")
	w, _ = f.call("POST", "/prod/x", "{}")
	want(t, w, 404, `{"message":"pet not found here"}`)
	f.invoke = fails("statusCode: teapot")
	w, _ = f.call("POST", "/prod/x", "{}")
	want(t, w, 418, "{\"errorMessage\":\"statusCode: teapot\"}\n")
	if w.Header().Get("X-Tea") != "green" {
		t.Error(w.Header())
	}
	f.invoke = fails("something else")
	w, _ = f.call("POST", "/prod/x", "{}")
	want(t, w, 200, `{"errorMessage":"something else"}`)
	f.invoke = func(context.Context, []byte) ([]byte, string, error) { return nil, "", context.DeadlineExceeded }
	w, _ = f.call("POST", "/prod/x", "{}")
	refused(t, w, 504, serverType, `{"message": "Endpoint request timed out"}`)
}

func TestRESTPassthrough(t *testing.T) {
	f := memoryREST(t)
	for _, behaviour := range []string{"WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"} {
		f.aws("POST /some/"+behaviour, `{"mapped":true}`, func(in *v1.PutIntegrationRequest) { in.PassthroughBehavior = &behaviour })
		f.aws("POST /none/"+behaviour, "", func(in *v1.PutIntegrationRequest) { in.PassthroughBehavior = &behaviour })
	}
	f.deploy()
	for _, tt := range []struct{ path, contentType, event string }{
		{"some/WHEN_NO_MATCH", "application/json", `{"mapped":true}`}, {"some/WHEN_NO_MATCH", "", `{"mapped":true}`}, {"some/WHEN_NO_MATCH", "application/json; charset=utf-8", `{"mapped":true}`},
		{"some/WHEN_NO_MATCH", "text/plain", `{"a":1}`}, {"some/WHEN_NO_TEMPLATES", "text/plain", ""}, {"some/NEVER", "text/plain", ""},
		{"none/WHEN_NO_MATCH", "text/plain", `{"a":1}`}, {"none/WHEN_NO_TEMPLATES", "text/plain", `{"a":1}`}, {"none/NEVER", "text/plain", ""},
	} {
		f.event = nil
		w, _ := f.call("POST", "/prod/"+tt.path, `{"a":1}`, "Content-Type: "+tt.contentType)
		if string(f.event) != tt.event || tt.event == "" != (w.Code == 415) {
			t.Errorf("%+v: %d %s", tt, w.Code, f.event)
		}
		if tt.event == "" && w.Body.String() != `{"message": "Unsupported Media Type"}` {
			t.Error(w.Body)
		}
	}
}

// TestRESTValidation is by the example of AWS's guide to request validation.
func TestRESTValidation(t *testing.T) {
	f := memoryREST(t)
	_, err := f.rest.CreateModel(f.ctx, &v1.CreateModelRequest{RestApiId: f.api, Name: "CalcInput", ContentType: "application/json",
		Schema: shape.Ptr(`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"},"op":{"type":"string"}},"required":["a","b"]}`)})
	f.check(err)
	v, err := f.rest.CreateRequestValidator(f.ctx, &v1.CreateRequestValidatorRequest{RestApiId: f.api, Name: shape.Ptr("all"), ValidateRequestBody: shape.Ptr(true), ValidateRequestParameters: shape.Ptr(true)})
	f.check(err)
	f.method("POST /v/{id}", func(in *v1.PutMethodRequest) {
		in.RequestValidatorId, in.RequestModels = v.Id, map[string]string{"application/json": "CalcInput"}
		in.RequestParameters = map[string]bool{"method.request.querystring.page": true, "method.request.header.h1": true, "method.request.querystring.other": false}
	}, nil)
	_, err = f.rest.PutGatewayResponse(f.ctx, &v1.PutGatewayResponseRequest{RestApiId: f.api, ResponseType: "BAD_REQUEST_BODY", ResponseTemplates: map[string]string{"application/json": `{"why":"$context.error.validationErrorString"}`}})
	f.check(err)
	f.deploy()
	w, _ := f.call("POST", "/prod/v/7", `{"a":1,"b":2}`)
	refused(t, w, 400, "BadRequestException", `{"message": "Missing required request parameters: [h1, page]"}`)
	w, _ = f.call("POST", "/prod/v/7?page=1", `{"a":1,"b":2}`, "H1: x", "Content-Type: application/json")
	want(t, w, 200, "Hello")
	for _, body := range []string{`{"a":1}`, `{"a":"1","b":2}`, "", "{", strings.Repeat("[", 100_000)} {
		if w, _ = f.call("POST", "/prod/v/7?page=1", body, "H1: x"); w.Code != 400 || !strings.HasPrefix(w.Body.String(), `{"why":"[`) {
			t.Errorf("%.20s: %d %s", body, w.Code, w.Body)
		}
	}
	w, _ = f.call("POST", "/prod/v/7?page=1", "x", "H1: x", "Content-Type: text/plain")
	if w.Code != 415 {
		t.Error(w.Code, w.Body)
	}
}

func TestRESTHTTP(t *testing.T) {
	var last *http.Request
	var body []byte
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/slow") {
			time.Sleep(200 * time.Millisecond)
			return
		}
		last = r.Clone(context.Background())
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/custom")
		w.Header().Set("Server", "backend")
		w.Header().Set("X-Back", "1")
		if r.URL.Query().Get("fail") != "" {
			w.WriteHeader(503)
		}
		io.WriteString(w, `{"from":"backend"}`)
	}))
	defer backend.Close()
	f := memoryREST(t)
	f.method("ANY /proxy/{path+}", func(in *v1.PutMethodRequest) {
		in.RequestParameters = map[string]bool{"method.request.path.path": true}
	}, func(in *v1.PutIntegrationRequest) {
		in.Type, in.IntegrationHttpMethod, in.Uri = "HTTP_PROXY", shape.Ptr("ANY"), shape.Ptr(backend.URL+"/base/{path}?fixed=1")
		in.RequestParameters = map[string]string{"integration.request.path.path": "method.request.path.path", "integration.request.header.X-Static": "'s'", "integration.request.querystring.stage": "context.stage"}
		in.TimeoutInMillis = shape.Ptr[int64](50)
	})
	f.method("POST /mapped/{id}", func(in *v1.PutMethodRequest) {
		in.RequestParameters = map[string]bool{"method.request.path.id": true, "method.request.querystring.q": false, "method.request.multivaluequerystring.m": false, "method.request.header.X-H": false}
	}, func(in *v1.PutIntegrationRequest) {
		in.Type, in.IntegrationHttpMethod, in.Uri = "HTTP", shape.Ptr("PUT"), shape.Ptr(backend.URL+"/items/{item}")
		in.RequestTemplates = map[string]string{"application/json": `#set($context.requestOverride.header.X-Over = "$input.params('q')!"){"wrapped":$input.json('$')}`}
		in.RequestParameters = map[string]string{"integration.request.path.item": "method.request.path.id", "integration.request.querystring.query": "method.request.querystring.q",
			"integration.request.querystring.m": "method.request.multivaluequerystring.m", "integration.request.header.X-Body": "method.request.body.a"}
	}, &v1.PutIntegrationResponseRequest{StatusCode: "200", ResponseParameters: map[string]string{"method.response.header.X-From": "integration.response.header.X-Back"}},
		&v1.PutIntegrationResponseRequest{StatusCode: "500", SelectionPattern: shape.Ptr(`5\d{2}`), ResponseTemplates: map[string]string{"application/json": `{"sorry":true}`}})
	f.method("GET /dead", nil, func(in *v1.PutIntegrationRequest) {
		in.Type, in.IntegrationHttpMethod, in.Uri = "HTTP_PROXY", shape.Ptr("GET"), shape.Ptr("http://127.0.0.1:1/")
	})
	f.method("GET /unmapped/{id}", nil, func(in *v1.PutIntegrationRequest) {
		in.Type, in.IntegrationHttpMethod, in.Uri = "HTTP_PROXY", shape.Ptr("GET"), shape.Ptr(backend.URL+"/{id}")
	})
	f.deploy()
	w, _ := f.call("PATCH", "/prod/proxy/a%20b/c%2Fd?x=1&x=2", "body", "X-Mine: m", "Connection: X-Drop", "X-Drop: d")
	want(t, w, 200, `{"from":"backend"}`)
	if last.Method != "PATCH" || last.URL.EscapedPath() != "/base/a%20b/c%2Fd" || last.URL.RawQuery != "fixed=1&stage=prod&x=1&x=2" || string(body) != "body" || last.Header.Get("X-Mine") != "m" ||
		last.Header.Get("X-Static") != "s" || last.Header.Get("X-Drop") != "" || last.Header.Get("X-Forwarded-For") != "203.0.113.7" {
		t.Errorf("%s %s %s %v", last.Method, last.URL, body, last.Header)
	}
	if h := w.Header(); h.Get("Content-Type") != "text/custom" || h.Get("X-Amzn-Remapped-Server") != "backend" || h.Get("X-Back") != "1" || h.Get("Server") != "" {
		t.Errorf("%v", h)
	}
	last = nil
	if w, _ = f.call("GET", "/prod/proxy/a/%2e%2e/%2e%2e/etc", ""); w.Code != 400 || last != nil {
		t.Error("dot segments", w.Code, last)
	}
	w, _ = f.call("GET", "/prod/proxy/slow", "")
	refused(t, w, 504, serverType, `{"message": "Endpoint request timed out"}`)
	w, _ = f.call("GET", "/prod/dead", "")
	refused(t, w, 504, serverType, `{"message": "Network error communicating with endpoint"}`)
	w, _ = f.call("GET", "/prod/unmapped/7", "")
	refused(t, w, 500, serverType, serverError)
	w, _ = f.call("POST", "/prod/mapped/7%2F8?q=v&m=1&m=2&unmapped=1", `{"a":{"b":1}}`, "X-H: dropped")
	want(t, w, 200, `{"from":"backend"}`)
	if last.Method != "PUT" || last.URL.EscapedPath() != "/items/7%2F8" || last.URL.RawQuery != "m=1&m=2&query=v" || string(body) != `{"wrapped":{"a":{"b":1}}}` ||
		last.Header.Get("X-Body") != `{"b":1}` || last.Header.Get("X-H") != "" || last.Header.Get("X-Over") != "v!" || last.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s %s %v", last.Method, last.URL, body, last.Header)
	}
	if w.Header().Get("X-From") != "1" || w.Header().Get("X-Back") != "" {
		t.Error(w.Header())
	}
}

func TestRESTCompression(t *testing.T) {
	f := memoryREST(t)
	f.method("POST /x", nil, nil)
	_, err := f.rest.UpdateRestApi(f.ctx, &v1.UpdateRestApiRequest{RestApiId: f.api, PatchOperations: patches("replace /minimumCompressionSize 10")})
	f.check(err)
	f.deploy()
	f.invoke = func(context.Context, []byte) ([]byte, string, error) {
		return []byte(`{"body":"` + strings.Repeat("x", 1000) + `"}`), "", nil
	}
	w, _ := f.call("POST", "/prod/x", "", "Accept-Encoding: br, gzip")
	out, err := decompress(w.Body.Bytes(), w.Header().Get("Content-Encoding"))
	if err != nil || len(out) != 1000 || w.Header().Get("Content-Encoding") != "gzip" {
		t.Error(len(out), err, w.Header())
	}
	w, _ = f.call("POST", "/prod/x", "not gzip", "Content-Encoding: gzip")
	if w.Code != 415 {
		t.Error(w.Code)
	}
}

func TestRESTUnsupported(t *testing.T) {
	f := memoryREST(t)
	f.aws("POST /sqs", "", func(in *v1.PutIntegrationRequest) {
		in.Uri, in.Credentials = shape.Ptr("arn:aws:apigateway:us-east-1:${stageVariables.service}:path/123456789012/q"), shape.Ptr("arn:aws:iam::123456789012:role/r")
	})
	f.deploy()
	_, err := f.rest.UpdateStage(f.ctx, &v1.UpdateStageRequest{RestApiId: f.api, StageName: "prod", PatchOperations: patches("replace /variables/service sqs")})
	f.check(err)
	w, tr := f.call("POST", "/prod/sqs", "{}")
	refused(t, w, 500, serverType, serverError)
	if s := failed(tr); !strings.Contains(s.Detail, "sqs") {
		t.Error(s)
	}
}

func BenchmarkREST(b *testing.B) {
	f := memoryREST(b)
	f.method("GET /proxy", nil, nil)
	f.aws("POST /vtl/{id}", `{"id":"$input.params('id')","all":$input.json('$'),"s":"$context.stage"}`, nil)
	f.method("GET /cognito", f.authorizer(&v1.CreateAuthorizerRequest{Name: "c", Type: "COGNITO_USER_POOLS", ProviderARNs: []string{testPool}, IdentitySource: shape.Ptr("method.request.header.Authorization")}), nil)
	f.method("GET /token", f.authorizer(&v1.CreateAuthorizerRequest{Name: "t", Type: "TOKEN", IdentitySource: shape.Ptr("method.request.header.Authorization")}), nil)
	f.method("GET /iam", func(m *v1.PutMethodRequest) { m.AuthorizationType = "AWS_IAM" }, nil)
	f.method("GET /key", func(in *v1.PutMethodRequest) { in.ApiKeyRequired = shape.Ptr(true) }, nil)
	f.deploy()
	f.authorize = func(map[string]any) (string, string, error) { return allowAll, "", nil }
	answer := []byte(`{"statusCode":200,"body":"Hello"}`)
	f.invoke = func(context.Context, []byte) ([]byte, string, error) { return answer, "", nil }
	k, err := f.rest.CreateApiKey(f.ctx, &v1.CreateApiKeyRequest{Enabled: shape.Ptr(true), Name: shape.Ptr("k")})
	f.check(err)
	p, err := f.rest.CreateUsagePlan(f.ctx, &v1.CreateUsagePlanRequest{Name: "p", ApiStages: []v1.ApiStage{{ApiId: &f.api, Stage: shape.Ptr("prod")}},
		Quota: &v1.QuotaSettings{Limit: shape.Ptr[int64](1 << 40), Period: shape.Ptr("MONTH")}})
	f.check(err)
	_, err = f.rest.CreateUsagePlanKey(f.ctx, &v1.CreateUsagePlanKeyRequest{UsagePlanId: *p.Id, KeyId: *k.Id, KeyType: "API_KEY"})
	f.check(err)
	id := sign(b, "k1", claims(map[string]any{"token_use": "id"}))
	signed := f.signed(f.rootKey(), "GET", "/prod/iam", "")
	for _, bb := range []struct {
		name string
		req  *http.Request
		body string
	}{
		{"proxy", f.request("GET", "/prod/proxy", ""), ""},
		{"vtl", f.request("POST", "/prod/vtl/7", "x", "Content-Type: application/json"), `{"a":1,"b":[1,2,3],"c":"text"}`},
		{"cognito", f.request("GET", "/prod/cognito", "", "Authorization: "+id), ""},
		{"token", f.request("GET", "/prod/token", "", "Authorization: x"), ""},
		{"iam", signed, ""},
		{"key", f.request("GET", "/prod/key", "", "X-Api-Key: "+*k.Value), ""},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			path := bb.req.URL.EscapedPath()
			for b.Loop() {
				if bb.body != "" {
					bb.req.Body, bb.req.ContentLength = io.NopCloser(strings.NewReader(bb.body)), int64(len(bb.body))
				}
				w := &discard{h: http.Header{}}
				f.g.Serve(w, bb.req, Target{APIID: f.api, Path: path})
				if w.h.Get("X-Amzn-Errortype") != "" {
					b.Fatal(w.h)
				}
			}
		})
	}
}

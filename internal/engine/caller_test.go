package engine

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// caller writes plain documents as a client would that keeps to no rule of the model.
type caller struct {
	e     *Engine
	s     wire.Service
	rnd   *rand.Rand
	known map[string]string // good values by member name, in lower case
}

// serving returns the service that has an operation; of the two that are called apigateway, the second.
func (e *Engine) serving(endpoint, op string) (out wire.Service) {
	for _, s := range e.services {
		if s.Model.Endpoint == endpoint && s.Model.Operation(op) != nil {
			out = s
		}
	}
	return out
}

// raw is written into a document as it is.
type raw string

// request puts doc on the wire; nil if it cannot be put there.
func (c *caller) request(op *shape.Operation, doc map[string]any) *http.Request {
	m := c.s.Model
	h := http.Header{}
	h.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-east-1/"+m.SigningName+"/aws4_request, SignedHeaders=host, Signature=00")
	method, target, body := http.MethodPost, "/", []byte(nil)
	switch m.Protocol {
	case shape.JSON10, shape.JSON11:
		h.Set("X-Amz-Target", m.TargetPrefix+"."+op.Name)
		h.Set("Content-Type", "application/x-amz-json-1.1")
		body = c.appendDoc(nil, op.Input, doc)
	case shape.QueryXML:
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		form := url.Values{"Action": {op.Name}, "Version": {m.APIVersion}}
		c.form(form, op.Input, "", doc)
		body = []byte(form.Encode())
	default:
		method = op.Method
		var ok bool
		if target, body, ok = c.rest(op, doc, h); !ok {
			return nil
		}
	}
	u, err := url.Parse(target)
	if err != nil {
		return nil
	}
	r := httptest.NewRequest(method, "/", bytes.NewReader(body))
	r.URL, r.RequestURI, r.Header, r.Host = u, target, h, "127.0.0.1"
	return r
}

// form writes v below prefix.
func (c *caller) form(form url.Values, r shape.Ref, prefix string, v any) {
	m := c.s.Model
	sh := m.At(r)
	dot := func(name string) string {
		if prefix == "" {
			return name
		}
		return prefix + "." + name
	}
	switch v := v.(type) {
	case map[string]any:
		i := 0
		for k, x := range v {
			switch i++; sh.Kind {
			case shape.Map:
				at := dot("entry." + strconv.Itoa(i))
				form.Set(at+".key", k)
				c.form(form, sh.Elem, at+".value", x)
			default:
				name, ref := member(sh, k)
				c.form(form, ref, dot(name), x)
			}
		}
	case []any:
		for i, x := range v {
			c.form(form, sh.Elem, dot(cmp.Or(sh.ElemName, "member")+"."+strconv.Itoa(i+1)), x)
		}
	case raw:
		form.Set(prefix, string(v))
	case string:
		form.Set(prefix, v)
	}
}

// rest puts the members of doc where the model says, and what is left into the body.
func (c *caller) rest(op *shape.Operation, doc map[string]any, h http.Header) (target string, body []byte, ok bool) {
	m := c.s.Model
	in := m.At(op.Input)
	path, literals, _ := strings.Cut(op.Path, "?")
	query, _ := url.ParseQuery(literals)
	rest := map[string]any{}
	for k, v := range doc {
		rest[k] = v
	}
	for i := range in.Members {
		mem := &in.Members[i]
		v := doc[mem.Name]
		if mem.Location == shape.Body {
			continue
		}
		delete(rest, mem.Name)
		texts := flat(v)
		switch mem.Location {
		case shape.URI:
			text := ""
			if len(texts) > 0 {
				text = texts[0]
			}
			if !strings.Contains(path, "{"+mem.Wire) {
				path = "/{" + mem.Wire + "}" + path
			}
			path = strings.NewReplacer("{"+mem.Wire+"}", url.PathEscape(text), "{"+mem.Wire+"+}", url.PathEscape(text)).Replace(path)
		case shape.Query:
			for _, text := range texts {
				query.Add(mem.Wire, text)
			}
		case shape.Header, shape.HeaderPrefix:
			for _, text := range texts {
				if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					return "", nil, false // no HTTP server lets it through
				}
				name := mem.Wire
				if mem.Location == shape.HeaderPrefix {
					name += "x"
				}
				h.Set(name, text)
			}
		case shape.Payload:
			switch v := v.(type) {
			case string:
				body = []byte(v)
				if raw, err := base64.StdEncoding.DecodeString(v); err == nil {
					body = raw
				}
			case raw:
				body = []byte(v)
			case nil:
			default:
				body = c.document(mem.Shape, v)
			}
		}
	}
	if payload(in) < 0 && m.Protocol == shape.RESTJSON && op.Method != http.MethodGet && op.Method != http.MethodDelete {
		h.Set("Content-Type", "application/json")
		body = c.appendDoc(nil, op.Input, rest)
	}
	if m.Protocol == shape.RESTXML {
		h.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, body, true
}

// document writes a payload.
func (c *caller) document(r shape.Ref, v any) []byte {
	if c.s.Model.Protocol != shape.RESTXML {
		return c.appendDoc(nil, r, v)
	}
	var b bytes.Buffer
	c.element(&b, r, "Root", v)
	return b.Bytes()
}

func (c *caller) element(b *bytes.Buffer, r shape.Ref, name string, v any) {
	sh := c.s.Model.At(r)
	if list, ok := v.([]any); ok && sh.Flat {
		for _, x := range list {
			c.element(b, sh.Elem, name, x)
		}
		return
	}
	b.WriteString("<" + name + ">")
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			wire, ref := member(sh, k)
			if wire != "" && !strings.Contains(wire, "\x00") && utf8.ValidString(wire) {
				c.element(b, ref, wire, x)
			}
		}
	case []any:
		for _, x := range v {
			c.element(b, sh.Elem, cmp.Or(sh.ElemName, "member"), x)
		}
	case string:
		xml.EscapeText(b, []byte(v))
	case raw:
		b.WriteString(string(v))
	}
	b.WriteString("</" + name + ">")
}

// flat writes a value as texts.
func flat(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case raw:
		return []string{string(v)}
	case []any:
		var out []string
		for _, x := range v {
			out = append(out, flat(x)...)
		}
		return out
	case map[string]any:
		var out []string
		for _, x := range v {
			out = append(out, flat(x)...)
		}
		return out
	}
	return nil
}

// appendDoc writes a document as JSON with the wire's names, and bytes that are not UTF-8 as they are.
func (c *caller) appendDoc(b []byte, r shape.Ref, v any) []byte {
	sh := c.s.Model.At(r)
	switch v := v.(type) {
	case raw:
		return append(b, v...)
	case string:
		b = append(b, '"')
		for i := range len(v) {
			switch c := v[i]; {
			case c == '"' || c == '\\':
				b = append(b, '\\', c)
			case c < ' ':
				b = fmt.Appendf(b, `\u%04x`, c)
			default:
				b = append(b, c)
			}
		}
		return append(b, '"')
	case []any:
		b = append(b, '[')
		for i, x := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = c.appendDoc(b, sh.Elem, x)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for k, x := range v {
			if b[len(b)-1] != '{' {
				b = append(b, ',')
			}
			wire, kid := member(sh, k)
			b = append(c.appendDoc(b, 0, wire), ':')
			b = c.appendDoc(b, kid, x)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// member returns the name on the wire and the shape of what a structure or map has under a name.
func member(sh *shape.Shape, name string) (wire string, kid shape.Ref) {
	if sh.Kind == shape.Map {
		return name, sh.Elem
	}
	for i := range sh.Members {
		if sh.Members[i].Name == name {
			return sh.Members[i].Wire, sh.Members[i].Shape
		}
	}
	return name, 0
}

// fixture makes one of everything and returns good values by the names of members.
func fixture(t *testing.T, e *Engine) map[string]string {
	t.Helper()
	known := map[string]string{"username": "sample", "password": "Password1!", "temporarypassword": "Password1!", "previouspassword": "Password1!", "proposedpassword": "Password1!",
		"loggroupname": "/sample", "logstreamname": "sample", "bucket": "sample-bucket", "key": "sample-key", "functionname": "sample", "runtime": "provided.al2023", "handler": "bootstrap",
		"role": "arn:aws:iam::000000000000:role/sample", "rolename": "sample", "policyname": "sample", "policyarn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "stackname": "sample",
		"templatebody": `{"Resources":{"G":{"Type":"AWS::Logs::LogGroup"}}}`, "statementid": "sample", "action": "lambda:InvokeFunction", "principal": "apigateway.amazonaws.com",
		"stage": "sample", "stagename": "sample", "protocoltype": "HTTP", "routekey": "GET /sample", "integrationtype": "HTTP_PROXY", "integrationuri": "http://127.0.0.1:1/", "changesetname": "sample",
		"policydocument":           `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
		"assumerolepolicydocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`}
	known["zipfile"] = base64.StdEncoding.EncodeToString(archive(t))
	call := func(service, op, doc string, keep ...string) map[string]any {
		t.Helper()
		c := &caller{e: e, s: e.serving(service, op), known: known}
		var in map[string]any
		dec := json.NewDecoder(strings.NewReader(doc))
		if err := dec.Decode(&in); err != nil {
			t.Fatal(err)
		}
		for k, v := range in {
			in[k] = rawOf(v)
		}
		r := c.request(c.s.Model.Operation(op), in)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code >= 300 && w.Code != http.StatusConflict && !strings.Contains(w.Body.String(), "Exists") {
			t.Fatalf("%s: %d %s", op, w.Code, w.Body)
		}
		var out map[string]any
		json.Unmarshal(w.Body.Bytes(), &out)
		for _, path := range keep {
			var v any = out
			for step := range strings.SplitSeq(path, ".") {
				doc, _ := v.(map[string]any)
				v = doc[step]
			}
			text, _ := v.(string)
			name := strings.ToLower(path[strings.LastIndexByte(path, '.')+1:])
			if name == "id" {
				name = "userpoolid"
			}
			known[name] = text
		}
		return out
	}
	call("cognito-idp", "CreateUserPool", `{"PoolName":"sample"}`, "UserPool.Id", "UserPool.Arn")
	pool := known["userpoolid"]
	call("cognito-idp", "CreateUserPoolClient", `{"UserPoolId":"`+pool+`","ClientName":"sample","ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH","ALLOW_USER_SRP_AUTH","ALLOW_ADMIN_USER_PASSWORD_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]}`, "UserPoolClient.ClientId")
	call("cognito-idp", "AdminCreateUser", `{"UserPoolId":"`+pool+`","Username":"sample","UserAttributes":[{"Name":"email","Value":"sample@example.com"},{"Name":"email_verified","Value":"true"}]}`)
	call("cognito-idp", "AdminSetUserPassword", `{"UserPoolId":"`+pool+`","Username":"sample","Password":"Password1!","Permanent":true}`)
	call("cognito-idp", "InitiateAuth", `{"ClientId":"`+known["clientid"]+`","AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"sample","PASSWORD":"Password1!"}}`,
		"AuthenticationResult.AccessToken", "AuthenticationResult.RefreshToken")
	known["resourcearn"] = known["arn"]
	known["token"] = known["refreshtoken"]
	call("logs", "CreateLogGroup", `{"logGroupName":"/sample"}`)
	call("logs", "CreateLogStream", `{"logGroupName":"/sample","logStreamName":"sample"}`)
	call("s3", "CreateBucket", `{"Bucket":"sample-bucket"}`)
	call("s3", "PutObject", `{"Bucket":"sample-bucket","Key":"sample-key","Body":"c2FtcGxl"}`)
	call("iam", "CreateRole", `{"RoleName":"sample","AssumeRolePolicyDocument":`+strconv.Quote(known["assumerolepolicydocument"])+`}`)
	call("lambda", "CreateFunction", `{"FunctionName":"sample","Runtime":"provided.al2023","Handler":"bootstrap","Role":"`+known["role"]+`","Code":{"ZipFile":"`+known["zipfile"]+`"}}`, "FunctionArn")
	call("ssm", "PutParameter", `{"Name":"/sample","Value":"sample","Type":"String"}`)
	call("apigateway", "CreateApi", `{"Name":"sample","ProtocolType":"HTTP"}`, "apiId")
	known["target"] = ""
	call("apigateway", "CreateIntegration", `{"ApiId":"`+known["apiid"]+`","IntegrationType":"HTTP_PROXY","IntegrationMethod":"ANY","IntegrationUri":"http://127.0.0.1:1/","PayloadFormatVersion":"1.0"}`, "integrationId")
	call("apigateway", "CreateAuthorizer", `{"ApiId":"`+known["apiid"]+`","Name":"sample","AuthorizerType":"JWT","IdentitySource":["$request.header.Authorization"],"JwtConfiguration":{"Issuer":"https://cognito-idp.us-east-1.amazonaws.com/`+pool+`","Audience":["x"]}}`, "authorizerId")
	call("apigateway", "CreateRoute", `{"ApiId":"`+known["apiid"]+`","RouteKey":"GET /x","Target":"integrations/`+known["integrationid"]+`"}`, "routeId")
	call("apigateway", "CreateStage", `{"ApiId":"`+known["apiid"]+`","StageName":"sample"}`)
	call("apigateway", "CreateDeployment", `{"ApiId":"`+known["apiid"]+`"}`, "deploymentId")
	call("cloudformation", "CreateStack", `{"StackName":"sample","TemplateBody":`+strconv.Quote(known["templatebody"])+`}`)
	delete(known, "target")
	if known["refreshtoken"] == "" || known["apiid"] == "" || known["deploymentid"] == "" {
		t.Fatalf("not made: %v", known)
	}
	return known
}

// rawOf turns a decoded document into one that a client writes.
func rawOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = rawOf(x)
		}
	case []any:
		for i, x := range v {
			v[i] = rawOf(x)
		}
	case bool:
		return raw(strconv.FormatBool(v))
	}
	return v
}

// archive is a function that ends before it begins.
func archive(t *testing.T) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = io.WriteString(w, "#!/bin/sh\nexit 1\n")
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// errorLog keeps what a server logs as an error.
type errorLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *errorLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (l *errorLog) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *errorLog) WithGroup(string) slog.Handler                    { return l }
func (l *errorLog) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %s=%.1500s", a.Key, a.Value.String()); return true })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, b.String())
	return nil
}

func (l *errorLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

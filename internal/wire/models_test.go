package wire_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// unimplemented is every service, with nothing built.
func unimplemented() []wire.Service {
	return []wire.Service{
		{Model: &cognitoidp.Model, Handler: cognitoidp.Unimplemented{}},
		{Model: &cognitoidentity.Model, Handler: cognitoidentity.Unimplemented{}},
		{Model: &lambda.Model, Handler: lambda.Unimplemented{}},
		{Model: &apigateway.Model, Handler: apigateway.Unimplemented{}},
		{Model: &apigatewayv2.Model, Handler: apigatewayv2.Unimplemented{}},
		{Model: &cloudformation.Model, Handler: cloudformation.Unimplemented{}},
		{Model: &iam.Model, Handler: iam.Unimplemented{}},
		{Model: &sts.Model, Handler: sts.Unimplemented{}},
		{Model: &s3.Model, Handler: s3.Unimplemented{}},
		{Model: &ssm.Model, Handler: ssm.Unimplemented{}},
		{Model: &logs.Model, Handler: logs.Unimplemented{}},
	}
}

// anyone lets every signed request in: who may is not what these tests are about.
type anyone struct{}

func (anyone) Authenticate(_ context.Context, r *http.Request, bodySHA256 func() (string, error), _ string) (wire.Identity, error) {
	if _, err := bodySHA256(); err != nil {
		return wire.Identity{}, err
	}
	s, _ := wire.ScopeOf(r)
	return wire.Identity{Principal: "arn:aws:iam::000000000000:root", AccessKey: s.AccessKey, Region: s.Region}, nil
}

const endpoint = "http://127.0.0.1:4566"

func sign(r *http.Request, service string) {
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-west-1/"+service+
		"/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64))
	r.Header.Set("X-Amz-Date", "20261121T045437Z")
}

// request makes a request for op as a client would, with something in each place that decides.
func request(m *shape.Model, op *shape.Operation) *http.Request {
	var r *http.Request
	switch m.Protocol {
	case shape.JSON10, shape.JSON11:
		r = httptest.NewRequest("POST", endpoint+"/", strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", m.TargetPrefix+"."+op.Name)
	case shape.QueryXML:
		r = httptest.NewRequest("POST", endpoint+"/", strings.NewReader("Action="+op.Name+"&Version="+m.APIVersion))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	default:
		path, literals, _ := strings.Cut(op.Path, "?")
		query, _ := url.ParseQuery(literals)
		header := http.Header{}
		in := m.At(op.Input)
		for i := range in.Members {
			mem := &in.Members[i]
			switch {
			case mem.Location == shape.URI:
				path = strings.Replace(path, "{"+mem.Wire+"+}", "a/b%20c//d/", 1)
				path = strings.Replace(path, "{"+mem.Wire+"}", "x%2Fy%3Az", 1)
			case mem.Location == shape.Query && mem.Required:
				query.Set(mem.Wire, "1")
			case mem.Location == shape.Header && mem.Required:
				header.Set(mem.Wire, "1")
			}
		}
		if m.Protocol == shape.RESTXML {
			query.Set("x-id", op.Name) // as the newer clients send it
		}
		r = httptest.NewRequest(op.Method, endpoint+path, nil)
		r.URL.RawQuery = query.Encode()
		r.Header = header
		if m.Protocol == shape.RESTXML {
			r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		}
	}
	if !op.Unsigned {
		sign(r, m.SigningName)
	}
	return r
}

// TestEveryOperation takes each operation of each model to itself.
func TestEveryOperation(t *testing.T) {
	s := wire.NewServer(wire.Options{Services: unimplemented()})
	total := 0
	for _, svc := range unimplemented() {
		m := svc.Model
		for i := range m.Operations {
			op := &m.Operations[i]
			total++
			r := request(m, op)
			got, ok := s.Match(r)
			if !ok || got.Operation != op || got.Service.Model != m {
				t.Errorf("%s.%s: %s %s: matched %v, %+v", m.ID, op.Name, r.Method, r.URL, ok, got)
			}
		}
	}
	t.Logf("%d operations", total)
}

// TestEveryOperationAnswers calls each operation with an empty input: the answer is a refusal by name,
// or one of the input, in the protocol's own form.
func TestEveryOperationAnswers(t *testing.T) {
	var call *wire.Call
	s := wire.NewServer(wire.Options{
		Services: unimplemented(), Auth: anyone{}, Account: "000000000000",
		Observe: func(_ context.Context, c *wire.Call, _ int, _ error) { call = c },
	})
	for _, svc := range unimplemented() {
		m := svc.Model
		for i := range m.Operations {
			op := &m.Operations[i]
			call = nil
			w := httptest.NewRecorder()
			s.ServeHTTP(w, request(m, op))
			if call == nil || call.Operation != op.Name || call.Service != m.Endpoint || call.RequestID == "" {
				t.Errorf("%s.%s: call %+v", m.ID, op.Name, call)
			}
			code, msg, err := parseError(m.Protocol, op.Method, w)
			if err != nil {
				t.Errorf("%s.%s: %d %s: %v", m.ID, op.Name, w.Code, w.Body, err)
				continue
			}
			if op.Method == "HEAD" {
				continue
			}
			switch {
			case w.Code == 501 && strings.HasPrefix(code, "NotImplemented") && strings.Contains(msg, op.Name): // S3 has its own name for it
			case w.Code == 400 && (code == m.ValidationCode || code == "SerializationException" || code == "MalformedXML"):
			default:
				t.Errorf("%s.%s: %d %s: %s", m.ID, op.Name, w.Code, code, msg)
			}
		}
	}
}

// parseError reads an error as a client of the protocol does.
func parseError(p shape.Protocol, method string, w *httptest.ResponseRecorder) (code, msg string, err error) {
	if method == "HEAD" {
		if w.Body.Len() > 0 {
			return "", "", fmt.Errorf("a HEAD has a body")
		}
		return "", "", nil
	}
	switch p {
	case shape.QueryXML:
		var e struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Error   struct{ Type, Code, Message string }
			ID      string `xml:"RequestId"`
		}
		err = xml.Unmarshal(w.Body.Bytes(), &e)
		if err == nil && (e.ID == "" || e.ID != w.Header().Get("x-amzn-RequestId")) {
			err = fmt.Errorf("request id %q", e.ID)
		}
		return e.Error.Code, e.Error.Message, err
	case shape.RESTXML:
		var e struct {
			XMLName                  xml.Name `xml:"Error"`
			Code, Message, RequestId string
		}
		err = xml.Unmarshal(w.Body.Bytes(), &e)
		if err == nil && (e.RequestId == "" || e.RequestId != w.Header().Get("x-amz-request-id")) {
			err = fmt.Errorf("request id %q", e.RequestId)
		}
		return e.Code, e.Message, err
	}
	var e map[string]any
	if err = json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		return "", "", err
	}
	if w.Header().Get("x-amzn-RequestId") == "" {
		err = fmt.Errorf("no request id")
	}
	code, _ = e["__type"].(string)
	if code == "" {
		code = w.Header().Get("x-amzn-ErrorType")
	}
	for _, name := range []string{"message", "Message"} {
		if s, ok := e[name].(string); ok {
			msg = s
		}
	}
	return code, msg, err
}

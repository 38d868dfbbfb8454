package gateway

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
	"github.com/gatehouse-dev/gatehouse/internal/openapi/schema"
	"github.com/gatehouse-dev/gatehouse/internal/vtl"
)

// restParams are the parameters of a request.
type restParams struct {
	query []parameter
	path  []field
}

func (x *restExchange) parameters() *restParams {
	if x.params == nil {
		p := &restParams{query: parameters(x.r.URL.RawQuery)}
		x.params = p
		if x.method == nil {
			return p
		}
		x.method.Resource.PathParameters(x.path, func(name, value string) {
			if strings.Contains(value, "%2F") {
				value = strings.ReplaceAll(value, "%2F", "/")
			}
			p.path = append(p.path, field{name, value})
		})
	}
	return x.params
}

// header returns the values of a header of the request, in canonical form.
func (x *restExchange) header(name string) []string {
	if name == "Host" {
		return []string{x.r.Host}
	}
	return x.r.Header[name]
}

func (p *restParams) queryValues(name string) []string {
	for i := range p.query {
		if p.query[i].name == name {
			return p.query[i].values
		}
	}
	return nil
}

func (p *restParams) pathValue(name string) (string, bool) {
	for i := range p.path {
		if p.path[i].name == name {
			return p.path[i].value, true
		}
	}
	return "", false
}

// validate checks what the method's validator wants of parameters and body.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
func (x *restExchange) validate() bool {
	m := x.method
	if m.ValidateParams {
		var missing []string
		p := x.parameters()
		for _, want := range m.Parameters {
			if !want.Required {
				continue
			}
			there := false
			switch want.In {
			case "header":
				v := x.header(http.CanonicalHeaderKey(want.Name))
				there = len(v) > 0 && v[0] != ""
			case "querystring":
				v := p.queryValues(want.Name)
				there = len(v) > 0 && v[0] != ""
			case "path":
				v, ok := p.pathValue(want.Name)
				there = ok && v != ""
			}
			if !there {
				missing = append(missing, want.Name)
			}
		}
		if len(missing) > 0 {
			slices.Sort(missing)
			list := strings.Join(missing, ", ")
			x.trace.Fail("validation", "required parameters are missing", "", list)
			x.validation = "Missing required request parameters: [" + list + "]"
			x.refuseAs(v1.GatewayResponseTypeBadRequestParameters, x.validation)
			return false
		}
		x.trace.Pass("validation", "parameters")
	}
	if !m.ValidateBody {
		return true
	}
	model := m.Model(x.r.Header.Get("Content-Type"))
	if model == nil {
		if len(m.Models) > 0 {
			x.trace.Fail("validation", "the method has no model for this content type", x.r.Header.Get("Content-Type"), "one of its models' content types")
			x.refuseAs(v1.GatewayResponseTypeUnsupportedMediaType, "Unsupported Media Type")
			return false
		}
		return true
	}
	body, ok := x.requestBody()
	if !ok {
		return false
	}
	if model.Schema == nil {
		return true
	}
	doc, err := schema.Decode(body)
	var wrong []string
	if err != nil {
		wrong = []string{"the body is not JSON"}
	} else {
		wrong = model.Schema.Validate(doc)
	}
	if len(wrong) > 0 {
		x.validation = "[" + strings.Join(wrong, ", ") + "]"
		if x.trace != nil { // what the validator quotes of the body may be a secret
			said := quotedValue.ReplaceAllString(x.validation, "$1 …")
			x.trace.Fail("validation", "the body does not fit model "+model.Name, excerpt([]byte(said)), "a body that fits the model's schema")
		}
		x.refuseAs(v1.GatewayResponseTypeBadRequestBody, "Invalid request body")
		return false
	}
	x.trace.Pass("validation", "body, by model "+model.Name)
	return true
}

var quotedValue = regexp.MustCompile(`(instance value|string|found:) (\("(?:[^"\\]|\\.)*"\)|\([^)]*\)|"(?:[^"\\]|\\.)*"|[-+.0-9eE]+)`)

// requestBody reads the body, and unpacks it where the API takes compressed ones.
func (x *restExchange) requestBody() ([]byte, bool) {
	if x.body0 != nil {
		return x.body0, true
	}
	body, err := x.ReadBody()
	if err == nil {
		if enc := x.r.Header.Get("Content-Encoding"); enc != "" && x.snap.MinCompression >= 0 && len(body) > 0 {
			if body, err = decompress(body, enc); err != nil && err != errTooLarge {
				x.trace.Fail("body", "the body cannot be decompressed", enc, "gzip, deflate or identity")
				x.refuseAs(v1.GatewayResponseTypeUnsupportedMediaType, "Unsupported Media Type")
				return nil, false
			}
		}
	}
	if err != nil {
		x.badBody(err)
		return nil, false
	}
	x.body0 = body
	return body, true
}

// badBody answers for a body that could not be read.
func (x *restExchange) badBody(err error) {
	if err == errTooLarge {
		x.w.Header()["Connection"] = []string{"close"}
		x.refuseAs(v1.GatewayResponseTypeRequestTooLarge, "Request Too Long")
		return
	}
	x.refuseAs(v1.GatewayResponseTypeBadRequestBody, "Bad Request")
}

// document decodes a body for paths into it; that of no body is an empty object.
func document(body []byte) (any, error) {
	if len(body) == 0 {
		return &jsonpath.Object{}, nil
	}
	return jsonpath.Decode(body)
}

// bodyText is a body as text: of binary media types in base64.
func (x *restExchange) bodyText(body []byte) string {
	if utf8.Valid(body) {
		return string(body)
	}
	if x.snap.Binary(x.r.Header.Get("Content-Type")) {
		return base64.StdEncoding.EncodeToString(body)
	}
	return strings.ToValidUTF8(string(body), "\uFFFD")
}

// value evaluates the source of a parameter mapping on the request. ok is false if there is none.
func (x *restExchange) value(s *source) (values []string, ok bool) {
	one := func(v string) ([]string, bool) { return []string{v}, true }
	p := x.parameters()
	switch s.kind {
	case fromLiteral:
		if s.fault != "" {
			return nil, false
		}
		return one(s.name)
	case fromHeader:
		if v := x.header(s.name); len(v) > 0 {
			return one(v[len(v)-1])
		}
	case fromMultiHeader:
		v := x.header(s.name)
		return v, len(v) > 0
	case fromQuery:
		if v := p.queryValues(s.name); len(v) > 0 {
			return one(v[len(v)-1])
		}
	case fromMultiQuery:
		v := p.queryValues(s.name)
		return v, len(v) > 0
	case fromPath:
		if v, ok := p.pathValue(s.name); ok {
			return one(v)
		}
	case fromContext:
		if v, ok := x.contextValue(s.name); ok {
			return one(v)
		}
	case fromVariable:
		if v, ok := x.snap.Variables[s.name]; ok {
			return one(v)
		}
	case fromBody:
		if s.path == nil {
			return one(x.bodyText(x.body0))
		}
		if !x.docRead {
			x.docRead = true
			x.doc, x.docErr = document(x.body0)
		}
		return bodyValue(x.doc, x.docErr, s)
	}
	return nil, false
}

func bodyValue(doc any, err error, s *source) ([]string, bool) {
	if err != nil || s.path == nil {
		return nil, false
	}
	v, err := s.path.Get(doc)
	if err != nil || v == nil {
		return nil, false
	}
	switch v.(type) {
	case *jsonpath.Object, *jsonpath.Array:
		return []string{string(jsonpath.Append(nil, v))}, true
	}
	return []string{vtl.Text(v)}, true
}

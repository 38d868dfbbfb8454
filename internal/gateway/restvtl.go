package gateway

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf16"

	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
	"github.com/gatehouse-dev/gatehouse/internal/vtl"
)

// What templates of REST APIs see: $input, $util, $context and $stageVariables.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html

// overrides are what a template has set of the request to the back end, or of the answer.
type overrides struct {
	header, query, path *overridden
	status              int
}

// overridden is one group of them. Each parameter can be set once.
type overridden struct{ jsonpath.Object }

var errOverride = errors.New("a parameter may be overridden only once")

func (o *overridden) Property(name string) any { v, _ := o.Get(name); return v }

func (o *overridden) SetProperty(name string, v any) error {
	if _, twice := o.Get(name); twice {
		return errOverride
	}
	o.Set(name, v)
	return nil
}

func (o *overridden) Call(name string, args []any) (any, bool, error) {
	if name == "put" && len(args) == 2 {
		return nil, true, o.SetProperty(vtl.Text(args[0]), args[1])
	}
	return vtl.CallMap(&o.Object, name, args)
}

// each calls f with what was set.
func (o *overridden) each(f func(name string, values []string)) {
	if o == nil {
		return
	}
	for i := range o.Len() {
		name, v := o.At(i)
		if a, ok := v.(*jsonpath.Array); ok {
			var values []string
			for _, item := range a.Items {
				values = append(values, vtl.Text(item))
			}
			f(name, values)
			continue
		}
		f(name, []string{vtl.Text(v)})
	}
}

// overrideNode is $context.requestOverride or responseOverride.
type overrideNode struct {
	to       *overrides
	response bool
}

func (n overrideNode) group(name string) **overridden {
	switch {
	case name == "header":
		return &n.to.header
	case name == "querystring" && !n.response:
		return &n.to.query
	case name == "path" && !n.response:
		return &n.to.path
	}
	return nil
}

func (n overrideNode) Property(name string) any {
	if g := n.group(name); g != nil {
		if *g == nil {
			*g = &overridden{}
		}
		return *g
	}
	if name == "status" && n.response && n.to.status != 0 {
		return int64(n.to.status)
	}
	return nil
}

func (n overrideNode) SetProperty(name string, v any) error {
	if name != "status" || !n.response {
		return fmt.Errorf("%s cannot be overridden", name)
	}
	if n.to.status != 0 {
		return errOverride
	}
	status, err := statusCode([]byte(vtl.Text(v)))
	if err != nil {
		return err
	}
	n.to.status = status
	return nil
}

func (n overrideNode) Call(name string, args []any) (any, bool, error) {
	if name == "get" && len(args) == 1 {
		return n.Property(vtl.Text(args[0])), true, nil
	}
	if name == "put" && len(args) == 2 {
		return nil, true, n.SetProperty(vtl.Text(args[0]), args[1])
	}
	return nil, false, nil
}

// contextNode is $context, or a part of it: "identity.".
type contextNode struct {
	x        *restExchange
	prefix   string
	response bool
}

func (c contextNode) Property(name string) any {
	full := c.prefix + name
	switch full {
	case "identity", "authorizer", "authorizer.claims", "error", "customDomain":
		return contextNode{c.x, full + ".", c.response}
	case "identity.clientCert", "identity.clientCert.validity":
		if c.x.t.Client == nil {
			return nil
		}
		return contextNode{c.x, full + ".", c.response}
	case "requestOverride":
		if !c.response {
			return overrideNode{&c.x.override, false}
		}
		return nil
	case "responseOverride":
		if c.response {
			return overrideNode{&c.x.override, true}
		}
		return nil
	case "requestTimeEpoch":
		return c.x.start.UnixMilli()
	}
	if v, ok := c.x.contextValue(full); ok {
		return v
	}
	return nil
}

// members are those that a template can list.
func (c contextNode) members() *jsonpath.Object {
	o := &jsonpath.Object{}
	switch c.prefix {
	case "identity.":
		for _, name := range []string{"accountId", "apiKey", "apiKeyId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType", "cognitoIdentityId",
			"cognitoIdentityPoolId", "sourceIp", "user", "userAgent", "userArn"} {
			v, _ := c.x.contextValue(c.prefix + name)
			o.Set(name, v)
		}
	case "authorizer.":
		if l := c.x.caller.Lambda; l != nil {
			for i := range l.Context {
				o.Set(l.Context[i].Name, l.Context[i].Text())
			}
			o.Set("principalId", l.Principal)
		}
	case "authorizer.claims.":
		if t := c.x.caller.Token; t != nil {
			for name, v := range t.Claims {
				o.Set(name, restClaim(name, v))
			}
		}
	}
	return o
}

func (c contextNode) Call(name string, args []any) (any, bool, error) {
	if name == "get" && len(args) == 1 {
		return c.Property(vtl.Text(args[0])), true, nil
	}
	switch name {
	case "keySet", "entrySet", "values", "size", "isEmpty", "containsKey", "getOrDefault":
		return vtl.CallMap(c.members(), name, args)
	}
	return nil, false, nil
}

func (c contextNode) String() string { return vtl.Text(c.members()) }

// variablesNode is $stageVariables.
type variablesNode struct{ x *restExchange }

func (n variablesNode) Property(name string) any {
	if v, ok := n.x.snap.Variables[name]; ok {
		return v
	}
	return nil
}

func (n variablesNode) Call(name string, args []any) (any, bool, error) {
	return vtl.CallMap(n.object(), name, args)
}

func (n variablesNode) object() *jsonpath.Object {
	o := &jsonpath.Object{}
	for _, k := range n.x.plan.names {
		o.Set(k, n.x.snap.Variables[k])
	}
	return o
}

func (n variablesNode) String() string { return vtl.Text(n.object()) }

// inputNode is $input, of the request or of the back end's answer.
type inputNode struct {
	x    *restExchange
	body []byte
	text string
	doc  any
	err  error
	read bool
}

// errBody is a body that a template takes for JSON and that is none.
type errBody struct{ cause error }

func (e errBody) Error() string { return "Could not parse request body into json: " + e.cause.Error() }

func (n *inputNode) document() (any, error) {
	if !n.read {
		n.read = true
		if n.doc, n.err = document(n.body); n.err != nil {
			n.err = errBody{n.err}
		}
	}
	return n.doc, n.err
}

func (n *inputNode) Property(name string) any {
	if name != "body" {
		return nil
	}
	if len(n.body) == 0 {
		return "{}" // as API Gateway has it
	}
	return n.text
}

func (n *inputNode) Call(name string, args []any) (any, bool, error) {
	switch {
	case name == "params" && len(args) == 0:
		return n.params(), true, nil
	case name == "params" && len(args) == 1:
		return n.param(vtl.Text(args[0])), true, nil
	case (name == "path" || name == "json") && len(args) == 1:
		text, ok := args[0].(string)
		if !ok {
			return nil, false, nil
		}
		path, err := n.x.k.paths.Parse(text)
		if err != nil {
			return nil, true, fmt.Errorf("invalid JSONPath %q: %w", text, err)
		}
		doc, err := n.document()
		if err != nil {
			return nil, true, err
		}
		v, err := path.Get(doc)
		switch missing := errors.Is(err, jsonpath.ErrNotFound); {
		case missing && name == "path":
			return nil, true, nil
		case missing:
			return `""`, true, nil
		case err != nil:
			return nil, true, err
		case name == "path":
			return v, true, nil
		}
		return string(jsonpath.Append(nil, v)), true, nil
	}
	return nil, false, nil
}

// param searches the path, the query and the headers, in this order.
func (n *inputNode) param(name string) string {
	p := n.x.parameters()
	if v, ok := p.pathValue(name); ok {
		return v
	}
	if v := p.queryValues(name); len(v) > 0 {
		return v[len(v)-1]
	}
	if v := n.x.header(http.CanonicalHeaderKey(name)); len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

func (n *inputNode) params() *jsonpath.Object {
	p := n.x.parameters()
	path, query, header, all := &jsonpath.Object{}, &jsonpath.Object{}, &jsonpath.Object{}, &jsonpath.Object{}
	for _, f := range p.path {
		path.Set(f.name, f.value)
	}
	for _, q := range p.query {
		query.Set(q.name, q.values[len(q.values)-1])
	}
	n.x.restHeaders(len(n.x.body), func(name string, values []string) { header.Set(name, values[len(values)-1]) })
	all.Set("path", path)
	all.Set("querystring", query)
	all.Set("header", header)
	return all
}

// utilNode is $util.
type utilNode struct{}

func (utilNode) Property(string) any { return nil }

func (utilNode) Call(name string, args []any) (any, bool, error) {
	if len(args) != 1 {
		return nil, false, nil
	}
	if args[0] == nil {
		return nil, true, nil
	}
	s := vtl.Text(args[0])
	switch name {
	case "escapeJavaScript":
		return escapeJavaScript(s), true, nil
	case "parseJson":
		v, err := jsonpath.Decode([]byte(s))
		if err != nil {
			return nil, true, fmt.Errorf("$util.parseJson: %w", err)
		}
		return v, true, nil
	case "urlEncode":
		return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(s), "~", "%7E"), "%2A", "*"), true, nil
	case "urlDecode":
		v, err := url.QueryUnescape(s)
		if err != nil {
			return nil, true, fmt.Errorf("$util.urlDecode: %w", err)
		}
		return v, true, nil
	case "base64Encode":
		return base64.StdEncoding.EncodeToString([]byte(s)), true, nil
	case "base64Decode":
		v, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return nil, true, fmt.Errorf("$util.base64Decode: %w", err)
		}
		return strings.ToValidUTF8(string(v), "\uFFFD"), true, nil
	}
	return nil, false, nil
}

// escapeJavaScript escapes as Apache Commons' StringEscapeUtils does: quotes of both kinds, the slash, and all
// that is not ASCII.
func escapeJavaScript(s string) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+len(s)/8)
	for _, r := range s {
		switch {
		case r == '\'' || r == '"' || r == '\\' || r == '/':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r == '\b':
			b = append(b, '\\', 'b')
		case r == '\f':
			b = append(b, '\\', 'f')
		case r >= ' ' && r < 0x7f:
			b = append(b, byte(r))
		default:
			for _, u := range utf16.AppendRune(nil, r) {
				b = append(b, '\\', 'u', digits[u>>12], digits[u>>8&15], digits[u>>4&15], digits[u&15])
			}
		}
	}
	return string(b)
}

// render runs a template on a body.
func (x *restExchange) render(t *template, body []byte, text string, response bool) ([]byte, error) {
	if t.err != nil {
		return nil, t.err
	}
	return t.Execute(x.r.Context(), map[string]any{
		"input": &inputNode{x: x, body: body, text: text}, "util": utilNode{}, "context": contextNode{x: x, response: response}, "stageVariables": variablesNode{x},
	}, vtl.Limits{})
}

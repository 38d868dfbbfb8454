package gateway

import (
	"crypto/tls"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
	"github.com/gatehouse-dev/gatehouse/internal/vtl"
)

// restPlan is what the gateway makes of a snapshot of a REST API, once.
type restPlan struct {
	api       authorizer.API
	domain    string
	log       *logFormat
	methods   []restMethod // by Method.Index
	variables string       // stage variables as JSON, "" without any
	names     []string     // of the stage variables, sorted
	transport http.RoundTripper
	insecure  http.RoundTripper // does not verify certificates
}

// newTLSTransport makes a transport with certificates of its own.
func newTLSTransport(config *tls.Config, insecure bool) http.RoundTripper {
	config = config.Clone()
	config.InsecureSkipVerify = insecure // tlsConfig.insecureSkipVerification, which the API's owner has chosen
	return &http.Transport{TLSClientConfig: config, IdleConnTimeout: maxIdle, MaxIdleConnsPerHost: maxIdlePerHost, DisableCompression: true, ForceAttemptHTTP2: true}
}

// restMethod is what is the same for all requests to a method.
type restMethod struct {
	*restapis.Method
	authorizer authorizer.Authorizer // nil: none of its own
	open       bool                  // NONE: the resource policy alone decides
	cognito    bool                  // the resource policy decides beside it
	throttle   *bucket
	limit      string

	source string // ARN for the function's policy; "" where the method is ANY

	requests  map[string]*template // request templates by content type
	responses []restResponse
	mappings  []mapping
}

// restResponse is an integration response, compiled.
type restResponse struct {
	*restapis.IntegrationResponse
	templates map[string]*template
	order     []string // content types of the templates
	mappings  []mapping
}

// template is a mapping template, or why it is none.
type template struct {
	*vtl.Template
	err error
}

// mapping sets one parameter.
type mapping struct {
	in, name string // of the target
	source   source
}

// source is where a parameter's value comes from.
type source struct {
	kind  sourceKind
	name  string         // of the parameter, the context or stage variable; the text of a literal
	path  *jsonpath.Path // into the body; nil: all of it
	fault string
}

type sourceKind uint8

const (
	fromLiteral sourceKind = iota
	fromHeader
	fromQuery
	fromPath
	fromMultiHeader
	fromMultiQuery
	fromBody
	fromContext
	fromVariable
)

func (k *restAPIs) compile(s *restapis.Snapshot) any {
	p := &restPlan{api: authorizer.API{ID: s.APIID, Stage: s.Stage, Region: s.Region, Account: s.Account}, methods: make([]restMethod, len(s.Methods)),
		domain: s.APIID + ".execute-api." + s.Region + ".amazonaws.com", names: slices.Sorted(maps.Keys(s.Variables)), transport: k.g.transport, insecure: k.insecure}
	if s.Certificate != nil && k.g.Transport == nil {
		config := &tls.Config{Certificates: []tls.Certificate{*s.Certificate}}
		p.transport, p.insecure = newTLSTransport(config, false), newTLSTransport(config, true)
	}
	if len(p.names) > 0 {
		b := []byte{'{'}
		for i, name := range p.names {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, name), ':')
			b = appendString(b, s.Variables[name])
		}
		p.variables = string(append(b, '}'))
	}
	if l := s.AccessLog; l != nil {
		if _, group, ok := strings.Cut(l.Destination, ":log-group:"); ok {
			p.log = newLogFormat(s.Region, strings.TrimSuffix(group, ":*"), s.APIID+"/"+s.Stage, l.Format)
		}
	}
	for i, m := range s.Methods {
		p.methods[i] = k.compileMethod(p, s, m)
	}
	return p
}

func (k *restAPIs) compileMethod(p *restPlan, s *restapis.Snapshot, m *restapis.Method) restMethod {
	out := restMethod{Method: m}
	k.compileAuthorizer(&out, p, s)
	if t := m.Settings.Throttle; t != nil {
		out.throttle, out.limit = newBucket(t)
	}
	in := m.Integration
	if in == nil {
		return out
	}
	if m.HTTP != "ANY" {
		out.source = s.ARN(m.HTTP, m.Resource.Path)
	}
	out.requests = compileTemplates(in.Templates)
	out.mappings = compileMappings(in.Parameters)
	for _, r := range in.Responses {
		out.responses = append(out.responses, restResponse{IntegrationResponse: r, templates: compileTemplates(r.Templates),
			order: slices.Sorted(maps.Keys(r.Templates)), mappings: compileMappings(r.Parameters)})
	}
	return out
}

func newBucket(t *restapis.Throttle) (*bucket, string) {
	return &bucket{rate: t.Rate, burst: float64(t.Burst), tokens: float64(t.Burst)},
		"at most " + strconv.FormatFloat(t.Rate, 'f', -1, 64) + " a second, " + strconv.FormatInt(t.Burst, 10) + " at once"
}

func compileTemplates(texts map[string]string) map[string]*template {
	if len(texts) == 0 {
		return nil
	}
	out := make(map[string]*template, len(texts))
	for ct, text := range texts {
		t, err := vtl.Compile(text)
		out[strings.ToLower(ct)] = &template{t, err}
	}
	return out
}

func compileMappings(list []restapis.Mapping) []mapping {
	out := make([]mapping, len(list))
	for i, m := range list {
		out[i] = mapping{in: m.In, name: m.Name, source: compileSource(m.Source)}
		if m.In == "header" {
			out[i].name = http.CanonicalHeaderKey(m.Name)
		}
	}
	return out
}

// compileSource reads the right side of a parameter mapping.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
func compileSource(s string) source {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return source{kind: fromLiteral, name: s[1 : len(s)-1]}
	}
	if name, ok := strings.CutPrefix(s, "context."); ok {
		return source{kind: fromContext, name: name}
	}
	if name, ok := strings.CutPrefix(s, "stageVariables."); ok {
		return source{kind: fromVariable, name: name}
	}
	rest, ok := strings.CutPrefix(s, "method.request.")
	if !ok {
		rest, ok = strings.CutPrefix(s, "integration.response.")
	}
	kind, name, named := strings.Cut(rest, ".")
	if ok {
		switch kind {
		case "header":
			return source{kind: fromHeader, name: http.CanonicalHeaderKey(name)}
		case "multivalueheader":
			return source{kind: fromMultiHeader, name: http.CanonicalHeaderKey(name)}
		case "querystring":
			return source{kind: fromQuery, name: name}
		case "multivaluequerystring":
			return source{kind: fromMultiQuery, name: name}
		case "path":
			return source{kind: fromPath, name: name}
		case "body":
			out := source{kind: fromBody}
			if named && name != "" {
				p, err := jsonpath.Parse("$." + name)
				if err != nil {
					out.fault = "the JSONPath of " + s + " is none: " + err.Error()
				}
				out.path = p
			}
			return out
		}
	}
	return source{fault: "no such source of a parameter: " + s}
}

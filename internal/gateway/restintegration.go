package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
)

// invokeProxy answers with what the method's function says: AWS_PROXY.
func (x *restExchange) invokeProxy() {
	in := x.method.Integration
	if in.FunctionARN == "" {
		x.unsupported()
		return
	}
	body, ok := x.requestBody()
	if !ok {
		return
	}
	if !x.permitted() {
		x.broken()
		return
	}
	buf := buffers.Get().(*[]byte)
	event := x.appendEvent((*buf)[:0], body)
	if len(event) > maxPayload {
		x.trace.Fail("integration", "the event is larger than a function takes", itoa(len(event))+" bytes", "at most 6 MB")
		x.refuseAs(v1.GatewayResponseTypeRequestTooLarge, "Request Too Long")
		return
	}
	*buf = event
	if x.notes != nil {
		x.noteData("Endpoint request body after transformations: %s", event)
		x.note("Sending request to %s", in.URI)
	}
	out, how := x.callFunction(in.FunctionARN, x.timeout(), buf)
	if x.notes != nil {
		x.note("Received response. Status: %d, Integration latency: %d ms", x.integrationStatus, x.integrationMillis)
		x.noteData("Endpoint response body before transformations: %s", out)
	}
	switch how {
	case callTimedOut:
		x.timedOut()
		return
	case callFailed:
		x.badGateway()
		return
	case callThrottled, callImpossible:
		x.broken()
		return
	}
	a := answer{fallback: http.StatusOK}
	err := parseProxyAnswer(&a, out)
	var content []byte
	if err == nil {
		content, err = x.proxyBody(&a)
	}
	if err != nil {
		x.integrationError = "Malformed Lambda proxy response"
		x.trace.Fail("integration", "the function's answer is not one that API Gateway takes: "+err.Error(), excerpt(out),
			`{"statusCode": 200, "headers": {…}, "multiValueHeaders": {…}, "body": "text", "isBase64Encoded": false} and nothing else`)
		x.badGateway()
		return
	}
	x.trace.Pass("integration", in.FunctionARN)
	h := x.w.Header()
	for _, f := range a.headers {
		setHeader(h, f.name, f.value)
	}
	h["X-Amzn-Trace-Id"] = []string{x.traceID()}
	x.write(a.status, contentJSON[0], content)
}

// parseProxyAnswer reads what a function says to a REST API: an object of known members only.
func parseProxyAnswer(a *answer, out []byte) error {
	switch {
	case len(out) > maxPayload:
		return errors.New("it is larger than 6 MB")
	case !json.Valid(out) || first(out) != '{':
		return errors.New("it is not a JSON object")
	}
	err := members(out, func(key string, _ []byte) error {
		switch key {
		case "statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded":
			return nil
		}
		return errors.New("it has the member " + excerpt([]byte(key)))
	})
	if err != nil {
		return err
	}
	return a.parse(out, false)
}

// proxyBody is what the client gets of a function's body: decoded, if it is in base64 and the client accepts one of
// the API's binary media types.
func (x *restExchange) proxyBody(a *answer) ([]byte, error) {
	if !a.base64 || !x.acceptsBinary() {
		return []byte(a.body), nil
	}
	out, err := base64.StdEncoding.DecodeString(a.body)
	if err != nil {
		return nil, errors.New("its body is not base64, as it says")
	}
	return out, nil
}

// acceptsBinary looks at the first type that the client accepts, as API Gateway does.
func (x *restExchange) acceptsBinary() bool {
	t, _, _ := strings.Cut(x.r.Header.Get("Accept"), ",")
	if t == "" {
		t = contentJSON[0]
	}
	return x.snap.Binary(t)
}

// unsupported refuses the actions of services that are not called from here.
func (x *restExchange) unsupported() {
	name := x.method.Integration.URI
	if a := x.method.Integration.Action; a != nil {
		name = a.Service + ":" + a.Action + a.Path
	}
	x.integrationError = "AWS integrations with services other than Lambda are not supported: " + name
	x.trace.Fail("integration", x.integrationError, name, "the invocation of a function")
	x.broken()
}

// request is what goes to a back end that is not a proxy's.
type request struct {
	body        []byte
	contentType string
	header      http.Header
	query       []parameter
	path        map[string]pathValue
}

type pathValue struct {
	value  string
	greedy bool
}

// build maps the request. It reports false if it has answered.
func (x *restExchange) build() (*request, bool) {
	in := x.method.Integration
	body, ok := x.requestBody()
	if !ok {
		return nil, false
	}
	out := &request{contentType: x.r.Header.Get("Content-Type"), header: http.Header{}, path: map[string]pathValue{}}
	mapped := in.Type != v1.IntegrationTypeHttpProxy
	out.body = body
	if mapped {
		text := x.bodyText(body)
		switch {
		case in.Content == "CONVERT_TO_TEXT" && x.snap.Binary(out.contentType):
			text = base64.StdEncoding.EncodeToString(body)
			body, out.body = []byte(text), []byte(text)
		case in.Content == "CONVERT_TO_BINARY":
			if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
				out.body = decoded
			}
		}
		ct := mediaType(out.contentType)
		t := x.method.requests[ct]
		switch {
		case t != nil:
			rendered, err := x.render(t, body, text, false)
			if err != nil {
				x.templateFailed("request", err)
				return nil, false
			}
			out.body, out.contentType = rendered, ct
			x.trace.Pass("request template", ct)
		case in.Passthrough == "NEVER" || in.Passthrough == "WHEN_NO_TEMPLATES" && len(x.method.requests) > 0:
			x.trace.Fail("request template", "the integration has none for this content type, and passes nothing through ("+in.Passthrough+")", ct, "another content type")
			x.refuseAs(v1.GatewayResponseTypeUnsupportedMediaType, "Unsupported Media Type")
			return nil, false
		}
	}
	for i := range x.method.mappings {
		m := &x.method.mappings[i]
		values, ok := x.value(&m.source)
		if m.source.fault != "" {
			x.trace.Fail("request parameters", m.source.fault, "", "")
			x.broken()
			return nil, false
		}
		if !ok {
			continue
		}
		switch m.in {
		case "header":
			out.header[m.name] = values
		case "querystring":
			out.query = append(out.query, parameter{m.name, values})
		case "path":
			v := pathValue{value: values[0]}
			if v.greedy = m.source.kind == fromPath && x.greedy(m.source.name); v.greedy {
				v.value = x.greedyValue()
			}
			out.path[m.name] = v
		}
	}
	x.override.header.each(func(name string, values []string) { out.header[http.CanonicalHeaderKey(name)] = values })
	x.override.path.each(func(name string, values []string) { out.path[name] = pathValue{value: values[0]} })
	x.override.query.each(func(name string, values []string) {
		for i := range out.query {
			if out.query[i].name == name {
				out.query[i].values = values
				return
			}
		}
		out.query = append(out.query, parameter{name, values})
	})
	return out, true
}

// greedyValue is what the resource's greedy variable takes of the path, its encoded slashes still as %2F.
func (x *restExchange) greedyValue() (value string) {
	x.method.Resource.PathParameters(x.path, func(_, v string) { value = v }) // it is the last
	return value
}

func (x *restExchange) greedy(variable string) bool {
	for _, s := range x.method.Resource.Segments {
		if s == "{"+variable+"+}" {
			return true
		}
	}
	return false
}

// mediaType is a content type without its parameters, that of no type JSON.
func mediaType(s string) string {
	t, _, _ := strings.Cut(s, ";")
	if t = strings.ToLower(strings.TrimSpace(t)); t == "" {
		return contentJSON[0]
	}
	return t
}

// templateFailed answers for a template that could not be executed.
func (x *restExchange) templateFailed(which string, err error) {
	x.trace.Fail(which+" template", err.Error(), "", "")
	var bad errBody
	if which == "request" && errors.As(err, &bad) {
		x.refuseAs(v1.GatewayResponseTypeBadRequestBody, bad.Error())
		return
	}
	x.integrationError = "the " + which + " template failed: " + err.Error()
	x.broken()
}

// result is what a back end has answered.
type result struct {
	status string // that selection patterns see: of a function its errorMessage, "" without an error
	code   int
	header http.Header
	body   []byte
}

// invokeMapped runs a function with what the mapping makes of the request, and maps its answer: AWS.
func (x *restExchange) invokeMapped() {
	in := x.method.Integration
	if in.FunctionARN == "" {
		x.unsupported()
		return
	}
	req, ok := x.build()
	if !ok {
		return
	}
	if !x.permitted() {
		x.broken()
		return
	}
	if len(req.body) == 0 {
		req.body = []byte("{}")
	}
	switch {
	case !json.Valid(req.body):
		x.trace.Fail("integration", "what the mapping makes is not JSON, which functions take", itoa(len(req.body))+" bytes", "JSON")
		x.integrationError = "Could not parse request body into json"
		x.broken()
		return
	case len(req.body) > maxPayload:
		x.trace.Fail("integration", "the event is larger than a function takes", itoa(len(req.body))+" bytes", "at most 6 MB")
		x.refuseAs(v1.GatewayResponseTypeRequestTooLarge, "Request Too Long")
		return
	}
	if strings.EqualFold(req.header.Get("X-Amz-Invocation-Type"), "Event") {
		x.invokeLater(req.body)
		return
	}
	if x.notes != nil {
		x.noteData("Endpoint request body after transformations: %s", req.body)
		x.note("Sending request to %s", in.URI)
	}
	out, how := x.callMapped(in.FunctionARN, req.body)
	if x.notes != nil {
		x.note("Received response. Status: %d, Integration latency: %d ms", x.integrationStatus, x.integrationMillis)
		x.noteData("Endpoint response body before transformations: %s", out)
	}
	switch how {
	case callTimedOut:
		x.timedOut()
		return
	case callThrottled, callImpossible:
		x.broken()
		return
	}
	res := &result{code: http.StatusOK, header: http.Header{}, body: out}
	if how == callFailed {
		var e struct{ ErrorMessage string }
		if json.Unmarshal(out, &e) != nil {
			e.ErrorMessage = string(out)
		}
		res.status = e.ErrorMessage
	} else {
		x.trace.Pass("integration", in.FunctionARN)
	}
	x.respond(res)
}

// callMapped is callFunction, but it returns what a failed function has said.
func (x *restExchange) callMapped(arn string, event []byte) ([]byte, outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), x.timeout())
	defer cancel()
	began := x.g.Now()
	out, functionError, err := x.g.Invoker.InvokeFunction(ctx, arn, event)
	x.integrationMillis = x.g.Now().Sub(began).Milliseconds()
	if err != nil {
		return nil, x.notRun(arn, x.timeout(), err)
	}
	x.integrationStatus = http.StatusOK
	if functionError != "" {
		x.functionFailed(arn, functionError, out)
		return out, callFailed
	}
	return out, callAnswered
}

// invokeLater runs a function without waiting for it (X-Amz-Invocation-Type: Event).
func (x *restExchange) invokeLater(event []byte) {
	arn, ctx, g := x.method.Integration.FunctionARN, context.WithoutCancel(x.r.Context()), x.g
	go func() {
		ctx, cancel := context.WithTimeout(ctx, 15*time.Minute) // the longest that a function runs
		defer cancel()
		if _, _, err := g.Invoker.InvokeFunction(ctx, arn, event); err != nil {
			g.Logger.Error("function cannot be invoked", "function", arn, "error", err)
		}
	}()
	x.integrationStatus = http.StatusAccepted
	x.trace.Pass("integration", "event for "+arn)
	x.respond(&result{code: http.StatusAccepted, header: http.Header{}})
}

// statusOfMock finds the status in what the template of a mock makes. It takes what is nearly JSON, as API Gateway
// does: { statusCode: 200 } is how the CDK writes it.
var statusOfMock = regexp.MustCompile(`^\s*\{(?s:.*?)["']?statusCode["']?\s*:\s*["']?([1-5][0-9]{2})\b`)

// mock answers without a back end.
func (x *restExchange) mock() {
	req, ok := x.build()
	if !ok {
		return
	}
	m := statusOfMock.FindSubmatch(req.body)
	if m == nil {
		x.trace.Fail("integration", "the template of a mock makes no statusCode", itoa(len(req.body))+" bytes", `{"statusCode": 200}`)
		x.integrationError = "the mock has no statusCode"
		x.broken()
		return
	}
	code, _ := strconv.Atoi(string(m[1]))
	x.integrationStatus = code
	x.trace.Pass("integration", "mock, status "+string(m[1]))
	x.respond(&result{status: string(m[1]), code: code, header: http.Header{}})
}

// respond maps the answer of a back end.
func (x *restExchange) respond(res *result) {
	r := x.selectResponse(res)
	if r == nil {
		x.trace.Fail("integration response", "none of the integration's responses takes this answer, and there is no default", excerpt([]byte(res.status)), "an integration response")
		x.integrationError = "No match for output mapping and no default endpoint response mapping configured"
		x.broken()
		return
	}
	x.trace.Pass("integration response", r.Status)
	body, contentType := res.body, res.header.Get("Content-Type")
	if r.Content == "CONVERT_TO_TEXT" {
		body = []byte(base64.StdEncoding.EncodeToString(body))
	}
	x.override = overrides{}
	if len(r.templates) > 0 {
		contentType = x.chooseType(r.order)
		out, err := x.render(r.templates[strings.ToLower(contentType)], body, string(body), true)
		if err != nil {
			x.templateFailed("response", err)
			return
		}
		body = out
	} else if contentType == "" {
		contentType = contentJSON[0]
	}
	if r.Content == "CONVERT_TO_BINARY" {
		if decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(body))); err == nil {
			body = decoded
		}
	}
	h := x.w.Header()
	var doc any
	var docErr error
	read := false
	for i := range r.mappings {
		m := &r.mappings[i]
		if m.in != "header" {
			continue
		}
		var values []string
		ok := false
		switch s := &m.source; s.kind {
		case fromHeader, fromMultiHeader:
			if values = res.header[s.name]; len(values) > 0 {
				if ok = true; s.kind == fromHeader {
					values = values[len(values)-1:]
				}
			}
		case fromBody:
			if s.path == nil {
				values, ok = []string{string(res.body)}, true
				break
			}
			if !read {
				read = true
				doc, docErr = document(res.body)
			}
			values, ok = bodyValue(doc, docErr, s)
		default:
			values, ok = x.value(s)
		}
		if ok {
			setMapped(h, m.name, values)
		}
	}
	x.override.header.each(func(name string, values []string) { setMapped(h, http.CanonicalHeaderKey(name), values) })
	status := r.Code
	if x.override.status != 0 {
		status = x.override.status
	}
	h["X-Amzn-Trace-Id"] = []string{x.traceID()}
	if x.notes != nil {
		x.noteData("Method response body after transformations: %s", body)
	}
	x.write(status, contentType, body)
}

// setMapped sets a header of the answer that the API's owner has mapped.
func setMapped(h http.Header, name string, values []string) {
	var good []string
	for _, v := range values {
		if validHeader(name, v) && !hopByHop(name) && name != "Content-Length" {
			good = append(good, v)
		}
	}
	if len(good) > 0 {
		h[name] = good
	}
}

// selectResponse finds the integration response for an answer, nil if there is none.
func (x *restExchange) selectResponse(res *result) *restResponse {
	for i := range x.method.responses {
		r := &x.method.responses[i]
		if r.Pattern == nil || res.status != "" && r.Pattern.MatchString(res.status) {
			return r
		}
	}
	return nil
}

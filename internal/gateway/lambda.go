package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// maxPayload bounds what a function takes and answers.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxPayload = 6 << 20

// buffers holds *[]byte in which events are assembled.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

// invoke answers with what the route's function says.
func (x *exchange) invoke() {
	in := x.route.Integration
	body, ok := x.readBody()
	if !ok || !x.mayInvoke() {
		return
	}
	buf := buffers.Get().(*[]byte)
	event := (*buf)[:0]
	if in.Version == "2.0" {
		event = x.appendEvent2(event, body)
	} else {
		event = x.appendEvent1(event, body)
	}
	if len(event) > maxPayload {
		x.trace.Fail("integration", "the event is larger than a function takes", itoa(len(event))+" bytes", "at most 6 MB")
		x.fail(http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	// A client that goes away does not end the function's work, nor does it on AWS.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), in.Timeout)
	began := x.g.Now()
	out, functionError, err := x.g.Invoker.InvokeFunction(ctx, in.FunctionARN, event)
	cancel()
	x.integrationMillis = x.g.Now().Sub(began).Milliseconds()
	if err != nil {
		x.invokeFailed(err) // who failed may still hold the event: it does not go back
		return
	}
	if cap(event) <= 64<<10 {
		*buf = event[:0]
		buffers.Put(buf)
	}
	x.integrationStatus = http.StatusOK
	if functionError != "" {
		x.functionFailed(functionError, out)
		return
	}
	var a answer
	if in.Version == "2.0" {
		err = a.parse2(out)
	} else {
		err = a.parse1(out)
	}
	if err == nil && len(out) > maxPayload {
		err = errors.New("it is larger than 6 MB")
	}
	if err != nil {
		x.integrationError = "The response from the Lambda function doesn't match the format that API Gateway expects"
		x.trace.Fail("integration", "the function's answer is not one that API Gateway takes: "+err.Error(), excerpt(out), "an answer of payload format "+in.Version)
		x.fail(http.StatusInternalServerError, "Internal Server Error")
		return
	}
	x.trace.Pass("integration", in.FunctionARN)
	x.answerFunction(&a)
}

// mayInvoke checks that the API may invoke the function: through its resource policy, unless the
// integration names a role.
func (x *exchange) mayInvoke() bool {
	p := x.route
	in := p.Integration
	if in.Credentials != "" {
		x.trace.Pass("permission", in.Credentials)
		return true
	}
	source := p.sourceARN
	if p.Method == "ANY" {
		source += x.r.Method + p.pathARN
	}
	if x.g.Permitter.Permits(x.r.Context(), in.FunctionARN, "apigateway.amazonaws.com", source, x.snap.Account) {
		x.trace.Pass("permission", source)
		return true
	}
	x.integrationError = "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration. Check the permissions and try again."
	detail := "the function's resource policy does not let this API invoke it: " + in.FunctionARN
	if e, ok := x.g.Permitter.(explainer); ok {
		if _, why := e.Permission(x.r.Context(), in.FunctionARN, "apigateway.amazonaws.com", source, x.snap.Account); why != "" {
			detail += ": " + why
		}
	}
	x.trace.Fail("permission", detail, "source ARN "+source,
		"a statement for principal apigateway.amazonaws.com with lambda:InvokeFunction and this source ARN (lambda add-permission), or CredentialsArn on the integration")
	x.fail(http.StatusInternalServerError, "Internal Server Error")
	return false
}

// explainer is a Permitter that can say why.
type explainer interface {
	Permission(ctx context.Context, functionARN, principalService, sourceARN, account string) (ok bool, why string)
}

// readBody reads a body that a function will get.
func (x *exchange) readBody() ([]byte, bool) {
	r := x.r
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, true
	}
	if r.ContentLength > maxBody {
		x.tooLarge()
		return nil, false
	}
	var body []byte
	var err error
	if r.ContentLength > 0 {
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	}
	switch {
	case err != nil:
		x.trace.Fail("body", "the body could not be read", err.Error(), "")
		x.fail(http.StatusBadRequest, "Bad Request")
		return nil, false
	case len(body) > maxBody:
		x.tooLarge()
		return nil, false
	}
	return body, true
}

func (x *exchange) tooLarge() {
	x.trace.Fail("body", "the body is too large", "", "at most 10 MB")
	x.w.Header()["Connection"] = []string{"close"} // the rest of it is not read
	x.fail(http.StatusRequestEntityTooLarge, "Request Entity Too Large")
}

// invokeFailed answers when the function was not run, or not to its end.
func (x *exchange) invokeFailed(err error) {
	var e *shape.Error
	x.integrationError = err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		x.trace.Fail("integration", "the function took too long: "+x.route.Integration.FunctionARN, "", "an answer within "+x.route.Integration.Timeout.String())
		x.fail(http.StatusServiceUnavailable, "Service Unavailable")
	case errors.As(err, &e) && e.Code == "TooManyRequestsException":
		x.integrationStatus = e.Status
		x.trace.Fail("integration", "the function is throttled: "+x.route.Integration.FunctionARN, e.Message, "")
		x.fail(http.StatusServiceUnavailable, "Service Unavailable")
	default:
		if e != nil {
			x.integrationStatus = e.Status
		} else {
			x.g.Logger.Error("function cannot be invoked", "function", x.route.Integration.FunctionARN, "error", err)
		}
		x.trace.Fail("integration", "the function cannot be invoked: "+x.route.Integration.FunctionARN, err.Error(), "")
		x.fail(http.StatusInternalServerError, "Internal Server Error")
	}
}

// functionFailed answers for a function that threw, crashed or ran out of time.
func (x *exchange) functionFailed(kind string, payload []byte) {
	message := kind
	if json.Valid(payload) {
		_ = members(payload, func(key string, raw []byte) error {
			if key == "errorType" || key == "errorMessage" {
				if s, err := unquote(raw); err == nil {
					message += ": " + s
				}
			}
			return nil
		})
	}
	x.integrationError = excerpt([]byte(message))
	x.trace.Fail("integration", "the function failed: "+x.route.Integration.FunctionARN, excerpt([]byte(message)), "an answer; see the function's log")
	x.fail(http.StatusInternalServerError, "Internal Server Error")
}

// excerpt cuts text for a trace.
func excerpt(b []byte) string {
	const limit = 300
	if len(b) <= limit {
		return string(b)
	}
	b = b[:limit]
	for len(b) > 0 && !utf8.RuneStart(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return string(b[:max(0, len(b)-1)]) + "…"
}

// answerFunction writes a function's answer.
func (x *exchange) answerFunction(a *answer) {
	body := []byte(a.body)
	if a.base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.body); err != nil {
			x.trace.Fail("integration", "the function's answer says that its body is base64, which it is not", "", "standard base64")
			x.fail(http.StatusInternalServerError, "Internal Server Error")
			return
		}
	}
	h := x.w.Header()
	own := x.plan.cors != nil
	for _, f := range a.headers {
		name := http.CanonicalHeaderKey(f.name)
		if ownHeader(name) || own && corsHeader(name) {
			continue
		}
		h[name] = append(h[name], f.value)
	}
	if len(a.cookies) > 0 {
		h["Set-Cookie"] = append(h["Set-Cookie"], a.cookies...)
	}
	if h["Content-Type"] == nil && a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		h["Content-Type"] = contentText
	}
	x.cors(h)
	bare := a.status == http.StatusNoContent || a.status == http.StatusNotModified
	if !bare {
		h["Content-Length"] = []string{itoa(len(body))}
	}
	x.status, x.size = a.status, int64(len(body))
	x.w.WriteHeader(a.status)
	if !bare && x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // the client is gone: nobody to tell
	}
}

var contentText = []string{"text/plain; charset=utf-8"}

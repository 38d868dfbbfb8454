package gateway

import (
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
)

// invoke answers with what the route's function says.
func (x *httpExchange) invoke() {
	in := x.route.Integration
	body, err := x.ReadBody()
	if err != nil {
		x.badBody(err)
		return
	}
	if !x.permitted() {
		x.fail(http.StatusInternalServerError, "Internal Server Error")
		return
	}
	was, _, err := x.mapRequest()
	if err != nil {
		x.badBody(err)
		return
	}
	buf := buffers.Get().(*[]byte)
	event := (*buf)[:0]
	if in.Version == "2.0" {
		event = x.appendEvent2(event, body)
	} else {
		event = x.appendEvent1(event, body)
	}
	x.unmap(was)
	if len(event) > maxPayload {
		x.trace.Fail("integration", "the event is larger than a function takes", itoa(len(event))+" bytes", "at most 6 MB")
		x.fail(http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	*buf = event
	out, how := x.callFunction(in.FunctionARN, in.Timeout, buf)
	switch how {
	case callThrottled, callTimedOut:
		x.fail(http.StatusServiceUnavailable, "Service Unavailable")
		return
	case callFailed, callImpossible:
		x.fail(http.StatusInternalServerError, "Internal Server Error")
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

// permitted checks that the API may invoke the function: through its resource policy, or as the role that
// the integration names, or as the caller.
func (x *httpExchange) permitted() bool {
	p := x.route
	source := p.sourceARN
	if p.Method == "ANY" {
		source += x.r.Method + p.pathARN
	}
	switch in := p.Integration; in.Credentials {
	case "":
		return x.mayInvoke(in.FunctionARN, source)
	case httpapis.CallerCredentials:
		return x.mayInvokeAs(x.caller.Caller, in.FunctionARN)
	default:
		return x.mayInvokeByRole(in.Credentials, in.FunctionARN, source)
	}
}

// badBody answers for a body that could not be read.
func (x *httpExchange) badBody(err error) {
	if errors.Is(err, errTooLarge) {
		x.w.Header()["Connection"] = []string{"close"} // the rest of it is not read
		x.fail(http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	x.fail(http.StatusBadRequest, "Bad Request")
}

// answerFunction writes a function's answer.
func (x *httpExchange) answerFunction(a *answer) {
	body := []byte(a.body)
	if a.base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.body); err != nil {
			x.trace.Fail("integration", "the function's answer says that its body is base64, which it is not", "", "standard base64")
			x.fail(http.StatusInternalServerError, "Internal Server Error")
			return
		}
	}
	x.functionStatus = a.status
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
	a.status = x.mapAnswer(a.status, h, body)
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

package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/functions"
	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// FunctionURLs knows the URLs of functions: package functions.
type FunctionURLs interface {
	// FunctionURL returns the URL with an id. The error is functions.ErrNoURL if there is none.
	FunctionURL(ctx context.Context, id string) (*functions.URL, error)
}

// functionURLs serves the URLs of functions.
type functionURLs struct{ exchanges sync.Pool }

// urlTimeout is longer than any function may run.
const urlTimeout = 16 * time.Minute

// urlPlan is what is the same for all requests to a URL.
type urlPlan struct {
	*functions.URL
	api  authorizer.API
	cors *cors
	keys policy.Values // condition keys of the service
}

func compileURL(u *functions.URL) any {
	p := &urlPlan{URL: u, api: authorizer.API{ID: u.ID, Stage: "$default", Region: u.Region, Account: strings.Split(u.FunctionARN, ":")[4]},
		keys: policy.Values{"lambda:functionurlauthtype": {u.AuthType}, "lambda:invokedviafunctionurl": {"true"}, "lambda:functionarn": {u.FunctionARN}}}
	if c := u.CORS; c != nil {
		p.cors = newCORS(c.AllowOrigins, c.AllowMethods, c.AllowHeaders, c.ExposeHeaders, c.MaxAge, shape.Val(c.AllowCredentials))
	}
	return p
}

// ServeFunctionURL answers a request for the URL of a function: t.APIID is the URL's id. Errors are worded as
// Lambda's, and the request's id is in the header X-Amzn-Requestid.
//
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
func (g *Gateway) ServeFunctionURL(w http.ResponseWriter, r *http.Request, t Target) {
	x := g.urls.exchanges.Get().(*urlExchange)
	x.begin(g, w, r, t, "X-Amzn-Requestid", ident.UUID())
	x.serve()
	x.end(nil)
	x.plan = nil
	g.urls.exchanges.Put(x)
}

// urlExchange is a request for a function's URL on its way.
type urlExchange struct {
	exchange
	plan *urlPlan
}

func (x *urlExchange) serve() {
	u, err := (*functions.URL)(nil), functions.ErrNoURL
	if x.g.URLs != nil {
		u, err = x.g.URLs.FunctionURL(x.r.Context(), x.t.APIID)
	}
	if err != nil {
		if errors.Is(err, functions.ErrNoURL) {
			x.trace.Fail("function URL", "no function has such a URL", x.t.APIID, "the id of a function URL")
			x.forbidden()
			return
		}
		x.g.Logger.Error("function URL cannot be read", "url", x.t.APIID, "error", err)
		x.trace.Fail("function URL", "the configuration cannot be read", "", "")
		x.fail(http.StatusInternalServerError, "ServiceException", "Internal Server Error")
		return
	}
	x.plan = u.Memo(compileURL).(*urlPlan)
	x.api, x.domainName, x.routeKey = &x.plan.api, u.Host(), "$default"
	x.trace.Pass("function URL", u.FunctionARN)
	if x.full = x.t.Path; x.full == "" {
		x.full = "/"
	}
	if !callable(x.r.Method) {
		x.trace.Fail("method", "functions are not called with it", x.r.Method, "")
		x.fail(http.StatusMethodNotAllowed, "MethodNotAllowedException", "Method Not Allowed")
		return
	}
	h := x.r.Header
	if c := x.plan.cors; c != nil && x.r.Method == http.MethodOptions && h["Origin"] != nil && h["Access-Control-Request-Method"] != nil {
		if c.preflight(x.w.Header(), x.r) {
			x.trace.Pass("cors", "preflight answered by the URL's CORS configuration")
		} else {
			x.trace.Fail("cors", "the page's origin is not allowed", h.Get("Origin"), "one of the URL's AllowOrigins")
		}
		x.status = http.StatusOK
		x.w.WriteHeader(x.status)
		return
	}
	if !x.authorize() {
		return
	}
	x.invoke()
}

// authorize checks the signature where the URL wants one, and then, as for every call, that policies allow
// both lambda:InvokeFunctionUrl and lambda:InvokeFunction.
//
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
func (x *urlExchange) authorize() bool {
	ctx, out := x.context(), &x.caller
	x.auth = authorizer.Request{HTTP: x.r, API: x.api, Path: x.full, SourceIP: x.source, Start: x.start, Trace: x.trace, Body: x, Logger: x.g.Logger}
	if x.plan.AuthType == lambda.FunctionUrlAuthTypeAwsIam {
		if out.Caller = authorizer.Authenticate(ctx, x.g.IAM, &x.auth, "lambda", out); out.Caller == nil {
			x.refuse()
			return false
		}
	}
	resource, err := x.g.Permitter.FunctionPolicy(x.r.Context(), x.plan.FunctionARN)
	if err != nil {
		x.trace.Fail("permission", "the function cannot be found: "+x.plan.FunctionARN, err.Error(), "")
		x.forbidden()
		return false
	}
	for _, action := range [...]string{"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"} {
		authorizer.Allow(ctx, x.g.IAM, &x.auth, out.Caller, action, x.plan.FunctionARN, resource, x.plan.keys, out)
		if out.Refusal != authorizer.None {
			x.refuse()
			return false
		}
	}
	return true
}

// refuse answers for what the authorizer has found.
func (x *urlExchange) refuse() {
	switch c := &x.caller; {
	case x.bodyErr != nil:
		x.badBody(x.bodyErr)
	case c.Refusal == authorizer.Fault:
		x.fail(http.StatusInternalServerError, "ServiceException", "Internal Server Error")
	case c.Refusal == authorizer.Forbidden, c.Refusal == authorizer.NoSignature:
		x.forbidden()
	default:
		message, _, _ := strings.Cut(c.Message, "\n") // without the canonical request
		x.fail(http.StatusForbidden, c.Type, message)
	}
}

// forbidden answers as Lambda does to those who may not, whatever the reason.
func (x *urlExchange) forbidden() {
	x.answer(http.StatusForbidden, "AccessDeniedException",
		`{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}`)
}

func (x *urlExchange) badBody(err error) {
	if errors.Is(err, errTooLarge) {
		x.w.Header()["Connection"] = []string{"close"} // the rest of it is not read
		x.tooLarge()
		return
	}
	x.fail(http.StatusBadRequest, "InvalidRequestContentException", "Could not read the request body")
}

func (x *urlExchange) tooLarge() {
	x.fail(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Exceeded maximum allowed payload size (6291456 bytes).")
}

func (x *urlExchange) fail(status int, kind, message string) {
	x.answer(status, kind, string(append(appendField([]byte{'{'}, "message", message), '}')))
}

func (x *urlExchange) answer(status int, kind, body string) {
	h := x.w.Header()
	h["Content-Type"], h["X-Amzn-Errortype"] = contentJSON, []string{kind}
	x.write(status, []byte(body))
}

// write answers. What the URL says of CORS goes before what a function says of it.
func (x *urlExchange) write(status int, body []byte) {
	h := x.w.Header()
	if x.plan != nil && x.plan.cors != nil {
		x.plan.cors.apply(h, x.r)
	}
	bare := status == http.StatusNoContent || status == http.StatusNotModified
	if !bare {
		h["Content-Length"] = []string{itoa(len(body))}
	}
	x.status, x.size = status, int64(len(body))
	x.w.WriteHeader(status)
	if !bare && x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // the client is gone: nobody to tell
	}
}

// invoke answers with what the function says. A URL's path reaches the function as it was sent.
func (x *urlExchange) invoke() {
	body, err := x.ReadBody()
	if err != nil {
		x.badBody(err)
		return
	}
	buf := buffers.Get().(*[]byte)
	event := append((*buf)[:0], `{"version":"2.0","routeKey":"$default","rawPath":`...)
	event = x.appendRequest2(event, len(body))
	event = append(event, `,"requestContext":{`...)
	account := "anonymous"
	if c := x.caller.Caller; c != nil {
		account = c.Account
	}
	event = appendField(event, "accountId", account)
	event = append(event, ',')
	event = appendField(event, "apiId", x.t.APIID)
	event = x.appendCaller2(event, "null")
	event = x.appendContext2(event, `"$default"`, `"$default"`)
	event = append(event, '}')
	event = x.appendBody2(event, body)
	if *buf = event; len(event) > maxPayload {
		x.trace.Fail("integration", "the event is larger than a function takes", itoa(len(event))+" bytes", "at most 6 MB")
		x.tooLarge()
		return
	}
	out, how := x.callFunction(x.plan.FunctionARN, urlTimeout, buf)
	switch how {
	case callThrottled:
		x.fail(http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
		return
	case callTimedOut:
		x.fail(http.StatusGatewayTimeout, "", "Endpoint request timed out")
		return
	case callFailed, callImpossible:
		x.broken()
		return
	}
	var a answer
	err = a.parse2(out)
	content := []byte(a.body)
	if err == nil && a.base64 {
		content, err = base64.StdEncoding.DecodeString(a.body)
	}
	if err != nil {
		x.trace.Fail("integration", "the function's answer is not one that a URL takes: "+err.Error(), excerpt(out), "an answer of payload format 2.0")
		x.broken()
		return
	}
	x.trace.Pass("integration", x.plan.FunctionARN)
	h := x.w.Header()
	for _, f := range a.headers {
		name := http.CanonicalHeaderKey(f.name)
		if hopByHop(name) || name == "Content-Length" || name == "X-Amzn-Requestid" || x.plan.cors != nil && corsHeader(name) {
			continue
		}
		h[name] = append(h[name], f.value)
	}
	if len(a.cookies) > 0 {
		h["Set-Cookie"] = append(h["Set-Cookie"], a.cookies...)
	}
	if h["Content-Type"] == nil && a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		h["Content-Type"] = contentJSON
	}
	h["X-Amzn-Trace-Id"] = []string{x.traceID()}
	x.write(a.status, content)
}

// broken answers for a function that has not answered, or not well.
func (x *urlExchange) broken() {
	x.w.Header()["Content-Type"] = contentJSON
	x.write(http.StatusBadGateway, []byte("Internal Server Error"))
}

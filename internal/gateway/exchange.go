package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

// exchange is one request on its way: what all kinds of APIs share. Each kind embeds it in an exchange of
// its own, which is used again for other requests.
type exchange struct {
	g  *Gateway
	w  http.ResponseWriter
	r  *http.Request
	t  Target
	id string

	start  time.Time
	trace  *trace.Trace
	source string // address of the client
	xray   string // X-Ray trace id, once one was made

	api        *authorizer.API // nil until the stage is known
	domainName string          // that events of requests show which came by path; "" until the stage is known
	full       string          // the path, decoded, with the stage: what functions see
	routeKey   string          // for access logs; "" until there is a route

	auth   authorizer.Request
	caller authorizer.Result // what the authorizer, if any, has found

	body     []byte // once it was read
	bodyErr  error
	bodyRead bool

	abort             bool // the answer broke off
	status            int
	size              int64
	integrationStatus int
	integrationMillis int64
	integrationError  string
	functionStatus    int    // that the code of a function returned
	endpointID        string // request id of the AWS service that the integration asked
	endpointID2       string // its second one, of S3
	errorMessage      string // of the gateway's own answer

	names []string // scratch: names of headers
}

// begin makes x the exchange of a request. idHeader is the header in which the client finds its id.
func (x *exchange) begin(g *Gateway, w http.ResponseWriter, r *http.Request, t Target, idHeader, id string) {
	names := x.names[:0]
	*x = exchange{g: g, w: w, r: r, t: t, id: id, start: g.Now(), names: names}
	x.source = host(r.RemoteAddr)
	w.Header()[idHeader] = []string{x.id}
	if g.Recorder == nil {
		return
	}
	x.trace = &trace.Trace{RequestID: x.id, Time: x.start, Method: r.Method, Host: r.Host, Path: t.Path, SourceIP: x.source, API: t.APIID,
		Steps: make([]trace.Step, 0, 10)}
	if t.mapped != "" {
		x.trace.Pass("domain", t.mapped)
	}
	if tr := x.trace; len(r.RequestURI) > 1000 { // parts of it would hold all of it for as long as the trace is kept
		tr.Method, tr.Path, tr.API = strings.Clone(tr.Method), strings.Clone(tr.Path), strings.Clone(tr.API)
	}
}

// end closes the books on a request that was answered, and empties x.
func (x *exchange) end(log *logFormat) {
	took := x.g.Now().Sub(x.start)
	if log != nil {
		x.logAccess(log, took)
	}
	if x.trace != nil {
		x.trace.Status, x.trace.Micros = x.status, took.Microseconds()
		x.g.Recorder.Record(x.trace)
	}
	names := x.names
	clear(names)
	*x = exchange{names: names} // nothing of this request stays reachable
}

// context returns the request's context with its trace, for those who note steps of their own.
func (x *exchange) context() context.Context {
	if x.trace == nil {
		return x.r.Context()
	}
	return trace.With(x.r.Context(), x.trace)
}

// authorize asks an authorizer; what it finds is in x.caller. path is the request's, without the stage; self
// is the exchange that x is part of.
func (x *exchange) authorize(a authorizer.Authorizer, path string, self authorizer.Body) bool {
	x.auth = authorizer.Request{HTTP: x.r, API: x.api, Path: path, SourceIP: x.source, Start: x.start, Trace: x.trace, Body: self, Logger: x.g.Logger}
	a.Authorize(&x.auth, &x.caller)
	return x.caller.Refusal == authorizer.None
}

var errTooLarge = errors.New("the body is larger than 10 MB")

// ReadBody returns the whole body. The error is errTooLarge, or why it could not be read; it is a step of
// the trace.
func (x *exchange) ReadBody() ([]byte, error) {
	if !x.bodyRead {
		x.bodyRead = true
		x.body, x.bodyErr = readBody(x.r)
		switch {
		case x.bodyErr == nil:
		case errors.Is(x.bodyErr, errTooLarge):
			x.trace.Fail("body", "the body is too large", "", "at most 10 MB")
			x.drain()
		default:
			x.trace.Fail("body", "the body could not be read", x.bodyErr.Error(), "")
		}
	}
	return x.body, x.bodyErr
}

// Of a body that is too large, so much is still taken in, and for so long: clients that send all before they
// listen would find the connection cut, not the answer.
const (
	maxDrained = 4 * maxBody
	drainTime  = 5 * time.Second
)

func (x *exchange) drain() {
	if x.r.ContentLength > maxDrained || x.r.Header["Expect"] != nil { // who waits for leave to send hears the answer
		return
	}
	http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(drainTime))
	io.CopyN(io.Discard, x.r.Body, maxDrained)
}

// maxTrusted is the length of a body for which there is room before it has come.
const maxTrusted = 256 << 10

func readBody(r *http.Request) ([]byte, error) {
	switch {
	case r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0:
		return nil, nil
	case r.ContentLength > maxBody:
		return nil, errTooLarge
	case r.ContentLength > 0 && r.ContentLength <= maxTrusted:
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	case r.ContentLength > 0: // what has not come yet takes no memory
		b := bytes.NewBuffer(make([]byte, 0, maxTrusted))
		_, err := io.CopyN(b, r.Body, r.ContentLength)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return b.Bytes(), err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if len(body) > maxBody {
		return nil, errTooLarge
	}
	return body, err
}

// headSize counts what the limit counts: the request line and the values of the headers.
func headSize(r *http.Request) (size, line int) {
	line = len(r.Method) + len(r.RequestURI) + len(r.Proto) + 2
	size = line + len(r.Host)
	for _, values := range r.Header {
		for _, v := range values {
			size += len(v)
		}
	}
	return size, line
}

// host cuts the port from an address.
func host(addr string) string {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return addr
	}
	return strings.Trim(addr[:i], "[]")
}

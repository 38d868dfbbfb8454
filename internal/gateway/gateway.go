package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
	"github.com/gatehouse-dev/gatehouse/internal/token"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

// Invoker runs functions: package functions.
type Invoker interface {
	// InvokeFunction runs a function to its end. functionError is "" unless the function itself failed;
	// err is for what the service refuses: throttling, an unknown function.
	InvokeFunction(ctx context.Context, functionARN string, payload []byte) (out []byte, functionError string, err error)
}

// Permitter tells whether a function's resource policy lets a service invoke it: package functions.
type Permitter interface {
	Permits(ctx context.Context, functionARN, principalService, sourceARN, account string) bool
}

// TokenVerifier verifies structure and signature of tokens: package token.
type TokenVerifier interface {
	// Verify returns the token in raw if one of the issuer's keys has signed it. Claims and times are the
	// caller's to judge, each time. The error is a *token.Error.
	Verify(ctx context.Context, raw, issuer string) (*token.Token, error)
}

// LogSink takes the lines of access logs. It must not block.
type LogSink interface {
	Write(region, group, stream string, t time.Time, line []byte)
}

// Options make a Gateway.
type Options struct {
	HTTPAPIs  *httpapis.Service
	Invoker   Invoker
	Permitter Permitter
	Verifier  TokenVerifier
	Recorder  *trace.Recorder // nil: traces are not kept
	AccessLog LogSink         // nil: no access logs

	// SameIssuer tells whether two issuers that differ name the same user pool: a local pool has AWS's
	// form and one of this server. nil: never.
	SameIssuer func(a, b string) bool

	Transport http.RoundTripper // for HTTP integrations; nil: the gateway's own
	Logger    *slog.Logger      // nil: discard
	Now       func() time.Time  // nil: time.Now
}

// Target says which API a request is for.
type Target struct {
	APIID string
	Path  string // what follows the API's root, as the client encoded it, without the query
	Host  string // the API's own host as the client wrote it; "" for a request that named the API in its path
}

// Gateway serves requests to APIs. It is safe for concurrent use.
type Gateway struct {
	Options
	claims    claimsCache
	transport http.RoundTripper
	exchanges sync.Pool
}

// New makes a gateway of o.
func New(o Options) *Gateway {
	g := &Gateway{Options: o, transport: o.Transport}
	if g.transport == nil {
		g.transport = newClient()
	}
	if g.Logger == nil {
		g.Logger = slog.New(slog.DiscardHandler)
	}
	if g.Now == nil {
		g.Now = time.Now
	}
	g.exchanges.New = func() any { return new(exchange) }
	return g
}

// maxHead bounds the request line and the values of the headers together, in bytes, and maxBody bodies.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	maxHead = 10240
	maxBody = 10 << 20
)

// exchange is one request on its way. It is used again for others.
type exchange struct {
	g  *Gateway
	w  http.ResponseWriter
	r  *http.Request
	t  Target
	id string

	start  time.Time
	trace  *trace.Trace
	snap   *httpapis.Snapshot
	plan   *plan
	route  *routePlan
	path   string // decoded, without the stage
	full   string // decoded, with the stage: what functions see
	source string // address of the client
	xray   string // X-Ray trace id, once one was made

	claims *token.Token // of a request that an authorizer let in
	scopes []string     // of the route's, those that the token has

	abort             bool // the answer broke off
	status            int
	size              int64
	integrationStatus int
	integrationMillis int64
	integrationError  string
	authorizerError   string

	names []string // scratch: names of headers
}

// Serve answers a request for an API.
func (g *Gateway) Serve(w http.ResponseWriter, r *http.Request, t Target) {
	x := g.exchanges.Get().(*exchange)
	names := x.names[:0]
	*x = exchange{g: g, w: w, r: r, t: t, id: newRequestID(), start: g.Now(), names: names}
	x.source = host(r.RemoteAddr)
	w.Header()["Apigw-Requestid"] = []string{x.id}
	if g.Recorder != nil {
		x.trace = &trace.Trace{RequestID: x.id, Time: x.start, Method: r.Method, Host: r.Host, Path: t.Path, SourceIP: x.source, API: t.APIID,
			Steps: make([]trace.Step, 0, 10)}
		if tr := x.trace; len(r.RequestURI) > 1000 { // parts of it would hold all of it for as long as the trace is kept
			tr.Method, tr.Path, tr.API = strings.Clone(tr.Method), strings.Clone(tr.Path), strings.Clone(tr.API)
		}
	}
	x.serve()
	took := g.Now().Sub(x.start)
	if x.plan != nil && x.plan.log != nil {
		x.logAccess(took)
	}
	if x.trace != nil {
		x.trace.Status, x.trace.Micros = x.status, took.Microseconds()
		g.Recorder.Record(x.trace)
	}
	abort := x.abort
	names = x.names
	clear(names)
	*x = exchange{names: names} // nothing of this request stays reachable
	g.exchanges.Put(x)
	if abort {
		panic(http.ErrAbortHandler) // closes the connection, without a log entry
	}
}

func (x *exchange) serve() {
	if !x.selectStage() {
		return
	}
	x.plan = x.snap.Memo(compile).(*plan)
	if size, line := headSize(x.r); size > maxHead {
		x.trace.Fail("limits", "request line and headers are too large", itoa(size)+" bytes", "at most 10240 bytes")
		if line > maxHead {
			x.fail(http.StatusRequestURITooLong, "Request URI Too Long")
		} else {
			x.fail(http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large")
		}
		return
	}
	preflight := x.plan.cors != nil && x.r.Method == http.MethodOptions && x.r.Header["Origin"] != nil && x.r.Header["Access-Control-Request-Method"] != nil
	var found *httpapis.Route
	if m := x.r.Method; m != http.MethodConnect && m != http.MethodTrace { // are for proxies on the way, not for APIs
		found = x.snap.Match(m, x.path)
	}
	if found == nil {
		if preflight {
			x.preflight()
			return
		}
		x.noRoute()
		return
	}
	x.route = &x.plan.routes[found.Index]
	x.trace.Pass("route", found.Key)
	if b := x.route.bucket; b != nil && !b.take(x.start) {
		x.trace.Fail("throttle", "the route's limit is used up", "too many requests", x.route.limit)
		x.fail(http.StatusTooManyRequests, "Too Many Requests")
		return
	}
	if a := x.route.authorizer; a != nil && !a.authorize(x) {
		return
	}
	if preflight {
		x.preflight()
		return
	}
	switch i := found.Integration; {
	case i == nil:
		x.trace.Fail("integration", "the route has no target", "", "an integration")
		x.fail(http.StatusInternalServerError, "Internal Server Error")
	case i.Fault != "":
		x.trace.Fail("integration", i.Fault, "", "")
		x.fail(http.StatusInternalServerError, "Internal Server Error")
	case i.FunctionARN != "":
		x.invoke()
	default:
		x.proxy()
	}
}

// selectStage finds out the stage and the path below it.
func (x *exchange) selectStage() bool {
	x.path = x.t.Path
	if x.path == "" {
		x.path = "/"
	}
	decoded, err := decodePath(x.path)
	if err != nil {
		x.trace.Fail("path", err.Error(), "", "valid percent-encoding, beginning with a slash")
		x.fail(http.StatusBadRequest, "Bad Request")
		return false
	}
	x.full, x.path = decoded, decoded
	ctx, apis, id := x.r.Context(), x.g.HTTPAPIs, x.t.APIID
	first, rest, _ := strings.Cut(decoded[1:], "/")
	stage := "$default"
	named, err := apis.HasStage(ctx, id, first)
	if err == nil && first != "" && named {
		stage = first
		x.path = decoded[1+len(first):]
		if rest == "" && x.path == "" {
			x.path = "/"
		}
	}
	if err == nil {
		x.snap, err = apis.Snapshot(ctx, id, stage)
	}
	switch {
	case errors.Is(err, httpapis.ErrNoAPI):
		x.trace.Fail("api", "there is no such API", id, "the id of an HTTP API")
		x.fail(http.StatusNotFound, "Not Found")
		return false
	case errors.Is(err, httpapis.ErrNoStage):
		names, _ := apis.Stages(ctx, id)
		x.trace.Fail("stage", "the path's first segment names no stage, and there is no stage $default", first, strings.Join(names, " or "))
		x.fail(http.StatusNotFound, "Not Found")
		return false
	case err != nil:
		x.g.Logger.Error("API cannot be read", "api", id, "error", err)
		x.trace.Fail("api", "the configuration cannot be read", "", "")
		x.fail(http.StatusInternalServerError, "Internal Server Error")
		return false
	}
	if x.trace != nil {
		x.trace.Stage = stage
	}
	switch {
	case x.snap.Disabled:
		x.trace.Fail("api", "the API's execute-api endpoint is disabled", "DisableExecuteApiEndpoint true", "false")
		x.fail(http.StatusNotFound, "Not Found")
		return false
	case !x.snap.Deployed:
		x.trace.Fail("stage", "nothing is deployed to the stage", stage, "a deployment, or AutoDeploy")
		x.fail(http.StatusNotFound, "Not Found")
		return false
	}
	x.trace.Pass("stage", stage)
	return true
}

func (x *exchange) noRoute() {
	if x.trace != nil {
		want := "a route; the stage has none like it"
		if near := x.snap.Misses(x.path, 5); len(near) > 0 {
			want = "one of: " + strings.Join(near, ", ")
		}
		x.trace.Fail("route", "no route matches", x.r.Method+" "+x.path, want)
	}
	x.fail(http.StatusNotFound, "Not Found")
}

// decodePath decodes a path as HTTP APIs do: all of it, once; a decoded question mark ends it.
func decodePath(path string) (string, error) {
	if path[0] != '/' {
		return "", errors.New("the path does not begin with a slash")
	}
	if strings.IndexByte(path, '%') < 0 {
		return path, nil
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return "", errors.New("the path is not well percent-encoded")
	}
	decoded, _, _ = strings.Cut(decoded, "?")
	return decoded, nil
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

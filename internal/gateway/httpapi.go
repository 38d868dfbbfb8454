package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
)

// httpAPIs is the kind of HTTP APIs.
type httpAPIs struct {
	g         *Gateway
	build     func(*httpapis.Snapshot) any // compile, as a value that is made once
	exchanges sync.Pool
	results   authorizer.Cache // what functions of authorizers have said
}

func newHTTPAPIs(g *Gateway) *httpAPIs {
	k := &httpAPIs{g: g}
	k.build = k.compile
	k.exchanges.New = func() any { return new(httpExchange) }
	return k
}

func (k *httpAPIs) has(ctx context.Context, apiID string) bool {
	_, err := k.g.HTTPAPIs.HasStage(ctx, apiID, "")
	return err == nil
}

// httpExchange is a request for an HTTP API on its way.
type httpExchange struct {
	exchange
	snap  *httpapis.Snapshot
	plan  *plan
	route *routePlan
	path  string // decoded, without the stage
}

func (k *httpAPIs) serve(w http.ResponseWriter, r *http.Request, t Target) {
	x := k.exchanges.Get().(*httpExchange)
	x.begin(k.g, w, r, t, "Apigw-Requestid", newRequestID())
	x.serve(k)
	var log *logFormat
	if x.plan != nil {
		log = x.plan.log
	}
	abort := x.abort
	x.end(log)
	x.snap, x.plan, x.route, x.path = nil, nil, nil, ""
	k.exchanges.Put(x)
	if abort {
		panic(http.ErrAbortHandler) // closes the connection, without a log entry
	}
}

func (x *httpExchange) serve(k *httpAPIs) {
	if !x.selectStage(k) {
		return
	}
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
	if m := x.r.Method; callable(m) {
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
	x.routeKey = found.Key
	x.trace.Pass("route", found.Key)
	if b := x.route.bucket; b != nil && !b.take(x.start) {
		x.trace.Fail("throttle", "the route's limit is used up", "too many requests", x.route.limit)
		x.fail(http.StatusTooManyRequests, "Too Many Requests")
		return
	}
	if a := x.route.authorizer; a != nil && !x.authorize(a, x.path, x) {
		x.refuse()
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

// selectStage finds out the stage and the path below it, and what the gateway has made of the stage.
func (x *httpExchange) selectStage(k *httpAPIs) bool {
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
	if x.t.Stage != "" { // a mapping names it; functions see it in the path all the same
		stage, x.full = x.t.Stage, x.stagePath()
	} else if err == nil && first != "" && named {
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
	case x.snap.Disabled && !x.t.Custom:
		x.trace.Fail("api", "the API's execute-api endpoint is disabled", "DisableExecuteApiEndpoint true", "false, or the API's custom domain")
		x.fail(http.StatusNotFound, "Not Found")
		return false
	case !x.snap.Deployed:
		x.trace.Fail("stage", "nothing is deployed to the stage", stage, "a deployment, or AutoDeploy")
		x.fail(http.StatusNotFound, "Not Found")
		return false
	}
	x.plan = x.snap.Memo(k.build).(*plan)
	x.api, x.domainName = &x.plan.api, x.plan.domain
	x.trace.Pass("stage", stage)
	return true
}

func (x *httpExchange) noRoute() {
	if x.trace != nil {
		want := "a route; the stage has none like it"
		if near := x.snap.Misses(x.path, 5); len(near) > 0 {
			want = "one of: " + strings.Join(near, ", ")
		}
		x.trace.Fail("route", "no route matches", x.r.Method+" "+x.path, want)
	}
	x.fail(http.StatusNotFound, "Not Found")
}

// refuse answers for the authorizer.
func (x *httpExchange) refuse() {
	c := &x.caller
	if x.bodyErr != nil { // an authorizer wanted to read it
		x.badBody(x.bodyErr)
		return
	}
	if c.Challenge != "" {
		x.w.Header()["Www-Authenticate"] = []string{c.Challenge}
	}
	status := c.Refusal.Status()
	x.fail(status, http.StatusText(status))
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

// appendPathParameters appends the path's variables as an object.
func (x *httpExchange) appendPathParameters(b []byte) []byte {
	b = append(b, '{')
	first := true
	x.route.PathParameters(x.path, func(name, value string) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, name)
		b = append(b, ':')
		b = appendString(b, value)
	})
	return append(b, '}')
}

// callable tells whether an API can be called with a method. Of others, CONNECT and TRACE are for proxies on the
// way, and "get" would pass by a policy that speaks of GET.
func callable(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPatch, http.MethodPost, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
)

// restAPIs is the kind of REST APIs.
type restAPIs struct {
	g         *Gateway
	apis      *restapis.Service
	build     func(*restapis.Snapshot) any
	exchanges sync.Pool
	results   authorizer.Cache // of functions that authorize
	claims    claimsCache
	paths     jsonpath.Cache
	meters    meters            // of API keys
	insecure  http.RoundTripper // does not verify certificates
}

func newRESTAPIs(g *Gateway) *restAPIs {
	k := &restAPIs{g: g, apis: g.RESTAPIs, claims: claimsCache{write: restClaim}}
	k.build = k.compile
	k.exchanges.New = func() any { return new(restExchange) }
	k.meters.init(k)
	if k.insecure = g.transport; g.Transport == nil {
		k.insecure = newTLSTransport(&tls.Config{}, true)
	}
	return k
}

func (k *restAPIs) has(ctx context.Context, apiID string) bool { return k.apis.HasAPI(ctx, apiID) }

// restExchange is a request for a REST API on its way.
type restExchange struct {
	exchange
	k        *restAPIs
	extended string // extendedRequestId

	snap   *restapis.Snapshot
	plan   *restPlan
	method *restMethod // nil until there is one
	path   string      // without the stage, see decodeSegments

	authMillis int64 // that the authorizer took

	key  *restapis.Key // the API key, once one was found good
	keyV string        // its value

	params     *restParams // of the request, once they were looked at
	body0      []byte      // decompressed
	override   overrides   // what templates have set
	doc        any         // the body, decoded
	docErr     error
	docRead    bool
	validation string        // $context.error.validationErrorString
	errMessage string        // $context.error.message
	errType    string        // $context.error.responseType
	testing    *restTest     // nil: it is none
	notes      *executionLog // nil: nobody reads it
}

func (k *restAPIs) serve(w http.ResponseWriter, r *http.Request, t Target) {
	x := k.exchanges.Get().(*restExchange)
	x.begin(k.g, w, r, t, "X-Amzn-Requestid", ident.UUID())
	x.k, x.extended = k, newRequestID()
	w.Header()["X-Amz-Apigw-Id"] = []string{x.extended}
	x.serve()
	if x.plan != nil && x.plan.log != nil {
		x.logREST(x.plan.log, k.g.Now().Sub(x.start))
	}
	if x.notes != nil {
		x.logExecution()
	}
	abort := x.abort
	x.end(nil)
	*x = restExchange{exchange: x.exchange}
	k.exchanges.Put(x)
	if abort {
		panic(http.ErrAbortHandler)
	}
}

func (x *restExchange) serve() {
	if !x.selectStage() {
		return
	}
	if size, _ := headSize(x.r); size > maxHead {
		x.trace.Fail("limits", "request line and headers are too large", itoa(size)+" bytes", "at most 10240 bytes")
		x.refuseAs(v1.GatewayResponseTypeRequestTooLarge, "Request Too Long")
		return
	}
	if !x.selectMethod() || !x.authorized() || !x.metered() {
		return
	}
	x.run()
}

// run takes a request that is let in through validation and integration.
func (x *restExchange) run() {
	if !x.validate() {
		return
	}
	in := x.method.Integration
	if in == nil {
		x.trace.Fail("integration", "the method has no integration", "", "an integration")
		x.broken()
		return
	}
	if in.Fault != "" {
		x.integrationError = in.Fault
		x.trace.Fail("integration", in.Fault, "", "")
		x.broken()
		return
	}
	switch in.Type {
	case v1.IntegrationTypeAwsProxy:
		x.invokeProxy()
	case v1.IntegrationTypeAws:
		x.invokeMapped()
	case v1.IntegrationTypeHttpProxy, v1.IntegrationTypeHttp:
		x.forward()
	default:
		x.mock()
	}
}

// selectStage finds out the stage and the path below it.
func (x *restExchange) selectStage() bool {
	p := x.t.Path
	if p == "" {
		p = "/"
	}
	decoded, err := decodeSegments(p)
	if err != nil {
		x.trace.Fail("path", err.Error(), "", "valid percent-encoding, beginning with a slash")
		x.bare(http.StatusBadRequest, "BadRequestException", "Bad Request")
		return false
	}
	x.full, x.path = decoded, decoded
	stage := x.t.Stage
	if stage == "" {
		stage, _, _ = strings.Cut(decoded[1:], "/")
		if x.path = decoded[1+len(stage):]; x.path == "" {
			x.path = "/"
		}
	}
	ctx, id := x.r.Context(), x.t.APIID
	x.snap, err = x.k.apis.Snapshot(ctx, id, stage)
	switch {
	case errors.Is(err, restapis.ErrNoAPI):
		x.trace.Fail("api", "there is no such API", id, "the id of a REST API")
		x.bare(http.StatusForbidden, "ForbiddenException", "Forbidden")
		return false
	case errors.Is(err, restapis.ErrNoStage):
		names, _ := x.k.apis.Stages(ctx, id)
		x.trace.Fail("stage", "the path's first segment names no stage to which something is deployed", quote(stage), strings.Join(names, " or "))
		x.bare(http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token")
		return false
	case err != nil:
		x.g.Logger.Error("API cannot be read", "api", id, "error", err)
		x.trace.Fail("api", "the configuration cannot be read", "", "")
		x.bare(http.StatusInternalServerError, "InternalServerErrorException", "Internal server error")
		return false
	}
	if c := x.snap.Canary; c != nil && c.Snapshot != nil && rand.Float64()*100 < c.Percent {
		x.snap = c.Snapshot
		x.trace.Pass("canary", "deployment "+c.Snapshot.DeploymentID)
	}
	if x.trace != nil {
		x.trace.Stage = stage
	}
	x.use()
	if x.snap.Disabled && !x.t.Custom {
		x.trace.Fail("api", "the API's execute-api endpoint is disabled", "disableExecuteApiEndpoint true", "false, or the API's custom domain")
		x.bare(http.StatusForbidden, "ForbiddenException", "Forbidden")
		return false
	}
	x.trace.Pass("stage", stage)
	return true
}

// use makes the snapshot the one that serves the request.
func (x *restExchange) use() {
	x.plan = x.snap.Memo(x.k.build).(*restPlan)
	x.api, x.domainName = &x.plan.api, x.plan.domain
}

func quote(s string) string { return `"` + s + `"` }

// decodeSegments decodes a path but for encoded slashes, which do not part segments: they stay as %2F, and
// become slashes only in the values of path parameters.
func decodeSegments(path string) (string, error) {
	if path[0] != '/' {
		return "", errors.New("the path does not begin with a slash")
	}
	if strings.IndexByte(path, '%') < 0 {
		return path, nil
	}
	path = strings.NewReplacer("%2F", "%252F", "%2f", "%252F").Replace(path)
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return "", errors.New("the path is not well percent-encoded")
	}
	return decoded, nil
}

// selectMethod finds the method that serves the request.
func (x *restExchange) selectMethod() bool {
	var m *restapis.Method
	if name := x.r.Method; callable(name) {
		var r *restapis.Resource
		if r, m = x.snap.Match(name, x.path); m == nil {
			want := "a resource; the stage has none like it"
			if near := x.snap.Misses(x.path, 5); r != nil {
				want = "another method: resource " + r.Path + " has " + strings.Join(methodsOf(r), ", ")
			} else if len(near) > 0 {
				want = "one of: " + strings.Join(near, ", ")
			}
			x.trace.Fail("route", "no method matches", name+" "+x.path, want)
		}
	}
	if m == nil {
		if !callable(x.r.Method) {
			x.trace.Fail("route", "no API can be called with the method", x.r.Method, "GET, HEAD, OPTIONS, PATCH, POST, PUT or DELETE")
		}
		x.refuseAs(v1.GatewayResponseTypeMissingAuthenticationToken, "Missing Authentication Token")
		return false
	}
	x.method = &x.plan.methods[m.Index]
	x.routeKey = m.HTTP + " " + m.Resource.Path
	x.trace.Pass("route", x.routeKey)
	if s := &m.Settings; s.Logging != "" && s.Logging != "OFF" && x.g.AccessLog != nil {
		x.notes = &executionLog{data: s.DataTrace}
		x.noteRequest()
	}
	return true
}

func methodsOf(r *restapis.Resource) []string {
	var names []string
	for _, name := range []string{"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"} {
		if r.Methods[name] != nil {
			names = append(names, name)
		}
	}
	return names
}

// timeout is the integration's.
func (x *restExchange) timeout() time.Duration {
	if t := x.method.Integration.Timeout; t > 0 {
		return t
	}
	return 29 * time.Second
}

package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

// Invoker runs functions: package functions.
type Invoker interface {
	// InvokeFunction runs a function to its end. functionError is "" unless the function itself failed;
	// err is for what the service refuses: throttling, an unknown function.
	InvokeFunction(ctx context.Context, functionARN string, payload []byte) (out []byte, functionError string, err error)
}

// Permitter knows the resource policies of functions: package functions.
type Permitter interface {
	// Permits tells whether a function's policy lets a service invoke it.
	Permits(ctx context.Context, functionARN, principalService, sourceARN, account string) bool

	// FunctionPolicy returns a function's policy, nil if it has none. The error is one of Lambda's API.
	FunctionPolicy(ctx context.Context, functionARN string) (*policy.Compiled, error)
}

// Identities knows who signs requests, what they may, and who may act as a role: package iam.
type Identities interface {
	authorizer.Identities

	// AssumeAsServiceFor lets a service of AWS's act as a role, on behalf of a resource, if the role's trust
	// policy does. It notes its steps in the trace that ctx carries.
	AssumeAsServiceFor(ctx context.Context, roleARN, service, sessionName, sourceARN string) (*iam.Caller, error)
}

// LogSink takes the lines of access logs. It must not block.
type LogSink interface {
	Write(region, group, stream string, t time.Time, line []byte)
}

// Options make a Gateway.
type Options struct {
	HTTPAPIs  *httpapis.Service
	RESTAPIs  *restapis.Service // nil: no REST APIs
	Invoker   Invoker
	Permitter Permitter
	IAM       Identities
	URLs      FunctionURLs // nil: no function has one
	Verifier  authorizer.TokenVerifier
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

	// Of a request that came by a custom domain: its mapping names the stage, and the path has no stage.
	Custom bool
	Stage  string          // "": the path's first segment names it all the same
	Base   string          // the base path, which Path does not have: "/v1"; "" for none
	Client *domains.Client // whose certificate a domain with mutual TLS has verified; nil: none
	mapped string          // what the domain has for the path, for the trace
}

// Gateway serves requests to APIs. It is safe for concurrent use.
type Gateway struct {
	Options
	claims    claimsCache
	transport http.RoundTripper
	kinds     []kind
	rest      *restAPIs // nil: none
	urls      functionURLs
}

// kind is a kind of APIs, each with its own way of finding stage and route, its events and its words for
// errors. What they share is in [exchange].
type kind interface {
	// has tells whether the API is of this kind.
	has(ctx context.Context, apiID string) bool

	serve(w http.ResponseWriter, r *http.Request, t Target)
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
	if g.RESTAPIs != nil {
		g.rest = newRESTAPIs(g)
		g.kinds = append(g.kinds, g.rest)
	}
	g.kinds = append(g.kinds, newHTTPAPIs(g))
	g.urls.exchanges.New = func() any { return new(urlExchange) }
	return g
}

// Close writes what is counted and not yet written: the usage of API keys. A server that dies without it loses what it
// counted in its last second.
func (g *Gateway) Close(context.Context) error {
	if g.rest != nil {
		g.rest.meters.flush()
	}
	return nil
}

// Serve answers a request for an API. Which kind of API it is for, its id says; an id that nobody knows is
// answered as by the last of the kinds, HTTP APIs.
func (g *Gateway) Serve(w http.ResponseWriter, r *http.Request, t Target) {
	last := len(g.kinds) - 1
	for _, k := range g.kinds[:last] {
		if k.has(r.Context(), t.APIID) {
			k.serve(w, r, t)
			return
		}
	}
	g.kinds[last].serve(w, r, t)
}

// maxHead bounds the request line and the values of the headers together, in bytes, and maxBody bodies.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	maxHead = 10240
	maxBody = 10 << 20
)

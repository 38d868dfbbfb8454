package gateway

import (
	"strconv"

	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// plan is what the gateway makes of a snapshot, once.
type plan struct {
	api    authorizer.API
	domain string // of the API, as it is on AWS
	cors   *cors
	log    *logFormat
	routes []routePlan // by Route.Index
}

// routePlan is what is the same for all requests to a route.
type routePlan struct {
	*httpapis.Route

	authorizer authorizer.Authorizer // nil: open to everybody

	// Of a function.
	sourceARN string // up to the method, where the route's is ANY
	pathARN   string // what follows the method
	event     eventParts

	upstream *upstream // of an HTTP integration
	bucket   *bucket   // nil: no limit
	limit    string    // for the trace
}

func (k *httpAPIs) compile(s *httpapis.Snapshot) any {
	p := &plan{routes: make([]routePlan, len(s.Routes)), api: authorizer.API{ID: s.APIID, Stage: s.Stage, Region: s.Region, Account: s.Account},
		domain: s.APIID + ".execute-api." + s.Region + ".amazonaws.com"}
	if c := s.CORS; c != nil {
		p.cors = newCORS(c.AllowOrigins, c.AllowMethods, c.AllowHeaders, c.ExposeHeaders, c.MaxAge, shape.Val(c.AllowCredentials))
	}
	if s.AccessLog != nil {
		p.log = compileLog(s)
	}
	for i, r := range s.Routes {
		p.routes[i] = k.compileRoute(p, s, r)
	}
	return p
}

func (k *httpAPIs) compileRoute(pl *plan, s *httpapis.Snapshot, r *httpapis.Route) routePlan {
	p := routePlan{Route: r, authorizer: k.compileAuthorizer(pl, s, r)}
	if t := r.Throttle; t != nil {
		p.bucket = &bucket{rate: t.Rate, burst: float64(t.Burst), tokens: float64(t.Burst)}
		p.limit = "at most " + strconv.FormatFloat(t.Rate, 'f', -1, 64) + " a second, " + itoa(t.Burst) + " at once"
	}
	switch in := r.Integration; {
	case in == nil || in.Fault != "":
	case in.FunctionARN != "":
		p.sourceARN = "arn:aws:execute-api:" + s.Region + ":" + s.Account + ":" + s.APIID + "/" + s.Stage + "/"
		switch r.Method {
		case "":
			p.sourceARN += "$default"
		case "ANY":
			p.pathARN = r.Path
		default:
			p.sourceARN += r.Method + r.Path
		}
		p.event = compileEvent(s, r, in.Version)
	default:
		p.upstream = compileUpstream(r)
	}
	return p
}

// compileAuthorizer returns what decides about a route's callers; nil if it is open to everybody.
func (k *httpAPIs) compileAuthorizer(p *plan, s *httpapis.Snapshot, r *httpapis.Route) authorizer.Authorizer {
	if r.IAM {
		return authorizer.NewIAM(authorizer.IAM{Identities: k.g.IAM, API: &p.api})
	}
	z := r.Authorizer
	switch {
	case z == nil:
		return nil
	case z.Version != "":
		return k.newLambda(p, s, r)
	}
	sources := make([]authorizer.Source, len(z.IdentitySources))
	for i, src := range z.IdentitySources {
		sources[i] = authorizer.Source{Header: src.Header, Query: src.Query}
	}
	return authorizer.NewJWT(authorizer.JWT{Verifier: k.g.Verifier, Issuer: z.Issuer, Audience: z.Audience, Sources: sources, Scopes: r.Scopes, SameIssuer: k.g.SameIssuer})
}

package gateway

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// plan is what the gateway makes of a snapshot, once.
type plan struct {
	cors   *cors
	log    *logFormat
	routes []routePlan // by Route.Index
}

// routePlan is what is the same for all requests to a route.
type routePlan struct {
	*httpapis.Route

	authorizer authorizer // nil: open to everybody

	// Of a function.
	sourceARN string // up to the method, where the route's is ANY
	pathARN   string // what follows the method
	event     eventParts

	upstream *upstream // of an HTTP integration
	bucket   *bucket   // nil: no limit
	limit    string    // for the trace
}

func compile(s *httpapis.Snapshot) any {
	p := &plan{routes: make([]routePlan, len(s.Routes))}
	if c := s.CORS; c != nil {
		p.cors = &cors{origins: map[string]bool{}, credentials: shape.Val(c.AllowCredentials)}
		for _, o := range c.AllowOrigins {
			if prefix, ok := strings.CutSuffix(o, "*"); o == "*" {
				p.cors.anyOrigin = true
			} else if ok {
				p.cors.prefixes = append(p.cors.prefixes, prefix)
			} else {
				p.cors.origins[strings.TrimSuffix(o, "/")] = true
			}
		}
		list := func(values []string) []string {
			if len(values) == 0 {
				return nil
			}
			return []string{strings.Join(values, ",")}
		}
		p.cors.methods, p.cors.headers, p.cors.expose = list(c.AllowMethods), list(c.AllowHeaders), list(c.ExposeHeaders)
		if c.MaxAge != nil {
			p.cors.maxAge = []string{strconv.FormatInt(*c.MaxAge, 10)}
		}
	}
	if s.AccessLog != nil {
		p.log = compileLog(s)
	}
	for i, r := range s.Routes {
		p.routes[i] = compileRoute(s, r)
	}
	return p
}

func compileRoute(s *httpapis.Snapshot, r *httpapis.Route) routePlan {
	p := routePlan{Route: r, authorizer: compileAuthorizer(r)}
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
		p.event = compileEvent(s, r)
	default:
		p.upstream = compileUpstream(r)
	}
	return p
}

// bucket is a token bucket.
type bucket struct {
	rate, burst float64

	mu     sync.Mutex
	tokens float64
	last   time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if passed := now.Sub(b.last).Seconds(); passed > 0 {
		if !b.last.IsZero() {
			b.tokens = min(b.burst, b.tokens+passed*b.rate)
		}
		b.last = now
	}
	if b.tokens < 1 || b.rate == 0 {
		return false
	}
	b.tokens--
	return true
}

package gateway

import (
	"net/http"
	"strconv"
	"strings"
)

// cors is what a CORS configuration makes of requests.
type cors struct {
	anyOrigin   bool
	origins     map[string]bool
	prefixes    []string // "https://" for https://*
	methods     []string // each the one value of its header; nil: none
	headers     []string
	expose      []string
	maxAge      []string
	credentials bool
}

// allowed tells whether a page of the origin may call the API.
func (c *cors) allowed(origin string) bool {
	if c.anyOrigin || c.origins[origin] {
		return true
	}
	for _, p := range c.prefixes {
		if strings.HasPrefix(origin, p) {
			return true
		}
	}
	return false
}

var (
	anyOrigin  = []string{"*"}
	trueValue  = []string{"true"}
	varyOrigin = "Origin"
)

// newCORS takes a configuration apart.
func newCORS(origins, methods, headers, expose []string, maxAge *int64, credentials bool) *cors {
	p := &cors{origins: map[string]bool{}, credentials: credentials}
	for _, o := range origins {
		if prefix, ok := strings.CutSuffix(o, "*"); o == "*" {
			p.anyOrigin = true
		} else if ok {
			p.prefixes = append(p.prefixes, prefix)
		} else {
			p.origins[strings.TrimSuffix(o, "/")] = true
		}
	}
	list := func(values []string) []string {
		if len(values) == 0 {
			return nil
		}
		return []string{strings.Join(values, ",")}
	}
	p.methods, p.headers, p.expose = list(methods), list(headers), list(expose)
	if maxAge != nil {
		p.maxAge = []string{strconv.FormatInt(*maxAge, 10)}
	}
	return p
}

// apply adds the headers of the configuration to an answer. What the integration said of CORS has been left
// out by then. It tells whether the page that asks is allowed.
func (c *cors) apply(h http.Header, r *http.Request) bool {
	if !c.anyOrigin {
		h.Add("Vary", varyOrigin)
	}
	origin := r.Header["Origin"]
	if len(origin) == 0 || !c.allowed(origin[0]) {
		return false
	}
	if c.anyOrigin {
		h["Access-Control-Allow-Origin"] = anyOrigin
	} else {
		h["Access-Control-Allow-Origin"] = []string{origin[0]}
	}
	if c.credentials {
		h["Access-Control-Allow-Credentials"] = trueValue
	}
	if c.expose != nil {
		h["Access-Control-Expose-Headers"] = c.expose
	}
	return true
}

// preflight adds what answers a browser's question whether it may send a request, and tells whether it may.
func (c *cors) preflight(h http.Header, r *http.Request) bool {
	if !c.apply(h, r) {
		return false
	}
	for name, v := range map[string][]string{"Access-Control-Allow-Methods": c.methods, "Access-Control-Allow-Headers": c.headers, "Access-Control-Max-Age": c.maxAge} {
		if v != nil {
			h[name] = v
		}
	}
	return true
}

// cors adds the CORS headers of the API's configuration to an answer.
func (x *httpExchange) cors(h http.Header) {
	if x.plan != nil && x.plan.cors != nil {
		x.plan.cors.apply(h, x.r)
	}
}

// preflight answers a preflight request.
func (x *httpExchange) preflight() {
	if x.plan.cors.preflight(x.w.Header(), x.r) {
		x.trace.Pass("cors", "preflight answered by the API's CORS configuration")
	} else if x.trace != nil {
		x.trace.Fail("cors", "the page's origin is not allowed", x.r.Header.Get("Origin"), "one of the API's allowOrigins")
	}
	x.status = http.StatusNoContent
	x.w.WriteHeader(x.status)
}

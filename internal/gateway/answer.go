package gateway

import (
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// newRequestID returns a request id in AWS's form: "JKJaXmPLvHcESHA=", 88 random bits. It begins with a letter,
// so that it is no flag on a command line.
func newRequestID() string {
	var b [11]byte
	hi, lo := rand.Uint64(), rand.Uint32()
	for i := range 8 {
		b[i] = byte(hi >> (8 * i))
	}
	b[8], b[9], b[10] = byte(lo), byte(lo>>8), byte(lo>>16)
	b[0] &= 0x7f // A to f
	var s [16]byte
	base64.URLEncoding.Encode(s[:], b[:])
	return string(s[:])
}

// fail answers with an error of the gateway's own.
func (x *httpExchange) fail(status int, message string) {
	x.answerJSON(status, `{"message":"`+message+`"}`)
}

var contentJSON = []string{"application/json"}

func (x *httpExchange) answerJSON(status int, body string) {
	h := x.w.Header()
	h["Content-Type"] = contentJSON
	x.cors(h)
	h["Content-Length"] = []string{itoa(len(body))}
	x.status, x.size = status, int64(len(body))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write([]byte(body)) // the client is gone: nobody to tell
	}
}

// hopByHop tells whether a header (in canonical form) belongs to one connection and is never passed on.
// RFC 9110, section 7.6.1.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// ownHeader tells whether a header of an integration's answer is the gateway's to set.
func ownHeader(name string) bool {
	return hopByHop(name) || name == "Content-Length" || name == "Apigw-Requestid"
}

// corsHeader tells whether a header (in canonical form) is of CORS.
func corsHeader(name string) bool { return strings.HasPrefix(name, "Access-Control-") }

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

// cors adds the CORS headers of the API's configuration to an answer. What the integration said of CORS has
// been left out by then.
func (x *httpExchange) cors(h http.Header) bool {
	if x.plan == nil || x.plan.cors == nil {
		return false
	}
	c := x.plan.cors
	if !c.anyOrigin {
		h.Add("Vary", varyOrigin)
	}
	origin := x.r.Header["Origin"]
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

// preflight answers a browser's question whether it may send a request.
func (x *httpExchange) preflight() {
	h, c := x.w.Header(), x.plan.cors
	if x.cors(h) {
		for name, v := range map[string][]string{"Access-Control-Allow-Methods": c.methods, "Access-Control-Allow-Headers": c.headers, "Access-Control-Max-Age": c.maxAge} {
			if v != nil {
				h[name] = v
			}
		}
		x.trace.Pass("cors", "preflight answered by the API's CORS configuration")
	} else if x.trace != nil {
		x.trace.Fail("cors", "the page's origin is not allowed", x.r.Header.Get("Origin"), "one of the API's allowOrigins")
	}
	x.status = http.StatusNoContent
	x.w.WriteHeader(x.status)
}

package gateway

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
)

// eventParts are the parts of a route's events that are the same for all requests.
type eventParts struct {
	head      string // {"version": … up to the path
	account   string // "accountId":"…","apiId":"…"
	routeKey  string // as JSON
	stage     string // as JSON
	variables string // stage variables as JSON, "" without any
}

func compileEvent(s *httpapis.Snapshot, r *httpapis.Route, version string) eventParts {
	js := func(v string) string { return string(appendString(nil, v)) }
	e := eventParts{
		account:  `"accountId":` + js(s.Account) + `,"apiId":` + js(s.APIID),
		routeKey: js(r.Key), stage: js(s.Stage),
	}
	if version == "2.0" {
		e.head = `{"version":"2.0","routeKey":` + e.routeKey + `,"rawPath":`
	} else {
		e.head = `{"version":"1.0","resource":` + js(r.Path) + `,"path":`
	}
	if len(s.Variables) > 0 {
		b := []byte{'{'}
		for i, k := range slices.Sorted(maps.Keys(s.Variables)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, k)
			b = append(b, ':')
			b = appendString(b, s.Variables[k])
		}
		e.variables = string(append(b, '}'))
	}
	return e
}

// domain returns the name that the API was called by, and its first label.
func (x *exchange) domain() (name, prefix string) {
	if x.t.Host == "" {
		return x.domainName, x.t.APIID
	}
	prefix, _, _ = strings.Cut(x.t.Host, ".")
	return x.t.Host, prefix
}

// headers calls f for each header that a function sees, in order: the request's own, without those of the
// connection, and those that the gateway adds. name is in lower case.
func (x *exchange) headers(bodySize int, f func(name string, values []string)) {
	names := x.names[:0]
	h := x.r.Header
	for name := range h {
		switch {
		case hopByHop(name):
		case name == "Content-Length" || name == "Host" || name == "X-Amzn-Trace-Id" || name == "X-Forwarded-For" || name == "X-Forwarded-Port" || name == "X-Forwarded-Proto":
		default:
			names = append(names, name)
		}
	}
	names = append(names, "Content-Length", "Host", "X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto")
	slices.Sort(names)
	x.names = names
	var one [1]string
	for _, name := range names {
		switch name {
		case "Content-Length":
			one[0] = itoa(bodySize)
		case "Host":
			one[0] = x.r.Host
		case "X-Amzn-Trace-Id":
			if one[0] = h.Get(name); one[0] == "" {
				one[0] = x.traceID()
			}
		case "X-Forwarded-For":
			one[0] = x.source
			if v := h[name]; len(v) > 0 {
				one[0] = strings.Join(v, ", ") + ", " + x.source
			}
		case "X-Forwarded-Port":
			one[0] = x.port()
		case "X-Forwarded-Proto":
			one[0] = x.scheme()
		default:
			f(lower(name), h[name])
			continue
		}
		f(lower(name), one[:])
	}
}

// protocol is the request's protocol as functions see it. Behind AWS's front, HTTP/2 is HTTP/1.1.
func (x *exchange) protocol() string {
	if x.r.ProtoMajor == 1 {
		return x.r.Proto
	}
	return "HTTP/1.1"
}

func (x *exchange) scheme() string {
	if x.r.TLS != nil {
		return "https"
	}
	return "http"
}

func (x *exchange) port() string {
	if _, port, err := net.SplitHostPort(x.r.Host); err == nil {
		return port
	}
	if x.r.TLS != nil {
		return "443"
	}
	return "80"
}

// traceID returns the request's X-Ray trace id; AWS gives one to each that has none.
func (x *exchange) traceID() string {
	if x.xray != "" {
		return x.xray
	}
	var random [12]byte
	hi, lo := rand.Uint64(), rand.Uint32()
	for i := range 8 {
		random[i] = byte(hi >> (8 * i))
	}
	for i := range 4 {
		random[8+i] = byte(lo >> (8 * i))
	}
	b := make([]byte, 0, 35)
	b = append(b, "Root=1-"...)
	b = strconv.AppendInt(b, x.start.Unix(), 16)
	b = append(b, '-')
	b = hex.AppendEncode(b, random[:])
	x.xray = string(b)
	return x.xray
}

// lower returns a canonical header name in lower case, for the common ones without allocating.
func lower(name string) string {
	if l, ok := lowered[name]; ok {
		return l
	}
	return strings.ToLower(name)
}

// lowered is never written to.
var lowered = func() map[string]string {
	m := map[string]string{}
	for _, l := range []string{"accept", "accept-encoding", "accept-language", "authorization", "cache-control", "content-length", "content-type",
		"dnt", "host", "if-none-match", "origin", "pragma", "priority", "referer", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform",
		"sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user", "upgrade-insecure-requests", "user-agent",
		"x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-requested-with"} {
		m[http.CanonicalHeaderKey(l)] = l
	}
	return m
}()

// parameter is one query parameter with its values, decoded.
type parameter struct {
	name   string
	values []string
}

// parameters parses a query, in the order in which its names first appear. What is not well encoded is
// taken as it stands.
func parameters(query string) []parameter {
	var out []parameter
	at := map[string]int{}
	unescape := func(s string) string {
		if u, err := url.QueryUnescape(s); err == nil {
			return u
		}
		return s
	}
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		k, v = unescape(k), unescape(v)
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, parameter{name: k})
		}
		out[i].values = append(out[i].values, v)
	}
	return out
}

// isText tells whether functions get a body of the content type as text. All others, and bodies without
// a type, come in base64: so AWS does, also for forms and for types that end in +json.
func isText(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	return strings.HasPrefix(t, "text/") || t == "application/json" || t == "application/javascript" || t == "application/xml"
}

// appendBody appends a body as a JSON string and tells whether it is in base64.
func appendBody(b, body []byte, contentType string) (_ []byte, encoded bool) {
	if isText(contentType) && utf8.Valid(body) {
		return appendString(b, body), false
	}
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, body)
	return append(b, '"'), true
}

func appendList(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

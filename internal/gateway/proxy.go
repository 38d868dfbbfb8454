package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
)

// upstream is where an HTTP integration leads.
type upstream struct {
	scheme, host string
	method       string // "" is the request's own
	path         []piece
	query        string
	whole        bool // the request's path is appended: the route is $default
}

// piece is a part of a path: text, encoded, or the value of a path variable.
type piece struct{ text, variable string }

func compileUpstream(r *httpapis.Route) *upstream {
	scheme, rest, _ := strings.Cut(r.Integration.URI, "://")
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	u := &upstream{scheme: strings.ToLower(scheme), host: host, whole: r.Method == ""}
	if r.Integration.Method != "ANY" {
		u.method = r.Integration.Method
	}
	path, u.query, _ = strings.Cut(path, "?")
	if u.whole {
		path = strings.TrimSuffix(path, "/")
	}
	for path != "" {
		text, after, found := strings.Cut(path, "{")
		if text != "" {
			u.path = append(u.path, piece{text: text})
		}
		if !found {
			break
		}
		name, rest, _ := strings.Cut(after, "}")
		u.path = append(u.path, piece{variable: strings.TrimSuffix(name, "+")})
		path = rest
	}
	return u
}

var errDots = errors.New("the path has dot segments, which could lead out of the path that the integration names")

// target makes the URL for a request. mapped, if not "", takes the place of the integration's path.
func (u *upstream) target(r *httpapis.Route, path, query, mapped string) (*url.URL, error) {
	var b strings.Builder
	pieces, whole := u.path, u.whole
	if mapped != "" {
		escapePath(&b, mapped)
		pieces, whole = nil, false
	}
	for _, p := range pieces {
		if p.variable == "" {
			b.WriteString(p.text)
			continue
		}
		r.PathParameters(path, func(name, value string) {
			if name == p.variable {
				escapePath(&b, value)
			}
		})
	}
	if whole {
		escapePath(&b, path)
	}
	raw := b.String()
	if raw == "" || raw[0] != '/' {
		raw = "/" + raw
	}
	if dotted(raw) {
		return nil, errDots
	}
	switch {
	case u.query == "":
	case query == "":
		query = u.query
	default:
		query = u.query + "&" + query
	}
	out := &url.URL{Scheme: u.scheme, Host: u.host, Path: raw, RawQuery: query}
	if strings.IndexByte(raw, '%') >= 0 {
		var err error
		if out.Path, err = url.PathUnescape(raw); err != nil {
			return nil, errors.New("the integration's URI is not well percent-encoded")
		}
		out.RawPath = raw
	}
	return out, nil
}

// dotted tells whether a path has a segment that is "." or "..".
func dotted(path string) bool {
	for {
		i := strings.Index(path, "/.")
		if i < 0 {
			return false
		}
		path = path[i+2:]
		rest := strings.TrimPrefix(path, ".")
		if rest == "" || rest[0] == '/' {
			return true
		}
	}
}

// escapePath writes a decoded path so that each byte that may not stand in one is encoded.
func escapePath(b *strings.Builder, s string) {
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/-._~!$&'()*+,;=:@", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		}
	}
}

// proxy answers with what the route's HTTP backend says.
func (x *httpExchange) proxy() {
	u, in := x.route.upstream, x.route.Integration
	was, path, err := x.mapRequest()
	if err != nil {
		x.badBody(err)
		return
	}
	target, err := u.target(x.route.Route, x.path, x.r.URL.RawQuery, path)
	if err != nil {
		x.unmap(was)
		x.trace.Fail("integration", err.Error(), x.path, "a path without dot segments")
		x.fail(http.StatusBadRequest, "Bad Request")
		return
	}
	if x.r.ContentLength > maxBody {
		x.unmap(was)
		x.trace.Fail("body", "the body is too large", "", "at most 10 MB")
		x.drain()
		x.badBody(errTooLarge)
		return
	}
	ctx, cancel := context.WithTimeout(x.r.Context(), in.Timeout)
	defer cancel()
	host := u.host
	if x.r.Host != was.r.Host {
		host = x.r.Host
	}
	req := (&http.Request{Method: x.r.Method, URL: target, Host: host, Header: x.upstreamHeader(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: x.r.ContentLength}).WithContext(ctx)
	x.unmap(was)
	if u.method != "" {
		req.Method = u.method
	}
	var limited *limitedBody
	switch {
	case x.bodyRead: // by the authorizer
		req.Body, req.ContentLength = http.NoBody, int64(len(x.body))
		if len(x.body) > 0 {
			req.Body = io.NopCloser(bytes.NewReader(x.body))
		}
	case x.r.Body != nil && x.r.Body != http.NoBody && x.r.ContentLength != 0:
		req.Body = x.r.Body
		if x.r.ContentLength < 0 {
			limited = &limitedBody{ReadCloser: x.r.Body, left: maxBody}
			req.Body = limited
		}
	}
	began := x.g.Now()
	res, err := x.g.transport.RoundTrip(req)
	x.integrationMillis = x.g.Now().Sub(began).Milliseconds()
	if err != nil {
		x.integrationError = err.Error()
		switch {
		case limited != nil && limited.over():
			x.trace.Fail("body", "the body is too large", "", "at most 10 MB")
			x.badBody(errTooLarge)
		case x.r.Context().Err() != nil:
			x.trace.Fail("integration", "the client went away", "", "")
			x.status = 499
		default:
			want := "an answer within " + in.Timeout.String()
			x.trace.Fail("integration", "the backend cannot be reached or did not answer: "+u.scheme+"://"+u.host, err.Error(), want)
			x.fail(http.StatusServiceUnavailable, "Service Unavailable")
		}
		return
	}
	defer res.Body.Close()
	x.integrationStatus = res.StatusCode
	x.noteEndpoint(res.Header)
	x.trace.Pass("integration", in.URI)
	x.copyAnswer(res)
}

// noteEndpoint notes the request ids in an answer of an AWS service, for access logs.
func (x *exchange) noteEndpoint(h http.Header) {
	if x.endpointID = h.Get("X-Amzn-Requestid"); x.endpointID == "" {
		x.endpointID = h.Get("X-Amz-Request-Id")
	}
	x.endpointID2 = h.Get("X-Amz-Id-2")
}

// copyAnswer passes an answer on.
func (x *httpExchange) copyAnswer(res *http.Response) {
	h := x.w.Header()
	own := x.plan.cors != nil
	named := res.Header["Connection"] // names further headers of the connection
	for name, v := range res.Header {
		if hopByHop(name) || name == "Apigw-Requestid" || own && corsHeader(name) || named != nil && listed(named, name) {
			continue
		}
		h[name] = v
	}
	body, status := res.Body, res.StatusCode
	if list := x.answerMappings(status); len(list) > 0 {
		var head []byte
		if httpapis.NeedsBody(list) {
			var err error
			if head, body, err = peek(body); err != nil {
				x.trace.Fail("integration", "the backend's answer broke off", err.Error(), "")
				x.fail(http.StatusServiceUnavailable, "Service Unavailable")
				return
			}
		}
		if status = x.mapAnswer(status, h, head); status == http.StatusNoContent || status == http.StatusNotModified {
			delete(h, "Content-Length")
		}
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // no guess at a type that the backend did not name
	}
	x.cors(h)
	x.status = status
	x.w.WriteHeader(status)
	if status != res.StatusCode && (status == http.StatusNoContent || status == http.StatusNotModified) {
		return // the client gets no body
	}
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	var flush func() error
	if res.ContentLength < 0 { // of unknown length: the client gets it as it comes
		flush = http.NewResponseController(x.w).Flush
	}
	for {
		n, err := body.Read(*buf)
		if n > 0 {
			x.size += int64(n)
			if _, werr := x.w.Write((*buf)[:n]); werr != nil {
				return
			}
			if flush != nil {
				_ = flush()
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			x.trace.Fail("integration", "the backend's answer broke off", err.Error(), "")
			x.abort = true // half an answer must not look like a whole one
			return
		}
	}
}

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// listed tells whether a header is named in Connection.
func listed(connection []string, name string) bool {
	for _, v := range connection {
		for token := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(token), name) {
				return true
			}
		}
	}
	return false
}

// upstreamHeader returns the headers for the backend: the request's, with X-Forwarded-* made into
// Forwarded (RFC 7239), and Via, as API Gateway does.
func (x *exchange) upstreamHeader() http.Header {
	in := x.r.Header
	out := make(http.Header, len(in)+3)
	named := in["Connection"]
	for name, v := range in {
		if hopByHop(name) || strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" || name == "Via" || name == "Expect" ||
			named != nil && listed(named, name) {
			continue
		}
		out[name] = v
	}
	var b strings.Builder
	for _, v := range in["Forwarded"] {
		if strings.Count(v, `"`)%2 == 0 { // an open quote would swallow what follows
			b.WriteString(v)
			b.WriteString(", ")
		}
	}
	for _, v := range in["X-Forwarded-For"] {
		for addr := range strings.SplitSeq(v, ",") {
			if addr = strings.TrimSpace(addr); addr != "" && !strings.ContainsAny(addr, "\";, \t\\") {
				writeNode(&b, "for=", addr)
				b.WriteString(", ")
			}
		}
	}
	if local, ok := x.r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		writeNode(&b, "by=", host(local.String()))
		b.WriteByte(';')
	}
	writeNode(&b, "for=", x.source)
	b.WriteString(";host=")
	if strings.ContainsAny(x.r.Host, "\";,=") { // would be read as elements of their own
		b.WriteString(strconv.Quote(x.r.Host))
	} else {
		b.WriteString(x.r.Host)
	}
	b.WriteString(";proto=")
	b.WriteString(x.scheme())
	out["Forwarded"] = []string{b.String()}
	out["Via"] = append(append([]string(nil), in["Via"]...), "HTTP/1.1 AmazonAPIGateway")
	if v := in["X-Amzn-Trace-Id"]; len(v) == 0 {
		out["X-Amzn-Trace-Id"] = []string{x.traceID()}
	}
	if in["User-Agent"] == nil {
		out["User-Agent"] = nil // none of Go's own
	}
	return out
}

// writeNode writes a node name; that of an IPv6 address is quoted.
func writeNode(b *strings.Builder, name, addr string) {
	b.WriteString(name)
	if strings.IndexByte(addr, ':') >= 0 {
		b.WriteString(`"[` + strings.Trim(addr, "[]") + `]"`)
		return
	}
	b.WriteString(addr)
}

// limitedBody ends with an error once more than left bytes were read.
type limitedBody struct {
	io.ReadCloser
	mu   sync.Mutex
	left int64
}

func (l *limitedBody) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left -= int64(n); l.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

func (l *limitedBody) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left < 0
}

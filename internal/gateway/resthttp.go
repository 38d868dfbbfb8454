package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
)

// forward answers with what an HTTP back end says: HTTP_PROXY passes request and answer on, HTTP maps both.
func (x *restExchange) forward() {
	in := x.method.Integration
	req, ok := x.build()
	if !ok {
		return
	}
	proxy := in.Type == v1.IntegrationTypeHttpProxy
	target, err := x.endpoint(req, proxy)
	if err != nil {
		x.integrationError = err.Error()
		x.trace.Fail("integration", err.Error(), x.path, "")
		if errors.Is(err, errDots) {
			x.refuseAs(v1.GatewayResponseTypeBadRequestParameters, "Bad Request")
			return
		}
		x.broken()
		return
	}
	ctx, cancel := context.WithTimeout(x.r.Context(), x.timeout())
	defer cancel()
	method := in.Method
	if method == "" || method == "ANY" {
		method = x.r.Method
	}
	out := (&http.Request{Method: method, URL: target, Host: target.Host, Header: x.backendHeader(req, proxy), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(req.body)), Body: http.NoBody}).WithContext(ctx)
	if len(req.body) > 0 && method != http.MethodGet && method != http.MethodHead || proxy && len(req.body) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(req.body))
	} else {
		out.ContentLength = 0
	}
	transport := x.plan.transport
	if in.Insecure {
		transport = x.plan.insecure
	}
	if x.notes != nil {
		x.note("Endpoint request URI: %s", target)
		x.noteData("Endpoint request headers: %s", headerText(out.Header))
		x.noteData("Endpoint request body after transformations: %s", req.body)
		x.note("Sending request to %s", target)
	}
	began := x.g.Now()
	res, err := transport.RoundTrip(out)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(res.Body, maxBody+1))
		res.Body.Close()
	}
	x.integrationMillis = x.g.Now().Sub(began).Milliseconds()
	switch {
	case err == nil && len(body) > maxBody:
		x.integrationError = "the answer is larger than 10 MB"
		x.trace.Fail("integration", x.integrationError, "", "at most 10 MB")
		x.broken()
		return
	case err == nil:
	case x.r.Context().Err() != nil:
		x.trace.Fail("integration", "the client went away", "", "")
		x.status = 499
		return
	default:
		x.integrationError = err.Error()
		x.trace.Fail("integration", "the back end cannot be reached or did not answer: "+target.Scheme+"://"+target.Host, err.Error(), "an answer within "+x.timeout().String())
		var timeout net.Error
		if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
			x.timedOut()
			return
		}
		x.refuseAs(v1.GatewayResponseTypeIntegrationFailure, "Network error communicating with endpoint")
		return
	}
	x.integrationStatus = res.StatusCode
	x.noteEndpoint(res.Header)
	if x.notes != nil {
		x.note("Received response. Status: %d, Integration latency: %d ms", res.StatusCode, x.integrationMillis)
		x.noteData("Endpoint response headers: %s", headerText(res.Header))
		x.noteData("Endpoint response body before transformations: %s", body)
	}
	x.trace.Pass("integration", method+" "+in.URI+", status "+itoa(res.StatusCode))
	if !proxy {
		x.respond(&result{status: itoa(res.StatusCode), code: res.StatusCode, header: res.Header, body: body})
		return
	}
	h := x.w.Header()
	named := res.Header["Connection"]
	for name, values := range res.Header {
		if named != nil && listed(named, name) {
			continue
		}
		for _, v := range values {
			setHeader(h, name, v)
		}
	}
	h["X-Amzn-Trace-Id"] = []string{x.traceID()}
	x.write(res.StatusCode, contentJSON[0], body)
}

// endpoint makes the URL of a request to a back end.
func (x *restExchange) endpoint(req *request, proxy bool) (*url.URL, error) {
	uri := x.method.Integration.URI
	base, query, _ := strings.Cut(uri, "?")
	scheme, rest, _ := strings.Cut(base, "://")
	host, path := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	var b strings.Builder
	for path != "" {
		text, after, found := strings.Cut(path, "{")
		b.WriteString(text)
		if !found {
			break
		}
		name, tail, _ := strings.Cut(after, "}")
		v, ok := req.path[strings.TrimSuffix(name, "+")]
		if !ok {
			return nil, errors.New("the integration's URI names {" + name + "}, to which nothing is mapped (integration.request.path." + name + ")")
		}
		if v.greedy {
			// What parts segments for the back end is what did so for routes and policies.
			for i, part := range strings.Split(v.value, "%2F") {
				if i > 0 {
					b.WriteString("%2F")
				}
				escapePath(&b, part)
			}
		} else {
			b.WriteString(url.PathEscape(v.value))
		}
		path = tail
	}
	raw := b.String()
	unescaped, err := url.PathUnescape(raw)
	switch {
	case err != nil:
		return nil, errors.New("the integration's URI is not well percent-encoded")
	case dotted(raw) || dotted(unescaped):
		return nil, errDots
	case strings.ContainsAny(host, "{}@"):
		return nil, errors.New("the integration's URI has no plain host: " + host)
	}
	add := func(raw string) {
		if query != "" && raw != "" {
			query += "&"
		}
		query += raw
	}
	mapped := map[string]bool{}
	for _, q := range req.query {
		mapped[q.name] = true
		for _, v := range q.values {
			add(url.QueryEscape(q.name) + "=" + url.QueryEscape(v))
		}
	}
	if proxy {
		for _, q := range x.parameters().query {
			for _, v := range q.values {
				if !mapped[q.name] {
					add(url.QueryEscape(q.name) + "=" + url.QueryEscape(v))
				}
			}
		}
	}
	return &url.URL{Scheme: strings.ToLower(scheme), Host: host, Path: unescaped, RawPath: raw, RawQuery: query}, nil
}

// backendHeader makes the headers of a request to a back end: of a proxy the client's, else those that are mapped.
func (x *restExchange) backendHeader(req *request, proxy bool) http.Header {
	out := http.Header{}
	if proxy {
		named := x.r.Header["Connection"]
		for name, v := range x.r.Header {
			if hopByHop(name) || name == "Expect" || name == "Content-Length" || named != nil && listed(named, name) {
				continue
			}
			out[name] = v
		}
		forwarded := x.source
		if v := x.r.Header["X-Forwarded-For"]; len(v) > 0 {
			forwarded = strings.Join(v, ", ") + ", " + x.source
		}
		out["X-Forwarded-For"] = []string{forwarded}
		out["X-Forwarded-Port"] = []string{x.port()}
		out["X-Forwarded-Proto"] = []string{x.scheme()}
		if x.body0 != nil && x.r.Header.Get("Content-Encoding") != "" && x.snap.MinCompression >= 0 {
			delete(out, "Content-Encoding") // it was unpacked
		}
	} else {
		out["User-Agent"] = []string{"AmazonAPIGateway_" + x.t.APIID}
		out["Accept"] = contentJSON
		if v := x.r.Header["Accept"]; len(v) > 0 {
			out["Accept"] = v[:1]
		}
		if req.contentType != "" {
			out["Content-Type"] = []string{req.contentType}
		} else {
			out["Content-Type"] = contentJSON
		}
	}
	for name, values := range req.header {
		if name == "Host" || hopByHop(name) || name == "Content-Length" {
			continue
		}
		var good []string
		for _, v := range values {
			if validHeader(name, v) {
				good = append(good, v)
			}
		}
		out[name] = good
	}
	out["X-Amzn-Apigateway-Api-Id"] = []string{x.t.APIID}
	if len(out["X-Amzn-Trace-Id"]) == 0 {
		out["X-Amzn-Trace-Id"] = []string{x.traceID()}
	}
	if out["User-Agent"] == nil {
		out["User-Agent"] = nil // none of Go's own
	}
	return out
}

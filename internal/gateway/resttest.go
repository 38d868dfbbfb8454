package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

// restTest is a test of a method or an authorizer.
type restTest struct{ w testWriter }

var _ restapis.Tester = (*Gateway)(nil)

// testWriter keeps an answer.
type testWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *testWriter) Header() http.Header         { return w.header }
func (w *testWriter) WriteHeader(status int)      { w.status = status }
func (w *testWriter) Write(b []byte) (int, error) { return w.body.Write(b) }

// beginTest makes the exchange of a test.
func (k *restAPIs) beginTest(ctx context.Context, snap *restapis.Snapshot, method string, target, body *string, single map[string]string, multi map[string][]string) (*restExchange, error) {
	raw := shape.Val(target)
	if raw == "" {
		raw = "/"
	}
	u, err := url.ParseRequestURI(raw)
	if err != nil || raw[0] != '/' || u.EscapedPath() == "" {
		return nil, v1.BadRequestException("Invalid path with query string: %s", raw)
	}
	header := http.Header{}
	for name, value := range single {
		header.Set(name, value)
	}
	for name, values := range multi {
		header[http.CanonicalHeaderKey(name)] = values
	}
	for name, values := range header {
		for _, v := range values {
			if !validHeader(name, v) {
				return nil, v1.BadRequestException("Invalid header specified: %s", name)
			}
		}
	}
	text := shape.Val(body)
	host := snap.APIID + ".execute-api." + snap.Region + ".amazonaws.com"
	r := (&http.Request{Method: method, URL: u, RequestURI: raw, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Host: host,
		RemoteAddr: "127.0.0.1:0", Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text))}).WithContext(ctx)
	x := &restExchange{k: k, snap: snap, testing: &restTest{w: testWriter{header: http.Header{}}}, extended: newRequestID(), notes: &executionLog{data: true}}
	x.begin(k.g, &x.testing.w, r, Target{APIID: snap.APIID, Path: u.EscapedPath()}, "X-Amzn-Requestid", ident.UUID())
	x.trace = &trace.Trace{RequestID: x.id} // for the log; it is not recorded
	if x.path, err = decodeSegments(u.EscapedPath()); err != nil {
		return nil, v1.BadRequestException("Invalid path with query string: %s", raw)
	}
	x.full = "/" + snap.Stage + x.path
	x.use()
	return x, nil
}

// TestMethod runs a method as TestInvokeMethod does: without authorizer, API key and throttling. What it does is in
// the log.
func (g *Gateway) TestMethod(ctx context.Context, snap *restapis.Snapshot, m *restapis.Method, in *v1.TestInvokeMethodRequest) (*v1.TestInvokeMethodResponse, error) {
	verb := in.HttpMethod
	if verb == "ANY" {
		verb = http.MethodGet
	}
	target := in.PathWithQueryString
	if shape.Val(target) == "" {
		target = &m.Resource.Path
	}
	x, err := g.rest.beginTest(ctx, snap, verb, target, in.Body, in.Headers, in.MultiValueHeaders)
	if err != nil {
		return nil, err
	}
	x.method = &x.plan.methods[m.Index]
	x.routeKey = m.HTTP + " " + m.Resource.Path
	t := x.testing
	x.noteRequest()
	x.noteData("Method request body before transformations: %s", shape.Val(in.Body))
	x.run()
	x.noteEnd()
	out := &v1.TestInvokeMethodResponse{Status: shape.Ptr(int64(x.status)), Body: shape.Ptr(t.w.body.String()), Log: shape.Ptr(x.testLog()),
		Latency: shape.Ptr(g.Now().Sub(x.start).Milliseconds()), Headers: map[string]string{}, MultiValueHeaders: map[string][]string{}}
	for name, values := range t.w.header {
		out.Headers[name], out.MultiValueHeaders[name] = values[len(values)-1], values
	}
	return out, nil
}

// TestAuthorizer asks an authorizer, past what is kept of its results.
func (g *Gateway) TestAuthorizer(ctx context.Context, snap *restapis.Snapshot, z *restapis.Authorizer, in *v1.TestInvokeAuthorizerRequest) (*v1.TestInvokeAuthorizerResponse, error) {
	x, err := g.rest.beginTest(ctx, snap, http.MethodGet, in.PathWithQueryString, in.Body, in.Headers, in.MultiValueHeaders)
	if err != nil {
		return nil, err
	}
	fresh := *z
	fresh.TTL = 0
	typ := "CUSTOM"
	if z.Type == v1.AuthorizerTypeCognitoUserPools {
		typ = z.Type
	}
	m := restMethod{Method: &restapis.Method{HTTP: http.MethodGet, Resource: &restapis.Resource{Path: "/"}, AuthorizationType: typ, Authorizer: &fresh}}
	g.rest.compileAuthorizer(&m, x.plan, snap)
	x.method = &m
	x.note("Starting authorizer: %s", z.ID)
	x.auth = authorizer.Request{HTTP: x.r, API: x.api, Path: x.path, SourceIP: x.source, Start: x.start, Trace: x.trace, Body: x, Logger: g.Logger}
	m.authorizer.Authorize(&x.auth, &x.caller)
	for _, s := range x.trace.Steps {
		if s.OK {
			x.note("%s: %s", s.Name, s.Detail)
		} else {
			x.note("%s failed: %s", s.Name, strings.TrimSpace(s.Detail+" "+s.Got))
		}
	}
	out := &v1.TestInvokeAuthorizerResponse{ClientStatus: shape.Ptr(int64(x.caller.Refusal.Status())), Latency: shape.Ptr(g.Now().Sub(x.start).Milliseconds())}
	switch c := &x.caller; {
	case c.Token != nil:
		out.Claims = map[string]string{}
		for name, v := range c.Token.Claims {
			out.Claims[name] = restClaim(name, v)
		}
	case c.Lambda != nil:
		out.PrincipalId, out.Policy = &c.Lambda.Principal, &c.Lambda.Policy
		out.Authorization = map[string][]string{}
		for i := range c.Lambda.Context {
			out.Authorization[c.Lambda.Context[i].Name] = []string{c.Lambda.Context[i].Text()}
		}
	}
	x.note("Completed authorizer with status: %d", *out.ClientStatus)
	out.Log = shape.Ptr(x.testLog())
	return out, nil
}

// FlushAuthorizers forgets what the authorizers of a stage have decided.
func (g *Gateway) FlushAuthorizers(apiID, stage string) { g.rest.results.Flush(apiID, stage) }

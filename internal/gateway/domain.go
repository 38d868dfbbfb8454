package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
)

// ServeDomain answers a request whose host is a custom domain: by the API and stage to which its path is mapped.
// connected is the domain for whose name the TLS connection was made; nil if it was made for none, or without TLS.
func (g *Gateway) ServeDomain(w http.ResponseWriter, r *http.Request, h, connected *domains.Host) {
	t := Target{Host: strings.TrimSuffix(r.Host, ":443"), Custom: true, Path: r.URL.EscapedPath()}
	if h.Mutual {
		switch {
		case r.TLS == nil:
			g.refuseDomain(w, r, t, http.StatusForbidden, "Forbidden", "the domain demands mutual TLS, and the request came without TLS", "http", "https, with a client certificate")
			return
		case connected == nil || connected.Domain != h.Domain:
			// RFC 9110, section 15.5.20: the client shall come again on a connection of its own for this name.
			g.refuseDomain(w, r, t, http.StatusMisdirectedRequest, "Misdirected Request", "the connection was made for another name than the request is for", r.TLS.ServerName, h.Domain)
			return
		}
		var err error
		if t.Client, err = h.Verify(r.TLS, g.Now()); err != nil {
			got := ""
			if len(r.TLS.PeerCertificates) > 0 {
				got = r.TLS.PeerCertificates[0].Subject.String()
			}
			g.refuseDomain(w, r, t, http.StatusForbidden, "Forbidden", "the client's certificate is not trusted: "+err.Error(), got, "a certificate that the domain's truststore vouches for")
			return
		}
	}
	m, rest, ok := h.Match(t.Path)
	if !ok {
		keys := h.Keys()
		slices.Sort(keys)
		want := "one of: " + strings.Join(keys[:min(len(keys), 10)], ", ")
		if len(keys) == 0 {
			want = "a mapping; the domain has none"
		}
		g.refuseDomain(w, r, t, http.StatusForbidden, "Forbidden", "no mapping of the domain takes the path", t.Path, want)
		return
	}
	t.APIID, t.Path, t.Stage, t.Base, t.mapped = m.APIID, rest, m.Stage, m.Base, h.Domain+m.Base
	g.Serve(w, r, t)
}

// refuseDomain answers a request that gets to no API.
func (g *Gateway) refuseDomain(w http.ResponseWriter, r *http.Request, t Target, status int, message, why, got, want string) {
	var x exchange
	x.begin(g, w, r, t, "X-Amzn-Requestid", ident.UUID())
	x.trace.Fail("domain", why, got, want)
	h := w.Header()
	h["Content-Type"] = contentJSON
	h["X-Amzn-Errortype"] = []string{"ForbiddenException"}
	if status != http.StatusForbidden {
		h["X-Amzn-Errortype"] = []string{"MisdirectedRequestException"}
	}
	body := `{"message":"` + message + `"}`
	h["Content-Length"] = []string{itoa(len(body))}
	x.status, x.size = status, int64(len(body))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(body)) // the client is gone: nobody to tell
	}
	x.end(nil)
}

// stagePath is the path with the stage's name, where that is part of it.
func (x *httpExchange) stagePath() string {
	if stage := x.t.Stage; stage != "" && stage != "$default" {
		return "/" + stage + x.path
	}
	return x.path
}

// clientPath is the path as the client sent it, decoded: on a custom domain with the mapping's, unless a mapping of
// parameters has made another of it. That is what format 1.0 shows, while rawPath has the stage instead.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func (x *httpExchange) clientPath() string {
	if x.t.Custom && x.full == x.stagePath() {
		return x.t.Base + x.path
	}
	return x.full
}

// appendClient appends "clientCert":{…}.
func appendClient(b []byte, c *domains.Client) []byte {
	b = append(b, `"clientCert":{`...)
	for _, f := range [...]struct{ name, value string }{{"clientCertPem", c.PEM}, {"subjectDN", c.Subject}, {"issuerDN", c.Issuer}, {"serialNumber", c.Serial}} {
		b = append(appendField(b, f.name, f.value), ',')
	}
	b = append(b, `"validity":{`...)
	b = append(appendField(b, "notBefore", c.NotBefore), ',')
	return append(appendField(b, "notAfter", c.NotAfter), "}}"...)
}

// clientValue returns a variable of $context.identity.clientCert.
func (x *exchange) clientValue(name string) string {
	c := x.t.Client
	if c == nil {
		return ""
	}
	switch name {
	case "clientCertPem":
		return c.PEM
	case "subjectDN":
		return c.Subject
	case "issuerDN":
		return c.Issuer
	case "serialNumber":
		return c.Serial
	case "validity.notBefore":
		return c.NotBefore
	case "validity.notAfter":
		return c.NotAfter
	}
	return ""
}

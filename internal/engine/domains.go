package engine

import (
	"context"
	"crypto/tls"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/gateway"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
)

// customDomain finds the custom domain of APIs that a host is; nil if it is none. Names of this machine and of AWS
// are never looked up.
func (e *Engine) customDomain(ctx context.Context, host string) *restapis.Domain {
	if loopback(host) || !strings.Contains(host, ".") {
		return nil
	}
	for _, end := range awsNames {
		if strings.HasSuffix(host, end) {
			return nil
		}
	}
	d, err := e.rest.Domain(ctx, host)
	if err != nil {
		e.cfg.Logger.Error("custom domain cannot be read", "host", host, "error", err)
		return nil
	}
	return d
}

// serveDomain serves a request for a custom domain by the domain's mappings of base paths. What none of them takes is
// forbidden, as on AWS.
func (e *Engine) serveDomain(w http.ResponseWriter, r *http.Request, d *restapis.Domain) {
	path := r.URL.EscapedPath()
	m, rest, ok := d.Match(path)
	if !ok {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-Errortype", "ForbiddenException")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"message":"Forbidden"}`))
		return
	}
	t := gateway.Target{APIID: m.APIID, Path: rest, Host: r.Host, Custom: true, Stage: m.Stage}
	if m.BasePath != "" {
		t.Base = "/" + m.BasePath
	}
	e.gateway.Serve(w, r, t)
}

// tlsConfig is the local authority's, but for custom domains that have a certificate of their own.
func (e *Engine) tlsConfig() *tls.Config {
	config := e.ca.TLSConfig(e.goesBy)
	local := config.GetCertificate
	config.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if d := e.customDomain(h.Context(), h.ServerName); d != nil && d.Certificate != nil {
			return d.Certificate, nil
		}
		return local(h)
	}
	return config
}

package engine

import (
	"context"
	"crypto/tls"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/gateway"
)

// customDomain finds the custom domain of APIs that a host is; nil if it is none. Names of this machine and of AWS
// are never looked up.
func (e *Engine) customDomain(ctx context.Context, host string) *domains.Host {
	if loopback(host) || !strings.Contains(host, ".") {
		return nil
	}
	for _, end := range awsNames {
		if strings.HasSuffix(host, end) {
			return nil
		}
	}
	h, err := e.hosts.Host(ctx, host)
	if err != nil {
		e.cfg.Logger.Error("custom domain cannot be read", "host", host, "error", err)
		return nil
	}
	return h
}

// serveDomain serves a request for a custom domain by the domain's mappings of base paths. What none of them takes is
// forbidden, as on AWS, and so is a client whose certificate a domain with mutual TLS does not trust.
func (e *Engine) serveDomain(w http.ResponseWriter, r *http.Request, h *domains.Host) {
	m, rest, ok := h.Match(r.URL.EscapedPath())
	if ok && h.Mutual {
		_, err := h.Verify(r.TLS, e.cfg.Now())
		ok = err == nil
	}
	if !ok {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-Errortype", "ForbiddenException")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"message":"Forbidden"}`))
		return
	}
	e.gateway.Serve(w, r, gateway.Target{APIID: m.APIID, Path: rest, Host: r.Host, Custom: true, Stage: m.Stage, Base: m.Base})
}

// tlsConfig is the local authority's, but for custom domains, which have certificates of their own, or ask for the
// client's.
func (e *Engine) tlsConfig() *tls.Config {
	config := e.ca.TLSConfig(e.goesBy)
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if d := e.customDomain(h.Context(), h.ServerName); d != nil {
			return d.TLS(e.ca.Leaf), nil
		}
		return nil, nil
	}
	return config
}

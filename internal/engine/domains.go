package engine

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
)

// openDomains makes what keeps custom domains, with the certificates that lie in files.
func (e *Engine) openDomains(box *seal.Key) error {
	cfg := &e.cfg
	public, err := url.Parse(e.PublicURL())
	if err != nil {
		return err
	}
	publicName, addrName := strings.ToLower(public.Hostname()), strings.ToLower(hostOf(cfg.Addr))
	o := domains.Options{DB: e.db, Seal: box, Account: cfg.Account, Objects: e.buckets, Logger: cfg.Logger, Now: cfg.Now,
		Own: func(name string) bool { return name == publicName || name == addrName }} // no custom domain takes them
	if cfg.Certificates != "" {
		if o.Certificates, err = domains.OpenCertificates(cfg.Certificates, cfg.Now, cfg.Logger); err != nil {
			return err
		}
	}
	e.hosts = domains.New(o)
	return nil
}

// frontDomain answers a request whose host is a custom domain of APIs. An address, which most requests of a local
// server have for a host, is none and is not looked up.
func (e *Engine) frontDomain(w http.ResponseWriter, r *http.Request) bool {
	host := hostOf(r.Host)
	if host == "" || host[len(host)-1] >= '0' && host[len(host)-1] <= '9' || host[len(host)-1] == ']' || host == "localhost" {
		return false
	}
	h, err := e.hosts.Host(r.Context(), host)
	if err != nil {
		e.cfg.Logger.Error("a custom domain cannot be read", "host", host, "error", err)
		http.Error(w, `{"message":"Internal Server Error"}`, http.StatusInternalServerError)
		return true
	}
	if h == nil {
		return false
	}
	e.gateway.ServeDomain(w, r, h, e.connectedTo(r))
	return true
}

// connectedTo returns the domain for whose name a TLS connection was made; nil if it was made for none.
func (e *Engine) connectedTo(r *http.Request) *domains.Host {
	if r.TLS == nil || r.TLS.ServerName == "" {
		return nil
	}
	h, _ := e.hosts.Host(r.Context(), r.TLS.ServerName) // from memory: the handshake has asked for it
	return h
}

// tlsConfig is the local authority's for the names that the server goes by. Custom domains have their certificates,
// and may ask for the client's.
func (e *Engine) tlsConfig() *tls.Config {
	config := e.ca.TLSConfig(e.goesBy)
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if hello.ServerName == "" {
			return nil, nil
		}
		h, err := e.hosts.Host(hello.Context(), hello.ServerName)
		if err != nil || h == nil {
			return nil, err
		}
		return h.TLS(e.ca.Leaf), nil
	}
	return config
}

package domains

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Host is a domain, compiled for the data plane.
type Host struct {
	Domain string // its name; "*.example.com" for all names of one more label
	Region string
	Mutual bool // clients must show a certificate that the truststore vouches for

	paths map[string]Mapped
	depth int // segments that a key of paths has at the most

	service     *Service
	arn         string
	certificate *tls.Certificate // that was given as text
	policy      string

	once   sync.Once
	config *tls.Config

	trust   *x509.CertPool
	trusted map[string]bool // the truststore's certificates themselves
	mu      sync.Mutex
	clients map[[32]byte]*Client
}

// Mapped is where a path of a domain leads.
type Mapped struct {
	Base  string // "/orders/v1", "" for everything that no other takes
	APIID string
	Stage string // "": the first segment of the rest names it
}

// Match finds the mapping for a path, as the client encoded it: the longest that is the path, or its beginning up to
// a slash. rest is what follows.
func (h *Host) Match(path string) (m Mapped, rest string, ok bool) {
	end := 0
	for range h.depth { // as far as the longest key could reach
		if end >= len(path) || path[end] != '/' {
			break
		}
		if i := strings.IndexByte(path[end+1:], '/'); i >= 0 {
			end += 1 + i
		} else {
			end = len(path)
		}
	}
	for end > 0 {
		if m, ok := h.paths[path[1:end]]; ok && end > 1 {
			if rest = path[end:]; rest == "" {
				rest = "/"
			}
			return m, rest, true
		}
		end = strings.LastIndexByte(path[:end], '/')
	}
	if path == "" {
		path = "/"
	}
	m, ok = h.paths[""]
	return m, path, ok
}

// Keys returns the paths that the domain has, for those who say what would have been found.
func (h *Host) Keys() []string {
	var keys []string
	for _, m := range h.paths {
		keys = append(keys, m.Base+"/")
	}
	return keys
}

// index finds hosts.
type index struct {
	mu      sync.RWMutex
	names   map[string]bool // of all domains that there are, and perhaps of some that were, wildcards without their *; nil: not read yet
	hosts   map[string]*Host
	changes uint64
}

// drop takes note of a document that has changed: a domain NAME, or a mapping NAME/KEY.
func (x *index) drop(id string) {
	name, _, _ := strings.Cut(id, "/")
	x.mu.Lock()
	defer x.mu.Unlock()
	x.changes++
	if name == "" {
		x.names, x.hosts = nil, nil
		return
	}
	if x.names != nil {
		x.names[strings.TrimPrefix(name, "*")] = true
	}
	delete(x.hosts, strings.TrimPrefix(name, "*"))
}

// find looks for a host in memory. known is false if the store must be asked: for the domain name, or for all names
// if that is "".
func (x *index) find(host string) (name string, h *Host, known bool, changes uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.names == nil {
		return "", nil, false, x.changes
	}
	if len(x.names) == 0 {
		return "", nil, true, x.changes
	}
	key := host
	name = host
	if strings.HasPrefix(host, "*") {
		key = host[1:]
	}
	if !x.names[key] || key == "" || key[0] == '.' && key == host {
		dot := strings.IndexByte(host, '.')
		if dot <= 0 || !x.names[host[dot:]] {
			return "", nil, true, x.changes
		}
		name, key = "", host[dot:]
	}
	if h = x.hosts[key]; h == nil && name == "" {
		name = "*" + key
	}
	return name, h, h != nil, x.changes
}

// Host finds the custom domain that a request's host, without a port, belongs to: its own, or the wildcard above it.
// It returns nil if there is none. It takes constant time, from memory.
func (s *Service) Host(ctx context.Context, host string) (*Host, error) {
	host = lower(host)
	for {
		name, h, known, changes := s.index.find(host)
		if known {
			return s.lead(h, host), nil
		}
		if name == "" {
			if err := s.readNames(ctx, changes); err != nil {
				return nil, err
			}
			continue
		}
		h, err := s.compile(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			s.index.forget(name, changes)
			continue
		} else if err != nil {
			return nil, err
		}
		s.index.mu.Lock()
		if s.index.changes == changes {
			if s.index.hosts == nil {
				s.index.hosts = map[string]*Host{}
			}
			s.index.hosts[strings.TrimPrefix(name, "*")] = h
		}
		s.index.mu.Unlock()
		return s.lead(h, host), nil
	}
}

// lead returns h, unless the server itself answers to the name: a wildcard may have it below it, and its public URL
// may have changed.
func (s *Service) lead(h *Host, host string) *Host {
	if h != nil && s.own != nil && s.own(host) {
		return nil
	}
	return h
}

// lower is a host name in lower case, without the dot at its end; almost always as it is.
func lower(host string) string {
	host = strings.TrimSuffix(host, ".")
	for i := range len(host) {
		if c := host[i]; 'A' <= c && c <= 'Z' {
			return strings.ToLower(host)
		}
	}
	return host
}

// forget notes that there is no domain of that name.
func (x *index) forget(name string, changes uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.changes == changes {
		delete(x.names, strings.TrimPrefix(name, "*"))
	}
}

// readNames reads the names of all domains.
func (s *Service) readNames(ctx context.Context, changes uint64) error {
	names := map[string]bool{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		list, _, err := documents.List(tx, "", "", 0)
		for _, d := range list {
			names[strings.TrimPrefix(d.Name, "*")] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	if s.index.changes == changes {
		s.index.names = names
	}
	return nil
}

// compile reads a domain and its mappings.
func (s *Service) compile(ctx context.Context, name string) (*Host, error) {
	h := &Host{Domain: name, paths: map[string]Mapped{}, service: s, clients: map[[32]byte]*Client{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		d, err := documents.Get(tx, name)
		if err != nil {
			return err
		}
		h.Region, h.arn, h.policy = d.Region, d.CertificateARN(), d.SecurityPolicy
		if h.arn == "" {
			if h.certificate, err = s.uploaded(d); err != nil {
				return err
			}
		}
		if m := d.MutualTLS; m != nil {
			h.Mutual, h.trust, h.trusted = true, x509.NewCertPool(), map[string]bool{}
			certs, _ := parseTruststore([]byte(m.Truststore), s.now())
			for _, c := range certs {
				if weak(c) == "" {
					h.trust.AddCert(c)
					h.trusted[string(c.Raw)] = true
				}
			}
		}
		list, _, err := mappings.List(tx, name, "", 0)
		for _, m := range list {
			to := Mapped{APIID: m.APIID, Stage: m.Stage}
			if m.Key != "" {
				to.Base = "/" + m.Key
				h.depth = max(h.depth, strings.Count(to.Base, "/"))
			}
			h.paths[m.Key] = to
		}
		return err
	})
	return h, err
}

// TLS returns how the domain's connections are made. leaf gives a certificate of the local authority for a name.
func (h *Host) TLS(leaf func(name string) (*tls.Certificate, error)) *tls.Config {
	h.once.Do(func() {
		h.config = &tls.Config{
			MinVersion: minVersion(h.policy),
			NextProtos: []string{"h2", "http/1.1"},
			GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				c, err := h.pick(hello.ServerName, leaf)
				if err != nil {
					h.service.log.Error("a domain has no certificate", "domain", h.Domain, "certificate", h.arn, "error", err)
				}
				return c, err
			},
		}
		if h.Mutual {
			h.config.ClientAuth = tls.RequireAnyClientCert // what it is worth is decided for each request
		}
	})
	return h.config
}

func (h *Host) pick(name string, leaf func(string) (*tls.Certificate, error)) (*tls.Certificate, error) {
	switch s := h.service; {
	case h.certificate != nil:
		return h.certificate, nil
	case s.files == nil || local(h.Domain):
		return leaf(name)
	default:
		file, err := s.nameOf(h.arn)
		if err != nil {
			return nil, err
		}
		c, err := s.files.Get(file)
		if err != nil {
			return nil, fmt.Errorf("certificate %s in %s: %w", file, s.files.Dir(), err)
		}
		return c, nil
	}
}

// minVersion is the oldest version of TLS that a security policy allows.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-custom-domain-tls-version.html
func minVersion(policy string) uint16 {
	switch {
	case policy == TLS10:
		return tls.VersionTLS10
	case strings.HasPrefix(policy, "SecurityPolicy_TLS13_1_3_"), strings.HasPrefix(policy, "SecurityPolicy_TLS13_2025"):
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

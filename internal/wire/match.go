package wire

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
)

// Target is what a request of the control plane is for.
type Target struct {
	Service   *Service
	Operation *shape.Operation // nil: the service has none of that name or path
	Name      string           // of the operation as the client wrote it, where it wrote one

	// Preflight is set for a browser's question whether it may send such a request (CORS). Service may
	// be nil then.
	Preflight bool

	region string // from the scope or the host; "" if neither names one
	labels []proto.Label
	query  url.Values
}

// Match finds out which service and operation r is for. ok is false if r does not belong to the
// control plane: to a host or path of an API, of a pool's pages, or to a service that is not served.
//
// Paths that begin with an underscore are the server's own and never of the control plane.
// What decides, in this order: the X-Amz-Target header of the JSON services; the service in the
// credential scope (a header's or a presigned URL's); the Host header; the Action and Version of a
// form, for the unsigned operations of Query services. Then method, path and query of REST services.
// Match may read the beginning of a form's body, which stays readable.
func (s *Server) Match(r *http.Request) (t *Target, ok bool) {
	host := s.host(r)
	scope, scoped := ScopeOf(r)
	if host.data || scope.Service == "execute-api" || strings.Contains(r.URL.Path, "/_user_request_") ||
		strings.HasPrefix(r.URL.Path, "/_") && host.bucket == "" {
		return nil, false
	}
	if r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" {
		return s.matchPreflight(r, host)
	}
	t = &Target{region: scope.Region}
	if t.region == "" {
		t.region = host.region
	}
	atRoot := r.URL.Path == "/" || r.URL.Path == ""
	if atRoot && r.Method == http.MethodPost {
		if target := r.Header.Get("X-Amz-Target"); target != "" && s.matchJSON(t, target) {
			return t, true
		}
	}
	if r.URL.RawQuery != "" {
		t.query = r.URL.Query()
	}
	var candidates []*Service
	switch {
	case scoped:
		candidates = s.bySigning[scope.Service]
	case host.service != "":
		candidates = s.byEndpoint[host.service]
	case t.query.Has("AWSAccessKeyId") && t.query.Has("Signature"): // a URL of S3 by Signature Version 2, to be refused by that name
		candidates = s.bySigning["s3"]
	case atRoot:
		return s.matchForm(t, r, s.queries, false)
	case dated(r.URL.Path):
		return s.matchPath(t, r, s.dated)
	}
	if len(candidates) == 0 {
		return nil, false
	}
	switch m := candidates[0].Model; m.Protocol {
	case shape.JSON10, shape.JSON11:
		if !atRoot || r.Method != http.MethodPost {
			return nil, false
		}
		t.Service = candidates[0]
		return t, true
	case shape.QueryXML:
		if !atRoot {
			return nil, false
		}
		return s.matchForm(t, r, candidates, true)
	case shape.RESTXML:
		path := r.URL.EscapedPath()
		if host.service == m.Endpoint && host.bucket != "" {
			path = "/" + host.bucket + path
		}
		t.Service = candidates[0]
		t.Operation, t.labels, _ = t.Service.router.match(r.Method, path, t.query, r.Header)
		return t, true
	}
	if t, ok := s.matchPath(t, r, candidates); ok {
		return t, true
	}
	t.Service = candidates[0]
	return t, true
}

func (s *Server) matchJSON(t *Target, target string) bool {
	prefix, name, _ := strings.Cut(target, ".")
	svc := s.byTarget[prefix]
	if svc == nil {
		t.Name = target
		return false
	}
	t.Service, t.Name, t.Operation = svc, name, svc.Model.Operation(name)
	return true
}

// host says what r's Host header says. A name below localhost means a service only if there is one.
func (s *Server) host(r *http.Request) hostName {
	h := parseHost(r.Host)
	if h.local && len(s.byEndpoint[h.service]) == 0 {
		h.service, h.region, h.bucket = "", "", ""
	}
	return h
}

// Names tells whether r's Host header is the name of a service that is served, on AWS: a name that is
// nobody else's to give.
func (s *Server) Names(r *http.Request) bool {
	h := s.host(r)
	return h.service != "" && !h.local && len(s.byEndpoint[h.service]) > 0
}

// matchPath looks among several REST services for the one that has the path: API Gateway's two APIs
// share a name and an endpoint. Of one that has the path but not the method it is the first.
func (s *Server) matchPath(t *Target, r *http.Request, candidates []*Service) (*Target, bool) {
	path := r.URL.EscapedPath()
	for _, svc := range candidates {
		op, labels, known := svc.router.match(r.Method, path, t.query, r.Header)
		if op != nil {
			t.Service, t.Operation, t.labels = svc, op, labels
			return t, true
		}
		if known && t.Service == nil {
			t.Service = svc
		}
	}
	return t, t.Service != nil
}

// dated tells whether a path begins with a date, as Lambda's do: no path of a user's is taken for one
// of an API of AWS's unless it looks like that or is signed.
func dated(path string) bool {
	if len(path) < 12 || path[0] != '/' || path[11] != '/' {
		return false
	}
	for i := 1; i <= 10; i++ {
		if c := path[i]; i == 5 || i == 8 {
			if c != '-' {
				return false
			}
		} else if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// matchForm finds the Query service and operation by Action and Version, in the URL of a GET or the
// form of a POST. If the service is named, by the scope or the host, a request with an unknown action
// is the first candidate's.
func (s *Server) matchForm(t *Target, r *http.Request, candidates []*Service, named bool) (*Target, bool) {
	var action, version string
	switch {
	case t.query.Get("Action") != "" && (r.Method == http.MethodGet || r.Method == http.MethodPost):
		action, version = t.query.Get("Action"), t.query.Get("Version")
	case r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		action, version = peekAction(r)
	default:
		return nil, false
	}
	t.Name = action
	var first *Service
	for _, svc := range candidates {
		if svc.Model.Protocol != shape.QueryXML {
			continue
		}
		if first == nil {
			first = svc
		}
		if version == svc.Model.APIVersion {
			t.Service, t.Operation = svc, svc.Model.Operation(action)
			return t, true
		}
	}
	if !named || first == nil {
		return nil, false
	}
	t.Service = first
	if version == "" {
		t.Operation = first.Model.Operation(action)
	}
	return t, true
}

// peekSize is how far into a form Action and Version are looked for. Clients write them first.
const peekSize = 4096

// peekAction reads Action and Version from the beginning of a form, which stays to be read.
func peekAction(r *http.Request) (action, version string) {
	if r.Body == nil {
		return "", ""
	}
	p, ok := r.Body.(*peeked)
	if !ok {
		p = &peeked{r: bufio.NewReaderSize(r.Body, peekSize), c: r.Body}
		r.Body = p
	}
	start, _ := p.r.Peek(peekSize)
	for form := string(start); form != ""; {
		var pair string
		pair, form, _ = strings.Cut(form, "&")
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "Action":
			action, _ = url.QueryUnescape(value)
		case "Version":
			version, _ = url.QueryUnescape(value)
		}
		if action != "" && version != "" {
			break
		}
	}
	return action, version
}

// peeked is a body of which the beginning was looked at.
type peeked struct {
	r *bufio.Reader
	c io.Closer
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }
func (p *peeked) Close() error               { return p.c.Close() }

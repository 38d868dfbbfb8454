package wire

import (
	"net/http"
	"strings"
)

// Browsers call Cognito directly, so the control plane answers their preflights as AWS does: any
// origin may ask, for what counts is the token or the signature inside the request, never a cookie.
const (
	exposed = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date"
	maxAge  = "172800" // seconds, as AWS answers
)

// matchPreflight finds out whether r asks for a request of the control plane.
func (s *Server) matchPreflight(r *http.Request, host hostName) (*Target, bool) {
	if host.service != "" {
		if list := s.byEndpoint[host.service]; len(list) > 0 {
			return &Target{Preflight: true, Service: list[0]}, true
		}
		return nil, false
	}
	// No known host: only the headers that the browser wants to send tell.
	target, signed := false, false
	for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "x-amz-target":
			target = true
		case "x-amz-date":
			signed = true
		}
	}
	if r.URL.Path == "/" || r.URL.Path == "" {
		return &Target{Preflight: true}, target || signed
	}
	if !signed {
		return nil, false
	}
	for _, svc := range s.services {
		if svc.router == nil || svc.greedy {
			continue
		}
		method := r.Header.Get("Access-Control-Request-Method")
		if op, _, _ := svc.router.match(method, r.URL.EscapedPath(), r.URL.Query(), nil); op != nil {
			return &Target{Preflight: true, Service: svc}, true
		}
	}
	return nil, false
}

// preflight answers r.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
	if wanted := r.Header.Get("Access-Control-Request-Headers"); wanted != "" {
		h.Set("Access-Control-Allow-Headers", wanted)
	}
	h.Set("Access-Control-Expose-Headers", exposed)
	h.Set("Access-Control-Max-Age", maxAge)
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

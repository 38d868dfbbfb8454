package engine

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/admin"
	"github.com/gatehouse-dev/gatehouse/internal/gateway"
	"github.com/gatehouse-dev/gatehouse/internal/proxy"
	"github.com/gatehouse-dev/gatehouse/internal/signin"
)

// ServeHTTP is the way in: every request of the one port comes through here and goes to one of the
// data plane, the server's own pages, a pool's face or the control plane.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if proxy.Match(r, e.ownAuthority) {
		e.proxy.ServeHTTP(w, r)
		return
	}
	e.front(w, r)
}

// front answers a request for the server itself.
func (e *Engine) front(w http.ResponseWriter, r *http.Request) {
	if t, ok := apiHost(r); ok {
		e.gateway.Serve(w, r, t)
		return
	}
	if e.frontDomain(w, r) { // before paths that have a meaning on the server's own names
		return
	}
	if t, ok := apiPath(r); ok {
		e.gateway.Serve(w, r, t)
		return
	}
	if t, ok := urlTarget(r); ok {
		e.gateway.ServeFunctionURL(w, r, t)
		return
	}
	if strings.HasPrefix(r.URL.Path, admin.Prefix) {
		if why := e.stranger(r); why != "" && r.URL.Path != admin.Prefix+"health" && r.URL.Path != admin.Prefix+"ca.pem" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		e.admin.ServeHTTP(w, r)
		return
	}
	if e.answersStack(w, r) {
		return
	}
	if t, ok := signin.Match(r); ok {
		e.signin.Serve(w, r, t)
		return
	}
	if t, ok := e.control.Match(r); ok {
		if why := e.stranger(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		e.serveControl(w, r, t)
		return
	}
	if name, ok := e.control.Unserved(r); ok {
		e.control.ServeUnserved(w, r, name)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	json.NewEncoder(w).Encode(map[string]string{
		"message": "This is a Gatehouse server. Nothing here answers to " + r.Method + " " + r.URL.Path +
			": it is neither a call of an AWS API that is served, nor the address of an API, /_aws/execute-api/API-ID/…",
	})
}

// apiPrefixes are the paths below which an API is reached without its host name.
var apiPrefixes = []string{"/_aws/execute-api/", "/execute-api/"}

// apiTarget tells whether r is a call of an API, by its host or by its path.
func apiTarget(r *http.Request) (gateway.Target, bool) {
	if t, ok := apiHost(r); ok {
		return t, true
	}
	return apiPath(r)
}

// apiHost tells whether r is a call of an API by its host, ID.execute-api.REGION.amazonaws.com or
// ID.execute-api.localhost (or LocalStack's name for that).
func apiHost(r *http.Request) (gateway.Target, bool) {
	host := strings.ToLower(strings.TrimSuffix(hostOf(r.Host), "."))
	if id, rest, ok := strings.Cut(host, ".execute-api."); ok && id != "" && !strings.Contains(id, ".") &&
		(rest == "localhost" || rest == "localhost.localstack.cloud" || strings.HasSuffix(rest, ".amazonaws.com")) {
		return gateway.Target{APIID: id, Path: r.URL.EscapedPath(), Host: strings.TrimSuffix(r.Host, ":443")}, true
	}
	return gateway.Target{}, false
}

// apiPath tells whether r is a call of an API by its path.
func apiPath(r *http.Request) (gateway.Target, bool) {
	path := r.URL.EscapedPath()
	for _, prefix := range apiPrefixes {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			id, tail, found := strings.Cut(rest, "/")
			if found {
				tail = "/" + tail
			}
			return gateway.Target{APIID: id, Path: tail}, id != ""
		}
	}
	// The form of LocalStack's REST APIs: /restapis/ID/STAGE/_user_request_/PATH.
	if rest, ok := strings.CutPrefix(path, "/restapis/"); ok {
		parts := strings.SplitN(rest, "/", 4)
		if len(parts) >= 3 && parts[2] == "_user_request_" {
			tail := "/" + parts[1]
			if len(parts) == 4 {
				tail += "/" + parts[3]
			}
			return gateway.Target{APIID: parts[0], Path: tail}, parts[0] != ""
		}
	}
	return gateway.Target{}, false
}

// unreachable is the address that an API has on AWS, where no DNS leads to this server.
var unreachable = regexp.MustCompile(`https://([a-z0-9]{10})\.execute-api\.[a-z0-9-]+\.amazonaws\.com`)

// reachable rewrites addresses of APIs and functions in the output of a stack to ones that can be opened.
func (e *Engine) reachable(output string) string {
	output = unreachableURL.ReplaceAllString(output, e.PublicURL()+urlPrefix+"$1")
	return unreachable.ReplaceAllString(output, e.PublicURL()+"/_aws/execute-api/$1")
}

// awsNames are the ends of the names of AWS that clients bring here, by a proxy or by their own hosts.
var awsNames = []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazoncognito.com", ".on.aws"}

// goesBy tells whether the server answers to a host name over TLS: a name of this machine, one of AWS's,
// or the name in its public URL or its address.
func (e *Engine) goesBy(name string) bool {
	if loopback(name) || name == "localhost.localstack.cloud" || strings.HasSuffix(name, ".localhost.localstack.cloud") {
		return true
	}
	for _, end := range awsNames {
		if strings.HasSuffix(name, end) && !strings.Contains(name, "*") {
			return true
		}
	}
	public, err := url.Parse(e.PublicURL())
	return err == nil && name == strings.ToLower(public.Hostname()) || name == strings.ToLower(hostOf(e.cfg.Addr))
}

// ownAuthority tells whether the host and port of a whole URL of plain HTTP are the server's own.
func (e *Engine) ownAuthority(authority string) bool {
	withPort := func(hostport, port string) string {
		if _, _, err := net.SplitHostPort(hostport); err == nil {
			return strings.ToLower(hostport)
		}
		return strings.ToLower(hostport) + ":" + port
	}
	authority = withPort(authority, "80")
	host, port, _ := net.SplitHostPort(authority)
	if _, own, _ := net.SplitHostPort(e.addr); port == own && (loopback(host) || authority == strings.ToLower(e.addr)) {
		return true
	}
	public, err := url.Parse(e.PublicURL())
	return err == nil && (authority == withPort(public.Host, "80") || public.Scheme == "https" && authority == withPort(public.Host, "443"))
}

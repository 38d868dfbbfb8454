package engine

import (
	"net/http"
	"net/url"
	"strings"
)

// stranger says why a request must not reach the APIs of an open server; "" if it may. Such a server
// takes any access key for the root's, so nothing in a request proves that its sender may send it, and
// every web page that is open on the machine can send one: to a name of its own that leads here (DNS
// rebinding), by its scripts, or by an image whose address is a call.
//
// So the server answers to names of this machine, to AWS's, and to its public URL's only; and where a
// browser sends, the page must be of this machine. A browser says so in Origin, in Sec-Fetch-Site or,
// the old ones, in Referer. What has none of them and is no browser is a tool.
func (e *Engine) stranger(r *http.Request) string {
	if !e.cfg.AuthOpen {
		return ""
	}
	if !e.ownName(r) {
		return "An open server answers to names of this machine only."
	}
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	switch {
	case origin != "":
		if allowOrigin(r, origin) {
			return ""
		}
	case site == "same-origin", site == "same-site", site == "none": // of a name that is this machine's
		return ""
	case site == "" && !strings.HasPrefix(r.UserAgent(), "Mozilla/"):
		return ""
	default:
		if ref := r.Header.Get("Referer"); ref != "" && allowOrigin(r, ref) {
			return ""
		}
	}
	return "Web pages of other machines may not call an open server."
}

// ownName tells whether r came to a name that nobody else can make lead here.
func (e *Engine) ownName(r *http.Request) bool {
	host := hostOf(r.Host)
	if host == "" || loopback(host) || e.control.Names(r) {
		return true
	}
	u, err := url.Parse(e.cfg.PublicURL)
	return err == nil && strings.EqualFold(u.Hostname(), host)
}

// allowOrigin tells whether a web page at the URL may call the control plane of an open server: only
// pages of this machine may.
func allowOrigin(_ *http.Request, page string) bool {
	u, err := url.Parse(page)
	return err == nil && loopback(u.Hostname())
}

// Package proxy is the server as an HTTP proxy, RFC 9110 sections 7.6 and 9.3.6, on the port of all else.
// Programs that know of no endpoint but of HTTPS_PROXY come through it (package surroundings).
//
// A CONNECT to a name that the server takes over becomes a new connection to the server itself, as if
// the client had come straight to it: TLS is ended there, by the name in the client's hello, and the
// request goes through the front by its Host. A CONNECT to anywhere else becomes a tunnel, of which
// nothing is looked at, to there or to the proxy that the server's own environment names. Requests with
// a whole URL, which are those of plain HTTP through a proxy, go the same two ways; so do those for https
// URLs, which old clients (axios before 1.0 is one) send instead of a CONNECT.
//
// A proxy is a way into networks that only this machine can reach. So it works for programs of this
// machine alone, by the address of their connection, whatever the server listens on; and for leading
// elsewhere it wants the password that it shares with the programs that were started for it, since a
// web server on this machine may pass on what strangers send. Browsers let no page send CONNECT.
//
// Tunnels are bounded in number, end when nothing was said for an hour, and end with the server.
package proxy

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
)

// Bounds of tunnels.
const (
	maxTunnels  = 1024
	dialTimeout = 15 * time.Second
	idleTimeout = time.Hour
)

// Options are what a [Proxy] needs.
type Options struct {
	// Takes tells whether a host name, without a port, is one that the server takes over.
	Takes func(host string) bool
	// Serve serves a connection as one that was accepted. It must not block.
	Serve func(net.Conn)
	// Front answers requests with a whole URL to names that Takes.
	Front http.Handler
	// User and Password are what a program must show to be led elsewhere. Without a password none need be.
	User     string
	Password seal.Secret
	// Upstream returns the proxy by which a request leaves, nil for none: http.ProxyFromEnvironment.
	Upstream func(*http.Request) (*url.URL, error)
	Logger   *slog.Logger
}

// Proxy leads connections.
type Proxy struct {
	o      Options
	dialer net.Dialer
	plain  *http.Transport

	ctx    context.Context // ends when the proxy closes
	cancel context.CancelFunc

	mu      sync.Mutex
	tunnels map[*tunnel]struct{}
	pending int // being made
	closed  bool
	wg      sync.WaitGroup
}

// New returns a proxy.
func New(o Options) *Proxy {
	p := &Proxy{o: o, tunnels: map[*tunnel]struct{}{}, dialer: net.Dialer{Timeout: dialTimeout}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.plain = &http.Transport{Proxy: o.Upstream, DialContext: p.dialer.DialContext, DisableCompression: true,
		MaxIdleConnsPerHost: 8, MaxIdleConns: 64, IdleConnTimeout: 30 * time.Second, ResponseHeaderTimeout: 5 * time.Minute}
	return p
}

// Match tells whether r is for a proxy: a CONNECT, or a request with a whole URL. own tells whether
// HOST:PORT, or HOST for port 80, is the server's own, to which anybody may send whole URLs.
func Match(r *http.Request, own func(authority string) bool) bool {
	return r.Method == http.MethodConnect || r.URL.Scheme != "" && r.URL.Host != "" && !own(r.URL.Host)
}

// hostname returns the name in host or host:port, in lower case.
func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// ServeHTTP answers a request that [Match] found.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	authorization := r.Header.Get("Proxy-Authorization")
	r.Header.Del("Proxy-Authorization")
	r.Header.Del("Proxy-Connection")
	if !local(r) {
		refuse(w, http.StatusForbidden, "The proxy of a Gatehouse server works for programs of its own machine only.")
		return
	}
	host, port := hostname(r.URL.Host), r.URL.Port()
	if r.Method == http.MethodConnect {
		var err error
		if host, port, err = net.SplitHostPort(r.Host); err != nil || host == "" || port == "" {
			refuse(w, http.StatusBadRequest, "CONNECT takes HOST:PORT.")
			return
		}
		host = hostname(host)
	} else if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		refuse(w, http.StatusBadRequest, "A proxy is asked for http and https URLs, or to CONNECT.")
		return
	}
	if (port == "" || port == "80" || port == "443") && p.o.Takes(host) {
		if r.Method == http.MethodConnect {
			p.home(w)
			return
		}
		r.URL.Scheme, r.URL.Host = "", "" // r.Host has it
		p.o.Front.ServeHTTP(w, r)
		return
	}
	if !p.authorized(authorization) {
		w.Header().Set("Proxy-Authenticate", `Basic realm="gatehouse"`)
		refuse(w, http.StatusProxyAuthRequired, "This Gatehouse server leads to "+host+" only programs that have its proxy's password, as 'gatehouse run' and 'gatehouse env' tell it.")
		return
	}
	if r.Method == http.MethodConnect {
		p.tunnel(w, r, net.JoinHostPort(host, port))
		return
	}
	p.forward(w, r)
}

// refuse answers in plain text, and ends the connection: what follows on it may be meant for another.
func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Connection", "close")
	http.Error(w, text, status)
}

// local tells whether r comes from this machine: from a loopback address, or from the very address that
// it came to.
func local(r *http.Request) bool {
	peer := address(r.RemoteAddr)
	if peer == nil {
		return false
	}
	if peer.IsLoopback() {
		return true
	}
	to, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && peer.Equal(address(to.String()))
}

func address(hostport string) net.IP {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil
	}
	host, _, _ = strings.Cut(host, "%") // zone
	return net.ParseIP(host)
}

func (p *Proxy) authorized(header string) bool {
	if p.o.Password == "" {
		return true
	}
	kind, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(kind, "Basic") {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return false
	}
	user, password, _ := strings.Cut(string(raw), ":")
	return p.o.Password.Equal(password) && user == p.o.User
}

// home makes the connection one to the server itself.
func (p *Proxy) home(w http.ResponseWriter) {
	conn, err := p.hijack(w)
	if err != nil {
		return
	}
	p.o.Serve(conn)
}

const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// hijack takes the connection from the HTTP server and says that the tunnel is made.
func (p *Proxy) hijack(w http.ResponseWriter) (net.Conn, error) {
	h, ok := w.(http.Hijacker)
	if !ok { // HTTP/2
		refuse(w, http.StatusNotImplemented, "CONNECT works over HTTP/1.1 only.")
		return nil, http.ErrNotSupported
	}
	conn, rw, err := h.Hijack()
	if err != nil {
		http.Error(w, "CONNECT does not work on this connection.", http.StatusInternalServerError)
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(dialTimeout))
	if _, err := conn.Write([]byte(established)); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	if rw.Reader.Buffered() > 0 { // the client did not wait
		return &buffered{Conn: conn, r: rw.Reader}, nil
	}
	return conn, nil
}

// buffered is a connection of which the beginning has been read already.
type buffered struct {
	net.Conn
	r *bufio.Reader // nil once it is empty
}

func (b *buffered) Read(p []byte) (int, error) {
	if b.r == nil {
		return b.Conn.Read(p)
	}
	n, err := b.r.Read(p[:min(len(p), b.r.Buffered())])
	if b.r.Buffered() == 0 {
		b.r = nil
	}
	return n, err
}

// CloseWrite says that nothing more comes, where the connection can say so.
func (b *buffered) CloseWrite() error {
	if c, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close ends all tunnels.
func (p *Proxy) Close(context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.cancel()
	for t := range p.tunnels {
		t.end()
	}
	p.mu.Unlock()
	p.wg.Wait()
	p.plain.CloseIdleConnections()
	return nil
}

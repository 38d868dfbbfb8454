package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A tunnel is a pair of connections.
type tunnel struct {
	a, b net.Conn
	said atomic.Int64 // when somebody last said something, in Unix nanoseconds
}

func (t *tunnel) end() {
	t.a.Close()
	t.b.Close()
}

// tunnel connects the client to a place, HOST:PORT.
func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request, to string) {
	p.mu.Lock()
	full := p.closed || len(p.tunnels)+p.pending >= maxTunnels
	if !full {
		p.pending++
		p.wg.Add(1)
	}
	p.mu.Unlock()
	if full {
		refuse(w, http.StatusServiceUnavailable, "The proxy has as many tunnels as it can hold.")
		return
	}
	defer p.wg.Done()
	t := &tunnel{}
	var err error
	if t.b, err = p.dial(r.Context(), to); err == nil {
		if t.a, err = p.hijack(w); err != nil {
			t.b.Close()
		}
	} else {
		p.o.Logger.Debug("proxy", "to", to, "err", err)
		refuse(w, http.StatusBadGateway, "The proxy of this Gatehouse server cannot reach "+to+": "+reason(err))
	}
	p.mu.Lock()
	p.pending--
	if err == nil && p.closed {
		t.end()
		err = net.ErrClosed
	} else if err == nil {
		p.tunnels[t] = struct{}{}
	}
	p.mu.Unlock()
	if err != nil {
		return
	}
	t.run()
	p.mu.Lock()
	delete(p.tunnels, t)
	p.mu.Unlock()
}

// reason is what of an error a client is told: not where the server's own proxy stands.
func reason(err error) string {
	var dns *net.DNSError
	var up *upstreamError
	switch {
	case errors.As(err, &dns):
		return "its name does not resolve"
	case errors.As(err, &up):
		return up.text
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "nothing answers"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return "the connection fails"
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// run passes bytes both ways until both sides have ended, or one has failed. A side that has said all
// may still listen.
func (t *tunnel) run() {
	t.touch()
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); t.pass(t.a, t.b) }()
	go func() { defer wg.Done(); t.pass(t.b, t.a) }()
	wg.Wait()
	t.end()
}

func (t *tunnel) touch() { t.said.Store(time.Now().UnixNano()) }

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

func (t *tunnel) pass(to, from net.Conn) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		from.SetReadDeadline(time.Now().Add(idleTimeout))
		n, err := from.Read(*buf)
		if n > 0 {
			t.touch()
			to.SetWriteDeadline(time.Now().Add(idleTimeout))
			if _, werr := to.Write((*buf)[:n]); werr != nil {
				t.end()
				return
			}
		}
		switch {
		case err == nil:
		case isTimeout(err) && time.Since(time.Unix(0, t.said.Load())) < idleTimeout: // the other side speaks
		case err == io.EOF:
			if c, ok := to.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
				return
			}
			t.end()
			return
		default:
			t.end()
			return
		}
	}
}

// upstreamError is what the server's own proxy said.
type upstreamError struct{ text string }

func (e *upstreamError) Error() string { return e.text }

// dial connects to a place, through the proxy of the server's environment if it has one for it.
func (p *Proxy) dial(ctx context.Context, to string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	var up *url.URL
	if p.o.Upstream != nil {
		var err error
		if up, err = p.o.Upstream(&http.Request{URL: &url.URL{Scheme: "https", Host: to}}); err != nil {
			return nil, &upstreamError{"the proxy in the server's environment is no URL"}
		}
	}
	if up == nil {
		return p.dialer.DialContext(ctx, "tcp", to)
	}
	port := up.Port()
	switch {
	case up.Scheme != "http" && up.Scheme != "https":
		return nil, &upstreamError{"the proxy in the server's environment is neither http nor https"}
	case port == "" && up.Scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	conn, err := p.dialer.DialContext(ctx, "tcp", net.JoinHostPort(up.Hostname(), port))
	if err != nil {
		return nil, &upstreamError{"the proxy in the server's environment does not answer"}
	}
	if up.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{ServerName: up.Hostname(), MinVersion: tls.VersionTLS12})
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	conn, err = connectThrough(conn, up, to)
	if !stop() && err == nil {
		conn.Close()
		err = context.Cause(ctx)
	}
	return conn, err
}

// connectThrough asks another proxy for a tunnel.
func connectThrough(conn net.Conn, up *url.URL, to string) (net.Conn, error) {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: to}, Host: to, Header: http.Header{}}
	if u := up.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		conn.Close()
		return nil, &upstreamError{"the proxy in the server's environment does not answer"}
	}
	br := bufio.NewReader(io.LimitReader(conn, 64<<10))
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		conn.Close()
		return nil, &upstreamError{"the proxy in the server's environment does not answer"}
	}
	if resp.StatusCode/100 != 2 {
		conn.Close()
		return nil, &upstreamError{fmt.Sprintf("the proxy in the server's environment answers %d", resp.StatusCode)}
	}
	if n := br.Buffered(); n > 0 {
		rest, _ := br.Peek(n)
		return &early{Conn: conn, rest: append([]byte(nil), rest...)}, nil
	}
	return conn, nil
}

// early is a connection whose other side spoke before it was asked.
type early struct {
	net.Conn
	rest []byte
}

func (e *early) Read(p []byte) (int, error) {
	if len(e.rest) > 0 {
		n := copy(p, e.rest)
		e.rest = e.rest[n:]
		return n, nil
	}
	return e.Conn.Read(p)
}

func (e *early) CloseWrite() error {
	if c, ok := e.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// hop are the headers that concern one connection alone, RFC 9110 section 7.6.1.
var hop = []string{"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Authenticate"}

// forward sends a request of plain HTTP on.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	if r.ContentLength == 0 {
		out.Body = nil
	}
	dropHop(out.Header)
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", "") // none is added
	}
	resp, err := p.plain.RoundTrip(out)
	if err != nil {
		refuse(w, http.StatusBadGateway, "The proxy of this Gatehouse server cannot reach "+r.URL.Host+": "+reason(err))
		return
	}
	defer resp.Body.Close()
	dropHop(resp.Header)
	head := w.Header()
	for name, values := range resp.Header {
		head[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	rc := http.NewResponseController(w)
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := resp.Body.Read(*buf)
		if n > 0 {
			if _, werr := w.Write((*buf)[:n]); werr != nil {
				return
			}
			rc.Flush()
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the client must not take it for the whole
		}
	}
}

func dropHop(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hop {
		h.Del(name)
	}
}

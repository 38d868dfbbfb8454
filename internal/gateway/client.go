package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// client is the client of HTTP integrations. net/http's hands each request to two goroutines, which costs
// more than all else that the gateway does. So plain HTTP requests with a small body or none, the most,
// are written and their answers read by the goroutine that serves the request, over kept connections. All
// others (TLS, with HTTP/2; bodies that are large or of unknown length, which need both directions at
// once) go through net/http.
type client struct {
	full http.RoundTripper
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu       sync.Mutex
	idle     map[string][]*upstreamConn // by address, the one used last at the end
	sweeping bool
}

const (
	// An idle connection is given up before common servers do so (Node: 5 s): one that is closed while
	// a request is on its way cannot be told from a failure, and a POST is not sent twice.
	maxIdle         = 4 * time.Second
	maxIdlePerHost  = 256
	maxSmallBody    = 64 << 10
	maxAnswerHeader = 1 << 20 // as net/http's transport
)

func newClient() *client {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &client{dial: d.DialContext, idle: map[string][]*upstreamConn{}, full: &http.Transport{
		DialContext:         d.DialContext,
		MaxIdleConns:        1024,
		MaxIdleConnsPerHost: maxIdlePerHost,
		IdleConnTimeout:     maxIdle,
		TLSHandshakeTimeout: 10 * time.Second,
		DisableCompression:  true, // bodies pass as they are
		ForceAttemptHTTP2:   true,
	}}
}

// upstreamConn is a connection to a backend. Its reader bounds what a header may take.
type upstreamConn struct {
	net.Conn
	addr   string
	r      *bufio.Reader
	w      *bufio.Writer
	left   int64 // of an answer's header; negative: not bounded
	reused bool
	since  time.Time // idle
}

var errHeaderTooLarge = errors.New("the header of the backend's answer is larger than 1 MB")

func (c *upstreamConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errHeaderTooLarge
	}
	if c.left > 0 && int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.Conn.Read(p)
	if c.left > 0 {
		c.left -= int64(n)
	}
	return n, err
}

// RoundTrip makes one request. Redirects are answers like others.
func (c *client) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "http" || req.Body != nil && (req.ContentLength < 0 || req.ContentLength > maxSmallBody) {
		return c.full.RoundTrip(req)
	}
	var body []byte
	if req.Body != nil {
		body = make([]byte, req.ContentLength)
		if _, err := io.ReadFull(req.Body, body); err != nil {
			return nil, err
		}
	}
	for {
		conn, err := c.get(req)
		if err != nil {
			return nil, err
		}
		res, err := conn.exchange(c, req, body)
		if err == nil {
			return res, nil
		}
		// A kept connection may have been closed by the backend: what may be sent again is.
		if stale := conn.reused && errors.As(err, new(*unansweredError)); !stale || !repeatable(req.Method) || req.Context().Err() != nil {
			return nil, err
		}
	}
}

// repeatable tells whether a method is idempotent: RFC 9110, section 9.2.2.
func repeatable(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE":
		return true
	}
	return false
}

// unansweredError is a failure before the first byte of an answer.
type unansweredError struct{ cause error }

func (e *unansweredError) Error() string { return e.cause.Error() }
func (e *unansweredError) Unwrap() error { return e.cause }

// get returns a kept connection or a new one.
func (c *client) get(req *http.Request) (*upstreamConn, error) {
	addr := req.URL.Host
	c.mu.Lock()
	for list := c.idle[addr]; len(list) > 0; list = c.idle[addr] {
		conn := list[len(list)-1]
		list[len(list)-1] = nil
		c.idle[addr] = list[:len(list)-1]
		if time.Since(conn.since) < maxIdle && quiet(conn.Conn) {
			c.mu.Unlock()
			conn.reused = true
			return conn, nil
		}
		conn.Close()
	}
	c.mu.Unlock()
	to := addr
	if u := (&url.URL{Host: addr}); u.Port() == "" {
		to = net.JoinHostPort(u.Hostname(), "80")
	}
	n, err := c.dial(req.Context(), "tcp", to)
	if err != nil {
		return nil, err
	}
	conn := &upstreamConn{Conn: n, addr: addr}
	conn.r, conn.w = bufio.NewReaderSize(conn, 4<<10), bufio.NewWriterSize(n, 4<<10)
	return conn, nil
}

// put keeps a connection for later.
func (c *client) put(conn *upstreamConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle[conn.addr]) >= maxIdlePerHost {
		conn.Close()
		return
	}
	conn.since = time.Now()
	c.idle[conn.addr] = append(c.idle[conn.addr], conn)
	if !c.sweeping {
		c.sweeping = true
		time.AfterFunc(maxIdle, c.sweep)
	}
}

// sweep closes what has been idle for too long, and comes back while there is something to close.
func (c *client) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for addr, list := range c.idle {
		old := 0
		for old < len(list) && now.Sub(list[old].since) >= maxIdle {
			list[old].Close()
			old++
		}
		if list = append(list[:0:0], list[old:]...); len(list) == 0 {
			delete(c.idle, addr)
		} else {
			c.idle[addr] = list
		}
	}
	if c.sweeping = len(c.idle) > 0; c.sweeping {
		time.AfterFunc(maxIdle, c.sweep)
	}
}

// exchange writes a request and reads the answer's header. The connection goes back when the body has been
// read to its end.
func (conn *upstreamConn) exchange(c *client, req *http.Request, body []byte) (*http.Response, error) {
	ctx := req.Context()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline) // fails on a closed connection only, as the write will
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	res, err := conn.send(req, body)
	if err != nil {
		stop()
		conn.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	b := &upstreamBody{ReadCloser: res.Body, conn: conn, client: c, stop: stop, keep: !res.Close}
	if res.Body == http.NoBody {
		b.end()
		return res, nil
	}
	res.Body = b
	return res, nil
}

func (conn *upstreamConn) send(req *http.Request, body []byte) (*http.Response, error) {
	w := conn.w
	w.WriteString(req.Method)
	w.WriteByte(' ')
	w.WriteString(req.URL.RequestURI())
	w.WriteString(" HTTP/1.1\r\nHost: ")
	w.WriteString(req.Host)
	w.WriteString("\r\n")
	for name, values := range req.Header {
		if name == "Content-Length" {
			continue
		}
		for _, v := range values {
			w.WriteString(name)
			w.WriteString(": ")
			w.WriteString(v)
			w.WriteString("\r\n")
		}
	}
	if body != nil || req.Method == "POST" || req.Method == "PUT" || req.Method == "PATCH" {
		w.WriteString("Content-Length: ")
		w.Write(strconv.AppendInt(w.AvailableBuffer(), int64(len(body)), 10))
		w.WriteString("\r\n")
	}
	w.WriteString("\r\n")
	w.Write(body)
	if err := w.Flush(); err != nil { // the first error of all these writes
		return nil, &unansweredError{err}
	}
	conn.left = maxAnswerHeader
	if _, err := conn.r.Peek(1); err != nil {
		return nil, &unansweredError{err}
	}
	for range 10 {
		res, err := http.ReadResponse(conn.r, req)
		switch {
		case err != nil:
			return nil, err
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the backend switches protocols, which was not asked for")
		case res.StatusCode >= 200:
			conn.left = -1
			return res, nil
		}
	}
	return nil, errors.New("the backend answers with interim statuses only")
}

// upstreamBody is an answer's body, which gives its connection back.
type upstreamBody struct {
	io.ReadCloser
	conn   *upstreamConn
	client *client
	stop   func() bool
	keep   bool
	done   bool
}

func (b *upstreamBody) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.end()
	}
	return n, err
}

// end is called when all of the body has been read.
func (b *upstreamBody) end() {
	b.done = true
	if stopped := b.stop(); stopped && b.keep && b.conn.r.Buffered() == 0 {
		b.client.put(b.conn)
	} else {
		b.conn.Close()
	}
}

// Close gives up a body that has not been read to its end, and its connection.
func (b *upstreamBody) Close() error {
	if !b.done {
		b.done = true
		b.stop()
		return b.conn.Close()
	}
	return nil
}

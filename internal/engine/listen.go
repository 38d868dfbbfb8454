package engine

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// helloTimeout bounds how long a connection may stay silent before its first byte.
const helloTimeout = 30 * time.Second

// dualListener accepts plain HTTP and TLS on one port: the first byte of a TLS connection is 22, the
// record type of a handshake, which no HTTP method begins with.
type dualListener struct {
	net.Listener
	config *tls.Config
	ready  chan net.Conn
	done   chan struct{}
	once   sync.Once
	err    error
}

func newDualListener(l net.Listener, config *tls.Config) *dualListener {
	d := &dualListener{Listener: l, config: config, ready: make(chan net.Conn), done: make(chan struct{})}
	go d.run()
	return d
}

// maxPause is how long at the most the listener waits after a failure, such as too many open files, before
// it accepts again.
const maxPause = time.Second

func (d *dualListener) run() {
	var pause time.Duration
	for {
		conn, err := d.Listener.Accept()
		switch {
		case err == nil:
			pause = 0
			go d.sniff(conn)
		case errors.Is(err, net.ErrClosed):
			d.stop(err)
			return
		default: // connections that end free what lacks
			pause = min(max(2*pause, 5*time.Millisecond), maxPause)
			select {
			case <-time.After(pause):
			case <-d.done:
				return
			}
		}
	}
}

// serve takes a connection as if it had been accepted.
func (d *dualListener) serve(conn net.Conn) { go d.sniff(conn) }

// sniff waits for the first byte apart from the accept loop, so that a silent client holds up nobody.
func (d *dualListener) sniff(conn net.Conn) {
	conn.SetReadDeadline(time.Now().Add(helloTimeout))
	first := make([]byte, 1)
	if _, err := conn.Read(first); err != nil {
		conn.Close()
		return
	}
	conn.SetReadDeadline(time.Time{})
	var out net.Conn = &prefixedConn{Conn: conn, first: first[0], unread: true}
	if first[0] == 22 {
		out = tls.Server(out, d.config)
	}
	select {
	case d.ready <- out:
	case <-d.done:
		conn.Close()
	}
}

func (d *dualListener) stop(err error) {
	d.once.Do(func() {
		d.err = err
		close(d.done)
	})
}

// Accept returns the next connection that has said its first byte.
func (d *dualListener) Accept() (net.Conn, error) {
	select {
	case c := <-d.ready:
		return c, nil
	case <-d.done:
		return nil, d.err
	}
}

// Close stops listening.
func (d *dualListener) Close() error {
	d.stop(net.ErrClosed)
	return d.Listener.Close()
}

// prefixedConn gives back the byte that was read to find out the protocol.
type prefixedConn struct {
	net.Conn
	first  byte
	unread bool
}

// CloseWrite says that nothing more comes, where the connection can say so.
func (c *prefixedConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (c *prefixedConn) Read(p []byte) (int, error) {
	if c.unread && len(p) > 0 {
		c.unread = false
		p[0] = c.first
		return 1, nil
	}
	return c.Conn.Read(p)
}

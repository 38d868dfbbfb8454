package runtime

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// apiServer is the Lambda Runtime API of one environment, kept by hand: a runtime holds one
// connection and sends one request at a time, and net/http's server would cost it a fifth more.
// The connection that asked for the next event is written to by the invocation itself.
type apiServer struct {
	ln   net.Listener
	msgs chan message
	done chan struct{}

	mu      sync.Mutex
	waiting net.Conn      // has asked for the next event
	asked   chan struct{} // closed when waiting becomes non-nil
	current string        // request id of the event that is being handled
	ready   bool
	conns   map[net.Conn]struct{}
	closed  bool
	buf     []byte
}

func newAPIServer() (*apiServer, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &apiServer{
		ln: ln, msgs: make(chan message, 4), done: make(chan struct{}),
		asked: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	go s.accept()
	return s, nil
}

func (s *apiServer) addr() string { return s.ln.Addr().String() }

func (s *apiServer) messages() <-chan message { return s.msgs }

func (s *apiServer) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	close(s.done)
	s.ln.Close()
	for c := range s.conns {
		c.Close()
	}
}

func (s *apiServer) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed || len(s.conns) >= 64 {
			c.Close()
		} else {
			s.conns[c] = struct{}{}
			go s.serve(c)
		}
		s.mu.Unlock()
	}
}

func (s *apiServer) say(m message) {
	select {
	case s.msgs <- m:
	case <-s.done:
	}
}

func (s *apiServer) deliver(ev *event, deadline time.Time) error {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return errGone
		}
		if c := s.waiting; c != nil {
			s.waiting = nil
			s.asked = make(chan struct{})
			s.current = ev.inv.RequestID
			b := appendEvent(s.buf[:0], ev)
			if cap(b) <= 64<<10 {
				s.buf = b
			}
			s.mu.Unlock()
			c.SetWriteDeadline(deadline)
			if _, err := c.Write(b); err == nil {
				return nil
			}
			c.Close() // it will ask again, or end
			continue
		}
		asked := s.asked
		s.mu.Unlock()
		timer := time.NewTimer(time.Until(deadline))
		select {
		case <-asked:
			timer.Stop()
		case <-s.done:
			timer.Stop()
			return errGone
		case <-timer.C:
			return errors.New("runtime: the process did not ask for an event in time")
		}
	}
}

// awaitAsked waits until the runtime asks for an event, and returns false if it ends instead.
func (s *apiServer) awaitAsked() bool {
	s.mu.Lock()
	asked := s.asked
	s.mu.Unlock()
	select {
	case <-asked:
		return true
	case <-s.done:
		return false
	}
}

func appendEvent(b []byte, ev *event) []byte {
	body := ev.inv.Payload
	if len(body) == 0 {
		body = []byte("{}")
	}
	b = append(b, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: "...)
	b = append(b, headerText(ev.inv.RequestID)...)
	b = append(b, "\r\nLambda-Runtime-Deadline-Ms: "...)
	b = strconv.AppendInt(b, ev.deadline.UnixMilli(), 10)
	b = append(b, "\r\nLambda-Runtime-Invoked-Function-Arn: "...)
	b = append(b, headerText(ev.inv.InvokedARN)...)
	for _, h := range [...]struct{ name, value string }{
		{"Lambda-Runtime-Trace-Id", ev.inv.TraceID},
		{"Lambda-Runtime-Client-Context", ev.inv.ClientContext},
		{"Lambda-Runtime-Cognito-Identity", ev.inv.CognitoIdentity},
	} {
		if h.value != "" {
			b = append(append(append(append(b, "\r\n"...), h.name...), ": "...), headerText(h.value)...)
		}
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}

// headerText keeps a value from ending its header early.
func headerText(v string) string {
	if strings.ContainsAny(v, "\r\n\x00") {
		return strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(v)
	}
	return v
}

const (
	apiPrefix = "/2018-06-01/runtime/"
	accepted  = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n"
)

func (s *apiServer) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		if s.waiting == c {
			s.waiting = nil
			s.asked = make(chan struct{})
		}
		s.mu.Unlock()
	}()
	limit := &io.LimitedReader{R: c}
	br := bufio.NewReaderSize(limit, 8<<10)
	for {
		limit.N = 1 << 20 // of the head; bodies have their own limit
		req, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		limit.N = 1 << 30
		if !s.handle(c, req) {
			return
		}
	}
}

// handle answers one request, and says whether the connection goes on.
func (s *apiServer) handle(c net.Conn, req *http.Request) bool {
	if req.Header.Get("Expect") == "100-continue" {
		if _, err := io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return false
		}
	}
	path, ok := strings.CutPrefix(req.URL.Path, apiPrefix)
	if !ok {
		if strings.Contains(req.URL.Path, "/extension/") || strings.HasSuffix(req.URL.Path, "/telemetry") || strings.HasSuffix(req.URL.Path, "/logs") {
			return s.refuse(c, req, 501, "UnsupportedAPI", "Gatehouse does not support Lambda extensions and the Telemetry API")
		}
		return s.refuse(c, req, 404, "ResourceNotFound", "no such path in the Lambda Runtime API: "+req.URL.Path)
	}
	if path == "invocation/next" {
		if req.Method != http.MethodGet {
			return s.refuse(c, req, 405, "MethodNotAllowed", req.Method+" is not allowed here")
		}
		io.Copy(io.Discard, io.LimitReader(req.Body, 1<<20))
		s.next(c)
		return !req.Close
	}
	id, verb := "", ""
	if rest, ok := strings.CutPrefix(path, "invocation/"); ok {
		id, verb, _ = strings.Cut(rest, "/")
	}
	if path != "init/error" && verb != "response" && verb != "error" {
		return s.refuse(c, req, 404, "ResourceNotFound", "no such path in the Lambda Runtime API: "+req.URL.Path)
	}
	if req.Method != http.MethodPost {
		return s.refuse(c, req, 405, "MethodNotAllowed", req.Method+" is not allowed here")
	}
	m := message{kind: msgResponse}
	switch {
	case path == "init/error":
		m.kind = msgInitError
	case verb == "error":
		m.kind = msgError
	case strings.EqualFold(req.Header.Get("Lambda-Runtime-Function-Response-Mode"), "streaming"):
		m.kind = msgStreaming
	}
	body, size, err := readBody(req)
	if err != nil {
		return false
	}
	m.body = body
	if size > MaxResponse {
		m.kind, m.size = msgTooLarge, size
	} else if t := req.Trailer.Get("Lambda-Runtime-Function-Error-Type"); t != "" && m.kind == msgResponse {
		// The answer broke off: the runtime says so in a trailer.
		m.kind = msgError
		if b, err := base64.StdEncoding.DecodeString(req.Trailer.Get("Lambda-Runtime-Function-Error-Body")); err == nil && len(b) > 0 {
			m.body = b
		} else {
			m.body = fault(t, "", nil)
		}
	}
	if path == "init/error" {
		s.mu.Lock()
		again := s.ready
		s.ready = true
		s.mu.Unlock()
		if again {
			return s.refuse(c, req, 403, "InvalidStateTransition", "Transition from Ready to InitError failed for runtime.")
		}
	} else {
		s.mu.Lock()
		known := id != "" && id == s.current
		if known {
			s.current = ""
		}
		s.mu.Unlock()
		if !known {
			return s.refuse(c, req, 400, "InvalidRequestID", "Invalid request ID")
		}
	}
	s.say(m)
	switch m.kind {
	case msgTooLarge:
		return s.refuse(c, req, 413, "RequestEntityTooLarge", fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", MaxResponse))
	case msgStreaming:
		return s.refuse(c, req, 501, "StreamingNotSupported", "Gatehouse does not support response streaming")
	}
	_, err = io.WriteString(c, accepted)
	return err == nil && !req.Close
}

// next makes c the connection that gets the next event. One that waited before has been given up
// by its runtime, which does one thing at a time.
func (s *apiServer) next(c net.Conn) {
	s.mu.Lock()
	if s.waiting != nil && s.waiting != c {
		s.waiting.Close()
	}
	first := !s.ready
	s.ready = true
	if s.waiting == nil {
		close(s.asked)
	}
	s.waiting = c
	s.mu.Unlock()
	if first {
		s.say(message{kind: msgReady})
	}
}

// readBody reads the whole body, and keeps it if it is no larger than MaxResponse.
func readBody(req *http.Request) (body []byte, size int64, err error) {
	if n := req.ContentLength; n > MaxResponse {
		_, err = io.Copy(io.Discard, req.Body)
		return nil, n, err
	}
	body, err = io.ReadAll(io.LimitReader(req.Body, MaxResponse+1))
	if err != nil {
		return nil, 0, err
	}
	size = int64(len(body))
	if size > MaxResponse {
		rest, err := io.Copy(io.Discard, req.Body)
		return nil, size + rest, err
	}
	// The trailer is read with the end of the body.
	_, err = io.Copy(io.Discard, req.Body)
	return body, size, err
}

func (s *apiServer) refuse(c net.Conn, req *http.Request, status int, errorType, text string) bool {
	io.Copy(io.Discard, io.LimitReader(req.Body, 64<<20))
	body := fault(errorType, text, nil)
	_, err := fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, http.StatusText(status), len(body), body)
	return err == nil && !req.Close
}

package runtime

import (
	"io"
	"net"
	"testing"
	"time"
)

// FuzzRuntimeAPI sends a runtime's side of a connection: whatever it is, the server answers or hangs
// up, and goes on with the next connection.
func FuzzRuntimeAPI(f *testing.F) {
	f.Add([]byte("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\nPOST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type\r\n\r\n1\r\nx\r\n0\r\nLambda-Runtime-Function-Error-Type: T\r\n\r\n"))
	f.Add([]byte("POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"))
	f.Add([]byte("POST /2020-01-01/extension/register HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("DELETE /2018-06-01/runtime/invocation/next HTTP/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := newAPIServer()
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		go func() {
			for {
				select {
				case <-s.msgs:
				case <-s.done:
					return
				}
			}
		}()
		s.mu.Lock()
		s.current = "id"
		s.mu.Unlock()
		for range 2 {
			c, err := net.Dial("tcp", s.addr())
			if err != nil {
				t.Fatal(err)
			}
			c.SetDeadline(time.Now().Add(5 * time.Second))
			c.Write(data)
			c.(*net.TCPConn).CloseWrite()
			if _, err := io.Copy(io.Discard, c); err != nil {
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					t.Errorf("it hangs on %q", data)
				}
			}
			c.Close()
		}
	})
}

// FuzzFrames reads frames that a process made up: no message is larger than its bound, and the
// reader ends with the link.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00R\x03\x00\x00\x00O{}"))
	f.Add([]byte("\xff\xff\xff\xffO"))
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Add([]byte("\x01\x00\x00\x00B\x05\x00\x00\x00B1234"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parent, child, err := socketPair()
		if err != nil {
			t.Fatal(err)
		}
		l := newFramed(parent)
		go func() {
			child.Write(data)
			child.Close()
		}()
		end := time.After(5 * time.Second)
		for {
			select {
			case m := <-l.msgs:
				if len(m.body) > MaxResponse {
					t.Fatalf("a message of %d bytes", len(m.body))
				}
				continue
			case <-l.over:
			case <-end:
				t.Fatal("the reader goes on")
			}
			break
		}
		l.close()
	})
}

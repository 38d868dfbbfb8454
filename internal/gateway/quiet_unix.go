//go:build unix

package gateway

import (
	"net"
	"syscall"
)

// quiet tells whether a kept connection is still there and has nothing to read. A backend that says
// more than its answer, such as a body after the answer to a HEAD, must not have it taken for the answer
// to the next request, which is somebody else's; and to one that has closed no request need be sent.
func quiet(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var nothing bool
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK) // the socket does not block
		nothing = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK || err == syscall.EINTR
	})
	return err == nil && nothing
}

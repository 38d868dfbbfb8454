package gateway

import (
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// newRequestID returns a request id in AWS's form: "JKJaXmPLvHcESHA=", 88 random bits. It begins with a letter,
// so that it is no flag on a command line.
func newRequestID() string {
	var b [11]byte
	hi, lo := rand.Uint64(), rand.Uint32()
	for i := range 8 {
		b[i] = byte(hi >> (8 * i))
	}
	b[8], b[9], b[10] = byte(lo), byte(lo>>8), byte(lo>>16)
	b[0] &= 0x7f // A to f
	var s [16]byte
	base64.URLEncoding.Encode(s[:], b[:])
	return string(s[:])
}

// fail answers with an error of the gateway's own.
func (x *httpExchange) fail(status int, message string) {
	x.errorMessage = message
	x.answerJSON(status, `{"message":"`+message+`"}`)
}

var contentJSON = []string{"application/json"}

func (x *httpExchange) answerJSON(status int, body string) {
	h := x.w.Header()
	h["Content-Type"] = contentJSON
	x.cors(h)
	h["Content-Length"] = []string{itoa(len(body))}
	x.status, x.size = status, int64(len(body))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write([]byte(body)) // the client is gone: nobody to tell
	}
}

// hopByHop tells whether a header (in canonical form) belongs to one connection and is never passed on.
// RFC 9110, section 7.6.1.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// ownHeader tells whether a header of an integration's answer is the gateway's to set.
func ownHeader(name string) bool {
	return hopByHop(name) || name == "Content-Length" || name == "Apigw-Requestid"
}

// corsHeader tells whether a header (in canonical form) is of CORS.
func corsHeader(name string) bool { return strings.HasPrefix(name, "Access-Control-") }

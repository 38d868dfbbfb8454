package sigv4

import (
	"crypto/subtle"
	"encoding/hex"
	"maps"
	"net"
	"net/http"
	"strings"
)

// diagnose tries what is known to happen to requests between a client and a server, to find the one that
// the signature was made of: then it is certain what was changed. It costs some hashes, and only where
// a signature is wrong already.
func (s *Signature) diagnose(r *http.Request, key []byte, payloadHash string) string {
	fits := func(r *http.Request, hash string, f form) bool {
		var want [64]byte
		hex.Encode(want[:], mac(key, s.StringToSign(s.canonical(r, hash, f))))
		return subtle.ConstantTimeCompare(want[:], []byte(s.signature)) == 1
	}
	usual := s.forms()[0]
	declared := r.Header.Get("X-Amz-Content-Sha256")
	if declared == UnsignedPayload && fits(r, declared, usual) {
		return "the client left the body unsigned, which only S3 takes"
	}
	if declared != "" && declared != payloadHash && fits(r, declared, usual) {
		return "the body is not the one that was signed: the signature fits the hash that X-Amz-Content-Sha256 declares, not the hash of what came"
	}
	for _, hash := range []string{EmptyPayload, UnsignedPayload} {
		if hash != payloadHash && fits(r, hash, usual) {
			return "the body was not signed: the signature fits " + map[string]string{EmptyPayload: "an empty one", UnsignedPayload: UnsignedPayload}[hash]
		}
	}
	for _, host := range r.Header.Values("X-Forwarded-Host") {
		c := *r
		if c.Host = host; fits(&c, payloadHash, usual) {
			return "a proxy has changed the host, which is signed: the signature fits " + host + ", the request came for " + r.Host
		}
	}
	for _, host := range hosts(r, s) {
		c := *r
		if c.Host = host; host != r.Host && fits(&c, payloadHash, usual) {
			return "the Host header was changed on the way: the signature fits " + host + ", the request came for " + r.Host
		}
	}
	if s.Covers("content-type") {
		for _, t := range contentTypes(r.Header.Get("Content-Type")) {
			c := *r
			c.Header = maps.Clone(r.Header)
			if c.Header["Content-Type"] = []string{t}; fits(&c, payloadHash, usual) {
				return "the Content-Type header was changed on the way: the signature fits \"" + t + "\""
			}
		}
	}
	for _, f := range []form{{}, {normalize: true}, {twice: true}, {normalize: true, twice: true}} {
		if f != usual && fits(r, payloadHash, f) {
			return "the path was encoded in another way: " + f.String() + ", where " + s.Service + " wants " + usual.String()
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut} {
		c := *r
		if c.Method = method; method != r.Method && fits(&c, payloadHash, usual) {
			return "the method was changed on the way: the signature fits " + method
		}
	}
	return "most likely another secret: it is not the one of " + s.AccessKey + ", or a signed header, the path or the query was changed on the way in a manner that cannot be seen here"
}

func (f form) String() string {
	text := "encoded once"
	if f.twice {
		text = "encoded twice"
	}
	if f.normalize {
		return text + " and without dot segments"
	}
	return text + " and with dot segments as they are"
}

// hosts returns what a client may have called this server.
func hosts(r *http.Request, s *Signature) []string {
	out := []string{s.Service + "." + s.Region + ".amazonaws.com"}
	name, port, err := net.SplitHostPort(r.Host)
	if err == nil {
		out = append(out, name)
		for _, local := range []string{"localhost", "127.0.0.1", "[::1]"} {
			out = append(out, local+":"+port, local)
		}
	} else {
		out = append(out, r.Host+":80", r.Host+":443", r.Host+":4566")
	}
	if strings.ToLower(r.Host) != r.Host {
		out = append(out, strings.ToLower(r.Host))
	}
	return out
}

// contentTypes returns what a client, or a proxy, may have made of a type.
func contentTypes(t string) []string {
	bare, _, _ := strings.Cut(t, ";")
	bare = strings.TrimSpace(bare)
	var out []string
	for _, c := range []string{"", bare, bare + "; charset=utf-8", bare + ";charset=utf-8", bare + "; charset=UTF-8", bare + ";charset=UTF-8",
		"application/json", "application/x-amz-json-1.1", "application/x-amz-json-1.0", "application/x-www-form-urlencoded"} {
		if c != t {
			out = append(out, c)
		}
	}
	return out
}

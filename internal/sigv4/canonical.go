package sigv4

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// A form is one way to write a request canonically.
type form struct {
	normalize bool // remove dot segments and empty ones from the path
	twice     bool // encode the path as it was sent, rather than what it stands for
	noToken   bool // leave the security token out of the query
}

// forms returns the forms that a service accepts, the usual one first.
func (s *Signature) forms() []form {
	var fs []form
	switch {
	case isS3(s.Service):
		fs = []form{{}}
	case s.Service == "execute-api":
		fs = []form{{normalize: true, twice: true}, {}, {normalize: true}, {twice: true}}
	default:
		fs = []form{{normalize: true, twice: true}}
	}
	if s.Presigned && s.SessionToken != "" {
		for _, f := range slices.Clone(fs) {
			f.noToken = true
			fs = append(fs, f)
		}
	}
	return fs
}

// CanonicalRequest returns the canonical form of r in the way that is usual for the service.
// payloadHash stands for the body.
func (s *Signature) CanonicalRequest(r *http.Request, payloadHash string) string {
	return s.canonical(r, payloadHash, s.forms()[0])
}

func (s *Signature) canonical(r *http.Request, payloadHash string, f form) string {
	path, query := target(r)
	b := make([]byte, 0, 512)
	b = append(b, r.Method...)
	b = append(b, '\n')
	b = appendPath(b, path, f)
	b = append(b, '\n')
	b = s.appendQuery(b, query, f)
	b = append(b, '\n')
	for _, name := range s.SignedHeaders {
		b = append(b, name...)
		b = append(b, ':')
		b = appendHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, name := range s.SignedHeaders {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	b = append(b, '\n')
	b = append(b, payloadHash...)
	return string(b)
}

// target returns the path and the query of r as they are on the wire: of a request that was received,
// what the client wrote, and of one to be sent, what net/http will write.
func target(r *http.Request) (path, query string) {
	if r.RequestURI == "" {
		return r.URL.EscapedPath(), r.URL.RawQuery
	}
	t := r.RequestURI
	if !strings.HasPrefix(t, "/") { // the absolute form, to a proxy
		if _, rest, ok := strings.Cut(t, "://"); ok {
			i := strings.IndexAny(rest, "/?")
			if i < 0 {
				i = len(rest)
			}
			t = rest[i:]
		}
	}
	path, query, _ = strings.Cut(t, "?")
	return path, query
}

func appendPath(b []byte, path string, f form) []byte {
	var segments []string
	if f.normalize {
		for seg := range strings.SplitSeq(path, "/") {
			switch seg {
			case "", ".":
			case "..":
				if len(segments) > 0 {
					segments = segments[:len(segments)-1]
				}
			default:
				segments = append(segments, seg)
			}
		}
		if len(segments) == 0 {
			return append(b, '/')
		}
		if end := path[strings.LastIndexByte(path, '/')+1:]; end == "" || end == "." || end == ".." {
			segments = append(segments, "") // what names a directory keeps its slash
		}
	} else {
		path = strings.TrimPrefix(path, "/")
		segments = strings.Split(path, "/")
	}
	for _, seg := range segments {
		b = append(b, '/')
		if f.twice {
			b = appendEncoded(b, seg)
		} else {
			b = appendEncoded(b, decode(seg, false))
		}
	}
	return b
}

func (s *Signature) appendQuery(b []byte, query string, f form) []byte {
	if query == "" {
		return b
	}
	type param struct{ name, value string }
	params := make([]param, 0, 16)
	for p := range strings.SplitSeq(query, "&") {
		if p == "" {
			continue
		}
		name, value, _ := strings.Cut(p, "=")
		name, value = decode(name, true), decode(value, true)
		if s.Presigned && (name == "X-Amz-Signature" || f.noToken && name == "X-Amz-Security-Token") {
			continue
		}
		params = append(params, param{encode(name), encode(value)})
	}
	slices.SortStableFunc(params, func(x, y param) int {
		if c := strings.Compare(x.name, y.name); c != 0 {
			return c
		}
		return strings.Compare(x.value, y.value)
	})
	for i, p := range params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b
}

// appendHeader appends the values of a header, trimmed, with each run of white space as one space,
// and joined by commas. net/http keeps some headers elsewhere.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	var values []string
	switch name {
	case "host", ":authority":
		host := r.Host
		if host == "" && r.URL != nil {
			host = r.URL.Host
		}
		return append(b, host...)
	case "transfer-encoding":
		values = r.TransferEncoding
	default:
		values = r.Header[textproto.CanonicalMIMEHeaderKey(name)]
	}
	if name == "content-length" && len(values) == 0 && r.ContentLength >= 0 {
		return strconv.AppendInt(b, r.ContentLength, 10)
	}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		start := len(b)
		space := false
		for j := range len(v) {
			switch c := v[j]; c {
			case ' ', '\t', '\r', '\n', '\v', '\f':
				space = true
			default:
				if space && len(b) > start {
					b = append(b, ' ')
				}
				space = false
				b = append(b, c)
			}
		}
	}
	return b
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

const upperHex = "0123456789ABCDEF"

func appendEncoded(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; unreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

func encode(s string) string {
	for i := range len(s) {
		if !unreserved(s[i]) {
			return string(appendEncoded(make([]byte, 0, len(s)+16), s))
		}
	}
	return s
}

// decode undoes percent-encoding, and in a query a plus sign for a space. A percent sign that begins
// no escape stands for itself.
func decode(s string, query bool) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%' && i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0:
			b = append(b, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
			i += 2
		case c == '+' && query:
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

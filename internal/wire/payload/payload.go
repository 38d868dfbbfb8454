// Package payload reads bodies as S3's clients send them: with their SHA-256 in a header, in signed or
// unsigned aws-chunked parts, with checksums in headers or in a trailer. Everything that a client
// declares about its body is checked while the body is read, and nothing is kept in memory: a body
// that does not hold what was declared ends in a *shape.Error instead of io.EOF, so a reader must not
// take what it has read as true before it saw io.EOF.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
package payload

import (
	"bufio"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// Values of x-amz-content-sha256 that are not a hash.
const (
	Unsigned          = "UNSIGNED-PAYLOAD"
	ChunkedUnsigned   = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	ChunkedSigned     = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	ChunkedSignedTail = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// Signing is what the check of signed chunks needs of the request's signature.
type Signing struct {
	Time  string // x-amz-date, "20261121T045437Z"
	Scope string // "20261121/us-east-1/s3/aws4_request"
	Seed  string // the request's own signature, in hex
	// Sign returns the signature, in hex, of a string to sign under the request's derived key. Without
	// it signed chunks are refused.
	Sign func(stringToSign string) string
}

// Options say what to check.
type Options struct {
	Header  http.Header
	Length  int64 // of the body on the wire, -1 if unknown
	Signing Signing
}

// New returns a reader of the payload in body. It refuses at once, with a *shape.Error, what the
// headers declare wrongly or what is not supported.
func New(body io.ReadCloser, o Options) (*Reader, error) {
	r := &Reader{body: body, src: body, want: o.Length, declared: o.Length}
	mode := o.Header.Get("X-Amz-Content-Sha256")
	switch {
	case mode == "" || mode == Unsigned:
	case len(mode) == 64 && isHex(mode):
		sum, _ := hex.DecodeString(mode)
		r.checks = append(r.checks, check{
			hash: sha256.New(), want: sum,
			err: shape.Errorf("XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
		})
	case mode == ChunkedUnsigned || mode == ChunkedSigned || mode == ChunkedSignedTail:
		if err := r.chunked(mode, o); err != nil {
			return nil, err
		}
	case strings.HasPrefix(mode, "STREAMING-"):
		return nil, shape.Errorf("NotImplemented", 501, "A header you provided implies functionality that is not implemented: x-amz-content-sha256: %s", mode)
	default:
		return nil, shape.Errorf("InvalidArgument", 400, "x-amz-content-sha256 must be %s, %s, %s, %s, or a valid sha256 value.",
			Unsigned, ChunkedUnsigned, ChunkedSigned, ChunkedSignedTail)
	}
	return r, r.headerChecks(o.Header)
}

// Size returns the length of the payload that the request declares, -1 if it declares none.
func (r *Reader) Size() int64 { return r.want }

func (r *Reader) chunked(mode string, o Options) error {
	text := o.Header.Get("X-Amz-Decoded-Content-Length")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return shape.Errorf("MissingContentLength", 411, "You must provide the Content-Length HTTP header.")
	}
	c := &chunks{r: bufio.NewReaderSize(r.body, maxLine), trailer: http.Header{}}
	if mode != ChunkedUnsigned {
		if o.Signing.Sign == nil {
			return shape.Errorf("NotImplemented", 501, "A header you provided implies functionality that is not implemented: x-amz-content-sha256: %s", mode)
		}
		c.signing, c.hash = &o.Signing, sha256.New()
		c.signedTail = mode == ChunkedSignedTail
	}
	for name := range strings.SplitSeq(o.Header.Get("X-Amz-Trailer"), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name == "" {
			continue
		}
		algorithm := strings.TrimPrefix(name, "x-amz-checksum-")
		h := newHash(algorithm)
		if h == nil || algorithm == name {
			return shape.Errorf("InvalidRequest", 400, "The value specified in the x-amz-trailer header is not supported: %s", name)
		}
		r.checks = append(r.checks, check{hash: h, trailer: name, err: badDigest(algorithm)})
	}
	r.want, r.src, r.chunks = n, c, c
	return nil
}

// headerChecks adds the checks that headers declare.
func (r *Reader) headerChecks(h http.Header) error {
	if text := h.Get("Content-Md5"); text != "" {
		sum, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(sum) != md5.Size {
			return shape.Errorf("InvalidDigest", 400, "The Content-MD5 you specified was invalid.")
		}
		r.checks = append(r.checks, check{hash: md5.New(), want: sum,
			err: shape.Errorf("BadDigest", 400, "The Content-MD5 you specified did not match what we received.")})
	}
	for name, values := range h {
		algorithm, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-checksum-")
		if !ok || algorithm == "mode" || algorithm == "algorithm" || algorithm == "type" || len(values) == 0 {
			continue
		}
		hash := newHash(algorithm)
		if hash == nil {
			return shape.Errorf("InvalidRequest", 400, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
		}
		sum, err := base64.StdEncoding.DecodeString(values[0])
		if err != nil || len(sum) != hash.Size() {
			return shape.Errorf("InvalidRequest", 400, "Value for x-amz-checksum-%s header is invalid.", algorithm)
		}
		r.checks = append(r.checks, check{hash: hash, want: sum, err: badDigest(algorithm)})
	}
	return nil
}

func badDigest(algorithm string) *shape.Error {
	return shape.Errorf("BadDigest", 400, "The %s you specified did not match the calculated checksum.", strings.ToUpper(algorithm))
}

// nvme is the polynomial of CRC-64/NVME, reversed.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		return crc64.New(nvme)
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	}
	return nil
}

// Hex returns the SHA-256 of b as lower-case hex.
func Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// check compares a hash of the payload with what was declared.
type check struct {
	hash    hash.Hash
	want    []byte // nil: it comes in the trailer
	trailer string
	err     *shape.Error
}

// Reader is the payload of a request. It is an io.ReadCloser.
type Reader struct {
	body     io.ReadCloser
	src      io.Reader
	chunks   *chunks // nil: not chunked
	want     int64   // declared length of the payload, -1: none
	declared int64   // of the body on the wire
	n        int64
	checks   []check
	err      error // sticky
}

// Read reads the payload. At its end it returns io.EOF only if the payload is what was declared.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.src.Read(p)
	r.n += int64(n)
	for i := range r.checks {
		r.checks[i].hash.Write(p[:n])
	}
	switch {
	case r.want >= 0 && r.n > r.want:
		err = incomplete()
	case err == io.EOF:
		err = r.end()
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = incomplete()
	}
	r.err = err
	return n, err
}

func incomplete() error {
	return shape.Errorf("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header")
}

// end makes the checks.
func (r *Reader) end() error {
	if r.want >= 0 && r.n != r.want {
		return incomplete()
	}
	for i := range r.checks {
		c := &r.checks[i]
		if c.trailer != "" {
			text := r.chunks.trailer.Get(c.trailer)
			sum, err := base64.StdEncoding.DecodeString(text)
			if text == "" || err != nil {
				return malformedTrailer()
			}
			c.want = sum
		}
		if subtle.ConstantTimeCompare(c.hash.Sum(nil), c.want) != 1 {
			return c.err
		}
	}
	return io.EOF
}

func malformedTrailer() error {
	return shape.Errorf("MalformedTrailerError", 400, "The request contained trailing data that was not well-formed or did not conform to our published schema.")
}

// Trailer returns the headers that followed the payload, after the payload was read to its end.
func (r *Reader) Trailer() http.Header {
	if r.chunks == nil {
		return nil
	}
	return r.chunks.trailer
}

// Close closes the body.
func (r *Reader) Close() error { return r.body.Close() }

// Package sigv4 signs requests with AWS Signature Version 4 and verifies such signatures.
//
// A server takes a request apart with [Parse], which tells it whose key signed, for which region and
// service; finds that key's secret; and asks a [Verifier] whether the signature is right. Both forms
// are understood: the Authorization header and the presigned URL. Errors are of type [*Error] and carry
// AWS's texts, because people search for them.
//
// The canonical request is where signers differ, and a server must accept them all:
//
//   - S3 encodes the path once and leaves its dots and slashes alone; everyone else removes dot segments
//     and empty ones, and encodes the encoded path again.
//   - execute-api is called by simple clients that do neither, so there every form is tried. The forms
//     differ only for paths that hold other characters than the unreserved ones, dots or double slashes.
//   - The security token may be left out of what is signed; it authenticates itself.
//
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeLayout = "20060102T150405Z"
	dateLayout = "20060102"
)

// Values of X-Amz-Content-Sha256 that are not hashes. Only S3 accepts them.
const (
	UnsignedPayload          = "UNSIGNED-PAYLOAD"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	StreamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// EmptyPayload is the hash of an empty body.
const EmptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// MaxExpires is the longest that a presigned URL may be valid.
const MaxExpires = 7 * 24 * time.Hour

// Signature is what a request says of its signature.
type Signature struct {
	AccessKey string
	Date      string // of the credential scope: "20261121"
	Region    string
	Service   string // the signing name, such as "cognito-idp" or "execute-api"
	Time      time.Time
	Presigned bool          // it came in the query rather than in the header
	Expires   time.Duration // of a presigned request that says so, else 0

	SessionToken  string   // from X-Amz-Security-Token; for the caller to check
	SignedHeaders []string // lower-case, in the order given

	signature string // hexadecimal
}

// Scope returns the credential scope: "20261121/us-east-1/execute-api/aws4_request".
func (s *Signature) Scope() string {
	return s.Date + "/" + s.Region + "/" + s.Service + "/" + terminator
}

// StringToSign returns what is signed of a canonical request.
func (s *Signature) StringToSign(canonicalRequest string) string {
	sum := sha256.Sum256([]byte(canonicalRequest))
	return algorithm + "\n" + s.Time.UTC().Format(timeLayout) + "\n" + s.Scope() + "\n" + hex.EncodeToString(sum[:])
}

// Sign signs r, which is about to be sent: it sets the headers X-Amz-Date, Authorization, for temporary
// credentials X-Amz-Security-Token, and for S3 X-Amz-Content-Sha256. payloadHash is the body's SHA-256
// in hexadecimal (see [PayloadHash]), or for S3 one of the constants. Host, Content-Type and all X-Amz
// headers are signed.
func Sign(r *http.Request, payloadHash, accessKey, secret, sessionToken, service, region string, t time.Time) {
	t = t.UTC()
	s := &Signature{AccessKey: accessKey, Date: t.Format(dateLayout), Region: region, Service: service, Time: t}
	r.Header.Set("X-Amz-Date", t.Format(timeLayout))
	r.Header.Del("Authorization")
	if sessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", sessionToken)
	}
	if isS3(service) {
		r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	}
	s.SignedHeaders = headersToSign(r)
	canonical := s.CanonicalRequest(r, payloadHash)
	sum := mac(signingKey(secret, s.Date, region, service), s.StringToSign(canonical))
	r.Header.Set("Authorization", algorithm+" Credential="+accessKey+"/"+s.Scope()+
		", SignedHeaders="+strings.Join(s.SignedHeaders, ";")+", Signature="+hex.EncodeToString(sum))
}

// Presign adds a signature to the URL of r that is good for the given time, of at most [MaxExpires].
// For S3 the payload is left unsigned.
func Presign(r *http.Request, payloadHash, accessKey, secret, sessionToken, service, region string, t time.Time, expires time.Duration) {
	t = t.UTC()
	s := &Signature{AccessKey: accessKey, Date: t.Format(dateLayout), Region: region, Service: service, Time: t, Presigned: true}
	s.SignedHeaders = headersToSign(r)
	if isS3(service) {
		payloadHash = UnsignedPayload
	}
	q := "X-Amz-Algorithm=" + algorithm +
		"&X-Amz-Credential=" + encode(accessKey+"/"+s.Scope()) +
		"&X-Amz-Date=" + t.Format(timeLayout) +
		"&X-Amz-Expires=" + strconv.FormatInt(int64(expires/time.Second), 10)
	if sessionToken != "" {
		q += "&X-Amz-Security-Token=" + encode(sessionToken)
	}
	q += "&X-Amz-SignedHeaders=" + encode(strings.Join(s.SignedHeaders, ";"))
	if r.URL.RawQuery != "" {
		q = r.URL.RawQuery + "&" + q
	}
	r.URL.RawQuery = q
	sum := mac(signingKey(secret, s.Date, region, service), s.StringToSign(s.CanonicalRequest(r, payloadHash)))
	r.URL.RawQuery += "&X-Amz-Signature=" + hex.EncodeToString(sum)
}

// PayloadHash returns the hash of a body as [Sign] wants it.
func PayloadHash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func headersToSign(r *http.Request) []string {
	names := []string{"host"}
	for k := range r.Header {
		k = strings.ToLower(k)
		if k == "content-type" || strings.HasPrefix(k, "x-amz-") {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	return names
}

func isS3(service string) bool {
	return service == "s3" || strings.HasPrefix(service, "s3-") || service == "s3express"
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func signingKey(secret, date, region, service string) []byte {
	k := mac([]byte("AWS4"+secret), date)
	return mac(mac(mac(k, region), service), terminator)
}

// maxKeys is half of how many signing keys are kept at most, each of about 300 bytes.
const maxKeys = 2048

// keyCache holds signing keys that have verified a request. They change daily and cost four HMACs. It
// holds at least the maxKeys last used, and at most twice as many.
type keyCache struct {
	mu       sync.RWMutex
	new, old map[keyID][]byte
}

type keyID struct{ secret, date, region, service string }

func (c *keyCache) get(id keyID) []byte {
	c.mu.RLock()
	k, young := c.new[id]
	if !young {
		k = c.old[id]
	}
	c.mu.RUnlock()
	if k != nil && !young {
		c.put(id, k)
	}
	return k
}

func (c *keyCache) put(id keyID, k []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.new == nil || len(c.new) >= maxKeys {
		c.old, c.new = c.new, make(map[keyID][]byte)
	}
	c.new[id] = k
}

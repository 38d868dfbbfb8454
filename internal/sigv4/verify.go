package sigv4

import (
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The differences between clocks that are allowed by default.
const (
	DefaultSkew = 5 * time.Minute
	S3Skew      = 15 * time.Minute
)

const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// A Verifier verifies signatures, and keeps the signing keys of recent ones. Its zero value is ready to
// use; it is safe for concurrent use.
type Verifier struct {
	Now  func() time.Time // nil: time.Now
	Skew time.Duration    // 0: DefaultSkew, and S3Skew for S3

	keys keyCache
}

// Verify reports whether the signature s, parsed from r, was made with the secret, for the service (any
// of those named; none: whichever it says), and is in time. payloadHash stands for the body; see
// [Signature.PayloadHash]. The error, if any, is an [*Error].
func (v *Verifier) Verify(r *http.Request, s *Signature, secret, payloadHash string, services ...string) error {
	if err := s.checkService(services); err != nil {
		return err
	}
	if err := v.checkTime(s); err != nil {
		return err
	}
	id := keyID{secret, s.Date, s.Region, s.Service}
	key := v.keys.get(id)
	cached := key != nil
	if !cached {
		key = signingKey(secret, s.Date, s.Region, s.Service)
	}
	var first string
	var tried [8]string
	for i, f := range s.forms() {
		canonical := s.canonical(r, payloadHash, f)
		if slices.Contains(tried[:i], canonical) {
			continue
		}
		tried[i] = canonical
		if i == 0 {
			first = canonical
		}
		var want [64]byte
		hex.Encode(want[:], mac(key, s.StringToSign(canonical)))
		if subtle.ConstantTimeCompare(want[:], []byte(s.signature)) == 1 {
			if !cached {
				// Only what has verified is kept, so that nobody can flush the cache with guesses.
				v.keys.put(id, key)
			}
			return nil
		}
	}
	return &Error{Kind: Mismatch, Message: mismatch, Presigned: s.Presigned,
		CanonicalRequest: first, StringToSign: s.StringToSign(first), Likely: s.diagnose(r, key, payloadHash)}
}

func (s *Signature) checkService(services []string) error {
	if len(services) == 0 || slices.Contains(services, s.Service) {
		return nil
	}
	return &Error{Kind: Scope, Presigned: s.Presigned,
		Message: "Credential should be scoped to correct service: '" + strings.Join(services, "' or '") + "'."}
}

func (v *Verifier) checkTime(s *Signature) error {
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	skew := v.Skew
	if skew == 0 {
		skew = DefaultSkew
		if isS3(s.Service) {
			skew = S3Skew
		}
	}
	t := now().UTC()
	iso := func(t time.Time) string { return t.Format(timeLayout) }
	minutes := strconv.FormatFloat(skew.Minutes(), 'f', -1, 64)
	if s.Time.After(t.Add(skew)) {
		return &Error{Kind: NotYetValid, Presigned: s.Presigned,
			Message: "Signature not yet current: " + iso(s.Time) + " is still later than " + iso(t.Add(skew)) + " (" + iso(t) + " + " + minutes + " min.)"}
	}
	if s.Expires > 0 {
		if end := s.Time.Add(s.Expires); t.After(end) {
			return &Error{Kind: Expired, Presigned: true,
				Message: "Signature expired: " + iso(end) + " is now earlier than " + iso(t) + "."}
		}
		return nil
	}
	if s.Time.Before(t.Add(-skew)) {
		return &Error{Kind: Expired, Presigned: s.Presigned,
			Message: "Signature expired: " + iso(s.Time) + " is now earlier than " + iso(t.Add(-skew)) + " (" + iso(t) + " - " + minutes + " min.)"}
	}
	return nil
}

// Signer returns a function that signs further strings under the key of the signature, in hexadecimal, as
// the chunks of a signed stream are. It is to be asked for once s is verified.
func (v *Verifier) Signer(s *Signature, secret string) func(stringToSign string) string {
	key := v.keys.get(keyID{secret, s.Date, s.Region, s.Service})
	if key == nil {
		key = signingKey(secret, s.Date, s.Region, s.Service)
	}
	return func(stringToSign string) string { return hex.EncodeToString(mac(key, stringToSign)) }
}

// Unsigned returns the X-Amz headers of r that the signature does not cover, by name in lower case; nil for
// services other than S3. S3 refuses them, for whoever has a presigned URL could make of it what its signer
// did not mean: X-Amz-Copy-Source turns an upload into a copy. It lets X-Amz-Content-Sha256 pass.
func (s *Signature) Unsigned(r *http.Request) (names []string) {
	if !isS3(s.Service) {
		return nil
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && name != "x-amz-content-sha256" && !slices.Contains(s.SignedHeaders, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

const missingPayload = "Missing required header for this request: x-amz-content-sha256"

// PayloadHash returns what stands for the body of r in its canonical request. bodySHA256 is asked for
// the body's hash, in hexadecimal, where that matters. It always matters but to S3, whose clients say
// in X-Amz-Content-Sha256 what they signed: either a hash, which must then be the body's, or that the
// body is unsigned or signed in chunks, which the caller handles.
func (s *Signature) PayloadHash(r *http.Request, bodySHA256 func() (string, error)) (string, error) {
	if !isS3(s.Service) {
		return bodySHA256()
	}
	declared := r.Header.Get("X-Amz-Content-Sha256")
	switch declared {
	case "":
		if s.Presigned {
			return UnsignedPayload, nil
		}
		return "", &Error{Kind: Payload, Message: missingPayload}
	case UnsignedPayload, StreamingUnsignedTrailer, StreamingSigned, StreamingSignedTrailer:
		return declared, nil
	}
	sum, err := bodySHA256()
	if err != nil {
		return "", err
	}
	if subtle.ConstantTimeCompare([]byte(sum), []byte(declared)) != 1 {
		return "", &Error{Kind: Payload, Message: "The provided 'x-amz-content-sha256' header does not match what was computed."}
	}
	return sum, nil
}

package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// Signed reports whether r claims to be signed, well or badly: whether it has an AWS4 Authorization
// header or the query parameters of a presigned URL.
func Signed(r *http.Request) bool {
	if strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") {
		return true
	}
	_, query := target(r)
	return hasParam(query, "X-Amz-Signature") || hasParam(query, "X-Amz-Algorithm")
}

// Parse reads the signature of r. It verifies nothing but the form; the errors are of the kinds
// [Missing], [Incomplete] and [Version2], and [Scope] for a credential scope that contradicts the request's date
// or a signature that does not cover the host.
func Parse(r *http.Request) (*Signature, error) {
	auth := r.Header["Authorization"]
	_, query := target(r)
	presigned := hasParam(query, "X-Amz-Signature") || hasParam(query, "X-Amz-Algorithm") || hasParam(query, "X-Amz-Credential")
	aws4 := len(auth) > 0 && strings.HasPrefix(auth[0], "AWS4-")
	var s *Signature
	var err error
	switch {
	case len(auth) > 1, presigned && aws4:
		return nil, &Error{Kind: Incomplete, Message: "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"}
	case presigned:
		s, err = parseQuery(r, query)
	case len(auth) == 1 && strings.HasPrefix(auth[0], "AWS "), len(auth) == 0 && hasParam(query, "AWSAccessKeyId"):
		return nil, &Error{Kind: Version2, Message: "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."}
	case len(auth) == 1 && strings.TrimSpace(auth[0]) != "":
		s, err = parseHeader(r, auth[0])
	default:
		return nil, &Error{Kind: Missing, Message: "Missing Authentication Token"}
	}
	if err != nil {
		return nil, err
	}
	return s, s.check(r)
}

// check looks at what does not depend on the form.
func (s *Signature) check(r *http.Request) error {
	fail := func(msg string) error { return &Error{Kind: Scope, Message: msg, Presigned: s.Presigned} }
	iso := s.Time.Format(timeLayout)
	if s.Date != iso[:8] {
		return fail("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
			s.Date + "' != '" + iso[:8] + "', from '" + iso + "'.")
	}
	host, target := false, len(r.Header["X-Amz-Target"]) == 0
	for _, name := range s.SignedHeaders {
		host = host || name == "host" || name == ":authority"
		target = target || name == "x-amz-target"
	}
	if !host {
		return fail("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if !target { // it names the operation
		return fail("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return nil
}

func parseHeader(r *http.Request, auth string) (*Signature, error) {
	fail := func(msg string) (*Signature, error) { return nil, &Error{Kind: Incomplete, Message: msg} }
	alg, rest, _ := strings.Cut(strings.TrimSpace(auth), " ")
	if strings.Contains(alg, "=") {
		return fail("Authorization header must begin with the algorithm name, which cannot include an equal-sign.")
	}
	var credential, signature, signedHeaders string
	for part := range strings.SplitSeq(rest, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			// The value may be somebody's secret, so AWS shows its hash.
			return fail("Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '" + hashed(part) + "'.")
		}
		var field *string
		switch name {
		case "Credential":
			field = &credential
		case "Signature":
			field = &signature
		case "SignedHeaders":
			field = &signedHeaders
		default:
			continue
		}
		if *field != "" {
			return fail("Authorization header has more than one '" + name + "' parameter.")
		}
		*field = value
	}
	var lacks []string
	for _, f := range []struct{ name, value string }{{"Credential", credential}, {"Signature", signature}, {"SignedHeaders", signedHeaders}} {
		if f.value == "" {
			lacks = append(lacks, "Authorization header requires '"+f.name+"' parameter.")
		}
	}
	date := r.Header.Get("X-Amz-Date")
	httpDate := r.Header.Get("Date")
	if date == "" && httpDate == "" {
		lacks = append(lacks, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if len(lacks) > 0 {
		return fail(strings.Join(lacks, " ") + " (Hashed with SHA-256 and encoded with Base64) Authorization=" + hashed(auth))
	}
	if alg != algorithm {
		return fail("Unsupported AWS 'algorithm': '" + alg + "'.")
	}
	s := &Signature{SessionToken: r.Header.Get("X-Amz-Security-Token")}
	if err := s.setTime(date, httpDate); err != nil {
		return nil, err
	}
	return s, s.set(credential, signedHeaders, signature)
}

func parseQuery(r *http.Request, query string) (*Signature, error) {
	fail := func(msg string) (*Signature, error) {
		return nil, &Error{Kind: Incomplete, Message: msg, Presigned: true}
	}
	values := map[string]string{}
	for p := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(p, "=")
		if name = decode(name, true); !strings.HasPrefix(name, "X-Amz-") {
			continue
		}
		if _, ok := values[name]; ok {
			return fail("AWS query-string parameters must include '" + name + "' once.")
		}
		values[name] = decode(value, true)
	}
	var lacks []string
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if values[name] == "" {
			lacks = append(lacks, "AWS query-string parameters must include '"+name+"'.")
		}
	}
	if len(lacks) > 0 {
		return fail(strings.Join(lacks, " ") + " Re-examine the query-string parameters.")
	}
	if values["X-Amz-Algorithm"] != algorithm {
		return fail("Unsupported AWS 'algorithm': '" + values["X-Amz-Algorithm"] + "'.")
	}
	s := &Signature{Presigned: true, SessionToken: values["X-Amz-Security-Token"]}
	if s.SessionToken == "" {
		s.SessionToken = r.Header.Get("X-Amz-Security-Token")
	}
	if err := s.setTime(values["X-Amz-Date"], ""); err != nil {
		return nil, err
	}
	if err := s.set(values["X-Amz-Credential"], values["X-Amz-SignedHeaders"], values["X-Amz-Signature"]); err != nil {
		return nil, err
	}
	expires, ok := values["X-Amz-Expires"]
	if !ok && isS3(s.Service) {
		return fail("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
	}
	if ok {
		n, err := strconv.ParseInt(expires, 10, 64)
		switch {
		case err != nil:
			return fail("X-Amz-Expires should be a number")
		case n < 0:
			return fail("X-Amz-Expires must be non-negative")
		case n > int64(MaxExpires/time.Second):
			return fail("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
		}
		// Zero means "not said" to the verifier, and a request that is good for no time is not good.
		s.Expires = max(time.Duration(n)*time.Second, 1)
	}
	return s, nil
}

func (s *Signature) setTime(amzDate, httpDate string) error {
	t, err := time.Parse(timeLayout, amzDate)
	got := amzDate
	if amzDate == "" {
		got = httpDate
		if t, err = http.ParseTime(httpDate); err != nil {
			t, err = time.Parse(timeLayout, httpDate)
		}
	}
	if err != nil || t.Year() < 0 || t.Year() > 9999 {
		return &Error{Kind: Incomplete, Presigned: s.Presigned,
			Message: "Date must be in ISO-8601 'basic format'. Got '" + got + "'. See http://en.wikipedia.org/wiki/ISO_8601."}
	}
	s.Time = t.UTC().Truncate(time.Second)
	return nil
}

func (s *Signature) set(credential, signedHeaders, signature string) error {
	part := strings.Split(credential, "/")
	if len(part) != 5 {
		return &Error{Kind: Incomplete, Presigned: s.Presigned,
			Message: "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '" + credential + "'."}
	}
	if part[4] != terminator {
		return &Error{Kind: Scope, Presigned: s.Presigned,
			Message: "Credential should be scoped with a valid terminator: '" + terminator + "', not '" + part[4] + "'."}
	}
	s.AccessKey, s.Date, s.Region, s.Service = part[0], part[1], part[2], part[3]
	s.SignedHeaders = strings.Split(strings.ToLower(signedHeaders), ";")
	s.signature = signature
	return nil
}

// Covers reports whether the header of the given name is signed.
func (s *Signature) Covers(header string) bool {
	for _, name := range s.SignedHeaders {
		if textproto.CanonicalMIMEHeaderKey(name) == textproto.CanonicalMIMEHeaderKey(header) {
			return true
		}
	}
	return false
}

func hasParam(query, name string) bool {
	if !strings.Contains(query, name) {
		return false // no client encodes these names
	}
	for p := range strings.SplitSeq(query, "&") {
		if n, _, _ := strings.Cut(p, "="); n == name {
			return true
		}
	}
	return false
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

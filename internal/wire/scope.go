package wire

import (
	"net/http"
	"strings"
)

// Scope is the credential scope of a request, as its signature claims it: nothing of it is true
// before the signature was verified.
type Scope struct {
	AccessKey, Date, Region, Service string
}

// ScopeOf reads the credential scope from the Authorization header or the query of a presigned URL.
// ok is false if there is none, or one that is not well-formed.
func ScopeOf(r *http.Request) (s Scope, ok bool) {
	var cred string
	if auth := r.Header.Get("Authorization"); auth != "" {
		if !strings.HasPrefix(auth, "AWS4-") {
			return Scope{}, false
		}
		_, after, found := strings.Cut(auth, "Credential=")
		if !found {
			return Scope{}, false
		}
		cred, _, _ = strings.Cut(after, ",")
	} else if strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") {
		cred = r.URL.Query().Get("X-Amz-Credential")
	} else {
		return Scope{}, false
	}
	parts := strings.Split(strings.TrimSpace(cred), "/")
	if len(parts) != 5 || parts[4] != "aws4_request" {
		return Scope{}, false
	}
	return Scope{AccessKey: parts[0], Date: parts[1], Region: parts[2], Service: parts[3]}, true
}

// Signed tells whether r carries anything that claims to be credentials of an AWS API, well-formed or
// not.
func Signed(r *http.Request) bool {
	if r.Header.Get("Authorization") != "" {
		return true
	}
	q := r.URL.RawQuery
	return q != "" && (strings.Contains(q, "X-Amz-Signature=") || strings.Contains(q, "X-Amz-Credential=") ||
		strings.Contains(q, "X-Amz-Algorithm=") || strings.Contains(q, "AWSAccessKeyId="))
}

package sigv4

import "net/http"

// A Kind says what is wrong with a signature.
type Kind int

// The kinds of errors.
const (
	Missing     Kind = iota // the request is not signed
	Incomplete              // the signature cannot be read
	Mismatch                // it is not the one that the secret makes
	Scope                   // it is for another service, date or region, or leaves out what must be signed
	Expired                 // its time is past
	NotYetValid             // its time is to come
	Payload                 // the body is not the one that was signed
	Version2                // it is one of Signature Version 2, which boto3 still makes for presigned URLs of S3
)

// Error is a reason to refuse a request.
type Error struct {
	Kind    Kind
	Message string // AWS's text, without the canonical request

	// What the server calculated, for a Mismatch. AWS shows both to the caller.
	CanonicalRequest string
	StringToSign     string

	// Likely says of a Mismatch what has probably happened. It is for the server's owner, not for the caller.
	Likely string

	Presigned bool
}

func (e *Error) Error() string { return e.Message }

// A Style is the way in which a service's protocol words the errors of authentication.
type Style int

// The styles.
const (
	JSON     Style = iota // AWS JSON 1.0 and 1.1
	RESTJSON              // REST JSON, and execute-api
	Query                 // Query XML
	S3                    // REST XML
)

// AWS returns the error's code, its message and the HTTP status in the given style.
func (e *Error) AWS(style Style) (code, message string, status int) {
	message = e.Message
	status = http.StatusForbidden
	switch style {
	case JSON, RESTJSON:
		if style == JSON { // these services answer 400 to all faults of the client
			status = http.StatusBadRequest
		}
		switch e.Kind {
		case Missing:
			return "MissingAuthenticationTokenException", "Missing Authentication Token", status
		case Incomplete, Version2:
			return "IncompleteSignatureException", message, status
		}
		if e.CanonicalRequest != "" {
			message += "\n\nThe Canonical String for this request should have been\n'" + e.CanonicalRequest +
				"'\n\nThe String-to-Sign should have been\n'" + e.StringToSign + "'\n"
		}
		return "InvalidSignatureException", message, status
	case S3:
		switch e.Kind {
		case Missing:
			return "AccessDenied", "Access Denied", status
		case Incomplete, Scope:
			if e.Presigned {
				return "AuthorizationQueryParametersError", message, http.StatusBadRequest
			}
			return "AuthorizationHeaderMalformed", "The authorization header is malformed; " + message, http.StatusBadRequest
		case Expired, NotYetValid:
			if !e.Presigned {
				return "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", status
			}
			if e.Kind == Expired {
				return "AccessDenied", "Request has expired", status
			}
			return "AccessDenied", "Request is not valid yet", status
		case Payload:
			if message == missingPayload {
				return "InvalidRequest", message, http.StatusBadRequest
			}
			return "XAmzContentSHA256Mismatch", message, http.StatusBadRequest
		case Version2:
			return "InvalidRequest", message, http.StatusBadRequest
		}
		return "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.", status
	}
	switch e.Kind {
	case Missing:
		return "MissingAuthenticationToken", "Request is missing Authentication Token", status
	case Incomplete, Version2:
		return "IncompleteSignature", message, http.StatusBadRequest
	}
	return "SignatureDoesNotMatch", message, status
}

package saml

import "fmt"

// Reason says why a document was refused, as a word for machines.
type Reason string

// The reasons.
const (
	Malformed      Reason = "malformed"       // not such a document, or one of a form that is not taken
	TooLarge       Reason = "too_large"       // beyond a bound
	Unsupported    Reason = "unsupported"     // in the standard, and not taken here: encryption, SHA-1
	BadStatus      Reason = "bad_status"      // the provider reports a failure
	Unsigned       Reason = "unsigned"        // neither response nor assertion is signed
	BadSignature   Reason = "bad_signature"   // not by a key of the metadata, or not over this
	WrongIssuer    Reason = "wrong_issuer"    // not the metadata's entity
	WrongRecipient Reason = "wrong_recipient" // Destination or Recipient is somebody else
	WrongAudience  Reason = "wrong_audience"  // meant for somebody else
	WrongRequest   Reason = "wrong_request"   // the answer to another request
	Expired        Reason = "expired"         // its time is over, or the metadata's
	NotYetValid    Reason = "not_yet_valid"
	NoSubject      Reason = "no_subject" // it says of nobody in particular
)

// Error says why a document was refused. It holds nothing of the document but what is named in it.
type Error struct {
	Reason Reason
	Detail string // a sentence for people
	Got    string // what the document has, if one thing is at fault
	Want   string // what would have passed
}

func (e *Error) Error() string {
	s := "saml: " + e.Detail
	if e.Got != "" {
		s += ": " + e.Got
	}
	return s
}

func malformed(format string, args ...any) error {
	return &Error{Reason: Malformed, Detail: fmt.Sprintf(format, args...)}
}

// quote bounds what of a document gets into an error.
func quote(s string) string {
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return fmt.Sprintf("%q", s)
}

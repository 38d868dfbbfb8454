package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Reason says what is wrong with a document. Who refuses it towards a client finds the words; those
// of IAM's MalformedPolicyDocument, where they are known, stand beside the reasons.
type Reason int

const (
	Syntax           Reason = iota + 1 // not JSON: "Syntax errors in policy."
	TooLarge                           // beyond MaxSize
	UnknownElement                     // "Syntax errors in policy."
	DuplicateElement                   // "Syntax errors in policy."
	DataType                           // a list where a text should be: "Syntax errors in policy."
	InvalidVersion                     // "Syntax errors in policy."
	InvalidEffect                      // missing, or neither Allow nor Deny: "Syntax errors in policy."
	Exclusive                          // an element together with its Not form: "Syntax errors in policy."
	MissingStatement                   // "Syntax errors in policy."
	MissingAction                      // "Policy statement must contain actions."
	MissingResource                    // "Policy statement must contain resources."
	MissingPrincipal

	InvalidAction     // "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	ActionColons      // "Actions/Condition can contain only one colon."
	ForeignAction     // "AssumeRole policy may only specify STS AssumeRole actions."
	InvalidResource   // `Resource X must be in ARN format or "*".`
	ResourcePartition // `Partition "P" is not valid for resource "X".`
	ResourceVendor    // "Resource vendor must be fully qualified and cannot contain regexes."
	InvalidPrincipal  // `Invalid principal in policy: "AWS":"X"`
	InvalidSid        // "Statement IDs (SID) must be alpha-numeric. …"
	DuplicateSid      // "Statement IDs (SID) in a single policy must be unique."

	InvalidOperator
	InvalidConditionKey // "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	InvalidValue        // a value that its operator cannot use
	InvalidVariable

	PrincipalNotAllowed    // "Policy document should not specify a principal."
	NotPrincipalNotAllowed // in a trust policy, or with Allow
	ResourceNotAllowed     // "Has prohibited field Resource"
	IDNotAllowed
)

var reasonTexts = [...]string{
	Syntax: "not valid JSON", TooLarge: "larger than 128 KiB", UnknownElement: "unknown element", DuplicateElement: "occurs twice", DataType: "value of the wrong type",
	InvalidVersion: "no version of the policy language", InvalidEffect: "Effect is neither Allow nor Deny", Exclusive: "element and its Not form together",
	MissingStatement: "no statements", MissingAction: "statement has no actions", MissingResource: "statement has no resources", MissingPrincipal: "statement has no principal",
	InvalidAction: "action is not of the form service:name", ActionColons: "action has more than one colon", ForeignAction: "trust policy with an action of another service than sts",
	InvalidResource: "resource is neither an ARN nor *", ResourcePartition: "no such partition", ResourceVendor: "wildcard in the service of an ARN",
	InvalidPrincipal: "invalid principal", InvalidSid: "Sid may have letters and digits only", DuplicateSid: "Sid occurs twice",
	InvalidOperator: "unknown condition operator", InvalidConditionKey: "condition key is not of the form service:name", InvalidValue: "value does not fit its condition operator",
	InvalidVariable:     "invalid policy variable",
	PrincipalNotAllowed: "a policy of this kind names no principals", NotPrincipalNotAllowed: "NotPrincipal is possible only with Deny, and not in a trust policy",
	ResourceNotAllowed: "a trust policy names no resources", IDNotAllowed: "a policy of this kind has no Id",
}

func (r Reason) String() string {
	if r > 0 && int(r) < len(reasonTexts) {
		return reasonTexts[r]
	}
	return fmt.Sprintf("Reason(%d)", int(r))
}

// Position is a place in the text of a document. The zero Position is that of a document that was not
// parsed from text.
type Position struct {
	Offset int // in bytes, from 0
	Line   int // from 1
	Column int // in characters, from 1
}

// Error is what [Parse], [Document.Check] and [Document.Compile] return.
type Error struct {
	Reason    Reason
	Statement int // index of the statement, or -1
	Position  Position
	Detail    string // the name or value that it is about; "" if there is none
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("policy: ")
	if e.Position.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Position.Line, e.Position.Column)
	}
	b.WriteString(e.Reason.String())
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %q", clip(e.Detail))
	}
	return b.String()
}

func (d *Document) errorAt(r Reason, statement, offset int, detail string) *Error {
	e := &Error{Reason: r, Statement: statement, Detail: detail}
	if d.text != "" {
		offset = min(offset, len(d.text))
		before := d.text[:offset]
		line := strings.LastIndexByte(before, '\n') + 1
		e.Position = Position{Offset: offset, Line: strings.Count(before, "\n") + 1, Column: utf8.RuneCountInString(before[line:]) + 1}
	}
	return e
}

// clipped is how much of a value an explanation or an error shows, in bytes.
const clipped = 200

func clip(s string) string {
	if len(s) <= clipped {
		return s
	}
	n := clipped
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

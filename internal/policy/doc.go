// Package policy is the language of IAM policies: it parses documents, checks their form, compiles
// them, decides requests by them, and says which statement decided and what was missing.
//
// [Parse] reads the JSON grammar strictly and knows nothing of where a document will hang; that is a
// [Kind], and [Document.Check] says what each kind must and must not contain. [Document.Compile]
// checks, and prepares everything that can be prepared: patterns are cut at their wildcards, values of
// conditions are parsed into numbers, dates and networks, principals are sorted by what they name. A
// [Compiled] is never changed, so it can be kept beside the document and used by any number of
// goroutines.
//
// [Evaluate] decides a [Request] by a [Set] of compiled policies, as the IAM User Guide publishes the
// logic, for a principal in the resource's account and in another one. It touches only the policies
// in the set, so its cost does not depend on how many users and roles there are, and it allocates
// nothing where the request is allowed. A refusal is looked at a second time, without haste, to find
// the statement of each layer that came nearest and what it wanted; [Explain] turns that into steps
// that `gatehouse why` shows.
//
// # Choices where AWS's documentation leaves room
//
//   - A condition without a set qualifier on a key that has several values holds if any of them
//     matches; its negation is exactly the opposite.
//   - A variable without a value, or with several, matches nothing. A negated operator or a NotResource
//     that needs it does not hold either: the guide calls such a statement invalid.
//   - What is put in for a variable is literal, wildcards included.
//   - A trailing wildcard may be used for the missing fields of an ARN in an identity policy; other
//     incomplete ARNs are completed with wildcards there, as IAM does.
//   - NotPrincipal exempts a principal only if all that it is has been listed: the account, the role,
//     the session. It exempts nobody who has a permissions boundary.
//   - An account as principal delegates to that account: it grants nothing without the account's own
//     identity policies, except to its root user.
//   - Names of elements and operators are taken in their documented case; names of condition keys and
//     actions in any case.
//
// The package knows no operation of any service, and reads no clock: aws:CurrentTime and whatever else
// a request has come from the caller, through [Context].
//
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies.html.
package policy

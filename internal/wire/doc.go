// Package wire is the control plane's way in: it takes an HTTP request of an AWS client to the
// service and operation that it is for, decodes it, validates it, authenticates its caller, calls the
// handler and writes the answer or the error in the protocol's own form. It knows no service: what it
// needs is in the tables of a [shape.Model].
//
// # A request's way
//
//	Match          which service and operation (match.go, router.go, host.go, scope.go)
//	credentials    there at all, unless the operation needs none
//	body           read, bounded, a long one only if somebody known can have signed it; or prepared as a checked stream (body.go, package payload)
//	authenticate   the Authenticator; its errors are worded by the protocol (autherror.go)
//	operation      known at all
//	decode         the codec: awsjson, restjson, query, restxml
//	validate       shape.Validate, in AWS's words
//	authorize      the Authorizer: may this caller do this, with this input; public operations are not asked about
//	handler        Operation.Call, with a Call in the context
//	encode         the codec again
//
// That is the order in which AWS refuses, too: a stranger learns nothing about operations, and a
// request with a bad signature nothing about its members. exchange.serve is this list in code.
//
// # Errors
//
// A handler returns a *shape.Error for everything that its caller may know, best from a generated
// constructor. Any other error, and a panic, is answered with the protocol's "internal failure" and a
// text that says nothing; the cause goes to the log with the request's id.
//
// # Codecs
//
// A codec is a pure translation between bytes and the generated types; see package proto. A sixth
// protocol is a package beside the others and a line in [codecs].
package wire

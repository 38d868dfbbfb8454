package gateway

import "github.com/gatehouse-dev/gatehouse/internal/httpapis"

// authorizer decides who may call a route. Each type of authorizer is one implementation, in a file of its
// own, compiled for its route.
type authorizer interface {
	// authorize tells whether x may go on, and leaves in x what it has found out about the caller. Where
	// it refuses, it has answered. Each check is a step of the trace, with what it got and what it wanted.
	authorize(x *exchange) bool

	// appendContext appends requestContext.authorizer of an event in the given payload format: what
	// functions see of a caller that was let in.
	appendContext(b []byte, x *exchange, format string) []byte
}

// compileAuthorizer returns what decides about a route's callers; nil if it is open to everybody.
func compileAuthorizer(r *httpapis.Route) authorizer {
	if r.Authorizer == nil {
		return nil
	}
	return newJWT(r)
}

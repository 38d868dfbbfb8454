// Package authorizer decides who may call an API. Each type of authorizer is one file: what is the same for
// all requests is compiled when a stage is, and Authorize looks at one request.
//
// An authorizer does not know what kind of API it guards. It sees a [Request] and fills in a [Result]: the
// request is let in, with what is known of the caller, or refused, with the kind of refusal. How a refusal is
// worded, and how the caller appears in events, is up to the kind of API. Each check is a step of the
// request's trace, with what it got and what it wanted. A trace never holds a token or a signature.
//
//	jwt.go     tokens of an issuer: HTTP APIs
//	iam.go     requests signed with Signature Version 4, and policies: all APIs, URLs of functions
//	cognito.go tokens of user pools: REST APIs
//	lambda.go  what a function says, of types TOKEN and REQUEST: all APIs; cache.go keeps it
//	resource.go  resource policies of APIs, where no caller is known
package authorizer

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/token"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

// API is the API that a request is for, and its stage.
type API struct {
	ID, Stage, Region, Account string
}

// Request is what an authorizer sees of a request.
type Request struct {
	HTTP     *http.Request // as received: method, headers, query, host, TLS
	API      *API
	Path     string // decoded, begins with a slash, without the stage; of a REST API without a slash at its end
	SourceIP string
	Start    time.Time
	Trace    *trace.Trace // nil: nobody will ask
	Body     Body         // for those that look at the body
	Logger   *slog.Logger // for faults that are the server's own
}

// Body reads a request's body.
type Body interface {
	// ReadBody returns the whole body; called again, the same. An error has been noted in the trace.
	ReadBody() ([]byte, error)
}

// Refusal is why a request is not let in, as far as answers differ. HTTP APIs answer 401, 403 or 500, see
// [Refusal.Status]; REST APIs have a gateway response for each.
type Refusal uint8

const (
	None         Refusal = iota // it is let in
	NoIdentity                  // nothing in it says who the caller is
	Unauthorized                // what it bears is not good
	Expired                     // what it bears was good once

	NoSignature      // it is not signed
	BadSignature     // it is signed badly, or with a key that is none
	ExpiredSignature // the signature or the credentials were good once

	Forbidden // the caller is known, and may not
	Fault     // the authorizer itself fails
)

// Status returns the HTTP status that HTTP APIs answer with.
func (r Refusal) Status() int {
	switch r {
	case None:
		return http.StatusOK
	case NoIdentity, Unauthorized, Expired:
		return http.StatusUnauthorized
	case Fault:
		return http.StatusInternalServerError
	}
	return http.StatusForbidden
}

// Result is what an authorizer has found. Of a request that is let in, it holds what that type of
// authorizer knows of the caller.
type Result struct {
	Refusal   Refusal
	Type      string // of a refusal of AWS_IAM: "AccessDeniedException", as REST APIs and URLs of functions call it
	Message   string // of a refusal of AWS_IAM: the text that these give
	Challenge string // of a refusal, for the header WWW-Authenticate; "" for none
	Why       string // of a refusal, in a few words: for the access log

	Token  *token.Token  // of a bearer
	Scopes []string      // of the route's, those that the token has
	Caller *iam.Caller   // who signed the request
	Lambda *LambdaResult // what a function has said
}

// Authorizer decides about the requests to one route or method. It is safe for concurrent use.
type Authorizer interface {
	// Authorize fills in out, which comes zeroed. It allocates nothing where it need not.
	Authorize(r *Request, out *Result)
}

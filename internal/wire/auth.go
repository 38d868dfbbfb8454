package wire

import (
	"context"
	"net/http"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// Authenticator finds out who sent a request.
type Authenticator interface {
	// Authenticate checks the signature of r for the service signingName and returns who made it. It is
	// only asked about requests that carry credentials of some kind. bodySHA256 returns what stands for
	// the body in the canonical request: the hash of the bytes that came, in hex, or for S3 what
	// x-amz-content-sha256 says, which is held against the body while that is read. An *AuthError, a
	// *sigv4.Error or a *shape.Error is answered to the caller, in the protocol's words; anything else
	// is an internal failure.
	Authenticate(ctx context.Context, r *http.Request, bodySHA256 func() (string, error), signingName string) (Identity, error)
}

// Doorkeeper is an [Authenticator] that is asked first, before a long body is read into memory, whether
// anybody can have signed r. The errors are those of Authenticate.
type Doorkeeper interface {
	Known(ctx context.Context, r *http.Request) error
}

// Identity is an authenticated caller.
type Identity struct {
	Principal string // ARN
	AccessKey string
	Account   string // 12 digits; "" stands for the server's
	Region    string // from the credential scope
	Caller    any    // what the Authenticator knows beside: who the principal is, for the Authorizer and for services

	// Sign returns the signature, in hex, of a string to sign, under the key that is derived from the
	// caller's secret and the request's scope. Bodies in signed chunks are refused without it.
	Sign func(stringToSign string) string
}

// Authorizer decides whether the caller of a signed operation may do it.
type Authorizer interface {
	// Authorize returns nil if c may call op of m with the decoded and validated input in. It refuses
	// with an *AuthError of problem [Denied] and AWS's text, or another error as an [Authenticator] does.
	// ctx carries c. A streamed body in the input must not be read.
	Authorize(ctx context.Context, m *shape.Model, op *shape.Operation, in any, c *Call) error
}

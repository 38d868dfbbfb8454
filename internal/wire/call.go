package wire

import (
	"context"
	"time"
)

// Call is what a service may know of the request that it answers. It travels in the context.
type Call struct {
	RequestID string
	Service   string // the model's endpoint name: "cognito-idp"
	Operation string
	Account   string // 12 digits
	Region    string // from the credential scope, the host, or the server's default
	Partition string // "aws"
	Principal string // ARN of the caller; empty where the operation needs none
	AccessKey string
	Caller    any    // from [Identity.Caller]; nil where the operation needs none
	Via       string // the service that makes the call with the caller's rights, "cloudformation.amazonaws.com"; "" for the caller's own
	SourceIP  string
	UserAgent string
	Host      string // as the client wrote it, with its port
	Secure    bool   // it came over TLS
	Time      time.Time
	ErrorCode string // of the answer, once there is one; "" for a success
}

type callKey struct{}

// WithCall returns a context that carries c.
func WithCall(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// CallFrom returns the call that ctx carries. It panics where there is none: a service is only ever
// entered through the wire or on behalf of a call that was.
func CallFrom(ctx context.Context) *Call {
	return ctx.Value(callKey{}).(*Call)
}

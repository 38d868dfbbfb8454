package runtime

import "context"

type requestIDKey struct{}

// WithRequestID returns ctx for an invocation that is to have a request id that its caller knows: it stands in the
// function's log.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the request id that an invocation is to have; "" if any will do.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

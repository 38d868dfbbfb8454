package functions

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// maxEvent is the size of an asynchronous event in bytes: Lambda's quota of 1 MB.
const maxEvent = 1 << 20

// reference is how a caller names a function. The region is empty if the name has it.
type reference struct{ region, name string }

// prepared is all that is needed to run a version. It is good as long as the store's cache returns the
// same document as it was made of.
type prepared struct {
	id   string // of the document
	fn   *function
	spec *runtime.Spec
	arn  string // as invoked
}

// maxPrepared bounds what is kept: a function can be named in several ways.
const maxPrepared = 10000

// changed forgets what was worked out for a function that is gone or no longer the same.
func (s *Service) changed(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[string]string{}
	for ref, p := range s.prepared {
		if id == "" || p.id == id {
			delete(s.prepared, ref)
			known[p.id] = p.spec.ARN
		}
	}
	if len(known) > 0 {
		go s.retireGone(known)
	}
	for q, p := range s.permits {
		if id == "" || p.id == id {
			delete(s.permits, q)
		}
	}
}

// retireGone ends the processes of functions, ARNs by id, that are gone: perhaps deleted on another
// node, or by a reset.
func (s *Service) retireGone(known map[string]string) {
	for id, arn := range known {
		if _, err := functions.Cached(context.Background(), s.DB, id); errors.Is(err, store.ErrNotFound) {
			s.Runtime.Retire(arn)
		}
	}
}

// resolve finds what a caller names, a function's name or ARN, ready to be run. When it has been found
// before and has not changed since, that takes two look-ups in memory.
func (s *Service) resolve(ctx context.Context, ref string) (*prepared, error) {
	key := reference{name: ref}
	if !strings.HasPrefix(ref, "arn:") {
		key.region = wire.CallFrom(ctx).Region
	}
	s.mu.RLock()
	p := s.prepared[key]
	s.mu.RUnlock()
	if p != nil {
		if fn, err := functions.Cached(ctx, s.DB, p.id); err == nil && fn == p.fn {
			return p, nil
		}
	}
	return s.prepare(ctx, key)
}

// prepare is the slow way of resolve.
func (s *Service) prepare(ctx context.Context, key reference) (*prepared, error) {
	n, ok := parseName(key.name)
	if !ok {
		return nil, invalid("The function name %q is not valid.", key.name)
	}
	if n.region == "" {
		n.region = key.region
	}
	if n.account == "" {
		n.account = s.Account
	}
	if n.account != s.Account {
		return nil, notFound(n.arn())
	}
	for try := 0; ; try++ {
		f, err := s.get(ctx, n)
		if err != nil {
			return nil, err
		}
		v, _, err := s.version(ctx, f, n)
		if err != nil {
			return nil, err
		}
		dir, err := s.code.open(ctx, v.CodeSum)
		if errors.Is(err, store.ErrNotFound) && try < 3 {
			continue // its code was replaced meanwhile
		}
		if err != nil {
			return nil, err
		}
		spec, err := s.spec(f, v, dir)
		if err != nil {
			return nil, err
		}
		p := &prepared{id: n.id(), fn: f, spec: spec, arn: n.arn()}
		s.mu.Lock()
		if len(s.prepared) >= maxPrepared {
			clear(s.prepared)
		}
		s.prepared[key] = p
		s.mu.Unlock()
		return p, nil
	}
}

// InvokeFunction runs a function, named by its name or ARN, and waits for its result. It is how the
// services of this server call functions. functionError is "Unhandled" if the function failed: then the
// payload says how. An error is one of Lambda's API, such as ResourceNotFoundException or
// TooManyRequestsException. Of a plain name, the region is that of the call in ctx.
func (s *Service) InvokeFunction(ctx context.Context, arnOrName string, payload []byte) (result []byte, functionError string, err error) {
	p, err := s.resolve(ctx, arnOrName)
	if err != nil {
		return nil, "", err
	}
	id := runtime.RequestID(ctx)
	if id == "" {
		id = ident.RequestID()
	}
	r, err := s.Runtime.Invoke(ctx, p.spec, &runtime.Invocation{RequestID: id, Payload: payload, InvokedARN: p.arn})
	if err != nil {
		return nil, "", runError(err)
	}
	return r.Payload, r.FunctionError, nil
}

// Invoke runs a function for a caller of the API: waiting for the result, as an asynchronous event, or
// not at all (DryRun).
func (s *Service) Invoke(ctx context.Context, in *lambda.InvocationRequest) (*lambda.InvocationResponse, error) {
	call := wire.CallFrom(ctx)
	n, err := s.named(call, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if what := shape.Given(map[string]bool{"durable executions (DurableExecutionName)": shape.Val(in.DurableExecutionName) != "", "tenants (TenantId)": shape.Val(in.TenantId) != ""}); what != "" {
		return nil, unsupported(what)
	}
	kind := shape.Val(in.InvocationType)
	if len(in.Payload) > maxPayload {
		return nil, user(lambda.RequestTooLargeException("Request must be smaller than %d bytes for the InvokeFunction operation", maxPayload))
	}
	if kind == lambda.InvocationTypeEvent && len(in.Payload) > maxEvent {
		return nil, user(lambda.RequestTooLargeException("%d byte payload is too large for the Event invocation type (limit %d bytes)", len(in.Payload), maxEvent))
	}
	if len(in.Payload) > 0 && !json.Valid(in.Payload) {
		return nil, user(lambda.InvalidRequestContentException("Could not parse request body into json: Could not parse payload into json: %s", jsonFault(in.Payload)))
	}
	client, err := clientContext(shape.Val(in.ClientContext))
	if err != nil {
		return nil, err
	}
	p, err := s.resolve(ctx, n.arn())
	if err != nil {
		return nil, err
	}
	if kind == lambda.InvocationTypeDryRun {
		return &lambda.InvocationResponse{StatusCode: shape.Ptr(int64(204))}, nil
	}
	if kind == lambda.InvocationTypeEvent {
		if err := s.events.put(ctx, call.RequestID, n.arn(), in.Payload, client); err != nil {
			return nil, err
		}
		return &lambda.InvocationResponse{StatusCode: shape.Ptr(int64(202))}, nil
	}
	r, err := s.Runtime.Invoke(ctx, p.spec, &runtime.Invocation{RequestID: call.RequestID, Payload: in.Payload, InvokedARN: p.arn, ClientContext: client})
	if err != nil {
		return nil, runError(err)
	}
	out := &lambda.InvocationResponse{StatusCode: shape.Ptr(int64(200)), Payload: r.Payload, ExecutedVersion: shape.Ptr(r.ExecutedVersion)}
	if r.FunctionError != "" {
		out.FunctionError = &r.FunctionError
	}
	if shape.Val(in.LogType) == lambda.LogTypeTail {
		out.LogResult = shape.Ptr(base64.StdEncoding.EncodeToString(r.Log))
	}
	return out, nil
}

// jsonFault says what is wrong with a text that is not JSON.
func jsonFault(text []byte) string {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err.Error()
	}
	return "unexpected content"
}

// clientContext reads the header that carries a client's context.
func clientContext(header string) (string, error) {
	if header == "" {
		return "", nil
	}
	raw, err := base64.StdEncoding.DecodeString(header)
	if err != nil || len(raw) > 3583 || !json.Valid(raw) {
		return "", user(lambda.InvalidRequestContentException("Client context must be a valid Base64-encoded JSON object of up to 3583 bytes."))
	}
	return string(raw), nil
}

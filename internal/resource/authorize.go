package resource

import (
	"context"
	"fmt"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

type asked struct {
	by   wire.Authorizer
	tags map[string]string
}

type askedKey struct{}

// For returns a context in which whatever a handler does is first asked of a: may the caller of the
// context's [wire.Call] make this call of the service's API? tags are the stack's, which a resource gets
// beside its own.
func For(ctx context.Context, a wire.Authorizer, tags map[string]string) context.Context {
	return context.WithValue(ctx, askedKey{}, asked{a, tags})
}

// Undo returns a context in which nobody is asked. It is for what takes back the half of a thing that the
// same step has just made, and for nothing else.
func Undo(ctx context.Context) context.Context {
	return context.WithValue(ctx, askedKey{}, asked{})
}

// StackTags returns the tags that the stack adds to those in a call's input; nil outside of stacks.
func StackTags(ctx context.Context) map[string]string {
	a, _ := ctx.Value(askedKey{}).(asked)
	return a.tags
}

// Authorize asks whether the stack's caller may make the call of m whose input in is, a pointer to
// a generated request. [Input] has asked already; deletions, and whatever else a handler does by other
// means, come here first. It returns what the service would answer to a caller who may not. Where
// no stack acts for somebody, whoever calls a handler may.
func Authorize(ctx context.Context, m *shape.Model, in any) error {
	a, _ := ctx.Value(askedKey{}).(asked)
	if a.by == nil {
		return nil
	}
	ref, err := shapeOf(m, in)
	if err != nil {
		return err
	}
	ops := operations(m, ref)
	if len(ops) != 1 {
		return fmt.Errorf("resource: %T is the input of %d operations of %s", in, len(ops), m.ID)
	}
	return a.by.Authorize(ctx, m, ops[0], in, wire.CallFrom(ctx))
}

// operations returns those whose input a shape is.
func operations(m *shape.Model, input shape.Ref) (ops []*shape.Operation) {
	for i := range m.Operations {
		if m.Operations[i].Input == input {
			ops = append(ops, &m.Operations[i])
		}
	}
	return ops
}

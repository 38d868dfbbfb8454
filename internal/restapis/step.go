package restapis

import (
	"context"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// What a stack makes has an id that follows from the token of the step that makes it. So a step that is
// run again, after the server was stopped in it, finds what it has made.

type stepKey struct{}

// step makes [newID] take the id of a stack's step.
func step(ctx context.Context, r *resource.Request) context.Context {
	return context.WithValue(ctx, stepKey{}, r)
}

// newID returns a new id: a random one, or for a stack's resource the one of its step.
func newID(ctx context.Context, random func() string) string {
	if r, ok := ctx.Value(stepKey{}).(*resource.Request); ok {
		return stepID(r, random)
	}
	return random()
}

// stepID is the id that a step makes where others get a random one.
func stepID(r *resource.Request, random func() string) string {
	return r.ID(ident.Lower, ident.LowerNum, len(random()))
}

// made tells whether a document is there.
func made[T any](ctx context.Context, s *Service, kind store.Kind[T], id string) (v *T, ok bool, err error) {
	v, err = kind.Cached(ctx, s.db, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return v, err == nil, err
}

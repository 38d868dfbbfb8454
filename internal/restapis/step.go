package restapis

import (
	"context"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// What a stack makes has an id that follows from the token of the step that makes it. So a step that is
// run again, after the server was stopped in it, finds what it has made. A thing that has a name instead
// (a method, a stage) is preceded by a note of the step that is about to make it.

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
	err = s.db.View(ctx, func(tx *store.Tx) error {
		v, err = kind.Get(tx, id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return v, err == nil, err
}

// stepMark notes which step makes a thing that has a name.
type stepMark struct{ Step string }

// mine tells whether the thing of that name is there and was made by this very step. If it is not there, the step is
// noted as the one that makes it. parent is the API that the note goes with.
func (s *Service) mine(ctx context.Context, r *resource.Request, parent, name string, exists func(tx *store.Tx) error) (ok bool, err error) {
	token := r.ID("", ident.LowerNum, 20)
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		ok = false
		key := store.Key{ID: parent + "/" + r.Type + "/" + name, Parent: parent}
		switch err := exists(tx); {
		case err == nil:
			m, err := steps.Get(tx, key.ID)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			ok = err == nil && m.Step == token
			return err
		case !errors.Is(err, store.ErrNotFound) && missing(err, "") == err:
			return err
		}
		return steps.Put(tx, key, &stepMark{token})
	})
	return ok, err
}

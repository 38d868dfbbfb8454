package iam

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// use says when and for what an access key or a role was last used.
type use struct {
	Time    int64 // epoch milliseconds
	Service string
	Region  string
}

var uses = store.Kind[use]{Name: "iam.used"}

// usedEvery is how exact the stored time of the last use is. AWS's lags by hours.
const usedEvery = 15 * time.Minute

// lastUsed keeps when keys and roles were last used: in memory with each request, in the store at most
// once in [usedEvery] for each, beside the request and not in its way.
type lastUsed struct {
	db     *store.DB
	recent sync.Map // id: *usage
	wait   sync.WaitGroup
}

type usage struct {
	mu     sync.Mutex
	last   use
	stored int64
}

// note notes that c made a request.
func (l *lastUsed) note(c *Caller, service, region string, now time.Time) {
	id := c.AccessKey
	if !c.LongLived {
		if c.Type != policy.RoleSession {
			return
		}
		id = c.ID
	}
	v, ok := l.recent.Load(id)
	if !ok {
		v, _ = l.recent.LoadOrStore(id, new(usage))
	}
	u, at := v.(*usage), now.UnixMilli()
	u.mu.Lock()
	u.last = use{at, service, region}
	due := at-u.stored >= usedEvery.Milliseconds()
	if due {
		u.stored = at
	}
	u.mu.Unlock()
	if !due {
		return
	}
	l.wait.Go(func() {
		// What is lost on the way is the time of one use.
		_ = l.db.Update(context.Background(), func(tx *store.Tx) error {
			return uses.Put(tx, store.Key{ID: id}, &use{at, service, region})
		})
	})
}

// of returns the last use of a key or a role, by its id. ok is false if it was never used.
func (l *lastUsed) of(ctx context.Context, id string) (u use, ok bool, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		u, ok, err = l.in(tx, id)
		return err
	})
	return u, ok, err
}

// in is of within a transaction.
func (l *lastUsed) in(tx *store.Tx, id string) (u use, ok bool, err error) {
	if v, ok := l.recent.Load(id); ok {
		v := v.(*usage)
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.last, true, nil
	}
	p, err := uses.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return use{}, false, nil
	}
	if err != nil {
		return use{}, false, err
	}
	return *p, true, nil
}

// Close waits until what was noted is stored.
func (s *Service) Close(context.Context) error {
	s.used.wait.Wait()
	return nil
}

package userpools

import (
	"context"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// After freeFailures wrong passwords in a row a user is locked out for a second, then for twice as
// long with each further one, up to maxLockout. As much time without an attempt forgives all.
// https://docs.aws.amazon.com/cognito/latest/developerguide/authentication.html (lockout behaviour)
const (
	freeFailures = 5
	maxLockout   = 15 * time.Minute
)

// locked reports whether f bars an attempt at now.
func (f failures) locked(now time.Time) bool {
	if f.n < freeFailures {
		return false
	}
	lock := maxLockout
	if n := f.n - freeFailures; n < 10 { // 2^10 s exceeds maxLockout
		lock = time.Second << n
	}
	return now.Before(f.last.Add(lock))
}

// noteFailure counts a wrong password. An attempt during a lockout does not count.
func (s *Service) noteFailure(ctx context.Context, u *user) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		f, err := failuresOf(tx, u.pool, u.id)
		if err != nil {
			return err
		}
		now := tx.Now()
		if f.locked(now) {
			return nil
		}
		if now.Sub(f.last) >= maxLockout {
			f.n = 0
		}
		f.n++
		f.last = now
		return putFailures(tx, u.pool, u.id, f)
	})
}

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

// noteFailure counts a wrong password of who. An attempt during a lockout does not count. spent, if
// there is one, is a challenge that the attempt was the answer to: right or wrong, it is good for one.
func (s *Service) noteFailure(ctx context.Context, p *Pool, who userID, spent *challengeState) error {
	return s.update(ctx, func(tx *store.Tx) error {
		if spent != nil {
			if err := s.spend(tx, p, spent); err != nil {
				return err
			}
		}
		f, err := failuresOf(tx, p.No, who)
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
		return putFailures(tx, p.No, who, f)
	})
}

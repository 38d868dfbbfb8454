package keys

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

func stashContext(kid string) string { return "keys.stash/" + kid }

// fromStash takes up to n keys out of the stash, the oldest ones.
func (s *Set) fromStash(ctx context.Context, n int) ([]freshKey, error) {
	var keys []freshKey
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		keys = nil
		rows, err := tx.Query("DELETE FROM keys_stash WHERE kid IN (SELECT kid FROM keys_stash ORDER BY created, kid LIMIT $1) RETURNING kid, public, sealed", n)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var k freshKey
			var sealed []byte
			if err := rows.Scan(&k.kid, &k.public, &sealed); err != nil {
				return err
			}
			if k.plain, err = s.box.Open(sealed, stashContext(k.kid)); err != nil || keyID(k.public) != k.kid {
				// The sealing key is another one now, or the row was tampered with. It is nobody's key yet.
				s.log.Warn("a signing key made in advance cannot be opened and is thrown away", "kid", k.kid)
				continue
			}
			keys = append(keys, k)
		}
		return rows.Err()
	})
	return keys, err
}

// wake has the stash looked at.
func (s *Set) wake() {
	select {
	case s.low <- struct{}{}:
	default:
	}
}

// refill keeps the stash full, making keys one at a time while nothing else is signed.
func (s *Set) refill(ctx context.Context) {
	if !sleep(ctx, s.o.Delay) {
		return
	}
	for {
		full, err := s.addOne(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("making signing keys in advance", "error", err)
			if !sleep(ctx, time.Minute) {
				return
			}
		case full:
			select {
			case <-s.low:
			case <-ctx.Done():
				return
			}
		}
	}
}

// addOne adds a key to the stash, unless it is full.
func (s *Set) addOne(ctx context.Context) (full bool, err error) {
	count := func(tx *store.Tx) error {
		var n int
		err := tx.QueryRow("SELECT COUNT(*) FROM keys_stash").Scan(&n)
		full = n >= s.o.Stash
		return err
	}
	if err := s.db.View(ctx, count); err != nil || full {
		return full, err
	}
	for {
		idle := time.Since(time.Unix(0, s.used.Load()))
		if idle >= s.o.Quiet {
			break
		}
		if !sleep(ctx, s.o.Quiet-idle) {
			return false, ctx.Err()
		}
	}
	type made struct {
		freshKey
		err error
	}
	result := make(chan made, 1)
	go func() { // it cannot be interrupted, and Close is not to wait for it
		k, err := generate()
		result <- made{k, err}
	}()
	var k made
	select {
	case k = <-result:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if k.err != nil {
		return false, k.err
	}
	sealed := s.box.Seal(k.plain, stashContext(k.kid))
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if err := count(tx); err != nil || full { // another node may have filled it
			return err
		}
		_, err := tx.Exec("INSERT INTO keys_stash (kid, public, sealed, created) VALUES ($1, $2, $3, $4)", k.kid, k.public, sealed, tx.Now().UnixMilli())
		return err
	})
	if errors.Is(err, store.ErrClosed) {
		return true, nil
	}
	return full, err
}

// sleep reports whether the time passed before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

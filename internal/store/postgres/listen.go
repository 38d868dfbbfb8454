package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
	"github.com/jackc/pgx/v5"
)

// Notify is [backend.Notifier.Notify].
func (db *DB) Notify(c backend.Conn, payload string) error {
	if len(payload) > backend.MaxPayload {
		return fmt.Errorf("store: a notification of %d bytes", len(payload))
	}
	pc := c.(*conn)
	pc.notes = append(pc.notes, note{db.channel, payload})
	return nil
}

const (
	// checkEvery is after what silence the subscription's connection is tried: a peer that
	// vanished without a word would otherwise leave us with a stale cache for good.
	checkEvery   = 15 * time.Second
	checkTimeout = 5 * time.Second

	minBackoff, maxBackoff = 50 * time.Millisecond, 5 * time.Second
)

// Listen is [backend.Notifier.Listen].
func (db *DB) Listen(ctx context.Context, up func(bool), payload func(string)) {
	backoff := minBackoff
	for ctx.Err() == nil {
		stood, err := db.listen(ctx, up, payload)
		if ctx.Err() != nil {
			return
		}
		if stood {
			up(false)
			backoff = minBackoff
		}
		db.log.Warn("lost the subscription to changes of other nodes; reading past the cache until it stands again", "error", err)
		select {
		case <-time.After(backoff/2 + rand.N(backoff)):
		case <-ctx.Done():
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// listen returns when the connection is lost; stood says that it was there.
func (db *DB) listen(ctx context.Context, up func(bool), payload func(string)) (stood bool, err error) {
	c, err := pgx.ConnectConfig(ctx, db.pool.Config().ConnConfig)
	if err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		c.Close(ctx)
	}()
	if _, err := c.Exec(ctx, "LISTEN "+pgx.Identifier{db.channel}.Sanitize()); err != nil {
		return false, err
	}
	up(true)
	for {
		wait, cancel := context.WithTimeout(ctx, checkEvery)
		n, err := c.WaitForNotification(wait)
		cancel()
		switch {
		case err == nil:
			payload(n.Payload)
		case ctx.Err() != nil:
			return true, ctx.Err()
		case wait.Err() == nil || c.IsClosed():
			return true, err
		default: // silence
			check, cancel := context.WithTimeout(ctx, checkTimeout)
			err := c.Ping(check)
			cancel()
			if err != nil {
				return true, err
			}
		}
	}
}

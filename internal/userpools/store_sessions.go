package userpools

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// session is one sign-in of a user with a client.
type session struct {
	id       userID // origin_jti
	pool     int64
	sub      userID
	client   string
	secret   []byte // SHA-256 of the refresh token's secret
	authTime time.Time
	expires  time.Time

	// Of the token before the last rotation: its secret's hash, and how long it may be used again.
	previous      []byte
	previousUntil time.Time
}

// insertSession opens a session. Now and then it drops those of the user that have run out; were it
// always, concurrent sign-ins of one user would collide on PostgreSQL.
func insertSession(tx *store.Tx, n *session) error {
	if rand.IntN(32) == 0 {
		if _, err := tx.Exec(`DELETE FROM userpool_sessions WHERE pool = $1 AND sub = $2 AND expires < $3`, n.pool, n.sub[:], tx.Now().UnixMilli()); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`INSERT INTO userpool_sessions (id, pool, sub, client, secret, auth_time, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		n.id[:], n.pool, n.sub[:], n.client, n.secret, n.authTime.UnixMilli(), n.expires.UnixMilli())
	return err
}

// sessionByID returns a session; store.ErrNotFound if it has ended or run out.
func sessionByID(tx *store.Tx, id userID) (*session, error) {
	n := &session{id: id}
	var sub []byte
	var authTime, expires int64
	var previousUntil *int64
	err := tx.QueryRow(`SELECT pool, sub, client, secret, auth_time, expires, previous, previous_until FROM userpool_sessions WHERE id = $1`, id[:]).
		Scan(&n.pool, &sub, &n.client, &n.secret, &authTime, &expires, &n.previous, &previousUntil)
	if err != nil {
		return nil, err
	}
	if previousUntil != nil {
		n.previousUntil = time.UnixMilli(*previousUntil)
	}
	copy(n.sub[:], sub)
	n.authTime, n.expires = time.UnixMilli(authTime), time.UnixMilli(expires)
	return n, nil
}

// rotateSession stores the secrets of a session whose refresh token was replaced.
func rotateSession(tx *store.Tx, n *session) error {
	_, err := tx.Exec(`UPDATE userpool_sessions SET secret = $2, previous = $3, previous_until = $4 WHERE id = $1`, n.id[:], n.secret, n.previous, n.previousUntil.UnixMilli())
	return err
}

func deleteSession(tx *store.Tx, id userID) error {
	_, err := tx.Exec(`DELETE FROM userpool_sessions WHERE id = $1`, id[:])
	return err
}

// deleteSessions signs a user out everywhere.
func deleteSessions(tx *store.Tx, u *user) error {
	_, err := tx.Exec(`DELETE FROM userpool_sessions WHERE pool = $1 AND sub = $2`, u.pool, u.id[:])
	return err
}

// useChallenge notes that a challenge was answered; fresh is false if it had been before.
func useChallenge(tx *store.Tx, pool int64, id userID, expires time.Time) (fresh bool, err error) {
	// Every so often the one who writes sweeps.
	if rand.IntN(64) == 0 {
		if _, err := tx.Exec(`DELETE FROM userpool_challenges WHERE expires < $1`, tx.Now().UnixMilli()); err != nil {
			return false, err
		}
	}
	n, err := tx.Exec(`INSERT INTO userpool_challenges (id, pool, expires) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, id[:], pool, expires.UnixMilli())
	return n == 1, err
}

// failures is the count of wrong passwords since the last right one.
type failures struct {
	n    int64
	last time.Time
}

func failuresOf(tx *store.Tx, pool int64, id userID) (f failures, err error) {
	var last int64
	err = tx.QueryRow(`SELECT failures, last FROM userpool_failures WHERE pool = $1 AND sub = $2`, pool, id[:]).Scan(&f.n, &last)
	if errors.Is(err, store.ErrNotFound) {
		return f, nil
	}
	f.last = time.UnixMilli(last)
	return f, err
}

func putFailures(tx *store.Tx, pool int64, id userID, f failures) error {
	// What is as old as the longest lockout says nothing any more; names that nobody has leave rows too.
	if rand.IntN(64) == 0 {
		if _, err := tx.Exec(`DELETE FROM userpool_failures WHERE last < $1`, f.last.Add(-maxLockout).UnixMilli()); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`INSERT INTO userpool_failures (pool, sub, failures, last) VALUES ($1, $2, $3, $4)
		ON CONFLICT (pool, sub) DO UPDATE SET failures = excluded.failures, last = excluded.last`, pool, id[:], f.n, f.last.UnixMilli())
	return err
}

func clearFailures(tx *store.Tx, pool int64, id userID) error {
	_, err := tx.Exec(`DELETE FROM userpool_failures WHERE pool = $1 AND sub = $2`, pool, id[:])
	return err
}

// codeRow is the one code of a kind that a user may hold.
type codeRow struct {
	sealed    []byte // nil: used up
	attribute string
	value     string
	expires   time.Time
	tries     int64
	sent      int64 // since window
	window    time.Time
}

func codeOf(tx *store.Tx, u *user, kind codeKind) (*codeRow, error) {
	var c codeRow
	var expires, window int64
	err := tx.QueryRow(`SELECT code, attribute, value, expires, tries, sent, window_start FROM userpool_codes WHERE pool = $1 AND sub = $2 AND kind = $3`,
		u.pool, u.id[:], int64(kind)).Scan(&c.sealed, &c.attribute, &c.value, &expires, &c.tries, &c.sent, &window)
	if err != nil {
		return nil, err
	}
	c.expires, c.window = time.UnixMilli(expires), time.UnixMilli(window)
	return &c, nil
}

func putCode(tx *store.Tx, u *user, kind codeKind, c *codeRow) error {
	var sealed any
	if c.sealed != nil {
		sealed = c.sealed
	}
	_, err := tx.Exec(`INSERT INTO userpool_codes (pool, sub, kind, code, attribute, value, expires, tries, sent, window_start)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (pool, sub, kind) DO UPDATE SET code = excluded.code, attribute = excluded.attribute, value = excluded.value, expires = excluded.expires,
			tries = excluded.tries, sent = excluded.sent, window_start = excluded.window_start`,
		u.pool, u.id[:], int64(kind), sealed, c.attribute, c.value, c.expires.UnixMilli(), c.tries, c.sent, c.window.UnixMilli())
	return err
}

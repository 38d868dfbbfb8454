// Package postgres is the engine of package store for state that several nodes share: PostgreSQL,
// or what speaks its protocol.
//
// Updates run at isolation level SERIALIZABLE, so that code which reads, decides and writes is as
// safe as with the single writer of SQLite; those that collide run again, a bounded number of
// times. Views run at REPEATABLE READ, which is one snapshot. The BEGIN of a transaction travels
// with its first statement and its COMMIT with the notifications, so a transaction costs one
// round trip more than it has statements.
//
// Text columns are given collation "C": text is compared by its bytes, as in SQLite, and an index
// serves a search for a prefix, whatever the database's own locale is.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options of an engine.
type Options struct {
	URL        string // as libpq takes it; pool_max_conns and pgxpool's other settings too
	Migrations fs.FS
	Logger     *slog.Logger
}

// DB is a [backend.Engine] and a [backend.Notifier].
type DB struct {
	pool    *pgxpool.Pool
	log     *slog.Logger
	channel string        // of notifications
	writing chan struct{} // one element per running Update
}

var (
	_ backend.Engine   = (*DB)(nil)
	_ backend.Notifier = (*DB)(nil)
)

const (
	// maxConns is the size of the pool unless the URL says otherwise. Updates leave a quarter
	// of it to Views, which they may contain.
	maxConns = 20

	// acquireTimeout bounds the wait for a connection. It also ends the embrace of Views that
	// hold all connections while each needs another for a View within.
	acquireTimeout = 15 * time.Second

	connectTimeout = 10 * time.Second
)

// Open connects to the database and brings its schema up to date.
func Open(ctx context.Context, o Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err) // pgx leaves the password out
	}
	if !strings.Contains(o.URL, "pool_max_conns=") {
		cfg.MaxConns = maxConns
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "gatehouse"
	}
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		// A server that acknowledges before it has written would break our promise.
		_, err := c.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	db := &DB{pool: pool, log: o.Logger, writing: make(chan struct{}, max(1, cfg.MaxConns*3/4))}
	if err := db.prepare(ctx, o.Migrations); err != nil {
		pool.Close()
		return nil, err
	}
	return db, nil
}

// Close is [backend.Engine.Close].
func (db *DB) Close() error {
	db.pool.Close()
	return nil
}

func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	c, err := db.pool.Acquire(wait)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case wait.Err() != nil:
		return nil, fmt.Errorf("store: no connection to PostgreSQL came free in %v: %w", acquireTimeout, err)
	case strings.Contains(err.Error(), "closed pool"):
		return nil, backend.ErrClosed
	}
	return nil, fmt.Errorf("store: %w", err)
}

// View is [backend.Engine.View].
func (db *DB) View(ctx context.Context, f func(backend.Conn) error) error {
	c, err := db.newConn(ctx, "begin isolation level repeatable read read only")
	if err != nil {
		return err
	}
	defer c.release()
	return f(c)
}

// maxAttempts bounds how often a transaction runs that collides with others.
const maxAttempts = 30

// Update is [backend.Engine.Update].
func (db *DB) Update(ctx context.Context, f func(backend.Conn) error, committed func()) error {
	select {
	case db.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-db.writing }()
	for attempt := 1; ; attempt++ {
		again, err := db.attempt(ctx, f)
		if err == nil {
			if committed != nil {
				committed()
			}
			return nil
		}
		if !again {
			return err
		}
		if attempt == maxAttempts {
			return fmt.Errorf("%w (%w)", backend.ErrConflict, err)
		}
		// Jittered, so that those who collided do not meet again.
		limit := min(time.Millisecond<<min(attempt, 6), 50*time.Millisecond)
		select {
		case <-time.After(rand.N(limit)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// attempt runs f once; again says that err came from other transactions, not from f.
func (db *DB) attempt(ctx context.Context, f func(backend.Conn) error) (again bool, err error) {
	c, err := db.newConn(ctx, "begin isolation level serializable")
	if err != nil {
		return false, err
	}
	defer c.release()
	if err = f(c); err == nil {
		err = c.commit()
	}
	if err != nil && c.failed != nil {
		// Whatever f made of the failure of its statement.
		return retryable(c.failed), err
	}
	return false, err
}

func retryable(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "40001" || e.Code == "40P01" || // serialisation failure, deadlock
			e.Code == "0A000" && strings.Contains(e.Message, "cached plan") // a newer node changed the table; pgx prepares anew
	}
	return pgconn.SafeToRetry(err) // nothing was sent
}

// Truncate is [backend.Engine.Truncate].
func (db *DB) Truncate(c backend.Conn, keep ...string) error {
	names, err := texts(c, "SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace")
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "goose_db_version" || slices.Contains(keep, n) })
	if len(names) == 0 {
		return nil
	}
	_, err = c.Exec("TRUNCATE "+strings.Join(names, ", "), nil)
	return err
}

// texts returns the only column of a query.
func texts(c backend.Conn, query string) ([]string, error) {
	rows, err := c.Query(query, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	var v [1]any
	for rows.Next(v[:]) == nil {
		s, _ := v[0].(string)
		list = append(list, s)
	}
	return list, nil
}

// Package store keeps all state of Gatehouse, in embedded SQLite or in PostgreSQL.
//
// Three things are stored: documents (configuration: pools, APIs, functions, stacks; few, wide,
// read through a cache), tables that services define and query themselves (people, sessions,
// messages, log events; many, narrow, found by index), and blobs (code archives, objects).
//
// One SQL text serves both engines: $1 binds, ON CONFLICT … RETURNING, TEXT, BIGINT, BOOLEAN and
// BYTEA columns, times as epoch milliseconds, documents as JSON text. Every write goes through
// [DB.Update], which returns only when the change is durable.
//
// # One SQL, two engines
//
// The engines are made to agree, so that what passes on one passes on the other:
//
//   - Update transactions are serialisable: SQLite runs one at a time, PostgreSQL runs them at
//     isolation level SERIALIZABLE and those that collide again.
//   - After a statement has failed, its transaction can only be given up. Who expects a row to be
//     there already says ON CONFLICT DO NOTHING and looks at the number of rows.
//   - Text is compared and ordered by its bytes, LIKE minds the case. Text must be UTF-8 without
//     NUL. To search for a prefix by index, use a range that ends at [PrefixEnd].
//   - A statement may run while the rows of another are being read.
//
// A View within an Update sees the state before it; an Update within an Update waits for itself
// forever, as does one within a View that holds what the Update needs.
//
// # Changes
//
// A commit that touched documents drops them from this node's cache before Update returns, calls
// the subscribers of [DB.OnChange], and tells the other nodes through PostgreSQL's NOTIFY. A node
// that has lost its subscription reads past its cache until it stands again.
package store

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
	"github.com/gatehouse-dev/gatehouse/internal/store/postgres"
	"github.com/gatehouse-dev/gatehouse/internal/store/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNotFound is returned for a document, row or blob that is not there.
var ErrNotFound = errors.New("store: not found")

// Errors of the engines.
var (
	// ErrExists is returned, wrapped, for a document or row that is there already.
	ErrExists = backend.ErrExists
	// ErrClosed is returned for any use after Close.
	ErrClosed = backend.ErrClosed
	// ErrConflict is returned, wrapped, by an Update that lost against concurrent ones again
	// and again. Trying later may succeed.
	ErrConflict = backend.ErrConflict
)

// Options say what to open.
type Options struct {
	// URL is "memory:" for a database that ends with Close, "sqlite:PATH" for a file, which is
	// made if need be, or a "postgres://" URL as libpq takes it.
	URL    string
	Logger *slog.Logger     // nil: discard
	Now    func() time.Time // nil: time.Now
}

// DB is an open database. Its methods may be called at the same time.
type DB struct {
	name   string
	engine backend.Engine
	log    *slog.Logger
	now    func() time.Time
	node   string // this process, among those that share the database
	cache  cache

	mu          sync.RWMutex
	subscribers []subscriber

	stop       context.CancelFunc
	background sync.WaitGroup
}

// Open opens the database, makes it if it is not there, and brings its schema up to date. A
// database written by a newer program, or in use by another process where only one may have it,
// is refused.
func Open(ctx context.Context, o Options) (*DB, error) {
	db := &DB{log: o.Logger, now: o.Now, node: rand.Text()}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.now == nil {
		db.now = time.Now
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	scheme, rest, _ := strings.Cut(o.URL, ":")
	switch scheme {
	case "memory":
		if rest != "" {
			return nil, fmt.Errorf("store: database %q: nothing may follow memory:", o.URL)
		}
		db.name = "memory"
		db.engine, err = sqlite.Open(ctx, sqlite.Options{Migrations: sub, Logger: db.log})
	case "sqlite":
		if rest == "" {
			return nil, fmt.Errorf("store: database %q: no path after sqlite:", o.URL)
		}
		db.name = "sqlite"
		db.engine, err = sqlite.Open(ctx, sqlite.Options{Path: strings.TrimPrefix(rest, "//"), Migrations: sub, Logger: db.log})
	case "postgres", "postgresql":
		db.name = "postgres"
		db.engine, err = postgres.Open(ctx, postgres.Options{URL: o.URL, Migrations: sub, Logger: db.log})
	default:
		return nil, fmt.Errorf("store: database %q is none of memory:, sqlite:PATH, postgres://…", redact(o.URL))
	}
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.Background())
	db.stop = stop
	if n, ok := db.engine.(backend.Notifier); ok {
		db.cache.off.Store(true) // until the subscription stands
		db.background.Go(func() { n.Listen(run, db.listening, db.receive) })
	}
	db.background.Go(func() { db.collectDaily(run) })
	return db, nil
}

// redact hides the password of a URL.
func redact(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "…"
	}
	return u.Redacted()
}

// Close waits for running transactions and closes the database.
func (db *DB) Close() error {
	db.stop()
	db.background.Wait()
	return db.engine.Close()
}

// Engine returns "sqlite", "postgres" or "memory".
func (db *DB) Engine() string { return db.name }

// View runs f on a consistent snapshot. f's error comes back unchanged. f must not write.
func (db *DB) View(ctx context.Context, f func(tx *Tx) error) error {
	return db.engine.View(ctx, func(c backend.Conn) error {
		tx := Tx{db: db, ctx: ctx, c: c}
		defer tx.end()
		if err := f(&tx); err != nil {
			return err
		}
		return tx.failed
	})
}

// Update runs f in a write transaction and returns nil only when its effects are durable. f may
// run more than once, and on another goroutine, so it must not have effects outside tx. f's error
// undoes the whole of f and comes back unchanged; a panic undoes it too and goes on in the caller.
//
// No slow work (hashing, signing, network) belongs inside f: with SQLite, all writers wait for it.
func (db *DB) Update(ctx context.Context, f func(tx *Tx) error) error {
	var tx *Tx
	err := db.engine.Update(ctx, func(c backend.Conn) error {
		tx = &Tx{db: db, ctx: ctx, c: c, write: true}
		defer tx.end()
		if err := f(tx); err != nil {
			return err
		}
		if tx.failed != nil {
			return tx.failed
		}
		return tx.notify()
	}, func() { db.drop(tx.changes) })
	if err != nil {
		return err
	}
	db.publish(tx.changes)
	for _, g := range tx.after {
		g()
	}
	return nil
}

// Reset deletes every row of every table except those of meta.
func (db *DB) Reset(ctx context.Context) error {
	return db.Update(ctx, func(tx *Tx) error {
		if err := db.engine.Truncate(tx.c, "meta"); err != nil {
			return err
		}
		tx.changed("", "")
		return nil
	})
}

// PrefixEnd returns the upper bound of the strings that start with prefix:
//
//	WHERE name >= $1 AND name < $2        -- prefix, PrefixEnd(prefix)
func PrefixEnd(prefix string) string { return prefix + "\U0010FFFF" }

// Package backend says what a storage engine must do for package store, and holds what the
// engines share. The engines are store/sqlite and store/postgres; package store builds
// documents, caches, blobs and change notifications on top of either.
//
// Both engines take the same SQL text. Arguments arrive as nil, int64, float64, bool, string or
// []byte, and columns leave as the same types, so that conversions are written once, in store.
package backend

import (
	"context"
	"errors"
)

// ErrExists is returned, wrapped, for a statement that violates a unique constraint.
var ErrExists = errors.New("store: already exists")

// ErrClosed is returned for work given to an engine after Close.
var ErrClosed = errors.New("store: closed")

// ErrConflict is returned, wrapped, when a transaction lost against concurrent ones on every one
// of a bounded number of attempts.
var ErrConflict = errors.New("store: too many concurrent changes to the same data")

// An Engine runs transactions.
type Engine interface {
	// View runs f in a read-only transaction that sees one snapshot.
	View(ctx context.Context, f func(Conn) error) error

	// Update runs f in a write transaction, serialised against all others, and returns nil
	// only when its effects are durable. f may run more than once. committed, when not nil,
	// runs after the commit that made the effects durable and before Update returns; the
	// engine calls it before any Update whose transaction came later can return.
	Update(ctx context.Context, f func(Conn) error, committed func()) error

	// Truncate deletes all rows of all tables but the named ones and those of the
	// migrations, within the transaction of c, an Update's.
	Truncate(c Conn, keep ...string) error

	// Close waits for running transactions and releases everything.
	Close() error
}

// A Notifier is an Engine whose database is shared with other nodes.
type Notifier interface {
	// Notify sends payload to the listeners of all nodes, this one included, when the
	// transaction of c commits. len(payload) must not exceed MaxPayload.
	Notify(c Conn, payload string) error

	// Listen delivers payloads until ctx ends, in order of commit. up(true) is called when
	// the subscription stands (payloads of later commits will arrive), up(false) when it was
	// lost. It reconnects by itself.
	Listen(ctx context.Context, up func(bool), payload func(string))
}

// MaxPayload bounds one notification, in bytes (PostgreSQL allows less than 8,000).
const MaxPayload = 7900

// A Conn is a connection inside a transaction. It belongs to one goroutine and is dead when the
// function that it was given to returns. After a statement has failed, the transaction can only
// be given up: package store sees to it that no other statement follows.
type Conn interface {
	Exec(query string, args []any) (rowsAffected int64, err error)
	Query(query string, args []any) (Rows, error)
}

// Rows are the rows of a query. Other statements may run on the Conn before Close.
type Rows interface {
	Len() int              // number of columns
	Next(dest []any) error // fills dest, of length Len; io.EOF after the last row
	Close() error
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// conn is a connection in a transaction that begins with its first statement.
type conn struct {
	ctx    context.Context
	db     *DB
	pooled *pgxpool.Conn
	pc     *pgx.Conn // of pooled
	begin  string    // "" when begun
	failed error     // the first error of the database
	notes  []note
}

type note struct{ channel, payload string }

func (c *conn) Exec(query string, args []any) (int64, error) {
	tag, _, err := c.query(query, args)
	return tag.RowsAffected(), err
}

func (c *conn) Query(query string, args []any) (backend.Rows, error) {
	_, r, err := c.query(query, args)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// query runs a statement and reads all of its rows: a connection carries one conversation at a
// time, and other statements may follow before the rows are read.
func (c *conn) query(query string, args []any) (pgconn.CommandTag, *rows, error) {
	if c.begin == "" {
		pr, err := c.pc.Query(c.ctx, query, args...)
		if err != nil {
			return pgconn.CommandTag{}, nil, c.fail(err)
		}
		tag, r, err := c.read(pr)
		return tag, r, c.fail(err)
	}
	tag, r, err := c.first(query, args)
	if err != nil && c.reconnect(err) {
		tag, r, err = c.first(query, args)
	}
	if err != nil {
		return tag, nil, c.fail(err)
	}
	return tag, r, nil
}

// first sends the BEGIN with the first statement.
func (c *conn) first(query string, args []any) (pgconn.CommandTag, *rows, error) {
	b := new(pgx.Batch)
	b.Queue(c.begin)
	b.Queue(query, args...)
	br := c.pc.SendBatch(c.ctx, b)
	defer br.Close()
	if _, err := br.Exec(); err != nil {
		return pgconn.CommandTag{}, nil, err
	}
	pr, err := br.Query()
	if err != nil {
		return pgconn.CommandTag{}, nil, err
	}
	tag, r, err := c.read(pr)
	if err != nil {
		return tag, nil, err
	}
	if err := br.Close(); err != nil {
		return tag, nil, err
	}
	c.begin = ""
	return tag, r, nil
}

// reconnect takes another connection if err says that ours was dead: the server was restarted,
// and what is in the pool is worth nothing. As there was no COMMIT, nothing has happened yet.
func (c *conn) reconnect(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		if e.Code != "57P01" { // admin_shutdown: arrives in answer to the statement
			return false
		}
	} else if !c.pc.IsClosed() {
		return false
	}
	if c.ctx.Err() != nil {
		return false
	}
	c.pc.Close(c.ctx)
	c.pooled.Release() // a second one does nothing
	c.db.pool.Reset()
	pooled, err := c.db.acquire(c.ctx)
	if err != nil {
		return false
	}
	c.pooled, c.pc = pooled, pooled.Conn()
	return true
}

// newConn returns a connection whose transaction will begin with begin.
func (db *DB) newConn(ctx context.Context, begin string) (*conn, error) {
	pooled, err := db.acquire(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{ctx: ctx, db: db, pooled: pooled, pc: pooled.Conn(), begin: begin}, nil
}

// release rolls back what has not been committed.
func (c *conn) release() {
	c.rollback()
	c.pooled.Release()
}

func (*conn) read(pr pgx.Rows) (pgconn.CommandTag, *rows, error) {
	defer pr.Close()
	r := &rows{n: len(pr.FieldDescriptions())}
	for pr.Next() {
		vals, err := pr.Values()
		if err != nil {
			return pgconn.CommandTag{}, nil, err
		}
		for i, v := range vals {
			if vals[i], err = plain(v); err != nil {
				return pgconn.CommandTag{}, nil, err
			}
		}
		r.rows = append(r.rows, vals)
	}
	if err := pr.Err(); err != nil {
		return pgconn.CommandTag{}, nil, err
	}
	return pr.CommandTag(), r, nil
}

// plain brings a value into the forms that the engines share.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case nil, int64, float64, bool, string, []byte:
		return v, nil
	case int32:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case float32:
		return float64(v), nil
	case pgtype.Numeric: // sum(bigint)
		if n, err := v.Int64Value(); err == nil {
			return n.Int64, nil
		}
		f, err := v.Float64Value()
		if err != nil || math.IsNaN(f.Float64) {
			return nil, fmt.Errorf("a numeric out of range")
		}
		return f.Float64, nil
	}
	return nil, fmt.Errorf("a column of Go type %T; only TEXT, BYTEA, BIGINT, BOOLEAN and DOUBLE PRECISION are read", v)
}

// commit sends the notifications and the COMMIT in one go.
func (c *conn) commit() error {
	if c.begin != "" {
		return nil // there was no statement
	}
	b := new(pgx.Batch)
	for _, n := range c.notes {
		b.Queue("select pg_notify($1, $2)", n.channel, n.payload)
	}
	b.Queue("commit")
	br := c.pc.SendBatch(c.ctx, b)
	defer br.Close()
	for range c.notes {
		if _, err := br.Exec(); err != nil {
			return c.fail(err)
		}
	}
	tag, err := br.Exec()
	if err == nil {
		err = br.Close()
	}
	if err != nil {
		if _, ok := errors.AsType[*pgconn.PgError](err); !ok && !pgconn.SafeToRetry(err) {
			return fmt.Errorf("store: the connection broke during the commit, whether the change was saved is not known: %w", err)
		}
		return c.fail(err)
	}
	if tag.String() != "COMMIT" {
		return c.fail(errors.New("the transaction had failed"))
	}
	return nil
}

// rollback ends what has not been committed. If that fails, the pool discards the connection.
func (c *conn) rollback() {
	if c.pc.IsClosed() || c.pc.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), 5*time.Second)
	defer cancel()
	c.pc.Exec(ctx, "rollback")
}

// fail notes an error of the database, and puts into words what callers tell apart.
func (c *conn) fail(err error) error {
	if err == nil {
		return nil
	}
	if c.failed == nil {
		c.failed = err
	}
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "23505":
			return fmt.Errorf("%w (%w)", backend.ErrExists, err)
		case "53100":
			return fmt.Errorf("store: PostgreSQL's disk is full: %w", err)
		}
	}
	return fmt.Errorf("store: %w", err)
}

type rows struct {
	n    int
	rows [][]any
}

func (r *rows) Len() int { return r.n }

func (r *rows) Next(dest []any) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(dest, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}

func (r *rows) Close() error {
	r.rows = nil
	return nil
}

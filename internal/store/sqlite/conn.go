package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// maxStatements bounds the prepared statements kept by one connection. Query texts are constants
// of the program, so the bound is only reached by code that composes SQL.
const maxStatements = 512

// conn is one SQLite connection with its prepared statements. The driver's connection is used
// directly: database/sql would add a fifth to a point read and twice the allocations, for a pool
// and conversions that are not wanted here.
type conn struct {
	dc     driver.Conn
	stmts  map[string]*stmt
	args   []driver.NamedValue // scratch
	open   []*rows             // not yet closed, in the current transaction
	broken bool                // do not use again
}

type stmt struct {
	ds   driver.Stmt
	exec driver.StmtExecContext
	qry  driver.StmtQueryContext
	busy bool // its rows are being read
}

// bg: the driver would start a goroutine per statement to watch a context that can end.
var bg = context.Background()

// dial opens a connection to the file at path, which exists.
func dial(path string, write, durable bool) (*conn, error) {
	dc, err := new(sqlite.Driver).Open(dsn(path))
	if err != nil {
		return nil, err
	}
	c := &conn{dc: dc, stmts: make(map[string]*stmt)}
	pragmas := []string{"busy_timeout = 10000", "foreign_keys = 1", "temp_store = memory", "case_sensitive_like = 1"}
	if write {
		// FULL: the log is synced at every commit. The size limit gives back what one large
		// transaction made of the log.
		pragmas = append(pragmas, "journal_mode = wal", "synchronous = full", "journal_size_limit = 67108864")
		if !durable {
			pragmas = append(pragmas, "synchronous = off")
		}
	} else {
		pragmas = append(pragmas, "query_only = 1")
	}
	for _, p := range pragmas {
		if err := c.run("PRAGMA " + p); err != nil {
			dc.Close()
			return nil, err
		}
	}
	return c, nil
}

// dsn returns the driver's name for the file at path, which must exist. Double-quoted strings are
// refused, as in PostgreSQL.
func dsn(path string) string {
	// In a URI, these three are not part of the path.
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) + "?mode=rw&_dqs=0&_error_rc=1"
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		s.ds.Close()
	}
	c.stmts = nil
	return c.dc.Close()
}

func (c *conn) prepare(query string) (*stmt, error) {
	if s := c.stmts[query]; s != nil && !s.busy {
		return s, nil
	}
	ds, err := c.dc.Prepare(query)
	if err != nil {
		return nil, sqlError(err)
	}
	s := &stmt{ds: ds, exec: ds.(driver.StmtExecContext), qry: ds.(driver.StmtQueryContext)}
	if c.stmts[query] == nil { // else: that one is being read; this one is closed after use
		if len(c.stmts) >= maxStatements {
			for q, old := range c.stmts {
				if !old.busy {
					old.ds.Close()
					delete(c.stmts, q)
					break
				}
			}
		}
		c.stmts[query] = s
	}
	return s, nil
}

// release gives back a statement that prepare returned.
func (c *conn) release(query string, s *stmt) error {
	s.busy = false
	if c.stmts[query] != s {
		return s.ds.Close()
	}
	return nil
}

func (c *conn) bind(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		if b, ok := a.([]byte); ok && b != nil && len(b) == 0 {
			a = emptyBlob // the driver cannot allocate zero bytes
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

var emptyBlob = make([]byte, 0, 1)

// run executes one statement without arguments: pragmas and transaction control.
func (c *conn) run(query string) error {
	_, err := c.Exec(query, nil)
	return err
}

func (c *conn) Exec(query string, args []any) (int64, error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	res, err := s.exec.ExecContext(bg, c.bind(args))
	if rerr := c.release(query, s); err == nil {
		err = rerr
	}
	if err != nil {
		return 0, sqlError(err)
	}
	n, err := res.RowsAffected()
	return n, sqlError(err)
}

func (c *conn) Query(query string, args []any) (backend.Rows, error) {
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	dr, err := s.qry.QueryContext(bg, c.bind(args))
	if err != nil {
		c.release(query, s)
		return nil, sqlError(err)
	}
	s.busy = true
	r := &rows{c: c, query: query, s: s, dr: dr, n: len(dr.Columns())}
	r.vals = make([]driver.Value, r.n)
	c.open = append(c.open, r)
	return r, nil
}

// finish closes the rows that a transaction left open: a statement in mid-read would keep the
// snapshot, and with it the log from being reused.
func (c *conn) finish() {
	for len(c.open) > 0 {
		c.open[len(c.open)-1].Close()
	}
}

type rows struct {
	c     *conn
	query string
	s     *stmt
	dr    driver.Rows
	n     int
	vals  []driver.Value
	done  bool
}

func (r *rows) Len() int { return r.n }

func (r *rows) Next(dest []any) error {
	if r.done {
		return io.EOF
	}
	if err := r.dr.Next(r.vals); err != nil {
		if err == io.EOF {
			return io.EOF
		}
		return sqlError(err)
	}
	for i, v := range r.vals {
		dest[i] = v
	}
	return nil
}

func (r *rows) Close() error {
	if r.done {
		return nil
	}
	r.done = true
	for i := len(r.c.open) - 1; i >= 0; i-- {
		if r.c.open[i] == r {
			r.c.open = append(r.c.open[:i], r.c.open[i+1:]...)
			break
		}
	}
	err := r.dr.Close()
	if rerr := r.c.release(r.query, r.s); err == nil {
		err = rerr
	}
	return sqlError(err)
}

// code returns SQLite's extended result code of err, 0 if it has none.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

// sqlError puts the errors that callers tell apart, and those that an operator must understand,
// into words.
func sqlError(err error) error {
	if err == nil {
		return nil
	}
	c := code(err)
	switch c {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w (%v)", backend.ErrExists, err)
	}
	switch c & 0xff {
	case 0:
		return err
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("store: the disk is full: %w", err)
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("store: the file is not a SQLite database: %w", err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("store: the database file is damaged; restore a backup: %w", err)
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("store: the database cannot be written: %w", err)
	case sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("store: the database file cannot be opened: %w", err)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("store: the disk reported an error: %w", err)
	}
	return fmt.Errorf("store: %w", err)
}

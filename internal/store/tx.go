package store

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
)

// Tx is a transaction. It belongs to the function that it was given to and is of no use after it.
type Tx struct {
	db      *DB
	ctx     context.Context
	c       backend.Conn // nil when over
	write   bool
	now     time.Time
	failed  error // of the first statement that failed
	after   []func()
	changes []change
}

// errDone is returned for a Tx used after its transaction.
var errDone = errors.New("store: the transaction is over")

func (tx *Tx) end() { tx.c = nil }

// Now returns the time of the transaction, the same however often it is called.
func (tx *Tx) Now() time.Time {
	if tx.now.IsZero() {
		tx.now = tx.db.now()
	}
	return tx.now
}

// AfterCommit has f run once after the durable commit, before Update returns. If the transaction
// is not committed, f does not run.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// usable returns why no statement can run, if so.
func (tx *Tx) usable() error {
	if tx.c == nil {
		return errDone
	}
	if tx.failed != nil {
		return fmt.Errorf("store: the transaction was given up after: %w", tx.failed)
	}
	return tx.ctx.Err()
}

// Exec runs a statement and returns the number of rows that it inserted, updated or deleted.
//
// Arguments are strings, byte slices, integers, floats, booleans, nil, pointers to and types based
// on these, and driver.Valuers. A time is not taken: store its UnixMilli.
func (tx *Tx) Exec(query string, args ...any) (rowsAffected int64, err error) {
	if err := tx.usable(); err != nil {
		return 0, err
	}
	if err := bind(args); err != nil {
		return 0, tx.fail(err)
	}
	n, err := tx.c.Exec(query, args)
	return n, tx.fail(err)
}

// Query runs a query. The rows must be closed, or read to their end. Other statements may run
// meanwhile.
func (tx *Tx) Query(query string, args ...any) (*Rows, error) {
	if err := tx.usable(); err != nil {
		return nil, err
	}
	if err := bind(args); err != nil {
		return nil, tx.fail(err)
	}
	r, err := tx.c.Query(query, args)
	if err != nil {
		return nil, tx.fail(err)
	}
	return &Rows{tx: tx, r: r, vals: make([]any, r.Len())}, nil
}

// QueryRow runs a query of which only the first row matters. Its error comes from Row.Scan.
func (tx *Tx) QueryRow(query string, args ...any) *Row {
	rows, err := tx.Query(query, args...)
	return &Row{rows, err}
}

// fail notes the error of a statement.
func (tx *Tx) fail(err error) error {
	if err != nil && tx.failed == nil {
		tx.failed = err
	}
	return err
}

// Rows are the rows of a query: call Next before each Scan, and Err when Next returned false.
type Rows struct {
	tx     *Tx
	r      backend.Rows
	vals   []any
	err    error
	closed bool
}

// Next moves to the next row. It returns false, and closes r, when there is none.
func (r *Rows) Next() bool {
	if r.closed {
		return false
	}
	err := r.tx.ctx.Err()
	if err == nil {
		err = r.r.Next(r.vals)
	}
	if err == nil {
		return true
	}
	if err != io.EOF {
		r.err = r.tx.fail(err)
	}
	r.Close()
	return false
}

// Scan copies the columns of the row into dest: pointers to strings, byte slices, numbers,
// booleans, to any, to pointers to these (nil for NULL), or sql.Scanners.
func (r *Rows) Scan(dest ...any) error {
	if r.closed {
		return errors.New("store: Scan without a row")
	}
	if len(dest) != len(r.vals) {
		return fmt.Errorf("store: %d columns scanned into %d values", len(r.vals), len(dest))
	}
	for i, v := range r.vals {
		if err := assign(dest[i], v); err != nil {
			return fmt.Errorf("store: column %d: %w", i+1, err)
		}
	}
	return nil
}

// Err returns the error, if any, that ended Next.
func (r *Rows) Err() error { return r.err }

// Close ends the query. It may be called more than once.
func (r *Rows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	return r.r.Close()
}

// Row is the first row of a query.
type Row struct {
	rows *Rows
	err  error
}

// Scan is as [Rows.Scan]; it returns ErrNotFound if there is no row.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNotFound
	}
	return r.rows.Scan(dest...)
}

// bind brings args, in place, into the forms that the engines take.
func bind(args []any) error {
	for i, a := range args {
		v, err := bindOne(a)
		if err != nil {
			return fmt.Errorf("store: argument $%d: %w", i+1, err)
		}
		args[i] = v
	}
	return nil
}

func bindOne(a any) (any, error) {
	switch v := a.(type) {
	case nil, int64, float64, bool:
		return v, nil
	case string:
		return v, checkText(v)
	case int:
		return int64(v), nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	case json.RawMessage:
		return string(v), checkText(string(v))
	case driver.Valuer:
		if rv := reflect.ValueOf(a); rv.Kind() == reflect.Pointer && rv.IsNil() {
			return nil, nil
		}
		w, err := v.Value()
		if err != nil {
			return nil, err
		}
		if _, again := w.(driver.Valuer); again {
			return nil, fmt.Errorf("%T is a Valuer that returns a Valuer", a)
		}
		return bindOne(w)
	case time.Time:
		return nil, errors.New("a time is stored as its UnixMilli")
	}
	rv := reflect.ValueOf(a)
	switch rv.Kind() {
	case reflect.Pointer:
		if rv.IsNil() {
			return nil, nil
		}
		return bindOne(rv.Elem().Interface())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if u := rv.Uint(); u < 1<<63 {
			return int64(u), nil
		}
		return nil, fmt.Errorf("%d does not fit a BIGINT", a)
	case reflect.Float32, reflect.Float64:
		return rv.Float(), nil
	case reflect.Bool:
		return rv.Bool(), nil
	case reflect.String:
		return rv.String(), checkText(rv.String())
	case reflect.Slice:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			return rv.Bytes(), nil
		}
	}
	return nil, fmt.Errorf("a %T cannot be stored", a)
}

// checkText refuses what PostgreSQL would, on both engines.
func checkText(s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return errors.New("text with a NUL character")
	}
	if !utf8.ValidString(s) {
		return errors.New("text that is not UTF-8")
	}
	return nil
}

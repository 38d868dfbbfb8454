// Package sqlite is the embedded engine of package store: SQLite in WAL mode, in process.
//
// One connection writes, owned by one goroutine. It commits in groups: the functions given to
// Update that wait at the same moment run one after the other in one transaction, each within a
// savepoint of its own, and share one commit, so one sync of the disk. A few other connections
// read, each View in a snapshot that no write disturbs.
//
// A file belongs to one process at a time. A lock file beside it says to which.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
	"github.com/pressly/goose/v3"
)

// Options of an engine.
type Options struct {
	Path       string // of the database file; "" keeps the data in memory until Close
	Migrations fs.FS
	Logger     *slog.Logger
}

// DB is a [backend.Engine].
type DB struct {
	path    string
	log     *slog.Logger
	lock    io.Closer
	tempDir string // of a database in memory, removed by Close

	w       *writer
	readers *readers
	closed  sync.Once
	err     error // of Close
}

var _ backend.Engine = (*DB)(nil)

// Open opens the database, makes it if need be, and brings its schema up to date.
func Open(ctx context.Context, o Options) (_ *DB, err error) {
	db := &DB{path: o.Path, log: o.Logger}
	defer func() {
		if err != nil {
			db.release()
		}
	}()
	durable := o.Path != ""
	if !durable {
		// SQLite's own in-memory databases have no write-ahead log, so a reader would block
		// the writer and a View within an Update would wait for itself. A file in a memory
		// file system has the same semantics as the real thing.
		if db.tempDir, err = memoryDir(); err != nil {
			return nil, err
		}
		db.path = filepath.Join(db.tempDir, "gatehouse.db")
	}
	if db.path, err = filepath.Abs(db.path); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(db.path), 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if db.lock, err = lockFile(db.path); err != nil {
		return nil, err
	}
	// Made here so that nobody else may read it; SQLite gives its log the same mode.
	f, err := os.OpenFile(db.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	f.Close()

	c, err := dial(db.path, true, durable)
	if err != nil {
		return nil, fmt.Errorf("store: opening %s: %w", db.path, sqlError(err))
	}
	if err := migrate(ctx, c, db.path, o.Migrations); err != nil {
		c.close()
		return nil, err
	}
	db.w = newWriter(c, db.log)
	db.readers = newReaders(func() (*conn, error) { return dial(db.path, false, durable) })
	return db, nil
}

// migrate asks the database for its version, which costs microseconds, and calls for goose only
// when something is missing.
func migrate(ctx context.Context, c *conn, path string, fsys fs.FS) error {
	var applied []int64
	rows, err := c.Query("SELECT 1 FROM sqlite_master WHERE name = 'goose_db_version'", nil)
	if err != nil {
		return fmt.Errorf("store: opening %s: %w", path, err)
	}
	var v [1]any
	err = rows.Next(v[:])
	rows.Close()
	if err == nil {
		if rows, err = c.Query(backend.VersionQuery, nil); err != nil {
			return fmt.Errorf("store: opening %s: %w", path, err)
		}
		for err = rows.Next(v[:]); err == nil; err = rows.Next(v[:]) {
			n, _ := v[0].(int64)
			applied = append(applied, n)
		}
		rows.Close()
	}
	if err != io.EOF {
		return fmt.Errorf("store: opening %s: %w", path, err)
	}
	current, err := backend.Current(applied, fsys)
	if err != nil {
		return fmt.Errorf("%w (%s)", err, path)
	}
	if current {
		return nil
	}
	sdb, err := sql.Open("sqlite", dsn(path)+"&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=synchronous(full)")
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer sdb.Close()
	sdb.SetMaxOpenConns(1)
	if err := backend.Migrate(ctx, goose.DialectSQLite3, sdb, fsys); err != nil {
		return fmt.Errorf("%w (%s)", err, path)
	}
	return nil
}

// View is [backend.Engine.View].
func (db *DB) View(ctx context.Context, f func(backend.Conn) error) error {
	return db.readers.view(ctx, f)
}

// Update is [backend.Engine.Update].
func (db *DB) Update(ctx context.Context, f func(backend.Conn) error, committed func()) error {
	return db.w.update(ctx, f, committed)
}

// Truncate is [backend.Engine.Truncate].
func (db *DB) Truncate(c backend.Conn, keep ...string) error {
	if _, err := c.Exec("PRAGMA defer_foreign_keys = 1", nil); err != nil {
		return err
	}
	rows, err := c.Query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'goose_db_version'", nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	var v [1]any
	for err = rows.Next(v[:]); err == nil; err = rows.Next(v[:]) {
		name, _ := v[0].(string)
		if slices.Contains(keep, name) {
			continue
		}
		if _, err := c.Exec(`DELETE FROM "`+strings.ReplaceAll(name, `"`, `""`)+`"`, nil); err != nil {
			return err
		}
	}
	if err != io.EOF {
		return err
	}
	return nil
}

// Close is [backend.Engine.Close].
func (db *DB) Close() error {
	db.closed.Do(func() {
		db.readers.close()
		db.err = errors.Join(db.w.close(), db.release())
	})
	return db.err
}

// release gives back what is not a connection.
func (db *DB) release() error {
	var err error
	if db.lock != nil {
		err = db.lock.Close()
	}
	if db.tempDir != "" {
		err = errors.Join(err, os.RemoveAll(db.tempDir))
	}
	return err
}

// slow is after what time a transaction is reported as stuck.
const slow = 10 * time.Second

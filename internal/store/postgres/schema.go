package postgres

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// prepare checks the server and migrates the schema.
func (db *DB) prepare(ctx context.Context, fsys fs.FS) error {
	pc, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	defer pc.Release()
	var schema *string
	var encoding string
	err = pc.QueryRow(ctx, "SELECT current_schema(), current_setting('server_encoding')").Scan(&schema, &encoding)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if schema == nil {
		return fmt.Errorf("store: no schema of the search_path exists in the database")
	}
	if encoding != "UTF8" {
		return fmt.Errorf("store: the database's encoding is %s; it must be UTF8", encoding)
	}
	db.channel = "gatehouse_" + *schema
	if len(db.channel) > 63 {
		return fmt.Errorf("store: the name of schema %q is too long", *schema)
	}

	if current, err := db.current(ctx, pc.Conn(), fsys); err != nil || current {
		return err
	}
	// One node migrates, the others wait for it here.
	const key = "hashtextextended('gatehouse migrations ' || current_schema(), 0)"
	if _, err := pc.Exec(ctx, "SELECT pg_advisory_lock("+key+")"); err != nil {
		return fmt.Errorf("store: waiting for another node's migrations: %w", err)
	}
	defer pc.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock("+key+")")
	if current, err := db.current(ctx, pc.Conn(), fsys); err != nil || current {
		return err
	}
	sdb := stdlib.OpenDBFromPool(db.pool)
	defer sdb.Close()
	if err := backend.Migrate(ctx, goose.DialectPostgres, sdb, fsys); err != nil {
		return err
	}
	return collate(ctx, pc.Conn())
}

func (db *DB) current(ctx context.Context, c *pgx.Conn, fsys fs.FS) (bool, error) {
	var exists bool
	err := c.QueryRow(ctx, "SELECT to_regclass(quote_ident(current_schema()) || '.goose_db_version') IS NOT NULL").Scan(&exists)
	if err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	if !exists {
		return false, nil
	}
	rows, err := c.Query(ctx, backend.VersionQuery)
	if err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	applied, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	return backend.Current(applied, fsys)
}

// collate gives collation "C" to the text columns that new migrations brought. The tables are new
// and empty then, or as good as.
func collate(ctx context.Context, c *pgx.Conn) error {
	rows, err := c.Query(ctx, `
		SELECT 'ALTER TABLE ' || quote_ident(c.relname) || string_agg(
			' ALTER COLUMN ' || quote_ident(a.attname) || ' TYPE text COLLATE "C"', ',' ORDER BY a.attnum)
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
			AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype
			AND a.attcollation = '"default"'::regcollation
		GROUP BY c.relname`)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	alter, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if len(alter) == 0 {
		return nil
	}
	// One message of several statements is one transaction.
	_, err = c.Exec(ctx, strings.Join(alter, ";\n"), pgx.QueryExecModeSimpleProtocol)
	if e, ok := err.(*pgconn.PgError); ok {
		return fmt.Errorf("store: setting the collation: %w", e)
	}
	return err
}

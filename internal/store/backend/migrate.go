package backend

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/pressly/goose/v3"
)

// VersionQuery reads the versions that goose has applied.
const VersionQuery = "SELECT version_id FROM goose_db_version WHERE version_id > 0"

// Current reports whether applied, the versions found by [VersionQuery], holds every migration in
// fsys. A database that is ahead of the migrations is an error: an older program must not write
// to a newer schema.
func Current(applied []int64, fsys fs.FS) (bool, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return false, err
	}
	var known []int64
	for _, name := range names {
		v, err := goose.NumericComponent(path.Base(name))
		if err != nil {
			return false, fmt.Errorf("store: migration %s: %w", name, err)
		}
		known = append(known, v)
	}
	if len(known) == 0 {
		return false, fmt.Errorf("store: no migrations")
	}
	for _, v := range applied {
		if !slices.Contains(known, v) {
			return false, fmt.Errorf("store: the database has schema version %d, which this program does not know (its newest is %d): "+
				"it was written by a newer version of Gatehouse; use that one, or restore a backup", v, slices.Max(known))
		}
	}
	for _, v := range known {
		if !slices.Contains(applied, v) {
			return false, nil
		}
	}
	return true, nil
}

// Migrate applies the migrations in fsys that db lacks, in order of their numbers. A file whose
// number is below one already applied is applied too: packages number theirs in ranges.
func Migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, fsys fs.FS) error {
	p, err := goose.NewProvider(dialect, db, fsys,
		goose.WithAllowOutofOrder(true), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("store: migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("store: migrating: %w", err)
	}
	return nil
}

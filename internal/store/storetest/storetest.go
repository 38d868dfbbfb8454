// Package storetest holds the contract of package store: the suite that every engine passes, and
// the way in which other packages run their own tests on every engine.
package storetest

import (
	"path/filepath"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Each runs f on a fresh database of every engine: in memory, in a SQLite file, and in PostgreSQL
// where the environment variable GATEHOUSE_TEST_POSTGRES holds its URL.
func Each(t *testing.T, f func(t *testing.T, db *store.DB)) {
	t.Run("memory", func(t *testing.T) { f(t, Open(t, "memory:")) })
	t.Run("sqlite", func(t *testing.T) { f(t, Open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))) })
}

// Open opens the database at url and closes it when the test ends.
func Open(t testing.TB, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// Package storetest holds the contract of package store: the suite that every engine passes, and
// the way in which other packages run their own tests on every engine.
package storetest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/jackc/pgx/v5"
)

// PostgresEnv names the environment variable with the URL of a PostgreSQL database in which the
// tests may make and drop schemas.
const PostgresEnv = "GATEHOUSE_TEST_POSTGRES"

// Each runs f on a fresh database of every engine: in memory, in a SQLite file, and in PostgreSQL
// where [PostgresEnv] is set. Where the environment says CI=true, it has to be set.
func Each(t *testing.T, f func(t *testing.T, db *store.DB)) {
	EachURL(t, func(t *testing.T, url string) { f(t, Open(t, url)) })
}

// EachURL is Each for tests that open the database themselves, perhaps more than once.
func EachURL(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("memory", func(t *testing.T) { f(t, "memory:") })
	t.Run("sqlite", func(t *testing.T) { f(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db")) })
	t.Run("postgres", func(t *testing.T) { f(t, PostgresURL(t)) })
}

// Open opens the database at url and closes it when the test ends.
func Open(t testing.TB, url string) *store.DB {
	t.Helper()
	return OpenOptions(t, store.Options{URL: url})
}

// OpenOptions is Open with other options.
func OpenOptions(t testing.TB, o store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), o)
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

// PostgresURL returns the URL of a fresh schema, dropped when the test ends. Without
// [PostgresEnv], it skips the test, or fails it in CI.
func PostgresURL(t testing.TB) string {
	t.Helper()
	base := os.Getenv(PostgresEnv)
	if base == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not set", PostgresEnv)
		}
		t.Skipf("%s is not set", PostgresEnv)
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("%s is not a URL", PostgresEnv)
	}
	schema := "test_" + strings.ToLower(rand.Text())
	admin(t, t.Context(), base, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { admin(t, context.Background(), base, "DROP SCHEMA "+schema+" CASCADE") })
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func admin(t testing.TB, ctx context.Context, url, statement string) {
	t.Helper()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

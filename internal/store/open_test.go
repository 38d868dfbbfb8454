package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

type doc struct{ N int }

var docs = store.Kind[doc]{Name: "test.doc"}

func insert(ctx context.Context, db *store.DB, id string, n int) error {
	return db.Update(ctx, func(tx *store.Tx) error { return docs.Insert(tx, store.Key{ID: id}, &doc{n}) })
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	file := write("file", nil)
	text := write("text.db", bytes.Repeat([]byte("this is not a database\n"), 1000))

	// A good database, whose middle is then overwritten.
	damaged := filepath.Join(dir, "damaged.db")
	fill(t, damaged, 500)
	b, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	copy(b[4096:], bytes.Repeat([]byte{0xaa}, len(b)-4096))
	write("damaged.db", b)

	newer := filepath.Join(dir, "newer.db")
	fill(t, newer, 1)
	raw(t, newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")

	for _, tt := range []struct{ url, want string }{
		{"", "is none of memory:, sqlite:PATH, postgres://"},
		{"mysql://root:hunter2@host/db", "is none of memory:"},
		{"memory:x", "nothing may follow"},
		{"sqlite:", "no path"},
		{"sqlite:" + filepath.Join(file, "x.db"), "not a directory"},
		{"sqlite:" + dir, "is a directory"},
		{"sqlite:" + text, "not a SQLite database"},
		{"sqlite:" + damaged, "damaged"},
		{"sqlite:" + newer, "schema version 99999, which this program does not know"},
		{"postgres://u:hunter2@127.0.0.1:1/db", "refused"},
		{"postgres://u:hunter2@127.0.0.1:x/db", "invalid port"},
	} {
		db, err := store.Open(t.Context(), store.Options{URL: tt.url})
		if err == nil {
			// Damage need not be seen at once.
			err = db.View(t.Context(), func(tx *store.Tx) error {
				var n int
				return tx.QueryRow("SELECT count(doc) FROM documents WHERE doc > ''").Scan(&n)
			})
			db.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.url, err, tt.want)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", tt.url, err)
		}
	}
}

// fill makes a database of n documents at path.
func fill(t *testing.T, path string, n int) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		for i := range n {
			if err := docs.Insert(tx, store.Key{ID: fmt.Sprint(i), Parent: strings.Repeat("p", 100)}, &doc{i}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func raw(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := t.TempDir()
	os.Chmod(dir, 0o500)
	_, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + dir + "/x.db"})
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("error %v, want a permission error", err)
	}
}

// TestLock: a file serves one process, and one DB, at a time.
func TestLock(t *testing.T) {
	url := "sqlite:" + t.TempDir() + "/odd name %41?x=y#z.db"
	db, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := insert(t.Context(), db, "a", 1); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(t.Context(), store.Options{URL: url})
	if want := fmt.Sprintf("in use by process %d", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("second Open: %v, want %q", err, want)
	}
	if err := insert(t.Context(), db, "b", 1); err != nil { // undisturbed
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = storetest.Open(t, url)
	if v, err := docs.Cached(t.Context(), db, "a"); err != nil || v.N != 1 {
		t.Error(v, err)
	}
	if fi, err := os.Stat(strings.TrimPrefix(url, "sqlite:")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("file: %v, %v; want mode 0600", fi.Mode(), err)
	}
}

// TestMemoryLeavesNothing: not on Close, and what a killed process left goes with the next Open.
func TestMemoryLeavesNothing(t *testing.T) {
	one := storetest.Open(t, "memory:")
	two := storetest.Open(t, "memory:")
	if err := insert(t.Context(), one, "a", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := docs.Cached(t.Context(), two, "a"); err != store.ErrNotFound {
		t.Errorf("two databases in memory share documents: %v", err)
	}
	var dirs []string
	for _, base := range []string{"/dev/shm", os.TempDir()} {
		found, _ := filepath.Glob(filepath.Join(base, "gatehouse-memory-*"))
		dirs = append(dirs, found...)
	}
	if len(dirs) < 2 {
		t.Fatalf("directories: %q", dirs)
	}
	left, err := os.MkdirTemp(filepath.Dir(dirs[0]), "gatehouse-memory-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "gatehouse.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	three := storetest.Open(t, "memory:")
	if _, err := os.Stat(left); err == nil {
		t.Error("what a killed process left is still there")
	}
	three.Close()
	if err := insert(t.Context(), one, "b", 1); err != nil {
		t.Errorf("the sweep took a database in use: %v", err)
	}
}

// TestDiskFull: all who share the failed commit are told, nothing of it is kept, and the store
// goes on when there is room again.
func TestDiskFull(t *testing.T) {
	db := storetest.Open(t, "sqlite:"+t.TempDir()+"/test.db")
	var pages int
	pragma := func(query string) error {
		return db.Update(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(query).Scan(&pages) })
	}
	if err := pragma("PRAGMA page_count"); err != nil {
		t.Fatal(err)
	}
	if err := pragma(fmt.Sprint("PRAGMA max_page_count = ", pages+20)); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 8<<10)
	var wg sync.WaitGroup
	var mu sync.Mutex
	saved := map[string]bool{}
	for i := range 40 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				return docs.Insert(tx, store.Key{ID: id, Parent: text}, &doc{i})
			})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				saved[id] = true
			} else if !strings.Contains(err.Error(), "disk is full") {
				t.Errorf("error %v, want one that says the disk is full", err)
			}
		})
	}
	wg.Wait()
	if len(saved) == 0 || len(saved) == 40 {
		t.Errorf("%d of 40 were saved", len(saved))
	}
	for i := range 40 {
		_, err := docs.Cached(t.Context(), db, fmt.Sprint(i))
		if (err == nil) != saved[fmt.Sprint(i)] {
			t.Errorf("document %d: acknowledged %v, read: %v", i, saved[fmt.Sprint(i)], err)
		}
	}
	if err := pragma("PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	if err := insert(t.Context(), db, "after", 1); err != nil {
		t.Error(err)
	}
}

// TestReopen: schema and data last, and a second Open finds nothing to migrate.
func TestReopen(t *testing.T) {
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/sub/dir/test.db" },
		"postgres": func(t *testing.T) string { return storetest.PostgresURL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			url := url(t)
			for i := range 3 {
				db, err := store.Open(t.Context(), store.Options{URL: url})
				if err != nil {
					t.Fatal(err)
				}
				if err := insert(t.Context(), db, fmt.Sprint(i), i); err != nil {
					t.Fatal(err)
				}
				for j := range i + 1 {
					if v, err := docs.Cached(t.Context(), db, fmt.Sprint(j)); err != nil || v.N != j {
						t.Error(v, err)
					}
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestCollect: blobs that nobody came to own, and uploads that nobody finished, go after an hour.
func TestCollect(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		if url == "memory:" {
			t.Skip("ends with Close")
		}
		now := time.Now()
		open := func() *store.DB {
			db, err := store.Open(t.Context(), store.Options{URL: url, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			return db
		}
		db := open()
		var sums [3]string
		for i := range sums {
			if i == 2 {
				now = now.Add(50 * time.Minute)
			}
			var err error
			if sums[i], _, err = db.PutBlob(t.Context(), strings.NewReader(fmt.Sprint("blob", i))); err != nil {
				t.Fatal(err)
			}
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.Exec("INSERT INTO blob_parts VALUES ($1, 0, $2)", fmt.Sprintf("%013d-x", now.Add(-2*time.Hour).UnixMilli()), []byte("x")); err != nil {
				return err
			}
			return tx.LinkBlob(sums[0], "test:a")
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		now = now.Add(20 * time.Minute)
		db = open()
		defer db.Close()
		var parts int
		for end := time.Now().Add(5 * time.Second); parts != 2 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			err := db.View(t.Context(), func(tx *store.Tx) error {
				return tx.QueryRow("SELECT count(*) FROM blob_parts").Scan(&parts)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range []bool{true, false, true} { // owned; old; young
			_, err := db.OpenBlob(t.Context(), sums[i])
			if (err == nil) != want {
				t.Errorf("blob %d: %v, want it kept: %v", i, err, want)
			}
		}
		if parts != 2 {
			t.Errorf("%d parts, want 2", parts)
		}
	})
}

package store_test

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// each runs f on a database with a table of 10,000 rows.
func each(b *testing.B, f func(b *testing.B, db *store.DB)) {
	urls := []string{"sqlite:" + b.TempDir() + "/bench.db"}
	if os.Getenv(storetest.PostgresEnv) != "" {
		urls = append(urls, storetest.PostgresURL(b))
	}
	for _, url := range urls {
		db := storetest.Open(b, url)
		err := db.Update(b.Context(), func(tx *store.Tx) error {
			if _, err := tx.Exec("CREATE TABLE bench (id TEXT PRIMARY KEY, n BIGINT NOT NULL, s TEXT NOT NULL)"); err != nil {
				return err
			}
			for i := range 10_000 {
				if err := row(tx, fmt.Sprint("row-", i), i); err != nil {
					return err
				}
			}
			return docs.Put(tx, store.Key{ID: "us-east-1/my-function", Parent: "us-east-1", Name: "my-function"}, &doc{1})
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(db.Engine(), func(b *testing.B) { b.ReportAllocs(); f(b, db) })
	}
}

func row(tx *store.Tx, id string, n int) error {
	_, err := tx.Exec("INSERT INTO bench (id, n, s) VALUES ($1, $2, $3)", id, n, "some text of a usual length for a column")
	return err
}

var next atomic.Int64

func BenchmarkCommit(b *testing.B) {
	each(b, func(b *testing.B, db *store.DB) {
		for b.Loop() {
			id := fmt.Sprint("single-", next.Add(1))
			if err := db.Update(b.Context(), func(tx *store.Tx) error { return row(tx, id, 1) }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkGrouped is one commit of one row by each of 64 callers at a time.
func BenchmarkGrouped(b *testing.B) {
	each(b, func(b *testing.B, db *store.DB) {
		var left atomic.Int64
		left.Store(int64(b.N))
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					id := fmt.Sprint("grouped-", next.Add(1))
					if err := db.Update(b.Context(), func(tx *store.Tx) error { return row(tx, id, 1) }); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func BenchmarkPointRead(b *testing.B) {
	each(b, func(b *testing.B, db *store.DB) {
		for i := 0; b.Loop(); i++ {
			id := fmt.Sprint("row-", i*7919%10_000)
			var n int
			var s string
			err := db.View(b.Context(), func(tx *store.Tx) error {
				return tx.QueryRow("SELECT n, s FROM bench WHERE id = $1", id).Scan(&n, &s)
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPointReadParallel(b *testing.B) {
	each(b, func(b *testing.B, db *store.DB) {
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				id := fmt.Sprint("row-", i*7919%10_000)
				var n int
				err := db.View(b.Context(), func(tx *store.Tx) error {
					return tx.QueryRow("SELECT n FROM bench WHERE id = $1", id).Scan(&n)
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func BenchmarkDocument(b *testing.B) {
	each(b, func(b *testing.B, db *store.DB) {
		for b.Loop() {
			err := db.View(b.Context(), func(tx *store.Tx) error { _, err := docs.Get(tx, "us-east-1/my-function"); return err })
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCached(b *testing.B) {
	db := storetest.Open(b, "memory:")
	if err := insert(b.Context(), db, "us-east-1/my-function", 1); err != nil {
		b.Fatal(err)
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := docs.Cached(b.Context(), db, "us-east-1/my-function"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		ctx := b.Context()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := docs.Cached(ctx, db, "us-east-1/my-function"); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func BenchmarkCachedByName(b *testing.B) {
	db := storetest.Open(b, "memory:")
	err := db.Update(b.Context(), func(tx *store.Tx) error {
		return docs.Put(tx, store.Key{ID: "id", Parent: "us-east-1", Name: "my-function"}, &doc{1})
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := docs.CachedByName(b.Context(), db, "us-east-1", "my-function"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen is the part that the store has in the time until the server is ready.
func BenchmarkOpen(b *testing.B) {
	url := "sqlite:" + b.TempDir() + "/bench.db"
	db, err := store.Open(b.Context(), store.Options{URL: url})
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := db.PutBlob(b.Context(), io.LimitReader(zeros{}, 100<<20)); err != nil {
		b.Fatal(err)
	}
	db.Close()
	b.Run("existing", func(b *testing.B) {
		for b.Loop() {
			db, err := store.Open(b.Context(), store.Options{URL: url})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := docs.Cached(b.Context(), db, "none"); err != store.ErrNotFound {
				b.Fatal(err)
			}
			db.Close()
		}
	})
	b.Run("memory", func(b *testing.B) {
		for b.Loop() {
			db, err := store.Open(b.Context(), store.Options{URL: "memory:"})
			if err != nil {
				b.Fatal(err)
			}
			db.Close()
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

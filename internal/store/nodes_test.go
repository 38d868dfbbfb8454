package store_test

import (
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/jackc/pgx/v5"
)

// eventually polls until f returns true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Errorf("did not come true: %s", what)
}

// TestNodes: two nodes that share a PostgreSQL see each other's changes, also after the
// connection that tells of them was cut.
func TestNodes(t *testing.T) {
	url := storetest.PostgresURL(t)
	// Both at once, so that both find an empty schema.
	var nodes [2]*store.DB
	var wg sync.WaitGroup
	for i := range nodes {
		wg.Go(func() {
			var err error
			if nodes[i], err = store.Open(t.Context(), store.Options{URL: url}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	a, b := nodes[0], nodes[1]
	defer a.Close()
	defer b.Close()
	put := func(db *store.DB, id string, n int) {
		t.Helper()
		err := db.Update(t.Context(), func(tx *store.Tx) error { return docs.Put(tx, store.Key{ID: id, Parent: "p", Name: id}, &doc{n}) })
		if err != nil {
			t.Fatal(err)
		}
	}
	reads := func(db *store.DB, id string, n int) func() bool {
		return func() bool {
			v, err := docs.Cached(t.Context(), db, id)
			w, err2 := docs.CachedByName(t.Context(), db, "p", id)
			return err == nil && err2 == nil && v.N == n && w.N == n
		}
	}
	cached := func(db *store.DB, id string) func() bool {
		return func() bool {
			v, err := docs.Cached(t.Context(), db, id)
			w, _ := docs.Cached(t.Context(), db, id)
			return err == nil && v == w
		}
	}
	var mu sync.Mutex
	told := map[string]int{}
	b.OnChange("test.doc", func(id string) {
		mu.Lock()
		defer mu.Unlock()
		told[id]++
	})
	put(a, "x", 1)
	eventually(t, "a caches", cached(a, "x"))
	eventually(t, "b caches", cached(b, "x"))
	for i := range 20 {
		put(a, "x", 10+i)
		if !reads(a, "x", 10+i)() {
			t.Error("a does not read its own write")
		}
		eventually(t, "b reads what a wrote", reads(b, "x", 10+i))
		put(b, "x", 100+i)
		eventually(t, "a reads what b wrote", reads(a, "x", 100+i))
	}
	eventually(t, "b's subscribers are told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return told["x"] >= 40
	})

	// Many changes do not fit into one notification.
	put(a, "y", 1)
	eventually(t, "b caches y", reads(b, "y", 1))
	err := a.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 1000 {
			if err := docs.Put(tx, store.Key{ID: fmt.Sprint("many", i)}, &doc{i}); err != nil {
				return err
			}
		}
		return docs.Put(tx, store.Key{ID: "y", Parent: "p", Name: "y"}, &doc{2})
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "b reads y", reads(b, "y", 2))

	cut(t, url)
	put(a, "x", 1000)
	if !reads(a, "x", 1000)() {
		t.Error("a does not read its own write")
	}
	eventually(t, "b reads what a wrote while b's subscription was cut", reads(b, "x", 1000))
	eventually(t, "b caches again", cached(b, "x"))
	put(a, "x", 1001)
	eventually(t, "b reads what a wrote", reads(b, "x", 1001))

	if err := a.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b finds nothing after a's reset", func() bool {
		_, err := docs.Cached(t.Context(), b, "x")
		return err == store.ErrNotFound
	})
}

// cut ends the subscriptions of all nodes.
func cut(t *testing.T, url string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var n int
	err = c.QueryRow(t.Context(), `
		SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND query = 'LISTEN "gatehouse_' || current_schema() || '"'`).Scan(&n)
	if err != nil || n == 0 {
		t.Fatalf("cut %d connections: %v", n, err)
	}
}

// TestRestart: a restart of the server, which ends all connections, costs no request that comes
// after it.
func TestRestart(t *testing.T) {
	name := "restart-" + rand.Text()
	url := storetest.PostgresURL(t) + "&application_name=" + name
	db := storetest.Open(t, url)
	for i := range 4 {
		// Fill the pool.
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				db.View(t.Context(), func(tx *store.Tx) error {
					var n int
					err := tx.QueryRow("SELECT count(*), pg_sleep(0.01)::text FROM documents").Scan(&n, new(string))
					if err != nil {
						t.Error(err)
					}
					return err
				})
			})
		}
		wg.Wait()
		c, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		err = c.QueryRow(t.Context(), `
			SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE pid <> pg_backend_pid() AND application_name = $1`, name).Scan(&n)
		if err == nil && n < 8 {
			t.Errorf("ended %d connections", n)
		}
		eventually(t, "the connections are gone", func() bool {
			err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", name).Scan(&n)
			return err == nil && n <= 2 // this one, and perhaps the subscription's new one
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Close(t.Context())
		if i%2 == 0 {
			err = insert(t.Context(), db, fmt.Sprint(i), i)
		} else {
			err = db.View(t.Context(), func(tx *store.Tx) error { _, err := docs.Get(tx, "0"); return err })
		}
		if err != nil {
			t.Error(err)
		}
	}
}

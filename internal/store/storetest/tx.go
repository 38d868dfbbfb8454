package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

const counterTable = "CREATE TABLE counters (id TEXT PRIMARY KEY, n BIGINT NOT NULL)"

func add(tx *store.Tx, id string, n int) error {
	_, err := tx.Exec("INSERT INTO counters (id, n) VALUES ($1, $2)", id, n)
	return err
}

func testRollback(t *testing.T, db *store.DB) {
	exec(t, db, counterTable)
	own := errors.New("own")
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := add(tx, "a", 1); err != nil {
			return err
		}
		if err := things.Put(tx, store.Key{ID: "1"}, &thing{}); err != nil {
			return err
		}
		tx.AfterCommit(func() { t.Error("AfterCommit ran without a commit") })
		return own
	})
	if err != own {
		t.Errorf("Update: %v, want f's own error", err)
	}
	if err := db.View(t.Context(), func(tx *store.Tx) error { return own }); err != own {
		t.Errorf("View: %v, want f's own error", err)
	}
	if n := number(t, db, "SELECT count(*) FROM counters"); n != 0 {
		t.Error("the row of a failed transaction is there")
	}
	_, err = things.Cached(t.Context(), db, "1")
	wantErr(t, "the document of a failed transaction", err, store.ErrNotFound)
}

func testPanic(t *testing.T, db *store.DB) {
	exec(t, db, counterTable)
	own := errors.New("own")
	for name, run := range map[string]func(context.Context, func(*store.Tx) error) error{"Update": db.Update, "View": db.View} {
		func() {
			defer func() {
				if v := recover(); v != own {
					t.Errorf("%s: recovered %v, want the value of the panic", name, v)
				}
			}()
			run(t.Context(), func(tx *store.Tx) error {
				if name == "Update" {
					if err := add(tx, "a", 1); err != nil {
						return err
					}
				}
				panic(own)
			})
			t.Errorf("%s returned", name)
		}()
	}
	if n := number(t, db, "SELECT count(*) FROM counters"); n != 0 {
		t.Error("the row of a failed transaction is there")
	}
	update(t, db, func(tx *store.Tx) error { return add(tx, "a", 1) })
}

// testGoexit: testing.T.FailNow within a transaction ends its goroutine.
func testGoexit(t *testing.T, db *store.DB) {
	exec(t, db, counterTable)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if err := db.Update(t.Context(), func(tx *store.Tx) error { return add(tx, fmt.Sprint(i), 1) }); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			db.Update(t.Context(), func(tx *store.Tx) error {
				if err := add(tx, fmt.Sprint("x", i), 1); err != nil {
					return err
				}
				runtime.Goexit()
				return nil
			})
			t.Error("Update returned")
		})
		wg.Go(func() {
			db.View(t.Context(), func(tx *store.Tx) error { runtime.Goexit(); return nil })
			t.Error("View returned")
		})
	}
	wg.Wait()
	if n := number(t, db, "SELECT count(*) FROM counters"); n != 10 {
		t.Errorf("%d rows, want 10", n)
	}
}

func testFailedStatement(t *testing.T, db *store.DB) {
	exec(t, db, counterTable)
	update(t, db, func(tx *store.Tx) error { return add(tx, "a", 1) })
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := add(tx, "b", 1); err != nil {
			return err
		}
		wantErr(t, "a taken key", add(tx, "a", 1), store.ErrExists)
		if add(tx, "c", 1) == nil {
			t.Error("a statement ran after one had failed")
		}
		return nil // cannot be committed all the same
	})
	wantErr(t, "Update", err, store.ErrExists)
	if n := number(t, db, "SELECT count(*) FROM counters"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	err = db.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.Exec("SELEC"); return err })
	if err == nil {
		t.Error("bad SQL: no error")
	}
	err = db.View(t.Context(), func(tx *store.Tx) error {
		tx.QueryRow("SELECT x FROM nowhere").Scan(new(int))
		return nil
	})
	if err == nil {
		t.Error("bad SQL in a View: no error")
	}
	// A row that is not there is no failure.
	update(t, db, func(tx *store.Tx) error {
		wantErr(t, "no row", tx.QueryRow("SELECT n FROM counters WHERE id = 'z'").Scan(new(int)), store.ErrNotFound)
		return add(tx, "z", 1)
	})
	var kept *store.Tx
	update(t, db, func(tx *store.Tx) error { kept = tx; return nil })
	if _, err := kept.Exec("DELETE FROM counters"); err == nil {
		t.Error("a Tx worked after its transaction")
	}
}

func testReadOnly(t *testing.T, db *store.DB) {
	exec(t, db, counterTable)
	for _, q := range []string{"INSERT INTO counters VALUES ('a', 1) RETURNING n", "DELETE FROM counters", "CREATE TABLE t (id BIGINT)"} {
		if err := db.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(q).Scan(new(int)) }); err == nil || err == store.ErrNotFound {
			t.Errorf("a View ran %s: %v", q, err)
		}
	}
	if n := number(t, db, "SELECT count(*) FROM counters"); n != 0 {
		t.Error("a View wrote")
	}
}

func testSnapshot(t *testing.T, db *store.DB) {
	exec(t, db, counterTable)
	view(t, db, func(tx *store.Tx) error {
		var before, after int
		if err := tx.QueryRow("SELECT count(*) FROM counters").Scan(&before); err != nil {
			return err
		}
		update(t, db, func(tx *store.Tx) error { return add(tx, "a", 1) })
		if err := tx.QueryRow("SELECT count(*) FROM counters").Scan(&after); err != nil {
			return err
		}
		if before != 0 || after != 0 {
			t.Errorf("a View saw %d, then %d rows", before, after)
		}
		return nil
	})
	if n := number(t, db, "SELECT count(*) FROM counters"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// testNested: a View, and with it a load into the cache, may happen within any transaction.
func testNested(t *testing.T, db *store.DB) {
	put(t, db, store.Key{ID: "1", Parent: "p"}, thing{Count: 1})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				err := db.Update(t.Context(), func(tx *store.Tx) error {
					if err := things.Put(tx, store.Key{ID: "1", Parent: "p"}, &thing{Count: 1}); err != nil {
						return err
					}
					v, err := things.Cached(t.Context(), db, "1")
					if err == nil && v.Count != 1 {
						t.Errorf("Count %d", v.Count)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 5 {
				err := db.View(t.Context(), func(tx *store.Tx) error {
					if _, err := things.Get(tx, "1"); err != nil {
						return err
					}
					return db.View(t.Context(), func(tx *store.Tx) error { _, err := things.Get(tx, "1"); return err })
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func testAfterCommit(t *testing.T, db *store.DB) {
	exec(t, db, counterTable)
	var order []string
	update(t, db, func(tx *store.Tx) error {
		tx.AfterCommit(func() {
			order = append(order, "first")
			if n := number(t, db, "SELECT count(*) FROM counters"); n != 1 {
				t.Error("AfterCommit ran before the commit")
			}
		})
		tx.AfterCommit(func() { order = append(order, "second") })
		order = append(order[:0], "f")
		now := tx.Now()
		time.Sleep(2 * time.Millisecond)
		if !tx.Now().Equal(now) || time.Since(now) > time.Minute {
			t.Errorf("Now was %v, then %v", now, tx.Now())
		}
		return add(tx, "a", 1)
	})
	if got := strings.Join(order, " "); got != "f first second" {
		t.Errorf("order: %s", got)
	}
}

func testCancel(t *testing.T, db *store.DB) {
	exec(t, db, counterTable)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Update(ctx, func(tx *store.Tx) error {
		if err := add(tx, "a", 1); err != nil {
			return err
		}
		cancel()
		return add(tx, "b", 1)
	})
	wantErr(t, "canceled within", err, context.Canceled)
	wantErr(t, "canceled before", db.Update(ctx, func(tx *store.Tx) error { return nil }), context.Canceled)
	wantErr(t, "canceled before a View", db.View(ctx, func(tx *store.Tx) error { return nil }), context.Canceled)
	if n := number(t, db, "SELECT count(*) FROM counters"); n != 0 {
		t.Errorf("%d rows, want 0", n)
	}
	// One that is given up while it waits for its turn does not run.
	if db.Engine() == "postgres" {
		return // where it need not wait
	}
	running, release := make(chan bool), make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		update(t, db, func(tx *store.Tx) error { close(running); <-release; return nil })
	})
	<-running
	ctx, cancel = context.WithCancel(t.Context())
	wg.Go(func() {
		err := db.Update(ctx, func(tx *store.Tx) error { t.Error("ran"); return nil })
		wantErr(t, "canceled in the queue", err, context.Canceled)
		close(release)
	})
	time.Sleep(5 * time.Millisecond)
	cancel()
	wg.Wait()
}

// testCounter: read-modify-write loses nothing.
func testCounter(t *testing.T, db *store.DB) {
	exec(t, db, counterTable, "INSERT INTO counters VALUES ('a', 0)")
	const workers, each = 16, 20
	var after atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				err := db.Update(t.Context(), func(tx *store.Tx) error {
					var n int64
					if err := tx.QueryRow("SELECT n FROM counters WHERE id = 'a'").Scan(&n); err != nil {
						return err
					}
					tx.AfterCommit(func() { after.Add(1) })
					_, err := tx.Exec("UPDATE counters SET n = $1 WHERE id = 'a'", n+1)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := number(t, db, "SELECT n FROM counters"); n != workers*each {
		t.Errorf("counted %d, want %d", n, workers*each)
	}
	if after.Load() != workers*each {
		t.Errorf("AfterCommit ran %d times, want %d", after.Load(), workers*each)
	}
}

// testWriteSkew: each of two takes the other's row away unless it is the last.
func testWriteSkew(t *testing.T, db *store.DB) {
	exec(t, db, counterTable)
	for round := range 20 {
		exec(t, db, "DELETE FROM counters", "INSERT INTO counters VALUES ('a', 1), ('b', 1)")
		var wg sync.WaitGroup
		for _, id := range []string{"a", "b"} {
			wg.Go(func() {
				err := db.Update(t.Context(), func(tx *store.Tx) error {
					var n int
					if err := tx.QueryRow("SELECT count(*) FROM counters").Scan(&n); err != nil || n < 2 {
						return err
					}
					_, err := tx.Exec("DELETE FROM counters WHERE id = $1", id)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := number(t, db, "SELECT count(*) FROM counters"); n != 1 {
			t.Fatalf("round %d: %d rows, want 1", round, n)
		}
	}
}

// testMixed: what fails beside others takes none of them along.
// testRefused: who is refused for what another has done can see what that is.
func testRefused(t *testing.T, db *store.DB) {
	for round := range 20 {
		key := store.Key{ID: fmt.Sprint(round)}
		var made atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 16 {
			wg.Go(func() {
				<-start
				err := db.Update(t.Context(), func(tx *store.Tx) error { return things.Insert(tx, key, &thing{}) })
				switch {
				case err == nil:
					made.Add(1)
				case !errors.Is(err, store.ErrExists):
					t.Errorf("Insert: %v", err)
				}
				if err := db.View(t.Context(), func(tx *store.Tx) error { _, err := things.Get(tx, key.ID); return err }); err != nil {
					t.Errorf("it exists, and cannot be seen: %v", err)
				}
			})
		}
		close(start)
		wg.Wait()
		if n := made.Load(); n != 1 {
			t.Fatalf("%d have made the same document", n)
		}
	}
}

func testMixed(t *testing.T, db *store.DB) {
	exec(t, db, counterTable, "INSERT INTO counters VALUES ('taken', 0)")
	const n = 60
	own := errors.New("own")
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			defer func() { recover() }()
			id := "taken"
			if i%4 != 1 {
				id = fmt.Sprint(i)
			}
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				if err := add(tx, id, 1); err != nil {
					return err
				}
				switch i % 4 {
				case 2:
					return own
				case 3:
					panic(own)
				}
				return nil
			})
			want := []error{nil, store.ErrExists, own, nil}[i%4]
			if !errors.Is(err, want) {
				t.Errorf("%d: %v, want %v", i, err, want)
			}
		})
	}
	wg.Wait()
	if got := number(t, db, "SELECT count(*) FROM counters"); got != n/4+1 {
		t.Errorf("%d rows, want %d", got, n/4+1)
	}
}

package storetest

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

func testCache(t *testing.T, db *store.DB) {
	settle(t, db)
	get := func(id string, want int) *thing {
		t.Helper()
		v, err := things.Cached(t.Context(), db, id)
		if want == 0 {
			wantErr(t, "Cached "+id, err, store.ErrNotFound)
			return nil
		}
		if err != nil || v.Count != want {
			t.Fatalf("Cached(%q) = %+v, %v; want %d", id, v, err, want)
		}
		return v
	}
	get("a", 0)
	get("a", 0)
	put(t, db, store.Key{ID: "a"}, thing{Count: 1})
	one, two := get("a", 1), get("a", 1)
	if one != two {
		t.Error("the second call did not find what the first had loaded")
	}
	put(t, db, store.Key{ID: "b"}, thing{Count: 1})
	if get("a", 1) != one {
		t.Error("a change of another document took this one out of the cache")
	}
	put(t, db, store.Key{ID: "a"}, thing{Count: 2})
	get("a", 2)
	if one.Count != 1 {
		t.Error("a cached value was changed")
	}
	update(t, db, func(tx *store.Tx) error { return things.Delete(tx, "a") })
	get("a", 0)
	put(t, db, store.Key{ID: "a", Parent: "p"}, thing{Count: 3})
	get("a", 3)
	update(t, db, func(tx *store.Tx) error { _, err := things.DeleteAll(tx, "p"); return err })
	get("a", 0)
}

func testCacheNames(t *testing.T, db *store.DB) {
	settle(t, db)
	get := func(name string, want int) *thing {
		t.Helper()
		v, err := things.CachedByName(t.Context(), db, "p", name)
		if want == 0 {
			wantErr(t, "CachedByName "+name, err, store.ErrNotFound)
			return nil
		}
		if err != nil || v.Count != want {
			t.Fatalf("CachedByName(%q) = %+v, %v; want %d", name, v, err, want)
		}
		return v
	}
	get("n", 0)
	put(t, db, store.Key{ID: "a", Parent: "p", Name: "n"}, thing{Count: 1})
	if first, again := get("n", 1), get("n", 1); first != again {
		t.Error("the second call did not find what the first had loaded")
	}
	byID, err := things.Cached(t.Context(), db, "a")
	if err != nil || byID != get("n", 1) {
		t.Errorf("by ID and by name differ: %v", err)
	}
	put(t, db, store.Key{ID: "a", Parent: "p", Name: "m"}, thing{Count: 2})
	get("n", 0)
	get("m", 2)
	put(t, db, store.Key{ID: "b", Parent: "p", Name: "n"}, thing{Count: 3})
	get("n", 3)
	update(t, db, func(tx *store.Tx) error { return things.Delete(tx, "b") })
	get("n", 0)
	get("", 0)
}

// testCacheRace: after Update has returned, no reader on this node gets the old document, however
// loads and writes interleave.
func testCacheRace(t *testing.T, db *store.DB) {
	settle(t, db)
	var written atomic.Int64 // Count that is committed, at least
	put(t, db, store.Key{ID: "a", Parent: "p", Name: "n"}, thing{})
	stop := make(chan bool)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				runtime.Gosched() // or two processors would do nothing else
				min := int(written.Load())
				var v *thing
				var err error
				if i%2 == 0 {
					v, err = things.Cached(t.Context(), db, "a")
				} else {
					v, err = things.CachedByName(t.Context(), db, "p", "n")
				}
				if err != nil {
					t.Error(err)
					return
				}
				if v.Count < min {
					t.Errorf("read %d after %d was written", v.Count, min)
					return
				}
			}
		})
	}
	for i := range 200 {
		put(t, db, store.Key{ID: "a", Parent: "p", Name: "n"}, thing{Count: i + 1})
		written.Store(int64(i + 1))
	}
	close(stop)
	wg.Wait()
}

// testCacheBounded: asking for what is not there must not fill the memory. That the bound holds
// is tested beside the cache; here, that going over it does no harm.
func testCacheBounded(t *testing.T, db *store.DB) {
	if db.Engine() == "postgres" {
		t.Skip("slow, and nothing of it depends on the engine")
	}
	put(t, db, store.Key{ID: "a"}, thing{Count: 1})
	for i := range 60_000 {
		if _, err := things.Cached(t.Context(), db, fmt.Sprint("none", i)); err != store.ErrNotFound {
			t.Fatal(err)
		}
	}
	if v, err := things.Cached(t.Context(), db, "a"); err != nil || v.Count != 1 {
		t.Error(v, err)
	}
}

func testOnChange(t *testing.T, db *store.DB) {
	settle(t, db)
	var mine, all, other []string
	db.OnChange("test.thing", func(id string) {
		mine = append(mine, id)
		// By now the cache is true.
		if v, err := things.Cached(t.Context(), db, "a"); err == nil && v.Count != 2 {
			t.Errorf("a subscriber found the old document")
		}
	})
	db.OnChange("", func(id string) { all = append(all, id) })
	db.OnChange("test.other", func(id string) { other = append(other, id) })
	put(t, db, store.Key{ID: "a"}, thing{Count: 2})
	if !slices.Equal(mine, []string{"a"}) {
		t.Errorf("told %q before Update returned", mine)
	}
	update(t, db, func(tx *store.Tx) error {
		for _, id := range []string{"b", "c"} {
			if err := things.Insert(tx, store.Key{ID: id, Parent: "p"}, &thing{}); err != nil {
				return err
			}
		}
		return things.Delete(tx, "a")
	})
	db.Update(t.Context(), func(tx *store.Tx) error {
		things.Insert(tx, store.Key{ID: "never"}, &thing{})
		return store.ErrConflict
	})
	update(t, db, func(tx *store.Tx) error { _, err := things.DeleteAll(tx, "p"); return err })
	want := []string{"a", "b", "c", "a", "b", "c"}
	slices.Sort(mine[4:])
	slices.Sort(all[4:])
	if !slices.Equal(mine, want) || !slices.Equal(all, want) || other != nil {
		t.Errorf("told %q, all %q, other %q; want %q", mine, all, other, want)
	}
}

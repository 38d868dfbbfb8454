package store_test

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

func TestSmoke(t *testing.T) {
	type doc struct{ A string }
	k := store.Kind[doc]{Name: "x"}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := db.Update(t.Context(), func(tx *store.Tx) error {
			return k.Insert(tx, store.Key{ID: "1", Parent: "p", Name: "n"}, &doc{"a"})
		}); err != nil {
			t.Fatal(err)
		}
		v, err := k.CachedByName(t.Context(), db, "p", "n")
		if err != nil || v.A != "a" {
			t.Fatal(v, err)
		}
		if v, err = k.Cached(t.Context(), db, "1"); err != nil || v.A != "a" {
			t.Fatal(v, err)
		}
		if err := db.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v, err = k.Cached(t.Context(), db, "1"); err != store.ErrNotFound {
			t.Fatal(v, err)
		}
	})
}

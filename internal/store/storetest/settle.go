package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// settle waits until the cache is in use: with PostgreSQL, it is once the subscription stands.
func settle(t testing.TB, db *store.DB) {
	t.Helper()
	probe := store.Kind[thing]{Name: "test.settle"}
	update(t, db, func(tx *store.Tx) error { return probe.Put(tx, store.Key{ID: "a"}, &thing{}) })
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		a, err := probe.Cached(t.Context(), db, "a")
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := probe.Cached(t.Context(), db, "a"); a == b {
			time.Sleep(5 * time.Millisecond) // the subscribers of the moment have been told
			return
		}
	}
	t.Fatal("the cache did not come into use")
}

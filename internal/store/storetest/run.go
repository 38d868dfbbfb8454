package storetest

import (
	"errors"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Run tests that what open returns, a fresh database each time, keeps the contract of package
// store.
func Run(t *testing.T, open func(t *testing.T) *store.DB) {
	tests := []struct {
		name string
		f    func(t *testing.T, db *store.DB)
	}{
		{"Documents", testDocuments},
		{"Names", testNames},
		{"List", testList},
		{"Rollback", testRollback},
		{"Panic", testPanic},
		{"Goexit", testGoexit},
		{"FailedStatement", testFailedStatement},
		{"ReadOnly", testReadOnly},
		{"Snapshot", testSnapshot},
		{"Nested", testNested},
		{"AfterCommit", testAfterCommit},
		{"Cancel", testCancel},
		{"Values", testValues},
		{"BadValues", testBadValues},
		{"SQL", testSQL},
		{"OpenRows", testOpenRows},
		{"Counter", testCounter},
		{"WriteSkew", testWriteSkew},
		{"Refused", testRefused},
		{"Mixed", testMixed},
		{"Cache", testCache},
		{"CacheNames", testCacheNames},
		{"CacheRace", testCacheRace},
		{"CacheBounded", testCacheBounded},
		{"OnChange", testOnChange},
		{"Blobs", testBlobs},
		{"BlobOwners", testBlobOwners},
		{"BlobFailures", testBlobFailures},
		{"Reset", testReset},
		{"Closed", testClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.f(t, open(t)) })
	}
}

// A thing is the document of the tests.
type thing struct {
	Text  string
	Tags  map[string]string
	Count int
}

var things = store.Kind[thing]{Name: "test.thing"}

func update(t testing.TB, db *store.DB, f func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), f); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func view(t testing.TB, db *store.DB, f func(tx *store.Tx) error) {
	t.Helper()
	if err := db.View(t.Context(), f); err != nil {
		t.Fatalf("View: %v", err)
	}
}

// exec runs statements in one transaction.
func exec(t testing.TB, db *store.DB, statements ...string) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(s); err != nil {
				return err
			}
		}
		return nil
	})
}

// number returns the result of a query for one number.
func number(t testing.TB, db *store.DB, query string, args ...any) (n int64) {
	t.Helper()
	view(t, db, func(tx *store.Tx) error { return tx.QueryRow(query, args...).Scan(&n) })
	return n
}

func put(t testing.TB, db *store.DB, key store.Key, v thing) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error { return things.Put(tx, key, &v) })
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error %v, want %v", what, got, want)
	}
}

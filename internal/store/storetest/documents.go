package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

func testDocuments(t *testing.T, db *store.DB) {
	a := thing{Text: "Grüße \u0000 \U0001F600 <&>", Tags: map[string]string{"k": "v"}, Count: 1}
	update(t, db, func(tx *store.Tx) error {
		if err := things.Insert(tx, store.Key{ID: "r/a", Parent: "r"}, &a); err != nil {
			return err
		}
		got, err := things.Get(tx, "r/a") // its own writes
		if err != nil || got.Count != 1 {
			t.Errorf("Get in the same transaction: %+v, %v", got, err)
		}
		wantErr(t, "Insert again", things.Insert(tx, store.Key{ID: "r/a", Parent: "s"}, &a), store.ErrExists)
		// The transaction goes on.
		return things.Insert(tx, store.Key{ID: "r/b", Parent: "r"}, &thing{Count: 2})
	})
	view(t, db, func(tx *store.Tx) error {
		one, err := things.Get(tx, "r/a")
		if err != nil {
			return err
		}
		if one.Text != a.Text || one.Tags["k"] != "v" {
			t.Errorf("Get = %+v, want %+v", one, a)
		}
		one.Tags["k"] = "changed"
		two, err := things.Get(tx, "r/a")
		if err != nil {
			return err
		}
		if two.Tags["k"] != "v" {
			t.Error("Get did not return a private copy")
		}
		_, err = things.Get(tx, "r/c")
		wantErr(t, "Get of nothing", err, store.ErrNotFound)
		_, err = store.Kind[thing]{Name: "test.other"}.Get(tx, "r/a")
		wantErr(t, "Get of another kind", err, store.ErrNotFound)
		return nil
	})
	put(t, db, store.Key{ID: "r/a", Parent: "r"}, thing{Count: 10})
	update(t, db, func(tx *store.Tx) error {
		got, err := things.Get(tx, "r/a")
		if err != nil || got.Count != 10 || got.Text != "" {
			t.Errorf("Get after Put: %+v, %v", got, err)
		}
		if err := things.Delete(tx, "r/a"); err != nil {
			return err
		}
		wantErr(t, "Delete again", things.Delete(tx, "r/a"), store.ErrNotFound)
		n, err := things.DeleteAll(tx, "r")
		if n != 1 {
			t.Errorf("DeleteAll deleted %d, want 1", n)
		}
		return err
	})
	if n := number(t, db, "SELECT count(*) FROM documents"); n != 0 {
		t.Errorf("%d documents left", n)
	}
	err := db.Update(t.Context(), func(tx *store.Tx) error { return things.Put(tx, store.Key{Name: "x"}, &a) })
	if err == nil {
		t.Error("a document without ID was stored")
	}
	type odd struct{ C chan int }
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		return store.Kind[odd]{Name: "test.odd"}.Put(tx, store.Key{ID: "x"}, &odd{make(chan int)})
	})
	if err == nil {
		t.Error("a document that is not JSON was stored")
	}
}

func testNames(t *testing.T, db *store.DB) {
	put(t, db, store.Key{ID: "1", Parent: "p", Name: "one"}, thing{Count: 1})
	put(t, db, store.Key{ID: "2", Parent: "p", Name: "two"}, thing{Count: 2})
	put(t, db, store.Key{ID: "3", Parent: "q", Name: "one"}, thing{Count: 3})
	put(t, db, store.Key{ID: "4", Parent: "p"}, thing{Count: 4})
	put(t, db, store.Key{ID: "5", Parent: "p"}, thing{Count: 5}) // no name is no name twice
	update(t, db, func(tx *store.Tx) error {
		wantErr(t, "Insert with a taken name", things.Insert(tx, store.Key{ID: "6", Parent: "p", Name: "one"}, &thing{}), store.ErrExists)
		wantErr(t, "Put with a taken name", things.Put(tx, store.Key{ID: "6", Parent: "p", Name: "one"}, &thing{}), store.ErrExists)
		wantErr(t, "Put of another with a taken name", things.Put(tx, store.Key{ID: "2", Parent: "p", Name: "one"}, &thing{}), store.ErrExists)
		return things.Put(tx, store.Key{ID: "1", Parent: "p", Name: "one"}, &thing{Count: 11})
	})
	find := func(parent, name string, want int) {
		t.Helper()
		view(t, db, func(tx *store.Tx) error {
			got, err := things.ByName(tx, parent, name)
			if want == 0 {
				wantErr(t, "ByName "+parent+" "+name, err, store.ErrNotFound)
			} else if err != nil || got.Count != want {
				t.Errorf("ByName(%q, %q) = %+v, %v; want %d", parent, name, got, err, want)
			}
			return nil
		})
	}
	find("p", "one", 11)
	find("p", "two", 2)
	find("q", "one", 3)
	find("q", "two", 0)
	find("p", "", 0)
	find("p", "ONE", 0)
	put(t, db, store.Key{ID: "1", Parent: "p", Name: "uno"}, thing{Count: 12})
	put(t, db, store.Key{ID: "2", Parent: "p", Name: "one"}, thing{Count: 13})
	find("p", "uno", 12)
	find("p", "one", 13)
	find("p", "two", 0)
}

func testList(t *testing.T, db *store.DB) {
	// Byte order: capitals before small letters, beyond ASCII last.
	ids := []string{"A", "B-1", "B/1", "Z", "a", "a b", "ab", "b", "Ä", "é", "\U0001F600"}
	if !slices.IsSorted(ids) {
		t.Fatal("ids are not sorted")
	}
	update(t, db, func(tx *store.Tx) error {
		for i, id := range slices.Backward(ids) {
			if err := things.Insert(tx, store.Key{ID: id, Parent: "p"}, &thing{Text: id, Count: i}); err != nil {
				return err
			}
		}
		return things.Insert(tx, store.Key{ID: "AA", Parent: "q"}, &thing{})
	})
	for limit := range len(ids) + 2 {
		var got []string
		pages, after := 0, ""
		for {
			var list []*thing
			view(t, db, func(tx *store.Tx) (err error) {
				list, after, err = things.List(tx, "p", after, limit)
				return err
			})
			pages++
			for _, v := range list {
				got = append(got, v.Text)
			}
			if after == "" || pages > 20 {
				break
			}
		}
		if !slices.Equal(got, ids) {
			t.Errorf("limit %d: got %s, want %s", limit, strings.Join(got, " "), strings.Join(ids, " "))
		}
		want := 1
		if limit > 0 {
			want = (len(ids) + limit - 1) / limit
		}
		if pages != want {
			t.Errorf("limit %d: %d pages, want %d", limit, pages, want)
		}
	}
	view(t, db, func(tx *store.Tx) error {
		list, next, err := things.List(tx, "none", "", 5)
		if len(list) != 0 || next != "" || err != nil {
			t.Errorf("List of nothing: %v, %q, %v", list, next, err)
		}
		return nil
	})
}

func testReset(t *testing.T, db *store.DB) {
	exec(t, db,
		"CREATE TABLE parents (id BIGINT PRIMARY KEY)",
		"CREATE TABLE children (id BIGINT PRIMARY KEY, parent BIGINT NOT NULL REFERENCES parents (id))",
		"INSERT INTO parents VALUES (1)",
		"INSERT INTO children VALUES (1, 1)",
		"INSERT INTO meta VALUES ('k', 'v')")
	put(t, db, store.Key{ID: "1", Parent: "p", Name: "n"}, thing{})
	sum, _, err := db.PutBlob(t.Context(), strings.NewReader("blob"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := things.Cached(t.Context(), db, "1"); err != nil {
		t.Fatal(err)
	}
	var told []string
	db.OnChange("test.thing", func(id string) { told = append(told, id) })
	if err := db.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"parents", "children", "documents", "blobs", "blob_parts", "blob_owners"} {
		if n := number(t, db, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%d rows in %s after Reset", n, table)
		}
	}
	if n := number(t, db, "SELECT count(*) FROM meta WHERE key = 'k'"); n != 1 {
		t.Error("Reset emptied meta")
	}
	_, err = things.Cached(t.Context(), db, "1")
	wantErr(t, "Cached after Reset", err, store.ErrNotFound)
	_, err = db.OpenBlob(t.Context(), sum)
	wantErr(t, "OpenBlob after Reset", err, store.ErrNotFound)
	if fmt.Sprint(told) != "[]" || len(told) != 1 {
		t.Errorf("subscribers were told %q, want one empty ID", told)
	}
	put(t, db, store.Key{ID: "1", Parent: "p", Name: "n"}, thing{}) // still works
}

func testClosed(t *testing.T, db *store.DB) {
	put(t, db, store.Key{ID: "1"}, thing{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	nothing := func(tx *store.Tx) error { _, err := tx.Exec("SELECT 1"); return err }
	wantErr(t, "Update", db.Update(t.Context(), nothing), store.ErrClosed)
	wantErr(t, "View", db.View(t.Context(), nothing), store.ErrClosed)
	if err := db.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

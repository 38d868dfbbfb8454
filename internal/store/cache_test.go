package store

import (
	"fmt"
	"testing"
)

func (kc *kindCache) count() (ids, names int) {
	kc.byID.Range(func(_, _ any) bool { ids++; return true })
	kc.byName.Range(func(_, _ any) bool { names++; return true })
	return ids, names
}

// TestCacheBound: anybody can ask for names that do not exist.
func TestCacheBound(t *testing.T) {
	var c cache
	kc := c.kind("k")
	for i := range 3*maxEntries + 10 {
		id := fmt.Sprint(i)
		kc.store(id, kc.generation(id), missing)
		kc.storeName(nameKey{"p", id}, &nameEntry{})
	}
	if ids, names := kc.count(); ids > maxEntries || names > maxEntries || ids == 0 || names == 0 {
		t.Errorf("%d documents and %d names are kept, want 1 to %d", ids, names, maxEntries)
	}
}

// TestCacheGeneration: what was read before a change is not stored after it.
func TestCacheGeneration(t *testing.T) {
	for name, change := range map[string]func(*DB){
		"one":  func(db *DB) { db.drop([]change{{"k", "a"}}) },
		"kind": func(db *DB) { db.drop([]change{{"k", ""}}) },
		"all":  func(db *DB) { db.drop([]change{{"", ""}}) },
	} {
		t.Run(name, func(t *testing.T) {
			var db DB
			kc := db.cache.kind("k")
			gen := kc.generation("a")
			change(&db)
			kc.store("a", gen, missing)
			if _, ok := kc.byID.Load("a"); ok {
				t.Error("an old state was stored")
			}
			kc.store("a", kc.generation("a"), missing)
			if _, ok := kc.byID.Load("a"); !ok {
				t.Error("the new state was not stored")
			}
			change(&db)
			if _, ok := kc.byID.Load("a"); ok {
				t.Error("a change left the old state")
			}
			if kc.ids != 0 {
				t.Errorf("%d entries are counted", kc.ids)
			}
		})
	}
}

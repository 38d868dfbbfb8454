package store

import (
	"context"
	"encoding/json"
	"fmt"
)

// A Kind ties a name to a Go type whose values are kept as JSON documents:
//
//	var pools = store.Kind[Pool]{Name: "userpools.pool"}
type Kind[T any] struct{ Name string }

// A Key says where a document is found. IDs are unique within a kind; a service composes them
// from region and name where names are per region ("us-east-1/my-function").
type Key struct {
	ID     string
	Parent string // what List groups by: a region, a pool id, an API id
	Name   string // unique within kind and parent, if not empty
}

// Insert adds a document. It returns ErrExists, and the transaction can go on, if the ID or the
// name within the parent is taken.
func (k Kind[T]) Insert(tx *Tx, key Key, v *T) error {
	doc, err := k.encode(tx, key, v)
	if err != nil {
		return err
	}
	n, err := tx.Exec("INSERT INTO documents (kind, id, parent, name, doc) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
		k.Name, key.ID, key.Parent, key.Name, doc)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("%w: %s %q", ErrExists, k.Name, key.ID)
	}
	tx.changed(k.Name, key.ID)
	return nil
}

// Put adds or replaces the document with the ID. It returns ErrExists, and the transaction can
// go on, if the name within the parent belongs to another.
func (k Kind[T]) Put(tx *Tx, key Key, v *T) error {
	doc, err := k.encode(tx, key, v)
	if err != nil {
		return err
	}
	if key.Name != "" {
		var id string
		err := tx.QueryRow("SELECT id FROM documents WHERE kind = $1 AND parent = $2 AND name = $3 AND name <> ''",
			k.Name, key.Parent, key.Name).Scan(&id)
		if err != nil && err != ErrNotFound {
			return err
		}
		if err == nil && id != key.ID {
			return fmt.Errorf("%w: %s named %q", ErrExists, k.Name, key.Name)
		}
	}
	_, err = tx.Exec("INSERT INTO documents (kind, id, parent, name, doc) VALUES ($1, $2, $3, $4, $5) "+
		"ON CONFLICT (kind, id) DO UPDATE SET parent = excluded.parent, name = excluded.name, doc = excluded.doc",
		k.Name, key.ID, key.Parent, key.Name, doc)
	if err != nil {
		return err
	}
	tx.changed(k.Name, key.ID)
	return nil
}

func (k Kind[T]) encode(tx *Tx, key Key, v *T) (string, error) {
	if key.ID == "" {
		return "", fmt.Errorf("store: %s: a document needs an ID", k.Name)
	}
	doc, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("store: %s %q: %w", k.Name, key.ID, err)
	}
	return string(doc), nil
}

func (k Kind[T]) decode(id, doc string) (*T, error) {
	v := new(T)
	if err := json.Unmarshal([]byte(doc), v); err != nil {
		return nil, fmt.Errorf("store: %s %q: %w", k.Name, id, err)
	}
	return v, nil
}

// Get returns a private copy of the document with the ID, or ErrNotFound.
func (k Kind[T]) Get(tx *Tx, id string) (*T, error) {
	var doc string
	if err := tx.QueryRow("SELECT doc FROM documents WHERE kind = $1 AND id = $2", k.Name, id).Scan(&doc); err != nil {
		return nil, err
	}
	return k.decode(id, doc)
}

// ByName returns a private copy of the document with the name in the parent, or ErrNotFound.
func (k Kind[T]) ByName(tx *Tx, parent, name string) (*T, error) {
	var id, doc string
	err := tx.QueryRow("SELECT id, doc FROM documents WHERE kind = $1 AND parent = $2 AND name = $3 AND name <> ''",
		k.Name, parent, name).Scan(&id, &doc)
	if err != nil {
		return nil, err
	}
	return k.decode(id, doc)
}

// Delete removes the document with the ID, or returns ErrNotFound.
func (k Kind[T]) Delete(tx *Tx, id string) error {
	n, err := tx.Exec("DELETE FROM documents WHERE kind = $1 AND id = $2", k.Name, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	tx.changed(k.Name, id)
	return nil
}

// DeleteAll removes all documents of the parent and returns their number.
func (k Kind[T]) DeleteAll(tx *Tx, parent string) (int64, error) {
	rows, err := tx.Query("DELETE FROM documents WHERE kind = $1 AND parent = $2 RETURNING id", k.Name, parent)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var n int64
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return 0, err
		}
		tx.changed(k.Name, id)
		n++
	}
	return n, rows.Err()
}

// List returns up to limit documents of the parent, all if limit <= 0, ordered by the bytes of
// their IDs, beginning strictly after the ID after. next is the ID to go on after, "" if there
// are no more.
func (k Kind[T]) List(tx *Tx, parent, after string, limit int) (list []*T, next string, err error) {
	query, args := "SELECT id, doc FROM documents WHERE kind = $1 AND parent = $2 AND id > $3 ORDER BY id", []any{k.Name, parent, after}
	if limit > 0 {
		query, args = query+" LIMIT $4", append(args, int64(limit)+1) // one more tells whether there is more
	}
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	last := ""
	for rows.Next() {
		if limit > 0 && len(list) == limit {
			next = last
			break
		}
		var id, doc string
		if err := rows.Scan(&id, &doc); err != nil {
			return nil, "", err
		}
		v, err := k.decode(id, doc)
		if err != nil {
			return nil, "", err
		}
		list, last = append(list, v), id
	}
	return list, next, rows.Err()
}

// Cached returns the document with the ID, or ErrNotFound, from memory if it is there: in
// constant time and without SQL. The value is shared: it must not be modified.
func (k Kind[T]) Cached(ctx context.Context, db *DB, id string) (*T, error) {
	kc := db.cache.kind(k.Name)
	if e, ok := kc.byID.Load(id); ok && !db.cache.off.Load() {
		e := e.(*entry)
		if e.missing {
			return nil, ErrNotFound
		}
		return e.value.(*T), nil
	}
	return k.load(ctx, db, kc, id)
}

// load reads a document and keeps it, unless it was changed meanwhile.
func (k Kind[T]) load(ctx context.Context, db *DB, kc *kindCache, id string) (v *T, err error) {
	gen := kc.generation(id)
	err = db.View(ctx, func(tx *Tx) error {
		v, err = k.Get(tx, id)
		return err
	})
	switch err {
	case nil:
		kc.store(id, gen, &entry{value: v})
	case ErrNotFound:
		kc.store(id, gen, missing)
	}
	return v, err
}

// CachedByName is Cached for the document with the name in the parent.
func (k Kind[T]) CachedByName(ctx context.Context, db *DB, parent, name string) (*T, error) {
	kc := db.cache.kind(k.Name)
	epoch := kc.epoch.Load()
	if n, ok := kc.byName.Load(nameKey{parent, name}); ok && !db.cache.off.Load() {
		if n := n.(*nameEntry); n.epoch == epoch {
			if n.id == "" {
				return nil, ErrNotFound
			}
			if e, ok := kc.byID.Load(n.id); ok {
				if e := e.(*entry); !e.missing {
					return e.value.(*T), nil
				}
			}
		}
	}
	// Read at once, so that name and document are of one moment.
	var id string
	var v *T
	var gens [slots]uint64
	kc.generations(&gens)
	err := db.View(ctx, func(tx *Tx) error {
		var doc string
		err := tx.QueryRow("SELECT id, doc FROM documents WHERE kind = $1 AND parent = $2 AND name = $3 AND name <> ''",
			k.Name, parent, name).Scan(&id, &doc)
		if err != nil {
			return err
		}
		v, err = k.decode(id, doc)
		return err
	})
	switch err {
	case nil:
		kc.store(id, gens[slot(id)], &entry{value: v})
		kc.storeName(nameKey{parent, name}, &nameEntry{epoch, id})
	case ErrNotFound:
		kc.storeName(nameKey{parent, name}, &nameEntry{epoch, ""})
	}
	return v, err
}

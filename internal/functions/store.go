package functions

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// function is a function with all that hangs on it, but for its published versions.
type function struct {
	Region, Name string
	Latest       version
	Last         int64                      // number of the version that was published last; numbers are never used again
	LastBuild    string                     // what that version was made of
	Aliases      map[string]*alias          `json:",omitempty"`
	Policies     map[string]*resourcePolicy `json:",omitempty"` // by qualifier; "" is the function's own
	URLs         map[string]*URL            `json:",omitempty"` // by alias; "" is the function's own
	Reserved     *int64                     `json:",omitempty"` // concurrency
	Tags         map[string]string          `json:",omitempty"`
	Touched      int64                      `json:",omitempty"` // counts changes of what hangs on it elsewhere
	Token        string                     `json:",omitempty"` // of the step of a stack that made it
}

// version is one version of a function: $LATEST, or a published one, which never changes.
type version struct {
	Number   string // "$LATEST", "1", …
	Revision string // RevisionId of the API
	Build    string // changes with code and configuration only
	Modified int64  // epoch milliseconds
	config
	CodeSum  string // hex SHA-256 of the deployment package
	CodeSize int64  // bytes
}

// codeSHA256 returns the hash of the code as the API shows it.
func (v *version) codeSHA256() string {
	raw, _ := hex.DecodeString(v.CodeSum)
	return base64.StdEncoding.EncodeToString(raw)
}

// alias is a name for a version.
type alias struct {
	Name, Version, Revision string
	Description             string
}

var (
	functions = store.Kind[function]{Name: "functions.function"}
	versions  = store.Kind[version]{Name: "functions.version"}
)

func functionKey(f *function) store.Key {
	return store.Key{ID: f.Region + "/" + f.Name, Parent: f.Region}
}

// versionKey: ids sort by number.
func versionKey(functionID, number string) store.Key {
	return store.Key{ID: fmt.Sprintf("%s:%020s", functionID, number), Parent: functionID}
}

// blobOwner names a version as an owner of its code.
func blobOwner(functionID, number string) string {
	if number == latest {
		return "functions:" + functionID
	}
	return "functions:" + functionID + ":" + number
}

// get returns a function for reading.
func (s *Service) get(ctx context.Context, n name) (*function, error) {
	f, err := functions.Cached(ctx, s.DB, n.id())
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(n.arn())
	}
	return f, err
}

// change applies f to a function in a transaction.
func (s *Service) change(ctx context.Context, n name, f func(tx *store.Tx, fn *function) error) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		fn, err := functions.Get(tx, n.id())
		if errors.Is(err, store.ErrNotFound) {
			return notFound(n.arn())
		}
		if err != nil {
			return err
		}
		if err := f(tx, fn); err != nil {
			return err
		}
		return functions.Put(tx, functionKey(fn), fn)
	})
}

// version returns the version that a qualifier names, for reading, and the alias if it is one.
func (s *Service) version(ctx context.Context, f *function, n name) (*version, *alias, error) {
	number := n.qualifier
	var a *alias
	if number != "" && number != latest && !isVersion(number) {
		if a = f.Aliases[number]; a == nil {
			return nil, nil, notFound(n.arn())
		}
		number = a.Version
	}
	if number == "" || number == latest {
		return &f.Latest, a, nil
	}
	v, err := versions.Cached(ctx, s.DB, versionKey(n.id(), number).ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, notFound(n.arn())
	}
	return v, a, err
}

// swapCode makes a version of a function own its code, and no longer the code that it had.
func swapCode(tx *store.Tx, owner, sum, old string) error {
	if sum == old {
		return nil
	}
	if err := tx.LinkBlob(sum, owner); err != nil {
		return err
	}
	return dropCode(tx, owner, old)
}

func dropCode(tx *store.Tx, owner, sum string) error {
	if sum == "" {
		return nil
	}
	if err := tx.UnlinkBlob(sum, owner); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// remove deletes a function with everything that is its own.
func remove(tx *store.Tx, id string) error {
	fn, err := functions.Get(tx, id)
	if err != nil {
		return err
	}
	published, _, err := versions.List(tx, id, "", 0)
	if err != nil {
		return err
	}
	for _, v := range append(published, &fn.Latest) {
		if err := dropCode(tx, blobOwner(id, v.Number), v.CodeSum); err != nil {
			return err
		}
	}
	if _, err := versions.DeleteAll(tx, id); err != nil {
		return err
	}
	if _, err := urlOwners.DeleteAll(tx, id); err != nil {
		return err
	}
	return functions.Delete(tx, id)
}

// queued is an asynchronous event that has not been handled.
type queued struct {
	id            string // request id
	ref           string // ARN, as invoked
	payload       []byte
	clientContext string
	created, due  int64 // epoch milliseconds
	attempts      int64
}

func insertEvent(tx *store.Tx, e *queued) error {
	_, err := tx.Exec("INSERT INTO function_events (id, ref, payload, client_context, created, due, attempts) VALUES ($1, $2, $3, $4, $5, $6, 0)",
		e.id, e.ref, e.payload, e.clientContext, e.created, e.due)
	return err
}

// claimEvents takes up to limit events that are due, so that nobody else takes them before until. next
// is when the first of the others will be due, 0 if there are none.
func claimEvents(tx *store.Tx, now, until int64, limit int) (list []*queued, next int64, err error) {
	rows, err := tx.Query("SELECT id, ref, payload, client_context, created, due, attempts FROM function_events WHERE due <= $1 ORDER BY due, id LIMIT $2", now, limit)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		e := new(queued)
		if err := rows.Scan(&e.id, &e.ref, &e.payload, &e.clientContext, &e.created, &e.due, &e.attempts); err != nil {
			return nil, 0, err
		}
		list = append(list, e)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, err
	}
	rows.Close()
	for _, e := range list {
		if err := postponeEvent(tx, e.id, until, e.attempts); err != nil {
			return nil, 0, err
		}
	}
	err = tx.QueryRow("SELECT due FROM function_events ORDER BY due LIMIT 1").Scan(&next)
	if errors.Is(err, store.ErrNotFound) {
		return list, 0, nil
	}
	return list, next, err
}

func postponeEvent(tx *store.Tx, id string, due, attempts int64) error {
	_, err := tx.Exec("UPDATE function_events SET due = $2, attempts = $3 WHERE id = $1", id, due, attempts)
	return err
}

func deleteEvent(tx *store.Tx, id string) error {
	_, err := tx.Exec("DELETE FROM function_events WHERE id = $1", id)
	return err
}

// releaseEvents makes all events due that a server which is gone had taken.
func releaseEvents(tx *store.Tx, now int64) error {
	_, err := tx.Exec("UPDATE function_events SET due = $1 WHERE due > $1", now)
	return err
}

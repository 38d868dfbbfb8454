package store

import (
	"encoding/json"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
)

// change says that a document was written or deleted. Without an ID it stands for all documents
// of the kind, without a kind for all documents.
type change struct{ Kind, ID string }

type subscriber struct {
	kind string
	f    func(id string)
}

// OnChange has f called with the ID after every commit, on whatever node, that touched a document
// of the kind, or of any kind if kind is "". An empty ID means that any document may have
// changed: the database was reset, or notifications of other nodes were lost.
//
// For a change made on this node, f is called before Update returns, otherwise soon after. f runs
// outside the transaction, on the goroutine of the one who made the change; it must be quick.
func (db *DB) OnChange(kind string, f func(id string)) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.subscribers = append(db.subscribers, subscriber{kind, f})
}

// changed notes a change; what is noted twice in a row is kept once.
func (tx *Tx) changed(kind, id string) {
	c := change{kind, id}
	if n := len(tx.changes); n > 0 && tx.changes[n-1] == c {
		return
	}
	tx.changes = append(tx.changes, c)
}

// drop takes changed documents out of the cache.
func (db *DB) drop(changes []change) {
	for _, c := range changes {
		switch {
		case c.Kind == "":
			db.cache.dropAll()
		case c.ID == "":
			db.cache.kind(c.Kind).dropAll()
		default:
			db.cache.kind(c.Kind).drop(c.ID)
		}
	}
}

// publish calls the subscribers.
func (db *DB) publish(changes []change) {
	if len(changes) == 0 {
		return
	}
	db.mu.RLock()
	subs := db.subscribers
	db.mu.RUnlock()
	for _, c := range changes {
		for _, s := range subs {
			if s.kind == "" || c.Kind == "" || s.kind == c.Kind {
				s.f(c.ID)
			}
		}
	}
}

// A notice is what one node tells the others about a commit.
type notice struct {
	Node    string   `json:"n"`
	Changes []change `json:"c"`
}

// notify tells the other nodes about the changes of tx, when it commits.
func (tx *Tx) notify() error {
	n, ok := tx.db.engine.(backend.Notifier)
	if !ok {
		return nil
	}
	for rest := tx.changes; len(rest) > 0; {
		// As many as fit into one; a change that does not fit stands for its whole kind.
		part := len(rest)
		for {
			p, err := json.Marshal(notice{tx.db.node, rest[:part]})
			if err != nil {
				return err
			}
			if len(p) <= backend.MaxPayload {
				if err := n.Notify(tx.c, string(p)); err != nil {
					return tx.fail(err)
				}
				rest = rest[part:]
				break
			}
			if part > 1 {
				part /= 2
			} else {
				rest = append([]change{{Kind: rest[0].Kind}}, rest[1:]...)
			}
		}
	}
	return nil
}

// receive takes a notice.
func (db *DB) receive(payload string) {
	var n notice
	if err := json.Unmarshal([]byte(payload), &n); err != nil {
		db.log.Warn("a notification of another node cannot be read", "error", err)
		n.Changes = []change{{}}
	}
	if n.Node == db.node {
		return // done before Update returned
	}
	db.drop(n.Changes)
	db.publish(n.Changes)
}

// listening is told whether notices arrive.
func (db *DB) listening(up bool) {
	all := []change{{}}
	if up {
		// Whoever reads from now on will be told of changes; what was read before is dropped.
		db.drop(all)
		db.cache.off.Store(false)
		db.publish(all)
		return
	}
	db.cache.off.Store(true)
}

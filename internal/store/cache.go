package store

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// The cache holds decoded documents, and the knowledge that some are not there, by kind. A hit
// takes two lookups in sync.Maps, which readers do not contend for.
//
// A load may race with a change: it may have read the old state and come to store it after the
// change has dropped it. So a load notes the generation before it reads, a change raises it
// after its commit, and what was read at another generation is not stored. Generations are kept
// per slot of IDs, so that frequent changes of one document do not keep all others out.
type cache struct {
	kinds sync.Map    // name of a kind: *kindCache
	off   atomic.Bool // changes of other nodes may go unnoticed: read past the cache
}

type kindCache struct {
	byID   sync.Map // ID: *entry
	byName sync.Map // nameKey: *nameEntry

	// epoch counts the changes of the kind. A name is good for one epoch: a change says which
	// document it touched, not which name that had before. Documents change rarely.
	epoch atomic.Uint64

	mu    sync.Mutex // orders store and drop
	gens  [slots]uint64
	ids   int // entries in byID, at least
	names int // entries in byName, at least
}

const slots = 64

// maxEntries bounds the entries of a kind: anybody can ask for names that do not exist.
const maxEntries = 50_000

// entry is immutable.
type entry struct {
	value   any // *T
	missing bool
}

var missing = &entry{missing: true}

type nameKey struct{ parent, name string }

type nameEntry struct {
	epoch uint64
	id    string // "": no such document
}

var seed = maphash.MakeSeed()

func slot(id string) int { return int(maphash.String(seed, id) % slots) }

func (c *cache) kind(name string) *kindCache {
	if kc, ok := c.kinds.Load(name); ok {
		return kc.(*kindCache)
	}
	kc, _ := c.kinds.LoadOrStore(name, new(kindCache))
	return kc.(*kindCache)
}

// dropAll forgets everything.
func (c *cache) dropAll() {
	c.kinds.Range(func(_, kc any) bool {
		kc.(*kindCache).dropAll()
		return true
	})
}

func (kc *kindCache) generation(id string) uint64 {
	kc.mu.Lock()
	defer kc.mu.Unlock()
	return kc.gens[slot(id)]
}

func (kc *kindCache) generations(gens *[slots]uint64) {
	kc.mu.Lock()
	defer kc.mu.Unlock()
	*gens = kc.gens
}

// store keeps e, which was read at generation gen or later.
func (kc *kindCache) store(id string, gen uint64, e *entry) {
	kc.mu.Lock()
	defer kc.mu.Unlock()
	if kc.gens[slot(id)] != gen {
		return
	}
	if kc.ids >= maxEntries {
		kc.byID.Clear()
		kc.ids = 0
	}
	if _, there := kc.byID.Swap(id, e); !there {
		kc.ids++
	}
}

// storeName keeps e, which says itself at what epoch it was read.
func (kc *kindCache) storeName(key nameKey, e *nameEntry) {
	kc.mu.Lock()
	defer kc.mu.Unlock()
	if kc.names >= maxEntries {
		kc.byName.Clear()
		kc.names = 0
	}
	if _, there := kc.byName.Swap(key, e); !there {
		kc.names++
	}
}

// drop forgets a document after a change of it was committed.
func (kc *kindCache) drop(id string) {
	kc.mu.Lock()
	defer kc.mu.Unlock()
	kc.epoch.Add(1)
	kc.gens[slot(id)]++
	if _, there := kc.byID.LoadAndDelete(id); there {
		kc.ids--
	}
}

func (kc *kindCache) dropAll() {
	kc.mu.Lock()
	defer kc.mu.Unlock()
	kc.epoch.Add(1)
	for i := range kc.gens {
		kc.gens[i]++
	}
	kc.byID.Clear()
	kc.byName.Clear()
	kc.ids, kc.names = 0, 0
}

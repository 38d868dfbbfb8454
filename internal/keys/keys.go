// Package keys holds the RSA keys with which tokens are signed.
//
// Keys belong to a scope, such as a user pool, and within it to a use: Cognito signs ID tokens and access
// tokens with different keys. They are kept in the store as a document of the scope, the private parts
// sealed and bound to scope and key id, and are decoded once on each node. The newest key of a use signs;
// older ones stay in the published set until they are removed, so that adding keys is how they rotate.
//
// Making an RSA key takes 30 to 70 ms of CPU, which belongs neither into a transaction nor into a
// request. So some are made in advance, while the process is otherwise idle, and lie in a stash in the
// store, sealed too. [Set.Take] takes from there, and makes keys on the spot only where the stash is
// empty; [Set.Create] then merely writes them down, in the transaction that makes the pool:
//
//	taken, err := keys.Take(ctx, "id", "access")
//	…
//	err = db.Update(ctx, func(tx *store.Tx) error {
//		…
//		return keys.Create(tx, poolID, taken)
//	})
package keys

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

const keyBits = 2048

// DefaultStash is how many keys lie in the stash when it is full, unless the options say otherwise.
const DefaultStash = 8

// Options are what a [Set] is made from. All fields may be left zero.
type Options struct {
	Stash  int          // how many keys to have ready; 0: DefaultStash, negative: none
	Logger *slog.Logger // nil: discard

	// Accelerate returns another implementation of a key's signatures (PKCS #1 v1.5 over a SHA-256 digest),
	// for use by several goroutines; nil: crypto/rsa.
	Accelerate func(*rsa.PrivateKey) (crypto.Signer, error)

	// Quiet is how long nothing must have been signed before keys are made in the background, and Delay
	// how long that waits after Open. 0: 250 ms and one second.
	Quiet, Delay time.Duration
}

// Set holds the keys of all scopes. It is safe for concurrent use.
type Set struct {
	db  *store.DB
	box *seal.Key
	log *slog.Logger
	o   Options

	decoded  sync.Map // scope → *scopeKeys
	versions atomic.Uint64
	used     atomic.Int64 // when something was last signed or taken, in Unix nanoseconds

	low     chan struct{} // the stash may need keys
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// document is the stored form of a scope's keys, oldest first.
type document struct {
	Keys []storedKey
}

type storedKey struct {
	KID     string
	Use     string
	Public  []byte // SubjectPublicKeyInfo
	Sealed  []byte // PKCS #8
	Created int64  // Unix milliseconds
}

var documents = store.Kind[document]{Name: "keys.scope"}

// Open returns the set of the keys in the store, whose private parts the box seals. It reads nothing
// yet. Close must be called before the store is closed.
func Open(db *store.DB, box *seal.Key, o Options) *Set {
	if o.Stash == 0 {
		o.Stash = DefaultStash
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Quiet == 0 {
		o.Quiet = 250 * time.Millisecond
	}
	if o.Delay == 0 {
		o.Delay = time.Second
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Set{db: db, box: box, log: o.Logger, o: o, low: make(chan struct{}, 1), stop: stop}
	// What is decoded is checked against the document at each use; this frees memory, and does not
	// keep the private keys of deleted pools.
	db.OnChange(documents.Name, func(scope string) {
		if scope == "" {
			s.decoded.Clear()
		} else {
			s.decoded.Delete(scope)
		}
	})
	if o.Stash > 0 {
		s.stopped.Go(func() { s.refill(ctx) })
	}
	return s
}

// Close ends the background work. It does not wait for a key that is being made.
func (s *Set) Close() {
	s.stop()
	s.stopped.Wait()
}

// Taken are fresh keys that belong to no scope yet.
type Taken struct {
	uses []string
	keys []freshKey // one for each use
}

type freshKey struct {
	kid    string
	public []byte // SubjectPublicKeyInfo
	plain  []byte // PKCS #8
}

// Take returns a fresh key for each use, from the stash as far as that reaches. It runs a transaction
// of its own, so it must not be called within one. Keys that are taken and not used are lost.
func (s *Set) Take(ctx context.Context, uses ...string) (*Taken, error) {
	s.used.Store(time.Now().UnixNano())
	fresh, err := s.fromStash(ctx, len(uses))
	if err != nil {
		return nil, err
	}
	defer s.wake()
	ready := len(fresh)
	fresh = append(fresh, make([]freshKey, len(uses)-ready)...)
	errs := make([]error, len(uses))
	var wg sync.WaitGroup
	for i := ready; i < len(uses); i++ {
		wg.Go(func() { fresh[i], errs[i] = generate() })
	}
	wg.Wait()
	return &Taken{uses, fresh}, errors.Join(errs...)
}

// keyID returns the id of a key, which has the form of Cognito's: 32 bytes in base64.
func keyID(public []byte) string {
	sum := sha256.Sum256(public)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func generate() (freshKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return freshKey{}, fmt.Errorf("keys: making a key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return freshKey{}, err
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	return freshKey{keyID(public), public, plain}, err
}

func parsePrivate(plain []byte) (*rsa.PrivateKey, error) {
	k, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, errors.New("keys: a stored key is not PKCS #8") // the cause might quote it
	}
	key, ok := k.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("keys: a stored key is not an RSA key")
	}
	return key, nil
}

func sealContext(scope, kid string) string { return "keys/" + scope + "/" + kid }

// Create gives the keys to a scope. A scope that has keys already gets these as newer ones, which
// sign from now on; the older ones stay published. It may be called again with the same keys for the same scope,
// as when a transaction is run again.
func (s *Set) Create(tx *store.Tx, scope string, t *Taken) error {
	doc, err := documents.Get(tx, scope)
	if errors.Is(err, store.ErrNotFound) {
		doc, err = &document{}, nil
	}
	if err != nil {
		return err
	}
	for i, k := range t.keys {
		doc.Keys = append(doc.Keys, storedKey{KID: k.kid, Use: t.uses[i], Public: k.public,
			Sealed: s.box.Seal(k.plain, sealContext(scope, k.kid)), Created: tx.Now().UnixMilli()})
	}
	return documents.Put(tx, store.Key{ID: scope}, doc)
}

// Remove takes one key from a scope: tokens that it signed are no longer good. It returns
// store.ErrNotFound if there is no such key.
func (s *Set) Remove(tx *store.Tx, scope, kid string) error {
	doc, err := documents.Get(tx, scope)
	if err != nil {
		return err
	}
	for i, k := range doc.Keys {
		if k.KID == kid {
			doc.Keys = append(doc.Keys[:i], doc.Keys[i+1:]...)
			return documents.Put(tx, store.Key{ID: scope}, doc)
		}
	}
	return store.ErrNotFound
}

// Delete removes all keys of a scope; it is no error if there are none.
func (s *Set) Delete(tx *store.Tx, scope string) error {
	if err := documents.Delete(tx, scope); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

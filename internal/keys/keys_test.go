package keys

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

func box(t testing.TB, b byte) *seal.Key {
	t.Helper()
	k, err := seal.FromBytes(bytes.Repeat([]byte{b}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t testing.TB, db *store.DB, o Options) *Set {
	t.Helper()
	s := Open(db, box(t, 1), o)
	t.Cleanup(s.Close)
	return s
}

func create(t testing.TB, db *store.DB, s *Set, scope string, uses ...string) {
	t.Helper()
	taken, err := s.Take(t.Context(), uses...)
	if err != nil {
		t.Fatal(err)
	}
	update(t, db, func(tx *store.Tx) error { return s.Create(tx, scope, taken) })
}

func update(t testing.TB, db *store.DB, f func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func stash(t testing.TB, db *store.DB) (n int) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow("SELECT COUNT(*) FROM keys_stash").Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for range 2000 {
		if f() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func kid(t testing.TB, jwt string) string {
	t.Helper()
	head, _, _ := strings.Cut(jwt, ".")
	b, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	// Cognito's order of members.
	m := regexp.MustCompile(`^{"kid":"([A-Za-z0-9+/]{43}=)","alg":"RS256"}$`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("header %s", b)
	}
	return string(m[1])
}

func TestSignAndVerify(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := open(t, db, Options{Stash: -1})
		create(t, db, s, "pool", "id", "access")
		data, err := s.JWKS(t.Context(), "pool")
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := regexp.Match(`^{"keys":\[{"alg":"RS256","e":"AQAB","kid":"[^"]{44}","kty":"RSA","n":"[^"]{342}","use":"sig"},{"alg":"RS256",`, data); !ok {
			t.Errorf("JWKS %s", data)
		}
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(data, &set); err != nil || len(set.Keys) != 2 {
			t.Fatalf("%d keys, %v", len(set.Keys), err)
		}
		kids := map[string]bool{}
		claims := []byte(`{"sub":"a","iss":"https:\/\/x"}`)
		for _, use := range []string{"id", "access"} {
			jwt, err := s.Sign(t.Context(), "pool", use, claims)
			if err != nil {
				t.Fatal(err)
			}
			kids[kid(t, jwt)] = true
			jws, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{jose.RS256})
			if err != nil {
				t.Fatal(err)
			}
			got, err := jws.Verify(set)
			if err != nil || !bytes.Equal(got, claims) {
				t.Errorf("%s: %s, %v", use, got, err)
			}
			public, err := s.PublicKey(t.Context(), "pool", kid(t, jwt))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jws.Verify(public); err != nil {
				t.Error(err)
			}
		}
		if len(kids) != 2 {
			t.Error("both uses have one key")
		}
		for what, err := range map[string]error{
			"unknown use":   second(s.Sign(t.Context(), "pool", "refresh", claims)),
			"unknown scope": second(s.Sign(t.Context(), "other", "id", claims)),
			"unknown JWKS":  second(s.JWKS(t.Context(), "other")),
			"unknown kid":   second(s.PublicKey(t.Context(), "pool", "x")),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestKeysSurvive(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		if url == "memory:" {
			t.Skip("a database in memory does not survive")
		}
		db, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		s := Open(db, box(t, 1), Options{Stash: -1})
		create(t, db, s, "pool", "id")
		before, err := s.Sign(t.Context(), "pool", "id", []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		db.Close()

		db = storetest.Open(t, url)
		after, err := open(t, db, Options{Stash: -1}).Sign(t.Context(), "pool", "id", []byte(`{}`))
		if err != nil || after != before { // PKCS #1 v1.5 is deterministic
			t.Errorf("%q, %v; before %q", after, err, before)
		}
		other := Open(db, box(t, 2), Options{Stash: -1})
		defer other.Close()
		if _, err := other.Sign(t.Context(), "pool", "id", []byte(`{}`)); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("with another sealing key: %v", err)
		}
		if _, err := other.JWKS(t.Context(), "pool"); err != nil {
			t.Errorf("public keys need no sealing key: %v", err)
		}
	})
}

// A row that was moved to another scope does not sign for it.
func TestSealedForScope(t *testing.T) {
	db := storetest.Open(t, "memory:")
	s := open(t, db, Options{Stash: -1})
	create(t, db, s, "pool", "id")
	update(t, db, func(tx *store.Tx) error {
		doc, err := documents.Get(tx, "pool")
		if err != nil {
			return err
		}
		return documents.Put(tx, store.Key{ID: "other"}, doc)
	})
	if _, err := s.Sign(t.Context(), "other", "id", []byte(`{}`)); !errors.Is(err, seal.ErrOpen) {
		t.Error(err)
	}
}

func TestRotation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := open(t, db, Options{Stash: -1})
		src := s.Source("pool")
		if key, _, err := src.Key(t.Context(), "x"); key != nil || err != nil {
			t.Errorf("no scope yet: %v, %v", key, err)
		}
		if first, again := src.Version(), src.Version(); first == again {
			t.Error("without keys, what was verified before must not count")
		}
		create(t, db, s, "pool", "id")
		sign := func() string {
			t.Helper()
			jwt, err := s.Sign(t.Context(), "pool", "id", []byte(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			return kid(t, jwt)
		}
		has := func(kid string) bool {
			t.Helper()
			key, alg, err := src.Key(t.Context(), kid)
			if err != nil || key != nil && alg != "RS256" {
				t.Fatal(alg, err)
			}
			return key != nil
		}
		old, version := sign(), src.Version()
		if src.Version() != version {
			t.Error("the version changes by itself")
		}
		create(t, db, s, "pool", "id")
		fresh := sign()
		if fresh == old || !has(old) || !has(fresh) || src.Version() == version {
			t.Error("the newest key does not sign, or the old one is gone")
		}
		version = src.Version()
		update(t, db, func(tx *store.Tx) error { return s.Remove(tx, "pool", old) })
		if has(old) || !has(fresh) || src.Version() == version {
			t.Error("the removed key is still there")
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return s.Remove(tx, "pool", old) }); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		version = src.Version()
		update(t, db, func(tx *store.Tx) error { return s.Delete(tx, "pool") })
		if has(fresh) || src.Version() == version {
			t.Error("keys of a deleted scope are still there")
		}
		if _, ok := s.decoded.Load("pool"); ok {
			t.Error("the private keys are still in memory")
		}
		update(t, db, func(tx *store.Tx) error { return s.Delete(tx, "pool") }) // again is fine
	})
}

func TestRollback(t *testing.T) {
	db := storetest.Open(t, "memory:")
	s := open(t, db, Options{Stash: -1})
	taken, err := s.Take(t.Context(), "id")
	if err != nil {
		t.Fatal(err)
	}
	sorry := errors.New("sorry")
	if err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := s.Create(tx, "pool", taken); err != nil {
			return err
		}
		return sorry
	}); err != sorry {
		t.Fatal(err)
	}
	if _, err := s.JWKS(t.Context(), "pool"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v", err)
	}
	update(t, db, func(tx *store.Tx) error { return s.Create(tx, "pool", taken) })
	if _, err := s.Sign(t.Context(), "pool", "id", nil); err != nil {
		t.Error(err)
	}
}

func TestStash(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := open(t, db, Options{Stash: 3, Delay: time.Millisecond, Quiet: time.Millisecond})
		eventually(t, "the stash is full", func() bool { return stash(t, db) == 3 })
		var sealed []byte
		if err := db.View(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow("SELECT sealed FROM keys_stash").Scan(&sealed)
		}); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(sealed, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d}) { // rsaEncryption, in any PKCS #8
			t.Error("keys lie open in the stash")
		}
		taken, err := s.Take(t.Context(), "id", "access")
		if err != nil || len(taken.keys) != 2 || taken.keys[0].kid == taken.keys[1].kid {
			t.Fatalf("%v", err)
		}
		eventually(t, "the stash is full again", func() bool { return stash(t, db) == 3 })
		time.Sleep(50 * time.Millisecond)
		if n := stash(t, db); n != 3 {
			t.Errorf("%d keys in a stash of 3", n)
		}
		s.Close()

		// More than there are, several at once: no key twice.
		s = open(t, db, Options{Stash: -1})
		seen := sync.Map{}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				taken, err := s.Take(t.Context(), "id", "access")
				if err != nil {
					t.Error(err)
					return
				}
				for _, k := range taken.keys {
					if _, twice := seen.LoadOrStore(k.kid, true); twice {
						t.Error("a key was taken twice")
					}
				}
			})
		}
		wg.Wait()
		if n := stash(t, db); n != 0 {
			t.Errorf("%d left", n)
		}
	})
}

func TestStashSealedWithOtherKey(t *testing.T) {
	db := storetest.Open(t, "memory:")
	s := Open(db, box(t, 2), Options{Stash: 1, Delay: time.Millisecond, Quiet: time.Millisecond})
	eventually(t, "the stash is full", func() bool { return stash(t, db) == 1 })
	s.Close()
	var logged bytes.Buffer
	s = open(t, db, Options{Stash: -1, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	create(t, db, s, "pool", "id")
	if _, err := s.Sign(t.Context(), "pool", "id", nil); err != nil {
		t.Error(err)
	}
	if !strings.Contains(logged.String(), "thrown away") {
		t.Errorf("logged %q", logged.String())
	}
}

// Nothing is made during the first second, nor while tokens are signed.
func TestStashWaits(t *testing.T) {
	db := storetest.Open(t, "memory:")
	open(t, db, Options{Stash: 1})
	busy := storetest.Open(t, "memory:")
	s := open(t, busy, Options{Stash: 1, Delay: time.Millisecond, Quiet: time.Hour})
	create(t, busy, s, "pool", "id")
	time.Sleep(200 * time.Millisecond)
	if n := stash(t, db); n != 0 {
		t.Errorf("%d keys made at once", n)
	}
	if n := stash(t, busy); n != 0 {
		t.Errorf("%d keys made while busy", n)
	}
}

func TestCloseIsQuick(t *testing.T) {
	db := storetest.Open(t, "memory:")
	s := Open(db, box(t, 1), Options{Stash: 1000, Delay: time.Nanosecond, Quiet: time.Nanosecond})
	time.Sleep(20 * time.Millisecond)
	start := time.Now()
	s.Close()
	if d := time.Since(start); d > 100*time.Millisecond {
		t.Errorf("Close took %v", d)
	}
	s.Close() // again is fine
}

type countingSigner struct {
	crypto.Signer
	n int
}

func (c *countingSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	c.n++
	return c.Signer.Sign(rand, digest, opts)
}

func TestAccelerate(t *testing.T) {
	db := storetest.Open(t, "memory:")
	var c countingSigner
	s := open(t, db, Options{Stash: -1, Accelerate: func(k *rsa.PrivateKey) (crypto.Signer, error) {
		c.Signer = k
		return &c, nil
	}})
	create(t, db, s, "pool", "id")
	for range 2 {
		if _, err := s.Sign(t.Context(), "pool", "id", nil); err != nil {
			t.Fatal(err)
		}
	}
	if c.n != 2 {
		t.Errorf("%d signatures", c.n)
	}
}

func TestResetForgets(t *testing.T) {
	db := storetest.Open(t, "memory:")
	s := open(t, db, Options{Stash: -1})
	create(t, db, s, "pool", "id")
	if _, err := s.Sign(t.Context(), "pool", "id", nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(t.Context(), "pool", "id", nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func BenchmarkSign(b *testing.B) {
	db := storetest.Open(b, "memory:")
	s := open(b, db, Options{Stash: -1})
	create(b, db, s, "pool", "id")
	claims := bytes.Repeat([]byte("x"), 500)
	for b.Loop() {
		if _, err := s.Sign(b.Context(), "pool", "id", claims); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSourceVersion(b *testing.B) {
	db := storetest.Open(b, "memory:")
	s := open(b, db, Options{Stash: -1})
	create(b, db, s, "pool", "id")
	src := s.Source("pool")
	for b.Loop() {
		src.Version()
	}
}

// What CreateUserPool pays when the stash is full, and when it is empty.
func BenchmarkTakeAndCreate(b *testing.B) {
	for _, full := range []bool{true, false} {
		name := map[bool]string{true: "stash", false: "empty"}[full]
		b.Run(name, func(b *testing.B) {
			db := storetest.Open(b, "memory:")
			s := open(b, db, Options{Stash: -1})
			k, err := generate()
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if full {
					b.StopTimer()
					update(b, db, func(tx *store.Tx) error {
						for _, kid := range []string{k.kid} {
							if _, err := tx.Exec("INSERT INTO keys_stash (kid, public, sealed, created) VALUES ($1, $2, $3, 0)", kid, k.public, s.box.Seal(k.plain, stashContext(kid))); err != nil {
								return err
							}
						}
						return nil
					})
					b.StartTimer()
				}
				create(b, db, s, "pool", "id")
				b.StopTimer()
				update(b, db, func(tx *store.Tx) error { return s.Delete(tx, "pool") })
				b.StartTimer()
			}
		})
	}
}

var _ interface {
	Key(context.Context, string) (crypto.PublicKey, string, error)
	Version() uint64
} = (*Source)(nil)

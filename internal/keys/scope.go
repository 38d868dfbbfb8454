package keys

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// scopeKeys are the decoded keys of a scope.
type scopeKeys struct {
	doc     atomic.Pointer[document] // that they were decoded from
	version uint64
	byKID   map[string]*rsa.PublicKey
	jwks    []byte
	signers map[string]func() (*Signer, error) // by use; each unseals its key once
}

// A Signer signs tokens with one key. It is safe for concurrent use.
type Signer struct {
	KID string

	header string // encoded, with the dot that follows it
	key    crypto.Signer
}

// Sign returns the JWT with the given claims, a JSON object, signed with RS256.
func (s *Signer) Sign(claims []byte) (string, error) {
	enc := base64.RawURLEncoding
	buf := make([]byte, 0, len(s.header)+enc.EncodedLen(len(claims))+1+enc.EncodedLen(keyBits/8))
	buf = append(buf, s.header...)
	buf = enc.AppendEncode(buf, claims)
	sum := sha256.Sum256(buf)
	sig, err := s.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("keys: signing: %w", err)
	}
	buf = append(buf, '.')
	return string(enc.AppendEncode(buf, sig)), nil
}

// load returns the decoded keys of a scope, or store.ErrNotFound.
func (s *Set) load(ctx context.Context, scope string) (*scopeKeys, error) {
	doc, err := documents.Cached(ctx, s.db, scope)
	if err != nil {
		return nil, err
	}
	var known *scopeKeys
	if v, ok := s.decoded.Load(scope); ok {
		known = v.(*scopeKeys)
		if known.doc.Load() == doc {
			return known, nil
		}
		if reflect.DeepEqual(known.doc.Load(), doc) { // was only read again
			known.doc.Store(doc)
			return known, nil
		}
	}
	k, err := s.decode(scope, doc)
	if err != nil {
		return nil, err
	}
	s.decoded.Store(scope, k)
	return k, nil
}

func (s *Set) decode(scope string, doc *document) (*scopeKeys, error) {
	type jwk struct { // in Cognito's order
		Alg string `json:"alg"`
		E   string `json:"e"`
		KID string `json:"kid"`
		Kty string `json:"kty"`
		N   string `json:"n"`
		Use string `json:"use"`
	}
	jwks := struct {
		Keys []jwk `json:"keys"`
	}{[]jwk{}}
	k := &scopeKeys{version: s.versions.Add(1), byKID: map[string]*rsa.PublicKey{}, signers: map[string]func() (*Signer, error){}}
	k.doc.Store(doc)
	enc := base64.RawURLEncoding
	for _, stored := range doc.Keys {
		p, err := x509.ParsePKIXPublicKey(stored.Public)
		public, ok := p.(*rsa.PublicKey)
		if err != nil || !ok {
			return nil, fmt.Errorf("keys: key %s of %s cannot be read", stored.KID, scope)
		}
		k.byKID[stored.KID] = public
		jwks.Keys = append(jwks.Keys, jwk{"RS256", enc.EncodeToString(big.NewInt(int64(public.E)).Bytes()), stored.KID, "RSA",
			enc.EncodeToString(public.N.Bytes()), "sig"})
		k.signers[stored.Use] = sync.OnceValues(func() (*Signer, error) { return s.unseal(scope, stored) })
	}
	var err error
	k.jwks, err = json.Marshal(jwks)
	return k, err
}

func (s *Set) unseal(scope string, stored storedKey) (*Signer, error) {
	plain, err := s.box.Open(stored.Sealed, sealContext(scope, stored.KID))
	if err != nil {
		return nil, fmt.Errorf("keys: key %s of %s: %w", stored.KID, scope, err)
	}
	key, err := parsePrivate(plain)
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(struct { // in Cognito's order
		KID string `json:"kid"`
		Alg string `json:"alg"`
	}{stored.KID, "RS256"})
	if err != nil {
		return nil, err
	}
	signer := &Signer{KID: stored.KID, header: base64.RawURLEncoding.EncodeToString(header) + ".", key: key}
	if s.o.Accelerate != nil {
		if signer.key, err = s.o.Accelerate(key); err != nil {
			return nil, fmt.Errorf("keys: key %s of %s: %w", stored.KID, scope, err)
		}
	}
	return signer, nil
}

// Signer returns the signer with the newest key of the scope for the use, or store.ErrNotFound. It
// is good until the scope's keys change: it should be asked for anew for each token.
func (s *Set) Signer(ctx context.Context, scope, use string) (*Signer, error) {
	s.used.Store(time.Now().UnixNano())
	k, err := s.load(ctx, scope)
	if err != nil {
		return nil, err
	}
	signer, ok := k.signers[use]
	if !ok {
		return nil, fmt.Errorf("keys: scope %s has no key for %q: %w", scope, use, store.ErrNotFound)
	}
	return signer()
}

// Sign returns the JWT with the given claims, a JSON object, signed with the newest key of the scope for
// the use.
func (s *Set) Sign(ctx context.Context, scope, use string, claims []byte) (string, error) {
	signer, err := s.Signer(ctx, scope, use)
	if err != nil {
		return "", err
	}
	return signer.Sign(claims)
}

// JWKS returns the scope's public keys as a JSON Web Key Set in Cognito's form, or store.ErrNotFound.
// The result is shared: it must not be modified.
func (s *Set) JWKS(ctx context.Context, scope string) ([]byte, error) {
	k, err := s.load(ctx, scope)
	if err != nil {
		return nil, err
	}
	return k.jwks, nil
}

// PublicKey returns the scope's public key of the given id, or store.ErrNotFound.
func (s *Set) PublicKey(ctx context.Context, scope, kid string) (*rsa.PublicKey, error) {
	k, err := s.load(ctx, scope)
	if err != nil {
		return nil, err
	}
	if key := k.byKID[kid]; key != nil {
		return key, nil
	}
	return nil, store.ErrNotFound
}

// Source is a scope's keys as a source for verifying tokens: a token.KeySource.
type Source struct {
	set   *Set
	scope string
}

// Source returns the keys of a scope, which need not exist.
func (s *Set) Source(scope string) *Source { return &Source{s, scope} }

// Key returns the public key of the given id, nil if there is none, and its algorithm.
func (src *Source) Key(ctx context.Context, kid string) (crypto.PublicKey, string, error) {
	key, err := src.set.PublicKey(ctx, src.scope, kid)
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return key, "RS256", nil
}

// Version returns a number that is another one whenever the keys have changed. It is answered from memory
// unless they just have.
func (src *Source) Version() uint64 {
	k, err := src.set.load(context.Background(), src.scope)
	if err != nil {
		// Never the same twice, so that nothing that was verified before counts.
		return src.set.versions.Add(1)
	}
	return k.version
}

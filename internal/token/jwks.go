package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// KeySource has the public keys of one issuer. It is safe for concurrent use.
type KeySource interface {
	// Key returns the key with the given id and the algorithm that it is for ("" if it may be used with
	// any that fits). The key is nil if there is none of that id; an error means that this is not known.
	Key(ctx context.Context, kid string) (key crypto.PublicKey, alg string, err error)

	// Version returns a number that is another one whenever a key may have gone or changed since. It is
	// called for every use of a cached token, and must not block.
	Version() uint64
}

// KeySet is a fixed set of keys.
type KeySet struct {
	keys map[string]setKey
}

type setKey struct {
	key crypto.PublicKey
	alg string
}

var _ KeySource = (*KeySet)(nil)

// maxKeys is how many keys of a set are looked at.
const maxKeys = 256

// NewKeySet reads a JSON Web Key Set. Keys that are of no use here are left out: symmetric ones, ones for
// encryption, ones without a kid, of unknown types, weak ones. So are different keys of one kid.
func NewKeySet(jwks []byte) (*KeySet, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(jwks, &doc); err != nil {
		return nil, errors.New("token: not a JSON Web Key Set")
	}
	if doc.Keys == nil {
		return nil, errors.New("token: a JSON Web Key Set has a list of keys")
	}
	if len(doc.Keys) > maxKeys {
		return nil, errors.New("token: too many keys in the set")
	}
	s := &KeySet{keys: map[string]setKey{}}
	raw := map[string][]byte{}
	for _, data := range doc.Keys {
		var k jose.JSONWebKey
		var more struct {
			Ops []string `json:"key_ops"`
		}
		if json.Unmarshal(data, &k) != nil || json.Unmarshal(data, &more) != nil {
			continue
		}
		if k.KeyID == "" || k.Use != "" && k.Use != "sig" || more.Ops != nil && !slices.Contains(more.Ops, "verify") || !usable(k.Key) {
			continue
		}
		if before, ok := raw[k.KeyID]; ok {
			if !bytes.Equal(before, data) {
				delete(s.keys, k.KeyID) // which one is meant cannot be known
			}
			continue
		}
		raw[k.KeyID] = data
		s.keys[k.KeyID] = setKey{k.Key, k.Algorithm}
	}
	return s, nil
}

// Key implements [KeySource].
func (s *KeySet) Key(_ context.Context, kid string) (crypto.PublicKey, string, error) {
	k := s.keys[kid]
	return k.key, k.alg, nil
}

// Version implements [KeySource].
func (s *KeySet) Version() uint64 { return 0 }

// usable reports whether a key is a public one of a known type and of decent strength.
func usable(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		return bits >= 2048 && bits <= 16384 && k.E >= 3 && k.E%2 == 1 && k.N.Bit(0) == 1 && !roca(k.N)
	case *ecdsa.PublicKey:
		_, err := k.ECDH() // is the point on the curve?
		return err == nil
	case ed25519.PublicKey:
		return len(k) == ed25519.PublicKeySize
	}
	return false
}

// roca reports whether n was made by the key generator whose keys can be factored (CVE-2017-15361):
// modulo each of these primes it is a power of 65537, which happens by chance once in 2²⁷ moduli.
func roca(n *big.Int) bool {
	for _, p := range []int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157} {
		r := new(big.Int).Mod(n, big.NewInt(p)).Int64()
		power, found := int64(1), false
		for range p {
			found = found || power == r
			power = power * 65537 % p
		}
		if !found {
			return false
		}
	}
	return true
}

// fits reports whether a key of this type may sign with the algorithm. go-jose sees to the curves.
func fits(key crypto.PublicKey, alg string) bool {
	switch key.(type) {
	case *rsa.PublicKey:
		return alg[:2] == "RS" || alg[:2] == "PS"
	case *ecdsa.PublicKey:
		return alg[:2] == "ES"
	case ed25519.PublicKey:
		return alg == string(jose.EdDSA)
	}
	return false
}

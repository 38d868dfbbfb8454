// Package seal keeps secrets at rest.
//
// What the database holds of a secret (a verifier, a signing key, a client secret) is sealed with a
// key that is not in the database, so that a copy of the database alone gives nothing away. The key
// is a file in the data directory, or a setting where several nodes share one database.
//
// Sealing is XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM under a key derived for each
// message from the first half of a 192-bit random nonce. Plain GCM's 96-bit nonce would bound one key
// to 2³² messages, which a busy server seals in weeks; this bound is 2⁸⁰. Each sealed value is bound
// to a context, a string that says what it is and whose, so that a row cannot be moved to another
// place in the database and still open.
//
// A sealed value is one version byte (1), 24 bytes of nonce, the ciphertext, and 16 bytes of tag:
// [Overhead] bytes more than the secret.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
)

// KeySize is the length of a sealing key in bytes.
const KeySize = 32

const (
	version   = 1
	nonceSize = 24
	tagSize   = 16
)

// Overhead is how many bytes a sealed value is longer than the secret in it.
const Overhead = 1 + nonceSize + tagSize

// ErrOpen is returned for a sealed value that does not open: it was sealed with another key or for
// another context, or it was changed.
var ErrOpen = errors.New("seal: value does not open with this key and context")

// Key seals and opens. It is safe for concurrent use.
type Key struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // the CMAC subkey
}

// FromBytes returns the key with the given 32 bytes, which it does not keep.
func FromBytes(b []byte) (*Key, error) {
	if len(b) != KeySize {
		return nil, errors.New("seal: a key is 32 bytes long")
	}
	block, err := aes.NewCipher(b)
	if err != nil {
		return nil, err
	}
	k := &Key{block: block}
	// K1 of CMAC (NIST SP 800-38B): the encryption of zero, doubled in GF(2¹²⁸).
	block.Encrypt(k.k1[:], k.k1[:])
	var carry byte
	for i := len(k.k1) - 1; i >= 0; i-- {
		next := k.k1[i] >> 7
		k.k1[i] = k.k1[i]<<1 | carry
		carry = next
	}
	k.k1[len(k.k1)-1] ^= carry * 0x87
	return k, nil
}

// Seal returns plain, sealed for the context.
func (k *Key) Seal(plain []byte, context string) []byte {
	out := make([]byte, 1+nonceSize, Overhead+len(plain))
	out[0] = version
	nonce := out[1:]
	rand.Read(nonce)
	return k.derive(nonce).Seal(out, nonce[12:], plain, []byte(context))
}

// Open returns the secret in a value that Seal made for the same context, or [ErrOpen].
func (k *Key) Open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != version {
		return nil, ErrOpen
	}
	nonce := sealed[1 : 1+nonceSize]
	plain, err := k.derive(nonce).Open(nil, nonce[12:], sealed[1+nonceSize:], []byte(context))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// derive returns the cipher for a message whose nonce begins with the given 12 bytes.
func (k *Key) derive(nonce []byte) cipher.AEAD {
	var sub [KeySize]byte
	for i := range 2 {
		m := sub[16*i : 16*i+16]
		m[1], m[2] = byte(i+1), 'X'
		copy(m[4:], nonce[:12])
		for j := range m {
			m[j] ^= k.k1[j]
		}
		k.block.Encrypt(m, m)
	}
	block, err := aes.NewCipher(sub[:])
	if err != nil {
		panic(err) // the size is right
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// String keeps a key out of logs.
func (k *Key) String() string { return redacted }

// GoString keeps a key out of logs.
func (k *Key) GoString() string { return redacted }

// Package srp is Secure Remote Password (SRP-6a) as Amazon Cognito user pools do it.
//
// Cognito's form is not RFC 5054's. The group is the 3072-bit one of RFC 3526, section 3, with
// generator 2; the hash is SHA-256; integers are hashed in the shortest form that java.math.BigInteger
// would write (a leading zero byte where the high bit is set), not padded to the length of the
// modulus; and the proof is an HMAC, under a key derived from the shared secret, over the names, an
// opaque block of the server's and a timestamp. What is written here was read off the public clients
// and is held against values that amazon-cognito-identity-js computed.
//
//	x = SHA256(pad(salt) ‖ SHA256(poolName ‖ userID ‖ ":" ‖ password))    v = g^x
//	B = k·v + g^b      k = SHA256(00 ‖ N ‖ 02)      u = SHA256(pad(A) ‖ pad(B))
//	S = (A·v^u)^b      K = HKDF-SHA256(pad(S), salt pad(u), "Caldera Derived Key", 16 bytes)
//	proof = HMAC-SHA256(K, poolName ‖ userID ‖ secretBlock ‖ timestamp)
//
// The pool name is what follows the underscore in a user pool's id. For remembered devices the same
// computation runs with the device group key and the device key in place of pool name and user id.
//
// A verifier is what a user pool keeps of a password. Because the wire fixes its hash, a slow hash
// kept beside it would protect nothing; it must be sealed at rest instead (package seal). A password
// that comes in clear is checked against the same verifier: [CheckPassword].
//
// Side channels. Powers of the generator come from a table (see fixed.go). The two powers with other
// bases, v^u and (…)^b, go through math/big, which does not run in constant time. Each is therefore
// computed modulo N·r for a fresh random 64-bit r, from a base to which a random multiple of N was
// added: no intermediate value repeats from one attempt to the next, so timings cannot be averaged.
// Proofs and verifiers are compared in constant time.
package srp

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"time"
)

// The lengths, in bytes, of what a user pool keeps.
const (
	SaltSize     = 16
	VerifierSize = modulusSize
)

const modulusSize = 3072 / 8

// The MODP group 15 of RFC 3526.
const modulusHex = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD1" +
	"29024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
	"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245" +
	"E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
	"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D" +
	"C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F" +
	"83655D23DCA3AD961C62F356208552BB9ED529077096966D" +
	"670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
	"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9" +
	"DE2BCBF6955817183995497CEA956AE515D2261898FA0510" +
	"15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64" +
	"ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7" +
	"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6B" +
	"F12FFA06D98A0864D87602733EC86A64521F2B18177B200C" +
	"BBE117577A615D6C770988C0BAD946E208E24FA074E5AB31" +
	"43DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"

var (
	modulus, _ = new(big.Int).SetString(modulusHex, 16)
	generator  = big.NewInt(2)
	multiplier = func() *big.Int { // k
		h := sha256.New()
		h.Write(pad(modulus))
		h.Write(pad(generator))
		return new(big.Int).SetBytes(h.Sum(nil))
	}()
)

// ErrPublicValue is returned for a public value A or B that is not hexadecimal, or not between 1 and
// N-1. A value of 0 modulo N would make the shared secret known without the password.
var ErrPublicValue = errors.New("srp: public value out of range")

// TimestampLayout is how clients write the time that their proof covers, always in UTC:
// "Sat Nov 21 03:50:57 UTC 2026", the day without a leading zero.
const TimestampLayout = "Mon Jan 2 15:04:05 UTC 2006"

// ParseTimestamp reads a client's timestamp.
func ParseTimestamp(s string) (time.Time, error) {
	return time.ParseInLocation(TimestampLayout, s, time.UTC)
}

// NewVerifier draws a salt and returns it with the verifier of the password. userID is what the client
// will be told as USER_ID_FOR_SRP.
func NewVerifier(poolName, userID, password string) (salt, verifier []byte) {
	salt = make([]byte, SaltSize)
	rand.Read(salt)
	return salt, Verifier(poolName, userID, password, salt)
}

// Verifier returns the verifier of a password under a given salt, [VerifierSize] bytes.
func Verifier(poolName, userID, password string, salt []byte) []byte {
	v := fixedBase().exp(secretExponent(poolName, userID, password, salt))
	return v.FillBytes(make([]byte, VerifierSize))
}

// CheckPassword reports whether the verifier was made from the password. It takes about 0.13 ms,
// whether or not the password is right.
func CheckPassword(poolName, userID, password string, salt, verifier []byte) bool {
	return subtle.ConstantTimeCompare(Verifier(poolName, userID, password, salt), verifier) == 1
}

// Decoy returns a salt and a verifier for a user that does not exist, always the same for the same
// key and names, so that a challenge for such a user looks and costs like any other. No password
// belongs to the verifier.
func Decoy(key []byte, poolName, userID string) (salt, verifier []byte) {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("srp decoy\x00" + poolName + "\x00" + userID))
	sum := mac.Sum(nil)
	salt = sum[:SaltSize]
	mac.Reset()
	mac.Write(sum)
	v := fixedBase().exp(mac.Sum(nil))
	return salt, v.FillBytes(make([]byte, VerifierSize))
}

// Hex returns b as Cognito writes a salt or a public value: lower-case hexadecimal.
func Hex(b []byte) string { return hex.EncodeToString(b) }

// A Challenge is the server's state between a client's first message and its proof. Its fields are
// exported so that it can be stored; Secret must be sealed. It is good for one attempt: using it for
// several would let timings of one secret be averaged.
type Challenge struct {
	A      []byte // the client's public value
	B      []byte // the server's public value
	Secret []byte // b, 256 random bits
}

// NewChallenge answers a client's SRP_A, in hexadecimal, for the user with the given verifier. It takes
// about 0.13 ms. The error is [ErrPublicValue] or tells of a verifier of the wrong length.
func NewChallenge(srpA string, verifier []byte) (*Challenge, error) {
	a, err := parsePublic(srpA)
	if err != nil {
		return nil, err
	}
	if len(verifier) != VerifierSize {
		return nil, errors.New("srp: verifier of wrong length")
	}
	kv := new(big.Int).SetBytes(verifier)
	kv.Mul(kv, multiplier)
	for {
		secret := make([]byte, 32)
		rand.Read(secret)
		b := fixedBase().exp(secret)
		b.Mod(b.Add(b, kv), modulus)
		if b.Sign() != 0 {
			return &Challenge{A: a.Bytes(), B: b.Bytes(), Secret: secret}, nil
		}
	}
}

// SRPB returns the server's public value as the client is told it.
func (c *Challenge) SRPB() string { return Hex(c.B) }

// Check reports whether proof shows knowledge of the password behind the verifier. The timestamp is
// what the client sent with the proof; whether it is recent is for the caller to check. It takes
// about two milliseconds, whether or not the proof is right.
func (c *Challenge) Check(verifier []byte, poolName, userID string, secretBlock []byte, timestamp string, proof []byte) bool {
	a := new(big.Int).SetBytes(c.A)
	b := new(big.Int).SetBytes(c.B)
	v := new(big.Int).SetBytes(verifier)
	if !inRange(a) || !inRange(b) || !inRange(v) || len(c.Secret) == 0 {
		return false
	}
	u := scramble(a, b)
	if u.Sign() == 0 {
		return false
	}
	s := blindExp(v, u)
	s.Mod(s.Mul(s, a), modulus)
	s = blindExp(s, new(big.Int).SetBytes(c.Secret))
	want := prove(deriveKey(s, u), poolName, userID, secretBlock, timestamp)
	return subtle.ConstantTimeCompare(want, proof) == 1
}

// blindExp returns base^e mod N; see the package comment.
func blindExp(base, e *big.Int) *big.Int {
	var buf [16]byte
	rand.Read(buf[:])
	buf[7] |= 1    // odd, for math/big's Montgomery multiplication
	buf[0] |= 0x80 // of full length
	m := new(big.Int).SetBytes(buf[:8])
	m.Mul(m, modulus)
	blinded := new(big.Int).SetBytes(buf[8:])
	blinded.Mul(blinded, modulus)
	blinded.Add(blinded, base) // less than 2⁶⁴·N: Exp reduces it, if it must
	blinded.Exp(blinded, e, m)
	return blinded.Mod(blinded, modulus)
}

// secretExponent returns x.
func secretExponent(poolName, userID, password string, salt []byte) []byte {
	inner := sha256.Sum256([]byte(poolName + userID + ":" + password))
	h := sha256.New()
	h.Write(pad(new(big.Int).SetBytes(salt)))
	h.Write(inner[:])
	return h.Sum(nil)
}

// scramble returns u.
func scramble(a, b *big.Int) *big.Int {
	h := sha256.New()
	h.Write(pad(a))
	h.Write(pad(b))
	return new(big.Int).SetBytes(h.Sum(nil))
}

// deriveKey returns the key of the proof.
func deriveKey(s, u *big.Int) []byte {
	key, err := hkdf.Key(sha256.New, pad(s), pad(u), "Caldera Derived Key", 16)
	if err != nil {
		panic(err) // the length is within HKDF's bounds
	}
	return key
}

func prove(key []byte, poolName, userID string, secretBlock []byte, timestamp string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(poolName))
	mac.Write([]byte(userID))
	mac.Write(secretBlock)
	mac.Write([]byte(timestamp))
	return mac.Sum(nil)
}

// pad returns x in the form in which it is hashed: big-endian, in the fewest bytes of which the first
// has a clear high bit. In hexadecimal: a 0 before an odd number of digits, 00 before a digit of 8 or more.
func pad(x *big.Int) []byte {
	return x.FillBytes(make([]byte, x.BitLen()/8+1))
}

func inRange(x *big.Int) bool { return x.Sign() > 0 && x.Cmp(modulus) < 0 }

// parsePublic reads a public value in hexadecimal. Clients may write leading zeros, a few.
func parsePublic(s string) (*big.Int, error) {
	if s == "" || len(s) > 2*modulusSize+2 || strings.Trim(s, "0123456789abcdefABCDEF") != "" {
		return nil, ErrPublicValue
	}
	x, ok := new(big.Int).SetString(s, 16)
	if !ok || !inRange(x) {
		return nil, ErrPublicValue
	}
	return x, nil
}

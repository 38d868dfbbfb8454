package srp

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// vector is one case of testdata/vectors.json. Key and signature were computed by the
// AuthenticationHelper of amazon-cognito-identity-js 6.3 with a given small a; verifier and B by
// plain BigInt arithmetic beside it. The cases cover every way in which padding matters.
type vector struct {
	Note, Pool, User, Password, Salt string
	SmallA                           string `json:"a"`
	SmallB                           string `json:"b"`
	Verifier, Key                    string
	A                                string `json:"A"`
	B                                string `json:"B"`
	SecretBlock                      []byte `json:"secret_block"`
	Timestamp                        string
	Signature                        []byte
}

// UnmarshalJSON keeps a and A apart, which encoding/json would not.
func (v *vector) UnmarshalJSON(data []byte) error {
	var m map[string]string
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	block, err := base64.StdEncoding.DecodeString(m["secret_block"])
	if err != nil {
		return err
	}
	sig, err := base64.StdEncoding.DecodeString(m["signature"])
	*v = vector{m["note"], m["pool"], m["user"], m["password"], m["salt"], m["a"], m["b"], m["verifier"],
		m["key"], m["A"], m["B"], block, m["timestamp"], sig}
	return err
}

func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(data, &vs); err != nil {
		t.Fatal(err)
	}
	return vs
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Repeat("0", len(s)%2) + s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Note, func(t *testing.T) {
			salt := unhex(t, v.Salt)
			verifier := Verifier(v.Pool, v.User, v.Password, salt)
			want, _ := new(big.Int).SetString(v.Verifier, 16)
			if new(big.Int).SetBytes(verifier).Cmp(want) != 0 {
				t.Fatal("verifier differs")
			}

			a, err := parsePublic(v.A)
			if err != nil {
				t.Fatal(err)
			}
			client := &Client{poolName: v.Pool, secret: unhex(t, v.SmallA), public: a}
			key, err := client.key(v.User, v.Password, v.Salt, v.B)
			if err != nil || hex.EncodeToString(key) != v.Key {
				t.Fatalf("client key %x, %v; want %s", key, err, v.Key)
			}
			proof, err := client.Prove(v.User, v.Password, v.Salt, v.B, v.SecretBlock, v.Timestamp)
			if err != nil || !bytes.Equal(proof, v.Signature) {
				t.Fatalf("client proof %x, %v", proof, err)
			}

			// The server computes B from b, and agrees.
			b := fixedBase().exp(unhex(t, v.SmallB))
			b.Add(b, new(big.Int).Mul(multiplier, want))
			if b.Mod(b, modulus); b.Text(16) != v.B {
				t.Fatal("B differs")
			}
			c := &Challenge{A: unhex(t, v.A), B: unhex(t, v.B), Secret: unhex(t, v.SmallB)}
			if !c.Check(verifier, v.Pool, v.User, v.SecretBlock, v.Timestamp, v.Signature) {
				t.Error("the server refuses the JavaScript client's proof")
			}
		})
	}
}

func TestSignIn(t *testing.T) {
	const pool, user, password, ts = "QLBISRQwA", "ann", "Passw0rd!", "Sat Nov 21 03:50:57 UTC 2026"
	salt, verifier := NewVerifier(pool, user, password)
	if len(salt) != SaltSize || len(verifier) != VerifierSize {
		t.Fatalf("lengths %d, %d", len(salt), len(verifier))
	}
	block := []byte("secret block")
	client := NewClient(pool)
	c, err := NewChallenge(client.SRPA(), verifier)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := client.Prove(user, password, Hex(salt), c.SRPB(), block, ts)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Check(verifier, pool, user, block, ts, proof) {
		t.Fatal("right password refused")
	}
	wrong, _ := client.Prove(user, "passw0rd!", Hex(salt), c.SRPB(), block, ts)
	_, other := NewVerifier(pool, user, password)
	flipped := bytes.Clone(proof)
	flipped[31] ^= 1
	for name, ok := range map[string]bool{
		"wrong password":  c.Check(verifier, pool, user, block, ts, wrong),
		"other user":      c.Check(verifier, pool, "bob", block, ts, proof),
		"other pool":      c.Check(verifier, "other", user, block, ts, proof),
		"other block":     c.Check(verifier, pool, user, []byte("secret blocl"), ts, proof),
		"other time":      c.Check(verifier, pool, user, block, ts+" ", proof),
		"other verifier":  c.Check(other, pool, user, block, ts, proof),
		"changed proof":   c.Check(verifier, pool, user, block, ts, flipped),
		"cut proof":       c.Check(verifier, pool, user, block, ts, proof[:31]),
		"no proof":        c.Check(verifier, pool, user, block, ts, nil),
		"no verifier":     c.Check(nil, pool, user, block, ts, proof),
		"empty challenge": new(Challenge).Check(verifier, pool, user, block, ts, proof),
	} {
		if ok {
			t.Errorf("%s accepted", name)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	salt, v := NewVerifier("pool", "ann", "Passw0rd!")
	if !CheckPassword("pool", "ann", "Passw0rd!", salt, v) {
		t.Error("right password refused")
	}
	for _, c := range []struct {
		name, pool, user, password string
		salt, verifier             []byte
	}{
		{"password", "pool", "ann", "Passw0rd", salt, v},
		{"empty password", "pool", "ann", "", salt, v},
		{"user", "pool", "bob", "Passw0rd!", salt, v},
		{"pool", "poola", "nn", "Passw0rd", salt, v},
		{"salt", "pool", "ann", "Passw0rd!", salt[1:], v},
		{"no verifier", "pool", "ann", "Passw0rd!", salt, nil},
		{"cut verifier", "pool", "ann", "Passw0rd!", salt, v[1:]},
	} {
		if CheckPassword(c.pool, c.user, c.password, c.salt, c.verifier) {
			t.Errorf("wrong %s accepted", c.name)
		}
	}
}

func TestPublicValueRefused(t *testing.T) {
	_, v := NewVerifier("pool", "ann", "x")
	n := modulus.Text(16)
	for _, a := range []string{
		"", "0", "00", strings.Repeat("0", 768), n, strings.ToUpper(n), "00" + n, "-1", "+1", "0x1", "1_0", " 1", "1\n", "g",
		new(big.Int).Mul(modulus, big.NewInt(2)).Text(16),
		new(big.Int).Add(modulus, big.NewInt(1)).Text(16),
		strings.Repeat("f", 770), "000" + strings.Repeat("1", 768), strings.Repeat("1", 1<<20),
	} {
		if _, err := NewChallenge(a, v); !errors.Is(err, ErrPublicValue) {
			t.Errorf("A of %d digits %.20q…: %v", len(a), a, err)
		}
	}
	for _, a := range []string{"1", "0001", new(big.Int).Sub(modulus, big.NewInt(1)).Text(16), "00" + strings.ToUpper(strings.Repeat("ab", 300))} {
		if _, err := NewChallenge(a, v); err != nil {
			t.Errorf("A %.20q…: %v", a, err)
		}
	}
	if _, err := NewChallenge("2", v[1:]); err == nil {
		t.Error("short verifier accepted")
	}
	// A stored challenge is checked again: S would be 0 whatever the password.
	proof := prove(deriveKey(new(big.Int), scramble(new(big.Int), big.NewInt(5))), "pool", "ann", nil, "")
	c := &Challenge{A: []byte{0}, B: []byte{5}, Secret: []byte{1}}
	if c.Check(v, "pool", "ann", nil, "", proof) {
		t.Error("A of zero accepted")
	}
}

func TestDecoy(t *testing.T) {
	key := []byte("key of the pool")
	s1, v1 := Decoy(key, "pool", "nobody")
	s2, v2 := Decoy(key, "pool", "nobody")
	s3, v3 := Decoy(key, "pool", "noone")
	if !bytes.Equal(s1, s2) || !bytes.Equal(v1, v2) || bytes.Equal(s1, s3) || bytes.Equal(v1, v3) {
		t.Error("decoys are not a function of the name")
	}
	if len(s1) != SaltSize || len(v1) != VerifierSize {
		t.Errorf("lengths %d, %d", len(s1), len(v1))
	}
	if _, err := NewChallenge("2", v1); err != nil {
		t.Error(err)
	}
}

func TestFixedBaseIsExp(t *testing.T) {
	r := mathrand.New(mathrand.NewPCG(1, 2))
	es := [][]byte{{}, {0}, {1}, {2}, bytes.Repeat([]byte{0xff}, 32), append([]byte{1}, make([]byte, 31)...)}
	for n := range 33 {
		e := make([]byte, n)
		for i := range e {
			e[i] = byte(r.Uint32())
		}
		es = append(es, e)
	}
	for _, e := range es {
		want := new(big.Int).Exp(generator, new(big.Int).SetBytes(e), modulus)
		if got := fixedBase().exp(e); got.Cmp(want) != 0 {
			t.Errorf("g^%x differs", e)
		}
	}
}

func TestBlindExpIsExp(t *testing.T) {
	r := mathrand.New(mathrand.NewPCG(3, 4))
	buf := make([]byte, modulusSize)
	for range 20 {
		for i := range buf {
			buf[i] = byte(r.Uint32())
		}
		base, e := new(big.Int).SetBytes(buf), new(big.Int).SetBytes(buf[:32])
		base.Mod(base, modulus)
		if blindExp(base, e).Cmp(new(big.Int).Exp(base, e, modulus)) != 0 {
			t.Fatal("differs")
		}
	}
}

func TestPad(t *testing.T) {
	for in, want := range map[string]string{"0": "00", "7": "07", "7f": "7f", "80": "0080", "abc": "0abc", "8abc": "008abc", "10000": "010000"} {
		x, _ := new(big.Int).SetString(in, 16)
		if got := hex.EncodeToString(pad(x)); got != want {
			t.Errorf("pad(%s) = %s, want %s", in, got, want)
		}
	}
	if multiplier.Text(16) != "538282c4354742d7cbbde2359fcf67f9f5b3a6b08791e5011b43b8a5b66d9ee6" {
		t.Errorf("k = %x, not what the clients have", multiplier)
	}
}

func TestParseTimestamp(t *testing.T) {
	got, err := ParseTimestamp("Sun Nov 1 03:50:57 UTC 2026")
	if err != nil || !got.Equal(time.Date(2026, 11, 1, 3, 50, 57, 0, time.UTC)) {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "2026-11-01T03:50:57Z", "Sun Nov 1 03:50:57 CET 2026", "Sun Nov 1 03:50 UTC 2026"} {
		if _, err := ParseTimestamp(s); err == nil {
			t.Errorf("%q accepted", s)
		}
	}
}

func FuzzParsePublic(f *testing.F) {
	f.Add("00ab")
	f.Add(modulusHex)
	f.Fuzz(func(t *testing.T, s string) {
		x, err := parsePublic(s)
		if err == nil && (!inRange(x) || strings.TrimLeft(strings.ToLower(s), "0") != x.Text(16)) {
			t.Errorf("%q parsed as %x", s, x)
		}
	})
}

func BenchmarkCheckPassword(b *testing.B) {
	salt, v := NewVerifier("pool", "ann", "Passw0rd!")
	for b.Loop() {
		CheckPassword("pool", "ann", "Passw0rd!", salt, v)
	}
}

func BenchmarkNewChallenge(b *testing.B) {
	_, v := NewVerifier("pool", "ann", "Passw0rd!")
	a := NewClient("pool").SRPA()
	for b.Loop() {
		NewChallenge(a, v)
	}
}

func BenchmarkChallengeCheck(b *testing.B) {
	_, v := NewVerifier("pool", "ann", "Passw0rd!")
	c, _ := NewChallenge(NewClient("pool").SRPA(), v)
	for b.Loop() {
		c.Check(v, "pool", "ann", nil, "", make([]byte, 32))
	}
}

// The fixed-base table against math/big, on the same exponent.
func BenchmarkGeneratorExp(b *testing.B) {
	sum := sha256.Sum256(nil)
	e := sum[:]
	x := new(big.Int).SetBytes(e)
	fixedBase()
	b.Run("table", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			fixedBase().exp(e)
		}
	})
	b.Run("big.Int.Exp", func(b *testing.B) {
		for b.Loop() {
			new(big.Int).Exp(generator, x, modulus)
		}
	})
	b.Run("blindExp", func(b *testing.B) {
		for b.Loop() {
			blindExp(generator, x)
		}
	})
}

func BenchmarkTable(b *testing.B) {
	for b.Loop() {
		newComb()
	}
}

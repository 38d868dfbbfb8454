package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// localKeys is the key source of a pool.
type localKeys struct {
	keys    map[string]crypto.PublicKey
	alg     string
	err     error
	version atomic.Uint64
	asked   atomic.Int64
}

func (k *localKeys) Key(_ context.Context, kid string) (crypto.PublicKey, string, error) {
	k.asked.Add(1)
	return k.keys[kid], k.alg, k.err
}
func (k *localKeys) Version() uint64 { return k.version.Load() }

const testIssuer = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_QLBISRQwA"

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func signRS256(t testing.TB, header, claims string) string {
	t.Helper()
	input := b64(header) + "." + b64(claims)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

const (
	goodHeader = `{"kid":"k1","alg":"RS256"}`
	goodClaims = `{"sub":"9dce2676","email_verified":false,"iss":"https:\/\/cognito-idp.us-east-1.amazonaws.com\/us-east-1_QLBISRQwA","exp":1614375974,"iat":1614372374.5,"aud":"client","scope":"a b","n":{"m":[1,null,"x"]}}`
)

func newLocal() (*Verifier, *localKeys) {
	src := &localKeys{keys: map[string]crypto.PublicKey{"k1": &rsaKey().PublicKey}, alg: "RS256"}
	return NewVerifier(Options{Local: func(_ context.Context, issuer string) (KeySource, bool) { return src, issuer == testIssuer }}), src
}

func reason(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return fmt.Sprintf("%T", err)
}

func TestVerifyLocal(t *testing.T) {
	v, _ := newLocal()
	tok, err := v.Verify(t.Context(), signRS256(t, goodHeader, goodClaims), testIssuer)
	if err != nil {
		t.Fatal(err)
	}
	if tok.Issuer != testIssuer || tok.Subject != "9dce2676" || tok.KeyID != "k1" || tok.Algorithm != "RS256" ||
		!tok.Expiry.Equal(time.Unix(1614375974, 0)) || !tok.IssuedAt.Equal(time.Unix(1614372374, 5e8)) || !tok.NotBefore.IsZero() ||
		len(tok.Audience) != 1 || tok.Audience[0] != "client" || len(tok.Scopes()) != 2 || tok.Text("sub") != "9dce2676" ||
		tok.Text("exp") != "" || tok.Claims["exp"] != json.Number("1614375974") {
		t.Errorf("%+v", tok)
	}
}

func TestVerifyRefuses(t *testing.T) {
	v, src := newLocal()
	good := signRS256(t, goodHeader, goodClaims)
	part := strings.Split(good, ".")
	for name, c := range map[string]struct{ raw, reason string }{
		"empty":                {"", Malformed},
		"garbage":              {"x", Malformed},
		"two parts":            {part[0] + "." + part[1], Malformed},
		"four parts":           {good + ".x", Malformed},
		"encrypted":            {good + ".x.x", Malformed},
		"JSON serialisation":   {`{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`, Malformed},
		"space before":         {" " + good, Malformed},
		"line break after":     {good + "\n", Malformed},
		"bearer":               {"Bearer " + good, Malformed},
		"padded":               {part[0] + "." + part[1] + "." + part[2] + "==", Malformed},
		"header no object":     {signRS256(t, `"x"`, goodClaims), Malformed},
		"header list":          {signRS256(t, `[]`, goodClaims), Malformed},
		"header trailing":      {signRS256(t, goodHeader+`{}`, goodClaims), Malformed},
		"header kid twice":     {signRS256(t, `{"kid":"k0","kid":"k1","alg":"RS256"}`, goodClaims), Malformed},
		"header alg twice":     {signRS256(t, `{"alg":"none","kid":"k1","alg":"RS256"}`, goodClaims), Malformed},
		"header not UTF-8":     {signRS256(t, "{\"kid\":\"k1\",\"alg\":\"RS256\",\"x\":\"\xff\"}", goodClaims), Malformed},
		"header deep":          {signRS256(t, `{"kid":"k1","alg":"RS256","x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`}`, goodClaims), Malformed},
		"no alg":               {signRS256(t, `{"kid":"k1"}`, goodClaims), BadAlgorithm},
		"alg no string":        {signRS256(t, `{"kid":"k1","alg":1}`, goodClaims), BadAlgorithm},
		"alg none":             {b64(`{"kid":"k1","alg":"none"}`) + "." + part[1] + ".", BadAlgorithm},
		"alg None":             {b64(`{"kid":"k1","alg":"None"}`) + "." + part[1] + "." + part[2], BadAlgorithm},
		"alg rs256":            {signRS256(t, `{"kid":"k1","alg":"rs256"}`, goodClaims), BadAlgorithm},
		"another alg":          {signRS256(t, `{"kid":"k1","alg":"RS512"}`, goodClaims), BadAlgorithm},
		"alg of other key":     {signRS256(t, `{"kid":"k1","alg":"ES256"}`, goodClaims), BadAlgorithm},
		"no kid":               {signRS256(t, `{"alg":"RS256"}`, goodClaims), NoKeyID},
		"kid no string":        {signRS256(t, `{"alg":"RS256","kid":1}`, goodClaims), NoKeyID},
		"foreign kid":          {signRS256(t, `{"alg":"RS256","kid":"k2"}`, goodClaims), UnknownKey},
		"own jwk":              {signRS256(t, `{"alg":"RS256","kid":"k2","jku":"https://evil.example/"}`, goodClaims), UnknownKey},
		"b64 false":            {signRS256(t, `{"kid":"k1","alg":"RS256","b64":false,"crit":["b64"]}`, goodClaims), Critical},
		"b64 alone":            {signRS256(t, `{"kid":"k1","alg":"RS256","b64":false}`, goodClaims), Critical},
		"crit":                 {signRS256(t, `{"kid":"k1","alg":"RS256","crit":["exp"],"exp":1}`, goodClaims), Critical},
		"crit empty":           {signRS256(t, `{"kid":"k1","alg":"RS256","crit":[]}`, goodClaims), Critical},
		"no signature":         {part[0] + "." + part[1] + ".", BadSignature},
		"other payload":        {part[0] + "." + b64(strings.Replace(goodClaims, "9dce", "9dcf", 1)) + "." + part[2], BadSignature},
		"other header":         {b64(`{"kid":"k1","alg":"RS256","x":1}`) + "." + part[1] + "." + part[2], BadSignature},
		"claims no object":     {signRS256(t, goodHeader, `"foo"`), BadClaims},
		"claims no JSON":       {signRS256(t, goodHeader, `foo`), BadClaims},
		"claims twice":         {signRS256(t, goodHeader, `{"sub":"a","sub":"b"}`), BadClaims},
		"claims twice, hidden": {signRS256(t, goodHeader, `{"sub":"a","s\u0075b":"b"}`), BadClaims},
		"claims twice, deep":   {signRS256(t, goodHeader, `{"x":[{"a":1,"a":2}]}`), BadClaims},
		"exp a string":         {signRS256(t, goodHeader, `{"exp":"1614375974"}`), BadClaims},
		"exp null":             {signRS256(t, goodHeader, `{"exp":null}`), BadClaims},
		"exp enormous":         {signRS256(t, goodHeader, `{"exp":1e300}`), BadClaims},
		"exp unreadable":       {signRS256(t, goodHeader, `{"exp":1e999}`), BadClaims},
		"iss a number":         {signRS256(t, goodHeader, `{"iss":1}`), BadClaims},
		"aud a number":         {signRS256(t, goodHeader, `{"aud":1}`), BadClaims},
		"aud mixed":            {signRS256(t, goodHeader, `{"aud":["a",1]}`), BadClaims},
		"huge":                 {signRS256(t, goodHeader, `{"x":"`+strings.Repeat("x", MaxSize)+`"}`), TooLarge},
	} {
		for range 2 { // and is not remembered as good
			if tok, err := v.Verify(t.Context(), c.raw, testIssuer); err == nil || reason(err) != c.reason || tok != nil {
				t.Errorf("%s: %v, want %s", name, err, c.reason)
			} else if len(c.raw) > 50 && strings.Contains(err.Error(), c.raw[:50]) {
				t.Errorf("%s: the error shows the token", name)
			}
		}
	}

	// HS256 with the public key as the secret, in every form that it is written.
	der := publicDER(t)
	for _, secret := range [][]byte{der, []byte("-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(der) + "\n-----END PUBLIC KEY-----\n"), rsaKey().N.Bytes()} {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: secret, KeyID: "k1"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := s.Sign([]byte(goodClaims))
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := jws.CompactSerialize()
		if _, err := v.Verify(t.Context(), raw, testIssuer); reason(err) != BadAlgorithm {
			t.Errorf("HS256: %v", err)
		}
	}

	// Any byte changed, any end cut.
	for i := range good {
		for _, c := range []byte{good[i] ^ 1, 'A', '-', '.', '\n'} {
			if c == good[i] {
				continue
			}
			changed := good[:i] + string(c) + good[i+1:]
			if _, err := v.Verify(t.Context(), changed, testIssuer); err == nil {
				t.Fatalf("byte %d changed to %q: accepted", i, c)
			}
		}
		if i%7 == 0 {
			if _, err := v.Verify(t.Context(), good[:i], testIssuer); err == nil {
				t.Fatalf("cut to %d: accepted", i)
			}
		}
	}

	if _, err := v.Verify(t.Context(), good, "not a URL"); reason(err) != KeysUnavailable {
		t.Errorf("other issuer: %v", err)
	}
	src.err = errors.New("the store is closed")
	if _, err := v.Verify(t.Context(), good, testIssuer); reason(err) != KeysUnavailable || !errors.Is(err, src.err) {
		t.Errorf("failing source: %v", err)
	}
}

func publicDER(t *testing.T) []byte {
	t.Helper()
	k := jose.JSONWebKey{Key: &rsaKey().PublicKey}
	b, err := k.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAlgorithms(t *testing.T) {
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	edPub, ed, _ := ed25519.GenerateKey(rand.Reader)
	all := map[string]crypto.PublicKey{"rsa": &rsaKey().PublicKey, "p256": &p256.PublicKey, "p384": &p384.PublicKey, "p521": &p521.PublicKey, "ed": edPub}
	src := &localKeys{keys: all}
	v := NewVerifier(Options{Local: func(context.Context, string) (KeySource, bool) { return src, true }})
	for _, c := range []struct {
		alg jose.SignatureAlgorithm
		key any
		kid string
	}{
		{jose.RS256, rsaKey(), "rsa"}, {jose.RS384, rsaKey(), "rsa"}, {jose.RS512, rsaKey(), "rsa"},
		{jose.PS256, rsaKey(), "rsa"}, {jose.PS384, rsaKey(), "rsa"}, {jose.PS512, rsaKey(), "rsa"},
		{jose.ES256, p256, "p256"}, {jose.ES384, p384, "p384"}, {jose.ES512, p521, "p521"}, {jose.EdDSA, ed, "ed"},
	} {
		for kid := range all {
			s, err := jose.NewSigner(jose.SigningKey{Algorithm: c.alg, Key: jose.JSONWebKey{Key: c.key, KeyID: kid}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			jws, err := s.Sign([]byte(goodClaims))
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := jws.CompactSerialize()
			if _, err := v.Verify(t.Context(), raw, testIssuer); (err == nil) != (kid == c.kid) {
				t.Errorf("%s with the key %s: %v", c.alg, kid, err)
			}
		}
	}
}

func TestCheckTime(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		claims string
		leeway time.Duration
		want   string
	}{
		{`{}`, 0, ""},
		{`{"exp":1001,"nbf":1000,"iat":1000}`, 0, ""},
		{`{"exp":1000}`, 0, Expired},
		{`{"exp":1000}`, time.Second, ""},
		{`{"exp":0}`, 0, Expired},
		{`{"exp":-5}`, 0, Expired},
		{`{"nbf":1001}`, 0, NotYetValid},
		{`{"nbf":1001}`, time.Second, ""},
		{`{"iat":1001}`, 0, NotYetValid},
		{`{"iat":1000.5}`, 0, NotYetValid},
	} {
		tok := &Token{Claims: map[string]any{}}
		m, err := object([]byte(c.claims))
		if err != nil {
			t.Fatal(err)
		}
		tok.Claims = m
		if err := tok.setRegistered(); err != nil {
			t.Fatal(err)
		}
		err = tok.CheckTime(now, c.leeway)
		if c.want == "" && err != nil || c.want != "" && reason(err) != c.want {
			t.Errorf("%s leeway %v: %v", c.claims, c.leeway, err)
		}
	}
}

func TestScopes(t *testing.T) {
	for claims, want := range map[string]string{
		`{}`: "[]", `{"scope":"a  b"}`: "[a b]", `{"scp":"a b"}`: "[a b]", `{"scp":["a","b c",1]}`: "[a b c]",
		`{"scope":"a","scp":"b"}`: "[a]", `{"scope":["a"]}`: "[a]", `{"scope":1}`: "[]",
	} {
		m, err := object([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint((&Token{Claims: m}).Scopes()); got != want {
			t.Errorf("%s: %s, want %s", claims, got, want)
		}
	}
}

func TestCache(t *testing.T) {
	v, src := newLocal()
	good := signRS256(t, goodHeader, goodClaims)
	first, err := v.Verify(t.Context(), good, testIssuer)
	if err != nil {
		t.Fatal(err)
	}
	again, err := v.Verify(t.Context(), good, testIssuer)
	if err != nil || again != first || src.asked.Load() != 1 {
		t.Errorf("not kept: %v, %d look-ups", err, src.asked.Load())
	}
	if _, err := v.Verify(t.Context(), good, testIssuer+"x"); err == nil {
		t.Error("kept for another issuer")
	}
	src.version.Add(1)
	if tok, err := v.Verify(t.Context(), good, testIssuer); err != nil || tok == first {
		t.Errorf("kept although the keys changed: %v", err)
	}
	src.version.Add(1)
	delete(src.keys, "k1")
	if _, err := v.Verify(t.Context(), good, testIssuer); reason(err) != UnknownKey {
		t.Errorf("good although its key is gone: %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	src := &localKeys{}
	put := func(c *cache, size int) {
		for i := range 1000 {
			c.put(entry{&Token{Raw: fmt.Sprintf("%*d", size, i)}, "", src, 0})
			c.get(fmt.Sprintf("%*d", size, 0), "")
		}
	}
	c := &cache{max: 100}
	put(c, 10)
	if n := len(c.new) + len(c.old); n > 100 || n < 50 {
		t.Errorf("%d entries of at most 100", n)
	}
	if c.get(fmt.Sprintf("%*d", 10, 0), "") == nil {
		t.Error("an entry in use was dropped")
	}
	if c.get(fmt.Sprintf("%*d", 10, 1), "") != nil {
		t.Error("an old entry was not dropped")
	}
	c = &cache{max: 1 << 20}
	put(c, MaxSize*4)
	total := 0
	for raw := range c.new {
		total += len(raw)
	}
	for raw := range c.old {
		total += len(raw)
	}
	if total > maxBytes+MaxSize*8 {
		t.Errorf("%d bytes of at most %d", total, maxBytes)
	}
	c = &cache{max: -1}
	put(c, 10)
	if len(c.new)+len(c.old) != 0 {
		t.Error("no cache asked for, but there is one")
	}
}

func FuzzVerify(f *testing.F) {
	v, _ := newLocal()
	good := signRS256(f, goodHeader, goodClaims)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(b64(`{"kid":"k1","alg":"none"}`) + "." + b64(goodClaims) + ".")
	f.Add(b64(`{"kid":"k1","alg":"RS256","crit":["b64"],"b64":false}`) + ".e30.e30")
	f.Fuzz(func(t *testing.T, raw string) {
		tok, err := v.Verify(t.Context(), raw, testIssuer)
		if (err == nil) != (raw == good) {
			t.Errorf("%q: %v", raw, err)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Reason == "" || tok != nil) {
			t.Errorf("error %T %v", err, err)
		}
	})
}

func FuzzObject(f *testing.F) {
	f.Add(goodClaims)
	f.Fuzz(func(t *testing.T, s string) {
		m, err := object([]byte(s))
		if err != nil {
			return
		}
		var std map[string]any
		if json.Unmarshal([]byte(s), &std) != nil || len(std) != len(m) {
			t.Errorf("%q: encoding/json disagrees", s)
		}
	})
}

func BenchmarkVerifyCold(b *testing.B) {
	_, src := newLocal()
	v := NewVerifier(Options{CacheSize: -1, Local: func(context.Context, string) (KeySource, bool) { return src, true }})
	good := signRS256(b, goodHeader, goodClaims)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), good, testIssuer); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyCached(b *testing.B) {
	v, _ := newLocal()
	good := signRS256(b, goodHeader, goodClaims)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), good, testIssuer); err != nil {
			b.Fatal(err)
		}
	}
}

// The signature alone, for comparison.
func BenchmarkRSAVerify(b *testing.B) {
	sum := sha256.Sum256(nil)
	sig, _ := rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, sum[:])
	for b.Loop() {
		if rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, sum[:], sig) != nil {
			b.Fatal()
		}
	}
}

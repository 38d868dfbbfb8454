package token

import (
	"context"
	"crypto"
	"crypto/rsa"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// DefaultCacheSize is how many verified tokens are kept unless the options say otherwise.
const DefaultCacheSize = 8192

// Options are what a [Verifier] is made from. All fields may be left zero.
type Options struct {
	// Local returns the keys of an issuer that is a user pool here; false: it is elsewhere.
	Local func(ctx context.Context, issuer string) (KeySource, bool)

	HTTPClient *http.Client     // for remote issuers; its CheckRedirect is not used
	Now        func() time.Time // nil: time.Now
	CacheSize  int              // how many verified tokens are kept; 0: DefaultCacheSize, negative: none
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	local func(ctx context.Context, issuer string) (KeySource, bool)
	now   func() time.Time
	http  *http.Client
	cache cache

	mu      sync.Mutex
	remotes map[string]*remote // by issuer
}

// NewVerifier returns a verifier.
func NewVerifier(o Options) *Verifier {
	v := &Verifier{local: o.Local, now: o.Now, http: newHTTPClient(o.HTTPClient), remotes: map[string]*remote{}}
	if v.now == nil {
		v.now = time.Now
	}
	v.cache.max = o.CacheSize
	if o.CacheSize == 0 {
		v.cache.max = DefaultCacheSize
	}
	return v
}

// Verify returns the token in raw if it is well-formed and signed by the issuer: by one of the keys of the
// local pool, or of those that the issuer's discovery document leads to. It does not look at what the
// token claims, not even at iss, nor at the time, also not for a token that it has kept: that is for
// the caller, each time. The error is an [*Error].
func (v *Verifier) Verify(ctx context.Context, raw, issuer string) (*Token, error) {
	if t := v.cache.get(raw, issuer); t != nil {
		return t, nil
	}
	p, err := parse(raw)
	if err != nil {
		return nil, err
	}
	src, err := v.source(ctx, issuer)
	if err != nil {
		return nil, err
	}
	version := src.Version() // before the look-up: a change during it must not go unseen
	payload, err := p.verify(ctx, src)
	if err != nil {
		return nil, err
	}
	t := &Token{Raw: raw, Header: p.header, KeyID: p.kid, Algorithm: p.alg}
	if t.Claims, err = object(payload); err != nil {
		return nil, &Error{Reason: BadClaims, Detail: "the claims are not a JSON object", Cause: err}
	}
	if err := t.setRegistered(); err != nil {
		return nil, err
	}
	v.cache.put(entry{t, issuer, src, version})
	return t, nil
}

// verify returns the payload if the signature is good.
func (p *parsed) verify(ctx context.Context, src KeySource) ([]byte, error) {
	key, alg, err := src.Key(ctx, p.kid)
	if err != nil {
		return nil, &Error{Reason: KeysUnavailable, Detail: "the issuer's keys cannot be had", Cause: err}
	}
	if key == nil {
		return nil, &Error{Reason: UnknownKey, Detail: "the issuer has no such key for signatures", Got: "kid " + quote(p.kid), Want: "the kid of one of the issuer's keys"}
	}
	if alg != "" && alg != p.alg {
		return nil, &Error{Reason: BadAlgorithm, Detail: "the key is for another algorithm", Got: "alg " + quote(p.alg), Want: quote(alg)}
	}
	if !fits(key, p.alg) {
		return nil, &Error{Reason: BadAlgorithm, Detail: "the key is not of the algorithm's type", Got: "alg " + quote(p.alg), Want: "one for such a key"}
	}
	var verifier any = key
	if k, ok := key.(*rsa.PublicKey); ok && p.alg[0] == 'P' {
		verifier = pss{k}
	}
	payload, err := p.jws.Verify(verifier)
	if err != nil {
		return nil, &Error{Reason: BadSignature, Detail: "the signature is not by this key", Cause: err}
	}
	return payload, nil
}

// pss verifies RSASSA-PSS with a salt as long as the hash, as RFC 7518, section 3.5 has it; go-jose takes
// any length.
type pss struct{ *rsa.PublicKey }

func (k pss) VerifyPayload(payload, signature []byte, alg jose.SignatureAlgorithm) error {
	hash := map[jose.SignatureAlgorithm]crypto.Hash{jose.PS256: crypto.SHA256, jose.PS384: crypto.SHA384, jose.PS512: crypto.SHA512}[alg]
	if hash == 0 {
		return jose.ErrUnsupportedAlgorithm
	}
	h := hash.New()
	h.Write(payload)
	return rsa.VerifyPSS(k.PublicKey, hash, h.Sum(nil), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
}

func (v *Verifier) source(ctx context.Context, issuer string) (KeySource, error) {
	if v.local != nil {
		if src, ok := v.local(ctx, issuer); ok {
			return src, nil
		}
	}
	return v.remote(issuer)
}

type entry struct {
	*Token
	issuer  string
	src     KeySource
	version uint64
}

// cache holds verified tokens, the max/2 last used for certain and at most max, in at most about
// maxBytes. Only what has verified gets in, so nobody can push out others' tokens with made-up ones.
type cache struct {
	max int

	mu       sync.RWMutex
	new, old map[string]entry
	bytes    int // in new
}

// maxBytes bounds the text of the tokens in the cache; the rest of an entry is about twice as large.
const maxBytes = 16 << 20

func (c *cache) get(raw, issuer string) *Token {
	c.mu.RLock()
	e, young := c.new[raw]
	if !young {
		e = c.old[raw]
	}
	c.mu.RUnlock()
	if e.Token == nil || e.issuer != issuer || e.version != e.src.Version() {
		return nil
	}
	if !young {
		c.put(e)
	}
	return e.Token
}

func (c *cache) put(e entry) {
	if c.max < 2 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.new == nil || len(c.new) >= c.max/2 || c.bytes >= maxBytes/2 {
		c.old, c.new, c.bytes = c.new, make(map[string]entry), 0
	}
	c.new[e.Raw] = e
	c.bytes += len(e.Raw)
}

package token

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How the keys of a remote issuer are fetched.
const (
	maxDocument  = 1 << 20          // bytes of a discovery document or key set
	maxRedirects = 3                // of one fetch
	fetchTimeout = 5 * time.Second  // for one document
	retryEmpty   = 2 * time.Second  // between attempts while there are no keys
	retryKnown   = 30 * time.Second // between attempts while there are some
	minFresh     = 5 * time.Minute  // keys are not looked for again before, unless for an unknown kid
	defaultFresh = time.Hour        // without Cache-Control
	maxFresh     = 24 * time.Hour   // whatever Cache-Control says
	maxRemotes   = 1024             // issuers that are kept
)

// remote is an issuer elsewhere. Keys that were fetched stay good until other ones are fetched: an issuer
// that cannot be reached for a while does not lock anyone out.
type remote struct {
	issuer string
	fetch  func(ctx context.Context, issuer string) (jwks []byte, fresh time.Duration, err error)
	now    func() time.Time

	set     atomic.Pointer[KeySet]
	version atomic.Uint64
	due     atomic.Int64 // when to look for new keys, in Unix nanoseconds; 0: no keys yet

	mu       sync.Mutex
	sum      [sha256.Size]byte // of the set
	lastTry  time.Time
	lastErr  error         // of the last attempt
	inFlight chan struct{} // closed when the attempt under way ends

	used time.Time // guarded by Verifier.mu
}

var _ KeySource = (*remote)(nil)

func (v *Verifier) remote(issuer string) (*remote, error) {
	if err := checkURL(issuer); err != nil {
		return nil, &Error{Reason: KeysUnavailable, Detail: "the issuer is no usable URL", Got: quote(issuer), Want: "an https URL", Cause: err}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.remotes[issuer]
	if r == nil {
		if len(v.remotes) >= maxRemotes {
			var oldest *remote
			for _, x := range v.remotes {
				if oldest == nil || x.used.Before(oldest.used) {
					oldest = x
				}
			}
			delete(v.remotes, oldest.issuer)
			oldest.version.Add(1)
		}
		r = &remote{issuer: issuer, fetch: v.fetchKeys, now: v.now}
		v.remotes[issuer] = r
	}
	r.used = v.now()
	return r, nil
}

// Version implements [KeySource]. It starts looking for new keys where it is time to.
func (r *remote) Version() uint64 {
	if due := r.due.Load(); due != 0 && r.now().UnixNano() >= due {
		r.attempt()
	}
	return r.version.Load()
}

// Key implements [KeySource].
func (r *remote) Key(ctx context.Context, kid string) (crypto.PublicKey, string, error) {
	r.Version()
	for {
		set := r.set.Load()
		if set != nil {
			if key, alg, _ := set.Key(ctx, kid); key != nil {
				return key, alg, nil
			}
		}
		done, err := r.attempt()
		if done == nil {
			if r.set.Load() != set {
				continue // an attempt has ended just now
			}
			if set != nil {
				err = nil // there are keys, and this is not one of them
			}
			return nil, "", err
		}
		select {
		case <-done:
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
}

// attempt begins to fetch the keys, unless that was tried too recently, and returns a channel that is closed
// when that ends; else nil and the error of the last attempt. Callers share one attempt.
func (r *remote) attempt() (<-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inFlight != nil {
		return r.inFlight, nil
	}
	interval := retryEmpty
	if r.set.Load() != nil {
		interval = retryKnown
	}
	now := r.now()
	if !r.lastTry.IsZero() && now.Sub(r.lastTry) < interval {
		return nil, r.lastErr
	}
	r.lastTry = now
	done := make(chan struct{})
	r.inFlight = done
	go func() {
		defer close(done)
		// Not a caller's context: the result is for all.
		jwks, fresh, err := r.fetch(context.Background(), r.issuer)
		var set *KeySet
		if err == nil {
			set, err = NewKeySet(jwks)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.inFlight, r.lastErr = nil, err
		if err != nil {
			if r.set.Load() != nil {
				r.due.Store(r.now().Add(retryKnown).UnixNano())
			}
			return
		}
		if sum := sha256.Sum256(jwks); r.set.Load() == nil || sum != r.sum {
			r.sum = sum
			r.set.Store(set)
			r.version.Add(1)
		}
		r.due.Store(r.now().Add(fresh).UnixNano())
	}()
	return done, nil
}

// fetchKeys follows the issuer's discovery document to its keys.
func (v *Verifier) fetchKeys(ctx context.Context, issuer string) (jwks []byte, fresh time.Duration, err error) {
	data, _, err := v.get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, 0, err
	}
	var doc struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, 0, fmt.Errorf("discovery document of %s is not JSON of the right form", issuer)
	}
	if doc.Issuer != issuer {
		return nil, 0, fmt.Errorf("discovery document of %s is that of %q", issuer, doc.Issuer)
	}
	if err := checkURL(doc.JWKSURI); err != nil {
		return nil, 0, fmt.Errorf("jwks_uri of %s: %w", issuer, err)
	}
	return v.get(ctx, doc.JWKSURI)
}

func (v *Verifier) get(ctx context.Context, u string) (body []byte, fresh time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := v.http.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("%s answered %s", u, resp.Status)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", u, err)
	}
	if len(body) > maxDocument {
		return nil, 0, fmt.Errorf("%s is larger than %d bytes", u, maxDocument)
	}
	return body, freshness(resp.Header.Get("Cache-Control")), nil
}

// freshness returns how long a key set may be used before it is looked at again.
func freshness(cacheControl string) time.Duration {
	fresh := defaultFresh
	for d := range strings.SplitSeq(cacheControl, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(strings.ToLower(d)), "=")
		switch name {
		case "no-store", "no-cache":
			return minFresh
		case "max-age":
			if n, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32); err == nil {
				fresh = time.Duration(n) * time.Second
			}
		}
	}
	return min(max(fresh, minFresh), maxFresh)
}

// checkURL accepts https, and plain http on this machine.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return errors.New("not a URL")
	}
	if u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("not an https URL")
	}
	if u.Scheme == "https" {
		return nil
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	if u.Scheme == "http" && (host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("not an https URL")
}

func newHTTPClient(base *http.Client) *http.Client {
	c := &http.Client{}
	if base != nil {
		*c = *base
	} else {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 1
		t.IdleConnTimeout = 10 * time.Second
		t.MaxResponseHeaderBytes = 64 << 10
		c.Transport = t
	}
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errors.New("too many redirects")
		}
		return checkURL(req.URL.String())
	}
	return c
}

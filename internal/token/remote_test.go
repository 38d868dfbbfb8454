package token

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// provider is an OpenID Connect provider that does as it is told.
type provider struct {
	*httptest.Server
	mu        sync.Mutex
	discovery func(w http.ResponseWriter, r *http.Request) // nil: as it should be
	keys      func(w http.ResponseWriter, r *http.Request)
	fetched   map[string]int
}

func newProvider(t *testing.T) *provider {
	p := &provider{fetched: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.fetched[r.URL.Path]++
		h := map[string]func(http.ResponseWriter, *http.Request){"/.well-known/openid-configuration": p.discovery, "/keys": p.keys}[r.URL.Path]
		p.mu.Unlock()
		if h != nil {
			h(w, r)
		}
	}))
	t.Cleanup(p.Close)
	p.setDiscovery(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, p.URL, p.URL+"/keys")
	})
	p.setKeys("k1")
	return p
}

func (p *provider) setDiscovery(f func(w http.ResponseWriter, r *http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discovery = f
}

// setKeys publishes the test key under the given ids.
func (p *provider) setKeys(kids ...string) {
	var set jose.JSONWebKeySet
	for _, kid := range kids {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &rsaKey().PublicKey, KeyID: kid, Algorithm: "RS256", Use: "sig"})
	}
	data, _ := json.Marshal(set)
	p.serveKeys(func(w http.ResponseWriter, r *http.Request) { w.Write(data) })
}

func (p *provider) serveKeys(f func(w http.ResponseWriter, r *http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = f
}

func (p *provider) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetched[path]
}

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for range 500 {
		if f() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func TestRemote(t *testing.T) {
	p := newProvider(t)
	clk := &clock{t: time.Unix(1e9, 0)}
	v := NewVerifier(Options{Now: clk.now})
	one := signRS256(t, `{"kid":"k1","alg":"RS256"}`, `{"n":1}`)
	two := signRS256(t, `{"kid":"k2","alg":"RS256"}`, `{"n":1}`)
	check := func(when, raw, want string) {
		t.Helper()
		_, err := v.Verify(t.Context(), raw, p.URL)
		if want == "" && err != nil || want != "" && reason(err) != want {
			t.Errorf("%s: %v, want %q", when, err, want)
		}
	}

	// Many at once cause one fetch.
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { check("first", one, "") })
	}
	wg.Wait()
	if n := p.count("/keys"); n != 1 {
		t.Errorf("%d fetches for 20 tokens", n)
	}

	// An unknown kid causes one more in 30 seconds, and then finds the new key.
	p.setKeys("k1", "k2")
	for range 5 {
		check("unknown kid, too soon", two, UnknownKey)
	}
	clk.pass(31 * time.Second)
	check("unknown kid", two, "")
	check("the old one", one, "")
	if n := p.count("/keys"); n != 2 {
		t.Errorf("%d fetches", n)
	}

	// A key that has gone takes its tokens along when the keys are looked at again.
	p.setKeys("k2")
	clk.pass(4 * time.Minute)
	check("k1 removed, keys still fresh", one, "")
	clk.pass(time.Hour)
	check("k1 removed, keys not fresh", two, "") // notices that it is time
	eventually(t, "k1 refused", func() bool {
		_, err := v.Verify(t.Context(), one, p.URL)
		return reason(err) == UnknownKey
	})
	check("k2 stays", two, "")

	// While the issuer is away, the known keys go on being good, and it is not asked all the time.
	p.serveKeys(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	clk.pass(48 * time.Hour)
	before := p.count("/keys")
	for range 50 {
		check("issuer away", two, "")
	}
	eventually(t, "an attempt", func() bool { return p.count("/keys") > before })
	for range 50 {
		check("issuer away", two, "")
	}
	if n := p.count("/keys") - before; n != 1 {
		t.Errorf("%d attempts while the issuer is away", n)
	}
	p.setKeys("k1")
	clk.pass(time.Minute)
	eventually(t, "the issuer is back", func() bool {
		_, err := v.Verify(t.Context(), two, p.URL)
		return reason(err) == UnknownKey
	})
}

func TestRemoteRefuses(t *testing.T) {
	raw := signRS256(t, goodHeader, goodClaims)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		prepare func(p *provider)
		reason  string
		text    string
	}{
		"other issuer in document": {func(p *provider) {
			p.setDiscovery(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, p.URL+"/", p.URL+"/keys")
			})
		}, KeysUnavailable, "is that of"},
		"no document": {func(p *provider) { p.setDiscovery(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }) }, KeysUnavailable, "404"},
		"no JSON": {func(p *provider) {
			p.setDiscovery(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>") })
		}, KeysUnavailable, "not JSON"},
		"jwks_uri not https": {func(p *provider) {
			p.setDiscovery(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"http://example.com/keys"}`, p.URL)
			})
		}, KeysUnavailable, "https"},
		"jwks_uri a file": {func(p *provider) {
			p.setDiscovery(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"file:///etc/passwd"}`, p.URL)
			})
		}, KeysUnavailable, "https"},
		"keys too large": {func(p *provider) {
			p.serveKeys(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, `{"keys":[`+strings.Repeat(" ", maxDocument)+`]}`)
			})
		}, KeysUnavailable, "larger than"},
		"keys no set": {func(p *provider) {
			p.serveKeys(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `[]`) })
		}, KeysUnavailable, "not a JSON Web Key Set"},
		"redirect loop": {func(p *provider) {
			p.serveKeys(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", 302) })
		}, KeysUnavailable, "redirects"},
		"redirect away": {func(p *provider) {
			p.serveKeys(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://example.com/", 302) })
		}, KeysUnavailable, "https"},
		"no keys": {func(p *provider) {
			p.serveKeys(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"keys":[]}`) })
		}, UnknownKey, ""},
		"other key of the name": {func(p *provider) {
			data, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &other.PublicKey, KeyID: "k1"}}})
			p.serveKeys(func(w http.ResponseWriter, r *http.Request) { w.Write(data) })
		}, BadSignature, ""},
	} {
		p := newProvider(t)
		c.prepare(p)
		v := NewVerifier(Options{})
		_, err := v.Verify(t.Context(), raw, p.URL)
		if reason(err) != c.reason || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, issuer := range []string{"", "x", "http://example.com", "ftp://example.com", "https://user:pw@example.com", "https://example.com/#x", "https://"} {
		if _, err := NewVerifier(Options{}).Verify(t.Context(), raw, issuer); reason(err) != KeysUnavailable {
			t.Errorf("issuer %q: %v", issuer, err)
		}
	}
}

// A caller who gives up does not wait, and does not spoil it for others.
func TestRemoteContext(t *testing.T) {
	p := newProvider(t)
	release := make(chan struct{})
	served := p.keys
	p.serveKeys(func(w http.ResponseWriter, r *http.Request) { <-release; served(w, r) })
	v := NewVerifier(Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	raw := signRS256(t, goodHeader, goodClaims)
	if _, err := v.Verify(ctx, raw, p.URL); reason(err) != KeysUnavailable {
		t.Errorf("%v", err)
	}
	close(release)
	if _, err := v.Verify(t.Context(), raw, p.URL); err != nil {
		t.Error(err)
	}
	if n := p.count("/keys"); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestRemotesAreBounded(t *testing.T) {
	v := NewVerifier(Options{})
	for i := range maxRemotes + 50 {
		if _, err := v.remote(fmt.Sprintf("https://%d.example.com", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(v.remotes) > maxRemotes {
		t.Errorf("%d issuers are kept", len(v.remotes))
	}
}

func TestFreshness(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": defaultFresh, "max-age=7200": 2 * time.Hour, "public, max-age=10": minFresh, "Max-Age=\"600\"": 10 * time.Minute,
		"no-store": minFresh, "max-age=99999999": maxFresh, "max-age=x": defaultFresh, "max-age=-1": minFresh,
	} {
		if got := freshness(header); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestKeySet(t *testing.T) {
	n := jose.JSONWebKey{Key: &rsaKey().PublicKey, KeyID: "k", Use: "sig"}
	good, _ := json.Marshal(n)
	g := string(good)
	n.Key = &rsa.PublicKey{N: rsaKey().N, E: 3}
	other, _ := json.Marshal(n)
	for name, c := range map[string]struct {
		set  string
		want int // keys
	}{
		"one":              {g, 1},
		"the same twice":   {g + "," + g, 1},
		"two of one kid":   {g + "," + string(other), 0},
		"three of one kid": {g + "," + string(other) + "," + g, 0},
		"for encryption":   {strings.Replace(g, `"sig"`, `"enc"`, 1), 0},
		"no kid":           {strings.Replace(g, `"kid":"k"`, `"x":"k"`, 1), 0},
		"ops":              {strings.Replace(g, `{`, `{"key_ops":["verify"],`, 1), 1},
		"other ops":        {strings.Replace(g, `{`, `{"key_ops":["encrypt"],`, 1), 0},
		"symmetric":        {`{"kty":"oct","kid":"k","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`, 0},
		"unknown type":     {`{"kty":"XYZ","kid":"x"},` + g, 1},
		"not a key":        {`7,"x",null,` + g, 1},
	} {
		s, err := NewKeySet([]byte(`{"keys":[` + c.set + `]}`))
		if err != nil || len(s.keys) != c.want {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	for _, bad := range []string{"", "[]", "{}", `{"keys":null}`, `{"keys":{}}`, `{"keys":[` + strings.Repeat("1,", maxKeys) + `1]}`} {
		if _, err := NewKeySet([]byte(bad)); err == nil {
			t.Errorf("%.20q accepted", bad)
		}
	}
}

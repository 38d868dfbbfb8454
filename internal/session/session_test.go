package session

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
)

// clock is a time that tests set.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newMint(t testing.TB, fill byte) (*Mint, *clock) {
	t.Helper()
	box, err := seal.FromBytes([]byte(strings.Repeat(string(rune(fill)), seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}
	return NewMint(box, c.now), c
}

func roleSession(c *clock) *Session {
	return &Session{Type: policy.RoleSession, Account: "000000000000", OwnerARN: "arn:aws:iam::000000000000:role/app/reader", OwnerID: "AROAIOSFODNN7EXAMPLE1",
		OwnerName: "reader", Name: "alice", Expires: c.t.Add(time.Hour).Unix()}
}

func TestRoundTrip(t *testing.T) {
	m, c := newMint(t, 'a')
	full := roleSession(c)
	full.Policies = []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}
	full.PolicyARNs = []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
	full.Tags = map[string]string{"team": "blue", "käse": "ja"}
	full.Transitive = []string{"team"}
	full.SourceIdentity = "alice"
	full.Provider = "cognito-identity.amazonaws.com"
	full.Context = map[string][]string{"cognito-identity.amazonaws.com:amr": {"authenticated", "x"}}
	full.MFA = true
	for name, s := range map[string]*Session{"plain": roleSession(c), "full": full} {
		cred, err := m.Issue(s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.HasPrefix(cred.AccessKey, "ASIA") || len(cred.AccessKey) != 20 || len(cred.Secret.Reveal()) != 40 || cred.Expires.Unix() != s.Expires {
			t.Errorf("%s: %+v", name, cred)
		}
		if s.Issued != c.t.Unix() {
			t.Errorf("%s: issued %d", name, s.Issued)
		}
		for range 3 { // opened, and from the cache
			got, secret, err := m.Open(cred.AccessKey, cred.Token)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if secret != cred.Secret {
				t.Errorf("%s: another secret", name)
			}
			if d := cmp.Diff(s, got); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
		t.Logf("%s: %d characters", name, len(cred.Token))
	}
}

func TestAnotherNodeOpens(t *testing.T) {
	a, c := newMint(t, 'a')
	b, _ := newMint(t, 'a')
	other, _ := newMint(t, 'b')
	cred, err := a.Issue(roleSession(c))
	if err != nil {
		t.Fatal(err)
	}
	if _, secret, err := b.Open(cred.AccessKey, cred.Token); err != nil || secret != cred.Secret {
		t.Errorf("with the same seal key: %v", err)
	}
	if _, _, err := other.Open(cred.AccessKey, cred.Token); !errors.Is(err, ErrInvalid) {
		t.Errorf("with another seal key: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	m, c := newMint(t, 'a')
	cred, err := m.Issue(roleSession(c))
	if err != nil {
		t.Fatal(err)
	}
	c.t = c.t.Add(time.Hour - time.Second)
	if _, _, err := m.Open(cred.AccessKey, cred.Token); err != nil {
		t.Errorf("in its last second: %v", err)
	}
	c.t = c.t.Add(time.Second)
	if _, _, err := m.Open(cred.AccessKey, cred.Token); !errors.Is(err, ErrExpired) {
		t.Errorf("from the cache: %v", err)
	}
	fresh, _ := newMint(t, 'a')
	fresh.now = c.now
	if _, _, err := fresh.Open(cred.AccessKey, cred.Token); !errors.Is(err, ErrExpired) {
		t.Errorf("opened anew: %v", err)
	}
	if n := len(fresh.cache.new); n != 0 {
		t.Errorf("%d expired tokens in the cache", n)
	}
}

// A changed character anywhere, another key, another length: none opens.
func TestForgeries(t *testing.T) {
	m, c := newMint(t, 'a')
	cred, err := m.Issue(roleSession(c))
	if err != nil {
		t.Fatal(err)
	}
	other, err := m.Issue(roleSession(c))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, key, token string) {
		t.Helper()
		if _, _, err := m.Open(key, token); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, _, err := m.Open(cred.AccessKey, cred.Token); err != nil {
		t.Fatal(err)
	}
	for i := range cred.Token {
		b := []byte(cred.Token)
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
		refused(fmt.Sprint("changed at ", i), cred.AccessKey, string(b))
	}
	refused("the token of another key", cred.AccessKey, other.Token)
	refused("another key", other.AccessKey, cred.Token)
	refused("key in lower case", strings.ToLower(cred.AccessKey), cred.Token)
	refused("no key", "", cred.Token)
	refused("no token", cred.AccessKey, "")
	refused("a line break", cred.AccessKey, cred.Token[:8]+"\n"+cred.Token[8:])
	refused("no padding", cred.AccessKey, strings.TrimRight(cred.Token, "=")+"A")
	refused("too long", cred.AccessKey, cred.Token+strings.Repeat("A", MaxToken))
	refused("shifted", cred.AccessKey[:19], cred.AccessKey[19:]+cred.Token)
	// Sealed by the same key for something else.
	body := []byte(strings.Repeat("s", secretSize) + "\x00{}")
	refused("another purpose", cred.AccessKey, base64.StdEncoding.EncodeToString(m.box.Seal(body, cred.AccessKey)))
}

func TestIssueRefuses(t *testing.T) {
	m, c := newMint(t, 'a')
	for name, change := range map[string]func(*Session){
		"no account":    func(s *Session) { s.Account = "" },
		"no owner":      func(s *Session) { s.OwnerID = "" },
		"no name":       func(s *Session) { s.Name = "" },
		"no end":        func(s *Session) { s.Expires = 0 },
		"no type":       func(s *Session) { s.Type = policy.Anonymous },
		"service":       func(s *Session) { s.Type = policy.AWSService },
		"ends at once":  func(s *Session) { s.Expires = c.t.Unix() },
		"user, no name": func(s *Session) { s.Type, s.OwnerName = policy.User, "" },
	} {
		s := roleSession(c)
		change(s)
		if _, err := m.Issue(s); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
	s := roleSession(c)
	s.Tags = map[string]string{}
	for i := range 200 {
		s.Tags[fmt.Sprint(i)] = base64.StdEncoding.EncodeToString(m.box.Seal(nil, "incompressible"))
	}
	if _, err := m.Issue(s); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large: %v", err)
	}
}

func TestPrincipal(t *testing.T) {
	_, c := newMint(t, 'a')
	tags := map[string]string{"k": "v"}
	role := roleSession(c)
	role.Tags, role.Provider = tags, "accounts.google.com"
	tests := []struct {
		s    *Session
		want policy.Principal
	}{
		{role, policy.Principal{Type: policy.RoleSession, ARN: "arn:aws:sts::000000000000:assumed-role/reader/alice", Account: "000000000000",
			Issuer: "arn:aws:iam::000000000000:role/app/reader", ID: "AROAIOSFODNN7EXAMPLE1", UserID: "AROAIOSFODNN7EXAMPLE1:alice", Provider: "accounts.google.com", Tags: tags}},
		{&Session{Type: policy.FederatedUser, Account: "000000000000", OwnerARN: "arn:aws:iam::000000000000:user/bob", OwnerID: "AIDA1", OwnerName: "bob", Name: "fed"},
			policy.Principal{Type: policy.FederatedUser, ARN: "arn:aws:sts::000000000000:federated-user/fed", Account: "000000000000",
				Issuer: "arn:aws:iam::000000000000:user/bob", ID: "AIDA1", UserID: "000000000000:fed"}},
		{&Session{Type: policy.User, Account: "000000000000", OwnerARN: "arn:aws:iam::000000000000:user/a/bob", OwnerID: "AIDA1", OwnerName: "bob"},
			policy.Principal{Type: policy.User, ARN: "arn:aws:iam::000000000000:user/a/bob", Account: "000000000000", ID: "AIDA1", UserID: "AIDA1", Name: "bob"}},
		{&Session{Type: policy.RootUser, Account: "000000000000", OwnerID: "000000000000"},
			policy.Principal{Type: policy.RootUser, ARN: "arn:aws:iam::000000000000:root", Account: "000000000000", ID: "000000000000", UserID: "000000000000"}},
	}
	for _, test := range tests {
		if d := cmp.Diff(test.want, test.s.Principal()); d != "" {
			t.Error(d)
		}
	}
}

// The cache stays bounded, whatever comes, and forgets what is not used.
func TestCacheBound(t *testing.T) {
	m, c := newMint(t, 'a')
	m.cache.max = 8
	first, err := m.Issue(roleSession(c))
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		cred, err := m.Issue(roleSession(c))
		if err != nil {
			t.Fatal(err)
		}
		for _, cr := range []Credentials{cred, first} {
			if _, _, err := m.Open(cr.AccessKey, cr.Token); err != nil {
				t.Fatal(err)
			}
			m.Open(cr.AccessKey, cr.Token[1:]) // never gets in
		}
		if n := len(m.cache.new) + len(m.cache.old); n > 8 {
			t.Fatalf("%d tokens in the cache", n)
		}
	}
}

// A token that was made by an earlier version, and still opens: the form of tokens does not change
// while they are in people's hands.
const (
	oldKey   = "ASIAT7KQWVFGTGRX5I6H"
	oldToken = "AeW9k70SiviGcCZvvuow+bNvtYJ48fd7qREqg7u38xcj1NnT0EZAeUJqfDQ5O35IzBVXKCdQrsoV+vx2arbh6Ehov6oD54yfZqCoJLAWmah0uPZt5OSLyI/MOZ2feqVtnyMIIiSVpxANQrgb+zNy9TVNi7hbNgoHw2eB4Ano6f/ssNazNf4W9xysXKI0y+xRjJ/vu0/s5JYfXIkBwSNsnTp9k8OI18R68okN9SQMaacCjwfOH1NzsiGqCER0rIR5O10vxP3X5V3lAQgtRmUoSD0eoIiEk0ZkZ9yiCBfamIQRx9HG3WlOLVU="
)

func TestOldToken(t *testing.T) {
	m, c := newMint(t, 'a')
	s, secret, err := m.Open(oldKey, oldToken)
	if err != nil {
		t.Fatal(err)
	}
	want := roleSession(c)
	want.Issued = c.t.Unix()
	if d := cmp.Diff(want, s); d != "" || secret.Reveal() != "kQhfbfO7srdjh8PmXfAkBHwWHBoXLC9mMRms6/LW" {
		t.Error(d)
	}
}

func FuzzOpen(f *testing.F) {
	m, _ := newMint(f, 'a')
	f.Add(oldKey, oldToken)
	f.Add(oldKey, oldToken[:40])
	f.Add("ASIA", "")
	f.Fuzz(func(t *testing.T, key, token string) {
		s, _, err := m.Open(key, token)
		switch {
		case err == nil && (key != oldKey || token != oldToken):
			t.Errorf("opened %q %q", key, token)
		case err != nil && (s != nil || !errors.Is(err, ErrInvalid)):
			t.Errorf("%v, %v", s, err)
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	m, c := newMint(b, 'a')
	s := roleSession(c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Issue(s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen is the cost of a session token for each signed call that bears one.
func BenchmarkOpen(b *testing.B) {
	m, c := newMint(b, 'a')
	s := roleSession(c)
	s.Context = map[string][]string{"cognito-identity.amazonaws.com:aud": {"us-east-1:9e9d2b5e-5b0c-4f0a-9a51-0d5b2f1a7f10"}}
	cred, err := m.Issue(s)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("kept", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := m.Open(cred.AccessKey, cred.Token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("anew", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := m.open(cred.AccessKey, cred.Token); !ok {
				b.Fatal("does not open")
			}
		}
	})
}

package domains

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

const (
	testRegion  = "us-east-1"
	testAccount = "000000000000"
)

func testARN(name string) string {
	return "arn:aws:acm:" + testRegion + ":" + testAccount + ":certificate/" + name
}

// issued is a certificate and its key, as PEM too.
type issued struct {
	cert     *x509.Certificate
	key      *ecdsa.PrivateKey
	pem, pvt []byte
}

// issue makes a certificate; by signs it, or it itself.
func issue(t testing.TB, by *issued, change func(*x509.Certificate)) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	if change != nil {
		change(tmpl)
	}
	parent, signer := tmpl, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pvt, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{c, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pvt})}
}

func authority(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid, c.KeyUsage = name, true, true, x509.KeyUsageCertSign
	}
}

func forNames(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = names }
}

func write(t testing.TB, path string, parts ...[]byte) {
	t.Helper()
	if err := os.WriteFile(path, bytes.Join(parts, nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

// testAPIs have the API "api" with the stage "prod".
type testAPIs struct{ id string }

func (a *testAPIs) MappedAPI(_ *store.Tx, region, id, stage string) (bool, bool, error) {
	return region == testRegion && id == a.id, stage == "prod", nil
}

type testObjects map[string]string

func (o testObjects) OpenObject(_ context.Context, bucket, key, version string) (io.ReadCloser, int64, error) {
	text, ok := o[bucket+"/"+key+"?"+version]
	if !ok {
		return nil, 0, shape.Errorf("NoSuchKey", 404, "The specified key does not exist.")
	}
	return io.NopCloser(strings.NewReader(text)), int64(len(text)), nil
}

func testService(t testing.TB, db *store.DB, change func(*Options)) *Service {
	t.Helper()
	box, err := seal.FromBytes(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{DB: db, Seal: box, Account: testAccount, Objects: testObjects{}}
	if change != nil {
		change(&o)
	}
	s := New(o)
	s.Serve(&testAPIs{"api"})
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, err error, code, text string) {
	t.Helper()
	var e *shape.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, text) {
		t.Errorf("error is %v, want %s: … %s …", err, code, text)
	}
}

func host(t testing.TB, s *Service, name string) *Host {
	t.Helper()
	h, err := s.Host(t.Context(), name)
	check(t, err)
	return h
}

func regional(name string) *Domain {
	return &Domain{Name: name, Region: testRegion, Endpoint: Regional, RegionalARN: testARN("x")}
}

func TestHosts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		s := testService(t, db, func(o *Options) { o.Own = func(name string) bool { return name == "auth.example.com" } })
		if host(t, s, "api.example.com") != nil {
			t.Error("there is a domain")
		}
		for _, name := range []string{"*.example.com", "API.example.com"} {
			check(t, s.Create(ctx, regional(name)))
		}
		for name, want := range map[string]string{"api.example.com": "api.example.com", "Api.Example.Com.": "api.example.com", "other.example.com": "*.example.com",
			"a.b.example.com": "", "example.com": "", "auth.example.com": "", "": "", ".": "", ".example.com": "", "localhost": "", "*.example.com": "*.example.com"} {
			got := ""
			if h := host(t, s, name); h != nil {
				got = h.Domain
			}
			if got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		for name, text := range map[string]string{"api.example.com": "already exists", "-.com": "Invalid domain name", "com": "Invalid domain name", "1.2.3.4": "Invalid domain name",
			"auth.example.com": "a name of this server", "x.execute-api.us-east-1.amazonaws.com": "a name of this server", "a..com": "Invalid", "*.*.com": "Invalid", "a.*.com": "Invalid"} {
			wantError(t, s.Create(ctx, regional(name)), "BadRequestException", text)
		}
		wantError(t, s.Delete(ctx, "eu-west-1", "api.example.com"), "NotFoundException", "Invalid domain name identifier specified")

		kind := s.apis[0]
		mapTo := func(key, api, stage string, only APIs) error {
			return s.Map(ctx, testRegion, &Mapping{ID: "m" + key, DomainName: "api.example.com", Key: key, APIID: api, Stage: stage}, only)
		}
		for _, key := range []string{"", "orders/v1/items", "orders/v2/items", "orders/v2/items/categories"} {
			check(t, mapTo(key, "api", "prod", kind))
		}
		for want, err := range map[error]error{ErrMapped: mapTo("", "api", "prod", nil), ErrNoAPI: mapTo("x", "other", "prod", nil), ErrNoStage: mapTo("x", "api", "test", nil)} {
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		if err := mapTo("x", "api", "prod", &testAPIs{"api"}); !errors.Is(err, ErrNoAPI) {
			t.Errorf("an API of another kind: %v", err)
		}
		h := host(t, s, "api.example.com")
		// The examples of https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-mappings.html, and others.
		for path, want := range map[string]string{"/orders/v1/items": "/orders/v1/items /", "/orders/v2/items": "/orders/v2/items /", "/orders/v1/items/123": "/orders/v1/items /123",
			"/orders/v2/items/categories/5": "/orders/v2/items/categories /5", "/customers": " /customers", "/orders/v1": " /orders/v1", "/orders/v1/itemsx": " /orders/v1/itemsx",
			"/orders/v1/items/": "/orders/v1/items /", "/orders%2Fv1/items": " /orders%2Fv1/items", "//orders/v1/items": " //orders/v1/items", "": " /", "/": " /", "/orders//v1/items": " /orders//v1/items"} {
			m, rest, ok := h.Match(path)
			if got := m.Base + " " + rest; !ok || got != want {
				t.Errorf("%q goes to %q, want %q", path, got, want)
			}
		}
		m, err := s.Remap(ctx, testRegion, "api.example.com", ByID("m"), nil, func(m *Mapping) error { m.Key = "root"; return nil })
		check(t, err)
		if _, _, ok := host(t, s, "api.example.com").Match("/customers"); ok || m.Key != "root" {
			t.Error("the mapping is still what it was")
		}
		if _, err := s.Remap(ctx, testRegion, "api.example.com", ByKey("root"), nil, func(m *Mapping) error { m.Key = "orders/v1/items"; return nil }); !errors.Is(err, ErrMapped) {
			t.Error(err)
		}
		uses := func() (paths []string) {
			check(t, db.View(ctx, func(tx *store.Tx) (err error) { paths, err = Uses(tx, "api", "prod"); return err }))
			return paths
		}
		if got := uses(); len(got) != 4 {
			t.Errorf("the API is used by %v", got)
		}
		check(t, s.Unmap(ctx, testRegion, "api.example.com", ByKey("root")))
		if err := s.Unmap(ctx, testRegion, "api.example.com", ByID("m")); !errors.Is(err, ErrNoMapping) {
			t.Error(err)
		}
		check(t, s.Delete(ctx, testRegion, "api.example.com"))
		if h := host(t, s, "api.example.com"); h == nil || h.Domain != "*.example.com" || len(uses()) != 0 {
			t.Errorf("after its deletion the domain's host is %+v", h)
		}
		// Another server, on the same database.
		if h := host(t, testService(t, db, nil), "x.example.com"); h == nil || h.Domain != "*.example.com" {
			t.Errorf("after a restart: %+v", h)
		}
	})
}

func TestCertificates(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	var log bytes.Buffer
	good, pemmed := issue(t, nil, forNames("api.example.com", "*.example.com")), issue(t, nil, forNames("pem.example.com"))
	path := func(name string) string { return filepath.Join(dir, name) }
	write(t, path("api.crt"), good.pem)
	write(t, path("api.key"), good.pvt)
	write(t, path("all.pem"), pemmed.pvt, pemmed.pem)
	write(t, path("half.crt"), good.pem)
	write(t, path("mixed.crt"), good.pem)
	write(t, path("mixed.key"), pemmed.pvt)
	write(t, path("empty.pem"))
	write(t, path("notes.txt"), []byte("x"))
	old := issue(t, nil, func(c *x509.Certificate) { c.DNSNames, c.NotAfter = []string{"old.example.com"}, now.Add(-time.Minute) })
	write(t, path("old.pem"), old.pem, old.pvt)
	c, err := OpenCertificates(dir, func() time.Time { return now }, slog.New(slog.NewTextHandler(&log, nil)))
	check(t, err)
	for _, bad := range []string{"half.crt", "mixed.crt", "empty.pem", "expired"} {
		if !strings.Contains(log.String(), bad) {
			t.Errorf("nothing is said of %s in\n%s", bad, &log)
		}
	}
	if strings.Contains(log.String(), "api.crt") || strings.Contains(log.String(), "PRIVATE") {
		t.Errorf("the log is\n%s", &log)
	}
	if _, err := OpenCertificates(path("nothing"), nil, nil); err == nil {
		t.Error("a directory that is not there was opened")
	}
	for name, want := range map[string]string{"api": "api.example.com", "all": "pem.example.com", "half": "", "mixed": "", "empty": "", "nothing": "none", "../api": "none", "": "none", "notes": "none"} {
		cert, err := c.Get(name)
		got := ""
		if err == nil {
			got = cert.Leaf.DNSNames[0]
		} else if errors.Is(err, fs.ErrNotExist) {
			got = "none"
		}
		if got != want {
			t.Errorf("%s is %q, %v, want %q", name, got, err, want)
		}
	}

	s := testService(t, storetest.Open(t, "memory:"), func(o *Options) { o.Certificates = c })
	on := func(name, arn string) error {
		d := regional(name)
		d.RegionalARN = arn
		return s.Create(t.Context(), d)
	}
	check(t, on("api.example.com", testARN("api")))
	check(t, on("*.example.com", testARN("api")))
	check(t, on("dev.localhost", testARN("whatever"))) // the local authority's
	for _, r := range []struct{ name, arn, text string }{
		{"x.example.org", testARN("api"), "The domain name to be created is not covered by the provided certificate."},
		{"a.b.example.com", testARN("api"), "not covered"},
		{"*.b.example.com", testARN("api"), "not covered"},
		{"x.example.com", testARN("nothing"), "The provided certificate does not exist. (" + testARN("nothing") + " is the certificate in the files nothing.crt and nothing.key"},
		{"x.example.com", testARN("../api"), "does not exist"},
		{"x.example.com", testARN("mixed"), "cannot be used"},
		{"old.example.com", testARN("old"), "expired"},
		{"x.example.com", strings.Replace(testARN("api"), testAccount, "123456789012", 1), "does not exist"},
		{"x.example.com", strings.Replace(testARN("api"), testRegion, "eu-west-1", 1), "Certificate must be in 'us-east-1'."},
		{"x.example.com", "x", "Invalid certificate ARN: x"},
		{"x.example.com", "", "A certificate was not provided for the endpoint type REGIONAL."},
	} {
		err := on(r.name, r.arn)
		wantError(t, err, "BadRequestException", r.text)
	}

	// A new file is taken up; a broken one and none leave the last good one.
	get := func() string { cert, err := c.Get("api"); check(t, err); return cert.Leaf.SerialNumber.String() }
	renewed := issue(t, nil, func(c *x509.Certificate) { c.DNSNames, c.SerialNumber = []string{"api.example.com"}, big.NewInt(77) })
	write(t, path("api.crt"), renewed.pem)
	now = now.Add(2 * time.Second)
	if get() != "1" {
		t.Error("a certificate without its key was taken up")
	}
	write(t, path("api.key"), renewed.pvt)
	check(t, os.Chtimes(path("api.key"), now, now))
	if get() != "1" {
		t.Error("files are looked at all the time")
	}
	now = now.Add(2 * time.Second)
	if get() != "77" {
		t.Error("the new certificate was not taken up")
	}
	check(t, os.Remove(path("api.crt")))
	check(t, os.Remove(path("api.key")))
	now = now.Add(2 * time.Second)
	if get() != "77" {
		t.Error("the certificate is gone with its files")
	}
}

func TestUpload(t *testing.T) {
	db := storetest.Open(t, "memory:")
	s := testService(t, db, nil)
	c := issue(t, nil, forNames("api.example.com"))
	d := &Domain{Name: "api.example.com", Region: testRegion, Endpoint: Regional, RegionalCertificate: "mine"}
	check(t, s.Upload(d, string(c.pem), string(c.pvt), ""))
	check(t, s.Create(t.Context(), d))
	wantError(t, s.Upload(&Domain{Name: "b.com"}, string(c.pem), string(c.pvt), ""), "BadRequestException", "not covered")
	wantError(t, s.Upload(&Domain{Name: "api.example.com"}, string(c.pem), "x", ""), "BadRequestException", "belong together")
	if bytes.Contains(d.Sealed, []byte("PRIVATE")) {
		t.Error("the key is not sealed")
	}
	h := host(t, testService(t, db, nil), "api.example.com")
	got, err := h.TLS(nil).GetCertificate(&tls.ClientHelloInfo{ServerName: "api.example.com"})
	check(t, err)
	if !bytes.Equal(got.Certificate[0], c.cert.Raw) {
		t.Error("the domain shows another certificate")
	}
}

func TestTruststore(t *testing.T) {
	ctx, now := t.Context(), time.Now()
	ca, other := issue(t, nil, authority("ca")), issue(t, nil, authority("other"))
	expired := issue(t, nil, func(c *x509.Certificate) { authority("expired")(c); c.NotAfter = now.Add(-time.Minute) })
	self := issue(t, nil, func(c *x509.Certificate) { c.Subject.CommonName = "self" })
	objects := testObjects{"b/trust.pem?": string(ca.pem) + "text\n" + string(expired.pem) + string(self.pem), "b/trust.pem?2": string(other.pem), "b/none?": "x"}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := testService(t, db, func(o *Options) { o.Objects = objects; o.Now = func() time.Time { return now } })
		d := regional("api.example.com")
		d.MutualTLS = &MutualTLS{URI: "s3://b/trust.pem"}
		check(t, s.Create(ctx, d))
		if w := d.MutualTLS.Warnings; len(w) != 1 || !strings.Contains(w[0], "CN=expired has expired") {
			t.Errorf("warnings %q", w)
		}
		for uri, text := range map[string]string{"s3://b/none": "no valid certificate", "s3://b/nothing": "The specified key does not exist.", "s3://b": "Invalid truststore URI", "https://b/x": "Invalid truststore URI"} {
			d := regional("b.example.com")
			d.MutualTLS = &MutualTLS{URI: uri}
			wantError(t, s.Create(ctx, d), "BadRequestException", text)
		}
		for change, text := range map[string]string{"edge": "REGIONAL domain names only", "old": "TLS 1.2"} {
			d := regional("b.example.com")
			d.MutualTLS = &MutualTLS{URI: "s3://b/trust.pem"}
			if change == "edge" {
				d.Endpoint, d.EdgeARN = Edge, testARN("x")
			} else {
				d.SecurityPolicy = TLS10
			}
			wantError(t, s.Create(ctx, d), "BadRequestException", text)
		}

		h := host(t, s, "api.example.com")
		verify := func(now time.Time, certs ...*issued) (*Client, error) {
			state := new(tls.ConnectionState)
			for _, c := range certs {
				state.PeerCertificates = append(state.PeerCertificates, c.cert)
			}
			return h.Verify(state, now)
		}
		between := issue(t, ca, authority("between"))
		leaf := issue(t, ca, func(c *x509.Certificate) {
			c.Subject = pkix.Name{Country: []string{"US"}, Organization: []string{"Example, Inc."}, CommonName: "client"}
			c.SerialNumber = new(big.Int).SetBytes([]byte{0xa1, 0xa2, 3, 4, 5, 6, 7, 8, 9})
			c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
		})
		got, err := verify(now, leaf)
		check(t, err)
		if got.Subject != `C=US,O=Example\, Inc.,CN=client` || got.Issuer != "CN=ca" || got.Serial != "a1:a2:03:04:05:06:07:08:09" || got.PEM != string(leaf.pem) ||
			got.NotAfter != now.Add(time.Hour).UTC().Format("Jan _2 15:04:05 2006")+" GMT" {
			t.Errorf("the client is %+v", got)
		}
		if again, err := verify(now, leaf); err != nil || again != got {
			t.Error("the client was verified again", err)
		}
		_, err = verify(now, issue(t, between, nil), between)
		check(t, err)
		_, err = verify(now, self)
		check(t, err)
		for what, certs := range map[string][]*issued{"without the one between": {issue(t, between, nil)}, "of another authority": {issue(t, other, nil)}, "of an expired authority": {issue(t, expired, nil)},
			"of an authority of the same name": {issue(t, issue(t, nil, authority("ca")), nil)}, "none": {}, "signed by one that may not": {issue(t, self, nil)}} {
			if _, err := verify(now, certs...); err == nil {
				t.Errorf("a client's certificate %s was let in", what)
			}
		}
		if _, err := verify(now.Add(2*time.Hour), leaf); err == nil {
			t.Error("an expired certificate was let in, for it was verified before")
		}
		long := between
		chain := []*issued{}
		for i := range 3 {
			chain = append([]*issued{long}, chain...)
			long = issue(t, long, authority(fmt.Sprint("a", i)))
		}
		if _, err := verify(now, append([]*issued{issue(t, long, nil), long}, chain...)...); err == nil || !strings.Contains(err.Error(), "longer") {
			t.Error("a chain of six was let in", err)
		}

		// What is uploaded later counts when the domain is updated.
		change := func(uri, version string) (*Domain, error) {
			return s.Change(ctx, testRegion, "api.example.com", func(d *Domain) error { return d.Trust(shape.Ptr(uri), shape.Ptr(version)) })
		}
		d, err = change("s3://b/trust.pem", "2")
		check(t, err)
		h = host(t, s, "api.example.com")
		if _, err := verify(now, leaf); err == nil || d.MutualTLS.Version != "2" || len(d.MutualTLS.Warnings) != 0 {
			t.Errorf("the old truststore still counts: %+v", d.MutualTLS)
		}
		_, err = change("s3://b/trust.pem", "3")
		wantError(t, err, "BadRequestException", "The truststore cannot be read")
		d, err = s.Change(ctx, testRegion, "api.example.com", func(d *Domain) error { d.Tags = map[string]string{"a": "b"}; return nil })
		check(t, err)
		if d.MutualTLS == nil || d.MutualTLS.Truststore == "" {
			t.Error("another change took the truststore away")
		}
		_, err = change("", "")
		check(t, err)
		if h := host(t, s, "api.example.com"); h.Mutual || h.TLS(nil).ClientAuth != tls.NoClientCert {
			t.Error("mutual TLS is still on")
		}
	})
}

func TestWeak(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0") // to make one
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	check(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "small"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	check(t, err)
	_, warnings := parseTruststore(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), time.Now())
	if len(warnings) != 1 || !strings.Contains(warnings[0], "1024") {
		t.Errorf("warnings %q", warnings)
	}
}

func FuzzMatch(f *testing.F) {
	h := &Host{paths: map[string]Mapped{"": {}, "a": {Base: "/a"}, "a/b": {Base: "/a/b"}}, depth: 2}
	for _, p := range []string{"/a/b/c", "/a", "//", "", "a", "/%2f/a"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		m, rest, ok := h.Match(path)
		if !ok || path != "" && path[0] == '/' && strings.TrimSuffix(m.Base+rest, "/") != strings.TrimSuffix(path, "/") || rest == "" {
			t.Errorf("%q is %q and %q", path, m.Base, rest)
		}
	})
}

func FuzzTruststore(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) { parseTruststore(text, time.Now()) })
}

// BenchmarkHost is what each request that comes by a name pays, with none and with many domains.
func BenchmarkHost(b *testing.B) {
	for _, n := range []int{0, 1, 1000} {
		s := testService(b, storetest.Open(b, "memory:"), nil)
		for i := range n {
			check(b, s.Create(b.Context(), regional(fmt.Sprintf("d%d.example.com", i))))
		}
		for name, h := range map[string]string{"other": "intern.example.org", "own": "d0.example.com"} {
			if n == 0 && name == "own" {
				continue
			}
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				host(b, s, h)
				b.ReportAllocs()
				for b.Loop() {
					host, err := s.Host(b.Context(), h)
					if err != nil || (host == nil) == (name == "own") {
						b.Fatal(host, err)
					}
				}
			})
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	ca := issue(b, nil, authority("ca"))
	s := testService(b, storetest.Open(b, "memory:"), func(o *Options) { o.Objects = testObjects{"b/t?": string(ca.pem)} })
	d := regional("api.example.com")
	d.MutualTLS = &MutualTLS{URI: "s3://b/t"}
	check(b, s.Create(b.Context(), d))
	h, state, now := host(b, s, "api.example.com"), &tls.ConnectionState{PeerCertificates: []*x509.Certificate{issue(b, ca, nil).cert}}, time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Verify(state, now); err != nil {
			b.Fatal(err)
		}
	}
}

// Package localca is the certificate authority of one Gatehouse: made on first run, kept in the data
// directory, it signs certificates for the names under which clients reach the server, when they ask.
//
// Its root is for this machine's clients only: it is valid for ten years, its key never leaves the
// directory, and leaves are valid for a year at the most, as clients demand.
package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// CertFile and KeyFile are the names of the authority's files in its directory. A client that is to
// trust the server reads CertFile.
const (
	CertFile = "ca.pem"
	KeyFile  = "ca-key.pem"
)

const (
	rootLife = 10 * 365 * 24 * time.Hour
	leafLife = 365 * 24 * time.Hour
	// maxLeaves bounds the cache of leaves: names come from clients.
	maxLeaves = 1000
)

// CA signs leaf certificates. It is safe for concurrent use.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
	now  func() time.Time

	mu     sync.Mutex
	leaves map[string]*tls.Certificate
}

// Load reads the authority kept in dir, or makes one there. An empty dir makes one that lives in
// memory only.
func Load(dir string) (*CA, error) {
	if dir == "" {
		ca, _, err := generate()
		return ca, err
	}
	certPEM, err := os.ReadFile(filepath.Join(dir, CertFile))
	if errors.Is(err, fs.ErrNotExist) {
		return create(dir)
	}
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(filepath.Join(dir, KeyFile))
	if err != nil {
		return nil, fmt.Errorf("the local certificate authority has lost its key: %w (delete %s to make a new authority)", err, CertFile)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("local certificate authority in %s: %w", dir, err)
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !cert.IsCA {
		return nil, fmt.Errorf("%s is not a certificate authority that Gatehouse made", filepath.Join(dir, CertFile))
	}
	return newCA(cert, key, certPEM), nil
}

func newCA(cert *x509.Certificate, key *ecdsa.PrivateKey, certPEM []byte) *CA {
	return &CA{cert: cert, key: key, pem: certPEM, now: time.Now, leaves: map[string]*tls.Certificate{}}
}

// create makes an authority in dir. The key is written first: a certificate in the directory always
// has its key beside it.
func create(dir string) (*CA, error) {
	ca, keyPEM, err := generate()
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		data []byte
		mode fs.FileMode
	}{{KeyFile, keyPEM, 0o600}, {CertFile, ca.pem, 0o644}} {
		tmp := filepath.Join(dir, "."+f.name+".new")
		if err := os.WriteFile(tmp, f.data, f.mode); err != nil {
			return nil, err
		}
		if err := os.Rename(tmp, filepath.Join(dir, f.name)); err != nil {
			return nil, err
		}
	}
	return ca, nil
}

func generate() (ca *CA, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	host, _ := os.Hostname()
	now := time.Now()
	tmpl := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{Organization: []string{"Gatehouse local CA"}, CommonName: strings.TrimSpace("Gatehouse local CA " + host)},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(rootLife),
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return newCA(cert, key, certPEM), keyPEM, nil
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand never fails on a supported system
	}
	return n
}

// PEM returns the authority's certificate.
func (ca *CA) PEM() []byte { return ca.pem }

// TLSConfig returns a server's configuration that answers a server name with a leaf for it, if the name
// is one that the server goes by: whoever trusts the authority shall not find it vouching for others.
func (ca *CA) TLSConfig(ours func(name string) bool) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := h.ServerName
			if name == "" { // a client that connects to an address sends no name
				name = "127.0.0.1"
				if host, _, err := net.SplitHostPort(h.Conn.LocalAddr().String()); err == nil {
					name = host
				}
			} else if !ours(strings.ToLower(strings.TrimSuffix(name, "."))) {
				return nil, fmt.Errorf("this server does not go by the name %q", name)
			}
			return ca.Leaf(name)
		},
	}
}

// Leaf returns a certificate for a host name or an IP address, from the cache while it has more than
// a day to live.
func (ca *CA) Leaf(name string) (*tls.Certificate, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	ca.mu.Lock()
	defer ca.mu.Unlock()
	now := ca.now()
	if c := ca.leaves[name]; c != nil && now.Add(24*time.Hour).Before(c.Leaf.NotAfter) {
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{Organization: []string{"Gatehouse"}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		tmpl.IPAddresses = []net.IP{ip}
		if ip.IsLoopback() {
			tmpl.DNSNames = []string{"localhost"}
		}
	} else {
		tmpl.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if len(ca.leaves) >= maxLeaves {
		clear(ca.leaves)
	}
	c := &tls.Certificate{Certificate: [][]byte{der, ca.cert.Raw}, PrivateKey: key, Leaf: leaf}
	ca.leaves[name] = c
	return c, nil
}

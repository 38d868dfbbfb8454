package domains

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"time"
)

// Client is the certificate by which a client has shown who it is, in the words of API Gateway's events.
type Client struct {
	PEM, Subject, Issuer, Serial, NotBefore, NotAfter string
	until                                             time.Time // the chain is good
}

// ErrNoCertificate is returned for a client that has shown none.
var ErrNoCertificate = errors.New("the client has shown no certificate")

// maxClients bounds the certificates that a domain remembers as verified.
const maxClients = 10_000

// Verify checks a client's certificate against the domain's truststore. The error says why it is not let in. A
// certificate that was verified before costs a hash.
func (h *Host) Verify(state *tls.ConnectionState, now time.Time) (*Client, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return nil, ErrNoCertificate
	}
	certs := state.PeerCertificates
	hash := sha256.New()
	for _, c := range certs {
		hash.Write(c.Raw)
	}
	var id [sha256.Size]byte
	hash.Sum(id[:0])
	h.mu.Lock()
	c := h.clients[id]
	h.mu.Unlock()
	if c != nil && now.Before(c.until) && !now.Before(certs[0].NotBefore) {
		return c, nil
	}
	until, err := verifyChain(h.trust, h.trusted, certs, now)
	if err != nil {
		return nil, err
	}
	c = newClient(certs[0])
	c.until = until
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.clients) >= maxClients {
		clear(h.clients)
	}
	h.clients[id] = c
	return c, nil
}

func newClient(c *x509.Certificate) *Client {
	return &Client{
		PEM:     string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})),
		Subject: dn(c.RawSubject), Issuer: dn(c.RawIssuer), Serial: serial(c.SerialNumber), NotBefore: date(c.NotBefore), NotAfter: date(c.NotAfter),
	}
}

// date is a time as OpenSSL prints it.
func date(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006") + " GMT" }

// serial is a serial number as OpenSSL prints it: a small one in decimal, others as bytes.
func serial(n *big.Int) string {
	if n.IsInt64() {
		return n.String()
	}
	b := n.Bytes()
	parts := make([]string, len(b))
	for i := range b {
		parts[i] = hex.EncodeToString(b[i : i+1])
	}
	return strings.Join(parts, ":")
}

// attributes are the short names of a distinguished name's parts. RFC 4514, and OpenSSL's for the others.
var attributes = map[string]string{"2.5.4.3": "CN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "street", "2.5.4.10": "O",
	"2.5.4.11": "OU", "2.5.4.4": "SN", "2.5.4.42": "GN", "2.5.4.12": "title", "2.5.4.17": "postalCode", "1.2.840.113549.1.9.1": "emailAddress",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC"}

// dn prints a distinguished name in the order in which it stands in the certificate, as API Gateway does:
// "C=US,ST=Washington,O=Example,CN=client". Values are escaped as RFC 4514 says.
func dn(raw []byte) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &name); err != nil || len(rest) > 0 {
		return ""
	}
	var b strings.Builder
	for i, set := range name {
		for j, a := range set {
			if j > 0 {
				b.WriteByte('+')
			} else if i > 0 {
				b.WriteByte(',')
			}
			id := a.Type.String()
			if short, ok := attributes[id]; ok {
				id = short
			}
			b.WriteString(id)
			b.WriteByte('=')
			if v, ok := a.Value.(string); ok {
				b.WriteString(escape(v))
			} else if der, err := asn1.Marshal(a.Value); err == nil {
				b.WriteString("#" + hex.EncodeToString(der))
			}
		}
	}
	return b.String()
}

func escape(v string) string {
	var b strings.Builder
	for i, r := range v {
		switch {
		case strings.ContainsRune(`,+"\<>;`, r), r == '#' && i == 0, r == ' ' && (i == 0 || i == len(v)-1):
			b.WriteByte('\\')
		case r == 0:
			b.WriteString(`\00`)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

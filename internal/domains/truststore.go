package domains

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Bounds of a truststore: bytes and certificates.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const (
	maxTruststore = 1 << 20
	maxTrusted    = 1000
)

// readTruststore reads what a truststore's URI names, and notes what is wrong with its certificates. nil is no
// truststore.
func (s *Service) readTruststore(ctx context.Context, m *MutualTLS) error {
	if m == nil {
		return nil
	}
	u, err := url.Parse(m.URI)
	key := ""
	if err == nil {
		key = strings.TrimPrefix(u.Path, "/")
	}
	if err != nil || u.Scheme != "s3" || u.Host == "" || key == "" {
		return bad("Invalid truststore URI: %s. It must be of the form s3://bucket-name/key-name", m.URI)
	}
	if s.objects == nil {
		return unsupported("Mutual TLS without buckets is")
	}
	if s.ask != nil { // the object is read for the caller, who sees parts of it as warnings
		action := "s3:GetObject"
		if m.Version != "" {
			action = "s3:GetObjectVersion"
		}
		if err := s.ask(ctx, action, "arn:aws:s3:::"+u.Host+"/"+key, ""); err != nil {
			return err
		}
	}
	r, size, err := s.objects.OpenObject(ctx, u.Host, key, m.Version)
	if err != nil {
		return bad("The truststore cannot be read: %v (%s)", err, m.URI)
	}
	defer r.Close()
	if size > maxTruststore {
		return bad("The truststore is larger than 1 MB: %s", m.URI)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxTruststore+1))
	if err != nil {
		return fmt.Errorf("truststore %s: %w", m.URI, err)
	}
	certs, warnings := parseTruststore(text, s.now())
	switch {
	case len(certs) == 0:
		return bad("The truststore has no valid certificate: %s", m.URI)
	case len(certs) > maxTrusted:
		return bad("The truststore has more than %d certificates: %s", maxTrusted, m.URI)
	}
	m.Truststore, m.Warnings = string(text), warnings
	return nil
}

// parseTruststore returns the certificates of a truststore, and warnings about those that clients cannot use.
func parseTruststore(text []byte, now time.Time) (certs []*x509.Certificate, warnings []string) {
	for n := 1; ; n++ {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return certs, warnings
		}
		if block.Type != "CERTIFICATE" {
			warnings = append(warnings, fmt.Sprintf("Entry %d of the truststore is not a certificate, but %q", n, block.Type))
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("Certificate %d of the truststore cannot be read", n))
			continue
		}
		certs = append(certs, c)
		if why := weak(c); why != "" {
			warnings = append(warnings, fmt.Sprintf("Certificate with subject %s %s", dn(c.RawSubject), why))
		} else if now.After(c.NotAfter) {
			warnings = append(warnings, fmt.Sprintf("Certificate with subject %s has expired", dn(c.RawSubject)))
		} else if now.Before(c.NotBefore) {
			warnings = append(warnings, fmt.Sprintf("Certificate with subject %s is not valid yet", dn(c.RawSubject)))
		}
	}
}

// weak says why AWS does not take a certificate: it wants SHA-256, RSA-2048 or ECDSA-256, or stronger.
func weak(c *x509.Certificate) string {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "is signed with " + c.SignatureAlgorithm.String() + ", which is weaker than SHA-256"
	}
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return fmt.Sprintf("has an RSA key of %d bits, which is shorter than 2048", k.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return "has an ECDSA key that is shorter than 256 bits"
		}
	}
	return ""
}

// maxChain is how many certificates a chain may have, the client's and the root among them.
const maxChain = 4

// verifyChain checks that a truststore vouches for a client's certificates, the first of them its own. until is when
// the chain's first certificate expires. A certificate that is in the truststore itself is trusted as it is.
func verifyChain(trust *x509.CertPool, trusted map[string]bool, certs []*x509.Certificate, now time.Time) (until time.Time, err error) {
	leaf := certs[0]
	if why := weak(leaf); why != "" {
		return until, errors.New("the certificate " + why)
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return until, errors.New("the certificate has expired, or is not valid yet")
	}
	if trusted[string(leaf.Raw)] {
		return leaf.NotAfter, nil
	}
	between := x509.NewCertPool()
	for _, c := range certs[1:min(len(certs), 10)] {
		between.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: trust, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return until, errors.New(strings.TrimPrefix(err.Error(), "x509: "))
	}
	long := true
	for _, chain := range chains {
		if len(chain) > maxChain {
			continue
		}
		long = false
		if slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return weak(c) != "" }) {
			continue
		}
		end := leaf.NotAfter
		for _, c := range chain[1:] {
			if c.NotAfter.Before(end) {
				end = c.NotAfter
			}
		}
		if end.After(until) {
			until = end
		}
	}
	if until.IsZero() && !long {
		return until, errors.New("an authority in the chain has a key or a signature that is too weak")
	}
	if until.IsZero() {
		return until, fmt.Errorf("the chain of certificates is longer than %d", maxChain)
	}
	return until, nil
}

package saml

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// MaxMetadata is the size of the largest metadata document, in bytes: IAM's bound.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateSAMLProvider.html
const MaxMetadata = 10_000_000

// The bindings of endpoints.
const (
	Redirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	POST     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
)

// Endpoint is where a provider takes messages.
type Endpoint struct {
	Binding  string
	Location string
}

// Provider is an identity provider, as its metadata describes it. It is not changed after it is made,
// and safe for concurrent use.
type Provider struct {
	EntityID           string
	ValidUntil         time.Time // zero: for ever
	SingleSignOn       []Endpoint
	SingleLogout       []Endpoint
	NameIDFormats      []string
	WantRequestsSigned bool
	Certificates       []*x509.Certificate // whose keys sign
}

type entityDescriptor struct {
	XMLName    xml.Name        `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
	EntityID   string          `xml:"entityID,attr"`
	ValidUntil string          `xml:"validUntil,attr"`
	IDP        []idpDescriptor `xml:"urn:oasis:names:tc:SAML:2.0:metadata IDPSSODescriptor"`
}

type idpDescriptor struct {
	ValidUntil         string       `xml:"validUntil,attr"`
	Protocols          string       `xml:"protocolSupportEnumeration,attr"`
	WantRequestsSigned string       `xml:"WantAuthnRequestsSigned,attr"`
	SingleSignOn       []mdEndpoint `xml:"urn:oasis:names:tc:SAML:2.0:metadata SingleSignOnService"`
	SingleLogout       []mdEndpoint `xml:"urn:oasis:names:tc:SAML:2.0:metadata SingleLogoutService"`
	NameIDFormats      []string     `xml:"urn:oasis:names:tc:SAML:2.0:metadata NameIDFormat"`
	Keys               []struct {
		Use          string   `xml:"use,attr"`
		Certificates []string `xml:"http://www.w3.org/2000/09/xmldsig# KeyInfo>X509Data>X509Certificate"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:metadata KeyDescriptor"`
}

type mdEndpoint struct {
	Binding  string `xml:"Binding,attr"`
	Location string `xml:"Location,attr"`
}

// ParseMetadata reads the metadata of an identity provider: an EntityDescriptor with an
// IDPSSODescriptor that has a certificate for signatures, with an RSA key of 1024 bits or more or an
// EC one. Signatures on the document itself are not looked at: who brings it vouches for it. The error
// is an [*Error].
func ParseMetadata(text []byte) (*Provider, error) {
	if len(text) > MaxMetadata {
		return nil, &Error{Reason: TooLarge, Detail: fmt.Sprintf("the metadata has more than %d bytes", MaxMetadata)}
	}
	if err := scan(text, maxMetadataElements); err != nil {
		return nil, err
	}
	var d entityDescriptor
	if err := xml.NewDecoder(bytes.NewReader(text)).Decode(&d); err != nil {
		return nil, malformed("no EntityDescriptor: %v", err)
	}
	if d.EntityID == "" || len(d.EntityID) > 1024 {
		return nil, malformed("the EntityDescriptor has no entityID of at most 1024 characters")
	}
	var idp *idpDescriptor
	for i := range d.IDP {
		if strings.Contains(" "+d.IDP[i].Protocols+" ", " "+nsProtocol+" ") {
			idp = &d.IDP[i]
			break
		}
	}
	if idp == nil {
		return nil, malformed("no IDPSSODescriptor for %s", nsProtocol)
	}
	p := &Provider{EntityID: d.EntityID, NameIDFormats: idp.NameIDFormats}
	p.WantRequestsSigned = idp.WantRequestsSigned == "true" || idp.WantRequestsSigned == "1"
	for _, until := range []string{d.ValidUntil, idp.ValidUntil} {
		if until == "" {
			continue
		}
		t, err := parseTime(until)
		if err != nil {
			return nil, malformed("validUntil is no time")
		}
		if p.ValidUntil.IsZero() || t.Before(p.ValidUntil) {
			p.ValidUntil = t
		}
	}
	for _, e := range idp.SingleSignOn {
		p.SingleSignOn = append(p.SingleSignOn, Endpoint(e))
	}
	for _, e := range idp.SingleLogout {
		p.SingleLogout = append(p.SingleLogout, Endpoint(e))
	}
	for _, k := range idp.Keys {
		if k.Use != "" && k.Use != "signing" {
			continue
		}
		for _, text := range k.Certificates {
			cert, err := parseCertificate(text)
			if err != nil {
				return nil, err
			}
			p.Certificates = append(p.Certificates, cert)
		}
	}
	switch n := len(p.Certificates); {
	case n == 0:
		return nil, malformed("the IDPSSODescriptor has no X509Certificate for signatures")
	case n > maxCertificates:
		return nil, &Error{Reason: TooLarge, Detail: fmt.Sprintf("the IDPSSODescriptor has %d certificates; at most %d are looked at", n, maxCertificates)}
	}
	return p, nil
}

// maxCertificates bounds what a bad signature costs: it is tried with each.
const maxCertificates = 16

func parseCertificate(text string) (*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, malformed("an X509Certificate is not in base64")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, malformed("an X509Certificate does not parse: %v", err)
	}
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 1024 {
			return nil, malformed("the RSA key of an X509Certificate has %d bits, fewer than 1024", k.N.BitLen())
		}
	case *ecdsa.PublicKey:
	default:
		return nil, &Error{Reason: Unsupported, Detail: fmt.Sprintf("an X509Certificate has a key of type %s; RSA and ECDSA are supported", cert.PublicKeyAlgorithm)}
	}
	return cert, nil
}

// Endpoint returns where the provider takes requests for sign-in by the binding, or "".
func (p *Provider) Endpoint(binding string) string {
	for _, e := range p.SingleSignOn {
		if e.Binding == binding {
			return e.Location
		}
	}
	return ""
}

// parseTime reads an xs:dateTime. Without a zone it is UTC, which SAML wants all times in.
func parseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.Parse("2006-01-02T15:04:05.999999999", s)
}

// Package samltest is an identity provider for tests of whatever takes SAML assertions.
package samltest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/xml"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// IdP is an identity provider with a key of its own.
type IdP struct {
	EntityID string
	Cert     []byte // DER

	t   testing.TB
	key crypto.Signer
}

// New makes a provider with a fresh RSA key.
func New(t testing.TB, entityID string) *IdP {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return NewWith(t, entityID, key)
}

// NewWith makes a provider that signs with the key.
func NewWith(t testing.TB, entityID string, key crypto.Signer) *IdP {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)} // past: nobody looks
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &IdP{EntityID: entityID, Cert: der, t: t, key: key}
}

// Metadata returns the provider's metadata, which is long enough for IAM.
func (p *IdP) Metadata() []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + esc(p.EntityID) + `">
  <md:IDPSSODescriptor WantAuthnRequestsSigned="false" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>
      ` + base64.StdEncoding.EncodeToString(p.Cert) + `
    </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/logout"/>
    <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.com/sso-post"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>
`)
}

// Assertion is what a response says. Empty texts leave out what they stand for, but for those of which
// a default is said.
type Assertion struct {
	Now time.Time // when it is made; it is good from then on for five minutes

	ID            string // "_a1"
	Issuer        string // the provider
	NameID        string
	NoNameID      bool
	Format        string // persistent
	NameQualifier string
	Audience      string
	Recipient     string
	InResponseTo  string
	Status        string              // Success
	SessionEnds   string              // SessionNotOnOrAfter, as text
	Attributes    map[string][]string // in no particular order

	Sign string // "assertion" (the default), "response", "both", "none"

	Edit func(xml string) string // changes the assertion before it is signed
}

const stamp = "2006-01-02T15:04:05.000Z"

// Response returns the response as XML.
func (p *IdP) Response(a Assertion) []byte {
	p.t.Helper()
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&a.ID, "_a1")
	def(&a.Issuer, p.EntityID)
	def(&a.Format, "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent")
	def(&a.Status, "urn:oasis:names:tc:SAML:2.0:status:Success")
	def(&a.Sign, "assertion")
	now, end := a.Now.UTC().Format(stamp), a.Now.Add(5*time.Minute).UTC().Format(stamp)

	var b strings.Builder
	b.WriteString(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="` + a.ID + `" IssueInstant="` + now + `" Version="2.0"><saml:Issuer>` + esc(a.Issuer) + `</saml:Issuer><saml:Subject>`)
	if !a.NoNameID {
		b.WriteString(`<saml:NameID Format="` + esc(a.Format) + `"`)
		if a.NameQualifier != "" {
			b.WriteString(` NameQualifier="` + esc(a.NameQualifier) + `"`)
		}
		b.WriteString(`>` + esc(a.NameID) + `</saml:NameID>`)
	}
	b.WriteString(`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="` + end + `" Recipient="` + esc(a.Recipient) + `"`)
	if a.InResponseTo != "" {
		b.WriteString(` InResponseTo="` + esc(a.InResponseTo) + `"`)
	}
	b.WriteString(`/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="` + now + `" NotOnOrAfter="` + end + `">`)
	if a.Audience != "" {
		b.WriteString(`<saml:AudienceRestriction><saml:Audience>` + esc(a.Audience) + `</saml:Audience></saml:AudienceRestriction>`)
	}
	b.WriteString(`</saml:Conditions><saml:AuthnStatement AuthnInstant="` + now + `" SessionIndex="s1"`)
	if a.SessionEnds != "" {
		b.WriteString(` SessionNotOnOrAfter="` + a.SessionEnds + `"`)
	}
	b.WriteString(`><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>`)
	for name, values := range a.Attributes {
		b.WriteString(`<saml:Attribute Name="` + esc(name) + `">`)
		for _, v := range values {
			b.WriteString(`<saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string" xmlns:xs="http://www.w3.org/2001/XMLSchema">` + esc(v) + `</saml:AttributeValue>`)
		}
		b.WriteString(`</saml:Attribute>`)
	}
	b.WriteString(`</saml:AttributeStatement></saml:Assertion>`)
	assertion := b.String()
	if a.Edit != nil {
		assertion = a.Edit(assertion)
	}
	if a.Sign == "assertion" || a.Sign == "both" {
		assertion = p.Signed(assertion)
	}
	response := `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r` + a.ID + `" Version="2.0" IssueInstant="` + now + `" Destination="` + esc(a.Recipient) + `">` +
		`<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">` + esc(a.Issuer) + `</saml:Issuer>` +
		`<samlp:Status><samlp:StatusCode Value="` + esc(a.Status) + `"/></samlp:Status>` + assertion + `</samlp:Response>`
	if a.Sign == "response" || a.Sign == "both" {
		response = p.Signed(response)
	}
	return []byte(response)
}

// Encoded returns the response as the parameter SAMLResponse has it.
func (p *IdP) Encoded(a Assertion) string {
	p.t.Helper()
	return base64.StdEncoding.EncodeToString(p.Response(a))
}

// Signed returns the element with an enveloped signature behind its Issuer.
func (p *IdP) Signed(text string) string {
	p.t.Helper()
	return p.SignedWith(text, func(*dsig.SigningContext) {})
}

// SignedWith is Signed with another choice of algorithms.
func (p *IdP) SignedWith(text string, change func(*dsig.SigningContext)) string {
	p.t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		p.t.Fatal(err)
	}
	ctx, err := dsig.NewSigningContext(p.key, [][]byte{p.Cert})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	change(ctx)
	el := doc.Root()
	sig, err := ctx.ConstructSignature(el, true)
	if err != nil {
		p.t.Fatal(err)
	}
	el.InsertChildAt(1, sig)
	out, err := doc.WriteToString()
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func esc(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

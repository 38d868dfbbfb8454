package saml

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

const (
	algEnveloped   = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	algExclusive   = "http://www.w3.org/2001/10/xml-exc-c14n#"
	algWithComment = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"
)

var signatureMethods = []string{dsig.RSASHA256SignatureMethod, dsig.RSASHA384SignatureMethod, dsig.RSASHA512SignatureMethod,
	dsig.ECDSASHA256SignatureMethod, dsig.ECDSASHA384SignatureMethod, dsig.ECDSASHA512SignatureMethod}

var digestMethods = []string{"http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#sha384", "http://www.w3.org/2001/04/xmlenc#sha512"}

// signatureOf returns the signature of the element, a child of it; nil if there is none. It has the form
// that SAML asks for, or that is an error: one reference, to the element by its ID, and no other
// transforms than the two.
// https://docs.oasis-open.org/security/saml/v2.0/saml-core-2.0-os.pdf, section 5.4
func signatureOf(el *etree.Element) (*etree.Element, error) {
	sig, err := child(el, nsSignature, "Signature")
	if sig == nil || err != nil {
		return nil, err
	}
	info, err := only(sig, "SignedInfo")
	if err != nil {
		return nil, err
	}
	if _, err := only(sig, "SignatureValue"); err != nil {
		return nil, err
	}
	if err := algorithm(info, "CanonicalizationMethod", []string{algExclusive, algWithComment}); err != nil {
		return nil, err
	}
	if err := algorithm(info, "SignatureMethod", signatureMethods); err != nil {
		return nil, err
	}
	ref, err := only(info, "Reference")
	if err != nil {
		return nil, err
	}
	if id := attr(el, "ID"); id == "" || attr(ref, "URI") != "#"+id {
		return nil, &Error{Reason: BadSignature, Detail: "the signature refers to something else than the element around it", Got: quote(attr(ref, "URI")), Want: quote("#" + id)}
	}
	if err := algorithm(ref, "DigestMethod", digestMethods); err != nil {
		return nil, err
	}
	transforms, err := only(ref, "Transforms")
	if err != nil {
		return nil, err
	}
	list := children(transforms, nsSignature, "Transform")
	if len(list) != 2 || len(transforms.ChildElements()) != 2 || attr(list[0], "Algorithm") != algEnveloped ||
		!slices.Contains([]string{algExclusive, algWithComment}, attr(list[1], "Algorithm")) {
		return nil, &Error{Reason: Unsupported, Detail: "the signature has other transforms than enveloped-signature and exclusive canonicalization"}
	}
	return sig, nil
}

// only returns the one child of a name, in whose place there must not be another.
func only(el *etree.Element, tag string) (*etree.Element, error) {
	c, err := child(el, nsSignature, tag)
	if err == nil && c == nil {
		err = malformed("no %s in %s", tag, el.Tag)
	}
	return c, err
}

func algorithm(el *etree.Element, tag string, allowed []string) error {
	c, err := only(el, tag)
	if err != nil {
		return err
	}
	if a := attr(c, "Algorithm"); !slices.Contains(allowed, a) {
		return &Error{Reason: Unsupported, Detail: "the signature's " + tag + " is not supported", Got: quote(a), Want: strings.Join(allowed, " ")}
	}
	return nil
}

// signed returns the element as its signature covers it, read anew from the canonical bytes. el has a
// signature that signatureOf has looked at.
func (p *Provider) signed(el *etree.Element) (*etree.Element, error) {
	ctx, err := etreeutils.NSBuildParentContext(el)
	if err == nil {
		el, err = etreeutils.NSDetatch(ctx, el) // a copy, with the namespaces from above
	}
	if err != nil {
		return nil, malformed("namespaces: %v", err)
	}
	sig, err := signatureOf(el)
	if err != nil {
		return nil, err
	}
	if sig == nil {
		return nil, malformed("the signature is lost")
	}
	// Neither is covered by the signature, nor is it by itself: it is enveloped.
	for _, info := range children(sig, nsSignature, "KeyInfo") {
		sig.RemoveChild(info)
	}
	value := children(sig, nsSignature, "SignatureValue")[0]
	value.SetText(strings.Join(strings.Fields(text(value)), ""))
	for _, cert := range p.Certificates {
		v := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}})
		v.IdAttribute = "ID"
		v.Clock = dsig.NewFakeClockAt(cert.NotBefore.Add(time.Second))
		out, err := v.Validate(el)
		if err == nil && out != nil {
			return out, nil
		}
	}
	return nil, &Error{Reason: BadSignature, Detail: fmt.Sprintf("the signature of the %s is by none of the metadata's %d keys, or not over this text", el.Tag, len(p.Certificates))}
}

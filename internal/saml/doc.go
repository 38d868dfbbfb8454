// Package saml verifies SAML 2.0 assertions, for those who let somebody in on the word of an identity
// provider: STS, identity pools, user pools.
//
// A provider is known by its metadata document. Verify takes a Response as it comes through a browser
// (the POST binding) and returns the one assertion in it, if it is signed by a key of the metadata and
// meant for this recipient, this audience and this hour.
//
// XML signatures are easily got round, so the form is narrow, and what is returned is read from the
// bytes that the signature covers, never from the document that came:
//
//   - No DTD, no processing instruction, no encoding but UTF-8; size, depth and number of elements are
//     bounded.
//   - One assertion, a child of the response; no encrypted one. Each ID occurs once.
//   - A signature is a child of what it signs, response or assertion, with one reference, to that
//     element's ID. Nowhere else in the document is one. If both are signed, both must be good.
//   - The transforms are enveloped-signature and exclusive canonicalization, as SAML has it. SHA-1 is
//     refused.
//   - The key is one of the metadata's; a KeyInfo in the signature is not looked at.
//
// The metadata is what vouches for a key. The dates in a certificate are not looked at, as SAML's own
// interoperability profile has it; the metadata's validUntil is.
//
// Whether an assertion has been used before is the caller's to know: it has an ID, and ends.
//
// Canonicalization and signatures are goxmldsig's work, one level below github.com/crewjam/saml, whose
// service provider reads the unsigned document again after it has verified a copy.
//
// SAML core, bindings, profiles and metadata: https://docs.oasis-open.org/security/saml/v2.0/;
// metadata interoperability profile: https://docs.oasis-open.org/security/saml/Post2.0/sstc-metadata-iop.html;
// signature wrapping: Somorovsky et al., On Breaking SAML, USENIX Security 2012.
package saml

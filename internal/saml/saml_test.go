package saml_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	dsig "github.com/russellhaering/goxmldsig"

	"github.com/gatehouse-dev/gatehouse/internal/saml"
	"github.com/gatehouse-dev/gatehouse/internal/saml/samltest"
)

const (
	entity    = "https://idp.example.com/metadata"
	recipient = "https://signin.aws.amazon.com/saml"
	audience  = "urn:amazon:webservices"
)

var now = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

func options() saml.Options {
	return saml.Options{Audiences: []string{recipient, audience}, Recipients: []string{recipient}, Now: now.Add(time.Minute)}
}

func good() samltest.Assertion {
	return samltest.Assertion{Now: now, NameID: "alice", Audience: audience, Recipient: recipient, NameQualifier: "q",
		SessionEnds: "2026-11-21T16:00:00Z",
		Attributes:  map[string][]string{"mail": {"alice@example.com"}, "groups": {"a", "b & c"}}}
}

func provider(t testing.TB, idp *samltest.IdP) *saml.Provider {
	t.Helper()
	p, err := saml.ParseMetadata(idp.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func reason(err error) saml.Reason {
	var e *saml.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func TestVerify(t *testing.T) {
	rsa := samltest.New(t, entity)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, idp := range map[string]*samltest.IdP{"rsa": rsa, "ecdsa": samltest.NewWith(t, entity, key)} {
		p := provider(t, idp)
		for _, sign := range []string{"assertion", "response", "both"} {
			t.Run(name+" "+sign, func(t *testing.T) {
				a := good()
				a.Sign = sign
				got, err := p.Verify(idp.Response(a), options())
				if err != nil {
					t.Fatal(err)
				}
				if got.Issuer != entity || got.NameID != "alice" || got.NameQualifier != "q" || got.Audience != audience || got.Recipient != recipient ||
					!strings.HasSuffix(got.Format, ":persistent") || got.ID != "_a1" || !got.Ends.Equal(now.Add(5*time.Minute)) ||
					!got.SessionEnds.Equal(now.Add(8*time.Hour)) || got.SessionIndex != "s1" {
					t.Errorf("%+v", got)
				}
				if v := got.Values("groups"); len(v) != 2 || v[1] != "b & c" {
					t.Errorf("groups: %q", v)
				}
				if v := got.Values("none"); v != nil {
					t.Errorf("none: %q", v)
				}
			})
		}
	}
}

func TestMetadata(t *testing.T) {
	idp := samltest.New(t, entity)
	p := provider(t, idp)
	if p.EntityID != entity || len(p.Certificates) != 1 || p.Endpoint(saml.Redirect) != "https://idp.example.com/sso" || p.Endpoint(saml.POST) != "https://idp.example.com/sso-post" ||
		len(p.SingleLogout) != 1 || p.WantRequestsSigned || !p.ValidUntil.IsZero() {
		t.Errorf("%+v", p)
	}
	text := string(idp.Metadata())
	tests := []struct {
		name string
		text string
		want saml.Reason
	}{
		{"empty", "", saml.Malformed},
		{"no XML", "hello", saml.Malformed},
		{"cut", text[:len(text)/2], saml.Malformed},
		{"another root", strings.ReplaceAll(text, "EntityDescriptor", "EntitiesDescriptor"), saml.Malformed},
		{"another namespace", strings.ReplaceAll(text, "SAML:2.0:metadata", "SAML:1.0:metadata"), saml.Malformed},
		{"another protocol", strings.ReplaceAll(text, "SAML:2.0:protocol", "SAML:1.1:protocol"), saml.Malformed},
		{"no entity", strings.ReplaceAll(text, "entityID", "id"), saml.Malformed},
		{"no key", strings.ReplaceAll(text, `use="signing"`, `use="encryption"`), saml.Malformed},
		{"no base64", strings.ReplaceAll(text, "MII", "M*I"), saml.Malformed},
		{"no certificate", strings.ReplaceAll(text, "MII", "AAA"), saml.Malformed},
		{"byte order mark", "\ufeff" + text, saml.Malformed},
		{"UTF-16", strings.ReplaceAll(text, "UTF-8", "UTF-16"), saml.Malformed},
		{"bad time", strings.ReplaceAll(text, "entityID", `validUntil="tomorrow" entityID`), saml.Malformed},
		{"DTD", strings.Replace(text, "<md:Entity", `<!DOCTYPE x [<!ENTITY e "x">]><md:Entity`, 1), saml.Malformed},
		{"large", text + strings.Repeat(" ", saml.MaxMetadata), saml.TooLarge},
	}
	for _, test := range tests {
		if _, err := saml.ParseMetadata([]byte(test.text)); reason(err) != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	until, err := saml.ParseMetadata([]byte(strings.ReplaceAll(text, "entityID", `validUntil="2026-11-21T08:00:30Z" entityID`)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := until.Verify(idp.Response(good()), options()); reason(err) != saml.Expired {
		t.Errorf("with metadata that has expired: %v", err)
	}
}

// What the assertion says is signed and true to form, and still not meant for here and now.
func TestConditions(t *testing.T) {
	idp := samltest.New(t, entity)
	p := provider(t, idp)
	edit := func(from, to string) func(*samltest.Assertion, *saml.Options) {
		return func(a *samltest.Assertion, _ *saml.Options) {
			a.Edit = func(s string) string {
				if !strings.Contains(s, from) {
					t.Errorf("no %s", from)
				}
				return strings.ReplaceAll(s, from, to)
			}
		}
	}
	tests := []struct {
		name   string
		change func(*samltest.Assertion, *saml.Options)
		want   saml.Reason
	}{
		{"as it is", func(*samltest.Assertion, *saml.Options) {}, ""},
		{"within the skew after", func(_ *samltest.Assertion, o *saml.Options) { o.Now = now.Add(7 * time.Minute) }, ""},
		{"within the skew before", func(_ *samltest.Assertion, o *saml.Options) { o.Now = now.Add(-2 * time.Minute) }, ""},
		{"no audience wanted", func(a *samltest.Assertion, o *saml.Options) { a.Audience, o.Audiences = "", nil }, ""},
		{"answers the request", func(a *samltest.Assertion, o *saml.Options) { a.InResponseTo, o.Requests = "_q", []string{"_p", "_q"} }, ""},
		{"answers some request", func(a *samltest.Assertion, o *saml.Options) { a.InResponseTo = "_q" }, ""},
		{"unspecified format", edit(` Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"`, ""), ""},

		{"over", func(_ *samltest.Assertion, o *saml.Options) { o.Now = now.Add(8 * time.Minute) }, saml.Expired},
		{"not yet", func(_ *samltest.Assertion, o *saml.Options) { o.Now = now.Add(-4 * time.Minute) }, saml.NotYetValid},
		{"session over", func(a *samltest.Assertion, o *saml.Options) { a.SessionEnds = "2026-11-21T07:50:00Z" }, saml.Expired},
		{"conditions over", edit(`NotBefore="2026-11-21T08:00:00.000Z" NotOnOrAfter="2026-11-21T08:05:00.000Z"`, `NotOnOrAfter="2026-11-21T07:05:00.000Z"`), saml.Expired},
		{"bad time", edit(`NotBefore="2026-11-21T08:00:00.000Z"`, `NotBefore="now"`), saml.Malformed},
		{"bad session time", func(a *samltest.Assertion, o *saml.Options) { a.SessionEnds = "later" }, saml.Malformed},
		{"another audience", func(a *samltest.Assertion, _ *saml.Options) { a.Audience = "urn:somebody" }, saml.WrongAudience},
		{"no audience", func(a *samltest.Assertion, _ *saml.Options) { a.Audience = "" }, saml.WrongAudience},
		{"two restrictions", edit("<saml:AudienceRestriction>", "<saml:AudienceRestriction><saml:Audience>urn:else</saml:Audience></saml:AudienceRestriction><saml:AudienceRestriction>"), saml.WrongAudience},
		{"another recipient", func(a *samltest.Assertion, _ *saml.Options) { a.Recipient = "https://evil.example.com" }, saml.WrongRecipient},
		{"no recipient", edit(` Recipient="`+recipient+`"`, ""), saml.WrongRecipient},
		{"another issuer", func(a *samltest.Assertion, _ *saml.Options) { a.Issuer = "https://other.example.com" }, saml.WrongIssuer},
		{"no issuer", edit("<saml:Issuer>"+entity+"</saml:Issuer>", ""), saml.WrongIssuer},
		{"another request", func(a *samltest.Assertion, o *saml.Options) { a.InResponseTo, o.Requests = "_q", []string{"_p"} }, saml.WrongRequest},
		{"no request", func(a *samltest.Assertion, o *saml.Options) { o.Requests = []string{"_p"} }, saml.WrongRequest},
		{"no name", func(a *samltest.Assertion, _ *saml.Options) { a.NoNameID = true }, saml.NoSubject},
		{"empty name", func(a *samltest.Assertion, _ *saml.Options) { a.NameID = " " }, saml.NoSubject},
		{"two names", edit("</saml:NameID>", "</saml:NameID><saml:NameID>bob</saml:NameID>"), saml.Malformed},
		{"not the bearer", edit("cm:bearer", "cm:holder-of-key"), saml.Malformed},
		{"no end", edit(`<saml:SubjectConfirmationData NotOnOrAfter="2026-11-21T08:05:00.000Z"`, "<saml:SubjectConfirmationData"), saml.Malformed},
		{"unknown condition", edit("</saml:Conditions>", "<saml:Condition/></saml:Conditions>"), saml.Unsupported},
		{"SAML 1.1", edit(`Version="2.0"`, `Version="1.1"`), saml.Unsupported},
		{"failure", func(a *samltest.Assertion, _ *saml.Options) {
			a.Status = "urn:oasis:names:tc:SAML:2.0:status:Responder"
		}, saml.BadStatus},
		{"attribute without name", edit(`Name="mail"`, `NameFormat="mail"`), saml.Malformed},
		{"unsigned", func(a *samltest.Assertion, _ *saml.Options) { a.Sign = "none" }, saml.Unsigned},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, o := good(), options()
			test.change(&a, &o)
			_, err := p.Verify(idp.Response(a), o)
			if reason(err) != test.want || (err == nil) != (test.want == "") {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// A comment does not cut a name short.
func TestComments(t *testing.T) {
	idp := samltest.New(t, entity)
	for _, c14n := range []dsig.Canonicalizer{dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(""), dsig.MakeC14N10ExclusiveWithCommentsCanonicalizerWithPrefixList("")} {
		a := good()
		a.NameID, a.Sign = "admin.evil", "none"
		a.Edit = func(s string) string {
			return idp.SignedWith(strings.Replace(s, "admin.evil", "admin<!-- x -->.evil", 1), func(ctx *dsig.SigningContext) { ctx.Canonicalizer = c14n })
		}
		got, err := provider(t, idp).Verify(idp.Response(a), options())
		if err != nil {
			t.Fatal(err)
		}
		if got.NameID != "admin.evil" {
			t.Errorf("%s: the name is %q", c14n.Algorithm(), got.NameID)
		}
	}
}

// Signatures that are moved, wrapped, or by somebody else.
func TestForgeries(t *testing.T) {
	idp, evil := samltest.New(t, entity), samltest.New(t, entity)
	p := provider(t, idp)
	a := good()
	signed := string(idp.Response(a))
	a.Sign = "response"
	signedOutside := string(idp.Response(a))
	cut := func(s, from, to string) string {
		i := strings.Index(s, from)
		j := strings.LastIndex(s, to) + len(to)
		return s[i:j]
	}
	assertion := cut(signed, "<saml:Assertion", "</saml:Assertion>")
	signature := cut(signed, "<ds:Signature ", "</ds:Signature>")
	bare := strings.Replace(assertion, signature, "", 1)
	bad := strings.ReplaceAll(bare, "alice", "mallory")
	badOtherID := strings.ReplaceAll(bad, `"_a1"`, `"_evil"`)
	in := func(inside string) string { return strings.Replace(signed, assertion, inside, 1) }

	tests := []struct {
		name string
		text string
		want saml.Reason // "": any
	}{
		{"changed name", strings.Replace(signed, "alice<", "mallory<", 1), saml.BadSignature},
		{"changed attribute", strings.Replace(signed, "alice@example.com", "root@example.com", 1), saml.BadSignature},
		{"changed in a signed response", strings.Replace(signedOutside, "alice<", "mallory<", 1), saml.BadSignature},
		{"changed around it", strings.Replace(signedOutside, "2.0:status:Success", "2.0:status:success", 1), saml.BadSignature},
		{"by another key", string(evil.Response(good())), saml.BadSignature},
		{"no signature left", in(bare), saml.Unsigned},
		{"two assertions, evil first", in(badOtherID + assertion), saml.Malformed},
		{"two assertions, evil last", in(assertion + badOtherID), saml.Malformed},
		{"the same ID twice", in(bad + assertion), saml.Malformed},
		// Somorovsky's wrappings, in kind.
		{"original in the evil one's signature", in(strings.Replace(badOtherID, "</saml:Issuer>", "</saml:Issuer>"+strings.Replace(signature, "</ds:Signature>", "<ds:Object>"+bare+"</ds:Object></ds:Signature>", 1), 1)), ""},
		{"original in Extensions", strings.Replace(in(badOtherID), "<samlp:Status>", "<samlp:Extensions>"+assertion+"</samlp:Extensions><samlp:Status>", 1), saml.Malformed},
		{"evil around the original", in(strings.Replace(badOtherID, "</saml:Subject>", "</saml:Subject>"+assertion, 1)), saml.Malformed},
		{"signature of the original in the evil one", in(strings.Replace(badOtherID, "</saml:Issuer>", "</saml:Issuer>"+signature, 1)), saml.BadSignature},
		{"signature outside", strings.Replace(in(bare), "<samlp:Status>", signature+"<samlp:Status>", 1), saml.BadSignature},
		{"signature deeper", in(strings.Replace(bare, "<saml:Subject>", "<saml:Subject>"+signature, 1)), saml.Malformed},
		{"two signatures", in(strings.Replace(assertion, signature, signature+signature, 1)), saml.Malformed},
		{"reference to everything", strings.Replace(signed, `URI="#_a1"`, `URI=""`, 1), saml.BadSignature},
		{"no reference", strings.Replace(signed, `URI="#_a1"`, ``, 1), saml.BadSignature},
		{"response inside of an assertion", "<x>" + signed + "</x>", saml.Malformed},
		{"second reference", strings.Replace(signed, "<ds:Reference ", `<ds:Reference URI="#_evil"><ds:Transforms/></ds:Reference><ds:Reference `, 1), saml.Malformed},
		{"XSLT", strings.Replace(signed, "http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/TR/1999/REC-xslt-19991116", 1), saml.Unsupported},
		{"HMAC", strings.Replace(signed, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#hmac-sha1", 1), saml.Unsupported},
		{"encrypted", in("<saml:EncryptedAssertion/>"), saml.Unsupported},
		{"nothing in it", in(""), saml.Malformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.text == signed || test.text == signedOutside {
				t.Fatal("nothing was changed")
			}
			got, err := p.Verify([]byte(test.text), options())
			if err == nil {
				t.Fatalf("let in %q", got.NameID)
			}
			if test.want != "" && reason(err) != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	if _, err := p.Verify([]byte(signed), options()); err != nil {
		t.Errorf("unchanged: %v", err)
	}

	for name, method := range map[string]string{"SHA-1": dsig.RSASHA1SignatureMethod} {
		a := good()
		a.Sign = "none"
		a.Edit = func(s string) string {
			return idp.SignedWith(s, func(ctx *dsig.SigningContext) {
				if err := ctx.SetSignatureMethod(method); err != nil {
					t.Fatal(err)
				}
			})
		}
		if _, err := p.Verify(idp.Response(a), options()); reason(err) != saml.Unsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBounds(t *testing.T) {
	idp := samltest.New(t, entity)
	p := provider(t, idp)
	signed := string(idp.Response(good()))
	laughs := `<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>`
	tests := []struct {
		name, text string
		want       saml.Reason
	}{
		{"empty", "", saml.Malformed},
		{"entities", laughs + strings.Replace(signed, "alice<", "&lol2;<", 1), saml.Malformed},
		{"external entity", `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + signed, saml.Malformed},
		{"unknown entity", strings.Replace(signed, "alice<", "&lol;<", 1), saml.Malformed},
		{"processing instruction", strings.Replace(signed, "alice<", "<?php x?>alice<", 1), saml.Malformed},
		{"two documents", signed + signed, saml.Malformed},
		{"text behind", signed + "x", saml.Malformed},
		{"deep", strings.Replace(signed, "<samlp:Status>", strings.Repeat("<x>", 100)+strings.Repeat("</x>", 100)+"<samlp:Status>", 1), saml.TooLarge},
		{"many", strings.Replace(signed, "<samlp:Status>", strings.Repeat("<x/>", 6000)+"<samlp:Status>", 1), saml.TooLarge},
		{"large", strings.Replace(signed, "alice<", strings.Repeat("a", saml.MaxResponse)+"<", 1), saml.TooLarge},
		{"attribute twice", strings.Replace(signed, `Version="2.0"`, `Version="2.0" Version="2.0"`, 1), saml.Malformed},
	}
	attrs := ""
	for i := range 100 {
		attrs += fmt.Sprintf(" a%d='x'", i)
	}
	tests = append(tests, struct {
		name, text string
		want       saml.Reason
	}{"attributes", strings.Replace(signed, "<samlp:Status>", "<samlp:Status"+attrs+">", 1), saml.TooLarge})
	for _, test := range tests {
		if _, err := p.Verify([]byte(test.text), options()); reason(err) != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if _, err := saml.Decode(strings.Repeat("A", saml.MaxResponse*2+4)); reason(err) != saml.TooLarge {
		t.Errorf("large: %v", err)
	}
	if _, err := saml.Decode("PHg+!"); reason(err) != saml.Malformed {
		t.Errorf("no base64: %v", err)
	}
	if b, err := saml.Decode(" PHg+\r\n PC94Pg=="); err != nil || string(b) != "<x></x>" {
		t.Errorf("with white space: %q, %v", b, err)
	}
	// Some providers break their signatures into lines, with blanks.
	wrapped := signed
	i := strings.Index(signed, "SignatureValue>") + len("SignatureValue>")
	wrapped = signed[:i] + "\n    " + signed[i:i+64] + "\n    " + signed[i+64:]
	if _, err := p.Verify([]byte(wrapped), options()); err != nil {
		t.Errorf("a signature in lines: %v", err)
	}
}

// What Verify lets in says what was signed, whatever is done to the document.
func FuzzVerify(f *testing.F) {
	// All processes of a fuzzing run have this key.
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	idp := samltest.NewWith(f, entity, key)
	p := provider(f, idp)
	for _, sign := range []string{"assertion", "response", "both", "none"} {
		a := good()
		a.Sign = sign
		f.Add(idp.Response(a))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := p.Verify(text, options())
		if err != nil {
			if reason(err) == "" {
				t.Errorf("an error of type %T", err)
			}
			return
		}
		if a.NameID != "alice" || a.ID != "_a1" || len(a.Values("mail")) != 1 || a.Values("mail")[0] != "alice@example.com" {
			t.Errorf("let in %+v", a)
		}
	})
}

func FuzzParseMetadata(f *testing.F) {
	idp := samltest.New(f, entity)
	f.Add(idp.Metadata())
	f.Add(bytes.ReplaceAll(idp.Metadata(), []byte("md:"), []byte("x:")))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := saml.ParseMetadata(text)
		if err == nil && (p.EntityID == "" || len(p.Certificates) == 0) || err != nil && reason(err) == "" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	idp := samltest.New(b, entity)
	p := provider(b, idp)
	text, err := saml.Decode(base64.StdEncoding.EncodeToString(idp.Response(good())))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Verify(text, options()); err != nil {
			b.Fatal(err)
		}
	}
}

package saml

import (
	"slices"
	"time"

	"github.com/beevik/etree"
)

// DefaultSkew is by how much clocks may differ unless the options say otherwise.
const DefaultSkew = 3 * time.Minute

const (
	statusSuccess = "urn:oasis:names:tc:SAML:2.0:status:Success"
	methodBearer  = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

	// UnspecifiedFormat is the format of a NameID that has none.
	UnspecifiedFormat = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
)

// Options are what an assertion must be meant for.
type Options struct {
	Audiences  []string      // one of them must be named; none: there need not be an audience
	Recipients []string      // where the response may have been sent to: URLs of the assertion consumer
	Requests   []string      // ids of requests that it may answer; nil: it need not answer any
	Now        time.Time     // must be set
	Skew       time.Duration // 0: DefaultSkew
}

// Attribute is what an assertion says of its subject.
type Attribute struct {
	Name         string
	FriendlyName string
	Values       []string
}

// Assertion is a verified assertion.
type Assertion struct {
	ID              string
	Issuer          string
	NameID          string
	Format          string // of NameID, never empty
	NameQualifier   string
	SPNameQualifier string

	Audience     string // that of the options which it names; "" if it names none
	Recipient    string // that of the options which it names
	InResponseTo string
	Ends         time.Time // after which it must not be used: the earliest of its bounds but SessionEnds

	SessionIndex string
	SessionEnds  time.Time // SessionNotOnOrAfter; zero if there is none

	Attributes []Attribute // in the order of the document
}

// Values returns all values of the attributes of a name; nil if there is none.
func (a *Assertion) Values(name string) []string {
	var out []string
	for _, at := range a.Attributes {
		if at.Name == name {
			out = append(out, at.Values...)
		}
	}
	return out
}

// Verify returns the assertion in a response, XML as [Decode] returns it, if it is signed by the
// provider and meant for the options. The error is an [*Error].
func (p *Provider) Verify(response []byte, o Options) (*Assertion, error) {
	if o.Skew == 0 {
		o.Skew = DefaultSkew
	}
	if !p.ValidUntil.IsZero() && !o.Now.Before(p.ValidUntil) {
		return nil, &Error{Reason: Expired, Detail: "the provider's metadata has expired", Got: "validUntil " + p.ValidUntil.UTC().Format(time.RFC3339)}
	}
	root, err := parse(response)
	if err != nil {
		return nil, err
	}
	if !is(root, nsProtocol, "Response") {
		return nil, malformed("not a SAML Response")
	}
	el, err := p.assertion(root)
	if err != nil {
		return nil, err
	}
	if err := p.checkResponse(root, &o); err != nil {
		return nil, err
	}
	return p.read(el, &o)
}

// assertion returns the assertion of a response, from the bytes that a signature covers.
func (p *Provider) assertion(root *etree.Element) (*etree.Element, error) {
	var assertions, signatures int
	ids := map[string]bool{}
	err := walk(root, func(el *etree.Element) error {
		switch {
		case el.Tag == "Assertion" && el.NamespaceURI() == nsAssertion:
			assertions++
		case el.Tag == "Signature" && el.NamespaceURI() == nsSignature:
			signatures++
		case el.Tag == "EncryptedAssertion", el.Tag == "EncryptedID", el.Tag == "EncryptedAttribute":
			return &Error{Reason: Unsupported, Detail: el.Tag + " is not supported: the provider must not encrypt"}
		}
		for _, a := range el.Attr {
			if a.Key != "ID" && a.Key != "Id" && a.Key != "id" {
				continue
			}
			if ids[a.Value] {
				return malformed("ID %s occurs twice", quote(a.Value))
			}
			ids[a.Value] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	el, err := child(root, nsAssertion, "Assertion")
	switch {
	case err != nil:
		return nil, err
	case el == nil && assertions == 0:
		if err := checkStatus(root); err != nil {
			return nil, err
		}
		return nil, malformed("the response has no Assertion")
	case el == nil, assertions != 1:
		return nil, malformed("an Assertion elsewhere than as the only one in the response")
	}
	outer, err := signatureOf(root)
	if err != nil {
		return nil, err
	}
	inner, err := signatureOf(el)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, s := range []*etree.Element{outer, inner} {
		if s != nil {
			n++
		}
	}
	switch {
	case n != signatures:
		return nil, malformed("a Signature elsewhere than in the Response and its Assertion")
	case n == 0:
		return nil, &Error{Reason: Unsigned, Detail: "neither the response nor its assertion is signed"}
	}
	if outer != nil {
		whole, err := p.signed(root)
		if err != nil {
			return nil, err
		}
		if inner == nil {
			if el, err = child(whole, nsAssertion, "Assertion"); err == nil && el == nil {
				err = malformed("the signed response has no Assertion")
			}
			return el, err
		}
	}
	if el, err = p.signed(el); err != nil {
		return nil, err
	}
	if !is(el, nsAssertion, "Assertion") {
		return nil, malformed("what is signed is no Assertion")
	}
	return el, nil
}

func checkStatus(root *etree.Element) error {
	status, err := child(root, nsProtocol, "Status")
	if err != nil {
		return err
	}
	if status == nil {
		return malformed("the response has no Status")
	}
	code, err := child(status, nsProtocol, "StatusCode")
	if err != nil {
		return err
	}
	if code == nil || attr(code, "Value") != statusSuccess {
		got := ""
		if code != nil {
			got = quote(attr(code, "Value"))
		}
		return &Error{Reason: BadStatus, Detail: "the provider reports no success", Got: got, Want: statusSuccess}
	}
	return nil
}

// checkResponse looks at what is around the assertion. It may be unsigned, so it can only add reasons
// to refuse.
func (p *Provider) checkResponse(root *etree.Element, o *Options) error {
	if err := checkStatus(root); err != nil {
		return err
	}
	if v := attr(root, "Version"); v != "2.0" {
		return &Error{Reason: Unsupported, Detail: "the response is of another version of SAML", Got: quote(v), Want: "2.0"}
	}
	if d := attr(root, "Destination"); d != "" && !slices.Contains(o.Recipients, d) {
		return &Error{Reason: WrongRecipient, Detail: "the response's Destination is somebody else", Got: quote(d), Want: quoteAll(o.Recipients)}
	}
	issuer, err := child(root, nsAssertion, "Issuer")
	if err != nil {
		return err
	}
	if issuer != nil && text(issuer) != p.EntityID {
		return &Error{Reason: WrongIssuer, Detail: "the response is another provider's", Got: quote(text(issuer)), Want: quote(p.EntityID)}
	}
	if r := attr(root, "InResponseTo"); o.Requests != nil && r != "" && !slices.Contains(o.Requests, r) {
		return &Error{Reason: WrongRequest, Detail: "the response answers another request", Got: quote(r)}
	}
	return nil
}

// read takes from a signed assertion what it says, and holds it against the options.
func (p *Provider) read(el *etree.Element, o *Options) (*Assertion, error) {
	a := &Assertion{ID: attr(el, "ID")}
	if v := attr(el, "Version"); v != "2.0" {
		return nil, &Error{Reason: Unsupported, Detail: "the assertion is of another version of SAML", Got: quote(v), Want: "2.0"}
	}
	issuer, err := child(el, nsAssertion, "Issuer")
	if err != nil {
		return nil, err
	}
	if a.Issuer = text(issuer); a.Issuer != p.EntityID {
		return nil, &Error{Reason: WrongIssuer, Detail: "the assertion is another provider's", Got: quote(a.Issuer), Want: quote(p.EntityID)}
	}
	if err := a.subject(el, o); err != nil {
		return nil, err
	}
	if err := a.conditions(el, o); err != nil {
		return nil, err
	}
	if err := a.statements(el, o); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Assertion) subject(el *etree.Element, o *Options) error {
	subject, err := child(el, nsAssertion, "Subject")
	if err != nil {
		return err
	}
	if subject == nil {
		return &Error{Reason: NoSubject, Detail: "the assertion has no Subject"}
	}
	name, err := child(subject, nsAssertion, "NameID")
	if err != nil {
		return err
	}
	if name == nil || text(name) == "" {
		return &Error{Reason: NoSubject, Detail: "the assertion's Subject has no NameID"}
	}
	a.NameID, a.Format = text(name), attr(name, "Format")
	if a.Format == "" {
		a.Format = UnspecifiedFormat
	}
	a.NameQualifier, a.SPNameQualifier = attr(name, "NameQualifier"), attr(name, "SPNameQualifier")

	// One confirmation by the bearer must hold.
	last := error(&Error{Reason: Malformed, Detail: "the assertion's Subject has no SubjectConfirmation for its bearer"})
	for _, c := range children(subject, nsAssertion, "SubjectConfirmation") {
		if attr(c, "Method") != methodBearer {
			continue
		}
		data, err := child(c, nsAssertion, "SubjectConfirmationData")
		if err == nil {
			err = a.confirmation(data, o)
		}
		if err == nil {
			return nil
		}
		last = err
	}
	return last
}

// confirmation checks what stands in a SubjectConfirmationData.
// https://docs.oasis-open.org/security/saml/v2.0/saml-profiles-2.0-os.pdf, section 4.1.4.3
func (a *Assertion) confirmation(data *etree.Element, o *Options) error {
	if data == nil {
		return malformed("a SubjectConfirmation has no SubjectConfirmationData")
	}
	if r := attr(data, "Recipient"); !slices.Contains(o.Recipients, r) {
		return &Error{Reason: WrongRecipient, Detail: "the assertion's Recipient is somebody else", Got: quote(r), Want: quoteAll(o.Recipients)}
	}
	if attr(data, "NotOnOrAfter") == "" {
		return malformed("a SubjectConfirmationData has no NotOnOrAfter")
	}
	ends, err := within(data, o)
	if err != nil {
		return err
	}
	if r := attr(data, "InResponseTo"); o.Requests != nil && !slices.Contains(o.Requests, r) {
		return &Error{Reason: WrongRequest, Detail: "the assertion answers another request", Got: quote(r)}
	}
	a.Recipient, a.InResponseTo, a.Ends = attr(data, "Recipient"), attr(data, "InResponseTo"), ends
	return nil
}

// within checks an element's NotBefore and NotOnOrAfter, and returns the latter.
func within(el *etree.Element, o *Options) (ends time.Time, err error) {
	if s := attr(el, "NotBefore"); s != "" {
		t, err := parseTime(s)
		if err != nil {
			return ends, malformed("the NotBefore of %s is no time", el.Tag)
		}
		if o.Now.Add(o.Skew).Before(t) {
			return ends, &Error{Reason: NotYetValid, Detail: el.Tag + " is not valid yet", Got: "NotBefore " + t.UTC().Format(time.RFC3339)}
		}
	}
	if s := attr(el, "NotOnOrAfter"); s != "" {
		if ends, err = parseTime(s); err != nil {
			return ends, malformed("the NotOnOrAfter of %s is no time", el.Tag)
		}
		if !o.Now.Add(-o.Skew).Before(ends) {
			return ends, &Error{Reason: Expired, Detail: el.Tag + " is over", Got: "NotOnOrAfter " + ends.UTC().Format(time.RFC3339)}
		}
	}
	return ends, nil
}

func (a *Assertion) conditions(el *etree.Element, o *Options) error {
	cond, err := child(el, nsAssertion, "Conditions")
	if err != nil {
		return err
	}
	if cond != nil {
		ends, err := within(cond, o)
		if err != nil {
			return err
		}
		if !ends.IsZero() && ends.Before(a.Ends) {
			a.Ends = ends
		}
		for _, c := range cond.ChildElements() {
			switch {
			case is(c, nsAssertion, "AudienceRestriction"):
				if err := a.audience(c, o); err != nil {
					return err
				}
			case is(c, nsAssertion, "OneTimeUse"), is(c, nsAssertion, "ProxyRestriction"):
			default: // an unknown condition cannot be known to hold
				return &Error{Reason: Unsupported, Detail: "a condition of the assertion is not known", Got: quote(c.Tag)}
			}
		}
	}
	if len(o.Audiences) > 0 && a.Audience == "" {
		return &Error{Reason: WrongAudience, Detail: "the assertion names no audience", Want: quoteAll(o.Audiences)}
	}
	return nil
}

// audience checks one AudienceRestriction; where there are several, each must hold.
func (a *Assertion) audience(restriction *etree.Element, o *Options) error {
	got := ""
	for _, c := range children(restriction, nsAssertion, "Audience") {
		got = text(c)
		if slices.Contains(o.Audiences, got) {
			a.Audience = got
			return nil
		}
	}
	return &Error{Reason: WrongAudience, Detail: "the assertion is meant for somebody else", Got: quote(got), Want: quoteAll(o.Audiences)}
}

func (a *Assertion) statements(el *etree.Element, o *Options) error {
	for _, s := range children(el, nsAssertion, "AuthnStatement") {
		if a.SessionIndex == "" {
			a.SessionIndex = attr(s, "SessionIndex")
		}
		text := attr(s, "SessionNotOnOrAfter")
		if text == "" {
			continue
		}
		t, err := parseTime(text)
		if err != nil {
			return malformed("SessionNotOnOrAfter is no time")
		}
		if !o.Now.Add(-o.Skew).Before(t) {
			return &Error{Reason: Expired, Detail: "the session at the provider is over", Got: "SessionNotOnOrAfter " + t.UTC().Format(time.RFC3339)}
		}
		if a.SessionEnds.IsZero() || t.Before(a.SessionEnds) {
			a.SessionEnds = t
		}
	}
	for _, s := range children(el, nsAssertion, "AttributeStatement") {
		for _, c := range children(s, nsAssertion, "Attribute") {
			at := Attribute{Name: attr(c, "Name"), FriendlyName: attr(c, "FriendlyName")}
			if at.Name == "" {
				return malformed("an Attribute has no Name")
			}
			for _, v := range children(c, nsAssertion, "AttributeValue") {
				at.Values = append(at.Values, text(v))
			}
			a.Attributes = append(a.Attributes, at)
		}
	}
	return nil
}

func quoteAll(list []string) string {
	out := ""
	for i, s := range list {
		if i > 0 {
			out += ", "
		}
		out += quote(s)
	}
	return out
}

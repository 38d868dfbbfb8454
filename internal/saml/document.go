package saml

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/beevik/etree"
)

const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsSignature = "http://www.w3.org/2000/09/xmldsig#"
)

// The bounds of documents.
const (
	MaxResponse = 256 << 10 // bytes of XML

	maxDepth            = 64
	maxElements         = 5000 // of a response
	maxMetadataElements = 200_000
	maxAttributes       = 64 // of an element
)

// Decode returns the XML of a SAMLResponse parameter: base64, in which white space may stand. The error
// is an [*Error].
func Decode(param string) ([]byte, error) {
	if len(param) > MaxResponse*2 {
		return nil, &Error{Reason: TooLarge, Detail: fmt.Sprintf("the response has more than %d bytes", MaxResponse)}
	}
	text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(param), ""))
	if err != nil {
		return nil, malformed("the response is not in base64")
	}
	return text, nil
}

// scan tells whether a document is well-formed and within the bounds, and free of what has no place in
// it, before anything is built from it.
func scan(text []byte, elements int) error {
	d := xml.NewDecoder(bytes.NewReader(text)) // strict: no entities but the five, UTF-8 only
	depth, count, roots := 0, 0, 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return malformed("not well-formed XML: %v", err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			count++
			switch {
			case depth > maxDepth:
				return &Error{Reason: TooLarge, Detail: fmt.Sprintf("elements are nested deeper than %d", maxDepth)}
			case count > elements:
				return &Error{Reason: TooLarge, Detail: fmt.Sprintf("more than %d elements", elements)}
			case len(t.Attr) > maxAttributes:
				return &Error{Reason: TooLarge, Detail: fmt.Sprintf("an element has more than %d attributes", maxAttributes)}
			}
			seen := map[xml.Name]bool{}
			for _, a := range t.Attr {
				if seen[a.Name] {
					return malformed("an element has attribute %s twice", quote(a.Name.Local))
				}
				seen[a.Name] = true
			}
		case xml.EndElement:
			depth--
		case xml.Directive:
			return malformed("a document type declaration")
		case xml.ProcInst:
			if t.Target != "xml" || count > 0 {
				return malformed("a processing instruction")
			}
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(t)) > 0 {
				return malformed("text outside of the document")
			}
		}
	}
	if roots != 1 {
		return malformed("not one document")
	}
	return nil
}

func parse(text []byte) (*etree.Element, error) {
	if len(text) > MaxResponse {
		return nil, &Error{Reason: TooLarge, Detail: fmt.Sprintf("the response has more than %d bytes", MaxResponse)}
	}
	if err := scan(text, maxElements); err != nil {
		return nil, err
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(text); err != nil || doc.Root() == nil {
		return nil, malformed("not well-formed XML")
	}
	return doc.Root(), nil
}

func is(el *etree.Element, space, tag string) bool {
	return el.Tag == tag && el.NamespaceURI() == space
}

// children returns the element's children of a name.
func children(el *etree.Element, space, tag string) []*etree.Element {
	var out []*etree.Element
	for _, c := range el.ChildElements() {
		if is(c, space, tag) {
			out = append(out, c)
		}
	}
	return out
}

// child returns the only child of a name; nil if there is none. Two are an error.
func child(el *etree.Element, space, tag string) (*etree.Element, error) {
	list := children(el, space, tag)
	switch len(list) {
	case 0:
		return nil, nil
	case 1:
		return list[0], nil
	}
	return nil, malformed("more than one %s in %s", tag, el.Tag)
}

// walk calls f for the element and all below it.
func walk(el *etree.Element, f func(*etree.Element) error) error {
	if err := f(el); err != nil {
		return err
	}
	for _, c := range el.ChildElements() {
		if err := walk(c, f); err != nil {
			return err
		}
	}
	return nil
}

// text returns all text in the element, whatever stands between its parts: a comment must not cut a
// name short.
func text(el *etree.Element) string {
	if el == nil {
		return ""
	}
	var b strings.Builder
	write(&b, el)
	return strings.TrimSpace(b.String())
}

func write(b *strings.Builder, el *etree.Element) {
	for _, t := range el.Child {
		switch t := t.(type) {
		case *etree.CharData:
			b.WriteString(t.Data)
		case *etree.Element:
			write(b, t)
		}
	}
}

// attr returns an attribute without a namespace prefix.
func attr(el *etree.Element, name string) string {
	for _, a := range el.Attr {
		if a.Space == "" && a.Key == name {
			return a.Value
		}
	}
	return ""
}

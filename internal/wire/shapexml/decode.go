package shapexml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
)

// maxDepth bounds the nesting of elements; no model comes near it.
const maxDepth = 32

// ErrMalformed is returned for a body that is not well-formed XML, is nested too deeply, has a
// document type, or has a text where its kind of value cannot be.
var ErrMalformed = errors.New("malformed XML")

// Decode reads data into v, a structure of shape r. The name of the root element and all namespaces
// are taken as they come, and unknown elements are skipped, as S3 does. It returns [ErrMalformed].
func Decode(m *shape.Model, r shape.Ref, data []byte, v reflect.Value) error {
	d := &decoder{m: m, x: xml.NewDecoder(bytes.NewReader(data))}
	d.x.CharsetReader = nil // UTF-8 only
	root, err := d.start()
	if err != nil {
		return err
	}
	if err := d.structure(r, root, v); err != nil {
		return err
	}
	for { // nothing but space and comments may follow
		t, err := d.x.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return ErrMalformed
		}
		switch t := t.(type) {
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return ErrMalformed
			}
		case xml.StartElement, xml.Directive:
			return ErrMalformed
		}
	}
}

type decoder struct {
	m     *shape.Model
	x     *xml.Decoder
	depth int
}

// start skips to the root element.
func (d *decoder) start() (xml.StartElement, error) {
	for {
		t, err := d.x.Token()
		if err != nil {
			return xml.StartElement{}, ErrMalformed
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t, nil
		case xml.Directive: // <!DOCTYPE
			return xml.StartElement{}, ErrMalformed
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return xml.StartElement{}, ErrMalformed
			}
		}
	}
}

// children calls f for each element below the one that was just opened, up to its end.
func (d *decoder) children(f func(xml.StartElement) error) error {
	if d.depth++; d.depth > maxDepth {
		return ErrMalformed
	}
	defer func() { d.depth-- }()
	for {
		t, err := d.x.Token()
		if err != nil {
			return ErrMalformed
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := f(t); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		case xml.Directive:
			return ErrMalformed
		}
	}
}

func (d *decoder) skip(xml.StartElement) error { return d.children(d.skip) }

// text returns the text of the element that was just opened.
func (d *decoder) text() (string, error) {
	var b strings.Builder
	for {
		t, err := d.x.Token()
		if err != nil {
			return "", ErrMalformed
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			return b.String(), nil
		case xml.StartElement, xml.Directive:
			return "", ErrMalformed
		}
	}
}

func (d *decoder) structure(r shape.Ref, start xml.StartElement, v reflect.Value) error {
	sh := d.m.At(r)
	var seen shape.Absent
	see := func(i int) {
		if i < 64 {
			seen |= 1 << i
		}
	}
	for _, a := range start.Attr {
		for i := range sh.Members {
			mem := &sh.Members[i]
			if !mem.XMLAttr || local(mem.Wire) != a.Name.Local {
				continue
			}
			see(i)
			if proto.SetScalar(d.m.At(mem.Shape), v.Field(i), a.Value) != nil {
				return ErrMalformed
			}
		}
	}
	err := d.children(func(e xml.StartElement) error {
		for i := range sh.Members {
			mem := &sh.Members[i]
			if mem.Location != shape.Body || mem.XMLAttr || local(mem.Wire) != e.Name.Local {
				continue
			}
			see(i)
			return d.value(mem.Shape, e, v.Field(i))
		}
		return d.skip(e)
	})
	if err == nil {
		shape.MarkAbsent(d.m, sh, v, seen)
	}
	return err
}

// local cuts a prefix from an XML name.
func local(name string) string {
	if _, after, ok := strings.Cut(name, ":"); ok {
		return after
	}
	return name
}

func (d *decoder) value(r shape.Ref, e xml.StartElement, dst reflect.Value) error {
	sh := d.m.At(r)
	switch sh.Kind {
	case shape.Structure, shape.Union:
		if dst.Kind() == reflect.Pointer {
			dst.Set(reflect.New(dst.Type().Elem()))
			dst = dst.Elem()
		}
		return d.structure(r, e, dst)
	case shape.List:
		if dst.IsNil() {
			dst.Set(reflect.MakeSlice(dst.Type(), 0, 4))
		}
		if sh.Flat {
			return d.item(sh.Elem, e, dst)
		}
		name := or(sh.ElemName, "member")
		return d.children(func(e xml.StartElement) error {
			if e.Name.Local != name {
				return d.skip(e)
			}
			return d.item(sh.Elem, e, dst)
		})
	case shape.Map:
		if dst.IsNil() {
			dst.Set(reflect.MakeMap(dst.Type()))
		}
		if sh.Flat {
			return d.entry(sh, dst)
		}
		return d.children(func(e xml.StartElement) error {
			if e.Name.Local != "entry" {
				return d.skip(e)
			}
			return d.entry(sh, dst)
		})
	}
	text, err := d.text()
	if err != nil {
		return err
	}
	if sh.Kind != shape.String {
		text = strings.TrimSpace(text)
	}
	if proto.SetScalar(sh, dst, text) != nil {
		return ErrMalformed
	}
	return nil
}

func (d *decoder) item(r shape.Ref, e xml.StartElement, list reflect.Value) error {
	elem := reflect.New(list.Type().Elem()).Elem()
	if err := d.value(r, e, elem); err != nil {
		return err
	}
	list.Set(reflect.Append(list, elem))
	return nil
}

func (d *decoder) entry(sh *shape.Shape, dst reflect.Value) error {
	var key string
	val := reflect.New(dst.Type().Elem()).Elem()
	err := d.children(func(e xml.StartElement) (err error) {
		switch e.Name.Local {
		case or(sh.KeyName, "key"):
			key, err = d.text()
			return err
		case or(sh.ElemName, "value"):
			return d.value(sh.Elem, e, val)
		}
		return d.skip(e)
	})
	if err == nil {
		dst.SetMapIndex(reflect.ValueOf(key), val)
	}
	return err
}

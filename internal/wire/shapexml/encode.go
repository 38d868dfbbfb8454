// Package shapexml writes and reads shapes as XML, by the rules that the Query and REST XML protocols
// share: https://smithy.io/2.0/spec/protocol-traits.html#xml-bindings.
package shapexml

import (
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
)

// Open appends a start tag, with the default namespace ns unless that is empty.
func Open(b []byte, name, ns string) []byte {
	b = append(b, '<')
	b = append(b, name...)
	return append(namespace(b, ns), '>')
}

// namespace appends the declaration of "uri" or "prefix=uri".
func namespace(b []byte, ns string) []byte {
	if ns == "" {
		return b
	}
	b = append(b, " xmlns"...)
	if prefix, uri, ok := strings.Cut(ns, "="); ok && !strings.Contains(prefix, "/") {
		b = append(append(b, ':'), prefix...)
		ns = uri
	}
	b = append(b, `="`...)
	return append(AppendText(b, ns, true), '"')
}

// Close appends an end tag.
func Close(b []byte, name string) []byte {
	b = append(b, "</"...)
	b = append(b, name...)
	return append(b, '>')
}

// Element appends an element that holds only text.
func Element(b []byte, name, text string) []byte {
	return Close(AppendText(Open(b, name, ""), text, false), name)
}

// AppendText appends text so that an XML parser gives it back as it was. What XML 1.0 cannot hold,
// such as most control characters, becomes U+FFFD.
func AppendText(b []byte, text string, attr bool) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '&':
				b = append(b, "&amp;"...)
			case c == '<':
				b = append(b, "&lt;"...)
			case c == '>':
				b = append(b, "&gt;"...)
			case c == '"':
				b = append(b, "&quot;"...)
			case c == '\r': // a parser would turn it into a newline
				b = append(b, "&#xD;"...)
			case c == '\n' && attr:
				b = append(b, "&#xA;"...)
			case c == '\t' && attr:
				b = append(b, "&#x9;"...)
			case c < ' ' && c != '\n' && c != '\t':
				b = append(b, "\uFFFD"...)
			default:
				b = append(b, c)
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 || r == 0xFFFE || r == 0xFFFF {
			b = append(b, "\uFFFD"...)
		} else {
			b = append(b, text[i:i+n]...)
		}
		i += n
	}
	return b
}

// AppendMembers appends the members of v, a structure of shape r, that belong to the body, each as an
// element. Absent members are left out.
func AppendMembers(b []byte, m *shape.Model, r shape.Ref, v reflect.Value) []byte {
	sh := m.At(r)
	for i := range sh.Members {
		mem := &sh.Members[i]
		if mem.Location == shape.Body && !mem.XMLAttr {
			b = AppendValue(b, m, mem.Shape, mem.Wire, v.Field(i))
		}
	}
	return b
}

// AppendValue appends v, a value of shape r, as an element of the given name, or as several where a
// list or map is flattened. A nil value leaves nothing.
func AppendValue(b []byte, m *shape.Model, r shape.Ref, name string, v reflect.Value) []byte {
	sh := m.At(r)
	switch sh.Kind {
	case shape.Structure, shape.Union:
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return b
			}
			v = v.Elem()
		}
		b = append(b, '<')
		b = append(b, name...)
		b = namespace(b, sh.XMLNamespace)
		for i := range sh.Members {
			if sh.Members[i].XMLAttr {
				b = attribute(b, m, &sh.Members[i], v.Field(i))
			}
		}
		b = append(b, '>')
		return Close(AppendMembers(b, m, r, v), name)
	case shape.List:
		if v.IsNil() {
			return b
		}
		elem := or(sh.ElemName, "member")
		if sh.Flat {
			elem = name
		} else {
			b = Open(b, name, sh.XMLNamespace)
		}
		for i := range v.Len() {
			b = AppendValue(b, m, sh.Elem, elem, v.Index(i))
		}
		if !sh.Flat {
			b = Close(b, name)
		}
		return b
	case shape.Map:
		if v.IsNil() {
			return b
		}
		entry := "entry"
		if sh.Flat {
			entry = name
		} else {
			b = Open(b, name, sh.XMLNamespace)
		}
		keys := make([]string, 0, v.Len())
		for it := v.MapRange(); it.Next(); {
			keys = append(keys, it.Key().String())
		}
		slices.Sort(keys)
		for _, key := range keys {
			b = Open(b, entry, "")
			b = Element(b, or(sh.KeyName, "key"), key)
			b = AppendValue(b, m, sh.Elem, or(sh.ElemName, "value"), v.MapIndex(reflect.ValueOf(key)))
			b = Close(b, entry)
		}
		if !sh.Flat {
			b = Close(b, name)
		}
		return b
	}
	if v = scalar(v); !v.IsValid() {
		return b
	}
	b = Open(b, name, sh.XMLNamespace)
	switch {
	case sh.Kind == shape.String:
		b = AppendText(b, v.String(), false)
	case sh.Kind == shape.Timestamp && sh.TimeFormat == "" && m.Protocol == shape.RESTXML:
		b = v.Interface().(time.Time).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z") // S3 writes all digits
	default:
		b = proto.AppendScalar(b, sh, v, proto.DateTime)
	}
	return Close(b, name)
}

func attribute(b []byte, m *shape.Model, mem *shape.Member, v reflect.Value) []byte {
	if v = scalar(v); !v.IsValid() {
		return b
	}
	b = append(b, ' ')
	b = append(b, mem.Wire...)
	b = append(b, `="`...)
	b = AppendText(b, string(proto.AppendScalar(nil, m.At(mem.Shape), v, proto.DateTime)), true)
	return append(b, '"')
}

// scalar follows an optional member's pointer; of an absent one it returns the invalid Value.
func scalar(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		return v.Elem()
	case reflect.Slice: // a blob
		if v.IsNil() {
			return reflect.Value{}
		}
	case reflect.Interface:
		return reflect.Value{}
	}
	return v
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

package shape

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// EncodeJSON writes v, the generated struct of shape r or a pointer to it, as a JSON object in the
// order of the model; maps in the order of their keys. What is nil is left out, of a structure with
// HTTP bindings also what does not travel in the body. It fails on a document that JSON cannot hold.
func EncodeJSON(m *Model, r Ref, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return []byte("{}"), nil
		}
		rv = rv.Elem()
	}
	e := encoder{m: m, out: make([]byte, 0, 512)}
	if err := e.value(m.At(r), rv); err != nil {
		return nil, err
	}
	return e.out, nil
}

type encoder struct {
	m   *Model
	out []byte
}

func (e *encoder) value(s *Shape, v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch s.Kind {
	case String:
		e.str(v.String())
	case Boolean:
		e.out = strconv.AppendBool(e.out, v.Bool())
	case Integer, Long:
		e.out = strconv.AppendInt(e.out, v.Int(), 10)
	case Float, Double:
		switch f := v.Float(); {
		case math.IsNaN(f):
			e.str("NaN")
		case math.IsInf(f, 1):
			e.str("Infinity")
		case math.IsInf(f, -1):
			e.str("-Infinity")
		default:
			format := byte('f')
			if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
				format = 'e'
			}
			e.out = strconv.AppendFloat(e.out, f, format, -1, 64)
		}
	case Timestamp:
		t := v.Interface().(time.Time)
		if s.TimeFormat == "" || s.TimeFormat == "epoch-seconds" {
			e.out = appendEpoch(e.out, t)
		} else {
			e.str(FormatTime(s.TimeFormat, t))
		}
	case Blob:
		e.out = append(e.out, '"')
		e.out = base64.StdEncoding.AppendEncode(e.out, v.Bytes())
		e.out = append(e.out, '"')
	case List:
		el := e.m.At(s.Elem)
		e.out = append(e.out, '[')
		for i := range v.Len() {
			if i > 0 {
				e.out = append(e.out, ',')
			}
			if err := e.value(el, v.Index(i)); err != nil {
				return err
			}
		}
		e.out = append(e.out, ']')
	case Map:
		el := e.m.At(s.Elem)
		e.out = append(e.out, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				e.out = append(e.out, ',')
			}
			e.str(k.String())
			e.out = append(e.out, ':')
			if err := e.value(el, v.MapIndex(k)); err != nil {
				return err
			}
		}
		e.out = append(e.out, '}')
	case Structure, Union:
		return e.structure(s, v)
	case Document:
		b := new(bytes.Buffer)
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v.Interface()); err != nil {
			return fmt.Errorf("document: %w", err)
		}
		e.out = append(e.out, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
	}
	return nil
}

func (e *encoder) structure(s *Shape, v reflect.Value) error {
	e.out = append(e.out, '{')
	first := true
	absent := absence(s, v)
	for i := range s.Members {
		mem := &s.Members[i]
		if mem.Location != Body {
			continue
		}
		f := v.Field(i)
		if absent.has(i) || missing(f) {
			continue
		}
		ms := e.m.At(mem.Shape)
		if ms.Streaming && ms.Kind == Blob {
			continue
		}
		if !first {
			e.out = append(e.out, ',')
		}
		first = false
		e.str(mem.Wire)
		e.out = append(e.out, ':')
		if err := e.value(ms, f); err != nil {
			return err
		}
	}
	e.out = append(e.out, '}')
	return nil
}

// missing tells whether a member is not there. A required time that nobody set counts as such.
func missing(f reflect.Value) bool {
	switch f.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return f.IsNil()
	case reflect.Struct:
		t, ok := f.Interface().(time.Time)
		return ok && t.IsZero()
	}
	return false
}

const hexDigits = "0123456789abcdef"

func (e *encoder) str(s string) {
	e.out = append(e.out, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				e.out = append(append(e.out, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		i++
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		e.out = append(e.out, s[start:i-1]...)
		start = i
		switch c {
		case '"', '\\':
			e.out = append(e.out, '\\', c)
		case '\n':
			e.out = append(e.out, '\\', 'n')
		case '\r':
			e.out = append(e.out, '\\', 'r')
		case '\t':
			e.out = append(e.out, '\\', 't')
		default:
			e.out = append(e.out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	e.out = append(append(e.out, s[start:]...), '"')
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

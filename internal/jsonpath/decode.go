package jsonpath

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep documents may nest.
const MaxDepth = 512

// A SyntaxError says where a document or a path is not what it should be.
type SyntaxError struct {
	Offset int // bytes from the start
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at offset %d", e.Reason, e.Offset) }

// Decode reads one JSON document (RFC 8259) with nothing behind it. Of members with the same name the last
// counts, in the place of the first.
func Decode(data []byte) (any, error) {
	d := decoder{s: data}
	d.space()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	d.space()
	if d.i < len(d.s) {
		return nil, d.fail("text after the document")
	}
	return v, nil
}

type decoder struct {
	s []byte
	i int
}

func (d *decoder) fail(reason string) error { return &SyntaxError{Offset: d.i, Reason: reason} }

func (d *decoder) space() {
	for d.i < len(d.s) {
		switch d.s[d.i] {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return
		}
	}
}

func (d *decoder) peek() byte {
	if d.i < len(d.s) {
		return d.s[d.i]
	}
	return 0
}

func (d *decoder) value(depth int) (any, error) {
	if depth > MaxDepth {
		return nil, d.fail("nested too deeply")
	}
	switch c := d.peek(); c {
	case '{':
		d.i++
		o := &Object{}
		for d.space(); d.peek() != '}'; d.space() {
			if o.Len() > 0 {
				if d.peek() != ',' {
					return nil, d.fail("expected , or }")
				}
				d.i++
				d.space()
			}
			key, err := d.text()
			if err != nil {
				return nil, err
			}
			d.space()
			if d.peek() != ':' {
				return nil, d.fail("expected :")
			}
			d.i++
			d.space()
			v, err := d.value(depth + 1)
			if err != nil {
				return nil, err
			}
			o.Set(key, v)
		}
		d.i++
		return o, nil
	case '[':
		d.i++
		a := &Array{}
		for d.space(); d.peek() != ']'; d.space() {
			if len(a.Items) > 0 {
				if d.peek() != ',' {
					return nil, d.fail("expected , or ]")
				}
				d.i++
				d.space()
			}
			v, err := d.value(depth + 1)
			if err != nil {
				return nil, err
			}
			a.Items = append(a.Items, v)
		}
		d.i++
		return a, nil
	case '"':
		return d.text()
	case 't':
		return true, d.word("true")
	case 'f':
		return false, d.word("false")
	case 'n':
		return nil, d.word("null")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return d.number()
		}
	}
	if d.i >= len(d.s) {
		return nil, d.fail("unexpected end")
	}
	return nil, d.fail("unexpected character")
}

func (d *decoder) word(w string) error {
	if len(d.s)-d.i < len(w) || string(d.s[d.i:d.i+len(w)]) != w {
		return d.fail("unexpected character")
	}
	d.i += len(w)
	return nil
}

func (d *decoder) digits() bool {
	start := d.i
	for d.i < len(d.s) && d.s[d.i] >= '0' && d.s[d.i] <= '9' {
		d.i++
	}
	return d.i > start
}

func (d *decoder) number() (any, error) {
	start, whole := d.i, true
	if d.peek() == '-' {
		d.i++
	}
	if d.peek() == '0' {
		d.i++
	} else if !d.digits() {
		return nil, d.fail("expected a digit")
	}
	if d.peek() == '.' {
		whole = false
		d.i++
		if !d.digits() {
			return nil, d.fail("expected a digit")
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		whole = false
		d.i++
		if c := d.peek(); c == '+' || c == '-' {
			d.i++
		}
		if !d.digits() {
			return nil, d.fail("expected a digit")
		}
	}
	text := string(d.s[start:d.i])
	if whole {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		return Number(text), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return Number(text), nil
	}
	return f, nil
}

func (d *decoder) text() (string, error) {
	if d.peek() != '"' {
		return "", d.fail("expected a string")
	}
	d.i++
	start := d.i
	for d.i < len(d.s) {
		switch c := d.s[d.i]; {
		case c == '"':
			s := d.s[start:d.i]
			d.i++
			if !utf8.Valid(s) {
				return string([]rune(string(s))), nil
			}
			return string(s), nil
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return "", d.fail("control character in a string")
		}
		d.i++
	}
	return "", d.fail("unexpected end")
}

func (d *decoder) escaped(start int) (string, error) {
	b := append([]byte(nil), d.s[start:d.i]...)
	for d.i < len(d.s) {
		switch c := d.s[d.i]; {
		case c == '"':
			d.i++
			if !utf8.Valid(b) {
				return string([]rune(string(b))), nil
			}
			return string(b), nil
		case c < ' ':
			return "", d.fail("control character in a string")
		case c != '\\':
			b = append(b, c)
			d.i++
			continue
		}
		d.i++
		c := d.peek()
		d.i++
		switch c {
		case '"', '\\', '/':
			b = append(b, c)
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case 'r':
			b = append(b, '\r')
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'u':
			r, ok := d.hex4()
			if !ok {
				return "", d.fail("bad \\u escape")
			}
			if utf16.IsSurrogate(r) {
				at := d.i
				low := rune(-1)
				if d.i+1 < len(d.s) && d.s[d.i] == '\\' && d.s[d.i+1] == 'u' {
					d.i += 2
					if low, ok = d.hex4(); !ok {
						return "", d.fail("bad \\u escape")
					}
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					d.i = at
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			return "", d.fail("bad escape")
		}
	}
	return "", d.fail("unexpected end")
}

func (d *decoder) hex4() (rune, bool) {
	if d.i+4 > len(d.s) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(d.s[d.i:d.i+4]), 16, 16)
	for _, c := range d.s[d.i : d.i+4] {
		if c == '_' || c == '+' {
			return 0, false
		}
	}
	d.i += 4
	return rune(n), err == nil
}

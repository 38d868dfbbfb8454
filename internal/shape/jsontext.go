package shape

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The tokens of JSON, RFC 8259: strict, and UTF-8 only.

func (d *decoder) space() {
	for d.pos < len(d.in) {
		switch d.in[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// peek returns the first byte of the next token, 0 at the end.
func (d *decoder) peek() byte {
	d.space()
	if d.pos == len(d.in) {
		return 0
	}
	return d.in[d.pos]
}

// literal takes a word if it comes next.
func (d *decoder) literal(word string) bool {
	if len(d.in)-d.pos < len(word) || string(d.in[d.pos:d.pos+len(word)]) != word {
		return false
	}
	d.pos += len(word)
	return true
}

// skip takes the next value without keeping it, and checks that it is well formed.
func (d *decoder) skip(depth int) error {
	if depth > maxDepth {
		return d.malformed()
	}
	switch c := d.peek(); c {
	case '"':
		_, err := d.raw()
		return err
	case '{', '[':
		d.pos++
		end := c + 2 // '}' and ']' both come two after
		if d.peek() == end {
			d.pos++
			return nil
		}
		for {
			if c == '{' {
				if d.peek() != '"' {
					return d.malformed()
				}
				if _, err := d.raw(); err != nil {
					return err
				}
				if d.peek() != ':' {
					return d.malformed()
				}
				d.pos++
			}
			if err := d.skip(depth + 1); err != nil {
				return err
			}
			switch d.peek() {
			case ',':
				d.pos++
			case end:
				d.pos++
				return nil
			default:
				return d.malformed()
			}
		}
	case 't':
		if d.literal("true") {
			return nil
		}
	case 'f':
		if d.literal("false") {
			return nil
		}
	case 'n':
		if d.literal("null") {
			return nil
		}
	default:
		if d.number() {
			return nil
		}
	}
	return d.malformed()
}

// number takes a number as RFC 8259 writes it.
func (d *decoder) number() bool {
	digits := func() bool {
		start := d.pos
		for d.pos < len(d.in) && d.in[d.pos] >= '0' && d.in[d.pos] <= '9' {
			d.pos++
		}
		return d.pos > start
	}
	at := func(c byte) bool { return d.pos < len(d.in) && d.in[d.pos] == c }
	if at('-') {
		d.pos++
	}
	if at('0') {
		d.pos++
	} else if !digits() {
		return false
	}
	if at('.') {
		d.pos++
		if !digits() {
			return false
		}
	}
	if at('e') || at('E') {
		d.pos++
		if at('+') || at('-') {
			d.pos++
		}
		return digits()
	}
	return true
}

// raw takes a string and returns its contents, within the input where nothing is escaped.
func (d *decoder) raw() ([]byte, error) {
	d.pos++
	start := d.pos
	plain := true
	for d.pos < len(d.in) {
		switch c := d.in[d.pos]; {
		case c == '"':
			s := d.in[start:d.pos]
			d.pos++
			if !plain && !utf8.Valid(s) {
				return nil, d.malformed()
			}
			return s, nil
		case c == '\\':
			return d.unescape(start)
		case c < ' ':
			return nil, d.malformed()
		case c >= utf8.RuneSelf:
			plain = false
		}
		d.pos++
	}
	return nil, d.malformed()
}

func (d *decoder) str() (string, error) {
	b, err := d.raw()
	return string(b), err
}

// unescape goes on with a string at its first backslash.
func (d *decoder) unescape(start int) ([]byte, error) {
	out := append(make([]byte, 0, d.pos-start+32), d.in[start:d.pos]...)
	for d.pos < len(d.in) {
		c := d.in[d.pos]
		d.pos++
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return nil, d.malformed()
			}
			return out, nil
		case c < ' ':
			return nil, d.malformed()
		case c != '\\':
			out = append(out, c)
			continue
		}
		if d.pos == len(d.in) {
			break
		}
		c = d.in[d.pos]
		d.pos++
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := d.hex()
			if !ok {
				return nil, d.malformed()
			}
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if d.literal(`\u`) {
					if low, ok = d.hex(); !ok {
						return nil, d.malformed()
					}
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					return nil, d.malformed()
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			return nil, d.malformed()
		}
	}
	return nil, d.malformed()
}

func (d *decoder) hex() (rune, bool) {
	if len(d.in)-d.pos < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(d.in[d.pos:d.pos+4]), 16, 32)
	d.pos += 4
	return rune(n), err == nil
}

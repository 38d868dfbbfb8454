package jsonpath

import (
	"slices"
	"strconv"
	"unicode/utf8"
)

// Number is a JSON number that is neither an int64 nor a finite float64, as it was written.
type Number string

// Object is a JSON object: members in the order in which they were first set. The zero value is empty
// and ready. An Object is not safe for concurrent use when it is changed.
type Object struct {
	keys   []string
	values []any
	index  map[string]int // of objects beyond indexFrom members
}

// Array is a JSON array. Plain marks a list that a template made: it prints as a java.util.List,
// where one of a document prints as JSON.
type Array struct {
	Items []any
	Plain bool
}

// indexFrom is the size from which a map finds a member sooner than a walk.
const indexFrom = 12

func (o *Object) find(key string) int {
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			return i
		}
		return -1
	}
	return slices.Index(o.keys, key)
}

// Len is the number of members.
func (o *Object) Len() int { return len(o.keys) }

// Get returns the member's value, and whether there is such a member.
func (o *Object) Get(key string) (any, bool) {
	if i := o.find(key); i >= 0 {
		return o.values[i], true
	}
	return nil, false
}

// Set sets a member, in its place if it exists, else at the end, and returns what it was before.
func (o *Object) Set(key string, value any) (before any) {
	if i := o.find(key); i >= 0 {
		before, o.values[i] = o.values[i], value
		return before
	}
	o.keys, o.values = append(o.keys, key), append(o.values, value)
	switch {
	case o.index != nil:
		o.index[key] = len(o.keys) - 1
	case len(o.keys) > indexFrom:
		o.reindex()
	}
	return nil
}

// Delete removes a member and returns what it was.
func (o *Object) Delete(key string) (before any) {
	i := o.find(key)
	if i < 0 {
		return nil
	}
	before = o.values[i]
	o.keys, o.values = slices.Delete(o.keys, i, i+1), slices.Delete(o.values, i, i+1)
	if o.index != nil {
		o.reindex()
	}
	return before
}

// Clear removes all members.
func (o *Object) Clear() { *o = Object{} }

func (o *Object) reindex() {
	o.index = make(map[string]int, len(o.keys)*2)
	for i, k := range o.keys {
		o.index[k] = i
	}
}

// At returns the i-th member.
func (o *Object) At(i int) (string, any) { return o.keys[i], o.values[i] }

// Keys returns the names in order. It is the object's own slice: not to be changed.
func (o *Object) Keys() []string { return o.keys }

// Append writes a value as JSON without white space, members in order. Values of other types than this
// package's are written as null. Cyclic values (a template can make them) end at MaxDepth with null.
func Append(dst []byte, v any) []byte { return appendJSON(dst, v, 0) }

func appendJSON(dst []byte, v any, depth int) []byte {
	if depth > MaxDepth {
		return append(dst, "null"...)
	}
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		return append(dst, FormatFloat(v)...)
	case Number:
		return append(dst, v...)
	case string:
		return AppendString(dst, v)
	case *Object:
		dst = append(dst, '{')
		for i, k := range v.keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, k), ':')
			dst = appendJSON(dst, v.values[i], depth+1)
		}
		return append(dst, '}')
	case *Array:
		dst = append(dst, '[')
		for i, item := range v.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, item, depth+1)
		}
		return append(dst, ']')
	}
	return append(dst, "null"...)
}

const hex = "0123456789abcdef"

// AppendString writes a JSON string. Only what JSON demands is escaped; bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			case '\b':
				dst = append(dst, '\\', 'b')
			case '\f':
				dst = append(dst, '\\', 'f')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(append(dst, s[start:i]...), "\uFFFD"...)
			i++
			start = i
			continue
		}
		i += n
	}
	return append(append(dst, s[start:]...), '"')
}

// FormatFloat writes a number as Java's Double.toString does: 1.0, 0.001, 1.0E7, 1.0E-4, NaN, Infinity.
func FormatFloat(f float64) string {
	switch abs := max(f, -f); {
	case f != f:
		return "NaN"
	case abs > 1.7976931348623157e308:
		if f < 0 {
			return "-Infinity"
		}
		return "Infinity"
	case abs == 0 || abs >= 1e-3 && abs < 1e7:
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if f == float64(int64(f)) {
			s += ".0"
		}
		return s
	}
	b := strconv.AppendFloat(nil, f, 'E', -1, 64) // d.dddE±dd
	e := slices.Index(b, 'E')
	mantissa, exponent := string(b[:e]), string(b[e+1:])
	if !slices.Contains(b[:e], '.') {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}

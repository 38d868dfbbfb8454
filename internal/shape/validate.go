package shape

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Validate checks v, a pointer to the generated struct of shape r, against the constraints of the
// model and returns nil or an [*Error] that lists all failed ones in AWS's words:
//
//	2 validation errors detected: Value null at 'userPoolId' failed to satisfy constraint: Member
//	must not be null; Value 'x' at 'limit' failed to satisfy constraint: …
//
// Values of sensitive shapes are left out. It does not look into unions' exclusiveness or documents.
func Validate(m *Model, r Ref, v any) error {
	c := checker{m: m}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	c.structure(m.At(r), rv)
	return m.failures(c.clauses)
}

func (m *Model) failures(clauses []string) error {
	switch n := len(clauses); n {
	case 0:
		return nil
	case 1:
		return m.validation("%s", "1 validation error detected: "+clauses[0])
	default:
		return m.validation("%s", strconv.Itoa(n)+" validation errors detected: "+strings.Join(clauses, "; "))
	}
}

type checker struct {
	m       *Model
	path    []step
	clauses []string
}

// A step of a path is a member's or key's name, or the 1-based index of a list's element.
type step struct {
	name  string
	index int
}

func (c *checker) structure(sh *Shape, v reflect.Value) {
	absent := absence(sh, v)
	for i := range sh.Members {
		mem := &sh.Members[i]
		s := c.m.At(mem.Shape)
		f := v.Field(i)
		gone := absent.has(i)
		if !gone {
			switch f.Kind() {
			case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
				gone = f.IsNil()
			}
		}
		if gone {
			if mem.Required {
				c.path = append(c.path, step{name: mem.Name})
				c.clauses = append(c.clauses, "Value null at '"+c.where()+"' failed to satisfy constraint: Member must not be null")
				c.path = c.path[:len(c.path)-1]
			}
			continue
		}
		if s.unbound() {
			continue
		}
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		c.path = append(c.path, step{name: mem.Name})
		c.value(s, f)
		c.path = c.path[:len(c.path)-1]
	}
}

func (c *checker) value(s *Shape, v reflect.Value) {
	switch s.Kind {
	case Structure, Union:
		c.structure(s, v)
		return
	case Document:
		return
	case Blob:
		if s.Streaming {
			return
		}
	}
	if bad := s.broken(v); bad != nil {
		for _, b := range bad {
			c.fail(s, v, b)
		}
	}
	switch s.Kind {
	case List:
		c.list(s, v)
	case Map:
		c.entries(s, v)
	}
}

func (c *checker) list(s *Shape, v reflect.Value) {
	e := c.m.At(s.Elem)
	if e.Kind <= Blob {
		if e.unbound() {
			return
		}
		for i := range v.Len() {
			if bad := e.broken(v.Index(i)); bad != nil {
				c.failElem(s, v, bad, "Member", e)
				return
			}
		}
		return
	}
	for i := range v.Len() {
		c.path = append(c.path, step{index: i + 1}, step{name: "member"})
		c.value(e, v.Index(i))
		c.path = c.path[:len(c.path)-2]
	}
}

func (c *checker) entries(s *Shape, v reflect.Value) {
	k, e := c.m.At(s.Key), c.m.At(s.Elem)
	scalar := e.Kind <= Blob
	checkElem := scalar && !e.unbound()
	var badKey, badElem []string
	for it := v.MapRange(); it.Next(); {
		if badKey == nil {
			badKey = k.broken(it.Key())
		}
		if checkElem && badElem == nil {
			badElem = e.broken(it.Value())
		}
	}
	if badKey != nil {
		c.failElem(s, v, badKey, "Map keys", k)
	}
	if badElem != nil {
		c.failElem(s, v, badElem, "Map value", e)
	}
	if scalar {
		return
	}
	for _, key := range sortedKeys(v) {
		c.path = append(c.path, step{name: "\x00" + key.String()}, step{name: "member"})
		c.value(e, v.MapIndex(key))
		c.path = c.path[:len(c.path)-2]
	}
}

// What no model says, as its protocol or the type sees to it on AWS: text is Unicode, and without NUL,
// which databases do not keep; a number is a number.
const (
	badText   = "Member must be valid UTF-8 text without NUL characters"
	badNumber = "Member must be a finite number"
)

// unbound tells whether any value of a scalar shape is good.
func (s *Shape) unbound() bool {
	switch s.Kind {
	case Boolean, Integer, Long, Timestamp, Blob:
		return s.Limits == nil && s.Enum == nil
	}
	return false
}

// broken returns the constraints of s that v fails, nil if none.
func (s *Shape) broken(v reflect.Value) []string {
	switch s.Kind {
	case String:
		if t := v.String(); !utf8.ValidString(t) || strings.IndexByte(t, 0) >= 0 {
			return []string{badText}
		}
	case Float, Double:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return []string{badNumber}
		}
	}
	var bad []string
	if s.Enum != nil {
		if val := v.String(); !contains(s.Enum, val) {
			bad = append(bad, "Member must satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")
		}
	}
	l := s.Limits
	if l == nil {
		return bad
	}
	if l.Pattern != "" && s.Kind == String && !l.Matches(v.String()) {
		bad = append(bad, "Member must satisfy regular expression pattern: "+l.Pattern)
	}
	if !l.HasMin && !l.HasMax {
		return bad
	}
	what, n, low, high := "length", int64(0), false, false
	switch s.Kind {
	case String:
		n = int64(runes(v.String()))
	case Blob, List, Map:
		n = int64(v.Len())
	case Integer, Long:
		what, n = "value", v.Int()
	case Float, Double:
		f := v.Float()
		what, low, high = "value", l.HasMin && f < float64(l.Min), l.HasMax && f > float64(l.Max)
		if low || high {
			return append(bad, l.bound(s, what, high))
		}
		return bad
	default:
		return bad
	}
	low, high = l.HasMin && n < l.Min, l.HasMax && n > l.Max
	if low || high {
		bad = append(bad, l.bound(s, what, high))
	}
	return bad
}

func (l *Constraint) bound(s *Shape, what string, high bool) string {
	side, n := "greater than or equal to ", l.Min
	if high {
		side, n = "less than or equal to ", l.Max
	}
	text := strconv.FormatInt(n, 10)
	if s.Kind == Float || s.Kind == Double {
		text += ".0"
	}
	return "Member must have " + what + " " + side + text
}

// constraints lists all constraints of an element, as AWS does where one of them fails.
func (c *checker) constraints(s *Shape) string {
	var all []string
	if s.Enum != nil {
		all = append(all, "Member must satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")
	}
	if l := s.Limits; l != nil {
		what := "length"
		if s.Kind >= Integer && s.Kind <= Double {
			what = "value"
		}
		if l.HasMax {
			all = append(all, l.bound(s, what, true))
		}
		if l.HasMin {
			all = append(all, l.bound(s, what, false))
		}
		if l.Pattern != "" {
			all = append(all, "Member must satisfy regular expression pattern: "+l.Pattern)
		}
	}
	if c.m.ElementNull {
		all = append(all, "Member must not be null")
	}
	return strings.Join(all, ", ")
}

// failElem notes that elements, keys or values of a collection fail what their shape asks.
func (c *checker) failElem(s *Shape, v reflect.Value, bad []string, what string, e *Shape) {
	if bad[0] == badText || bad[0] == badNumber {
		c.fail(s, v, bad[0])
		return
	}
	c.fail(s, v, what+" must satisfy constraint: ["+c.constraints(e)+"]")
}

func (c *checker) fail(s *Shape, v reflect.Value, constraint string) {
	text := "Value at '"
	if val, ok := c.m.text(s, v, 0); ok && constraint != badText {
		text = "Value '" + val + "' at '"
	}
	c.clauses = append(c.clauses, text+c.where()+"' failed to satisfy constraint: "+constraint)
}

// where writes the path as AWS does: lower camel, elements as "3.member".
func (c *checker) where() string {
	var b strings.Builder
	for i, p := range c.path {
		if i > 0 {
			b.WriteByte('.')
		}
		switch {
		case p.index > 0:
			b.WriteString(strconv.Itoa(p.index))
		case strings.HasPrefix(p.name, "\x00"): // a key, written as it is
			b.WriteString(p.name[1:])
		default:
			b.WriteString(strings.ToLower(p.name[:1]))
			b.WriteString(p.name[1:])
		}
	}
	return b.String()
}

// text writes a value as Java's toString does; false if it is or holds something sensitive, a
// structure, or bytes.
func (m *Model) text(s *Shape, v reflect.Value, depth int) (string, bool) {
	if s.Sensitive || depth > 4 {
		return "", false
	}
	switch s.Kind {
	case String:
		return v.String(), true
	case Boolean:
		return strconv.FormatBool(v.Bool()), true
	case Integer, Long:
		return strconv.FormatInt(v.Int(), 10), true
	case Float, Double:
		t := strconv.FormatFloat(v.Float(), 'g', -1, 64)
		if !strings.ContainsAny(t, ".eIN") {
			t += ".0"
		}
		return t, true
	case Timestamp:
		return v.Interface().(time.Time).UTC().Format(time.RFC3339), true
	case List:
		parts := make([]string, v.Len())
		for i := range parts {
			t, ok := m.text(m.At(s.Elem), v.Index(i), depth+1)
			if !ok {
				return "", false
			}
			parts[i] = t
		}
		if m.At(s.Elem).Sensitive {
			return "", false
		}
		return "[" + strings.Join(parts, ", ") + "]", true
	case Map:
		if m.At(s.Elem).Sensitive || m.At(s.Key).Sensitive {
			return "", false
		}
		var parts []string
		for _, k := range sortedKeys(v) {
			t, ok := m.text(m.At(s.Elem), v.MapIndex(k), depth+1)
			if !ok {
				return "", false
			}
			parts = append(parts, k.String()+"="+t)
		}
		return "{" + strings.Join(parts, ", ") + "}", true
	}
	return "", false
}

// runes counts the characters of a string as AWS does, which is Java's length: UTF-16 units.
func runes(s string) int {
	n := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			n++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

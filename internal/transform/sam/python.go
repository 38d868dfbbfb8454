package sam

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Deployments of REST APIs are named by a hash of their definition, as Python 2.7 would print it: with
// the keys of each map in the order of that language's hash tables. A stack that moves between
// CloudFormation and Gatehouse keeps its names only if both print the same, so this file is a model of
// those tables (open addressing with perturbation, growing by four, dummies in place of deleted keys;
// CPython 2.7, Objects/dictobject.c) and of repr.

// slots is one such table: 0 is free, -1 a dummy, else the entry's index and one.
type slots struct {
	table      []int
	size, fill int
}

func newSlots() *slots { return &slots{table: make([]int, 8)} }

// hash27 is the hash of a string in Python 2.7 on 64 bits, without randomization.
func hash27(s string) uint64 {
	if s == "" {
		return 0
	}
	first, _ := utf8.DecodeRuneInString(s)
	x, n := uint64(first)<<7, uint64(0)
	for _, c := range s {
		x = 1000003*x ^ uint64(c)
		n++
	}
	return x ^ n
}

// find returns the slot of a key, or where it would go.
func (t *slots) find(ents []entry, index int) int {
	key, h, mask := ents[index].key, ents[index].hash, uint64(len(t.table)-1)
	if h == 0 {
		h = hash27(key)
		ents[index].hash = h
	}
	i := h & mask
	free := -1
	for walker, perturb := i, h; ; perturb >>= 5 {
		switch at := t.table[i]; {
		case at == 0:
			if free >= 0 {
				return free
			}
			return int(i)
		case at < 0:
			if free < 0 {
				free = int(i)
			}
		case at-1 == index || ents[at-1].key == key:
			return int(i)
		}
		walker = walker<<2 + walker + perturb + 1
		i = walker & mask
	}
}

func (t *slots) add(ents []entry, index int) {
	i := t.find(ents, index)
	if t.table[i] == 0 {
		t.fill++
	}
	t.table[i] = index + 1
	t.size++
	if t.fill*3 >= len(t.table)*2 {
		t.resize(ents, t.size*4)
	}
}

func (t *slots) resize(ents []entry, beyond int) {
	grown := 8
	for grown <= beyond {
		grown <<= 1
	}
	old := t.table
	*t = slots{table: make([]int, grown)}
	for _, at := range old {
		if at > 0 {
			t.add(ents, at-1)
		}
	}
}

// room makes room for n more keys that come at once, as dict.update does.
func (t *slots) room(ents []entry, n int) {
	if n > 0 && (t.fill+n)*3 >= len(t.table)*2 {
		t.resize(ents, (t.size+n)*2)
	}
}

func (t *slots) remove(ents []entry, index int) {
	if i := t.find(ents, index); t.table[i] > 0 {
		t.table[i] = -1
		t.size--
	}
}

// epoch counts how often a document was copied. Each copy puts the keys of every map into a new table,
// in the order of the old one, which may change it again; maps catch up when they are looked at.
type epoch struct{ copies int }

// sync catches up with the copies of d's document.
func (d *dict) sync() {
	if d.doc == nil || d.py == nil {
		return
	}
	for ; d.seen < d.doc.copies; d.seen++ {
		fresh := newSlots()
		for _, at := range d.py.table {
			if at > 0 {
				fresh.add(d.ents, at-1)
			}
		}
		same := len(fresh.table) == len(d.py.table)
		for i := 0; same && i < len(fresh.table); i++ {
			same = fresh.table[i] == d.py.table[i]
		}
		d.py = fresh
		if same { // so will be all others
			d.seen = d.doc.copies
			return
		}
	}
}

// adopt makes all maps in v follow the document's copies from now on.
func (e *epoch) adopt(v any) {
	switch v := v.(type) {
	case list:
		for _, item := range v {
			e.adopt(item)
		}
	case *dict:
		if v == nil || v.doc == e {
			return
		}
		v.sync()
		v.doc, v.seen = e, e.copies
		for i := range v.ents {
			e.adopt(v.ents[i].value)
		}
	}
}

// toPython marks a value of the template as the published transform does before it looks at it.
func toPython(v any) any {
	switch v := v.(type) {
	case string:
		return uni(v)
	case list:
		for i := range v {
			v[i] = toPython(v[i])
		}
		return v
	case *dict:
		out := newPy()
		out.place = v.place
		for _, e := range v.items() {
			out.set(uni(e.key), toPython(e.value))
			out.ents[len(out.ents)-1].place = e.place
		}
		return out
	}
	return v
}

// repr prints a value as the published transform does before it hashes it.
func repr(v any) string {
	var b strings.Builder
	write(&b, v)
	return b.String()
}

func write(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case json.Number:
		b.WriteString(v.String())
	case int:
		b.WriteString(strconv.Itoa(v))
	case string:
		quote(b, v, false)
	case uni:
		b.WriteByte('u')
		quote(b, string(v), true)
	case list:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			write(b, item)
		}
		b.WriteByte(']')
	case *dict:
		b.WriteByte('{')
		for i, e := range v.items() {
			if i > 0 {
				b.WriteString(", ")
			}
			write(b, e.name())
			b.WriteString(": ")
			write(b, e.value)
		}
		b.WriteByte('}')
	}
}

// quote prints a string's repr: in single quotes unless it has those and no double ones.
func quote(b *strings.Builder, s string, ascii bool) {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b.WriteByte(q)
	for _, c := range s {
		switch {
		case c == rune(q) || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < 0x20 || c == 0x7f || ascii && c > 0x7f && c < 0x100:
			fmt.Fprintf(b, `\x%02x`, c)
		case ascii && c > 0xffff:
			fmt.Fprintf(b, `\U%08x`, c)
		case ascii && c >= 0x100:
			fmt.Fprintf(b, `\u%04x`, c)
		case !strconv.IsPrint(c) && c > 0x7f:
			switch {
			case c < 0x100:
				fmt.Fprintf(b, `\x%02x`, c)
			case c <= 0xffff:
				fmt.Fprintf(b, `\u%04x`, c)
			default:
				fmt.Fprintf(b, `\U%08x`, c)
			}
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte(q)
}

// jsonText writes a value as Python's json.dumps does; sorted: without spaces and with sorted keys.
func jsonText(v any, sorted bool) string {
	var b strings.Builder
	comma, colon := ", ", ": "
	if sorted {
		comma, colon = ",", ":"
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case nil:
			b.WriteString("null")
		case bool:
			b.WriteString(strconv.FormatBool(v))
		case json.Number:
			b.WriteString(v.String())
		case string, uni:
			jsonQuote(&b, textOf(v))
		case list:
			b.WriteByte('[')
			for i, item := range v {
				if i > 0 {
					b.WriteString(comma)
				}
				walk(item)
			}
			b.WriteByte(']')
		case *dict:
			items := v.items()
			if sorted {
				sortEntries(items)
			}
			b.WriteByte('{')
			for i, e := range items {
				if i > 0 {
					b.WriteString(comma)
				}
				jsonQuote(&b, e.key)
				b.WriteString(colon)
				walk(e.value)
			}
			b.WriteByte('}')
		}
	}
	walk(v)
	return b.String()
}

// jsonQuote writes a JSON string in ASCII.
func jsonQuote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\b':
			b.WriteString(`\b`)
		case c == '\f':
			b.WriteString(`\f`)
		case c >= 0x20 && c < 0x7f || c == 0x7f:
			b.WriteRune(c)
		case c > 0xffff:
			c -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			fmt.Fprintf(b, `\u%04x`, c)
		}
	}
	b.WriteByte('"')
}

package sam

import (
	"encoding/json"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// A template is worked on as a tree of nil, bool, json.Number, string, uni, list and *dict.

// uni is a string that the published transform takes for one of Python 2's unicode strings. It differs
// from a plain string only in what deployments are named after, see [repr].
type uni string

type list []any

// dict is a map that remembers the order of its keys.
type dict struct {
	ents  []entry
	index map[string]int
	live  int

	py    *slots // not nil: goes through its keys as Python 2.7 did
	doc   *epoch // whose copies it follows
	seen  int    // of doc's copies
	place place
}

type entry struct {
	key   string
	uni   bool
	dead  bool
	hash  uint64 // in Python 2.7; 0: not computed yet
	value any
	place place
}

// place is where something stands in the template.
type place struct{ line, column int }

func newDict(kv ...any) *dict {
	d := &dict{index: make(map[string]int, len(kv)/2)}
	for i := 0; i < len(kv); i += 2 {
		d.set(kv[i], kv[i+1])
	}
	return d
}

// newPy makes a dict that goes through its keys as Python 2.7 did.
func newPy(kv ...any) *dict {
	d := &dict{index: make(map[string]int, len(kv)/2), py: newSlots()}
	for i := 0; i < len(kv); i += 2 {
		d.set(kv[i], kv[i+1])
	}
	return d
}

func (d *dict) len() int {
	if d == nil {
		return 0
	}
	return d.live
}

func (d *dict) get(key string) any {
	if d == nil {
		return nil
	}
	if i, ok := d.index[key]; ok {
		return d.ents[i].value
	}
	return nil
}

func (d *dict) has(key string) bool {
	if d == nil {
		return false
	}
	_, ok := d.index[key]
	return ok
}

// set puts a value; key is a string or a uni.
func (d *dict) set(key, value any) {
	name, isUni := "", false
	switch k := key.(type) {
	case string:
		name = k
	case uni:
		name, isUni = string(k), true
	}
	if i, ok := d.index[name]; ok {
		d.ents[i].value = value
		return
	}
	d.ents = append(d.ents, entry{key: name, uni: isUni, value: value})
	d.index[name] = len(d.ents) - 1
	d.live++
	if d.py != nil {
		d.sync()
		d.py.add(d.ents, len(d.ents)-1)
	}
}

// setIf puts a value unless it is nil.
func (d *dict) setIf(key string, value any) {
	if value != nil {
		d.set(key, value)
	}
}

func (d *dict) delete(key string) {
	i, ok := d.index[key]
	if !ok {
		return
	}
	if d.py != nil {
		d.sync()
		d.py.remove(d.ents, i)
	}
	d.ents[i].dead, d.ents[i].value = true, nil
	delete(d.index, key)
	d.live--
}

// items returns the entries in the order in which the published transform goes through them. They are
// copies.
func (d *dict) items() []entry {
	if d == nil {
		return nil
	}
	out := make([]entry, 0, d.live)
	if d.py != nil {
		d.sync()
		for _, i := range d.py.table {
			if i > 0 {
				out = append(out, d.ents[i-1])
			}
		}
		return out
	}
	for _, e := range d.ents {
		if !e.dead {
			out = append(out, e)
		}
	}
	return out
}

// name returns the key as a value.
func (e *entry) name() any {
	if e.uni {
		return uni(e.key)
	}
	return e.key
}

// update sets all of other's keys.
func (d *dict) update(other *dict) {
	if d.py != nil {
		d.sync()
		d.py.room(d.ents, other.len())
	}
	for _, e := range other.items() {
		d.set(e.name(), e.value)
	}
}

func (d *dict) copy() *dict { return d.duplicate(true) }

func (d *dict) duplicate(atOnce bool) *dict {
	out := newDict()
	if d == nil {
		return out
	}
	if d.py != nil {
		if out = newPy(); atOnce {
			out.py.room(nil, d.len())
		}
	}
	out.place = d.place
	for _, e := range d.items() {
		out.set(e.name(), e.value)
		out.ents[len(out.ents)-1].place = e.place
	}
	return out
}

// deep copies a value with all that is in it.
func deep(v any) any {
	switch v := v.(type) {
	case list:
		out := make(list, len(v))
		for i := range v {
			out[i] = deep(v[i])
		}
		return out
	case *dict:
		if v == nil {
			return v
		}
		out := v.duplicate(false)
		for i := range out.ents {
			out.ents[i].value = deep(out.ents[i].value)
		}
		return out
	}
	return v
}

// asDict returns v as a map, or nil.
func asDict(v any) *dict {
	d, _ := v.(*dict)
	return d
}

func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case uni:
		return string(v), true
	}
	return "", false
}

// textOf returns v if it is text, else "".
func textOf(v any) string {
	s, _ := asText(v)
	return s
}

// like returns s as the kind of string that v is.
func like(v any, s string) any {
	if _, ok := v.(uni); ok {
		return uni(s)
	}
	return s
}

// truthy tells what Python takes for true.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case uni:
		return v != ""
	case json.Number:
		f, err := v.Float64()
		return err != nil || f != 0
	case list:
		return len(v) > 0
	case *dict:
		return v.len() > 0
	}
	return true
}

// equal compares values; maps without regard to order.
func equal(a, b any) bool {
	switch a := a.(type) {
	case string, uni:
		s, _ := asText(a)
		t, ok := asText(b)
		return ok && s == t
	case list:
		l, ok := b.(list)
		if !ok || len(l) != len(a) {
			return false
		}
		for i := range a {
			if !equal(a[i], l[i]) {
				return false
			}
		}
		return true
	case *dict:
		d, ok := b.(*dict)
		if !ok || d.len() != a.len() {
			return false
		}
		for _, e := range a.items() {
			if !d.has(e.key) || !equal(e.value, d.get(e.key)) {
				return false
			}
		}
		return true
	}
	return a == b
}

// valueOf makes a value of a node.
func valueOf(n *template.Node) any {
	switch {
	case n == nil || n.Kind == template.Null:
		return nil
	case n.Kind == template.Bool:
		return n.Text == "true"
	case n.Kind == template.Number:
		return json.Number(n.Text)
	case n.Kind == template.String:
		return n.Text
	case n.Kind == template.List:
		out := make(list, len(n.Items))
		for i, item := range n.Items {
			out[i] = valueOf(item)
		}
		return out
	}
	d := &dict{index: make(map[string]int, len(n.Entries)), ents: make([]entry, 0, len(n.Entries)), place: place{n.Line, n.Column}}
	for _, e := range n.Entries {
		d.set(e.Key, valueOf(e.Value))
		d.ents[len(d.ents)-1].place = place{e.Line, e.Column}
	}
	return d
}

// plain makes a value of what encoding/json decodes.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		out := make(list, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case []string:
		out := make(list, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out
	case map[string]any:
		return valueOf(template.NodeOf(v))
	}
	return v
}

// nodeOf is valueOf's reverse.
func nodeOf(v any) *template.Node {
	switch v := v.(type) {
	case bool:
		return template.NodeOf(v)
	case json.Number:
		return template.NodeOf(v)
	case string:
		return &template.Node{Kind: template.String, Text: v}
	case uni:
		return &template.Node{Kind: template.String, Text: string(v)}
	case list:
		n := &template.Node{Kind: template.List, Items: make([]*template.Node, len(v))}
		for i := range v {
			n.Items[i] = nodeOf(v[i])
		}
		return n
	case *dict:
		n := &template.Node{Kind: template.Map, Entries: make([]template.Entry, 0, v.len()), Line: v.place.line, Column: v.place.column}
		for i := range v.ents {
			if e := &v.ents[i]; !e.dead {
				n.Entries = append(n.Entries, template.Entry{Key: e.key, Value: nodeOf(e.value), Line: e.place.line, Column: e.place.column})
			}
		}
		return template.MapOf(n)
	}
	return &template.Node{Kind: template.Null}
}

func ref(id any) *dict { return newDict("Ref", id) }

func getAtt(id, attr any) *dict { return newDict("Fn::GetAtt", list{id, attr}) }

func sub(text any, vars *dict) *dict {
	if vars.len() > 0 {
		return newDict("Fn::Sub", list{text, vars})
	}
	return newDict("Fn::Sub", text)
}

// isIntrinsic tells whether v is a call of a function.
func isIntrinsic(v any) bool {
	d := asDict(v)
	if d.len() != 1 {
		return false
	}
	k := d.items()[0].key
	return strings.HasPrefix(k, "Fn::") || k == "Ref" || k == "Condition"
}

// call returns the argument of a call of one function.
func call(v any, function string) (any, bool) {
	d := asDict(v)
	if d.len() != 1 || !d.has(function) {
		return nil, false
	}
	return d.get(function), true
}

func isNoValue(v any) bool {
	arg, ok := call(v, "Ref")
	return ok && textOf(arg) == "AWS::NoValue"
}

// conditional is v where a condition holds, else other or nothing.
func conditional(condition, v any, other ...any) *dict {
	var otherwise any = ref("AWS::NoValue")
	if len(other) > 0 {
		otherwise = other[0]
	}
	return newDict("Fn::If", list{condition, v, otherwise})
}

package policy

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// String returns the document as compact JSON, in one canonical form: statements as a list, lists of
// one as a scalar, values of conditions as texts. Parsing it yields an equal document.
func (d *Document) String() string {
	w := writer{}
	w.begin('{')
	if d.Version != "" {
		w.member("Version", d.Version)
	}
	if d.ID != "" || d.hasID {
		w.member("Id", d.ID)
	}
	w.key("Statement")
	w.begin('[')
	for i := range d.Statements {
		w.comma()
		d.Statements[i].write(&w)
	}
	w.end(']')
	w.end('}')
	return w.b.String()
}

// MarshalJSON returns what String does.
func (d *Document) MarshalJSON() ([]byte, error) { return []byte(d.String()), nil }

func (st *Statement) write(w *writer) {
	w.begin('{')
	if st.Sid != "" {
		w.member("Sid", st.Sid)
	}
	w.member("Effect", string(st.Effect))
	st.Principal.write(w, "Principal")
	st.NotPrincipal.write(w, "NotPrincipal")
	w.list("Action", st.Action)
	w.list("NotAction", st.NotAction)
	w.list("Resource", st.Resource)
	w.list("NotResource", st.NotResource)
	if len(st.Condition) > 0 {
		w.key("Condition")
		w.begin('{')
		// The keys of one operator stand together in a parsed document; in another they may not.
		for i, c := range st.Condition {
			same := func(o Condition) bool { return o.Operator == c.Operator }
			if slices.IndexFunc(st.Condition, same) < i {
				continue
			}
			w.key(c.Operator)
			w.begin('{')
			for _, o := range st.Condition[i:] {
				if same(o) {
					w.list(o.Key, o.Values)
				}
			}
			w.end('}')
		}
		w.end('}')
	}
	w.end('}')
}

func (p *Principals) write(w *writer, key string) {
	if p == nil {
		return
	}
	if p.Any {
		w.member(key, "*")
		return
	}
	w.key(key)
	w.begin('{')
	w.list("AWS", p.AWS)
	w.list("Service", p.Service)
	w.list("Federated", p.Federated)
	w.list("CanonicalUser", p.CanonicalUser)
	w.end('}')
}

type writer struct {
	b     bytes.Buffer
	fresh bool // nothing stands in the innermost object or list yet
}

func (w *writer) begin(c byte) { w.b.WriteByte(c); w.fresh = true }
func (w *writer) end(c byte)   { w.b.WriteByte(c); w.fresh = false }

func (w *writer) comma() {
	if !w.fresh {
		w.b.WriteByte(',')
	}
	w.fresh = false
}

func (w *writer) text(s string) {
	enc := json.NewEncoder(&w.b)
	enc.SetEscapeHTML(false)
	enc.Encode(s) // of a string, into memory: it cannot fail
	w.b.Truncate(w.b.Len() - 1)
}

func (w *writer) key(k string) {
	w.comma()
	w.text(k)
	w.b.WriteByte(':')
}

func (w *writer) member(k, v string) {
	w.key(k)
	w.text(v)
}

// list writes nothing for a nil list.
func (w *writer) list(k string, v []string) {
	switch {
	case v == nil:
	case len(v) == 1:
		w.member(k, v[0])
	default:
		w.key(k)
		w.begin('[')
		for _, s := range v {
			w.comma()
			w.text(s)
		}
		w.end(']')
	}
}

// ContextKeys returns the keys that the document asks requests for, in conditions and in variables, in
// lower case and sorted. The document must have passed [Document.Check].
func (d *Document) ContextKeys() []string {
	var keys []string
	add := func(text string) {
		if d.Version != Version2012 {
			return
		}
		if p, err := parsePattern(text, true, true); err == nil {
			for _, v := range p.vars {
				keys = append(keys, v.key)
			}
		}
	}
	for i := range d.Statements {
		st := &d.Statements[i]
		for _, c := range st.Condition {
			keys = append(keys, strings.ToLower(c.Key))
			if op, _, _, ok := parseOperator(c.Operator); ok && op.variables {
				for _, v := range c.Values {
					add(v)
				}
			}
		}
		for _, list := range [][]string{st.Resource, st.NotResource} {
			for _, r := range list {
				add(r)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

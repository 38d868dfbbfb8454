package sam

import (
	"crypto/sha1"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// resolve puts the values of parameters in place of references to them, in place: in Ref and in the
// text of Fn::Sub.
func (t *transform) resolve(v any) any {
	if arg, ok := call(v, "Ref"); ok {
		if name, ok := asText(arg); ok {
			if p, ok := t.params[name]; ok {
				return deep(p)
			}
		}
		return v
	}
	if arg, ok := call(v, "Fn::Sub"); ok {
		replace := func(s string) string {
			return substitute(s, func(whole, name string) string {
				p, ok := t.params[name]
				if !ok {
					return whole
				}
				text, ok := asText(p)
				if !ok {
					failDocument("Invalid Fn::Sub variable value %s. Fn::Sub expects all variables to be strings.", repr(p))
				}
				return text
			})
		}
		asDict(v).set("Fn::Sub", subText(arg, replace))
	}
	switch v := v.(type) {
	case *dict:
		for i := range v.ents {
			if e := &v.ents[i]; !e.dead {
				e.value = t.resolve(e.value)
			}
		}
	case list:
		for i := range v {
			v[i] = t.resolve(v[i])
		}
	}
	return v
}

// subText changes the text of an Fn::Sub.
func subText(arg any, change func(string) string) any {
	if s, ok := asText(arg); ok {
		return like(arg, change(s))
	}
	if l, ok := arg.(list); ok && len(l) > 0 {
		if s, ok := asText(l[0]); ok {
			l[0] = like(l[0], change(s))
		}
	}
	return arg
}

var subForm = regexp.MustCompile(`\$\{([A-Za-z0-9.]+|AWS::[A-Z][A-Za-z]*)\}`)

func substitute(s string, f func(whole, name string) string) string {
	if !strings.Contains(s, "${") {
		return s
	}
	return subForm.ReplaceAllStringFunc(s, func(whole string) string {
		return f(whole, whole[2:len(whole)-1])
	})
}

// findInMap evaluates an Fn::FindInMap of plain keys.
func (t *transform) findInMap(v any) any {
	arg, ok := call(v, "Fn::FindInMap")
	keys, isList := arg.(list)
	if !ok || !isList || len(keys) != 3 {
		return v
	}
	var at any = t.doc.get("Mappings")
	for _, k := range keys {
		s, ok := asText(k)
		d := asDict(at)
		if !ok || !d.has(s) {
			return v
		}
		at = d.get(s)
	}
	return at
}

// hashed returns prefix with the hash of v behind it, or alone if there is nothing to hash.
func hashed(prefix string, v any) string {
	h := digest(v)
	return prefix + h[:min(10, len(h))]
}

func digest(v any) string {
	if !truthy(v) {
		return ""
	}
	s, ok := asText(v)
	if !ok {
		s = jsonText(v, true)
	}
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func sortEntries(items []entry) {
	slices.SortFunc(items, func(a, b entry) int { return strings.Compare(a.key, b.key) })
}

// link brings references to what became of serverless resources: to resources that have another name
// now, and to what was made beside them, like MyFunction.Version.
func (t *transform) link(v any) any {
	switch v := v.(type) {
	case list:
		for i := range v {
			v[i] = t.link(v[i])
		}
	case *dict:
		if arg, ok := call(v, "Ref"); ok {
			if s, ok := asText(arg); ok {
				return t.linkRef(v, s)
			}
		}
		if arg, ok := call(v, "Fn::GetAtt"); ok {
			v.set("Fn::GetAtt", t.linkGetAtt(arg))
			return v
		}
		if arg, ok := call(v, "Fn::Sub"); ok {
			v.set("Fn::Sub", subText(arg, t.linkSub))
		}
		for i := range v.ents {
			if e := &v.ents[i]; !e.dead {
				e.value = t.link(e.value)
			}
		}
	}
	return v
}

func (t *transform) linkRef(v *dict, s string) any {
	if id, property, ok := strings.Cut(s, "."); ok {
		if made, ok := t.refs[[2]string{id, property}]; ok {
			return ref(made)
		}
		return v
	}
	if id, ok := t.renamed[s]; ok {
		return ref(id)
	}
	return v
}

func (t *transform) linkGetAtt(arg any) any {
	l, ok := arg.(list)
	if !ok || len(l) < 2 {
		return arg
	}
	var parts []string
	for _, item := range l {
		s, ok := asText(item)
		if !ok {
			return arg
		}
		parts = append(parts, strings.Split(s, ".")...)
	}
	into := func(id string, rest []string) any {
		out := list{id}
		for _, s := range rest {
			out = append(out, s)
		}
		return out
	}
	if id, ok := t.renamed[parts[0]]; ok {
		return into(id, parts[1:])
	}
	if len(parts) > 2 {
		if made, ok := t.refs[[2]string{parts[0], parts[1]}]; ok {
			return into(made, parts[2:])
		}
	}
	return arg
}

func (t *transform) linkSub(s string) string {
	return substitute(s, func(whole, name string) string {
		parts := strings.Split(name, ".")
		if id, ok := t.renamed[parts[0]]; ok {
			return strings.Replace(whole, parts[0], id, 1)
		}
		if len(parts) >= 2 {
			if made, ok := t.refs[[2]string{parts[0], parts[1]}]; ok {
				return strings.Replace(whole, parts[0]+"."+parts[1], made, 1)
			}
		}
		return whole
	})
}

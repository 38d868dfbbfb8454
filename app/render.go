package app

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// renderer turns Go values that may hold Values into the JSON values of a template, and notes what
// they refer to.
type renderer struct {
	refs       map[string]string // logical id → the path it was first met at
	conditions map[string]string // the same for conditions
	errs       []string
}

func newRenderer() *renderer {
	return &renderer{refs: map[string]string{}, conditions: map[string]string{}}
}

func (r *renderer) fail(path, format string, args ...any) any {
	r.errs = append(r.errs, path+": "+fmt.Sprintf(format, args...))
	return nil
}

func (r *renderer) note(path, id string) {
	if _, ok := r.refs[id]; !ok {
		r.refs[id] = path
	}
}

// value renders v, which stands at path.
func (r *renderer) value(path string, v any) any {
	switch v := v.(type) {
	case nil, bool, json.Number:
		return v
	case Value:
		return r.text(path, string(v))
	case string:
		return r.text(path, v)
	case *Resource:
		return r.fail(path, "a resource is not a value: use its Ref or GetAtt")
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Bool:
		return rv.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return rv.Uint()
	case reflect.Float32, reflect.Float64:
		if f := rv.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
		return r.fail(path, "%v is not a number that JSON has", v)
	case reflect.String:
		return r.text(path, rv.String())
	case reflect.Map:
		if rv.Type().Key().Kind() != reflect.String {
			return r.fail(path, "%T: the keys of a map must be strings", v)
		}
		return r.object(path, rv)
	case reflect.Slice, reflect.Array:
		out := make([]any, rv.Len())
		for i := range out {
			out[i] = r.value(path+"."+strconv.Itoa(i), rv.Index(i).Interface())
		}
		return out
	case reflect.Pointer, reflect.Interface:
		if rv.IsNil() {
			return nil
		}
		return r.value(path, rv.Elem().Interface())
	}
	return r.fail(path, "%T cannot stand in a template: use maps, slices, strings, numbers and bools", v)
}

func (r *renderer) object(path string, rv reflect.Value) any {
	keys := rv.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	out := make(map[string]any, len(keys))
	for _, k := range keys {
		name := k.String()
		if len(keys) == 1 && (name == "Ref" || strings.HasPrefix(name, "Fn::")) {
			// An intrinsic function that was written out as a map.
			return r.function(path, part{name: name, arg: rv.MapIndex(k).Interface()})
		}
		if strings.ContainsAny(name, refOpen+refClose) {
			r.fail(path, "a name cannot hold a value that is known only at deployment")
			continue
		}
		out[name] = r.value(path+"."+name, rv.MapIndex(k).Interface())
	}
	return out
}

// text renders a string in the plainest way that says it.
func (r *renderer) text(path, s string) any {
	ps, err := parts(s)
	if err != nil {
		return r.fail(path, "%v", err)
	}
	switch {
	case len(ps) == 0:
		return ""
	case len(ps) == 1 && ps[0].name == "":
		return ps[0].text
	case len(ps) == 1:
		return r.function(path, ps[0])
	}
	var sub strings.Builder
	plain := true // whether Fn::Sub can say it
	list := make([]any, len(ps))
	for i, p := range ps {
		if p.name == "" {
			list[i] = p.text
			plain = plain && !strings.Contains(p.text, "${") && !strings.HasSuffix(p.text, "$")
			sub.WriteString(p.text)
			continue
		}
		list[i] = r.function(path, p)
		id, attr, ok := reference(p)
		if plain = plain && ok; ok {
			if attr != "" {
				id += "." + attr
			}
			sub.WriteString("${" + id + "}")
		}
	}
	if plain {
		return map[string]any{"Fn::Sub": sub.String()}
	}
	return map[string]any{"Fn::Join": []any{"", list}}
}

// reference returns the target of a Ref or Fn::GetAtt.
func reference(p part) (id, attr string, ok bool) {
	switch p.name {
	case "Ref":
		id, ok = p.arg.(string)
		return id, "", ok
	case "Fn::GetAtt":
		switch arg := p.arg.(type) {
		case string:
			id, attr, ok = strings.Cut(arg, ".")
			return id, attr, ok
		case []string:
			if len(arg) == 2 {
				return arg[0], arg[1], true
			}
		case []any:
			if len(arg) == 2 {
				id, ok1 := arg[0].(string)
				attr, ok2 := arg[1].(string)
				return id, attr, ok1 && ok2 && !strings.Contains(attr, refOpen)
			}
		}
	}
	return "", "", false
}

func (r *renderer) function(path string, p part) any {
	if id, attr, ok := reference(p); ok {
		r.note(path, id)
		if p.name == "Ref" {
			return map[string]any{"Ref": id}
		}
		return map[string]any{"Fn::GetAtt": []any{id, attr}}
	}
	if p.name == "Ref" || p.name == "Fn::GetAtt" {
		return r.fail(path, "%s wants the id of a resource%s", p.name, map[bool]string{true: " and an attribute"}[p.name != "Ref"])
	}
	switch arg := p.arg.(type) {
	case string:
		if p.name == "Condition" {
			r.conditions[arg] = path
		}
	case []any:
		if p.name == "Fn::If" && len(arg) == 3 {
			if name, ok := arg[0].(string); ok {
				r.conditions[name] = path
			}
		}
	}
	if p.name == "Fn::Sub" {
		r.sub(path, p.arg)
	}
	return map[string]any{p.name: r.value(path, p.arg)}
}

// sub checks an Fn::Sub that was written out, and notes what it refers to.
func (r *renderer) sub(path string, arg any) {
	local := map[string]any{}
	text, ok := arg.(string)
	if list, isList := arg.([]any); isList && len(list) == 2 {
		text, ok = list[0].(string)
		local, _ = list[1].(map[string]any)
	}
	if !ok {
		r.fail(path, "Fn::Sub wants a text, or a list of a text and a map")
		return
	}
	v, err := splitSub(text)
	if err != nil {
		r.fail(path, "%v", err)
		return
	}
	ps, err := parts(string(v))
	if err != nil {
		return // reported with the text itself
	}
	for _, p := range ps {
		if id, _, ok := reference(p); ok {
			if _, mine := local[id]; !mine {
				r.note(path, id)
			}
		}
	}
}

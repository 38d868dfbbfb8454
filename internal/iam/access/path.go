package access

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// path leads from an input to values in it: "UserPoolId", "SmsConfiguration.SnsCallerArn", "Layers[]",
// "Roles{}" (the values of a map), "Roles{keys}".
type path struct {
	steps []step
	many  bool // it has steps that fan out
	apply transform
}

type step struct {
	field int
	kind  stepKind
}

type stepKind uint8

const (
	field stepKind = iota
	elements
	mapValues
	mapKeys
)

// transform makes another text of a value; of "" where the input has none.
type transform func(a *asking, value string) string

// compilePath reads a path on the structure t.
func compilePath(t reflect.Type, text string, transforms map[string]transform) (path, error) {
	var p path
	text, name, named := strings.Cut(text, ":")
	if named {
		if p.apply = transforms[name]; p.apply == nil {
			return p, fmt.Errorf("no function %q", name)
		}
	}
	if text == "" {
		return p, nil // a function of nothing
	}
	at := t
	for part := range strings.SplitSeq(text, ".") {
		kind := field
		switch {
		case strings.HasSuffix(part, "[]"):
			part, kind = part[:len(part)-2], elements
		case strings.HasSuffix(part, "{}"):
			part, kind = part[:len(part)-2], mapValues
		case strings.HasSuffix(part, "{keys}"):
			part, kind = part[:len(part)-6], mapKeys
		}
		for at.Kind() == reflect.Pointer {
			at = at.Elem()
		}
		if at.Kind() != reflect.Struct {
			return p, fmt.Errorf("%s: %s is no structure", text, at)
		}
		f, ok := at.FieldByName(part)
		if !ok || len(f.Index) != 1 {
			return p, fmt.Errorf("%s: %s has no %s", text, t, part)
		}
		p.steps = append(p.steps, step{f.Index[0], field})
		at = f.Type
		if kind == field {
			continue
		}
		want := reflect.Map
		if kind == elements {
			want = reflect.Slice
		}
		if at.Kind() != want {
			return p, fmt.Errorf("%s: %s is no %s", text, part, want)
		}
		p.steps, p.many = append(p.steps, step{0, kind}), true
		if kind == mapKeys {
			at = at.Key()
		} else {
			at = at.Elem()
		}
	}
	return p, nil
}

// values appends what the path finds in the input.
func (p *path) values(a *asking, out []string) []string {
	if len(p.steps) == 0 {
		return append(out, p.apply(a, ""))
	}
	before := len(out)
	out = walk(a.in, p.steps, out)
	if p.apply == nil {
		return out
	}
	if len(out) == before && !p.many {
		out = append(out, "")
	}
	kept := out[:before]
	for _, v := range out[before:] {
		if v = p.apply(a, v); v != "" {
			kept = append(kept, v)
		}
	}
	return kept
}

func walk(v reflect.Value, steps []step, out []string) []string {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return out
		}
		v = v.Elem()
	}
	if len(steps) == 0 {
		return appendText(out, v)
	}
	switch rest := steps[1:]; steps[0].kind {
	case field:
		return walk(v.Field(steps[0].field), rest, out)
	case elements:
		for i := range v.Len() {
			out = walk(v.Index(i), rest, out)
		}
	default:
		for it := v.MapRange(); it.Next(); {
			if steps[0].kind == mapKeys {
				out = walk(it.Key(), rest, out)
			} else {
				out = walk(it.Value(), rest, out)
			}
		}
	}
	return out
}

// appendText appends a scalar as policies see it. A required text that is empty was not given.
func appendText(out []string, v reflect.Value) []string {
	switch v.Kind() {
	case reflect.String:
		if v.Len() > 0 {
			out = append(out, v.String())
		}
	case reflect.Int64:
		out = append(out, strconv.FormatInt(v.Int(), 10))
	case reflect.Bool:
		out = append(out, strconv.FormatBool(v.Bool()))
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			out = append(out, t.UTC().Format(time.RFC3339))
		}
	}
	return out
}

// present tells whether the path finds anything: also a list, map, blob or structure that was given.
func (p *path) present(a *asking) bool {
	if p.apply != nil || p.many {
		var few [4]string
		return len(p.values(a, few[:0])) > 0
	}
	v := a.in
	for _, s := range p.steps {
		for v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return false
			}
			v = v.Elem()
		}
		v = v.Field(s.field)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return false
		}
		return v.Elem().Kind() != reflect.String || v.Elem().Len() > 0
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() > 0
	}
	return !v.IsZero()
}

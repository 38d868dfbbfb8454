package resource

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// Check holds evaluated properties against the schema: unknown and missing names, and types, with
// CloudFormation's coercions of scalars. The wording is that of the resource types of the
// CloudFormation registry, which nearly all types are today:
//
//	Properties validation failed for resource Pool with message:
//	#: extraneous key [Foo] is not permitted
//	#/Policies/PasswordPolicy/MinimumLength: expected type: Integer, found: String
//
// Lengths, ranges, patterns and enums are left to the service, which checks them for every caller.
func (s *Schema) Check(logicalID string, props map[string]any) error {
	c := &checker{}
	c.fields("#", props, s.Properties, s.Open)
	if len(c.faults) == 0 {
		return nil
	}
	return &Error{Message: fmt.Sprintf("Properties validation failed for resource %s with message:\n%s", logicalID, strings.Join(c.faults, "\n"))}
}

// CheckAttr tells whether Fn::GetAtt may ask for an attribute.
func (s *Schema) CheckAttr(logicalID, attr string) error {
	if s.Open || s.Attributes[attr] != nil {
		return nil
	}
	for name := range s.Attributes {
		if prefix, ok := strings.CutSuffix(name, "*"); ok && strings.HasPrefix(attr, prefix) && len(attr) > len(prefix) {
			return nil
		}
	}
	return &Error{Message: fmt.Sprintf("Template error: resource %s does not support attribute type %s in Fn::GetAtt", logicalID, attr)}
}

type checker struct{ faults []string }

func (c *checker) fault(path, format string, args ...any) {
	c.faults = append(c.faults, path+": "+fmt.Sprintf(format, args...))
}

func (c *checker) fields(path string, props map[string]any, fields map[string]*Property, open bool) {
	for _, name := range keys(props) {
		f := fields[name]
		if f == nil {
			if !open {
				c.fault(path, "extraneous key [%s] is not permitted", name)
			}
			continue
		}
		c.value(path+"/"+name, props[name], f.Type)
	}
	for _, name := range keys(fields) {
		if _, ok := props[name]; fields[name].Required && !ok {
			c.fault(path, "required key [%s] not found", name)
		}
	}
}

func (c *checker) value(path string, v any, t *PropertyType) {
	if _, ok := v.(template.Unknown); ok {
		return
	}
	ok := false
	switch t.Kind {
	case Structure:
		var m map[string]any
		if m, ok = v.(map[string]any); ok {
			c.fields(path, m, t.Fields, false)
		}
	case Map:
		var m map[string]any
		if m, ok = v.(map[string]any); ok {
			for _, k := range keys(m) {
				c.value(path+"/"+k, m[k], t.Elem)
			}
		}
	case List:
		var l []any
		if l, ok = v.([]any); ok {
			for i, e := range l {
				c.value(path+"/"+strconv.Itoa(i), e, t.Elem)
			}
		}
	case JSON:
		switch v := v.(type) {
		case map[string]any, []any:
			ok = true
		case string:
			ok = json.Valid([]byte(v))
		}
	case String:
		_, ok = scalar(v)
	case Boolean:
		s, isScalar := scalar(v)
		ok = isScalar && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false"))
	case Integer, Number:
		s, isScalar := scalar(v)
		f, err := strconv.ParseFloat(s, 64)
		_, isBool := v.(bool)
		ok = isScalar && !isBool && err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && (t.Kind == Number || f == math.Trunc(f))
	case Timestamp:
		s, isScalar := scalar(v)
		_, err := time.Parse(time.RFC3339, s)
		ok = isScalar && err == nil
	}
	if !ok {
		c.fault(path, "expected type: %s, found: %s", jsonType(t.Kind), found(v))
	}
}

// jsonType names a type as the JSON schema validator of CloudFormation does.
func jsonType(k Kind) string {
	switch k {
	case List:
		return "JSONArray"
	case Map, Structure, JSON:
		return "JSONObject"
	}
	return (&PropertyType{Kind: k}).String()
}

func found(v any) string {
	switch v := v.(type) {
	case string:
		return "String"
	case bool:
		return "Boolean"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "Number"
		}
		return "Integer"
	case []any:
		return "JSONArray"
	case map[string]any:
		return "JSONObject"
	case nil:
		return "Null"
	}
	return fmt.Sprintf("%T", v)
}

// scalar returns the text of a string, number or boolean.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	case int, int64, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

// Equal tells whether two values mean the same to CloudFormation: scalars are compared as text, then as
// numbers; lists in order; maps by key. An Unknown equals nothing.
func Equal(a, b any) bool {
	if s, ok := scalar(a); ok {
		t, ok := scalar(b)
		if !ok {
			return false
		}
		if s == t {
			return true
		}
		_, textA := a.(string)
		_, textB := b.(string)
		if textA && textB {
			return false
		}
		x, err1 := strconv.ParseFloat(s, 64)
		y, err2 := strconv.ParseFloat(t, 64)
		return err1 == nil && err2 == nil && x == y || strings.EqualFold(s, t) && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false"))
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, Equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			w, ok := b[k]
			if !ok || !Equal(v, w) {
				return false
			}
		}
		return true
	}
	return false
}

// Change is a top-level property that differs.
type Change struct {
	Property string
	Path     string  // of what decided: "Policies/PasswordPolicy"; the property itself where all of it counts
	Replace  Replace // what the change does
}

// Changes compares two sets of properties, in the order of the names.
func (s *Schema) Changes(old, new map[string]any) []Change {
	all := map[string]bool{}
	for k := range old {
		all[k] = true
	}
	for k := range new {
		all[k] = true
	}
	var out []Change
	for _, name := range keys(all) {
		a, inOld := old[name]
		b, inNew := new[name]
		if inOld && inNew && Equal(a, b) {
			continue
		}
		c := Change{Property: name, Path: name}
		if p := s.Properties[name]; p != nil {
			c.Path, c.Replace = compare(name, p, a, b)
		}
		out = append(out, c)
	}
	return out
}

// compare finds the strongest consequence within a property that differs.
func compare(path string, p *Property, a, b any) (string, Replace) {
	if p.Replace == Always {
		return path, Always
	}
	bestPath, best := path, p.Replace
	deep := func(path string, f *Property, a, b any) {
		if !Equal(a, b) {
			if at, r := compare(path, f, a, b); r > best {
				bestPath, best = at, r
			}
		}
	}
	switch t := p.Type; t.Kind {
	case Structure:
		ma, _ := a.(map[string]any)
		mb, _ := b.(map[string]any)
		for _, name := range keys(t.Fields) {
			va, ina := ma[name]
			vb, inb := mb[name]
			if ina || inb {
				deep(path+"/"+name, t.Fields[name], va, vb)
			}
		}
	case List, Map:
		// Elements are compared by place; one that comes or goes is compared with nothing.
		elem := &Property{Type: t.Elem}
		if t.Kind == List {
			la, _ := a.([]any)
			lb, _ := b.([]any)
			for i := range max(len(la), len(lb)) {
				deep(path+"/"+strconv.Itoa(i), elem, at(la, i), at(lb, i))
			}
			break
		}
		ma, _ := a.(map[string]any)
		mb, _ := b.(map[string]any)
		for k := range ma {
			deep(path+"/"+k, elem, ma[k], mb[k])
		}
		for k := range mb {
			if _, ok := ma[k]; !ok {
				deep(path+"/"+k, elem, nil, mb[k])
			}
		}
	}
	return bestPath, best
}

func at(l []any, i int) any {
	if i < len(l) {
		return l[i]
	}
	return nil
}

// Replaces returns the changed properties that make a replacement necessary.
func (s *Schema) Replaces(old, new map[string]any) []string {
	var out []string
	for _, c := range s.Changes(old, new) {
		if c.Replace == Always {
			out = append(out, c.Property)
		}
	}
	return out
}

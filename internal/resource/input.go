package resource

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// Input makes v, a pointer to a generated request of a service's own API, of a resource's properties, and
// holds it against the model, as the wire does before it calls the same method.
//
// Most CloudFormation properties have the name of the API's member, but for the case of letters.
// What else differs is said in rename: from the property's path ("Name", "Code.ImageUri";
// places in lists and keys of maps do not count) to the member's name at the same level, or to "" for
// what the handler takes itself. CloudFormation's three habits are followed: scalars are converted, tags may be a
// list of Key and Value where the API wants a map, and the reverse, and a policy document becomes
// text where the API wants text.
//
// A property that neither the API nor rename knows is an error that names its path.
//
// Last it asks, as the wire does, whether the stack's caller may make that call: see [Authorize]. A
// structure that is no operation's input is not asked about.
func Input(ctx context.Context, m *shape.Model, v any, props map[string]any, rename map[string]string) error {
	ref, err := fill(m, v, props, rename)
	if err != nil || len(operations(m, ref)) == 0 {
		return err
	}
	return Authorize(ctx, m, v)
}

// Fill is [Input] for a request that will not be made as it stands: nobody is asked about it. What the
// handler does instead it brings before [Authorize].
func Fill(m *shape.Model, v any, props map[string]any, rename map[string]string) error {
	_, err := fill(m, v, props, rename)
	return err
}

func fill(m *shape.Model, v any, props map[string]any, rename map[string]string) (shape.Ref, error) {
	ref, err := bind(m, v, props, rename)
	if err != nil {
		return ref, err
	}
	return ref, shape.Validate(m, ref, v)
}

// bind fills in v, and returns its shape.
func bind(m *shape.Model, v any, props map[string]any, rename map[string]string) (shape.Ref, error) {
	ref, err := shapeOf(m, v)
	if err != nil {
		return 0, err
	}
	b := binder{m, rename}
	doc, err := b.structure(m.At(ref), props, "")
	if err != nil {
		return 0, err
	}
	return ref, shape.FromMap(m, ref, doc, v)
}

// shapeOf finds the structure whose generated type v points to.
func shapeOf(m *shape.Model, v any) (shape.Ref, error) {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return 0, fmt.Errorf("resource: %T is not a pointer to a structure of %s", v, m.ID)
	}
	name := t.Elem().Name()
	for i := range m.Shapes {
		s := &m.Shapes[i]
		if (s.Kind == shape.Structure || s.Kind == shape.Union) && sameName(s.Name, name) {
			return shape.Ref(i), nil
		}
	}
	return 0, fmt.Errorf("resource: %s has no structure %s", m.ID, name)
}

// sameName compares names but for the case of the first letter.
func sameName(a, b string) bool {
	return len(a) == len(b) && len(a) > 0 && a[1:] == b[1:] && strings.EqualFold(a[:1], b[:1])
}

type binder struct {
	m      *shape.Model
	rename map[string]string
}

// member finds a member by name, else by one that differs only in case: apiId, KMSKeyArn.
func member(s *shape.Shape, name string) *shape.Member {
	var loose *shape.Member
	for i := range s.Members {
		switch n := s.Members[i].Name; {
		case n == name:
			return &s.Members[i]
		case sameName(n, name), loose == nil && strings.EqualFold(n, name):
			loose = &s.Members[i]
		}
	}
	return loose
}

func (b binder) structure(s *shape.Shape, props map[string]any, path string) (map[string]any, error) {
	out := make(map[string]any, len(props))
	for _, name := range keys(props) {
		at := name
		if path != "" {
			at = path + "." + name
		}
		to, renamed := b.rename[at]
		if !renamed {
			to = name
		} else if to == "" {
			continue
		}
		m := member(s, to)
		if m == nil {
			return nil, &Error{Message: "Encountered unsupported property " + at}
		}
		v, err := b.value(b.m.At(m.Shape), props[name], at)
		if err != nil {
			return nil, err
		}
		out[m.Name] = v
	}
	return out, nil
}

// value turns one value into what FromMap wants. What does not fit is passed on: FromMap refuses it.
func (b binder) value(s *shape.Shape, v any, path string) (any, error) {
	var err error
	switch s.Kind {
	case shape.Structure, shape.Union:
		if m, ok := v.(map[string]any); ok {
			return b.structure(s, m, path)
		}
	case shape.List:
		elem := b.m.At(s.Elem)
		l, ok := v.([]any)
		if m, isMap := v.(map[string]any); isMap {
			if l, ok = tagList(elem, m); !ok {
				return v, nil
			}
		}
		if !ok {
			return v, nil
		}
		out := make([]any, len(l))
		for i, item := range l {
			if out[i], err = b.value(elem, item, path); err != nil {
				return nil, err
			}
		}
		return out, nil
	case shape.Map:
		m, ok := v.(map[string]any)
		if l, isList := v.([]any); isList {
			tags, err := Tags(l)
			if err != nil {
				return v, nil
			}
			m, ok = map[string]any{}, true
			for k, v := range tags {
				m[k] = v
			}
		}
		if !ok {
			return v, nil
		}
		elem := b.m.At(s.Elem)
		out := make(map[string]any, len(m))
		for k, item := range m {
			if out[k], err = b.value(elem, item, path); err != nil {
				return nil, err
			}
		}
		return out, nil
	case shape.String:
		if m, ok := v.(map[string]any); ok {
			return Document(m)
		}
	}
	return v, nil
}

// tagList turns a map of tags into a list of structures with a key and a value.
func tagList(elem *shape.Shape, tags map[string]any) ([]any, bool) {
	if elem.Kind != shape.Structure {
		return nil, false
	}
	key, value := member(elem, "Key"), member(elem, "Value")
	if key == nil || value == nil {
		key, value = member(elem, "TagKey"), member(elem, "TagValue")
	}
	if key == nil || value == nil {
		return nil, false
	}
	out := make([]any, 0, len(tags))
	for _, k := range keys(tags) {
		out = append(out, map[string]any{key.Name: k, value.Name: tags[k]})
	}
	return out, true
}

// Tags reads a property that holds tags in either of CloudFormation's forms: a list of {Key, Value}, or
// a map. nil is no tags.
func Tags(v any) (map[string]string, error) {
	out := map[string]string{}
	set := func(k, v any) bool {
		key, ok1 := scalar(k)
		value, ok2 := scalar(v)
		out[key] = value
		return ok1 && ok2
	}
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for k, item := range v {
			if !set(k, item) {
				return nil, &Error{Message: "Tags must have text as values", Detail: k}
			}
		}
	case []any:
		for i, item := range v {
			m, ok := item.(map[string]any)
			if !ok || len(m) != 2 || !set(m["Key"], m["Value"]) {
				return nil, &Error{Message: "Tags must be a list of Key and Value", Detail: fmt.Sprintf("entry %d", i)}
			}
		}
	default:
		return nil, &Error{Message: "Tags must be a list of Key and Value"}
	}
	return out, nil
}

// Document returns a property of type Json as text: text as it is, anything else as compact JSON.
func Document(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

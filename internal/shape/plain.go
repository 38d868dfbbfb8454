package shape

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FromMap fills in v, a pointer to the generated struct of shape r, from a plain document as
// encoding/json or a template gives it: the properties of a CloudFormation resource. Names are the
// model's, with the first letter in either case. Scalars are converted as CloudFormation converts
// them: "true" for a boolean, "5" for a number, 5 and true for a string.
//
// A name that the model does not have and a value that does not fit are an [*Error] with the code
// ValidationError whose message names the path ("UserPool.Policies.PasswordPolicy.Foo").
func FromMap(m *Model, r Ref, doc map[string]any, v any) error {
	b := binder{m}
	return b.structure(m.At(r), doc, reflect.ValueOf(v).Elem(), "")
}

type binder struct{ m *Model }

func (b binder) structure(s *Shape, doc map[string]any, f reflect.Value, path string) error {
	var seen Absent
	names := make([]string, 0, len(doc))
	for name := range doc {
		names = append(names, name)
	}
	slices.Sort(names) // so that the same document always fails at the same place
	for _, name := range names {
		at := join(path, name)
		i := s.property(name)
		if i < 0 {
			return Errorf("ValidationError", 400, "%s", "Encountered unsupported property "+at)
		}
		if doc[name] == nil {
			continue
		}
		if err := b.value(b.m.At(s.Members[i].Shape), doc[name], f.Field(i), at); err != nil {
			return err
		}
		if i < 64 {
			seen |= 1 << i
		}
	}
	MarkAbsent(b.m, s, f, seen)
	return nil
}

// property finds a member by its name in the model, else by one that differs in the first letter's case.
func (s *Shape) property(name string) int {
	loose := -1
	for i := range s.Members {
		n := s.Members[i].Name
		if n == name {
			return i
		}
		if len(n) == len(name) && len(n) > 0 && n[1:] == name[1:] && strings.EqualFold(n[:1], name[:1]) {
			loose = i
		}
	}
	return loose
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (b binder) value(s *Shape, in any, f reflect.Value, path string) error {
	if f.Kind() == reflect.Pointer {
		p := reflect.New(f.Type().Elem())
		if err := b.value(s, in, p.Elem(), path); err != nil {
			return err
		}
		f.Set(p)
		return nil
	}
	wrong := func() error {
		return Errorf("ValidationError", 400, "%s", "Value of property "+path+" must be "+kindText(b.m, s))
	}
	switch s.Kind {
	case Structure, Union:
		doc, ok := in.(map[string]any)
		if !ok {
			return wrong()
		}
		return b.structure(s, doc, f, path)
	case Map:
		doc, ok := in.(map[string]any)
		if !ok {
			return wrong()
		}
		out := reflect.MakeMapWithSize(f.Type(), len(doc))
		for k, x := range doc {
			val := reflect.New(f.Type().Elem()).Elem()
			if err := b.value(b.m.At(s.Elem), x, val, join(path, k)); err != nil {
				return err
			}
			out.SetMapIndex(reflect.ValueOf(k), val)
		}
		f.Set(out)
		return nil
	case List:
		list, ok := in.([]any)
		if texts, isTexts := in.([]string); isTexts {
			for _, t := range texts {
				list = append(list, t)
			}
			ok = true
		}
		if !ok {
			return wrong()
		}
		out := reflect.MakeSlice(f.Type(), len(list), len(list))
		for i, x := range list {
			if err := b.value(b.m.At(s.Elem), x, out.Index(i), path+"."+strconv.Itoa(i)); err != nil {
				return err
			}
		}
		f.Set(out)
		return nil
	case Document:
		if in != nil {
			f.Set(reflect.ValueOf(in))
		}
		return nil
	case Blob:
		if s.Streaming {
			return wrong()
		}
		switch x := in.(type) {
		case []byte:
			f.SetBytes(x)
			return nil
		case string:
			if raw, err := base64.StdEncoding.DecodeString(x); err == nil {
				f.SetBytes(raw)
				return nil
			}
		}
		return wrong()
	}
	text, ok := scalarText(in)
	if !ok {
		return wrong()
	}
	switch s.Kind {
	case String:
		f.SetString(text)
	case Boolean:
		switch strings.ToLower(text) {
		case "true":
			f.SetBool(true)
		case "false":
			f.SetBool(false)
		default:
			return wrong()
		}
	case Integer, Long:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			x, err := strconv.ParseFloat(text, 64)
			if err != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
				return wrong()
			}
			n = int64(x)
		}
		f.SetInt(n)
	case Float, Double:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return wrong()
		}
		f.SetFloat(x)
	case Timestamp:
		t, ok := ParseTime(text)
		if !ok {
			return wrong()
		}
		f.Set(reflect.ValueOf(t))
	}
	return nil
}

// scalarText writes a scalar of a document as CloudFormation would.
func scalarText(in any) (string, bool) {
	switch x := in.(type) {
	case string:
		return x, true
	case bool:
		return strconv.FormatBool(x), true
	case json.Number:
		return x.String(), true
	case int:
		return strconv.Itoa(x), true
	case int64:
		return strconv.FormatInt(x, 10), true
	case uint64:
		return strconv.FormatUint(x, 10), true
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), true
	case time.Time:
		return FormatTime("date-time", x), true
	}
	return "", false
}

func kindText(m *Model, s *Shape) string {
	switch s.Kind {
	case String:
		return "of type String"
	case Boolean:
		return "of type Boolean"
	case Integer, Long:
		return "of type Integer"
	case Float, Double:
		return "of type Double"
	case Timestamp:
		return "of type Timestamp"
	case Blob:
		return "a base64-encoded string"
	case List:
		if m.At(s.Elem).Kind == String {
			return "a list of strings"
		}
		return "of type List"
	case Map:
		return "of type Map"
	}
	return "an object"
}

// ToMap returns v, the generated struct of shape r or a pointer to it, as a plain document by the
// model's names: strings, bools, int64, float64, []any, map[string]any. Times are RFC 3339, bytes
// base64. What is nil is left out. It panics if v is of another type than r's.
func ToMap(m *Model, r Ref, v any) map[string]any {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return map[string]any{}
		}
		rv = rv.Elem()
	}
	doc, ok := toPlain(m, m.At(r), rv).(map[string]any)
	if !ok {
		panic(fmt.Sprintf("shape: %s is not a structure", m.At(r).Name))
	}
	return doc
}

func toPlain(m *Model, s *Shape, v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch s.Kind {
	case String:
		return v.String()
	case Boolean:
		return v.Bool()
	case Integer, Long:
		return v.Int()
	case Float, Double:
		return v.Float()
	case Timestamp:
		return FormatTime("date-time", v.Interface().(time.Time))
	case Blob:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case Document:
		return v.Interface()
	case List:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = toPlain(m, m.At(s.Elem), v.Index(i))
		}
		return out
	case Map:
		out := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = toPlain(m, m.At(s.Elem), it.Value())
		}
		return out
	}
	out := map[string]any{}
	absent := absence(s, v)
	for i := range s.Members {
		mem := &s.Members[i]
		ms := m.At(mem.Shape)
		if f := v.Field(i); !absent.has(i) && !missing(f) && (ms.Kind != Blob || !ms.Streaming) {
			out[mem.Name] = toPlain(m, ms, f)
		}
	}
	return out
}

package openapi

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Object takes a member that is an object; nil is none.
func Object(m map[string]any, name string) map[string]any {
	v, _ := m[name].(map[string]any)
	return v
}

// List takes a member that is a list; nil is none.
func List(m map[string]any, name string) []any {
	v, _ := m[name].([]any)
	return v
}

// Text takes a member that is a scalar, as text; "" is none.
func Text(m map[string]any, name string) string {
	switch v := m[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// OptText is [Text] with nil for "".
func OptText(m map[string]any, name string) *string {
	if s := Text(m, name); s != "" {
		return &s
	}
	return nil
}

// Bool takes a member that is true or false, or the text of it.
func Bool(m map[string]any, name string) *bool {
	switch v := m[name].(type) {
	case bool:
		return &v
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return &b
		}
	}
	return nil
}

// Int takes a member that is an integer, or the text of one.
func Int(m map[string]any, name string) *int64 {
	if n, err := strconv.ParseInt(Text(m, name), 10, 64); err == nil {
		return &n
	}
	return nil
}

// Texts takes the texts of a list.
func Texts(m map[string]any, name string) []string {
	var out []string
	for _, v := range List(m, name) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// TextMap takes an object of texts; other scalars and whole templates become text. Nil is none.
func TextMap(m map[string]any, name string) map[string]string {
	src := Object(m, name)
	if src == nil {
		return nil
	}
	out := make(map[string]string, len(src))
	for k, v := range src {
		switch v := v.(type) {
		case map[string]any, []any:
			out[k] = JSON(v)
		case nil:
			out[k] = ""
		default:
			out[k] = Text(src, k)
		}
	}
	return out
}

// JSON writes a value as JSON, as it was.
func JSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Put sets a member that is not absent.
func Put[T any](m map[string]any, name string, v *T) {
	if v != nil {
		m[name] = *v
	}
}

// FromMap is a map as a document.
func FromMap[T any](m map[string]T) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// FromTexts is a list of texts as a document.
func FromTexts(l []string) []any {
	out := make([]any, len(l))
	for i, v := range l {
		out[i] = v
	}
	return out
}

// Marshal writes a document as indented JSON.
func Marshal(doc map[string]any) ([]byte, error) { return json.MarshalIndent(doc, "", "  ") }

// MarshalYAML writes a document as YAML.
func MarshalYAML(doc map[string]any) ([]byte, error) {
	return yaml.Dump(plain(doc), yaml.WithIndent(2))
}

// plain returns a document with numbers that YAML knows.
func plain(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			x[k] = plain(e)
		}
	case []any:
		for i, e := range x {
			x[i] = plain(e)
		}
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n
		}
		if f, err := x.Float64(); err == nil {
			return f
		}
		return x.String()
	}
	return v
}

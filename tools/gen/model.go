package main

import (
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"sort"
	"strings"
	"unicode"
)

// The normal form of models/SERVICE.json, as tools/sync writes it.
type model struct {
	Name, Package, ID, Endpoint, SigningName, APIVersion string
	Protocol, ValidationCode, TargetPrefix, XMLNamespace string
	MalformedCode                                        string
	ElementNull                                          bool
	Operations                                           map[string]*operation
	Shapes                                               map[string]*shape
}

type operation struct {
	Method, Path, Input, Output string
	Status                      int
	Unsigned                    bool
	Errors                      []string
}

type shape struct {
	Type         string
	Members      []member
	Key, Elem    string
	KeyName      string
	ElemName     string
	Flat         bool
	XMLNamespace string
	Enum         []string
	Min, Max     *float64
	Pattern      string
	Sensitive    bool
	Streaming    bool
	Error        *struct {
		Status int
		Code   string
		Server bool
	}
}

type member struct {
	Name, Shape, Wire, In string
	Required, Attr        bool
}

// builtins are the unconstrained scalars, which models use without listing them.
var builtins = map[string]shape{
	"string": {Type: "string"}, "boolean": {Type: "boolean"}, "integer": {Type: "integer"}, "long": {Type: "long"},
	"float": {Type: "float"}, "double": {Type: "double"}, "timestamp": {Type: "timestamp"}, "date-time": {Type: "date-time"},
	"http-date": {Type: "http-date"}, "epoch-seconds": {Type: "epoch-seconds"}, "blob": {Type: "blob"}, "document": {Type: "document"},
}

// pkg is one generated package.
type pkg struct {
	model      *model
	ops        []string // sorted
	shapes     []string // sorted; Ref is the index + 1
	ref        map[string]int
	goName     map[string]string // of structures and unions that have a Go type
	input      map[string]bool   // structures that occur in an input
	enumConsts [][2]string       // constant, value
}

func load(file string) (*pkg, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p := &pkg{model: new(model), ref: map[string]int{}, goName: map[string]string{}, input: map[string]bool{}}
	if err := json.Unmarshal(data, p.model); err != nil {
		return nil, err
	}
	m := p.model
	used := map[string]bool{}
	var visit func(name string, seen map[string]bool) error
	visit = func(name string, seen map[string]bool) error {
		if seen[name] {
			return nil
		}
		s := m.Shapes[name]
		if s == nil {
			b, ok := builtins[name]
			if !ok {
				return fmt.Errorf("unknown shape %q", name)
			}
			s = &b
			m.Shapes[name] = s
		}
		seen[name] = true
		for _, r := range append(s.refs(), s.Key, s.Elem) {
			if r != "" {
				if err := visit(r, seen); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for name, op := range m.Operations {
		p.ops = append(p.ops, name)
		if err := visit(op.Input, p.input); err != nil {
			return nil, err
		}
		for _, r := range []string{op.Input, op.Output} {
			if err := visit(r, used); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range m.Shapes {
		if s.Error != nil {
			for _, r := range s.refs() { // the members, so that no Go type is made for the error itself
				if err := visit(r, used); err != nil {
					return nil, err
				}
			}
		}
	}
	sort.Strings(p.ops)

	taken := map[string]bool{"Handler": true, "Unimplemented": true, "Model": true}
	for name, s := range m.Shapes {
		if s.Error != nil {
			taken[upper(name)] = true
		}
	}
	for name := range m.Shapes {
		if used[name] || m.Shapes[name].Error != nil {
			p.shapes = append(p.shapes, name)
		}
	}
	sort.Strings(p.shapes)
	for i, name := range p.shapes {
		p.ref[name] = i + 1
		s := m.Shapes[name]
		if !s.structural() || !used[name] {
			continue
		}
		g := upper(name)
		if taken[g] {
			g += "Type"
		}
		if taken[g] {
			return nil, fmt.Errorf("no Go name left for %s", name)
		}
		taken[g] = true
		p.goName[name] = g
	}
	for _, name := range p.shapes {
		for _, v := range m.Shapes[name].Enum {
			c := upper(name) + camel(v)
			for taken[c] {
				c += "Value"
			}
			taken[c] = true
			p.enumConsts = append(p.enumConsts, [2]string{c, v})
		}
	}
	return p, nil
}

func (s *shape) structural() bool { return s.Type == "structure" || s.Type == "union" }

func (s *shape) scalar() bool {
	return !s.structural() && s.Type != "list" && s.Type != "map" && s.Type != "blob" && s.Type != "document"
}

func (s *shape) refs() []string {
	var out []string
	for i := range s.Members {
		out = append(out, s.Members[i].Shape)
	}
	return out
}

// absent tells whether the Go type of a structure has the field Absent.
func (p *pkg) absent(name string) bool {
	if !p.input[name] {
		return false
	}
	for _, m := range p.model.Shapes[name].Members {
		if m.Required && p.model.Shapes[m.Shape].scalar() {
			return true
		}
	}
	return false
}

// goType is the Go type of a value of the named shape, as a required member or an element.
func (p *pkg) goType(name string) string {
	s := p.model.Shapes[name]
	switch s.Type {
	case "string":
		return "string"
	case "boolean":
		return "bool"
	case "integer", "long":
		return "int64"
	case "float", "double":
		return "float64"
	case "timestamp", "date-time", "http-date", "epoch-seconds":
		return "time.Time"
	case "blob":
		if s.Streaming {
			return "io.ReadCloser"
		}
		return "[]byte"
	case "document":
		return "any"
	case "list":
		return "[]" + p.goType(s.Elem)
	case "map":
		return "map[string]" + p.goType(s.Elem)
	}
	return p.goName[name]
}

func upper(s string) string {
	s = strings.TrimLeft(s, "_")
	return strings.ToUpper(s[:1]) + s[1:]
}

// camel turns the value of an enum into a part of a Go name.
func camel(v string) string {
	parts := strings.FieldsFunc(strings.ReplaceAll(v, "*", " Any "), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(parts) == 0 {
		return "Empty"
	}
	var b strings.Builder
	for _, w := range parts {
		if len(w) > 1 && strings.ToUpper(w) == w {
			w = w[:1] + strings.ToLower(w[1:])
		}
		b.WriteString(upper(w))
	}
	return b.String()
}

func gofmt(src string) ([]byte, error) { return format.Source([]byte(src)) }

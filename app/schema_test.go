package app_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/app"
)

// schemas are the property schemas of CloudFormation that the repository keeps.
type schemas struct {
	Types map[string]struct {
		Attributes map[string]string
		Properties map[string]string
		Types      map[string]map[string]string
	}
}

// What the package emits are properties that CloudFormation has, with all that it requires, and
// attributes that its resources have.
func TestSchema(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "models", "resources.json"))
	if err != nil {
		t.Fatal(err)
	}
	var known schemas
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"jwt", "everything"} {
		build := map[string]func(*app.Stack){"jwt": jwt, "everything": everything}[name]
		tmpl, err := app.Synth(name, "dev", build)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Resources map[string]struct {
				Type       string
				Properties map[string]any
			}
		}
		if err := json.Unmarshal(tmpl.JSON(), &doc); err != nil {
			t.Fatal(err)
		}
		for id, r := range doc.Resources {
			schema, ok := known.Types[r.Type]
			if !ok {
				if strings.HasPrefix(r.Type, "AWS::SQS::") {
					continue // a raw resource of the test
				}
				t.Errorf("%s: %s has no schema", id, r.Type)
				continue
			}
			if r.Type == "AWS::Lambda::Function" {
				if _, local := r.Properties["Code"].(string); !local {
					t.Errorf("%s: Code is %v, want a path", id, r.Properties["Code"])
				}
				r.Properties["Code"] = map[string]any{} // what packaging puts there
			}
			c := checker{schema.Types, func(format string, args ...any) { t.Errorf("%s: %s: %s", name, id, fmt.Sprintf(format, args...)) }}
			c.object(r.Type, r.Properties, schema.Properties)
			attributes(r.Properties, func(target, attr string) {
				if s, ok := known.Types[doc.Resources[target].Type]; ok && s.Attributes[attr] == "" {
					t.Errorf("%s: %s: %s has no attribute %s", name, id, doc.Resources[target].Type, attr)
				}
			})
		}
	}
}

type checker struct {
	types map[string]map[string]string
	fail  func(format string, args ...any)
}

func (c checker) object(path string, got map[string]any, want map[string]string) {
	for name, v := range got {
		typ, ok := want[name]
		if !ok {
			c.fail("%s has no %s", path, name)
			continue
		}
		c.value(path+"."+name, v, strings.Fields(typ)[0])
	}
	for name, typ := range want {
		if _, ok := got[name]; !ok && slices.Contains(strings.Fields(typ), "!") {
			c.fail("%s lacks %s", path, name)
		}
	}
}

func (c checker) value(path string, v any, typ string) {
	if m, ok := v.(map[string]any); ok && len(m) == 1 && intrinsic(m) {
		return // of whatever type it turns out to be
	}
	bad := func() { c.fail("%s is %v, want %s", path, v, typ) }
	switch {
	case typ == "json":
	case strings.HasPrefix(typ, "["):
		list, ok := v.([]any)
		if !ok {
			bad()
		}
		for i, e := range list {
			c.value(fmt.Sprint(path, ".", i), e, typ[1:len(typ)-1])
		}
	case strings.HasPrefix(typ, "{"):
		m, ok := v.(map[string]any)
		if !ok {
			bad()
		}
		for k, e := range m {
			c.value(path+"."+k, e, typ[1:len(typ)-1])
		}
	case strings.HasPrefix(typ, "#"):
		m, ok := v.(map[string]any)
		if !ok {
			bad()
			return
		}
		c.object(path, m, c.types[typ[1:]])
	case typ == "tag":
		if m, ok := v.(map[string]any); !ok || len(m) != 2 || m["Key"] == nil || m["Value"] == nil {
			bad()
		}
	default:
		switch v.(type) {
		case string:
			if typ != "string" {
				bad()
			}
		case bool:
			if typ != "boolean" {
				bad()
			}
		case float64:
			if !slices.Contains([]string{"integer", "number", "long", "double"}, typ) {
				bad()
			}
		default:
			bad()
		}
	}
}

func intrinsic(m map[string]any) bool {
	for name := range m {
		return name == "Ref" || strings.HasPrefix(name, "Fn::")
	}
	return false
}

// attributes calls f for each Fn::GetAtt below v.
func attributes(v any, f func(id, attr string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			attributes(e, f)
		}
	case map[string]any:
		if arg, ok := v["Fn::GetAtt"].([]any); ok {
			f(arg[0].(string), arg[1].(string))
		}
		for _, e := range v {
			attributes(e, f)
		}
	}
}

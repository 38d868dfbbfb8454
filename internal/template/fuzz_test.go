package template

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func seeds(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.*")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, s := range []string{
		oneResource, "{}", "a: &a [*a]", `{"Resources":{"R":{"Type":"T","Properties":{"V":{"Fn::Sub":"${R}${!x}"}}}}}`,
		"Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::L': [X, [a, b], {'R${X}': {Type: T}}]}",
		"Resources: {R: {Type: T, Properties: {V: !Cidr ['10.0.0.0/8', 3, 4]}}}",
		"Conditions: {A: !Not [!Condition B], B: !Equals [!If [A, 1, 2], 1]}\n" + oneResource,
	} {
		f.Add([]byte(s))
	}
}

// FuzzParse: any text gives a template or an *Error, and a template can be written as JSON and read
// again as the same.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		tpl, err := ParseWith(text, Options{Aliases: true})
		if err != nil {
			var te *Error
			if !errors.As(err, &te) || te.Message == "" {
				t.Fatalf("error %#v", err)
			}
			return
		}
		again, err := json.Marshal(tpl.Root)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > MaxSize {
			return
		}
		second, err := Parse(again)
		if err != nil {
			t.Fatalf("%s reads back with: %v", again, err)
		}
		if third, _ := json.Marshal(second.Root); string(third) != string(again) {
			t.Fatalf("%s became %s", again, third)
		}
	})
}

// FuzzEval: whatever parses can be evaluated to values or an error, in order of its graph.
func FuzzEval(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		tpl, err := Parse(text)
		if err != nil {
			return
		}
		params, err := tpl.ResolveParameters(nil, func(name string) (string, bool, error) { return name, true, nil })
		if err != nil {
			return
		}
		if tpl, err = tpl.Expand(params, testPseudo); err != nil {
			return
		}
		e := NewEval(tpl, params, testPseudo, fake{})
		_ = e.CheckRules()
		g, err := tpl.Graph(e)
		if err != nil {
			return
		}
		for _, id := range g.Order {
			props, err := e.Properties(tpl.Resource(id))
			if err != nil {
				continue
			}
			if _, err := json.Marshal(props); err != nil {
				t.Fatal(err)
			}
		}
		for _, o := range tpl.Outputs {
			_, _, _ = e.Output(o)
		}
	})
}

package template

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake resolves every reference to a recognisable text.
type fake struct{}

func (fake) Ref(id string) (any, error)              { return "ref-" + id, nil }
func (fake) GetAtt(id, attr string) (any, error)     { return id + "-" + attr, nil }
func (fake) ImportValue(name string) (any, error)    { return "import-" + name, nil }
func (fake) StackOutput(s, r, o string) (any, error) { return s + "/" + r + "/" + o, nil }

var testPseudo = Pseudo{
	Account: "000000000000", Region: "us-east-1", Partition: "aws", URLSuffix: "amazonaws.com",
	StackName: "demo", StackID: "arn:aws:cloudformation:us-east-1:000000000000:stack/demo/1",
}

// evaluate runs a template through every step.
func evaluate(t *testing.T, text []byte, lookup Lookup) (*Template, map[string]map[string]any) {
	t.Helper()
	tpl, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	params, err := tpl.ResolveParameters(nil, lookup)
	if err != nil {
		t.Fatal(err)
	}
	if tpl, err = tpl.Expand(params, testPseudo); err != nil {
		t.Fatal(err)
	}
	e := NewEval(tpl, params, testPseudo, fake{})
	if err := e.CheckRules(); err != nil {
		t.Fatal(err)
	}
	g, err := tpl.Graph(e)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for _, id := range g.Order {
		for _, d := range g.Deps[id] {
			if all[d] == nil {
				t.Errorf("%s comes before %s, which it needs", id, d)
			}
		}
		if all[id], err = e.Properties(tpl.Resource(id)); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	for _, o := range tpl.Outputs {
		if ok, err := e.Active(o.Condition); err != nil || !ok {
			continue
		}
		if _, _, err := e.Output(o); err != nil {
			t.Fatal(err)
		}
	}
	return tpl, all
}

// TestRealTemplates evaluates what CDK, SST and SAM emit: the files beside the tests, and those of
// ../shared where that folder stands beside the checkout.
func TestRealTemplates(t *testing.T) {
	var files []string
	for _, pattern := range []string{"testdata/*.json", "testdata/*.yaml", "../../../shared/templates/*template.json", "../../../shared/templates/sam.*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	ssm := func(name string) (string, bool, error) { return "33", true, nil }
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tpl, all := evaluate(t, text, ssm)
			if len(all) == 0 || len(tpl.Types()) == 0 {
				t.Error("no resources")
			}
			t.Logf("%d resources, %d outputs", len(all), len(tpl.Outputs))
		})
	}
	t.Logf("%d templates, %s", len(files), strings.Join(files, " "))
}

// Benchmark runs all that a deployment asks of this package, on a template of CDK's form.
func Benchmark(b *testing.B) {
	for _, file := range []string{"testdata/synthesized.json", "testdata/jwt-api.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filepath.Base(file), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tpl, err := Parse(text)
				if err != nil {
					b.Fatal(err)
				}
				params, err := tpl.ResolveParameters(nil, func(string) (string, bool, error) { return "33", true, nil })
				if err != nil {
					b.Fatal(err)
				}
				e := NewEval(tpl, params, testPseudo, fake{})
				g, err := tpl.Graph(e)
				if err != nil {
					b.Fatal(err)
				}
				for _, id := range g.Order {
					if _, err := e.Properties(tpl.Resource(id)); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

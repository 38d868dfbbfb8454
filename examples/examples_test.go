// Package examples tests the examples that are no Go programs of their own.
package examples

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// The template of jwt-api-ts holds together, and the handler of each function is in its source.
func TestTypeScript(t *testing.T) {
	const dir = "jwt-api-ts"
	text, err := os.ReadFile(filepath.Join(dir, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	params, err := tmpl.ResolveParameters(map[string]string{"Stage": "prod"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pseudo := template.Pseudo{Account: "000000000000", Region: "us-east-1", Partition: "aws", URLSuffix: "amazonaws.com", StackName: "prod-jwt-api-ts"}
	if _, err := tmpl.Graph(template.NewEval(tmpl, params, pseudo, nil)); err != nil {
		t.Fatal(err)
	}
	functions := 0
	for _, r := range tmpl.Resources {
		if r.Type != "AWS::Lambda::Function" {
			continue
		}
		functions++
		text := func(name string) string { s, _ := r.Properties.Get(name).Value().(string); return s }
		code, handler := text("Code"), text("Handler")
		source, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(code)))
		if err != nil {
			t.Errorf("%s: %v", r.LogicalID, err)
			continue
		}
		file, function, _ := strings.Cut(handler, ".")
		if base := filepath.Base(code); strings.TrimSuffix(base, filepath.Ext(base)) != file {
			t.Errorf("%s: the handler %s is not of %s", r.LogicalID, handler, code)
		}
		if !strings.Contains(string(source), " "+function+"(") {
			t.Errorf("%s: there is no function %s in %s", r.LogicalID, function, code)
		}
	}
	if functions != 3 {
		t.Errorf("%d functions, want 3", functions)
	}
}

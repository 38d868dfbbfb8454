// Package examples tests the examples that are no Go programs of their own.
package examples

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/template"
	"github.com/gatehouse-dev/gatehouse/internal/transform"
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

// The SAM template becomes a stack that holds together, with one API of each kind.
func TestSAM(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("sam", "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// As it is deployed: the code lies in a bucket.
	text = []byte(strings.Replace(string(text), "CodeUri: src/", "CodeUri: s3://bucket/key", -1))
	tmpl, err := template.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	params, err := tmpl.ResolveParameters(map[string]string{"Stage": "prod"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pseudo := template.Pseudo{Account: "000000000000", Region: "us-east-1", Partition: "aws", URLSuffix: "amazonaws.com", StackName: "prod-sam"}
	made, err := transform.Expand(tmpl, transform.Options{Params: params, Pseudo: pseudo})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := made.Graph(template.NewEval(made, params, pseudo, nil)); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, r := range made.Resources {
		count[r.Type]++
	}
	for typ, want := range map[string]int{"AWS::Lambda::Function": 2, "AWS::Lambda::Permission": 4, "AWS::ApiGatewayV2::Api": 1, "AWS::ApiGateway::RestApi": 1} {
		if count[typ] != want {
			t.Errorf("%d of %s, want %d", count[typ], typ, want)
		}
	}
}

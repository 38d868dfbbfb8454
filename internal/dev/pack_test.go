package dev

import (
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/gatehouse-dev/gatehouse/internal/bundle"
	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// A template in JSON, as Go apps write it, is still a template once the code of its functions is
// uploaded.
func TestBodyOfJSON(t *testing.T) {
	s, err := newStack("dev-a", []byte(`{"Resources":{"F":{"Type":"AWS::Lambda::Function","Properties":{
		"Code":"functions/f","Handler":"bootstrap","Runtime":"provided.al2023","Timeout":10,"Role":{"Fn::GetAtt":["R","Arn"]},
		"Environment":{"Variables":{"EMPTY":"","YES":"yes","NUMBER":"010","TEXT":"a: \"b\" #c\n\u00e9"}},"Layers":[],"Tags":[]}},
		"R":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{}}}}}`), "a")
	if err != nil {
		t.Fatal(err)
	}
	fs, err := s.functions(".", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fs {
		f.Package = &bundle.Package{Zip: []byte("zip"), Handler: "bootstrap"}
	}
	text, err := s.body(fs, "assets")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	props := tmpl.Resource("F").Properties
	code := props.Get("Code")
	if got := code.Get("S3Bucket").Value(); got != "assets" {
		t.Errorf("S3Bucket is %v", got)
	}
	if got := code.Get("S3Key").Value(); got != fs[0].Key() {
		t.Errorf("S3Key is %v, want %s", got, fs[0].Key())
	}
	var vars map[string]any
	if err := yaml.Unmarshal([]byte(`{EMPTY: "", YES: "yes", NUMBER: "010", TEXT: "a: \"b\" #c\n\u00e9"}`), &vars); err != nil {
		t.Fatal(err)
	}
	for k, want := range vars {
		if got := props.Get("Environment").Get("Variables").Get(k).Value(); got != want {
			t.Errorf("%s is %q, want %q", k, got, want)
		}
	}
}

package transform

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/template"
	"github.com/google/go-cmp/cmp"
)

func read(t testing.TB, text string, given map[string]string) (*template.Template, Options) {
	t.Helper()
	tpl, err := template.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	params, err := tpl.ResolveParameters(given, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tpl, Options{Params: params, Pseudo: template.Pseudo{Account: "000000000000", Region: "us-east-1", Partition: "aws", StackName: "demo", URLSuffix: "amazonaws.com"}}
}

func ids(t *template.Template) []string {
	var out []string
	for _, r := range t.Resources {
		out = append(out, r.LogicalID+" "+r.Type)
	}
	return out
}

func TestExpand(t *testing.T) {
	const function = "{Type: AWS::Serverless::Function, Properties: {Runtime: nodejs22.x, Handler: a.b, InlineCode: x"
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"none", "Resources: {A: {Type: T}}", []string{"A T"}},
		{"serverless", "Transform: AWS::Serverless-2016-10-31\nResources:\n  A: {Type: T, DependsOn: F}\n  F: " + function + "}}\n", []string{"A T", "F AWS::Lambda::Function", "FRole AWS::IAM::Role"}},
		{"loops of functions", "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\nParameters: {Names: {Type: CommaDelimitedList, Default: 'X,Y'}}\nResources:\n  Fn::ForEach::All:\n  - N\n  - !Ref Names\n  - F${N}: " + function + ", Description: !ToJsonString {a: !Ref N}, Role: r}}\n",
			[]string{"FX AWS::Lambda::Function", "FY AWS::Lambda::Function"}},
		{"extensions alone", "Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::L': [N, [a, b], {'R${N}': {Type: T}}]}", []string{"Ra T", "Rb T"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tpl, o := read(t, tt.text, nil)
			got, err := Expand(tpl, o)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, ids(got)); d != "" {
				t.Error(d)
			}
			if again, err := Expand(got, o); err != nil || len(again.Resources) != len(got.Resources) {
				t.Errorf("a second time: %v", err)
			}
			e := template.NewEval(got, o.Params, o.Pseudo, nil)
			for _, r := range got.Resources {
				if d := r.Properties.Get("Description"); d != nil {
					if v, err := e.Value(d); err != nil || !strings.HasPrefix(fmt.Sprint(v), `{"a":`) {
						t.Errorf("%v, %v", v, err)
					}
				}
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"Transform: Mine\nResources: {A: {Type: T}}", "No transform named Mine found.: macros are not supported"},
		{"Resources: {A: {Type: T, Properties: {'Fn::Transform': {Name: Mine}}}}", "No transform named Mine found.: macros are not supported"},
		{"Resources: {A: {Type: T, Properties: {'Fn::Transform': {Name: 'AWS::Serverless-2016-10-31'}}}}", "Transform AWS::Serverless-2016-10-31 can only be applied to a whole template."},
		{"Transform: AWS::Serverless-2016-10-31\nResources: {A: {Type: AWS::Serverless::SimpleTable}}", "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. Number of errors found: 1. Resource with id [A] is invalid. The resource type AWS::Serverless::SimpleTable is not supported by this server."},
		{"Transform: AWS::Serverless-2016-10-31\nResources: {A: {Type: T, Properties: {X: !Ref Nobody}}}", "Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template (line 2, column 47)"},
	} {
		tpl, o := read(t, tt.text, nil)
		_, err := Expand(tpl, o)
		var te *template.Error
		if !errors.As(err, &te) || !strings.HasPrefix(te.Error(), strings.TrimSuffix(tt.want, " (line 2, column 47)")) {
			t.Errorf("%s: got %v", tt.text, err)
		}
	}
}

func TestInclude(t *testing.T) {
	objects := map[string]string{
		"s3://b/body.yaml": "openapi: 3.0.1\npaths: {}\n", "s3://b/rest.json": `{"Outputs":{"O":{"Value":"x"}}}`, "s3://b/list": "[1, 2]",
		"s3://b/more": "x: {'Fn::Transform': {Name: 'AWS::Include'}}", "s3://b/bad": "a: [",
	}
	fetch := func(location string) ([]byte, error) {
		text, ok := objects[location]
		if !ok {
			return nil, errors.New("no " + location)
		}
		return []byte(text), nil
	}
	include := func(location string) string {
		return "{'Fn::Transform': {Name: 'AWS::Include', Parameters: {Location: " + location + "}}"
	}
	text := "Parameters: {B: {Type: String, Default: b}}\nTransform: [{Name: 'AWS::Include', Parameters: {Location: s3://b/rest.json}}]\nResources:\n  A: {Type: T, Properties: {Body: " + include("!Sub 's3://${B}/body.yaml'") + ", info: {title: t}}, L: " + include("s3://b/list") + "}}}\n"
	tpl, o := read(t, text, nil)
	if !Includes(tpl) {
		t.Error("it includes nothing?")
	}
	got, err := Include(tpl, o, fetch)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(got.Resource("A").Properties)
	if want := `{"Body":{"info":{"title":"t"},"openapi":"3.0.1","paths":{}},"L":[1,2]}`; err != nil || string(body) != want {
		t.Errorf("%s, %v", body, err)
	}
	if len(got.Outputs) != 1 || len(got.Foreign()) != 0 {
		t.Errorf("%v %v", got.Outputs, got.Foreign())
	}
	for location, want := range map[string]string{
		"s3://b/none":      "no s3://b/none",
		"http://x/y":       "Transform AWS::Include failed with: The location parameter is not a valid S3 uri.",
		"!Ref Nobody":      "",
		"s3://b/more":      "Transform AWS::Include failed with: s3://b/more includes more",
		"s3://b/bad":       "Transform AWS::Include failed with: s3://b/bad: Template format error: YAML not well-formed.",
		"{'Fn::Sub': '1'}": "Transform AWS::Include failed with: The location parameter is not a valid S3 uri.",
	} {
		tpl, o := read(t, "Resources: {A: {Type: T, Properties: {X: "+include(location)+"}}}}", nil)
		if _, err := Include(tpl, o, fetch); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", location, err)
		}
	}
	// What was not included is not passed over.
	if _, err := Expand(tpl, o); err == nil || !strings.Contains(err.Error(), "AWS::Include") {
		t.Errorf("got %v", err)
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, InlineCode: c, Events: {E: {Type: Api, Properties: {Path: /, Method: get}}}}}}")
	f.Add("Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\nResources: {'Fn::ForEach::L': [N, [a, b], {'R${N}': {Type: AWS::Serverless::HttpApi}}]}")
	f.Add("Resources: {A: {Type: T, Properties: {'Fn::Transform': {Name: 'AWS::Include', Parameters: {Location: s3://b/k}}}}}")
	f.Fuzz(func(t *testing.T, text string) {
		tpl, err := template.Parse([]byte(text))
		if err != nil {
			t.Skip()
		}
		params, err := tpl.ResolveParameters(nil, nil)
		if err != nil {
			t.Skip()
		}
		o := Options{Params: params, Pseudo: template.Pseudo{Account: "000000000000", Region: "us-east-1", Partition: "aws"}}
		if Includes(tpl) {
			if tpl, err = Include(tpl, o, func(string) ([]byte, error) { return []byte("{a: {b: c}}"), nil }); err != nil {
				return
			}
		}
		got, err := Expand(tpl, o)
		if err == nil && len(got.Foreign()) > 0 {
			t.Errorf("left: %v", got.Foreign())
		}
	})
}

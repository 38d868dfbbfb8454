package dev

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/bundle"
	"github.com/gatehouse-dev/gatehouse/internal/client"
	"github.com/google/go-cmp/cmp"
)

// samApp writes an app and synthesises it.
func samApp(t *testing.T, files map[string]string) (*Stack, []*Function, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	app, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	stacks, err := app.Synth(t.Context(), "dev", &Deployer{Client: &client.Client{Profile: client.Profile{Account: "000000000000", Region: "us-east-1"}}})
	if err != nil {
		return nil, nil, err
	}
	fs, err := stacks[0].functions(app.Dir, false)
	return stacks[0], fs, err
}

const samTemplate = `Transform: AWS::Serverless-2016-10-31
Parameters: {Stage: {Type: String}, Level: {Type: String, Default: a}}
Globals: {Function: {CodeUri: src, Runtime: nodejs22.x, Handler: app.handler}}
Resources:
  A: {Type: AWS::Serverless::Function}
  B: {Type: AWS::Serverless::Function, Metadata: {BuildMethod: esbuild, BuildProperties: {EntryPoints: [b/own.ts], External: ["@aws-sdk/*"], Minify: true}}, Properties: {CodeUri: other/, Handler: b/own.main}}
  C: {Type: AWS::Serverless::Function, Properties: {CodeUri: s3://bucket/key}}
  D: {Type: AWS::Serverless::Function, Properties: {InlineCode: x, AutoPublishAlias: live}}
  E: {Type: AWS::Serverless::Function, Properties: {AutoPublishAlias: live, Runtime: python3.12}}
  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer}}
  Api: {Type: AWS::Serverless::HttpApi, Properties: {DefinitionUri: api.yaml}}
  Rest: {Type: AWS::Serverless::Api, Properties: {StageName: p, DefinitionBody: {"Fn::Transform": {Name: AWS::Include, Parameters: {Location: ./api.yaml}}}}}
`

func TestSAM(t *testing.T) {
	s, fs, err := samApp(t, map[string]string{
		"template.yaml": samTemplate, "api.yaml": "openapi: 3.0.1\npaths: {}\n", "src/app.js": "exports.handler = 1", "layer/python/x.py": "x = 1",
		"samconfig.toml": "version = 0.1\n[default.deploy.parameters]\nstack_name = \"shop\" # ours\nparameter_overrides = \"Level=\\\"b c\\\" Stage=other Nobody=x\"\ncapabilities = \"CAPABILITY_IAM\"\nnotification_arns = [\"x\"]\n[prod.deploy.parameters]\nstack_name = \"no\"\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "dev-shop" {
		t.Errorf("the stack is %s", s.Name)
	}
	if d := cmp.Diff(map[string]string{"Stage": "dev", "Level": "b c"}, s.Params); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"notification_arns"}, s.ignored); d != "" {
		t.Error(d)
	}
	type row struct {
		Logical, Path, Runtime, Handler string
		Layer, Alias                    bool
	}
	var got []row
	for _, f := range fs {
		got = append(got, row{f.Logical, f.Source.Path, f.Source.Runtime, f.Source.Handler, f.layer, f.alias})
		f.Package = &bundle.Package{Zip: []byte(f.Logical), Handler: f.Source.Handler}
	}
	if d := cmp.Diff([]row{
		{"A", "src", "nodejs22.x", "app.handler", false, false}, {"B", "other/b/own.ts", "nodejs22.x", "own.main", false, false},
		{"E", "src", "python3.12", "app.handler", false, true}, {"L", "layer", "", "", true, false},
	}, got); d != "" {
		t.Error(d)
	}
	body, err := s.body(fs, "packages")
	if err != nil {
		t.Fatal(err)
	}
	again, err := newStack("x", body, "x")
	if err != nil {
		t.Fatal(err)
	}
	resources := child(again.Template, "Resources")
	of := func(id, property string) string {
		v := child(child(child(resources, id), "Properties"), property)
		if b := child(v, "Bucket"); b != nil {
			return b.Value + "/" + child(v, "Key").Value
		}
		if v == nil {
			return ""
		}
		return v.Value
	}
	for _, id := range []string{"A", "B", "E"} {
		if !strings.HasPrefix(of(id, "CodeUri"), "packages/dev-shop/") {
			t.Errorf("%s: CodeUri %s", id, of(id, "CodeUri"))
		}
	}
	if of("C", "CodeUri") != "s3://bucket/key" || of("D", "CodeUri") != "" || of("B", "Handler") != "own.main" || !strings.HasPrefix(of("L", "ContentUri"), "packages/") {
		t.Errorf("%s", body)
	}
	if child(child(child(again.Template, "Globals"), "Function"), "CodeUri") != nil {
		t.Error("the path of all functions is still there")
	}
	for _, id := range []string{"Api", "Rest"} {
		if v := child(child(child(child(resources, id), "Properties"), "DefinitionBody"), "openapi"); v == nil || v.Value != "3.0.1" {
			t.Errorf("%s: no definition", id)
		}
	}
}

func TestSAMRefused(t *testing.T) {
	for _, tt := range []struct{ resource, want string }{
		{"{Type: AWS::Serverless::Function, Metadata: {BuildMethod: makefile}, Properties: {CodeUri: x}}", "function F: BuildMethod makefile is not supported: build it first, and name what came out in CodeUri"},
		{"{Type: AWS::Serverless::Function, Metadata: {BuildMethod: esbuild, BuildProperties: {Loader: [.html=text]}}, Properties: {CodeUri: x}}", "function F: BuildProperties: Loader is not supported"},
		{"{Type: AWS::Serverless::Function, Metadata: {BuildMethod: esbuild, BuildProperties: {External: [pg]}}, Properties: {CodeUri: x}}", "function F: BuildProperties: External pg is not supported: only the AWS SDK is left out"},
		{"{Type: AWS::Serverless::Function, Metadata: {BuildMethod: esbuild, BuildProperties: {EntryPoints: [a.ts]}}, Properties: {CodeUri: x, Handler: b.handler}}", "function F: the handler b.handler is not of the entry point a.ts"},
		{"{Type: AWS::Serverless::Function, Properties: {CodeUri: x, Runtime: !Ref R}}", "function F: Runtime must be a plain text where CodeUri is a local path"},
		{"{Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: nodejs22.x}, Properties: {ContentUri: x}}", "layer F: BuildMethod nodejs22.x is not supported: put the layer's files into x as they are to be in /opt"},
		{"{Type: AWS::Serverless::Application, Properties: {Location: ./other.yaml}}", "F: a nested application of the local template ./other.yaml is not supported: deploy it as an app of its own, or name a template's URL"},
	} {
		_, _, err := samApp(t, map[string]string{"template.yaml": "Transform: AWS::Serverless-2016-10-31\nResources:\n  F: " + tt.resource + "\n"})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v", tt.resource, err)
		}
	}
}

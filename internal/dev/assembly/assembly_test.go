package assembly

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t testing.TB, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// An app of a stack that needs another, and of a stage with a stack of its own.
var app = map[string]string{
	"manifest.json": `{"version": "55.0.0", "artifacts": {
		"Tree": {"type": "cdk:tree", "properties": {"file": "tree.json"}},
		"A.assets": {"type": "cdk:asset-manifest", "properties": {"file": "A.assets.json"}},
		"A": {"type": "aws:cloudformation:stack", "environment": "aws://unknown-account/unknown-region",
			"properties": {"templateFile": "A.template.json", "tags": {"team": "x"}, "terminationProtection": true, "parameters": {"P": "1"}, "notificationArns": ["arn:aws:sns:eu-west-1:1:t"]},
			"dependencies": ["Z", "A.assets"], "metadata": {"/A/Fn": [{"type": "aws:cdk:warning", "data": "old runtime"}]}},
		"Z": {"type": "aws:cloudformation:stack", "environment": "aws://111111111111/eu-west-1", "properties": {"templateFile": "Z.yaml", "stackName": "named"}, "dependencies": ["assembly-Prod"]},
		"assembly-Prod": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Prod", "displayName": "Prod"}}}}`,
	"A.template.json": `{"Resources": {"Fn": {"Type": "AWS::Lambda::Function", "Properties": {"MemorySize": 128, "X": [1, true, null]}}}, "Outputs": {"B": {"Value": "b"}, "A": {"Value": "a"}}}`,
	"A.assets.json": `{"version": "55.0.0", "files": {
		"abc": {"source": {"path": "asset.abc", "packaging": "zip"}, "destinations": {"current": {"bucketName": "cdk-${AWS::AccountId}-${AWS::Region}", "objectKey": "abc.zip"}}},
		"def": {"source": {"path": "A.template.json", "packaging": "file"}, "destinations": {"current": {"bucketName": "cdk-${AWS::AccountId}-${AWS::Region}", "objectKey": "def.json", "region": "eu-west-1"}}}}}`,
	"Z.yaml":                           "Resources:\n  T: {Type: AWS::SSM::Parameter, Properties: {Value: !Sub '${AWS::Region}'}}\n",
	"assembly-Prod/manifest.json":      `{"version": "55.0.0", "artifacts": {"ProdS": {"type": "aws:cloudformation:stack", "environment": "aws://unknown-account/us-west-2", "properties": {"templateFile": "S.json", "stackName": "Prod-S"}, "additionalMetadataFile": "S.metadata.json"}}}`,
	"assembly-Prod/S.json":             `{"Resources": {}}`,
	"assembly-Prod/S.metadata.json":    `{"/Prod/S": [{"type": "aws:cdk:error", "data": "no good"}]}`,
	"asset.abc/index.js":               "exports.handler = 1",
	"node_modules/never/manifest.json": "{",
}

func TestRead(t *testing.T) {
	dir := write(t, t.TempDir(), app)
	if !Is(dir) || Is(filepath.Join(dir, "asset.abc")) {
		t.Error("Is")
	}
	a, err := Read(dir, "000000000000", "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range a.Stacks {
		got = append(got, fmt.Sprintf("%s@%s/%s", s.Name, s.Account, s.Region))
	}
	if want := "Prod-S@000000000000/us-west-2 named@111111111111/eu-west-1 A@000000000000/us-east-1"; strings.Join(got, " ") != want {
		t.Errorf("stacks: %s\nwant    %s", strings.Join(got, " "), want)
	}
	s := a.Stacks[2]
	if !s.Protected || s.Tags["team"] != "x" || s.Parameters["P"] != "1" || len(s.Notify) != 1 {
		t.Errorf("%+v", s)
	}
	if len(s.Assets) != 2 {
		t.Fatalf("assets: %+v", s.Assets)
	}
	if x := s.Assets[0]; x.Bucket != "cdk-000000000000-us-east-1" || x.Key != "abc.zip" || !x.Zip || x.Path != filepath.Join(dir, "asset.abc") || x.Region != "" {
		t.Errorf("%+v", x)
	}
	if x := s.Assets[1]; x.Zip || x.Path != s.File || x.Region != "eu-west-1" {
		t.Errorf("%+v", x)
	}
	if n := s.Template; len(n.Content) != 4 || n.Content[3].Content[0].Value != "B" {
		t.Errorf("template: outputs are not in their order")
	}
	if string(s.Body) != app["A.template.json"] {
		t.Error("the template is not as it was written")
	}
	if strings.Join(a.Errors, "|") != "Prod/S: no good" || strings.Join(a.Warnings, "|") != "A/Fn: old runtime" {
		t.Errorf("%q %q", a.Errors, a.Warnings)
	}
}

func TestReadRefuses(t *testing.T) {
	stack := func(more string) string {
		return `{"version": "1", "artifacts": {"S": {"type": "aws:cloudformation:stack", "environment": "aws://1/r", "properties": {"templateFile": "t.json"}` + more + `}}}`
	}
	asset := func(text string) map[string]string {
		return map[string]string{"t.json": "{}", "a.json": text,
			"manifest.json": `{"version": "1", "artifacts": {"a": {"type": "cdk:asset-manifest", "properties": {"file": "a.json"}}, "S": {"type": "aws:cloudformation:stack", "environment": "aws://1/r", "properties": {"templateFile": "t.json"}, "dependencies": ["a"]}}}`}
	}
	tests := []struct {
		name, want string
		files      map[string]string
	}{
		{"nothing", "no cloud assembly", nil},
		{"no JSON", "manifest.json: ", map[string]string{"manifest.json": "{"}},
		{"another manifest", "says no version", map[string]string{"manifest.json": `{"name": "a web app"}`}},
		{"no template", "no such file", map[string]string{"manifest.json": stack("")}},
		{"template cut", "t.json: ", map[string]string{"manifest.json": stack(""), "t.json": `{"Resources": {`}},
		{"template a list", "unsupported structure", map[string]string{"manifest.json": stack(""), "t.json": `["a"]`}},
		{"template and more", "more after", map[string]string{"manifest.json": stack(""), "t.json": `{} {}`}},
		{"deep", "nests deeper", map[string]string{"manifest.json": stack(""), "t.json": `{"a":` + strings.Repeat("[", 5000)}},
		{"outside", "does not lie in", map[string]string{"manifest.json": strings.Replace(stack(""), "t.json", "../t.json", 1)}},
		{"cycle", "depends on itself", map[string]string{"manifest.json": stack(`, "dependencies": ["S"]`), "t.json": "{}"}},
		{"dangling", "which is not there", map[string]string{"manifest.json": stack(`, "dependencies": ["T"]`), "t.json": "{}"}},
		{"environment", "aws://ACCOUNT/REGION", map[string]string{"manifest.json": strings.Replace(stack(""), "aws://1/r", "here", 1), "t.json": "{}"}},
		{"itself within", "nest deeper", map[string]string{"manifest.json": `{"version": "1", "artifacts": {"n": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "."}}}}`}},
		{"twins", "two stacks of the name X", map[string]string{"t.json": "{}", "manifest.json": `{"version": "1", "artifacts": {
			"S": {"type": "aws:cloudformation:stack", "environment": "aws://1/r", "properties": {"templateFile": "t.json", "stackName": "X"}},
			"T": {"type": "aws:cloudformation:stack", "environment": "aws://1/r", "properties": {"templateFile": "t.json", "stackName": "X"}}}}`}},
		{"image", "container image web", asset(`{"dockerImages": {"x": {"displayName": "web", "source": {"directory": "d"}}}}`)},
		{"made by a command", "made by a command (make it)", asset(`{"files": {"x": {"source": {"executable": ["make", "it"]}}}}`)},
		{"packed oddly", "neither file nor zip", asset(`{"files": {"x": {"source": {"path": "p", "packaging": "tar"}}}}`)},
		{"CDK 1", "legacy synthesizer", map[string]string{"t.json": "{}", "manifest.json": stack(`, "metadata": {"/S": [{"type": "aws:cdk:asset", "data": {}}]}`)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(write(t, t.TempDir(), tt.files), "1", "r")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if tt.name == "nothing" && !errors.Is(err, ErrNoAssembly) {
				t.Error("not ErrNoAssembly")
			}
		})
	}
}

// What the tools made of the seeds is read where the seeds stand beside the checkout.
func TestSeeds(t *testing.T) {
	from, _ := filepath.Glob("../../../../shared/templates/*.manifest.json")
	if len(from) == 0 {
		t.Skip("no seeds beside the checkout")
	}
	for _, file := range from {
		base := strings.TrimSuffix(file, ".manifest.json")
		t.Run(filepath.Base(base), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var m manifest
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatal(err)
			}
			dir := write(t, t.TempDir(), map[string]string{"manifest.json": string(text)})
			for id, art := range m.Artifacts {
				for _, f := range []struct{ name, from string }{{art.Properties.TemplateFile, ".template.json"}, {map[bool]string{true: art.Properties.File}[art.Type == "cdk:asset-manifest"], ".assets.json"}} {
					if f.name == "" {
						continue
					}
					text, err := os.ReadFile(base + f.from)
					if err != nil {
						t.Fatal(id, err)
					}
					write(t, dir, map[string]string{f.name: string(text)})
				}
				if art.MetadataFile != "" {
					write(t, dir, map[string]string{art.MetadataFile: "{}"})
				}
			}
			a, err := Read(dir, "123456789012", "us-east-1")
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Stacks) != 1 || len(a.Stacks[0].Assets) < 2 || a.Stacks[0].Account != "123456789012" || a.Stacks[0].Region != "us-east-1" {
				t.Errorf("%+v", a.Stacks)
			}
		})
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(app["manifest.json"], app["A.assets.json"], app["A.template.json"])
	f.Add(`{"version":"1","artifacts":{"a":{"type":"cdk:cloud-assembly","properties":{"directoryName":"x/../."}}}}`, "", "")
	f.Fuzz(func(t *testing.T, manifest, assets, template string) {
		dir := write(t, t.TempDir(), map[string]string{"manifest.json": manifest, "A.assets.json": assets, "A.template.json": template, "Z.yaml": "Resources: {}"})
		a, err := Read(dir, "1", "r")
		if err == nil {
			for _, s := range a.Stacks {
				if s.Template == nil || s.Name == "" {
					t.Errorf("%+v", s)
				}
			}
		}
	})
}

// BenchmarkRead reads an assembly of 20 stacks with 500 resources each, 4 MB in all.
func BenchmarkRead(b *testing.B) {
	var resources []string
	for i := range 500 {
		resources = append(resources, fmt.Sprintf(`"Parameter%d": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":x:%d"]]}}, "Metadata": {"aws:cdk:path": "Stack/Parameter%d/Resource"}}`, i, i, i))
	}
	template := `{"Resources": {` + strings.Join(resources, ",\n") + `}}`
	dir := b.TempDir()
	artifacts := map[string]any{}
	total := 0
	for i := range 20 {
		id := fmt.Sprintf("Stack%d", i)
		write(b, dir, map[string]string{id + ".template.json": template})
		total += len(template)
		art := map[string]any{"type": "aws:cloudformation:stack", "environment": "aws://unknown-account/unknown-region", "properties": map[string]any{"templateFile": id + ".template.json"}}
		if i > 0 {
			art["dependencies"] = []string{fmt.Sprintf("Stack%d", i-1)}
		}
		artifacts[id] = art
	}
	m, err := json.Marshal(map[string]any{"version": "55.0.0", "artifacts": artifacts})
	if err != nil {
		b.Fatal(err)
	}
	write(b, dir, map[string]string{"manifest.json": string(m)})
	b.SetBytes(int64(total))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(dir, "000000000000", "us-east-1"); err != nil {
			b.Fatal(err)
		}
	}
}

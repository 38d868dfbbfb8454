package dev

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/gatehouse-dev/gatehouse/internal/bundle"
	"github.com/gatehouse-dev/gatehouse/internal/client"
)

// tree writes files into a fresh directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	tests := []struct {
		name     string
		files    map[string]string
		path     string
		template string
		kind     Kind
		err      string
	}{
		{name: "go", files: map[string]string{"main.go": "package main"}},
		{name: "template", files: map[string]string{"template.yaml": "Resources: {}", "main.go": "package main"}, template: "template.yaml", kind: KindTemplate},
		{name: "file", files: map[string]string{"stack.json": "{}"}, path: "stack.json", template: "stack.json", kind: KindTemplate},
		{name: "cdk", files: map[string]string{"cdk.json": "{}", "template.yaml": ""}, kind: KindCDK},
		{name: "sst", files: map[string]string{"sst.config.ts": ""}, kind: KindSST},
		{name: "old sst", files: map[string]string{"sst.json": "{}"}, kind: KindSST},
		{name: "assembly", files: map[string]string{"manifest.json": "{}"}, kind: KindAssembly},
		{name: "sam without a template", files: map[string]string{"samconfig.toml": ""}, err: "samconfig.toml but no template"},
		{name: "nothing", files: map[string]string{"README": ""}, err: "holds no app"},
		{name: "missing", path: "nowhere", err: "no app at"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tree(t, tt.files)
			app, err := Find(filepath.Join(dir, tt.path))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if tt.template != "" {
				want = filepath.Join(dir, tt.template)
			}
			if app.Dir != dir || app.Template != want || app.Kind != tt.kind {
				t.Errorf("%+v", app)
			}
		})
	}
}

const sample = `Parameters:
  Stage: {Type: String}
Resources:
  Fn:
    Type: AWS::Lambda::Function
    Properties:
      Code: ./src/fn.ts
      Handler: fn.handler
      Runtime: nodejs22.x
      Role: !GetAtt Role.Arn
  Inline:
    Type: AWS::Lambda::Function
    Properties:
      Code: {ZipFile: "exports.handler = 1"}
      Handler: index.handler
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties: {RouteKey: GET /private, AuthorizationType: JWT}
  Open:
    Type: AWS::ApiGatewayV2::Route
    Properties: {RouteKey: GET /public}
Outputs:
  B: {Value: !Ref Fn}
  A: {Value: !Sub "${Fn}"}
`

func TestStackOfTemplate(t *testing.T) {
	dir := tree(t, map[string]string{"my app/template.yaml": sample})
	app, err := Find(filepath.Join(dir, "my app"))
	if err != nil {
		t.Fatal(err)
	}
	stacks, err := app.Synth(t.Context(), "prod", here)
	if err != nil {
		t.Fatal(err)
	}
	s := stacks[0]
	if s.Name != "prod-my-app" || s.Params["Stage"] != "prod" || strings.Join(s.Outputs, " ") != "B A" {
		t.Errorf("%s %v %v", s.Name, s.Params, s.Outputs)
	}
	fs, err := s.functions(app.Dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(fs) != 1 || fs[0].Logical != "Fn" || fs[0].Source.Path != "./src/fn.ts" || fs[0].Source.Runtime != "nodejs22.x" {
		t.Fatalf("functions: %+v", fs)
	}
	fs[0].Package = &bundle.Package{Zip: []byte("zip"), Handler: "fn.handler"}
	for range 2 { // a second deployment of the same session
		body, err := s.body(fs, "assets")
		if err != nil {
			t.Fatal(err)
		}
		text := string(body)
		for _, want := range []string{"S3Bucket: assets", "S3Key: " + fs[0].Key(), "!GetAtt Role.Arn", "ZipFile:", "!Sub"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in\n%s", want, text)
			}
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(body, &doc); err != nil {
			t.Fatal(err)
		}
	}
	session := &Session{stacks: stacks}
	if got := strings.Join(session.Routes(), " "); got != "/private /public" {
		t.Errorf("routes: %s", got)
	}
	if got := session.GuardedRoute(); got != "/private" {
		t.Errorf("guarded: %s", got)
	}
	for _, stage := range []string{"", "1a", "a b", "a/b", strings.Repeat("a", 50)} {
		if _, err := app.Synth(t.Context(), stage, here); err == nil {
			t.Errorf("stage %q was taken", stage)
		}
	}
}

func TestBadTemplates(t *testing.T) {
	for _, text := range []string{"", "- a list", "a: [", "just text", "Resources: {F: {Type: 'AWS::Lambda::Function', Properties: {Code: ./x, Runtime: !Ref R}}}"} {
		dir := tree(t, map[string]string{"template.yaml": text})
		app, err := Find(dir)
		if err != nil {
			t.Fatal(err)
		}
		stacks, err := app.Synth(t.Context(), "dev", here)
		if err == nil {
			_, err = stacks[0].functions(dir, false)
		}
		if err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestTouches(t *testing.T) {
	inputs := []string{"/app/fn.ts", "/app/lib"}
	for path, want := range map[string]bool{"/app/fn.ts": true, "/app/lib/a.ts": true, "/app/lib/deep/b.ts": true, "/app/fn.ts2": false, "/app/other.ts": false, "/app/library": false} {
		if got := touches(map[string]bool{path: true}, inputs); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	for path, want := range map[string]bool{"/a/.git": true, "/a/node_modules": true, "/a/x.swp": true, "/a/x.go~": true, "/a/4913": true, "/a/x.go": false, "/a/_x.go": false} {
		if got := ignored(path); got != want {
			t.Errorf("ignored(%s) = %v", path, got)
		}
	}
}

// here is a deployer that only says where it is.
var here = &Deployer{Client: &client.Client{Profile: client.Profile{Account: "000000000000", Region: "us-east-1"}}}

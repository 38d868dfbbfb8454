package bundle

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func contents(t testing.TB, archive []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		m[f.Name] = string(b)
	}
	return m
}

func keys(m map[string]string) string {
	var names []string
	for k := range m {
		names = append(names, k)
	}
	if len(names) > 1 {
		for i := range names {
			for j := i; j > 0 && names[j] < names[j-1]; j-- {
				names[j], names[j-1] = names[j-1], names[j]
			}
		}
	}
	return strings.Join(names, " ")
}

func need(t testing.TB, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is needed in CI: %v", tool, err)
		}
		t.Skipf("no %s on this machine", tool)
	}
}

// TestBuild checks what is in the package, what Lambda is told, and what is watched.
func TestBuild(t *testing.T) {
	app := map[string]string{
		"functions/private.ts":                              "import { greet } from '../lib/greet';\nexport const handler = async (): Promise<string> => greet('you');\n",
		"functions/awaits.ts":                               "const x = await Promise.resolve(1);\nexport const handler = async () => x;\n",
		"functions/meta.ts":                                 "export const handler = async () => import.meta.url;\n",
		"functions/module.mts":                              "export const handler = async () => 1;\n",
		"functions/sdk.ts":                                  "import { A } from '@aws-sdk/client-absent';\nimport { B } from '@aws-sdk/client-present';\nexport const handler = async () => [A, B];\n",
		"functions/decorated.ts":                            "import { x } from '@lib/greet';\nexport const handler = x;\n",
		"node_modules/@aws-sdk/client-present/i.js":         "exports.B = 'bundled-b';\n",
		"node_modules/@aws-sdk/client-present/package.json": `{"name":"@aws-sdk/client-present","main":"i.js"}`,
		"lib/greet.ts":                                      "export const greet = (who: string) => `Hello ${who}!`;\nexport const x = 1;\n",
		"tsconfig.json":                                     `{"compilerOptions":{"baseUrl":".","paths":{"@lib/*":["lib/*"]}}}`,
		"plain/index.js":                                    "exports.handler = async () => 1;\n",
		"plain/package.json":                                "{}",
		"plain/__pycache__/x":                               "no",
		"typed/index.ts":                                    "export const handler = async () => 1;\n",
		"py/app.py":                                         "import helper\ndef handler(e, c):\n    return helper.x\n",
		"py/helper.py":                                      "x = 1\n",
		"py/pkg/__init__.py":                                "",
		"py/notes.txt":                                      "no",
		"py/.venv/lib/a.py":                                 "no",
		"bin/bootstrap":                                     "#!/bin/sh\n",
	}
	root := tree(t, app)
	for _, tt := range []struct {
		name            string
		source          Source
		handler, files  string
		holds, lacks    string
		inputs, without string
	}{
		{"typescript", Source{Path: "./functions/private.ts", Runtime: "nodejs20.x", Handler: "private.handler"}, "private.handler", "private.cjs", "Hello ", "sourceMappingURL", "functions/private.ts lib/greet.ts tsconfig.json", ""},
		{"development", Source{Path: "functions/private.ts", Runtime: "nodejs20.x", Handler: "private.handler", Dev: true}, "private.handler", "private.cjs", "sourceMappingURL=data:", "", "", ""},
		{"no handler", Source{Path: "functions/private.ts", Runtime: "nodejs20.x"}, "private.handler", "private.cjs", "", "", "", ""},
		{"other module name", Source{Path: "functions/private.ts", Runtime: "nodejs20.x", Handler: "src/index.handler"}, "src/index.handler", "src/index.cjs", "", "", "", ""},
		{"export in the path", Source{Path: "functions/private.handler", Runtime: "nodejs20.x"}, "private.handler", "private.cjs", "Hello ", "", "", ""},
		{"top-level await", Source{Path: "functions/awaits.ts", Runtime: "nodejs20.x"}, "awaits.handler", "awaits.mjs", "await ", "", "", ""},
		{"import.meta", Source{Path: "functions/meta.ts", Runtime: "nodejs20.x"}, "meta.handler", "meta.mjs", "import.meta.url", "", "", ""},
		{"module", Source{Path: "functions/module.mts", Runtime: "nodejs20.x"}, "module.handler", "module.mjs", "export {", "", "", ""},
		{"sdk", Source{Path: "functions/sdk.ts", Runtime: "nodejs20.x"}, "sdk.handler", "sdk.cjs", `require("@aws-sdk/client-absent")|bundled-b`, `require("@aws-sdk/client-present")`, "functions/sdk.ts", "node_modules"},
		{"tsconfig paths", Source{Path: "functions/decorated.ts", Runtime: "nodejs20.x"}, "decorated.handler", "decorated.cjs", "", "@lib", "lib/greet.ts", ""},
		{"directory of JavaScript", Source{Path: "plain", Runtime: "nodejs20.x", Handler: "index.handler"}, "index.handler", "index.js package.json", "", "", "plain", ""},
		{"directory of TypeScript", Source{Path: "typed", Runtime: "nodejs20.x", Handler: "index.handler"}, "index.handler", "index.cjs", "", "", "typed/index.ts", ""},
		{"python file", Source{Path: "py/app.py", Runtime: "python3.12", Handler: "app.handler"}, "app.handler", "app.py helper.py pkg/__init__.py", "", "", "py/app.py py/pkg", ""},
		{"python file in a folder", Source{Path: "py/app.py", Runtime: "python3.12", Handler: "src/app.handler"}, "src/app.handler", "src/app.py src/helper.py src/pkg/__init__.py", "", "", "", ""},
		{"python directory", Source{Path: "py", Runtime: "python3.12", Handler: "app.handler"}, "app.handler", ".venv/lib/a.py app.py helper.py notes.txt pkg/__init__.py", "", "", "", ""},
		{"binary", Source{Path: "bin", Runtime: "provided.al2023", Handler: "x"}, "x", "bootstrap", "", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.source.Root = root
			p, err := Build(t.Context(), tt.source)
			if err != nil {
				t.Fatal(err)
			}
			c := contents(t, p.Zip)
			if got := keys(c); got != tt.files || p.Handler != tt.handler {
				t.Errorf("files %q, handler %q; want %q, %q", got, p.Handler, tt.files, tt.handler)
			}
			all := ""
			for _, text := range c {
				all += text
			}
			for part := range strings.SplitSeq(tt.holds, "|") {
				if !strings.Contains(all, part) {
					t.Errorf("the package lacks %q:\n%s", part, all)
				}
			}
			if tt.lacks != "" && strings.Contains(all, tt.lacks) {
				t.Errorf("the package holds %q:\n%s", tt.lacks, all)
			}
			inputs := strings.Join(p.Inputs, " ")
			for part := range strings.FieldsSeq(tt.inputs) {
				if !strings.Contains(inputs, filepath.Join(root, part)) {
					t.Errorf("inputs %s lack %s", inputs, part)
				}
			}
			if tt.without != "" && strings.Contains(inputs, tt.without) {
				t.Errorf("inputs %s hold %s", inputs, tt.without)
			}
			again, err := Build(t.Context(), tt.source)
			if err != nil || again.SHA256 != p.SHA256 || !bytes.Equal(again.Zip, p.Zip) {
				t.Errorf("built twice, two results (%v)", err)
			}
		})
	}
}

func TestBuildErrors(t *testing.T) {
	root := tree(t, map[string]string{
		"bad.ts":      "export const handler = async () => {\n  return 1 +;\n};\n",
		"missing.ts":  "import { x } from './nowhere';\nexport const handler = x;\n",
		"ok.ts":       "export const handler = 1;\n",
		"not.zip":     "not a zip",
		"empty/.keep": "",
	})
	os.Remove(filepath.Join(root, "empty/.keep"))
	if err := os.MkdirAll(filepath.Join(root, "linked"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../etc/passwd", filepath.Join(root, "linked/x")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		source Source
		want   Diagnostic
	}{
		{"syntax", Source{Path: "bad.ts", Runtime: "nodejs20.x"}, Diagnostic{"bad.ts", 2, 13, `Unexpected ";"`, "  return 1 +;"}},
		{"import", Source{Path: "missing.ts", Runtime: "nodejs20.x"}, Diagnostic{"missing.ts", 1, 19, `Could not resolve "./nowhere"`, "import { x } from './nowhere';"}},
		{"no file", Source{Path: "functions/none.ts", Runtime: "nodejs20.x"}, Diagnostic{File: "functions/none.ts", Text: "no such file or directory (looked in " + root + ")"}},
		{"no path", Source{Runtime: "nodejs20.x"}, Diagnostic{Text: "the function has no code: its path is empty"}},
		{"handler", Source{Path: "ok.ts", Runtime: "nodejs20.x", Handler: "nothing"}, Diagnostic{File: "ok.ts", Text: `the handler "nothing" does not name a module and a function, as index.handler does`}},
		{"handler outside", Source{Path: "ok.ts", Runtime: "nodejs20.x", Handler: "../x.handler"}, Diagnostic{File: "ok.ts", Text: `the handler "../x.handler" does not name a module and a function, as index.handler does`}},
		{"not a zip", Source{Path: "not.zip", Runtime: "nodejs20.x"}, Diagnostic{File: "not.zip", Text: "not a ZIP archive: zip: not a valid zip file"}},
		{"language", Source{Path: "ok.ts", Runtime: "python3.12"}, Diagnostic{File: "ok.ts", Text: "functions in TypeScript and JavaScript need a runtime such as nodejs22.x, not python3.12"}},
		{"empty", Source{Path: "empty", Runtime: "nodejs20.x"}, Diagnostic{File: "empty", Text: "the directory is empty"}},
		{"link", Source{Path: "linked", Runtime: "nodejs20.x"}, Diagnostic{File: "linked/x", Text: "the link leads out of the package: ../../etc/passwd"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.source.Root = root
			_, err := Build(t.Context(), tt.source)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want *Error", err)
			}
			if diff := cmp.Diff([]Diagnostic{tt.want}, e.Diagnostics); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBuildGo(t *testing.T) {
	need(t, "go")
	root := tree(t, map[string]string{
		"go.mod":        "module example.com/app\n\ngo 1.24\n",
		"cmd/f/main.go": "package main\n\nimport \"example.com/app/lib\"\n\nfunc main() { println(lib.X) }\n",
		"lib/lib.go":    "package lib\n\nconst X = 1\n",
		"bad/main.go":   "package main\n\nfunc main() {\n\tx := 1\n\treturn 2\n}\n",
		"other/o.go":    "package other\n",
	})
	p, err := Build(t.Context(), Source{Root: root, Path: "./cmd/f", Runtime: "provided.al2023", Arch: "arm64", Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	c := contents(t, p.Zip)
	if keys(c) != "bootstrap" || p.Handler != "bootstrap" {
		t.Errorf("files %s, handler %s", keys(c), p.Handler)
	}
	want := []string{filepath.Join(root, "cmd/f"), filepath.Join(root, "go.mod"), filepath.Join(root, "lib")}
	if diff := cmp.Diff(want, p.Inputs); diff != "" {
		t.Error(diff)
	}
	dir := filepath.Join(t.TempDir(), "code")
	if err := Extract(p.Zip, dir); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(dir, "bootstrap")).CombinedOutput(); err != nil || string(out) != "1\n" {
		t.Errorf("running it: %v %s", err, out)
	}

	_, err = Build(t.Context(), Source{Root: root, Path: "bad", Runtime: "provided.al2023"})
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want *Error", err)
	}
	wantDiags := []Diagnostic{
		{"bad/main.go", 4, 2, "declared and not used: x", "\tx := 1"},
		{"bad/main.go", 5, 9, "too many return values\n\thave (number)\n\twant ()", "\treturn 2"},
	}
	if diff := cmp.Diff(wantDiags, e.Diagnostics); diff != "" {
		t.Error(diff)
	}
	if len(e.Inputs) == 0 {
		t.Error("a failed build names nothing to watch")
	}

	if _, err = Build(t.Context(), Source{Root: root, Path: "other", Runtime: "provided.al2023"}); !errors.As(err, &e) || e.Error() != "other: the package is not a main package" {
		t.Errorf("library: %v", err)
	}
}

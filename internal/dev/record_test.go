package dev

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/bundle"
	"github.com/gatehouse-dev/gatehouse/internal/dev/assembly"
)

func TestShellWords(t *testing.T) {
	for text, want := range map[string]string{
		`npx --no-install esbuild --bundle "a b.ts" --target=node18`: `npx|--no-install|esbuild|--bundle|a b.ts|--target=node18`,
		`esbuild 'a"b' --define:X="\"v\""`:                           `esbuild|a"b|--define:X="v"`,
		`a\ b  c`:                                                    `a b|c`,
		`''`:                                                         ``,
		`esbuild a && cp x y`:                                        "",
		`esbuild $(pwd)/a`:                                           "",
		`esbuild "$HOME/a"`:                                          "",
		`esbuild a > b`:                                              "",
		`esbuild *.ts`:                                               "",
		`esbuild "a`:                                                 "",
		"esbuild a\nrm b":                                            "",
	} {
		if got := strings.Join(shellWords(text), "|"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestCallArgs(t *testing.T) {
	tests := []struct {
		words []string
		want  string
	}{
		{[]string{"npx", "--no-install", "esbuild", "--bundle", "a.ts", "--outfile=o"}, "--bundle a.ts --outfile=o"},
		{[]string{"/x/node_modules/.bin/esbuild", "a.ts", "--bundle"}, "a.ts --bundle"},
		{[]string{"bash", "-c", `yarn run esbuild --bundle "a.ts" --outfile="o"`}, "--bundle a.ts --outfile=o"},
		{[]string{"bash", "-c", "npm ci && esbuild --bundle a.ts"}, ""},
		{[]string{"esbuild", "a.ts"}, ""},
		{[]string{"esbuild", "a.ts", "--bundle", "--outdir=x"}, ""},
		{nil, ""},
	}
	for _, tt := range tests {
		if got := strings.Join((&call{Words: tt.words}).args(), " "); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.words, got, tt.want)
		}
	}
}

// A function is built again from its source only where its asset is certainly what esbuild made of it.
func TestReplay(t *testing.T) {
	root := tree(t, map[string]string{
		"app/fn.ts":            `import { word } from "./lib"; export const handler = async (): Promise<string> => word;`,
		"app/lib.ts":           `export const word = "one";`,
		"app/other.ts":         `import { word } from "./lib"; export const handler = async (): Promise<string> => word;`,
		"asset/x/fn.js":        "bundled",
		"asset/package.json":   "{}",
		"other-asset/index.js": "something else",
	})
	asset := filepath.Join(root, "asset")
	sum := sha256.Sum256([]byte("bundled"))
	c := &call{Words: []string{"esbuild", "--bundle", "fn.ts", "--platform=node", "--format=cjs", "--outfile=../artifacts/x/fn.js"}, Cwd: filepath.Join(root, "app"),
		Output: filepath.Join(root, "artifacts/x/fn.js"), Digest: hex.EncodeToString(sum[:]), OK: true}
	r := &record{calls: []*call{c}}
	if r.replay(filepath.Join(root, "other-asset")) != nil {
		t.Error("an asset that esbuild did not write is taken for one")
	}
	again := r.replay(asset)
	if again == nil || again.At != "x/fn.js" {
		t.Fatalf("%+v", again)
	}
	packed, err := bundle.Directory(t.Context(), asset)
	if err != nil {
		t.Fatal(err)
	}
	again.Base = packed.Zip
	p, err := again.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files := unzip(t, p.Zip)
	if !strings.Contains(files["x/fn.js"], `"one"`) || files["package.json"] != "{}" || len(files) != 2 {
		t.Errorf("%q", files)
	}
	for _, in := range []string{"fn.ts", "lib.ts"} {
		if !slices.Contains(p.Inputs, filepath.Join(root, "app", in)) {
			t.Errorf("%s is not watched: %q", in, p.Inputs)
		}
	}
	os.WriteFile(filepath.Join(root, "app/lib.ts"), []byte("export const word = ;"), 0o644)
	var be *bundle.Error
	if _, err := again.Build(t.Context()); !errors.As(err, &be) || be.Diagnostics[0].File != "lib.ts" || be.Diagnostics[0].Line != 1 {
		t.Errorf("%v", err)
	}

	same := *c
	r.calls = []*call{c, &same}
	if r.replay(asset) == nil {
		t.Error("the same call twice is no reason for doubt")
	}
	other := *c
	other.Words = slices.Clone(c.Words)
	other.Words[2] = "other.ts"
	r.calls = []*call{c, &other}
	if r.replay(asset) != nil {
		t.Error("two sources made this bundle, and one was chosen")
	}
	shell := *c
	shell.Words = []string{"bash", "-c", "esbuild --bundle fn.ts --outfile=x && strip x"}
	r.calls = []*call{&shell}
	if r.replay(asset) != nil {
		t.Error("a command with more steps was taken for one of esbuild")
	}
}

func unzip(t *testing.T, data []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

func TestOrigins(t *testing.T) {
	root := tree(t, map[string]string{
		"app/functions/hello.py": "1", "app/functions/lib/a.py": "2",
		"app/twice/x.py": "3", "app/thrice/x.py": "3",
		"app/node_modules/copy/index.js": "4",
		"out/one/hello.py":               "1", "out/one/lib/a.py": "2",
		"out/two/x.py":           "3",
		"out/three/index.js":     "4",
		"out/four/hello.py":      "changed",
		"out/four/lib/a.py":      "2",
		"out/five/hello.py":      "1",
		"out/five/lib/.gitkeep":  "",
		"app/functions2/.hidden": "",
	})
	var assets []*assembly.Asset
	for _, n := range []string{"one", "two", "three", "four", "five"} {
		assets = append(assets, &assembly.Asset{Path: filepath.Join(root, "out", n), Zip: true})
	}
	got := origins(filepath.Join(root, "app"), assets)
	if want := filepath.Join(root, "app/functions"); got[assets[0].Path] != want {
		t.Errorf("origin %q, want %q", got[assets[0].Path], want)
	}
	for _, a := range assets[1:] {
		if got[a.Path] != "" {
			t.Errorf("%s is taken for a copy of %s", a.Path, got[a.Path])
		}
	}
}

// The module that records a synthesis sees esbuild's command line and its library, and what was loaded.
func TestRecorder(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is not installed")
		}
		t.Skip("node is not installed")
	}
	app := tree(t, map[string]string{
		"node_modules/esbuild/lib/main.js": `const fs = require("fs"), api = {};
			Object.defineProperty(api, "build", { enumerable: true, get: () => async (o) => (fs.writeFileSync(o.outfile, "lib"), { errors: [], metafile: { inputs: { "stack.ts": {}, "node_modules/x/y.js": {} } } }) });
			module.exports = api; // and for those who import it, as the real one says it:
			0 && (module.exports = { build, buildSync });`,
		"node_modules/esbuild/package.json": `{"main": "lib/main.js"}`,
		"bin/esbuild":                       "#!/bin/sh\nprintf cli > out/cli.js\n",
		"lib.js":                            "module.exports = 1;",
		"out/.keep":                         "",
		"app.mjs": `import * as esbuild from "esbuild"; import { spawnSync } from "child_process"; import "./lib.js";
			await esbuild.build({ entryPoints: ["a.ts"], bundle: true, minify: false, metafile: true, keepNames: true, external: ["x", "y"], define: { A: "1" }, loader: { ".txt": "text" }, target: ["node18"], mainFields: ["module", "main"], banner: { js: "b;" }, sourcemap: "inline", plugins: undefined, outfile: "out/lib.js" });
			await esbuild.build({ entryPoints: ["a.ts"], bundle: true, plugins: [{ name: "p", setup() {} }], outfile: "out/p.js" });
			const r = spawnSync(process.cwd() + "/bin/esbuild", ["--bundle", "b.ts", "--outfile=out/cli.js"], { stdio: "inherit" });
			if (r.status !== 0) throw new Error("status " + r.status);`,
	})
	if err := os.Chmod(filepath.Join(app, "bin/esbuild"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, env, err := recording(os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	a := &App{Dir: app}
	if text, err := a.runTool(t.Context(), env, node, "app.mjs"); err != nil {
		t.Fatal(err, text)
	}
	r := readRecord(dir, app)
	if len(r.calls) != 3 {
		data, _ := os.ReadFile(filepath.Join(dir, "record"))
		t.Fatalf("%d calls of esbuild were seen, want 3:\n%s", len(r.calls), data)
	}
	want := `["a.ts","--bundle","--keep-names","--external:x","--external:y","--define:A=1","--loader:.txt=text","--target=node18","--main-fields=module,main","--banner:js=b;","--outfile=out/lib.js","--sourcemap=inline"]`
	if got, _ := json.Marshal(r.calls[0].args()); string(got) != want {
		t.Errorf("library: %s\nwant     %s", got, want)
	}
	if args := r.calls[1].args(); args != nil {
		t.Errorf("a build with plugins is taken to be one without: %q", args)
	}
	if got := strings.Join(r.calls[2].args(), " "); got != "--bundle b.ts --outfile=out/cli.js" {
		t.Errorf("command: %s", got)
	}
	for i, text := range []string{"lib", "lib", "cli"} {
		if sum := sha256.Sum256([]byte(text)); r.calls[i].Digest != hex.EncodeToString(sum[:]) {
			t.Errorf("call %d: digest %s of %s", i, r.calls[i].Digest, r.calls[i].Output)
		}
	}
	if !slices.Contains(r.program, filepath.Join(app, "lib.js")) {
		t.Errorf("program: %q", r.program)
	}
	if files := r.programFiles(t.Context(), nil); !slices.Contains(files, filepath.Join(app, "stack.ts")) || slices.Contains(files, filepath.Join(app, "node_modules/x/y.js")) {
		t.Errorf("program: %q", files)
	}
}

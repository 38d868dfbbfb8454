package bundle

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// requireBanner lets CommonJS packages within an ECMAScript module find Node's own modules. It sets
// globals rather than declaring names, which the function's code may declare too.
const requireBanner = `import { createRequire as gatehouseCreateRequire } from "module"; globalThis.require = globalThis.require || gatehouseCreateRequire(import.meta.url);`

// buildScript bundles a file and all that it imports. The module system of the output is the one
// that Node.js would see in the source, for that loads fastest and surprises least; a CommonJS
// source that awaits at its top level, or asks for import.meta, becomes an ECMAScript module.
func buildScript(ctx context.Context, s Source, file string) (*Package, error) {
	module, ok := handlerModule(s.Handler)
	if !ok {
		return nil, complain(display(s.Root, file), "the handler %q does not name a module and a function, as index.handler does", s.Handler)
	}
	r := bundleScript(s, file, module, isModule(file))
	if !r.esm && needsModule(&r.BuildResult) {
		r = bundleScript(s, file, module, true)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(r.Errors) > 0 {
		e := &Error{Inputs: []string{file}}
		for _, m := range r.Errors {
			d := diagnostic(s.Root, m)
			e.Diagnostics = append(e.Diagnostics, d)
			if d.File != "" {
				e.Inputs = append(e.Inputs, filepath.Join(s.Root, filepath.FromSlash(d.File)))
			}
		}
		return nil, e
	}
	var w zipWriter
	for _, f := range r.OutputFiles {
		rel, err := filepath.Rel(s.Root, f.Path)
		if err != nil || !filepath.IsLocal(rel) {
			return nil, complain(display(s.Root, file), "the bundle has a part outside of itself: %s", f.Path)
		}
		w.add(filepath.ToSlash(rel), 0o644, f.Contents)
	}
	z, err := w.bytes(!s.Dev)
	if err != nil {
		return nil, err
	}
	p := &Package{Zip: z, Handler: s.Handler, Inputs: metaInputs(s.Root, r.Metafile)}
	p.Inputs = append(p.Inputs, file)
	p.Inputs = append(p.Inputs, configs(file, s.Root)...)
	for _, m := range r.Warnings {
		p.Warnings = append(p.Warnings, diagnostic(s.Root, m))
	}
	return p, nil
}

type bundled struct {
	api.BuildResult
	esm bool
}

func bundleScript(s Source, file, module string, esm bool) bundled {
	o := api.BuildOptions{
		AbsWorkingDir:       s.Root,
		EntryPointsAdvanced: []api.EntryPoint{{InputPath: file, OutputPath: module}},
		Outdir:              s.Root, // nothing is written; source maps are relative to it
		Bundle:              true,
		Write:               false,
		Metafile:            true,
		Platform:            api.PlatformNode,
		Charset:             api.CharsetUTF8,
		LegalComments:       api.LegalCommentsNone,
		LogLevel:            api.LogLevelSilent,
		Loader:              map[string]api.Loader{".node": api.LoaderCopy},
		AssetNames:          "[name]-[hash]",
		Plugins:             []api.Plugin{providedBySDK},
	}
	if v := nodeVersion(s.Runtime); v != "" {
		o.Engines = []api.Engine{{Name: api.EngineNode, Version: v}}
	}
	if s.Dev {
		o.Sourcemap = api.SourceMapInline
	}
	if esm {
		o.Format = api.FormatESModule
		o.OutExtension = map[string]string{".js": ".mjs"}
		o.Banner = map[string]string{"js": requireBanner}
	} else {
		o.Format = api.FormatCommonJS
		o.OutExtension = map[string]string{".js": ".cjs"}
	}
	return bundled{api.Build(o), esm}
}

func needsModule(r *api.BuildResult) bool {
	for _, m := range r.Errors {
		if strings.Contains(m.Text, "Top-level await") {
			return true
		}
	}
	for _, m := range r.Warnings {
		if m.ID == "empty-import-meta" {
			return true
		}
	}
	return false
}

// providedBySDK leaves the AWS SDK to the runtime, which brings it on AWS, but only where the app
// does not have it itself: here there is no other than the app's.
var providedBySDK = api.Plugin{
	Name: "aws-sdk",
	Setup: func(b api.PluginBuild) {
		type asked struct{}
		b.OnResolve(api.OnResolveOptions{Filter: `^(@aws-sdk/|@smithy/|aws-sdk(/|$))`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if _, again := a.PluginData.(asked); again {
				return api.OnResolveResult{}, nil
			}
			r := b.Resolve(a.Path, api.ResolveOptions{
				Importer: a.Importer, ResolveDir: a.ResolveDir, Kind: a.Kind, Namespace: a.Namespace, PluginData: asked{}, With: a.With,
			})
			if len(r.Errors) > 0 {
				return api.OnResolveResult{Path: a.Path, External: true}, nil
			}
			side := api.SideEffectsTrue
			if !r.SideEffects {
				side = api.SideEffectsFalse
			}
			return api.OnResolveResult{Path: r.Path, External: r.External, SideEffects: side, Namespace: r.Namespace, Suffix: r.Suffix}, nil
		})
	},
}

// nodeVersion is esbuild's target for a runtime.
func nodeVersion(runtime string) string {
	v, ok := strings.CutPrefix(runtime, "nodejs")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(v, ".x")
}

// isModule says whether Node.js would take the file for an ECMAScript module.
func isModule(file string) bool {
	switch filepath.Ext(file) {
	case ".mjs", ".mts":
		return true
	case ".cjs", ".cts":
		return false
	}
	for dir := filepath.Dir(file); ; {
		if b, err := os.ReadFile(filepath.Join(dir, "package.json")); err == nil {
			var v struct {
				Type string `json:"type"`
			}
			return json.Unmarshal(b, &v) == nil && v.Type == "module"
		}
		up := filepath.Dir(dir)
		if up == dir {
			return false
		}
		dir = up
	}
}

// metaInputs reads esbuild's list of inputs. Installed packages are not watched: their lock file is.
func metaInputs(root, meta string) []string {
	var v struct {
		Inputs map[string]json.RawMessage `json:"inputs"`
	}
	if json.Unmarshal([]byte(meta), &v) != nil {
		return nil
	}
	var list []string
	for name := range v.Inputs {
		if strings.Contains("/"+name, "/node_modules/") || strings.HasPrefix(name, "(") {
			continue
		}
		p := filepath.FromSlash(name)
		if !filepath.IsAbs(p) {
			p = filepath.Join(root, p)
		}
		if _, err := os.Stat(p); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// configs are the files between a source and the root that change what its bundle is.
func configs(file, root string) []string {
	var list []string
	for dir := filepath.Dir(file); ; {
		for _, name := range []string{"tsconfig.json", "package.json", "package-lock.json", "pnpm-lock.yaml", "yarn.lock"} {
			p := filepath.Join(dir, name)
			if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
				list = append(list, p)
			}
		}
		up := filepath.Dir(dir)
		if dir == root || up == dir {
			return list
		}
		dir = up
	}
}

func diagnostic(root string, m api.Message) Diagnostic {
	d := Diagnostic{Text: m.Text}
	if l := m.Location; l != nil {
		file := filepath.FromSlash(l.File)
		if !filepath.IsAbs(file) {
			file = filepath.Join(root, file)
		}
		d.File, d.Line, d.Column, d.Snippet = display(root, file), l.Line, l.Column+1, l.LineText
	}
	return d
}

// packPython packs a file with the Python files beside and below it, at the place in the package
// that the handler names.
func packPython(s Source, file string) (*Package, error) {
	dir := filepath.Dir(file)
	module, _, ok := cutLast(filepath.ToSlash(s.Handler), ".")
	if !ok {
		return nil, complain(display(s.Root, file), "the handler %q does not name a module and a function, as app.handler does", s.Handler)
	}
	module = strings.ReplaceAll(module, ".", "/")
	if !filepath.IsLocal(filepath.FromSlash(module)) {
		return nil, complain(display(s.Root, file), "the handler %q leads out of the package", s.Handler)
	}
	folder := path.Dir(module)
	var w zipWriter
	inputs := []string{dir}
	err := walk(s.Root, dir, &w, func(rel string, d fs.DirEntry) verdict {
		switch name := d.Name(); {
		case d.IsDir() && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "venv"):
			return skip
		case d.IsDir():
			inputs = append(inputs, filepath.Join(dir, rel))
			return keep
		case filepath.Ext(name) != ".py":
			return skip
		}
		return keep
	}, func(rel string) string {
		if rel == filepath.Base(file) {
			return module + ".py"
		}
		return path.Join(folder, rel)
	})
	if err != nil {
		return nil, err
	}
	z, err := w.bytes(!s.Dev)
	if err != nil {
		return nil, err
	}
	return &Package{Zip: z, Handler: s.Handler, Inputs: append(inputs, file)}, nil
}

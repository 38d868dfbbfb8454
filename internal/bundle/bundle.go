package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Source says what to build.
type Source struct {
	Root    string // directory of the template; relative paths start there
	Path    string // file or directory, as the template's Code names it; or file.export, as SST writes it
	Runtime string // Lambda's identifier
	Handler string // as the template says; empty: derived from Path
	Arch    string // as the template says; compiled code is always made for this machine, see the package comment
	Dev     bool   // for live development: inline source maps, nothing spent on size
}

// Package is a deployment package.
type Package struct {
	Zip      []byte
	SHA256   string       // of Zip, base64: Lambda's CodeSha256
	Handler  string       // as Lambda must be told
	Inputs   []string     // absolute paths of files and directories that it was made of, sorted: what to watch
	Warnings []Diagnostic // what the compiler thought worth saying
}

// Diagnostic is one complaint about a source.
type Diagnostic struct {
	File         string // relative to Source.Root where it is below it; empty if there is no place
	Line, Column int    // from 1, columns in bytes; 0: unknown
	Text         string
	Snippet      string // the line of source
}

func (d Diagnostic) String() string {
	switch {
	case d.File == "":
		return d.Text
	case d.Line == 0:
		return d.File + ": " + d.Text
	case d.Column == 0:
		return fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", d.File, d.Line, d.Column, d.Text)
}

// Error is a source that cannot be built. Its text is one line for each diagnostic.
type Error struct {
	Diagnostics []Diagnostic
	Inputs      []string // what to watch for the mending, as far as is known
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Diagnostics))
	for i, d := range e.Diagnostics {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

func complain(file, format string, args ...any) *Error {
	return &Error{Diagnostics: []Diagnostic{{File: file, Text: fmt.Sprintf(format, args...)}}}
}

var scriptExtensions = []string{".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"}

func isScript(p string) bool { return slices.Contains(scriptExtensions, filepath.Ext(p)) }

func isTypeScript(p string) bool {
	switch filepath.Ext(p) {
	case ".ts", ".tsx", ".mts", ".cts", ".jsx":
		return true
	}
	return false
}

func compiled(runtime string) bool {
	return strings.HasPrefix(runtime, "provided") || runtime == "go1.x"
}

// Build makes a deployment package. The error is an [*Error] for what is wrong with the source,
// ctx's error, or a failure of this machine.
func Build(ctx context.Context, s Source) (*Package, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := filepath.Abs(s.Root)
	if err != nil {
		return nil, err
	}
	s.Root = root
	file, st, s, err := locate(s)
	if err != nil {
		return nil, err
	}
	if e := suits(s, file, st); e != nil {
		return nil, e
	}
	var p *Package
	switch ext := filepath.Ext(file); {
	case st.IsDir():
		p, err = buildDir(ctx, s, file)
	case ext == ".zip":
		p, err = packZip(s, file)
	case isScript(file):
		p, err = buildScript(ctx, s, file)
	case ext == ".py":
		p, err = packPython(s, file)
	case ext == ".go" && compiled(s.Runtime):
		p, err = buildGo(ctx, s, filepath.Dir(file))
	default:
		p, err = packFile(s, file)
	}
	if err != nil {
		var be *Error
		if errors.As(err, &be) && len(be.Inputs) == 0 {
			be.Inputs = []string{file}
		}
		return nil, err
	}
	slices.Sort(p.Inputs)
	p.Inputs = slices.Compact(p.Inputs)
	sum := sha256.Sum256(p.Zip)
	p.SHA256 = base64.StdEncoding.EncodeToString(sum[:])
	return p, nil
}

// locate finds what Source.Path names. The returned Source has a Handler where one follows from the path.
func locate(s Source) (string, fs.FileInfo, Source, error) {
	if strings.TrimSpace(s.Path) == "" {
		return "", nil, s, complain("", "the function has no code: its path is empty")
	}
	file := filepath.FromSlash(s.Path)
	if !filepath.IsAbs(file) {
		file = filepath.Join(s.Root, file)
	}
	st, err := os.Stat(file)
	if err == nil {
		if s.Handler == "" && !st.IsDir() && (isScript(file) || filepath.Ext(file) == ".py") {
			s.Handler = moduleName(file) + ".handler"
		}
		return file, st, s, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", nil, s, complain(s.Path, "%v", err)
	}
	// functions/private.handler means the export "handler" of functions/private.ts or its like.
	if base, export, ok := cutLast(filepath.Base(file), "."); ok && export != "" {
		for _, ext := range append(slices.Clone(scriptExtensions), ".py") {
			f := filepath.Join(filepath.Dir(file), base+ext)
			if st, err := os.Stat(f); err == nil && !st.IsDir() {
				if s.Handler == "" {
					s.Handler = base + "." + export
				}
				return f, st, s, nil
			}
		}
	}
	e := complain(s.Path, "no such file or directory (looked in %s)", s.Root)
	e.Inputs = []string{file}
	return "", nil, s, e
}

// suits refuses a source file in a language that the runtime does not run.
func suits(s Source, file string, st fs.FileInfo) error {
	if st.IsDir() || s.Runtime == "" {
		return nil
	}
	var language, runtimes string
	switch ext := filepath.Ext(file); {
	case isScript(file) && !strings.HasPrefix(s.Runtime, "nodejs"):
		language, runtimes = "TypeScript and JavaScript", "nodejs22.x"
	case ext == ".py" && !strings.HasPrefix(s.Runtime, "python"):
		language, runtimes = "Python", "python3.13"
	case ext == ".go" && !compiled(s.Runtime):
		language, runtimes = "Go", "provided.al2023"
	default:
		return nil
	}
	e := complain(display(s.Root, file), "functions in %s need a runtime such as %s, not %s", language, runtimes, s.Runtime)
	e.Inputs = []string{file}
	return e
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func moduleName(file string) string {
	b := filepath.Base(file)
	return strings.TrimSuffix(b, filepath.Ext(b))
}

// handlerModule is the part of a Node.js handler that names the file: src/index of src/index.api.handler.
func handlerModule(handler string) (string, bool) {
	handler = filepath.ToSlash(handler)
	folder, base := path.Split(handler)
	module, export, ok := strings.Cut(base, ".")
	m := path.Join(folder, module)
	return m, ok && module != "" && export != "" && filepath.IsLocal(filepath.FromSlash(m))
}

func buildDir(ctx context.Context, s Source, dir string) (*Package, error) {
	if compiled(s.Runtime) {
		if _, err := os.Stat(filepath.Join(dir, "bootstrap")); err != nil && hasGoFiles(dir) {
			return buildGo(ctx, s, dir)
		}
	}
	if strings.HasPrefix(s.Runtime, "nodejs") {
		if m, ok := handlerModule(s.Handler); ok {
			stem := filepath.Join(dir, filepath.FromSlash(m))
			for _, ext := range []string{".js", ".mjs", ".cjs"} {
				if _, err := os.Stat(stem + ext); err == nil {
					return packDir(s, dir)
				}
			}
			for _, ext := range scriptExtensions {
				if _, err := os.Stat(stem + ext); err == nil && isTypeScript(stem+ext) {
					return buildScript(ctx, s, stem+ext)
				}
			}
		}
	}
	return packDir(s, dir)
}

func hasGoFiles(dir string) bool {
	names, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	return slices.ContainsFunc(names, func(n string) bool { return !strings.HasSuffix(n, "_test.go") })
}

// display is how a diagnostic names a file: relative to the root where it is below it.
func display(root, file string) string {
	if rel, err := filepath.Rel(root, file); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return file
}

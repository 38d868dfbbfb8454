package app

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// source is where a function's code is and how to call it, in Lambda's words.
type source struct {
	code    string
	handler string
	runtime Runtime
}

// languages tells the runtime and the handler of a source file by its extension.
var languages = map[string]Runtime{
	".ts": NodeJS22, ".mts": NodeJS22, ".tsx": NodeJS22,
	".js": NodeJS22, ".mjs": NodeJS22, ".cjs": NodeJS22,
	".py": Python313,
}

// source finds out what props.Code is. What is wrong with it is reported once, and whatever is returned
// then only has to hold until the report.
func (s *Stack) source(id string, props FunctionProps) source {
	code := filepath.ToSlash(props.Code)
	src := source{code: "./" + path.Clean(code), handler: props.Handler, runtime: props.Runtime}
	if strings.HasPrefix(src.code, "./../") {
		src.code = src.code[2:]
	}
	if code == "" {
		s.errorf(id, "Code is not set; it is the path of the function's source")
		return src
	}
	if path.IsAbs(code) || filepath.IsAbs(props.Code) {
		s.errorf(id, "Code %s: give the path relative to the app's directory, %s", code, s.dir)
		return src
	}
	file := filepath.Join(s.dir, filepath.FromSlash(code))
	info, err := os.Stat(file)
	switch {
	case err != nil:
		s.errorf(id, "Code %s: %s in %s%s", code, reason(err), s.dir, suggestion(file))
	case info.IsDir():
		s.directory(id, file, &src)
	default:
		s.file(id, &src)
	}
	return src
}

func reason(err error) string {
	if os.IsNotExist(err) {
		return "no such file or directory"
	}
	if e, ok := err.(*fs.PathError); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// suggestion helps whose path is that of SST or SAM, "functions/private.handler", or lacks its extension.
func suggestion(file string) string {
	base := strings.TrimSuffix(file, filepath.Ext(file))
	for _, stem := range []string{file, base} {
		for _, ext := range []string{".ts", ".js", ".mjs", ".py"} {
			if _, err := os.Stat(stem + ext); err == nil {
				return "; there is a " + filepath.Base(stem+ext)
			}
		}
		if stem != file {
			if info, err := os.Stat(stem); err == nil && info.IsDir() {
				return "; there is a directory " + filepath.Base(stem)
			}
		}
	}
	return ""
}

// directory is a Go main package, or anything with runtime and handler given.
func (s *Stack) directory(id, dir string, src *source) {
	goFiles, pkg, err := goPackage(dir)
	switch {
	case err != nil:
		s.errorf(id, "Code %s: %v", src.code, err)
	case goFiles && (src.runtime == "" || strings.HasPrefix(string(src.runtime), "provided")):
		if pkg != "main" {
			s.errorf(id, "Code %s is package %s; the Go package of a function is package main", src.code, pkg)
		}
		if src.handler != "" && src.handler != "bootstrap" {
			s.errorf(id, "Handler %s: a Go program has no handler; it calls lambda.Start", src.handler)
		}
		if src.runtime == "" {
			src.runtime = ProvidedAL2023
		}
		src.handler = "bootstrap"
	case src.runtime == "":
		s.errorf(id, "Code %s is a directory without a Go package; set Runtime and Handler, or give the file", src.code)
	case strings.HasPrefix(string(src.runtime), "provided"):
		if src.handler == "" {
			src.handler = "bootstrap"
		}
	default:
		s.module(id, dir, src)
	}
}

// module checks that the handler "module.function" of a directory is there.
func (s *Stack) module(id, dir string, src *source) {
	dot := strings.LastIndexByte(src.handler, '.')
	if dot < 1 {
		s.errorf(id, "Handler %q of the directory %s must say module.function, such as index.handler", src.handler, src.code)
		return
	}
	name := src.handler[:dot]
	if strings.HasPrefix(string(src.runtime), "python") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	for ext, runtime := range languages {
		if family(runtime) != family(src.runtime) {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name)+ext)); err == nil {
			return
		}
	}
	s.errorf(id, "Handler %s: there is no file %s of %s in %s", src.handler, name, family(src.runtime), src.code)
}

func (s *Stack) file(id string, src *source) {
	ext := path.Ext(src.code)
	switch runtime, known := languages[ext]; {
	case ext == ".zip":
		if src.runtime == "" || src.handler == "" {
			s.errorf(id, "Code %s is built already; set Runtime and Handler", src.code)
		}
	case ext == ".go":
		s.errorf(id, "Code %s is one Go file; give the directory of its package", src.code)
	case !known:
		s.errorf(id, "Code %s: functions are Go packages, .ts, .js, .mjs, .cjs or .py files, directories, or .zip files", src.code)
	case src.runtime != "" && family(src.runtime) != family(runtime):
		s.errorf(id, "Code %s does not run on %s", src.code, src.runtime)
	default:
		if src.runtime == "" {
			src.runtime = runtime
		}
		if src.handler == "" {
			src.handler = "handler"
		}
		if !strings.Contains(src.handler, ".") {
			src.handler = strings.TrimSuffix(path.Base(src.code), ext) + "." + src.handler
		}
	}
}

// family is a runtime without its version.
func family(r Runtime) string { return strings.TrimRight(string(r), ".x0123456789") }

// goPackage says whether a directory holds a Go package, and its name.
func goPackage(dir string) (found bool, name string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return false, "", err
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
	if len(files) == 0 {
		return false, "", nil
	}
	f, err := parser.ParseFile(token.NewFileSet(), files[0], nil, parser.PackageClauseOnly)
	if err != nil {
		return true, "", err
	}
	return true, f.Name.Name, nil
}

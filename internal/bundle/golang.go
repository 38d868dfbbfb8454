package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// buildGo compiles the main package in dir, in the module that holds it.
func buildGo(ctx context.Context, s Source, dir string) (*Package, error) {
	goCmd, err := exec.LookPath("go")
	if err != nil {
		return nil, complain(display(s.Root, dir), "a function in Go needs the go command, and there is none on the PATH: install Go from https://go.dev/dl/")
	}
	tmp, err := os.MkdirTemp("", "gatehouse-go-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "bootstrap")

	type listed struct {
		inputs []string
		err    error
	}
	inputs := make(chan listed, 1)
	go func() {
		l, err := goInputs(ctx, goCmd, dir)
		inputs <- listed{l, err}
	}()

	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc"}
	if !s.Dev {
		args = append(args, "-ldflags", "-s -w")
	}
	cmd := goCommand(ctx, goCmd, dir, append(args, "-o", out, ".")...)
	text, err := cmd.CombinedOutput()
	in := <-inputs
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if in.err != nil {
		in.inputs = []string{dir}
	}
	if err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return nil, fmt.Errorf("bundle: %w", err)
		}
		return nil, &Error{Diagnostics: goDiagnostics(s.Root, dir, string(text)), Inputs: in.inputs}
	}
	binary, err := os.ReadFile(out)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &Error{Diagnostics: []Diagnostic{{File: display(s.Root, dir), Text: "the package is not a main package"}}, Inputs: in.inputs}
	}
	if err != nil {
		return nil, err
	}
	if !executable(binary) { // go build of a library package makes an archive
		return nil, &Error{Diagnostics: []Diagnostic{{File: display(s.Root, dir), Text: "the package is not a main package"}}, Inputs: in.inputs}
	}
	var w zipWriter
	w.add("bootstrap", 0o755, binary)
	z, err := w.bytes(!s.Dev)
	if err != nil {
		return nil, err
	}
	handler := s.Handler
	if handler == "" {
		handler = "bootstrap"
	}
	return &Package{Zip: z, Handler: handler, Inputs: in.inputs}, nil
}

func executable(b []byte) bool { return !bytes.HasPrefix(b, []byte("!<arch>")) }

// goCommand runs the go command for this machine: a function runs where it is built.
func goCommand(ctx context.Context, goCmd, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, goCmd, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, "PWD="+dir)
	return cmd
}

// goInputs are the directories of the packages that the program is made of and that are somebody's
// work in progress: those of main modules and of modules replaced by a directory.
func goInputs(ctx context.Context, goCmd, dir string) ([]string, error) {
	cmd := goCommand(ctx, goCmd, dir, "list", "-e", "-deps", "-tags", "lambda.norpc", "-json=Dir,Module,EmbedFiles,Standard", ".")
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var list []string
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir        string
			Standard   bool
			EmbedFiles []string
			Module     *struct {
				Main    bool
				GoMod   string
				Replace *struct{ Version string }
			}
		}
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if p.Standard || p.Module == nil || !(p.Module.Main || p.Module.Replace != nil && p.Module.Replace.Version == "") {
			continue
		}
		list = append(list, p.Dir)
		for _, f := range p.EmbedFiles {
			list = append(list, filepath.Join(p.Dir, f))
		}
		if p.Module.GoMod != "" {
			list = append(list, p.Module.GoMod)
		}
	}
	if len(list) == 0 {
		list = []string{dir}
	}
	return list, nil
}

var goPlace = regexp.MustCompile(`^(.+?\.(?:go|mod|work|s)):(\d+)(?::(\d+))?: (.*)$`)

// goDiagnostics reads what the go command says about a failed build: "# package" lines, complaints
// with a place, continuations that start with a tab, and sentences of its own.
func goDiagnostics(root, dir, text string) []Diagnostic {
	var list []Diagnostic
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "# "):
		case strings.HasPrefix(line, "go: downloading "), strings.HasPrefix(line, "go: finding "):
		case strings.HasPrefix(line, "\t") && len(list) > 0:
			list[len(list)-1].Text += "\n" + line
		default:
			m := goPlace.FindStringSubmatch(line)
			if m == nil {
				list = append(list, Diagnostic{Text: line})
				continue
			}
			d := Diagnostic{Text: m[4]}
			d.Line, _ = strconv.Atoi(m[2])
			d.Column, _ = strconv.Atoi(m[3])
			file := filepath.FromSlash(m[1])
			if !filepath.IsAbs(file) {
				file = filepath.Join(dir, file)
			}
			d.File, d.Snippet = display(root, file), sourceLine(file, d.Line)
			list = append(list, d)
		}
	}
	if len(list) == 0 {
		list = []Diagnostic{{File: display(root, dir), Text: "go build failed and said nothing"}}
	}
	return list
}

func sourceLine(file string, n int) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	i := 0
	for line := range bytes.Lines(b) {
		if i++; i == n {
			return strings.TrimRight(string(line), "\r\n")
		}
	}
	return ""
}

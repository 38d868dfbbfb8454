package app

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sort"
	"strings"
)

// An Error is one mistake in an app.
type Error struct {
	File      string // the Go source file of the call at fault; "" if not known
	Line      int
	Construct string // the id of the construct, "" for the app as a whole
	Message   string
}

// Error returns "FILE:LINE: CONSTRUCT: MESSAGE", the file relative to the working directory when it
// lies below it.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		fmt.Fprintf(&b, "%s: ", position{e.File, e.Line})
	}
	if e.Construct != "" {
		b.WriteString(e.Construct + ": ")
	}
	return b.String() + e.Message
}

// Errors are all mistakes of an app, in the order of the source.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes errors.As find each.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, err := range e {
		out[i] = err
	}
	return out
}

func (e Errors) sorted() Errors {
	sort.SliceStable(e, func(i, j int) bool {
		if e[i].File != e[j].File {
			return e[i].File < e[j].File
		}
		return e[i].Line < e[j].Line
	})
	return e
}

// position is a place in the Go source of an app.
type position struct {
	file string
	line int
}

func (p position) String() string {
	name := p.file
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, name); err == nil && !strings.HasPrefix(rel, "..") {
			name = rel
		}
	}
	return fmt.Sprintf("%s:%d", name, p.line)
}

// here is the place in the app that called into this package.
func here() position {
	pkg := reflect.TypeFor[Stack]().PkgPath() + "."
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, pkg) || strings.HasSuffix(f.File, "_test.go") {
			return position{f.File, f.Line}
		}
		if !more {
			return position{}
		}
	}
}

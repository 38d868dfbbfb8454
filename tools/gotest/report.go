package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// An event is one line of `go test -json`; see `go doc test2json` and `go help buildjson`.
type event struct {
	Action      string
	Package     string
	Test        string
	ImportPath  string // of the build- actions
	Output      string
	Elapsed     float64 // seconds
	FailedBuild string  // of a package that failed: the package that did not build
}

type counts struct{ passed, failed, skipped, packages int }

func (c *counts) add(d counts) {
	c.passed += d.passed
	c.failed += d.failed
	c.skipped += d.skipped
	c.packages += d.packages
}

func (c counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
}

// report collects the events of one `go test`.
type report struct {
	counts
	w        io.Writer
	packages map[string]*pkg
	builds   map[string]*strings.Builder // what the compiler said, by package
}

type pkg struct {
	counts
	output strings.Builder // outside tests
	tests  map[string]*test
	order  []string
}

type test struct {
	output strings.Builder
	action string // "pass", "fail", "skip"; "" while it runs
	ran    bool   // false: only a part of names, where a subtest's own name has a slash in it
	parent bool   // has subtests
	failed bool   // has one that failed
}

func newReport(w io.Writer) *report {
	return &report{w: w, packages: map[string]*pkg{}, builds: map[string]*strings.Builder{}}
}

func (r *report) add(e event) {
	switch e.Action {
	case "build-output":
		b := r.builds[e.ImportPath]
		if b == nil {
			b = new(strings.Builder)
			r.builds[e.ImportPath] = b
		}
		b.WriteString(e.Output)
		return
	case "build-fail":
		return // the package's own failure follows
	}
	if e.Package == "" {
		return
	}
	p := r.packages[e.Package]
	if p == nil {
		p = &pkg{tests: map[string]*test{}}
		r.packages[e.Package] = p
	}
	if e.Test == "" {
		switch e.Action {
		case "output":
			p.output.WriteString(e.Output)
		case "pass", "fail", "skip":
			r.finish(p, e)
		}
		return
	}
	t := p.test(e.Test)
	t.ran = true
	switch e.Action {
	case "output":
		t.output.WriteString(e.Output)
	case "pass", "fail", "skip":
		t.action = e.Action
	}
}

// test returns the test of a name, and lets those above it know that they have subtests.
func (p *pkg) test(name string) *test {
	t := p.tests[name]
	if t != nil {
		return t
	}
	t = new(test)
	p.tests[name] = t
	p.order = append(p.order, name)
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		p.test(name[:i]).parent = true
	}
	return t
}

// finish counts and reports a package whose tests have ended.
func (r *report) finish(p *pkg, e event) {
	for _, name := range p.order {
		if t := p.tests[name]; t.ran && t.action != "pass" && t.action != "skip" {
			for i := strings.LastIndexByte(name, '/'); i >= 0; i = strings.LastIndexByte(name[:i], '/') {
				p.tests[name[:i]].failed = true
			}
		}
	}
	var failures strings.Builder
	skips := map[string][]string{} // names by reason
	var reasons []string
	for _, name := range p.order {
		t := p.tests[name]
		switch {
		case t.action == "pass" && !t.parent:
			p.passed++
		case t.action == "skip" && !t.parent:
			p.skipped++
			why := reason(t.output.String())
			if skips[why] == nil {
				reasons = append(reasons, why)
			}
			skips[why] = append(skips[why], name)
		case t.action == "pass" || t.action == "skip" || !t.ran:
		default: // failed, or never came to an end
			if !t.failed { // one that failed by its subtests alone is not counted again
				p.failed++
			}
			failures.WriteString(indent(t.output.String()))
		}
	}
	elapsed := time.Duration(e.Elapsed * float64(time.Second)).Round(10 * time.Millisecond)
	switch {
	case e.Action == "fail":
		if p.failed == 0 {
			p.failed++
		}
		fmt.Fprintf(r.w, "FAIL  %s  %v, %v\n", e.Package, p.counts, elapsed)
		if b := r.builds[e.FailedBuild]; b != nil {
			io.WriteString(r.w, indent(b.String()))
		}
		io.WriteString(r.w, failures.String())
		io.WriteString(r.w, indent(p.output.String()))
	case len(p.order) > 0:
		fmt.Fprintf(r.w, "ok    %s  %v, %v\n", e.Package, p.counts, elapsed)
	}
	for _, why := range reasons {
		names := skips[why]
		if n := len(names); n > 3 {
			names = append(names[:2:2], fmt.Sprintf("%d more", n-2))
		}
		fmt.Fprintf(r.w, "      skipped %s: %s\n", strings.Join(names, ", "), why)
	}
	if len(p.order) > 0 || e.Action == "fail" {
		p.packages = 1
	}
	r.counts.add(p.counts)
	delete(r.packages, e.Package)
}

// reason returns what a test said when it was skipped.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		if _, text, ok := strings.Cut(line, ".go:"); ok { // FILE.go:LINE: TEXT
			if _, text, ok := strings.Cut(text, ": "); ok {
				line = text
			}
		}
		said = append(said, line)
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, "; ")
}

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("      ")
		b.WriteString(line)
	}
	if s != "" && !strings.HasSuffix(s, "\n") {
		b.WriteByte('\n')
	}
	return b.String()
}

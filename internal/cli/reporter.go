package cli

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/bundle"
	"github.com/gatehouse-dev/gatehouse/internal/dev"
)

// reporter shows a session of an app to its user.
type reporter struct {
	p     *program
	quiet bool

	mu      sync.Mutex
	outputs []dev.Output
	stacks  []*dev.StackInfo
	width   int    // of the column of logical ids
	up      func() // called after each deployment; may be nil
}

var _ dev.Reporter = (*reporter)(nil)

func (r *reporter) Working(on string) {
	if !r.quiet {
		r.p.err.printf("%s\n", r.p.err.dim(on+" …"))
	}
}

func (r *reporter) Building(functions int) {
	if !r.quiet && functions > 0 {
		r.p.err.printf("%s\n", r.p.err.dim("building "+plural(functions, "function")+" …"))
	}
}

// event shows a resource that came to rest; those under way say nothing that helps, and a stack that is
// done is told of with its outputs.
func (r *reporter) event(e dev.Event) {
	done := strings.HasSuffix(e.Status, "_COMPLETE")
	if r.quiet || strings.HasSuffix(e.Status, "_IN_PROGRESS") && !strings.Contains(e.Status, "ROLLBACK") ||
		e.Type == "AWS::CloudFormation::Stack" && e.Logical == e.Stack && done && !strings.Contains(e.Status, "ROLLBACK") {
		return
	}
	r.mu.Lock()
	r.width = max(r.width, 30, min(len(e.Logical), 48)) // tools make longer ones, which stick out
	width := r.width
	r.mu.Unlock()
	what, ok := happened[e.Status]
	if !ok {
		what = strings.ToLower(strings.ReplaceAll(e.Status, "_", " "))
	}
	o := r.p.err
	mark := o.green("✓")
	switch {
	case strings.HasSuffix(e.Status, "_FAILED"):
		mark = o.red("✗")
	case strings.Contains(e.Status, "ROLLBACK"):
		mark = o.yellow("↩")
	}
	o.printf("  %s %-7s  %-*s  %s", mark, what, width, e.Logical, o.dim(e.Type))
	if e.Reason != "" && e.Status != "UPDATE_COMPLETE" {
		o.printf("  %s", e.Reason)
	}
	o.printf("\n")
}

// happened has a word for the usual statuses of a resource.
var happened = map[string]string{
	"CREATE_COMPLETE": "created",
	"UPDATE_COMPLETE": "updated",
	"IMPORT_COMPLETE": "imported",
	"DELETE_COMPLETE": "deleted",
	"DELETE_SKIPPED":  "kept",
	"CREATE_FAILED":   "failed",
	"UPDATE_FAILED":   "failed",
	"DELETE_FAILED":   "failed",
}

func (r *reporter) Deployed(stacks []*dev.StackInfo, outputs []dev.Output, changed bool, d time.Duration) {
	r.mu.Lock()
	r.outputs, r.stacks = outputs, stacks
	r.mu.Unlock()
	if r.quiet {
		return
	}
	o := r.p.out
	for _, s := range stacks {
		what := "deployed"
		if !changed {
			what = "unchanged"
		}
		o.printf("%s %s  %s\n", o.green("✓"), o.bold(s.Name), o.dim(what+" in "+took(d)))
	}
	if len(outputs) > 0 {
		o.printf("\n%s\n", o.bold("Outputs:"))
		width := 0
		for _, out := range outputs {
			width = max(width, len(out.Key))
		}
		for _, out := range outputs {
			o.printf("  %s%s %s\n", out.Key+":", strings.Repeat(" ", width-len(out.Key)), o.cyan(out.Value))
		}
		o.printf("\n")
	}
	if r.up != nil {
		r.up()
	}
}

func (r *reporter) Updated(function string, d time.Duration) {
	r.p.out.printf("%s %s  %s\n", r.p.out.green("✓"), r.p.out.bold(function), r.p.out.dim("new code in "+took(d)))
}

func (r *reporter) Failed(err error) {
	r.p.printError(err)
	r.p.err.printf("%s\n", r.p.err.dim("  What ran before goes on running."))
}

// printError shows an error; where it is the compiler's, with the line of source that it is about.
func (p *program) printError(err error) {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range list.Unwrap() {
			p.printError(e)
		}
		return
	}
	var be *bundle.Error
	if !errors.As(err, &be) {
		p.err.printf("%s %s\n", p.err.red("error:"), err)
		return
	}
	what, _, _ := strings.Cut(err.Error(), ": ")
	p.err.printf("%s %s does not build\n", p.err.red("error:"), what)
	for _, d := range be.Diagnostics {
		p.err.printf("  %s\n", d)
		if d.Snippet != "" {
			p.err.printf("  %s\n", p.err.dim("  │ "+strings.TrimRight(d.Snippet, "\n")))
		}
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

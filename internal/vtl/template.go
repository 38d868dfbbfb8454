package vtl

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"
)

// Template is a compiled template. It may be used by many goroutines.
type Template struct {
	nodes []node
	names []string // of the slots

	mu      sync.Mutex
	regexps map[string]*regexp.Regexp
}

// Object is a value of the caller's with properties and methods.
type Object interface {
	// Property returns the value of $x.name, nil if there is none.
	Property(name string) any
	// Call calls a method; ok is false if there is none of that name and number of arguments. An error
	// ends the execution.
	Call(name string, args []any) (v any, ok bool, err error)
}

// Setter is an Object whose properties a template may set.
type Setter interface {
	SetProperty(name string, v any) error
}

// Limits bounds an execution. Zero values mean the defaults.
type Limits struct {
	Steps      int           // nodes evaluated; 2,000,000
	Output     int           // bytes written; 10 MB, API Gateway's limit on payloads
	Memory     int           // bytes of strings and lists made on the way, kept or not; 64 MB
	Iterations int           // rounds of one #foreach, after which it ends without an error; 1,000 as on API Gateway, -1 for no limit
	Time       time.Duration // from the first call of an Object's method on, looked at when such a method is called; 5 s
	Depth      int           // macros and blocks inside each other; 20, Velocity's velocimacro.max.depth
}

// Errors that end an execution that goes too far.
var (
	ErrSteps  = errors.New("the template takes too many steps")
	ErrOutput = errors.New("the template's output is too large")
	ErrMemory = errors.New("the template makes too much")
	ErrTime   = errors.New("the template takes too long")
	ErrDepth  = errors.New("the template calls itself too deeply")
)

// MaxSource is the longest template, in bytes: API Gateway's 300 KB.
const MaxSource = 300 << 10

// SyntaxError is a template that cannot be compiled.
type SyntaxError struct {
	Line, Column int // from 1; columns are bytes
	Reason       string
	offset       int
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// Execute runs the template with vars bound to their names, and returns what it prints. The values may be
// changed by it. On an error the output so far is returned with it.
func (t *Template) Execute(ctx context.Context, vars map[string]any, limits Limits) ([]byte, error) {
	x := &exec{t: t, ctx: ctx, slots: make([]any, len(t.names)), limits: limits}
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&x.limits.Steps, 2_000_000)
	def(&x.limits.Output, 10<<20)
	def(&x.limits.Memory, 64<<20)
	def(&x.limits.Iterations, 1000)
	def(&x.limits.Depth, 20)
	if x.limits.Time == 0 {
		x.limits.Time = 5 * time.Second
	}
	for i, name := range t.names {
		x.slots[i] = vars[name]
	}
	err := x.render(t.nodes)
	if err == errStop || err == errBreak {
		err = nil
	}
	return x.out, err
}

// Control flow travels as errors.
var (
	errBreak = errors.New("break")
	errStop  = errors.New("stop")
)

// exec is one execution.
type exec struct {
	t      *Template
	ctx    context.Context
	slots  []any
	out    []byte
	limits Limits
	steps  int
	memory int
	depth  int
	began  time.Time // the first call of an Object's method
	frame  *frame    // of the macro that runs
}

// step counts one node.
func (x *exec) step() error { return x.count(1) }

func (x *exec) count(n int) error {
	before := x.steps
	x.steps += n
	if x.steps > x.limits.Steps {
		return ErrSteps
	}
	if before>>10 != x.steps>>10 {
		return x.ctx.Err()
	}
	return nil
}

// grow counts memory.
func (x *exec) grow(n int) error {
	if x.memory += n; x.memory > x.limits.Memory || n < 0 {
		return ErrMemory
	}
	return nil
}

func (x *exec) write(s string) error {
	if len(x.out)+len(s) > x.limits.Output {
		return ErrOutput
	}
	x.out = append(x.out, s...)
	return nil
}

func (x *exec) enter() error {
	if x.depth++; x.depth > x.limits.Depth {
		return ErrDepth
	}
	return nil
}

// text renders nodes into a string of their own.
func (x *exec) text(nodes []node) (string, error) {
	out := x.out
	x.out = nil
	err := x.render(nodes)
	s := string(x.out)
	x.out = out
	if err == nil {
		err = x.grow(len(s))
	}
	return s, err
}

func (x *exec) render(nodes []node) error {
	for _, n := range nodes {
		if err := n.render(x); err != nil {
			return err
		}
	}
	return nil
}

// regexp compiles a Java regular expression, once for a text.
func (x *exec) regexp(text string) (*regexp.Regexp, error) {
	x.t.mu.Lock()
	defer x.t.mu.Unlock()
	if re := x.t.regexps[text]; re != nil {
		return re, nil
	}
	if len(text) > 1000 {
		return nil, errors.New("the regular expression is too long")
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("the regular expression %q is not supported: %w", text, err)
	}
	if x.t.regexps == nil || len(x.t.regexps) > 100 {
		x.t.regexps = make(map[string]*regexp.Regexp)
	}
	x.t.regexps[text] = re
	return re, nil
}

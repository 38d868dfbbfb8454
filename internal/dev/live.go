package dev

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/bundle"
	"github.com/gatehouse-dev/gatehouse/internal/dev/assembly"
)

// liveCode is how the code of a function of a cloud assembly is made: the first time as the app's tool made
// it, then from its sources, if it is known how.
type liveCode struct {
	stack  *cloudStack
	asset  *assembly.Asset
	replay *bundle.Replay // how its bundle was made; nil: unknown
	origin string         // directory of the app that the asset is a copy of; "": unknown
	made   bool
}

func (l *liveCode) make(ctx context.Context) (*bundle.Package, error) {
	if l.made {
		return l.again(ctx)
	}
	p, err := l.stack.pack(ctx, l.asset)
	if err != nil {
		return nil, err
	}
	l.made = true
	if l.replay != nil {
		l.replay.Base = p.Zip // the assembly may be made anew at any time
	}
	own := *p
	own.Inputs = nil // what lies in the assembly does not change
	if l.replay != nil || l.origin != "" {
		if again, err := l.again(ctx); err == nil {
			own.Inputs = again.Inputs
		} else {
			l.replay, l.origin = nil, ""
		}
	}
	return &own, nil
}

func (l *liveCode) again(ctx context.Context) (*bundle.Package, error) {
	if l.replay != nil {
		return l.replay.Build(ctx)
	}
	return bundle.Directory(ctx, l.origin)
}

// functions lists the functions of s whose code is an asset.
func (c *cloudStack) functions(s *Stack) []*Function {
	var out []*Function
	resources := child(s.Template, "Resources")
	for _, id := range keys(resources) {
		res := child(resources, id)
		if typ := child(res, "Type"); typ == nil || typ.Value != "AWS::Lambda::Function" {
			continue
		}
		a := c.asset(child(child(res, "Properties"), "Code"))
		if a == nil {
			continue
		}
		l := &liveCode{stack: c, asset: a}
		f := &Function{Stack: s, Logical: id, live: l}
		f.Source.Path = filepath.Base(a.Path)
		if c.seen != nil {
			l.replay, l.origin = c.seen.replay(a.Path), c.origins[a.Path]
			if h := child(child(res, "Properties"), "Handler"); h != nil {
				f.Source.Path = h.Value
			}
		}
		out = append(out, f)
	}
	return out
}

// assembled tells of the kinds of apps that become a cloud assembly.
func (k Kind) assembled() bool { return k == KindCDK || k == KindSST || k == KindAssembly }

// cloudWatch is the state of watching an app that becomes a cloud assembly. Its synthesis takes seconds, so
// it runs beside the session's loop, which meanwhile brings new code into functions.
type cloudWatch struct {
	running bool // a synthesis
	again   bool // something changed since it began
	begun   time.Time
	done    chan synthesised
	since   map[string]bool // what changed since it began
	content map[string][32]byte
}

// synthesised is what a synthesis in the background came to.
type synthesised struct {
	stacks []*Stack
	err    error
}

// applyCloud does what a set of changed files asks for. A change of what a function is made of goes into
// the function at once. The app is synthesised again, in the background, unless all that changed is known
// to be part of functions and of nothing else.
func (s *Session) applyCloud(ctx context.Context, changed map[string]bool) {
	fresh := map[string]bool{}
	for f := range changed {
		if s.news(f) {
			fresh[f] = true
		}
	}
	if len(fresh) == 0 {
		return
	}
	if s.cloud.running {
		for f := range fresh {
			s.cloud.since[f] = true
		}
	}
	s.rebuild(ctx, fresh)
	if s.stale || s.asksForSynthesis(fresh) {
		s.synthesise(ctx)
	}
}

// news tells whether a file's content is another than when it was last asked about. A synthesis may write
// into the app; what it writes again, the same, is no reason for another one.
func (s *Session) news(file string) bool {
	var sum [32]byte
	if data, err := os.ReadFile(file); err == nil {
		sum = sha256.Sum256(data)
	} else if st, serr := os.Stat(file); serr == nil && st.IsDir() {
		return false // its files are told of one by one
	} else if _, ok := s.cloud.content[file]; !ok && !s.reads(file) {
		return false // it came and went, as the copies that editors make
	}
	if old, ok := s.cloud.content[file]; ok && old == sum {
		return false
	}
	if s.cloud.content == nil {
		s.cloud.content = map[string][32]byte{}
	}
	s.cloud.content[file] = sum
	return true
}

// program returns the files that the stacks are made from, as far as they are known.
func (s *Session) program() []string {
	for _, st := range s.stacks {
		if st.cloud.seen != nil {
			return st.cloud.seen.program
		}
	}
	return nil
}

// reads tells whether a file is known to be part of the app or of a function.
func (s *Session) reads(file string) bool {
	one := map[string]bool{file: true}
	for _, f := range s.funcs {
		if touches(one, f.Package.Inputs) {
			return true
		}
	}
	return touches(one, s.program())
}

// asksForSynthesis tells whether one of the files is, or may be, something that the stacks are made from.
func (s *Session) asksForSynthesis(changed map[string]bool) bool {
	program := s.program()
	for f := range changed {
		one := map[string]bool{f: true}
		part := false
		for _, fn := range s.funcs {
			part = part || touches(one, fn.Package.Inputs)
		}
		if part && len(program) > 0 && !touches(one, program) {
			continue
		}
		if !part && idle(f) {
			continue
		}
		return true
	}
	return false
}

// idle tells of files that no app is made of.
func idle(file string) bool {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".md", ".log", ".tmp":
		return true
	}
	return false
}

// synthesise begins a synthesis in the background, or has the one that runs followed by another.
func (s *Session) synthesise(ctx context.Context) {
	c := &s.cloud
	if c.running {
		c.again = true
		return
	}
	c.running, c.again, c.begun, c.since = true, false, time.Now(), map[string]bool{}
	if c.done == nil {
		c.done = make(chan synthesised, 1)
	}
	s.note("synthesising again")
	go func() {
		stacks, err := s.App.Synth(ctx, s.Stage, s.Deployer)
		c.done <- synthesised{stacks, err}
	}()
}

// synthesised deploys what a synthesis made, unless it is out of date already.
func (s *Session) synthesised(ctx context.Context, made synthesised) {
	c := &s.cloud
	c.running = false
	if c.again {
		s.synthesise(ctx)
		return
	}
	err := made.err
	if err == nil {
		err = s.adopt(ctx, made.stacks, c.begun, c.since)
	} else {
		s.stale = true
	}
	if err != nil && ctx.Err() == nil {
		s.Report.Failed(err)
	}
}

package vtl

import (
	"errors"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
)

// node is a part of a template that prints.
type node interface {
	render(x *exec) error
}

type text string

func (t text) render(x *exec) error { return x.write(string(t)) }

// output prints a reference.
type output struct {
	*reference
	source      string // as written, with its $
	quiet       bool
	backslashes int
}

func (o *output) render(x *exec) error {
	if err := x.step(); err != nil {
		return err
	}
	v, err := o.eval(x)
	if err != nil {
		return err
	}
	if v == nil {
		if o.backslashes > 0 {
			if err := x.write(strings.Repeat(`\`, o.backslashes)); err != nil {
				return err
			}
		} else if o.quiet || x.hosted(o.slot) {
			return nil
		}
		return x.write(o.source)
	}
	if o.backslashes > 0 {
		if err := x.write(strings.Repeat(`\`, o.backslashes/2)); err != nil {
			return err
		}
		if o.backslashes%2 == 1 {
			return x.write(o.source)
		}
	}
	if s, ok := v.(string); ok {
		return x.write(s)
	}
	s, err := x.toString(v)
	if err != nil {
		return err
	}
	return x.write(s)
}

// hosted says whether a name is bound to an object of the caller's.
func (x *exec) hosted(slot int) bool {
	_, ok := x.slots[slot].(Object)
	if _, loop := x.slots[slot].(*loop); loop {
		return false
	}
	return ok
}

// set is #set.
type set struct {
	target *reference
	value  expr
}

func (s *set) render(x *exec) error {
	if err := x.step(); err != nil {
		return err
	}
	v, err := s.value.eval(x)
	if err != nil || v == nil {
		return err
	}
	return s.target.assign(x, v)
}

// branch is #if with all that follows it; a nil condition is #else.
type branch struct {
	arms []arm
}

type arm struct {
	condition expr
	nodes     []node
}

func (b *branch) render(x *exec) error {
	if err := x.step(); err != nil {
		return err
	}
	for _, a := range b.arms {
		if a.condition != nil {
			v, err := a.condition.eval(x)
			if err != nil {
				return err
			}
			if !truth(v) {
				continue
			}
		}
		return x.render(a.nodes)
	}
	return nil
}

// foreach is #foreach. It binds its variable, $foreach and $velocityCount, and gives them back.
type foreach struct {
	item, scope, count, hasNext int // slots
	list                        expr
	nodes                       []node
}

// loop is $foreach.
type loop struct {
	index  int
	more   bool
	parent any
}

func (l *loop) Property(name string) any {
	switch name {
	case "index":
		return int64(l.index)
	case "count":
		return int64(l.index + 1)
	case "hasNext":
		return l.more
	case "first":
		return l.index == 0
	case "last":
		return !l.more
	case "parent":
		return l.parent
	case "topmost":
		top := l
		for {
			up, ok := top.parent.(*loop)
			if !ok {
				return top
			}
			top = up
		}
	}
	return nil
}

func (l *loop) Call(name string, args []any) (any, bool, error) {
	if len(args) > 0 {
		return nil, false, nil
	}
	if name == "hasNext" {
		return l.more, true, nil
	}
	if after, ok := strings.CutPrefix(name, "get"); ok && after != "" {
		name = strings.ToLower(after[:1]) + after[1:]
	} else if after, ok := strings.CutPrefix(name, "is"); ok && after != "" {
		name = strings.ToLower(after[:1]) + after[1:]
	}
	v := l.Property(name)
	return v, v != nil, nil
}

func (f *foreach) render(x *exec) error {
	if err := x.step(); err != nil {
		return err
	}
	v, err := f.list.eval(x)
	if err != nil {
		return err
	}
	items := elements(v)
	if len(items) == 0 {
		return nil
	}
	saved := [4]any{x.slots[f.item], x.slots[f.scope], x.slots[f.count], x.slots[f.hasNext]}
	defer func() {
		x.slots[f.item], x.slots[f.scope], x.slots[f.count], x.slots[f.hasNext] = saved[0], saved[1], saved[2], saved[3]
	}()
	l := &loop{parent: x.slots[f.scope]}
	if _, ok := l.parent.(*loop); !ok {
		l.parent = nil
	}
	for i, item := range items {
		if x.limits.Iterations >= 0 && i >= x.limits.Iterations {
			return nil
		}
		if err := x.step(); err != nil {
			return err
		}
		l.index, l.more = i, i+1 < len(items)
		x.slots[f.item], x.slots[f.scope], x.slots[f.count], x.slots[f.hasNext] = item, l, int64(i+1), l.more
		if err := x.render(f.nodes); err != nil {
			if err == errBreak {
				return nil
			}
			return err
		}
	}
	return nil
}

// elements lists what a #foreach goes through.
func elements(v any) []any {
	switch v := v.(type) {
	case *jsonpath.Array:
		return v.Items
	case *jsonpath.Object:
		items := make([]any, v.Len())
		for i := range items {
			_, items[i] = v.At(i)
		}
		return items
	case *iterator:
		items := v.items
		v.items = nil
		return items
	}
	return nil
}

// signal is #break and #stop.
type signal struct{ err error }

func (s signal) render(*exec) error { return s.err }

// macro is what #macro defines; the nodes are filled in when its end has been read.
type macro struct {
	params []int // slots
	nodes  []node
}

// frame binds a macro's parameters to what the caller wrote, which is evaluated where it was written,
// each time it is used: Velocity passes by name.
type frame struct {
	macro *macro
	args  []expr
	local []any // what #set gave a parameter
	body  []node
	up    *frame
}

// call is a use of a macro.
type call struct {
	name   string
	macro  *macro // nil: none of that name in the template, print as written
	args   []expr
	body   []node // of #@name
	source string
}

func (c *call) render(x *exec) error {
	if err := x.step(); err != nil {
		return err
	}
	if c.macro == nil {
		return x.write(c.source)
	}
	if err := x.enter(); err != nil {
		return err
	}
	up := x.frame
	x.frame = &frame{macro: c.macro, args: c.args, local: make([]any, len(c.macro.params)), body: c.body, up: up}
	err := x.render(c.macro.nodes)
	x.frame = up
	x.depth--
	if err == errBreak {
		err = nil
	}
	return err
}

// define is #define: a block that is rendered wherever its name is used.
type define struct {
	slot  int
	nodes []node
}

func (d *define) render(x *exec) error {
	x.slots[d.slot] = &block{d.nodes}
	return x.step()
}

type block struct{ nodes []node }

func (x *exec) block(nodes []node) (string, error) {
	if err := x.enter(); err != nil {
		return "", err
	}
	s, err := x.text(nodes)
	x.depth--
	if err == errBreak {
		err = nil
	}
	return s, err
}

// load reads a variable.
func (x *exec) load(slot int) (any, error) {
	if f := x.frame; f != nil {
		for i, p := range f.macro.params {
			if p != slot {
				continue
			}
			if f.local[i] != nil {
				return f.local[i], nil
			}
			if i >= len(f.args) {
				return nil, nil
			}
			if err := x.step(); err != nil {
				return nil, err
			}
			x.frame = f.up
			v, err := f.args[i].eval(x)
			x.frame = f
			return v, err
		}
		if f.body != nil && x.t.names[slot] == "bodyContent" {
			x.frame = f.up
			s, err := x.block(f.body)
			x.frame = f
			return s, err
		}
	}
	if b, ok := x.slots[slot].(*block); ok {
		return x.block(b.nodes)
	}
	return x.slots[slot], nil
}

func (x *exec) store(slot int, v any) {
	if f := x.frame; f != nil {
		for i, p := range f.macro.params {
			if p == slot {
				f.local[i] = v
				return
			}
		}
	}
	x.slots[slot] = v
}

var errAssign = errors.New("cannot be set")

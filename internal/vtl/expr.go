package vtl

import (
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
)

// expr is a part of a template that has a value.
type expr interface {
	eval(x *exec) (any, error)
}

type literal struct{ value any }

func (l literal) eval(*exec) (any, error) { return l.value, nil }

// interpolated is a string in double quotes with something in it.
type interpolated struct{ nodes []node }

func (s *interpolated) eval(x *exec) (any, error) { return x.block(s.nodes) }

type list struct{ items []expr }

func (l *list) eval(x *exec) (any, error) {
	if err := x.grow(16 * (len(l.items) + 2)); err != nil {
		return nil, err
	}
	a := &jsonpath.Array{Plain: true, Items: make([]any, len(l.items))}
	for i, item := range l.items {
		v, err := item.eval(x)
		if err != nil {
			return nil, err
		}
		a.Items[i] = v
	}
	return a, nil
}

type dict struct{ keys, values []expr }

func (d *dict) eval(x *exec) (any, error) {
	if err := x.grow(64 * (len(d.keys) + 1)); err != nil {
		return nil, err
	}
	o := &jsonpath.Object{}
	for i := range d.keys {
		k, err := d.keys[i].eval(x)
		if err != nil {
			return nil, err
		}
		v, err := d.values[i].eval(x)
		if err != nil {
			return nil, err
		}
		key, err := x.toString(k)
		if err != nil {
			return nil, err
		}
		o.Set(key, v)
	}
	return o, nil
}

type span struct{ from, to expr }

func (s *span) eval(x *exec) (any, error) {
	a, err := s.from.eval(x)
	if err != nil {
		return nil, err
	}
	b, err := s.to.eval(x)
	if err != nil {
		return nil, err
	}
	from, ok := a.(int64)
	to, ok2 := b.(int64)
	if !ok || !ok2 {
		return nil, nil
	}
	step := int64(1)
	if to < from {
		step = -1
	}
	if d := (to - from) * step; d < 0 || d > 1<<20 {
		return nil, ErrMemory
	}
	n := int((to-from)*step) + 1
	if err := x.grow(16 * n); err != nil {
		return nil, err
	}
	if err := x.count(n); err != nil {
		return nil, err
	}
	out := &jsonpath.Array{Plain: true, Items: make([]any, n)}
	for i := range out.Items {
		out.Items[i] = from + int64(i)*step
	}
	return out, nil
}

type not struct{ expr }

func (n not) eval(x *exec) (any, error) {
	v, err := n.expr.eval(x)
	return !truth(v), err
}

type logic struct {
	and         bool
	left, right expr
}

func (l *logic) eval(x *exec) (any, error) {
	v, err := l.left.eval(x)
	if err != nil {
		return nil, err
	}
	if truth(v) != l.and {
		return !l.and, nil
	}
	v, err = l.right.eval(x)
	return truth(v), err
}

type binary struct {
	op          string
	left, right expr
}

func (b *binary) eval(x *exec) (any, error) {
	if err := x.step(); err != nil {
		return nil, err
	}
	l, err := b.left.eval(x)
	if err != nil {
		return nil, err
	}
	r, err := b.right.eval(x)
	if err != nil {
		return nil, err
	}
	switch b.op {
	case "==", "!=":
		same, err := x.same(l, r)
		return same == (b.op == "=="), err
	case "<", "<=", ">", ">=":
		n, ok := compareNumbers(l, r)
		return ok && (b.op[0] == '<' && n < 0 || b.op[0] == '>' && n > 0 || len(b.op) == 2 && n == 0), nil
	case "+":
		_, ok := l.(string)
		_, ok2 := r.(string)
		if ok || ok2 {
			ls, err := x.operand(l, b.left)
			if err != nil {
				return nil, err
			}
			rs, err := x.operand(r, b.right)
			if err != nil {
				return nil, err
			}
			return ls + rs, x.grow(len(ls) + len(rs))
		}
	}
	return arithmetic(b.op[0], l, r)
}

// operand is one side of a joining +: null is the text of its reference.
func (x *exec) operand(v any, e expr) (string, error) {
	if v == nil {
		if r, ok := e.(*reference); ok {
			return r.source, nil
		}
		return "null", nil
	}
	return x.toString(v)
}

// reference is $name with what follows it.
type reference struct {
	slot   int
	chain  []access
	source string
}

type access struct {
	kind accessKind
	name string
	args []expr // of a method; the index
}

type accessKind uint8

const (
	property accessKind = iota
	method
	index
)

func (r *reference) eval(x *exec) (any, error) {
	v, err := x.load(r.slot)
	if err != nil {
		return nil, err
	}
	for i := range r.chain {
		if v == nil {
			return nil, nil
		}
		if err := x.step(); err != nil {
			return nil, err
		}
		if v, err = r.chain[i].of(x, v); err != nil {
			return nil, fmt.Errorf("%s: %w", r.source, err)
		}
	}
	return v, nil
}

func (a *access) of(x *exec, v any) (any, error) {
	if a.kind == property {
		return propertyOf(v, a.name), nil
	}
	var few [3]any
	args := few[:0]
	for _, e := range a.args {
		arg, err := e.eval(x)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	if a.kind == index {
		if args[0] == nil {
			return nil, nil
		}
		if a, ok := v.(*jsonpath.Array); ok {
			if i, ok := args[0].(int64); ok && i < 0 {
				args[0] = i + int64(len(a.Items)) // from the end
			}
		}
		got, _, err := x.call(v, "get", args)
		return got, err
	}
	got, _, err := x.call(v, a.name, args)
	return got, err
}

// assign sets a variable, a property or an element.
func (r *reference) assign(x *exec, v any) error {
	if len(r.chain) == 0 {
		x.store(r.slot, v)
		return nil
	}
	holder, err := (&reference{slot: r.slot, chain: r.chain[:len(r.chain)-1], source: r.source}).eval(x)
	if err != nil || holder == nil {
		return err
	}
	last := r.chain[len(r.chain)-1]
	if err := x.grow(32 + len(last.name)); err != nil {
		return err
	}
	if last.kind == index {
		at, err := last.args[0].eval(x)
		if err != nil || at == nil {
			return err
		}
		name := "set"
		if _, list := holder.(*jsonpath.Array); !list {
			name = "put"
		}
		_, _, err = x.call(holder, name, []any{at, v})
		return err
	}
	switch h := holder.(type) {
	case *jsonpath.Object:
		h.Set(last.name, v)
		return nil
	case Setter:
		if err := h.SetProperty(last.name, v); err != nil {
			return fmt.Errorf("%s: %w", r.source, err)
		}
		return nil
	}
	return fmt.Errorf("%s: %w", r.source, errAssign)
}

// propertyOf follows Velocity's introspection: a map's entry, else a getter.
func propertyOf(v any, name string) any {
	switch v := v.(type) {
	case *jsonpath.Object:
		got, _ := v.Get(name)
		return got
	case Object:
		return v.Property(name)
	case *jsonpath.Array:
		if name == "empty" {
			return len(v.Items) == 0
		}
	case string:
		if name == "empty" {
			return v == ""
		}
	case *entry:
		switch name {
		case "key":
			return v.key
		case "value":
			return v.value()
		}
	}
	return nil
}

// call calls a method of any value.
func (x *exec) call(v any, name string, args []any) (any, bool, error) {
	switch name {
	case "toString":
		if len(args) == 0 {
			s, err := x.toString(v)
			return s, true, err
		}
	case "equals":
		if len(args) == 1 {
			same, err := x.identical(v, args[0])
			return same, true, err
		}
	}
	switch v := v.(type) {
	case string:
		return x.stringMethod(v, name, args)
	case *jsonpath.Object:
		return x.mapMethod(v, name, args)
	case *jsonpath.Array:
		return x.listMethod(v, name, args)
	case int64, float64, jsonpath.Number, bool:
		return numberMethod(v, name, args)
	case *entry:
		switch {
		case name == "getKey" && len(args) == 0:
			return v.key, true, nil
		case name == "getValue" && len(args) == 0:
			return v.value(), true, nil
		case name == "setValue" && len(args) == 1:
			return v.of.Set(v.key, args[0]), true, nil
		}
	case *iterator:
		switch {
		case name == "hasNext" && len(args) == 0:
			return len(v.items) > 0, true, nil
		case name == "next" && len(args) == 0:
			if len(v.items) == 0 {
				return nil, true, fmt.Errorf("NoSuchElementException")
			}
			item := v.items[0]
			v.items = v.items[1:]
			return item, true, nil
		}
	case Object:
		return x.callObject(v, name, args)
	}
	return nil, false, nil
}

// callObject calls a method of the caller's. What it makes counts, as what it is given does where it makes no text of
// it; how long it takes is only known by the clock.
func (x *exec) callObject(v Object, name string, args []any) (any, bool, error) {
	if x.began.IsZero() {
		x.began = time.Now()
	} else if time.Since(x.began) > x.limits.Time {
		return nil, true, ErrTime
	} else if err := x.ctx.Err(); err != nil {
		return nil, true, err
	}
	got, ok, err := v.Call(name, args)
	if err != nil {
		return got, ok, err
	}
	switch made := got.(type) {
	case string:
		err = x.grow(len(made))
	case *jsonpath.Object, *jsonpath.Array:
		for _, a := range args {
			if s, text := a.(string); text {
				if err := x.grow(len(s)); err != nil {
					return nil, true, err
				}
			}
		}
	}
	return got, ok, err
}

// CallMap calls a method of java.util.Map on an object, for an Object of the caller's that is also a map.
func CallMap(o *jsonpath.Object, name string, args []any) (any, bool, error) {
	x := &exec{limits: Limits{Steps: 1 << 20, Memory: 64 << 20}}
	return x.mapMethod(o, name, args)
}

// Text is what a value prints, as Java's toString has it: {a=b}, [a, b], 1.0.
func Text(v any) string {
	x := &exec{limits: Limits{Memory: 64 << 20}}
	s, err := x.toString(v)
	if err != nil {
		return ""
	}
	return s
}

// toString is Java's.
func (x *exec) toString(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case *jsonpath.Object, *jsonpath.Array:
		var b strings.Builder
		left := x.limits.Memory - x.memory
		if !javaText(&b, v, 0, &left) {
			return "", ErrMemory
		}
		return b.String(), x.grow(b.Len())
	}
	return scalar(v), nil
}

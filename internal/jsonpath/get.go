package jsonpath

import (
	"errors"
	"math"
)

// MaxVisits bounds the nodes that one evaluation looks at.
const MaxVisits = 4_000_000

// Errors of Get.
var (
	ErrNotFound = errors.New("no value at the path")
	ErrLimit    = errors.New("the path looks at too much of the document")
)

// run is one evaluation.
type run struct {
	root   any
	visits int
}

func (r *run) visit(n int) error {
	if r.visits += n; r.visits > MaxVisits {
		return ErrLimit
	}
	return nil
}

// Get evaluates the path on a document as Decode gives it.
func (p *Path) Get(root any) (any, error) {
	r := &run{root: root}
	return r.get(p, root)
}

// get evaluates a path that begins at from.
func (r *run) get(p *Path, from any) (any, error) {
	var v any
	if p.definite {
		var ok bool
		if v, ok = r.one(p.steps, from); !ok {
			return nil, ErrNotFound
		}
	} else {
		out := &Array{}
		if err := r.walk(p.steps, from, out); err != nil {
			return nil, err
		}
		v = out
	}
	if p.function != "" {
		return apply(p.function, v)
	}
	return v, nil
}

// one follows definite steps.
func (r *run) one(steps []step, v any) (any, bool) {
	for i := range steps {
		s := &steps[i]
		if s.kind == stepIndexes {
			a, ok := v.(*Array)
			if !ok {
				return nil, false
			}
			if v, ok = a.at(s.indexes[0]); !ok {
				return nil, false
			}
			continue
		}
		o, ok := v.(*Object)
		if !ok {
			return nil, false
		}
		if len(s.names) > 1 {
			return merged(o, s.names), true
		}
		if v, ok = o.Get(s.names[0]); !ok {
			return nil, false
		}
	}
	return v, true
}

func merged(o *Object, names []string) *Object {
	out := &Object{}
	for _, n := range names {
		if v, ok := o.Get(n); ok {
			out.Set(n, v)
		}
	}
	return out
}

func (a *Array) at(i int) (any, bool) {
	if i < 0 {
		i += len(a.Items)
	}
	if i < 0 || i >= len(a.Items) {
		return nil, false
	}
	return a.Items[i], true
}

// walk adds to out what steps select from v.
func (r *run) walk(steps []step, v any, out *Array) error {
	if err := r.visit(1); err != nil {
		return err
	}
	if len(steps) == 0 {
		out.Items = append(out.Items, v)
		return nil
	}
	if steps[0].deep {
		return r.descend(steps, v, out, 0)
	}
	return r.step(steps, v, out)
}

// descend applies the first step to v and to everything in it, parents first.
func (r *run) descend(steps []step, v any, out *Array, depth int) error {
	if err := r.visit(1); err != nil {
		return err
	}
	if depth > 2*MaxDepth { // a template can make a value that holds itself
		return ErrLimit
	}
	switch v := v.(type) {
	case *Object:
		if err := r.step(steps, v, out); err != nil {
			return err
		}
		for _, child := range v.values {
			if err := r.descend(steps, child, out, depth+1); err != nil {
				return err
			}
		}
	case *Array:
		// A filter meets the elements that are objects on their own turn.
		if steps[0].kind != stepFilter {
			if err := r.step(steps, v, out); err != nil {
				return err
			}
		}
		for _, child := range v.Items {
			if err := r.descend(steps, child, out, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) step(steps []step, v any, out *Array) error {
	s, rest := &steps[0], steps[1:]
	switch s.kind {
	case stepNames:
		o, ok := v.(*Object)
		if !ok {
			return nil
		}
		if len(s.names) > 1 && len(rest) == 0 {
			return r.walk(rest, merged(o, s.names), out)
		}
		for _, n := range s.names {
			if child, ok := o.Get(n); ok {
				if err := r.walk(rest, child, out); err != nil {
					return err
				}
			}
		}
	case stepIndexes:
		a, ok := v.(*Array)
		if !ok {
			return nil
		}
		for _, i := range s.indexes {
			if child, ok := a.at(i); ok {
				if err := r.walk(rest, child, out); err != nil {
					return err
				}
			}
		}
	case stepSlice:
		a, ok := v.(*Array)
		if !ok {
			return nil
		}
		from, to := s.bounds(len(a.Items))
		for i := from; i < to; i++ {
			if err := r.walk(rest, a.Items[i], out); err != nil {
				return err
			}
		}
	case stepAll:
		switch v := v.(type) {
		case *Object:
			for _, child := range v.values {
				if err := r.walk(rest, child, out); err != nil {
					return err
				}
			}
		case *Array:
			for _, child := range v.Items {
				if err := r.walk(rest, child, out); err != nil {
					return err
				}
			}
		}
	case stepFilter:
		switch v := v.(type) {
		case *Object:
			return r.filtered(s, rest, v, out)
		case *Array:
			for _, child := range v.Items {
				if err := r.filtered(s, rest, child, out); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *run) filtered(s *step, rest []step, v any, out *Array) error {
	if err := r.visit(1); err != nil {
		return err
	}
	ok, err := s.filter.holds(r, v)
	if err != nil || !ok {
		return err
	}
	return r.walk(rest, v, out)
}

// bounds gives a slice's first index and the one after its last.
func (s *step) bounds(n int) (from, to int) {
	to = n
	if s.from != nil {
		if from = *s.from; from < 0 {
			from = max(0, n+from)
		}
	}
	if s.to != nil {
		if to = *s.to; to < 0 {
			to += n
		}
	}
	return from, min(to, n)
}

// apply computes a function of a path's result. Arithmetic is over the numbers of an array.
func apply(function string, v any) (any, error) {
	a, _ := v.(*Array)
	switch function {
	case "length", "size":
		switch v := v.(type) {
		case *Array:
			return int64(len(v.Items)), nil
		case *Object:
			return int64(v.Len()), nil
		case string:
			return int64(len([]rune(v))), nil
		}
		return nil, nil
	case "keys":
		o, ok := v.(*Object)
		if !ok {
			return nil, nil
		}
		keys := &Array{}
		for _, k := range o.keys {
			keys.Items = append(keys.Items, k)
		}
		return keys, nil
	case "first", "last":
		i := 0
		if function == "last" {
			i = -1
		}
		if a != nil {
			if v, ok := a.at(i); ok {
				return v, nil
			}
		}
		return nil, ErrNotFound
	}
	var numbers []float64
	if a != nil {
		for _, item := range a.Items {
			if f, ok := number(item); ok {
				numbers = append(numbers, f)
			}
		}
	}
	if len(numbers) == 0 {
		return nil, ErrNotFound // Jayway: "Aggregation function attempted to calculate value using empty array"
	}
	sum, least, most := 0.0, numbers[0], numbers[0]
	for _, f := range numbers {
		sum, least, most = sum+f, min(least, f), max(most, f)
	}
	n := float64(len(numbers))
	switch function {
	case "min":
		return least, nil
	case "max":
		return most, nil
	case "sum":
		return sum, nil
	case "avg":
		return sum / n, nil
	}
	squares := 0.0
	for _, f := range numbers {
		squares += (f - sum/n) * (f - sum/n)
	}
	return math.Sqrt(squares / n), nil
}

package jsonpath

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// condition is what a filter tests.
type condition interface {
	holds(r *run, v any) (bool, error)
}

type (
	anyOf   []condition
	allOf   []condition
	negated struct{ condition }
	exists  struct{ path *Path }
	compare struct {
		op          string
		left, right operand
		pattern     *regexp.Regexp // of =~
	}
)

// operand is a path or a literal.
type operand struct {
	path  *Path
	root  bool // the path begins with $
	value any
}

// missing is the value of a path that selects nothing. It equals only itself.
type missing struct{}

func (o *operand) eval(r *run, v any) (any, error) {
	if o.path == nil {
		return o.value, nil
	}
	if o.root {
		v = r.root
	}
	if err := r.visit(1 + len(o.path.steps)); err != nil {
		return nil, err
	}
	got, err := r.get(o.path, v)
	if errors.Is(err, ErrNotFound) {
		return missing{}, nil
	}
	return got, err
}

func (c anyOf) holds(r *run, v any) (bool, error) {
	for _, one := range c {
		if ok, err := one.holds(r, v); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (c allOf) holds(r *run, v any) (bool, error) {
	for _, one := range c {
		if ok, err := one.holds(r, v); !ok || err != nil {
			return ok, err
		}
	}
	return true, nil
}

func (c negated) holds(r *run, v any) (bool, error) {
	ok, err := c.condition.holds(r, v)
	return !ok && err == nil, err
}

func (c exists) holds(r *run, v any) (bool, error) {
	o := operand{path: c.path, root: strings.HasPrefix(c.path.text, "$")}
	got, err := o.eval(r, v)
	if err != nil {
		return false, err
	}
	if a, ok := got.(*Array); ok && !c.path.definite {
		return len(a.Items) > 0, nil
	}
	return got != missing{}, nil
}

func (c *compare) holds(r *run, v any) (bool, error) {
	left, err := c.left.eval(r, v)
	if err != nil {
		return false, err
	}
	if c.op == "=~" {
		s, ok := left.(string)
		if !ok {
			return false, nil
		}
		if err := r.visit(len(s)); err != nil {
			return false, err
		}
		return c.pattern.MatchString(s), nil
	}
	right, err := c.right.eval(r, v)
	if err != nil {
		return false, err
	}
	switch c.op {
	case "==", "===":
		return r.equal(left, right)
	case "!=", "!==":
		same, err := r.equal(left, right)
		return !same && err == nil, err
	case "<", "<=", ">", ">=":
		n, ok := order(left, right)
		return ok && (c.op[0] == '<' && n < 0 || c.op[0] == '>' && n > 0 || len(c.op) == 2 && n == 0), nil
	case "in", "nin":
		in, err := r.within(left, right)
		return in == (c.op == "in"), err
	case "contains":
		if s, ok := left.(string); ok {
			sub, ok := right.(string)
			return ok && strings.Contains(s, sub), nil
		}
		return r.within(right, left)
	case "size":
		want, ok := right.(int64)
		n := length(left)
		return ok && n >= 0 && int64(n) == want, nil
	case "empty":
		want, ok := right.(bool)
		n := length(left)
		return ok && n >= 0 && (n == 0) == want, nil
	}
	// subsetof, anyof, noneof
	a, ok := left.(*Array)
	if !ok {
		return false, nil
	}
	hits := 0
	for _, item := range a.Items {
		in, err := r.within(item, right)
		if err != nil {
			return false, err
		}
		if in {
			hits++
		}
	}
	switch c.op {
	case "subsetof":
		return hits == len(a.Items), nil
	case "anyof":
		return hits > 0, nil
	}
	return hits == 0, nil
}

func length(v any) int {
	switch v := v.(type) {
	case string:
		return len([]rune(v))
	case *Array:
		return len(v.Items)
	case *Object:
		return v.Len()
	}
	return -1
}

func (r *run) within(v, list any) (bool, error) {
	a, ok := list.(*Array)
	if !ok {
		return false, nil
	}
	for _, item := range a.Items {
		if ok, err := r.equal(v, item); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case Number:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil
	}
	return 0, false
}

func order(a, b any) (int, bool) {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return compareOf(x, y), true
		}
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return compareOf(x, y), ok
	}
	x, ok := a.(string)
	y, ok2 := b.(string)
	return strings.Compare(x, y), ok && ok2
}

func compareOf[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Equal compares two values of documents: numbers by value, objects without regard to order.
func Equal(a, b any) bool {
	ok, err := (&run{}).equal(a, b)
	return ok && err == nil
}

func (r *run) equal(a, b any) (bool, error) {
	if err := r.visit(1); err != nil {
		return false, err
	}
	switch a := a.(type) {
	case *Object:
		b, ok := b.(*Object)
		if !ok || a.Len() != b.Len() {
			return false, nil
		}
		if a == b {
			return true, nil
		}
		for i, k := range a.keys {
			v, ok := b.Get(k)
			if !ok {
				return false, nil
			}
			if ok, err := r.equal(a.values[i], v); !ok {
				return false, err
			}
		}
		return true, nil
	case *Array:
		b, ok := b.(*Array)
		if !ok || len(a.Items) != len(b.Items) {
			return false, nil
		}
		if a == b {
			return true, nil
		}
		for i, item := range a.Items {
			if ok, err := r.equal(item, b.Items[i]); !ok {
				return false, err
			}
		}
		return true, nil
	case int64, float64, Number:
		n, ok := order(a, b)
		return ok && n == 0, nil
	case string, bool, nil, missing:
		return a == b, nil
	}
	return false, nil
}

func (p *parser) or() (condition, error) {
	if p.depth++; p.depth > maxPathNested {
		return nil, p.fail("nested too deeply")
	}
	defer func() { p.depth-- }()
	var all anyOf
	for {
		c, err := p.and()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if p.space(); !p.take("||") {
			if len(all) == 1 {
				return all[0], nil
			}
			return all, nil
		}
	}
}

func (p *parser) and() (condition, error) {
	var all allOf
	for {
		c, err := p.term()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if p.space(); !p.take("&&") {
			if len(all) == 1 {
				return all[0], nil
			}
			return all, nil
		}
	}
}

func (p *parser) term() (condition, error) {
	p.space()
	if p.take("!") {
		if p.depth++; p.depth > maxPathNested {
			return nil, p.fail("nested too deeply")
		}
		defer func() { p.depth-- }()
		c, err := p.term()
		return negated{c}, err
	}
	if p.take("(") {
		c, err := p.or()
		if err != nil {
			return nil, err
		}
		if p.space(); !p.take(")") {
			return nil, p.fail("expected )")
		}
		return c, nil
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	p.space()
	op := p.operator()
	if op == "" {
		if left.path == nil {
			return nil, p.fail("expected a comparison")
		}
		return exists{left.path}, nil
	}
	p.space()
	if op == "=~" {
		re, err := p.pattern()
		return &compare{op: op, left: left, pattern: re}, err
	}
	right, err := p.operand()
	return &compare{op: op, left: left, right: right}, err
}

var operators = []string{"===", "!==", "==", "!=", "=~", "<=", ">=", "<", ">"}
var words = []string{"in", "nin", "subsetof", "anyof", "noneof", "size", "empty", "contains"}

func (p *parser) operator() string {
	for _, op := range operators {
		if p.take(op) {
			return op
		}
	}
	rest := strings.ToLower(p.s[p.i:min(len(p.s), p.i+10)])
	for _, w := range words {
		if after, ok := strings.CutPrefix(rest, w); ok && (after == "" || strings.IndexByte(" [('\"@$", after[0]) >= 0) {
			p.i += len(w)
			return w
		}
	}
	return ""
}

func (p *parser) operand() (operand, error) {
	p.space()
	switch c := p.peek(); {
	case c == '@' || c == '$':
		if p.depth++; p.depth > maxPathNested {
			return operand{}, p.fail("nested too deeply")
		}
		defer func() { p.depth-- }()
		path, err := p.path()
		return operand{path: path, root: c == '$'}, err
	case c == '\'' || c == '"':
		s, err := p.quoted()
		return operand{value: s}, err
	case c == '[':
		p.i++
		a := &Array{}
		for p.space(); !p.take("]"); p.space() {
			if len(a.Items) > 0 && !p.take(",") {
				return operand{}, p.fail("expected , or ]")
			}
			p.space()
			if c := p.peek(); c == '@' || c == '$' || c == '[' || c == '{' {
				return operand{}, p.fail("expected a string, a number, true, false or null")
			}
			item, err := p.operand()
			if err != nil {
				return operand{}, err
			}
			a.Items = append(a.Items, item.value)
		}
		return operand{value: a}, nil
	}
	d := decoder{s: []byte(p.s[p.i:])}
	v, err := d.value(MaxDepth - 32) // objects are rare here, and deep ones are nobody's
	p.i += d.i
	if err != nil {
		return operand{}, p.fail("expected a path or a value")
	}
	return operand{value: v}, nil
}

// pattern reads /regular expression/flags.
func (p *parser) pattern() (*regexp.Regexp, error) {
	if !p.take("/") {
		return nil, p.fail("expected /")
	}
	start := p.i
	for p.i < len(p.s) && p.s[p.i] != '/' {
		if p.s[p.i] == '\\' {
			p.i++
		}
		p.i++
	}
	if p.i >= len(p.s) {
		return nil, p.fail("unclosed /")
	}
	text := strings.ReplaceAll(p.s[start:p.i], `\/`, `/`)
	p.i++
	flags := ""
	for c := p.peek(); c == 'i' || c == 'm' || c == 's' || c == 'u' || c == 'x' || c == 'd'; c = p.peek() {
		if c == 'x' || c == 'd' {
			return nil, p.fail("flag " + string(c) + " is not supported")
		}
		if c != 'u' {
			flags += string(c)
		}
		p.i++
	}
	if flags != "" {
		flags = "(?" + flags + ")"
	}
	// Jayway asks whether the whole value matches.
	re, err := regexp.Compile(flags + `\A(?:` + text + `)\z`)
	if err != nil {
		return nil, p.fail("the regular expression is not supported: " + err.Error())
	}
	return re, nil
}

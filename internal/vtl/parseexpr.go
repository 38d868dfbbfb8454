package vtl

import (
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
)

// Operators by how tightly they bind, loosest first; words stand for the signs.
var levels = [][]string{
	{"||", "or"},
	{"&&", "and"},
	{"==", "!=", "eq", "ne"},
	{"<=", ">=", "<", ">", "lt", "gt", "le", "ge"},
	{"+", "-"},
	{"*", "/", "%"},
}

var signs = map[string]string{"or": "||", "and": "&&", "eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">="}

func (p *parser) expression() (expr, error) {
	if err := p.down(); err != nil {
		return nil, err
	}
	defer p.up()
	return p.level(0)
}

func (p *parser) level(n int) (expr, error) {
	if n == len(levels) {
		return p.unary()
	}
	left, err := p.level(n + 1)
	for err == nil {
		p.space()
		op := p.operator(levels[n])
		if op == "" {
			return left, nil
		}
		var right expr
		if right, err = p.level(n + 1); err != nil {
			break
		}
		switch op {
		case "||", "&&":
			left = &logic{op == "&&", left, right}
		default:
			left = &binary{op, left, right}
		}
	}
	return nil, err
}

func (p *parser) operator(of []string) string {
	for _, op := range of {
		if !strings.HasPrefix(p.s[p.i:], op) {
			continue
		}
		if isLetter(op[0]) {
			if isWord(p.at(p.i + len(op))) {
				continue
			}
			p.i += len(op)
			return signs[op]
		}
		p.i += len(op)
		return op
	}
	return ""
}

func (p *parser) unary() (expr, error) {
	p.space()
	if p.peek() == '!' || strings.HasPrefix(p.s[p.i:], "not") && !isWord(p.at(p.i+3)) {
		if !p.take("!") {
			p.i += 3
		}
		if err := p.down(); err != nil {
			return nil, err
		}
		defer p.up()
		e, err := p.unary()
		return not{e}, err
	}
	if p.take("(") {
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		if p.space(); !p.take(")") {
			return nil, p.fail("expected )")
		}
		return e, nil
	}
	return p.primary()
}

func (p *parser) primary() (expr, error) {
	switch c := p.peek(); {
	case c == '$':
		ref, _, err := p.reference()
		if err == nil && ref == nil {
			err = p.fail("expected a name")
		}
		return ref, err
	case c == '\'':
		end := p.i + 1
		for {
			n := strings.IndexByte(p.s[end:], '\'')
			if n < 0 {
				return nil, p.fail("the string has no end")
			}
			if end += n + 1; p.at(end) != '\'' {
				break
			}
			end++
		}
		s := strings.ReplaceAll(p.s[p.i+1:end-1], "''", "'")
		p.i = end
		return literal{unicodeEscapes(s)}, nil
	case c == '"':
		return p.doubleQuoted()
	case c == '[':
		return p.array()
	case c == '{':
		return p.dict()
	case c >= '0' && c <= '9' || c == '-' || c == '.':
		return p.number()
	}
	start := p.i
	switch word := p.word(); word {
	case "true", "false":
		return literal{word == "true"}, nil
	case "":
		return nil, p.fail("expected a value")
	default:
		return nil, p.failAt(start, "unexpected "+strconv.Quote(word))
	}
}

func (p *parser) doubleQuoted() (expr, error) {
	start := p.i
	for end := p.i + 1; end < len(p.s); end++ {
		if p.s[end] != '"' {
			continue
		}
		if p.at(end+1) == '"' {
			end++
			continue
		}
		s := unicodeEscapes(strings.ReplaceAll(p.s[start+1:end], `""`, `"`))
		p.i = end + 1
		if !strings.ContainsAny(s, "$#") {
			return literal{s}, nil
		}
		inner := &parser{c: p.c, s: s, base: p.base + start + 1}
		nodes, stop, err := inner.block()
		if err != nil {
			return nil, err
		}
		if stop != "" {
			return nil, p.failAt(start, "#"+stop+" without a block in a string")
		}
		if len(nodes) == 1 {
			if t, ok := nodes[0].(text); ok {
				return literal{string(t)}, nil
			}
		}
		return &interpolated{nodes}, nil
	}
	return nil, p.fail("the string has no end")
}

// unicodeEscapes replaces \uXXXX, the only escape of Velocity's strings.
func unicodeEscapes(s string) string {
	if !strings.Contains(s, `\u`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if strings.HasPrefix(s[i:], `\u`) && i+6 <= len(s) {
			if n, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil {
				b.WriteRune(rune(n))
				i += 6
				continue
			}
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String()
}

func (p *parser) number() (expr, error) {
	start := p.i
	p.take("-")
	digits := func() {
		for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
			p.i++
		}
	}
	digits()
	real := false
	if p.peek() == '.' && p.at(p.i+1) != '.' {
		real = true
		p.i++
		digits()
	}
	if c := p.peek(); (c == 'e' || c == 'E') && p.i > start {
		at := p.i
		p.i++
		if c := p.peek(); c == '+' || c == '-' {
			p.i++
		}
		if c := p.peek(); c >= '0' && c <= '9' {
			real = true
			digits()
		} else {
			p.i = at
		}
	}
	t := p.s[start:p.i]
	if real {
		f, err := strconv.ParseFloat(t, 64)
		if err != nil {
			return nil, p.failAt(start, "bad number")
		}
		return literal{f}, nil
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		if len(t) > 1 && len(t) < 1000 && strings.Trim(t[1:], "0123456789") == "" {
			return literal{jsonpath.Number(t)}, nil
		}
		return nil, p.failAt(start, "bad number")
	}
	return literal{n}, nil
}

// list reads values separated by commas or blanks, over the closing sign.
func (p *parser) list(closing byte) ([]expr, error) {
	var items []expr
	for {
		p.space()
		if p.peek() == closing {
			p.i++
			return items, nil
		}
		if len(items) > 0 && p.take(",") {
			p.space()
		}
		if p.i >= len(p.s) {
			return nil, p.fail("expected " + string(closing))
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
	}
}

// array reads [a, b] and [a..b].
func (p *parser) array() (expr, error) {
	p.i++
	p.space()
	if p.take("]") {
		return &list{}, nil
	}
	first, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.take("..") {
		to, err := p.expression()
		if err != nil {
			return nil, err
		}
		if p.space(); !p.take("]") {
			return nil, p.fail("expected ]")
		}
		return &span{first, to}, nil
	}
	if p.peek() != ',' && p.peek() != ']' {
		return nil, p.fail("expected , or ]")
	}
	p.take(",")
	rest, err := p.list(']')
	return &list{append([]expr{first}, rest...)}, err
}

func (p *parser) dict() (expr, error) {
	p.i++
	d := &dict{}
	for {
		p.space()
		if p.take("}") {
			return d, nil
		}
		if len(d.keys) > 0 {
			if !p.take(",") {
				return nil, p.fail("expected , or }")
			}
			p.space()
		}
		k, err := p.expression()
		if err != nil {
			return nil, err
		}
		if p.space(); !p.take(":") {
			return nil, p.fail("expected :")
		}
		v, err := p.expression()
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, k), append(d.values, v)
	}
}

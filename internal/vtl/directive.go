package vtl

import "strings"

// directive reads what begins with #. It returns the name of what ends the block: end, else, elseif.
func (p *parser) directive(b *builder, slashes int) (string, error) {
	start := p.i
	p.i++
	if slashes == 0 {
		switch c := p.peek(); c {
		case '#':
			n := strings.IndexByte(p.s[p.i:], '\n')
			if n < 0 {
				p.i = len(p.s)
			} else {
				p.i += n + 1
			}
			return "", nil
		case '*':
			n := strings.Index(p.s[p.i+1:], "*#")
			if n < 0 {
				return "", p.failAt(start, "the comment has no end")
			}
			p.i += 1 + n + 2
			return "", nil
		case '[':
			if p.at(p.i+1) == '[' {
				n := strings.Index(p.s[p.i:], "]]#")
				if n < 0 {
					return "", p.failAt(start, "#[[ has no end")
				}
				b.text.WriteString(p.s[p.i+2 : p.i+n])
				p.i += n + 3
				return "", nil
			}
		}
	}
	bodied := p.take("@")
	formal := p.take("{")
	name := p.word()
	if formal && !p.take("}") {
		name = ""
	}
	known := keywords[name] || p.c.macros[name] != nil
	if bodied && p.c.macros[name] == nil {
		known = false
	}
	if !known || slashes > 0 {
		if !known { // not ours: the # is text, and so are the backslashes
			p.i = start + 1
			if name != "" && !bodied && !formal {
				if n, err := p.unknown(start, name); n != nil || err != nil {
					b.text.WriteString(strings.Repeat(`\`, slashes))
					if n != nil {
						b.add(n)
					}
					return "", err
				}
			}
			b.text.WriteString(strings.Repeat(`\`, slashes) + "#")
			return "", nil
		}
		b.text.WriteString(strings.Repeat(`\`, slashes/2))
		if slashes%2 == 1 {
			b.text.WriteString(p.s[start:p.i])
			return "", nil
		}
	}
	if p.c.macros[name] != nil && !keywords[name] {
		return "", p.macroCall(b, start, name, bodied)
	}
	switch name {
	case "end", "else":
		p.endOfLine()
		return name, nil
	case "elseif":
		return name, nil
	case "stop":
		b.add(signal{errStop})
		return "", nil
	case "break":
		if p.peek() == '(' { // Velocity 1.7 takes a scope: #break($foreach)
			p.i++
			if _, err := p.list(')'); err != nil {
				return "", err
			}
		}
		b.add(signal{errBreak})
		return "", nil
	}
	p.blanks()
	if !p.take("(") {
		if name == "set" || name == "if" || name == "foreach" || name == "macro" || name == "define" {
			return "", p.fail("expected ( after #" + name)
		}
		return "", p.failAt(start, "#"+name+" is not supported")
	}
	var n node
	var err error
	switch name {
	case "set":
		b.trimBlanks()
		n, err = p.set()
	case "if":
		n, err = p.branch()
	case "foreach":
		n, err = p.foreach()
	case "macro":
		n, err = p.macro()
	case "define":
		n, err = p.define()
	default:
		return "", p.failAt(start, "#"+name+" is not supported")
	}
	if err == nil && n != nil {
		b.add(n)
	}
	return "", err
}

var keywords = map[string]bool{
	"set": true, "if": true, "elseif": true, "else": true, "end": true, "foreach": true, "break": true, "stop": true,
	"macro": true, "define": true, "parse": true, "include": true, "evaluate": true,
}

// unknown reads the arguments of a directive that nobody defined, which prints as it is written. What does
// not look like arguments is text.
func (p *parser) unknown(start int, name string) (node, error) {
	save := p.i
	p.i += len(name)
	p.blanks()
	if p.peek() == '(' {
		p.i++
		if _, err := p.list(')'); err == nil {
			return text(p.s[start:p.i]), nil
		}
	}
	p.i = save
	return nil, nil
}

func (p *parser) closing() error {
	p.space()
	if !p.take(")") {
		return p.fail("expected )")
	}
	p.endOfLine()
	return nil
}

func (p *parser) set() (node, error) {
	p.space()
	if p.peek() != '$' {
		return nil, p.fail("expected a reference")
	}
	ref, _, err := p.reference()
	if err != nil {
		return nil, err
	}
	if ref == nil || len(ref.chain) > 0 && ref.chain[len(ref.chain)-1].kind == method {
		return nil, p.fail("expected a reference that can be set")
	}
	p.space()
	if p.peek() != '=' || p.at(p.i+1) == '=' {
		return nil, p.fail("expected =")
	}
	p.i++
	value, err := p.expression()
	if err != nil {
		return nil, err
	}
	return &set{ref, value}, p.closing()
}

// body reads a block that ends with #end.
func (p *parser) body(of string) ([]node, error) {
	nodes, end, err := p.block()
	if err != nil {
		return nil, err
	}
	if end != "end" {
		return nil, p.fail("expected #end of #" + of)
	}
	return nodes, nil
}

func (p *parser) branch() (node, error) {
	n := &branch{}
	for {
		condition, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.closing(); err != nil {
			return nil, err
		}
		nodes, end, err := p.block()
		if err != nil {
			return nil, err
		}
		n.arms = append(n.arms, arm{condition, nodes})
		switch end {
		case "end":
			return n, nil
		case "else":
			nodes, err := p.body("if")
			n.arms = append(n.arms, arm{nil, nodes})
			return n, err
		case "elseif":
			if p.blanks(); !p.take("(") {
				return nil, p.fail("expected ( after #elseif")
			}
		default:
			return nil, p.fail("expected #end of #if")
		}
	}
}

// name reads $x alone.
func (p *parser) name() (string, error) {
	p.space()
	if !p.take("$") {
		return "", p.fail("expected $ and a name")
	}
	p.take("!")
	formal := p.take("{")
	name := p.word()
	if name == "" || formal && !p.take("}") {
		return "", p.fail("expected a name")
	}
	return name, nil
}

func (p *parser) foreach() (node, error) {
	item, err := p.name()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.word() != "in" {
		return nil, p.fail("expected in")
	}
	list, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.closing(); err != nil {
		return nil, err
	}
	nodes, err := p.body("foreach")
	return &foreach{item: p.c.slot(item), scope: p.c.slot("foreach"), count: p.c.slot("velocityCount"), hasNext: p.c.slot("velocityHasNext"), list: list, nodes: nodes}, err
}

func (p *parser) macro() (node, error) {
	p.space()
	name := p.word()
	m := p.c.macros[name]
	if m == nil || keywords[name] {
		return nil, p.fail("expected a macro's name")
	}
	var params []int
	for p.space(); p.peek() == '$' || p.peek() == ','; p.space() {
		if p.take(",") {
			continue
		}
		param, err := p.name()
		if err != nil {
			return nil, err
		}
		params = append(params, p.c.slot(param))
	}
	if err := p.closing(); err != nil {
		return nil, err
	}
	nodes, err := p.body("macro")
	if m.nodes == nil && m.params == nil { // the first definition counts
		m.params, m.nodes = params, nodes
	}
	return nil, err
}

func (p *parser) define() (node, error) {
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	if err := p.closing(); err != nil {
		return nil, err
	}
	nodes, err := p.body("define")
	return &define{p.c.slot(name), nodes}, err
}

func (p *parser) macroCall(b *builder, start int, name string, bodied bool) error {
	p.c.slot("bodyContent")
	save := p.i
	p.blanks()
	if !p.take("(") {
		p.i = save
		b.text.WriteString(p.s[start:p.i])
		return nil
	}
	args, err := p.list(')')
	if err != nil {
		return err
	}
	n := &call{name: name, macro: p.c.macros[name], args: args, source: p.s[start:p.i]}
	p.endOfLine()
	if bodied {
		if n.body, err = p.body("@" + name); err != nil {
			return err
		}
	}
	b.add(n)
	return nil
}

package vtl

import (
	"regexp"
	"strings"
)

// maxNesting bounds blocks, strings and parentheses inside each other in a template's source.
const maxNesting = 200

// macroNames finds the macros of a template, for one may be used before its definition.
var macroNames = regexp.MustCompile(`#(?:macro|\{macro\})[ \t]*\(\s*([A-Za-z_][\w-]*)`)

// Compile reads a template. The error is a *SyntaxError.
func Compile(source string) (*Template, error) {
	t, err := compile(source)
	if e, ok := err.(*SyntaxError); ok {
		e.place(source)
	}
	return t, err
}

func compile(source string) (*Template, error) {
	c := &compilation{slots: map[string]int{}, macros: map[string]*macro{}}
	p := &parser{c: c, s: source}
	if len(source) > MaxSource {
		return nil, p.fail("the template is longer than 300 KB")
	}
	for _, m := range macroNames.FindAllStringSubmatch(source, -1) {
		c.macros[m[1]] = &macro{}
	}
	nodes, end, err := p.block()
	if err != nil {
		return nil, err
	}
	if end != "" {
		return nil, p.fail("#" + end + " without a block")
	}
	return &Template{nodes: nodes, names: c.names}, nil
}

// compilation is what the parsers of a template and of the strings in it share.
type compilation struct {
	slots  map[string]int
	names  []string
	macros map[string]*macro
	depth  int
}

func (c *compilation) slot(name string) int {
	i, ok := c.slots[name]
	if !ok {
		i = len(c.names)
		c.slots[name] = i
		c.names = append(c.names, strings.Clone(name))
	}
	return i
}

type parser struct {
	c    *compilation
	s    string
	i    int
	base int // where s begins in the template
}

func (p *parser) fail(reason string) error { return p.failAt(p.i, reason) }

// failAt notes the offset; the place is worked out once, for many errors are only a try that failed.
func (p *parser) failAt(i int, reason string) error {
	return &SyntaxError{Reason: reason, offset: p.base + i}
}

func (e *SyntaxError) place(source string) {
	before := source[:min(len(source), e.offset)]
	e.Line, e.Column = strings.Count(before, "\n")+1, len(before)-strings.LastIndexByte(before, '\n')
}

func (p *parser) at(i int) byte {
	if i < len(p.s) {
		return p.s[i]
	}
	return 0
}

func (p *parser) peek() byte { return p.at(p.i) }

func (p *parser) take(s string) bool {
	if strings.HasPrefix(p.s[p.i:], s) {
		p.i += len(s)
		return true
	}
	return false
}

func (p *parser) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n' || p.s[p.i] == '\r') {
		p.i++
	}
}

func (p *parser) blanks() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t') {
		p.i++
	}
}

// endOfLine skips blanks and a line's end, if nothing else stands there.
func (p *parser) endOfLine() {
	start := p.i
	p.blanks()
	if p.take("\r\n") || p.take("\n") || p.take("\r") {
		return
	}
	p.i = start
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isWord(c byte) bool   { return isLetter(c) || c >= '0' && c <= '9' || c == '-' }

// word reads an identifier, "" if there is none.
func (p *parser) word() string {
	if !isLetter(p.peek()) {
		return ""
	}
	start := p.i
	for isWord(p.peek()) {
		p.i++
	}
	return p.s[start:p.i]
}

func (p *parser) down() error {
	if p.c.depth >= maxNesting {
		return p.fail("nested too deeply")
	}
	p.c.depth++
	return nil
}

func (p *parser) up() { p.c.depth-- }

// builder collects a block's nodes, joining text.
type builder struct {
	nodes []node
	text  strings.Builder
}

func (b *builder) flush() {
	if b.text.Len() > 0 {
		b.nodes = append(b.nodes, text(b.text.String()))
		b.text.Reset()
	}
}

func (b *builder) add(n node) {
	b.flush()
	b.nodes = append(b.nodes, n)
}

// trimBlanks takes blanks back from the end of the text, as #set does.
func (b *builder) trimBlanks() {
	s := strings.TrimRight(b.text.String(), " \t")
	b.text.Reset()
	b.text.WriteString(s)
}

// block reads to the end of the source, or over #end, #else or #elseif, whose name it returns.
func (p *parser) block() ([]node, string, error) {
	if err := p.down(); err != nil {
		return nil, "", err
	}
	defer p.up()
	var b builder
	for p.i < len(p.s) {
		next := strings.IndexAny(p.s[p.i:], `$#\`)
		if next < 0 {
			b.text.WriteString(p.s[p.i:])
			p.i = len(p.s)
			break
		}
		b.text.WriteString(p.s[p.i : p.i+next])
		p.i += next
		start := p.i
		for p.peek() == '\\' {
			p.i++
		}
		slashes := p.i - start
		switch p.peek() {
		case '$':
			out, err := p.output(slashes)
			if err != nil {
				return nil, "", err
			}
			if out == nil {
				p.i++
				b.text.WriteString(p.s[start:p.i])
				continue
			}
			b.add(out)
		case '#':
			end, err := p.directive(&b, slashes)
			if err != nil || end != "" {
				b.flush()
				return b.nodes, end, err
			}
		default:
			b.text.WriteString(p.s[start:p.i])
		}
	}
	b.flush()
	return b.nodes, "", nil
}

// output reads a reference in text; nil if the $ is only a $.
func (p *parser) output(slashes int) (*output, error) {
	start := p.i
	ref, quiet, err := p.reference()
	if err != nil {
		return nil, err
	}
	if ref == nil {
		p.i = start
		return nil, nil
	}
	return &output{reference: ref, source: p.s[start:p.i], quiet: quiet, backslashes: slashes}, nil
}

// reference reads $x, ${x}, $!x, $!{x} with what follows; nil if there is no name.
func (p *parser) reference() (*reference, bool, error) {
	start := p.i
	p.i++
	quiet := p.take("!")
	formal := p.take("{")
	name := p.word()
	if name == "" {
		return nil, false, nil
	}
	ref := &reference{slot: p.c.slot(name)}
	for {
		switch c := p.peek(); {
		case c == '.' && isLetter(p.at(p.i+1)):
			p.i++
			a := access{kind: property, name: strings.Clone(p.word())}
			if p.peek() == '(' {
				p.i++
				a.kind = method
				args, err := p.list(')')
				if err != nil {
					return nil, false, err
				}
				a.args = args
			}
			ref.chain = append(ref.chain, a)
			continue
		case c == '[':
			at := p.i
			p.i++
			p.space()
			e, err := p.expression()
			p.space()
			if err != nil || !p.take("]") {
				if formal {
					return nil, false, p.failAt(at, "expected an index and ]")
				}
				p.i = at // text that begins with a bracket
				break
			}
			ref.chain = append(ref.chain, access{kind: index, args: []expr{e}})
			continue
		}
		break
	}
	if formal && !p.take("}") {
		return nil, false, p.fail("expected } after the reference")
	}
	ref.source = p.s[start:p.i]
	return ref, quiet, nil
}

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

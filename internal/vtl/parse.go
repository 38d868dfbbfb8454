package vtl

import (
	"regexp"
	"strings"
)

// maxNesting bounds blocks, strings and parentheses inside each other in a template's source.
const maxNesting = 200

const tooDeep = "nested too deeply"

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

	noIndex map[int]bool // brackets that were tried as an index, and are text
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
		return p.fail(tooDeep)
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
		case c == '[' && !p.noIndex[p.i]:
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
				if bad, ok := err.(*SyntaxError); !ok || bad.Reason != tooDeep {
					if p.noIndex == nil {
						p.noIndex = map[int]bool{}
					}
					p.noIndex[at] = true
				}
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

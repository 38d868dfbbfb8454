package jsonpath

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Path is a parsed JSONPath.
type Path struct {
	text     string
	steps    []step
	function string // at the end, without ()
	definite bool
}

// Bounds on the text of a path.
const (
	MaxPath       = 16 << 10 // bytes
	maxPathNested = 64       // filters and parentheses inside each other
)

type stepKind uint8

const (
	stepNames stepKind = iota
	stepIndexes
	stepSlice
	stepAll
	stepFilter
)

type step struct {
	kind     stepKind
	deep     bool // ".." came before
	names    []string
	indexes  []int
	from, to *int
	filter   condition
}

// single says whether the step selects at most one value.
func (s *step) single() bool {
	return !s.deep && (s.kind == stepNames && len(s.names) == 1 || s.kind == stepIndexes && len(s.indexes) == 1)
}

var functions = []string{"length", "size", "min", "max", "avg", "sum", "stddev", "keys", "first", "last"}

// Parse reads a path. Like Jayway's, a path that does not begin with $ or @ is one below the document's root.
// The error is a *SyntaxError.
func Parse(text string) (*Path, error) {
	if len(text) > MaxPath {
		return nil, &SyntaxError{Offset: MaxPath, Reason: "path too long"}
	}
	p := parser{s: text}
	p.space()
	if c := p.peek(); c != '$' && c != '@' {
		p.s = "$." + strings.TrimSpace(text)
		p.i = 0
	}
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.i < len(p.s) {
		return nil, p.fail("unexpected character")
	}
	return path, nil
}

// Definite says whether the path selects at most one value, which Get then gives as it is.
func (p *Path) Definite() bool { return p.definite }

// String is the path's text.
func (p *Path) String() string { return p.text }

type parser struct {
	s     string
	i     int
	depth int
}

func (p *parser) fail(reason string) error { return &SyntaxError{Offset: p.i, Reason: reason} }

func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *parser) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

func (p *parser) take(s string) bool {
	if strings.HasPrefix(p.s[p.i:], s) {
		p.i += len(s)
		return true
	}
	return false
}

// path reads from $ or @ to where no step follows.
func (p *parser) path() (*Path, error) {
	start := p.i
	p.i++
	path := &Path{definite: true}
	for {
		deep := false
		switch {
		case p.take(".."):
			deep = true
			if p.peek() == '.' {
				return nil, p.fail("unexpected .")
			}
		case p.take("."): // a bracket may follow, as Jayway has it: $.['a']
		case p.peek() == '[':
		default:
			path.text = p.s[start:p.i]
			path.settle()
			return path, nil
		}
		s := step{deep: deep}
		switch c := p.peek(); {
		case c == '[':
			if err := p.bracket(&s); err != nil {
				return nil, err
			}
		case c == '*':
			p.i++
			s.kind = stepAll
		default:
			name := p.name()
			if name == "" {
				return nil, p.fail("expected a name")
			}
			if p.peek() == '(' {
				p.i++
				p.space()
				if !p.take(")") || deep || !slices.Contains(functions, name) {
					return nil, p.fail("function " + strconv.Quote(name) + " is not supported")
				}
				path.function = name
				path.text = p.s[start:p.i]
				path.settle()
				return path, nil
			}
			s.names = []string{name}
		}
		path.steps = append(path.steps, s)
	}
}

func (path *Path) settle() {
	for i := range path.steps {
		s := &path.steps[i]
		last := i == len(path.steps)-1
		if !s.single() && !(last && !s.deep && s.kind == stepNames) {
			path.definite = false
		}
	}
}

func (p *parser) name() string {
	start := p.i
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n.[]()*,'\"=<>!&|~{}", p.s[p.i]) < 0 {
		p.i++
	}
	return p.s[start:p.i]
}

func (p *parser) bracket(s *step) error {
	p.i++
	p.space()
	switch c := p.peek(); {
	case c == '*':
		p.i++
		s.kind = stepAll
	case c == '?':
		p.i++
		p.space()
		s.kind = stepFilter
		if !p.take("(") {
			return p.fail("expected (")
		}
		f, err := p.or()
		if err != nil {
			return err
		}
		p.space()
		if !p.take(")") {
			return p.fail("expected )")
		}
		s.filter = f
	case c == '\'' || c == '"':
		for {
			name, err := p.quoted()
			if err != nil {
				return err
			}
			s.names = append(s.names, name)
			p.space()
			if !p.take(",") {
				break
			}
			p.space()
		}
	default:
		if err := p.indexes(s); err != nil {
			return err
		}
	}
	p.space()
	if !p.take("]") {
		return p.fail("expected ]")
	}
	return nil
}

func (p *parser) indexes(s *step) error {
	s.kind = stepIndexes
	for {
		n, ok, err := p.integer()
		if err != nil {
			return err
		}
		p.space()
		if len(s.indexes) == 0 && p.take(":") {
			s.kind = stepSlice
			if ok {
				s.from = &n
			}
			p.space()
			to, ok, err := p.integer()
			if err != nil {
				return err
			}
			if ok {
				s.to = &to
			}
			if s.from == nil && s.to == nil {
				s.kind = stepAll
			}
			return nil
		}
		if !ok {
			return p.fail("expected a name, an index, * or a filter")
		}
		s.indexes = append(s.indexes, n)
		if !p.take(",") {
			return nil
		}
		p.space()
	}
}

func (p *parser) integer() (int, bool, error) {
	start := p.i
	if p.peek() == '-' {
		p.i++
	}
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.i++
	}
	if p.i == start {
		return 0, false, nil
	}
	n, err := strconv.Atoi(p.s[start:p.i])
	if err != nil {
		return 0, false, p.fail("bad index")
	}
	return n, true, nil
}

// quoted reads a string in single or double quotes; a backslash takes the next character as it is.
func (p *parser) quoted() (string, error) {
	quote := p.peek()
	if quote != '\'' && quote != '"' {
		return "", p.fail("expected a quoted name")
	}
	p.i++
	var b strings.Builder
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch {
		case c == quote:
			return b.String(), nil
		case c == '\\' && p.i < len(p.s):
			c = p.s[p.i]
			p.i++
			switch c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			}
		}
		b.WriteByte(c)
	}
	return "", p.fail("unclosed quote")
}

// A Cache keeps parsed paths by their text. The zero value is ready; it may be used by many goroutines.
type Cache struct {
	mu    sync.RWMutex
	paths map[string]*Path
}

const maxCached = 4096

// Parse is Parse, remembered.
func (c *Cache) Parse(text string) (*Path, error) {
	c.mu.RLock()
	p := c.paths[text]
	c.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	p, err := Parse(text)
	if err != nil || len(text) > 512 {
		return p, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paths == nil || len(c.paths) >= maxCached {
		c.paths = make(map[string]*Path)
	}
	c.paths[strings.Clone(text)] = p
	return p, nil
}

package policy

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// pattern is a text with wildcards and variables, cut up for matching. It is cut at its asterisks into
// segments; the first is anchored at the start and the last at the end. Between them the leftmost
// occurrence is always as good as any other, so there is no backtracking, and matching takes time in
// proportion to the product of the lengths at the worst.
type pattern struct {
	text string // as written
	form form
	lit  string     // of exact and prefix
	segs [][]atom   // of general
	vars []variable // what its atoms refer to
}

type form uint8

const (
	general  form = iota
	exact         // lit
	prefix        // lit*
	anything      // *
)

type atom struct {
	kind atomKind
	lit  string
	v    int // index into vars
}

type atomKind uint8

const (
	literal atomKind = iota
	oneChar
	varValue
)

// variable is ${key} or ${key, 'default'}.
type variable struct {
	key        string // in lower case
	def        string
	hasDefault bool
}

var errVariable = errors.New("invalid variable")

// parsePattern cuts text up. Asterisks and question marks are wildcards only if wild, variables are
// variables only if vars; otherwise they are text.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func parsePattern(text string, wild, vars bool) (pattern, error) {
	p := pattern{text: text}
	var seg []atom
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			seg = append(seg, atom{kind: literal, lit: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case wild && c == '*':
			flush()
			if len(p.segs) == 0 || len(seg) > 0 { // ** is *
				p.segs = append(p.segs, seg)
				seg = nil
			}
			i++
		case wild && c == '?':
			flush()
			seg = append(seg, atom{kind: oneChar})
			i++
		case vars && strings.HasPrefix(text[i:], "${"):
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return p, errVariable
			}
			name := text[i+2 : i+end]
			i += end + 1
			if name == "*" || name == "?" || name == "$" {
				lit.WriteString(name)
				continue
			}
			v, err := parseVariable(name)
			if err != nil {
				return p, err
			}
			flush()
			seg = append(seg, atom{kind: varValue, v: len(p.vars)})
			p.vars = append(p.vars, v)
		default:
			lit.WriteByte(c)
			i++
		}
	}
	flush()
	p.segs = append(p.segs, seg)

	plain := func(seg []atom) (string, bool) {
		switch {
		case len(seg) == 0:
			return "", true
		case len(seg) == 1 && seg[0].kind == literal:
			return seg[0].lit, true
		}
		return "", false
	}
	if lit, ok := plain(p.segs[0]); ok {
		switch {
		case len(p.segs) == 1:
			p.form, p.lit, p.segs = exact, lit, nil
		case len(p.segs) == 2 && len(p.segs[1]) == 0 && lit == "":
			p.form, p.segs = anything, nil
		case len(p.segs) == 2 && len(p.segs[1]) == 0:
			p.form, p.lit, p.segs = prefix, lit, nil
		}
	}
	return p, nil
}

// parseVariable reads what stands between the braces.
func parseVariable(s string) (variable, error) {
	name, def, hasDefault := strings.Cut(s, ",")
	v := variable{key: strings.ToLower(name), hasDefault: hasDefault}
	if hasDefault {
		def = strings.TrimLeft(def, " ")
		if len(def) < 2 || def[0] != '\'' || def[len(def)-1] != '\'' || strings.Contains(def[1:len(def)-1], "'") {
			return v, errVariable
		}
		v.def = def[1 : len(def)-1]
	}
	if name == "" || strings.ContainsAny(name, " \t\r\n'\"${}*?") {
		return v, errVariable
	}
	return v, nil
}

// outcome of a match with variables.
type outcome uint8

const (
	differs outcome = iota
	matches
	unresolved // a variable has no value
)

func outcomeOf(ok bool) outcome {
	if ok {
		return matches
	}
	return differs
}

// maxStackVars is how many values of variables are kept without allocating.
const maxStackVars = 4

func (p *pattern) match(s string, e *env) outcome {
	switch p.form {
	case exact:
		return outcomeOf(s == p.lit)
	case prefix:
		return outcomeOf(strings.HasPrefix(s, p.lit))
	case anything:
		return matches
	}
	var buf [maxStackVars]string
	vals, ok := p.resolve(e, buf[:0])
	if !ok {
		return unresolved
	}
	return outcomeOf(p.general(s, vals))
}

// resolve appends the values of the pattern's variables to vals.
func (p *pattern) resolve(e *env, vals []string) ([]string, bool) {
	for i := range p.vars {
		v, ok := e.variable(&p.vars[i])
		if !ok {
			return nil, false
		}
		vals = append(vals, v)
	}
	return vals, true
}

func (p *pattern) general(s string, vals []string) bool {
	n, ok := matchStart(p.segs[0], s, vals)
	if !ok {
		return false
	}
	last := len(p.segs) - 1
	if last == 0 {
		return n == len(s)
	}
	s = s[n:]
	for _, seg := range p.segs[1:last] {
		if n, ok = find(seg, s, vals); !ok {
			return false
		}
		s = s[n:]
	}
	return matchEnd(p.segs[last], s, vals)
}

// matchStart matches a segment at the start of s and returns how many bytes it takes.
func matchStart(seg []atom, s string, vals []string) (int, bool) {
	n := 0
	for i := range seg {
		a := &seg[i]
		lit := a.lit
		switch a.kind {
		case oneChar:
			_, size := utf8.DecodeRuneInString(s[n:])
			if size == 0 {
				return 0, false
			}
			n += size
			continue
		case varValue:
			lit = vals[a.v]
		}
		if !strings.HasPrefix(s[n:], lit) {
			return 0, false
		}
		n += len(lit)
	}
	return n, true
}

// matchEnd tells whether s ends with a segment.
func matchEnd(seg []atom, s string, vals []string) bool {
	for i := len(seg) - 1; i >= 0; i-- {
		a := &seg[i]
		lit := a.lit
		switch a.kind {
		case oneChar:
			_, size := utf8.DecodeLastRuneInString(s)
			if size == 0 {
				return false
			}
			s = s[:len(s)-size]
			continue
		case varValue:
			lit = vals[a.v]
		}
		if !strings.HasSuffix(s, lit) {
			return false
		}
		s = s[:len(s)-len(lit)]
	}
	return true
}

// find looks for the leftmost occurrence of a segment and returns where it ends.
func find(seg []atom, s string, vals []string) (int, bool) {
	at := 0
	for {
		if seg[0].kind == literal {
			i := strings.Index(s[at:], seg[0].lit)
			if i < 0 {
				return 0, false
			}
			at += i
		}
		if n, ok := matchStart(seg, s[at:], vals); ok {
			return at + n, true
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		if size == 0 {
			return 0, false
		}
		at += size
	}
}

// expand returns the text with its variables put in, for comparisons that are not patterns.
func (p *pattern) expand(e *env) (string, bool) {
	if p.form == exact {
		return p.lit, true
	}
	var b strings.Builder
	for _, seg := range p.segs {
		for i := range seg {
			switch seg[i].kind {
			case literal:
				b.WriteString(seg[i].lit)
			case varValue:
				v, ok := e.variable(&p.vars[seg[i].v])
				if !ok {
					return "", false
				}
				b.WriteString(v)
			}
		}
	}
	return b.String(), true
}

// arnPattern is a pattern of ArnEquals and ArnLike: each of the six parts is matched for itself.
type arnPattern struct {
	text  string
	parts [6]pattern
	ok    bool // it has six parts; if not it matches nothing
}

func parseARNPattern(text string, vars bool) (arnPattern, error) {
	a := arnPattern{text: text}
	rest := text
	for i := range a.parts {
		part := rest
		if i < 5 {
			n := colon(rest, vars)
			if n < 0 {
				_, err := parsePattern(text, true, vars)
				return a, err
			}
			part, rest = rest[:n], rest[n+1:]
		}
		var err error
		if a.parts[i], err = parsePattern(part, true, vars); err != nil {
			return a, err
		}
	}
	a.ok = true
	return a, nil
}

// colon finds the first colon that is not within a variable.
func colon(s string, vars bool) int {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == ':':
			return i
		case vars && strings.HasPrefix(s[i:], "${"):
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return -1
			}
			i += end
		}
	}
	return -1
}

func (a *arnPattern) match(s string, e *env) outcome {
	if !a.ok {
		return differs
	}
	result := matches
	for i := range a.parts {
		part := s
		if i < 5 {
			n := strings.IndexByte(s, ':')
			if n < 0 {
				return differs
			}
			part, s = s[:n], s[n+1:]
		}
		switch a.parts[i].match(part, e) {
		case differs:
			return differs
		case unresolved:
			result = unresolved
		}
	}
	return result
}

// action is a pattern of Action, in lower case.
type action struct {
	form form
	lit  string
}

func parseAction(text string) action {
	lower := strings.ToLower(text)
	star := strings.IndexAny(lower, "*?")
	switch {
	case lower == "*":
		return action{form: anything}
	case star < 0:
		return action{form: exact, lit: lower}
	case star == len(lower)-1 && lower[star] == '*':
		return action{form: prefix, lit: lower[:star]}
	}
	return action{form: general, lit: lower}
}

// match compares with the name of an action, which may be in any case. Names are ASCII.
func (a *action) match(s string) bool {
	n := len(a.lit)
	switch a.form {
	case anything:
		return true
	case exact:
		return len(s) == n && foldEqual(a.lit, s)
	case prefix:
		return len(s) >= n && foldEqual(a.lit, s[:n])
	}
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < n && a.lit[i] == '*':
			star, mark = i, j
			i++
		case i < n && (a.lit[i] == '?' || a.lit[i] == lowerByte(s[j])):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < n && a.lit[i] == '*' {
		i++
	}
	return i == n
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// foldEqual compares two texts of the same length, of which the first is in lower case. It begins at
// the end: the names of a service's actions begin alike.
func foldEqual(lower, s string) bool {
	for i := len(s) - 1; i >= 0; i-- {
		if lowerByte(s[i]) != lower[i] {
			return false
		}
	}
	return true
}

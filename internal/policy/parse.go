package policy

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxSize is the size of the largest text that [Parse] reads, in bytes: the bound that IAM's API puts
// on a policyDocument. The smaller quotas depend on what a policy is attached to; see [Size].
const MaxSize = 131072

// The versions of the policy language. Variables exist in the second only.
const (
	Version2008 = "2008-10-17"
	Version2012 = "2012-10-17"
)

// Document is a policy as it was written.
type Document struct {
	Version    string // "" where the document has none, which means Version2008
	ID         string
	Statements []Statement

	hasID bool
	text  string // what was parsed, for positions
}

// Effect is what a statement does with the requests that it applies to.
type Effect string

const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Statement is one statement. Of Action and NotAction exactly one is set, of the other pairs at most
// one. A scalar in the JSON is a list of one here.
type Statement struct {
	Sid          string
	Effect       Effect
	Principal    *Principals
	NotPrincipal *Principals
	Action       []string
	NotAction    []string
	Resource     []string
	NotResource  []string
	Condition    []Condition // in the order of the text

	pos [elements]int // where the value of each element begins; 0 is unknown
}

// Principals is the value of Principal or NotPrincipal.
type Principals struct {
	Any           bool // "*" in place of a map
	AWS           []string
	Service       []string
	Federated     []string
	CanonicalUser []string
}

// Condition is one key under one operator.
type Condition struct {
	Operator string // as written: "ForAnyValue:StringLike"
	Key      string
	Values   []string // numbers and Booleans as they stand in the JSON

	pos int
}

// The elements of a statement, as indexes of positions.
const (
	elemSid = iota
	elemEffect
	elemPrincipal
	elemNotPrincipal
	elemAction
	elemNotAction
	elemResource
	elemNotResource
	elemCondition
	elemStatement // the statement itself
	elements
)

var elementNames = [elements - 1]string{"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}

// Parse reads a policy document. Its errors are of type *[Error]. What it accepts is the grammar of
//
//	https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
//
// and nothing beside it: keys that occur twice, unknown elements and values of another type are errors,
// as are texts beyond [MaxSize]. Nesting deeper than the grammar's is an unknown element or a wrong
// type, so the depth needs no bound of its own.
func Parse(text string) (*Document, error) {
	p := parser{doc: &Document{text: text}, statement: -1}
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.doc, nil
}

// Size returns the length of a policy as IAM's quotas count it: in characters, without white space.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func Size(text string) int {
	n := 0
	for _, r := range text {
		if r != ' ' && r != '\n' && r != '\r' && r != '\t' {
			n++
		}
	}
	return n
}

type parser struct {
	doc       *Document
	dec       *json.Decoder
	at        int // where the last token begins
	statement int // index of the statement that is being read, or -1
}

func (p *parser) fail(r Reason, detail string) error {
	return p.doc.errorAt(r, p.statement, p.at, detail)
}

// next reads a token. It is a json.Delim, string, json.Number, bool or nil.
func (p *parser) next() (json.Token, error) {
	start := int(p.dec.InputOffset())
	for start < len(p.doc.text) && strings.IndexByte(" \t\r\n,:", p.doc.text[start]) >= 0 {
		start++
	}
	p.at = start
	tok, err := p.dec.Token()
	if err == nil {
		return tok, nil
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		p.at = max(int(syntax.Offset)-1, 0)
		return nil, p.fail(Syntax, syntax.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		p.at = len(p.doc.text)
		return nil, p.fail(Syntax, "unexpected end")
	}
	return nil, p.fail(Syntax, err.Error())
}

func (p *parser) document() error {
	text := p.doc.text
	switch {
	case len(text) > MaxSize:
		return p.fail(TooLarge, "")
	case !utf8.ValidString(text):
		return p.fail(Syntax, "not UTF-8")
	}
	p.dec = json.NewDecoder(strings.NewReader(text))
	p.dec.UseNumber()
	if err := p.open('{', "policy"); err != nil {
		return err
	}
	var seen [3]bool
	hasStatement := false
	err := p.object(func(key string) error {
		which := 0
		switch key {
		case "Version":
		case "Id":
			which = 1
		case "Statement":
			which = 2
		default:
			return p.fail(UnknownElement, key)
		}
		if seen[which] {
			return p.fail(DuplicateElement, key)
		}
		seen[which] = true
		var err error
		switch which {
		case 0:
			if p.doc.Version, err = p.text(key); err != nil {
				return err
			}
			if p.doc.Version != Version2008 && p.doc.Version != Version2012 {
				return p.fail(InvalidVersion, p.doc.Version)
			}
		case 1:
			p.doc.hasID = true
			p.doc.ID, err = p.text(key)
		case 2:
			hasStatement = true
			err = p.statements()
		}
		return err
	})
	if err != nil {
		return err
	}
	if rest := strings.TrimLeft(text[p.dec.InputOffset():], " \t\r\n"); rest != "" {
		p.at = len(text) - len(rest)
		return p.fail(Syntax, "text after the policy")
	}
	if !hasStatement || len(p.doc.Statements) == 0 {
		p.at = 0
		return p.fail(MissingStatement, "")
	}
	return nil
}

// open reads the delimiter that what begins with.
func (p *parser) open(delim json.Delim, what string) error {
	tok, err := p.next()
	if err != nil {
		return err
	}
	if tok != delim {
		return p.fail(DataType, what)
	}
	return nil
}

// object reads the rest of an object; f reads the value of each key.
func (p *parser) object(f func(key string) error) error {
	for {
		tok, err := p.next()
		if err != nil {
			return err
		}
		key, ok := tok.(string)
		if !ok {
			return nil // the end: the decoder knows that keys are strings
		}
		if err := f(key); err != nil {
			return err
		}
	}
}

func (p *parser) text(what string) (string, error) {
	tok, err := p.next()
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", p.fail(DataType, what)
	}
	return s, nil
}

// list reads a scalar or a list of scalars, and returns where it begins. Numbers and Booleans are
// taken only if loose.
func (p *parser) list(what string, loose bool) ([]string, int, error) {
	tok, err := p.next()
	if err != nil {
		return nil, 0, err
	}
	at := p.at
	if tok != json.Delim('[') {
		s, err := p.scalar(tok, what, loose)
		return []string{s}, at, err
	}
	list := []string{}
	for {
		tok, err := p.next()
		if err != nil {
			return nil, 0, err
		}
		if tok == json.Delim(']') {
			return list, at, nil
		}
		s, err := p.scalar(tok, what, loose)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, s)
	}
}

func (p *parser) scalar(tok json.Token, what string, loose bool) (string, error) {
	switch v := tok.(type) {
	case string:
		return v, nil
	case json.Number:
		if loose {
			return v.String(), nil
		}
	case bool:
		if loose && v {
			return "true", nil
		} else if loose {
			return "false", nil
		}
	}
	return "", p.fail(DataType, what)
}

// statements reads a statement or a list of them.
func (p *parser) statements() error {
	tok, err := p.next()
	if err != nil {
		return err
	}
	if tok == json.Delim('{') {
		return p.oneStatement()
	}
	if tok != json.Delim('[') {
		return p.fail(DataType, "Statement")
	}
	for {
		p.statement = -1
		tok, err := p.next()
		if err != nil {
			return err
		}
		switch tok {
		case json.Delim(']'):
			return nil
		case json.Delim('{'):
			if err := p.oneStatement(); err != nil {
				return err
			}
		default:
			return p.fail(DataType, "Statement")
		}
	}
}

func (p *parser) oneStatement() error {
	p.statement = len(p.doc.Statements)
	p.doc.Statements = append(p.doc.Statements, Statement{})
	st := &p.doc.Statements[p.statement]
	st.pos[elemStatement] = p.at
	var seen [elements]bool
	err := p.object(func(key string) (err error) {
		which := 0
		for which < len(elementNames) && elementNames[which] != key {
			which++
		}
		if which == len(elementNames) {
			return p.fail(UnknownElement, key)
		}
		if seen[which] {
			return p.fail(DuplicateElement, key)
		}
		seen[which] = true
		switch which {
		case elemSid:
			st.Sid, err = p.text(key)
			st.pos[which] = p.at
		case elemEffect:
			var s string
			s, err = p.text(key)
			st.Effect, st.pos[which] = Effect(s), p.at
		case elemPrincipal:
			st.Principal, st.pos[which], err = p.principals(key)
		case elemNotPrincipal:
			st.NotPrincipal, st.pos[which], err = p.principals(key)
		case elemAction:
			st.Action, st.pos[which], err = p.list(key, false)
		case elemNotAction:
			st.NotAction, st.pos[which], err = p.list(key, false)
		case elemResource:
			st.Resource, st.pos[which], err = p.list(key, false)
		case elemNotResource:
			st.NotResource, st.pos[which], err = p.list(key, false)
		case elemCondition:
			err = p.conditions(st)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = p.doc.checkGrammar(p.statement)
	p.statement = -1
	return err
}

func (p *parser) principals(what string) (*Principals, int, error) {
	tok, err := p.next()
	if err != nil {
		return nil, 0, err
	}
	at := p.at
	if tok == "*" {
		return &Principals{Any: true}, at, nil
	}
	if _, isText := tok.(string); isText {
		return nil, 0, p.fail(InvalidPrincipal, what)
	}
	if tok != json.Delim('{') {
		return nil, 0, p.fail(DataType, what)
	}
	ps := &Principals{}
	err = p.object(func(key string) (err error) {
		var into *[]string
		switch key {
		case "AWS":
			into = &ps.AWS
		case "Service":
			into = &ps.Service
		case "Federated":
			into = &ps.Federated
		case "CanonicalUser":
			into = &ps.CanonicalUser
		default:
			return p.fail(UnknownElement, key)
		}
		if *into != nil {
			return p.fail(DuplicateElement, key)
		}
		*into, _, err = p.list(key, false)
		return err
	})
	return ps, at, err
}

func (p *parser) conditions(st *Statement) error {
	if err := p.open('{', "Condition"); err != nil {
		return err
	}
	st.pos[elemCondition] = p.at
	operators := map[string]bool{}
	return p.object(func(operator string) error {
		if operators[operator] {
			return p.fail(DuplicateElement, operator)
		}
		operators[operator] = true
		if err := p.open('{', operator); err != nil {
			return err
		}
		first := len(st.Condition)
		return p.object(func(key string) error {
			c := Condition{Operator: operator, Key: key, pos: p.at}
			for _, other := range st.Condition[first:] {
				// Keys are the same in any case, so this is one key twice.
				if strings.EqualFold(other.Key, key) {
					return p.fail(DuplicateElement, key)
				}
			}
			var err error
			if c.Values, _, err = p.list(key, true); err != nil {
				return err
			}
			st.Condition = append(st.Condition, c)
			return nil
		})
	})
}

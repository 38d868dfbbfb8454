package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Bounds of a template's text.
const (
	MaxSize  = 1 << 20 // bytes, CloudFormation's limit for a template in S3
	maxDepth = 100     // nesting of maps and lists
	maxNodes = 250_000 // after expansion of aliases
)

// Options change how a template is read.
type Options struct {
	// Aliases allows YAML aliases and merge keys, which CloudFormation refuses. It is for templates
	// that are read from a user's files and sent on as JSON, as `aws cloudformation package` does.
	Aliases bool
}

// Parse reads a template in JSON or YAML and checks it. Errors are *Error.
func Parse(text []byte) (*Template, error) {
	return ParseWith(text, Options{})
}

// ParseWith is Parse with options.
func ParseWith(text []byte, o Options) (*Template, error) {
	root, err := ParseNode(text, o)
	if err != nil {
		return nil, err
	}
	return Build(root)
}

// ParseNode reads a JSON or YAML text into nodes, without looking at what it says. Short tags become
// functions.
func ParseNode(text []byte, o Options) (*Node, error) {
	n, err := parseText(text, o)
	if err == nil {
		err = noNUL(n)
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// noNUL refuses an escaped NUL character, which no text of AWS's has and no database keeps.
func noNUL(n *Node) error {
	if strings.IndexByte(n.Text, 0) >= 0 {
		return errorAt(n, "Template format error: unsupported structure.").with("a text has a NUL character")
	}
	for _, item := range n.Items {
		if err := noNUL(item); err != nil {
			return err
		}
	}
	for i := range n.Entries {
		e := &n.Entries[i]
		if strings.IndexByte(e.Key, 0) >= 0 {
			return errorAt(&Node{Line: e.Line, Column: e.Column}, "Template format error: unsupported structure.").with("a key has a NUL character")
		}
		if err := noNUL(e.Value); err != nil {
			return err
		}
	}
	return nil
}

func parseText(text []byte, o Options) (*Node, error) {
	if len(text) > MaxSize {
		return nil, errorAt(nil, "Template may not exceed %d bytes in size.", MaxSize)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	if len(trimmed) == 0 {
		return nil, errorAt(nil, "Template format error: unsupported structure.").with("the template is empty")
	}
	if !utf8.Valid(text) {
		return nil, errorAt(nil, "Template format error: unsupported structure.").with("the template is not UTF-8")
	}
	// A YAML template may begin with a brace too, so only a text that reads as JSON is taken as such;
	// the error is that of JSON, for that is nearly always what was meant.
	if trimmed[0] == '{' || trimmed[0] == '[' {
		n, err := parseJSON(text)
		if err != nil {
			if y, yerr := parseYAML(text, o); yerr == nil && usesYAML(text) {
				return y, nil
			}
			return nil, err
		}
		return n, nil
	}
	return parseYAML(text, o)
}

// usesYAML tells whether a text that begins like JSON shows signs of YAML: a comment, a tag, or an
// unquoted key. Faulty JSON must not pass because YAML forgives trailing commas.
func usesYAML(text []byte) bool {
	for line := range bytes.Lines(text) {
		t := bytes.TrimLeft(line, " \t{[,")
		if len(t) > 0 && (t[0] == '#' || t[0] == '!' || t[0] >= 'A' && t[0] <= 'Z' && bytes.IndexByte(t, ':') > 0) {
			return true
		}
	}
	return bytes.Contains(text, []byte(": !"))
}

type jsonParser struct {
	dec   *json.Decoder
	text  []byte
	pos   int // offset up to which line and column are counted
	line  int
	col   int
	nodes int
}

func parseJSON(text []byte) (*Node, error) {
	p := &jsonParser{dec: json.NewDecoder(bytes.NewReader(text)), text: text, line: 1, col: 1}
	p.dec.UseNumber()
	n, err := p.value(0)
	if err == nil {
		end := int(p.dec.InputOffset())
		rest := bytes.TrimLeft(text[end:], " \t\r\n")
		if len(rest) == 0 {
			return n, nil
		}
		return nil, p.malformed(len(text)-len(rest), "text after the end of the template")
	}
	var te *Error
	if errors.As(err, &te) {
		return nil, te
	}
	offset := int(p.dec.InputOffset())
	var se *json.SyntaxError
	if errors.As(err, &se) && int(se.Offset) > offset {
		offset = int(se.Offset) - 1
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		offset, err = len(text), errors.New("unexpected end of the template")
	}
	return nil, p.malformed(offset, err.Error())
}

func (p *jsonParser) malformed(offset int, detail string) *Error {
	p.count(offset)
	e := errorAt(nil, "Template format error: JSON not well-formed. (line %d, column %d)", p.line, p.col)
	e.Line, e.Column = p.line, p.col
	return e.with("%s", detail)
}

// count moves line and col to offset, which never goes back by more than a token.
func (p *jsonParser) count(offset int) {
	offset = min(offset, len(p.text))
	if offset < p.pos {
		p.pos, p.line, p.col = 0, 1, 1
	}
	for _, c := range p.text[p.pos:offset] {
		if c == '\n' {
			p.line, p.col = p.line+1, 1
		} else if c&0xC0 != 0x80 {
			p.col++
		}
	}
	p.pos = offset
}

// token returns the next token and marks where it begins.
func (p *jsonParser) token() (json.Token, error) {
	start := int(p.dec.InputOffset())
	for start < len(p.text) && strings.IndexByte(" \t\r\n,:", p.text[start]) >= 0 {
		start++
	}
	t, err := p.dec.Token()
	if err == nil {
		p.count(start)
	}
	return t, err
}

func (p *jsonParser) value(depth int) (*Node, error) {
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	if p.nodes++; p.nodes > maxNodes || depth > maxDepth {
		return nil, p.malformed(p.pos, "the template is nested too deeply or has too many values")
	}
	n := &Node{Line: p.line, Column: p.col}
	switch t := t.(type) {
	case nil:
		n.Kind = Null
	case bool:
		n.Kind, n.Text = Bool, fmt.Sprint(t)
	case json.Number:
		n.Kind, n.Text = Number, t.String()
	case string:
		n.Kind, n.Text = String, t
	case json.Delim:
		if t == '[' {
			n.Kind = List
			for p.dec.More() {
				item, err := p.value(depth + 1)
				if err != nil {
					return nil, err
				}
				n.Items = append(n.Items, item)
			}
		} else {
			n.Kind = Map
			seen := map[string]bool{}
			for p.dec.More() {
				t, err := p.token()
				if err != nil {
					return nil, err
				}
				key, ok := t.(string)
				if !ok {
					return nil, p.malformed(p.pos, "a key must be a string")
				}
				e := Entry{Key: key, Line: p.line, Column: p.col}
				if seen[key] {
					return nil, p.malformed(p.pos, fmt.Sprintf("duplicate key %q", key))
				}
				seen[key] = true
				if e.Value, err = p.value(depth + 1); err != nil {
					return nil, err
				}
				n.Entries = append(n.Entries, e)
			}
		}
		if _, err := p.token(); err != nil { // the closing bracket
			return nil, err
		}
		n.seal()
	}
	return n, nil
}

type yamlParser struct {
	opts  Options
	nodes int
	open  map[*yaml.Node]bool // anchors that are being expanded
}

func parseYAML(text []byte, o Options) (*Node, error) {
	var doc yaml.Node
	if err := yaml.Load(text, &doc); err != nil {
		line, col, detail := 1, 1, err.Error()
		var le *yaml.LoadError
		if errors.As(err, &le) {
			line, col, detail = max(le.Mark.Line, 1), max(le.Mark.Column, 1), le.Message
		}
		return nil, yamlError(line, col, detail)
	}
	root := &doc
	if root.Kind == yaml.DocumentNode {
		if len(root.Content) == 0 {
			return nil, errorAt(nil, "Template format error: unsupported structure.").with("the template is empty")
		}
		root = root.Content[0]
	}
	p := &yamlParser{opts: o, open: map[*yaml.Node]bool{}}
	return p.node(root, 0)
}

func yamlError(line, col int, detail string) *Error {
	e := errorAt(nil, "Template format error: YAML not well-formed. (line %d, column %d)", line, col)
	e.Line, e.Column = line, col
	return e.with("%s", detail)
}

func (p *yamlParser) node(y *yaml.Node, depth int) (*Node, error) {
	if p.nodes++; p.nodes > maxNodes || depth > maxDepth {
		return nil, yamlError(y.Line, y.Column, "the template is nested too deeply or has too many values")
	}
	if y.Kind == yaml.AliasNode {
		if !p.opts.Aliases {
			return nil, errorAt(&Node{Line: y.Line, Column: y.Column}, "Template error: YAML aliases are not allowed in CloudFormation templates")
		}
		target := y.Alias
		if target == nil || p.open[target] {
			return nil, yamlError(y.Line, y.Column, "an alias refers to itself")
		}
		p.open[target] = true
		defer delete(p.open, target)
		return p.node(target, depth+1)
	}
	tag := y.ShortTag()
	if strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") {
		return p.short(y, tag[1:], depth)
	}
	n := &Node{Line: y.Line, Column: y.Column}
	switch y.Kind {
	case yaml.ScalarNode:
		switch tag {
		case "!!null":
			n.Kind = Null
		case "!!bool":
			n.Kind, n.Text = Bool, strings.ToLower(y.Value)
		case "!!int", "!!float":
			// A leading zero, 0x1F or 1_000 is no JSON number: it keeps its text, like an account id.
			n.Kind, n.Text = String, y.Value
			if jsonNumber(y.Value) {
				n.Kind = Number
			}
		case "!!str", "!!timestamp", "!!merge":
			n.Kind, n.Text = String, y.Value
		default:
			return nil, yamlError(y.Line, y.Column, "the tag "+tag+" is not supported")
		}
	case yaml.SequenceNode:
		if tag != "!!seq" {
			return nil, yamlError(y.Line, y.Column, "the tag "+tag+" is not supported")
		}
		n.Kind = List
		for _, c := range y.Content {
			item, err := p.node(c, depth+1)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
	case yaml.MappingNode:
		if tag != "!!map" {
			return nil, yamlError(y.Line, y.Column, "the tag "+tag+" is not supported")
		}
		return p.mapping(y, n, depth)
	default:
		return nil, errorAt(n, "Template format error: unsupported structure.")
	}
	return n, nil
}

func (p *yamlParser) mapping(y *yaml.Node, n *Node, depth int) (*Node, error) {
	n.Kind = Map
	seen := map[string]bool{}
	var merged []*Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		k := y.Content[i]
		if k.Kind != yaml.ScalarNode {
			return nil, yamlError(k.Line, k.Column, "a key must be a string")
		}
		if k.ShortTag() == "!!merge" {
			if !p.opts.Aliases {
				return nil, yamlError(k.Line, k.Column, "merge keys (<<) are not allowed in CloudFormation templates")
			}
			v, err := p.node(y.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			if v.Kind == List {
				merged = append(merged, v.Items...)
			} else {
				merged = append(merged, v)
			}
			continue
		}
		if seen[k.Value] {
			return nil, yamlError(k.Line, k.Column, fmt.Sprintf("duplicate key %q", k.Value))
		}
		seen[k.Value] = true
		v, err := p.node(y.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		n.Entries = append(n.Entries, Entry{Key: k.Value, Value: v, Line: k.Line, Column: k.Column})
	}
	for _, m := range merged {
		if m.Kind != Map {
			return nil, yamlError(n.Line, n.Column, "a merge key (<<) needs a map or a list of maps")
		}
		for _, e := range m.Entries {
			if !seen[e.Key] {
				seen[e.Key] = true
				n.Entries = append(n.Entries, e)
			}
		}
	}
	n.seal()
	return n, nil
}

// short turns a short tag, "!Sub text", into a function, {"Fn::Sub": "text"}.
func (p *yamlParser) short(y *yaml.Node, name string, depth int) (*Node, error) {
	key := "Fn::" + name
	switch {
	case name == "Ref" || name == "Condition":
		key = name
	case !functions[key]:
		return nil, yamlError(y.Line, y.Column, "the tag !"+name+" is not supported")
	}
	plain := *y
	switch y.Kind {
	case yaml.ScalarNode:
		plain.Tag = "!!str"
	case yaml.SequenceNode:
		plain.Tag = "!!seq"
	case yaml.MappingNode:
		plain.Tag = "!!map"
	}
	arg, err := p.node(&plain, depth+1)
	if err != nil {
		return nil, err
	}
	if name == "GetAtt" && arg.Kind == String {
		if logical, attr, ok := strings.Cut(arg.Text, "."); ok {
			arg = &Node{Kind: List, Line: arg.Line, Column: arg.Column, Items: []*Node{
				{Kind: String, Text: logical, Line: arg.Line, Column: arg.Column},
				{Kind: String, Text: attr, Line: arg.Line, Column: arg.Column},
			}}
		}
	}
	return &Node{Kind: Map, Line: y.Line, Column: y.Column, Entries: []Entry{
		{Key: key, Value: arg, Line: y.Line, Column: y.Column},
	}}, nil
}

// jsonNumber tells whether s is a number as JSON writes it.
func jsonNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	digits := func() bool {
		n := len(s) - len(strings.TrimLeft(s, "0123456789"))
		s = s[n:]
		return n > 0
	}
	if strings.HasPrefix(s, "0") {
		s = s[1:]
	} else if !digits() {
		return false
	}
	if strings.HasPrefix(s, ".") {
		if s = s[1:]; !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

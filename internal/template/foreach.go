package template

import (
	"encoding/json"
	"strings"
)

// maxLoops is how many results one Fn::ForEach may have; five may be nested.
const (
	maxLoops     = 500
	maxLoopDepth = 5
)

// Expand unrolls Fn::ForEach (AWS::LanguageExtensions) and checks the result. It returns t itself
// where there is no loop at all. The result's Root is the unrolled tree.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-foreach.html
func (t *Template) Expand(params Params, pseudo Pseudo) (*Template, error) {
	if !t.loops {
		return t, nil
	}
	x := &expander{eval: NewEval(t, params, pseudo, nil)}
	root, err := x.expand(t.Root, nil)
	if err != nil {
		return nil, err
	}
	return Build(root)
}

func hasLoop(n *Node) bool {
	for _, item := range n.Items {
		if hasLoop(item) {
			return true
		}
	}
	for _, e := range n.Entries {
		if strings.HasPrefix(e.Key, "Fn::ForEach::") || hasLoop(e.Value) {
			return true
		}
	}
	return false
}

type expander struct {
	eval  *Eval
	nodes int
	size  int // bytes of text
}

// binding is a loop variable with its value.
type binding struct {
	name, value string
	outer       *binding
	depth       int
}

func (b *binding) lookup(name string) (string, bool) {
	for ; b != nil; b = b.outer {
		if b.name == name {
			return b.value, true
		}
	}
	return "", false
}

// substitute replaces ${Name} and &{Name} of loop variables; the second form drops what is not
// alphanumeric, for logical ids.
func (b *binding) substitute(s string) string {
	for ; b != nil; b = b.outer {
		s = strings.ReplaceAll(s, "${"+b.name+"}", b.value)
		if strings.Contains(s, "&{"+b.name+"}") {
			plain := strings.Map(func(r rune) rune {
				if r < 128 && alphanumeric(string(r)) {
					return r
				}
				return -1
			}, b.value)
			s = strings.ReplaceAll(s, "&{"+b.name+"}", plain)
		}
	}
	return s
}

func (x *expander) expand(n *Node, b *binding) (*Node, error) {
	if x.nodes++; x.nodes > maxNodes || x.size > 8*MaxSize {
		return nil, errorAt(n, "Template error: Fn::ForEach makes the template too large")
	}
	out := &Node{Kind: n.Kind, Text: n.Text, Line: n.Line, Column: n.Column}
	switch n.Kind {
	case String:
		out.Text = b.substitute(n.Text)
		x.size += len(out.Text)
	case List:
		for _, item := range n.Items {
			v, err := x.expand(item, b)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, v)
		}
	case Map:
		if name, arg := n.call(); name == "Ref" && arg.Kind == String {
			if v, ok := b.lookup(arg.Text); ok {
				return &Node{Kind: String, Text: v, Line: n.Line, Column: n.Column}, nil
			}
		}
		seen := make(map[string]bool, len(n.Entries))
		add := func(e Entry) error {
			if seen[e.Key] {
				return errorAt(e.at(), "Template error: Fn::ForEach makes the key %s twice", e.Key)
			}
			seen[e.Key] = true
			out.Entries = append(out.Entries, e)
			return nil
		}
		for i := range n.Entries {
			e := &n.Entries[i]
			if strings.HasPrefix(e.Key, "Fn::ForEach::") {
				if err := x.loop(e, b, add); err != nil {
					return nil, err
				}
				continue
			}
			v, err := x.expand(e.Value, b)
			if err != nil {
				return nil, err
			}
			if err := add(Entry{Key: b.substitute(e.Key), Value: v, Line: e.Line, Column: e.Column}); err != nil {
				return nil, err
			}
		}
		out.seal()
	}
	return out, nil
}

// loop unrolls one Fn::ForEach::Name: [Variable, Collection, {Key: Body, …}] and adds what it makes.
func (x *expander) loop(e *Entry, b *binding, add func(Entry) error) error {
	malformed := func() error {
		return errorAt(e.at(), "Template error: every %s object requires a list of an identifier, a collection and a map", e.Key)
	}
	arg := e.Value
	if arg.Kind != List || len(arg.Items) != 3 || arg.Items[0].Kind != String || arg.Items[2].Kind != Map {
		return malformed()
	}
	name := arg.Items[0].Text
	if _, taken := b.lookup(name); taken || name == "" || x.eval.t.parameters[name] != nil {
		return errorAt(arg.Items[0], "Template error: the identifier %s of %s is already in use", name, e.Key)
	}
	depth := 1
	if b != nil {
		depth = b.depth + 1
	}
	if depth > maxLoopDepth {
		return errorAt(e.at(), "Template error: Fn::ForEach can not be nested deeper than %d", maxLoopDepth)
	}
	values, err := x.collection(arg.Items[1], b)
	if err != nil {
		return err
	}
	if len(values) > maxLoops {
		return errorAt(arg.Items[1], "Template error: the collection of %s has more than %d elements", e.Key, maxLoops)
	}
	for _, v := range values {
		body, err := x.expand(arg.Items[2], &binding{name: name, value: v, outer: b, depth: depth})
		if err != nil {
			return err
		}
		for _, made := range body.Entries {
			if err := add(made); err != nil {
				return err
			}
		}
	}
	return nil
}

// collection evaluates what a loop runs over: a list, or a function of parameters and mappings.
func (x *expander) collection(n *Node, b *binding) ([]string, error) {
	n, err := x.expand(n, b)
	if err != nil {
		return nil, err
	}
	v, err := x.eval.Value(n)
	if err != nil {
		return nil, err
	}
	items, ok := v.([]any)
	if !ok {
		return nil, errorAt(n, "Template error: the collection of Fn::ForEach must be a list of strings")
	}
	var out []string
	for _, item := range items {
		switch item := item.(type) {
		case string:
			out = append(out, item)
		case json.Number:
			out = append(out, item.String())
		case []any: // {"Ref": "ListParameter"} within the list
			for _, s := range item {
				s, ok := text(s)
				if !ok {
					return nil, errorAt(n, "Template error: the collection of Fn::ForEach must be a list of strings")
				}
				out = append(out, s)
			}
		default:
			return nil, errorAt(n, "Template error: the collection of Fn::ForEach must be a list of strings")
		}
	}
	return out, nil
}

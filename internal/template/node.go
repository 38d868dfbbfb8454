package template

import (
	"encoding/json"
	"sort"
	"strconv"
)

// Kind says what a node is.
type Kind uint8

const (
	Null Kind = iota
	Bool
	Number // Text is a JSON number, as it was written
	String
	List
	Map
)

// Node is one value of a template. Nodes are never changed after they were made and may be shared.
type Node struct {
	Kind    Kind
	Text    string  // of a scalar: "true", "1.10", the string's content
	Items   []*Node // of a list
	Entries []Entry // of a map, in the template's order, keys are unique

	Line, Column int // where it begins in the text, from 1; 0 if it was not read from a text

	index map[string]*Node // of a long map
}

// Entry is one key of a map with its value.
type Entry struct {
	Key          string
	Value        *Node
	Line, Column int // of the key
}

// Get returns the value of a map's key, or nil.
func (n *Node) Get(key string) *Node {
	if n == nil || n.Kind != Map {
		return nil
	}
	if n.index != nil {
		return n.index[key]
	}
	for i := range n.Entries {
		if n.Entries[i].Key == key {
			return n.Entries[i].Value
		}
	}
	return nil
}

// MapOf ends the making of a map of entries, whose keys must be unique: it may not be changed any more.
func MapOf(n *Node) *Node {
	n.index = nil
	n.seal()
	return n
}

// seal ends the making of a map: a long one gets an index.
func (n *Node) seal() {
	if len(n.Entries) <= 16 {
		return
	}
	n.index = make(map[string]*Node, len(n.Entries))
	for i := range n.Entries {
		n.index[n.Entries[i].Key] = n.Entries[i].Value
	}
}

// scalar tells whether n is a string, number or boolean.
func (n *Node) scalar() bool {
	return n.Kind == String || n.Kind == Number || n.Kind == Bool
}

// call returns the function's name and argument if n is a call: a map with the single key Ref or Fn::….
func (n *Node) call() (name string, arg *Node) {
	if n == nil || n.Kind != Map || len(n.Entries) != 1 {
		return "", nil
	}
	if k := n.Entries[0].Key; isFunction(k) {
		return k, n.Entries[0].Value
	}
	return "", nil
}

func isFunction(key string) bool {
	return key == "Ref" || len(key) > 4 && key[:4] == "Fn::"
}

// at returns where the entry's key stands.
func (e *Entry) at() *Node { return &Node{Line: e.Line, Column: e.Column} }

// Value returns the node as encoding/json would decode it, with numbers as [json.Number], and
// functions unevaluated.
func (n *Node) Value() any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case Bool:
		return n.Text == "true"
	case Number:
		return json.Number(n.Text)
	case String:
		return n.Text
	case List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = item.Value()
		}
		return out
	case Map:
		out := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			out[e.Key] = e.Value.Value()
		}
		return out
	}
	return nil
}

// NodeOf makes a node of a plain value: nil, bool, string, json.Number, Go's numbers, []any,
// []string, map[string]any, or a *Node. Keys of maps are sorted. Anything else becomes null.
func NodeOf(v any) *Node {
	switch v := v.(type) {
	case *Node:
		if v != nil {
			return v
		}
	case bool:
		return &Node{Kind: Bool, Text: strconv.FormatBool(v)}
	case string:
		return &Node{Kind: String, Text: v}
	case json.Number:
		return &Node{Kind: Number, Text: v.String()}
	case int:
		return &Node{Kind: Number, Text: strconv.Itoa(v)}
	case int64:
		return &Node{Kind: Number, Text: strconv.FormatInt(v, 10)}
	case float64:
		return &Node{Kind: Number, Text: strconv.FormatFloat(v, 'f', -1, 64)}
	case []string:
		n := &Node{Kind: List}
		for _, s := range v {
			n.Items = append(n.Items, &Node{Kind: String, Text: s})
		}
		return n
	case []any:
		n := &Node{Kind: List}
		for _, item := range v {
			n.Items = append(n.Items, NodeOf(item))
		}
		return n
	case map[string]any:
		n := &Node{Kind: Map}
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			n.Entries = append(n.Entries, Entry{Key: k, Value: NodeOf(v[k])})
		}
		n.seal()
		return n
	}
	return &Node{Kind: Null}
}

// MarshalJSON writes the node with its keys in order and its numbers as they were written.
func (n *Node) MarshalJSON() ([]byte, error) {
	return n.appendJSON(nil)
}

func (n *Node) appendJSON(b []byte) ([]byte, error) {
	if n == nil {
		return append(b, "null"...), nil
	}
	var err error
	switch n.Kind {
	case Bool, Number:
		return append(b, n.Text...), nil
	case String:
		return appendString(b, n.Text)
	case List:
		b = append(b, '[')
		for i, item := range n.Items {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = item.appendJSON(b); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case Map:
		b = append(b, '{')
		for i, e := range n.Entries {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendString(b, e.Key); err != nil {
				return nil, err
			}
			b = append(b, ':')
			if b, err = e.Value.appendJSON(b); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	return append(b, "null"...), nil
}

func appendString(b []byte, s string) ([]byte, error) {
	q, err := json.Marshal(s)
	return append(b, q...), err
}

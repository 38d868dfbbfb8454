package transform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// maxIncludes is how many objects one template may include.
const maxIncludes = 100

// Includes tells whether a template includes anything.
func Includes(t *template.Template) bool { return slices.Contains(t.Foreign(), IncludeName) }

// Include puts what a template includes into it:
//
//	Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://bucket/key}}
//
// stands for the content of the object, beside whatever stands next to it; as a transform of the whole
// template it stands for sections. Location may be made of parameters. fetch reads an object by its
// s3:// URL. What is included includes nothing itself.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/transform-aws-include.html
func Include(t *template.Template, o Options, fetch func(location string) ([]byte, error)) (*template.Template, error) {
	x := &includer{fetch: fetch, done: map[string]*template.Node{}}
	// The location knows parameters only.
	x.eval = template.NewEval(t, o.Params, o.Pseudo, unmade{})
	root, err := x.walk(t.Root)
	if err != nil {
		return nil, err
	}
	if root, err = x.whole(root); err != nil {
		return nil, err
	}
	return template.Build(root)
}

func calls(n *template.Node) bool {
	return slices.ContainsFunc(n.Entries, func(e template.Entry) bool { return e.Key == "Fn::Transform" || calls(e.Value) })
}

// unmade are resources: there are none yet.
type unmade struct{}

func (unmade) Ref(id string) (any, error) { return template.Unknown{Logical: id}, nil }
func (unmade) GetAtt(id, attr string) (any, error) {
	return template.Unknown{Logical: id, Attr: attr}, nil
}
func (unmade) ImportValue(name string) (any, error) { return template.Unknown{Logical: name}, nil }

type includer struct {
	eval  *template.Eval
	fetch func(string) ([]byte, error)
	done  map[string]*template.Node
}

func failed(at *template.Node, format string, args ...any) error {
	e := &template.Error{Message: "Transform " + IncludeName + " failed with: " + fmt.Sprintf(format, args...)}
	if at != nil {
		e.Line, e.Column = at.Line, at.Column
	}
	return e
}

// walk replaces the includes within n, the innermost first.
func (x *includer) walk(n *template.Node) (*template.Node, error) {
	switch n.Kind {
	case template.List:
		out := *n
		out.Items = make([]*template.Node, len(n.Items))
		for i, item := range n.Items {
			v, err := x.walk(item)
			if err != nil {
				return nil, err
			}
			out.Items[i] = v
		}
		return &out, nil
	case template.Map:
		out := *n
		out.Entries = make([]template.Entry, 0, len(n.Entries))
		var include *template.Node
		for _, e := range n.Entries {
			if e.Key == "Fn::Transform" && isInclude(e.Value) {
				include = e.Value
				continue
			}
			v, err := x.walk(e.Value)
			if err != nil {
				return nil, err
			}
			e.Value = v
			out.Entries = append(out.Entries, e)
		}
		if include != nil {
			v, err := x.content(include)
			if err != nil {
				return nil, err
			}
			if v.Kind != template.Map {
				if len(out.Entries) > 0 {
					return nil, failed(include, "what stands beside other keys must be a map")
				}
				return v, nil
			}
			if err := add(&out, v, include); err != nil {
				return nil, err
			}
		}
		return template.MapOf(&out), nil
	}
	return n, nil
}

func add(out, v, at *template.Node) error {
	for _, e := range v.Entries {
		if slices.ContainsFunc(out.Entries, func(have template.Entry) bool { return have.Key == e.Key }) {
			return failed(at, "the key %s is there already", e.Key)
		}
		out.Entries = append(out.Entries, e)
	}
	return nil
}

func isInclude(n *template.Node) bool {
	name := n.Get("Name")
	return name != nil && name.Text == IncludeName
}

// whole applies includes of the whole template.
func (x *includer) whole(root *template.Node) (*template.Node, error) {
	list := root.Get("Transform")
	if list == nil {
		return root, nil
	}
	items := []*template.Node{list}
	if list.Kind == template.List {
		items = list.Items
	}
	kept := &template.Node{Kind: template.List, Line: list.Line, Column: list.Column}
	out := &template.Node{Kind: template.Map, Line: root.Line, Column: root.Column}
	for _, e := range root.Entries {
		if e.Key != "Transform" {
			out.Entries = append(out.Entries, e)
		}
	}
	for _, item := range items {
		if item.Kind != template.Map || !isInclude(item) {
			kept.Items = append(kept.Items, item)
			continue
		}
		v, err := x.content(item)
		if err != nil {
			return nil, err
		}
		if v.Kind != template.Map {
			return nil, failed(item, "a template's part must be a map")
		}
		if err := add(out, v, item); err != nil {
			return nil, err
		}
	}
	if len(kept.Items) > 0 {
		out.Entries = append([]template.Entry{{Key: "Transform", Value: kept}}, out.Entries...)
	}
	return template.MapOf(out), nil
}

// content reads what an include names.
func (x *includer) content(n *template.Node) (*template.Node, error) {
	where := n.Get("Parameters").Get("Location")
	if where == nil {
		return nil, failed(n, "The location parameter is missing")
	}
	v, err := x.eval.Value(where)
	if err != nil {
		return nil, err
	}
	location, ok := v.(string)
	if !ok || !strings.HasPrefix(location, "s3://") {
		return nil, failed(where, "The location parameter is not a valid S3 uri.")
	}
	if made := x.done[location]; made != nil {
		return made, nil
	}
	if len(x.done) >= maxIncludes {
		return nil, failed(where, "a template can include %d objects at the most", maxIncludes)
	}
	text, err := x.fetch(location)
	if err != nil {
		return nil, err
	}
	made, err := template.ParseNode(text, template.Options{})
	if err != nil {
		return nil, failed(where, "%s: %v", location, err)
	}
	if calls(made) {
		return nil, failed(where, "%s includes more", location)
	}
	x.done[location] = made
	return made, nil
}

package transform

import (
	"errors"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/template"
	"github.com/gatehouse-dev/gatehouse/internal/transform/sam"
)

// IncludeName is the transform that [Include] applies.
const IncludeName = "AWS::Include"

// Options are what transforms know beside the template.
type Options struct {
	Params template.Params
	Pseudo template.Pseudo
}

// Expand applies a template's transforms and checks the result, which it returns; that is t itself if
// there are none. Errors are [*template.Error].
func Expand(t *template.Template, o Options) (*template.Template, error) {
	if names := t.Foreign(); len(names) == 0 {
		return t.Expand(o.Params, o.Pseudo)
	} else if err := known(t); err != nil {
		return nil, err
	}
	root := t.Root
	for i, name := range t.Transform {
		// Fn::ForEach may stand for serverless resources: it is looked at when its turn comes.
		step, err := template.Build(with(root, t.Transform[i:]))
		if err != nil {
			return nil, err
		}
		switch name {
		case template.LanguageExtensions:
			if step, err = step.Expand(o.Params, o.Pseudo); err != nil {
				return nil, err
			}
			root = step.Root
		case sam.Name:
			root, err = sam.Transform(step.Root, sam.Options{Params: o.Params, Region: o.Pseudo.Region, Partition: o.Pseudo.Partition})
			var se *sam.Error
			if errors.As(err, &se) {
				return nil, &template.Error{Message: "Transform " + sam.Name + " failed with: " + se.Error()}
			}
			if err != nil {
				return nil, err
			}
		}
	}
	// The functions that the extensions add are still to be evaluated.
	var left []string
	if slices.Contains(t.Transform, template.LanguageExtensions) {
		left = []string{template.LanguageExtensions}
	}
	return template.Build(with(root, left))
}

// known refuses transforms that are not known.
func known(t *template.Template) error {
	for _, name := range t.Foreign() {
		switch {
		case name == IncludeName:
			return &template.Error{Message: "Transform " + IncludeName + " failed with: the template was not read from a request: what it includes is not in it"}
		case name != sam.Name:
			return &template.Error{Message: "No transform named " + name + " found.", Detail: "macros are not supported"}
		case !slices.Contains(t.Transform, name):
			return &template.Error{Message: "Transform " + name + " can only be applied to a whole template."}
		}
	}
	return nil
}

// with returns root with other transforms.
func with(root *template.Node, names []string) *template.Node {
	out := *root
	out.Entries = nil
	for _, e := range root.Entries {
		if e.Key != "Transform" {
			out.Entries = append(out.Entries, e)
		}
	}
	if len(names) > 0 {
		out.Entries = append([]template.Entry{{Key: "Transform", Value: template.NodeOf(names), Line: root.Line, Column: root.Column}}, out.Entries...)
	}
	return template.MapOf(&out)
}

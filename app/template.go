package app

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// A Template is what a stack became: a CloudFormation template, in which the Code of each function is
// still the path of its source, relative to the app's directory. `aws cloudformation package` takes it
// in that form, and so does gatehouse, which builds the sources too.
type Template struct {
	StackName   string
	Description string

	doc       object
	resources map[string]map[string]any
	outputs   []string
}

// Resource returns the resource with this logical id as JSON values (maps, slices, strings, numbers,
// bools), or nil if there is none. It serves tests of apps.
func (t *Template) Resource(id string) map[string]any { return t.resources[id] }

// Outputs are the ids of the outputs, in the order in which the app declared them.
func (t *Template) Outputs() []string { return slices.Clone(t.outputs) }

// JSON is the template as indented JSON, the same bytes for the same app.
func (t *Template) JSON() []byte { return indented(t.doc) }

// MarshalJSON keeps the order of declaration.
func (t *Template) MarshalJSON() ([]byte, error) { return t.doc.MarshalJSON() }

// Synth builds the stack of an app for a stage and returns its template, or [Errors]. It is what a test
// of an app calls; the paths of functions are relative to the directory of the caller's source file.
func Synth(name, stage string, build func(*Stack)) (*Template, error) {
	return synth(name, stage, appDir(), build)
}

func synth(name, stage, dir string, build func(*Stack)) (*Template, error) {
	s := newStack(name, stage, dir)
	build(s)
	t := s.render()
	if len(s.errs) > 0 {
		return nil, s.errs.sorted()
	}
	return t, nil
}

// render checks the stack as a whole and makes its template.
func (s *Stack) render() *Template {
	if len(s.Description) > 1024 {
		s.errorAt(position{}, "", "the stack's description is longer than 1,024 bytes")
	}
	bodies := make(map[string]Properties, len(s.resources))
	for _, r := range s.resources {
		bodies[r.id] = r.body(s.tags)
	}
	graph := graph{}
	for _, r := range s.resources {
		body, refs := s.resolve(r.id, r.at, bodies[r.id], true)
		bodies[r.id], graph[r.id] = body.(Properties), refs
	}
	s.override(bodies, graph)
	if len(s.resources) == 0 {
		s.errorAt(position{}, "", "the stack has no resources; CloudFormation wants at least one")
	}
	s.orderPolicies(bodies, graph)
	if cycle := graph.cycle(s.resources); cycle != nil {
		s.errorAt(s.ids[cycle[0]], cycle[0], "resources wait for each other: %s", strings.Join(cycle, " → "))
	}

	t := &Template{StackName: s.name, Description: s.Description, resources: map[string]map[string]any{}}
	t.doc = object{{"AWSTemplateFormatVersion", "2010-09-09"}}
	if s.Description != "" {
		t.doc = append(t.doc, member{"Description", s.Description})
	}
	t.doc = append(t.doc, s.section("Parameters", s.parameters)...)
	t.doc = append(t.doc, s.section("Conditions", s.conditions)...)
	var resources object
	for _, r := range s.resources {
		resources = append(resources, member{r.id, ordered(bodies[r.id])})
		t.resources[r.id] = bodies[r.id]
	}
	t.doc = append(t.doc, member{"Resources", resources})
	t.doc = append(t.doc, s.section("Outputs", s.outputs)...)
	for _, o := range s.outputs {
		t.outputs = append(t.outputs, o.id)
	}
	return t
}

// section renders a section of the template, none if it is empty.
func (s *Stack) section(name string, entries []entry) object {
	if len(entries) == 0 {
		return nil
	}
	var sec object
	for _, e := range entries {
		body, _ := s.resolve(e.id, e.at, e.body, false)
		sec = append(sec, member{e.id, body})
	}
	return object{{name, sec}}
}

// resolve renders v and reports what is wrong with it. For a resource it returns what it waits for.
func (s *Stack) resolve(id string, at position, v any, resource bool) (any, []string) {
	r := newRenderer()
	out := r.value("", v)
	for _, e := range r.errs {
		s.errorAt(at, id, "%s", strings.TrimLeft(e, ".: "))
	}
	if body, ok := out.(map[string]any); ok && resource {
		if depends, ok := body["DependsOn"].([]any); ok {
			for _, d := range depends {
				if d, ok := d.(string); ok {
					r.note(".DependsOn", d)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.conditions)) {
		if !slices.ContainsFunc(s.conditions, func(c entry) bool { return c.id == name }) {
			s.errorAt(at, id, "%s names the condition %s, which the stack does not have", strings.TrimLeft(r.conditions[name], "."), name)
		}
	}
	var refs []string
	for _, target := range slices.Sorted(maps.Keys(r.refs)) {
		if strings.HasPrefix(target, "AWS::") {
			continue
		}
		if _, known := s.ids[target]; !known {
			s.errorAt(at, id, "%s refers to %s, which is neither a resource nor a parameter of this stack", strings.TrimLeft(r.refs[target], "."), target)
			continue
		}
		refs = append(refs, target)
	}
	return out, refs
}

// body is the resource in the form of the template, not yet rendered.
func (r *Resource) body(tags map[string]string) Properties {
	props := maps.Clone(r.props)
	r.tagging.apply(props, tags)
	body := Properties{"Type": r.typ}
	if len(props) > 0 {
		body["Properties"] = props
	}
	if len(r.depends) > 0 {
		body["DependsOn"] = r.depends
	}
	if r.removal != "" {
		body["DeletionPolicy"] = r.removal
	}
	if r.replace != "" {
		body["UpdateReplacePolicy"] = r.replace
	}
	return body
}

// override applies the overrides to the rendered resources.
func (s *Stack) override(bodies map[string]Properties, g graph) {
	for _, o := range s.overrides {
		body, ok := bodies[o.id]
		if !ok {
			s.errorAt(o.at, o.id, "there is no such resource to override; the stack has %s",
				strings.Join(slices.Sorted(maps.Keys(bodies)), ", "))
			continue
		}
		v, refs := s.resolve(o.id, o.at, o.value, false)
		g[o.id] = append(g[o.id], refs...)
		if !set(body, strings.Split(o.path, "."), v) {
			s.errorAt(o.at, o.id, "the path %q leads through something that is no map or list", o.path)
		}
	}
}

// set puts v at path in a tree of JSON values; nil takes away.
func set(node any, path []string, v any) bool {
	name, rest := path[0], path[1:]
	if name == "" {
		return false
	}
	switch node := node.(type) {
	case map[string]any:
		switch {
		case len(rest) == 0 && v == nil:
			delete(node, name)
		case len(rest) == 0:
			node[name] = v
		default:
			child, ok := node[name]
			if !ok {
				child = map[string]any{}
				node[name] = child
			}
			return set(child, rest, v)
		}
		return true
	case []any:
		i, err := strconv.Atoi(name)
		if err != nil || i < 0 || i >= len(node) || len(rest) == 0 && v == nil {
			return false
		}
		if len(rest) == 0 {
			node[i] = v
			return true
		}
		return set(node[i], rest, v)
	}
	return false
}

// orderPolicies makes each function wait for its policy, so that no event meets a function that may not
// do yet what it needs, unless the policy itself waits for the function: a trigger of the very pool
// that the policy names.
func (s *Stack) orderPolicies(bodies map[string]Properties, g graph) {
	for _, r := range s.resources {
		policy, ok := strings.CutSuffix(r.id, policySuffix)
		if !ok || r.typ != typePolicy {
			continue
		}
		body, ok := bodies[policy]
		if !ok || body["Type"] != typeFunction || g.reaches(r.id, policy) {
			continue
		}
		depends, _ := body["DependsOn"].([]any)
		body["DependsOn"] = append(depends, r.id)
		g[policy] = append(g[policy], r.id)
	}
}

// graph holds what each resource refers to.
type graph map[string][]string

// reaches says whether from waits for to, directly or not.
func (g graph) reaches(from, to string) bool {
	seen := map[string]bool{}
	var visit func(id string) bool
	visit = func(id string) bool {
		if id == to {
			return true
		}
		if seen[id] {
			return false
		}
		seen[id] = true
		return slices.ContainsFunc(g[id], visit)
	}
	return slices.ContainsFunc(g[from], visit)
}

// cycle returns the first cycle, its first member again at its end, or nil.
func (g graph) cycle(resources []*Resource) []string {
	const open, done = 1, 2
	state := map[string]int{}
	var stack []string
	var visit func(id string) []string
	visit = func(id string) []string {
		switch state[id] {
		case done:
			return nil
		case open:
			return append(slices.Clone(stack[slices.Index(stack, id):]), id)
		}
		state[id] = open
		stack = append(stack, id)
		for _, next := range g[id] {
			if c := visit(next); c != nil {
				return c
			}
		}
		stack = stack[:len(stack)-1]
		state[id] = done
		return nil
	}
	for _, r := range resources {
		if c := visit(r.id); c != nil {
			return c
		}
	}
	return nil
}

// object is a JSON object with a chosen order of its members.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := enc.Encode(m.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := enc.Encode(m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// indented is v as JSON for people and files. v holds only what the renderer lets through, which JSON
// can always say.
func indented(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic("app: " + err.Error())
	}
	return b.Bytes()
}

// ordered puts the members of a resource in the order in which people write them.
func ordered(body Properties) object {
	rank := []string{"Type", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata", "Properties"}
	var o object
	for name, v := range body {
		o = append(o, member{name, v})
	}
	sort.Slice(o, func(i, j int) bool {
		ri, rj := slices.Index(rank, o[i].name), slices.Index(rank, o[j].name)
		if ri != rj {
			return ri < rj
		}
		return o[i].name < o[j].name
	})
	return o
}

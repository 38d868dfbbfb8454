package template

import (
	"slices"
	"strings"
)

// Limits of CloudFormation.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const (
	MaxResources   = 500
	MaxParameters  = 200
	MaxOutputs     = 200
	MaxMappings    = 200
	MaxDescription = 1024 // bytes
	MaxLogicalID   = 255
)

// LanguageExtensions is the transform that adds Fn::ForEach, Fn::Length and Fn::ToJsonString.
const LanguageExtensions = "AWS::LanguageExtensions"

// Template is a parsed template. It is not changed after Parse.
type Template struct {
	Root *Node // the whole, as it was written

	FormatVersion string
	Description   string
	Metadata      *Node
	Transform     []string // names, in the order in which CloudFormation applies them

	Parameters []*Parameter
	Mappings   []*Mapping
	Conditions []*Condition
	Rules      []*Rule
	Resources  []*Resource
	Outputs    []*Output

	resources  map[string]*Resource
	parameters map[string]*Parameter
	conditions map[string]*Condition
	mappings   map[string]*Mapping
	loops      bool     // has Fn::ForEach, which Expand must unroll
	extended   bool     // AWS::LanguageExtensions
	foreign    []string // see Foreign
}

// Parameter is one entry of the section Parameters.
type Parameter struct {
	Name, Type            string
	Default               *string
	Description           string
	AllowedValues         []string // nil: any
	AllowedPattern        string
	ConstraintDescription string
	MinLength, MaxLength  *string // numbers, as written
	MinValue, MaxValue    *string
	NoEcho                bool
	Node                  *Node
}

// Mapping is one entry of the section Mappings.
type Mapping struct {
	Name string
	Node *Node // two levels of maps, then strings or lists
}

// Condition is one entry of the section Conditions.
type Condition struct {
	Name string
	Expr *Node
}

// Rule is one entry of the section Rules.
type Rule struct {
	Name       string
	Condition  *Node // nil: always
	Assertions []Assertion
	Node       *Node
}

// Assertion is one assertion of a rule.
type Assertion struct {
	Assert      *Node
	Description string
}

// Resource is one entry of the section Resources.
type Resource struct {
	LogicalID string
	Type      string
	Condition string   // name of a condition, may be empty
	DependsOn []string // logical ids

	Properties          *Node // nil: none
	Metadata            *Node
	DeletionPolicy      *Node // a string, or with AWS::LanguageExtensions a function; see Eval.Policy
	UpdateReplacePolicy *Node
	UpdatePolicy        *Node
	CreationPolicy      *Node
	Node                *Node
}

// Output is one entry of the section Outputs.
type Output struct {
	Name        string
	Description string
	Value       *Node
	Export      *Node // the name, nil: not exported
	Condition   string
	Node        *Node
}

// Resource returns the resource with a logical id, or nil.
func (t *Template) Resource(id string) *Resource { return t.resources[id] }

// Parameter returns the parameter with a name, or nil.
func (t *Template) Parameter(name string) *Parameter { return t.parameters[name] }

// Foreign returns the transforms that this package does not apply: those of the whole template, then
// those that Fn::Transform applies to a part of it.
func (t *Template) Foreign() []string { return t.foreign }

// inner adds the names of the transforms that Fn::Transform applies within n.
func inner(n *Node, names []string) []string {
	for _, item := range n.Items {
		names = inner(item, names)
	}
	for _, e := range n.Entries {
		if e.Key == "Fn::Transform" {
			name := "Fn::Transform"
			if m := e.Value.Get("Name"); m != nil && m.Kind == String {
				name = m.Text
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		names = inner(e.Value, names)
	}
	return names
}

// Types returns the resource types that the template uses, each once, in the template's order.
func (t *Template) Types() []string {
	var out []string
	for _, r := range t.Resources {
		if !slices.Contains(out, r.Type) {
			out = append(out, r.Type)
		}
	}
	return out
}

// Build makes a template of a tree and checks it; see the package comment for what is checked.
func Build(root *Node) (*Template, error) {
	if root == nil || root.Kind != Map {
		return nil, errorAt(root, "Template format error: unsupported structure.")
	}
	t := &Template{
		Root: root, resources: map[string]*Resource{}, parameters: map[string]*Parameter{},
		conditions: map[string]*Condition{}, mappings: map[string]*Mapping{},
	}
	if err := t.header(); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		name  string
		build func(*Node) error
	}{
		{"Parameters", t.buildParameters}, {"Mappings", t.buildMappings}, {"Conditions", t.buildConditions},
		{"Rules", t.buildRules}, {"Resources", t.buildResources}, {"Outputs", t.buildOutputs},
	} {
		n := root.Get(s.name)
		if n == nil {
			continue
		}
		if n.Kind != Map {
			return nil, errorAt(n, "Template format error: unsupported structure.").with("%s must be a map", s.name)
		}
		if err := s.build(n); err != nil {
			return nil, err
		}
	}
	if len(t.Resources) == 0 && !t.loops && len(t.foreign) == 0 {
		return nil, errorAt(root, "Template format error: At least one Resources member must be defined.")
	}
	// Unrolled loops are checked in Expand; foreign transforms may bring resources that are not here yet.
	if t.loops || len(t.foreign) > 0 {
		return t, nil
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

var sections = []string{
	"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions",
	"Rules", "Transform", "Resources", "Outputs", "Hooks",
}

// header reads everything but the sections that have entries.
func (t *Template) header() error {
	if n := t.Root.Get("Transform"); n != nil {
		if err := t.transforms(n); err != nil {
			return err
		}
	}
	t.foreign = inner(t.Root, t.foreign)
	var unknown []string
	var first *Node
	for _, e := range t.Root.Entries {
		// Globals belongs to the serverless transform.
		if slices.Contains(sections, e.Key) || (e.Key == "Globals" || e.Key == "Fn::Transform") && len(t.foreign) > 0 {
			continue
		}
		if len(unknown) == 0 {
			first = e.at()
		}
		unknown = append(unknown, e.Key)
	}
	if len(unknown) > 0 {
		return errorAt(first, "Invalid template property or properties [%s]", strings.Join(unknown, ", "))
	}
	if err := nulls(t.Root, ""); err != nil {
		return err
	}
	if n := t.Root.Get("AWSTemplateFormatVersion"); n != nil {
		if t.FormatVersion = n.Text; n.Text != "2010-09-09" {
			return errorAt(n, "Template format error: unsupported value for AWSTemplateFormatVersion.")
		}
	}
	if n := t.Root.Get("Description"); n != nil {
		if !n.scalar() {
			return errorAt(n, "Template format error: Description must be a string.")
		}
		if t.Description = n.Text; len(n.Text) > MaxDescription {
			return errorAt(n, "Template format error: 'Description' length is greater than %d.", MaxDescription)
		}
	}
	if n := t.Root.Get("Hooks"); n != nil {
		return errorAt(n, "Template format error: the section Hooks is not supported.")
	}
	t.Metadata = t.Root.Get("Metadata")
	return nil
}

func (t *Template) transforms(n *Node) error {
	items := []*Node{n}
	if n.Kind == List {
		items = n.Items
	}
	for _, item := range items {
		name := item
		if item.Kind == Map {
			name = item.Get("Name")
		}
		if name == nil || name.Kind != String || name.Text == "" {
			return errorAt(item, "Template format error: Transform must be a string or a list of strings.")
		}
		t.Transform = append(t.Transform, name.Text)
		if name.Text != LanguageExtensions {
			t.foreign = append(t.foreign, name.Text)
		}
	}
	t.extended = slices.Contains(t.Transform, LanguageExtensions)
	t.loops = t.extended && hasLoop(t.Root)
	return nil
}

// nulls finds a null, which CloudFormation allows nowhere.
func nulls(n *Node, path string) error {
	switch n.Kind {
	case Null:
		return errorAt(n, "Template format error: [%s] 'null' values are not allowed in templates", path)
	case List:
		for _, item := range n.Items {
			if item.Kind == Null {
				return errorAt(item, "Template format error: [%s] 'null' values are not allowed in templates", path)
			}
			if err := nulls(item, path); err != nil {
				return err
			}
		}
	case Map:
		for _, e := range n.Entries {
			if e.Value.Kind == Null || e.Value.Kind >= List {
				if err := nulls(e.Value, path+"/"+e.Key); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= MaxLogicalID
}

func (t *Template) buildMappings(n *Node) error {
	if len(n.Entries) > MaxMappings {
		return errorAt(n, "Template format error: Number of mappings, %d, is greater than maximum allowed, %d", len(n.Entries), MaxMappings)
	}
	for i := range n.Entries {
		e := &n.Entries[i]
		if t.isLoop(e.Key) {
			continue
		}
		if !alphanumeric(e.Key) {
			return errorAt(e.at(), "Template format error: Mapping name %s is non alphanumeric.", e.Key)
		}
		if e.Value.Kind != Map {
			return errorAt(e.Value, "Template format error: Every Mappings member %s must be a map", e.Key)
		}
		for _, top := range e.Value.Entries {
			if top.Value.Kind != Map {
				return errorAt(top.Value, "Template format error: Every Mappings member %s must be a map", e.Key).with("%s is none", top.Key)
			}
			for _, leaf := range top.Value.Entries {
				if !leaf.Value.scalar() && leaf.Value.Kind != List {
					return errorAt(leaf.Value, "Template format error: Every Mappings attribute must be a String or a List.")
				}
			}
		}
		m := &Mapping{Name: e.Key, Node: e.Value}
		t.Mappings = append(t.Mappings, m)
		t.mappings[e.Key] = m
	}
	return nil
}

func (t *Template) buildConditions(n *Node) error {
	for i := range n.Entries {
		e := &n.Entries[i]
		if t.isLoop(e.Key) {
			continue
		}
		if e.Value.Kind != Map {
			return errorAt(e.Value, "Template format error: Every Conditions member must be a condition function").with("%s is none", e.Key)
		}
		c := &Condition{Name: e.Key, Expr: e.Value}
		t.Conditions = append(t.Conditions, c)
		t.conditions[e.Key] = c
	}
	return nil
}

func (t *Template) buildRules(n *Node) error {
	for i := range n.Entries {
		e := &n.Entries[i]
		r := &Rule{Name: e.Key, Condition: e.Value.Get("RuleCondition"), Node: e.Value}
		for _, f := range e.Value.Entries {
			if f.Key != "RuleCondition" && f.Key != "Assertions" {
				return errorAt(f.at(), "Template format error: Invalid rule property '%s'", f.Key)
			}
		}
		list := e.Value.Get("Assertions")
		if list == nil || list.Kind != List {
			return errorAt(e.at(), "Template format error: Every Rules member must contain a list of Assertions.")
		}
		for _, a := range list.Items {
			expr := a.Get("Assert")
			if expr == nil {
				return errorAt(a, "Template format error: Every Assertions member must contain an Assert.")
			}
			as := Assertion{Assert: expr}
			if d := a.Get("AssertDescription"); d != nil {
				as.Description = d.Text
			}
			r.Assertions = append(r.Assertions, as)
		}
		t.Rules = append(t.Rules, r)
	}
	return nil
}

var resourceAttributes = []string{
	"Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy",
	"UpdatePolicy", "CreationPolicy", "Metadata", "Description", "Version",
}

func (t *Template) buildResources(n *Node) error {
	for i := range n.Entries {
		e := &n.Entries[i]
		if t.isLoop(e.Key) {
			continue
		}
		if !alphanumeric(e.Key) {
			return errorAt(e.at(), "Template format error: Resource name %s is non alphanumeric.", e.Key)
		}
		r, err := t.buildResource(e)
		if err != nil {
			return err
		}
		t.Resources = append(t.Resources, r)
		t.resources[e.Key] = r
	}
	if len(t.Resources) > MaxResources {
		return errorAt(n, "Template format error: Number of resources, %d, is greater than maximum allowed, %d", len(t.Resources), MaxResources)
	}
	return nil
}

func (t *Template) buildResource(e *Entry) (*Resource, error) {
	r := &Resource{LogicalID: e.Key, Node: e.Value}
	if e.Value.Kind != Map {
		return nil, errorAt(e.Value, "Template format error: [/Resources/%s] resource definition is malformed", e.Key)
	}
	foreign := len(t.foreign) > 0
	for i := range e.Value.Entries {
		f := &e.Value.Entries[i]
		v := f.Value
		if !slices.Contains(resourceAttributes, f.Key) {
			if foreign { // Connectors, IgnoreGlobals: the transform's own
				continue
			}
			return nil, errorAt(f.at(), "Invalid template resource property '%s'", f.Key).with("in resource %s", e.Key)
		}
		switch f.Key {
		case "Type":
			if v.Kind != String || v.Text == "" {
				return nil, errorAt(v, "Template format error: [/Resources/%s/Type] every Type member must be a string.", e.Key)
			}
			r.Type = v.Text
		case "Properties":
			if v.Kind != Map {
				return nil, errorAt(v, "Template format error: [/Resources/%s/Properties] the value of Properties must be an object", e.Key)
			}
			r.Properties = v
		case "DependsOn":
			items := []*Node{v}
			if v.Kind == List {
				items = v.Items
			}
			for _, item := range items {
				if item.Kind != String {
					return nil, errorAt(item, "Template format error: Every DependsOn value must be a string.")
				}
				if !slices.Contains(r.DependsOn, item.Text) {
					r.DependsOn = append(r.DependsOn, item.Text)
				}
			}
		case "Condition":
			if v.Kind != String {
				return nil, errorAt(v, "Template format error: Every Condition member must be a string.")
			}
			r.Condition = v.Text
		case "DeletionPolicy", "UpdateReplacePolicy":
			if err := t.policy(f, e.Key); err != nil {
				return nil, err
			}
			if f.Key == "DeletionPolicy" {
				r.DeletionPolicy = v
			} else {
				r.UpdateReplacePolicy = v
			}
		case "UpdatePolicy":
			r.UpdatePolicy = v
		case "CreationPolicy":
			r.CreationPolicy = v
		case "Metadata":
			r.Metadata = v
		}
	}
	if r.Type == "" {
		return nil, errorAt(e.at(), "Template format error: [/Resources/%s] Every Resources object must contain a Type member.", e.Key)
	}
	return r, nil
}

func (t *Template) policy(f *Entry, id string) error {
	v := f.Value
	if name, _ := v.call(); name != "" && t.extended {
		return nil
	}
	if v.Kind != String {
		return errorAt(v, "Template format error: Every %s member must be a string.", f.Key)
	}
	return checkPolicy(v, f.Key, v.Text, id)
}

func checkPolicy(at *Node, attr, value, id string) error {
	switch value {
	case "Delete", "Retain", "Snapshot":
		return nil
	case "RetainExceptOnCreate":
		if attr == "DeletionPolicy" {
			return nil
		}
	}
	return errorAt(at, "Template format error: Unrecognized %s %s for resource %s", attr, value, id)
}

func (t *Template) buildOutputs(n *Node) error {
	for i := range n.Entries {
		e := &n.Entries[i]
		if t.isLoop(e.Key) {
			continue
		}
		if !alphanumeric(e.Key) {
			return errorAt(e.at(), "Template format error: Output name %s is non alphanumeric.", e.Key)
		}
		o := &Output{Name: e.Key, Value: e.Value.Get("Value"), Node: e.Value}
		if o.Value == nil {
			return errorAt(e.at(), "Template format error: Every Outputs member must contain a Value object").with("%s has none", e.Key)
		}
		for _, f := range e.Value.Entries {
			switch f.Key {
			case "Value":
			case "Description":
				if o.Description = f.Value.Text; !f.Value.scalar() || len(o.Description) > MaxDescription {
					return errorAt(f.Value, "Template format error: Every Description member must be a string of at most %d bytes.", MaxDescription)
				}
			case "Condition":
				if f.Value.Kind != String {
					return errorAt(f.Value, "Template format error: Every Condition member must be a string.")
				}
				o.Condition = f.Value.Text
			case "Export":
				if o.Export = f.Value.Get("Name"); o.Export == nil || len(f.Value.Entries) != 1 {
					return errorAt(f.Value, "Template format error: Output %s is malformed. The Name field of every Export member must be specified.", e.Key)
				}
			default:
				return errorAt(f.at(), "Invalid template output property '%s'", f.Key).with("in output %s", e.Key)
			}
		}
		t.Outputs = append(t.Outputs, o)
	}
	if len(t.Outputs) > MaxOutputs {
		return errorAt(n, "Template format error: Number of outputs, %d, is greater than maximum allowed, %d", len(t.Outputs), MaxOutputs)
	}
	return nil
}

// isLoop tells whether a key of a section is an Fn::ForEach.
func (t *Template) isLoop(key string) bool {
	return key == "Fn::Transform" || t.extended && strings.HasPrefix(key, "Fn::ForEach::")
}

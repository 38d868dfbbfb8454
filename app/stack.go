package app

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Properties are the properties of a raw resource, as CloudFormation names them. They may hold Values
// at any depth, maps and slices of any element type, numbers and bools.
type Properties = map[string]any

// A RemovalPolicy says what becomes of a resource that leaves the stack. The zero value is the default
// of the construct.
type RemovalPolicy string

const (
	Retain RemovalPolicy = "Retain" // it stays, outside the stack
	Delete RemovalPolicy = "Delete" // it goes, with what it holds
)

// A Stack is what an app declares: resources, parameters, outputs. The function given to [Main] fills
// it. Mistakes are collected, not returned: they are reported together, each with the line of Go that
// made it.
type Stack struct {
	// Description is shown beside the stack; up to 1,024 bytes.
	Description string

	app, stage, name, dir string

	ids        map[string]position
	resources  []*Resource
	parameters []entry
	conditions []entry
	outputs    []entry
	overrides  []override
	tags       map[string]string
	errs       Errors
}

// entry is a named member of a section of the template.
type entry struct {
	id   string
	body any
	at   position
}

type override struct {
	id, path string
	value    any
	at       position
}

func newStack(app, stage, dir string) *Stack {
	s := &Stack{app: app, stage: stage, name: stage + "-" + app, dir: dir,
		ids: map[string]position{}, tags: map[string]string{}}
	if !stackName.MatchString(app) {
		s.errorf("", "the name of an app must be letters, digits and hyphens, and begin with a letter: %q", app)
	}
	if !stackName.MatchString(stage) {
		s.errorf("", "a stage must be letters, digits and hyphens, and begin with a letter: %q", stage)
	}
	if len(s.name) > 128 {
		s.errorf("", "the stack's name %s is longer than 128 characters", s.name)
	}
	return s
}

var (
	stackName = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9]*$`)
	logicalID = regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`)
)

// App is the name that was given to [Main].
func (s *Stack) App() string { return s.app }

// Stage is the stage that the app is built for, such as dev or prod.
func (s *Stack) Stage() string { return s.stage }

// Name is the name of the stack: STAGE-APP.
func (s *Stack) Name() string { return s.name }

func (s *Stack) errorf(construct, format string, args ...any) {
	s.errorAt(here(), construct, format, args...)
}

func (s *Stack) errorAt(at position, construct, format string, args ...any) {
	s.errs = append(s.errs, &Error{File: at.file, Line: at.line, Construct: construct, Message: fmt.Sprintf(format, args...)})
}

// claim takes an id of the namespace that resources and parameters share.
func (s *Stack) claim(id string, at position) bool {
	if !logicalID.MatchString(id) {
		s.errorAt(at, id, "an id must be letters and digits, at most 255")
		return false
	}
	if first, taken := s.ids[id]; taken {
		s.errorAt(at, id, "this id is already used at %s", first)
		return false
	}
	s.ids[id] = at
	return true
}

// A Resource is one resource of the template.
type Resource struct {
	id, typ string
	props   Properties
	depends []string
	at      position
	removal RemovalPolicy // DeletionPolicy
	replace RemovalPolicy // UpdateReplacePolicy
	tagging tagging
}

// ID is the resource's logical id in the template.
func (r *Resource) ID() string { return r.id }

// Ref is the resource's Ref; see the documentation of its type for what that is.
func (r *Resource) Ref() Value { return Ref(r.id) }

// GetAtt is an attribute of the resource.
func (r *Resource) GetAtt(attribute string) Value { return GetAtt(r.id, attribute) }

// DependsOn makes the resource wait for others that it does not refer to.
func (r *Resource) DependsOn(others ...*Resource) {
	for _, o := range others {
		if !slices.Contains(r.depends, o.id) {
			r.depends = append(r.depends, o.id)
		}
	}
}

// Resource adds a resource of any type, for what this package has no construct for:
//
//	group := s.Resource("Admins", "AWS::Cognito::UserPoolGroup", app.Properties{
//		"GroupName":  "admins",
//		"UserPoolId": pool.ID(),
//	})
//
// The tags of the stack are not put on it: types differ in the form of their tags.
func (s *Stack) Resource(id, typ string, props Properties) *Resource {
	if strings.Count(typ, "::") < 1 {
		s.errorf(id, "%q is not a resource type; they look like AWS::SQS::Queue", typ)
	}
	return s.add(id, typ, maps.Clone(props))
}

// add declares a resource. It always returns one, so that a mistake does not hide those after it.
func (s *Stack) add(id, typ string, props Properties) *Resource {
	if props == nil {
		props = Properties{}
	}
	r := &Resource{id: id, typ: typ, props: props, at: here()}
	if s.claim(id, r.at) {
		s.resources = append(s.resources, r)
	}
	return r
}

// Override sets a member of a resource that the stack holds, whichever construct made it. The path
// leads from the resource down, in CloudFormation's names; a number is the place in a list:
//
//	s.Override("ApiDefaultStage", "Properties.DefaultRouteSettings.ThrottlingRateLimit", 50)
//	s.Override("UserPool", "DeletionPolicy", "Retain")
//
// A nil value takes the member away. Overrides come last, in their order.
func (s *Stack) Override(id, path string, value any) {
	s.overrides = append(s.overrides, override{id, path, value, here()})
}

// Tag puts a tag on each resource that this package makes and that takes tags.
func (s *Stack) Tag(key, value string) {
	switch {
	case key == "" || len(key) > 128 || len(value) > 256:
		s.errorf("", "tag %q: a key has 1 to 128 characters, a value at most 256", key)
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		s.errorf("", "tag %q: keys that begin with aws: are reserved", key)
	}
	s.tags[key] = value
}

// tagging is the form in which a resource type takes its tags.
type tagging struct {
	property string // "" for none
	list     bool   // [{Key, Value}…], else {key: value}
}

var (
	tagList  = tagging{"Tags", true}
	tagMap   = tagging{"Tags", false}
	poolTags = tagging{"UserPoolTags", false}
)

func (t tagging) apply(props Properties, tags map[string]string) {
	if t.property == "" || len(tags) == 0 {
		return
	}
	if !t.list {
		props[t.property] = tags
		return
	}
	var list []any
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, Properties{"Key": k, "Value": tags[k]})
	}
	props[t.property] = list
}

// ParameterProps describe a parameter of the template.
type ParameterProps struct {
	Type          string // String if empty; Number, CommaDelimitedList, AWS::SSM::Parameter::Value<String>, …
	Default       string
	Required      bool // no default: whoever deploys must give it
	Description   string
	AllowedValues []string
	NoEcho        bool // hide the value where the stack is shown
}

// Parameter adds a parameter of the template and returns its value. Most of what templates use
// parameters for is an ordinary variable in Go; parameters are for what whoever deploys must choose.
func (s *Stack) Parameter(id string, props ParameterProps) Value {
	body := Properties{"Type": "String"}
	if props.Type != "" {
		body["Type"] = props.Type
	}
	if !props.Required {
		body["Default"] = props.Default
	}
	if props.Description != "" {
		body["Description"] = props.Description
	}
	if len(props.AllowedValues) > 0 {
		body["AllowedValues"] = props.AllowedValues
		if !props.Required && !slices.Contains(props.AllowedValues, props.Default) {
			s.errorf(id, "the default %q is not among the allowed values", props.Default)
		}
	}
	if props.NoEcho {
		body["NoEcho"] = true
	}
	if at := here(); s.claim(id, at) {
		s.parameters = append(s.parameters, entry{id, body, at})
	}
	return Ref(id)
}

// Condition adds a condition of the template, for [If] and for a resource's Condition:
//
//	s.Condition("Large", app.Properties{"Fn::Equals": []any{size, "large"}})
//	s.Override("Cache", "Condition", "Large")
func (s *Stack) Condition(id string, expression Properties) {
	at := here()
	if !logicalID.MatchString(id) {
		s.errorAt(at, id, "an id must be letters and digits, at most 255")
	}
	for _, c := range s.conditions {
		if c.id == id {
			s.errorAt(at, id, "this condition is already defined at %s", c.at)
			return
		}
	}
	s.conditions = append(s.conditions, entry{id, expression, at})
}

// OutputProps describe an output in full.
type OutputProps struct {
	Value       Value
	Description string
	ExportName  Value // for ImportValue in other stacks; unique in an account and region
}

// Output shows a value after each deployment, under this id.
func (s *Stack) Output(id string, value Value) { s.AddOutput(id, OutputProps{Value: value}) }

// AddOutput is [Stack.Output] with a description, or with an export for other stacks.
func (s *Stack) AddOutput(id string, props OutputProps) {
	at := here()
	if !logicalID.MatchString(id) {
		s.errorAt(at, id, "an output's id must be letters and digits, at most 255")
	}
	for _, o := range s.outputs {
		if o.id == id {
			s.errorAt(at, id, "this output is already defined at %s", o.at)
			return
		}
	}
	body := Properties{"Value": props.Value}
	if props.Description != "" {
		body["Description"] = props.Description
	}
	if props.ExportName != "" {
		body["Export"] = Properties{"Name": props.ExportName}
	}
	s.outputs = append(s.outputs, entry{id, body, at})
}

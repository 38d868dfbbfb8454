package resource

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
)

// Type is a CloudFormation resource type that this server can make.
type Type struct {
	Name    string // "AWS::Cognito::UserPool"
	Handler Handler

	// Properties are the top-level properties that the handler follows; nil means all of the schema.
	// Others are refused by name, so that nothing in a template is silently ignored.
	Properties []string

	// Refused says why there is no such resource here. Templates of tools name the type under conditions
	// that need not hold: it is known, and refused where they do. It has no Handler then.
	Refused string
}

// Request is one step in the life of a resource.
type Request struct {
	StackID, StackName string
	LogicalID          string
	PhysicalID         string // empty for Create
	Type               string // tells Custom::… types apart
	Token              string // the same for each try of the same step

	Props, OldProps map[string]any    // evaluated; OldProps only for Update
	Tags            map[string]string // the stack's, with aws:cloudformation:*
	TagsChanged     bool              // of an update: the stack had others
	Back            bool              // of an update: it takes back one that the stack has given up
}

// Result says what a resource is after Create or Update.
type Result struct {
	// PhysicalID names the resource. If Update returns another than it was given, the resource was
	// replaced, and the stacks service deletes the old one when the update is through.
	PhysicalID string
	Attrs      map[string]any // for Fn::GetAtt, by attribute name: "Arn", "Endpoint.Address"
	Ref        string         // what Ref returns, if it is not PhysicalID
	Imported   bool           // it was there before the stack; the stacks service says so
	NoEcho     bool           // Attrs are not to be shown where a stack shows properties
}

// Handler makes, changes and removes resources of one type. A Create that fails and returns a PhysicalID all
// the same has left something: that is deleted with the rollback. Its methods are called with properties that
// the schema has passed. An error's text becomes the resource's status reason. After a crash a
// step may be run again with the same Token.
type Handler interface {
	Create(ctx context.Context, r *Request) (Result, error)
	// Update is called when no create-only property has changed, even if nothing has: then only tags.
	Update(ctx context.Context, r *Request) (Result, error)
	// Delete of something that is gone already returns nil.
	Delete(ctx context.Context, r *Request) error
}

// CustomResource is the type whose handler and schema serve all types Custom::….
const CustomResource = "AWS::CloudFormation::CustomResource"

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html
var customName = regexp.MustCompile(`^Custom::[A-Za-z0-9_@-]{1,60}$`)

// Registry knows the types of a server. It is filled once and then read from many goroutines.
type Registry struct {
	types map[string]Type

	mu      sync.Mutex
	schemas map[string]*Schema
}

// Register adds a type. It panics if the name is taken, has no schema, or Properties names
// something that the schema does not have: faults of the program, found by any test that starts it.
func (r *Registry) Register(t Type) {
	if t.Name == "" || (t.Handler == nil) != (t.Refused != "") {
		panic("resource: a type needs a name and a handler")
	}
	if _, ok := r.types[t.Name]; ok {
		panic("resource: " + t.Name + " is registered twice")
	}
	if !hasSchema(t.Name) {
		panic("resource: no schema for " + t.Name)
	}
	if t.Properties != nil {
		s, _ := r.Schema(t.Name)
		for _, p := range t.Properties {
			if s.Properties[p] == nil {
				panic("resource: " + t.Name + " has no property " + p)
			}
		}
	}
	if r.types == nil {
		r.types = map[string]Type{}
	}
	r.types[t.Name] = t
}

// Lookup finds the type for a name; Custom::… finds that of custom resources.
func (r *Registry) Lookup(name string) (Type, bool) {
	t, ok := r.types[canonical(name)]
	return t, ok
}

func canonical(name string) string {
	if customName.MatchString(name) {
		return CustomResource
	}
	return name
}

// Names returns the names of the registered types that are not refused, in order.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.types))
	for n, t := range r.types {
		if t.Refused == "" {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	return names
}

// Unrecognized returns the error for those of the names that are not registered, or nil. The text is
// CloudFormation's.
func (r *Registry) Unrecognized(names []string) error {
	var unknown []string
	for _, n := range names {
		if _, ok := r.Lookup(n); !ok && !slices.Contains(unknown, n) {
			unknown = append(unknown, n)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return &Error{Message: fmt.Sprintf("Template format error: Unrecognized resource types: [%s]", strings.Join(unknown, ", "))}
}

// Schema returns the schema of a type, registered or not; it is shared and must not be changed.
func (r *Registry) Schema(name string) (*Schema, bool) {
	name = canonical(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.schemas[name]; s != nil {
		return s, true
	}
	s, ok := LoadSchema(name)
	if ok {
		if r.schemas == nil {
			r.schemas = map[string]*Schema{}
		}
		r.schemas[name] = s
	}
	return s, ok
}

// Check holds a resource's evaluated properties against its schema and against what its handler follows.
func (r *Registry) Check(typeName, logicalID string, props map[string]any) error {
	s, ok := r.Schema(typeName)
	t, registered := r.Lookup(typeName)
	if !ok || !registered {
		return r.Unrecognized([]string{typeName})
	}
	if t.Refused != "" {
		return &Error{Message: "Resource type " + typeName + " is not supported", Detail: t.Refused + "; resource " + logicalID}
	}
	if err := s.Check(logicalID, props); err != nil {
		return err
	}
	if t.Properties != nil {
		for _, name := range keys(props) {
			if !slices.Contains(t.Properties, name) {
				return &Error{
					Message: "Encountered unsupported property " + name,
					Detail:  fmt.Sprintf("%s of resource %s exists on AWS but is not supported here", t.Name, logicalID),
				}
			}
		}
	}
	return nil
}

// TypeDoc describes a registered type for the generated documentation.
type TypeDoc struct {
	Name       string
	Properties []PropertyDoc // in order
	Attributes []string      // for Fn::GetAtt, in order
	Ref        string        // which properties or attributes Ref returns
}

// PropertyDoc describes one top-level property.
type PropertyDoc struct {
	Name, Type string
	Required   bool
	Replace    Replace
	Supported  bool
}

// Table describes all registered types.
func (r *Registry) Table() []TypeDoc {
	var out []TypeDoc
	for _, name := range r.Names() {
		s, _ := r.Schema(name)
		t := r.types[name]
		d := TypeDoc{Name: name, Attributes: keys(s.Attributes), Ref: strings.Join(s.RefParts(), "|")}
		for _, p := range keys(s.Properties) {
			prop := s.Properties[p]
			d.Properties = append(d.Properties, PropertyDoc{
				Name: p, Type: prop.Type.String(), Required: prop.Required, Replace: prop.Replace,
				Supported: t.Properties == nil || slices.Contains(t.Properties, p),
			})
		}
		out = append(out, d)
	}
	return out
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Error is a fault of a template's properties.
type Error struct {
	Message string // in CloudFormation's words
	Detail  string // in ours, may be empty
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Message
	}
	return e.Message + " (" + e.Detail + ")"
}

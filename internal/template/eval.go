package template

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Pseudo holds the values of the pseudo parameters.
type Pseudo struct {
	Account, Region, Partition, StackID, StackName, URLSuffix string

	NotificationARNs []string
}

// Resolver knows the values that are not in the template. Values are strings, booleans, json.Number,
// []any, map[string]any, or [Unknown] while a resource does not exist. Its errors come
// back unchanged where they are *Error, else wrapped with the place.
type Resolver interface {
	Ref(logical string) (any, error)
	GetAtt(logical, attr string) (any, error)
	ImportValue(name string) (any, error)
}

// StackOutputs is what a Resolver may also implement for Fn::GetStackOutput. region is "" where the
// template names none.
type StackOutputs interface {
	StackOutput(stack, region, output string) (any, error)
}

// DynamicReferences is what a Resolver may also implement for {{resolve:SERVICE:REFERENCE}}. Without
// it such references are refused.
type DynamicReferences interface {
	Dynamic(service, reference string) (string, error)
}

// Unknown stands for a value that is known only after a resource was created.
type Unknown struct{ Logical, Attr string }

// String returns what change sets print for such a value.
func (Unknown) String() string { return "{{changeSet:KNOWN_AFTER_APPLY}}" }

// MarshalJSON writes the string.
func (u Unknown) MarshalJSON() ([]byte, error) { return json.Marshal(u.String()) }

// HasUnknown tells whether a value is or contains Unknown.
func HasUnknown(v any) bool {
	switch v := v.(type) {
	case Unknown:
		return true
	case []any:
		return slices.ContainsFunc(v, HasUnknown)
	case map[string]any:
		for _, e := range v {
			if HasUnknown(e) {
				return true
			}
		}
	}
	return false
}

// absent is what Ref AWS::NoValue yields: the property or element is removed.
type absent struct{}

// Eval evaluates the expressions of a template for one stack. It is not safe for concurrent use;
// it is cheap to make several.
type Eval struct {
	t          *Template
	params     Params
	pseudo     Pseudo
	resolver   Resolver
	conditions map[string]bool
	busy       map[string]bool // conditions that are being evaluated
	size       int             // made by functions so far, bounded by maxOutput
}

// maxOutput bounds what one expression may build, in bytes, so that nested functions can not fill the
// memory; an element of a list counts as 32.
const maxOutput = 16 << 20

// NewEval prepares evaluation. r may be nil where no expression needs a resource.
func NewEval(t *Template, params Params, pseudo Pseudo, r Resolver) *Eval {
	return &Eval{t: t, params: params, pseudo: pseudo, resolver: r, conditions: map[string]bool{}, busy: map[string]bool{}}
}

// Value evaluates an expression. The result is a string, bool, json.Number, []any, map[string]any or
// Unknown; nil if the expression comes out as AWS::NoValue. Dynamic references are resolved.
func (e *Eval) Value(n *Node) (any, error) {
	e.size = 0
	v, err := e.eval(n)
	if err != nil {
		return nil, err
	}
	if _, ok := v.(absent); ok {
		return nil, nil
	}
	return e.dynamic(v, n)
}

// Properties evaluates a resource's properties; never nil.
func (e *Eval) Properties(r *Resource) (map[string]any, error) {
	if r.Properties == nil {
		return map[string]any{}, nil
	}
	v, err := e.Value(r.Properties)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errorAt(r.Properties, "Template format error: [/Resources/%s/Properties] the value of Properties must be an object", r.LogicalID)
	}
	return m, nil
}

// Policy evaluates a DeletionPolicy or UpdateReplacePolicy of r; "" if n is nil.
func (e *Eval) Policy(r *Resource, n *Node) (string, error) {
	if n == nil {
		return "", nil
	}
	v, err := e.Value(n)
	if err != nil || v == nil {
		return "", err
	}
	attr := "DeletionPolicy"
	if n == r.UpdateReplacePolicy {
		attr = "UpdateReplacePolicy"
	}
	s, _ := v.(string)
	return s, checkPolicy(n, attr, s, r.LogicalID)
}

// Output evaluates an output. export is "" where it is not exported. The value is a string, or
// Unknown's string.
func (e *Eval) Output(o *Output) (value, export string, err error) {
	v, err := e.Value(o.Value)
	if err != nil {
		return "", "", err
	}
	s, ok := text(v)
	if _, unknown := v.(Unknown); unknown {
		s, ok = v.(Unknown).String(), true
	}
	if !ok {
		return "", "", errorAt(o.Value, "Template format error: The Value field of every Outputs member must evaluate to a String.").with("output %s", o.Name)
	}
	if o.Export != nil {
		v, err := e.Value(o.Export)
		if err != nil {
			return "", "", err
		}
		if export, ok = text(v); !ok || export == "" {
			return "", "", errorAt(o.Export, "Template format error: Output %s is malformed. The Name field of every Export member must evaluate to a String.", o.Name)
		}
	}
	return s, export, nil
}

// Active tells whether what stands under a condition exists; "" is no condition.
func (e *Eval) Active(condition string) (bool, error) {
	if condition == "" {
		return true, nil
	}
	return e.Condition(condition)
}

// Condition evaluates a named condition.
func (e *Eval) Condition(name string) (bool, error) {
	if v, ok := e.conditions[name]; ok {
		return v, nil
	}
	c := e.t.conditions[name]
	if c == nil {
		return false, errorAt(nil, "Template format error: Unresolved condition dependency %s in the Conditions block of the template", name)
	}
	if e.busy[name] {
		return false, errorAt(c.Expr, "Template format error: Circular dependency between conditions: [%s]", name)
	}
	e.busy[name] = true
	defer delete(e.busy, name)
	v, err := e.boolean(c.Expr)
	if err == nil {
		e.conditions[name] = v
	}
	return v, err
}

// CheckRules evaluates the rules; the first assertion that does not hold is the error.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
func (e *Eval) CheckRules() error {
	for _, r := range e.t.Rules {
		if r.Condition != nil {
			if ok, err := e.boolean(r.Condition); err != nil {
				return err
			} else if !ok {
				continue
			}
		}
		for _, a := range r.Assertions {
			ok, err := e.boolean(a.Assert)
			if err != nil {
				return err
			}
			if !ok {
				said := a.Description
				if said == "" {
					said = "an assertion does not hold"
				}
				return errorAt(a.Assert, "Template validation error: Rule %s failed: %s", r.Name, said)
			}
		}
	}
	return nil
}

// boolean evaluates what stands where a condition is wanted.
func (e *Eval) boolean(n *Node) (bool, error) {
	if n.Kind == Map && len(n.Entries) == 1 && n.Entries[0].Key == "Condition" {
		return e.Condition(n.Entries[0].Value.Text)
	}
	v, err := e.eval(n)
	if err != nil {
		return false, err
	}
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		if strings.EqualFold(v, "true") || strings.EqualFold(v, "false") {
			return strings.EqualFold(v, "true"), nil
		}
	}
	return false, errorAt(n, "Template format error: Conditions can only be boolean operations on parameters and other conditions")
}

// branch returns the branch of Fn::If that is taken.
func (e *Eval) branch(n, arg *Node) (*Node, error) {
	items, err := list(arg, 3, 3, n, msgIf)
	if err != nil {
		return nil, err
	}
	if items[0].Kind != String {
		return nil, errorAt(items[0], msgIfFirst)
	}
	ok, err := e.Condition(items[0].Text)
	if err != nil {
		return nil, err
	}
	if ok {
		return items[1], nil
	}
	return items[2], nil
}

// eval evaluates without dynamic references; the result may be absent.
func (e *Eval) eval(n *Node) (any, error) {
	if n == nil {
		return nil, nil
	}
	if name, arg := n.call(); name != "" {
		v, err := e.call(n, name, arg)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case string:
			err = e.grow(len(v), n)
		case []any:
			err = e.grow(32*len(v), n)
		}
		return v, err
	}
	switch n.Kind {
	case List:
		return e.items(n.Items)
	case Map:
		out := make(map[string]any, len(n.Entries))
		for _, entry := range n.Entries {
			if isFunction(entry.Key) && entry.Key != "Ref" {
				return nil, errorAt(entry.at(), "Template error: a map with the function %s must have no other keys", entry.Key)
			}
			v, err := e.eval(entry.Value)
			if err != nil {
				return nil, err
			}
			if _, ok := v.(absent); !ok {
				out[entry.Key] = v
			}
		}
		return out, nil
	}
	return n.Value(), nil
}

// grow counts what a function has made or is about to make.
func (e *Eval) grow(size int, n *Node) error {
	if e.size += size; e.size > maxOutput {
		return errorAt(n, "Template error: the values that the template builds are too large")
	}
	return nil
}

func (e *Eval) items(nodes []*Node) ([]any, error) {
	out := make([]any, 0, len(nodes))
	for _, item := range nodes {
		v, err := e.eval(item)
		if err != nil {
			return nil, err
		}
		if _, ok := v.(absent); !ok {
			out = append(out, v)
		}
	}
	return out, nil
}

// text returns a scalar as CloudFormation joins it to others.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	case int64, int, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

// place gives an error of a resolver the place where it was met.
func place(err error, n *Node) error {
	if te, ok := err.(*Error); ok {
		if te.Line == 0 && n != nil {
			dup := *te
			dup.Line, dup.Column = n.Line, n.Column
			return &dup
		}
		return te
	}
	return fmt.Errorf("line %d, column %d: %w", n.Line, n.Column, err)
}

const (
	dynamicOpen  = "{{resolve:"
	dynamicClose = "}}"
)

// dynamic resolves {{resolve:…}} in all strings of a value.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
func (e *Eval) dynamic(v any, n *Node) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		if strings.Contains(v, dynamicOpen) {
			return e.dynamicText(v, n)
		}
	case []any:
		for i := range v {
			if v[i], err = e.dynamic(v[i], n); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = e.dynamic(v[k], n); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func (e *Eval) dynamicText(s string, n *Node) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(s, dynamicOpen)
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		end := strings.Index(s[i:], dynamicClose)
		if end < 0 {
			return "", errorAt(n, "Template error: Incorrect format is used in the following dynamic reference: [%s]", s[i:])
		}
		whole := s[i : i+end+len(dynamicClose)]
		service, ref, ok := strings.Cut(s[i+len(dynamicOpen):i+end], ":")
		if !ok || service == "" || ref == "" {
			return "", errorAt(n, "Template error: Incorrect format is used in the following dynamic reference: [%s]", whole)
		}
		d, ok := e.resolver.(DynamicReferences)
		if !ok {
			return "", errorAt(n, "Template error: the dynamic reference %s is not supported", whole)
		}
		v, err := d.Dynamic(service, ref)
		if err != nil {
			return "", place(err, n)
		}
		b.WriteString(s[:i])
		b.WriteString(v)
		s = s[i+end+len(dynamicClose):]
	}
}

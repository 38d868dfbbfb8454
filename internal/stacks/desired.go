package stacks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/template"
	"github.com/gatehouse-dev/gatehouse/internal/transform"
)

// desired is what a stack is to become: a template with the values of its parameters.
type desired struct {
	text   []byte
	source *template.Template // as it was written
	tpl    *template.Template // with its transforms applied
	params template.Params
	pseudo template.Pseudo
	graph  *template.Graph

	includes bool // it was made of more than one text
}

// compile reads a template and brings it together with its parameters. Everything about it that does
// not need the state of the stack is checked here.
func (s *Service) compile(text []byte, given map[string]string, lookup template.Lookup, pseudo template.Pseudo) (*desired, error) {
	d := &desired{text: text, pseudo: pseudo}
	var err error
	if d.source, err = template.Parse(text); err != nil {
		return nil, err
	}
	if d.params, err = d.source.ResolveParameters(given, lookup); err != nil {
		return nil, err
	}
	if d.tpl, err = transform.Expand(d.source, transform.Options{Params: d.params, Pseudo: pseudo}); err != nil {
		return nil, err
	}
	if err := s.o.Registry.Unrecognized(d.tpl.Types()); err != nil {
		return nil, err
	}
	for _, r := range d.tpl.Resources {
		if r.CreationPolicy != nil {
			return nil, &template.Error{Message: "The attribute CreationPolicy of resource " + r.LogicalID + " is not supported", Line: r.CreationPolicy.Line, Column: r.CreationPolicy.Column}
		}
		if r.UpdatePolicy != nil {
			return nil, &template.Error{Message: "The attribute UpdatePolicy of resource " + r.LogicalID + " is not supported", Line: r.UpdatePolicy.Line, Column: r.UpdatePolicy.Column}
		}
	}
	e := template.NewEval(d.tpl, d.params, pseudo, nil)
	if err := e.CheckRules(); err != nil {
		return nil, err
	}
	d.graph, err = d.tpl.Graph(e)
	return d, err
}

// included returns a template with what it includes in it, and whether that is anything. It is read once,
// when the template is taken in: what is kept and run again is the whole.
func (s *Service) included(ctx context.Context, text []byte, given map[string]string, pseudo template.Pseudo) ([]byte, bool, error) {
	if !bytes.Contains(text, []byte(transform.IncludeName)) {
		return text, false, nil
	}
	t, err := template.Parse(text)
	if err != nil || !transform.Includes(t) {
		return text, false, err
	}
	params, err := t.ResolveParameters(given, s.lookupParameter(ctx))
	if err != nil {
		return nil, false, err
	}
	if t, err = transform.Include(t, transform.Options{Params: params, Pseudo: pseudo}, func(location string) ([]byte, error) {
		return s.fetch(ctx, location)
	}); err != nil {
		return nil, false, err
	}
	whole, err := json.Marshal(t.Root)
	if len(whole) > template.MaxSize {
		return nil, false, tooLarge()
	}
	return whole, true, err
}

// pseudo returns a stack's pseudo parameters.
func pseudo(st *Stack) template.Pseudo {
	return template.Pseudo{
		Account: st.Account, Region: st.Region, Partition: st.Partition, StackID: st.ID, StackName: st.Name,
		URLSuffix: "amazonaws.com",
	}
}

// lookupParameter reads the parameter store on behalf of a call.
func (s *Service) lookupParameter(ctx context.Context) template.Lookup {
	if s.o.Parameter == nil {
		return nil
	}
	return func(name string) (string, bool, error) {
		v, err := s.parameter(ctx, name)
		if noParameter(err) {
			return "", false, nil
		}
		return v, err == nil, err
	}
}

// givenParameters reads a request's parameters. prev holds those of the stack, for "use previous value".
func (s *Service) givenParameters(in []cfn.Parameter, prev []Param) (map[string]string, error) {
	given := map[string]string{}
	for _, p := range in {
		key := shape.Val(p.ParameterKey)
		if key == "" {
			return nil, invalid("Every parameter needs a ParameterKey.")
		}
		if _, twice := given[key]; twice {
			return nil, invalid("Invalid input for parameter key %s. The parameter is given twice.", key)
		}
		if !shape.Val(p.UsePreviousValue) {
			if p.ParameterValue == nil {
				return nil, invalid("Invalid input for parameter key %s. Need to specify either usePreviousValue as true or a value for the parameter", key)
			}
			given[key] = *p.ParameterValue
			continue
		}
		if shape.Val(p.ParameterValue) != "" {
			return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true and non empty value for a parameter", key)
		}
		i := slices.IndexFunc(prev, func(q Param) bool { return q.Key == key })
		if i < 0 {
			return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", key)
		}
		v, err := s.paramValue(prev[i])
		if err != nil {
			return nil, err
		}
		given[key] = v
	}
	return given, nil
}

// paramValue returns the value of a stored parameter.
func (s *Service) paramValue(p Param) (string, error) {
	if p.Secret == nil {
		return p.Value, nil
	}
	if s.o.Seal == nil {
		return "", fmt.Errorf("stacks: parameter %s is sealed, and there is no key", p.Key)
	}
	v, err := s.o.Seal.Open(p.Secret, "stacks.parameter/"+p.Key)
	return string(v), err
}

// storedParams returns the values of d's parameters in the template's order.
func (s *Service) storedParams(d *desired) []Param {
	var out []Param
	for _, p := range d.source.Parameters {
		v := d.params[p.Name]
		stored := Param{Key: p.Name, Value: v.Text, Resolved: v.Resolved, NoEcho: p.NoEcho}
		if p.NoEcho && s.o.Seal != nil {
			stored.Value, stored.Secret = "", s.o.Seal.Seal([]byte(v.Text), "stacks.parameter/"+p.Name)
		}
		out = append(out, stored)
	}
	return out
}

// restore compiles a stored target again: with the values of that time, also those of the
// parameter store.
func (s *Service) restore(st *Stack, text []byte, params []Param) (*desired, error) {
	given, resolved := map[string]string{}, map[string]string{}
	for _, p := range params {
		v, err := s.paramValue(p)
		if err != nil {
			return nil, err
		}
		given[p.Key] = v
		resolved[v] = p.Resolved
	}
	return s.compile(text, given, func(name string) (string, bool, error) {
		v, ok := resolved[name]
		return v, ok, nil
	}, pseudo(st))
}

// masked returns the parameters with **** in place of what must not be shown, and whether there are any.
func masked(params template.Params) (template.Params, bool) {
	any := false
	out := template.Params{}
	for name, p := range params {
		if p.Parameter != nil && p.Parameter.NoEcho {
			hidden := *p
			hidden.Value = "****"
			p, any = &hidden, true
		}
		out[name] = p
	}
	return out, any
}

// readTags checks a request's tags.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Tag.html
func readTags(in []cfn.Tag) ([]Tag, error) {
	var out []Tag
	seen := map[string]bool{}
	for _, t := range in {
		switch {
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, invalid("aws: prefixed tag key names are not allowed for external use.")
		case seen[t.Key]:
			return nil, invalid("Duplicate tag key %s", t.Key)
		}
		seen[t.Key] = true
		out = append(out, Tag{t.Key, t.Value})
	}
	return out, nil
}

// capabilities returns what a template needs its caller to acknowledge, and the types that need it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html, Capabilities
func capabilities(t *template.Template) (need, types []string) {
	named := map[string]string{
		"AWS::IAM::AccessKey": "", "AWS::IAM::Group": "GroupName", "AWS::IAM::InstanceProfile": "InstanceProfileName",
		"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::Policy": "", "AWS::IAM::Role": "RoleName",
		"AWS::IAM::User": "UserName", "AWS::IAM::UserToGroupAddition": "", "AWS::IAM::RolePolicy": "",
		"AWS::IAM::UserPolicy": "", "AWS::IAM::GroupPolicy": "",
	}
	capability := ""
	for _, r := range t.Resources {
		property, iam := named[r.Type]
		if !iam {
			continue
		}
		if !slices.Contains(types, r.Type) {
			types = append(types, r.Type)
		}
		if property != "" && r.Properties.Get(property) != nil {
			capability = cfn.CapabilityCapabilityNamedIam
		} else if capability == "" {
			capability = cfn.CapabilityCapabilityIam
		}
	}
	if capability != "" {
		need = append(need, capability)
	}
	slices.Sort(types)
	return need, types
}

// checkCapabilities holds what a caller has acknowledged against what the template needs. Change sets
// show what a transform makes before it is executed, so they need no CAPABILITY_AUTO_EXPAND.
func checkCapabilities(d *desired, have []string, changeSet bool) error {
	need, _ := capabilities(d.tpl)
	if (len(d.source.Transform) > 0 || d.includes) && !changeSet {
		need = append([]string{cfn.CapabilityCapabilityAutoExpand}, need...)
	}
	need = slices.DeleteFunc(need, func(c string) bool {
		return slices.Contains(have, c) || c == cfn.CapabilityCapabilityIam && slices.Contains(have, cfn.CapabilityCapabilityNamedIam)
	})
	if len(need) == 0 {
		return nil
	}
	return cfn.InsufficientCapabilitiesException("Requires capabilities : [%s]", strings.Join(need, ", "))
}

// isInvalid tells whether an error is the caller's fault.
func isInvalid(err error) bool {
	var se *shape.Error
	return errors.As(asInvalid(err), &se) && !se.Server
}

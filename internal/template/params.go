package template

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxParameterValue is the greatest length of a parameter's value in bytes.
const MaxParameterValue = 4096

const ssmValue = "AWS::SSM::Parameter::Value<"

// awsTypes are the AWS-specific parameter types. Their values are strings; whether the thing exists
// is not checked. They can also stand in List<…> and AWS::SSM::Parameter::Value<…>.
var awsTypes = []string{
	"AWS::EC2::AvailabilityZone::Name", "AWS::EC2::Image::Id", "AWS::EC2::Instance::Id",
	"AWS::EC2::KeyPair::KeyName", "AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id",
	"AWS::EC2::Subnet::Id", "AWS::EC2::Volume::Id", "AWS::EC2::VPC::Id", "AWS::Route53::HostedZone::Id",
}

// parameterType splits a type: whether values come from a parameter store, whether it is a list, and
// the type of the value or of the list's elements.
func parameterType(typ string) (stored, list bool, elem string, ok bool) {
	elem = typ
	if inner, found := strings.CutPrefix(typ, ssmValue); found {
		if elem, found = strings.CutSuffix(inner, ">"); !found {
			return false, false, "", false
		}
		stored = true
	}
	switch {
	case elem == "CommaDelimitedList":
		return stored, true, "String", true
	case strings.HasPrefix(elem, "List<") && strings.HasSuffix(elem, ">"):
		list, elem = true, elem[len("List<"):len(elem)-1]
	}
	switch elem {
	case "String", "Number":
		return stored, list, elem, true
	case "AWS::SSM::Parameter::Name":
		return stored, list, "String", !list && !stored
	}
	return stored, list, "String", slices.Contains(awsTypes, elem)
}

func (t *Template) buildParameters(n *Node) error {
	if len(n.Entries) > MaxParameters {
		return errorAt(n, "Template format error: Number of parameters, %d, is greater than maximum allowed, %d", len(n.Entries), MaxParameters)
	}
	for i := range n.Entries {
		e := &n.Entries[i]
		if !alphanumeric(e.Key) {
			return errorAt(e.at(), "Template format error: Parameter name %s is non alphanumeric.", e.Key)
		}
		p, err := buildParameter(e)
		if err != nil {
			return err
		}
		t.Parameters = append(t.Parameters, p)
		t.parameters[e.Key] = p
	}
	return nil
}

func buildParameter(e *Entry) (*Parameter, error) {
	p := &Parameter{Name: e.Key, Node: e.Value}
	if e.Value.Kind != Map {
		return nil, errorAt(e.Value, "Template format error: Every Parameters member must be a map").with("%s is none", e.Key)
	}
	for i := range e.Value.Entries {
		f := &e.Value.Entries[i]
		if f.Key == "AllowedValues" {
			if f.Value.Kind != List {
				return nil, errorAt(f.Value, "Template format error: Every AllowedValues member must be a list.").with("in parameter %s", e.Key)
			}
			p.AllowedValues = []string{}
			for _, v := range f.Value.Items {
				if !v.scalar() {
					return nil, errorAt(v, "Template format error: Every AllowedValues value must be a string.").with("in parameter %s", e.Key)
				}
				p.AllowedValues = append(p.AllowedValues, v.Text)
			}
			continue
		}
		text := f.Value.Text
		switch f.Key {
		case "Type":
			p.Type = text
		case "Default":
			p.Default = &text
		case "Description":
			p.Description = text
		case "AllowedPattern":
			p.AllowedPattern = text
		case "ConstraintDescription":
			p.ConstraintDescription = text
		case "MinLength":
			p.MinLength = &text
		case "MaxLength":
			p.MaxLength = &text
		case "MinValue":
			p.MinValue = &text
		case "MaxValue":
			p.MaxValue = &text
		case "NoEcho":
			if p.NoEcho = strings.EqualFold(text, "true"); !p.NoEcho && !strings.EqualFold(text, "false") {
				return nil, errorAt(f.Value, "Template format error: Every NoEcho member must be a boolean.").with("in parameter %s", e.Key)
			}
		default:
			return nil, errorAt(f.at(), "Invalid template parameter property '%s'", f.Key).with("in parameter %s", e.Key)
		}
		if !f.Value.scalar() {
			return nil, errorAt(f.Value, "Template format error: Every %s member must be a string.", f.Key).with("in parameter %s", e.Key)
		}
	}
	if p.Type == "" {
		return nil, errorAt(e.at(), "Template format error: Every Parameters object must contain a Type member.").with("%s has none", e.Key)
	}
	if _, _, _, ok := parameterType(p.Type); !ok {
		return nil, errorAt(e.Value.Get("Type"), "Template format error: Unrecognized parameter type: %s", p.Type)
	}
	for name, limit := range map[string]*string{"MinLength": p.MinLength, "MaxLength": p.MaxLength, "MinValue": p.MinValue, "MaxValue": p.MaxValue} {
		if limit != nil {
			if _, err := strconv.ParseFloat(*limit, 64); err != nil {
				return nil, errorAt(e.Value.Get(name), "Template format error: Every %s member must be a number.", name).with("in parameter %s", e.Key)
			}
		}
	}
	if p.AllowedPattern != "" {
		if _, err := p.pattern(); err != nil {
			return nil, errorAt(e.Value.Get("AllowedPattern"), "Template format error: the AllowedPattern of parameter %s is not supported", e.Key).with("%v", err)
		}
	}
	return p, nil
}

func (p *Parameter) pattern() (*regexp.Regexp, error) {
	return regexp.Compile("^(?:" + p.AllowedPattern + ")$")
}

// Param is a parameter with its value.
type Param struct {
	Parameter *Parameter
	Text      string // as it was given, or the default; the key where the value comes from a parameter store
	Resolved  string // what the parameter store held, "" for other types
	Value     any    // what Ref returns: string or []any of strings
	Defaulted bool
}

// Display returns the text as the API may show it: **** for NoEcho.
func (p *Param) Display() string {
	if p.Parameter != nil && p.Parameter.NoEcho {
		return "****"
	}
	return p.Text
}

// Params are the resolved parameters of a template, by name.
type Params map[string]*Param

// Lookup reads a value from the parameter store (AWS::SSM::Parameter::Value<…>); found is false where
// there is none.
type Lookup func(name string) (value string, found bool, err error)

// ResolveParameters gives every parameter its value: the given one or its default, checked against the
// constraints. An update's "use previous value" is the caller's to replace. lookup may be nil
// if the template takes no value from the parameter store.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
func (t *Template) ResolveParameters(given map[string]string, lookup Lookup) (Params, error) {
	var unknown, missing, unfetched []string
	for name := range given {
		if t.parameters[name] == nil {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, errorAt(nil, "Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	}
	params := Params{}
	for _, p := range t.Parameters {
		v := &Param{Parameter: p}
		text, ok := given[p.Name]
		if !ok {
			if p.Default == nil {
				missing = append(missing, p.Name)
				continue
			}
			text, v.Defaulted = *p.Default, true
		}
		v.Text = text
		params[p.Name] = v
	}
	if len(missing) > 0 {
		return nil, errorAt(nil, "Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	for _, p := range t.Parameters {
		v := params[p.Name]
		stored, list, elem, _ := parameterType(p.Type)
		text := v.Text
		if stored {
			if err := p.check(text, false, "String"); err != nil {
				return nil, err
			}
			if lookup == nil {
				return nil, errorAt(p.Node, "Parameters of type %s are not supported here", p.Type).with("parameter %s", p.Name)
			}
			value, found, err := lookup(text)
			if err != nil {
				return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
			}
			if !found {
				unfetched = append(unfetched, text)
				continue
			}
			v.Resolved, text = value, value
		} else if err := p.check(text, list, elem); err != nil {
			return nil, err
		}
		v.Value = text
		if list {
			v.Value = splitList(text)
		}
	}
	if len(unfetched) > 0 {
		return nil, errorAt(nil, "Unable to fetch parameters [%s] from parameter store for this account.", strings.Join(unfetched, ","))
	}
	return params, nil
}

// splitList splits the value of a list parameter; spaces around elements do not count.
func splitList(text string) []any {
	if text == "" {
		return []any{}
	}
	parts := strings.Split(text, ",")
	out := make([]any, len(parts))
	for i, s := range parts {
		out[i] = strings.TrimSpace(s)
	}
	return out
}

// check holds a value against the parameter's constraints.
func (p *Parameter) check(text string, list bool, elem string) error {
	fail := func(format string, args ...any) error {
		if p.ConstraintDescription != "" {
			format, args = "Parameter '%s' failed to satisfy constraint: %s", []any{p.Name, p.ConstraintDescription}
		}
		e := errorAt(p.Node, format, args...)
		if !p.NoEcho {
			e.Detail = fmt.Sprintf("the value is %q", text)
		}
		return e
	}
	if len(text) > MaxParameterValue {
		e := errorAt(p.Node, "Parameter '%s' must not exceed %d bytes", p.Name, MaxParameterValue)
		return e
	}
	values := []string{text}
	if list {
		values = nil
		for _, v := range splitList(text) {
			values = append(values, v.(string))
		}
	}
	for _, v := range values {
		number, err := strconv.ParseFloat(v, 64)
		if elem == "Number" && (err != nil || !jsonNumber(strings.TrimPrefix(v, "+"))) {
			return fail("Parameter '%s' must be a number", p.Name)
		}
		if p.AllowedValues != nil && !slices.Contains(p.AllowedValues, v) {
			return fail("Parameter '%s' must be one of AllowedValues", p.Name)
		}
		if elem == "Number" {
			if p.MinValue != nil && number < limit(p.MinValue) {
				return fail("Parameter '%s' must be a number not less than %s", p.Name, *p.MinValue)
			}
			if p.MaxValue != nil && number > limit(p.MaxValue) {
				return fail("Parameter '%s' must be a number not greater than %s", p.Name, *p.MaxValue)
			}
			continue
		}
		n := float64(utf8.RuneCountInString(v))
		if p.MinLength != nil && n < limit(p.MinLength) {
			return fail("Parameter '%s' must contain at least %s characters", p.Name, *p.MinLength)
		}
		if p.MaxLength != nil && n > limit(p.MaxLength) {
			return fail("Parameter '%s' must contain at most %s characters", p.Name, *p.MaxLength)
		}
		if p.AllowedPattern != "" {
			if re, err := p.pattern(); err != nil || !re.MatchString(v) {
				return fail("Parameter '%s' must match pattern %s", p.Name, p.AllowedPattern)
			}
		}
	}
	return nil
}

// limit returns a bound, which buildParameter has checked to be a number.
func limit(s *string) float64 {
	f, _ := strconv.ParseFloat(*s, 64)
	return f
}

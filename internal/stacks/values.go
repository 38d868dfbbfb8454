package stacks

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// resolver gives a template's expressions the values of resources, exports and other stacks.
type resolver struct {
	ctx    context.Context
	s      *Service
	region string
	self   string // id of the stack
	tpl    *template.Template

	// state returns a resource. known is false for one whose values are to come; stale tells that
	// its attributes may change, but not what Ref returns.
	state func(logical string) (st *State, known bool)

	exports map[string]string // that were asked for

	mask   bool  // hide what is not to be shown
	hidden *bool // set where something was not to be shown
}

var (
	_ template.Resolver          = (*resolver)(nil)
	_ template.StackOutputs      = (*resolver)(nil)
	_ template.DynamicReferences = (*resolver)(nil)
)

func (r *resolver) Ref(logical string) (any, error) {
	st, known := r.state(logical)
	if !known {
		return template.Unknown{Logical: logical}, nil
	}
	return st.ref(), nil
}

func (r *resolver) GetAtt(logical, attr string) (any, error) {
	typ := r.tpl.Resource(logical).Type
	if schema, ok := r.s.o.Registry.Schema(typ); ok {
		if err := schema.CheckAttr(logical, attr); err != nil {
			return nil, err
		}
	}
	st, known := r.state(logical)
	if !known {
		return template.Unknown{Logical: logical, Attr: attr}, nil
	}
	if v, ok := st.Attrs[attr]; ok {
		if st.NoEcho {
			if *r.hidden = true; r.mask {
				return "*****", nil
			}
		}
		return clone(v), nil
	}
	if schema, ok := r.s.o.Registry.Schema(typ); ok && schema.Open {
		return nil, &template.Error{Message: "CustomResource attribute error: Vendor response doesn't contain " + attr + " attribute in object for resource " + logical}
	}
	// Some attributes are properties that were given.
	if v, ok := st.Props[attr]; ok {
		return clone(v), nil
	}
	return nil, &resource.Error{Message: "Attribute '" + attr + "' of resource " + logical + " has no value", Detail: typ}
}

func (r *resolver) ImportValue(name string) (any, error) {
	if v, ok := r.exports[name]; ok {
		return v, nil
	}
	var owner string
	v, err := view(r.ctx, r.s.o.DB, func(tx *store.Tx) (v string, err error) {
		v, owner, err = exportValue(tx, r.region, name)
		return v, err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && owner == r.self {
		return nil, &template.Error{Message: "No export named " + name + " found."}
	}
	if err != nil {
		return nil, err
	}
	if r.exports == nil {
		r.exports = map[string]string{}
	}
	r.exports[name] = v
	return v, nil
}

// imports returns the names of the exports that were asked for, in order.
func (r *resolver) imports() []string {
	var names []string
	for n := range r.exports {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (r *resolver) StackOutput(stack, region, output string) (any, error) {
	if region == "" {
		region = r.region
	}
	if err := mayDescribe(r.ctx, stack); err != nil {
		return nil, err
	}
	return view(r.ctx, r.s.o.DB, func(tx *store.Tx) (any, error) {
		st, err := lookup(tx, region, stack)
		if errors.Is(err, store.ErrNotFound) || err == nil && st.Deleted != 0 {
			return nil, &template.Error{Message: "Stack with id " + stack + " does not exist", Detail: "Fn::GetStackOutput in region " + region}
		}
		if err != nil {
			return nil, err
		}
		for _, o := range st.Outputs {
			if o.Key == output {
				return o.Value, nil
			}
		}
		return nil, &template.Error{Message: "Output " + output + " not found in stack " + stack}
	})
}

func (r *resolver) Dynamic(service, reference string) (string, error) {
	whole := "{{resolve:" + service + ":" + reference + "}}"
	if service != "ssm" || r.s.o.Parameter == nil {
		return "", &template.Error{Message: "The dynamic reference " + whole + " is not supported"}
	}
	v, err := r.s.parameter(r.ctx, reference)
	if noParameter(err) {
		return "", &template.Error{Message: "Parameters: [ssm:" + reference + "] cannot be found."}
	}
	return v, err
}

// noParameter tells whether an error of the parameter store means that there is no such parameter.
func noParameter(err error) bool {
	var se *shape.Error
	return errors.Is(err, store.ErrNotFound) || errors.As(err, &se) && (se.Code == "ParameterNotFound" || se.Code == "ParameterVersionNotFound")
}

// isUnknown tells whether an output's value is yet to come.
func isUnknown(v string) bool { return v == template.Unknown{}.String() }

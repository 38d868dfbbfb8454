package stacks

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// plan is how a stack differs from what it is to become, as far as that is known beforehand.
type plan struct {
	items   []*item // in the order of work, then what is removed, last made first
	outputs []Output
	imports []string
}

// action is what happens to a resource.
type action string

const (
	actNone   action = ""
	actAdd    action = "Add"
	actModify action = "Modify"
	actRemove action = "Remove"
)

// item is the part of a plan that belongs to one resource.
type item struct {
	logical, typ string
	action       action
	row          *Resource         // nil: added
	props        map[string]any    // evaluated; what is not known yet is template.Unknown
	shown        map[string]any    // props as they may be shown
	before       map[string]any    // those of row as they may be shown
	changes      []resource.Change // of properties
	replace      resource.Replace  // the strongest consequence
	metadata     bool              // differs
	policies     []string          // attributes that differ
	tags         bool              // the stack's tags differ
	spec         spec
}

// spec is a resource's evaluated definition.
type spec struct {
	props               map[string]any
	metadata            string
	onDelete, onReplace string
	deps                []string
}

// evaluator evaluates the resources of a desired stack.
type evaluator struct {
	d      *desired
	values *resolver
	eval   *template.Eval
	masked *template.Eval // with **** for what must not be shown
	hides  bool           // there is such
}

func (s *Service) evaluator(ctx context.Context, d *desired, self string, state func(string) (*State, bool)) *evaluator {
	e := &evaluator{d: d}
	e.values = &resolver{ctx: ctx, s: s, region: d.pseudo.Region, self: self, tpl: d.tpl, state: state, hidden: &e.hides}
	e.eval = template.NewEval(d.tpl, d.params, d.pseudo, e.values)
	hide := *e.values
	hide.mask = true
	var params template.Params
	params, e.hides = masked(d.params)
	e.masked = template.NewEval(d.tpl, params, d.pseudo, &hide)
	return e
}

// resource evaluates a resource and checks its properties, as far as they are known.
func (e *evaluator) resource(reg *resource.Registry, r *template.Resource) (sp spec, err error) {
	if sp.props, err = e.eval.Properties(r); err != nil {
		return sp, err
	}
	if err := reg.Check(r.Type, r.LogicalID, sp.props); err != nil {
		return sp, err
	}
	if token, ok := sp.props["ServiceToken"].(string); ok && (r.Type == resource.CustomResource || strings.HasPrefix(r.Type, "Custom::")) {
		if err := checkServiceToken(token); err != nil {
			return sp, err
		}
	}
	if r.Metadata != nil {
		v, err := e.eval.Value(r.Metadata)
		if err != nil {
			return sp, err
		}
		data, err := json.Marshal(v)
		if err != nil {
			return sp, err
		}
		sp.metadata = string(data)
	}
	if sp.onDelete, err = e.eval.Policy(r, r.DeletionPolicy); err != nil {
		return sp, err
	}
	if sp.onReplace, err = e.eval.Policy(r, r.UpdateReplacePolicy); err != nil {
		return sp, err
	}
	for attr, v := range map[string]string{"DeletionPolicy": sp.onDelete, "UpdateReplacePolicy": sp.onReplace} {
		if v == "Snapshot" {
			return sp, &template.Error{Message: attr + " Snapshot of resource " + r.LogicalID + " is not supported: " + r.Type + " has no snapshots", Line: r.Node.Line, Column: r.Node.Column}
		}
	}
	sp.deps = e.d.graph.Deps[r.LogicalID]
	return sp, nil
}

// shown returns the properties as they may be shown.
func (e *evaluator) shown(r *template.Resource, props map[string]any) map[string]any {
	if !e.hides {
		return props
	}
	if m, err := e.masked.Properties(r); err == nil {
		return m
	}
	return nil // a function did not like the mask
}

// outputs evaluates the outputs whose conditions hold.
func (e *evaluator) outputs() ([]Output, error) {
	var out []Output
	for _, o := range e.d.tpl.Outputs {
		ok, err := e.eval.Active(o.Condition)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		value, export, err := e.eval.Output(o)
		if err != nil {
			return nil, err
		}
		out = append(out, Output{o.Name, value, o.Description, export})
	}
	return out, nil
}

// plan compares a stack's resources with what it is to become and checks all that can be known.
func (s *Service) plan(ctx context.Context, st *Stack, rows map[string]*Resource, d *desired, tagsChanged bool) (*plan, error) {
	p := &plan{}
	items := map[string]*item{}
	e := s.evaluator(ctx, d, st.ID, func(id string) (*State, bool) {
		it := items[id]
		if it == nil || it.action == actAdd || it.replace != resource.Never {
			return nil, false
		}
		return &it.row.State, true
	})
	var retyped []string
	for _, id := range d.graph.Order {
		r := d.tpl.Resource(id)
		it := &item{logical: id, typ: r.Type, row: rows[id]}
		var err error
		if it.spec, err = e.resource(s.o.Registry, r); err != nil {
			return nil, err
		}
		it.props = it.spec.props
		it.shown = e.shown(r, it.props)
		if it.row == nil || !it.row.Exists {
			it.action = actAdd
		} else if it.row.Type != r.Type {
			retyped = append(retyped, id)
		} else {
			s.compare(it, tagsChanged)
		}
		items[id] = it
		p.items = append(p.items, it)
	}
	if len(retyped) > 0 {
		slices.Sort(retyped)
		return nil, invalid("Update of resource type is not permitted. The new template modifies resource type of the following resources: [%s]", strings.Join(retyped, ", "))
	}
	var removed []*Resource
	for id, row := range rows {
		if items[id] == nil && (row.Exists || row.Unsure) {
			removed = append(removed, row)
		}
	}
	for _, row := range lastFirst(removed) {
		p.items = append(p.items, &item{logical: row.Logical, typ: row.Type, action: actRemove, row: row})
	}
	var err error
	if p.outputs, err = e.outputs(); err != nil {
		return nil, err
	}
	p.imports = e.values.imports()
	return p, s.o.DB.View(ctx, func(tx *store.Tx) error { return checkExports(tx, st, p.outputs) })
}

// compare fills in how a resource that exists is changed.
func (s *Service) compare(it *item, tagsChanged bool) {
	schema, _ := s.o.Registry.Schema(it.typ)
	it.changes = schema.Changes(it.row.Props, it.props)
	for i, c := range it.changes {
		if c.Property == "ServiceToken" && schema.Open {
			it.changes[i].Replace, c.Replace = resource.Never, resource.Never // but it must not change: custom.Update
		}
		it.replace = max(it.replace, c.Replace)
	}
	it.metadata = it.spec.metadata != it.row.Metadata
	if it.spec.onDelete != it.row.OnDelete {
		it.policies = append(it.policies, "DeletionPolicy")
	}
	if it.spec.onReplace != it.row.OnReplace {
		it.policies = append(it.policies, "UpdateReplacePolicy")
	}
	it.tags = tagsChanged && schema.TagsProperty != ""
	if len(it.changes) > 0 || it.metadata || len(it.policies) > 0 || it.tags || it.typ == stackType || it.row.dirty() {
		it.action = actModify
	}
}

// changes tells whether the plan changes anything of the stack.
func (p *plan) changes(st *Stack) bool {
	if slices.ContainsFunc(p.items, func(it *item) bool { return it.action != actNone }) {
		return true
	}
	return !slices.Equal(p.outputs, st.Outputs)
}

// lastFirst orders resources so that each comes before those that it needs; else by name.
func lastFirst(rows []*Resource) []*Resource {
	slices.SortFunc(rows, func(a, b *Resource) int { return strings.Compare(a.Logical, b.Logical) })
	by := map[string]*Resource{}
	for _, r := range rows {
		by[r.Logical] = r
	}
	var out []*Resource
	seen := map[string]bool{}
	var visit func(r *Resource)
	visit = func(r *Resource) {
		if r == nil || seen[r.Logical] {
			return
		}
		seen[r.Logical] = true
		for _, d := range r.Deps {
			visit(by[d])
		}
		out = append(out, r)
	}
	for _, r := range rows {
		visit(r)
	}
	slices.Reverse(out)
	return out
}

// sameParams compares parameters by value.
func (s *Service) sameParams(a, b []Param) bool {
	return slices.EqualFunc(a, b, func(x, y Param) bool {
		v, err1 := s.paramValue(x)
		w, err2 := s.paramValue(y)
		return err1 == nil && err2 == nil && x.Key == y.Key && v == w && x.Resolved == y.Resolved
	})
}

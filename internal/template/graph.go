package template

import (
	"cmp"
	"slices"
	"strings"
)

// Graph is the dependencies between a template's resources.
type Graph struct {
	Order []string            // logical ids, each after all that it depends on, else in the template's order
	Deps  map[string][]string // what a resource needs, by logical id, in the order of appearance
}

// Dependents returns what needs a resource directly, in the order of creation.
func (g *Graph) Dependents(id string) []string {
	var out []string
	for _, o := range g.Order {
		if slices.Contains(g.Deps[o], id) {
			out = append(out, o)
		}
	}
	return out
}

// Graph orders the resources by Ref, Fn::GetAtt, Fn::Sub and DependsOn. With an Eval, resources that a
// condition leaves out are not in it, the branches of Fn::If that are not taken do not count, and a
// reference to a resource that is left out is an error; e may be nil, then every resource
// and branch counts.
func (t *Template) Graph(e *Eval) (*Graph, error) {
	if t.loops {
		return nil, errorAt(nil, "Template error: Fn::ForEach must be expanded first")
	}
	g := &Graph{Deps: map[string][]string{}}
	var active []*Resource
	on := map[string]bool{}
	for _, r := range t.Resources {
		ok := true
		if e != nil {
			var err error
			if ok, err = e.Active(r.Condition); err != nil {
				return nil, err
			}
		}
		if ok {
			active = append(active, r)
			on[r.LogicalID] = true
		}
	}
	c := &checker{t: t, block: inResources}
	var walkErr error
	for _, r := range active {
		deps := []string{}
		add := func(id, attr string, at *Node) {
			if t.resources[id] == nil {
				return // a parameter, or what check has refused
			}
			if !on[id] {
				if attr != "" && walkErr == nil {
					walkErr = errorAt(at, "Template error: instance of Fn::GetAtt references undefined resource %s", id).with("its condition leaves it out")
				}
				c.miss(id, at)
				return
			}
			if !slices.Contains(deps, id) {
				deps = append(deps, id)
			}
		}
		for _, id := range r.DependsOn {
			add(id, "", r.Node.Get("DependsOn"))
		}
		for _, n := range []*Node{r.Properties, r.Metadata, r.UpdatePolicy, r.CreationPolicy} {
			if err := references(n, e, add); err != nil {
				return nil, err
			}
		}
		g.Deps[r.LogicalID] = deps
	}
	if walkErr != nil {
		return nil, walkErr
	}
	if err := c.done(); err != nil {
		return nil, err
	}
	if e != nil {
		if err := t.checkOutputs(e, on); err != nil {
			return nil, err
		}
	}
	done := map[string]bool{}
	for len(g.Order) < len(active) {
		before := len(g.Order)
		for _, r := range active {
			if !done[r.LogicalID] && !slices.ContainsFunc(g.Deps[r.LogicalID], func(d string) bool { return !done[d] }) {
				done[r.LogicalID] = true
				g.Order = append(g.Order, r.LogicalID)
			}
		}
		if len(g.Order) == before {
			cycle := g.cycle(active, done)
			return nil, errorAt(t.resources[cycle[0]].Node, "Circular dependency between resources: [%s]", strings.Join(cycle, ", "))
		}
	}
	return g, nil
}

// cycle returns the resources that can not be ordered because they need each other: what is left once
// those that only wait for a cycle are gone too.
func (g *Graph) cycle(active []*Resource, done map[string]bool) []string {
	var left []string
	for _, r := range active {
		if !done[r.LogicalID] {
			left = append(left, r.LogicalID)
		}
	}
	for {
		n := len(left)
		left = slices.DeleteFunc(left, func(id string) bool {
			return !slices.ContainsFunc(left, func(other string) bool { return slices.Contains(g.Deps[other], id) })
		})
		if len(left) == n {
			return left
		}
	}
}

// checkOutputs finds outputs that need a resource which is left out.
func (t *Template) checkOutputs(e *Eval, on map[string]bool) error {
	c := &checker{t: t, block: inOutputs}
	for _, o := range t.Outputs {
		if ok, err := e.Active(o.Condition); err != nil {
			return err
		} else if !ok {
			continue
		}
		for _, n := range []*Node{o.Value, o.Export} {
			err := references(n, e, func(id, _ string, at *Node) {
				if t.resources[id] != nil && !on[id] {
					c.miss(id, at)
				}
			})
			if err != nil {
				return err
			}
		}
	}
	return c.done()
}

// references calls f for each Ref, Fn::GetAtt and variable of Fn::Sub in n, with the attribute where
// there is one. With e, only the taken branches of Fn::If are followed.
func references(n *Node, e *Eval, f func(id, attr string, at *Node)) error {
	if n == nil {
		return nil
	}
	name, arg := n.call()
	switch name {
	case "Ref":
		f(arg.Text, "", arg)
		return nil
	case "Fn::GetAtt":
		logical, attr, err := getAttArg(n, arg)
		if err != nil {
			return err
		}
		f(logical.Text, cmp.Or(attr.Text, "?"), logical)
		return nil
	case "Fn::Sub":
		text, vars, err := subArg(n, arg)
		if err != nil {
			return err
		}
		parts, err := parseSub(text)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if p.variable && vars.Get(p.text) == nil {
				id, attr, _ := strings.Cut(p.text, ".")
				f(id, attr, text)
			}
		}
		return references(vars, e, f)
	case "Fn::If":
		if e != nil && arg.Kind == List && len(arg.Items) == 3 {
			taken, err := e.branch(n, arg)
			if err != nil {
				return err
			}
			return references(taken, e, f)
		}
	}
	for _, item := range n.Items {
		if err := references(item, e, f); err != nil {
			return err
		}
	}
	for _, entry := range n.Entries {
		if err := references(entry.Value, e, f); err != nil {
			return err
		}
	}
	return nil
}

// conditionCycle finds conditions that need each other.
func (t *Template) conditionCycle() error {
	const visiting, visited = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(name string) error
	var walk func(n *Node) error
	walk = func(n *Node) error {
		if c := n.Get("Condition"); c != nil && len(n.Entries) == 1 && c.Kind == String {
			return visit(c.Text)
		}
		if name, arg := n.call(); name == "Fn::If" && len(arg.Items) > 0 {
			if err := visit(arg.Items[0].Text); err != nil {
				return err
			}
		}
		for _, item := range n.Items {
			if err := walk(item); err != nil {
				return err
			}
		}
		for _, e := range n.Entries {
			if err := walk(e.Value); err != nil {
				return err
			}
		}
		return nil
	}
	visit = func(name string) error {
		c := t.conditions[name]
		if c == nil || state[name] == visited {
			return nil
		}
		if state[name] == visiting {
			from := slices.Index(path, name)
			return errorAt(c.Expr, "Template format error: Circular dependency between conditions: [%s]", strings.Join(path[from:], ", "))
		}
		state[name] = visiting
		path = append(path, name)
		err := walk(c.Expr)
		path = path[:len(path)-1]
		state[name] = visited
		return err
	}
	for _, c := range t.Conditions {
		if err := visit(c.Name); err != nil {
			return err
		}
	}
	return nil
}

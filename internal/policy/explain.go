package policy

import (
	"fmt"
	"strings"
)

// LayerReport is what one layer says to a request.
type LayerReport struct {
	Layer     Layer
	Trust     bool
	Policies  int // how many there are
	Verdict   Verdict
	Statement Ref    // that allows or denies
	Named     string // of LayerResource, Allowed: whom the statement names: "principal", "role" or "account"
	Miss      *Miss  // ImplicitDeny: the Allow statement that came nearest, if there is any
}

// Miss is why an Allow statement does not apply. Actions are compared first, then the resource, the
// principal and the conditions; the statement that came farthest is the nearest.
type Miss struct {
	Statement Ref
	Element   string   // "Action", "NotAction", "Resource", …, "Condition"
	Operator  string   // of a condition
	Key       string   // of a condition
	Want      []string // values in the policy; at most eight, long ones cut
	Got       []string // values in the request; empty where it has no such key
	Variable  string   // a policy variable that has no value, if that is why
}

// maxShown is how many values a Miss shows.
const maxShown = 8

type layerPolicies struct {
	layer    Layer
	policies []*Compiled
	required bool // it is reported even if there are none
}

// layersOf lists the layers that have a say for p, SCPs level by level.
func layersOf(set *Set, p *Principal) []layerPolicies {
	var out []layerPolicies
	one := func(c *Compiled) []*Compiled {
		if c == nil {
			return nil
		}
		return []*Compiled{c}
	}
	if p.inAccount() {
		for _, level := range set.SCP {
			out = append(out, layerPolicies{LayerSCP, level, true})
		}
	}
	out = append(out, layerPolicies{LayerResource, one(set.Resource), !p.inAccount() || set.ResourceDecides})
	if p.inAccount() {
		out = append(out,
			layerPolicies{LayerIdentity, set.Identity, !isRoot(p)},
			layerPolicies{LayerBoundary, one(set.Boundary), false},
			layerPolicies{LayerSession, set.Session, p.Type == FederatedUser})
	}
	return out
}

func examine(set *Set, e *env) []LayerReport {
	cross := e.req.Principal.inAccount() && crossAccount(e.req)
	var out []LayerReport
	for _, l := range layersOf(set, &e.req.Principal) {
		if len(l.policies) == 0 && !l.required && !(l.layer == LayerResource && cross) {
			continue
		}
		out = append(out, examineLayer(l, e))
	}
	return out
}

func examineLayer(l layerPolicies, e *env) LayerReport {
	r := LayerReport{Layer: l.layer, Policies: len(l.policies)}
	if c, s := anyDenies(l.policies, e); s != nil {
		r.Verdict, r.Statement = ExplicitDeny, c.ref(s)
		return r
	}
	best := -1
	for _, c := range l.policies {
		r.Trust = c.Kind == Trust
		if s, g := c.allowed(e); s != nil {
			r.Verdict, r.Statement, r.Miss = Allowed, c.ref(s), nil
			if l.layer == LayerResource {
				r.Named = [...]string{delegated: "account", limited: "role", direct: "principal"}[g]
			}
			return r
		}
		for i := range c.allows {
			s := &c.allows[i]
			if miss, far := s.miss(e); far > best {
				miss.Statement = c.ref(s)
				best, r.Miss = far, &miss
			}
		}
	}
	return r
}

// miss says why s does not apply, and how far it came.
func (s *statement) miss(e *env) (m Miss, far int) {
	st := s.src
	if !s.coversAction(e.req.Action) {
		m = Miss{Element: "Action", Want: shown(st.Action), Got: shown([]string{e.req.Action})}
		if s.notAction {
			m.Element, m.Want = "NotAction", shown(st.NotAction)
		}
		return m, 0
	}
	if ok, open := s.coversResource(e.req.Resource, e); !ok {
		m = Miss{Element: "Resource", Want: shown(st.Resource), Got: shown([]string{e.req.Resource})}
		if s.notResource {
			m.Element, m.Want = "NotResource", shown(st.NotResource)
		}
		if open >= 0 {
			m.Variable = s.resources[open].missing(e)
		}
		return m, 1
	}
	if s.grant(e) == noGrant {
		return Miss{Element: "Principal", Want: shown(st.Principal.names()), Got: shown([]string{e.req.Principal.String()})}, 2
	}
	for i := range s.conditions {
		t := &s.conditions[i]
		if t.holds(e) {
			continue
		}
		var buf [1]string
		m = Miss{Element: "Condition", Operator: t.src.Operator, Key: t.src.Key, Want: shown(t.src.Values), Got: shown(e.values(t.key, &buf))}
		for j := range t.values {
			v := &t.values[j]
			if m.Variable = v.pattern.missing(e); m.Variable != "" {
				break
			}
			for k := range v.arn.parts {
				if m.Variable = v.arn.parts[k].missing(e); m.Variable != "" {
					break
				}
			}
		}
		return m, 3 + i
	}
	return m, 3 + len(s.conditions)
}

// missing returns the first variable that has no value.
func (p *pattern) missing(e *env) string {
	for i := range p.vars {
		if _, ok := e.variable(&p.vars[i]); !ok {
			return p.vars[i].key
		}
	}
	return ""
}

func shown(list []string) []string {
	n := min(len(list), maxShown)
	out := make([]string, n)
	for i := range n {
		out[i] = clip(list[i])
	}
	return out
}

// names lists the principals as explanations show them.
func (p *Principals) names() []string {
	if p == nil {
		return nil
	}
	if p.Any {
		return []string{"*"}
	}
	var out []string
	for _, l := range [][]string{p.AWS, p.Service, p.Federated, p.CanonicalUser} {
		out = append(out, l...)
	}
	return out
}

// String names the principal: its ARN, its domain, or "anonymous".
func (p *Principal) String() string {
	switch {
	case p.Type == AWSService:
		return p.Service
	case p.Type == WebIdentity:
		return p.Provider
	case p.Type == Anonymous || p.ARN == "":
		return "anonymous"
	}
	return p.ARN
}

// Because is the end of the sentence with which services of AWS refuse a request: "User: … is not
// authorized to perform: … on resource: … because no identity-based policy allows the … action".
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func (d *Decision) Because() string {
	if d.Allowed {
		return ""
	}
	layer := d.Layer.String()
	if d.Layer == LayerResource && d.Trust {
		layer = Trust.String()
	}
	if d.Verdict == ExplicitDeny {
		article := "a"
		switch {
		case d.Layer == LayerIdentity:
			article = "an"
		case d.Layer == LayerResource && d.Trust:
			article = "the"
		}
		return "with an explicit deny in " + article + " " + layer
	}
	return "because no " + layer + " allows the " + d.Action + " action"
}

// String is "statement Sid of policy Name", or its number, from 1, where it has no Sid.
func (r Ref) String() string {
	switch {
	case r.Policy == "" && r.Sid == "" && r.Index == 0:
		return ""
	case r.Sid != "":
		return fmt.Sprintf("statement %s of %s", r.Sid, r.Policy)
	}
	return fmt.Sprintf("statement %d of %s", r.Index+1, r.Policy)
}

// Step is a line of an explanation, in the form of a decision trace's steps.
type Step struct {
	Name   string // the layer, or "policy" for the whole
	OK     bool
	Detail string
	Got    string // of a refusal: what the request had
	Want   string // of a refusal: what would have passed
}

// Explain turns a decision into steps: one for each layer that it reports, and the verdict.
func Explain(d Decision) []Step {
	var out []Step
	for i := range d.Layers {
		out = append(out, d.Layers[i].step(d.Action))
	}
	last := Step{Name: "policy", OK: d.Allowed}
	switch {
	case d.Layer == LayerRoot:
		last.Detail = "the root user may do everything in its account"
	case d.Allowed:
		last.Detail = "allowed by " + d.Statement.String()
	case d.Verdict == ExplicitDeny:
		last.Detail = "denied by " + d.Statement.String()
	default:
		last.Detail = d.Because()
	}
	return append(out, last)
}

func (r *LayerReport) step(action string) Step {
	s := Step{Name: r.Layer.String(), OK: r.Verdict == Allowed}
	if r.Trust {
		s.Name = Trust.String()
	}
	m := r.Miss
	switch {
	case r.Verdict == ExplicitDeny:
		s.Detail = r.Statement.String() + " denies"
	case r.Verdict == Allowed && r.Named == "account":
		s.Detail = r.Statement.String() + " leaves it to the account"
	case r.Verdict == Allowed:
		s.Detail = r.Statement.String() + " allows"
	case r.Policies == 0:
		s.Detail = "there is none"
	case m == nil || m.Element == "Action" || m.Element == "NotAction":
		s.Detail = "no statement allows " + action
	default:
		s.Detail = m.Statement.String() + ": " + m.Element
		if m.Key != "" {
			s.Detail += " " + m.Operator + " " + m.Key
		}
		if m.Variable != "" {
			s.Detail += ": ${" + m.Variable + "} has no value"
		}
		s.Want, s.Got = strings.Join(m.Want, ", "), strings.Join(m.Got, ", ")
		if len(m.Got) == 0 {
			s.Got = "(absent)"
		}
	}
	return s
}

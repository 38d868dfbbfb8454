package policy

// Compiled is a document ready for evaluation. It is immutable.
type Compiled struct {
	Name string // how explanations call the policy
	Kind Kind

	allows, denies []statement
}

// statement is a Statement, compiled.
type statement struct {
	index       int
	actions     []action
	resources   []pattern
	principals  *principals // nil: the policy says nothing about principals
	conditions  []test
	notAction   bool
	notResource bool
	notPrinc    bool
	anyResource bool // a trust policy: the resource is the role
	src         *Statement
}

// Compile checks the document as [Document.Check] does and makes it ready for evaluation. The document
// must not be changed afterwards. name is the policy's name, as explanations show it.
func (d *Document) Compile(k Kind, name string) (*Compiled, error) {
	if err := d.Check(k); err != nil {
		return nil, err
	}
	c := &Compiled{Name: name, Kind: k}
	for i := range d.Statements {
		s := d.compileStatement(k, i)
		if s.src.Effect == Deny {
			c.denies = append(c.denies, s)
		} else {
			c.allows = append(c.allows, s)
		}
	}
	return c, nil
}

// Compile parses, checks and compiles in one step.
func Compile(k Kind, name, text string) (*Compiled, error) {
	d, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return d.Compile(k, name)
}

// compileStatement needs a statement that was checked, so nothing in it can fail.
func (d *Document) compileStatement(k Kind, i int) statement {
	st := &d.Statements[i]
	vars := d.Version == Version2012
	s := statement{index: i, src: st, anyResource: k == Trust}
	names, resources, ps := st.Action, st.Resource, st.Principal
	if st.NotAction != nil {
		names, s.notAction = st.NotAction, true
	}
	if st.NotResource != nil {
		resources, s.notResource = st.NotResource, true
	}
	if st.NotPrincipal != nil {
		ps, s.notPrinc = st.NotPrincipal, true
	}
	for _, a := range names {
		s.actions = append(s.actions, parseAction(a))
	}
	for _, r := range resources {
		if k != Resource {
			r = completeARN(r)
		}
		p, _ := parsePattern(r, true, vars)
		s.resources = append(s.resources, p)
	}
	s.principals = compilePrincipals(ps)
	for j := range st.Condition {
		c := &st.Condition[j]
		t := test{key: lowerKey(c.Key), src: c}
		t.op, t.qualifier, t.ifExists, _ = parseOperator(c.Operator)
		for _, text := range c.Values {
			v, _ := parseValue(t.op, text, vars)
			t.values = append(t.values, v)
		}
		s.conditions = append(s.conditions, t)
	}
	return s
}

// completeARN puts a wildcard for each field that an ARN lacks: "arn:aws:sqs" stands for
// "arn:aws:sqs:*:*:*". One that ends with * needs none, for * goes beyond colons.
func completeARN(s string) string {
	if s == "*" || s[len(s)-1] == '*' {
		return s
	}
	for n := fields(s); n < 6; n++ {
		s += ":*"
	}
	return s
}

func fields(s string) int {
	n := 1
	for i := 0; i < len(s); i++ {
		if s[i] == ':' {
			n++
		}
	}
	return n
}

// coversAction tells whether Action or NotAction lets the statement apply.
func (s *statement) coversAction(name string) bool {
	for i := range s.actions {
		if s.actions[i].match(name) {
			return !s.notAction
		}
	}
	return s.notAction
}

// coversResource does so for Resource and NotResource. If it is no, open is the index of a pattern that
// could not be compared for want of a variable, or -1.
func (s *statement) coversResource(resource string, e *env) (ok bool, open int) {
	open = -1
	if s.anyResource {
		return true, open
	}
	for i := range s.resources {
		switch s.resources[i].match(resource, e) {
		case matches:
			return !s.notResource, -1
		case unresolved:
			open = i
		}
	}
	return s.notResource && open < 0, open
}

// grant does so for Principal and NotPrincipal. A policy that names no principals is about the one
// that it is attached to.
func (s *statement) grant(e *env) grant {
	switch p := &e.req.Principal; {
	case s.principals == nil:
		return direct
	case !s.notPrinc:
		return s.principals.grant(p)
	case e.bounded && p.inAccount():
		return direct // a boundary undoes every exemption
	case s.principals.exempts(p):
		return noGrant
	}
	return direct
}

func (s *statement) meetsConditions(e *env) bool {
	for i := range s.conditions {
		if !s.conditions[i].holds(e) {
			return false
		}
	}
	return true
}

// applies tells whether the statement is about the request, and how it names the principal.
func (s *statement) applies(e *env) grant {
	if !s.coversAction(e.req.Action) {
		return noGrant
	}
	if ok, _ := s.coversResource(e.req.Resource, e); !ok {
		return noGrant
	}
	g := s.grant(e)
	if g == noGrant || !s.meetsConditions(e) {
		return noGrant
	}
	return g
}

// denied returns the first statement that denies the request.
func (c *Compiled) denied(e *env) *statement {
	for i := range c.denies {
		if s := &c.denies[i]; s.applies(e) != noGrant {
			return s
		}
	}
	return nil
}

// allowed returns the statement that gives the most, if any.
func (c *Compiled) allowed(e *env) (best *statement, g grant) {
	for i := range c.allows {
		s := &c.allows[i]
		if got := s.applies(e); got > g {
			if best, g = s, got; g == direct {
				break
			}
		}
	}
	return best, g
}

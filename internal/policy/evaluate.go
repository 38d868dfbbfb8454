package policy

// Set is all the policies that have a say in a request. Its lists hold no nil.
type Set struct {
	Identity []*Compiled   // of the user and its groups, or of the role
	Boundary *Compiled     // the user's or role's permissions boundary
	Session  []*Compiled   // given with the session; any of them may allow
	Resource *Compiled     // the resource's own policy, or the trust policy of a role
	SCP      [][]*Compiled // of the principal's organization, a list for each level; each level must allow

	// ResourceDecides says that without an Allow in the resource's policy there is no access, as with
	// KMS keys. With trust policies that is always so.
	ResourceDecides bool
}

// Verdict is the outcome of an evaluation, or of one layer of it.
type Verdict uint8

const (
	ImplicitDeny Verdict = iota // nothing allows it
	ExplicitDeny                // a Deny statement applies
	Allowed
)

func (v Verdict) String() string {
	return [...]string{"implicitDeny", "explicitDeny", "allowed"}[v]
}

// Layer is a kind of policies in a [Set].
type Layer uint8

const (
	LayerSCP Layer = iota + 1
	LayerResource
	LayerIdentity
	LayerBoundary
	LayerSession
	LayerRoot // no policy: the root user may do everything in its account
)

func (l Layer) String() string {
	return [...]string{"", "service control policy", "resource-based policy", "identity-based policy", "permissions boundary", "session policy", "root user"}[l]
}

// Ref names a statement.
type Ref struct {
	Policy string // its name; "" names no statement
	Sid    string
	Index  int // from 0
}

// Decision is the answer to a request.
type Decision struct {
	Allowed   bool
	Verdict   Verdict
	Layer     Layer // that decided: that allows, denies, or fails to allow
	Statement Ref   // the Allow or Deny statement that decided; none with ImplicitDeny
	Trust     bool  // LayerResource is a role's trust policy
	Action    string

	// Layers says of each layer what it found. It is there if the request was refused, and from
	// [Examine].
	Layers []LayerReport
}

// Evaluate decides a request.
//
// An explicit Deny anywhere refuses. Then the SCPs must allow. What a resource's policy gives to the
// user, the session or everybody is enough in the resource's account; what it gives to the role behind
// a session is limited by boundary and session policies; what it gives to an account is nothing
// without an identity policy. Otherwise identity policies, boundary and session policies must all
// allow. From another account, both the resource's policy and those of the principal's account must
// allow, however the principal is named. Services, holders of tokens and nobody in particular have only
// the resource's policy.
//
//	https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
//	https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
//
// It does not allocate where the request is allowed, as long as the Context does not and patterns have
// at most four variables.
func Evaluate(set *Set, req *Request) Decision {
	e := env{req: req, bounded: set.Boundary != nil}
	d := decide(set, &e)
	if !d.Allowed {
		d.Layers = examine(set, &e)
	}
	return d
}

// Examine is Evaluate with a report of each layer even if the request is allowed.
func Examine(set *Set, req *Request) Decision {
	e := env{req: req, bounded: set.Boundary != nil}
	d := decide(set, &e)
	d.Layers = examine(set, &e)
	return d
}

func (c *Compiled) ref(s *statement) Ref {
	return Ref{Policy: c.Name, Sid: s.src.Sid, Index: s.index}
}

func decide(set *Set, e *env) Decision {
	p := &e.req.Principal
	d := Decision{Action: e.req.Action, Trust: set.Resource != nil && set.Resource.Kind == Trust}
	if l, c, s := denies(set, e); s != nil {
		d.Verdict, d.Layer, d.Statement = ExplicitDeny, l, c.ref(s)
		return d
	}
	inside := p.inAccount()
	if inside {
		for _, level := range set.SCP {
			if _, s := anyAllows(level, e); s == nil {
				d.Layer = LayerSCP
				return d
			}
		}
	}

	var given *statement
	g := noGrant
	if set.Resource != nil {
		given, g = set.Resource.allowed(e)
	}
	cross := inside && crossAccount(e.req)
	if g == noGrant && (!inside || cross || set.ResourceDecides || d.Trust) {
		d.Layer = LayerResource
		return d
	}
	if !inside || g == direct && !cross {
		return d.allow(LayerResource, set.Resource.ref(given))
	}

	// What remains is somebody of an account whose own policies have to be asked.
	if c, s := anyAllows(set.Identity, e); s != nil {
		d = d.allow(LayerIdentity, c.ref(s))
	} else if isRoot(p) {
		d = d.allow(LayerRoot, Ref{})
	} else if g == limited && !cross {
		d = d.allow(LayerResource, set.Resource.ref(given))
	} else {
		d.Layer = LayerIdentity
		return d
	}
	if set.Boundary != nil {
		if s, _ := set.Boundary.allowed(e); s == nil {
			return d.refuse(LayerBoundary)
		}
	}
	// A federated user can do nothing without a session policy.
	if len(set.Session) > 0 || p.Type == FederatedUser {
		if _, s := anyAllows(set.Session, e); s == nil {
			return d.refuse(LayerSession)
		}
	}
	return d
}

func (d Decision) allow(l Layer, r Ref) Decision {
	d.Allowed, d.Verdict, d.Layer, d.Statement = true, Allowed, l, r
	return d
}

func (d Decision) refuse(l Layer) Decision {
	d.Allowed, d.Verdict, d.Layer, d.Statement = false, ImplicitDeny, l, Ref{}
	return d
}

// isRoot: the root user, also when it federates.
func isRoot(p *Principal) bool {
	if p.Type == FederatedUser {
		account, ok := rootAccount(p.Issuer)
		return ok && account == p.Account
	}
	return p.Type == RootUser
}

func crossAccount(req *Request) bool {
	owner := req.ResourceAccount
	if owner == "" {
		owner = accountOf(req.Resource)
	}
	return owner != "" && owner != req.Principal.Account
}

// denies looks for a Deny statement that applies, in all policies.
func denies(set *Set, e *env) (Layer, *Compiled, *statement) {
	if e.req.Principal.inAccount() {
		for _, level := range set.SCP {
			if c, s := anyDenies(level, e); s != nil {
				return LayerSCP, c, s
			}
		}
		if c, s := anyDenies(set.Identity, e); s != nil {
			return LayerIdentity, c, s
		}
		if c := set.Boundary; c != nil {
			if s := c.denied(e); s != nil {
				return LayerBoundary, c, s
			}
		}
		if c, s := anyDenies(set.Session, e); s != nil {
			return LayerSession, c, s
		}
	}
	if c := set.Resource; c != nil {
		if s := c.denied(e); s != nil {
			return LayerResource, c, s
		}
	}
	return 0, nil, nil
}

func anyDenies(list []*Compiled, e *env) (*Compiled, *statement) {
	for _, c := range list {
		if s := c.denied(e); s != nil {
			return c, s
		}
	}
	return nil, nil
}

func anyAllows(list []*Compiled, e *env) (*Compiled, *statement) {
	for _, c := range list {
		if s, _ := c.allowed(e); s != nil {
			return c, s
		}
	}
	return nil, nil
}

// Match is a statement that applies to a request.
type Match struct {
	Layer     Layer
	Statement Ref
	Effect    Effect
}

// Matches returns every statement of the set that applies to the request, as policy simulators list
// them.
func Matches(set *Set, req *Request) []Match {
	e := env{req: req, bounded: set.Boundary != nil}
	var out []Match
	for _, l := range layersOf(set, &req.Principal) {
		for _, c := range l.policies {
			for _, list := range [][]statement{c.denies, c.allows} {
				for i := range list {
					if s := &list[i]; s.applies(&e) != noGrant {
						out = append(out, Match{l.layer, c.ref(s), s.src.Effect})
					}
				}
			}
		}
	}
	return out
}

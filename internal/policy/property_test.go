package policy

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// seeds are documents of every kind, good and bad.
var seeds = []string{
	`{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":["s3:Get*","s3:*Object?"],"Resource":["arn:aws:s3:::b/${aws:username}/*","*"],` +
		`"Condition":{"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":["a*",1,true]},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"DateLessThan":{"aws:CurrentTime":"2030-01-01"},"Null":{"aws:TokenIssueTime":"true"}}}]}`,
	`{"Id":"x","Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["123456789012","arn:aws:iam::123456789012:user/u"],"Service":"lambda.amazonaws.com"},"NotAction":"*","NotResource":"arn:aws:s3:::x"}}`,
	`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"p"},` +
		`"ArnLike":{"aws:SourceArn":"arn:aws:*:*:${aws:PrincipalAccount}:${*}x"},"BinaryEquals":{"a:b":"AAAA"},"NumericGreaterThanEquals":{"a:n":-1.5e3},"Bool":{"a:c":"${a:d, 'true'}"}}}]}`,
	`{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"${"}]}`,
	`{"Statement":[{"Effect":"Allow","Effect":"Deny"}]}`, `{"Statement":[[[[`, `{"\ud800":1}`, "", "\x00", `[]`,
}

// FuzzParse: nothing that is read makes the package panic; what parses comes back from its canonical
// form unchanged; what passes Check compiles, and decides in the same way both times.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	req := Request{Principal: user("bob"), Action: "s3:GetObject", Resource: "arn:aws:s3:::b/bob/x",
		Context: Values{"aws:tagkeys": {"a1", "b"}, "aws:sourceip": {"10.1.1.1"}, "a:b": {"AAAA"}, "a:n": {"7"}, "aws:currenttime": {"2026-11-21T00:00:00Z"}}}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Reason == 0 || text != "" && (e.Position.Line < 1 || e.Position.Column < 1 || e.Position.Offset > len(text)) {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		again, err := Parse(d.String())
		if err != nil {
			t.Fatalf("%s: %v", d.String(), err)
		}
		if again.String() != d.String() {
			t.Fatalf("%s became %s", d.String(), again.String())
		}
		d.ContextKeys()
		for k := Identity; k <= SCP; k++ {
			c, err := d.Compile(k, "p")
			c2, err2 := again.Compile(k, "p")
			if (err == nil) != (err2 == nil) {
				t.Fatalf("%v, then %v", err, err2)
			}
			if err != nil {
				continue
			}
			for _, set := range [][2]Set{
				{{Identity: []*Compiled{c}}, {Identity: []*Compiled{c2}}},
				{{Resource: c}, {Resource: c2}},
				{{Identity: []*Compiled{c}, Boundary: c, Session: []*Compiled{c}, Resource: c}, {Identity: []*Compiled{c2}, Boundary: c2, Session: []*Compiled{c2}, Resource: c2}},
			} {
				one, two := Examine(&set[0], &req), Evaluate(&set[1], &req)
				if one.Verdict != two.Verdict || one.Layer != two.Layer || one.Statement != two.Statement {
					t.Fatalf("%+v, then %+v", one, two)
				}
				Explain(one)
				Matches(&set[0], &req)
			}
		}
	})
}

// naive translates a pattern with wildcards into a regular expression: another way to the same answer.
func naive(pattern string, fold bool) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?s")
	if fold {
		b.WriteString("i")
	}
	b.WriteString(`)\A`)
	for _, r := range pattern {
		switch r {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String())
}

func FuzzPattern(f *testing.F) {
	f.Add("a*b?c*", "axxbycz")
	f.Add("**?", "")
	f.Add("*a?*a", "aéaaa")
	f.Add("arn:aws:s3:::*/x", "arn:aws:s3:::b/x/x")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(s) || len(pattern) > 200 {
			return
		}
		checkPattern(t, pattern, s)
	})
}

func checkPattern(t *testing.T, text, s string) {
	p, err := parsePattern(text, true, false)
	if err != nil {
		t.Fatal(err)
	}
	want := naive(text, false).MatchString(s)
	if got := p.match(s, nil) == matches; got != want {
		t.Fatalf("%q on %q: got %v, want %v", text, s, got, want)
	}
	// The same with every run of text put in by a variable.
	seg := strings.FieldsFunc(text, func(r rune) bool { return r == '*' || r == '?' })
	if len(seg) > 0 && !strings.ContainsAny(text, "${}") {
		v, err := parsePattern(strings.ReplaceAll(text, seg[0], "${a:v}"), true, true)
		if err != nil {
			t.Fatal(err)
		}
		e := env{req: &Request{Context: Values{"a:v": {seg[0]}}}}
		if got := v.match(s, &e) == matches; got != want {
			t.Fatalf("%q with ${a:v} = %q on %q: got %v, want %v", v.text, seg[0], s, got, want)
		}
	}
	if isASCII(text) && isASCII(s) {
		a := parseAction(text)
		if got, want := a.match(s), naive(text, true).MatchString(s); got != want {
			t.Fatalf("action %q on %q: got %v, want %v", text, s, got, want)
		}
	}
	arn, _ := parseARNPattern(text, false)
	if got, want := arn.match(s, nil) == matches, naiveARN(text, s); got != want {
		t.Fatalf("ARN %q on %q: got %v, want %v", text, s, got, want)
	}
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r > '~' }) < 0 }

func naiveARN(pattern, s string) bool {
	p, v := strings.SplitN(pattern, ":", 6), strings.SplitN(s, ":", 6)
	if len(p) != 6 || len(v) != 6 {
		return false
	}
	for i := range p {
		if !naive(p[i], false).MatchString(v[i]) {
			return false
		}
	}
	return true
}

func random(r *rand.Rand, alphabet string, n int) string {
	var b strings.Builder
	letters := []rune(alphabet)
	for range r.IntN(n + 1) {
		b.WriteRune(letters[r.IntN(len(letters))])
	}
	return b.String()
}

func TestPatternsAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50000 {
		checkPattern(t, random(r, "aAbé:**?", 12), random(r, "aAbé:", 14))
	}
}

// gen makes policies, sets and requests from few names, so that they often meet.
type gen struct{ *rand.Rand }

func (g gen) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g gen) document(k Kind) *Document {
	d := &Document{Version: Version2012}
	for range 1 + g.IntN(3) {
		st := Statement{Effect: Allow, Action: []string{g.pick("*", "s3:*", "s3:Get*", "s3:Put?bject", "sqs:*")}}
		if g.IntN(4) == 0 {
			st.Effect = Deny
		}
		if g.IntN(5) == 0 {
			st.Action, st.NotAction = nil, st.Action
		}
		st.Resource = []string{g.pick("*", "arn:aws:s3:::a/*", "arn:aws:s3:::${aws:username}/*", "arn:aws:sqs:*:*:q")}
		if g.IntN(5) == 0 {
			st.Resource, st.NotResource = nil, st.Resource
		}
		if k == Resource {
			st.Principal = &Principals{}
			switch g.IntN(5) {
			case 0:
				st.Principal.Any = true
			case 1:
				st.Principal.AWS = []string{g.pick(account, "444455556666")}
			case 2:
				st.Principal.AWS = []string{"arn:aws:iam::" + account + ":user/" + g.pick("u", "v"), "arn:aws:iam::" + account + ":role/r"}
			case 3:
				st.Principal.Service = []string{"lambda.amazonaws.com"}
			case 4:
				st.Principal.AWS = []string{"arn:aws:sts::" + account + ":assumed-role/r/s"}
			}
			if st.Effect == Deny && g.IntN(3) == 0 {
				st.Principal, st.NotPrincipal = nil, st.Principal
			}
		}
		for range g.IntN(3) {
			c := Condition{Key: g.pick("a:x", "a:y", "aws:username"), Values: []string{g.pick("1", "2", "u"), g.pick("2", "3")}}
			c.Operator = g.pick("", "ForAllValues:", "ForAnyValue:") + g.pick("StringEquals", "StringNotEquals", "StringLike", "StringNotLike") + g.pick("", "IfExists")
			st.Condition = append(st.Condition, c)
		}
		d.Statements = append(d.Statements, st)
	}
	return d
}

func (g gen) compiled(t *testing.T, k Kind) *Compiled {
	c, err := g.document(k).Compile(k, k.String())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (g gen) set(t *testing.T) Set {
	var s Set
	for range g.IntN(3) {
		s.Identity = append(s.Identity, g.compiled(t, Identity))
	}
	if g.IntN(3) == 0 {
		s.Boundary = g.compiled(t, Boundary)
	}
	if g.IntN(3) == 0 {
		s.Session = append(s.Session, g.compiled(t, Session))
	}
	if g.IntN(2) == 0 {
		s.Resource = g.compiled(t, Resource)
	}
	if g.IntN(4) == 0 {
		s.SCP = [][]*Compiled{{g.compiled(t, SCP)}}
	}
	return s
}

func (g gen) request() Request {
	people := []Principal{user("u"), user("v"), session("r", "s"), session("r", "t"), in(user("u"), "444455556666"), {Type: AWSService, Service: "lambda.amazonaws.com"}, {},
		{Type: RootUser, ARN: "arn:aws:iam::" + account + ":root", Account: account}}
	r := Request{Principal: people[g.IntN(len(people))], Action: g.pick("s3:GetObject", "s3:PutObject", "sqs:SendMessage"), ResourceAccount: account,
		Resource: g.pick("arn:aws:s3:::a/x", "arn:aws:s3:::u/x", "arn:aws:sqs:us-east-1:"+account+":q", "*")}
	ctx := Values{}
	for _, k := range []string{"a:x", "a:y"} {
		for range g.IntN(3) {
			ctx[k] = append(ctx[k], g.pick("1", "2", "3", ""))
		}
	}
	r.Context = ctx
	return r
}

// A Deny that applies wins, wherever it stands, and nothing else can be taken away by an Allow.
func TestExplicitDenyWins(t *testing.T) {
	g := gen{rand.New(rand.NewPCG(3, 4))}
	deny := func(k Kind) *Compiled {
		principal := ""
		if k == Resource {
			principal = `"Principal":"*",`
		}
		return compile(t, k, "deny", statementPolicy(`"Sid":"No","Effect":"Deny",`+principal+`"Action":"*","Resource":"*"`))
	}
	allow := compile(t, Identity, "allow", allowAll("*"))
	counts := map[Verdict]int{}
	for range 20000 {
		set, req := g.set(t), g.request()
		before := Evaluate(&set, &req)
		counts[before.Verdict]++
		if full := Examine(&set, &req); full.Verdict != before.Verdict || full.Layer != before.Layer {
			t.Fatalf("Evaluate says %v, Examine %v", before, full)
		}

		more := set
		more.Identity = append([]*Compiled{allow}, set.Identity...)
		if after := Evaluate(&more, &req); after.Verdict == ImplicitDeny && before.Allowed || (after.Verdict == ExplicitDeny) != (before.Verdict == ExplicitDeny) {
			t.Fatalf("an Allow more: %v became %v", before, after)
		}

		inside := req.Principal.inAccount()
		for i := range 5 {
			if i > 0 && !inside {
				break // policies of the principal's account are not for others
			}
			s := set
			switch i {
			case 0:
				s.Resource = deny(Resource)
			case 1:
				s.Identity = append(s.Identity[:len(s.Identity):len(s.Identity)], deny(Identity))
			case 2:
				s.Boundary = deny(Boundary)
			case 3:
				s.Session = append(s.Session[:len(s.Session):len(s.Session)], deny(Session))
			case 4:
				s.SCP = append(s.SCP[:len(s.SCP):len(s.SCP)], []*Compiled{allow, deny(SCP)})
			}
			if d := Evaluate(&s, &req); d.Allowed || d.Verdict != ExplicitDeny {
				t.Fatalf("with a Deny in %d: %v", i, d)
			}
		}
	}
	for _, v := range []Verdict{Allowed, ImplicitDeny, ExplicitDeny} {
		if counts[v] < 1000 {
			t.Errorf("%v came %d times only", v, counts[v])
		}
	}
}

// model decides once more, in the plainest way: by sets of statements, without order or shortcuts.
func model(set *Set, req *Request) Verdict {
	applies := map[Layer]map[Effect]grant{}
	for _, m := range []struct {
		layer Layer
		list  []*Compiled
	}{{LayerIdentity, set.Identity}, {LayerBoundary, []*Compiled{set.Boundary}}, {LayerSession, set.Session}, {LayerResource, []*Compiled{set.Resource}}} {
		applies[m.layer] = map[Effect]grant{}
		for _, c := range m.list {
			if c == nil {
				continue
			}
			for _, list := range [][]statement{c.allows, c.denies} {
				for i := range list {
					st := list[i].src
					if modelApplies(st, set, req) {
						applies[m.layer][st.Effect] = max(applies[m.layer][st.Effect], modelGrant(st, set, req))
					}
				}
			}
		}
	}
	says := func(l Layer, e Effect) bool { return applies[l][e] > 0 }
	given := applies[LayerResource][Allow]
	switch req.Principal.Type {
	case Anonymous, AWSService:
		switch {
		case says(LayerResource, Deny):
			return ExplicitDeny
		case given > 0:
			return Allowed
		}
		return ImplicitDeny
	}
	if says(LayerResource, Deny) || says(LayerIdentity, Deny) || says(LayerBoundary, Deny) || says(LayerSession, Deny) {
		return ExplicitDeny
	}
	same := req.Principal.Account == req.ResourceAccount
	limits := (set.Boundary == nil || says(LayerBoundary, Allow)) && (len(set.Session) == 0 || says(LayerSession, Allow))
	own := says(LayerIdentity, Allow) || req.Principal.Type == RootUser
	if same && (given == direct || limits && (own || given == limited)) || !same && given > 0 && own && limits {
		return Allowed
	}
	return ImplicitDeny
}

func modelApplies(st *Statement, set *Set, req *Request) bool {
	any := func(list []string, f func(string) bool) bool {
		for _, s := range list {
			if f(s) {
				return true
			}
		}
		return false
	}
	action := func(p string) bool { return naive(p, true).MatchString(req.Action) }
	if st.Action != nil && !any(st.Action, action) || st.NotAction != nil && any(st.NotAction, action) {
		return false
	}
	name := req.Principal.Name
	unresolved := name == "" && any(append(st.Resource, st.NotResource...), func(s string) bool { return strings.Contains(s, "${") })
	resource := func(p string) bool {
		return naive(strings.ReplaceAll(p, "${aws:username}", name), false).MatchString(req.Resource)
	}
	if unresolved || st.Resource != nil && !any(st.Resource, resource) || st.NotResource != nil && any(st.NotResource, resource) {
		return false
	}
	for _, c := range st.Condition {
		if !modelCondition(c, req) {
			return false
		}
	}
	return modelGrant(st, set, req) > 0
}

func modelCondition(c Condition, req *Request) bool {
	got := req.Context.Values(c.Key)
	if c.Key == "aws:username" && req.Principal.Name != "" {
		got = []string{req.Principal.Name}
	}
	negated := strings.Contains(c.Operator, "Not")
	one := func(g string) bool {
		for _, w := range c.Values {
			if g == w {
				return !negated
			}
		}
		return negated
	}
	yes := 0
	for _, g := range got {
		if one(g) {
			yes++
		}
	}
	empty := len(got) == 0 || len(got) == 1 && got[0] == ""
	switch {
	case len(got) == 0 && strings.HasSuffix(c.Operator, "IfExists"):
		return true
	case strings.HasPrefix(c.Operator, "ForAllValues:"):
		return empty || yes == len(got)
	case strings.HasPrefix(c.Operator, "ForAnyValue:"):
		return !empty && yes > 0
	case negated:
		return yes == len(got)
	}
	return yes > 0
}

func modelGrant(st *Statement, set *Set, req *Request) grant {
	p := &req.Principal
	is := func(ps *Principals, s string) bool {
		return s != "" && strings.Contains(" "+strings.Join(append(append([]string{}, ps.AWS...), ps.Service...), " ")+" ", " "+s+" ")
	}
	switch ps := st.Principal; {
	case st.NotPrincipal != nil:
		ps = st.NotPrincipal
		inside := p.Type != Anonymous && p.Type != AWSService
		exempt := ps.Any
		switch p.Type {
		case AWSService:
			exempt = exempt || is(ps, p.Service)
		case RootUser:
			exempt = exempt || is(ps, p.Account)
		case User:
			exempt = exempt || is(ps, p.Account) && is(ps, p.ARN)
		case RoleSession:
			exempt = exempt || is(ps, p.Account) && is(ps, p.ARN) && is(ps, p.Issuer)
		}
		if exempt && !(inside && set.Boundary != nil) {
			return noGrant
		}
		return direct
	case ps == nil, ps.Any, p.Type == AWSService && is(ps, p.Service), p.Type == RootUser && is(ps, p.Account):
		return direct
	case p.Type == Anonymous || p.Type == AWSService:
		return noGrant
	case is(ps, p.ARN):
		return direct
	case is(ps, p.Issuer):
		return limited
	case is(ps, p.Account):
		return delegated
	}
	return noGrant
}

func TestEvaluateAgainstModel(t *testing.T) {
	g := gen{rand.New(rand.NewPCG(5, 6))}
	for range 20000 {
		set, req := g.set(t), g.request()
		set.SCP = nil
		if got, want := Evaluate(&set, &req), model(&set, &req); got.Verdict != want {
			t.Fatalf("%v on %v for %v %v: got %v by %v, want %v", req.Action, req.Resource, req.Principal.String(), req.Context, got.Verdict, got.Layer, want)
		}
	}
}

package authorizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

// Lambda configures an authorizer that asks a function: of type TOKEN or REQUEST (REST APIs), or REQUEST
// (HTTP APIs, formats 1.0 and 2.0).
//
// A request that lacks an identity source is refused before the function is asked. What the function says is
// kept for TTL under the values of the identity sources, and under nothing else: a policy that it returns is
// evaluated for each request with that identity anew, so it should speak of all methods that share the cache.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
type Lambda struct {
	ID         string           // of the authorizer: its results are not those of another
	Token      bool             // of type TOKEN: it has one source, a header
	Sources    []IdentitySource // in the configured order
	Validation *regexp.Regexp   // of the token, of type TOKEN; nil: any
	TTL        time.Duration    // 0: results are not kept
	Cache      *Cache
	API        *API
	Format     Format
	AnyContext bool             // context may hold objects and lists beside a policy too: HTTP APIs, format 2.0
	Resource   *policy.Compiled // the API's resource policy, which is asked together with the function's; nil: none

	// ARN is the resource that the policy must allow: the method's, as the client called it.
	ARN func(r *Request) string
	// Event makes the function's event.
	Event func(r *Request, token, arn string) ([]byte, error)
	// Call runs the function, if it may be run. What fails is noted in the trace. thrown is the message of an
	// error that the function itself threw.
	Call func(r *Request, event []byte) (out []byte, thrown string, err error)
}

// Format is what a function answers.
type Format uint8

const (
	PolicyAnswer Format = iota // principalId and policyDocument
	SimpleAnswer               // isAuthorized
)

// IdentitySource is a part of a request that tells callers apart.
type IdentitySource struct {
	In, Name string // "header", "querystring", "stageVariables", "context"
	Value    string // of a stage variable
	Context  func(r *Request, name string) string
}

func (s IdentitySource) String() string {
	switch s.In {
	case "header", "querystring":
		return s.In + " " + s.Name
	}
	return s.In + "." + s.Name
}

// LambdaResult is what a function has said, checked. It is shared between requests and never changes.
type LambdaResult struct {
	Principal string
	UsageKey  string // usageIdentifierKey
	Allowed   bool   // of a simple answer

	// Context holds what the function passes on, in its order: text, as REST APIs do with all values; of
	// simple answers and of HTTP APIs any JSON. Values are valid JSON.
	Context []ContextValue

	Policy string // policyDocument, as the function has written it
	policy *policy.Compiled
}

// ContextValue is one member of context.
type ContextValue struct {
	Name string
	JSON []byte
}

// Text is the value as text: a string without its quotes.
func (v *ContextValue) Text() string {
	if v.JSON[0] == '"' {
		var s string
		_ = json.Unmarshal(v.JSON, &s)
		return s
	}
	return string(v.JSON)
}

// Property returns principalId or a member of context as text, "" if there is none.
func (l *LambdaResult) Property(name string) string {
	if name == "principalId" {
		return l.Principal
	}
	for i := range l.Context {
		if l.Context[i].Name == name {
			return l.Context[i].Text()
		}
	}
	return ""
}

// Bounds of what functions answer.
const (
	MaxLambdaAnswer  = 6 << 20
	MaxLambdaContext = 64 << 10 // bytes of context
)

type lambda struct {
	Lambda
	wanted string
}

// NewLambda compiles the authorizer.
func NewLambda(c Lambda) Authorizer {
	z := &lambda{Lambda: c}
	names := make([]string, len(c.Sources))
	z.Sources = slices.Clone(c.Sources)
	for i, s := range c.Sources {
		names[i] = s.String()
		if s.In == "header" {
			z.Sources[i].Name = http.CanonicalHeaderKey(s.Name)
		}
	}
	z.wanted = strings.Join(names, " and ")
	return z
}

// Of returns the source's value in a request, "" if it has none; several values are joined by commas. The name of a
// header must be canonical.
func (s *IdentitySource) Of(r *Request) string {
	one, more := s.values(r)
	if len(more) == 0 {
		return one
	}
	return one + "," + strings.Join(more, ",")
}

// values returns the first of the source's values and the others. All of them count, empty ones too, for the function
// sees all of them and may look at any.
func (s *IdentitySource) values(r *Request) (one string, more []string) {
	switch s.In {
	case "header":
		v := r.HTTP.Header[s.Name]
		switch {
		case s.Name == "Host":
			return r.HTTP.Host, nil
		case len(v) == 0:
			return "", nil
		case s.Name == "X-Forwarded-For": // as the function sees it: what a client writes there is not who it is
			return strings.Join(v, ", ") + ", " + r.SourceIP, nil
		}
		return v[0], v[1:]
	case "querystring":
		return queryValues(r.HTTP.URL.RawQuery, s.Name)
	case "context":
		if s.Context != nil {
			return s.Context(r, s.Name), nil
		}
	}
	return s.Value, nil
}

func (z *lambda) Authorize(r *Request, out *Result) {
	var few [256]byte
	key := append(append(append(few[:0], z.API.ID...), '/'), z.API.Stage...)
	key = append(append(key, '/'), z.ID...)
	token := ""
	for i := range z.Sources {
		s := &z.Sources[i]
		one, more := s.values(r)
		if one == "" && strings.Join(more, "") == "" {
			r.Trace.Fail("identity source", "the request lacks "+s.String()+", so the authorizer's function is not asked", "nothing", z.wanted)
			out.Refusal, out.Why = NoIdentity, "no identity source"
			return
		}
		token = one
		if len(more) > 0 {
			token += "," + strings.Join(more, ",")
		}
		// Counts and lengths keep one value from passing for two, and two for one: what the function says where it
		// looks at the last of several values is not said of a request that has them joined.
		key = append(appendLength(appendLength(key, len(more)), len(one)), one...)
		for _, v := range more {
			key = append(appendLength(key, len(v)), v...)
		}
	}
	if z.Token && z.Validation != nil && !z.Validation.MatchString(token) {
		r.Trace.Fail("identity source", "the token does not match the authorizer's validation expression, so the function is not asked", itoa(len(token))+" bytes", z.Validation.String())
		out.Refusal, out.Why = Unauthorized, "the token does not match"
		return
	}
	if len(z.Sources) > 0 {
		r.Trace.Pass("identity source", z.wanted)
	}
	keeps := z.TTL > 0 && z.Cache != nil && len(z.Sources) > 0
	var res *LambdaResult
	if keeps {
		if res = z.Cache.get(key, r.Start); res != nil {
			r.Trace.Pass("authorizer", "its earlier answer for this identity, kept for "+z.TTL.String())
		}
	}
	arn := z.ARN(r)
	if res == nil {
		if res = z.ask(r, out, token, arn); res == nil {
			return
		}
		if keeps {
			z.Cache.put(key, res, r.Start.Add(z.TTL), r.Start)
		}
	}
	z.decide(r, out, res, arn)
}

func appendLength(b []byte, n int) []byte {
	return append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// ask runs the function.
func (z *lambda) ask(r *Request, out *Result, token, arn string) *LambdaResult {
	event, err := z.Event(r, token, arn)
	if err != nil { // the body; noted
		out.Refusal, out.Why = Fault, "the event could not be made"
		return nil
	}
	answer, thrown, err := z.Call(r, event)
	switch {
	case err != nil:
		out.Refusal, out.Why = Fault, "the function failed: "+err.Error()
		return nil
	case thrown == "Unauthorized":
		r.Trace.Fail("authorizer", `the function threw "Unauthorized"`, "", "a policy")
		out.Refusal, out.Why = Unauthorized, "Unauthorized"
		return nil
	case thrown != "":
		if r.Trace != nil {
			thrown = withoutToken(thrown, token)
		}
		r.Trace.Fail("authorizer", "the function failed", thrown, `an answer, or an error with the message "Unauthorized"`)
		out.Refusal, out.Why = Fault, "the function failed"
		return nil
	}
	res, err := z.parse(answer)
	if err != nil {
		r.Trace.Fail("authorizer", "the function's answer is not one: "+err.Error(), "", z.form())
		out.Refusal, out.Why = Fault, "the function's answer is malformed"
		return nil
	}
	r.Trace.Pass("authorizer", "the function has answered")
	return res
}

// withoutToken takes the token out of what a function says of it.
func withoutToken(text, token string) string {
	for _, part := range append(strings.Fields(token), token) {
		if len(part) > 6 { // not Bearer
			text = strings.ReplaceAll(text, part, "***")
		}
	}
	return text[:min(len(text), 300)]
}

func (z *lambda) form() string {
	if z.Format == SimpleAnswer {
		return `{"isAuthorized": true, "context": {…}}`
	}
	return `{"principalId": "…", "policyDocument": {"Version": "2012-10-17", "Statement": […]}, "context": {"name": "text, number or boolean"}}`
}

// decide evaluates what the function has said for one request.
func (z *lambda) decide(r *Request, out *Result, res *LambdaResult, arn string) {
	if z.Format == SimpleAnswer {
		if !res.Allowed {
			r.Trace.Fail("authorization", "the function says that the caller may not", "isAuthorized false", "isAuthorized true")
			out.Refusal, out.Why, out.Message = Forbidden, "not authorized", MessageDenied
			return
		}
		r.Trace.Pass("authorization", "isAuthorized")
		out.Lambda = res
		return
	}
	// Whom the function lets in is nobody that policies of resources could name: these are asked as for
	// anybody. An Allow of either is enough, a Deny of either is one.
	someone := policy.Principal{Type: policy.User, Account: z.API.Account}
	about := conditions(r)
	d := policy.Evaluate(&policy.Set{Identity: []*policy.Compiled{res.policy}}, &policy.Request{Action: "execute-api:Invoke", Resource: arn, Principal: someone, Context: about})
	if z.Resource != nil && d.Verdict == policy.ImplicitDeny {
		if byResource := decideResource(r, z.Resource, arn); byResource.Allowed {
			d = byResource
		}
	}
	if d.Allowed {
		r.Trace.Pass("authorization", "the function's policy allows execute-api:Invoke on "+arn)
		out.Lambda = res
		return
	}
	if r.Trace != nil {
		for _, step := range policy.Explain(d) {
			r.Trace.Steps = append(r.Trace.Steps, trace.Step(step))
		}
	}
	out.Refusal, out.Type, out.Why, out.Message = Forbidden, "AccessDeniedException", "not authorized", MessageDenied
	if d.Verdict == policy.ExplicitDeny {
		out.Message = MessageExplicitDeny
	}
	r.Trace.Fail("authorization", "the policy that the function has returned does not let the caller in", res.Principal, "execute-api:Invoke on "+arn)
}

// What REST APIs say when a function's policy lets nobody in.
const (
	MessageDenied       = "User is not authorized to access this resource"
	MessageExplicitDeny = "User is not authorized to access this resource with an explicit deny"
)

// parse checks a function's answer.
func (z *lambda) parse(answer []byte) (*LambdaResult, error) {
	if len(answer) > MaxLambdaAnswer {
		return nil, errors.New("it is too large")
	}
	var a struct {
		PrincipalID  *json.RawMessage
		Policy       json.RawMessage `json:"policyDocument"`
		Context      json.RawMessage
		UsageKey     *string `json:"usageIdentifierKey"`
		IsAuthorized *bool
	}
	if bytes.HasPrefix(bytes.TrimSpace(answer), []byte("null")) {
		return nil, errors.New("it is null")
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, errors.New("it is not JSON, or a member is of another type")
	}
	res := &LambdaResult{}
	if a.UsageKey != nil {
		res.UsageKey = *a.UsageKey
	}
	if z.Format == SimpleAnswer {
		if a.IsAuthorized == nil {
			return nil, errors.New("it has no isAuthorized")
		}
		res.Allowed = *a.IsAuthorized
		return res, z.context(res, a.Context, false)
	}
	if a.PrincipalID == nil || json.Unmarshal(*a.PrincipalID, &res.Principal) != nil || res.Principal == "" {
		return nil, errors.New("it has no principalId")
	}
	if len(a.Policy) == 0 || a.Policy[0] != '{' {
		return nil, errors.New("it has no policyDocument")
	}
	res.Policy = string(a.Policy)
	doc, err := policy.Parse(res.Policy)
	if err != nil {
		return nil, err
	}
	if res.policy, err = doc.Compile(policy.Identity, "policy of the authorizer's function"); err != nil {
		return nil, err
	}
	return res, z.context(res, a.Context, !z.AnyContext)
}

// context reads what is to be passed on. Policy answers hold text, numbers and booleans only.
func (z *lambda) context(res *LambdaResult, raw []byte, flat bool) error {
	if len(raw) == 0 || raw[0] == 'n' {
		return nil
	}
	if len(raw) > MaxLambdaContext {
		return errors.New("context is larger than 64 KB")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("context is not an object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return err
		}
		if flat && (v[0] == '{' || v[0] == '[') {
			return errors.New("context." + name.(string) + " is an object or a list; only text, numbers and booleans can be passed on")
		}
		var b bytes.Buffer
		if err := json.Compact(&b, v); err != nil {
			return err
		}
		res.Context = append(res.Context, ContextValue{name.(string), b.Bytes()})
	}
	return nil
}

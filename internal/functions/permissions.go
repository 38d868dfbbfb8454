package functions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// maxPolicy is the size of a resource policy, in bytes.
const maxPolicy = 20480

// resourcePolicy is the resource policy of a function, a version or an alias.
type resourcePolicy struct {
	Statements []statement

	once     sync.Once // for what follows
	compiled *policy.Compiled
	err      error
}

// compile returns the policy ready for evaluation; nil if p is. It is done once for each state of the
// function's document. arn is what the policy hangs on.
func (p *resourcePolicy) compile(arn string) (*policy.Compiled, error) {
	if p == nil {
		return nil, nil
	}
	p.once.Do(func() {
		p.compiled, p.err = policy.Compile(policy.Resource, "the resource policy of "+arn, p.text(arn))
	})
	return p.compiled, p.err
}

// statement is what AddPermission was told. It always allows.
type statement struct {
	Sid, Action, Principal string
	SourceARN              string `json:",omitempty"`
	SourceAccount          string `json:",omitempty"`
	EventSourceToken       string `json:",omitempty"`
	PrincipalOrgID         string `json:",omitempty"`
	URLAuthType            string `json:",omitempty"`
	ViaURL                 *bool  `json:",omitempty"`
}

// document is how Lambda writes a statement as IAM's policy language.
type document struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition *condition `json:",omitempty"`
}

type condition struct {
	StringEquals map[string]string `json:",omitempty"`
	Bool         map[string]string `json:",omitempty"`
	ArnLike      map[string]string `json:",omitempty"`
}

func (st *statement) document(resource string) document {
	d := document{Sid: st.Sid, Effect: "Allow", Action: st.Action, Resource: resource}
	switch p := st.Principal; {
	case p == "*":
		d.Principal = p
	case isAccount(p):
		d.Principal = map[string]string{"AWS": "arn:aws:iam::" + p + ":root"}
	case strings.HasPrefix(p, "arn:"):
		d.Principal = map[string]string{"AWS": p}
	default:
		d.Principal = map[string]string{"Service": p}
	}
	c := condition{StringEquals: map[string]string{}, Bool: map[string]string{}, ArnLike: map[string]string{}}
	for _, e := range []struct {
		in         map[string]string
		key, value string
	}{
		{c.StringEquals, "AWS:SourceAccount", st.SourceAccount},
		{c.StringEquals, "lambda:EventSourceToken", st.EventSourceToken},
		{c.StringEquals, "aws:PrincipalOrgID", st.PrincipalOrgID},
		{c.StringEquals, "lambda:FunctionUrlAuthType", st.URLAuthType},
		{c.ArnLike, "AWS:SourceArn", st.SourceARN},
	} {
		if e.value != "" {
			e.in[e.key] = e.value
		}
	}
	if st.ViaURL != nil {
		c.Bool["lambda:InvokedViaFunctionUrl"] = map[bool]string{true: "true", false: "false"}[*st.ViaURL]
	}
	if len(c.StringEquals)+len(c.Bool)+len(c.ArnLike) > 0 {
		d.Condition = &c
	}
	return d
}

func isAccount(s string) bool { return len(s) == 12 && all(s, isDigit) }

// text returns the policy as a JSON document.
func (p *resourcePolicy) text(resource string) string {
	doc := struct {
		Version   string
		ID        string `json:"Id"`
		Statement []document
	}{Version: "2012-10-17", ID: "default"}
	for i := range p.Statements {
		doc.Statement = append(doc.Statement, p.Statements[i].document(resource))
	}
	return encode(doc)
}

func encode(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n")
}

// policed makes sure that what a call about permissions names exists and can have a policy.
func (s *Service) policed(tx *store.Tx, f *function, n name) error {
	switch q := n.qualifier; {
	case q == "":
	case q == latest:
		return invalid("We currently do not support adding policies for $LATEST.")
	case isVersion(q):
		return checkVersion(tx, n.plain(), q)
	case f.Aliases[q] == nil:
		return noAlias(n, q)
	}
	return nil
}

// revision returns the RevisionId that belongs to what a policy hangs on.
func (f *function) revision(qualifier string) *string {
	if a := f.Aliases[qualifier]; a != nil {
		return &a.Revision
	}
	return &f.Latest.Revision
}

func (s *Service) AddPermission(ctx context.Context, in *lambda.AddPermissionRequest) (*lambda.AddPermissionResponse, error) {
	n, err := s.named(wire.CallFrom(ctx), in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	st := statement{Sid: in.StatementId, Action: in.Action, Principal: in.Principal, SourceARN: shape.Val(in.SourceArn), SourceAccount: shape.Val(in.SourceAccount),
		EventSourceToken: shape.Val(in.EventSourceToken), PrincipalOrgID: shape.Val(in.PrincipalOrgID), URLAuthType: shape.Val(in.FunctionUrlAuthType), ViaURL: in.InvokedViaFunctionUrl}
	if err := checkPrincipal(in.Principal); err != nil {
		return nil, err
	}
	if st.URLAuthType != "" && st.Action != "lambda:InvokeFunctionUrl" {
		return nil, invalid("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action")
	}
	err = s.change(ctx, n, func(tx *store.Tx, f *function) error {
		if err := s.policed(tx, f, n); err != nil {
			return err
		}
		rev := f.revision(n.qualifier)
		if in.RevisionId != nil && *in.RevisionId != *rev {
			return revised("GetPolicy")
		}
		p := f.Policies[n.qualifier]
		if p == nil {
			p = &resourcePolicy{}
			if f.Policies == nil {
				f.Policies = map[string]*resourcePolicy{}
			}
			f.Policies[n.qualifier] = p
		}
		for _, other := range p.Statements {
			if other.Sid == st.Sid {
				return conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", st.Sid)
			}
		}
		p.Statements = append(p.Statements, st)
		if size := len(p.text(n.arn())); size > maxPolicy {
			return user(lambda.PolicyLengthExceededException("The final policy size (%d) is bigger than the limit (%d).", size, maxPolicy))
		}
		if _, err := policy.Compile(policy.Resource, "", p.text(n.arn())); err != nil {
			return invalid("The provided permission is not one that a policy can hold: %s", err)
		}
		*rev = ident.UUID()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &lambda.AddPermissionResponse{Statement: shape.Ptr(encode(st.document(n.arn())))}, nil
}

// checkPrincipal: an account, an ARN of IAM or STS, a service, or everybody.
func checkPrincipal(p string) error {
	a, err := arn.Parse(p)
	switch {
	case p == "*", isAccount(p), err == nil && (a.Service == "iam" || a.Service == "sts"):
		return nil
	case !strings.HasPrefix(p, "arn:") && strings.Contains(p, ".") && !strings.ContainsAny(p, "*:/"):
		return nil
	}
	return invalid("The provided principal was invalid. Please check the principal and try again.")
}

func (s *Service) RemovePermission(ctx context.Context, in *lambda.RemovePermissionRequest) (*lambda.RemovePermissionResponse, error) {
	n, err := s.named(wire.CallFrom(ctx), in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, n, func(tx *store.Tx, f *function) error {
		if err := s.policed(tx, f, n); err != nil {
			return err
		}
		p := f.Policies[n.qualifier]
		if p == nil {
			return user(lambda.ResourceNotFoundException("No policy is associated with the given resource."))
		}
		rev := f.revision(n.qualifier)
		if in.RevisionId != nil && *in.RevisionId != *rev {
			return revised("GetPolicy")
		}
		for i := range p.Statements {
			if p.Statements[i].Sid == in.StatementId {
				p.Statements = append(p.Statements[:i], p.Statements[i+1:]...)
				if len(p.Statements) == 0 {
					delete(f.Policies, n.qualifier)
				}
				*rev = ident.UUID()
				return nil
			}
		}
		return user(lambda.ResourceNotFoundException("Statement %s is not found in resource policy.", in.StatementId))
	})
	if err != nil {
		return nil, err
	}
	return &lambda.RemovePermissionResponse{}, nil
}

func (s *Service) GetPolicy(ctx context.Context, in *lambda.GetPolicyRequest) (*lambda.GetPolicyResponse, error) {
	n, f, _, err := s.found(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	p := f.Policies[n.qualifier]
	if p == nil {
		return nil, user(lambda.ResourceNotFoundException("The resource you requested does not exist."))
	}
	return &lambda.GetPolicyResponse{Policy: shape.Ptr(p.text(n.arn())), RevisionId: shape.Ptr(*f.revision(n.qualifier))}, nil
}

// FunctionPolicy returns the resource policy of what functionARN names: a function, a version or an alias.
// nil stands for none. The error is Lambda's ResourceNotFoundException if there is no such function.
func (s *Service) FunctionPolicy(ctx context.Context, functionARN string) (*policy.Compiled, error) {
	n, ok := parseName(functionARN)
	if !ok || n.region == "" {
		return nil, invalid("The function name %q is not valid.", functionARN)
	}
	if n.account != s.Account {
		return nil, notFound(n.arn())
	}
	f, err := s.get(ctx, n)
	if err != nil {
		return nil, err
	}
	return f.Policies[n.qualifier].compile(n.arn())
}

// Permits tells whether the resource policy of what functionARN names, a function, a version or an
// alias, lets an AWS service invoke it on behalf of a resource in an account.
func (s *Service) Permits(ctx context.Context, functionARN, principalService, sourceARN, account string) bool {
	ok, _ := s.Permission(ctx, functionARN, principalService, sourceARN, account)
	return ok
}

// permitRequest is what a resource policy is asked.
type permitRequest struct{ function, service, source, account string }

// permit is the answer, good as long as the store's cache returns the same document.
type permit struct {
	id  string
	fn  *function
	ok  bool
	why string
}

// maxPermits bounds the answers that are kept: a source may hold what a client wrote.
const maxPermits = 10000

// Permission is Permits with the reason: the id of the statement that allows it, or what is missing. An
// answer that was given before costs three look-ups in memory, however long the policy is.
func (s *Service) Permission(ctx context.Context, functionARN, principalService, sourceARN, account string) (ok bool, why string) {
	q := permitRequest{functionARN, principalService, sourceARN, account}
	s.mu.RLock()
	known := s.permits[q]
	s.mu.RUnlock()
	if known.fn != nil {
		if f, err := functions.Cached(ctx, s.DB, known.id); err == nil && f == known.fn {
			return known.ok, known.why
		}
	}
	n, valid := parseName(functionARN)
	if !valid || n.region == "" {
		return false, "not the ARN of a function"
	}
	f, err := functions.Cached(ctx, s.DB, n.id())
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && n.account != s.Account:
		return false, "there is no such function"
	case err != nil:
		return false, "the function's policy could not be read"
	}
	p, err := f.Policies[n.qualifier].compile(n.arn())
	if err != nil {
		s.Logger.Error("a function's resource policy cannot be used", "function", functionARN, "err", err)
		return false, "the function's policy could not be read"
	}
	ok, why = permits(p, q)
	s.mu.Lock()
	if len(s.permits) >= maxPermits {
		clear(s.permits)
	}
	s.permits[q] = permit{n.id(), f, ok, why}
	s.mu.Unlock()
	return ok, why
}

// permits asks the policy, which may be nil.
func permits(p *policy.Compiled, q permitRequest) (ok bool, why string) {
	if p == nil {
		return false, "it has no resource policy: no permission was added"
	}
	d := policy.Evaluate(&policy.Set{Resource: p}, &policy.Request{
		Principal: policy.Principal{Type: policy.AWSService, Service: q.service}, Action: "lambda:InvokeFunction", Resource: q.function, Context: &q,
	})
	if d.Allowed {
		return true, d.Statement.Sid
	}
	for _, step := range policy.Explain(d) {
		if step.OK {
			continue
		}
		if why = step.Detail; step.Want != "" {
			why += ": it is for " + step.Want + ", this is " + step.Got
		}
		break // the first says why, the last is the verdict
	}
	return false, why
}

var isFalse = []string{"false"}

// Values implements [policy.Context]: what is known of a service's call.
func (q *permitRequest) Values(key string) []string {
	switch {
	case key == "aws:sourcearn" && q.source != "":
		return []string{q.source}
	case key == "aws:sourceaccount" && q.account != "":
		return []string{q.account}
	case key == "lambda:invokedviafunctionurl":
		return isFalse
	}
	return nil
}

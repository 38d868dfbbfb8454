package functions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// maxPolicy is the size of a resource policy, in bytes.
const maxPolicy = 20480

// policy is the resource policy of a function, a version or an alias.
type policy struct {
	Statements []statement
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
func (p *policy) text(resource string) string {
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
			p = &policy{}
			if f.Policies == nil {
				f.Policies = map[string]*policy{}
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
	ok, why = f.Policies[n.qualifier].permits(q)
	s.mu.Lock()
	if len(s.permits) >= maxPermits {
		clear(s.permits)
	}
	s.permits[q] = permit{n.id(), f, ok, why}
	s.mu.Unlock()
	return ok, why
}

// permits evaluates a policy, which may be nil.
func (p *policy) permits(q permitRequest) (ok bool, why string) {
	if p == nil {
		return false, "it has no resource policy: no permission was added"
	}
	// The nearest miss is the most telling one.
	near := 0
	for i := range p.Statements {
		miss := p.Statements[i].misses(q.service, q.source, q.account)
		if miss == matched {
			return true, p.Statements[i].Sid
		}
		near = max(near, miss)
	}
	return false, misses[near]
}

// How far a request came with a statement.
const (
	missAction = iota
	missPrincipal
	missCondition
	missAccount
	missSource
	matched
)

var misses = [...]string{
	missAction:    "no statement of its resource policy allows lambda:InvokeFunction",
	missPrincipal: "no statement of its resource policy is for this service",
	missCondition: "the statements for this service hold for other ways of calling",
	missAccount:   "the statements for this service are for another AWS:SourceAccount",
	missSource:    "the statements for this service are for another AWS:SourceArn",
}

// misses compares a request of a service with the statement.
func (st *statement) misses(service, sourceARN, account string) int {
	switch {
	case st.Action != "lambda:InvokeFunction" && st.Action != "lambda:*" && st.Action != "*":
		return missAction
	case st.Principal != "*" && st.Principal != service:
		return missPrincipal
	case st.EventSourceToken != "" || st.PrincipalOrgID != "" || st.URLAuthType != "" || st.ViaURL != nil && *st.ViaURL:
		return missCondition // a service's call has none of these keys
	case st.SourceAccount != "" && st.SourceAccount != account:
		return missAccount
	case st.SourceARN != "" && !arnLike(st.SourceARN, sourceARN):
		return missSource
	}
	return matched
}

// arnLike compares an ARN with a pattern as the condition operator ArnLike does: each of the six parts
// for itself, with * and ? in the pattern.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
func arnLike(pattern, s string) bool {
	for range 5 {
		p, restP, ok := strings.Cut(pattern, ":")
		v, restV, okV := strings.Cut(s, ":")
		if !ok || !okV || !glob(p, v) {
			return false
		}
		pattern, s = restP, restV
	}
	return glob(pattern, s)
}

// glob matches * with any characters, also none, and ? with one. It takes time in proportion to the
// product of the lengths at the worst.
func glob(pattern, s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}

package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// simulation is a question of the policy simulator: the policies of a set, and where each comes from.
type simulation struct {
	set     policy.Set
	who     policy.Principal
	sources map[string]source // by the name of the compiled policy
	keys    map[string]bool   // condition keys that the policies ask for
}

type source struct {
	id, kind, text string
}

const (
	iamPolicy      = "IAM Policy"
	resourcePolicy = "Resource Policy"
)

// compile adds a policy. Its name is its id in the answer.
func (m *simulation) compile(k policy.Kind, id, kind, text string) (*policy.Compiled, error) {
	d, err := policy.Parse(text)
	if err != nil {
		return nil, invalidPolicy(id, err)
	}
	c, err := d.Compile(k, id)
	if err != nil {
		return nil, invalidPolicy(id, err)
	}
	if m.sources == nil {
		m.sources, m.keys = map[string]source{}, map[string]bool{}
	}
	m.sources[id] = source{id, kind, text}
	for _, key := range d.ContextKeys() {
		m.keys[key] = true
	}
	return c, nil
}

func invalidPolicy(id string, err error) error {
	return iam.InvalidInputException("Invalid Entity Policy: %s: %s", id, strings.TrimPrefix(err.Error(), "policy: "))
}

// inputs adds the policies that a request brings along.
func (m *simulation) inputs(identity, boundary []string, orgs []iam.OrderedOrganizationPolicyType, resource *string) error {
	for i, text := range identity {
		c, err := m.compile(policy.Identity, fmt.Sprintf("PolicyInputList.%d", i+1), iamPolicy, text)
		if err != nil {
			return err
		}
		m.set.Identity = append(m.set.Identity, c)
	}
	if len(boundary) > 1 {
		return iam.InvalidInputException("PermissionsBoundaryPolicyInputList can hold one policy.")
	}
	for _, text := range boundary {
		c, err := m.compile(policy.Boundary, "PermissionsBoundaryPolicyInputList.1", iamPolicy, text)
		if err != nil {
			return err
		}
		m.set.Boundary = c
	}
	for i, level := range orgs {
		var list []*policy.Compiled
		for j, text := range level.ServiceControlPolicyInputList {
			c, err := m.compile(policy.SCP, fmt.Sprintf("OrderedOrganizationPolicyInputList.%d.%d", i+1, j+1), "Organizations Policy", text)
			if err != nil {
				return err
			}
			list = append(list, c)
		}
		m.set.SCP = append(m.set.SCP, list)
	}
	if resource != nil {
		c, err := m.compile(policy.Resource, "ResourcePolicy", resourcePolicy, *resource)
		if err != nil {
			return err
		}
		m.set.Resource = c
	}
	return nil
}

// held adds what an entity has of its own, but for what is excluded.
func (s *Service) held(ctx context.Context, m *simulation, g *Grants, kind, name string, without []iam.PolicyIdentifier) error {
	for _, p := range slices.Sorted(maps.Keys(g.Inline)) {
		if slices.ContainsFunc(without, func(x iam.PolicyIdentifier) bool {
			i := x.InlinePolicyIdentifier
			return i != nil && i.PolicyName == p && strings.EqualFold(i.AttachmentType, kind) && strings.EqualFold(i.AttachmentName, name)
		}) {
			continue
		}
		c, err := m.compile(policy.Identity, kind+"_"+name+"_"+p, iamPolicy, g.Inline[p])
		if err != nil {
			return err
		}
		m.set.Identity = append(m.set.Identity, c)
	}
	for _, a := range g.Attached {
		if slices.ContainsFunc(without, func(x iam.PolicyIdentifier) bool { return shape.Val(x.PolicyArn) == a }) {
			continue
		}
		c, err := s.managedFor(ctx, m, policy.Identity, a)
		if err != nil {
			return err
		}
		m.set.Identity = append(m.set.Identity, c)
	}
	if g.Boundary == "" || m.set.Boundary != nil {
		return nil
	}
	c, err := s.managedFor(ctx, m, policy.Boundary, g.Boundary)
	m.set.Boundary = c
	return err
}

// managedFor adds a managed policy to a simulation.
func (s *Service) managedFor(ctx context.Context, m *simulation, k policy.Kind, policyARN string) (*policy.Compiled, error) {
	p, err := s.managedPolicy(ctx, policyARN)
	if err != nil {
		return nil, err
	}
	return m.compile(k, p.Name, iamPolicy, p.version(p.Default).Document)
}

// entity fills a simulation with the policies of a user, a group or a role.
func (s *Service) entity(ctx context.Context, m *simulation, entityARN string, without []iam.PolicyIdentifier) error {
	a, err := arn.Parse(entityARN)
	kind, rest := a.Cut()
	if err != nil || a.Service != "iam" || a.Account != s.Account || rest == "" || !validText(rest) {
		return iam.InvalidInputException("Invalid Entity Arn: %s does not clearly define entity type and name.", entityARN)
	}
	name := rest[strings.LastIndexByte(rest, '/')+1:]
	switch kind {
	case "user":
		u, err := s.getUser(ctx, name)
		if err != nil {
			return err
		}
		m.who = u.principal(s.Account)
		for _, g := range u.Groups {
			group, err := s.getGroup(ctx, g)
			if err != nil {
				return err
			}
			if err := s.held(ctx, m, &group.Grants, "group", group.Name, without); err != nil {
				return err
			}
		}
		return s.held(ctx, m, &u.Grants, "user", u.Name, without)
	case "group":
		g, err := s.getGroup(ctx, name)
		if err != nil {
			return err
		}
		m.who = s.somebody()
		return s.held(ctx, m, &g.Grants, "group", g.Name, without)
	case "role":
		r, err := s.getRole(ctx, name)
		if err != nil {
			return err
		}
		m.who = policy.Principal{Type: policy.Role, ARN: r.ARN, Account: s.Account, ID: r.ID, UserID: r.ID, Tags: r.Tags}
		return s.held(ctx, m, &r.Grants, "role", r.Name, without)
	}
	return iam.InvalidInputException("Invalid Entity Arn: %s does not clearly define entity type and name.", entityARN)
}

// somebody is a user of the account of whom nothing else is known.
func (s *Service) somebody() policy.Principal {
	return policy.Principal{Type: policy.User, Account: s.Account, ARN: s.arnOf("user", "/", "*")}
}

// caller sets who is to be simulated, where a request says so.
func (m *simulation) caller(s *Service, callerARN *string) error {
	if callerARN == nil {
		return nil
	}
	a, err := arn.Parse(*callerARN)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "user/") {
		return iam.InvalidInputException("Invalid Caller Arn: %s is not the ARN of a user.", *callerARN)
	}
	if m.who.ARN != *callerARN {
		m.who = policy.Principal{Type: policy.User, Account: a.Account, ARN: *callerARN, Name: a.Resource[strings.LastIndexByte(a.Resource, '/')+1:]}
	}
	return nil
}

// asked is what both operations of the simulator ask.
type asked struct {
	actions, resources []string
	owner              *string
	context            []iam.ContextEntry
	handling           *string
	marker             *string
	items              *int64
}

// answer decides each action on each resource.
func (m *simulation) answer(q asked) (*iam.SimulatePolicyResponse, error) {
	if q.handling != nil {
		return nil, iam.InvalidInputException("ResourceHandlingOption is not supported: there is no EC2 here.")
	}
	w, err := windowOf(q.marker, q.items)
	if err != nil {
		return nil, err
	}
	about := policy.Values{}
	for _, e := range q.context {
		if e.ContextKeyName != nil {
			about.Set(*e.ContextKeyName, append([]string{}, e.ContextKeyValues...)...)
		}
	}
	resources := q.resources
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	for _, r := range resources {
		if r != "*" && !strings.HasPrefix(r, "arn:") {
			return nil, iam.InvalidInputException("Invalid Resource Arn: %s", r)
		}
	}
	out := &iam.SimulatePolicyResponse{EvaluationResults: []iam.EvaluationResult{}}
	at, next := 0, ""
	for _, action := range q.actions {
		for _, resource := range resources {
			at++
			id := fmt.Sprintf("%09d", at)
			if id <= w.after {
				continue
			}
			if len(out.EvaluationResults) == w.limit {
				next = fmt.Sprintf("%09d", at-1)
				break
			}
			out.EvaluationResults = append(out.EvaluationResults, m.evaluate(action, resource, ownerAccount(q.owner), about))
		}
		if next != "" {
			break
		}
	}
	out.IsTruncated, out.Marker = more(next)
	return out, nil
}

// ownerAccount returns the account that ResourceOwner names, by its ARN or as such.
func ownerAccount(owner *string) string {
	text := shape.Val(owner)
	if a, err := arn.Parse(text); err == nil {
		return a.Account
	}
	return text
}

func (m *simulation) evaluate(action, resource, owner string, about policy.Values) iam.EvaluationResult {
	req := &policy.Request{Principal: m.who, Action: action, Resource: resource, ResourceAccount: owner, Context: about}
	d := policy.Examine(&m.set, req)
	out := iam.EvaluationResult{EvalActionName: action, EvalResourceName: &resource, EvalDecision: d.Verdict.String(), MatchedStatements: []iam.Statement{}, MissingContextValues: []string{}}
	for _, match := range policy.Matches(&m.set, req) {
		if d.Verdict == policy.ExplicitDeny && match.Effect != policy.Deny {
			continue
		}
		out.MatchedStatements = append(out.MatchedStatements, m.statement(match.Statement))
	}
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		if about.Values(key) == nil && !m.known(key) {
			out.MissingContextValues = append(out.MissingContextValues, key)
		}
	}
	cross := false
	for _, l := range d.Layers {
		switch l.Layer {
		case policy.LayerBoundary:
			out.PermissionsBoundaryDecisionDetail = &iam.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: shape.Ptr(l.Verdict == policy.Allowed)}
		case policy.LayerSCP:
			detail := out.OrganizationsDecisionDetail
			allowed := l.Verdict == policy.Allowed && (detail == nil || *detail.AllowedByOrganizations)
			out.OrganizationsDecisionDetail = &iam.OrganizationsDecisionDetail{AllowedByOrganizations: &allowed}
		case policy.LayerResource:
			cross = owner != "" && owner != m.who.Account
		}
	}
	if cross {
		out.EvalDecisionDetails = map[string]string{}
		for _, l := range d.Layers {
			switch l.Layer {
			case policy.LayerIdentity:
				out.EvalDecisionDetails[iamPolicy] = l.Verdict.String()
			case policy.LayerResource:
				out.EvalDecisionDetails[resourcePolicy] = l.Verdict.String()
			}
		}
	}
	if resource != "*" {
		out.ResourceSpecificResults = []iam.ResourceSpecificResult{{
			EvalResourceName: resource, EvalResourceDecision: out.EvalDecision, MatchedStatements: out.MatchedStatements, MissingContextValues: out.MissingContextValues,
			EvalDecisionDetails: out.EvalDecisionDetails, PermissionsBoundaryDecisionDetail: out.PermissionsBoundaryDecisionDetail,
		}}
	}
	return out
}

// known tells whether the principal answers for a condition key.
func (m *simulation) known(key string) bool {
	switch {
	case key == "aws:principalarn", key == "aws:principalaccount", key == "aws:principaltype", key == "aws:principalisawsservice":
		return true
	case key == "aws:userid":
		return m.who.UserID != ""
	case key == "aws:username":
		return m.who.Type == policy.User && m.who.Name != ""
	}
	tag, ok := strings.CutPrefix(key, "aws:principaltag/")
	if !ok {
		return false
	}
	for k := range m.who.Tags {
		if strings.EqualFold(k, tag) {
			return true
		}
	}
	return false
}

// statement shows where a statement stands.
func (m *simulation) statement(ref policy.Ref) iam.Statement {
	src := m.sources[ref.Policy]
	out := iam.Statement{SourcePolicyId: &src.id, SourcePolicyType: &src.kind}
	if from, to, ok := span(src.text, ref.Index); ok {
		out.StartPosition, out.EndPosition = position(src.text, from), position(src.text, to)
	}
	return out
}

// span returns where the statement with the index begins and ends in a policy's text, which is well-formed.
func span(text string, index int) (from, to int, ok bool) {
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(text), &doc) != nil {
		return 0, 0, false
	}
	base := strings.Index(text, string(doc.Statement)) // its first occurrence is itself: it is an object or a list
	if base < 0 {
		return 0, 0, false
	}
	if doc.Statement[0] != '[' {
		return base, base + len(doc.Statement), index == 0
	}
	dec := json.NewDecoder(strings.NewReader(string(doc.Statement)))
	if _, err := dec.Token(); err != nil {
		return 0, 0, false
	}
	for i := 0; dec.More(); i++ {
		var one json.RawMessage
		if dec.Decode(&one) != nil {
			return 0, 0, false
		}
		if i == index {
			end := base + int(dec.InputOffset())
			return end - len(one), end, true
		}
	}
	return 0, 0, false
}

// position counts lines and columns from 1.
func position(text string, offset int) *iam.Position {
	before := text[:offset]
	line := strings.LastIndexByte(before, '\n') + 1
	return &iam.Position{Line: shape.Ptr(int64(strings.Count(before, "\n") + 1)), Column: shape.Ptr(int64(utf8.RuneCountInString(before[line:]) + 1))}
}

func (s *Service) SimulateCustomPolicy(_ context.Context, in *iam.SimulateCustomPolicyRequest) (*iam.SimulatePolicyResponse, error) {
	m := &simulation{who: s.somebody()}
	if in.ResourcePolicy != nil && in.CallerArn == nil {
		return nil, iam.InvalidInputException("CallerArn is required when ResourcePolicy is specified.")
	}
	if err := m.caller(s, in.CallerArn); err != nil {
		return nil, err
	}
	if err := m.inputs(in.PolicyInputList, in.PermissionsBoundaryPolicyInputList, in.OrderedOrganizationPolicyInputList, in.ResourcePolicy); err != nil {
		return nil, err
	}
	return m.answer(asked{in.ActionNames, in.ResourceArns, in.ResourceOwner, in.ContextEntries, in.ResourceHandlingOption, in.Marker, in.MaxItems})
}

func (s *Service) SimulatePrincipalPolicy(ctx context.Context, in *iam.SimulatePrincipalPolicyRequest) (*iam.SimulatePolicyResponse, error) {
	m := new(simulation)
	if err := m.inputs(in.PolicyInputList, in.PermissionsBoundaryPolicyInputList, nil, in.ResourcePolicy); err != nil {
		return nil, err
	}
	if err := s.entity(ctx, m, in.PolicySourceArn, in.PolicyExclusionList); err != nil {
		return nil, err
	}
	if in.ResourcePolicy != nil && in.CallerArn == nil && m.who.Type != policy.User {
		return nil, iam.InvalidInputException("CallerArn is required when ResourcePolicy is specified and PolicySourceArn is not a user.")
	}
	if err := m.caller(s, in.CallerArn); err != nil {
		return nil, err
	}
	return m.answer(asked{in.ActionNames, in.ResourceArns, in.ResourceOwner, in.ContextEntries, in.ResourceHandlingOption, in.Marker, in.MaxItems})
}

// contextKeys lists what the policies ask requests for.
func (m *simulation) contextKeys() *iam.GetContextKeysForPolicyResponse {
	names := slices.Sorted(maps.Keys(m.keys))
	if names == nil {
		names = []string{}
	}
	return &iam.GetContextKeysForPolicyResponse{ContextKeyNames: names}
}

func (s *Service) GetContextKeysForCustomPolicy(_ context.Context, in *iam.GetContextKeysForCustomPolicyRequest) (*iam.GetContextKeysForPolicyResponse, error) {
	m := new(simulation)
	if err := m.inputs(in.PolicyInputList, nil, nil, nil); err != nil {
		return nil, err
	}
	return m.contextKeys(), nil
}

func (s *Service) GetContextKeysForPrincipalPolicy(ctx context.Context, in *iam.GetContextKeysForPrincipalPolicyRequest) (*iam.GetContextKeysForPolicyResponse, error) {
	m := new(simulation)
	if err := m.inputs(in.PolicyInputList, nil, nil, nil); err != nil {
		return nil, err
	}
	if err := s.entity(ctx, m, in.PolicySourceArn, nil); err != nil {
		return nil, err
	}
	return m.contextKeys(), nil
}

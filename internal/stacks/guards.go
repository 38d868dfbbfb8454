package stacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// maxStackPolicy is the greatest length of a stack policy, in bytes.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SetStackPolicy.html
const maxStackPolicy = 16384

// stackPolicy says what updates may do to the resources of a stack. Whatever no statement allows is denied.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html
type stackPolicy struct {
	Statement []guard
}

type guard struct {
	Effect, Sid                              string
	Action, NotAction, Resource, NotResource words
	Principal                                any
	Condition                                map[string]map[string]words
}

// words are one text or a list of them.
type words []string

func (w *words) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(w))
}

// readPolicy reads a stack policy; "" is none.
func readPolicy(text string) (*stackPolicy, error) {
	if text == "" {
		return nil, nil
	}
	bad := func(why string) (*stackPolicy, error) {
		return nil, invalid("Error validating stack policy: %s", why)
	}
	if len(text) > maxStackPolicy {
		return bad("Stack policy is too large")
	}
	var p stackPolicy
	if err := json.Unmarshal([]byte(text), &p); err != nil || len(p.Statement) == 0 {
		return bad("Invalid stack policy")
	}
	for i, g := range p.Statement {
		switch {
		case g.Effect != "Allow" && g.Effect != "Deny":
			return bad(fmt.Sprintf("Effect of statement #%d must be Allow or Deny", i+1))
		case g.Principal != "*":
			return bad(fmt.Sprintf("Principal of statement #%d must be *", i+1))
		case (len(g.Action) == 0) == (len(g.NotAction) == 0), (len(g.Resource) == 0) == (len(g.NotResource) == 0):
			return bad(fmt.Sprintf("Statement #%d needs Action or NotAction, and Resource or NotResource", i+1))
		}
		for _, a := range slices.Concat(g.Action, g.NotAction) {
			if !slices.Contains([]string{"Update:Modify", "Update:Replace", "Update:Delete", "Update:*"}, a) {
				return bad("Unknown update action " + a)
			}
		}
		for _, r := range slices.Concat(g.Resource, g.NotResource) {
			if r != "*" && !strings.HasPrefix(r, "LogicalResourceId/") {
				return bad("Unknown resource " + r)
			}
		}
		for op, keys := range g.Condition {
			if op != "StringEquals" && op != "StringLike" {
				return bad("Unknown condition " + op)
			}
			for k := range keys {
				if k != "ResourceType" {
					return bad("Unknown condition key " + k)
				}
			}
		}
	}
	return &p, nil
}

// denies returns why an update may not do an action to a resource; "" if it may.
func (p *stackPolicy) denies(action, logical, typ string) string {
	if p == nil {
		return ""
	}
	like := func(list words, v string) bool {
		return slices.ContainsFunc(list, func(w string) bool { return w == v || wild(w, v) })
	}
	allowed := false
	for i, g := range p.Statement {
		resource := "LogicalResourceId/" + logical
		hit := (like(g.Action, action) || len(g.NotAction) > 0 && !like(g.NotAction, action)) &&
			(like(g.Resource, resource) || len(g.NotResource) > 0 && !like(g.NotResource, resource))
		for op, keys := range g.Condition {
			types := keys["ResourceType"]
			hit = hit && (slices.Contains(types, typ) || op == "StringLike" && like(types, typ))
		}
		switch {
		case hit && g.Effect == "Deny":
			return fmt.Sprintf("Action denied by stack policy: Statement [#%d] does not allow [%s] for resource [%s];", i+1, action, resource)
		case hit:
			allowed = true
		}
	}
	if allowed {
		return ""
	}
	return fmt.Sprintf("Action not allowed by stack policy: no statement allows [%s] for resource [LogicalResourceId/%s];", action, logical)
}

// wild matches a pattern with *.
func wild(pattern, v string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(v, "/", "\x00"))
	return err == nil && ok
}

// policyText returns the stack policy of a request, from it or from a bucket.
func (s *Service) policyText(ctx context.Context, body, url *string) (*string, error) {
	switch {
	case body != nil && url != nil:
		return nil, invalid("You cannot specify both StackPolicyURL and StackPolicyBody")
	case url != nil:
		text, err := s.fetch(ctx, *url)
		if err != nil {
			return nil, err
		}
		body = ptr(string(text))
	case body == nil:
		return nil, nil
	}
	_, err := readPolicy(*body)
	return body, err
}

// SetStackPolicy gives a stack a policy. It cannot be taken away again, only changed.
func (s *Service) SetStackPolicy(ctx context.Context, in *cfn.SetStackPolicyInput) (*cfn.SetStackPolicyResponse, error) {
	text, err := s.policyText(ctx, in.StackPolicyBody, in.StackPolicyURL)
	if err == nil && (text == nil || *text == "") {
		err = invalid("You must specify either StackPolicyURL or StackPolicyBody")
	}
	if err != nil {
		return nil, err
	}
	return &cfn.SetStackPolicyResponse{}, s.o.DB.Update(ctx, func(tx *store.Tx) error {
		st, err := lookup(tx, wire.CallFrom(ctx).Region, in.StackName)
		if errors.Is(err, store.ErrNotFound) || err == nil && st.Deleted != 0 {
			return noStackBracket(in.StackName)
		}
		if err != nil {
			return err
		}
		if inProgress(st.Status) {
			return invalid("Stack [%s] cannot get a policy while in status %s", st.Name, st.Status)
		}
		st.Policy = *text
		return putStack(tx, st)
	})
}

// GetStackPolicy returns a stack's policy, if it has one.
func (s *Service) GetStackPolicy(ctx context.Context, in *cfn.GetStackPolicyInput) (*cfn.GetStackPolicyOutput, error) {
	st, err := s.find(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	return &cfn.GetStackPolicyOutput{StackPolicyBody: nonEmpty(st.Policy)}, nil
}

// guards returns the policy that the operation is held against.
func (r *run) guards() *stackPolicy {
	if r.op.Kind != opUpdate {
		return nil
	}
	text := r.stack.Policy
	if r.op.Policy != "" {
		text = r.op.Policy
	}
	p, err := readPolicy(text)
	if err != nil { // it was read before it was stored
		return &stackPolicy{}
	}
	return p
}

// mayRemove returns why the operation may not remove what the new template has no more.
func (r *run) mayRemove() string {
	p := r.guards()
	var ids []string
	for id, row := range r.rows {
		if row.Exists && !slices.Contains(r.next.graph.Order, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		if why := p.denies("Update:Delete", id, r.rows[id].Type); why != "" {
			return why
		}
	}
	return ""
}

// mayChange tells whether the operation may do to a resource what it is about to do.
func (r *run) mayChange(action string, row *Resource) error {
	if why := r.guards().denies(action, row.Logical, row.Type); why != "" {
		return &shape.Error{Code: "", Status: 400, Message: why}
	}
	return nil
}

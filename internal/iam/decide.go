package iam

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

// Decide decides whether c may do the action of req on its resource: by the identity policies of the user
// and its groups, or of the role, the permissions boundary, the policies of the session, and
// resourcePolicy, which may be nil. A nil c is nobody in particular, whom only a resource's policy can
// let in. req.Principal is not looked at.
//
// Condition keys that follow from the caller and its session are added to req.Context and go before what
// that says; those of the request itself, such as aws:SourceIp, are for the one who asks to put there:
// [RequestContext]. What was decided is noted in the trace that ctx carries, if any.
//
// The policies are those of this moment: a change counts from the next request on, for sessions too. An
// error says that they could not be read; it is never an allowance.
func (s *Service) Decide(ctx context.Context, c *Caller, req *policy.Request, resourcePolicy *policy.Compiled) (policy.Decision, error) {
	set, err := s.policies(ctx, c)
	if err != nil {
		return policy.Decision{}, err
	}
	set.Resource = resourcePolicy
	r := *req
	r.Principal = policy.Principal{}
	if c != nil {
		r.Principal = c.Principal
		r.Context = &callerContext{c, req.Context}
	}
	d := policy.Evaluate(&set, &r)
	note(ctx, d)
	return d, nil
}

// note writes a decision into the trace of the request.
func note(ctx context.Context, d policy.Decision) {
	t := trace.From(ctx)
	if t == nil {
		return
	}
	for _, step := range policy.Explain(d) {
		t.Steps = append(t.Steps, trace.Step(step))
	}
}

// policies gathers what has a say about c, apart from the resource's policy. Everything comes from
// caches, compiled.
func (s *Service) policies(ctx context.Context, c *Caller) (set policy.Set, err error) {
	if c == nil {
		return set, nil
	}
	switch c.Type {
	case policy.RoleSession, policy.Role:
		err = s.rolePolicies(ctx, &set, c)
	case policy.User:
		err = s.userPolicies(ctx, &set, c, c.ID)
	case policy.FederatedUser:
		// Without policies of its own the session may do nothing but what a resource's policy gives to it.
		// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
		if c.Session == nil || len(c.Session.Policies)+len(c.Session.PolicyARNs) == 0 {
			return set, nil
		}
		if c.Issuer == s.root.ARN {
			set.Identity, err = s.managed(ctx, nil, administrator)
		} else {
			err = s.userPolicies(ctx, &set, c, c.Session.OwnerID)
		}
	}
	if err != nil {
		return set, err
	}
	if c.Session != nil {
		err = s.sessionPolicies(ctx, &set, c.Session)
	}
	return set, err
}

// rolePolicies adds a role's policies. A role that is gone, or another one of that name, has none.
func (s *Service) rolePolicies(ctx context.Context, set *policy.Set, c *Caller) error {
	r, err := roles.Cached(ctx, s.DB, c.owner)
	if errors.Is(err, store.ErrNotFound) || err == nil && r.ID != c.ID {
		return nil
	}
	if err != nil {
		return err
	}
	return s.gather(ctx, set, &r.Grants, "role "+r.Name)
}

// userPolicies adds the policies of the user with the unique id, and of its groups.
func (s *Service) userPolicies(ctx context.Context, set *policy.Set, c *Caller, id string) error {
	u, err := users.Cached(ctx, s.DB, c.owner)
	if errors.Is(err, store.ErrNotFound) || err == nil && u.ID != id {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.gather(ctx, set, &u.Grants, "user "+u.Name); err != nil {
		return err
	}
	for _, name := range u.Groups {
		g, err := groups.Cached(ctx, s.DB, groupKey(name).ID)
		if errors.Is(err, store.ErrNotFound) {
			continue // it was deleted a moment ago
		}
		if err != nil {
			return err
		}
		if err := s.gather(ctx, set, &g.Grants, "group "+g.Name); err != nil {
			return err
		}
	}
	return nil
}

// gather adds what g grants to the set. of says what it hangs on.
func (s *Service) gather(ctx context.Context, set *policy.Set, g *Grants, of string) error {
	inline, err := g.compiled(of)
	if err != nil {
		return fmt.Errorf("iam: a stored policy of %s: %w", of, err)
	}
	set.Identity = append(set.Identity, inline...)
	for _, a := range g.Attached {
		if set.Identity, err = s.managed(ctx, set.Identity, a); err != nil {
			return fmt.Errorf("iam: policies of %s: %v", of, err) // not %w: it is no answer to the caller
		}
	}
	if g.Boundary != "" {
		b, err := s.managed(ctx, nil, g.Boundary)
		if err != nil {
			return fmt.Errorf("iam: permissions boundary of %s: %v", of, err)
		}
		set.Boundary = b[0]
	}
	return nil
}

// managed appends the default version of a managed policy, AWS's or the account's.
func (s *Service) managed(ctx context.Context, list []*policy.Compiled, policyARN string) ([]*policy.Compiled, error) {
	p, err := s.managedPolicy(ctx, policyARN)
	if err != nil {
		return nil, err
	}
	c, err := p.compiled()
	if err != nil {
		return nil, fmt.Errorf("stored policy %s: %w", policyARN, err)
	}
	return append(list, c), nil
}

// nothing is a policy that applies to no request.
const nothing = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"none:None","Resource":"arn:aws:none:::none"}]}`

// sessionPolicies adds the policies that were given when a session was made.
func (s *Service) sessionPolicies(ctx context.Context, set *policy.Set, ses *session.Session) error {
	for i, text := range ses.Policies {
		c, err := s.inSession.compile(text, i)
		if err != nil {
			return fmt.Errorf("iam: a session's policy: %w", err)
		}
		set.Session = append(set.Session, c)
	}
	for _, a := range ses.PolicyARNs {
		switch list, err := s.managed(ctx, set.Session, a); {
		case gone(err): // deleted since: it allows nothing, and must not be as if it had never limited
			c, err := s.inSession.compile(nothing, 0)
			if err != nil {
				return err
			}
			set.Session = append(set.Session, c)
		case err != nil:
			return fmt.Errorf("iam: a session's managed policy: %w", err)
		default:
			set.Session = list
		}
	}
	return nil
}

// texts keeps compiled session policies by their text. Many sessions bear the same one: that of an
// identity pool, of a deployment tool.
type texts struct {
	mu   sync.RWMutex
	list map[string]*policy.Compiled
}

// maxTexts bounds how many are kept. A session policy is at most 2,048 characters long.
const maxTexts = 2048

func (t *texts) compile(text string, i int) (*policy.Compiled, error) {
	t.mu.RLock()
	c := t.list[text]
	t.mu.RUnlock()
	if c != nil {
		return c, nil
	}
	name := "session policy"
	if i > 0 {
		name = fmt.Sprintf("session policy %d", i+1)
	}
	c, err := policy.Compile(policy.Session, name, text)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list == nil || len(t.list) >= maxTexts {
		t.list = map[string]*policy.Compiled{}
	}
	t.list[text] = c
	return c, nil
}

// callerContext adds what follows from the caller to what a request says.
type callerContext struct {
	c    *Caller
	more policy.Context
}

// Values implements policy.Context.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (x *callerContext) Values(key string) []string {
	ses := x.c.Session
	switch key {
	case "aws:tokenissuetime":
		if ses == nil {
			return nil
		}
		return []string{time.Unix(ses.Issued, 0).UTC().Format(time.RFC3339)}
	case "aws:multifactorauthpresent": // there is none for long-lived keys, unless a code came along
		if x.c.MFA {
			return isTrue
		}
		if ses == nil {
			return nil
		}
		return isFalse
	case "aws:multifactorauthage":
		if ses == nil && x.c.MFA {
			return []string{"0"}
		}
		if ses == nil || !ses.MFA || x.more == nil {
			return nil
		}
		now := x.more.Values("aws:epochtime")
		if len(now) != 1 {
			return nil
		}
		return age(now[0], ses.Issued)
	case "aws:sourceidentity", "sts:sourceidentity":
		if ses != nil && ses.SourceIdentity != "" {
			return []string{ses.SourceIdentity}
		}
		if key == "aws:sourceidentity" {
			return nil
		}
	default:
		if ses != nil && ses.Context != nil {
			if v := ses.Context[key]; v != nil {
				return v
			}
		}
		if strings.HasPrefix(key, "aws:principal") || key == "aws:userid" || key == "aws:username" || key == "aws:federatedprovider" {
			return nil // the principal answers for itself
		}
	}
	if x.more == nil {
		return nil
	}
	return x.more.Values(key)
}

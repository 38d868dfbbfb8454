package iam

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// holder is one of the three kinds of entities that policies hang on. The operations on them differ in
// name only.
type holder struct {
	word        string // as messages have it
	quota       string // of attached policies
	maxAttached int
	maxInline   int
	change      func(tx *store.Tx, name string, f func(*Grants) error) error
	read        func(ctx context.Context, name string) (*Grants, string, error)
}

func (s *Service) ofUser() holder {
	return holder{"user", "PoliciesPerUser", maxUserAttached, maxUserInline,
		func(tx *store.Tx, name string, f func(*Grants) error) error {
			return change(tx, users, userKey(name), noUser(name), func(u *User) error { return f(&u.Grants) })
		},
		func(ctx context.Context, name string) (*Grants, string, error) {
			u, err := s.getUser(ctx, name)
			if err != nil {
				return nil, "", err
			}
			return &u.Grants, u.Name, nil
		}}
}

func (s *Service) ofGroup() holder {
	return holder{"group", "PoliciesPerGroup", maxGroupAttached, maxGroupInline,
		func(tx *store.Tx, name string, f func(*Grants) error) error {
			return change(tx, groups, groupKey(name), noGroup(name), func(g *Group) error { return f(&g.Grants) })
		},
		func(ctx context.Context, name string) (*Grants, string, error) {
			g, err := s.getGroup(ctx, name)
			if err != nil {
				return nil, "", err
			}
			return &g.Grants, g.Name, nil
		}}
}

func (s *Service) ofRole() holder {
	return holder{"role", "PoliciesPerRole", maxRoleAttached, maxRoleInline,
		func(tx *store.Tx, name string, f func(*Grants) error) error {
			return change(tx, roles, roleKey(name), noRole(name), func(r *Role) error { return f(&r.Grants) })
		},
		func(ctx context.Context, name string) (*Grants, string, error) {
			r, err := s.getRole(ctx, name)
			if err != nil {
				return nil, "", err
			}
			return &r.Grants, r.Name, nil
		}}
}

func (h holder) noPolicy(name string) error {
	return iam.NoSuchEntityException("The %s policy with name %s cannot be found.", h.word, name)
}

// put sets an inline policy. token, if any, is that of the step of a stack that must be the one which
// makes it.
func (s *Service) put(ctx context.Context, h holder, of, name, doc, token string) error {
	if err := checkPolicy(doc); err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		return h.change(tx, of, func(g *Grants) error {
			if token != "" {
				if _, ok := g.Inline[name]; ok && g.Tokens[name] != token {
					return iam.EntityAlreadyExistsException("The %s policy with name %s already exists.", h.word, name)
				}
				if g.Tokens == nil {
					g.Tokens = map[string]string{}
				}
				g.Tokens[name] = token
			}
			if g.Inline == nil {
				g.Inline = map[string]string{}
			}
			g.Inline[name] = doc
			if inlineSize(g.Inline) > h.maxInline {
				return iam.LimitExceededException("Maximum policy size of %d bytes exceeded for %s %s", h.maxInline, h.word, of)
			}
			return nil
		})
	})
}

// inline returns an inline policy, and the name of what it hangs on as that is written.
func (s *Service) inline(ctx context.Context, h holder, of, name string) (doc, owner string, err error) {
	g, owner, err := h.read(ctx, of)
	if err != nil {
		return "", "", err
	}
	doc, ok := g.Inline[name]
	if !ok {
		return "", "", h.noPolicy(name)
	}
	return encodeDocument(doc), owner, nil
}

func (s *Service) deleteInline(ctx context.Context, h holder, of, name string) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		return h.change(tx, of, func(g *Grants) error {
			if _, ok := g.Inline[name]; !ok {
				return h.noPolicy(name)
			}
			delete(g.Inline, name)
			delete(g.Tokens, name)
			return nil
		})
	})
}

func (s *Service) inlineNames(ctx context.Context, h holder, of string, marker *string, items *int64) (names []string, truncated *bool, next *string, err error) {
	w, err := windowOf(marker, items)
	if err != nil {
		return nil, nil, nil, err
	}
	g, _, err := h.read(ctx, of)
	if err != nil {
		return nil, nil, nil, err
	}
	names, after := cut(slices.Sorted(maps.Keys(g.Inline)), w, func(name string) string { return name })
	truncated, next = more(after)
	return names, truncated, next, nil
}

// attach attaches a managed policy. The policy is looked at in the same transaction, so that it cannot be
// deleted meanwhile.
func (s *Service) attach(ctx context.Context, h holder, of, policyARN string) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := s.checkAttachable(tx, policyARN); err != nil {
			return err
		}
		return h.change(tx, of, func(g *Grants) error {
			if slices.Contains(g.Attached, policyARN) {
				return nil
			}
			if len(g.Attached) >= h.maxAttached {
				return iam.LimitExceededException("Cannot exceed quota for %s: %d", h.quota, h.maxAttached)
			}
			g.Attached = append(g.Attached, policyARN)
			return nil
		})
	})
}

// checkAttachable tells whether there is such a managed policy.
func (s *Service) checkAttachable(tx *store.Tx, policyARN string) error {
	if s.aws.get(policyARN) != nil {
		return nil
	}
	if name, ok := s.policyName(policyARN); ok {
		p, err := managedPolicies.Get(tx, policyKey(name).ID)
		if err == nil && p.ARN == policyARN {
			return nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return notAttachable(policyARN)
}

func (s *Service) detach(ctx context.Context, h holder, of, policyARN string) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		return h.change(tx, of, func(g *Grants) error {
			i := slices.Index(g.Attached, policyARN)
			if i < 0 {
				return noPolicy(policyARN)
			}
			g.Attached = slices.Delete(g.Attached, i, i+1)
			return nil
		})
	})
}

// attachedPolicies shows attached policies; those of AWS by the name in their ARN as any other.
func attachedPolicies(arns []string) []iam.AttachedPolicy {
	out := make([]iam.AttachedPolicy, 0, len(arns))
	for _, a := range arns {
		out = append(out, iam.AttachedPolicy{PolicyName: shape.Ptr(a[strings.LastIndexByte(a, '/')+1:]), PolicyArn: shape.Ptr(a)})
	}
	return out
}

// pathIn returns the path in an ARN: "/service-role/" of …:policy/service-role/X.
func pathIn(arn string) string {
	rest := arn[strings.LastIndexByte(arn, ':')+1:]
	first, last := strings.IndexByte(rest, '/'), strings.LastIndexByte(rest, '/')
	if first < 0 {
		return "/"
	}
	return rest[first : last+1]
}

func (s *Service) listAttached(ctx context.Context, h holder, of string, prefix, marker *string, items *int64) (page []iam.AttachedPolicy, truncated *bool, next *string, err error) {
	w, err := windowOf(marker, items)
	if err != nil {
		return nil, nil, nil, err
	}
	g, _, err := h.read(ctx, of)
	if err != nil {
		return nil, nil, nil, err
	}
	var arns []string
	for _, a := range g.Attached {
		if under(pathIn(a), prefix) {
			arns = append(arns, a)
		}
	}
	slices.Sort(arns)
	arns, after := cut(arns, w, func(a string) string { return a })
	truncated, next = more(after)
	return attachedPolicies(arns), truncated, next, nil
}

// setBoundary sets or, with "", removes a permissions boundary.
func (s *Service) setBoundary(ctx context.Context, h holder, of, policyARN string) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		if policyARN != "" {
			if err := s.checkAttachable(tx, policyARN); err != nil {
				return err
			}
		}
		return h.change(tx, of, func(g *Grants) error { g.Boundary = policyARN; return nil })
	})
}

// boundary shows a permissions boundary.
func (g *Grants) boundary() *iam.AttachedPermissionsBoundary {
	if g.Boundary == "" {
		return nil
	}
	return &iam.AttachedPermissionsBoundary{PermissionsBoundaryType: shape.Ptr("Policy"), PermissionsBoundaryArn: &g.Boundary}
}

// busy tells why an entity with policies cannot be deleted.
func (g *Grants) busy() error {
	if len(g.Attached) > 0 {
		return iam.DeleteConflictException("Cannot delete entity, must detach all policies first.")
	}
	if len(g.Inline) > 0 {
		return iam.DeleteConflictException("Cannot delete entity, must delete policies first.")
	}
	return nil
}

package iam

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// A trust policy that names a user or a role means the one that is there when the policy is written, not
// one that is later made under its name: otherwise whoever may create users could become anybody that
// a role ever trusted. IAM writes down the unique ids, and shows the id where the ARN's owner is gone.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles

// trusts gives r the trust policy doc, which must be well-formed. Users and roles of this account that it
// names must be there.
func (s *Service) trusts(tx *store.Tx, r *Role, doc string) error {
	d, err := policy.Parse(doc)
	if err != nil {
		return malformed(doc, err)
	}
	ids := map[string]string{}
	for i := range d.Statements {
		if d.Statements[i].Principal == nil {
			continue
		}
		for _, name := range d.Statements[i].Principal.AWS {
			kind, key, ok := s.entityIn(name)
			if !ok {
				continue
			}
			id, at, err := entityID(tx, kind, key)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err != nil || at != name {
				return iam.MalformedPolicyDocumentException("Invalid principal in policy: \"AWS\":\"%s\"", name)
			}
			ids[name] = id
		}
	}
	r.Trust, r.TrustIDs = doc, ids
	return nil
}

// entityIn returns the user or role of this account that an ARN names.
func (s *Service) entityIn(name string) (kind, key string, ok bool) {
	a, err := arn.Parse(name)
	if err != nil || a.Service != "iam" || a.Account != s.Account || !validText(name) {
		return "", "", false
	}
	kind, path := a.Cut()
	return kind, strings.ToLower(path[strings.LastIndexByte(path, '/')+1:]), kind == "user" || kind == "role"
}

// entityID returns the unique id and the ARN of a user or a role.
func entityID(tx *store.Tx, kind, key string) (id, at string, err error) {
	if kind == "user" {
		u, err := users.Get(tx, key)
		if err != nil {
			return "", "", err
		}
		return u.ID, u.ARN, nil
	}
	r, err := roles.Get(tx, key)
	if err != nil {
		return "", "", err
	}
	return r.ID, r.ARN, nil
}

// asTrusted returns r as its trust policy now reads: with unique ids in place of those whom it named and
// who are gone.
func (s *Service) asTrusted(ctx context.Context, r *Role) (*Role, error) {
	var gone []string
	for name, id := range r.TrustIDs {
		kind, key, _ := s.entityIn(name)
		now := ""
		var err error
		if kind == "user" {
			var u *User
			if u, err = users.Cached(ctx, s.DB, key); err == nil && u.ARN == name {
				now = u.ID
			}
		} else {
			var other *Role
			if other, err = roles.Cached(ctx, s.DB, key); err == nil && other.ARN == name {
				now = other.ID
			}
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if now != id {
			gone = append(gone, name)
		}
	}
	if len(gone) == 0 {
		return r, nil
	}
	d, err := policy.Parse(r.Trust)
	if err != nil {
		return r, nil // it cannot be read, and lets nobody in
	}
	for i := range d.Statements {
		if p := d.Statements[i].Principal; p != nil {
			for j, name := range p.AWS {
				if slices.Contains(gone, name) {
					p.AWS[j] = r.TrustIDs[name]
				}
			}
		}
	}
	trust := d.String()
	return &Role{
		Name: r.Name, Path: r.Path, ID: r.ID, ARN: r.ARN, Created: r.Created, Trust: trust, TrustIDs: r.TrustIDs, Description: r.Description, MaxSession: r.MaxSession,
		Grants: Grants{Inline: r.Inline, Attached: r.Attached, Boundary: r.Boundary, Tokens: r.Tokens}, Tags: r.Tags, Token: r.Token,
	}, nil
}

package identitypools

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// The operations on identities.

func describe(p *Pool, n *identity, list []link) *cognitoidentity.IdentityDescription {
	return &cognitoidentity.IdentityDescription{IdentityId: shape.Ptr(p.identityID(n.id)), Logins: providers(list),
		CreationDate: shape.Ptr(n.created.UTC()), LastModifiedDate: shape.Ptr(n.modified.UTC())}
}

func (s *Service) DescribeIdentity(ctx context.Context, in *cognitoidentity.DescribeIdentityInput) (*cognitoidentity.IdentityDescription, error) {
	n, p, err := s.regionIdentity(ctx, in.IdentityId)
	if err != nil {
		return nil, err
	}
	var list []link
	if err := s.db.View(ctx, func(tx *store.Tx) error { list, err = links(tx, n.id); return err }); err != nil {
		return nil, err
	}
	return describe(p, n, list), nil
}

func (s *Service) ListIdentities(ctx context.Context, in *cognitoidentity.ListIdentitiesInput) (*cognitoidentity.ListIdentitiesResponse, error) {
	p, err := s.regionPool(ctx, in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	text, err := s.page(in.NextToken, "identities/"+p.id())
	if err != nil {
		return nil, err
	}
	after, _ := parseUID(text)
	out := &cognitoidentity.ListIdentitiesResponse{IdentityPoolId: &in.IdentityPoolId, Identities: []cognitoidentity.IdentityDescription{}}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err := identitiesAfter(tx, p.uid(), after, shape.Val(in.HideDisabled), int(in.MaxResults)+1)
		if err != nil {
			return err
		}
		if len(list) > int(in.MaxResults) {
			list = list[:in.MaxResults]
			out.NextToken = s.nextPage(list[len(list)-1].id.String(), "identities/"+p.id())
		}
		for _, n := range list {
			l, err := links(tx, n.id)
			if err != nil {
				return err
			}
			out.Identities = append(out.Identities, *describe(p, n, l))
		}
		return nil
	})
	return out, err
}

// DeleteIdentities deletes what it can: identities of other regions stay, ones that are gone are no fault.
func (s *Service) DeleteIdentities(ctx context.Context, in *cognitoidentity.DeleteIdentitiesInput) (*cognitoidentity.DeleteIdentitiesResponse, error) {
	out := &cognitoidentity.DeleteIdentitiesResponse{UnprocessedIdentityIds: []cognitoidentity.UnprocessedIdentityId{}}
	var ids []uid
	for _, id := range in.IdentityIdsToDelete {
		region, u, ok := parseID(id)
		switch {
		case ok && region == wire.CallFrom(ctx).Region:
			ids = append(ids, u)
		case ok:
			out.UnprocessedIdentityIds = append(out.UnprocessedIdentityIds, cognitoidentity.UnprocessedIdentityId{IdentityId: shape.Ptr(id), ErrorCode: shape.Ptr(cognitoidentity.ErrorCodeAccessDenied)})
		}
	}
	err := s.update(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			n, err := identityByID(tx, id)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err == nil {
				// An id says its region, but it is the pool that has one.
				_, err = pools.Get(tx, wire.CallFrom(ctx).Region+":"+n.pool.String())
				if errors.Is(err, store.ErrNotFound) {
					continue
				}
			}
			if err == nil {
				err = deleteIdentity(tx, id)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// UnlinkIdentity takes logins from the caller's identity. Without the last of them it is inaccessible.
func (s *Service) UnlinkIdentity(ctx context.Context, in *cognitoidentity.UnlinkIdentityInput) (*cognitoidentity.UnlinkIdentityResponse, error) {
	n, p, err := s.identity(ctx, in.IdentityId)
	if err != nil {
		return nil, err
	}
	if len(in.Logins) == 0 {
		trace.From(ctx).Fail("login", "there are no logins", "", "a login of the identity")
		return nil, errLoginsDontMatch()
	}
	logins, err := s.verify(ctx, p, in.Logins, false)
	if err != nil {
		return nil, err
	}
	return &cognitoidentity.UnlinkIdentityResponse{}, s.update(ctx, func(tx *store.Tx) error {
		n, err := identityByID(tx, n.id)
		if errors.Is(err, store.ErrNotFound) {
			return errIdentityNotFound(in.IdentityId)
		}
		if err != nil {
			return err
		}
		list, err := links(tx, n.id)
		if err != nil {
			return err
		}
		if n.state != authenticated || !slices.ContainsFunc(logins, func(l *login) bool {
			return l.kind == own && l.identity == n.id || slices.Contains(list, l.link())
		}) {
			return errLoginsDontMatch()
		}
		return unlink(tx, n, list, func(l link) bool { return slices.Contains(in.LoginsToRemove, l.provider) })
	})
}

// unlink removes those of an identity's logins.
func unlink(tx *store.Tx, n *identity, list []link, which func(link) bool) error {
	left := 0
	for _, l := range list {
		if !which(l) {
			left++
			continue
		}
		if _, err := deleteLink(tx, n, l); err != nil {
			return err
		}
	}
	if left == len(list) {
		return nil
	}
	if left == 0 {
		n.state = disabled
	}
	return setState(tx, n)
}

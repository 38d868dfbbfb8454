package identitypools

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// The operations of developer-authenticated identities. All are signed: the caller's word is what vouches for
// a user.
// https://docs.aws.amazon.com/cognito/latest/developerguide/developer-authenticated-identities.html

const developerTokenFor = 15 * time.Minute

// developerPool is regionPool for operations that name the developer provider.
func (s *Service) developerPool(ctx context.Context, id, provider string) (*Pool, error) {
	p, err := s.regionPool(ctx, id)
	if err == nil && (p.developer() == "" || p.developer() != provider) {
		return nil, errInvalid("Please provide a valid developer provider.")
	}
	return p, err
}

// GetOpenIdTokenForDeveloperIdentity finds or makes the identity of a user of the developer's, links other
// logins to it, and returns a token for it.
func (s *Service) GetOpenIdTokenForDeveloperIdentity(ctx context.Context, in *cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput) (*cognitoidentity.GetOpenIdTokenForDeveloperIdentityResponse, error) {
	p, err := s.regionPool(ctx, in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	if _, ok := in.Logins[p.developer()]; !ok || p.developer() == "" {
		return nil, errInvalid("Please provide a valid developer provider.")
	}
	if in.Logins[p.developer()] == "" {
		return nil, errInvalid("Please provide a valid developer user identifier.")
	}
	var given *identity
	if in.IdentityId != nil {
		var of *Pool
		if given, of, err = s.regionIdentity(ctx, *in.IdentityId); err != nil {
			return nil, err
		}
		if of.id() != p.id() {
			return nil, errIdentityNotFound(*in.IdentityId)
		}
	}
	logins, err := s.verify(ctx, p, in.Logins, true)
	if err != nil {
		return nil, err
	}
	c := &caller{pool: p, logins: logins}
	if c.id, err = s.resolve(ctx, p, given, logins); err != nil {
		return nil, err
	}
	tags := c.sessionTags()
	maps.Copy(tags, in.PrincipalTags)
	validity := developerTokenFor
	if in.TokenDuration != nil {
		validity = time.Duration(*in.TokenDuration) * time.Second
	}
	tok, err := s.issue(ctx, p, c.id, c.amr(), tags, validity)
	if err != nil {
		return nil, err
	}
	return &cognitoidentity.GetOpenIdTokenForDeveloperIdentityResponse{IdentityId: shape.Ptr(p.identityID(c.id.id)), Token: &tok}, nil
}

// LookupDeveloperIdentity finds the identity of a user of the developer's, or an identity's users.
func (s *Service) LookupDeveloperIdentity(ctx context.Context, in *cognitoidentity.LookupDeveloperIdentityInput) (*cognitoidentity.LookupDeveloperIdentityResponse, error) {
	p, err := s.regionPool(ctx, in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	if in.IdentityId == nil && in.DeveloperUserIdentifier == nil {
		return nil, errInvalid("Either IdentityId or DeveloperUserIdentifier must be provided.")
	}
	user := shape.Val(in.DeveloperUserIdentifier)
	out := new(cognitoidentity.LookupDeveloperIdentityResponse)
	limit := 60
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	var id uid
	if in.DeveloperUserIdentifier != nil {
		err := s.db.View(ctx, func(tx *store.Tx) (err error) {
			ok := false
			if id, ok, err = owner(tx, p.uid(), link{p.developer(), user}); err == nil && !ok {
				return cognitoidentity.ResourceNotFoundException("Developer user identifier '%s' not found.", user)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if in.IdentityId != nil {
		n, of, err := s.regionIdentity(ctx, *in.IdentityId)
		if err != nil {
			return nil, err
		}
		if of.id() != p.id() {
			return nil, errIdentityNotFound(*in.IdentityId)
		}
		if in.DeveloperUserIdentifier != nil && id != n.id {
			return nil, cognitoidentity.ResourceConflictException("The developer user identifier is linked to another identity.")
		}
		id = n.id
	}
	out.IdentityId = shape.Ptr(p.identityID(id))
	if in.DeveloperUserIdentifier != nil {
		out.DeveloperUserIdentifierList = []string{user}
		return out, nil
	}
	list := "developers/" + *out.IdentityId
	after, err := s.page(in.NextToken, list)
	if err != nil {
		return nil, err
	}
	out.DeveloperUserIdentifierList = []string{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		found, err := linksOf(tx, id, p.developer(), after, limit+1)
		if len(found) > limit {
			found = found[:limit]
			out.NextToken = s.nextPage(found[limit-1].subject, list)
		}
		for _, l := range found {
			out.DeveloperUserIdentifierList = append(out.DeveloperUserIdentifierList, l.subject)
		}
		return err
	})
	return out, err
}

// MergeDeveloperIdentities makes two users of the developer's one: the destination's identity gets all
// logins of the source's, which is disabled.
func (s *Service) MergeDeveloperIdentities(ctx context.Context, in *cognitoidentity.MergeDeveloperIdentitiesInput) (*cognitoidentity.MergeDeveloperIdentitiesResponse, error) {
	p, err := s.developerPool(ctx, in.IdentityPoolId, in.DeveloperProviderName)
	if err != nil {
		return nil, err
	}
	var into *identity
	err = s.update(ctx, func(tx *store.Tx) error {
		find := func(user string) (*identity, error) {
			id, ok, err := owner(tx, p.uid(), link{p.developer(), user})
			if err != nil {
				return nil, err
			}
			if !ok {
				return nil, cognitoidentity.ResourceNotFoundException("Developer user identifier '%s' not found.", user)
			}
			return identityByID(tx, id)
		}
		from, err := find(in.SourceUserIdentifier)
		if err != nil {
			return err
		}
		if into, err = find(in.DestinationUserIdentifier); err != nil || into.id == from.id {
			return err
		}
		return merge(tx, p, from, into)
	})
	if err != nil {
		return nil, err
	}
	return &cognitoidentity.MergeDeveloperIdentitiesResponse{IdentityId: shape.Ptr(p.identityID(into.id))}, nil
}

// merge moves all logins of one identity to another.
func merge(tx *store.Tx, p *Pool, from, into *identity) error {
	moved, err := links(tx, from.id)
	if err != nil {
		return err
	}
	have, err := links(tx, into.id)
	if err != nil {
		return err
	}
	if len(moved)+len(have) > maxLogins {
		return errTooManyLogins()
	}
	public := map[string]bool{}
	for _, l := range have {
		public[l.provider] = l.provider != p.developer()
	}
	for _, l := range moved {
		if public[l.provider] {
			return cognitoidentity.ResourceConflictException("The users are associated with the same public provider, %s, as two different users.", l.provider)
		}
		if err := moveLink(tx, p.uid(), l, into.id); err != nil {
			return err
		}
	}
	from.state, from.merged = disabled, into.id
	if err := setState(tx, from); err != nil {
		return err
	}
	return setState(tx, into)
}

// UnlinkDeveloperIdentity takes a user of the developer's from an identity.
func (s *Service) UnlinkDeveloperIdentity(ctx context.Context, in *cognitoidentity.UnlinkDeveloperIdentityInput) (*cognitoidentity.UnlinkDeveloperIdentityResponse, error) {
	p, err := s.developerPool(ctx, in.IdentityPoolId, in.DeveloperProviderName)
	if err != nil {
		return nil, err
	}
	region, id, ok := parseID(in.IdentityId)
	if !ok || region != wire.CallFrom(ctx).Region {
		return nil, errIdentityNotFound(in.IdentityId)
	}
	return &cognitoidentity.UnlinkDeveloperIdentityResponse{}, s.update(ctx, func(tx *store.Tx) error {
		n, err := identityByID(tx, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && n.pool != p.uid() {
			return errIdentityNotFound(in.IdentityId)
		}
		if err != nil {
			return err
		}
		l := link{p.developer(), in.DeveloperUserIdentifier}
		of, ok, err := owner(tx, p.uid(), l)
		switch {
		case err != nil:
			return err
		case !ok:
			return cognitoidentity.ResourceNotFoundException("Developer user identifier '%s' not found.", l.subject)
		case of != n.id:
			return cognitoidentity.ResourceConflictException("The developer user identifier is linked to another identity.")
		}
		list, err := links(tx, n.id)
		if err != nil {
			return err
		}
		return unlink(tx, n, list, func(x link) bool { return x == l })
	})
}

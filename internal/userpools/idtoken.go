package userpools

import (
	"context"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// CheckIDToken tells whether the sign-in behind an ID token of the pool still stands: the user is there and
// enabled, and has not been signed out. claims are those of a token whose signature and times were
// verified. The error is a NotAuthorizedException that says what is wrong.
//
// It is the server-side token check of identity pools.
// https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-integrating-user-pools-with-identity-pools.html
func (s *Service) CheckIDToken(ctx context.Context, poolID string, claims map[string]any) error {
	p, err := s.pool(ctx, poolID)
	if e := (*shape.Error)(nil); errors.As(err, &e) {
		return cognitoidp.NotAuthorizedException("%s", e.Message)
	}
	if err != nil {
		return err
	}
	text := func(name string) string { v, _ := claims[name].(string); return v }
	name := "origin_jti"
	if text(name) == "" {
		name = "event_id" // of clients with EnableTokenRevocation off
	}
	sub, ok := parseUserID(text("sub"))
	sid, ok2 := parseUserID(text(name))
	revoked := cognitoidp.NotAuthorizedException("Token has been revoked")
	if !ok || !ok2 {
		return revoked
	}
	return s.db.View(ctx, func(tx *store.Tx) error {
		u, err := userByID(tx, p.No, sub)
		if errors.Is(err, store.ErrNotFound) {
			e := errUserNotFound()
			return cognitoidp.NotAuthorizedException("%s", e.Message)
		}
		if err != nil {
			return err
		}
		if !u.enabled {
			return errDisabled()
		}
		n, err := sessionByID(tx, sid)
		if errors.Is(err, store.ErrNotFound) || err == nil && (n.pool != p.No || n.sub != sub) {
			return revoked
		}
		return err
	})
}

package userpools

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/srp"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// What users do to themselves, with an access token.

// changeSelf runs f on the caller, read anew, in a transaction.
func (s *Service) changeSelf(ctx context.Context, token string, f func(tx *store.Tx, a *caller, u *user) error) error {
	a, err := s.authorize(ctx, token)
	if err != nil {
		return err
	}
	return s.update(ctx, func(tx *store.Tx) error {
		u, err := userByID(tx, a.pool.No, a.user.id)
		if errors.Is(err, store.ErrNotFound) {
			return errUserNotFound()
		}
		if err != nil {
			return err
		}
		return f(tx, a, u)
	})
}

func (s *Service) updateOwnAttributes(ctx context.Context, in *cognitoidp.UpdateUserAttributesRequest) (list []*cognitoidp.CodeDeliveryDetailsType, err error) {
	err = s.changeSelf(ctx, in.AccessToken, func(tx *store.Tx, a *caller, u *user) (err error) {
		list, err = s.applyAttributes(tx, a.pool, u, in.UserAttributes, attributeWriter{client: a.client, update: true})
		return err
	})
	return list, err
}

// sendAttributeCode sends the caller a code for his address or number.
func (s *Service) sendAttributeCode(ctx context.Context, token, attribute string) (*cognitoidp.CodeDeliveryDetailsType, error) {
	if attribute != "email" && attribute != "phone_number" {
		return nil, errInvalidParameter("Invalid attribute name: only email and phone_number can be verified.")
	}
	var to delivery
	err := s.changeSelf(ctx, token, func(tx *store.Tx, a *caller, u *user) error {
		to = delivery{attribute, u.attrs[attribute]}
		// A value that waits for its code is sent another.
		if c, err := codeOf(tx, u, attributeCode(attribute)); err == nil && c.sealed != nil && c.value != "" {
			to.value = c.value
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if to.value == "" {
			return errInvalidParameter("User does not have a value for the attribute %s.", attribute)
		}
		return s.sendCode(tx, a.pool, u, attributeCode(attribute), to)
	})
	return to.details(), err
}

// verifyAttribute takes the code that was sent to the caller's address or number.
func (s *Service) verifyAttribute(ctx context.Context, in *cognitoidp.VerifyUserAttributeRequest) error {
	if in.AttributeName != "email" && in.AttributeName != "phone_number" {
		return errInvalidParameter("Invalid attribute name: only email and phone_number can be verified.")
	}
	a, err := s.authorize(ctx, in.AccessToken)
	if err != nil {
		return err
	}
	return s.withCode(ctx, a.user, attributeCode(in.AttributeName), in.Code, func(tx *store.Tx, u *user, c *codeRow) error {
		before := a.pool.loginNames(u)
		u.attrs[c.attribute], u.attrs[c.attribute+"_verified"] = c.value, "true"
		return s.saveNamed(tx, a.pool, u, before, false)
	})
}

// changePassword replaces the caller's password by a new one.
func (s *Service) changePassword(ctx context.Context, in *cognitoidp.ChangePasswordRequest) error {
	a, err := s.authorize(ctx, in.AccessToken)
	if err != nil {
		return err
	}
	u := a.user
	var f failures
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		f, err = failuresOf(tx, u.pool, u.id)
		return err
	})
	if err != nil {
		return err
	}
	if f.locked(s.now()) {
		return errTooMany()
	}
	salt, verifier, err := s.credential(a.pool, u, "")
	if err != nil {
		return err
	}
	if in.PreviousPassword == nil {
		return errMissingParameter("PreviousPassword")
	}
	if !srp.CheckPassword(a.pool.srpName(), u.username, *in.PreviousPassword, salt, verifier) {
		if err := s.noteFailure(ctx, a.pool, u.id, nil); err != nil {
			return err
		}
		return errIncorrect()
	}
	if err := checkPassword(a.pool.passwordPolicy(), in.ProposedPassword); err != nil {
		return err
	}
	proven := string(u.sealed)
	s.setPassword(a.pool, u, in.ProposedPassword)
	return s.changeSelf(ctx, in.AccessToken, func(tx *store.Tx, a *caller, now *user) error {
		if string(now.sealed) != proven {
			return errIncorrect() // changed by somebody else meanwhile
		}
		now.sealed = u.sealed
		if err := clearFailures(tx, now.pool, now.id); err != nil {
			return err
		}
		return updateUser(tx, a.pool, now, a.pool.loginNames(now))
	})
}

// forgotPassword sends a code with which to choose a new password.
func (s *Service) forgotPassword(ctx context.Context, in *cognitoidp.ForgotPasswordRequest) (*cognitoidp.CodeDeliveryDetailsType, error) {
	c, p, err := s.client(ctx, in.ClientId)
	if err != nil {
		return nil, err
	}
	if err := s.checkSignUpHash(c, in.SecretHash, in.Username); err != nil {
		return nil, err
	}
	order := p.recoveryOrder()
	if len(order) == 0 {
		return nil, cognitoidp.NotAuthorizedException("Contact administrator to reset password.")
	}
	u, err := s.find(ctx, p, in.Username)
	if err != nil {
		return nil, err
	}
	var to delivery
	refusal := func() error {
		if u == nil {
			return cognitoidp.UserNotFoundException("Username/client id combination not found.")
		}
		if !u.enabled {
			return errDisabled()
		}
		if u.status == forceChangePassword {
			return cognitoidp.NotAuthorizedException("User password cannot be reset in the current state.")
		}
		var ok bool
		if to, ok = p.recoveryDelivery(u); !ok {
			return errNoRecovery()
		}
		return nil
	}()
	if refusal != nil {
		if c.hidesUsers() && (u == nil || u.status != forceChangePassword) {
			return s.decoyDelivery(p, in.Username, order), nil
		}
		return nil, refusal
	}
	return to.details(), s.update(ctx, func(tx *store.Tx) error { return s.sendCode(tx, p, u, passwordCode, to) })
}

// confirmForgotPassword takes the code and sets the new password.
func (s *Service) confirmForgotPassword(ctx context.Context, in *cognitoidp.ConfirmForgotPasswordRequest) error {
	c, p, err := s.client(ctx, in.ClientId)
	if err != nil {
		return err
	}
	if err := s.checkSignUpHash(c, in.SecretHash, in.Username); err != nil {
		return err
	}
	if err := checkPassword(p.passwordPolicy(), in.Password); err != nil { // for everybody: else it would tell who exists
		return err
	}
	u, err := s.find(ctx, p, in.Username)
	switch {
	case err != nil:
		return err
	case (u == nil || !u.enabled) && c.hidesUsers():
		return errCodeMismatch()
	case u == nil:
		return cognitoidp.UserNotFoundException("Username/client id combination not found.")
	case !u.enabled:
		return errDisabled()
	}
	if c.hidesUsers() { // who never asked for a code is like nobody
		err := s.db.View(ctx, func(tx *store.Tx) error { _, err := codeOf(tx, u, passwordCode); return err })
		if errors.Is(err, store.ErrNotFound) {
			return errCodeMismatch()
		}
		if err != nil {
			return err
		}
	}
	s.setPassword(p, u, in.Password)
	return s.withCode(ctx, u, passwordCode, in.ConfirmationCode, func(tx *store.Tx, now *user, row *codeRow) error {
		now.sealed, now.expires = u.sealed, time.Time{}
		if now.status == resetRequired || now.status == unconfirmed {
			now.status = confirmed
		}
		if err := clearFailures(tx, now.pool, now.id); err != nil {
			return err
		}
		return s.saveNamed(tx, p, now, p.loginNames(now), false)
	})
}

// attributes returns those of the caller that his client may read.
func (a *caller) attributes() []cognitoidp.AttributeType {
	return a.user.attributes(a.pool, a.client.mayRead)
}

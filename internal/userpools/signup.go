package userpools

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// signUp registers a user who registers himself.
func (s *Service) signUp(ctx context.Context, in *cognitoidp.SignUpRequest) (*user, *delivery, error) {
	c, p, err := s.client(ctx, in.ClientId)
	if err != nil {
		return nil, nil, err
	}
	if err := s.checkSignUpHash(c, in.SecretHash, in.Username); err != nil {
		return nil, nil, err
	}
	if shape.Val(p.Config.AdminCreateUserConfig.AllowAdminCreateUserOnly) {
		return nil, nil, cognitoidp.NotAuthorizedException("SignUp is not permitted for this user pool")
	}
	u := &user{pool: p.No, id: newUserID(), enabled: true, created: s.now(), attrs: map[string]string{}}
	u.modified = u.created
	if err := p.nameNewUser(u, in.Username); err != nil {
		return nil, nil, err
	}
	if err := p.checkNameAttribute(u, in.UserAttributes); err != nil {
		return nil, nil, err
	}
	if err := p.setAttributes(u, in.UserAttributes, attributeWriter{client: c}); err != nil {
		return nil, nil, err
	}
	if slices.Contains(p.Config.AliasAttributes, "preferred_username") && u.attrs["preferred_username"] != "" {
		return nil, nil, errInvalidParameter("preferred_username can only be provided once the account is confirmed.")
	}
	if err := p.checkRequired(u); err != nil {
		return nil, nil, err
	}
	if err := checkPassword(p.passwordPolicy(), shape.Val(in.Password)); err != nil {
		return nil, nil, err
	}
	s.setPassword(p, u, *in.Password)
	to, sends := p.signUpDelivery(u)
	err = s.update(ctx, func(tx *store.Tx) error {
		if err := insertUser(tx, p, u); err != nil {
			return err
		}
		if !sends {
			return nil
		}
		return s.sendNextCode(tx, p, u, signUpCode, to, &codeRow{})
	})
	if taken := (*nameTaken)(nil); errors.As(err, &taken) {
		return nil, nil, errNameTaken(taken.kind, false)
	}
	if err != nil {
		return nil, nil, err
	}
	if !sends {
		return u, nil, nil
	}
	return u, &to, nil
}

// find reads the user whom a name means; nil without an error: nobody.
func (s *Service) find(ctx context.Context, p *Pool, name string) (u *user, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		u, err = userByName(tx, p, name)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return u, err
}

// confirmSignUp takes the code that a new user was sent.
func (s *Service) confirmSignUp(ctx context.Context, in *cognitoidp.ConfirmSignUpRequest) error {
	c, p, err := s.client(ctx, in.ClientId)
	if err != nil {
		return err
	}
	if err := s.checkSignUpHash(c, in.SecretHash, in.Username); err != nil {
		return err
	}
	u, err := s.find(ctx, p, in.Username)
	switch {
	case err != nil:
		return err
	case u == nil && c.hidesUsers():
		return errCodeExpired()
	case u == nil:
		// Not the usual words: this is what Cognito says here.
		return cognitoidp.UserNotFoundException("Username/client id combination not found.")
	case u.status != unconfirmed:
		return errNotUnconfirmed(u)
	case !u.enabled:
		return errDisabled()
	}
	return s.withCode(ctx, u, signUpCode, in.ConfirmationCode, func(tx *store.Tx, u *user, row *codeRow) error {
		if u.status != unconfirmed {
			return errNotUnconfirmed(u)
		}
		before := p.loginNames(u)
		u.status = confirmed
		if u.attrs[row.attribute] == row.value {
			u.attrs[row.attribute+"_verified"] = "true"
		}
		return s.saveNamed(tx, p, u, before, shape.Val(in.ForceAliasCreation))
	})
}

func errNotUnconfirmed(u *user) error {
	return cognitoidp.NotAuthorizedException("User cannot be confirmed. Current status is %s", u.status)
}

// saveNamed stores u, whose login names were before. A name that is an alias of somebody else is
// taken away from him where force says so: his address is no longer verified then.
func (s *Service) saveNamed(tx *store.Tx, p *Pool, u *user, before []loginName, force bool) error {
	if force {
		if err := takeAliases(tx, p, u, before); err != nil {
			return err
		}
	}
	err := updateUser(tx, p, u, before)
	if taken := (*nameTaken)(nil); errors.As(err, &taken) {
		return errAliasTaken(p, taken.kind)
	}
	return err
}

// takeAliases frees the aliases that u is about to have.
func takeAliases(tx *store.Tx, p *Pool, u *user, before []loginName) error {
	for _, n := range p.loginNames(u) {
		if n.kind != byEmail && n.kind != byPhone || slices.Contains(before, n) || len(p.Config.UsernameAttributes) > 0 {
			continue
		}
		id, err := nameOwner(tx, p.No, n.value)
		if errors.Is(err, store.ErrNotFound) || err == nil && id == u.id {
			continue
		}
		if err != nil {
			return err
		}
		other, err := userByID(tx, p.No, id)
		if err != nil {
			return err
		}
		if p.foldName(other.username) == n.value {
			continue // his username is not an alias
		}
		names := p.loginNames(other)
		other.attrs[n.kind.attribute()+"_verified"] = "false"
		if err := updateUser(tx, p, other, names); err != nil {
			return err
		}
	}
	return nil
}

// resendCode sends the code of a sign-up again, a new one.
func (s *Service) resendCode(ctx context.Context, in *cognitoidp.ResendConfirmationCodeRequest) (*cognitoidp.CodeDeliveryDetailsType, error) {
	c, p, err := s.client(ctx, in.ClientId)
	if err != nil {
		return nil, err
	}
	if err := s.checkSignUpHash(c, in.SecretHash, in.Username); err != nil {
		return nil, err
	}
	u, err := s.find(ctx, p, in.Username)
	switch {
	case err != nil:
		return nil, err
	case u == nil && c.hidesUsers():
		return s.decoyDelivery(p, in.Username, p.Config.AutoVerifiedAttributes), nil
	case u == nil:
		return nil, cognitoidp.UserNotFoundException("Username/client id combination not found.")
	case u.status != unconfirmed:
		return nil, errInvalidParameter("User is already confirmed.")
	case !u.enabled && !c.hidesUsers():
		return nil, errDisabled()
	}
	to, ok := p.signUpDelivery(u)
	if !ok {
		return nil, errInvalidParameter("Cannot resend codes. Auto verification not turned on.")
	}
	if !u.enabled {
		return to.details(), nil
	}
	return to.details(), s.update(ctx, func(tx *store.Tx) error { return s.sendCode(tx, p, u, signUpCode, to) })
}

// adminConfirm confirms a sign-up without its code. It verifies nothing.
func (s *Service) adminConfirm(ctx context.Context, poolID, name string) error {
	return s.changeUser(ctx, poolID, name, func(tx *store.Tx, p *Pool, u *user) error {
		if u.status != unconfirmed {
			return errNotUnconfirmed(u)
		}
		u.status = confirmed
		return s.saveNamed(tx, p, u, p.loginNames(u), false)
	})
}

// changeUser runs f on a user whom an administrator names.
func (s *Service) changeUser(ctx context.Context, poolID, name string, f func(tx *store.Tx, p *Pool, u *user) error) error {
	p, err := s.regionPool(ctx, poolID)
	if err != nil {
		return err
	}
	return s.update(ctx, func(tx *store.Tx) error {
		u, err := userByName(tx, p, name)
		if errors.Is(err, store.ErrNotFound) {
			return errUserNotFound()
		}
		if err != nil {
			return err
		}
		return f(tx, p, u)
	})
}

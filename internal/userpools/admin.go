package userpools

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// createUser registers a user whom an administrator invites.
func (s *Service) createUser(ctx context.Context, in *cognitoidp.AdminCreateUserRequest) (*Pool, *user, error) {
	p, err := s.regionPool(ctx, in.UserPoolId)
	if err != nil {
		return nil, nil, err
	}
	password := shape.Val(in.TemporaryPassword)
	if password == "" {
		password = temporaryPassword(p.passwordPolicy())
	} else if err := checkPassword(p.passwordPolicy(), password); err != nil {
		return nil, nil, err
	}
	if shape.Val(in.MessageAction) == "RESEND" {
		u, err := s.inviteAgain(ctx, p, in, password)
		return p, u, err
	}
	u := &user{pool: p.No, id: newUserID(), enabled: true, status: forceChangePassword, created: s.now(), attrs: map[string]string{}}
	u.modified, u.expires = u.created, u.created.Add(p.temporaryValidity())
	if err := p.nameNewUser(u, in.Username); err != nil {
		return nil, nil, err
	}
	if err := p.checkNameAttribute(u, in.UserAttributes); err != nil {
		return nil, nil, err
	}
	if err := p.setAttributes(u, in.UserAttributes, attributeWriter{}); err != nil {
		return nil, nil, err
	}
	s.setPassword(p, u, password)
	err = s.update(ctx, func(tx *store.Tx) error {
		if shape.Val(in.ForceAliasCreation) {
			if err := takeAliases(tx, p, u, nil); err != nil {
				return err
			}
		}
		if err := insertUser(tx, p, u); err != nil {
			return err
		}
		return s.invite(tx, p, u, in, password)
	})
	if taken := (*nameTaken)(nil); errors.As(err, &taken) {
		if taken.kind != byUsername && len(p.Config.UsernameAttributes) == 0 {
			return nil, nil, errAliasTaken(p, taken.kind)
		}
		return nil, nil, errNameTaken(taken.kind, true)
	}
	return p, u, err
}

// invite sends the temporary password, by the media that are asked for and that u can be reached by.
func (s *Service) invite(tx *store.Tx, p *Pool, u *user, in *cognitoidp.AdminCreateUserRequest, password string) error {
	if shape.Val(in.MessageAction) == "SUPPRESS" {
		return nil
	}
	wanted := in.DesiredDeliveryMediums
	if len(wanted) == 0 {
		if wanted = []string{"SMS"}; u.attrs["phone_number"] == "" {
			wanted = []string{"EMAIL"}
		}
	}
	for medium, attribute := range map[string]string{"SMS": "phone_number", "EMAIL": "email"} {
		if v := u.attrs[attribute]; v != "" && slices.Contains(wanted, medium) {
			if err := s.outbox.Enqueue(tx, p.invitation(u, delivery{attribute, v}, password)); err != nil {
				return err
			}
		}
	}
	return nil
}

// inviteAgain gives somebody who has not yet signed in a new temporary password.
func (s *Service) inviteAgain(ctx context.Context, p *Pool, in *cognitoidp.AdminCreateUserRequest, password string) (*user, error) {
	u, err := s.find(ctx, p, in.Username)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, errUserNotFound()
	}
	s.setPassword(p, u, password)
	sealed := u.sealed
	err = s.update(ctx, func(tx *store.Tx) error {
		var err error
		if u, err = userByID(tx, p.No, u.id); errors.Is(err, store.ErrNotFound) {
			return errUserNotFound()
		} else if err != nil {
			return err
		}
		if u.status != forceChangePassword {
			return cognitoidp.UnsupportedUserStateException("Resend not possible. %s status is not FORCE_CHANGE_PASSWORD", in.Username)
		}
		u.sealed, u.expires = sealed, tx.Now().Add(p.temporaryValidity())
		if err := updateUser(tx, p, u, p.loginNames(u)); err != nil {
			return err
		}
		return s.invite(tx, p, u, in, password)
	})
	return u, err
}

// adminSetPassword gives a user a password, for good or until the next sign-in.
func (s *Service) adminSetPassword(ctx context.Context, in *cognitoidp.AdminSetUserPasswordRequest) error {
	p, err := s.regionPool(ctx, in.UserPoolId)
	if err != nil {
		return err
	}
	u, err := s.find(ctx, p, in.Username)
	if err != nil {
		return err
	}
	if u == nil {
		return errUserNotFound()
	}
	if err := checkPassword(p.passwordPolicy(), in.Password); err != nil {
		return err
	}
	s.setPassword(p, u, in.Password)
	return s.changeUser(ctx, in.UserPoolId, u.id.String(), func(tx *store.Tx, p *Pool, now *user) error {
		now.sealed, now.status, now.expires = u.sealed, confirmed, time.Time{}
		if !shape.Val(in.Permanent) {
			now.status, now.expires = forceChangePassword, tx.Now().Add(p.temporaryValidity())
		}
		if err := clearFailures(tx, p.No, now.id); err != nil {
			return err
		}
		return s.saveNamed(tx, p, now, p.loginNames(now), false)
	})
}

// adminResetPassword makes a user choose a new password, with a code.
func (s *Service) adminResetPassword(ctx context.Context, poolID, name string) error {
	return s.changeUser(ctx, poolID, name, func(tx *store.Tx, p *Pool, u *user) error {
		if !u.enabled {
			return errDisabled()
		}
		to, ok := p.recoveryDelivery(u)
		if !ok {
			return errNoRecovery()
		}
		if u.status != confirmed && u.status != resetRequired {
			return cognitoidp.NotAuthorizedException("User password cannot be reset in the current state.")
		}
		u.status = resetRequired
		if err := updateUser(tx, p, u, p.loginNames(u)); err != nil {
			return err
		}
		return s.sendCode(tx, p, u, passwordCode, to)
	})
}

func errNoRecovery() error {
	return errInvalidParameter("Cannot reset password for the user as there is no registered/verified email or phone_number")
}

// adminEnable lets a user sign in, or signs him out and keeps him out.
func (s *Service) adminEnable(ctx context.Context, poolID, name string, on bool) error {
	return s.changeUser(ctx, poolID, name, func(tx *store.Tx, p *Pool, u *user) error {
		u.enabled = on
		if !on {
			if err := deleteSessions(tx, u); err != nil {
				return err
			}
		}
		return updateUser(tx, p, u, p.loginNames(u))
	})
}

// adminUpdateAttributes sets attributes without asking what a client may.
func (s *Service) adminUpdateAttributes(ctx context.Context, in *cognitoidp.AdminUpdateUserAttributesRequest) error {
	return s.changeUser(ctx, in.UserPoolId, in.Username, func(tx *store.Tx, p *Pool, u *user) error {
		_, err := s.applyAttributes(tx, p, u, in.UserAttributes, attributeWriter{update: true})
		return err
	})
}

// applyAttributes changes attributes of a user who exists and sends codes to addresses and numbers
// that the pool verifies and that are new.
func (s *Service) applyAttributes(tx *store.Tx, p *Pool, u *user, changes []cognitoidp.AttributeType, w attributeWriter) ([]*cognitoidp.CodeDeliveryDetailsType, error) {
	before := p.loginNames(u)
	old := map[string]string{"email": u.attrs["email"], "phone_number": u.attrs["phone_number"]}
	wasVerified := map[string]string{"email": u.attrs["email_verified"], "phone_number": u.attrs["phone_number_verified"]}
	if err := p.setAttributes(u, changes, w); err != nil {
		return nil, err
	}
	if len(p.Config.UsernameAttributes) > 0 && len(p.loginNames(u)) == 0 {
		return nil, errInvalidParameter("User must keep an attribute to sign in with.")
	}
	var codes []delivery
	for _, a := range [...]string{"email", "phone_number"} {
		v := u.attrs[a]
		if v == "" || v == old[a] || u.attrs[a+"_verified"] == "true" || !p.autoVerifies(a) {
			continue
		}
		codes = append(codes, delivery{a, v})
		if old[a] != "" && w.client != nil && slices.Contains(p.Config.UserAttributeUpdateSettings.AttributesRequireVerificationBeforeUpdate, a) {
			// The old value stays, and signs in, until the code comes back.
			u.attrs[a], u.attrs[a+"_verified"] = old[a], wasVerified[a]
		}
	}
	if err := s.saveNamed(tx, p, u, before, false); err != nil {
		return nil, err
	}
	list := []*cognitoidp.CodeDeliveryDetailsType{}
	for _, to := range codes {
		if err := s.sendCode(tx, p, u, attributeCode(to.attribute), to); err != nil {
			return nil, err
		}
		list = append(list, to.details())
	}
	return list, nil
}

// deleteAttributes removes attributes, as the client may or, without one, an administrator.
func (s *Service) deleteAttributes(tx *store.Tx, p *Pool, u *user, names []string, w attributeWriter) error {
	changes := make([]cognitoidp.AttributeType, len(names))
	for i, name := range names {
		changes[i].Name = name
	}
	_, err := s.applyAttributes(tx, p, u, changes, w)
	return err
}

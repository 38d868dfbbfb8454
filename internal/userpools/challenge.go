package userpools

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/srp"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// challengeState is what travels with the client between the steps of a sign-in, sealed.
type challengeState struct {
	ID      userID `json:"i"`
	Pool    int64  `json:"p"`
	Client  string `json:"c"`
	User    userID `json:"u"`           // zero: nobody
	Name    string `json:"n"`           // USER_ID_FOR_SRP
	Login   string `json:"l,omitempty"` // the name that was given
	Expires int64  `json:"e"`           // epoch milliseconds
	A       []byte `json:"a,omitempty"`
	B       []byte `json:"b,omitempty"`
	Secret  []byte `json:"s,omitempty"`
}

const (
	srpContext         = "userpools.srp"
	newPasswordContext = "userpools.new-password"
)

func (s *Service) newChallenge(r *authRequest, u *user) *challengeState {
	c := &challengeState{ID: newUserID(), Pool: r.pool.No, Client: r.client.id(), Expires: s.now().Add(r.client.challengeValidity()).UnixMilli()}
	if u != nil {
		c.User, c.Name = u.id, u.username
	}
	return c
}

// checkChallenge holds an opened state against the call that brings it.
func (s *Service) checkChallenge(r *authRequest, c *challengeState) error {
	if c.Pool != r.pool.No || c.Client != r.client.id() {
		return errSession()
	}
	if s.now().UnixMilli() >= c.Expires {
		return errSessionExpired()
	}
	return nil
}

// spend notes that a challenge was answered. An answer counts once.
func (s *Service) spend(tx *store.Tx, p *Pool, c *challengeState) error {
	fresh, err := useChallenge(tx, p.No, c.ID, time.UnixMilli(c.Expires))
	if err == nil && !fresh {
		err = errSessionUsed()
	}
	return err
}

// srpAuth begins a sign-in that proves the password without showing it.
func (s *Service) srpAuth(ctx context.Context, r *authRequest) (*authAnswer, error) {
	name, a := r.params["USERNAME"], r.params["SRP_A"]
	if name == "" {
		return nil, errMissingParameter("USERNAME")
	}
	if a == "" {
		return nil, errMissingParameter("SRP_A")
	}
	if err := s.checkAuthHash(r.client, r.params, name); err != nil {
		return nil, err
	}
	u, who, err := s.login(ctx, r, name)
	if err != nil {
		return nil, err
	}
	if u != nil && !r.client.hidesUsers() {
		if !u.enabled {
			return nil, errDisabled()
		}
		if u.status == resetRequired {
			return nil, errResetRequired()
		}
	}
	salt, verifier, err := s.credential(r.pool, u, name)
	if err != nil {
		return nil, err
	}
	ch, err := srp.NewChallenge(a, verifier)
	if errors.Is(err, srp.ErrPublicValue) {
		return nil, errInvalidParameter("Invalid SRP_A")
	}
	if err != nil {
		return nil, err
	}
	c := s.newChallenge(r, u)
	// The name goes along for everybody, so that the size of the block tells nothing.
	c.Login = name[:min(len(name), maxLogin)]
	if u == nil {
		c.Name = r.pool.strangerName(c.Login, who)
	}
	c.A, c.B, c.Secret = ch.A, ch.B, ch.Secret
	block, err := s.sealState(c, srpContext)
	if err != nil {
		return nil, err
	}
	// Clients decode SECRET_BLOCK as standard base64.
	raw, err := base64.RawURLEncoding.DecodeString(block)
	if err != nil {
		return nil, err
	}
	return &authAnswer{challenge: "PASSWORD_VERIFIER", parameters: map[string]string{
		"SALT": srp.Hex(salt), "SECRET_BLOCK": base64.StdEncoding.EncodeToString(raw), "SRP_B": ch.SRPB(),
		"USERNAME": c.Name, "USER_ID_FOR_SRP": c.Name,
	}}, nil
}

// strangerName is the USER_ID_FOR_SRP of somebody who does not exist: the name itself, or a sub where
// users who exist would be told one.
func (p *Pool) strangerName(name string, who userID) string {
	if len(p.Config.UsernameAttributes) == 0 && !validEmail(name) && !validPhone(name) {
		return name
	}
	return who.String()
}

// answerSRP checks the client's proof.
func (s *Service) answerSRP(ctx context.Context, r *authRequest) (*authAnswer, error) {
	for _, name := range [...]string{"USERNAME", "PASSWORD_CLAIM_SECRET_BLOCK", "PASSWORD_CLAIM_SIGNATURE", "TIMESTAMP"} {
		if r.params[name] == "" {
			return nil, errMissingParameter(name)
		}
	}
	if _, err := srp.ParseTimestamp(r.params["TIMESTAMP"]); err != nil {
		return nil, errInvalidParameter("TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english.")
	}
	block, err := base64.StdEncoding.DecodeString(r.params["PASSWORD_CLAIM_SECRET_BLOCK"])
	if err != nil {
		return nil, errIncorrect()
	}
	proof, err := base64.StdEncoding.DecodeString(r.params["PASSWORD_CLAIM_SIGNATURE"])
	if err != nil {
		return nil, errIncorrect()
	}
	var c challengeState
	if !s.openState(base64.RawURLEncoding.EncodeToString(block), srpContext, &c) {
		return nil, errIncorrect()
	}
	if err := s.checkChallenge(r, &c); err != nil {
		return nil, err
	}
	if r.params["USERNAME"] != c.Name {
		return nil, errIncorrect()
	}
	if err := s.checkAuthHash(r.client, r.params, c.Name); err != nil {
		return nil, err
	}
	login := c.Login
	if c.User != (userID{}) {
		login = c.User.String()
	}
	u, who, err := s.login(ctx, r, login)
	if err != nil {
		return nil, err
	}
	if u != nil && u.id != c.User {
		return nil, errIncorrect() // somebody took the name in the meantime
	}
	_, verifier, err := s.credential(r.pool, u, c.Login)
	if err != nil {
		return nil, err
	}
	ch := &srp.Challenge{A: c.A, B: c.B, Secret: c.Secret}
	if !ch.Check(verifier, r.pool.srpName(), c.Name, block, r.params["TIMESTAMP"], proof) || u == nil {
		if err := s.noteFailure(ctx, r.pool, who, &c); err != nil {
			return nil, err
		}
		return nil, errIncorrect()
	}
	return s.passwordProven(ctx, r, u, &c)
}

// askNewPassword is the challenge of somebody whose password is temporary.
func (s *Service) askNewPassword(r *authRequest, u *user) (*authAnswer, error) {
	session, err := s.sealState(s.newChallenge(r, u), newPasswordContext)
	if err != nil {
		return nil, err
	}
	required := []string{}
	for _, name := range r.pool.missingAttributes(u) {
		required = append(required, "userAttributes."+name)
	}
	attrs := map[string]string{}
	for name, value := range u.attrs {
		if r.client.mayRead(name) {
			attrs[name] = value
		}
	}
	return &authAnswer{challenge: "NEW_PASSWORD_REQUIRED", session: session, parameters: map[string]string{
		"USER_ID_FOR_SRP": u.username, "requiredAttributes": jsonText(required), "userAttributes": jsonText(attrs),
	}}, nil
}

// answerNewPassword sets the password, and the attributes that were missing, and opens the session.
func (s *Service) answerNewPassword(ctx context.Context, r *authRequest, state string) (*authAnswer, error) {
	name, password := r.params["USERNAME"], r.params["NEW_PASSWORD"]
	if name == "" {
		return nil, errMissingParameter("USERNAME")
	}
	if password == "" {
		return nil, errMissingParameter("NEW_PASSWORD")
	}
	if state == "" {
		return nil, errMissingParameter("Session")
	}
	var c challengeState
	if !s.openState(state, newPasswordContext, &c) {
		return nil, errSession()
	}
	if err := s.checkChallenge(r, &c); err != nil {
		return nil, err
	}
	u, _, err := s.login(ctx, r, name)
	if err != nil {
		return nil, err
	}
	if u == nil || u.id != c.User {
		return nil, errSession()
	}
	if err := s.checkAuthHash(r.client, r.params, name, u.username); err != nil {
		return nil, err
	}
	if u.status != forceChangePassword {
		return nil, errSessionUsed()
	}
	var changes []cognitoidp.AttributeType
	for key, value := range r.params {
		if attr, ok := strings.CutPrefix(key, "userAttributes."); ok {
			changes = append(changes, cognitoidp.AttributeType{Name: attr, Value: shape.Ptr(value)})
		}
	}
	slices.SortFunc(changes, func(a, b cognitoidp.AttributeType) int { return strings.Compare(a.Name, b.Name) })
	if err := checkPassword(r.pool.passwordPolicy(), password); err != nil {
		return nil, err
	}
	proven := u.sealed
	// The change is tried on what was read, for its refusals, and made on what is there when the
	// session opens.
	change := func(u *user) error {
		if err := r.pool.setAttributes(u, changes, attributeWriter{client: r.client}); err != nil {
			return err
		}
		if missing := r.pool.missingAttributes(u); len(missing) > 0 {
			return errInvalidParameter("Invalid attributes given, %s is missing", strings.Join(missing, " and "))
		}
		u.status, u.expires = confirmed, time.Time{}
		return nil
	}
	if err := change(u); err != nil {
		return nil, err
	}
	s.setPassword(r.pool, u, password)
	return s.openSession(ctx, r, u, proven, func(tx *store.Tx, now *user) error {
		if now.status != forceChangePassword {
			return errSession()
		}
		if err := s.spend(tx, r.pool, &c); err != nil {
			return err
		}
		before := r.pool.loginNames(now)
		if err := change(now); err != nil {
			return err
		}
		now.sealed = u.sealed
		if err := clearFailures(tx, now.pool, now.id); err != nil {
			return err
		}
		return s.saveNamed(tx, r.pool, now, before, false)
	})
}

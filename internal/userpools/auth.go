package userpools

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/srp"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// authRequest is a call of InitiateAuth, RespondToAuthChallenge or their Admin twins.
type authRequest struct {
	pool   *Pool
	client *Client
	admin  bool
	params map[string]string
	// secretShown says that the client showed its secret itself, so no hash is needed.
	secretShown bool
}

// authAnswer is what any of them answers: a challenge or tokens.
type authAnswer struct {
	challenge  string
	session    string
	parameters map[string]string
	result     *cognitoidp.AuthenticationResultType
}

// initiateAuth begins a sign-in by a flow.
func (s *Service) initiateAuth(ctx context.Context, r *authRequest, flow string) (*authAnswer, error) {
	switch flow {
	case "USER_PASSWORD_AUTH":
		if r.admin {
			return nil, errInvalidParameter("Initiate Auth method not supported.")
		}
		if !r.client.allows(flow) {
			return nil, errInvalidParameter("USER_PASSWORD_AUTH flow not enabled for this client")
		}
		return s.passwordAuth(ctx, r)
	case "ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH":
		if !r.admin {
			return nil, errInvalidParameter("Initiate Auth method not supported.")
		}
		if !r.client.allows("ADMIN_USER_PASSWORD_AUTH") {
			return nil, errInvalidParameter("Auth flow not enabled for this client")
		}
		return s.passwordAuth(ctx, r)
	case "USER_SRP_AUTH":
		if !r.client.allows(flow) {
			return nil, errInvalidParameter("USER_SRP_AUTH is not enabled for the client.")
		}
		return s.srpAuth(ctx, r)
	case "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN":
		if !r.client.allows("REFRESH_TOKEN_AUTH") {
			return nil, errInvalidParameter("Auth flow not enabled for this client")
		}
		if r.params["REFRESH_TOKEN"] == "" {
			return nil, errMissingParameter("REFRESH_TOKEN")
		}
		return s.refresh(ctx, r)
	}
	return nil, errUnsupported("The authentication flow " + flow)
}

// respond answers a challenge.
func (s *Service) respond(ctx context.Context, r *authRequest, challenge, session string) (*authAnswer, error) {
	switch challenge {
	case "PASSWORD_VERIFIER":
		return s.answerSRP(ctx, r)
	case "NEW_PASSWORD_REQUIRED":
		return s.answerNewPassword(ctx, r, session)
	}
	return nil, errUnsupported("The challenge " + challenge)
}

// maxLogin bounds what is taken for a name to sign in with, in bytes. Usernames have up to 128
// characters, addresses 254 bytes; only a preferred username could be longer.
const maxLogin = 2048

// login reads the user who signs in, unless he is locked out. user is nil for nobody where the client
// hides that; otherwise nobody is an error. Whom the attempts are counted for is told by who: a
// stranger is counted, and locked out, like anybody.
func (s *Service) login(ctx context.Context, r *authRequest, name string) (u *user, who userID, err error) {
	if len(name) > maxLogin {
		name = name[:maxLogin] // longer than any name; nobody's
	}
	var f failures
	if r.client.hidesUsers() {
		if who, err = s.stranger(r.pool, name); err != nil {
			return nil, who, err
		}
	}
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		u, err = userByName(tx, r.pool, name)
		switch {
		case errors.Is(err, store.ErrNotFound) && r.client.hidesUsers():
			u = nil
		case errors.Is(err, store.ErrNotFound):
			return errUserNotFound()
		case err != nil:
			return err
		default:
			who = u.id
		}
		f, err = failuresOf(tx, r.pool.No, who)
		return err
	})
	if err == nil && f.locked(s.now()) {
		err = errLocked()
	}
	return u, who, err
}

// stranger makes up the sub of somebody who does not exist, always the same for the same name.
func (s *Service) stranger(p *Pool, name string) (id userID, err error) {
	key, err := s.decoyKey(p)
	if err != nil {
		return id, err
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte("sub/" + p.foldName(name)))
	copy(id[:], m.Sum(nil))
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id, nil
}

// passwordAuth signs in with a password that comes in clear.
func (s *Service) passwordAuth(ctx context.Context, r *authRequest) (*authAnswer, error) {
	name, password := r.params["USERNAME"], r.params["PASSWORD"]
	if name == "" {
		return nil, errMissingParameter("USERNAME")
	}
	if password == "" {
		return nil, errMissingParameter("PASSWORD")
	}
	if err := s.checkAuthHash(r.client, r.params, name); err != nil {
		return nil, err
	}
	u, who, err := s.login(ctx, r, name)
	if err != nil {
		return nil, err
	}
	salt, verifier, err := s.credential(r.pool, u, name)
	if err != nil {
		return nil, err
	}
	id := name
	if u != nil {
		id = u.username
		if !r.client.hidesUsers() {
			if !u.enabled {
				return nil, errDisabled()
			}
			if u.status == resetRequired {
				return nil, errResetRequired()
			}
		}
	}
	if !srp.CheckPassword(r.pool.srpName(), id, password, salt, verifier) || u == nil {
		if err := s.noteFailure(ctx, r.pool, who, nil); err != nil {
			return nil, err
		}
		return nil, errIncorrect()
	}
	return s.passwordProven(ctx, r, u, nil)
}

// passwordProven goes on after a right password: to a new one, or to tokens. proof is the challenge
// that it was the answer to, if it was.
func (s *Service) passwordProven(ctx context.Context, r *authRequest, u *user, proof *challengeState) (*authAnswer, error) {
	switch {
	case !u.enabled:
		return nil, errDisabled()
	case u.status == unconfirmed:
		return nil, errNotConfirmed()
	case u.status == resetRequired:
		return nil, errResetRequired()
	case u.status == forceChangePassword:
		if !s.now().Before(u.expires) {
			return nil, cognitoidp.NotAuthorizedException("Temporary password has expired and must be reset by an administrator.")
		}
		check := s.db.View
		if proof != nil {
			check = s.update // the proof is spent here; what it leads to is the next challenge
		}
		err := check(ctx, func(tx *store.Tx) error {
			if _, err := passLock(tx, u); err != nil || proof == nil {
				return err
			}
			return s.spend(tx, r.pool, proof)
		})
		if err != nil {
			return nil, err
		}
		return s.askNewPassword(r, u)
	}
	return s.openSession(ctx, r, u, u.sealed, func(tx *store.Tx, _ *user) error {
		failed, err := passLock(tx, u)
		if err == nil && failed {
			err = clearFailures(tx, u.pool, u.id)
		}
		if err != nil {
			return err
		}
		if proof != nil {
			return s.spend(tx, r.pool, proof)
		}
		return nil
	})
}

// passLock refuses a right password that was guessed while wrong guesses, made at the same time, have
// locked the user out. failed tells of failures that are to be forgotten.
func passLock(tx *store.Tx, u *user) (failed bool, err error) {
	f, err := failuresOf(tx, u.pool, u.id)
	if err == nil && f.locked(tx.Now()) {
		err = errLocked()
	}
	return f.n > 0, err
}

// openSession begins a session of u and returns its tokens. proven is the credential that was
// checked; check runs in the transaction that opens the session, on the user as he is then, and what
// it refuses is refused.
func (s *Service) openSession(ctx context.Context, r *authRequest, u *user, proven []byte, check func(tx *store.Tx, now *user) error) (*authAnswer, error) {
	start := s.now()
	n := &session{id: newUserID(), pool: u.pool, sub: u.id, client: r.client.id(), authTime: start, expires: start.Add(r.client.refreshValidity())}
	refresh, err := s.newRefreshToken(n)
	if err != nil {
		return nil, err
	}
	id, access, err := s.claims(r.pool, r.client, u, n, start)
	if err != nil {
		return nil, err
	}
	result, err := s.sign(ctx, r.pool, id, access, func() error {
		return s.update(ctx, func(tx *store.Tx) error {
			now, err := userByID(tx, u.pool, u.id)
			if errors.Is(err, store.ErrNotFound) {
				return errIncorrect()
			}
			if err != nil {
				return err
			}
			// Between the look at the password and now the user may have been disabled, or the
			// password changed.
			if !now.enabled {
				return errDisabled()
			}
			if subtle.ConstantTimeCompare(now.sealed, proven) != 1 {
				return errIncorrect()
			}
			if err := check(tx, now); err != nil {
				return err
			}
			return insertSession(tx, n)
		})
	})
	if err != nil {
		return nil, err
	}
	result.RefreshToken = &refresh
	result.ExpiresIn = shape.Ptr(int64(r.client.accessValidity() / time.Second))
	return &authAnswer{result: result}, nil
}

// refresh makes new tokens for a session that lives. Where the client rotates refresh tokens, the
// token that was shown is replaced by a new one; for the client's grace period it may be shown again,
// by somebody whom the answer did not reach.
func (s *Service) refresh(ctx context.Context, r *authRequest) (*authAnswer, error) {
	var t refreshState
	if raw := r.params["REFRESH_TOKEN"]; len(raw) > maxToken || !s.openState(raw, refreshContext, &t) || t.Client != r.client.id() {
		return nil, errRefreshToken()
	}
	var n *session
	var u *user
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		if n, err = s.shownSession(tx, r, &t); err != nil {
			return err
		}
		u, err = userByID(tx, n.pool, n.sub)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = errRefreshRevoked()
	}
	if err != nil {
		return nil, err
	}
	if !r.secretShown {
		if err := s.checkAuthHash(r.client, r.params, u.username, u.id.String()); err != nil {
			return nil, err
		}
	}
	switch {
	case !u.enabled:
		return nil, errDisabled()
	case u.status == resetRequired:
		return nil, errResetRequired()
	}
	id, access, err := s.claims(r.pool, r.client, u, n, s.now())
	if err != nil {
		return nil, err
	}
	var fresh *string
	var rotate func() error
	if r.client.rotates() {
		rotate = func() (err error) { fresh, err = s.rotate(ctx, r, &t); return err }
	}
	result, err := s.sign(ctx, r.pool, id, access, rotate)
	if err != nil {
		return nil, err
	}
	result.RefreshToken = fresh
	result.ExpiresIn = shape.Ptr(int64(r.client.accessValidity() / time.Second))
	return &authAnswer{result: result}, nil
}

func errRefreshToken() error {
	return cognitoidp.NotAuthorizedException("Invalid Refresh Token")
}

func errRefreshRevoked() error {
	return cognitoidp.NotAuthorizedException("Refresh Token has been revoked")
}

// shownSession reads the session of a refresh token and refuses the token if it is not, or no longer,
// that session's.
func (s *Service) shownSession(tx *store.Tx, r *authRequest, t *refreshState) (*session, error) {
	n, err := sessionByID(tx, t.Session)
	now := s.now()
	expired := !now.Before(time.Unix(t.Expires, 0))
	switch {
	case errors.Is(err, store.ErrNotFound) && !expired:
		return nil, errRefreshRevoked()
	case err == nil && (n.pool != r.pool.No || n.client != r.client.id()):
		return nil, errRefreshToken()
	case errors.Is(err, store.ErrNotFound), err == nil && (expired || !now.Before(n.expires)):
		return nil, cognitoidp.NotAuthorizedException("Refresh Token has expired")
	case err != nil:
		return nil, err
	}
	hash := sha256.Sum256(t.Secret)
	switch {
	case subtle.ConstantTimeCompare(hash[:], n.secret) == 1:
	case subtle.ConstantTimeCompare(hash[:], n.previous) == 1 && now.Before(n.previousUntil):
	case r.client.rotates():
		return nil, cognitoidp.RefreshTokenReuseException("Refresh Token has been rotated and can no longer be used")
	default:
		return nil, errRefreshToken()
	}
	return n, nil
}

// rotate replaces the refresh token of a session. The new one ends when the session does.
func (s *Service) rotate(ctx context.Context, r *authRequest, t *refreshState) (*string, error) {
	fresh := &session{id: t.Session, client: t.Client, expires: time.Unix(t.Expires, 0)}
	token, err := s.newRefreshToken(fresh)
	if err != nil {
		return nil, err
	}
	err = s.update(ctx, func(tx *store.Tx) error {
		n, err := s.shownSession(tx, r, t)
		if err != nil {
			return err
		}
		if hash := sha256.Sum256(t.Secret); subtle.ConstantTimeCompare(hash[:], n.secret) == 1 {
			n.previous = n.secret
			n.previousUntil = tx.Now().Add(time.Duration(shape.Val(r.client.Config.RefreshTokenRotation.RetryGracePeriodSeconds)) * time.Second)
		}
		n.secret = fresh.secret
		return rotateSession(tx, n)
	})
	return &token, err
}

// revokeToken ends the session of a refresh token: RFC 7009 in Cognito's form. A token that is
// revoked or expired already is no error.
func (s *Service) revokeToken(ctx context.Context, in *cognitoidp.RevokeTokenRequest) error {
	c, _, err := s.client(ctx, in.ClientId)
	if err != nil {
		return errInvalidParameter("Invalid client %s", in.ClientId)
	}
	secret, err := s.clientSecret(c)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(shape.Val(in.ClientSecret))) != 1 {
		if secret != "" && in.ClientSecret == nil {
			return cognitoidp.UnauthorizedException("Client %s is configured for secret but secret was not received", in.ClientId)
		}
		return cognitoidp.UnauthorizedException("Invalid client secret")
	}
	if !c.revocable() {
		return cognitoidp.UnsupportedOperationException("Revocation is not supported for the given token")
	}
	var t refreshState
	if len(in.Token) > maxToken || !s.openState(in.Token, refreshContext, &t) {
		if isJWT(in.Token) {
			return cognitoidp.UnsupportedTokenTypeException("Unsupported token type")
		}
		return errInvalidParameter("Invalid token")
	}
	if t.Client != c.id() {
		return cognitoidp.UnauthorizedException("The token was not issued to the client")
	}
	return s.update(ctx, func(tx *store.Tx) error { return deleteSession(tx, t.Session) })
}

func isJWT(s string) bool {
	var head struct {
		Alg string `json:"alg"`
	}
	for i := range len(s) {
		if s[i] == '.' {
			return decodePart(s[:i], &head) && head.Alg != ""
		}
	}
	return false
}

// jsonText is v as JSON; it is for challenge parameters, which are strings all.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps and slices of strings
	}
	return string(b)
}

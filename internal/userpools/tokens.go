package userpools

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// adminScope lets an access token call the self-service operations.
const adminScope = "aws.cognito.signin.user.admin"

// claims makes the two tokens' claims.
// https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html
func (s *Service) claims(p *Pool, c *Client, u *user, n *session, now time.Time) (id, access []byte, err error) {
	event := ident.UUID()
	base := func(use string, validity time.Duration) map[string]any {
		m := map[string]any{"sub": u.id.String(), "iss": s.issuer(p.Region, p.id()), "token_use": use, "auth_time": n.authTime.Unix(),
			"iat": now.Unix(), "exp": now.Add(validity).Unix(), "jti": ident.UUID()}
		if c.revocable() {
			m["origin_jti"], m["event_id"] = n.id.String(), event
		} else {
			m["event_id"] = n.id.String()
		}
		return m
	}
	a := base("access", c.accessValidity())
	a["client_id"], a["username"], a["scope"] = c.id(), u.username, adminScope
	if access, err = json.Marshal(a); err != nil {
		return nil, nil, err
	}
	i := base("id", c.idValidity())
	for name, value := range u.attrs {
		if !c.mayRead(name) {
			continue
		}
		switch name {
		case "email_verified", "phone_number_verified":
			i[name] = value == "true"
		case "address":
			i[name] = map[string]string{"formatted": value}
		default:
			if _, taken := i[name]; !taken {
				i[name] = value
			}
		}
	}
	i["aud"], i["cognito:username"] = c.id(), u.username
	id, err = json.Marshal(i)
	return id, access, err
}

// sign signs the two tokens on two cores; meanwhile commits, which may be nil, runs on this one.
func (s *Service) sign(ctx context.Context, p *Pool, id, access []byte, commit func() error) (*cognitoidp.AuthenticationResultType, error) {
	type signed struct {
		jwt string
		err error
	}
	start := func(use string, claims []byte) <-chan signed {
		ch := make(chan signed, 1)
		go func() {
			jwt, err := s.keys.Sign(ctx, p.id(), use, claims)
			ch <- signed{jwt, err}
		}()
		return ch
	}
	idCh, accessCh := start(idKey, id), start(accessKey, access)
	var err error
	if commit != nil {
		err = commit()
	}
	i, a := <-idCh, <-accessCh
	if err := cmp.Or(err, i.err, a.err); err != nil {
		return nil, err
	}
	return &cognitoidp.AuthenticationResultType{IdToken: &i.jwt, AccessToken: &a.jwt, TokenType: shape.Ptr("Bearer")}, nil
}

// refreshState is what a refresh token carries, sealed.
type refreshState struct {
	Session userID `json:"s"`
	Secret  []byte `json:"k"`
	Client  string `json:"c"`
	Expires int64  `json:"e"`
}

const refreshContext = "userpools.refresh"

// newRefreshToken makes the token of a session and puts the hash of its secret there.
func (s *Service) newRefreshToken(n *session) (string, error) {
	secret := newUserID()
	hash := sha256.Sum256(secret[:])
	n.secret = hash[:]
	return s.sealState(refreshState{n.id, secret[:], n.client, n.expires.Unix()}, refreshContext)
}

// sealState makes an opaque string of a value; openState reads it back.
func (s *Service) sealState(v any, context string) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.box.Seal(b, context)), nil
}

func (s *Service) openState(text, context string, v any) bool {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	plain, err := s.box.Open(b, context)
	return err == nil && json.Unmarshal(plain, v) == nil
}

// accessClaims are the claims of an access token that the self-service operations look at.
type accessClaims struct {
	Issuer   string `json:"iss"`
	Sub      string `json:"sub"`
	Use      string `json:"token_use"`
	Scope    string `json:"scope"`
	Client   string `json:"client_id"`
	Session  string `json:"origin_jti"`
	Event    string `json:"event_id"`
	Expires  int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
}

// maxToken bounds what is taken for a token.
const maxToken = 16 << 10

// verifyAccess checks an access token of any pool here: signature, issuer, use, expiry, scope. It
// does not ask whether its session lives.
func (s *Service) verifyAccess(ctx context.Context, raw string) (*accessClaims, *Pool, error) {
	invalid := cognitoidp.NotAuthorizedException("Invalid Access Token")
	parts := strings.Split(raw, ".")
	if len(raw) > maxToken || len(parts) != 3 {
		return nil, nil, invalid
	}
	var head struct {
		Alg  string          `json:"alg"`
		KID  string          `json:"kid"`
		Crit json.RawMessage `json:"crit"`
	}
	var c accessClaims
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !decodePart(parts[0], &head) || !decodePart(parts[1], &c) || head.Alg != "RS256" || head.Crit != nil {
		return nil, nil, invalid
	}
	poolID, ok := s.IssuerPool(ctx, c.Issuer)
	if !ok {
		return nil, nil, invalid
	}
	key, err := s.keys.PublicKey(ctx, poolID, head.KID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, cognitoidp.NotAuthorizedException("Could not verify signature for Access Token")
	}
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) != nil {
		return nil, nil, cognitoidp.NotAuthorizedException("Could not verify signature for Access Token")
	}
	switch now := s.now().Unix(); {
	case c.Use != "access":
		return nil, nil, invalid
	case now >= c.Expires:
		return nil, nil, cognitoidp.NotAuthorizedException("Access Token has expired")
	case !hasScope(c.Scope, adminScope):
		return nil, nil, cognitoidp.NotAuthorizedException("Access Token does not have required scopes")
	}
	p, err := s.pool(ctx, poolID)
	return &c, p, err
}

func hasScope(scopes, want string) bool {
	for scope := range strings.FieldsSeq(scopes) {
		if scope == want {
			return true
		}
	}
	return false
}

func decodePart(part string, v any) bool {
	b, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(b, v) == nil
}

// caller is the user who calls a self-service operation.
type caller struct {
	pool    *Pool
	client  *Client
	user    *user
	session *session
}

// authorize returns the caller behind an access token, if the session behind it lives.
func (s *Service) authorize(ctx context.Context, raw string) (*caller, error) {
	c, p, err := s.verifyAccess(ctx, raw)
	if err != nil {
		return nil, err
	}
	revoked := cognitoidp.NotAuthorizedException("Access Token has been revoked")
	client, _, err := s.client(ctx, c.Client)
	if se := (*shape.Error)(nil); errors.As(err, &se) {
		return nil, revoked
	}
	if err != nil {
		return nil, err
	}
	text := c.Session
	if text == "" {
		text = c.Event
	}
	sid, ok := parseUserID(text)
	sub, ok2 := parseUserID(c.Sub)
	if !ok || !ok2 {
		return nil, cognitoidp.NotAuthorizedException("Invalid Access Token")
	}
	a := &caller{pool: p, client: client}
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		if a.user, err = userByID(tx, p.No, sub); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return errUserNotFound()
			}
			return err
		}
		if a.session, err = sessionByID(tx, sid); errors.Is(err, store.ErrNotFound) {
			return revoked
		}
		return err
	})
	switch {
	case err != nil && a.user != nil && !a.user.enabled:
		return nil, errDisabled()
	case err != nil:
		return nil, err
	case a.session.pool != p.No || a.session.sub != sub:
		return nil, revoked
	case !a.user.enabled:
		return nil, errDisabled()
	case a.user.status == resetRequired:
		return nil, errResetRequired()
	case a.user.status == unconfirmed:
		return nil, errNotConfirmed()
	}
	return a, nil
}

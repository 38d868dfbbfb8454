package userpools

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/keys"
	"github.com/gatehouse-dev/gatehouse/internal/message"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Uses of a pool's keys.
const (
	idKey     = "id"
	accessKey = "access"
)

// Options configure a Service. DB, Seal, Keys and Outbox are required.
type Options struct {
	DB      *store.DB
	Seal    *seal.Key
	Keys    *keys.Set // a scope is a pool's id
	Outbox  *message.Outbox
	Account string // 12 digits
	// Issuer makes the iss claim of a pool's tokens; nil: AWSIssuer.
	Issuer func(region, poolID string) string
	Logger *slog.Logger     // nil: discard
	Now    func() time.Time // nil: time.Now
}

// Service implements cognitoidp.Handler.
type Service struct {
	cognitoidp.Unimplemented
	db      *store.DB
	box     *seal.Key
	keys    *keys.Set
	outbox  *message.Outbox
	account string
	issuer  func(region, poolID string) string
	log     *slog.Logger
	now     func() time.Time
}

var _ cognitoidp.Handler = (*Service)(nil)

// New returns the service.
func New(o Options) *Service {
	s := &Service{db: o.DB, box: o.Seal, keys: o.Keys, outbox: o.Outbox, account: o.Account, issuer: o.Issuer, log: o.Logger, now: o.Now}
	if s.issuer == nil {
		s.issuer = AWSIssuer
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// AWSIssuer is the issuer that a pool has on AWS, which unmodified verifiers expect.
func AWSIssuer(region, poolID string) string {
	return "https://cognito-idp." + region + ".amazonaws.com/" + poolID
}

// IssuerPool returns the pool whose tokens carry the issuer. Both the configured form and AWS's name
// a pool.
func (s *Service) IssuerPool(ctx context.Context, issuer string) (poolID string, ok bool) {
	id := issuer[strings.LastIndexByte(issuer, '/')+1:]
	p, err := pools.Cached(ctx, s.db, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", false
	}
	if err != nil {
		// It may be a local pool: nobody must ask elsewhere for its keys because the store fails.
		return id, true
	}
	if issuer != s.issuer(p.Region, id) && issuer != AWSIssuer(p.Region, id) {
		return "", false
	}
	return id, true
}

// JWKS returns the pool's public keys as a JWK set. The error is a ResourceNotFoundException for
// an unknown pool.
func (s *Service) JWKS(ctx context.Context, poolID string) ([]byte, error) {
	if _, err := s.pool(ctx, poolID); err != nil {
		return nil, err
	}
	return s.keys.JWKS(ctx, poolID)
}

// OpenIDConfiguration returns the pool's discovery document (OpenID Connect Discovery 1.0). It
// names no endpoints of sign-in pages as long as the pool has no domain, as on AWS.
func (s *Service) OpenIDConfiguration(ctx context.Context, poolID string) ([]byte, error) {
	p, err := s.pool(ctx, poolID)
	if err != nil {
		return nil, err
	}
	iss := s.issuer(p.Region, poolID)
	return json.Marshal(struct {
		Algorithms  []string `json:"id_token_signing_alg_values_supported"`
		Issuer      string   `json:"issuer"`
		JWKS        string   `json:"jwks_uri"`
		Types       []string `json:"response_types_supported"`
		Scopes      []string `json:"scopes_supported"`
		Subjects    []string `json:"subject_types_supported"`
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	}{
		[]string{"RS256"}, iss, iss + "/.well-known/jwks.json", []string{"code", "token"},
		[]string{"openid", "email", "phone", "profile"}, []string{"public"},
		[]string{"client_secret_basic", "client_secret_post"},
	})
}

// pool returns the shared document of a pool; it must not be modified.
func (s *Service) pool(ctx context.Context, id string) (*Pool, error) {
	p, err := pools.Cached(ctx, s.db, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errPoolNotFound(id)
	}
	return p, err
}

// regionPool is pool for signed operations, which reach the pools of the caller's region only.
func (s *Service) regionPool(ctx context.Context, id string) (*Pool, error) {
	p, err := s.pool(ctx, id)
	if err == nil && p.Region != wire.CallFrom(ctx).Region {
		return nil, errPoolNotFound(id)
	}
	return p, err
}

// client returns the shared documents of an app client and its pool.
func (s *Service) client(ctx context.Context, id string) (*Client, *Pool, error) {
	c, err := clients.Cached(ctx, s.db, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, errClientNotFound(id)
	}
	if err != nil {
		return nil, nil, err
	}
	p, err := s.pool(ctx, c.PoolID)
	return c, p, err
}

// poolClient is client for operations that name the pool too.
func (s *Service) poolClient(ctx context.Context, poolID, id string) (*Client, *Pool, error) {
	p, err := s.regionPool(ctx, poolID)
	if err != nil {
		return nil, nil, err
	}
	c, _, err := s.client(ctx, id)
	if err == nil && c.PoolID != poolID {
		err = errClientNotFound(id)
	}
	return c, p, err
}

// update is the store's Update; who loses against concurrent changes again and again is told to
// come back later.
func (s *Service) update(ctx context.Context, f func(tx *store.Tx) error) error {
	err := s.db.Update(ctx, f)
	if errors.Is(err, store.ErrConflict) {
		e := cognitoidp.TooManyRequestsException("Too many requests")
		e.Cause = err
		return e
	}
	return err
}

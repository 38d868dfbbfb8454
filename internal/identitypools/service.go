package identitypools

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/keys"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/token"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Verifier verifies the signature of a token by its issuer's keys: a [token.Verifier]. It must know the
// keys of [Issuer] as local ones, see [Service.KeySource].
type Verifier interface {
	Verify(ctx context.Context, raw, issuer string) (*token.Token, error)
}

// UserPools is what is asked of user pools.
type UserPools interface {
	// IssuerPool returns the local pool whose tokens carry the issuer, in either form.
	IssuerPool(ctx context.Context, issuer string) (poolID string, ok bool)

	// CheckIDToken tells whether the sign-in behind a verified ID token of the pool still stands, and its
	// user. A *shape.Error says why not.
	CheckIDToken(ctx context.Context, poolID string, claims map[string]any) error
}

// STS gives credentials of roles to holders of verified tokens, if the roles' trust policies let them
// in. A *shape.Error says why not.
type STS interface {
	AssumeWithWebIdentity(ctx context.Context, req *session.RoleRequest) (session.Credentials, *session.Session, error)
}

// OIDCProvider is an OpenID Connect provider that IAM knows.
type OIDCProvider struct {
	URL       string   // the issuer, with or without https://
	ClientIDs []string // audiences
}

// Assertion is what a verified SAML response says.
type Assertion struct {
	Subject    string              // NameID
	Attributes map[string][]string // by name
}

// Options configure a Service. DB, Seal, Keys, Verifier, UserPools and STS are required.
type Options struct {
	DB        *store.DB
	Seal      *seal.Key
	Keys      *keys.Set
	Verifier  Verifier
	UserPools UserPools
	STS       STS

	// OIDCProvider returns the provider with the ARN, and SAML verifies a response (in base64, as it is
	// posted to AWS) by the provider with the ARN. A *shape.Error says that there is no such provider, or
	// why the response is refused. nil: there are none.
	OIDCProvider func(ctx context.Context, arn string) (*OIDCProvider, error)
	SAML         func(ctx context.Context, arn, response string) (*Assertion, error)

	Account string           // 12 digits
	Logger  *slog.Logger     // nil: discard
	Now     func() time.Time // nil: time.Now
}

// Service implements cognitoidentity.Handler.
type Service struct {
	cognitoidentity.Unimplemented
	o   Options
	db  *store.DB
	now func() time.Time
}

var _ cognitoidentity.Handler = (*Service)(nil)

// New returns the service.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{o: o, db: o.DB, now: o.Now}
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

// identity returns an identity and the shared document of its pool.
func (s *Service) identity(ctx context.Context, id string) (n *identity, p *Pool, err error) {
	region, u, ok := parseID(id)
	if !ok {
		return nil, nil, errIdentityNotFound(id)
	}
	err = s.db.View(ctx, func(tx *store.Tx) error { n, err = identityByID(tx, u); return err })
	if err == nil {
		p, err = pools.Cached(ctx, s.db, region+":"+n.pool.String())
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, errIdentityNotFound(id)
	}
	return n, p, err
}

// regionIdentity is identity for signed operations.
func (s *Service) regionIdentity(ctx context.Context, id string) (*identity, *Pool, error) {
	n, p, err := s.identity(ctx, id)
	if err == nil && p.Region != wire.CallFrom(ctx).Region {
		return nil, nil, errIdentityNotFound(id)
	}
	return n, p, err
}

// update is the store's Update; who loses against concurrent changes again and again is told to come
// back later.
func (s *Service) update(ctx context.Context, f func(tx *store.Tx) error) error {
	err := s.db.Update(ctx, f)
	if errors.Is(err, store.ErrConflict) {
		e := cognitoidentity.TooManyRequestsException("Too many requests")
		e.Cause = err
		return e
	}
	return err
}

// page opens a token that nextPage made for the same list; nil is the first page.
func (s *Service) page(tok *string, list string) (after string, err error) {
	if tok == nil {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*tok)
	if err == nil {
		b, err = s.o.Seal.Open(b, "identitypools.page/"+list)
	}
	if err != nil || json.Unmarshal(b, &after) != nil {
		return "", errInvalid("Invalid pagination token.")
	}
	return after, nil
}

func (s *Service) nextPage(after, list string) *string {
	if after == "" {
		return nil
	}
	b, _ := json.Marshal(after) // of a string
	tok := base64.RawURLEncoding.EncodeToString(s.o.Seal.Seal(b, "identitypools.page/"+list))
	return &tok
}

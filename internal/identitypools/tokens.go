package identitypools

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/token"
)

const (
	// Provider is the name of this service in logins, and of its tokens in trust policies.
	Provider = "cognito-identity.amazonaws.com"

	// Issuer is the iss claim of the tokens of all identity pools.
	Issuer = "https://" + Provider

	amrAuthenticated   = "authenticated"
	amrUnauthenticated = "unauthenticated"

	keyScope = "cognito-identity"
	keyUse   = "openid"

	// tagsClaim holds session tags, in the form that AssumeRoleWithWebIdentity reads.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_adding-assume-role-idp
	tagsClaim = "https://aws.amazon.com/tags"
)

// keysMade is the document that says that there are keys; its insertion lets one node make them.
var keysMade = store.Kind[struct{}]{Name: "identitypools.keys"}

// issue returns a token for an identity.
func (s *Service) issue(ctx context.Context, p *Pool, n *identity, amr []string, tags map[string]string, validity time.Duration) (string, error) {
	now := s.now()
	claims := map[string]any{"iss": Issuer, "aud": p.id(), "sub": p.identityID(n.id), "amr": amr, "iat": now.Unix(), "exp": now.Add(validity).Unix()}
	if len(tags) > 0 {
		list := map[string][]string{}
		for key, value := range tags {
			list[key] = []string{value}
		}
		claims[tagsClaim] = map[string]any{"principal_tags": list}
	}
	b, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	if err := s.ensureKeys(ctx); err != nil {
		return "", err
	}
	return s.o.Keys.Sign(ctx, keyScope, keyUse, b)
}

// tokenTags reads what issue has written.
func tokenTags(claims map[string]any) map[string]string {
	c, _ := claims[tagsClaim].(map[string]any)
	list, _ := c["principal_tags"].(map[string]any)
	tags := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(list)) {
		if v := texts(list[key]); len(v) == 1 {
			tags[key] = v[0]
		}
	}
	return tags
}

// ensureKeys makes the signing key when it is first needed: most servers never do.
func (s *Service) ensureKeys(ctx context.Context) error {
	_, err := s.o.Keys.Signer(ctx, keyScope, keyUse)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	taken, err := s.o.Keys.Take(ctx, keyUse)
	if err != nil {
		return err
	}
	return s.update(ctx, func(tx *store.Tx) error {
		if err := keysMade.Insert(tx, store.Key{ID: keyScope}, &struct{}{}); errors.Is(err, store.ErrExists) {
			return nil // by another, meanwhile
		} else if err != nil {
			return err
		}
		return s.o.Keys.Create(tx, keyScope, taken)
	})
}

// KeySource returns the keys of [Issuer], for a verifier.
func (s *Service) KeySource() token.KeySource { return s.o.Keys.Source(keyScope) }

// JWKS returns the public keys of [Issuer] as a JWK set.
func (s *Service) JWKS(ctx context.Context) ([]byte, error) {
	if err := s.ensureKeys(ctx); err != nil {
		return nil, err
	}
	return s.o.Keys.JWKS(ctx, keyScope)
}

// OpenIDConfiguration returns the discovery document of [Issuer] (OpenID Connect Discovery 1.0).
func (s *Service) OpenIDConfiguration() []byte {
	b, _ := json.Marshal(struct { // of strings
		Issuer     string   `json:"issuer"`
		JWKS       string   `json:"jwks_uri"`
		Types      []string `json:"response_types_supported"`
		Subjects   []string `json:"subject_types_supported"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}{Issuer, Issuer + "/.well-known/jwks_uri", []string{"token"}, []string{"public"}, []string{"RS256"}})
	return b
}

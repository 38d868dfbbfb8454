package iam

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// accessKey is a long-lived access key.
type accessKey struct {
	ID        string
	Sealed    []byte // the secret, sealed for keyContext(ID)
	Principal string // ARN of its owner
	Active    bool
	Created   int64
}

var accessKeys = store.Kind[accessKey]{Name: "iam.accesskey"}

func keyContext(id string) string { return "iam.accesskey/" + id }

func rootARN(account string) string {
	return arn.ARN{Partition: "aws", Service: "iam", Account: account, Resource: "root"}.String()
}

// rootName is the document name under which the root's key is found.
const rootName = "root"

// RootKey returns the access key of the account's root, and makes it on first use.
func (s *Service) RootKey(ctx context.Context) (id string, secret seal.Secret, err error) {
	var k *accessKey
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		k, err = accessKeys.ByName(tx, s.Account, rootName)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		id, plain := ident.AccessKeyID("AKIA"), ident.SecretKey()
		k = &accessKey{ID: id, Sealed: s.Seal.Seal([]byte(plain), keyContext(id)), Principal: rootARN(s.Account), Active: true, Created: s.Now().UnixMilli()}
		err = s.DB.Update(ctx, func(tx *store.Tx) error {
			err := accessKeys.Insert(tx, store.Key{ID: id, Parent: s.Account, Name: rootName}, k)
			if errors.Is(err, store.ErrExists) { // another node was first
				k, err = accessKeys.ByName(tx, s.Account, rootName)
			}
			return err
		})
	}
	if err != nil {
		return "", "", err
	}
	secret, err = s.secret(k)
	return k.ID, secret, err
}

func (s *Service) secret(k *accessKey) (seal.Secret, error) {
	plain, err := s.Seal.Open(k.Sealed, keyContext(k.ID))
	if err != nil {
		return "", errors.New("the seal key is not the one that this data was sealed with")
	}
	return seal.Secret(plain), nil
}

var _ wire.Authenticator = (*Service)(nil)

// Authenticate says who signed r, which must be signed for the service signingName. bodySHA256 is asked
// for the hash of the body where the signature covers it. A refusal is a *wire.AuthError or a
// *sigv4.Error, which the wire words as the service's protocol does.
func (s *Service) Authenticate(ctx context.Context, r *http.Request, bodySHA256 func() (string, error), signingName string) (wire.Identity, error) {
	sig, err := sigv4.Parse(r)
	if s.Open {
		id := wire.Identity{Principal: rootARN(s.Account), Account: s.Account}
		if err == nil {
			id.AccessKey, id.Region = sig.AccessKey, sig.Region
		}
		return id, nil
	}
	if err != nil {
		return wire.Identity{}, err
	}
	k, err := accessKeys.Cached(ctx, s.DB, sig.AccessKey)
	if errors.Is(err, store.ErrNotFound) || err == nil && (!k.Active || sig.SessionToken != "") {
		return wire.Identity{}, &wire.AuthError{Problem: wire.UnknownAccessKey}
	}
	if err != nil {
		return wire.Identity{}, err
	}
	secret, err := s.secret(k)
	if err != nil {
		return wire.Identity{}, err
	}
	hash, err := sig.PayloadHash(r, bodySHA256)
	if err != nil {
		return wire.Identity{}, err
	}
	if err := s.verifier.Verify(r, sig, secret.Reveal(), hash, signingName); err != nil {
		return wire.Identity{}, err
	}
	return wire.Identity{Principal: k.Principal, AccessKey: k.ID, Account: s.Account, Region: sig.Region,
		Sign: s.verifier.Signer(sig, secret.Reveal())}, nil
}

package iam

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// accessKey is a long-lived access key.
type accessKey struct {
	ID        string
	Sealed    []byte // the secret, sealed for keyContext(ID)
	Principal string // ARN of its owner when it was made
	User      string `json:",omitempty"` // id of the owner's document; "" is the root
	UserID    string `json:",omitempty"` // the owner's unique id
	Active    bool
	Created   int64
	Token     string `json:",omitempty"` // of the step of a stack that made it

	plain atomic.Pointer[seal.Secret] // what is in Sealed, once it was needed
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
	k, err := s.rootKey(ctx)
	if err != nil {
		return "", "", err
	}
	secret, err = s.secret(k)
	return k.ID, secret, err
}

func (s *Service) rootKey(ctx context.Context) (*accessKey, error) {
	k, err := accessKeys.CachedByName(ctx, s.DB, s.Account, rootName)
	if !errors.Is(err, store.ErrNotFound) {
		return k, err
	}
	id, plain := ident.AccessKeyID("AKIA"), ident.SecretKey()
	k = &accessKey{ID: id, Sealed: s.Seal.Seal([]byte(plain), keyContext(id)), Principal: rootARN(s.Account), Active: true, Created: s.Now().UnixMilli()}
	out := k
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		out = k
		err := accessKeys.Insert(tx, store.Key{ID: id, Parent: s.Account, Name: rootName}, k)
		if errors.Is(err, store.ErrExists) { // another node was first
			out, err = accessKeys.ByName(tx, s.Account, rootName)
		}
		return err
	})
	return out, err
}

func (s *Service) secret(k *accessKey) (seal.Secret, error) {
	if p := k.plain.Load(); p != nil {
		return *p, nil
	}
	b, err := s.Seal.Open(k.Sealed, keyContext(k.ID))
	if err != nil {
		return "", errors.New("the seal key is not the one that this data was sealed with")
	}
	plain := seal.Secret(b)
	k.plain.Store(&plain)
	return plain, nil
}

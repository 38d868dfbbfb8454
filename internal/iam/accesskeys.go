package iam

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// keysOf is the parent of the access keys of a user, by the id of its document.
func keysOf(user string) string { return "user/" + user }

func noKey(id string) error {
	return iam.NoSuchEntityException("The Access Key with id %s cannot be found.", id)
}

func status(active bool) *string {
	if active {
		return shape.Ptr("Active")
	}
	return shape.Ptr("Inactive")
}

// keyOwner returns the user that a request about keys means, nil for the root, and the parent of its keys.
func (s *Service) keyOwner(ctx context.Context, name *string) (u *User, parent string, err error) {
	who, root, err := s.userOrCaller(ctx, name)
	if err != nil {
		return nil, "", err
	}
	if root {
		return nil, s.Account, nil
	}
	u, err = s.getUser(ctx, who)
	if err != nil {
		return nil, "", err
	}
	return u, keysOf(userKey(who).ID), nil
}

// ownerName is the user's name as answers about its keys have it; the root has none.
func ownerName(u *User) string {
	if u == nil {
		return ""
	}
	return u.Name
}

func (s *Service) CreateAccessKey(ctx context.Context, in *iam.CreateAccessKeyRequest) (*iam.CreateAccessKeyResponse, error) {
	u, _, err := s.keyOwner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	k, secret, err := s.createKey(ctx, u, "")
	if err != nil {
		return nil, err
	}
	return &iam.CreateAccessKeyResponse{AccessKey: &iam.AccessKey{
		UserName: ownerName(u), AccessKeyId: k.ID, Status: *status(k.Active), SecretAccessKey: secret, CreateDate: timePtr(k.Created),
	}}, nil
}

// createKey makes a key of a user, or of the root if u is nil. token, if any, tells tries to make the same
// one.
func (s *Service) createKey(ctx context.Context, u *User, token string) (*accessKey, string, error) {
	id, secret := ident.AccessKeyID("AKIA"), ident.SecretKey()
	k := &accessKey{ID: id, Sealed: s.Seal.Seal([]byte(secret), keyContext(id)), Principal: s.root.ARN, Active: true, Created: s.Now().UnixMilli(), Token: token}
	parent := s.Account
	if u != nil {
		k.Principal, k.User, k.UserID = u.ARN, userKey(u.Name).ID, u.ID
		parent = keysOf(k.User)
	}
	made := k
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		made = k
		if u != nil {
			if now, err := users.Get(tx, k.User); errors.Is(err, store.ErrNotFound) || err == nil && now.ID != u.ID {
				return noUser(u.Name)
			} else if err != nil {
				return err
			}
		}
		have, _, err := accessKeys.List(tx, parent, "", 0)
		if err != nil {
			return err
		}
		for _, old := range have {
			if token != "" && old.Token == token {
				made = old
				return nil
			}
		}
		if len(have) >= maxKeysOfUser {
			return iam.LimitExceededException("Cannot exceed quota for AccessKeysPerUser: %d", maxKeysOfUser)
		}
		return accessKeys.Insert(tx, store.Key{ID: id, Parent: parent}, k)
	})
	if err != nil {
		return nil, "", err
	}
	plain, err := s.secret(made)
	return made, plain.Reveal(), err
}

func (s *Service) ListAccessKeys(ctx context.Context, in *iam.ListAccessKeysRequest) (*iam.ListAccessKeysResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	u, parent, err := s.keyOwner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	page, next, err := list(ctx, s.DB, accessKeys, parent, w, func(_ *store.Tx, k *accessKey) (iam.AccessKeyMetadata, bool, error) {
		return iam.AccessKeyMetadata{UserName: shape.Ptr(ownerName(u)), AccessKeyId: &k.ID, Status: status(k.Active), CreateDate: timePtr(k.Created)}, true, nil
	})
	out := &iam.ListAccessKeysResponse{AccessKeyMetadata: page}
	out.IsTruncated, out.Marker = more(next)
	return out, err
}

// changeKey applies f to a key of the user, or deletes it if f says so.
func (s *Service) changeKey(ctx context.Context, id string, user *string, f func(*accessKey) (remove bool)) error {
	u, parent, err := s.keyOwner(ctx, user)
	if err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		have, _, err := accessKeys.List(tx, parent, "", 0)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(have, func(k *accessKey) bool { return k.ID == id })
		if i < 0 {
			return noKey(id)
		}
		key := store.Key{ID: id, Parent: parent}
		if u == nil {
			if own, err := accessKeys.ByName(tx, s.Account, rootName); err == nil && own.ID == id {
				return iam.UnmodifiableEntityException("The access key %s is the one that this server made for its root: gatehouse env and gatehouse run use it.", id)
			}
		}
		if f(have[i]) {
			return accessKeys.Delete(tx, id)
		}
		return accessKeys.Put(tx, key, have[i])
	})
}

func (s *Service) UpdateAccessKey(ctx context.Context, in *iam.UpdateAccessKeyRequest) (*iam.UpdateAccessKeyResponse, error) {
	if in.Status != "Active" && in.Status != "Inactive" {
		return nil, iam.InvalidInputException("The status of an access key is Active or Inactive.")
	}
	err := s.changeKey(ctx, in.AccessKeyId, in.UserName, func(k *accessKey) bool { k.Active = in.Status == "Active"; return false })
	return &iam.UpdateAccessKeyResponse{}, err
}

func (s *Service) DeleteAccessKey(ctx context.Context, in *iam.DeleteAccessKeyRequest) (*iam.DeleteAccessKeyResponse, error) {
	err := s.changeKey(ctx, in.AccessKeyId, in.UserName, func(*accessKey) bool { return true })
	return &iam.DeleteAccessKeyResponse{}, err
}

func (s *Service) GetAccessKeyLastUsed(ctx context.Context, in *iam.GetAccessKeyLastUsedRequest) (*iam.GetAccessKeyLastUsedResponse, error) {
	k, err := accessKeys.Cached(ctx, s.DB, in.AccessKeyId)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noKey(in.AccessKeyId)
	}
	if err != nil {
		return nil, err
	}
	name := ""
	if k.User != "" {
		u, err := s.getUser(ctx, k.User)
		if err != nil {
			return nil, err
		}
		name = u.Name
	}
	out := &iam.AccessKeyLastUsed{ServiceName: "N/A", Region: "N/A"}
	u, ok, err := s.used.of(ctx, k.ID)
	if ok {
		out.ServiceName, out.Region, out.LastUsedDate = u.Service, u.Region, timePtr(u.Time)
	}
	return &iam.GetAccessKeyLastUsedResponse{UserName: &name, AccessKeyLastUsed: out}, err
}

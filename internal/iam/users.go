package iam

import (
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// User is a user with what hangs on it, apart from its access keys, its password and its MFA devices.
type User struct {
	Name, Path, ID, ARN string
	Created             int64 // epoch milliseconds
	Grants
	Groups []string // names, in the order in which it was put into them
	Tags   map[string]string
	Token  string `json:",omitempty"` // of the step of a stack that made it
}

var users = store.Kind[User]{Name: "iam.user"}

// userKey: names are unique without regard to case, paths do not count.
func userKey(name string) store.Key {
	return store.Key{ID: strings.ToLower(name), Parent: "users", Name: strings.ToLower(name)}
}

func noUser(name string) error {
	return iam.NoSuchEntityException("The user with name %s cannot be found.", name)
}

func userExists(name string) error {
	return iam.EntityAlreadyExistsException("User with name %s already exists.", name)
}

// principal returns the user as package policy knows it.
func (u *User) principal(account string) policy.Principal {
	return policy.Principal{Type: policy.User, ARN: u.ARN, Account: account, ID: u.ID, UserID: u.ID, Name: u.Name, Tags: u.Tags}
}

// shape returns the user as the API shows it. Tags and boundary are left out of lists.
func (u *User) shape(full bool) *iam.User {
	out := &iam.User{Path: u.Path, UserName: u.Name, UserId: u.ID, Arn: u.ARN, CreateDate: timeOf(u.Created)}
	if full {
		out.PermissionsBoundary, out.Tags = u.boundary(), tagList(u.Tags)
	}
	return out
}

// getUser returns a user for reading.
func (s *Service) getUser(ctx context.Context, name string) (*User, error) {
	u, err := users.Cached(ctx, s.DB, userKey(name).ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noUser(name)
	}
	return u, err
}

// changeUser applies f to a user.
func (s *Service) changeUser(ctx context.Context, name string, f func(*User) error) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error { return change(tx, users, userKey(name), noUser(name), f) })
}

// userOrCaller returns the user that a request is about: the caller where it names none. root says that it
// is the root's own affair.
func (s *Service) userOrCaller(ctx context.Context, name *string) (who string, root bool, err error) {
	if name != nil && *name != "" {
		return *name, false, nil
	}
	c := wire.CallFrom(ctx)
	caller := CallerOf(c)
	switch {
	case caller == nil && c.Principal == s.root.ARN, caller != nil && caller.Type == policy.RootUser:
		return "", true, nil
	case caller != nil && caller.Type == policy.User:
		return caller.Name, false, nil
	}
	return "", false, shape.Errorf("ValidationError", 400, "Must specify userName when calling with non-User credentials")
}

// userOf is userOrCaller for what the root does not have.
func (s *Service) userOf(ctx context.Context, name *string) (string, error) {
	who, root, err := s.userOrCaller(ctx, name)
	if root {
		return "", shape.Errorf("ValidationError", 400, "Must specify userName when calling with non-User credentials")
	}
	return who, err
}

func (s *Service) CreateUser(ctx context.Context, in *iam.CreateUserRequest) (*iam.CreateUserResponse, error) {
	u, err := s.createUser(ctx, in, "")
	if err != nil {
		return nil, err
	}
	return &iam.CreateUserResponse{User: u.shape(true)}, nil
}

// createUser makes a user. token, if any, tells tries to make the same one.
func (s *Service) createUser(ctx context.Context, in *iam.CreateUserRequest, token string) (*User, error) {
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.room(ctx, users.Name, userKey("").Parent, "UsersPerAccount", maxUsers); err != nil {
		return nil, err
	}
	path := pathOf(in.Path)
	u := &User{
		Name: in.UserName, Path: path, ID: ident.UniqueID("AIDA"), ARN: s.arnOf("user", path, in.UserName), Created: s.Now().UnixMilli(),
		Grants: Grants{Inline: map[string]string{}, Boundary: shape.Val(in.PermissionsBoundary)}, Tags: tags, Token: token,
	}
	made := u
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		made = u
		if u.Boundary != "" {
			if err := s.checkAttachable(tx, u.Boundary); err != nil {
				return err
			}
		}
		err := users.Insert(tx, userKey(u.Name), u)
		if err == nil {
			return relink(tx, nil, nil, u)
		}
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		if made, err = users.Get(tx, userKey(u.Name).ID); err != nil {
			return err
		}
		if token == "" || made.Token != token {
			return userExists(in.UserName)
		}
		return nil
	})
	return made, err
}

// arnOf makes the ARN of an entity with a path.
func (s *Service) arnOf(kind, path, name string) string {
	return arn.New("iam", "", s.Account, kind+path+name).String()
}

func (s *Service) GetUser(ctx context.Context, in *iam.GetUserRequest) (*iam.GetUserResponse, error) {
	name, root, err := s.userOrCaller(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	if root {
		k, err := s.rootKey(ctx)
		if err != nil {
			return nil, err
		}
		return &iam.GetUserResponse{User: &iam.User{Path: "/", UserName: "root", UserId: s.Account, Arn: s.root.ARN, CreateDate: timeOf(k.Created)}}, nil
	}
	u, err := s.getUser(ctx, name)
	if err != nil {
		return nil, err
	}
	out := u.shape(true)
	if p, err := loginProfiles.Cached(ctx, s.DB, userKey(name).ID); err == nil && p.Used != 0 {
		out.PasswordLastUsed = timePtr(p.Used)
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return &iam.GetUserResponse{User: out}, nil
}

func (s *Service) ListUsers(ctx context.Context, in *iam.ListUsersRequest) (*iam.ListUsersResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	page, next, err := list(ctx, s.DB, users, userKey("").Parent, w, func(_ *store.Tx, u *User) (iam.User, bool, error) {
		return *u.shape(false), under(u.Path, in.PathPrefix), nil
	})
	out := &iam.ListUsersResponse{Users: page}
	out.IsTruncated, out.Marker = more(next)
	return out, err
}

// UpdateUser changes a user's name or path. Its unique id, keys, groups and policies stay.
func (s *Service) UpdateUser(ctx context.Context, in *iam.UpdateUserRequest) (*iam.UpdateUserResponse, error) {
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		u, err := users.Get(tx, userKey(in.UserName).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noUser(in.UserName)
		}
		if err != nil {
			return err
		}
		return s.renameUser(tx, u, in)
	})
	return &iam.UpdateUserResponse{}, err
}

func (s *Service) renameUser(tx *store.Tx, u *User, in *iam.UpdateUserRequest) error {
	old, was, key := u.self(), linksOf(u), userKey(u.Name)
	if in.NewPath != nil {
		u.Path = pathOf(in.NewPath)
	}
	if in.NewUserName != nil {
		u.Name = *in.NewUserName
	}
	u.ARN = s.arnOf("user", u.Path, u.Name)
	next := userKey(u.Name)
	if next == key {
		if err := relink(tx, &old, was, u); err != nil {
			return err
		}
		return users.Put(tx, key, u)
	}
	if err := users.Insert(tx, next, u); errors.Is(err, store.ErrExists) {
		return userExists(u.Name)
	} else if err != nil {
		return err
	}
	if err := users.Delete(tx, key.ID); err != nil {
		return err
	}
	if err := relink(tx, &old, was, u); err != nil {
		return err
	}
	return moveBelongings(tx, key.ID, next.ID, u)
}

// moveBelongings gives keys, password and MFA devices of a user to its new name.
func moveBelongings(tx *store.Tx, from, to string, u *User) error {
	keys, _, err := accessKeys.List(tx, keysOf(from), "", 0)
	if err != nil {
		return err
	}
	for _, k := range keys {
		k.User, k.Principal = to, u.ARN
		if err := accessKeys.Put(tx, store.Key{ID: k.ID, Parent: keysOf(to)}, k); err != nil {
			return err
		}
	}
	p, err := loginProfiles.Get(tx, from)
	if err == nil {
		if err = loginProfiles.Delete(tx, from); err == nil {
			err = loginProfiles.Put(tx, store.Key{ID: to}, p)
		}
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	devices, _, err := mfaDevices.List(tx, devicesOf(from), "", 0)
	if err != nil {
		return err
	}
	for _, d := range devices {
		d.User = to
		if err := mfaDevices.Put(tx, d.key(), d); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) DeleteUser(ctx context.Context, in *iam.DeleteUserRequest) (*iam.DeleteUserResponse, error) {
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		u, err := users.Get(tx, userKey(in.UserName).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noUser(in.UserName)
		}
		if err != nil {
			return err
		}
		if err := u.busy(); err != nil {
			return err
		}
		if len(u.Groups) > 0 {
			return iam.DeleteConflictException("Cannot delete entity, must remove users from group first.")
		}
		id := userKey(u.Name).ID
		keys, _, err := accessKeys.List(tx, keysOf(id), "", 1)
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			return iam.DeleteConflictException("Cannot delete entity, must delete access keys first.")
		}
		if _, err := loginProfiles.Get(tx, id); err == nil {
			return iam.DeleteConflictException("Cannot delete entity, must delete login profile first.")
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		devices, _, err := mfaDevices.List(tx, devicesOf(id), "", 1)
		if err != nil {
			return err
		}
		if len(devices) > 0 {
			return iam.DeleteConflictException("Cannot delete entity, must delete MFA device first.")
		}
		if err := unlink(tx, u); err != nil {
			return err
		}
		return users.Delete(tx, id)
	})
	return &iam.DeleteUserResponse{}, err
}

func (s *Service) TagUser(ctx context.Context, in *iam.TagUserRequest) (*iam.TagUserResponse, error) {
	err := s.changeUser(ctx, in.UserName, func(u *User) error { return retag(&u.Tags, in.Tags) })
	return &iam.TagUserResponse{}, err
}

func (s *Service) UntagUser(ctx context.Context, in *iam.UntagUserRequest) (*iam.UntagUserResponse, error) {
	err := s.changeUser(ctx, in.UserName, func(u *User) error { untag(u.Tags, in.TagKeys); return nil })
	return &iam.UntagUserResponse{}, err
}

func (s *Service) ListUserTags(ctx context.Context, in *iam.ListUserTagsRequest) (*iam.ListUserTagsResponse, error) {
	u, err := s.getUser(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	out := new(iam.ListUserTagsResponse)
	out.Tags, out.IsTruncated, out.Marker, err = tagPage(u.Tags, in.Marker, in.MaxItems)
	return out, err
}

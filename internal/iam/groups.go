package iam

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Group is a group with what hangs on it. Its members know that they are in it.
type Group struct {
	Name, Path, ID, ARN string
	Created             int64 // epoch milliseconds
	Grants
	Token string `json:",omitempty"` // of the step of a stack that made it
}

var groups = store.Kind[Group]{Name: "iam.group"}

func groupKey(name string) store.Key {
	return store.Key{ID: strings.ToLower(name), Parent: "groups", Name: strings.ToLower(name)}
}

func noGroup(name string) error {
	return iam.NoSuchEntityException("The group with name %s cannot be found.", name)
}

func groupExists(name string) error {
	return iam.EntityAlreadyExistsException("Group with name %s already exists.", name)
}

func (g *Group) shape() *iam.Group {
	return &iam.Group{Path: g.Path, GroupName: g.Name, GroupId: g.ID, Arn: g.ARN, CreateDate: timeOf(g.Created)}
}

// getGroup returns a group for reading.
func (s *Service) getGroup(ctx context.Context, name string) (*Group, error) {
	g, err := groups.Cached(ctx, s.DB, groupKey(name).ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noGroup(name)
	}
	return g, err
}

func (s *Service) CreateGroup(ctx context.Context, in *iam.CreateGroupRequest) (*iam.CreateGroupResponse, error) {
	g, err := s.createGroup(ctx, in, "")
	if err != nil {
		return nil, err
	}
	return &iam.CreateGroupResponse{Group: g.shape()}, nil
}

// createGroup makes a group. token, if any, tells tries to make the same one.
func (s *Service) createGroup(ctx context.Context, in *iam.CreateGroupRequest, token string) (*Group, error) {
	if err := s.room(ctx, groups.Name, groupKey("").Parent, "GroupsPerAccount", maxGroups); err != nil {
		return nil, err
	}
	path := pathOf(in.Path)
	g := &Group{
		Name: in.GroupName, Path: path, ID: ident.UniqueID("AGPA"), ARN: s.arnOf("group", path, in.GroupName), Created: s.Now().UnixMilli(),
		Grants: Grants{Inline: map[string]string{}}, Token: token,
	}
	return made(ctx, s.DB, groups, groupKey(g.Name), g, func(old *Group) error {
		if token == "" || old.Token != token {
			return groupExists(in.GroupName)
		}
		return nil
	})
}

// GetGroup returns a group and its members.
func (s *Service) GetGroup(ctx context.Context, in *iam.GetGroupRequest) (*iam.GetGroupResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	g, err := s.getGroup(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	page, next, err := list(ctx, s.DB, links, memberOf+groupKey(g.Name).ID, w, func(tx *store.Tx, l *link) (iam.User, bool, error) {
		u, err := users.Get(tx, userKey(l.Name).ID)
		if err != nil {
			return iam.User{}, false, err
		}
		return *u.shape(false), true, nil
	})
	if err != nil {
		return nil, err
	}
	out := &iam.GetGroupResponse{Group: g.shape(), Users: page}
	out.IsTruncated, out.Marker = more(next)
	return out, nil
}

func (s *Service) ListGroups(ctx context.Context, in *iam.ListGroupsRequest) (*iam.ListGroupsResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	page, next, err := list(ctx, s.DB, groups, groupKey("").Parent, w, func(_ *store.Tx, g *Group) (iam.Group, bool, error) {
		return *g.shape(), under(g.Path, in.PathPrefix), nil
	})
	out := &iam.ListGroupsResponse{Groups: page}
	out.IsTruncated, out.Marker = more(next)
	return out, err
}

func (s *Service) ListGroupsForUser(ctx context.Context, in *iam.ListGroupsForUserRequest) (*iam.ListGroupsForUserResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	u, err := s.getUser(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	all := make([]iam.Group, 0, len(u.Groups))
	for _, name := range u.Groups {
		g, err := s.getGroup(ctx, name)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, *g.shape())
	}
	slices.SortFunc(all, func(a, b iam.Group) int { return strings.Compare(a.GroupName, b.GroupName) })
	page, next := cut(all, w, func(g iam.Group) string { return g.GroupName })
	out := &iam.ListGroupsForUserResponse{Groups: page}
	out.IsTruncated, out.Marker = more(next)
	return out, nil
}

// UpdateGroup changes a group's name or path. Its unique id, members and policies stay.
func (s *Service) UpdateGroup(ctx context.Context, in *iam.UpdateGroupRequest) (*iam.UpdateGroupResponse, error) {
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, groupKey(in.GroupName).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noGroup(in.GroupName)
		}
		if err != nil {
			return err
		}
		old, was, key := g.self(), linksOf(g), groupKey(g.Name)
		if in.NewPath != nil {
			g.Path = pathOf(in.NewPath)
		}
		if in.NewGroupName != nil {
			g.Name = *in.NewGroupName
		}
		g.ARN = s.arnOf("group", g.Path, g.Name)
		next := groupKey(g.Name)
		if err := relink(tx, &old, was, g); err != nil {
			return err
		}
		if next == key {
			return groups.Put(tx, key, g)
		}
		if err := groups.Insert(tx, next, g); errors.Is(err, store.ErrExists) {
			return groupExists(g.Name)
		} else if err != nil {
			return err
		}
		if err := groups.Delete(tx, key.ID); err != nil {
			return err
		}
		return renameMembership(tx, key.ID, g.Name)
	})
	return &iam.UpdateGroupResponse{}, err
}

// renameMembership tells the members of a group its new name.
func renameMembership(tx *store.Tx, from, to string) error {
	members, _, err := links.List(tx, memberOf+from, "", 0)
	if err != nil {
		return err
	}
	for _, l := range members {
		err := change(tx, users, userKey(l.Name), noUser(l.Name), func(u *User) error {
			for i, name := range u.Groups {
				if strings.EqualFold(name, from) {
					u.Groups[i] = to
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) DeleteGroup(ctx context.Context, in *iam.DeleteGroupRequest) (*iam.DeleteGroupResponse, error) {
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, groupKey(in.GroupName).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noGroup(in.GroupName)
		}
		if err != nil {
			return err
		}
		if err := g.busy(); err != nil {
			return err
		}
		n, err := linked(tx, memberOf+groupKey(g.Name).ID)
		if err != nil {
			return err
		}
		if n > 0 {
			return iam.DeleteConflictException("Cannot delete entity, must remove users from group first.")
		}
		if err := unlink(tx, g); err != nil {
			return err
		}
		return groups.Delete(tx, groupKey(g.Name).ID)
	})
	return &iam.DeleteGroupResponse{}, err
}

func (s *Service) AddUserToGroup(ctx context.Context, in *iam.AddUserToGroupRequest) (*iam.AddUserToGroupResponse, error) {
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, groupKey(in.GroupName).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noGroup(in.GroupName)
		}
		if err != nil {
			return err
		}
		return change(tx, users, userKey(in.UserName), noUser(in.UserName), func(u *User) error {
			if inGroup(u, g.Name) >= 0 {
				return nil
			}
			if len(u.Groups) >= maxGroupsOfUser {
				return iam.LimitExceededException("Cannot exceed quota for GroupsPerUser: %d", maxGroupsOfUser)
			}
			u.Groups = append(u.Groups, g.Name)
			return nil
		})
	})
	return &iam.AddUserToGroupResponse{}, err
}

// inGroup returns the place of a group among a user's, or -1.
func inGroup(u *User, name string) int {
	return slices.IndexFunc(u.Groups, func(g string) bool { return strings.EqualFold(g, name) })
}

func (s *Service) RemoveUserFromGroup(ctx context.Context, in *iam.RemoveUserFromGroupRequest) (*iam.RemoveUserFromGroupResponse, error) {
	if _, err := s.getGroup(ctx, in.GroupName); err != nil {
		return nil, err
	}
	err := s.changeUser(ctx, in.UserName, func(u *User) error {
		i := inGroup(u, in.GroupName)
		if i < 0 {
			return noUser(in.UserName)
		}
		u.Groups = slices.Delete(u.Groups, i, i+1)
		return nil
	})
	return &iam.RemoveUserFromGroupResponse{}, err
}

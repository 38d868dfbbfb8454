package iam

import (
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// InstanceProfile holds a role for an EC2 instance. There are no instances here; templates and tools make
// profiles nevertheless, and look whether they are there.
type InstanceProfile struct {
	Name, Path, ID, ARN string
	Created             int64
	Role                string // its name, or ""
	Tags                map[string]string
	Token               string `json:",omitempty"` // of the step of a stack that made it
}

var instanceProfiles = store.Kind[InstanceProfile]{Name: "iam.profile"}

func profileKey(name string) store.Key {
	return store.Key{ID: strings.ToLower(name), Parent: "profiles", Name: strings.ToLower(name)}
}

func noProfile(name string) error {
	return iam.NoSuchEntityException("Instance Profile %s cannot be found.", name)
}

// shape returns the profile as the API shows it, with its role.
func (p *InstanceProfile) shape(tx *store.Tx) (*iam.InstanceProfile, error) {
	out := &iam.InstanceProfile{
		Path: p.Path, InstanceProfileName: p.Name, InstanceProfileId: p.ID, Arn: p.ARN, CreateDate: timeOf(p.Created), Roles: []iam.Role{}, Tags: tagList(p.Tags),
	}
	if p.Role == "" {
		return out, nil
	}
	r, err := roles.Get(tx, roleKey(p.Role).ID)
	if err != nil {
		return nil, err
	}
	out.Roles = append(out.Roles, *r.shape(false))
	return out, nil
}

func (s *Service) getProfile(ctx context.Context, name string) (out *iam.InstanceProfile, p *InstanceProfile, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		p, err = instanceProfiles.Get(tx, profileKey(name).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noProfile(name)
		}
		if err != nil {
			return err
		}
		out, err = p.shape(tx)
		return err
	})
	return out, p, err
}

func (s *Service) changeProfile(ctx context.Context, name string, f func(*store.Tx, *InstanceProfile) error) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		p, err := instanceProfiles.Get(tx, profileKey(name).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noProfile(name)
		}
		if err != nil {
			return err
		}
		if err := f(tx, p); err != nil {
			return err
		}
		return instanceProfiles.Put(tx, profileKey(name), p)
	})
}

func (s *Service) CreateInstanceProfile(ctx context.Context, in *iam.CreateInstanceProfileRequest) (*iam.CreateInstanceProfileResponse, error) {
	p, err := s.createProfile(ctx, in, "")
	if err != nil {
		return nil, err
	}
	out, _, err := s.getProfile(ctx, p.Name)
	return &iam.CreateInstanceProfileResponse{InstanceProfile: out}, err
}

// createProfile makes a profile. token, if any, tells tries to make the same one.
func (s *Service) createProfile(ctx context.Context, in *iam.CreateInstanceProfileRequest, token string) (*InstanceProfile, error) {
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.room(ctx, instanceProfiles.Name, profileKey("").Parent, "InstanceProfilesPerAccount", maxInstanceProfiles); err != nil {
		return nil, err
	}
	path, name := pathOf(in.Path), in.InstanceProfileName
	p := &InstanceProfile{Name: name, Path: path, ID: ident.UniqueID("AIPA"), ARN: s.arnOf("instance-profile", path, name), Created: s.Now().UnixMilli(), Tags: tags, Token: token}
	return made(ctx, s.DB, instanceProfiles, profileKey(name), p, func(old *InstanceProfile) error {
		if token == "" || old.Token != token {
			return iam.EntityAlreadyExistsException("Instance Profile %s already exists.", name)
		}
		return nil
	})
}

func (s *Service) GetInstanceProfile(ctx context.Context, in *iam.GetInstanceProfileRequest) (*iam.GetInstanceProfileResponse, error) {
	out, _, err := s.getProfile(ctx, in.InstanceProfileName)
	return &iam.GetInstanceProfileResponse{InstanceProfile: out}, err
}

func (s *Service) ListInstanceProfiles(ctx context.Context, in *iam.ListInstanceProfilesRequest) (*iam.ListInstanceProfilesResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	page, next, err := list(ctx, s.DB, instanceProfiles, profileKey("").Parent, w, func(tx *store.Tx, p *InstanceProfile) (iam.InstanceProfile, bool, error) {
		if !under(p.Path, in.PathPrefix) {
			return iam.InstanceProfile{}, false, nil
		}
		v, err := p.shape(tx)
		if err != nil {
			return iam.InstanceProfile{}, false, err
		}
		v.Tags = nil // lists leave them out
		return *v, true, nil
	})
	out := &iam.ListInstanceProfilesResponse{InstanceProfiles: page}
	out.IsTruncated, out.Marker = more(next)
	return out, err
}

func (s *Service) ListInstanceProfilesForRole(ctx context.Context, in *iam.ListInstanceProfilesForRoleRequest) (*iam.ListInstanceProfilesForRoleResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	r, err := s.getRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	page, next, err := list(ctx, s.DB, links, profileOf+roleKey(r.Name).ID, w, func(tx *store.Tx, l *link) (iam.InstanceProfile, bool, error) {
		p, err := instanceProfiles.Get(tx, profileKey(l.Name).ID)
		if err != nil {
			return iam.InstanceProfile{}, false, err
		}
		v, err := p.shape(tx)
		if err != nil {
			return iam.InstanceProfile{}, false, err
		}
		v.Tags = nil
		return *v, true, nil
	})
	out := &iam.ListInstanceProfilesForRoleResponse{InstanceProfiles: page}
	out.IsTruncated, out.Marker = more(next)
	return out, err
}

func (s *Service) AddRoleToInstanceProfile(ctx context.Context, in *iam.AddRoleToInstanceProfileRequest) (*iam.AddRoleToInstanceProfileResponse, error) {
	err := s.changeProfile(ctx, in.InstanceProfileName, func(tx *store.Tx, p *InstanceProfile) error {
		if p.Role != "" {
			return iam.LimitExceededException("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
		}
		r, err := roles.Get(tx, roleKey(in.RoleName).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noRole(in.RoleName)
		}
		if err != nil {
			return err
		}
		p.Role = r.Name
		return links.Put(tx, linkKey(profileOf+roleKey(r.Name).ID, "InstanceProfile", p.Name), &link{Type: "InstanceProfile", Name: p.Name, ID: p.ID})
	})
	return &iam.AddRoleToInstanceProfileResponse{}, err
}

func (s *Service) RemoveRoleFromInstanceProfile(ctx context.Context, in *iam.RemoveRoleFromInstanceProfileRequest) (*iam.RemoveRoleFromInstanceProfileResponse, error) {
	err := s.changeProfile(ctx, in.InstanceProfileName, func(tx *store.Tx, p *InstanceProfile) error {
		if p.Role == "" || !strings.EqualFold(p.Role, in.RoleName) {
			return noRole(in.RoleName)
		}
		return p.empty(tx)
	})
	return &iam.RemoveRoleFromInstanceProfileResponse{}, err
}

// empty takes the role out.
func (p *InstanceProfile) empty(tx *store.Tx) error {
	key := linkKey(profileOf+roleKey(p.Role).ID, "InstanceProfile", p.Name)
	p.Role = ""
	if err := links.Delete(tx, key.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

func (s *Service) DeleteInstanceProfile(ctx context.Context, in *iam.DeleteInstanceProfileRequest) (*iam.DeleteInstanceProfileResponse, error) {
	return &iam.DeleteInstanceProfileResponse{}, s.deleteProfile(ctx, in.InstanceProfileName, false)
}

// deleteProfile deletes a profile; force is for one that holds a role.
func (s *Service) deleteProfile(ctx context.Context, name string, force bool) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		p, err := instanceProfiles.Get(tx, profileKey(name).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noProfile(name)
		}
		if err != nil {
			return err
		}
		if p.Role != "" {
			if !force {
				return iam.DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
			}
			if err := p.empty(tx); err != nil {
				return err
			}
		}
		return instanceProfiles.Delete(tx, profileKey(name).ID)
	})
}

func (s *Service) TagInstanceProfile(ctx context.Context, in *iam.TagInstanceProfileRequest) (*iam.TagInstanceProfileResponse, error) {
	err := s.changeProfile(ctx, in.InstanceProfileName, func(_ *store.Tx, p *InstanceProfile) error { return retag(&p.Tags, in.Tags) })
	return &iam.TagInstanceProfileResponse{}, err
}

func (s *Service) UntagInstanceProfile(ctx context.Context, in *iam.UntagInstanceProfileRequest) (*iam.UntagInstanceProfileResponse, error) {
	err := s.changeProfile(ctx, in.InstanceProfileName, func(_ *store.Tx, p *InstanceProfile) error { untag(p.Tags, in.TagKeys); return nil })
	return &iam.UntagInstanceProfileResponse{}, err
}

func (s *Service) ListInstanceProfileTags(ctx context.Context, in *iam.ListInstanceProfileTagsRequest) (*iam.ListInstanceProfileTagsResponse, error) {
	_, p, err := s.getProfile(ctx, in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	out := new(iam.ListInstanceProfileTagsResponse)
	out.Tags, out.IsTruncated, out.Marker, err = tagPage(p.Tags, in.Marker, in.MaxItems)
	return out, err
}

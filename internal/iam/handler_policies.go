package iam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// checkManaged checks the document of a managed policy.
func checkManaged(doc string) error {
	if err := checkPolicy(doc); err != nil {
		return err
	}
	if policy.Size(doc) > maxManagedPolicy {
		return iam.LimitExceededException("Cannot exceed quota for PolicySize: %d", maxManagedPolicy)
	}
	return nil
}

// shape returns the policy as the API shows it, with how often it is used.
func (p *ManagedPolicy) shape(tx *store.Tx, full bool) (*iam.Policy, error) {
	attached, err := linked(tx, attachedTo+p.ARN)
	if err != nil {
		return nil, err
	}
	bounds, err := linked(tx, boundaryOf+p.ARN)
	if err != nil {
		return nil, err
	}
	out := &iam.Policy{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: &p.ARN, Path: &p.Path, DefaultVersionId: &p.Default, AttachmentCount: &attached,
		PermissionsBoundaryUsageCount: &bounds, IsAttachable: shape.Ptr(true), CreateDate: timePtr(p.Created), UpdateDate: timePtr(p.Updated),
	}
	if full {
		out.Description, out.Tags = p.Description, tagList(p.Tags)
	}
	return out, nil
}

// show is shape in a view of its own.
func (s *Service) show(ctx context.Context, p *ManagedPolicy) (out *iam.Policy, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		out, err = p.shape(tx, true)
		return err
	})
	return out, err
}

func (v *PolicyVersion) shape(p *ManagedPolicy, document bool) *iam.PolicyVersion {
	out := &iam.PolicyVersion{VersionId: &v.ID, IsDefaultVersion: shape.Ptr(v.ID == p.Default), CreateDate: timePtr(v.Created)}
	if document {
		out.Document = shape.Ptr(encodeDocument(v.Document))
	}
	return out
}

// changePolicy applies f to a policy of the account. Those of AWS cannot be changed.
func (s *Service) changePolicy(ctx context.Context, policyARN string, f func(*store.Tx, *ManagedPolicy) error) error {
	name, ok := s.policyName(policyARN)
	if !ok {
		if s.aws.get(policyARN) != nil {
			return shape.Errorf("AccessDenied", 403, "%s is a policy of AWS: it cannot be changed.", policyARN)
		}
		return noPolicy(policyARN)
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		p, err := managedPolicies.Get(tx, policyKey(name).ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && p.ARN != policyARN {
			return noPolicy(policyARN)
		}
		if err != nil {
			return err
		}
		if err := f(tx, p); err != nil {
			return err
		}
		return managedPolicies.Put(tx, policyKey(name), p)
	})
}

func (s *Service) CreatePolicy(ctx context.Context, in *iam.CreatePolicyRequest) (*iam.CreatePolicyResponse, error) {
	p, err := s.createPolicy(ctx, in, "")
	if err != nil {
		return nil, err
	}
	out, err := s.show(ctx, p)
	if err == nil {
		out.Description = nil // GetPolicy shows it
	}
	return &iam.CreatePolicyResponse{Policy: out}, err
}

// createPolicy makes a policy. token, if any, tells tries to make the same one.
func (s *Service) createPolicy(ctx context.Context, in *iam.CreatePolicyRequest, token string) (*ManagedPolicy, error) {
	if err := checkManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.room(ctx, managedPolicies.Name, policyKey("").Parent, "PoliciesPerAccount", maxPolicies); err != nil {
		return nil, err
	}
	path, now := pathOf(in.Path), s.Now().UnixMilli()
	p := &ManagedPolicy{
		Name: in.PolicyName, Path: path, ID: ident.UniqueID("ANPA"), ARN: s.arnOf("policy", path, in.PolicyName), Description: in.Description,
		Created: now, Updated: now, Default: "v1", Last: 1, Versions: []PolicyVersion{{ID: "v1", Document: in.PolicyDocument, Created: now}}, Tags: tags, Token: token,
	}
	return made(ctx, s.DB, managedPolicies, policyKey(p.Name), p, func(old *ManagedPolicy) error {
		if token == "" || old.Token != token {
			return iam.EntityAlreadyExistsException("A policy called %s already exists. Duplicate names are not allowed.", in.PolicyName)
		}
		return nil
	})
}

func (s *Service) GetPolicy(ctx context.Context, in *iam.GetPolicyRequest) (*iam.GetPolicyResponse, error) {
	p, err := s.managedPolicy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out, err := s.show(ctx, p)
	return &iam.GetPolicyResponse{Policy: out}, err
}

func noVersion(policyARN, id string) error {
	return iam.NoSuchEntityException("Policy %s version %s does not exist or is not attachable.", policyARN, id)
}

func (s *Service) GetPolicyVersion(ctx context.Context, in *iam.GetPolicyVersionRequest) (*iam.GetPolicyVersionResponse, error) {
	p, err := s.managedPolicy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v := p.version(in.VersionId)
	if v == nil {
		return nil, noVersion(in.PolicyArn, in.VersionId)
	}
	return &iam.GetPolicyVersionResponse{PolicyVersion: v.shape(p, true)}, nil
}

func (s *Service) ListPolicyVersions(ctx context.Context, in *iam.ListPolicyVersionsRequest) (*iam.ListPolicyVersionsResponse, error) {
	p, err := s.managedPolicy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	all := make([]iam.PolicyVersion, 0, len(p.Versions))
	for i := range slices.Backward(p.Versions) {
		all = append(all, *p.Versions[i].shape(p, false))
	}
	// The newest is first, so the order is that of numbers, backwards.
	page, next := cut(all, w, func(v iam.PolicyVersion) string {
		n, _ := strconv.Atoi(strings.TrimPrefix(*v.VersionId, "v"))
		return fmt.Sprintf("%012d", 1_000_000_000_000-1-n)
	})
	out := &iam.ListPolicyVersionsResponse{Versions: page}
	out.IsTruncated, out.Marker = more(next)
	return out, nil
}

func (s *Service) CreatePolicyVersion(ctx context.Context, in *iam.CreatePolicyVersionRequest) (*iam.CreatePolicyVersionResponse, error) {
	if err := checkManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	out := new(iam.CreatePolicyVersionResponse)
	err := s.changePolicy(ctx, in.PolicyArn, func(_ *store.Tx, p *ManagedPolicy) error {
		if len(p.Versions) >= maxVersions {
			return iam.LimitExceededException("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
		}
		v := p.add(in.PolicyDocument, s.Now().UnixMilli(), shape.Val(in.SetAsDefault))
		out.PolicyVersion = v.shape(p, false)
		return nil
	})
	return out, err
}

// add adds a version.
func (p *ManagedPolicy) add(doc string, now int64, asDefault bool) *PolicyVersion {
	p.Last++
	p.Versions = append(p.Versions, PolicyVersion{ID: "v" + strconv.Itoa(p.Last), Document: doc, Created: now})
	v := &p.Versions[len(p.Versions)-1]
	p.Updated = now
	if asDefault {
		p.Default = v.ID
	}
	return v
}

func (s *Service) SetDefaultPolicyVersion(ctx context.Context, in *iam.SetDefaultPolicyVersionRequest) (*iam.SetDefaultPolicyVersionResponse, error) {
	err := s.changePolicy(ctx, in.PolicyArn, func(_ *store.Tx, p *ManagedPolicy) error {
		if p.version(in.VersionId) == nil {
			return noVersion(in.PolicyArn, in.VersionId)
		}
		p.Default, p.Updated = in.VersionId, s.Now().UnixMilli()
		return nil
	})
	return &iam.SetDefaultPolicyVersionResponse{}, err
}

func (s *Service) DeletePolicyVersion(ctx context.Context, in *iam.DeletePolicyVersionRequest) (*iam.DeletePolicyVersionResponse, error) {
	err := s.changePolicy(ctx, in.PolicyArn, func(_ *store.Tx, p *ManagedPolicy) error {
		if p.version(in.VersionId) == nil {
			return noVersion(in.PolicyArn, in.VersionId)
		}
		if p.Default == in.VersionId {
			return iam.DeleteConflictException("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.DeleteFunc(p.Versions, func(v PolicyVersion) bool { return v.ID == in.VersionId })
		return nil
	})
	return &iam.DeletePolicyVersionResponse{}, err
}

func (s *Service) DeletePolicy(ctx context.Context, in *iam.DeletePolicyRequest) (*iam.DeletePolicyResponse, error) {
	return &iam.DeletePolicyResponse{}, s.deletePolicy(ctx, in.PolicyArn, false)
}

// deletePolicy deletes a policy that nothing uses; all is for one that still has other versions.
func (s *Service) deletePolicy(ctx context.Context, policyARN string, all bool) error {
	name, ok := s.policyName(policyARN)
	if !ok {
		return s.changePolicy(ctx, policyARN, nil) // for its error
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		p, err := managedPolicies.Get(tx, policyKey(name).ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && p.ARN != policyARN {
			return noPolicy(policyARN)
		}
		if err != nil {
			return err
		}
		for _, to := range []string{attachedTo, boundaryOf} {
			n, err := linked(tx, to+p.ARN)
			if err != nil {
				return err
			}
			if n > 0 {
				return iam.DeleteConflictException("Cannot delete a policy attached to entities.")
			}
		}
		if len(p.Versions) > 1 && !all {
			return iam.DeleteConflictException("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return managedPolicies.Delete(tx, policyKey(name).ID)
	})
}

// ListPolicies lists AWS's policies first, then the account's.
func (s *Service) ListPolicies(ctx context.Context, in *iam.ListPoliciesRequest) (*iam.ListPoliciesResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	scope := shape.Val(in.Scope)
	usage := shape.Val(in.PolicyUsageFilter)
	show := func(tx *store.Tx, p *ManagedPolicy) (iam.Policy, bool, error) {
		if !under(p.Path, in.PathPrefix) {
			return iam.Policy{}, false, nil
		}
		v, err := p.shape(tx, false)
		if err != nil {
			return iam.Policy{}, false, err
		}
		switch {
		case usage == "PermissionsBoundary" && *v.PermissionsBoundaryUsageCount == 0,
			usage != "PermissionsBoundary" && shape.Val(in.OnlyAttached) && *v.AttachmentCount == 0:
			return iam.Policy{}, false, nil
		}
		return *v, true, nil
	}
	out := &iam.ListPoliciesResponse{Policies: []iam.Policy{}}
	// A marker within AWS's is the ARN of the last one; "own" stands between the two lists.
	const own = "own "
	rest, inOwn := strings.CutPrefix(w.after, own)
	next := ""
	if scope != "Local" && !inOwn {
		s.aws.load()
		page, after := cut(s.aws.list, w, func(p *ManagedPolicy) string { return p.ARN })
		err := s.DB.View(ctx, func(tx *store.Tx) error {
			for _, p := range page {
				v, ok, err := show(tx, p)
				if err != nil {
					return err
				}
				if ok {
					out.Policies = append(out.Policies, v)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if after != "" || scope == "AWS" {
			out.IsTruncated, out.Marker = more(after)
			return out, nil
		}
		if next = own; len(out.Policies) >= w.limit {
			out.IsTruncated, out.Marker = more(next)
			return out, nil
		}
		rest = ""
	} else if scope == "AWS" {
		out.IsTruncated, out.Marker = more("")
		return out, nil
	}
	page, after, err := list(ctx, s.DB, managedPolicies, policyKey("").Parent, window{rest, w.limit - len(out.Policies)}, show)
	if err != nil {
		return nil, err
	}
	out.Policies = append(out.Policies, page...)
	if after != "" {
		after = own + after
	}
	out.IsTruncated, out.Marker = more(after)
	return out, nil
}

// ListEntitiesForPolicy lists who has a policy attached, or as a boundary.
func (s *Service) ListEntitiesForPolicy(ctx context.Context, in *iam.ListEntitiesForPolicyRequest) (*iam.ListEntitiesForPolicyResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	if _, err := s.managedPolicy(ctx, in.PolicyArn); err != nil {
		return nil, err
	}
	filter, usage := shape.Val(in.EntityFilter), shape.Val(in.PolicyUsageFilter)
	if filter == "LocalManagedPolicy" || filter == "AWSManagedPolicy" {
		return nil, iam.InvalidInputException("EntityFilter %s names no kind of entities.", filter)
	}
	parents := []string{attachedTo + in.PolicyArn, boundaryOf + in.PolicyArn}
	switch usage {
	case "PermissionsPolicy":
		parents = parents[:1]
	case "PermissionsBoundary":
		parents = parents[1:]
	}
	out := &iam.ListEntitiesForPolicyResponse{PolicyGroups: []iam.PolicyGroup{}, PolicyUsers: []iam.PolicyUser{}, PolicyRoles: []iam.PolicyRole{}}
	next := ""
	for i, parent := range parents {
		// A marker is the id of a link, which begins with its parent.
		if w.after != "" && !strings.HasPrefix(w.after, parent+" ") {
			continue
		}
		page, after, err := list(ctx, s.DB, links, parent, w, func(tx *store.Tx, l *link) (link, bool, error) {
			if filter != "" && filter != l.Type {
				return *l, false, nil
			}
			if in.PathPrefix == nil || *in.PathPrefix == "/" {
				return *l, true, nil
			}
			path, err := pathOfEntity(tx, l)
			return *l, under(path, in.PathPrefix), err
		})
		if err != nil {
			return nil, err
		}
		for _, l := range page {
			switch l.Type {
			case "User":
				out.PolicyUsers = append(out.PolicyUsers, iam.PolicyUser{UserName: &l.Name, UserId: &l.ID})
			case "Group":
				out.PolicyGroups = append(out.PolicyGroups, iam.PolicyGroup{GroupName: &l.Name, GroupId: &l.ID})
			default:
				out.PolicyRoles = append(out.PolicyRoles, iam.PolicyRole{RoleName: &l.Name, RoleId: &l.ID})
			}
		}
		w.limit, w.after = w.limit-len(page), ""
		if next = after; next != "" {
			break
		}
		if w.limit <= 0 && i+1 < len(parents) {
			next = parents[i+1] + " " // before the first link of the next
			break
		}
	}
	out.IsTruncated, out.Marker = more(next)
	return out, nil
}

// pathOfEntity returns the path of an entity that is linked.
func pathOfEntity(tx *store.Tx, l *link) (string, error) {
	switch l.Type {
	case "User":
		u, err := users.Get(tx, userKey(l.Name).ID)
		if err != nil {
			return "", err
		}
		return u.Path, nil
	case "Group":
		g, err := groups.Get(tx, groupKey(l.Name).ID)
		if err != nil {
			return "", err
		}
		return g.Path, nil
	}
	r, err := roles.Get(tx, roleKey(l.Name).ID)
	if err != nil {
		return "", err
	}
	return r.Path, nil
}

func (s *Service) TagPolicy(ctx context.Context, in *iam.TagPolicyRequest) (*iam.TagPolicyResponse, error) {
	err := s.changePolicy(ctx, in.PolicyArn, func(_ *store.Tx, p *ManagedPolicy) error { return retag(&p.Tags, in.Tags) })
	return &iam.TagPolicyResponse{}, err
}

func (s *Service) UntagPolicy(ctx context.Context, in *iam.UntagPolicyRequest) (*iam.UntagPolicyResponse, error) {
	err := s.changePolicy(ctx, in.PolicyArn, func(_ *store.Tx, p *ManagedPolicy) error { untag(p.Tags, in.TagKeys); return nil })
	return &iam.UntagPolicyResponse{}, err
}

func (s *Service) ListPolicyTags(ctx context.Context, in *iam.ListPolicyTagsRequest) (*iam.ListPolicyTagsResponse, error) {
	p, err := s.managedPolicy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := new(iam.ListPolicyTagsResponse)
	out.Tags, out.IsTruncated, out.Marker, err = tagPage(p.Tags, in.Marker, in.MaxItems)
	return out, err
}

package iam

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// holders are the properties that say where a policy goes, and how.
var holders = []struct{ property, kind string }{{"Groups", "group"}, {"Roles", "role"}, {"Users", "user"}}

// policyResource makes AWS::IAM::Policy: an inline policy of users, groups and roles.
type policyResource struct{ s *Service }

// read returns name and document.
func (h policyResource) read(props map[string]any) (name, doc string, err error) {
	in := new(iam.PutRolePolicyRequest)
	err = resource.Fill(&iam.Model, in, resource.With(props, map[string]any{"RoleName": "x"}), map[string]string{"Groups": "", "Roles": "", "Users": ""})
	return in.PolicyName, in.PolicyDocument, err
}

func (h policyResource) put(ctx context.Context, r *resource.Request) (string, error) {
	name, doc, err := h.read(r.Props)
	if err != nil {
		return "", err
	}
	n := 0
	for _, at := range holders {
		for _, of := range textsIn(r.Props[at.property]) {
			if err := h.s.hanger(at.kind).put(ctx, of, name, doc); err != nil {
				return "", err
			}
			n++
		}
	}
	if n == 0 {
		return "", errors.New("At least one of [Groups,Roles,Users] must be non-empty.")
	}
	return name, nil
}

// remove removes the policy from those that props name and keep does not.
func (h policyResource) remove(ctx context.Context, name string, props, keep map[string]any) error {
	for _, at := range holders {
		for _, of := range only(textsIn(props[at.property]), textsIn(keep[at.property])) {
			if err := h.s.hanger(at.kind).remove(ctx, of, name); unlessGone(err) != nil {
				return err
			}
		}
	}
	return nil
}

func (h policyResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	name, err := h.put(ctx, r)
	if err != nil {
		if text, ok := r.Props["PolicyName"].(string); ok {
			h.remove(resource.Undo(ctx), text, r.Props, nil)
		}
		return resource.Result{}, err
	}
	id := r.PhysicalName(128, false)
	return resource.Result{PhysicalID: id, Ref: name, Attrs: map[string]any{"Id": id}}, nil
}

func (h policyResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	name, err := h.put(ctx, r)
	if err != nil {
		return resource.Result{}, err
	}
	old, _ := r.OldProps["PolicyName"].(string)
	keep := r.Props
	if old != name {
		keep = nil
	}
	if err := h.remove(ctx, old, r.OldProps, keep); err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: r.PhysicalID, Ref: name, Attrs: map[string]any{"Id": r.PhysicalID}}, nil
}

func (h policyResource) Delete(ctx context.Context, r *resource.Request) error {
	name, _ := r.Props["PolicyName"].(string)
	return h.remove(ctx, name, r.Props, nil)
}

// inlineResource makes AWS::IAM::RolePolicy, UserPolicy and GroupPolicy: an inline policy of one entity.
type inlineResource struct {
	s      *Service
	kind   string // "role"
	member string // "RoleName"
}

// read returns what the policy is called, where it goes and what it says.
func (h inlineResource) read(r *resource.Request) (of, name, doc string, err error) {
	in := new(iam.PutRolePolicyRequest) // the form is that of users and groups too
	err = resource.Fill(&iam.Model, in, r.Props, map[string]string{h.member: "RoleName"})
	return in.RoleName, in.PolicyName, in.PolicyDocument, err
}

// Create refuses to take over a policy that is there.
func (h inlineResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	of, name, doc, err := h.read(r)
	if err != nil {
		return resource.Result{}, err
	}
	at, ask := h.s.ofRole(), any(&iam.PutRolePolicyRequest{RoleName: of, PolicyName: name, PolicyDocument: doc})
	switch h.kind {
	case "user":
		at, ask = h.s.ofUser(), &iam.PutUserPolicyRequest{UserName: of, PolicyName: name, PolicyDocument: doc}
	case "group":
		at, ask = h.s.ofGroup(), &iam.PutGroupPolicyRequest{GroupName: of, PolicyName: name, PolicyDocument: doc}
	}
	if err := may(ctx, ask); err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: name + "|" + of}, h.s.put(ctx, at, of, name, doc, r.Token)
}

func (h inlineResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	of, name, doc, err := h.read(r)
	if err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: r.PhysicalID}, h.s.hanger(h.kind).put(ctx, of, name, doc)
}

func (h inlineResource) Delete(ctx context.Context, r *resource.Request) error {
	name, of, _ := strings.Cut(r.PhysicalID, "|")
	return unlessGone(h.s.hanger(h.kind).remove(ctx, of, name))
}

// managedResource makes AWS::IAM::ManagedPolicy.
type managedResource struct{ s *Service }

func (h managedResource) result(ctx context.Context, policyARN string) (resource.Result, error) {
	p, err := h.s.managedPolicy(ctx, policyARN)
	if err != nil {
		return resource.Result{}, err
	}
	v, err := h.s.show(ctx, p)
	if err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: p.ARN, Attrs: map[string]any{
		"PolicyArn": p.ARN, "PolicyId": p.ID, "DefaultVersionId": p.Default, "AttachmentCount": *v.AttachmentCount, "PermissionsBoundaryUsageCount": *v.PermissionsBoundaryUsageCount,
		"IsAttachable": true, "CreateDate": v.CreateDate.Format(time.RFC3339), "UpdateDate": v.UpdateDate.Format(time.RFC3339),
	}}, nil
}

// attach brings the policy to those whom props name, and takes it from those whom only old names.
func (h managedResource) attach(ctx context.Context, policyARN string, old, props map[string]any) error {
	for _, at := range holders {
		was, now := textsIn(old[at.property]), textsIn(props[at.property])
		for _, of := range only(now, was) {
			if err := h.s.hanger(at.kind).attach(ctx, of, policyARN); err != nil {
				return err
			}
		}
		for _, of := range only(was, now) {
			if err := h.s.hanger(at.kind).detach(ctx, of, policyARN); unlessGone(err) != nil {
				return err
			}
		}
	}
	return nil
}

func (h managedResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(iam.CreatePolicyRequest)
	props := resource.With(map[string]any{"ManagedPolicyName": r.PhysicalName(128, false)}, r.Props)
	if err := resource.Input(ctx, &iam.Model, in, props, map[string]string{"ManagedPolicyName": "PolicyName", "Groups": "", "Roles": "", "Users": ""}); err != nil {
		return resource.Result{}, err
	}
	p, err := h.s.createPolicy(ctx, in, r.Token)
	if err != nil {
		return resource.Result{}, err
	}
	if err := h.attach(ctx, p.ARN, nil, r.Props); err != nil {
		h.Delete(resource.Undo(ctx), &resource.Request{PhysicalID: p.ARN})
		return resource.Result{}, err
	}
	return h.result(ctx, p.ARN)
}

// Update makes a new default version of a new document. The oldest version goes where there are five.
func (h managedResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	p, err := h.s.managedPolicy(ctx, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	doc, err := resource.Document(r.Props["PolicyDocument"])
	if err != nil {
		return resource.Result{}, err
	}
	if v := p.version(p.Default); v == nil || v.Document != doc {
		if err := checkManaged(doc); err != nil {
			return resource.Result{}, err
		}
		calls := []any{&iam.CreatePolicyVersionRequest{PolicyArn: p.ARN, PolicyDocument: doc, SetAsDefault: shape.Ptr(true)}}
		if len(p.Versions) >= maxVersions {
			calls = append(calls, &iam.DeletePolicyVersionRequest{PolicyArn: p.ARN, VersionId: p.Versions[0].ID})
		}
		if err := may(ctx, calls...); err != nil {
			return resource.Result{}, err
		}
		err := h.s.changePolicy(ctx, p.ARN, func(_ *store.Tx, p *ManagedPolicy) error {
			if len(p.Versions) >= maxVersions {
				i := slices.IndexFunc(p.Versions, func(v PolicyVersion) bool { return v.ID != p.Default })
				p.Versions = slices.Delete(p.Versions, i, i+1)
			}
			p.add(doc, h.s.Now().UnixMilli(), true)
			return nil
		})
		if err != nil {
			return resource.Result{}, err
		}
	}
	if err := h.attach(ctx, p.ARN, r.OldProps, r.Props); err != nil {
		return resource.Result{}, err
	}
	return h.result(ctx, p.ARN)
}

// Delete takes the policy from whoever has it, then deletes it with its versions.
func (h managedResource) Delete(ctx context.Context, r *resource.Request) error {
	out, err := h.s.ListEntitiesForPolicy(ctx, &iam.ListEntitiesForPolicyRequest{PolicyArn: r.PhysicalID, PolicyUsageFilter: shape.Ptr("PermissionsPolicy"), MaxItems: shape.Ptr(int64(1000))})
	if err != nil {
		return unlessGone(err)
	}
	if err := may(ctx, &iam.DeletePolicyRequest{PolicyArn: r.PhysicalID}); err != nil {
		return err
	}
	names := map[string][]string{}
	for _, v := range out.PolicyUsers {
		names["user"] = append(names["user"], *v.UserName)
	}
	for _, v := range out.PolicyGroups {
		names["group"] = append(names["group"], *v.GroupName)
	}
	for _, v := range out.PolicyRoles {
		names["role"] = append(names["role"], *v.RoleName)
	}
	for kind, list := range names {
		for _, of := range list {
			if err := h.s.hanger(kind).detach(ctx, of, r.PhysicalID); unlessGone(err) != nil {
				return err
			}
		}
	}
	return unlessGone(h.s.deletePolicy(ctx, r.PhysicalID, true))
}

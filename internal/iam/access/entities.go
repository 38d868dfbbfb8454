package access

import (
	"context"

	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// IAM finds entities in package iam's service.
type IAM struct{ Service *iam.Service }

// Entity implements [Entities].
func (e IAM) Entity(ctx context.Context, kind, name string) (arn, boundary string) {
	switch kind {
	case "role":
		if out, err := e.Service.GetRole(ctx, &iamapi.GetRoleRequest{RoleName: name}); err == nil {
			if b := out.Role.PermissionsBoundary; b != nil {
				boundary = shape.Val(b.PermissionsBoundaryArn)
			}
			return out.Role.Arn, boundary
		}
	case "user":
		if out, err := e.Service.GetUser(ctx, &iamapi.GetUserRequest{UserName: &name}); err == nil {
			if b := out.User.PermissionsBoundary; b != nil {
				boundary = shape.Val(b.PermissionsBoundaryArn)
			}
			return out.User.Arn, boundary
		}
	case "group":
		if out, err := e.Service.GetGroup(ctx, &iamapi.GetGroupRequest{GroupName: name}); err == nil {
			return out.Group.Arn, ""
		}
	case "instance-profile":
		if out, err := e.Service.GetInstanceProfile(ctx, &iamapi.GetInstanceProfileRequest{InstanceProfileName: name}); err == nil {
			return out.InstanceProfile.Arn, ""
		}
	}
	return "", ""
}

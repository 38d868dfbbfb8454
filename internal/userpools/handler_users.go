package userpools

import (
	"context"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// The operations on users, by administrators and by the users themselves.

func (s *Service) SignUp(ctx context.Context, in *cognitoidp.SignUpRequest) (*cognitoidp.SignUpResponse, error) {
	u, to, err := s.signUp(ctx, in)
	if err != nil {
		return nil, err
	}
	out := &cognitoidp.SignUpResponse{UserSub: u.id.String()}
	if to != nil {
		out.CodeDeliveryDetails = to.details()
	}
	return out, nil
}

func (s *Service) ConfirmSignUp(ctx context.Context, in *cognitoidp.ConfirmSignUpRequest) (*cognitoidp.ConfirmSignUpResponse, error) {
	return &cognitoidp.ConfirmSignUpResponse{}, s.confirmSignUp(ctx, in)
}

func (s *Service) ResendConfirmationCode(ctx context.Context, in *cognitoidp.ResendConfirmationCodeRequest) (*cognitoidp.ResendConfirmationCodeResponse, error) {
	d, err := s.resendCode(ctx, in)
	return &cognitoidp.ResendConfirmationCodeResponse{CodeDeliveryDetails: d}, err
}

func (s *Service) ForgotPassword(ctx context.Context, in *cognitoidp.ForgotPasswordRequest) (*cognitoidp.ForgotPasswordResponse, error) {
	d, err := s.forgotPassword(ctx, in)
	return &cognitoidp.ForgotPasswordResponse{CodeDeliveryDetails: d}, err
}

func (s *Service) ConfirmForgotPassword(ctx context.Context, in *cognitoidp.ConfirmForgotPasswordRequest) (*cognitoidp.ConfirmForgotPasswordResponse, error) {
	return &cognitoidp.ConfirmForgotPasswordResponse{}, s.confirmForgotPassword(ctx, in)
}

func (s *Service) AdminCreateUser(ctx context.Context, in *cognitoidp.AdminCreateUserRequest) (*cognitoidp.AdminCreateUserResponse, error) {
	p, u, err := s.createUser(ctx, in)
	if err != nil {
		return nil, err
	}
	return &cognitoidp.AdminCreateUserResponse{User: shape.Ptr(u.shapeOf(p, nil))}, nil
}

func (s *Service) AdminConfirmSignUp(ctx context.Context, in *cognitoidp.AdminConfirmSignUpRequest) (*cognitoidp.AdminConfirmSignUpResponse, error) {
	return &cognitoidp.AdminConfirmSignUpResponse{}, s.adminConfirm(ctx, in.UserPoolId, in.Username)
}

func (s *Service) AdminGetUser(ctx context.Context, in *cognitoidp.AdminGetUserRequest) (*cognitoidp.AdminGetUserResponse, error) {
	p, err := s.regionPool(ctx, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	u, err := s.find(ctx, p, in.Username)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, errUserNotFound()
	}
	t := u.shapeOf(p, nil)
	return &cognitoidp.AdminGetUserResponse{Username: u.username, UserAttributes: t.Attributes, UserCreateDate: t.UserCreateDate,
		UserLastModifiedDate: t.UserLastModifiedDate, Enabled: t.Enabled, UserStatus: t.UserStatus}, nil
}

func (s *Service) AdminSetUserPassword(ctx context.Context, in *cognitoidp.AdminSetUserPasswordRequest) (*cognitoidp.AdminSetUserPasswordResponse, error) {
	return &cognitoidp.AdminSetUserPasswordResponse{}, s.adminSetPassword(ctx, in)
}

func (s *Service) AdminResetUserPassword(ctx context.Context, in *cognitoidp.AdminResetUserPasswordRequest) (*cognitoidp.AdminResetUserPasswordResponse, error) {
	return &cognitoidp.AdminResetUserPasswordResponse{}, s.adminResetPassword(ctx, in.UserPoolId, in.Username)
}

func (s *Service) AdminDeleteUser(ctx context.Context, in *cognitoidp.AdminDeleteUserRequest) (*cognitoidp.AdminDeleteUserResponse, error) {
	return &cognitoidp.AdminDeleteUserResponse{}, s.changeUser(ctx, in.UserPoolId, in.Username, deleteUser)
}

func (s *Service) AdminEnableUser(ctx context.Context, in *cognitoidp.AdminEnableUserRequest) (*cognitoidp.AdminEnableUserResponse, error) {
	return &cognitoidp.AdminEnableUserResponse{}, s.adminEnable(ctx, in.UserPoolId, in.Username, true)
}

func (s *Service) AdminDisableUser(ctx context.Context, in *cognitoidp.AdminDisableUserRequest) (*cognitoidp.AdminDisableUserResponse, error) {
	return &cognitoidp.AdminDisableUserResponse{}, s.adminEnable(ctx, in.UserPoolId, in.Username, false)
}

func (s *Service) AdminUpdateUserAttributes(ctx context.Context, in *cognitoidp.AdminUpdateUserAttributesRequest) (*cognitoidp.AdminUpdateUserAttributesResponse, error) {
	return &cognitoidp.AdminUpdateUserAttributesResponse{}, s.adminUpdateAttributes(ctx, in)
}

func (s *Service) AdminDeleteUserAttributes(ctx context.Context, in *cognitoidp.AdminDeleteUserAttributesRequest) (*cognitoidp.AdminDeleteUserAttributesResponse, error) {
	return &cognitoidp.AdminDeleteUserAttributesResponse{}, s.changeUser(ctx, in.UserPoolId, in.Username, func(tx *store.Tx, p *Pool, u *user) error {
		return s.deleteAttributes(tx, p, u, in.UserAttributeNames, attributeWriter{update: true})
	})
}

func (s *Service) AdminUserGlobalSignOut(ctx context.Context, in *cognitoidp.AdminUserGlobalSignOutRequest) (*cognitoidp.AdminUserGlobalSignOutResponse, error) {
	return &cognitoidp.AdminUserGlobalSignOutResponse{}, s.changeUser(ctx, in.UserPoolId, in.Username, func(tx *store.Tx, _ *Pool, u *user) error {
		return deleteSessions(tx, u)
	})
}

func (s *Service) ListUsers(ctx context.Context, in *cognitoidp.ListUsersRequest) (*cognitoidp.ListUsersResponse, error) {
	p, err := s.regionPool(ctx, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	filter, err := parseFilter(shape.Val(in.Filter))
	if err != nil {
		return nil, err
	}
	for _, name := range in.AttributesToGet {
		if p.attribute(name) == nil {
			return nil, errInvalidParameter("One or more requested attributes do not exist.")
		}
	}
	// A page goes on with the search that it came from.
	scope := usersPage + "/" + p.id() + "/" + shape.Val(in.Filter)
	var after *userPage
	if in.PaginationToken != nil && !s.openState(*in.PaginationToken, scope, &after) {
		return nil, errInvalidParameter("Invalid pagination token.")
	}
	limit := 60
	if n := shape.Val(in.Limit); n > 0 {
		limit = int(n)
	}
	var list []*user
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		list, err = listUsers(tx, p, filter, after, limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &cognitoidp.ListUsersResponse{Users: []cognitoidp.UserType{}}
	if len(list) > limit {
		list = list[:limit]
		token, err := s.sealState(pageAfter(p, filter, list[limit-1]), scope)
		if err != nil {
			return nil, err
		}
		out.PaginationToken = &token
	}
	var keep func(string) bool
	if len(in.AttributesToGet) > 0 {
		keep = func(name string) bool { return slices.Contains(in.AttributesToGet, name) }
	}
	for _, u := range list {
		out.Users = append(out.Users, u.shapeOf(p, keep))
	}
	return out, nil
}

func (s *Service) GetUser(ctx context.Context, in *cognitoidp.GetUserRequest) (*cognitoidp.GetUserResponse, error) {
	a, err := s.authorize(ctx, in.AccessToken)
	if err != nil {
		return nil, err
	}
	return &cognitoidp.GetUserResponse{Username: a.user.username, UserAttributes: a.attributes()}, nil
}

func (s *Service) DeleteUser(ctx context.Context, in *cognitoidp.DeleteUserRequest) (*cognitoidp.DeleteUserResponse, error) {
	return &cognitoidp.DeleteUserResponse{}, s.changeSelf(ctx, in.AccessToken, func(tx *store.Tx, a *caller, u *user) error {
		return deleteUser(tx, a.pool, u)
	})
}

func (s *Service) UpdateUserAttributes(ctx context.Context, in *cognitoidp.UpdateUserAttributesRequest) (*cognitoidp.UpdateUserAttributesResponse, error) {
	list, err := s.updateOwnAttributes(ctx, in)
	if err != nil {
		return nil, err
	}
	out := &cognitoidp.UpdateUserAttributesResponse{CodeDeliveryDetailsList: []cognitoidp.CodeDeliveryDetailsType{}}
	for _, d := range list {
		out.CodeDeliveryDetailsList = append(out.CodeDeliveryDetailsList, *d)
	}
	return out, nil
}

func (s *Service) DeleteUserAttributes(ctx context.Context, in *cognitoidp.DeleteUserAttributesRequest) (*cognitoidp.DeleteUserAttributesResponse, error) {
	return &cognitoidp.DeleteUserAttributesResponse{}, s.changeSelf(ctx, in.AccessToken, func(tx *store.Tx, a *caller, u *user) error {
		return s.deleteAttributes(tx, a.pool, u, in.UserAttributeNames, attributeWriter{client: a.client, update: true})
	})
}

func (s *Service) GetUserAttributeVerificationCode(ctx context.Context, in *cognitoidp.GetUserAttributeVerificationCodeRequest) (*cognitoidp.GetUserAttributeVerificationCodeResponse, error) {
	d, err := s.sendAttributeCode(ctx, in.AccessToken, in.AttributeName)
	return &cognitoidp.GetUserAttributeVerificationCodeResponse{CodeDeliveryDetails: d}, err
}

func (s *Service) VerifyUserAttribute(ctx context.Context, in *cognitoidp.VerifyUserAttributeRequest) (*cognitoidp.VerifyUserAttributeResponse, error) {
	return &cognitoidp.VerifyUserAttributeResponse{}, s.verifyAttribute(ctx, in)
}

func (s *Service) ChangePassword(ctx context.Context, in *cognitoidp.ChangePasswordRequest) (*cognitoidp.ChangePasswordResponse, error) {
	return &cognitoidp.ChangePasswordResponse{}, s.changePassword(ctx, in)
}

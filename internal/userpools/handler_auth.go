package userpools

import (
	"context"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// The operations that sign in and out.

func (s *Service) InitiateAuth(ctx context.Context, in *cognitoidp.InitiateAuthRequest) (*cognitoidp.InitiateAuthResponse, error) {
	c, p, err := s.client(ctx, in.ClientId)
	if err != nil {
		return nil, err
	}
	a, err := s.initiateAuth(ctx, &authRequest{pool: p, client: c, params: in.AuthParameters}, in.AuthFlow)
	if err != nil {
		return nil, err
	}
	return &cognitoidp.InitiateAuthResponse{ChallengeName: a.challengeName(), Session: a.sessionText(), ChallengeParameters: a.params(), AuthenticationResult: a.result}, nil
}

func (s *Service) AdminInitiateAuth(ctx context.Context, in *cognitoidp.AdminInitiateAuthRequest) (*cognitoidp.AdminInitiateAuthResponse, error) {
	c, p, err := s.poolClient(ctx, in.UserPoolId, in.ClientId)
	if err != nil {
		return nil, err
	}
	a, err := s.initiateAuth(ctx, &authRequest{pool: p, client: c, admin: true, params: in.AuthParameters}, in.AuthFlow)
	if err != nil {
		return nil, err
	}
	return &cognitoidp.AdminInitiateAuthResponse{ChallengeName: a.challengeName(), Session: a.sessionText(), ChallengeParameters: a.params(), AuthenticationResult: a.result}, nil
}

func (s *Service) RespondToAuthChallenge(ctx context.Context, in *cognitoidp.RespondToAuthChallengeRequest) (*cognitoidp.RespondToAuthChallengeResponse, error) {
	c, p, err := s.client(ctx, in.ClientId)
	if err != nil {
		return nil, err
	}
	a, err := s.respond(ctx, &authRequest{pool: p, client: c, params: in.ChallengeResponses}, in.ChallengeName, shape.Val(in.Session))
	if err != nil {
		return nil, err
	}
	return &cognitoidp.RespondToAuthChallengeResponse{ChallengeName: a.challengeName(), Session: a.sessionText(), ChallengeParameters: a.params(), AuthenticationResult: a.result}, nil
}

func (s *Service) AdminRespondToAuthChallenge(ctx context.Context, in *cognitoidp.AdminRespondToAuthChallengeRequest) (*cognitoidp.AdminRespondToAuthChallengeResponse, error) {
	c, p, err := s.poolClient(ctx, in.UserPoolId, in.ClientId)
	if err != nil {
		return nil, err
	}
	a, err := s.respond(ctx, &authRequest{pool: p, client: c, admin: true, params: in.ChallengeResponses}, in.ChallengeName, shape.Val(in.Session))
	if err != nil {
		return nil, err
	}
	return &cognitoidp.AdminRespondToAuthChallengeResponse{ChallengeName: a.challengeName(), Session: a.sessionText(), ChallengeParameters: a.params(), AuthenticationResult: a.result}, nil
}

func (a *authAnswer) challengeName() *string { return orNil(a.challenge) }
func (a *authAnswer) sessionText() *string   { return orNil(a.session) }

// params are there also when they are empty.
func (a *authAnswer) params() map[string]string {
	if a.parameters == nil {
		return map[string]string{}
	}
	return a.parameters
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (s *Service) GetTokensFromRefreshToken(ctx context.Context, in *cognitoidp.GetTokensFromRefreshTokenRequest) (*cognitoidp.GetTokensFromRefreshTokenResponse, error) {
	c, p, err := s.client(ctx, in.ClientId)
	if err != nil {
		return nil, err
	}
	if err := s.checkClientSecret(c, in.ClientSecret); err != nil {
		return nil, err
	}
	a, err := s.refresh(ctx, &authRequest{pool: p, client: c, secretShown: true, params: map[string]string{"REFRESH_TOKEN": in.RefreshToken}})
	if err != nil {
		return nil, err
	}
	return &cognitoidp.GetTokensFromRefreshTokenResponse{AuthenticationResult: a.result}, nil
}

func (s *Service) RevokeToken(ctx context.Context, in *cognitoidp.RevokeTokenRequest) (*cognitoidp.RevokeTokenResponse, error) {
	return &cognitoidp.RevokeTokenResponse{}, s.revokeToken(ctx, in)
}

func (s *Service) GlobalSignOut(ctx context.Context, in *cognitoidp.GlobalSignOutRequest) (*cognitoidp.GlobalSignOutResponse, error) {
	return &cognitoidp.GlobalSignOutResponse{}, s.changeSelf(ctx, in.AccessToken, func(tx *store.Tx, _ *caller, u *user) error {
		return deleteSessions(tx, u)
	})
}

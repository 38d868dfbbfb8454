package httpapis

import (
	"context"
	"strings"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

func (s *Service) CreateAuthorizer(ctx context.Context, in *v2.CreateAuthorizerRequest) (*v2.CreateAuthorizerResponse, error) {
	z := &authorizer{AuthorizerCredentialsArn: in.AuthorizerCredentialsArn, AuthorizerPayloadFormatVersion: in.AuthorizerPayloadFormatVersion,
		AuthorizerResultTtlInSeconds: in.AuthorizerResultTtlInSeconds, AuthorizerType: &in.AuthorizerType, AuthorizerUri: in.AuthorizerUri,
		EnableSimpleResponses: in.EnableSimpleResponses, IdentitySource: in.IdentitySource,
		IdentityValidationExpression: in.IdentityValidationExpression, JwtConfiguration: in.JwtConfiguration, Name: &in.Name}
	if err := checkAuthorizer(z); err != nil {
		return nil, err
	}
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		z.AuthorizerId = shape.Ptr(newID(ctx, ident.AuthorizerID))
		return authorizers.Insert(tx, partKey(in.ApiId, *z.AuthorizerId, ""), z)
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.CreateAuthorizerResponse(*z)), nil
}

func (s *Service) GetAuthorizer(ctx context.Context, in *v2.GetAuthorizerRequest) (*v2.GetAuthorizerResponse, error) {
	return part(ctx, s, authorizers, "Authorizer", in.ApiId, in.AuthorizerId)
}

func (s *Service) GetAuthorizers(ctx context.Context, in *v2.GetAuthorizersRequest) (*v2.GetAuthorizersResponse, error) {
	list, next, err := page(ctx, s, authorizers, in.ApiId, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &v2.GetAuthorizersResponse{Items: make([]v2.Authorizer, len(list)), NextToken: next}
	for i, z := range list {
		out.Items[i] = v2.Authorizer{Name: shape.Val(z.Name), AuthorizerId: z.AuthorizerId, AuthorizerType: z.AuthorizerType,
			AuthorizerCredentialsArn: z.AuthorizerCredentialsArn, AuthorizerPayloadFormatVersion: z.AuthorizerPayloadFormatVersion,
			AuthorizerResultTtlInSeconds: z.AuthorizerResultTtlInSeconds, AuthorizerUri: z.AuthorizerUri, EnableSimpleResponses: z.EnableSimpleResponses,
			IdentitySource: z.IdentitySource, JwtConfiguration: z.JwtConfiguration}
	}
	return out, nil
}

func (s *Service) UpdateAuthorizer(ctx context.Context, in *v2.UpdateAuthorizerRequest) (*v2.UpdateAuthorizerResponse, error) {
	var out *authorizer
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		z, err := authorizers.Get(tx, in.ApiId+"/"+in.AuthorizerId)
		if err != nil {
			return missing(err, "Authorizer")
		}
		set(&z.AuthorizerCredentialsArn, in.AuthorizerCredentialsArn)
		set(&z.AuthorizerPayloadFormatVersion, in.AuthorizerPayloadFormatVersion)
		set(&z.AuthorizerResultTtlInSeconds, in.AuthorizerResultTtlInSeconds)
		set(&z.AuthorizerType, in.AuthorizerType)
		set(&z.AuthorizerUri, in.AuthorizerUri)
		set(&z.EnableSimpleResponses, in.EnableSimpleResponses)
		set(&z.IdentityValidationExpression, in.IdentityValidationExpression)
		set(&z.JwtConfiguration, in.JwtConfiguration)
		set(&z.Name, in.Name)
		if in.IdentitySource != nil {
			z.IdentitySource = in.IdentitySource
		}
		if err := checkAuthorizer(z); err != nil {
			return err
		}
		out = z
		return authorizers.Put(tx, partKey(in.ApiId, in.AuthorizerId, ""), z)
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.UpdateAuthorizerResponse(*out)), nil
}

func (s *Service) DeleteAuthorizer(ctx context.Context, in *v2.DeleteAuthorizerRequest) (*v2.DeleteAuthorizerResponse, error) {
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		used, err := using(tx, in.ApiId, func(r *route) bool { return shape.Val(r.AuthorizerId) == in.AuthorizerId })
		if err != nil {
			return err
		}
		if len(used) > 0 {
			return v2.ConflictException("Cannot delete Authorizer '%s' which is in use by: Route '%s'", in.AuthorizerId, strings.Join(used, "', '"))
		}
		return missing(authorizers.Delete(tx, in.ApiId+"/"+in.AuthorizerId), "Authorizer")
	})
	if err != nil {
		return nil, err
	}
	return &v2.DeleteAuthorizerResponse{}, nil
}

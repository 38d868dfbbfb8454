package httpapis

import (
	"context"
	"strings"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

func (s *Service) CreateIntegration(ctx context.Context, in *v2.CreateIntegrationRequest) (*v2.CreateIntegrationResult, error) {
	i := &integration{ConnectionId: in.ConnectionId, ConnectionType: in.ConnectionType, ContentHandlingStrategy: in.ContentHandlingStrategy,
		CredentialsArn: in.CredentialsArn, Description: in.Description, IntegrationMethod: in.IntegrationMethod, IntegrationSubtype: in.IntegrationSubtype,
		IntegrationType: &in.IntegrationType, IntegrationUri: in.IntegrationUri, PassthroughBehavior: in.PassthroughBehavior,
		PayloadFormatVersion: in.PayloadFormatVersion, RequestParameters: in.RequestParameters, RequestTemplates: in.RequestTemplates,
		ResponseParameters: in.ResponseParameters, TemplateSelectionExpression: in.TemplateSelectionExpression, TimeoutInMillis: in.TimeoutInMillis,
		TlsConfig: (*v2.TlsConfig)(in.TlsConfig)}
	if err := checkIntegration(i); err != nil {
		return nil, err
	}
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		i.IntegrationId = shape.Ptr(newID(ctx, ident.ShortID))
		return integrations.Insert(tx, partKey(in.ApiId, *i.IntegrationId, ""), i)
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.CreateIntegrationResult(*i)), nil
}

func (s *Service) GetIntegration(ctx context.Context, in *v2.GetIntegrationRequest) (*v2.GetIntegrationResult, error) {
	return part(ctx, s, integrations, "Integration", in.ApiId, in.IntegrationId)
}

func (s *Service) GetIntegrations(ctx context.Context, in *v2.GetIntegrationsRequest) (*v2.GetIntegrationsResponse, error) {
	list, next, err := page(ctx, s, integrations, in.ApiId, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &v2.GetIntegrationsResponse{Items: make([]v2.Integration, len(list)), NextToken: next}
	for i, v := range list {
		out.Items[i] = v2.Integration(*v)
	}
	return out, nil
}

func (s *Service) UpdateIntegration(ctx context.Context, in *v2.UpdateIntegrationRequest) (*v2.UpdateIntegrationResult, error) {
	var out *integration
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		i, err := integrations.Get(tx, in.ApiId+"/"+in.IntegrationId)
		if err != nil {
			return missing(err, "Integration")
		}
		set(&i.ConnectionId, in.ConnectionId)
		set(&i.ConnectionType, in.ConnectionType)
		set(&i.ContentHandlingStrategy, in.ContentHandlingStrategy)
		set(&i.CredentialsArn, in.CredentialsArn)
		set(&i.Description, in.Description)
		set(&i.IntegrationMethod, in.IntegrationMethod)
		set(&i.IntegrationSubtype, in.IntegrationSubtype)
		set(&i.IntegrationType, in.IntegrationType)
		set(&i.IntegrationUri, in.IntegrationUri)
		set(&i.PassthroughBehavior, in.PassthroughBehavior)
		set(&i.PayloadFormatVersion, in.PayloadFormatVersion)
		set(&i.TemplateSelectionExpression, in.TemplateSelectionExpression)
		set(&i.TimeoutInMillis, in.TimeoutInMillis)
		set(&i.TlsConfig, (*v2.TlsConfig)(in.TlsConfig))
		i.RequestTemplates = in.RequestTemplates
		merge(&i.RequestParameters, in.RequestParameters)
		mergeMappings(&i.ResponseParameters, in.ResponseParameters)
		if err := checkIntegration(i); err != nil {
			return err
		}
		out = i
		return integrations.Put(tx, partKey(in.ApiId, in.IntegrationId, ""), i)
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.UpdateIntegrationResult(*out)), nil
}

func (s *Service) DeleteIntegration(ctx context.Context, in *v2.DeleteIntegrationRequest) (*v2.DeleteIntegrationResponse, error) {
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		used, err := using(tx, in.ApiId, func(r *route) bool { return shape.Val(r.Target) == "integrations/"+in.IntegrationId })
		if err != nil {
			return err
		}
		if len(used) > 0 {
			return v2.ConflictException("Cannot delete Integration '%s' which is in use by: Route '%s'", in.IntegrationId, strings.Join(used, "', '"))
		}
		i, err := integrations.Get(tx, in.ApiId+"/"+in.IntegrationId)
		if err == nil && shape.Val(i.ApiGatewayManaged) {
			return bad("An integration that API Gateway manages cannot be deleted")
		}
		return missing(integrations.Delete(tx, in.ApiId+"/"+in.IntegrationId), "Integration")
	})
	if err != nil {
		return nil, err
	}
	return &v2.DeleteIntegrationResponse{}, nil
}

package httpapis

import (
	"context"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// What only WebSocket APIs have, and VPC links: tools list them before they change or delete an API, and there are
// none. Making one is refused by name, as an operation that is not there.

// exists tells whether the caller's region has the API.
func (s *Service) exists(ctx context.Context, apiID string) error {
	return s.db.View(ctx, func(tx *store.Tx) error {
		_, err := s.api(ctx, tx, apiID)
		return err
	})
}

// GetModels lists the models of an API: HTTP APIs have none.
func (s *Service) GetModels(ctx context.Context, in *v2.GetModelsRequest) (*v2.GetModelsResponse, error) {
	if err := s.exists(ctx, in.ApiId); err != nil {
		return nil, err
	}
	return &v2.GetModelsResponse{Items: []v2.ModelType{}}, nil
}

// GetIntegrationResponses lists the responses of an integration: those of HTTP APIs have none.
func (s *Service) GetIntegrationResponses(ctx context.Context, in *v2.GetIntegrationResponsesRequest) (*v2.GetIntegrationResponsesResponse, error) {
	if _, err := part(ctx, s, integrations, "Integration", in.ApiId, in.IntegrationId); err != nil {
		return nil, err
	}
	return &v2.GetIntegrationResponsesResponse{Items: []v2.IntegrationResponse{}}, nil
}

// GetRouteResponses lists the responses of a route: those of HTTP APIs have none.
func (s *Service) GetRouteResponses(ctx context.Context, in *v2.GetRouteResponsesRequest) (*v2.GetRouteResponsesResponse, error) {
	if _, err := part(ctx, s, routes, "Route", in.ApiId, in.RouteId); err != nil {
		return nil, err
	}
	return &v2.GetRouteResponsesResponse{Items: []v2.RouteResponse{}}, nil
}

// GetVpcLinks lists the VPC links: there are none.
func (s *Service) GetVpcLinks(context.Context, *v2.GetVpcLinksRequest) (*v2.GetVpcLinksResponse, error) {
	return &v2.GetVpcLinksResponse{Items: []v2.VpcLink{}}, nil
}

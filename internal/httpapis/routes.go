package httpapis

import (
	"context"
	"errors"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// putRoute checks a route and stores it.
func putRoute(tx *store.Tx, apiID string, r *route) error {
	if err := checkRoute(tx, apiID, r); err != nil {
		return err
	}
	err := routes.Put(tx, partKey(apiID, *r.RouteId, *r.RouteKey), r)
	if errors.Is(err, store.ErrExists) {
		return v2.ConflictException("Route with key %s already exists for this API", *r.RouteKey)
	}
	return err
}

func (s *Service) CreateRoute(ctx context.Context, in *v2.CreateRouteRequest) (*v2.CreateRouteResult, error) {
	if err := webSocketRoute(in.ApiKeyRequired, in.ModelSelectionExpression, in.RequestModels, in.RequestParameters, in.RouteResponseSelectionExpression); err != nil {
		return nil, err
	}
	r := &route{ApiKeyRequired: shape.Ptr(false), RouteKey: &in.RouteKey, AuthorizationScopes: in.AuthorizationScopes,
		AuthorizationType: in.AuthorizationType, AuthorizerId: in.AuthorizerId, OperationName: in.OperationName, Target: in.Target}
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		r.RouteId = shape.Ptr(newID(ctx, ident.ShortID))
		return putRoute(tx, in.ApiId, r)
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.CreateRouteResult(*r)), nil
}

func (s *Service) GetRoute(ctx context.Context, in *v2.GetRouteRequest) (*v2.GetRouteResult, error) {
	return part(ctx, s, routes, "Route", in.ApiId, in.RouteId)
}

func (s *Service) GetRoutes(ctx context.Context, in *v2.GetRoutesRequest) (*v2.GetRoutesResponse, error) {
	list, next, err := page(ctx, s, routes, in.ApiId, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &v2.GetRoutesResponse{Items: make([]v2.Route, len(list)), NextToken: next}
	for i, r := range list {
		out.Items[i] = v2.Route{RouteKey: shape.Val(r.RouteKey), ApiGatewayManaged: r.ApiGatewayManaged, ApiKeyRequired: r.ApiKeyRequired,
			AuthorizationScopes: r.AuthorizationScopes, AuthorizationType: r.AuthorizationType, AuthorizerId: r.AuthorizerId,
			OperationName: r.OperationName, RouteId: r.RouteId, Target: r.Target}
	}
	return out, nil
}

func (s *Service) UpdateRoute(ctx context.Context, in *v2.UpdateRouteRequest) (*v2.UpdateRouteResult, error) {
	if err := webSocketRoute(in.ApiKeyRequired, in.ModelSelectionExpression, in.RequestModels, in.RequestParameters, in.RouteResponseSelectionExpression); err != nil {
		return nil, err
	}
	var out *route
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		r, err := routes.Get(tx, in.ApiId+"/"+in.RouteId)
		if err != nil {
			return missing(err, "Route")
		}
		if in.AuthorizationType != nil && *in.AuthorizationType != shape.Val(r.AuthorizationType) {
			r.AuthorizationType, r.AuthorizerId, r.AuthorizationScopes = in.AuthorizationType, nil, nil
		}
		set(&r.AuthorizerId, in.AuthorizerId)
		if in.AuthorizationScopes != nil {
			r.AuthorizationScopes = in.AuthorizationScopes
		}
		set(&r.OperationName, in.OperationName)
		if in.RouteKey != nil && *in.RouteKey != *r.RouteKey && shape.Val(r.ApiGatewayManaged) {
			return bad("The route key of a route that API Gateway manages can only be updated with UpdateApi")
		}
		set(&r.RouteKey, in.RouteKey)
		set(&r.Target, in.Target)
		out = r
		return putRoute(tx, in.ApiId, r)
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.UpdateRouteResult(*out)), nil
}

func (s *Service) DeleteRoute(ctx context.Context, in *v2.DeleteRouteRequest) (*v2.DeleteRouteResponse, error) {
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		return missing(routes.Delete(tx, in.ApiId+"/"+in.RouteId), "Route")
	})
	if err != nil {
		return nil, err
	}
	return &v2.DeleteRouteResponse{}, nil
}

// using lists the keys of the routes for which f holds.
func using(tx *store.Tx, apiID string, f func(r *route) bool) ([]string, error) {
	all, _, err := routes.List(tx, apiID, "", 0)
	var keys []string
	for _, r := range all {
		if f(r) {
			keys = append(keys, *r.RouteKey)
		}
	}
	return keys, err
}

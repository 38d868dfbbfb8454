package httpapis

import (
	"context"
	"errors"
	"slices"
	"strings"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const (
	routeSelection  = "$request.method $request.path"
	apiKeySelection = "$request.header.x-api-key"
	defaultName     = "$default" // of the catch-all route and of the stage without a path
)

// CreateApi makes an HTTP API; with Target also a route ($default, or RouteKey), its integration and an
// automatically deployed stage $default: AWS's quick create.
func (s *Service) CreateApi(ctx context.Context, in *v2.CreateApiRequest) (*v2.CreateApiResponse, error) {
	if in.ProtocolType != v2.ProtocolTypeHttp {
		return nil, unsupported("Protocol type " + in.ProtocolType + " (only HTTP is) is")
	}
	if err := checkAPI(in.RouteSelectionExpression, in.ApiKeySelectionExpression, in.DisableSchemaValidation, in.CorsConfiguration); err != nil {
		return nil, err
	}
	if strings.TrimSpace(in.Name) == "" {
		return nil, bad("Name must not be empty")
	}
	a := s.newAPI(ctx)
	a.CorsConfiguration, a.Description, a.Name, a.Tags, a.Version = in.CorsConfiguration, in.Description, &in.Name, in.Tags, in.Version
	set(&a.DisableExecuteApiEndpoint, in.DisableExecuteApiEndpoint)
	set(&a.IpAddressType, in.IpAddressType)
	if a.Tags == nil {
		a.Tags = map[string]string{}
	}
	if in.Target == nil && (in.RouteKey != nil || in.CredentialsArn != nil) {
		return nil, bad("A target is required when a route key or credentials are specified")
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		id := newID(ctx, ident.APIID)
		a.ApiId = &id
		if err := apis.Insert(tx, store.Key{ID: id, Parent: a.Region}, a); err != nil || in.Target == nil {
			return err
		}
		return s.quickCreate(tx, a, *in.Target, shape.Val(in.RouteKey), in.CredentialsArn)
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.CreateApiResponse(*s.answer(a))), nil
}

// newAPI returns an API of the caller's region with what all have.
func (s *Service) newAPI(ctx context.Context) *api {
	now := s.now().UTC()
	return &api{Region: wire.CallFrom(ctx).Region, GetApiResponse: v2.GetApiResponse{
		ApiKeySelectionExpression: shape.Ptr(apiKeySelection), RouteSelectionExpression: shape.Ptr(routeSelection), CreatedDate: &now,
		DisableExecuteApiEndpoint: shape.Ptr(false), IpAddressType: shape.Ptr(v2.IpAddressTypeIpv4), ProtocolType: shape.Ptr(v2.ProtocolTypeHttp)}}
}

// quickCreate adds the parts that AWS makes of a target.
func (s *Service) quickCreate(tx *store.Tx, a *api, target, routeKey string, credentials *string) error {
	if routeKey == "" {
		routeKey = defaultName
	}
	i := quickIntegration(target)
	i.CredentialsArn = credentials
	i.IntegrationId = shape.Ptr(ident.ShortID())
	if err := checkIntegration(i); err != nil {
		return err
	}
	if err := integrations.Insert(tx, partKey(*a.ApiId, *i.IntegrationId, ""), i); err != nil {
		return err
	}
	r := &route{ApiGatewayManaged: shape.Ptr(true), RouteId: shape.Ptr(ident.ShortID()), RouteKey: &routeKey, Target: shape.Ptr("integrations/" + *i.IntegrationId)}
	if err := checkRoute(tx, *a.ApiId, r); err != nil {
		return err
	}
	if err := routes.Insert(tx, partKey(*a.ApiId, *r.RouteId, *r.RouteKey), r); err != nil {
		return err
	}
	now := tx.Now().UTC()
	st := &stage{ApiGatewayManaged: shape.Ptr(true), AutoDeploy: shape.Ptr(true), StageName: shape.Ptr(defaultName), CreatedDate: &now, LastUpdatedDate: &now,
		DefaultRouteSettings: &v2.RouteSettings{DetailedMetricsEnabled: shape.Ptr(false)}, RouteSettings: map[string]v2.RouteSettings{},
		StageVariables: map[string]string{}, Tags: map[string]string{}}
	return stages.Insert(tx, partKey(*a.ApiId, *st.StageName, *st.StageName), st)
}

// quickIntegration is the integration that AWS makes of a target: a function, or a URL.
func quickIntegration(target string) *integration {
	i := &integration{ApiGatewayManaged: shape.Ptr(true), IntegrationUri: &target}
	if strings.HasPrefix(target, "arn:") {
		i.IntegrationType, i.PayloadFormatVersion = shape.Ptr(v2.IntegrationTypeAwsProxy), shape.Ptr("2.0")
	} else {
		i.IntegrationType, i.PayloadFormatVersion = shape.Ptr(v2.IntegrationTypeHttpProxy), shape.Ptr("1.0")
		i.IntegrationMethod = shape.Ptr("ANY")
	}
	return i
}

// answer is an API as its owner sees it.
func (s *Service) answer(a *api) *v2.GetApiResponse {
	out := a.GetApiResponse
	out.ApiEndpoint = shape.Ptr(s.Endpoint(*a.ApiId))
	return &out
}

func (s *Service) GetApi(ctx context.Context, in *v2.GetApiRequest) (*v2.GetApiResponse, error) {
	var a *api
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		a, err = s.api(ctx, tx, in.ApiId)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.answer(a), nil
}

func (s *Service) GetApis(ctx context.Context, in *v2.GetApisRequest) (*v2.GetApisResponse, error) {
	list, next, err := page(ctx, s, apis, wire.CallFrom(ctx).Region, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &v2.GetApisResponse{Items: make([]v2.Api, len(list)), NextToken: next}
	for i, a := range list {
		a := s.answer(a)
		out.Items[i] = v2.Api{
			Name: shape.Val(a.Name), ProtocolType: shape.Val(a.ProtocolType), RouteSelectionExpression: shape.Val(a.RouteSelectionExpression),
			ApiEndpoint: a.ApiEndpoint, ApiId: a.ApiId, ApiKeySelectionExpression: a.ApiKeySelectionExpression,
			CorsConfiguration: a.CorsConfiguration, CreatedDate: a.CreatedDate, Description: a.Description,
			DisableExecuteApiEndpoint: a.DisableExecuteApiEndpoint, IpAddressType: a.IpAddressType, Tags: a.Tags, Version: a.Version,
		}
	}
	return out, nil
}

func (s *Service) UpdateApi(ctx context.Context, in *v2.UpdateApiRequest) (*v2.UpdateApiResponse, error) {
	if err := checkAPI(in.RouteSelectionExpression, in.ApiKeySelectionExpression, in.DisableSchemaValidation, in.CorsConfiguration); err != nil {
		return nil, err
	}
	if in.Name != nil && strings.TrimSpace(*in.Name) == "" {
		return nil, bad("Name must not be empty")
	}
	var out *api
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		set(&a.CorsConfiguration, in.CorsConfiguration)
		set(&a.Description, in.Description)
		set(&a.DisableExecuteApiEndpoint, in.DisableExecuteApiEndpoint)
		set(&a.IpAddressType, in.IpAddressType)
		set(&a.Name, in.Name)
		set(&a.Version, in.Version)
		if in.Target != nil || in.RouteKey != nil || in.CredentialsArn != nil {
			if err := s.quickUpdate(tx, in); err != nil {
				return err
			}
		}
		out = a
		return apis.Put(tx, store.Key{ID: in.ApiId, Parent: a.Region}, a)
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.UpdateApiResponse(*s.answer(out))), nil
}

// quickUpdate changes the parts that quick create made.
func (s *Service) quickUpdate(tx *store.Tx, in *v2.UpdateApiRequest) error {
	all, _, err := routes.List(tx, in.ApiId, "", 0)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(r *route) bool { return shape.Val(r.ApiGatewayManaged) })
	if at < 0 {
		return bad("Target, routeKey and credentialsArn can only be updated on an API that was made by quick create")
	}
	r := all[at]
	if in.RouteKey != nil {
		r.RouteKey = in.RouteKey
		if err := putRoute(tx, in.ApiId, r); err != nil {
			return err
		}
	}
	if in.Target == nil && in.CredentialsArn == nil {
		return nil
	}
	id := strings.TrimPrefix(shape.Val(r.Target), "integrations/")
	old, err := integrations.Get(tx, in.ApiId+"/"+id)
	if err != nil {
		return missing(err, "Integration")
	}
	i := old
	if in.Target != nil {
		i = quickIntegration(*in.Target)
		i.IntegrationId, i.CredentialsArn = old.IntegrationId, old.CredentialsArn
	}
	set(&i.CredentialsArn, in.CredentialsArn)
	if err := checkIntegration(i); err != nil {
		return err
	}
	return integrations.Put(tx, partKey(in.ApiId, id, ""), i)
}

func (s *Service) DeleteApi(ctx context.Context, in *v2.DeleteApiRequest) (*v2.DeleteApiResponse, error) {
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		if err := unmapped(tx, in.ApiId, ""); err != nil {
			return err
		}
		_, e1 := routes.DeleteAll(tx, in.ApiId)
		_, e2 := integrations.DeleteAll(tx, in.ApiId)
		_, e3 := authorizers.DeleteAll(tx, in.ApiId)
		_, e4 := stages.DeleteAll(tx, in.ApiId)
		_, e5 := deployments.DeleteAll(tx, in.ApiId)
		_, e6 := deployed.DeleteAll(tx, in.ApiId)
		_, e7 := resets.DeleteAll(tx, in.ApiId)
		return errors.Join(e1, e2, e3, e4, e5, e6, e7, apis.Delete(tx, in.ApiId))
	})
	if err != nil {
		return nil, err
	}
	return &v2.DeleteApiResponse{}, nil
}

func (s *Service) DeleteCorsConfiguration(ctx context.Context, in *v2.DeleteCorsConfigurationRequest) (*v2.DeleteCorsConfigurationResponse, error) {
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		a.CorsConfiguration = nil
		return apis.Put(tx, store.Key{ID: in.ApiId, Parent: a.Region}, a)
	})
	if err != nil {
		return nil, err
	}
	return &v2.DeleteCorsConfigurationResponse{}, nil
}

// tagged applies f to the tags of the API, stage or domain that an ARN names:
// arn:aws:apigateway:REGION::/apis/ID, …/stages/NAME, /domainnames/NAME.
func (s *Service) tagged(ctx context.Context, resourceARN string, f func(tags map[string]string)) (tags map[string]string, err error) {
	if _, name, ok := strings.Cut(resourceARN, "::/domainnames/"); ok && strings.HasPrefix(resourceARN, "arn:aws:apigateway:"+wire.CallFrom(ctx).Region+":") {
		return s.taggedDomain(ctx, name, f)
	}
	_, path, ok := strings.Cut(resourceARN, "::/apis/")
	id, name, isStage := strings.Cut(path, "/stages/")
	if !ok || id == "" || !strings.HasPrefix(resourceARN, "arn:aws:apigateway:"+wire.CallFrom(ctx).Region+":") {
		return nil, v2.NotFoundException("Invalid resource ARN specified: %s", resourceARN)
	}
	apply := func(t *map[string]string) {
		if *t == nil {
			*t = map[string]string{}
		}
		f(*t)
		tags = *t
	}
	err = s.update(ctx, id, func(tx *store.Tx, a *api) error {
		if !isStage {
			apply(&a.Tags)
			return apis.Put(tx, store.Key{ID: id, Parent: a.Region}, a)
		}
		st, err := stages.Get(tx, id+"/"+name)
		if err != nil {
			return missing(err, "Stage")
		}
		apply(&st.Tags)
		return stages.Put(tx, partKey(id, name, name), st)
	})
	return tags, err
}

func (s *Service) TagResource(ctx context.Context, in *v2.TagResourceRequest) (*v2.TagResourceResponse, error) {
	_, err := s.tagged(ctx, in.ResourceArn, func(tags map[string]string) {
		for k, v := range in.Tags {
			tags[k] = v
		}
	})
	if err != nil {
		return nil, err
	}
	return &v2.TagResourceResponse{}, nil
}

func (s *Service) UntagResource(ctx context.Context, in *v2.UntagResourceRequest) (*v2.UntagResourceResponse, error) {
	_, err := s.tagged(ctx, in.ResourceArn, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
	if err != nil {
		return nil, err
	}
	return &v2.UntagResourceResponse{}, nil
}

func (s *Service) GetTags(ctx context.Context, in *v2.GetTagsRequest) (*v2.GetTagsResponse, error) {
	tags, err := s.tagged(ctx, in.ResourceArn, func(map[string]string) {})
	if err != nil {
		return nil, err
	}
	return &v2.GetTagsResponse{Tags: tags}, nil
}

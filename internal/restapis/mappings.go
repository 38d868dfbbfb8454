package restapis

import (
	"context"
	"errors"
	"regexp"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

var basePath = regexp.MustCompile(`^[a-zA-Z0-9$_.+!*'()-]+$`)

const noBasePath = "(none)"

// mappingView is a mapping as this API shows it.
func mappingView(m *domains.Mapping) *v1.BasePathMapping {
	out := &v1.BasePathMapping{BasePath: shape.Ptr(m.Key), RestApiId: &m.APIID, Stage: opt(m.Stage)}
	if m.Key == "" {
		out.BasePath = shape.Ptr(noBasePath)
	}
	return out
}

// settleMapping gives a mapping what a view of it says.
func settleMapping(m *domains.Mapping, v *v1.BasePathMapping) error {
	key := keyOf(shape.Val(v.BasePath))
	if key != m.Key && strings.Contains(key, "/") { // one of several levels, which the other API made, may stay
		return bad("API Gateway V1 doesn't support the slash character (/) in base path mappings. To create a multi-level base path mapping, use API Gateway V2.")
	}
	if key != m.Key && key != "" && (len(key) > 300 || !basePath.MatchString(key)) {
		return bad("Invalid base path: %s. It may have letters, numbers and $-_.+!*'()", key)
	}
	m.Key, m.APIID, m.Stage = key, shape.Val(v.RestApiId), strings.TrimSpace(shape.Val(v.Stage))
	if m.Stage == noBasePath {
		m.Stage = ""
	}
	return nil
}

// keyOf is the path that a base path names: "" for (none).
func keyOf(path string) string {
	if path = strings.TrimPrefix(path, "/"); path == noBasePath {
		return ""
	}
	return path
}

// mappingError puts what is wrong with a mapping into this API's words.
func mappingError(err error) error {
	switch {
	case errors.Is(err, domains.ErrMapped):
		return v1.ConflictException("Base path already exists for this domain name")
	case errors.Is(err, domains.ErrNoMapping):
		return v1.NotFoundException("Invalid base path mapping identifier specified")
	case errors.Is(err, domains.ErrNoAPI):
		return bad("Invalid REST API identifier specified")
	case errors.Is(err, domains.ErrNoStage):
		return bad("Invalid stage identifier specified")
	}
	return err
}

func (s *Service) CreateBasePathMapping(ctx context.Context, in *v1.CreateBasePathMappingRequest) (*v1.BasePathMapping, error) {
	m := &domains.Mapping{ID: ident.AuthorizerID(), DomainName: in.DomainName}
	if err := settleMapping(m, &v1.BasePathMapping{BasePath: in.BasePath, RestApiId: &in.RestApiId, Stage: in.Stage}); err != nil {
		return nil, err
	}
	if err := s.domains.Map(ctx, region(ctx), m, s); err != nil {
		return nil, mappingError(err)
	}
	return mappingView(m), nil
}

func (s *Service) GetBasePathMapping(ctx context.Context, in *v1.GetBasePathMappingRequest) (*v1.BasePathMapping, error) {
	m, err := s.domains.Mapping(ctx, region(ctx), in.DomainName, domains.ByKey(keyOf(in.BasePath)))
	if err != nil {
		return nil, mappingError(err)
	}
	return mappingView(m), nil
}

func (s *Service) GetBasePathMappings(ctx context.Context, in *v1.GetBasePathMappingsRequest) (*v1.BasePathMappings, error) {
	n, err := limitOf(in.Limit)
	if err != nil {
		return nil, err
	}
	list, next, err := s.domains.Mappings(ctx, region(ctx), in.DomainName, shape.Val(in.Position), n)
	if err != nil {
		return nil, err
	}
	out := &v1.BasePathMappings{Items: make([]v1.BasePathMapping, len(list)), Position: opt(next)}
	for i, m := range list {
		out.Items[i] = *mappingView(m)
	}
	return out, nil
}

// mappingFields is what can be patched of a base path mapping.
var mappingFields = []field[v1.BasePathMapping]{
	{"/basePath", "replace", func(m *v1.BasePathMapping, p patch) error {
		m.BasePath = &p.value
		return nil
	}},
	{"/restapiId", "replace", setName(func(m *v1.BasePathMapping) **string { return &m.RestApiId })},
	{"/stage", "replace", setText(func(m *v1.BasePathMapping) **string { return &m.Stage })},
}

func (s *Service) UpdateBasePathMapping(ctx context.Context, in *v1.UpdateBasePathMappingRequest) (*v1.BasePathMapping, error) {
	m, err := s.domains.Remap(ctx, region(ctx), in.DomainName, domains.ByKey(keyOf(in.BasePath)), s, func(m *domains.Mapping) error {
		v := mappingView(m)
		if err := apply(mappingFields, v, in.PatchOperations); err != nil {
			return err
		}
		return settleMapping(m, v)
	})
	if err != nil {
		return nil, mappingError(err)
	}
	return mappingView(m), nil
}

func (s *Service) DeleteBasePathMapping(ctx context.Context, in *v1.DeleteBasePathMappingRequest) (*v1.DeleteBasePathMappingResponse, error) {
	if err := s.domains.Unmap(ctx, region(ctx), in.DomainName, domains.ByKey(keyOf(in.BasePath))); err != nil {
		return nil, mappingError(err)
	}
	return &v1.DeleteBasePathMappingResponse{}, nil
}

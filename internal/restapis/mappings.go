package restapis

import (
	"context"
	"errors"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// mapped notes with an API which base paths lead to it: API/NAME/BASEPATH, of the API.
var mapped = store.Kind[v1.BasePathMapping]{Name: "restapis.mapped"}

// mappedTo returns a base path that leads to an API, or to one of its stages, as NAME/BASEPATH; "" if none does.
func mappedTo(tx *store.Tx, apiID, stage string) (string, error) {
	list, err := every(tx, mapped, apiID)
	for _, m := range list {
		if stage == "" || shape.Val(m.Stage) == stage {
			return *m.BasePath, err
		}
	}
	return "", err
}

// putMapping stores a mapping, new or changed, in both places.
func putMapping(tx *store.Tx, domain string, m *v1.BasePathMapping) error {
	if err := mappings.Put(tx, partKey(domain, *m.BasePath, ""), m); err != nil {
		return err
	}
	back := *m
	back.BasePath = shape.Ptr(domain + "/" + *m.BasePath)
	return mapped.Put(tx, partKey(*m.RestApiId, *back.BasePath, ""), &back)
}

func dropMapping(tx *store.Tx, domain string, m *v1.BasePathMapping) error {
	err := mapped.Delete(tx, *m.RestApiId+"/"+domain+"/"+*m.BasePath)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return mappings.Delete(tx, domain+"/"+*m.BasePath)
}

// checkMapping holds a mapping against AWS's rules. Where it leads must exist.
func (s *Service) checkMapping(ctx context.Context, tx *store.Tx, m *v1.BasePathMapping) error {
	if b := *m.BasePath; b != noBasePath && !basePath.MatchString(b) {
		return bad("API Gateway V1 doesn't support the slash character (/) in base path mappings: the base path may have letters, numbers and $-_.+!*'(). Base path: %s", b)
	}
	if _, err := s.api(ctx, tx, shape.Val(m.RestApiId)); err != nil {
		if shape.HasCode(err, "NotFoundException") {
			return bad("Invalid REST API identifier specified")
		}
		return err
	}
	if m.Stage = opt(strings.TrimSpace(shape.Val(m.Stage))); m.Stage == nil || *m.Stage == noBasePath {
		m.Stage = nil
		return nil
	}
	if _, err := stages.Get(tx, *m.RestApiId+"/"+*m.Stage); missing(err, "") != err {
		return bad("Invalid stage identifier specified")
	} else if err != nil {
		return err
	}
	return nil
}

func pathOf(p string) string {
	if p = strings.TrimPrefix(p, "/"); p == "" {
		return noBasePath
	}
	return p
}

func (s *Service) CreateBasePathMapping(ctx context.Context, in *v1.CreateBasePathMappingRequest) (*v1.BasePathMapping, error) {
	m := &v1.BasePathMapping{BasePath: shape.Ptr(pathOf(shape.Val(in.BasePath))), RestApiId: &in.RestApiId, Stage: in.Stage}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := domainOf(ctx, tx, in.DomainName)
		if err != nil {
			return err
		}
		if err := s.checkMapping(ctx, tx, m); err != nil {
			return err
		}
		name := *d.DomainName.DomainName
		if err := mappings.Insert(tx, partKey(name, *m.BasePath, ""), m); err != nil {
			return taken(err, "Base path already exists for this domain name")
		}
		return putMapping(tx, name, m)
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func noMapping() error {
	return v1.NotFoundException("Invalid base path mapping identifier specified")
}

// mapping returns a mapping of a domain of the caller's region, and the domain's name.
func mapping(ctx context.Context, tx *store.Tx, domain, base string) (string, *v1.BasePathMapping, error) {
	d, err := domainOf(ctx, tx, domain)
	if err != nil {
		return "", nil, err
	}
	m, err := mappings.Get(tx, *d.DomainName.DomainName+"/"+pathOf(base))
	if errors.Is(err, store.ErrNotFound) {
		err = noMapping()
	}
	return *d.DomainName.DomainName, m, err
}

func (s *Service) GetBasePathMapping(ctx context.Context, in *v1.GetBasePathMappingRequest) (m *v1.BasePathMapping, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		_, m, err = mapping(ctx, tx, in.DomainName, in.BasePath)
		return err
	})
	return m, err
}

func (s *Service) GetBasePathMappings(ctx context.Context, in *v1.GetBasePathMappingsRequest) (*v1.BasePathMappings, error) {
	out := &v1.BasePathMappings{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		d, err := domainOf(ctx, tx, in.DomainName)
		if err != nil {
			return err
		}
		out.Items, out.Position, err = pageOf(tx, mappings, *d.DomainName.DomainName, in.Position, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// mappingFields is what can be patched of a base path mapping.
var mappingFields = []field[v1.BasePathMapping]{
	{"/basePath", "replace", func(m *v1.BasePathMapping, p patch) error {
		m.BasePath = shape.Ptr(pathOf(p.value))
		return nil
	}},
	{"/restapiId", "replace", setName(func(m *v1.BasePathMapping) **string { return &m.RestApiId })},
	{"/stage", "replace", setText(func(m *v1.BasePathMapping) **string { return &m.Stage })},
}

func (s *Service) UpdateBasePathMapping(ctx context.Context, in *v1.UpdateBasePathMappingRequest) (m *v1.BasePathMapping, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		var name string
		if name, m, err = mapping(ctx, tx, in.DomainName, in.BasePath); err != nil {
			return err
		}
		if err := dropMapping(tx, name, m); err != nil {
			return err
		}
		if err := apply(mappingFields, m, in.PatchOperations); err != nil {
			return err
		}
		if err := s.checkMapping(ctx, tx, m); err != nil {
			return err
		}
		if _, err := mappings.Get(tx, name+"/"+*m.BasePath); err == nil {
			return v1.ConflictException("Base path already exists for this domain name")
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return putMapping(tx, name, m)
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (s *Service) DeleteBasePathMapping(ctx context.Context, in *v1.DeleteBasePathMappingRequest) (*v1.DeleteBasePathMappingResponse, error) {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		name, m, err := mapping(ctx, tx, in.DomainName, in.BasePath)
		if err != nil {
			return err
		}
		return dropMapping(tx, name, m)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteBasePathMappingResponse{}, nil
}

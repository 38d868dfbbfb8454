package restapis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// refusal returns the error for what is wrong in a definition, or nil. Warnings count if they are to.
func (d *definition) refusal(failOnWarnings *bool) error {
	if why := d.Refusal(shape.Val(failOnWarnings)); why != "" {
		return bad("%s", why)
	}
	return nil
}

// mayImport asks for the roles and the resource policy in a document, as for those in other calls. path is the
// API's below /restapis.
func (s *Service) mayImport(ctx context.Context, d *definition, path string) error {
	if s.ask == nil {
		return nil
	}
	if shape.Val(d.api.Policy) != "" {
		if err := s.ask(ctx, "apigateway:UpdateRestApiPolicy", "arn:aws:apigateway:"+region(ctx)+"::/restapis"+path, ""); err != nil {
			return err
		}
	}
	roles := map[string]bool{}
	for _, z := range d.authorizers {
		roles[shape.Val(z.AuthorizerCredentials)] = true
	}
	for i := range d.methods {
		if in := d.methods[i].method.MethodIntegration; in != nil {
			roles[shape.Val(in.Credentials)] = true
		}
	}
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		if err := s.ask(ctx, "iam:PassRole", role, "apigateway.amazonaws.com"); err != nil {
			return err
		}
	}
	return nil
}

// ImportRestApi makes an API of an OpenAPI document.
func (s *Service) ImportRestApi(ctx context.Context, in *v1.ImportRestApiRequest) (*v1.RestApi, error) {
	now := s.now().UTC()
	id := newID(ctx, ident.APIID)
	d, err := readDefinition(in.Body, id, openapi.Variables(s.account, region(ctx)), in.Parameters)
	if err != nil {
		return nil, err
	}
	if err := d.refusal(in.FailOnWarnings); err != nil {
		return nil, err
	}
	if err := s.mayImport(ctx, d, ""); err != nil {
		return nil, err
	}
	var a *api
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		a = &api{Region: region(ctx), RestApi: v1.RestApi{Id: &id, CreatedDate: &now, Name: or(d.api.Name, "api"), ApiKeySource: shape.Ptr(v1.ApiKeySourceTypeHeader),
			DisableExecuteApiEndpoint: shape.Ptr(false)}}
		d.settle(a)
		if err := s.checkAPI(a); err != nil {
			return err
		}
		if err := s.insertAPI(ctx, tx, a); err != nil {
			return err
		}
		return s.overwrite(tx, a, d)
	})
	if err != nil {
		return nil, err
	}
	out := answer(a)
	out.Warnings = d.Warnings
	return out, nil
}

// PutRestApi brings an OpenAPI document into an API: merged with what there is, or in its place. Stages and
// deployments stay.
func (s *Service) PutRestApi(ctx context.Context, in *v1.PutRestApiRequest) (*v1.RestApi, error) {
	mode := shape.Val(in.Mode)
	if mode == "" {
		mode = v1.PutModeMerge
	}
	if mode != v1.PutModeMerge && mode != v1.PutModeOverwrite {
		return nil, bad("Invalid mode specified. Must be one of: [merge, overwrite]")
	}
	d, err := readDefinition(in.Body, in.RestApiId, openapi.Variables(s.account, region(ctx)), in.Parameters)
	if err != nil {
		return nil, err
	}
	if err := d.refusal(in.FailOnWarnings); err != nil {
		return nil, err
	}
	if err := s.mayImport(ctx, d, "/"+in.RestApiId); err != nil {
		return nil, err
	}
	var out *v1.RestApi
	err = s.update(ctx, in.RestApiId, func(tx *store.Tx, a *api) error {
		if mode == v1.PutModeOverwrite {
			a.Description, a.BinaryMediaTypes, a.MinimumCompressionSize, a.Policy = nil, nil, nil, nil
		}
		if d.api.Name != nil {
			a.Name = d.api.Name
		}
		d.settle(a)
		if err := s.checkAPI(a); err != nil {
			return err
		}
		if err := putAPI(tx, a); err != nil {
			return err
		}
		out = answer(a)
		if mode == v1.PutModeOverwrite {
			return s.overwrite(tx, a, d)
		}
		return s.merge(tx, a, d)
	})
	if err != nil {
		return nil, err
	}
	out.Warnings = d.Warnings
	return out, nil
}

// settle puts the settings that a document has into an API.
func (d *definition) settle(a *api) {
	src := &d.api
	a.Description, a.Version = orElse(src.Description, a.Description), orElse(src.Version, a.Version)
	a.Policy, a.ApiKeySource = orElse(src.Policy, a.Policy), orElse(src.ApiKeySource, a.ApiKeySource)
	a.DisableExecuteApiEndpoint = orElse(src.DisableExecuteApiEndpoint, a.DisableExecuteApiEndpoint)
	a.EndpointConfiguration = orElse(src.EndpointConfiguration, a.EndpointConfiguration)
	if d.given[openapi.XBinary] {
		a.BinaryMediaTypes = src.BinaryMediaTypes
	}
	if d.given[openapi.XMinCompression] {
		a.MinimumCompressionSize = src.MinimumCompressionSize
	}
	if src.Tags != nil {
		a.Tags = merged(a.Tags, src.Tags)
	}
}

// overwrite puts a definition in the place of an API's live configuration.
func (s *Service) overwrite(tx *store.Tx, a *api, d *definition) error {
	all, err := every(tx, resources, *a.Id)
	if err != nil {
		return err
	}
	for _, r := range all {
		if *r.Id == *a.RootResourceId {
			r.ResourceMethods = nil
			err = putResource(tx, *a.Id, r)
		} else {
			err = resources.Delete(tx, *a.Id+"/"+*r.Id)
		}
		if err != nil {
			return err
		}
	}
	if _, err := models.DeleteAll(tx, *a.Id); err != nil {
		return err
	}
	for _, m := range defaultModels() { // others refer to Empty
		if err := models.Insert(tx, partKey(*a.Id, *m.Name, ""), m); err != nil {
			return err
		}
	}
	_, e1 := validators.DeleteAll(tx, *a.Id)
	_, e2 := responses.DeleteAll(tx, *a.Id)
	_, e3 := docParts.DeleteAll(tx, *a.Id)
	// Authorizers that stay keep their ids, which others may hold.
	zs, e4 := every(tx, authorizers, *a.Id)
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		return err
	}
	for _, z := range zs {
		if _, stays := d.authorizers[*z.Name]; !stays {
			if err := authorizers.Delete(tx, *a.Id+"/"+*z.Id); err != nil {
				return err
			}
		}
	}
	return s.merge(tx, a, d)
}

// merge adds a definition to an API's live configuration: where both have something, the definition's counts.
func (s *Service) merge(tx *store.Tx, a *api, d *definition) error {
	id := *a.Id
	for _, m := range d.models {
		m := *m
		m.Id = shape.Ptr(shortID())
		if err := models.Put(tx, partKey(id, *m.Name, ""), &m); err != nil {
			return err
		}
	}
	var faults []string
	for _, m := range d.models { // when all are there, for they refer to each other
		if err := checkModel(tx, id, m); err != nil {
			faults = append(faults, "Unable to create model '"+*m.Name+"': "+message(err))
		}
	}
	validatorIDs, err := s.mergeValidators(tx, id, d)
	if err != nil {
		return err
	}
	authorizerIDs := map[string]string{}
	for _, name := range sortedKeys(d.authorizers) {
		z := *d.authorizers[name]
		z.Id = shape.Ptr(shortID())
		if old, err := authorizers.ByName(tx, id, name); err == nil {
			z.Id = old.Id
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := authorizers.Put(tx, partKey(id, *z.Id, name), &z); err != nil {
			return err
		}
		authorizerIDs[name] = *z.Id
	}
	for _, g := range d.responses {
		if err := responses.Put(tx, partKey(id, *g.ResponseType, ""), g); err != nil {
			return err
		}
	}
	t, err := newTree(tx, a)
	if err != nil {
		return err
	}
	for _, p := range d.paths {
		if _, err := t.at(p); err != nil {
			faults = append(faults, "Unable to create resource at path '"+p+"': "+message(err))
		}
	}
	for i := range d.methods {
		dm := &d.methods[i]
		r, err := t.at(dm.path)
		if err != nil {
			continue // said already
		}
		m := dm.method
		if dm.authorizer != "" {
			m.AuthorizerId = opt(authorizerIDs[dm.authorizer])
		}
		if dm.validator != "" {
			m.RequestValidatorId = opt(validatorIDs[dm.validator])
		}
		if m.MethodIntegration != nil {
			i := *m.MethodIntegration
			i.CacheNamespace = or(i.CacheNamespace, *r.Id)
			m.MethodIntegration = &i
		}
		err = checkMethod(tx, id, &m)
		for _, status := range sortedKeys(m.MethodResponses) {
			resp := m.MethodResponses[status]
			err = errors.Join(err, checkMethodResponse(tx, id, &resp))
		}
		if err != nil {
			var refused *shape.Error
			if !errors.As(err, &refused) {
				return err
			}
			faults = append(faults, "Unable to put method '"+dm.name+"' on resource at path '"+dm.path+"': "+refused.Message)
			continue
		}
		r.ResourceMethods = merged(r.ResourceMethods, map[string]v1.Method{dm.name: m})
		t.changed[*r.Id] = true
	}
	if len(faults) > 0 {
		return bad("Errors found during import:\n\t%s", strings.Join(faults, "\n\t"))
	}
	if err := t.store(); err != nil {
		return err
	}
	_, err = s.mergeParts(tx, id, d)
	return err
}

// mergeValidators stores the validators of a definition, and returns their ids by name.
func (s *Service) mergeValidators(tx *store.Tx, id string, d *definition) (map[string]string, error) {
	ids := map[string]string{}
	old, err := every(tx, validators, id)
	if err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(d.validators) {
		v := *d.validators[name]
		v.Id = shape.Ptr(shortID())
		if i := slices.IndexFunc(old, func(o *v1.RequestValidator) bool { return shape.Val(o.Name) == name }); i >= 0 {
			v.Id = old[i].Id
		}
		if err := validators.Put(tx, partKey(id, *v.Id, ""), &v); err != nil {
			return nil, err
		}
		ids[name] = *v.Id
	}
	return ids, nil
}

// mergeParts stores the documentation of a definition, and returns the ids of its parts.
func (s *Service) mergeParts(tx *store.Tx, id string, d *definition) ([]string, error) {
	ids := []string{}
	for _, p := range d.parts {
		p, name := *p, locationName(p.Location)
		p.Id = shape.Ptr(shortID())
		if old, err := docParts.ByName(tx, id, name); err == nil {
			p.Id = old.Id
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err := docParts.Put(tx, partKey(id, *p.Id, name), &p); err != nil {
			return nil, err
		}
		ids = append(ids, *p.Id)
	}
	return ids, nil
}

// ImportDocumentationParts takes the documentation out of an OpenAPI document.
func (s *Service) ImportDocumentationParts(ctx context.Context, in *v1.ImportDocumentationPartsRequest) (*v1.DocumentationPartIds, error) {
	mode := shape.Val(in.Mode)
	if mode != "" && mode != v1.PutModeMerge && mode != v1.PutModeOverwrite {
		return nil, bad("Invalid mode specified. Must be one of: [merge, overwrite]")
	}
	d, err := readDefinition(in.Body, in.RestApiId, openapi.Variables(s.account, region(ctx)), nil)
	if err != nil {
		return nil, err
	}
	d.Errors = nil // of what is not taken
	if err := d.refusal(in.FailOnWarnings); err != nil {
		return nil, err
	}
	out := &v1.DocumentationPartIds{Warnings: d.Warnings}
	err = s.update(ctx, in.RestApiId, func(tx *store.Tx, a *api) (err error) {
		if mode == v1.PutModeOverwrite {
			if _, err := docParts.DeleteAll(tx, in.RestApiId); err != nil {
				return err
			}
		}
		out.Ids, err = s.mergeParts(tx, in.RestApiId, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// tree is an API's resources while an import works on them.
type tree struct {
	api     string
	tx      *store.Tx
	byPath  map[string]*v1.Resource
	byName  map[string]*v1.Resource
	changed map[string]bool
	ids     map[string]bool
}

func newTree(tx *store.Tx, a *api) (*tree, error) {
	all, err := every(tx, resources, *a.Id)
	t := &tree{api: *a.Id, tx: tx, byPath: map[string]*v1.Resource{}, byName: map[string]*v1.Resource{}, changed: map[string]bool{}, ids: map[string]bool{}}
	for _, r := range all {
		t.ids[*r.Id] = true
		t.byPath[*r.Path], t.byName[resourceName(r)] = r, r
	}
	return t, err
}

// at returns the resource at a path, made with those above it if need be.
func (t *tree) at(path string) (*v1.Resource, error) {
	if r := t.byPath[path]; r != nil {
		return r, nil
	}
	if len(path) > maxPath {
		return nil, bad("The path of a resource cannot be longer than %d characters", maxPath)
	}
	i := strings.LastIndexByte(path, '/')
	parent, err := t.at(path[:max(i, 1)])
	if err != nil {
		return nil, err
	}
	part := path[i+1:]
	r := &v1.Resource{ParentId: parent.Id, PathPart: &part, Path: &path}
	if other := t.byName[resourceName(r)]; other != nil {
		return nil, bad("A sibling (%s) of this resource already has a variable path part -- only one is allowed", *other.PathPart)
	}
	if strings.HasSuffix(shape.Val(parent.PathPart), "+}") {
		return nil, bad("Cannot create a child of a resource with a greedy path variable: %s", *parent.PathPart)
	}
	for r.Id == nil || t.ids[*r.Id] {
		r.Id = shape.Ptr(shortID())
	}
	t.ids[*r.Id] = true
	t.byPath[path], t.byName[resourceName(r)], t.changed[*r.Id] = r, r, true
	return r, nil
}

// store writes the resources that were made or changed.
func (t *tree) store() error {
	for _, path := range sortedKeys(t.byPath) {
		if r := t.byPath[path]; t.changed[*r.Id] {
			if err := putResource(t.tx, t.api, r); err != nil {
				return err
			}
		}
	}
	return nil
}

package httpapis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// MaxBody is the size of the largest body of an operation's request, in bytes; 0 leaves it to the wire. A document
// comes as text in JSON, where each of its quotes takes two bytes.
func MaxBody(operation string) int64 {
	if operation == "ImportApi" || operation == "ReimportApi" {
		return 2 * openapi.MaxSize
	}
	return 0
}

// define reads a document for an import, and asks whether its roles may be passed.
func (s *Service) define(ctx context.Context, body string, basePath *string, failOnWarnings *bool) (*definition, error) {
	d, err := readDefinition(body, shape.Val(basePath), openapi.Variables(s.account, wire.CallFrom(ctx).Region))
	if err != nil {
		return nil, err
	}
	if why := d.Refusal(shape.Val(failOnWarnings)); why != "" {
		return nil, bad("%s", why)
	}
	if s.ask == nil {
		return d, nil
	}
	roles := map[string]bool{}
	for _, z := range d.authorizers {
		roles[shape.Val(z.AuthorizerCredentialsArn)] = true
	}
	for _, i := range d.integrations {
		roles[shape.Val(i.CredentialsArn)] = true
	}
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		if err := s.ask(ctx, "iam:PassRole", role, "apigateway.amazonaws.com"); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// ImportApi makes an API of an OpenAPI document. It has no stage: nothing is served before one is made.
func (s *Service) ImportApi(ctx context.Context, in *v2.ImportApiRequest) (*v2.ImportApiResponse, error) {
	return s.importAPI(ctx, in, nil)
}

// importAPI is ImportApi for a document that need not say the API's name if name does.
func (s *Service) importAPI(ctx context.Context, in *v2.ImportApiRequest, name *string) (*v2.ImportApiResponse, error) {
	d, err := s.define(ctx, in.Body, in.Basepath, in.FailOnWarnings)
	if err != nil {
		return nil, err
	}
	if set(&d.name, name); strings.TrimSpace(shape.Val(d.name)) == "" {
		return nil, bad("Errors found during import:\n\tThe API has no name: attribute info.title is missing")
	}
	a := s.newAPI(ctx)
	a.ApiId = shape.Ptr(newID(ctx, ident.APIID))
	if err := s.db.Update(ctx, func(tx *store.Tx) error { return d.store(tx, a) }); err != nil {
		return nil, err
	}
	out := v2.ImportApiResponse(*s.answer(a))
	out.ImportInfo, out.Warnings = d.info, d.Warnings
	return &out, nil
}

// ReimportApi puts an OpenAPI document in the place of what an API is. Stages and deployments stay, and so do the
// ids of routes and authorizers that stay.
func (s *Service) ReimportApi(ctx context.Context, in *v2.ReimportApiRequest) (*v2.ReimportApiResponse, error) {
	d, err := s.define(ctx, in.Body, in.Basepath, in.FailOnWarnings)
	if err != nil {
		return nil, err
	}
	var out v2.ReimportApiResponse
	err = s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		err := d.store(tx, a)
		out = v2.ReimportApiResponse(*s.answer(a))
		return err
	})
	if err != nil {
		return nil, err
	}
	out.ImportInfo, out.Warnings = d.info, d.Warnings
	return &out, nil
}

// store makes a definition the API's live configuration.
func (d *definition) store(tx *store.Tx, a *api) error {
	id := *a.ApiId
	set(&a.Name, d.name)
	a.Version, a.Description, a.CorsConfiguration = d.version, d.description, d.cors
	a.DisableExecuteApiEndpoint = shape.Ptr(shape.Val(d.disabled))
	tags := maps.Clone(a.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, d.tags)
	a.Tags = tags
	old, err := live(tx, a)
	if err != nil {
		return err
	}
	_, e1 := routes.DeleteAll(tx, id)
	_, e2 := integrations.DeleteAll(tx, id)
	_, e3 := authorizers.DeleteAll(tx, id)
	if err := errors.Join(e1, e2, e3, apis.Put(tx, store.Key{ID: id, Parent: a.Region}, a)); err != nil {
		return err
	}
	ids := map[string]string{} // of authorizers, by name
	for _, z := range d.authorizers {
		z.AuthorizerId = shape.Ptr(ident.AuthorizerID())
		if at := slices.IndexFunc(old.Authorizers, func(o *authorizer) bool { return *o.Name == *z.Name }); at >= 0 {
			z.AuthorizerId = old.Authorizers[at].AuthorizerId
		}
		ids[*z.Name] = *z.AuthorizerId
		if err := authorizers.Insert(tx, partKey(id, *z.AuthorizerId, ""), z); err != nil {
			return err
		}
	}
	for _, i := range d.integrations {
		i.IntegrationId = shape.Ptr(ident.ShortID())
		if err := integrations.Insert(tx, partKey(id, *i.IntegrationId, ""), i); err != nil {
			return err
		}
	}
	kept := map[string]*string{}
	for _, r := range old.Routes {
		kept[*r.RouteKey] = r.RouteId
	}
	for i := range d.routes {
		r := &d.routes[i]
		if r.RouteId = kept[*r.RouteKey]; r.RouteId == nil {
			r.RouteId = shape.Ptr(ident.ShortID())
		}
		r.AuthorizerId = opt(ids[r.authorizer])
		if r.target >= 0 {
			r.Target = shape.Ptr("integrations/" + *d.integrations[r.target].IntegrationId)
		}
		err := putRoute(tx, id, &r.route)
		var refused *shape.Error
		if errors.As(err, &refused) {
			return bad("Errors found during import:\n\tUnable to create route '%s': %s", *r.RouteKey, refused.Message)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

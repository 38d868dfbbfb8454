package restapis

import (
	"context"
	"errors"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// exists returns a function for mine that looks for a document.
func exists[T any](k store.Kind[T], id string) func(tx *store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := k.Get(tx, id)
		return err
	}
}

type modelType struct{ s *Service }

func (h modelType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateModelRequest)
	defaults := map[string]any{"Name": r.ID(ident.Lower, ident.LowerNum, 16), "ContentType": "application/json"}
	if err := bind(ctx, in, resource.With(defaults, r.Props), nil); err != nil {
		return resource.Result{}, err
	}
	res := resource.Result{PhysicalID: in.Name}
	if ok, err := h.s.mine(ctx, r, in.RestApiId, in.Name, exists(models, in.RestApiId+"/"+in.Name)); ok || err != nil {
		return res, err
	}
	_, err := h.s.CreateModel(ctx, in)
	return res, err
}

func (h modelType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := &v1.UpdateModelRequest{RestApiId: prop(r, "RestApiId"), ModelName: r.PhysicalID,
		PatchOperations: []v1.PatchOperation{patchTo(r.Props, "Description", "/description"), patchTo(r.Props, "Schema", "/schema")}}
	if err := ask(ctx, in); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.UpdateModel(ctx, in)
	return resource.Result{PhysicalID: r.PhysicalID}, err
}

func (h modelType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteModelRequest{RestApiId: prop(r, "RestApiId"), ModelName: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteModel(ctx, in)
	return gone(err)
}

type validatorType struct{ s *Service }

func (h validatorType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateRequestValidatorRequest)
	if err := bind(ctx, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	id := stepID(r, shortID)
	if _, ok, err := made(ctx, h.s, validators, in.RestApiId+"/"+id); ok || err != nil {
		return only("RequestValidatorId", id), err
	}
	_, err := h.s.CreateRequestValidator(step(ctx, r), in)
	return only("RequestValidatorId", id), err
}

func (h validatorType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := &v1.UpdateRequestValidatorRequest{RestApiId: prop(r, "RestApiId"), RequestValidatorId: r.PhysicalID}
	for _, name := range []string{"ValidateRequestBody", "ValidateRequestParameters"} {
		props := resource.With(map[string]any{name: "false"}, r.Props)
		in.PatchOperations = append(in.PatchOperations, patchTo(props, name, "/v"+name[1:]))
	}
	if err := ask(ctx, in); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.UpdateRequestValidator(ctx, in)
	return only("RequestValidatorId", r.PhysicalID), err
}

func (h validatorType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteRequestValidatorRequest{RestApiId: prop(r, "RestApiId"), RequestValidatorId: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteRequestValidator(ctx, in)
	return gone(err)
}

type authorizerType struct{ s *Service }

func (h authorizerType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateAuthorizerRequest)
	if err := bind(ctx, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	id := stepID(r, shortID)
	if _, ok, err := made(ctx, h.s, authorizers, in.RestApiId+"/"+id); ok || err != nil {
		return only("AuthorizerId", id), err
	}
	_, err := h.s.CreateAuthorizer(step(ctx, r), in)
	return only("AuthorizerId", id), err
}

func (h authorizerType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	api := prop(r, "RestApiId")
	if err := ask(ctx, &v1.UpdateAuthorizerRequest{RestApiId: api, AuthorizerId: r.PhysicalID}); err != nil {
		return resource.Result{}, err
	}
	z := new(v1.Authorizer)
	if err := bind(ctx, z, r.Props, map[string]string{"RestApiId": ""}); err != nil {
		return resource.Result{}, err
	}
	_, err := change(ctx, h.s, authorizers, "Authorizer", api, r.PhysicalID, func(z *v1.Authorizer) string { return *z.Name }, func(_ *store.Tx, doc *v1.Authorizer) error {
		z.Id = doc.Id
		*doc = *z
		return checkAuthorizer(doc)
	})
	return only("AuthorizerId", r.PhysicalID), uniqueAuthorizer(err, shape.Val(z.Name))
}

func (h authorizerType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteAuthorizerRequest{RestApiId: prop(r, "RestApiId"), AuthorizerId: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteAuthorizer(ctx, in)
	return gone(err)
}

type responseType struct{ s *Service }

func (h responseType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.PutGatewayResponseRequest)
	if err := bind(ctx, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	there := exists(responses, in.RestApiId+"/"+in.ResponseType)
	ok, err := h.s.mine(ctx, r, in.RestApiId, in.ResponseType, there)
	if ok || err != nil {
		return h.result(r), err
	}
	if err := h.s.db.View(ctx, there); err == nil {
		return resource.Result{}, v1.ConflictException("Gateway response %s is customized already", in.ResponseType)
	} else if !errors.Is(err, store.ErrNotFound) {
		return resource.Result{}, err
	}
	_, err = h.s.PutGatewayResponse(ctx, in)
	return h.result(r), err
}

func (h responseType) result(r *resource.Request) resource.Result {
	return only("Id", prop(r, "RestApiId")+"|"+prop(r, "ResponseType"))
}

func (h responseType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.PutGatewayResponseRequest)
	if err := bind(ctx, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.PutGatewayResponse(ctx, in)
	return h.result(r), err
}

func (h responseType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteGatewayResponseRequest{RestApiId: prop(r, "RestApiId"), ResponseType: prop(r, "ResponseType")}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteGatewayResponse(ctx, in)
	return gone(err)
}

type docPartType struct{ s *Service }

func (h docPartType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateDocumentationPartRequest)
	if err := bind(ctx, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	id := stepID(r, shortID)
	if _, ok, err := made(ctx, h.s, docParts, in.RestApiId+"/"+id); ok || err != nil {
		return only("DocumentationPartId", id), err
	}
	_, err := h.s.CreateDocumentationPart(step(ctx, r), in)
	return only("DocumentationPartId", id), err
}

func (h docPartType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := &v1.UpdateDocumentationPartRequest{RestApiId: prop(r, "RestApiId"), DocumentationPartId: r.PhysicalID, PatchOperations: []v1.PatchOperation{patchTo(r.Props, "Properties", "/properties")}}
	if err := ask(ctx, in); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.UpdateDocumentationPart(ctx, in)
	return only("DocumentationPartId", r.PhysicalID), err
}

func (h docPartType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteDocumentationPartRequest{RestApiId: prop(r, "RestApiId"), DocumentationPartId: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteDocumentationPart(ctx, in)
	return gone(err)
}

type docVersionType struct{ s *Service }

func (h docVersionType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateDocumentationVersionRequest)
	if err := bind(ctx, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	res := resource.Result{PhysicalID: in.DocumentationVersion}
	if ok, err := h.s.mine(ctx, r, in.RestApiId, in.DocumentationVersion, exists(docVersions, in.RestApiId+"/"+in.DocumentationVersion)); ok || err != nil {
		return res, err
	}
	_, err := h.s.CreateDocumentationVersion(ctx, in)
	return res, err
}

func (h docVersionType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := &v1.UpdateDocumentationVersionRequest{RestApiId: prop(r, "RestApiId"), DocumentationVersion: r.PhysicalID, PatchOperations: []v1.PatchOperation{patchTo(r.Props, "Description", "/description")}}
	if err := ask(ctx, in); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.UpdateDocumentationVersion(ctx, in)
	return resource.Result{PhysicalID: r.PhysicalID}, err
}

func (h docVersionType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteDocumentationVersionRequest{RestApiId: prop(r, "RestApiId"), DocumentationVersion: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteDocumentationVersion(ctx, in)
	return gone(err)
}

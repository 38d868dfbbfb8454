package restapis

import (
	"context"
	"io"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Resources returns the CloudFormation types that the service makes. The physical id of each is its own id or name;
// the API is found by the property RestApiId.
func (s *Service) Resources() []resource.Type {
	var out []resource.Type
	for name, h := range map[string]resource.Handler{
		"RestApi": apiType{s}, "Resource": resourceType{s}, "Method": methodType{s}, "Model": modelType{s}, "RequestValidator": validatorType{s},
		"Authorizer": authorizerType{s}, "GatewayResponse": responseType{s}, "Deployment": deploymentType{s}, "Stage": stageType{s}, "Account": accountType{s},
		"ApiKey": keyType{s}, "UsagePlan": planType{s}, "UsagePlanKey": planKeyType{s}, "DomainName": domainType{s}, "BasePathMapping": mappingType{s},
		"ClientCertificate": certificateType{s}, "DocumentationPart": docPartType{s}, "DocumentationVersion": docVersionType{s},
	} {
		out = append(out, resource.Type{Name: "AWS::ApiGateway::" + name, Handler: h})
	}
	return out
}

// bind fills in v, a structure of the model, from properties. If it is the input of an operation, the stack's caller is
// asked whether it may be called.
func bind(ctx context.Context, v any, props map[string]any, rename map[string]string) error {
	return resource.Input(ctx, &v1.Model, v, props, rename)
}

// ask asks whether the stack's caller may make a call.
func ask(ctx context.Context, in any) error { return resource.Authorize(ctx, &v1.Model, in) }

func gone(err error) error { return resource.Gone(err, "NotFoundException") }

// prop returns a property that is text.
func prop(r *resource.Request, name string) string {
	s, _ := r.Props[name].(string)
	return s
}

// only returns the result for a thing whose only attribute is its id.
func only(attr, id string) resource.Result {
	return resource.Result{PhysicalID: id, Attrs: map[string]any{attr: id}}
}

// retag makes the tags of a thing those that the properties say. path is that of its ARN.
func (s *Service) retag(ctx context.Context, path string, r *resource.Request) error {
	want, err := r.AllTags("Tags")
	if err != nil {
		return err
	}
	_, err = s.tagged(ctx, "arn:aws:apigateway:"+wire.CallFrom(ctx).Region+"::/"+path, func(t map[string]string) {
		clear(t)
		for k, v := range want {
			t[k] = v
		}
	})
	return err
}

type apiType struct{ s *Service }

// apiProps are the properties of an API that its operations know by other names, or not at all.
var apiProps = map[string]string{"ApiKeySourceType": "ApiKeySource", "Body": "", "BodyS3Location": "", "FailOnWarnings": "", "Mode": "", "Parameters": "", "Tags": ""}

// body returns the OpenAPI document of an API's properties, nil if there is none.
func (h apiType) body(ctx context.Context, r *resource.Request) ([]byte, error) {
	return openapi.FromProperties(ctx, r.Props, func(ctx context.Context, bucket, key, version string) (io.ReadCloser, int64, error) {
		if h.s.objects == nil {
			return nil, 0, unsupported("BodyS3Location is")
		}
		read := &s3.GetObjectRequest{Bucket: bucket, Key: key, VersionId: opt(version)}
		if err := resource.Authorize(ctx, &s3.Model, read); err != nil {
			return nil, 0, err
		}
		return h.s.objects.OpenObject(ctx, bucket, key, version)
	})
}

func (h apiType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	id := stepID(r, ident.APIID)
	in := new(v1.CreateRestApiRequest)
	name := map[string]any{"Name": r.PhysicalName(255, false)} // of an API whose body says it
	if err := bind(ctx, in, resource.With(name, r.Props), apiProps); err != nil {
		return resource.Result{}, err
	}
	body, err := h.body(ctx, r)
	if err != nil {
		return resource.Result{}, err
	}
	_, again, err := made(ctx, h.s, apis, id)
	if err != nil {
		return resource.Result{}, err
	}
	switch {
	case again:
	case body == nil:
		if r.Props["Name"] == nil {
			return resource.Result{}, bad("Name is required for an API without a Body")
		}
		if in.Tags, err = r.AllTags("Tags"); err != nil {
			return resource.Result{}, err
		}
		_, err = h.s.CreateRestApi(step(ctx, r), in)
	default:
		imp := &v1.ImportRestApiRequest{Body: body, FailOnWarnings: openapi.Bool(r.Props, "FailOnWarnings"), Parameters: openapi.TextMap(r.Props, "Parameters")}
		if err := ask(ctx, imp); err != nil {
			return resource.Result{}, err
		}
		_, err = h.s.ImportRestApi(step(ctx, r), imp)
	}
	if err != nil {
		return resource.Result{}, err
	}
	return h.settle(ctx, r, id, body != nil)
}

// settle makes the settings of an API those of its properties. What they do not say is as the body has it, or AWS's default.
func (h apiType) settle(ctx context.Context, r *resource.Request, id string, imported bool) (resource.Result, error) {
	in := new(v1.RestApi)
	if err := bind(ctx, in, r.Props, merged(apiProps, map[string]string{"CloneFrom": ""})); err != nil {
		return resource.Result{}, err
	}
	var a *api
	err := h.s.update(ctx, id, func(tx *store.Tx, doc *api) error {
		a = doc
		if in.Name != nil {
			a.Name = in.Name
		}
		keep := func(own, was *string) *string { return orElse(own, was) }
		if !imported {
			keep = func(own, _ *string) *string { return own }
		}
		a.Description, a.Policy, a.Version = keep(in.Description, a.Description), keep(in.Policy, a.Policy), keep(in.Version, a.Version)
		a.ApiKeySource = or(keep(in.ApiKeySource, a.ApiKeySource), v1.ApiKeySourceTypeHeader)
		if in.BinaryMediaTypes != nil || !imported && r.Props["CloneFrom"] == nil {
			a.BinaryMediaTypes = in.BinaryMediaTypes
		}
		if in.MinimumCompressionSize != nil || !imported && r.Props["CloneFrom"] == nil {
			a.MinimumCompressionSize = in.MinimumCompressionSize
		}
		if in.EndpointConfiguration != nil || !imported {
			a.EndpointConfiguration = in.EndpointConfiguration
		}
		a.DisableExecuteApiEndpoint = or(in.DisableExecuteApiEndpoint, imported && shape.Val(a.DisableExecuteApiEndpoint))
		a.SecurityPolicy, a.EndpointAccessMode = in.SecurityPolicy, in.EndpointAccessMode
		if err := h.s.checkAPI(a); err != nil {
			return err
		}
		return putAPI(tx, a)
	})
	if err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: id, Attrs: map[string]any{"RestApiId": id, "RootResourceId": *a.RootResourceId}}, h.s.retag(ctx, "restapis/"+id, r)
}

func (h apiType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if err := ask(ctx, &v1.UpdateRestApiRequest{RestApiId: r.PhysicalID}); err != nil {
		return resource.Result{}, err
	}
	body, err := h.body(ctx, r)
	if err != nil {
		return resource.Result{}, err
	}
	if body != nil {
		in := &v1.PutRestApiRequest{RestApiId: r.PhysicalID, Body: body, Mode: or(openapi.OptText(r.Props, "Mode"), v1.PutModeOverwrite),
			FailOnWarnings: openapi.Bool(r.Props, "FailOnWarnings"), Parameters: openapi.TextMap(r.Props, "Parameters")}
		if err := ask(ctx, in); err != nil {
			return resource.Result{}, err
		}
		if _, err := h.s.PutRestApi(ctx, in); err != nil {
			return resource.Result{}, err
		}
	}
	return h.settle(ctx, r, r.PhysicalID, body != nil)
}

func (h apiType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteRestApiRequest{RestApiId: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteRestApi(ctx, in)
	return gone(err)
}

type resourceType struct{ s *Service }

func (h resourceType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateResourceRequest)
	if err := bind(ctx, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	id := stepID(r, shortID)
	if _, ok, err := made(ctx, h.s, resources, in.RestApiId+"/"+id); ok || err != nil {
		return only("ResourceId", id), err
	}
	_, err := h.s.CreateResource(step(ctx, r), in)
	return only("ResourceId", id), err
}

func (h resourceType) Update(_ context.Context, r *resource.Request) (resource.Result, error) {
	return only("ResourceId", r.PhysicalID), nil // all of it replaces
}

func (h resourceType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteResourceRequest{RestApiId: prop(r, "RestApiId"), ResourceId: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteResource(ctx, in)
	return gone(err)
}

type methodType struct{ s *Service }

func (h methodType) id(r *resource.Request) string {
	return prop(r, "RestApiId") + "|" + prop(r, "ResourceId") + "|" + prop(r, "HttpMethod")
}

// method makes a method, with its responses and integration, of the properties.
func (h methodType) method(ctx context.Context, tx *store.Tx, res *v1.Resource, r *resource.Request) (*v1.Method, error) {
	m := new(v1.Method)
	if err := bind(ctx, m, r.Props, map[string]string{"Integration": "", "MethodResponses": "", "RestApiId": "", "ResourceId": ""}); err != nil {
		return nil, err
	}
	api := prop(r, "RestApiId")
	m.AuthorizationType, m.ApiKeyRequired = or(m.AuthorizationType, authNone), or(m.ApiKeyRequired, false)
	m.AuthorizerId, m.RequestValidatorId = opt(shape.Val(m.AuthorizerId)), opt(shape.Val(m.RequestValidatorId))
	if err := checkMethod(tx, api, m); err != nil {
		return nil, err
	}
	for _, v := range openapi.List(r.Props, "MethodResponses") {
		props, _ := v.(map[string]any)
		resp := new(v1.MethodResponse)
		if err := bind(ctx, resp, props, nil); err != nil {
			return nil, err
		}
		if err := checkMethodResponse(tx, api, resp); err != nil {
			return nil, err
		}
		m.MethodResponses = merged(m.MethodResponses, map[string]v1.MethodResponse{*resp.StatusCode: *resp})
	}
	props := openapi.Object(r.Props, "Integration")
	if props == nil {
		return m, nil
	}
	i := new(v1.Integration)
	if err := bind(ctx, i, props, map[string]string{"IntegrationHttpMethod": "HttpMethod", "IntegrationResponses": ""}); err != nil {
		return nil, err
	}
	if err := checkIntegration(res, m, i); err != nil {
		return nil, err
	}
	for _, v := range openapi.List(props, "IntegrationResponses") {
		props, _ := v.(map[string]any)
		resp := new(v1.IntegrationResponse)
		if err := bind(ctx, resp, props, nil); err != nil {
			return nil, err
		}
		if err := checkIntegrationResponse(m, resp); err != nil {
			return nil, err
		}
		i.IntegrationResponses = merged(i.IntegrationResponses, map[string]v1.IntegrationResponse{*resp.StatusCode: *resp})
	}
	m.MethodIntegration = i
	return m, nil
}

// put stores the method of the properties. fresh says that there must be none yet.
func (h methodType) put(ctx context.Context, r *resource.Request, fresh bool) (resource.Result, error) {
	err := h.s.update(ctx, prop(r, "RestApiId"), func(tx *store.Tx, a *api) error {
		res, err := getResource(tx, *a.Id, prop(r, "ResourceId"))
		if err != nil {
			return err
		}
		name := prop(r, "HttpMethod")
		if _, ok := res.ResourceMethods[name]; ok && fresh {
			return v1.ConflictException("Method already exists for this resource")
		}
		m, err := h.method(ctx, tx, res, r)
		if err != nil {
			return err
		}
		res.ResourceMethods = merged(res.ResourceMethods, map[string]v1.Method{name: *m})
		return putResource(tx, *a.Id, res)
	})
	return resource.Result{PhysicalID: h.id(r)}, err
}

func (h methodType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	api, res, name := prop(r, "RestApiId"), prop(r, "ResourceId"), prop(r, "HttpMethod")
	if err := ask(ctx, &v1.PutMethodRequest{RestApiId: api, ResourceId: res, HttpMethod: name}); err != nil {
		return resource.Result{}, err
	}
	ok, err := h.s.mine(ctx, r, api, res+"/"+name, func(tx *store.Tx) error {
		_, _, err := getMethod(tx, api, res, name)
		if shape.HasCode(err, "NotFoundException") {
			return store.ErrNotFound
		}
		return err
	})
	if ok || err != nil {
		return resource.Result{PhysicalID: h.id(r)}, err
	}
	return h.put(ctx, r, true)
}

func (h methodType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := &v1.UpdateMethodRequest{RestApiId: prop(r, "RestApiId"), ResourceId: prop(r, "ResourceId"), HttpMethod: prop(r, "HttpMethod")}
	if err := ask(ctx, in); err != nil {
		return resource.Result{}, err
	}
	return h.put(ctx, r, false)
}

func (h methodType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteMethodRequest{RestApiId: prop(r, "RestApiId"), ResourceId: prop(r, "ResourceId"), HttpMethod: prop(r, "HttpMethod")}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteMethod(ctx, in)
	return gone(err)
}

// patchTo makes an operation that sets a member to a property, or takes it away if the property is not there.
func patchTo(props map[string]any, name, path string) v1.PatchOperation {
	op := v1.PatchOperation{Op: shape.Ptr(v1.OpReplace), Path: &path, Value: shape.Ptr(openapi.Text(props, name))}
	switch v := props[name].(type) {
	case map[string]any, []any:
		op.Value = shape.Ptr(openapi.JSON(v))
	}
	return op
}

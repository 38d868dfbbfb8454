package httpapis

import (
	"context"
	"io"
	"maps"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// apiResource is AWS::ApiGatewayV2::Api: an API made of properties, or of an OpenAPI document, which the properties
// that are given beside it override.
type apiResource struct{ s *Service }

func (h apiResource) result(ctx context.Context, id string) resource.Result {
	return resource.Result{PhysicalID: id, Attrs: map[string]any{"ApiId": id, "ApiEndpoint": h.s.Endpoint(id),
		"ExecuteApiArn": "arn:aws:execute-api:" + wire.CallFrom(ctx).Region + ":" + h.s.account + ":" + id}}
}

// importProps are the properties that are about the document, and not about the API.
var importProps = []string{"BasePath", "Body", "BodyS3Location", "FailOnWarnings"}

// overrides are the properties that count more than what a document says.
var overrides = []string{"CorsConfiguration", "Description", "DisableExecuteApiEndpoint", "IpAddressType", "Name", "Version"}

// document returns the OpenAPI document of an API's properties, as an import; nil if there is none.
func (h apiResource) document(ctx context.Context, r *resource.Request) (*v2.ImportApiRequest, error) {
	body, err := openapi.FromProperties(ctx, r.Props, func(ctx context.Context, bucket, key, version string) (io.ReadCloser, int64, error) {
		if h.s.objects == nil {
			return nil, 0, unsupported("BodyS3Location is")
		}
		if err := resource.Authorize(ctx, &s3.Model, &s3.GetObjectRequest{Bucket: bucket, Key: key, VersionId: opt(version)}); err != nil {
			return nil, 0, err
		}
		return h.s.objects.OpenObject(ctx, bucket, key, version)
	})
	if body == nil || err != nil {
		return nil, err
	}
	if name := shape.Given(map[string]bool{"CredentialsArn": r.Props["CredentialsArn"] != nil, "RouteKey": r.Props["RouteKey"] != nil, "Target": r.Props["Target"] != nil}); name != "" {
		return nil, bad("%s cannot be used with an OpenAPI definition", name)
	}
	if kind := text(r.Props, "ProtocolType"); kind != "" && kind != v2.ProtocolTypeHttp {
		return nil, unsupported("Protocol type " + kind + " (only HTTP is) is")
	}
	return &v2.ImportApiRequest{Body: string(body), Basepath: opt(text(r.Props, "BasePath")), FailOnWarnings: openapi.Bool(r.Props, "FailOnWarnings")}, nil
}

// settle gives an API that was imported what the properties beside its document say.
func (h apiResource) settle(ctx context.Context, r *resource.Request, id, body string) (resource.Result, error) {
	given := map[string]any{}
	for _, name := range overrides {
		if v := r.Props[name]; v != nil {
			given[name] = v
		}
	}
	if len(given) > 0 {
		in := new(v2.UpdateApiRequest)
		if err := resource.Input(ctx, &v2.Model, in, resource.With(given, map[string]any{"ApiId": id}), nil); err != nil {
			return resource.Result{}, err
		}
		if _, err := h.s.UpdateApi(ctx, in); err != nil {
			return resource.Result{}, err
		}
	}
	doc, err := openapi.Read([]byte(body), nil)
	if err != nil {
		return resource.Result{}, err // unreachable: it was imported
	}
	return h.result(ctx, id), h.s.retag(ctx, id, r, doc.Tags())
}

func (h apiResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	imp, err := h.document(ctx, r)
	if err != nil {
		return resource.Result{}, err
	}
	id := stepID(r, ident.APIID)
	_, again, err := made(ctx, h.s, apis, id)
	switch {
	case err != nil:
		return resource.Result{}, err
	case imp == nil && again:
		return h.result(ctx, id), nil
	case imp == nil:
		return h.create(ctx, r)
	case !again:
		if err := resource.Authorize(ctx, &v2.Model, imp); err != nil {
			return resource.Result{}, err
		}
		if _, err := h.s.importAPI(step(ctx, r), imp, opt(text(r.Props, "Name"))); err != nil {
			return resource.Result{}, err
		}
	}
	return h.settle(ctx, r, id, imp.Body)
}

// create makes an API of properties alone.
func (h apiResource) create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v2.CreateApiRequest)
	err := resource.Input(ctx, &v2.Model, in, without(r.Props, importProps...), nil)
	if err != nil {
		return resource.Result{}, err
	}
	if in.Tags, err = r.AllTags("Tags"); err != nil {
		return resource.Result{}, err
	}
	out, err := h.s.CreateApi(step(ctx, r), in)
	if err != nil {
		return resource.Result{}, err
	}
	return h.result(ctx, *out.ApiId), nil
}

func (h apiResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	imp, err := h.document(ctx, r)
	if err != nil {
		return resource.Result{}, err
	}
	if imp != nil {
		in := &v2.ReimportApiRequest{ApiId: r.PhysicalID, Body: imp.Body, Basepath: imp.Basepath, FailOnWarnings: imp.FailOnWarnings}
		if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
			return resource.Result{}, err
		}
		if _, err := h.s.ReimportApi(ctx, in); err != nil {
			return resource.Result{}, err
		}
		return h.settle(ctx, r, r.PhysicalID, imp.Body)
	}
	in := new(v2.UpdateApiRequest)
	props := reset(r, map[string]any{"Description": "", "DisableExecuteApiEndpoint": false, "IpAddressType": v2.IpAddressTypeIpv4, "Version": ""})
	props = without(without(props, importProps...), "ProtocolType", "Tags")
	if err := resource.Input(ctx, &v2.Model, in, resource.With(props, map[string]any{"ApiId": r.PhysicalID}), nil); err != nil {
		return resource.Result{}, err
	}
	if _, err := h.s.UpdateApi(ctx, in); err != nil {
		return resource.Result{}, err
	}
	if r.OldProps["CorsConfiguration"] != nil && r.Props["CorsConfiguration"] == nil {
		in := &v2.DeleteCorsConfigurationRequest{ApiId: r.PhysicalID}
		if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
			return resource.Result{}, err
		}
		if _, err := h.s.DeleteCorsConfiguration(ctx, in); err != nil {
			return resource.Result{}, err
		}
	}
	return h.result(ctx, r.PhysicalID), h.s.retag(ctx, r.PhysicalID, r, nil)
}

func (h apiResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &v2.DeleteApiRequest{ApiId: r.PhysicalID}
	if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteApi(ctx, in)
	return resource.Gone(err, "NotFoundException")
}

// retag makes the tags of an API or stage those that the properties say, and of an API those of its document.
func (s *Service) retag(ctx context.Context, path string, r *resource.Request, document map[string]string) error {
	own, err := r.AllTags("Tags")
	if err != nil {
		return err
	}
	want := maps.Clone(document)
	if want == nil {
		want = map[string]string{}
	}
	maps.Copy(want, own)
	arn := "arn:aws:apigateway:" + wire.CallFrom(ctx).Region + "::/apis/" + path
	if r.Retags("Tags") {
		if err := resource.Authorize(ctx, &v2.Model, &v2.TagResourceRequest{ResourceArn: arn, Tags: want}); err != nil {
			return err
		}
	}
	_, err = s.tagged(ctx, arn, func(t map[string]string) {
		clear(t)
		maps.Copy(t, want)
	})
	return err
}

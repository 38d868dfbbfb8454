package httpapis

import (
	"context"
	"maps"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Resources returns the CloudFormation types that the service makes. The physical id of each is its own
// id, that of a stage its name; the API is found by the property ApiId.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		{Name: "AWS::ApiGatewayV2::Api", Handler: apiResource{s}, Properties: []string{"ApiKeySelectionExpression", "BasePath", "Body", "BodyS3Location",
			"CorsConfiguration", "CredentialsArn", "Description", "DisableExecuteApiEndpoint", "DisableSchemaValidation", "FailOnWarnings", "IpAddressType", "Name", "ProtocolType", "RouteKey",
			"RouteSelectionExpression", "Tags", "Target", "Version"}},
		{Name: "AWS::ApiGatewayV2::Route", Handler: routeResource{s}},
		{Name: "AWS::ApiGatewayV2::Integration", Handler: integrationResource{s}},
		{Name: "AWS::ApiGatewayV2::Authorizer", Handler: authorizerResource{s}},
		{Name: "AWS::ApiGatewayV2::Stage", Handler: stageResource{s}, Properties: []string{"AccessLogSettings", "ApiId", "AutoDeploy",
			"ClientCertificateId", "DefaultRouteSettings", "DeploymentId", "Description", "RouteSettings", "StageName", "StageVariables", "Tags"}},
		{Name: "AWS::ApiGatewayV2::Deployment", Handler: deploymentResource{s}},
		{Name: "AWS::ApiGatewayV2::DomainName", Handler: domainResource{s}},
		{Name: "AWS::ApiGatewayV2::ApiMapping", Handler: mappingResource{s}},
	}
}

// reset returns props where each property that an update takes away has its default, for the API's own
// updates leave alone what they do not name.
func reset(r *resource.Request, defaults map[string]any) map[string]any {
	out := maps.Clone(r.Props)
	for name, v := range defaults {
		_, had := r.OldProps[name]
		if _, has := r.Props[name]; had && !has {
			out[name] = v
		}
	}
	return out
}

func without(props map[string]any, names ...string) map[string]any {
	out := maps.Clone(props)
	for _, n := range names {
		delete(out, n)
	}
	return out
}

func text(props map[string]any, name string) string {
	s, _ := props[name].(string)
	return s
}

type routeResource struct{ s *Service }

func (h routeResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if res, ok, err := madePart(ctx, h.s, routes, r, "RouteId", ident.ShortID); ok || err != nil {
		return res, err
	}
	in := new(v2.CreateRouteRequest)
	if err := resource.Input(ctx, &v2.Model, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	out, err := h.s.CreateRoute(step(ctx, r), in)
	if err != nil {
		return resource.Result{}, err
	}
	return part1("RouteId", *out.RouteId), nil
}

// part1 is the result for a part of an API whose only attribute is its id.
func part1(attr, id string) resource.Result {
	return resource.Result{PhysicalID: id, Attrs: map[string]any{attr: id}}
}

func (h routeResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v2.UpdateRouteRequest)
	props := reset(r, map[string]any{"AuthorizationType": v2.AuthorizationTypeNone, "AuthorizationScopes": []any{}, "AuthorizerId": "", "OperationName": "", "Target": ""})
	if err := resource.Input(ctx, &v2.Model, in, resource.With(props, map[string]any{"RouteId": r.PhysicalID}), nil); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.UpdateRoute(ctx, in)
	return part1("RouteId", r.PhysicalID), err
}

func (h routeResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &v2.DeleteRouteRequest{ApiId: text(r.Props, "ApiId"), RouteId: r.PhysicalID}
	if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteRoute(ctx, in)
	return resource.Gone(err, "NotFoundException")
}

type integrationResource struct{ s *Service }

func (h integrationResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if res, ok, err := madePart(ctx, h.s, integrations, r, "IntegrationId", ident.ShortID); ok || err != nil {
		return res, err
	}
	in := new(v2.CreateIntegrationRequest)
	if err := resource.Input(ctx, &v2.Model, in, mapped(r.Props, nil), nil); err != nil {
		return resource.Result{}, err
	}
	out, err := h.s.CreateIntegration(step(ctx, r), in)
	if err != nil {
		return resource.Result{}, err
	}
	return part1("IntegrationId", *out.IntegrationId), nil
}

func (h integrationResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v2.UpdateIntegrationRequest)
	props := mapped(reset(r, map[string]any{"CredentialsArn": "", "Description": "", "TimeoutInMillis": "30000", "RequestParameters": map[string]any{}, "ResponseParameters": map[string]any{}}), r.OldProps)
	if err := resource.Input(ctx, &v2.Model, in, resource.With(props, map[string]any{"IntegrationId": r.PhysicalID}), nil); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.UpdateIntegration(ctx, in)
	return part1("IntegrationId", r.PhysicalID), err
}

// mapped returns the properties of an integration with its mappings in the API's form, which takes those of
// old that are no longer there away by empty values.
func mapped(props, old map[string]any) map[string]any {
	out := maps.Clone(props)
	if now, ok := props["RequestParameters"].(map[string]any); ok {
		before, _ := old["RequestParameters"].(map[string]any)
		out["RequestParameters"] = emptied(now, before)
	}
	if now, ok := props["ResponseParameters"].(map[string]any); ok {
		before, _ := old["ResponseParameters"].(map[string]any)
		all := map[string]any{}
		for status := range before {
			all[status] = emptied(nil, responseMappings(before[status]))
		}
		for status := range now {
			all[status] = emptied(responseMappings(now[status]), responseMappings(before[status]))
		}
		out["ResponseParameters"] = all
	}
	return out
}

// responseMappings reads {"ResponseParameters":[{"Destination":"…","Source":"…"}]}.
func responseMappings(v any) map[string]any {
	m, _ := v.(map[string]any)
	list, _ := m["ResponseParameters"].([]any)
	out := map[string]any{}
	for _, item := range list {
		pair, _ := item.(map[string]any)
		if to, ok := pair["Destination"].(string); ok {
			out[to] = pair["Source"]
		}
	}
	return out
}

// emptied is now, with "" for each key that only before has.
func emptied(now, before map[string]any) map[string]any {
	out := map[string]any{}
	for k := range before {
		out[k] = ""
	}
	maps.Copy(out, now)
	return out
}

func (h integrationResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &v2.DeleteIntegrationRequest{ApiId: text(r.Props, "ApiId"), IntegrationId: r.PhysicalID}
	if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteIntegration(ctx, in)
	return resource.Gone(err, "NotFoundException")
}

type authorizerResource struct{ s *Service }

func (h authorizerResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if res, ok, err := madePart(ctx, h.s, authorizers, r, "AuthorizerId", ident.AuthorizerID); ok || err != nil {
		return res, err
	}
	in := new(v2.CreateAuthorizerRequest)
	// The API wants IdentitySource, CloudFormation does not: the service says what lacks.
	props := resource.With(map[string]any{"IdentitySource": []any{}}, r.Props)
	if err := resource.Input(ctx, &v2.Model, in, props, nil); err != nil {
		return resource.Result{}, err
	}
	out, err := h.s.CreateAuthorizer(step(ctx, r), in)
	if err != nil {
		return resource.Result{}, err
	}
	return part1("AuthorizerId", *out.AuthorizerId), nil
}

func (h authorizerResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v2.UpdateAuthorizerRequest)
	props := reset(r, map[string]any{"AuthorizerCredentialsArn": "", "EnableSimpleResponses": "false"})
	if err := resource.Input(ctx, &v2.Model, in, resource.With(props, map[string]any{"AuthorizerId": r.PhysicalID}), nil); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.UpdateAuthorizer(ctx, in)
	return part1("AuthorizerId", r.PhysicalID), err
}

func (h authorizerResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &v2.DeleteAuthorizerRequest{ApiId: text(r.Props, "ApiId"), AuthorizerId: r.PhysicalID}
	if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteAuthorizer(ctx, in)
	return resource.Gone(err, "NotFoundException")
}

type stageResource struct{ s *Service }

func (h stageResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v2.CreateStageRequest)
	err := resource.Input(ctx, &v2.Model, in, r.Props, nil)
	if err != nil {
		return resource.Result{}, err
	}
	if in.Tags, err = r.AllTags("Tags"); err != nil {
		return resource.Result{}, err
	}
	if ok, err := madeStage(ctx, h.s, r, in.Tags); ok || err != nil {
		return resource.Result{PhysicalID: in.StageName}, err
	}
	if _, err := h.s.CreateStage(ctx, in); err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: in.StageName}, nil
}

func (h stageResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	id, name := text(r.Props, "ApiId"), r.PhysicalID
	props := reset(r, map[string]any{"AutoDeploy": false, "Description": ""})
	if vars, _ := props["StageVariables"].(map[string]any); vars != nil || r.OldProps["StageVariables"] != nil {
		all := map[string]any{}
		old, _ := r.OldProps["StageVariables"].(map[string]any)
		for k := range old {
			all[k] = ""
		}
		maps.Copy(all, vars)
		props["StageVariables"] = all
	}
	in := new(v2.UpdateStageRequest)
	if err := resource.Input(ctx, &v2.Model, in, without(props, "Tags"), nil); err != nil {
		return resource.Result{}, err
	}
	// An update adds to the settings that a stage has; a template says what they are.
	_, err := h.s.changeStage(ctx, id, name, func(tx *store.Tx, a *api, st *stage) error {
		st.DefaultRouteSettings = &v2.RouteSettings{DetailedMetricsEnabled: shape.Ptr(false)}
		st.RouteSettings = map[string]v2.RouteSettings{}
		return nil
	})
	if err != nil {
		return resource.Result{}, err
	}
	if _, err := h.s.UpdateStage(ctx, in); err != nil {
		return resource.Result{}, err
	}
	if r.OldProps["AccessLogSettings"] != nil && r.Props["AccessLogSettings"] == nil {
		in := &v2.DeleteAccessLogSettingsRequest{ApiId: id, StageName: name}
		if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
			return resource.Result{}, err
		}
		if _, err := h.s.DeleteAccessLogSettings(ctx, in); err != nil {
			return resource.Result{}, err
		}
	}
	return resource.Result{PhysicalID: name}, h.s.retag(ctx, id+"/stages/"+name, r, nil)
}

func (h stageResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &v2.DeleteStageRequest{ApiId: text(r.Props, "ApiId"), StageName: r.PhysicalID}
	if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteStage(ctx, in)
	return resource.Gone(err, "NotFoundException")
}

type deploymentResource struct{ s *Service }

func (h deploymentResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if res, ok, err := madePart(ctx, h.s, deployments, r, "DeploymentId", ident.AuthorizerID); ok || err != nil {
		return res, err
	}
	in := new(v2.CreateDeploymentRequest)
	if err := resource.Input(ctx, &v2.Model, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	out, err := h.s.CreateDeployment(step(ctx, r), in)
	if err != nil {
		return resource.Result{}, err
	}
	return part1("DeploymentId", *out.DeploymentId), nil
}

func (h deploymentResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	api := text(r.Props, "ApiId")
	in := &v2.UpdateDeploymentRequest{ApiId: api, DeploymentId: r.PhysicalID, Description: shape.Ptr(text(r.Props, "Description"))}
	if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
		return resource.Result{}, err
	}
	if _, err := h.s.UpdateDeployment(ctx, in); err != nil {
		return resource.Result{}, err
	}
	if stage := text(r.Props, "StageName"); stage != "" && stage != text(r.OldProps, "StageName") {
		in := &v2.UpdateStageRequest{ApiId: api, StageName: stage, DeploymentId: &r.PhysicalID}
		if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
			return resource.Result{}, err
		}
		if _, err := h.s.UpdateStage(ctx, in); err != nil {
			return resource.Result{}, err
		}
	}
	return part1("DeploymentId", r.PhysicalID), nil
}

func (h deploymentResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &v2.DeleteDeploymentRequest{ApiId: text(r.Props, "ApiId"), DeploymentId: r.PhysicalID}
	if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteDeployment(ctx, in)
	return resource.Gone(err, "NotFoundException")
}

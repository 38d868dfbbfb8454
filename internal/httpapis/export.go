package httpapis

import (
	"context"
	"maps"
	"slices"
	"strings"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// exportVersion is the only version of AWS's algorithm for imports and exports.
const exportVersion = "1.0"

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// ExportApi writes what a stage serves, or without one what the API is now, as an OpenAPI 3 document. What is
// exported with extensions can be imported as an API that is the same.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-export.html
func (s *Service) ExportApi(ctx context.Context, in *v2.ExportApiRequest) (*v2.ExportApiResponse, error) {
	if in.Specification != "OAS30" {
		return nil, bad("Invalid specification specified: %s. It must be OAS30", in.Specification)
	}
	if in.OutputType != "JSON" && in.OutputType != "YAML" {
		return nil, bad("Invalid output type specified: %s. It must be JSON or YAML", in.OutputType)
	}
	if v := shape.Val(in.ExportVersion); v != "" && v != exportVersion {
		return nil, bad("Invalid export version specified: %s. It must be %s", v, exportVersion)
	}
	var doc map[string]any
	err := s.db.View(ctx, func(tx *store.Tx) error {
		a, err := s.api(ctx, tx, in.ApiId)
		if err != nil {
			return err
		}
		e := &exporter{api: a, stage: shape.Val(in.StageName), extensions: in.IncludeExtensions == nil || *in.IncludeExtensions}
		c, err := exported(tx, a, e.stage)
		if err != nil {
			return err
		}
		doc = e.document(c, a.CreatedDate.UTC().Format("2006-01-02 15:04:05UTC"))
		return nil
	})
	if err != nil {
		return nil, err
	}
	marshal := openapi.Marshal
	if in.OutputType == "YAML" {
		marshal = openapi.MarshalYAML
	}
	body, err := marshal(doc)
	return &v2.ExportApiResponse{Body: body}, err
}

// exported returns what a stage serves, or what the API is now.
func exported(tx *store.Tx, a *api, stageName string) (*config, error) {
	if stageName == "" {
		return live(tx, a)
	}
	st, err := stages.Get(tx, *a.ApiId+"/"+stageName)
	switch {
	case err != nil:
		return nil, missing(err, "Stage")
	case st.DeploymentId != nil:
		return deployed.Get(tx, *a.ApiId+"/"+*st.DeploymentId)
	case shape.Val(st.AutoDeploy):
		return live(tx, a)
	}
	return nil, bad("Stage %s has no deployment to export", stageName)
}

type exporter struct {
	api        *api
	stage      string
	extensions bool
	schemes    map[string]any
	names      map[string]string // of the schemes of authorizers, by id
}

func (e *exporter) document(c *config, version string) map[string]any {
	a := e.api
	if a.Version != nil {
		version = *a.Version
	}
	info := map[string]any{"title": *a.Name, "version": version}
	openapi.Put(info, "description", a.Description)
	base := e.stage
	if base == defaultName {
		base = ""
	}
	server := map[string]any{"url": "https://" + *a.ApiId + ".execute-api." + a.Region + ".amazonaws.com/{basePath}",
		"variables": map[string]any{"basePath": map[string]any{"default": base}}}
	doc := map[string]any{"openapi": "3.0.1", "info": info, "servers": []any{server}}
	e.authorizers(c)
	paths := map[string]any{}
	shared := e.integrations(c)
	for _, r := range c.Routes {
		path, op := e.route(r)
		item, _ := paths[path].(map[string]any)
		if item == nil {
			item = map[string]any{}
			if params := pathParameters(path); params != nil {
				item["parameters"] = params
			}
			paths[path] = item
		}
		if at, ok := shared[shape.Val(r.Target)]; ok && e.extensions {
			op[openapi.XIntegration] = at
		}
		method, _, _ := strings.Cut(*r.RouteKey, " ")
		if method == "ANY" || method == defaultName {
			item[openapi.XAnyMethod] = op
		} else {
			item[strings.ToLower(method)] = op
		}
	}
	doc["paths"] = paths
	components := map[string]any{}
	if len(e.schemes) > 0 {
		components["securitySchemes"] = e.schemes
	}
	if !e.extensions {
		if len(components) > 0 {
			doc["components"] = components
		}
		return doc
	}
	if all := sharedIntegrations(c); len(all) > 0 {
		components[openapi.XIntegrations] = all
	}
	if len(components) > 0 {
		doc["components"] = components
	}
	if len(a.Tags) > 0 {
		var tags []any
		for _, name := range sortedKeys(a.Tags) {
			tags = append(tags, map[string]any{"name": name, openapi.XTagValue: a.Tags[name]})
		}
		doc["tags"] = tags
	}
	if c.CORS != nil {
		doc[openapi.XCORS] = corsDocument(c.CORS)
	}
	if shape.Val(a.DisableExecuteApiEndpoint) {
		server[openapi.XEndpoint] = map[string]any{"disableExecuteApiEndpoint": true}
	}
	doc[openapi.XImportVersion] = exportVersion
	return doc
}

// pathParameters declares the variables of a path, as OpenAPI demands; nil if it has none.
func pathParameters(path string) []any {
	var out []any
	for segment := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(segment, "{") {
			name := strings.Trim(segment, "{}")
			out = append(out, map[string]any{"name": name, "in": "path", "description": "Generated path parameter for " + name, "required": true,
				"schema": map[string]any{"type": "string"}})
		}
	}
	return out
}

func corsDocument(c *v2.Cors) map[string]any {
	out := map[string]any{}
	for name, l := range map[string][]string{"allowHeaders": c.AllowHeaders, "allowMethods": c.AllowMethods, "allowOrigins": c.AllowOrigins, "exposeHeaders": c.ExposeHeaders} {
		if len(l) > 0 {
			out[name] = openapi.FromTexts(l)
		}
	}
	openapi.Put(out, "allowCredentials", c.AllowCredentials)
	openapi.Put(out, "maxAge", c.MaxAge)
	return out
}

// authorizers fills in the security schemes.
func (e *exporter) authorizers(c *config) {
	e.schemes, e.names = map[string]any{}, map[string]string{}
	for _, z := range c.Authorizers {
		name := *z.Name
		if e.schemes[name] != nil { // two of the same name
			name += "-" + *z.AuthorizerId
		}
		e.names[*z.AuthorizerId], e.schemes[name] = name, e.scheme(z)
	}
	if slices.ContainsFunc(c.Routes, isIAM) {
		e.schemes["sigv4"] = map[string]any{"type": "apiKey", "name": "Authorization", "in": "header", openapi.XAuthType: "awsSigv4"}
	}
}

func isIAM(r *route) bool { return shape.Val(r.AuthorizationType) == v2.AuthorizationTypeAwsIam }

func (e *exporter) scheme(z *authorizer) map[string]any {
	src := map[string]any{"type": strings.ToLower(*z.AuthorizerType)}
	if len(z.IdentitySource) > 0 {
		src["identitySource"] = strings.Join(z.IdentitySource, ",")
	}
	out := map[string]any{"type": "oauth2", "flows": map[string]any{}}
	if j := z.JwtConfiguration; j != nil {
		src["jwtConfiguration"] = map[string]any{"audience": openapi.FromTexts(j.Audience), "issuer": *j.Issuer}
	} else {
		// One header or query parameter can be said in OpenAPI's own words.
		out = map[string]any{"type": "apiKey", "name": "Unused", "in": "header"}
		if len(z.IdentitySource) == 1 {
			if name, ok := strings.CutPrefix(z.IdentitySource[0], "$request.header."); ok {
				out["name"] = name
			} else if name, ok := strings.CutPrefix(z.IdentitySource[0], "$request.querystring."); ok {
				out["name"], out["in"] = name, "query"
			}
		}
		openapi.Put(src, "authorizerUri", z.AuthorizerUri)
		openapi.Put(src, "authorizerCredentials", z.AuthorizerCredentialsArn)
		openapi.Put(src, "authorizerPayloadFormatVersion", z.AuthorizerPayloadFormatVersion)
		openapi.Put(src, "authorizerResultTtlInSeconds", z.AuthorizerResultTtlInSeconds)
		openapi.Put(src, "enableSimpleResponses", z.EnableSimpleResponses)
	}
	if e.extensions {
		out[openapi.XAuthorizer] = src
	}
	return out
}

// route returns the path and the operation of a route, without its integration.
func (e *exporter) route(r *route) (path string, op map[string]any) {
	op = map[string]any{"responses": map[string]any{"default": map[string]any{"description": "Default response for " + *r.RouteKey}}}
	openapi.Put(op, "operationId", r.OperationName)
	_, path, ok := strings.Cut(*r.RouteKey, " ")
	if !ok {
		path, op["isDefaultRoute"] = "/"+defaultName, true
	}
	if name, ok := e.names[shape.Val(r.AuthorizerId)]; ok {
		op["security"] = []any{map[string]any{name: openapi.FromTexts(r.AuthorizationScopes)}}
	} else if isIAM(r) {
		op["security"] = []any{map[string]any{"sigv4": []any{}}}
	}
	return path, op
}

// users counts the routes of each target.
func users(c *config) map[string]int {
	out := map[string]int{}
	for _, r := range c.Routes {
		out[shape.Val(r.Target)]++
	}
	return out
}

// integrations returns what stands at a route for each target: the integration, or where several routes have it, a
// reference to it.
func (e *exporter) integrations(c *config) map[string]map[string]any {
	out, count := map[string]map[string]any{}, users(c)
	for _, i := range c.Integrations {
		target := "integrations/" + *i.IntegrationId
		out[target] = integrationDocument(i)
		if count[target] > 1 {
			out[target] = map[string]any{"$ref": "#/components/" + openapi.XIntegrations + "/" + *i.IntegrationId}
		}
	}
	return out
}

// sharedIntegrations returns the integrations of several routes, by their ids.
func sharedIntegrations(c *config) map[string]any {
	out, count := map[string]any{}, users(c)
	for _, i := range c.Integrations {
		if count["integrations/"+*i.IntegrationId] > 1 {
			out[*i.IntegrationId] = integrationDocument(i)
		}
	}
	return out
}

func integrationDocument(i *integration) map[string]any {
	out := map[string]any{"type": strings.ToLower(*i.IntegrationType)}
	openapi.Put(out, "payloadFormatVersion", i.PayloadFormatVersion)
	openapi.Put(out, "httpMethod", i.IntegrationMethod)
	openapi.Put(out, "uri", i.IntegrationUri)
	openapi.Put(out, "connectionType", i.ConnectionType)
	openapi.Put(out, "credentials", i.CredentialsArn)
	if shape.Val(i.TimeoutInMillis) != maxTimeout {
		openapi.Put(out, "timeoutInMillis", i.TimeoutInMillis)
	}
	if len(i.RequestParameters) > 0 {
		out["requestParameters"] = openapi.FromMap(i.RequestParameters)
	}
	if len(i.ResponseParameters) > 0 {
		all := map[string]any{}
		for status, params := range i.ResponseParameters {
			all[status] = openapi.FromMap(params)
		}
		out["responseParameters"] = all
	}
	return out
}

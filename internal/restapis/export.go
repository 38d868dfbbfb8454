package restapis

import (
	"context"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/openapi/schema"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// GetExport writes what a stage serves as an OpenAPI document, without documentation parts.
func (s *Service) GetExport(ctx context.Context, in *v1.GetExportRequest) (*v1.ExportResponse, error) {
	if in.ExportType != "swagger" && in.ExportType != "oas30" {
		return nil, bad("Invalid export type specified: %s. Must be one of: [oas30, swagger]", in.ExportType)
	}
	accepts := shape.Val(in.Accepts)
	if accepts == "" {
		accepts = "application/json"
	}
	if accepts != "application/json" && accepts != "application/yaml" {
		return nil, bad("Invalid accept type specified: %s. Must be one of: [application/json, application/yaml]", accepts)
	}
	e := &exporter{three: in.ExportType == "oas30", account: s.account}
	for _, name := range sortedKeys(in.Parameters) {
		value := in.Parameters[name]
		if name != "extensions" && name != "parameters" {
			return nil, bad("Invalid export parameter specified: %s", name)
		}
		for x := range strings.SplitSeq(value, ",") {
			switch strings.TrimSpace(x) {
			case "integrations":
				e.integrations = true
			case "authorizers":
				e.authorizers = true
			case "apigateway":
				e.integrations, e.authorizers, e.all = true, true, true
			case "documentation":
				e.documentation = true
			case "postman":
				return nil, unsupported("The export extension postman is")
			default:
				return nil, bad("Invalid export extension specified: %s. Must be one of: [apigateway, authorizers, documentation, integrations]", x)
			}
		}
	}
	var doc map[string]any
	err := s.view(ctx, in.RestApiId, func(tx *store.Tx, a *api) error {
		st, err := stages.Get(tx, in.RestApiId+"/"+in.StageName)
		if err != nil {
			return missing(err, "Stage")
		}
		c, err := deployed.Get(tx, in.RestApiId+"/"+*st.DeploymentId)
		if err != nil {
			return err
		}
		if v := shape.Val(st.DocumentationVersion); v != "" && (e.all || e.documentation) {
			dv, err := docVersions.Get(tx, in.RestApiId+"/"+v)
			if err != nil {
				return missing(err, noDocVersion)
			}
			e.docs = dv
		}
		doc = e.document(a, c, st)
		return nil
	})
	if err != nil {
		return nil, err
	}
	name := in.ExportType + "_" + s.now().UTC().Format("2006-01-02T15-04-05Z")
	if accepts == "application/yaml" {
		body, err := openapi.MarshalYAML(doc)
		return &v1.ExportResponse{ContentType: &accepts, ContentDisposition: shape.Ptr(`attachment; filename="` + name + `.yaml"`), Body: body}, err
	}
	body, err := openapi.Marshal(doc)
	return &v1.ExportResponse{ContentType: &accepts, ContentDisposition: shape.Ptr(`attachment; filename="` + name + `.json"`), Body: body}, err
}

type exporter struct {
	three, integrations, authorizers, all, documentation bool
	account                                              string
	docs                                                 *docVersion
	schemes                                              map[string]any
	byID                                                 map[string]*v1.Authorizer
	validators                                           map[string]*v1.RequestValidator
}

func (e *exporter) document(a *api, c *config, st *v1.Stage) map[string]any {
	info := map[string]any{"title": shape.Val(c.API.Name), "version": *or(c.API.Version, st.CreatedDate.UTC().Format("2006-01-02T15:04:05Z"))}
	openapi.Put(info, "description", c.API.Description)
	host := *a.Id + ".execute-api." + a.Region + ".amazonaws.com"
	doc := map[string]any{"info": info}
	e.schemes, e.byID, e.validators = map[string]any{}, map[string]*v1.Authorizer{}, map[string]*v1.RequestValidator{}
	for _, z := range c.Authorizers {
		e.byID[*z.Id] = z
	}
	for _, v := range c.Validators {
		e.validators[*v.Id] = v
	}
	paths := map[string]any{}
	for _, r := range c.Resources {
		if len(r.ResourceMethods) == 0 {
			continue
		}
		item := map[string]any{}
		for name, m := range r.ResourceMethods {
			key := strings.ToLower(name)
			if name == "ANY" {
				key = openapi.XAnyMethod
			}
			item[key] = e.method(&m)
		}
		paths[*r.Path] = item
	}
	doc["paths"] = paths
	definitions := map[string]any{}
	for _, m := range c.Models {
		if v, err := schema.Decode([]byte(shape.Val(m.Schema))); err == nil {
			definitions[*m.Name] = e.local(v)
		}
	}
	if e.three {
		doc["openapi"] = "3.0.1"
		doc["servers"] = []any{map[string]any{"url": "https://" + host + "/{basePath}", "variables": map[string]any{"basePath": map[string]any{"default": "/" + *st.StageName}}}}
		components := map[string]any{}
		if len(definitions) > 0 {
			components["schemas"] = definitions
		}
		if len(e.schemes) > 0 {
			components["securitySchemes"] = e.schemes
		}
		doc["components"] = components
	} else {
		doc["swagger"], doc["host"], doc["basePath"], doc["schemes"] = "2.0", host, "/"+*st.StageName, []any{"https"}
		if len(e.schemes) > 0 {
			doc["securityDefinitions"] = e.schemes
		}
		if len(definitions) > 0 {
			doc["definitions"] = definitions
		}
	}
	if e.all {
		e.extensions(doc, c)
	}
	if e.docs != nil {
		var parts []any
		for _, p := range e.docs.Parts {
			l := map[string]any{"type": p.Location.Type}
			openapi.Put(l, "path", p.Location.Path)
			openapi.Put(l, "method", p.Location.Method)
			openapi.Put(l, "statusCode", p.Location.StatusCode)
			openapi.Put(l, "name", p.Location.Name)
			props, _ := schema.Decode([]byte(shape.Val(p.Properties)))
			parts = append(parts, map[string]any{"location": l, "properties": props})
		}
		d := map[string]any{"version": *e.docs.Version, "documentationParts": parts}
		openapi.Put(d, "createdDate", shape.Ptr(e.docs.CreatedDate.UTC().Format("2006-01-02T15:04:05Z")))
		doc[openapi.XDocumentation] = d
	}
	return doc
}

// local returns a schema whose references to models are to the document.
func (e *exporter) local(v any) any {
	switch x := v.(type) {
	case []any:
		for i := range x {
			x[i] = e.local(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = e.local(x[k])
		}
		if ref, ok := x["$ref"].(string); ok {
			if m := modelRef.FindStringSubmatch(ref); m != nil {
				x["$ref"] = e.modelRef(m[1])["$ref"]
			}
		}
	}
	return v
}

func (e *exporter) modelRef(name string) map[string]any {
	if e.three {
		return map[string]any{"$ref": "#/components/schemas/" + name}
	}
	return map[string]any{"$ref": "#/definitions/" + name}
}

func (e *exporter) extensions(doc map[string]any, c *config) {
	if len(c.Responses) > 0 {
		out := map[string]any{}
		for _, g := range c.Responses {
			m := map[string]any{"responseParameters": openapi.FromMap(g.ResponseParameters), "responseTemplates": openapi.FromMap(g.ResponseTemplates)}
			openapi.Put(m, "statusCode", g.StatusCode)
			out[*g.ResponseType] = m
		}
		doc[openapi.XResponses] = out
	}
	if len(c.Validators) > 0 {
		out := map[string]any{}
		for _, v := range c.Validators {
			out[*or(v.Name, *v.Id)] = map[string]any{"validateRequestBody": shape.Val(v.ValidateRequestBody), "validateRequestParameters": shape.Val(v.ValidateRequestParameters)}
		}
		doc[openapi.XValidators] = out
	}
	if len(c.API.BinaryMediaTypes) > 0 {
		doc[openapi.XBinary] = openapi.FromTexts(c.API.BinaryMediaTypes)
	}
	openapi.Put(doc, openapi.XMinCompression, c.API.MinimumCompressionSize)
	if k := shape.Val(c.API.ApiKeySource); k != "" && k != v1.ApiKeySourceTypeHeader {
		doc[openapi.XAPIKeySource] = k
	}
	if p := shape.Val(c.API.Policy); p != "" {
		if v, err := schema.Decode([]byte(p)); err == nil {
			doc[openapi.XPolicy] = v
		}
	}
	if shape.Val(c.API.DisableExecuteApiEndpoint) {
		doc[openapi.XEndpoint] = map[string]any{"disableExecuteApiEndpoint": true}
	}
}

func (e *exporter) method(m *v1.Method) map[string]any {
	op := map[string]any{}
	openapi.Put(op, "operationId", m.OperationName)
	var params []any
	for _, p := range sortedKeys(m.RequestParameters) {
		in, name := parameter(p)
		if in == "querystring" {
			in = "query"
		}
		param := map[string]any{"name": name, "in": in}
		if m.RequestParameters[p] || in == "path" {
			param["required"] = true
		}
		if e.three {
			param["schema"] = map[string]any{"type": "string"}
		} else {
			param["type"] = "string"
		}
		params = append(params, param)
	}
	if e.three && len(m.RequestModels) > 0 {
		content := map[string]any{}
		for t, name := range m.RequestModels {
			content[t] = map[string]any{"schema": e.modelRef(name)}
		}
		op["requestBody"] = map[string]any{"content": content, "required": true}
	}
	if !e.three && len(m.RequestModels) > 0 { // Swagger has one schema for all content types
		types := sortedKeys(m.RequestModels)
		name := m.RequestModels[types[0]]
		op["consumes"] = openapi.FromTexts(types)
		params = append(params, map[string]any{"in": "body", "name": name, "required": true, "schema": e.modelRef(name)})
	}
	if len(params) > 0 {
		op["parameters"] = params
	}
	op["responses"] = e.responses(op, m)
	if sec := e.security(m); len(sec) > 0 {
		op["security"] = sec
	}
	if e.all {
		if v := e.validators[shape.Val(m.RequestValidatorId)]; v != nil {
			op[openapi.XValidator] = *or(v.Name, *v.Id)
		}
	}
	if e.integrations && m.MethodIntegration != nil {
		op[openapi.XIntegration] = integrationDocument(m.MethodIntegration)
	}
	return op
}

func (e *exporter) responses(op map[string]any, m *v1.Method) map[string]any {
	out := map[string]any{}
	produces := map[string]bool{}
	for status, r := range m.MethodResponses {
		resp := map[string]any{"description": status + " response"}
		headers := map[string]any{}
		for p := range r.ResponseParameters {
			_, name, _ := strings.Cut(strings.TrimPrefix(p, "method.response."), ".")
			if e.three {
				headers[name] = map[string]any{"schema": map[string]any{"type": "string"}}
			} else {
				headers[name] = map[string]any{"type": "string"}
			}
		}
		if len(headers) > 0 {
			resp["headers"] = headers
		}
		if e.three {
			content := map[string]any{}
			for t, name := range r.ResponseModels {
				content[t] = map[string]any{"schema": e.modelRef(name)}
			}
			resp["content"] = content
		} else {
			for _, t := range sortedKeys(r.ResponseModels) {
				produces[t] = true
				if resp["schema"] == nil {
					resp["schema"] = e.modelRef(r.ResponseModels[t])
				}
			}
		}
		out[status] = resp
	}
	if len(produces) > 0 {
		op["produces"] = openapi.FromTexts(sortedKeys(produces))
	}
	return out
}

// security returns what a method's callers need, and notes its schemes.
func (e *exporter) security(m *v1.Method) []any {
	var out []any
	switch *m.AuthorizationType {
	case authIAM:
		e.schemes["sigv4"] = map[string]any{"type": "apiKey", "name": "Authorization", "in": "header", openapi.XAuthType: "awsSigv4"}
		out = append(out, map[string]any{"sigv4": []any{}})
	case authCustom, authCognito:
		if z := e.byID[shape.Val(m.AuthorizerId)]; z != nil {
			e.schemes[*z.Name] = e.scheme(z)
			out = append(out, map[string]any{*z.Name: openapi.FromTexts(m.AuthorizationScopes)})
		}
	}
	if shape.Val(m.ApiKeyRequired) {
		e.schemes["api_key"] = map[string]any{"type": "apiKey", "name": "x-api-key", "in": "header"}
		out = append(out, map[string]any{"api_key": []any{}})
	}
	return out
}

func (e *exporter) scheme(z *v1.Authorizer) map[string]any {
	header := "Unused"
	if sources := parseSources(shape.Val(z.IdentitySource)); len(sources) == 1 && sources[0].In == "header" {
		header = sources[0].Name
	}
	out := map[string]any{"type": "apiKey", "name": header, "in": "header"}
	openapi.Put(out, openapi.XAuthType, z.AuthType)
	if !e.authorizers {
		return out
	}
	a := map[string]any{"type": strings.ToLower(*z.Type)}
	openapi.Put(a, "authorizerUri", z.AuthorizerUri)
	openapi.Put(a, "authorizerCredentials", z.AuthorizerCredentials)
	openapi.Put(a, "identitySource", z.IdentitySource)
	openapi.Put(a, "identityValidationExpression", z.IdentityValidationExpression)
	openapi.Put(a, "authorizerResultTtlInSeconds", z.AuthorizerResultTtlInSeconds)
	if len(z.ProviderARNs) > 0 {
		a["providerARNs"] = openapi.FromTexts(z.ProviderARNs)
	}
	out[openapi.XAuthorizer] = a
	return out
}

func integrationDocument(i *v1.Integration) map[string]any {
	out := map[string]any{"type": strings.ToLower(*i.Type)}
	openapi.Put(out, "httpMethod", i.HttpMethod)
	openapi.Put(out, "uri", i.Uri)
	openapi.Put(out, "credentials", i.Credentials)
	openapi.Put(out, "connectionType", i.ConnectionType)
	openapi.Put(out, "contentHandling", i.ContentHandling)
	openapi.Put(out, "timeoutInMillis", i.TimeoutInMillis)
	if i.PassthroughBehavior != nil {
		out["passthroughBehavior"] = strings.ToLower(*i.PassthroughBehavior)
	}
	if len(i.RequestParameters) > 0 {
		out["requestParameters"] = openapi.FromMap(i.RequestParameters)
	}
	if len(i.RequestTemplates) > 0 {
		out["requestTemplates"] = openapi.FromMap(i.RequestTemplates)
	}
	if len(i.CacheKeyParameters) > 0 {
		out["cacheKeyParameters"] = openapi.FromTexts(i.CacheKeyParameters)
	}
	if t := i.TlsConfig; t != nil {
		out["tlsConfig"] = map[string]any{"insecureSkipVerification": shape.Val(t.InsecureSkipVerification)}
	}
	if len(i.IntegrationResponses) == 0 {
		return out
	}
	all := map[string]any{}
	for _, status := range sortedKeys(i.IntegrationResponses) {
		r := i.IntegrationResponses[status]
		m := map[string]any{"statusCode": status}
		if len(r.ResponseParameters) > 0 {
			m["responseParameters"] = openapi.FromMap(r.ResponseParameters)
		}
		if len(r.ResponseTemplates) > 0 {
			m["responseTemplates"] = openapi.FromMap(r.ResponseTemplates)
		}
		openapi.Put(m, "contentHandling", r.ContentHandling)
		key := shape.Val(r.SelectionPattern)
		if key == "" {
			key = "default"
		}
		if all[key] != nil { // the same pattern twice: the first counts
			continue
		}
		all[key] = m
	}
	out["responses"] = all
	return out
}

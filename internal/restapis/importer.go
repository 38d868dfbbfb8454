package restapis

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// A definition is an API as an OpenAPI document describes it, before it is stored. Things refer to each other by names.
type definition struct {
	api         v1.RestApi // what the document says of it; nil is nothing
	given       map[string]bool
	models      []*v1.ModelType
	validators  map[string]*v1.RequestValidator
	authorizers map[string]*v1.Authorizer // by the security scheme's name
	responses   []*v1.GatewayResponse
	methods     []definedMethod // in the order of their paths
	paths       []string
	parts       []*v1.DocumentationPart
	warnings    []string
	errors      []string
}

type definedMethod struct {
	path, name            string
	method                v1.Method
	validator, authorizer string // names
}

// reader reads a document.
type reader struct {
	doc     map[string]any
	three   bool // OpenAPI 3
	api     string
	options map[string]string
	out     *definition
}

// readDefinition reads an OpenAPI document for the API of the given id. What is wrong is in the definition's errors; the error is that
// of a document which is none.
func readDefinition(body []byte, apiID string, options map[string]string) (*definition, error) {
	doc, err := parseDocument(body)
	if err != nil {
		return nil, bad("Unable to parse API definition because of a malformed OpenAPI document: %v", err)
	}
	r := &reader{doc: doc, api: apiID, options: options, out: &definition{given: map[string]bool{}, validators: map[string]*v1.RequestValidator{}, authorizers: map[string]*v1.Authorizer{}}}
	switch {
	case text(doc, "swagger") == "2.0":
	case strings.HasPrefix(text(doc, "openapi"), "3.0"):
		r.three = true
	case doc["swagger"] != nil || doc["openapi"] != nil:
		return nil, bad("Unsupported OpenAPI version '%s%s': only Swagger 2.0 and OpenAPI 3.0 can be imported", text(doc, "swagger"), text(doc, "openapi"))
	default:
		return nil, bad("Invalid OpenAPI input: the document has neither swagger nor openapi")
	}
	for name, value := range options {
		if !slices.Contains([]string{"basepath", "endpointConfigurationTypes", "ignore", "mode", "failonwarnings", "vpcEndpointIds"}, name) {
			r.warn("Ignoring unknown import parameter %s=%s", name, value)
		}
	}
	if err := r.settings(); err != nil {
		return nil, err
	}
	r.schemas()
	for name, v := range object(doc, xValidators) {
		m, _ := v.(map[string]any)
		r.out.validators[name] = &v1.RequestValidator{Name: &name, ValidateRequestBody: or(boolean(m, "validateRequestBody"), false), ValidateRequestParameters: or(boolean(m, "validateRequestParameters"), false)}
	}
	r.security()
	r.gatewayResponses()
	base, err := r.basePath()
	if err != nil {
		return nil, err
	}
	paths := object(doc, "paths")
	for _, path := range sortedKeys(paths) {
		if strings.HasPrefix(path, "x-") {
			continue
		}
		if !strings.HasPrefix(path, "/") {
			r.fail("Invalid path '%s': it must begin with a slash", path)
			continue
		}
		item, _ := paths[path].(map[string]any)
		r.path(strings.TrimSuffix(base, "/")+path, item)
	}
	r.documentation()
	slices.Sort(r.out.warnings)
	return r.out, nil
}

func (r *reader) warn(format string, args ...any) {
	if len(r.out.warnings) < 100 {
		r.out.warnings = append(r.out.warnings, fmt.Sprintf(format, args...))
	}
}

func (r *reader) fail(format string, args ...any) {
	if len(r.out.errors) < 100 {
		r.out.errors = append(r.out.errors, fmt.Sprintf(format, args...))
	}
}

// resolve follows a $ref within the document.
func (r *reader) resolve(m map[string]any) map[string]any {
	for range 20 {
		ref, ok := m["$ref"].(string)
		if !ok {
			return m
		}
		at, ok := strings.CutPrefix(ref, "#/")
		if !ok {
			r.fail("Reference '%s' is not supported: only references within the document are", ref)
			return nil
		}
		next := r.doc
		for p := range strings.SplitSeq(at, "/") {
			next = object(next, unescape.Replace(p))
		}
		if next == nil {
			r.fail("Reference '%s' cannot be resolved", ref)
			return nil
		}
		m = next
	}
	r.fail("References lead in a circle")
	return nil
}

// settings reads what belongs to the API as a whole.
func (r *reader) settings() error {
	a, doc := &r.out.api, r.doc
	info := object(doc, "info")
	a.Name, a.Description, a.Version = optText(info, "title"), optText(info, "description"), optText(info, "version")
	if p, ok := doc[xPolicy]; ok && p != nil {
		a.Policy = shape.Ptr(toJSON(p))
	}
	if s := text(doc, xAPIKeySource); s != "" {
		a.ApiKeySource = shape.Ptr(strings.ToUpper(s))
	}
	if _, ok := doc[xBinary]; ok {
		a.BinaryMediaTypes = texts(doc, xBinary)
		r.out.given[xBinary] = true
	}
	if _, ok := doc[xMinCompression]; ok {
		a.MinimumCompressionSize = integer(doc, xMinCompression)
		r.out.given[xMinCompression] = true
	}
	e := object(doc, xEndpoint)
	if r.three {
		for _, s := range list(doc, "servers") {
			if m, ok := s.(map[string]any); ok && e == nil {
				e = object(m, xEndpoint)
			}
		}
	}
	if e != nil {
		a.DisableExecuteApiEndpoint = boolean(e, "disableExecuteApiEndpoint")
		if ids := texts(e, "vpcEndpointIds"); len(ids) > 0 {
			return unsupported("Endpoint type PRIVATE (vpcEndpointIds) is")
		}
		if types := texts(e, "types"); types != nil {
			a.EndpointConfiguration = &v1.EndpointConfiguration{Types: types, IpAddressType: optText(e, "ipAddressType")}
		}
	}
	if t := r.options["endpointConfigurationTypes"]; t != "" {
		a.EndpointConfiguration = &v1.EndpointConfiguration{Types: strings.Split(t, ",")}
	}
	for _, t := range list(doc, "tags") {
		if m, ok := t.(map[string]any); ok && m[xTagValue] != nil {
			if a.Tags == nil {
				a.Tags = map[string]string{}
			}
			a.Tags[text(m, "name")] = text(m, xTagValue)
		}
	}
	return nil
}

// basePath returns what is put before all paths.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api-basePath.html
func (r *reader) basePath() (string, error) {
	base := text(r.doc, "basePath")
	if r.three {
		if servers := list(r.doc, "servers"); len(servers) > 0 {
			server, _ := servers[0].(map[string]any)
			address := text(server, "url")
			for name, v := range object(server, "variables") {
				m, _ := v.(map[string]any)
				address = strings.ReplaceAll(address, "{"+name+"}", strings.TrimPrefix(text(m, "default"), "/"))
			}
			if u, err := url.Parse(address); err == nil {
				base = u.Path
			}
		}
	}
	base = "/" + strings.Trim(base, "/")
	switch mode := strings.ToLower(r.options["basepath"]); mode {
	case "", "ignore":
		return "", nil
	case "prepend":
		return base, nil
	case "split":
		_, rest, _ := strings.Cut(strings.TrimPrefix(base, "/"), "/")
		return "/" + rest, nil
	default:
		return "", bad("Invalid basepath parameter specified: %s. Must be one of: [ignore, prepend, split]", mode)
	}
}

// schemas reads the models.
func (r *reader) schemas() {
	all := object(r.doc, "definitions")
	if r.three {
		all = object(object(r.doc, "components"), "schemas")
	}
	for _, name := range sortedKeys(all) {
		m, ok := all[name].(map[string]any)
		if !ok {
			r.fail("Unable to create model '%s': the schema is not an object", name)
			continue
		}
		r.model(name, m)
	}
}

func (r *reader) model(name string, s map[string]any) {
	if !modelName.MatchString(name) {
		r.fail("Unable to create model '%s': Model name must be alphanumeric: %s", name, name)
		return
	}
	r.out.models = append(r.out.models, &v1.ModelType{Name: &name, ContentType: shape.Ptr("application/json"), Description: optText(s, "description"),
		Schema: shape.Ptr(toJSON(r.refs(s)))})
}

// refs returns a schema whose references to others of the document are to models.
func (r *reader) refs(v any) any {
	switch x := v.(type) {
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = r.refs(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = r.refs(e)
		}
		if ref, ok := x["$ref"].(string); ok {
			for _, in := range []string{"#/definitions/", "#/components/schemas/"} {
				if name, ok := strings.CutPrefix(ref, in); ok {
					out["$ref"] = "https://apigateway.amazonaws.com/restapis/" + r.api + "/models/" + name
				}
			}
		}
		return out
	}
	return v
}

// modelOf returns the name of the model for a schema: that which it refers to, or one that is made of it.
func (r *reader) modelOf(s map[string]any) string {
	if len(s) == 0 {
		return "Empty"
	}
	if ref, ok := s["$ref"].(string); ok && len(s) == 1 {
		for _, in := range []string{"#/definitions/", "#/components/schemas/"} {
			if name, ok := strings.CutPrefix(ref, in); ok {
				return name
			}
		}
	}
	sum := sha256.Sum256([]byte(toJSON(s)))
	name := "MODEL" + hex.EncodeToString(sum[:3])
	if !slices.ContainsFunc(r.out.models, func(m *v1.ModelType) bool { return *m.Name == name }) {
		r.model(name, s)
	}
	return name
}

// security reads the security schemes that are authorizers.
func (r *reader) security() {
	all := r.schemes()
	for _, name := range sortedKeys(all) {
		scheme, _ := all[name].(map[string]any)
		z := object(scheme, xAuthorizer)
		if z == nil {
			continue
		}
		typ := strings.ToUpper(text(z, "type"))
		if typ == "JWT" || typ == "" && object(z, "jwtConfiguration") != nil {
			r.fail("Unable to create authorizer from security definition: '%s'. JWT authorizers are only supported for HTTP APIs", name)
			continue
		}
		a := &v1.Authorizer{Name: &name, Type: &typ, ProviderARNs: texts(z, "providerARNs"), AuthorizerUri: optText(z, "authorizerUri"), AuthorizerCredentials: optText(z, "authorizerCredentials"),
			IdentitySource: optText(z, "identitySource"), IdentityValidationExpression: optText(z, "identityValidationExpression"),
			AuthorizerResultTtlInSeconds: integer(z, "authorizerResultTtlInSeconds"), AuthType: optText(scheme, xAuthType)}
		if a.IdentitySource == nil && text(scheme, "type") == "apiKey" && text(scheme, "in") == "header" && text(scheme, "name") != "Unused" && typ != v1.AuthorizerTypeRequest {
			a.IdentitySource = shape.Ptr("method.request.header." + text(scheme, "name"))
		}
		if err := checkAuthorizer(a); err != nil {
			r.fail("Unable to create authorizer from security definition: '%s'. %s", name, message(err))
			continue
		}
		r.out.authorizers[name] = a
	}
}

func (r *reader) schemes() map[string]any {
	if r.three {
		return object(object(r.doc, "components"), "securitySchemes")
	}
	return object(r.doc, "securityDefinitions")
}

func (r *reader) gatewayResponses() {
	all := object(r.doc, xResponses)
	for _, typ := range sortedKeys(all) {
		m, _ := all[typ].(map[string]any)
		g := &v1.GatewayResponse{ResponseType: &typ, StatusCode: orElse(optText(m, "statusCode"), opt(defaultStatus[typ])), ResponseParameters: textMap(m, "responseParameters"),
			ResponseTemplates: textMap(m, "responseTemplates"), DefaultResponse: shape.Ptr(false)}
		if g.ResponseParameters == nil {
			g.ResponseParameters = map[string]string{}
		}
		if g.ResponseTemplates == nil {
			g.ResponseTemplates = map[string]string{"application/json": defaultTemplate}
		}
		if err := checkGatewayResponse(g); err != nil {
			r.fail("Unable to put gateway response '%s': %s", typ, message(err))
			continue
		}
		r.out.responses = append(r.out.responses, g)
	}
}

// message is the text of an error for the caller.
func message(err error) string {
	if e, ok := err.(*shape.Error); ok {
		return e.Message
	}
	return err.Error()
}

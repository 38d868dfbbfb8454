package restapis

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
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
	openapi.Problems
}

type definedMethod struct {
	path, name            string
	method                v1.Method
	validator, authorizer string // names
}

// reader reads a document.
type reader struct {
	of      *openapi.Document
	doc     map[string]any // its root
	api     string
	options map[string]string
	out     *definition
}

// readDefinition reads an OpenAPI document for the API of the given id, with the values of AWS's variables. What is wrong is in the definition's errors; the error is that
// of a document which is none.
func readDefinition(body []byte, apiID string, variables, options map[string]string) (*definition, error) {
	of, err := openapi.Read(body, variables)
	var version *openapi.Version
	switch {
	case errors.As(err, &version):
		return nil, bad("%v", err)
	case err != nil:
		return nil, bad("Unable to parse API definition because of a malformed OpenAPI document: %v", err)
	}
	doc := of.Root
	r := &reader{of: of, doc: doc, api: apiID, options: options, out: &definition{given: map[string]bool{}, validators: map[string]*v1.RequestValidator{}, authorizers: map[string]*v1.Authorizer{}}}
	for name, value := range options {
		if !slices.Contains([]string{"basepath", "endpointConfigurationTypes", "ignore", "mode", "failonwarnings", "vpcEndpointIds"}, name) {
			r.warn("Ignoring unknown import parameter %s=%s", name, value)
		}
	}
	if err := r.settings(); err != nil {
		return nil, err
	}
	r.schemas()
	for name, v := range openapi.Object(doc, openapi.XValidators) {
		m, _ := v.(map[string]any)
		r.out.validators[name] = &v1.RequestValidator{Name: &name, ValidateRequestBody: or(openapi.Bool(m, "validateRequestBody"), false), ValidateRequestParameters: or(openapi.Bool(m, "validateRequestParameters"), false)}
	}
	r.security()
	r.gatewayResponses()
	base, err := of.BasePath(options["basepath"])
	if err != nil {
		return nil, bad("%v", err)
	}
	paths := openapi.Object(doc, "paths")
	for _, path := range sortedKeys(paths) {
		if strings.HasPrefix(path, "x-") {
			continue
		}
		if !strings.HasPrefix(path, "/") {
			r.fail("Invalid path '%s': it must begin with a slash", path)
			continue
		}
		item, _ := paths[path].(map[string]any)
		r.path(base+path, item)
	}
	r.documentation()
	slices.Sort(r.out.Warnings)
	return r.out, nil
}

func (r *reader) warn(format string, args ...any) { r.out.Warn(format, args...) }

func (r *reader) fail(format string, args ...any) { r.out.Fail(format, args...) }

// resolve follows a $ref within the document.
func (r *reader) resolve(m map[string]any) map[string]any {
	out, err := r.of.Resolve(m)
	if err != nil {
		r.fail("%v", err)
	}
	return out
}

// settings reads what belongs to the API as a whole.
func (r *reader) settings() error {
	a, doc := &r.out.api, r.doc
	info := openapi.Object(doc, "info")
	a.Name, a.Description, a.Version = openapi.OptText(info, "title"), openapi.OptText(info, "description"), openapi.OptText(info, "version")
	if p, ok := doc[openapi.XPolicy]; ok && p != nil {
		a.Policy = shape.Ptr(openapi.JSON(p))
	}
	if s := openapi.Text(doc, openapi.XAPIKeySource); s != "" {
		a.ApiKeySource = shape.Ptr(strings.ToUpper(s))
	}
	if _, ok := doc[openapi.XBinary]; ok {
		a.BinaryMediaTypes = openapi.Texts(doc, openapi.XBinary)
		r.out.given[openapi.XBinary] = true
	}
	if _, ok := doc[openapi.XMinCompression]; ok {
		a.MinimumCompressionSize = openapi.Int(doc, openapi.XMinCompression)
		r.out.given[openapi.XMinCompression] = true
	}
	e := r.of.Endpoint()
	if e != nil {
		a.DisableExecuteApiEndpoint = openapi.Bool(e, "disableExecuteApiEndpoint")
		if ids := openapi.Texts(e, "vpcEndpointIds"); len(ids) > 0 {
			return unsupported("Endpoint type PRIVATE (vpcEndpointIds) is")
		}
		if types := openapi.Texts(e, "types"); types != nil {
			a.EndpointConfiguration = &v1.EndpointConfiguration{Types: types, IpAddressType: openapi.OptText(e, "ipAddressType")}
		}
	}
	if t := r.options["endpointConfigurationTypes"]; t != "" {
		a.EndpointConfiguration = &v1.EndpointConfiguration{Types: strings.Split(t, ",")}
	}
	a.Tags = r.of.Tags()
	return nil
}

// schemas reads the models.
func (r *reader) schemas() {
	all := openapi.Object(r.doc, "definitions")
	if r.of.Three {
		all = openapi.Object(openapi.Object(r.doc, "components"), "schemas")
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
	r.out.models = append(r.out.models, &v1.ModelType{Name: &name, ContentType: shape.Ptr("application/json"), Description: openapi.OptText(s, "description"),
		Schema: shape.Ptr(openapi.JSON(r.refs(s)))})
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
	sum := sha256.Sum256([]byte(openapi.JSON(s)))
	name := "MODEL" + hex.EncodeToString(sum[:3])
	if !slices.ContainsFunc(r.out.models, func(m *v1.ModelType) bool { return *m.Name == name }) {
		r.model(name, s)
	}
	return name
}

// security reads the security schemes that are authorizers.
func (r *reader) security() {
	all := r.of.SecuritySchemes()
	for _, name := range sortedKeys(all) {
		scheme, _ := all[name].(map[string]any)
		z := openapi.Object(scheme, openapi.XAuthorizer)
		if z == nil {
			if scheme[openapi.XAuthorizer] != nil {
				r.fail("Unable to create authorizer from security definition: '%s'. It is not an object", name)
			}
			continue
		}
		typ := strings.ToUpper(openapi.Text(z, "type"))
		if typ == "JWT" || typ == "" && openapi.Object(z, "jwtConfiguration") != nil {
			r.fail("Unable to create authorizer from security definition: '%s'. JWT authorizers are only supported for HTTP APIs", name)
			continue
		}
		a := &v1.Authorizer{Name: &name, Type: &typ, ProviderARNs: openapi.Texts(z, "providerARNs"), AuthorizerUri: openapi.OptText(z, "authorizerUri"), AuthorizerCredentials: openapi.OptText(z, "authorizerCredentials"),
			IdentitySource: openapi.OptText(z, "identitySource"), IdentityValidationExpression: openapi.OptText(z, "identityValidationExpression"),
			AuthorizerResultTtlInSeconds: openapi.Int(z, "authorizerResultTtlInSeconds"), AuthType: openapi.OptText(scheme, openapi.XAuthType)}
		if a.IdentitySource == nil && openapi.Text(scheme, "type") == "apiKey" && openapi.Text(scheme, "in") == "header" && openapi.Text(scheme, "name") != "Unused" && typ != v1.AuthorizerTypeRequest {
			a.IdentitySource = shape.Ptr("method.request.header." + openapi.Text(scheme, "name"))
		}
		if err := checkAuthorizer(a); err != nil {
			r.fail("Unable to create authorizer from security definition: '%s'. %s", name, message(err))
			continue
		}
		r.out.authorizers[name] = a
	}
}

func (r *reader) gatewayResponses() {
	all := openapi.Object(r.doc, openapi.XResponses)
	for _, typ := range sortedKeys(all) {
		m, _ := all[typ].(map[string]any)
		g := &v1.GatewayResponse{ResponseType: &typ, StatusCode: orElse(openapi.OptText(m, "statusCode"), opt(defaultStatus[typ])), ResponseParameters: openapi.TextMap(m, "responseParameters"),
			ResponseTemplates: openapi.TextMap(m, "responseTemplates"), DefaultResponse: shape.Ptr(false)}
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

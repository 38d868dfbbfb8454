package httpapis

import (
	"errors"
	"slices"
	"strings"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// A definition is an HTTP API as an OpenAPI document describes it, before it is stored: parts refer to each other by
// names and places, for they have no ids yet.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html
type definition struct {
	name, version, description *string
	cors                       *v2.Cors
	disabled                   *bool
	tags                       map[string]string
	authorizers                []*authorizer
	integrations               []*integration
	routes                     []definedRoute

	info []string // of what is right, and has no effect on an HTTP API
	openapi.Problems
}

type definedRoute struct {
	route
	target     int    // place of the integration; -1: none
	authorizer string // name
}

// definer reads a document.
type definer struct {
	*openapi.Document
	out    *definition
	shared map[string]int // places of integrations that are referred to, by their references
	keys   map[string]bool
}

// readDefinition reads an OpenAPI 3 document, with the values of AWS's variables. What is wrong is in the
// definition's errors; the error is that of a document which is none.
func readDefinition(body, basePath string, variables map[string]string) (*definition, error) {
	doc, err := openapi.Read([]byte(body), variables)
	var version *openapi.Version
	switch {
	case errors.As(err, &version):
		return nil, bad("%v", err)
	case err != nil:
		return nil, bad("Unable to parse API definition because of a malformed OpenAPI document: %v", err)
	case !doc.Three:
		return nil, bad("Unsupported OpenAPI version '2.0': only OpenAPI 3.0 can be imported as an HTTP API")
	}
	base, err := doc.BasePath(basePath)
	if err != nil {
		return nil, bad("%v", err)
	}
	r := &definer{Document: doc, out: &definition{}, shared: map[string]int{}, keys: map[string]bool{}}
	r.settings()
	r.authorizers()
	paths := openapi.Object(doc.Root, "paths")
	for _, path := range sortedKeys(paths) {
		if strings.HasPrefix(path, "x-") {
			continue
		}
		item, ok := paths[path].(map[string]any)
		if !ok {
			r.out.Fail("Invalid path '%s': it is not an object", path)
			continue
		}
		r.path(base, path, r.resolve(item))
	}
	return r.out, nil
}

func (r *definer) inform(format string, args ...any) {
	p := openapi.Problems{Warnings: r.out.info}
	p.Warn(format, args...)
	r.out.info = p.Warnings
}

// resolve follows a $ref within the document.
func (r *definer) resolve(m map[string]any) map[string]any {
	out, err := r.Resolve(m)
	if err != nil {
		r.out.Fail("%v", err)
	}
	return out
}

// Extensions of REST APIs.
var restOnly = []string{openapi.XAPIKeySource, openapi.XBinary, openapi.XDocumentation, openapi.XMinCompression, openapi.XResponses, openapi.XValidator, openapi.XValidators}

// settings reads what belongs to the API as a whole.
func (r *definer) settings() {
	d, root := r.out, r.Root
	info := openapi.Object(root, "info")
	d.name, d.version, d.description = openapi.OptText(info, "title"), openapi.OptText(info, "version"), openapi.OptText(info, "description")
	if d.version != nil && len(*d.version) > 64 {
		d.Fail("info.version is longer than 64 characters")
	}
	if v, ok := root[openapi.XImportVersion]; ok && openapi.Text(root, openapi.XImportVersion) != exportVersion {
		d.Fail("Unsupported %s '%v': it must be %s", openapi.XImportVersion, v, exportVersion)
	}
	d.tags = r.Tags()
	if e := r.Endpoint(); e != nil {
		d.disabled = openapi.Bool(e, "disableExecuteApiEndpoint")
	}
	if c, ok := root[openapi.XCORS]; ok && c != nil {
		if d.cors = readCORS(c); d.cors == nil || checkAPI(nil, nil, nil, d.cors) != nil {
			d.cors = nil
			d.Warn("CORS Scheme is malformed, ignoring.")
		}
	}
	for _, name := range restOnly {
		if root[name] != nil {
			r.inform("%s is not supported for HTTP APIs, ignoring.", name)
		}
	}
	if root[openapi.XPolicy] != nil {
		d.Warn("%s is not supported for HTTP APIs, ignoring.", openapi.XPolicy)
	}
	if len(openapi.Object(openapi.Object(root, "components"), "schemas")) > 0 {
		r.inform("Models are not supported for HTTP APIs, ignoring the schemas of components.")
	}
}

func readCORS(v any) *v2.Cors {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	return &v2.Cors{AllowCredentials: openapi.Bool(m, "allowCredentials"), AllowHeaders: openapi.Texts(m, "allowHeaders"), AllowMethods: openapi.Texts(m, "allowMethods"),
		AllowOrigins: openapi.Texts(m, "allowOrigins"), ExposeHeaders: openapi.Texts(m, "exposeHeaders"), MaxAge: openapi.Int(m, "maxAge")}
}

// authorizers reads the security schemes that are authorizers.
func (r *definer) authorizers() {
	all := r.SecuritySchemes()
	for _, name := range sortedKeys(all) {
		scheme, _ := all[name].(map[string]any)
		scheme = r.resolve(scheme)
		src := openapi.Object(scheme, openapi.XAuthorizer)
		if src == nil {
			if scheme[openapi.XAuthorizer] != nil {
				r.out.Fail("Unable to create authorizer from security scheme '%s': it is not an object", name)
			}
			continue
		}
		z := &authorizer{Name: &name, AuthorizerType: opt(strings.ToUpper(openapi.Text(src, "type"))), AuthorizerUri: openapi.OptText(src, "authorizerUri"),
			AuthorizerCredentialsArn: openapi.OptText(src, "authorizerCredentials"), AuthorizerPayloadFormatVersion: formatVersion(src, "authorizerPayloadFormatVersion"),
			AuthorizerResultTtlInSeconds: openapi.Int(src, "authorizerResultTtlInSeconds"), EnableSimpleResponses: openapi.Bool(src, "enableSimpleResponses"),
			IdentityValidationExpression: openapi.OptText(src, "identityValidationExpression"), IdentitySource: identitySources(scheme, src)}
		if j := openapi.Object(src, "jwtConfiguration"); j != nil {
			c := &v2.JWTConfiguration{Audience: textOrList(j, "audience"), Issuer: openapi.OptText(j, "issuer")}
			if c.Issuer == nil {
				c.Issuer = opt(strings.TrimSuffix(openapi.Text(scheme, "openIdConnectUrl"), "/.well-known/openid-configuration"))
			}
			z.JwtConfiguration = c
		}
		if err := checkAuthorizer(z); err != nil {
			r.out.Fail("Unable to create authorizer from security scheme '%s': %s", name, message(err))
			continue
		}
		r.out.authorizers = append(r.out.authorizers, z)
	}
}

// formatVersion takes a version, which documents give as a number, too.
func formatVersion(m map[string]any, name string) *string {
	v := openapi.Text(m, name)
	if v == "1" || v == "2" {
		v += ".0"
	}
	return opt(v)
}

// textOrList takes a list of texts, or a text as one of one.
func textOrList(m map[string]any, name string) []string {
	if s := openapi.Text(m, name); s != "" {
		return []string{s}
	}
	return openapi.Texts(m, name)
}

// identitySources reads a list, or a text with commas; without either a scheme that names a header or a query
// parameter means that.
func identitySources(scheme, src map[string]any) []string {
	var out []string
	for _, s := range textOrList(src, "identitySource") {
		for one := range strings.SplitSeq(s, ",") {
			out = append(out, strings.TrimSpace(one))
		}
	}
	name := openapi.Text(scheme, "name")
	if out != nil || openapi.Text(scheme, "type") != "apiKey" || name == "Unused" {
		return out
	}
	switch openapi.Text(scheme, "in") {
	case "header":
		return []string{"$request.header." + name}
	case "query":
		return []string{"$request.querystring." + name}
	}
	return nil
}

// path reads the operations of a path.
func (r *definer) path(base, path string, item map[string]any) {
	for _, name := range sortedKeys(item) {
		method := strings.ToUpper(name)
		if name == openapi.XAnyMethod {
			method = "ANY"
		}
		op, ok := item[name].(map[string]any)
		switch {
		case name == "parameters" || name == "summary" || name == "description" || name == "servers" || name == "$ref":
			continue
		case name == "any" || !slices.Contains(methods, method):
			if !strings.HasPrefix(name, "x-") {
				r.out.Warn("Ignoring unsupported method '%s' at path '%s'", name, path)
			}
			continue
		case !ok:
			r.out.Fail("Invalid method '%s' for path '%s': it is not an object", name, path)
			continue
		}
		key := method + " " + base + path
		if base != "" && path == "/" {
			key = method + " " + base
		}
		if method == "ANY" && (path == defaultName || shape.Val(openapi.Bool(op, "isDefaultRoute"))) {
			key = defaultName
		}
		r.route(key, op)
	}
}

func (r *definer) route(key string, op map[string]any) {
	d := r.out
	if _, _, err := parseRouteKey(key); err != nil {
		d.Fail("Unable to create route '%s': %s", key, message(err))
		return
	}
	if r.keys[key] {
		d.Fail("Route with key %s already exists for this API", key)
		return
	}
	r.keys[key] = true
	out := definedRoute{target: -1, route: route{RouteKey: &key, ApiKeyRequired: shape.Ptr(false), AuthorizationType: shape.Ptr(v2.AuthorizationTypeNone), OperationName: openapi.OptText(op, "operationId")}}
	if op["requestBody"] != nil {
		r.inform("Request validation is not supported for HTTP APIs, ignoring requestBody of '%s'.", key)
	}
	if op[openapi.XValidator] != nil {
		r.inform("%s is not supported for HTTP APIs, ignoring it at '%s'.", openapi.XValidator, key)
	}
	r.authorization(&out, op)
	if src, ok := op[openapi.XIntegration]; ok && src != nil {
		m, ok := src.(map[string]any)
		if !ok {
			d.Fail("Unable to parse API definition because of a malformed integration at '%s'", key)
			return
		}
		out.target = r.integration(key, m)
	}
	d.routes = append(d.routes, out)
}

// authorization reads who may call a route: one of everybody, IAM, and an authorizer.
func (r *definer) authorization(out *definedRoute, op map[string]any) {
	key, schemes := *out.RouteKey, r.SecuritySchemes()
	found := 0
	iam := func() {
		found++
		out.AuthorizationType = shape.Ptr(v2.AuthorizationTypeAwsIam)
	}
	switch kind := openapi.Text(openapi.Object(op, openapi.XAuth), "type"); {
	case strings.EqualFold(kind, v2.AuthorizationTypeAwsIam):
		iam()
	case op[openapi.XAuth] != nil && !strings.EqualFold(kind, v2.AuthorizationTypeNone):
		r.out.Fail("Invalid %s of route '%s': its type must be NONE or AWS_IAM", openapi.XAuth, key)
	}
	for _, in := range []map[string]any{op, r.Root} { // what is malformed must not open the route
		if _, ok := in["security"].([]any); in["security"] != nil && !ok {
			r.out.Fail("Malformed security of route '%s': it is not a list", key)
		}
	}
	for _, w := range r.Security(op) {
		wants, ok := w.(map[string]any)
		if !ok {
			r.out.Fail("Malformed security of route '%s': a requirement is not an object", key)
		}
		for _, name := range sortedKeys(wants) {
			scheme, _ := schemes[name].(map[string]any)
			scheme = r.resolve(scheme)
			at := slices.IndexFunc(r.out.authorizers, func(z *authorizer) bool { return *z.Name == name })
			switch {
			case at >= 0:
				found++
				out.authorizer, out.AuthorizationType = name, shape.Ptr(v2.AuthorizationTypeJwt)
				if *r.out.authorizers[at].AuthorizerType == v2.AuthorizerTypeRequest {
					out.AuthorizationType = shape.Ptr(v2.AuthorizationTypeCustom)
				}
				out.AuthorizationScopes = openapi.Texts(wants, name)
			case strings.EqualFold(openapi.Text(scheme, openapi.XAuthType), "awsSigv4"):
				iam()
			case scheme == nil && name == v2.AuthorizationTypeNone: // SAM's word for none
			case scheme == nil:
				r.out.Fail("Route '%s' asks for the security scheme '%s', which the definition does not have", key, name)
			case scheme[openapi.XAuthorizer] != nil: // failed already
			default:
				r.out.Warn("Security scheme '%s' is no authorizer, ignoring it at '%s'.", name, key)
			}
		}
	}
	if found > 1 {
		r.out.Fail("Multiple security requirements are not supported: route '%s' can have only one of IAM authorization, a Lambda authorizer and a JWT authorizer", key)
	}
}

// integration reads an integration, and returns its place; -1 if it is none that an HTTP API has. What is
// referred to is one for all that refer to it.
func (r *definer) integration(key string, src map[string]any) int {
	ref := openapi.Text(src, "$ref")
	if at, ok := r.shared[ref]; ok {
		return at
	}
	at := r.readIntegration(key, r.resolve(src))
	if ref != "" {
		r.shared[ref] = at
	}
	return at
}

// Properties of integrations that only REST APIs honour.
var restIntegration = []string{"cacheKeyParameters", "cacheNamespace", "contentHandling", "passthroughBehavior", "requestTemplates", "responseTransferMode", "responses"}

func (r *definer) readIntegration(key string, src map[string]any) int {
	d, kind := r.out, strings.ToUpper(openapi.Text(src, "type"))
	if src == nil {
		return -1 // said already
	}
	if kind != v2.IntegrationTypeAwsProxy && kind != v2.IntegrationTypeHttpProxy {
		d.Warn("Ignoring the integration of '%s': %s", key, onlyProxies)
		return -1
	}
	i := &integration{IntegrationType: &kind, IntegrationUri: openapi.OptText(src, "uri"), IntegrationMethod: opt(strings.ToUpper(openapi.Text(src, "httpMethod"))),
		IntegrationSubtype: openapi.OptText(src, "integrationSubtype"), PayloadFormatVersion: formatVersion(src, "payloadFormatVersion"),
		CredentialsArn: openapi.OptText(src, "credentials"), ConnectionId: openapi.OptText(src, "connectionId"), ConnectionType: opt(strings.ToUpper(openapi.Text(src, "connectionType"))),
		TimeoutInMillis: openapi.Int(src, "timeoutInMillis"), RequestParameters: openapi.TextMap(src, "requestParameters")}
	if i.PayloadFormatVersion == nil { // as in what a REST API exports
		i.PayloadFormatVersion = shape.Ptr("1.0")
	}
	for _, name := range restIntegration {
		if src[name] != nil {
			r.inform("x-amazon-apigateway-integration.%s is not supported for HTTP APIs, ignoring it at '%s'.", name, key)
		}
	}
	if i.IntegrationSubtype == nil {
		for _, name := range sortedKeys(i.RequestParameters) {
			if strings.HasPrefix(name, "integration.request.") {
				d.Warn("Ignoring the parameter mapping '%s' at '%s': it is one of REST APIs.", name, key)
				delete(i.RequestParameters, name)
			}
		}
	}
	if t := openapi.Object(src, "tlsConfig"); t != nil {
		if name := openapi.OptText(t, "serverNameToVerify"); name != nil {
			i.TlsConfig = &v2.TlsConfig{ServerNameToVerify: name}
		}
		if shape.Val(openapi.Bool(t, "insecureSkipVerification")) {
			d.Warn("tlsConfig.insecureSkipVerification is not supported for HTTP APIs, ignoring it at '%s'.", key)
		}
	}
	byStatus := openapi.Object(src, "responseParameters")
	for _, status := range sortedKeys(byStatus) {
		if i.ResponseParameters == nil {
			i.ResponseParameters = map[string]map[string]string{}
		}
		i.ResponseParameters[status] = openapi.TextMap(byStatus, status)
	}
	if err := checkIntegration(i); err != nil {
		d.Fail("Unable to create integration of '%s': %s", key, message(err))
	}
	d.integrations = append(d.integrations, i)
	return len(d.integrations) - 1
}

// message is the text of an error for the caller.
func message(err error) string {
	var e *shape.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

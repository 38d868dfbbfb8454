package sam

import (
	"regexp"
	"slices"
	"strings"
)

// httpAPI expands AWS::Serverless::HttpApi.
func (t *transform) httpAPI(m *macro) []*resource {
	m.props = m.props.copy()
	for _, p := range []string{"CorsConfiguration", "Domain"} {
		m.props.setIf(p, t.resolve(m.get(p)))
	}
	body, uri := m.get("DefinitionBody"), m.get("DefinitionUri")
	if truthy(uri) && truthy(body) {
		failResource(m.id, "Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.")
	}
	api := t.newResource(m.id, "AWS::ApiGatewayV2::Api", m.attrs)
	api.dependsOn = m.dependsOn
	doc := asDict(body)
	if v := m.get("CorsConfiguration"); truthy(v) {
		httpCors(m, v, doc)
	}
	var authorizers []*httpAuthorizer
	if v := m.get("Auth"); truthy(v) {
		authorizers = t.httpAuth(m, v, doc)
	}
	tags := asDict(m.get("Tags")).copy()
	switch {
	case doc.len() == 0 && tags.len() > 0:
		failResource(m.id, "Tags works only with inline OpenApi specified in the 'DefinitionBody' property.")
	case doc.len() > 0 && !validOpenAPI(doc) && tags.len() > 0:
		failResource(m.id, "Unable to add `Tags` because 'DefinitionBody' does not contain a valid OpenApi definition.")
	case validOpenAPI(doc):
		tags.set("httpapi:createdBy", "SAM")
		openAPITags(openAPI(doc), tags)
	}
	if v := m.get("DisableExecuteApiEndpoint"); v != nil {
		if doc.len() == 0 {
			failResource(m.id, "DisableExecuteApiEndpoint works only within 'DefinitionBody' property.")
		}
		disableEndpoint(openAPI(doc), v)
	}
	m.info("Name", "title", doc)
	m.info("Description", "description", doc)
	if truthy(m.get("FailOnWarnings")) && doc.len() > 0 {
		if paths := asDict(doc.get("paths")); paths.has("$default") {
			v := paths.get("$default")
			paths.delete("$default")
			paths.set("/$default", v)
		}
	}
	switch {
	case truthy(uri):
		api.props.set("BodyS3Location", m.body(uri))
	case doc.len() > 0:
		api.props.set("Body", doc)
	default:
		failResource(m.id, "'DefinitionUri' or 'DefinitionBody' are required properties of an 'AWS::Serverless::HttpApi'. Add a value for one of these properties or add a 'HttpApi' event to an 'AWS::Serverless::Function'.")
	}
	if v := m.get("FailOnWarnings"); truthy(v) {
		api.props.set("FailOnWarnings", v)
	}
	made := []*resource{api}
	for _, a := range authorizers {
		if truthy(a.function) && a.permission {
			made = append(made, t.authorizerPermission(m, a.name, a.function, "${AWS::Partition}"))
		}
	}
	made = append(made, t.httpDomain(m, asDict(m.get("Domain")))...)
	made = append(made, t.httpStage(m))
	if body != nil {
		propagate(made, tags, true)
	}
	return made
}

// info writes a text into the definition's info, where nothing stands.
func (m *macro) info(property, key string, doc *dict) {
	v := m.get(property)
	if !truthy(v) {
		return
	}
	if doc.len() == 0 {
		failResource(m.id, "%s works only with inline OpenApi specified in the 'DefinitionBody' property.", property)
	}
	if doc.get("info") != nil && asDict(doc.get("info")) == nil {
		failResource(m.id, "Invalid 'DefinitionBody': The value of 'info' should be a map.")
	}
	info := asDict(doc.get("info"))
	old := info.get(key)
	if key == "title" && !equal(old, ref("AWS::StackName")) || key == "description" && truthy(old) {
		failResource(m.id, "Unable to set %s because it is already defined within inline OpenAPI specified in the 'DefinitionBody' property.", property)
	}
	ed := openAPI(doc)
	if info == nil {
		info = newPy()
		ed.put(doc, "info", info)
	}
	info.set(key, v)
	ed.done()
}

func (t *transform) httpStage(m *macro) *resource {
	var name any = "$default"
	if v := m.get("StageName"); truthy(v) {
		name = v
	}
	text := textOf(name)
	id := hashed(m.id+"Stage", text)
	switch {
	case alphanumeric(text):
		id = m.id + text + "Stage"
	case text == "$default":
		id = m.id + "ApiGatewayDefaultStage"
	}
	s := t.newResource(id, "AWS::ApiGatewayV2::Stage", m.passed)
	for _, p := range []string{"AccessLogSettings", "DefaultRouteSettings", "RouteSettings"} {
		s.props.setIf(p, m.get(p))
	}
	s.props.set("ApiId", ref(m.id))
	s.props.set("StageName", name)
	if tags := asDict(m.get("Tags")); tags != nil {
		s.props.set("Tags", tags)
	}
	s.props.setIf("StageVariables", m.get("StageVariables"))
	s.props.set("AutoDeploy", true)
	return s
}

func openAPITags(ed *editor, tags *dict) {
	all, ok := ed.doc.get("tags").(list)
	if v := ed.doc.get("tags"); !ok && truthy(v) {
		failDocument("Tags in OpenApi DefinitionBody needs to be a list. %s is a %s not a list.", repr(v), pythonType(v))
	}
	for _, e := range tags.items() {
		i := slices.IndexFunc(all, func(v any) bool { return textOf(asDict(v).get("name")) == e.key })
		if i >= 0 {
			asDict(all[i]).set("x-amazon-apigateway-tag-value", e.value)
		} else {
			all = append(all, newPy("name", e.name(), "x-amazon-apigateway-tag-value", e.value))
		}
	}
	ed.put(ed.doc, "tags", all)
	ed.done()
}

func httpCors(m *macro, v any, doc *dict) {
	if doc.len() == 0 {
		failResource(m.id, "Cors works only with inline OpenApi specified in 'DefinitionBody' property.")
	}
	keys := []string{"AllowOrigins", "AllowHeaders", "AllowMethods", "ExposeHeaders", "MaxAge", "AllowCredentials"}
	c := newDict()
	switch d := asDict(v); {
	case v == true:
		c.set("AllowOrigins", list{"*"})
	case isIntrinsic(v):
		c.set("AllowOrigins", v)
	case d != nil:
		for _, e := range d.items() {
			if !slices.Contains(keys, e.key) {
				failResource(m.id, "Invalid key '%s' for 'Cors' property.", e.key)
			}
			c.set(e.key, e.value)
		}
	default:
		failResource(m.id, "Invalid value for 'Cors' property.")
	}
	if !validOpenAPI(doc) {
		failResource(m.id, "Unable to add Cors configuration because 'DefinitionBody' does not contain a valid OpenApi definition.")
	}
	if c.get("AllowCredentials") == true && equal(c.get("AllowOrigins"), list{"*"}) {
		failResource(m.id, `Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is "'*'" or not set.`)
	}
	ed := openAPI(doc)
	const key = "x-amazon-apigateway-cors"
	out := newDict()
	if old := doc.get(key); old != nil {
		if out = asDict(old); out == nil {
			failDocument("Value of '%s' must be a dictionary according to Swagger spec.", key)
		}
	}
	lower := func(k string) string { return strings.ToLower(k[:1]) + k[1:] }
	if origins := c.get("AllowOrigins"); truthy(origins) && isIntrinsic(origins) {
		out.update(asDict(rename(origins, func(s string) string {
			for _, k := range keys {
				s = strings.ReplaceAll(s, k, lower(k))
			}
			return s
		})))
	} else {
		for _, k := range keys {
			v := c.get(k)
			if k == "MaxAge" && v != nil || k == "AllowCredentials" && v == true || k != "MaxAge" && k != "AllowCredentials" && truthy(v) {
				out.set(lower(k), v)
			}
		}
	}
	ed.put(doc, key, out)
	ed.done()
}

// rename changes all texts and keys of a value.
func rename(v any, f func(string) string) any {
	switch v := v.(type) {
	case string, uni:
		return f(textOf(v))
	case list:
		out := make(list, len(v))
		for i := range v {
			out[i] = rename(v[i], f)
		}
		return out
	case *dict:
		out := newDict()
		for _, e := range v.items() {
			out.set(f(e.key), rename(e.value, f))
		}
		return out
	}
	return v
}

// httpAuthorizer is one of an HTTP API's authorizers.
type httpAuthorizer struct {
	name       string
	key        any
	function   any
	scopes     any
	permission bool
	definition *dict
}

func (t *transform) httpAuthorizers(m *macro, auth *dict) []*httpAuthorizer {
	var out []*httpAuthorizer
	if auth.get("EnableIamAuthorizer") == true {
		out = append(out, &httpAuthorizer{name: "AWS_IAM", key: "AWS_IAM",
			definition: newDict("type", "apiKey", "name", "Authorization", "in", "header", "x-amazon-apigateway-authtype", "awsSigv4")})
	}
	all := auth.get("Authorizers")
	if !truthy(all) {
		return out
	}
	for _, e := range of(m.id, "Auth.Authorizers").dict(all).items() {
		d := of(m.id, "Auth.Authorizers."+e.key).dict(e.value)
		if d.has("OpenIdConnectUrl") {
			failResource(m.id, "'OpenIdConnectUrl' is no longer a supported property for authorizer '%s'. Please refer to the AWS SAM documentation.", e.key)
		}
		out = append(out, t.httpAuthorizer(m, e, d))
	}
	return out
}

func (t *transform) httpAuthorizer(m *macro, e entry, d *dict) *httpAuthorizer {
	a := &httpAuthorizer{name: e.key, key: e.name(), function: d.get("FunctionArn"), scopes: d.get("AuthorizationScopes")}
	jwt := newDict()
	if v := d.get("JwtConfiguration"); truthy(v) {
		for _, c := range of(m.id, "JwtConfiguration").dict(v).items() {
			jwt.set(like(c.name(), strings.ToLower(c.key)), c.value)
		}
	}
	isJWT := jwt.len() > 0
	if a.scopes != nil {
		if _, ok := a.scopes.(list); !ok {
			failResource(m.id, "AuthorizationScopes must be a list.")
		}
	}
	only := "Lambda Authorizer"
	wrong := []string{"FunctionArn", "FunctionInvokeRole", "Identity", "AuthorizerPayloadFormatVersion", "EnableSimpleResponses", "EnableFunctionDefaultPermissions"}
	if !isJWT {
		only, wrong = "OAuth2 Authorizer", []string{"AuthorizationScopes", "JwtConfiguration", "IdentitySource"}
	}
	for _, p := range wrong {
		if d.get(p) == nil {
			continue
		}
		if p == "JwtConfiguration" && !isJWT {
			continue // an empty one is none
		}
		if p == "IdentitySource" {
			only += ". For Lambda Authorizer, use the 'Identity' property instead"
		}
		failResource(m.id, "%s is only supported for %s.", p, only)
	}
	if isJWT {
		if !truthy(d.get("IdentitySource")) {
			failResource(m.id, "%s OAuth2 Authorizer must define 'IdentitySource'.", a.name)
		}
		a.definition = newDict("type", "oauth2", authorizerKey, newDict("jwtConfiguration", jwt, "identitySource", d.get("IdentitySource"), "type", "jwt"))
		return a
	}
	if !truthy(a.function) {
		failResource(m.id, "%s Lambda Authorizer must define 'FunctionArn'.", a.name)
	}
	if !truthy(d.get("AuthorizerPayloadFormatVersion")) {
		failResource(m.id, "%s Lambda Authorizer must define 'AuthorizerPayloadFormatVersion'.", a.name)
	}
	if v := d.get("EnableFunctionDefaultPermissions"); v != nil {
		a.permission = of(m.id, "Authorizers."+a.name+".EnableFunctionDefaultPermissions").bool(v)
	}
	x := newDict("type", "request", "authorizerUri",
		sub("arn:"+t.partition+":apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${__FunctionArn__}/invocations", newDict("__FunctionArn__", a.function)))
	if role := d.get("FunctionInvokeRole"); truthy(role) && textOf(role) != "NONE" {
		x.set("authorizerCredentials", role)
	}
	if v := d.get("Identity"); truthy(v) {
		identity := of(m.id, "Auth.Authorizers."+a.name+".Identity").dict(v)
		x.setIf("authorizerResultTtlInSeconds", identity.get("ReauthorizeEvery"))
		sources := list{}
		for _, p := range [][2]string{{"Headers", "$request.header."}, {"QueryStrings", "$request.querystring."}, {"StageVariables", "$stageVariables."}, {"Context", "$context."}} {
			if v := identity.get(p[0]); truthy(v) {
				for _, s := range of(m.id, "Authorizers."+a.name+".Identity."+p[0]).texts(v) {
					sources = append(sources, p[1]+s)
				}
			}
		}
		x.set("identitySource", sources)
	}
	x.set("authorizerPayloadFormatVersion", d.get("AuthorizerPayloadFormatVersion"))
	if v := d.get("EnableSimpleResponses"); truthy(v) {
		x.set("enableSimpleResponses", v)
	}
	a.definition = newDict("type", "apiKey", "name", "Unused", "in", "header", authorizerKey, x)
	return a
}

// httpAuth writes an API's Auth into its definition.
func (t *transform) httpAuth(m *macro, v any, doc *dict) []*httpAuthorizer {
	auth := asDict(v)
	if doc.len() == 0 {
		failResource(m.id, "Auth works only with inline OpenApi specified in the 'DefinitionBody' property.")
	}
	for _, e := range auth.items() {
		if e.key != "Authorizers" && e.key != "DefaultAuthorizer" && e.key != "EnableIamAuthorizer" {
			failResource(m.id, "Invalid value for 'Auth' property")
		}
	}
	if !validOpenAPI(doc) {
		failResource(m.id, "Unable to add Auth configuration because 'DefinitionBody' does not contain a valid OpenApi definition.")
	}
	ed := openAPI(doc)
	all := t.httpAuthorizers(m, auth)
	schemes := asDict(asDict(doc.get("components")).get("securitySchemes"))
	if schemes == nil {
		schemes = newPy()
	}
	for _, a := range all {
		schemes.set(a.key, a.definition)
	}
	if d := auth.get("DefaultAuthorizer"); truthy(d) && !isNoValue(d) {
		name := of(m.id, "Auth.DefaultAuthorizer").text(d)
		i := slices.IndexFunc(all, func(a *httpAuthorizer) bool { return a.name == name })
		if i < 0 {
			failResource(m.id, "Unable to set DefaultAuthorizer because '%s' was not defined in 'Authorizers'.", name)
		}
		scopes := all[i].scopes
		if scopes == nil {
			scopes = list{}
		}
		for _, p := range ed.paths.items() {
			ed.each(p.key, func(method string, def *dict) {
				if method != "options" && !truthy(def.get("security")) {
					ed.put(def, "security", list{newDict(d, scopes)})
				}
			})
		}
	}
	if schemes.len() > 0 {
		components := asDict(doc.get("components"))
		if components.len() == 0 {
			components = newPy()
			ed.put(doc, "components", components)
		}
		ed.put(components, "securitySchemes", schemes)
	}
	ed.done()
	return all
}

var integrated = regexp.MustCompile(`([A-Za-z0-9]+)\.Arn`)

// leadsTo tells whether an API's default route leads to a function already.
func (ed *editor) leadsTo(function string) bool {
	if !ed.hasIntegration("$default", anyMethod) {
		return false
	}
	for _, def := range ed.methods("$default", anyMethod) {
		uri := asDict(asDict(def.get(integrationKey)).get("uri"))
		if uri == nil {
			return false
		}
		for _, v := range contents(uri) {
			m := integrated.FindStringSubmatch(textOf(asDict(v).get("Fn::Sub")))
			if m == nil || m[1] != function {
				return false
			}
		}
	}
	return true
}

// httpEvent lets an HTTP API call the function and writes the route into its definition.
func (t *transform) httpEvent(m *macro, e event, api *dict, at target) []*resource {
	if api == nil {
		api = newDict()
	}
	path := e.get("Path")
	method := like(e.get("Method"), strings.ToLower(textOf(e.get("Method"))))
	name := textOf(method)
	body := asDict(api.get("DefinitionBody"))
	var made []*resource
	short := trimmed(textOf(path))
	covered := false
	if body.len() > 0 {
		ed := openAPI(body)
		covered = short != "$default" && ed.leadsTo(textOf(at.id))
	}
	if !covered {
		if short == "$default" {
			short = ""
		}
		verb := strings.ToUpper(name)
		if name == "any" || name == anyMethod {
			verb = "*"
		}
		made = append(made, t.permission(e, at, "", sub("arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/${__Stage__}/"+verb+greedy(short),
			newDict("__ApiId__", e.get("ApiId"), "__Stage__", "*"))))
	}
	if body == nil {
		return made
	}
	ed := openAPI(body)
	if truthy(api.get(managed)) && ed.hasIntegration(path, method) {
		failEvent(e.key, "API method '%s' defined multiple times for path '%s'.", name, textOf(path))
	}
	if !ed.hasIntegration(path, method) {
		ed.httpIntegration(path, method, at.integration("${AWS::Partition}", false), at.attrs.get("Condition"))
	}
	if v := e.get("Auth"); truthy(v) {
		httpEventAuth(e, api, ed, asDict(v), path, method)
	}
	if v := e.get("TimeoutInMillis"); truthy(v) {
		for _, def := range ed.methods(path, method) {
			asDict(def.get(integrationKey)).set("timeoutInMillis", v)
		}
	}
	if params := braces.FindAllStringSubmatch(textOf(path), -1); params != nil {
		for _, def := range ed.methods(path, method) {
			all, _ := def.get("parameters").(list)
			for _, p := range params {
				if i := slices.IndexFunc(all, func(v any) bool { return textOf(asDict(v).get("name")) == p[1] }); i >= 0 {
					asDict(all[i]).set("in", "path")
					asDict(all[i]).set("required", true)
				} else {
					all = append(all, newPy("name", p[1], "in", "path", "required", true))
				}
			}
			ed.put(def, "parameters", all)
		}
	}
	if v := e.get("PayloadFormatVersion"); truthy(v) {
		for _, def := range ed.methods(path, method) {
			asDict(def.get(integrationKey)).set("payloadFormatVersion", v)
		}
	}
	ed.done()
	return made
}

var (
	braces        = regexp.MustCompile(`\{(.*?)\}`)
	pathVariables = regexp.MustCompile(`\{([a-zA-Z0-9._-]+|proxy\+)\}`)
)

// greedy is invoked for HTTP APIs, whose only greedy variable is {proxy+}.
func greedy(path string) string { return pathVariables.ReplaceAllString(path, "*") }

func (ed *editor) httpIntegration(path, method any, uri *dict, condition any) {
	method = normal(method)
	ed.addPath(path, method)
	if truthy(condition) {
		uri = conditional(condition, uri)
	}
	for _, v := range contents(ed.paths.get(textOf(path))) {
		item := pathItem(v, textOf(path))
		def := asDict(item.get(textOf(method)))
		if def == nil {
			def = newPy()
			ed.put(item, method, def)
		}
		ed.put(def, integrationKey, newPy("type", "aws_proxy", "httpMethod", "POST", "payloadFormatVersion", "2.0", "uri", uri))
		if textOf(path) == "$default" && textOf(method) == anyMethod {
			def.set("isDefaultRoute", true)
		}
		if !def.has("responses") {
			ed.put(def, "responses", newPy())
		}
		if truthy(condition) {
			ed.put(item, method, conditional(condition, def))
		}
	}
}

func httpEventAuth(e event, api *dict, ed *editor, auth *dict, path, method any) {
	apiAuth := newDict()
	if v := api.get("Auth"); v != nil {
		apiAuth = of(e.api, "Auth").dict(v)
	}
	name := auth.get("Authorizer")
	if !truthy(name) {
		if name = apiAuth.get("DefaultAuthorizer"); !truthy(name) {
			failEvent(e.key, "'Auth' section requires either an explicit 'Authorizer' set or a 'DefaultAuthorizer' configured on the HttpApi.")
		}
	}
	all := asDict(apiAuth.get("Authorizers"))
	iam := apiAuth.get("EnableIamAuthorizer") == true
	where := "on API method [" + textOf(method) + "] for path [" + textOf(path) + "]"
	shown, isName := asText(name)
	if !isName {
		shown = repr(name)
	}
	switch {
	case shown == "NONE":
		if !truthy(apiAuth.get("DefaultAuthorizer")) {
			failEvent(e.key, "Unable to set Authorizer %s because 'NONE' is only a valid value when a DefaultAuthorizer on the API is specified.", where)
		}
	case shown == "AWS_IAM" && iam:
	case !isName || all == nil && apiAuth.len() > 0:
		failEvent(e.key, "Unable to set Authorizer [%s] %s. The method authorizer must be a string with a corresponding dict entry in the api authorizer.", shown, where)
	case all.len() == 0:
		failEvent(e.key, "Unable to set Authorizer [%s] %s because the related API does not define any Authorizers.", shown, where)
	case !truthy(all.get(shown)):
		failEvent(e.key, "Unable to set Authorizer [%s] %s because it wasn't defined in the API's Authorizers.", shown, where)
	}
	scopes := auth.get("AuthorizationScopes")
	if _, ok := scopes.(list); truthy(scopes) && !ok {
		failEvent(e.key, "Unable to set Authorizer %s because 'AuthorizationScopes' must be a list of strings.", where)
	}
	for _, def := range ed.methods(path, method) {
		own := list{}
		if shown != "NONE" && shown != "AWS_IAM" {
			a := asDict(all.get(shown))
			if a == nil {
				failDocument("Type of authorizer '%s' must be a dictionary", shown)
			}
			for _, v := range []any{scopes, a.get("AuthorizationScopes")} {
				if l, ok := v.(list); ok && len(l) > 0 {
					own = l
					break
				}
			}
		}
		ed.put(def, "security", append(securityOf(def, textOf(path), textOf(method)), newDict(name, own)))
	}
}

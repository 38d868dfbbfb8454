package sam

import (
	"slices"
	"strconv"
	"strings"
)

// restAuthKeys are the keys of a REST API's Auth.
var restAuthKeys = []string{
	"Authorizers", "DefaultAuthorizer", "InvokeRole", "AddDefaultAuthorizerToCorsPreflight", "AddApiKeyRequiredToCorsPreflight", "ApiKeyRequired", "ResourcePolicy", "UsagePlan",
}

// restAuthorizer is one of a REST API's authorizers.
type restAuthorizer struct {
	name                   any
	pool, function         any
	identity               *dict
	payload                string // TOKEN or REQUEST
	role, scopes           any
	withoutPermission, iam bool
}

func (t *transform) restAuthorizers(m *macro, auth *dict, byDefault bool) []*restAuthorizer {
	var out []*restAuthorizer
	if d := auth.get("DefaultAuthorizer"); byDefault && textOf(d) == "AWS_IAM" {
		out = append(out, &restAuthorizer{name: d, iam: true, scopes: list{}, payload: "TOKEN"})
	}
	all := auth.get("Authorizers")
	if !truthy(all) {
		return out
	}
	for _, e := range of(m.id, "Auth.Authorizers").dict(all).items() {
		d := of(m.id, "Auth.Authorizers."+e.key).dict(e.value)
		a := &restAuthorizer{name: e.name(), pool: d.get("UserPoolArn"), function: d.get("FunctionArn"), role: d.get("FunctionInvokeRole"), scopes: list{}, payload: "TOKEN"}
		switch p := d.get("FunctionPayloadType"); {
		case p == nil:
		case textOf(p) == "TOKEN" || textOf(p) == "REQUEST":
			a.payload = textOf(p)
		default:
			failResource(m.id, "%s Authorizer has invalid 'FunctionPayloadType': %s.", e.key, textOf(p))
		}
		identity := d.get("Identity")
		if a.payload == "REQUEST" && missingIdentity(m, e.key, identity) {
			failResource(m.id, "%s Authorizer must specify Identity with at least one of Headers, QueryStrings, StageVariables, or Context.", e.key)
		}
		if truthy(identity) {
			if a.identity = asDict(identity); a.identity == nil {
				failResource(m.id, "Auth.Authorizers.<Authorizer>.Identity must be a dict (LambdaTokenAuthorizationIdentity, LambdaRequestAuthorizationIdentity or CognitoAuthorizationIdentity).")
			}
		}
		if v := d.get("AuthorizationScopes"); v != nil {
			a.scopes = of(m.id, "Authorizers."+e.key+".AuthorizationScopes").list(v)
		}
		if v := d.get("DisableFunctionDefaultPermissions"); v != nil {
			a.withoutPermission = of(m.id, "Authorizers."+e.key+".DisableFunctionDefaultPermissions").bool(v)
		}
		if i := slices.IndexFunc(out, func(b *restAuthorizer) bool { return textOf(b.name) == e.key }); i >= 0 {
			out[i] = a
			continue
		}
		out = append(out, a)
	}
	return out
}

func missingIdentity(m *macro, name string, v any) bool {
	if !truthy(v) {
		return true
	}
	d := of(m.id, "Authorizer."+name+".Identity").dict(v)
	missing := !truthy(d.get("Headers")) && !truthy(d.get("QueryStrings")) && !truthy(d.get("StageVariables")) && !truthy(d.get("Context"))
	ttl := d.get("ReauthorizeEvery")
	if ttl == nil {
		return missing
	}
	n, err := strconv.Atoi(versionText(ttl))
	return missing && (err != nil || n > 0)
}

// definition is the authorizer as Swagger has it.
func (a *restAuthorizer) definition(t *transform, m *macro) *dict {
	request := a.payload == "REQUEST"
	cognito := !a.iam && truthy(a.pool)
	lambda := !a.iam && !cognito
	var header any = "Authorization"
	if v := a.identity.get("Header"); truthy(v) {
		header = v
	}
	if lambda && request {
		header = "Unused"
	}
	typ := "custom"
	if a.iam {
		typ = "awsSigv4"
	} else if cognito {
		typ = "cognito_user_pools"
	}
	out := newPy("type", "apiKey", "name", header, "in", "header", "x-amazon-apigateway-authtype", typ)
	var x *dict
	switch {
	case cognito:
		pools, ok := a.pool.(list)
		if !ok {
			pools = list{a.pool}
		}
		x = newPy("type", "cognito_user_pools", "providerARNs", pools)
	case lambda:
		x = newPy("type", strings.ToLower(a.payload))
		x.set("authorizerUri", sub("arn:"+t.partition+":apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${__FunctionArn__}/invocations", newDict("__FunctionArn__", a.function)))
		x.setIf("authorizerResultTtlInSeconds", a.identity.get("ReauthorizeEvery"))
		if truthy(a.role) && textOf(a.role) != "NONE" {
			x.set("authorizerCredentials", a.role)
		}
		if request {
			if s := a.sources(m); truthy(s) {
				x.set("identitySource", s)
			}
		}
	default:
		return out
	}
	if v := a.identity.get("ValidationExpression"); truthy(v) && !(lambda && request) {
		x.set("identityValidationExpression", v)
	}
	out.set(authorizerKey, x)
	return out
}

func (a *restAuthorizer) sources(m *macro) any {
	var all []string
	isUni := false
	for _, p := range [][2]string{{"Headers", "method.request.header."}, {"QueryStrings", "method.request.querystring."}, {"StageVariables", "stageVariables."}, {"Context", "context."}} {
		v := a.identity.get(p[0])
		if !truthy(v) {
			continue
		}
		x := of(m.id, "Auth.Authorizers."+textOf(a.name)+".Identity."+p[0])
		for i, s := range x.texts(v) {
			all = append(all, p[1]+s)
			_, u := v.(list)[i].(uni)
			isUni = isUni || u
		}
	}
	if s := strings.Join(all, ", "); !isUni {
		return s
	} else {
		return uni(s)
	}
}

// restAuth writes an API's Auth into its definition.
func (t *transform) restAuth(m *macro, auth, doc *dict) {
	for _, e := range auth.items() {
		if !slices.Contains(restAuthKeys, e.key) {
			failResource(m.id, "Invalid value for 'Auth' property")
		}
	}
	if !validSwagger(doc) {
		failResource(m.id, "Unable to add Auth configuration because 'DefinitionBody' does not contain a valid Swagger definition.")
	}
	ed := swagger(doc)
	authorizers := t.restAuthorizers(m, auth, true)
	// The order in which they are defined is that of a map of the published transform.
	order, names := newPy(), []string(nil)
	for _, a := range authorizers {
		order.set(a.name, a)
		names = append(names, textOf(a.name))
	}
	if len(authorizers) > 0 {
		for _, e := range order.items() {
			ed.secure(e.name(), asDict(ed.own(e.value.(*restAuthorizer).definition(t, m))))
		}
		if v := auth.get("DefaultAuthorizer"); truthy(v) {
			name, ok := asText(v)
			if !ok {
				failResource(m.id, "DefaultAuthorizer is not a string.")
			}
			i := slices.Index(names, name)
			if i < 0 {
				failResource(m.id, "Unable to set DefaultAuthorizer because '%s' was not defined in 'Authorizers'.", name)
			}
			preflights := !auth.has("AddDefaultAuthorizerToCorsPreflight") || truthy(auth.get("AddDefaultAuthorizerToCorsPreflight"))
			for _, p := range ed.paths.items() {
				ed.defaultAuthorizer(p.key, v, names, authorizers[i].scopes, preflights)
			}
		}
	}
	if truthy(auth.get("ApiKeyRequired")) {
		ed.secureKey()
		preflights := !auth.has("AddApiKeyRequiredToCorsPreflight") || truthy(auth.get("AddApiKeyRequiredToCorsPreflight"))
		for _, p := range ed.paths.items() {
			ed.defaultKey(p.key, preflights)
		}
	}
	if v := auth.get("ResourcePolicy"); truthy(v) {
		policy := asDict(v)
		if policy == nil {
			failDocument("ResourcePolicy must be a map (ResourcePolicyStatement).")
		}
		for _, p := range ed.paths.items() {
			ed.resourcePolicy(policy, p.name(), m.get("StageName"))
		}
		if s := policy.get("CustomStatements"); truthy(s) {
			ed.customStatements(s)
		}
	}
	ed.done()
}

func (t *transform) restAuthorizerPermissions(m *macro) []*resource {
	var out []*resource
	for _, a := range t.restAuthorizers(m, asDict(m.get("Auth")), false) {
		if !truthy(a.function) || a.withoutPermission {
			continue
		}
		out = append(out, t.authorizerPermission(m, textOf(a.name), a.function, t.partition))
	}
	return out
}

func (t *transform) authorizerPermission(m *macro, name string, function any, partition string) *resource {
	p := t.newResource(m.id+name+"AuthorizerPermission", "AWS::Lambda::Permission", m.passed)
	p.props.set("Action", publicAction)
	p.props.set("FunctionName", function)
	p.props.set("Principal", "apigateway.amazonaws.com")
	p.props.set("SourceArn", sub("arn:"+partition+":execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/authorizers/*", newDict("__ApiId__", ref(m.id))))
	return p
}

// event expands one event of a function.
func (t *transform) event(m *macro, e event, at target) []*resource {
	api := asDict(t.resources.get(e.api))
	props := asDict(api.get("Properties"))
	if e.typ == "HttpApi" {
		return t.httpEvent(m, e, props, at)
	}
	return t.restEvent(m, e, props, at)
}

// restEvent lets a REST API call the function and writes the method into its definition.
func (t *transform) restEvent(m *macro, e event, api *dict, at target) []*resource {
	path, method := e.get("Path"), like(e.get("Method"), strings.ToLower(textOf(e.get("Method"))))
	stage := "Stage"
	if api == nil {
		api = newDict()
	}
	if s, ok := asText(api.get("StageName")); ok {
		if s == "" {
			failResource(e.api, "StageName cannot be empty.")
		}
		stage = s
	}
	verb := strings.ToUpper(textOf(method))
	if verb == "ANY" {
		verb = "*"
	}
	source := sub("arn:"+t.partition+":execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/${__Stage__}/"+verb+invoked(trimmed(textOf(path))),
		newDict("__ApiId__", e.get("RestApiId"), "__Stage__", "*"))
	made := []*resource{t.permission(e, at, stage, source)}

	auth := asDict(e.get("Auth"))
	merging := truthy(api.get("MergeDefinitions"))
	if (truthy(api.get(managed)) || merging) && api.get("DefinitionBody") != nil {
		body := api.get("DefinitionBody")
		if merging {
			body = swaggerSkeleton()
		}
		ed := swagger(body)
		t.restMethod(e, api, ed, path, method, stage, at)
		ed.done()
		if merging {
			mergeDefinition(e, api, ed, path, method)
		}
	}
	if truthy(api.get("DefinitionBody")) && truthy(auth.get("OverrideApiAuth")) {
		if !truthy(auth.get("Authorizer")) && !truthy(auth.get("ApiKeyRequired")) && !truthy(auth.get("ResourcePolicy")) {
			failEvent(e.key, "Must define one of: Authorizer, ApiKeyRequired or ResourcePolicy when using the OverrideApiAuth property.")
		}
		ed := swagger(api.get("DefinitionBody"))
		t.eventAuth(e, api, ed, auth, path, method, stage)
		ed.done()
	}
	return made
}

// mergeDefinition puts a method that was written apart into the definition that the API came with.
func mergeDefinition(e event, api *dict, ed *editor, path, method any) {
	body := of(e.api, "DefinitionBody").dict(api.get("DefinitionBody")).copy()
	paths := asDict(body.get("paths"))
	if paths == nil {
		paths = newPy()
	}
	key := textOf(normal(method))
	own := asDict(asDict(ed.paths.get(textOf(path))).get(key))
	merged := newDict()
	if item := asDict(paths.get(textOf(path))); item != nil {
		if v := item.get(textOf(method)); v != nil {
			merged.update(of(e.api, "DefinitionBody.paths."+textOf(path)+"."+textOf(method)).dict(v))
		}
	}
	merged.update(own)
	if asDict(paths.get(textOf(path))) == nil {
		paths.set(path, newDict())
	}
	asDict(paths.get(textOf(path))).set(method, merged)
	api.set("DefinitionBody", body)
}

func (t *transform) restMethod(e event, api *dict, ed *editor, path, method any, stage string, at target) {
	if ed.hasIntegration(path, method) {
		failEvent(e.key, `API method "%s" defined multiple times for path "%s".`, textOf(method), textOf(path))
	}
	auth, apiAuth := newPy(), newPy()
	if v := e.get("Auth"); truthy(v) {
		auth = ofEventProp(e.key, "Auth").dict(v)
	}
	if v := api.get("Auth"); truthy(v) {
		apiAuth = of(e.api, "Auth").dict(v)
	}
	streams := textOf(e.get("ResponseTransferMode")) == "RESPONSE_STREAM"
	ed.lambdaIntegration(path, method, at.integration(t.partition, streams), auth, apiAuth, at.attrs.get("Condition"), streams, t.partition)
	if auth.len() > 0 {
		t.eventAuth(e, api, ed, auth, path, method, stage)
	}
	if v := e.get("TimeoutInMillis"); truthy(v) {
		for _, def := range ed.methods(path, method) {
			asDict(def.get(integrationKey)).set("timeoutInMillis", v)
		}
	}
	if v := e.get("RequestModel"); truthy(v) {
		restModel(e, api, ed, ofEventProp(e.key, "RequestModel").dict(v), path, method)
	}
	if v, ok := e.get("RequestParameters").(list); ok && len(v) > 0 {
		ed.parameters(path, method, requestParameters(e, v))
	}
}

func restModel(e event, api *dict, ed *editor, c *dict, path, method any) {
	model := c.get("Model")
	if !truthy(model) {
		return
	}
	unable := func(why string) {
		name, ok := asText(model)
		if !ok {
			name = repr(model)
		}
		failEvent(e.key, "Unable to set RequestModel [%s] on API method [%s] for path [%s] because %s", name, textOf(method), textOf(path), why)
	}
	all := api.get("Models")
	if !truthy(all) {
		unable("the related API does not define any Models.")
	}
	if asDict(all) == nil {
		unable("the related API Models defined is of invalid type.")
	}
	if _, ok := asText(model); !ok {
		unable("the related API does not contain valid Models.")
	}
	if !truthy(asDict(all).get(textOf(model))) {
		unable("it wasn't defined in the API's Models.")
	}
	ed.model(path, method, model, c.get("Required"))
	body, params := c.get("ValidateBody"), c.get("ValidateParameters")
	if body == nil && params == nil {
		return
	}
	flag := func(v any) bool {
		b, ok := v.(bool)
		if !ok && v != nil {
			failEvent(e.key, "Unable to set Validator to RequestModel [%s] on API method [%s] for path [%s] ValidateBody and ValidateParameters must be a boolean type, strings or intrinsics are not supported.", textOf(model), textOf(method), textOf(path))
		}
		return b
	}
	ed.validator(path, method, flag(body), flag(params))
}

func requestParameters(e event, all list) []parameter {
	var out []parameter
	check := func(name string) {
		rest, ok := strings.CutPrefix(name, "method.request.")
		location, _, dot := strings.Cut(rest, ".")
		if !ok || !dot || !slices.Contains([]string{"querystring", "path", "header"}, location) {
			failEvent(e.key, "Invalid value for 'RequestParameters' property. Keys must be in the format 'method.request.[querystring|path|header].{value}', e.g 'method.request.header.Authorization'.")
		}
	}
	for _, v := range all {
		p := parameter{required: false, caching: false}
		if s, ok := asText(v); ok {
			check(s)
			p.name = v
		} else if d := asDict(v); d.len() > 0 {
			first := d.items()[0]
			check(first.key)
			p.name = first.name()
			settings := asDict(first.value)
			if settings == nil || slices.ContainsFunc(settings.items(), func(e entry) bool { return e.key != "Required" && e.key != "Caching" }) {
				failEvent(e.key, "Invalid value for 'RequestParameters' property. Values must be an object, e.g { Required: true, Caching: false }")
			}
			if v := settings.get("Required"); v != nil {
				p.required = v
			}
			if v := settings.get("Caching"); v != nil {
				p.caching = v
			}
		} else {
			failEvent(e.key, "Invalid value for 'RequestParameters' property. Property must be either a string or an object")
		}
		out = append(out, p)
	}
	return out
}

// eventAuth writes what an event says about who may call its method.
func (t *transform) eventAuth(e event, api *dict, ed *editor, auth *dict, path, method any, stage string) {
	apiAuth := asDict(t.resolve(api.get("Auth")))
	name := auth.get("Authorizer")
	unable := func(format string, args ...any) {
		shown, ok := asText(name)
		if !ok {
			shown = repr(name)
		}
		failEvent(e.key, "Unable to set "+strings.ReplaceAll(format, "{auth}", "["+shown+"]"), args...)
	}
	if truthy(name) {
		all := apiAuth.get("Authorizers")
		if truthy(all) {
			of(e.api, "Auth.Authorizers").dict(all)
		}
		switch textOf(name) {
		case "AWS_IAM":
		case "NONE":
			if !truthy(apiAuth.get("DefaultAuthorizer")) {
				unable("Authorizer on API method [%s] for path [%s] because 'NONE' is only a valid value when a DefaultAuthorizer on the API is specified.", textOf(method), textOf(path))
			}
		default:
			if !truthy(all) {
				unable("Authorizer {auth} on API method [%s] for path [%s] because the related API does not define any Authorizers.", textOf(method), textOf(path))
			}
			if _, ok := asText(name); !ok {
				unable("Authorizer {auth} on API method [%s] for path [%s]. The method authorizer must be a string with a corresponding dict entry in the api authorizer.", textOf(method), textOf(path))
			}
			if !truthy(asDict(all).get(textOf(name))) {
				unable("Authorizer {auth} on API method [%s] for path [%s] because it wasn't defined in the API's Authorizers.", textOf(method), textOf(path))
			}
		}
	}
	if scopes := auth.get("AuthorizationScopes"); truthy(scopes) {
		ofEventProp(e.key, "Auth.AuthorizationScopes").list(scopes)
		if !truthy(name) {
			failEvent(e.key, "AuthorizationScopes works only when Authorizer is set")
		}
	}
	key := auth.get("ApiKeyRequired")
	if key != nil && !truthy(key) && !truthy(apiAuth.get("ApiKeyRequired")) {
		unable("ApiKeyRequired [False] on API method [%s] for path [%s] because the related API does not specify any ApiKeyRequired.", textOf(method), textOf(path))
	}
	if truthy(name) || key != nil {
		ed.methodAuth(path, method, auth, asDict(apiAuth.get("Authorizers")))
	}
	if v := auth.get("ResourcePolicy"); truthy(v) {
		policy := of(e.key, "Auth.ResourcePolicy").dict(v)
		ed.resourcePolicy(policy, path, stage)
		if s := policy.get("CustomStatements"); truthy(s) {
			ed.customStatements(s)
		}
	}
}

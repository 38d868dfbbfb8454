package sam

import (
	"slices"
	"strings"
)

// lambdaIntegration leads a method to a function.
func (ed *editor) lambdaIntegration(path, method any, uri *dict, methodAuth, apiAuth *dict, condition any, streams bool, partition string) {
	method = normal(method)
	ed.addPath(path, method)
	var to any = uri
	if truthy(condition) {
		to = conditional(condition, uri)
	}
	for _, v := range contents(ed.paths.get(textOf(path))) {
		item := pathItem(v, textOf(path))
		def := methodOf(item.get(textOf(method)), textOf(path), textOf(method))
		in := newPy()
		ed.put(def, integrationKey, in)
		in.set("type", "aws_proxy")
		in.set("httpMethod", "POST")
		ed.put(in, "uri", to)
		if streams {
			in.set("responseTransferMode", "STREAM")
		}
		if textOf(methodAuth.get("Authorizer")) == "AWS_IAM" || textOf(apiAuth.get("DefaultAuthorizer")) == "AWS_IAM" && methodAuth.len() == 0 {
			if c := invokeRole(methodAuth, apiAuth, partition); textOf(c) != "NONE" {
				ed.put(in, "credentials", ed.own(c))
			}
		}
		if !def.has("responses") {
			ed.put(def, "responses", newPy())
		}
		if truthy(condition) {
			ed.put(item, method, conditional(condition, def))
		}
	}
}

// invokeRole says as whom API Gateway calls the function behind a method with IAM authorization.
func invokeRole(methodAuth, apiAuth *dict, partition string) any {
	pick := func(auth *dict) any {
		if v := auth.get("InvokeRole"); truthy(v) {
			return v
		} else if auth.has("InvokeRole") {
			return "NONE"
		}
		return nil
	}
	v := pick(methodAuth)
	if v == nil {
		v = pick(apiAuth)
	}
	if v == nil || textOf(v) == "CALLER_CREDENTIALS" {
		return "arn:" + partition + ":iam::*:user/*"
	}
	return v
}

// cors is a REST API's configuration.
type cors struct{ origin, headers, methods, maxAge, credentials any }

// addCors answers a path's preflights, unless it does so itself.
func (ed *editor) addCors(path string, c cors) {
	for _, v := range contents(ed.paths.get(path)) {
		item := pathItem(v, path)
		if item.has("options") {
			continue
		}
		if !truthy(c.origin) {
			failTemplate("Invalid input. Value for AllowedOrigins is required")
		}
		if !truthy(c.methods) { // those of the first path, as the published transform has it
			c.methods = "'" + corsMethods(item) + "'"
		}
		ed.put(item, "options", preflight(ed, c))
	}
}

func corsMethods(item *dict) string {
	all := []string{"OPTIONS"}
	for _, e := range item.items() {
		if e.key == anyMethod {
			return "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT"
		}
		if m := strings.ToUpper(e.key); !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

func preflight(ed *editor, c cors) *dict {
	params, headers := newPy(), newPy()
	add := func(name string, v any, typ string) {
		params.set("method.response.header."+name, ed.own(v))
		headers.set(name, newDict("type", typ))
	}
	add("Access-Control-Allow-Origin", c.origin, "string")
	if truthy(c.headers) {
		add("Access-Control-Allow-Headers", c.headers, "string")
	}
	if truthy(c.methods) {
		add("Access-Control-Allow-Methods", c.methods, "string")
	}
	if c.maxAge != nil {
		add("Access-Control-Max-Age", c.maxAge, "integer")
	}
	if c.credentials == true {
		add("Access-Control-Allow-Credentials", "'true'", "string")
	}
	return newPy(
		"summary", "CORS support", "consumes", list{"application/json"}, "produces", list{"application/json"},
		integrationKey, newPy(
			"type", "mock", "requestTemplates", newDict("application/json", "{\n  \"statusCode\" : 200\n}\n"),
			"responses", newPy("default", newPy("statusCode", "200", "responseParameters", params, "responseTemplates", newDict("application/json", "{}\n")))),
		"responses", newPy("200", newPy("description", "Default response for CORS method", "headers", headers)))
}

func (ed *editor) secure(name any, definition *dict) {
	if ed.security == nil {
		ed.security = newPy()
		ed.e.adopt(ed.security)
	}
	ed.put(ed.security, name, definition)
}

// secureOnce adds a definition that is always the same.
func (ed *editor) secureOnce(name string, definition *dict) {
	if ed.security == nil {
		ed.secure(name, definition)
	} else if !ed.security.has(name) {
		ed.e.adopt(definition)
		ed.security.update(newDict(name, definition))
	}
}

func (ed *editor) secureIAM() {
	ed.secureOnce("AWS_IAM", newPy("x-amazon-apigateway-authtype", "awsSigv4", "type", "apiKey", "name", "Authorization", "in", "header"))
}

func (ed *editor) secureKey() {
	ed.secureOnce("api_key", newPy("type", "apiKey", "name", "x-api-key", "in", "header"))
}

// defaultAuthorizer sets the authorizer of a path's methods that have none.
func (ed *editor) defaultAuthorizer(path string, name any, names []string, scopes any, preflights bool) {
	ed.each(path, func(method string, def *dict) {
		if !preflights && method == "options" {
			return
		}
		var others, own list
		none := -1
		for _, v := range securityOf(def, path, method) {
			s := asDict(v)
			if s == nil {
				failDocument("%s in Security for path %s method %s is not a valid dictionary.", repr(v), path, method)
			}
			if slices.ContainsFunc(s.items(), func(e entry) bool { return e.key == "AWS_IAM" || slices.Contains(names, e.key) }) {
				own = append(own, v)
				continue
			}
			if none < 0 && s.has("NONE") {
				none = len(others)
			}
			others = append(others, v)
		}
		switch {
		case none >= 0:
			others = slices.Delete(others, none, none+1)
			own = nil
		case own == nil:
			own = list{newPy(name, ed.own(scopes))}
		}
		ed.setSecurity(def, append(others, own...))
	})
}

// setSecurity sets what a method asks for, if that is anything.
func (ed *editor) setSecurity(def *dict, security list) {
	if len(security) == 0 {
		return
	}
	ed.put(def, "security", security)
	if asDict(security[0]).has("AWS_IAM") {
		ed.secureIAM()
	}
}

// defaultKey makes a path's methods ask for an API key.
func (ed *editor) defaultKey(path string, preflights bool) {
	ed.each(path, func(method string, def *dict) {
		var others list
		refused := false
		old := securityOf(def, path, method)
		for _, v := range old {
			s := asDict(v)
			if s == nil {
				failDocument("%s in Security for path %s method %s is not a valid dictionary.", repr(v), path, method)
			}
			refused = refused || s.has("api_key_false")
			if !s.has("api_key") && !s.has("api_key_false") {
				others = append(others, v)
			}
		}
		if !refused && (preflights || method != "options") {
			others = append(others, newPy("api_key", list{}))
		}
		if !equal(others, old) {
			if others == nil {
				others = list{}
			}
			ed.put(def, "security", others)
		}
	})
}

// methodAuth sets what an event says about who may call it.
func (ed *editor) methodAuth(path, method any, auth, authorizers *dict) {
	if name := auth.get("Authorizer"); truthy(name) {
		for _, def := range ed.methods(path, method) {
			var scopes any
			if textOf(name) != "NONE" && authorizers.len() > 0 {
				var a *dict
				if v := authorizers.get(textOf(name)); v != nil {
					if a = asDict(v); a == nil {
						failDocument("Type of authorizer '%s' must be a dictionary", textOf(name))
					}
					if scopes = a.get("AuthorizationScopes"); auth.get("AuthorizationScopes") != nil {
						scopes = auth.get("AuthorizationScopes")
					}
				}
			}
			if scopes == nil {
				scopes = list{}
			}
			ed.setSecurity(def, append(securityOf(def, textOf(path), textOf(method)), newPy(name, ed.own(scopes))))
		}
	}
	if key := auth.get("ApiKeyRequired"); key != nil {
		for _, def := range ed.methods(path, method) {
			name := "api_key_false"
			if truthy(key) {
				name = "api_key"
				ed.secureKey()
			}
			ed.put(def, "security", append(securityOf(def, textOf(path), textOf(method)), newPy(name, list{})))
		}
	}
}

// validator makes a method check its requests.
func (ed *editor) validator(path, method any, body, params bool) {
	name := "no-validation"
	switch {
	case body && params:
		name = "body-and-params"
	case body:
		name = "body-only"
	case params:
		name = "params-only"
	}
	const all = "x-amazon-apigateway-request-validators"
	if !truthy(ed.doc.get(all)) {
		ed.put(ed.doc, all, newPy())
	}
	if d := asDict(ed.doc.get(all)); !truthy(d.get(name)) {
		ed.put(d, name, newPy("validateRequestBody", body, "validateRequestParameters", params))
	}
	for _, def := range ed.methods(path, method) {
		def.update(newPy("x-amazon-apigateway-request-validator", name))
	}
}

// model makes a method say what its body is.
func (ed *editor) model(path, method any, name any, required any) {
	name = like(name, strings.ToLower(textOf(name)))
	for _, def := range ed.methods(path, method) {
		if ed.doc.get("swagger") != nil {
			params, _ := def.get("parameters").(list)
			p := newPy("in", "body", "name", name, "schema", newDict("$ref", "#/definitions/"+textOf(name)))
			p.setIf("required", required)
			ed.put(def, "parameters", append(params, p))
		} else {
			body := newDict("content", newDict("application/json", newDict("schema", newDict("$ref", "#/components/schemas/"+textOf(name)))))
			body.setIf("required", required)
			ed.put(def, "requestBody", body)
		}
	}
}

// parameter is one of an event's RequestParameters.
type parameter struct {
	name              any
	required, caching any
}

func (ed *editor) parameters(path, method any, all []parameter) {
	for _, def := range ed.methods(path, method) {
		params, _ := def.get("parameters").(list)
		for _, p := range all {
			location, name, _ := strings.Cut(strings.TrimPrefix(textOf(p.name), "method.request."), ".")
			in := like(p.name, location)
			if location == "querystring" {
				in = "query"
			}
			one := newPy("in", in, "name", like(p.name, name), "required", p.required, "type", "string")
			ed.e.adopt(one)
			params = append(params, one)
			if truthy(p.caching) {
				in := asDict(def.get(integrationKey))
				keys, _ := in.get("cacheKeyParameters").(list)
				in.set("cacheKeyParameters", append(keys, p.name))
			}
		}
		def.set("parameters", params)
	}
}

// resourcePolicy adds to the policy of the API what is said for one path.
func (ed *editor) resourcePolicy(p *dict, path any, stage any) {
	if ed.policy == nil {
		ed.policy = newPy()
		ed.e.adopt(ed.policy)
	}
	var resources list
	for _, v := range contents(ed.paths.get(textOf(path))) {
		for _, e := range pathItem(v, textOf(path)).items() {
			method := strings.ToUpper(e.key)
			isUni := e.uni
			if e.key == anyMethod || method == "ANY" {
				method, isUni = "*", false
			}
			arn := "execute-api:/${__Stage__}/" + method + invoked(textOf(path))
			var text any = arn
			if _, pathUni := path.(uni); pathUni || isUni {
				text = uni(arn)
			}
			resources = append(resources, sub(text, newDict("__Stage__", stage)))
		}
	}
	if resources == nil {
		resources = list{}
	}
	for _, who := range []struct{ key, effect string }{{"AwsAccountWhitelist", "Allow"}, {"AwsAccountBlacklist", "Deny"}} {
		v := p.get(who.key)
		if !truthy(v) {
			continue
		}
		if _, ok := v.(*dict); ok {
			v = list{v}
		} else if _, ok := v.(list); !ok {
			failDocument("Type of '%s' must be a list or dictionary", textOf(v))
		}
		ed.statements(false, newPy("Effect", who.effect, "Action", "execute-api:Invoke", "Resource", resources, "Principal", newPy("AWS", v)))
	}
	for _, ip := range []struct{ key, operator string }{{"IpRangeWhitelist", "NotIpAddress"}, {"IpRangeBlacklist", "IpAddress"}} {
		if v := p.get(ip.key); truthy(v) {
			if _, ok := v.(list); !ok {
				v = list{v}
			}
			ed.guard(resources, newDict(ip.operator, newDict("aws:SourceIp", v)))
		}
	}
	for _, vpc := range []struct{ suffix, operator string }{{"Blacklist", "StringEquals"}, {"Whitelist", "StringNotEquals"}} {
		var vpcs, endpoints list
		if v := p.get("SourceVpc" + vpc.suffix); v != nil {
			l, ok := v.(list)
			if !ok || slices.ContainsFunc(l, func(v any) bool { _, ok := asText(v); return !ok }) {
				failDocument("SourceVpc%s must be a list of strings. Use IntrinsicVpc%s instead for values that use Intrinsic Functions", vpc.suffix, vpc.suffix)
			}
			for _, one := range l {
				if strings.HasPrefix(textOf(one), "vpce-") {
					endpoints = append(endpoints, one)
				} else if strings.HasPrefix(textOf(one), "vpc-") {
					vpcs = append(vpcs, one)
				}
			}
		}
		more, _ := p.get("IntrinsicVpc" + vpc.suffix).(list)
		vpcs = append(vpcs, more...)
		more, _ = p.get("IntrinsicVpce" + vpc.suffix).(list)
		endpoints = append(endpoints, more...)
		c := newPy()
		if vpcs != nil {
			c.set("aws:SourceVpc", vpcs)
		}
		if endpoints != nil {
			c.set("aws:SourceVpce", endpoints)
		}
		if c.len() > 0 {
			ed.guard(resources, newDict(vpc.operator, c))
		}
	}
	ed.put(ed.doc, policyKey, ed.policy)
}

// guard allows all and denies what a condition says.
func (ed *editor) guard(resources list, condition *dict) {
	allow := newPy("Effect", "Allow", "Action", "execute-api:Invoke", "Resource", resources, "Principal", "*")
	deny := newPy("Effect", "Deny", "Action", "execute-api:Invoke", "Resource", resources, "Principal", "*", "Condition", condition)
	ed.statements(true, allow, deny)
}

// statements adds to the policy's statements.
func (ed *editor) statements(once bool, more ...*dict) {
	ed.policy.set("Version", "2012-10-17")
	old := ed.policy.get("Statement")
	if old == nil && !once {
		ed.put(ed.policy, "Statement", ed.own(more[0]))
		return
	}
	all, ok := old.(list)
	if !ok && old != nil {
		all = list{old}
	}
	for _, s := range more {
		if !once || !slices.ContainsFunc(all, func(v any) bool { return equal(v, s) }) {
			all = append(all, ed.own(s))
		}
	}
	ed.put(ed.policy, "Statement", all)
}

// customStatements adds statements as they are.
func (ed *editor) customStatements(v any) {
	if ed.policy == nil {
		ed.policy = newPy()
		ed.e.adopt(ed.policy)
	}
	ed.policy.set("Version", "2012-10-17")
	if ed.policy.get("Statement") == nil {
		ed.put(ed.policy, "Statement", ed.own(v))
	} else {
		l, ok := v.(list)
		if !ok {
			l = list{v}
		}
		all, ok := ed.policy.get("Statement").(list)
		if !ok {
			all = list{ed.policy.get("Statement")}
		}
		for _, s := range l {
			if !slices.ContainsFunc(all, func(have any) bool { return equal(have, s) }) {
				all = append(all, ed.own(s))
			}
		}
		ed.put(ed.policy, "Statement", all)
	}
	ed.put(ed.doc, policyKey, ed.policy)
}

package restapis

import (
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// path reads the methods of a path.
func (r *reader) path(path string, item map[string]any) {
	item = r.resolve(item)
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	for p := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if p != "" && !pathPart.MatchString(p) || p == "" && path != "/" {
			r.fail("Unable to create resource at path '%s': Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.", path)
			return
		}
	}
	r.out.paths = append(r.out.paths, path)
	for _, key := range sortedKeys(item) {
		name := strings.ToUpper(key)
		if key == openapi.XAnyMethod {
			name = "ANY"
		}
		op, ok := item[key].(map[string]any)
		switch {
		case key == "parameters" || key == "summary" || key == "description" || key == "servers" || key == "$ref":
			continue
		case name == "TRACE" || !slices.Contains(httpMethods, name) || key == "any":
			if !strings.HasPrefix(key, "x-") {
				r.warn("Ignoring unsupported method '%s' at path '%s'", key, path)
			}
			continue
		case !ok:
			r.fail("Invalid method '%s' for resource at path '%s'", key, path)
			continue
		}
		r.method(path, name, op, openapi.List(item, "parameters"))
	}
}

func (r *reader) method(path, name string, op map[string]any, shared []any) {
	d := definedMethod{path: path, name: name}
	d.method = v1.Method{HttpMethod: &name, OperationName: openapi.OptText(op, "operationId"), AuthorizationType: shape.Ptr(authNone), ApiKeyRequired: shape.Ptr(false)}
	m := &d.method
	r.parameters(m, path, name, op, shared)
	r.methodResponses(m, path, name, op)
	d.validator = openapi.Text(op, openapi.XValidator)
	if d.validator == "" {
		d.validator = openapi.Text(r.doc, openapi.XValidator)
	}
	if d.validator != "" && r.out.validators[d.validator] == nil {
		r.warn("Ignoring unknown request validator '%s' on method '%s' for resource at path '%s'", d.validator, name, path)
		d.validator = ""
	}
	d.authorizer = r.authorization(m, path, name, op)
	if i := openapi.Object(op, openapi.XIntegration); i != nil {
		r.integration(m, path, name, r.resolve(i))
	}
	r.methodParts(path, name, op, shared)
	r.out.methods = append(r.out.methods, d)
}

// eachParameter calls f with the parameters of an operation: its own, and of the path's those that it does not have itself.
func (r *reader) eachParameter(op map[string]any, shared []any, f func(in, name string, p map[string]any)) {
	seen := map[string]bool{}
	for _, all := range [][]any{openapi.List(op, "parameters"), shared} {
		for _, v := range all {
			p, _ := v.(map[string]any)
			if p = r.resolve(p); p == nil {
				continue
			}
			in, name := openapi.Text(p, "in"), openapi.Text(p, "name")
			if !seen[in+" "+name] {
				seen[in+" "+name] = true
				f(in, name, p)
			}
		}
	}
}

func (r *reader) parameters(m *v1.Method, path, name string, op map[string]any, shared []any) {
	declare := func(in, pname string, required *bool) {
		key := "method.request." + in + "." + pname
		if !requestParameter.MatchString(key) {
			r.fail("Unable to put method '%s' on resource at path '%s': Invalid mapping expression specified: %s", name, path, key)
			return
		}
		if m.RequestParameters == nil {
			m.RequestParameters = map[string]bool{}
		}
		m.RequestParameters[key] = shape.Val(required)
	}
	model := func(contentType string, s map[string]any) {
		if m.RequestModels == nil {
			m.RequestModels = map[string]string{}
		}
		m.RequestModels[contentType] = r.modelOf(s)
	}
	r.eachParameter(op, shared, func(in, pname string, p map[string]any) {
		switch in {
		case "path", "header":
			declare(in, pname, openapi.Bool(p, "required"))
		case "query":
			declare("querystring", pname, openapi.Bool(p, "required"))
		case "body":
			types := openapi.Texts(op, "consumes")
			if types == nil {
				types = openapi.Texts(r.doc, "consumes")
			}
			if types == nil {
				types = []string{"application/json"}
			}
			for _, t := range types {
				model(t, openapi.Object(p, "schema"))
			}
		default:
			r.warn("Ignoring unsupported parameter '%s' in '%s' on method '%s' for resource at path '%s'", pname, in, name, path)
		}
	})
	content := openapi.Object(r.resolve(openapi.Object(op, "requestBody")), "content")
	for _, t := range sortedKeys(content) {
		c, _ := content[t].(map[string]any)
		model(t, openapi.Object(c, "schema"))
	}
}

func (r *reader) methodResponses(m *v1.Method, path, name string, op map[string]any) {
	all := openapi.Object(op, "responses")
	for _, status := range sortedKeys(all) {
		src, _ := all[status].(map[string]any)
		src = r.resolve(src)
		if !statusCode.MatchString(status) {
			if !strings.HasPrefix(status, "x-") {
				r.warn("Ignoring response '%s' on method '%s' for resource at path '%s': API Gateway needs a status code", status, name, path)
			}
			continue
		}
		resp := v1.MethodResponse{StatusCode: &status}
		headers := openapi.Object(src, "headers")
		for _, h := range sortedKeys(headers) {
			if resp.ResponseParameters == nil {
				resp.ResponseParameters = map[string]bool{}
			}
			resp.ResponseParameters["method.response.header."+h] = false
		}
		model := func(contentType string, s map[string]any) {
			if resp.ResponseModels == nil {
				resp.ResponseModels = map[string]string{}
			}
			resp.ResponseModels[contentType] = r.modelOf(s)
		}
		if s := openapi.Object(src, "schema"); s != nil {
			types := openapi.Texts(op, "produces")
			if types == nil {
				types = openapi.Texts(r.doc, "produces")
			}
			if types == nil {
				types = []string{"application/json"}
			}
			for _, t := range types {
				model(t, s)
			}
		}
		content := openapi.Object(src, "content")
		for _, t := range sortedKeys(content) {
			c, _ := content[t].(map[string]any)
			model(t, openapi.Object(c, "schema"))
		}
		if m.MethodResponses == nil {
			m.MethodResponses = map[string]v1.MethodResponse{}
		}
		m.MethodResponses[status] = resp
	}
}

// authorization reads who may call a method, and returns the name of its authorizer. What asks for somebody
// whom the document does not tell of fails: the method must not be left open.
func (r *reader) authorization(m *v1.Method, path, method string, op map[string]any) string {
	for _, in := range []map[string]any{op, r.doc} {
		if _, ok := in["security"].([]any); in["security"] != nil && !ok {
			r.fail("Malformed security of method '%s' for resource at path '%s': it is not a list", method, path)
		}
	}
	if strings.EqualFold(openapi.Text(openapi.Object(op, openapi.XAuth), "type"), authIAM) {
		m.AuthorizationType = shape.Ptr(authIAM)
	}
	all, authorizer := r.of.SecuritySchemes(), ""
	for _, w := range r.of.Security(op) {
		w, ok := w.(map[string]any)
		if !ok {
			r.fail("Malformed security of method '%s' for resource at path '%s': a requirement is not an object", method, path)
		}
		for _, name := range sortedKeys(w) {
			scheme, _ := all[name].(map[string]any)
			switch z := r.out.authorizers[name]; {
			case z != nil && *z.Type == v1.AuthorizerTypeCognitoUserPools:
				authorizer, m.AuthorizationType = name, shape.Ptr(authCognito)
				m.AuthorizationScopes = openapi.Texts(w, name)
			case z != nil:
				authorizer, m.AuthorizationType = name, shape.Ptr(authCustom)
			case strings.EqualFold(openapi.Text(scheme, openapi.XAuthType), "awsSigv4"):
				m.AuthorizationType = shape.Ptr(authIAM)
			case openapi.Text(scheme, "type") == "apiKey" && strings.EqualFold(openapi.Text(scheme, "name"), "x-api-key") && openapi.Text(scheme, "in") == "header":
				m.ApiKeyRequired = shape.Ptr(true)
			case scheme == nil && name == authNone: // SAM's word for none
			case scheme == nil:
				r.fail("Method '%s' for resource at path '%s' asks for the security definition '%s', which the document does not have", method, path, name)
			case scheme[openapi.XAuthorizer] != nil: // failed already
			default:
				r.warn("Ignoring the security definition '%s' on method '%s' for resource at path '%s': it is no authorizer", name, method, path)
			}
		}
	}
	return authorizer
}

func (r *reader) integration(m *v1.Method, path, name string, src map[string]any) {
	typ := strings.ToUpper(openapi.Text(src, "type"))
	i := &v1.Integration{Type: &typ, HttpMethod: opt(strings.ToUpper(openapi.Text(src, "httpMethod"))), Uri: openapi.OptText(src, "uri"), ConnectionType: openapi.OptText(src, "connectionType"),
		ConnectionId: openapi.OptText(src, "connectionId"), Credentials: openapi.OptText(src, "credentials"), RequestParameters: openapi.TextMap(src, "requestParameters"),
		RequestTemplates: openapi.TextMap(src, "requestTemplates"), PassthroughBehavior: opt(strings.ToUpper(openapi.Text(src, "passthroughBehavior"))), ContentHandling: openapi.OptText(src, "contentHandling"),
		TimeoutInMillis: openapi.Int(src, "timeoutInMillis"), CacheNamespace: openapi.OptText(src, "cacheNamespace"), CacheKeyParameters: openapi.Texts(src, "cacheKeyParameters"),
		ResponseTransferMode: openapi.OptText(src, "responseTransferMode"), IntegrationTarget: openapi.OptText(src, "integrationTarget")}
	if t := openapi.Object(src, "tlsConfig"); t != nil {
		i.TlsConfig = &v1.TlsConfig{InsecureSkipVerification: or(openapi.Bool(t, "insecureSkipVerification"), false)}
	}
	if i.IntegrationTarget != nil || shape.Val(i.ConnectionType) == v1.ConnectionTypeVpcLink {
		i.ConnectionType = shape.Ptr(v1.ConnectionTypeVpcLink)
	}
	all := openapi.Object(src, "responses")
	// Two patterns for one status: the document's order is lost in JSON, so the first by name counts.
	for _, pattern := range sortedKeys(all) {
		s, _ := all[pattern].(map[string]any)
		status := openapi.Text(s, "statusCode")
		resp := v1.IntegrationResponse{StatusCode: &status, ResponseParameters: openapi.TextMap(s, "responseParameters"), ResponseTemplates: openapi.TextMap(s, "responseTemplates"),
			ContentHandling: openapi.OptText(s, "contentHandling")}
		if pattern != "default" {
			resp.SelectionPattern = &pattern
		}
		if err := checkIntegrationResponse(m, &resp); err != nil {
			r.fail("Unable to put integration response on '%s' for resource at path '%s': %s", name, path, message(err))
			continue
		}
		if _, twice := i.IntegrationResponses[status]; twice {
			r.warn("Ignoring another integration response for status %s on method '%s' for resource at path '%s'", status, name, path)
			continue
		}
		if i.IntegrationResponses == nil {
			i.IntegrationResponses = map[string]v1.IntegrationResponse{}
		}
		i.IntegrationResponses[status] = resp
	}
	own := i.CacheNamespace
	if err := checkIntegration(&v1.Resource{Id: shape.Ptr("")}, m, i); err != nil {
		r.fail("Unable to put integration on '%s' for resource at path '%s': %s", name, path, message(err))
	}
	i.CacheNamespace = own // the resource's id, when it has one
	m.MethodIntegration = i
}

// part notes a documentation part, unless it says nothing.
func (r *reader) part(l v1.DocumentationPartLocation, properties map[string]any) {
	for k, v := range properties {
		if v == nil || v == "" {
			delete(properties, k)
		}
	}
	if len(properties) == 0 || r.options["ignore"] == "documentation" {
		return
	}
	p := &v1.DocumentationPart{Location: &l, Properties: shape.Ptr(openapi.JSON(properties))}
	if err := checkDocPart(p); err != nil {
		r.warn("Ignoring documentation at %s: %s", locationName(&l), message(err))
		return
	}
	r.out.parts = append(r.out.parts, p)
}

// methodParts reads the documentation of a method.
func (r *reader) methodParts(path, name string, op map[string]any, shared []any) {
	method := name
	if name == "ANY" {
		method = "*"
	}
	at := func(typ, name, status string) v1.DocumentationPartLocation {
		return v1.DocumentationPartLocation{Type: typ, Path: &path, Method: &method, Name: opt(name), StatusCode: opt(status)}
	}
	r.part(at(v1.DocumentationPartTypeMethod, "", ""), map[string]any{"description": op["description"], "summary": op["summary"], "tags": op["tags"]})
	r.eachParameter(op, shared, func(in, pname string, p map[string]any) {
		typ := map[string]string{"path": v1.DocumentationPartTypePathParameter, "query": v1.DocumentationPartTypeQueryParameter, "header": v1.DocumentationPartTypeRequestHeader}[in]
		if typ != "" {
			r.part(at(typ, pname, ""), map[string]any{"description": p["description"]})
		} else if in == "body" {
			r.part(at(v1.DocumentationPartTypeRequestBody, "", ""), map[string]any{"description": p["description"]})
		}
	})
	all := openapi.Object(op, "responses")
	for _, status := range sortedKeys(all) {
		src, _ := all[status].(map[string]any)
		if src = r.resolve(src); statusCode.MatchString(status) {
			r.part(at(v1.DocumentationPartTypeResponse, "", status), map[string]any{"description": src["description"]})
		}
	}
}

// documentation reads the documentation of the API as a whole, and the parts that the extension lists, which count more.
func (r *reader) documentation() {
	info := openapi.Object(r.doc, "info")
	r.part(v1.DocumentationPartLocation{Type: v1.DocumentationPartTypeApi}, map[string]any{"description": info["description"], "termsOfService": info["termsOfService"],
		"contact": info["contact"], "license": info["license"]})
	for _, v := range openapi.List(openapi.Object(r.doc, openapi.XDocumentation), "documentationParts") {
		p, _ := v.(map[string]any)
		l := openapi.Object(p, "location")
		r.part(v1.DocumentationPartLocation{Type: openapi.Text(l, "type"), Path: openapi.OptText(l, "path"), Method: openapi.OptText(l, "method"), StatusCode: openapi.OptText(l, "statusCode"), Name: openapi.OptText(l, "name")},
			openapi.Object(p, "properties"))
	}
}

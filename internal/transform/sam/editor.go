package sam

import (
	"regexp"
	"slices"
	"strings"
)

const (
	anyMethod      = "x-amazon-apigateway-any-method"
	integrationKey = "x-amazon-apigateway-integration"
	policyKey      = "x-amazon-apigateway-policy"
	authorizerKey  = "x-amazon-apigateway-authorizer"
)

// editor changes an API's definition in place. It counts the copies that the published transform makes.
type editor struct {
	doc      *dict
	e        *epoch
	paths    *dict
	security *dict // of a Swagger document; put into it at the end
	policy   *dict
}

// edit begins to change a definition that is valid.
func edit(doc *dict) *editor {
	if doc.doc == nil {
		(&epoch{}).adopt(doc)
	}
	ed := &editor{doc: doc, e: doc.doc, paths: asDict(doc.get("paths"))}
	ed.e.copies++
	ed.security, ed.policy = asDict(doc.get("securityDefinitions")), asDict(doc.get(policyKey))
	return ed
}

// swagger begins to change a Swagger document.
func swagger(v any) *editor {
	doc := asDict(v)
	if !validSwagger(doc) {
		failDocument("Invalid Swagger document or the Swagger document is not explicitly defined in 'DefinitionBody'.")
	}
	if doc.doc == nil { // what is added later is known
		for _, p := range asDict(doc.get("paths")).items() {
			for _, item := range contents(p.value) {
				pathItem(item, p.key)
			}
		}
	}
	return edit(doc)
}

// openAPI begins to change an OpenAPI document.
func openAPI(v any) *editor {
	doc := asDict(v)
	if !validOpenAPI(doc) {
		failDocument("Invalid OpenApi document. Invalid values or missing keys for 'openapi' or 'paths' in 'DefinitionBody'.")
	}
	return edit(doc)
}

// done ends the changes.
func (ed *editor) done() {
	if ed.security.len() > 0 {
		ed.put(ed.doc, "securityDefinitions", ed.security)
	}
	ed.e.copies++
}

// put sets a value that was made here.
func (ed *editor) put(d *dict, key, v any) {
	ed.e.adopt(v)
	d.set(key, v)
}

// own returns a copy of a value of the template, for the document.
func (ed *editor) own(v any) any {
	v = deep(v)
	ed.e.adopt(v)
	var ahead func(v any)
	ahead = func(v any) { // it is the first of the copies
		switch v := v.(type) {
		case list:
			for _, item := range v {
				ahead(item)
			}
		case *dict:
			v.seen++
			for i := range v.ents {
				ahead(v.ents[i].value)
			}
		}
	}
	ahead(v)
	return v
}

func validSwagger(d *dict) bool {
	if asDict(d.get("paths")) == nil {
		return false
	}
	return truthy(d.get("swagger")) || truthy(d.get("openapi")) && version3.MatchString(versionText(d.get("openapi")))
}

func validOpenAPI(d *dict) bool {
	return asDict(d.get("paths")) != nil && truthy(d.get("openapi")) && version3.MatchString(versionText(d.get("openapi")))
}

// contents returns what a value is: itself, or both branches of an Fn::If.
func contents(v any) list {
	d := asDict(v)
	if !d.has("Fn::If") {
		return list{v}
	}
	l, ok := d.get("Fn::If").(list)
	if !ok {
		failDocument("Value of Fn::If must be a list.")
	}
	var out list
	for i, item := range l {
		if i > 0 && !isNoValue(item) {
			out = append(out, item)
		}
	}
	return out
}

func pathItem(v any, path string) *dict {
	d := asDict(v)
	if d == nil {
		failDocument("Value of '%s' path must be a dictionary according to Swagger spec.", path)
	}
	return d
}

func methodOf(v any, path, method string) *dict {
	d := asDict(v)
	if d == nil {
		failDocument("Definition of method '%s' for path '%s' should be a map.", method, path)
	}
	return d
}

// normal returns a method as documents have it.
func normal(method any) any {
	s := strings.ToLower(textOf(method))
	if s == "any" {
		return anyMethod
	}
	return like(method, s)
}

func (ed *editor) hasIntegration(path, method any) bool {
	name := textOf(normal(method))
	v := ed.paths.get(textOf(path))
	if v == nil {
		return false
	}
	for _, item := range contents(v) {
		def := pathItem(item, textOf(path)).get(name)
		if asDict(def) == nil {
			return false
		}
		if !slices.ContainsFunc(contents(def), func(v any) bool { return truthy(methodOf(v, textOf(path), name).get(integrationKey)) }) {
			return false
		}
	}
	return true
}

func (ed *editor) addPath(path, method any) {
	if !ed.paths.has(textOf(path)) {
		ed.put(ed.paths, path, newPy())
	}
	for _, v := range contents(pathItem(ed.paths.get(textOf(path)), textOf(path))) {
		item := asDict(v)
		if item == nil {
			failDocument("Value of '%s' path must be a dictionary according to Swagger spec.", textOf(path))
		}
		if m := normal(method); !item.has(textOf(m)) {
			ed.put(item, m, newPy())
		}
	}
}

// methods returns the definitions of one method that have an integration.
func (ed *editor) methods(path, method any) []*dict {
	var out []*dict
	for _, item := range contents(ed.paths.get(textOf(path))) {
		def := pathItem(item, textOf(path)).get(textOf(normal(method)))
		for _, v := range contents(def) {
			if m := methodOf(v, textOf(path), textOf(method)); truthy(m.get(integrationKey)) {
				out = append(out, m)
			}
		}
	}
	return out
}

// each calls f for all methods of a path that have an integration.
func (ed *editor) each(path string, f func(method string, def *dict)) {
	for _, item := range contents(ed.paths.get(path)) {
		for _, e := range pathItem(item, path).items() {
			if e.key == "summary" || e.key == "description" || e.key == "parameters" {
				continue
			}
			for _, v := range contents(e.value) {
				if m := methodOf(v, path, e.key); truthy(m.get(integrationKey)) {
					f(textOf(normal(e.key)), m)
				}
			}
		}
	}
}

func securityOf(def *dict, path, method string) list {
	v := def.get("security")
	if v == nil {
		return nil
	}
	l, ok := v.(list)
	if !ok {
		failDocument("Type of security for path %s method %s must be a list", path, method)
	}
	return slices.Clone(l)
}

var variable = regexp.MustCompile(`\{([a-zA-Z0-9._-]+\+?)\}`)

// invoked returns a path as ARNs of calls have it.
func invoked(path string) string { return variable.ReplaceAllString(path, "*") }

// trimmed is a path without a slash at its end.
func trimmed(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

package sam

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// globalProperties are the properties that the section Globals may have, by its entries.
var globalProperties = map[string][]string{
	"Function": {"Handler", "Runtime", "CodeUri", "DeadLetterQueue", "Description", "MemorySize", "Timeout", "VpcConfig", "Environment", "Tags", "PropagateTags",
		"Tracing", "KmsKeyArn", "AutoPublishAlias", "AutoPublishAliasAllProperties", "Layers", "DeploymentPreference", "RolePath", "PermissionsBoundary",
		"ReservedConcurrentExecutions", "ProvisionedConcurrencyConfig", "AssumeRolePolicyDocument", "EventInvokeConfig", "FileSystemConfigs",
		"CodeSigningConfigArn", "Architectures", "SnapStart", "EphemeralStorage", "FunctionUrlConfig", "RuntimeManagementConfig", "LoggingConfig", "RecursiveLoop",
		"SourceKMSKeyArn", "TenancyConfig", "DurableConfig", "CapacityProviderConfig", "FunctionScalingConfig", "PublishToLatestPublished", "VersionDeletionPolicy"},
	"Api": {"Auth", "Name", "DefinitionUri", "CacheClusterEnabled", "CacheClusterSize", "MergeDefinitions", "Variables", "EndpointConfiguration", "MethodSettings",
		"BinaryMediaTypes", "MinimumCompressionSize", "Cors", "GatewayResponses", "AccessLogSetting", "CanarySetting", "TracingEnabled", "OpenApiVersion", "Domain",
		"AlwaysDeploy", "PropagateTags", "SecurityPolicy", "EndpointAccessMode"},
	"HttpApi": {"Auth", "AccessLogSettings", "StageVariables", "Tags", "CorsConfiguration", "DefaultRouteSettings", "Domain", "RouteSettings", "FailOnWarnings", "PropagateTags"},
	// Without the resources that they are for these do nothing.
	"SimpleTable": {"SSESpecification"}, "StateMachine": {"PropagateTags"}, "LayerVersion": {"PublishLambdaVersion"},
	"CapacityProvider": {"VpcConfig", "OperatorRole", "Tags", "InstanceRequirements", "ScalingConfig", "KmsKeyArn", "PropagateTags"},
	"WebSocketApi": {"AccessLogSettings", "ApiKeySelectionExpression", "DefaultRouteSettings", "DisableExecuteApiEndpoint", "DisableSchemaValidation", "Domain",
		"FailOnWarnings", "IpAddressType", "PropagateTags", "RouteSelectionExpression", "RouteSettings", "StageVariables", "Tags"},
}

var globalSections = []string{"Api", "CapacityProvider", "Function", "HttpApi", "LayerVersion", "SimpleTable", "StateMachine", "WebSocketApi"}

func failGlobals(format string, args ...any) {
	panic(fault{kind: bare, message: "'Globals' section is invalid. " + sprintf(format, args)})
}

// mergeGlobals puts the section Globals into the resources that it is for.
func (t *transform) mergeGlobals() {
	if t.doc.has("Globals") {
		globals := asDict(t.doc.get("Globals"))
		if globals == nil {
			failGlobals("It must be a non-empty dictionary")
		}
		for _, e := range globals.items() {
			supported, ok := globalProperties[e.key]
			if !ok {
				failGlobals("'%s' is not supported. Must be one of the following values - %s", e.key, repr(plain(globalSections)))
			}
			props := asDict(e.value)
			if props == nil {
				failGlobals("Value of ${section} must be a dictionary")
			}
			for _, p := range props.items() {
				if !slices.Contains(supported, p.key) {
					failGlobals("'%s' is not a supported property of '%s'. Must be one of the following values - %s", p.key, e.key, repr(plain(supported)))
				}
			}
			t.globals["AWS::Serverless::"+e.key] = props
		}
		t.doc.delete("Globals")
	}
	for _, e := range t.resources.items() {
		r := asDict(e.value)
		typ := textOf(r.get("Type"))
		if _, known := serverless(typ); !known {
			continue
		}
		if g := t.globals[typ]; g != nil {
			props, _ := r.get("Properties").(*dict)
			if props == nil {
				props = newDict()
			}
			r.set("Properties", merge(t.without(g, e.key, r.get("IgnoreGlobals")), props))
		}
		if typ == typeAPI {
			openAPIVersion(asDict(r.get("Properties")))
		}
	}
}

// without leaves out of the global properties those that a resource does not want.
func (t *transform) without(globals *dict, id string, ignore any) *dict {
	switch v := ignore.(type) {
	case nil:
		return globals
	case string:
		if v == "" {
			return globals
		}
		if v == "*" {
			return newDict()
		}
	case list:
		if len(v) == 0 {
			return globals
		}
		out := globals.copy()
		for _, item := range v {
			key := textOf(item)
			if !out.has(key) {
				failResource(id, "Resource %s has invalid resource attribute 'IgnoreGlobals' on item '%s'.", id, key)
			}
			out.delete(key)
		}
		return out
	}
	failResource(id, "Resource %s has invalid resource attribute 'IgnoreGlobals'.", id)
	return nil
}

// merge brings global and local properties together: maps are merged, lists are joined, else the local
// one counts.
func merge(global, local *dict) *dict {
	out := global.copy()
	for i := range out.ents {
		out.ents[i].value = deep(out.ents[i].value) // each resource changes its own
	}
	for _, e := range local.items() {
		v := e.value
		if out.has(e.key) {
			v = mergeValue(out.get(e.key), v)
		}
		out.set(e.name(), v)
	}
	out.place = local.place
	return out
}

func mergeValue(global, local any) any {
	switch l := local.(type) {
	case *dict:
		if g, ok := global.(*dict); ok && !isFunction(g) && !isFunction(l) {
			return merge(g, l)
		}
	case list:
		if g, ok := global.(list); ok {
			return append(slices.Clone(g), l...)
		}
	}
	return local
}

// isFunction tells a call from a map that happens to have one key.
func isFunction(d *dict) bool {
	return d.len() == 1 && isIntrinsic(d)
}

var version3 = regexp.MustCompile(`\A3(\.\d)(\.\d)?$`)

// versionText prints an OpenAPI version, which people write as a number too.
func versionText(v any) string {
	if n, ok := v.(json.Number); ok {
		return n.String()
	}
	return textOf(v)
}

// openAPIVersion writes the version that an API wants into the definition that is made for it.
func openAPIVersion(props *dict) {
	v := props.get("OpenApiVersion")
	if v == nil || !props.has(managed) || !version3.MatchString(versionText(v)) {
		return
	}
	if _, ok := asText(v); !ok {
		props.set("OpenApiVersion", versionText(v))
	}
	if body := asDict(props.get("DefinitionBody")); body != nil {
		body.set("openapi", props.get("OpenApiVersion"))
		if truthy(body.get("swagger")) {
			body.delete("swagger")
		}
	}
}

// swaggerSkeleton and openAPISkeleton are definitions without paths.
func swaggerSkeleton() *dict {
	return newPy("swagger", "2.0", "info", newPy("version", "1.0", "title", ref("AWS::StackName")), "paths", newPy())
}

func openAPISkeleton() *dict {
	return newPy("openapi", "3.0.1", "info", newPy("version", "1.0", "title", ref("AWS::StackName")), "paths", newPy())
}

// defaultBodies gives APIs without a definition an empty one, which their events fill.
func (t *transform) defaultBodies() {
	for _, typ := range []string{typeAPI, typeHTTPAPI} {
		for _, e := range t.resources.items() {
			r := asDict(e.value)
			if textOf(r.get("Type")) != typ {
				continue
			}
			props := asDict(r.get("Properties"))
			if truthy(props.get("DefinitionBody")) || truthy(props.get("DefinitionUri")) {
				continue
			}
			if props == nil {
				props = newDict()
				r.set("Properties", props)
			}
			if typ == typeAPI {
				props.set("DefinitionBody", swaggerSkeleton())
			} else {
				props.set("DefinitionBody", openAPISkeleton())
			}
			props.set(managed, true)
		}
	}
}

// kind is one of the two kinds of API.
type kind struct {
	typ, event, idProperty, implicit string
	skeleton                         func() *dict
}

var (
	restKind = &kind{typeAPI, "Api", "RestApiId", "ServerlessRestApi", swaggerSkeleton}
	httpKind = &kind{typeHTTPAPI, "HttpApi", "ApiId", "ServerlessHttpApi", openAPISkeleton}
)

// implicitUse is what the functions behind an API tell about it.
type implicitUse struct {
	paths    map[string]map[string]string // path and method → condition, "" for none
	deletion []any
	replace  []any
}

// implicit reads the functions' events for one kind of API: it makes the implicit API if one is used,
// and adds the paths to the definitions that the transform writes.
func (t *transform) implicit(k *kind) {
	t.conditions = map[string]*implicitUse{}
	existing := t.resources.get(k.implicit)
	props := newDict("DefinitionBody", k.skeleton(), managed, true)
	if k == restKind {
		props.set("StageName", "Prod")
	}
	t.resources.set(k.implicit, newDict("Type", k.typ, "Properties", props))
	for _, e := range t.resources.items() {
		r := asDict(e.value)
		if textOf(r.get("Type")) != typeFunction {
			continue
		}
		if f := try(func() { t.events(k, r) }); f != nil {
			if f.kind == ofDocument {
				panic(*f)
			}
			t.caught(&fault{ofResource, f.text(), e.key})
		}
	}
	t.implicitAttributes(k)
	t.conditionalPaths(k)
	body := asDict(asDict(asDict(t.resources.get(k.implicit)).get("Properties")).get("DefinitionBody"))
	if asDict(body.get("paths")).len() == 0 {
		if existing != nil {
			t.resources.set(k.implicit, existing)
		} else {
			t.resources.delete(k.implicit)
		}
	}
}

// events adds one function's events to their APIs.
func (t *transform) events(k *kind, function *dict) {
	fprops := asDict(function.get("Properties"))
	for _, e := range asDict(fprops.get("Events")).items() {
		event := asDict(e.value)
		if textOf(event.get("Type")) != k.event {
			continue
		}
		var props *dict
		if v := event.get("Properties"); truthy(v) {
			props = ofEventProp(e.key, "").dict(v, "Properties should be a map.")
		} else if k == restKind {
			continue
		} else {
			props = newDict()
			event.set("Properties", props)
		}
		if !props.has(k.idProperty) {
			t.implicitTags(k, fprops)
			props.set(k.idProperty, ref(k.implicit))
		}
		if k == httpKind && !truthy(props.get("Path")) && !truthy(props.get("Method")) {
			props.set("Path", "$default")
			props.set("Method", anyMethod)
		}
		api := props.get(k.idProperty)
		if d := asDict(api); d.has("Ref") {
			api = d.get("Ref")
		}
		ofEventProp(e.key, "Path").there(props.get("Path"))
		ofEventProp(e.key, "Method").there(props.get("Method"))
		id := ofEventProp(e.key, k.idProperty).text(api)
		path := ofEventProp(e.key, "Path").text(props.get("Path"))
		method := ofEventProp(e.key, "Method").text(props.get("Method"))

		use := t.conditions[id]
		if use == nil {
			use = &implicitUse{paths: map[string]map[string]string{}}
			t.conditions[id] = use
		}
		if use.paths[path] == nil {
			use.paths[path] = map[string]string{}
		}
		use.paths[path][method] = textOf(function.get("Condition"))
		use.deletion = append(use.deletion, function.get("DeletionPolicy"))
		use.replace = append(use.replace, function.get("UpdateReplacePolicy"))

		resource := asDict(t.resources.get(id))
		typ := textOf(resource.get("Type"))
		if resource == nil || typ == typeHTTPAPI && k != httpKind {
			failEvent(e.key, "%s must be a valid reference to an '%s' resource in same template.", k.idProperty, k.typ)
		}
		rprops := asDict(resource.get("Properties"))
		body := asDict(rprops.get("DefinitionBody"))
		if truthy(rprops.get(managed)) && (k == restKind && validSwagger(body) || k == httpKind && validOpenAPI(body)) {
			ed := edit(body)
			ed.addPath(props.get("Path"), props.get("Method"))
			ed.done()
		}
		if k == httpKind && props.has("RouteSettings") {
			routeSettings(id, e.key, rprops, props, function.get("Condition"))
		}
	}
}

// implicitTags gives the implicit API the tags of a function that passes them on.
func (t *transform) implicitTags(k *kind, fprops *dict) {
	globals := asDict(asDict(t.doc.get("Globals")).get("Function"))
	wanted, tags := fprops.get("PropagateTags"), fprops.get("Tags")
	if !truthy(wanted) {
		wanted = globals.get("PropagateTags")
	}
	if !truthy(tags) {
		tags = globals.get("Tags")
	}
	if !truthy(wanted) || asDict(tags).len() == 0 {
		return
	}
	props := asDict(asDict(t.resources.get(k.implicit)).get("Properties"))
	all := asDict(props.get("Tags"))
	if all == nil {
		all = newDict()
		props.set("Tags", all)
	}
	for _, e := range asDict(tags).items() {
		all.set(e.name(), e.value)
	}
	props.set("PropagateTags", true)
}

func routeSettings(api, event string, rprops, props *dict, condition any) {
	method := textOf(props.get("Method"))
	route := strings.ToUpper(method) + " " + textOf(props.get("Path"))
	if method == anyMethod {
		route = textOf(props.get("Path"))
	}
	all := newDict()
	if v := rprops.get("RouteSettings"); v != nil {
		all = of(api, "RouteSettings").dict(v)
	}
	own := props.get("RouteSettings")
	if truthy(condition) {
		own = conditional(condition, own)
	}
	settings := asDict(all.get(route))
	if settings == nil {
		settings = newDict()
		all.set(route, settings)
	}
	for _, e := range ofEventProp(event, "RouteSettings").dict(own).items() {
		settings.set(e.name(), e.value)
	}
	rprops.set("RouteSettings", all)
}

// implicitAttributes gives the implicit API the condition and the policies that its functions have.
func (t *transform) implicitAttributes(k *kind) {
	use := t.conditions[k.implicit]
	if use == nil {
		return
	}
	r := asDict(t.resources.get(k.implicit))
	var all []string
	for _, methods := range use.paths {
		for _, c := range methods {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	if len(all) > 0 && !slices.Contains(all, "") {
		if len(all) == 1 {
			r.set("Condition", t.text(all[0]))
		} else {
			r.set("Condition", k.implicit+"Condition")
			t.combine(k.implicit+"Condition", all)
		}
	}
	for _, p := range []struct {
		name   string
		values []any
		order  []string
	}{{"DeletionPolicy", use.deletion, []string{"Retain", "Delete"}}, {"UpdateReplacePolicy", use.replace, []string{"Retain", "Snapshot", "Delete"}}} {
		for _, v := range p.order {
			if slices.ContainsFunc(p.values, func(have any) bool { return textOf(have) == v }) {
				r.set(p.name, v)
				break
			}
		}
	}
}

// conditionalPaths puts paths under the condition of the functions behind them.
func (t *transform) conditionalPaths(k *kind) {
	for _, e := range t.resources.items() {
		r := asDict(e.value)
		props := asDict(r.get("Properties"))
		if textOf(r.get("Type")) != k.typ || !truthy(props.get(managed)) {
			continue
		}
		ed := edit(asDict(props.get("DefinitionBody")))
		use := t.conditions[e.key]
		if use == nil {
			use = &implicitUse{}
		}
		for _, p := range ed.paths.items() {
			var all []string
			for _, c := range use.paths[p.key] {
				if !slices.Contains(all, c) {
					all = append(all, c)
				}
			}
			if len(all) == 0 || slices.Contains(all, "") {
				continue
			}
			name := t.text(all[0])
			if len(all) > 1 {
				name = e.key + strings.NewReplacer("/", "SLASH", "{", "OB", "}", "CB").Replace(p.key) + "PathCondition"
				t.combine(textOf(name), all)
			}
			ed.put(ed.paths, p.name(), conditional(name, p.value))
		}
		ed.done()
	}
}

// text is a text of the template.
func (t *transform) text(s string) any {
	if t.o.Marked {
		return uni(s)
	}
	return s
}

// combine makes a condition that holds where one of several does. An Fn::Or takes ten at most.
func (t *transform) combine(name string, all []string) {
	slices.Sort(all)
	conditions := asDict(t.doc.get("Conditions"))
	if conditions == nil {
		conditions = newDict()
		t.doc.set("Conditions", conditions)
	}
	left := 0
	for n := len(all); n > 1; left++ {
		n -= min(n, 10) - 1
	}
	for left--; len(all) > 1; left-- {
		made := name
		if left > 0 {
			made += jsonInt(int64(left))
		}
		n := min(10, len(all))
		conditions.set(made, newDict("Fn::Or", orList(all[:n])))
		all = append(all[n:], made)
	}
}

func orList(names []string) list {
	out := list{}
	for _, n := range names {
		out = append(out, newDict("Condition", n))
	}
	return out
}

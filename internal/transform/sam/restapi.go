package sam

import (
	"slices"
	"strings"
)

// corsWildcard is a REST API's origin for everybody.
const corsWildcard = "'*'"

// restAPI expands AWS::Serverless::Api.
func (t *transform) restAPI(m *macro) []*resource {
	m.props = m.props.copy()
	for _, p := range []string{"BinaryMediaTypes", "Domain", "Auth"} {
		m.props.setIf(p, t.resolve(m.get(p)))
	}
	api := t.restAPIResource(m)
	domain := t.domain(m, asDict(m.get("Domain")))

	deployment := t.newResource(m.id+"Deployment", "AWS::ApiGateway::Deployment", m.passed)
	var definition any = api.props.get("Body")
	if definition == nil {
		definition = api.props.get("BodyS3Location")
	}
	t.nameDeployment(m, deployment, definition)
	deployment.props.set("RestApiId", ref(m.id))
	if !truthy(m.get("OpenApiVersion")) {
		deployment.props.set("StageName", "Stage")
	}

	stageName := textOf(m.get("StageName"))
	stageID := hashed(m.id+"Stage", stageName)
	if alphanumeric(stageName) {
		stageID = m.id + stageName + "Stage"
	}
	stage := t.newResource(stageID, "AWS::ApiGateway::Stage", m.passed)
	for _, p := range []string{"AccessLogSetting", "CacheClusterEnabled", "CacheClusterSize", "CanarySetting"} {
		stage.props.setIf(p, m.get(p))
	}
	stage.props.set("DeploymentId", ref(deployment.id))
	stage.props.set("RestApiId", ref(m.id))
	stage.props.setIf("StageName", m.get("StageName"))
	if tags := asDict(m.get("Tags")); tags != nil {
		stage.props.set("Tags", tagList(tags))
	}
	for _, p := range []string{"TracingEnabled", "Variables", "MethodSettings"} {
		stage.props.setIf(p, m.get(p))
	}

	made := []*resource{api, deployment, stage}
	made = append(made, t.restAuthorizerPermissions(m)...)
	made = append(made, domain...)
	made = append(made, t.usagePlan(m, stage)...)
	propagate(made, m.get("Tags"), m.get("PropagateTags"))
	return made
}

// nameDeployment names a deployment after what it deploys, so that another definition makes another.
func (t *transform) nameDeployment(m *macro, d *resource, definition any) {
	if !truthy(definition) {
		return
	}
	input := []string{repr(definition)}
	if v := m.get("OpenApiVersion"); truthy(v) {
		input = append(input, textOf(v))
	}
	if v := m.get("Domain"); truthy(v) {
		input = append(input, jsonText(v, false))
	}
	if names := strings.Join(t.names[m.id], ""); names != "" {
		input = append(input, names)
	}
	if truthy(m.get("AlwaysDeploy")) {
		input = []string{jsonInt(t.now().Unix())}
	}
	hash := digest(strings.Join(input, "||"))
	d.id += hash[:10]
	d.props.set("Description", "RestApi deployment id: "+hash)
}

func (t *transform) restAPIResource(m *macro) *resource {
	body, uri := m.get("DefinitionBody"), m.get("DefinitionUri")
	if truthy(uri) && truthy(body) {
		failResource(m.id, "Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.")
	}
	if truthy(uri) && truthy(m.get("MergeDefinitions")) {
		failResource(m.id, "Cannot set 'MergeDefinitions' to True when using `DefinitionUri`.")
	}
	if v := m.get("OpenApiVersion"); truthy(v) && !(strings.HasPrefix(textOf(v), "2") && version3.MatchString("3"+textOf(v)[1:]) || version3.MatchString(textOf(v))) {
		failResource(m.id, "The OpenApiVersion value must be of the format '3.0.0'.")
	}
	api := t.newResource(m.id, "AWS::ApiGateway::RestApi", m.attrs)
	api.dependsOn = m.dependsOn
	doc := asDict(body)
	needs := func(property string) {
		if !truthy(body) {
			failResource(m.id, "%s works only with inline Swagger specified in 'DefinitionBody' property.", property)
		}
	}
	if v := m.get("Cors"); truthy(v) {
		needs("Cors")
		t.restCors(m, v, doc)
	}
	if auth := m.get("Auth"); truthy(auth) {
		needs("Auth")
		t.restAuth(m, asDict(auth), doc)
		m.postprocess(doc)
	}
	if v := m.get("GatewayResponses"); truthy(v) {
		needs("GatewayResponses")
		gatewayResponses(m, asDict(v), doc)
	}
	if v := m.get("BinaryMediaTypes"); truthy(v) && truthy(body) {
		ed := swagger(body)
		ed.put(doc, "x-amazon-apigateway-binary-media-types", mediaTypes(v))
		ed.done()
	}
	if v := m.get("Models"); truthy(v) {
		needs("Models")
		models(m, asDict(v), doc)
		m.postprocess(doc)
	}
	if v := m.get("DisableExecuteApiEndpoint"); v != nil {
		if !truthy(body) {
			failResource(m.id, "DisableExecuteApiEndpoint works only within 'DefinitionBody' property.")
		}
		disableEndpoint(swagger(body), v)
	}
	switch {
	case truthy(uri):
		api.props.set("BodyS3Location", m.body(uri))
	case truthy(body):
		m.postprocess(doc)
		api.props.set("Body", doc)
	}
	for _, p := range []string{"Description", "FailOnWarnings", "Name"} {
		if v := m.get(p); truthy(v) {
			api.props.set(p, v)
		}
	}
	if v := m.get("EndpointConfiguration"); truthy(v) {
		typ := v
		d := asDict(v)
		if truthy(d.get("Type")) {
			typ = d.get("Type")
		}
		c := newDict("Types", list{typ})
		if truthy(d.get("Type")) {
			if d.has("VPCEndpointIds") && d.has("VpcEndpointIds") {
				failResource(m.id, "'VPCEndpointIds' and 'VpcEndpointIds' cannot be used together in EndpointConfiguration.")
			}
			c.setIf("VpcEndpointIds", d.get("VPCEndpointIds"))
			c.setIf("VpcEndpointIds", d.get("VpcEndpointIds"))
			c.setIf("IpAddressType", d.get("IpAddressType"))
		}
		api.props.set("EndpointConfiguration", c)
		api.props.set("Parameters", newDict("endpointConfigurationTypes", typ))
	} else if t.partition == "aws-cn" || t.partition == "aws-us-gov" {
		api.props.set("EndpointConfiguration", newDict("Types", list{"REGIONAL"}))
		api.props.set("Parameters", newDict("endpointConfigurationTypes", "REGIONAL"))
	}
	api.props.setIf("BinaryMediaTypes", m.get("BinaryMediaTypes"))
	api.props.setIf("MinimumCompressionSize", m.get("MinimumCompressionSize"))
	for _, p := range []string{"Mode", "ApiKeySourceType", "Policy", "SecurityPolicy", "EndpointAccessMode"} {
		if v := m.get(p); truthy(v) {
			api.props.set(p, v)
		}
	}
	return api
}

func (t *transform) restCors(m *macro, v any, doc *dict) {
	c := cors{origin: corsWildcard}
	if d := asDict(v); d != nil && !isIntrinsic(v) {
		for _, e := range d.items() {
			switch e.key {
			case "AllowMethods":
				c.methods = e.value
			case "AllowHeaders":
				c.headers = e.value
			case "AllowOrigin":
				c.origin = e.value
			case "MaxAge":
				c.maxAge = e.value
			case "AllowCredentials":
				c.credentials = e.value
			default:
				failResource(m.id, "Invalid key '%s' for 'Cors' property.", e.key)
			}
		}
	} else {
		c.origin = v
	}
	if !validSwagger(doc) {
		failResource(m.id, "Unable to add Cors configuration because 'DefinitionBody' does not contain a valid Swagger definition.")
	}
	if c.credentials == true && textOf(c.origin) == corsWildcard {
		failResource(m.id, `Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is "'*'" or not set`)
	}
	ed := swagger(doc)
	seen := map[string]bool{}
	for _, p := range ed.paths.items() {
		name := p.key
		if name != "/" {
			name = strings.TrimRight(name, "/")
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		if f := try(func() { ed.addCors(p.key, c) }); f != nil {
			if f.kind == ofTemplate {
				failResource(m.id, "%s", f.text())
			}
			panic(*f)
		}
	}
	ed.done()
}

func mediaTypes(v any) any {
	switch v := v.(type) {
	case *dict:
		out := newPy()
		for _, e := range v.items() {
			out.set(uni(strings.ReplaceAll(e.key, "~1", "/")), mediaTypes(e.value))
		}
		return out
	case list:
		out := make(list, len(v))
		for i := range v {
			out[i] = mediaTypes(v[i])
		}
		return out
	case string, uni:
		return uni(strings.ReplaceAll(textOf(v), "~1", "/"))
	}
	return v
}

func models(m *macro, all, doc *dict) {
	if !validSwagger(doc) {
		failResource(m.id, "Unable to add Models definitions because 'DefinitionBody' does not contain a valid Swagger definition.")
	}
	for _, e := range all.items() {
		if asDict(e.value) == nil {
			failResource(m.id, "Invalid value for 'Models' property")
		}
	}
	ed := swagger(doc)
	definitions := asDict(doc.get("definitions"))
	if definitions == nil {
		definitions = newPy()
		ed.put(doc, "definitions", definitions)
	}
	for _, e := range all.items() {
		if !truthy(asDict(e.value).get("type")) {
			failDocument("'Models' schema is missing 'type'.")
		}
		ed.put(definitions, like(e.name(), strings.ToLower(e.key)), ed.own(e.value))
	}
	ed.done()
}

func gatewayResponses(m *macro, all, doc *dict) {
	for _, e := range all.items() {
		if isIntrinsic(e.value) {
			failResource(m.id, "Unable to set GatewayResponses attribute because intrinsic functions are not supported for this field.")
		}
		d := asDict(e.value)
		if d == nil {
			failResource(m.id, "Invalid property type '%s' for GatewayResponses. Expected an object of type 'GatewayResponse'.", pythonType(e.value))
		}
		for _, p := range d.items() {
			if p.key != "ResponseParameters" && p.key != "ResponseTemplates" && p.key != "StatusCode" {
				failResource(m.id, "Invalid property '%s' in 'GatewayResponses' property '%s'.", p.key, e.key)
			}
		}
	}
	if !validSwagger(doc) {
		failResource(m.id, "Unable to add Auth configuration because 'DefinitionBody' does not contain a valid Swagger definition.")
	}
	ed := swagger(doc)
	const key = "x-amazon-apigateway-gateway-responses"
	responses := asDict(doc.get(key))
	if responses == nil {
		responses = newPy()
	}
	for _, e := range all.items() {
		d := asDict(e.value)
		params := newPy()
		if v := d.get("ResponseParameters"); truthy(v) {
			given := of(m.id, "GatewayResponses."+e.key+".ResponseParameters").dict(v)
			for _, p := range given.items() {
				if !slices.Contains([]string{"Headers", "Paths", "QueryStrings"}, p.key) {
					failResource(m.id, "Invalid gateway response parameter '%s'", p.key)
				}
			}
			for _, p := range [][2]string{{"Headers", "header."}, {"Paths", "path."}, {"QueryStrings", "querystring."}} {
				if v := given.get(p[0]); v != nil {
					for _, one := range of(m.id, "ResponseParameters."+p[0]).dict(v).items() {
						params.set(like(one.name(), "gatewayresponse."+p[1]+one.key), one.value)
					}
				}
			}
		}
		templates := d.get("ResponseTemplates")
		if !truthy(templates) {
			templates = newPy()
		}
		made := newPy("responseParameters", params, "responseTemplates", templates)
		if v := d.get("StatusCode"); v != nil {
			status := versionText(v)
			if truthy(v) && (len(status) > 3 || status == "" || strings.Trim(status, "0123456789") != "") {
				failResource(m.id, "Property 'StatusCode' must be numeric")
			}
			if status != "" { // a plain text, whatever it was
				made.set("statusCode", status)
			}
		}
		responses.set(e.name(), ed.own(made))
	}
	ed.put(doc, key, responses)
	ed.done()
}

func pythonType(v any) string {
	switch v := v.(type) {
	case string:
		return "str"
	case uni:
		return "Py27UniStr"
	case bool:
		return "bool"
	case list:
		return "list"
	case *dict:
		if v.py != nil {
			return "Py27Dict"
		}
		return "dict"
	}
	return "int"
}

// disableEndpoint closes an API's default host name.
func disableEndpoint(ed *editor, v any) {
	set := func(d *dict) {
		c := asDict(d.get("x-amazon-apigateway-endpoint-configuration"))
		if c == nil {
			c = newDict()
			ed.put(d, "x-amazon-apigateway-endpoint-configuration", c)
		}
		c.set("disableExecuteApiEndpoint", v)
	}
	if truthy(ed.doc.get("openapi")) && version3.MatchString(versionText(ed.doc.get("openapi"))) {
		servers, ok := ed.doc.get("servers").(list)
		if !ok {
			servers = list{newPy()}
		}
		for _, s := range servers {
			d := asDict(s)
			if d == nil {
				failDocument("Value of 'servers' item must be a dictionary according to Swagger spec.")
			}
			set(d)
		}
		ed.put(ed.doc, "servers", servers)
	} else {
		set(ed.doc)
	}
	ed.done()
}

// postprocess brings a Swagger document into OpenAPI's form where that is wanted.
func (m *macro) postprocess(doc *dict) {
	if doc.get("swagger") != nil {
		return
	}
	version := m.get("OpenApiVersion")
	if version == nil {
		version = doc.get("openapi")
	}
	if !truthy(version) || !version3.MatchString(versionText(version)) {
		return
	}
	for _, p := range [][2]string{{"securityDefinitions", "securitySchemes"}, {"definitions", "schemas"}} {
		v := doc.get(p[0])
		if !truthy(v) {
			continue
		}
		components := asDict(doc.get("components"))
		if components.len() == 0 {
			components = newPy()
		}
		components.set(p[1], v)
		doc.set("components", components)
		doc.delete(p[0])
	}
	paths := doc.get("paths")
	if !truthy(paths) {
		return
	}
	for _, p := range asDict(paths).items() {
		options := pathItem(p.value, p.key).get("options")
		if !truthy(options) {
			continue
		}
		d := asDict(options)
		if d == nil {
			failDocument("Value of options method for path %s must be a dictionary according to Swagger spec.", p.key)
		}
		for _, e := range d.items() {
			switch e.key {
			case "produces", "consumes":
				d.delete(e.key)
			case "responses":
				headers := asDict(asDict(asDict(e.value).get("200")).get("headers"))
				for _, h := range headers.items() {
					headers.set(h.name(), newPy("schema", h.value))
				}
			}
		}
	}
}

// usage is the usage plan that several APIs share.
type usage struct {
	keys, stages, dependsOn list
	conditions              []string
	unconditional           bool
	deletion, replace       string
}

// attributes are those of the shared plan, after one more API.
func (u *usage) attributes(t *transform, passed *dict) *dict {
	const name = "SharedUsagePlanCondition"
	if d := textOf(passed.get("DeletionPolicy")); d != "" && (u.deletion == "" || d == "Retain") {
		u.deletion = d
	}
	if r := textOf(passed.get("UpdateReplacePolicy")); r != "" && (u.replace == "" || r == "Retain" || r == "Snapshot" && u.replace == "Delete") {
		u.replace = r
	}
	c := textOf(passed.get("Condition"))
	switch {
	case u.unconditional:
	case c == "":
		u.unconditional = true
		if all := asDict(t.doc.get("Conditions")); all != nil {
			all.delete(name)
		}
	case !slices.Contains(u.conditions, c):
		if asDict(t.doc.get("Conditions")) == nil {
			failTemplate("Can't have condition without having 'Conditions' section in the template")
		}
		u.conditions = append(u.conditions, c)
		if len(u.conditions) > 1 {
			t.condition(name, newDict("Fn::Or", orList(u.conditions)))
		} else {
			t.condition(name, newDict("Condition", c))
		}
	}
	out := newDict()
	if u.deletion != "" {
		out.set("DeletionPolicy", u.deletion)
	}
	if u.replace != "" {
		out.set("UpdateReplacePolicy", u.replace)
	}
	if len(u.conditions) > 0 && !u.unconditional {
		out.set("Condition", name)
	}
	return out
}

// usagePlan makes an API's usage plan with a key.
func (t *transform) usagePlan(m *macro, stage *resource) []*resource {
	v := asDict(m.get("Auth")).get("UsagePlan")
	if v == nil {
		return nil
	}
	c := asDict(v)
	if c == nil {
		failResource(m.id, "'UsagePlan' must be a dictionary")
	}
	for _, e := range c.items() {
		if !slices.Contains([]string{"CreateUsagePlan", "Description", "Quota", "Tags", "Throttle", "UsagePlanName"}, e.key) {
			failResource(m.id, "Invalid property for 'UsagePlan'")
		}
	}
	create := c.get("CreateUsagePlan")
	if create == nil {
		failResource(m.id, "'CreateUsagePlan' is a required field for UsagePlan.")
	}
	shared := false
	switch textOf(create) {
	case "NONE":
		return nil
	case "PER_API":
	case "SHARED":
		shared = true
	default:
		failResource(m.id, "'CreateUsagePlan' accepts one of ['SHARED', 'PER_API', 'NONE'].")
	}
	prefix, attrs := m.id, func() *dict { return m.passed }
	stages := list{newDict("ApiId", ref(m.id), "Stage", ref(stage.id))}
	keys := list{newDict("RestApiId", ref(m.id), "StageName", ref(stage.id))}
	dependsOn := list{m.id}
	if shared {
		u := &t.sharedUsage
		prefix, attrs = "Serverless", func() *dict { return u.attributes(t, m.passed) }
		u.stages, u.keys, u.dependsOn = append(u.stages, stages...), append(u.keys, keys...), append(u.dependsOn, dependsOn...)
		stages, keys, dependsOn = slices.Clone(u.stages), slices.Clone(u.keys), slices.Clone(u.dependsOn)
	}
	plan := t.newResource(prefix+"UsagePlan", "AWS::ApiGateway::UsagePlan", attrs())
	plan.dependsOn = dependsOn
	plan.props.set("ApiStages", stages)
	for _, p := range []string{"Description", "Quota", "Tags", "Throttle", "UsagePlanName"} {
		if v := c.get(p); truthy(v) {
			plan.props.set(p, v)
		}
	}
	key := t.newResource(prefix+"ApiKey", "AWS::ApiGateway::ApiKey", attrs())
	key.dependsOn = list{plan.id}
	key.props.set("Enabled", true)
	key.props.set("StageKeys", keys)
	link := t.newResource(prefix+"UsagePlanKey", "AWS::ApiGateway::UsagePlanKey", attrs())
	link.dependsOn = list{key.id}
	link.props.set("KeyId", ref(key.id))
	link.props.set("KeyType", "API_KEY")
	link.props.set("UsagePlanId", ref(plan.id))
	return []*resource{plan, key, link}
}

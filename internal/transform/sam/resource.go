package sam

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func jsonInt(n int64) string { return strconv.FormatInt(n, 10) }

// resource is one that comes out.
type resource struct {
	id, typ   string
	dependsOn any
	attrs     *dict
	props     *dict
}

func (t *transform) newResource(id, typ string, attrs *dict) *resource {
	if !alphanumeric(id) {
		failResource(id, "Logical ids must be alphanumeric.")
	}
	return &resource{id: id, typ: typ, attrs: attrs, props: newDict()}
}

// attr sets a resource attribute, of this resource alone.
func (r *resource) attr(name string, v any) {
	r.attrs = r.attrs.copy()
	r.attrs.set(name, v)
}

func (r *resource) dict(at place) *dict {
	out := newDict("Type", r.typ)
	out.place = at
	if truthy(r.dependsOn) {
		out.set("DependsOn", r.dependsOn)
	}
	for _, e := range r.attrs.items() {
		out.set(e.key, e.value)
	}
	out.set("Properties", r.props)
	return out
}

// tag gives a resource the tags of the serverless resource, if it can have tags.
func (r *resource) tag(tags *dict) {
	switch r.typ {
	case "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::IAM::Role", "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage", "AWS::ApiGateway::DomainName",
		"AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::ApiKey":
		r.props.set("Tags", tagList(tags))
	case "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::DomainName":
		r.props.set("Tags", tags)
	}
}

func propagate(made []*resource, tags any, wanted any) {
	d := asDict(tags)
	if !truthy(wanted) || d.len() == 0 {
		return
	}
	for _, r := range made {
		r.tag(d)
	}
}

// tagList turns a map of tags into a list.
func tagList(tags *dict) list {
	out := list{}
	for _, e := range tags.items() {
		v := e.value
		if v == nil {
			v = ""
		}
		out = append(out, newDict("Key", e.name(), "Value", v))
	}
	return out
}

// macro is a serverless resource, or an event of one, as it was written.
type macro struct {
	id        string
	name      any // the logical id, as the kind of string that it is
	typ       string
	props     *dict
	dependsOn any
	attrs     *dict // resource attributes
	passed    *dict // those of attrs that everything made of it gets
}

// get returns a property, nil if it is not there.
func (m *macro) get(name string) any { return m.props.get(name) }

// types are the types that a property may have.
type types uint16

const (
	isText types = 1 << iota
	isMap
	isList
	isBool
	isInt
	texts   // a list of text or maps
	maps    // a map of maps
	literal // no function instead
	must
	anything types = 0
)

// property is one that a serverless resource may have.
type property struct {
	name string
	types
}

var schemas = map[string][]property{
	typeFunction: {
		{"FunctionName", isText | isMap}, {"Handler", anything}, {"Runtime", anything}, {"CodeUri", anything}, {"ImageUri", anything}, {"PackageType", anything},
		{"InlineCode", anything}, {"DeadLetterQueue", isMap}, {"Description", anything}, {"MemorySize", anything}, {"Timeout", anything}, {"VpcConfig", anything},
		{"Role", isText}, {"AssumeRolePolicyDocument", isMap}, {"Policies", isText | isMap | texts}, {"RolePath", anything}, {"PermissionsBoundary", isText},
		{"Environment", maps}, {"Events", maps}, {"Tags", isMap}, {"PropagateTags", isBool}, {"Tracing", isMap | isText}, {"KmsKeyArn", anything},
		{"DeploymentPreference", isMap}, {"ReservedConcurrentExecutions", anything}, {"Layers", texts}, {"EventInvokeConfig", isMap}, {"EphemeralStorage", anything},
		{"AutoPublishAlias", isText}, {"AutoPublishCodeSha256", isText}, {"AutoPublishAliasAllProperties", isBool | literal}, {"VersionDescription", anything},
		{"ProvisionedConcurrencyConfig", anything}, {"FileSystemConfigs", anything}, {"ImageConfig", anything}, {"CodeSigningConfigArn", anything},
		{"Architectures", anything}, {"SnapStart", isMap}, {"FunctionUrlConfig", isMap}, {"RuntimeManagementConfig", anything}, {"LoggingConfig", anything},
		{"RecursiveLoop", anything}, {"SourceKMSKeyArn", anything}, {"CapacityProviderConfig", isMap}, {"FunctionScalingConfig", isMap},
		{"VersionDeletionPolicy", isText}, {"PublishToLatestPublished", anything}, {"TenancyConfig", anything}, {"DurableConfig", isMap},
	},
	typeAPI: {
		{managed, isBool}, {"Name", isText | isMap}, {"StageName", isText | isMap | must}, {"Tags", isMap}, {"PropagateTags", isBool}, {"DefinitionBody", isMap},
		{"DefinitionUri", isText | isMap}, {"MergeDefinitions", isBool | literal}, {"CacheClusterEnabled", isBool}, {"CacheClusterSize", isText}, {"Variables", isMap},
		{"EndpointConfiguration", isText | isMap}, {"MethodSettings", isList}, {"BinaryMediaTypes", isList}, {"MinimumCompressionSize", isInt}, {"Cors", isText | isMap},
		{"Auth", isMap}, {"GatewayResponses", isMap}, {"AccessLogSetting", isMap}, {"CanarySetting", isMap}, {"TracingEnabled", isBool}, {"OpenApiVersion", isText},
		{"Models", isMap}, {"Domain", isMap}, {"FailOnWarnings", isBool}, {"Description", isText}, {"Mode", isText}, {"DisableExecuteApiEndpoint", isBool},
		{"ApiKeySourceType", isText}, {"AlwaysDeploy", isBool | literal}, {"Policy", isText | isMap}, {"SecurityPolicy", isText}, {"EndpointAccessMode", isText},
	},
	typeHTTPAPI: {
		{managed, isBool}, {"Name", anything}, {"StageName", isText | isMap}, {"Tags", isMap}, {"PropagateTags", isBool}, {"DefinitionBody", isMap},
		{"DefinitionUri", isText | isMap}, {"StageVariables", isMap}, {"CorsConfiguration", isBool | isMap}, {"AccessLogSettings", isMap}, {"DefaultRouteSettings", isMap},
		{"Auth", isMap}, {"RouteSettings", isMap}, {"Domain", isMap}, {"FailOnWarnings", isBool}, {"Description", isText}, {"DisableExecuteApiEndpoint", isBool},
	},
	typeApplication: {
		{"Location", isText | isMap | must}, {"TemplateUrl", isText}, {"Parameters", isMap}, {"NotificationARNs", texts}, {"Tags", isMap}, {"TimeoutInMinutes", isInt},
	},
	typeLayer: {
		{"LayerName", isText | isMap}, {"Description", isText}, {"PublishLambdaVersion", isBool}, {"ContentUri", isText | isMap | must}, {"CompatibleArchitectures", texts},
		{"CompatibleRuntimes", texts}, {"LicenseInfo", isText}, {"RetentionPolicy", isText},
	},
	"Api": {
		{"Path", isText | must}, {"Method", isText | must}, {"RestApiId", isText | must}, {"Stage", isText}, {"Auth", isMap}, {"RequestModel", isMap},
		{"RequestParameters", isList}, {"TimeoutInMillis", isInt}, {"ResponseTransferMode", isText},
	},
	"HttpApi": {
		{"Path", isText}, {"Method", isText}, {"ApiId", isText}, {"Stage", isText}, {"Auth", isMap}, {"TimeoutInMillis", isInt}, {"RouteSettings", isMap}, {"PayloadFormatVersion", isText},
	},
}

// managed marks an API whose definition the transform writes itself.
const managed = "__MANAGE_SWAGGER"

var supportedAttributes = []string{"DeletionPolicy", "UpdatePolicy", "Condition", "UpdateReplacePolicy", "Metadata"}
var passedAttributes = []string{"Condition", "DeletionPolicy", "UpdateReplacePolicy"}

// read reads a serverless resource or an event and checks the types of its properties.
func (t *transform) read(id string, name any, r *dict) *macro {
	m := &macro{id: id, name: name, typ: textOf(r.get("Type")), dependsOn: r.get("DependsOn"), attrs: newDict(), passed: newDict()}
	if !alphanumeric(id) {
		failResource(id, "Logical ids must be alphanumeric.")
	}
	if m.props = asDict(r.get("Properties")); m.props == nil {
		if r.get("Properties") != nil {
			failResource(id, "Properties of a resource must be an object.")
		}
		m.props = newDict()
	}
	for _, a := range supportedAttributes {
		if r.has(a) {
			m.attrs.set(a, r.get(a))
			if slices.Contains(passedAttributes, a) {
				m.passed.set(a, r.get(a))
			}
		}
	}
	if m.typ == typeFunction {
		t.policyTemplates(m)
	}
	if m.typ == typeApplication {
		t.locate(m)
	}
	schema := schemas[m.typ]
	for _, e := range m.props.items() {
		if !slices.ContainsFunc(schema, func(p property) bool { return p.name == e.key }) {
			failResource(id, "property %s not defined for resource of type %s", e.key, m.typ)
		}
	}
	for _, p := range schema {
		n, want, v := p.name, p.types, m.props.get(p.name)
		if v == nil {
			if want&must != 0 {
				failResource(id, "Missing required property '%s'.", n)
			}
			continue
		}
		if want&literal == 0 && asDict(v).len() == 1 {
			continue // perhaps a function
		}
		if !want.allow(v) {
			switch want &^ (must | literal) {
			case isText:
				failResource(id, "Property '%s' should be a string.", n)
			case isMap:
				failResource(id, "Property '%s' should be a map.", n)
			}
			failResource(id, "Type of property '%s' is invalid.", n)
		}
	}
	return m
}

func (w types) allow(v any) bool {
	if w&^(must|literal) == 0 {
		return true
	}
	switch v := v.(type) {
	case string, uni:
		return w&isText != 0
	case bool:
		return w&(isBool|isInt) != 0
	case json.Number:
		return w&isInt != 0 && !strings.ContainsAny(v.String(), ".eE")
	case list:
		if w&texts != 0 {
			return !slices.ContainsFunc(v, func(item any) bool {
				_, text := asText(item)
				return !text && asDict(item) == nil
			})
		}
		return w&isList != 0
	case *dict:
		if w&maps != 0 {
			return !slices.ContainsFunc(v.items(), func(e entry) bool { return asDict(e.value) == nil })
		}
		return w&isMap != 0
	}
	return false
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return s != ""
}

// The ways to say where something lies in a bucket.

var dynamicPath = regexp.MustCompile(`\{\{resolve:(ssm|ssm-secure|secretsmanager):[a-zA-Z0-9_.\-/]+(:\d+)?\}\}`)

// object is a place in a bucket.
type object struct{ bucket, key, version any }

// objectAt reads a property that says where an object is; ok is false if it is no s3:// URL.
func objectAt(v any) (o object, ok bool) {
	s, isURL := asText(v)
	if !isURL {
		return object{}, false
	}
	rest, found := strings.CutPrefix(s, "s3://")
	rest, query, _ := strings.Cut(rest, "?")
	bucket, key, _ := strings.Cut(rest, "/")
	key = strings.TrimLeft(key, "/")
	if !found || bucket == "" || !strings.Contains(rest, "/") {
		return object{}, false
	}
	o = object{bucket: like(v, bucket), key: like(v, key)}
	if id, has := strings.CutPrefix(query, "versionId="); has && id != "" && !strings.Contains(id, "&") {
		o.version = like(v, id)
	}
	return o, true
}

// code reads where a package lies, as functions and layers have it.
func code(v any, id, property string) *dict {
	var o object
	if d := asDict(v); d != nil {
		if !truthy(d.get("Bucket")) || !truthy(d.get("Key")) {
			failResource(id, "'%s' requires Bucket and Key properties to be specified.", property)
		}
		o = object{d.get("Bucket"), d.get("Key"), d.get("Version")}
	} else if s, ok := asText(v); ok {
		if m := dynamicPath.FindString(s); strings.Contains(m, "/") {
			failResource(id, "Unsupported dynamic reference detected in '%s'. Please consider using alternative 'FunctionCode' object format.", property)
		}
		if o, ok = objectAt(v); !ok {
			failResource(id, "'%s' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.", property)
		}
	} else {
		failResource(id, "'%s' must be of type dict or string.", property)
	}
	out := newDict("S3Bucket", o.bucket, "S3Key", o.key)
	out.setIf("S3ObjectVersion", o.version)
	return out
}

// body reads where an API's definition lies.
func (m *macro) body(v any) *dict {
	var o object
	if d := asDict(v); d != nil {
		if !truthy(d.get("Bucket")) || !truthy(d.get("Key")) {
			failResource(m.id, "'DefinitionUri' requires Bucket and Key properties to be specified.")
		}
		o = object{d.get("Bucket"), d.get("Key"), d.get("Version")}
	} else {
		var ok bool
		if o, ok = objectAt(v); !ok {
			failResource(m.id, "'DefinitionUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.")
		}
	}
	out := newPy("Bucket", o.bucket, "Key", o.key)
	out.setIf("Version", o.version)
	return out
}

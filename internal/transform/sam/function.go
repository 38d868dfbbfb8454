package sam

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maker is the function, or its alias, that events lead to.
type target struct {
	id      any // the logical id
	arn     *dict
	name    *dict // what a permission names
	attrs   *dict // Condition and so on
	isAlias bool
}

var (
	publicAction = "lambda:InvokeFunction"
	aliasForm    = regexp.MustCompile(`^[a-zA-Z0-9\-_]+$`)
	digitsOnly   = regexp.MustCompile(`^[0-9]+$`)
)

// function expands AWS::Serverless::Function.
func (t *transform) function(m *macro) []*resource {
	t.refuseForFunction(m)
	if m.get("VersionDeletionPolicy") != nil && m.get("AutoPublishAlias") == nil {
		failResource(m.id, "'VersionDeletionPolicy' requires 'AutoPublishAlias'.")
	}
	if dlq := asDict(m.get("DeadLetterQueue")); dlq.len() > 0 {
		if !truthy(dlq.get("Type")) || !truthy(dlq.get("TargetArn")) {
			failResource(m.id, "'DeadLetterQueue' requires Type and TargetArn properties to be specified.")
		}
		if typ := of(m.id, "DeadLetterQueue.Type").text(dlq.get("Type")); typ != "SQS" && typ != "SNS" {
			failResource(m.id, "'DeadLetterQueue' requires Type of ['SQS', 'SNS']")
		}
	}
	events := t.readEvents(m)
	f := t.lambda(m)
	made := []*resource{f}
	at := target{id: m.name, arn: getAtt(m.name, "Arn"), name: ref(m.name), attrs: m.passed}
	if truthy(m.get("ProvisionedConcurrencyConfig")) && !truthy(m.get("AutoPublishAlias")) {
		failResource(m.id, "To set ProvisionedConcurrencyConfig AutoPublishALias must be defined on the function")
	}
	aliasName := ""
	if truthy(m.get("AutoPublishAlias")) {
		var ok bool
		if aliasName, ok = asText(t.resolve(m.get("AutoPublishAlias"))); !ok {
			failResource(m.id, "'AutoPublishAlias' must be a string or a Ref to a template parameter")
		}
		sha := ""
		if v := m.get("AutoPublishCodeSha256"); truthy(v) {
			if sha, ok = asText(t.resolve(v)); !ok {
				failResource(m.id, "AutoPublishCodeSha256 must be a string")
			}
			switch d := t.resolve(m.get("Description")).(type) {
			case nil:
				f.props.set("Description", sha)
			case string:
				f.props.set("Description", strings.TrimPrefix(d+" "+sha, " "))
			default:
				f.props.set("Description", newDict("Fn::Join", list{" ", list{d, sha}}))
			}
		}
		version := t.version(m, f, sha)
		alias := t.alias(m, aliasName, version.id)
		made = append(made, version, alias)
		at = target{id: alias.id, arn: ref(alias.id), name: ref(alias.id), attrs: alias.attrs, isAlias: true}
	}
	if url := asDict(m.get("FunctionUrlConfig")); url.len() > 0 {
		made = append(made, t.functionURL(m, url, at)...)
	}
	var policies list
	if c := m.get("EventInvokeConfig"); truthy(c) {
		var more []*resource
		more, policies = t.eventInvoke(m, asDict(t.resolve(c)), aliasName, at)
		made = append(made, more...)
	}
	role := t.role(m, policies)
	switch arg, isIf := call(m.get("Role"), "Fn::If"); {
	case m.get("Role") == nil:
		f.props.set("Role", getAtt(role.id, "Arn"))
		made = append(made, role)
	case isIf:
		made = t.roleOrNot(m, arg, f, role, made)
	}
	if x := try(func() {
		for _, e := range events {
			made = append(made, t.event(m, e, at)...)
		}
	}); x != nil {
		if x.kind == ofEvent {
			failResource(m.id, "%s", x.text())
		}
		panic(*x)
	}
	propagate(made, m.get("Tags"), m.get("PropagateTags"))
	return made
}

// refuseForFunction names what functions of this server cannot have.
func (t *transform) refuseForFunction(m *macro) {
	for _, p := range []string{"DeploymentPreference", "ImageUri", "CapacityProviderConfig", "FunctionScalingConfig", "TenancyConfig", "DurableConfig", "PublishToLatestPublished"} {
		if v := m.get(p); p == "DeploymentPreference" && truthy(v) {
			if enabled, ok := t.findInMap(t.resolve(asDict(v).get("Enabled"))).(bool); ok && !enabled || textOf(asDict(v).get("Enabled")) == "false" {
				continue
			}
			failResource(m.id, "The property DeploymentPreference is not supported by this server: it has no CodeDeploy.")
		} else if truthy(v) {
			failResource(m.id, "The property %s is not supported by this server.", p)
		}
	}
	if p := m.get("PackageType"); p != nil && textOf(p) != "Zip" {
		if textOf(p) == "Image" {
			failResource(m.id, "The PackageType Image is not supported by this server: functions are packages.")
		}
		failResource(m.id, "PackageType needs to be `Zip` or `Image`")
	}
}

// lambda makes the function itself.
func (t *transform) lambda(m *macro) *resource {
	f := t.newResource(m.id, "AWS::Lambda::Function", m.attrs)
	f.dependsOn = m.dependsOn
	pass := func(names ...string) {
		for _, n := range names {
			f.props.setIf(n, m.get(n))
		}
	}
	f.props.set("Code", t.functionCode(m))
	pass("PackageType")
	if dlq := asDict(m.get("DeadLetterQueue")); dlq.len() > 0 {
		f.props.set("DeadLetterConfig", newDict("TargetArn", dlq.get("TargetArn")))
	}
	pass("Description")
	if v := m.get("FunctionName"); truthy(v) {
		f.props.set("FunctionName", v)
	}
	pass("Handler", "MemorySize", "Role", "Runtime", "Timeout", "VpcConfig", "Environment")
	f.props.set("Tags", t.tags(m, nil))
	if tracing := m.get("Tracing"); truthy(tracing) && textOf(t.resolve(deep(tracing))) != "Disabled" {
		f.props.set("TracingConfig", newDict("Mode", tracing))
	}
	pass("KmsKeyArn", "Layers", "ReservedConcurrentExecutions", "FileSystemConfigs", "CodeSigningConfigArn", "ImageConfig", "Architectures",
		"SnapStart", "EphemeralStorage", "RuntimeManagementConfig", "LoggingConfig", "RecursiveLoop")
	if !truthy(m.get("Runtime")) || !truthy(m.get("Handler")) {
		failResource(m.id, "Runtime and Handler needs to be present when PackageType is of type `Zip`")
	}
	if truthy(m.get("ImageConfig")) {
		failResource(m.id, "ImageUri or ImageConfig cannot be present when PackageType is of type `Zip`")
	}
	return f
}

func (t *transform) functionCode(m *macro) *dict {
	inline, uri := m.get("InlineCode"), m.get("CodeUri")
	var out *dict
	switch {
	case inline != nil:
		out = newDict("ZipFile", inline)
	case uri != nil:
		out = code(uri, m.id, "CodeUri")
	default:
		failResource(m.id, "Only one of 'InlineCode' or 'CodeUri' can be set.")
	}
	if v := m.get("SourceKMSKeyArn"); truthy(v) {
		out.set("SourceKMSKeyArn", v)
	}
	return out
}

// tags are those of a resource, with the transform's own and more.
func (t *transform) tags(m *macro, more *dict) list {
	own, _ := m.get("Tags").(*dict)
	for _, reserved := range []string{"lambda:createdBy", "serverlessrepo:applicationId", "serverlessrepo:semanticVersion"} {
		if own.has(reserved) {
			failResource(m.id, "%s is a reserved Tag key name and cannot be set on your resource. Please change the tag key in the input.", reserved)
		}
	}
	out := list{newDict("Key", "lambda:createdBy", "Value", "SAM")}
	return append(append(out, tagList(more)...), tagList(own)...)
}

// version is named after what makes a new one: the code, the environment, the memory.
func (t *transform) version(m *macro, f *resource, sha string) *resource {
	code := asDict(t.resolve(f.props.get("Code")))
	var hash *dict
	if truthy(m.get("AutoPublishAliasAllProperties")) {
		hash = f.props.copy()
		layers, _ := m.get("Layers").(list)
		for _, l := range layers {
			id := logicalID(l)
			props := asDict(asDict(t.resources.get(id)).get("Properties"))
			if id != "" && props != nil && truthy(props.get("PublishLambdaVersion")) {
				hash.set(id, props)
			}
		}
	} else {
		hash = code.copy()
		for _, e := range asDict(m.get("Environment")).items() {
			hash.set(e.name(), e.value)
		}
		if v := m.get("MemorySize"); truthy(v) {
			hash.set("MemorySize", v)
		}
		if v := asDict(m.get("SnapStart")); v.len() > 0 && v.has("ApplyOn") && textOf(v.get("ApplyOn")) != "None" {
			hash.set("SnapStart", v)
		}
	}
	id := hashed(m.id+"Version", hash)
	if sha != "" {
		id = m.id + "Version" + sha[:min(10, len(sha))]
	}
	v := t.newResource(id, "AWS::Lambda::Version", m.passed)
	if !m.passed.has("DeletionPolicy") {
		var policy any = "Retain"
		if p := m.get("VersionDeletionPolicy"); p != nil {
			policy = p
		}
		v.attr("DeletionPolicy", policy)
	}
	v.props.setIf("Description", m.get("VersionDescription"))
	v.props.set("FunctionName", ref(m.id))
	return v
}

// logicalID returns the resource that a Ref or Fn::GetAtt names, "" if it is neither.
func logicalID(v any) string {
	if arg, ok := call(v, "Ref"); ok {
		return textOf(arg)
	}
	arg, _ := call(v, "Fn::GetAtt")
	if l, ok := arg.(list); ok && len(l) == 2 {
		return textOf(l[0])
	}
	id, attr, _ := strings.Cut(textOf(arg), ".")
	if attr == "" || strings.Contains(attr, ".") {
		return ""
	}
	return id
}

func (t *transform) alias(m *macro, name, version string) *resource {
	if name == "" {
		failResource(m.id, "Alias name is required to create an alias")
	}
	if !aliasForm.MatchString(name) || digitsOnly.MatchString(name) {
		failResource(m.id, "AutoPublishAlias name ('%s') must contain only alphanumeric characters, hyphens, or underscores matching (?!^[0-9]+$)([a-zA-Z0-9-_]+) pattern.", name)
	}
	a := t.newResource(m.id+"Alias"+strings.NewReplacer("-", "D", "_", "U").Replace(name), "AWS::Lambda::Alias", m.passed)
	a.props.set("Name", name)
	a.props.set("FunctionName", ref(m.id))
	a.props.set("FunctionVersion", getAtt(version, "Version"))
	a.props.setIf("ProvisionedConcurrencyConfig", m.get("ProvisionedConcurrencyConfig"))
	return a
}

// urlCors are the types of a URL's CORS settings, as Python names them.
var urlCors = map[string]string{"AllowOrigins": "list", "AllowMethods": "list", "AllowCredentials": "bool", "AllowHeaders": "list", "ExposeHeaders": "list", "MaxAge": "int"}

func (t *transform) functionURL(m *macro, c *dict, at target) []*resource {
	auth := c.get("AuthType")
	if !isIntrinsic(c) {
		if a := textOf(auth); !isIntrinsic(auth) && a != "AWS_IAM" && a != "NONE" {
			failResource(m.id, "AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM or NONE.")
		}
		if cors := c.get("Cors"); truthy(cors) && !isIntrinsic(cors) {
			for _, e := range of(m.id, "FunctionUrlConfig.Cors").dict(cors).items() {
				want, ok := urlCors[e.key]
				if !ok {
					failResource(m.id, "%s is not a valid property for configuring Cors.", e.key)
				}
				is := ""
				switch e.value.(type) {
				case list:
					is = "list"
				case bool:
					is = "bool"
				case json.Number:
					is = "int"
				}
				if !isIntrinsic(e.value) && is != want {
					failResource(m.id, "%s must be of type %s.", e.key, want)
				}
			}
		}
	}
	url := t.newResource(m.id+"Url", "AWS::Lambda::Url", m.passed)
	url.props.set("TargetFunctionArn", at.name)
	url.props.setIf("AuthType", auth)
	if cors := c.get("Cors"); truthy(cors) {
		url.props.set("Cors", cors)
	}
	url.props.setIf("InvokeMode", c.get("InvokeMode"))
	if textOf(auth) != "NONE" {
		return []*resource{url}
	}
	open := t.newResource(m.id+"UrlPublicPermissions", "AWS::Lambda::Permission", m.passed)
	open.props.set("Action", "lambda:InvokeFunctionUrl")
	open.props.set("FunctionName", at.name)
	open.props.set("Principal", "*")
	open.props.set("FunctionUrlAuthType", auth)
	invoke := t.newResource(m.id+"URLInvokeAllowPublicAccess", "AWS::Lambda::Permission", m.passed)
	invoke.props.set("Action", publicAction)
	invoke.props.set("FunctionName", at.name)
	invoke.props.set("Principal", "*")
	invoke.props.set("InvokedViaFunctionUrl", true)
	return []*resource{url, open, invoke}
}

// eventInvoke makes the configuration of asynchronous calls, and the policies that its destinations need.
func (t *transform) eventInvoke(m *macro, c *dict, alias string, at target) (made []*resource, policies list) {
	id := m.id + "EventInvokeConfig"
	r := t.newResource(id, "AWS::Lambda::EventInvokeConfig", m.attrs)
	if at.isAlias {
		r.dependsOn = list{at.id}
	}
	destinations := newDict()
	if v := c.get("DestinationConfig"); truthy(v) {
		d := of(m.id, "EventInvokeConfig.DestinationConfig").dict(v)
		for _, on := range []string{"OnSuccess", "OnFailure"} {
			if one := d.get(on); one != nil {
				x := of(m.id, "EventInvokeConfig.DestinationConfig."+on).dict(one)
				made1, arn, policy := t.destination(m, x, id, on)
				if made1 != nil {
					made = append(made, made1)
				}
				destinations.set(on, newDict("Destination", arn))
				policies = append(policies, policy)
			}
		}
	}
	r.props.set("DestinationConfig", destinations)
	r.props.set("FunctionName", ref(m.id))
	r.props.setIf("MaximumEventAgeInSeconds", c.get("MaximumEventAgeInSeconds"))
	r.props.setIf("MaximumRetryAttempts", c.get("MaximumRetryAttempts"))
	if alias == "" {
		alias = "$LATEST"
	}
	r.props.set("Qualifier", alias)
	return append(made, r), policies
}

// destination makes the queue or topic of a destination that names none, and the policy to send there.
func (t *transform) destination(m *macro, c *dict, id, on string) (made *resource, arn any, policy *dict) {
	kinds := []string{"SQS", "SNS", "EventBridge", "Lambda", "S3Bucket"}
	typ := textOf(c.get("Type"))
	if !slices.Contains(kinds, typ) {
		shown := "None"
		if c.get("Type") != nil {
			shown = typ
		}
		failResource(m.id, "'Type: %s' must be one of %s", shown, repr(plain(kinds)))
	}
	arn = c.get("Destination")
	condition := ""
	if items, ok := call(arn, "Fn::If"); ok {
		l, ok := items.(list)
		if !ok || len(l) != 3 {
			failResource(id, "Malformed 'Destination' property: Fn::If requires 3 arguments.")
		}
		switch {
		case isNoValue(l[1]) && isNoValue(l[2]):
		case isNoValue(l[1]):
			condition, arn = textOf(l[0]), l[2]
		case isNoValue(l[2]):
			condition = hashed("NOT"+textOf(l[0]), id)
			t.condition(condition, newDict("Fn::Not", list{newDict("Condition", l[0])}))
			arn = l[1]
		}
	}
	if arn == nil || condition != "" {
		if typ != "SQS" && typ != "SNS" {
			failResource(m.id, "Destination is required if Type is not ['SQS', 'SNS']")
		}
		if typ == "SQS" {
			made = t.newResource(id+on+"Queue", "AWS::SQS::Queue", m.passed)
		} else {
			made = t.newResource(id+on+"Topic", "AWS::SNS::Topic", m.passed)
		}
		own, made1 := any(getAtt(made.id, "Arn")), condition
		if typ == "SNS" {
			own = ref(made.id)
		}
		if outer := textOf(m.passed.get("Condition")); outer != "" && condition != "" {
			made1 = hashed(outer+"AND"+condition, m.id)
			t.condition(made1, newDict("Fn::And", orList([]string{outer, condition})))
		} else if outer != "" {
			made1 = outer
		}
		if made1 != "" {
			made.attr("Condition", made1)
		}
		if condition != "" {
			own = conditional(condition, own, arn)
		}
		arn = own
	}
	allow := func(action string, resource any) *dict {
		return newDict("Action", action, "Effect", "Allow", "Resource", resource)
	}
	document := func(suffix string, statements ...any) *dict {
		return newDict("PolicyName", id+on+suffix, "PolicyDocument", newDict("Statement", list(statements)))
	}
	switch typ {
	case "SQS":
		policy = document("SQSPolicy", allow("sqs:SendMessage", arn))
	case "SNS":
		policy = document("SNSPolicy", allow("sns:publish", arn))
	case "EventBridge":
		policy = document("EventBridgePolicy", allow("events:PutEvents", arn))
	case "Lambda":
		policy = document("LambdaPolicy", allow("lambda:InvokeFunction", arn))
	case "S3Bucket":
		policy = document("S3Policy", allow("s3:PutObject", newDict("Fn::Join", list{"/", list{arn, "*"}})), allow("s3:ListBucket", arn))
	}
	return made, arn, policy
}

// condition adds a condition to the template.
func (t *transform) condition(name string, expr *dict) {
	all := asDict(t.doc.get("Conditions"))
	if all == nil {
		all = newDict()
		t.doc.set("Conditions", all)
	}
	all.set(name, expr)
}

// roleOrNot deals with a role that is given under a condition only.
func (t *transform) roleOrNot(m *macro, arg any, f, role *resource, made []*resource) []*resource {
	l, ok := t.resolve(arg).(list)
	if !ok || len(l) != 3 {
		failResource(m.id, "Malformed 'Role' property: Fn::If requires 3 arguments.")
	}
	own := getAtt(role.id, "Arn")
	name := textOf(l[0])
	switch {
	case isNoValue(l[1]) && isNoValue(l[2]):
		f.props.set("Role", own)
	case isNoValue(l[1]):
		f.props.set("Role", conditional(l[0], own, l[2]))
		role.attr("Condition", l[0])
	case isNoValue(l[2]):
		f.props.set("Role", conditional(l[0], l[1], own))
		role.attr("Condition", "NOT"+name)
		t.condition("NOT"+name, newDict("Fn::Not", list{newDict("Condition", l[0])}))
	default:
		return made
	}
	return append(made, role)
}

// event is one of a function's events that leads from an API.
type event struct {
	*macro
	key string
	api string // the API's logical id
}

// readEvents reads a function's events in the order in which they are expanded.
func (t *transform) readEvents(m *macro) []event {
	var out []event
	var paths []string
	for _, e := range asDict(m.get("Events")).items() {
		d := asDict(e.value)
		typ := textOf(d.get("Type"))
		switch {
		case typ == "Api" || typ == "HttpApi":
		case slices.Contains(otherEvents, typ):
			failResource(m.id, "Event with id [%s] is invalid. Events of type %s are not supported by this server.", e.key, typ)
		default:
			shown := "None"
			if d.has("Type") {
				shown = typ
			}
			failResource(m.id, "Event with id [%s] is invalid. Resource dict has missing or invalid value for key Type. Event Type is: %s.", e.key, shown)
		}
		ev := event{macro: t.read(m.id+e.key, m.id+e.key, d), key: e.key}
		api := ev.get("RestApiId")
		if typ == "HttpApi" {
			api = ev.get("ApiId")
		}
		if id, ok := call(api, "Ref"); ok {
			api = id
		}
		ev.api = textOf(api)
		if asDict(t.resources.get(ev.api)) == nil {
			failResource(m.id, "Event with id [%s] is invalid. %s property of %s event must reference a valid resource in the same template.", e.key, map[string]string{"Api": "RestApiId", "HttpApi": "ApiId"}[typ], typ)
		}
		path, ok := asText(ev.get("Path"))
		if !ok {
			path = e.key
		}
		at, _ := slices.BinarySearchFunc(paths, path, func(have, path string) int {
			if have <= path {
				return -1 // behind its equals
			}
			return 1
		})
		paths = slices.Insert(paths, at, path)
		out = slices.Insert(out, at, ev)
	}
	for _, ev := range out {
		if name := t.resolve(deep(m.get("FunctionName"))); ev.typ == "Api" && truthy(name) {
			s, ok := asText(name)
			if !ok {
				s = repr(name)
			}
			t.names[ev.api] = append(t.names[ev.api], s)
		}
	}
	return out
}

var otherEvents = []string{
	"S3", "SNS", "Kinesis", "DynamoDB", "SQS", "Schedule", "ScheduleV2", "CloudWatchEvent", "EventBridgeRule", "CloudWatchLogs", "IoTRule",
	"AlexaSkill", "Cognito", "MSK", "MQ", "SelfManagedKafka", "DocumentDB",
}

// permission lets the API call the function.
func (t *transform) permission(e event, at target, suffix string, source *dict) *resource {
	id := e.id + "Permission"
	if alphanumeric(suffix) {
		id += suffix
	} else {
		id = hashed(id, suffix)
	}
	p := t.newResource(id, "AWS::Lambda::Permission", at.attrs.pick(passedAttributes))
	p.props.set("Action", publicAction)
	p.props.set("FunctionName", at.name)
	p.props.set("Principal", "apigateway.amazonaws.com")
	p.props.set("SourceArn", source)
	return p
}

// pick returns a map with some of d's keys.
func (d *dict) pick(keys []string) *dict {
	out := newDict()
	for _, e := range d.items() {
		if slices.Contains(keys, e.key) {
			out.set(e.name(), e.value)
		}
	}
	return out
}

// integration is the URI of a function's integration.
func (at target) integration(partition string, streams bool) *dict {
	version, path := "2015-03-31", "/invocations"
	if streams {
		version, path = "2021-11-15", "/response-streaming-invocations"
	}
	short := "${" + textOf(at.arn.get("Ref")) + "}"
	var kindOf any = ""
	if l, ok := at.arn.get("Fn::GetAtt").(list); ok {
		short, kindOf = "${"+textOf(l[0])+"."+textOf(l[1])+"}", l[0]
	}
	arn := fmt.Sprintf("arn:%s:apigateway:${AWS::Region}:lambda:path/%s/functions/%s%s", partition, version, short, path)
	return newPy("Fn::Sub", like(kindOf, arn))
}

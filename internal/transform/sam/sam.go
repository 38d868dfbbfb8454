package sam

import (
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// Name is the transform's.
const Name = "AWS::Serverless-2016-10-31"

// Options say what the transform knows beside the template.
type Options struct {
	Params    template.Params // the values of the template's parameters
	Region    string
	Partition string // "": aws
	// Marked has deployments of REST APIs named as CloudFormation itself names them, which marks the
	// template's texts as Python 2's before it transforms it; else they are named as the published
	// transform names them when it is called directly, as by SAM's own tools.
	Marked bool
	Now    func() time.Time // for AlwaysDeploy; nil: time.Now
}

// transform is the work on one template.
type transform struct {
	o         Options
	partition string
	doc       *dict
	resources *dict // of doc, with implicit APIs
	params    map[string]any

	out     *dict // the resources of the result
	causes  []string
	renamed map[string]string    // logical ids that became others
	refs    map[[2]string]string // logical id and property → the resource made

	globals     map[string]*dict        // by resource type
	conditions  map[string]*implicitUse // of APIs, by logical id
	names       map[string][]string     // of functions, by REST API
	route53     map[string]*resource
	sharedUsage usage
}

// Transform expands a template's serverless resources. The error is an [*Error].
func Transform(root *template.Node, o Options) (result *template.Node, err error) {
	t := &transform{
		o: o, partition: o.Partition, params: map[string]any{}, renamed: map[string]string{}, refs: map[[2]string]string{},
		globals: map[string]*dict{}, names: map[string][]string{}, route53: map[string]*resource{},
	}
	if t.partition == "" {
		t.partition = "aws"
	}
	if t.doc = asDict(valueOf(root)); t.doc == nil {
		t.doc = newDict()
	}
	if f := try(t.run); f != nil {
		t.caught(f)
	}
	if len(t.causes) > 0 {
		return nil, &Error{Causes: t.causes}
	}
	t.doc.set("Resources", t.out)
	t.doc.delete("Transform")
	t.link(t.doc)
	t.linkDependsOn()
	return nodeOf(t.doc), nil
}

func (t *transform) caught(f *fault) {
	if s := f.text(); !slices.Contains(t.causes, s) {
		t.causes = append(t.causes, s)
	}
}

// serverless tells whether a type is one of SAM's, and whether it is known here.
func serverless(typ string) (ours, known bool) {
	switch typ {
	case typeFunction, typeAPI, typeHTTPAPI, typeApplication, typeLayer:
		return true, true
	}
	return strings.HasPrefix(typ, "AWS::Serverless::"), false
}

const (
	typeFunction    = "AWS::Serverless::Function"
	typeAPI         = "AWS::Serverless::Api"
	typeHTTPAPI     = "AWS::Serverless::HttpApi"
	typeApplication = "AWS::Serverless::Application"
	typeLayer       = "AWS::Serverless::LayerVersion"
)

func (t *transform) run() {
	t.resources = asDict(t.doc.get("Resources"))
	if t.resources.len() == 0 {
		failTemplate("'Resources' section is required")
	}
	for _, e := range t.resources.items() {
		r := asDict(e.value)
		if r == nil {
			failTemplate("All 'Resources' must be Objects. If you're using YAML, this may be an indentation issue.")
		}
		typ := textOf(r.get("Type"))
		ours, known := serverless(typ)
		if ours && !known {
			t.caught(&fault{ofResource, "The resource type " + typ + " is not supported by this server.", e.key})
		}
		if r.has("Connectors") {
			t.caught(&fault{ofResource, "The resource attribute Connectors is not supported by this server.", e.key})
		}
		if known && r.has("Properties") {
			x := of(e.key, "Properties")
			x.noun = "Attribute"
			x.dict(r.get("Properties"))
		}
		if c := r.get("Condition"); known && c != nil {
			if _, ok := asText(c); !ok {
				failTemplate("Every Condition member must be a string.")
			}
		}
	}
	if len(t.causes) > 0 {
		return
	}
	t.parameters()
	if t.o.Marked {
		t.mark()
	}
	t.defaultBodies()
	t.implicit(restKind)
	t.implicit(httpKind)
	t.mergeGlobals()
	if len(t.causes) > 0 {
		return
	}

	t.out = newDict()
	t.out.place = t.resources.place
	made := map[string][]*resource{}
	types := [][]string{{typeFunction}, {typeAPI, typeHTTPAPI}, {typeApplication, typeLayer}}
	for _, round := range types {
		for _, e := range t.resources.items() {
			r := asDict(e.value)
			if !slices.Contains(round, textOf(r.get("Type"))) {
				continue
			}
			if f := try(func() { made[e.key] = t.expand(e.key, e.name(), r) }); f != nil {
				if f.kind == ofDocument {
					panic(*f)
				}
				t.caught(f)
			}
		}
	}
	if len(t.causes) > 0 {
		return
	}
	// What a resource became stands where the resource stood.
	for i := range t.resources.ents {
		e := &t.resources.ents[i]
		if e.dead {
			continue
		}
		if _, known := serverless(textOf(asDict(e.value).get("Type"))); !known {
			t.out.set(e.key, e.value)
			t.out.ents[len(t.out.ents)-1].place = e.place
			continue
		}
		for _, r := range made[e.key] {
			t.out.set(r.id, r.dict(e.place))
		}
	}
}

// expand makes of one serverless resource what it stands for.
func (t *transform) expand(id string, name any, r *dict) []*resource {
	m := t.read(id, name, r)
	var made []*resource
	switch m.typ {
	case typeFunction:
		made = t.function(m)
	case typeAPI:
		made = t.restAPI(m)
	case typeHTTPAPI:
		made = t.httpAPI(m)
	case typeApplication:
		made = t.application(m)
	case typeLayer:
		made = t.layer(m)
	}
	byType := map[string]string{}
	for _, r := range made {
		byType[r.typ] = r.id
	}
	for property, typ := range referable[m.typ] {
		if to, ok := byType[typ]; ok {
			t.refs[[2]string{id, property}] = to
		}
	}
	for _, r := range made {
		if old := asDict(t.resources.get(r.id)); old != nil && !takesPlace[r.typ+" "+textOf(old.get("Type"))] {
			t.caught(&fault{kind: bare, message: "Transforming resource with id [" + id + "] attempts to create a new resource with id [" + r.id + "] and type \"" + r.typ +
				"\". A resource with that id already exists within this template. Please use a different id for that resource."})
		}
	}
	return made
}

// takesPlace are types that may have the logical id of a resource of another.
var takesPlace = map[string]bool{
	"AWS::Lambda::Function " + typeFunction: true, "AWS::Lambda::LayerVersion " + typeLayer: true, "AWS::ApiGateway::RestApi " + typeAPI: true,
	"AWS::ApiGatewayV2::Api " + typeHTTPAPI: true, "AWS::CloudFormation::Stack " + typeApplication: true,
	"AWS::ApiGateway::DomainName AWS::ApiGateway::DomainName": true, "AWS::ApiGateway::BasePathMapping AWS::ApiGateway::BasePathMapping": true,
}

// referable are the properties of serverless resources that Ref knows, with the type that each means.
var referable = map[string]map[string]string{
	typeFunction: {"Alias": "AWS::Lambda::Alias", "Version": "AWS::Lambda::Version", "DestinationTopic": "AWS::SNS::Topic", "DestinationQueue": "AWS::SQS::Queue"},
	typeAPI: {
		"Stage": "AWS::ApiGateway::Stage", "Deployment": "AWS::ApiGateway::Deployment", "DomainName": "AWS::ApiGateway::DomainName",
		"UsagePlan": "AWS::ApiGateway::UsagePlan", "UsagePlanKey": "AWS::ApiGateway::UsagePlanKey", "ApiKey": "AWS::ApiGateway::ApiKey",
	},
	typeHTTPAPI: {"Stage": "AWS::ApiGatewayV2::Stage", "DomainName": "AWS::ApiGatewayV2::DomainName"},
}

// linkDependsOn follows resources that have another name now.
func (t *transform) linkDependsOn() {
	for _, e := range t.out.items() {
		r := asDict(e.value)
		switch d := r.get("DependsOn").(type) {
		case list:
			for i := range d {
				if id, ok := t.renamed[textOf(d[i])]; ok {
					d[i] = id
				}
			}
		case string, uni:
			if id, ok := t.renamed[textOf(d)]; ok {
				r.set("DependsOn", id)
			}
		}
	}
}

// parameters collects the values that references to parameters may have.
func (t *transform) parameters() {
	for _, e := range asDict(t.doc.get("Parameters")).items() {
		if p := t.o.Params[e.key]; p != nil {
			t.params[e.key] = plain(p.Value)
		} else if d := asDict(e.value); d.has("Default") {
			t.params[e.key] = d.get("Default")
		}
	}
	t.params["AWS::Region"] = t.o.Region
	t.params["AWS::Partition"] = t.partition
}

// mark turns the parts of the template that may reach a deployment's hash into what Python 2 had.
func (t *transform) mark() {
	if !t.hashes() {
		return
	}
	if api := asDict(asDict(t.doc.get("Globals")).get("Api")); api != nil {
		asDict(t.doc.get("Globals")).set("Api", toPython(api))
	}
	for name, v := range t.params {
		if !strings.HasPrefix(name, "AWS::") {
			t.params[name] = toPython(deep(v))
		}
	}
	marked := newPy()
	for _, e := range t.resources.items() {
		r := asDict(e.value)
		props := asDict(r.get("Properties"))
		switch textOf(r.get("Type")) {
		case typeAPI, typeHTTPAPI:
			if props != nil {
				r.set("Properties", toPython(props))
			}
		case typeFunction:
			if props != nil {
				r.setIf("Condition", toPython(r.get("Condition")))
				props.setIf("FunctionName", toPython(props.get("FunctionName")))
				props.setIf("Events", toPython(props.get("Events")))
			}
		}
		marked.set(uni(e.key), r)
		marked.ents[len(marked.ents)-1].place = e.place
	}
	marked.place = t.resources.place
	t.resources = marked
	t.doc.set("Resources", marked)
}

// hashes tells whether the template has a REST API, or an HTTP API with a default authorizer.
func (t *transform) hashes() bool {
	globals := asDict(t.doc.get("Globals"))
	byDefault := truthy(asDict(asDict(globals.get("HttpApi")).get("Auth")).get("DefaultAuthorizer"))
	for _, e := range t.resources.items() {
		r := asDict(e.value)
		props := asDict(r.get("Properties"))
		switch textOf(r.get("Type")) {
		case typeAPI:
			return true
		case typeHTTPAPI:
			if byDefault || truthy(asDict(props.get("Auth")).get("DefaultAuthorizer")) {
				return true
			}
		case typeFunction:
			for _, ev := range asDict(props.get("Events")).items() {
				if typ := textOf(asDict(ev.value).get("Type")); typ == "Api" || typ == "HttpApi" && byDefault {
					return true
				}
			}
		}
	}
	return false
}

func (t *transform) now() time.Time {
	if t.o.Now != nil {
		return t.o.Now()
	}
	return time.Now()
}

package sam

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// policies.json has the policy templates, managed.txt the paths of AWS's managed policies that roles
// may have, both as the transform publishes them (aws-sam-translator 1.110.0).
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-policy-template-list.html
var (
	//go:embed policies.json
	policiesJSON []byte
	//go:embed managed.txt
	managedText string
)

type policyTemplate struct {
	parameters []string
	definition *dict
}

var loadPolicies = sync.OnceValue(func() map[string]policyTemplate {
	n, err := template.ParseNode(policiesJSON, template.Options{})
	if err != nil {
		panic(fmt.Sprintf("sam: the policy templates: %v", err))
	}
	out := make(map[string]policyTemplate, len(n.Entries))
	for _, e := range asDict(valueOf(n)).items() {
		d := asDict(e.value)
		p := policyTemplate{definition: asDict(d.get("Definition"))}
		for _, name := range d.get("Parameters").(list) {
			p.parameters = append(p.parameters, textOf(name))
		}
		out[e.key] = p
	}
	return out
})

var loadManaged = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for path := range strings.Lines(managedText) {
		path = strings.TrimSpace(path)
		out[path[strings.LastIndexByte(path, '/')+1:]] = path
	}
	return out
})

// policyKind is what an entry of Policies is.
type policyKind uint8

const (
	unknownPolicy policyKind = iota
	managedPolicy
	statementPolicy
	templatePolicy
)

func (t *transform) policyKind(v any, templates bool) policyKind {
	if _, ok := asText(v); ok {
		return managedPolicy
	}
	d := asDict(v)
	if arg, ok := call(v, "Fn::If"); ok {
		l, ok := arg.(list)
		if !ok || len(l) != 3 {
			failTemplate("Fn::If requires 3 arguments")
		}
		a, b := t.policyKind(l[1], templates), t.policyKind(l[2], templates)
		switch {
		case a == b, isNoValue(l[2]):
			return a
		case isNoValue(l[1]):
			return b
		}
		failTemplate("Different policy types within the same Fn::If statement is unsupported. Separate different policy types into different Fn::If statements")
	}
	switch {
	case isIntrinsic(v):
		return managedPolicy
	case d.has("Statement"):
		return statementPolicy
	case templates && d.len() == 1:
		if _, ok := loadPolicies()[d.items()[0].key]; ok {
			return templatePolicy
		}
	}
	return unknownPolicy
}

// entriesOf returns Policies as a list.
func entriesOf(v any) list {
	if l, ok := v.(list); ok {
		return l
	}
	if truthy(v) {
		return list{v}
	}
	return nil
}

// policyTemplates puts statements in place of the policy templates of a function.
func (t *transform) policyTemplates(m *macro) {
	entries := entriesOf(m.get("Policies"))
	if len(entries) == 0 {
		return
	}
	out := make(list, 0, len(entries))
	for _, v := range entries {
		if t.policyKind(v, true) != templatePolicy {
			out = append(out, v)
			continue
		}
		if arg, ok := call(v, "Fn::If"); ok {
			l := slices.Clone(arg.(list))
			for i := 1; i < 3; i++ {
				if !isNoValue(l[i]) {
					l[i] = t.policyStatement(m.id, asDict(l[i]))
				}
			}
			out = append(out, newDict("Fn::If", l))
			continue
		}
		out = append(out, t.policyStatement(m.id, asDict(v)))
	}
	m.props = m.props.copy()
	m.props.set("Policies", out)
}

func (t *transform) policyStatement(id string, v *dict) *dict {
	e := v.items()[0]
	p := loadPolicies()[e.key]
	given := asDict(e.value)
	if given == nil {
		failResource(id, "Must specify valid parameter values for policy template '%s'", e.key)
	}
	var missing []string
	for _, name := range p.parameters {
		if !given.has(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		failResource(id, "Following required parameters of template '%s' don't have values: %s", e.key, repr(plain(missing)))
	}
	var fill func(v any) any
	fill = func(v any) any {
		switch v := v.(type) {
		case list:
			out := make(list, len(v))
			for i := range v {
				out[i] = fill(v[i])
			}
			return out
		case *dict:
			if arg, ok := call(v, "Ref"); ok && slices.Contains(p.parameters, textOf(arg)) {
				return deep(given.get(textOf(arg)))
			}
			out := newDict()
			for _, e := range v.items() {
				out.set(e.key, fill(e.value))
			}
			return out
		}
		return v
	}
	return asDict(fill(p.definition))
}

// managedARN makes an ARN of the name of a managed policy; what it does not know stays as it is.
func (t *transform) managedARN(v any) any {
	name := textOf(v)
	if path, ok := loadManaged()[name]; ok {
		return "arn:" + t.partition + ":iam::aws:policy/" + path
	}
	return v
}

// role makes the execution role of a function.
func (t *transform) role(m *macro, more list) *resource {
	r := t.newResource(m.id+"Role", "AWS::IAM::Role", m.passed)
	var trust any = newDict("Version", "2012-10-17", "Statement", list{
		newDict("Action", list{"sts:AssumeRole"}, "Effect", "Allow", "Principal", newDict("Service", list{"lambda.amazonaws.com"})),
	})
	if v := m.get("AssumeRolePolicyDocument"); v != nil {
		trust = v
	}
	r.props.set("AssumeRolePolicyDocument", trust)
	base := "arn:" + t.partition + ":iam::aws:policy/"
	arns := list{base + "service-role/AWSLambdaBasicExecutionRole"}
	if tracing := m.get("Tracing"); truthy(tracing) && textOf(t.resolve(deep(tracing))) != "Disabled" {
		name := "AWSXrayWriteOnlyAccess"
		if t.partition != "aws" {
			name = "AWSXRayDaemonWriteAccess"
		}
		arns = append(arns, base+name)
	}
	if truthy(m.get("VpcConfig")) {
		arns = append(arns, base+"service-role/AWSLambdaVPCAccessExecutionRole")
	}
	var documents list
	if dlq := asDict(m.get("DeadLetterQueue")); dlq.len() > 0 {
		action := map[string]string{"SQS": "sqs:SendMessage", "SNS": "sns:Publish"}[textOf(dlq.get("Type"))]
		documents = append(documents, newDict("PolicyName", "DeadLetterQueuePolicy", "PolicyDocument", newDict("Version", "2012-10-17", "Statement", list{
			newDict("Action", action, "Resource", dlq.get("TargetArn"), "Effect", "Allow"),
		})))
	}
	documents = append(documents, more...)
	for i, v := range entriesOf(m.get("Policies")) {
		inline := func(v any) any {
			return newDict("PolicyName", fmt.Sprintf("%sPolicy%d", r.id, i), "PolicyDocument", v)
		}
		switch t.policyKind(v, false) {
		case statementPolicy:
			documents = append(documents, convert(v, inline))
		case managedPolicy:
			arn := v
			if _, ok := asText(v); ok || isIf(v) {
				arn = convert(v, t.managedARN)
			}
			if !slices.ContainsFunc(arns, func(have any) bool { return equal(have, arn) }) {
				arns = append(arns, arn)
			}
		default:
			failResource(m.id, "Policy at index %d in the 'Policies' property is not valid", i)
		}
	}
	r.props.set("ManagedPolicyArns", arns)
	r.props.setIf("Path", m.get("RolePath"))
	if len(documents) > 0 {
		r.props.set("Policies", documents)
	}
	r.props.setIf("PermissionsBoundary", m.get("PermissionsBoundary"))
	r.props.set("Tags", t.tags(m, nil))
	return r
}

func isIf(v any) bool { _, ok := call(v, "Fn::If"); return ok }

// convert changes a policy, or those in both branches of an Fn::If.
func convert(v any, f func(any) any) any {
	arg, ok := call(v, "Fn::If")
	if !ok {
		return f(v)
	}
	l := slices.Clone(arg.(list))
	for i := 1; i < 3; i++ {
		if !isNoValue(l[i]) {
			if _, text := asText(l[i]); text || !isIntrinsic(l[i]) {
				l[i] = f(l[i])
			}
		}
	}
	return newDict("Fn::If", l)
}

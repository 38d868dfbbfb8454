package access

import (
	"context"
	"reflect"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Entities says what the account's entities are really called: ARNs have paths, and names are found in any
// case, where policies compare letter by letter. kind is "role", "user", "group" or
// "instance-profile".
type Entities interface {
	// Entity returns the entity's ARN and that of its permissions boundary; "" for what there is not.
	Entity(ctx context.Context, kind, name string) (arn, boundary string)
}

// Tagger knows the tags of resources of one service.
type Tagger interface {
	// ResourceTags returns the tags of a resource; nil if there is no such resource or it has none.
	ResourceTags(ctx context.Context, arn string) map[string]string
}

// TaggerFunc is a [Tagger] that is a function.
type TaggerFunc func(ctx context.Context, arn string) map[string]string

// ResourceTags implements [Tagger].
func (f TaggerFunc) ResourceTags(ctx context.Context, arn string) map[string]string {
	return f(ctx, arn)
}

// Map knows what operations ask of policies. Its fields are set before it is used.
type Map struct {
	Entities Entities // nil: all have the path / and no boundary

	// StackID returns the ARN of the living stack of that name, or of the stack of the change set with that
	// ARN; "" if there is none. nil: there are none.
	StackID func(ctx context.Context, name string) string

	Tags map[string]Tagger // by the service in an ARN; those without have no aws:ResourceTag
}

// services holds the tables by the models' ids.
var services = map[string]*table{
	"API Gateway":               restAPIs,
	"ApiGatewayV2":              httpAPIs,
	"CloudFormation":            cloudFormation,
	"CloudWatch Logs":           cloudWatchLogs,
	"Cognito Identity":          cognitoIdentity,
	"Cognito Identity Provider": cognitoIDP,
	"IAM":                       iamTable,
	"Lambda":                    lambdaTable,
	"S3":                        s3Table,
	"SSM":                       ssmTable,
	"STS":                       stsTable,
}

// asking is one call that is looked at.
type asking struct {
	ctx   context.Context
	m     *Map
	op    *operation
	call  *wire.Call
	in    reflect.Value     // the input's structure
	stack map[string]string // tags that a stack adds
	base  *iam.Request      // what the request as such says
}

// stageVariable begins a place where a stage of an API puts a text.
const stageVariable = "${stageVariables."

var anyVariable = regexp.MustCompile(`\$\{stageVariables\.[^}]*\}?`)

// role returns the ARN of the role that a given ARN means, for names are found in any case and policies must
// see the true one; "" if it is no role's: "arn:aws:iam::*:user/*" means the caller's own credentials, and
// other parts of a patch come here, too. What a stage will fill in is any text, so may be any role.
func (a *asking) role(arn string) string {
	if before, _, open := strings.Cut(arn, stageVariable); open {
		const head = "arn:aws:iam:"
		if strings.Contains(arn, ":user/") || !strings.HasPrefix(before, head) && !strings.HasPrefix(head, before) {
			return ""
		}
		return anyVariable.ReplaceAllLiteralString(arn, "*")
	}
	if !strings.Contains(arn, ":role/") {
		return ""
	}
	if i := strings.LastIndexByte(arn, '/'); strings.HasPrefix(arn, "arn:") {
		if real, _ := a.entity("role", arn[i+1:]); real != "" {
			return real
		}
	}
	return arn
}

func (a *asking) entity(kind, name string) (arn, boundary string) {
	if a.m.Entities == nil || name == "" {
		return "", ""
	}
	return a.m.Entities.Entity(a.ctx, kind, name)
}

// Of returns what policies are asked about a call, nothing if it needs no permission. The principals
// of the requests are not set. in is the decoded input of op, c the call, which ctx carries.
func (m *Map) Of(ctx context.Context, model *shape.Model, op *shape.Operation, in any, c *wire.Call) []policy.Request {
	t := services[model.ID]
	if t == nil {
		panic("access: nothing is known of " + model.ID)
	}
	o := t.compiled(model, op.Name)
	if o.free {
		return nil
	}
	a := &asking{ctx: ctx, m: m, op: o, call: c, in: reflect.ValueOf(in).Elem(), stack: resource.StackTags(ctx), base: about(c)}
	out := make([]policy.Request, 0, len(o.rules))
	var few [4]string
	for _, r := range o.rules {
		if !r.applies(a) {
			continue
		}
		for _, arn := range r.resource.expand(a, few[:0]) {
			if r.passed != "" && arn == "" {
				continue
			}
			out = append(out, policy.Request{Action: r.action, Resource: arn, Context: &keys{asking: a, resource: arn, passed: r.passed}})
		}
	}
	return out
}

// about returns what policies may ask of a call as such.
func about(c *wire.Call) *iam.Request {
	base := iam.RequestContext(c)
	if c.Via != "" {
		base.Set("aws:viaawsservice", "true")
		base.Set("aws:calledvia", c.Via)
		base.Set("aws:calledviafirst", c.Via)
		base.Set("aws:calledvialast", c.Via)
	}
	return base
}

func (r *rule) applies(a *asking) bool {
	for i := range r.when {
		if c := &r.when[i]; c.present(a) == c.unless {
			return false
		}
	}
	return true
}

// keys gives the values of condition keys for one question. It looks when it is asked.
type keys struct {
	*asking
	resource string
	passed   string
}

// Values implements [policy.Context].
func (k *keys) Values(key string) []string {
	if p := k.op.keys[key]; p != nil {
		return p.values(k.asking, nil)
	}
	switch {
	case key == "iam:passedtoservice":
		if k.passed == "" {
			return nil
		}
		return []string{k.passed}
	case key == "aws:tagkeys":
		return k.tagKeys()
	case strings.HasPrefix(key, "aws:requesttag/"):
		return k.requestTag(key[len("aws:requesttag/"):])
	case strings.HasPrefix(key, "aws:resourcetag/"):
		return k.resourceTag(key[len("aws:resourcetag/"):])
	case strings.HasPrefix(key, "iam:resourcetag/"), strings.HasPrefix(key, "ssm:resourcetag/"):
		return k.resourceTag(key[len("iam:resourcetag/"):])
	}
	if k.op.more != nil {
		if v := k.op.more(k.asking, key); v != nil {
			return v
		}
	}
	return k.base.Values(key)
}

// requestTags calls f with each tag in the input, and those that a stack adds, until f returns false.
func (k *keys) requestTags(f func(key, value string) bool) {
	has := false
	switch {
	case len(k.op.tags) == 2:
		names, values := walkAll(k.asking, &k.op.tags[0]), walkAll(k.asking, &k.op.tags[1])
		for i, name := range names {
			if !f(name, values[i]) {
				return
			}
		}
		has = true
	case k.op.tagMap != nil:
		v := k.in.Field(k.op.tagMap.steps[0].field)
		for it := v.MapRange(); it.Next(); {
			if !f(it.Key().String(), it.Value().String()) {
				return
			}
		}
		has = true
	}
	if !has {
		return
	}
	for name, value := range k.stack {
		if !f(name, value) {
			return
		}
	}
}

// walkAll is path.values with a place for each value that is empty: a tag's may be.
func walkAll(a *asking, p *path) []string {
	list := a.in
	steps := p.steps
	for ; steps[0].kind == field; steps = steps[1:] {
		for list.Kind() == reflect.Pointer {
			if list.IsNil() {
				return nil
			}
			list = list.Elem()
		}
		list = list.Field(steps[0].field)
	}
	out := make([]string, list.Len())
	for i := range out {
		if v := walk(list.Index(i), steps[1:], nil); len(v) > 0 {
			out[i] = v[0]
		}
	}
	return out
}

// requestTag returns the value of a tag in the input. Keys come in lower case, and those of tags count in
// any case there.
func (k *keys) requestTag(name string) (out []string) {
	k.requestTags(func(key, value string) bool {
		if strings.EqualFold(key, name) {
			out = []string{value}
		}
		return out == nil
	})
	return out
}

func (k *keys) tagKeys() (out []string) {
	if k.op.tagKeys != nil {
		return k.op.tagKeys.values(k.asking, nil)
	}
	k.requestTags(func(key, _ string) bool {
		if !strings.HasPrefix(key, "aws:") {
			out = append(out, key)
		}
		return true
	})
	return out
}

func (k *keys) resourceTag(name string) []string {
	parts := strings.SplitN(k.resource, ":", 6)
	if len(parts) < 6 {
		return nil
	}
	tagger := k.m.Tags[parts[2]]
	if tagger == nil {
		return nil
	}
	for key, value := range tagger.ResourceTags(k.ctx, k.resource) {
		if strings.EqualFold(key, name) {
			return []string{value}
		}
	}
	return nil
}

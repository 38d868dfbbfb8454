package access

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// table is what a file of a service says.
type table struct {
	prefix     string            // of actions: "cognito-idp"
	types      map[string]string // names of resources
	rules      string
	transforms map[string]transform
	more       func(a *asking, key string) []string // further condition keys; may be nil

	// rest makes the rule of every operation that the rules do not name: the HTTP method is the action, the
	// path the resource, as API Gateway has it. The text is what of the path is left out: "/v2".
	rest *string

	once sync.Once
	ops  map[string]*operation
}

// operation is all that policies are asked about one.
type operation struct {
	free    bool // needs no permission, or is decided elsewhere
	rules   []*rule
	keys    map[string]*path // condition keys, in lower case
	tags    []path           // keys and values of tags in the input
	tagMap  *path            // to a map of tags
	tagKeys *path
	more    func(a *asking, key string) []string
}

// rule is one question.
type rule struct {
	action   string
	resource template
	when     []condition
	passed   string // of iam:PassRole: the service that gets the role
}

// condition says when a question is asked: if the input has a value, or unless it has.
type condition struct {
	path
	unless bool
}

// compiled returns the operation, and compiles the table when it is first used.
func (t *table) compiled(m *shape.Model, name string) *operation {
	t.once.Do(func() { t.compile(m) })
	op := t.ops[name]
	if op == nil {
		panic("access: nothing is known of " + m.ID + " " + name)
	}
	return op
}

func (t *table) compile(m *shape.Model) {
	t.ops = make(map[string]*operation, len(m.Operations))
	bad := func(line string, err any) { panic(fmt.Sprintf("access: %s: %s: %v", m.ID, line, err)) }
	get := func(name string) (*operation, reflect.Type) {
		op := m.Operation(name)
		if op == nil {
			bad(name, "no such operation")
		}
		in := reflect.TypeOf(op.New()).Elem()
		o := t.ops[name]
		if o == nil {
			o = &operation{more: t.more}
			o.findTags(in)
			t.ops[name] = o
		}
		return o, in
	}
	for line := range strings.SplitSeq(t.rules, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		left, names, ok := strings.Cut(line, ": ")
		if !ok {
			bad(line, "no colon")
		}
		words := strings.Fields(left)
		for name := range strings.FieldsSeq(names) {
			name, action, renamed := strings.Cut(name, "=")
			if !renamed {
				action = name
			}
			if !strings.Contains(action, ":") {
				action = t.prefix + ":" + action
			}
			o, in := get(name)
			var err error
			switch words[0] {
			case "none", "elsewhere":
				o.free = true
			case "key":
				var p path
				if p, err = compilePath(in, words[2], t.transforms); err == nil {
					if o.keys == nil {
						o.keys = map[string]*path{}
					}
					o.keys[strings.ToLower(words[1])] = &p
				}
			case "pass":
				r := &rule{action: "iam:PassRole", passed: words[1]}
				if r.resource, err = compileTemplate(in, "{"+words[2]+":passed?}", common); err == nil {
					o.rules = append(o.rules, r)
				}
			default:
				r := &rule{action: action}
				text, known := t.types[words[0]]
				if !known {
					text = words[0]
				}
				r.resource, err = compileTemplate(in, text, t.transforms)
				for when := words[1:]; err == nil && len(when) > 1; when = when[2:] {
					c := condition{unless: when[0] == "unless"}
					c.path, err = compilePath(in, when[1], t.transforms)
					r.when = append(r.when, c)
				}
				o.rules = append(o.rules, r)
			}
			if err != nil {
				bad(line+" ("+name+")", err)
			}
		}
	}
	if t.rest == nil {
		return
	}
	for i := range m.Operations {
		op := &m.Operations[i]
		o, in := get(op.Name)
		if o.free || len(o.rules) > 0 && o.rules[0].passed == "" && !strings.HasSuffix(o.rules[0].action, "Policy") {
			continue
		}
		text, err := restResource(m, op, *t.rest)
		if err != nil {
			bad(op.Name, err)
		}
		r := &rule{action: t.prefix + ":" + op.Method}
		if r.resource, err = compileTemplate(in, text, t.transforms); err != nil {
			bad(op.Name, err)
		}
		o.rules = append([]*rule{r}, o.rules...)
	}
}

// restResource makes a template of an operation's path.
func restResource(m *shape.Model, op *shape.Operation, cut string) (string, error) {
	way, _, _ := strings.Cut(strings.TrimPrefix(op.Path, cut), "?")
	in := m.At(op.Input)
	var b strings.Builder
	b.WriteString("arn:{partition}:apigateway:{region}::")
	for way != "" {
		before, rest, ok := strings.Cut(way, "{")
		b.WriteString(before)
		if !ok {
			break
		}
		label, after, _ := strings.Cut(rest, "}")
		way = after
		field := ""
		for i := range in.Members {
			if mem := &in.Members[i]; mem.Location == shape.URI && mem.Wire == strings.TrimSuffix(label, "+") {
				field = reflect.TypeOf(op.New()).Elem().Field(i).Name
			}
		}
		if field == "" {
			return "", fmt.Errorf("%s: no member %s", op.Path, label)
		}
		if strings.HasSuffix(before, "/tags/") {
			field += ":tag"
		}
		b.WriteString("{" + field + "}")
	}
	return b.String(), nil
}

// common are the functions that all tables have.
var common = map[string]transform{
	"passed": func(a *asking, v string) string { return a.role(v) },

	// The services find tagged things by the ends of their ARNs. Policies must see what is found.
	"last": func(_ *asking, v string) string { return v[strings.LastIndexByte(v, '/')+1:] },
	"tag": func(a *asking, v string) string {
		if _, path, ok := strings.Cut(v, "::"); ok {
			v = "arn:" + a.call.Partition + ":apigateway:" + a.call.Region + "::" + path
		}
		return url.QueryEscape(v)
	},
}

// findTags looks where the input t has tags: a map of texts, or a list of Key and Value.
func (o *operation) findTags(t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "TagKeys" || f.Name == "Tags" && f.Type == reflect.TypeFor[[]string]() {
			o.tagKeys = &path{steps: []step{{i, field}, {0, elements}}, many: true}
			continue
		}
		if f.Name == "Tagging" && f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct { // S3's
			if set, ok := f.Type.Elem().FieldByName("TagSet"); ok {
				o.listOfTags(set.Type, []step{{i, field}, {set.Index[0], field}})
			}
			continue
		}
		if !strings.HasSuffix(f.Name, "Tags") {
			continue
		}
		switch {
		case f.Type == reflect.TypeFor[map[string]string]() && f.Name != "PrincipalTags":
			o.tagMap = &path{steps: []step{{i, field}}}
		case f.Type.Kind() == reflect.Slice:
			o.listOfTags(f.Type, []step{{i, field}})
		}
	}
}

func (o *operation) listOfTags(list reflect.Type, to []step) {
	elem := list.Elem()
	if elem.Kind() != reflect.Struct {
		return
	}
	key, ok1 := elem.FieldByName("Key")
	value, ok2 := elem.FieldByName("Value")
	if !ok1 || !ok2 {
		return
	}
	to = append(to[:len(to):len(to)], step{0, elements})
	o.tags = []path{
		{steps: append(to[:len(to):len(to)], step{key.Index[0], field}), many: true},
		{steps: append(to[:len(to):len(to)], step{value.Index[0], field}), many: true},
	}
}

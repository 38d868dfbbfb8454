// Package schema validates JSON by JSON schema draft 4, as the models of REST APIs use it.
//
// A [Set] holds the models of one API, which may refer to each other:
// {"$ref":"https://apigateway.amazonaws.com/restapis/ID/models/NAME"}, and to their own definitions: {"$ref":"#/definitions/X"}.
// A reference to anything else is refused, so that no schema makes the server fetch something, and so is a regular
// expression that Go's engine, which is linear in time, does not have (look-around, back references).
//
// What does not fit is said in the words of the validator that API Gateway uses, for they are seen in
// $context.error.validationErrorString: object has missing required properties (["name"]).
//
// https://datatracker.ietf.org/doc/html/draft-fge-json-schema-validation-00
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxDepth bounds how deeply documents and schemas may be nested.
const MaxDepth = 200

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct{ root *rule }

// Set compiles schemas that refer to each other by the names of models.
type Set struct {
	sources  map[string][]byte
	parsed   map[string]any
	compiled map[string]*rule // by model and JSON pointer
}

// NewSet returns an empty set.
func NewSet() *Set {
	return &Set{sources: map[string][]byte{}, parsed: map[string]any{}, compiled: map[string]*rule{}}
}

// Add adds a model, which need not be right before it is compiled.
func (s *Set) Add(name string, schema []byte) { s.sources[name] = schema }

// Compile compiles a model of the set. The error says where the schema is wrong.
func (s *Set) Compile(name string) (*Schema, error) {
	r, err := s.at(name, "", 0)
	if err != nil {
		return nil, err
	}
	return &Schema{r}, nil
}

// Compile compiles a schema that stands alone.
func Compile(schema []byte) (*Schema, error) {
	s := NewSet()
	s.Add("", schema)
	return s.Compile("")
}

// rule is one schema object. Nil fields do not restrict.
type rule struct {
	types                        []string
	enum                         []any
	values                       map[string]bool // of enum, canonical
	maximum, minimum             *number
	exclusiveMax, exclusiveMin   bool
	multipleOf                   *number
	maxLength, minLength         *int
	pattern                      *pattern
	items                        *rule   // of all
	tuple                        []*rule // of the first
	additionalItems              *rule
	noMoreItems                  bool
	maxItems, minItems           *int
	unique                       bool
	maxProperties, minProperties *int
	required                     []string
	properties                   map[string]*rule
	patternProperties            []propertyPattern
	additional                   *rule
	noMore                       bool
	dependencies                 map[string]*rule
	dependents                   map[string][]string
	allOf, anyOf, oneOf          []*rule
	not                          *rule
	format                       string
}

type pattern struct {
	text string
	re   *regexp.Regexp
}

type propertyPattern struct {
	pattern
	rule *rule
}

type number struct {
	text string
	rat  *big.Rat
}

// Decode reads one JSON document, with numbers as json.Number, within [MaxDepth].
func Decode(data []byte) (any, error) {
	if err := depth(data); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

// depth refuses what is nested too deeply, before it is decoded.
func depth(data []byte) error {
	n, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if n++; n > MaxDepth {
				return fmt.Errorf("nested more than %d levels deep", MaxDepth)
			}
		case c == '}' || c == ']':
			n--
		}
	}
	return nil
}

// at compiles what a JSON pointer within a model leads to, once.
func (s *Set) at(name, pointer string, level int) (*rule, error) {
	key := name + "#" + pointer
	if r := s.compiled[key]; r != nil {
		return r, nil
	}
	if _, ok := s.parsed[name]; !ok {
		src, ok := s.sources[name]
		if !ok {
			return nil, fmt.Errorf("unknown model %q", name)
		}
		v, err := Decode(src)
		if err != nil {
			return nil, err
		}
		s.parsed[name] = v
	}
	v := s.parsed[name]
	for p := range strings.SplitSeq(pointer, "/") {
		if p == "" {
			continue
		}
		p = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
		switch x := v.(type) {
		case map[string]any:
			v = x[p]
		case []any:
			i, err := strconv.Atoi(p)
			if err != nil || i < 0 || i >= len(x) {
				return nil, fmt.Errorf("JSON Pointer %q cannot be resolved", pointer)
			}
			v = x[i]
		default:
			v = nil
		}
	}
	if v == nil {
		return nil, fmt.Errorf("JSON Reference %q cannot be resolved", "#"+pointer)
	}
	r := new(rule)
	s.compiled[key] = r // before its parts, which may refer to it
	if err := s.compile(r, name, pointer, v, level); err != nil {
		delete(s.compiled, key)
		return nil, err
	}
	return r, nil
}

// reference resolves a $ref to a model and a pointer in it.
func reference(name, ref string) (string, string, error) {
	base, fragment, _ := strings.Cut(ref, "#")
	fragment, err := url.PathUnescape(fragment)
	if err != nil || fragment != "" && fragment[0] != '/' {
		return "", "", fmt.Errorf("JSON Reference %q is not valid", ref)
	}
	if base == "" {
		return name, fragment, nil
	}
	if rest, ok := strings.CutPrefix(base, "https://apigateway.amazonaws.com/restapis/"); ok {
		if _, model, ok := strings.Cut(rest, "/models/"); ok {
			return model, fragment, nil
		}
	}
	return "", "", fmt.Errorf("JSON Reference %q is not supported: only models of the API and definitions of the schema itself can be referred to", ref)
}

func (s *Set) compile(r *rule, name, pointer string, v any, level int) error {
	doc, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("a schema must be an object, at %q", "#"+pointer)
	}
	if level > MaxDepth {
		return errors.New("nested too deeply")
	}
	if ref, ok := doc["$ref"].(string); ok {
		model, at, err := reference(name, ref)
		if err != nil {
			return err
		}
		if model+"#"+at == name+"#"+pointer {
			return fmt.Errorf("JSON Reference %q refers to itself", ref)
		}
		to, err := s.at(model, at, level+1)
		if err != nil {
			return err
		}
		r.allOf = []*rule{to}
		return loop(r)
	}
	c := &compiler{s: s, doc: doc, name: name, pointer: pointer, level: level}
	r.types = c.types()
	if e, ok := doc["enum"]; ok {
		if r.enum, ok = e.([]any); !ok || len(r.enum) == 0 {
			c.fail("enum", "a list with at least one element")
		}
		r.values = make(map[string]bool, len(r.enum))
		for _, e := range r.enum {
			r.values[canonical(e)] = true
		}
	}
	r.maximum, r.minimum = c.number("maximum"), c.number("minimum")
	r.exclusiveMax, r.exclusiveMin = c.boolean("exclusiveMaximum"), c.boolean("exclusiveMinimum")
	if r.multipleOf = c.number("multipleOf"); r.multipleOf != nil && r.multipleOf.rat.Sign() <= 0 {
		c.fail("multipleOf", "greater than 0")
	}
	r.maxLength, r.minLength = c.count("maxLength"), c.count("minLength")
	r.maxItems, r.minItems, r.unique = c.count("maxItems"), c.count("minItems"), c.boolean("uniqueItems")
	r.maxProperties, r.minProperties = c.count("maxProperties"), c.count("minProperties")
	if p, ok := doc["pattern"]; ok {
		r.pattern = c.pattern("pattern", p)
	}
	if list, ok := doc["items"].([]any); ok {
		for i := range list {
			r.tuple = append(r.tuple, c.sub("items", strconv.Itoa(i)))
		}
	} else if _, ok := doc["items"]; ok {
		r.items = c.sub("items")
	}
	r.additionalItems, r.noMoreItems = c.additional("additionalItems")
	r.required = c.names("required", doc["required"])
	r.properties = c.rules("properties")
	for p := range c.object("patternProperties") {
		if re := c.pattern("patternProperties", p); re != nil {
			r.patternProperties = append(r.patternProperties, propertyPattern{*re, c.sub("patternProperties", p)})
		}
	}
	r.additional, r.noMore = c.additional("additionalProperties")
	for p, d := range c.object("dependencies") {
		if _, ok := d.([]any); ok {
			if r.dependents == nil {
				r.dependents = map[string][]string{}
			}
			r.dependents[p] = c.names("dependencies", d)
			continue
		}
		if r.dependencies == nil {
			r.dependencies = map[string]*rule{}
		}
		r.dependencies[p] = c.sub("dependencies", p)
	}
	r.allOf, r.anyOf, r.oneOf = c.list("allOf"), c.list("anyOf"), c.list("oneOf")
	if _, ok := doc["not"]; ok {
		r.not = c.sub("not")
	}
	r.format, _ = doc["format"].(string)
	for _, in := range []string{"definitions"} { // compiled so that faults in them are found
		for d := range c.object(in) {
			c.sub(in, d)
		}
	}
	if c.err == nil {
		c.err = loop(r)
	}
	return c.err
}

// loop refuses a schema that comes back to itself without going down in the document.
func loop(r *rule) error {
	seen := map[*rule]bool{}
	var walk func(x *rule) bool
	walk = func(x *rule) bool {
		if x == nil {
			return false
		}
		if seen[x] {
			return x == r
		}
		seen[x] = true
		if slices.ContainsFunc(x.allOf, walk) || slices.ContainsFunc(x.anyOf, walk) || slices.ContainsFunc(x.oneOf, walk) || walk(x.not) {
			return true
		}
		for _, d := range x.dependencies {
			if walk(d) {
				return true
			}
		}
		return false
	}
	if walk(r) {
		return errors.New("JSON Reference loop")
	}
	return nil
}

type compiler struct {
	s             *Set
	doc           map[string]any
	name, pointer string
	level         int
	err           error
}

func (c *compiler) fail(keyword, want string) {
	if c.err == nil {
		c.err = fmt.Errorf("Invalid value for %q at %q: it must be %s", keyword, "#"+c.pointer, want)
	}
}

func (c *compiler) types() []string {
	var out []string
	switch t := c.doc["type"].(type) {
	case nil:
	case string:
		out = []string{t}
	case []any:
		out = c.names("type", t)
	default:
		c.fail("type", "a string or a list of strings")
	}
	for _, t := range out {
		if !slices.Contains([]string{"array", "boolean", "integer", "null", "number", "object", "string"}, t) {
			c.fail("type", "one of array, boolean, integer, null, number, object, string")
		}
	}
	return out
}

func (c *compiler) names(keyword string, v any) []string {
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		c.fail(keyword, "a list of strings with at least one element")
	}
	var out []string
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			c.fail(keyword, "a list of strings")
		}
		out = append(out, s)
	}
	return out
}

func (c *compiler) number(keyword string) *number {
	v, ok := c.doc[keyword]
	if !ok {
		return nil
	}
	n, ok := v.(json.Number)
	if !ok {
		c.fail(keyword, "a number")
		return nil
	}
	r := rational(n)
	if r == nil {
		c.fail(keyword, "a number of reasonable size")
		return nil
	}
	return &number{n.String(), r}
}

func (c *compiler) count(keyword string) *int {
	n := c.number(keyword)
	if n == nil {
		return nil
	}
	i, err := strconv.Atoi(n.text)
	if err != nil || i < 0 {
		c.fail(keyword, "a whole number of at least 0")
	}
	return &i
}

func (c *compiler) boolean(keyword string) bool {
	v, ok := c.doc[keyword]
	b, isBool := v.(bool)
	if ok && !isBool {
		c.fail(keyword, "a boolean")
	}
	return b
}

func (c *compiler) pattern(keyword string, v any) *pattern {
	s, ok := v.(string)
	if !ok {
		c.fail(keyword, "a string")
		return nil
	}
	re, err := regexp.Compile(s)
	if err != nil {
		c.fail(keyword, "a regular expression (without look-around and back references): "+err.Error())
		return nil
	}
	return &pattern{s, re}
}

func (c *compiler) object(keyword string) map[string]any {
	v, ok := c.doc[keyword]
	m, isMap := v.(map[string]any)
	if ok && !isMap {
		c.fail(keyword, "an object")
	}
	return m
}

// sub compiles the schema at a place below.
func (c *compiler) sub(path ...string) *rule {
	at := c.pointer
	for _, p := range path {
		at += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	r, err := c.s.at(c.name, at, c.level+1)
	if err != nil && c.err == nil {
		c.err = err
	}
	return r
}

func (c *compiler) rules(keyword string) map[string]*rule {
	out := map[string]*rule{}
	for p := range c.object(keyword) {
		out[p] = c.sub(keyword, p)
	}
	return out
}

func (c *compiler) list(keyword string) []*rule {
	v, ok := c.doc[keyword]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		c.fail(keyword, "a list with at least one schema")
	}
	var out []*rule
	for i := range list {
		out = append(out, c.sub(keyword, strconv.Itoa(i)))
	}
	return out
}

func (c *compiler) additional(keyword string) (*rule, bool) {
	switch v := c.doc[keyword].(type) {
	case nil:
		return nil, false
	case bool:
		return nil, !v
	}
	return c.sub(keyword), false
}

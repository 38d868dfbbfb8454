package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct{ schema, doc, want string }{
		{`{}`, `{"a":1}`, ""},
		{`{"type":"object","required":["b","a"]}`, `{}`, `object has missing required properties (["a","b"])`},
		{`{"type":"integer"}`, `"x"`, `instance type (string) does not match any allowed primitive type (allowed: ["integer"])`},
		{`{"type":["integer","null"]}`, `null`, ""},
		{`{"type":"number"}`, `5`, ""},
		{`{"type":"integer"}`, `1.0`, `instance type (number) does not match any allowed primitive type (allowed: ["integer"])`},
		{`{"enum":["cat","dog",1.0]}`, `"fish"`, `instance value ("fish") not found in enum (possible values: ["cat","dog",1.0])`},
		{`{"enum":[1.0]}`, `1`, ""},
		{`{"minimum":0}`, `-1`, `numeric instance is lower than the required minimum (minimum: 0, found: -1)`},
		{`{"maximum":5,"exclusiveMaximum":true}`, `5`, `numeric instance is not strictly lower than the required maximum 5`},
		{`{"maximum":5}`, `9007199254740993`, `numeric instance is greater than the required maximum (maximum: 5, found: 9007199254740993)`},
		{`{"multipleOf":0.1}`, `0.3`, ""},
		{`{"multipleOf":2}`, `3`, `remainder of division is not zero (3 / 2)`},
		{`{"maximum":5}`, `1e999999999`, `too large to be compared`},
		{`{"minLength":2,"maxLength":3}`, `"ä"`, `string "ä" is too short (length: 1, required minimum: 2)`},
		{`{"maxLength":3}`, `"abcd"`, `string "abcd" is too long (length: 4, maximum allowed: 3)`},
		{`{"pattern":"^a"}`, `"b"`, `ECMA 262 regex "^a" does not match input string "b"`},
		{`{"format":"email"}`, `"x"`, `string "x" is not a valid email address`},
		{`{"format":"date-time"}`, `"2020-01-01T00:00:00Z"`, ""},
		{`{"format":"other"}`, `"x"`, ""},
		{`{"items":{"type":"string"}}`, `[1]`, `instance type (integer)`},
		{`{"items":[{"type":"string"}],"additionalItems":false}`, `["a",1]`, `array is not allowed to have more than 1 elements but instance has 2 elements`},
		{`{"items":[{}],"additionalItems":{"type":"string"}}`, `["a",1]`, `instance type (integer)`},
		{`{"minItems":1}`, `[]`, `array is too short: must have at least 1 elements but instance has 0 elements`},
		{`{"uniqueItems":true}`, `[1,1.0]`, `array must not contain duplicate elements`},
		{`{"properties":{"a":{}},"additionalProperties":false}`, `{"a":1,"c":2,"b":2}`, `object instance has properties which are not allowed by the schema: ["b","c"]`},
		{`{"patternProperties":{"^x":{"type":"string"}},"additionalProperties":{"type":"integer"}}`, `{"x1":"a","y":1}`, ""},
		{`{"minProperties":1}`, `{}`, `object has too few properties (found 0 but schema requires at least 1)`},
		{`{"dependencies":{"a":["b"]}}`, `{"a":1}`, `property "a" of object has missing property dependencies (schema requires ["b"]; missing: ["b"])`},
		{`{"dependencies":{"a":{"required":["b"]}}}`, `{"a":1}`, `object has missing required properties (["b"])`},
		{`{"anyOf":[{"type":"string"},{"type":"null"}]}`, `1`, `instance failed to match at least one required schema among 2`},
		{`{"oneOf":[{"type":"number"},{"type":"integer"}]}`, `1`, `instance failed to match exactly one schema (matched 2 out of 2)`},
		{`{"not":{"type":"string"}}`, `"a"`, `instance matched a schema which it should not have`},
		{`{"definitions":{"n":{"type":"object","properties":{"next":{"$ref":"#/definitions/n"},"v":{"type":"string"}}}},"$ref":"#/definitions/n"}`, `{"next":{"next":{"v":1}}}`, `instance type (integer)`},
	} {
		s, err := Compile([]byte(c.schema))
		if err != nil {
			t.Errorf("%s: %v", c.schema, err)
			continue
		}
		doc, err := Decode([]byte(c.doc))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(s.Validate(doc), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s of %s: %q, want %q", c.doc, c.schema, got, c.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{`[]`, "must be an object"},
		{`{`, "unexpected"},
		{`{"type":"text"}`, `"type"`},
		{`{"$ref":"http://169.254.169.254/latest"}`, "not supported"},
		{`{"properties":{"a":{"$ref":"file:///etc/passwd#/x"}}}`, "not supported"},
		{`{"$ref":"#/nowhere"}`, "cannot be resolved"},
		{`{"$ref":"#"}`, "itself"},
		{`{"allOf":[{"$ref":"#/allOf/0"}]}`, "itself"},
		{`{"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}},"$ref":"#/definitions/a"}`, "loop"},
		{`{"pattern":"(?=x)"}`, "regular expression"},
		{`{"required":[]}`, "at least one"},
		{`{"minLength":-1}`, "at least 0"},
		{`{"anyOf":{}}`, "anyOf"},
		{strings.Repeat(`{"not":`, 300) + `{}` + strings.Repeat(`}`, 300), "nested"},
	} {
		_, err := Compile([]byte(c.schema))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: %v, want %q", c.schema, err, c.want)
		}
	}
}

func TestModelsReferToEachOther(t *testing.T) {
	set := NewSet()
	set.Add("Pet", []byte(`{"type":"object","properties":{"owner":{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/Owner"}}}`))
	set.Add("Owner", []byte(`{"type":"object","required":["name"],"properties":{"pets":{"type":"array","items":{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/Pet"}}}}`))
	s, err := set.Compile("Pet")
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := Decode([]byte(`{"owner":{"name":"a","pets":[{"owner":{}}]}}`))
	if got := s.Validate(doc); !slices.Equal(got, []string{`object has missing required properties (["name"])`}) {
		t.Error(got)
	}
	set.Add("X", []byte(`{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/Gone"}`))
	if _, err := set.Compile("X"); err == nil {
		t.Error("a model that is not there was found")
	}
}

// TestAlternativesExplode: nested alternatives that would take 2^n steps end early.
func TestAlternativesExplode(t *testing.T) {
	src := `{"definitions":{"d0":{"type":"string"}`
	for i := range 40 {
		src += fmt.Sprintf(`,"d%d":{"anyOf":[{"$ref":"#/definitions/d%[2]d"},{"$ref":"#/definitions/d%[2]d"}]}`, i+1, i)
	}
	s, err := Compile([]byte(src + `},"$ref":"#/definitions/d40"}`))
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := Decode([]byte(`1`))
	if len(s.Validate(doc)) == 0 {
		t.Error("1 fits")
	}
}

func FuzzSchema(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#/definitions/b"}},"definitions":{"b":{"oneOf":[{"type":"string"},{"enum":[1,null]}]}}}`, `{"a":1}`)
	f.Add(`{"$ref":"#"}`, `1e5`)
	f.Fuzz(func(t *testing.T, schema, doc string) {
		s, err := Compile([]byte(schema))
		if err != nil {
			return
		}
		v, err := Decode([]byte(doc))
		if err != nil {
			return
		}
		s.Validate(v)
	})
}

// TestBounds validates what would take for ever, or exhaust the stack.
func TestBounds(t *testing.T) {
	long := strings.Repeat("x", 50)
	deep := strings.Repeat(`{"u":[`, 90) + `"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat("]}", 90)
	for _, tt := range []struct {
		name, schema, doc string
		fits              bool
	}{
		{"enum", `{"items":{"enum":[` + strings.TrimSuffix(strings.Repeat(`"`+long+`",`, 50), ",") + `]}}`, "[" + strings.TrimSuffix(strings.Repeat(`"y",`, 200_000), ",") + "]", false},
		{"unique", `{"uniqueItems":true}`, numbers(200_000), true},
		{"unique, all the way down", `{"properties":{"u":{"uniqueItems":true,"items":{"$ref":"#"}}}}`, deep, false},
		{"its own alternative", `{"allOf":[{"$ref":"#"}]}`, `1`, false},
		{"its own negation", `{"not":{"$ref":"#"}}`, `1`, false},
		{"its own alternatives", `{"anyOf":[{"$ref":"#"},{"$ref":"#"}],"oneOf":[{"$ref":"#"},{"$ref":"#"}]}`, `{}`, false},
		{"given up within a negation", `{"not":{"items":{"allOf":[{},{},{}]}}}`, "[" + strings.TrimSuffix(strings.Repeat("1,", 400_000), ",") + "]", false},
		{"numbers", `{"enum":[1, -0, 2.50]}`, `1.0`, true},
		{"minus nothing", `{"enum":[0]}`, `-0`, true},
		{"a fraction", `{"enum":[2.50]}`, `25e-1`, true},
	} {
		s, err := Compile([]byte(tt.schema))
		if err != nil && !tt.fits { // what refers to itself at once is no schema
			continue
		}
		if err != nil {
			t.Fatal(tt.name, err)
		}
		doc, err := Decode([]byte(tt.doc))
		if err != nil {
			t.Fatal(tt.name, err)
		}
		began := time.Now()
		wrong := s.Validate(doc)
		if (wrong == nil) != tt.fits {
			t.Errorf("%s: %.200v", tt.name, wrong)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %s", tt.name, took)
		}
	}
}

func numbers(n int) string {
	b := []byte{'['}
	for i := range n {
		b = append(strconv.AppendInt(b, int64(i), 10), ',')
	}
	b[len(b)-1] = ']'
	return string(b)
}

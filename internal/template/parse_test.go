package template

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const oneResource = "Resources: {R: {Type: 'AWS::S3::Bucket'}}\n"

func TestParseErrors(t *testing.T) {
	tests := []struct {
		name, text string
		want       string // the message
		line, col  int    // 0: any
	}{
		{"empty", "  \n", "Template format error: unsupported structure.", 0, 0},
		{"a list", "[1]", "Template format error: unsupported structure.", 1, 1},
		{"a scalar", "hello", "Template format error: unsupported structure.", 1, 1},
		{"two documents", "a: 1\n---\nb: 2\n", "Template format error: YAML not well-formed. (line 1, column 1)", 0, 0},
		{"not UTF-8", "a: \xff\n", "Template format error: unsupported structure.", 0, 0},
		{"JSON: NUL", `{"Outputs":{"O":{"Export":{"Name":"a\u0000"}}}}`, "Template format error: unsupported structure.", 1, 35},
		{"JSON: NUL in a key", `{"Resources":{"\u0000":1}}`, "Template format error: unsupported structure.", 1, 15},
		{"YAML: NUL", "Description: \"a\\0\"\n", "Template format error: unsupported structure.", 1, 14},
		{"JSON: comma", "{\n \"Resources\": {},\n}", "Template format error: JSON not well-formed. (line 3, column 1)", 3, 1},
		{"JSON: end", "{\"Resources\":", "Template format error: JSON not well-formed. (line 1, column 14)", 1, 14},
		{"JSON: more", "{} {}", "Template format error: JSON not well-formed. (line 1, column 4)", 1, 4},
		{"JSON: a key twice", "{\"Resources\": {\"A\": {},\n\"A\": {}}}", "Template format error: JSON not well-formed. (line 2, column 1)", 2, 1},
		{"JSON: bad escape", `{"a":"\x"}`, "Template format error: JSON not well-formed. (line 1, column 6)", 1, 6},
		{"YAML: a key twice", "Resources:\n  A: {}\n  A: {}\n", "Template format error: YAML not well-formed. (line 3, column 3)", 3, 3},
		{"YAML: indentation", "Resources:\n  A: x\n B: y\n", "Template format error: YAML not well-formed. (line 3, column 2)", 0, 0},
		{"YAML: unknown tag", "Resources: !Foo x\n", "Template format error: YAML not well-formed. (line 1, column 12)", 1, 12},
		{"YAML: binary", "Resources: !!binary aGk=\n", "Template format error: YAML not well-formed. (line 1, column 12)", 1, 12},
		{"YAML: alias", "A: &a {}\nB: *a\n", "Template error: YAML aliases are not allowed in CloudFormation templates", 2, 4},
		{"YAML: merge", "A:\n  <<: {}\n", "Template format error: YAML not well-formed. (line 2, column 3)", 2, 3},
		{"unknown section", oneResource + "Outptus: {}\nFoo: {}\n", "Invalid template property or properties [Outptus, Foo]", 2, 1},
		{"version", oneResource + "AWSTemplateFormatVersion: 2010-09-10\n", "Template format error: unsupported value for AWSTemplateFormatVersion.", 0, 0},
		{"long description", oneResource + "Description: " + strings.Repeat("x", 1025), "Template format error: 'Description' length is greater than 1024.", 0, 0},
		{"no resources", "Description: x\n", "Template format error: At least one Resources member must be defined.", 0, 0},
		{"empty resources", "Resources: {}\n", "Template format error: At least one Resources member must be defined.", 0, 0},
		{"null", "Resources:\n  R:\n    Type: AWS::S3::Bucket\n    Properties:\n", "Template format error: [/Resources/R/Properties] 'null' values are not allowed in templates", 0, 0},
		{"null deep", `{"Resources":{"R":{"Type":"T","Properties":{"A":[{"B":null}]}}}}`, "Template format error: [/Resources/R/Properties/A/B] 'null' values are not allowed in templates", 1, 55},
		{"logical id", "Resources: {my-bucket: {Type: T}}", "Template format error: Resource name my-bucket is non alphanumeric.", 1, 13},
		{"no type", "Resources: {R: {}}", "Template format error: [/Resources/R] Every Resources object must contain a Type member.", 0, 0},
		{"attribute", "Resources: {R: {Type: T, Propertys: {}}}", "Invalid template resource property 'Propertys'", 1, 26},
		{"depends on a function", "Resources: {R: {Type: T, DependsOn: !If [A, B, C]}}", "Template format error: Every DependsOn value must be a string.", 0, 0},
		{"deletion policy", "Resources: {R: {Type: T, DeletionPolicy: Keep}}", "Template format error: Unrecognized DeletionPolicy Keep for resource R", 0, 0},
		{"depends on nothing", "Resources: {R: {Type: T, DependsOn: [A, B]}}", "Template format error: Unresolved resource dependencies [A, B] in the Resources block of the template", 0, 0},
		{"Ref to nothing", "Resources:\n  R:\n    Type: T\n    Properties:\n      A: !Ref Nope\n      B: !Sub '${Also}'\n", "Template format error: Unresolved resource dependencies [Nope, Also] in the Resources block of the template", 5, 10},
		{"output to nothing", oneResource + "Outputs: {O: {Value: !Ref Nope}}", "Template format error: Unresolved resource dependencies [Nope] in the Outputs block of the template", 0, 0},
		{"unknown pseudo", "Resources: {R: {Type: T, Properties: {A: !Ref 'AWS::Nope'}}}", "Template format error: Unresolved resource dependencies [AWS::Nope] in the Resources block of the template", 0, 0},
		{"GetAtt to nothing", "Resources: {R: {Type: T, Properties: {A: !GetAtt X.Arn}}}", "Template error: instance of Fn::GetAtt references undefined resource X", 0, 0},
		{"GetAtt of a parameter", "Parameters: {P: {Type: String}}\nResources: {R: {Type: T, Properties: {A: !GetAtt P.Arn}}}", "Template error: instance of Fn::GetAtt references undefined resource P", 0, 0},
		{"Sub of an attribute of nothing", "Resources: {R: {Type: T, Properties: {A: !Sub '${X.Arn}'}}}", "Template error: instance of Fn::Sub references invalid resource attribute X.Arn", 0, 0},
		{"condition of a resource", "Resources: {R: {Type: T, Condition: C}}", "Template format error: Unresolved condition dependency C in the Resources block of the template", 0, 0},
		{"condition in If", "Resources: {R: {Type: T, Properties: {A: !If [C, 1, 2]}}}", "Template error: unresolved condition dependency C in Fn::If", 0, 0},
		{"If on a function", "Resources: {R: {Type: T, Properties: {A: !If [!Ref C, 1, 2]}}}", "Template error: Fn::If requires a list argument with the first element being a condition", 0, 0},
		{"condition on a resource", "Conditions: {C: !Equals [!Ref R, a]}\n" + oneResource, "Template format error: Unresolved dependencies [R]. Cannot reference resources in the Conditions block of the template", 0, 0},
		{"condition that is text", "Conditions: {C: yes it is}\n" + oneResource, "Template format error: Every Conditions member must be a condition function", 0, 0},
		{"conditions in a ring", "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition C]\n  C: !And [!Condition A, !Condition A]\n" + oneResource, "Template format error: Circular dependency between conditions: [A, B, C]", 0, 0},
		{"import in a condition", "Conditions: {C: !Equals [!ImportValue x, a]}\n" + oneResource, "Template error: Cannot use Fn::ImportValue in Conditions.", 0, 0},
		{"ring", "Resources:\n  A: {Type: T, DependsOn: B}\n  B: {Type: T, Properties: {X: !Ref C}}\n  C: {Type: T, Properties: {X: !GetAtt A.Arn}}\n  D: {Type: T, DependsOn: A}\n", "Circular dependency between resources: [A, B, C]", 2, 6},
		{"itself", "Resources: {A: {Type: T, Properties: {X: !Ref A}}}", "Circular dependency between resources: [A]", 0, 0},
		{"output without value", oneResource + "Outputs: {O: {Description: x}}", "Template format error: Every Outputs member must contain a Value object", 0, 0},
		{"output that is a list", oneResource + "Outputs: {O: {Value: [a]}}", "Template format error: The Value field of every Outputs member must evaluate to a String.", 0, 0},
		{"export without a name", oneResource + "Outputs: {O: {Value: a, Export: {}}}", "Template format error: Output O is malformed. The Name field of every Export member must be specified.", 0, 0},
		{"parameter without type", "Parameters: {P: {Default: x}}\n" + oneResource, "Template format error: Every Parameters object must contain a Type member.", 0, 0},
		{"parameter type", "Parameters: {P: {Type: Strng}}\n" + oneResource, "Template format error: Unrecognized parameter type: Strng", 0, 0},
		{"parameter property", "Parameters: {P: {Type: String, Defualt: x}}\n" + oneResource, "Invalid template parameter property 'Defualt'", 0, 0},
		{"parameter default", "Parameters: {P: {Type: String, Default: [x]}}\n" + oneResource, "Template format error: Every Default member must be a string.", 0, 0},
		{"mapping", "Mappings: {M: {a: {b: {c: d}}}}\n" + oneResource, "Template format error: Every Mappings attribute must be a String or a List.", 0, 0},
		{"mapping that is not there", "Resources: {R: {Type: T, Properties: {A: !FindInMap [M, a, b]}}}", "Template error: Mapping named 'M' is not present in the 'Mappings' section of template.", 0, 0},
		{"unknown function", "Resources: {R: {Type: T, Properties: {A: {'Fn::Upper': x}}}}", "Template error: Encountered unsupported function: Fn::Upper Supported functions are: [" + supported + "]", 0, 0},
		{"extension without the transform", "Resources: {R: {Type: T, Properties: {A: {'Fn::Length': [x]}}}}", "Template error: Encountered unsupported function: Fn::Length Supported functions are: [" + supported + "]", 0, 0},
		{"function beside others", "Resources: {R: {Type: T, Properties: {A: {'Fn::Join': ['', []], B: x}}}}", "Template error: a map with the function Fn::Join must have no other keys", 0, 0},
		{"Ref of a list", "Resources: {R: {Type: T, Properties: {A: !Ref [x]}}}", msgRef, 0, 0},
		{"GetAtt without attribute", "Resources: {R: {Type: T, Properties: {A: !GetAtt R}}}", msgGetAttOne, 0, 0},
		{"GetAtt of three", `{"Resources":{"R":{"Type":"T","Properties":{"A":{"Fn::GetAtt":["R","a","b"]}}}}}`, msgGetAtt, 0, 0},
		{"Join of text", "Resources: {R: {Type: T, Properties: {A: !Join [',', abc]}}}", msgJoin, 0, 0},
		{"Sub of a map", "Resources: {R: {Type: T, Properties: {A: !Sub {a: b}}}}", msgSub, 0, 0},
		{"Sub with a strange name", "Resources: {R: {Type: T, Properties: {A: !Sub '${a-b}'}}}", "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons", 0, 0},
		{"Select of one", "Resources: {R: {Type: T, Properties: {A: !Select [0]}}}", msgSelect, 0, 0},
		{"Split of a list", "Resources: {R: {Type: T, Properties: {A: !Split [',', [a]]}}}", msgSplit, 0, 0},
		{"Equals of three", "Conditions: {C: !Equals [a, b, c]}\n" + oneResource, msgEquals, 0, 0},
		{"And of one", "Conditions: {C: !And [!Equals [a, b]]}\n" + oneResource, fmt.Sprintf(msgAndOr, "Fn::And"), 0, 0},
		{"Not of two", "Conditions: {C: !Not [!Equals [a, b], !Equals [a, b]]}\n" + oneResource, msgNot, 0, 0},
		{"import that depends on a resource", "Resources: {R: {Type: T}, S: {Type: T, Properties: {A: {'Fn::ImportValue': !Sub '${R}-x'}}}}", "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs", 0, 0},
		{"too large", strings.Repeat(" ", MaxSize+1), "Template may not exceed 1048576 bytes in size.", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.text))
			e, ok := err.(*Error)
			if !ok {
				t.Fatalf("error is %v", err)
			}
			if e.Message != tt.want {
				t.Errorf("got  %s\nwant %s", e.Message, tt.want)
			}
			if tt.line > 0 && (e.Line != tt.line || e.Column != tt.col) {
				t.Errorf("at %d:%d, want %d:%d", e.Line, e.Column, tt.line, tt.col)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	many := func(n int, entry string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "  E%d: %s\n", i, entry)
		}
		return b.String()
	}
	tests := []struct{ text, want string }{
		{"Resources:\n" + many(501, "{Type: T}"), "Template format error: Number of resources, 501, is greater than maximum allowed, 500"},
		{"Parameters:\n" + many(201, "{Type: String}") + oneResource, "Template format error: Number of parameters, 201, is greater than maximum allowed, 200"},
		{oneResource + "Outputs:\n" + many(201, "{Value: x}"), "Template format error: Number of outputs, 201, is greater than maximum allowed, 200"},
		{"Resources:\n" + many(500, "{Type: T}"), ""},
	}
	for _, tt := range tests {
		_, err := Parse([]byte(tt.text))
		if got := fmt.Sprint(err); got != tt.want && (tt.want != "" || err != nil) && !strings.HasPrefix(got, tt.want+" (line") {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// TestBombs are texts that are small and ask for much.
func TestBombs(t *testing.T) {
	var aliases strings.Builder
	aliases.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&aliases, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d , ", i-1), 10), ", "))
	}
	loop := "Transform: AWS::LanguageExtensions\nResources:\n"
	var values []string
	for i := range 500 {
		values = append(values, fmt.Sprint("v", i))
	}
	for i, pad := range []string{"  ", "      ", "          ", "              "} {
		loop += fmt.Sprintf("%sFn::ForEach::L%d:\n%s  - V%d\n%s  - [%s]\n%s  -\n", pad, i, pad, i, pad, strings.Join(values, ", "), pad)
	}
	loop += strings.Repeat(" ", 18) + "R${V0}${V1}${V2}${V3}: {Type: T}\n"
	split := "Resources: {R: {Type: T, Properties: {A: !Split [',', !Sub '" + strings.Repeat("${P}", 20000) + "']}}}\nParameters: {P: {Type: String, Default: '" + strings.Repeat(",", 4000) + "'}}"
	for name, text := range map[string]string{
		"aliases": aliases.String(), "an alias of itself": "a: &a [*a]\n",
		"depth": strings.Repeat("[", 200_000), "YAML depth": "a: " + strings.Repeat("[", 9000), "JSON depth": `{"a":` + strings.Repeat("[", 200_000),
		"map depth": strings.Repeat(`{"a":`, 100_000), "loops": loop, "split": split,
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			tpl, err := ParseWith([]byte(text), Options{Aliases: true})
			if err == nil {
				var params Params
				if params, err = tpl.ResolveParameters(nil, nil); err == nil {
					if tpl, err = tpl.Expand(params, testPseudo); err == nil {
						_, err = NewEval(tpl, params, testPseudo, fake{}).Properties(tpl.Resources[0])
					}
				}
			}
			if err == nil {
				t.Error("passed")
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
			t.Log(name, time.Since(start), err)
		})
	}
}

func TestAliasesAllowed(t *testing.T) {
	n, err := ParseNode([]byte("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\ncopy: *b\nboth:\n  <<: [*b, {z: 4}]\n"), Options{Aliases: true})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(n)
	want := `{"base":{"x":1,"y":2},"use":{"y":3,"x":1},"copy":{"x":1,"y":2},"both":{"x":1,"y":2,"z":4}}`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
}

// TestScalars: what a scalar of YAML or JSON becomes, as JSON.
func TestScalars(t *testing.T) {
	tests := []struct{ text, want string }{
		{"1.10", "1.10"}, {"'1.10'", `"1.10"`}, {"100000000000000000000000001", "100000000000000000000000001"},
		{"012345678901", `"012345678901"`}, {"0x1F", `"0x1F"`}, {"1_000", `"1_000"`}, {"1e3", "1e3"}, {"-0.5", "-0.5"},
		{".5", `".5"`}, {".inf", `".inf"`}, {"true", "true"}, {"True", "true"}, {"yes", `"yes"`}, {"on", `"on"`},
		{"2012-10-17", `"2012-10-17"`}, {"2001-12-14t21:59:43Z", `"2001-12-14t21:59:43Z"`}, {"!!str 5", `"5"`},
		{"!Ref A", `{"Ref":"A"}`}, {"!GetAtt A.B.C", `{"Fn::GetAtt":["A","B.C"]}`}, {"!GetAtt [A, B]", `{"Fn::GetAtt":["A","B"]}`},
		{"!Sub ['${x}', {x: !Ref A}]", `{"Fn::Sub":["${x}",{"x":{"Ref":"A"}}]}`}, {"!GetAZs ''", `{"Fn::GetAZs":""}`}, {"!Base64 12", `{"Fn::Base64":"12"}`},
		{"!Condition C", `{"Condition":"C"}`}, {"{'Fn::Join': [a, !Ref B]}", `{"Fn::Join":["a",{"Ref":"B"}]}`},
		{"|\n  two\n  lines\n", `"two\nlines\n"`}, {">-\n  folded\n  text\n", `"folded text"`},
	}
	for _, tt := range tests {
		n, err := ParseNode([]byte("v: "+tt.text), Options{})
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got, _ := json.Marshal(n.Get("v")); string(got) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
	n, err := ParseNode([]byte(`{"n": 1.10, "big": 123456789012345678901234567890, "s": "\u00e9\n", "b": false, "l": [1, "x"]}`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(n); string(got) != `{"n":1.10,"big":123456789012345678901234567890,"s":"é\n","b":false,"l":[1,"x"]}` {
		t.Errorf("got %s", got)
	}
	if n.Get("big").Line != 1 || n.Get("big").Column != 20 {
		t.Errorf("big stands at %d:%d", n.Get("big").Line, n.Get("big").Column)
	}
}

// TestYAMLInBraces: YAML may begin like JSON.
func TestYAMLInBraces(t *testing.T) {
	if _, err := Parse([]byte("{Resources: {R: {Type: T}}}")); err != nil {
		t.Error(err)
	}
	if _, err := Parse([]byte("{\"Resources\": {\"R\": {\"Type\": !Sub x}}}")); err == nil || strings.Contains(err.Error(), "JSON") {
		t.Errorf("got %v", err)
	}
}

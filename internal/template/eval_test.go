package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// resolver knows a few resources by what Ref and GetAtt return for them.
type resolver struct {
	values  map[string]any // "Logical" or "Logical.Attr"
	imports map[string]any
}

func (r resolver) Ref(id string) (any, error) {
	if v, ok := r.values[id]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("%s does not exist yet", id)
}

func (r resolver) GetAtt(id, attr string) (any, error) { return r.Ref(id + "." + attr) }

func (r resolver) ImportValue(name string) (any, error) {
	if v, ok := r.imports[name]; ok {
		return v, nil
	}
	return nil, &Error{Message: fmt.Sprintf("No export named %s found.", name)}
}

// dynamic adds dynamic references.
type dynamic struct{ resolver }

func (dynamic) Dynamic(service, ref string) (string, error) {
	if service != "ssm" {
		return "", errors.New("no such service")
	}
	return "<" + ref + ">", nil
}

func (dynamic) StackOutput(stack, region, output string) (any, error) {
	return stack + "|" + region + "|" + output, nil
}

// frame is a template around the expression in %s, with everything that the examples name.
const frame = `
Transform: %s
Parameters:
  Env: {Type: String, Default: test}
  Empty: {Type: String, Default: ''}
  Count: {Type: Number, Default: 1.50}
  DbSubnetIpBlocks: {Type: CommaDelimitedList, Default: '10.0.48.0/24, 10.0.112.0/24, 10.0.176.0/24'}
  NoList: {Type: CommaDelimitedList, Default: ''}
Mappings:
  RegionMap:
    us-east-1: {HVM64: ami-0ff8a91507f77f867, Names: [a, b], Yes: true}
    us-west-1: {HVM64: ami-0bdb828fd58c52235}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsTest: !Equals [!Ref Env, test]
  Both: !And [!Condition IsProd, !Condition IsTest]
  Either: !Or [!Condition IsProd, !Condition IsTest]
  NotProd: !Not [!Condition IsProd]
  Nested: !Equals [!If [IsTest, a, b], a]
Resources:
  Bucket: {Type: 'AWS::S3::Bucket'}
  New: {Type: 'AWS::S3::Bucket'}
  R:
    Type: T
    Properties:
      V: %s
`

func evalExpr(t *testing.T, expr, transform string, r Resolver) (any, error) {
	t.Helper()
	if strings.HasPrefix(expr, "'Fn::") {
		expr = "{" + expr + "}"
	}
	tpl, err := Parse(fmt.Appendf(nil, frame, transform, expr))
	if err != nil {
		return nil, err
	}
	params, err := tpl.ResolveParameters(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if tpl, err = tpl.Expand(params, testPseudo); err != nil {
		return nil, err
	}
	p := testPseudo
	p.NotificationARNs = []string{"arn:1", "arn:2"}
	props, err := NewEval(tpl, params, p, r).Properties(tpl.Resource("R"))
	if err != nil {
		return nil, err
	}
	v, ok := props["V"]
	if !ok {
		return "(absent)", nil
	}
	return v, nil
}

// TestFunctions has the examples of the User Guide's pages on the intrinsic functions and what lies at
// their edges. Expected values are JSON; an expectation that begins with "error: " is a message.
func TestFunctions(t *testing.T) {
	tests := []struct{ name, expr, want string }{
		{"Ref parameter", "!Ref Env", `"test"`},
		{"Ref number keeps its text", "!Ref Count", `"1.50"`},
		{"Ref list", "!Ref DbSubnetIpBlocks", `["10.0.48.0/24","10.0.112.0/24","10.0.176.0/24"]`},
		{"Ref empty list", "!Ref NoList", `[]`},
		{"Ref resource", "!Ref Bucket", `"my-bucket"`},
		{"Ref pseudo", "[!Ref AWS::Region, !Ref AWS::AccountId, !Ref AWS::Partition, !Ref AWS::URLSuffix, !Ref AWS::StackName]", `["us-east-1","000000000000","aws","amazonaws.com","demo"]`},
		{"Ref NotificationARNs", "!Ref AWS::NotificationARNs", `["arn:1","arn:2"]`},
		{"NoValue of a property", "!Ref AWS::NoValue", `"(absent)"`},
		{"NoValue within", "{a: 1, b: !Ref 'AWS::NoValue', c: [x, !Ref 'AWS::NoValue', y]}", `{"a":1,"c":["x","y"]}`},

		{"GetAtt", "!GetAtt Bucket.Arn", `"arn:aws:s3:::my-bucket"`},
		{"GetAtt dotted", "!GetAtt Bucket.Endpoint.Address", `"host"`},
		{"GetAtt computed attribute", "'Fn::GetAtt': [Bucket, !Sub 'A${Empty}rn']", `"arn:aws:s3:::my-bucket"`},
		{"GetAtt list", "!Join [',', !GetAtt Bucket.Names]", `"n1,n2"`},

		{"Join", "!Join [':', [a, b, c]]", `"a:b:c"`},
		{"Join of an ARN", "!Join ['', ['arn:', !Ref AWS::Partition, ':s3:::elasticbeanstalk-*-', !Ref AWS::AccountId]]", `"arn:aws:s3:::elasticbeanstalk-*-000000000000"`},
		{"Join numbers and booleans", "!Join ['-', [1, 1.10, true, x]]", `"1-1.10-true-x"`},
		{"Join a list parameter", "!Join [', ', !Ref DbSubnetIpBlocks]", `"10.0.48.0/24, 10.0.112.0/24, 10.0.176.0/24"`},
		{"Join leaves NoValue out", "!Join ['-', [a, !Ref 'AWS::NoValue', b]]", `"a-b"`},
		{"Join nothing", "!Join ['-', []]", `""`},
		{"Join a list in a list", "!Join ['-', [a, [b]]]", "error: " + msgJoin},

		{"Split", "!Split ['|', 'a|b|c']", `["a","b","c"]`},
		{"Split at the ends", "!Split ['|', '|a||b|']", `["","a","","b",""]`},
		{"Split and Select", "!Select [2, !Split [',', !Join [',', !Ref DbSubnetIpBlocks]]]", `"10.0.176.0/24"`},
		{"Split by nothing", "!Split ['', 'abc']", "error: " + msgSplit},

		{"Select", "!Select ['1', [apples, grapes, oranges, mangoes]]", `"grapes"`},
		{"Select from a parameter", "!Select [0, !Ref DbSubnetIpBlocks]", `"10.0.48.0/24"`},
		{"Select beyond", "!Select [3, [a]]", "error: Template error: Fn::Select cannot select nonexistent value at index 3"},
		{"Select before", "!Select [-1, [a]]", "error: Template error: Fn::Select cannot select nonexistent value at index -1"},
		{"Select by a word", "!Select [first, [a]]", "error: " + msgSelect},
		{"Select a map", "!Select [0, [{a: b}]]", `{"a":"b"}`},

		{"Sub", "!Sub 'arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:vpc/${Bucket}'", `"arn:aws:ec2:us-east-1:000000000000:vpc/my-bucket"`},
		{"Sub with a map", "!Sub ['www.${Domain}.${Env}', {Domain: !Ref AWS::StackName}]", `"www.demo.test"`},
		{"Sub attribute", "!Sub '${Bucket.Arn}/*'", `"arn:aws:s3:::my-bucket/*"`},
		{"Sub attribute dotted", "!Sub '${Bucket.Endpoint.Address}'", `"host"`},
		{"Sub literal", "!Sub 'Hello ${!World} ${Env}'", `"Hello ${World} test"`},
		{"Sub literal twice", "!Sub '${!A}${!B}'", `"${A}${B}"`},
		{"Sub dollars", "!Sub '$ $$ ${Env}$ {x} $x'", `"$ $$ test$ {x} $x"`},
		{"Sub unclosed", "!Sub '${Env} ${'", `"test ${"`},
		{"Sub variable in the map before parameter", "!Sub ['${Env}', {Env: mine}]", `"mine"`},
		{"Sub a list", "!Sub '${DbSubnetIpBlocks}'", "error: Template error: variable DbSubnetIpBlocks in Fn::Sub expression does not resolve to a string"},
		{"Sub number", "!Sub ['${n}', {n: 1.10}]", `"1.10"`},

		{"If", "!If [IsTest, yes-it-is, no]", `"yes-it-is"`},
		{"If not", "!If [IsProd, [a], {b: !Ref Env}]", `{"b":"test"}`},
		{"If NoValue", "!If [IsProd, x, !Ref 'AWS::NoValue']", `"(absent)"`},
		{"If in a list", "[a, !If [IsProd, b, !Ref 'AWS::NoValue']]", `["a"]`},
		{"If does not evaluate the other branch", "!If [IsProd, !Select [9, [a]], ok]", `"ok"`},
		{"conditions", "[!If [Both, 1, 0], !If [Either, 1, 0], !If [NotProd, 1, 0], !If [Nested, 1, 0]]", `[0,1,1,1]`},

		{"FindInMap", "!FindInMap [RegionMap, !Ref AWS::Region, HVM64]", `"ami-0ff8a91507f77f867"`},
		{"FindInMap list", "!Select [1, !FindInMap [RegionMap, us-east-1, Names]]", `"b"`},
		{"FindInMap missing", "!FindInMap [RegionMap, eu-west-1, HVM64]", "error: Template error: Unable to get mapping for RegionMap::eu-west-1::HVM64"},

		{"Base64", "!Base64 AWS CloudFormation", `"QVdTIENsb3VkRm9ybWF0aW9u"`},
		{"Base64 of Sub", "'Fn::Base64': !Sub '${Env}'", `"dGVzdA=="`},
		{"Base64 of a list", "'Fn::Base64': !Ref DbSubnetIpBlocks", "error: " + msgBase64},

		{"Cidr", "!Cidr ['192.168.0.0/24', '6', '5']", `["192.168.0.0/27","192.168.0.32/27","192.168.0.64/27","192.168.0.96/27","192.168.0.128/27","192.168.0.160/27"]`},
		{"Cidr without bits", "!Cidr ['10.0.0.0/16', 2]", `["10.0.0.0/24","10.0.1.0/24"]`},
		{"Cidr v6", "!Select [1, !Cidr ['2001:db8::/56', 256, 64]]", `"2001:db8:0:1::/64"`},
		{"Cidr too many", "!Cidr ['10.0.0.0/24', 3, 7]", "error: Template error: Fn::Cidr: 10.0.0.0/24 can not be split into 3 blocks of 7 bits"},
		{"Cidr of nothing", "!Cidr [nonsense, 3, 7]", "error: Template error: Fn::Cidr: nonsense is not a valid IP block"},
		{"Cidr count", "!Cidr ['10.0.0.0/8', 257, 7]", "error: Template error: Fn::Cidr: the count must be between 1 and 256"},

		{"GetAZs", "!GetAZs ''", `["us-east-1a","us-east-1b","us-east-1c"]`},
		{"GetAZs of the region", "!Select [0, !GetAZs {Ref: 'AWS::Region'}]", `"us-east-1a"`},
		{"GetAZs elsewhere", "!GetAZs eu-west-1", `[]`},

		{"ImportValue", "!ImportValue net-vpc", `"vpc-1"`},
		{"ImportValue of Sub", "'Fn::ImportValue': !Sub 'net-${Empty}vpc'", `"vpc-1"`},
		{"ImportValue missing", "!ImportValue nope", "error: No export named nope found."},
		{"GetStackOutput", "'Fn::GetStackOutput': {StackName: net, Region: eu-west-1, OutputName: Vpc}", `"net|eu-west-1|Vpc"`},
		{"GetStackOutput here", "'Fn::GetStackOutput': {StackName: !Sub 'n${Env}', OutputName: Vpc}", `"ntest||Vpc"`},
		{"GetStackOutput without a name", "'Fn::GetStackOutput': {StackName: net}", "error: " + msgOutput},

		{"dynamic reference", "'x{{resolve:ssm:/a/b:1}}y{{resolve:ssm:c}}'", `"x</a/b:1>y<c>"`},
		{"dynamic reference put together", "!Sub '{{resolve:ssm:${Env}}}'", `"<test>"`},
		{"dynamic reference cut", "'{{resolve:ssm'", "error: Template error: Incorrect format is used in the following dynamic reference: [{{resolve:ssm]"},

		{"literals", "{s: text, n: 5, f: 1.10, b: true, l: [1, a], Condition: {StringEquals: {a: b}}}", `{"s":"text","n":5,"f":1.10,"b":true,"l":[1,"a"],"Condition":{"StringEquals":{"a":"b"}}}`},
	}
	r := dynamic{resolver{
		values: map[string]any{
			"Bucket": "my-bucket", "Bucket.Arn": "arn:aws:s3:::my-bucket", "Bucket.Endpoint.Address": "host",
			"Bucket.Names": []any{"n1", "n2"},
		},
		imports: map[string]any{"net-vpc": "vpc-1"},
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := evalExpr(t, tt.expr, "[]", r)
			check(t, v, err, tt.want)
		})
	}
}

func check(t *testing.T, v any, err error, want string) {
	t.Helper()
	if msg, ok := strings.CutPrefix(want, "error: "); ok {
		var te *Error
		if !errors.As(err, &te) || te.Message != msg {
			t.Errorf("got %v, %v\nwant %s", v, err, msg)
		} else if te.Line == 0 {
			t.Error("the error has no place")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(v)
	var a, b any
	_ = json.Unmarshal(got, &a)
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b, a); d != "" || strings.Contains(want, "1.10") && !strings.Contains(string(got), "1.10") {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestLanguageExtensions(t *testing.T) {
	tests := []struct{ name, expr, want string }{
		{"Length", "'Fn::Length': [a, b, c]", `3`},
		{"Length of a parameter", "'Fn::Length': !Ref DbSubnetIpBlocks", `3`},
		{"Length of Split", "'Fn::Length': !Split ['|', 'a|b']", `2`},
		{"ToJsonString", "'Fn::ToJsonString': {a: !Ref Env, b: [1, true, '<']}", `"{\"a\":\"test\",\"b\":[1,true,\"<\"]}"`},
		{"FindInMap default", "!FindInMap [RegionMap, eu-west-1, HVM64, {DefaultValue: !Ref Env}]", `"test"`},
		{"FindInMap default unused", "!FindInMap [RegionMap, us-west-1, HVM64, {DefaultValue: x}]", `"ami-0bdb828fd58c52235"`},
		{"FindInMap unknown map with default", "!FindInMap [Nope, a, b, {DefaultValue: x}]", `"x"`},
		{"ForEach in properties", "{'Fn::ForEach::Ports': [Port, ['80', '443'], {'P${Port}': {Number: !Ref Port}}]}", `{"P80":{"Number":"80"},"P443":{"Number":"443"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := evalExpr(t, tt.expr, "AWS::LanguageExtensions", fake{})
			check(t, v, err, tt.want)
		})
	}
}

// TestForEach is the example of topics from the User Guide, with a nested loop and outputs.
func TestForEach(t *testing.T) {
	text := `
Transform: [AWS::LanguageExtensions]
Parameters:
  Names: {Type: CommaDelimitedList, Default: 'alpha,be-ta'}
Conditions:
  Fn::ForEach::Conds:
    - N
    - [X, Y]
    - Is${N}: !Equals [!Ref N, X]
Resources:
  Fn::ForEach::Topics:
    - Name
    - !Ref Names
    - Topic&{Name}:
        Type: AWS::SNS::Topic
        Condition: IsX
        Properties:
          TopicName: !Sub '${AWS::StackName}-${Name}'
          Fifo: !Ref Name
  Fn::ForEach::Outer:
    - A
    - [One, Two]
    - Fn::ForEach::Inner:
        - B
        - [X, Y]
        - Queue${A}${B}:
            Type: AWS::SQS::Queue
            DependsOn: Topicalpha
            Condition: Is${B}
  Plain: {Type: AWS::S3::Bucket}
Outputs:
  Fn::ForEach::Outs:
    - Name
    - [alpha]
    - Out${Name}: {Value: !GetAtt 'Topic${Name}.TopicName'}
`
	tpl, all := evaluate(t, []byte(text), nil)
	var ids []string
	for _, r := range tpl.Resources {
		ids = append(ids, r.LogicalID)
	}
	want := []string{"Topicalpha", "Topicbeta", "QueueOneX", "QueueOneY", "QueueTwoX", "QueueTwoY", "Plain"}
	if d := cmp.Diff(want, ids); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"TopicName": "demo-be-ta", "Fifo": "be-ta"}, all["Topicbeta"]); d != "" {
		t.Error(d)
	}
	if all["QueueOneX"] == nil || all["QueueOneY"] != nil {
		t.Error("conditions of loops do not hold")
	}
	if len(tpl.Outputs) != 1 || tpl.Outputs[0].Name != "Outalpha" {
		t.Errorf("outputs %v", tpl.Outputs)
	}
	for _, bad := range []struct{ text, want string }{
		{"Fn::ForEach::L: [X, [a, a], {'R${X}': {Type: T}}]", "Template error: Fn::ForEach makes the key Ra twice"},
		{"Fn::ForEach::L: [X, [a]]", "Template error: every Fn::ForEach::L object requires a list of an identifier, a collection and a map"},
		{"Fn::ForEach::L: [X, a, {'R${X}': {Type: T}}]", "Template error: the collection of Fn::ForEach must be a list of strings"},
		{"Fn::ForEach::L: [X, [a], {'R${X}': {Type: T, DependsOn: Nope}}]", "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template"},
	} {
		tpl, err := Parse([]byte("Transform: AWS::LanguageExtensions\nResources:\n  " + bad.text))
		if err == nil {
			_, err = tpl.Expand(nil, testPseudo)
		}
		if e, ok := err.(*Error); !ok || e.Message != bad.want {
			t.Errorf("%s: %v", bad.text, err)
		}
	}
}

// TestUnknown: what depends on a resource that does not exist yet is unknown, all else is known.
func TestUnknown(t *testing.T) {
	u := Unknown{Logical: "New"}
	r := dynamic{resolver{values: map[string]any{"New": u, "New.Arn": Unknown{"New", "Arn"}}}}
	tests := []struct {
		expr string
		want any
	}{
		{"!Ref New", u},
		{"!Sub 'x${New}'", u},
		{"!Join ['', [a, !Ref New]]", u},
		{"!Select [0, !Split [',', !Ref New]]", u},
		{"!Base64 {Ref: New}", u},
		{"!Select [0, [a, !Ref New]]", "a"},
		{"{a: x, b: !GetAtt New.Arn}", map[string]any{"a": "x", "b": Unknown{"New", "Arn"}}},
		{"!If [IsProd, !Ref New, x]", "x"},
	}
	for _, tt := range tests {
		got, err := evalExpr(t, tt.expr, "[]", r)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.expr, d)
		}
		if _, plain := tt.want.(string); HasUnknown(got) == plain {
			t.Errorf("%s: HasUnknown is %v", tt.expr, !plain)
		}
	}
}

func TestDynamicRefused(t *testing.T) {
	_, err := evalExpr(t, "'{{resolve:secretsmanager:name:SecretString}}'", "[]", fake{})
	if err == nil || !strings.Contains(err.Error(), "the dynamic reference {{resolve:secretsmanager:name:SecretString}} is not supported") {
		t.Errorf("got %v", err)
	}
}

// TestGraph: conditions decide what is in the graph and which references count.
func TestGraph(t *testing.T) {
	text := `
Parameters:
  Env: {Type: String}
Conditions:
  Prod: !Equals [!Ref Env, prod]
Resources:
  C: {Type: T, DependsOn: [B], Metadata: {x: !If [Prod, !Ref Extra, '']}}
  B: {Type: T, Properties: {X: !Sub '${A}-${A.Arn}'}}
  A: {Type: T}
  Extra: {Type: T, Condition: Prod, Properties: {X: !GetAtt A.Arn}}
  User: {Type: T, Properties: {X: !If [Prod, !Ref Extra, !Ref 'AWS::NoValue']}}
  %s
`
	tests := []struct{ env, more, want string }{
		{"dev", "", "A User B C"},
		{"prod", "", "A Extra User B C"},
		{"dev", "Wrong: {Type: T, Properties: {X: !Ref Extra}}", "Template format error: Unresolved resource dependencies [Extra] in the Resources block of the template"},
		{"dev", "Wrong: {Type: T, DependsOn: Extra}", "Template format error: Unresolved resource dependencies [Extra] in the Resources block of the template"},
		{"dev", "Wrong: {Type: T, Properties: {X: !GetAtt Extra.Arn}}", "Template error: instance of Fn::GetAtt references undefined resource Extra"},
		{"prod", "Wrong: {Type: T, Properties: {X: !GetAtt Extra.Arn}}", "A Extra User Wrong B C"},
	}
	for _, tt := range tests {
		tpl, err := Parse(fmt.Appendf(nil, text, tt.more))
		if err != nil {
			t.Fatal(err)
		}
		params, err := tpl.ResolveParameters(map[string]string{"Env": tt.env}, nil)
		if err != nil {
			t.Fatal(err)
		}
		g, err := tpl.Graph(NewEval(tpl, params, testPseudo, fake{}))
		got := ""
		if err != nil {
			got = err.(*Error).Message
		} else {
			got = strings.Join(g.Order, " ")
		}
		if got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.env, tt.more, got, tt.want)
		}
	}
	ring := `
Parameters: {Env: {Type: String}}
Conditions: {Prod: !Equals [!Ref Env, prod], Loop: !Equals [!Ref Env, loop]}
Resources:
  A: {Type: T, Properties: {X: !If [Prod, !Ref B, !If [Loop, !Ref B, x]]}}
  B: {Type: T, Properties: {X: !If [Prod, x, !Ref A]}}
`
	for env, want := range map[string]string{"prod": "", "dev": "", "loop": "Circular dependency between resources: [A, B]"} {
		tpl, err := Parse([]byte(ring))
		if err != nil {
			t.Fatal(err)
		}
		params, _ := tpl.ResolveParameters(map[string]string{"Env": env}, nil)
		_, err = tpl.Graph(NewEval(tpl, params, testPseudo, fake{}))
		if got := ""; err != nil {
			if got = err.(*Error).Message; got != want {
				t.Errorf("%s: %s", env, got)
			}
		} else if want != "" {
			t.Errorf("%s: no error", env)
		}
	}
	tpl, _ := Parse(fmt.Appendf(nil, text, ""))
	g, err := tpl.Graph(nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"Extra", "B"}, g.Dependents("A")); d != "" {
		t.Error(d)
	}
}

func TestOutputs(t *testing.T) {
	text := oneResource + `
Conditions: {No: !Equals [a, b]}
Parameters: {L: {Type: CommaDelimitedList, Default: 'a,b'}}
Outputs:
  Text: {Value: !Sub 'x-${R}', Export: {Name: !Sub '${AWS::StackName}-x'}, Description: says}
  Number: {Value: 1.10}
  Bool: {Value: true}
  List: {Value: !Ref L}
  Off: {Value: !Ref R, Condition: No}
  NoName: {Value: a, Export: {Name: !Ref L}}
`
	tpl, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	params, _ := tpl.ResolveParameters(nil, nil)
	e := NewEval(tpl, params, testPseudo, fake{})
	want := map[string]string{
		"Text": "x-ref-R demo-x", "Number": "1.10 ", "Bool": "true ", "Off": "off",
		"List":   "Template format error: The Value field of every Outputs member must evaluate to a String.",
		"NoName": "Template format error: Output NoName is malformed. The Name field of every Export member must evaluate to a String.",
	}
	got := map[string]string{}
	for _, o := range tpl.Outputs {
		if ok, err := e.Active(o.Condition); err != nil || !ok {
			got[o.Name] = "off"
			continue
		}
		v, export, err := e.Output(o)
		if got[o.Name] = v + " " + export; err != nil {
			got[o.Name] = err.(*Error).Message
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRules(t *testing.T) {
	const text = oneResource + `
Parameters:
  Version: {Type: String, Default: '%s'}
  Env: {Type: String, Default: prod}
  Types: {Type: CommaDelimitedList, Default: '%s'}
Rules:
  CheckBootstrapVersion:
    Assertions:
      - Assert: {'Fn::Not': [{'Fn::Contains': [['1', '2', '3', '4', '5'], {Ref: Version}]}]}
        AssertDescription: CDK bootstrap stack version 6 required. Please run 'cdk bootstrap' with a recent version of the CDK CLI.
  Prod:
    RuleCondition: !Equals [!Ref Env, prod]
    Assertions:
      - Assert: {'Fn::EachMemberIn': [!Ref Types, [m1.large, m1.small]]}
        AssertDescription: only large or small
      - Assert: !Or [{'Fn::EachMemberEquals': [!Ref Types, m1.large]}, {'Fn::Contains': [!Ref Types, m1.small]}]
  Dev:
    RuleCondition: !Equals [!Ref Env, dev]
    Assertions: [{Assert: !Equals [a, b]}]
`
	tests := []struct{ version, types, want string }{
		{"33", "m1.large", ""},
		{"33", "m1.large,m1.small", ""},
		{"5", "m1.large", "Template validation error: Rule CheckBootstrapVersion failed: CDK bootstrap stack version 6 required. Please run 'cdk bootstrap' with a recent version of the CDK CLI."},
		{"33", "m1.huge", "Template validation error: Rule Prod failed: only large or small"},
	}
	for _, tt := range tests {
		tpl, err := Parse(fmt.Appendf(nil, text, tt.version, tt.types))
		if err != nil {
			t.Fatal(err)
		}
		params, err := tpl.ResolveParameters(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := NewEval(tpl, params, testPseudo, nil).CheckRules(); err != nil {
			got = err.(*Error).Message
		}
		if got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestPolicy(t *testing.T) {
	text := `
Transform: AWS::LanguageExtensions
Parameters: {P: {Type: String, Default: %s}}
Resources:
  R: {Type: T, DeletionPolicy: !Ref P, UpdateReplacePolicy: Retain}
`
	for value, want := range map[string]string{"Retain": "", "Keep": "Template format error: Unrecognized DeletionPolicy Keep for resource R"} {
		tpl, err := Parse(fmt.Appendf(nil, text, value))
		if err != nil {
			t.Fatal(err)
		}
		params, _ := tpl.ResolveParameters(nil, nil)
		e := NewEval(tpl, params, testPseudo, nil)
		r := tpl.Resource("R")
		got, err := e.Policy(r, r.DeletionPolicy)
		if want == "" && (err != nil || got != value) || want != "" && (err == nil || err.(*Error).Message != want) {
			t.Errorf("%s: %s, %v", value, got, err)
		}
		if got, err := e.Policy(r, r.UpdateReplacePolicy); got != "Retain" || err != nil {
			t.Errorf("UpdateReplacePolicy: %s, %v", got, err)
		}
	}
}

func TestForeignTransform(t *testing.T) {
	tpl, err := Parse([]byte("Transform: AWS::Serverless-2016-10-31\nGlobals: {Function: {Timeout: 3}}\nResources: {F: {Type: 'AWS::Serverless::Function', Connectors: {}, Properties: {X: !Ref ServerlessHttpApi}}}"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"AWS::Serverless-2016-10-31"}, tpl.Foreign()); d != "" {
		t.Error(d)
	}
	root := tpl.Root.Value().(map[string]any)
	delete(root, "Transform")
	if _, err := Build(NodeOf(root)); err == nil || !strings.HasPrefix(err.Error(), "Invalid template property or properties [Globals]") {
		t.Errorf("got %v", err)
	}
}

func TestInnerTransform(t *testing.T) {
	tpl, err := Parse([]byte("Resources: {'Fn::Transform': {Name: Mine}, R: {Type: T, Properties: {'Fn::Transform': {Name: 'AWS::Include', Parameters: {Location: x}}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"Mine", "AWS::Include"}, tpl.Foreign()); d != "" {
		t.Error(d)
	}
}

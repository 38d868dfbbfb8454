package resource

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/template"
)

func load(t testing.TB, name string) *Schema {
	t.Helper()
	s, ok := LoadSchema(name)
	if !ok {
		t.Fatalf("no schema for %s", name)
	}
	return s
}

// doc reads JSON as package template would evaluate it.
func doc(t testing.TB, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestGenerated: schema_gen.go is what the generator makes of models/resources.json.
func TestGenerated(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "go", "run", "-C", "../../tools", "./resources", "-check").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAllSchemasUnpack(t *testing.T) {
	start := time.Now()
	size := 0
	for _, name := range SchemaNames() {
		s := load(t, name)
		packed, _ := find(name)
		size += len(name) + len(packed)
		if s.Properties == nil {
			t.Errorf("%s has no properties at all", name)
		}
		for _, part := range s.RefParts() {
			if s.Properties[part] == nil && s.Attributes[part] == nil && !strings.Contains(part, "Id") {
				t.Logf("%s: Ref returns %s, which is neither property nor attribute", name, part)
			}
		}
	}
	t.Logf("%d schemas, %d bytes, all unpacked in %v, from %s", len(SchemaNames()), size, time.Since(start), SchemaSource())
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name, typ, props string
		want             string // lines after "with message:", joined by "; "
	}{
		{"as it should be", "AWS::Cognito::UserPool", `{"UsernameAttributes":["email"],"Policies":{"PasswordPolicy":{"MinimumLength":8}}}`, ""},
		{"coerced", "AWS::Cognito::UserPool", `{"Policies":{"PasswordPolicy":{"MinimumLength":"8","RequireNumbers":"true"}},"UserPoolName":5}`, ""},
		{"capital True", "AWS::Cognito::UserPoolClient", `{"UserPoolId":"x","GenerateSecret":"True"}`, ""},
		{"unknown", "AWS::Cognito::UserPool", `{"Foo":1}`, "#: extraneous key [Foo] is not permitted"},
		{"unknown within", "AWS::Cognito::UserPool", `{"Policies":{"PasswordPolicy":{"MinLength":8}}}`, "#/Policies/PasswordPolicy: extraneous key [MinLength] is not permitted"},
		{"missing", "AWS::Cognito::UserPoolClient", `{}`, "#: required key [UserPoolId] not found"},
		{"missing within a list", "AWS::IAM::Role", `{"AssumeRolePolicyDocument":{},"Policies":[{"PolicyName":"p"}]}`, "#/Policies/0: required key [PolicyDocument] not found"},
		{"text for a number", "AWS::Lambda::Function", `{"Code":{"ZipFile":"x"},"Role":"r","Timeout":"soon"}`, "#/Timeout: expected type: Integer, found: String"},
		{"fraction for an integer", "AWS::Lambda::Function", `{"Code":{"ZipFile":"x"},"Role":"r","Timeout":1.5}`, "#/Timeout: expected type: Integer, found: Number"},
		{"true for a number", "AWS::Lambda::Function", `{"Code":{"ZipFile":"x"},"Role":"r","Timeout":true}`, "#/Timeout: expected type: Integer, found: Boolean"},
		{"whole number with a point", "AWS::Lambda::Function", `{"Code":{"ZipFile":"x"},"Role":"r","Timeout":3.0}`, ""},
		{"list for a text", "AWS::Lambda::Function", `{"Code":{"ZipFile":"x"},"Role":["r"]}`, "#/Role: expected type: String, found: JSONArray"},
		{"text for a list", "AWS::Cognito::UserPool", `{"UsernameAttributes":"email"}`, "#/UsernameAttributes: expected type: JSONArray, found: String"},
		{"text for a structure", "AWS::Cognito::UserPool", `{"Policies":"strict"}`, "#/Policies: expected type: JSONObject, found: String"},
		{"yes for a boolean", "AWS::Cognito::UserPoolClient", `{"UserPoolId":"x","GenerateSecret":"yes"}`, "#/GenerateSecret: expected type: Boolean, found: String"},
		{"document as text", "AWS::IAM::Role", `{"AssumeRolePolicyDocument":"{\"Version\":\"2012-10-17\"}"}`, ""},
		{"document as broken text", "AWS::IAM::Role", `{"AssumeRolePolicyDocument":"{"}`, "#/AssumeRolePolicyDocument: expected type: JSONObject, found: String"},
		{"map of text", "AWS::Lambda::Function", `{"Code":{"ZipFile":"x"},"Role":"r","Environment":{"Variables":{"A":1,"B":["x"]}}}`, "#/Environment/Variables/B: expected type: String, found: JSONArray"},
		{"tags", "AWS::Lambda::Function", `{"Code":{"ZipFile":"x"},"Role":"r","Tags":[{"Key":"a"}]}`, "#/Tags/0: required key [Value] not found"},
		{"several", "AWS::Cognito::UserPoolClient", `{"Foo":1,"ReadAttributes":1}`, "#: extraneous key [Foo] is not permitted; #/ReadAttributes: expected type: JSONArray, found: Integer; #: required key [UserPoolId] not found"},
		{"custom resources take everything", "AWS::CloudFormation::CustomResource", `{"ServiceToken":"arn","Any":{"thing":[1]}}`, ""},
		{"custom resources need a token", "AWS::CloudFormation::CustomResource", `{"Any":1}`, "#: required key [ServiceToken] not found"},
		{"what CDK adds", "AWS::CDK::Metadata", `{"Analytics":"v2:deflate64:H4sI"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := load(t, tt.typ).Check("Thing", doc(t, tt.props)); err != nil {
				head, rest, _ := strings.Cut(err.Error(), "\n")
				if head != "Properties validation failed for resource Thing with message:" {
					t.Errorf("begins %q", head)
				}
				got = strings.ReplaceAll(rest, "\n", "; ")
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCheckTakesUnknown(t *testing.T) {
	props := map[string]any{"UserPoolId": template.Unknown{Logical: "Pool"}, "ReadAttributes": template.Unknown{}}
	if err := load(t, "AWS::Cognito::UserPoolClient").Check("Client", props); err != nil {
		t.Error(err)
	}
}

func TestCheckAttr(t *testing.T) {
	tests := []struct {
		typ, attr string
		ok        bool
	}{
		{"AWS::Cognito::UserPool", "Arn", true},
		{"AWS::Cognito::UserPool", "ProviderURL", true},
		{"AWS::Cognito::UserPool", "Name", false},
		{"AWS::ApiGateway::RestApi", "RootResourceId", true},
		{"AWS::ApiGatewayV2::Api", "ApiEndpoint", true},
		{"AWS::CloudFormation::Stack", "Outputs.Url", true},
		{"AWS::CloudFormation::Stack", "Outputs.", false},
		{"AWS::CloudFormation::CustomResource", "Parameter.Value", true},
	}
	for _, tt := range tests {
		if err := load(t, tt.typ).CheckAttr("X", tt.attr); (err == nil) != tt.ok {
			t.Errorf("%s.%s: %v", tt.typ, tt.attr, err)
		}
	}
}

func TestChanges(t *testing.T) {
	tests := []struct {
		name, typ, old, new string
		want                []Change
	}{
		{"nothing", "AWS::Cognito::UserPool", `{"UserPoolName":"a"}`, `{"UserPoolName":"a"}`, nil},
		{"only written otherwise", "AWS::Lambda::Function", `{"Timeout":"30","Layers":[]}`, `{"Timeout":30,"Layers":[]}`, nil},
		{"in place", "AWS::Lambda::Function", `{"Timeout":3}`, `{"Timeout":4}`, []Change{{"Timeout", "Timeout", Never}}},
		{"create-only", "AWS::Lambda::Function", `{"FunctionName":"a"}`, `{"FunctionName":"b"}`, []Change{{"FunctionName", "FunctionName", Always}}},
		{"taken away", "AWS::Lambda::Function", `{"FunctionName":"a"}`, `{}`, []Change{{"FunctionName", "FunctionName", Always}}},
		{"added", "AWS::Cognito::UserPoolClient", `{"UserPoolId":"p"}`, `{"UserPoolId":"p","GenerateSecret":true}`, []Change{{"GenerateSecret", "GenerateSecret", Always}}},
		{"several in order", "AWS::ApiGatewayV2::Api", `{"Name":"a","ProtocolType":"HTTP"}`, `{"Name":"b","ProtocolType":"WEBSOCKET"}`, []Change{{"Name", "Name", Never}, {"ProtocolType", "ProtocolType", Always}}},
		{"conditional", "AWS::SSM::Document", `{"Content":{"a":1}}`, `{"Content":{"a":2}}`, []Change{{"Content", "Content", Conditional}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := load(t, tt.typ).Changes(doc(t, tt.old), doc(t, tt.new)); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if got := load(t, "AWS::Lambda::Function").Replaces(doc(t, `{"FunctionName":"a","Timeout":1}`), doc(t, `{"Timeout":2}`)); !reflect.DeepEqual(got, []string{"FunctionName"}) {
		t.Errorf("Replaces: %v", got)
	}
}

// TestNestedCreateOnly uses a schema of its own: a create-only property below one that is not.
func TestNestedCreateOnly(t *testing.T) {
	s, err := unpack("T", ">properties\nA #S\nL [#S]\n>#S\nFree string\nFixed string ~\n")
	if err != nil {
		t.Fatal(err)
	}
	got := s.Changes(
		doc(t, `{"A":{"Free":"x","Fixed":"y"},"L":[{"Free":"1","Fixed":"1"}]}`),
		doc(t, `{"A":{"Free":"z","Fixed":"y"},"L":[{"Free":"1","Fixed":"2"}]}`))
	want := []Change{{"A", "A", Never}, {"L", "L/0/Fixed", Always}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEqual(t *testing.T) {
	n := func(s string) json.Number { return json.Number(s) }
	tests := []struct {
		a, b any
		want bool
	}{
		{"5", n("5"), true}, {n("5.0"), n("5"), true}, {"5.0", "5", false}, {"1.10", n("1.10"), true},
		{true, "true", true}, {true, "True", true}, {"true", "True", false}, {false, n("0"), false},
		{"a", "b", false}, {nil, nil, true}, {nil, "", false},
		{[]any{"a"}, []any{"a"}, true}, {[]any{"a", "b"}, []any{"b", "a"}, false}, {[]any{}, map[string]any{}, false},
		{map[string]any{"a": "1"}, map[string]any{"a": n("1")}, true}, {map[string]any{"a": nil}, map[string]any{"b": nil}, false},
		{template.Unknown{}, template.Unknown{}, false},
	}
	for _, tt := range tests {
		if got := Equal(tt.a, tt.b); got != tt.want {
			t.Errorf("Equal(%#v, %#v) = %v", tt.a, tt.b, got)
		}
	}
}

func TestPhysicalName(t *testing.T) {
	tests := []struct {
		stack, logical string
		max            int
		lower          bool
		want           string
	}{
		{"demo", "Pool", 128, false, "demo-Pool-ABCDEFGHIJKL"},
		{"Demo", "Bucket", 63, true, "demo-bucket-abcdefghijkl"},
		{strings.Repeat("s", 60), "Role", 64, false, strings.Repeat("s", 46) + "-Role-ABCDEFGHIJKL"},
		{"st", strings.Repeat("L", 60), 64, false, "st-" + strings.Repeat("L", 48) + "-ABCDEFGHIJKL"},
		{strings.Repeat("s", 60), strings.Repeat("L", 60), 64, false, strings.Repeat("s", 25) + "-" + strings.Repeat("L", 25) + "-ABCDEFGHIJKL"},
		{"stack", "Logical", 10, false, "ABCDEFGHIJ"},
		{strings.Repeat("s", 24) + "-x", strings.Repeat("L", 30), 64, false, strings.Repeat("s", 24) + "-" + strings.Repeat("L", 25) + "-ABCDEFGHIJKL"},
	}
	for _, tt := range tests {
		got := physicalName(tt.stack, tt.logical, "ABCDEFGHIJKL", tt.max, tt.lower)
		if got != tt.want || len(got) > tt.max {
			t.Errorf("got %s (%d), want %s", got, len(got), tt.want)
		}
	}
	r := &Request{StackName: "demo", LogicalID: "Pool", Token: "t1"}
	if a, b := r.PhysicalName(64, false), r.PhysicalName(64, false); a != b {
		t.Errorf("a step run twice names %s, then %s", a, b)
	}
	other := *r
	other.Token = "t2"
	if r.PhysicalName(64, false) == other.PhysicalName(64, false) {
		t.Error("two steps have the same name")
	}
	if id := r.ID("abc", "0123456789", 10); !regexp.MustCompile(`^[abc][0-9]{9}$`).MatchString(id) || id != r.ID("abc", "0123456789", 10) {
		t.Errorf("id %s", id)
	}
}

type nothing struct{}

func (nothing) Create(context.Context, *Request) (Result, error) { return Result{}, nil }
func (nothing) Update(context.Context, *Request) (Result, error) { return Result{}, nil }
func (nothing) Delete(context.Context, *Request) error           { return nil }

func TestRegistry(t *testing.T) {
	var r Registry
	r.Register(Type{Name: "AWS::Logs::LogGroup", Handler: nothing{}, Properties: []string{"LogGroupName", "RetentionInDays"}})
	r.Register(Type{Name: CustomResource, Handler: nothing{}})
	if err := r.Unrecognized([]string{"AWS::Logs::LogGroup", "Custom::Thing", "AWS::SQS::Queue", "AWS::SQS::Queue", "Custom::a b"}); err == nil || err.Error() != "Template format error: Unrecognized resource types: [AWS::SQS::Queue, Custom::a b]" {
		t.Errorf("got %v", err)
	}
	if err := r.Unrecognized(nil); err != nil {
		t.Error(err)
	}
	if err := r.Check("AWS::Logs::LogGroup", "G", map[string]any{"RetentionInDays": "7"}); err != nil {
		t.Error(err)
	}
	if err := r.Check("AWS::Logs::LogGroup", "G", map[string]any{"KmsKeyId": "k"}); err == nil || !strings.HasPrefix(err.Error(), "Encountered unsupported property KmsKeyId") {
		t.Errorf("got %v", err)
	}
	if err := r.Check("Custom::Thing", "C", map[string]any{"ServiceToken": "arn", "X": "y"}); err != nil {
		t.Error(err)
	}
	if err := r.Check("AWS::SQS::Queue", "Q", nil); err == nil {
		t.Error("an unregistered type passed")
	}
	table := r.Table()
	if len(table) != 2 || table[1].Name != "AWS::Logs::LogGroup" || table[1].Ref != "LogGroupName" {
		t.Errorf("table: %+v", table)
	}
	for _, bad := range []Type{
		{Name: "AWS::Logs::LogGroup", Handler: nothing{}},
		{Name: "AWS::SQS::Queue", Handler: nothing{}},
		{Name: "AWS::S3::Bucket"},
		{Name: "AWS::S3::Bucket", Handler: nothing{}, Properties: []string{"Nope"}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was registered", bad)
				}
			}()
			r.Register(bad)
		}()
	}
}

type standIn struct{ t *template.Template }

func (standIn) Ref(id string) (any, error) { return template.Unknown{Logical: id}, nil }
func (standIn) GetAtt(id, attr string) (any, error) {
	return template.Unknown{Logical: id, Attr: attr}, nil
}
func (standIn) ImportValue(name string) (any, error) { return name, nil }

// TestRealTemplates holds the resources of what CDK, SST and SAM emit against the schemas, where
// ../shared stands beside the checkout.
func TestRealTemplates(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/templates/*template.json")
	more, _ := filepath.Glob("../../../shared/templates/sam.transformed.json")
	checked := 0
	for _, file := range append(files, more...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tpl, err := template.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			params, err := tpl.ResolveParameters(nil, func(string) (string, bool, error) { return "33", true, nil })
			if err != nil {
				t.Fatal(err)
			}
			e := template.NewEval(tpl, params, template.Pseudo{Region: "us-east-1", Account: "000000000000", Partition: "aws", URLSuffix: "amazonaws.com"}, standIn{tpl})
			for _, r := range tpl.Resources {
				s, ok := LoadSchema(canonical(r.Type))
				if !ok {
					if strings.HasPrefix(r.Type, "AWS::DynamoDB::") || strings.HasPrefix(r.Type, "AWS::Serverless") {
						continue
					}
					t.Errorf("no schema for %s", r.Type)
					continue
				}
				props, err := e.Properties(r)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Check(r.LogicalID, props); err != nil {
					t.Error(err)
				}
				checked++
			}
		})
	}
	t.Logf("%d templates, %d resources", len(files)+len(more), checked)
}

func BenchmarkLoadSchema(b *testing.B) {
	for b.Loop() {
		LoadSchema("AWS::Cognito::UserPool")
	}
}

func BenchmarkLoadLargestSchema(b *testing.B) {
	for b.Loop() {
		LoadSchema("AWS::S3::Bucket")
	}
}

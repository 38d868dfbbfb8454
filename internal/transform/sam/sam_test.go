package sam

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/template"
	"github.com/google/go-cmp/cmp"
)

func parse(t testing.TB, text string) *template.Node {
	t.Helper()
	n, err := template.ParseNode([]byte(text), template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func decode(t testing.TB, text []byte) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func transformed(t testing.TB, n *template.Node, o Options) map[string]any {
	t.Helper()
	o.Region = "us-east-1"
	got, err := Transform(n, o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := got.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, text)
}

// TestGolden holds the transform against what the published one (aws-sam-translator 1.110.0) makes of
// the same templates, down to the hashes in names.
func TestGolden(t *testing.T) {
	for _, name := range []string{"implicit", "rest", "http", "globals", "policy"} {
		for _, marked := range []bool{false, true} {
			t.Run(fmt.Sprint(name, marked), func(t *testing.T) {
				text, err := os.ReadFile("testdata/" + name + ".yaml")
				if err != nil {
					t.Fatal(err)
				}
				file := "testdata/" + name + ".json"
				if marked {
					file = "testdata/" + name + ".marked.json"
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				got := transformed(t, parse(t, string(text)), Options{Marked: marked})
				if d := cmp.Diff(decode(t, want), got); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

// TestShared does the same with a template of an app, where it stands beside the checkout.
func TestShared(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "templates")
	text, err := os.ReadFile(filepath.Join(dir, "sam.template.yaml"))
	if err != nil {
		t.Skip(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, "sam.transformed.json"))
	if err != nil {
		t.Fatal(err)
	}
	got := transformed(t, parse(t, strings.Replace(string(text), "CodeUri: src/", "CodeUri: s3://bucket/key.zip", 1)), Options{})
	if d := cmp.Diff(decode(t, want), got); d != "" {
		t.Error(d)
	}
}

func failure(t testing.TB, n *template.Node) *Error {
	t.Helper()
	_, err := Transform(n, Options{Region: "us-east-1"})
	var se *Error
	if !errors.As(err, &se) {
		t.Fatalf("got %v", err)
	}
	return se
}

func TestErrors(t *testing.T) {
	const prefix = "Resource with id [Fn] is invalid. "
	for _, tt := range []struct{ resource, want string }{
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Foo: 1}}`, "property Foo not defined for resource of type AWS::Serverless::Function"},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b}}`, "Only one of 'InlineCode' or 'CodeUri' can be set."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, CodeUri: s3://b/k}}`, "Runtime and Handler needs to be present when PackageType is of type `Zip`"},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: ./src}}`, "'CodeUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Events: {E: {Type: Api, Properties: {Path: /a}}}}}`, "Event with id [E] is invalid. Property 'Method' is required."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Events: {E: {Type: Api, Properties: {Path: /a, Method: get, Auth: {Authorizer: X}}}}}}`, "Event with id [E] is invalid. Unable to set Authorizer [X] on API method [get] for path [/a] because the related API does not define any Authorizers."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Events: {E: {Type: HttpApi, Properties: {Path: /a, Method: get, Auth: {Authorizer: X}}}}}}`, "Event with id [E] is invalid. Unable to set Authorizer [X] on API method [get] for path [/a] because the related API does not define any Authorizers."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Events: {E: {Type: Api, Properties: {Path: /a, Method: get}}, G: {Type: Api, Properties: {Path: /a, Method: GET}}}}}`, "Event with id [G] is invalid. API method \"get\" defined multiple times for path \"/a\"."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Policies: [{S3ReadPolicy: {}}]}}`, "Following required parameters of template 'S3ReadPolicy' don't have values: ['BucketName']"},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Policies: [{Nope: {}}]}}`, "Policy at index 0 in the 'Policies' property is not valid"},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, AutoPublishAlias: "1"}}`, "AutoPublishAlias name ('1') must contain only alphanumeric characters, hyphens, or underscores matching (?!^[0-9]+$)([a-zA-Z0-9-_]+) pattern."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Tags: {"lambda:createdBy": x}}}`, "lambda:createdBy is a reserved Tag key name and cannot be set on your resource. Please change the tag key in the input."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Environment: 5, Events: []}}`, "Type of property 'Environment' is invalid."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Events: {E: {Type: Api, Properties: {Path: /a, Method: get, RestApiId: !Ref Nope}}}}}`, "Event with id [E] is invalid. RestApiId must be a valid reference to an 'AWS::Serverless::Api' resource in same template."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Events: {E: {Type: Wat, Properties: {Path: /a}}}}}`, "Event with id [E] is invalid. Resource dict has missing or invalid value for key Type. Event Type is: Wat."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, FunctionUrlConfig: {AuthType: X}}}`, "AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM or NONE."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Events: {E: {Type: HttpApi, Properties: {Path: /a, Method: get, Auth: {Authorizer: NONE}}}}, ReservedConcurrentExecutions: x, Role: 5}}`, "Property 'Role' should be a string."},
		{`{Type: AWS::Serverless::Api, Properties: {Name: x}}`, "Missing required property 'StageName'."},
		{`{Type: AWS::Serverless::Api, Properties: {StageName: p, Cors: {Foo: 1}}}`, "Invalid key 'Foo' for 'Cors' property."},
		{`{Type: AWS::Serverless::Api, Properties: {StageName: p, Cors: {AllowCredentials: true}}}`, "Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set"},
		{`{Type: AWS::Serverless::Api, Properties: {StageName: p, Auth: {Authorizers: {X: {FunctionPayloadType: REQUEST, FunctionArn: y}}}}}`, "X Authorizer must specify Identity with at least one of Headers, QueryStrings, StageVariables, or Context."},
		{`{Type: AWS::Serverless::Api, Properties: {StageName: p, Auth: {Foo: 1}}}`, "Invalid value for 'Auth' property"},
		{`{Type: AWS::Serverless::Api, Properties: {StageName: p, DefinitionUri: ./x.yaml}}`, "'DefinitionUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter."},
		{`{Type: AWS::Serverless::Api, Properties: {StageName: p, Auth: {UsagePlan: {CreateUsagePlan: X}}}}`, "'CreateUsagePlan' accepts one of ['SHARED', 'PER_API', 'NONE']."},
		{`{Type: AWS::Serverless::HttpApi, Properties: {Auth: {Authorizers: {X: {FunctionArn: y}}}}}`, "X Lambda Authorizer must define 'AuthorizerPayloadFormatVersion'."},
		{`{Type: AWS::Serverless::HttpApi, Properties: {Auth: {Authorizers: {X: {JwtConfiguration: {issuer: y}}}}}}`, "X OAuth2 Authorizer must define 'IdentitySource'."},
		{`{Type: AWS::Serverless::HttpApi, Properties: {CorsConfiguration: {X: y}}}`, "Invalid key 'X' for 'Cors' property."},
		{`{Type: AWS::Serverless::HttpApi, Properties: {Auth: {DefaultAuthorizer: Q}}}`, "Unable to set DefaultAuthorizer because 'Q' was not defined in 'Authorizers'."},
		{`{Type: AWS::Serverless::Api, Properties: {StageName: p, Domain: {DomainName: x}}}`, "Property 'Domain.CertificateArn' is required."},
		{`{Type: AWS::Serverless::Api, Properties: {StageName: p, OpenApiVersion: "4.0"}}`, "The OpenApiVersion value must be of the format '3.0.0'."},
		{`{Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: s3://a/b, RetentionPolicy: x}}`, "'RetentionPolicy' must be one of the following options: ['Retain', 'Delete']."},
		{`{Type: AWS::Serverless::Api, Properties: {StageName: [p], MinimumCompressionSize: a}}`, "Type of property 'StageName' is invalid."},
		// Ours.
		{`{Type: AWS::Serverless::SimpleTable}`, "The resource type AWS::Serverless::SimpleTable is not supported by this server."},
		{`{Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: x}}`, "The resource type AWS::Serverless::StateMachine is not supported by this server."},
		{`{Type: AWS::Serverless::Function, Connectors: {}, Properties: {}}`, "The resource attribute Connectors is not supported by this server."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, AutoPublishAlias: live, DeploymentPreference: {Type: AllAtOnce}}}`,
			"The property DeploymentPreference is not supported by this server: it has no CodeDeploy."},
		{`{Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageUri: x}}`, "The property ImageUri is not supported by this server."},
		{`{Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: s3://b/k, Events: {E: {Type: Schedule, Properties: {Schedule: rate(1 day)}}}}}`,
			"Event with id [E] is invalid. Events of type Schedule are not supported by this server."},
		{`{Type: AWS::Serverless::Application, Properties: {Location: {ApplicationId: a, SemanticVersion: 1.0.0}}}`,
			"Applications of the Serverless Application Repository are not supported by this server: Location must be the URL of a template."},
	} {
		se := failure(t, parse(t, "Transform: AWS::Serverless-2016-10-31\nResources:\n  Fn: "+tt.resource+"\n"))
		if d := cmp.Diff([]string{prefix + tt.want}, se.Causes); d != "" {
			t.Errorf("%s: %s", tt.resource, d)
		}
	}
	for _, tt := range []struct{ text, want string }{
		{"Resources: {}", "Structure of the SAM template is invalid. 'Resources' section is required"},
		{"Resources: {A: 1}", "Structure of the SAM template is invalid. All 'Resources' must be Objects. If you're using YAML, this may be an indentation issue."},
		{"Globals: 1\nResources: {A: {Type: AWS::Serverless::Function}}", "'Globals' section is invalid. It must be a non-empty dictionary"},
		{"Resources: {A: {Type: AWS::Serverless::Function, Properties: []}}", "Resource with id [A] is invalid. Attribute 'Properties' should be a map."},
		{"Resources: {ARole: {Type: AWS::IAM::Role}, A: {Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, InlineCode: x}}}",
			`Transforming resource with id [A] attempts to create a new resource with id [ARole] and type "AWS::IAM::Role". A resource with that id already exists within this template. Please use a different id for that resource.`},
	} {
		want := "Invalid Serverless Application Specification document. Number of errors found: 1. " + tt.want
		if got := failure(t, parse(t, tt.text)).Error(); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.text, got, want)
		}
	}
}

func FuzzTransform(f *testing.F) {
	for _, name := range []string{"implicit", "rest", "http", "globals", "policy"} {
		text, err := os.ReadFile("testdata/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("Resources: {A: {Type: AWS::Serverless::Function, Properties: {Events: {E: {Type: Api}}}}}")
	f.Add("Resources: {A: {Type: AWS::Serverless::Api, Properties: {StageName: {Ref: x}, Auth: {Authorizers: {A: {}}, ResourcePolicy: {IpRangeWhitelist: a}}}}}")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := template.ParseNode([]byte(text), template.Options{})
		if err != nil {
			t.Skip()
		}
		for _, marked := range []bool{false, true} {
			a, err := Transform(n, Options{Region: "us-east-1", Marked: marked})
			b, again := Transform(n, Options{Region: "us-east-1", Marked: marked})
			if fmt.Sprint(err) != fmt.Sprint(again) {
				t.Fatalf("%v, then %v", err, again)
			}
			if err != nil {
				continue
			}
			x, _ := a.MarshalJSON()
			y, _ := b.MarshalJSON()
			if string(x) != string(y) {
				t.Fatalf("two results:\n%s\n%s", x, y)
			}
		}
	})
}

// many is an app of n functions behind both kinds of API.
func many(n int) string {
	var b strings.Builder
	b.WriteString("Globals: {Function: {Runtime: nodejs22.x, CodeUri: s3://b/k}}\nResources:\n  Rest: {Type: AWS::Serverless::Api, Properties: {StageName: p, Cors: \"'*'\", Auth: {DefaultAuthorizer: A, Authorizers: {A: {UserPoolArn: x}}}}}\n")
	for i := range n {
		fmt.Fprintf(&b, "  F%d:\n    Type: AWS::Serverless::Function\n    Properties:\n      Handler: f%d.handler\n      Events:\n        A: {Type: Api, Properties: {RestApiId: {Ref: Rest}, Path: /rest/f%d, Method: get}}\n        B: {Type: HttpApi, Properties: {Path: /http/f%d, Method: get}}\n", i, i, i, i)
	}
	return b.String()
}

func BenchmarkTransform(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			root := parse(b, many(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Transform(root, Options{Region: "us-east-1"}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/function")
		})
	}
}

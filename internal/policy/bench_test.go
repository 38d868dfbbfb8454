package policy

import (
	"fmt"
	"testing"
)

// typical is a role of an application: five statements.
const typical = `{"Version":"2012-10-17","Statement":[
	{"Sid":"Logs","Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"arn:aws:logs:*:*:*"},
	{"Sid":"Users","Effect":"Allow","Action":["cognito-idp:AdminGetUser","cognito-idp:AdminCreateUser","cognito-idp:ListUsers"],"Resource":"arn:aws:cognito-idp:us-east-1:111122223333:userpool/*"},
	{"Sid":"Own","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::data/${cognito-identity.amazonaws.com:sub}/*"},
	{"Sid":"Secure","Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}},
	{"Sid":"Call","Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:*:abc/*/GET/*","Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.168.0.0/16"]},"StringLike":{"aws:UserAgent":"*aws-sdk*"}}}]}`

func typicalRequest() *Request {
	r := &Request{Principal: session("app", "s1"), Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:us-east-1:111122223333:abc/prod/GET/pets/1",
		Context: values("aws:SourceIp", "192.168.1.7", "aws:UserAgent", "aws-sdk-js/2.1692.0 linux/v20 aws-sdk-js", "aws:SecureTransport", "true", "cognito-identity.amazonaws.com:sub", "us-east-1:4f4e2c1a-0001-4f4e-9c1a-000000000001")}
	return r
}

func BenchmarkEvaluate(b *testing.B) {
	c := compile(b, Identity, "app", typical)
	boundary := compile(b, Boundary, "limit", allowAll("execute-api:*", "s3:*", "logs:*"))
	api := compile(b, Resource, "api", statementPolicy(`"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"execute-api:Invoke","Resource":"execute-api:/prod/*"`))
	long := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cognito-identity:*","cognito-idp:*"`
	for i := range 200 {
		long += fmt.Sprintf(`,"service%d:Action*"`, i)
	}
	large := compile(b, Identity, "large", long+`,"execute-api:Invoke"],"Resource":"*"}]}`)
	req := typicalRequest()
	own := typicalRequest()
	own.Action, own.Resource = "s3:GetObject", "arn:aws:s3:::data/us-east-1:4f4e2c1a-0001-4f4e-9c1a-000000000001/x"
	no := typicalRequest()
	no.Resource = "arn:aws:execute-api:us-east-1:111122223333:abc/prod/POST/pets"
	for _, bb := range []struct {
		name string
		set  Set
		req  *Request
		want bool
	}{
		{"role", Set{Identity: []*Compiled{c}}, req, true},
		{"variable", Set{Identity: []*Compiled{c}}, own, true},
		{"boundary and resource", Set{Identity: []*Compiled{c}, Boundary: boundary, Resource: api}, req, true},
		{"200 actions", Set{Identity: []*Compiled{large}}, req, true},
		{"refused", Set{Identity: []*Compiled{c}}, no, false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := Evaluate(&bb.set, bb.req); d.Allowed != bb.want {
					b.Fatalf("%+v", Explain(d))
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		compile(b, Identity, "app", typical)
	}
}

func TestAllowingDoesNotAllocate(t *testing.T) {
	set := Set{Identity: []*Compiled{compile(t, Identity, "app", typical)}, Boundary: compile(t, Boundary, "limit", allowAll("*"))}
	req := typicalRequest()
	for _, own := range []bool{false, true} {
		if own {
			req.Action, req.Resource = "s3:GetObject", "arn:aws:s3:::data/us-east-1:4f4e2c1a-0001-4f4e-9c1a-000000000001/x"
		}
		n := testing.AllocsPerRun(100, func() {
			if d := Evaluate(&set, req); !d.Allowed {
				t.Fatalf("%+v", Explain(d))
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", req.Action, n)
		}
	}
}

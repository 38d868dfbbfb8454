package policy

import (
	"errors"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const ok = Reason(0)
	stmt := func(body string) string { return `{"Version":"2012-10-17","Statement":[{` + body + `}]}` }
	allow := func(rest string) string { return stmt(`"Effect":"Allow","Action":"s3:GetObject",` + rest) }
	trust := func(principal string) string {
		return stmt(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":` + principal)
	}
	condition := func(c string) string { return allow(`"Resource":"*","Condition":` + c) }
	for _, tt := range []struct {
		name   string
		kind   Kind
		text   string
		reason Reason
	}{
		{"identity", Identity, allow(`"Resource":"*"`), ok},
		{"boundary", Boundary, allow(`"Resource":"*"`), ok},
		{"session", Session, allow(`"Resource":"arn:aws:s3:::b"`), ok},
		{"scp", SCP, allow(`"NotResource":"arn:aws:s3:::b","Condition":{"Bool":{"aws:SecureTransport":"true"}}`), ok},
		{"identity id", Identity, `{"Id":"x","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"}]}`, IDNotAllowed},
		{"resource id", Resource, `{"Id":"x","Statement":[{"Effect":"Allow","Principal":"*","Action":"a:b","Resource":"*"}]}`, ok},
		{"identity with principal", Identity, allow(`"Resource":"*","Principal":"*"`), PrincipalNotAllowed},
		{"identity with not principal", Identity, allow(`"Resource":"*","NotPrincipal":"*"`), PrincipalNotAllowed},
		{"scp with principal", SCP, allow(`"Resource":"*","Principal":"*"`), PrincipalNotAllowed},
		{"no resource", Identity, allow(`"Sid":"x"`), MissingResource},
		{"empty resource", Identity, allow(`"Resource":[]`), MissingResource},
		{"resource without resource", Resource, allow(`"Principal":"*"`), MissingResource},
		{"resource without principal", Resource, allow(`"Resource":"*"`), MissingPrincipal},
		{"resource not principal", Resource, stmt(`"Effect":"Deny","Action":"s3:*","Resource":"*","NotPrincipal":{"AWS":"123456789012"}`), ok},
		{"resource allow not principal", Resource, allow(`"Resource":"*","NotPrincipal":{"AWS":"123456789012"}`), NotPrincipalNotAllowed},
		{"resource of a service's form", Resource, allow(`"Principal":"*","Resource":"execute-api:/stage/GET/*"`), ok},

		{"sid", Identity, allow(`"Resource":"*","Sid":"Abc123"`), ok},
		{"empty sids", Identity, `{"Statement":[{"Sid":"","Effect":"Allow","Action":"a:b","Resource":"*"},{"Sid":"","Effect":"Allow","Action":"a:b","Resource":"*"}]}`, ok},
		{"sid with dash", Identity, allow(`"Resource":"*","Sid":"invalid-sid"`), InvalidSid},
		{"sid with dash of a resource", Resource, allow(`"Resource":"*","Principal":"*","Sid":"in valid-sid"`), ok},
		{"same sids", Identity, `{"Statement":[{"Sid":"A","Effect":"Allow","Action":"a:b","Resource":"*"},{"Sid":"A","Effect":"Allow","Action":"a:b","Resource":"*"}]}`, DuplicateSid},

		{"any action", Identity, stmt(`"Effect":"Allow","Action":"*","Resource":"*"`), ok},
		{"any action of any service", Identity, stmt(`"Effect":"Allow","Action":"*:*","Resource":"*"`), ok},
		{"action wildcard", Identity, stmt(`"Effect":"Allow","NotAction":["iam:*AccessKey?","cognito-idp:*"],"Resource":"*"`), ok},
		{"action without vendor", Identity, stmt(`"Effect":"Allow","Action":"GetItem","Resource":"*"`), InvalidAction},
		{"action without name", Identity, stmt(`"Effect":"Allow","Action":"s3:","Resource":"*"`), InvalidAction},
		{"vendor wildcard", Identity, stmt(`"Effect":"Allow","Action":"*:Get","Resource":"*"`), InvalidAction},
		{"action with space", Identity, stmt(`"Effect":"Allow","Action":"s3:Get Object","Resource":"*"`), InvalidAction},
		{"action not ASCII", Identity, stmt(`"Effect":"Allow","Action":"s3:Gét","Resource":"*"`), InvalidAction},
		{"two colons", Identity, stmt(`"Effect":"Allow","Action":"s3:Get:Object","Resource":"*"`), ActionColons},

		{"resource no ARN", Identity, allow(`"Resource":"my-bucket"`), InvalidResource},
		{"resource empty", Identity, allow(`"Resource":""`), InvalidResource},
		{"resource arn only", Identity, allow(`"Resource":"arn:aws"`), InvalidResource},
		{"resource no service", Identity, allow(`"Resource":"arn:aws::us-east-1:x:y"`), InvalidResource},
		{"resource incomplete", Identity, allow(`"Resource":["arn:aws:sqs","arn:aws:logs:*"]`), ok},
		{"resource partition", Identity, allow(`"Resource":"arn:amazon:s3:::b"`), ResourcePartition},
		{"resource partitions", Identity, allow(`"Resource":["arn:aws-cn:s3:::b","arn:aws-us-gov:s3:::b","arn:*:s3:::b"]`), ok},
		{"resource vendor", Identity, allow(`"Resource":"arn:aws:s*:::b"`), ResourceVendor},

		{"trust", Trust, trust(`{"Service":"lambda.amazonaws.com"}`), ok},
		{"trust everybody", Trust, trust(`"*"`), ok},
		{"trust sid", Trust, stmt(`"Sid":"a b","Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"`), InvalidSid},
		{"trust resource", Trust, stmt(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Resource":"*"`), ResourceNotAllowed},
		{"trust without principal", Trust, stmt(`"Effect":"Allow","Action":"sts:AssumeRole"`), MissingPrincipal},
		{"trust not principal", Trust, stmt(`"Effect":"Deny","Action":"sts:AssumeRole","NotPrincipal":{"AWS":"123456789012"}`), NotPrincipalNotAllowed},
		{"trust other action", Trust, stmt(`"Effect":"Allow","Action":["sts:AssumeRole","s3:GetObject"],"Principal":"*"`), ForeignAction},
		{"trust any action", Trust, stmt(`"Effect":"Allow","Action":"*","Principal":"*"`), ForeignAction},
		{"trust all of sts", Trust, stmt(`"Effect":"Allow","Action":["sts:*","STS:TagSession"],"Principal":"*"`), ok},
		{"trust not action", Trust, stmt(`"Effect":"Allow","NotAction":"sts:X","Principal":"*"`), ForeignAction},
		{"trust canonical", Trust, trust(`{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}`), InvalidPrincipal},

		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
		{"account", Trust, trust(`{"AWS":"123456789012"}`), ok},
		{"root", Trust, trust(`{"AWS":"arn:aws:iam::123456789012:root"}`), ok},
		{"accounts", Trust, trust(`{"AWS":["123456789012","555555555555"]}`), ok},
		{"user", Trust, trust(`{"AWS":"arn:aws:iam::123456789012:user/path/bob"}`), ok},
		{"role", Trust, trust(`{"AWS":"arn:aws:iam::123456789012:role/r"}`), ok},
		{"session principal", Trust, trust(`{"AWS":"arn:aws:sts::123456789012:assumed-role/r/s"}`), ok},
		{"federated user", Trust, trust(`{"AWS":"arn:aws:sts::123456789012:federated-user/u"}`), ok},
		{"deleted user", Trust, trust(`{"AWS":"AIDACKCEVSQ6C2EXAMPLE"}`), ok},
		{"providers", Trust, trust(`{"Federated":["cognito-identity.amazonaws.com","graph.facebook.com","arn:aws:iam::123456789012:oidc-provider/h.example/x","arn:aws:iam::123456789012:saml-provider/p"]}`), ok},
		{"services", Trust, trust(`{"Service":["ecs.amazonaws.com","elasticloadbalancing.amazonaws.com"]}`), ok},
		{"canonical", Resource, allow(`"Resource":"*","Principal":{"AWS":["arn:aws:iam::123456789012:root","999999999999"],"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}`), ok},
		{"nobody", Trust, trust(`{}`), InvalidPrincipal},
		{"nobody listed", Trust, trust(`{"AWS":[]}`), InvalidPrincipal},
		{"wildcard in user", Trust, trust(`{"AWS":"arn:aws:iam::123456789012:user/*"}`), InvalidPrincipal},
		{"wildcard in role", Trust, trust(`{"AWS":"arn:aws:iam::123456789012:role/r?"}`), InvalidPrincipal},
		{"wildcard session", Trust, trust(`{"AWS":"arn:aws:sts::123456789012:assumed-role/r/*"}`), InvalidPrincipal},
		{"group", Trust, trust(`{"AWS":"arn:aws:iam::123456789012:group/g"}`), InvalidPrincipal},
		{"bucket", Trust, trust(`{"AWS":"arn:aws:s3:::b"}`), InvalidPrincipal},
		{"short account", Trust, trust(`{"AWS":"12345678901"}`), InvalidPrincipal},
		{"name", Trust, trust(`{"AWS":"bob"}`), InvalidPrincipal},
		{"service name", Trust, trust(`{"Service":"lambda"}`), InvalidPrincipal},
		{"provider", Trust, trust(`{"Federated":"arn:aws:iam::123456789012:role/x"}`), InvalidPrincipal},

		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
		{"empty condition", Identity, condition(`{}`), ok},
		{"empty operator", Identity, condition(`{"Bool":{}}`), ok},
		{"operator", Identity, condition(`{"StringMatches":{"a:b":"c"}}`), InvalidOperator},
		{"operator case", Identity, condition(`{"stringEquals":{"a:b":"c"}}`), InvalidOperator},
		{"operator qualified", Identity, condition(`{"ForAllValues:StringLikeIfExists":{"a:b":"c"}}`), ok},
		{"qualifier", Identity, condition(`{"ForSomeValues:StringLike":{"a:b":"c"}}`), InvalidOperator},
		{"null if exists", Identity, condition(`{"NullIfExists":{"a:b":"true"}}`), InvalidOperator},
		{"null qualified", Identity, condition(`{"ForAnyValue:Null":{"a:b":"true"}}`), InvalidOperator},
		{"key", Identity, condition(`{"Bool":{"SecureTransport":"true"}}`), InvalidConditionKey},
		{"key with colons", Identity, condition(`{"StringEquals":{"aws:ResourceTag/aws:cloudformation:stack-name":"x"}}`), ok},
		{"number", Identity, condition(`{"NumericEquals":{"a:b":["10","-1.5","1e3",7]}}`), ok},
		{"no number", Identity, condition(`{"NumericEquals":{"a:b":"ten"}}`), InvalidValue},
		{"hexadecimal", Identity, condition(`{"NumericEquals":{"a:b":"0x10"}}`), InvalidValue},
		{"infinite", Identity, condition(`{"NumericEquals":{"a:b":"Inf"}}`), InvalidValue},
		{"date", Identity, condition(`{"DateEquals":{"a:b":["2020-01-01T00:00:01Z","2020","2020-02","2020-02-03","2020-01-01T10:00Z","2020-01-01T10:00:00.5+02:00",1577836800]}}`), ok},
		{"no date", Identity, condition(`{"DateEquals":{"a:b":"yesterday"}}`), InvalidValue},
		{"date wildcard", Identity, condition(`{"DateEquals":{"a:b":"2020-01-*"}}`), InvalidValue},
		{"bool", Identity, condition(`{"Bool":{"a:b":"yes"}}`), InvalidValue},
		{"bool variable", Identity, condition(`{"Bool":{"a:b":"${a:c}"}}`), ok},
		{"binary", Identity, condition(`{"BinaryEquals":{"a:b":"QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}`), ok},
		{"no binary", Identity, condition(`{"BinaryEquals":{"a:b":"*"}}`), InvalidValue},
		{"address", Identity, condition(`{"IpAddress":{"a:b":["203.0.113.0/24","2001:DB8:1234:5678::/64","203.0.113.7"]}}`), ok},
		{"no address", Identity, condition(`{"IpAddress":{"a:b":"203.0.113.0/33"}}`), InvalidValue},
		{"null", Identity, condition(`{"Null":{"a:b":[true,"false"]}}`), ok},
		{"no null", Identity, condition(`{"Null":{"a:b":"maybe"}}`), InvalidValue},
		{"number variable", Identity, condition(`{"NumericEquals":{"a:b":"${a:c}"}}`), InvalidValue},

		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
		{"variable", Identity, allow(`"Resource":"arn:aws:s3:::b/${aws:username}/${aws:PrincipalTag/team, 'none'}${*}"`), ok},
		{"variable in region", Identity, allow(`"Resource":"arn:aws:sqs:${aws:RequestedRegion}:1:q"`), InvalidVariable},
		{"variable in ARN condition", Identity, condition(`{"ArnLike":{"a:b":"arn:aws:iam::${aws:PrincipalAccount}:*"}}`), ok},
		{"variable open", Identity, allow(`"Resource":"arn:aws:s3:::b/${aws:username"`), InvalidVariable},
		{"variable empty", Identity, allow(`"Resource":"arn:aws:s3:::b/${}"`), InvalidVariable},
		{"variable space", Identity, allow(`"Resource":"arn:aws:s3:::b/${aws: username}"`), InvalidVariable},
		{"variable quote", Identity, condition(`{"StringLike":{"a:b":"${aws:username, 'x}"}}`), InvalidVariable},
		{"variable nested", Identity, condition(`{"StringLike":{"a:b":"${aws:${x}}"}}`), InvalidVariable},
		{"no variables in 2008", Identity, `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"arn:aws:s3:::${"}]}`, ok},
		{"no variables without version", Identity, `{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"arn:aws:s3:::${"}]}`, ok},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Parse(tt.text)
			if err == nil {
				err = d.Check(tt.kind)
			}
			var e *Error
			switch {
			case tt.reason == ok && err != nil:
				t.Error(err)
			case tt.reason == ok:
				if _, err := d.Compile(tt.kind, "x"); err != nil {
					t.Error(err)
				}
			case !errors.As(err, &e):
				t.Errorf("got %v, want %v", err, tt.reason)
			case e.Reason != tt.reason:
				t.Errorf("got %v, want %v", err, tt.reason)
			case e.Position.Line == 0:
				t.Error("no position")
			}
		})
	}
}

// Documents need not come from text.
func TestCheckOfBuiltDocument(t *testing.T) {
	d := &Document{Version: Version2012, Statements: []Statement{{Effect: Allow, Principal: &Principals{Service: []string{"apigateway.amazonaws.com"}},
		Action: []string{"lambda:InvokeFunction"}, Resource: []string{"arn:aws:lambda:us-east-1:111122223333:function:f"},
		Condition: []Condition{{Operator: "ArnLike", Key: "AWS:SourceArn", Values: []string{"arn:aws:execute-api:us-east-1:111122223333:abc/*/*/x"}}}}}}
	c, err := d.Compile(Resource, "f")
	if err != nil {
		t.Fatal(err)
	}
	req := Request{Principal: Principal{Type: AWSService, Service: "apigateway.amazonaws.com"}, Action: "lambda:InvokeFunction",
		Resource: "arn:aws:lambda:us-east-1:111122223333:function:f", Context: values("aws:SourceArn", "arn:aws:execute-api:us-east-1:111122223333:abc/$default/GET/x")}
	if d := Evaluate(&Set{Resource: c}, &req); !d.Allowed {
		t.Errorf("got %+v", Explain(d))
	}
	for _, bad := range []*Document{
		{},
		{Version: "3", Statements: d.Statements},
		{Statements: []Statement{{Effect: "x", Action: []string{"a:b"}}}},
		{Statements: []Statement{{Effect: Allow}}},
	} {
		if err := bad.Check(Identity); err == nil || strings.Contains(err.Error(), "line") {
			t.Errorf("%+v: got %v", bad, err)
		}
	}
}

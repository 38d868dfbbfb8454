package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func TestBecause(t *testing.T) {
	for _, tt := range []struct {
		d    Decision
		want string
	}{
		{Decision{Allowed: true}, ""},
		{Decision{Layer: LayerIdentity, Action: "codecommit:ListRepositories"}, "because no identity-based policy allows the codecommit:ListRepositories action"},
		{Decision{Layer: LayerResource, Action: "a:b"}, "because no resource-based policy allows the a:b action"},
		{Decision{Layer: LayerBoundary, Action: "a:b"}, "because no permissions boundary allows the a:b action"},
		{Decision{Layer: LayerSession, Action: "a:b"}, "because no session policy allows the a:b action"},
		{Decision{Layer: LayerSCP, Action: "a:b"}, "because no service control policy allows the a:b action"},
		{Decision{Layer: LayerResource, Trust: true, Action: "sts:AssumeRole"}, "because no role trust policy allows the sts:AssumeRole action"},
		{Decision{Verdict: ExplicitDeny, Layer: LayerIdentity}, "with an explicit deny in an identity-based policy"},
		{Decision{Verdict: ExplicitDeny, Layer: LayerBoundary}, "with an explicit deny in a permissions boundary"},
		{Decision{Verdict: ExplicitDeny, Layer: LayerResource, Trust: true}, "with an explicit deny in the role trust policy"},
	} {
		if got := tt.d.Because(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestExplain(t *testing.T) {
	own := compile(t, Identity, "app", `{"Version":"2012-10-17","Statement":[
		{"Sid":"Invoke","Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:abc/prod/GET/*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringEquals":{"aws:PrincipalTag/team":["red","blue"]}}},
		{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}/*"},
		{"Sid":"NoLogs","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::logs*"}]}`)
	api := compile(t, Resource, "api", statementPolicy(`"Sid":"Ours","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:user/alice","444455556666"]},"Action":"execute-api:Invoke","Resource":"*"`))
	byAccount := compile(t, Resource, "api", statementPolicy(`"Sid":"Acct","Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"execute-api:Invoke","Resource":"*"`))
	boundary := compile(t, Boundary, "limit", allowAll("s3:*"))
	for _, tt := range []struct {
		name string
		set  Set
		req  Request
		want []Step
	}{
		{"condition", Set{Identity: []*Compiled{own}, Resource: api},
			Request{Principal: user("bob"), Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:us-east-1:111122223333:abc/prod/GET/x", Context: values("aws:SourceIp", "10.1.2.3", "aws:PrincipalTag/Team", "green")},
			[]Step{
				{Name: "resource-based policy", Detail: "statement Ours of api: Principal", Want: "arn:aws:iam::111122223333:user/alice, 444455556666", Got: "arn:aws:iam::111122223333:user/bob"},
				{Name: "identity-based policy", Detail: "statement Invoke of app: Condition StringEquals aws:PrincipalTag/team", Want: "red, blue", Got: "green"},
				{Name: "policy", Detail: "because no identity-based policy allows the execute-api:Invoke action"}}},
		{"absent key", Set{Identity: []*Compiled{own}},
			Request{Principal: user("bob"), Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:us-east-1:111122223333:abc/prod/GET/x"},
			[]Step{
				{Name: "identity-based policy", Detail: "statement Invoke of app: Condition IpAddress aws:SourceIp", Want: "10.0.0.0/8", Got: "(absent)"},
				{Name: "policy", Detail: "because no identity-based policy allows the execute-api:Invoke action"}}},
		{"resource", Set{Identity: []*Compiled{own}},
			Request{Principal: user("bob"), Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:us-east-1:111122223333:abc/prod/POST/x"},
			[]Step{
				{Name: "identity-based policy", Detail: "statement Invoke of app: Resource", Want: "arn:aws:execute-api:*:*:abc/prod/GET/*", Got: "arn:aws:execute-api:us-east-1:111122223333:abc/prod/POST/x"},
				{Name: "policy", Detail: "because no identity-based policy allows the execute-api:Invoke action"}}},
		{"variable", Set{Identity: []*Compiled{own}},
			Request{Principal: session("r", "s"), Action: "s3:GetObject", Resource: "arn:aws:s3:::b/s/x"},
			[]Step{
				{Name: "identity-based policy", Detail: "statement 2 of app: Resource: ${aws:username} has no value", Want: "arn:aws:s3:::b/${aws:username}/*", Got: "arn:aws:s3:::b/s/x"},
				{Name: "policy", Detail: "because no identity-based policy allows the s3:GetObject action"}}},
		{"action", Set{Identity: []*Compiled{own}},
			Request{Principal: user("bob"), Action: "sqs:SendMessage", Resource: "*"},
			[]Step{
				{Name: "identity-based policy", Detail: "no statement allows sqs:SendMessage"},
				{Name: "policy", Detail: "because no identity-based policy allows the sqs:SendMessage action"}}},
		{"no policies", Set{},
			Request{Principal: user("bob"), Action: "sqs:SendMessage", Resource: "*"},
			[]Step{
				{Name: "identity-based policy", Detail: "there is none"},
				{Name: "policy", Detail: "because no identity-based policy allows the sqs:SendMessage action"}}},
		{"deny", Set{Identity: []*Compiled{own}},
			Request{Principal: user("bob"), Action: "s3:GetObject", Resource: "arn:aws:s3:::logs-1/x"},
			[]Step{
				{Name: "identity-based policy", Detail: "statement NoLogs of app denies"},
				{Name: "policy", Detail: "denied by statement NoLogs of app"}}},
		{"boundary", Set{Identity: []*Compiled{compile(t, Identity, "admin", allowAll("*"))}, Boundary: boundary, Resource: byAccount},
			Request{Principal: user("bob"), Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:us-east-1:111122223333:abc/prod/GET/x"},
			[]Step{
				{Name: "resource-based policy", OK: true, Detail: "statement Acct of api leaves it to the account"},
				{Name: "identity-based policy", OK: true, Detail: "statement 1 of admin allows"},
				{Name: "permissions boundary", Detail: "no statement allows execute-api:Invoke"},
				{Name: "policy", Detail: "because no permissions boundary allows the execute-api:Invoke action"}}},
		{"cross account without a resource policy", Set{Identity: []*Compiled{compile(t, Identity, "admin", allowAll("*"))}},
			Request{Principal: user("bob"), Action: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-1:444455556666:q"},
			[]Step{
				{Name: "resource-based policy", Detail: "there is none"},
				{Name: "identity-based policy", OK: true, Detail: "statement 1 of admin allows"},
				{Name: "policy", Detail: "because no resource-based policy allows the sqs:SendMessage action"}}},
		{"allowed", Set{Identity: []*Compiled{own}},
			Request{Principal: user("bob"), Action: "s3:GetObject", Resource: "arn:aws:s3:::b/bob/x"},
			[]Step{
				{Name: "identity-based policy", OK: true, Detail: "statement 2 of app allows"},
				{Name: "policy", OK: true, Detail: "allowed by statement 2 of app"}}},
		{"root", Set{},
			Request{Principal: Principal{Type: RootUser, Account: account, ARN: "arn:aws:iam::" + account + ":root"}, Action: "s3:GetObject", Resource: "*"},
			[]Step{{Name: "policy", OK: true, Detail: "the root user may do everything in its account"}}},
		{"trust", Set{Resource: compile(t, Trust, "role", statementPolicy(`"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"`))},
			Request{Principal: Principal{Type: AWSService, Service: "ecs.amazonaws.com"}, Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/x"},
			[]Step{
				{Name: "role trust policy", Detail: "statement 1 of role: Principal", Want: "lambda.amazonaws.com", Got: "ecs.amazonaws.com"},
				{Name: "policy", Detail: "because no role trust policy allows the sts:AssumeRole action"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Explain(Examine(&tt.set, &tt.req))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Explanations stay short, whatever the policy and the request hold.
func TestExplainIsBounded(t *testing.T) {
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprintf(`"arn:aws:s3:::%s%d"`, strings.Repeat("é", 300), i))
	}
	c := identity(t, statementPolicy(`"Effect":"Allow","Action":"a:b","Resource":[`+strings.Join(many, ",")+`]`))
	d := Evaluate(&Set{Identity: []*Compiled{c}}, &Request{Principal: user("u"), Action: "a:b", Resource: strings.Repeat("x", 5000)})
	m := d.Layers[0].Miss
	if len(m.Want) != maxShown || len(m.Got) != 1 {
		t.Errorf("shown: %d wanted, %d got", len(m.Want), len(m.Got))
	}
	for _, s := range append(m.Want, m.Got...) {
		if len(s) > clipped+len("…") || strings.ContainsRune(s, '\uFFFD') {
			t.Errorf("%d bytes: %s", len(s), s)
		}
	}
}

func TestMatches(t *testing.T) {
	c := compile(t, Identity, "p", `{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"B","Effect":"Allow","Action":"sqs:*","Resource":"*"},
		{"Sid":"C","Effect":"Deny","Action":"*","Resource":"*"}]}`)
	b := compile(t, Boundary, "b", allowAll("*"))
	got := Matches(&Set{Identity: []*Compiled{c}, Boundary: b}, &Request{Principal: user("u"), Action: "s3:GetObject", Resource: "*"})
	want := []Match{{LayerIdentity, Ref{"p", "C", 2}, Deny}, {LayerIdentity, Ref{"p", "A", 0}, Allow}, {LayerBoundary, Ref{"b", "", 0}, Allow}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

package policy

import (
	"testing"
)

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
func TestActions(t *testing.T) {
	for _, tt := range []struct {
		pattern, action string
		want            bool
	}{
		{"*", "s3:GetObject", true},
		{"*:*", "s3:GetObject", true},
		{"iam:ListAccessKeys", "IAM:listaccesskeys", true},
		{"IAM:LISTACCESSKEYS", "iam:ListAccessKeys", true},
		{"iam:ListAccessKeys", "iam:ListAccessKey", false},
		{"iam:*AccessKey*", "iam:CreateAccessKey", true},
		{"iam:*AccessKey*", "iam:ListAccessKeys", true},
		{"iam:*AccessKey*", "iam:ListUsers", false},
		{"iam:*Report", "iam:GenerateCredentialReport", true},
		{"iam:*Report", "iam:GetReports", false},
		{"s3:*Object*", "s3:PutObjectAcl", true},
		{"s3:*", "s3:ListBucket", true},
		{"s3:*", "s3-outposts:ListBucket", false},
		{"s3:Get?bject", "s3:GetObject", true},
		{"s3:Get?bject", "s3:Getbject", false},
		{"ec2:Describe*", "ec2:describeinstances", true},
		{"ec2:Describe*", "ec2:Describ", false},
		{"s3:*a*b", "s3:xaxbxab", true},
		{"s3:*a*b", "s3:xaxbxabc", false},
	} {
		a := parseAction(tt.pattern)
		if got := a.match(tt.action); got != tt.want {
			t.Errorf("%s on %s: got %v", tt.pattern, tt.action, got)
		}
	}
}

func TestResources(t *testing.T) {
	u := user("bob")
	u.Tags = map[string]string{"Team": "red", "star": "*"}
	role := session("app", "s1")
	ctx := values("cognito-identity.amazonaws.com:sub", "us-east-1:abc", "a:list", "x", "a:list", "y", "a:empty", "")
	for _, tt := range []struct {
		who               *Principal
		version, resource string // in the policy
		asked             string
		want              bool
	}{
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
		{&u, Version2012, "arn:aws:sqs:us-east-2:111122223333:queue1", "arn:aws:sqs:us-east-2:111122223333:queue1", true},
		{&u, Version2012, "arn:aws:sqs:us-east-2:111122223333:queue1", "arn:aws:sqs:us-east-2:111122223333:Queue1", false},
		{&u, Version2012, "arn:aws:iam::111122223333:user/accounting/*", "arn:aws:iam::111122223333:user/accounting/x/y", true},
		{&u, Version2012, "arn:aws:iam::111122223333:user/accounting/*", "arn:aws:iam::111122223333:user/sales/x", false},
		{&u, Version2012, "arn:aws:s3:::my_corporate_bucket/*", "arn:aws:s3:::my_corporate_bucket/a/b", true},
		{&u, Version2012, "arn:aws:s3:::my_corporate_bucket/*", "arn:aws:s3:::my_corporate_bucket", false},
		{&u, Version2012, "arn:aws:s3:::b?g/*/x", "arn:aws:s3:::big/a/b/x", true},
		{&u, Version2012, "arn:aws:logs:*:*:*", "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/f:log-stream:s", true},
		{&u, Version2012, "arn:aws:execute-api:us-east-1:*:abc/*/GET/*", "arn:aws:execute-api:us-east-1:111122223333:abc/prod/GET/pets", true},
		{&u, Version2012, "arn:aws:execute-api:us-east-1:*:abc/*/GET/*", "arn:aws:execute-api:us-east-1:111122223333:abc/prod/POST/pets", false},
		// A * goes beyond colons, incomplete ARNs are completed.
		{&u, Version2012, "arn:aws:codebuild:*", "arn:aws:codebuild:us-east-1:111122223333:project/x", true},
		{&u, Version2012, "arn:aws:sqs", "arn:aws:sqs:us-east-1:111122223333:q", true},
		{&u, Version2012, "arn:aws:sqs:us-east-1", "arn:aws:sqs:us-east-1:111122223333:q", true},
		{&u, Version2012, "arn:aws:sqs:us-east-1", "arn:aws:sqs:us-east-2:111122223333:q", false},
		// An action about no resource needs *.
		{&u, Version2012, "*", "*", true},
		{&u, Version2012, "arn:aws:s3:::*", "*", false},

		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
		{&u, Version2012, "arn:aws:s3:::mybucket/${aws:username}/*", "arn:aws:s3:::mybucket/bob/x", true},
		{&u, Version2012, "arn:aws:s3:::mybucket/${aws:username}/*", "arn:aws:s3:::mybucket/alice/x", false},
		{&u, Version2012, "arn:aws:s3:::mybucket/${AWS:UserName}", "arn:aws:s3:::mybucket/bob", true},
		{&u, Version2012, "arn:aws:sqs:us-east-2:*:${aws:username}-queue", "arn:aws:sqs:us-east-2:1:bob-queue", true},
		{&u, Version2012, "arn:aws:s3:::bucket/${aws:PrincipalTag/team}", "arn:aws:s3:::bucket/red", true},
		{&u, Version2012, "arn:aws:s3:::bucket/${aws:userid}", "arn:aws:s3:::bucket/AIDACKCEVSQ6C2EXAMPLE", true},
		// In older versions variables are text.
		{&u, Version2008, "arn:aws:s3:::mybucket/${aws:username}", "arn:aws:s3:::mybucket/bob", false},
		{&u, Version2008, "arn:aws:s3:::mybucket/${aws:username}", "arn:aws:s3:::mybucket/${aws:username}", true},
		{&u, "", "arn:aws:s3:::mybucket/${aws:username}", "arn:aws:s3:::mybucket/bob", false},
		// Sessions have no user name.
		{&role, Version2012, "arn:aws:s3:::mybucket/${aws:username}/*", "arn:aws:s3:::mybucket//x", false},
		{&role, Version2012, "arn:aws:s3:::mybucket/${aws:userid}/*", "arn:aws:s3:::mybucket/AROACLKWSDQRAOEXAMPLE:s1/x", true},
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_examples_s3_cognito-bucket.html
		{&role, Version2012, "arn:aws:s3:::b/cognito/app/${cognito-identity.amazonaws.com:sub}/*", "arn:aws:s3:::b/cognito/app/us-east-1:abc/x", true},
		{&role, Version2012, "arn:aws:s3:::b/cognito/app/${cognito-identity.amazonaws.com:sub}/*", "arn:aws:s3:::b/cognito/app/us-east-1:abd/x", false},
		// Defaults, special characters.
		{&role, Version2012, "arn:aws:s3:::b/${aws:username, 'anonymous'}", "arn:aws:s3:::b/anonymous", true},
		{&role, Version2012, "arn:aws:s3:::b/${aws:username,''}x", "arn:aws:s3:::b/x", true},
		{&u, Version2012, "arn:aws:s3:::b/${aws:username, 'anonymous'}", "arn:aws:s3:::b/anonymous", false},
		{&u, Version2012, "arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*", true},
		{&u, Version2012, "arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x", false},
		{&u, Version2012, "arn:aws:s3:::b/${?}${$}{x}", "arn:aws:s3:::b/?${x}", true},
		{&u, Version2012, "arn:aws:s3:::b/$x", "arn:aws:s3:::b/$x", true},
		// What is put in is text, and a key with several values puts in nothing.
		{&u, Version2012, "arn:aws:s3:::b/${aws:PrincipalTag/star}", "arn:aws:s3:::b/x", false},
		{&u, Version2012, "arn:aws:s3:::b/${aws:PrincipalTag/star}", "arn:aws:s3:::b/*", true},
		{&u, Version2012, "arn:aws:s3:::b/${a:list}", "arn:aws:s3:::b/x", false},
		{&u, Version2012, "arn:aws:s3:::b/${a:list, 'x'}", "arn:aws:s3:::b/x", false},
		{&u, Version2012, "arn:aws:s3:::b/*${a:empty}x", "arn:aws:s3:::b/x", true},
		{&u, Version2012, "arn:aws:s3:::${aws:username}*${aws:username}*${aws:username}/${aws:username}-${aws:username}", "arn:aws:s3:::bob.bob.bob/bob-bob", true},
	} {
		d := &Document{Version: tt.version, Statements: []Statement{{Effect: Allow, Action: []string{"a:b"}, Resource: []string{tt.resource}}}}
		c, err := d.Compile(Identity, "x")
		if err != nil {
			t.Errorf("%s: %v", tt.resource, err)
			continue
		}
		got := Evaluate(&Set{Identity: []*Compiled{c}}, &Request{Principal: *tt.who, Action: "a:b", Resource: tt.asked, ResourceAccount: account, Context: ctx})
		if got.Allowed != tt.want {
			t.Errorf("%s on %s: got %v", tt.resource, tt.asked, got.Allowed)
		}
	}
}

// A statement that needs a variable without a value does not apply, whether it is negated or not.
func TestUnresolvedVariables(t *testing.T) {
	role := session("app", "s1")
	for _, tt := range []struct {
		rest string
		want bool
	}{
		{`"Resource":"arn:aws:s3:::b/${aws:username}"`, false},
		{`"NotResource":"arn:aws:s3:::b/${aws:username}"`, false},
		{`"NotResource":"arn:aws:s3:::b/${aws:username, 'z'}"`, true},
		{`"Resource":["arn:aws:s3:::b/${aws:username}","*"]`, true},
		{`"Resource":"*","Condition":{"StringEquals":{"a:k":"${aws:username}"}}`, false},
		{`"Resource":"*","Condition":{"StringEquals":{"a:k":["${aws:username}","v"]}}`, true},
		{`"Resource":"*","Condition":{"StringNotEquals":{"a:k":"${aws:username}"}}`, false},
		{`"Resource":"*","Condition":{"StringNotEqualsIgnoreCase":{"a:k":"${aws:username}"}}`, false},
		{`"Resource":"*","Condition":{"StringEqualsIgnoreCase":{"a:k":"V${a:empty}"}}`, true},
		{`"Resource":"*","Condition":{"ArnNotLike":{"a:arn":"arn:aws:iam::*:user/${aws:username}"}}`, false},
		{`"Resource":"*","Condition":{"ArnLike":{"a:arn":"arn:aws:iam::${aws:PrincipalAccount}:user/*"}}`, true},
		{`"Resource":"*","Condition":{"ArnNotLike":{"a:arn":"arn:aws:iam::${aws:PrincipalAccount}:user/*"}}`, false},
		{`"Resource":"*","Condition":{"Bool":{"a:flag":"${aws:PrincipalIsAWSService}"}}`, true},
	} {
		c := identity(t, statementPolicy(`"Effect":"Allow","Action":"a:b",`+tt.rest))
		d := Evaluate(&Set{Identity: []*Compiled{c}}, &Request{Principal: role, Action: "a:b", Resource: "arn:aws:s3:::b/x",
			Context: values("a:k", "v", "a:empty", "", "a:arn", "arn:aws:iam::"+account+":user/x", "a:flag", "False")})
		if d.Allowed != tt.want {
			t.Errorf("%s: got %v", tt.rest, d.Allowed)
		}
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
func TestKeysOfPrincipals(t *testing.T) {
	root := Principal{Type: RootUser, ARN: "arn:aws:iam::" + account + ":root", Account: account}
	federated := Principal{Type: FederatedUser, ARN: "arn:aws:sts::" + account + ":federated-user/fred", Account: account, UserID: account + ":fred"}
	service := Principal{Type: AWSService, Service: "lambda.amazonaws.com"}
	web := session("app", "web")
	web.Provider = "cognito-identity.amazonaws.com"
	web.Tags = map[string]string{"Team": "red"}
	for _, tt := range []struct {
		p         Principal
		key, want string // "" is absent
	}{
		{root, "aws:username", ""},
		{root, "aws:userid", account},
		{root, "aws:principaltype", "Account"},
		{root, "aws:principalarn", "arn:aws:iam::" + account + ":root"},
		{user("bob"), "aws:username", "bob"},
		{user("bob"), "aws:userid", "AIDACKCEVSQ6C2EXAMPLE"},
		{user("bob"), "aws:principaltype", "User"},
		{user("bob"), "aws:principalarn", "arn:aws:iam::" + account + ":user/bob"},
		{user("bob"), "aws:federatedprovider", ""},
		{federated, "aws:username", ""},
		{federated, "aws:userid", account + ":fred"},
		{federated, "aws:principaltype", "FederatedUser"},
		{web, "aws:username", ""},
		{web, "aws:userid", "AROACLKWSDQRAOEXAMPLE:web"},
		{web, "aws:principaltype", "AssumedRole"},
		{web, "aws:principalarn", "arn:aws:iam::" + account + ":role/app"}, // the role, not the session
		{web, "aws:principalaccount", account},
		{web, "aws:federatedprovider", "cognito-identity.amazonaws.com"},
		{web, "aws:principaltag/team", "red"},
		{web, "aws:principaltag/tea", ""},
		{web, "aws:principalisawsservice", "false"},
		{service, "aws:principalisawsservice", "true"},
		{service, "aws:principalservicename", "lambda.amazonaws.com"},
		{service, "aws:principaltype", ""},
		{Principal{}, "aws:principaltype", "Anonymous"},
		{Principal{}, "aws:userid", ""},
	} {
		if got, ok := tt.p.value(tt.key); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s of %s: got %q, %v", tt.key, tt.p.String(), got, ok)
		}
	}
	// The context takes precedence, also with nothing.
	e := env{req: &Request{Principal: user("bob"), Context: Lookup(func(k string) []string {
		if k == "aws:username" {
			return []string{}
		}
		return nil
	})}}
	var buf [1]string
	if got := e.values("aws:username", &buf); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	if got := e.values("aws:userid", &buf); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

package policy

import "testing"

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func TestGrants(t *testing.T) {
	const arn = "arn:aws:iam::" + account + ":"
	root := Principal{Type: RootUser, ARN: arn + "root", Account: account, CanonicalUser: "79a59d"}
	federated := Principal{Type: FederatedUser, ARN: "arn:aws:sts::" + account + ":federated-user/fred", Issuer: arn + "user/bob", Account: account}
	web := session("app", "s1")
	web.Provider = "cognito-identity.amazonaws.com"
	role := Principal{Type: Role, ARN: arn + "role/app", Account: account}
	lambda := Principal{Type: AWSService, Service: "lambda.amazonaws.com"}
	token := Principal{Type: WebIdentity, Provider: "cognito-identity.amazonaws.com"}
	all := []Principal{root, user("bob"), session("app", "s1"), web, role, federated, lambda, token, {}}
	const bobID = "AIDACKCEVSQ6C2EXAMPLE"
	for _, tt := range []struct {
		ps   Principals
		want [9]grant // in the order of all
	}{
		{Principals{Any: true}, [9]grant{direct, direct, direct, direct, direct, direct, direct, direct, direct}},
		{Principals{AWS: []string{"*"}}, [9]grant{direct, direct, direct, direct, direct, direct, 0, 0, direct}},
		{Principals{AWS: []string{account}}, [9]grant{direct, delegated, delegated, delegated, delegated, delegated, 0, 0, 0}},
		{Principals{AWS: []string{arn + "root"}}, [9]grant{direct, delegated, delegated, delegated, delegated, delegated, 0, 0, 0}},
		{Principals{AWS: []string{"999999999999"}}, [9]grant{}},
		{Principals{AWS: []string{arn + "user/bob"}}, [9]grant{1: direct, 5: limited}},
		{Principals{AWS: []string{arn + "user/Bob"}}, [9]grant{}},
		{Principals{AWS: []string{bobID}}, [9]grant{1: direct}},
		{Principals{AWS: []string{arn + "role/app"}}, [9]grant{2: limited, 3: limited, 4: limited}},
		{Principals{AWS: []string{"AROACLKWSDQRAOEXAMPLE"}}, [9]grant{2: limited, 3: limited}},
		{Principals{AWS: []string{"arn:aws:sts::" + account + ":assumed-role/app/s1"}}, [9]grant{2: direct, 3: direct}},
		{Principals{AWS: []string{"arn:aws:sts::" + account + ":assumed-role/app/s2"}}, [9]grant{}},
		{Principals{AWS: []string{"arn:aws:sts::" + account + ":federated-user/fred"}}, [9]grant{5: direct}},
		{Principals{Service: []string{"lambda.amazonaws.com"}}, [9]grant{6: direct}},
		{Principals{Service: []string{"*"}}, [9]grant{6: direct}},
		{Principals{Service: []string{"ecs.amazonaws.com"}}, [9]grant{}},
		{Principals{Federated: []string{"graph.facebook.com", "cognito-identity.amazonaws.com"}}, [9]grant{3: limited, 7: direct}},
		{Principals{CanonicalUser: []string{"79a59d"}}, [9]grant{0: delegated}},
	} {
		c := compilePrincipals(&tt.ps)
		for i := range all {
			if got := c.grant(&all[i]); got != tt.want[i] {
				t.Errorf("%v on %v: got %d, want %d", tt.ps.names(), all[i].String(), got, tt.want[i])
			}
		}
	}
	// Nothing matches what is not known.
	c := compilePrincipals(&Principals{AWS: []string{""}, Service: []string{""}, Federated: []string{""}, CanonicalUser: []string{""}})
	for typ := Anonymous; typ <= AWSService; typ++ {
		if g := c.grant(&Principal{Type: typ}); g != noGrant {
			t.Errorf("empty name on %d: got %d", typ, g)
		}
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
func TestNotPrincipal(t *testing.T) {
	const other = "444455556666"
	deny := func(ps string) string {
		return statementPolicy(`"Effect":"Deny","NotPrincipal":` + ps + `,"Action":"s3:*","Resource":["arn:aws:s3:::BUCKETNAME","arn:aws:s3:::BUCKETNAME/*"]`)
	}
	const (
		bob   = `{"AWS":["arn:aws:iam::444455556666:user/Bob","arn:aws:iam::444455556666:root"]}`
		audit = `{"AWS":["arn:aws:sts::444455556666:assumed-role/cross-account-read-only-role/cross-account-audit-app",
			"arn:aws:iam::444455556666:role/cross-account-read-only-role","arn:aws:iam::444455556666:root"]}`
	)
	sess := func(role, name string) Principal { return in(session(role, name), other) }
	boundary := identity(t, allowAll("*"))
	for _, tt := range []struct {
		name       string
		policy     string
		p          Principal
		boundary   *Compiled
		wantDenied bool
	}{
		{"bob", bob, in(user("Bob"), other), nil, false},
		{"another user of the account", bob, in(user("Eve"), other), nil, true},
		{"bob of another account", bob, user("Bob"), nil, true},
		{"root of the account", bob, Principal{Type: RootUser, Account: other, ARN: "arn:aws:iam::" + other + ":root"}, nil, false},
		{"bob with a boundary", bob, in(user("Bob"), other), boundary, true},
		{"bob without his account", `{"AWS":"arn:aws:iam::444455556666:user/Bob"}`, in(user("Bob"), other), nil, true},
		{"account alone", `{"AWS":"444455556666"}`, in(user("Bob"), other), nil, true},
		{"the session", audit, sess("cross-account-read-only-role", "cross-account-audit-app"), nil, false},
		{"another session", audit, sess("cross-account-read-only-role", "x"), nil, true},
		{"another role", audit, sess("x", "cross-account-audit-app"), nil, true},
		{"session without the role", `{"AWS":["arn:aws:sts::444455556666:assumed-role/r/s","444455556666"]}`, sess("r", "s"), nil, true},
		{"a service", `{"Service":"lambda.amazonaws.com"}`, Principal{Type: AWSService, Service: "lambda.amazonaws.com"}, nil, false},
		{"another service", `{"Service":"lambda.amazonaws.com"}`, Principal{Type: AWSService, Service: "ecs.amazonaws.com"}, nil, true},
		{"anybody", bob, Principal{}, nil, true},
		{"everybody is exempt", `"*"`, Principal{}, nil, false},
	} {
		c := compile(t, Resource, "bucket", deny(tt.policy))
		d := Evaluate(&Set{Resource: c, Identity: []*Compiled{boundary}, Boundary: tt.boundary},
			&Request{Principal: tt.p, Action: "s3:GetObject", Resource: "arn:aws:s3:::BUCKETNAME/x"})
		if got := d.Verdict == ExplicitDeny; got != tt.wantDenied {
			t.Errorf("%s: got %v", tt.name, d.Verdict)
		}
	}

	// Two ways to say it: the guide's alternative with aws:PrincipalArn.
	alt := compile(t, Resource, "bucket", statementPolicy(`"Sid":"UsePrincipalArnInsteadOfNotPrincipalWithDeny","Effect":"Deny","Action":"s3:*","Principal":"*","Resource":["arn:aws:s3:::BUCKETNAME/*","arn:aws:s3:::BUCKETNAME"],
		"Condition":{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::444455556666:user/user-name"}}`))
	for name, denied := range map[string]bool{"user-name": false, "other": true} {
		d := Evaluate(&Set{Resource: alt, Identity: []*Compiled{boundary}, Boundary: boundary},
			&Request{Principal: in(user(name), other), Action: "s3:GetObject", Resource: "arn:aws:s3:::BUCKETNAME/x"})
		if (d.Verdict == ExplicitDeny) != denied {
			t.Errorf("%s: got %v", name, d.Verdict)
		}
	}
}

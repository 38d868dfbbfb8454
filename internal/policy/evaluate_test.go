package policy

import (
	"testing"
)

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
func TestCarlos(t *testing.T) {
	carlos := in(user("carlossalazar"), "123456789012")
	own := identity(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"AllowS3ListRead","Effect":"Allow","Action":["s3:GetBucketLocation","s3:GetAccountPublicAccessBlock","s3:ListAccessPoints","s3:ListAllMyBuckets"],"Resource":"arn:aws:s3:::*"},
		{"Sid":"AllowS3Self","Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::carlossalazar/*","arn:aws:s3:::carlossalazar"]},
		{"Sid":"DenyS3Logs","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::*log*"}]}`)
	bucket := compile(t, Resource, "bucket", statementPolicy(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/carlossalazar"},"Action":"s3:*",
		"Resource":["arn:aws:s3:::carlossalazar/*","arn:aws:s3:::carlossalazar"]`))
	for _, tt := range []struct {
		set              Set
		action, resource string
		want             Verdict
		by               string
	}{
		{Set{Identity: []*Compiled{own}}, "s3:PutObject", "arn:aws:s3:::carlossalazar-logs/x", ExplicitDeny, "DenyS3Logs"},
		{Set{Identity: []*Compiled{own}, Resource: bucket}, "s3:PutObject", "arn:aws:s3:::carlossalazar/x", Allowed, ""}, // the bucket's statement has no Sid
		{Set{Identity: []*Compiled{own}}, "s3:PutObject", "arn:aws:s3:::carlossalazar/x", Allowed, "AllowS3Self"},
		{Set{Resource: bucket}, "s3:PutObject", "arn:aws:s3:::carlossalazar/x", Allowed, ""},
		{Set{Identity: []*Compiled{own}}, "s3:GetBucketLocation", "arn:aws:s3:::other", Allowed, "AllowS3ListRead"},
		{Set{Identity: []*Compiled{own}}, "s3:PutObject", "arn:aws:s3:::other/x", ImplicitDeny, ""},
	} {
		d := Evaluate(&tt.set, &Request{Principal: carlos, Action: tt.action, Resource: tt.resource})
		if d.Verdict != tt.want || d.Statement.Sid != tt.by || d.Allowed != (tt.want == Allowed) {
			t.Errorf("%s on %s: got %v by %v", tt.action, tt.resource, d.Verdict, d.Statement)
		}
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_AccessPolicyLanguage_Interplay.html
func TestExplicitAndImplicit(t *testing.T) {
	c := identity(t, `{"Version":"2012-10-17","Statement":[{"Sid":"AllowGetList","Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"},
		{"Sid":"DenyReports","Effect":"Deny","Action":"iam:*Report","Resource":"*"}]}`)
	grant := identity(t, allowAll("iam:GenerateCredentialReport"))
	for action, want := range map[string]Verdict{
		"iam:GetUser": Allowed, "iam:ListUsers": Allowed, "iam:CreatePolicy": ImplicitDeny,
		"iam:GetOrganizationsAccessReport": ExplicitDeny, "iam:GenerateCredentialReport": ExplicitDeny,
	} {
		if d := Evaluate(&Set{Identity: []*Compiled{grant, c}}, &Request{Principal: user("u"), Action: action, Resource: "*"}); d.Verdict != want {
			t.Errorf("%s: got %v", action, d.Verdict)
		}
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html
func TestNotElements(t *testing.T) {
	full := identity(t, allowAll("*"))
	payroll := identity(t, statementPolicy(`"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::HRBucket/Payroll","arn:aws:s3:::HRBucket/Payroll/*"]`))
	notDelete := identity(t, statementPolicy(`"Effect":"Allow","NotAction":"s3:DeleteBucket","Resource":"arn:aws:s3:::*"`))
	notIAM := identity(t, statementPolicy(`"Effect":"Allow","NotAction":"iam:*","Resource":"*"`))
	mfa := identity(t, statementPolicy(`"Sid":"DenyAllUsersNotUsingMFA","Effect":"Deny","NotAction":"iam:*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}`))
	region := identity(t, statementPolicy(`"Effect":"Deny","NotAction":["cloudfront:*","iam:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-central-1","eu-west-1"]}}`))
	for _, tt := range []struct {
		name             string
		policies         []*Compiled
		action, resource string
		ctx              Values
		want             Verdict
	}{
		{"payroll", []*Compiled{full, payroll}, "s3:GetObject", "arn:aws:s3:::HRBucket/Payroll/may", nil, Allowed},
		{"other folder", []*Compiled{full, payroll}, "s3:GetObject", "arn:aws:s3:::HRBucket/Sales", nil, ExplicitDeny},
		{"other service", []*Compiled{full, payroll}, "sqs:SendMessage", "arn:aws:sqs:us-east-1:1:q", nil, Allowed},
		{"delete bucket", []*Compiled{notDelete}, "s3:DeleteBucket", "arn:aws:s3:::b", nil, ImplicitDeny},
		{"other of s3", []*Compiled{notDelete}, "s3:GetObject", "arn:aws:s3:::b/x", nil, Allowed},
		{"list all, on *", []*Compiled{notDelete}, "s3:ListAllMyBuckets", "*", nil, ImplicitDeny},
		{"other service's resource", []*Compiled{notDelete}, "sqs:SendMessage", "arn:aws:sqs:us-east-1:111122223333:q", nil, ImplicitDeny},
		{"iam", []*Compiled{notIAM}, "iam:GetUser", "*", nil, ImplicitDeny},
		{"not iam", []*Compiled{notIAM}, "ec2:RunInstances", "*", nil, Allowed},
		{"without MFA", []*Compiled{full, mfa}, "s3:GetObject", "arn:aws:s3:::b/x", values("aws:MultiFactorAuthPresent", "false"), ExplicitDeny},
		{"without the key", []*Compiled{full, mfa}, "s3:GetObject", "arn:aws:s3:::b/x", nil, ExplicitDeny},
		{"with MFA", []*Compiled{full, mfa}, "s3:GetObject", "arn:aws:s3:::b/x", values("aws:MultiFactorAuthPresent", "true"), Allowed},
		{"iam without MFA", []*Compiled{full, mfa}, "iam:GetUser", "*", values("aws:MultiFactorAuthPresent", "false"), Allowed},
		{"region", []*Compiled{full, region}, "ec2:RunInstances", "*", values("aws:RequestedRegion", "eu-west-1"), Allowed},
		{"other region", []*Compiled{full, region}, "ec2:RunInstances", "*", values("aws:RequestedRegion", "us-east-1"), ExplicitDeny},
		{"global service", []*Compiled{full, region}, "iam:GetUser", "*", values("aws:RequestedRegion", "us-east-1"), Allowed},
	} {
		d := Evaluate(&Set{Identity: tt.policies}, &Request{Principal: user("u"), Action: tt.action, Resource: tt.resource, ResourceAccount: account, Context: tt.ctx})
		if d.Verdict != tt.want {
			t.Errorf("%s: got %v", tt.name, d.Verdict)
		}
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
func TestBoundaries(t *testing.T) {
	shirley := compile(t, Boundary, "boundary", allowAll("s3:*", "cloudwatch:*", "ec2:*"))
	createUser := identity(t, allowAll("iam:CreateUser"))
	company := compile(t, Boundary, "XCompanyBoundaries", `{"Version":"2012-10-17","Statement":[
		{"Sid":"ServiceBoundaries","Effect":"Allow","Action":["s3:*","cloudwatch:*","ec2:*","dynamodb:*"],"Resource":"*"},
		{"Sid":"AllowIAMConsoleForCredentials","Effect":"Allow","Action":["iam:ListUsers","iam:GetAccountPasswordPolicy"],"Resource":"*"},
		{"Sid":"AllowManageOwnPasswordAndAccessKeys","Effect":"Allow","Action":["iam:*AccessKey*","iam:ChangePassword","iam:GetUser"],"Resource":["arn:aws:iam::*:user/${aws:username}"]},
		{"Sid":"DenyS3Logs","Effect":"Deny","Action":"s3:*","Resource":["arn:aws:s3:::logs","arn:aws:s3:::logs/*"]},
		{"Sid":"DenyEC2Production","Effect":"Deny","Action":"ec2:*","Resource":"arn:aws:ec2:*:*:instance/i-1234567890abcdef0"}]}`)
	zhang := compile(t, Boundary, "DelegatedUserBoundary", `{"Version":"2012-10-17","Statement":[
		{"Sid":"CreateOrChangeOnlyWithBoundary","Effect":"Allow","Action":["iam:CreateUser","iam:DeleteUserPolicy","iam:AttachUserPolicy"],"Resource":"*",
		 "Condition":{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::111122223333:policy/XCompanyBoundaries"}}},
		{"Sid":"CloudWatchAndOtherIAMTasks","Effect":"Allow","Action":["cloudwatch:*","iam:GetUser","iam:ListUsers","iam:*Group*","iam:DeletePolicy"],"Resource":"*"},
		{"Sid":"NoBoundaryPolicyEdit","Effect":"Deny","Action":["iam:CreatePolicyVersion","iam:DeletePolicy"],"Resource":["arn:aws:iam::123456789012:policy/XCompanyBoundaries"]},
		{"Sid":"NoBoundaryUserDelete","Effect":"Deny","Action":"iam:DeleteUserPermissionsBoundary","Resource":"*"}]}`)
	admin := identity(t, allowAll("*"))
	ofZhang := values("iam:PermissionsBoundary", "arn:aws:iam::111122223333:policy/XCompanyBoundaries")
	for _, tt := range []struct {
		name             string
		boundary, policy *Compiled
		action, resource string
		ctx              Values
		want             Verdict
		layer            Layer
	}{
		{"beyond the boundary", shirley, createUser, "iam:CreateUser", "arn:aws:iam::111122223333:user/x", nil, ImplicitDeny, LayerBoundary},
		{"boundary gives nothing", shirley, createUser, "s3:GetObject", "arn:aws:s3:::b/x", nil, ImplicitDeny, LayerIdentity},
		{"within both", shirley, admin, "s3:GetObject", "arn:aws:s3:::b/x", nil, Allowed, LayerIdentity},
		{"own key", company, admin, "iam:CreateAccessKey", "arn:aws:iam::111122223333:user/Nikhil", nil, Allowed, LayerIdentity},
		{"other's key", company, admin, "iam:CreateAccessKey", "arn:aws:iam::111122223333:user/Zhang", nil, ImplicitDeny, LayerBoundary},
		{"logs", company, admin, "s3:GetObject", "arn:aws:s3:::logs/x", nil, ExplicitDeny, LayerBoundary},
		{"production", company, admin, "ec2:StopInstances", "arn:aws:ec2:us-east-1:111122223333:instance/i-1234567890abcdef0", nil, ExplicitDeny, LayerBoundary},
		{"create without boundary", zhang, admin, "iam:CreateUser", "arn:aws:iam::111122223333:user/N", nil, ImplicitDeny, LayerBoundary},
		{"create with boundary", zhang, admin, "iam:CreateUser", "arn:aws:iam::111122223333:user/N", ofZhang, Allowed, LayerIdentity},
		{"edit boundary", zhang, admin, "iam:DeletePolicy", "arn:aws:iam::123456789012:policy/XCompanyBoundaries", nil, ExplicitDeny, LayerBoundary},
		{"delete boundary", zhang, admin, "iam:DeleteUserPermissionsBoundary", "arn:aws:iam::111122223333:user/Zhang", nil, ExplicitDeny, LayerBoundary},
	} {
		d := Evaluate(&Set{Identity: []*Compiled{tt.policy}, Boundary: tt.boundary},
			&Request{Principal: user("Nikhil"), Action: tt.action, Resource: tt.resource, Context: tt.ctx})
		if d.Verdict != tt.want || d.Layer != tt.layer {
			t.Errorf("%s: got %v by %v", tt.name, d.Verdict, d.Layer)
		}
	}
}

// The table of resource-based policies and implicit denies in other policy types (same account).
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
func TestResourcePoliciesAndImplicitDenies(t *testing.T) {
	const arn = "arn:aws:iam::" + account + ":"
	yes, no := compile(t, Identity, "yes", allowAll("s3:*")), compile(t, Identity, "no", allowAll("iam:*"))
	sess := session("examplerole", "examplerolesessionname")
	federated := Principal{Type: FederatedUser, ARN: "arn:aws:sts::" + account + ":federated-user/exampleuser", Issuer: arn + "user/exampleuser", Account: account}
	root := Principal{Type: RootUser, ARN: arn + "root", Account: account}
	lambda := Principal{Type: AWSService, Service: "lambda.amazonaws.com"}
	const (
		sessARN = `{"AWS":"arn:aws:sts::111122223333:assumed-role/examplerole/examplerolesessionname"}`
		roleARN = `{"AWS":"arn:aws:iam::111122223333:role/examplerole"}`
		userARN = `{"AWS":"arn:aws:iam::111122223333:user/exampleuser"}`
		fedARN  = `{"AWS":"arn:aws:sts::111122223333:federated-user/exampleuser"}`
		acct    = `{"AWS":"111122223333"}`
	)
	for _, tt := range []struct {
		name                        string
		p                           Principal
		named                       string
		identity, boundary, session *Compiled // nil: there is none
		layer                       Layer
		want                        bool
	}{
		{"session by role", sess, roleARN, nil, nil, nil, LayerResource, true},
		{"session by role, identity silent", sess, roleARN, no, yes, yes, LayerResource, true},
		{"session by role, boundary silent", sess, roleARN, nil, no, nil, LayerBoundary, false},
		{"session by role, session policy silent", sess, roleARN, nil, nil, no, LayerSession, false},
		{"session by session, all silent", sess, sessARN, no, no, no, LayerResource, true},
		{"session by account", sess, acct, nil, nil, nil, LayerIdentity, false},
		{"session by account and identity", sess, acct, yes, nil, nil, LayerIdentity, true},
		{"session by account, boundary silent", sess, acct, yes, no, nil, LayerBoundary, false},
		{"session by everybody, all silent", sess, `"*"`, no, no, no, LayerResource, true},
		{"user, all silent", user("exampleuser"), userARN, no, no, nil, LayerResource, true},
		{"other user", user("other"), userARN, no, nil, nil, LayerIdentity, false},
		{"other user with identity", user("other"), userARN, yes, nil, nil, LayerIdentity, true},
		{"federated, all silent", federated, fedARN, no, no, no, LayerResource, true},
		{"federated by user, boundary silent", federated, userARN, no, no, yes, LayerBoundary, false},
		{"federated by user, session silent", federated, userARN, yes, nil, no, LayerSession, false},
		{"federated by user, session allows", federated, userARN, nil, nil, yes, LayerResource, true},
		{"federated without session policy", federated, `{"AWS":"999999999999"}`, yes, nil, nil, LayerSession, false},
		{"federated with session policy", federated, `{"AWS":"999999999999"}`, yes, nil, yes, LayerIdentity, true},
		{"root by account", root, acct, nil, nil, nil, LayerResource, true},
		{"root", root, `{"AWS":"999999999999"}`, nil, nil, nil, LayerRoot, true},
		{"service", lambda, `{"Service":"lambda.amazonaws.com"}`, nil, nil, nil, LayerResource, true},
		{"other service", lambda, `{"Service":"ecs.amazonaws.com"}`, nil, nil, nil, LayerResource, false},
		{"service, identity ignored", lambda, `{"Service":"ecs.amazonaws.com"}`, yes, nil, nil, LayerResource, false},
		{"anonymous by everybody", Principal{}, `"*"`, nil, nil, nil, LayerResource, true},
		{"anonymous by AWS *", Principal{}, `{"AWS":"*"}`, nil, nil, nil, LayerResource, true},
		{"anonymous", Principal{}, acct, nil, nil, nil, LayerResource, false},
	} {
		set := Set{Boundary: tt.boundary, Resource: compile(t, Resource, "bucket", statementPolicy(`"Effect":"Allow","Principal":`+tt.named+`,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"`))}
		if tt.identity != nil {
			set.Identity = []*Compiled{tt.identity}
		}
		if tt.session != nil {
			set.Session = []*Compiled{tt.session}
		}
		d := Evaluate(&set, &Request{Principal: tt.p, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/x"})
		if d.Allowed != tt.want || d.Layer != tt.layer {
			t.Errorf("%s: got %v by %v", tt.name, d.Verdict, d.Layer)
		}
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
func TestCrossAccount(t *testing.T) {
	carlos := in(user("carlossalazar"), "111111111111")
	own := identity(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"AllowS3ListRead","Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"},
		{"Sid":"AllowS3ProductionObjectActions","Effect":"Allow","Action":"s3:*Object*","Resource":"arn:aws:s3:::Production/*"},
		{"Sid":"DenyS3Logs","Effect":"Deny","Action":"s3:*","Resource":["arn:aws:s3:::*log*","arn:aws:s3:::*log*/*"]}]}`)
	grant := func(to string) *Compiled {
		return compile(t, Resource, "bucket", statementPolicy(`"Effect":"Allow","Action":["s3:GetObject*","s3:PutObject*","s3:ReplicateObject","s3:RestoreObject"],"Principal":`+to+`,"Resource":"arn:aws:s3:::Production/*"`))
	}
	named := grant(`{"AWS":"arn:aws:iam::111111111111:user/carlossalazar"}`)
	admin := identity(t, allowAll("*"))
	for _, tt := range []struct {
		name             string
		set              Set
		p                Principal
		action, resource string
		want             Verdict
		layer            Layer
	}{
		{"logs", Set{Identity: []*Compiled{own}}, carlos, "s3:PutObject", "arn:aws:s3:::Production-logs/x", ExplicitDeny, LayerIdentity},
		{"both allow", Set{Identity: []*Compiled{own}, Resource: named}, carlos, "s3:PutObject", "arn:aws:s3:::Production/x", Allowed, LayerIdentity},
		{"resource silent", Set{Identity: []*Compiled{own}, Resource: named}, carlos, "s3:DeleteObject", "arn:aws:s3:::Production/x", ImplicitDeny, LayerResource},
		{"no resource policy", Set{Identity: []*Compiled{own}}, carlos, "s3:PutObject", "arn:aws:s3:::Production/x", ImplicitDeny, LayerResource},
		{"identity silent", Set{Resource: named}, carlos, "s3:PutObject", "arn:aws:s3:::Production/x", ImplicitDeny, LayerIdentity},
		{"by account", Set{Identity: []*Compiled{own}, Resource: grant(`{"AWS":"111111111111"}`)}, carlos, "s3:PutObject", "arn:aws:s3:::Production/x", Allowed, LayerIdentity},
		{"everybody, identity silent", Set{Resource: grant(`"*"`)}, carlos, "s3:PutObject", "arn:aws:s3:::Production/x", ImplicitDeny, LayerIdentity},
		{"other account", Set{Identity: []*Compiled{own}, Resource: grant(`{"AWS":"333333333333"}`)}, carlos, "s3:PutObject", "arn:aws:s3:::Production/x", ImplicitDeny, LayerResource},
		{"boundary", Set{Identity: []*Compiled{own}, Resource: named, Boundary: identity(t, allowAll("ec2:*"))}, carlos, "s3:PutObject", "arn:aws:s3:::Production/x", ImplicitDeny, LayerBoundary},
		{"session", Set{Identity: []*Compiled{admin}, Resource: grant(`{"AWS":"arn:aws:sts::111111111111:assumed-role/r/s"}`), Session: []*Compiled{identity(t, allowAll("ec2:*"))}},
			in(session("r", "s"), "111111111111"), "s3:PutObject", "arn:aws:s3:::Production/x", ImplicitDeny, LayerSession},
		{"root of the other account", Set{Resource: grant(`{"AWS":"111111111111"}`)}, Principal{Type: RootUser, Account: "111111111111", ARN: "arn:aws:iam::111111111111:root"}, "s3:PutObject", "arn:aws:s3:::Production/x", Allowed, LayerRoot},
		{"root of a third account", Set{Resource: named}, Principal{Type: RootUser, Account: "333333333333", ARN: "arn:aws:iam::333333333333:root"}, "s3:PutObject", "arn:aws:s3:::Production/x", ImplicitDeny, LayerResource},
	} {
		d := Evaluate(&tt.set, &Request{Principal: tt.p, Action: tt.action, Resource: tt.resource, ResourceAccount: "222222222222"})
		if d.Verdict != tt.want || d.Layer != tt.layer {
			t.Errorf("%s: got %v by %v", tt.name, d.Verdict, d.Layer)
		}
	}
	// The account in the ARN tells as well.
	d := Evaluate(&Set{Identity: []*Compiled{admin}}, &Request{Principal: carlos, Action: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-1:222222222222:q"})
	if d.Allowed || d.Layer != LayerResource {
		t.Errorf("by ARN: got %v by %v", d.Verdict, d.Layer)
	}
	// Those that belong to AWS are in nobody's account.
	d = Evaluate(&Set{Identity: []*Compiled{admin}}, &Request{Principal: carlos, Action: "iam:GetPolicy", Resource: "arn:aws:iam::aws:policy/AdministratorAccess"})
	if !d.Allowed {
		t.Errorf("aws: got %v by %v", d.Verdict, d.Layer)
	}
}

// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
func TestSCPs(t *testing.T) {
	all, ec2 := compile(t, SCP, "FullAWSAccess", allowAll("*")), compile(t, SCP, "EC2", allowAll("ec2:*"))
	deny := compile(t, SCP, "NoLeave", statementPolicy(`"Sid":"Leave","Effect":"Deny","Action":"organizations:LeaveOrganization","Resource":"*"`))
	admin := identity(t, allowAll("*"))
	root := Principal{Type: RootUser, ARN: "arn:aws:iam::" + account + ":root", Account: account}
	bucket := compile(t, Resource, "b", statementPolicy(`"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"`))
	for _, tt := range []struct {
		name   string
		scp    [][]*Compiled
		p      Principal
		action string
		want   Verdict
		layer  Layer
	}{
		{"every level allows", [][]*Compiled{{all}, {ec2, all}}, user("u"), "sqs:X", Allowed, LayerIdentity},
		{"one level does not", [][]*Compiled{{all}, {ec2}}, user("u"), "sqs:X", ImplicitDeny, LayerSCP},
		{"a level is empty", [][]*Compiled{{all}, {}}, user("u"), "sqs:X", ImplicitDeny, LayerSCP},
		{"denied", [][]*Compiled{{all}, {all, deny}}, user("u"), "organizations:LeaveOrganization", ExplicitDeny, LayerSCP},
		{"root too", [][]*Compiled{{all}, {all, deny}}, root, "organizations:LeaveOrganization", ExplicitDeny, LayerSCP},
		{"root limited", [][]*Compiled{{ec2}}, root, "sqs:X", ImplicitDeny, LayerSCP},
		{"before resource policies", [][]*Compiled{{ec2}}, user("u"), "s3:GetObject", ImplicitDeny, LayerSCP},
		{"not for services", [][]*Compiled{{ec2}}, Principal{Type: AWSService, Service: "x.amazonaws.com"}, "s3:GetObject", Allowed, LayerResource},
	} {
		d := Evaluate(&Set{SCP: tt.scp, Identity: []*Compiled{admin}, Resource: bucket}, &Request{Principal: tt.p, Action: tt.action, Resource: "*"})
		if d.Verdict != tt.want || d.Layer != tt.layer {
			t.Errorf("%s: got %v by %v", tt.name, d.Verdict, d.Layer)
		}
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-user.html
// https://docs.aws.amazon.com/cognito/latest/developerguide/role-trust-and-permissions.html
func TestTrustPolicies(t *testing.T) {
	assume := identity(t, allowAll("sts:AssumeRole"))
	const roleARN = "arn:aws:iam::" + account + ":role/app"
	trust := func(principal, action, condition string) *Compiled {
		return compile(t, Trust, "app", statementPolicy(`"Effect":"Allow","Principal":`+principal+`,"Action":"`+action+`","Condition":`+condition))
	}
	cognito := trust(`{"Federated":"cognito-identity.amazonaws.com"}`, "sts:AssumeRoleWithWebIdentity",
		`{"StringEquals":{"cognito-identity.amazonaws.com:aud":"us-east-1:pool"},"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":"authenticated"}}`)
	token := Principal{Type: WebIdentity, Provider: "cognito-identity.amazonaws.com"}
	claims := func(aud string, amr ...string) Values {
		return Values{"cognito-identity.amazonaws.com:aud": {aud}, "cognito-identity.amazonaws.com:amr": amr}
	}
	for _, tt := range []struct {
		name     string
		trust    *Compiled
		p        Principal
		identity []*Compiled
		action   string
		ctx      Values
		want     bool
		layer    Layer
	}{
		{"own account and identity", trust(`{"AWS":"111122223333"}`, "sts:AssumeRole", `{}`), user("u"), []*Compiled{assume}, "sts:AssumeRole", nil, true, LayerIdentity},
		{"own account alone", trust(`{"AWS":"111122223333"}`, "sts:AssumeRole", `{}`), user("u"), nil, "sts:AssumeRole", nil, false, LayerIdentity},
		{"user named", trust(`{"AWS":"arn:aws:iam::111122223333:user/u"}`, "sts:AssumeRole", `{}`), user("u"), nil, "sts:AssumeRole", nil, true, LayerResource},
		{"identity alone", trust(`{"Service":"lambda.amazonaws.com"}`, "sts:AssumeRole", `{}`), user("u"), []*Compiled{assume}, "sts:AssumeRole", nil, false, LayerResource},
		{"root is no exception", trust(`{"Service":"lambda.amazonaws.com"}`, "sts:AssumeRole", `{}`), Principal{Type: RootUser, Account: account, ARN: "arn:aws:iam::" + account + ":root"}, nil, "sts:AssumeRole", nil, false, LayerResource},
		{"service", trust(`{"Service":"lambda.amazonaws.com"}`, "sts:AssumeRole", `{}`), Principal{Type: AWSService, Service: "lambda.amazonaws.com"}, nil, "sts:AssumeRole", nil, true, LayerResource},
		{"other account", trust(`{"AWS":"arn:aws:iam::999999999999:root"}`, "sts:AssumeRole", `{}`), in(user("u"), "999999999999"), []*Compiled{assume}, "sts:AssumeRole", nil, true, LayerIdentity},
		{"other account without identity", trust(`{"AWS":"arn:aws:iam::999999999999:root"}`, "sts:AssumeRole", `{}`), in(user("u"), "999999999999"), nil, "sts:AssumeRole", nil, false, LayerIdentity},
		{"external id", trust(`{"AWS":"999999999999"}`, "sts:AssumeRole", `{"StringEquals":{"sts:ExternalId":"12345"}}`), in(user("u"), "999999999999"), []*Compiled{assume}, "sts:AssumeRole", values("sts:ExternalId", "12345"), true, LayerIdentity},
		{"no external id", trust(`{"AWS":"999999999999"}`, "sts:AssumeRole", `{"StringEquals":{"sts:ExternalId":"12345"}}`), in(user("u"), "999999999999"), []*Compiled{assume}, "sts:AssumeRole", nil, false, LayerResource},
		{"cognito", cognito, token, nil, "sts:AssumeRoleWithWebIdentity", claims("us-east-1:pool", "authenticated", "cognito-idp.us-east-1.amazonaws.com/p"), true, LayerResource},
		{"cognito guest", cognito, token, nil, "sts:AssumeRoleWithWebIdentity", claims("us-east-1:pool", "unauthenticated"), false, LayerResource},
		{"cognito other pool", cognito, token, nil, "sts:AssumeRoleWithWebIdentity", claims("us-east-1:other", "authenticated"), false, LayerResource},
		{"cognito other action", cognito, token, nil, "sts:AssumeRole", claims("us-east-1:pool", "authenticated"), false, LayerResource},
		{"cognito other provider", cognito, Principal{Type: WebIdentity, Provider: "accounts.google.com"}, nil, "sts:AssumeRoleWithWebIdentity", claims("us-east-1:pool", "authenticated"), false, LayerResource},
	} {
		d := Evaluate(&Set{Resource: tt.trust, Identity: tt.identity}, &Request{Principal: tt.p, Action: tt.action, Resource: roleARN, Context: tt.ctx})
		if d.Allowed != tt.want || d.Layer != tt.layer || !d.Trust {
			t.Errorf("%s: got %v by %v", tt.name, d.Verdict, d.Layer)
		}
	}
	// A KMS key's policy decides without being a trust policy.
	if d := Evaluate(&Set{Identity: []*Compiled{assume}, ResourceDecides: true}, &Request{Principal: user("u"), Action: "sts:AssumeRole", Resource: "*"}); d.Allowed || d.Layer != LayerResource {
		t.Errorf("ResourceDecides: got %v by %v", d.Verdict, d.Layer)
	}
}

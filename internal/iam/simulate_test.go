package iam

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// decisions shows results as "action resource decision [statements]".
func decisions(list []iam.EvaluationResult) []string {
	var out []string
	for _, r := range list {
		var from []string
		for _, m := range r.MatchedStatements {
			from = append(from, *m.SourcePolicyId)
		}
		out = append(out, r.EvalActionName+" "+*r.EvalResourceName+" "+r.EvalDecision+" ["+strings.Join(from, " ")+"]")
	}
	return out
}

func TestSimulatePrincipal(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		makeUser(t, s, ctx, "Ann")
		ok[*iam.CreateGroupResponse](t)(s.CreateGroup(ctx, &iam.CreateGroupRequest{GroupName: "Team"}))
		ok[*iam.AddUserToGroupResponse](t)(s.AddUserToGroup(ctx, &iam.AddUserToGroupRequest{GroupName: "Team", UserName: "Ann"}))
		ok[*iam.PutGroupPolicyResponse](t)(s.PutGroupPolicy(ctx, &iam.PutGroupPolicyRequest{GroupName: "Team", PolicyName: "deny", PolicyDocument: doc(deny("s3:DeleteObject"))}))
		ok[*iam.PutUserPolicyResponse](t)(s.PutUserPolicy(ctx, &iam.PutUserPolicyRequest{UserName: "Ann", PolicyName: "own", PolicyDocument: doc(
			`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}/*"}`,
			allow("sqs:*", `"Condition":{"StringEquals":{"aws:RequestTag/team":"red"}}`))}))
		ok[*iam.AttachUserPolicyResponse](t)(s.AttachUserPolicy(ctx, &iam.AttachUserPolicyRequest{UserName: "Ann", PolicyArn: awsPolicies + "AmazonCognitoReadOnly"}))
		const ann = "arn:aws:iam::123456789012:user/Ann"
		for _, tc := range []struct {
			name string
			in   iam.SimulatePrincipalPolicyRequest
			want string
		}{
			{"one of AWS's", iam.SimulatePrincipalPolicyRequest{ActionNames: []string{"cognito-idp:ListUsers", "cognito-idp:AdminCreateUser"}},
				"cognito-idp:ListUsers * allowed [AmazonCognitoReadOnly]; cognito-idp:AdminCreateUser * implicitDeny []"},
			{"a variable, and a group's deny", iam.SimulatePrincipalPolicyRequest{ActionNames: []string{"s3:GetObject", "s3:DeleteObject"}, ResourceArns: []string{"arn:aws:s3:::home/Ann/x", "arn:aws:s3:::home/Bob/x"}},
				"s3:GetObject arn:aws:s3:::home/Ann/x allowed [user_Ann_own]; s3:GetObject arn:aws:s3:::home/Bob/x implicitDeny []; " +
					"s3:DeleteObject arn:aws:s3:::home/Ann/x explicitDeny [group_Team_deny]; s3:DeleteObject arn:aws:s3:::home/Bob/x explicitDeny [group_Team_deny]"},
			{"a policy left out", iam.SimulatePrincipalPolicyRequest{ActionNames: []string{"s3:DeleteObject"}, ResourceArns: []string{"arn:aws:s3:::home/Ann/x"},
				PolicyExclusionList: []iam.PolicyIdentifier{{InlinePolicyIdentifier: &iam.InlinePolicyIdentifierType{PolicyName: "deny", AttachmentType: "GROUP", AttachmentName: "Team"}}}},
				"s3:DeleteObject arn:aws:s3:::home/Ann/x allowed [user_Ann_own]"},
			{"a key of the context", iam.SimulatePrincipalPolicyRequest{ActionNames: []string{"sqs:SendMessage"}, ContextEntries: []iam.ContextEntry{{ContextKeyName: shape.Ptr("AWS:RequestTag/Team"), ContextKeyValues: []string{"red"}, ContextKeyType: shape.Ptr("string")}}},
				"sqs:SendMessage * allowed [user_Ann_own]"},
			{"one more policy", iam.SimulatePrincipalPolicyRequest{ActionNames: []string{"logs:GetLogEvents"}, PolicyInputList: []string{doc(allow("logs:*"))}},
				"logs:GetLogEvents * allowed [PolicyInputList.1]"},
			{"a boundary", iam.SimulatePrincipalPolicyRequest{ActionNames: []string{"cognito-idp:ListUsers"}, PermissionsBoundaryPolicyInputList: []string{doc(allow("s3:*"))}},
				"cognito-idp:ListUsers * implicitDeny [AmazonCognitoReadOnly]"},
			{"a resource's policy", iam.SimulatePrincipalPolicyRequest{ActionNames: []string{"sns:Publish"}, ResourceArns: []string{"arn:aws:sns:us-east-1:123456789012:t"},
				ResourcePolicy: shape.Ptr(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + ann + `"},"Action":"sns:Publish","Resource":"*"}}`)},
				"sns:Publish arn:aws:sns:us-east-1:123456789012:t allowed [ResourcePolicy]"},
		} {
			in := tc.in
			in.PolicySourceArn = ann
			var got []string
			in.MaxItems = shape.Ptr(int64(1)) // page by page
			for {
				out := ok[*iam.SimulatePolicyResponse](t)(s.SimulatePrincipalPolicy(ctx, &in))
				got = append(got, decisions(out.EvaluationResults)...)
				if in.Marker = out.Marker; !*out.IsTruncated {
					break
				}
			}
			if strings.Join(got, "; ") != tc.want {
				t.Errorf("%s: %s", tc.name, strings.Join(got, "; "))
			}
		}
		out := ok[*iam.SimulatePolicyResponse](t)(s.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyRequest{PolicySourceArn: ann, ActionNames: []string{"sqs:SendMessage"}}))
		if missing := out.EvaluationResults[0].MissingContextValues; strings.Join(missing, " ") != "aws:requesttag/team" { // not aws:username, which follows from the user
			t.Errorf("missing: %v", missing)
		}
		keys := ok[*iam.GetContextKeysForPolicyResponse](t)(s.GetContextKeysForPrincipalPolicy(ctx, &iam.GetContextKeysForPrincipalPolicyRequest{PolicySourceArn: ann}))
		if strings.Join(keys.ContextKeyNames, " ") != "aws:requesttag/team aws:username" {
			t.Errorf("keys: %v", keys.ContextKeyNames)
		}
		for arn, want := range map[string]string{"arn:aws:iam::123456789012:user/None": "NoSuchEntity", "arn:aws:iam::123456789012:policy/x": "InvalidInput", "Ann": "InvalidInput",
			"arn:aws:iam::210987654321:user/Ann": "InvalidInput", "arn:aws:iam::123456789012:role/None": "NoSuchEntity"} {
			wants[*iam.SimulatePolicyResponse](t, want)(s.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyRequest{PolicySourceArn: arn, ActionNames: []string{"a:b"}}))
		}
	})
}

// TestSimulateCustom shows where a statement stands as the example of the user guide does.
func TestSimulateCustom(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{URL: "memory:"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, ctx := newTest(t, db, false)
	one := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*"}}`
	two := "{\n \"Version\": \"2012-10-17\",\n \"Statement\": [\n  {\"Effect\": \"Deny\", \"Action\": \"s3:*\", \"Resource\": \"*\"},\n  {\"Effect\": \"Allow\", \"Action\": \"dynamodb:Get*\", \"Resource\": \"*\"}\n ]\n}"
	out := ok[*iam.SimulatePolicyResponse](t)(s.SimulateCustomPolicy(ctx, &iam.SimulateCustomPolicyRequest{PolicyInputList: []string{one, two}, ActionNames: []string{"dynamodb:GetItem"}}))
	var at []int64
	for _, m := range out.EvaluationResults[0].MatchedStatements {
		at = append(at, *m.StartPosition.Line, *m.StartPosition.Column, *m.EndPosition.Line, *m.EndPosition.Column)
	}
	want := []int64{1, 37, 1, 92, 5, 3, 5, 66}
	for i := range want {
		if i >= len(at) || at[i] != want[i] {
			t.Errorf("positions %v, want %v", at, want)
			break
		}
	}
	for name, in := range map[string]iam.SimulateCustomPolicyRequest{
		"no policy":               {PolicyInputList: []string{"{"}, ActionNames: []string{"a:b"}},
		"two boundaries":          {PolicyInputList: []string{one}, PermissionsBoundaryPolicyInputList: []string{one, one}, ActionNames: []string{"a:b"}},
		"nobody for a resource":   {PolicyInputList: []string{one}, ResourcePolicy: shape.Ptr(one), ActionNames: []string{"a:b"}},
		"a role as caller":        {PolicyInputList: []string{one}, CallerArn: shape.Ptr("arn:aws:iam::123456789012:role/x"), ActionNames: []string{"a:b"}},
		"a resource that is none": {PolicyInputList: []string{one}, ResourceArns: []string{"bucket"}, ActionNames: []string{"a:b"}},
		"EC2":                     {PolicyInputList: []string{one}, ResourceHandlingOption: shape.Ptr("EC2-VPC-InstanceStore"), ActionNames: []string{"a:b"}},
	} {
		if _, err := s.SimulateCustomPolicy(ctx, &in); code(err) != "InvalidInput" {
			t.Errorf("%s: %v", name, err)
		}
	}
	scp := ok[*iam.SimulatePolicyResponse](t)(s.SimulateCustomPolicy(ctx, &iam.SimulateCustomPolicyRequest{PolicyInputList: []string{one}, ActionNames: []string{"dynamodb:GetItem"},
		OrderedOrganizationPolicyInputList: []iam.OrderedOrganizationPolicyType{{ServiceControlPolicyInputList: []string{doc(allow("*"))}}, {ServiceControlPolicyInputList: []string{doc(allow("s3:*"))}}}}))
	if r := scp.EvaluationResults[0]; r.EvalDecision != "implicitDeny" || r.OrganizationsDecisionDetail == nil || *r.OrganizationsDecisionDetail.AllowedByOrganizations {
		t.Errorf("%+v", r)
	}
}

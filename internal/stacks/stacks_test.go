package stacks

import (
	"errors"
	"slices"
	"strings"
	"testing"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// chain is three resources of which each needs the one before.
const chain = `
Description: three in a row
Parameters:
  Value: {Type: String, Default: one}
Resources:
  C: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !GetAtt B.Arn}}
  A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub "${AWS::StackName}-${Value}"}}
  B: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Statement: []}, Description: !Ref A}}
Outputs:
  Role: {Value: !GetAtt B.Arn, Description: the role}
  Id: {Value: !Ref AWS::StackId}
`

func TestCreateDescribeDelete(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.must(b.create("demo", chain))
		st := b.status("demo", "CREATE_COMPLETE")
		b.expect("calls", b.cloud.take(), []string{"create A", "create B", "create C"})
		if len(st.Outputs) != 2 || *st.Outputs[0].OutputValue != "arn:B-2" || *st.Outputs[0].Description != "the role" || *st.Outputs[1].OutputValue != *st.StackId {
			t.Errorf("outputs %+v", st.Outputs)
		}
		if !strings.HasPrefix(*st.StackId, "arn:aws:cloudformation:us-east-1:000000000000:stack/demo/") {
			t.Errorf("id %s", *st.StackId)
		}
		if *st.Description != "three in a row" || *st.Parameters[0].ParameterValue != "one" || *st.EnableTerminationProtection {
			t.Errorf("%+v", st)
		}
		b.expect("events", b.events("demo"), []string{
			"demo CREATE_IN_PROGRESS User Initiated",
			"A CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS Resource creation Initiated", "A CREATE_COMPLETE",
			"B CREATE_IN_PROGRESS", "B CREATE_IN_PROGRESS Resource creation Initiated", "B CREATE_COMPLETE",
			"C CREATE_IN_PROGRESS", "C CREATE_IN_PROGRESS Resource creation Initiated", "C CREATE_COMPLETE",
			"demo CREATE_COMPLETE",
		})
		b.expect("resources", b.resources("demo"), []string{"A A-1 CREATE_COMPLETE", "B B-2 CREATE_COMPLETE", "C C-3 CREATE_COMPLETE"})
		req := b.cloud.seen["create B"]
		if req.Props["Description"] != "A-1" || req.Tags["aws:cloudformation:stack-name"] != "demo" || req.Tags["aws:cloudformation:logical-id"] != "B" ||
			req.Tags["aws:cloudformation:stack-id"] != *st.StackId || req.Token == "" || req.StackID != *st.StackId {
			t.Errorf("request %+v", req)
		}
		got, err := b.GetTemplate(b.ctx, &cfn.GetTemplateInput{StackName: shape.Ptr("demo")})
		if err != nil || *got.TemplateBody != chain {
			t.Errorf("template %q, %v", *got.TemplateBody, err)
		}
		if _, err := b.DescribeStacks(as(t, "eu-west-1"), &cfn.DescribeStacksInput{StackName: shape.Ptr("demo")}); text(err) != "Stack with id demo does not exist" {
			t.Errorf("in another region: %v", err)
		}

		b.must(b.delete("demo"))
		if _, err := b.DescribeStacks(b.ctx, &cfn.DescribeStacksInput{StackName: shape.Ptr("demo")}); code(err) != "ValidationError" || text(err) != "Stack with id demo does not exist" {
			t.Errorf("after the deletion: %v", err)
		}
		b.expect("calls", b.cloud.take(), []string{"delete C", "delete B", "delete A"})
		b.expect("what exists", b.cloud.things(), nil)
		gone := b.status(*st.StackId, "DELETE_COMPLETE")
		if gone.DeletionTime == nil || len(gone.Outputs) != 0 {
			t.Errorf("%+v", gone)
		}
		events := b.events(*st.StackId)
		b.expect("events", events[len(events)-8:], []string{
			"demo DELETE_IN_PROGRESS User Initiated", "C DELETE_IN_PROGRESS", "C DELETE_COMPLETE", "B DELETE_IN_PROGRESS", "B DELETE_COMPLETE",
			"A DELETE_IN_PROGRESS", "A DELETE_COMPLETE", "demo DELETE_COMPLETE",
		})
		b.expect("resources", b.resources(*st.StackId), []string{"A A-1 DELETE_COMPLETE", "B B-2 DELETE_COMPLETE", "C C-3 DELETE_COMPLETE"})
		b.must(b.delete("demo"))
		b.must(b.delete(*st.StackId))
		b.must(b.create("demo", chain, "Value=two"))
		if again := b.status("demo", "CREATE_COMPLETE"); *again.StackId == *st.StackId {
			t.Error("the same id again")
		}
		list, err := b.ListStacks(b.ctx, &cfn.ListStacksInput{})
		if err != nil || len(list.StackSummaries) != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
		list, err = b.ListStacks(b.ctx, &cfn.ListStacksInput{StackStatusFilter: []string{"DELETE_COMPLETE"}})
		if err != nil || len(list.StackSummaries) != 1 || *list.StackSummaries[0].StackId != *st.StackId {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestCreateFails(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.cloud.set("create C", &shape.Error{Code: "LimitExceededException", Message: "There are too many.", Status: 400})
		b.must(b.create("demo", chain))
		st := b.status("demo", "ROLLBACK_COMPLETE")
		b.expect("calls", b.cloud.take(), []string{"create A", "create B", "create C", "delete B", "delete A"})
		b.expect("what exists", b.cloud.things(), nil)
		b.expect("events", b.events("demo")[7:], []string{
			"C CREATE_IN_PROGRESS", "C CREATE_FAILED There are too many (LimitExceededException)",
			"demo ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [C]. Rollback requested by user.",
			"B DELETE_IN_PROGRESS", "B DELETE_COMPLETE", "A DELETE_IN_PROGRESS", "A DELETE_COMPLETE", "demo ROLLBACK_COMPLETE",
		})
		b.expect("resources", b.resources("demo"), []string{"A A-1 DELETE_COMPLETE", "B B-2 DELETE_COMPLETE", "C  CREATE_FAILED"})
		if err := b.update("demo", chain); text(err) != "Stack:"+*st.StackId+" is in ROLLBACK_COMPLETE state and can not be updated." {
			t.Errorf("update: %v", err)
		}
		b.must(b.delete("demo"))
		b.status(*st.StackId, "DELETE_COMPLETE")
		b.expect("calls", b.cloud.take(), nil)

		b.cloud.set("create C", errors.New("no"))
		_, err := b.CreateStack(b.ctx, &cfn.CreateStackInput{StackName: "keep", TemplateBody: shape.Ptr(chain), Capabilities: allCaps, OnFailure: shape.Ptr("DO_NOTHING")})
		b.must(err)
		if st := b.status("keep", "CREATE_FAILED"); *st.StackStatusReason != "The following resource(s) failed to create: [C]." || !*st.DisableRollback {
			t.Errorf("%+v", st)
		}
		if n := len(b.cloud.things()); n != 2 {
			t.Errorf("%d things", n)
		}
		b.cloud.take()
		b.cloud.set("create C", nil)
		b.must(b.update("keep", chain))
		b.status("keep", "UPDATE_COMPLETE")
		b.expect("calls", b.cloud.take(), []string{"create C"})

		b.cloud.set("create C", errors.New("no"))
		out, err := b.CreateStack(b.ctx, &cfn.CreateStackInput{StackName: "away", TemplateBody: shape.Ptr(chain), Capabilities: allCaps, OnFailure: shape.Ptr("DELETE")})
		b.must(err)
		b.status(*out.StackId, "DELETE_COMPLETE")
		if n := len(b.cloud.things()); n != 3 {
			t.Errorf("%d things", n)
		}
	})
}

func TestRejected(t *testing.T) {
	res := func(props string) string {
		return "Resources: {A: {Type: AWS::Logs::LogGroup, Properties: " + props + "}}"
	}
	tests := []struct{ name, tpl, code, want string }{
		{"no template", "", "ValidationError", "1 validation error detected: Value '' at 'templateBody' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"too large", "Resources: {A: {Type: AWS::Logs::LogGroup}} #" + strings.Repeat("x", maxBody), "ValidationError", "Member must have length less than or equal to 51200"},
		{"not a template", "]", "ValidationError", "Template format error"},
		{"cycle", `{"Resources":{"A":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":{"Ref":"B"}}},"B":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":{"Ref":"A"}}}}}`, "ValidationError", "Circular dependency between resources: [A, B]"},
		{"unknown reference", res("{LogGroupName: !Ref Nothing}"), "ValidationError", "Template format error: Unresolved resource dependencies [Nothing] in the Resources block of the template"},
		{"unknown attribute", res("{LogGroupName: x}") + "\nOutputs: {O: {Value: !GetAtt A.Nothing}}", "ValidationError", "Template error: resource A does not support attribute type Nothing in Fn::GetAtt"},
		{"missing parameter", "Parameters: {P: {Type: String}}\n" + res("{LogGroupName: !Ref P}"), "ValidationError", "Parameters: [P] must have values"},
		{"missing stored parameter", "Parameters: {P: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /no}}\n" + res("{LogGroupName: !Ref P}"), "ValidationError", "Unable to fetch parameters [/no] from parameter store for this account."},
		{"unknown type", "Resources: {A: {Type: AWS::EC2::Instance}}", "ValidationError", "Template format error: Unrecognized resource types: [AWS::EC2::Instance]"},
		{"unknown property", res("{Foo: 1}"), "ValidationError", "#: extraneous key [Foo] is not permitted"},
		{"wrong type", res("{RetentionInDays: soon}"), "ValidationError", "#/RetentionInDays: expected type: Integer, found: String"},
		{"missing import", res("{LogGroupName: !ImportValue nobody}"), "ValidationError", "No export named nobody found."},
		{"transform", "Transform: Mine\n" + res("{}"), "ValidationError", "No transform named Mine found."},
		{"serverless", "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function}}", "ValidationError", "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. Number of errors found: 1. Resource with id [F] is invalid. Only one of 'InlineCode' or 'CodeUri' can be set."},
		{"snapshot", "Resources: {A: {Type: AWS::Logs::LogGroup, DeletionPolicy: Snapshot}}", "ValidationError", "Snapshot"},
		{"update policy", "Resources: {A: {Type: AWS::Logs::LogGroup, UpdatePolicy: {X: 1}}}", "ValidationError", "UpdatePolicy of resource A is not supported"},
		{"rule", "Rules: {R: {Assertions: [{Assert: !Equals [a, b], AssertDescription: they differ}]}}\n" + res("{}"), "ValidationError", "they differ"},
		{"dynamic reference", res("{LogGroupName: '{{resolve:secretsmanager:x}}'}"), "ValidationError", "The dynamic reference {{resolve:secretsmanager:x}} is not supported"},
	}
	each(t, func(t *testing.T, b *bench) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				err := b.create("demo", tt.tpl)
				if code(err) != tt.code || !strings.Contains(text(err), tt.want) {
					t.Errorf("got %v, want %s: %s", err, tt.code, tt.want)
				}
			})
		}
		role := `Resources: {A: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}NAME}}}`
		for _, tt := range []struct{ name, need string }{{"", "CAPABILITY_IAM"}, {", RoleName: x", "CAPABILITY_NAMED_IAM"}} {
			_, err := b.CreateStack(b.ctx, &cfn.CreateStackInput{StackName: "demo", TemplateBody: shape.Ptr(strings.Replace(role, "NAME", tt.name, 1))})
			if code(err) != "InsufficientCapabilitiesException" || text(err) != "Requires capabilities : ["+tt.need+"]" {
				t.Errorf("%v", err)
			}
		}
		for name, in := range map[string]*cfn.CreateStackInput{
			"NotificationARNs is not supported":                 {StackName: "x", NotificationARNs: []string{"arn"}},
			"Error validating stack policy: ":                   {StackName: "x", StackPolicyBody: shape.Ptr("{}")},
			"[a-zA-Z][-a-zA-Z0-9]*":                             {StackName: "1x"},
			"Either OnFailure or DisableRollback":               {StackName: "x", OnFailure: shape.Ptr("DELETE"), DisableRollback: shape.Ptr(true)},
			"Either Template URL or Template Body must be":      {StackName: "x"},
			"TemplateURL must be a supported URL":               {StackName: "x", TemplateURL: shape.Ptr("https://example.com/x/y")},
			"aws: prefixed tag key names are not allowed":       {StackName: "x", TemplateBody: shape.Ptr(res("{}")), Tags: []cfn.Tag{{Key: "aws:x"}}},
			"Parameters: [Q] do not exist in the template":      {StackName: "x", TemplateBody: shape.Ptr(res("{}")), Parameters: params("Q=1")},
			"usePreviousValue as true for a parameter key not ": {StackName: "x", TemplateBody: shape.Ptr(res("{}")), Parameters: []cfn.Parameter{{ParameterKey: shape.Ptr("Q"), UsePreviousValue: shape.Ptr(true)}}},
		} {
			if _, err := b.CreateStack(b.ctx, in); code(err) != "ValidationError" || !strings.Contains(text(err), name) {
				t.Errorf("got %v, want %s", err, name)
			}
		}
		list, err := b.ListStacks(b.ctx, &cfn.ListStacksInput{})
		if err != nil || len(list.StackSummaries) > 0 || len(b.cloud.take()) > 0 {
			t.Errorf("something was stored: %+v, %v", list, err)
		}
	})
}

func TestParallel(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var tpl strings.Builder
		tpl.WriteString("Resources:\n")
		for i := range 20 {
			tpl.WriteString("  G" + string(rune('A'+i)) + ": {Type: AWS::Logs::LogGroup}\n")
		}
		b.cloud.delay = 2e6
		b.must(b.create("wide", tpl.String()))
		b.status("wide", "CREATE_COMPLETE")
		if b.cloud.most < 2 || b.cloud.most > parallel {
			t.Errorf("%d handlers at a time", b.cloud.most)
		}
		b.must(b.delete("wide"))
		b.expect("what exists", b.cloud.things(), nil)
	})
}

func TestCancelled(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		tpl := `Resources:
  A: {Type: AWS::Logs::LogGroup}
  B: {Type: AWS::Logs::LogGroup}
  C: {Type: AWS::Logs::LogGroup, DependsOn: A}
`
		met, release := b.cloud.block("create A")
		b.cloud.set("create B", errors.New("no"))
		done := make(chan error)
		go func() { done <- b.create("demo", tpl) }()
		<-met
		for !slices.Contains(b.events("demo"), "A CREATE_FAILED Resource creation cancelled") {
		}
		release()
		b.must(<-done)
		b.status("demo", "ROLLBACK_COMPLETE")
		calls := b.cloud.take()
		slices.Sort(calls)
		b.expect("calls", calls, []string{"create A", "create B", "delete A"})
		b.expect("what exists", b.cloud.things(), nil)
	})
}

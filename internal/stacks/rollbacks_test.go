package stacks

import (
	"errors"
	"strings"
	"testing"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

func TestContinueUpdateRollback(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for _, skip := range [][]string{nil, {"B"}} {
			b.must(b.create("demo", two))
			b.status("demo", "CREATE_COMPLETE")
			b.cloud.set("create X", errors.New("no"))
			b.cloud.set("update B", errors.New("stuck"))
			if _, err := b.ContinueUpdateRollback(b.ctx, &cfn.ContinueUpdateRollbackInput{StackName: "demo"}); !strings.Contains(text(err), "CREATE_COMPLETE state and can not be rolled back") {
				t.Errorf("%v", err)
			}
			b.must(b.update("demo", two, "Group=g2", "Value=v2", "Extra=yes"))
			if st := b.stack("demo"); st.StackStatus != "UPDATE_ROLLBACK_FAILED" {
				t.Fatalf("%s\n%s", st.StackStatus, strings.Join(b.events("demo"), "\n"))
			}
			if _, err := b.ContinueUpdateRollback(b.ctx, &cfn.ContinueUpdateRollbackInput{StackName: "demo", ResourcesToSkip: []string{"Nobody"}}); !strings.Contains(text(err), "Nobody is not in the UPDATE_FAILED state") {
				t.Errorf("%v", err)
			}
			if skip == nil {
				b.cloud.set("update B", nil)
			}
			_, err := b.ContinueUpdateRollback(b.ctx, &cfn.ContinueUpdateRollbackInput{StackName: "demo", ResourcesToSkip: skip, ClientRequestToken: shape.Ptr("t")})
			b.must(err)
			b.status("demo", "UPDATE_ROLLBACK_COMPLETE")
			_, err = b.ContinueUpdateRollback(b.ctx, &cfn.ContinueUpdateRollbackInput{StackName: "demo", ClientRequestToken: shape.Ptr("t")})
			b.must(err)
			if things := b.cloud.things(); len(things) != 2 {
				t.Errorf("there are %v", things)
			}
			b.cloud.set("update B", nil)
			b.cloud.set("create X", nil)
			b.must(b.update("demo", two, "Group=g2", "Value=v2", "Extra=yes"))
			b.status("demo", "UPDATE_COMPLETE")
			b.must(b.delete("demo"))
			b.expect("what exists", b.cloud.things(), nil)
		}
	})
}

func TestRollbackStack(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.cloud.set("create X", errors.New("no"))
		_, err := b.CreateStack(b.ctx, &cfn.CreateStackInput{StackName: "demo", TemplateBody: shape.Ptr(two), Parameters: params("Extra=yes"), Capabilities: allCaps, DisableRollback: shape.Ptr(true)})
		b.must(err)
		b.status("demo", "CREATE_FAILED")
		_, err = b.RollbackStack(b.ctx, &cfn.RollbackStackInput{StackName: "demo"})
		b.must(err)
		b.status("demo", "ROLLBACK_COMPLETE")
		b.expect("what exists", b.cloud.things(), nil)
		b.must(b.delete("demo"))

		b.must(b.create("demo", two))
		_, err = b.UpdateStack(b.ctx, &cfn.UpdateStackInput{StackName: "demo", TemplateBody: shape.Ptr(two), Parameters: params("Group=g2", "Value=v2", "Extra=yes"), Capabilities: allCaps, DisableRollback: shape.Ptr(true)})
		b.must(err)
		b.status("demo", "UPDATE_FAILED")
		_, err = b.RollbackStack(b.ctx, &cfn.RollbackStackInput{StackName: "demo"})
		b.must(err)
		b.status("demo", "UPDATE_ROLLBACK_COMPLETE")
		if things := b.cloud.things(); len(things) != 2 {
			t.Errorf("there are %v", things)
		}
	})
}

func TestStackPolicy(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.must(b.create("demo", two, "Extra=yes"))
		const policy = `{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
			{"Effect": "Deny", "Principal": "*", "Action": ["Update:Modify", "Update:Delete"], "Resource": "LogicalResourceId/B"},
			{"Effect": "Deny", "Principal": "*", "Action": "Update:Replace", "Resource": "*", "Condition": {"StringEquals": {"ResourceType": ["AWS::Logs::LogGroup"]}}}]}`
		_, err := b.SetStackPolicy(b.ctx, &cfn.SetStackPolicyInput{StackName: "demo", StackPolicyBody: shape.Ptr(policy)})
		b.must(err)
		got, err := b.GetStackPolicy(b.ctx, &cfn.GetStackPolicyInput{StackName: "demo"})
		if err != nil || *got.StackPolicyBody != policy {
			t.Errorf("%v, %v", got, err)
		}
		b.must(b.update("demo", two, "Value=v2", "Extra=yes"))
		b.status("demo", "UPDATE_ROLLBACK_COMPLETE")
		if all := strings.Join(b.events("demo"), "\n"); !strings.Contains(all, "B UPDATE_FAILED Action denied by stack policy: Statement [#2] does not allow [Update:Modify] for resource [LogicalResourceId/B];") {
			t.Error(all)
		}
		b.must(b.update("demo", two, "Group=g2", "Extra=yes"))
		b.status("demo", "UPDATE_ROLLBACK_COMPLETE")
		if all := strings.Join(b.events("demo"), "\n"); !strings.Contains(all, "Statement [#3] does not allow [Update:Replace] for resource [LogicalResourceId/A];") {
			t.Error(all)
		}
		_, err = b.UpdateStack(b.ctx, &cfn.UpdateStackInput{StackName: "demo", TemplateBody: shape.Ptr(two), Parameters: params("Value=v2", "Extra=yes"), Capabilities: allCaps,
			StackPolicyDuringUpdateBody: shape.Ptr(`{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}}`)})
		if err == nil || !strings.Contains(text(err), "Error validating stack policy") {
			t.Errorf("a statement that is no list: %v", err)
		}
		_, err = b.UpdateStack(b.ctx, &cfn.UpdateStackInput{StackName: "demo", TemplateBody: shape.Ptr(two), Parameters: params("Value=v2", "Extra=yes"), Capabilities: allCaps,
			StackPolicyDuringUpdateBody: shape.Ptr(`{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}]}`)})
		b.must(err)
		b.status("demo", "UPDATE_COMPLETE")
	})
}

func TestDrift(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.must(b.create("demo", two))
		d, err := b.DetectStackDrift(b.ctx, &cfn.DetectStackDriftInput{StackName: "demo"})
		b.must(err)
		st, err := b.DescribeStackDriftDetectionStatus(b.ctx, &cfn.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: d.StackDriftDetectionId})
		if err != nil || st.DetectionStatus != "DETECTION_FAILED" || *st.StackDriftStatus != "NOT_CHECKED" {
			t.Errorf("%+v, %v", st, err)
		}
		list, err := b.DescribeStackResourceDrifts(b.ctx, &cfn.DescribeStackResourceDriftsInput{StackName: "demo"})
		if err != nil || len(list.StackResourceDrifts) != 2 || list.StackResourceDrifts[0].StackResourceDriftStatus != "NOT_CHECKED" {
			t.Errorf("%+v, %v", list, err)
		}
		typ, err := b.DescribeType(b.ctx, &cfn.DescribeTypeInput{Type: shape.Ptr("RESOURCE"), TypeName: shape.Ptr("AWS::Logs::LogGroup")})
		if err != nil || *typ.Arn != "arn:aws:cloudformation:us-east-1::type/resource/AWS-Logs-LogGroup" || !strings.Contains(*typ.Schema, `"LogGroupName"`) {
			t.Errorf("%+v, %v", typ, err)
		}
		if _, err := b.DescribeType(b.ctx, &cfn.DescribeTypeInput{Type: shape.Ptr("RESOURCE"), TypeName: shape.Ptr("AWS::No::Type")}); code(err) != "TypeNotFoundException" {
			t.Errorf("%v", err)
		}
		types, err := b.ListTypes(b.ctx, &cfn.ListTypesInput{Visibility: shape.Ptr("PUBLIC")})
		if err != nil || len(types.TypeSummaries) < 5 {
			t.Errorf("%+v, %v", types, err)
		}
	})
}

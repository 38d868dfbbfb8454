package stacks

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// two is a stack of two: Kind decides on what is replaced, Value on what is updated.
const two = `
Parameters:
  Group: {Type: String, Default: g1}
  Value: {Type: String, Default: v1}
  Extra: {Type: String, Default: "no"}
Conditions:
  HasExtra: !Equals [!Ref Extra, "yes"]
Resources:
  A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref Group}}
  B: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub "${A}/${Value}"}}
  X: {Type: AWS::Logs::LogGroup, Condition: HasExtra, DependsOn: B}
Outputs:
  Out: {Value: !GetAtt A.Arn}
`

func TestUpdate(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.must(b.create("demo", two))
		b.status("demo", "CREATE_COMPLETE")
		b.cloud.take()

		if err := b.update("demo", two); code(err) != "ValidationError" || text(err) != "No updates are to be performed." {
			t.Errorf("nothing changed: %v", err)
		}
		if err := b.update("demo", "# another comment\n"+two); text(err) != "No updates are to be performed." {
			t.Errorf("a comment changed: %v", err)
		}
		if err := b.update("other", two); text(err) != "Stack [other] does not exist" {
			t.Errorf("no stack: %v", err)
		}

		n := len(b.events("demo"))
		b.must(b.update("demo", two, "Value=v2"))
		st := b.status("demo", "UPDATE_COMPLETE")
		if st.LastUpdatedTime == nil {
			t.Error("no time of update")
		}
		b.expect("calls", b.cloud.take(), []string{"update B"})
		if r := b.cloud.seen["update B"]; r.Props["Value"] != "A-1/v2" || r.OldProps["Value"] != "A-1/v1" || r.PhysicalID != "B-2" {
			t.Errorf("request %+v", r)
		}
		b.expect("events", b.events("demo")[n:], []string{
			"demo UPDATE_IN_PROGRESS User Initiated", "B UPDATE_IN_PROGRESS", "B UPDATE_COMPLETE",
			"demo UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "demo UPDATE_COMPLETE",
		})

		// A is replaced, B follows, the old A goes last; parameters that are not given have their defaults.
		n = len(b.events("demo"))
		b.must(b.update("demo", two, "Group=g2"))
		st = b.status("demo", "UPDATE_COMPLETE")
		b.expect("calls", b.cloud.take(), []string{"create A", "update B", "delete A"})
		b.expect("what exists", b.cloud.things(), []string{"A-3", "B-2"})
		if *st.Outputs[0].OutputValue != "arn:A-3" {
			t.Errorf("outputs %+v", st.Outputs)
		}
		b.expect("events", b.events("demo")[n+1:], []string{
			"A UPDATE_IN_PROGRESS Requested update requires the creation of a new physical resource; hence creating one.",
			"A UPDATE_IN_PROGRESS Resource creation Initiated", "A UPDATE_COMPLETE", "B UPDATE_IN_PROGRESS", "B UPDATE_COMPLETE",
			"demo UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "A DELETE_IN_PROGRESS", "A DELETE_COMPLETE", "demo UPDATE_COMPLETE",
		})

		// What comes and goes.
		in := &cfn.UpdateStackInput{StackName: "demo", UsePreviousTemplate: shape.Ptr(true), Parameters: []cfn.Parameter{
			{ParameterKey: shape.Ptr("Group"), UsePreviousValue: shape.Ptr(true)}, {ParameterKey: shape.Ptr("Extra"), ParameterValue: shape.Ptr("yes")},
		}}
		if _, err := b.UpdateStack(b.ctx, in); err != nil {
			t.Fatal(err)
		}
		b.status("demo", "UPDATE_COMPLETE")
		b.expect("calls", b.cloud.take(), []string{"create X"})
		b.must(b.update("demo", two, "Group=g2"))
		b.status("demo", "UPDATE_COMPLETE")
		b.expect("calls", b.cloud.take(), []string{"delete X"})
		b.expect("resources", b.resources("demo"), []string{"A A-3 UPDATE_COMPLETE", "B B-2 UPDATE_COMPLETE"})

		// Tags alone reach the resources that can have tags.
		tagged := &cfn.UpdateStackInput{StackName: "demo", UsePreviousTemplate: shape.Ptr(true), Parameters: params("Group=g2"), Tags: []cfn.Tag{{Key: "team", Value: "x"}}}
		if _, err := b.UpdateStack(b.ctx, tagged); err != nil {
			t.Fatal(err)
		}
		b.status("demo", "UPDATE_COMPLETE")
		calls := b.cloud.take()
		slices.Sort(calls)
		b.expect("calls", calls, []string{"update A", "update B"})
		if b.cloud.seen["update A"].Tags["team"] != "x" {
			t.Errorf("%+v", b.cloud.seen["update A"].Tags)
		}
		if _, err := b.UpdateStack(b.ctx, tagged); text(err) != "No updates are to be performed." {
			t.Errorf("same tags: %v", err)
		}

		// Only an output, only metadata.
		b.must(b.update("demo", two+"  More: {Value: x}\n", "Group=g2"))
		if st := b.status("demo", "UPDATE_COMPLETE"); len(st.Outputs) != 2 {
			t.Errorf("outputs %+v", st.Outputs)
		}
		b.must(b.update("demo", strings.Replace(two, "LogGroup, Properties", "LogGroup, Metadata: {a: 1}, Properties", 1), "Group=g2"))
		b.status("demo", "UPDATE_COMPLETE")
		got, err := b.DescribeStackResource(b.ctx, &cfn.DescribeStackResourceInput{StackName: "demo", LogicalResourceId: "A"})
		if err != nil || *got.StackResourceDetail.Metadata != `{"a":1}` {
			t.Errorf("%+v, %v", got, err)
		}
		b.expect("calls", b.cloud.take(), nil)

		if err := b.update("demo", strings.Replace(two, "A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref Group}}", "A: {Type: AWS::Cognito::UserPool}", 1)); text(err) != "Update of resource type is not permitted. The new template modifies resource type of the following resources: [A]" {
			t.Errorf("another type: %v", err)
		}
	})
}

func TestUpdateFails(t *testing.T) {
	three := strings.Replace(two, "Outputs:", "  Z: {Type: AWS::SSM::Parameter, DependsOn: [A, B], Metadata: {After: !If [HasExtra, !Ref X, none]}, Properties: {Type: String, Value: !Ref Value}}\nOutputs:", 1)
	each(t, func(t *testing.T, b *bench) {
		b.must(b.create("demo", three))
		b.status("demo", "CREATE_COMPLETE")
		before := b.cloud.things()
		b.cloud.take()
		n := len(b.events("demo"))
		b.cloud.set("update Z", errors.New("Z does not like it"))
		unlike := b.cloud.exists["B-2"]
		met, release := b.cloud.block("update Z")
		go func() { <-met; b.cloud.set("update Z", nil); release() }()
		b.must(b.update("demo", three, "Group=g2", "Extra=yes", "Value=v2"))
		st := b.status("demo", "UPDATE_ROLLBACK_COMPLETE")
		// Z failed with the error that was set when it was called, and is updated back.
		b.expect("calls", b.cloud.take(), []string{"create A", "update B", "create X", "update Z", "update B", "update Z", "delete X", "delete A"})
		b.expect("what exists", b.cloud.things(), before)
		if got := b.cloud.exists["B-2"]["Value"]; got != unlike["Value"] {
			t.Errorf("B is %v, was %v", got, unlike["Value"])
		}
		if *st.Outputs[0].OutputValue != "arn:A-1" || *st.Parameters[0].ParameterValue != "g1" {
			t.Errorf("%+v", st)
		}
		events := b.events("demo")[n:]
		for _, want := range []string{
			"Z UPDATE_FAILED Z does not like it", "demo UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to update: [Z].",
			"demo UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "X DELETE_COMPLETE", "A DELETE_COMPLETE", "demo UPDATE_ROLLBACK_COMPLETE",
		} {
			if !slices.Contains(events, want) {
				t.Errorf("no event %q in\n%s", want, strings.Join(events, "\n"))
			}
		}
		b.expect("resources", b.resources("demo"), []string{"A A-1 UPDATE_COMPLETE", "B B-2 UPDATE_COMPLETE", "Z Z-3 UPDATE_COMPLETE"})
		got, err := b.GetTemplate(b.ctx, &cfn.GetTemplateInput{StackName: shape.Ptr("demo")})
		if err != nil || *got.TemplateBody != three {
			t.Errorf("%v", err)
		}
		b.must(b.update("demo", three, "Group=g2", "Extra=yes", "Value=v2"))
		b.status("demo", "UPDATE_COMPLETE")

		// A rollback that fails too.
		b.cloud.take()
		b.cloud.set("create A", errors.New("no A"))
		b.cloud.set("update Z", errors.New("no Z"))
		b.must(b.update("demo", three, "Group=g2", "Extra=yes", "Value=v3"))
		if st := b.status("demo", "UPDATE_ROLLBACK_FAILED"); *st.StackStatusReason != "The following resource(s) failed to update: [Z]." {
			t.Errorf("%s", *st.StackStatusReason)
		}
		if err := b.update("demo", three); !strings.Contains(text(err), "UPDATE_ROLLBACK_FAILED state and can not be updated") {
			t.Errorf("%v", err)
		}
		b.must(b.delete("demo"))
		b.expect("what exists", b.cloud.things(), nil)
	})
}

func TestUpdateKeepsFailed(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.must(b.create("demo", two))
		b.cloud.take()
		b.cloud.set("update B", errors.New("no"))
		in := &cfn.UpdateStackInput{StackName: "demo", TemplateBody: shape.Ptr(two), Parameters: params("Group=g2"), DisableRollback: shape.Ptr(true)}
		_, err := b.UpdateStack(b.ctx, in)
		b.must(err)
		b.status("demo", "UPDATE_FAILED")
		b.expect("calls", b.cloud.take(), []string{"create A", "update B"})
		// Further on: A is replaced once more, B tried again; both former As go.
		b.cloud.set("update B", nil)
		b.must(b.update("demo", two, "Group=g3"))
		b.status("demo", "UPDATE_COMPLETE")
		b.expect("what exists", b.cloud.things(), []string{"A-4", "B-2"})
		// And back to the last good state after two failures.
		b.cloud.set("update B", errors.New("no"))
		in.Parameters = params("Group=g4")
		_, err = b.UpdateStack(b.ctx, in)
		b.must(err)
		b.status("demo", "UPDATE_FAILED")
		met, release := b.cloud.block("update B")
		go func() { <-met; b.cloud.set("update B", nil); release() }()
		b.must(b.update("demo", two, "Group=g5"))
		b.status("demo", "UPDATE_ROLLBACK_COMPLETE")
		b.expect("what exists", b.cloud.things(), []string{"A-4", "B-2"})
		if v := b.cloud.exists["B-2"]["Value"]; v != "A-4/v1" {
			t.Errorf("B is %v", v)
		}
	})
}

func TestPolicies(t *testing.T) {
	tpl := `
Parameters: {G: {Type: String, Default: g1}}
Resources:
  Keep: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain, UpdateReplacePolicy: Retain, Properties: {LogGroupName: !Ref G}}
  Except: {Type: AWS::Logs::LogGroup, DeletionPolicy: RetainExceptOnCreate}
  Gone: {Type: AWS::Logs::LogGroup}
  Last: {Type: AWS::Logs::LogGroup, DependsOn: [Keep, Except, Gone]}
`
	each(t, func(t *testing.T, b *bench) {
		b.cloud.set("create Last", errors.New("no"))
		b.must(b.create("demo", tpl))
		b.status("demo", "ROLLBACK_COMPLETE")
		if left := b.cloud.things(); len(left) != 1 || !strings.HasPrefix(left[0], "Keep-") {
			t.Errorf("left after the rollback: %v", left)
		}
		if !slices.Contains(b.events("demo"), "Keep DELETE_SKIPPED") {
			t.Errorf("%v", b.events("demo"))
		}
		b.must(b.delete("demo"))
		b.cloud.set("create Last", nil)
		b.must(b.create("demo", tpl))
		b.must(b.update("demo", tpl, "G=g2"))
		b.status("demo", "UPDATE_COMPLETE")
		b.must(b.delete("demo"))
		if left := b.cloud.things(); len(left) != 4 { // Keep three times, Except
			t.Errorf("left after the deletion: %v", left)
		}
	})
}

func TestDeleteFails(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.must(b.create("demo", chain))
		id := *b.status("demo", "CREATE_COMPLETE").StackId
		for _, in := range []*cfn.DeleteStackInput{{StackName: "demo", RetainResources: []string{"A"}}, {StackName: "demo", DeletionMode: shape.Ptr("FORCE_DELETE_STACK")}} {
			if _, err := b.DeleteStack(b.ctx, in); !strings.HasPrefix(text(err), "Invalid operation on stack [arn:") {
				t.Errorf("%v", err)
			}
		}
		b.cloud.take()
		b.cloud.set("delete B", errors.New("still in use"))
		b.must(b.delete("demo"))
		if st := b.status("demo", "DELETE_FAILED"); *st.StackStatusReason != "The following resource(s) failed to delete: [B]." {
			t.Errorf("%s", *st.StackStatusReason)
		}
		b.expect("calls", b.cloud.take(), []string{"delete C", "delete B"})
		b.expect("resources", b.resources("demo"), []string{"A A-1 CREATE_COMPLETE", "B B-2 DELETE_FAILED", "C C-3 DELETE_COMPLETE"})
		if _, err := b.DeleteStack(b.ctx, &cfn.DeleteStackInput{StackName: "demo", RetainResources: []string{"C"}}); !strings.Contains(text(err), "Do not specify resources that are in the DELETE_COMPLETE state.") {
			t.Errorf("%v", err)
		}
		_, err := b.DeleteStack(b.ctx, &cfn.DeleteStackInput{StackName: "demo", RetainResources: []string{"B"}})
		b.must(err)
		b.status(id, "DELETE_COMPLETE")
		b.expect("what exists", b.cloud.things(), []string{"B-2"})

		b.must(b.create("demo", chain))
		id = *b.status("demo", "CREATE_COMPLETE").StackId
		b.must(b.delete("demo"))
		b.status("demo", "DELETE_FAILED")
		_, err = b.DeleteStack(b.ctx, &cfn.DeleteStackInput{StackName: "demo", DeletionMode: shape.Ptr("FORCE_DELETE_STACK")})
		b.must(err)
		b.status(id, "DELETE_COMPLETE")
		b.expect("what exists", b.cloud.things(), []string{"B-2", "B-5"})
	})
}

func TestTerminationProtection(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.must(b.create("demo", chain))
		set := func(on bool) {
			_, err := b.UpdateTerminationProtection(b.ctx, &cfn.UpdateTerminationProtectionInput{StackName: "demo", EnableTerminationProtection: on})
			b.must(err)
		}
		set(true)
		if err := b.delete("demo"); text(err) != "Stack [demo] cannot be deleted while TerminationProtection is enabled" {
			t.Errorf("%v", err)
		}
		set(false)
		b.must(b.delete("demo"))
	})
}

func TestExports(t *testing.T) {
	from := `
Parameters: {G: {Type: String, Default: g1}}
Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref G}}}
Outputs: {O: {Value: !GetAtt A.Arn, Export: {Name: shared}}}
`
	to := `Resources: {P: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !ImportValue shared}}}`
	each(t, func(t *testing.T, b *bench) {
		if err := b.create("to", to); text(err) == "" || !strings.HasPrefix(text(err), "No export named shared found.") {
			t.Errorf("%v", err)
		}
		b.must(b.create("from", from))
		if err := b.create("twin", from); text(err) != "Export with name shared is already exported by stack from" {
			t.Errorf("%v", err)
		}
		if _, err := b.ListImports(b.ctx, &cfn.ListImportsInput{ExportName: "shared"}); text(err) != "Export 'shared' is not imported by any stack." {
			t.Errorf("%v", err)
		}
		b.must(b.create("to", to))
		b.must(b.create("too", to))
		if v := b.cloud.seen["create P"].Props["Value"]; v != "arn:A-1" {
			t.Errorf("imported %v", v)
		}
		exports, err := b.ListExports(b.ctx, &cfn.ListExportsInput{})
		if err != nil || len(exports.Exports) != 1 || *exports.Exports[0].Value != "arn:A-1" || *exports.Exports[0].Name != "shared" {
			t.Errorf("%+v, %v", exports, err)
		}
		imports, err := b.ListImports(b.ctx, &cfn.ListImportsInput{ExportName: "shared"})
		if err != nil || !slices.Equal(imports.Imports, []string{"to", "too"}) {
			t.Errorf("%+v, %v", imports, err)
		}
		if err := b.delete("from"); text(err) != "Export shared cannot be deleted as it is in use by to and too" {
			t.Errorf("%v", err)
		}
		if err := b.update("from", strings.Replace(from, ", Export: {Name: shared}", "", 1)); text(err) != "Export shared cannot be deleted as it is in use by to and too" {
			t.Errorf("%v", err)
		}
		// That the value changes is known only after the replacement: the update is rolled back.
		b.must(b.update("from", from, "G=g2"))
		if st := b.status("from", "UPDATE_ROLLBACK_COMPLETE"); *st.Outputs[0].OutputValue != "arn:A-1" {
			t.Errorf("%+v", st.Outputs)
		}
		if !slices.Contains(b.events("from"), "from UPDATE_ROLLBACK_IN_PROGRESS Cannot update export shared as it is in use by to and too") {
			t.Errorf("%s", strings.Join(b.events("from"), "\n"))
		}
		b.must(b.delete("to"))
		b.must(b.update("too", strings.Replace(to, "!ImportValue shared", "x", 1)))
		b.must(b.update("from", from, "G=g2"))
		b.status("from", "UPDATE_COMPLETE")
		b.must(b.delete("from"))
		if exports, _ = b.ListExports(b.ctx, &cfn.ListExportsInput{}); len(exports.Exports) != 0 {
			t.Errorf("%+v", exports)
		}
	})
}

func TestConcurrent(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		errs := make(chan error, 10)
		for range cap(errs) {
			go func() { errs <- b.create("demo", chain) }()
		}
		made := 0
		for range cap(errs) {
			switch err := <-errs; {
			case err == nil:
				made++
			case code(err) != "AlreadyExistsException" || text(err) != "Stack [demo] already exists":
				t.Error(err)
			}
		}
		if made != 1 {
			t.Errorf("%d stacks", made)
		}
		id := *b.status("demo", "CREATE_COMPLETE").StackId

		met, release := b.cloud.block("create A")
		go func() { errs <- b.update("demo", chain, "Value=two") }()
		<-met
		if err := b.update("demo", chain, "Value=three"); text(err) != "Stack:"+id+" is in UPDATE_IN_PROGRESS state and can not be updated." {
			t.Errorf("%v", err)
		}
		if err := b.delete("demo"); text(err) != "Stack ["+id+"] cannot be deleted while in status UPDATE_IN_PROGRESS" {
			t.Errorf("%v", err)
		}
		b.cloud.take()
		_, err := b.CancelUpdateStack(b.ctx, &cfn.CancelUpdateStackInput{StackName: "demo"})
		b.must(err)
		for !slices.Contains(b.events("demo"), "A UPDATE_FAILED Resource update cancelled") {
		}
		release()
		b.must(<-errs)
		b.status("demo", "UPDATE_ROLLBACK_COMPLETE")
		b.expect("calls", b.cloud.take(), []string{"delete A"})
		if _, err := b.CancelUpdateStack(b.ctx, &cfn.CancelUpdateStackInput{StackName: "demo"}); text(err) != "CancelUpdateStack cannot be called from current stack status" {
			t.Errorf("%v", err)
		}

		// Deleting a stack while it is made stops that.
		met, release = b.cloud.block("create B")
		go func() { errs <- b.create("early", chain) }()
		<-met
		early := *b.stack0("early").StackId
		go func() { errs <- b.delete("early") }()
		for !slices.Contains(b.events(early), "B CREATE_FAILED Resource creation cancelled") {
		}
		release()
		b.must(<-errs)
		b.must(<-errs)
		b.status(early, "DELETE_COMPLETE")
		b.expect("what exists", b.cloud.things(), []string{"A-1", "B-2", "C-3"})
	})
}

// stack0 describes a stack without waiting.
func (b *bench) stack0(name string) cfn.Stack {
	b.t.Helper()
	out, err := b.DescribeStacks(b.ctx, &cfn.DescribeStacksInput{StackName: &name})
	if err != nil {
		b.t.Fatal(err)
	}
	return out.Stacks[0]
}

// TestOneAfterAnother begins an operation as soon as the one before can be seen to be complete, and
// before its goroutine knows.
func TestOneAfterAnother(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		done := make(chan error, 1)
		var once sync.Once
		b.o.DB.OnChange(stacks.Name, func(id string) {
			if id != "" && b.stack0(id).StackStatus == "CREATE_COMPLETE" {
				once.Do(func() {
					go func() { done <- b.delete("demo") }()
					for b.stack0(id).StackStatus == "CREATE_COMPLETE" {
						time.Sleep(time.Millisecond)
					}
					time.Sleep(5 * time.Millisecond)
				})
			}
		})
		out, err := b.CreateStack(b.ctx, &cfn.CreateStackInput{StackName: "demo", TemplateBody: shape.Ptr(chain), Capabilities: allCaps})
		b.must(err)
		b.must(<-done)
		b.status(*out.StackId, "DELETE_COMPLETE")
		b.expect("what exists", b.cloud.things(), nil)
	})
}

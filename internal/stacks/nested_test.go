package stacks

import (
	"errors"
	"strings"
	"testing"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

const (
	nestedChild = `
Parameters: {Value: {Type: String}}
Resources:
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref Value}}
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}, Description: !Ref Value}}
Outputs: {Group: {Value: !Ref Group}, Value: {Value: !Ref Value}}
`
	nestedParent = `
Parameters: {Value: {Type: String, Default: one}, Last: {Type: String, Default: x}}
Resources:
  Child:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: "http://127.0.0.1/b/child", Parameters: {Value: !Ref Value}, Tags: [{Key: own, Value: tag}]}
  After: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub "${Child.Outputs.Group}-${Last}"}}
Outputs: {Group: {Value: !GetAtt Child.Outputs.Group}, Child: {Value: !Ref Child}}
`
)

func TestNestedStack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		files := objects{"b/child": nestedChild}
		b := open(t, db, newCloud(), func(o *Options) { o.Objects = files })
		b.must(b.create("top", nestedParent))
		top := b.status("top", "CREATE_COMPLETE")
		id := *top.Outputs[1].OutputValue
		child := b.status(id, "CREATE_COMPLETE")
		if !strings.HasPrefix(*top.Outputs[0].OutputValue, "Group-") || *child.ParentId != *top.StackId || *child.RootId != *top.StackId ||
			!strings.HasPrefix(child.StackName, "top-Child-") || len(child.StackName) != len("top-Child-")+12 || child.Tags[0].Key != "own" {
			t.Errorf("top %+v\nchild %+v", top, child)
		}
		b.cloud.take()

		b.must(b.update("top", nestedParent, "Value=two"))
		b.status("top", "UPDATE_COMPLETE")
		child = b.status(id, "UPDATE_COMPLETE")
		if *child.Parameters[0].ParameterValue != "two" {
			t.Errorf("%+v", child)
		}

		// What fails after the child was updated takes the child back, whatever its address holds now.
		b.cloud.set("update After", errors.New("no"))
		files["b/child"] = strings.Replace(nestedChild, "Outputs:", "  More: {Type: AWS::Cognito::UserPool}\nOutputs:", 1)
		b.must(b.update("top", nestedParent, "Value=three", "Last=y"))
		b.status("top", "UPDATE_ROLLBACK_FAILED") // After cannot go back either
		child = b.status(id, "UPDATE_COMPLETE")
		if *child.Parameters[0].ParameterValue != "two" || len(b.resources(id)) != 2 {
			t.Errorf("%+v, %v", child, b.resources(id))
		}
		b.cloud.set("update After", nil)

		b.must(b.delete("top"))
		b.status(id, "DELETE_COMPLETE")
		b.expect("what exists", b.cloud.things(), nil)
	})
}

func TestNestedStackFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		files := objects{"b/child": nestedChild}
		b := open(t, db, newCloud(), func(o *Options) { o.Objects = files })
		b.cloud.set("create Role", errors.New("no role"))
		b.must(b.create("top", nestedParent))
		b.status("top", "ROLLBACK_COMPLETE")
		if all := strings.Join(b.events("top"), "\n"); !strings.Contains(all, "Child CREATE_FAILED Embedded stack arn:aws:cloudformation:us-east-1:000000000000:stack/top-Child-") ||
			!strings.Contains(all, "was not successfully created: The following resource(s) failed to create: [") || !strings.Contains(all, "Child DELETE_COMPLETE") {
			t.Error(all)
		}
		b.expect("what exists", b.cloud.things(), nil)
		b.must(b.delete("top"))

		b.cloud.set("create Role", nil)
		b.must(b.create("top", nestedParent))
		top := b.status("top", "CREATE_COMPLETE")
		b.cloud.set("update Role", errors.New("no update"))
		_, err := b.UpdateStack(b.ctx, &cfn.UpdateStackInput{StackName: "top", UsePreviousTemplate: shape.Ptr(true), Parameters: params("Value=two"), Capabilities: allCaps})
		b.must(err)
		// The child cannot take back its own update.
		b.status(*top.Outputs[1].OutputValue, "UPDATE_ROLLBACK_FAILED")
		b.stack("top")

		// A child needs the capabilities that its parent was given, and a template that is there.
		none := strings.Replace(nestedParent, "b/child", "b/none", 1)
		b.must(b.create("none", none))
		b.status("none", "ROLLBACK_COMPLETE")
		_, err = b.CreateStack(b.ctx, &cfn.CreateStackInput{StackName: "caps", TemplateBody: shape.Ptr(nestedParent)})
		b.must(err)
		b.status("caps", "ROLLBACK_COMPLETE")
		if all := strings.Join(b.events("caps"), "\n"); !strings.Contains(all, "Requires capabilities : [CAPABILITY_IAM]") {
			t.Error(all)
		}
	})
}

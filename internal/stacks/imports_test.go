package stacks

import (
	"slices"
	"strings"
	"testing"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

const importTemplate = `
Resources:
  Group: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain, Properties: {LogGroupName: there}}
`

func TestImport(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		plan := func(stack, name, typ, tpl, physical string) (*cfn.CreateChangeSetOutput, error) {
			in := &cfn.CreateChangeSetInput{StackName: stack, ChangeSetName: name, ChangeSetType: &typ, TemplateBody: &tpl}
			if typ == "IMPORT" {
				in.ResourcesToImport = []cfn.ResourceToImport{{ResourceType: "AWS::Logs::LogGroup", LogicalResourceId: "Group", ResourceIdentifier: map[string]string{"LogGroupName": physical}}}
			}
			return b.CreateChangeSet(b.ctx, in)
		}
		b.cloud.exists["there"] = map[string]any{}
		for want, tpl := range map[string]string{
			"Resources [Group] is missing DeletionPolicy attribute in template":               strings.Replace(importTemplate, "DeletionPolicy: Retain, ", "", 1),
			"You have modified resources [More] in your template that are not being imported": importTemplate + "  More: {Type: AWS::Logs::LogGroup}\n",
			"[Group] is not a resource that the template adds":                                strings.Replace(importTemplate, "Group:", "Other:", 1),
		} {
			if _, err := plan("demo", "bad", "IMPORT", tpl, "there"); !strings.Contains(text(err), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		out, err := plan("demo", "take", "IMPORT", importTemplate, "there")
		b.must(err)
		c, err := b.DescribeChangeSet(b.ctx, &cfn.DescribeChangeSetInput{ChangeSetName: *out.Id})
		if err != nil || *c.Changes[0].ResourceChange.Action != "Import" || *c.Changes[0].ResourceChange.PhysicalResourceId != "there" {
			t.Errorf("%+v, %v", c, err)
		}
		_, err = b.ExecuteChangeSet(b.ctx, &cfn.ExecuteChangeSetInput{ChangeSetName: *out.Id})
		b.must(err)
		b.status("demo", "IMPORT_COMPLETE")
		b.expect("events", b.events("demo")[1:], []string{"demo IMPORT_IN_PROGRESS User Initiated", "Group IMPORT_IN_PROGRESS", "Group IMPORT_IN_PROGRESS Resource import started.", "Group IMPORT_COMPLETE", "demo IMPORT_COMPLETE"})
		b.expect("calls", b.cloud.take(), []string{"update Group"})

		// What another stack has, and what is not there, cannot be imported.
		for physical, want := range map[string]string{"there": "Resource there already exists in stack", "nowhere": "gone: nowhere"} {
			out, err := plan("other-"+physical, "take", "IMPORT", importTemplate, physical)
			b.must(err)
			_, err = b.ExecuteChangeSet(b.ctx, &cfn.ExecuteChangeSetInput{ChangeSetName: *out.Id})
			b.must(err)
			b.status("other-"+physical, "IMPORT_ROLLBACK_COMPLETE")
			if all := strings.Join(b.events("other-"+physical), "\n"); !strings.Contains(all, "Group IMPORT_FAILED "+want) {
				t.Error(all)
			}
		}
		if !slices.Contains(b.cloud.things(), "there") {
			t.Error("the rollback of an import has deleted what was there")
		}
		b.must(b.delete("demo"))

		// A creation that meets what is there takes it, if it may.
		b.cloud.set("create Group", cfnExists)
		in := &cfn.CreateChangeSetInput{StackName: "meets", ChangeSetName: "c", ChangeSetType: shape.Ptr("CREATE"), TemplateBody: shape.Ptr(importTemplate), ImportExistingResources: shape.Ptr(true)}
		out, err = b.CreateChangeSet(b.ctx, in)
		b.must(err)
		_, err = b.ExecuteChangeSet(b.ctx, &cfn.ExecuteChangeSetInput{ChangeSetName: *out.Id})
		b.must(err)
		b.status("meets", "CREATE_COMPLETE")
		b.expect("resources", b.resources("meets"), []string{"Group there CREATE_COMPLETE"})
	})
}

var cfnExists = shape.Errorf("ResourceAlreadyExistsException", 400, "The specified log group already exists")

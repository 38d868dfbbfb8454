package stacks

import (
	"strings"
	"testing"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// layered has two transforms, of which one finds nothing to do.
const layered = `
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Parameters: {Names: {Type: CommaDelimitedList, Default: "X,Y"}}
Resources:
  Fn::ForEach::All:
  - Name
  - !Ref Names
  - Group${Name}: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref Name}}
`

func TestTransforms(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		tpl := layered
		in := &cfn.CreateStackInput{StackName: "demo", TemplateBody: &tpl}
		if _, err := b.CreateStack(b.ctx, in); text(err) != "Requires capabilities : [CAPABILITY_AUTO_EXPAND]" {
			t.Errorf("without the capability: %v", err)
		}
		valid, err := b.ValidateTemplate(b.ctx, &cfn.ValidateTemplateInput{TemplateBody: &tpl})
		if err != nil || len(valid.DeclaredTransforms) != 2 || strings.Join(valid.Capabilities, "") != "CAPABILITY_AUTO_EXPAND" {
			t.Errorf("%+v, %v", valid, err)
		}
		in.Capabilities = allCaps
		if _, err := b.CreateStack(b.ctx, in); err != nil {
			t.Fatal(err)
		}
		b.status("demo", "CREATE_COMPLETE")
		made := strings.Join(b.resources("demo"), " ")
		if !strings.Contains(made, "GroupX GroupX-") || !strings.Contains(made, "GroupY GroupY-") {
			t.Errorf("made %s", made)
		}
		get := func(stage *string) string {
			got, err := b.GetTemplate(b.ctx, &cfn.GetTemplateInput{StackName: shape.Ptr("demo"), TemplateStage: stage})
			if err != nil {
				t.Fatal(err)
			}
			return *got.TemplateBody
		}
		if get(shape.Ptr("Original")) != layered || get(nil) != get(shape.Ptr("Processed")) || !strings.Contains(get(nil), `"GroupY":{"Type":"AWS::Logs::LogGroup"`) {
			t.Errorf("original %s, processed %s", get(shape.Ptr("Original")), get(nil))
		}
		sum, err := b.GetTemplateSummary(b.ctx, &cfn.GetTemplateSummaryInput{StackName: shape.Ptr("demo")})
		if err != nil || len(sum.DeclaredTransforms) != 2 {
			t.Errorf("%+v, %v", sum, err)
		}
		b.must(b.update("demo", layered, "Names=Y,Z"))
		b.status("demo", "UPDATE_COMPLETE")
		b.expect("calls", b.cloud.take()[2:], []string{"create GroupZ", "delete GroupX"})
	})
}

// What is included is read when the template is taken in, and not again.
func TestIncludes(t *testing.T) {
	const tpl = `
Parameters: {Bucket: {Type: String, Default: b}}
Resources:
  A: {Type: AWS::Logs::LogGroup, Properties: {"Fn::Transform": {Name: AWS::Include, Parameters: {Location: !Sub "s3://${Bucket}/part"}}}}
`
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		parts := objects{"b/part": "LogGroupName: one"}
		b := open(t, db, newCloud(), func(o *Options) { o.Objects = parts })
		body := tpl
		if _, err := b.CreateStack(b.ctx, &cfn.CreateStackInput{StackName: "demo", TemplateBody: &body}); text(err) != "Requires capabilities : [CAPABILITY_AUTO_EXPAND]" {
			t.Errorf("without the capability: %v", err)
		}
		b.must(b.create("demo", tpl))
		b.status("demo", "CREATE_COMPLETE")
		if got := b.cloud.seen["create A"].Props["LogGroupName"]; got != "one" {
			t.Errorf("made with %v", got)
		}
		parts["b/part"] = "LogGroupName: two"
		got, err := b.GetTemplate(b.ctx, &cfn.GetTemplateInput{StackName: shape.Ptr("demo")})
		if err != nil || !strings.Contains(*got.TemplateBody, `"LogGroupName":"one"`) {
			t.Errorf("%s, %v", shape.Val(got.TemplateBody), err)
		}
		b.must(b.update("demo", tpl))
		b.status("demo", "UPDATE_COMPLETE")
		if err := b.create("other", tpl, "Bucket=none"); !strings.Contains(text(err), "NoSuchKey") {
			t.Errorf("got %v", err)
		}
	})
}

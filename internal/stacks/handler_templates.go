package stacks

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/template"
	"github.com/gatehouse-dev/gatehouse/internal/transform/sam"
)

// GetTemplate returns the template of a stack or change set exactly as it was given, or with its
// transforms applied.
func (s *Service) GetTemplate(ctx context.Context, in *cfn.GetTemplateInput) (*cfn.GetTemplateOutput, error) {
	var st *Stack
	var id string
	var params []Param
	if name := shape.Val(in.ChangeSetName); name != "" {
		c, err := s.changeSet(ctx, name, in.StackName)
		if err != nil {
			return nil, err
		}
		if st, err = s.find(ctx, c.StackID); err != nil {
			return nil, err
		}
		id, params = c.Target.Template, c.Target.Params
	} else {
		var err error
		if st, err = s.find(ctx, shape.Val(in.StackName)); err != nil {
			return nil, err
		}
		id, params = st.Template, st.Params
	}
	if id == "" && st.Status == cfn.StackStatusReviewInProgress {
		return &cfn.GetTemplateOutput{TemplateBody: ptr("{}"), StagesAvailable: []string{"Original", "Processed"}}, nil
	}
	t, err := view(ctx, s.o.DB, func(tx *store.Tx) (*Template, error) { return templates.Get(tx, id) })
	if errors.Is(err, store.ErrNotFound) || id == "" {
		return nil, invalid("Template for stack %s does not exist", shape.Val(in.StackName))
	}
	if err != nil {
		return nil, err
	}
	out := &cfn.GetTemplateOutput{TemplateBody: ptr(string(t.Text)), StagesAvailable: []string{"Original", "Processed"}}
	if shape.Val(in.TemplateStage) != cfn.TemplateStageOriginal {
		d, err := s.restore(st, t.Text, params)
		if err != nil {
			return nil, asInvalid(err)
		}
		if len(d.source.Transform) > 0 {
			data, err := json.Marshal(d.tpl.Root)
			if err != nil {
				return nil, err
			}
			out.TemplateBody = ptr(string(data))
		}
	}
	return out, nil
}

// ValidateTemplate checks what can be known of a template without values.
func (s *Service) ValidateTemplate(ctx context.Context, in *cfn.ValidateTemplateInput) (*cfn.ValidateTemplateOutput, error) {
	text, err := s.templateText(ctx, in.TemplateBody, in.TemplateURL)
	if err == nil && text == nil {
		err = invalid("Either Template URL or Template Body must be specified.")
	}
	if err != nil {
		return nil, err
	}
	t, err := template.Parse(text)
	if err == nil && len(t.Foreign()) == 0 {
		err = s.o.Registry.Unrecognized(t.Types())
	}
	if err != nil {
		return nil, asInvalid(err)
	}
	out := &cfn.ValidateTemplateOutput{Description: nonEmpty(t.Description), DeclaredTransforms: t.Transform, Parameters: []cfn.TemplateParameter{}}
	out.Capabilities, out.CapabilitiesReason = needed(t)
	for _, p := range t.Parameters {
		out.Parameters = append(out.Parameters, cfn.TemplateParameter{
			ParameterKey: ptr(p.Name), DefaultValue: p.Default, NoEcho: ptr(p.NoEcho), Description: nonEmpty(p.Description),
		})
	}
	return out, nil
}

// needed returns the capabilities that a template needs, and why.
func needed(t *template.Template) ([]string, *string) {
	need, types := capabilities(t)
	var why []string
	if len(types) > 0 {
		why = append(why, "The following resource(s) require capabilities: ["+strings.Join(types, ", ")+"]")
	}
	if len(t.Transform) > 0 {
		need = append(need, cfn.CapabilityCapabilityAutoExpand)
		why = append(why, "The following transform(s) require capabilities: ["+strings.Join(t.Transform, ", ")+"]")
	}
	return need, nonEmpty(strings.Join(why, "; "))
}

// GetTemplateSummary describes a template, or that of a stack.
func (s *Service) GetTemplateSummary(ctx context.Context, in *cfn.GetTemplateSummaryInput) (*cfn.GetTemplateSummaryOutput, error) {
	if in.StackSetName != nil {
		return nil, refused("StackSetName", "there are no stack sets here")
	}
	text, err := s.templateText(ctx, in.TemplateBody, in.TemplateURL)
	if err != nil {
		return nil, err
	}
	if name := shape.Val(in.StackName); name != "" {
		if text != nil {
			return nil, invalid("Only one of StackName, TemplateBody and TemplateURL can be specified.")
		}
		got, err := s.GetTemplate(ctx, &cfn.GetTemplateInput{StackName: &name, TemplateStage: ptr(cfn.TemplateStageOriginal)})
		if err != nil {
			return nil, err
		}
		text = []byte(*got.TemplateBody)
	}
	if text == nil {
		return nil, invalid("Either Template URL, Template Body or a Stack Name must be specified.")
	}
	t, err := template.Parse(text)
	if err != nil {
		return nil, asInvalid(err)
	}
	out := &cfn.GetTemplateSummaryOutput{
		Description: nonEmpty(t.Description), Version: nonEmpty(t.FormatVersion), ResourceTypes: t.Types(), DeclaredTransforms: t.Transform,
		Parameters: []cfn.ParameterDeclaration{},
	}
	out.Capabilities, out.CapabilitiesReason = needed(t)
	if t.Metadata != nil {
		data, err := json.Marshal(t.Metadata)
		if err != nil {
			return nil, err
		}
		out.Metadata = ptr(string(data))
	}
	for _, p := range t.Parameters {
		d := cfn.ParameterDeclaration{
			ParameterKey: ptr(p.Name), ParameterType: ptr(p.Type), DefaultValue: p.Default, NoEcho: ptr(p.NoEcho), Description: nonEmpty(p.Description),
			ParameterConstraints: &cfn.ParameterConstraints{},
		}
		if p.AllowedValues != nil {
			d.ParameterConstraints.AllowedValues = p.AllowedValues
		}
		out.Parameters = append(out.Parameters, d)
	}
	out.ResourceIdentifierSummaries, out.Warnings = s.identifiers(t)
	return out, nil
}

// identifiers tells by which properties resources of the template's types are identified, and which
// types are unknown.
func (s *Service) identifiers(t *template.Template) ([]cfn.ResourceIdentifierSummary, *cfn.Warnings) {
	var out []cfn.ResourceIdentifierSummary
	var unknown []string
	for _, typ := range t.Types() {
		schema, ok := s.o.Registry.Schema(typ)
		if !ok && strings.HasPrefix(typ, "AWS::Serverless::") && slices.Contains(t.Transform, sam.Name) {
			continue
		}
		if !ok {
			unknown = append(unknown, typ)
			continue
		}
		sum := cfn.ResourceIdentifierSummary{ResourceType: ptr(typ), ResourceIdentifiers: schema.ID}
		for _, r := range t.Resources {
			if r.Type == typ {
				sum.LogicalResourceIds = append(sum.LogicalResourceIds, r.LogicalID)
			}
		}
		out = append(out, sum)
	}
	if unknown == nil {
		return out, nil
	}
	return out, &cfn.Warnings{UnrecognizedResourceTypes: unknown}
}

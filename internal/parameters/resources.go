package parameters

import (
	"context"

	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// Resources returns the CloudFormation types that the service makes.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{{Name: "AWS::SSM::Parameter", Handler: parameterResource{s}}}
}

type parameterResource struct{ s *Service }

// put stores what the properties ask for; may says whether it may take the place of what is there.
func (h parameterResource) put(ctx context.Context, r *resource.Request, may func(old *parameter) error) (resource.Result, error) {
	named := *r
	named.StackName = "CFN" // and not the stack's name, which may begin as no parameter's may
	props := resource.With(map[string]any{"Name": named.PhysicalName(255, false), "Description": ""}, r.Props)
	if r.PhysicalID != "" {
		props["Name"] = r.PhysicalID
	}
	in := new(ssm.PutParameterRequest)
	if err := resource.Input(ctx, &ssm.Model, in, props, map[string]string{"Tags": ""}); err != nil {
		return resource.Result{}, err
	}
	if shape.Val(in.Type) == ssm.ParameterTypeSecureString {
		return resource.Result{}, invalid("AWS::SSM::Parameter cannot make parameters of type SecureString.")
	}
	p, err := h.s.draft(ctx, in)
	if err != nil {
		return resource.Result{}, err
	}
	if p.Tags, err = r.AllTags("Tags"); err != nil {
		return resource.Result{}, err
	}
	if r.PhysicalID != "" && r.Retags("Tags") {
		tag := &ssm.AddTagsToResourceRequest{ResourceType: "Parameter", ResourceId: p.Name}
		for k, v := range p.Tags {
			tag.Tags = append(tag.Tags, ssm.Tag{Key: k, Value: v})
		}
		if err := resource.Authorize(ctx, &ssm.Model, tag); err != nil {
			return resource.Result{}, err
		}
	}
	if r.PhysicalID == "" {
		p.Token = r.Token
	}
	if err := h.s.write(ctx, p, in, may); err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: p.Name, Attrs: map[string]any{"Type": p.Type, "Value": p.Value, "Arn": h.s.arn(p.Region, p.Name)}}, nil
}

func (h parameterResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	return h.put(ctx, r, func(old *parameter) error {
		if old == nil || old.Token != "" && old.Token == r.Token {
			return nil // new, or a step that is run again after a crash
		}
		return ssm.ParameterAlreadyExists("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	})
}

func (h parameterResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	return h.put(ctx, r, func(old *parameter) error {
		if old == nil {
			return absent()
		}
		return nil
	})
}

func (h parameterResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &ssm.DeleteParameterRequest{Name: r.PhysicalID}
	if err := resource.Authorize(ctx, &ssm.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteParameter(ctx, in)
	return resource.Gone(err, "ParameterNotFound")
}

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
	in := new(ssm.PutParameterRequest)
	if err := resource.Bind(&ssm.Model, 0, r.Props, in, map[string]string{"Tags": ""}); err != nil {
		return resource.Result{}, err
	}
	switch {
	case r.PhysicalID != "":
		in.Name = r.PhysicalID
	case in.Name == "": // CFN and not the stack's name, which may begin as no parameter's may
		named := *r
		named.StackName = "CFN"
		in.Name = named.PhysicalName(255, false)
	}
	in.Absent = 0
	if in.Description == nil {
		in.Description = shape.Ptr("")
	}
	if err := shape.Validate(&ssm.Model, ssm.Model.Ref("PutParameterRequest"), in); err != nil {
		return resource.Result{}, err
	}
	if shape.Val(in.Type) == ssm.ParameterTypeSecureString {
		return resource.Result{}, invalid("AWS::SSM::Parameter cannot make parameters of type SecureString.")
	}
	tags, err := resource.Tags(r.Props["Tags"])
	if err != nil {
		return resource.Result{}, err
	}
	for k, v := range r.Tags {
		if _, own := tags[k]; !own {
			tags[k] = v
		}
	}
	p, err := h.s.draft(ctx, in)
	if err != nil {
		return resource.Result{}, err
	}
	p.Tags = tags
	if err := h.s.write(ctx, p, in, may); err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: p.Name, Attrs: map[string]any{"Type": p.Type, "Value": p.Value, "Arn": h.s.arn(p.Region, p.Name)}}, nil
}

func (h parameterResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	return h.put(ctx, r, func(old *parameter) error {
		const stack, logical = "aws:cloudformation:stack-id", "aws:cloudformation:logical-id"
		if old == nil || r.Tags[stack] != "" && old.Tags[stack] == r.Tags[stack] && old.Tags[logical] == r.Tags[logical] {
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
	_, err := h.s.DeleteParameter(ctx, &ssm.DeleteParameterRequest{Name: r.PhysicalID})
	if isAbsent(err) {
		return nil
	}
	return err
}

package logs

import (
	"context"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Resources returns the CloudFormation types that the service makes.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{{
		Name:       "AWS::Logs::LogGroup",
		Handler:    groupResource{s},
		Properties: []string{"LogGroupName", "LogGroupClass", "RetentionInDays", "KmsKeyId", "Tags"},
	}}
}

type groupResource struct{ s *Service }

func (h groupResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(logs.CreateLogGroupRequest)
	if err := resource.Bind(&logs.Model, 0, r.Props, in, map[string]string{"RetentionInDays": ""}); err != nil {
		return resource.Result{}, err
	}
	if in.LogGroupName == "" {
		in.LogGroupName = r.PhysicalName(512, false)
	}
	in.Absent = 0
	if err := shape.Validate(&logs.Model, logs.Model.Ref("CreateLogGroupRequest"), in); err != nil {
		return resource.Result{}, err
	}
	if in.Tags == nil {
		in.Tags = map[string]string{}
	}
	for k, v := range r.Tags {
		if _, own := in.Tags[k]; !own {
			in.Tags[k] = v
		}
	}
	if _, err := h.s.CreateLogGroup(ctx, in); err != nil {
		return resource.Result{}, err
	}
	r.PhysicalID = in.LogGroupName
	res, err := h.retain(ctx, r)
	if err != nil { // half a group must not stay
		h.s.DeleteLogGroup(ctx, &logs.DeleteLogGroupRequest{LogGroupName: in.LogGroupName})
	}
	return res, err
}

func (h groupResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	tags, err := resource.Tags(r.Props["Tags"])
	if err != nil {
		return resource.Result{}, err
	}
	for k, v := range r.Tags {
		if _, own := tags[k]; !own {
			tags[k] = v
		}
	}
	err = h.s.change(ctx, r.PhysicalID, func(g *group) error { g.Tags = tags; return nil })
	if err != nil {
		return resource.Result{}, err
	}
	return h.retain(ctx, r)
}

// retain applies the retention that the properties ask for.
func (h groupResource) retain(ctx context.Context, r *resource.Request) (resource.Result, error) {
	var err error
	if days, ok := r.Props["RetentionInDays"]; ok {
		in := new(logs.PutRetentionPolicyRequest)
		if err = resource.Bind(&logs.Model, 0, map[string]any{"RetentionInDays": days, "LogGroupName": r.PhysicalID}, in, nil); err == nil {
			_, err = h.s.PutRetentionPolicy(ctx, in)
		}
	} else {
		_, err = h.s.DeleteRetentionPolicy(ctx, &logs.DeleteRetentionPolicyRequest{LogGroupName: r.PhysicalID})
	}
	if err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: r.PhysicalID,
		Attrs: map[string]any{"Arn": h.s.groupARN(wire.CallFrom(ctx).Region, r.PhysicalID) + ":*"}}, nil
}

func (h groupResource) Delete(ctx context.Context, r *resource.Request) error {
	_, err := h.s.DeleteLogGroup(ctx, &logs.DeleteLogGroupRequest{LogGroupName: r.PhysicalID})
	var e *shape.Error
	if errors.As(err, &e) && e.Code == "ResourceNotFoundException" {
		return nil
	}
	return err
}

package logs

import (
	"context"

	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
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
	props := resource.With(map[string]any{"LogGroupName": r.PhysicalName(512, false)}, r.Props)
	if err := resource.Input(ctx, &logs.Model, in, props, map[string]string{"RetentionInDays": ""}); err != nil {
		return resource.Result{}, err
	}
	var err error
	if in.Tags, err = r.AllTags("Tags"); err != nil {
		return resource.Result{}, err
	}
	if err := h.s.create(ctx, in, r.Token); err != nil {
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
	tags, err := r.AllTags("Tags")
	if err != nil {
		return resource.Result{}, err
	}
	if r.Retags("Tags") {
		arn := h.s.groupARN(wire.CallFrom(ctx).Region, r.PhysicalID)
		if err := resource.Authorize(ctx, &logs.Model, &logs.TagResourceRequest{ResourceArn: arn, Tags: tags}); err != nil {
			return resource.Result{}, err
		}
	}
	if err := h.s.change(ctx, r.PhysicalID, func(g *group) error { g.Tags = tags; return nil }); err != nil {
		return resource.Result{}, err
	}
	return h.retain(ctx, r)
}

// retain applies the retention that the properties ask for.
func (h groupResource) retain(ctx context.Context, r *resource.Request) (resource.Result, error) {
	var err error
	if days, ok := r.Props["RetentionInDays"]; ok {
		in := new(logs.PutRetentionPolicyRequest)
		if err = resource.Input(ctx, &logs.Model, in, map[string]any{"RetentionInDays": days, "LogGroupName": r.PhysicalID}, nil); err == nil {
			_, err = h.s.PutRetentionPolicy(ctx, in)
		}
	} else {
		in := &logs.DeleteRetentionPolicyRequest{LogGroupName: r.PhysicalID}
		if r.OldProps["RetentionInDays"] != nil {
			err = resource.Authorize(ctx, &logs.Model, in)
		}
		if err == nil {
			_, err = h.s.DeleteRetentionPolicy(ctx, in)
		}
	}
	if err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: r.PhysicalID,
		Attrs: map[string]any{"Arn": h.s.groupARN(wire.CallFrom(ctx).Region, r.PhysicalID) + ":*"}}, nil
}

func (h groupResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &logs.DeleteLogGroupRequest{LogGroupName: r.PhysicalID}
	if err := resource.Authorize(ctx, &logs.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteLogGroup(ctx, in)
	return resource.Gone(err, "ResourceNotFoundException")
}

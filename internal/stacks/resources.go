package stacks

import (
	"context"

	"github.com/gatehouse-dev/gatehouse/internal/resource"
)

// Resources returns the resource types that need no other service.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		{Name: "AWS::CDK::Metadata", Handler: metadata{}},
		{Name: "AWS::ECR::Repository", Handler: repositories{s}},
		{Name: "AWS::KMS::Key", Refused: "there are no keys of KMS here"},
		{Name: "AWS::KMS::Alias", Refused: "there are no keys of KMS here"},
		{Name: resource.CustomResource, Handler: custom{s}},
		{Name: stackType, Handler: nested{s}},
		{Name: "AWS::CloudFormation::WaitConditionHandle", Handler: waitHandle{s}},
		{Name: "AWS::CloudFormation::WaitCondition", Handler: waitCondition{s}},
	}
}

// metadata is AWS::CDK::Metadata: it says which constructs a template was made with, and does nothing.
type metadata struct{}

func (metadata) Create(_ context.Context, r *resource.Request) (resource.Result, error) {
	return resource.Result{PhysicalID: r.PhysicalName(255, false)}, nil
}

func (metadata) Update(_ context.Context, r *resource.Request) (resource.Result, error) {
	return resource.Result{PhysicalID: r.PhysicalID}, nil
}

func (metadata) Delete(context.Context, *resource.Request) error { return nil }

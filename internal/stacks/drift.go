package stacks

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Nobody looks here whether resources are as their stack has made them. Who asks is told so: a detection fails
// at once, and everything is NOT_CHECKED.

const noDrift = "Drift detection is not supported here. No resource was checked."

// detectionID is the id of all detections of a stack.
func detectionID(st *Stack) string { return st.ID[strings.LastIndexByte(st.ID, '/')+1:] }

// DetectStackDrift begins a detection that has failed already.
func (s *Service) DetectStackDrift(ctx context.Context, in *cfn.DetectStackDriftInput) (*cfn.DetectStackDriftOutput, error) {
	st, _, err := s.current(ctx, wire.CallFrom(ctx).Region, in.StackName)
	if err != nil {
		return nil, orNoStack(err, in.StackName)
	}
	return &cfn.DetectStackDriftOutput{StackDriftDetectionId: detectionID(st)}, nil
}

// DescribeStackDriftDetectionStatus says that a detection has failed.
func (s *Service) DescribeStackDriftDetectionStatus(ctx context.Context, in *cfn.DescribeStackDriftDetectionStatusInput) (*cfn.DescribeStackDriftDetectionStatusOutput, error) {
	list, err := s.listed(ctx, false)
	if err != nil {
		return nil, err
	}
	for _, st := range list {
		if detectionID(st) == in.StackDriftDetectionId {
			return &cfn.DescribeStackDriftDetectionStatusOutput{
				StackId: st.ID, StackDriftDetectionId: in.StackDriftDetectionId, DetectionStatus: "DETECTION_FAILED", DetectionStatusReason: ptr(noDrift),
				StackDriftStatus: ptr("NOT_CHECKED"), Timestamp: s.o.Now().UTC(),
			}, nil
		}
	}
	return nil, invalid("Stack drift detection %s does not exist", in.StackDriftDetectionId)
}

// DescribeStackResourceDrifts says of each resource that it was not checked.
func (s *Service) DescribeStackResourceDrifts(ctx context.Context, in *cfn.DescribeStackResourceDriftsInput) (*cfn.DescribeStackResourceDriftsOutput, error) {
	st, list, err := s.resourcesOf(ctx, in.StackName, "", 0)
	if err != nil {
		return nil, err
	}
	out := &cfn.DescribeStackResourceDriftsOutput{StackResourceDrifts: []cfn.StackResourceDrift{}}
	if f := in.StackResourceDriftStatusFilters; len(f) > 0 && !slices.Contains(f, "NOT_CHECKED") {
		return out, nil
	}
	for _, row := range list {
		out.StackResourceDrifts = append(out.StackResourceDrifts, unchecked(st, row))
	}
	return out, nil
}

// DetectStackResourceDrift says that a resource was not checked.
func (s *Service) DetectStackResourceDrift(ctx context.Context, in *cfn.DetectStackResourceDriftInput) (*cfn.DetectStackResourceDriftOutput, error) {
	st, err := s.find(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	row, err := view(ctx, s.o.DB, func(tx *store.Tx) (*Resource, error) { return s.resource(tx, st.ID, in.LogicalResourceId) })
	if err != nil {
		return nil, invalid("Resource %s does not exist for stack %s", in.LogicalResourceId, in.StackName)
	}
	d := unchecked(st, row)
	return &cfn.DetectStackResourceDriftOutput{StackResourceDrift: &d}, nil
}

func unchecked(st *Stack, row *Resource) cfn.StackResourceDrift {
	return cfn.StackResourceDrift{
		StackId: st.ID, LogicalResourceId: row.Logical, PhysicalResourceId: nonEmpty(row.Physical), ResourceType: row.Type,
		StackResourceDriftStatus: "NOT_CHECKED", DriftStatusReason: ptr(noDrift), Timestamp: time.UnixMilli(row.Time).UTC(),
	}
}

func typeARN(region, name string) *string {
	return ptr("arn:aws:cloudformation:" + region + "::type/resource/" + strings.ReplaceAll(name, "::", "-"))
}

// DescribeType describes a resource type that stacks can make here.
func (s *Service) DescribeType(ctx context.Context, in *cfn.DescribeTypeInput) (*cfn.DescribeTypeOutput, error) {
	name, region := shape.Val(in.TypeName), wire.CallFrom(ctx).Region
	if in.Arn != nil {
		_, name, _ = strings.Cut(*in.Arn, "::type/resource/")
		name = strings.ReplaceAll(name, "-", "::")
	}
	if name == "" {
		return nil, invalid("Either the ARN of a type, or its name and its kind, must be specified.")
	}
	missing := cfn.TypeNotFoundException("The type '%s' cannot be found.", name)
	if k := shape.Val(in.Type); k != "" && k != "RESOURCE" || !slices.Contains(s.o.Registry.Names(), name) {
		return nil, missing
	}
	schema, _ := s.o.Registry.Schema(name)
	properties, required := map[string]any{}, []string{}
	var createOnly, readOnly, id []string
	for p, prop := range schema.Properties {
		properties[p] = map[string]any{"description": prop.Type.String()}
		if prop.Required {
			required = append(required, p)
		}
		if prop.Replace.String() == "Always" {
			createOnly = append(createOnly, "/properties/"+p)
		}
	}
	for a := range schema.Attributes {
		readOnly = append(readOnly, "/properties/"+strings.ReplaceAll(a, ".", "/"))
	}
	for _, p := range schema.ID {
		id = append(id, "/properties/"+p)
	}
	for _, l := range [][]string{required, createOnly, readOnly} {
		slices.Sort(l)
	}
	text, err := json.Marshal(map[string]any{
		"typeName": name, "properties": properties, "required": required, "createOnlyProperties": orEmpty(createOnly),
		"readOnlyProperties": orEmpty(readOnly), "primaryIdentifier": orEmpty(id), "additionalProperties": schema.Open,
	})
	if err != nil {
		return nil, err
	}
	return &cfn.DescribeTypeOutput{
		Arn: typeARN(region, name), Type: ptr("RESOURCE"), TypeName: &name, ProvisioningType: ptr("FULLY_MUTABLE"), Visibility: ptr("PUBLIC"),
		DeprecatedStatus: ptr("LIVE"), Schema: ptr(string(text)),
	}, nil
}

// ListTypes lists the resource types that stacks can make here; all of them are public.
func (s *Service) ListTypes(ctx context.Context, in *cfn.ListTypesInput) (*cfn.ListTypesOutput, error) {
	out := &cfn.ListTypesOutput{TypeSummaries: []cfn.TypeSummary{}}
	if shape.Val(in.Visibility) != "PUBLIC" || in.Type != nil && *in.Type != "RESOURCE" || shape.Val(in.DeprecatedStatus) == "DEPRECATED" {
		return out, nil
	}
	names := s.o.Registry.Names()
	if f := in.Filters; f != nil && f.TypeNamePrefix != nil {
		names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, *f.TypeNamePrefix) })
	}
	from, err := offset(in.NextToken, len(names))
	if err != nil {
		return nil, err
	}
	names, out.NextToken = page(names, from)
	for _, n := range names {
		out.TypeSummaries = append(out.TypeSummaries, cfn.TypeSummary{Type: ptr("RESOURCE"), TypeName: ptr(n), TypeArn: typeARN(wire.CallFrom(ctx).Region, n)})
	}
	return out, nil
}

package stacks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"time"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// pageSize is how many things a page of a list holds.
const pageSize = 100

// offset reads a NextToken: where in a list to go on.
func offset(token *string, length int) (int, error) {
	if token == nil || *token == "" {
		return 0, nil
	}
	n, err := number(*token)
	return min(int(n), length), err
}

func number(token string) (int64, error) {
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		var n int64
		if n, err = strconv.ParseInt(string(data), 10, 64); err == nil && n >= 0 {
			return n, nil
		}
	}
	return 0, invalid("The NextToken is not valid.")
}

func token(n int64) *string {
	return ptr(base64.RawURLEncoding.EncodeToString(strconv.AppendInt(nil, n, 10)))
}

// page cuts a page out of a list and tells where to go on.
func page[T any](list []T, from int) ([]T, *string) {
	to := min(from+pageSize, len(list))
	if to == len(list) {
		return list[from:], nil
	}
	return list[from:to], token(int64(to))
}

// find reads one stack for reading, by name or ARN.
func (s *Service) find(ctx context.Context, name string) (*Stack, error) {
	st, err := view(ctx, s.o.DB, func(tx *store.Tx) (*Stack, error) { return lookup(tx, wire.CallFrom(ctx).Region, name) })
	return st, orNoStack(err, name)
}

// listed returns the stacks of the region, the newest first.
func (s *Service) listed(ctx context.Context, deleted bool) ([]*Stack, error) {
	region := wire.CallFrom(ctx).Region
	list, err := view(ctx, s.o.DB, func(tx *store.Tx) ([]*Stack, error) {
		list, _, err := stacks.List(tx, region, "", 0)
		if err != nil || !deleted {
			return list, err
		}
		gone, _, err := stacks.List(tx, deletedParent(region), "", 0)
		return append(list, gone...), err
	})
	slices.SortStableFunc(list, func(a, b *Stack) int { return int(b.Created - a.Created) })
	return list, err
}

// DescribeStacks describes one stack, or all that live.
func (s *Service) DescribeStacks(ctx context.Context, in *cfn.DescribeStacksInput) (*cfn.DescribeStacksOutput, error) {
	if name := shape.Val(in.StackName); name != "" {
		st, err := s.find(ctx, name)
		if err != nil {
			return nil, err
		}
		return &cfn.DescribeStacksOutput{Stacks: []cfn.Stack{s.show(st)}}, nil
	}
	list, err := s.listed(ctx, false)
	if err != nil {
		return nil, err
	}
	from, err := offset(in.NextToken, len(list))
	if err != nil {
		return nil, err
	}
	out := &cfn.DescribeStacksOutput{Stacks: []cfn.Stack{}}
	list, out.NextToken = page(list, from)
	for _, st := range list {
		out.Stacks = append(out.Stacks, s.show(st))
	}
	return out, nil
}

func (s *Service) show(st *Stack) cfn.Stack {
	out := cfn.Stack{
		StackName: st.Name, StackId: &st.ID, CreationTime: time.UnixMilli(st.Created).UTC(), StackStatus: st.Status,
		StackStatusReason: nonEmpty(st.Reason), Description: nonEmpty(st.Description), ChangeSetId: nonEmpty(st.ChangeSet),
		Parameters: showParams(st.Params), LastUpdatedTime: when(st.Updated), DeletionTime: when(st.Deleted),
		RollbackConfiguration: &cfn.RollbackConfiguration{}, DisableRollback: ptr(st.OnFailure == cfn.OnFailureDoNothing),
		NotificationARNs: []string{}, Capabilities: st.Capabilities, RoleARN: nonEmpty(st.RoleARN), Tags: showTags(st.Tags),
		EnableTerminationProtection: &st.Protected, ParentId: nonEmpty(st.ParentID), RootId: nonEmpty(st.RootID),
		DriftInformation: &cfn.StackDriftInformation{StackDriftStatus: "NOT_CHECKED"}, DeletionMode: nonEmpty(st.DeletionMode),
	}
	if st.TimeoutMinutes > 0 {
		out.TimeoutInMinutes = &st.TimeoutMinutes
	}
	if st.RetainExceptOnCreate {
		out.RetainExceptOnCreate = ptr(true)
	}
	if st.Deleted != 0 {
		return out
	}
	for _, o := range st.Outputs {
		v := o.Value
		if s.o.Outputs != nil {
			v = s.o.Outputs(v)
		}
		out.Outputs = append(out.Outputs, cfn.Output{OutputKey: ptr(o.Key), OutputValue: &v, Description: nonEmpty(o.Description), ExportName: nonEmpty(o.Export)})
	}
	return out
}

func showParams(params []Param) []cfn.Parameter {
	var out []cfn.Parameter
	for _, p := range params {
		shown := cfn.Parameter{ParameterKey: ptr(p.Key), ParameterValue: ptr(p.Value), ResolvedValue: nonEmpty(p.Resolved)}
		if p.NoEcho {
			shown.ParameterValue, shown.ResolvedValue = ptr("****"), nil
		}
		out = append(out, shown)
	}
	return out
}

func showTags(tags []Tag) []cfn.Tag {
	out := []cfn.Tag{}
	for _, t := range tags {
		out = append(out, cfn.Tag{Key: t.Key, Value: t.Value})
	}
	return out
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// when returns a time, or nil for never.
func when(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	return ptr(time.UnixMilli(ms).UTC())
}

// ListStacks lists stacks, also those that were deleted in the last 90 days.
func (s *Service) ListStacks(ctx context.Context, in *cfn.ListStacksInput) (*cfn.ListStacksOutput, error) {
	list, err := s.listed(ctx, true)
	if err != nil {
		return nil, err
	}
	if len(in.StackStatusFilter) > 0 {
		list = slices.DeleteFunc(list, func(st *Stack) bool { return !slices.Contains(in.StackStatusFilter, st.Status) })
	}
	from, err := offset(in.NextToken, len(list))
	if err != nil {
		return nil, err
	}
	out := &cfn.ListStacksOutput{StackSummaries: []cfn.StackSummary{}}
	list, out.NextToken = page(list, from)
	for _, st := range list {
		out.StackSummaries = append(out.StackSummaries, cfn.StackSummary{
			StackName: st.Name, StackId: &st.ID, CreationTime: time.UnixMilli(st.Created).UTC(), StackStatus: st.Status,
			StackStatusReason: nonEmpty(st.Reason), TemplateDescription: nonEmpty(st.Description), LastUpdatedTime: when(st.Updated),
			DeletionTime: when(st.Deleted), ParentId: nonEmpty(st.ParentID), RootId: nonEmpty(st.RootID),
			DriftInformation: &cfn.StackDriftInformationSummary{StackDriftStatus: "NOT_CHECKED"},
		})
	}
	return out, nil
}

// DescribeStackEvents returns the history of a stack, the newest event first.
func (s *Service) DescribeStackEvents(ctx context.Context, in *cfn.DescribeStackEventsInput) (*cfn.DescribeStackEventsOutput, error) {
	var before int64
	if in.NextToken != nil {
		var err error
		if before, err = number(*in.NextToken); err != nil {
			return nil, err
		}
	}
	var st *Stack
	list, err := view(ctx, s.o.DB, func(tx *store.Tx) (list []*Event, err error) {
		if st, err = lookup(tx, wire.CallFrom(ctx).Region, in.StackName); err != nil {
			return nil, err
		}
		return s.events(tx, st.ID, before, pageSize+1)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noStackBracket(in.StackName)
	}
	if err != nil {
		return nil, err
	}
	out := &cfn.DescribeStackEventsOutput{StackEvents: []cfn.StackEvent{}}
	if len(list) > pageSize {
		list = list[:pageSize]
		out.NextToken = token(list[pageSize-1].Seq)
	}
	for _, e := range list {
		out.StackEvents = append(out.StackEvents, cfn.StackEvent{
			StackId: st.ID, StackName: st.Name, EventId: e.ID, Timestamp: time.UnixMilli(e.Time).UTC(), LogicalResourceId: &e.Logical,
			PhysicalResourceId: &e.Physical, ResourceType: &e.Type, ResourceStatus: &e.Status, ResourceStatusReason: nonEmpty(e.Reason),
			ResourceProperties: nonEmpty(e.Properties), ClientRequestToken: nonEmpty(e.Token),
		})
	}
	return out, nil
}

// resourcesOf reads a stack with up to limit of its resources after a logical id.
func (s *Service) resourcesOf(ctx context.Context, name, after string, limit int) (st *Stack, list []*Resource, err error) {
	err = s.o.DB.View(ctx, func(tx *store.Tx) error {
		if st, err = lookup(tx, wire.CallFrom(ctx).Region, name); err != nil {
			return err
		}
		list, err = s.resources(tx, st.ID, after, limit)
		return err
	})
	return st, list, orNoStack(err, name)
}

// ListStackResources lists the resources of a stack.
func (s *Service) ListStackResources(ctx context.Context, in *cfn.ListStackResourcesInput) (*cfn.ListStackResourcesOutput, error) {
	after := ""
	if in.NextToken != nil {
		data, err := base64.RawURLEncoding.DecodeString(*in.NextToken)
		if err != nil || bytes.ContainsFunc(data, func(r rune) bool { return !('0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z') }) {
			return nil, invalid("The NextToken is not valid.")
		}
		after = string(data) // a logical id
	}
	_, list, err := s.resourcesOf(ctx, in.StackName, after, pageSize+1)
	if err != nil {
		return nil, err
	}
	out := &cfn.ListStackResourcesOutput{StackResourceSummaries: []cfn.StackResourceSummary{}}
	if len(list) > pageSize {
		list = list[:pageSize]
		out.NextToken = ptr(base64.RawURLEncoding.EncodeToString([]byte(list[pageSize-1].Logical)))
	}
	for _, r := range list {
		out.StackResourceSummaries = append(out.StackResourceSummaries, cfn.StackResourceSummary{
			LogicalResourceId: r.Logical, PhysicalResourceId: &r.Physical, ResourceType: r.Type, LastUpdatedTimestamp: time.UnixMilli(r.Time).UTC(),
			ResourceStatus: r.Status, ResourceStatusReason: nonEmpty(r.Reason),
			DriftInformation: &cfn.StackResourceDriftInformationSummary{StackResourceDriftStatus: "NOT_CHECKED"},
		})
	}
	return out, nil
}

// DescribeStackResources describes the resources of a stack, named itself or by one of its resources.
func (s *Service) DescribeStackResources(ctx context.Context, in *cfn.DescribeStackResourcesInput) (*cfn.DescribeStackResourcesOutput, error) {
	name, physical := shape.Val(in.StackName), shape.Val(in.PhysicalResourceId)
	switch {
	case name != "" && physical != "":
		return nil, invalid("StackName and PhysicalResourceId cannot both be specified.")
	case name == "" && physical == "":
		return nil, invalid("Either StackName or PhysicalResourceId must be specified.")
	case physical != "":
		id, err := view(ctx, s.o.DB, func(tx *store.Tx) (string, error) {
			return s.byPhysical(tx, wire.CallFrom(ctx).Region, physical, "")
		})
		if errors.Is(err, store.ErrNotFound) {
			return nil, invalid("Stack for %s does not exist", physical)
		}
		if err != nil {
			return nil, err
		}
		name = id
	}
	st, list, err := s.resourcesOf(ctx, name, "", 0)
	if err != nil {
		return nil, err
	}
	out := &cfn.DescribeStackResourcesOutput{StackResources: []cfn.StackResource{}}
	for _, r := range list {
		if id := shape.Val(in.LogicalResourceId); id != "" && id != r.Logical {
			continue
		}
		out.StackResources = append(out.StackResources, cfn.StackResource{
			StackName: &st.Name, StackId: &st.ID, LogicalResourceId: r.Logical, PhysicalResourceId: &r.Physical, ResourceType: r.Type,
			Timestamp: time.UnixMilli(r.Time).UTC(), ResourceStatus: r.Status, ResourceStatusReason: nonEmpty(r.Reason),
			DriftInformation: &cfn.StackResourceDriftInformation{StackResourceDriftStatus: "NOT_CHECKED"},
		})
	}
	return out, nil
}

// DescribeStackResource describes one resource.
func (s *Service) DescribeStackResource(ctx context.Context, in *cfn.DescribeStackResourceInput) (*cfn.DescribeStackResourceOutput, error) {
	st, err := s.find(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	r, err := view(ctx, s.o.DB, func(tx *store.Tx) (*Resource, error) { return s.resource(tx, st.ID, in.LogicalResourceId) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, invalid("Resource %s does not exist for stack %s", in.LogicalResourceId, in.StackName)
	}
	if err != nil {
		return nil, err
	}
	return &cfn.DescribeStackResourceOutput{StackResourceDetail: &cfn.StackResourceDetail{
		StackName: &st.Name, StackId: &st.ID, LogicalResourceId: r.Logical, PhysicalResourceId: &r.Physical, ResourceType: r.Type,
		LastUpdatedTimestamp: time.UnixMilli(r.Time).UTC(), ResourceStatus: r.Status, ResourceStatusReason: nonEmpty(r.Reason),
		Metadata: ptr(cmp.Or(r.Metadata, "{}")), DriftInformation: &cfn.StackResourceDriftInformation{StackResourceDriftStatus: "NOT_CHECKED"},
	}}, nil
}

// ListExports lists what the stacks of the region export.
func (s *Service) ListExports(ctx context.Context, in *cfn.ListExportsInput) (*cfn.ListExportsOutput, error) {
	region := wire.CallFrom(ctx).Region
	list, err := view(ctx, s.o.DB, func(tx *store.Tx) ([]cfn.Export, error) {
		rows, err := tx.Query("SELECT name, value, stack_id FROM stack_exports WHERE region = $1 ORDER BY name", region)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		out := []cfn.Export{}
		for rows.Next() {
			var name, value, id string
			if err := rows.Scan(&name, &value, &id); err != nil {
				return nil, err
			}
			out = append(out, cfn.Export{Name: &name, Value: &value, ExportingStackId: &id})
		}
		return out, rows.Err()
	})
	if err != nil {
		return nil, err
	}
	from, err := offset(in.NextToken, len(list))
	if err != nil {
		return nil, err
	}
	out := &cfn.ListExportsOutput{}
	out.Exports, out.NextToken = page(list, from)
	return out, nil
}

// ListImports lists the stacks that import a value.
func (s *Service) ListImports(ctx context.Context, in *cfn.ListImportsInput) (*cfn.ListImportsOutput, error) {
	names, err := view(ctx, s.o.DB, func(tx *store.Tx) ([]string, error) {
		return importers(tx, wire.CallFrom(ctx).Region, in.ExportName)
	})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, invalid("Export '%s' is not imported by any stack.", in.ExportName)
	}
	from, err := offset(in.NextToken, len(names))
	if err != nil {
		return nil, err
	}
	out := &cfn.ListImportsOutput{}
	out.Imports, out.NextToken = page(names, from)
	return out, nil
}

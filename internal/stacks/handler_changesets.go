package stacks

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// CreateChangeSet plans a creation or an update without doing it. The plan is there when it answers.
func (s *Service) CreateChangeSet(ctx context.Context, in *cfn.CreateChangeSetInput) (*cfn.CreateChangeSetOutput, error) {
	if err := refuseExtras(extras{
		notificationARNs: in.NotificationARNs, rollback: in.RollbackConfiguration, resourceTypes: in.ResourceTypes,
		deployment: in.DeploymentConfig,
	}); err != nil {
		return nil, err
	}
	imports := shape.Val(in.ChangeSetType) == cfn.ChangeSetTypeImport
	switch {
	case imports != (len(in.ResourcesToImport) > 0):
		return nil, invalid("ResourcesToImport must be specified if and only if ChangeSetType is IMPORT")
	case imports && shape.Val(in.ImportExistingResources):
		return nil, invalid("ImportExistingResources cannot be specified if ChangeSetType is IMPORT")
	case shape.Val(in.DeploymentMode) != "":
		return nil, refused("DeploymentMode "+*in.DeploymentMode, "there is no drift to revert")
	}
	onFailure := shape.Val(in.OnStackFailure)
	if onFailure != "" {
		if _, err := failureMode(in.OnStackFailure, nil); err != nil {
			return nil, err
		}
	}
	create := shape.Val(in.ChangeSetType) == cfn.ChangeSetTypeCreate
	if create && slices.ContainsFunc(in.Parameters, func(p cfn.Parameter) bool { return shape.Val(p.UsePreviousValue) }) {
		return nil, invalid("Cannot specify UsePreviousValue on Parameters when ChangeSetType is CREATE")
	}
	var out *cfn.CreateChangeSetOutput
	err := retry(func() error {
		st, rows, err := s.current(ctx, wire.CallFrom(ctx).Region, in.StackName)
		missing := errors.Is(err, store.ErrNotFound)
		switch {
		case err != nil && !missing:
			return err
		case missing && (!create && !imports || isID(in.StackName)):
			return noStackBracket(in.StackName)
		case missing:
			if err := checkName(in.StackName); err != nil {
				return err
			}
			st, rows = s.newStack(ctx, in.StackName), map[string]*Resource{}
			st.Status, st.Reason, st.OnFailure = cfn.StackStatusReviewInProgress, reasonUser, cfn.OnFailureRollback
		case create && st.Status != cfn.StackStatusReviewInProgress:
			return invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", st.Name, in.ChangeSetName)
		case !create && !updatable(st.Status) && !(imports && st.Status == cfn.StackStatusReviewInProgress):
			return notUpdatable(st)
		}
		out, err = s.planChangeSet(ctx, st, rows, in, create || imports && st.Status == cfn.StackStatusReviewInProgress, missing)
		return err
	})
	return out, err
}

func (s *Service) planChangeSet(ctx context.Context, st *Stack, rows map[string]*Resource, in *cfn.CreateChangeSetInput, create, fresh bool) (*cfn.CreateChangeSetOutput, error) {
	tags := in.Tags
	if create {
		tags = orEmpty(tags)
	}
	p, err := s.propose(ctx, st, rows, wish{
		body: in.TemplateBody, url: in.TemplateURL, previous: shape.Val(in.UsePreviousTemplate), params: in.Parameters,
		tags: tags, capabilities: in.Capabilities, role: in.RoleARN, changeSet: true,
	})
	if err != nil {
		return nil, err
	}
	hidden, err := s.hiddenValues(st)
	if err != nil {
		return nil, err
	}
	c := &ChangeSet{
		Name: in.ChangeSetName, StackID: st.ID, StackName: st.Name, Type: cfn.ChangeSetTypeUpdate, Description: shape.Val(in.Description),
		Created: s.o.Now().UnixMilli(), Status: cfn.ChangeSetStatusCreateComplete, Execution: cfn.ExecutionStatusAvailable,
		Token: shape.Val(in.ClientToken), OnFailure: shape.Val(in.OnStackFailure), Target: p.target, ImportExisting: shape.Val(in.ImportExistingResources),
	}
	c.ID = arn.ARN{
		Partition: st.Partition, Service: "cloudformation", Region: st.Region, Account: st.Account,
		Resource: "changeSet/" + c.Name + "/" + ident.UUID(),
	}.String()
	if create {
		c.Type = cfn.ChangeSetTypeCreate
	}
	changes := p.plan.describe(hidden)
	if len(in.ResourcesToImport) > 0 {
		c.Type = cfn.ChangeSetTypeImport
		if c.Import, err = s.importable(p.plan, in.ResourcesToImport); err != nil {
			return nil, err
		}
		for _, ch := range changes {
			ch.ResourceChange.Action, ch.ResourceChange.PhysicalResourceId = ptr(cfn.ChangeActionImport), ptr(c.Import[*ch.ResourceChange.LogicalResourceId])
		}
	}
	if c.Changes, err = s.encode(changeList{changes}, c.context()); err != nil {
		return nil, err
	}
	if !p.changed {
		c.Status, c.Reason, c.Execution = cfn.ChangeSetStatusFailed, noChanges, cfn.ExecutionStatusUnavailable
	}
	out := &cfn.CreateChangeSetOutput{Id: &c.ID, StackId: &st.ID}
	rev := st.Rev
	err = s.o.DB.Update(ctx, func(tx *store.Tx) error {
		if fresh {
			if err := stacks.Insert(tx, stackKey(st), st); err != nil {
				if errors.Is(err, store.ErrExists) {
					return errStale
				}
				return err
			}
			if err := s.putEvents(tx, st.ID, []*Event{stackEvent(st, s.o.Now().UnixMilli(), c.Token)}); err != nil {
				return err
			}
		} else if cur, err := stacks.Get(tx, st.ID); err != nil || cur.Rev != rev {
			if err == nil || errors.Is(err, store.ErrNotFound) {
				err = errStale
			}
			return err
		}
		if old, err := changeSets.ByName(tx, st.ID, c.Name); err == nil {
			if c.Token != "" && old.Token == c.Token {
				out.Id = &old.ID
				return nil
			}
			return cfn.AlreadyExistsException("ChangeSet %s already exists", c.Name)
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if _, err := putTemplate(tx, st.ID, p.desired.text); err != nil {
			return err
		}
		return changeSets.Insert(tx, changeSetKey(c), c)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// changeList is what [ChangeSet.Changes] encodes.
type changeList struct{ Changes []cfn.Change }

// changeSet finds a change set by ARN, or by name and stack.
func (s *Service) changeSet(ctx context.Context, name string, stack *string) (*ChangeSet, error) {
	return view(ctx, s.o.DB, func(tx *store.Tx) (*ChangeSet, error) {
		if isID(name) {
			c, err := changeSets.Get(tx, name)
			// Policies were asked about the stack that was named.
			if named := shape.Val(stack); err == nil && named != "" && named != c.StackName && named != c.StackID {
				err = store.ErrNotFound
			}
			if errors.Is(err, store.ErrNotFound) {
				err = noChangeSet(name)
			}
			return c, err
		}
		if shape.Val(stack) == "" {
			return nil, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
		}
		st, err := lookup(tx, wire.CallFrom(ctx).Region, *stack)
		if errors.Is(err, store.ErrNotFound) {
			return nil, noStackBracket(*stack)
		}
		if err != nil {
			return nil, err
		}
		c, err := changeSets.ByName(tx, st.ID, name)
		if errors.Is(err, store.ErrNotFound) {
			err = noChangeSet(name)
		}
		return c, err
	})
}

func noChangeSet(name string) error {
	return cfn.ChangeSetNotFoundException("ChangeSet [%s] does not exist", name)
}

// DescribeChangeSet shows what a change set would do, or has done.
func (s *Service) DescribeChangeSet(ctx context.Context, in *cfn.DescribeChangeSetInput) (*cfn.DescribeChangeSetOutput, error) {
	c, err := s.changeSet(ctx, in.ChangeSetName, in.StackName)
	if err != nil {
		return nil, err
	}
	var list changeList
	if err := s.decode(c.Changes, c.context(), &list); err != nil {
		return nil, err
	}
	from, err := offset(in.NextToken, len(list.Changes))
	if err != nil {
		return nil, err
	}
	changes, next := page(list.Changes, from)
	if !shape.Val(in.IncludePropertyValues) {
		for _, ch := range changes {
			r := ch.ResourceChange
			r.BeforeContext, r.AfterContext = nil, nil
			for _, d := range r.Details {
				d.Target.BeforeValue, d.Target.AfterValue, d.Target.AttributeChangeType, d.Target.Path = nil, nil, nil, nil
			}
		}
	}
	out := &cfn.DescribeChangeSetOutput{
		ChangeSetName: &c.Name, ChangeSetId: &c.ID, StackId: &c.StackID, StackName: &c.StackName,
		Description: nonEmpty(c.Description), Parameters: showParams(c.Target.Params), CreationTime: ptr(time.UnixMilli(c.Created).UTC()),
		ExecutionStatus: &c.Execution, Status: &c.Status, StatusReason: nonEmpty(c.Reason), NotificationARNs: []string{},
		RollbackConfiguration: &cfn.RollbackConfiguration{}, Capabilities: orEmpty(c.Target.Capabilities), Tags: showTags(c.Target.Tags),
		Changes: changes, NextToken: next, IncludeNestedStacks: ptr(false), ImportExistingResources: &c.ImportExisting, OnStackFailure: nonEmpty(c.OnFailure),
	}
	return out, nil
}

// ListChangeSets lists the change sets of a stack.
func (s *Service) ListChangeSets(ctx context.Context, in *cfn.ListChangeSetsInput) (*cfn.ListChangeSetsOutput, error) {
	list, err := view(ctx, s.o.DB, func(tx *store.Tx) ([]*ChangeSet, error) {
		st, err := lookup(tx, wire.CallFrom(ctx).Region, in.StackName)
		if errors.Is(err, store.ErrNotFound) {
			return nil, noStackBracket(in.StackName)
		}
		if err != nil {
			return nil, err
		}
		list, _, err := changeSets.List(tx, st.ID, "", 0)
		return list, err
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b *ChangeSet) int { return strings.Compare(a.Name, b.Name) })
	from, err := offset(in.NextToken, len(list))
	if err != nil {
		return nil, err
	}
	list, next := page(list, from)
	out := &cfn.ListChangeSetsOutput{Summaries: []cfn.ChangeSetSummary{}, NextToken: next}
	for _, c := range list {
		out.Summaries = append(out.Summaries, cfn.ChangeSetSummary{
			StackId: &c.StackID, StackName: &c.StackName, ChangeSetId: &c.ID, ChangeSetName: &c.Name, ExecutionStatus: &c.Execution,
			Status: &c.Status, StatusReason: nonEmpty(c.Reason), CreationTime: ptr(time.UnixMilli(c.Created).UTC()),
			Description: nonEmpty(c.Description), IncludeNestedStacks: ptr(false), ImportExistingResources: &c.ImportExisting,
		})
	}
	return out, nil
}

// DeleteChangeSet deletes a change set. It is no error if there is none.
func (s *Service) DeleteChangeSet(ctx context.Context, in *cfn.DeleteChangeSetInput) (*cfn.DeleteChangeSetOutput, error) {
	c, err := s.changeSet(ctx, in.ChangeSetName, in.StackName)
	var se *shape.Error
	if errors.As(err, &se) && se.Code == "ChangeSetNotFound" {
		return &cfn.DeleteChangeSetOutput{}, nil
	}
	if err != nil {
		return nil, err
	}
	if c.Execution == cfn.ExecutionStatusExecuteInProgress {
		return nil, cfn.InvalidChangeSetStatusException("ChangeSet [%s] cannot be deleted in its current status of [%s]", c.ID, c.Execution)
	}
	err = s.o.DB.Update(ctx, func(tx *store.Tx) error {
		if err := changeSets.Delete(tx, c.ID); err != nil {
			return err
		}
		st, err := stacks.Get(tx, c.StackID)
		if err != nil || inProgress(st.Status) {
			return err
		}
		return keepTemplate(tx, st.ID, st.Template)
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return &cfn.DeleteChangeSetOutput{}, nil
}

// ExecuteChangeSet does what a change set has planned.
func (s *Service) ExecuteChangeSet(ctx context.Context, in *cfn.ExecuteChangeSetInput) (*cfn.ExecuteChangeSetOutput, error) {
	onFailure, err := failureMode(nil, in.DisableRollback)
	if err != nil {
		return nil, err
	}
	var r *run
	err = retry(func() error {
		c, err := s.changeSet(ctx, in.ChangeSetName, in.StackName)
		if err != nil {
			return err
		}
		if c.Status != cfn.ChangeSetStatusCreateComplete {
			return cfn.InvalidChangeSetStatusException("ChangeSet [%s] cannot be executed in its current status of [%s]", c.ID, c.Status)
		}
		st, rows, err := s.current(ctx, wire.CallFrom(ctx).Region, c.StackID)
		if errors.Is(err, store.ErrNotFound) {
			return noStackBracket(c.StackName)
		}
		if err != nil {
			return err
		}
		if in.ClientRequestToken != nil && st.ChangeSet == c.ID {
			if done, _ := checkToken(st, in.ClientRequestToken, strings.ToLower(c.Type)); done {
				return nil
			}
		}
		if c.Execution != cfn.ExecutionStatusAvailable {
			return cfn.InvalidChangeSetStatusException("ChangeSet [%s] cannot be executed in its current execution status of [%s]", c.ID, c.Execution)
		}
		create := c.Type == cfn.ChangeSetTypeCreate || c.Type == cfn.ChangeSetTypeImport && st.Status == cfn.StackStatusReviewInProgress
		if create && st.Status != cfn.StackStatusReviewInProgress || !create && !updatable(st.Status) {
			return notUpdatable(st)
		}
		op := &Operation{
			OnFailure: onFailure, Token: shape.Val(in.ClientRequestToken), ChangeSet: c.ID,
			RetainExceptOnCreate: shape.Val(in.RetainExceptOnCreate), ImportExisting: c.ImportExisting, Bring: c.Import,
		}
		if c.OnFailure != "" {
			if in.DisableRollback != nil {
				return invalid("DisableRollback cannot be specified for a change set that was created with OnStackFailure.")
			}
			op.OnFailure = c.OnFailure
		}
		st.ChangeSet = c.ID
		if create {
			st.OnFailure, st.RetainExceptOnCreate = op.OnFailure, op.RetainExceptOnCreate
		}
		r, err = s.execute(ctx, st, rows, c, op, create)
		return err
	})
	if err != nil {
		return nil, err
	}
	if r != nil {
		s.wait(ctx, r)
	}
	return &cfn.ExecuteChangeSetOutput{}, nil
}

// execute begins what a change set has planned.
func (s *Service) execute(ctx context.Context, st *Stack, rows map[string]*Resource, c *ChangeSet, op *Operation, create bool) (*run, error) {
	t, err := view(ctx, s.o.DB, func(tx *store.Tx) (*Template, error) { return templates.Get(tx, c.Target.Template) })
	if err != nil {
		return nil, err
	}
	acting, err := s.as(ctx, st, c.Target.RoleARN)
	if err != nil {
		return nil, err
	}
	p := &proposal{target: c.Target, tags: !sameTags(c.Target.Tags, st.Tags), changed: true}
	if p.desired, err = s.restore(st, t.Text, c.Target.Params); err != nil {
		return nil, asInvalid(err)
	}
	if p.plan, err = s.plan(acting, st, rows, p.desired, p.tags); err != nil {
		return nil, asInvalid(err)
	}
	also := func(tx *store.Tx) error { return obsolete(tx, st.ID, c.ID) }
	if create {
		return s.create(ctx, st, op, p, false, also)
	}
	return s.update(ctx, st, op, rows, p, also)
}

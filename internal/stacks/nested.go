package stacks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// nested is AWS::CloudFormation::Stack: a stack with operations of its own, which the steps of its parent begin
// and wait for. A creation that fails is left as it is, for the parent's rollback to delete; an update that fails
// rolls back itself. When the parent takes back an update that went through, the child goes back to the
// template that it had, whatever its TemplateURL holds by now.
type nested struct{ s *Service }

// parent reads the stack that a nested one belongs to, with the role and the capabilities of its operation.
func (n nested) parent(ctx context.Context, id string) (*Stack, error) {
	return view(ctx, n.s.o.DB, func(tx *store.Tx) (*Stack, error) {
		st, err := stacks.Get(tx, id)
		if err != nil {
			return nil, err
		}
		op, err := n.s.operation(tx, id)
		if err != nil {
			return nil, err
		}
		if op.Target != nil {
			st.RoleARN, st.Capabilities = op.Target.RoleARN, op.Target.Capabilities
		}
		return st, nil
	})
}

// wish makes what the properties want of the child.
func (n nested) wish(r *resource.Request, parent *Stack) (wish, error) {
	w := wish{capabilities: parent.Capabilities, role: &parent.RoleARN, tags: []cfn.Tag{}}
	if a, ok := r.Props["NotificationARNs"].([]any); ok && len(a) > 0 {
		return w, refused("NotificationARNs", "there is no SNS here to notify")
	}
	url, _ := r.Props["TemplateURL"].(string)
	if url == "" {
		return w, &resource.Error{Message: "Property TemplateURL cannot be empty."}
	}
	w.url = &url
	params, _ := r.Props["Parameters"].(map[string]any)
	for name, v := range params {
		w.params = append(w.params, cfn.Parameter{ParameterKey: ptr(name), ParameterValue: ptr(fmt.Sprint(v))})
	}
	slices.SortFunc(w.params, func(a, b cfn.Parameter) int { return strings.Compare(*a.ParameterKey, *b.ParameterKey) })
	tags, err := r.AllTags("Tags")
	if err != nil {
		return w, err
	}
	for k, v := range tags {
		if !strings.HasPrefix(k, "aws:") {
			w.tags = append(w.tags, cfn.Tag{Key: k, Value: v})
		}
	}
	slices.SortFunc(w.tags, func(a, b cfn.Tag) int { return strings.Compare(a.Key, b.Key) })
	return w, nil
}

func (n nested) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	name := r.StackName[:min(len(r.StackName), 128-14-min(len(r.LogicalID), 80))] + "-" + r.LogicalID[:min(len(r.LogicalID), 80)] + "-" + r.ID("", ident.UpperNum, 12)
	region := wire.CallFrom(ctx).Region
	st, _, err := n.s.current(ctx, region, name) // perhaps of a first try
	if errors.Is(err, store.ErrNotFound) {
		st, err = n.create(ctx, r, name)
	}
	if err != nil {
		return resource.Result{}, err
	}
	id := st.ID
	st, err = n.s.settle(ctx, id, func() error { return errHalted })
	if errors.Is(err, errClosing) {
		return resource.Result{}, err
	}
	if err != nil {
		return resource.Result{PhysicalID: id}, err
	}
	if st.Status == cfn.StackStatusCreateComplete || st.Status == cfn.StackStatusUpdateComplete {
		return n.result(st), nil
	}
	return resource.Result{PhysicalID: id}, &resource.Error{Message: "Embedded stack " + id + " was not successfully created: " + st.Reason}
}

// create begins the creation of the child.
func (n nested) create(ctx context.Context, r *resource.Request, name string) (*Stack, error) {
	parent, err := n.parent(ctx, r.StackID)
	if err != nil {
		return nil, err
	}
	w, err := n.wish(r, parent)
	if err != nil {
		return nil, err
	}
	if err := resource.Authorize(ctx, &cfn.Model, &cfn.CreateStackInput{StackName: name, TemplateURL: w.url}); err != nil {
		return nil, err
	}
	st := n.s.newStack(ctx, name)
	st.ParentID, st.RootID = parent.ID, parent.ID
	if parent.RootID != "" {
		st.RootID = parent.RootID
	}
	st.OnFailure = cfn.OnFailureDoNothing
	if v, ok := r.Props["TimeoutInMinutes"]; ok {
		if _, err := fmt.Sscan(fmt.Sprint(v), &st.TimeoutMinutes); err != nil || st.TimeoutMinutes < 1 {
			return nil, &resource.Error{Message: "TimeoutInMinutes must be a number greater than 0"}
		}
	}
	p, err := n.s.propose(ctx, st, nil, w)
	if err != nil {
		return nil, err
	}
	_, err = n.s.create(ctx, st, &Operation{OnFailure: cfn.OnFailureDoNothing}, p, true, nil)
	return st, err
}

func (n nested) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	st, err := n.s.settle(ctx, r.PhysicalID, nil)
	if err != nil {
		return resource.Result{}, err
	}
	if st.ParentToken != r.Token { // else it is what a first try has begun
		if err := retry(func() error { return n.update(ctx, r) }); err != nil {
			return resource.Result{}, err
		}
		if st, err = n.s.settle(ctx, r.PhysicalID, func() error { return n.s.cancel(ctx, r.PhysicalID) }); err != nil {
			return resource.Result{}, err
		}
	}
	if st.Status == cfn.StackStatusCreateComplete || st.Status == cfn.StackStatusUpdateComplete || r.Back && st.Status == cfn.StackStatusUpdateRollbackComplete {
		return n.result(st), nil
	}
	if st.ParentToken != r.Token { // there was nothing to do
		return n.result(st), nil
	}
	return resource.Result{}, &resource.Error{Message: fmt.Sprintf("Embedded stack %s was not successfully updated. Currently in %s with reason: %s", st.ID, st.Status, st.Reason)}
}

// update begins an update of the child, if anything of it changes.
func (n nested) update(ctx context.Context, r *resource.Request) error {
	s := n.s
	st, rows, err := s.current(ctx, wire.CallFrom(ctx).Region, r.PhysicalID)
	if err != nil {
		return orNoStack(err, r.PhysicalID)
	}
	if r.Back && st.Status == cfn.StackStatusUpdateRollbackFailed {
		st.ParentToken = r.Token
		_, err := s.rollBack(ctx, st, rows, nil, nil, nil)
		return err
	}
	if !updatable(st.Status) {
		return notUpdatable(st)
	}
	before := &Target{Template: st.Template, Description: st.Description, Params: st.Params, Tags: st.Tags, Capabilities: st.Capabilities, Imports: st.Imports, RoleARN: st.RoleARN}
	var p *proposal
	if r.Back {
		if st.Prior == nil || st.Status == cfn.StackStatusUpdateRollbackComplete {
			return nil
		}
		p = &proposal{target: st.Prior, tags: !sameTags(st.Prior.Tags, st.Tags)}
		t, err := view(ctx, s.o.DB, func(tx *store.Tx) (*Template, error) { return templates.Get(tx, st.Prior.Template) })
		if err != nil {
			return err
		}
		if p.desired, err = s.restore(st, t.Text, st.Prior.Params); err != nil {
			return asInvalid(err)
		}
		if p.plan, err = s.plan(ctx, st, rows, p.desired, p.tags); err != nil {
			return asInvalid(err)
		}
		p.changed = p.tags || p.plan.changes(st) || !s.sameParams(p.target.Params, st.Params)
	} else {
		parent, err := n.parent(ctx, r.StackID)
		if err != nil {
			return err
		}
		w, err := n.wish(r, parent)
		if err != nil {
			return err
		}
		if err := resource.Authorize(ctx, &cfn.Model, &cfn.UpdateStackInput{StackName: st.ID, TemplateURL: w.url}); err != nil {
			return err
		}
		if p, err = s.propose(ctx, st, rows, w); err != nil {
			return err
		}
	}
	if !p.changed {
		return nil
	}
	if st.Prior, st.ParentToken = before, r.Token; r.Back {
		st.Prior = nil
	}
	_, err = s.update(ctx, st, &Operation{OnFailure: cfn.OnFailureRollback}, rows, p, func(tx *store.Tx) error { return obsolete(tx, st.ID, "") })
	return err
}

func (n nested) Delete(ctx context.Context, r *resource.Request) error {
	region := wire.CallFrom(ctx).Region
	if err := resource.Authorize(ctx, &cfn.Model, &cfn.DeleteStackInput{StackName: r.PhysicalID}); err != nil {
		return err
	}
	st, err := view(ctx, n.s.o.DB, func(tx *store.Tx) (*Stack, error) { return lookup(tx, region, r.PhysicalID) })
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if inProgress(st.Status) && st.Status != cfn.StackStatusCreateInProgress && st.Status != cfn.StackStatusDeleteInProgress {
		if _, err := n.s.settle(ctx, st.ID, nil); err != nil {
			return err
		}
	}
	err = retry(func() error {
		st, rows, err := n.s.current(ctx, region, r.PhysicalID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = n.s.remove(ctx, st, rows, &cfn.DeleteStackInput{StackName: st.ID})
		return err
	})
	if err != nil {
		return err
	}
	if st, err = n.s.settle(ctx, r.PhysicalID, nil); err != nil {
		return err
	}
	if st.Deleted == 0 {
		return &resource.Error{Message: "Embedded stack " + st.ID + " was not successfully deleted: " + st.Reason}
	}
	return nil
}

// result says what a parent may know of its child.
func (n nested) result(st *Stack) resource.Result {
	attrs := map[string]any{
		"StackId": st.ID, "StackStatus": st.Status, "ParentId": st.ParentID, "RootId": st.RootID,
		"CreationTime": time.UnixMilli(st.Created).UTC().Format(time.RFC3339),
	}
	if st.Updated != 0 {
		attrs["LastUpdateTime"] = time.UnixMilli(st.Updated).UTC().Format(time.RFC3339)
	}
	for _, o := range st.Outputs {
		attrs["Outputs."+o.Key] = o.Value
	}
	return resource.Result{PhysicalID: st.ID, Attrs: attrs}
}

// settle waits until nothing is being done to a stack. halted is called when the operation that waits has no
// use for it any more; its error ends the wait.
func (s *Service) settle(ctx context.Context, id string, halted func() error) (*Stack, error) {
	woken := s.listen(id)
	defer s.unlisten(id, woken)
	halt := haltedBy(ctx)
	if halted == nil {
		halt = nil
	}
	for {
		st, err := view(ctx, s.o.DB, func(tx *store.Tx) (*Stack, error) { return stacks.Get(tx, id) })
		if err != nil {
			return nil, orNoStack(err, id)
		}
		if !inProgress(st.Status) {
			return st, nil
		}
		select {
		case <-woken:
		case <-halt:
			halt = nil
			if err := halted(); err != nil {
				return nil, err
			}
		case <-s.closed:
			return nil, errClosing
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// cancel rolls a stack's update back, if it is not over it.
func (s *Service) cancel(ctx context.Context, id string) error {
	_, err := s.CancelUpdateStack(ctx, &cfn.CancelUpdateStackInput{StackName: id})
	if shape.HasCode(err, "ValidationError") {
		return nil
	}
	return err
}

package stacks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/template"
)

var errFailed = errors.New("stacks: the step has failed")

// Reasons of statuses, in CloudFormation's words.
const (
	reasonInitiated   = "Resource creation Initiated"
	reasonNewPhysical = "Requested update requires the creation of a new physical resource; hence creating one."
	reasonProvider    = "Requested update required the provider to create a new physical resource"
	reasonNotCreated  = "Resource creation cancelled"
	reasonNotUpdated  = "Resource update cancelled"
	reasonUser        = "User Initiated"
	reasonRequested   = "Rollback requested by user."
)

// deploy is the forward phase of creations and updates.
func (r *run) deploy() error {
	if r.op.Attempts > maxAttempts {
		return r.fail(fmt.Sprintf("The server stopped %d times during this operation. ", r.op.Attempts))
	}
	if err := r.prepare(); err != nil {
		if isInvalid(err) {
			return r.fail(message(err))
		}
		return err
	}
	if why := r.mayRemove(); why != "" {
		return r.fail(why)
	}
	steps := make([]*step, 0, len(r.next.graph.Order))
	for _, id := range r.next.graph.Order {
		steps = append(steps, r.deployStep(r.next.tpl.Resource(id)))
	}
	failed, err := r.phase(steps, stopAll)
	if err != nil {
		return err
	}
	switch {
	case r.stopped == signalDelete:
		return r.turnIntoDelete(reasonUser)
	case r.stopped == signalCancel:
		return r.fail(reasonUser)
	case r.stopped == stoppedLate:
		return r.fail("Stack creation time exceeded the specified timeout. ")
	case len(failed) > 0:
		return r.fail(r.failure(failed))
	}
	outputs, err := r.eval.outputs()
	if err != nil {
		if isInvalid(err) {
			return r.fail(message(asInvalid(err)))
		}
		return err
	}
	return r.succeed(outputs)
}

// prepare compiles what the stack is to become.
func (r *run) prepare() error {
	if r.next == nil {
		t, err := view(r.ctx, r.s.o.DB, func(tx *store.Tx) (*Template, error) { return templates.Get(tx, r.op.Target.Template) })
		if err != nil {
			return err
		}
		if r.next, err = r.s.restore(r.stack, t.Text, r.op.Target.Params); err != nil {
			return asInvalid(err)
		}
	}
	r.eval = r.s.evaluator(r.ctx, r.next, r.stack.ID, func(id string) (*State, bool) {
		row := r.rows[id]
		if row == nil || !row.Exists {
			return nil, false
		}
		return &row.State, true
	})
	return nil
}

// deployStep creates, replaces or updates one resource.
func (r *run) deployStep(res *template.Resource) *step {
	id := res.LogicalID
	st := &step{id: id, after: r.next.graph.Deps[id]}
	var shown map[string]any
	st.begin = func() (call, error) {
		row := r.rows[id]
		if row != nil && row.touched(r.op.ID) {
			shown = r.eval.shown(res, row.Props)
			switch {
			case row.Step.Failed:
				return nil, errFailed
			case row.Step.Done:
				return nil, nil
			}
			return r.deployCall(row), nil
		}
		sp, err := r.eval.resource(r.s.o.Registry, res)
		if err != nil {
			r.unfit(row, res, asInvalid(err))
			return nil, errFailed
		}
		shown = r.eval.shown(res, sp.props)
		if err := r.guarded(row, res, sp); err != nil {
			r.unfit(row, res, err)
			return nil, errFailed
		}
		if row = r.begin(row, res, sp, shown); row == nil {
			return nil, nil
		}
		return r.deployCall(row), nil
	}
	st.end = func(result resource.Result, err error) error {
		return r.deployed(r.rows[id], st.cancelled, shown, result, err)
	}
	st.cancel = func() {
		row := r.rows[id]
		if row.Step.Kind == stepCreate {
			r.status(row, cfn.ResourceStatusCreateFailed, reasonNotCreated, shown)
		} else {
			r.status(row, cfn.ResourceStatusUpdateFailed, reasonNotUpdated, shown)
		}
	}
	return st
}

// unfit notes that a resource's definition cannot be evaluated, or does not fit its schema.
func (r *run) unfit(row *Resource, res *template.Resource, err error) {
	status := cfn.ResourceStatusUpdateFailed
	if row == nil || !row.Exists {
		status = cfn.ResourceStatusCreateFailed
		row = r.fresh(row, res)
	} else {
		row.keepOld()
	}
	row.Step = &Step{Op: r.op.ID, Kind: stepNote, Done: true, Failed: true}
	r.status(row, status, reason(err), nil)
}

// fresh makes the row of a resource that does not exist.
func (r *run) fresh(row *Resource, res *template.Resource) *Resource {
	next := &Resource{Logical: res.LogicalID, State: State{Type: res.Type}}
	if row != nil {
		next.Doomed = row.Doomed
		if row.Unsure {
			old := row.State
			next.Doomed = append(next.Doomed, &old)
		}
	}
	r.rows[res.LogicalID] = next
	return next
}

// keepOld keeps the state before the operation, unless an earlier one that failed has left its own.
func (row *Resource) keepOld() {
	if row.Old == nil {
		old := row.State
		row.Old = &old
	}
}

// guarded holds the change of a resource against the stack policy.
func (r *run) guarded(row *Resource, res *template.Resource, sp spec) error {
	if row == nil || !row.Exists || r.op.Kind != opUpdate || r.stack.Policy == "" && r.op.Policy == "" {
		return nil
	}
	it := &item{typ: res.Type, row: row, props: sp.props, spec: sp}
	switch r.s.compare(it, r.op.TagsChanged); {
	case it.action == actNone:
		return nil
	case it.replace == resource.Always:
		return r.mayChange("Update:Replace", row)
	}
	return r.mayChange("Update:Modify", row)
}

// begin notes what a resource is to become. It returns nil if there is nothing to call.
func (r *run) begin(row *Resource, res *template.Resource, sp spec, shown map[string]any) *Resource {
	token := ident.UUID()
	state := State{
		Type: res.Type, Props: sp.props, Metadata: sp.metadata, Deps: sp.deps, OnDelete: sp.onDelete, OnReplace: sp.onReplace,
		Unsure: true, Token: token,
	}
	if row == nil || !row.Exists {
		row = r.fresh(row, res)
		row.State = state
		row.Step = &Step{Op: r.op.ID, Kind: stepCreate, Token: token}
		r.status(row, cfn.ResourceStatusCreateInProgress, "", shown)
		return row
	}
	it := &item{typ: res.Type, row: row, props: sp.props, spec: sp}
	r.s.compare(it, r.op.TagsChanged)
	switch {
	case it.replace == resource.Always:
		if row.Old != nil && row.replaced() {
			failed := row.State
			row.Doomed = append(row.Doomed, &failed)
		}
		row.keepOld()
		row.State = state
		row.Step = &Step{Op: r.op.ID, Kind: stepReplace, Token: token}
		r.status(row, cfn.ResourceStatusUpdateInProgress, reasonNewPhysical, shown)
	case len(it.changes) > 0 || it.tags || it.typ == stackType || row.dirty():
		row.Step = &Step{Op: r.op.ID, Kind: stepUpdate, Token: token, OldProps: row.Props}
		row.keepOld()
		row.Props, row.Metadata, row.Deps, row.OnDelete, row.OnReplace = sp.props, sp.metadata, sp.deps, sp.onDelete, sp.onReplace
		r.status(row, cfn.ResourceStatusUpdateInProgress, "", shown)
	case it.action != actNone || !slices.Equal(sp.deps, row.Deps):
		row.keepOld()
		row.Step = &Step{Op: r.op.ID, Kind: stepNote, Done: true}
		row.Metadata, row.Deps, row.OnDelete, row.OnReplace = sp.metadata, sp.deps, sp.onDelete, sp.onReplace
		r.put(row)
		return nil
	default:
		return nil
	}
	return row
}

// deployCall returns the call of a step that was begun.
func (r *run) deployCall(row *Resource) call {
	req := r.request(row, &row.State, row.Step.Token, r.op.Target.Tags)
	if row.Step.Kind == stepUpdate {
		req.OldProps = cloneProps(row.Step.OldProps)
		return r.update(req)
	}
	if at := r.op.Bring[row.Logical]; at != "" && row.Step.Kind == stepCreate {
		return func(ctx context.Context) (resource.Result, error) {
			h, err := r.handler(req.Type)
			if err != nil {
				return resource.Result{}, err
			}
			return r.bring(ctx, h, req, at)
		}
	}
	return r.create(req, row.OnDelete)
}

// deployed notes the result of a step.
func (r *run) deployed(row *Resource, cancelled bool, shown map[string]any, res resource.Result, err error) error {
	row.Step.Done = true
	attrs, attrErr := normal(res.Attrs)
	if err == nil {
		err = attrErr
	}
	create := row.Step.Kind == stepCreate
	if err != nil {
		r.note(row, err)
		row.Step.Failed = true
		if !row.Exists && res.PhysicalID != "" {
			row.Physical = res.PhysicalID // something is there, and is to be deleted
		} else {
			// A handler whose time was up may have made the resource all the same.
			row.Unsure = row.Unsure && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
		}
		r.put(row)
		if cancelled {
			return errFailed
		}
		status := cfn.ResourceStatusUpdateFailed
		if create {
			status = cfn.ResourceStatusCreateFailed
		}
		r.status(row, status, reason(err), shown)
		return errFailed
	}
	before := row.Physical
	row.Exists, row.Unsure = true, false
	if res.PhysicalID != "" {
		row.Physical = res.PhysicalID
	}
	row.RefValue, row.Attrs, row.NoEcho, row.Imported = res.Ref, attrs, res.NoEcho, row.Imported || res.Imported
	if cancelled {
		row.Step.Failed = true
		r.put(row)
		return errFailed
	}
	switch {
	case create:
		r.status(row, cfn.ResourceStatusCreateInProgress, reasonInitiated, shown)
		r.status(row, cfn.ResourceStatusCreateComplete, "", shown)
		return nil
	case row.Step.Kind == stepReplace:
		r.status(row, cfn.ResourceStatusUpdateInProgress, reasonInitiated, shown)
	case row.Physical != before:
		r.status(row, cfn.ResourceStatusUpdateInProgress, reasonProvider, shown)
	}
	r.status(row, cfn.ResourceStatusUpdateComplete, "", shown)
	return nil
}

// note logs what the reason of a status does not say.
func (r *run) note(row *Resource, err error) {
	attrs := []any{"stack", r.stack.ID, "resource", row.Logical, "type", row.Type, "error", err}
	var p *panicError
	if errors.As(err, &p) {
		r.s.o.Logger.Error("stacks: a resource handler panicked", append(attrs, "detail", p.detail)...)
		return
	}
	if cause := errors.Unwrap(err); cause != nil {
		attrs = append(attrs, "cause", cause)
	}
	r.s.o.Logger.Warn("stacks: a resource failed", attrs...)
}

// succeed ends the forward phase.
func (r *run) succeed(outputs []Output) error {
	before := *r.stack
	t := r.op.Target
	r.stack.Outputs = outputs
	r.stack.Template, r.stack.Description, r.stack.Params, r.stack.Tags = t.Template, t.Description, t.Params, t.Tags
	r.stack.Capabilities, r.stack.Imports, r.stack.RoleARN = t.Capabilities, t.Imports, t.RoleARN
	r.pending.also = append(r.pending.also, func(tx *store.Tx) error {
		if err := setExports(tx, r.stack, outputs); err != nil {
			return err
		}
		if err := setImports(tx, r.stack.Region, r.stack.ID, t.Imports); err != nil {
			return err
		}
		return keepTemplate(tx, r.stack.ID, t.Template)
	})
	if r.op.Kind == opCreate {
		r.finish(cfn.StackStatusCreateComplete, "")
	} else {
		r.op.Phase = cleanup
		r.pending.op = true
		r.stackStatus(cfn.StackStatusUpdateCompleteCleanupInProgress, "")
		for id, row := range r.rows {
			if row.Removed = !slices.Contains(r.next.graph.Order, id); row.Removed {
				r.put(row)
			}
		}
	}
	err := r.commit(true)
	if err != nil && isInvalid(err) { // an export that another stack took or needs
		*r.stack, r.ended = before, false
		for _, row := range r.rows {
			row.Removed = false
		}
		r.op.Phase = forward
		return r.fail(message(err))
	}
	return err
}

// fail ends the forward phase after something went wrong.
func (r *run) fail(why string) error {
	r.op.Failure = strings.TrimSpace(why)
	r.pending.op = true
	switch {
	case r.op.Kind == opUpdate && r.op.OnFailure == cfn.OnFailureDoNothing:
		r.finish(cfn.StackStatusUpdateFailed, r.op.Failure)
	case r.op.Kind == opUpdate:
		r.op.Phase = rollback
		r.stackStatus(cfn.StackStatusUpdateRollbackInProgress, r.op.Failure)
	case r.op.OnFailure == cfn.OnFailureDoNothing:
		r.finish(cfn.StackStatusCreateFailed, r.op.Failure)
	case r.op.OnFailure == cfn.OnFailureDelete:
		return r.turnIntoDelete(r.op.Failure + " Delete requested by user.")
	default:
		r.op.Phase = rollback
		r.stackStatus(cfn.StackStatusRollbackInProgress, strings.TrimSpace(r.op.Failure+" "+reasonRequested))
	}
	return r.commit(true)
}

// turnIntoDelete goes on with a creation by deleting the stack.
func (r *run) turnIntoDelete(why string) error {
	r.op.Kind, r.op.Phase, r.op.Undo = opDelete, forward, true
	r.pending.op = true
	r.stackStatus(cfn.StackStatusDeleteInProgress, why)
	return r.commit(true)
}

// finish ends the operation with the next commit.
func (r *run) finish(status, why string) {
	r.ended = true
	r.keepUnfinished(status)
	r.stackStatus(status, why)
	op, ok := r.op, r.op.Failure == ""
	r.pending.also = append(r.pending.also, func(tx *store.Tx) error {
		if err := endChangeSet(tx, r.stack.ID, op.ChangeSet, ok); err != nil {
			return err
		}
		if _, err := questions.DeleteAll(tx, r.stack.ID); err != nil {
			return err
		}
		return dropOperation(tx, r.stack.ID)
	})
}

// undoUpdate brings back the old properties after an update has failed.
func (r *run) undoUpdate() error {
	var steps []*step
	for _, row := range lastFirst(touchedRows(r.rows)) {
		steps = append(steps, r.undoStep(row))
	}
	slices.Reverse(steps)
	failed, err := r.phase(steps, holdBack)
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		r.finish(cfn.StackStatusUpdateRollbackFailed, strings.TrimSpace(r.failure(failed)))
		return r.commit(true)
	}
	r.op.Phase = cleanup
	r.pending.op = true
	r.pending.also = append(r.pending.also, func(tx *store.Tx) error {
		if err := setImports(tx, r.stack.Region, r.stack.ID, r.stack.Imports); err != nil {
			return err
		}
		return keepTemplate(tx, r.stack.ID, r.stack.Template)
	})
	r.stackStatus(cfn.StackStatusUpdateRollbackCompleteCleanupInProgress, "")
	return r.commit(true)
}

func touchedRows(rows map[string]*Resource) []*Resource {
	var out []*Resource
	for _, row := range rows {
		if row.Old != nil {
			out = append(out, row)
		}
	}
	return out
}

// undoStep brings back the old state of one resource.
func (r *run) undoStep(row *Resource) *step {
	st := &step{id: row.Logical, after: row.Old.Deps}
	st.begin = func() (call, error) {
		switch {
		case row.replaced():
			if row.Exists || row.Unsure {
				failed := row.State
				row.Doomed = append(row.Doomed, &failed)
			}
			row.State, row.Old = *row.Old, nil
			row.Step = &Step{Op: r.op.ID, Kind: stepRevert, Done: true}
			r.status(row, cfn.ResourceStatusUpdateComplete, "", nil)
			return nil, nil
		case row.Step.Kind == stepNote:
			failed := row.Step.Failed
			row.State, row.Old = *row.Old, nil
			row.Step = &Step{Op: r.op.ID, Kind: stepRevert, Done: true}
			if r.put(row); failed {
				r.status(row, cfn.ResourceStatusUpdateComplete, "", nil)
			}
			return nil, nil
		}
		if row.Step.Kind != stepRevert || row.Step.Op != r.op.ID || row.Step.Done {
			row.Step = &Step{Op: r.op.ID, Kind: stepRevert, Token: ident.UUID()}
		}
		r.status(row, cfn.ResourceStatusUpdateInProgress, "", nil)
		req := r.request(row, row.Old, row.Step.Token, r.stack.Tags)
		req.PhysicalID, req.OldProps, req.Back = row.Physical, cloneProps(row.Props), true
		return r.update(req), nil
	}
	st.end = func(res resource.Result, err error) error {
		row.Step.Done = true
		attrs, attrErr := normal(res.Attrs)
		if err == nil {
			err = attrErr
		}
		if err != nil {
			r.note(row, err)
			row.Step.Failed = true
			r.status(row, cfn.ResourceStatusUpdateFailed, reason(err), nil)
			return errFailed
		}
		if res.PhysicalID != "" && res.PhysicalID != row.Physical {
			failed := row.State
			row.Doomed = append(row.Doomed, &failed)
		}
		old := *row.Old
		if res.PhysicalID != "" {
			old.Physical = res.PhysicalID
		}
		old.RefValue, old.Attrs, old.NoEcho = res.Ref, attrs, res.NoEcho
		row.State, row.Old = old, nil
		r.status(row, cfn.ResourceStatusUpdateComplete, "", nil)
		return nil
	}
	return st
}

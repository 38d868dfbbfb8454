package stacks

import (
	"context"
	"slices"
	"strings"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// doom is what is to be deleted of one resource.
type doom struct {
	row    *Resource
	things []*State
	undo   bool // the operation that created it is undone
	forget bool // the row goes with it
}

// deleteAll is the only phase of a deletion.
func (r *run) deleteAll() error {
	var dooms []*doom
	for _, row := range r.rows {
		d := &doom{row: row, things: row.all(), undo: r.op.Undo}
		if len(d.things) > 0 {
			dooms = append(dooms, d)
		}
	}
	on := holdBack
	if r.op.Force {
		on = carryOn
	}
	failed, err := r.phase(r.deleteSteps(dooms), on)
	if err != nil {
		return err
	}
	if len(failed) > 0 && !r.op.Force {
		r.op.Failure = strings.TrimSpace(r.failure(failed))
		r.finish(cfn.StackStatusDeleteFailed, r.op.Failure)
		return r.commit(true)
	}
	r.gone()
	return r.commit(true)
}

// gone ends the deletion of a stack. Its history can still be seen by its ARN.
func (r *run) gone() {
	r.stack.Deleted = r.s.o.Now().UnixMilli()
	r.finish(cfn.StackStatusDeleteComplete, "")
	r.pending.also = append(r.pending.also, func(tx *store.Tx) error {
		if err := setImports(tx, r.stack.Region, r.stack.ID, nil); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM stack_exports WHERE stack_id = $1", r.stack.ID); err != nil {
			return err
		}
		if _, err := questions.DeleteAll(tx, handles(r.stack.ID)); err != nil {
			return err
		}
		return dropChangeSets(tx, r.stack.ID)
	})
}

// all returns everything that exists, or may exist, of a resource.
func (row *Resource) all() []*State {
	var out []*State
	if row.Exists || row.Unsure {
		out = append(out, &row.State)
	}
	if row.Old != nil && row.replaced() && row.Old.Exists {
		out = append(out, row.Old)
	}
	return append(out, row.Doomed...)
}

// undoCreate deletes what a failed creation has made.
func (r *run) undoCreate() error {
	var dooms []*doom
	for _, row := range r.rows {
		if things := row.all(); len(things) > 0 {
			dooms = append(dooms, &doom{row: row, things: things, undo: true})
		}
	}
	failed, err := r.phase(r.deleteSteps(dooms), holdBack)
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		r.finish(cfn.StackStatusRollbackFailed, strings.TrimSpace(r.failure(failed)))
	} else {
		r.finish(cfn.StackStatusRollbackComplete, "")
		r.pending.also = append(r.pending.also, func(tx *store.Tx) error {
			return setImports(tx, r.stack.Region, r.stack.ID, nil)
		})
	}
	return r.commit(true)
}

// cleanup deletes what an update leaves behind: what was replaced and removed if it went through, what was
// new if it was rolled back. What cannot be deleted is left, with an event that says so.
func (r *run) cleanup() error {
	var dooms []*doom
	ok := r.op.Failure == ""
	for _, row := range r.rows {
		d := &doom{row: row}
		switch {
		case ok && row.Removed:
			d.things, d.forget = row.all(), true
		case ok && row.replaced():
			d.things = append([]*State{row.Old}, row.Doomed...)
		case !ok && row.touched(r.op.ID) && row.Step.Kind != stepRevert && row.Old == nil:
			d.things, d.forget, d.undo = row.all(), true, true
		default:
			d.things = row.Doomed
		}
		if len(d.things) > 0 {
			dooms = append(dooms, d)
		} else if d.forget {
			r.drop(row)
		}
	}
	if _, err := r.phase(r.deleteSteps(dooms), carryOn); err != nil {
		return err
	}
	for _, row := range r.rows {
		if row.Old != nil || len(row.Doomed) > 0 {
			row.Old, row.Doomed = nil, nil
			r.put(row)
		}
		if row.Step != nil && row.Step.OldProps != nil {
			row.Step.OldProps = nil
			r.put(row)
		}
	}
	if ok {
		r.finish(cfn.StackStatusUpdateComplete, "")
	} else {
		r.finish(cfn.StackStatusUpdateRollbackComplete, "")
	}
	return r.commit(true)
}

// deleteSteps orders deletions: what needs another, if only through what stays, goes before it.
func (r *run) deleteSteps(dooms []*doom) []*step {
	by := map[string]*doom{}
	for _, d := range dooms {
		by[d.row.Logical] = d
	}
	needs := map[string]*Resource{}
	var all []*Resource
	for id, row := range r.rows {
		// Old and new state may need different things.
		n := &Resource{Logical: id, State: State{Deps: slices.Clone(row.Deps)}}
		if by[id] != nil {
			for _, t := range by[id].things {
				n.Deps = append(n.Deps, t.Deps...)
			}
		}
		needs[id] = n
		all = append(all, n)
	}
	order := lastFirst(all)
	place := map[string]int{}
	for i, n := range order {
		place[n.Logical] = i
	}
	after := map[string][]string{}
	var steps []*step
	for _, n := range order {
		id := n.Logical
		if by[id] == nil {
			continue
		}
		seen := map[string]bool{}
		var walk func(n *Resource)
		walk = func(n *Resource) {
			for _, dep := range n.Deps {
				// Old and new together may go in circles; the order breaks them.
				if needs[dep] == nil || seen[dep] || place[dep] < place[id] {
					continue
				}
				if seen[dep] = true; by[dep] != nil {
					after[dep] = append(after[dep], id)
				} else {
					walk(needs[dep])
				}
			}
		}
		walk(n)
		steps = append(steps, r.deleteStep(by[id]))
	}
	for _, st := range steps {
		st.after = after[st.id]
	}
	return steps
}

// retained tells whether a policy keeps a thing.
func (r *run) retained(d *doom, t *State) bool {
	if r.op.Kind == opDelete && slices.Contains(r.op.Retain, d.row.Logical) {
		return true
	}
	if d.undo && t.Imported {
		return true
	}
	policy := t.OnDelete
	if d.row.Old == t && !d.forget && r.op.Kind == opUpdate { // it was replaced
		policy = t.OnReplace
		if d.row.OnReplace == "Retain" { // the template may have come to say so with the same update
			policy = d.row.OnReplace
		}
	}
	switch policy {
	case "Retain":
		return !(d.undo && r.op.RetainExceptOnCreate)
	case "RetainExceptOnCreate":
		return !d.undo
	}
	return false
}

// deleteStep deletes what is doomed of one resource.
func (r *run) deleteStep(d *doom) *step {
	row := d.row
	st := &step{id: row.Logical}
	var doomed []*State
	st.begin = func() (call, error) {
		var reqs []*resource.Request
		for _, t := range d.things {
			if r.retained(d, t) {
				r.event(row, t, cfn.ResourceStatusDeleteSkipped, "", nil)
				continue
			}
			if t.DeleteToken == "" {
				t.DeleteToken = ident.UUID()
			}
			doomed = append(doomed, t)
			reqs = append(reqs, r.request(row, t, t.DeleteToken, r.stack.Tags))
			r.event(row, t, cfn.ResourceStatusDeleteInProgress, "", nil)
		}
		if len(doomed) == 0 {
			r.deleted(d, cfn.ResourceStatusDeleteSkipped, "")
			return nil, nil
		}
		if !d.forget && r.op.Kind != opUpdate {
			row.Status, row.Reason, row.Time = cfn.ResourceStatusDeleteInProgress, "", r.s.o.Now().UnixMilli()
		}
		r.put(row)
		unsure := make([]*resource.Request, len(doomed))
		for i, t := range doomed {
			if t.Unsure && !t.Exists && t.Physical == "" {
				unsure[i] = r.request(row, t, t.Token, r.stack.Tags)
			}
		}
		return func(ctx context.Context) (resource.Result, error) {
			for i, req := range reqs {
				if err := r.remove(ctx, req, unsure[i]); err != nil {
					return resource.Result{}, err
				}
			}
			return resource.Result{}, nil
		}, nil
	}
	st.end = func(_ resource.Result, err error) error {
		if err != nil {
			r.note(row, err)
			for _, t := range doomed {
				r.event(row, t, cfn.ResourceStatusDeleteFailed, reason(err), nil)
			}
			if r.op.Kind == opUpdate {
				r.deleted(d, cfn.ResourceStatusDeleteFailed, reason(err))
			} else {
				row.Status, row.Reason, row.Time = cfn.ResourceStatusDeleteFailed, reason(err), r.s.o.Now().UnixMilli()
				r.put(row)
			}
			return errFailed
		}
		for _, t := range doomed {
			r.event(row, t, cfn.ResourceStatusDeleteComplete, "", nil)
		}
		r.deleted(d, cfn.ResourceStatusDeleteComplete, "")
		return nil
	}
	return st
}

// remove calls a handler's Delete. Where it is not known whether a creation went through, it is asked
// for once more, with its own token: what that names is deleted.
func (r *run) remove(ctx context.Context, req, unsure *resource.Request) error {
	h, err := r.handler(req.Type)
	if err != nil {
		return err
	}
	if unsure != nil {
		res, err := r.create(unsure, "")(ctx)
		if err != nil {
			r.s.o.Logger.Warn("stacks: it is not known whether a resource was created", "stack", r.stack.ID, "resource", req.LogicalID, "type", req.Type, "error", err)
			return ctx.Err()
		}
		req.PhysicalID = res.PhysicalID
	}
	return h.Delete(r.on(ctx, req), req)
}

// deleted notes that nothing doomed is left of a resource.
func (r *run) deleted(d *doom, status, why string) {
	row := d.row
	switch {
	case d.forget:
		r.drop(row)
		return
	case r.op.Kind != opUpdate:
		row.Exists, row.Unsure, row.Old, row.Doomed = false, false, nil, nil
		row.Status, row.Reason, row.Time = status, why, r.s.o.Now().UnixMilli()
		row.Attrs = nil
		if row.Step != nil {
			row.Step.OldProps = nil
		}
	default:
		row.Old, row.Doomed = nil, nil
	}
	r.put(row)
}

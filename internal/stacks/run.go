package stacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// run drives one operation. Only its own goroutine touches it, but for wake and done; handlers run on
// goroutines of their own and get copies.
type run struct {
	s     *Service
	ctx   context.Context
	stack *Stack
	op    *Operation
	rows  map[string]*Resource
	next  *desired   // what the stack is to become; nil until it is needed
	eval  *evaluator // of next
	wake  chan struct{}
	done  chan struct{}
	ended bool
	asked wire.Authorizer // about all that handlers do; nil: nobody

	signal  string // that was left for the operation
	stopped string // why the forward phase was ended before its time
	pending batch
	last    map[string]int64 // times of events, which make up their ids
	since   int64            // the time of the last event before the operation
}

// batch is what the next commit makes durable.
type batch struct {
	rows, drop map[string]bool
	events     []*Event
	stack, op  bool
	also       []func(tx *store.Tx) error
}

const (
	signalCancel = "cancel" // roll the update back
	signalDelete = "delete" // stop the creation, delete the stack
)

func (s *Service) newRun(st *Stack, op *Operation, rows map[string]*Resource, d *desired) *run {
	return &run{
		s: s, ctx: s.background(op.Call), stack: st, op: op, rows: rows, next: d,
		wake: make(chan struct{}, 1), done: make(chan struct{}), last: map[string]int64{}, since: st.LastEvent,
	}
}

// load reads an operation that was left behind.
func (s *Service) load(tx *store.Tx, stackID string, op *Operation) (*run, error) {
	st, err := stacks.Get(tx, stackID)
	if err != nil {
		return nil, err
	}
	list, err := s.resources(tx, stackID, "", 0)
	if err != nil {
		return nil, err
	}
	return s.newRun(st, op, byLogical(list), nil), nil
}

func byLogical(list []*Resource) map[string]*Resource {
	rows := map[string]*Resource{}
	for _, r := range list {
		rows[r.Logical] = r
	}
	return rows
}

// drive goes through the phases until the operation has ended.
func (r *run) drive() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("stacks: panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := r.become(); err != nil {
		return err
	}
	for !r.ended {
		switch {
		case r.op.Kind == opDelete:
			err = r.deleteAll()
		case r.op.Phase == forward:
			err = r.deploy()
		case r.op.Phase == rollback && r.op.Kind == opCreate:
			err = r.undoCreate()
		case r.op.Phase == rollback:
			err = r.undoUpdate()
		default:
			err = r.cleanup()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// commit makes durable what has happened since the last one.
func (r *run) commit(always bool) error {
	b := r.pending
	r.pending = batch{}
	if !always && !b.stack && !b.op && len(b.rows) == 0 && len(b.drop) == 0 && len(b.events) == 0 && len(b.also) == 0 {
		return nil
	}
	if b.stack {
		r.stack.Rev++
	}
	op := r.op
	if !b.op {
		op = nil
	}
	signal := ""
	err := r.s.o.DB.Update(r.ctx, func(tx *store.Tx) (err error) {
		if signal, err = r.s.renew(tx, r.stack.ID, op); err != nil {
			return err
		}
		for id := range b.rows {
			if !b.drop[id] {
				if err := r.s.putResource(tx, r.stack.ID, r.rows[id]); err != nil {
					return err
				}
			}
		}
		for id := range b.drop {
			if err := dropResource(tx, r.stack.ID, id); err != nil {
				return err
			}
		}
		if err := r.s.putEvents(tx, r.stack.ID, b.events); err != nil {
			return err
		}
		if b.stack {
			if err := stacks.Put(tx, stackKey(r.stack), r.stack); err != nil {
				return err
			}
		}
		for _, f := range b.also {
			if err := f(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && signal != "" {
		r.signal = signal
	}
	return err
}

func (r *run) put(row *Resource) {
	if r.pending.rows == nil {
		r.pending.rows = map[string]bool{}
	}
	r.pending.rows[row.Logical] = true
}

func (r *run) drop(row *Resource) {
	if r.pending.drop == nil {
		r.pending.drop = map[string]bool{}
	}
	r.pending.drop[row.Logical] = true
	delete(r.rows, row.Logical)
}

// now returns the time for an event. Events with the same id get times of their own.
func (r *run) now(id string) int64 {
	t := max(r.s.o.Now().UnixMilli(), r.last[id]+1, r.since+1)
	r.last[id] = t
	r.stack.LastEvent = max(r.stack.LastEvent, t)
	return t
}

// event appends to the history of a resource.
func (r *run) event(row *Resource, thing *State, status, reason string, shown map[string]any) {
	t := r.now(row.Logical + "-" + status)
	e := &Event{
		ID:   row.Logical + "-" + status + "-" + time.UnixMilli(t).UTC().Format("2006-01-02T15:04:05.000Z"),
		Time: t, Logical: row.Logical, Physical: thing.Physical, Type: thing.Type, Status: status, Reason: reason, Token: r.op.Token,
	}
	if len(shown) > 0 {
		if data, err := json.Marshal(shown); err == nil {
			e.Properties = string(data)
		}
	}
	r.pending.events = append(r.pending.events, e)
}

// status gives a resource a status and tells the history.
func (r *run) status(row *Resource, status, reason string, shown map[string]any) {
	if rest, ok := strings.CutPrefix(status, "CREATE_"); ok && r.op.Bring[row.Logical] != "" {
		if status = "IMPORT_" + rest; reason == reasonInitiated {
			reason = "Resource import started."
		}
	}
	r.event(row, &row.State, status, reason, shown)
	row.Status, row.Reason, row.Time = status, reason, r.s.o.Now().UnixMilli()
	r.put(row)
}

// stackStatus gives the stack a status and tells the history.
func (r *run) stackStatus(status, reason string) {
	r.stack.Status, r.stack.Reason = r.op.word(status), reason
	r.pending.stack = true
	r.pending.events = append(r.pending.events, stackEvent(r.stack, r.now(""), r.op.Token))
}

// stackEvent is an event of the stack itself, with the status that it has.
func stackEvent(st *Stack, t int64, token string) *Event {
	return &Event{ID: ident.UUID(), Time: t, Logical: st.Name, Physical: st.ID, Type: stackType, Status: st.Status, Reason: st.Reason, Token: token}
}

// step is what a phase does for one resource.
type step struct {
	id    string
	after []string // steps of the same phase that must have ended

	// begin notes that the step begins; what it notes is durable before the returned function is
	// called. It returns nil if there is nothing to call, an error if the step has failed already.
	begin func() (call, error)
	// end notes the result. It returns an error if the step has failed.
	end func(res resource.Result, err error) error
	// cancel notes that the phase was ended while the call runs. May be nil.
	cancel    func()
	cancelled bool
	halt      chan struct{} // closed then; those who wait for others look at it: haltedBy
}

// call runs a handler.
type call func(ctx context.Context) (resource.Result, error)

// onFailure says how a phase goes on when a step has failed.
type onFailure int

const (
	stopAll  onFailure = iota // begin nothing more
	holdBack                  // begin nothing that comes after it
	carryOn                   // as if it had not
)

// handlerGrace is how long handlers may take to notice that their time is over.
const handlerGrace = 10 * time.Second

type outcome struct {
	st  *step
	res resource.Result
	err error
}

// phase runs steps, each after those it names, and returns the failed ones.
func (r *run) phase(steps []*step, on onFailure) (failed []*step, err error) {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	index, blocked, dependents := map[string]*step{}, map[string]int{}, map[string][]*step{}
	for _, st := range steps {
		index[st.id] = st
	}
	var ready []*step
	for _, st := range steps {
		for _, id := range st.after {
			if index[id] != nil && id != st.id {
				blocked[st.id]++
				dependents[id] = append(dependents[id], st)
			}
		}
		if blocked[st.id] == 0 {
			ready = append(ready, st)
		}
	}
	var running []*step
	stopping := false
	left := len(steps)
	finish := func(st *step) {
		for _, d := range dependents[st.id] {
			if blocked[d.id]--; blocked[d.id] == 0 {
				ready = append(ready, d)
			}
		}
	}
	stop := func() {
		stopping = true
		for _, st := range running {
			if !st.cancelled && st.cancel != nil {
				st.cancelled = true
				st.cancel()
				close(st.halt)
			}
		}
	}
	ended := func(st *step, err error) {
		left--
		switch {
		case err == nil:
			finish(st)
			return
		case on == carryOn:
			finish(st)
		}
		failed = append(failed, st)
		if on == stopAll && !stopping {
			stop()
		}
	}
	results := make(chan outcome, len(steps))
	closed, closing, suspended := r.s.closed, false, false
	take := func(o outcome) {
		running = slices.DeleteFunc(running, func(st *step) bool { return st == o.st })
		if errors.Is(o.err, errClosing) {
			closing, suspended = true, true // it goes on with the next server
			return
		}
		ended(o.st, o.st.end(o.res, o.err))
	}
	renew := time.NewTicker(leaseTime / 3)
	defer renew.Stop()
	var deadline, grace <-chan time.Time
	if on == stopAll && r.op.Deadline != 0 {
		t := time.NewTimer(time.UnixMilli(r.op.Deadline).Sub(r.s.o.Now()))
		defer t.Stop()
		deadline = t.C
	}
	for {
		calls := map[*step]call{}
		for !stopping && !closing && len(ready) > 0 && len(running) < parallel {
			st := ready[0]
			ready = ready[1:]
			do, err := st.begin()
			if err != nil || do == nil {
				ended(st, err)
				continue
			}
			st.halt = make(chan struct{})
			running = append(running, st)
			calls[st] = do
		}
		if stopping {
			stop() // also those that were begun just now
		}
		if err := r.commit(false); err != nil {
			return nil, err
		}
		for st, do := range calls {
			go func() {
				res, err := safely(context.WithValue(ctx, haltKey{}, st.halt), do)
				results <- outcome{st, res, err}
			}()
		}
		if on == stopAll && r.signal != "" && !stopping {
			r.stopped = r.signal
			stop()
			continue
		}
		if len(running) == 0 && (stopping || closing || len(ready) == 0) {
			break
		}
		if len(running) == 0 {
			continue
		}
		select {
		case o := <-results:
			if err := r.ctx.Err(); err != nil {
				return nil, err // the result says nothing
			}
			take(o)
			for len(results) > 0 {
				take(<-results)
			}
		case <-renew.C:
			if err := r.commit(true); err != nil {
				return nil, err
			}
		case <-r.wake:
			if err := r.commit(true); err != nil {
				return nil, err
			}
		case <-deadline:
			deadline, grace = nil, time.After(handlerGrace)
			r.stopped = stoppedLate
			stop()
			cancel()
		case <-grace:
			for _, st := range slices.Clone(running) {
				take(outcome{st: st, err: context.DeadlineExceeded})
			}
		case <-closed:
			closed, closing = nil, true
		case <-r.ctx.Done():
			return nil, r.ctx.Err()
		}
	}
	if suspended || closing && left > 0 && !stopping {
		return nil, errClosing
	}
	return failed, nil
}

const stoppedLate = "late"

// safely calls a handler and turns its panics into errors.
func safely(ctx context.Context, do call) (res resource.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{fmt.Sprintf("%v\n%s", p, debug.Stack())}
		}
	}()
	return do(ctx)
}

// panicError is the fault of a handler; its detail is for the log.
type panicError struct{ detail string }

func (e *panicError) Error() string { return "Internal Failure" }

// request makes the request for a handler.
func (r *run) request(row *Resource, thing *State, token string, tags []Tag) *resource.Request {
	req := &resource.Request{
		StackID: r.stack.ID, StackName: r.stack.Name, LogicalID: row.Logical, PhysicalID: thing.Physical,
		Type: thing.Type, Token: token, Props: cloneProps(thing.Props), TagsChanged: r.op.Kind == opUpdate && r.op.TagsChanged,
		Tags: map[string]string{
			"aws:cloudformation:stack-name": r.stack.Name, "aws:cloudformation:stack-id": r.stack.ID,
			"aws:cloudformation:logical-id": row.Logical,
		},
	}
	for _, t := range tags {
		req.Tags[t.Key] = t.Value
	}
	return req
}

// handler returns the handler of a type.
func (r *run) handler(typ string) (resource.Handler, error) {
	t, ok := r.s.o.Registry.Lookup(typ)
	if !ok {
		return nil, r.s.o.Registry.Unrecognized([]string{typ})
	}
	return t.Handler, nil
}

// create calls a handler's Create, perhaps not for the first time with the same token. policy is the resource's
// DeletionPolicy.
func (r *run) create(req *resource.Request, policy string) call {
	req.PhysicalID = ""
	return func(ctx context.Context) (resource.Result, error) {
		h, err := r.handler(req.Type)
		if err != nil {
			return resource.Result{}, err
		}
		res, err := h.Create(r.on(ctx, req), req)
		if err != nil && r.op.ImportExisting {
			res, err = r.adopt(ctx, h, req, policy, err)
		}
		if err == nil && res.PhysicalID == "" {
			err = errors.New("the handler of " + req.Type + " returned no physical id")
		}
		return res, err
	}
}

func (r *run) update(req *resource.Request) call {
	return func(ctx context.Context) (resource.Result, error) {
		h, err := r.handler(req.Type)
		if err != nil {
			return resource.Result{}, err
		}
		return h.Update(r.on(ctx, req), req)
	}
}

// failure names what has failed, as CloudFormation does.
func (r *run) failure(failed []*step) string {
	by := map[string][]string{}
	for _, st := range failed {
		status := ""
		if row := r.rows[st.id]; row != nil {
			status, _, _ = strings.Cut(row.Status, "_")
		}
		by[status] = append(by[status], st.id)
	}
	var parts []string
	for _, verb := range []string{"CREATE", "IMPORT", "UPDATE", "DELETE"} {
		if ids := by[verb]; len(ids) > 0 {
			slices.Sort(ids)
			parts = append(parts, fmt.Sprintf("The following resource(s) failed to %s: [%s]. ", strings.ToLower(verb), strings.Join(ids, ", ")))
		}
	}
	return strings.Join(parts, "")
}

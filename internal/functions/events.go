package functions

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// How asynchronous events are tried.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const (
	maxAttempts  = 3
	maxEventAge  = 6 * time.Hour
	eventsAtOnce = 64                               // tries that run at the same time
	eventLease   = (maxTimeout + 300) * time.Second // longer than any try
	maxBackoff   = 5 * time.Minute
)

// eventQueue works off asynchronous events. They are in the store; this knows when to look.
type eventQueue struct {
	s    *Service
	wake chan struct{}
	stop context.CancelFunc
	done chan struct{}

	// retryAfter is how long the next try waits after one, two failures.
	retryAfter [maxAttempts - 1]time.Duration

	mu      sync.Mutex
	running sync.WaitGroup
	free    int
}

func newEventQueue(s *Service) *eventQueue {
	ctx, stop := context.WithCancel(context.Background())
	q := &eventQueue{s: s, wake: make(chan struct{}, 1), stop: stop, done: make(chan struct{}), free: eventsAtOnce,
		retryAfter: [...]time.Duration{time.Minute, 2 * time.Minute}}
	go q.run(ctx)
	return q
}

// put stores an event; then it is acknowledged.
func (q *eventQueue) put(ctx context.Context, id, ref string, payload []byte, client string) error {
	if payload == nil {
		payload = []byte{}
	}
	now := q.s.Now().UnixMilli()
	err := q.s.DB.Update(ctx, func(tx *store.Tx) error {
		return insertEvent(tx, &queued{id: id, ref: ref, payload: payload, clientContext: client, created: now, due: now})
	})
	if err != nil {
		return err
	}
	q.poke()
	return nil
}

// poke has the queue looked at.
func (q *eventQueue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run hands out events that are due, and sleeps until the next one will be.
func (q *eventQueue) run(ctx context.Context) {
	defer close(q.done)
	s := q.s
	if s.DB.Engine() != "postgres" { // no other server can be at work on an event
		if err := s.DB.Update(ctx, func(tx *store.Tx) error { return releaseEvents(tx, s.Now().UnixMilli()) }); err != nil && ctx.Err() == nil {
			s.Logger.Error("asynchronous events could not be read", "error", err)
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-timer.C:
		}
		wait, err := q.dispatch(ctx)
		if err != nil && ctx.Err() == nil {
			s.Logger.Error("asynchronous events could not be read", "error", err)
			wait = 10 * time.Second
		}
		timer.Stop()
		if wait > 0 {
			timer.Reset(wait)
		}
	}
}

// dispatch starts what is due and returns how long nothing else will be, 0 for as long as nobody says so.
func (q *eventQueue) dispatch(ctx context.Context) (time.Duration, error) {
	q.mu.Lock()
	free := q.free
	q.mu.Unlock()
	if free == 0 {
		return 0, nil // a try that ends looks again
	}
	now := q.s.Now()
	var list []*queued
	var next int64
	err := q.s.DB.Update(ctx, func(tx *store.Tx) (err error) {
		list, next, err = claimEvents(tx, now.UnixMilli(), now.Add(eventLease).UnixMilli(), free)
		return err
	})
	if err != nil {
		return 0, err
	}
	q.mu.Lock()
	q.free -= len(list)
	q.mu.Unlock()
	for _, e := range list {
		q.running.Go(func() {
			q.try(ctx, e)
			q.mu.Lock()
			q.free++
			q.mu.Unlock()
			q.poke()
		})
	}
	if next == 0 {
		return 0, nil
	}
	return max(time.UnixMilli(next).Sub(now), time.Millisecond), nil
}

// try runs one event and settles what becomes of it.
func (q *eventQueue) try(ctx context.Context, e *queued) {
	s := q.s
	// A try that has begun goes on when the queue stops; Close waits for it.
	run := context.WithoutCancel(ctx)
	p, err := s.resolve(run, e.ref)
	var r *runtime.Result
	if err == nil {
		r, err = s.Runtime.Invoke(run, p.spec, &runtime.Invocation{RequestID: e.id, Payload: e.payload, InvokedARN: p.arn, ClientContext: e.clientContext})
	}
	age := s.Now().Sub(time.UnixMilli(e.created))
	var failed *runtime.Error
	switch {
	case err == nil && r.FunctionError == "":
		q.settle(run, e, 0, 0)
	case errors.Is(err, runtime.ErrClosed): // the server ends: the next one takes it
		q.settle(run, e, time.Millisecond, e.attempts)
	case shape.HasCode(err, "ResourceNotFoundException"):
		s.Logger.Warn("an asynchronous event was dropped, for its function is gone", "function", e.ref, "request", e.id)
		q.settle(run, e, 0, 0)
	case errors.As(err, &failed) && failed.Code == "TooManyRequestsException" || err != nil && failed == nil:
		// Nothing that the function did: it is tried until the event is too old.
		if age > maxEventAge {
			s.Logger.Warn("an asynchronous event was dropped, for it could not be run for six hours", "function", e.ref, "request", e.id, "error", err)
			q.settle(run, e, 0, 0)
			return
		}
		q.settle(run, e, min(max(age, time.Second), maxBackoff), e.attempts)
	case e.attempts+1 < maxAttempts && age <= maxEventAge:
		q.settle(run, e, q.retryAfter[e.attempts], e.attempts+1)
	default:
		s.Logger.Warn("an asynchronous event was dropped, for its function failed every time", "function", e.ref, "request", e.id, "tries", maxAttempts, "error", err)
		q.settle(run, e, 0, 0)
	}
}

// settle removes an event, or puts it off.
func (q *eventQueue) settle(ctx context.Context, e *queued, wait time.Duration, attempts int64) {
	err := q.s.DB.Update(ctx, func(tx *store.Tx) error {
		if wait == 0 {
			return deleteEvent(tx, e.id)
		}
		return postponeEvent(tx, e.id, q.s.Now().Add(wait).UnixMilli(), attempts)
	})
	if err != nil {
		q.s.Logger.Error("an asynchronous event could not be settled; it will be run again", "function", e.ref, "request", e.id, "error", err)
	}
}

// close stops the queue.
func (q *eventQueue) close(ctx context.Context) error {
	q.stop()
	<-q.done
	ended := make(chan struct{})
	go func() {
		q.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

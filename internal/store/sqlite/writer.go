package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
)

// maxBatch bounds the functions that share a commit, and maxHold the time for which the first
// of them may have to wait for the others.
const (
	maxBatch = 256
	maxHold  = 20 * time.Millisecond
)

// A request is one Update. It is claimed either by the writer, when it begins to run it, or by
// the caller, when its context ends first.
type request struct {
	f         func(backend.Conn) error
	committed func()
	claimed   atomic.Bool
	done      chan struct{} // closed when the fields below are set
	err       error
	panicked  bool
	value     any  // of the panic
	exited    bool // f called runtime.Goexit
}

type writer struct {
	c     *conn
	log   *slog.Logger
	queue chan *request
	done  chan struct{} // closed when the writer has stopped

	mu     sync.RWMutex // held for reading while sending to queue
	closed bool

	batch   []*request // ran in the open transaction and wait for its commit
	refused []*request // were undone, but may have seen what the batch did: they wait, too
	again   []*request // to run anew: their transaction was lost through no fault of theirs
	cur     *request   // is running
	err     error      // of closing
}

func newWriter(c *conn, log *slog.Logger) *writer {
	w := &writer{c: c, log: log, queue: make(chan *request, maxBatch), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *writer) update(ctx context.Context, f func(backend.Conn) error, committed func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{f: f, committed: committed, done: make(chan struct{})}
	w.mu.RLock()
	if w.closed {
		w.mu.RUnlock()
		return backend.ErrClosed
	}
	select {
	case w.queue <- r:
	case <-ctx.Done():
		w.mu.RUnlock()
		return ctx.Err()
	}
	w.mu.RUnlock()

	select {
	case <-r.done:
	case <-ctx.Done():
		if r.claimed.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-r.done // it is running: whether it was committed must not stay unknown
	}
	if r.exited {
		runtime.Goexit()
	}
	if r.panicked {
		panic(r.value)
	}
	return r.err
}

func (w *writer) close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.done
	return w.err
}

// run is the writer's goroutine.
func (w *writer) run() {
	finished := false
	defer func() {
		if finished {
			w.err = sqlError(w.c.close())
			close(w.done)
			return
		}
		// A function called runtime.Goexit (as testing.T.FailNow does), which cannot be
		// stopped. The transaction goes, its caller exits too, the others run anew in
		// another goroutine.
		w.cur.exited = true
		w.lost(w.cur, nil)
		go w.run()
	}()
	watch := time.AfterFunc(slow, func() {
		w.log.Error("a write transaction is taking very long; an Update within an Update waits for itself", "for", slow)
	})
	defer watch.Stop()
	watch.Stop()
	for {
		r, ok := w.next(true)
		if !ok {
			break
		}
		watch.Reset(slow)
		w.transaction(r)
		watch.Stop()
	}
	finished = true
}

// next returns a request to run, nil if there is none now; ok is false when there will be none.
func (w *writer) next(wait bool) (r *request, ok bool) {
	for {
		if n := len(w.again); n > 0 {
			r = w.again[0]
			w.again = w.again[1:]
			return r, true
		}
		if wait {
			if r, ok = <-w.queue; !ok {
				return nil, false
			}
		} else {
			select {
			case r = <-w.queue:
				if r == nil { // closed; the blocking call will notice
					return nil, true
				}
			default:
				return nil, true
			}
		}
		if r.claimed.CompareAndSwap(false, true) {
			return r, true
		}
	}
}

// transaction runs r and whatever is waiting beside it, and commits.
func (w *writer) transaction(r *request) {
	err := w.c.run("BEGIN IMMEDIATE")
	if err != nil {
		// Perhaps an error of the disk kept the last one from being rolled back.
		w.c.run("ROLLBACK")
		if err = w.c.run("BEGIN IMMEDIATE"); err != nil {
			w.answer(r, err)
			return
		}
	}
	start := time.Now()
	yielded := false
	for r != nil {
		if !w.one(r) {
			return // the transaction is gone
		}
		if len(w.batch)+len(w.refused) >= maxBatch || time.Since(start) > maxHold {
			break
		}
		if r, _ = w.next(false); r == nil && !yielded {
			// Callers that the last commit woke are about to ask again.
			yielded = true
			runtime.Gosched()
			r, _ = w.next(false)
		}
	}
	if len(w.batch) == 0 {
		w.c.run("ROLLBACK")
		return
	}
	if err := w.c.run("COMMIT"); err != nil {
		w.c.run("ROLLBACK") // fails if SQLite has done so
		w.finish(fmt.Errorf("store: nothing was saved: %w", err))
		return
	}
	for _, r := range w.batch {
		if r.committed != nil {
			r.committed()
		}
	}
	w.finish(nil)
}

// finish answers all requests of the batch, and those that were refused beside it.
func (w *writer) finish(err error) {
	for i, r := range w.batch {
		w.answer(r, err)
		w.batch[i] = nil
	}
	for i, r := range w.refused {
		if err == nil {
			w.answer(r, r.err)
		} else {
			w.answer(r, err) // what it was refused for may be gone
		}
		w.refused[i] = nil
	}
	w.batch, w.refused = w.batch[:0], w.refused[:0]
}

func (w *writer) answer(r *request, err error) {
	r.err = err
	close(r.done)
}

// one runs r within a savepoint. It returns false if the whole transaction was lost.
func (w *writer) one(r *request) bool {
	if err := w.c.run("SAVEPOINT f"); err != nil {
		w.lost(r, err)
		return false
	}
	w.cur = r
	err := w.call(r)
	w.cur = nil
	w.c.finish()
	if err == nil {
		if err = w.c.run("RELEASE f"); err == nil {
			w.batch = append(w.batch, r)
			return true
		}
	}
	// On some errors (disk full, out of memory) SQLite rolls the whole transaction back by
	// itself; then there is no such savepoint.
	if w.c.run("ROLLBACK TO f") != nil || w.c.run("RELEASE f") != nil {
		w.lost(r, err)
		return false
	}
	if len(w.batch) == 0 || r.panicked {
		w.answer(r, err)
		return true
	}
	// "It exists already" must not be said of what is not yet durable, nor seen by anybody.
	r.err = err
	w.refused = append(w.refused, r)
	return true
}

// errPanicked stands for a panic until its caller raises it again.
var errPanicked = errors.New("store: panic")

func (w *writer) call(r *request) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			w.log.Error("panic in a write transaction", "panic", v, "stack", string(debug.Stack()))
			r.panicked, r.value = true, v
			err = errPanicked
		}
		// else Goexit: see run.
	}()
	err = r.f(w.c)
	returned = true
	return err
}

// lost gives the transaction up after r, which is answered with err. The others did nothing
// wrong and have not been answered: they run again.
func (w *writer) lost(r *request, err error) {
	w.c.finish()
	w.c.run("ROLLBACK")
	w.answer(r, err)
	w.again = slices.Concat(w.batch, w.refused, w.again)
	w.batch, w.refused = nil, nil
}

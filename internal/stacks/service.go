package stacks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const (
	// answerWithin is how long an operation's caller waits for it to end: tools that find a stack
	// complete with their first look save their polling interval.
	answerWithin = 2 * time.Second
	// parallel is how many handlers of one operation run at a time.
	parallel = 8
	// maxAttempts is how often an operation is taken up in its forward phase.
	maxAttempts = 3
	// leaseTime is how long a server may be silent before another takes over its operations.
	leaseTime = 15 * time.Second
	// keepDeleted is how long deleted stacks can be looked at.
	keepDeleted = 90 * 24 * time.Hour
)

// ObjectReader reads objects of buckets.
type ObjectReader interface {
	OpenObject(ctx context.Context, bucket, key, versionID string) (io.ReadCloser, int64, error)
}

// Options are what a [Service] needs.
type Options struct {
	DB       *store.DB
	Registry *resource.Registry // may be filled until Start
	Account  string

	Objects   ObjectReader                                           // for TemplateURL; nil: refused
	Parameter func(ctx context.Context, name string) (string, error) // the parameter store; nil: refused
	Functions Functions                                              // for custom resources; nil: refused
	Outputs   func(value string) string                              // rewrites outputs that are shown; nil: as they are
	Seal      *seal.Key                                              // seals properties and secrets at rest; nil: stored as they are
	Logger    *slog.Logger                                           // nil: discard
	Now       func() time.Time                                       // nil: time.Now

	// Policies is asked about all that stacks do, on behalf of their callers or roles. Both or neither are
	// nil: then whoever may change a stack may make anything by it.
	Policies wire.Authorizer
	Callers  Callers
}

// Service implements the CloudFormation API.
type Service struct {
	cfn.Unimplemented
	o     Options
	owner string // this process, among those that share the database

	ctx  context.Context // of all operations
	stop context.CancelFunc

	mu      sync.Mutex
	runs    map[string]*run // by stack id
	closing bool
	closed  chan struct{} // closed with closing
	wg      sync.WaitGroup

	listeners map[string]map[chan struct{}]bool // who waits for what id: a question's, or a stack's
}

var _ cfn.Handler = (*Service)(nil)

// New returns a service. Operations that were interrupted wait for [Service.Start].
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{o: o, owner: ident.UUID(), runs: map[string]*run{}, closed: make(chan struct{}), listeners: map[string]map[chan struct{}]bool{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	o.DB.OnChange(questions.Name, s.changed)
	o.DB.OnChange(stacks.Name, s.changed)
	return s
}

// Start takes up operations that were interrupted and deletes what is left of stacks that were deleted
// long ago; it returns when that has begun. All resource types must be registered by now.
func (s *Service) Start(ctx context.Context) error {
	if err := s.purge(ctx); err != nil {
		return err
	}
	// An embedded database has one owner: who worked on it before is gone.
	if err := s.adopt(ctx, s.o.DB.Engine() != "postgres"); err != nil {
		return err
	}
	s.wg.Go(s.keep)
	return nil
}

// keep looks after what other servers leave behind.
func (s *Service) keep() {
	lease, day := time.NewTicker(leaseTime), time.NewTicker(24*time.Hour)
	defer lease.Stop()
	defer day.Stop()
	if s.o.DB.Engine() != "postgres" {
		lease.Stop() // nobody else is there
	}
	for {
		var err error
		select {
		case <-s.closed:
			return
		case <-lease.C:
			err = s.adopt(s.ctx, false)
		case <-day.C:
			err = s.purge(s.ctx)
		}
		if err != nil && s.ctx.Err() == nil {
			s.o.Logger.Error("stacks: looking after old operations failed", "error", err)
		}
	}
}

// Close waits for running operations until ctx ends. What is then unfinished goes on after the next Start.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closing {
		s.closing = true
		close(s.closed)
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.stop()
	if err == nil {
		return nil
	}
	// Operations see the end of their context; only handlers that do not care are left behind.
	select {
	case <-done:
	case <-time.After(time.Second):
	}
	return err
}

// launch runs an operation in the background, unless the service is closing: then it goes on after the
// next Start.
func (s *Service) launch(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		close(r.done)
		return
	}
	before := s.runs[r.stack.ID]
	s.runs[r.stack.ID] = r
	s.wg.Go(func() {
		if before != nil {
			<-before.done // its last commit is durable, or it is not the owner any more
		}
		err := r.drive()
		s.mu.Lock()
		if s.runs[r.stack.ID] == r {
			delete(s.runs, r.stack.ID)
		}
		s.mu.Unlock()
		if err == nil && r.signal == signalDelete && r.stack.Deleted == 0 && r.op.Kind != opDelete {
			err = s.deleteAfter(r) // the wish came too late to stop the creation
		}
		close(r.done)
		if err != nil {
			s.interrupted(r, err)
		}
	})
}

// interrupted deals with an operation that could not be driven to its end.
func (s *Service) interrupted(r *run, err error) {
	switch {
	case errors.Is(err, errLost):
		s.o.Logger.Warn("stacks: another server has taken over", "stack", r.stack.ID)
	case errors.Is(err, errClosing) || s.ctx.Err() != nil:
		// Let the next server have it at once.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.o.DB.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec("UPDATE stack_operations SET until = 0 WHERE stack_id = $1 AND owner = $2", r.stack.ID, s.owner)
			return err
		})
	default:
		s.o.Logger.Error("stacks: an operation was interrupted and will be tried again", "stack", r.stack.ID, "error", err)
		s.wg.Go(func() {
			select {
			case <-s.closed:
			case <-time.After(min(time.Duration(r.op.Attempts+1)*time.Second, 30*time.Second)):
				if err := s.take(s.ctx, r.stack.ID, s.owner); err != nil && s.ctx.Err() == nil {
					s.o.Logger.Error("stacks: taking up an operation failed", "stack", r.stack.ID, "error", err)
				}
			}
		})
	}
}

// adopt takes up operations whose server is gone: all, or those whose lease has ended.
func (s *Service) adopt(ctx context.Context, all bool) error {
	type row struct{ stack, owner string }
	rows, err := view(ctx, s.o.DB, func(tx *store.Tx) (out []row, err error) {
		rows, err := tx.Query("SELECT stack_id, owner, until FROM stack_operations ORDER BY stack_id")
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var r row
			var until int64
			if err := rows.Scan(&r.stack, &r.owner, &until); err != nil {
				return nil, err
			}
			if gone := until < s.o.Now().UnixMilli(); gone && s.running(r.stack) == nil || all && r.owner != s.owner {
				out = append(out, r)
			}
		}
		return out, rows.Err()
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := s.take(ctx, r.stack, r.owner); err != nil && !errors.Is(err, errLost) {
			return err
		}
	}
	return nil
}

// take goes on with an operation that owner has left.
func (s *Service) take(ctx context.Context, stackID, owner string) error {
	var r *run
	err := s.o.DB.Update(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec("UPDATE stack_operations SET owner = $1 WHERE stack_id = $2 AND owner = $3", s.owner, stackID, owner)
		if err != nil {
			return err
		}
		if n == 0 {
			return errLost
		}
		op, err := s.operation(tx, stackID)
		if err != nil {
			return err
		}
		op.Attempts++
		if _, err := s.renew(tx, stackID, op); err != nil {
			return err
		}
		r, err = s.load(tx, stackID, op)
		return err
	})
	if err != nil {
		return err
	}
	s.o.Logger.Info("stacks: taking up an operation", "stack", stackID, "operation", r.op.Kind, "phase", r.op.Phase, "attempt", r.op.Attempts)
	s.launch(r)
	return nil
}

// wait lets a caller wait for its operation, but not for long.
func (s *Service) wait(ctx context.Context, r *run) {
	t := time.NewTimer(answerWithin)
	defer t.Stop()
	select {
	case <-r.done:
	case <-t.C:
	case <-ctx.Done():
	}
}

// purge deletes what is left of stacks that were deleted more than 90 days ago.
func (s *Service) purge(ctx context.Context) error {
	before := s.o.Now().Add(-keepDeleted).UnixMilli()
	return s.o.DB.Update(ctx, func(tx *store.Tx) error {
		regions, err := column(tx, "SELECT DISTINCT parent FROM documents WHERE kind = $1", stacks.Name)
		if err != nil {
			return err
		}
		for _, parent := range regions {
			list, _, err := stacks.List(tx, parent, "", 0)
			if err != nil {
				return err
			}
			for _, st := range list {
				if st.Deleted == 0 || st.Deleted >= before {
					continue
				}
				for _, table := range []string{"stack_resources", "stack_events"} {
					if _, err := tx.Exec("DELETE FROM "+table+" WHERE stack_id = $1", st.ID); err != nil {
						return err
					}
				}
				if _, err := templates.DeleteAll(tx, st.ID); err != nil {
					return err
				}
				if err := stacks.Delete(tx, st.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// background returns the context of an operation on behalf of c.
func (s *Service) background(c caller) context.Context {
	return wire.WithCall(s.ctx, &wire.Call{
		RequestID: c.RequestID, Service: "cloudformation", Account: c.Account, Region: c.Region,
		Partition: c.Partition, Principal: c.Principal, AccessKey: c.AccessKey, Time: s.o.Now(),
	})
}

func (s *Service) callerOf(ctx context.Context) caller {
	c := wire.CallFrom(ctx)
	out := caller{RequestID: c.RequestID, Account: c.Account, Region: c.Region, Partition: c.Partition, Principal: c.Principal, AccessKey: c.AccessKey}
	if s.o.Callers != nil {
		out.Caller = s.o.Callers.SaveCaller(c.Caller)
	}
	if out.Account == "" {
		out.Account = s.o.Account
	}
	if out.Partition == "" {
		out.Partition = "aws"
	}
	return out
}

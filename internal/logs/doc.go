// Package logs answers CloudWatch Logs as far as functions and their users need it: groups, streams,
// events written and read, retention.
//
// Lines of functions come in through [Service.Write], which never waits for the store: they are kept
// in memory, shown at once to whoever follows the group, and stored in batches a moment later. A group
// that does not exist is made with its first line, as Lambda does. Lines that come faster than they can
// be stored are dropped and counted in the log itself.
package logs

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

const (
	// batchDelay is how long a line waits for others before it is stored.
	batchDelay = 50 * time.Millisecond
	// maxPending bounds the lines that wait, in bytes of text.
	maxPending = 32 << 20
	// followBuffer is how many events a follower may lag behind before it misses some.
	followBuffer = 4096
)

// Options are what a [Service] needs.
type Options struct {
	DB      *store.DB
	Account string
	Logger  *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Service implements the CloudWatch Logs API.
type Service struct {
	logs.Unimplemented
	Options

	mu        sync.Mutex
	pending   []line
	size      int // bytes of pending
	dropped   int
	seq       int64                  // of the newest line; begins so high that no two servers and no two runs meet
	followers map[string][]*follower // by group key

	flushing sync.Mutex // held while a batch is written, so that batches keep their order
	wake     chan struct{}
	stop     chan struct{}
	done     chan struct{}
}

var _ logs.Handler = (*Service)(nil)

// line is an event on its way into the store.
type line struct {
	region, group, stream string
	ts, seq               int64
	text                  string
}

// Event is one event of a group that is followed.
type Event struct {
	Time    time.Time
	Stream  string
	Message string
}

type follower struct{ ch chan Event }

// New returns a service whose lines are stored until [Service.Close].
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{Options: o, seq: o.Now().UnixMicro() << 10, followers: map[string][]*follower{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	return s
}

// Close stores what is pending.
func (s *Service) Close(ctx context.Context) error {
	close(s.stop)
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Write takes a line of a function. It does not block, and keeps no reference to text.
func (s *Service) Write(region, group, stream string, t time.Time, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size > maxPending {
		s.dropped++
		return
	}
	if s.dropped > 0 {
		s.add(line{region, group, stream, t.UnixMilli(), 0, fmt.Sprintf("gatehouse: %d lines were dropped here, they came faster than they could be stored", s.dropped)})
		s.dropped = 0
	}
	s.add(line{region, group, stream, t.UnixMilli(), 0, string(text)})
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Service) add(l line) {
	s.seq++
	l.seq = s.seq
	s.pending = append(s.pending, l)
	s.size += len(l.text)
	for _, f := range s.followers[groupID(l.region, l.group)] {
		select {
		case f.ch <- Event{time.UnixMilli(l.ts), l.stream, l.text}:
		default: // a follower that lags misses lines rather than holding up functions
		}
	}
}

func (s *Service) run() {
	defer close(s.done)
	sweep := time.NewTicker(time.Hour)
	defer sweep.Stop()
	for {
		select {
		case <-s.stop:
			s.flush(context.Background())
			return
		case <-sweep.C:
			s.sweep(context.Background())
			continue
		case <-s.wake:
		}
		select {
		case <-time.After(batchDelay):
		case <-s.stop:
		}
		s.flush(context.Background())
	}
}

// flush stores what is pending now.
func (s *Service) flush(ctx context.Context) error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	s.mu.Lock()
	batch := s.pending
	s.pending, s.size = nil, 0
	s.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := s.DB.Update(ctx, func(tx *store.Tx) error { return storeLines(tx, batch, s.Now()) })
	if err != nil {
		s.Logger.Error("log lines could not be stored", "lines", len(batch), "err", err)
	}
	return err
}

// discard forgets the pending lines of a group that is being deleted.
func (s *Service) discard(region, group string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.pending[:0]
	for _, l := range s.pending {
		if l.region == region && l.group == group {
			s.size -= len(l.text)
			continue
		}
		kept = append(kept, l)
	}
	s.pending = kept
}

// Tail returns the events of a group from since on, and, if follow is set, those to come until ctx
// ends. The channel is closed at the end. The group need not exist yet.
func (s *Service) Tail(ctx context.Context, region, group string, since time.Time, follow bool) (<-chan Event, error) {
	f := &follower{ch: make(chan Event, followBuffer)}
	id := groupID(region, group)
	s.mu.Lock()
	upTo := s.seq // what comes later goes to the follower
	if follow {
		s.followers[id] = append(s.followers[id], f)
	}
	s.mu.Unlock()
	if err := s.flush(ctx); err != nil {
		s.unfollow(id, f)
		return nil, err
	}
	out := make(chan Event)
	go func() {
		defer close(out)
		defer s.unfollow(id, f)
		err := s.eachStored(ctx, id, since.UnixMilli(), upTo, func(e Event) bool {
			select {
			case out <- e:
				return true
			case <-ctx.Done():
				return false
			}
		})
		if err != nil || !follow {
			return
		}
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.stop:
				return
			case e := <-f.ch:
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out, nil
}

func (s *Service) unfollow(id string, f *follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.followers[id]
	for i := range list {
		if list[i] == f {
			s.followers[id] = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(s.followers[id]) == 0 {
		delete(s.followers, id)
	}
}

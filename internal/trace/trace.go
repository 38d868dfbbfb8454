// Package trace keeps the decision trace of requests: which checks a request met on its way, what
// each found, and what it wanted instead. `gatehouse why REQUEST-ID` and the console show it; the
// answer on the wire stays as AWS gives it.
//
// A trace travels in the context. All methods accept a nil *Trace, so that code which decides
// never asks whether somebody listens. A trace belongs to one request and is filled by the goroutine
// that serves it; [Recorder.Record] hands it over, after which it must not change.
package trace

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Trace is what happened to one request.
type Trace struct {
	RequestID string    `json:"requestId"`
	Time      time.Time `json:"time"`
	Method    string    `json:"method"`
	Host      string    `json:"host"`
	Path      string    `json:"path"`
	SourceIP  string    `json:"sourceIp,omitempty"`
	API       string    `json:"api,omitempty"`   // id of the API
	Stage     string    `json:"stage,omitempty"` // its stage
	Steps     []Step    `json:"steps"`
	Status    int       `json:"status"`
	Micros    int64     `json:"micros"` // time taken, in microseconds
}

// Step is one check or choice on a request's way.
type Step struct {
	Name   string `json:"name"` // "route", "authorizer", "jwt signature", "integration"
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`         // what was found or chosen
	Got    string `json:"got,omitempty"`  // of a refusal: what the request had
	Want   string `json:"want,omitempty"` // of a refusal: what would have passed
}

// Pass notes a check that was passed or a choice that was made.
func (t *Trace) Pass(name, detail string) {
	if t != nil {
		t.Steps = append(t.Steps, Step{Name: name, OK: true, Detail: detail})
	}
}

// Fail notes a check that was not passed, what the request had and what would have passed. Got and
// want must hold no secret: a claim, a scope, a name of a header, never a token.
func (t *Trace) Fail(name, detail, got, want string) {
	if t != nil {
		t.Steps = append(t.Steps, Step{Name: name, Detail: detail, Got: got, Want: want})
	}
}

// Refused tells whether a step of t failed.
func (t *Trace) Refused() bool {
	if t == nil {
		return false
	}
	for i := range t.Steps {
		if !t.Steps[i].OK {
			return true
		}
	}
	return false
}

type key struct{}

// With returns a context that carries t.
func With(ctx context.Context, t *Trace) context.Context { return context.WithValue(ctx, key{}, t) }

// From returns the trace that ctx carries, or nil.
func From(ctx context.Context) *Trace {
	t, _ := ctx.Value(key{}).(*Trace)
	return t
}

// Recorder keeps the newest traces in memory, found by request id in constant time. The oldest go
// first once there are more than its capacity.
type Recorder struct {
	mu   sync.Mutex
	ring []*Trace
	next int
	byID map[string]*Trace

	followers map[chan *Trace]bool
}

// DefaultCapacity is how many traces a [Recorder] keeps: about 10 MB of them.
const DefaultCapacity = 10000

// NewRecorder makes a recorder of the given capacity; 0 stands for [DefaultCapacity].
func NewRecorder(capacity int) *Recorder {
	if capacity <= 0 {
		capacity = DefaultCapacity
	}
	return &Recorder{ring: make([]*Trace, capacity), byID: make(map[string]*Trace)}
}

// maxText bounds a text in a recorded trace, in bytes: requests come from anybody, and thousands are kept.
const maxText = 1000

// clip cuts a text that is too long.
func clip(s *string) {
	if len(*s) > maxText {
		*s = strings.ToValidUTF8((*s)[:maxText], "") + "…" // a copy: the whole must not stay in memory
	}
}

// Record takes over t, and cuts its texts where they are longer than 1,000 bytes.
func (r *Recorder) Record(t *Trace) {
	for _, s := range [...]*string{&t.Method, &t.Host, &t.Path, &t.API, &t.Stage} {
		clip(s)
	}
	for i := range t.Steps {
		step := &t.Steps[i]
		clip(&step.Detail)
		clip(&step.Got)
		clip(&step.Want)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.ring[r.next]; old != nil && r.byID[old.RequestID] == old {
		delete(r.byID, old.RequestID)
	}
	r.ring[r.next] = t
	r.next = (r.next + 1) % len(r.ring)
	r.byID[t.RequestID] = t
	for ch := range r.followers {
		select {
		case ch <- t:
		default: // a follower that lags misses traces rather than holding up requests
		}
	}
}

// Follow returns the traces that are recorded from now on, until ctx ends. They must not be changed.
func (r *Recorder) Follow(ctx context.Context) <-chan *Trace {
	ch, out := make(chan *Trace, 1024), make(chan *Trace)
	r.mu.Lock()
	if r.followers == nil {
		r.followers = map[chan *Trace]bool{}
	}
	r.followers[ch] = true
	r.mu.Unlock()
	go func() {
		defer close(out)
		defer func() {
			r.mu.Lock()
			delete(r.followers, ch)
			r.mu.Unlock()
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case t := <-ch:
				select {
				case out <- t:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out
}

// Get returns the trace of a request, or nil.
func (r *Recorder) Get(requestID string) *Trace {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[requestID]
}

// Recent returns up to n traces, newest first.
func (r *Recorder) Recent(n int) []*Trace {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*Trace, 0, min(n, len(r.byID)))
	for i := 1; i <= len(r.ring) && len(out) < n; i++ {
		t := r.ring[(r.next-i+len(r.ring))%len(r.ring)]
		if t == nil {
			break
		}
		out = append(out, t)
	}
	return out
}

// Reset forgets everything.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.ring)
	clear(r.byID)
	r.next = 0
}

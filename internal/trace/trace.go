// Package trace keeps the decision trace of requests on APIs and of calls of AWS APIs: which checks a request met on its way, what
// each found, and what it wanted instead. `gatehouse why REQUEST-ID` and the console show it; the
// answer on the wire stays as AWS gives it.
//
// A trace travels in the context. All methods accept a nil *Trace, so that code which decides
// never asks whether somebody listens. A trace belongs to one request and is filled by the goroutine
// that serves it; [Recorder.Record] hands it over, after which it must not change.
package trace

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Trace is what happened to one request.
type Trace struct {
	RequestID string     `json:"requestId"`
	Time      time.Time  `json:"time"`
	Method    string     `json:"method"`
	Host      string     `json:"host"`
	Path      string     `json:"path"`
	SourceIP  string     `json:"sourceIp,omitempty"`
	API       string     `json:"api,omitempty"`       // id of the API
	Stage     string     `json:"stage,omitempty"`     // its stage
	Operation string     `json:"operation,omitempty"` // of the control plane: "cognito-idp:ListUsers"
	Principal string     `json:"principal,omitempty"` // ARN of who made it, where that is known
	Error     string     `json:"error,omitempty"`     // code of the error that was answered
	Steps     []Step     `json:"steps"`
	Signature *Signature `json:"signature,omitempty"` // of a signature that does not fit
	Status    int        `json:"status"`
	Micros    int64      `json:"micros"` // time taken, in microseconds
}

// Step is one check or choice on a request's way.
type Step struct {
	Name   string `json:"name"` // "route", "authorizer", "jwt signature", "integration"
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`         // what was found or chosen
	Got    string `json:"got,omitempty"`  // of a refusal: what the request had
	Want   string `json:"want,omitempty"` // of a refusal: what would have passed
}

// Signature sets what the server made of a signed request beside what the request shows, line by line of
// the canonical request. Values that may be secret are left out.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
type Signature struct {
	AccessKey    string   `json:"accessKey"`
	Scope        string   `json:"scope"`
	Time         string   `json:"time"`
	Presigned    bool     `json:"presigned,omitempty"`
	Lines        []Line   `json:"lines"`
	StringToSign []string `json:"stringToSign"`
	Likely       string   `json:"likely"`
}

// Line is a line of a canonical request.
type Line struct {
	Name   string `json:"name"`   // "path", "host", "payload hash"
	Server string `json:"server"` // as the server wrote it
	Client string `json:"client"` // what of the request it comes from, as it came
}

// maxSteps bounds the steps of a trace that are kept: a call may be about a thousand things.
const maxSteps = 100

// maxLines bounds the lines of a canonical request that are kept.
const maxLines = 50

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
//
// Calls of the control plane that succeeded have a place of their own, a fifth as large: tools that poll
// push out each other's traces, and none of a refusal or of a request on an API.
type Recorder struct {
	mu    sync.Mutex
	rings [2]ring // all others; calls that succeeded
	count int64
	byID  map[string]*Trace

	followers map[chan *Trace]bool
}

// ring holds traces in the order in which they came.
type ring struct {
	traces []*Trace
	order  []int64
	next   int
}

// DefaultCapacity is how many traces a [Recorder] keeps, apart from calls that succeeded: about 10 MB of
// them.
const DefaultCapacity = 10000

// NewRecorder makes a recorder of the given capacity; 0 stands for [DefaultCapacity].
func NewRecorder(capacity int) *Recorder {
	if capacity <= 0 {
		capacity = DefaultCapacity
	}
	r := &Recorder{byID: make(map[string]*Trace)}
	for i, n := range [...]int{capacity, max(capacity/5, 1)} {
		r.rings[i] = ring{traces: make([]*Trace, n), order: make([]int64, n)}
	}
	return r
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
	for _, s := range [...]*string{&t.Method, &t.Host, &t.Path, &t.API, &t.Stage, &t.Operation, &t.Principal, &t.Error} {
		clip(s)
	}
	if n := len(t.Steps) - maxSteps; n > 0 { // the beginning and the end say most
		left := Step{Name: "…", OK: true, Detail: strconv.Itoa(n+1) + " steps are left out"}
		t.Steps = slices.Concat(t.Steps[:maxSteps/2-1], []Step{left}, t.Steps[len(t.Steps)-maxSteps/2:])
	}
	for i := range t.Steps {
		step := &t.Steps[i]
		clip(&step.Detail)
		clip(&step.Got)
		clip(&step.Want)
	}
	if s := t.Signature; s != nil {
		s.Lines = s.Lines[:min(len(s.Lines), maxLines)]
		for i := range s.Lines {
			clip(&s.Lines[i].Name)
			clip(&s.Lines[i].Server)
			clip(&s.Lines[i].Client)
		}
		for i := range s.StringToSign {
			clip(&s.StringToSign[i])
		}
		clip(&s.AccessKey)
		clip(&s.Scope)
		clip(&s.Likely)
	}
	ring := &r.rings[0]
	if t.Operation != "" && t.Status < 400 {
		ring = &r.rings[1]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := ring.traces[ring.next]; old != nil && r.byID[old.RequestID] == old {
		delete(r.byID, old.RequestID)
	}
	r.count++
	ring.traces[ring.next], ring.order[ring.next] = t, r.count
	ring.next = (ring.next + 1) % len(ring.traces)
	r.byID[t.RequestID] = t
	if ring == &r.rings[1] {
		return
	}
	for ch := range r.followers {
		select {
		case ch <- t:
		default: // a follower that lags misses traces rather than holding up requests
		}
	}
}

// Follow returns the traces that are recorded from now on, until ctx ends, but for calls of the control
// plane that succeeded: whoever follows makes such calls. They must not be changed.
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
	out := make([]*Trace, 0, max(min(n, len(r.byID)), 0))
	var back [len(r.rings)]int // how many of each were taken
	for len(out) < n {
		newest, order := -1, int64(0)
		for i := range r.rings {
			if ring := &r.rings[i]; back[i] < len(ring.traces) {
				if at := ring.at(back[i]); ring.traces[at] != nil && ring.order[at] > order {
					newest, order = i, ring.order[at]
				}
			}
		}
		if newest < 0 {
			break
		}
		ring := &r.rings[newest]
		out = append(out, ring.traces[ring.at(back[newest])])
		back[newest]++
	}
	return out
}

// at is the place of the trace that came n before the newest.
func (r *ring) at(n int) int { return (r.next - 1 - n + 2*len(r.traces)) % len(r.traces) }

// Reset forgets everything.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.rings {
		clear(r.rings[i].traces)
		clear(r.rings[i].order)
		r.rings[i].next = 0
	}
	clear(r.byID)
}

package runtime

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A frame is a little-endian uint32 length, counting the kind and the payload, a kind of one byte,
// and the payload. bootstrap/ holds the other end.
const (
	frameConfig = 'C' // to the process: JSON, what function it is
	frameEvent  = 'E' // to the process: uint32 length, JSON head, then the event

	frameBooted    = 'B' // from a spare process: it is up
	frameReady     = 'R' // initialised
	frameInitError = 'X' // initialisation failed: the error payload; the process ends
	frameResponse  = 'O' // the function's answer
	frameError     = 'F' // the function's error payload
	frameFatal     = 'D' // the same, and the process ends
)

// The largest event and the largest answer of a synchronous invocation, in bytes, as Lambda counts
// them: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	MaxRequest  = 6291456
	MaxResponse = 6291556
)

type messageKind int

const (
	msgReady messageKind = iota
	msgInitError
	msgResponse
	msgError
	msgFatal
	msgTooLarge
	msgStreaming
)

// A message is what a process said. size is set when the body was too large to be kept.
type message struct {
	kind messageKind
	body []byte
	size int64
}

// A link carries events to a process; what comes back arrives on its channel of messages.
type link interface {
	// deliver hands over one event. errGone: the process did not get it and never will.
	deliver(ev *event, deadline time.Time) error
	messages() <-chan message
	close()
}

var errGone = errors.New("runtime: the process is gone")

// An event is one invocation on its way to a process.
type event struct {
	inv      *Invocation
	deadline time.Time
}

type eventHead struct {
	ID       string `json:"id"`
	Deadline int64  `json:"deadline"` // Unix milliseconds
	ARN      string `json:"arn"`
	Trace    string `json:"trace,omitempty"`
	Client   string `json:"client,omitempty"`
	Cognito  string `json:"cognito,omitempty"`
}

// framed is the link over an inherited socket.
type framed struct {
	f      *os.File
	msgs   chan message
	done   chan struct{} // nobody listens any more
	over   chan struct{} // read has returned
	once   sync.Once
	booted atomic.Bool
	wmu    sync.Mutex
	buf    []byte
}

func newFramed(f *os.File) *framed {
	l := &framed{f: f, msgs: make(chan message, 4), done: make(chan struct{}), over: make(chan struct{})}
	go l.read()
	return l
}

func (l *framed) messages() <-chan message { return l.msgs }

// close ends the link of a process that has ended, after what it had said.
func (l *framed) close() {
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-l.over:
	case <-timer.C:
	}
	l.once.Do(func() { close(l.done); l.f.Close() })
}

// read passes on what the process says, until the link ends. Messages that nobody takes stop it,
// which is as it should be: a process has nothing to say between events.
func (l *framed) read() {
	defer close(l.over)
	br := bufio.NewReaderSize(l.f, 16<<10)
	for {
		var head [5]byte
		if _, err := io.ReadFull(br, head[:]); err != nil {
			return
		}
		n := int64(binary.LittleEndian.Uint32(head[:4])) - 1
		if n < 0 {
			return
		}
		var m message
		switch head[4] {
		case frameBooted:
			if n > 0 {
				return
			}
			l.booted.Store(true)
			continue
		case frameReady:
			m.kind = msgReady
		case frameInitError:
			m.kind = msgInitError
		case frameResponse:
			m.kind = msgResponse
		case frameError:
			m.kind = msgError
		case frameFatal:
			m.kind = msgFatal
		default:
			return
		}
		if n > MaxResponse {
			if _, err := io.CopyN(io.Discard, br, n); err != nil {
				return
			}
			m.kind, m.size = msgTooLarge, n
		} else {
			m.body = make([]byte, n)
			if _, err := io.ReadFull(br, m.body); err != nil {
				return
			}
		}
		select {
		case l.msgs <- m:
		case <-l.done:
			return
		}
	}
}

func (l *framed) send(kind byte, head, body []byte, deadline time.Time) error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	n := 1 + len(body)
	if kind == frameEvent {
		n += 4 + len(head)
	}
	b := binary.LittleEndian.AppendUint32(l.buf[:0], uint32(n))
	b = append(b, kind)
	if kind == frameEvent {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(head)))
		b = append(b, head...)
	}
	b = append(b, body...)
	if len(b) > 64<<10 { // may not fit the socket's buffer at once
		l.f.SetWriteDeadline(deadline)
		defer l.f.SetWriteDeadline(time.Time{})
	} else {
		l.buf = b
	}
	_, err := l.f.Write(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: %v", errGone, err)
	}
	return err
}

func (l *framed) deliver(ev *event, deadline time.Time) error {
	head, err := json.Marshal(eventHead{
		ID: ev.inv.RequestID, Deadline: ev.deadline.UnixMilli(), ARN: ev.inv.InvokedARN,
		Trace: ev.inv.TraceID, Client: ev.inv.ClientContext, Cognito: ev.inv.CognitoIdentity,
	})
	if err != nil {
		return err
	}
	body := ev.inv.Payload
	if len(body) == 0 {
		body = []byte("{}")
	}
	return l.send(frameEvent, head, body, deadline)
}

// config is the first frame: it makes a generic process the process of one function.
type config struct {
	Runtime   string            `json:"runtime"`
	Handler   string            `json:"handler"`
	Root      string            `json:"root"` // LAMBDA_TASK_ROOT
	Name      string            `json:"name"`
	Version   string            `json:"version"`
	MemoryMB  int               `json:"memory"`
	LogGroup  string            `json:"logGroup"`
	LogStream string            `json:"logStream"`
	Cache     string            `json:"cache"` // a directory for compiled code, of this function alone
	Env       map[string]string `json:"env"`   // the whole environment
}

func (l *framed) configure(c *config, deadline time.Time) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return l.send(frameConfig, nil, b, deadline)
}

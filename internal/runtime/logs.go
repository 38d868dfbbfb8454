package runtime

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// LogSink takes the log lines of functions. Write gets lines in the order in which they were
// written, without their line end, and may keep line. It is called by one goroutine at a time; a
// slow sink delays logs, not functions. The region is the function's: groups of one name exist in each.
type LogSink interface {
	Write(region, group, stream string, t time.Time, line []byte)
}

const (
	maxLine     = 256 << 10 // a longer line is cut into several events, as CloudWatch Logs limits them
	tailSize    = 4 << 10   // Result.Log
	maxBacklog  = 2 << 20   // bytes of one environment that may wait for the sink
	readAtOnce  = 1 << 20   // bytes read from a pipe before others get their turn
	backlogText = "gatehouse: lines of this log were dropped, for they came faster than they could be stored: "
)

// A logQueue stands between environments and the sink, so that neither waits for the other.
type logQueue struct {
	sink  LogSink
	mu    sync.Mutex
	cond  sync.Cond
	lines []logLine
	busy  bool // the writer is handing lines to the sink
	done  bool
	ended chan struct{}
}

type logLine struct {
	tap                   *tap
	region, group, stream string
	t                     time.Time
	line                  []byte
}

func newLogQueue(sink LogSink) *logQueue {
	if sink == nil {
		return nil
	}
	q := &logQueue{sink: sink, ended: make(chan struct{})}
	q.cond.L = &q.mu
	go q.run()
	return q
}

func (q *logQueue) run() {
	defer close(q.ended)
	var batch []logLine
	q.mu.Lock()
	for {
		q.busy = false
		q.cond.Broadcast()
		for len(q.lines) == 0 && !q.done {
			q.cond.Wait()
		}
		if len(q.lines) == 0 {
			q.mu.Unlock()
			return
		}
		batch, q.lines = q.lines, batch[:0]
		q.busy = true
		q.mu.Unlock()
		for i := range batch {
			l := &batch[i]
			q.sink.Write(l.region, l.group, l.stream, l.t, l.line)
			l.tap.backlog.Add(-int64(len(l.line)))
			*l = logLine{}
		}
		if cap(batch) > 4096 {
			batch = nil
		}
		q.mu.Lock()
	}
}

func (q *logQueue) put(l logLine) {
	q.mu.Lock()
	if !q.done {
		q.lines = append(q.lines, l)
		if len(q.lines) == 1 {
			q.cond.Broadcast()
		}
	}
	q.mu.Unlock()
}

// flush returns when every line put before it has been written.
func (q *logQueue) flush() {
	if q == nil {
		return
	}
	q.mu.Lock()
	for (len(q.lines) > 0 || q.busy) && !q.done {
		q.cond.Wait()
	}
	q.mu.Unlock()
}

func (q *logQueue) close() {
	if q == nil {
		return
	}
	q.mu.Lock()
	q.done = true
	q.cond.Broadcast()
	q.mu.Unlock()
	<-q.ended
}

// A tap reads what a process prints and makes log lines of it. The goroutine of an invocation reads
// the pipe too when the function has answered, so that everything printed before the answer stands
// before the END line: what was printed is in the pipe by then.
type tap struct {
	r       *os.File
	raw     syscall.RawConn
	queue   *logQueue
	now     func() time.Time
	backlog atomic.Int64
	ended   chan struct{} // the pipe is at its end

	mu                    sync.Mutex
	region, group, stream string // empty while the process belongs to no function
	partial               []byte // a line without its end yet
	tail                  []byte // what the running invocation logged, its last tailSize bytes or more
	dropped               int
}

var readBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

func newTap(r *os.File, q *logQueue, now func() time.Time) (*tap, error) {
	raw, err := r.SyscallConn()
	if err != nil {
		return nil, err
	}
	t := &tap{r: r, raw: raw, queue: q, now: now, ended: make(chan struct{})}
	go t.run()
	return t, nil
}

func (t *tap) run() {
	defer close(t.ended)
	for end := false; !end; {
		err := t.raw.Read(func(fd uintptr) bool {
			var again bool
			again, end = t.read(fd)
			return !again
		})
		if err != nil {
			return
		}
	}
	t.flush()
}

// read takes what the pipe holds. again: it is empty for now; end: for ever.
func (t *tap) read(fd uintptr) (again, end bool) {
	buf := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(buf)
	t.mu.Lock()
	defer t.mu.Unlock()
	for total := 0; total < readAtOnce; {
		n, again, err := readNow(fd, *buf)
		switch {
		case again:
			return true, false
		case err != nil || n == 0:
			return false, true
		}
		total += n
		t.consume((*buf)[:n])
	}
	return false, false
}

// drain takes what has been printed until now.
func (t *tap) drain() {
	t.raw.Control(func(fd uintptr) { t.read(fd) })
}

func (t *tap) flush() {
	t.mu.Lock()
	t.endLine()
	t.mu.Unlock()
}

// close ends the tap when its process is gone, after what is still in the pipe.
func (t *tap) close() {
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-t.ended:
	case <-timer.C: // somebody else holds the pipe open
	}
	t.r.Close()
}

// discard closes the tap of a process that never was. Closing twice does no harm.
func (t *tap) discard() { t.r.Close() }

func (t *tap) consume(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		part := b
		if i >= 0 {
			part = b[:i]
		}
		for len(t.partial)+len(part) > maxLine {
			n := maxLine - len(t.partial)
			t.partial = append(t.partial, part[:n]...)
			part = part[n:]
			t.endLine()
		}
		if i < 0 {
			t.partial = append(t.partial, part...)
			return
		}
		if len(t.partial) > 0 {
			t.partial = append(t.partial, part...)
			t.endLine()
		} else {
			t.emit(t.now(), part)
		}
		b = b[i+1:]
	}
}

func (t *tap) endLine() {
	if len(t.partial) > 0 {
		t.emit(t.now(), t.partial)
		t.partial = t.partial[:0]
		if cap(t.partial) > 64<<10 {
			t.partial = nil
		}
	}
}

// emit logs one line. A carriage return within it stands for a line break within one event: so
// Lambda's runtimes have always written them to their standard output.
func (t *tap) emit(at time.Time, line []byte) {
	if t.stream == "" {
		return
	}
	for len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	line = bytes.ReplaceAll(line, []byte{'\r'}, []byte{'\n'}) // a copy, always
	if len(t.tail)+len(line) > 4*tailSize {
		t.tail = append(t.tail[:0], last(t.tail, tailSize)...)
	}
	t.tail = append(append(t.tail, last(line, tailSize)...), '\n')
	if t.queue == nil {
		return
	}
	if t.backlog.Add(int64(len(line))) > maxBacklog {
		t.backlog.Add(-int64(len(line)))
		t.dropped++
		return
	}
	if t.dropped > 0 {
		t.queue.put(logLine{t, t.region, t.group, t.stream, at, []byte(backlogText + strconv.Itoa(t.dropped))})
		t.backlog.Add(int64(len(backlogText)))
		t.dropped = 0
	}
	t.queue.put(logLine{t, t.region, t.group, t.stream, at, line})
}

func last(b []byte, n int) []byte {
	if len(b) > n {
		return b[len(b)-n:]
	}
	return b
}

// platform logs lines of the platform itself, after everything the process has printed.
func (t *tap) platform(lines ...string) {
	t.drain()
	t.mu.Lock()
	t.endLine()
	for _, l := range lines {
		t.emit(t.now(), []byte(l))
	}
	t.mu.Unlock()
}

// begin starts the log of an invocation. What was printed before is not in its tail.
func (t *tap) begin(start string) {
	t.drain()
	t.mu.Lock()
	t.endLine()
	t.tail = t.tail[:0]
	t.emit(t.now(), []byte(start))
	t.mu.Unlock()
}

// takeTail returns the last 4 KB that the invocation logged, and forgets them.
func (t *tap) takeTail() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := bytes.Clone(last(t.tail, tailSize))
	t.tail = t.tail[:0]
	return out
}

// assign gives the log its stream: what a process prints before it belongs to a function is nobody's.
func (t *tap) assign(region, group, stream string) {
	t.mu.Lock()
	t.region, t.group, t.stream = region, group, stream
	t.mu.Unlock()
}

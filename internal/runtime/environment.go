package runtime

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A worker is a process with its link and its log, not yet or already of some function.
type worker struct {
	proc *process
	link link
	tap  *tap
	gone chan struct{} // the process has ended, and all it said and printed has been read
}

func (m *Manager) newTap() (*tap, *os.File, error) {
	r, w, err := outputPipe()
	if err != nil {
		return nil, nil, err
	}
	t, err := newTap(r, m.logs, m.now)
	if err != nil {
		r.Close()
		w.Close()
		return nil, nil, err
	}
	return t, w, nil
}

// startFramed starts a generic process of an interpreter.
func (m *Manager) startFramed(path string, argv, env []string, dir string) (*worker, error) {
	t, out, err := m.newTap()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	parent, child, err := socketPair()
	if err != nil {
		t.discard()
		return nil, err
	}
	defer child.Close()
	p, err := m.starter.start(&command{path: path, argv: argv, env: env, dir: dir, link: child, out: out})
	if err != nil {
		parent.Close()
		t.discard()
		return nil, err
	}
	w := &worker{proc: p, link: newFramed(parent), tap: t, gone: make(chan struct{})}
	go w.wait()
	return w, nil
}

func (w *worker) wait() {
	<-w.proc.exited
	w.link.close()
	w.tap.close()
	close(w.gone)
}

func (w *worker) isGone() bool {
	select {
	case <-w.gone:
		return true
	default:
		return false
	}
}

func (w *worker) end() {
	w.proc.kill()
	<-w.gone
}

// An environment is a worker that runs one function version.
type environment struct {
	m      *Manager
	pool   *pool
	w      *worker
	stream string
	tmp    string
	born   time.Time
	init   time.Duration
	used   bool // has had an event

	interpreter string // of a framed process

	idleSince time.Time // guarded by Manager.mu
	busy      atomic.Bool
	oom       atomic.Bool
	peak      atomic.Int64 // resident bytes
	measured  time.Time
}

// An initFailure is an environment that did not come to be.
type initFailure struct {
	tap     *tap   // still open, for the lines of the platform
	payload []byte // as the runtime reported it; nil: text says why
	kind    string // errorType
	text    string // after "RequestId: … Error: "
	status  string // "error" or "timeout"
	took    time.Duration
}

func (f *initFailure) report(phase string) string {
	s := fmt.Sprintf("INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: %s", ms(f.took), phase, f.status)
	if f.status == "error" {
		s += "\tError Type: " + f.kind
	}
	return s
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// streamName is Lambda's form: 2026/11/21/[$LATEST] and 32 hexadecimal digits.
func (m *Manager) streamName(s *Spec) string {
	var b [16]byte
	rand.Read(b[:])
	return s.LogStreamPrefix + m.now().UTC().Format("2006/01/02/") + "[" + s.version() + "]" + hex.EncodeToString(b[:])
}

// launch starts an environment and waits until it has initialised. phase is "init" or "invoke".
func (m *Manager) launch(p *pool, limit time.Duration, phase string) (*environment, *initFailure, error) {
	s := p.spec
	began := time.Now()
	var credentials map[string]string
	if m.o.Credentials != nil {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		c, err := m.o.Credentials(ctx, s)
		if err != nil {
			return nil, nil, fmt.Errorf("runtime: credentials for %s: %w", s.Name, err)
		}
		credentials = c
	}
	tmp := filepath.Join(m.dir, "env", strconv.FormatInt(m.serial.Add(1), 36))
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return nil, nil, err
	}
	e := &environment{m: m, pool: p, tmp: tmp, born: began, stream: m.streamName(s)}
	w, failed, err := e.start(credentials, began.Add(limit))
	if w == nil {
		os.RemoveAll(tmp)
		if failed != nil {
			failed.tap.platform(failed.report(phase))
		}
		return nil, failed, err
	}
	e.w = w
	m.mu.Lock()
	m.envs[e] = struct{}{}
	p.live++
	if m.killed {
		w.proc.kill()
	}
	m.mu.Unlock()
	go e.cleanUp()

	failed = e.awaitReady(limit - time.Since(began))
	if failed == nil {
		e.init = time.Since(began)
		if p.family != familyBinary {
			m.refill(p.family, e.interpreter)
		}
		return e, nil, nil
	}
	failed.took = time.Since(began)
	w.proc.kill()
	w.proc.awaitGone(2 * time.Second)
	failed.tap = w.tap
	failed.tap.platform(failed.report(phase))
	return nil, failed, nil
}

// cleanUp follows the process to its end.
func (e *environment) cleanUp() {
	<-e.w.gone
	e.m.gone(e)
	os.RemoveAll(e.tmp)
}

// start makes the process and tells it its function.
func (e *environment) start(credentials map[string]string, deadline time.Time) (*worker, *initFailure, error) {
	m, s := e.m, e.pool.spec
	if e.pool.family == familyBinary {
		return e.startBinary(credentials)
	}
	path, ferr := m.find.find(e.pool.family, s.Runtime)
	if ferr != nil {
		return nil, nil, ferr
	}
	e.interpreter = path
	env := m.environ(e.pool.family, s, path, e.stream, e.tmp, credentials)
	plain := startsPlain(s.Env)
	var w *worker
	if plain {
		w = m.takeSpare(path)
	}
	if w == nil {
		own := envList(env)
		if plain { // NODE_PATH and its like come with the first frame
			own = envList(m.baseEnv(e.pool.family, path))
		}
		var err error
		if w, err = m.startFramed(path, m.interpreterArgs(e.pool.family, path), own, s.CodeDir); err != nil {
			return nil, nil, fmt.Errorf("runtime: starting %s: %w", path, err)
		}
	}
	w.tap.assign(s.Region, s.logGroup(), e.stream)
	c := &config{
		Runtime: s.Runtime, Handler: s.Handler, Root: s.CodeDir, Name: s.Name, Version: s.version(),
		MemoryMB: s.memoryMB(), LogGroup: s.logGroup(), LogStream: e.stream, Cache: m.cacheDir(s), Env: env,
	}
	// A process that ended meanwhile is found out by whoever waits for it to be ready.
	if err := w.link.(*framed).configure(c, deadline); err != nil && !errors.Is(err, errGone) {
		w.proc.kill()
	}
	return w, nil, nil
}

func (e *environment) startBinary(credentials map[string]string) (*worker, *initFailure, error) {
	m, s := e.m, e.pool.spec
	t, out, err := m.newTap()
	if err != nil {
		return nil, nil, err
	}
	defer out.Close()
	t.assign(s.Region, s.logGroup(), e.stream)
	invalid := func(text string) (*worker, *initFailure, error) {
		return nil, &initFailure{tap: t, kind: "Runtime.InvalidEntrypoint", text: text, status: "error"}, nil
	}
	path, problem := binaryPath(s)
	if problem != "" {
		return invalid(problem)
	}
	api, err := newAPIServer()
	if err != nil {
		t.discard()
		return nil, nil, err
	}
	env := m.environ(familyBinary, s, "", e.stream, e.tmp, credentials)
	env["AWS_LAMBDA_RUNTIME_API"] = api.addr()
	p, err := m.starter.start(&command{path: path, argv: []string{path}, env: envList(env), dir: s.CodeDir, out: out})
	if err != nil {
		api.close()
		var pe *os.PathError
		if errors.As(err, &pe) {
			return invalid("fork/exec /var/task/" + filepath.Base(path) + ": " + pe.Err.Error())
		}
		t.discard()
		return nil, nil, err
	}
	w := &worker{proc: p, link: api, tap: t, gone: make(chan struct{})}
	go w.wait()
	return w, nil, nil
}

// awaitReady waits for the end of the initialisation.
func (e *environment) awaitReady(limit time.Duration) *initFailure {
	timer := time.NewTimer(max(limit, 0))
	defer timer.Stop()
	gone := e.w.gone
	for {
		select {
		case m := <-e.w.link.messages():
			switch m.kind {
			case msgReady:
				return nil
			case msgInitError, msgError:
				return &initFailure{payload: m.body, kind: errorType(m.body, "Runtime.Unknown"), status: "error"}
			}
		case <-gone:
			gone = nil
			if len(e.w.link.messages()) > 0 {
				continue
			}
			f := &initFailure{kind: "Runtime.ExitError", text: e.w.proc.exitReason(), status: "error"}
			if e.w.proc.state != nil {
				e.w.tap.platform("RequestId: - Error: " + f.text + "\r" + f.kind)
			}
			return f
		case <-timer.C:
			return &initFailure{kind: "Sandbox.Timedout", status: "timeout"}
		}
		if gone == nil && len(e.w.link.messages()) == 0 {
			return &initFailure{kind: "Runtime.ExitError", text: e.w.proc.exitReason(), status: "error"}
		}
	}
}

func (e *environment) ended() bool { return e.w.isGone() }

// end kills the process, and returns when nothing of it is left but its directory.
func (e *environment) end() { e.w.end() }

// checkMemory kills an environment that has outgrown its function's memory.
func (e *environment) checkMemory() {
	resident, unshared, ok := memory(e.w.proc.pid)
	if !ok {
		return
	}
	if resident > e.peak.Load() {
		e.peak.Store(resident)
	}
	if unshared > int64(e.pool.spec.memoryMB())<<20 {
		e.oom.Store(true)
		e.w.proc.kill()
	}
}

// maxMemoryMB is for the REPORT line: measured by the watch, and here at most once a second.
func (e *environment) maxMemoryMB() int64 {
	size := int64(e.pool.spec.memoryMB())
	if e.oom.Load() {
		return size
	}
	if now := time.Now(); now.Sub(e.measured) > time.Second {
		e.measured = now
		if r, _, ok := memory(e.w.proc.pid); ok && r > e.peak.Load() {
			e.peak.Store(r)
		}
	}
	return min((e.peak.Load()+1<<20-1)>>20, size)
}

// A running is an event in progress.
type running struct {
	e       *environment
	inv     *Invocation
	began   time.Time
	spent   time.Duration // on a second initialisation, within the same time limit
	timer   *time.Timer
	initial time.Duration
}

// event runs one invocation on a grant. When done closes first, it returns what still runs.
func (m *Manager) event(p *pool, g grant, inv *Invocation, done <-chan struct{}) (*Result, *running, error) {
	if g.err != nil {
		return nil, nil, g.err
	}
	e, limit := g.env, p.spec.timeout()
	r := &running{inv: inv}
	if e == nil { // the first initialisation failed; the second is part of the invocation
		g.failed.tap.discard()
		began := time.Now()
		var failed *initFailure
		var err error
		e, failed, err = m.launch(p, limit, "invoke")
		if err != nil {
			return nil, nil, err
		}
		if e == nil {
			return p.failedInit(failed, inv), nil, nil
		}
		r.spent = time.Since(began)
	} else if e.used && e.ended() {
		return nil, nil, errGone
	} else if !e.used {
		r.initial = e.init
	}
	r.e = e
	fresh := !e.used // its end is this invocation's: trying others would go on for ever
	e.used = true
	e.busy.Store(true)
	e.w.tap.begin("START RequestId: " + inv.RequestID + " Version: " + p.spec.version())
	r.began = time.Now()
	left := max(limit-r.spent, 0)
	ev := &event{inv: inv, deadline: m.now().Add(left)}
	if err := e.w.link.deliver(ev, r.began.Add(left)); errors.Is(err, errGone) {
		if fresh {
			if !e.w.proc.awaitGone(time.Second) {
				e.w.proc.kill()
			}
			<-e.w.gone
			return r.exited(), nil, nil
		}
		e.w.proc.kill()
		return nil, nil, errGone
	} // else a deadline passed, which the timer says too
	r.timer = time.NewTimer(left - time.Since(r.began))
	res := r.await(done)
	if res == nil {
		return nil, r, nil
	}
	return res, nil, nil
}

// await waits for the end of the event and returns its result, or nil if done closed first.
func (r *running) await(done <-chan struct{}) *Result {
	e := r.e
	msgs := e.w.link.messages()
	var m message
	select {
	case m = <-msgs:
	case <-e.w.gone:
		select {
		case m = <-msgs: // it answered, and ended
		default:
			return r.exited()
		}
	case <-r.timer.C:
		return r.timedOut()
	case <-done:
		return nil
	}
	r.timer.Stop()
	took := time.Since(r.began) + r.spent
	switch m.kind {
	case msgResponse:
		return r.finish(m.body, "", took, "", true)
	case msgError:
		return r.finish(m.body, "Unhandled", took, "", true)
	case msgFatal:
		if !e.w.proc.awaitGone(time.Second) {
			e.w.proc.kill()
		}
		<-e.w.gone
		const kind = "Runtime.ExitError"
		e.w.tap.platform("RequestId: " + r.inv.RequestID + " Error: " + e.w.proc.exitReason() + "\r" + kind)
		return r.finish(m.body, "Unhandled", took, "\tStatus: error\tError Type: "+kind, false)
	case msgTooLarge:
		const kind = "Function.ResponseSizeTooLarge"
		body := fault(kind, fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxResponse), nil)
		return r.finish(body, "Unhandled", took, "\tStatus: error\tError Type: "+kind, true)
	case msgStreaming:
		const kind = "Runtime.StreamingNotSupported"
		body := fault(kind, "The function answers with response streaming, which Gatehouse does not support.", nil)
		return r.finish(body, "Unhandled", took, "\tStatus: error\tError Type: "+kind, true)
	}
	// A runtime that says anything else now is broken.
	e.w.proc.kill()
	<-e.w.gone
	return r.exited()
}

func (r *running) exited() *Result {
	if r.timer != nil {
		r.timer.Stop()
	}
	took := time.Since(r.began) + r.spent
	const kind = "Runtime.ExitError"
	reason := r.e.w.proc.exitReason()
	r.e.w.tap.platform("RequestId: " + r.inv.RequestID + " Error: " + reason + "\r" + kind)
	return r.finish(requestFault(kind, r.inv.RequestID, reason), "Unhandled", took, "\tStatus: error\tError Type: "+kind, false)
}

func (r *running) timedOut() *Result {
	took := time.Since(r.began) + r.spent
	e := r.e
	e.w.proc.kill()
	e.w.proc.awaitGone(2 * time.Second)
	text := timeoutText(e.pool.spec.timeout())
	e.w.tap.platform(e.m.now().UTC().Format("2006-01-02T15:04:05.000Z") + " " + r.inv.RequestID + " " + text)
	return r.finish(requestFault("Sandbox.Timedout", r.inv.RequestID, text), "Unhandled", took, "\tStatus: timeout", false)
}

// finish closes the log of the event, and gives the environment back if it lives.
func (r *running) finish(payload []byte, functionError string, took time.Duration, status string, reuse bool) *Result {
	e := r.e
	memory := e.maxMemoryMB()
	e.w.tap.platform("END RequestId: "+r.inv.RequestID, reportLine(e.pool.spec, r.inv.RequestID, took, r.initial, memory, status))
	res := &Result{
		Payload: payload, FunctionError: functionError, Log: e.w.tap.takeTail(),
		Duration: took, InitDuration: r.initial, ExecutedVersion: e.pool.spec.version(),
	}
	e.busy.Store(false)
	if api, ok := e.w.link.(*apiServer); ok && reuse && functionError != "" {
		// A runtime that reports an error may be about to end: it is free when it asks for more.
		go func() {
			if api.awaitAsked() {
				e.m.release(e)
			}
		}()
	} else if reuse {
		e.m.release(e)
	}
	return res
}

// reportLine is Lambda's REPORT. Since August 2025 initialisation is billed for every runtime.
func reportLine(s *Spec, id string, took, init time.Duration, memoryMB int64, status string) string {
	billed := (took + init + time.Millisecond - 1) / time.Millisecond
	var b strings.Builder
	fmt.Fprintf(&b, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB", id, ms(took), billed, s.memoryMB(), memoryMB)
	if init > 0 {
		fmt.Fprintf(&b, "\tInit Duration: %.2f ms", ms(init))
	}
	if status == "" {
		status = "\t"
	}
	b.WriteString(status)
	return b.String()
}

// failedInit is the result of an invocation whose environment could not be initialised, twice.
func (p *pool) failedInit(f *initFailure, inv *Invocation) *Result {
	s := p.spec
	status := "\tStatus: error\tError Type: " + f.kind
	payload := f.payload
	if f.status == "timeout" {
		status = "\tStatus: timeout"
		f.text = timeoutText(s.timeout())
	}
	if payload == nil {
		payload = requestFault(f.kind, inv.RequestID, f.text)
	}
	lines := []string{"START RequestId: " + inv.RequestID + " Version: " + s.version()}
	switch {
	case f.status == "timeout":
		lines = append(lines, p.m.now().UTC().Format("2006-01-02T15:04:05.000Z")+" "+inv.RequestID+" "+f.text)
	case f.text != "":
		lines = append(lines, "RequestId: "+inv.RequestID+" Error: "+f.text+"\r"+f.kind)
	}
	lines = append(lines, "END RequestId: "+inv.RequestID, reportLine(s, inv.RequestID, f.took, 0, 0, status))
	f.tap.platform(lines...)
	res := &Result{
		Payload: payload, FunctionError: "Unhandled", Log: f.tap.takeTail(),
		Duration: f.took, ExecutedVersion: s.version(),
	}
	f.tap.discard()
	return res
}

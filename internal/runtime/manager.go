package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Spec is one version of one function, as it must run. A Spec that has been passed to Invoke must
// not change.
type Spec struct {
	Name     string // function name
	ARN      string // unqualified function ARN
	Version  string // "$LATEST" or a number; empty: "$LATEST"
	Revision string // changes whenever code or configuration does

	Runtime string // Lambda's identifier, such as "nodejs22.x"
	Handler string
	CodeDir string // absolute path of the extracted package; processes do not write to it
	Env     map[string]string

	Timeout  time.Duration // of one invocation; 0: 3 s
	MemoryMB int           // 0: 128
	TmpMB    int           // size of the temporary directory; not enforced, see the package comment

	// MaxConcurrency is the reserved concurrency of the function: how many invocations of all its
	// versions may run at the same time. 0: no limit of its own; negative: none at all.
	MaxConcurrency int

	LogGroup        string // empty: /aws/lambda/NAME
	LogStreamPrefix string // put before Lambda's own form of a stream name, 2026/11/21/[$LATEST]…

	Role string // ARN of the execution role

	Account, Region string
}

func (s *Spec) version() string { return or(s.Version, "$LATEST") }

func (s *Spec) logGroup() string { return or(s.LogGroup, "/aws/lambda/"+s.Name) }

func (s *Spec) timeout() time.Duration {
	if s.Timeout <= 0 {
		return 3 * time.Second
	}
	return s.Timeout
}

func (s *Spec) memoryMB() int {
	if s.MemoryMB <= 0 {
		return 128
	}
	return s.MemoryMB
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Invocation is one event for a function.
type Invocation struct {
	RequestID       string
	Payload         []byte // JSON; empty: {}
	InvokedARN      string // as the caller named the function; empty: Spec.ARN
	TraceID         string // X-Ray header
	ClientContext   string // JSON
	CognitoIdentity string // JSON
}

// Result is what became of an invocation.
type Result struct {
	Payload         []byte
	FunctionError   string // "" or "Unhandled"
	Log             []byte // the last 4 KB of the invocation's log
	Duration        time.Duration
	InitDuration    time.Duration // of the environment, if this was its first event
	ExecutedVersion string
}

// Options configures a Manager. Dir is required.
type Options struct {
	// Dir is a directory of the manager's own, for temporary files and the bootstraps. Several
	// managers may share it; what a killed server left there is removed by the next.
	Dir string

	Logs LogSink // nil: logs go to Result.Log only

	// Credentials returns AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN for a new
	// environment. They must be valid for MaxAge and one invocation more. An [*Error] that it returns is
	// what the caller is told. Nil: functions have none.
	Credentials func(ctx context.Context, s *Spec) (map[string]string, error)

	NodePath, PythonPath string   // interpreters; empty: node and python3 on the PATH
	Env                  []string // further variables of all functions, NAME=VALUE; a function's own win

	// Surroundings returns more of Env, for functions of Node.js and for all others, and makes the files
	// that it names. It is called once, before the first process starts. Nil: there is no more.
	Surroundings func() (node, others []string, err error)

	Logger *slog.Logger
	Now    func() time.Time // for log times and deadlines; durations are measured

	Prefork      bool          // keep one generic process ready per interpreter, after its first use
	MaxProcesses int           // environments and invocations at one time; 0: 1000, an account's default
	MaxIdle      int           // idle environments of one function that are kept; 0: twice the cores
	IdleTimeout  time.Duration // 0: 10 minutes
	MaxAge       time.Duration // of an environment that gets new events; 0: 6 hours
	InitTimeout  time.Duration // of the first try to initialise; 0: 10 s
}

// A Manager runs functions. Its methods may be called from many goroutines.
type Manager struct {
	o          Options
	dir        string // of this run
	runtimeDir string
	lock       *os.File
	starter    *starter
	logs       *logQueue
	find       interpreters
	cores      int
	serial     atomic.Int64
	now        func() time.Time
	setup      func() error // lazily: directories and bootstraps

	surroundings map[family][]string // set by setup

	mu       sync.Mutex
	closed   bool
	pools    map[poolKey]*pool
	running  map[string]int // invocations of all versions, by ARN
	envs     map[*environment]struct{}
	spares   map[string]*worker
	sparing  map[string]bool
	inflight int        // invocations
	starting int        // processes
	killed   bool       // Close has lost its patience
	idleOut  *sync.Cond // for Close
	reaper   *time.Timer
	reapAt   time.Time

	watch chan struct{} // wakes the memory watch
	quit  chan struct{}
}

// New makes a Manager. It starts no process and touches no disk until the first invocation.
func New(o Options) *Manager {
	if o.MaxProcesses <= 0 {
		o.MaxProcesses = 1000
	}
	cores := goruntime.NumCPU()
	if o.MaxIdle <= 0 {
		o.MaxIdle = 2 * cores
	}
	for _, d := range []struct {
		v         *time.Duration
		otherwise time.Duration
	}{{&o.IdleTimeout, 10 * time.Minute}, {&o.MaxAge, 6 * time.Hour}, {&o.InitTimeout, 10 * time.Second}} {
		if *d.v <= 0 {
			*d.v = d.otherwise
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Manager{
		o: o, cores: cores, now: o.Now,
		find:    interpreters{node: o.NodePath, python: o.PythonPath},
		pools:   map[poolKey]*pool{},
		running: map[string]int{},
		envs:    map[*environment]struct{}{},
		spares:  map[string]*worker{},
		sparing: map[string]bool{},
		watch:   make(chan struct{}, 1),
		quit:    make(chan struct{}),
	}
	if m.now == nil {
		m.now = time.Now
	}
	m.idleOut = sync.NewCond(&m.mu)
	m.setup = sync.OnceValue(m.prepare)
	m.logs = newLogQueue(o.Logs)
	return m
}

// prepare makes the directory of this run and puts the bootstraps into it. A lock, held for as long
// as the server lives, tells other runs that the directory is in use.
func (m *Manager) prepare() error {
	if m.o.Dir == "" {
		return errors.New("runtime: Options.Dir is empty")
	}
	base, err := filepath.Abs(m.o.Dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return err
	}
	removeStale(base)
	dir, err := os.MkdirTemp(base, "run-")
	if err != nil {
		return err
	}
	lock, ok, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil || !ok {
		return fmt.Errorf("runtime: locking %s: %w", dir, err)
	}
	m.lock, m.dir, m.runtimeDir = lock, dir, filepath.Join(dir, "runtime")
	for _, d := range []string{m.runtimeDir, filepath.Join(dir, "cache"), filepath.Join(dir, "env")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	for name, b := range map[string][]byte{"bootstrap.cjs": nodeBootstrap, "bootstrap.py": pythonBootstrap, "warm.cjs": []byte("exports.warm = 1;\n")} {
		if err := os.WriteFile(filepath.Join(m.runtimeDir, name), b, 0o400); err != nil {
			return err
		}
	}
	if m.o.Surroundings != nil {
		node, others, err := m.o.Surroundings()
		if err != nil {
			return fmt.Errorf("runtime: %w", err)
		}
		m.surroundings = map[family][]string{familyNode: node, familyPython: others, familyBinary: others}
	}
	m.starter, err = newStarter()
	if err == nil {
		go m.watchMemory()
	}
	return err
}

// removeStale removes the directories of runs that are over. A run makes its lock right after its
// directory, so a directory without one counts as stale only when it is a minute old.
func removeStale(base string) {
	dirs, _ := filepath.Glob(filepath.Join(base, "run-*"))
	for _, d := range dirs {
		lock := filepath.Join(d, "lock")
		if _, err := os.Stat(lock); err != nil {
			if st, err := os.Stat(d); err != nil || time.Since(st.ModTime()) < time.Minute {
				continue
			}
		}
		if f, ok, err := lockFile(lock); err == nil && ok {
			os.RemoveAll(d)
			f.Close()
		}
	}
}

// Invoke runs one event and waits for its result. Whatever the function itself does wrong is in the
// Result. The error is an [*Error] for what Lambda's API reports (throttling, a runtime that cannot
// run here), the context's error when ctx ends first (the event then runs on to its end, as on
// Lambda), or a failure of this machine.
func (m *Manager) Invoke(ctx context.Context, s *Spec, inv *Invocation) (*Result, error) {
	f, ferr := familyOf(s.Runtime)
	if ferr != nil {
		return nil, ferr
	}
	if len(inv.Payload) > MaxRequest {
		return nil, &Error{Code: "RequestTooLargeException", Message: fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", MaxRequest)}
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if inv.InvokedARN == "" {
		c := *inv
		c.InvokedARN = s.ARN
		inv = &c
	}
	if err := m.setup(); err != nil {
		return nil, err
	}
	if f != familyBinary {
		if _, err := m.find.find(f, s.Runtime); err != nil {
			return nil, err
		}
	}
	p, err := m.enter(s, f)
	if err != nil {
		return nil, err
	}
	for {
		g, err := m.acquire(ctx, p)
		if err != nil {
			m.leave(p)
			return nil, err
		}
		r, err := m.runOn(ctx, p, g, inv)
		if errors.Is(err, errGone) {
			continue // it ended while it was idle; the event has not begun
		}
		return r, err
	}
}

// runOn runs an event on what was acquired. The invocation counts until the event is over, even if
// its caller has gone.
func (m *Manager) runOn(ctx context.Context, p *pool, g grant, inv *Invocation) (*Result, error) {
	r, rest, err := m.event(p, g, inv, ctx.Done())
	switch {
	case rest != nil:
		go func() {
			rest.await(nil)
			m.leave(p)
		}()
		return nil, context.Cause(ctx)
	case !errors.Is(err, errGone):
		m.leave(p)
	}
	return r, err
}

// Retire ends the environments of all versions and revisions of the function with the unqualified ARN
// that exist now: idle ones at once, busy ones after their event. Call it after a change, or when the
// function is deleted.
func (m *Manager) Retire(arn string) {
	m.mu.Lock()
	var ended []*environment
	for _, p := range m.pools {
		if p.key.arn == arn {
			ended = append(ended, m.retire(p)...)
		}
	}
	m.mu.Unlock()
	for _, e := range ended {
		e.end()
	}
}

// Flush returns when the log lines of all finished invocations have been given to the LogSink.
func (m *Manager) Flush() { m.logs.flush() }

// Close refuses new invocations, waits for the running ones until ctx ends, then ends every
// process and removes the temporary files.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	var idle []*environment
	for _, p := range m.pools {
		idle = append(idle, m.retire(p)...)
	}
	spares := m.spares
	m.spares = map[string]*worker{}
	if m.reaper != nil {
		m.reaper.Stop()
	}
	m.mu.Unlock()
	for _, e := range idle {
		e.end()
	}
	for _, w := range spares {
		w.end()
	}
	stop := context.AfterFunc(ctx, func() {
		m.mu.Lock()
		m.killed = true
		for e := range m.envs {
			e.w.proc.kill()
		}
		m.mu.Unlock()
	})
	m.mu.Lock()
	for m.inflight > 0 || m.starting > 0 || len(m.envs) > 0 {
		m.idleOut.Wait()
	}
	m.mu.Unlock()
	stop()
	close(m.quit)
	m.logs.close()
	if m.starter == nil {
		return nil // nothing was ever started
	}
	m.starter.close()
	err := os.RemoveAll(m.dir)
	m.lock.Close()
	return err
}

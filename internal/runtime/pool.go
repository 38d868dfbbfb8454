package runtime

import (
	"context"
	"os"
	"slices"
	"time"
)

// growDelay is how long an invocation waits for a busy environment before it gets a new one, once
// there are as many as cores. It is about what a start costs: waiting longer than that would lose.
const growDelay = 3 * time.Millisecond

// excessIdle is how long environments beyond Options.MaxIdle stay.
const excessIdle = 5 * time.Second

type poolKey struct{ arn, version, revision string }

// A pool is the environments of one revision of a function version. Manager.mu guards it.
type pool struct {
	m       *Manager
	key     poolKey
	spec    *Spec
	family  family
	idle    []*environment // the last one became idle last
	waiters []*waiter      // the first one has waited longest
	live    int            // environments, busy ones included
	start   int            // being started
	using   int            // invocations
	retired bool
	grower  *time.Timer
}

// A waiter is an invocation without an environment.
type waiter struct {
	ch    chan grant
	since time.Time
}

// A grant is what an invocation goes on with: an environment, or the failure of its start.
type grant struct {
	env    *environment
	failed *initFailure
	err    error
}

// enter counts an invocation in, or refuses it.
func (m *Manager) enter(s *Spec, f family) (*pool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	if s.MaxConcurrency != 0 && m.running[s.ARN] >= max(s.MaxConcurrency, 0) {
		return nil, throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
	}
	if m.inflight >= m.o.MaxProcesses {
		return nil, throttled("ConcurrentInvocationLimitExceeded")
	}
	key := poolKey{s.ARN, s.version(), s.Revision}
	p := m.pools[key]
	if p == nil {
		for k, old := range m.pools {
			if k.arn == key.arn && k.version == key.version {
				for _, e := range m.retire(old) {
					go e.end()
				}
			}
		}
		p = &pool{m: m, key: key, spec: s, family: f}
		m.pools[key] = p
	}
	p.using++
	m.running[s.ARN]++
	if m.inflight++; m.inflight == 1 {
		select {
		case m.watch <- struct{}{}:
		default:
		}
	}
	return p, nil
}

func (m *Manager) leave(p *pool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.using--
	if m.running[p.key.arn]--; m.running[p.key.arn] == 0 {
		delete(m.running, p.key.arn)
	}
	m.inflight--
	m.changed()
	m.forget(p)
}

// forget drops a pool that holds nothing.
func (m *Manager) forget(p *pool) {
	if p.using == 0 && p.live == 0 && p.start == 0 && m.pools[p.key] == p {
		delete(m.pools, p.key)
	}
}

// acquire finds an environment for an invocation that has entered.
func (m *Manager) acquire(ctx context.Context, p *pool) (grant, error) {
	m.mu.Lock()
	if m.killed {
		m.mu.Unlock()
		return grant{}, ErrClosed
	}
	if n := len(p.idle); n > 0 {
		e := p.idle[n-1]
		p.idle = p.idle[:n-1]
		m.mu.Unlock()
		return grant{env: e}, nil
	}
	w := &waiter{ch: make(chan grant, 1), since: time.Now()}
	p.waiters = append(p.waiters, w)
	p.grow()
	m.mu.Unlock()
	select {
	case g := <-w.ch:
		return g, nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(p.waiters, w); i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	} else if g := <-w.ch; g.env != nil {
		p.give(g.env)
	} else if g.failed != nil {
		g.failed.tap.discard()
	}
	return grant{}, context.Cause(ctx)
}

// grow starts environments for those who wait: at once while there are fewer than cores, later the
// ones that turn out to be needed.
func (p *pool) grow() {
	want := len(p.waiters) - p.start
	for want > 0 && p.live+p.start < p.m.cores && p.startOne() {
		want--
	}
	if want > 0 && p.grower == nil {
		p.grower = time.AfterFunc(growDelay, p.growLate)
	}
}

func (p *pool) growLate() {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.grower = nil
	old := 0
	for now := time.Now(); old < len(p.waiters) && now.Sub(p.waiters[old].since) >= growDelay; {
		old++
	}
	for n := old - p.start; n > 0 && p.start < 2*p.m.cores && p.startOne(); {
		n--
	}
	if len(p.waiters) > p.start {
		p.grower = time.AfterFunc(growDelay, p.growLate)
	}
}

// startOne begins the start of one environment, if there may be one more. When all are taken, an
// idle one of another pool makes room.
func (p *pool) startOne() bool {
	m := p.m
	if len(m.envs)+m.starting >= m.o.MaxProcesses {
		victim := m.oldestIdle()
		if victim == nil {
			return false
		}
		victim.pool.removeIdle(victim)
		go victim.end()
	}
	p.start++
	m.starting++
	go func() {
		e, failed, err := m.launch(p, m.o.InitTimeout, "init")
		m.mu.Lock()
		defer m.mu.Unlock()
		defer m.changed()
		p.start--
		m.starting--
		if e != nil {
			p.give(e)
			return
		}
		if len(p.waiters) > 0 {
			w := p.waiters[0]
			p.waiters = slices.Delete(p.waiters, 0, 1)
			w.ch <- grant{failed: failed, err: err}
		} else if failed != nil {
			failed.tap.discard()
		}
		p.grow()
		m.forget(p)
	}()
	return true
}

// changed tells Close that something it waits for may have happened.
func (m *Manager) changed() {
	if m.closed {
		m.idleOut.Broadcast()
	}
}

func (m *Manager) oldestIdle() (oldest *environment) {
	for _, p := range m.pools {
		if len(p.idle) > 0 && (oldest == nil || p.idle[0].idleSince.Before(oldest.idleSince)) {
			oldest = p.idle[0]
		}
	}
	return oldest
}

func (p *pool) removeIdle(e *environment) bool {
	if i := slices.Index(p.idle, e); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
		return true
	}
	return false
}

// give passes on an environment that has nothing to do.
func (p *pool) give(e *environment) {
	m := p.m
	now := time.Now()
	if e.used && now.Sub(e.born) > m.o.MaxAge || e.ended() {
		go e.end()
		p.grow()
		return
	}
	if len(p.waiters) > 0 {
		w := p.waiters[0]
		p.waiters[0] = nil
		p.waiters = p.waiters[1:]
		w.ch <- grant{env: e}
		return
	}
	if p.retired || m.closed {
		go e.end()
		return
	}
	e.idleSince = now
	p.idle = append(p.idle, e)
	after := m.o.IdleTimeout
	if len(p.idle) > m.o.MaxIdle {
		after = min(after, excessIdle)
	}
	m.reapIn(after)
}

// release takes an environment back after an event.
func (m *Manager) release(e *environment) {
	m.mu.Lock()
	e.pool.give(e)
	m.mu.Unlock()
}

// retire takes a pool out of use and returns its idle environments, to be ended.
func (m *Manager) retire(p *pool) []*environment {
	p.retired = true
	if m.pools[p.key] == p {
		delete(m.pools, p.key)
	}
	idle := p.idle
	p.idle = nil
	return idle
}

// gone is called once for every environment, when its process has ended.
func (m *Manager) gone(e *environment) {
	m.mu.Lock()
	delete(m.envs, e)
	e.pool.removeIdle(e)
	e.pool.live--
	m.forget(e.pool)
	if len(e.pool.waiters) > 0 {
		e.pool.grow()
	}
	m.changed()
	m.mu.Unlock()
}

// reapIn makes sure that idle environments are looked at in d, or before.
func (m *Manager) reapIn(d time.Duration) {
	at := time.Now().Add(d)
	switch {
	case m.reaper == nil:
		m.reaper = time.AfterFunc(d, m.reap)
	case m.reapAt.IsZero() || at.Before(m.reapAt):
		m.reaper.Reset(d)
	default:
		return
	}
	m.reapAt = at
}

// reap ends environments that have been idle for long, and looks again when the next one will have been.
func (m *Manager) reap() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.reapAt = time.Time{}
	now := time.Now()
	next := time.Duration(-1)
	for _, p := range m.pools {
		excess := len(p.idle) - m.o.MaxIdle
		p.idle = slices.DeleteFunc(p.idle, func(e *environment) bool {
			limit := m.o.IdleTimeout
			if excess > 0 {
				limit = min(limit, excessIdle)
			}
			excess--
			left := limit - now.Sub(e.idleSince)
			if left <= 0 || now.Sub(e.born) > m.o.MaxAge {
				go e.end()
				return true
			}
			if next < 0 || left < next {
				next = left
			}
			return false
		})
	}
	if next >= 0 {
		m.reapIn(max(next, time.Millisecond))
	}
}

// watchMemory looks at the memory of busy environments while there are any.
func (m *Manager) watchMemory() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var busy []*environment
	for {
		m.mu.Lock()
		idle := m.inflight == 0
		busy = busy[:0]
		if !idle {
			for e := range m.envs {
				if e.busy.Load() {
					busy = append(busy, e)
				}
			}
		}
		m.mu.Unlock()
		if idle {
			tick.Stop()
			select {
			case <-m.watch:
			case <-m.quit:
				return
			}
			tick.Reset(100 * time.Millisecond)
		}
		for _, e := range busy {
			e.checkMemory()
		}
		select {
		case <-tick.C:
		case <-m.quit:
			return
		}
	}
}

// takeSpare returns a generic process that is ready, or nil.
func (m *Manager) takeSpare(path string) *worker {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.spares[path]
	delete(m.spares, path)
	if w != nil && w.isGone() {
		return nil
	}
	return w
}

// refill starts the next spare of an interpreter, in the background.
func (m *Manager) refill(f family, path string) {
	if !m.o.Prefork {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.sparing[path] || m.spares[path] != nil {
		return
	}
	m.sparing[path] = true
	m.starting++
	go func() {
		env := envList(m.baseEnv(f, path))
		w, err := m.startFramed(path, append(m.interpreterArgs(f, path), "spare"), env, os.TempDir())
		m.mu.Lock()
		defer m.mu.Unlock()
		defer m.changed()
		m.sparing[path] = false
		m.starting--
		switch {
		case err != nil:
			m.o.Logger.Warn("starting a spare process for functions", "interpreter", path, "error", err)
		case m.closed:
			w.proc.kill()
		default:
			m.spares[path] = w
		}
	}()
}

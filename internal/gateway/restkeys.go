package gateway

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
)

// metered checks the API key, where the method wants one, then its plan's quota and throttle, and the method's own
// throttle.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
func (x *restExchange) metered() bool {
	m := x.method
	var plan *restapis.Plan
	if m.KeyRequired {
		var ok bool
		if plan, ok = x.identifyKey(); !ok {
			return false
		}
	}
	if plan != nil {
		if t := plan.MethodThrottle(x.api.ID, x.api.Stage, m.Method); t != nil && !x.take(plan.ID+"/"+x.key.ID+"/"+x.api.ID+"/"+x.api.Stage+"/"+x.routeKey, t) {
			return false
		}
		if plan.Throttle != nil && !x.take(plan.ID+"/"+x.key.ID, plan.Throttle) {
			return false
		}
	}
	if m.throttle != nil && !m.throttle.take(x.start) {
		x.trace.Fail("throttle", "the method's limit is used up", "too many requests", m.limit)
		x.refuseAs(v1.GatewayResponseTypeThrottled, "Too Many Requests")
		return false
	}
	if plan != nil && plan.Quota != nil {
		ok, err := x.k.meters.spend(x.r.Context(), plan, x.key.ID, x.start)
		if err != nil {
			x.g.Logger.Error("usage cannot be read", "plan", plan.ID, "error", err)
			x.trace.Fail("quota", "the usage cannot be read", "", "")
			x.broken()
			return false
		}
		if !ok {
			x.trace.Fail("quota", "the key's quota is used up", "plan "+plan.ID+", key "+x.key.ID, "fewer requests in the "+plan.Quota.Period)
			x.refuseAs(v1.GatewayResponseTypeQuotaExceeded, "Limit Exceeded")
			return false
		}
		x.trace.Pass("quota", "plan "+plan.ID)
	}
	return true
}

// identifyKey finds the API key of the request and its usage plan.
func (x *restExchange) identifyKey() (*restapis.Plan, bool) {
	where := "header x-api-key"
	value := x.r.Header.Get("X-Api-Key")
	if x.snap.KeySource == v1.ApiKeySourceTypeAuthorizer {
		where, value = "usageIdentifierKey of the authorizer's answer", ""
		if l := x.caller.Lambda; l != nil {
			value = l.UsageKey
		}
	}
	refuse := func(detail, got string) (*restapis.Plan, bool) {
		x.trace.Fail("api key", detail, got, "a key of a usage plan for this stage, in "+where)
		x.refuseAs(v1.GatewayResponseTypeInvalidApiKey, "Forbidden")
		return nil, false
	}
	if value == "" {
		return refuse("the request has no API key", "nothing")
	}
	ctx := x.r.Context()
	k, err := x.k.apis.Key(ctx, x.api.Region, value)
	switch {
	case errors.Is(err, restapis.ErrNoKey):
		return refuse("there is no such API key", "")
	case err != nil:
		x.g.Logger.Error("API key cannot be read", "error", err)
		x.trace.Fail("api key", "the key cannot be read", "", "")
		x.broken()
		return nil, false
	case !k.Enabled:
		return refuse("the API key is disabled", "key "+k.ID)
	}
	plan, ok, err := x.k.apis.Plan(ctx, k, x.api.ID, x.api.Stage)
	if err != nil {
		x.g.Logger.Error("usage plan cannot be read", "error", err)
		x.trace.Fail("api key", "the usage plan cannot be read", "", "")
		x.broken()
		return nil, false
	}
	if !ok {
		return refuse("the API key is in no usage plan of this stage", "key "+k.ID)
	}
	x.key, x.keyV = k, value
	x.trace.Pass("api key", "key "+k.ID)
	return plan, true
}

// take takes one request from the bucket of a name.
func (x *restExchange) take(name string, t *restapis.Throttle) bool {
	if x.k.meters.bucket(name, t, x.start).take(x.start) {
		return true
	}
	_, limit := newBucket(t)
	x.trace.Fail("throttle", "the usage plan's limit is used up", "too many requests", limit)
	x.refuseAs(v1.GatewayResponseTypeThrottled, "Too Many Requests")
	return false
}

// meters count the requests of API keys: buckets for their rates, and what is left of their quotas. Quotas are
// counted in memory, from what the database knows when a key is first seen in a period, and written back at
// most a second later.
type meters struct {
	k *restAPIs

	mu      sync.Mutex
	buckets map[string]*planBucket
	quotas  map[[2]string]*quota
	pending map[[2]string]int64 // used, and not yet written
	writing bool

	io sync.Mutex // held while pending is written, so that who reads what is left sees each use once; before mu
}

type planBucket struct {
	bucket
	limits restapis.Throttle
	used   time.Time
}

type quota struct {
	mu    sync.Mutex
	plan  *restapis.Plan
	start time.Time
	left  int64
	stale atomic.Bool // left must be read; its own, as mu is held while the database is asked
}

const (
	maxMeters     = 100_000
	flushInterval = time.Second
)

func (m *meters) init(k *restAPIs) {
	m.k = k
	m.buckets, m.quotas, m.pending = map[string]*planBucket{}, map[[2]string]*quota{}, map[[2]string]int64{}
	k.apis.OnGrant(m.forget)
}

// forget makes what is left of a key's quota in a plan be read again; of all, if key is "".
func (m *meters) forget(plan, key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, q := range m.quotas {
		if key == "" || id == [2]string{plan, key} {
			q.stale.Store(true)
		}
	}
}

// bucket returns the bucket of a name; with other limits than before it is a new one.
func (m *meters) bucket(name string, t *restapis.Throttle, now time.Time) *planBucket {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.buckets[name]
	if b == nil || b.limits != *t {
		if len(m.buckets) >= maxMeters {
			for n, old := range m.buckets {
				if now.Sub(old.used) > time.Minute {
					delete(m.buckets, n)
				}
			}
		}
		b = &planBucket{limits: *t}
		b.rate, b.burst, b.tokens = t.Rate, float64(t.Burst), float64(t.Burst)
		m.buckets[name] = b
	}
	b.used = now
	return b
}

// spend takes one request from a key's quota.
func (m *meters) spend(ctx context.Context, p *restapis.Plan, key string, now time.Time) (bool, error) {
	id := [2]string{p.ID, key}
	m.mu.Lock()
	q := m.quotas[id]
	if q == nil {
		if len(m.quotas) >= maxMeters {
			clear(m.quotas) // they are read again
		}
		q = &quota{}
		q.stale.Store(true)
		m.quotas[id] = q
	}
	m.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if start := p.Quota.Start(now); q.stale.Swap(false) || q.plan != p || !q.start.Equal(start) {
		m.io.Lock()
		m.mu.Lock()
		unwritten := m.pending[id]
		m.mu.Unlock()
		left, err := m.k.apis.Remaining(ctx, p, key, now)
		m.io.Unlock()
		if err != nil {
			q.stale.Store(true)
			return false, err
		}
		q.plan, q.start, q.left = p, start, left-unwritten
	}
	if q.left <= 0 {
		return false, nil
	}
	q.left--
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending[id]++
	if !m.writing {
		m.writing = true
		time.AfterFunc(flushInterval, m.flush)
	}
	return true, nil
}

// flush writes what was used since the last time. What cannot be written is tried again.
func (m *meters) flush() {
	m.io.Lock()
	defer m.io.Unlock()
	m.mu.Lock()
	pending, now := m.pending, m.k.g.Now()
	m.pending, m.writing = map[[2]string]int64{}, false
	uses := make([]restapis.Use, 0, len(pending))
	for id, n := range pending {
		uses = append(uses, restapis.Use{Plan: id[0], Key: id[1], At: now, N: n})
	}
	m.mu.Unlock()
	if len(uses) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := m.k.apis.AddUsage(ctx, uses); err != nil {
		m.k.g.Logger.Error("usage of API keys cannot be written", "error", err)
		m.mu.Lock()
		defer m.mu.Unlock()
		for id, n := range pending {
			m.pending[id] += n
		}
	}
}

package restapis

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Errors of [Service.Key].
var ErrNoKey = errors.New("restapis: no such API key")

// Key is an API key as the data plane sees it.
type Key struct {
	ID, Name, CustomerID string
	Enabled              bool
	stages               []string // API/STAGE, without a plan
	plans                []string
}

// Plan is a usage plan, compiled.
type Plan struct {
	ID, Name string
	Throttle *Throttle // of each key; nil: the account's limits
	Quota    *Quota    // nil: none
	stages   map[string]map[string]*Throttle
}

// Quota bounds the requests of each key in a period, in days of UTC.
type Quota struct {
	Limit  int64
	Period string // "DAY", "WEEK", "MONTH"
	Offset int    // days of the period before the count begins anew: the first period begins with the first use
}

// MethodThrottle returns the limits that the plan sets for one method of a stage, or for each of them (*/*); nil if it
// sets none. The plan's own hold beside them.
func (p *Plan) MethodThrottle(apiID, stage string, m *Method) *Throttle {
	byMethod := p.stages[apiID+"/"+stage]
	if len(byMethod) == 0 {
		return nil
	}
	if t := byMethod[strings.TrimSuffix(m.Resource.Path, "/")+"/"+m.HTTP]; t != nil {
		return t
	}
	return byMethod["/*/*"]
}

// Start returns the first day of the period that at is in. Weeks begin on Monday and months on their first day, each
// moved by the offset.
func (q *Quota) Start(at time.Time) time.Time {
	at = at.UTC()
	day := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	switch q.Period {
	case v1.QuotaPeriodTypeWeek:
		back := (int(day.Weekday())+6-q.Offset)%7 + 7
		return day.AddDate(0, 0, -(back % 7))
	case v1.QuotaPeriodTypeMonth:
		first := time.Date(at.Year(), at.Month(), 1+q.Offset, 0, 0, 0, 0, time.UTC)
		if day.Before(first) {
			first = time.Date(at.Year(), at.Month()-1, 1+q.Offset, 0, 0, 0, 0, time.UTC)
		}
		return first
	}
	return day
}

// Key finds an API key by its value, in constant time and from memory. The error is ErrNoKey or the store's.
func (s *Service) Key(ctx context.Context, region, value string) (*Key, error) {
	kv, err := keyValues.Cached(ctx, s.db, valueID(region, value))
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoKey
	} else if err != nil {
		return nil, err
	}
	k, err := keys.Cached(ctx, s.db, kv.Key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoKey
	} else if err != nil {
		return nil, err
	}
	out := &Key{ID: *k.Id, Name: shape.Val(k.Name), CustomerID: shape.Val(k.CustomerId), Enabled: shape.Val(k.Enabled), stages: k.StageKeys}
	in, err := keyPlans.Cached(ctx, s.db, kv.Key)
	if err == nil {
		out.plans = in.Plans
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return out, nil
}

// Plan returns the usage plan by which a key may use a stage. ok is false if it may not. A key that was given the stage
// itself (stageKeys) may without a plan.
func (s *Service) Plan(ctx context.Context, k *Key, apiID, stage string) (p *Plan, ok bool, err error) {
	for _, id := range k.plans {
		p, err := s.compiledPlan(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, false, err
		}
		if _, ok := p.stages[apiID+"/"+stage]; ok {
			return p, true, nil
		}
	}
	return nil, slices.Contains(k.stages, apiID+"/"+stage), nil
}

// planCache holds compiled plans beside the cached documents that they are made of.
type planCache struct{ byID sync.Map } // of *compiledPlan

type compiledPlan struct {
	doc  *usagePlan
	plan *Plan
}

func (s *Service) compiledPlan(ctx context.Context, id string) (*Plan, error) {
	doc, err := plans.Cached(ctx, s.db, id)
	if err != nil {
		s.plans.byID.Delete(id)
		return nil, err
	}
	if c, ok := s.plans.byID.Load(id); ok && c.(*compiledPlan).doc == doc {
		return c.(*compiledPlan).plan, nil
	}
	p := &Plan{ID: *doc.Id, Name: shape.Val(doc.Name), Throttle: compileThrottle(doc.Throttle), stages: map[string]map[string]*Throttle{}}
	if q := doc.Quota; q != nil {
		p.Quota = &Quota{Limit: shape.Val(q.Limit), Period: shape.Val(q.Period), Offset: int(shape.Val(q.Offset))}
	}
	for _, st := range doc.ApiStages {
		byMethod := map[string]*Throttle{}
		for k, t := range st.Throttle {
			if k = "/" + strings.TrimPrefix(unescape.Replace(k), "/"); compileThrottle(&t) != nil {
				byMethod[k] = compileThrottle(&t)
			}
		}
		p.stages[*st.ApiId+"/"+*st.Stage] = byMethod
	}
	s.plans.byID.Store(id, &compiledPlan{doc, p})
	return p, nil
}

func compileThrottle(t *v1.ThrottleSettings) *Throttle {
	if t == nil || t.BurstLimit == nil && t.RateLimit == nil {
		return nil
	}
	return &Throttle{Rate: *or(t.RateLimit, defaultRate), Burst: *or(t.BurstLimit, defaultBurst)}
}

// Use is a number of requests of a key on a day.
type Use struct {
	Plan, Key string
	At        time.Time
	N         int64
}

// AddUsage adds to the counts that quotas are held against. It is durable when it returns.
func (s *Service) AddUsage(ctx context.Context, list []Use) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		for _, u := range list {
			if err := addUsage(tx, u.Plan, u.Key, dayOf(u.At), u.N); err != nil {
				return err
			}
		}
		return nil
	})
}

// Remaining returns how many requests a key has left in the period of a plan's quota that at is in; it may be negative.
// It reads the database: the data plane asks once for each key and period and then counts itself, until
// [Service.OnGrant] tells it of a change.
func (s *Service) Remaining(ctx context.Context, p *Plan, key string, at time.Time) (n int64, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		n, err = remaining(tx, p.ID, key, p.Quota, at)
		return err
	})
	return n, err
}

// OnGrant calls f when UpdateUsage has changed what a key has left: on every node. key is "" if anything may have changed.
func (s *Service) OnGrant(f func(plan, key string)) {
	s.db.OnChange(grants.Name, func(id string) {
		plan, key, _ := strings.Cut(id, "/")
		f(plan, key)
	})
}

// grants are what UpdateUsage gave a key in a period beyond its quota; below zero it took something. PLAN/KEY.
var grants = store.Kind[grant]{Name: "restapis.grant"}

type grant struct {
	Start int64 // day of the period
	Extra int64
}

func dayOf(at time.Time) int64 { return at.UTC().Unix() / 86400 }

// remaining is what a key has left at the end of the day of at.
func remaining(tx *store.Tx, plan, key string, q *Quota, at time.Time) (int64, error) {
	start := dayOf(q.Start(at))
	used, err := usedSince(tx, plan, key, start, dayOf(at))
	if err != nil {
		return 0, err
	}
	g, err := grants.Get(tx, plan+"/"+key)
	if errors.Is(err, store.ErrNotFound) {
		g = &grant{}
	} else if err != nil {
		return 0, err
	}
	left := q.Limit - used
	if g.Start == start {
		left += g.Extra
	}
	return left, nil
}

const dateForm = "2006-01-02"

// maxUsageDays bounds the days that GetUsage answers for.
const maxUsageDays = 90

func (s *Service) GetUsage(ctx context.Context, in *v1.GetUsageRequest) (*v1.Usage, error) {
	from, e1 := time.Parse(dateForm, in.StartDate)
	to, e2 := time.Parse(dateForm, in.EndDate)
	if e1 != nil || e2 != nil {
		return nil, bad("Invalid date specified: dates must be of the form yyyy-mm-dd")
	}
	if to.Before(from) || to.Sub(from) > maxUsageDays*24*time.Hour {
		return nil, bad("Invalid date range: it must not be negative, and not be longer than %d days", maxUsageDays)
	}
	out := &v1.Usage{UsagePlanId: &in.UsagePlanId, StartDate: &in.StartDate, EndDate: &in.EndDate}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		out.Items = map[string][][]int64{}
		p, err := s.plan(ctx, tx, in.UsagePlanId)
		if err != nil {
			return err
		}
		var ids []string
		if in.KeyId != nil {
			ids = []string{*in.KeyId}
		} else {
			after := in.Position
			if after != nil {
				after = shape.Ptr(in.UsagePlanId + "/" + *after)
			}
			list, next, err := pageOf(tx, planKeys, in.UsagePlanId, after, in.Limit)
			if err != nil {
				return err
			}
			for _, k := range list {
				ids = append(ids, k.Key)
			}
			if next != nil {
				out.Position = shape.Ptr(strings.TrimPrefix(*next, in.UsagePlanId+"/"))
			}
		}
		for _, id := range ids {
			byDay, err := usedByDay(tx, in.UsagePlanId, id, dayOf(from), dayOf(to))
			if err != nil {
				return err
			}
			if len(byDay) == 0 {
				continue
			}
			for day := from; !day.After(to); day = day.AddDate(0, 0, 1) {
				left := int64(0)
				if q := p.Quota; q != nil {
					quota := &Quota{Limit: *q.Limit, Period: *q.Period, Offset: int(shape.Val(q.Offset))}
					if left, err = remaining(tx, in.UsagePlanId, id, quota, day); err != nil {
						return err
					}
				}
				out.Items[id] = append(out.Items[id], []int64{byDay[dayOf(day)], max(left, 0)})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// left is what UpdateUsage patches: what remains of a key's quota in the period that now is.
type left struct{ remaining *int64 }

var usageFields = []field[left]{{"/remaining", "replace", setInt(func(l *left) **int64 { return &l.remaining })}}

func (s *Service) UpdateUsage(ctx context.Context, in *v1.UpdateUsageRequest) (*v1.Usage, error) {
	now := s.now().UTC()
	out := &v1.Usage{UsagePlanId: &in.UsagePlanId}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		p, err := s.plan(ctx, tx, in.UsagePlanId)
		if err != nil {
			return err
		}
		if _, err := planKeys.Get(tx, in.UsagePlanId+"/"+in.KeyId); err != nil {
			return missing(err, "API Key")
		}
		if p.Quota == nil {
			return bad("Usage Plan %s does not have a quota", in.UsagePlanId)
		}
		q := &Quota{Limit: *p.Quota.Limit, Period: *p.Quota.Period, Offset: int(shape.Val(p.Quota.Offset))}
		var l left
		if err := apply(usageFields, &l, in.PatchOperations); err != nil {
			return err
		}
		start := dayOf(q.Start(now))
		used, err := usedSince(tx, in.UsagePlanId, in.KeyId, start, dayOf(now))
		if err != nil {
			return err
		}
		n, err := remaining(tx, in.UsagePlanId, in.KeyId, q, now)
		if err != nil {
			return err
		}
		if l.remaining != nil {
			n = *l.remaining
			g := &grant{Start: start, Extra: n - (q.Limit - used)}
			if err := grants.Put(tx, partKey(in.UsagePlanId, in.KeyId, ""), g); err != nil {
				return err
			}
		}
		today := now.Format(dateForm)
		out.StartDate, out.EndDate = &today, &today
		byDay, err := usedByDay(tx, in.UsagePlanId, in.KeyId, dayOf(now), dayOf(now))
		out.Items = map[string][][]int64{in.KeyId: {{byDay[dayOf(now)], n}}}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

package restapis

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// The documents of usage plans. That a key is in a plan is noted twice: for the plan's list of its keys, and with the
// key, where the data plane finds it.
var (
	plans    = store.Kind[usagePlan]{Name: "restapis.plan"}   // in a region
	planKeys = store.Kind[planKey]{Name: "restapis.plankey"}  // PLAN/KEY, of a plan
	keyPlans = store.Kind[inPlans]{Name: "restapis.keyplans"} // KEY
)

type usagePlan struct {
	Region string
	v1.UsagePlan
}

type planKey struct{ Key string }

type inPlans struct{ Plans []string }

func itoa(n int) string { return strconv.Itoa(n) }

// plansOf returns the plans that a key is in.
func plansOf(tx *store.Tx, key string) (*inPlans, error) {
	p, err := keyPlans.Get(tx, key)
	if errors.Is(err, store.ErrNotFound) {
		return &inPlans{}, nil
	}
	return p, err
}

// plan returns a plan of the caller's region.
func (s *Service) plan(ctx context.Context, tx *store.Tx, id string) (*usagePlan, error) {
	p, err := plans.Get(tx, id)
	if err == nil && p.Region != region(ctx) {
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, v1.NotFoundException("Invalid Usage Plan ID specified")
	}
	return p, err
}

// checkPlan holds a plan against AWS's rules. Stages that it had before may be gone.
func (s *Service) checkPlan(ctx context.Context, tx *store.Tx, p *usagePlan, had []v1.ApiStage) error {
	if strings.TrimSpace(shape.Val(p.Name)) == "" {
		return bad("Usage Plan name cannot be empty")
	}
	if q := p.Quota; q != nil {
		if shape.Val(q.Limit) <= 0 {
			return bad("Usage Plan quota limit must be greater than 0")
		}
		last := map[string]int64{v1.QuotaPeriodTypeDay: 0, v1.QuotaPeriodTypeWeek: 6, v1.QuotaPeriodTypeMonth: 27}
		most, ok := last[shape.Val(q.Period)]
		switch off := shape.Val(q.Offset); {
		case !ok:
			return bad("Usage Plan quota period must be one of: [DAY, MONTH, WEEK]")
		case off >= 0 && off <= most:
		case most == 0:
			return bad("Usage Plan quota offset must be zero in the DAY period")
		default:
			return bad("Usage Plan quota offset must be between zero and %d inclusive in the %s period", most, *q.Period)
		}
		q.Offset = or(q.Offset, 0)
	}
	if err := checkThrottle(p.Throttle); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, st := range p.ApiStages {
		name := shape.Val(st.ApiId) + ":" + shape.Val(st.Stage)
		if seen[name] {
			return bad("API Stage specified twice: %s", name)
		}
		seen[name] = true
		for _, k := range sortedKeys(st.Throttle) {
			t := st.Throttle[k]
			if err := checkThrottle(&t); err != nil {
				return err
			}
		}
		if slices.ContainsFunc(had, func(h v1.ApiStage) bool { return *h.ApiId == shape.Val(st.ApiId) && *h.Stage == shape.Val(st.Stage) }) {
			continue
		}
		if _, err := s.api(ctx, tx, shape.Val(st.ApiId)); err != nil {
			return v1.NotFoundException("Invalid API identifier specified %s:%s", s.account, shape.Val(st.ApiId))
		}
		if _, err := stages.Get(tx, shape.Val(st.ApiId)+"/"+shape.Val(st.Stage)); err != nil {
			if missing(err, "") != err {
				return v1.NotFoundException("API Stage not found: %s", name)
			}
			return err
		}
		if err := s.onePlan(tx, p, st); err != nil {
			return err
		}
	}
	return checkTags(p.Tags)
}

func checkThrottle(t *v1.ThrottleSettings) error {
	if t != nil && (shape.Val(t.BurstLimit) < -1 || shape.Val(t.RateLimit) < -1) {
		return bad("Throttle limits must not be negative")
	}
	return nil
}

// onePlan refuses a stage in a plan if one of the plan's keys is in another plan with that stage: a key has one plan
// in a stage.
func (s *Service) onePlan(tx *store.Tx, p *usagePlan, st v1.ApiStage) error {
	if p.Id == nil {
		return nil
	}
	in, err := every(tx, planKeys, *p.Id)
	if err != nil {
		return err
	}
	for _, k := range in {
		if err := clash(tx, k.Key, *p.Id, []v1.ApiStage{st}); err != nil {
			return err
		}
	}
	return nil
}

// clash refuses stages that a key has by another plan already.
func clash(tx *store.Tx, key, plan string, list []v1.ApiStage) error {
	in, err := plansOf(tx, key)
	if err != nil {
		return err
	}
	for _, id := range in.Plans {
		if id == plan {
			continue
		}
		other, err := plans.Get(tx, id)
		if err != nil {
			return err
		}
		for _, o := range other.ApiStages {
			if slices.ContainsFunc(list, func(st v1.ApiStage) bool { return *st.ApiId == *o.ApiId && *st.Stage == *o.Stage }) {
				return v1.ConflictException("API Key %s is already associated with API Stage %s:%s by Usage Plan %s", key, *o.ApiId, *o.Stage, id)
			}
		}
	}
	return nil
}

func (s *Service) CreateUsagePlan(ctx context.Context, in *v1.CreateUsagePlanRequest) (*v1.UsagePlan, error) {
	p := &usagePlan{Region: region(ctx), UsagePlan: v1.UsagePlan{Name: &in.Name, Description: in.Description, ApiStages: in.ApiStages, Throttle: in.Throttle, Quota: in.Quota, Tags: in.Tags}}
	if p.ApiStages == nil {
		p.ApiStages = []v1.ApiStage{}
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		if err := s.checkPlan(ctx, tx, p, nil); err != nil {
			return err
		}
		p.Id = shape.Ptr(newID(ctx, shortID))
		return plans.Insert(tx, store.Key{ID: *p.Id, Parent: p.Region}, p)
	})
	if err != nil {
		return nil, err
	}
	return &p.UsagePlan, nil
}

func (s *Service) GetUsagePlan(ctx context.Context, in *v1.GetUsagePlanRequest) (*v1.UsagePlan, error) {
	var p *usagePlan
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		p, err = s.plan(ctx, tx, in.UsagePlanId)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &p.UsagePlan, nil
}

func (s *Service) GetUsagePlans(ctx context.Context, in *v1.GetUsagePlansRequest) (*v1.UsagePlans, error) {
	out := &v1.UsagePlans{Items: []v1.UsagePlan{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		out.Items = out.Items[:0]
		if in.KeyId != nil {
			of, err := plansOf(tx, *in.KeyId)
			if err != nil {
				return err
			}
			for _, id := range of.Plans {
				p, err := s.plan(ctx, tx, id)
				if err != nil {
					return err
				}
				out.Items = append(out.Items, p.UsagePlan)
			}
			return nil
		}
		list, next, err := pageOf(tx, plans, region(ctx), in.Position, in.Limit)
		for i := range list {
			out.Items = append(out.Items, list[i].UsagePlan)
		}
		out.Position = next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// planStage finds API:STAGE among a plan's stages.
func planStage(p *usagePlan, name string) (int, error) {
	i := slices.IndexFunc(p.ApiStages, func(st v1.ApiStage) bool { return *st.ApiId+":"+*st.Stage == name })
	if i < 0 {
		return i, v1.NotFoundException("API Stage not found: %s", name)
	}
	return i, nil
}

func throttleOf(p *usagePlan) *v1.ThrottleSettings {
	if p.Throttle == nil {
		p.Throttle = &v1.ThrottleSettings{}
	}
	return p.Throttle
}

func quotaOf(p *usagePlan) *v1.QuotaSettings {
	if p.Quota == nil {
		p.Quota = &v1.QuotaSettings{}
	}
	return p.Quota
}

// setStageThrottle patches the throttling of one method of a stage: API:STAGE, and the method as PATH/METHOD, whose slashes
// may be escaped or not.
func setStageThrottle(set func(*v1.ThrottleSettings, patch) error) func(*usagePlan, patch) error {
	return func(p *usagePlan, op patch) error {
		i, err := planStage(p, op.args[0])
		if err != nil {
			return err
		}
		key := "/" + strings.TrimPrefix(op.args[1], "/")
		t := p.ApiStages[i].Throttle[key]
		if err := set(&t, op); err != nil {
			return err
		}
		p.ApiStages[i].Throttle = merged(p.ApiStages[i].Throttle, map[string]v1.ThrottleSettings{key: t})
		return nil
	}
}

// planFields is what can be patched of a usage plan.
var planFields = []field[usagePlan]{
	{"/apiStages", "add remove", func(p *usagePlan, op patch) error {
		id, stage, ok := strings.Cut(op.value, ":")
		if !ok || id == "" || stage == "" {
			return bad("Invalid API Stage specified")
		}
		i, err := planStage(p, op.value)
		if op.removes() {
			if err == nil {
				p.ApiStages = slices.Delete(p.ApiStages, i, i+1)
			}
			return err
		}
		if err == nil {
			return v1.ConflictException("API Stage %s is already associated with the Usage Plan", op.value)
		}
		p.ApiStages = append(p.ApiStages, v1.ApiStage{ApiId: &id, Stage: &stage})
		return nil
	}},
	{"/apiStages/{apidId:stageName}/throttle", "remove", func(p *usagePlan, op patch) error {
		i, err := planStage(p, op.args[0])
		if err == nil {
			p.ApiStages[i].Throttle = nil
		}
		return err
	}},
	{"/apiStages/{apidId:stageName}/throttle/{resourcePath|httpMethod+}", "remove", func(p *usagePlan, op patch) error {
		i, err := planStage(p, op.args[0])
		if err == nil {
			delete(p.ApiStages[i].Throttle, "/"+strings.TrimPrefix(op.args[1], "/"))
		}
		return err
	}},
	{"/apiStages/{apidId:stageName}/throttle/{resourcePath|httpMethod+}/burstLimit", "add replace", setStageThrottle(setInt(func(t *v1.ThrottleSettings) **int64 { return &t.BurstLimit }))},
	{"/apiStages/{apidId:stageName}/throttle/{resourcePath|httpMethod+}/rateLimit", "add replace", setStageThrottle(setNumber(func(t *v1.ThrottleSettings) **float64 { return &t.RateLimit }))},
	{"/description", "replace", setText(func(p *usagePlan) **string { return &p.Description })},
	{"/name", "replace", setText(func(p *usagePlan) **string { return &p.Name })},
	{"/productCode", "add remove replace", func(p *usagePlan, op patch) error {
		if op.removes() || op.value == "" {
			return nil
		}
		return unsupported("A product code of AWS Marketplace (productCode) is")
	}},
	{"/quota", "remove", func(p *usagePlan, _ patch) error { p.Quota = nil; return nil }},
	{"/quota/limit", "add replace", setInt(func(p *usagePlan) **int64 { return &quotaOf(p).Limit })},
	{"/quota/offset", "add replace", setInt(func(p *usagePlan) **int64 { return &quotaOf(p).Offset })},
	{"/quota/period", "add replace", setText(func(p *usagePlan) **string { return &quotaOf(p).Period })},
	{"/throttle", "remove", func(p *usagePlan, _ patch) error { p.Throttle = nil; return nil }},
	{"/throttle/burstLimit", "add replace", setInt(func(p *usagePlan) **int64 { return &throttleOf(p).BurstLimit })},
	{"/throttle/rateLimit", "add replace", setNumber(func(p *usagePlan) **float64 { return &throttleOf(p).RateLimit })},
}

func (s *Service) UpdateUsagePlan(ctx context.Context, in *v1.UpdateUsagePlanRequest) (*v1.UsagePlan, error) {
	return s.changePlan(ctx, in.UsagePlanId, func(p *usagePlan) error { return apply(planFields, p, in.PatchOperations) })
}

// changePlan applies f to a plan, checks and stores it.
func (s *Service) changePlan(ctx context.Context, id string, f func(p *usagePlan) error) (*v1.UsagePlan, error) {
	var p *usagePlan
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if p, err = s.plan(ctx, tx, id); err != nil {
			return err
		}
		had := slices.Clone(p.ApiStages)
		if err := f(p); err != nil {
			return err
		}
		if err := s.checkPlan(ctx, tx, p, had); err != nil {
			return err
		}
		return plans.Put(tx, store.Key{ID: *p.Id, Parent: p.Region}, p)
	})
	if err != nil {
		return nil, err
	}
	return &p.UsagePlan, nil
}

// leavePlans takes a stage, or all of an API if stage is "", out of the region's plans.
func leavePlans(tx *store.Tx, region, apiID, stage string) error {
	all, err := every(tx, plans, region)
	if err != nil {
		return err
	}
	for _, p := range all {
		n := len(p.ApiStages)
		p.ApiStages = slices.DeleteFunc(p.ApiStages, func(st v1.ApiStage) bool { return *st.ApiId == apiID && (stage == "" || *st.Stage == stage) })
		if len(p.ApiStages) == n {
			continue
		}
		if err := plans.Put(tx, store.Key{ID: *p.Id, Parent: p.Region}, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) DeleteUsagePlan(ctx context.Context, in *v1.DeleteUsagePlanRequest) (*v1.DeleteUsagePlanResponse, error) {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		p, err := s.plan(ctx, tx, in.UsagePlanId)
		if err != nil {
			return err
		}
		if len(p.ApiStages) > 0 {
			return bad("Cannot delete Usage Plan %s because it contains API Stages.", in.UsagePlanId)
		}
		all, err := every(tx, planKeys, in.UsagePlanId)
		if err != nil {
			return err
		}
		for _, k := range all {
			if err := leavePlan(tx, in.UsagePlanId, k.Key); err != nil {
				return err
			}
		}
		if err := dropUsage(tx, in.UsagePlanId, ""); err != nil {
			return err
		}
		return plans.Delete(tx, in.UsagePlanId)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteUsagePlanResponse{}, nil
}

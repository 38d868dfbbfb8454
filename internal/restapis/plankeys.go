package restapis

import (
	"context"
	"errors"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// leavePlan takes a key out of a plan.
func leavePlan(tx *store.Tx, plan, key string) error {
	if err := planKeys.Delete(tx, plan+"/"+key); err != nil {
		return missing(err, "Usage Plan Key")
	}
	if err := grants.Delete(tx, plan+"/"+key); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	in, err := plansOf(tx, key)
	if err != nil {
		return err
	}
	if in.Plans = slices.DeleteFunc(in.Plans, func(p string) bool { return p == plan }); len(in.Plans) == 0 {
		return keyPlans.Delete(tx, key)
	}
	return keyPlans.Put(tx, store.Key{ID: key}, in)
}

// addPlanKey puts a key into a plan.
func (s *Service) addPlanKey(ctx context.Context, tx *store.Tx, plan string, k *apiKey) error {
	p, err := s.plan(ctx, tx, plan)
	if err != nil {
		return err
	}
	if err := clash(tx, *k.Id, plan, p.ApiStages); err != nil {
		return err
	}
	if err := planKeys.Insert(tx, partKey(plan, *k.Id, ""), &planKey{*k.Id}); err != nil {
		return taken(err, "Usage Plan Key %s already exists in Usage Plan %s", *k.Id, plan)
	}
	in, err := plansOf(tx, *k.Id)
	if err != nil {
		return err
	}
	in.Plans = append(in.Plans, plan)
	return keyPlans.Put(tx, store.Key{ID: *k.Id}, in)
}

const keyTypeAPI = "API_KEY"

func (s *Service) planKeyAnswer(k *apiKey) (*v1.UsagePlanKey, error) {
	v, err := s.value(k)
	if err != nil {
		return nil, err
	}
	return &v1.UsagePlanKey{Id: k.Id, Type: shape.Ptr(keyTypeAPI), Value: shape.Ptr(string(v)), Name: k.Name}, nil
}

func (s *Service) CreateUsagePlanKey(ctx context.Context, in *v1.CreateUsagePlanKeyRequest) (out *v1.UsagePlanKey, err error) {
	if in.KeyType != keyTypeAPI {
		return nil, bad("Invalid Usage Plan Key type specified. Must be one of: [API_KEY]")
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		k, err := s.key(ctx, tx, in.KeyId)
		if err != nil {
			return err
		}
		if err := s.addPlanKey(ctx, tx, in.UsagePlanId, k); err != nil {
			return err
		}
		out, err = s.planKeyAnswer(k)
		return err
	})
	return out, err
}

func (s *Service) GetUsagePlanKey(ctx context.Context, in *v1.GetUsagePlanKeyRequest) (out *v1.UsagePlanKey, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		if _, err := s.plan(ctx, tx, in.UsagePlanId); err != nil {
			return err
		}
		if _, err := planKeys.Get(tx, in.UsagePlanId+"/"+in.KeyId); err != nil {
			return missing(err, "API Key")
		}
		k, err := s.key(ctx, tx, in.KeyId)
		if err != nil {
			return err
		}
		out, err = s.planKeyAnswer(k)
		return err
	})
	return out, err
}

func (s *Service) GetUsagePlanKeys(ctx context.Context, in *v1.GetUsagePlanKeysRequest) (*v1.UsagePlanKeys, error) {
	out := &v1.UsagePlanKeys{Items: []v1.UsagePlanKey{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		out.Items = out.Items[:0]
		if _, err := s.plan(ctx, tx, in.UsagePlanId); err != nil {
			return err
		}
		after := in.Position
		if after != nil {
			after = shape.Ptr(in.UsagePlanId + "/" + *after)
		}
		list, next, err := pageOf(tx, planKeys, in.UsagePlanId, after, in.Limit)
		if err != nil {
			return err
		}
		for _, pk := range list {
			k, err := s.key(ctx, tx, pk.Key)
			if err != nil {
				return err
			}
			if in.NameQuery != nil && !strings.Contains(shape.Val(k.Name), *in.NameQuery) {
				continue
			}
			a, err := s.planKeyAnswer(k)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, *a)
		}
		if next != nil {
			out.Position = shape.Ptr(strings.TrimPrefix(*next, in.UsagePlanId+"/"))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) DeleteUsagePlanKey(ctx context.Context, in *v1.DeleteUsagePlanKeyRequest) (*v1.DeleteUsagePlanKeyResponse, error) {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := s.plan(ctx, tx, in.UsagePlanId); err != nil {
			return err
		}
		return leavePlan(tx, in.UsagePlanId, in.KeyId)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteUsagePlanKeyResponse{}, nil
}

package restapis

import (
	"context"
	"errors"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// accounts are the settings of the account, one document a region.
var accounts = store.Kind[v1.Account]{Name: "restapis.account"}

// accountOf returns the settings of the account in a region.
func (s *Service) accountOf(tx *store.Tx, region string) (*v1.Account, error) {
	a, err := accounts.Get(tx, region)
	if errors.Is(err, store.ErrNotFound) {
		a, err = &v1.Account{}, nil
	}
	if err != nil {
		return nil, err
	}
	a.ThrottleSettings = &v1.ThrottleSettings{BurstLimit: shape.Ptr(int64(defaultBurst)), RateLimit: shape.Ptr(defaultRate)}
	a.Features, a.ApiKeyVersion = []string{"UsagePlans"}, shape.Ptr("4")
	return a, nil
}

func (s *Service) GetAccount(ctx context.Context, _ *v1.GetAccountRequest) (a *v1.Account, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		a, err = s.accountOf(tx, region(ctx))
		return err
	})
	return a, err
}

// accountFields is what can be patched of the account.
var accountFields = []field[v1.Account]{
	{"/cloudwatchRoleArn", "add remove replace", setText(func(a *v1.Account) **string { return &a.CloudwatchRoleArn })},
	{"/features", "add", func(_ *v1.Account, p patch) error {
		if p.value != "UsagePlans" {
			return p.invalid("Must be one of: [UsagePlans]")
		}
		return nil // they are always on
	}},
}

func (s *Service) UpdateAccount(ctx context.Context, in *v1.UpdateAccountRequest) (a *v1.Account, err error) {
	var want v1.Account
	if err := apply(accountFields, &want, in.PatchOperations); err != nil {
		return nil, err
	}
	if role := shape.Val(want.CloudwatchRoleArn); role != "" {
		if !roleARN.MatchString(role) || strings.Contains(role, "*") {
			return nil, bad("Invalid ARN specified in the request")
		}
		if s.assumable != nil {
			if ok, err := s.assumable(ctx, role); err != nil {
				return nil, err
			} else if !ok {
				return nil, bad("The role ARN does not have required permissions configured. Please grant trust permission for API Gateway and add the required role policy.")
			}
		}
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if a, err = s.accountOf(tx, region(ctx)); err != nil {
			return err
		}
		if err := apply(accountFields, a, in.PatchOperations); err != nil {
			return err
		}
		return accounts.Put(tx, store.Key{ID: region(ctx)}, &v1.Account{CloudwatchRoleArn: a.CloudwatchRoleArn})
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// GetVpcLinks answers that there are none, for none can be made.
func (s *Service) GetVpcLinks(context.Context, *v1.GetVpcLinksRequest) (*v1.VpcLinks, error) {
	return &v1.VpcLinks{Items: []v1.VpcLink{}}, nil
}

package functions

import (
	"context"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/bundle"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// An account's quotas: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	accountConcurrency = 1000
	minUnreserved      = 100
	accountCode        = 80530636800 // bytes
)

// reserve sets the reserved concurrency of f, as far as the account has it. The caller stores f.
func (s *Service) reserve(tx *store.Tx, f *function, n int64) error {
	list, _, err := functions.List(tx, f.Region, "", 0)
	if err != nil {
		return err
	}
	sum := n
	for _, other := range list {
		if other.Name != f.Name {
			sum += shape.Val(other.Reserved)
		}
	}
	if sum > accountConcurrency-minUnreserved {
		return invalid("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", minUnreserved)
	}
	f.Reserved = &n
	return nil
}

func (s *Service) PutFunctionConcurrency(ctx context.Context, in *lambda.PutFunctionConcurrencyRequest) (*lambda.Concurrency, error) {
	n, err := s.unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, n, func(tx *store.Tx, f *function) error { return s.reserve(tx, f, in.ReservedConcurrentExecutions) })
	if err != nil {
		return nil, err
	}
	return &lambda.Concurrency{ReservedConcurrentExecutions: &in.ReservedConcurrentExecutions}, nil
}

// unqualified reads the name of a function whose versions are not told apart.
func (s *Service) unqualified(ctx context.Context, ref string) (name, error) {
	n, err := s.named(wire.CallFrom(ctx), ref, nil)
	if err == nil && n.qualifier != "" {
		err = invalid("This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.")
	}
	return n, err
}

func (s *Service) GetFunctionConcurrency(ctx context.Context, in *lambda.GetFunctionConcurrencyRequest) (*lambda.GetFunctionConcurrencyResponse, error) {
	n, err := s.unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	f, err := s.get(ctx, n)
	if err != nil {
		return nil, err
	}
	return &lambda.GetFunctionConcurrencyResponse{ReservedConcurrentExecutions: f.Reserved}, nil
}

func (s *Service) DeleteFunctionConcurrency(ctx context.Context, in *lambda.DeleteFunctionConcurrencyRequest) (*lambda.DeleteFunctionConcurrencyResponse, error) {
	n, err := s.unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, n, func(_ *store.Tx, f *function) error { f.Reserved = nil; return nil })
	return &lambda.DeleteFunctionConcurrencyResponse{}, err
}

// GetAccountSettings shows the quotas that hold here and what is used of them.
func (s *Service) GetAccountSettings(ctx context.Context, _ *lambda.GetAccountSettingsRequest) (*lambda.GetAccountSettingsResponse, error) {
	var size, reserved int64
	var count int64
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		list, _, err := functions.List(tx, wire.CallFrom(ctx).Region, "", 0)
		for _, f := range list {
			count++
			size += f.Latest.CodeSize
			reserved += shape.Val(f.Reserved)
			if f.Last == 0 {
				continue
			}
			published, _, err := versions.List(tx, functionKey(f).ID, "", 0)
			if err != nil {
				return err
			}
			for _, v := range published {
				size += v.CodeSize
			}
		}
		return err
	})
	return &lambda.GetAccountSettingsResponse{
		AccountLimit: &lambda.AccountLimit{TotalCodeSize: shape.Ptr(int64(accountCode)), CodeSizeUnzipped: shape.Ptr(int64(bundle.MaxUnzipped)), CodeSizeZipped: shape.Ptr(int64(maxZipped)),
			ConcurrentExecutions: shape.Ptr(int64(accountConcurrency)), UnreservedConcurrentExecutions: shape.Ptr(accountConcurrency - reserved)},
		AccountUsage: &lambda.AccountUsage{TotalCodeSize: &size, FunctionCount: &count},
	}, err
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalid("Cannot have more than %d tags for a function.", maxTags)
	}
	return nil
}

// tagged reads the ARN in a call about tags.
func (s *Service) tagged(ctx context.Context, ref string) (name, error) {
	n, err := s.unqualified(ctx, ref)
	if err == nil && !strings.HasPrefix(ref, "arn:") {
		err = invalid("Invalid resource ARN: %s", ref)
	}
	return n, err
}

func (s *Service) TagResource(ctx context.Context, in *lambda.TagResourceRequest) (*lambda.TagResourceResponse, error) {
	n, err := s.tagged(ctx, in.Resource)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, n, func(_ *store.Tx, f *function) error {
		if f.Tags == nil {
			f.Tags = map[string]string{}
		}
		for k, v := range in.Tags {
			f.Tags[k] = v
		}
		return checkTags(f.Tags)
	})
	return &lambda.TagResourceResponse{}, err
}

func (s *Service) UntagResource(ctx context.Context, in *lambda.UntagResourceRequest) (*lambda.UntagResourceResponse, error) {
	n, err := s.tagged(ctx, in.Resource)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, n, func(_ *store.Tx, f *function) error {
		for _, k := range in.TagKeys {
			delete(f.Tags, k)
		}
		return nil
	})
	return &lambda.UntagResourceResponse{}, err
}

func (s *Service) ListTags(ctx context.Context, in *lambda.ListTagsRequest) (*lambda.ListTagsResponse, error) {
	n, err := s.tagged(ctx, in.Resource)
	if err != nil {
		return nil, err
	}
	f, err := s.get(ctx, n)
	if err != nil {
		return nil, err
	}
	tags := f.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return &lambda.ListTagsResponse{Tags: tags}, nil
}

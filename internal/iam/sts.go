package iam

import (
	"context"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

type stsHandler struct {
	sts.Unimplemented
	s *Service
}

// STS returns the handler of the STS API.
func (s *Service) STS() sts.Handler { return stsHandler{s: s} }

func (h stsHandler) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
	c := wire.CallFrom(ctx)
	return &sts.GetCallerIdentityResponse{UserId: shape.Ptr(h.s.Account), Account: shape.Ptr(h.s.Account), Arn: shape.Ptr(c.Principal)}, nil
}

func (h stsHandler) GetAccessKeyInfo(ctx context.Context, in *sts.GetAccessKeyInfoRequest) (*sts.GetAccessKeyInfoResponse, error) {
	if !strings.HasPrefix(in.AccessKeyId, "AKIA") && !strings.HasPrefix(in.AccessKeyId, "ASIA") {
		return nil, shape.Errorf("ValidationError", 400, "Invalid Access Key ID: %s", in.AccessKeyId)
	}
	return &sts.GetAccessKeyInfoResponse{Account: shape.Ptr(h.s.Account)}, nil
}

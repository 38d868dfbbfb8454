package functions

import (
	"context"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
)

// urlResource makes AWS::Lambda::Url, whose id is the ARN of the function or alias.
type urlResource struct{ s *Service }

var urlProperties = map[string]string{"TargetFunctionArn": "FunctionName"}

func (h urlResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(lambda.CreateFunctionUrlConfigRequest)
	if err := resource.Input(ctx, &lambda.Model, in, r.Props, urlProperties); err != nil {
		return resource.Result{}, err
	}
	u, err := h.s.createURL(ctx, in, r.Token)
	if err != nil {
		return resource.Result{}, err
	}
	return urlResult(u), nil
}

func urlResult(u *URL) resource.Result {
	return resource.Result{PhysicalID: u.FunctionARN, Attrs: map[string]any{"FunctionArn": u.FunctionARN, "FunctionUrl": "https://" + u.Host() + "/"}}
}

// Update replaces the configuration: what a template no longer says is gone.
func (h urlResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(lambda.UpdateFunctionUrlConfigRequest)
	if err := resource.Input(ctx, &lambda.Model, in, r.Props, urlProperties); err != nil {
		return resource.Result{}, err
	}
	n, err := h.s.urlName(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return resource.Result{}, err
	}
	u, err := h.s.updateURL(ctx, n, func(u *URL) error {
		set(&u.AuthType, in.AuthType)
		u.CORS = in.Cors
		return checkURL(in.Cors, in.InvokeMode)
	})
	if err != nil {
		return resource.Result{}, err
	}
	return urlResult(u), nil
}

func (h urlResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &lambda.DeleteFunctionUrlConfigRequest{FunctionName: r.PhysicalID}
	if err := resource.Authorize(ctx, &lambda.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteFunctionUrlConfig(ctx, in)
	return resource.Gone(err, "ResourceNotFoundException")
}

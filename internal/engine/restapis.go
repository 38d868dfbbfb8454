package engine

import (
	"context"
	"errors"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/iam/access"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// askOfImports lets imports of REST APIs ask policies for what stands in documents. A refusal is worded as an
// error of the operation: within a stack it is the status of a resource.
func askOfImports(policies *access.Authorizer) func(ctx context.Context, action, resource, passedTo string) error {
	return func(ctx context.Context, action, resource, passedTo string) error {
		err := policies.Ask(ctx, &v1.Model, action, resource, passedTo)
		var denied *wire.AuthError
		if errors.As(err, &denied) {
			return shape.Errorf("AccessDeniedException", 403, "%s", denied.Error())
		}
		return err
	}
}

// gatewayMayBe tells whether API Gateway may act as a role: it exists and trusts apigateway.amazonaws.com.
func (e *Engine) gatewayMayBe(ctx context.Context, roleARN string) (bool, error) {
	_, err := e.iam.AssumeAsService(ctx, roleARN, "apigateway.amazonaws.com", "apigateway")
	var no iam.ErrNotAssumable
	if errors.As(err, &no) {
		return false, nil
	}
	return err == nil, err
}

package engine

import (
	"context"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/iam/access"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// askOfImports lets imports of APIs ask policies for what stands in documents, as operations of m. A refusal is worded
// as an error of the operation: within a stack it is the status of a resource.
func askOfImports(policies *access.Authorizer, m *shape.Model) func(ctx context.Context, action, resource, passedTo string) error {
	return func(ctx context.Context, action, resource, passedTo string) error {
		err := policies.Ask(ctx, m, action, resource, passedTo)
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

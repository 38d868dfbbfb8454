package engine

import (
	"context"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
)

// gatewayMayBe tells whether API Gateway may act as a role: it exists and trusts apigateway.amazonaws.com.
func (e *Engine) gatewayMayBe(ctx context.Context, roleARN string) (bool, error) {
	_, err := e.iam.AssumeAsService(ctx, roleARN, "apigateway.amazonaws.com", "apigateway")
	var no iam.ErrNotAssumable
	if errors.As(err, &no) {
		return false, nil
	}
	return err == nil, err
}

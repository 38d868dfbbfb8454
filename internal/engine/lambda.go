package engine

import (
	"context"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
)

// lambdaMayBe tells whether Lambda may act as a role: it exists and trusts lambda.amazonaws.com.
func (e *Engine) lambdaMayBe(ctx context.Context, roleARN string) (bool, error) {
	_, err := e.iam.AssumeAsService(ctx, roleARN, "lambda.amazonaws.com", "lambda")
	var no iam.ErrNotAssumable
	if errors.As(err, &no) {
		return false, nil
	}
	return err == nil, err
}

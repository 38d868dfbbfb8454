package iam

import (
	"context"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
)

// CheckSessionPolicies tells whether policies can limit a session: texts are documents of the session's
// own, arns name managed policies that are there. The error is IAM's MalformedPolicyDocument, or
// NoSuchEntity.
func (s *Service) CheckSessionPolicies(ctx context.Context, texts, arns []string) error {
	for i, text := range texts {
		if _, err := s.inSession.compile(text, i); err != nil {
			return malformed(text, err)
		}
	}
	for _, a := range arns {
		if _, err := s.managedPolicy(ctx, a); gone(err) {
			return iam.NoSuchEntityException("Policy %s does not exist or is not attachable.", a)
		} else if err != nil {
			return err
		}
	}
	return nil
}

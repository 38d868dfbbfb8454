package sts

import (
	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

func accessDenied(format string, args ...any) error {
	return shape.Errorf("AccessDenied", 403, format, args...)
}

// notAuthorized is how a signed caller is refused. That nothing allows it is not said more closely, that
// something denies it is.
func notAuthorized(c *iam.Caller, action, resource string, d policy.Decision) error {
	because := ""
	if d.Verdict == policy.ExplicitDeny {
		because = " " + d.Because()
	}
	return accessDenied("User: %s is not authorized to perform: %s on resource: %s%s", c.ARN, action, resource, because)
}

// notFederated is how the bearer of a token or an assertion is refused, who learns nothing of roles.
func notFederated(action string) error { return accessDenied("Not authorized to perform %s", action) }

func validation(format string, args ...any) error {
	return shape.Errorf("ValidationError", 400, format, args...)
}

func invalidValue(format string, args ...any) error {
	return shape.Errorf("InvalidParameterValue", 400, format, args...)
}

func unsupported(what string) error {
	return validation("%s is not supported by this version of Gatehouse.", what)
}

func invalidToken(format string, args ...any) error {
	return sts.InvalidIdentityTokenException(format, args...)
}

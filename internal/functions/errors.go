package functions

import (
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// user marks an error as the caller's fault, in the member that Lambda has for it.
func user(e *shape.Error) *shape.Error { return e.With("Type", "User") }

func invalid(format string, args ...any) error {
	return user(lambda.InvalidParameterValueException(format, args...))
}

// unsupported names what exists on AWS and not here.
func unsupported(what string) error {
	return invalid("Gatehouse does not support %s.", what)
}

func notFound(arn string) error {
	return user(lambda.ResourceNotFoundException("Function not found: %s", arn))
}

func conflict(format string, args ...any) error {
	return user(lambda.ResourceConflictException(format, args...))
}

// revised tells of a RevisionId that is out of date; api is what would tell the latest.
func revised(api string) error {
	return user(lambda.PreconditionFailedException("The Revision Id provided does not match the latest Revision Id. Call the %s API to retrieve the latest Revision Id", api))
}

// runError turns what the runtime could not do into Lambda's error.
func runError(err error) error {
	var e *runtime.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case "TooManyRequestsException":
		return user(lambda.TooManyRequestsException("%s", e.Message)).With("Reason", e.Reason)
	case "RequestTooLargeException":
		return user(lambda.RequestTooLargeException("%s", e.Message))
	case "AccessDeniedException": // the execution role; Lambda's model does not have it
		return user(shape.Errorf(e.Code, 403, "%s", e.Message))
	case "InvalidRuntimeException":
		return user(lambda.InvalidRuntimeException("%s", e.Message))
	}
	return lambda.ServiceException("%s", e.Message)
}

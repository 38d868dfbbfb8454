package identitypools

import (
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// The errors that several operations share, in Cognito's words where these are known.

func errPoolNotFound(id string) *shape.Error {
	return cognitoidentity.ResourceNotFoundException("IdentityPool '%s' not found.", id)
}

func errIdentityNotFound(id string) *shape.Error {
	return cognitoidentity.ResourceNotFoundException("Identity '%s' not found.", id)
}

func errForbidden(id string) *shape.Error {
	return cognitoidentity.NotAuthorizedException("Access to Identity '%s' is forbidden.", id)
}

func errGuests() *shape.Error {
	return cognitoidentity.NotAuthorizedException("Unauthenticated access is not supported for this identity pool.")
}

func errLoginsDontMatch() *shape.Error {
	return cognitoidentity.NotAuthorizedException("Logins don't match. Please include at least one valid login for this identity or identity pool.")
}

func errLinkedElsewhere() *shape.Error {
	return cognitoidentity.ResourceConflictException("Login is already linked to another account.")
}

func errProvider() *shape.Error {
	return cognitoidentity.NotAuthorizedException("Token is not from a supported provider of this identity pool.")
}

func errToken(format string, args ...any) *shape.Error {
	return cognitoidentity.NotAuthorizedException("Invalid login token. "+format, args...)
}

func errPublicProvider() *shape.Error {
	return cognitoidentity.InvalidParameterException("Please provide a valid public provider.")
}

func errConfiguration() *shape.Error {
	return cognitoidentity.InvalidIdentityPoolConfigurationException("Invalid identity pool configuration. Check assigned IAM roles for this pool.")
}

func errAmbiguous(provider string) *shape.Error {
	return cognitoidentity.NotAuthorizedException("The ambiguous role mapping rules for: %s denied this request.", provider)
}

func errRole(arn string) *shape.Error {
	return cognitoidentity.NotAuthorizedException("Access to Role '%s' is forbidden.", arn)
}

func errInvalid(format string, args ...any) *shape.Error {
	return cognitoidentity.InvalidParameterException(format, args...)
}

func errTooManyLogins() *shape.Error {
	return cognitoidentity.LimitExceededException("The number of linked logins is limited to %d.", maxLogins)
}

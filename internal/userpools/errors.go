package userpools

import (
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

var errNoCredential = errors.New("userpools: user has no usable credential")

// The errors that several operations share, in Cognito's words.

func errPoolNotFound(id string) *shape.Error {
	return cognitoidp.ResourceNotFoundException("User pool %s does not exist.", id)
}

func errClientNotFound(id string) *shape.Error {
	return cognitoidp.ResourceNotFoundException("User pool client %s does not exist.", id)
}

func errUserNotFound() *shape.Error {
	return cognitoidp.UserNotFoundException("User does not exist.")
}

func errIncorrect() *shape.Error {
	return cognitoidp.NotAuthorizedException("Incorrect username or password.")
}

func errDisabled() *shape.Error {
	return cognitoidp.NotAuthorizedException("User is disabled.")
}

func errLocked() *shape.Error {
	return cognitoidp.NotAuthorizedException("Password attempts exceeded")
}

func errNotConfirmed() *shape.Error {
	return cognitoidp.UserNotConfirmedException("User is not confirmed.")
}

func errResetRequired() *shape.Error {
	return cognitoidp.PasswordResetRequiredException("Password reset required for the user")
}

func errCodeMismatch() *shape.Error {
	return cognitoidp.CodeMismatchException("Invalid verification code provided, please try again.")
}

func errCodeExpired() *shape.Error {
	return cognitoidp.ExpiredCodeException("Invalid code provided, please request a code again.")
}

func errTooMany() *shape.Error {
	return cognitoidp.LimitExceededException("Attempt limit exceeded, please try after some time.")
}

func errSession() *shape.Error {
	return cognitoidp.NotAuthorizedException("Invalid session for the user.")
}

func errSessionExpired() *shape.Error {
	return cognitoidp.NotAuthorizedException("Invalid session for the user, session is expired.")
}

func errSessionUsed() *shape.Error {
	return cognitoidp.NotAuthorizedException("Invalid session for the user, session can only be used once.")
}

func errMissingParameter(name string) *shape.Error {
	return cognitoidp.InvalidParameterException("Missing required parameter %s", name)
}

func errInvalidParameter(format string, args ...any) *shape.Error {
	return cognitoidp.InvalidParameterException(format, args...)
}

// errUnsupported refuses a setting that this version would not honour.
func errUnsupported(what string) *shape.Error {
	return cognitoidp.InvalidParameterException("%s is not supported by this version of Gatehouse.", what)
}

// errNameTaken tells a newcomer that the name is somebody else's.
func errNameTaken(kind nameKind, byAdmin bool) *shape.Error {
	switch {
	case kind == byEmail:
		return cognitoidp.UsernameExistsException("An account with the given email already exists.")
	case kind == byPhone:
		return cognitoidp.UsernameExistsException("An account with the given phone_number already exists.")
	case byAdmin:
		return cognitoidp.UsernameExistsException("User account already exists")
	}
	return cognitoidp.UsernameExistsException("User already exists")
}

// errAliasTaken tells somebody known that a name which he wants is somebody else's.
func errAliasTaken(p *Pool, kind nameKind) *shape.Error {
	switch {
	case kind == byPreferred || kind == byUsername:
		return cognitoidp.AliasExistsException("Already found an entry for the preferred_username.")
	case len(p.Config.UsernameAttributes) > 0:
		return cognitoidp.AliasExistsException("An account with the given %s already exists.", kind.attribute())
	}
	return cognitoidp.AliasExistsException("An account with the %s already exists.", kind.attribute())
}

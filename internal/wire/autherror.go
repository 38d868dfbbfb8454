package wire

import (
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
)

// AuthProblem says why a request could not be authenticated, apart from its signature, which is
// package sigv4's matter. Every protocol has its own names and status codes for these.
type AuthProblem uint8

const (
	MissingCredentials  AuthProblem = iota // none at all
	UnknownAccessKey                       // no such access key, or not with that session token
	SessionTokenExpired                    // temporary credentials past their end
	Denied                                 // the caller is known, and may not
)

// AuthError is what an [Authenticator] returns for a request that it does not let in. The wire words
// it as the service's protocol does; an empty Message stands for AWS's usual one.
type AuthError struct {
	Problem AuthProblem
	Message string // shown to the caller, it must hold no secret
	Cause   error  // for the log
}

func (e *AuthError) Error() string {
	if e.Message != "" {
		return e.Message
	}
	return authForms[e.Problem].json.message
}

// Unwrap returns the cause.
func (e *AuthError) Unwrap() error { return e.Cause }

type authForm struct {
	code    string
	status  int
	message string
}

const (
	invalidText = "The security token included in the request is invalid."
	expiredText = "The security token included in the request is expired"
)

// authForms holds the answers of the four families of protocols. The JSON services answer 400 where
// the others answer 403: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html,
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html,
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
var authForms = [...]struct{ json, restJSON, query, s3 authForm }{
	MissingCredentials: {
		json:     authForm{"MissingAuthenticationTokenException", 400, "Missing Authentication Token"},
		restJSON: authForm{"MissingAuthenticationTokenException", 403, "Missing Authentication Token"},
		query:    authForm{"MissingAuthenticationToken", 403, "Request is missing Authentication Token"},
		s3:       authForm{"AccessDenied", 403, "Access Denied"},
	},
	UnknownAccessKey: {
		json:     authForm{"UnrecognizedClientException", 400, invalidText},
		restJSON: authForm{"UnrecognizedClientException", 403, invalidText},
		query:    authForm{"InvalidClientTokenId", 403, invalidText},
		s3:       authForm{"InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."},
	},
	SessionTokenExpired: {
		json:     authForm{"ExpiredTokenException", 400, expiredText},
		restJSON: authForm{"ExpiredTokenException", 403, expiredText},
		query:    authForm{"ExpiredToken", 403, expiredText},
		s3:       authForm{"ExpiredToken", 400, "The provided token has expired."},
	},
	Denied: {
		json:     authForm{"AccessDeniedException", 400, "Access denied."},
		restJSON: authForm{"AccessDeniedException", 403, "Access denied."},
		query:    authForm{"AccessDenied", 403, "Access denied."},
		s3:       authForm{"AccessDenied", 403, "Access Denied"},
	},
}

// form words e for a protocol.
func (e *AuthError) form(p shape.Protocol) *shape.Error {
	problem := e.Problem
	if int(problem) >= len(authForms) {
		problem = Denied
	}
	forms := &authForms[problem]
	f := &forms.json
	switch p {
	case shape.RESTJSON:
		f = &forms.restJSON
	case shape.QueryXML:
		f = &forms.query
	case shape.RESTXML:
		f = &forms.s3
	}
	msg := e.Message
	if msg == "" || p == shape.RESTXML && problem != Denied {
		msg = f.message // S3 has its own words
	}
	return &shape.Error{Code: f.code, Message: msg, Status: f.status, Cause: e.Cause}
}

// style is how package sigv4 words errors for a protocol.
func style(p shape.Protocol) sigv4.Style {
	switch p {
	case shape.RESTJSON:
		return sigv4.RESTJSON
	case shape.QueryXML:
		return sigv4.Query
	case shape.RESTXML:
		return sigv4.S3
	}
	return sigv4.JSON
}

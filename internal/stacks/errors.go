package stacks

import (
	"errors"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// errClosing ends an operation that goes on after the next start.
var errClosing = errors.New("stacks: the server is closing")

// invalid is CloudFormation's answer to everything that is wrong with a request.
func invalid(format string, args ...any) *shape.Error {
	return shape.Errorf("ValidationError", 400, format, args...)
}

func noStack(name string) error { return invalid("Stack with id %s does not exist", name) }

func noStackBracket(name string) error { return invalid("Stack [%s] does not exist", name) }

// refused is the error for a parameter that is not supported.
func refused(what, why string) error { return invalid("%s is not supported: %s", what, why) }

// orNoStack turns a missing document into CloudFormation's error.
func orNoStack(err error, name string) error {
	if errors.Is(err, store.ErrNotFound) {
		return noStack(name)
	}
	return err
}

// asInvalid turns faults of templates and properties into a ValidationError; other errors stay.
func asInvalid(err error) error {
	var te *template.Error
	var re *resource.Error
	var se *shape.Error
	switch {
	case err == nil, errors.As(err, &se):
		return err
	case errors.As(err, &te):
		// In AWS's words, which name no place but where the text itself is broken. The place is in the log;
		// in a template that a tool has rewritten on its way here it would mislead.
		text := te.Message
		if te.Detail != "" {
			text += ": " + te.Detail
		}
		return &shape.Error{Code: "ValidationError", Status: 400, Message: text, Cause: err}
	case errors.As(err, &re):
		return &shape.Error{Code: "ValidationError", Status: 400, Message: re.Error(), Cause: err}
	}
	return err
}

// message returns an error as the reason of a stack's status.
func message(err error) string {
	var se *shape.Error
	if errors.As(err, &se) {
		return se.Message
	}
	return err.Error()
}

// reason is what a failed step's status says.
func reason(err error) string {
	var se *shape.Error
	if errors.As(err, &se) {
		if se.Code == "" || se.Code == "ValidationError" && se.Cause != nil {
			return se.Message
		}
		return strings.TrimSuffix(se.Message, ".") + " (" + se.Code + ")"
	}
	return err.Error()
}

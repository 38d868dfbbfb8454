package shape

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Error is an error of an AWS API as its caller sees it. Packages under internal/api have a
// constructor for each modelled error; the protocols write it in their own form.
type Error struct {
	Code    string         // "UserNotFoundException"
	Message string         // shown to the caller
	Status  int            // HTTP status
	Server  bool           // the server's fault rather than the caller's
	Fields  map[string]any // further modelled members, by wire name
	Cause   error          // for the log and the trace, never shown to the caller
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// With adds a modelled member to the error and returns it.
func (e *Error) With(name string, value any) *Error {
	if e.Fields == nil {
		e.Fields = map[string]any{}
	}
	e.Fields[name] = value
	return e
}

// Errorf makes a client error; the generated constructors use it.
func Errorf(code string, status int, format string, args ...any) *Error {
	msg := format
	if len(args) > 0 {
		msg = fmt.Sprintf(format, args...)
	}
	return &Error{Code: code, Message: msg, Status: status, Server: status >= 500}
}

// HasCode tells whether err is, or wraps, an [Error] with the code.
func HasCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// Given returns the first name, in their order, of a setting that is given; "" if none is. A service
// refuses by it what it would not honour.
func Given(settings map[string]bool) string {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if settings[name] {
			return name
		}
	}
	return ""
}

// Ptr returns a pointer to v, for optional members.
func Ptr[T any](v T) *T { return &v }

// Val returns *p, or the zero value if p is nil.
func Val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// NotImplemented is the error of an operation that Gatehouse does not have (yet): status 501, so that
// clients do not mistake it for a refusal, naming service and operation.
func NotImplemented(service, operation string) *Error {
	code := "NotImplementedException"
	if service == "s3" { // which has a name of its own for it
		code = "NotImplemented"
	}
	return Errorf(code, 501, "Gatehouse does not implement %s %s.", service, operation)
}

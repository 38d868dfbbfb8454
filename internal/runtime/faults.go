package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// An Error is what the caller of a function is told instead of a result: the API error of Lambda's
// Invoke operation with that code.
type Error struct {
	Code    string // "TooManyRequestsException", "InvalidRuntimeException", …
	Reason  string // of TooManyRequestsException: "ReservedFunctionConcurrentInvocationLimitExceeded", …
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// ErrClosed is returned for invocations after Close.
var ErrClosed = errors.New("runtime: the manager is closed")

func throttled(reason string) *Error {
	return &Error{Code: "TooManyRequestsException", Reason: reason, Message: "Rate Exceeded."}
}

func unusable(format string, args ...any) *Error {
	return &Error{Code: "InvalidRuntimeException", Message: fmt.Sprintf(format, args...)}
}

// fault is the payload of a failed invocation, in the order of fields that Lambda has.
func fault(errorType, text string, trace []string) []byte {
	var v any = struct {
		Type string `json:"errorType"`
		Text string `json:"errorMessage"`
	}{errorType, text}
	if trace != nil {
		v = struct {
			Type  string   `json:"errorType"`
			Text  string   `json:"errorMessage"`
			Trace []string `json:"trace"`
		}{errorType, text, trace}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n")
}

func requestFault(errorType, requestID, text string) []byte {
	return fault(errorType, "RequestId: "+requestID+" Error: "+text, nil)
}

func timeoutText(d time.Duration) string {
	return fmt.Sprintf("Task timed out after %.2f seconds", d.Seconds())
}

// errorType reads the type out of an error payload, for the REPORT line.
func errorType(payload []byte, otherwise string) string {
	var v struct {
		Type string `json:"errorType"`
	}
	if json.Unmarshal(payload, &v) == nil && v.Type != "" && len(v.Type) <= 256 {
		return v.Type
	}
	return otherwise
}

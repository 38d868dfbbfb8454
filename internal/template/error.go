package template

import (
	"fmt"
	"strings"
)

// Error is a fault in a template or in the values given for it.
type Error struct {
	Message string // CloudFormation's words, for the caller of the API
	Detail  string // further words of our own, may be empty
	Line    int    // in the template, from 1; 0 where it has no place
	Column  int
}

// Error returns the message, then the place and the detail.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Line > 0 && !strings.Contains(e.Message, "(line ") {
		fmt.Fprintf(&b, " (line %d, column %d)", e.Line, e.Column)
	}
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	return b.String()
}

// errorAt makes an error at the place of n, which may be nil.
func errorAt(n *Node, format string, args ...any) *Error {
	e := &Error{Message: format}
	if len(args) > 0 {
		e.Message = fmt.Sprintf(format, args...)
	}
	if n != nil {
		e.Line, e.Column = n.Line, n.Column
	}
	return e
}

// with adds words of our own.
func (e *Error) with(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

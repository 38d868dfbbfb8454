package sam

import (
	"fmt"
	"strings"
)

// Error is what is wrong with a serverless template, in the words of the published transform.
type Error struct {
	Causes []string // each once, in the order in which they were found
}

// Error returns the message as CloudFormation shows it.
func (e *Error) Error() string {
	return fmt.Sprintf("Invalid Serverless Application Specification document. Number of errors found: %d. %s", len(e.Causes), strings.Join(e.Causes, " "))
}

// fault is thrown by whoever meets something that cannot be transformed, and caught by what goes
// through the resources, which goes on with the next.
type fault struct {
	kind    faultKind
	message string // without what the kind adds
	id      string
}

type faultKind uint8

const (
	ofResource faultKind = iota
	ofEvent
	ofTemplate
	ofDocument // a template's, with which the whole transform ends
	bare       // the message says it all
)

func (f fault) text() string {
	switch f.kind {
	case ofResource:
		return fmt.Sprintf("Resource with id [%s] is invalid. %s", f.id, f.message)
	case ofEvent:
		return fmt.Sprintf("Event with id [%s] is invalid. %s", f.id, f.message)
	case ofTemplate, ofDocument:
		return "Structure of the SAM template is invalid. " + f.message
	}
	return f.message
}

func failResource(id, format string, args ...any) {
	panic(fault{ofResource, sprintf(format, args), id})
}

func failEvent(id, format string, args ...any) {
	panic(fault{ofEvent, sprintf(format, args), id})
}

func failTemplate(format string, args ...any) {
	panic(fault{kind: ofTemplate, message: sprintf(format, args)})
}

func failDocument(format string, args ...any) {
	panic(fault{kind: ofDocument, message: sprintf(format, args)})
}

func sprintf(format string, args []any) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// try runs f and returns the fault that it met, or nil.
func try(f func()) (met *fault) {
	defer func() {
		if r := recover(); r != nil {
			x, ok := r.(fault)
			if !ok {
				panic(r)
			}
			met = &x
		}
	}()
	f()
	return nil
}

// expectation is a property that must have some type.
type expectation struct {
	kind faultKind
	id   string
	path string
	noun string // "Property", "Attribute"
}

func of(id, path string) expectation          { return expectation{ofResource, id, path, "Property"} }
func ofEventProp(id, path string) expectation { return expectation{ofEvent, id, path, "Property"} }

func (x expectation) fail(what, message string) {
	if message == "" {
		message = fmt.Sprintf("%s '%s' should be a %s.", x.noun, x.path, what)
	}
	panic(fault{x.kind, message, x.id})
}

func (x expectation) dict(v any, message ...string) *dict {
	d, ok := v.(*dict)
	if !ok || d == nil {
		x.fail("map", strings.Join(message, ""))
	}
	return d
}

func (x expectation) list(v any) list {
	l, ok := v.(list)
	if !ok {
		x.fail("list", "")
	}
	return l
}

func (x expectation) text(v any) string {
	s, ok := asText(v)
	if !ok {
		x.fail("string", "")
	}
	return s
}

func (x expectation) bool(v any) bool {
	b, ok := v.(bool)
	if !ok {
		x.fail("boolean", "")
	}
	return b
}

func (x expectation) texts(v any) []string {
	var out []string
	for i, item := range x.list(v) {
		y := x
		y.path = fmt.Sprintf("%s[%d]", x.path, i)
		out = append(out, y.text(item))
	}
	return out
}

func (x expectation) there(v any) any {
	if v == nil {
		panic(fault{x.kind, fmt.Sprintf("Property '%s' is required.", x.path), x.id})
	}
	return v
}

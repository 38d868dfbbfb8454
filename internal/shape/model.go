package shape

import (
	"cmp"
	"slices"
)

// Operation returns the operation of that name, or nil.
func (m *Model) Operation(name string) *Operation {
	i, ok := slices.BinarySearchFunc(m.Operations, name, func(o Operation, n string) int { return cmp.Compare(o.Name, n) })
	if !ok {
		return nil
	}
	return &m.Operations[i]
}

// Ref returns the shape of that name, or 0.
func (m *Model) Ref(name string) Ref {
	// Shapes are in the order of their names; [0] is empty and so first.
	i, ok := slices.BinarySearchFunc(m.Shapes, name, func(s Shape, n string) int { return cmp.Compare(s.Name, n) })
	if !ok {
		return 0
	}
	return Ref(i)
}

// Error returns what the model says of the error with that code on the wire, or nil.
func (m *Model) Error(code string) *ErrorInfo {
	for i := range m.Errors {
		if m.Errors[i].Code == code {
			return &m.Errors[i]
		}
	}
	return nil
}

// validation makes the error of failed constraints.
func (m *Model) validation(format string, args ...any) *Error {
	return Errorf(m.ValidationCode, 400, format, args...)
}

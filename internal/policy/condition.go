package policy

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strings"
)

// test is a condition, compiled.
type test struct {
	op        operator
	qualifier qualifier
	ifExists  bool
	key       string // in lower case
	values    []value
	src       *Condition
}

// holds tells whether the request meets the condition.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func (t *test) holds(e *env) bool {
	var buf [1]string
	got := e.values(t.key, &buf)
	// Set operators and Null take a key whose only value is empty for one without values.
	void := len(got) == 0 || len(got) == 1 && got[0] == ""
	switch {
	case t.op.family == null:
		for i := range t.values {
			if t.values[i].isTrue == void {
				return true
			}
		}
		return false
	case len(got) == 0 && t.ifExists:
		return true
	case t.qualifier == forAllValues:
		if void {
			return true
		}
		for _, g := range got {
			if !t.one(g, e) {
				return false
			}
		}
		return true
	case t.qualifier == forAnyValue:
		if void {
			return false
		}
		for _, g := range got {
			if t.one(g, e) {
				return true
			}
		}
		return false
	case len(got) == 0:
		return t.op.negated
	}
	if t.op.negated { // none of them matches
		for _, g := range got {
			if !t.one(g, e) {
				return false
			}
		}
		return true
	}
	for _, g := range got {
		if t.one(g, e) {
			return true
		}
	}
	return false
}

// one compares one value of the request with those of the policy: it must match one of them, or none
// if the operator is negated. A variable without a value fails a negated operator too.
func (t *test) one(got string, e *env) bool {
	hit, open := t.match(got, e)
	if t.op.negated {
		return !hit && !open
	}
	return hit
}

// match tells whether got matches one of the values, and whether one of them could not be compared
// for want of a variable. Unless t is a comparison of texts, got is parsed once.
func (t *test) match(got string, e *env) (hit, open bool) {
	switch t.op.family {
	case numbers:
		n, ok := parseNumber(got)
		for i := range t.values {
			if ok && t.op.order.holds(n.compare(t.values[i].number)) {
				return true, false
			}
		}
	case dates:
		d, ok := parseDate(got)
		for i := range t.values {
			if ok && t.op.order.holds(d.Compare(t.values[i].date)) {
				return true, false
			}
		}
	case addresses:
		a, err := netip.ParseAddr(got)
		a = a.Unmap().WithZone("")
		for i := range t.values {
			if err == nil && t.values[i].network.Contains(a) {
				return true, false
			}
		}
	case binaries:
		b, err := base64.StdEncoding.DecodeString(got)
		for i := range t.values {
			if err == nil && bytes.Equal(b, t.values[i].bytes) {
				return true, false
			}
		}
	default:
		for i := range t.values {
			switch t.compare(&t.values[i], got, e) {
			case matches:
				return true, false
			case unresolved:
				open = true
			}
		}
	}
	return false, open
}

func (t *test) compare(v *value, got string, e *env) outcome {
	switch {
	case t.op.family == arns:
		return v.arn.match(got, e)
	case t.op.fold || t.op.family == booleans:
		want, ok := v.pattern.expand(e)
		if !ok {
			return unresolved
		}
		return outcomeOf(strings.EqualFold(want, got))
	}
	return v.pattern.match(got, e)
}

package policy

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// operator is a condition operator without its qualifiers.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type operator struct {
	family    family
	negated   bool
	fold      bool     // of strings: case is ignored
	wild      bool     // of strings: * and ? are wildcards
	order     ordering // of numbers and dates
	variables bool     // values may hold policy variables
}

type family uint8

const (
	strs family = iota
	numbers
	dates
	booleans
	binaries
	addresses
	arns
	null
)

type ordering uint8

const (
	equal ordering = iota
	less
	lessEqual
	greater
	greaterEqual
)

func (o ordering) holds(cmp int) bool {
	switch o {
	case less:
		return cmp < 0
	case lessEqual:
		return cmp <= 0
	case greater:
		return cmp > 0
	case greaterEqual:
		return cmp >= 0
	}
	return cmp == 0
}

var operators = map[string]operator{
	"StringEquals":              {family: strs, variables: true},
	"StringNotEquals":           {family: strs, variables: true, negated: true},
	"StringEqualsIgnoreCase":    {family: strs, variables: true, fold: true},
	"StringNotEqualsIgnoreCase": {family: strs, variables: true, fold: true, negated: true},
	"StringLike":                {family: strs, variables: true, wild: true},
	"StringNotLike":             {family: strs, variables: true, wild: true, negated: true},

	"NumericEquals":            {family: numbers},
	"NumericNotEquals":         {family: numbers, negated: true},
	"NumericLessThan":          {family: numbers, order: less},
	"NumericLessThanEquals":    {family: numbers, order: lessEqual},
	"NumericGreaterThan":       {family: numbers, order: greater},
	"NumericGreaterThanEquals": {family: numbers, order: greaterEqual},

	"DateEquals":            {family: dates},
	"DateNotEquals":         {family: dates, negated: true},
	"DateLessThan":          {family: dates, order: less},
	"DateLessThanEquals":    {family: dates, order: lessEqual},
	"DateGreaterThan":       {family: dates, order: greater},
	"DateGreaterThanEquals": {family: dates, order: greaterEqual},

	"Bool":         {family: booleans, variables: true},
	"BinaryEquals": {family: binaries},
	"IpAddress":    {family: addresses},
	"NotIpAddress": {family: addresses, negated: true},

	"ArnEquals":    {family: arns, variables: true},
	"ArnLike":      {family: arns, variables: true},
	"ArnNotEquals": {family: arns, variables: true, negated: true},
	"ArnNotLike":   {family: arns, variables: true, negated: true},

	"Null": {family: null},
}

// qualifier says how an operator treats a key with several values.
type qualifier uint8

const (
	unqualified qualifier = iota
	forAllValues
	forAnyValue
)

// parseOperator reads an operator with its qualifier and IfExists. Null takes neither.
func parseOperator(text string) (op operator, q qualifier, ifExists, ok bool) {
	name, all := strings.CutPrefix(text, "ForAllValues:")
	if all {
		q = forAllValues
	} else if rest, anyOf := strings.CutPrefix(text, "ForAnyValue:"); anyOf {
		name, q = rest, forAnyValue
	}
	name, ifExists = strings.CutSuffix(name, "IfExists")
	op, ok = operators[name]
	if op.family == null && (q != unqualified || ifExists) {
		ok = false
	}
	return op, q, ifExists, ok
}

// value is a value of a condition, made ready for its operator. Which fields are set depends on the
// operator's family.
type value struct {
	pattern pattern // strs, booleans
	arn     arnPattern
	number  number
	date    time.Time
	network netip.Prefix
	bytes   []byte
	isTrue  bool // null
}

// parseValue makes text ready; r is 0, InvalidValue or InvalidVariable.
func parseValue(op operator, text string, vars bool) (v value, r Reason) {
	vars = vars && op.variables
	ok := true
	var err error
	switch op.family {
	case strs:
		v.pattern, err = parsePattern(text, op.wild, vars)
	case booleans:
		v.pattern, err = parsePattern(text, false, vars)
		if err == nil && v.pattern.form == exact {
			_, ok = parseBool(text)
		}
	case arns:
		v.arn, err = parseARNPattern(text, vars)
	case numbers:
		v.number, ok = parseNumber(text)
	case dates:
		v.date, ok = parseDate(text)
	case addresses:
		v.network, ok = parseNetwork(text)
	case binaries:
		v.bytes, err = base64.StdEncoding.DecodeString(text)
		ok, err = err == nil, nil
	case null:
		v.isTrue, ok = parseBool(text)
	}
	switch {
	case err != nil:
		return v, InvalidVariable
	case !ok:
		return v, InvalidValue
	}
	return v, 0
}

func parseBool(s string) (v, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

// number is exact where it is an integer.
type number struct {
	f       float64
	i       int64
	integer bool
}

// parseNumber reads an integer or a decimal, with an exponent if need be.
func parseNumber(s string) (number, bool) {
	if s == "" || len(s) > 100 {
		return number{}, false
	}
	for i := 0; i < len(s); i++ { // keeps out hexadecimal numbers, Inf and NaN
		if c := s[i]; (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' && c != 'e' && c != 'E' {
			return number{}, false
		}
	}
	if !strings.ContainsAny(s, ".eE") {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return number{f: float64(i), i: i, integer: true}, true
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return number{f: f}, err == nil
}

func (n number) compare(m number) int {
	if n.integer && m.integer {
		return cmp3(n.i < m.i, n.i > m.i)
	}
	return cmp3(n.f < m.f, n.f > m.f)
}

func cmp3(less, greater bool) int {
	switch {
	case less:
		return -1
	case greater:
		return 1
	}
	return 0
}

// parseDate reads one of the W3C's forms of ISO 8601 (https://www.w3.org/TR/NOTE-datetime) or seconds
// of the epoch. Four digits are a year.
func parseDate(s string) (time.Time, bool) {
	digits := s != ""
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			digits = false
			break
		}
	}
	layout := time.RFC3339
	switch {
	case digits && len(s) != 4:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n > 1<<40 {
			return time.Time{}, false
		}
		return time.Unix(n, 0), true
	case len(s) == 4:
		layout = "2006"
	case len(s) == 7:
		layout = "2006-01"
	case len(s) == 10:
		layout = "2006-01-02"
	case len(s) == len("2006-01-02T15:04Z"), len(s) == len("2006-01-02T15:04+00:00") && strings.Count(s, ":") == 2:
		layout = "2006-01-02T15:04Z07:00"
	}
	t, err := time.Parse(layout, s)
	return t, err == nil
}

// parseNetwork reads an address, which stands for itself alone, or a network in CIDR notation.
func parseNetwork(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil
}

package schema

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxFaults bounds how many faults of a document are collected.
const maxFaults = 50

// maxSteps bounds the work on one document, so that no schema of nested alternatives takes for ever.
const maxSteps = 1_000_000

// maxRules bounds how deeply rules are applied inside each other: to parts of the document, or to the same part.
const maxRules = 10 * MaxDepth

const tooLong = "the document takes too long to validate"

// Validate returns what is wrong with a document that Decode has read, nil if it fits.
func (s *Schema) Validate(doc any) []string {
	v := &validator{steps: new(int), most: maxFaults}
	v.check(s.root, doc)
	if *v.steps > maxSteps {
		v.fault(tooLong) // as an alternative that was given up may seem not to fit
	}
	return v.faults
}

type validator struct {
	faults []string
	steps  *int
	depth  int // of rules inside each other
	most   int // faults, after which the rest is not looked at
}

func (v *validator) fault(format string, args ...any) {
	if len(v.faults) < v.most {
		v.faults = append(v.faults, fmt.Sprintf(format, args...))
	}
}

// fits tells whether a document fits, without keeping why not.
func (v *validator) fits(r *rule, doc any) bool {
	sub := &validator{steps: v.steps, most: 1, depth: v.depth}
	sub.check(r, doc)
	return len(sub.faults) == 0
}

// text writes a value as JSON for a message, cut to a reasonable length.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	if len(b) > 200 {
		b = append(b[:200:200], "..."...)
	}
	return string(b)
}

func typeOf(doc any) string {
	switch x := doc.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case json.Number:
		if strings.ContainsAny(x.String(), ".eE") {
			return "number"
		}
		return "integer"
	}
	return "unknown"
}

// canonical is the function of that name; what it writes counts.
func (v *validator) canonical(doc any) string {
	s := canonical(doc)
	*v.steps += len(s) / 64
	return s
}

func (v *validator) check(r *rule, doc any) {
	if len(v.faults) >= v.most {
		return
	}
	if *v.steps++; *v.steps > maxSteps {
		if len(v.faults) == 0 {
			v.fault(tooLong)
		}
		return
	}
	if v.depth++; v.depth > maxRules { // a schema that is its own alternative
		*v.steps = maxSteps + 1 // it would go on for ever
		v.depth--
		return
	}
	defer func() { v.depth-- }()
	if len(r.types) > 0 {
		t := typeOf(doc)
		if !slices.Contains(r.types, t) && !(t == "integer" && slices.Contains(r.types, "number")) {
			allowed := slices.Sorted(slices.Values(r.types))
			v.fault("instance type (%s) does not match any allowed primitive type (allowed: %s)", t, text(allowed))
			return // as the rest would only repeat it
		}
	}
	if r.enum != nil && !r.values[v.canonical(doc)] {
		v.fault("instance value (%s) not found in enum (possible values: %s)", text(doc), text(r.enum))
	}
	switch x := doc.(type) {
	case json.Number:
		v.number(r, x)
	case string:
		v.string(r, x)
	case []any:
		v.array(r, x)
	case map[string]any:
		v.object(r, x)
	}
	for _, a := range r.allOf {
		v.check(a, doc)
	}
	if len(r.anyOf) > 0 && !slices.ContainsFunc(r.anyOf, func(a *rule) bool { return v.fits(a, doc) }) {
		v.fault("instance failed to match at least one required schema among %d", len(r.anyOf))
	}
	if len(r.oneOf) > 0 {
		n := 0
		for _, a := range r.oneOf {
			if v.fits(a, doc) {
				n++
			}
		}
		if n != 1 {
			v.fault("instance failed to match exactly one schema (matched %d out of %d)", n, len(r.oneOf))
		}
	}
	if r.not != nil && v.fits(r.not, doc) {
		v.fault("instance matched a schema which it should not have")
	}
}

// rational returns a number exactly, nil if its exponent is beyond reason.
func rational(n json.Number) *big.Rat {
	s := n.String()
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if exp, err := strconv.Atoi(s[i+1:]); err != nil || exp > 400 || exp < -400 {
			return nil
		}
	}
	if len(s) > 1000 {
		return nil
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil
	}
	return r
}

func (v *validator) number(r *rule, n json.Number) {
	if r.maximum == nil && r.minimum == nil && r.multipleOf == nil {
		return
	}
	x := rational(n)
	if x == nil {
		v.fault("numeric instance is too large to be compared (found: %s)", text(n))
		return
	}
	if m := r.maximum; m != nil {
		switch c := x.Cmp(m.rat); {
		case c > 0:
			v.fault("numeric instance is greater than the required maximum (maximum: %s, found: %s)", m.text, n)
		case c == 0 && r.exclusiveMax:
			v.fault("numeric instance is not strictly lower than the required maximum %s", m.text)
		}
	}
	if m := r.minimum; m != nil {
		switch c := x.Cmp(m.rat); {
		case c < 0:
			v.fault("numeric instance is lower than the required minimum (minimum: %s, found: %s)", m.text, n)
		case c == 0 && r.exclusiveMin:
			v.fault("numeric instance is not strictly greater than the required minimum %s", m.text)
		}
	}
	if m := r.multipleOf; m != nil && !new(big.Rat).Quo(x, m.rat).IsInt() {
		v.fault("remainder of division is not zero (%s / %s)", n, m.text)
	}
}

func (v *validator) string(r *rule, s string) {
	if r.maxLength != nil || r.minLength != nil {
		n := utf8.RuneCountInString(s)
		if r.maxLength != nil && n > *r.maxLength {
			v.fault("string %s is too long (length: %d, maximum allowed: %d)", text(s), n, *r.maxLength)
		}
		if r.minLength != nil && n < *r.minLength {
			v.fault("string %s is too short (length: %d, required minimum: %d)", text(s), n, *r.minLength)
		}
	}
	if r.pattern != nil && !r.pattern.re.MatchString(s) {
		v.fault("ECMA 262 regex %s does not match input string %s", text(r.pattern.text), text(s))
	}
	if r.format != "" {
		v.format(r.format, s)
	}
}

var hostname = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

// format checks the formats of draft 4; others mean nothing.
func (v *validator) format(name, s string) {
	ok, what := true, ""
	switch name {
	case "date-time":
		_, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
		if err != nil {
			v.fault("string %s is invalid against requested date format(s) [yyyy-MM-dd'T'HH:mm:ssZ, yyyy-MM-dd'T'HH:mm:ss.[0-9]{1,12}Z]", text(s))
		}
		return
	case "email":
		a, err := mail.ParseAddress(s)
		ok, what = err == nil && a.Address == s, "email address"
	case "hostname":
		ok, what = len(s) <= 253 && hostname.MatchString(s), "hostname"
	case "ipv4":
		a, err := netip.ParseAddr(s)
		ok, what = err == nil && a.Is4(), "IPv4 address"
	case "ipv6":
		a, err := netip.ParseAddr(s)
		ok, what = err == nil && a.Is6() && a.Zone() == "", "IPv6 address"
	case "uri":
		u, err := url.Parse(s)
		ok, what = err == nil && u.IsAbs(), "URI"
	}
	if !ok {
		v.fault("string %s is not a valid %s", text(s), what)
	}
}

func (v *validator) array(r *rule, list []any) {
	if r.maxItems != nil && len(list) > *r.maxItems {
		v.fault("array is too long: must have at most %d elements but instance has %d elements", *r.maxItems, len(list))
	}
	if r.minItems != nil && len(list) < *r.minItems {
		v.fault("array is too short: must have at least %d elements but instance has %d elements", *r.minItems, len(list))
	}
	if r.unique {
		seen := map[string]bool{}
		for _, e := range list {
			k := v.canonical(e)
			if *v.steps > maxSteps {
				v.fault(tooLong)
				return
			}
			if seen[k] {
				v.fault("array must not contain duplicate elements")
				break
			}
			seen[k] = true
		}
	}
	if r.noMoreItems && r.items == nil && r.tuple != nil && len(list) > len(r.tuple) {
		v.fault("array is not allowed to have more than %d elements but instance has %d elements", len(r.tuple), len(list))
	}
	for i, e := range list {
		switch {
		case r.items != nil:
			v.check(r.items, e)
		case i < len(r.tuple):
			v.check(r.tuple[i], e)
		case r.tuple != nil && r.additionalItems != nil:
			v.check(r.additionalItems, e)
		}
	}
}

func (v *validator) object(r *rule, doc map[string]any) {
	if r.maxProperties != nil && len(doc) > *r.maxProperties {
		v.fault("object has too many properties (found %d but schema requires at most %d)", len(doc), *r.maxProperties)
	}
	if r.minProperties != nil && len(doc) < *r.minProperties {
		v.fault("object has too few properties (found %d but schema requires at least %d)", len(doc), *r.minProperties)
	}
	if missing := lacking(doc, r.required); missing != nil {
		v.fault("object has missing required properties (%s)", text(missing))
	}
	var extra []string
	names := make([]string, 0, len(doc))
	for name := range doc {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		known := false
		if p := r.properties[name]; p != nil {
			known = true
			v.check(p, doc[name])
		}
		for _, p := range r.patternProperties {
			if p.re.MatchString(name) {
				known = true
				v.check(p.rule, doc[name])
			}
		}
		switch {
		case known:
		case r.noMore:
			extra = append(extra, name)
		case r.additional != nil:
			v.check(r.additional, doc[name])
		}
	}
	if extra != nil {
		v.fault("object instance has properties which are not allowed by the schema: %s", text(extra))
	}
	for name, need := range r.dependents {
		if _, ok := doc[name]; !ok {
			continue
		}
		if missing := lacking(doc, need); missing != nil {
			v.fault("property %s of object has missing property dependencies (schema requires %s; missing: %s)", text(name), text(need), text(missing))
		}
	}
	for name, d := range r.dependencies {
		if _, ok := doc[name]; ok {
			v.check(d, doc)
		}
	}
}

func lacking(doc map[string]any, names []string) []string {
	var out []string
	for _, n := range names {
		if _, ok := doc[n]; !ok {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// canonical writes a value so that equal ones are written alike.
func canonical(v any) string { return string(appendCanonical(nil, v)) }

func appendCanonical(b []byte, v any) []byte {
	switch x := v.(type) {
	case json.Number:
		s := x.String()
		if integer(s) && s != "-0" {
			return append(b, s...)
		}
		if r := rational(x); r != nil {
			return append(b, r.RatString()...)
		}
		return append(b, s...)
	case string:
		return strconv.AppendQuote(b, x)
	case []any:
		b = append(b, '[')
		for _, e := range x {
			b = append(appendCanonical(b, e), ',')
		}
		return append(b, ']')
	case map[string]any:
		names := make([]string, 0, len(x))
		for n := range x {
			names = append(names, n)
		}
		slices.Sort(names)
		b = append(b, '{')
		for _, n := range names {
			b = append(strconv.AppendQuote(b, n), ':')
			b = append(appendCanonical(b, x[n]), ',')
		}
		return append(b, '}')
	}
	return fmt.Append(b, v)
}

// integer tells whether a number of JSON is written as canonical has it.
func integer(s string) bool {
	s = strings.TrimPrefix(s, "-")
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

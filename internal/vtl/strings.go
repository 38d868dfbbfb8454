package vtl

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
)

// Java's exceptions, which end an execution.
var errIndex = errors.New("StringIndexOutOfBoundsException")

// ascii says whether indexes into a string are those of Java.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// units is the length of a string in Java: UTF-16 code units.
func units(s string) int {
	if ascii(s) {
		return len(s)
	}
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// cut is substring(from, to) in UTF-16 code units.
func cut(s string, from, to int) (string, error) {
	if ascii(s) {
		if from < 0 || to > len(s) || from > to {
			return "", errIndex
		}
		return s[from:to], nil
	}
	u := utf16.Encode([]rune(s))
	if from < 0 || to > len(u) || from > to {
		return "", errIndex
	}
	return string(utf16.Decode(u[from:to])), nil
}

// unitIndex turns a byte index into one of Java.
func unitIndex(s string, i int) int64 {
	if i < 0 {
		return -1
	}
	return int64(units(s[:i]))
}

// byteIndex turns an index of Java into one of bytes, within the string.
func byteIndex(s string, i int) int {
	if i <= 0 {
		return 0
	}
	for at, r := range s {
		if i <= 0 {
			return at
		}
		i -= utf16.RuneLen(r)
	}
	return len(s)
}

func integers(args []any) (a, b int, ok bool) {
	n := [2]int{}
	for i, v := range args {
		k, isInt := v.(int64)
		if !isInt || i > 1 {
			return 0, 0, false
		}
		n[i] = int(max(min(k, 1<<31), -1<<31))
	}
	return n[0], n[1], true
}

// text takes an argument for a Java String or CharSequence.
func argText(v any) (string, bool) {
	s, ok := v.(string)
	return s, ok
}

// stringMethod is java.lang.String, and what StringUtils-minded templates call on it.
func (x *exec) stringMethod(s, name string, args []any) (any, bool, error) {
	if err := x.count(1 + len(s)/256); err != nil {
		return nil, false, err
	}
	switch len(args) {
	case 0:
		switch name {
		case "length":
			return int64(units(s)), true, nil
		case "isEmpty":
			return s == "", true, nil
		case "isBlank":
			return strings.TrimSpace(s) == "", true, nil
		case "toLowerCase":
			return strings.ToLower(s), true, x.grow(len(s))
		case "toUpperCase":
			return strings.ToUpper(s), true, x.grow(len(s))
		case "trim":
			return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }), true, nil
		case "strip":
			return strings.TrimSpace(s), true, nil
		case "intern":
			return s, true, nil
		case "hashCode":
			var h int32
			for _, u := range utf16.Encode([]rune(s)) {
				h = 31*h + int32(u)
			}
			return int64(h), true, nil
		case "toCharArray":
			runes := []rune(s)
			a := &jsonpath.Array{Plain: true, Items: make([]any, len(runes))}
			for i, r := range runes {
				a.Items[i] = string(r)
			}
			return a, true, x.grow(20 * len(runes))
		}
		return nil, false, nil
	case 1:
		if v, ok, err := x.stringMethod1(s, name, args[0]); ok || err != nil {
			return v, ok, err
		}
	case 2:
		if v, ok, err := x.stringMethod2(s, name, args[0], args[1]); ok || err != nil {
			return v, ok, err
		}
	}
	switch name {
	case "format": // the static one, called through a value as templates do
		if f, ok := argText(args[0]); ok {
			out, err := x.format(f, args[1:])
			return out, true, err
		}
	}
	return nil, false, nil
}

func (x *exec) stringMethod1(s, name string, arg any) (any, bool, error) {
	switch name {
	case "charAt", "substring", "codePointAt", "repeat":
		n, _, ok := integers([]any{arg})
		if !ok {
			return nil, false, nil
		}
		switch name {
		case "substring":
			out, err := cut(s, n, units(s))
			return out, true, err
		case "repeat":
			if n < 0 {
				return nil, true, errors.New("IllegalArgumentException: count is negative")
			}
			if len(s) > 0 && n > (64<<20)/len(s) {
				return nil, true, ErrMemory
			}
			if err := x.grow(n * len(s)); err != nil {
				return nil, true, err
			}
			return strings.Repeat(s, n), true, nil
		}
		out, err := cut(s, n, n+1)
		if name == "codePointAt" && err == nil {
			r, _ := utf8.DecodeRuneInString(out)
			return int64(r), true, nil
		}
		return out, true, err
	case "valueOf", "copyValueOf":
		out, err := x.toString(arg)
		return out, true, err
	case "equalsIgnoreCase":
		t, ok := argText(arg)
		return ok && strings.EqualFold(s, t), true, nil
	}
	t, ok := argText(arg)
	if !ok {
		return nil, false, nil
	}
	switch name {
	case "contains":
		return strings.Contains(s, t), true, nil
	case "startsWith":
		return strings.HasPrefix(s, t), true, nil
	case "endsWith":
		return strings.HasSuffix(s, t), true, nil
	case "indexOf":
		return unitIndex(s, strings.Index(s, t)), true, nil
	case "lastIndexOf":
		return unitIndex(s, strings.LastIndex(s, t)), true, nil
	case "concat":
		return s + t, true, x.grow(len(s) + len(t))
	case "compareTo":
		return compareText(s, t), true, nil
	case "compareToIgnoreCase":
		return compareText(strings.ToLower(s), strings.ToLower(t)), true, nil
	case "matches":
		re, err := x.regexp(`\A(?:` + t + `)\z`)
		if err != nil {
			return nil, true, err
		}
		return re.MatchString(s), true, x.count(len(s) / 16)
	case "split":
		a, err := x.split(s, t, 0)
		return a, true, err
	}
	return nil, false, nil
}

func (x *exec) stringMethod2(s, name string, a, b any) (any, bool, error) {
	if name == "substring" || name == "subSequence" {
		from, to, ok := integers([]any{a, b})
		if !ok {
			return nil, false, nil
		}
		out, err := cut(s, from, to)
		return out, true, err
	}
	t, ok := argText(a)
	if !ok {
		return nil, false, nil
	}
	if n, isInt := b.(int64); isInt {
		at := int(max(min(n, 1<<31), -1))
		switch name {
		case "indexOf":
			from := byteIndex(s, at)
			if i := strings.Index(s[from:], t); i >= 0 {
				return unitIndex(s, from+i), true, nil
			}
			return int64(-1), true, nil
		case "lastIndexOf":
			to := byteIndex(s, at)
			return unitIndex(s, strings.LastIndex(s[:min(len(s), to+len(t))], t)), true, nil
		case "startsWith":
			return at >= 0 && at <= units(s) && strings.HasPrefix(s[byteIndex(s, at):], t), true, nil
		case "split":
			out, err := x.split(s, t, at)
			return out, true, err
		}
		return nil, false, nil
	}
	u, ok := argText(b)
	if !ok {
		return nil, false, nil
	}
	switch name {
	case "replace":
		if n := strings.Count(s, t); n > 0 {
			if size := len(s) + n*(len(u)-len(t)); size < 0 || x.grow(size) != nil {
				return nil, true, ErrMemory
			}
		}
		return strings.ReplaceAll(s, t, u), true, nil
	case "replaceAll", "replaceFirst":
		limit := -1
		if name == "replaceFirst" {
			limit = 1
		}
		out, err := x.replace(s, t, u, limit)
		return out, true, err
	}
	return nil, false, nil
}

func compareText(s, t string) int64 {
	a, b := utf16.Encode([]rune(s)), utf16.Encode([]rune(t))
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return int64(a[i]) - int64(b[i])
		}
	}
	return int64(len(a) - len(b))
}

// split is Java's: with limit 0 empty strings at the end go.
func (x *exec) split(s, pattern string, limit int) (*jsonpath.Array, error) {
	re, err := x.regexp(pattern)
	if err != nil {
		return nil, err
	}
	var parts []string
	last := 0
	found, err := x.matches(re, s, limit-1)
	if err != nil {
		return nil, err
	}
	for _, m := range found {
		if m[1] == 0 || m[0] == m[1] && m[0] == len(s) { // an empty match at the start splits nothing
			continue
		}
		parts = append(parts, s[last:m[0]])
		last = m[1]
	}
	parts = append(parts, s[last:])
	for limit == 0 && len(parts) > 1 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	if limit == 0 && len(parts) == 1 && parts[0] == "" && s != "" {
		parts = nil
	}
	a := &jsonpath.Array{Plain: true, Items: make([]any, len(parts))}
	for i, p := range parts {
		a.Items[i] = p
	}
	return a, x.grow(32 * len(parts))
}

// stepsOfMatch is what one match of a pattern costs.
const stepsOfMatch = 8

// matches finds a pattern's matches, at most limit of them if limit is positive.
func (x *exec) matches(re *regexp.Regexp, s string, limit int) ([][]int, error) {
	if err := x.count(1 + len(s)/16); err != nil {
		return nil, err
	}
	most := (x.limits.Steps-x.steps)/stepsOfMatch + 1
	if limit <= 0 || limit > most {
		limit = most
	}
	found := re.FindAllStringSubmatchIndex(s, limit)
	return found, x.count(len(found) * stepsOfMatch)
}

// replace is replaceAll and replaceFirst: $1 and ${name} in the replacement are groups, a backslash takes
// the next character as it is.
func (x *exec) replace(s, pattern, with string, limit int) (string, error) {
	re, err := x.regexp(pattern)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	last := 0
	found, err := x.matches(re, s, limit)
	if err != nil {
		return "", err
	}
	for _, m := range found {
		before := b.Len()
		b.WriteString(s[last:m[0]])
		last = m[1]
		for i := 0; i < len(with); i++ {
			switch c := with[i]; c {
			case '\\':
				if i++; i == len(with) {
					return "", errors.New("IllegalArgumentException: character to be escaped is missing")
				}
				b.WriteByte(with[i])
			case '$':
				group := -1
				if rest := with[i+1:]; strings.HasPrefix(rest, "{") {
					if end := strings.IndexByte(rest, '}'); end > 0 {
						group = re.SubexpIndex(rest[1:end])
						i += end + 1
					}
				} else {
					for i+1 < len(with) && with[i+1] >= '0' && with[i+1] <= '9' {
						n := max(group, 0)*10 + int(with[i+1]-'0')
						if group >= 0 && n > re.NumSubexp() {
							break
						}
						group = n
						i++
					}
				}
				if group < 0 || group > re.NumSubexp() {
					return "", errors.New("IllegalArgumentException: illegal group reference")
				}
				if m[2*group] >= 0 {
					b.WriteString(s[m[2*group]:m[2*group+1]])
				}
			default:
				b.WriteByte(c)
			}
		}
		if err := x.grow(b.Len() - before); err != nil {
			return "", err
		}
	}
	b.WriteString(s[last:])
	return b.String(), x.grow(len(s) - last)
}

// format is String.format for %s %d %f %e %x %X %b %c %n %% with flags, width and precision.
func (x *exec) format(f string, args []any) (string, error) {
	var b strings.Builder
	next := 0
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			b.WriteByte(f[i])
			continue
		}
		start := i
		for i++; i < len(f) && strings.IndexByte("-+ 0#.123456789", f[i]) >= 0; i++ {
		}
		if i == len(f) || i-start > 8 {
			return "", fmt.Errorf("UnknownFormatConversionException: %q", f)
		}
		spec, verb := f[start:i], f[i]
		if verb == 'n' || verb == '%' {
			b.WriteByte(map[byte]byte{'n': '\n', '%': '%'}[verb])
			continue
		}
		for _, n := range strings.FieldsFunc(spec, func(r rune) bool { return r < '0' || r > '9' }) {
			if k, err := strconv.Atoi(n); err != nil || k > 1000 {
				return "", fmt.Errorf("the width in %q is too large", f)
			}
		}
		if next == len(args) {
			return "", fmt.Errorf("MissingFormatArgumentException: %q", f)
		}
		arg := args[next]
		next++
		switch verb {
		case 's', 'S', 'c', 'b':
			s, err := x.toString(arg)
			if err != nil {
				return "", err
			}
			if verb == 'S' {
				s = strings.ToUpper(s)
			}
			fmt.Fprintf(&b, spec+"s", s)
		case 'd', 'x', 'X':
			n, ok := arg.(int64)
			if !ok {
				return "", fmt.Errorf("IllegalFormatConversionException: %s%c", spec, verb)
			}
			fmt.Fprintf(&b, spec+string(verb), n)
		case 'f', 'e', 'E':
			n, ok := arg.(float64)
			if !ok {
				return "", fmt.Errorf("IllegalFormatConversionException: %s%c", spec, verb)
			}
			fmt.Fprintf(&b, spec+string(verb), n)
		default:
			return "", fmt.Errorf("UnknownFormatConversionException: %s%c", spec, verb)
		}
	}
	return b.String(), x.grow(b.Len())
}

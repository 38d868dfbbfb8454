package userpools

import "strings"

// userFilter is the parsed Filter of ListUsers: at most one attribute, matched whole or by prefix.
type userFilter struct {
	attribute string // empty: every user
	prefix    bool
	value     string
}

// filterable are the attributes that ListUsers can search.
var filterable = map[string]bool{
	"username": true, "email": true, "phone_number": true, "name": true, "given_name": true, "family_name": true,
	"preferred_username": true, "cognito:user_status": true, "status": true, "sub": true,
}

// parseFilter reads `ATTRIBUTE = "VALUE"` or `ATTRIBUTE ^= "VALUE"`; within the quotes a backslash
// keeps the next character as it is.
// https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ListUsers.html
func parseFilter(s string) (userFilter, error) {
	var f userFilter
	rest := strings.TrimSpace(s)
	if rest == "" {
		return f, nil
	}
	bad := errInvalidParameter("Error while parsing filter.")
	name, ok := "", false
	if rest[0] == '"' { // AWS takes the name in quotes too
		if name, rest, ok = quoted(rest); !ok {
			return f, bad
		}
	} else {
		i := strings.IndexAny(rest, " \t=^\"")
		if i <= 0 {
			return f, bad
		}
		name, rest = rest[:i], rest[i:]
	}
	rest = strings.TrimLeft(rest, " \t")
	if r, isPrefix := strings.CutPrefix(rest, "^="); isPrefix {
		f.prefix, rest = true, r
	} else if rest, ok = strings.CutPrefix(rest, "="); !ok {
		return userFilter{}, bad
	}
	value, rest, ok := quoted(strings.TrimLeft(rest, " \t"))
	if !ok || strings.TrimSpace(rest) != "" {
		return userFilter{}, bad
	}
	if !filterable[name] {
		return userFilter{}, errInvalidParameter("Invalid search attribute: %s", name)
	}
	f.attribute, f.value = name, value
	return f, nil
}

// quoted cuts a quoted string off the front of s.
func quoted(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", s, false
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", s, false
}

// prefixEnd is the smallest value after all those that begin with prefix; nil: there is none.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

// matchesState reports whether a stored state (2 × status + enabled) is selected. The attribute
// status is "Enabled" or "Disabled"; cognito:user_status is the user's status, in any case.
func (f userFilter) matchesState(state int64) bool {
	name := "Disabled"
	if state%2 == 1 {
		name = "Enabled"
	}
	value := f.value
	if f.attribute == "cognito:user_status" {
		name, value = status(state/2).String(), strings.ToUpper(value)
	}
	if f.prefix {
		return strings.HasPrefix(name, value)
	}
	return name == value
}

// subRange gives the bounds of the subs that a filter on sub selects, both inclusive; ok is false
// where none can match.
func subRange(f userFilter) (lo, hi []byte, ok bool) {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	value := ""
	if f.attribute != "" {
		value = strings.ToLower(f.value)
		if len(value) > len(form) || !f.prefix && len(value) != len(form) {
			return nil, nil, false
		}
	}
	fill := func(with string) ([]byte, bool) {
		rest := strings.ReplaceAll(form[len(value):], "x", with)
		id, ok := parseUserID(value + rest)
		return id[:], ok
	}
	if lo, ok = fill("0"); !ok {
		return nil, nil, false
	}
	hi, ok = fill("f")
	return lo, hi, ok
}

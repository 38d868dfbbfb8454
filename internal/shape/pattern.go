package shape

import (
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// matcher decides whether a whole string matches a pattern; it is made on first use.
type matcher struct {
	p atomic.Pointer[func(string) bool]
}

// Matches tells whether the whole of s matches the pattern. It is safe for concurrent use.
func (c *Constraint) Matches(s string) bool {
	f := c.match.p.Load()
	if f == nil {
		made := compile(c.Pattern)
		c.match.p.Store(&made)
		f = &made
	}
	return (*f)(s)
}

// compile turns a pattern of Java's dialect into a predicate on whole strings. It panics on one that
// it cannot express; a test compiles every pattern of every model.
func compile(pattern string) func(string) bool {
	if f := byHand[pattern]; f != nil {
		return f
	}
	re, err := regexp.Compile(`\A(?:` + fromJava().ReplaceAllString(pattern, `\x{$1}`) + `)\z`)
	if err != nil {
		panic("shape: pattern " + pattern + ": " + err.Error())
	}
	return re.MatchString
}

// fromJava finds the one escape of Java's that Go writes otherwise.
var fromJava = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`) })

// whole makes a predicate from a pattern of Go's. It compiles the pattern on first use.
func whole(pattern string) func(string) bool {
	re := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A(?:` + pattern + `)\z`) })
	return func(s string) bool { return re().MatchString(s) }
}

// byHand holds the patterns that look around, refer back or count further than Go's regexp does.
var byHand = map[string]func(string) bool{
	// S3 bucket names in user import jobs and logs: no dot at the end.
	`^[0-9A-Za-z\.\-_]*(?<!\.)$`: func(s string) bool {
		return only(s, "._-") && !strings.HasSuffix(s, ".")
	},
	// IAM account aliases: no two hyphens in a row.
	`^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`: func(s string) bool {
		return len(s) >= 3 && len(s) <= 63 && only(s, "-") && s == strings.ToLower(s) &&
			s[0] != '-' && s[len(s)-1] != '-' && !strings.Contains(s, "--")
	},
	`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`:                lambdaAlias,
	`(^\$LATEST$)|((?!^[0-9]+$)([a-zA-Z0-9-_]+))`: func(s string) bool { return s == "$LATEST" || lambdaAlias(s) },
	`(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)`:   func(s string) bool { return collection(s) && !strings.HasPrefix(s, "system.") },
	`^(?!\s*$).+`: func(s string) bool { return strings.Trim(s, " \t\n\v\f\r") != "" && !strings.ContainsAny(s, "\n\r") },
	`^.{1,100000}$`: func(s string) bool {
		n := utf8.RuneCountInString(s)
		return n >= 1 && n <= 100000 && !strings.ContainsAny(s, "\n\r")
	},
	// ISO 8601 of SSM's maintenance windows: the separators go through or are left out.
	`^([\-]?\d{4}(?!\d{2}\b))((-?)((0[1-9]|1[0-2])(\3([12]\d|0[1-9]|3[01]))?|W([0-4]\d|5[0-2])(-?[1-7])?|(00[1-9]|0[1-9]\d|[12]\d{2}|3([0-5]\d|6[1-6])))([T\s]((([01]\d|2[0-3])((:?)[0-5]\d)?|24\:?00)([\.,]\d(?!:))?)?(\17[0-5]\d([\.,]\d)?)?([zZ]|([\-])([01]\d|2[0-3]):?([0-5]\d)?)?)?)?$`: isoTime,
}

var (
	collection = whole(`[_a-zA-Z0-9][^$]*`)
	isoTime    = whole(`-?\d{4}((-(` + isoMonth + `(-` + isoDay + `)?|` + isoWeek + `|` + isoYearDay + `)|(` + isoMonth + isoDay + `|` + isoWeek + `|` + isoYearDay + `))` +
		`([T\s]((([01]\d|2[0-3])((:[0-5]\d(:[0-5]\d)?)|([0-5]\d([0-5]\d)?))?|24:?00)([.,]\d)?)?([zZ]|-([01]\d|2[0-3]):?([0-5]\d)?)?)?)?`)
)

const (
	isoMonth   = `(0[1-9]|1[0-2])`
	isoDay     = `([12]\d|0[1-9]|3[01])`
	isoWeek    = `W([0-4]\d|5[0-2])(-?[1-7])?`
	isoYearDay = `(00[1-9]|0[1-9]\d|[12]\d{2}|3([0-5]\d|6[1-6]))`
)

// lambdaAlias tells whether s has an alias's characters and is not a version's number.
func lambdaAlias(s string) bool {
	return s != "" && only(s, "-_") && strings.Trim(s, "0123456789") != ""
}

// only tells whether s consists of ASCII letters, digits and those in more.
func only(s, more string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return true
}

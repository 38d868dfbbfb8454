package logs

import (
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
)

// parsePattern returns the predicate of a filter pattern for unstructured events: terms that must all
// be there, "quoted phrases", -terms that must not, ?terms of which one must, and a %regular
// expression%. Patterns for JSON and for columns are refused.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
func parsePattern(p string) (func(string) bool, error) {
	p = strings.TrimSpace(p)
	switch {
	case p == "" || p == `" "`:
		return func(string) bool { return true }, nil
	case p[0] == '{' || p[0] == '[':
		return nil, logs.InvalidParameterException("Filter patterns for JSON and for columns ({…} and […]) are not supported.")
	case len(p) > 2 && p[0] == '%' && p[len(p)-1] == '%':
		re, err := regexp.Compile(p[1 : len(p)-1])
		if err != nil {
			return nil, logs.InvalidParameterException("Invalid filter pattern")
		}
		return re.MatchString, nil
	}
	var must, not, any []string
	for p != "" {
		into := &must
		switch p[0] {
		case '-':
			into, p = &not, p[1:]
		case '?':
			into, p = &any, p[1:]
		}
		var term string
		if strings.HasPrefix(p, `"`) {
			end := strings.IndexByte(p[1:], '"')
			if end < 0 {
				return nil, logs.InvalidParameterException("Invalid filter pattern")
			}
			term, p = p[1:1+end], p[end+2:]
		} else {
			term, p, _ = strings.Cut(p, " ")
		}
		if term == "" {
			return nil, logs.InvalidParameterException("Invalid filter pattern")
		}
		*into = append(*into, term)
		p = strings.TrimSpace(p)
	}
	return func(text string) bool {
		for _, t := range must {
			if !strings.Contains(text, t) {
				return false
			}
		}
		for _, t := range not {
			if strings.Contains(text, t) {
				return false
			}
		}
		for _, t := range any {
			if strings.Contains(text, t) {
				return true
			}
		}
		return len(any) == 0 || len(must) > 0
	}, nil
}

package functions

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const latest = "$LATEST"

// name says which function, and which of its versions, a caller means.
type name struct {
	region, account string
	function        string
	qualifier       string // version, alias, or "" where none was named
}

// parseName reads a function's name, partial ARN (123456789012:function:NAME, function:NAME) or ARN,
// any of them with a qualifier. Region and account that it does not say stay empty.
func parseName(s string) (n name, ok bool) {
	if rest, isARN := strings.CutPrefix(s, "arn:"); isARN {
		partition, rest, _ := strings.Cut(rest, ":")
		service, rest, _ := strings.Cut(rest, ":")
		var found bool
		if n.region, rest, found = strings.Cut(rest, ":"); !found || partition != "aws" || service != "lambda" || n.region == "" {
			return name{}, false
		}
		s = rest
	}
	if rest, found := strings.CutPrefix(s, "function:"); found {
		s = rest
	} else if account, rest, found := strings.Cut(s, ":function:"); found {
		if len(account) != 12 || !all(account, isDigit) {
			return name{}, false
		}
		n.account, s = account, rest
	} else if n.region != "" {
		return name{}, false
	}
	n.function, n.qualifier, ok = strings.Cut(s, ":")
	if n.function == "" || len(n.function) > 64 || !all(n.function, isNameChar) {
		return name{}, false
	}
	if ok && n.qualifier != latest && (n.qualifier == "" || len(n.qualifier) > 128 || !all(n.qualifier, isNameChar)) {
		return name{}, false
	}
	return n, true
}

func all(s string, f func(byte) bool) bool {
	for i := range len(s) {
		if !f(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameChar(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_'
}

// isVersion tells a version's number from an alias.
func isVersion(qualifier string) bool { return qualifier != "" && all(qualifier, isDigit) }

// named reads the function's name in a call of the API, with the qualifier that may come beside it.
func (s *Service) named(c *wire.Call, ref string, qualifier *string) (name, error) {
	n, ok := parseName(ref)
	if !ok {
		return n, invalid("The function name %q is not valid.", ref)
	}
	if n.region == "" {
		n.region = c.Region
	}
	if n.region != c.Region {
		return n, user(lambda.ResourceNotFoundException("Functions from '%s' are not reachable in this region ('%s')", n.region, c.Region))
	}
	if n.account == "" {
		n.account = s.Account
	}
	if n.account != s.Account {
		return n, shape.Errorf("AccessDeniedException", 403, "User: %s is not authorized to perform: lambda:%s on resource: %s because no resource-based policy allows the lambda:%s action",
			c.Principal, c.Operation, n.arn(), c.Operation)
	}
	if q := shape.Val(qualifier); q != "" {
		if n.qualifier != "" && n.qualifier != q {
			return n, invalid("The derived qualifier from the function name does not match the specified qualifier.")
		}
		n.qualifier = q
	}
	return n, nil
}

// arn returns the ARN, qualified if the name is.
func (n name) arn() string {
	a := "arn:aws:lambda:" + n.region + ":" + n.account + ":function:" + n.function
	if n.qualifier != "" {
		a += ":" + n.qualifier
	}
	return a
}

// plain returns the name without its qualifier.
func (n name) plain() name {
	n.qualifier = ""
	return n
}

// id is the function's id in the store.
func (n name) id() string { return n.region + "/" + n.function }

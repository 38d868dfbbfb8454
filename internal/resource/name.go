package resource

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/ident"
)

const suffixLen = 12

// PhysicalName makes a name for a resource that the template does not name: STACK-LOGICAL-SUFFIX, at
// most maxLen characters, with a suffix of twelve that follows from the token: a step that is run again
// after a crash names the same thing. What is too long is cut from the stack's name and the logical id:
// the shorter of the two is kept whole as long as it takes no more than half. lower is for names that may
// hold only lower-case letters, those of buckets.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html
func (r *Request) PhysicalName(maxLen int, lower bool) string {
	return physicalName(r.StackName, r.LogicalID, r.ID("", ident.UpperNum, suffixLen), maxLen, lower)
}

func physicalName(stack, logical, suffix string, maxLen int, lower bool) string {
	if room := maxLen - len(suffix) - 2; room < 2 {
		stack, logical = "", ""
		suffix = suffix[:min(len(suffix), max(maxLen, 0))]
	} else if len(stack)+len(logical) > room {
		s, l := len(stack), len(logical)
		half := room / 2
		switch {
		case l <= half:
			s = room - l
		case s <= half:
			l = room - s
		default:
			s, l = room-half, half
		}
		stack, logical = strings.TrimRight(stack[:s], "-"), logical[:l]
	}
	name := suffix
	if logical != "" {
		name = stack + "-" + logical + "-" + suffix
	}
	if lower {
		name = strings.ToLower(name)
	}
	return name
}

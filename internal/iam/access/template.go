package access

import (
	"fmt"
	"reflect"
	"strings"
)

// template is an ARN with holes.
type template struct {
	parts []part
	many  int // the part that fans out, or -1
}

type part struct {
	literal  string
	from     source
	path     path
	optional bool // nothing rather than "*" where the input has no value
}

type source uint8

const (
	literal source = iota
	partition
	region
	account
	input
)

func compileTemplate(t reflect.Type, text string, transforms map[string]transform) (template, error) {
	out := template{many: -1}
	for text != "" {
		before, rest, hole := strings.Cut(text, "{")
		if before != "" {
			out.parts = append(out.parts, part{literal: before})
		}
		if !hole {
			break
		}
		name, after, ok := cutHole(rest)
		if !ok {
			return out, fmt.Errorf("%s: a hole is not closed", text)
		}
		text = after
		switch name {
		case "partition":
			out.parts = append(out.parts, part{from: partition})
			continue
		case "region":
			out.parts = append(out.parts, part{from: region})
			continue
		case "account":
			out.parts = append(out.parts, part{from: account})
			continue
		}
		name, optional := strings.CutSuffix(name, "?")
		p, err := compilePath(t, name, transforms)
		if err != nil {
			return out, err
		}
		if p.many {
			if out.many >= 0 {
				return out, fmt.Errorf("%s: two lists in one resource", name)
			}
			out.many = len(out.parts)
		}
		out.parts = append(out.parts, part{from: input, path: p, optional: optional})
	}
	return out, nil
}

// cutHole cuts at the brace that closes a hole; a path may have {} of its own.
func cutHole(s string) (name, rest string, ok bool) {
	depth := 1
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return s[:i], s[i+1:], true
			}
		}
	}
	return "", "", false
}

// expand appends the resources.
func (t *template) expand(a *asking, out []string) []string {
	if t.many < 0 {
		return append(out, t.fill(a, ""))
	}
	for _, v := range t.parts[t.many].path.values(a, nil) {
		out = append(out, t.fill(a, v))
	}
	return out
}

// fill puts values into the holes, and of the part that fans out the given one.
func (t *template) fill(a *asking, one string) string {
	var room [8]string
	texts := room[:0]
	n := 0
	for i := range t.parts {
		p := &t.parts[i]
		text := p.literal
		switch p.from {
		case partition:
			text = a.call.Partition
		case region:
			text = a.call.Region
		case account:
			text = a.call.Account
		case input:
			var few [2]string
			if i == t.many {
				text = one
			} else if values := p.path.values(a, few[:0]); len(values) > 0 {
				text = values[0]
			} else if !p.optional {
				text = "*"
			}
		}
		texts = append(texts, text)
		n += len(text)
	}
	if len(texts) == 1 {
		return texts[0]
	}
	var b strings.Builder
	b.Grow(n)
	for _, text := range texts {
		b.WriteString(text)
	}
	return b.String()
}

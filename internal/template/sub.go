package template

import "strings"

// part is a piece of an Fn::Sub text: literal text, or the name in ${name}.
type part struct {
	text     string
	variable bool
}

// subArg takes the argument of Fn::Sub apart: the text, and the map of variables or nil.
func subArg(n, arg *Node) (text, vars *Node, err error) {
	switch {
	case arg.scalar():
		return arg, nil, nil
	case arg.Kind == List && len(arg.Items) == 2 && arg.Items[0].scalar() && arg.Items[1].Kind == Map && !isCall(arg.Items[1]):
		return arg.Items[0], arg.Items[1], nil
	}
	return nil, nil, errorAt(n, msgSub)
}

// parseSub splits a text at its variables. ${!Name} stands for the literal ${Name}.
func parseSub(n *Node) ([]part, error) {
	var parts []part
	s := n.Text
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			break
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			break // CloudFormation takes an unclosed ${ as text
		}
		name := s[i+2 : i+end]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			parts = append(parts, part{text: s[:i] + "${" + literal + "}"})
		} else {
			name = strings.TrimSpace(name)
			if !variableName(name) {
				return nil, errorAt(n, "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons").with("%q", name)
			}
			parts = append(parts, part{text: s[:i]}, part{text: name, variable: true})
		}
		s = s[i+end+1:]
	}
	return append(parts, part{text: s}), nil
}

func variableName(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '.' || c == ':') {
			return false
		}
	}
	return s != ""
}

package template

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// call evaluates a function. An argument that is Unknown makes the result Unknown.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
func (e *Eval) call(n *Node, name string, arg *Node) (any, error) {
	switch name {
	case "Ref":
		if arg.Kind != String {
			return nil, errorAt(n, msgRef)
		}
		return e.ref(arg.Text, arg)
	case "Fn::GetAtt":
		return e.getAtt(n, arg)
	case "Fn::Sub":
		return e.sub(n, arg)
	case "Fn::If":
		taken, err := e.branch(n, arg)
		if err != nil {
			return nil, err
		}
		return e.eval(taken)
	case "Fn::And", "Fn::Or", "Fn::Not":
		return e.logic(n, name, arg)
	case "Fn::Select":
		return e.selectItem(n, arg)
	case "Fn::FindInMap":
		return e.findInMap(n, arg)
	case "Fn::GetStackOutput":
		return e.stackOutput(n, arg)
	}
	v, err := e.eval(arg)
	if err != nil {
		return nil, err
	}
	if u, ok := firstUnknown(v); ok && name != "Fn::ToJsonString" {
		return u, nil
	}
	switch name {
	case "Fn::Join":
		return join(n, v)
	case "Fn::Split":
		return e.split(n, v)
	case "Fn::Base64":
		s, ok := text(v)
		if !ok {
			return nil, errorAt(n, msgBase64)
		}
		return base64.StdEncoding.EncodeToString([]byte(s)), nil
	case "Fn::Cidr":
		return cidr(n, v)
	case "Fn::GetAZs":
		s, ok := text(v)
		if !ok {
			return nil, errorAt(n, msgGetAZs)
		}
		if s != "" && s != e.pseudo.Region {
			return []any{}, nil
		}
		return []any{e.pseudo.Region + "a", e.pseudo.Region + "b", e.pseudo.Region + "c"}, nil
	case "Fn::ImportValue":
		s, ok := text(v)
		if !ok {
			return nil, errorAt(n, msgImport)
		}
		if e.resolver == nil {
			return nil, errorAt(n, "No export named %s found.", s)
		}
		v, err := e.resolver.ImportValue(s)
		if err != nil {
			return nil, place(err, n)
		}
		return v, nil
	case "Fn::Equals":
		l, ok := v.([]any)
		if !ok || len(l) != 2 {
			return nil, errorAt(n, msgEquals)
		}
		return e.equals(n, l[0], l[1])
	case "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn":
		return members(n, name, v)
	case "Fn::Length":
		l, ok := v.([]any)
		if !ok || !e.t.extended {
			return nil, errorAt(n, msgLength)
		}
		return json.Number(strconv.Itoa(len(l))), nil
	case "Fn::ToJsonString":
		return e.toJSON(n, arg, v)
	}
	return nil, errorAt(n, "Template error: Encountered unsupported function: %s Supported functions are: [%s]", name, supported)
}

// firstUnknown finds an Unknown in a value.
func firstUnknown(v any) (Unknown, bool) {
	switch v := v.(type) {
	case Unknown:
		return v, true
	case []any:
		for _, item := range v {
			if u, ok := firstUnknown(item); ok {
				return u, true
			}
		}
	case map[string]any:
		for _, item := range v {
			if u, ok := firstUnknown(item); ok {
				return u, true
			}
		}
	}
	return Unknown{}, false
}

func (e *Eval) ref(name string, at *Node) (any, error) {
	if p := e.params[name]; p != nil {
		if l, ok := p.Value.([]any); ok {
			return slices.Clone(l), nil
		}
		return p.Value, nil
	}
	switch name {
	case "AWS::NoValue":
		return absent{}, nil
	case "AWS::AccountId":
		return e.pseudo.Account, nil
	case "AWS::Region":
		return e.pseudo.Region, nil
	case "AWS::Partition":
		return e.pseudo.Partition, nil
	case "AWS::StackId":
		return e.pseudo.StackID, nil
	case "AWS::StackName":
		return e.pseudo.StackName, nil
	case "AWS::URLSuffix":
		return e.pseudo.URLSuffix, nil
	case "AWS::NotificationARNs":
		out := make([]any, len(e.pseudo.NotificationARNs))
		for i, s := range e.pseudo.NotificationARNs {
			out[i] = s
		}
		return out, nil
	}
	if e.t.resources[name] == nil || e.resolver == nil {
		return nil, errorAt(at, "Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", name)
	}
	v, err := e.resolver.Ref(name)
	if err != nil {
		return nil, place(err, at)
	}
	return v, nil
}

func (e *Eval) attr(logical, attr string, at *Node) (any, error) {
	if e.t.resources[logical] == nil || e.resolver == nil {
		return nil, errorAt(at, "Template error: instance of Fn::GetAtt references undefined resource %s", logical)
	}
	v, err := e.resolver.GetAtt(logical, attr)
	if err != nil {
		return nil, place(err, at)
	}
	return v, nil
}

func (e *Eval) getAtt(n, arg *Node) (any, error) {
	logical, attr, err := getAttArg(n, arg)
	if err != nil {
		return nil, err
	}
	v, err := e.eval(attr)
	if err != nil {
		return nil, err
	}
	name, ok := text(v)
	if !ok || name == "" || logical.Kind != String {
		return nil, errorAt(n, msgGetAtt)
	}
	return e.attr(logical.Text, name, n)
}

func (e *Eval) sub(n, arg *Node) (any, error) {
	text1, vars, err := subArg(n, arg)
	if err != nil {
		return nil, err
	}
	parts, err := parseSub(text1)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	var unknown *Unknown
	for _, p := range parts {
		if !p.variable {
			b.WriteString(p.text)
			continue
		}
		var v any
		if own := vars.Get(p.text); own != nil {
			v, err = e.eval(own)
		} else if id, attr, ok := strings.Cut(p.text, "."); ok {
			v, err = e.attr(id, attr, text1)
		} else {
			v, err = e.ref(p.text, text1)
		}
		if err != nil {
			return nil, err
		}
		if u, ok := firstUnknown(v); ok {
			unknown = &u
			continue
		}
		s, ok := text(v)
		if !ok {
			return nil, errorAt(text1, "Template error: variable %s in Fn::Sub expression does not resolve to a string", p.text)
		}
		b.WriteString(s)
		if b.Len() > maxOutput {
			return nil, errorAt(n, "Template error: the values that the template builds are too large")
		}
	}
	if unknown != nil {
		return *unknown, nil
	}
	return b.String(), nil
}

func (e *Eval) logic(n *Node, name string, arg *Node) (any, error) {
	lo, hi, msg := 2, 10, strings.Replace(msgAndOr, "%s", name, 1)
	if name == "Fn::Not" {
		lo, hi, msg = 1, 1, msgNot
	}
	items, err := list(arg, lo, hi, n, msg)
	if err != nil {
		return nil, err
	}
	result := name == "Fn::And"
	for _, item := range items {
		v, err := e.boolean(item)
		if err != nil {
			return nil, err
		}
		switch name {
		case "Fn::And":
			result = result && v
		case "Fn::Or":
			result = result || v
		default:
			result = !v
		}
	}
	return result, nil
}

// equals compares as text: Fn::Equals takes true and "true", 1 and "1" for the same. Lists can only be
// compared with the language extensions.
func (e *Eval) equals(n *Node, a, b any) (any, error) {
	s, ok1 := text(a)
	t, ok2 := text(b)
	if ok1 && ok2 {
		return s == t, nil
	}
	if !e.t.extended {
		return nil, errorAt(n, msgEquals)
	}
	ja, err1 := json.Marshal(a)
	jb, err2 := json.Marshal(b)
	if err1 != nil || err2 != nil {
		return nil, errorAt(n, msgEquals)
	}
	return bytes.Equal(ja, jb), nil
}

// selectItem evaluates the list as a whole, so that it may be a function.
func (e *Eval) selectItem(n, arg *Node) (any, error) {
	items, err := list(arg, 2, 2, n, msgSelect)
	if err != nil {
		return nil, err
	}
	index, err := e.eval(items[0])
	if err != nil {
		return nil, err
	}
	v, err := e.eval(items[1])
	if err != nil {
		return nil, err
	}
	if u, ok := index.(Unknown); ok {
		return u, nil
	}
	if u, ok := v.(Unknown); ok {
		return u, nil
	}
	s, ok := text(index)
	l, isList := v.([]any)
	if !ok || !isList {
		return nil, errorAt(n, msgSelect)
	}
	i, err := strconv.Atoi(s)
	if err != nil {
		return nil, errorAt(items[0], msgSelect)
	}
	if i < 0 || i >= len(l) {
		return nil, errorAt(n, "Template error: Fn::Select cannot select nonexistent value at index %d", i)
	}
	return l[i], nil
}

func (e *Eval) findInMap(n, arg *Node) (any, error) {
	items, err := list(arg, 3, 4, n, msgFindInMap)
	if err != nil {
		return nil, err
	}
	var key [3]string
	for i := range key {
		v, err := e.eval(items[i])
		if err != nil {
			return nil, err
		}
		var ok bool
		if key[i], ok = text(v); !ok {
			return nil, errorAt(n, msgFindInMap)
		}
	}
	var found *Node
	m := e.t.mappings[key[0]]
	if m != nil {
		found = m.Node.Get(key[1]).Get(key[2])
	}
	if found != nil {
		return found.Value(), nil
	}
	if len(items) == 4 && e.t.extended {
		if d := items[3].Get("DefaultValue"); d != nil {
			return e.eval(d)
		}
	}
	if m == nil {
		return nil, errorAt(n, "Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", key[0])
	}
	return nil, errorAt(n, "Template error: Unable to get mapping for %s::%s::%s", key[0], key[1], key[2])
}

func (e *Eval) stackOutput(n, arg *Node) (any, error) {
	v, err := e.eval(arg)
	if err != nil {
		return nil, err
	}
	if u, ok := firstUnknown(v); ok {
		return u, nil
	}
	m, _ := v.(map[string]any)
	stack, ok1 := text(m["StackName"])
	output, ok2 := text(m["OutputName"])
	region, ok3 := text(m["Region"])
	if _, given := m["Region"]; !ok1 || !ok2 || given && !ok3 {
		return nil, errorAt(n, msgOutput)
	}
	s, ok := e.resolver.(StackOutputs)
	if !ok {
		return nil, errorAt(n, "Template error: Fn::GetStackOutput is not supported here")
	}
	if v, err = s.StackOutput(stack, region, output); err != nil {
		return nil, place(err, n)
	}
	return v, nil
}

func join(n *Node, v any) (any, error) {
	l, ok := v.([]any)
	if !ok || len(l) != 2 {
		return nil, errorAt(n, msgJoin)
	}
	sep, ok := l[0].(string)
	items, isList := l[1].([]any)
	if !ok || !isList {
		return nil, errorAt(n, msgJoin)
	}
	parts := make([]string, len(items))
	size := 0
	for i, item := range items {
		if parts[i], ok = text(item); !ok {
			return nil, errorAt(n, msgJoin)
		}
		if size += len(parts[i]) + len(sep); size > maxOutput {
			return nil, errorAt(n, "Template error: the values that the template builds are too large")
		}
	}
	return strings.Join(parts, sep), nil
}

func (e *Eval) split(n *Node, v any) (any, error) {
	l, ok := v.([]any)
	if !ok || len(l) != 2 {
		return nil, errorAt(n, msgSplit)
	}
	sep, ok := l[0].(string)
	s, isText := text(l[1])
	if !ok || !isText || sep == "" {
		return nil, errorAt(n, msgSplit)
	}
	if err := e.grow(32*strings.Count(s, sep), n); err != nil {
		return nil, err
	}
	parts := strings.Split(s, sep)
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out, nil
}

// members evaluates the functions of rules that compare lists.
func members(n *Node, name string, v any) (any, error) {
	l, ok := v.([]any)
	if !ok || len(l) != 2 {
		return nil, errorAt(n, "Template error: every %s object requires a list of 2 parameters.", name)
	}
	texts := func(v any) ([]string, bool) {
		items, ok := v.([]any)
		if !ok {
			s, ok := text(v)
			return []string{s}, ok
		}
		out := make([]string, len(items))
		for i, item := range items {
			if out[i], ok = text(item); !ok {
				return nil, false
			}
		}
		return out, true
	}
	a, ok1 := texts(l[0])
	b, ok2 := texts(l[1])
	if !ok1 || !ok2 || name != "Fn::EachMemberIn" && len(b) != 1 {
		return nil, errorAt(n, "Template error: every %s object requires a list of 2 parameters.", name)
	}
	switch name {
	case "Fn::Contains":
		return slices.Contains(a, b[0]), nil
	case "Fn::EachMemberEquals":
		return !slices.ContainsFunc(a, func(s string) bool { return s != b[0] }), nil
	}
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) }), nil
}

func (e *Eval) toJSON(n, arg *Node, v any) (any, error) {
	if !e.t.extended {
		return nil, errorAt(n, "Template error: Encountered unsupported function: Fn::ToJsonString Supported functions are: [%s]", supported)
	}
	if u, ok := firstUnknown(v); ok {
		return u, nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil || arg.Kind != List && arg.Kind != Map {
		return nil, errorAt(n, "Template error: Fn::ToJsonString must be a list or a map")
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// cidr splits an address block. The third number is the bits of each part, counted from the right.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-cidr.html
func cidr(n *Node, v any) (any, error) {
	l, ok := v.([]any)
	if !ok || len(l) < 2 || len(l) > 3 {
		return nil, errorAt(n, msgCidr)
	}
	block, _ := text(l[0])
	prefix, err := netip.ParsePrefix(block)
	if err != nil {
		return nil, errorAt(n, "Template error: Fn::Cidr: %s is not a valid IP block", block)
	}
	s, _ := text(l[1])
	count, err := strconv.Atoi(s)
	if err != nil || count < 1 || count > 256 {
		return nil, errorAt(n, "Template error: Fn::Cidr: the count must be between 1 and 256")
	}
	width := prefix.Addr().BitLen()
	bits := 8
	if len(l) == 3 {
		s, _ := text(l[2])
		if bits, err = strconv.Atoi(s); err != nil || bits < 1 || bits > width {
			return nil, errorAt(n, "Template error: Fn::Cidr: the number of subnet bits must be between 1 and %d", width)
		}
	}
	if spare := width - prefix.Bits() - bits; spare < 0 || spare < 9 && count > 1<<spare {
		return nil, errorAt(n, "Template error: Fn::Cidr: %s can not be split into %d blocks of %d bits", block, count, bits)
	}
	base := new(big.Int).SetBytes(prefix.Masked().Addr().AsSlice())
	step := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	out := make([]any, count)
	for i := range out {
		addr, _ := netip.AddrFromSlice(base.FillBytes(make([]byte, width/8)))
		out[i] = netip.PrefixFrom(addr, width-bits).String()
		base = new(big.Int).Add(base, step)
	}
	return out, nil
}

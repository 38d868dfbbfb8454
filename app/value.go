package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Value is a string of which parts may be known only when the stack is deployed: the id of a user
// pool, an ARN, the region.
//
// Untyped string constants are Values, and Values are put together as strings are:
//
//	login := api.URL() + "/login"
//	every := app.Value(fmt.Sprintf("%s/*", api.ARN("GET")))
//
// What is not known yet travels inside the string as a marked reference, so cutting a Value, changing
// its case or asking for its length makes no sense; a Value that was damaged so is reported as an error.
// In the template a Value becomes a plain string, Ref, Fn::GetAtt, Fn::Sub or Fn::Join, whichever says
// it most plainly.
type Value string

// A reference inside a Value is an intrinsic function as JSON between these two control characters.
// JSON escapes control characters, so references nest.
const (
	refOpen  = "\x02"
	refClose = "\x03"
)

// Fn is any intrinsic function of CloudFormation, for those that have no function of their own here:
//
//	app.Fn("Fn::FindInMap", []any{"Sizes", app.Region(), "small"})
//
// arg may hold Values at any depth.
func Fn(name string, arg any) Value {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{name: arg}); err != nil {
		// Kept as a reference that cannot be read, so that it is reported where it is used.
		return Value(refOpen + err.Error() + refClose)
	}
	return Value(refOpen + strings.TrimSuffix(b.String(), "\n") + refClose)
}

// Ref is the Ref of a resource or parameter, or of a pseudo parameter such as AWS::Region. What it
// gives depends on the resource type.
func Ref(id string) Value { return Fn("Ref", id) }

// GetAtt is an attribute of a resource, such as GetAtt("Queue", "Arn").
func GetAtt(id, attribute string) Value { return Fn("Fn::GetAtt", []string{id, attribute}) }

// Sub replaces ${Name} by Ref("Name") and ${Name.Attr} by GetAtt("Name", "Attr"); ${!Name} stands for
// the text ${Name}. It is Fn::Sub without its map of variables: Go has its own.
func Sub(text string) Value {
	v, err := splitSub(text)
	if err != nil {
		return Fn("Fn::Sub", text) // reported where it is used
	}
	return v
}

// splitSub turns the text of an Fn::Sub into text and references.
func splitSub(text string) (Value, error) {
	var b strings.Builder
	for rest := text; ; {
		before, after, found := strings.Cut(rest, "${")
		b.WriteString(before)
		if !found {
			return Value(b.String()), nil
		}
		name, tail, closed := strings.Cut(after, "}")
		id, attr, dotted := strings.Cut(name, ".")
		switch {
		case !closed:
			return "", fmt.Errorf("%q: a ${ is not closed", text)
		case id == "" || dotted && attr == "":
			return "", fmt.Errorf("%q: ${%s} names nothing", text, name)
		case name[0] == '!':
			b.WriteString("${" + name[1:] + "}")
		case dotted:
			b.WriteString(string(GetAtt(id, attr)))
		default:
			b.WriteString(string(Ref(id)))
		}
		rest = tail
	}
}

// Join puts values together with sep between them.
func Join(sep Value, values ...Value) Value {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteString(string(sep))
		}
		b.WriteString(string(v))
	}
	return Value(b.String())
}

// If is yes when the condition (see [Stack.Condition]) holds at deployment, and else no. [NoValue]
// leaves a property away.
func If(condition string, yes, no Value) Value {
	return Fn("Fn::If", []any{condition, yes, no})
}

// ImportValue is a value that another stack of the same account and region exports.
func ImportValue(name Value) Value { return Fn("Fn::ImportValue", name) }

// Region is the region that the stack is deployed to, such as us-east-1.
func Region() Value { return Ref("AWS::Region") }

// AccountID is the account that the stack is deployed to, twelve digits.
func AccountID() Value { return Ref("AWS::AccountId") }

// Partition is the first part of an ARN after "arn:", mostly aws.
func Partition() Value { return Ref("AWS::Partition") }

// URLSuffix is the domain of the partition, mostly amazonaws.com.
func URLSuffix() Value { return Ref("AWS::URLSuffix") }

// NoValue as the value of a property leaves the property away; it is of use within [If].
func NoValue() Value { return Ref("AWS::NoValue") }

// part is a piece of a Value: literal text, or an intrinsic function.
type part struct {
	text string
	name string // of the function; "" for text
	arg  any
}

var errDamaged = errors.New("a reference in this value was damaged: a value that is known only at deployment " +
	"cannot be cut, trimmed, changed in case or otherwise taken apart")

// parts reads what a Value is made of.
func parts(v string) ([]part, error) {
	var out []part
	for v != "" {
		text, rest, found := strings.Cut(v, refOpen)
		if strings.Contains(text, refClose) {
			return nil, errDamaged
		}
		if text != "" {
			out = append(out, part{text: text})
		}
		if !found {
			break
		}
		ref, rest, closed := strings.Cut(rest, refClose)
		if !closed {
			return nil, errDamaged
		}
		p, err := readRef(ref)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
		v = rest
	}
	return out, nil
}

func readRef(ref string) (part, error) {
	dec := json.NewDecoder(strings.NewReader(ref))
	dec.UseNumber()
	var m map[string]any
	if !strings.HasPrefix(ref, "{") {
		return part{}, fmt.Errorf("not a value: %s", ref)
	}
	if err := dec.Decode(&m); err != nil || dec.More() || len(m) != 1 {
		return part{}, errDamaged
	}
	for name, arg := range m {
		if name != "Ref" && name != "Condition" && !strings.HasPrefix(name, "Fn::") {
			return part{}, errDamaged
		}
		return part{name: name, arg: arg}, nil
	}
	return part{}, errDamaged
}

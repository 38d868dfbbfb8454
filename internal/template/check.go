package template

import (
	"slices"
	"strings"
)

// functions are all functions that this package evaluates somewhere, by name.
var functions = map[string]bool{
	"Ref": true, "Fn::Base64": true, "Fn::Cidr": true, "Fn::FindInMap": true, "Fn::GetAtt": true,
	"Fn::GetAZs": true, "Fn::ImportValue": true, "Fn::Join": true, "Fn::Select": true,
	"Fn::Split": true, "Fn::Sub": true, "Fn::Transform": true, "Fn::If": true, "Fn::And": true,
	"Fn::Equals": true, "Fn::Not": true, "Fn::Or": true, "Fn::Length": true, "Fn::ToJsonString": true,
	"Fn::GetStackOutput": true, "Fn::Contains": true, "Fn::EachMemberEquals": true,
	"Fn::EachMemberIn": true, "Fn::RefAll": true, "Fn::ValueOf": true, "Fn::ValueOfAll": true,
}

// supported is how CloudFormation lists the functions when it meets another.
const supported = "Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, " +
	"Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, " +
	"Fn::ValueOf, Fn::ValueOfAll, Fn::RefAll, Fn::Sub, Fn::Cidr"

var pseudoParameters = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region",
	"AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

// block is where an expression stands; it decides what the expression may refer to.
type block uint8

const (
	inResources block = iota
	inOutputs
	inConditions
	inRules
)

func (b block) String() string {
	return [...]string{"Resources", "Outputs", "Conditions", "Rules"}[b]
}

// checker walks expressions and collects references that lead nowhere.
type checker struct {
	t          *Template
	block      block
	unresolved []string
	missed     map[string]bool
	at         *Node // of the first unresolved
}

// check finds all faults of expressions that do not depend on values.
func (t *Template) check() error {
	c := &checker{t: t, block: inConditions}
	for _, cond := range t.Conditions {
		if err := c.boolean(cond.Expr); err != nil {
			return err
		}
	}
	if len(c.unresolved) > 0 {
		return errorAt(c.at, "Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", strings.Join(c.unresolved, ", "))
	}
	if err := t.conditionCycle(); err != nil {
		return err
	}
	c = &checker{t: t, block: inRules}
	for _, r := range t.Rules {
		exprs := []*Node{r.Condition}
		for _, a := range r.Assertions {
			exprs = append(exprs, a.Assert)
		}
		for _, n := range exprs {
			if n == nil {
				continue
			}
			if err := c.boolean(n); err != nil {
				return err
			}
		}
	}
	if len(c.unresolved) > 0 {
		return errorAt(c.at, "Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Rules block of the template", strings.Join(c.unresolved, ", "))
	}
	c = &checker{t: t, block: inResources}
	for _, r := range t.Resources {
		if err := c.resource(r); err != nil {
			return err
		}
	}
	if err := c.done(); err != nil {
		return err
	}
	c = &checker{t: t, block: inOutputs}
	for _, o := range t.Outputs {
		if err := c.condition(o.Condition, o.Node.Get("Condition")); err != nil {
			return err
		}
		for _, n := range []*Node{o.Value, o.Export} {
			if n != nil {
				if err := c.value(n); err != nil {
					return err
				}
			}
		}
		if o.Value.Kind == List || o.Value.Kind == Map && !isCall(o.Value) {
			return errorAt(o.Value, "Template format error: The Value field of every Outputs member must evaluate to a String.").with("output %s", o.Name)
		}
	}
	if err := c.done(); err != nil {
		return err
	}
	// Where there are conditions, a ring may go through branches that are never taken together:
	// then only the graph with their values tells.
	if len(t.Conditions) > 0 {
		return nil
	}
	_, err := t.Graph(nil)
	return err
}

func isCall(n *Node) bool { name, _ := n.call(); return name != "" }

func (c *checker) done() error {
	if len(c.unresolved) == 0 {
		return nil
	}
	return errorAt(c.at, "Template format error: Unresolved resource dependencies [%s] in the %s block of the template", strings.Join(c.unresolved, ", "), c.block)
}

func (c *checker) miss(name string, at *Node) {
	if !c.missed[name] {
		if c.missed == nil {
			c.missed = map[string]bool{}
		}
		c.missed[name] = true
		c.unresolved = append(c.unresolved, name)
	}
	if c.at == nil {
		c.at = at
	}
}

func (c *checker) resource(r *Resource) error {
	if err := c.condition(r.Condition, r.Node.Get("Condition")); err != nil {
		return err
	}
	for _, id := range r.DependsOn {
		if c.t.resources[id] == nil {
			c.miss(id, r.Node.Get("DependsOn"))
		}
	}
	for _, n := range []*Node{r.Properties, r.Metadata, r.UpdatePolicy, r.CreationPolicy, r.DeletionPolicy, r.UpdateReplacePolicy} {
		if n != nil {
			if err := c.value(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// condition checks that a named condition exists.
func (c *checker) condition(name string, at *Node) error {
	if name != "" && c.t.conditions[name] == nil {
		return errorAt(at, "Template format error: Unresolved condition dependency %s in the %s block of the template", name, c.block)
	}
	return nil
}

// ref checks that a name is a parameter, a pseudo parameter or, where allowed, a resource.
func (c *checker) ref(name string, at *Node) {
	if c.t.parameters[name] != nil || slices.Contains(pseudoParameters, name) {
		return
	}
	if c.block <= inOutputs && c.t.resources[name] != nil {
		return
	}
	c.miss(name, at)
}

// boolean checks an expression that stands where a condition is wanted.
func (c *checker) boolean(n *Node) error {
	if n.Kind == Map && len(n.Entries) == 1 && n.Entries[0].Key == "Condition" {
		v := n.Entries[0].Value
		if v.Kind != String {
			return errorAt(v, "Template format error: Every Condition member must be a string.")
		}
		return c.condition(v.Text, v)
	}
	name, _ := n.call()
	switch name {
	case "Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals":
		return c.value(n)
	case "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn":
		if c.block == inRules {
			return c.value(n)
		}
	case "Fn::If", "Ref", "Fn::FindInMap", "Fn::Select", "Fn::Join", "Fn::Sub", "Fn::Length":
		return c.value(n) // must come out as true or false
	}
	if n.scalar() && (strings.EqualFold(n.Text, "true") || strings.EqualFold(n.Text, "false")) {
		return nil
	}
	return errorAt(n, "Template format error: Conditions can only be boolean operations on parameters and other conditions")
}

// value checks an expression and everything in it.
func (c *checker) value(n *Node) error {
	name, arg := n.call()
	if name == "" {
		for _, item := range n.Items {
			if err := c.value(item); err != nil {
				return err
			}
		}
		for i := range n.Entries {
			e := &n.Entries[i]
			if isFunction(e.Key) && e.Key != "Ref" && len(n.Entries) > 1 {
				return errorAt(e.at(), "Template error: a map with the function %s must have no other keys", e.Key)
			}
			if err := c.value(e.Value); err != nil {
				return err
			}
		}
		return nil
	}
	return c.call(n, name, arg)
}

func (c *checker) all(nodes ...*Node) error {
	for _, n := range nodes {
		if err := c.value(n); err != nil {
			return err
		}
	}
	return nil
}

// list checks that arg is a list of lo to hi elements, or fails with the message.
func list(arg *Node, lo, hi int, at *Node, message string) ([]*Node, error) {
	if arg.Kind != List || len(arg.Items) < lo || len(arg.Items) > hi {
		return nil, errorAt(at, "%s", message)
	}
	return arg.Items, nil
}

// Messages of malformed functions, as CloudFormation words them.
const (
	msgRef       = "Template error: every Ref object must have a single String value."
	msgGetAtt    = "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
	msgGetAttOne = "Template error: if specifying one argument to Fn::GetAtt, that argument must be a non-empty string in format <LogicalId>.<Attribute>"
	msgJoin      = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
	msgSplit     = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split."
	msgSelect    = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
	msgSub       = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string"
	msgFindInMap = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"
	msgIf        = "Template error: Fn::If requires a list argument with three elements"
	msgIfFirst   = "Template error: Fn::If requires a list argument with the first element being a condition"
	msgEquals    = "Template error: every Fn::Equals object requires a list of 2 string parameters."
	msgNot       = "Template error: every Fn::Not object requires one boolean parameter."
	msgAndOr     = "Template error: every %s object requires a list of at least 2 and at most 10 boolean parameters."
	msgBase64    = "Template error: every Fn::Base64 object must have a String-typed value."
	msgImport    = "Template error: the attribute in Fn::ImportValue must be a string or a function that returns a string"
	msgCidr      = "Template error: every Fn::Cidr object requires two or three parameters: an IP block, a count and the number of subnet bits"
	msgGetAZs    = "Template error: every Fn::GetAZs object must have a String-typed value."
	msgLength    = "Template error: Fn::Length must be a list or a function that returns a list"
	msgOutput    = "Template error: every Fn::GetStackOutput object requires StackName and OutputName, and may have Region"
)

func (c *checker) call(n *Node, name string, arg *Node) error {
	switch name {
	case "Ref":
		if arg.Kind != String || arg.Text == "" {
			return errorAt(n, msgRef)
		}
		c.ref(arg.Text, arg)
		return nil
	case "Fn::GetAtt":
		return c.getAtt(n, arg)
	case "Fn::Sub":
		return c.sub(n, arg)
	case "Fn::If":
		items, err := list(arg, 3, 3, n, msgIf)
		if err != nil {
			return err
		}
		if items[0].Kind != String {
			return errorAt(items[0], msgIfFirst)
		}
		if c.t.conditions[items[0].Text] == nil {
			return errorAt(items[0], "Template error: unresolved condition dependency %s in Fn::If", items[0].Text)
		}
		return c.all(items[1:]...)
	case "Fn::And", "Fn::Or", "Fn::Not":
		lo, hi, msg := 2, 10, strings.Replace(msgAndOr, "%s", name, 1)
		if name == "Fn::Not" {
			lo, hi, msg = 1, 1, msgNot
		}
		items, err := list(arg, lo, hi, n, msg)
		for _, item := range items {
			if err = c.boolean(item); err != nil {
				return err
			}
		}
		return err
	case "Fn::Equals":
		items, err := list(arg, 2, 2, n, msgEquals)
		if err != nil {
			return err
		}
		return c.all(items...)
	case "Fn::Join":
		items, err := list(arg, 2, 2, n, msgJoin)
		if err != nil || items[0].Kind != String && !isCall(items[0]) || items[1].Kind != List && !isCall(items[1]) {
			return errorAt(n, msgJoin)
		}
		return c.all(items...)
	case "Fn::Split":
		items, err := list(arg, 2, 2, n, msgSplit)
		if err != nil || items[0].Kind != String && !isCall(items[0]) || !items[1].scalar() && !isCall(items[1]) {
			return errorAt(n, msgSplit)
		}
		return c.all(items...)
	case "Fn::Select":
		items, err := list(arg, 2, 2, n, msgSelect)
		if err != nil || !items[0].scalar() && !isCall(items[0]) || items[1].Kind != List && !isCall(items[1]) {
			return errorAt(n, msgSelect)
		}
		return c.all(items...)
	case "Fn::FindInMap":
		return c.findInMap(n, arg)
	case "Fn::Base64":
		if !arg.scalar() && !isCall(arg) {
			return errorAt(n, msgBase64)
		}
	case "Fn::ImportValue":
		if c.block == inConditions || c.block == inRules {
			return errorAt(n, "Template error: Cannot use Fn::ImportValue in %s.", c.block)
		}
		if !arg.scalar() && !isCall(arg) {
			return errorAt(n, msgImport)
		}
		if bad := c.dependsOnResources(arg); bad {
			return errorAt(n, "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs")
		}
	case "Fn::Cidr":
		if _, err := list(arg, 2, 3, n, msgCidr); err != nil {
			return err
		}
	case "Fn::GetAZs":
		if !arg.scalar() && !isCall(arg) {
			return errorAt(n, msgGetAZs)
		}
	case "Fn::GetStackOutput":
		if arg.Get("StackName") == nil || arg.Get("OutputName") == nil {
			return errorAt(n, msgOutput)
		}
		for i := range arg.Entries {
			if e := &arg.Entries[i]; e.Key != "StackName" && e.Key != "OutputName" && e.Key != "Region" {
				return errorAt(e.at(), msgOutput).with("%s is unknown", e.Key)
			}
		}
		return c.all(arg.Get("StackName"), arg.Get("OutputName"))
	case "Fn::Transform":
		which := "Fn::Transform"
		if m := arg.Get("Name"); m != nil {
			which = m.Text
		}
		return errorAt(n, "Template error: the transform %s is not supported", which)
	case "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn":
		if c.block != inRules {
			return errorAt(n, "Template error: %s can only be used in the Rules block of the template", name)
		}
		items, err := list(arg, 2, 2, n, "Template error: every "+name+" object requires a list of 2 parameters.")
		if err != nil {
			return err
		}
		return c.all(items...)
	case "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll":
		return errorAt(n, "Template error: %s is not supported: it needs the attributes of existing AWS resources", name)
	case "Fn::Length", "Fn::ToJsonString":
		if !c.t.extended {
			return c.unsupported(n, name)
		}
		if name == "Fn::Length" && arg.Kind != List && !isCall(arg) {
			return errorAt(n, msgLength)
		}
	default:
		return c.unsupported(n, name)
	}
	return c.value(arg)
}

func (c *checker) unsupported(n *Node, name string) error {
	return errorAt(n, "Template error: Encountered unsupported function: %s Supported functions are: [%s]", name, supported)
}

// getAttArg returns the two arguments of Fn::GetAtt; either may be a call where the extensions are on.
func getAttArg(n, arg *Node) (logical, attr *Node, err error) {
	switch {
	case arg.Kind == String:
		id, name, ok := strings.Cut(arg.Text, ".")
		if !ok || id == "" || name == "" {
			return nil, nil, errorAt(n, msgGetAttOne)
		}
		return &Node{Kind: String, Text: id, Line: arg.Line, Column: arg.Column}, &Node{Kind: String, Text: name, Line: arg.Line, Column: arg.Column}, nil
	case arg.Kind == List && len(arg.Items) == 2:
		return arg.Items[0], arg.Items[1], nil
	}
	return nil, nil, errorAt(n, msgGetAtt)
}

func (c *checker) getAtt(n, arg *Node) error {
	logical, attr, err := getAttArg(n, arg)
	if err != nil {
		return err
	}
	if attr.Kind != String && !isCall(attr) || attr.Kind == String && attr.Text == "" || logical.Kind != String || logical.Text == "" {
		return errorAt(n, msgGetAtt)
	}
	if err := c.value(attr); err != nil {
		return err
	}
	if c.block > inOutputs {
		c.miss(logical.Text, logical)
		return nil
	}
	if c.t.resources[logical.Text] == nil {
		return errorAt(logical, "Template error: instance of Fn::GetAtt references undefined resource %s", logical.Text)
	}
	return nil
}

func (c *checker) sub(n, arg *Node) error {
	text, vars, err := subArg(n, arg)
	if err != nil {
		return err
	}
	parts, err := parseSub(text)
	if err != nil {
		return err
	}
	if vars != nil {
		for _, e := range vars.Entries {
			if err := c.value(e.Value); err != nil {
				return err
			}
		}
	}
	for _, p := range parts {
		if !p.variable || vars.Get(p.text) != nil {
			continue
		}
		if id, _, ok := strings.Cut(p.text, "."); ok {
			if c.block > inOutputs {
				c.miss(id, text)
			} else if c.t.resources[id] == nil {
				return errorAt(text, "Template error: instance of Fn::Sub references invalid resource attribute %s", p.text)
			}
			continue
		}
		c.ref(p.text, text)
	}
	return nil
}

func (c *checker) findInMap(n, arg *Node) error {
	hi := 3
	if c.t.extended {
		hi = 4
	}
	items, err := list(arg, 3, hi, n, msgFindInMap)
	if err != nil {
		return err
	}
	for _, item := range items[:3] {
		if !item.scalar() && !isCall(item) {
			return errorAt(n, msgFindInMap)
		}
	}
	if len(items) == 4 {
		if items[3].Kind != Map || len(items[3].Entries) != 1 || items[3].Get("DefaultValue") == nil {
			return errorAt(items[3], msgFindInMap).with("the fourth can only be a map with DefaultValue")
		}
	}
	if name := items[0]; name.scalar() && c.t.mappings[name.Text] == nil && len(items) == 3 {
		return errorAt(name, "Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", name.Text)
	}
	return c.all(items...)
}

// dependsOnResources tells whether an expression needs a resource, an import or the zones.
func (c *checker) dependsOnResources(n *Node) bool {
	if name, _ := n.call(); name == "Fn::ImportValue" || name == "Fn::GetAZs" {
		return true
	}
	found := false
	references(n, nil, func(id, _ string, _ *Node) { found = found || c.t.resources[id] != nil })
	if found {
		return true
	}
	for _, item := range n.Items {
		if c.dependsOnResources(item) {
			return true
		}
	}
	for _, e := range n.Entries {
		if c.dependsOnResources(e.Value) {
			return true
		}
	}
	return false
}

// Package template reads CloudFormation templates and evaluates them.
//
// The way of a template:
//
//	t, err := template.Parse(text)             // JSON or YAML → sections, checked
//	params, err := t.ResolveParameters(given, lookup)
//	t, err = t.Expand(params, pseudo)          // Fn::ForEach; t itself where there is none
//	e := template.NewEval(t, params, pseudo, resolver)
//	err = e.CheckRules()
//	g, err := t.Graph(e)                       // order of creation, with conditions applied
//	for _, id := range g.Order {
//		props, err := e.Properties(t.Resource(id))
//		…create, and let the resolver know…
//	}
//	value, export, err := e.Output(o)
//
// # Nodes
//
// A template is kept as a tree of [Node]: maps keep their order, scalars their text (1.10 stays 1.10),
// and every node knows its line and column. YAML's short tags are turned into the long form while
// parsing, so nothing behind the parser knows which of the two languages a template was written in.
//
// # Two checks
//
// Parse checks what can be known from the text: the form of sections and functions, and that every
// reference leads somewhere, on both branches of an Fn::If. Evaluation checks again what depends on
// values. References to resources that a condition leaves out are found by [Template.Graph].
//
// A template with a transform that this package does not know (a macro, AWS::Serverless-2016-10-31) is
// parsed for its form only: its references are the business of whoever applies the transform and
// then builds the result with [Build], which checks them. AWS::LanguageExtensions is handled here.
//
// # Partial evaluation
//
// A [Resolver] is asked for the value of a resource when an expression needs it. Before a resource exists,
// a resolver may answer [Unknown]; it passes through every function, so that a change set can show
// what is known already.
//
// # Errors
//
// All errors are *[Error]: the Message has CloudFormation's own words and can go on the wire as it is;
// Line, Column and Detail say where and what in ours.
//
// See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-reference.html.
package template

// Package transform applies the transforms of templates: what CloudFormation does to a template before
// it looks at resources.
//
//	t, err := template.Parse(text)
//	params, err := t.ResolveParameters(…)
//	t, err = transform.Expand(t, transform.Options{Params: params, Pseudo: pseudo})
//
// [Expand] applies the transforms that a template names, in their order: AWS::LanguageExtensions (by
// package template) and AWS::Serverless-2016-10-31 (by package transform/sam). Both depend on nothing
// but the template and its parameters, so a template that is expanded again, after a server's end for
// instance, comes out the same.
//
// AWS::Include reads an object, which may be another the next time. Therefore [Include] is a step of its
// own: whoever takes a template in puts what it includes into it once, and keeps that.
//
// Macros, transforms that are somebody's own functions, are refused by name.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/transform-reference.html
package transform

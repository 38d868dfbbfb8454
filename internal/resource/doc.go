// Package resource is what the stack engine and the services' resource types know of each other.
//
// A service brings its CloudFormation types as values of [Type]: a name and a [Handler] with Create, Update and
// Delete. The handler turns properties into a call of the service's own API, mostly with [Input], and
// nothing else; the engine registers all types in one [Registry] and the stacks service drives them.
//
//	func (s *Service) Resources() []resource.Type {
//		return []resource.Type{{Name: "AWS::Logs::LogGroup", Handler: logGroup{s}}}
//	}
//
//	func (h logGroup) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
//		in := new(logs.CreateLogGroupRequest)
//		if err := resource.Input(ctx, &logs.Model, in, r.Props, nil); err != nil {
//			return resource.Result{}, err
//		}
//		…
//	}
//
// # Twice
//
// A server may die between a handler's call and the note of its result; the step is then run again, with
// the same [Request.Token]. So Create finds what it has made before and returns it: by a name or id that
// follows from the token ([Request.PhysicalName], [Request.ID]), or by the token, kept with the thing.
// Nothing else tells it from what belongs to another. A test of package engine creates each type twice.
//
// # Behalf
//
// A stack acts for somebody, who may not be allowed what the template wants. [Input] asks before it
// returns, so a handler that makes its calls of what Input gave it need not care; what it does by
// other means, deletions above all, it brings before [Authorize] first. [Fill] is Input that does not ask.
// The context says who is asked: see [For]. A test of package engine takes each type through its life as
// a caller who may nothing.
//
// # Schemas
//
// What properties a type has, which are required, of what type they are, and whether a change replaces
// the resource is not the handler's business: it is data, generated from AWS's own registry
// (tools/resources, models/resources.json). A schema is unpacked when its type is first asked for.
// [Schema.Check] refuses what CloudFormation would refuse, in its words; [Schema.Changes] compares two
// sets of properties.
//
// # Values
//
// Properties are what package template evaluates to: string, bool, json.Number, []any, map[string]any, and
// template.Unknown where a value will only be known later. CloudFormation is lax about scalars: "5",
// 5 and "true", true are the same wherever the schema wants the other; [Equal] and [Input] follow it.
package resource

//go:generate go run -C ../../tools ./resources

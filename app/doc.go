// Package app describes a serverless API with sign-in in ordinary Go. What it emits is a plain
// CloudFormation template, which Gatehouse deploys in a moment and AWS takes as well.
//
// An app is a main package. Its functions lie beside it, each a Go main package, or a TypeScript,
// JavaScript or Python file:
//
//	package main
//
//	import "github.com/gatehouse-dev/gatehouse/app"
//
//	func main() { app.Main("notes", Stack) }
//
//	func Stack(s *app.Stack) {
//		pool := app.NewUserPool(s, "UserPool", app.UserPoolProps{
//			SelfSignUp:    true,
//			SignInAliases: app.SignInAliases{Email: true},
//		})
//		client := pool.AddClient("UserPoolClient", app.ClientProps{
//			AuthFlows: app.AuthFlows{UserSRP: true},
//		})
//		api := app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{
//			DefaultAuthorizer: pool.Authorizer("jwt", client),
//			Routes: app.Routes{
//				"GET /notes":  {Code: "functions/list"},
//				"POST /notes": {Code: "functions/create.ts"},
//				"GET /health": {Code: "functions/health.py", Authorizer: app.NoAuthorizer},
//			},
//		})
//		s.Output("ApiEndpoint", api.URL())
//		s.Output("UserPoolId", pool.ID())
//		s.Output("UserPoolClientId", client.ID())
//	}
//
// `gatehouse dev` runs it and reloads it as it changes, `gatehouse deploy --stage prod` puts a second
// stage beside the first, and `go run .` prints the template.
//
// # Constructs
//
// A construct is made by a function or method that takes an id and a struct of properties, of which the
// zero value is the sensible default. The id is the logical id in the template, as it stands; what a
// construct makes besides has the id in front: the function Worker comes with WorkerRole and
// WorkerLogs, the API Api with ApiDefaultStage, and its route "GET /notes/{id}" is ApiGetNotesById. So
// each resource can be found, and reached by [Stack.Override].
//
// What this package has no construct for is added by [Stack.Resource] in CloudFormation's own words.
//
// # Values
//
// An id or ARN is known only when the stack is deployed. A [Value] stands for it and is used like a
// string: a constant can be given where a Value is wanted, and Values are put together with +.
//
// # Mistakes
//
// No constructor returns an error. Mistakes (an id used twice, a route key that API Gateway would
// refuse, a function whose source is missing, a reference to nothing, resources that wait for each
// other) are collected and reported at once by [Main], each with the line of the app that made it; then
// nothing is written.
//
// # Tests
//
// [Synth] returns the template to a test of the app.
//
// # Design
//
// The package uses the standard library alone, so that an app builds in a moment, and knows nothing of
// Gatehouse's inside: the two meet in the template, and in the file that Gatehouse names to Main in
// GATEHOUSE_SYNTH (with the stage in GATEHOUSE_STAGE). Stage and app name are known when the template is
// made, so names need no parameters; the template does not depend on account or region.
package app

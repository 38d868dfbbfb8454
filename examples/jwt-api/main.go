// Jwt-api is an HTTP API with sign-in: a public route, and a private one that opens with a token of its
// user pool. Run it with
//
//	gatehouse dev examples/jwt-api
package main

import "github.com/gatehouse-dev/gatehouse/app"

func main() { app.Main("jwt-api", Stack) }

// Stack says what the app is made of.
func Stack(s *app.Stack) {
	// Users sign up by themselves, with their e-mail address and a password.
	pool := app.NewUserPool(s, "UserPool", app.UserPoolProps{
		SelfSignUp:    true,
		SignInAliases: app.SignInAliases{Email: true},
	})
	// Sending the password makes it easy to try the API from the command line. Real apps use UserSRP.
	client := pool.AddClient("UserPoolClient", app.ClientProps{
		AuthFlows: app.AuthFlows{UserPassword: true},
	})

	api := app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{
		DefaultAuthorizer: pool.Authorizer("jwt", client),
		Routes: app.Routes{
			"GET /private": {Code: "functions/private"},
			"GET /public":  {Code: "functions/public", Authorizer: app.NoAuthorizer},
		},
	})

	s.Output("ApiEndpoint", api.URL())
	s.Output("UserPoolId", pool.ID())
	s.Output("UserPoolClientId", client.ID())
}

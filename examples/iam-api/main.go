// Iam-api is an HTTP API whose callers sign their requests with temporary AWS credentials: a user pool
// signs them in, an identity pool turns the token into credentials of a role, and a policy of that role
// says what they may call. Run it with
//
//	gatehouse dev examples/iam-api
package main

import "github.com/gatehouse-dev/gatehouse/app"

func main() { app.Main("iam-api", Stack) }

// Stack says what the app is made of.
func Stack(s *app.Stack) {
	// Every route wants a signed request, but the one that says otherwise.
	api := app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{
		DefaultAuthorizer: app.IAMAuthorizer,
		Routes: app.Routes{
			"GET /private": {Code: "src/private.js"},
			"GET /public":  {Code: "src/public.js", Authorizer: app.NoAuthorizer},
		},
		CORS: &app.CORS{AllowOrigins: []string{"*"}}, // for web pages
	})

	// Users sign up by themselves, with their e-mail address and a password. The client is for SRP: the
	// password never travels.
	pool := app.NewUserPool(s, "UserPool", app.UserPoolProps{
		SelfSignUp:    true,
		SignInAliases: app.SignInAliases{Email: true},
	})
	client := pool.AddClient("UserPoolClient", app.ClientProps{})

	// Who has signed in may call the private route.
	identities := app.NewIdentityPool(s, "IdentityPool", app.IdentityPoolProps{
		Clients: []*app.UserPoolClient{client},
		Guests:  true, // may have credentials, with which they may call nothing
	})
	identities.Allow(api.ARN("GET /private"), "execute-api:Invoke")

	s.Output("ApiEndpoint", api.URL())
	s.Output("UserPoolId", pool.ID())
	s.Output("UserPoolClientId", client.ID())
	s.Output("IdentityPoolId", identities.ID())
}

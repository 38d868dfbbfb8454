package app_test

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/gatehouse-dev/gatehouse/app"
)

// An API of which one route is open and the others want a token of the app's user pool.
func Example() {
	stack := func(s *app.Stack) {
		pool := app.NewUserPool(s, "UserPool", app.UserPoolProps{
			SelfSignUp:    true,
			SignInAliases: app.SignInAliases{Email: true},
		})
		client := pool.AddClient("UserPoolClient", app.ClientProps{
			AuthFlows: app.AuthFlows{UserSRP: true},
		})
		api := app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{
			DefaultAuthorizer: pool.Authorizer("jwt", client),
			Routes: app.Routes{
				"GET /notes":  {Code: "testdata/functions/hello.mjs"},
				"GET /health": {Code: "testdata/functions/greet", Authorizer: app.NoAuthorizer},
			},
		})
		s.Output("ApiEndpoint", api.URL())
	}

	// func main() { app.Main("notes", stack) }
	t, err := app.Synth("notes", "dev", stack)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.StackName, t.Outputs())
	print := func(v any) { json.NewEncoder(os.Stdout).Encode(v) }
	print(t.Resource("ApiGetNotes")["Properties"])
	print(t.Resource("ApiGetHealth")["Properties"])
	// Output:
	// dev-notes [ApiEndpoint]
	// {"ApiId":{"Ref":"Api"},"AuthorizationType":"JWT","AuthorizerId":{"Ref":"ApiJwtAuthorizer"},"RouteKey":"GET /notes","Target":{"Fn::Sub":"integrations/${ApiTestdataFunctionsHelloIntegration}"}}
	// {"ApiId":{"Ref":"Api"},"AuthorizationType":"NONE","RouteKey":"GET /health","Target":{"Fn::Sub":"integrations/${ApiTestdataFunctionsGreetIntegration}"}}
}

// A function with an environment, and leave to read the users of a pool.
func ExampleFunction_Allow() {
	t, err := app.Synth("notes", "dev", func(s *app.Stack) {
		pool := app.NewUserPool(s, "Users", app.UserPoolProps{})
		report := app.NewFunction(s, "Report", app.FunctionProps{
			Code:        "testdata/functions/task.py",
			Handler:     "main",
			Environment: map[string]app.Value{"POOL_ID": pool.ID()},
		})
		report.Allow(pool.ARN(), "cognito-idp:ListUsers", "cognito-idp:AdminGetUser")
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	json.NewEncoder(os.Stdout).Encode(t.Resource("ReportPolicy")["Properties"])
	// Output:
	// {"PolicyDocument":{"Statement":[{"Action":["cognito-idp:ListUsers","cognito-idp:AdminGetUser"],"Effect":"Allow","Resource":{"Fn::GetAtt":["Users","Arn"]}}],"Version":"2012-10-17"},"PolicyName":"ReportPolicy","Roles":[{"Ref":"ReportRole"}]}
}

// What has no construct is added in CloudFormation's words, and what a construct does not say is
// overridden.
func ExampleStack_Resource() {
	t, err := app.Synth("notes", "prod", func(s *app.Stack) {
		pool := app.NewUserPool(s, "Users", app.UserPoolProps{})
		s.Resource("Admins", "AWS::Cognito::UserPoolGroup", app.Properties{
			"GroupName":  "admins",
			"UserPoolId": pool.ID(),
		})
		if s.Stage() == "prod" {
			s.Override("Admins", "DeletionPolicy", "Retain")
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	json.NewEncoder(os.Stdout).Encode(t.Resource("Admins"))
	// Output:
	// {"DeletionPolicy":"Retain","Properties":{"GroupName":"admins","UserPoolId":{"Ref":"Users"}},"Type":"AWS::Cognito::UserPoolGroup"}
}

// Values that are known only at deployment are put together like strings.
func ExampleValue() {
	t, err := app.Synth("notes", "dev", func(s *app.Stack) {
		api := app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{})
		s.Resource("Settings", "AWS::SSM::Parameter", app.Properties{
			"Type":  "String",
			"Value": api.URL() + "/notes?region=" + app.Region(),
		})
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	json.NewEncoder(os.Stdout).Encode(t.Resource("Settings")["Properties"])
	// Output:
	// {"Type":"String","Value":{"Fn::Sub":"${Api.ApiEndpoint}/notes?region=${AWS::Region}"}}
}

// Mistakes are reported together; each begins with its file and line.
func ExampleErrors() {
	_, err := app.Synth("notes", "dev", func(s *app.Stack) {
		app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{Routes: app.Routes{
			"GETT /notes": {Code: "testdata/functions/hello.mjs"},
			"GET notes":   {Code: "testdata/functions/hello.mjs"},
		}})
	})
	for _, e := range err.(app.Errors) {
		fmt.Println(e.Message)
	}
	// Output:
	// route "GET notes": a route key is a method and a path, such as "GET /notes/{id}", or $default
	// route "GETT /notes": there is no method GETT; there are ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT
}

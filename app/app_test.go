package app_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/app"
	"github.com/gatehouse-dev/gatehouse/internal/template"
)

var update = flag.Bool("update", false, "rewrite the golden templates")

// jwt is the app of the first tutorial: sign-up by e-mail, a private and a public route.
func jwt(s *app.Stack) {
	pool := app.NewUserPool(s, "UserPool", app.UserPoolProps{
		SelfSignUp:    true,
		SignInAliases: app.SignInAliases{Email: true},
	})
	client := pool.AddClient("UserPoolClient", app.ClientProps{
		AuthFlows: app.AuthFlows{UserPassword: true},
	})
	api := app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{
		DefaultAuthorizer: pool.Authorizer("jwt", client),
		Routes: app.Routes{
			"GET /private": {Code: "testdata/functions/greet"},
			"GET /public":  {Code: "testdata/functions/hello.mjs", Authorizer: app.NoAuthorizer},
		},
	})
	s.Output("ApiEndpoint", api.URL())
	s.Output("UserPoolId", pool.ID())
	s.Output("UserPoolClientId", client.ID())
}

// everything uses each property once.
func everything(s *app.Stack) {
	s.Description = "All that the package can say"
	s.Tag("team", "accounts")
	s.Tag("stage", s.Stage())
	size := s.Parameter("Size", app.ParameterProps{Default: "small", AllowedValues: []string{"small", "large"}, Description: "How much"})
	s.Parameter("Token", app.ParameterProps{Required: true, NoEcho: true})
	s.Condition("Large", app.Properties{"Fn::Equals": []any{size, "large"}})

	trigger := app.NewFunction(s, "Trigger", app.FunctionProps{Code: "testdata/functions/task.py", Handler: "main"})
	pool := app.NewUserPool(s, "Users", app.UserPoolProps{
		Name:          "everyone",
		SignInAliases: app.SignInAliases{Username: true, Email: true, Phone: true, PreferredUsername: true},
		CaseSensitive: true,
		Password:      &app.PasswordPolicy{MinLength: 12, RequireDigits: true},
		MFA:           app.MFAOptional,
		MFAFactors:    app.MFAFactors{SMS: true, TOTP: true},
		Attributes: []app.Attribute{
			{Name: "given_name", Required: true},
			{Name: "custom:tier", Min: 1, Max: 16},
			{Name: "custom:since", Type: app.DateTimeAttribute, Immutable: true},
			{Name: "custom:age", Type: app.NumberAttribute, Max: 150},
		},
		Messages: app.Messages{
			VerificationSubject: "Welcome", VerificationEmail: "Your code: {####}",
			InvitationSubject: "Come in", InvitationEmail: "{username}, your password is {####}",
		},
		Triggers:           app.Triggers{PreSignUp: trigger, CustomMessage: trigger},
		DeletionProtection: true,
		RemovalPolicy:      app.Retain,
	})
	trigger.Allow(pool.ARN(), "cognito-idp:ListUsers") // the policy waits for the pool, the pool for the function
	web := pool.AddClient("Web", app.ClientProps{
		Name:      "web",
		AuthFlows: app.AuthFlows{UserSRP: true, Custom: true, User: true, AdminUserPassword: true},
		OAuth: &app.OAuth{
			AuthorizationCode: true, Scopes: []string{"openid", "email"},
			CallbackURLs: []string{"https://example.com/in", "http://localhost:3000"}, LogoutURLs: []string{"https://example.com/out"},
		},
		AccessTokenValidity: 10 * time.Minute, IDTokenValidity: 301 * time.Second, RefreshTokenValidity: 90 * 24 * time.Hour,
		PreventUserExistenceErrors: true,
		ReadAttributes:             []string{"email", "custom:tier"},
		WriteAttributes:            []string{"email"},
	})
	machine := pool.AddClient("Machine", app.ClientProps{
		GenerateSecret: true,
		OAuth:          &app.OAuth{ClientCredentials: true, Scopes: []string{"api/read"}},
	})

	people := app.NewIdentityPool(s, "People", app.IdentityPoolProps{
		Name: "people", Clients: []*app.UserPoolClient{web}, CheckTokens: true, Guests: true,
	})
	people.Allow("arn:aws:s3:::files/${cognito-identity.amazonaws.com:sub}/*", "s3:GetObject", "s3:PutObject")
	people.AddUserStatement(app.Statement{Effect: app.Deny, Actions: []string{"s3:*"}, Resources: []app.Value{people.ID() + "/${aws:username}"}})
	people.AllowGuests("*", "logs:PutLogEvents")

	queue := s.Resource("Queue", "AWS::SQS::Queue", app.Properties{
		"VisibilityTimeout": 30,
		"QueueName":         app.If("Large", app.Value(s.Name()+"-large"), app.NoValue()),
		"Tags":              []map[string]any{{"Key": "size", "Value": size}},
	})
	worker := app.NewFunction(s, "Worker", app.FunctionProps{
		Code: "testdata/functions/greet", Architecture: app.ARM64, Description: "Does the work",
		Environment: map[string]app.Value{
			"QUEUE_URL": queue.Ref(),
			"LOGIN":     "https://" + app.Region() + ".example.com/" + pool.ID() + "?client=" + web.ID(),
			"SECRET":    machine.Secret(),
			"MIXED":     "${not} " + app.ImportValue("shared-"+app.Region()),
			"SUB":       app.Sub("arn:${AWS::Partition}:s3:::${!literal}/${Queue.QueueName}"),
			"LIST":      app.Join(",", web.ID(), machine.ID()),
		},
		Timeout: 30 * time.Second, MemoryMB: 512, EphemeralStorageMB: 1024, ReservedConcurrency: 5, LogRetentionDays: 30,
	})
	worker.Allow(queue.GetAtt("Arn"), "sqs:SendMessage", "sqs:ReceiveMessage")
	worker.AddStatement(app.Statement{
		Sid: "NoDeletes", Effect: app.Deny, Actions: []string{"sqs:DeleteQueue"}, Resources: []app.Value{"*"},
		Condition: map[string]map[string]any{"StringEquals": {"aws:RequestedRegion": app.Region()}},
	})
	worker.Resource().DependsOn(queue)
	node := app.NewFunction(s, "Node", app.FunctionProps{
		Code: "testdata/functions/dir", Runtime: app.NodeJS20, Handler: "index.handler", Role: worker.Resource().GetAtt("Role"),
	})
	s.Override("Node", "Properties.Role", app.GetAtt("WorkerRole", "Arn"))

	api := app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{
		Name: "the-api", Description: "All routes", AccessLogs: true,
		CORS: &app.CORS{AllowOrigins: []string{"https://example.com"}, AllowCredentials: true, ExposeHeaders: []string{"etag"}, MaxAge: time.Hour},
		Routes: app.Routes{
			"$default":            {Code: "testdata/functions/hello.mjs"},
			"GET /":               {Code: "testdata/functions/hello.mjs"},
			"ANY /files/{path+}":  {URL: "https://example.com/{path}"},
			"GET /notes/{id}":     {Function: worker, Authorizer: pool.Authorizer("people", web), Scopes: []string{"notes/read"}},
			"POST /notes":         {Function: worker, Authorizer: app.IAMAuthorizer, Timeout: 5 * time.Second},
			"GET /asked":          {Function: node, Authorizer: &app.LambdaAuthorizer{Name: "ask", Function: trigger, CacheSeconds: 60}},
			"GET /elsewhere-user": {Code: "testdata/functions/typed.ts", Authorizer: &app.JWTAuthorizer{Name: "other", Issuer: "https://id.example.com/", Audience: []app.Value{"api"}}},
		},
	})
	route := api.AddRoute("DELETE /notes/{id}", app.RouteProps{Function: worker, ID: "Erase"})
	route.Function().SetEnv("API", api.ARN("DELETE /notes/{id}"))
	s.Override("ApiDefaultStage", "Properties.DefaultRouteSettings.ThrottlingRateLimit", 50)
	s.Override("Queue", "Condition", "Large")
	s.Override("Users", "Properties.AccountRecoverySetting.RecoveryMechanisms.0.Name", "verified_email")
	s.Override("Users", "Properties.AccountRecoverySetting.RecoveryMechanisms.1.Name", "verified_phone_number")
	s.Override("Users", "Properties.SmsVerificationMessage", nil)
	s.AddOutput("PoolArn", app.OutputProps{Value: pool.ARN(), Description: "For other stacks", ExportName: app.Value(s.Name() + "-pool")})
	s.Output("Worker", worker.Name())
}

func TestGolden(t *testing.T) {
	for _, test := range []struct {
		name, stage string
		build       func(*app.Stack)
	}{{"jwt", "dev", jwt}, {"everything", "prod", everything}} {
		t.Run(test.name, func(t *testing.T) {
			tmpl, err := app.Synth(test.name, test.stage, test.build)
			if err != nil {
				t.Fatal(err)
			}
			got := tmpl.JSON()
			golden := filepath.Join("testdata", test.name+".golden.json")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("template differs from %s (-want +got); -update rewrites it:\n%s", golden, diff)
			}
			for range 5 {
				again, err := app.Synth(test.name, test.stage, test.build)
				if err != nil || string(again.JSON()) != string(got) {
					t.Fatal("the same app gave another template")
				}
			}
			checkTemplate(t, got)
		})
	}
}

// checkTemplate holds a template against the engine that will deploy it.
func checkTemplate(t *testing.T, text []byte) {
	t.Helper()
	parsed, err := template.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	params, err := parsed.ResolveParameters(map[string]string{"Token": "x", "Size": "large"}, nil)
	if err != nil {
		params, err = parsed.ResolveParameters(nil, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	eval := template.NewEval(parsed, params, template.Pseudo{Account: "000000000000", Region: "us-east-1", Partition: "aws", URLSuffix: "amazonaws.com", StackName: "s"}, nil)
	if _, err := parsed.Graph(eval); err != nil {
		t.Fatal(err)
	}
}

// Pools have the properties that CDK gives them for the same settings; where this package differs, the
// test names the property.
func TestPoolLikeCDK(t *testing.T) {
	differ := []string{"UserPoolTags", "UsernameConfiguration"} // SST's own tags; always said here
	ran := 0
	for file, props := range map[string]app.UserPoolProps{
		"seed-000-sst-2.49.template.json":  {SelfSignUp: true, SignInAliases: app.SignInAliases{Email: true}},
		"seed-002-cdk-2.276.template.json": {SelfSignUp: true, AutoVerify: app.AutoVerify{Email: true}},
		"seed-003-cdk-2.96.template.json":  {},
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", "shared", "templates", file))
		if err != nil {
			continue
		}
		ran++
		var cdk struct {
			Resources map[string]struct {
				Type       string
				Properties map[string]any
			}
		}
		if err := json.Unmarshal(text, &cdk); err != nil {
			t.Fatal(err)
		}
		tmpl, err := app.Synth("pool", "dev", func(s *app.Stack) { app.NewUserPool(s, "P", props) })
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		raw, _ := json.Marshal(tmpl.Resource("P")["Properties"])
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		for _, r := range cdk.Resources {
			if r.Type != "AWS::Cognito::UserPool" {
				continue
			}
			for _, p := range differ {
				delete(got, p)
				delete(r.Properties, p)
			}
			if diff := cmp.Diff(r.Properties, got); diff != "" {
				t.Errorf("%s (-CDK +app):\n%s", file, diff)
			}
		}
	}
	t.Logf("compared with %d templates of CDK", ran)
}

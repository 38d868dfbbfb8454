package app_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/app"
)

// Each case is one mistake and the one message that it gives, after file and line.
func TestMistakes(t *testing.T) {
	const hello = "testdata/functions/hello.mjs"
	pool := func(s *app.Stack) *app.UserPool { return app.NewUserPool(s, "Pool", app.UserPoolProps{}) }
	route := func(key string, p app.RouteProps) func(*app.Stack) {
		return func(s *app.Stack) {
			app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{Routes: app.Routes{key: p}})
		}
	}
	function := func(p app.FunctionProps) func(*app.Stack) {
		return func(s *app.Stack) { app.NewFunction(s, "Fn", p) }
	}
	raw := func(p app.Properties) func(*app.Stack) {
		return func(s *app.Stack) { s.Resource("Raw", "AWS::SQS::Queue", p) }
	}
	userPool := func(p app.UserPoolProps) func(*app.Stack) {
		return func(s *app.Stack) { app.NewUserPool(s, "Pool", p) }
	}
	client := func(p app.ClientProps) func(*app.Stack) {
		return func(s *app.Stack) { pool(s).AddClient("Client", p) }
	}
	for _, test := range []struct {
		name  string
		build func(*app.Stack)
		want  string // regular expression for the whole message
	}{
		{"empty stack", func(s *app.Stack) {}, `the stack has no resources; .*`},
		{"id taken", func(s *app.Stack) { pool(s); pool(s) }, `Pool: this id is already used at errors_test\.go:\d+`},
		{"id with hyphen", func(s *app.Stack) { app.NewUserPool(s, "my-pool", app.UserPoolProps{}); pool(s) }, `my-pool: an id must be letters and digits, at most 255`},
		{"output twice", func(s *app.Stack) { p := pool(s); s.Output("Id", p.ID()); s.Output("Id", p.ID()) }, `Id: this output is already defined at errors_test\.go:\d+`},
		{"output of nothing", func(s *app.Stack) { pool(s); s.Output("Id", app.Ref("Gone")) }, `Id: Value refers to Gone, which is neither a resource nor a parameter of this stack`},
		{"override of nothing", func(s *app.Stack) { pool(s); s.Override("Pol", "Properties.X", 1) }, `Pol: there is no such resource to override; the stack has Pool`},
		{"override through text", func(s *app.Stack) {
			pool(s)
			s.Override("Pool", "Properties.EmailVerificationSubject.X", 1)
		}, `Pool: the path "Properties.EmailVerificationSubject.X" leads through something that is no map or list`},
		{"tag", func(s *app.Stack) { pool(s); s.Tag("aws:mine", "x") }, `tag "aws:mine": keys that begin with aws: are reserved`},
		{"parameter default", func(s *app.Stack) {
			pool(s)
			s.Parameter("P", app.ParameterProps{Default: "x", AllowedValues: []string{"a"}})
		}, `P: the default "x" is not among the allowed values`},

		{"method", route("GETT /x", app.RouteProps{Code: hello}), `Api: route "GETT /x": there is no method GETT; there are ANY, DELETE, .*`},
		{"lower-case method", route("get /x", app.RouteProps{Code: hello}), `Api: route "get /x": there is no method get; .*`},
		{"no path", route("GET", app.RouteProps{Code: hello}), `Api: route "GET": a route key is a method and a path, .*`},
		{"relative path", route("GET x", app.RouteProps{Code: hello}), `Api: route "GET x": a route key is a method and a path, .*`},
		{"query", route("GET /x?y", app.RouteProps{Code: hello}), `Api: route "GET /x\?y": a path has no spaces, \? or #`},
		{"empty segment", route("GET /x//y", app.RouteProps{Code: hello}), `Api: .*: the path has an empty segment`},
		{"part of a segment", route("GET /x-{id}", app.RouteProps{Code: hello}), `Api: .*: x-\{id\}: a parameter is a whole segment, .*`},
		{"greedy in the middle", route("GET /{x+}/y", app.RouteProps{Code: hello}), `Api: .*: \{x\+\} takes the rest of the path, so it must be the last segment`},
		{"parameter twice", route("GET /{x}/{x}", app.RouteProps{Code: hello}), `Api: .*: two parameters are called x`},
		{"route to nowhere", route("GET /x", app.RouteProps{}), `Api: route "GET /x": it leads nowhere: set Function, Code or URL`},
		{"route to two", route("GET /x", app.RouteProps{Code: hello, URL: "https://example.com"}), `Api: route "GET /x": set one of .*`},
		{"scopes without token", route("GET /x", app.RouteProps{Code: hello, Scopes: []string{"a"}}), `Api: route "GET /x": Scopes need a JWT authorizer`},
		{"route time-out", route("GET /x", app.RouteProps{Code: hello, Timeout: time.Minute}), `Api: route "GET /x": Timeout is 1m0s; it must be 50ms to 30s`},
		{"route twice", func(s *app.Stack) {
			api := app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{Routes: app.Routes{"GET /x": {Code: hello}}})
			api.AddRoute("GET /x", app.RouteProps{Code: hello})
		}, `Api: route "GET /x": it is already defined at errors_test\.go:\d+`},
		{"routes of one id", route2("GET /a-b", "GET /a/b", hello), `Api: route "GET /a/b": its id ApiGetAB is already used at errors_test\.go:\d+; set ID`},
		{"unknown built-in authorizer", route("GET /x", app.RouteProps{Code: hello, Authorizer: app.BuiltinAuthorizer("jwt")}), `Api: there is no built-in authorizer "jwt"`},
		{"authorizers of one name", func(s *app.Stack) {
			app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{Routes: app.Routes{
				"GET /x": {Code: hello, Authorizer: &app.JWTAuthorizer{Name: "a", Issuer: "https://a", Audience: []app.Value{"x"}}},
				"GET /y": {Code: hello, Authorizer: &app.JWTAuthorizer{Name: "a", Issuer: "https://b", Audience: []app.Value{"x"}}},
			}})
		}, `ApiAAuthorizer: this id is already used at errors_test\.go:\d+`},
		{"authorizer without clients", func(s *app.Stack) {
			app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{DefaultAuthorizer: pool(s).Authorizer("jwt")})
		}, `Pool: authorizer jwt: it needs the clients whose tokens it takes`},
		{"client of another pool", func(s *app.Stack) {
			c := app.NewUserPool(s, "Other", app.UserPoolProps{}).AddClient("C", app.ClientProps{})
			pool(s).Authorizer("jwt", c)
		}, `Pool: authorizer jwt: the client C belongs to another pool, Other`},
		{"credentials for all", func(s *app.Stack) {
			app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{CORS: &app.CORS{AllowOrigins: []string{"*"}, AllowCredentials: true}})
		}, `Api: CORS: AllowCredentials does not go with the origin \*`},

		{"no code", function(app.FunctionProps{}), `Fn: Code is not set; .*`},
		{"missing code", function(app.FunctionProps{Code: "testdata/functions/gone.py"}), `Fn: Code testdata/functions/gone.py: no such file or directory in .*/app`},
		{"code as SST writes it", function(app.FunctionProps{Code: "testdata/functions/hello.handler"}), `Fn: Code .*: no such file or directory in .*; there is a hello.mjs`},
		{"absolute code", function(app.FunctionProps{Code: "/etc"}), `Fn: Code /etc: give the path relative to the app's directory, .*`},
		{"Go file", function(app.FunctionProps{Code: "testdata/functions/greet/main.go"}), `Fn: Code \./testdata/functions/greet/main\.go is one Go file; give the directory of its package`},
		{"Go library", function(app.FunctionProps{Code: "testdata/functions/lib"}), `Fn: Code \./testdata/functions/lib is package lib; .*`},
		{"Go handler", function(app.FunctionProps{Code: "testdata/functions/greet", Handler: "main"}), `Fn: Handler main: a Go program has no handler; it calls lambda.Start`},
		{"directory of what", function(app.FunctionProps{Code: "testdata/functions/empty"}), `Fn: Code .* is a directory without a Go package; .*`},
		{"directory without handler", function(app.FunctionProps{Code: "testdata/functions/dir", Runtime: app.NodeJS22}), `Fn: Handler "" of the directory .* must say module.function, .*`},
		{"directory without module", function(app.FunctionProps{Code: "testdata/functions/dir", Runtime: app.Python313, Handler: "index.handler"}), `Fn: Handler index.handler: there is no file index of python in .*`},
		{"text file", function(app.FunctionProps{Code: "testdata/functions/notes.txt"}), `Fn: Code .*notes.txt: functions are Go packages, .*`},
		{"wrong runtime", function(app.FunctionProps{Code: hello, Runtime: app.Python313}), `Fn: Code .*hello.mjs does not run on python3.13`},
		{"time-out", function(app.FunctionProps{Code: hello, Timeout: time.Hour}), `Fn: Timeout is 1h0m0s; it must be whole seconds, 1 to 900`},
		{"memory", function(app.FunctionProps{Code: hello, MemoryMB: 64}), `Fn: MemoryMB is 64; it must be 128 to 10240`},
		{"retention", function(app.FunctionProps{Code: hello, LogRetentionDays: 2}), `Fn: LogRetentionDays is 2; .*`},
		{"reserved variable", function(app.FunctionProps{Code: hello, Environment: map[string]app.Value{"AWS_REGION": "x"}}), `Fn: environment variable AWS_REGION is set by Lambda itself`},
		{"variable name", function(app.FunctionProps{Code: hello, Environment: map[string]app.Value{"A-B": "x"}}), `Fn: environment variable "A-B": .*`},
		{"foreign role", func(s *app.Stack) {
			app.NewFunction(s, "Fn", app.FunctionProps{Code: hello, Role: "arn:aws:iam::123456789012:role/r"}).Allow("*", "sqs:SendMessage")
		}, `Fn: the function has a role made elsewhere; .*`},
		{"action", func(s *app.Stack) { app.NewFunction(s, "Fn", app.FunctionProps{Code: hello}).Allow("*", "SendMessage") }, `Fn: "SendMessage" is not an action; .*`},

		{"preferred user name", userPool(app.UserPoolProps{SignInAliases: app.SignInAliases{PreferredUsername: true}}), `Pool: SignInAliases: PreferredUsername needs Username`},
		{"no factor", userPool(app.UserPoolProps{MFA: app.MFARequired}), `Pool: MFA is ON, but MFAFactors names no factor`},
		{"factor without MFA", userPool(app.UserPoolProps{MFAFactors: app.MFAFactors{TOTP: true}}), `Pool: MFAFactors are set, but MFA is off`},
		{"MFA", userPool(app.UserPoolProps{MFA: "yes"}), `Pool: MFA is "yes"; .*`},
		{"password length", userPool(app.UserPoolProps{Password: &app.PasswordPolicy{MinLength: 4}}), `Pool: Password.MinLength is 4; it must be 6 to 99`},
		{"message without code", userPool(app.UserPoolProps{Messages: app.Messages{VerificationEmail: "Hi"}}), `Pool: Messages.VerificationEmail must contain \{####\}, .*`},
		{"attribute", userPool(app.UserPoolProps{Attributes: []app.Attribute{{Name: "tier"}}}), `Pool: attribute tier: there is no such standard attribute; your own are called custom:tier`},
		{"required custom attribute", userPool(app.UserPoolProps{Attributes: []app.Attribute{{Name: "custom:tier", Required: true}}}), `Pool: attribute custom:tier: a custom attribute cannot be required`},
		{"validity", client(app.ClientProps{IDTokenValidity: time.Minute}), `Client: IDTokenValidity is 1m0s; it must be whole seconds, 5 minutes to a day`},
		{"OAuth without scopes", client(app.ClientProps{OAuth: &app.OAuth{Implicit: true, CallbackURLs: []string{"https://example.com"}}}), `Client: OAuth: name the scopes .*`},
		{"OAuth in the clear", client(app.ClientProps{OAuth: &app.OAuth{Implicit: true, Scopes: []string{"openid"}, CallbackURLs: []string{"http://example.com"}}}), `Client: OAuth: http://example.com: only localhost may go without https`},

		{"type", func(s *app.Stack) { s.Resource("Raw", "Queue", nil) }, `Raw: "Queue" is not a resource type; they look like AWS::SQS::Queue`},
		{"reference to nothing", raw(app.Properties{"QueueName": "q-" + app.Ref("Nobody")}), `Raw: Properties.QueueName refers to Nobody, which is .*`},
		{"reference in a Sub", raw(app.Properties{"QueueName": app.Properties{"Fn::Sub": "${Nobody}"}}), `Raw: Properties.QueueName refers to Nobody, which is .*`},
		{"Sub not closed", raw(app.Properties{"QueueName": app.Sub("a ${b")}), `Raw: Properties.QueueName: "a \$\{b": a \$\{ is not closed`},
		{"Sub of nothing", raw(app.Properties{"QueueName": app.Sub("a ${}")}), `Raw: Properties.QueueName: "a \$\{\}": \$\{\} names nothing`},
		{"condition of nothing", raw(app.Properties{"QueueName": app.If("Big", "a", "b")}), `Raw: Properties.QueueName names the condition Big, which the stack does not have`},
		{"value cut", raw(app.Properties{"QueueName": app.Region()[:9]}), `Raw: Properties.QueueName: a reference in this value was damaged: .*`},
		{"value in upper case", raw(app.Properties{"QueueName": strings.ToUpper(string(app.Region()))}), `Raw: Properties.QueueName: a reference in this value was damaged: .*`},
		{"struct as property", raw(app.Properties{"QueueName": struct{ X int }{1}}), `Raw: Properties.QueueName: struct .* cannot stand in a template: .*`},
		{"channel in a value", raw(app.Properties{"QueueName": app.Fn("Fn::Select", make(chan int))}), `Raw: Properties.QueueName: not a value: json: unsupported type: chan int`},
		{"resource as value", func(s *app.Stack) {
			q := s.Resource("Q", "AWS::SQS::Queue", nil)
			s.Resource("Raw", "AWS::SQS::Queue", app.Properties{"QueueName": q})
		}, `Raw: Properties.QueueName: a resource is not a value: use its Ref or GetAtt`},
		{"cycle", func(s *app.Stack) {
			s.Resource("A", "AWS::SQS::Queue", app.Properties{"QueueName": app.GetAtt("B", "QueueName")})
			s.Resource("B", "AWS::SQS::Queue", app.Properties{"QueueName": app.GetAtt("A", "QueueName")})
		}, `A: resources wait for each other: A → B → A`},
	} {
		t.Run(test.name, func(t *testing.T) {
			tmpl, err := app.Synth("app", "dev", test.build)
			var errs app.Errors
			if !errors.As(err, &errs) || tmpl != nil {
				t.Fatalf("Synth = %v, %v; want Errors", tmpl, err)
			}
			if len(errs) != 1 {
				t.Fatalf("%d errors, want one:\n%v", len(errs), err)
			}
			whole := `^(errors_test\.go:\d+: )?` + test.want + `$`
			if !regexp.MustCompile(whole).MatchString(errs[0].Error()) {
				t.Errorf("error is\n\t%s\nwant\n\t%s", errs[0], whole)
			}
		})
	}
}

func route2(a, b, code string) func(*app.Stack) {
	return func(s *app.Stack) {
		app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{Routes: app.Routes{a: {Code: code}, b: {Code: code}}})
	}
}

// All mistakes are reported together, in the order of the source, and each with its own line.
func TestMistakesTogether(t *testing.T) {
	_, err := app.Synth("app", "dev", func(s *app.Stack) {
		pool := app.NewUserPool(s, "Pool", app.UserPoolProps{})
		s.Output("Bad", app.Ref("Nowhere"))
		api := app.NewHTTPAPI(s, "Api", app.HTTPAPIProps{})
		api.AddRoute("GETT /x", app.RouteProps{Code: "gone"})
		app.NewUserPool(s, "Pool", app.UserPoolProps{})
		s.Output("Id", pool.ID())
	})
	var errs app.Errors
	if !errors.As(err, &errs) || len(errs) != 4 {
		t.Fatalf("got %v, want four errors", err)
	}
	for i, want := range []int{0, 2, 2, 3} {
		if got := errs[i].Line - errs[0].Line; got != want {
			t.Errorf("error %d is %d lines after the first, want %d: %v", i, got, want, errs[i])
		}
	}
	var one *app.Error
	if !errors.As(err, &one) || one.File == "" {
		t.Errorf("errors.As does not find an *Error in %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, test := range []struct{ app, stage, want string }{
		{"", "dev", "the name of an app must be"},
		{"my_app", "dev", "the name of an app must be"},
		{"app", "1", "a stage must be"},
		{"app", strings.Repeat("a", 128), "longer than 128 characters"},
	} {
		_, err := app.Synth(test.app, test.stage, func(s *app.Stack) { app.NewUserPool(s, "P", app.UserPoolProps{}) })
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("app %q, stage %q: %v, want %q", test.app, test.stage, err, test.want)
		}
	}
}

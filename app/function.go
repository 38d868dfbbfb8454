package app

import (
	"maps"
	"regexp"
	"slices"
	"time"
)

const (
	typeFunction   = "AWS::Lambda::Function"
	typePermission = "AWS::Lambda::Permission"
)

// A Runtime is what a function's code runs on. It follows from the source; set it for another version.
type Runtime string

const (
	NodeJS20 Runtime = "nodejs20.x"
	NodeJS22 Runtime = "nodejs22.x" // JavaScript and TypeScript files
	NodeJS24 Runtime = "nodejs24.x"

	Python312 Runtime = "python3.12"
	Python313 Runtime = "python3.13" // Python files

	ProvidedAL2023 Runtime = "provided.al2023" // Go packages and other compiled programs
)

// An Architecture is the processor that a function is built for.
type Architecture string

const (
	X86_64 Architecture = "x86_64"
	ARM64  Architecture = "arm64"
)

// A Function is code that runs for each event: AWS::Lambda::Function, with a role of its own and a log
// group.
type Function struct {
	stack    *Stack
	resource *Resource
	role     *role // nil when FunctionProps.Role was given
}

// FunctionProps describe a function. Only Code is needed.
type FunctionProps struct {
	// Code is the source, relative to the app's directory: the directory of a Go main package, a
	// TypeScript, JavaScript or Python file, or any other directory or .zip file that holds what Lambda
	// expects; for these set Runtime and Handler.
	Code string

	// Handler is what to call: for a file the name of the function in it, "handler" if empty; for
	// another directory or .zip file "module.function". Compiled programs have none.
	Handler string

	Runtime      Runtime      // follows from Code if empty
	Architecture Architecture // Lambda's default, x86_64, if empty

	Description         string
	Environment         map[string]Value
	Timeout             time.Duration // whole seconds up to 15 minutes; 3 s if zero
	MemoryMB            int           // 128 to 10,240; 128 if zero
	EphemeralStorageMB  int           // /tmp, 512 to 10,240; 512 if zero
	ReservedConcurrency int           // at most so many events at a time; the account's limit if zero
	LogRetentionDays    int           // forever, as long as the function exists, if zero

	// Role is the ARN of a role made elsewhere. If empty, the function gets its own, which may write
	// logs and do what [Function.Allow] says.
	Role Value
}

// NewFunction adds a function.
func NewFunction(s *Stack, id string, props FunctionProps) *Function {
	f := &Function{stack: s}
	src := s.source(id, props)
	executor := props.Role
	if executor == "" {
		f.role = s.addRole(id, Properties{
			"Effect":    "Allow",
			"Action":    "sts:AssumeRole",
			"Principal": Properties{"Service": "lambda.amazonaws.com"},
		})
		f.role.resource.props["ManagedPolicyArns"] = []Value{Sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")}
		executor = f.role.ARN()
	}
	f.resource = s.add(id, typeFunction, Properties{
		"Code": src.code, "Handler": src.handler, "Runtime": src.runtime, "Role": executor,
	})
	f.resource.tagging = tagList
	f.settings(props)
	logs := Properties{"LogGroupName": "/aws/lambda/" + f.Name()}
	if props.LogRetentionDays != 0 {
		if !slices.Contains(retentions, props.LogRetentionDays) {
			s.errorf(id, "LogRetentionDays is %d; CloudWatch Logs takes one of %v", props.LogRetentionDays, retentions)
		}
		logs["RetentionInDays"] = props.LogRetentionDays
	}
	s.add(id+"Logs", "AWS::Logs::LogGroup", logs).tagging = tagList
	return f
}

// retentions are what PutRetentionPolicy of CloudWatch Logs takes, in days.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func (f *Function) settings(props FunctionProps) {
	r, id := f.resource.props, f.resource.id
	bounded := func(name, property string, n, low, high int) {
		switch {
		case n == 0:
			return
		case n < low || n > high:
			f.stack.errorf(id, "%s is %d; it must be %d to %d", name, n, low, high)
		case property == "EphemeralStorage":
			r[property] = Properties{"Size": n}
		default:
			r[property] = n
		}
	}
	bounded("MemoryMB", "MemorySize", props.MemoryMB, 128, 10240)
	bounded("EphemeralStorageMB", "EphemeralStorage", props.EphemeralStorageMB, 512, 10240)
	bounded("ReservedConcurrency", "ReservedConcurrentExecutions", props.ReservedConcurrency, 1, 1<<20)
	if t := props.Timeout; t != 0 {
		if t < time.Second || t > 15*time.Minute || t%time.Second != 0 {
			f.stack.errorf(id, "Timeout is %v; it must be whole seconds, 1 to 900", t)
		}
		r["Timeout"] = int(t / time.Second)
	}
	if props.Description != "" {
		r["Description"] = props.Description
	}
	if props.Architecture != "" {
		r["Architectures"] = []Architecture{props.Architecture}
	}
	for _, name := range slices.Sorted(maps.Keys(props.Environment)) {
		f.SetEnv(name, props.Environment[name])
	}
}

var (
	envName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]+$`)
	// What Lambda sets itself and refuses to have set; see "Reserved environment variables" in the
	// Lambda Developer Guide.
	reservedEnv = []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
		"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
		"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
		"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"}
)

// SetEnv sets an environment variable of the function.
func (f *Function) SetEnv(name string, value Value) {
	if !envName.MatchString(name) {
		f.stack.errorf(f.resource.id, "environment variable %q: a name has two or more letters, digits and underscores, a letter first", name)
	}
	if slices.Contains(reservedEnv, name) {
		f.stack.errorf(f.resource.id, "environment variable %s is set by Lambda itself", name)
	}
	env, ok := f.resource.props["Environment"].(Properties)
	if !ok {
		env = Properties{"Variables": map[string]Value{}}
		f.resource.props["Environment"] = env
	}
	env["Variables"].(map[string]Value)[name] = value
}

// Allow lets the function do these actions on a resource:
//
//	fn.Allow(pool.ARN(), "cognito-idp:ListUsers", "cognito-idp:AdminGetUser")
func (f *Function) Allow(resource Value, actions ...string) {
	f.AddStatement(Statement{Actions: actions, Resources: []Value{resource}})
}

// AddStatement adds a statement to the policy of the function's role.
func (f *Function) AddStatement(st Statement) {
	if f.role == nil {
		f.stack.errorf(f.resource.id, "the function has a role made elsewhere; say there what it may do")
		return
	}
	f.role.add(st)
}

// Name is the name of the deployed function.
func (f *Function) Name() Value { return f.resource.Ref() }

// ARN is the function's ARN.
func (f *Function) ARN() Value { return f.resource.GetAtt("Arn") }

// Resource is the function in the template.
func (f *Function) Resource() *Resource { return f.resource }

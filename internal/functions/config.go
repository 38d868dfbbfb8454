package functions

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// Defaults and bounds that the API's model does not carry.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	defaultTimeout = 3   // seconds
	defaultMemory  = 128 // MB
	defaultStorage = 512 // MB
	maxTimeout     = 900
	maxEnvironment = 4096 // bytes, as JSON
	maxTags        = 50
)

// config is what can be configured of a version.
type config struct {
	Runtime, Handler, Role string
	Description            string `json:",omitempty"`
	Timeout                int64  // seconds
	Memory                 int64  // MB
	Storage                int64  // MB, of /tmp
	Env                    []byte `json:",omitempty"` // variables, sealed
	Arch                   string
	Tracing                string
	LogGroup               string `json:",omitempty"` // "" is /aws/lambda/NAME
}

// settings are the members that CreateFunction and UpdateFunctionConfiguration share, both of which
// become an UpdateFunctionConfigurationRequest to be applied.
type settings = lambda.UpdateFunctionConfigurationRequest

// settingsOf returns the settings in a CreateFunctionRequest, and refuses what only that has.
func settingsOf(in *lambda.CreateFunctionRequest) (*settings, error) {
	if what := shape.Given(map[string]bool{
		"functions in container images (PackageType Image)": shape.Val(in.PackageType) == lambda.PackageTypeImage,
		"code signing (CodeSigningConfigArn)":               shape.Val(in.CodeSigningConfigArn) != "",
		"tenant isolation (TenancyConfig)":                  in.TenancyConfig != nil,
		"PublishTo":                                         shape.Val(in.PublishTo) != "",
	}); what != "" {
		return nil, unsupported(what)
	}
	if shape.Val(in.Runtime) == "" || shape.Val(in.Handler) == "" {
		return nil, invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	return &settings{
		Role: &in.Role, Handler: in.Handler, Description: in.Description, Timeout: in.Timeout, MemorySize: in.MemorySize,
		VpcConfig: in.VpcConfig, Environment: in.Environment, Runtime: in.Runtime, DeadLetterConfig: in.DeadLetterConfig,
		KMSKeyArn: in.KMSKeyArn, TracingConfig: in.TracingConfig, Layers: in.Layers, FileSystemConfigs: in.FileSystemConfigs,
		ImageConfig: in.ImageConfig, EphemeralStorage: in.EphemeralStorage, SnapStart: in.SnapStart, LoggingConfig: in.LoggingConfig,
		CapacityProviderConfig: in.CapacityProviderConfig, DurableConfig: in.DurableConfig,
	}, nil
}

// newConfig returns the configuration of a function that says nothing.
func newConfig() config {
	return config{Timeout: defaultTimeout, Memory: defaultMemory, Storage: defaultStorage, Arch: lambda.ArchitectureX8664, Tracing: lambda.TracingModePassThrough}
}

// apply changes what in says, and refuses what it says and is not supported.
func (s *Service) apply(c *config, in *settings) error {
	if err := refuse(in); err != nil {
		return err
	}
	set(&c.Role, in.Role)
	set(&c.Handler, in.Handler)
	set(&c.Description, in.Description)
	set(&c.Timeout, in.Timeout)
	set(&c.Memory, in.MemorySize)
	set(&c.Runtime, in.Runtime)
	if c.Timeout > maxTimeout {
		return shape.Errorf("ValidationException", 400, "1 validation error detected: Value '%d' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to %d", c.Timeout, maxTimeout)
	}
	if err := runtime.Supported(c.Runtime); err != nil {
		e, _ := err.(*runtime.Error)
		if e == nil {
			return err
		}
		return invalid("%s", e.Message)
	}
	if in.EphemeralStorage != nil {
		c.Storage = in.EphemeralStorage.Size
	}
	if in.TracingConfig != nil {
		set(&c.Tracing, in.TracingConfig.Mode)
	}
	if in.LoggingConfig != nil {
		set(&c.LogGroup, in.LoggingConfig.LogGroup)
	}
	if in.Environment != nil {
		if err := checkEnvironment(in.Environment.Variables); err != nil {
			return err
		}
		var err error
		if c.Env, err = s.sealVariables(c.Env, in.Environment.Variables); err != nil {
			return err
		}
	}
	return nil
}

// envContext binds sealed variables to their use.
const envContext = "functions.environment"

// sealVariables seals the variables of an environment. What is the same as the old stays as it is, so
// that nothing seems to have changed.
func (s *Service) sealVariables(old []byte, vars map[string]string) ([]byte, error) {
	if len(vars) == 0 {
		return nil, nil
	}
	if before, err := s.variables(old); err != nil || maps.Equal(before, vars) {
		return old, err
	}
	text, err := json.Marshal(vars)
	if err != nil {
		return nil, err
	}
	return s.Seal.Seal(text, envContext), nil
}

// variables opens what sealVariables has sealed.
func (s *Service) variables(sealed []byte) (map[string]string, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	text, err := s.Seal.Open(sealed, envContext)
	if err != nil {
		return nil, fmt.Errorf("environment variables: %w", err)
	}
	var vars map[string]string
	return vars, json.Unmarshal(text, &vars)
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// refuse names the first of the settings that is given and not supported. What says nothing, as an
// empty list of layers does, passes.
func refuse(in *settings) error {
	switch v := in.VpcConfig; {
	case v != nil && (len(v.SubnetIds) > 0 || len(v.SecurityGroupIds) > 0):
		return unsupported("functions in a VPC (VpcConfig)")
	case in.DeadLetterConfig != nil && shape.Val(in.DeadLetterConfig.TargetArn) != "":
		return unsupported("dead-letter queues (DeadLetterConfig)")
	case shape.Val(in.KMSKeyArn) != "":
		return unsupported("keys of KMS (KMSKeyArn)")
	case len(in.Layers) > 0:
		return unsupported("layers (Layers)")
	case len(in.FileSystemConfigs) > 0:
		return unsupported("file systems (FileSystemConfigs)")
	case in.ImageConfig != nil && (len(in.ImageConfig.Command) > 0 || len(in.ImageConfig.EntryPoint) > 0 || shape.Val(in.ImageConfig.WorkingDirectory) != ""):
		return unsupported("container images (ImageConfig)")
	case in.SnapStart != nil && shape.Val(in.SnapStart.ApplyOn) == lambda.SnapStartApplyOnPublishedVersions:
		return unsupported("SnapStart")
	case in.CapacityProviderConfig != nil:
		return unsupported("capacity providers (CapacityProviderConfig)")
	case in.DurableConfig != nil:
		return unsupported("durable functions (DurableConfig)")
	}
	if l := in.LoggingConfig; l != nil {
		if shape.Val(l.LogFormat) == lambda.LogFormatJson {
			return unsupported("LogFormat JSON (LoggingConfig)")
		}
		if shape.Val(l.ApplicationLogLevel) != "" || shape.Val(l.SystemLogLevel) != "" {
			return invalid("You cannot specify ApplicationLogLevel or SystemLogLevel when LogFormat is Text.")
		}
	}
	return nil
}

// checkEnvironment refuses what a function may not set, in Lambda's words.
func checkEnvironment(env map[string]string) error {
	const cannot = "Lambda was unable to configure your environment variables because the environment variables you have provided "
	var taken []string
	for k := range env {
		if runtime.Reserved(k) {
			taken = append(taken, k)
		}
	}
	if len(taken) > 0 {
		slices.Sort(taken)
		return invalid("%s", cannot+"contains reserved keys that are currently not supported for modification. Reserved keys used in this request: "+strings.Join(taken, ", "))
	}
	for k, v := range env {
		if strings.ContainsRune(v, 0) {
			return invalid("The value of the environment variable %s holds a zero byte.", k)
		}
	}
	text, err := json.Marshal(env)
	if err != nil {
		return err
	}
	if len(text) > maxEnvironment {
		// AWS repeats all of it here; values are often secrets, and errors end up in logs.
		return invalid("%s", cannot+"exceeded the 4KB limit.")
	}
	return nil
}

// spec returns what the runtime must know to run a version.
func (s *Service) spec(f *function, v *version, codeDir string) (*runtime.Spec, error) {
	env, err := s.variables(v.Env)
	if err != nil {
		return nil, err
	}
	n := name{region: f.Region, account: s.Account, function: f.Name}
	spec := &runtime.Spec{
		Name: f.Name, ARN: n.arn(), Version: v.Number, Revision: v.Build,
		Runtime: v.Runtime, Handler: v.Handler, CodeDir: codeDir, Env: env,
		Timeout: time.Duration(v.Timeout) * time.Second, MemoryMB: int(v.Memory), TmpMB: int(v.Storage),
		LogGroup: v.LogGroup, Role: v.Role, Account: s.Account, Region: f.Region,
	}
	if f.Reserved != nil {
		spec.MaxConcurrency = int(*f.Reserved)
		if spec.MaxConcurrency == 0 {
			spec.MaxConcurrency = -1
		}
	}
	return spec, nil
}

// timeForm is how Lambda writes times.
const timeForm = "2006-01-02T15:04:05.000-0700"

// shape returns a version as the API shows it; the ARN is qualified if the caller's name was.
func (s *Service) shape(f *function, v *version, arn string) *lambda.FunctionConfiguration {
	group := v.LogGroup
	if group == "" {
		group = "/aws/lambda/" + f.Name
	}
	out := &lambda.FunctionConfiguration{
		FunctionName: &f.Name, FunctionArn: &arn, Runtime: shape.Ptr(v.Runtime), Role: shape.Ptr(v.Role), Handler: shape.Ptr(v.Handler),
		CodeSize: shape.Ptr(v.CodeSize), Description: shape.Ptr(v.Description), Timeout: shape.Ptr(v.Timeout), MemorySize: shape.Ptr(v.Memory),
		LastModified: shape.Ptr(time.UnixMilli(v.Modified).UTC().Format(timeForm)), CodeSha256: shape.Ptr(v.codeSHA256()), Version: shape.Ptr(v.Number),
		TracingConfig: &lambda.TracingConfigResponse{Mode: shape.Ptr(v.Tracing)}, RevisionId: shape.Ptr(v.Revision),
		PackageType: shape.Ptr(lambda.PackageTypeZip), Architectures: []string{v.Arch}, EphemeralStorage: &lambda.EphemeralStorage{Size: v.Storage},
		SnapStart:     &lambda.SnapStartResponse{ApplyOn: shape.Ptr(lambda.SnapStartApplyOnNone), OptimizationStatus: shape.Ptr(lambda.SnapStartOptimizationStatusOff)},
		LoggingConfig: &lambda.LoggingConfig{LogFormat: shape.Ptr(lambda.LogFormatText), LogGroup: &group},
	}
	switch env, err := s.variables(v.Env); {
	case err != nil:
		s.Logger.Error("a function's environment variables cannot be opened", "function", f.Name, "err", err)
		out.Environment = &lambda.EnvironmentResponse{Error: &lambda.EnvironmentError{ErrorCode: shape.Ptr("KMSInvalidStateException"), Message: shape.Ptr("The environment variables cannot be opened with the server's seal key.")}}
	case len(env) > 0:
		out.Environment = &lambda.EnvironmentResponse{Variables: env}
	}
	return out
}

// withState adds what lists leave out.
func withState(c *lambda.FunctionConfiguration) *lambda.FunctionConfiguration {
	c.State, c.LastUpdateStatus = shape.Ptr(lambda.StateActive), shape.Ptr(lambda.LastUpdateStatusSuccessful)
	return c
}

package restapis

import (
	"crypto/tls"
	"errors"
	"mime"
	"regexp"
	"strings"
	"sync"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/openapi/schema"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
)

// ErrNoAPI is returned for an API that does not exist, ErrNoStage for a stage.
var (
	ErrNoAPI   = errors.New("restapis: no such API")
	ErrNoStage = errors.New("restapis: no such stage")
)

// Snapshot is what a stage serves: a deployment, compiled with the stage's settings. It is shared between
// requests and never changes.
//
// The data plane asks for it at each request ([Service.Snapshot]: a lookup in memory), picks the canary's if there
// is one ([Snapshot.Canary]), matches ([Snapshot.Match]), and finds in the [Method] all that the request needs.
type Snapshot struct {
	APIID, APIName, Region, Account string
	Stage                           string
	DeploymentID                    string
	Endpoint                        string // type: "EDGE", "REGIONAL"

	Disabled       bool              // the execute-api endpoint is switched off; custom domains still serve
	Variables      map[string]string // stage variables; a canary's own are merged over the stage's
	MinCompression int64             // bytes from which on answers are compressed; -1: never
	KeySource      string            // where the API key of a request comes from: "HEADER" (x-api-key), "AUTHORIZER" (usageIdentifierKey)
	Policy         *policy.Compiled  // the resource policy; nil: none
	AccessLog      *AccessLog        // nil: none
	Certificate    *tls.Certificate  // the client certificate for HTTP back ends; nil: none
	Tracing        bool
	Canary         *Canary // nil: none; nil in a canary's own snapshot
	IsCanary       bool

	Resources []*Resource // those with methods, in the order of their paths
	Methods   []*Method   // Methods[i].Index == i

	root       node
	binary     []string // media types, lower case: "image/png", "image/*", "*/*"
	responses  map[string]*GatewayResponse
	byID       map[string]*Resource
	authById   map[string]*Authorizer
	memo       any
	memoFilled sync.Once
}

// AccessLog says where a stage's access log goes, and in what format ($context variables).
type AccessLog struct{ Destination, Format string }

// Canary is the release that takes a part of a stage's requests.
type Canary struct {
	Percent  float64 // of requests, 0 to 100
	Snapshot *Snapshot
}

// Resource is a path with methods.
type Resource struct {
	ID, ParentID string
	Path         string   // "/", "/pets/{id}", "/{proxy+}"
	Segments     []string // "pets", "{id}"; none for "/"
	Methods      map[string]*Method
	any          *Method
}

// Method is one method of a resource, with all that its requests need.
type Method struct {
	Index     int
	Resource  *Resource
	HTTP      string // "GET", "ANY"
	Operation string // operationName

	AuthorizationType string      // "NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS"
	Authorizer        *Authorizer // of the last two; nil: it is gone, nobody gets in
	Scopes            []string    // of COGNITO_USER_POOLS: none means ID tokens, some mean access tokens with one of them
	KeyRequired       bool

	Parameters     []Parameter // declared ones; those that are required are checked if ValidateParams
	ValidateBody   bool
	ValidateParams bool
	Models         map[string]*Model // of the request, by content type: "application/json", "$default"; see [Method.Model]
	Responses      map[string]*MethodResponse
	Integration    *Integration // nil: none; a deployment never holds such a method
	Settings       Settings
}

// Parameter is a declared parameter of a request.
type Parameter struct {
	In       string // "path", "querystring", "header"; multi-valued ones too
	Name     string
	Required bool
}

// Model is a model, compiled. A model of another content type than JSON has no schema.
type Model struct {
	Name, ContentType string
	Schema            *schema.Schema
}

// MethodResponse is a declared answer.
type MethodResponse struct {
	Status     string
	Parameters map[string]bool   // "method.response.header.X" and whether it is required
	Models     map[string]string // names of models by content type
}

// Integration is what a method leads to.
type Integration struct {
	Type        string // "AWS_PROXY", "AWS", "HTTP_PROXY", "HTTP", "MOCK"
	Method      string // of the call to the back end: "POST", "ANY" is the request's own
	URI         string // with stage variables put in; path parameters {name} still in it
	FunctionARN string // if the URI is that of a Lambda invocation; async calls by X-Amz-Invocation-Type
	Action      *AWSAction
	Credentials string // ARN of a role; "arn:aws:iam::*:user/*": the caller's own; "": resource policy decides
	Passthrough string // "WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"
	Content     string // "", "CONVERT_TO_TEXT", "CONVERT_TO_BINARY"
	Timeout     time.Duration
	Parameters  []Mapping
	Templates   map[string]string      // request templates by content type
	Responses   []*IntegrationResponse // those with a pattern in the order of their status codes, then the default
	Insecure    bool                   // certificates of the back end are not verified
	Fault       string                 // why it cannot be called, if so: a stage variable is missing, the URI is none

	CacheNamespace string
	CacheKeys      []string
}

// AWSAction is the target of an AWS integration that is not a Lambda invocation:
// arn:aws:apigateway:REGION:[SUBDOMAIN.]SERVICE:action/NAME or path/PATH.
type AWSAction struct {
	Region, Service, Subdomain string
	Action                     string // of the form action/…
	Path                       string // of the form path/…, with its slash
}

// Mapping sets one parameter of a call to the back end, or of an answer.
type Mapping struct {
	Target string // "integration.request.header.X", "method.response.header.X"; see In, Name
	In     string // "header", "querystring", "path"
	Name   string
	Source string // "method.request.header.X", "'static'", "context.…", "stageVariables.…", "integration.response.body.JSONPATH"
}

// IntegrationResponse says how an answer of the back end becomes that of the method.
type IntegrationResponse struct {
	Status     string         // of the method response
	Code       int            // the same as a number
	Pattern    *regexp.Regexp // matches the whole of the back end's status, or of a function's errorMessage; nil: the default
	Parameters []Mapping
	Templates  map[string]string
	Content    string // contentHandling
}

// Authorizer is an authorizer, compiled.
type Authorizer struct {
	ID, Name    string
	Type        string // "TOKEN", "REQUEST", "COGNITO_USER_POOLS"
	FunctionARN string // of TOKEN and REQUEST
	Credentials string // of the role that invokes the function; "": its resource policy decides
	Providers   []string
	Sources     []Source       // identity sources: one of TOKEN and COGNITO_USER_POOLS; those of REQUEST make its cache key
	Validation  *regexp.Regexp // of the token, the whole of it; nil: none. For COGNITO_USER_POOLS it is matched with the aud claim
	TTL         time.Duration  // of results; 0: they are not kept
	Fault       string         // why it cannot be called
}

// Source is one identity source.
type Source struct {
	In   string // "header", "querystring", "stageVariables", "context"
	Name string
}

// Settings are the settings of a method in a stage: its own, else those of */*.
type Settings struct {
	Metrics   bool
	Logging   string // "OFF", "ERROR", "INFO"
	DataTrace bool
	Throttle  *Throttle // nil: the account's limits
}

// Throttle bounds requests: Rate a second, after Burst at once.
type Throttle struct {
	Rate  float64
	Burst int64
}

// GatewayResponse is the answer that the gateway itself makes: to a refusal or a failure.
type GatewayResponse struct {
	Type       string
	Status     int               // 0: that of the event
	Parameters []Mapping         // Target gatewayresponse.header.X
	Templates  map[string]string // by content type
	Default    bool              // not customised
}

// Memo returns what build made of the snapshot, once, on the first call. The data plane keeps its
// compiled forms here (templates, JSON paths), so that they live as long as the snapshot.
func (s *Snapshot) Memo(build func(*Snapshot) any) any {
	s.memoFilled.Do(func() { s.memo = build(s) })
	return s.memo
}

// Response returns the gateway response for a type: its own, else that of DEFAULT_4XX or DEFAULT_5XX if it has been
// customised, else AWS's. The status is the type's unless one is set.
func (s *Snapshot) Response(typ string) *GatewayResponse { return s.responses[typ] }

// Resource returns a resource with methods by its id, nil if there is none.
func (s *Snapshot) Resource(id string) *Resource { return s.byID[id] }

// Authorizer returns an authorizer of the deployment by its id, nil if there is none.
func (s *Snapshot) Authorizer(id string) *Authorizer { return s.authById[id] }

// Binary tells whether a content type is one of the API's binary media types; its parameters do not count.
func (s *Snapshot) Binary(contentType string) bool {
	if len(s.binary) == 0 {
		return false
	}
	t := mediaType(contentType)
	for _, b := range s.binary {
		if b == "*/*" || b == t || strings.HasSuffix(b, "/*") && strings.HasPrefix(t, b[:len(b)-1]) {
			return true
		}
	}
	return false
}

func mediaType(s string) string {
	if t, _, err := mime.ParseMediaType(s); err == nil {
		return t
	}
	t, _, _ := strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// Model returns the model of a request with the content type ("": application/json), nil if there is none.
func (m *Method) Model(contentType string) *Model {
	if len(m.Models) == 0 {
		return nil
	}
	t := "application/json"
	if contentType != "" {
		t = mediaType(contentType)
	}
	if model := m.Models[t]; model != nil {
		return model
	}
	return m.Models["$default"]
}

// Path is the method's path in the form of ARNs: "GET/pets/{id}", the part of an execute-api ARN after the stage.
func (m *Method) Path() string { return m.HTTP + m.Resource.Path }

// Get returns the resource's method for an HTTP method: its own, else ANY; nil if there is neither.
func (r *Resource) Get(method string) *Method {
	if m := r.Methods[method]; m != nil {
		return m
	}
	return r.any
}

// PathParameters calls f with the name and the value of each path variable, in the path's order. p is a path that
// the resource matches.
func (r *Resource) PathParameters(p string, f func(name, value string)) {
	rest := strings.TrimPrefix(p, "/")
	for _, s := range r.Segments {
		if strings.HasSuffix(s, "+}") {
			f(s[1:len(s)-2], strings.TrimSuffix(rest, "/"))
			return
		}
		segment, next, _ := strings.Cut(rest, "/")
		if s[0] == '{' {
			f(s[1:len(s)-1], segment)
		}
		rest = next
	}
}

// ARN is the ARN of a request, for policies: method and path (which begins with a slash) are the request's own.
func (s *Snapshot) ARN(method, p string) string {
	return "arn:aws:execute-api:" + s.Region + ":" + s.Account + ":" + s.APIID + "/" + s.Stage + "/" + method + p
}

// defaultStatus holds the status codes of gateway responses. Those without one take that of the event.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
var defaultStatus = map[string]string{
	v1.GatewayResponseTypeDefault4xx: "", v1.GatewayResponseTypeDefault5xx: "",
	v1.GatewayResponseTypeAccessDenied:                 "403",
	v1.GatewayResponseTypeApiConfigurationError:        "500",
	v1.GatewayResponseTypeAuthorizerConfigurationError: "500",
	v1.GatewayResponseTypeAuthorizerFailure:            "500",
	v1.GatewayResponseTypeBadRequestBody:               "400",
	v1.GatewayResponseTypeBadRequestParameters:         "400",
	v1.GatewayResponseTypeExpiredToken:                 "403",
	v1.GatewayResponseTypeIntegrationFailure:           "504",
	v1.GatewayResponseTypeIntegrationTimeout:           "504",
	v1.GatewayResponseTypeInvalidApiKey:                "403",
	v1.GatewayResponseTypeInvalidSignature:             "403",
	v1.GatewayResponseTypeMissingAuthenticationToken:   "403",
	v1.GatewayResponseTypeQuotaExceeded:                "429",
	v1.GatewayResponseTypeRequestTooLarge:              "413",
	v1.GatewayResponseTypeResourceNotFound:             "404",
	v1.GatewayResponseTypeThrottled:                    "429",
	v1.GatewayResponseTypeUnauthorized:                 "401",
	v1.GatewayResponseTypeUnsupportedMediaType:         "415",
	v1.GatewayResponseTypeWafFiltered:                  "403",
}

// defaultTemplate is the body of a gateway response that was not customised.
const defaultTemplate = `{"message":$context.error.messageString}`

package app

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// An HTTPAPI is an HTTP API of API Gateway with one stage, $default, which is deployed at each change:
// AWS::ApiGatewayV2::Api.
type HTTPAPI struct {
	stack       *Stack
	resource    *Resource
	standard    Authorizer
	authorizers map[Authorizer]*Resource
	functions   map[string]*Function // by RouteProps.Code
	targets     map[string]*Resource // integrations by what they lead to
	routes      map[string]position  // by route key
}

// HTTPAPIProps describe an HTTP API.
type HTTPAPIProps struct {
	Name        string // STAGE-APP-ID if empty
	Description string

	// DefaultAuthorizer guards each route that names no other; nil lets everyone in.
	DefaultAuthorizer Authorizer

	Routes Routes // more can be added with AddRoute

	CORS *CORS // lets web pages of other origins call the API; nil does not

	// AccessLogs writes a line for each request to /aws/vendedlogs/apis/STACK-ID.
	AccessLogs bool
}

// Routes are routes by their route key: "GET /notes/{id}", "ANY /files/{path+}", or "$default" for all
// requests that no other route takes.
type Routes map[string]RouteProps

// RouteProps say where a route leads and who may call it. One of Function, Code and URL must be set.
type RouteProps struct {
	Function *Function // a function of its own
	Code     string    // short for a function with only this Code, shared by the routes of the API that name it
	URL      Value     // an HTTP server that gets the request, such as "https://example.com/{proxy}"

	Authorizer Authorizer // the API's default if nil
	Scopes     []string   // the token must hold one of these; JWT authorizers only

	Timeout time.Duration // of the function's or server's answer, 50 ms to 30 s; 30 s if zero

	// ID is the route's logical id; it follows from the route key if empty. It is needed only where two
	// keys differ in nothing but punctuation or case.
	ID string
}

// CORS says which web pages may call the API: see "Configuring CORS for HTTP APIs" in the API Gateway
// Developer Guide. API Gateway answers preflight requests itself.
type CORS struct {
	AllowOrigins     []string // such as https://example.com; "*" is every page
	AllowMethods     []string // all if nil
	AllowHeaders     []string // all if nil
	ExposeHeaders    []string
	AllowCredentials bool // cookies; not with the origin "*"
	MaxAge           time.Duration
}

// NewHTTPAPI adds an HTTP API.
func NewHTTPAPI(s *Stack, id string, props HTTPAPIProps) *HTTPAPI {
	api := &HTTPAPI{stack: s, standard: props.DefaultAuthorizer, authorizers: map[Authorizer]*Resource{},
		functions: map[string]*Function{}, targets: map[string]*Resource{}, routes: map[string]position{}}
	if props.Name == "" {
		props.Name = s.name + "-" + id
	}
	api.resource = s.add(id, "AWS::ApiGatewayV2::Api", Properties{"Name": props.Name, "ProtocolType": "HTTP"})
	api.resource.tagging = tagMap
	if props.Description != "" {
		api.resource.props["Description"] = props.Description
	}
	api.cors(props.CORS)
	stage := s.add(id+"DefaultStage", "AWS::ApiGatewayV2::Stage", Properties{
		"ApiId": api.ID(), "StageName": "$default", "AutoDeploy": true,
	})
	stage.tagging = tagMap
	if props.AccessLogs {
		logs := s.add(id+"AccessLogs", "AWS::Logs::LogGroup", Properties{
			"LogGroupName": "/aws/vendedlogs/apis/" + Ref("AWS::StackName") + Value("-"+id),
		})
		logs.tagging = tagList
		stage.props["AccessLogSettings"] = Properties{"DestinationArn": logs.GetAtt("Arn"), "Format": accessLog}
	}
	if api.standard == nil {
		api.standard = NoAuthorizer
	}
	api.standard.in(api)
	for _, key := range slices.Sorted(maps.Keys(props.Routes)) {
		api.AddRoute(key, props.Routes[key])
	}
	return api
}

// accessLog is the line of an access log, JSON so that Logs Insights finds its fields.
const accessLog = `{"requestTime":"$context.requestTime","requestId":"$context.requestId","httpMethod":"$context.httpMethod",` +
	`"path":"$context.path","routeKey":"$context.routeKey","status":$context.status,"responseLatency":$context.responseLatency,` +
	`"integrationStatus":"$context.integration.status","integrationError":"$context.integrationErrorMessage",` +
	`"authorizerError":"$context.authorizer.error","ip":"$context.identity.sourceIp","userAgent":"$context.identity.userAgent"}`

func (api *HTTPAPI) cors(c *CORS) {
	if c == nil {
		return
	}
	id := api.resource.id
	if len(c.AllowOrigins) == 0 {
		api.stack.errorf(id, "CORS: AllowOrigins is empty, so no page may call the API")
	}
	if c.AllowCredentials && slices.Contains(c.AllowOrigins, "*") {
		api.stack.errorf(id, "CORS: AllowCredentials does not go with the origin *")
	}
	if c.MaxAge < 0 || c.MaxAge > 24*time.Hour || c.MaxAge%time.Second != 0 {
		api.stack.errorf(id, "CORS: MaxAge is %v; it must be whole seconds up to a day", c.MaxAge)
	}
	all := func(list []string) []string {
		if list == nil {
			return []string{"*"}
		}
		return list
	}
	config := Properties{
		"AllowOrigins": c.AllowOrigins,
		"AllowMethods": all(c.AllowMethods),
		"AllowHeaders": all(c.AllowHeaders),
	}
	if c.AllowCredentials {
		config["AllowCredentials"] = true
	}
	if len(c.ExposeHeaders) > 0 {
		config["ExposeHeaders"] = c.ExposeHeaders
	}
	if c.MaxAge > 0 {
		config["MaxAge"] = int(c.MaxAge / time.Second)
	}
	api.resource.props["CorsConfiguration"] = config
}

// A Route is a route of an API.
type Route struct {
	resource *Resource
	function *Function
}

// AddRoute adds a route to the API; see [Routes] for keys.
func (api *HTTPAPI) AddRoute(key string, props RouteProps) *Route {
	s, at := api.stack, here()
	fail := func(format string, args ...any) {
		s.errorAt(at, api.resource.id, "route %q: %s", key, fmt.Sprintf(format, args...))
	}
	if err := checkRouteKey(key); err != nil {
		fail("%v", err)
	}
	if first, taken := api.routes[key]; taken {
		fail("it is already defined at %s", first)
		return &Route{resource: &Resource{id: props.ID}}
	}
	api.routes[key] = at
	id := props.ID
	if id == "" {
		id = api.resource.id + routeID(key)
	}
	authorizer := props.Authorizer
	if authorizer == nil {
		authorizer = api.standard
	}
	body := Properties{"ApiId": api.ID(), "RouteKey": key}
	maps.Copy(body, authorizer.in(api))
	if len(props.Scopes) > 0 {
		if !authorizer.takesScopes() {
			fail("Scopes need a JWT authorizer")
		}
		body["AuthorizationScopes"] = props.Scopes
	}
	if props.Timeout != 0 && (props.Timeout < 50*time.Millisecond || props.Timeout > 30*time.Second) {
		fail("Timeout is %v; it must be 50ms to 30s", props.Timeout)
	}

	route := &Route{function: props.Function}
	var target *Resource
	switch set := count(props.Function != nil, props.Code != "", props.URL != ""); {
	case set == 0:
		fail("it leads nowhere: set Function, Code or URL")
	case set > 1:
		fail("set one of Function, Code and URL, not several")
	case props.URL != "":
		target = api.proxy(key, id, props)
	default:
		if route.function == nil {
			route.function = api.function(props.Code)
		}
		target = api.lambda(route.function, props.Timeout)
	}
	if target != nil {
		body["Target"] = "integrations/" + target.Ref()
	}
	if _, taken := s.ids[id]; taken && props.ID == "" {
		fail("its id %s is already used at %s; set ID", id, s.ids[id])
		route.resource = &Resource{id: id}
		return route
	}
	route.resource = s.add(id, "AWS::ApiGatewayV2::Route", body)
	if route.function != nil {
		path := "" // of $default: every path
		if _, p, ok := strings.Cut(key, " "); ok {
			path = p
		}
		s.add(id+"Permission", typePermission, Properties{
			"Action":       "lambda:InvokeFunction",
			"FunctionName": route.function.ARN(),
			"Principal":    "apigateway.amazonaws.com",
			"SourceArn":    api.executeARN() + Value("/*/*"+path),
		})
	}
	return route
}

func count(conditions ...bool) (n int) {
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

// function is the function that routes with this Code share.
func (api *HTTPAPI) function(code string) *Function {
	f, ok := api.functions[code]
	if !ok {
		name := code
		if i := strings.LastIndexByte(name, '.'); i > strings.LastIndexByte(name, '/') {
			name = name[:i]
		}
		f = NewFunction(api.stack, api.resource.id+camel(name), FunctionProps{Code: code})
		api.functions[code] = f
	}
	return f
}

// lambda is the integration that calls a function.
func (api *HTTPAPI) lambda(f *Function, timeout time.Duration) *Resource {
	name := strings.TrimPrefix(f.resource.id, api.resource.id)
	return api.integration("function "+f.resource.id, name, timeout, Properties{
		"IntegrationType":      "AWS_PROXY",
		"IntegrationUri":       f.ARN(),
		"PayloadFormatVersion": "2.0",
	})
}

// proxy is the integration that passes requests on to another HTTP server.
func (api *HTTPAPI) proxy(key, id string, props RouteProps) *Resource {
	method := "ANY"
	if m, _, ok := strings.Cut(key, " "); ok {
		method = m
	}
	return api.integration("url "+key, strings.TrimPrefix(id, api.resource.id), props.Timeout, Properties{
		"IntegrationType":      "HTTP_PROXY",
		"IntegrationMethod":    method,
		"IntegrationUri":       props.URL,
		"PayloadFormatVersion": "1.0",
	})
}

func (api *HTTPAPI) integration(target, name string, timeout time.Duration, props Properties) *Resource {
	suffix := "Integration"
	if timeout != 0 {
		ms := timeout.Milliseconds()
		target, suffix = fmt.Sprint(target, ms), fmt.Sprintf("Integration%dms", ms)
		props["TimeoutInMillis"] = ms
	}
	r, ok := api.targets[target]
	if !ok {
		props["ApiId"] = api.ID()
		r = api.stack.add(api.resource.id+name+suffix, "AWS::ApiGatewayV2::Integration", props)
		api.targets[target] = r
	}
	return r
}

var (
	methods   = []string{"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
	parameter = regexp.MustCompile(`^\{[A-Za-z0-9._:-]+\+?\}$`)
)

// checkRouteKey follows "Create routes for HTTP APIs" of the API Gateway Developer Guide.
func checkRouteKey(key string) error {
	if key == "$default" {
		return nil
	}
	method, path, ok := strings.Cut(key, " ")
	switch {
	case !ok || !strings.HasPrefix(path, "/"):
		return fmt.Errorf("a route key is a method and a path, such as %q, or $default", "GET /notes/{id}")
	case !slices.Contains(methods, method):
		return fmt.Errorf("there is no method %s; there are %s", method, strings.Join(methods, ", "))
	case strings.ContainsAny(path, " ?#"):
		return fmt.Errorf("a path has no spaces, ? or #")
	}
	segments := strings.Split(path[1:], "/")
	seen := map[string]bool{}
	for i, seg := range segments {
		switch {
		case seg == "" && i < len(segments)-1:
			return fmt.Errorf("the path has an empty segment")
		case !strings.ContainsAny(seg, "{}"):
		case !parameter.MatchString(seg):
			return fmt.Errorf("%s: a parameter is a whole segment, {name} or {name+}", seg)
		case strings.HasSuffix(seg, "+}") && i < len(segments)-1:
			return fmt.Errorf("%s takes the rest of the path, so it must be the last segment", seg)
		}
		if name := strings.Trim(seg, "{+}"); strings.HasPrefix(seg, "{") {
			if seen[name] {
				return fmt.Errorf("two parameters are called %s", name)
			}
			seen[name] = true
		}
	}
	return nil
}

// routeID names a route for people: "GET /notes/{id}" is GetNotesById, "ANY /" is AnyRoot.
func routeID(key string) string {
	method, path, ok := strings.Cut(key, " ")
	if !ok {
		return "DefaultRoute"
	}
	id := camel(strings.ToLower(method))
	if path == "/" {
		return id + "Root"
	}
	for _, seg := range strings.Split(path, "/") {
		if strings.HasPrefix(seg, "{") {
			id += "By"
		}
		id += camel(seg)
	}
	return id
}

// camel turns text into letters and digits: "functions/send-mail" is FunctionsSendMail.
func camel(text string) string {
	var b strings.Builder
	up := true
	for _, r := range text {
		switch {
		case r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r):
			up = true
		case up:
			b.WriteRune(unicode.ToUpper(r))
			up = false
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// ID is the API's id, ten letters and digits.
func (api *HTTPAPI) ID() Value { return api.resource.Ref() }

// URL is where the API is, without a slash at the end.
func (api *HTTPAPI) URL() Value { return api.resource.GetAtt("ApiEndpoint") }

func (api *HTTPAPI) executeARN() Value {
	return "arn:" + Partition() + ":execute-api:" + Region() + ":" + AccountID() + ":" + api.ID()
}

// ARN is the ARN of a route, for policies that allow execute-api:Invoke; see [Routes] for keys. A
// parameter and what follows it become *.
func (api *HTTPAPI) ARN(key string) Value {
	if err := checkRouteKey(key); err != nil {
		api.stack.errorf(api.resource.id, "route %q: %v", key, err)
	}
	method, path, ok := strings.Cut(key, " ")
	if !ok {
		method, path = "*", "/*"
	}
	if method == "ANY" {
		method = "*"
	}
	if before, _, found := strings.Cut(path, "{"); found {
		path = before + "*"
	}
	return api.executeARN() + Value("/*/"+method+path)
}

// Resource is the API in the template.
func (api *HTTPAPI) Resource() *Resource { return api.resource }

// Function is the function that the route calls, nil if it leads elsewhere.
func (r *Route) Function() *Function { return r.function }

// Resource is the route in the template.
func (r *Route) Resource() *Resource { return r.resource }

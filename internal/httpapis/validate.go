package httpapis

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Quotas: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	minTimeout, maxTimeout = 50, 30000 // of an integration, in milliseconds
	maxAudiences           = 50
	maxScopes              = 10
	maxStageVariables      = 100
	maxLogFormat           = 3 << 10
)

var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"}

func checkAPI(selection, keySelection *string, noSchema *bool, cors *v2.Cors) error {
	if s := shape.Val(selection); s != "" && s != routeSelection && s != "${request.method} ${request.path}" {
		return bad("Invalid route selection expression specified: an HTTP API has %s", routeSelection)
	}
	if s := shape.Val(keySelection); s != "" && s != apiKeySelection {
		return bad("ApiKeySelectionExpression is only supported for APIs with protocol type WEBSOCKET")
	}
	if shape.Val(noSchema) {
		return bad("DisableSchemaValidation is only supported for APIs with protocol type WEBSOCKET")
	}
	if cors == nil {
		return nil
	}
	if shape.Val(cors.AllowCredentials) && slices.Contains(cors.AllowOrigins, "*") {
		return bad("Invalid CORS configuration: allowCredentials cannot be true if allowOrigins contains *")
	}
	for _, o := range cors.AllowOrigins {
		if o != "*" && !strings.Contains(o, "://") {
			return bad("Invalid format for origin %s. Only * and origins with a scheme are allowed", o)
		}
	}
	for _, m := range cors.AllowMethods {
		if m != "*" && (m == "ANY" || !slices.Contains(methods, m)) {
			return bad("Invalid value %s for allowMethods", m)
		}
	}
	if age := shape.Val(cors.MaxAge); age < -1 || age > 86400 {
		return bad("Invalid value %d for maxAge: it must be between -1 and 86400", age)
	}
	return nil
}

// webSocketRoute refuses what only routes of WebSocket APIs have.
func webSocketRoute(key *bool, model *string, models map[string]string, params map[string]v2.ParameterConstraints, response *string) error {
	only := func(name string) error {
		return bad("%s is only supported for routes of APIs with protocol type WEBSOCKET", name)
	}
	switch {
	case shape.Val(key):
		return only("ApiKeyRequired")
	case shape.Val(model) != "":
		return only("ModelSelectionExpression")
	case len(models) > 0:
		return only("RequestModels")
	case len(params) > 0:
		return only("RequestParameters")
	case shape.Val(response) != "":
		return only("RouteResponseSelectionExpression")
	}
	return nil
}

const badRouteKey = `The provided route key is not formatted properly for HTTP protocol. Format should be "<HTTP METHOD> /<RESOURCE PATH>" or "$default"`

var pathVariable = regexp.MustCompile(`^\{[a-zA-Z0-9._:-]+\+?\}$`)

// parseRouteKey splits a route key into method and the segments of its path. $default has none.
func parseRouteKey(key string) (method string, segments []string, err error) {
	if key == defaultName {
		return "", nil, nil
	}
	method, path, ok := strings.Cut(key, " ")
	if !ok || !slices.Contains(methods, method) || !strings.HasPrefix(path, "/") || len(key) > 1024 {
		return "", nil, bad(badRouteKey)
	}
	if path == "/" {
		return method, nil, nil
	}
	segments = strings.Split(path[1:], "/")
	seen := map[string]bool{}
	for i, s := range segments {
		if s == "" {
			return "", nil, bad("The provided route key has an empty path segment: %s", key)
		}
		if !strings.ContainsAny(s, "{}") {
			if strings.ContainsAny(s, " ?#%\\\"") {
				return "", nil, bad(badRouteKey)
			}
			continue
		}
		name := strings.Trim(s, "{+}")
		switch {
		case !pathVariable.MatchString(s):
			return "", nil, bad("The path segment %s of the provided route key is not a path variable: a variable is a whole segment, {name} or {name+}", s)
		case strings.HasSuffix(s, "+}") && i < len(segments)-1:
			return "", nil, bad("The greedy path variable %s must be at the end of the path", s)
		case seen[name]:
			return "", nil, bad("The provided route key names the path variable %s twice", name)
		}
		seen[name] = true
	}
	return method, segments, nil
}

// checkRoute normalises a route and checks it against the API's other parts.
func checkRoute(tx *store.Tx, apiID string, r *route) error {
	if _, _, err := parseRouteKey(shape.Val(r.RouteKey)); err != nil {
		return err
	}
	if shape.Val(r.AuthorizationType) == "" {
		r.AuthorizationType = shape.Ptr(v2.AuthorizationTypeNone)
	}
	r.AuthorizerId = opt(shape.Val(r.AuthorizerId))
	r.Target = opt(shape.Val(r.Target))
	if len(r.AuthorizationScopes) == 0 {
		r.AuthorizationScopes = nil
	}
	switch *r.AuthorizationType {
	case v2.AuthorizationTypeNone:
		if r.AuthorizerId != nil {
			return bad("An authorizer ID was specified, but the authorization type of the route is NONE")
		}
	case v2.AuthorizationTypeJwt:
		if err := checkRouteAuthorizer(tx, apiID, r, v2.AuthorizerTypeJwt, "Invalid authorizer ID specified. Setting the authorization type to JWT requires a valid JWT authorizer."); err != nil {
			return err
		}
	case v2.AuthorizationTypeAwsIam:
		if r.AuthorizerId != nil {
			return bad("An authorizer ID was specified, but the authorization type of the route is AWS_IAM")
		}
	case v2.AuthorizationTypeCustom:
		if err := checkRouteAuthorizer(tx, apiID, r, v2.AuthorizerTypeRequest, "Invalid authorizer ID specified. Setting the authorization type to CUSTOM requires a valid REQUEST authorizer."); err != nil {
			return err
		}
	default:
		return bad("Invalid authorization type specified: %s", *r.AuthorizationType)
	}
	if r.AuthorizationScopes != nil && *r.AuthorizationType != v2.AuthorizationTypeJwt {
		return bad("Authorization scopes can only be set on a route with a JWT authorizer")
	}
	if len(r.AuthorizationScopes) > maxScopes {
		return bad("A route can have at most %d authorization scopes", maxScopes)
	}
	if r.Target == nil {
		return nil
	}
	id, ok := strings.CutPrefix(*r.Target, "integrations/")
	if !ok {
		return bad("Invalid target specified: %s. The target of a route has the form integrations/INTEGRATION_ID", *r.Target)
	}
	if _, err := integrations.Get(tx, apiID+"/"+id); err != nil {
		return missing(err, "Integration")
	}
	return nil
}

// checkRouteAuthorizer checks that a route's authorizer exists and is of the type.
func checkRouteAuthorizer(tx *store.Tx, apiID string, r *route, kind, invalid string) error {
	if r.AuthorizerId == nil {
		return bad("%s", invalid)
	}
	z, err := authorizers.Get(tx, apiID+"/"+*r.AuthorizerId)
	if err != nil && missing(err, "") == err {
		return err
	}
	if err != nil || shape.Val(z.AuthorizerType) != kind {
		return bad("%s", invalid)
	}
	return nil
}

const onlyProxies = "Currently, an API with a protocol type of HTTP may only be associated with proxy integrations (AWS_PROXY, HTTP_PROXY)"

// checkIntegration normalises and checks an integration.
func checkIntegration(i *integration) error {
	kind := shape.Val(i.IntegrationType)
	switch {
	case kind != v2.IntegrationTypeAwsProxy && kind != v2.IntegrationTypeHttpProxy:
		return bad(onlyProxies)
	case shape.Val(i.ConnectionType) == v2.ConnectionTypeVpcLink || shape.Val(i.ConnectionId) != "":
		return unsupported("Private integrations (connection type VPC_LINK) are")
	case shape.Val(i.IntegrationSubtype) != "":
		return unsupported("AWS service integrations (integration subtype " + *i.IntegrationSubtype + ") are")
	case i.TlsConfig != nil:
		return unsupported("TlsConfig of integrations is")
	}
	if name := shape.Given(map[string]bool{"ContentHandlingStrategy": shape.Val(i.ContentHandlingStrategy) != "", "PassthroughBehavior": shape.Val(i.PassthroughBehavior) != "",
		"RequestTemplates": len(i.RequestTemplates) > 0, "TemplateSelectionExpression": shape.Val(i.TemplateSelectionExpression) != ""}); name != "" {
		return bad("%s is only supported for integrations of APIs with protocol type WEBSOCKET", name)
	}
	if err := checkMappings(i); err != nil {
		return err
	}
	i.RequestTemplates = nil
	if len(i.RequestParameters) == 0 {
		i.RequestParameters = nil
	}
	if len(i.ResponseParameters) == 0 {
		i.ResponseParameters = nil
	}
	i.CredentialsArn = opt(shape.Val(i.CredentialsArn))
	if i.ConnectionType == nil {
		i.ConnectionType = shape.Ptr(v2.ConnectionTypeInternet)
	}
	if i.TimeoutInMillis == nil {
		i.TimeoutInMillis = shape.Ptr[int64](maxTimeout)
	}
	if t := *i.TimeoutInMillis; t < minTimeout || t > maxTimeout {
		return bad("Timeout should be between %d ms and %d ms", minTimeout, maxTimeout)
	}
	version := shape.Val(i.PayloadFormatVersion)
	switch {
	case version == "":
		return bad("PayloadFormatVersion is a required parameter for integration")
	case version != "1.0" && version != "2.0", version == "2.0" && kind == v2.IntegrationTypeHttpProxy:
		return bad("Invalid payload format version specified: %s", version)
	}
	if c := shape.Val(i.CredentialsArn); c != "" && c != CallerCredentials {
		if !isRole(c) && !strings.Contains(c, stageVariable) {
			return bad("Invalid credentials ARN specified: %s. It must be the ARN of a role, or %s for the caller's own credentials", c, CallerCredentials)
		}
	}
	uri := shape.Val(i.IntegrationUri)
	if kind == v2.IntegrationTypeAwsProxy {
		if _, ok := functionARN(uri); !ok && !strings.Contains(uri, stageVariable) {
			return bad("Invalid function ARN or invalid uri")
		}
		i.IntegrationMethod = shape.Ptr("POST")
		return nil
	}
	if !slices.Contains(methods, shape.Val(i.IntegrationMethod)) {
		return bad("HttpMethod must be specified for integration type HTTP_PROXY, one of %s", strings.Join(methods, ", "))
	}
	if !strings.Contains(uri, stageVariable) {
		if _, err := endpoint(uri); err != nil {
			return err
		}
	}
	return nil
}

// CallerCredentials, as an integration's CredentialsArn, says that its function is invoked with the
// credentials of who called the API.
const CallerCredentials = "arn:aws:iam::*:user/*"

// isRole tells whether s is the ARN of a role.
func isRole(s string) bool {
	a, err := arn.Parse(s)
	return err == nil && a.Service == "iam" && strings.HasPrefix(a.Resource, "role/")
}

const stageVariable = "${stageVariables."

// functionARN returns the ARN of the function that an integration's URI names, itself or within
// arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations.
func functionARN(uri string) (string, bool) {
	if a, err := arn.Parse(uri); err == nil && a.Service == "apigateway" && a.Account == "lambda" {
		inner, ok := strings.CutPrefix(a.Resource, "path/2015-03-31/functions/")
		if !ok {
			return "", false
		}
		if uri, ok = strings.CutSuffix(inner, "/invocations"); !ok {
			return "", false
		}
	}
	a, err := arn.Parse(uri)
	name, ok := strings.CutPrefix(a.Resource, "function:")
	return uri, err == nil && ok && name != "" && a.Service == "lambda" && a.Region != "" && a.Account != "" && !strings.ContainsAny(name, "/*")
}

// endpoint checks the URI of an HTTP_PROXY integration.
func endpoint(uri string) (*url.URL, error) {
	u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(uri))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, bad("Invalid HTTP endpoint specified for URI")
	}
	return u, nil
}

// loopback tells whether a host is this machine: a local pool's own issuer is plain HTTP.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// word tells whether s is made of letters, digits and the characters of others, and no longer than longest.
func word(s, others string, longest int) bool {
	return s != "" && len(s) <= longest && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(others, r))
	})
}

func checkStage(st *stage) error {
	if n := shape.Val(st.StageName); n != defaultName && !word(n, "_-", 128) {
		return bad("Stage name only allows a-zA-Z0-9_- and $default")
	}
	if shape.Val(st.ClientCertificateId) != "" {
		return bad("ClientCertificateId is only supported for stages of APIs with protocol type WEBSOCKET")
	}
	if len(st.StageVariables) > maxStageVariables {
		return bad("A stage can have at most %d stage variables", maxStageVariables)
	}
	for k, v := range st.StageVariables {
		if !word(k, "_", 64) || len(v) > 512 {
			return bad("Invalid stage variable specified: %s", k)
		}
	}
	if l := st.AccessLogSettings; l != nil {
		a, err := arn.Parse(shape.Val(l.DestinationArn))
		if err != nil || a.Service != "logs" || !strings.HasPrefix(a.Resource, "log-group:") {
			return bad("Invalid ARN specified in the request. The destination of access logs must be a CloudWatch log group: %s", shape.Val(l.DestinationArn))
		}
		if f := shape.Val(l.Format); f == "" || len(f) > maxLogFormat || !strings.Contains(f, "$context.requestId") && !strings.Contains(f, "$context.extendedRequestId") {
			return bad("Access Log format must be single line, new line character is allowed only at end of the format, it must be at most %d bytes and must contain $context.requestId", maxLogFormat)
		}
	}
	if err := checkSettings(st.DefaultRouteSettings); err != nil {
		return err
	}
	for key, r := range st.RouteSettings {
		if _, _, err := parseRouteKey(key); err != nil {
			return err
		}
		if err := checkSettings(&r); err != nil {
			return err
		}
	}
	return nil
}

func checkSettings(r *v2.RouteSettings) error {
	switch {
	case r == nil:
	case shape.Val(r.DataTraceEnabled):
		return bad("Execution logs are not supported on protocol type HTTP")
	case shape.Val(r.LoggingLevel) != "" && *r.LoggingLevel != v2.LoggingLevelOff:
		return bad("Execution logs are not supported on protocol type HTTP")
	case shape.Val(r.ThrottlingBurstLimit) < 0 || shape.Val(r.ThrottlingRateLimit) < 0:
		return bad("Throttling limits must not be negative")
	}
	return nil
}

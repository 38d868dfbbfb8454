package restapis

import (
	"context"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

const (
	minTimeout, maxTimeout = 50, 29000 // milliseconds
	maxTemplate            = 300 << 10 // bytes of a mapping template
	callerCredentials      = "arn:aws:iam::*:user/*"
	whenNoMatch            = "WHEN_NO_MATCH"
)

var (
	integrationParameter = regexp.MustCompile(`^integration\.request\.(path|querystring|header)\.[a-zA-Z0-9._$!#%&'*+^|~\x60-]+$`)
	roleARN              = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}|\*):(role|user)/.+$`)
)

// checkIntegration holds an integration against AWS's rules, and completes it.
func checkIntegration(r *v1.Resource, m *v1.Method, i *v1.Integration) error {
	if shape.Val(i.ConnectionType) == v1.ConnectionTypeVpcLink || shape.Val(i.ConnectionId) != "" || shape.Val(i.IntegrationTarget) != "" {
		return unsupported("Connection type VPC_LINK is")
	}
	if shape.Val(i.ResponseTransferMode) == v1.ResponseTransferModeStream {
		return unsupported("Response transfer mode STREAM is")
	}
	i.PassthroughBehavior = or(i.PassthroughBehavior, whenNoMatch)
	if !slices.Contains([]string{whenNoMatch, "WHEN_NO_TEMPLATES", "NEVER"}, *i.PassthroughBehavior) {
		return bad("Invalid passthrough behavior specified. Must be one of: [NEVER, WHEN_NO_MATCH, WHEN_NO_TEMPLATES]")
	}
	i.TimeoutInMillis = or(i.TimeoutInMillis, maxTimeout)
	if t := *i.TimeoutInMillis; t < minTimeout || t > maxTimeout {
		return bad("Timeout should be between %d ms and %d ms", minTimeout, maxTimeout)
	}
	i.CacheNamespace = or(i.CacheNamespace, *r.Id)
	if i.CacheKeyParameters == nil {
		i.CacheKeyParameters = []string{}
	}
	if c := shape.Val(i.Credentials); c != "" && !strings.Contains(c, stageVariable) && !roleARN.MatchString(c) {
		return bad("Invalid ARN specified in the request")
	}
	if err := checkTarget(i); err != nil {
		return err
	}
	if err := checkTemplates(i.RequestTemplates); err != nil {
		return err
	}
	for _, to := range slices.Sorted(maps.Keys(i.RequestParameters)) {
		if !integrationParameter.MatchString(to) {
			return invalidMapping(to)
		}
		if err := checkSource(m, i.RequestParameters[to]); err != nil {
			return err
		}
	}
	for _, k := range i.CacheKeyParameters {
		if strings.HasPrefix(k, "method.request.") {
			if err := checkSource(m, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkTemplates bounds mapping templates; whether they can be read is seen when they are used.
func checkTemplates(byType map[string]string) error {
	for _, t := range sortedKeys(byType) {
		if len(byType[t]) > maxTemplate {
			return v1.LimitExceededException("Mapping template for content type %s is too large: at most %d bytes are allowed", t, maxTemplate)
		}
	}
	return nil
}

// checkTarget checks the URI and the method of the call to the back end.
func checkTarget(i *v1.Integration) error {
	uri, method := shape.Val(i.Uri), shape.Val(i.HttpMethod)
	typ := shape.Val(i.Type)
	if typ == v1.IntegrationTypeMock {
		return nil
	}
	if method == "" {
		return bad("Enumeration value for HttpMethod must be non-empty")
	}
	if !slices.Contains(httpMethods, method) {
		return bad("Invalid HttpMethod specified. Valid options are %s", strings.Join(httpMethods, ","))
	}
	plain := uri
	for strings.Contains(plain, stageVariable) { // any value will do here
		before, after, _ := strings.Cut(plain, stageVariable)
		_, rest, ok := strings.Cut(after, "}")
		if !ok {
			return bad("Invalid stage variable reference in the integration's URI: %s", uri)
		}
		plain = before + "x" + rest
	}
	switch typ {
	case v1.IntegrationTypeHttp, v1.IntegrationTypeHttpProxy:
		u, err := url.Parse(plain)
		whole := strings.HasPrefix(uri, stageVariable) // the variable has the scheme as well
		if err != nil || !whole && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return bad("Invalid HTTP endpoint specified for URI")
		}
		return nil
	case v1.IntegrationTypeAws, v1.IntegrationTypeAwsProxy:
	default:
		return bad("Invalid integration type specified: %s", typ)
	}
	if !strings.HasPrefix(plain, "arn:") {
		return bad("Invalid ARN specified in the request")
	}
	action, ok := awsAction(plain)
	if !ok {
		return bad("AWS ARN for integration must contain path or action")
	}
	_, isFunction := functionARN(plain)
	if action.Service == "lambda" && !isFunction && !strings.Contains(uri, stageVariable) {
		return bad("Invalid ARN specified in the request")
	}
	if typ == v1.IntegrationTypeAwsProxy && action.Service != "lambda" {
		return bad("Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.")
	}
	if action.Service != "lambda" && !strings.Contains(uri, stageVariable) {
		return bad("AWS integrations with services other than Lambda are not supported by Gatehouse yet: %s", uri)
	}
	return nil
}

func invalidMapping(p string) error {
	return bad("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", p)
}

// checkSource checks what the value of a request parameter comes from. A parameter of the method must be declared.
func checkSource(m *v1.Method, source string) error {
	switch {
	case strings.HasPrefix(source, "'") && strings.HasSuffix(source, "'") && len(source) >= 2:
	case strings.HasPrefix(source, "context."), strings.HasPrefix(source, "stageVariables."):
	case source == "method.request.body", strings.HasPrefix(source, "method.request.body."), strings.HasPrefix(source, "method.request.body["):
	case requestParameter.MatchString(source):
		single := strings.Replace(source, ".multivalue", ".", 1)
		in, name := parameter(source)
		_, ok := m.RequestParameters[source]
		_, okSingle := m.RequestParameters[single]
		_, okMulti := m.RequestParameters["method.request.multivalue"+in+"."+name]
		if !ok && !okSingle && !okMulti {
			return bad("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: %s]", source)
		}
	default:
		return invalidMapping(source)
	}
	return nil
}

func (s *Service) PutIntegration(ctx context.Context, in *v1.PutIntegrationRequest) (*v1.Integration, error) {
	i := &v1.Integration{Type: &in.Type, HttpMethod: in.IntegrationHttpMethod, Uri: in.Uri, ConnectionType: in.ConnectionType, ConnectionId: in.ConnectionId,
		Credentials: opt(shape.Val(in.Credentials)), RequestParameters: in.RequestParameters, RequestTemplates: in.RequestTemplates,
		PassthroughBehavior: in.PassthroughBehavior, CacheNamespace: in.CacheNamespace, CacheKeyParameters: in.CacheKeyParameters,
		ContentHandling: in.ContentHandling, TimeoutInMillis: in.TimeoutInMillis, TlsConfig: in.TlsConfig, ResponseTransferMode: in.ResponseTransferMode,
		IntegrationTarget: in.IntegrationTarget}
	err := s.withMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *store.Tx, r *v1.Resource, m *v1.Method) error {
		m.MethodIntegration = i
		return checkIntegration(r, m, i)
	})
	if err != nil {
		return nil, err
	}
	return i, nil
}

// getIntegration returns a method's integration, which may be changed.
func getIntegration(m *v1.Method) (*v1.Integration, error) {
	if m.MethodIntegration == nil {
		return nil, v1.NotFoundException("Invalid Integration identifier specified")
	}
	return m.MethodIntegration, nil
}

func (s *Service) GetIntegration(ctx context.Context, in *v1.GetIntegrationRequest) (*v1.Integration, error) {
	m, err := s.readMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	return getIntegration(m)
}

// integrationFields is what can be patched of an integration.
var integrationFields = []field[v1.Integration]{
	{"/cacheKeyParameters", "add remove replace", setElement(func(i *v1.Integration) *[]string { return &i.CacheKeyParameters })},
	{"/cacheKeyParameters/{name+}", "add remove replace", setElement(func(i *v1.Integration) *[]string { return &i.CacheKeyParameters })},
	{"/cacheNamespace", "replace", setText(func(i *v1.Integration) **string { return &i.CacheNamespace })},
	{"/connectionId", "replace", setText(func(i *v1.Integration) **string { return &i.ConnectionId })},
	{"/connectionType", "replace", setEnum(func(i *v1.Integration) **string { return &i.ConnectionType }, "INTERNET", "VPC_LINK")},
	{"/contentHandling", "add remove replace", setContent(func(i *v1.Integration) **string { return &i.ContentHandling })},
	{"/credentials", "add remove replace", setText(func(i *v1.Integration) **string { return &i.Credentials })},
	{"/httpMethod", "replace", setText(func(i *v1.Integration) **string { return &i.HttpMethod })},
	{"/integrationTarget", "replace", setText(func(i *v1.Integration) **string { return &i.IntegrationTarget })},
	{"/passthroughBehavior", "replace", setName(func(i *v1.Integration) **string { return &i.PassthroughBehavior })},
	{"/requestParameters/{name+}", "add remove replace", setKey(func(i *v1.Integration) *map[string]string { return &i.RequestParameters })},
	{"/requestTemplates/{contentType+}", "add remove replace", setKey(func(i *v1.Integration) *map[string]string { return &i.RequestTemplates })},
	{"/responseTransferMode", "replace", setEnum(func(i *v1.Integration) **string { return &i.ResponseTransferMode }, "BUFFERED", "STREAM")},
	{"/timeoutInMillis", "replace", setInt(func(i *v1.Integration) **int64 { return &i.TimeoutInMillis })},
	{"/tlsConfig/insecureSkipVerification", "add remove replace", func(i *v1.Integration, p patch) (err error) {
		if p.removes() {
			i.TlsConfig = nil
			return nil
		}
		i.TlsConfig = &v1.TlsConfig{}
		i.TlsConfig.InsecureSkipVerification, err = p.boolean()
		return err
	}},
	{"/type", "replace", setEnum(func(i *v1.Integration) **string { return &i.Type }, "AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK")},
	{"/uri", "replace", setText(func(i *v1.Integration) **string { return &i.Uri })},
}

// setContent patches contentHandling, where nothing means to pass through.
func setContent[T any](at func(*T) **string) func(*T, patch) error {
	return func(v *T, p patch) (err error) {
		if p.removes() || p.value == "" {
			*at(v) = nil
			return nil
		}
		*at(v), err = p.enum("CONVERT_TO_BINARY", "CONVERT_TO_TEXT")
		return err
	}
}

func (s *Service) UpdateIntegration(ctx context.Context, in *v1.UpdateIntegrationRequest) (out *v1.Integration, err error) {
	err = s.withMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *store.Tx, r *v1.Resource, m *v1.Method) error {
		if out, err = getIntegration(m); err != nil {
			return err
		}
		if err := apply(integrationFields, out, in.PatchOperations); err != nil {
			return err
		}
		return checkIntegration(r, m, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) DeleteIntegration(ctx context.Context, in *v1.DeleteIntegrationRequest) (*v1.DeleteIntegrationResponse, error) {
	err := s.withMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *store.Tx, _ *v1.Resource, m *v1.Method) error {
		_, err := getIntegration(m)
		m.MethodIntegration = nil
		return err
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteIntegrationResponse{}, nil
}

// checkIntegrationResponse holds a response of an integration against the method's.
func checkIntegrationResponse(m *v1.Method, r *v1.IntegrationResponse) error {
	mr, ok := m.MethodResponses[*r.StatusCode]
	if !ok {
		return noResponse()
	}
	if p := shape.Val(r.SelectionPattern); p != "" {
		if _, err := regexp.Compile(`^(?:` + p + `)$`); err != nil {
			return bad("Invalid selection pattern specified: %s. Look-around and back references are not supported by Gatehouse: %v", p, err)
		}
	}
	if err := checkTemplates(r.ResponseTemplates); err != nil {
		return err
	}
	for _, to := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
		if !responseParameter.MatchString(to) {
			return invalidMapping(to)
		}
		_, ok := mr.ResponseParameters[to]
		_, okSingle := mr.ResponseParameters[strings.Replace(to, ".multivalue", ".", 1)]
		if !ok && !okSingle {
			return bad("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: %s]", to)
		}
		switch from := r.ResponseParameters[to]; {
		case strings.HasPrefix(from, "'") && strings.HasSuffix(from, "'") && len(from) >= 2:
		case strings.HasPrefix(from, "integration.response.header."), strings.HasPrefix(from, "integration.response.multivalueheader."):
		case from == "integration.response.body", strings.HasPrefix(from, "integration.response.body."), strings.HasPrefix(from, "integration.response.body["):
		case strings.HasPrefix(from, "context."), strings.HasPrefix(from, "stageVariables."):
		default:
			return invalidMapping(from)
		}
	}
	return nil
}

func (s *Service) PutIntegrationResponse(ctx context.Context, in *v1.PutIntegrationResponseRequest) (*v1.IntegrationResponse, error) {
	r := &v1.IntegrationResponse{StatusCode: &in.StatusCode, SelectionPattern: in.SelectionPattern, ResponseParameters: in.ResponseParameters,
		ResponseTemplates: in.ResponseTemplates, ContentHandling: in.ContentHandling}
	err := s.withMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *store.Tx, _ *v1.Resource, m *v1.Method) error {
		i, err := getIntegration(m)
		if err != nil {
			return err
		}
		if err := checkIntegrationResponse(m, r); err != nil {
			return err
		}
		i.IntegrationResponses = merged(i.IntegrationResponses, map[string]v1.IntegrationResponse{in.StatusCode: *r})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// integrationResponse returns a response of a method's integration.
func integrationResponse(m *v1.Method, status string) (*v1.Integration, *v1.IntegrationResponse, error) {
	i, err := getIntegration(m)
	if err != nil {
		return nil, nil, err
	}
	r, ok := i.IntegrationResponses[status]
	if !ok {
		return nil, nil, noResponse()
	}
	return i, &r, nil
}

func (s *Service) GetIntegrationResponse(ctx context.Context, in *v1.GetIntegrationResponseRequest) (*v1.IntegrationResponse, error) {
	m, err := s.readMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	_, r, err := integrationResponse(m, in.StatusCode)
	return r, err
}

// integrationResponseFields is what can be patched of an integration response.
var integrationResponseFields = []field[v1.IntegrationResponse]{
	{"/contentHandling", "add remove replace", setContent(func(r *v1.IntegrationResponse) **string { return &r.ContentHandling })},
	{"/responseParameters/{name+}", "add remove replace", setKey(func(r *v1.IntegrationResponse) *map[string]string { return &r.ResponseParameters })},
	{"/responseTemplates/{contentType+}", "add remove replace", setKey(func(r *v1.IntegrationResponse) *map[string]string { return &r.ResponseTemplates })},
	{"/selectionPattern", "add remove replace", setText(func(r *v1.IntegrationResponse) **string { return &r.SelectionPattern })},
}

func (s *Service) UpdateIntegrationResponse(ctx context.Context, in *v1.UpdateIntegrationResponseRequest) (out *v1.IntegrationResponse, err error) {
	err = s.withMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *store.Tx, _ *v1.Resource, m *v1.Method) error {
		i, r, err := integrationResponse(m, in.StatusCode)
		if err != nil {
			return err
		}
		if err := apply(integrationResponseFields, r, in.PatchOperations); err != nil {
			return err
		}
		i.IntegrationResponses[in.StatusCode], out = *r, r
		return checkIntegrationResponse(m, r)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) DeleteIntegrationResponse(ctx context.Context, in *v1.DeleteIntegrationResponseRequest) (*v1.DeleteIntegrationResponseResponse, error) {
	err := s.withMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *store.Tx, _ *v1.Resource, m *v1.Method) error {
		i, _, err := integrationResponse(m, in.StatusCode)
		if err != nil {
			return err
		}
		delete(i.IntegrationResponses, in.StatusCode)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteIntegrationResponseResponse{}, nil
}

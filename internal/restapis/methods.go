package restapis

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// The authorization types of methods; the model has no enum of them.
const (
	authNone    = "NONE"
	authIAM     = "AWS_IAM"
	authCustom  = "CUSTOM"
	authCognito = "COGNITO_USER_POOLS"
)

var httpMethods = []string{"GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "ANY"}

var (
	requestParameter  = regexp.MustCompile(`^method\.request\.(path|querystring|header|multivaluequerystring|multivalueheader)\.[a-zA-Z0-9._$!#%&'*+^|~\x60-]+$`)
	responseParameter = regexp.MustCompile(`^method\.response\.(header|multivalueheader)\.[a-zA-Z0-9._$!#%&'*+^|~\x60-]+$`)
	statusCode        = regexp.MustCompile(`^[1-5]\d\d$`)
)

// checkMethod holds a method against AWS's rules. The things that it refers to must exist.
func checkMethod(tx *store.Tx, apiID string, m *v1.Method) error {
	if !slices.Contains(httpMethods, *m.HttpMethod) {
		return bad("Invalid HttpMethod specified. Valid options are %s", strings.Join(httpMethods, ","))
	}
	switch t := shape.Val(m.AuthorizationType); t {
	case authNone, authIAM:
		m.AuthorizerId, m.AuthorizationScopes = nil, nil
	case authCustom, authCognito:
		const invalid = "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer."
		if shape.Val(m.AuthorizerId) == "" {
			return bad(invalid)
		}
		z, err := authorizers.Get(tx, apiID+"/"+*m.AuthorizerId)
		if err != nil {
			if v1err := missing(err, "Authorizer"); v1err != err {
				return bad(invalid)
			}
			return err
		}
		if (*z.Type == v1.AuthorizerTypeCognitoUserPools) != (t == authCognito) {
			return bad("Invalid authorization type specified: %s. The authorizer %s is of type %s", t, *m.AuthorizerId, *z.Type)
		}
		if t == authCustom && len(m.AuthorizationScopes) > 0 {
			return bad("Authorization scopes are only supported for methods with authorization type COGNITO_USER_POOLS")
		}
	default:
		return bad("Invalid authorization type specified: %s. Valid options are NONE,AWS_IAM,CUSTOM,COGNITO_USER_POOLS", t)
	}
	if id := shape.Val(m.RequestValidatorId); id != "" {
		if _, err := validators.Get(tx, apiID+"/"+id); err != nil {
			if missing(err, "") != err {
				return bad("Invalid Request Validator identifier specified")
			}
			return err
		}
	}
	for p := range m.RequestParameters {
		if !requestParameter.MatchString(p) {
			return bad("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", p)
		}
	}
	return checkModels(tx, apiID, m.RequestModels)
}

// checkModels tells whether the models of a map from content types exist.
func checkModels(tx *store.Tx, apiID string, byType map[string]string) error {
	for _, ct := range slices.Sorted(maps.Keys(byType)) {
		if _, err := models.Get(tx, apiID+"/"+byType[ct]); err != nil {
			if missing(err, "") != err {
				return bad("Invalid model identifier specified: %s", byType[ct])
			}
			return err
		}
	}
	return nil
}

// withMethod applies f to a method and stores it.
func (s *Service) withMethod(ctx context.Context, apiID, resourceID, method string, f func(tx *store.Tx, r *v1.Resource, m *v1.Method) error) error {
	return s.update(ctx, apiID, func(tx *store.Tx, _ *api) error {
		r, m, err := getMethod(tx, apiID, resourceID, method)
		if err != nil {
			return err
		}
		if err := f(tx, r, m); err != nil {
			return err
		}
		r.ResourceMethods[method] = *m
		return putResource(tx, apiID, r)
	})
}

func getMethod(tx *store.Tx, apiID, resourceID, method string) (*v1.Resource, *v1.Method, error) {
	r, err := getResource(tx, apiID, resourceID)
	if err != nil {
		return nil, nil, err
	}
	m, ok := r.ResourceMethods[method]
	if !ok {
		return nil, nil, v1.NotFoundException("Invalid Method identifier specified")
	}
	return r, &m, nil
}

func (s *Service) readMethod(ctx context.Context, apiID, resourceID, method string) (m *v1.Method, err error) {
	err = s.view(ctx, apiID, func(tx *store.Tx, _ *api) error {
		_, m, err = getMethod(tx, apiID, resourceID, method)
		return err
	})
	return m, err
}

func (s *Service) PutMethod(ctx context.Context, in *v1.PutMethodRequest) (*v1.Method, error) {
	m := &v1.Method{HttpMethod: &in.HttpMethod, AuthorizationType: &in.AuthorizationType, AuthorizerId: in.AuthorizerId, ApiKeyRequired: or(in.ApiKeyRequired, false),
		OperationName: in.OperationName, RequestParameters: in.RequestParameters, RequestModels: in.RequestModels, RequestValidatorId: opt(shape.Val(in.RequestValidatorId)),
		AuthorizationScopes: in.AuthorizationScopes}
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		r, err := getResource(tx, in.RestApiId, in.ResourceId)
		if err != nil {
			return err
		}
		if err := checkMethod(tx, in.RestApiId, m); err != nil {
			return err
		}
		if _, ok := r.ResourceMethods[in.HttpMethod]; ok {
			return v1.ConflictException("Method already exists for this resource")
		}
		r.ResourceMethods = merged(r.ResourceMethods, map[string]v1.Method{in.HttpMethod: *m})
		return putResource(tx, in.RestApiId, r)
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (s *Service) GetMethod(ctx context.Context, in *v1.GetMethodRequest) (*v1.Method, error) {
	return s.readMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
}

// methodFields is what can be patched of a method.
var methodFields = []field[v1.Method]{
	{"/apiKeyRequired", "replace", setBool(func(m *v1.Method) **bool { return &m.ApiKeyRequired })},
	{"/authorizationScopes", "add remove replace", setElement(func(m *v1.Method) *[]string { return &m.AuthorizationScopes })},
	{"/authorizationType", "replace", setName(func(m *v1.Method) **string { return &m.AuthorizationType })},
	{"/authorizerId", "replace remove", setText(func(m *v1.Method) **string { return &m.AuthorizerId })},
	{"/operationName", "replace remove", setText(func(m *v1.Method) **string { return &m.OperationName })},
	{"/requestModels/{contentType+}", "add remove replace", setKey(func(m *v1.Method) *map[string]string { return &m.RequestModels })},
	{"/requestParameters/{name+}", "add remove replace", setBoolKey(func(m *v1.Method) *map[string]bool { return &m.RequestParameters })},
	{"/requestValidatorId", "replace remove", setText(func(m *v1.Method) **string { return &m.RequestValidatorId })},
}

func (s *Service) UpdateMethod(ctx context.Context, in *v1.UpdateMethodRequest) (out *v1.Method, err error) {
	err = s.withMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(tx *store.Tx, _ *v1.Resource, m *v1.Method) error {
		if err := apply(methodFields, m, in.PatchOperations); err != nil {
			return err
		}
		out = m
		return checkMethod(tx, in.RestApiId, m)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) DeleteMethod(ctx context.Context, in *v1.DeleteMethodRequest) (*v1.DeleteMethodResponse, error) {
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		r, _, err := getMethod(tx, in.RestApiId, in.ResourceId, in.HttpMethod)
		if err != nil {
			return err
		}
		delete(r.ResourceMethods, in.HttpMethod)
		return putResource(tx, in.RestApiId, r)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteMethodResponse{}, nil
}

func checkMethodResponse(tx *store.Tx, apiID string, r *v1.MethodResponse) error {
	if !statusCode.MatchString(*r.StatusCode) {
		return bad("Invalid response status code specified: %s", *r.StatusCode)
	}
	for p := range r.ResponseParameters {
		if !responseParameter.MatchString(p) {
			return bad("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", p)
		}
	}
	return checkModels(tx, apiID, r.ResponseModels)
}

func (s *Service) PutMethodResponse(ctx context.Context, in *v1.PutMethodResponseRequest) (*v1.MethodResponse, error) {
	r := &v1.MethodResponse{StatusCode: &in.StatusCode, ResponseParameters: in.ResponseParameters, ResponseModels: in.ResponseModels}
	err := s.withMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(tx *store.Tx, _ *v1.Resource, m *v1.Method) error {
		if _, ok := m.MethodResponses[in.StatusCode]; ok {
			return v1.ConflictException("Response already exists for this resource")
		}
		if err := checkMethodResponse(tx, in.RestApiId, r); err != nil {
			return err
		}
		m.MethodResponses = merged(m.MethodResponses, map[string]v1.MethodResponse{in.StatusCode: *r})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func noResponse() error { return v1.NotFoundException("Invalid Response status code specified") }

func (s *Service) GetMethodResponse(ctx context.Context, in *v1.GetMethodResponseRequest) (*v1.MethodResponse, error) {
	m, err := s.readMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	r, ok := m.MethodResponses[in.StatusCode]
	if !ok {
		return nil, noResponse()
	}
	return &r, nil
}

// methodResponseFields is what can be patched of a method response.
var methodResponseFields = []field[v1.MethodResponse]{
	{"/responseModels/{contentType+}", "add remove replace", setKey(func(r *v1.MethodResponse) *map[string]string { return &r.ResponseModels })},
	{"/responseParameters/{name+}", "add remove replace", setBoolKey(func(r *v1.MethodResponse) *map[string]bool { return &r.ResponseParameters })},
}

func (s *Service) UpdateMethodResponse(ctx context.Context, in *v1.UpdateMethodResponseRequest) (*v1.MethodResponse, error) {
	var out v1.MethodResponse
	err := s.withMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(tx *store.Tx, _ *v1.Resource, m *v1.Method) error {
		r, ok := m.MethodResponses[in.StatusCode]
		if !ok {
			return noResponse()
		}
		if err := apply(methodResponseFields, &r, in.PatchOperations); err != nil {
			return err
		}
		m.MethodResponses[in.StatusCode], out = r, r
		return checkMethodResponse(tx, in.RestApiId, &r)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (s *Service) DeleteMethodResponse(ctx context.Context, in *v1.DeleteMethodResponseRequest) (*v1.DeleteMethodResponseResponse, error) {
	err := s.withMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *store.Tx, _ *v1.Resource, m *v1.Method) error {
		if _, ok := m.MethodResponses[in.StatusCode]; !ok {
			return noResponse()
		}
		delete(m.MethodResponses, in.StatusCode)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteMethodResponseResponse{}, nil
}

// TestInvokeMethod runs a method as it is now, deployed or not, without its authorizer.
func (s *Service) TestInvokeMethod(ctx context.Context, in *v1.TestInvokeMethodRequest) (*v1.TestInvokeMethodResponse, error) {
	var snap *Snapshot
	err := s.view(ctx, in.RestApiId, func(tx *store.Tx, a *api) error {
		if _, m, err := getMethod(tx, in.RestApiId, in.ResourceId, in.HttpMethod); err != nil {
			return err
		} else if m.MethodIntegration == nil {
			return bad("No integration defined for method")
		}
		var err error
		snap, err = s.live(tx, a, in.StageVariables)
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.tester == nil {
		return nil, unsupported("TestInvokeMethod is")
	}
	return s.tester.TestMethod(ctx, snap, snap.Resource(in.ResourceId).Methods[in.HttpMethod], in)
}

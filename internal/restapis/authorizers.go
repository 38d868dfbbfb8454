package restapis

import (
	"context"
	"regexp"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

const (
	maxTTL     = 3600 // seconds
	defaultTTL = 300
)

var identitySource = regexp.MustCompile(`^(method\.request\.(header|querystring)|stageVariables|context)\.[A-Za-z0-9._$!#%&'*+^|~\x60-]+$`)

// checkAuthorizer holds an authorizer against AWS's rules, and completes it.
func checkAuthorizer(z *v1.Authorizer) error {
	if strings.TrimSpace(shape.Val(z.Name)) == "" {
		return bad("Authorizer name cannot be empty")
	}
	if x := shape.Val(z.IdentityValidationExpression); x != "" {
		if _, err := regexp.Compile(`^(?:` + x + `)$`); err != nil {
			return bad("Invalid identity validation expression specified: %s. Look-around and back references are not supported by Gatehouse: %v", x, err)
		}
	}
	sources := shape.Val(z.IdentitySource)
	var n int
	for p := range strings.SplitSeq(sources, ",") {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		if n++; !identitySource.MatchString(p) {
			return bad("Invalid identity source expression specified: %s", p)
		}
	}
	switch typ := shape.Val(z.Type); typ {
	case v1.AuthorizerTypeCognitoUserPools:
		if len(z.ProviderARNs) == 0 {
			return bad("Invalid authorizer provider ARNs specified: a COGNITO_USER_POOLS authorizer needs at least one user pool")
		}
		for _, p := range z.ProviderARNs {
			a, err := arn.Parse(p)
			if err != nil || a.Service != "cognito-idp" || !strings.HasPrefix(a.Resource, "userpool/") {
				return bad("Invalid authorizer provider ARN specified: %s", p)
			}
		}
		if z.AuthorizerUri != nil {
			return bad("Authorizer URI cannot be set for a COGNITO_USER_POOLS authorizer")
		}
		if z.IdentitySource == nil {
			z.IdentitySource, n = shape.Ptr("method.request.header.Authorization"), 1
		}
		if n != 1 || !strings.HasPrefix(strings.TrimSpace(*z.IdentitySource), "method.request.header.") {
			return bad("Identity source for a COGNITO_USER_POOLS authorizer must be one header of the request")
		}
		z.AuthType = or(z.AuthType, "cognito_user_pools")
		return checkTTL(z.AuthorizerResultTtlInSeconds)
	case v1.AuthorizerTypeToken, v1.AuthorizerTypeRequest:
		if len(z.ProviderARNs) > 0 {
			return bad("Provider ARNs can only be set for a COGNITO_USER_POOLS authorizer")
		}
		uri := shape.Val(z.AuthorizerUri)
		if _, ok := functionARN(uri); !ok && !strings.Contains(uri, stageVariable) {
			return bad("Invalid Authorizer URI: %s. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation.", uri)
		}
		if c := shape.Val(z.AuthorizerCredentials); c != "" && !roleARN.MatchString(c) {
			return bad("Invalid ARN specified in the request")
		}
		z.AuthorizerResultTtlInSeconds = or(z.AuthorizerResultTtlInSeconds, defaultTTL)
		if typ == v1.AuthorizerTypeToken {
			if n != 1 || !strings.HasPrefix(strings.TrimSpace(sources), "method.request.header.") {
				return bad("Identity source for TOKEN authorizer must be one header of the request")
			}
		} else {
			if z.IdentityValidationExpression != nil {
				return bad("Identity validation expression is not supported for REQUEST authorizers")
			}
			if n == 0 && *z.AuthorizerResultTtlInSeconds > 0 {
				return bad("Identity source is required for REQUEST authorizers when caching is enabled")
			}
		}
		z.AuthType = or(z.AuthType, "custom")
		return checkTTL(z.AuthorizerResultTtlInSeconds)
	default:
		return bad("Invalid authorizer type specified. Must be one of: [COGNITO_USER_POOLS, REQUEST, TOKEN]")
	}
}

func checkTTL(ttl *int64) error {
	if ttl != nil && (*ttl < 0 || *ttl > maxTTL) {
		return bad("Authorizer result TTL must be between 0 and %d seconds", maxTTL)
	}
	return nil
}

func (s *Service) CreateAuthorizer(ctx context.Context, in *v1.CreateAuthorizerRequest) (*v1.Authorizer, error) {
	z := &v1.Authorizer{Name: &in.Name, Type: &in.Type, ProviderARNs: in.ProviderARNs, AuthType: in.AuthType, AuthorizerUri: in.AuthorizerUri,
		AuthorizerCredentials: opt(shape.Val(in.AuthorizerCredentials)), IdentitySource: in.IdentitySource,
		IdentityValidationExpression: opt(shape.Val(in.IdentityValidationExpression)), AuthorizerResultTtlInSeconds: in.AuthorizerResultTtlInSeconds}
	if err := checkAuthorizer(z); err != nil {
		return nil, err
	}
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		z.Id = shape.Ptr(newID(ctx, shortID))
		return uniqueAuthorizer(authorizers.Insert(tx, partKey(in.RestApiId, *z.Id, in.Name), z), in.Name)
	})
	if err != nil {
		return nil, err
	}
	return z, nil
}

func uniqueAuthorizer(err error, name string) error {
	if taken(err, "") != err {
		return bad("Authorizer name must be unique. Authorizer %s already exists in this RestApi.", name)
	}
	return err
}

func (s *Service) GetAuthorizer(ctx context.Context, in *v1.GetAuthorizerRequest) (*v1.Authorizer, error) {
	return part(ctx, s, authorizers, "Authorizer", in.RestApiId, in.AuthorizerId)
}

func (s *Service) GetAuthorizers(ctx context.Context, in *v1.GetAuthorizersRequest) (*v1.Authorizers, error) {
	list, next, err := partsOf(ctx, s, authorizers, in.RestApiId, in.Position, in.Limit)
	if err != nil {
		return nil, err
	}
	return &v1.Authorizers{Items: list, Position: next}, nil
}

// authorizerFields is what can be patched of an authorizer.
var authorizerFields = []field[v1.Authorizer]{
	{"/authType", "replace", setText(func(z *v1.Authorizer) **string { return &z.AuthType })},
	{"/authorizerCredentials", "replace remove", setText(func(z *v1.Authorizer) **string { return &z.AuthorizerCredentials })},
	{"/authorizerResultTtlInSeconds", "replace", setInt(func(z *v1.Authorizer) **int64 { return &z.AuthorizerResultTtlInSeconds })},
	{"/authorizerUri", "replace", setText(func(z *v1.Authorizer) **string { return &z.AuthorizerUri })},
	{"/identitySource", "replace", setText(func(z *v1.Authorizer) **string { return &z.IdentitySource })},
	{"/identityValidationExpression", "replace remove", setText(func(z *v1.Authorizer) **string { return &z.IdentityValidationExpression })},
	{"/name", "replace", setName(func(z *v1.Authorizer) **string { return &z.Name })},
	{"/providerARNs", "add remove replace", setElement(func(z *v1.Authorizer) *[]string { return &z.ProviderARNs })},
	{"/providerARNs/{arn+}", "add remove replace", setElement(func(z *v1.Authorizer) *[]string { return &z.ProviderARNs })},
	{"/type", "replace", setEnum(func(z *v1.Authorizer) **string { return &z.Type }, "COGNITO_USER_POOLS", "REQUEST", "TOKEN")},
}

func (s *Service) UpdateAuthorizer(ctx context.Context, in *v1.UpdateAuthorizerRequest) (*v1.Authorizer, error) {
	name := ""
	out, err := change(ctx, s, authorizers, "Authorizer", in.RestApiId, in.AuthorizerId, func(z *v1.Authorizer) string { return *z.Name }, func(_ *store.Tx, z *v1.Authorizer) error {
		if err := apply(authorizerFields, z, in.PatchOperations); err != nil {
			return err
		}
		name = shape.Val(z.Name)
		return checkAuthorizer(z)
	})
	return out, uniqueAuthorizer(err, name)
}

func (s *Service) DeleteAuthorizer(ctx context.Context, in *v1.DeleteAuthorizerRequest) (*v1.DeleteAuthorizerResponse, error) {
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		used, err := usedBy(tx, in.RestApiId, func(m *v1.Method) bool { return shape.Val(m.AuthorizerId) == in.AuthorizerId })
		if err != nil {
			return err
		}
		if used != "" {
			return v1.ConflictException("Cannot delete authorizer '%s', is referenced in method: %s", in.AuthorizerId, used)
		}
		return missing(authorizers.Delete(tx, in.RestApiId+"/"+in.AuthorizerId), "Authorizer")
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteAuthorizerResponse{}, nil
}

// TestInvokeAuthorizer asks an authorizer as it is now, deployed or not.
func (s *Service) TestInvokeAuthorizer(ctx context.Context, in *v1.TestInvokeAuthorizerRequest) (*v1.TestInvokeAuthorizerResponse, error) {
	var snap *Snapshot
	err := s.view(ctx, in.RestApiId, func(tx *store.Tx, a *api) error {
		if _, err := authorizers.Get(tx, in.RestApiId+"/"+in.AuthorizerId); err != nil {
			return missing(err, "Authorizer")
		}
		var err error
		snap, err = s.live(tx, a, in.StageVariables)
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.tester == nil {
		return nil, unsupported("TestInvokeAuthorizer is")
	}
	return s.tester.TestAuthorizer(ctx, snap, snap.Authorizer(in.AuthorizerId), in)
}

package app

import "slices"

// An Authorizer decides who may call a route: a [*JWTAuthorizer], a [*LambdaAuthorizer],
// [IAMAuthorizer] or [NoAuthorizer].
type Authorizer interface {
	// in makes the authorizer part of an API and returns what a route says of it.
	in(api *HTTPAPI) Properties
	takesScopes() bool
}

// BuiltinAuthorizer is an authorizer that needs no setting up.
type BuiltinAuthorizer string

const (
	// NoAuthorizer lets everyone in.
	NoAuthorizer BuiltinAuthorizer = "NONE"
	// IAMAuthorizer lets in who signs the request (Signature Version 4) and may execute-api:Invoke.
	IAMAuthorizer BuiltinAuthorizer = "AWS_IAM"
)

func (a BuiltinAuthorizer) in(api *HTTPAPI) Properties {
	if a != NoAuthorizer && a != IAMAuthorizer {
		api.stack.errorf(api.resource.id, "there is no built-in authorizer %q", string(a))
	}
	return Properties{"AuthorizationType": a}
}

func (a BuiltinAuthorizer) takesScopes() bool { return false }

// A JWTAuthorizer lets in who brings a token that this issuer signed for one of these audiences. For a
// user pool of the app, [UserPool.Authorizer] makes one.
type JWTAuthorizer struct {
	Name     string
	Issuer   Value   // its keys are found through ISSUER/.well-known/openid-configuration
	Audience []Value // one of them must be the token's aud, or its client_id if it has no aud

	// IdentitySource is where the token is; the Authorization header if empty. Others look like
	// $request.header.NAME and $request.querystring.NAME.
	IdentitySource string
}

func (a *JWTAuthorizer) takesScopes() bool { return true }

func (a *JWTAuthorizer) in(api *HTTPAPI) Properties {
	return api.authorizer(a, a.Name, "JWT", func(id string) *Resource {
		if a.Issuer == "" || len(a.Audience) == 0 {
			api.stack.errorf(api.resource.id, "authorizer %s: it needs an issuer and an audience", a.Name)
		}
		source := a.IdentitySource
		if source == "" {
			source = "$request.header.Authorization"
		}
		return api.stack.add(id, "AWS::ApiGatewayV2::Authorizer", Properties{
			"ApiId":            api.ID(),
			"Name":             a.Name,
			"AuthorizerType":   "JWT",
			"IdentitySource":   []string{source},
			"JwtConfiguration": Properties{"Issuer": a.Issuer, "Audience": slices.Clone(a.Audience)},
		})
	})
}

// A LambdaAuthorizer asks a function, which answers {"isAuthorized": true, "context": {…}}.
type LambdaAuthorizer struct {
	Name     string
	Function *Function

	// IdentitySources must all be there, else the answer is 401 without asking; the Authorization
	// header if nil.
	IdentitySources []string

	// CacheSeconds keeps answers for the same identity sources, up to an hour; 0 asks each time.
	CacheSeconds int
}

func (a *LambdaAuthorizer) takesScopes() bool { return false }

func (a *LambdaAuthorizer) in(api *HTTPAPI) Properties {
	return api.authorizer(a, a.Name, "CUSTOM", func(id string) *Resource {
		sources := a.IdentitySources
		if sources == nil {
			sources = []string{"$request.header.Authorization"}
		}
		if a.CacheSeconds < 0 || a.CacheSeconds > 3600 {
			api.stack.errorf(api.resource.id, "authorizer %s: CacheSeconds is %d; it must be 0 to 3600", a.Name, a.CacheSeconds)
		}
		props := Properties{
			"ApiId":                          api.ID(),
			"Name":                           a.Name,
			"AuthorizerType":                 "REQUEST",
			"IdentitySource":                 sources,
			"AuthorizerPayloadFormatVersion": "2.0",
			"EnableSimpleResponses":          true,
			"AuthorizerResultTtlInSeconds":   a.CacheSeconds,
		}
		if a.Function == nil {
			api.stack.errorf(api.resource.id, "authorizer %s: Function is not set", a.Name)
			return api.stack.add(id, "AWS::ApiGatewayV2::Authorizer", props)
		}
		props["AuthorizerUri"] = "arn:" + Partition() + ":apigateway:" + Region() + ":lambda:path/2015-03-31/functions/" + a.Function.ARN() + "/invocations"
		r := api.stack.add(id, "AWS::ApiGatewayV2::Authorizer", props)
		api.stack.add(id+"Permission", typePermission, Properties{
			"Action":       "lambda:InvokeFunction",
			"FunctionName": a.Function.ARN(),
			"Principal":    "apigateway.amazonaws.com",
			"SourceArn":    api.executeARN() + "/authorizers/" + r.Ref(),
		})
		return r
	})
}

// authorizer adds an authorizer to the API when a route first uses it.
func (api *HTTPAPI) authorizer(a Authorizer, name, kind string, add func(id string) *Resource) Properties {
	r, ok := api.authorizers[a]
	if !ok {
		if name == "" {
			api.stack.errorf(api.resource.id, "an authorizer needs a name")
			name = "unnamed"
		}
		r = add(api.resource.id + camel(name) + "Authorizer")
		api.authorizers[a] = r
	}
	return Properties{"AuthorizationType": kind, "AuthorizerId": r.Ref()}
}

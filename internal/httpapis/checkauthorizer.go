package httpapis

import (
	"net/url"
	"regexp"
	"strings"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

var identitySource = regexp.MustCompile(`^\$request\.(header|querystring)\.([a-zA-Z0-9!#$%&'*+.^_|~-]+)$`)

// checkAuthorizer normalises and checks an authorizer.
func checkAuthorizer(z *authorizer) error {
	if shape.Val(z.Name) == "" {
		return bad("Name of the authorizer must not be empty")
	}
	switch shape.Val(z.AuthorizerType) {
	case v2.AuthorizerTypeJwt:
		return checkJWT(z)
	case v2.AuthorizerTypeRequest:
		return checkLambda(z)
	}
	return bad("Invalid authorizer type specified: %s", shape.Val(z.AuthorizerType))
}

func checkJWT(z *authorizer) error {
	if name := shape.Given(map[string]bool{"AuthorizerUri": shape.Val(z.AuthorizerUri) != "", "AuthorizerCredentialsArn": shape.Val(z.AuthorizerCredentialsArn) != "",
		"AuthorizerPayloadFormatVersion": shape.Val(z.AuthorizerPayloadFormatVersion) != "", "EnableSimpleResponses": shape.Val(z.EnableSimpleResponses),
		"IdentityValidationExpression": shape.Val(z.IdentityValidationExpression) != "", "AuthorizerResultTtlInSeconds": shape.Val(z.AuthorizerResultTtlInSeconds) != 0}); name != "" {
		return bad("%s is only supported for REQUEST authorizers", name)
	}
	z.AuthorizerUri, z.AuthorizerCredentialsArn, z.AuthorizerPayloadFormatVersion = nil, nil, nil
	z.EnableSimpleResponses, z.IdentityValidationExpression, z.AuthorizerResultTtlInSeconds = nil, nil, nil
	if len(z.IdentitySource) == 0 {
		return bad("IdentitySource is a required parameter for JWT authorizers")
	}
	for _, s := range z.IdentitySource {
		if !identitySource.MatchString(s) {
			return bad("Invalid identity source specified: %s. A JWT authorizer takes $request.header.NAME or $request.querystring.NAME", s)
		}
	}
	j := z.JwtConfiguration
	if j == nil || shape.Val(j.Issuer) == "" {
		return bad("JwtConfiguration with an issuer is required for JWT authorizers")
	}
	u, err := url.Parse(*j.Issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return bad("Invalid issuer specified: %s. Issuer must have a valid discovery endpoint ended with '/.well-known/openid-configuration'", *j.Issuer)
	}
	if len(j.Audience) == 0 || len(j.Audience) > maxAudiences {
		return bad("JwtConfiguration must have between 1 and %d audiences", maxAudiences)
	}
	return nil
}

// The time for which the results of Lambda authorizers are kept, in seconds.
const (
	defaultTTL = 300
	maxTTL     = 3600
)

var requestSource = regexp.MustCompile(`^\$(request\.header|request\.querystring|context|stageVariables)\.([a-zA-Z0-9!#$%&'*+.^_|~-]+)$`)

// checkLambda checks an authorizer that asks a function.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
func checkLambda(z *authorizer) error {
	if z.JwtConfiguration != nil {
		return bad("JwtConfiguration is only supported for JWT authorizers")
	}
	if shape.Val(z.IdentityValidationExpression) != "" {
		return bad("IdentityValidationExpression is not supported for HTTP APIs")
	}
	z.IdentityValidationExpression = nil
	uri := shape.Val(z.AuthorizerUri)
	if _, ok := functionARN(uri); !ok || !strings.HasPrefix(uri, "arn:aws:apigateway:") {
		if !strings.Contains(uri, stageVariable) {
			return bad("Invalid Authorizer URI: %s. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation.", uri)
		}
	}
	z.AuthorizerCredentialsArn = opt(shape.Val(z.AuthorizerCredentialsArn))
	if c := shape.Val(z.AuthorizerCredentialsArn); c != "" && !isRole(c) {
		return bad("Invalid credentials ARN specified: %s. It must be the ARN of a role", c)
	}
	switch version := shape.Val(z.AuthorizerPayloadFormatVersion); {
	case version == "":
		return bad("AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizers")
	case version != "1.0" && version != "2.0":
		return bad("Invalid authorizer payload format version specified: %s", version)
	case version == "1.0" && shape.Val(z.EnableSimpleResponses):
		return bad("EnableSimpleResponses is only supported with AuthorizerPayloadFormatVersion 2.0")
	}
	z.EnableSimpleResponses = shape.Ptr(shape.Val(z.EnableSimpleResponses))
	for _, s := range z.IdentitySource {
		if !requestSource.MatchString(s) {
			return bad("Invalid identity source specified: %s. A REQUEST authorizer takes $request.header.NAME, $request.querystring.NAME, $context.NAME or $stageVariables.NAME", s)
		}
	}
	if z.AuthorizerResultTtlInSeconds == nil {
		z.AuthorizerResultTtlInSeconds = shape.Ptr[int64](0)
		if len(z.IdentitySource) > 0 {
			*z.AuthorizerResultTtlInSeconds = defaultTTL
		}
	}
	switch ttl := *z.AuthorizerResultTtlInSeconds; {
	case ttl < 0 || ttl > maxTTL:
		return bad("Authorizer result TTL must be between 0 and %d seconds", maxTTL)
	case ttl > 0 && len(z.IdentitySource) == 0:
		return bad("IdentitySource is a required parameter when authorizer results are cached (AuthorizerResultTtlInSeconds)")
	}
	return nil
}

package access

import "strings"

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
//
// The action is the HTTP method and the resource the path, but for what changes a resource policy.
var restAPIs = &table{
	prefix: "apigateway",
	rest:   new(string),
	rules: `
arn:{partition}:apigateway:{region}::/restapis if Policy: CreateRestApi=UpdateRestApiPolicy
arn:{partition}:apigateway:{region}::/restapis/{RestApiId} if PatchOperations:policy: UpdateRestApi=UpdateRestApiPolicy

pass apigateway.amazonaws.com Credentials: PutIntegration
pass apigateway.amazonaws.com AuthorizerCredentials: CreateAuthorizer
pass apigateway.amazonaws.com PatchOperations[].Value: UpdateIntegration UpdateAuthorizer UpdateAccount

key apigateway:Request/ApiName Name: CreateRestApi
key apigateway:Request/ApiKeyRequired ApiKeyRequired: PutMethod
key apigateway:Request/AuthorizerType Type: CreateAuthorizer
key apigateway:Request/AuthorizerUri AuthorizerUri: CreateAuthorizer
key apigateway:Request/DisableExecuteApiEndpoint DisableExecuteApiEndpoint: CreateRestApi
key apigateway:Request/EndpointType EndpointConfiguration.Types[]: CreateRestApi CreateDomainName
key apigateway:Request/RouteAuthorizationType AuthorizationType: PutMethod
key apigateway:Request/SecurityPolicy SecurityPolicy: CreateDomainName
key apigateway:Request/MtlsTrustStoreUri MutualTlsAuthentication.TruststoreUri: CreateDomainName
key apigateway:Request/MtlsTrustStoreVersion MutualTlsAuthentication.TruststoreVersion: CreateDomainName
key apigateway:Request/StageName StageName: CreateStage CreateDeployment
`,
	transforms: map[string]transform{"tag": common["tag"], "policy": patchesPolicy},
}

// patchesPolicy tells whether a patch is to a resource policy.
func patchesPolicy(a *asking, _ string) string {
	ops := a.in.FieldByName("PatchOperations")
	for i := range ops.Len() {
		for _, to := range walk(ops.Index(i).FieldByName("Path"), nil, nil) {
			if to == "/policy" || strings.HasPrefix(to, "/policy/") {
				return to
			}
		}
	}
	return ""
}

var version2 = "/v2"

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html
var httpAPIs = &table{
	prefix: "apigateway",
	rest:   &version2,
	rules: `
pass apigateway.amazonaws.com CredentialsArn: CreateIntegration UpdateIntegration CreateApi UpdateApi
pass apigateway.amazonaws.com AuthorizerCredentialsArn: CreateAuthorizer UpdateAuthorizer

key apigateway:Request/ApiName Name: CreateApi UpdateApi
key apigateway:Request/ApiKeyRequired ApiKeyRequired: CreateRoute UpdateRoute
key apigateway:Request/AccessLoggingDestination AccessLogSettings.DestinationArn: CreateStage UpdateStage
key apigateway:Request/AccessLoggingFormat AccessLogSettings.Format: CreateStage UpdateStage
key apigateway:Request/AuthorizerType AuthorizerType: CreateAuthorizer UpdateAuthorizer
key apigateway:Request/AuthorizerUri AuthorizerUri: CreateAuthorizer UpdateAuthorizer
key apigateway:Request/DisableExecuteApiEndpoint DisableExecuteApiEndpoint: CreateApi UpdateApi
key apigateway:Request/EndpointType DomainNameConfigurations[].EndpointType: CreateDomainName UpdateDomainName
key apigateway:Request/SecurityPolicy DomainNameConfigurations[].SecurityPolicy: CreateDomainName UpdateDomainName
key apigateway:Request/MtlsTrustStoreUri MutualTlsAuthentication.TruststoreUri: CreateDomainName UpdateDomainName
key apigateway:Request/MtlsTrustStoreVersion MutualTlsAuthentication.TruststoreVersion: CreateDomainName UpdateDomainName
key apigateway:Request/RouteAuthorizationType AuthorizationType: CreateRoute UpdateRoute
key apigateway:Request/StageName StageName: CreateStage
`,
	transforms: map[string]transform{"tag": common["tag"]},
}

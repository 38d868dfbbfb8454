// Package openapi reads and writes OpenAPI documents that describe APIs of API Gateway: REST APIs and HTTP APIs alike.
// What a document means for an API is that API's own matter; here is what both need of the form.
//
// A document is what JSON gives: map[string]any, []any, string, bool, json.Number and nil. YAML becomes the same, so what
// follows knows no YAML. [Object], [List], [Text] and the others take a member of an object and treat one of another type
// as absent: documents come from strangers, and a wrong type must be no panic.
//
// Documents are bounded: in bytes ([MaxSize]), in depth ([schema.MaxDepth]) and, for YAML's aliases can blow up, in
// nodes. References are followed within the document only, and not in circles.
//
// https://spec.openapis.org/oas/v3.0.3
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
package openapi

// The names of AWS's extensions.
const (
	XAnyMethod      = "x-amazon-apigateway-any-method"
	XAPIKeySource   = "x-amazon-apigateway-api-key-source"
	XAuth           = "x-amazon-apigateway-auth"
	XAuthorizer     = "x-amazon-apigateway-authorizer"
	XAuthType       = "x-amazon-apigateway-authtype"
	XBinary         = "x-amazon-apigateway-binary-media-types"
	XCORS           = "x-amazon-apigateway-cors"
	XDocumentation  = "x-amazon-apigateway-documentation"
	XEndpoint       = "x-amazon-apigateway-endpoint-configuration"
	XImportVersion  = "x-amazon-apigateway-importexport-version"
	XIntegration    = "x-amazon-apigateway-integration"
	XIntegrations   = "x-amazon-apigateway-integrations"
	XMinCompression = "x-amazon-apigateway-minimum-compression-size"
	XPolicy         = "x-amazon-apigateway-policy"
	XResponses      = "x-amazon-apigateway-gateway-responses"
	XTagValue       = "x-amazon-apigateway-tag-value"
	XValidator      = "x-amazon-apigateway-request-validator"
	XValidators     = "x-amazon-apigateway-request-validators"
)

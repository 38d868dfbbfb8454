// Package restapis is the control plane of REST APIs: service apigateway, version 1 of API Gateway. It keeps APIs with
// their resources, methods, integrations, models, authorizers and gateway responses, makes deployments of them, and compiles
// what a stage serves into a [Snapshot] for the data plane (package gateway). API keys, usage plans, custom domains and
// client certificates belong to it too.
//
// # Live configuration and deployments
//
// The live configuration is what the API's operations change: a document for each resource, with its methods and
// integrations in it, and one for each model, validator, authorizer and changed gateway response. So a change costs the same
// however large the API is. A deployment is an immutable copy of all that, the API's own settings and resource policy
// among it. A stage points to a deployment, and its canary to another: a change stays unseen until it is deployed.
//
// [Service.Snapshot] answers from memory, in constant time, until a stage of the API changes. [Service.Key] and
// [Service.Plan] do the same for API keys and usage plans, however many there are. Custom domains are in package domains.
//
// # Resources
//
// A compiled snapshot finds a resource by the segments of the path: static before {variable} before {greedy+}. Only resources
// with methods count. The resource is chosen first and then its method, or ANY: a greedy resource does not take over a
// method that a more specific resource lacks. A slash at the path's end does not count.
//
// # Patch operations
//
// Updates are patches with paths. For each kind of thing there is a table of what can be patched and by which operations,
// beside its code; patch.go applies them. Keys within paths are escaped as JSON pointers (~1 for a slash, ~0 for a
// tilde); a key with slashes that are not escaped is taken all the same where it is unambiguous.
//
// # Import and export
//
// OpenAPI 3.0 and Swagger 2.0, as JSON or YAML, with AWS's extensions (x-amazon-apigateway-…). What an import does not
// understand is a warning, or an error with failonwarnings; what is not supported is refused, as everywhere.
//
// # What is refused
//
// VPC links and private integrations, integrations with services other than Lambda, private APIs, caches of responses, streamed responses, the newer security policies, routing rules,
// generation of SDKs, Firehose access logs, and selection patterns that need look-around: a request for one is refused and the answer
// names it. Policies and schemas are checked when they are set.
//
// # Where AWS's documentation leaves room
//
// Lists without a limit are answered whole. A deployed API's disableExecuteApiEndpoint and resource policy are those of its
// deployment. Weeks of quotas begin on Monday. A setting of a method that is not made is that of */*.
package restapis

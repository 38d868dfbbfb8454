// Package httpapis is the control plane of HTTP APIs: service apigatewayv2. It keeps APIs, routes,
// integrations, authorizers, stages and deployments, and compiles what a stage serves into a [Snapshot]
// for the data plane (package gateway).
//
// # Live configuration and deployments
//
// Routes, integrations and authorizers are documents of their own, the API's live configuration. A
// deployment is an immutable copy of it. A stage with AutoDeploy serves the live configuration, any other
// the deployment that it points to: a change stays unseen until it is deployed. When AutoDeploy is
// turned off, a deployment is made of what the stage served until then.
//
// [Service.Snapshot] answers from memory, in constant time, until a document of the API changes.
//
// # Routes
//
// A compiled snapshot finds a route by the segments of the path: static ones by hash, then a path
// variable, then a greedy one. Of the routes that match, a full match goes before a greedy one, and that
// before $default; of two full or two greedy ones, the one whose leftmost differing segment is static; at
// the same path, the request's method goes before ANY. A greedy variable takes the rest of the path,
// which may be empty after the slash: /a/{p+} takes /a/ but not /a. /a and /a/ are different paths.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
//
// # OpenAPI
//
// An import reads an OpenAPI 3.0 document into a definition (definition.go), checks each part of it as the part's own
// operation would, and stores all of it in one transaction (imports.go). Errors refuse the document; warnings are about
// what is left out though it was meant (integrations of REST APIs, a malformed CORS configuration); ImportInfo tells what
// is right, and has no effect on an HTTP API (models, request bodies). A re-import puts the document in the place of what
// the API is; routes keep their ids by their keys, authorizers by their names. What [Service.ExportApi] writes can be
// imported again as the same API: an integration of several routes is written once, below components.
//
// A security scheme that a route names and the document does not have refuses the document, for the route would be open
// to everybody; only SAM's NONE means that.
//
// # What is refused
//
// WebSocket APIs, with models, route responses and integration responses, AWS service and private integrations
// (integration subtypes, VPC links, TlsConfig) are not built: a request for one is refused and the answer names it.
// Lists of these are there, and empty.
//
// Not known of AWS, and chosen here: a stage with AutoDeploy has no deployment of its own, which would have to be made
// of the whole API at each change; two routes that differ only in the names of their variables may
// exist side by side; the one whose key sorts first serves; the texts of warnings and of ImportInfo, but for that about
// CORS.
package httpapis

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
// # What is refused
//
// WebSocket APIs, AWS service and private integrations and VPC links are not built yet: a request for one is refused and the answer names it.
//
// Not known of AWS, and chosen here: two routes that differ only in the names of their variables may
// exist side by side; the one whose key sorts first serves.
package httpapis

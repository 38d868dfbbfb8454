// Package gateway is the data plane of APIs: it takes a request that is for an API through stage, route,
// throttling, authorizer and integration to its answer, as API Gateway does. The front finds out which API a
// request is for; [Gateway.Serve] finds out of what kind it is, by its id, and has that kind serve it.
//
// # A request's way
//
// HTTP APIs (httpapi.go) go:
//
//	limits       request line and headers of at most 10,240 bytes
//	stage        the path's first segment where it names a stage, else $default
//	route        httpapis.Snapshot.Match
//	preflight    answered here where the API has a CORS configuration
//	throttle     a token bucket for each route that has limits
//	authorizer   package authorizer
//	integration  lambda.go with event2.go and event1.go, or proxy.go
//
// URLs of functions (functionurl.go) have neither stages nor routes: [Gateway.ServeFunctionURL] takes a request
// through CORS, signature, policies and the function to its answer, in Lambda's words.
//
// REST APIs (rest.go) go:
//
//	stage        the path's first segment, or what a custom domain's mapping names; a canary takes its share
//	limits       as above
//	method       restapis.Snapshot.Match: the resource first, then its method
//	authorizer   restauth.go: the method's, and the API's resource policy
//	API key      restkeys.go: its usage plan's throttle and quota, and the method's throttle
//	validation   restparams.go: required parameters, the body by its model
//	integration  restintegration.go (functions, mocks), resthttp.go; restvtl.go is what templates see
//	answer       restanswer.go: gateway responses, compression
//
// What the gateway says by itself is a gateway response of its type, to the letter: {"message":"Forbidden"} but
// {"message": "Internal server error"}, and {"Message":…} where access is denied. resttest.go runs methods and
// authorizers for TestInvokeMethod and TestInvokeAuthorizer.
//
// What all kinds share is in exchange.go (the request, its body, its trace), throttle.go, function.go (the
// call of a function), client.go (the HTTP client), event.go, event2.go and caller.go (parts of events), cors.go, accesslog.go,
// and in package authorizer.
//
// Each step leaves a line in the request's trace, which the recorder keeps under the request id that the
// client sees in the header Apigw-Requestid. A trace never holds a token, nor the query.
//
// What is the same for all requests to a route is made once, when its snapshot is first used (plan.go).
//
// # Paths
//
// Like an HTTP API on AWS, the gateway decodes the path once, before it looks for the route: the route is
// matched by, and functions see as rawPath, the decoded path; an encoded slash is a slash; a decoded
// question mark ends the path. So what an authorizer guards is what the function sees. The path of an HTTP
// integration is encoded again; dot segments, which could lead out of the path that the integration names,
// are refused there with 400.
//
// REST APIs match by the path with all decoded but slashes: an encoded slash does not part segments. It stays %2F in
// what authorizers and functions see as the path, and on the way to an HTTP integration, and is a slash in the values
// of path parameters.
//
// # Names
//
// Events show functions domainName and domainPrefix as they are on AWS. A request that came by Host shows
// that host, port and all, so that a URL made of it works. One that came by path shows
// ID.execute-api.REGION.amazonaws.com: the client's host alone would lead nowhere, for the API is not at
// its root, while this name reaches the API from functions and from what runs under `gatehouse run`; and
// domainPrefix is the API's id, on which programs rely.
//
// # HTTP integrations
//
// They may lead anywhere, to this machine's loopback too: whoever may configure an API decides, and
// local backends are what a developer has. Redirects are passed on, not followed.
//
// # CORS
//
// A preflight request is answered here if no route takes it, or if the route that does (ANY, $default,
// OPTIONS) lets it in: a route with an authorizer refuses preflights, which carry no token. That is how AWS
// describes it for $default. An integration's own CORS headers are replaced.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api.html
package gateway

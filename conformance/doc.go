// Package conformance holds tests that use a gatehouse as people do: they build the command, run it, and
// talk to it with the AWS CLI, the AWS SDKs for Go and JavaScript, amazon-cognito-identity-js and curl.
// What they assert is what these clients see; README.md says what they need.
//
// It is a module of its own, so that what the clients depend on stays out of the server's.
package conformance

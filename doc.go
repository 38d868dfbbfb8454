// Package gatehouse runs serverless APIs with sign-in inside a Go program: user pools, HTTP APIs with
// authorizers, functions and the stacks that define them, speaking the AWS APIs on one port.
//
// It is the server behind the gatehouse command. A test that needs Cognito, API Gateway, Lambda or
// CloudFormation has them in one line:
//
//	func TestSignIn(t *testing.T) {
//		srv := gatehouse.Test(t) // in memory, on a free port, gone with the test
//		cfg, err := config.LoadDefaultConfig(t.Context(),
//			config.WithBaseEndpoint(srv.URL()),
//			config.WithRegion("us-east-1"),
//			config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")))
//		…
//	}
//
// Checks are the real ones: password proofs, token signatures, codes, scopes and expiry.
package gatehouse

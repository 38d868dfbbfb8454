package gateway

// restTest is a test of a method or an authorizer, by TestInvokeMethod or TestInvokeAuthorizer.
type restTest struct{}

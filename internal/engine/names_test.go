package engine

import "testing"

// The local authority vouches for the names that the server goes by, and for no others.
func TestGoesBy(t *testing.T) {
	e := &Engine{cfg: Config{Addr: "gate.internal:4566", PublicURL: "https://auth.example.com"}}
	for name, want := range map[string]bool{
		"localhost": true, "abc.execute-api.localhost": true, "cognito-idp.us-east-1.amazonaws.com": true,
		"pool.auth.us-east-1.amazoncognito.com": true, "auth.example.com": true, "gate.internal": true,
		"www.google.com": false, "*.com": false, "*.amazonaws.com": false, "evilamazonaws.com": false, "example.com": false,
	} {
		if got := e.goesBy(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

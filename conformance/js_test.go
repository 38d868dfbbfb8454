package conformance

import "testing"

func (s *server) node(t *testing.T, script string, more map[string]any) {
	t.Helper()
	v := s.settings(t)
	conf := map[string]any{"endpoint": v.Endpoint, "region": v.Region, "keyId": v.KeyID, "secret": v.Secret}
	for k, val := range more {
		conf[k] = val
	}
	node(t, script, conf)
}

// The AWS SDK for JavaScript.
func TestJavaScriptSDK(t *testing.T) {
	each(t, func(t *testing.T, database string) { startOn(t, database, "--auth", "open").node(t, "sdk.mjs", nil) })
}

// amazon-cognito-identity-js, with SRP.
func TestJavaScriptSRP(t *testing.T) {
	each(t, func(t *testing.T, database string) { startOn(t, database, "--auth", "open").node(t, "srp.mjs", nil) })
}

package signin

import (
	"context"
	"net/http/httptest"
	"testing"
)

type identities struct{}

func (identities) JWKS(context.Context) ([]byte, error) { return []byte(`{"keys":[]}`), nil }
func (identities) OpenIDConfiguration() []byte          { return []byte(`{"issuer":"x"}`) }

// TestIdentities: the documents of identity pools' issuer lie on its hosts, and nowhere else.
func TestIdentities(t *testing.T) {
	h := &Handler{Identities: identities{}}
	for _, c := range []struct {
		host, path string
		status     int // 0: not for this package
		body       string
	}{
		{"cognito-identity.amazonaws.com", "/.well-known/openid-configuration", 200, `{"issuer":"x"}`},
		{"cognito-identity.eu-central-1.amazonaws.com:443", "/.well-known/jwks_uri", 200, `{"keys":[]}`},
		{"Cognito-Identity.amazonaws.com.", "/.well-known/jwks_uri", 200, `{"keys":[]}`},
		{"cognito-identity.amazonaws.com", "/.well-known/other", 404, ""},
		{"cognito-idp.eu-central-1.amazonaws.com", "/.well-known/jwks_uri", 0, ""},
		{"cognito-identity.amazonaws.com.example.com", "/.well-known/jwks_uri", 0, ""},
		{"localhost:4566", "/.well-known/jwks_uri", 0, ""},
	} {
		r := httptest.NewRequest("GET", c.path, nil)
		r.Host = c.host
		target, ok := Match(r)
		if ok != (c.status != 0) {
			t.Errorf("%s%s: matched %t", c.host, c.path, ok)
		}
		if !ok {
			continue
		}
		w := httptest.NewRecorder()
		h.Serve(w, r, target)
		if w.Code != c.status || c.body != "" && w.Body.String() != c.body {
			t.Errorf("%s%s: %d %s", c.host, c.path, w.Code, w.Body)
		}
	}
}

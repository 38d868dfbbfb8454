package gateway

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

func TestJWT(t *testing.T) {
	f := start(t)
	f.function("GET /private", "2.0", f.jwt("$request.header.Authorization"))
	f.function("GET /scoped", "2.0", f.jwt("$request.header.Authorization", "pets/read", "pets/write"))
	f.function("GET /query", "2.0", f.jwt("$request.querystring.token"))
	good := sign(t, "k1", claims(nil))
	access := sign(t, "k1", claims(map[string]any{"aud": nil, "client_id": testClient, "scope": "openid pets/read"}))
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding
	const invalid = `Bearer scope="" error="invalid_token" error_description="`
	for _, test := range []struct {
		name, path, header string
		status             int
		challenge          string // of www-authenticate
		step, got          string // of the trace
	}{
		{"no token", "/private", "", 401, "Bearer", "identity source", "nothing"},
		{"empty", "/private", "Bearer ", 401, "Bearer", "identity source", "nothing"},
		{"plain", "/private", good, 200, "", "", ""},
		{"bearer", "/private", "Bearer " + good, 200, "", "", ""},
		{"lower bearer", "/private", "bearer  " + good, 200, "", "", ""},
		{"access token", "/private", access, 200, "", "", ""},
		{"local issuer", "/private", sign(t, "k1", claims(map[string]any{"iss": localIssuer})), 200, "", "", ""},
		{"one audience of many", "/private", sign(t, "k1", claims(map[string]any{"aud": []string{"x", testClient}})), 200, "", "", ""},
		{"query", "/query?a=1&token=" + good, "", 200, "", "", ""},
		{"query missing", "/query", good, 401, "Bearer", "identity source", "nothing"},
		{"nonsense", "/private", "token", 401, invalid + `the token is malformed"`, "jwt signature", ""},
		{"cut", "/private", good[:len(good)-4], 401, invalid, "jwt signature", ""},
		{"other payload", "/private", parts[0] + "." + b64.EncodeToString([]byte(claims(map[string]any{"sub": "admin"}))) + "." + parts[2], 401, invalid + `crypto/rsa: verification error"`, "jwt signature", ""},
		{"alg none", "/private", b64.EncodeToString([]byte(`{"alg":"none","kid":"k1"}`)) + "." + parts[1] + ".", 401, invalid, "jwt signature", ""},
		{"alg HS256", "/private", b64.EncodeToString([]byte(`{"alg":"HS256","kid":"k1"}`)) + "." + parts[1] + "." + parts[2], 401, invalid + "signing method", "jwt signature", ""},
		{"foreign kid", "/private", sign(t, "k2", claims(nil)), 401, invalid + `the token does not have a valid kid"`, "jwt signature", `kid "k2"`},
		{"other issuer", "/private", sign(t, "k1", claims(map[string]any{"iss": "https://evil.example"})), 401, invalid + `the token does not have a valid issuer"`, "jwt issuer", `"https://evil.example"`},
		{"no issuer", "/private", sign(t, "k1", claims(map[string]any{"iss": nil})), 401, invalid, "jwt issuer", "none"},
		{"other audience", "/private", sign(t, "k1", claims(map[string]any{"aud": "another", "client_id": testClient})), 401, invalid + `the token does not have a valid audience"`, "jwt audience", "aud another"},
		{"other client", "/private", sign(t, "k1", claims(map[string]any{"aud": nil, "client_id": "another"})), 401, invalid, "jwt audience", "client_id another"},
		{"empty aud", "/private", sign(t, "k1", claims(map[string]any{"aud": []string{}, "client_id": testClient})), 401, invalid, "jwt audience", ""},
		{"no audience", "/private", sign(t, "k1", claims(map[string]any{"aud": nil})), 401, invalid, "jwt audience", "neither aud nor client_id"},
		{"expired", "/private", sign(t, "k1", claims(map[string]any{"exp": testNow.Unix()})), 401, invalid + `the token has expired"`, "jwt time", ""},
		{"no expiry", "/private", sign(t, "k1", claims(map[string]any{"exp": nil})), 401, invalid, "jwt time", "no exp"},
		{"not yet", "/private", sign(t, "k1", claims(map[string]any{"nbf": testNow.Unix() + 10})), 401, invalid + `the token is not valid yet"`, "jwt time", ""},
		{"from the future", "/private", sign(t, "k1", claims(map[string]any{"iat": testNow.Unix() + 10})), 401, invalid, "jwt time", ""},
		{"scope", "/scoped", access, 200, "", "", ""},
		{"scp", "/scoped", sign(t, "k1", claims(map[string]any{"scp": []string{"pets/write"}})), 200, "", "", ""},
		{"no scope", "/scoped", good, 403, `Bearer scope="pets/read pets/write" error="insufficient_scope"`, "jwt scopes", "none"},
		{"scope expired", "/scoped", sign(t, "k1", claims(map[string]any{"exp": 5})), 401, `Bearer scope="pets/read pets/write" error="invalid_token"`, "jwt time", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := []string{}
			if test.header != "" {
				headers = append(headers, "Authorization: "+test.header)
			}
			w, tr := f.get(test.path, headers...)
			body := map[int]string{200: "Hello", 401: unauthorized, 403: `{"message":"Forbidden"}`}[test.status]
			want(t, w, test.status, body)
			challenge := w.Header().Get("Www-Authenticate")
			if !strings.HasPrefix(challenge, test.challenge) || challenge != "" && test.challenge == "" || test.challenge == "Bearer" && challenge != "Bearer" {
				t.Errorf("challenge is %q, want %q", challenge, test.challenge)
			}
			s := failed(tr)
			if s.Name != test.step || test.got != "" && s.Got != test.got {
				t.Errorf("failed step is %+v, want %s, got %q", s, test.step, test.got)
			}
			noToken(t, tr, test.header, good)
		})
	}
}

// noToken checks that a trace holds no part of a token that could be used.
func noToken(t *testing.T, tr *trace.Trace, tokens ...string) {
	t.Helper()
	b, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	for _, tok := range tokens {
		for _, part := range strings.Split(tok, ".") {
			if len(part) > 30 && strings.Contains(string(b), part) {
				t.Errorf("the trace holds a token: %s", b)
			}
		}
	}
}

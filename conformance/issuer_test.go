package conformance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/gatehouse-dev/gatehouse"
	"github.com/go-jose/go-jose/v4"
)

// provider is an OpenID Connect provider that is no user pool.
type provider struct {
	*httptest.Server
	mu      sync.Mutex
	keys    map[string]any // private keys by id
	fetched atomic.Int32   // how often the keys were
}

func newProvider(t testing.TB) *provider {
	p := &provider{keys: map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /tenant/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"issuer": p.issuer(), "jwks_uri": p.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) {
		p.fetched.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		var set jose.JSONWebKeySet
		for id, key := range p.keys {
			jwk := jose.JSONWebKey{Key: key, KeyID: id, Use: "sig"}
			set.Keys = append(set.Keys, jwk.Public())
		}
		json.NewEncoder(w).Encode(set)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) issuer() string { return p.URL + "/tenant" }

func (p *provider) addKey(t testing.TB, id string) {
	t.Helper()
	key := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys[id] = key
}

// sign makes a token with a key of the provider's, and of the algorithm.
func (p *provider) sign(t testing.TB, id string, alg jose.SignatureAlgorithm, claims map[string]any) string {
	t.Helper()
	p.mu.Lock()
	key := p.keys[id]
	p.mu.Unlock()
	all := map[string]any{"iss": p.issuer(), "aud": []string{"the-api"}, "sub": "jane", "iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(), "scope": "read write"}
	for k, v := range claims {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, (&jose.SignerOptions{}).WithType("JWT")))(t)
	return must(must(signer.Sign(must(json.Marshal(all))(t)))(t).CompactSerialize())(t)
}

// A JWT authorizer of an issuer elsewhere: discovery, keys that come and go, and the claims.
func TestForeignIssuer(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.addKey(t, "one")
	clock := &clock{now: time.Now()}
	srv := &gatehouse.Server{Addr: "127.0.0.1:0", Ephemeral: true, AuthOpen: true, Now: clock.Now}
	ok(t, srv.Start(t.Context()))
	t.Cleanup(func() { srv.Close(context.Background()) })
	ctx := t.Context()
	apis := apigatewayv2.NewFromConfig(sdkConfig(t, settings{srv.URL(), "us-east-1", "test", "test"}))
	api := must(apis.CreateApi(ctx, &apigatewayv2.CreateApiInput{Name: aws.String("guarded"), ProtocolType: apitypes.ProtocolTypeHttp}))(t)
	integration := must(apis.CreateIntegration(ctx, &apigatewayv2.CreateIntegrationInput{ApiId: api.ApiId, IntegrationType: apitypes.IntegrationTypeHttpProxy,
		IntegrationMethod: aws.String("GET"), IntegrationUri: aws.String(backend(t).URL), PayloadFormatVersion: aws.String("1.0")}))(t)
	authorizer := must(apis.CreateAuthorizer(ctx, &apigatewayv2.CreateAuthorizerInput{ApiId: api.ApiId, Name: aws.String("jwt"), AuthorizerType: apitypes.AuthorizerTypeJwt,
		IdentitySource: []string{"$request.querystring.token"}, JwtConfiguration: &apitypes.JWTConfiguration{Audience: []string{"the-api", "another"}, Issuer: aws.String(p.issuer())}}))(t)
	must(apis.CreateRoute(ctx, &apigatewayv2.CreateRouteInput{ApiId: api.ApiId, RouteKey: aws.String("$default"), Target: aws.String("integrations/" + *integration.IntegrationId),
		AuthorizationType: apitypes.AuthorizationTypeJwt, AuthorizerId: authorizer.AuthorizerId, AuthorizationScopes: []string{"write"}}))(t)
	must(apis.CreateStage(ctx, &apigatewayv2.CreateStageInput{ApiId: api.ApiId, StageName: aws.String("$default"), AutoDeploy: aws.Bool(true)}))(t)
	answers := func(what, token string, want int) {
		t.Helper()
		if status, h, body := get(t, *api.ApiEndpoint+"/?token="+token); status != want {
			t.Errorf("%s: %d %s %s, want %d", what, status, body, h.Get("Www-Authenticate"), want)
		}
	}
	answers("a good token", p.sign(t, "one", jose.RS256, nil), 200)
	answers("aud as a text", p.sign(t, "one", jose.RS384, map[string]any{"aud": "another"}), 200)
	answers("client_id for aud", p.sign(t, "one", jose.RS512, map[string]any{"aud": nil, "client_id": "the-api"}), 200)
	answers("scp for scope", p.sign(t, "one", jose.RS256, map[string]any{"scope": nil, "scp": []string{"write"}}), 200)
	answers("another audience", p.sign(t, "one", jose.RS256, map[string]any{"aud": "somebody"}), 401)
	answers("a client_id beside a wrong aud", p.sign(t, "one", jose.RS256, map[string]any{"aud": "somebody", "client_id": "the-api"}), 401)
	answers("no audience", p.sign(t, "one", jose.RS256, map[string]any{"aud": nil}), 401)
	answers("another issuer", p.sign(t, "one", jose.RS256, map[string]any{"iss": p.URL}), 401)
	answers("no issuer", p.sign(t, "one", jose.RS256, map[string]any{"iss": nil}), 401)
	answers("expired", p.sign(t, "one", jose.RS256, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), 401)
	answers("no expiry", p.sign(t, "one", jose.RS256, map[string]any{"exp": nil}), 401)
	answers("an expiry that is no number", p.sign(t, "one", jose.RS256, map[string]any{"exp": "tomorrow"}), 401)
	answers("not yet", p.sign(t, "one", jose.RS256, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}), 401)
	answers("from the future", p.sign(t, "one", jose.RS256, map[string]any{"iat": time.Now().Add(time.Hour).Unix()}), 401)
	answers("too little scope", p.sign(t, "one", jose.RS256, map[string]any{"scope": "read"}), 403)
	answers("no scope", p.sign(t, "one", jose.RS256, map[string]any{"scope": nil}), 403)
	if n := p.fetched.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times for tokens of one key", n)
	}

	// A new key is looked for, and not again and again for keys that nobody has.
	p.addKey(t, "two")
	clock.forward(time.Minute)
	answers("a new key", p.sign(t, "two", jose.RS256, nil), 200)
	p.mu.Lock()
	p.keys["forged"] = must(rsa.GenerateKey(rand.Reader, 2048))(t)
	p.mu.Unlock()
	forged := p.sign(t, "forged", jose.RS256, nil)
	p.mu.Lock()
	delete(p.keys, "forged")
	p.mu.Unlock()
	for range 20 {
		answers("a key of nobody's", forged, 401)
	}
	if n := p.fetched.Load(); n > 2 {
		t.Errorf("the keys were fetched %d times", n)
	}

	// API Gateway takes RSA only.
	p.mu.Lock()
	p.keys["curve"] = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	p.mu.Unlock()
	clock.forward(time.Minute)
	answers("ES256", p.sign(t, "curve", jose.ES256, nil), 401)
}

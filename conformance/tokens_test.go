package conformance

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/gatehouse-dev/gatehouse"
	"github.com/go-jose/go-jose/v4"
)

// clock is a clock that a test can move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// guarded is an API with a route that wants tokens of a pool's client, in a server inside the test.
type guarded struct {
	url, route   string
	pool, client string
	cognito      *cognito.Client
	clock        *clock
}

func newGuarded(t *testing.T, scopes ...string) *guarded {
	t.Helper()
	g := &guarded{clock: &clock{now: time.Now()}}
	srv := &gatehouse.Server{Addr: "127.0.0.1:0", Ephemeral: true, AuthOpen: true, Now: g.clock.Now}
	ok(t, srv.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := srv.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	g.url = srv.URL()
	cfg := sdkConfig(t, settings{g.url, "us-east-1", "test", "test"})
	g.cognito = cognito.NewFromConfig(cfg)
	g.pool, g.client, _ = testPool(t, g.cognito, false)
	must(g.cognito.UpdateUserPoolClient(t.Context(), &cognito.UpdateUserPoolClientInput{UserPoolId: &g.pool, ClientId: &g.client,
		ExplicitAuthFlows:   []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserPasswordAuth, types.ExplicitAuthFlowsTypeAllowRefreshTokenAuth},
		AccessTokenValidity: aws.Int32(5), IdTokenValidity: aws.Int32(5),
		TokenValidityUnits: &types.TokenValidityUnitsType{AccessToken: types.TimeUnitsTypeMinutes, IdToken: types.TimeUnitsTypeMinutes}}))(t)

	apis := apigatewayv2.NewFromConfig(cfg)
	ctx := t.Context()
	api := must(apis.CreateApi(ctx, &apigatewayv2.CreateApiInput{Name: aws.String("guarded"), ProtocolType: apitypes.ProtocolTypeHttp}))(t)
	integration := must(apis.CreateIntegration(ctx, &apigatewayv2.CreateIntegrationInput{ApiId: api.ApiId, IntegrationType: apitypes.IntegrationTypeHttpProxy,
		IntegrationMethod: aws.String("GET"), IntegrationUri: aws.String(backend(t).URL), PayloadFormatVersion: aws.String("1.0")}))(t)
	authorizer := must(apis.CreateAuthorizer(ctx, &apigatewayv2.CreateAuthorizerInput{ApiId: api.ApiId, Name: aws.String("jwt"), AuthorizerType: apitypes.AuthorizerTypeJwt,
		IdentitySource: []string{"$request.header.Authorization"}, JwtConfiguration: &apitypes.JWTConfiguration{Audience: []string{g.client}, Issuer: aws.String("https://cognito-idp.us-east-1.amazonaws.com/" + g.pool)}}))(t)
	must(apis.CreateRoute(ctx, &apigatewayv2.CreateRouteInput{ApiId: api.ApiId, RouteKey: aws.String("GET /secret"), Target: aws.String("integrations/" + *integration.IntegrationId),
		AuthorizationType: apitypes.AuthorizationTypeJwt, AuthorizerId: authorizer.AuthorizerId, AuthorizationScopes: scopes}))(t)
	must(apis.CreateStage(ctx, &apigatewayv2.CreateStageInput{ApiId: api.ApiId, StageName: aws.String("$default"), AutoDeploy: aws.Bool(true)}))(t)
	g.route = *api.ApiEndpoint + "/secret"
	return g
}

// opens checks that a token opens the route.
func (g *guarded) opens(t testing.TB, what, token string) {
	t.Helper()
	if status, _, body := get(t, g.route, "Authorization", "Bearer "+token); status != 200 || body != "GET /" {
		t.Errorf("%s: %d %s, want 200 and the backend's answer", what, status, body)
	}
}

// refuses checks that the route stays shut for an Authorization header, and that the decision trace
// has one step that failed, the one named, which says something.
func (g *guarded) refuses(t testing.TB, what, header, step, says string) {
	t.Helper()
	g.refusesAs(t, what, header, step, says, `401 {"message":"Unauthorized"}`)
}

func (g *guarded) refusesAs(t testing.TB, what, header, step, says, answer string) {
	t.Helper()
	status, h, body := get(t, g.route, "Authorization", header)
	if got := words(status, body); got != answer {
		t.Errorf("%s: %s, want %s", what, got, answer)
	}
	if step != "identity source" && !strings.HasPrefix(h.Get("Www-Authenticate"), `Bearer scope="`) && !strings.HasPrefix(h.Get("Www-Authenticate"), `Bearer error="`) {
		t.Errorf("%s: Www-Authenticate: %s", what, h.Get("Www-Authenticate"))
	}
	_, _, text := get(t, g.url+"/_gatehouse/requests/"+url.PathEscape(h.Get("Apigw-Requestid")))
	var trace struct {
		Status int
		Steps  []struct {
			Name, Detail, Got, Want string
			OK                      bool
		}
	}
	decode(t, text, &trace)
	failed := ""
	for _, s := range trace.Steps {
		if !s.OK {
			failed += s.Name + ": " + s.Detail + "; got " + s.Got + "; want " + s.Want
		}
	}
	if !strings.HasPrefix(failed, step+": ") || !strings.Contains(failed, says) || trace.Status != status {
		t.Errorf("%s: why says %q (status %d), want the step %q to say %q", what, failed, trace.Status, step, says)
	}
	if token := strings.TrimPrefix(header, "Bearer "); len(token) > 50 && strings.Contains(text, token[len(token)-40:]) {
		t.Errorf("%s: the trace holds the token", what)
	}
}

// resign makes a token with the header's members and claims changed, signed with a key of RSA.
func resign(t testing.TB, raw string, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	h, c := parseJWT(t, raw)
	maps.Copy(h, header)
	maps.Copy(c, claims)
	signed := segment(t, h) + "." + segment(t, c)
	sum := sha256.Sum256([]byte(signed))
	sig := must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]))(t)
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func segment(t testing.TB, v any) string {
	t.Helper()
	return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v))(t))
}

// Every way that a token can be wrong, the answer to it, and what `gatehouse why` says.
func TestTokens(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	ctx := t.Context()
	good := newUser(t, g.cognito, g.pool, g.client, "jane")
	g.opens(t, "the ID token", good.id)
	g.opens(t, "the access token", good.access)
	if status, _, _ := get(t, g.route, "Authorization", good.access); status != 200 {
		t.Errorf("the token without Bearer: %d", status)
	}

	// No token, or none worth the name.
	status, h, body := get(t, g.route)
	same(t, "no token", words(status, body, h.Get("Www-Authenticate")), `401 {"message":"Unauthorized"} Bearer`)
	g.refuses(t, "an empty header", "", "identity source", "no token")
	g.refuses(t, "Bearer alone", "Bearer", "jwt signature", "three parts")
	g.refuses(t, "another scheme", "Basic amFuZTpqYW5l", "jwt signature", "three parts")
	g.refuses(t, "nonsense", "Bearer nonsense", "jwt signature", "three parts")
	g.refuses(t, "the refresh token", "Bearer "+good.refresh, "jwt signature", "three parts")
	g.refuses(t, "a huge one", "Bearer "+strings.Repeat("a", 9000), "jwt signature", "")

	// Cut and changed.
	parts := strings.Split(good.access, ".")
	g.refuses(t, "cut in the signature", "Bearer "+good.access[:len(good.access)-20], "jwt signature", "")
	g.refuses(t, "no signature", "Bearer "+parts[0]+"."+parts[1]+".", "jwt signature", "")
	g.refuses(t, "two parts", "Bearer "+parts[0]+"."+parts[1], "jwt signature", "three parts")
	g.refuses(t, "four parts", "Bearer "+good.access+"."+parts[2], "jwt signature", "three parts")
	_, claims := parseJWT(t, good.access)
	claims["username"] = "admin"
	g.refuses(t, "changed claims", "Bearer "+parts[0]+"."+segment(t, claims)+"."+parts[2], "jwt signature", "")
	g.refuses(t, "the ID token's signature", "Bearer "+parts[0]+"."+parts[1]+"."+strings.Split(good.id, ".")[2], "jwt signature", "")

	// Signed with another key, or with none.
	mine := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	forged := map[string]string{"another key": resign(t, good.access, mine, nil, nil)}
	g.refuses(t, "another key", "Bearer "+forged["another key"], "jwt signature", "")
	forged["a foreign kid"] = resign(t, good.access, mine, map[string]any{"kid": "bWluZW1pbmVtaW5lbWluZW1pbmVtaW5lbWluZW1pbmU="}, nil)
	g.refuses(t, "a foreign kid", "Bearer "+forged["a foreign kid"], "jwt signature", "kid")
	jwk := jose.JSONWebKey{Key: &mine.PublicKey, KeyID: "mine", Algorithm: "RS256", Use: "sig"}
	forged["its own key in the header"] = resign(t, good.access, mine, map[string]any{"kid": "mine", "jwk": jwk, "jku": "https://example.com/jwks.json"}, nil)
	g.refuses(t, "its own key in the header", "Bearer "+forged["its own key in the header"], "jwt signature", "")
	none := segment(t, map[string]any{"alg": "none", "typ": "JWT"}) + "." + parts[1] + "."
	forged["alg none"] = none
	g.refuses(t, "alg none", "Bearer "+none, "jwt signature", "none")
	g.refuses(t, "alg nOnE", "Bearer "+segment(t, map[string]any{"alg": "nOnE"})+"."+parts[1]+".", "jwt signature", "nOnE")

	_, _, text := get(t, g.url+"/"+g.pool+"/.well-known/jwks.json")
	var set jose.JSONWebKeySet
	decode(t, text, &set)
	head, _ := parseJWT(t, good.access)
	public := set.Key(head["kid"].(string))[0].Key.(*rsa.PublicKey)
	der := must(x509.MarshalPKIXPublicKey(public))(t)
	for name, secret := range map[string][]byte{"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "modulus": public.N.Bytes()} {
		signed := segment(t, map[string]any{"alg": "HS256", "kid": head["kid"]}) + "." + parts[1]
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(signed))
		what := "HS256 with the public key as " + name
		forged[what] = signed + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
		g.refuses(t, what, "Bearer "+forged[what], "jwt signature", "HS256")
	}
	// What does not open the route does not sign a user in elsewhere either.
	for what, raw := range forged {
		typed[*types.NotAuthorizedException](t, "GetUser with "+what, "")(g.cognito.GetUser(ctx, &cognito.GetUserInput{AccessToken: &raw}))
	}
	typed[*types.NotAuthorizedException](t, "GetUser with the ID token", "")(g.cognito.GetUser(ctx, &cognito.GetUserInput{AccessToken: &good.id}))
	typed[*types.NotAuthorizedException](t, "refreshing with an access token", "Invalid Refresh Token")(g.cognito.InitiateAuth(ctx, &cognito.InitiateAuthInput{
		ClientId: &g.client, AuthFlow: types.AuthFlowTypeRefreshTokenAuth, AuthParameters: map[string]string{"REFRESH_TOKEN": good.access}}))

	// For somebody else.
	other := must(g.cognito.CreateUserPoolClient(ctx, &cognito.CreateUserPoolClientInput{UserPoolId: &g.pool, ClientName: aws.String("other"),
		ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserPasswordAuth, types.ExplicitAuthFlowsTypeAllowRefreshTokenAuth}}))(t).UserPoolClient
	theirs := signIn(t, g.cognito, *other.ClientId, "jane")
	g.refuses(t, "another client's ID token", "Bearer "+theirs.id, "jwt audience", "aud "+*other.ClientId)
	g.refuses(t, "another client's access token", "Bearer "+theirs.access, "jwt audience", "client_id "+*other.ClientId)
	pool, client, _ := testPool(t, g.cognito, false)
	foreign := newUser(t, g.cognito, pool, client, "jane")
	g.refuses(t, "another pool's ID token", "Bearer "+foreign.id, "jwt signature", "kid")
	g.refuses(t, "another pool's access token", "Bearer "+foreign.access, "jwt signature", "kid")

	// Time. Tokens live for five minutes here.
	g.clock.forward(5*time.Minute - 2*time.Second)
	g.opens(t, "shortly before it expires", good.id)
	g.clock.forward(3 * time.Second)
	g.refuses(t, "an expired ID token", "Bearer "+good.id, "jwt time", "exp")
	g.refuses(t, "an expired access token", "Bearer "+good.access, "jwt time", "exp")
	typed[*types.NotAuthorizedException](t, "GetUser with an expired token", "Access Token has expired")(g.cognito.GetUser(ctx, &cognito.GetUserInput{AccessToken: &good.access}))
	fresh := must(g.cognito.InitiateAuth(ctx, &cognito.InitiateAuthInput{ClientId: &g.client, AuthFlow: types.AuthFlowTypeRefreshTokenAuth,
		AuthParameters: map[string]string{"REFRESH_TOKEN": good.refresh}}))(t).AuthenticationResult
	g.opens(t, "a refreshed token", *fresh.IdToken)
	g.clock.forward(31 * 24 * time.Hour)
	typed[*types.NotAuthorizedException](t, "an expired refresh token", "Refresh Token has expired")(g.cognito.InitiateAuth(ctx, &cognito.InitiateAuthInput{
		ClientId: &g.client, AuthFlow: types.AuthFlowTypeRefreshTokenAuth, AuthParameters: map[string]string{"REFRESH_TOKEN": good.refresh}}))

	// The pool is gone, and with it its keys, whatever was cached.
	late := signIn(t, g.cognito, g.client, "jane")
	g.opens(t, "a token of the pool", late.id)
	must(g.cognito.DeleteUserPool(ctx, &cognito.DeleteUserPoolInput{UserPoolId: &g.pool}))(t)
	if status, _, body := get(t, g.route, "Authorization", "Bearer "+late.id); status != 401 {
		t.Errorf("a token of a deleted pool: %d %s", status, body)
	}
}

// A route with scopes takes access tokens that have one of them.
func TestTokenScopes(t *testing.T) {
	t.Parallel()
	forbidden := `403 {"message":"Forbidden"}`
	for scope, opens := range map[string]bool{"aws.cognito.signin.user.admin": true, "things/read": false} {
		g := newGuarded(t, scope)
		tok := newUser(t, g.cognito, g.pool, g.client, "jane")
		if opens {
			g.opens(t, "an access token with the scope", tok.access)
		} else {
			g.refusesAs(t, "an access token without the scope", "Bearer "+tok.access, "jwt scopes", scope, forbidden)
		}
		g.refusesAs(t, "an ID token, which has no scopes", "Bearer "+tok.id, "jwt scopes", scope, forbidden)
	}
}

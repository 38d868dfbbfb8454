package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/coreos/go-oidc/v3/oidc"
)

// toHere returns a client for which every host name leads to s, over TLS, and which trusts the local
// authority and nobody else.
func (s *server) toHere(t testing.TB) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(must(os.ReadFile(filepath.Join(s.Dir, "ca.pem")))(t)) {
		t.Fatal("ca.pem holds no certificate")
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+s.Port)
		}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// newUser makes a user who is confirmed and signs in.
func newUser(t testing.TB, c *cognito.Client, pool, client, name string) tokens {
	t.Helper()
	ctx := t.Context()
	must(c.AdminCreateUser(ctx, &cognito.AdminCreateUserInput{UserPoolId: &pool, Username: &name, MessageAction: types.MessageActionTypeSuppress}))(t)
	must(c.AdminSetUserPassword(ctx, &cognito.AdminSetUserPasswordInput{UserPoolId: &pool, Username: &name, Password: aws.String(password), Permanent: true}))(t)
	return signIn(t, c, client, name)
}

func signIn(t testing.TB, c *cognito.Client, client, name string) tokens {
	t.Helper()
	r := must(c.InitiateAuth(t.Context(), &cognito.InitiateAuthInput{ClientId: &client, AuthFlow: types.AuthFlowTypeUserPasswordAuth,
		AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password}}))(t).AuthenticationResult
	return tokens{*r.IdToken, *r.AccessToken, *r.RefreshToken}
}

// TLS and plain HTTP on one port; verifiers of others take the pool's tokens.
func TestTLSAndVerifiers(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := cognito.NewFromConfig(s.config(t))
	pool, client, _ := testPool(t, c, false)
	tok := newUser(t, c, pool, client, "jane")

	// curl, with the authority's certificate and without.
	ca := filepath.Join(s.Dir, "ca.pem")
	jwks := fmt.Sprintf("127.0.0.1:%s/%s/.well-known/jwks.json", s.Port, pool)
	status, _, secure := curl(t, "--cacert", ca, "https://"+jwks)
	plainStatus, _, plain := curl(t, "http://"+jwks)
	if status != 200 || plainStatus != 200 || secure != plain {
		t.Errorf("jwks.json over TLS: %d %s\nplain: %d %s", status, secure, plainStatus, plain)
	}
	if r := run(t, cleanEnv(), need(t, "curl"), "-sS", "https://"+jwks); r.code != 60 { // the peer's certificate is not known
		t.Errorf("curl without the authority's certificate: exit %d %s", r.code, r.stderr)
	}
	host := "cognito-idp.us-east-1.amazonaws.com"
	status, _, body := curl(t, "--cacert", ca, "--connect-to", host+":443:127.0.0.1:"+s.Port, "https://"+host+"/"+pool+"/.well-known/jwks.json")
	same(t, "jwks.json under AWS's name", words(status, body), "200 "+plain)
	status, _, _ = curl(t, "--cacert", ca, "https://localhost:"+s.Port+"/_gatehouse/health")
	same(t, "health", status, 200)

	// The AWS CLI over TLS.
	v := s.settings(t)
	v.Endpoint = "https://127.0.0.1:" + s.Port
	cli := newCLI(t, v, s.home)
	same(t, "list-user-pools over TLS", names(t, cli.json(t, "cognito-idp", "list-user-pools", "--max-results", "5", "--ca-bundle", ca), "UserPools", "Id"), []string{pool})

	// go-oidc discovers the pool under AWS's name and takes its tokens.
	ctx := oidc.ClientContext(t.Context(), s.toHere(t))
	issuer := "https://" + host + "/" + pool
	provider := must(oidc.NewProvider(ctx, issuer))(t)
	id := must(provider.Verifier(&oidc.Config{ClientID: client}).Verify(ctx, tok.id))(t)
	var claims struct {
		Username string `json:"cognito:username"`
	}
	ok(t, id.Claims(&claims))
	same(t, "cognito:username", claims.Username, "jane")
	must(provider.Verifier(&oidc.Config{SkipClientIDCheck: true}).Verify(ctx, tok.access))(t)
	if _, err := provider.Verifier(&oidc.Config{ClientID: "another"}).Verify(ctx, tok.id); err == nil {
		t.Error("go-oidc takes the token for another client")
	}
	status, h, body := get(t, s.URL+"/"+pool+"/.well-known/openid-configuration")
	if status != 200 || h.Get("Content-Type") != "application/json" || !strings.Contains(body, issuer+"/.well-known/jwks.json") {
		t.Errorf("openid-configuration: %d %v %s", status, h, body)
	}
	if status, _, body := get(t, s.URL+"/us-east-1_AbCdEfGhI/.well-known/jwks.json"); status != 404 {
		t.Errorf("keys of an unknown pool: %d %s", status, body)
	}

	// aws-jwt-verify.
	t.Run("aws-jwt-verify", func(t *testing.T) {
		s.node(t, "verify.mjs", map[string]any{"poolId": pool, "clientId": client, "idToken": tok.id, "accessToken": tok.access})
	})
}

// With an issuer of its own, a verifier needs nothing but the network.
func TestOwnIssuer(t *testing.T) {
	t.Parallel()
	s := start(t, "--ephemeral", "--auth", "open")
	s.interrupt(t)
	s.args = append(s.args, "--issuer", "http://127.0.0.1:"+s.Port)
	s.restart(t)
	c := cognito.NewFromConfig(s.config(t))
	pool, client, _ := testPool(t, c, false)
	tok := newUser(t, c, pool, client, "jane")
	provider := must(oidc.NewProvider(t.Context(), s.URL+"/"+pool))(t)
	must(provider.Verifier(&oidc.Config{ClientID: client}).Verify(t.Context(), tok.id))(t)
}

package identitypools

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/keys"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/token"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const (
	testRegion = "eu-central-1"
	account    = "000000000000"
	userPoolID = testRegion + "_Abcdefghi"
	people     = "cognito-idp." + testRegion + ".amazonaws.com/" + userPoolID
	client     = "1example23456789"
	oidcHost   = "login.example.com/realm"
	oidcPeople = "arn:aws:iam::" + account + ":oidc-provider/" + oidcHost
	samlPeople = "arn:aws:iam::" + account + ":saml-provider/corp"
)

// fixture is a service on a database, with a clock of its own, and with issuers of tokens whose keys are real.
type fixture struct {
	*Service
	t     testing.TB
	ctx   context.Context
	keys  *keys.Set
	mu    sync.Mutex
	at    time.Time
	check error                  // what the user pool says of its tokens
	asked []*session.RoleRequest // of STS
	trust func(*session.RoleRequest) error
}

// each runs a test on every engine.
func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	storetest.EachURL(t, func(t *testing.T, url string) { test(t, newFixture(t, url)) })
}

func newFixture(t testing.TB, url string) *fixture {
	t.Helper()
	f := &fixture{t: t, at: time.Now()}
	db := storetest.OpenOptions(t, store.Options{URL: url, Now: f.time})
	f.open(db)
	// Issuers: the user pool, another one, and an OpenID Connect provider.
	for _, scope := range []string{userPoolID, testRegion + "_Otherpool", oidcHost} {
		taken, err := f.keys.Take(f.ctx, "id")
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(f.ctx, func(tx *store.Tx) error { return f.keys.Create(tx, scope, taken) }); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// open makes the service on the database.
func (f *fixture) open(db *store.DB) {
	f.t.Helper()
	box, err := seal.FromBytes(make([]byte, seal.KeySize))
	if err != nil {
		f.t.Fatal(err)
	}
	f.ctx = wire.WithCall(f.t.Context(), &wire.Call{Region: testRegion, Account: account})
	f.keys = keys.Open(db, box, keys.Options{Stash: -1})
	f.t.Cleanup(f.keys.Close)
	mint := session.NewMint(box, f.time)
	verifier := token.NewVerifier(token.Options{Now: f.time, Local: func(ctx context.Context, issuer string) (token.KeySource, bool) {
		if issuer == Issuer {
			return f.KeySource(), true
		}
		if id, ok := f.IssuerPool(ctx, issuer); ok {
			return f.keys.Source(id), true
		}
		return f.keys.Source(strings.TrimPrefix(issuer, "https://")), true
	}})
	f.Service = New(Options{DB: db, Seal: box, Keys: f.keys, Account: account, Now: f.time, Verifier: verifier, UserPools: f,
		STS: stsFunc(func(ctx context.Context, req *session.RoleRequest) (session.Credentials, *session.Session, error) {
			f.mu.Lock()
			f.asked = append(f.asked, req)
			f.mu.Unlock()
			if f.trust != nil {
				if err := f.trust(req); err != nil {
					return session.Credentials{}, nil, err
				}
			}
			s := &session.Session{Type: policy.RoleSession, Account: account, OwnerARN: req.RoleARN, OwnerID: "AROAEXAMPLE", OwnerName: "role", Name: req.SessionName,
				Expires: f.time().Add(req.Duration).Unix()}
			c, err := mint.Issue(s)
			return c, s, err
		}),
		OIDCProvider: func(_ context.Context, arn string) (*OIDCProvider, error) {
			if arn != oidcPeople {
				return nil, shape.Errorf("NoSuchEntity", 404, "no provider")
			}
			return &OIDCProvider{URL: oidcHost, ClientIDs: []string{"web", "phone"}}, nil
		},
		SAML: func(_ context.Context, arn, response string) (*Assertion, error) {
			name, ok := strings.CutPrefix(response, "assertion of ")
			if arn != samlPeople || !ok {
				return nil, shape.Errorf("InvalidIdentityToken", 400, "Response signature invalid")
			}
			return &Assertion{Subject: name, Attributes: map[string][]string{"dept": {"sales", "support"},
				samlRoles: {role("Saml") + "," + samlPeople, "arn:aws:iam::" + account + ":saml-provider/other," + role("Foreign")}}}, nil
		},
	})
}

type stsFunc func(context.Context, *session.RoleRequest) (session.Credentials, *session.Session, error)

func (f stsFunc) AssumeWithWebIdentity(ctx context.Context, req *session.RoleRequest) (session.Credentials, *session.Session, error) {
	return f(ctx, req)
}

// IssuerPool and CheckIDToken are the user pools': one has an issuer of its own besides AWS's.
func (f *fixture) IssuerPool(_ context.Context, issuer string) (string, bool) {
	for _, id := range []string{userPoolID, testRegion + "_Otherpool"} {
		if issuer == "https://id.example.com/"+id || issuer == "https://cognito-idp."+testRegion+".amazonaws.com/"+id {
			return id, true
		}
	}
	return "", false
}

func (f *fixture) CheckIDToken(_ context.Context, pool string, claims map[string]any) error {
	if pool != userPoolID || claims["sub"] == "" {
		f.t.Errorf("asked for the pool %s", pool)
	}
	return f.check
}

func (f *fixture) time() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return f.at }

func (f *fixture) pass(d time.Duration) { f.mu.Lock(); f.at = f.at.Add(d); f.mu.Unlock() }

func role(name string) string { return "arn:aws:iam::" + account + ":role/" + name }

// must returns a result whose error is nil.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return v
	}
}

// wantErr checks for an error by code and message, "Code: message"; "" wants none.
func wantErr(t testing.TB, err error, want string) {
	t.Helper()
	var e *shape.Error
	switch {
	case err == nil && want == "":
	case !errors.As(err, &e):
		t.Errorf("error is %v, want %q", err, want)
	case e.Error() != want:
		t.Errorf("error is %q, want %q", e.Error(), want)
	}
}

// newPool makes a pool with every kind of provider, and guests.
func (f *fixture) newPool(change func(*cognitoidentity.CreateIdentityPoolInput)) string {
	f.t.Helper()
	in := &cognitoidentity.CreateIdentityPoolInput{IdentityPoolName: "pool", AllowUnauthenticatedIdentities: true, DeveloperProviderName: shape.Ptr("login.dev"),
		CognitoIdentityProviders:  []cognitoidentity.CognitoIdentityProvider{{ProviderName: shape.Ptr(people), ClientId: shape.Ptr(client)}},
		OpenIdConnectProviderARNs: []string{oidcPeople}, SamlProviderARNs: []string{samlPeople},
		SupportedLoginProviders: map[string]string{google: "g-client", "graph.facebook.com": "fb"}}
	if change != nil {
		change(in)
	}
	id := must(f.CreateIdentityPool(f.ctx, in))(f.t).IdentityPoolId
	must(f.SetIdentityPoolRoles(f.ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: id, Roles: map[string]string{"authenticated": role("Auth"), "unauthenticated": role("Unauth")}}))(f.t)
	return id
}

// sign makes a token with the key of the scope.
func (f *fixture) sign(scope string, claims map[string]any) string {
	f.t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		f.t.Fatal(err)
	}
	return must(f.keys.Sign(f.ctx, scope, "id", b))(f.t)
}

// idClaims are those of a user pool's ID token; more overrides, a nil takes away.
func (f *fixture) idClaims(sub string, more map[string]any) map[string]any {
	now := f.time().Unix()
	c := map[string]any{"iss": "https://" + people, "aud": client, "sub": sub, "token_use": "id", "iat": now, "exp": now + 3600, "cognito:username": sub}
	maps.Copy(c, more)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// user is the login of a user of the user pool.
func (f *fixture) user(sub string) map[string]string {
	return map[string]string{people: f.sign(userPoolID, f.idClaims(sub, nil))}
}

// oidcUser is the login of somebody whom the OpenID Connect provider knows.
func (f *fixture) oidcUser(sub string) map[string]string {
	return map[string]string{oidcHost: f.sign(oidcHost, f.idClaims(sub, map[string]any{"iss": "https://" + oidcHost, "aud": "phone", "token_use": nil}))}
}

func both(a, b map[string]string) map[string]string {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

func (f *fixture) getID(pool string, logins map[string]string) (string, error) {
	out, err := f.GetId(f.ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool, Logins: logins})
	if err != nil {
		return "", err
	}
	return *out.IdentityId, nil
}

func (f *fixture) credentials(id string, logins map[string]string) (string, error) {
	out, err := f.GetCredentialsForIdentity(f.ctx, &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: id, Logins: logins})
	if err != nil {
		return "", err
	}
	return *out.IdentityId, nil
}

func claimsOf(t testing.TB, jwt string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestLogins is the table of what passes for a login.
func TestLogins(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(nil)
		other := testRegion + "_Otherpool"
		otherName := "cognito-idp." + testRegion + ".amazonaws.com/" + other
		good := f.sign(userPoolID, f.idClaims("ann", nil))
		parts := strings.Split(good, ".")
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"x"}`)) + "." + parts[1] + "."
		forged := parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(must(base64.RawURLEncoding.DecodeString(parts[1]))(t)), "ann", "bob", 1))) + "." + parts[2]
		now := f.time().Unix()
		const badToken = "NotAuthorizedException: Invalid login token. "
		const provider = "NotAuthorizedException: Token is not from a supported provider of this identity pool."
		token := func(more map[string]any) string { return f.sign(userPoolID, f.idClaims("ann", more)) }
		for _, c := range []struct{ name, provider, token, want string }{
			{"good", people, good, ""},
			{"the server's own issuer", people, token(map[string]any{"iss": "https://id.example.com/" + userPoolID}), ""},
			{"several audiences", people, token(map[string]any{"aud": []string{"x", client}}), ""},
			{"other client", people, token(map[string]any{"aud": "2other"}), provider},
			{"provider not configured", otherName, f.sign(other, f.idClaims("ann", map[string]any{"iss": "https://" + otherName})), provider},
			{"token of another pool", people, f.sign(other, f.idClaims("ann", map[string]any{"iss": "https://" + otherName})), badToken + "Issuer doesn't match providerName"},
			{"another pool's key, this issuer", people, f.sign(other, f.idClaims("ann", nil)), badToken + "Couldn't verify signed token."},
			{"this pool's key, another issuer", people, token(map[string]any{"iss": "https://evil.example"}), badToken + "Issuer doesn't match providerName"},
			{"expired", people, token(map[string]any{"exp": now - 1}), badToken + "Token expired: " + itoa(now) + " >= " + itoa(now-1)},
			{"expires now", people, token(map[string]any{"exp": now}), badToken + "Token expired: " + itoa(now) + " >= " + itoa(now)},
			{"not yet", people, token(map[string]any{"nbf": now + 3600}), badToken + "Token is not valid yet."},
			{"unsigned", people, none, badToken + "Couldn't verify signed token."},
			{"tampered", people, forged, badToken + "Couldn't verify signed token."},
			{"cut", people, good[:len(good)-4], badToken + "Not a valid OpenId Connect identity token."},
			{"no token", people, "hello", badToken + "Not a valid OpenId Connect identity token."},
			{"access token", people, token(map[string]any{"token_use": "access", "aud": nil, "client_id": client}), badToken + "Missing a required claim: aud"},
			{"access token with an audience", people, token(map[string]any{"token_use": "access"}), badToken + "Not a valid OpenId Connect identity token."},
			{"no token_use", people, token(map[string]any{"token_use": nil}), badToken + "Not a valid OpenId Connect identity token."},
			{"no sub", people, token(map[string]any{"sub": nil}), badToken + "Missing a required claim: sub"},
			{"no exp", people, token(map[string]any{"exp": nil}), badToken + "Missing a required claim: exp"},
			{"OpenID Connect", oidcHost, f.oidcUser("ann")[oidcHost], ""},
			{"OpenID Connect by ARN", oidcPeople, f.oidcUser("ann")[oidcHost], ""},
			{"OpenID Connect, other client", oidcHost, f.sign(oidcHost, f.idClaims("ann", map[string]any{"iss": "https://" + oidcHost})), provider},
			{"OpenID Connect, user pool's token", oidcHost, good, badToken + "Issuer doesn't match providerName"},
			{"SAML", samlPeople, "assertion of ann", ""},
			{"SAML, unsigned", samlPeople, "no assertion", badToken + "Response signature invalid"},
			{"SAML, other provider", "arn:aws:iam::" + account + ":saml-provider/other", "assertion of ann", provider},
			{"Facebook", "graph.facebook.com", "token", "ExternalServiceException: Logins of graph.facebook.com are not supported by this version of Gatehouse."},
			{"Twitter, not configured", "api.twitter.com", "token", provider},
			{"developer provider", "login.dev", "ann", "InvalidParameterException: Please provide a valid public provider."},
			{"own, made up", Provider, "token", badToken + "Not a Cognito token."},
			{"own, user pool's token", Provider, good, badToken + "Issuer doesn't match providerName"},
			{"own, user pool's key", Provider, f.sign(userPoolID, map[string]any{"iss": Issuer, "aud": pool, "sub": newID(), "amr": []string{"authenticated"}, "exp": now + 60}), badToken + "Couldn't verify signed token."},
		} {
			_, err := f.getID(pool, map[string]string{c.provider: c.token})
			if wantErr(t, err, c.want); t.Failed() {
				t.Fatalf("%s", c.name)
			}
		}
		// A trace says what was wrong, and holds no token.
		tr := new(trace.Trace)
		_, err := f.GetId(trace.With(f.ctx, tr), &cognitoidentity.GetIdInput{IdentityPoolId: pool, Logins: map[string]string{people: token(map[string]any{"aud": "2other"})}})
		if err == nil || len(tr.Steps) != 1 || tr.Steps[0].OK || tr.Steps[0].Got != "aud 2other" || tr.Steps[0].Want != client {
			t.Errorf("%v, trace %+v", err, tr.Steps)
		}
	})
}

// TestServerSideCheck asks the user pool, where the provider says so, and only there.
func TestServerSideCheck(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(nil)
		strict := f.newPool(func(in *cognitoidentity.CreateIdentityPoolInput) {
			in.CognitoIdentityProviders[0].ServerSideTokenCheck = shape.Ptr(true)
		})
		id := must(f.getID(strict, f.user("ann")))(t)
		f.check = shape.Errorf("NotAuthorizedException", 400, "User is disabled.")
		if _, err := f.getID(pool, f.user("ann")); err != nil {
			t.Error(err)
		}
		_, err := f.credentials(id, f.user("ann"))
		wantErr(t, err, "NotAuthorizedException: Invalid login token. User is disabled.")
		f.check = errors.New("the store is closed")
		var e *shape.Error
		if _, err = f.getID(strict, f.user("ann")); err == nil || errors.As(err, &e) {
			t.Errorf("a failing check: %v", err)
		}
	})
}

// TestPools takes pools through their operations.
func TestPools(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.newPool(nil)
		region, u, ok := parseID(id)
		if !ok || region != testRegion || u.String() != id[len(testRegion)+1:] {
			t.Errorf("id %s", id)
		}
		p := must(f.DescribeIdentityPool(f.ctx, &cognitoidentity.DescribeIdentityPoolInput{IdentityPoolId: id}))(t)
		if p.AllowClassicFlow != nil || *p.CognitoIdentityProviders[0].ServerSideTokenCheck {
			t.Errorf("%+v", p)
		}
		change := *p
		change.IdentityPoolName, change.DeveloperProviderName, change.IdentityPoolTags = "other", nil, map[string]string{"a": "b"}
		if got := must(f.UpdateIdentityPool(f.ctx, &change))(t); got.IdentityPoolName != "other" || *got.DeveloperProviderName != "login.dev" {
			t.Errorf("updated to %+v", got)
		}
		change.DeveloperProviderName = shape.Ptr("login.other")
		_, err := f.UpdateIdentityPool(f.ctx, &change)
		wantErr(t, err, "InvalidParameterException: Developer provider name cannot be changed once it has been set.")

		arn := "arn:aws:cognito-identity:" + testRegion + ":" + account + ":identitypool/" + id
		must(f.TagResource(f.ctx, &cognitoidentity.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"c": "d"}}))(t)
		must(f.UntagResource(f.ctx, &cognitoidentity.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}}))(t)
		if got := must(f.ListTagsForResource(f.ctx, &cognitoidentity.ListTagsForResourceInput{ResourceArn: arn}))(t).Tags; len(got) != 1 || got["c"] != "d" {
			t.Errorf("tags %v", got)
		}

		for want, in := range map[string]*cognitoidentity.CreateIdentityPoolInput{
			"InvalidParameterException: Invalid Cognito Identity Provider":                                     {CognitoIdentityProviders: []cognitoidentity.CognitoIdentityProvider{{ProviderName: shape.Ptr("https://" + people), ClientId: shape.Ptr("c")}}},
			"InvalidParameterException: Please provide a valid public provider.":                               {SupportedLoginProviders: map[string]string{"example.com": "x"}},
			"InvalidParameterException: Invalid SAML provider ARN: arn:aws:iam::000000000000:role/x":           {SamlProviderARNs: []string{role("x")}},
			"InvalidParameterException: Invalid OpenID Connect provider ARN: arn:aws:iam::000000000000:role/x": {OpenIdConnectProviderARNs: []string{role("x")}},
		} {
			in.IdentityPoolName = "x"
			_, err := f.CreateIdentityPool(f.ctx, in)
			wantErr(t, err, want)
		}

		for range 4 {
			f.newPool(nil)
		}
		seen := map[string]bool{}
		var next *string
		for {
			out := must(f.ListIdentityPools(f.ctx, &cognitoidentity.ListIdentityPoolsInput{MaxResults: 2, NextToken: next}))(t)
			for _, p := range out.IdentityPools {
				seen[*p.IdentityPoolId] = true
			}
			if next = out.NextToken; next == nil {
				break
			}
		}
		if len(seen) != 5 {
			t.Errorf("%d pools", len(seen))
		}
		_, err = f.ListIdentityPools(f.ctx, &cognitoidentity.ListIdentityPoolsInput{MaxResults: 2, NextToken: shape.Ptr("x")})
		wantErr(t, err, "InvalidParameterException: Invalid pagination token.")

		elsewhere := wire.WithCall(t.Context(), &wire.Call{Region: "us-east-1", Account: account})
		_, err = f.DescribeIdentityPool(elsewhere, &cognitoidentity.DescribeIdentityPoolInput{IdentityPoolId: id})
		wantErr(t, err, "ResourceNotFoundException: IdentityPool '"+id+"' not found.")
		_, err = f.DeleteIdentityPool(elsewhere, &cognitoidentity.DeleteIdentityPoolInput{IdentityPoolId: id})
		wantErr(t, err, "ResourceNotFoundException: IdentityPool '"+id+"' not found.")

		ann := must(f.getID(id, f.user("ann")))(t)
		must(f.DeleteIdentityPool(f.ctx, &cognitoidentity.DeleteIdentityPoolInput{IdentityPoolId: id}))(t)
		_, err = f.getID(id, f.user("ann"))
		wantErr(t, err, "ResourceNotFoundException: IdentityPool '"+id+"' not found.")
		_, err = f.credentials(ann, f.user("ann"))
		wantErr(t, err, "ResourceNotFoundException: Identity '"+ann+"' not found.")
	})
}

func itoa(n int64) string { b, _ := json.Marshal(n); return string(b) }

func newID() string { return testRegion + ":" + ident.UUID() }

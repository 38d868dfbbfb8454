package userpools

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/srp"
)

// srpBegin is the first step of an SRP sign-in.
func (f *fixture) srpBegin(client, name string, c *srp.Client) (*cognitoidp.InitiateAuthResponse, error) {
	return f.InitiateAuth(f.ctx, &cognitoidp.InitiateAuthRequest{ClientId: client, AuthFlow: "USER_SRP_AUTH",
		AuthParameters: map[string]string{"USERNAME": name, "SRP_A": c.SRPA()}})
}

// srpAnswer is the answer of a client that knows the password.
func (f *fixture) srpAnswer(c *srp.Client, first *cognitoidp.InitiateAuthResponse, password string) map[string]string {
	f.t.Helper()
	p := first.ChallengeParameters
	block, err := base64.StdEncoding.DecodeString(p["SECRET_BLOCK"])
	if err != nil {
		f.t.Fatal(err)
	}
	at := f.now().UTC().Format(srp.TimestampLayout)
	proof := must(c.Prove(p["USER_ID_FOR_SRP"], password, p["SALT"], p["SRP_B"], block, at))(f.t)
	return map[string]string{"USERNAME": p["USER_ID_FOR_SRP"], "PASSWORD_CLAIM_SECRET_BLOCK": p["SECRET_BLOCK"],
		"PASSWORD_CLAIM_SIGNATURE": base64.StdEncoding.EncodeToString(proof), "TIMESTAMP": at}
}

func (f *fixture) srpFinish(client string, answer map[string]string) (*cognitoidp.RespondToAuthChallengeResponse, error) {
	return f.RespondToAuthChallenge(f.ctx, &cognitoidp.RespondToAuthChallengeRequest{ClientId: client, ChallengeName: "PASSWORD_VERIFIER", ChallengeResponses: answer})
}

func poolSuffix(pool string) string { return pool[strings.IndexByte(pool, '_')+1:] }

func TestSRP(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{UsernameAttributes: []string{"email"}})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{PreventUserExistenceErrors: shape.Ptr("ENABLED")})
		other := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
		sub := f.confirmed(pool, client, "ann@example.com")

		c := srp.NewClient(poolSuffix(pool))
		first := must(f.srpBegin(client, "ann@example.com", c))(t)
		if *first.ChallengeName != "PASSWORD_VERIFIER" || first.Session != nil || first.ChallengeParameters["USER_ID_FOR_SRP"] != sub || len(first.ChallengeParameters) != 5 {
			t.Fatalf("InitiateAuth: %+v", first)
		}
		answer := f.srpAnswer(c, first, goodPassword)
		done := must(f.srpFinish(client, answer))(t)
		if done.AuthenticationResult == nil || done.ChallengeParameters == nil || claimsOf(t, *done.AuthenticationResult.IdToken)["sub"] != sub {
			t.Fatalf("RespondToAuthChallenge: %+v", done)
		}
		_, err := f.srpFinish(client, answer)
		wantErr(t, err, "NotAuthorizedException: Invalid session for the user, session can only be used once.")

		const incorrect = "NotAuthorizedException: Incorrect username or password."
		c = srp.NewClient(poolSuffix(pool))
		first = must(f.srpBegin(client, "ann@example.com", c))(t)
		right := f.srpAnswer(c, first, goodPassword)
		_, err = f.srpFinish(client, f.srpAnswer(c, first, "Wr0ng!pass"))
		wantErr(t, err, incorrect)
		if _, err = f.srpFinish(client, right); err == nil {
			t.Error("a challenge counted after a wrong answer")
		}
		_, err = f.srpFinish(other, right)
		wantErr(t, err, "NotAuthorizedException: Invalid session for the user.")
		for _, name := range []string{"USERNAME", "PASSWORD_CLAIM_SECRET_BLOCK", "PASSWORD_CLAIM_SIGNATURE", "TIMESTAMP"} {
			bad := map[string]string{}
			for k, v := range right {
				if k != name {
					bad[k] = v
				}
			}
			_, err = f.srpFinish(client, bad)
			wantErr(t, err, "InvalidParameterException: Missing required parameter "+name)
			bad[name] = "AAAA"
			want := incorrect
			if name == "TIMESTAMP" {
				want = "InvalidParameterException: TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english."
			} else if name == "PASSWORD_CLAIM_SIGNATURE" {
				continue // spends the challenge
			}
			_, err = f.srpFinish(client, bad)
			wantErr(t, err, want)
		}
		for _, a := range []string{"0", "00", "xyz", srp.NewClient("x").SRPA() + srp.NewClient("x").SRPA()} {
			_, err = f.InitiateAuth(f.ctx, &cognitoidp.InitiateAuthRequest{ClientId: client, AuthFlow: "USER_SRP_AUTH", AuthParameters: map[string]string{"USERNAME": "ann@example.com", "SRP_A": a}})
			wantErr(t, err, "InvalidParameterException: Invalid SRP_A")
		}

		// A stranger is met like anybody, always the same way.
		c = srp.NewClient(poolSuffix(pool))
		first = must(f.srpBegin(client, "nobody@example.com", c))(t)
		again := must(f.srpBegin(client, "nobody@example.com", c))(t)
		for _, name := range []string{"SALT", "USER_ID_FOR_SRP"} {
			if first.ChallengeParameters[name] != again.ChallengeParameters[name] || len(first.ChallengeParameters[name]) < 31 {
				t.Errorf("%s of a stranger: %s, then %s", name, first.ChallengeParameters[name], again.ChallengeParameters[name])
			}
		}
		size := func(name string) (n int) { // the longest of some: a B may have leading zeros
			for range 4 {
				n = max(n, len(must(f.srpBegin(client, name, c))(t).ChallengeParameters["SECRET_BLOCK"]))
			}
			return n
		}
		if known, nobody := size("ann@example.com"), size("xyz@example.com"); known != nobody {
			t.Errorf("SECRET_BLOCK has %d bytes, that of a stranger with a name as long %d", known, nobody)
		}
		_, err = f.srpFinish(client, f.srpAnswer(c, first, goodPassword))
		wantErr(t, err, incorrect)
		_, err = f.srpBegin(other, "nobody@example.com", c)
		wantErr(t, err, "UserNotFoundException: User does not exist.")

		c = srp.NewClient(poolSuffix(pool))
		first = must(f.srpBegin(client, "ann@example.com", c))(t)
		answer = f.srpAnswer(c, first, goodPassword)
		f.pass(3 * time.Minute)
		_, err = f.srpFinish(client, answer)
		wantErr(t, err, "NotAuthorizedException: Invalid session for the user, session is expired.")
	})
}

// TestSRPNewPassword: a temporary password proven by SRP leads to the next challenge, once.
func TestSRPNewPassword(t *testing.T) {
	f := newFixture(t, "memory:")
	pool := f.newPool(cognitoidp.CreateUserPoolRequest{Schema: []cognitoidp.SchemaAttributeType{{Name: shape.Ptr("given_name"), Required: shape.Ptr(true)}}})
	client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
	must(f.AdminCreateUser(f.ctx, &cognitoidp.AdminCreateUserRequest{UserPoolId: pool, Username: "ann", TemporaryPassword: shape.Ptr(goodPassword), MessageAction: shape.Ptr("SUPPRESS")}))(t)
	c := srp.NewClient(poolSuffix(pool))
	answer := f.srpAnswer(c, must(f.srpBegin(client, "ann", c))(t), goodPassword)
	next := must(f.srpFinish(client, answer))(t)
	if *next.ChallengeName != "NEW_PASSWORD_REQUIRED" || next.ChallengeParameters["requiredAttributes"] != `["userAttributes.given_name"]` {
		t.Fatalf("%+v", next)
	}
	if n := len(*next.Session); n < 20 || n > 2048 {
		t.Errorf("session of %d characters", n)
	}
	_, err := f.srpFinish(client, answer)
	wantErr(t, err, "NotAuthorizedException: Invalid session for the user, session can only be used once.")
	in := &cognitoidp.RespondToAuthChallengeRequest{ClientId: client, ChallengeName: "NEW_PASSWORD_REQUIRED", Session: next.Session,
		ChallengeResponses: map[string]string{"USERNAME": "ann", "NEW_PASSWORD": "N3w-password"}}
	_, err = f.RespondToAuthChallenge(f.ctx, in)
	wantErr(t, err, "InvalidParameterException: Invalid attributes given, given_name is missing")
	in.ChallengeResponses["userAttributes.given_name"] = "Ann"
	in.ChallengeResponses["userAttributes.email_verified"] = "true"
	_, err = f.RespondToAuthChallenge(f.ctx, in)
	wantErr(t, err, "NotAuthorizedException: A client attempted to write unauthorized attribute")
	delete(in.ChallengeResponses, "userAttributes.email_verified")
	bad := *in
	bad.Session = shape.Ptr("QQ" + *next.Session)
	_, err = f.RespondToAuthChallenge(f.ctx, &bad)
	wantErr(t, err, "NotAuthorizedException: Invalid session for the user.")
	id := claimsOf(t, *must(f.RespondToAuthChallenge(f.ctx, in))(t).AuthenticationResult.IdToken)
	if id["given_name"] != "Ann" {
		t.Errorf("claims: %v", id)
	}
	must(f.signIn(client, "ann", "N3w-password"))(t)
	_, err = f.signIn(client, "ann", goodPassword)
	wantErr(t, err, "NotAuthorizedException: Incorrect username or password.")
}

func TestTemporaryPasswordExpires(t *testing.T) {
	f := newFixture(t, "memory:")
	pool := f.newPool(cognitoidp.CreateUserPoolRequest{Policies: &cognitoidp.UserPoolPolicyType{PasswordPolicy: &cognitoidp.PasswordPolicyType{TemporaryPasswordValidityDays: shape.Ptr[int64](2)}}})
	client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
	in := &cognitoidp.AdminCreateUserRequest{UserPoolId: pool, Username: "ann", UserAttributes: attrs("email", "ann@example.com")}
	must(f.AdminCreateUser(f.ctx, in))(t)
	old := f.lastMessage().Code
	f.pass(48 * time.Hour)
	_, err := f.signIn(client, "ann", old)
	wantErr(t, err, "NotAuthorizedException: Temporary password has expired and must be reset by an administrator.")
	in.MessageAction = shape.Ptr("RESEND")
	must(f.AdminCreateUser(f.ctx, in))(t)
	fresh := f.lastMessage().Code
	if fresh == old {
		t.Error("the password was sent again unchanged")
	}
	if out := must(f.signIn(client, "ann", fresh))(t); *out.ChallengeName != "NEW_PASSWORD_REQUIRED" {
		t.Errorf("%+v", out)
	}
	must(f.AdminSetUserPassword(f.ctx, &cognitoidp.AdminSetUserPasswordRequest{UserPoolId: pool, Username: "ann", Password: goodPassword, Permanent: shape.Ptr(true)}))(t)
	must(f.signIn(client, "ann", goodPassword))(t)
	_, err = f.AdminCreateUser(f.ctx, in)
	wantErr(t, err, "UnsupportedUserStateException: Resend not possible. …")
	in.Username = "nobody"
	_, err = f.AdminCreateUser(f.ctx, in)
	wantErr(t, err, "UserNotFoundException: User does not exist.")
}

func TestLockedOut(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
		f.confirmed(pool, client, "ann")
		try := func(password, want string) {
			t.Helper()
			_, err := f.signIn(client, "ann", password)
			if want == "" {
				must(0, err)(t)
			} else {
				wantErr(t, err, "NotAuthorizedException: "+want)
			}
		}
		const wrong, locked = "Incorrect username or password.", "Password attempts exceeded"
		for range 5 {
			try("nope", wrong)
		}
		try(goodPassword, locked)
		f.pass(time.Second)
		try("nope", wrong)
		f.pass(time.Second)
		try("nope", locked) // does not count
		f.pass(time.Second)
		try(goodPassword, "")
		for range 4 {
			try("nope", wrong)
		}
		try(goodPassword, "")

		// Being locked out tells nothing of whether there is somebody to lock out.
		client = f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{PreventUserExistenceErrors: shape.Ptr("ENABLED")})
		for _, name := range []string{"ann", "nobody"} {
			for i := range 7 {
				want := wrong
				if i >= 5 {
					want = locked
				}
				_, err := f.signIn(client, name, "nope")
				wantErr(t, err, "NotAuthorizedException: "+want)
			}
			_, err := f.srpBegin(client, name, srp.NewClient(poolSuffix(pool)))
			wantErr(t, err, "NotAuthorizedException: "+locked)
		}
	})
}

func TestFlows(t *testing.T) {
	f := newFixture(t, "memory:")
	pool := f.newPool(cognitoidp.CreateUserPoolRequest{})
	client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{ExplicitAuthFlows: []string{"ALLOW_CUSTOM_AUTH"}})
	all := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
	p := map[string]string{"USERNAME": "ann", "PASSWORD": "x"}
	for _, c := range []struct {
		client, flow string
		admin        bool
		params       map[string]string
		want         string
	}{
		{client, "USER_PASSWORD_AUTH", false, p, "InvalidParameterException: USER_PASSWORD_AUTH flow not enabled for this client"},
		{client, "USER_SRP_AUTH", false, p, "InvalidParameterException: USER_SRP_AUTH is not enabled for the client."},
		{client, "ADMIN_NO_SRP_AUTH", true, p, "InvalidParameterException: Auth flow not enabled for this client"},
		{client, "REFRESH_TOKEN_AUTH", false, p, "InvalidParameterException: Auth flow not enabled for this client"},
		{all, "ADMIN_USER_PASSWORD_AUTH", false, p, "InvalidParameterException: Initiate Auth method not supported."},
		{all, "CUSTOM_AUTH", false, p, "InvalidParameterException: The authentication flow CUSTOM_AUTH is not supported by this version of Gatehouse."},
		{all, "USER_AUTH", false, p, "InvalidParameterException: The authentication flow USER_AUTH is not supported by this version of Gatehouse."},
		{all, "USER_PASSWORD_AUTH", false, nil, "InvalidParameterException: Missing required parameter USERNAME"},
		{all, "USER_PASSWORD_AUTH", false, map[string]string{"USERNAME": "ann"}, "InvalidParameterException: Missing required parameter PASSWORD"},
		{all, "USER_SRP_AUTH", false, map[string]string{"USERNAME": "ann"}, "InvalidParameterException: Missing required parameter SRP_A"},
		{all, "REFRESH_TOKEN", false, nil, "InvalidParameterException: Missing required parameter REFRESH_TOKEN"},
		{all, "USER_PASSWORD_AUTH", false, p, "UserNotFoundException: User does not exist."},
		{"nosuchclient", "USER_PASSWORD_AUTH", false, p, "ResourceNotFoundException: User pool client nosuchclient does not exist."},
	} {
		var err error
		if c.admin {
			_, err = f.AdminInitiateAuth(f.ctx, &cognitoidp.AdminInitiateAuthRequest{UserPoolId: pool, ClientId: c.client, AuthFlow: c.flow, AuthParameters: c.params})
		} else {
			_, err = f.InitiateAuth(f.ctx, &cognitoidp.InitiateAuthRequest{ClientId: c.client, AuthFlow: c.flow, AuthParameters: c.params})
		}
		wantErr(t, err, c.want)
	}
	otherPool := f.newPool(cognitoidp.CreateUserPoolRequest{})
	_, err := f.AdminInitiateAuth(f.ctx, &cognitoidp.AdminInitiateAuthRequest{UserPoolId: otherPool, ClientId: all, AuthFlow: "ADMIN_USER_PASSWORD_AUTH", AuthParameters: p})
	wantErr(t, err, "ResourceNotFoundException: User pool client "+all+" does not exist.")
}

func (f *fixture) refreshWith(client, token string) (*cognitoidp.InitiateAuthResponse, error) {
	return f.InitiateAuth(f.ctx, &cognitoidp.InitiateAuthRequest{ClientId: client, AuthFlow: "REFRESH_TOKEN_AUTH", AuthParameters: map[string]string{"REFRESH_TOKEN": token}})
}

func (f *fixture) getUser(token string) error {
	_, err := f.GetUser(f.ctx, &cognitoidp.GetUserRequest{AccessToken: token})
	return err
}

func TestRefreshAndRevoke(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
		other := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
		f.confirmed(pool, client, "ann")
		signIn := func() *cognitoidp.AuthenticationResultType {
			t.Helper()
			return must(f.signIn(client, "ann", goodPassword))(t).AuthenticationResult
		}
		a, b := signIn(), signIn()
		f.pass(10 * time.Minute)
		r := must(f.refreshWith(client, *a.RefreshToken))(t).AuthenticationResult
		if r.RefreshToken != nil || r.IdToken == nil || *r.ExpiresIn != 3600 {
			t.Errorf("refresh: %+v", r)
		}
		was, is := claimsOf(t, *a.AccessToken), claimsOf(t, *r.AccessToken)
		if was["auth_time"] != is["auth_time"] || was["origin_jti"] != is["origin_jti"] || was["iat"] == is["iat"] || was["jti"] == is["jti"] {
			t.Errorf("claims: %v, refreshed: %v", was, is)
		}
		must(f.GetTokensFromRefreshToken(f.ctx, &cognitoidp.GetTokensFromRefreshTokenRequest{ClientId: client, RefreshToken: *a.RefreshToken}))(t)

		const invalid, revoked = "NotAuthorizedException: Invalid Refresh Token", "NotAuthorizedException: Refresh Token has been revoked"
		_, err := f.refreshWith(other, *a.RefreshToken)
		wantErr(t, err, invalid)
		for _, bad := range []string{"x", *a.AccessToken, (*a.RefreshToken)[:40], "A" + *a.RefreshToken} {
			_, err = f.refreshWith(client, bad)
			wantErr(t, err, invalid)
		}

		// Only what stems from the revoked sign-in is revoked.
		must(f.RevokeToken(f.ctx, &cognitoidp.RevokeTokenRequest{ClientId: client, Token: *a.RefreshToken}))(t)
		must(f.RevokeToken(f.ctx, &cognitoidp.RevokeTokenRequest{ClientId: client, Token: *a.RefreshToken}))(t)
		_, err = f.refreshWith(client, *a.RefreshToken)
		wantErr(t, err, revoked)
		for _, token := range []string{*a.AccessToken, *r.AccessToken} {
			wantErr(t, f.getUser(token), "NotAuthorizedException: Access Token has been revoked")
		}
		must(0, f.getUser(*b.AccessToken))(t)
		_, err = f.RevokeToken(f.ctx, &cognitoidp.RevokeTokenRequest{ClientId: client, Token: *b.AccessToken})
		wantErr(t, err, "UnsupportedTokenTypeException: Unsupported token type")
		_, err = f.RevokeToken(f.ctx, &cognitoidp.RevokeTokenRequest{ClientId: client, Token: "x"})
		wantErr(t, err, "InvalidParameterException: Invalid token")
		_, err = f.RevokeToken(f.ctx, &cognitoidp.RevokeTokenRequest{ClientId: other, Token: *b.RefreshToken})
		wantErr(t, err, "UnauthorizedException: The token was not issued to the client")

		c := signIn()
		must(f.GlobalSignOut(f.ctx, &cognitoidp.GlobalSignOutRequest{AccessToken: *b.AccessToken}))(t)
		for _, x := range []*cognitoidp.AuthenticationResultType{b, c} {
			wantErr(t, f.getUser(*x.AccessToken), "NotAuthorizedException: Access Token has been revoked")
			_, err = f.refreshWith(client, *x.RefreshToken)
			wantErr(t, err, revoked)
		}
		d := signIn()
		must(f.AdminUserGlobalSignOut(f.ctx, &cognitoidp.AdminUserGlobalSignOutRequest{UserPoolId: pool, Username: "ann"}))(t)
		wantErr(t, f.getUser(*d.AccessToken), "NotAuthorizedException: Access Token has been revoked")

		e := signIn()
		f.pass(61 * time.Minute)
		wantErr(t, f.getUser(*e.AccessToken), "NotAuthorizedException: Access Token has expired")
		must(f.refreshWith(client, *e.RefreshToken))(t)
		f.pass(30 * 24 * time.Hour)
		_, err = f.refreshWith(client, *e.RefreshToken)
		wantErr(t, err, "NotAuthorizedException: Refresh Token has expired")

		// A disabled user is out at once, and enabling brings no session back.
		g := signIn()
		must(f.AdminDisableUser(f.ctx, &cognitoidp.AdminDisableUserRequest{UserPoolId: pool, Username: "ann"}))(t)
		wantErr(t, f.getUser(*g.AccessToken), "NotAuthorizedException: User is disabled.")
		_, err = f.signIn(client, "ann", goodPassword)
		wantErr(t, err, "NotAuthorizedException: User is disabled.")
		must(f.AdminEnableUser(f.ctx, &cognitoidp.AdminEnableUserRequest{UserPoolId: pool, Username: "ann"}))(t)
		_, err = f.refreshWith(client, *g.RefreshToken)
		wantErr(t, err, revoked)

		h := signIn()
		must(f.DeleteUser(f.ctx, &cognitoidp.DeleteUserRequest{AccessToken: *h.AccessToken}))(t)
		wantErr(t, f.getUser(*h.AccessToken), "UserNotFoundException: User does not exist.")
		_, err = f.refreshWith(client, *h.RefreshToken)
		wantErr(t, err, revoked)
		_, err = f.signIn(client, "ann", goodPassword)
		wantErr(t, err, "UserNotFoundException: User does not exist.")
		f.confirmed(pool, client, "ann")
	})
}

func TestRotation(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{ExplicitAuthFlows: []string{"ALLOW_USER_PASSWORD_AUTH"},
			RefreshTokenRotation: &cognitoidp.RefreshTokenRotationType{Feature: "ENABLED", RetryGracePeriodSeconds: shape.Ptr[int64](10)}})
		f.confirmed(pool, client, "ann")
		next := func(token string) (*cognitoidp.AuthenticationResultType, error) {
			out, err := f.GetTokensFromRefreshToken(f.ctx, &cognitoidp.GetTokensFromRefreshTokenRequest{ClientId: client, RefreshToken: token})
			if err != nil {
				return nil, err
			}
			return out.AuthenticationResult, nil
		}
		first := *must(f.signIn(client, "ann", goodPassword))(t).AuthenticationResult.RefreshToken
		_, err := f.refreshWith(client, first)
		wantErr(t, err, "InvalidParameterException: Auth flow not enabled for this client")
		second := *must(next(first))(t).RefreshToken
		f.pass(9 * time.Second)
		third := *must(next(first))(t).RefreshToken // the answer got lost
		const reused = "RefreshTokenReuseException: …"
		_, err = next(second)
		wantErr(t, err, reused)
		f.pass(time.Second)
		_, err = next(first)
		wantErr(t, err, reused)
		r := must(next(third))(t)
		f.pass(30 * 24 * time.Hour)
		_, err = next(*r.RefreshToken)
		wantErr(t, err, "NotAuthorizedException: Refresh Token has expired")
	})
}

// TestRevocationOff: without EnableTokenRevocation tokens have no origin_jti, but signing out still
// ends them here.
func TestRevocationOff(t *testing.T) {
	f := newFixture(t, "memory:")
	pool := f.newPool(cognitoidp.CreateUserPoolRequest{})
	client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{EnableTokenRevocation: shape.Ptr(false)})
	f.confirmed(pool, client, "ann")
	a := must(f.signIn(client, "ann", goodPassword))(t).AuthenticationResult
	if claimsOf(t, *a.AccessToken)["origin_jti"] != nil || claimsOf(t, *a.IdToken)["origin_jti"] != nil {
		t.Error("tokens have an origin_jti")
	}
	must(0, f.getUser(*a.AccessToken))(t)
	_, err := f.RevokeToken(f.ctx, &cognitoidp.RevokeTokenRequest{ClientId: client, Token: *a.RefreshToken})
	wantErr(t, err, "UnsupportedOperationException: …")
	must(f.GlobalSignOut(f.ctx, &cognitoidp.GlobalSignOutRequest{AccessToken: *a.AccessToken}))(t)
	wantErr(t, f.getUser(*a.AccessToken), "NotAuthorizedException: Access Token has been revoked")
}

func TestBadAccessTokens(t *testing.T) {
	f := newFixture(t, "memory:")
	pool := f.newPool(cognitoidp.CreateUserPoolRequest{})
	client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
	f.confirmed(pool, client, "ann")
	otherPool := f.newPool(cognitoidp.CreateUserPoolRequest{})
	a := must(f.signIn(client, "ann", goodPassword))(t).AuthenticationResult
	parts := strings.Split(*a.AccessToken, ".")
	enc := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	foreign := strings.ReplaceAll(string(payload), pool, otherPool)
	for name, token := range map[string]string{
		"empty":          "",
		"cut":            parts[0] + "." + parts[1],
		"no signature":   parts[0] + "." + parts[1] + ".",
		"alg none":       enc(`{"alg":"none"}`) + "." + parts[1] + ".",
		"alg HS256":      enc(`{"alg":"HS256","kid":"x"}`) + "." + parts[1] + "." + parts[2],
		"foreign kid":    enc(`{"alg":"RS256","kid":"x"}`) + "." + parts[1] + "." + parts[2],
		"crit":           enc(`{"alg":"RS256","kid":"x","crit":["b64"]}`) + "." + parts[1] + "." + parts[2],
		"other payload":  parts[0] + "." + enc(strings.Replace(string(payload), "ann", "bob", 1)) + "." + parts[2],
		"another pool":   parts[0] + "." + enc(foreign) + "." + parts[2],
		"unknown issuer": parts[0] + "." + enc(strings.ReplaceAll(string(payload), "amazonaws", "example")) + "." + parts[2],
		"ID token":       *a.IdToken,
		"refresh token":  *a.RefreshToken,
		"huge":           strings.Repeat("a", maxToken) + "." + parts[1] + "." + parts[2],
	} {
		err := f.getUser(token)
		if err == nil || !strings.HasPrefix(err.Error(), "NotAuthorizedException: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecretHash(t *testing.T) {
	f := newFixture(t, "memory:")
	pool := f.newPool(cognitoidp.CreateUserPoolRequest{})
	created := must(f.CreateUserPoolClient(f.ctx, &cognitoidp.CreateUserPoolClientRequest{UserPoolId: pool, ClientName: "web", GenerateSecret: shape.Ptr(true),
		ExplicitAuthFlows: []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}}))(t).UserPoolClient
	client, secret := *created.ClientId, *created.ClientSecret
	if got := must(f.DescribeUserPoolClient(f.ctx, &cognitoidp.DescribeUserPoolClientRequest{UserPoolId: pool, ClientId: client}))(t).UserPoolClient.ClientSecret; *got != secret || len(secret) != 51 {
		t.Errorf("secret %q, then %q", secret, *got)
	}
	hash := secretHash(secret, "ann", client)
	in := &cognitoidp.SignUpRequest{ClientId: client, Username: "ann", Password: shape.Ptr(goodPassword)}
	_, err := f.SignUp(f.ctx, in)
	wantErr(t, err, "NotAuthorizedException: Client "+client+" is configured with secret but SECRET_HASH was not received")
	in.SecretHash = shape.Ptr(secretHash("guess", "ann", client))
	_, err = f.SignUp(f.ctx, in)
	wantErr(t, err, "NotAuthorizedException: Unable to verify secret hash for client "+client)
	in.SecretHash = &hash
	must(f.SignUp(f.ctx, in))(t)
	must(f.AdminConfirmSignUp(f.ctx, &cognitoidp.AdminConfirmSignUpRequest{UserPoolId: pool, Username: "ann"}))(t)
	_, err = f.signIn(client, "ann", goodPassword)
	wantErr(t, err, "NotAuthorizedException: Client "+client+" is configured with secret but SECRET_HASH was not received")
	auth := func(flow string, params map[string]string) (*cognitoidp.InitiateAuthResponse, error) {
		return f.InitiateAuth(f.ctx, &cognitoidp.InitiateAuthRequest{ClientId: client, AuthFlow: flow, AuthParameters: params})
	}
	_, err = auth("USER_PASSWORD_AUTH", map[string]string{"USERNAME": "ann", "PASSWORD": goodPassword, "SECRET_HASH": "x"})
	wantErr(t, err, "NotAuthorizedException: SecretHash does not match for the client: "+client)
	r := must(auth("USER_PASSWORD_AUTH", map[string]string{"USERNAME": "ann", "PASSWORD": goodPassword, "SECRET_HASH": hash}))(t).AuthenticationResult
	_, err = f.refreshWith(client, *r.RefreshToken)
	wantErr(t, err, "NotAuthorizedException: Client "+client+" is configured with secret but SECRET_HASH was not received")
	must(auth("REFRESH_TOKEN_AUTH", map[string]string{"REFRESH_TOKEN": *r.RefreshToken, "SECRET_HASH": hash}))(t)
	_, err = f.GetTokensFromRefreshToken(f.ctx, &cognitoidp.GetTokensFromRefreshTokenRequest{ClientId: client, RefreshToken: *r.RefreshToken})
	wantErr(t, err, "NotAuthorizedException: Client "+client+" is configured for secret but secret was not received")
	must(f.GetTokensFromRefreshToken(f.ctx, &cognitoidp.GetTokensFromRefreshTokenRequest{ClientId: client, RefreshToken: *r.RefreshToken, ClientSecret: &secret}))(t)

	c := srp.NewClient(poolSuffix(pool))
	first := must(auth("USER_SRP_AUTH", map[string]string{"USERNAME": "ann", "SRP_A": c.SRPA(), "SECRET_HASH": hash}))(t)
	answer := f.srpAnswer(c, first, goodPassword)
	answer["SECRET_HASH"] = hash
	must(f.srpFinish(client, answer))(t)
	_, err = f.RevokeToken(f.ctx, &cognitoidp.RevokeTokenRequest{ClientId: client, Token: *r.RefreshToken})
	wantErr(t, err, "UnauthorizedException: Client "+client+" is configured for secret but secret was not received")
	must(f.RevokeToken(f.ctx, &cognitoidp.RevokeTokenRequest{ClientId: client, Token: *r.RefreshToken, ClientSecret: &secret}))(t)
}

// TestSameNameAtOnce: of two sign-ups with one name one wins; a code counts once; a challenge once.
func TestSameNameAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{AutoVerifiedAttributes: []string{"email"}})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
		const n = 6
		count := func(run func(i int) error, refusal string) (won int) {
			t.Helper()
			var wg sync.WaitGroup
			errs := make([]error, n)
			for i := range n {
				wg.Go(func() { errs[i] = run(i) })
			}
			wg.Wait()
			for _, err := range errs {
				if err == nil {
					won++
				} else {
					wantErr(t, err, refusal)
				}
			}
			return won
		}
		if won := count(func(i int) error {
			_, err := f.SignUp(f.ctx, &cognitoidp.SignUpRequest{ClientId: client, Username: "ann", Password: shape.Ptr(goodPassword), UserAttributes: attrs("email", fmt.Sprintf("ann%d@example.com", i))})
			return err
		}, "UsernameExistsException: User already exists"); won != 1 {
			t.Errorf("%d sign-ups won", won)
		}
		code := f.lastMessage().Code
		if won := count(func(int) error {
			_, err := f.ConfirmSignUp(f.ctx, &cognitoidp.ConfirmSignUpRequest{ClientId: client, Username: "ann", ConfirmationCode: code})
			return err
		}, "…"); won != 1 {
			t.Errorf("the code counted %d times", won)
		}
		c := srp.NewClient(poolSuffix(pool))
		answer := f.srpAnswer(c, must(f.srpBegin(client, "ann", c))(t), goodPassword)
		if won := count(func(int) error { _, err := f.srpFinish(client, answer); return err }, "NotAuthorizedException: Invalid session for the user, session can only be used once."); won != 1 {
			t.Errorf("the proof counted %d times", won)
		}
		if got := *must(f.DescribeUserPool(f.ctx, &cognitoidp.DescribeUserPoolRequest{UserPoolId: pool}))(t).UserPool.EstimatedNumberOfUsers; got != 1 {
			t.Errorf("%d users", got)
		}
	})
}

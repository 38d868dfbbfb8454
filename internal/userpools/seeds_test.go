package userpools

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/message"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// TestSignUpByMail is the way of seed 000: an address as the name, confirmed by an administrator,
// signed in by password.
func TestSignUpByMail(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{UsernameAttributes: []string{"email"}, AutoVerifiedAttributes: []string{"email"},
			UsernameConfiguration: &cognitoidp.UsernameConfigurationType{CaseSensitive: false}})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
		out := must(f.SignUp(f.ctx, &cognitoidp.SignUpRequest{ClientId: client, Username: "admin@example.com", Password: shape.Ptr(goodPassword)}))(t)
		if out.UserConfirmed || *out.CodeDeliveryDetails.Destination != "a***@e***" || *out.CodeDeliveryDetails.DeliveryMedium != "EMAIL" || *out.CodeDeliveryDetails.AttributeName != "email" {
			t.Errorf("SignUp: %+v %+v", out, out.CodeDeliveryDetails)
		}
		_, err := f.SignUp(f.ctx, &cognitoidp.SignUpRequest{ClientId: client, Username: "Admin@Example.com", Password: shape.Ptr(goodPassword)})
		wantErr(t, err, "UsernameExistsException: An account with the given email already exists.")
		_, err = f.signIn(client, "admin@example.com", goodPassword)
		wantErr(t, err, "UserNotConfirmedException: User is not confirmed.")
		_, err = f.signIn(client, "admin@example.com", "wrong")
		wantErr(t, err, "NotAuthorizedException: Incorrect username or password.")
		must(f.AdminConfirmSignUp(f.ctx, &cognitoidp.AdminConfirmSignUpRequest{UserPoolId: pool, Username: "admin@example.com"}))(t)
		_, err = f.AdminConfirmSignUp(f.ctx, &cognitoidp.AdminConfirmSignUpRequest{UserPoolId: pool, Username: "admin@example.com"})
		wantErr(t, err, "NotAuthorizedException: User cannot be confirmed. Current status is CONFIRMED")

		in := must(f.signIn(client, "ADMIN@example.com", goodPassword))(t)
		r := in.AuthenticationResult
		if in.ChallengeName != nil || in.ChallengeParameters == nil || *r.ExpiresIn != 3600 || *r.TokenType != "Bearer" || r.RefreshToken == nil || r.NewDeviceMetadata != nil {
			t.Errorf("InitiateAuth: %+v", r)
		}
		id, access := claimsOf(t, *r.IdToken), claimsOf(t, *r.AccessToken)
		for name, want := range map[string]any{"sub": out.UserSub, "aud": client, "email": "admin@example.com", "email_verified": false, "token_use": "id",
			"cognito:username": out.UserSub, "iss": "https://cognito-idp." + testRegion + ".amazonaws.com/" + pool} {
			if id[name] != want {
				t.Errorf("ID token: %s is %v, want %v", name, id[name], want)
			}
		}
		for name, want := range map[string]any{"sub": out.UserSub, "client_id": client, "scope": adminScope, "token_use": "access", "username": out.UserSub, "auth_time": id["auth_time"], "origin_jti": id["origin_jti"], "event_id": id["event_id"]} {
			if access[name] != want || want == nil {
				t.Errorf("access token: %s is %v, want %v", name, access[name], want)
			}
		}
		if id["exp"].(float64)-id["iat"].(float64) != 3600 || id["jti"] == access["jti"] || access["email"] != nil {
			t.Errorf("claims: %v %v", id, access)
		}
		me := must(f.GetUser(f.ctx, &cognitoidp.GetUserRequest{AccessToken: *r.AccessToken}))(t)
		if me.Username != out.UserSub || len(me.UserAttributes) != 3 {
			t.Errorf("GetUser: %+v", me)
		}
		n := must(f.DescribeUserPool(f.ctx, &cognitoidp.DescribeUserPoolRequest{UserPoolId: pool}))(t).UserPool.EstimatedNumberOfUsers
		if *n != 1 {
			t.Errorf("EstimatedNumberOfUsers is %d", *n)
		}
	})
}

// TestSignUpWithCode is the way of seed 002: a username, a code by mail.
func TestSignUpWithCode(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		text := "The verification code to your new account is {####}"
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{AutoVerifiedAttributes: []string{"email"}, EmailVerificationMessage: &text, EmailVerificationSubject: shape.Ptr("Verify your new account")})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
		f.signUpUser(client, "bob", "email", "bob@example.org")
		m := f.lastMessage()
		if m.To != "bob@example.org" || m.Subject != "Verify your new account" || m.Body != strings.Replace(text, "{####}", m.Code, 1) || len(m.Code) != 6 || m.Channel != message.Email || m.State != message.Stored {
			t.Errorf("message: %+v", m)
		}
		confirm := func(code string) error {
			_, err := f.ConfirmSignUp(f.ctx, &cognitoidp.ConfirmSignUpRequest{ClientId: client, Username: "bob", ConfirmationCode: code})
			return err
		}
		wantErr(t, confirm("000000x"), "CodeMismatchException: Invalid verification code provided, please try again.")
		if err := confirm(m.Code); err != nil {
			t.Fatal(err)
		}
		wantErr(t, confirm(m.Code), "NotAuthorizedException: User cannot be confirmed. Current status is CONFIRMED")
		id := claimsOf(t, *must(f.signIn(client, "bob", goodPassword))(t).AuthenticationResult.IdToken)
		if id["email_verified"] != true || id["cognito:username"] != "bob" || id["email"] != "bob@example.org" {
			t.Errorf("claims: %v", id)
		}
	})
}

// TestInvitation is the way of seeds 003 and 004: invited by an administrator, a new password at the
// first sign-in.
func TestInvitation(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{ExplicitAuthFlows: []string{"ADMIN_NO_SRP_AUTH", "USER_PASSWORD_AUTH"}})
		out := must(f.AdminCreateUser(f.ctx, &cognitoidp.AdminCreateUserRequest{UserPoolId: pool, Username: "ann@example.com", DesiredDeliveryMediums: []string{"EMAIL"},
			UserAttributes: attrs("email", "ann@example.com", "email_verified", "true")}))(t)
		if *out.User.UserStatus != "FORCE_CHANGE_PASSWORD" || !*out.User.Enabled {
			t.Errorf("AdminCreateUser: %+v", out.User)
		}
		m := f.lastMessage()
		if m.Subject != "Your temporary password" || !strings.Contains(m.Body, "Your username is ann@example.com and temporary password is ") || checkPassword(must(f.pool(f.ctx, pool))(t).passwordPolicy(), m.Code) != nil {
			t.Errorf("invitation: %+v", m)
		}
		first := must(f.AdminInitiateAuth(f.ctx, &cognitoidp.AdminInitiateAuthRequest{UserPoolId: pool, ClientId: client, AuthFlow: "ADMIN_NO_SRP_AUTH",
			AuthParameters: map[string]string{"USERNAME": "ann@example.com", "PASSWORD": m.Code}}))(t)
		if *first.ChallengeName != "NEW_PASSWORD_REQUIRED" || first.AuthenticationResult != nil || first.ChallengeParameters["requiredAttributes"] != "[]" {
			t.Fatalf("AdminInitiateAuth: %+v", first)
		}
		var shown map[string]string
		if err := json.Unmarshal([]byte(first.ChallengeParameters["userAttributes"]), &shown); err != nil || shown["email"] != "ann@example.com" || shown["email_verified"] != "true" {
			t.Errorf("userAttributes: %s", first.ChallengeParameters["userAttributes"])
		}
		respond := func(password string) (*cognitoidp.AdminRespondToAuthChallengeResponse, error) {
			return f.AdminRespondToAuthChallenge(f.ctx, &cognitoidp.AdminRespondToAuthChallengeRequest{UserPoolId: pool, ClientId: client, ChallengeName: "NEW_PASSWORD_REQUIRED",
				Session: first.Session, ChallengeResponses: map[string]string{"USERNAME": "ann@example.com", "NEW_PASSWORD": password}})
		}
		_, err := respond("short")
		wantErr(t, err, "InvalidPasswordException: Password did not conform with policy: Password not long enough")
		done := must(respond(goodPassword))(t)
		if done.AuthenticationResult == nil || done.ChallengeName != nil {
			t.Fatalf("AdminRespondToAuthChallenge: %+v", done)
		}
		if _, err := respond(goodPassword + "2"); err == nil {
			t.Error("the session counted twice")
		}
		must(f.signIn(client, "ann@example.com", goodPassword))(t)
		got := must(f.AdminGetUser(f.ctx, &cognitoidp.AdminGetUserRequest{UserPoolId: pool, Username: "ann@example.com"}))(t)
		if *got.UserStatus != "CONFIRMED" {
			t.Errorf("status is %s", *got.UserStatus)
		}
	})
}

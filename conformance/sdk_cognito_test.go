package conformance

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// Every implemented operation of Cognito is called here through the SDK for Go, with the errors that the
// SDK has types for.

func TestSDKUserPools(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		c := cognito.NewFromConfig(s.config(t))
		ctx := t.Context()

		made := must(c.CreateUserPool(ctx, &cognito.CreateUserPoolInput{
			PoolName:               aws.String("people"),
			AutoVerifiedAttributes: []types.VerifiedAttributeType{types.VerifiedAttributeTypeEmail},
			Policies: &types.UserPoolPolicyType{PasswordPolicy: &types.PasswordPolicyType{MinimumLength: aws.Int32(10),
				RequireLowercase: true, RequireNumbers: true, TemporaryPasswordValidityDays: 3}},
			Schema:       []types.SchemaAttributeType{{Name: aws.String("team"), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)}},
			UserPoolTags: map[string]string{"stage": "test"},
		}))(t).UserPool
		if !poolForm.MatchString(*made.Id) || *made.Name != "people" || made.CreationDate == nil {
			t.Errorf("CreateUserPool: %+v", made)
		}
		same(t, "Arn", *made.Arn, "arn:aws:cognito-idp:us-east-1:000000000000:userpool/"+*made.Id)
		pool := must(c.DescribeUserPool(ctx, &cognito.DescribeUserPoolInput{UserPoolId: made.Id}))(t).UserPool
		p := pool.Policies.PasswordPolicy
		same(t, "the password policy", fmt.Sprint(*p.MinimumLength, p.RequireLowercase, p.RequireNumbers, p.RequireSymbols, p.RequireUppercase, p.TemporaryPasswordValidityDays), "10 true true false false 3")
		same(t, "tags", pool.UserPoolTags, map[string]string{"stage": "test"})
		var custom []string
		for _, a := range pool.SchemaAttributes {
			if len(*a.Name) > 7 && (*a.Name)[:7] == "custom:" {
				custom = append(custom, *a.Name)
			}
		}
		same(t, "custom attributes", custom, []string{"custom:team"})

		must(c.UpdateUserPool(ctx, &cognito.UpdateUserPoolInput{UserPoolId: made.Id, Policies: &types.UserPoolPolicyType{
			PasswordPolicy: &types.PasswordPolicyType{MinimumLength: aws.Int32(6)}}}))(t)
		must(c.AddCustomAttributes(ctx, &cognito.AddCustomAttributesInput{UserPoolId: made.Id, CustomAttributes: []types.SchemaAttributeType{
			{Name: aws.String("level"), AttributeDataType: types.AttributeDataTypeNumber, Mutable: aws.Bool(true)}}}))(t)
		pool = must(c.DescribeUserPool(ctx, &cognito.DescribeUserPoolInput{UserPoolId: made.Id}))(t).UserPool
		same(t, "minimum length", *pool.Policies.PasswordPolicy.MinimumLength, int32(6))

		for i := range 3 {
			must(c.CreateUserPool(ctx, &cognito.CreateUserPoolInput{PoolName: aws.String(fmt.Sprint("more", i))}))(t)
		}
		seen := map[string]bool{}
		for pages := cognito.NewListUserPoolsPaginator(c, &cognito.ListUserPoolsInput{MaxResults: aws.Int32(2)}); pages.HasMorePages(); {
			page := must(pages.NextPage(ctx))(t)
			if len(page.UserPools) > 2 {
				t.Errorf("a page of %d pools, at most 2 were asked for", len(page.UserPools))
			}
			for _, p := range page.UserPools {
				seen[*p.Name] = true
			}
		}
		same(t, "ListUserPools", seen, map[string]bool{"people": true, "more0": true, "more1": true, "more2": true})

		must(c.TagResource(ctx, &cognito.TagResourceInput{ResourceArn: made.Arn, Tags: map[string]string{"owner": "me"}}))(t)
		must(c.UntagResource(ctx, &cognito.UntagResourceInput{ResourceArn: made.Arn, TagKeys: []string{"stage"}}))(t)
		same(t, "ListTagsForResource", must(c.ListTagsForResource(ctx, &cognito.ListTagsForResourceInput{ResourceArn: made.Arn}))(t).Tags, map[string]string{"owner": "me"})

		// App clients.
		client := must(c.CreateUserPoolClient(ctx, &cognito.CreateUserPoolClientInput{UserPoolId: made.Id, ClientName: aws.String("web"), GenerateSecret: true,
			ExplicitAuthFlows:   []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserSrpAuth, types.ExplicitAuthFlowsTypeAllowRefreshTokenAuth},
			AccessTokenValidity: aws.Int32(10), TokenValidityUnits: &types.TokenValidityUnitsType{AccessToken: types.TimeUnitsTypeMinutes}}))(t).UserPoolClient
		if !clientForm.MatchString(*client.ClientId) || client.ClientSecret == nil || len(*client.ClientSecret) < 50 {
			t.Errorf("CreateUserPoolClient: %+v", client)
		}
		ref := &cognito.DescribeUserPoolClientInput{UserPoolId: made.Id, ClientId: client.ClientId}
		read := must(c.DescribeUserPoolClient(ctx, ref))(t).UserPoolClient
		same(t, "the client", []any{*read.ClientSecret, *read.AccessTokenValidity, read.TokenValidityUnits.AccessToken, read.ExplicitAuthFlows},
			[]any{*client.ClientSecret, int32(10), types.TimeUnitsTypeMinutes, client.ExplicitAuthFlows})
		must(c.UpdateUserPoolClient(ctx, &cognito.UpdateUserPoolClientInput{UserPoolId: made.Id, ClientId: client.ClientId, ClientName: aws.String("web2")}))(t)
		for range 3 {
			must(c.CreateUserPoolClient(ctx, &cognito.CreateUserPoolClientInput{UserPoolId: made.Id, ClientName: aws.String("other")}))(t)
		}
		n := 0
		for pages := cognito.NewListUserPoolClientsPaginator(c, &cognito.ListUserPoolClientsInput{UserPoolId: made.Id, MaxResults: aws.Int32(3)}); pages.HasMorePages(); {
			n += len(must(pages.NextPage(ctx))(t).UserPoolClients)
		}
		same(t, "ListUserPoolClients", n, 4)
		must(c.DeleteUserPoolClient(ctx, &cognito.DeleteUserPoolClientInput{UserPoolId: made.Id, ClientId: client.ClientId}))(t)
		typed[*types.ResourceNotFoundException](t, "a deleted client", "User pool client "+*client.ClientId+" does not exist.")(c.DescribeUserPoolClient(ctx, ref))

		// What is wrong is named, and changes nothing.
		typed[*types.InvalidParameterException](t, "a bad name and a small number",
			"2 validation errors detected: Value 'a/b' at 'poolName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w\\s+=,.@-]+; "+
				"Value '5' at 'policies.passwordPolicy.minimumLength' failed to satisfy constraint: Member must have value greater than or equal to 6")(
			c.CreateUserPool(ctx, &cognito.CreateUserPoolInput{PoolName: aws.String("a/b"),
				Policies: &types.UserPoolPolicyType{PasswordPolicy: &types.PasswordPolicyType{MinimumLength: aws.Int32(5)}}}))
		typed[*types.InvalidParameterException](t, "too many results", "1 validation error detected: Value '61' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 60")(
			c.ListUserPools(ctx, &cognito.ListUserPoolsInput{MaxResults: aws.Int32(61)}))
		gone := aws.String("us-east-1_AbCdEfGhI")
		notFound := "User pool us-east-1_AbCdEfGhI does not exist."
		typed[*types.ResourceNotFoundException](t, "DescribeUserPool", notFound)(c.DescribeUserPool(ctx, &cognito.DescribeUserPoolInput{UserPoolId: gone}))
		typed[*types.ResourceNotFoundException](t, "UpdateUserPool", notFound)(c.UpdateUserPool(ctx, &cognito.UpdateUserPoolInput{UserPoolId: gone}))
		typed[*types.ResourceNotFoundException](t, "DeleteUserPool", notFound)(c.DeleteUserPool(ctx, &cognito.DeleteUserPoolInput{UserPoolId: gone}))
		typed[*types.ResourceNotFoundException](t, "CreateUserPoolClient", notFound)(c.CreateUserPoolClient(ctx, &cognito.CreateUserPoolClientInput{UserPoolId: gone, ClientName: aws.String("x")}))
		typed[*types.ResourceNotFoundException](t, "ListUsers", notFound)(c.ListUsers(ctx, &cognito.ListUsersInput{UserPoolId: gone}))

		must(c.DeleteUserPool(ctx, &cognito.DeleteUserPoolInput{UserPoolId: made.Id}))(t)
		typed[*types.ResourceNotFoundException](t, "a deleted pool", "")(c.DescribeUserPool(ctx, &cognito.DescribeUserPoolInput{UserPoolId: made.Id}))
	})
}

// testPool makes a pool whose users sign in with a name and a verified e-mail address, and a client with all flows.
func testPool(t testing.TB, c *cognito.Client, secret bool) (pool, client, clientSecret string) {
	t.Helper()
	p := must(c.CreateUserPool(t.Context(), &cognito.CreateUserPoolInput{PoolName: aws.String("test"),
		AliasAttributes:        []types.AliasAttributeType{types.AliasAttributeTypeEmail},
		AutoVerifiedAttributes: []types.VerifiedAttributeType{types.VerifiedAttributeTypeEmail}}))(t).UserPool
	k := must(c.CreateUserPoolClient(t.Context(), &cognito.CreateUserPoolClientInput{UserPoolId: p.Id, ClientName: aws.String("test"), GenerateSecret: secret,
		ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserPasswordAuth, types.ExplicitAuthFlowsTypeAllowAdminUserPasswordAuth,
			types.ExplicitAuthFlowsTypeAllowUserSrpAuth, types.ExplicitAuthFlowsTypeAllowRefreshTokenAuth}}))(t).UserPoolClient
	return *p.Id, *k.ClientId, aws.ToString(k.ClientSecret)
}

func attrs(list []types.AttributeType) map[string]string {
	m := map[string]string{}
	for _, a := range list {
		m[*a.Name] = aws.ToString(a.Value)
	}
	return m
}

func attr(name, value string) types.AttributeType {
	return types.AttributeType{Name: &name, Value: &value}
}

// attrList makes a list of one attribute.
func attrList(name, value string) []types.AttributeType {
	return []types.AttributeType{attr(name, value)}
}

// lastCode returns the newest code or password that was sent to an address. The server is not open, so
// it is asked through the command line.
func (s *server) lastCode(t testing.TB, to string) string {
	t.Helper()
	var list []message
	decode(t, s.gatehouse(t, "mail", "--json", "--to", to, "--limit", "1"), &list)
	if len(list) != 1 || list[0].Code == "" {
		t.Fatalf("nothing was sent to %s: %v", to, list)
	}
	return list[0].Code
}

func TestSDKUsers(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		c := cognito.NewFromConfig(s.config(t))
		ctx := t.Context()
		pool, client, _ := testPool(t, c, false)
		const name, mail, secret = "jane", "jane@example.com", "Passw0rd!"
		signIn := func(password string) (*cognito.InitiateAuthOutput, error) {
			return c.InitiateAuth(ctx, &cognito.InitiateAuthInput{ClientId: &client, AuthFlow: types.AuthFlowTypeUserPasswordAuth,
				AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password}})
		}

		// Sign-up with a code.
		signUp := &cognito.SignUpInput{ClientId: &client, Username: aws.String(name), Password: aws.String(secret), UserAttributes: []types.AttributeType{attr("email", mail)}}
		typed[*types.InvalidPasswordException](t, "a weak password", "Password did not conform with policy: Password must have uppercase characters")(
			c.SignUp(ctx, &cognito.SignUpInput{ClientId: &client, Username: aws.String(name), Password: aws.String("passw0rd!")}))
		up := must(c.SignUp(ctx, signUp))(t)
		if up.UserConfirmed || !uuidForm.MatchString(*up.UserSub) || *up.CodeDeliveryDetails.Destination != "j***@e***" {
			t.Errorf("SignUp: %+v", up)
		}
		typed[*types.UsernameExistsException](t, "the same name", "User already exists")(c.SignUp(ctx, signUp))
		typed[*types.UserNotConfirmedException](t, "an unconfirmed user", "User is not confirmed.")(signIn(secret))
		must(c.ResendConfirmationCode(ctx, &cognito.ResendConfirmationCodeInput{ClientId: &client, Username: aws.String(name)}))(t)
		code := s.lastCode(t, mail)
		confirm := func(code string) (any, error) {
			return c.ConfirmSignUp(ctx, &cognito.ConfirmSignUpInput{ClientId: &client, Username: aws.String(name), ConfirmationCode: &code})
		}
		wrong := "000000"
		if code == wrong {
			wrong = "111111"
		}
		typed[*types.CodeMismatchException](t, "a wrong code", "Invalid verification code provided, please try again.")(confirm(wrong))
		must(confirm(code))(t)
		typed[*types.NotAuthorizedException](t, "confirming twice", "User cannot be confirmed. Current status is CONFIRMED")(confirm(code))

		got := must(c.AdminGetUser(ctx, &cognito.AdminGetUserInput{UserPoolId: &pool, Username: aws.String(mail)}))(t) // by alias
		same(t, "AdminGetUser", words(*got.Username, got.Enabled, got.UserStatus, attrs(got.UserAttributes)["email_verified"]), name+" true CONFIRMED true")
		typed[*types.NotAuthorizedException](t, "a wrong password", "Incorrect username or password.")(signIn("Passw0rd?"))
		in := must(signIn(secret))(t)
		if in.ChallengeName != "" || in.AuthenticationResult.ExpiresIn != 3600 || *in.AuthenticationResult.TokenType != "Bearer" {
			t.Errorf("InitiateAuth: %+v", in)
		}
		access := in.AuthenticationResult.AccessToken

		// What users do for themselves.
		me := must(c.GetUser(ctx, &cognito.GetUserInput{AccessToken: access}))(t)
		same(t, "GetUser", *me.Username+" "+attrs(me.UserAttributes)["email"], name+" "+mail)
		must(c.UpdateUserAttributes(ctx, &cognito.UpdateUserAttributesInput{AccessToken: access, UserAttributes: []types.AttributeType{attr("nickname", "J"), attr("name", "Jane")}}))(t)
		must(c.DeleteUserAttributes(ctx, &cognito.DeleteUserAttributesInput{AccessToken: access, UserAttributeNames: []string{"nickname"}}))(t)
		me = must(c.GetUser(ctx, &cognito.GetUserInput{AccessToken: access}))(t)
		same(t, "attributes", attrs(me.UserAttributes), map[string]string{"sub": *up.UserSub, "email": mail, "email_verified": "true", "name": "Jane"})
		must(c.GetUserAttributeVerificationCode(ctx, &cognito.GetUserAttributeVerificationCodeInput{AccessToken: access, AttributeName: aws.String("email")}))(t)
		verify := func(code string) (any, error) {
			return c.VerifyUserAttribute(ctx, &cognito.VerifyUserAttributeInput{AccessToken: access, AttributeName: aws.String("email"), Code: &code})
		}
		code = s.lastCode(t, mail)
		if wrong = "000000"; code == wrong {
			wrong = "111111"
		}
		typed[*types.CodeMismatchException](t, "a wrong code", "")(verify(wrong))
		must(verify(code))(t)
		change := func(old, new string) (any, error) {
			return c.ChangePassword(ctx, &cognito.ChangePasswordInput{AccessToken: access, PreviousPassword: &old, ProposedPassword: &new})
		}
		typed[*types.NotAuthorizedException](t, "a wrong old password", "Incorrect username or password.")(change("Passw0rd?", "N3w-Passw0rd"))
		typed[*types.InvalidPasswordException](t, "a weak new password", "")(change(secret, "weakweak"))
		must(change(secret, "N3w-Passw0rd"))(t)
		typed[*types.NotAuthorizedException](t, "the old password", "Incorrect username or password.")(signIn(secret))
		typed[*types.NotAuthorizedException](t, "no token at all", "")(c.GetUser(ctx, &cognito.GetUserInput{AccessToken: aws.String("x.y.z")}))

		must(c.ForgotPassword(ctx, &cognito.ForgotPasswordInput{ClientId: &client, Username: aws.String(name)}))(t)
		code = s.lastCode(t, mail)
		if wrong = "000000"; code == wrong {
			wrong = "111111"
		}
		reset := func(code string) (any, error) {
			return c.ConfirmForgotPassword(ctx, &cognito.ConfirmForgotPasswordInput{ClientId: &client, Username: aws.String(name), ConfirmationCode: &code, Password: aws.String("An0ther-0ne")})
		}
		typed[*types.CodeMismatchException](t, "a wrong code", "Invalid verification code provided, please try again.")(reset(wrong))
		must(reset(code))(t)
		typed[*types.ExpiredCodeException](t, "a code used twice", "Invalid code provided, please request a code again.")(reset(code))
		in = must(signIn("An0ther-0ne"))(t)
		access = in.AuthenticationResult.AccessToken
		refresh := in.AuthenticationResult.RefreshToken

		// Refresh, revoke, sign out.
		again := must(c.InitiateAuth(ctx, &cognito.InitiateAuthInput{ClientId: &client, AuthFlow: types.AuthFlowTypeRefreshTokenAuth, AuthParameters: map[string]string{"REFRESH_TOKEN": *refresh}}))(t)
		if again.AuthenticationResult.IdToken == nil || again.AuthenticationResult.RefreshToken != nil {
			t.Errorf("REFRESH_TOKEN_AUTH: %+v", again.AuthenticationResult)
		}
		must(c.RevokeToken(ctx, &cognito.RevokeTokenInput{ClientId: &client, Token: refresh}))(t)
		typed[*types.NotAuthorizedException](t, "a revoked refresh token", "Refresh Token has been revoked")(
			c.InitiateAuth(ctx, &cognito.InitiateAuthInput{ClientId: &client, AuthFlow: types.AuthFlowTypeRefreshToken, AuthParameters: map[string]string{"REFRESH_TOKEN": *refresh}}))
		typed[*types.NotAuthorizedException](t, "an access token of a revoked session", "Access Token has been revoked")(c.GetUser(ctx, &cognito.GetUserInput{AccessToken: access}))
		access = must(signIn("An0ther-0ne"))(t).AuthenticationResult.AccessToken
		must(c.GlobalSignOut(ctx, &cognito.GlobalSignOutInput{AccessToken: access}))(t)
		typed[*types.NotAuthorizedException](t, "after GlobalSignOut", "Access Token has been revoked")(c.GetUser(ctx, &cognito.GetUserInput{AccessToken: access}))
		access = must(signIn("An0ther-0ne"))(t).AuthenticationResult.AccessToken
		must(c.DeleteUser(ctx, &cognito.DeleteUserInput{AccessToken: access}))(t)
		typed[*types.UserNotFoundException](t, "a deleted user", "User does not exist.")(signIn("An0ther-0ne"))
		typed[*types.UserNotFoundException](t, "a deleted user", "User does not exist.")(c.AdminGetUser(ctx, &cognito.AdminGetUserInput{UserPoolId: &pool, Username: aws.String(name)}))
	})
}

func TestSDKAdmin(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		c := cognito.NewFromConfig(s.config(t))
		ctx := t.Context()
		pool, client, _ := testPool(t, c, false)

		// An invited user answers NEW_PASSWORD_REQUIRED with the temporary password of the mail.
		create := &cognito.AdminCreateUserInput{UserPoolId: &pool, Username: aws.String("guest"), UserAttributes: []types.AttributeType{attr("email", "guest@example.com"), attr("email_verified", "true")}}
		made := must(c.AdminCreateUser(ctx, create))(t).User
		same(t, "AdminCreateUser", words(*made.Username, made.UserStatus, made.Enabled), "guest FORCE_CHANGE_PASSWORD true")
		typed[*types.UsernameExistsException](t, "the same name", "User account already exists")(c.AdminCreateUser(ctx, create))
		temporary := s.lastCode(t, "guest@example.com")
		for i, newPassword := range []string{"F1rst-One!", "Sec0nd-One!"} {
			if i == 1 { // the second time, through the admin operations
				temporary = "Temp0rary!"
				must(c.AdminSetUserPassword(ctx, &cognito.AdminSetUserPasswordInput{UserPoolId: &pool, Username: aws.String("guest"), Password: &temporary}))(t)
			}
			params := map[string]string{"USERNAME": "guest", "PASSWORD": temporary}
			answers := map[string]string{"USERNAME": "guest", "NEW_PASSWORD": newPassword}
			var result *types.AuthenticationResultType
			if i == 0 {
				a := must(c.InitiateAuth(ctx, &cognito.InitiateAuthInput{ClientId: &client, AuthFlow: types.AuthFlowTypeUserPasswordAuth, AuthParameters: params}))(t)
				same(t, "the challenge", []any{a.ChallengeName, a.ChallengeParameters["USER_ID_FOR_SRP"], a.ChallengeParameters["requiredAttributes"], a.AuthenticationResult == nil},
					[]any{types.ChallengeNameTypeNewPasswordRequired, "guest", "[]", true})
				answer := func(session *string, m map[string]string) (*cognito.RespondToAuthChallengeOutput, error) {
					return c.RespondToAuthChallenge(ctx, &cognito.RespondToAuthChallengeInput{ClientId: &client, ChallengeName: a.ChallengeName, Session: session, ChallengeResponses: m})
				}
				typed[*types.InvalidPasswordException](t, "a weak new password", "")(answer(a.Session, map[string]string{"USERNAME": "guest", "NEW_PASSWORD": "weakweak"}))
				typed[*types.NotAuthorizedException](t, "a forged session", "")(answer(aws.String("AYABeForgedForgedForged"), answers))
				result = must(answer(a.Session, answers))(t).AuthenticationResult
				typed[*types.NotAuthorizedException](t, "a session used twice", "Invalid session for the user, session can only be used once.")(answer(a.Session, answers))
			} else {
				a := must(c.AdminInitiateAuth(ctx, &cognito.AdminInitiateAuthInput{UserPoolId: &pool, ClientId: &client, AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth, AuthParameters: params}))(t)
				result = must(c.AdminRespondToAuthChallenge(ctx, &cognito.AdminRespondToAuthChallengeInput{UserPoolId: &pool, ClientId: &client, ChallengeName: a.ChallengeName,
					Session: a.Session, ChallengeResponses: answers}))(t).AuthenticationResult
			}
			if result == nil || result.IdToken == nil || result.RefreshToken == nil {
				t.Errorf("after the challenge: %+v", result)
			}
		}
		admin := func(flow types.AuthFlowType, password string) (*cognito.AdminInitiateAuthOutput, error) {
			return c.AdminInitiateAuth(ctx, &cognito.AdminInitiateAuthInput{UserPoolId: &pool, ClientId: &client, AuthFlow: flow,
				AuthParameters: map[string]string{"USERNAME": "guest@example.com", "PASSWORD": password}})
		}
		const secret = "Sec0nd-One!"
		must(admin(types.AuthFlowTypeAdminNoSrpAuth, secret))(t) // the flow's older name
		typed[*types.NotAuthorizedException](t, "a wrong password", "Incorrect username or password.")(admin(types.AuthFlowTypeAdminUserPasswordAuth, "Wr0ng-One!"))
		typed[*types.InvalidParameterException](t, "a flow of InitiateAuth", "")(admin(types.AuthFlowTypeUserPasswordAuth, secret))

		guest := aws.String("guest")
		must(c.AdminUpdateUserAttributes(ctx, &cognito.AdminUpdateUserAttributesInput{UserPoolId: &pool, Username: guest, UserAttributes: []types.AttributeType{attr("name", "Guest"), attr("nickname", "G")}}))(t)
		must(c.AdminDeleteUserAttributes(ctx, &cognito.AdminDeleteUserAttributesInput{UserPoolId: &pool, Username: guest, UserAttributeNames: []string{"nickname"}}))(t)
		typed[*types.InvalidParameterException](t, "an unknown attribute", "")(
			c.AdminUpdateUserAttributes(ctx, &cognito.AdminUpdateUserAttributesInput{UserPoolId: &pool, Username: guest, UserAttributes: []types.AttributeType{attr("custom:nothing", "x")}}))
		read := must(c.AdminGetUser(ctx, &cognito.AdminGetUserInput{UserPoolId: &pool, Username: guest}))(t)
		same(t, "name", attrs(read.UserAttributes)["name"]+attrs(read.UserAttributes)["nickname"], "Guest")

		access := must(admin(types.AuthFlowTypeAdminUserPasswordAuth, secret))(t).AuthenticationResult.AccessToken
		must(c.AdminUserGlobalSignOut(ctx, &cognito.AdminUserGlobalSignOutInput{UserPoolId: &pool, Username: guest}))(t)
		typed[*types.NotAuthorizedException](t, "after AdminUserGlobalSignOut", "Access Token has been revoked")(c.GetUser(ctx, &cognito.GetUserInput{AccessToken: access}))
		must(c.AdminDisableUser(ctx, &cognito.AdminDisableUserInput{UserPoolId: &pool, Username: guest}))(t)
		typed[*types.NotAuthorizedException](t, "a disabled user", "User is disabled.")(admin(types.AuthFlowTypeAdminUserPasswordAuth, secret))
		must(c.AdminEnableUser(ctx, &cognito.AdminEnableUserInput{UserPoolId: &pool, Username: guest}))(t)
		must(c.AdminResetUserPassword(ctx, &cognito.AdminResetUserPasswordInput{UserPoolId: &pool, Username: guest}))(t)
		typed[*types.PasswordResetRequiredException](t, "after AdminResetUserPassword", "Password reset required for the user")(admin(types.AuthFlowTypeAdminUserPasswordAuth, secret))
		typed[*types.InvalidPasswordException](t, "AdminSetUserPassword", "")(
			c.AdminSetUserPassword(ctx, &cognito.AdminSetUserPasswordInput{UserPoolId: &pool, Username: guest, Password: aws.String("short"), Permanent: true}))
		must(c.AdminSetUserPassword(ctx, &cognito.AdminSetUserPasswordInput{UserPoolId: &pool, Username: guest, Password: aws.String(secret), Permanent: true}))(t)
		must(admin(types.AuthFlowTypeAdminUserPasswordAuth, secret))(t)

		// Lists, filters, pages.
		for i := range 7 {
			must(c.AdminCreateUser(ctx, &cognito.AdminCreateUserInput{UserPoolId: &pool, Username: aws.String(fmt.Sprint("user", i)), MessageAction: types.MessageActionTypeSuppress,
				UserAttributes: []types.AttributeType{attr("email", fmt.Sprintf("user%d@example.com", i)), attr("given_name", fmt.Sprint("Nr ", i%2))}}))(t)
		}
		list := func(filter string, limit int32) []string {
			t.Helper()
			in := &cognito.ListUsersInput{UserPoolId: &pool, Limit: &limit}
			if filter != "" {
				in.Filter = &filter
			}
			found := []string{}
			for pages := cognito.NewListUsersPaginator(c, in); pages.HasMorePages(); {
				page := must(pages.NextPage(ctx))(t)
				if len(page.Users) > int(limit) {
					t.Errorf("a page of %d users, at most %d were asked for", len(page.Users), limit)
				}
				for _, u := range page.Users {
					found = append(found, *u.Username)
				}
			}
			return sorted(found)
		}
		same(t, "all", list("", 3), []string{"guest", "user0", "user1", "user2", "user3", "user4", "user5", "user6"})
		same(t, "by e-mail", list(`email = "user3@example.com"`, 60), []string{"user3"})
		same(t, "by prefix", list(`email ^= "user"`, 2), []string{"user0", "user1", "user2", "user3", "user4", "user5", "user6"})
		same(t, "by given name", list(`given_name = "Nr 1"`, 60), []string{"user1", "user3", "user5"})
		same(t, "by status", list(`cognito:user_status = "CONFIRMED"`, 60), []string{"guest"})
		same(t, "none", list(`username = "nobody"`, 60), []string{})
		typed[*types.InvalidParameterException](t, "a bad filter", "Error while parsing filter.")(c.ListUsers(ctx, &cognito.ListUsersInput{UserPoolId: &pool, Filter: aws.String(`email == x`)}))
		one := must(c.ListUsers(ctx, &cognito.ListUsersInput{UserPoolId: &pool, Filter: aws.String(`username = "user0"`), AttributesToGet: []string{"email"}}))(t)
		same(t, "AttributesToGet", attrs(one.Users[0].Attributes), map[string]string{"email": "user0@example.com"})

		must(c.AdminDeleteUser(ctx, &cognito.AdminDeleteUserInput{UserPoolId: &pool, Username: guest}))(t)
		notFound := "User does not exist."
		typed[*types.UserNotFoundException](t, "AdminDeleteUser", notFound)(c.AdminDeleteUser(ctx, &cognito.AdminDeleteUserInput{UserPoolId: &pool, Username: guest}))
		typed[*types.UserNotFoundException](t, "AdminConfirmSignUp", notFound)(c.AdminConfirmSignUp(ctx, &cognito.AdminConfirmSignUpInput{UserPoolId: &pool, Username: guest}))
		typed[*types.UserNotFoundException](t, "AdminEnableUser", notFound)(c.AdminEnableUser(ctx, &cognito.AdminEnableUserInput{UserPoolId: &pool, Username: guest}))
	})
}

// A client with a secret wants SECRET_HASH everywhere.
func TestSDKSecretHash(t *testing.T) {
	t.Parallel()
	s := startOpen(t)
	c := cognito.NewFromConfig(s.config(t))
	ctx := t.Context()
	pool, client, secret := testPool(t, c, true)
	name := aws.String("jane")
	hash := func(name string) *string {
		m := hmac.New(sha256.New, []byte(secret))
		m.Write([]byte(name + client))
		return aws.String(base64.StdEncoding.EncodeToString(m.Sum(nil)))
	}
	in := &cognito.SignUpInput{ClientId: &client, Username: name, Password: aws.String(password), UserAttributes: []types.AttributeType{attr("email", "jane@example.com")}}
	typed[*types.NotAuthorizedException](t, "no hash", "Client "+client+" is configured with secret but SECRET_HASH was not received")(c.SignUp(ctx, in))
	in.SecretHash = hash("john")
	typed[*types.NotAuthorizedException](t, "another's hash", "Unable to verify secret hash for client "+client)(c.SignUp(ctx, in))
	in.SecretHash = hash("jane")
	must(c.SignUp(ctx, in))(t)
	must(c.AdminConfirmSignUp(ctx, &cognito.AdminConfirmSignUpInput{UserPoolId: &pool, Username: name}))(t)
	auth := func(flow types.AuthFlowType, params map[string]string) (*cognito.InitiateAuthOutput, error) {
		return c.InitiateAuth(ctx, &cognito.InitiateAuthInput{ClientId: &client, AuthFlow: flow, AuthParameters: params})
	}
	typed[*types.NotAuthorizedException](t, "no hash", "Client "+client+" is configured with secret but SECRET_HASH was not received")(
		auth(types.AuthFlowTypeUserPasswordAuth, map[string]string{"USERNAME": "jane", "PASSWORD": password}))
	result := must(auth(types.AuthFlowTypeUserPasswordAuth, map[string]string{"USERNAME": "jane", "PASSWORD": password, "SECRET_HASH": *hash("jane")}))(t).AuthenticationResult
	must(auth(types.AuthFlowTypeRefreshTokenAuth, map[string]string{"REFRESH_TOKEN": *result.RefreshToken, "SECRET_HASH": *hash("jane")}))(t)
	rotated := must(c.GetTokensFromRefreshToken(ctx, &cognito.GetTokensFromRefreshTokenInput{ClientId: &client, ClientSecret: &secret, RefreshToken: result.RefreshToken}))
	if r := rotated(t).AuthenticationResult; r.IdToken == nil {
		t.Errorf("GetTokensFromRefreshToken: %+v", r)
	}
	typed[*types.NotAuthorizedException](t, "no secret", "")(c.GetTokensFromRefreshToken(ctx, &cognito.GetTokensFromRefreshTokenInput{ClientId: &client, RefreshToken: result.RefreshToken}))
}

// countPools counts the user pools of the account, sixty at the most.
func (s *server) countPools(t testing.TB) int {
	t.Helper()
	c := cognito.NewFromConfig(s.config(t))
	return len(must(c.ListUserPools(t.Context(), &cognito.ListUserPoolsInput{MaxResults: aws.Int32(60)}))(t).UserPools)
}

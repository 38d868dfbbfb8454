package userpools

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/message"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

func attr(list []cognitoidp.AttributeType, name string) string {
	for _, a := range list {
		if a.Name == name {
			return *a.Value
		}
	}
	return ""
}

func (f *fixture) adminGet(pool, name string) *cognitoidp.AdminGetUserResponse {
	f.t.Helper()
	return must(f.AdminGetUser(f.ctx, &cognitoidp.AdminGetUserRequest{UserPoolId: pool, Username: name}))(f.t)
}

func TestSignUpRefusals(t *testing.T) {
	f := newFixture(t, "memory:")
	schema := []cognitoidp.SchemaAttributeType{
		{Name: shape.Ptr("email"), Required: shape.Ptr(true)}, {Name: shape.Ptr("given_name"), Required: shape.Ptr(true)},
		{Name: shape.Ptr("age"), AttributeDataType: shape.Ptr("Number"), NumberAttributeConstraints: &cognitoidp.NumberAttributeConstraintsType{MinValue: shape.Ptr("18")}},
		{Name: shape.Ptr("plan"), AttributeDataType: shape.Ptr("String"), StringAttributeConstraints: &cognitoidp.StringAttributeConstraintsType{MinLength: shape.Ptr("2"), MaxLength: shape.Ptr("5")}},
	}
	plain := f.newPool(cognitoidp.CreateUserPoolRequest{Schema: schema})
	alias := f.newPool(cognitoidp.CreateUserPoolRequest{AliasAttributes: []string{"email", "phone_number", "preferred_username"}})
	mail := f.newPool(cognitoidp.CreateUserPoolRequest{UsernameAttributes: []string{"email"}})
	phone := f.newPool(cognitoidp.CreateUserPoolRequest{UsernameAttributes: []string{"phone_number"}})
	both := f.newPool(cognitoidp.CreateUserPoolRequest{UsernameAttributes: []string{"phone_number", "email"}})
	closed := f.newPool(cognitoidp.CreateUserPoolRequest{AdminCreateUserConfig: &cognitoidp.AdminCreateUserConfigType{AllowAdminCreateUserOnly: shape.Ptr(true)}})
	limited := f.newClient(plain, cognitoidp.CreateUserPoolClientRequest{WriteAttributes: []string{"email", "given_name"}})
	const schemaError = "InvalidParameterException: Attributes did not conform to the schema: "
	for _, c := range []struct {
		client, name string
		attrs        []string
		want         string
	}{
		{f.newClient(plain, cognitoidp.CreateUserPoolClientRequest{}), "ann", nil, schemaError + "name.givenName: The attribute name.givenName is required\nemails: The attribute emails is required\n"},
		{limited, "ann", []string{"email", "a@example.com", "given_name", "Ann", "nickname", "A"}, "NotAuthorizedException: A client attempted to write unauthorized attribute"},
		{limited, "ann", []string{"email", "a@example.com", "given_name", "Ann", "email_verified", "true"}, "NotAuthorizedException: A client attempted to write unauthorized attribute"},
		{limited, "ann", []string{"custom:nope", "x"}, schemaError + "custom:nope: Attribute does not exist in the schema.\n"},
		{limited, "ann", []string{"email", "not an address", "given_name", "Ann"}, "InvalidParameterException: Invalid email address format."},
		{limited, "ann", []string{"sub", "x"}, "InvalidParameterException: Cannot modify the non-mutable attribute sub"},
		{f.newClient(plain, cognitoidp.CreateUserPoolClientRequest{}), "ann", []string{"custom:age", "17"}, schemaError + "custom:age: Number must not be smaller than 18\n"},
		{f.newClient(plain, cognitoidp.CreateUserPoolClientRequest{}), "ann", []string{"custom:plan", "a"}, schemaError + "custom:plan: String must be at least 2 characters long\n"},
		{f.newClient(plain, cognitoidp.CreateUserPoolClientRequest{}), "ann", []string{"custom:plan", "abcdef"}, schemaError + "custom:plan: String must be no longer than 5 characters\n"},
		{f.newClient(plain, cognitoidp.CreateUserPoolClientRequest{}), "ann", []string{"phone_number", "123"}, "InvalidParameterException: Invalid phone number format."},
		{f.newClient(alias, cognitoidp.CreateUserPoolClientRequest{}), "ann@example.com", nil, "InvalidParameterException: Username cannot be of email format, since user pool is configured for email alias."},
		{f.newClient(alias, cognitoidp.CreateUserPoolClientRequest{}), "+14325551212", nil, "InvalidParameterException: Username cannot be of phone number format, since user pool is configured for phone number alias."},
		{f.newClient(alias, cognitoidp.CreateUserPoolClientRequest{}), "ann", []string{"preferred_username", "annie"}, "InvalidParameterException: preferred_username can only be provided once the account is confirmed."},
		{f.newClient(mail, cognitoidp.CreateUserPoolClientRequest{}), "ann", nil, "InvalidParameterException: Username should be an email."},
		{f.newClient(mail, cognitoidp.CreateUserPoolClientRequest{}), "ann@example.com", []string{"email", "other@example.com"}, "InvalidParameterException: User attribute email and the username do not match."},
		{f.newClient(phone, cognitoidp.CreateUserPoolClientRequest{}), "ann@example.com", nil, "InvalidParameterException: Username should be a phone number."},
		{f.newClient(both, cognitoidp.CreateUserPoolClientRequest{}), "ann", nil, "InvalidParameterException: Username should be either an email or a phone number."},
		{f.newClient(closed, cognitoidp.CreateUserPoolClientRequest{}), "ann", nil, "NotAuthorizedException: SignUp is not permitted for this user pool"},
	} {
		_, err := f.SignUp(f.ctx, &cognitoidp.SignUpRequest{ClientId: c.client, Username: c.name, Password: shape.Ptr(goodPassword), UserAttributes: attrs(c.attrs...)})
		wantErr(t, err, c.want)
	}
	_, err := f.SignUp(f.ctx, &cognitoidp.SignUpRequest{ClientId: f.newClient(mail, cognitoidp.CreateUserPoolClientRequest{}), Username: "ann@example.com"})
	wantErr(t, err, "InvalidPasswordException: Password did not conform with policy: Password not long enough")
}

func TestCaseOfNames(t *testing.T) {
	f := newFixture(t, "memory:")
	strict := f.newPool(cognitoidp.CreateUserPoolRequest{})
	lax := f.newPool(cognitoidp.CreateUserPoolRequest{UsernameConfiguration: &cognitoidp.UsernameConfigurationType{}})
	sc, lc := f.newClient(strict, cognitoidp.CreateUserPoolClientRequest{}), f.newClient(lax, cognitoidp.CreateUserPoolClientRequest{})
	f.confirmed(strict, sc, "ann")
	f.confirmed(strict, sc, "Ann")
	_, err := f.signIn(sc, "ANN", goodPassword)
	wantErr(t, err, "UserNotFoundException: User does not exist.")
	sub := f.confirmed(lax, lc, "Ünn")
	_, err = f.SignUp(f.ctx, &cognitoidp.SignUpRequest{ClientId: lc, Username: "üNN", Password: shape.Ptr(goodPassword)})
	wantErr(t, err, "UsernameExistsException: User already exists")
	got := claimsOf(t, *must(f.signIn(lc, "ünn", goodPassword))(t).AuthenticationResult.IdToken)
	if got["cognito:username"] != "Ünn" || got["sub"] != sub {
		t.Errorf("claims: %v", got)
	}
	must(f.signIn(lc, sub, goodPassword))(t)

	// A username may look like a sub, but nobody can take the name that another's sub is.
	const uuid = "0B4D5467-ecf0-46a6-82c8-f6c91b5eabe3"
	f.confirmed(lax, lc, uuid)
	if got := claimsOf(t, *must(f.signIn(lc, strings.ToLower(uuid), goodPassword))(t).AuthenticationResult.IdToken)["cognito:username"]; got != uuid {
		t.Errorf("username %v", got)
	}
	_, err = f.SignUp(f.ctx, &cognitoidp.SignUpRequest{ClientId: lc, Username: strings.ToUpper(sub), Password: shape.Ptr(goodPassword)})
	wantErr(t, err, "UsernameExistsException: User already exists")
}

func TestAliases(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{AliasAttributes: []string{"email", "preferred_username"}, AutoVerifiedAttributes: []string{"email"},
			UsernameConfiguration: &cognitoidp.UsernameConfigurationType{}})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
		confirm := func(name string, force bool) error {
			_, err := f.ConfirmSignUp(f.ctx, &cognitoidp.ConfirmSignUpRequest{ClientId: client, Username: name, ConfirmationCode: f.lastMessage().Code, ForceAliasCreation: &force})
			return err
		}
		f.signUpUser(client, "ann", "email", "Shared@example.com")
		_, err := f.signIn(client, "shared@example.com", goodPassword)
		wantErr(t, err, "UserNotFoundException: User does not exist.") // not an alias before it is verified
		must(0, confirm("ann", false))(t)
		must(f.signIn(client, "shared@example.com", goodPassword))(t)

		f.signUpUser(client, "bob", "email", "shared@example.com")
		wantErr(t, confirm("bob", false), "AliasExistsException: An account with the email already exists.")
		must(0, confirm("bob", true))(t)
		r := must(f.signIn(client, "SHARED@example.com", goodPassword))(t).AuthenticationResult
		if got := claimsOf(t, *r.IdToken)["cognito:username"]; got != "bob" {
			t.Errorf("the alias is %v's", got)
		}
		if got := f.adminGet(pool, "ann"); attr(got.UserAttributes, "email_verified") != "false" {
			t.Errorf("who lost the alias: %v", got.UserAttributes)
		}
		must(f.signIn(client, "ann", goodPassword))(t)

		update := func(token string, a ...string) error {
			_, err := f.UpdateUserAttributes(f.ctx, &cognitoidp.UpdateUserAttributesRequest{AccessToken: token, UserAttributes: attrs(a...)})
			return err
		}
		must(0, update(*r.AccessToken, "preferred_username", "Bobby"))(t)
		must(f.signIn(client, "bobby", goodPassword))(t)
		wantErr(t, update(*r.AccessToken, "preferred_username", "ANN"), "AliasExistsException: Already found an entry for the preferred_username.")
		_, err = f.SignUp(f.ctx, &cognitoidp.SignUpRequest{ClientId: client, Username: "bobby", Password: shape.Ptr(goodPassword)})
		wantErr(t, err, "UsernameExistsException: User already exists")
		must(0, update(*r.AccessToken, "preferred_username", "robert"))(t)
		_, err = f.signIn(client, "bobby", goodPassword)
		wantErr(t, err, "UserNotFoundException: User does not exist.")

		create := &cognitoidp.AdminCreateUserRequest{UserPoolId: pool, Username: "carl", MessageAction: shape.Ptr("SUPPRESS"), UserAttributes: attrs("email_verified", "true", "email", "shared@example.com")}
		_, err = f.AdminCreateUser(f.ctx, create)
		wantErr(t, err, "AliasExistsException: An account with the email already exists.")
		create.ForceAliasCreation = shape.Ptr(true)
		must(f.AdminCreateUser(f.ctx, create))(t)
		_, err = f.AdminCreateUser(f.ctx, &cognitoidp.AdminCreateUserRequest{UserPoolId: pool, Username: "carl"})
		wantErr(t, err, "UsernameExistsException: User account already exists")
		if got := f.adminGet(pool, "shared@example.com"); got.Username != "carl" {
			t.Errorf("the alias is %s's", got.Username)
		}
	})
}

func TestCodes(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{AutoVerifiedAttributes: []string{"email"}})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{PreventUserExistenceErrors: shape.Ptr("ENABLED")})
		confirm := func(code string) error {
			_, err := f.ConfirmSignUp(f.ctx, &cognitoidp.ConfirmSignUpRequest{ClientId: client, Username: "ann", ConfirmationCode: code})
			return err
		}
		resend := func(name string) (*cognitoidp.ResendConfirmationCodeResponse, error) {
			return f.ResendConfirmationCode(f.ctx, &cognitoidp.ResendConfirmationCodeRequest{ClientId: client, Username: name})
		}
		f.signUpUser(client, "ann", "email", "ann@example.com")
		old := f.lastMessage().Code
		const mismatch, expired, limit = "CodeMismatchException: Invalid verification code provided, please try again.",
			"ExpiredCodeException: Invalid code provided, please request a code again.", "LimitExceededException: Attempt limit exceeded, please try after some time."
		for range codeTries {
			wantErr(t, confirm("nope"), mismatch)
		}
		wantErr(t, confirm(old), limit)
		if d := must(resend("ann"))(t).CodeDeliveryDetails; *d.Destination != "a***@e***" {
			t.Errorf("%+v", d)
		}
		f.pass(24 * time.Hour)
		wantErr(t, confirm(f.lastMessage().Code), expired)
		for range codesPerHour {
			must(resend("ann"))(t)
		}
		_, err := resend("ann")
		wantErr(t, err, limit)
		must(0, confirm(f.lastMessage().Code))(t)
		_, err = resend("ann")
		wantErr(t, err, "InvalidParameterException: User is already confirmed.")

		// Strangers are not told apart.
		a, b := must(resend("stranger"))(t).CodeDeliveryDetails, must(resend("stranger"))(t).CodeDeliveryDetails
		if *a.DeliveryMedium != "EMAIL" || *a.Destination != *b.Destination || len(*a.Destination) != len("a***@e***") {
			t.Errorf("%+v %+v", a, b)
		}
		_, err = f.ConfirmSignUp(f.ctx, &cognitoidp.ConfirmSignUpRequest{ClientId: client, Username: "stranger", ConfirmationCode: "123456"})
		wantErr(t, err, expired)
		_, err = f.signIn(client, "stranger", "x")
		wantErr(t, err, "NotAuthorizedException: Incorrect username or password.")
	})
}

func TestForgottenPassword(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{UsernameAttributes: []string{"email"}, AutoVerifiedAttributes: []string{"email"},
			AccountRecoverySetting: &cognitoidp.AccountRecoverySettingType{RecoveryMechanisms: []cognitoidp.RecoveryOptionType{{Name: "verified_phone_number", Priority: 1}, {Name: "verified_email", Priority: 2}}}})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
		shy := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{PreventUserExistenceErrors: shape.Ptr("ENABLED")})
		f.signUpUser(client, "ann@example.com")
		forgot := func(client, name string) (*cognitoidp.CodeDeliveryDetailsType, error) {
			out, err := f.ForgotPassword(f.ctx, &cognitoidp.ForgotPasswordRequest{ClientId: client, Username: name})
			if err != nil {
				return nil, err
			}
			return out.CodeDeliveryDetails, nil
		}
		choose := func(client, code, password string) error {
			_, err := f.ConfirmForgotPassword(f.ctx, &cognitoidp.ConfirmForgotPasswordRequest{ClientId: client, Username: "ann@example.com", ConfirmationCode: code, Password: password})
			return err
		}
		_, err := forgot(client, "ann@example.com")
		wantErr(t, err, "InvalidParameterException: Cannot reset password for the user as there is no registered/verified email or phone_number")
		must(f.ConfirmSignUp(f.ctx, &cognitoidp.ConfirmSignUpRequest{ClientId: client, Username: "ann@example.com", ConfirmationCode: f.lastMessage().Code}))(t)
		wantErr(t, choose(client, "123456", goodPassword), "ExpiredCodeException: Invalid code provided, please request a code again.")
		if d := must(forgot(client, "ann@example.com"))(t); *d.Destination != "a***@e***" || *d.DeliveryMedium != "EMAIL" {
			t.Errorf("%+v", d)
		}
		m := f.lastMessage()
		if m.Kind != "ForgotPassword" || m.Body != "Your password reset code is "+m.Code || m.Subject != "Your verification code" {
			t.Errorf("message: %+v", m)
		}
		wantErr(t, choose(client, m.Code, "short"), "InvalidPasswordException: Password did not conform with policy: Password not long enough")
		wantErr(t, choose(client, "nope", "N3w-password"), "CodeMismatchException: Invalid verification code provided, please try again.")
		must(0, choose(client, m.Code, "N3w-password"))(t)
		wantErr(t, choose(client, m.Code, "N3w-passw0rd"), "ExpiredCodeException: Invalid code provided, please request a code again.")
		must(f.signIn(client, "ann@example.com", "N3w-password"))(t)
		must(forgot(client, "ann@example.com"))(t)
		f.pass(time.Hour)
		wantErr(t, choose(client, f.lastMessage().Code, goodPassword), "ExpiredCodeException: Invalid code provided, please request a code again.")

		_, err = forgot(client, "bob@example.com")
		wantErr(t, err, "UserNotFoundException: Username/client id combination not found.")
		if d := must(forgot(shy, "bob@example.com"))(t); *d.Destination != "b***@e***" {
			t.Errorf("%+v", d)
		}
		f.signUpUser(client, "carl@example.com") // never asks for a code
		for _, password := range []string{goodPassword, "short"} {
			var answers [2]error
			for i, name := range []string{"carl@example.com", "bob@example.com"} {
				_, answers[i] = f.ConfirmForgotPassword(f.ctx, &cognitoidp.ConfirmForgotPasswordRequest{ClientId: shy, Username: name, ConfirmationCode: "123456", Password: password})
			}
			if answers[0] == nil || answers[1] == nil || answers[0].Error() != answers[1].Error() {
				t.Errorf("somebody is told %v, nobody %v", answers[0], answers[1])
			}
		}

		must(f.AdminResetUserPassword(f.ctx, &cognitoidp.AdminResetUserPasswordRequest{UserPoolId: pool, Username: "ann@example.com"}))(t)
		if got := f.adminGet(pool, "ann@example.com"); *got.UserStatus != "RESET_REQUIRED" {
			t.Errorf("status %s", *got.UserStatus)
		}
		_, err = f.signIn(client, "ann@example.com", "N3w-password")
		wantErr(t, err, "PasswordResetRequiredException: Password reset required for the user")
		must(0, choose(client, f.lastMessage().Code, goodPassword))(t)
		must(f.signIn(client, "ann@example.com", goodPassword))(t)
	})
}

func TestOwnAttributes(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{UsernameAttributes: []string{"email"}, AutoVerifiedAttributes: []string{"email"},
			UserAttributeUpdateSettings: &cognitoidp.UserAttributeUpdateSettingsType{AttributesRequireVerificationBeforeUpdate: []string{"email"}},
			Schema: []cognitoidp.SchemaAttributeType{{Name: shape.Ptr("plan"), AttributeDataType: shape.Ptr("String")}, {Name: shape.Ptr("born"), AttributeDataType: shape.Ptr("String"), Mutable: shape.Ptr(false)},
				{Name: shape.Ptr("nickname"), Required: shape.Ptr(true)}}})
		client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{ReadAttributes: []string{"email", "nickname"}})
		f.signUpUser(client, "ann@example.com", "nickname", "A", "custom:born", "1999")
		must(f.ConfirmSignUp(f.ctx, &cognitoidp.ConfirmSignUpRequest{ClientId: client, Username: "ann@example.com", ConfirmationCode: f.lastMessage().Code}))(t)
		token := *must(f.signIn(client, "ann@example.com", goodPassword))(t).AuthenticationResult.AccessToken
		update := func(a ...string) ([]cognitoidp.CodeDeliveryDetailsType, error) {
			out, err := f.UpdateUserAttributes(f.ctx, &cognitoidp.UpdateUserAttributesRequest{AccessToken: token, UserAttributes: attrs(a...)})
			if err != nil {
				return nil, err
			}
			return out.CodeDeliveryDetailsList, nil
		}
		me := must(f.GetUser(f.ctx, &cognitoidp.GetUserRequest{AccessToken: token}))(t).UserAttributes
		var names []string
		for _, a := range me {
			names = append(names, a.Name)
		}
		if strings.Join(names, " ") != "sub nickname email" {
			t.Errorf("GetUser shows %v", names)
		}
		must(update("custom:plan", "gold", "name", "Ann Smith"))(t)
		_, err := update("custom:born", "2001")
		wantErr(t, err, "InvalidParameterException: user.custom:born: Attribute cannot be updated.\n")
		_, err = update("custom:nope", "x")
		wantErr(t, err, "InvalidParameterException: user.custom:nope: Attribute does not exist in the schema.\n")
		_, err = update("nickname", "")
		wantErr(t, err, "InvalidParameterException: user.nickname: Required attribute cannot be deleted.\n")
		_, err = update("email", "")
		wantErr(t, err, "InvalidParameterException: User must keep an attribute to sign in with.")
		must(f.DeleteUserAttributes(f.ctx, &cognitoidp.DeleteUserAttributesRequest{AccessToken: token, UserAttributeNames: []string{"name"}}))(t)
		if got := f.adminGet(pool, "ann@example.com").UserAttributes; attr(got, "name") != "" || attr(got, "custom:plan") != "gold" || attr(got, "custom:born") != "1999" {
			t.Errorf("attributes: %v", got)
		}

		// The new address counts when its code is back; until then the old one does.
		if d := must(update("email", "new@example.org"))(t); len(d) != 1 || *d[0].Destination != "n***@e***" {
			t.Errorf("%+v", d)
		}
		must(f.signIn(client, "ann@example.com", goodPassword))(t)
		if got := f.adminGet(pool, "ann@example.com").UserAttributes; attr(got, "email") != "ann@example.com" || attr(got, "email_verified") != "true" {
			t.Errorf("attributes: %v", got)
		}
		verify := func(code string) error {
			_, err := f.VerifyUserAttribute(f.ctx, &cognitoidp.VerifyUserAttributeRequest{AccessToken: token, AttributeName: "email", Code: code})
			return err
		}
		wantErr(t, verify("nope"), "CodeMismatchException: …")
		if m := f.lastMessage(); m.To != "new@example.org" || m.Body != "Your verification code is "+m.Code {
			t.Errorf("message: %+v", m)
		}
		must(0, verify(f.lastMessage().Code))(t)
		_, err = f.signIn(client, "ann@example.com", goodPassword)
		wantErr(t, err, "UserNotFoundException: User does not exist.")
		must(f.signIn(client, "new@example.org", goodPassword))(t)
		if got := f.adminGet(pool, "new@example.org").UserAttributes; attr(got, "email") != "new@example.org" || attr(got, "email_verified") != "true" {
			t.Errorf("attributes: %v", got)
		}
		must(f.GetUserAttributeVerificationCode(f.ctx, &cognitoidp.GetUserAttributeVerificationCodeRequest{AccessToken: token, AttributeName: "email"}))(t)
		_, err = f.GetUserAttributeVerificationCode(f.ctx, &cognitoidp.GetUserAttributeVerificationCodeRequest{AccessToken: token, AttributeName: "phone_number"})
		wantErr(t, err, "InvalidParameterException: User does not have a value for the attribute phone_number.")

		// An administrator changes at once.
		must(f.AdminUpdateUserAttributes(f.ctx, &cognitoidp.AdminUpdateUserAttributesRequest{UserPoolId: pool, Username: "new@example.org", UserAttributes: attrs("email", "admin@example.net", "email_verified", "true")}))(t)
		must(f.signIn(client, "admin@example.net", goodPassword))(t)
		f.signUpUser(client, "bob@example.com", "nickname", "B")
		_, err = f.AdminUpdateUserAttributes(f.ctx, &cognitoidp.AdminUpdateUserAttributesRequest{UserPoolId: pool, Username: "bob@example.com", UserAttributes: attrs("email", "admin@example.net")})
		wantErr(t, err, "AliasExistsException: An account with the given email already exists.")

		change := func(old, new string) error {
			_, err := f.ChangePassword(f.ctx, &cognitoidp.ChangePasswordRequest{AccessToken: token, PreviousPassword: &old, ProposedPassword: new})
			return err
		}
		wantErr(t, change("nope", "N3w-password"), "NotAuthorizedException: Incorrect username or password.")
		wantErr(t, change(goodPassword, "newpassword"), "InvalidPasswordException: …")
		must(0, change(goodPassword, "N3w-password"))(t)
		must(f.signIn(client, "admin@example.net", "N3w-password"))(t)
	})
}

func TestInvitationMessages(t *testing.T) {
	f := newFixture(t, "memory:")
	pool := f.newPool(cognitoidp.CreateUserPoolRequest{AdminCreateUserConfig: &cognitoidp.AdminCreateUserConfigType{InviteMessageTemplate: &cognitoidp.MessageTemplateType{
		EmailSubject: shape.Ptr("Hello {username}"), EmailMessage: shape.Ptr("<b>{username}</b>: {####}"), SMSMessage: shape.Ptr("{username} {####}")}}})
	create := func(name string, media []string, a ...string) []message.Message {
		t.Helper()
		must(f.AdminCreateUser(f.ctx, &cognitoidp.AdminCreateUserRequest{UserPoolId: pool, Username: name, TemporaryPassword: shape.Ptr("Pa<ss>w0rd"), DesiredDeliveryMediums: media, UserAttributes: attrs(a...)}))(t)
		list := must(f.outbox.List(f.ctx, message.Filter{Username: name}, 10))(t)
		slices.SortFunc(list, func(a, b message.Message) int { return strings.Compare(string(a.Channel), string(b.Channel)) })
		return list
	}
	if m := create("a<b>", []string{"EMAIL", "SMS"}, "email", "a@example.com", "phone_number", "+14325551212"); len(m) != 2 || m[0].Body != "<b>a&lt;b&gt;</b>: Pa&lt;ss&gt;w0rd" || m[0].Subject != "Hello a<b>" || m[0].Code != "Pa<ss>w0rd" || m[1].Body != "a<b> Pa<ss>w0rd" || m[1].To != "+14325551212" {
		t.Errorf("%+v", m)
	}
	if m := create("mail only", nil, "email", "b@example.com"); len(m) != 1 || m[0].Channel != message.Email {
		t.Errorf("%+v", m)
	}
	if m := create("phone first", nil, "email", "c@example.com", "phone_number", "+14325551213"); len(m) != 1 || m[0].Channel != message.SMS {
		t.Errorf("%+v", m)
	}
	if m := create("nowhere", nil); len(m) != 0 {
		t.Errorf("%+v", m)
	}
}

func TestListUsers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{UsernameConfiguration: &cognitoidp.UsernameConfigurationType{}})
		mailPool := f.newPool(cognitoidp.CreateUserPoolRequest{UsernameAttributes: []string{"email"}})
		create := func(pool, name string, a ...string) string {
			t.Helper()
			return attr(must(f.AdminCreateUser(f.ctx, &cognitoidp.AdminCreateUserRequest{UserPoolId: pool, Username: name, MessageAction: shape.Ptr("SUPPRESS"), UserAttributes: attrs(a...)}))(t).User.Attributes, "sub")
		}
		subs := map[string]string{}
		for i := range 12 {
			name := fmt.Sprintf("User%02d", i)
			subs[name] = create(pool, name, "email", fmt.Sprintf("Mail%d@Example.com", i), "family_name", []string{"Reddy", "reddy", "Reed", "O\"Neill"}[i%4], "given_name", "Jon", "name", "Jon "+name)
		}
		create(mailPool, "one@example.com")
		must(f.AdminSetUserPassword(f.ctx, &cognitoidp.AdminSetUserPasswordRequest{UserPoolId: pool, Username: "user03", Password: goodPassword, Permanent: shape.Ptr(true)}))(t)
		must(f.AdminDisableUser(f.ctx, &cognitoidp.AdminDisableUserRequest{UserPoolId: pool, Username: "user05"}))(t)

		// list reads all pages of the given size.
		list := func(pool, filter string, limit int64) []string {
			t.Helper()
			var names []string
			in := &cognitoidp.ListUsersRequest{UserPoolId: pool, Filter: &filter, Limit: &limit}
			for {
				out := must(f.ListUsers(f.ctx, in))(t)
				if int64(len(out.Users)) > limit {
					t.Fatalf("%d users on a page of %d", len(out.Users), limit)
				}
				for _, u := range out.Users {
					names = append(names, *u.Username)
				}
				if in.PaginationToken = out.PaginationToken; in.PaginationToken == nil {
					return names
				}
			}
		}
		every := "User00 User01 User02 User03 User04 User05 User06 User07 User08 User09 User10 User11"
		for _, c := range []struct {
			filter, want string
			sorted       bool // by the attribute, so the order is known
		}{
			{``, every, false},
			{`username ^= "user"`, every, true},
			{`username ^= "USER1"`, "User10 User11", true},
			{`username = "User07"`, "User07", true},
			{`username = "nobody"`, "", true},
			{`email = "mail3@example.COM"`, "User03", true},
			{`email ^= "MAIL1"`, "User10 User11 User01", false},
			{`family_name = "REDDY"`, "User00 User01 User04 User05 User08 User09", false},
			{`family_name ^= "re"`, "User00 User01 User02 User04 User05 User06 User08 User09 User10", false},
			{`family_name = "O\"Neill"`, "User03 User07 User11", false},
			{`given_name ^= ""`, every, false},
			{`name ^= "jon user0"`, "User00 User01 User02 User03 User04 User05 User06 User07 User08 User09", true},
			{`phone_number ^= "+"`, "", true},
			{`cognito:user_status = "confirmed"`, "User03", true},
			{`cognito:user_status ^= "force"`, strings.Replace(every, "User03 ", "", 1), false},
			{`cognito:user_status = "UNCONFIRMED"`, "", true},
			{`status = "Disabled"`, "User05", true},
			{`status = "disabled"`, "", true},
			{`status = "Enabled"`, strings.Replace(every, "User05 ", "", 1), false},
			{`sub = "` + subs["User09"] + `"`, "User09", true},
			{`sub ^= "` + subs["User09"][:30] + `"`, "User09", true},
			{`sub ^= ""`, every, false},
			{`sub = "x"`, "", true},
		} {
			for _, limit := range []int64{1, 2, 5, 60} {
				got := list(pool, c.filter, limit)
				if !c.sorted {
					slices.Sort(got)
					want := strings.Fields(c.want)
					slices.Sort(want)
					c.want = strings.Join(want, " ")
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("%s by %d: %v, want %s", c.filter, limit, got, c.want)
				}
			}
		}
		if got := list(mailPool, `email ^= "one@"`, 60); len(got) != 1 {
			t.Errorf("%v", got)
		} else if again := list(mailPool, `username = "`+got[0]+`"`, 60); len(again) != 1 {
			t.Errorf("%v", again)
		}

		out := must(f.ListUsers(f.ctx, &cognitoidp.ListUsersRequest{UserPoolId: pool, Limit: shape.Ptr[int64](1), AttributesToGet: []string{"email", "sub"}}))(t)
		if len(out.Users[0].Attributes) != 2 {
			t.Errorf("AttributesToGet: %v", out.Users[0].Attributes)
		}
		for _, in := range []*cognitoidp.ListUsersRequest{
			{UserPoolId: mailPool, PaginationToken: out.PaginationToken},
			{UserPoolId: pool, PaginationToken: out.PaginationToken, Filter: shape.Ptr(`name = "x"`)},
			{UserPoolId: pool, PaginationToken: shape.Ptr("A" + *out.PaginationToken)},
			{UserPoolId: pool, PaginationToken: shape.Ptr("x")},
		} {
			_, err := f.ListUsers(f.ctx, in)
			wantErr(t, err, "InvalidParameterException: Invalid pagination token.")
		}
		_, err := f.ListUsers(f.ctx, &cognitoidp.ListUsersRequest{UserPoolId: pool, AttributesToGet: []string{"custom:nope"}})
		wantErr(t, err, "InvalidParameterException: One or more requested attributes do not exist.")
		if got := *must(f.DescribeUserPool(f.ctx, &cognitoidp.DescribeUserPoolRequest{UserPoolId: pool}))(t).UserPool.EstimatedNumberOfUsers; got != 12 {
			t.Errorf("%d users", got)
		}
		must(f.AdminDeleteUser(f.ctx, &cognitoidp.AdminDeleteUserRequest{UserPoolId: pool, Username: "user00"}))(t)
		if got := *must(f.DescribeUserPool(f.ctx, &cognitoidp.DescribeUserPoolRequest{UserPoolId: pool}))(t).UserPool.EstimatedNumberOfUsers; got != 11 {
			t.Errorf("%d users", got)
		}
		_, err = f.AdminDeleteUser(f.ctx, &cognitoidp.AdminDeleteUserRequest{UserPoolId: pool, Username: "user00"})
		wantErr(t, err, "UserNotFoundException: User does not exist.")
	})
}

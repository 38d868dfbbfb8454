package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/saml/samltest"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// TestIdentityProviders logs in with what IAM knows: a SAML provider, and an OpenID Connect provider, which is
// a user pool here. The roles trust what the logins say.
func TestIdentityProviders(t *testing.T) {
	e, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	ctx := wire.WithCall(t.Context(), &wire.Call{Account: DefaultAccount, Region: DefaultRegion, Partition: "aws", Time: time.Now()})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	idp := samltest.New(t, "https://idp.example/corp")
	corp, err := e.iam.CreateSAMLProvider(ctx, &iamapi.CreateSAMLProviderRequest{Name: "corp", SAMLMetadataDocument: string(idp.Metadata())})
	check(err)
	people, err := e.pools.CreateUserPool(ctx, &cognitoidp.CreateUserPoolRequest{PoolName: "people"})
	check(err)
	issuer := "https://cognito-idp.us-east-1.amazonaws.com/" + *people.UserPool.Id
	client, err := e.pools.CreateUserPoolClient(ctx, &cognitoidp.CreateUserPoolClientRequest{UserPoolId: *people.UserPool.Id, ClientName: "app", ExplicitAuthFlows: []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}})
	check(err)
	clientID := *client.UserPoolClient.ClientId
	web, err := e.iam.CreateOpenIDConnectProvider(ctx, &iamapi.CreateOpenIDConnectProviderRequest{Url: issuer, ClientIDList: []string{clientID}})
	check(err)
	_, err = e.pools.AdminCreateUser(ctx, &cognitoidp.AdminCreateUserRequest{UserPoolId: *people.UserPool.Id, Username: "ann", MessageAction: shape.Ptr("SUPPRESS")})
	check(err)
	_, err = e.pools.AdminSetUserPassword(ctx, &cognitoidp.AdminSetUserPasswordRequest{UserPoolId: *people.UserPool.Id, Username: "ann", Password: "Passw0rd!", Permanent: shape.Ptr(true)})
	check(err)
	in, err := e.pools.InitiateAuth(ctx, &cognitoidp.InitiateAuthRequest{ClientId: clientID, AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: map[string]string{"USERNAME": "ann", "PASSWORD": "Passw0rd!"}})
	check(err)

	pool, err := e.identities.CreateIdentityPool(ctx, &cognitoidentity.CreateIdentityPoolInput{IdentityPoolName: "app", AllowUnauthenticatedIdentities: true,
		SamlProviderARNs: []string{*corp.SAMLProviderArn}, OpenIdConnectProviderARNs: []string{*web.OpenIDConnectProviderArn}})
	check(err)
	role := func(name, amr string) string {
		trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity",
			"Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":%q},"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":%q}}}]}`, pool.IdentityPoolId, amr)
		out, err := e.iam.CreateRole(ctx, &iamapi.CreateRoleRequest{RoleName: name, AssumeRolePolicyDocument: trust})
		check(err)
		return out.Role.Arn
	}
	everybody, staff, guests := role("everybody", "authenticated"), role("staff", *corp.SAMLProviderArn), role("guests", "unauthenticated")
	_, err = e.identities.SetIdentityPoolRoles(ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool.IdentityPoolId, Roles: map[string]string{"authenticated": everybody, "unauthenticated": guests},
		RoleMappings: map[string]cognitoidentity.RoleMapping{*corp.SAMLProviderArn: {Type: "Token", AmbiguousRoleResolution: shape.Ptr("AuthenticatedRole")}}})
	check(err)

	// credentials opens what the identity of the logins gets; "" stands for the role of a refusal.
	credentials := func(logins map[string]string, want string) {
		t.Helper()
		id, err := e.identities.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool.IdentityPoolId, Logins: logins})
		check(err)
		out, err := e.identities.GetCredentialsForIdentity(ctx, &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: *id.IdentityId, Logins: logins})
		check(err)
		ses, _, err := e.iam.Sessions.Open(*out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
		check(err)
		if ses.OwnerARN != want || ses.Name != "CognitoIdentityCredentials" || !slices.Equal(ses.Context["cognito-identity.amazonaws.com:sub"], []string{*id.IdentityId}) ||
			!slices.Equal(ses.Context["cognito-identity.amazonaws.com:aud"], []string{pool.IdentityPoolId}) || ses.Expires-ses.Issued != 3600 {
			t.Errorf("session %+v, want one of %s", ses, want)
		}
		if (len(ses.Policies) > 0) != (want == guests) {
			t.Errorf("session policies of %s: %v", want, ses.Policies)
		}
	}
	assertion := func(change func(*samltest.Assertion)) map[string]string {
		a := samltest.Assertion{Now: time.Now(), NameID: "bob", Audience: "urn:amazon:webservices", Recipient: "https://signin.aws.amazon.com/saml",
			Attributes: map[string][]string{"https://aws.amazon.com/SAML/Attributes/Role": {staff + "," + *corp.SAMLProviderArn}}}
		if change != nil {
			change(&a)
		}
		return map[string]string{*corp.SAMLProviderArn: idp.Encoded(a)}
	}
	credentials(map[string]string{strings.TrimPrefix(issuer, "https://"): *in.AuthenticationResult.IdToken}, everybody)
	credentials(assertion(nil), staff)
	credentials(assertion(func(a *samltest.Assertion) { a.Attributes = nil }), everybody)
	credentials(nil, guests)

	for what, change := range map[string]func(*samltest.Assertion){
		"unsigned":         func(a *samltest.Assertion) { a.Sign = "none" },
		"expired":          func(a *samltest.Assertion) { a.Now = a.Now.Add(-time.Hour) },
		"for others":       func(a *samltest.Assertion) { a.Audience = "https://example.com" },
		"sent elsewhere":   func(a *samltest.Assertion) { a.Recipient = "https://example.com" },
		"without a name":   func(a *samltest.Assertion) { a.NoNameID = true },
		"another issuer's": func(a *samltest.Assertion) { a.Issuer = "https://example.com" },
	} {
		_, err := e.identities.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool.IdentityPoolId, Logins: assertion(change)})
		if err == nil || !strings.HasPrefix(err.Error(), "NotAuthorizedException: Invalid login token. ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	foreign := samltest.New(t, "https://idp.example/corp").Encoded(samltest.Assertion{Now: time.Now(), NameID: "bob", Audience: "urn:amazon:webservices", Recipient: "https://signin.aws.amazon.com/saml"})
	for what, response := range map[string]string{"another key": foreign, "no base64": "<Response>", "no XML": "aGVsbG8="} {
		_, err := e.identities.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool.IdentityPoolId, Logins: map[string]string{*corp.SAMLProviderArn: response}})
		if err == nil || !strings.HasPrefix(err.Error(), "NotAuthorizedException: Invalid login token. ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Providers that are gone.
	_, err = e.iam.DeleteOpenIDConnectProvider(ctx, &iamapi.DeleteOpenIDConnectProviderRequest{OpenIDConnectProviderArn: *web.OpenIDConnectProviderArn})
	check(err)
	_, err = e.identities.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool.IdentityPoolId, Logins: map[string]string{strings.TrimPrefix(issuer, "https://"): *in.AuthenticationResult.IdToken}})
	if err == nil || err.Error() != "NotAuthorizedException: Token is not from a supported provider of this identity pool." {
		t.Errorf("a provider that is gone: %v", err)
	}
}

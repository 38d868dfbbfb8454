package conformance

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	idtypes "github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// identityTrust is the trust policy of a role for the identities of a pool.
func identityTrust(pool, amr string) *string {
	return aws.String(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},
		"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],"Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":%q},
		"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":%q}}}]}`, pool, amr))
}

// TestSDKIdentityPools calls every operation of identity pools through the SDK for Go, and takes a user from
// the sign-in to credentials of a role.
func TestSDKIdentityPools(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		ctx, cfg := t.Context(), s.config(t)
		people, pools, roles := cognito.NewFromConfig(cfg), cognitoidentity.NewFromConfig(cfg), iam.NewFromConfig(cfg)
		public := cognitoidentity.NewFromConfig(cfg, func(o *cognitoidentity.Options) { o.Credentials = aws.AnonymousCredentials{} })

		// Somebody who signs in.
		userPool := must(people.CreateUserPool(ctx, &cognito.CreateUserPoolInput{PoolName: aws.String("people")}))(t).UserPool.Id
		client := must(people.CreateUserPoolClient(ctx, &cognito.CreateUserPoolClientInput{UserPoolId: userPool, ClientName: aws.String("app"),
			ExplicitAuthFlows: []types.ExplicitAuthFlowsType{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}}))(t).UserPoolClient.ClientId
		must(people.AdminCreateUser(ctx, &cognito.AdminCreateUserInput{UserPoolId: userPool, Username: aws.String("ann"), MessageAction: types.MessageActionTypeSuppress}))(t)
		must(people.AdminSetUserPassword(ctx, &cognito.AdminSetUserPasswordInput{UserPoolId: userPool, Username: aws.String("ann"), Password: aws.String("Passw0rd!"), Permanent: true}))(t)
		signIn := func() *types.AuthenticationResultType {
			return must(people.InitiateAuth(ctx, &cognito.InitiateAuthInput{ClientId: client, AuthFlow: types.AuthFlowTypeUserPasswordAuth,
				AuthParameters: map[string]string{"USERNAME": "ann", "PASSWORD": "Passw0rd!"}}))(t).AuthenticationResult
		}
		signedIn := signIn()
		provider := "cognito-idp.us-east-1.amazonaws.com/" + *userPool
		logins := map[string]string{provider: *signedIn.IdToken}

		// A pool with its roles.
		made := must(pools.CreateIdentityPool(ctx, &cognitoidentity.CreateIdentityPoolInput{IdentityPoolName: aws.String("app"), AllowUnauthenticatedIdentities: true,
			DeveloperProviderName:    aws.String("login.example"),
			CognitoIdentityProviders: []idtypes.CognitoIdentityProvider{{ProviderName: &provider, ClientId: client, ServerSideTokenCheck: aws.Bool(true)}},
			IdentityPoolTags:         map[string]string{"stage": "test"}}))(t)
		pool := made.IdentityPoolId
		if !strings.HasPrefix(*pool, "us-east-1:") || len(*pool) != 46 {
			t.Errorf("pool %s", *pool)
		}
		same(t, "tags", must(pools.ListTagsForResource(ctx, &cognitoidentity.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:cognito-identity:us-east-1:000000000000:identitypool/" + *pool)}))(t).Tags, map[string]string{"stage": "test"})
		arns := map[string]string{}
		for _, amr := range []string{"authenticated", "unauthenticated"} {
			r := must(roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("app-" + amr), AssumeRolePolicyDocument: identityTrust(*pool, amr)}))(t)
			arns[amr] = *r.Role.Arn
		}
		must(pools.SetIdentityPoolRoles(ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool, Roles: arns}))(t)
		same(t, "roles", must(pools.GetIdentityPoolRoles(ctx, &cognitoidentity.GetIdentityPoolRolesInput{IdentityPoolId: pool}))(t).Roles, arns)
		must(pools.SetPrincipalTagAttributeMap(ctx, &cognitoidentity.SetPrincipalTagAttributeMapInput{IdentityPoolId: pool, IdentityProviderName: &provider, UseDefaults: aws.Bool(true)}))(t)
		same(t, "principal tags", must(pools.GetPrincipalTagAttributeMap(ctx, &cognitoidentity.GetPrincipalTagAttributeMapInput{IdentityPoolId: pool, IdentityProviderName: &provider}))(t).PrincipalTags,
			map[string]string{"client": "aud", "username": "sub"})

		// A guest has credentials; signing in makes him somebody, who comes back as the same.
		who := func(c *idtypes.Credentials) string {
			signed := cfg.Copy()
			signed.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretKey, *c.SessionToken)
			return *must(sts.NewFromConfig(signed).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t).Arn
		}
		guest := must(public.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool}))(t).IdentityId
		creds := must(public.GetCredentialsForIdentity(ctx, &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: guest}))(t)
		same(t, "the guest's role", who(creds.Credentials), "arn:aws:sts::000000000000:assumed-role/app-unauthenticated/CognitoIdentityCredentials")
		creds = must(public.GetCredentialsForIdentity(ctx, &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: guest, Logins: logins}))(t)
		same(t, "the identity", *creds.IdentityId, *guest)
		same(t, "the user's role", who(creds.Credentials), "arn:aws:sts::000000000000:assumed-role/app-authenticated/CognitoIdentityCredentials")
		if d := time.Until(*creds.Credentials.Expiration); d < 55*time.Minute || d > 65*time.Minute {
			t.Errorf("credentials for %v", d)
		}
		ann := must(public.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool, Logins: map[string]string{provider: *signIn().IdToken}}))(t).IdentityId
		same(t, "the identity of another sign-in", *ann, *guest)
		same(t, "logins", must(pools.DescribeIdentity(ctx, &cognitoidentity.DescribeIdentityInput{IdentityId: ann}))(t).Logins, []string{provider})

		// The basic flow, step by step.
		basic := must(public.GetOpenIdToken(ctx, &cognitoidentity.GetOpenIdTokenInput{IdentityId: ann, Logins: logins}))(t)
		anonymous := sts.NewFromConfig(cfg, func(o *sts.Options) { o.Credentials = aws.AnonymousCredentials{} })
		assumed := must(anonymous.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String(arns["authenticated"]), RoleSessionName: aws.String("web"), WebIdentityToken: basic.Token}))(t)
		same(t, "the subject", *assumed.SubjectFromWebIdentityToken, *ann)
		coded(t, "the guests' role with a user's token", "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")(
			anonymous.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String(arns["unauthenticated"]), RoleSessionName: aws.String("web"), WebIdentityToken: basic.Token}))

		// Whom it does not let in.
		refused := func(what, message string, logins map[string]string) {
			t.Helper()
			typed[*idtypes.NotAuthorizedException](t, what, message)(public.GetCredentialsForIdentity(ctx, &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: ann, Logins: logins}))
		}
		refused("no logins", "Access to Identity '"+*ann+"' is forbidden.", nil)
		refused("access token", "Invalid login token. Missing a required claim: aud", map[string]string{provider: *signedIn.AccessToken})
		refused("tampered", "Invalid login token. Couldn't verify signed token.", map[string]string{provider: changedSignature(*signedIn.IdToken)})
		refused("unknown provider", "Token is not from a supported provider of this identity pool.", map[string]string{"accounts.google.com": *signedIn.IdToken})
		typed[*idtypes.InvalidParameterException](t, "developer provider", "Please provide a valid public provider.")(
			public.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool, Logins: map[string]string{"login.example": "ann"}}))
		typed[*idtypes.ResourceNotFoundException](t, "no pool", "")(public.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: aws.String("us-east-1:00000000-0000-4000-8000-000000000000")}))
		coded(t, "a pool id that is none", "ValidationException", "1 validation error detected: Value 'pool' at 'identityPoolId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w-]+:[0-9a-f-]+")(
			public.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: aws.String("pool")}))

		// Roles by rules, and the role that does not trust.
		rule := func(value string) map[string]idtypes.RoleMapping {
			return map[string]idtypes.RoleMapping{provider + ":" + *client: {Type: idtypes.RoleMappingTypeRules, AmbiguousRoleResolution: idtypes.AmbiguousRoleResolutionTypeDeny,
				RulesConfiguration: &idtypes.RulesConfigurationType{Rules: []idtypes.MappingRule{{Claim: aws.String("cognito:username"), MatchType: idtypes.MappingRuleMatchTypeEquals,
					Value: aws.String(value), RoleARN: aws.String(arns["unauthenticated"])}}}}}
		}
		must(pools.SetIdentityPoolRoles(ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool, Roles: arns, RoleMappings: rule("bob")}))(t)
		refused("no rule matches", "The ambiguous role mapping rules for: "+provider+" denied this request.", logins)
		must(pools.SetIdentityPoolRoles(ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool, Roles: arns, RoleMappings: rule("ann")}))(t)
		typed[*idtypes.InvalidIdentityPoolConfigurationException](t, "a role that does not trust", "Invalid identity pool configuration. Check assigned IAM roles for this pool.")(
			public.GetCredentialsForIdentity(ctx, &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: ann, Logins: logins}))
		typed[*idtypes.InvalidParameterException](t, "the basic flow beside mappings", "Basic (classic) flow is not supported with RoleMappings, please use enhanced flow.")(
			public.GetOpenIdToken(ctx, &cognitoidentity.GetOpenIdTokenInput{IdentityId: ann, Logins: logins}))
		must(pools.SetIdentityPoolRoles(ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool, Roles: arns}))(t)

		// The developer's own users.
		developer := func(user string, id *string) *cognitoidentity.GetOpenIdTokenForDeveloperIdentityOutput {
			return must(pools.GetOpenIdTokenForDeveloperIdentity(ctx, &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: pool, IdentityId: id,
				Logins: map[string]string{"login.example": user}, TokenDuration: aws.Int64(600), PrincipalTags: map[string]string{"plan": "gold"}}))(t)
		}
		bob, carl := developer("bob", nil), developer("carl", nil)
		creds = must(public.GetCredentialsForIdentity(ctx, &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: bob.IdentityId, Logins: map[string]string{"cognito-identity.amazonaws.com": *bob.Token}}))(t)
		same(t, "bob's role", who(creds.Credentials), "arn:aws:sts::000000000000:assumed-role/app-authenticated/CognitoIdentityCredentials")
		refused("bob's token for ann", "Logins don't match. Please include at least one valid login for this identity or identity pool.", map[string]string{"cognito-identity.amazonaws.com": *bob.Token})
		typed[*idtypes.DeveloperUserAlreadyRegisteredException](t, "bob for carl's identity", "")(pools.GetOpenIdTokenForDeveloperIdentity(ctx,
			&cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: pool, IdentityId: carl.IdentityId, Logins: map[string]string{"login.example": "bob"}}))
		same(t, "the look-up", *must(pools.LookupDeveloperIdentity(ctx, &cognitoidentity.LookupDeveloperIdentityInput{IdentityPoolId: pool, DeveloperUserIdentifier: aws.String("bob")}))(t).IdentityId, *bob.IdentityId)
		merged := must(pools.MergeDeveloperIdentities(ctx, &cognitoidentity.MergeDeveloperIdentitiesInput{IdentityPoolId: pool, DeveloperProviderName: aws.String("login.example"),
			SourceUserIdentifier: aws.String("carl"), DestinationUserIdentifier: aws.String("bob")}))(t)
		same(t, "the merged identity", *merged.IdentityId, *bob.IdentityId)
		must(pools.UnlinkDeveloperIdentity(ctx, &cognitoidentity.UnlinkDeveloperIdentityInput{IdentityPoolId: pool, IdentityId: bob.IdentityId, DeveloperProviderName: aws.String("login.example"), DeveloperUserIdentifier: aws.String("carl")}))(t)

		// A user who is signed out is refused, for the pool asks; then the login is taken away.
		must(people.AdminUserGlobalSignOut(ctx, &cognito.AdminUserGlobalSignOutInput{UserPoolId: userPool, Username: aws.String("ann")}))(t)
		refused("signed out", "Invalid login token. Token has been revoked", logins)
		logins[provider] = *signIn().IdToken
		must(public.UnlinkIdentity(ctx, &cognitoidentity.UnlinkIdentityInput{IdentityId: ann, Logins: logins, LoginsToRemove: []string{provider}}))(t)
		if id := must(public.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool, Logins: logins}))(t).IdentityId; *id == *ann {
			t.Error("the login that was taken away leads back")
		}

		// Lists, changes, the end.
		var ids []string
		for pages := (*string)(nil); ; {
			page := must(pools.ListIdentities(ctx, &cognitoidentity.ListIdentitiesInput{IdentityPoolId: pool, MaxResults: aws.Int32(2), NextToken: pages}))(t)
			for _, i := range page.Identities {
				ids = append(ids, *i.IdentityId)
			}
			if pages = page.NextToken; pages == nil {
				break
			}
		}
		if len(ids) != 4 || !slices.Contains(ids, *ann) {
			t.Errorf("identities %v", ids)
		}
		if out := must(pools.DeleteIdentities(ctx, &cognitoidentity.DeleteIdentitiesInput{IdentityIdsToDelete: ids}))(t); len(out.UnprocessedIdentityIds) != 0 {
			t.Errorf("not deleted: %+v", out.UnprocessedIdentityIds)
		}
		typed[*idtypes.ResourceNotFoundException](t, "a deleted identity", "Identity '"+*ann+"' not found.")(pools.DescribeIdentity(ctx, &cognitoidentity.DescribeIdentityInput{IdentityId: ann}))
		resource := aws.String("arn:aws:cognito-identity:us-east-1:000000000000:identitypool/" + *pool)
		must(pools.TagResource(ctx, &cognitoidentity.TagResourceInput{ResourceArn: resource, Tags: map[string]string{"a": "b"}}))(t)
		must(pools.UntagResource(ctx, &cognitoidentity.UntagResourceInput{ResourceArn: resource, TagKeys: []string{"stage"}}))(t)
		updated := must(pools.UpdateIdentityPool(ctx, &cognitoidentity.UpdateIdentityPoolInput{IdentityPoolId: pool, IdentityPoolName: aws.String("renamed"), AllowUnauthenticatedIdentities: false}))(t)
		same(t, "the developer's provider", *updated.DeveloperProviderName, "login.example")
		typed[*idtypes.NotAuthorizedException](t, "guests", "Unauthenticated access is not supported for this identity pool.")(public.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool}))
		listed := must(pools.ListIdentityPools(ctx, &cognitoidentity.ListIdentityPoolsInput{MaxResults: aws.Int32(10)}))(t).IdentityPools
		if len(listed) != 1 || *listed[0].IdentityPoolName != "renamed" {
			t.Errorf("pools %+v", listed)
		}
		must(pools.DeleteIdentityPool(ctx, &cognitoidentity.DeleteIdentityPoolInput{IdentityPoolId: pool}))(t)
		typed[*idtypes.ResourceNotFoundException](t, "a deleted pool", "")(pools.DescribeIdentityPool(ctx, &cognitoidentity.DescribeIdentityPoolInput{IdentityPoolId: pool}))
	})
}

// changedSignature changes a letter in a token's signature.
func changedSignature(jwt string) string {
	i := len(jwt) - 100
	c := byte('A')
	if jwt[i] == c {
		c = 'B'
	}
	return jwt[:i] + string(c) + jwt[i+1:]
}

// TestIdentityIssuer: the keys of identity pools' tokens lie where their issuer says.
func TestIdentityIssuer(t *testing.T) {
	s := start(t)
	for path, want := range map[string]string{"openid-configuration": `"jwks_uri":"https://cognito-identity.amazonaws.com/.well-known/jwks_uri"`, "jwks_uri": `"kty":"RSA"`} {
		req := must(http.NewRequestWithContext(t.Context(), "GET", s.URL+"/.well-known/"+path, nil))(t)
		req.Host = "cognito-identity.amazonaws.com"
		res := must(http.DefaultClient.Do(req))(t)
		body := string(must(io.ReadAll(res.Body))(t))
		res.Body.Close()
		if res.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
}

// TestJavaScriptIdentity is the way from a sign-in to credentials through the SDK for JavaScript.
func TestJavaScriptIdentity(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		roles, arns := iam.NewFromConfig(s.config(t)), map[string]string{}
		for _, amr := range []string{"authenticated", "unauthenticated"} {
			trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},
				"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":%q}}}]}`, amr)
			arns[amr] = *must(roles.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("js-" + amr), AssumeRolePolicyDocument: &trust}))(t).Role.Arn
		}
		s.node(t, "identity.mjs", map[string]any{"roles": arns})
	})
}

package access

import "strings"

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncognitouserpools.html
var cognitoIDP = &table{
	prefix: "cognito-idp",
	types:  map[string]string{"pool": "arn:{partition}:cognito-idp:{region}:{account}:userpool/{UserPoolId}", "tagged": "arn:{partition}:cognito-idp:{region}:{account}:userpool/{ResourceArn:last}"},
	rules: `
*: CreateUserPool ListUserPools DescribeUserPoolDomain GetProvisionedLimit UpdateProvisionedLimit GetClientToken
tagged: TagResource UntagResource ListTagsForResource
pool: AddCustomAttributes AddUserPoolClientSecret AdminAddUserToGroup AdminConfirmSignUp AdminCreateUser AdminDeleteSoftwareToken AdminDeleteUser
pool: AdminDeleteUserAttributes AdminDisableProviderForUser AdminDisableUser AdminEnableUser AdminForgetDevice AdminGetDevice AdminGetUser
pool: AdminGetUserAuthFactors AdminInitiateAuth AdminLinkProviderForUser AdminListDevices AdminListGroupsForUser AdminListUserAuthEvents
pool: AdminListUserSessions AdminRemoveUserFromGroup AdminResetUserPassword AdminRespondToAuthChallenge AdminRevokeUserSession
pool: AdminSetUserMFAPreference AdminSetUserPassword AdminSetUserSettings AdminUpdateAuthEventFeedback AdminUpdateDeviceStatus
pool: AdminUpdateUserAttributes AdminUserGlobalSignOut CreateGroup CreateIdentityProvider CreateManagedLoginBranding CreateResourceServer
pool: CreateTerms CreateUserImportJob CreateUserPoolClient CreateUserPoolDomain CreateUserPoolReplica DeleteGroup DeleteIdentityProvider
pool: DeleteManagedLoginBranding DeleteResourceServer DeleteTerms DeleteUserPool DeleteUserPoolClient DeleteUserPoolClientSecret
pool: DeleteUserPoolDomain DeleteUserPoolReplica DescribeIdentityProvider DescribeManagedLoginBranding DescribeManagedLoginBrandingByClient
pool: DescribeResourceServer DescribeRiskConfiguration DescribeTerms DescribeTermsByClient DescribeUserImportJob DescribeUserPool
pool: DescribeUserPoolClient GetCSVHeader GetGroup GetIdentityProviderByIdentifier GetLogDeliveryConfiguration GetSigningCertificate
pool: GetUICustomization GetUserPoolClientSessionConfiguration GetUserPoolMfaConfig GetUserPoolSessionConfiguration ListGroups
pool: ListIdentityProviders ListResourceServers ListTerms ListUserImportJobs ListUserPoolClientSecrets ListUserPoolClients
pool: ListUserPoolReplicas ListUsers ListUsersInGroup SetLogDeliveryConfiguration SetRiskConfiguration SetUICustomization
pool: SetUserPoolClientSessionConfiguration SetUserPoolMfaConfig SetUserPoolSessionConfiguration StartUserImportJob StopUserImportJob
pool: UpdateGroup UpdateIdentityProvider UpdateManagedLoginBranding UpdateResourceServer UpdateTerms UpdateUserPool UpdateUserPoolClient
pool: UpdateUserPoolDomain UpdateUserPoolReplica

none: AssociateSoftwareToken ChangePassword CompleteWebAuthnRegistration ConfirmDevice ConfirmForgotPassword ConfirmSignUp DeleteUser
none: DeleteUserAttributes DeleteWebAuthnCredential ForgetDevice ForgotPassword GetDevice GetTokensFromRefreshToken GetUser
none: GetUserAttributeVerificationCode GetUserAuthFactors GlobalSignOut InitiateAuth ListDevices ListUserSessions ListWebAuthnCredentials
none: ResendConfirmationCode RespondToAuthChallenge RevokeToken RevokeUserSession SetUserMFAPreference SetUserSettings SignUp
none: StartWebAuthnRegistration UpdateAuthEventFeedback UpdateDeviceStatus UpdateUserAttributes VerifySoftwareToken VerifyUserAttribute

pass cognito-idp.amazonaws.com SmsConfiguration.SnsCallerArn: CreateUserPool UpdateUserPool
pass cognito-idp.amazonaws.com SmsMfaConfiguration.SmsConfiguration.SnsCallerArn: SetUserPoolMfaConfig
pass cognito-idp.amazonaws.com AnalyticsConfiguration.RoleArn: CreateUserPoolClient UpdateUserPoolClient
pass cognito-idp.amazonaws.com CloudWatchLogsRoleArn: CreateUserImportJob
pass cognito-idp.amazonaws.com RoleArn: CreateGroup UpdateGroup
`,
	transforms: common,
}

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncognitoidentity.html
var cognitoIdentity = &table{
	prefix: "cognito-identity",
	types:  map[string]string{"pool": "arn:{partition}:cognito-identity:{region}:{account}:identitypool/{IdentityPoolId}", "tagged": "arn:{partition}:cognito-identity:{region}:{account}:identitypool/{ResourceArn:last}"},
	rules: `
*: DeleteIdentities DescribeIdentity
arn:{partition}:cognito-identity:{region}:{account}:identitypool/: CreateIdentityPool ListIdentityPools
tagged: TagResource UntagResource ListTagsForResource
pool: DeleteIdentityPool DescribeIdentityPool GetIdentityPoolRoles GetOpenIdTokenForDeveloperIdentity GetPrincipalTagAttributeMap
pool: ListIdentities LookupDeveloperIdentity MergeDeveloperIdentities SetIdentityPoolRoles SetPrincipalTagAttributeMap
pool: UnlinkDeveloperIdentity UpdateIdentityPool
none: GetCredentialsForIdentity GetId GetOpenIdToken UnlinkIdentity

pass cognito-identity.amazonaws.com Roles{}: SetIdentityPoolRoles
pass cognito-identity.amazonaws.com RoleMappings{}.RulesConfiguration.Rules[].RoleARN: SetIdentityPoolRoles
`,
	transforms: common,
}

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
//
// What assumes a role needs the role's trust policy, and is decided where that is at hand. An explicit
// Deny does not reach GetCallerIdentity and GetSessionToken.
var stsTable = &table{
	prefix: "sts",
	rules: `
none: GetCallerIdentity GetSessionToken
elsewhere: AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity
*: DecodeAuthorizationMessage GetAccessKeyInfo GetWebIdentityToken GetDelegatedAccessToken
arn:{partition}:sts::{account}:federated-user/{Name}: GetFederationToken
{TargetPrincipal:root}: AssumeRoot
key sts:TaskPolicyArn TaskPolicyArn.Arn: AssumeRoot
key sts:IdentityTokenAudience Audience[]: GetWebIdentityToken
key sts:SigningAlgorithm SigningAlgorithm: GetWebIdentityToken
`,
	transforms: map[string]transform{
		"root": func(a *asking, v string) string { // an account's number, or its root's ARN
			if strings.HasPrefix(v, "arn:") {
				return v
			}
			return "arn:" + a.call.Partition + ":iam::" + v + ":root"
		},
	},
}

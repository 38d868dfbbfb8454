package access

import "strings"

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
var iamTable = &table{
	prefix: "iam",
	types: map[string]string{
		"user":       "{UserName:user}",
		"role":       "{RoleName:role}",
		"group":      "{GroupName:group}",
		"profile":    "{InstanceProfileName:profile}",
		"policy":     "{PolicyArn}",
		"oidc":       "{OpenIDConnectProviderArn:provider}",
		"saml":       "{SAMLProviderArn}",
		"mfa":        "{SerialNumber}",
		"cert":       "arn:{partition}:iam::{account}:server-certificate/{ServerCertificateName}",
		"newuser":    "arn:{partition}:iam::{account}:user{Path:path}{UserName}",
		"newrole":    "arn:{partition}:iam::{account}:role{Path:path}{RoleName}",
		"newgroup":   "arn:{partition}:iam::{account}:group{Path:path}{GroupName}",
		"newprofile": "arn:{partition}:iam::{account}:instance-profile{Path:path}{InstanceProfileName}",
		"newpolicy":  "arn:{partition}:iam::{account}:policy{Path:path}{PolicyName}",
	},
	rules: `
*: AcceptDelegationRequest AcquireRole AssociateDelegationRequest CreateAccountAlias CreateDelegationRequest DeleteAccountAlias
*: DeleteAccountPasswordPolicy DisableOrganizationsRootCredentialsManagement DisableOrganizationsRootSessions
*: DisableOutboundWebIdentityFederation EnableOrganizationsRootCredentialsManagement EnableOrganizationsRootSessions
*: EnableOutboundWebIdentityFederation GenerateCredentialReport GenerateOrganizationsAccessReport GetAccountAuthorizationDetails
*: GetAccountPasswordPolicy GetAccountProperties GetAccountSummary GetContextKeysForCustomPolicy GetCredentialReport
*: GetDelegationRequest GetOrganizationsAccessReport GetOutboundWebIdentityFederationInfo GetRoleTemplateVersion
*: GetServiceLastAccessedDetails GetServiceLastAccessedDetailsWithEntities ListAccountAliases ListDelegationRequests
*: ListOpenIDConnectProviders ListOrganizationsFeatures ListSAMLProviders PutAccountProperties RejectDelegationRequest
*: SendDelegationToken SetSecurityTokenServicePreferences SimulateCustomPolicy UpdateAccountPasswordPolicy UpdateDelegationRequest

newuser: CreateUser
newuser if Tags: CreateUser=TagUser
{:user}: ChangePassword
user: AttachUserPolicy CreateAccessKey CreateLoginProfile CreateServiceSpecificCredential DeactivateMFADevice DeleteAccessKey
user: DeleteLoginProfile DeleteSSHPublicKey DeleteServiceSpecificCredential DeleteSigningCertificate DeleteUser
user: DeleteUserPermissionsBoundary DeleteUserPolicy DetachUserPolicy EnableMFADevice GetLoginProfile GetMFADevice GetSSHPublicKey GetUser
user: GetUserPolicy ListAccessKeys ListAttachedUserPolicies ListGroupsForUser ListMFADevices ListSSHPublicKeys
user: ListServiceSpecificCredentials ListSigningCertificates ListUserPolicies ListUserTags PutUserPermissionsBoundary PutUserPolicy
user: ResetServiceSpecificCredential ResyncMFADevice TagUser UntagUser UpdateAccessKey UpdateLoginProfile UpdateSSHPublicKey
user: UpdateServiceSpecificCredential UpdateSigningCertificate UpdateUser UploadSSHPublicKey UploadSigningCertificate
arn:{partition}:iam::{account}:user/*: GetAccessKeyLastUsed
arn:{partition}:iam::{account}:user{PathPrefix:path}: ListUsers

{UserName:renameduser} if NewUserName: UpdateUser
{UserName:renameduser} if NewPath unless NewUserName: UpdateUser
{GroupName:renamedgroup} if NewGroupName: UpdateGroup
{GroupName:renamedgroup} if NewPath unless NewGroupName: UpdateGroup

newrole: CreateRole
newrole if Tags: CreateRole=TagRole
role: AttachRolePolicy DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy DeleteServiceLinkedRole DetachRolePolicy GetRole
role: GetRolePolicy ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies ListRoleTags PutRolePermissionsBoundary
role: PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription
arn:{partition}:iam::{account}:role{PathPrefix:path}: ListRoles
arn:{partition}:iam::{account}:role/aws-service-role/{AWSServiceName}/*: CreateServiceLinkedRole
arn:{partition}:iam::{account}:role/*: GetServiceLinkedRoleDeletionStatus

newgroup: CreateGroup
group: AddUserToGroup AttachGroupPolicy DeleteGroup DeleteGroupPolicy DetachGroupPolicy GetGroup GetGroupPolicy ListAttachedGroupPolicies
group: ListGroupPolicies PutGroupPolicy RemoveUserFromGroup UpdateGroup
arn:{partition}:iam::{account}:group{PathPrefix:path}: ListGroups

newpolicy: CreatePolicy
newpolicy if Tags: CreatePolicy=TagPolicy
policy: CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion ListEntitiesForPolicy ListPolicyTags ListPolicyVersions
policy: SetDefaultPolicyVersion TagPolicy UntagPolicy
arn:{partition}:iam::{account}:policy{PathPrefix:path}: ListPolicies

newprofile: CreateInstanceProfile
newprofile if Tags: CreateInstanceProfile=TagInstanceProfile
profile: AddRoleToInstanceProfile DeleteInstanceProfile GetInstanceProfile ListInstanceProfileTags RemoveRoleFromInstanceProfile
profile: TagInstanceProfile UntagInstanceProfile
role: AddRoleToInstanceProfile=PassRole
arn:{partition}:iam::{account}:instance-profile{PathPrefix:path}: ListInstanceProfiles

{Url:provider}: CreateOpenIDConnectProvider
{Url:provider} if Tags: CreateOpenIDConnectProvider=TagOpenIDConnectProvider
oidc: AddClientIDToOpenIDConnectProvider DeleteOpenIDConnectProvider GetOpenIDConnectProvider ListOpenIDConnectProviderTags
oidc: RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider UntagOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint
arn:{partition}:iam::{account}:saml-provider/{Name}: CreateSAMLProvider
arn:{partition}:iam::{account}:saml-provider/{Name} if Tags: CreateSAMLProvider=TagSAMLProvider
saml: DeleteSAMLProvider GetSAMLProvider ListSAMLProviderTags TagSAMLProvider UntagSAMLProvider UpdateSAMLProvider

arn:{partition}:iam::{account}:mfa{Path:path}{VirtualMFADeviceName}: CreateVirtualMFADevice
arn:{partition}:iam::{account}:mfa/*: ListVirtualMFADevices
mfa: DeleteVirtualMFADevice ListMFADeviceTags TagMFADevice UntagMFADevice

arn:{partition}:iam::{account}:server-certificate{Path:path}{ServerCertificateName}: UploadServerCertificate
arn:{partition}:iam::{account}:server-certificate{PathPrefix:path}: ListServerCertificates
cert: DeleteServerCertificate GetServerCertificate ListServerCertificateTags TagServerCertificate UntagServerCertificate UpdateServerCertificate

{PolicySourceArn}: GetContextKeysForPrincipalPolicy SimulatePrincipalPolicy
{Arn}: GenerateServiceLastAccessedDetails ListPoliciesGrantingServiceAccess
{EntityArn}: GetHumanReadableSummary


key iam:PolicyARN PolicyArn: AttachGroupPolicy AttachRolePolicy AttachUserPolicy DetachGroupPolicy DetachRolePolicy DetachUserPolicy
key iam:AWSServiceName AWSServiceName: CreateServiceLinkedRole
key iam:PermissionsBoundary PermissionsBoundary: CreateRole CreateUser PutRolePermissionsBoundary PutUserPermissionsBoundary
key iam:PermissionsBoundary RoleName:roleboundary: AttachRolePolicy DeleteRolePermissionsBoundary DeleteRolePolicy DetachRolePolicy PutRolePolicy
key iam:PermissionsBoundary UserName:userboundary: AttachUserPolicy DeleteUserPermissionsBoundary DeleteUserPolicy DetachUserPolicy PutUserPolicy
`,
	transforms: map[string]transform{
		"role":         func(a *asking, v string) string { return a.iam("role", v) },
		"renameduser":  func(a *asking, v string) string { return a.renamed(a.iam("user", v), "user", "NewUserName") },
		"renamedgroup": func(a *asking, v string) string { return a.renamed(a.iam("group", v), "group", "NewGroupName") },
		"group":        func(a *asking, v string) string { return a.iam("group", v) },
		"profile":      func(a *asking, v string) string { return a.iam("instance-profile", v) },
		"roleboundary": func(a *asking, v string) string { _, b := a.entity("role", v); return b },
		"userboundary": func(a *asking, v string) string { _, b := a.entity("user", v); return b },
		"user": func(a *asking, v string) string {
			if v == "" { // the caller itself
				return a.call.Principal
			}
			return a.iam("user", v)
		},
		"path": func(_ *asking, v string) string {
			if v == "" {
				return "/"
			}
			return v
		},
		"provider": func(a *asking, v string) string { // an OIDC provider's ARN has its URL without the scheme
			if strings.HasPrefix(v, "arn:") {
				return v
			}
			v = strings.TrimPrefix(v, "https://")
			return "arn:" + a.call.Partition + ":iam::" + a.call.Account + ":oidc-provider/" + strings.TrimSuffix(v, "/")
		},
	},
}

// iam returns the ARN of an entity that is called by its name.
func (a *asking) iam(kind, name string) string {
	if arn, _ := a.entity(kind, name); arn != "" {
		return arn
	}
	if name == "" {
		name = "*"
	}
	return "arn:" + a.call.Partition + ":iam::" + a.call.Account + ":" + kind + "/" + name
}

// renamed returns the ARN that an entity will have: whoever renames one needs the permission for both.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html
func (a *asking) renamed(arn, kind, newName string) string {
	head, rest, ok := strings.Cut(arn, ":"+kind+"/")
	if !ok {
		return arn
	}
	i := strings.LastIndexByte(rest, '/') + 1
	path, name := "/"+rest[:i], rest[i:]
	if given := walk(a.in.FieldByName("NewPath"), nil, nil); len(given) > 0 {
		path = given[0]
	}
	if given := walk(a.in.FieldByName(newName), nil, nil); len(given) > 0 {
		name = given[0]
	}
	return head + ":" + kind + path + name
}

package iam

import (
	"encoding/base32"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/saml/samltest"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

func TestPasswords(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		id, secret := makeUser(t, s, ctx, "Ann")
		ann := callerOf(t, s, ctx, id, secret, "")
		asAnn := wire.WithCall(ctx, &wire.Call{Account: s.Account, Principal: ann.ARN, Caller: ann})
		create := func(password string) error {
			return second(s.CreateLoginProfile(ctx, &iam.CreateLoginProfileRequest{UserName: shape.Ptr("Ann"), Password: &password}))
		}
		for _, weak := range []string{"short1!", "lowercaseonly", "ann"} {
			if err := create(weak); code(err) != "PasswordPolicyViolation" {
				t.Errorf("%s: %v", weak, err)
			}
		}
		ok[*iam.UpdateAccountPasswordPolicyResponse](t)(s.UpdateAccountPasswordPolicy(ctx, &iam.UpdateAccountPasswordPolicyRequest{MinimumPasswordLength: shape.Ptr(int64(10)), RequireSymbols: shape.Ptr(true), PasswordReusePrevention: shape.Ptr(int64(2))}))
		if err := create("Long3nough"); code(err) != "PasswordPolicyViolation" {
			t.Errorf("no symbol: %v", err)
		}
		if err := create("Long-enough1"); err != nil {
			t.Fatal(err)
		}
		if err := create("Long-enough2"); code(err) != "EntityAlreadyExists" {
			t.Errorf("twice: %v", err)
		}
		change := func(old, new string) error {
			return second(s.ChangePassword(asAnn, &iam.ChangePasswordRequest{OldPassword: old, NewPassword: new}))
		}
		if err := change("wrong-wrong1", "Long-enough2"); code(err) != "AccessDenied" {
			t.Errorf("a wrong password: %v", err)
		}
		if err := change("Long-enough1", "Long-enough1"); code(err) != "PasswordPolicyViolation" {
			t.Errorf("the same password: %v", err)
		}
		if err := change("Long-enough1", "Long-enough2"); err != nil {
			t.Error(err)
		}
		if err := second(s.ChangePassword(ctx, &iam.ChangePasswordRequest{OldPassword: "Long-enough2", NewPassword: "Long-enough3"})); code(err) != "ValidationError" {
			t.Errorf("the root's: %v", err)
		}
		wants[*iam.DeleteUserResponse](t, "DeleteConflict")(s.DeleteUser(ctx, &iam.DeleteUserRequest{UserName: "Ann"}))
		ok[*iam.DeleteLoginProfileResponse](t)(s.DeleteLoginProfile(ctx, &iam.DeleteLoginProfileRequest{UserName: shape.Ptr("ann")}))
		ok[*iam.DeleteAccountPasswordPolicyResponse](t)(s.DeleteAccountPasswordPolicy(ctx, &iam.DeleteAccountPasswordPolicyRequest{}))
		wants[*iam.GetAccountPasswordPolicyResponse](t, "NoSuchEntity")(s.GetAccountPasswordPolicy(ctx, &iam.GetAccountPasswordPolicyRequest{}))
	})
}

func TestMFA(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		now := time.Unix(1_800_000_000, 0)
		s.Now = func() time.Time { return now }
		makeUser(t, s, ctx, "Ann")
		makeUser(t, s, ctx, "root") // no relation of the account's root
		ann := ok[*User](t)(s.getUser(ctx, "Ann"))
		who := &Caller{Principal: ann.principal(s.Account), owner: "ann"}
		made := ok[*iam.CreateVirtualMFADeviceResponse](t)(s.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceRequest{VirtualMFADeviceName: "phone"})).VirtualMFADevice
		seed := ok[[]byte](t)(base32.StdEncoding.DecodeString(string(made.Base32StringSeed)))
		at := func(steps int64) string { return totp(seed, now.Unix()/totpPeriod+steps) }
		enable := func(user, one, two string) error {
			return second(s.EnableMFADevice(ctx, &iam.EnableMFADeviceRequest{UserName: user, SerialNumber: made.SerialNumber, AuthenticationCode1: one, AuthenticationCode2: two}))
		}
		for name, err := range map[string]error{"wrong codes": enable("Ann", "000000", "000000"), "the same code": enable("Ann", at(-1), at(-1)), "the wrong order": enable("Ann", at(0), at(-1)), "not one after the other": enable("Ann", at(-2), at(0))} {
			if code(err) != "InvalidAuthenticationCode" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := s.VerifyMFA(ctx, who, made.SerialNumber, at(0)); code(err) != "AccessDenied" {
			t.Errorf("not enabled: %v", err)
		}
		if err := enable("Ann", at(-1), at(0)); err != nil {
			t.Fatal(err)
		}
		if err := enable("root", at(-1), at(0)); code(err) != "EntityAlreadyExists" {
			t.Errorf("in use: %v", err)
		}
		if err := s.VerifyMFA(ctx, who, made.SerialNumber, at(0)); code(err) != "AccessDenied" {
			t.Errorf("a code of the enrolment: %v", err)
		}
		now = now.Add(time.Minute)
		if err := s.VerifyMFA(ctx, &Caller{Principal: s.root.Principal}, made.SerialNumber, at(0)); code(err) != "AccessDenied" {
			t.Errorf("another's device: %v", err)
		}
		if err := s.VerifyMFA(ctx, who, made.SerialNumber, at(0)); err != nil {
			t.Error(err)
		}
		if err := s.VerifyMFA(ctx, who, made.SerialNumber, at(0)); code(err) != "AccessDenied" {
			t.Errorf("a code twice: %v", err)
		}
		wants[*iam.DeleteVirtualMFADeviceResponse](t, "DeleteConflict")(s.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceRequest{SerialNumber: made.SerialNumber}))
		wants[*iam.DeleteUserResponse](t, "DeleteConflict")(s.DeleteUser(ctx, &iam.DeleteUserRequest{UserName: "Ann"}))
		wants[*iam.DeactivateMFADeviceResponse](t, "NoSuchEntity")(s.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceRequest{SerialNumber: made.SerialNumber, UserName: shape.Ptr("root")}))
		ok[*iam.DeactivateMFADeviceResponse](t)(s.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceRequest{SerialNumber: made.SerialNumber, UserName: shape.Ptr("Ann")}))
		ok[*iam.DeleteVirtualMFADeviceResponse](t)(s.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceRequest{SerialNumber: made.SerialNumber}))
	})
}

// TestTOTP holds the codes against RFC 6238, appendix B: the last six of eight digits.
func TestTOTP(t *testing.T) {
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := totp([]byte("12345678901234567890"), at/totpPeriod); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

func TestProviders(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		create := func(url string) (*iam.CreateOpenIDConnectProviderResponse, error) {
			return s.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderRequest{Url: url, ClientIDList: []string{"a", "b", "a"}, ThumbprintList: []string{strings.Repeat("0f", 20)}})
		}
		for _, bad := range []string{"http://a.example", "a.example", "https://", "https://a.example?x=1", "https://u@a.example", "https://a.example#x"} {
			if _, err := create(bad); code(err) != "InvalidInput" {
				t.Errorf("%s: %v", bad, err)
			}
		}
		made := *ok[*iam.CreateOpenIDConnectProviderResponse](t)(create("https://token.example/x")).OpenIDConnectProviderArn
		if slash := *ok[*iam.CreateOpenIDConnectProviderResponse](t)(create("https://token.example/x/")).OpenIDConnectProviderArn; slash != made+"/" {
			t.Errorf("with a slash: %s", slash)
		}
		if _, err := create("https://token.example/x"); code(err) != "EntityAlreadyExists" {
			t.Errorf("twice: %v", err)
		}
		for _, name := range []string{made, "token.example/x", "https://token.example/x"} {
			if p, err := s.OIDCProvider(ctx, name); err != nil || p.URL != "token.example/x" || strings.Join(p.ClientIDs, "") != "ab" {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
		}
		ok[*iam.AddClientIDToOpenIDConnectProviderResponse](t)(s.AddClientIDToOpenIDConnectProvider(ctx, &iam.AddClientIDToOpenIDConnectProviderRequest{OpenIDConnectProviderArn: made, ClientID: "c"}))
		ok[*iam.RemoveClientIDFromOpenIDConnectProviderResponse](t)(s.RemoveClientIDFromOpenIDConnectProvider(ctx, &iam.RemoveClientIDFromOpenIDConnectProviderRequest{OpenIDConnectProviderArn: made, ClientID: "a"}))
		wants[*iam.UpdateOpenIDConnectProviderThumbprintResponse](t, "InvalidInput")(s.UpdateOpenIDConnectProviderThumbprint(ctx, &iam.UpdateOpenIDConnectProviderThumbprintRequest{OpenIDConnectProviderArn: made, ThumbprintList: []string{"xyz"}}))
		if p, err := s.OIDCProvider(ctx, made); err != nil || strings.Join(p.ClientIDs, "") != "bc" {
			t.Errorf("%+v, %v", p, err)
		}
		for range 2 {
			ok[*iam.DeleteOpenIDConnectProviderResponse](t)(s.DeleteOpenIDConnectProvider(ctx, &iam.DeleteOpenIDConnectProviderRequest{OpenIDConnectProviderArn: made}))
		}

		idp := samltest.New(t, "https://idp.example")
		wants[*iam.CreateSAMLProviderResponse](t, "InvalidInput")(s.CreateSAMLProvider(ctx, &iam.CreateSAMLProviderRequest{Name: "idp", SAMLMetadataDocument: "<EntityDescriptor/>"}))
		arn := *ok[*iam.CreateSAMLProviderResponse](t)(s.CreateSAMLProvider(ctx, &iam.CreateSAMLProviderRequest{Name: "idp", SAMLMetadataDocument: string(idp.Metadata())})).SAMLProviderArn
		p := ok[*SAMLProvider](t)(s.SAMLProvider(ctx, arn))
		if v, err := p.Provider(); err != nil || v.EntityID != "https://idp.example" {
			t.Errorf("%+v, %v", v, err)
		}
		wants[*iam.CreateSAMLProviderResponse](t, "EntityAlreadyExists")(s.CreateSAMLProvider(ctx, &iam.CreateSAMLProviderRequest{Name: "idp", SAMLMetadataDocument: string(idp.Metadata())}))
		wants[*iam.UpdateSAMLProviderResponse](t, "InvalidInput")(s.UpdateSAMLProvider(ctx, &iam.UpdateSAMLProviderRequest{SAMLProviderArn: arn, AssertionEncryptionMode: shape.Ptr("Required")}))
		ok[*iam.DeleteSAMLProviderResponse](t)(s.DeleteSAMLProvider(ctx, &iam.DeleteSAMLProviderRequest{SAMLProviderArn: arn}))
		wants[*iam.DeleteSAMLProviderResponse](t, "NoSuchEntity")(s.DeleteSAMLProvider(ctx, &iam.DeleteSAMLProviderRequest{SAMLProviderArn: arn}))
	})
}

func TestOverview(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db, false)
		makeUser(t, s, ctx, "Ann")
		makeRole(t, s, ctx, "Worker")
		ok[*iam.AttachRolePolicyResponse](t)(s.AttachRolePolicy(ctx, &iam.AttachRolePolicyRequest{RoleName: "Worker", PolicyArn: administrator}))
		ok[*iam.CreateInstanceProfileResponse](t)(s.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileRequest{InstanceProfileName: "Box"}))
		ok[*iam.AddRoleToInstanceProfileResponse](t)(s.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileRequest{InstanceProfileName: "box", RoleName: "worker"}))
		wants[*iam.AddRoleToInstanceProfileResponse](t, "LimitExceeded")(s.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileRequest{InstanceProfileName: "box", RoleName: "worker"}))
		ok[*iam.CreateAccountAliasResponse](t)(s.CreateAccountAlias(ctx, &iam.CreateAccountAliasRequest{AccountAlias: "home"}))
		sum := ok[*iam.GetAccountSummaryResponse](t)(s.GetAccountSummary(ctx, &iam.GetAccountSummaryRequest{})).SummaryMap
		for name, want := range map[string]int64{"Users": 1, "Roles": 1, "Groups": 0, "Policies": 0, "InstanceProfiles": 1, "PolicyVersionsInUse": 1, "AccountMFAEnabled": 0, "UsersQuota": maxUsers} {
			if sum[name] != want {
				t.Errorf("%s: %d, want %d", name, sum[name], want)
			}
		}
		d := ok[*iam.GetAccountAuthorizationDetailsResponse](t)(s.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsRequest{}))
		if len(d.UserDetailList) != 1 || len(d.RoleDetailList) != 1 || len(d.Policies) != 1 || len(d.RoleDetailList[0].InstanceProfileList) != 1 || *d.IsTruncated {
			t.Errorf("%+v", d)
		}
		of := ok[*iam.ListInstanceProfilesForRoleResponse](t)(s.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleRequest{RoleName: "Worker"}))
		if len(of.InstanceProfiles) != 1 {
			t.Errorf("%+v", of)
		}
		ok[*iam.DetachRolePolicyResponse](t)(s.DetachRolePolicy(ctx, &iam.DetachRolePolicyRequest{RoleName: "Worker", PolicyArn: administrator}))
		wants[*iam.DeleteRoleResponse](t, "DeleteConflict")(s.DeleteRole(ctx, &iam.DeleteRoleRequest{RoleName: "Worker"}))
		wants[*iam.DeleteInstanceProfileResponse](t, "DeleteConflict")(s.DeleteInstanceProfile(ctx, &iam.DeleteInstanceProfileRequest{InstanceProfileName: "Box"}))
		report := ok[*iam.GetCredentialReportResponse](t)(s.GetCredentialReport(ctx, &iam.GetCredentialReportRequest{}))
		lines := strings.Split(strings.TrimSpace(string(report.Content)), "\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[1], "<root_account>,arn:aws:iam::123456789012:root,") || !strings.HasPrefix(lines[2], "Ann,") {
			t.Errorf("%s", report.Content)
		}
		for _, line := range lines {
			if strings.Count(line, ",") != 21 {
				t.Errorf("%s", line)
			}
		}
		root := ok[*iam.GetUserResponse](t)(s.GetUser(ctx, &iam.GetUserRequest{}))
		if root.User.Arn != s.root.ARN {
			t.Errorf("%+v", root.User)
		}
		id, _, err := s.RootKey(ctx)
		if err != nil {
			t.Fatal(err)
		}
		wants[*iam.DeleteAccessKeyResponse](t, "UnmodifiableEntity")(s.DeleteAccessKey(ctx, &iam.DeleteAccessKeyRequest{AccessKeyId: id}))
		for name, err := range map[string]error{
			"SSH keys":             second(s.ListSSHPublicKeys(ctx, &iam.ListSSHPublicKeysRequest{UserName: shape.Ptr("Ann")})),
			"signing certificates": second(s.ListSigningCertificates(ctx, &iam.ListSigningCertificatesRequest{UserName: shape.Ptr("Ann")})),
			"credentials":          second(s.ListServiceSpecificCredentials(ctx, &iam.ListServiceSpecificCredentialsRequest{UserName: shape.Ptr("Ann")})),
		} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		wants[*iam.ListSSHPublicKeysResponse](t, "NoSuchEntity")(s.ListSSHPublicKeys(ctx, &iam.ListSSHPublicKeysRequest{UserName: shape.Ptr("nobody")}))
		session := wire.WithCall(ctx, &wire.Call{Account: s.Account, Caller: &Caller{Principal: policy.Principal{Type: policy.RoleSession}}})
		wants[*iam.GetUserResponse](t, "ValidationError")(s.GetUser(session, &iam.GetUserRequest{}))
	})
}

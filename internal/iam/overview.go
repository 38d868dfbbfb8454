package iam

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// GetAccountSummary counts, and tells the quotas.
func (s *Service) GetAccountSummary(ctx context.Context, _ *iam.GetAccountSummaryRequest) (*iam.GetAccountSummaryResponse, error) {
	out := map[string]int64{
		"UsersQuota": maxUsers, "GroupsQuota": maxGroups, "RolesQuota": maxRoles, "PoliciesQuota": maxPolicies, "InstanceProfilesQuota": maxInstanceProfiles,
		"UserPolicySizeQuota": maxUserInline, "GroupPolicySizeQuota": maxGroupInline, "RolePolicySizeQuota": maxRoleInline, "PolicySizeQuota": maxManagedPolicy,
		"AssumeRolePolicySizeQuota": maxTrustPolicy, "AttachedPoliciesPerUserQuota": maxUserAttached, "AttachedPoliciesPerGroupQuota": maxGroupAttached,
		"AttachedPoliciesPerRoleQuota": maxRoleAttached, "GroupsPerUserQuota": maxGroupsOfUser, "AccessKeysPerUserQuota": maxKeysOfUser, "VersionsPerPolicyQuota": maxVersions,
		"PolicyVersionsInUseQuota": maxPolicies * maxVersions, "SigningCertificatesPerUserQuota": 2, "ServerCertificatesQuota": 20, "ServerCertificates": 0,
		"AccountSigningCertificatesPresent": 0, "AccountPasswordPresent": 0, "AccountAccessKeysPresent": 0, "AccountMFAEnabled": 0, "GlobalEndpointTokenVersion": 2,
	}
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		count := func(name, query string, args ...any) error {
			var n int64
			err := tx.QueryRow(query, args...).Scan(&n)
			out[name] = n
			return err
		}
		const ofKind = "SELECT count(*) FROM documents WHERE kind = $1"
		const ofParent = ofKind + " AND parent = $2"
		err := errors.Join(
			count("Users", ofKind, users.Name), count("Groups", ofKind, groups.Name), count("Roles", ofKind, roles.Name), count("Policies", ofKind, managedPolicies.Name),
			count("InstanceProfiles", ofKind, instanceProfiles.Name), count("Providers", "SELECT count(*) FROM documents WHERE kind IN ($1, $2)", oidcProviders.Name, samlProviders.Name),
			count("MFADevices", ofKind, mfaDevices.Name), count("MFADevicesInUse", ofKind+" AND parent <> $2", mfaDevices.Name, devicesOf("")),
			count("AccountMFAEnabled", ofParent, mfaDevices.Name, devicesOf(rootOwner)), count("AccountAccessKeysPresent", ofParent, accessKeys.Name, s.Account),
			count("PolicyVersionsInUse", "SELECT count(DISTINCT parent) FROM documents WHERE kind = $1 AND parent >= $2 AND parent < $3", links.Name, attachedTo, store.PrefixEnd(attachedTo)),
		)
		for _, flag := range []string{"AccountMFAEnabled", "AccountAccessKeysPresent"} {
			out[flag] = min(out[flag], 1)
		}
		return err
	})
	return &iam.GetAccountSummaryResponse{SummaryMap: out}, err
}

func policyDetails(inline map[string]string) []iam.PolicyDetail {
	out := make([]iam.PolicyDetail, 0, len(inline))
	for _, name := range slices.Sorted(maps.Keys(inline)) {
		out = append(out, iam.PolicyDetail{PolicyName: shape.Ptr(name), PolicyDocument: shape.Ptr(encodeDocument(inline[name]))})
	}
	return out
}

// GetAccountAuthorizationDetails shows all users, groups, roles and policies, in this order. A marker says
// in which of them a page ends.
func (s *Service) GetAccountAuthorizationDetails(ctx context.Context, in *iam.GetAccountAuthorizationDetailsRequest) (*iam.GetAccountAuthorizationDetailsResponse, error) {
	w, err := windowOf(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &iam.GetAccountAuthorizationDetailsResponse{UserDetailList: []iam.UserDetail{}, GroupDetailList: []iam.GroupDetail{}, RoleDetailList: []iam.RoleDetail{}, Policies: []iam.ManagedPolicyDetail{}}
	wants := func(kind string) bool { return len(in.Filter) == 0 || slices.Contains(in.Filter, kind) }
	parts := []struct {
		kind string
		read func(w window) (n int, next string, err error)
	}{
		{"User", func(w window) (int, string, error) {
			page, next, err := list(ctx, s.DB, users, userKey("").Parent, w, s.userDetail)
			out.UserDetailList = page
			return len(page), next, err
		}},
		{"Group", func(w window) (int, string, error) {
			page, next, err := list(ctx, s.DB, groups, groupKey("").Parent, w, func(_ *store.Tx, g *Group) (iam.GroupDetail, bool, error) {
				return iam.GroupDetail{Path: &g.Path, GroupName: &g.Name, GroupId: &g.ID, Arn: &g.ARN, CreateDate: timePtr(g.Created), GroupPolicyList: policyDetails(g.Inline), AttachedManagedPolicies: attachedPolicies(g.Attached)}, true, nil
			})
			out.GroupDetailList = page
			return len(page), next, err
		}},
		{"Role", func(w window) (int, string, error) {
			page, next, err := list(ctx, s.DB, roles, roleKey("").Parent, w, s.roleDetail)
			out.RoleDetailList = page
			return len(page), next, err
		}},
		{"LocalManagedPolicy", func(w window) (int, string, error) {
			page, next, err := list(ctx, s.DB, managedPolicies, policyKey("").Parent, w, managedDetail)
			out.Policies = append(out.Policies, page...)
			return len(page), next, err
		}},
		{"AWSManagedPolicy", func(w window) (int, string, error) { // those that are in use
			s.aws.load()
			page, next := cut(s.aws.list, w, func(p *ManagedPolicy) string { return p.ARN })
			n := 0
			err := s.DB.View(ctx, func(tx *store.Tx) error {
				n = 0
				for _, p := range page {
					d, _, err := managedDetail(tx, p)
					if err != nil {
						return err
					}
					if *d.AttachmentCount+*d.PermissionsBoundaryUsageCount > 0 {
						out.Policies = append(out.Policies, d)
						n++
					}
				}
				return nil
			})
			return n, next, err
		}},
	}
	from, after, _ := strings.Cut(w.after, " ")
	start := 0
	if from != "" {
		if start, err = strconv.Atoi(from); err != nil || start < 0 || start >= len(parts) {
			return nil, shape.Errorf("ValidationError", 400, "Invalid Marker.")
		}
	}
	next := ""
	for i := start; i < len(parts); i++ {
		if !wants(parts[i].kind) {
			after = ""
			continue
		}
		if w.limit <= 0 {
			next = strconv.Itoa(i) + " "
			break
		}
		n, rest, err := parts[i].read(window{after, w.limit})
		if err != nil {
			return nil, err
		}
		w.limit, after = w.limit-n, ""
		if rest != "" {
			next = strconv.Itoa(i) + " " + rest
			break
		}
	}
	out.IsTruncated, out.Marker = more(next)
	return out, nil
}

func (s *Service) userDetail(_ *store.Tx, u *User) (iam.UserDetail, bool, error) {
	return iam.UserDetail{
		Path: &u.Path, UserName: &u.Name, UserId: &u.ID, Arn: &u.ARN, CreateDate: timePtr(u.Created), UserPolicyList: policyDetails(u.Inline),
		GroupList: append([]string{}, u.Groups...), AttachedManagedPolicies: attachedPolicies(u.Attached), PermissionsBoundary: u.boundary(), Tags: tagList(u.Tags),
	}, true, nil
}

func (s *Service) roleDetail(tx *store.Tx, r *Role) (iam.RoleDetail, bool, error) {
	d := iam.RoleDetail{
		Path: &r.Path, RoleName: &r.Name, RoleId: &r.ID, Arn: &r.ARN, CreateDate: timePtr(r.Created), AssumeRolePolicyDocument: shape.Ptr(encodeDocument(r.Trust)),
		InstanceProfileList: []iam.InstanceProfile{}, RolePolicyList: policyDetails(r.Inline), AttachedManagedPolicies: attachedPolicies(r.Attached),
		PermissionsBoundary: r.boundary(), Tags: tagList(r.Tags),
	}
	in, _, err := links.List(tx, profileOf+roleKey(r.Name).ID, "", 0)
	if err != nil {
		return d, false, err
	}
	for _, l := range in {
		p, err := instanceProfiles.Get(tx, profileKey(l.Name).ID)
		if err != nil {
			return d, false, err
		}
		v, err := p.shape(tx)
		if err != nil {
			return d, false, err
		}
		d.InstanceProfileList = append(d.InstanceProfileList, *v)
	}
	return d, true, nil
}

func managedDetail(tx *store.Tx, p *ManagedPolicy) (iam.ManagedPolicyDetail, bool, error) {
	v, err := p.shape(tx, true)
	if err != nil {
		return iam.ManagedPolicyDetail{}, false, err
	}
	d := iam.ManagedPolicyDetail{
		PolicyName: v.PolicyName, PolicyId: v.PolicyId, Arn: v.Arn, Path: v.Path, DefaultVersionId: v.DefaultVersionId, AttachmentCount: v.AttachmentCount,
		PermissionsBoundaryUsageCount: v.PermissionsBoundaryUsageCount, IsAttachable: v.IsAttachable, Description: v.Description, CreateDate: v.CreateDate, UpdateDate: v.UpdateDate,
	}
	for i := range slices.Backward(p.Versions) {
		d.PolicyVersionList = append(d.PolicyVersionList, *p.Versions[i].shape(p, true))
	}
	return d, true, nil
}

// GenerateCredentialReport has nothing to wait for: the report is made when it is read.
func (s *Service) GenerateCredentialReport(context.Context, *iam.GenerateCredentialReportRequest) (*iam.GenerateCredentialReportResponse, error) {
	return &iam.GenerateCredentialReportResponse{State: shape.Ptr("COMPLETE")}, nil
}

// reportColumns are those of the report. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
const reportColumns = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active," +
	"access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service," +
	"access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service," +
	"cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated"

func (s *Service) GetCredentialReport(ctx context.Context, _ *iam.GetCredentialReportRequest) (*iam.GetCredentialReportResponse, error) {
	rules, err := s.account(ctx)
	if err != nil {
		return nil, err
	}
	root, err := s.rootKey(ctx)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		b.Reset()
		w := csv.NewWriter(&b)
		w.Write(strings.Split(reportColumns, ","))
		line, err := s.reportLine(tx, rules, "<root_account>", s.root.ARN, root.Created, s.Account, rootOwner)
		if err != nil {
			return err
		}
		w.Write(line)
		for after := ""; ; {
			page, next, err := users.List(tx, userKey("").Parent, after, maxScan)
			if err != nil {
				return err
			}
			for _, u := range page {
				id := userKey(u.Name).ID
				if line, err = s.reportLine(tx, rules, u.Name, u.ARN, u.Created, keysOf(id), id); err != nil {
					return err
				}
				w.Write(line)
			}
			if after = next; after == "" {
				break
			}
		}
		w.Flush()
		return w.Error()
	})
	if err != nil {
		return nil, err
	}
	return &iam.GetCredentialReportResponse{Content: b.Bytes(), ReportFormat: shape.Ptr("text/csv"), GeneratedTime: shape.Ptr(s.Now().UTC())}, nil
}

// reportLine is a user's line in the report.
func (s *Service) reportLine(tx *store.Tx, rules *account, name, arn string, created int64, keys, id string) ([]string, error) {
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05+00:00") }
	line := []string{name, arn, at(created)}
	p, err := loginProfiles.Get(tx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		line = append(line, "false", "N/A", "N/A", "N/A")
	case err != nil:
		return nil, err
	default:
		used, next := "no_information", "N/A"
		if p.Used != 0 {
			used = at(p.Used)
		}
		if rules.Password != nil && rules.Password.MaxAge > 0 {
			next = at(p.Changed + rules.Password.MaxAge*24*time.Hour.Milliseconds())
		}
		line = append(line, "true", used, at(p.Changed), next)
	}
	devices, _, err := mfaDevices.List(tx, devicesOf(id), "", 1)
	if err != nil {
		return nil, err
	}
	line = append(line, strconv.FormatBool(len(devices) > 0))
	have, _, err := accessKeys.List(tx, keys, "", maxKeysOfUser)
	if err != nil {
		return nil, err
	}
	for i := range maxKeysOfUser {
		if i >= len(have) {
			line = append(line, "false", "N/A", "N/A", "N/A", "N/A")
			continue
		}
		k := have[i]
		line = append(line, strconv.FormatBool(k.Active), at(k.Created))
		u, ok, err := s.used.in(tx, k.ID)
		if err != nil {
			return nil, err
		}
		if ok {
			line = append(line, at(u.Time), u.Region, u.Service)
		} else {
			line = append(line, "N/A", "N/A", "N/A")
		}
	}
	return append(line, "false", "N/A", "false", "N/A"), nil
}

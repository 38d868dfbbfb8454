package identitypools

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

const (
	dontMatch = "NotAuthorizedException: Logins don't match. Please include at least one valid login for this identity or identity pool."
	elsewhere = "ResourceConflictException: Login is already linked to another account."
)

// TestIdentities: the same login is the same identity for ever, in its pool.
func TestIdentities(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool, other := f.newPool(nil), f.newPool(nil)
		ann := must(f.getID(pool, f.user("ann")))(t)
		f.pass(30 * 24 * time.Hour)
		for range 3 {
			if again := must(f.getID(pool, f.user("ann")))(t); again != ann {
				t.Errorf("another identity: %s, %s", ann, again)
			}
		}
		for _, l := range []map[string]string{f.user("bob"), f.oidcUser("ann"), {samlPeople: "assertion of ann"}} {
			if id := must(f.getID(pool, l))(t); id == ann {
				t.Errorf("%v is ann", l)
			}
		}
		if id := must(f.getID(other, f.user("ann")))(t); id == ann {
			t.Error("the same identity in another pool")
		}
		// Names are compared byte by byte.
		if must(f.getID(pool, f.user("Ann")))(t) == ann {
			t.Error("Ann is ann")
		}
		a, b := must(f.getID(pool, nil))(t), must(f.getID(pool, nil))(t)
		if a == b {
			t.Error("two guests are one")
		}
		closed := f.newPool(func(in *cognitoidentity.CreateIdentityPoolInput) { in.AllowUnauthenticatedIdentities = false })
		_, err := f.getID(closed, nil)
		wantErr(t, err, "NotAuthorizedException: Unauthenticated access is not supported for this identity pool.")
		missing := newID()
		_, err = f.getID(missing, nil)
		wantErr(t, err, "ResourceNotFoundException: IdentityPool '"+missing+"' not found.")
		_, err = f.credentials(missing, nil)
		wantErr(t, err, "ResourceNotFoundException: Identity '"+missing+"' not found.")
		_, err = f.credentials("us-east-1"+strings.TrimPrefix(ann, testRegion), f.user("ann"))
		wantErr(t, err, "ResourceNotFoundException: Identity 'us-east-1"+strings.TrimPrefix(ann, testRegion)+"' not found.")
	})
}

// TestTransitions is about guests who log in, and logins that come together.
func TestTransitions(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(nil)
		describe := func(id string) []string {
			return must(f.DescribeIdentity(f.ctx, &cognitoidentity.DescribeIdentityInput{IdentityId: id}))(t).Logins
		}
		// A guest logs in with a login that is new, and stays who he is.
		guest := must(f.getID(pool, nil))(t)
		if id := must(f.credentials(guest, nil))(t); id != guest {
			t.Errorf("guest %s, %s", guest, id)
		}
		f.pass(time.Second)
		if id := must(f.credentials(guest, f.user("ann")))(t); id != guest {
			t.Errorf("the guest became %s", id)
		}
		if id := must(f.getID(pool, f.user("ann")))(t); id != guest {
			t.Errorf("ann is %s", id)
		}
		if got := describe(guest); !slices.Equal(got, []string{people}) {
			t.Errorf("logins %v", got)
		}
		_, err := f.credentials(guest, nil)
		wantErr(t, err, "NotAuthorizedException: Access to Identity '"+guest+"' is forbidden.")

		// Another guest logs in as ann: she is who she was, and the guest is no more.
		second := must(f.getID(pool, nil))(t)
		for range 2 { // the client may not have noticed
			if id := must(f.credentials(second, f.user("ann")))(t); id != guest {
				t.Errorf("ann is %s", id)
			}
		}
		_, err = f.credentials(second, nil)
		wantErr(t, err, "NotAuthorizedException: Access to Identity '"+second+"' is forbidden.")
		_, err = f.credentials(second, f.user("bob"))
		wantErr(t, err, dontMatch)
		all := must(f.ListIdentities(f.ctx, &cognitoidentity.ListIdentitiesInput{IdentityPoolId: pool, MaxResults: 60}))(t).Identities
		active := must(f.ListIdentities(f.ctx, &cognitoidentity.ListIdentitiesInput{IdentityPoolId: pool, MaxResults: 60, HideDisabled: shape.Ptr(true)}))(t).Identities
		if len(all) != 2 || len(active) != 1 || *active[0].IdentityId != guest {
			t.Errorf("identities %d, active %d", len(all), len(active))
		}

		// Somebody else's login, and none of hers.
		bob := must(f.getID(pool, f.user("bob")))(t)
		_, err = f.credentials(guest, f.user("bob"))
		wantErr(t, err, dontMatch)
		_, err = f.credentials(guest, f.user("carl"))
		wantErr(t, err, dontMatch)
		if id := must(f.getID(pool, f.user("carl")))(t); id == guest {
			t.Error("carl was linked to ann")
		}
		// Hers and a new one: linked. From then on either is her.
		if id := must(f.getID(pool, both(f.user("ann"), f.oidcUser("ann"))))(t); id != guest {
			t.Errorf("both are %s", id)
		}
		if id := must(f.getID(pool, f.oidcUser("ann")))(t); id != guest {
			t.Errorf("the other is %s", id)
		}
		if got := describe(guest); !slices.Equal(got, []string{people, oidcHost}) {
			t.Errorf("logins %v", got)
		}
		// One of each provider.
		_, err = f.credentials(guest, both(f.oidcUser("ann"), f.user("dora")))
		wantErr(t, err, dontMatch)
		// Two people's.
		_, err = f.getID(pool, both(f.oidcUser("ann"), f.user("bob")))
		wantErr(t, err, elsewhere)
		_, err = f.credentials(guest, both(f.oidcUser("ann"), f.user("bob")))
		wantErr(t, err, elsewhere)
		_, err = f.credentials(must(f.getID(pool, nil))(t), both(f.oidcUser("ann"), f.user("bob")))
		wantErr(t, err, elsewhere)
		if id := must(f.getID(pool, f.user("bob")))(t); id != bob {
			t.Errorf("bob is %s", id)
		}
		// Two new ones are one new person.
		dora := must(f.getID(pool, both(f.user("dora"), f.oidcUser("dora"))))(t)
		if id := must(f.getID(pool, f.oidcUser("dora")))(t); id != dora {
			t.Errorf("dora is %s", id)
		}

		// Logins are taken away; the last one closes the identity.
		unlink := func(id string, logins map[string]string, remove ...string) error {
			_, err := f.UnlinkIdentity(f.ctx, &cognitoidentity.UnlinkIdentityInput{IdentityId: id, Logins: logins, LoginsToRemove: remove})
			return err
		}
		wantErr(t, unlink(dora, f.user("bob"), people), dontMatch)
		wantErr(t, unlink(dora, nil, people), dontMatch)
		wantErr(t, unlink(dora, f.user("dora"), people), "")
		if id := must(f.getID(pool, f.user("dora")))(t); id == dora {
			t.Error("the login that was taken away leads back")
		}
		wantErr(t, unlink(dora, f.oidcUser("dora"), oidcHost), "")
		_, err = f.credentials(dora, f.oidcUser("dora"))
		wantErr(t, err, dontMatch)
		_, err = f.credentials(dora, nil)
		wantErr(t, err, "NotAuthorizedException: Access to Identity '"+dora+"' is forbidden.")

		// Deleted ones are gone, and their logins are new people.
		out := must(f.DeleteIdentities(f.ctx, &cognitoidentity.DeleteIdentitiesInput{IdentityIdsToDelete: []string{bob, newID(), "us-east-1:" + bob[len(testRegion)+1:]}}))(t)
		if len(out.UnprocessedIdentityIds) != 1 || *out.UnprocessedIdentityIds[0].ErrorCode != "AccessDenied" {
			t.Errorf("unprocessed %+v", out.UnprocessedIdentityIds)
		}
		_, err = f.DescribeIdentity(f.ctx, &cognitoidentity.DescribeIdentityInput{IdentityId: bob})
		wantErr(t, err, "ResourceNotFoundException: Identity '"+bob+"' not found.")
		if id := must(f.getID(pool, f.user("bob")))(t); id == bob {
			t.Error("bob is back")
		}
	})
}

// TestRaces: a login that many meet for the first time becomes one identity, from two nodes too.
func TestRaces(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		f := newFixture(t, url)
		nodes := []*fixture{f, f}
		if strings.HasPrefix(url, "postgres") {
			second := &fixture{t: t, at: f.at}
			second.open(storetest.Open(t, url))
			nodes[1] = second
		}
		pool := f.newPool(nil)
		// The first tokens that are issued, by either node: one key, which both know.
		var first sync.WaitGroup
		tokens := make([]string, 4)
		for i := range tokens {
			first.Go(func() {
				var err error
				if _, tokens[i], err = nodes[i%2].developer(pool, "user", nil, nil); err != nil {
					t.Error(err)
				}
			})
		}
		first.Wait()
		for i, tok := range tokens {
			for _, n := range nodes {
				if _, err := n.o.Verifier.Verify(n.ctx, tok, Issuer); err != nil {
					t.Errorf("token %d: %v", i, err)
				}
			}
		}
		if jwks := string(must(f.JWKS(f.ctx))(t)); strings.Count(jwks, `"kid"`) != 1 {
			t.Errorf("keys %s", jwks)
		}
		for round := range 5 {
			sub := fmt.Sprint("user", round)
			logins, linked := f.user(sub), both(f.user(sub), f.oidcUser(sub))
			guest := must(f.getID(pool, nil))(t)
			var wg sync.WaitGroup
			ids, errs := make([]string, 12), make([]error, 12)
			for i := range ids {
				wg.Go(func() {
					n := nodes[i%2]
					for range 20 { // who loses again and again is told to come back
						switch i % 3 {
						case 0:
							ids[i], errs[i] = n.getID(pool, logins)
						case 1:
							ids[i], errs[i] = n.getID(pool, linked)
						case 2:
							ids[i], errs[i] = n.credentials(guest, logins)
						}
						var e *shape.Error
						if !errors.As(errs[i], &e) || e.Code != "TooManyRequestsException" {
							break
						}
					}
				})
			}
			wg.Wait()
			for i := range ids {
				if errs[i] != nil || ids[i] != ids[0] {
					t.Fatalf("round %d: %q, %v; the first got %q", round, ids[i], errs[i], ids[0])
				}
			}
			if id := must(f.getID(pool, f.oidcUser(sub)))(t); id != ids[0] {
				t.Errorf("the linked login is %s", id)
			}
		}
	})
}

// TestRoles is the table of role resolution.
func TestRoles(t *testing.T) {
	f := newFixture(t, "memory:") // what is stored has no part in it
	pool := f.newPool(nil)
	byToken := func(ambiguous string) *cognitoidentity.RoleMapping {
		return &cognitoidentity.RoleMapping{Type: "Token", AmbiguousRoleResolution: &ambiguous}
	}
	byRules := func(ambiguous string, rules ...string) *cognitoidentity.RoleMapping { // claim type value role
		m := &cognitoidentity.RoleMapping{Type: "Rules", AmbiguousRoleResolution: &ambiguous, RulesConfiguration: new(cognitoidentity.RulesConfigurationType)}
		for _, r := range rules {
			p := strings.Fields(r)
			m.RulesConfiguration.Rules = append(m.RulesConfiguration.Rules, cognitoidentity.MappingRule{Claim: p[0], MatchType: p[1], Value: p[2], RoleARN: role(p[3])})
		}
		return m
	}
	roles := func(names ...string) (list []string) {
		for _, n := range names {
			list = append(list, role(n))
		}
		return list
	}
	ambiguous := func(p string) string {
		return "NotAuthorizedException: The ambiguous role mapping rules for: " + p + " denied this request."
	}
	forbidden := func(name string) string {
		return "NotAuthorizedException: Access to Role '" + role(name) + "' is forbidden."
	}
	type claims = map[string]any
	two := claims{"cognito:roles": roles("A", "B")}
	dept := byRules("Deny", "custom:dept Equals sales Sales", "email Contains @corp Corp", "cognito:groups StartsWith adm Admin", "email_verified Equals true Verified", "level NotEqual 0 Level")
	for _, c := range []struct {
		name     string
		provider string
		mapping  *cognitoidentity.RoleMapping
		claims   claims
		custom   string
		want     string
	}{
		{"no mapping", people, nil, two, "", "Auth"},
		{"no mapping, the same role asked for", people, nil, nil, "Auth", "Auth"},
		{"no mapping, another asked for", people, nil, two, "A", forbidden("A")},
		{"preferred", people, byToken("Deny"), claims{"cognito:roles": roles("A", "B"), "cognito:preferred_role": role("B")}, "", "B"},
		{"only one", people, byToken("Deny"), claims{"cognito:roles": roles("A")}, "", "A"},
		{"as a string", people, byToken("Deny"), claims{"cognito:roles": role("A") + "," + role("B"), "cognito:preferred_role": role("A")}, "", "A"},
		{"two, denied", people, byToken("Deny"), two, "", ambiguous(people)},
		{"two, default", people, byToken("AuthenticatedRole"), two, "", "Auth"},
		{"two, one asked for", people, byToken("Deny"), two, "B", "B"},
		{"asked for over preferred", people, byToken("Deny"), claims{"cognito:roles": roles("A", "B"), "cognito:preferred_role": role("A")}, "B", "B"},
		{"none, denied", people, byToken("Deny"), nil, "", ambiguous(people)},
		{"none, default", people, byToken("AuthenticatedRole"), nil, "", "Auth"},
		{"not the token's", people, byToken("AuthenticatedRole"), two, "Admin", forbidden("Admin")},
		{"not the token's, though the default", people, byToken("AuthenticatedRole"), two, "Auth", forbidden("Auth")},
		{"equals", people, dept, claims{"custom:dept": "sales"}, "", "Sales"},
		{"equals, the case counts", people, dept, claims{"custom:dept": "Sales"}, "", ambiguous(people)},
		{"contains", people, dept, claims{"email": "ann@corp.example"}, "", "Corp"},
		{"starts with, of a list", people, dept, claims{"cognito:groups": []string{"users", "admins"}}, "", "Admin"},
		{"does not start", people, dept, claims{"cognito:groups": []string{"no-admins"}}, "", ambiguous(people)},
		{"boolean", people, dept, claims{"email_verified": true}, "", "Verified"},
		{"number", people, dept, claims{"level": 3}, "", "Level"},
		{"not equal", people, dept, claims{"level": "0"}, "", ambiguous(people)},
		{"the first that matches", people, dept, claims{"custom:dept": "sales", "email": "a@corp"}, "", "Sales"},
		{"another that matches, asked for", people, dept, claims{"custom:dept": "sales", "email": "a@corp"}, "Corp", "Corp"},
		{"one that does not match, asked for", people, dept, claims{"custom:dept": "sales"}, "Corp", forbidden("Corp")},
		{"an object is no value", people, dept, claims{"custom:dept": claims{"sales": "sales"}}, "", ambiguous(people)},
		{"rules, default", people, byRules("AuthenticatedRole", "x Equals y X"), nil, "", "Auth"},
		{"OpenID Connect, rules", oidcHost, byRules("Deny", "aud Equals phone Phone"), nil, "", "Phone"},
		{"OpenID Connect, rules by ARN", oidcPeople, byRules("Deny", "iss StartsWith https://login Login"), nil, "", "Login"},
		{"OpenID Connect, roles of its own", oidcHost, byToken("AuthenticatedRole"), claims{"cognito:roles": roles("Admin"), "cognito:preferred_role": role("Admin")}, "", "Auth"},
		{"OpenID Connect, roles of its own asked for", oidcHost, byToken("Deny"), claims{"cognito:roles": roles("Admin")}, "Admin", forbidden("Admin")},
		{"SAML, roles", samlPeople, byToken("Deny"), nil, "", "Saml"},
		{"SAML, roles, another provider's", samlPeople, byToken("Deny"), nil, "Foreign", forbidden("Foreign")},
		{"SAML, rules", samlPeople, byRules("Deny", "dept Equals support Support"), nil, "", "Support"},
	} {
		in := &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool, Roles: map[string]string{"authenticated": role("Auth")}}
		key, logins := people+":"+client, map[string]string{people: f.sign(userPoolID, f.idClaims("ann", c.claims))}
		switch c.provider {
		case oidcHost, oidcPeople:
			more := claims{"iss": "https://" + oidcHost, "aud": "phone", "token_use": nil}
			for k, v := range c.claims {
				more[k] = v
			}
			key, logins = c.provider, map[string]string{oidcHost: f.sign(oidcHost, f.idClaims("ann", more))}
		case samlPeople:
			key, logins = samlPeople, map[string]string{samlPeople: "assertion of ann"}
		}
		if c.mapping != nil {
			in.RoleMappings = map[string]cognitoidentity.RoleMapping{key: *c.mapping}
		}
		must(f.SetIdentityPoolRoles(f.ctx, in))(t)
		id := must(f.getID(pool, logins))(t)
		get := &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: id, Logins: logins}
		if c.custom != "" {
			get.CustomRoleArn = shape.Ptr(role(c.custom))
		}
		_, err := f.GetCredentialsForIdentity(f.ctx, get)
		if strings.Contains(c.want, ": ") {
			if wantErr(t, err, c.want); t.Failed() {
				t.Fatal(c.name)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := f.asked[len(f.asked)-1].RoleARN; got != role(c.want) {
			t.Errorf("%s: role %s, want %s", c.name, got, c.want)
		}
	}
}

// TestRolesOfTwo is about logins that come together: a mapping that denies one is not got round by another that has
// no mapping, and a role that is asked for may be either's.
func TestRolesOfTwo(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(nil)
		logins := both(f.oidcUser("ann"), map[string]string{people: f.sign(userPoolID, f.idClaims("ann", map[string]any{"cognito:roles": []string{role("A"), role("B")}}))})
		id := must(f.getID(pool, logins))(t)
		deny := shape.Ptr("Deny")
		token := cognitoidentity.RoleMapping{Type: "Token", AmbiguousRoleResolution: deny}
		rules := cognitoidentity.RoleMapping{Type: "Rules", AmbiguousRoleResolution: deny, RulesConfiguration: &cognitoidentity.RulesConfigurationType{
			Rules: []cognitoidentity.MappingRule{{Claim: "aud", MatchType: "Equals", Value: "nobody", RoleARN: role("C")}}}}
		for _, c := range []struct {
			mappings map[string]cognitoidentity.RoleMapping
			custom   string
			want     string // a role, or an error
		}{
			{map[string]cognitoidentity.RoleMapping{people + ":" + client: token}, "", "NotAuthorizedException: The ambiguous role mapping rules for: " + people + " denied this request."},
			{map[string]cognitoidentity.RoleMapping{people + ":" + client: token, oidcHost: rules}, role("B"), role("B")},
			{map[string]cognitoidentity.RoleMapping{people + ":" + client: token, oidcHost: rules}, role("C"), "NotAuthorizedException: Access to Role '" + role("C") + "' is forbidden."},
		} {
			must(f.SetIdentityPoolRoles(f.ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool, Roles: map[string]string{"authenticated": role("Auth")}, RoleMappings: c.mappings}))(t)
			in := &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: id, Logins: logins}
			if c.custom != "" {
				in.CustomRoleArn = &c.custom
			}
			_, err := f.GetCredentialsForIdentity(f.ctx, in)
			if strings.HasPrefix(c.want, "arn:") {
				if err != nil || f.asked[len(f.asked)-1].RoleARN != c.want {
					t.Errorf("%+v: %v", c, err)
				}
				continue
			}
			wantErr(t, err, c.want)
		}
	})
}

// TestSetRoles is what SetIdentityPoolRoles refuses.
func TestSetRoles(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(nil)
		rules := func(n int) *cognitoidentity.RulesConfigurationType {
			c := new(cognitoidentity.RulesConfigurationType)
			for range n {
				c.Rules = append(c.Rules, cognitoidentity.MappingRule{Claim: "a", MatchType: "Equals", Value: "b", RoleARN: role("X")})
			}
			return c
		}
		deny := shape.Ptr("Deny")
		for want, c := range map[string]struct {
			key string
			m   cognitoidentity.RoleMapping
		}{
			"": {people + ":" + client, cognitoidentity.RoleMapping{Type: "Rules", AmbiguousRoleResolution: deny, RulesConfiguration: rules(25)}},
			"InvalidParameterException: (" + people + ") is not a valid RoleMapping ProviderName or is not a configured provider.":       {people, cognitoidentity.RoleMapping{Type: "Token", AmbiguousRoleResolution: deny}},
			"InvalidParameterException: (" + people + ":other) is not a valid RoleMapping ProviderName or is not a configured provider.": {people + ":other", cognitoidentity.RoleMapping{Type: "Token", AmbiguousRoleResolution: deny}},
			"InvalidParameterException: AmbiguousRoleResolution is required for role mappings of type Token.":                            {people + ":" + client, cognitoidentity.RoleMapping{Type: "Token"}},
			"InvalidParameterException: RulesConfiguration is required for role mappings of type Rules.":                                 {people + ":" + client, cognitoidentity.RoleMapping{Type: "Rules", AmbiguousRoleResolution: deny}},
			"InvalidParameterException: RulesConfiguration is not allowed for role mappings of type Token.":                              {people + ":" + client, cognitoidentity.RoleMapping{Type: "Token", AmbiguousRoleResolution: deny, RulesConfiguration: rules(1)}},
			"LimitExceededException: A role mapping can have at most 25 rules.":                                                          {people + ":" + client, cognitoidentity.RoleMapping{Type: "Rules", AmbiguousRoleResolution: deny, RulesConfiguration: rules(26)}},
		} {
			_, err := f.SetIdentityPoolRoles(f.ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool, Roles: map[string]string{"authenticated": role("A")}, RoleMappings: map[string]cognitoidentity.RoleMapping{c.key: c.m}})
			wantErr(t, err, want)
		}
		got := must(f.GetIdentityPoolRoles(f.ctx, &cognitoidentity.GetIdentityPoolRolesInput{IdentityPoolId: pool}))(t)
		if got.Roles["authenticated"] != role("A") || len(got.RoleMappings[people+":"+client].RulesConfiguration.Rules) != 25 {
			t.Errorf("%+v", got)
		}
		_, err := f.SetIdentityPoolRoles(f.ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool, Roles: map[string]string{"authenticated": "arn:aws:iam::000000000000:user/x"}})
		wantErr(t, err, "InvalidParameterException: Invalid role ARN: arn:aws:iam::000000000000:user/x")
	})
}

// TestCredentials looks at what STS is asked for.
func TestCredentials(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(nil)
		must(f.SetPrincipalTagAttributeMap(f.ctx, &cognitoidentity.SetPrincipalTagAttributeMapInput{IdentityPoolId: pool, IdentityProviderName: people, UseDefaults: shape.Ptr(true)}))(t)
		must(f.SetPrincipalTagAttributeMap(f.ctx, &cognitoidentity.SetPrincipalTagAttributeMapInput{IdentityPoolId: pool, IdentityProviderName: samlPeople, PrincipalTags: map[string]string{"team": "dept", "none": "absent"}}))(t)
		got := must(f.GetPrincipalTagAttributeMap(f.ctx, &cognitoidentity.GetPrincipalTagAttributeMapInput{IdentityPoolId: pool, IdentityProviderName: people}))(t)
		if !*got.UseDefaults || got.PrincipalTags["client"] != "aud" || got.PrincipalTags["username"] != "sub" {
			t.Errorf("%+v", got)
		}
		_, err := f.SetPrincipalTagAttributeMap(f.ctx, &cognitoidentity.SetPrincipalTagAttributeMapInput{IdentityPoolId: pool, IdentityProviderName: "www.amazon.com", UseDefaults: shape.Ptr(true)})
		wantErr(t, err, "InvalidParameterException: (www.amazon.com) is not a valid ProviderName or is not a configured provider.")

		last := func() *session.RoleRequest { return f.asked[len(f.asked)-1] }
		want := func(id string, amr []string, tags map[string]string) *session.WebIdentity {
			return &session.WebIdentity{Provider: Provider, Subject: id, Audience: []string{pool}, Tags: tags,
				Context: map[string][]string{Provider + ":aud": {pool}, Provider + ":sub": {id}, Provider + ":amr": amr}}
		}
		ann := must(f.getID(pool, f.user("ann")))(t)
		out := must(f.GetCredentialsForIdentity(f.ctx, &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: ann, Logins: f.user("ann")}))(t)
		if c := out.Credentials; !strings.HasPrefix(*c.AccessKeyId, "ASIA") || len(*c.SecretKey) != 40 || *c.SessionToken == "" || c.Expiration.Unix() != f.time().Add(time.Hour).Unix() {
			t.Errorf("credentials %+v", c)
		}
		if r := last(); r.RoleARN != role("Auth") || r.SessionName != "CognitoIdentityCredentials" || r.Duration != time.Hour || r.Policies != nil {
			t.Errorf("asked for %+v", r)
		}
		tags := map[string]string{"client": client, "username": "ann"}
		if diff := cmp.Diff(want(ann, []string{"authenticated", people, people + ":CognitoSignIn:ann"}, tags), last().WebIdentity); diff != "" {
			t.Error(diff)
		}
		must(f.credentials(ann, both(f.user("ann"), map[string]string{samlPeople: "assertion of ann"})))(t)
		tags["team"] = "sales"
		if diff := cmp.Diff(want(ann, []string{"authenticated", samlPeople, samlPeople + ":ann", people, people + ":CognitoSignIn:ann"}, tags), last().WebIdentity); diff != "" {
			t.Error(diff)
		}
		guest := must(f.getID(pool, nil))(t)
		must(f.credentials(guest, nil))(t)
		if r := last(); r.RoleARN != role("Unauth") || len(r.Policies) != 1 || len(r.Policies[0]) > 2048 {
			t.Errorf("asked for %+v", r)
		}
		if diff := cmp.Diff(want(guest, []string{"unauthenticated"}, map[string]string{}), last().WebIdentity); diff != "" {
			t.Error(diff)
		}

		// The role does not want them.
		f.trust = func(*session.RoleRequest) error {
			return shape.Errorf("AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
		}
		tr := new(trace.Trace)
		_, err = f.GetCredentialsForIdentity(trace.With(f.ctx, tr), &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: guest})
		wantErr(t, err, "InvalidIdentityPoolConfigurationException: Invalid identity pool configuration. Check assigned IAM roles for this pool.")
		if s := tr.Steps[len(tr.Steps)-1]; s.OK || s.Name != "trust" || s.Got != role("Unauth") {
			t.Errorf("trace %+v", tr.Steps)
		}
		f.trust = func(*session.RoleRequest) error { return errors.New("the store is closed") }
		var e *shape.Error
		if _, err = f.credentials(guest, nil); err == nil || errors.As(err, &e) {
			t.Errorf("a failing STS: %v", err)
		}
		f.trust = nil
		must(f.SetIdentityPoolRoles(f.ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool, Roles: map[string]string{}}))(t)
		_, err = f.credentials(guest, nil)
		wantErr(t, err, "InvalidIdentityPoolConfigurationException: Invalid identity pool configuration. Check assigned IAM roles for this pool.")

		// Guests are no longer wanted.
		p := *must(f.DescribeIdentityPool(f.ctx, &cognitoidentity.DescribeIdentityPoolInput{IdentityPoolId: pool}))(t)
		p.AllowUnauthenticatedIdentities = false
		must(f.UpdateIdentityPool(f.ctx, &p))(t)
		_, err = f.credentials(guest, nil)
		wantErr(t, err, "NotAuthorizedException: Unauthenticated access is not supported for this identity pool.")
	})
}

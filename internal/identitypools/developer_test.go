package identitypools

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// developer asks for the token of a user of the developer's.
func (f *fixture) developer(pool, user string, id *string, more map[string]string) (string, string, error) {
	out, err := f.GetOpenIdTokenForDeveloperIdentity(f.ctx, &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: pool,
		Logins: both(map[string]string{"login.dev": user}, more), IdentityId: id, PrincipalTags: map[string]string{"plan": "gold"}})
	if err != nil {
		return "", "", err
	}
	return *out.IdentityId, *out.Token, nil
}

func TestDeveloperIdentities(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(nil)
		id, tok, err := f.developer(pool, "ann", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		amr := []any{"authenticated", "login.dev", "login.dev:" + pool + ":ann"}
		want := map[string]any{"iss": "https://cognito-identity.amazonaws.com", "aud": pool, "sub": id, "amr": amr, "iat": float64(f.time().Unix()), "exp": float64(f.time().Add(15 * time.Minute).Unix()),
			"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"plan": []any{"gold"}}}}
		if diff := cmp.Diff(want, claimsOf(t, tok)); diff != "" {
			t.Error(diff)
		}
		if again, _, err := f.developer(pool, "ann", nil, nil); err != nil || again != id {
			t.Errorf("again %s, %v", again, err)
		}

		// The token is a login: for its identity, and for no other, as long as it is good.
		own := map[string]string{Provider: tok}
		if got := must(f.credentials(id, own))(t); got != id {
			t.Errorf("credentials of %s", got)
		}
		r := f.asked[len(f.asked)-1].WebIdentity
		if !slices.Equal(r.Context[Provider+":amr"], []string{"authenticated", "login.dev", "login.dev:" + pool + ":ann"}) || r.Tags["plan"] != "gold" {
			t.Errorf("asked with %+v", r)
		}
		if got := must(f.getID(pool, own))(t); got != id {
			t.Errorf("GetId says %s", got)
		}
		bob, _, _ := f.developer(pool, "bob", nil, nil)
		_, err = f.credentials(bob, own)
		wantErr(t, err, dontMatch)
		_, err = f.getID(f.newPool(nil), own)
		wantErr(t, err, "NotAuthorizedException: Token is not from a supported provider of this identity pool.")
		_, err = f.credentials(id, map[string]string{"login.dev": "ann"})
		wantErr(t, err, "InvalidParameterException: Please provide a valid public provider.")
		f.pass(15 * time.Minute)
		_, err = f.credentials(id, own)
		wantErr(t, err, fmt.Sprintf("NotAuthorizedException: Invalid login token. Token expired: %d >= %d", f.time().Unix(), f.time().Unix()))

		// Linking: a guest at once, one who has logged in with a login of his.
		guest := must(f.getID(pool, nil))(t)
		if got, _, err := f.developer(pool, "carl", &guest, nil); err != nil || got != guest {
			t.Errorf("the guest is %s, %v", got, err)
		}
		dora := must(f.getID(pool, f.user("dora")))(t)
		_, _, err = f.developer(pool, "dora", &dora, nil)
		wantErr(t, err, dontMatch)
		if got, _, err := f.developer(pool, "dora", &dora, f.user("dora")); err != nil || got != dora {
			t.Errorf("dora is %s, %v", got, err)
		}
		_, _, err = f.developer(pool, "carl", &dora, nil)
		wantErr(t, err, "DeveloperUserAlreadyRegisteredException: The provided developer user identifier is already registered with Cognito under a different identity ID.")
		for _, logins := range []map[string]string{f.user("dora"), {"login.other": "x"}, {"login.dev": ""}} {
			_, err := f.GetOpenIdTokenForDeveloperIdentity(f.ctx, &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: pool, Logins: logins})
			if err == nil || !strings.HasPrefix(err.Error(), "InvalidParameterException: Please provide a valid developer") {
				t.Errorf("%v: %v", logins, err)
			}
		}

		// Look-ups.
		lookup := func(id, user string) (string, []string, error) {
			in := &cognitoidentity.LookupDeveloperIdentityInput{IdentityPoolId: pool}
			if id != "" {
				in.IdentityId = &id
			}
			if user != "" {
				in.DeveloperUserIdentifier = &user
			}
			out, err := f.LookupDeveloperIdentity(f.ctx, in)
			if err != nil {
				return "", nil, err
			}
			return *out.IdentityId, out.DeveloperUserIdentifierList, nil
		}
		for _, c := range []struct{ id, user, want string }{
			{id, "", ""}, {"", "ann", ""}, {id, "ann", ""},
			{bob, "ann", "ResourceConflictException: The developer user identifier is linked to another identity."},
			{"", "nobody", "ResourceNotFoundException: Developer user identifier 'nobody' not found."},
			{"", "", "InvalidParameterException: Either IdentityId or DeveloperUserIdentifier must be provided."},
		} {
			got, users, err := lookup(c.id, c.user)
			if wantErr(t, err, c.want); c.want == "" && (got != id || !slices.Equal(users, []string{"ann"})) {
				t.Errorf("%v: %s, %v", c, got, users)
			}
		}

		// Merging: the destination's identity has both, the source's is no more.
		merge := func(from, into string) (string, error) {
			out, err := f.MergeDeveloperIdentities(f.ctx, &cognitoidentity.MergeDeveloperIdentitiesInput{IdentityPoolId: pool, DeveloperProviderName: "login.dev", SourceUserIdentifier: from, DestinationUserIdentifier: into})
			if err != nil {
				return "", err
			}
			return *out.IdentityId, nil
		}
		if got := must(merge("bob", "ann"))(t); got != id {
			t.Errorf("merged into %s", got)
		}
		if got := must(merge("bob", "ann"))(t); got != id {
			t.Errorf("merged again into %s", got)
		}
		if _, users, err := lookup(id, ""); err != nil || !slices.Equal(users, []string{"ann", "bob"}) {
			t.Errorf("users %v, %v", users, err)
		}
		_, err = merge("nobody", "ann")
		wantErr(t, err, "ResourceNotFoundException: Developer user identifier 'nobody' not found.")
		emil := must(f.getID(pool, f.user("emil")))(t)
		if _, _, err := f.developer(pool, "emil", &emil, f.user("emil")); err != nil {
			t.Fatal(err)
		}
		_, err = merge("emil", "dora")
		wantErr(t, err, "ResourceConflictException: The users are associated with the same public provider, "+people+", as two different users.")

		// Unlinking, to the last.
		unlink := func(id, user string) error {
			_, err := f.UnlinkDeveloperIdentity(f.ctx, &cognitoidentity.UnlinkDeveloperIdentityInput{IdentityPoolId: pool, IdentityId: id, DeveloperProviderName: "login.dev", DeveloperUserIdentifier: user})
			return err
		}
		wantErr(t, unlink(dora, "ann"), "ResourceConflictException: The developer user identifier is linked to another identity.")
		wantErr(t, unlink(id, "ann"), "")
		_, tok, _ = f.developer(pool, "bob", nil, nil)
		wantErr(t, unlink(id, "bob"), "")
		_, err = f.credentials(id, map[string]string{Provider: tok})
		wantErr(t, err, dontMatch)
		if got, _, err := f.developer(pool, "ann", nil, nil); err != nil || got == id {
			t.Errorf("ann is still %s, %v", got, err)
		}

		// An identity has twenty logins at most.
		many, _, _ := f.developer(pool, "many0", nil, nil)
		for i := 1; i < maxLogins; i++ {
			if _, _, err := f.developer(pool, fmt.Sprint("many", i), nil, nil); err != nil {
				t.Fatal(err)
			}
			if got := must(merge(fmt.Sprint("many", i), "many0"))(t); got != many {
				t.Fatalf("merged into %s", got)
			}
		}
		f.developer(pool, "more", nil, nil)
		_, err = merge("more", "many0")
		wantErr(t, err, "LimitExceededException: The number of linked logins is limited to 20.")
		in := &cognitoidentity.LookupDeveloperIdentityInput{IdentityPoolId: pool, IdentityId: &many, MaxResults: shape.Ptr[int64](7)}
		var users []string
		for {
			out := must(f.LookupDeveloperIdentity(f.ctx, in))(t)
			users = append(users, out.DeveloperUserIdentifierList...)
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if slices.Sort(users); len(slices.Compact(users)) != maxLogins {
			t.Errorf("%d users", len(users))
		}
	})
}

// TestOpenIdToken is the basic flow.
func TestOpenIdToken(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		get := func(id string, logins map[string]string) (string, error) {
			out, err := f.GetOpenIdToken(f.ctx, &cognitoidentity.GetOpenIdTokenInput{IdentityId: id, Logins: logins})
			if err != nil {
				return "", err
			}
			return *out.Token, nil
		}
		pool := f.newPool(nil)
		must(f.SetPrincipalTagAttributeMap(f.ctx, &cognitoidentity.SetPrincipalTagAttributeMapInput{IdentityPoolId: pool, IdentityProviderName: people + ":" + client, PrincipalTags: map[string]string{"name": "cognito:username"}}))(t)
		id := must(f.getID(pool, f.user("ann")))(t)
		tok := must(get(id, f.user("ann")))(t)
		want := map[string]any{"iss": Issuer, "aud": pool, "sub": id, "amr": []any{"authenticated", people, people + ":CognitoSignIn:ann"},
			"iat": float64(f.time().Unix()), "exp": float64(f.time().Add(10 * time.Minute).Unix()),
			"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"name": []any{"ann"}}}}
		if diff := cmp.Diff(want, claimsOf(t, tok)); diff != "" {
			t.Error(diff)
		}
		if _, err := f.o.Verifier.Verify(f.ctx, tok, Issuer); err != nil {
			t.Error(err)
		}
		guest := must(f.getID(pool, nil))(t)
		tok = must(get(guest, nil))(t)
		if diff := cmp.Diff([]any{"unauthenticated"}, claimsOf(t, tok)["amr"]); diff != "" {
			t.Error(diff)
		}
		// A guest's token is no login.
		_, err := f.credentials(guest, map[string]string{Provider: tok})
		wantErr(t, err, "NotAuthorizedException: Invalid login token. Not a Cognito token.")
		_, err = get(id, nil)
		wantErr(t, err, "NotAuthorizedException: Access to Identity '"+id+"' is forbidden.")

		must(f.SetIdentityPoolRoles(f.ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool, Roles: map[string]string{"authenticated": role("Auth")},
			RoleMappings: map[string]cognitoidentity.RoleMapping{people + ":" + client: {Type: "Token", AmbiguousRoleResolution: shape.Ptr("Deny")}}}))(t)
		_, err = get(id, f.user("ann"))
		wantErr(t, err, "InvalidParameterException: Basic (classic) flow is not supported with RoleMappings, please use enhanced flow.")
		closed := f.newPool(func(in *cognitoidentity.CreateIdentityPoolInput) { in.AllowClassicFlow = shape.Ptr(false) })
		_, err = get(must(f.getID(closed, nil))(t), nil)
		wantErr(t, err, "InvalidParameterException: Basic (classic) flow is not enabled, please use enhanced flow.")

		var doc struct {
			Keys []struct {
				KID string `json:"kid"`
				Alg string `json:"alg"`
			} `json:"keys"`
		}
		if err := json.Unmarshal(must(f.JWKS(f.ctx))(t), &doc); err != nil || len(doc.Keys) != 1 || doc.Keys[0].Alg != "RS256" {
			t.Errorf("keys %+v, %v", doc, err)
		}
		if s := string(f.OpenIDConfiguration()); !strings.Contains(s, `"issuer":"https://cognito-identity.amazonaws.com"`) {
			t.Error(s)
		}
	})
}

// TestResources is what the types' life in package engine does not show.
func TestResources(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		types := map[string]resource.Handler{}
		for _, typ := range f.Resources() {
			types[typ.Name] = typ.Handler
		}
		request := func(token, id string, props map[string]any) *resource.Request {
			return &resource.Request{StackName: "s", LogicalID: "X", PhysicalID: id, Token: token, Props: props}
		}
		pools := types["AWS::Cognito::IdentityPool"]
		res := must(pools.Create(f.ctx, request("1", "", map[string]any{"AllowUnauthenticatedIdentities": "true",
			"CognitoIdentityProviders": []any{map[string]any{"ProviderName": people, "ClientId": client}}, "SupportedLoginProviders": map[string]any{"accounts.google.com": "g"},
			"IdentityPoolTags": []any{map[string]any{"Key": "a", "Value": "b"}}})))(t)
		pool := res.PhysicalID
		p := must(f.DescribeIdentityPool(f.ctx, &cognitoidentity.DescribeIdentityPoolInput{IdentityPoolId: pool}))(t)
		if !p.AllowUnauthenticatedIdentities || *p.CognitoIdentityProviders[0].ClientId != client || p.SupportedLoginProviders[google] != "g" || p.IdentityPoolTags["a"] != "b" || res.Attrs["Name"] != p.IdentityPoolName {
			t.Errorf("%+v, %+v", p, res)
		}

		// Two attachments on one pool: the last counts, and only it takes the roles away.
		att := types["AWS::Cognito::IdentityPoolRoleAttachment"]
		props := func(name string) map[string]any {
			return map[string]any{"IdentityPoolId": pool, "Roles": map[string]any{"authenticated": role(name)}, "RoleMappings": map[string]any{
				"people": map[string]any{"IdentityProvider": people + ":" + client, "Type": "Rules", "AmbiguousRoleResolution": "Deny",
					"RulesConfiguration": map[string]any{"Rules": []any{map[string]any{"Claim": "a", "MatchType": "Equals", "Value": "b", "RoleARN": role("X")}}}}}}
		}
		first := must(att.Create(f.ctx, request("2", "", props("First"))))(t)
		second := must(att.Create(f.ctx, request("3", "", props("Second"))))(t)
		roles := func() *cognitoidentity.GetIdentityPoolRolesResponse {
			return must(f.GetIdentityPoolRoles(f.ctx, &cognitoidentity.GetIdentityPoolRolesInput{IdentityPoolId: pool}))(t)
		}
		if err := att.Delete(f.ctx, request("4", first.PhysicalID, props("First"))); err != nil {
			t.Fatal(err)
		}
		if r := roles(); r.Roles["authenticated"] != role("Second") || r.RoleMappings[people+":"+client].RulesConfiguration.Rules[0].RoleARN != role("X") {
			t.Errorf("roles %+v", r)
		}
		if err := att.Delete(f.ctx, request("5", second.PhysicalID, props("Second"))); err != nil {
			t.Fatal(err)
		}
		if r := roles(); len(r.Roles)+len(r.RoleMappings) != 0 {
			t.Errorf("roles %+v", r)
		}
	})
}

package userpools

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/message"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// asJSON is a response as clients see it, less what differs each time.
func asJSON(t *testing.T, v any, drop ...string) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for _, name := range drop {
		if m[name] == nil {
			t.Errorf("no %s", name)
		}
		delete(m, name)
	}
	return m
}

func TestPoolDefaults(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.newPool(cognitoidp.CreateUserPoolRequest{})
		p := must(f.DescribeUserPool(f.ctx, &cognitoidp.DescribeUserPoolRequest{UserPoolId: id}))(t).UserPool
		if want := "arn:aws:cognito-idp:" + testRegion + ":000000000000:userpool/" + id; *p.Arn != want {
			t.Errorf("ARN %s", *p.Arn)
		}
		var names []string
		for _, a := range p.SchemaAttributes {
			names = append(names, *a.Name)
		}
		if len(names) != 21 || !slices.Contains(names, "phone_number_verified") {
			t.Errorf("attributes %v", names)
		}
		want := map[string]any{
			"Name": "people", "DeletionProtection": "INACTIVE", "LambdaConfig": map[string]any{}, "MfaConfiguration": "OFF", "EstimatedNumberOfUsers": 0.0, "UserPoolTier": "ESSENTIALS",
			"Policies": map[string]any{"PasswordPolicy": map[string]any{"MinimumLength": 8.0, "RequireUppercase": true, "RequireLowercase": true, "RequireNumbers": true, "RequireSymbols": true, "TemporaryPasswordValidityDays": 7.0},
				"SignInPolicy": map[string]any{"AllowedFirstAuthFactors": []any{"PASSWORD"}}},
			"VerificationMessageTemplate": map[string]any{"DefaultEmailOption": "CONFIRM_WITH_CODE"},
			"UserAttributeUpdateSettings": map[string]any{"AttributesRequireVerificationBeforeUpdate": []any{}},
			"EmailConfiguration":          map[string]any{"EmailSendingAccount": "COGNITO_DEFAULT"},
			"AdminCreateUserConfig":       map[string]any{"AllowAdminCreateUserOnly": false, "UnusedAccountValidityDays": 7.0},
			"UserPoolTags":                map[string]any{},
		}
		if d := cmp.Diff(want, asJSON(t, p, "Id", "Arn", "CreationDate", "LastModifiedDate", "SchemaAttributes")); d != "" {
			t.Error(d)
		}
	})
}

func TestPoolRefusals(t *testing.T) {
	f := newFixture(t, "memory:")
	const later = " is not supported by this version of Gatehouse."
	arn := shape.Ptr("arn:aws:lambda:eu-central-1:000000000000:function:f")
	for want, in := range map[string]cognitoidp.CreateUserPoolRequest{
		"The Lambda trigger PreSignUp (LambdaConfig)" + later:                                                    {LambdaConfig: &cognitoidp.LambdaConfigType{PreSignUp: arn}},
		"MfaConfiguration ON" + later:                                                                            {MfaConfiguration: shape.Ptr("ON")},
		"Device tracking (DeviceConfiguration)" + later:                                                          {DeviceConfiguration: &cognitoidp.DeviceConfigurationType{}},
		"AdvancedSecurityMode ENFORCED" + later:                                                                  {UserPoolAddOns: &cognitoidp.UserPoolAddOnsType{AdvancedSecurityMode: "ENFORCED"}},
		"PasswordHistorySize" + later:                                                                            {Policies: &cognitoidp.UserPoolPolicyType{PasswordPolicy: &cognitoidp.PasswordPolicyType{PasswordHistorySize: shape.Ptr[int64](3)}}},
		"The first authentication factor WEB_AUTHN" + later:                                                      {Policies: &cognitoidp.UserPoolPolicyType{SignInPolicy: &cognitoidp.SignInPolicyType{AllowedFirstAuthFactors: []string{"PASSWORD", "WEB_AUTHN"}}}},
		"DefaultEmailOption CONFIRM_WITH_LINK" + later:                                                           {VerificationMessageTemplate: &cognitoidp.VerificationMessageTemplateType{DefaultEmailOption: shape.Ptr("CONFIRM_WITH_LINK")}},
		"Email ARN is required when email sending account is DEVELOPER.":                                         {EmailConfiguration: &cognitoidp.EmailConfigurationType{EmailSendingAccount: shape.Ptr("DEVELOPER")}},
		"Only one of the aliasAttributes or usernameAttributes can be set in a user pool.":                       {AliasAttributes: []string{"email"}, UsernameAttributes: []string{"email"}},
		"Required custom attributes are not supported currently.":                                                {Schema: []cognitoidp.SchemaAttributeType{{Name: shape.Ptr("x"), AttributeDataType: shape.Ptr("String"), Required: shape.Ptr(true)}}},
		"Invalid AttributeDataType input, consider using the provided AttributeDataType enum.":                   {Schema: []cognitoidp.SchemaAttributeType{{Name: shape.Ptr("x")}}},
		"custom:x: Existing attribute already has name custom:x.":                                                {Schema: []cognitoidp.SchemaAttributeType{{Name: shape.Ptr("x"), AttributeDataType: shape.Ptr("String")}, {Name: shape.Ptr("x"), AttributeDataType: shape.Ptr("String")}}},
		"You can not change AttributeDataType or set developerOnlyAttribute for standard schema attribute email": {Schema: []cognitoidp.SchemaAttributeType{{Name: shape.Ptr("email"), AttributeDataType: shape.Ptr("Number")}}},
	} {
		in.PoolName = "p"
		_, err := f.CreateUserPool(f.ctx, &in)
		wantErr(t, err, "InvalidParameterException: "+want)
	}
	if got := must(f.ListUserPools(f.ctx, &cognitoidp.ListUserPoolsRequest{MaxResults: 60}))(t).UserPools; len(got) != 0 {
		t.Errorf("%d pools", len(got))
	}
}

func TestPoolUpdate(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.newPool(cognitoidp.CreateUserPoolRequest{AutoVerifiedAttributes: []string{"email"}, UsernameAttributes: []string{"email"}, UserPoolTier: shape.Ptr("LITE"), UserPoolTags: map[string]string{"a": "1"}, DeletionProtection: shape.Ptr("ACTIVE")})
		describe := func() *cognitoidp.UserPoolType {
			return must(f.DescribeUserPool(f.ctx, &cognitoidp.DescribeUserPoolRequest{UserPoolId: id}))(t).UserPool
		}
		_, err := f.DeleteUserPool(f.ctx, &cognitoidp.DeleteUserPoolRequest{UserPoolId: id})
		wantErr(t, err, "InvalidParameterException: The user pool cannot be deleted because deletion protection is activated. …")
		must(f.UpdateUserPool(f.ctx, &cognitoidp.UpdateUserPoolRequest{UserPoolId: id, EmailVerificationMessage: shape.Ptr("code: {####}")}))(t)
		p := describe()
		if *p.Name != "people" || p.AutoVerifiedAttributes != nil || *p.UserPoolTier != "LITE" || *p.DeletionProtection != "INACTIVE" || len(p.UserPoolTags) != 0 || p.UsernameAttributes[0] != "email" || *p.VerificationMessageTemplate.EmailMessage != "code: {####}" {
			t.Errorf("%+v", asJSON(t, p))
		}
		must(f.AddCustomAttributes(f.ctx, &cognitoidp.AddCustomAttributesRequest{UserPoolId: id, CustomAttributes: []cognitoidp.SchemaAttributeType{{Name: shape.Ptr("plan"), AttributeDataType: shape.Ptr("String")}, {Name: shape.Ptr("inner"), AttributeDataType: shape.Ptr("String"), DeveloperOnlyAttribute: shape.Ptr(true)}}}))(t)
		_, err = f.AddCustomAttributes(f.ctx, &cognitoidp.AddCustomAttributesRequest{UserPoolId: id, CustomAttributes: []cognitoidp.SchemaAttributeType{{Name: shape.Ptr("plan"), AttributeDataType: shape.Ptr("Number")}}})
		wantErr(t, err, "InvalidParameterException: custom:plan: Existing attribute already has name custom:plan.")
		if s := describe().SchemaAttributes; *s[len(s)-1].Name != "dev:custom:inner" {
			t.Errorf("last attribute %s", *s[len(s)-1].Name)
		}
		must(f.TagResource(f.ctx, &cognitoidp.TagResourceRequest{ResourceArn: *p.Arn, Tags: map[string]string{"b": "2", "c": "3"}}))(t)
		must(f.UntagResource(f.ctx, &cognitoidp.UntagResourceRequest{ResourceArn: *p.Arn, TagKeys: []string{"b"}}))(t)
		if got := must(f.ListTagsForResource(f.ctx, &cognitoidp.ListTagsForResourceRequest{ResourceArn: *p.Arn}))(t).Tags; !maps.Equal(got, map[string]string{"c": "3"}) {
			t.Errorf("tags %v", got)
		}
		elsewhere := wire.WithCall(f.ctx, &wire.Call{Region: "us-east-1"})
		_, err = f.DescribeUserPool(elsewhere, &cognitoidp.DescribeUserPoolRequest{UserPoolId: id})
		wantErr(t, err, "ResourceNotFoundException: User pool "+id+" does not exist.")
	})
}

func TestPages(t *testing.T) {
	f := newFixture(t, "memory:")
	var want []string
	for range 5 {
		want = append(want, f.newPool(cognitoidp.CreateUserPoolRequest{}))
	}
	var got []string
	in := &cognitoidp.ListUserPoolsRequest{MaxResults: 2}
	for {
		out := must(f.ListUserPools(f.ctx, in))(t)
		for _, p := range out.UserPools {
			got = append(got, *p.Id)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	n := 0
	for range 3 {
		f.newClient(want[0], cognitoidp.CreateUserPoolClientRequest{})
	}
	list := &cognitoidp.ListUserPoolClientsRequest{UserPoolId: want[0], MaxResults: shape.Ptr[int64](2)}
	for {
		out := must(f.ListUserPoolClients(f.ctx, list))(t)
		n += len(out.UserPoolClients)
		if list.NextToken = out.NextToken; list.NextToken == nil {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d clients", n)
	}
	_, err := f.ListUserPools(f.ctx, &cognitoidp.ListUserPoolsRequest{MaxResults: 2, NextToken: shape.Ptr("x")})
	wantErr(t, err, "InvalidParameterException: Invalid pagination token.")
}

// TestDeletePool: nothing of a pool is left, and nothing of another is touched.
func TestDeletePool(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fill := func() string {
			pool := f.newPool(cognitoidp.CreateUserPoolRequest{AutoVerifiedAttributes: []string{"email"}})
			client := f.newClient(pool, cognitoidp.CreateUserPoolClientRequest{})
			f.confirmed(pool, client, "ann", "email", "ann@example.com")
			f.signUpUser(client, "bob", "email", "bob@example.com")
			token := *must(f.signIn(client, "ann", goodPassword))(t).AuthenticationResult.AccessToken
			must(0, f.getUser(token))(t)
			if _, err := f.signIn(client, "ann", "nope"); err == nil {
				t.Error("a wrong password signs in")
			}
			return pool
		}
		count := func() map[string]int64 {
			n := map[string]int64{}
			err := f.db.View(f.ctx, func(tx *store.Tx) error {
				for _, table := range []string{"userpool_numbers", "userpool_counts", "userpool_users", "userpool_names", "userpool_sessions", "userpool_codes", "userpool_failures", "messages", "documents"} {
					var c int64
					if err := tx.QueryRow(`SELECT COUNT(*) FROM ` + table).Scan(&c); err != nil {
						return err
					}
					n[table] = c
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		kept := fill()
		before := count()
		gone := fill()
		client := *must(f.ListUserPoolClients(f.ctx, &cognitoidp.ListUserPoolClientsRequest{UserPoolId: gone}))(t).UserPoolClients[0].ClientId
		token := *must(f.signIn(client, "ann", goodPassword))(t).AuthenticationResult.AccessToken
		must(f.DeleteUserPool(f.ctx, &cognitoidp.DeleteUserPoolRequest{UserPoolId: gone}))(t)
		after := count()
		before["userpool_counts"], after["userpool_counts"] = 0, 0 // as many rows as the subs fall on
		if d := cmp.Diff(before, after); d != "" {
			t.Error(d)
		}
		wantErr(t, f.getUser(token), "NotAuthorizedException: Invalid Access Token")
		_, err := f.signIn(client, "ann", goodPassword)
		wantErr(t, err, "ResourceNotFoundException: User pool client "+client+" does not exist.")
		_, err = f.DescribeUserPool(f.ctx, &cognitoidp.DescribeUserPoolRequest{UserPoolId: gone})
		wantErr(t, err, "ResourceNotFoundException: User pool "+gone+" does not exist.")
		if got := must(f.outbox.List(f.ctx, message.Filter{Scope: kept}, 10))(t); len(got) != 2 {
			t.Errorf("%d messages of the other pool", len(got))
		}
	})
}

func TestClients(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pool := f.newPool(cognitoidp.CreateUserPoolRequest{Schema: []cognitoidp.SchemaAttributeType{{Name: shape.Ptr("given_name"), Required: shape.Ptr(true)}}})
		c := must(f.CreateUserPoolClient(f.ctx, &cognitoidp.CreateUserPoolClientRequest{UserPoolId: pool, ClientName: "app"}))(t).UserPoolClient
		want := map[string]any{"UserPoolId": pool, "ClientName": "app", "RefreshTokenValidity": 30.0, "TokenValidityUnits": map[string]any{}, "AllowedOAuthFlowsUserPoolClient": false,
			"EnableTokenRevocation": true, "EnablePropagateAdditionalUserContextData": false, "AuthSessionValidity": 3.0}
		if d := cmp.Diff(want, asJSON(t, c, "ClientId", "CreationDate", "LastModifiedDate")); d != "" {
			t.Error(d)
		}
		if len(*c.ClientId) != 26 {
			t.Errorf("client id %s", *c.ClientId)
		}
		const invalid = "InvalidParameterException: "
		for _, x := range []struct {
			in   cognitoidp.CreateUserPoolClientRequest
			want string
		}{
			{cognitoidp.CreateUserPoolClientRequest{AccessTokenValidity: shape.Ptr[int64](25)}, invalid + "Invalid range for token validity."},
			{cognitoidp.CreateUserPoolClientRequest{IdTokenValidity: shape.Ptr[int64](299), TokenValidityUnits: &cognitoidp.TokenValidityUnitsType{IdToken: shape.Ptr("seconds")}}, invalid + "Invalid range for token validity."},
			{cognitoidp.CreateUserPoolClientRequest{RefreshTokenValidity: shape.Ptr[int64](59), TokenValidityUnits: &cognitoidp.TokenValidityUnitsType{RefreshToken: shape.Ptr("minutes")}}, invalid + "Invalid range for token validity."},
			{cognitoidp.CreateUserPoolClientRequest{RefreshTokenValidity: shape.Ptr[int64](3651)}, invalid + "Invalid range for token validity."},
			{cognitoidp.CreateUserPoolClientRequest{AccessTokenValidity: shape.Ptr[int64](1440), TokenValidityUnits: &cognitoidp.TokenValidityUnitsType{AccessToken: shape.Ptr("minutes")}}, ""},
			{cognitoidp.CreateUserPoolClientRequest{ExplicitAuthFlows: []string{"ALLOW_USER_SRP_AUTH", "USER_PASSWORD_AUTH"}}, invalid + "You cannot use ExplicitAuthFlows values with and without the ALLOW_ prefix at the same time."},
			{cognitoidp.CreateUserPoolClientRequest{ReadAttributes: []string{"custom:nope"}}, invalid + "Invalid read attributes specified while creating a client"},
			{cognitoidp.CreateUserPoolClientRequest{WriteAttributes: []string{"email"}}, invalid + "Invalid write attributes specified while creating a client"},
			{cognitoidp.CreateUserPoolClientRequest{WriteAttributes: []string{"given_name", "email_verified"}}, invalid + "Invalid write attributes specified while creating a client"},
			{cognitoidp.CreateUserPoolClientRequest{SupportedIdentityProviders: []string{"Google"}}, invalid + "The provider Google does not exist for User Pool " + pool + "."},
			{cognitoidp.CreateUserPoolClientRequest{AllowedOAuthFlowsUserPoolClient: shape.Ptr(true)}, invalid + "AllowedOAuthFlows and AllowedOAuthScopes are required if user pool client is allowed to use OAuth flows."},
			{cognitoidp.CreateUserPoolClientRequest{AllowedOAuthFlows: []string{"client_credentials"}}, "InvalidOAuthFlowException: client_credentials flow can not be selected if client does not have a client secret."},
			{cognitoidp.CreateUserPoolClientRequest{AllowedOAuthScopes: []string{"api/read"}}, "ScopeDoesNotExistException: Invalid scope requested: api/read"},
			{cognitoidp.CreateUserPoolClientRequest{CallbackURLs: []string{"http://example.com"}}, invalid + "http://example.com cannot use the HTTP protocol."},
			{cognitoidp.CreateUserPoolClientRequest{CallbackURLs: []string{"http://localhost:3000/x", "http://[::1]/", "myapp://cb", "https://example.com/a?b=c"}}, ""},
			{cognitoidp.CreateUserPoolClientRequest{CallbackURLs: []string{"https://example.com/#a"}}, invalid + "…"},
			{cognitoidp.CreateUserPoolClientRequest{CallbackURLs: []string{"/relative"}}, invalid + "…"},
			{cognitoidp.CreateUserPoolClientRequest{CallbackURLs: []string{"javascript:alert(1)"}}, invalid + "…"},
			{cognitoidp.CreateUserPoolClientRequest{DefaultRedirectURI: shape.Ptr("https://example.com")}, invalid + "The default redirect URI must be one of the callback URLs."},
			{cognitoidp.CreateUserPoolClientRequest{RefreshTokenRotation: &cognitoidp.RefreshTokenRotationType{Feature: "ENABLED"}}, invalid + "Refresh token rotation cannot be enabled together with ALLOW_REFRESH_TOKEN_AUTH."},
			{cognitoidp.CreateUserPoolClientRequest{GenerateSecret: shape.Ptr(true), ClientSecret: shape.Ptr(strings.Repeat("x", 30))}, invalid + "GenerateSecret and ClientSecret cannot be used together."},
			{cognitoidp.CreateUserPoolClientRequest{ClientSecret: shape.Ptr(strings.Repeat("x", 30))}, ""},
		} {
			x.in.UserPoolId, x.in.ClientName = pool, "x"
			_, err := f.CreateUserPoolClient(f.ctx, &x.in)
			if x.want == "" {
				must(0, err)(t)
			} else {
				wantErr(t, err, x.want)
			}
		}
		must(f.UpdateUserPoolClient(f.ctx, &cognitoidp.UpdateUserPoolClientRequest{UserPoolId: pool, ClientId: *c.ClientId, ExplicitAuthFlows: []string{"ALLOW_USER_PASSWORD_AUTH"}, AuthSessionValidity: shape.Ptr[int64](5)}))(t)
		got := must(f.DescribeUserPoolClient(f.ctx, &cognitoidp.DescribeUserPoolClientRequest{UserPoolId: pool, ClientId: *c.ClientId}))(t).UserPoolClient
		if *got.ClientName != "app" || *got.AuthSessionValidity != 5 || got.ClientSecret != nil {
			t.Errorf("%+v", got)
		}
		must(f.DeleteUserPoolClient(f.ctx, &cognitoidp.DeleteUserPoolClientRequest{UserPoolId: pool, ClientId: *c.ClientId}))(t)
		_, err := f.DeleteUserPoolClient(f.ctx, &cognitoidp.DeleteUserPoolClientRequest{UserPoolId: pool, ClientId: *c.ClientId})
		wantErr(t, err, "ResourceNotFoundException: User pool client "+*c.ClientId+" does not exist.")
		_, err = f.CreateUserPoolClient(f.ctx, &cognitoidp.CreateUserPoolClientRequest{UserPoolId: "eu-central-1_nope", ClientName: "x"})
		wantErr(t, err, "ResourceNotFoundException: User pool eu-central-1_nope does not exist.")
	})
}

func TestDiscovery(t *testing.T) {
	f := newFixture(t, "memory:")
	pool := f.newPool(cognitoidp.CreateUserPoolRequest{})
	var doc map[string]any
	if err := json.Unmarshal(must(f.OpenIDConfiguration(f.ctx, pool))(t), &doc); err != nil {
		t.Fatal(err)
	}
	iss := AWSIssuer(testRegion, pool)
	if doc["issuer"] != iss || doc["jwks_uri"] != iss+"/.well-known/jwks.json" {
		t.Errorf("%v", doc)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(must(f.JWKS(f.ctx, pool))(t), &set); err != nil || len(set.Keys) != 2 {
		t.Errorf("%v %v", set, err)
	}
	if id, ok := f.IssuerPool(f.ctx, iss); !ok || id != pool {
		t.Errorf("%s means %q", iss, id)
	}
	for _, bad := range []string{"", pool, "https://evil.example/" + pool, AWSIssuer("us-east-1", pool), iss + "/", "http" + iss[5:]} {
		if id, ok := f.IssuerPool(f.ctx, bad); ok {
			t.Errorf("%q means %s", bad, id)
		}
	}
	_, err := f.JWKS(f.ctx, "eu-central-1_nope")
	wantErr(t, err, "ResourceNotFoundException: …")
}

// TestResources makes the pools and clients of the templates that the seeds synthesize.
func TestResources(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/templates/*.json")
	if len(files) == 0 {
		t.Skip("no templates beside the checkout")
	}
	f := newFixture(t, "memory:")
	var reg resource.Registry
	handlers := map[string]resource.Handler{}
	for _, r := range f.Resources() {
		reg.Register(r)
		handlers[r.Name] = r.Handler
	}
	made := 0
	for _, file := range files {
		b := must(os.ReadFile(file))(t)
		var doc struct {
			Resources map[string]struct {
				Type       string
				Properties map[string]any
			}
		}
		if json.Unmarshal(b, &doc) != nil {
			continue
		}
		pool := ""
		for _, kind := range []string{"AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient"} {
			for id, r := range doc.Resources {
				if r.Type != kind {
					continue
				}
				if kind == "AWS::Cognito::UserPoolClient" {
					r.Properties["UserPoolId"] = pool
				}
				req := &resource.Request{StackName: "stack", LogicalID: id, Type: kind, Token: file + id, Props: r.Properties, Tags: map[string]string{"aws:cloudformation:stack-name": "stack"}}
				if err := reg.Check(kind, id, r.Properties); err != nil {
					t.Errorf("%s: %v", file, err)
				}
				res := must(handlers[kind].Create(f.ctx, req))(t)
				again := must(handlers[kind].Create(f.ctx, req))(t)
				if res.PhysicalID != again.PhysicalID {
					t.Errorf("%s %s: made twice: %s, %s", file, id, res.PhysicalID, again.PhysicalID)
				}
				schema, _ := reg.Schema(kind)
				for name := range schema.Attributes {
					if _, ok := res.Attrs[name]; !ok && name != "ClientSecret" {
						t.Errorf("%s: no attribute %s", kind, name)
					}
				}
				if pool == "" {
					pool = res.PhysicalID
				}
				req.PhysicalID, req.OldProps = res.PhysicalID, r.Properties
				if got := must(handlers[kind].Update(f.ctx, req))(t); got.PhysicalID != res.PhysicalID {
					t.Errorf("update replaced %s", id)
				}
				made++
				defer func() {
					for range 2 { // the second finds it gone
						must(0, handlers[kind].Delete(f.ctx, req))(t)
					}
				}()
			}
		}
	}
	t.Logf("%d resources of %d templates", made, len(files))
}

func TestResourceUpdate(t *testing.T) {
	f := newFixture(t, "memory:")
	h := f.Resources()[0].Handler
	props := func(s string) (m map[string]any) {
		if err := json.Unmarshal([]byte(s), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	old := props(`{"UsernameAttributes":["email"],"Schema":[{"Name":"plan","AttributeDataType":"String"}]}`)
	req := &resource.Request{StackName: "s", LogicalID: "Pool", Props: old}
	res := must(h.Create(f.ctx, req))(t)
	for next, want := range map[string]string{
		`{"UsernameAttributes":["phone_number"],"Schema":[{"Name":"plan","AttributeDataType":"String"}]}`: "Updates are not allowed for property - UsernameAttributes.",
		`{"UsernameAttributes":["email"],"Schema":[{"Name":"plan","AttributeDataType":"Number"}]}`:        "Existing schema attributes cannot be modified or deleted.",
		`{"UsernameAttributes":["email"]}`: "Existing schema attributes cannot be modified or deleted.",
		`{"UsernameAttributes":["email"],"Schema":[{"Name":"plan","AttributeDataType":"String"}],"LambdaConfig":{"PreSignUp":"arn:aws:lambda:eu-central-1:000000000000:function:f"}}`: "The Lambda trigger PreSignUp (LambdaConfig) is not supported by this version of Gatehouse.",
		`{"UsernameAttributes":["email"],"Schema":[{"Name":"plan","AttributeDataType":"String"},{"Name":"age","AttributeDataType":"Number"}],"UserPoolName":"renamed"}`:               "",
	} {
		_, err := h.Update(f.ctx, &resource.Request{PhysicalID: res.PhysicalID, OldProps: old, Props: props(next)})
		if want == "" {
			must(0, err)(t)
			continue
		}
		wantErr(t, err, "InvalidParameterException: "+want)
	}
	p := must(f.DescribeUserPool(f.ctx, &cognitoidp.DescribeUserPoolRequest{UserPoolId: res.PhysicalID}))(t).UserPool
	if *p.Name != "renamed" || *p.SchemaAttributes[len(p.SchemaAttributes)-1].Name != "custom:age" {
		t.Errorf("%s %v", *p.Name, fmt.Sprint(len(p.SchemaAttributes)))
	}
}

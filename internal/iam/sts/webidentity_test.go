package sts_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	stsapi "github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/token"
)

// issuer signs tokens.
type issuer struct {
	url string
	key *ecdsa.PrivateKey
}

func (w *world) issuer(url string) *issuer {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.ok(err)
	i := &issuer{url, key}
	if w.issuers[url] == nil {
		w.issuers[url] = i
	}
	return i
}

func (w *world) keys(_ context.Context, url string) (token.KeySource, bool) {
	if i := w.issuers[url]; i != nil {
		return i, true
	}
	return nil, false
}

func (i *issuer) Key(_ context.Context, kid string) (crypto.PublicKey, string, error) {
	if kid != "k1" {
		return nil, "", nil
	}
	return i.key.Public(), "ES256", nil
}

func (i *issuer) Version() uint64 { return 1 }

// token returns a good token, with the claims over its own; nil leaves a claim out.
func (w *world) token(i *issuer, claims map[string]any) string {
	w.t.Helper()
	all := map[string]any{"iss": i.url, "sub": "subject-1", "aud": "client-1", "iat": w.now.Unix(), "exp": w.now.Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(all)
	w.ok(err)
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: "k1"}}, nil)
	w.ok(err)
	signed, err := s.Sign(text)
	w.ok(err)
	compact, err := signed.CompactSerialize()
	w.ok(err)
	return compact
}

const (
	cognito = "cognito-identity.amazonaws.com"
	pool    = "us-east-1:11111111-2222-3333-4444-555555555555"
	person  = "us-east-1:99999999-2222-3333-4444-555555555555"
)

func cognitoTrust(pool, amr string) string {
	return allow(`{"Federated":"`+cognito+`"}`, `"sts:AssumeRoleWithWebIdentity"`,
		`{"StringEquals":{"`+cognito+`:aud":"`+pool+`"},"ForAnyValue:StringLike":{"`+cognito+`:amr":"`+amr+`"}}`)
}

func TestCognitoTokens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		cog := w.issuer("https://" + cognito)
		arn := w.role("auth", cognitoTrust(pool, "authenticated"))
		_, err := w.iam.PutRolePolicy(w.ctx, &iamapi.PutRolePolicyRequest{RoleName: "auth", PolicyName: "p",
			PolicyDocument: document(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${cognito-identity.amazonaws.com:sub}/*"}`)})
		w.ok(err)
		claims := map[string]any{"aud": pool, "sub": person, "amr": []string{"authenticated", "accounts.google.com"}}
		out, err := w.sts.AssumeRoleWithWebIdentity(w.as(nil), &stsapi.AssumeRoleWithWebIdentityRequest{RoleArn: arn, RoleSessionName: "s1", WebIdentityToken: w.token(cog, claims)})
		w.ok(err)
		if *out.SubjectFromWebIdentityToken != person || *out.Audience != pool || *out.Provider != cognito || out.AssumedRoleUser.Arn != "arn:aws:sts::"+account+":assumed-role/auth/s1" {
			t.Errorf("%+v", out)
		}
		who := w.become(out.Credentials)
		if !w.may(who, "s3:GetObject", "arn:aws:s3:::b/"+person+"/x") || w.may(who, "s3:GetObject", "arn:aws:s3:::b/other/x") {
			t.Error("the policy's variable is not the identity")
		}
		if who.Session.Provider != cognito || who.Session.Context[cognito+":amr"][0] != "authenticated" {
			t.Errorf("%+v", who.Session)
		}

		// As identity pools ask, whose own word is enough.
		web := func(pool, amr string) *session.WebIdentity {
			return &session.WebIdentity{Provider: cognito, Subject: person, Audience: []string{pool}, Context: map[string][]string{
				cognito + ":aud": {pool}, cognito + ":sub": {person}, cognito + ":amr": {amr}}}
		}
		c, ses, err := w.sts.AssumeWithWebIdentity(w.as(nil), &session.RoleRequest{RoleARN: arn, SessionName: "CognitoIdentityCredentials", Duration: 30 * time.Minute, WebIdentity: web(pool, "authenticated")})
		w.ok(err)
		if !c.Expires.Equal(w.now.Add(30*time.Minute)) || ses.Name != "CognitoIdentityCredentials" {
			t.Errorf("%v, %+v", c.Expires, ses)
		}
		denied := "403 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
		for name, test := range map[string]struct {
			web *session.WebIdentity
			arn string
		}{
			"a guest":      {web(pool, "unauthenticated"), arn},
			"another pool": {web(pool[:len(pool)-1]+"6", "authenticated"), arn},
			"no role":      {web(pool, "authenticated"), arnOf("role/none")},
			"no context":   {&session.WebIdentity{Provider: cognito, Subject: person}, arn},
			"another name": {&session.WebIdentity{Provider: "accounts.google.com", Context: web(pool, "authenticated").Context}, arn},
			"with tags":    {&session.WebIdentity{Provider: cognito, Context: web(pool, "authenticated").Context, Tags: map[string]string{"a": "b"}}, arn},
		} {
			_, _, err := w.sts.AssumeWithWebIdentity(w.as(nil), &session.RoleRequest{RoleARN: test.arn, SessionName: "s1", WebIdentity: test.web})
			w.is(name, err, denied)
		}
	})
}

func TestWebIdentityTokens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		const url = "https://idp.example.com/Realm"
		idp, stranger := w.issuer(url), w.issuer("https://stranger.example.com")
		google := w.issuer("https://accounts.google.com")
		cog := w.issuer("https://" + cognito)
		forger := w.issuer(url) // another key for the same issuer
		pr, err := w.iam.CreateOpenIDConnectProvider(w.ctx, &iamapi.CreateOpenIDConnectProviderRequest{Url: url, ClientIDList: []string{"client-1", "client-2"}})
		w.ok(err)
		federated := `{"Federated":` + quoted(*pr.OpenIDConnectProviderArn) + `}`
		act := `["sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"]`
		only := `"sts:AssumeRoleWithWebIdentity"`
		arn := w.role("r", allow(federated, act, ""))

		unsigned := func(header string) string {
			parts := strings.Split(w.token(idp, nil), ".")
			return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "."
		}
		denied := "403 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
		notJWT := "400 InvalidIdentityToken: The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
		badSignature := "400 InvalidIdentityToken: The web identity token that was passed could not be validated by AWS. Get a new identity token from the identity provider and then retry the request."
		noKey := "400 InvalidIdentityToken: Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
		nested := map[string]any{"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"Project": []string{"x"}}, "transitive_tag_keys": []string{"Project"}},
			"https://aws.amazon.com/source_identity": "alice"}
		flat := map[string]any{"https://aws.amazon.com/tags/principal_tags/Project": "x", "https://aws.amazon.com/tags/transitive_tag_keys": []string{"Project"}}
		tests := []struct {
			name, trust, token, want string
		}{
			{"good", allow(federated, only, `{"StringEquals":{"idp.example.com/Realm:aud":"client-1","idp.example.com/Realm:sub":"subject-1"}}`), w.token(idp, nil), ""},
			{"second client", allow(federated, only, ""), w.token(idp, map[string]any{"aud": "client-2"}), ""},
			{"two audiences", allow(federated, only, ""), w.token(idp, map[string]any{"aud": []string{"x", "client-2"}}), ""},
			{"authorized party", allow(federated, only, `{"StringEquals":{"idp.example.com/Realm:aud":"client-1","idp.example.com/Realm:oaud":"api"}}`), w.token(idp, map[string]any{"aud": "api", "azp": "client-1"}), ""},
			{"mail address", allow(federated, only, `{"StringEquals":{"idp.example.com/Realm:email":"a@example.com"}}`), w.token(idp, map[string]any{"email": "a@example.com"}), ""},
			{"amr", allow(federated, only, `{"ForAnyValue:StringEquals":{"idp.example.com/Realm:amr":"mfa"}}`), w.token(idp, map[string]any{"amr": []string{"pwd", "mfa"}}), ""},
			{"tags", allow(federated, act, `{"StringEquals":{"aws:RequestTag/Project":"x","sts:TransitiveTagKeys":"Project","sts:SourceIdentity":"alice"}}`), w.token(idp, nested), ""},
			{"flat tags", allow(federated, act, `{"StringEquals":{"aws:RequestTag/Project":"x","sts:TransitiveTagKeys":"Project"}}`), w.token(idp, flat), ""},
			{"Google", allow(`{"Federated":"accounts.google.com"}`, only, `{"StringEquals":{"accounts.google.com:aud":"app","accounts.google.com:oaud":"web","accounts.google.com:email":"a@example.com"}}`),
				w.token(google, map[string]any{"aud": "web", "azp": "app", "email": "a@example.com"}), ""},
			{"Google's short name", allow(`{"Federated":"accounts.google.com"}`, only, ""), w.token(google, map[string]any{"iss": "accounts.google.com"}), ""},

			{"wrong client", allow(federated, act, ""), w.token(idp, map[string]any{"aud": "client-3"}), "400 InvalidIdentityToken: Incorrect token audience"},
			{"wrong authorized party", allow(federated, act, ""), w.token(idp, map[string]any{"azp": "client-3"}), "400 InvalidIdentityToken: Incorrect token audience"},
			{"expired", allow(federated, act, ""), w.token(idp, map[string]any{"exp": w.now.Unix()}), ""}, // worded below
			{"not yet", allow(federated, act, ""), w.token(idp, map[string]any{"nbf": w.now.Add(10 * time.Minute).Unix()}), ""},
			{"no subject", allow(federated, act, ""), w.token(idp, map[string]any{"sub": nil}), "400 InvalidIdentityToken: Missing a required claim: sub"},
			{"no audience", allow(federated, act, ""), w.token(idp, map[string]any{"aud": nil}), "400 InvalidIdentityToken: Missing a required claim: aud"},
			{"no end", allow(federated, act, ""), w.token(idp, map[string]any{"exp": nil}), "400 InvalidIdentityToken: Missing a required claim: exp"},
			{"no beginning", allow(federated, act, ""), w.token(idp, map[string]any{"iat": nil}), "400 InvalidIdentityToken: Missing a required claim: iat"},
			{"alg none", allow(federated, act, ""), unsigned(`{"alg":"none"}`), notJWT},
			{"alg none, with a kid", allow(federated, act, ""), unsigned(`{"alg":"none","kid":"k1"}`), notJWT},
			{"forged", allow(federated, act, ""), w.token(forger, nil), badSignature},
			{"not a token", allow(federated, act, ""), "hello", notJWT},
			{"an opaque token", allow(federated, act, ""), "a.b.c", notJWT},
			{"too long", allow(federated, act, ""), strings.Repeat("a", 20000), notJWT},
			{"unknown issuer", allow(federated, act, ""), w.token(stranger, nil), "400 InvalidIdentityToken: No OpenIDConnect provider found in your account for https://stranger.example.com"},
			{"a part of the issuer's path", allow(federated, act, ""), w.token(idp, map[string]any{"iss": "https://idp.example.com"}), "400 InvalidIdentityToken: No OpenIDConnect provider found in your account for https://idp.example.com"},
			{"the issuer with a slash", allow(federated, act, ""), w.token(idp, map[string]any{"iss": url + "/"}), "400 InvalidIdentityToken: No OpenIDConnect provider found in your account for " + url + "/"},
			{"of another issuer's key", allow(federated, act, ""), w.token(stranger, map[string]any{"iss": url}), badSignature},
			{"says it is Cognito's", allow(`{"Federated":"`+cognito+`"}`, act, ""), w.token(idp, map[string]any{"iss": "https://" + cognito}), badSignature},
			{"two issuers", allow(federated, act, ""), w.token(idp, map[string]any{"iss": "https://" + cognito, "ISS": url}), ""}, // worded below
			{"unknown key", allow(federated, act, ""), strings.Replace(w.token(idp, nil), header("k1"), header("k2"), 1), noKey},

			{"trust in another subject", allow(federated, only, `{"StringEquals":{"idp.example.com/Realm:sub":"subject-2"}}`), w.token(idp, nil), denied},
			{"trust in another provider", allow(`{"Federated":"`+cognito+`"}`, act, ""), w.token(idp, nil), denied},
			{"trust in Cognito by another's token", cognitoTrust(pool, "authenticated"), w.token(idp, map[string]any{"amr": []string{"authenticated"}}), denied},
			{"trust in users", allow(aws(arnOf("root")), `"sts:*"`, ""), w.token(idp, nil), denied},
			{"trust for SAML", allow(federated, `"sts:AssumeRoleWithSAML"`, ""), w.token(idp, nil), denied},
			{"tags without TagSession", allow(federated, `["sts:AssumeRoleWithWebIdentity","sts:SetSourceIdentity"]`, ""), w.token(idp, flat), denied},
			{"source identity without SetSourceIdentity", allow(federated, `["sts:AssumeRoleWithWebIdentity","sts:TagSession"]`, ""), w.token(idp, nested), denied},
			{"two values of a tag", allow(federated, act, ""), w.token(idp, map[string]any{"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"a": []string{"x", "y"}}}}),
				`400 InvalidIdentityToken: The session tag "a" must have a single value; keys have at most 128 characters, values 256.`},
			{"cognito, another pool", cognitoTrust(pool, "authenticated"), w.token(cog, map[string]any{"aud": "us-east-1:other", "amr": []string{"authenticated"}}), denied},
			{"cognito, a guest", cognitoTrust(pool, "authenticated"), w.token(cog, map[string]any{"aud": pool, "amr": []string{"unauthenticated"}}), denied},
		}
		for _, test := range tests {
			w.trust("r", test.trust)
			_, err := w.sts.AssumeRoleWithWebIdentity(w.as(nil), &stsapi.AssumeRoleWithWebIdentityRequest{RoleArn: arn, RoleSessionName: "s1", WebIdentityToken: test.token})
			switch test.name {
			case "expired":
				if got := says(err); !strings.HasPrefix(got, "400 ExpiredTokenException: Token expired: current date/time ") {
					t.Errorf("expired: %s", got)
				}
			case "not yet", "two issuers":
				if got := says(err); !strings.HasPrefix(got, "400 InvalidIdentityToken: ") {
					t.Errorf("%s: %s", test.name, got)
				}
			default:
				w.is(test.name, err, test.want)
			}
		}
		w.trust("r", allow(federated, act, ""))
		for name, test := range map[string]struct {
			in   stsapi.AssumeRoleWithWebIdentityRequest
			want string
		}{
			"no role":  {stsapi.AssumeRoleWithWebIdentityRequest{RoleArn: arnOf("role/none")}, denied},
			"Facebook": {stsapi.AssumeRoleWithWebIdentityRequest{RoleArn: arn, ProviderId: shape.Ptr("graph.facebook.com")}, "400 ValidationError: ProviderId graph.facebook.com is not supported by this version of Gatehouse."},
			"too long": {stsapi.AssumeRoleWithWebIdentityRequest{RoleArn: arn, DurationSeconds: shape.Ptr[int64](43200)}, "400 ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
			"policy":   {stsapi.AssumeRoleWithWebIdentityRequest{RoleArn: arn, Policy: shape.Ptr("x")}, "400 MalformedPolicyDocument: Syntax errors in policy."},
		} {
			test.in.RoleSessionName, test.in.WebIdentityToken = "s1", w.token(idp, nil)
			_, err := w.sts.AssumeRoleWithWebIdentity(w.as(nil), &test.in)
			w.is(name, err, test.want)
		}

		// What the session knows of where it comes from.
		out, err := w.sts.AssumeRoleWithWebIdentity(w.as(nil), &stsapi.AssumeRoleWithWebIdentityRequest{RoleArn: arn, RoleSessionName: "s1", WebIdentityToken: w.token(idp, nested)})
		w.ok(err)
		who := w.become(out.Credentials)
		if *out.Provider != *pr.OpenIDConnectProviderArn || *out.SourceIdentity != "alice" || who.Session.Tags["Project"] != "x" || who.Session.Transitive[0] != "Project" ||
			who.Session.Context["idp.example.com/realm:sub"][0] != "subject-1" {
			t.Errorf("%+v, %+v", out, who.Session)
		}
	})
}

// header is the beginning of a token whose key has the id.
func header(kid string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"` + kid + `"}`))
}

// FuzzWebIdentityToken: no token that was not made here opens a role, and none makes a panic.
func FuzzWebIdentityToken(f *testing.F) {
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2NvZ25pdG8taWRlbnRpdHkuYW1hem9uYXdzLmNvbSJ9.")
	w := newWorld(f, storetest.Open(f, "memory:"))
	w.issuer("https://" + cognito)
	arn := w.role("r", allow(`{"Federated":"`+cognito+`"}`, `"sts:*"`, ""))
	var nobody *iam.Caller
	f.Fuzz(func(t *testing.T, raw string) {
		w.t = t
		if _, err := w.sts.AssumeRoleWithWebIdentity(w.as(nobody), &stsapi.AssumeRoleWithWebIdentityRequest{RoleArn: arn, RoleSessionName: "s1", WebIdentityToken: raw}); err == nil || !strings.HasPrefix(says(err), "400 InvalidIdentityToken") {
			t.Errorf("%v", err)
		}
	})
}

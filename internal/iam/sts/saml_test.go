package sts_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	stsapi "github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/saml/samltest"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

const attribute = "https://aws.amazon.com/SAML/Attributes/"

func TestSAML(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		idp, evil := samltest.New(t, "https://idp.example.com"), samltest.New(t, "https://idp.example.com")
		out, err := w.iam.CreateSAMLProvider(w.ctx, &iamapi.CreateSAMLProviderRequest{Name: "MyIdP", SAMLMetadataDocument: string(idp.Metadata())})
		w.ok(err)
		provider := *out.SAMLProviderArn
		federated := `{"Federated":` + quoted(provider) + `}`
		act := `["sts:AssumeRoleWithSAML","sts:TagSession","sts:SetSourceIdentity"]`
		arn := w.role("r", allow(federated, act, ""))
		w.role("other", allow(federated, act, ""))

		base := func() samltest.Assertion {
			return samltest.Assertion{Now: w.now, NameID: "alice", Audience: "urn:amazon:webservices", Recipient: "https://signin.aws.amazon.com/saml", Attributes: map[string][]string{
				attribute + "Role":                 {arnOf("role/nothing") + "," + provider, arn + ", " + provider},
				attribute + "RoleSessionName":      {"alice@example.com"},
				"urn:oid:1.3.6.1.4.1.5923.1.1.1.1": {"staff", "member"},
			}}
		}
		with := func(name string, values ...string) func(*samltest.Assertion) {
			return func(a *samltest.Assertion) {
				a.Attributes = maps.Clone(a.Attributes)
				a.Attributes[attribute+name] = values
				if len(values) == 0 {
					delete(a.Attributes, attribute+name)
				}
			}
		}
		ask := func(a samltest.Assertion) (*stsapi.AssumeRoleWithSAMLResponse, error) {
			return w.sts.AssumeRoleWithSAML(w.as(nil), &stsapi.AssumeRoleWithSAMLRequest{RoleArn: arn, PrincipalArn: provider, SAMLAssertion: idp.Encoded(a)})
		}

		got, err := ask(base())
		w.ok(err)
		hash := sha1.Sum([]byte("https://idp.example.com" + account + "/MyIdP"))
		qualifier := base64.StdEncoding.EncodeToString(hash[:])
		if *got.Subject != "alice" || *got.SubjectType != "persistent" || *got.Issuer != "https://idp.example.com" || *got.Audience != "https://signin.aws.amazon.com/saml" ||
			*got.NameQualifier != qualifier || got.AssumedRoleUser.Arn != "arn:aws:sts::"+account+":assumed-role/r/alice@example.com" || !got.Credentials.Expiration.Equal(w.now.Add(time.Hour)) {
			t.Errorf("%+v", got)
		}
		who := w.become(got.Credentials)
		if s := who.Session; s.Provider != provider || fmt.Sprint(s.Context) != "map[saml:namequalifier:["+qualifier+"] saml:sub:[alice] saml:sub_type:[persistent]]" {
			t.Errorf("%+v", s)
		}

		denied := "403 AccessDenied: Not authorized to perform sts:AssumeRoleWithSAML"
		tests := []struct {
			name   string
			trust  string // "": lets all in
			change func(*samltest.Assertion)
			want   string
		}{
			{"conditions", allow(federated, act, `{"StringEquals":{"saml:aud":"https://signin.aws.amazon.com/saml","saml:iss":"https://idp.example.com","saml:sub":"alice","saml:sub_type":"persistent","saml:doc":"`+account+`/MyIdP","saml:namequalifier":"`+qualifier+`","sts:RoleSessionName":"alice@example.com"},"ForAnyValue:StringEquals":{"saml:edupersonaffiliation":"staff"}}`), nil, ""},
			{"audience is the sign-in", "", func(a *samltest.Assertion) { a.Audience = "https://signin.aws.amazon.com/saml" }, ""},
			{"regional sign-in", "", func(a *samltest.Assertion) { a.Recipient = "https://us-east-1.signin.aws.amazon.com/saml" }, ""},
			{"signed response", "", func(a *samltest.Assertion) { a.Sign = "response" }, ""},
			{"provider before role", "", with("Role", provider+","+arn), ""},
			{"tags", allow(federated, act, `{"StringEquals":{"aws:RequestTag/Project":"x","sts:TransitiveTagKeys":"Project"}}`), func(a *samltest.Assertion) {
				with("PrincipalTag:Project", "x")(a)
				with("TransitiveTagKeys", "Project")(a)
			}, ""},
			{"source identity", allow(federated, act, `{"StringEquals":{"sts:SourceIdentity":"alice"}}`), with("SourceIdentity", "alice"), ""},

			{"wrong affiliation", allow(federated, act, `{"ForAnyValue:StringEquals":{"saml:edupersonaffiliation":"student"}}`), nil, denied},
			{"wrong endpoint", allow(federated, act, `{"StringEquals":{"saml:aud":"https://signin.aws.amazon.com/other"}}`), nil, denied},
			{"trust in another provider", allow(`{"Federated":`+quoted(provider+"2")+`}`, act, ""), nil, denied},
			{"trust for tokens", allow(federated, `"sts:AssumeRoleWithWebIdentity"`, ""), nil, denied},
			{"tags without TagSession", allow(federated, `"sts:AssumeRoleWithSAML"`, ""), with("PrincipalTag:Project", "x"), denied},
			{"source identity without SetSourceIdentity", allow(federated, `"sts:AssumeRoleWithSAML"`, ""), with("SourceIdentity", "alice"), denied},
			{"another role", "", with("Role", arnOf("role/other")+","+provider), denied},
			{"another provider", "", with("Role", arn+","+provider+"2"), denied},
			{"half a pair", "", with("Role", arn), denied},
			{"no roles", "", with("Role"), denied},
			{"no name", "", func(a *samltest.Assertion) { a.NoNameID = true }, denied},
			{"no session name", "", with("RoleSessionName"), "400 InvalidIdentityToken: RoleSessionName is required in AuthnResponse"},
			{"bad session name", "", with("RoleSessionName", "Alice Doe"), "400 InvalidIdentityToken: RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"},
			{"two session names", "", with("RoleSessionName", "aa", "bb"), "400 InvalidIdentityToken: RoleSessionName in AuthnResponse must have a single value"},
			{"bad source identity", "", with("SourceIdentity", "a b"), `400 InvalidIdentityToken: Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"`},
			{"bad duration", "", with("SessionDuration", "899"), "400 InvalidIdentityToken: SessionDuration in AuthnResponse must be an integer between 900 and 43200"},
			{"two values of a tag", "", with("PrincipalTag:a", "x", "y"), `400 InvalidIdentityToken: The session tag "a" must have a single value; keys have at most 128 characters, values 256.`},
			{"unsigned", "", func(a *samltest.Assertion) { a.Sign = "none" }, "400 InvalidIdentityToken: Response signature invalid"},
			{"wrong issuer", "", func(a *samltest.Assertion) { a.Issuer = "https://other.example.com" }, "400 InvalidIdentityToken: Issuer not present in specified provider"},
			{"wrong audience", "", func(a *samltest.Assertion) { a.Audience = "urn:somebody" }, "400 InvalidIdentityToken: Response does not contain the required audience."},
			{"wrong recipient", "", func(a *samltest.Assertion) { a.Recipient = "https://other.example.com/saml" }, "400 InvalidIdentityToken: Your request included an invalid SAML response: the response's Destination is somebody else."},
			{"old", "", func(a *samltest.Assertion) { a.Now = a.Now.Add(-time.Hour) }, "400 ExpiredTokenException: Token must be redeemed within 5 minutes of issuance"},
			{"failed", "", func(a *samltest.Assertion) { a.Status = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed" }, "403 IDPRejectedClaim: The identity provider reported that authentication failed."},
		}
		for _, test := range tests {
			if test.trust == "" {
				test.trust = allow(federated, act, "")
			}
			w.trust("r", test.trust)
			a := base()
			if test.change != nil {
				test.change(&a)
			}
			_, err := ask(a)
			w.is(test.name, err, test.want)
		}
		w.trust("r", allow(federated, act, ""))

		for name, test := range map[string]struct{ role, provider, assertion, want string }{
			"forged":      {arn, provider, evil.Encoded(base()), "400 InvalidIdentityToken: Response signature invalid"},
			"no role":     {arnOf("role/nothing"), provider, idp.Encoded(base()), denied},
			"no provider": {arn, provider + "2", idp.Encoded(base()), "400 InvalidIdentityToken: Specified provider doesn't exist"},
			"not an ARN":  {arn, "MyIdP", idp.Encoded(base()), "400 ValidationError: Principal ARN is invalid"},
			"a role":      {arn, arn, idp.Encoded(base()), "400 ValidationError: Principal ARN is invalid"},
			"no base64":   {arn, provider, "%%%%", "400 InvalidIdentityToken: Invalid base64 SAMLResponse"},
		} {
			_, err := w.sts.AssumeRoleWithSAML(w.as(nil), &stsapi.AssumeRoleWithSAMLRequest{RoleArn: test.role, PrincipalArn: test.provider, SAMLAssertion: test.assertion})
			w.is(name, err, test.want)
		}
		_, err = w.sts.AssumeRoleWithSAML(w.as(nil), &stsapi.AssumeRoleWithSAMLRequest{RoleArn: arn, PrincipalArn: provider, SAMLAssertion: strings.Repeat("A", 100000)})
		w.is("no XML", err, says(err))
		if !strings.HasPrefix(says(err), "400 InvalidIdentityToken: Your request included an invalid SAML response: ") {
			t.Errorf("no XML: %v", err)
		}

		// The assertion can shorten a session.
		for name, test := range map[string]struct {
			change func(*samltest.Assertion)
			asked  *int64
			want   time.Duration
		}{
			"asked for":                  {nil, shape.Ptr[int64](7200), 2 * time.Hour},
			"SessionDuration shortens":   {with("SessionDuration", "1800"), shape.Ptr[int64](7200), 30 * time.Minute},
			"SessionDuration is shorter": {with("SessionDuration", "43200"), nil, time.Hour},
			"SessionNotOnOrAfter":        {func(a *samltest.Assertion) { a.SessionEnds = w.now.Add(20 * time.Minute).UTC().Format(time.RFC3339) }, nil, 20 * time.Minute},
		} {
			a := base()
			if test.change != nil {
				test.change(&a)
			}
			out, err := w.sts.AssumeRoleWithSAML(w.as(nil), &stsapi.AssumeRoleWithSAMLRequest{RoleArn: arn, PrincipalArn: provider, SAMLAssertion: idp.Encoded(a), DurationSeconds: test.asked})
			w.ok(err)
			if d := out.Credentials.Expiration.Sub(w.now); d != test.want {
				t.Errorf("%s: %v, want %v", name, d, test.want)
			}
		}
	})
}

// code is the code of an MFA device at a time (RFC 6238).
func code(seed []byte, at time.Time) string {
	h := hmac.New(sha1.New, seed)
	binary.Write(h, binary.BigEndian, at.Unix()/30)
	sum := h.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1000000)
}

// A role or a session for those who have their device with them.
func TestMFA(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		alice, bob := w.user("alice", anyAction), w.user("bob", anyAction)
		dev, err := w.iam.CreateVirtualMFADevice(w.ctx, &iamapi.CreateVirtualMFADeviceRequest{VirtualMFADeviceName: "alice"})
		w.ok(err)
		serial := dev.VirtualMFADevice.SerialNumber
		seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(string(dev.VirtualMFADevice.Base32StringSeed), "="))
		w.ok(err)
		_, err = w.iam.EnableMFADevice(w.ctx, &iamapi.EnableMFADeviceRequest{UserName: "alice", SerialNumber: serial,
			AuthenticationCode1: code(seed, w.now), AuthenticationCode2: code(seed, w.now.Add(30*time.Second))})
		w.ok(err)
		w.now = w.now.Add(2 * time.Minute)

		arn := w.role("r", allow(aws(arnOf("root")), `"sts:AssumeRole"`, `{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"60"}}`))
		in := stsapi.AssumeRoleRequest{RoleArn: arn, RoleSessionName: "s1"}
		_, err = w.sts.AssumeRole(w.as(alice), &in)
		w.is("without a code", err, "403 AccessDenied: User: "+alice.ARN+" is not authorized to perform: sts:AssumeRole on resource: "+arn)
		in.SerialNumber, in.TokenCode = &serial, shape.Ptr(code(seed, w.now))
		_, err = w.sts.AssumeRole(w.as(bob), &in)
		w.is("another's device", err, "403 AccessDenied: MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
		out, err := w.sts.AssumeRole(w.as(alice), &in)
		w.ok(err)
		if w.become(out.Credentials).MFA {
			t.Error("a role's session has the code with it")
		}
		_, err = w.sts.AssumeRole(w.as(alice), &in)
		w.is("the same code again", err, "403 AccessDenied: MultiFactorAuthentication failed with invalid MFA one time pass code. ")

		w.now = w.now.Add(time.Minute)
		token, err := w.sts.GetSessionToken(w.as(alice), &stsapi.GetSessionTokenRequest{SerialNumber: &serial, TokenCode: shape.Ptr(code(seed, w.now))})
		w.ok(err)
		ses := w.become(token.Credentials)
		if !ses.MFA {
			t.Error("the session does not know of the code")
		}
		_, err = w.sts.AssumeRole(w.as(ses), &stsapi.AssumeRoleRequest{RoleArn: arn, RoleSessionName: "s1"})
		w.is("in a session with a code", err, "")
		w.now = w.now.Add(2 * time.Minute)
		_, err = w.sts.AssumeRole(w.as(ses), &stsapi.AssumeRoleRequest{RoleArn: arn, RoleSessionName: "s1"})
		w.is("in a session whose code is old", err, "403 AccessDenied: User: "+alice.ARN+" is not authorized to perform: sts:AssumeRole on resource: "+arn)
	})
}

package sts

import (
	"context"
	"crypto/sha1" // what AWS makes NameQualifier with; it protects nothing
	"encoding/base64"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/saml"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// samlAttribute begins the names of the attributes that are meant for AWS.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_saml_assertions.html
const samlAttribute = "https://aws.amazon.com/SAML/Attributes/"

var samlSessionName = regexp.MustCompile(`^[a-zA-Z_0-9+=,.@-]*$`)

// AssumeRoleWithSAML gives a role to the subject of an assertion.
func (s *Service) AssumeRoleWithSAML(ctx context.Context, in *sts.AssumeRoleWithSAMLRequest) (*sts.AssumeRoleWithSAMLResponse, error) {
	call := wire.CallFrom(ctx)
	if in.MinimumSessionTokenSize != nil {
		return nil, unsupported("MinimumSessionTokenSize")
	}
	if a, err := arn.Parse(in.PrincipalArn); err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "saml-provider/") {
		return nil, validation("Principal ARN is invalid")
	}
	p, err := s.o.IAM.SAMLProvider(ctx, in.PrincipalArn)
	if shape.HasCode(err, "NoSuchEntity") {
		trace.From(ctx).Fail("SAML provider", "there is no such provider", in.PrincipalArn, "the ARN of a SAML provider in IAM")
		return nil, invalidToken("Specified provider doesn't exist")
	}
	if err != nil {
		return nil, err
	}
	a, err := s.verifyAssertion(ctx, p, in.SAMLAssertion)
	if err != nil {
		return nil, err
	}
	name, err := single(a, "RoleSessionName")
	switch {
	case err != nil:
		return nil, err
	case name == "":
		return nil, invalidToken("RoleSessionName is required in AuthnResponse")
	case len(name) < 2 || len(name) > 64 || !samlSessionName.MatchString(name):
		return nil, invalidToken("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
	}
	source, err := single(a, "SourceIdentity")
	if err != nil {
		return nil, err
	}
	if !checkSourceIdentity(source) {
		return nil, invalidToken("Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with \"aws:\"")
	}
	t, err := samlTags(a)
	if err != nil {
		return nil, err
	}
	role, err := s.role(ctx, in.RoleArn)
	if err != nil {
		return nil, err
	}
	if role == nil || !mentions(a, in.RoleArn, in.PrincipalArn) {
		if role != nil {
			trace.From(ctx).Fail("SAML role", "the assertion does not pair the role with the provider", strings.Join(a.Values(samlAttribute+"Role"), " "), in.RoleArn+","+in.PrincipalArn)
		}
		return nil, notFederated(actSAML)
	}
	keys := samlKeys(a, p, call.Account)
	about := t.about(call, role, name, source)
	for key, values := range keys {
		about.Set(key, values...)
	}
	if !trusts(ctx, role, policy.Principal{Type: policy.WebIdentity, Provider: p.ARN}, about, actions(actSAML, &t, source)...) {
		return nil, notFederated(actSAML)
	}
	d, err := s.samlLasts(role, a, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	ses := roleSession(call.Account, role, name, &t)
	ses.Provider, ses.SourceIdentity = p.ARN, source
	ses.Context = map[string][]string{}
	for _, key := range []string{"saml:namequalifier", "saml:sub", "saml:sub_type"} { // those that policies of the role may ask for
		ses.Context[key] = keys[key]
	}
	if ses.Policies, ses.PolicyARNs, err = s.limits(ctx, in.Policy, in.PolicyArns); err != nil {
		return nil, err
	}
	size, err := packed(ses)
	if err != nil {
		return nil, err
	}
	creds, err := s.issue(ses, d)
	if err != nil {
		return nil, err
	}
	return &sts.AssumeRoleWithSAMLResponse{Credentials: credentials(creds), AssumedRoleUser: assumed(ses), PackedPolicySize: size, SourceIdentity: textOrNil(source),
		Subject: &a.NameID, SubjectType: &keys["saml:sub_type"][0], Issuer: &a.Issuer, Audience: &a.Recipient, NameQualifier: &keys["saml:namequalifier"][0]}, nil
}

// verifyAssertion returns the assertion in a SAMLResponse that the provider sent to AWS's sign-in.
func (s *Service) verifyAssertion(ctx context.Context, p *iam.SAMLProvider, param string) (*saml.Assertion, error) {
	text, err := saml.Decode(param)
	if err != nil {
		return nil, invalidToken("Invalid base64 SAMLResponse")
	}
	idp, err := p.Provider()
	if err != nil {
		return nil, err
	}
	signin := []string{"https://signin.aws.amazon.com/saml", "https://" + wire.CallFrom(ctx).Region + ".signin.aws.amazon.com/saml"}
	a, err := idp.Verify(text, saml.Options{Audiences: append([]string{"urn:amazon:webservices"}, signin...), Recipients: signin, Now: s.o.Now()})
	var e *saml.Error
	if !errors.As(err, &e) {
		return a, err
	}
	trace.From(ctx).Fail("SAML assertion", e.Detail, e.Got, e.Want)
	switch e.Reason {
	case saml.BadSignature, saml.Unsigned:
		return nil, invalidToken("Response signature invalid")
	case saml.WrongIssuer:
		return nil, invalidToken("Issuer not present in specified provider")
	case saml.WrongAudience:
		return nil, invalidToken("Response does not contain the required audience.")
	case saml.Expired:
		return nil, sts.ExpiredTokenException("Token must be redeemed within 5 minutes of issuance")
	case saml.BadStatus:
		return nil, sts.IDPRejectedClaimException("The identity provider reported that authentication failed.")
	case saml.NoSubject:
		return nil, notFederated(actSAML)
	}
	return nil, invalidToken("Your request included an invalid SAML response: %s.", e.Detail)
}

// single returns the value of an attribute for AWS that has at most one.
func single(a *saml.Assertion, name string) (string, error) {
	switch v := a.Values(samlAttribute + name); len(v) {
	case 0:
		return "", nil
	case 1:
		return v[0], nil
	}
	return "", invalidToken("%s in AuthnResponse must have a single value", name)
}

// mentions tells whether the assertion pairs the role with the provider, in either order.
func mentions(a *saml.Assertion, role, provider string) bool {
	for _, pair := range a.Values(samlAttribute + "Role") {
		x, y, ok := strings.Cut(pair, ",")
		x, y = strings.TrimSpace(x), strings.TrimSpace(y)
		if ok && (x == role && y == provider || x == provider && y == role) {
			return true
		}
	}
	return false
}

func samlTags(a *saml.Assertion) (tags, error) {
	var list []sts.Tag
	for _, at := range a.Attributes {
		key, ok := strings.CutPrefix(at.Name, samlAttribute+"PrincipalTag:")
		if !ok {
			continue
		}
		if len(at.Values) != 1 || key == "" || len([]rune(key)) > maxTagKey || len([]rune(at.Values[0])) > maxTagValue {
			return tags{}, invalidToken("The session tag %q must have a single value; keys have at most %d characters, values %d.", key, maxTagKey, maxTagValue)
		}
		list = append(list, sts.Tag{Key: key, Value: at.Values[0]})
	}
	return newTags(list, a.Values(samlAttribute+"TransitiveTagKeys"), nil)
}

// samlLasts is how long a session lasts, which the assertion can make shorter and not longer.
func (s *Service) samlLasts(role *iam.Role, a *saml.Assertion, wanted *int64) (time.Duration, error) {
	d, err := lasts(role, wanted)
	if err != nil {
		return 0, err
	}
	text, err := single(a, "SessionDuration")
	if err != nil {
		return 0, err
	}
	if text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 900 || n > 43200 {
			return 0, invalidToken("SessionDuration in AuthnResponse must be an integer between 900 and 43200")
		}
		d = min(d, time.Duration(n)*time.Second)
	}
	if !a.SessionEnds.IsZero() {
		d = min(d, max(a.SessionEnds.Sub(s.o.Now()), time.Second))
	}
	return d, nil
}

// samlKeys returns the condition keys that follow from an assertion.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-saml
func samlKeys(a *saml.Assertion, p *iam.SAMLProvider, account string) map[string][]string {
	subType := a.Format
	for _, short := range []string{"persistent", "transient"} {
		if a.Format == "urn:oasis:names:tc:SAML:2.0:nameid-format:"+short {
			subType = short
		}
	}
	hash := sha1.Sum([]byte(a.Issuer + account + "/" + p.Name))
	keys := map[string][]string{
		"saml:aud": {a.Recipient}, "saml:iss": {a.Issuer}, "saml:sub": {a.NameID}, "saml:sub_type": {subType},
		"saml:doc": {account + "/" + p.Name}, "saml:namequalifier": {base64.StdEncoding.EncodeToString(hash[:])},
	}
	for _, at := range a.Attributes {
		key, ok := samlNames[at.Name]
		if !ok || len(at.Values) == 0 {
			continue
		}
		if _, twice := keys[key]; !twice { // only one claim is mapped to a key
			keys[key] = at.Values
		}
	}
	return keys
}

// samlNames maps the names of attributes to condition keys.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_saml_assertions.html#saml-attribute-mapping
var samlNames = map[string]string{
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.1":  "saml:edupersonaffiliation",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.2":  "saml:edupersonnickname",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.3":  "saml:edupersonorgdn",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.4":  "saml:edupersonorgunitdn",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.5":  "saml:edupersonprimaryaffiliation",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.6":  "saml:edupersonprincipalname",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.7":  "saml:edupersonentitlement",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.8":  "saml:edupersonprimaryorgunitdn",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.9":  "saml:edupersonscopedaffiliation",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.10": "saml:edupersontargetedid",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.11": "saml:edupersonassurance",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.2":  "saml:eduorghomepageuri",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.3":  "saml:eduorgidentityauthnpolicyuri",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.4":  "saml:eduorglegalname",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.5":  "saml:eduorgsuperioruri",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.6":  "saml:eduorgwhitepagesuri",
	"urn:oid:2.5.4.3":                   "saml:cn",

	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name":              "saml:name",
	"http://schemas.xmlsoap.org/claims/CommonName":                            "saml:commonname",
	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname":         "saml:givenname",
	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname":           "saml:surname",
	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress":      "saml:mail",
	"http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid": "saml:uid",
	"2.5.4.3":                    "saml:commonname",
	"2.5.4.4":                    "saml:surname",
	"2.4.5.42":                   "saml:givenname",
	"2.5.4.45":                   "saml:x500uniqueidentifier",
	"0.9.2342.19200300100.1.1":   "saml:uid",
	"0.9.2342.19200300100.1.3":   "saml:mail",
	"0.9.2342.19200300.100.1.45": "saml:organizationstatus",
}

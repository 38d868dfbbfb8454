package app

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A UserPool is a directory of users who sign up and sign in: AWS::Cognito::UserPool.
type UserPool struct {
	stack    *Stack
	resource *Resource
}

// UserPoolProps describe a user pool. The zero value is a pool whose users sign in with a user name and
// are created by an administrator.
type UserPoolProps struct {
	Name string // shown in consoles; CloudFormation makes one up if empty

	// SelfSignUp lets people sign up by themselves; else only administrators create users.
	SelfSignUp bool

	// SignInAliases are what users sign in with; a user name if none is set. It cannot be changed later
	// without a new pool.
	SignInAliases SignInAliases

	// CaseSensitive makes Ann@example.com and ann@example.com two users. It cannot be changed later
	// without a new pool.
	CaseSensitive bool

	// AutoVerify sends a code to addresses of these kinds when a user signs up. What users sign in with
	// is always verified.
	AutoVerify AutoVerify

	Password   *PasswordPolicy // nil: Cognito's own, 8 characters with upper and lower case, digits and symbols
	MFA        MFA             // a second factor; off if empty
	MFAFactors MFAFactors      // which, if MFA is not off
	Attributes []Attribute     // required standard attributes, and custom ones
	Messages   Messages        // texts of mails and SMS
	Triggers   Triggers        // functions called during sign-up and sign-in

	// DeletionProtection refuses to delete the pool until it is switched off again.
	DeletionProtection bool

	// RemovalPolicy is what becomes of the pool and its users. By default they go with the stack, but
	// stay when a change makes CloudFormation put a new pool in the place of this one.
	RemovalPolicy RemovalPolicy
}

// SignInAliases are the kinds of names that users sign in with.
type SignInAliases struct {
	Username          bool // a name of the user's choice, beside the others
	Email             bool
	Phone             bool
	PreferredUsername bool // a second, changeable user name; only beside Username
}

// AutoVerify are kinds of addresses.
type AutoVerify struct{ Email, Phone bool }

// PasswordPolicy is what a password must have.
type PasswordPolicy struct {
	MinLength        int // 6 to 99
	RequireLowercase bool
	RequireUppercase bool
	RequireDigits    bool
	RequireSymbols   bool
	TemporaryDays    int // how long a temporary password lives, 1 to 365; 7 if 0
}

// MFA says whether users have a second factor.
type MFA string

const (
	MFAOff      MFA = "OFF"
	MFAOptional MFA = "OPTIONAL" // each user chooses
	MFARequired MFA = "ON"
)

// MFAFactors are kinds of second factors.
type MFAFactors struct {
	SMS  bool
	TOTP bool // an authenticator app
}

// AttributeType is the type of a custom attribute.
type AttributeType string

const (
	StringAttribute   AttributeType = "String"
	NumberAttribute   AttributeType = "Number"
	DateTimeAttribute AttributeType = "DateTime"
	BooleanAttribute  AttributeType = "Boolean"
)

// An Attribute is a standard attribute such as given_name, or a custom one such as custom:tier.
type Attribute struct {
	Name      string
	Required  bool          // a user cannot sign up without it; standard attributes only
	Immutable bool          // written once, at sign-up
	Type      AttributeType // custom attributes only; a string if empty
	Min, Max  int           // length of a string, or value of a number; not set if both are 0
}

// Messages are the texts that users get. {####} stands for the code, {username} for the name; an empty
// text is the default one.
type Messages struct {
	VerificationSubject string
	VerificationEmail   string
	VerificationSMS     string
	InvitationSubject   string // to users whom an administrator created; these texts need {username} too
	InvitationEmail     string
	InvitationSMS       string
}

// Triggers are functions that Cognito calls; see "Customizing user pool workflows with Lambda triggers"
// in the Cognito Developer Guide for the event of each.
type Triggers struct {
	PreSignUp                   *Function
	PostConfirmation            *Function
	PreAuthentication           *Function
	PostAuthentication          *Function
	CustomMessage               *Function
	DefineAuthChallenge         *Function
	CreateAuthChallenge         *Function
	VerifyAuthChallengeResponse *Function
	PreTokenGeneration          *Function
	UserMigration               *Function
}

// The text of CDK's user pools, which people who come from there expect.
const (
	verificationText    = "The verification code to your new account is {####}"
	verificationSubject = "Verify your new account"
)

// NewUserPool adds a user pool.
func NewUserPool(s *Stack, id string, props UserPoolProps) *UserPool {
	p := &UserPool{stack: s}
	p.resource = s.add(id, "AWS::Cognito::UserPool", Properties{
		"AdminCreateUserConfig": Properties{"AllowAdminCreateUserOnly": !props.SelfSignUp},
		"UsernameConfiguration": Properties{"CaseSensitive": props.CaseSensitive},
		"AccountRecoverySetting": Properties{"RecoveryMechanisms": []any{
			Properties{"Name": "verified_phone_number", "Priority": 1},
			Properties{"Name": "verified_email", "Priority": 2},
		}},
	})
	p.resource.tagging = poolTags
	p.resource.removal, p.resource.replace = Delete, Retain
	if props.RemovalPolicy != "" {
		p.resource.removal, p.resource.replace = props.RemovalPolicy, props.RemovalPolicy
	}
	r := p.resource.props
	if props.Name != "" {
		r["UserPoolName"] = props.Name
	}
	if props.DeletionProtection {
		r["DeletionProtection"] = "ACTIVE"
	}
	p.signIn(props)
	p.messages(props.Messages)
	p.password(props.Password)
	p.mfa(props)
	p.attributes(props.Attributes)
	p.triggers(props.Triggers)
	return p
}

// signIn sets what users sign in with and which addresses are verified. With user names, e-mail and
// phone are aliases beside them; without, they are the user name.
func (p *UserPool) signIn(props UserPoolProps) {
	in := props.SignInAliases
	var names []string
	if in.Email {
		names = append(names, "email")
	}
	if in.Phone {
		names = append(names, "phone_number")
	}
	if in.PreferredUsername {
		if !in.Username {
			p.stack.errorf(p.resource.id, "SignInAliases: PreferredUsername needs Username")
		}
		names = append(names, "preferred_username")
	}
	if len(names) > 0 {
		property := "UsernameAttributes"
		if in.Username {
			property = "AliasAttributes"
		}
		p.resource.props[property] = names
	}
	var verify []string
	if in.Email || props.AutoVerify.Email {
		verify = append(verify, "email")
	}
	if in.Phone || props.AutoVerify.Phone {
		verify = append(verify, "phone_number")
		p.allowSMS()
	}
	if len(verify) > 0 {
		p.resource.props["AutoVerifiedAttributes"] = verify
	}
}

func (p *UserPool) messages(m Messages) {
	or := func(text, def string) string {
		if text == "" {
			return def
		}
		return text
	}
	subject, mail, sms := or(m.VerificationSubject, verificationSubject), or(m.VerificationEmail, verificationText), or(m.VerificationSMS, verificationText)
	for _, t := range []struct{ name, text string }{{"VerificationEmail", mail}, {"VerificationSMS", sms}} {
		if !strings.Contains(t.text, "{####}") {
			p.stack.errorf(p.resource.id, "Messages.%s must contain {####}, the place of the code", t.name)
		}
	}
	r := p.resource.props
	r["EmailVerificationSubject"], r["EmailVerificationMessage"], r["SmsVerificationMessage"] = subject, mail, sms
	r["VerificationMessageTemplate"] = Properties{
		"DefaultEmailOption": "CONFIRM_WITH_CODE",
		"EmailSubject":       subject, "EmailMessage": mail, "SmsMessage": sms,
	}
	invitation := Properties{}
	if m.InvitationSubject != "" {
		invitation["EmailSubject"] = m.InvitationSubject
	}
	for _, t := range []struct{ name, property, text string }{
		{"InvitationEmail", "EmailMessage", m.InvitationEmail}, {"InvitationSMS", "SMSMessage", m.InvitationSMS},
	} {
		if t.text == "" {
			continue
		}
		if !strings.Contains(t.text, "{####}") || !strings.Contains(t.text, "{username}") {
			p.stack.errorf(p.resource.id, "Messages.%s must contain {username} and {####}, the place of the temporary password", t.name)
		}
		invitation[t.property] = t.text
	}
	if len(invitation) > 0 {
		r["AdminCreateUserConfig"].(Properties)["InviteMessageTemplate"] = invitation
	}
}

func (p *UserPool) password(policy *PasswordPolicy) {
	if policy == nil {
		return
	}
	if policy.MinLength < 6 || policy.MinLength > 99 {
		p.stack.errorf(p.resource.id, "Password.MinLength is %d; it must be 6 to 99", policy.MinLength)
	}
	days := policy.TemporaryDays
	if days == 0 {
		days = 7
	}
	if days < 1 || days > 365 {
		p.stack.errorf(p.resource.id, "Password.TemporaryDays is %d; it must be 1 to 365", days)
	}
	p.resource.props["Policies"] = Properties{"PasswordPolicy": Properties{
		"MinimumLength":                 policy.MinLength,
		"RequireLowercase":              policy.RequireLowercase,
		"RequireUppercase":              policy.RequireUppercase,
		"RequireNumbers":                policy.RequireDigits,
		"RequireSymbols":                policy.RequireSymbols,
		"TemporaryPasswordValidityDays": days,
	}}
}

func (p *UserPool) mfa(props UserPoolProps) {
	switch props.MFA {
	case "", MFAOff:
		if props.MFAFactors != (MFAFactors{}) {
			p.stack.errorf(p.resource.id, "MFAFactors are set, but MFA is off")
		}
		return
	case MFAOptional, MFARequired:
	default:
		p.stack.errorf(p.resource.id, "MFA is %q; it must be MFAOff, MFAOptional or MFARequired", string(props.MFA))
		return
	}
	var factors []string
	if props.MFAFactors.SMS {
		factors = append(factors, "SMS_MFA")
		p.allowSMS()
	}
	if props.MFAFactors.TOTP {
		factors = append(factors, "SOFTWARE_TOKEN_MFA")
	}
	if len(factors) == 0 {
		p.stack.errorf(p.resource.id, "MFA is %s, but MFAFactors names no factor", props.MFA)
	}
	p.resource.props["MfaConfiguration"] = props.MFA
	p.resource.props["EnabledMfas"] = factors
}

// allowSMS gives Cognito a role with which it may send SMS through SNS.
func (p *UserPool) allowSMS() {
	if _, done := p.resource.props["SmsConfiguration"]; done {
		return
	}
	external := Ref("AWS::StackName") + Value("-"+p.resource.id)
	role := p.stack.add(p.resource.id+"SmsRole", typeRole, Properties{
		"AssumeRolePolicyDocument": policyDocument(Properties{
			"Effect":    "Allow",
			"Action":    "sts:AssumeRole",
			"Principal": Properties{"Service": "cognito-idp.amazonaws.com"},
			"Condition": Properties{"StringEquals": Properties{"sts:ExternalId": external}},
		}),
		"Policies": []any{Properties{
			"PolicyName":     "sns-publish",
			"PolicyDocument": policyDocument(Properties{"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}),
		}},
	})
	role.tagging = tagList
	p.resource.props["SmsConfiguration"] = Properties{"SnsCallerArn": role.GetAtt("Arn"), "ExternalId": external}
}

// standardAttributes are those of OpenID Connect that Cognito has; see "Working with user attributes" in
// the Cognito Developer Guide.
var standardAttributes = []string{"address", "birthdate", "email", "family_name", "gender", "given_name", "locale",
	"middle_name", "name", "nickname", "phone_number", "picture", "preferred_username", "profile", "updated_at",
	"website", "zoneinfo"}

func (p *UserPool) attributes(attributes []Attribute) {
	var schema []any
	for i, a := range attributes {
		name, custom := strings.CutPrefix(a.Name, "custom:")
		fail := func(format string, args ...any) {
			p.stack.errorf(p.resource.id, "attribute %s: %s", a.Name, fmt.Sprintf(format, args...))
		}
		if slices.ContainsFunc(attributes[:i], func(b Attribute) bool { return b.Name == a.Name }) {
			fail("it is listed twice")
		}
		s := Properties{"Name": name, "Mutable": !a.Immutable}
		switch {
		case !custom && !slices.Contains(standardAttributes, name):
			fail("there is no such standard attribute; your own are called custom:%s", name)
		case !custom && (a.Type != "" || a.Min != 0 || a.Max != 0):
			fail("type and bounds of a standard attribute are fixed")
		case custom && (name == "" || len(name) > 20):
			fail("a name has 1 to 20 characters after custom:")
		case custom && a.Required:
			fail("a custom attribute cannot be required")
		}
		if !custom {
			s["Required"] = a.Required
		} else {
			kind := a.Type
			if kind == "" {
				kind = StringAttribute
			}
			s["AttributeDataType"] = kind
			switch bounded := a.Min != 0 || a.Max != 0; {
			case bounded && kind == StringAttribute:
				s["StringAttributeConstraints"] = Properties{"MinLength": strconv.Itoa(a.Min), "MaxLength": strconv.Itoa(a.Max)}
			case bounded && kind == NumberAttribute:
				s["NumberAttributeConstraints"] = Properties{"MinValue": strconv.Itoa(a.Min), "MaxValue": strconv.Itoa(a.Max)}
			case bounded:
				fail("only strings and numbers have bounds")
			}
			if a.Max < a.Min {
				fail("Max is less than Min")
			}
		}
		schema = append(schema, s)
	}
	if schema != nil {
		p.resource.props["Schema"] = schema
	}
}

func (p *UserPool) triggers(t Triggers) {
	config := Properties{}
	for _, trigger := range []struct {
		name string
		fn   *Function
	}{
		{"PreSignUp", t.PreSignUp}, {"PostConfirmation", t.PostConfirmation},
		{"PreAuthentication", t.PreAuthentication}, {"PostAuthentication", t.PostAuthentication},
		{"CustomMessage", t.CustomMessage}, {"DefineAuthChallenge", t.DefineAuthChallenge},
		{"CreateAuthChallenge", t.CreateAuthChallenge}, {"VerifyAuthChallengeResponse", t.VerifyAuthChallengeResponse},
		{"PreTokenGeneration", t.PreTokenGeneration}, {"UserMigration", t.UserMigration},
	} {
		if trigger.fn == nil {
			continue
		}
		config[trigger.name] = trigger.fn.ARN()
		p.stack.add(p.resource.id+trigger.name+"Permission", typePermission, Properties{
			"Action":       "lambda:InvokeFunction",
			"FunctionName": trigger.fn.ARN(),
			"Principal":    "cognito-idp.amazonaws.com",
			"SourceArn":    p.ARN(),
		})
	}
	if len(config) > 0 {
		p.resource.props["LambdaConfig"] = config
	}
}

// ID is the pool's id, such as us-east-1_QLBISRQwA.
func (p *UserPool) ID() Value { return p.resource.Ref() }

// ARN is the pool's ARN, which policies name.
func (p *UserPool) ARN() Value { return p.resource.GetAtt("Arn") }

// Issuer is the "iss" claim of the pool's tokens, and the address below which its discovery document
// and keys are.
func (p *UserPool) Issuer() Value {
	return "https://cognito-idp." + Region() + "." + URLSuffix() + "/" + p.ID()
}

// Resource is the pool in the template.
func (p *UserPool) Resource() *Resource { return p.resource }

// Authorizer lets users of the pool in who bring an ID or access token that was issued to one of the
// clients. It is a JWT authorizer of this name in each API that uses it.
func (p *UserPool) Authorizer(name string, clients ...*UserPoolClient) *JWTAuthorizer {
	a := &JWTAuthorizer{Name: name, Issuer: p.Issuer()}
	for _, c := range clients {
		if c.pool != p {
			p.stack.errorf(p.resource.id, "authorizer %s: the client %s belongs to another pool, %s", name, c.resource.id, c.pool.resource.id)
		}
		a.Audience = append(a.Audience, c.ID())
	}
	if len(clients) == 0 {
		p.stack.errorf(p.resource.id, "authorizer %s: it needs the clients whose tokens it takes", name)
		a.Audience = []Value{"none"} // said once
	}
	return a
}

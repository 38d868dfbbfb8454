package app

import (
	"strings"
	"time"
)

// A UserPoolClient is an app that users sign in to: AWS::Cognito::UserPoolClient.
type UserPoolClient struct {
	pool     *UserPool
	resource *Resource
}

// ClientProps describe an app client. The zero value is a client without secret for SRP.
type ClientProps struct {
	Name      string    // CloudFormation makes one up if empty
	AuthFlows AuthFlows // Cognito's default if none is set: SRP, custom and refresh

	// GenerateSecret gives the client a secret, for apps that can keep one: servers, not browsers.
	GenerateSecret bool

	OAuth *OAuth // hosted sign-in pages and OAuth 2.0; nil for none

	// How long tokens live. Zero is Cognito's default: an hour, an hour, 30 days.
	AccessTokenValidity  time.Duration // 5 minutes to a day
	IDTokenValidity      time.Duration // 5 minutes to a day
	RefreshTokenValidity time.Duration // an hour to ten years

	// PreventUserExistenceErrors answers alike for an unknown user and a wrong password.
	PreventUserExistenceErrors bool

	ReadAttributes  []string // what the app may read of a user; all if empty
	WriteAttributes []string // what it may write; all if empty
}

// AuthFlows are the ways to sign in through the API. Refreshing tokens is always among them.
type AuthFlows struct {
	UserPassword      bool // USER_PASSWORD_AUTH: the password travels to Cognito; for tests and migrations
	UserSRP           bool // USER_SRP_AUTH: the password never leaves the client
	AdminUserPassword bool // ADMIN_USER_PASSWORD_AUTH: for servers with AWS credentials
	Custom            bool // CUSTOM_AUTH: challenges that triggers define
	User              bool // USER_AUTH: the user chooses among what is set up
}

// OAuth describes sign-in through the pool's hosted pages.
type OAuth struct {
	AuthorizationCode bool
	Implicit          bool
	ClientCredentials bool // for machines; needs GenerateSecret, and goes with no other flow
	Scopes            []string
	CallbackURLs      []string
	LogoutURLs        []string
}

// AddClient adds an app client to the pool.
func (p *UserPool) AddClient(id string, props ClientProps) *UserPoolClient {
	s := p.stack
	r := s.add(id, "AWS::Cognito::UserPoolClient", Properties{"UserPoolId": p.ID()})
	c := &UserPoolClient{pool: p, resource: r}
	if props.Name != "" {
		r.props["ClientName"] = props.Name
	}
	if flows := props.AuthFlows.names(); flows != nil {
		r.props["ExplicitAuthFlows"] = flows
	}
	if props.GenerateSecret {
		r.props["GenerateSecret"] = true
	}
	if props.PreventUserExistenceErrors {
		r.props["PreventUserExistenceErrors"] = "ENABLED"
	}
	if len(props.ReadAttributes) > 0 {
		r.props["ReadAttributes"] = props.ReadAttributes
	}
	if len(props.WriteAttributes) > 0 {
		r.props["WriteAttributes"] = props.WriteAttributes
	}
	c.oauth(props)
	c.validity(props)
	return c
}

func (f AuthFlows) names() []string {
	var names []string
	for _, flow := range []struct {
		on   bool
		name string
	}{
		{f.UserPassword, "ALLOW_USER_PASSWORD_AUTH"}, {f.AdminUserPassword, "ALLOW_ADMIN_USER_PASSWORD_AUTH"},
		{f.Custom, "ALLOW_CUSTOM_AUTH"}, {f.UserSRP, "ALLOW_USER_SRP_AUTH"}, {f.User, "ALLOW_USER_AUTH"},
		{f != AuthFlows{}, "ALLOW_REFRESH_TOKEN_AUTH"},
	} {
		if flow.on {
			names = append(names, flow.name)
		}
	}
	return names
}

func (c *UserPoolClient) oauth(props ClientProps) {
	o := props.OAuth
	if o == nil {
		return
	}
	fail := func(text string) { c.pool.stack.errorf(c.resource.id, "OAuth: %s", text) }
	var flows []string
	if o.AuthorizationCode {
		flows = append(flows, "code")
	}
	if o.Implicit {
		flows = append(flows, "implicit")
	}
	if o.ClientCredentials {
		if len(flows) > 0 {
			fail("ClientCredentials goes with no other flow")
		}
		if !props.GenerateSecret {
			fail("ClientCredentials needs GenerateSecret")
		}
		flows = append(flows, "client_credentials")
	} else if len(flows) > 0 && len(o.CallbackURLs) == 0 {
		fail("AuthorizationCode and Implicit need CallbackURLs")
	}
	if len(flows) == 0 {
		fail("choose a flow")
	}
	if len(o.Scopes) == 0 {
		fail("name the scopes that the client may ask for, such as openid")
	}
	for _, url := range append(append([]string(nil), o.CallbackURLs...), o.LogoutURLs...) {
		if strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "http://localhost") && !strings.HasPrefix(url, "http://127.0.0.1") {
			fail(url + ": only localhost may go without https")
		}
	}
	r := c.resource.props
	r["AllowedOAuthFlowsUserPoolClient"] = true
	r["AllowedOAuthFlows"] = flows
	r["AllowedOAuthScopes"] = o.Scopes
	r["SupportedIdentityProviders"] = []string{"COGNITO"}
	if len(o.CallbackURLs) > 0 {
		r["CallbackURLs"] = o.CallbackURLs
	}
	if len(o.LogoutURLs) > 0 {
		r["LogoutURLs"] = o.LogoutURLs
	}
}

func (c *UserPoolClient) validity(props ClientProps) {
	const day = 24 * time.Hour
	units := Properties{}
	for _, t := range []struct {
		name     string
		d        time.Duration
		min, max time.Duration
		text     string
	}{
		{"AccessToken", props.AccessTokenValidity, 5 * time.Minute, day, "5 minutes to a day"},
		{"IdToken", props.IDTokenValidity, 5 * time.Minute, day, "5 minutes to a day"},
		{"RefreshToken", props.RefreshTokenValidity, time.Hour, 3650 * day, "an hour to 3,650 days"},
	} {
		if t.d == 0 {
			continue
		}
		if t.d < t.min || t.d > t.max || t.d%time.Second != 0 {
			c.pool.stack.errorf(c.resource.id, "%sValidity is %v; it must be whole seconds, %s", strings.Replace(t.name, "Id", "ID", 1), t.d, t.text)
			continue
		}
		unit, n := "seconds", t.d/time.Second
		if t.d%time.Minute == 0 {
			unit, n = "minutes", t.d/time.Minute
		}
		c.resource.props[t.name+"Validity"] = int64(n)
		units[t.name] = unit
	}
	if len(units) > 0 {
		c.resource.props["TokenValidityUnits"] = units
	}
}

// ID is the client's id, which apps present and tokens carry.
func (c *UserPoolClient) ID() Value { return c.resource.Ref() }

// Secret is the client's secret, if it has one. Mind where it goes: outputs and environments are shown
// to whoever may look at the stack.
func (c *UserPoolClient) Secret() Value { return c.resource.GetAtt("ClientSecret") }

// Pool is the pool that the client belongs to.
func (c *UserPoolClient) Pool() *UserPool { return c.pool }

// Resource is the client in the template.
func (c *UserPoolClient) Resource() *Resource { return c.resource }

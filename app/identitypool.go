package app

// An IdentityPool turns a sign-in into temporary AWS credentials, so that a web page or a phone can sign
// calls itself: AWS::Cognito::IdentityPool. The credentials are those of a role; what it may do is said
// by [IdentityPool.Allow] and [IdentityPool.AllowGuests].
type IdentityPool struct {
	stack    *Stack
	resource *Resource
	users    *role
	guests   *role // nil where guests are not let in
}

// IdentityPoolProps describe an identity pool.
type IdentityPoolProps struct {
	Name string // shown in consoles; CloudFormation makes one up if empty

	// Clients are the app clients whose users get credentials.
	Clients []*UserPoolClient

	// CheckTokens looks at each use of a token whether its user is still signed in and enabled, not only
	// whether the token is genuine and in time.
	CheckTokens bool

	// Guests lets in people who have not signed in, with credentials of a role of their own.
	Guests bool
}

// NewIdentityPool adds an identity pool with a role for signed-in users and, if there are guests, one
// for them.
func NewIdentityPool(s *Stack, id string, props IdentityPoolProps) *IdentityPool {
	if len(props.Clients) == 0 && !props.Guests {
		s.errorf(id, "nobody can get credentials: name Clients, or let Guests in")
	}
	var providers []any
	for _, c := range props.Clients {
		p := Properties{"ClientId": c.ID(), "ProviderName": c.Pool().Resource().GetAtt("ProviderName")}
		if props.CheckTokens {
			p["ServerSideTokenCheck"] = true
		}
		providers = append(providers, p)
	}
	p := &IdentityPool{stack: s}
	p.resource = s.add(id, "AWS::Cognito::IdentityPool", Properties{"AllowUnauthenticatedIdentities": props.Guests})
	if providers != nil {
		p.resource.props["CognitoIdentityProviders"] = providers
	}
	if props.Name != "" {
		p.resource.props["IdentityPoolName"] = props.Name
	}
	p.users = p.role(id+"Users", "authenticated")
	roles := Properties{"authenticated": p.users.ARN()}
	if props.Guests {
		p.guests = p.role(id+"Guests", "unauthenticated")
		roles["unauthenticated"] = p.guests.ARN()
	}
	s.add(id+"Roles", "AWS::Cognito::IdentityPoolRoleAttachment", Properties{"IdentityPoolId": p.ID(), "Roles": roles})
	return p
}

// role is a role that those of this pool may assume whom Cognito says to be in the given way.
func (p *IdentityPool) role(id, amr string) *role {
	return p.stack.addRole(id, Properties{
		"Effect":    "Allow",
		"Action":    "sts:AssumeRoleWithWebIdentity",
		"Principal": Properties{"Federated": "cognito-identity.amazonaws.com"},
		"Condition": Properties{
			"StringEquals":           Properties{"cognito-identity.amazonaws.com:aud": p.ID()},
			"ForAnyValue:StringLike": Properties{"cognito-identity.amazonaws.com:amr": amr},
		},
	})
}

// Allow lets signed-in users do these actions on a resource:
//
//	pool.Allow(api.ARN("GET /private"), "execute-api:Invoke")
//
// The policy variable ${cognito-identity.amazonaws.com:sub} stands for the id of who asks.
func (p *IdentityPool) Allow(resource Value, actions ...string) {
	p.users.add(Statement{Actions: actions, Resources: []Value{resource}})
}

// AllowGuests lets people who have not signed in do these actions on a resource.
func (p *IdentityPool) AllowGuests(resource Value, actions ...string) {
	if p.guests == nil {
		p.stack.errorf(p.resource.id, "guests are not let in: set Guests")
		return
	}
	p.guests.add(Statement{Actions: actions, Resources: []Value{resource}})
}

// AddUserStatement adds a statement to the policy of signed-in users.
func (p *IdentityPool) AddUserStatement(st Statement) { p.users.add(st) }

// ID is the pool's id, such as us-east-1:d01df859-f416-4dc2-90ac-0c6fc272d197.
func (p *IdentityPool) ID() Value { return p.resource.Ref() }

// Resource is the pool in the template.
func (p *IdentityPool) Resource() *Resource { return p.resource }

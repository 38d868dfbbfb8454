package identitypools

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Cognito's quotas.
// https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
const (
	maxPools     = 1000 // an account's, in a region
	maxUserPools = 50   // providers of a pool
	maxTags      = 50
	maxRules     = 25
	maxLogins    = 20 // linked to one identity
)

// Pool is the document of an identity pool.
type Pool struct {
	Region       string
	Config       cognitoidentity.IdentityPool // as DescribeIdentityPool shows it
	Roles        map[string]string
	RoleMappings map[string]cognitoidentity.RoleMapping
	Tags         map[string]tagMap // by provider name: principal tags
	Attachment   string            // the stack's resource that has set the roles
	Token        string            // of the step that has made the pool
}

// tagMap says which claims of a provider's tokens become which session tags.
type tagMap struct {
	UseDefaults bool
	Tags        map[string]string // tag key → claim
	Step        string            // of the stack that has set it
}

var pools = store.Kind[Pool]{Name: "identitypools.pool"}

func (p *Pool) id() string { return p.Config.IdentityPoolId }

// uid is what stands for the pool in the tables.
func (p *Pool) uid() uid {
	_, u, _ := parseID(p.id())
	return u
}

// identityID is an identity's id as clients see it.
func (p *Pool) identityID(u uid) string { return p.Region + ":" + u.String() }

func (p *Pool) developer() string { return shape.Val(p.Config.DeveloperProviderName) }

// The providers that SupportedLoginProviders may name. Those that issue ID tokens are verified; the
// others can only be asked, so their logins are refused.
var publicProviders = map[string]struct{ issuer string }{
	google:               {"https://accounts.google.com"},
	"appleid.apple.com":  {"https://appleid.apple.com"},
	"graph.facebook.com": {},
	"www.amazon.com":     {},
	"api.twitter.com":    {},
	"www.digits.com":     {},
}

const google = "accounts.google.com"

var (
	userPoolName = regexp.MustCompile(`^cognito-idp\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[\w-]+_[0-9A-Za-z]+$`)
	oidcARN      = regexp.MustCompile(`^arn:aws[\w-]*:iam::\d{12}:oidc-provider/.+$`)
	samlARN      = regexp.MustCompile(`^arn:aws[\w-]*:iam::\d{12}:saml-provider/[\w._-]+$`)
	roleARN      = regexp.MustCompile(`^arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+$`)
)

// checkConfig refuses what Cognito refuses of a pool's settings.
func checkConfig(c *cognitoidentity.IdentityPool) error {
	seen := map[string]bool{}
	for _, u := range c.CognitoIdentityProviders {
		name, client := shape.Val(u.ProviderName), shape.Val(u.ClientId)
		switch {
		case !userPoolName.MatchString(name) || client == "":
			return errInvalid("Invalid Cognito Identity Provider")
		case seen[name+":"+client]:
			return errInvalid("Duplicate Cognito Identity Provider %s:%s.", name, client)
		}
		seen[name+":"+client] = true
	}
	if len(c.CognitoIdentityProviders) > maxUserPools {
		return cognitoidentity.LimitExceededException("An identity pool can have at most %d Cognito identity providers.", maxUserPools)
	}
	for name := range c.SupportedLoginProviders {
		if _, ok := publicProviders[name]; !ok {
			return errPublicProvider()
		}
	}
	for _, a := range c.OpenIdConnectProviderARNs {
		if !oidcARN.MatchString(a) {
			return errInvalid("Invalid OpenID Connect provider ARN: %s", a)
		}
	}
	for _, a := range c.SamlProviderARNs {
		if !samlARN.MatchString(a) {
			return errInvalid("Invalid SAML provider ARN: %s", a)
		}
	}
	if name := shape.Val(c.DeveloperProviderName); name != "" {
		if _, ok := publicProviders[name]; ok || name == Provider || strings.HasPrefix(name, "cognito-idp.") {
			return errInvalid("Developer provider name %s is the name of a public provider.", name)
		}
	}
	return checkTags(c.IdentityPoolTags)
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return errInvalid("An identity pool can have at most %d tags.", maxTags)
	}
	for key := range tags {
		if strings.HasPrefix(strings.ToLower(key), "aws:") && !strings.HasPrefix(key, "aws:cloudformation:") {
			return errInvalid("Tag keys that begin with aws: are reserved.")
		}
	}
	return nil
}

// createPool makes a pool. token is that of a stack's step, or "".
func (s *Service) createPool(ctx context.Context, region string, in *cognitoidentity.CreateIdentityPoolInput, token string) (*Pool, error) {
	p := &Pool{Region: region, Token: token, Config: cognitoidentity.IdentityPool{IdentityPoolId: region + ":" + ident.UUID(), IdentityPoolName: in.IdentityPoolName,
		AllowUnauthenticatedIdentities: in.AllowUnauthenticatedIdentities, AllowClassicFlow: in.AllowClassicFlow, SupportedLoginProviders: in.SupportedLoginProviders,
		DeveloperProviderName: in.DeveloperProviderName, OpenIdConnectProviderARNs: in.OpenIdConnectProviderARNs,
		CognitoIdentityProviders: in.CognitoIdentityProviders, SamlProviderARNs: in.SamlProviderARNs, IdentityPoolTags: in.IdentityPoolTags}}
	if err := checkConfig(&p.Config); err != nil {
		return nil, err
	}
	if p.Config.IdentityPoolTags == nil {
		p.Config.IdentityPoolTags = map[string]string{}
	}
	for i := range p.Config.CognitoIdentityProviders {
		u := &p.Config.CognitoIdentityProviders[i]
		u.ServerSideTokenCheck = shape.Ptr(shape.Val(u.ServerSideTokenCheck))
	}
	err := s.update(ctx, func(tx *store.Tx) error {
		_, more, err := pools.List(tx, region, "", maxPools-1)
		if err != nil {
			return err
		}
		if more != "" {
			return cognitoidentity.LimitExceededException("The number of identity pools is limited to %d.", maxPools)
		}
		return pools.Insert(tx, p.key(), p)
	})
	return p, err
}

func (p *Pool) key() store.Key { return store.Key{ID: p.id(), Parent: p.Region, Name: p.Token} }

// changePool applies f to a pool of the caller's region.
func (s *Service) changePool(ctx context.Context, id string, f func(*Pool) error) (*Pool, error) {
	if _, err := s.regionPool(ctx, id); err != nil {
		return nil, err
	}
	var p *Pool
	err := s.update(ctx, func(tx *store.Tx) (err error) {
		if p, err = pools.Get(tx, id); errors.Is(err, store.ErrNotFound) {
			return errPoolNotFound(id)
		} else if err != nil {
			return err
		}
		if err := f(p); err != nil {
			return err
		}
		return pools.Put(tx, p.key(), p)
	})
	return p, err
}

// updatePool replaces a pool's settings. The developer provider's name, once set, stays.
func (s *Service) updatePool(ctx context.Context, in *cognitoidentity.IdentityPool) (*Pool, error) {
	if err := checkConfig(in); err != nil {
		return nil, err
	}
	return s.changePool(ctx, in.IdentityPoolId, func(p *Pool) error {
		cfg := *in
		if name := p.developer(); name != "" && shape.Val(in.DeveloperProviderName) != "" && *in.DeveloperProviderName != name {
			return errInvalid("Developer provider name cannot be changed once it has been set.")
		} else if name != "" {
			cfg.DeveloperProviderName = p.Config.DeveloperProviderName
		}
		if cfg.IdentityPoolTags == nil {
			cfg.IdentityPoolTags = p.Config.IdentityPoolTags
		}
		cfg.CognitoIdentityProviders = slices.Clone(in.CognitoIdentityProviders)
		for i := range cfg.CognitoIdentityProviders {
			u := &cfg.CognitoIdentityProviders[i]
			u.ServerSideTokenCheck = shape.Ptr(shape.Val(u.ServerSideTokenCheck))
		}
		cfg.Absent = 0
		p.Config = cfg
		return nil
	})
}

// deletePool removes a pool with its identities.
func (s *Service) deletePool(ctx context.Context, id string) error {
	if _, err := s.regionPool(ctx, id); err != nil {
		return err
	}
	return s.update(ctx, func(tx *store.Tx) error {
		p, err := pools.Get(tx, id)
		if errors.Is(err, store.ErrNotFound) {
			return errPoolNotFound(id)
		}
		if err != nil {
			return err
		}
		if err := deletePoolRows(tx, p.uid()); err != nil {
			return err
		}
		return pools.Delete(tx, id)
	})
}

// The operations on pools: shape in, domain call, shape out.

func (s *Service) CreateIdentityPool(ctx context.Context, in *cognitoidentity.CreateIdentityPoolInput) (*cognitoidentity.IdentityPool, error) {
	p, err := s.createPool(ctx, wire.CallFrom(ctx).Region, in, "")
	if err != nil {
		return nil, err
	}
	return &p.Config, nil
}

func (s *Service) UpdateIdentityPool(ctx context.Context, in *cognitoidentity.IdentityPool) (*cognitoidentity.IdentityPool, error) {
	p, err := s.updatePool(ctx, in)
	if err != nil {
		return nil, err
	}
	return &p.Config, nil
}

func (s *Service) DescribeIdentityPool(ctx context.Context, in *cognitoidentity.DescribeIdentityPoolInput) (*cognitoidentity.IdentityPool, error) {
	p, err := s.regionPool(ctx, in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	return &p.Config, nil
}

func (s *Service) DeleteIdentityPool(ctx context.Context, in *cognitoidentity.DeleteIdentityPoolInput) (*cognitoidentity.DeleteIdentityPoolResponse, error) {
	return &cognitoidentity.DeleteIdentityPoolResponse{}, s.deletePool(ctx, in.IdentityPoolId)
}

func (s *Service) ListIdentityPools(ctx context.Context, in *cognitoidentity.ListIdentityPoolsInput) (*cognitoidentity.ListIdentityPoolsResponse, error) {
	region := wire.CallFrom(ctx).Region
	after, err := s.page(in.NextToken, "pools/"+region)
	if err != nil {
		return nil, err
	}
	out := &cognitoidentity.ListIdentityPoolsResponse{IdentityPools: []cognitoidentity.IdentityPoolShortDescription{}}
	var list []*Pool
	var next string
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		list, next, err = pools.List(tx, region, after, int(in.MaxResults))
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		out.IdentityPools = append(out.IdentityPools, cognitoidentity.IdentityPoolShortDescription{IdentityPoolId: shape.Ptr(p.id()), IdentityPoolName: shape.Ptr(p.Config.IdentityPoolName)})
	}
	out.NextToken = s.nextPage(next, "pools/"+region)
	return out, nil
}

// taggedPool returns the id of the pool that an ARN names.
func (s *Service) taggedPool(ctx context.Context, resource string) (string, error) {
	a, err := arn.Parse(resource)
	id, ok := strings.CutPrefix(a.Resource, "identitypool/")
	if err != nil || !ok || !a.Of("cognito-identity", wire.CallFrom(ctx).Region, s.o.Account) {
		return "", errInvalid("Invalid ARN: %s", resource)
	}
	return id, nil
}

func (s *Service) TagResource(ctx context.Context, in *cognitoidentity.TagResourceInput) (*cognitoidentity.TagResourceResponse, error) {
	id, err := s.taggedPool(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	_, err = s.changePool(ctx, id, func(p *Pool) error {
		tags := map[string]string{}
		maps.Copy(tags, p.Config.IdentityPoolTags)
		maps.Copy(tags, in.Tags)
		p.Config.IdentityPoolTags = tags
		return checkTags(tags)
	})
	return &cognitoidentity.TagResourceResponse{}, err
}

func (s *Service) UntagResource(ctx context.Context, in *cognitoidentity.UntagResourceInput) (*cognitoidentity.UntagResourceResponse, error) {
	id, err := s.taggedPool(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	_, err = s.changePool(ctx, id, func(p *Pool) error {
		for _, key := range in.TagKeys {
			delete(p.Config.IdentityPoolTags, key)
		}
		return nil
	})
	return &cognitoidentity.UntagResourceResponse{}, err
}

func (s *Service) ListTagsForResource(ctx context.Context, in *cognitoidentity.ListTagsForResourceInput) (*cognitoidentity.ListTagsForResourceResponse, error) {
	id, err := s.taggedPool(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	p, err := s.regionPool(ctx, id)
	if err != nil {
		return nil, err
	}
	return &cognitoidentity.ListTagsForResourceResponse{Tags: p.Config.IdentityPoolTags}, nil
}

package userpools

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Client is the document of an app client.
type Client struct {
	PoolID string
	Config cognitoidp.UserPoolClientType // as DescribeUserPoolClient shows it, less the secret
	Secret []byte                        // sealed; nil: a public client
}

var clients = store.Kind[Client]{Name: "userpools.client"}

func (c *Client) id() string { return *c.Config.ClientId }

func (s *Service) clientSecret(c *Client) (string, error) {
	if c.Secret == nil {
		return "", nil
	}
	b, err := s.box.Open(c.Secret, "userpools.client/"+c.id())
	return string(b), err
}

// secretHash is what a confidential client sends beside a name:
// https://docs.aws.amazon.com/cognito/latest/developerguide/signing-up-users-in-your-app.html#cognito-user-pools-computing-secret-hash
func secretHash(secret, username, clientID string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(username + clientID))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// checkSecretHash holds a hash against the client's secret, for any of the names that the caller may
// have hashed. missing is the error for a hash that was not sent.
func (s *Service) checkSecretHash(c *Client, hash string, missing, wrong error, names ...string) error {
	secret, err := s.clientSecret(c)
	if err != nil || secret == "" {
		return err
	}
	if hash == "" {
		return missing
	}
	for _, name := range names {
		if subtle.ConstantTimeCompare([]byte(hash), []byte(secretHash(secret, name, c.id()))) == 1 {
			return nil
		}
	}
	return wrong
}

// checkSignUpHash is checkSecretHash in the words of the sign-up operations.
func (s *Service) checkSignUpHash(c *Client, hash *string, username string) error {
	err := cognitoidp.NotAuthorizedException("Unable to verify secret hash for client %s", c.id())
	return s.checkSecretHash(c, shape.Val(hash), cognitoidp.NotAuthorizedException("Client %s is configured with secret but SECRET_HASH was not received", c.id()), err, username)
}

// checkAuthHash is checkSecretHash in the words of the sign-in operations.
func (s *Service) checkAuthHash(c *Client, params map[string]string, names ...string) error {
	return s.checkSecretHash(c, params["SECRET_HASH"],
		cognitoidp.NotAuthorizedException("Client %s is configured with secret but SECRET_HASH was not received", c.id()),
		cognitoidp.NotAuthorizedException("SecretHash does not match for the client: %s", c.id()), names...)
}

// checkClientSecret holds a secret that was shown against the client's.
func (s *Service) checkClientSecret(c *Client, shown *string) error {
	secret, err := s.clientSecret(c)
	switch {
	case err != nil:
		return err
	case secret != "" && shown == nil:
		return cognitoidp.NotAuthorizedException("Client %s is configured for secret but secret was not received", c.id())
	case subtle.ConstantTimeCompare([]byte(secret), []byte(shape.Val(shown))) != 1:
		return cognitoidp.NotAuthorizedException("Invalid client secret")
	}
	return nil
}

// allows reports whether the client may use a flow, named without its prefix: "USER_SRP_AUTH".
func (c *Client) allows(flow string) bool {
	flows := c.Config.ExplicitAuthFlows
	modern := slices.ContainsFunc(flows, func(f string) bool { return strings.HasPrefix(f, "ALLOW_") })
	switch {
	case len(flows) == 0:
		return flow == "REFRESH_TOKEN_AUTH" || flow == "USER_SRP_AUTH" || flow == "CUSTOM_AUTH"
	case modern:
		return slices.Contains(flows, "ALLOW_"+flow)
	}
	// The values from before 2019: SRP, custom and refresh unless they are restricted to custom.
	switch flow {
	case "ADMIN_USER_PASSWORD_AUTH":
		return slices.Contains(flows, "ADMIN_NO_SRP_AUTH")
	case "USER_PASSWORD_AUTH":
		return slices.Contains(flows, "USER_PASSWORD_AUTH")
	case "USER_SRP_AUTH":
		return !slices.Contains(flows, "CUSTOM_AUTH_FLOW_ONLY")
	case "CUSTOM_AUTH", "REFRESH_TOKEN_AUTH":
		return true
	}
	return false
}

func (c *Client) hidesUsers() bool {
	return shape.Val(c.Config.PreventUserExistenceErrors) == "ENABLED"
}

func (c *Client) revocable() bool {
	return c.Config.EnableTokenRevocation == nil || *c.Config.EnableTokenRevocation
}

// rotates reports whether a refresh token is replaced when it is used (by GetTokensFromRefreshToken;
// the flow REFRESH_TOKEN_AUTH is closed to such clients).
func (c *Client) rotates() bool {
	return c.Config.RefreshTokenRotation != nil && c.Config.RefreshTokenRotation.Feature == "ENABLED"
}

func (c *Client) accessValidity() time.Duration {
	u := c.Config.TokenValidityUnits
	return validity(c.Config.AccessTokenValidity, u, func(u *cognitoidp.TokenValidityUnitsType) *string { return u.AccessToken }, "hours", time.Hour)
}

func (c *Client) idValidity() time.Duration {
	u := c.Config.TokenValidityUnits
	return validity(c.Config.IdTokenValidity, u, func(u *cognitoidp.TokenValidityUnitsType) *string { return u.IdToken }, "hours", time.Hour)
}

func (c *Client) refreshValidity() time.Duration {
	u := c.Config.TokenValidityUnits
	return validity(c.Config.RefreshTokenValidity, u, func(u *cognitoidp.TokenValidityUnitsType) *string { return u.RefreshToken }, "days", 30*24*time.Hour)
}

func (c *Client) challengeValidity() time.Duration {
	return time.Duration(shape.Val(c.Config.AuthSessionValidity)) * time.Minute
}

func validity(n *int64, units *cognitoidp.TokenValidityUnitsType, pick func(*cognitoidp.TokenValidityUnitsType) *string, unit string, def time.Duration) time.Duration {
	if shape.Val(n) == 0 {
		return def
	}
	if units != nil && pick(units) != nil {
		unit = *pick(units)
	}
	return time.Duration(*n) * map[string]time.Duration{"seconds": time.Second, "minutes": time.Minute, "hours": time.Hour, "days": 24 * time.Hour}[unit]
}

// configureClient applies settings to cfg, with Cognito's defaults, and checks them.
func (s *Service) configureClient(p *Pool, c *Client, in *cognitoidp.CreateUserPoolClientRequest) error {
	cfg := &c.Config
	cfg.ClientName = shape.Ptr(in.ClientName)
	cfg.RefreshTokenValidity = shape.Ptr[int64](30)
	if shape.Val(in.RefreshTokenValidity) != 0 {
		cfg.RefreshTokenValidity = in.RefreshTokenValidity
	}
	cfg.AccessTokenValidity, cfg.IdTokenValidity = in.AccessTokenValidity, in.IdTokenValidity
	cfg.TokenValidityUnits = in.TokenValidityUnits
	if cfg.TokenValidityUnits == nil {
		cfg.TokenValidityUnits = &cognitoidp.TokenValidityUnitsType{}
	}
	const day = 24 * time.Hour
	if a, i, r := c.accessValidity(), c.idValidity(), c.refreshValidity(); a < 5*time.Minute || a > day || i < 5*time.Minute || i > day || r < time.Hour || r > 3650*day || r < a || r < i {
		return errInvalidParameter("Invalid range for token validity.")
	}
	cfg.AuthSessionValidity = shape.Ptr[int64](3)
	if in.AuthSessionValidity != nil {
		cfg.AuthSessionValidity = in.AuthSessionValidity
	}
	if err := checkFlows(in.ExplicitAuthFlows); err != nil {
		return err
	}
	cfg.ExplicitAuthFlows = in.ExplicitAuthFlows
	cfg.PreventUserExistenceErrors = in.PreventUserExistenceErrors
	cfg.EnableTokenRevocation = shape.Ptr(in.EnableTokenRevocation == nil || *in.EnableTokenRevocation)
	cfg.EnablePropagateAdditionalUserContextData = shape.Ptr(shape.Val(in.EnablePropagateAdditionalUserContextData))
	switch {
	case *cfg.EnablePropagateAdditionalUserContextData:
		return errUnsupported("EnablePropagateAdditionalUserContextData")
	case in.AnalyticsConfiguration != nil && firstSet(*in.AnalyticsConfiguration) != "":
		return errUnsupported("AnalyticsConfiguration")
	}
	cfg.RefreshTokenRotation = in.RefreshTokenRotation
	if c.rotates() && c.allows("REFRESH_TOKEN_AUTH") {
		return errInvalidParameter("Refresh token rotation cannot be enabled together with ALLOW_REFRESH_TOKEN_AUTH.")
	}

	for _, name := range in.ReadAttributes {
		if a := p.attribute(name); a == nil || shape.Val(a.DeveloperOnlyAttribute) {
			return errInvalidParameter("Invalid read attributes specified while creating a client")
		}
	}
	for _, name := range in.WriteAttributes {
		a := p.attribute(name)
		if a == nil || name == "sub" || name == "identities" || name == "email_verified" || name == "phone_number_verified" || shape.Val(a.DeveloperOnlyAttribute) {
			return errInvalidParameter("Invalid write attributes specified while creating a client")
		}
	}
	if in.WriteAttributes != nil {
		for i := range p.Config.SchemaAttributes {
			if a := &p.Config.SchemaAttributes[i]; *a.Name != "sub" && shape.Val(a.Required) && !slices.Contains(in.WriteAttributes, *a.Name) {
				return errInvalidParameter("Invalid write attributes specified while creating a client")
			}
		}
	}
	cfg.ReadAttributes, cfg.WriteAttributes = in.ReadAttributes, in.WriteAttributes
	for _, name := range in.SupportedIdentityProviders {
		if name != "COGNITO" {
			return errInvalidParameter("The provider %s does not exist for User Pool %s.", name, p.id())
		}
	}
	cfg.SupportedIdentityProviders = in.SupportedIdentityProviders
	return configureOAuth(c, in)
}

func checkFlows(flows []string) error {
	legacy, modern := false, false
	for _, f := range flows {
		if strings.HasPrefix(f, "ALLOW_") {
			modern = true
		} else {
			legacy = true
		}
	}
	if legacy && modern {
		return errInvalidParameter("You cannot use ExplicitAuthFlows values with and without the ALLOW_ prefix at the same time.")
	}
	return nil
}

// configureOAuth checks and stores what the sign-in pages and the OAuth endpoints will need.
func configureOAuth(c *Client, in *cognitoidp.CreateUserPoolClientRequest) error {
	cfg := &c.Config
	for _, list := range [][]string{in.CallbackURLs, in.LogoutURLs} {
		for _, u := range list {
			if err := checkRedirect(u); err != nil {
				return err
			}
		}
	}
	if d := shape.Val(in.DefaultRedirectURI); d != "" && !slices.Contains(in.CallbackURLs, d) {
		return errInvalidParameter("The default redirect URI must be one of the callback URLs.")
	}
	oauth := shape.Val(in.AllowedOAuthFlowsUserPoolClient)
	if oauth && (len(in.AllowedOAuthFlows) == 0 || len(in.AllowedOAuthScopes) == 0) {
		return errInvalidParameter("AllowedOAuthFlows and AllowedOAuthScopes are required if user pool client is allowed to use OAuth flows.")
	}
	if slices.Contains(in.AllowedOAuthFlows, "client_credentials") {
		if len(in.AllowedOAuthFlows) > 1 {
			return cognitoidp.InvalidOAuthFlowException("client_credentials flow can not be selected along with code flow or implicit flow.")
		}
		if c.Secret == nil {
			return cognitoidp.InvalidOAuthFlowException("client_credentials flow can not be selected if client does not have a client secret.")
		}
	}
	for _, scope := range in.AllowedOAuthScopes {
		switch scope {
		case "phone", "email", "openid", "profile", "aws.cognito.signin.user.admin":
		default:
			return cognitoidp.ScopeDoesNotExistException("Invalid scope requested: %s", scope)
		}
	}
	cfg.CallbackURLs, cfg.LogoutURLs, cfg.DefaultRedirectURI = in.CallbackURLs, in.LogoutURLs, in.DefaultRedirectURI
	cfg.AllowedOAuthFlows, cfg.AllowedOAuthScopes = in.AllowedOAuthFlows, in.AllowedOAuthScopes
	cfg.AllowedOAuthFlowsUserPoolClient = &oauth
	return nil
}

// checkRedirect refuses a redirect URI that Cognito would: RFC 6749, section 3.1.2, and plain HTTP
// for the own machine only.
func checkRedirect(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "":
		return errInvalidParameter("%s is not a valid redirect URI: it must be absolute.", raw)
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return errInvalidParameter("%s is not a valid redirect URI: it must not have a fragment.", raw)
	case u.Scheme == "http" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1":
		return errInvalidParameter("%s cannot use the HTTP protocol.", raw)
	}
	switch strings.ToLower(u.Scheme) {
	case "javascript", "data", "vbscript", "file":
		return errInvalidParameter("%s is not a valid redirect URI: the scheme is not allowed.", raw)
	}
	return nil
}

// createClient makes an app client. token, if any, tells tries to make the same client.
func (s *Service) createClient(ctx context.Context, in *cognitoidp.CreateUserPoolClientRequest, token string) (*Client, error) {
	p, err := s.regionPool(ctx, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	now := s.now().UTC()
	c := &Client{PoolID: p.id(), Config: cognitoidp.UserPoolClientType{UserPoolId: shape.Ptr(p.id()), ClientId: shape.Ptr(ident.ClientID()), CreationDate: &now, LastModifiedDate: &now}}
	secret := shape.Val(in.ClientSecret)
	if shape.Val(in.GenerateSecret) {
		if secret != "" {
			return nil, errInvalidParameter("GenerateSecret and ClientSecret cannot be used together.")
		}
		secret = ident.ClientSecret()
	}
	if secret != "" {
		c.Secret = s.box.Seal([]byte(secret), "userpools.client/"+c.id())
	}
	if err := s.configureClient(p, c, in); err != nil {
		return nil, err
	}
	err = s.update(ctx, func(tx *store.Tx) error {
		if _, err := pools.Get(tx, p.id()); errors.Is(err, store.ErrNotFound) {
			return errPoolNotFound(p.id())
		} else if err != nil {
			return err
		}
		return clients.Insert(tx, store.Key{ID: c.id(), Parent: p.id(), Name: token}, c)
	})
	return c, err
}

func (s *Service) updateClient(ctx context.Context, in *cognitoidp.UpdateUserPoolClientRequest) (*Client, error) {
	_, p, err := s.poolClient(ctx, in.UserPoolId, in.ClientId)
	if err != nil {
		return nil, err
	}
	var c *Client
	err = s.update(ctx, func(tx *store.Tx) (err error) {
		if c, err = clients.Get(tx, in.ClientId); errors.Is(err, store.ErrNotFound) {
			return errClientNotFound(in.ClientId)
		} else if err != nil {
			return err
		}
		err = s.configureClient(p, c, &cognitoidp.CreateUserPoolClientRequest{
			ClientName: *orDefault(in.ClientName, *c.Config.ClientName), RefreshTokenValidity: in.RefreshTokenValidity,
			AccessTokenValidity: in.AccessTokenValidity, IdTokenValidity: in.IdTokenValidity, TokenValidityUnits: in.TokenValidityUnits,
			ReadAttributes: in.ReadAttributes, WriteAttributes: in.WriteAttributes, ExplicitAuthFlows: in.ExplicitAuthFlows,
			SupportedIdentityProviders: in.SupportedIdentityProviders, CallbackURLs: in.CallbackURLs, LogoutURLs: in.LogoutURLs,
			DefaultRedirectURI: in.DefaultRedirectURI, AllowedOAuthFlows: in.AllowedOAuthFlows, AllowedOAuthScopes: in.AllowedOAuthScopes,
			AllowedOAuthFlowsUserPoolClient: in.AllowedOAuthFlowsUserPoolClient, AnalyticsConfiguration: in.AnalyticsConfiguration,
			PreventUserExistenceErrors: in.PreventUserExistenceErrors, EnableTokenRevocation: in.EnableTokenRevocation,
			EnablePropagateAdditionalUserContextData: in.EnablePropagateAdditionalUserContextData,
			AuthSessionValidity:                      in.AuthSessionValidity, RefreshTokenRotation: in.RefreshTokenRotation,
		})
		if err != nil {
			return err
		}
		c.Config.LastModifiedDate = shape.Ptr(tx.Now().UTC())
		return clients.Put(tx, store.Key{ID: c.id(), Parent: c.PoolID}, c)
	})
	return c, err
}

// deleteClient removes a client; its sessions end with it.
func (s *Service) deleteClient(ctx context.Context, poolID, id string) error {
	if _, _, err := s.poolClient(ctx, poolID, id); err != nil {
		return err
	}
	return s.update(ctx, func(tx *store.Tx) error {
		err := clients.Delete(tx, id)
		if errors.Is(err, store.ErrNotFound) {
			return errClientNotFound(id)
		}
		return err
	})
}

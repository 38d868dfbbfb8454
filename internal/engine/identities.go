package engine

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/identitypools"
	"github.com/gatehouse-dev/gatehouse/internal/saml"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// oidcProvider is what identity pools want to know of IAM's OpenID Connect providers.
func (e *Engine) oidcProvider(ctx context.Context, arn string) (*identitypools.OIDCProvider, error) {
	p, err := e.iam.OIDCProvider(ctx, arn)
	if err != nil {
		return nil, err
	}
	return &identitypools.OIDCProvider{URL: p.URL, ClientIDs: p.ClientIDs}, nil
}

// samlLogin verifies a SAML response for identity pools. It must have been made for AWS's sign-in, whose
// metadata name these (https://signin.aws.amazon.com/static/saml-metadata.xml).
func (e *Engine) samlLogin(ctx context.Context, arn, response string) (*identitypools.Assertion, error) {
	p, err := e.iam.SAMLProvider(ctx, arn)
	if err != nil {
		return nil, err
	}
	provider, err := p.Provider()
	if err != nil {
		return nil, err
	}
	text, err := base64.StdEncoding.DecodeString(response)
	if err != nil {
		return nil, sts.InvalidIdentityTokenException("The SAML response is not base64.")
	}
	const signIn = "https://signin.aws.amazon.com/saml"
	a, err := provider.Verify(text, saml.Options{Audiences: []string{"urn:amazon:webservices", signIn},
		Recipients: []string{signIn, "https://" + wire.CallFrom(ctx).Region + ".signin.aws.amazon.com/saml"}, Now: e.cfg.Now()})
	if bad := (*saml.Error)(nil); errors.As(err, &bad) {
		return nil, sts.InvalidIdentityTokenException("%s", bad.Error())
	}
	if err != nil {
		return nil, err
	}
	out := &identitypools.Assertion{Subject: a.NameID, Attributes: map[string][]string{}}
	for _, at := range a.Attributes {
		out.Attributes[at.Name] = append(out.Attributes[at.Name], at.Values...)
	}
	return out, nil
}

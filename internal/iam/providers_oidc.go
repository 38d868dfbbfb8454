package iam

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// OIDCProvider is an OpenID Connect provider whose tokens roles may trust.
type OIDCProvider struct {
	ARN         string
	URL         string // without the scheme: "accounts.google.com", "token.actions.githubusercontent.com"
	ClientIDs   []string
	Thumbprints []string // SHA-1 of certificates, 40 hexadecimal digits
	Created     int64
	Tags        map[string]string
	Token       string `json:",omitempty"` // of the step of a stack that made it
}

var oidcProviders = store.Kind[OIDCProvider]{Name: "iam.oidc"}

func oidcKey(url string) store.Key {
	return store.Key{ID: url, Parent: "oidc", Name: url}
}

func noOIDC(arn string) error {
	return iam.NoSuchEntityException("OpenIDConnect Provider not found for arn %s", arn)
}

// OIDCProvider returns the provider with the ARN, or with the URL, with or without its scheme. It is shared
// and must not be modified. The error for one that is not there is IAM's NoSuchEntity.
func (s *Service) OIDCProvider(ctx context.Context, arnOrURL string) (*OIDCProvider, error) {
	at, ok := strings.CutPrefix(arnOrURL, arn.New("iam", "", s.Account, "oidc-provider/").String())
	if !validText(at) {
		return nil, noOIDC(arnOrURL)
	}
	if !ok {
		if strings.HasPrefix(arnOrURL, "arn:") {
			return nil, noOIDC(arnOrURL)
		}
		at = strings.TrimPrefix(arnOrURL, "https://")
	}
	p, err := oidcProviders.Cached(ctx, s.DB, oidcKey(at).ID)
	if errors.Is(err, store.ErrNotFound) || at == "" {
		return nil, noOIDC(arnOrURL)
	}
	return p, err
}

// changeOIDC applies f to a provider.
func (s *Service) changeOIDC(ctx context.Context, providerARN string, f func(*OIDCProvider) error) error {
	p, err := s.OIDCProvider(ctx, providerARN)
	if err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		p, err := oidcProviders.Get(tx, oidcKey(p.URL).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noOIDC(providerARN)
		}
		if err != nil {
			return err
		}
		if err := f(p); err != nil {
			return err
		}
		return oidcProviders.Put(tx, oidcKey(p.URL), p)
	})
}

// oidcURL checks the URL of a provider, and cuts off the scheme. A slash at the end stays: issuers with and
// without one are different (https://github.com/aws/aws-sam-cli/issues/7432).
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html
func oidcURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", iam.InvalidInputException("Invalid Open ID Connect Provider URL")
	}
	return strings.TrimPrefix(text, u.Scheme+"://"), nil
}

func checkThumbprints(list []string) error {
	if len(list) > maxThumbprints {
		return iam.InvalidInputException("Thumbprint list must contain fewer than %d entries.", maxThumbprints+1)
	}
	for _, t := range list {
		if len(t) != 40 || strings.Trim(t, "0123456789abcdefABCDEF") != "" {
			return iam.InvalidInputException("Invalid thumbprint")
		}
	}
	return nil
}

func (s *Service) CreateOpenIDConnectProvider(ctx context.Context, in *iam.CreateOpenIDConnectProviderRequest) (*iam.CreateOpenIDConnectProviderResponse, error) {
	p, err := s.createOIDC(ctx, in, "")
	if err != nil {
		return nil, err
	}
	return &iam.CreateOpenIDConnectProviderResponse{OpenIDConnectProviderArn: &p.ARN, Tags: tagList(p.Tags)}, nil
}

// createOIDC makes a provider. token, if any, tells tries to make the same one.
func (s *Service) createOIDC(ctx context.Context, in *iam.CreateOpenIDConnectProviderRequest, token string) (*OIDCProvider, error) {
	at, err := oidcURL(in.Url)
	if err != nil {
		return nil, err
	}
	if err := checkThumbprints(in.ThumbprintList); err != nil {
		return nil, err
	}
	if len(in.ClientIDList) > maxClientIDs {
		return nil, iam.LimitExceededException("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
	}
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.room(ctx, oidcProviders.Name, oidcKey("").Parent, "OpenIdConnectProvidersPerAccount", maxOIDCProviders); err != nil {
		return nil, err
	}
	p := &OIDCProvider{
		ARN: arn.New("iam", "", s.Account, "oidc-provider/"+at).String(), URL: at, ClientIDs: unique(in.ClientIDList), Thumbprints: unique(in.ThumbprintList),
		Created: s.Now().UnixMilli(), Tags: tags, Token: token,
	}
	return made(ctx, s.DB, oidcProviders, oidcKey(at), p, func(old *OIDCProvider) error {
		if token == "" || old.Token != token {
			return iam.EntityAlreadyExistsException("Provider with url %s already exists.", in.Url)
		}
		return nil
	})
}

// made inserts a document, or returns the one that is there, if same finds that it is the same one.
func made[T any](ctx context.Context, db *store.DB, kind store.Kind[T], key store.Key, v *T, same func(old *T) error) (out *T, err error) {
	err = db.Update(ctx, func(tx *store.Tx) error {
		out = v
		err := kind.Insert(tx, key, v)
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		if out, err = kind.Get(tx, key.ID); err != nil {
			return err
		}
		return same(out)
	})
	return out, err
}

// unique drops what a list has before.
func unique(list []string) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func (s *Service) GetOpenIDConnectProvider(ctx context.Context, in *iam.GetOpenIDConnectProviderRequest) (*iam.GetOpenIDConnectProviderResponse, error) {
	p, err := s.OIDCProvider(ctx, in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	return &iam.GetOpenIDConnectProviderResponse{Url: &p.URL, ClientIDList: p.ClientIDs, ThumbprintList: p.Thumbprints, CreateDate: timePtr(p.Created), Tags: tagList(p.Tags)}, nil
}

func (s *Service) ListOpenIDConnectProviders(ctx context.Context, _ *iam.ListOpenIDConnectProvidersRequest) (*iam.ListOpenIDConnectProvidersResponse, error) {
	out, _, err := list(ctx, s.DB, oidcProviders, oidcKey("").Parent, window{limit: maxOIDCProviders}, func(_ *store.Tx, p *OIDCProvider) (iam.OpenIDConnectProviderListEntry, bool, error) {
		return iam.OpenIDConnectProviderListEntry{Arn: &p.ARN}, true, nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.ListOpenIDConnectProvidersResponse{OpenIDConnectProviderList: out}, nil
}

// DeleteOpenIDConnectProvider succeeds for a provider that is not there, as on AWS.
func (s *Service) DeleteOpenIDConnectProvider(ctx context.Context, in *iam.DeleteOpenIDConnectProviderRequest) (*iam.DeleteOpenIDConnectProviderResponse, error) {
	p, err := s.OIDCProvider(ctx, in.OpenIDConnectProviderArn)
	if err == nil {
		err = s.DB.Update(ctx, func(tx *store.Tx) error { return oidcProviders.Delete(tx, oidcKey(p.URL).ID) })
	}
	if err != nil && !gone(err) && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return &iam.DeleteOpenIDConnectProviderResponse{}, nil
}

func (s *Service) AddClientIDToOpenIDConnectProvider(ctx context.Context, in *iam.AddClientIDToOpenIDConnectProviderRequest) (*iam.AddClientIDToOpenIDConnectProviderResponse, error) {
	err := s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *OIDCProvider) error {
		p.ClientIDs = unique(append(p.ClientIDs, in.ClientID))
		if len(p.ClientIDs) > maxClientIDs {
			return iam.LimitExceededException("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
		}
		return nil
	})
	return &iam.AddClientIDToOpenIDConnectProviderResponse{}, err
}

func (s *Service) RemoveClientIDFromOpenIDConnectProvider(ctx context.Context, in *iam.RemoveClientIDFromOpenIDConnectProviderRequest) (*iam.RemoveClientIDFromOpenIDConnectProviderResponse, error) {
	err := s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *OIDCProvider) error {
		p.ClientIDs = slices.DeleteFunc(p.ClientIDs, func(id string) bool { return id == in.ClientID })
		return nil
	})
	return &iam.RemoveClientIDFromOpenIDConnectProviderResponse{}, err
}

func (s *Service) UpdateOpenIDConnectProviderThumbprint(ctx context.Context, in *iam.UpdateOpenIDConnectProviderThumbprintRequest) (*iam.UpdateOpenIDConnectProviderThumbprintResponse, error) {
	if err := checkThumbprints(in.ThumbprintList); err != nil {
		return nil, err
	}
	err := s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *OIDCProvider) error { p.Thumbprints = unique(in.ThumbprintList); return nil })
	return &iam.UpdateOpenIDConnectProviderThumbprintResponse{}, err
}

func (s *Service) TagOpenIDConnectProvider(ctx context.Context, in *iam.TagOpenIDConnectProviderRequest) (*iam.TagOpenIDConnectProviderResponse, error) {
	err := s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *OIDCProvider) error { return retag(&p.Tags, in.Tags) })
	return &iam.TagOpenIDConnectProviderResponse{}, err
}

func (s *Service) UntagOpenIDConnectProvider(ctx context.Context, in *iam.UntagOpenIDConnectProviderRequest) (*iam.UntagOpenIDConnectProviderResponse, error) {
	err := s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *OIDCProvider) error { untag(p.Tags, in.TagKeys); return nil })
	return &iam.UntagOpenIDConnectProviderResponse{}, err
}

func (s *Service) ListOpenIDConnectProviderTags(ctx context.Context, in *iam.ListOpenIDConnectProviderTagsRequest) (*iam.ListOpenIDConnectProviderTagsResponse, error) {
	p, err := s.OIDCProvider(ctx, in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	out := new(iam.ListOpenIDConnectProviderTagsResponse)
	out.Tags, out.IsTruncated, out.Marker, err = tagPage(p.Tags, in.Marker, in.MaxItems)
	return out, err
}

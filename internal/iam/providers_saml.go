package iam

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/saml"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// SAMLProvider is a SAML identity provider whose assertions roles may trust.
type SAMLProvider struct {
	ARN, Name  string
	UUID       string
	Metadata   string // its metadata document
	ValidUntil int64  // epoch milliseconds; 0: for ever
	Created    int64
	Tags       map[string]string
	Token      string `json:",omitempty"` // of the step of a stack that made it

	parsed atomic.Pointer[saml.Provider]
}

// Provider returns the provider as its metadata describes it.
func (p *SAMLProvider) Provider() (*saml.Provider, error) {
	if v := p.parsed.Load(); v != nil {
		return v, nil
	}
	v, err := saml.ParseMetadata([]byte(p.Metadata))
	if err == nil {
		p.parsed.Store(v)
	}
	return v, err
}

var samlProviders = store.Kind[SAMLProvider]{Name: "iam.saml"}

func samlKey(name string) store.Key {
	return store.Key{ID: strings.ToLower(name), Parent: "saml", Name: strings.ToLower(name)}
}

func noSAML(arn string) error {
	return iam.NoSuchEntityException("Manifest not found for arn %s", arn)
}

// SAMLProvider returns the provider with the ARN. It is shared and must not be modified. The error for one
// that is not there is IAM's NoSuchEntity.
func (s *Service) SAMLProvider(ctx context.Context, providerARN string) (*SAMLProvider, error) {
	name, ok := strings.CutPrefix(providerARN, arn.New("iam", "", s.Account, "saml-provider/").String())
	if !ok || name == "" || !validText(name) {
		return nil, noSAML(providerARN)
	}
	p, err := samlProviders.Cached(ctx, s.DB, samlKey(name).ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && p.ARN != providerARN {
		return nil, noSAML(providerARN)
	}
	return p, err
}

// changeSAML applies f to a provider.
func (s *Service) changeSAML(ctx context.Context, providerARN string, f func(*SAMLProvider) error) error {
	p, err := s.SAMLProvider(ctx, providerARN)
	if err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		p, err := samlProviders.Get(tx, samlKey(p.Name).ID)
		if errors.Is(err, store.ErrNotFound) {
			return noSAML(providerARN)
		}
		if err != nil {
			return err
		}
		if err := f(p); err != nil {
			return err
		}
		return samlProviders.Put(tx, samlKey(p.Name), p)
	})
}

// describe takes over a metadata document.
func (p *SAMLProvider) describe(metadata string) error {
	v, err := saml.ParseMetadata([]byte(metadata))
	if err != nil {
		e := iam.InvalidInputException("Could not parse metadata")
		e.Cause = err
		var why *saml.Error
		if errors.As(err, &why) {
			e.Message += ": " + why.Detail
		}
		return e
	}
	p.Metadata, p.ValidUntil = metadata, 0
	if !v.ValidUntil.IsZero() {
		p.ValidUntil = v.ValidUntil.UnixMilli()
	}
	return nil
}

// samlUnsupported names what is not done here: package saml takes no encrypted assertions.
func samlUnsupported(mode, add, remove *string) error {
	name := shape.Given(map[string]bool{"AssertionEncryptionMode": mode != nil && *mode != "Allowed", "AddPrivateKey": add != nil, "RemovePrivateKey": remove != nil})
	if name == "" {
		return nil
	}
	return iam.InvalidInputException("%s is not supported: encrypted assertions are not taken here.", name)
}

func (s *Service) CreateSAMLProvider(ctx context.Context, in *iam.CreateSAMLProviderRequest) (*iam.CreateSAMLProviderResponse, error) {
	p, err := s.createSAML(ctx, in, "")
	if err != nil {
		return nil, err
	}
	return &iam.CreateSAMLProviderResponse{SAMLProviderArn: &p.ARN, Tags: tagList(p.Tags)}, nil
}

// createSAML makes a provider. token, if any, tells tries to make the same one.
func (s *Service) createSAML(ctx context.Context, in *iam.CreateSAMLProviderRequest, token string) (*SAMLProvider, error) {
	if err := samlUnsupported(in.AssertionEncryptionMode, in.AddPrivateKey, nil); err != nil {
		return nil, err
	}
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	p := &SAMLProvider{
		ARN: arn.New("iam", "", s.Account, "saml-provider/"+in.Name).String(), Name: in.Name, UUID: strings.ToUpper(ident.UniqueID("ASAM")),
		Created: s.Now().UnixMilli(), Tags: tags, Token: token,
	}
	if err := p.describe(in.SAMLMetadataDocument); err != nil {
		return nil, err
	}
	if err := s.room(ctx, samlProviders.Name, samlKey("").Parent, "SAMLProvidersPerAccount", maxSAMLProviders); err != nil {
		return nil, err
	}
	return made(ctx, s.DB, samlProviders, samlKey(in.Name), p, func(old *SAMLProvider) error {
		if token == "" || old.Token != token {
			return iam.EntityAlreadyExistsException("SAMLProvider with name %s already exists.", in.Name)
		}
		return nil
	})
}

func (s *Service) GetSAMLProvider(ctx context.Context, in *iam.GetSAMLProviderRequest) (*iam.GetSAMLProviderResponse, error) {
	p, err := s.SAMLProvider(ctx, in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	out := &iam.GetSAMLProviderResponse{SAMLProviderUUID: &p.UUID, SAMLMetadataDocument: &p.Metadata, CreateDate: timePtr(p.Created), Tags: tagList(p.Tags)}
	if p.ValidUntil != 0 {
		out.ValidUntil = timePtr(p.ValidUntil)
	}
	return out, nil
}

func (s *Service) UpdateSAMLProvider(ctx context.Context, in *iam.UpdateSAMLProviderRequest) (*iam.UpdateSAMLProviderResponse, error) {
	if err := samlUnsupported(in.AssertionEncryptionMode, in.AddPrivateKey, in.RemovePrivateKey); err != nil {
		return nil, err
	}
	if in.SAMLMetadataDocument != nil {
		next := new(SAMLProvider)
		if err := next.describe(*in.SAMLMetadataDocument); err != nil {
			return nil, err
		}
		err := s.changeSAML(ctx, in.SAMLProviderArn, func(p *SAMLProvider) error {
			p.Metadata, p.ValidUntil = next.Metadata, next.ValidUntil
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	p, err := s.SAMLProvider(ctx, in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	return &iam.UpdateSAMLProviderResponse{SAMLProviderArn: &p.ARN}, nil
}

func (s *Service) DeleteSAMLProvider(ctx context.Context, in *iam.DeleteSAMLProviderRequest) (*iam.DeleteSAMLProviderResponse, error) {
	p, err := s.SAMLProvider(ctx, in.SAMLProviderArn)
	if err == nil {
		err = s.DB.Update(ctx, func(tx *store.Tx) error { return samlProviders.Delete(tx, samlKey(p.Name).ID) })
	}
	if errors.Is(err, store.ErrNotFound) {
		err = noSAML(in.SAMLProviderArn)
	}
	if err != nil {
		return nil, err
	}
	return &iam.DeleteSAMLProviderResponse{}, nil
}

func (s *Service) ListSAMLProviders(ctx context.Context, _ *iam.ListSAMLProvidersRequest) (*iam.ListSAMLProvidersResponse, error) {
	out, _, err := list(ctx, s.DB, samlProviders, samlKey("").Parent, window{limit: maxSAMLProviders}, func(_ *store.Tx, p *SAMLProvider) (iam.SAMLProviderListEntry, bool, error) {
		e := iam.SAMLProviderListEntry{Arn: &p.ARN, CreateDate: timePtr(p.Created)}
		if p.ValidUntil != 0 {
			e.ValidUntil = timePtr(p.ValidUntil)
		}
		return e, true, nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.ListSAMLProvidersResponse{SAMLProviderList: out}, nil
}

func (s *Service) TagSAMLProvider(ctx context.Context, in *iam.TagSAMLProviderRequest) (*iam.TagSAMLProviderResponse, error) {
	err := s.changeSAML(ctx, in.SAMLProviderArn, func(p *SAMLProvider) error { return retag(&p.Tags, in.Tags) })
	return &iam.TagSAMLProviderResponse{}, err
}

func (s *Service) UntagSAMLProvider(ctx context.Context, in *iam.UntagSAMLProviderRequest) (*iam.UntagSAMLProviderResponse, error) {
	err := s.changeSAML(ctx, in.SAMLProviderArn, func(p *SAMLProvider) error { untag(p.Tags, in.TagKeys); return nil })
	return &iam.UntagSAMLProviderResponse{}, err
}

func (s *Service) ListSAMLProviderTags(ctx context.Context, in *iam.ListSAMLProviderTagsRequest) (*iam.ListSAMLProviderTagsResponse, error) {
	p, err := s.SAMLProvider(ctx, in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	out := new(iam.ListSAMLProviderTagsResponse)
	out.Tags, out.IsTruncated, out.Marker, err = tagPage(p.Tags, in.Marker, in.MaxItems)
	return out, err
}

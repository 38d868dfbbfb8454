package iam

import (
	"context"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// oidcResource makes AWS::IAM::OIDCProvider.
type oidcResource struct{ s *Service }

func (h oidcResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(iam.CreateOpenIDConnectProviderRequest)
	if err := resource.Fill(&iam.Model, in, r.Props, map[string]string{"ClientIdList": "ClientIDList"}); err != nil {
		return resource.Result{}, err
	}
	tags, err := r.AllTags("Tags")
	if err != nil {
		return resource.Result{}, err
	}
	in.Tags = tagList(tags)
	if err := may(ctx, in); err != nil {
		return resource.Result{}, err
	}
	p, err := h.s.createOIDC(ctx, in, r.Token)
	if err != nil {
		return resource.Result{}, err
	}
	return oidcResult(p), nil
}

func oidcResult(p *OIDCProvider) resource.Result {
	return resource.Result{PhysicalID: p.ARN, Attrs: map[string]any{"Arn": p.ARN}}
}

func (h oidcResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	p, err := h.s.OIDCProvider(ctx, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	prints, clients := textsIn(r.Props["ThumbprintList"]), textsIn(r.Props["ClientIdList"])
	if !resource.Equal(r.OldProps["ThumbprintList"], r.Props["ThumbprintList"]) {
		if err := call(ctx, h.s.UpdateOpenIDConnectProviderThumbprint, &iam.UpdateOpenIDConnectProviderThumbprintRequest{OpenIDConnectProviderArn: p.ARN, ThumbprintList: prints}); err != nil {
			return resource.Result{}, err
		}
	}
	for _, id := range only(clients, p.ClientIDs) {
		if err := call(ctx, h.s.AddClientIDToOpenIDConnectProvider, &iam.AddClientIDToOpenIDConnectProviderRequest{OpenIDConnectProviderArn: p.ARN, ClientID: id}); err != nil {
			return resource.Result{}, err
		}
	}
	for _, id := range only(textsIn(r.OldProps["ClientIdList"]), clients) {
		if err := call(ctx, h.s.RemoveClientIDFromOpenIDConnectProvider, &iam.RemoveClientIDFromOpenIDConnectProviderRequest{OpenIDConnectProviderArn: p.ARN, ClientID: id}); err != nil {
			return resource.Result{}, err
		}
	}
	if r.Retags("Tags") {
		tags, err := r.AllTags("Tags")
		if err == nil {
			err = may(ctx, &iam.TagOpenIDConnectProviderRequest{OpenIDConnectProviderArn: p.ARN, Tags: tagList(tags)})
		}
		if err == nil {
			err = h.s.changeOIDC(ctx, p.ARN, func(p *OIDCProvider) error { p.Tags = tags; return nil })
		}
		if err != nil {
			return resource.Result{}, err
		}
	}
	return oidcResult(p), nil
}

func (h oidcResource) Delete(ctx context.Context, r *resource.Request) error {
	return unlessGone(call(ctx, h.s.DeleteOpenIDConnectProvider, &iam.DeleteOpenIDConnectProviderRequest{OpenIDConnectProviderArn: r.PhysicalID}))
}

// samlResource makes AWS::IAM::SAMLProvider.
type samlResource struct{ s *Service }

func samlResult(p *SAMLProvider) resource.Result {
	return resource.Result{PhysicalID: p.ARN, Attrs: map[string]any{"Arn": p.ARN, "SamlProviderUUID": p.UUID}}
}

func (h samlResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(iam.CreateSAMLProviderRequest)
	if err := resource.Fill(&iam.Model, in, resource.With(map[string]any{"Name": r.PhysicalName(128, false)}, r.Props), nil); err != nil {
		return resource.Result{}, err
	}
	tags, err := r.AllTags("Tags")
	if err != nil {
		return resource.Result{}, err
	}
	in.Tags = tagList(tags)
	if err := may(ctx, in); err != nil {
		return resource.Result{}, err
	}
	p, err := h.s.createSAML(ctx, in, r.Token)
	if err != nil {
		return resource.Result{}, err
	}
	return samlResult(p), nil
}

func (h samlResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	p, err := h.s.SAMLProvider(ctx, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	in := &iam.UpdateSAMLProviderRequest{SAMLProviderArn: p.ARN}
	if text, ok := r.Props["SamlMetadataDocument"].(string); ok && text != p.Metadata {
		in.SAMLMetadataDocument = &text
	}
	if mode, ok := r.Props["AssertionEncryptionMode"].(string); ok {
		in.AssertionEncryptionMode = &mode
	}
	if in.SAMLMetadataDocument != nil || shape.Val(in.AssertionEncryptionMode) != "" {
		if err := call(ctx, h.s.UpdateSAMLProvider, in); err != nil {
			return resource.Result{}, err
		}
	}
	if r.Retags("Tags") {
		tags, err := r.AllTags("Tags")
		if err == nil {
			err = may(ctx, &iam.TagSAMLProviderRequest{SAMLProviderArn: p.ARN, Tags: tagList(tags)})
		}
		if err == nil {
			err = h.s.changeSAML(ctx, p.ARN, func(p *SAMLProvider) error { p.Tags = tags; return nil })
		}
		if err != nil {
			return resource.Result{}, err
		}
	}
	return samlResult(p), nil
}

func (h samlResource) Delete(ctx context.Context, r *resource.Request) error {
	return unlessGone(call(ctx, h.s.DeleteSAMLProvider, &iam.DeleteSAMLProviderRequest{SAMLProviderArn: r.PhysicalID}))
}

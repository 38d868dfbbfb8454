package httpapis

import (
	"context"
	"maps"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

type domainResource struct{ s *Service }

func domainResult(d *domains.Domain) resource.Result {
	name, zone := d.Target()
	return resource.Result{PhysicalID: d.Name, Attrs: map[string]any{"DomainNameArn": d.ARN(), "RegionalDomainName": name, "RegionalHostedZoneId": zone}}
}

// bindDomain reads the properties of a domain.
func bindDomain(ctx context.Context, r *resource.Request) (*v2.CreateDomainNameRequest, error) {
	in := new(v2.CreateDomainNameRequest)
	if err := resource.Input(ctx, &v2.Model, in, without(r.Props, "Tags"), nil); err != nil {
		return nil, err
	}
	var err error
	in.Tags, err = r.AllTags("Tags")
	return in, err
}

func (h domainResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in, err := bindDomain(ctx, r)
	if err != nil {
		return resource.Result{}, err
	}
	step := stepID(r, ident.ClientID)
	if d, err := h.s.domains.Get(ctx, wire.CallFrom(ctx).Region, in.DomainName); err == nil && d.Step == step {
		return domainResult(d), nil
	}
	d, err := h.s.createDomain(ctx, in, step)
	if err != nil {
		return resource.Result{}, err
	}
	return domainResult(d), nil
}

func (h domainResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v2.UpdateDomainNameRequest)
	if err := resource.Input(ctx, &v2.Model, in, without(r.Props, "Tags"), nil); err != nil {
		return resource.Result{}, err
	}
	want, err := r.AllTags("Tags")
	if err != nil {
		return resource.Result{}, err
	}
	region := wire.CallFrom(ctx).Region
	if r.Retags("Tags") {
		if err := resource.Authorize(ctx, &v2.Model, &v2.TagResourceRequest{ResourceArn: (&domains.Domain{Name: r.PhysicalID, Region: region}).ARN(), Tags: want}); err != nil {
			return resource.Result{}, err
		}
	}
	d, err := h.s.domains.Change(ctx, region, r.PhysicalID, func(d *domains.Domain) error {
		trust := in.MutualTlsAuthentication
		if trust == nil {
			trust = &v2.MutualTlsAuthenticationInput{TruststoreUri: shape.Ptr("")}
		}
		// A template says all that a domain is.
		d.RegionalARN, d.RegionalCertificate, d.OwnershipARN, d.SecurityPolicy, d.IPAddressType = "", "", "", "", ""
		d.Tags = maps.Clone(want)
		return settleDomain(d, in.DomainNameConfigurations, trust, in.RoutingMode)
	})
	if err != nil {
		return resource.Result{}, err
	}
	return domainResult(d), nil
}

func (h domainResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &v2.DeleteDomainNameRequest{DomainName: r.PhysicalID}
	if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteDomainName(ctx, in)
	return resource.Gone(err, "NotFoundException")
}

type mappingResource struct{ s *Service }

func (h mappingResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	id := stepID(r, ident.AuthorizerID)
	if _, err := h.s.domains.Mapping(ctx, wire.CallFrom(ctx).Region, text(r.Props, "DomainName"), domains.ByID(id)); err == nil {
		return part1("ApiMappingId", id), nil
	}
	in := new(v2.CreateApiMappingRequest)
	if err := resource.Input(ctx, &v2.Model, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	out, err := h.s.CreateApiMapping(step(ctx, r), in)
	if err != nil {
		return resource.Result{}, err
	}
	return part1("ApiMappingId", *out.ApiMappingId), nil
}

func (h mappingResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v2.UpdateApiMappingRequest)
	props := reset(r, map[string]any{"ApiMappingKey": ""})
	if err := resource.Input(ctx, &v2.Model, in, resource.With(props, map[string]any{"ApiMappingId": r.PhysicalID}), nil); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.UpdateApiMapping(ctx, in)
	return part1("ApiMappingId", r.PhysicalID), err
}

func (h mappingResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &v2.DeleteApiMappingRequest{ApiMappingId: r.PhysicalID, DomainName: text(r.Props, "DomainName")}
	if err := resource.Authorize(ctx, &v2.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteApiMapping(ctx, in)
	return resource.Gone(err, "NotFoundException")
}

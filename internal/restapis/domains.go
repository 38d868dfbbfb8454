package restapis

import (
	"context"
	"errors"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Custom domains are kept by package domains, which HTTP APIs share. Here they have the form of this API.

// domainView is a domain as this API shows it.
func domainView(d *domains.Domain) *v1.DomainName {
	out := &v1.DomainName{DomainName: &d.Name, DomainNameArn: shape.Ptr(d.ARN()), CertificateArn: opt(d.EdgeARN), CertificateName: opt(d.EdgeCertificate),
		RegionalCertificateArn: opt(d.RegionalARN), RegionalCertificateName: opt(d.RegionalCertificate), CertificateUploadDate: d.Uploaded,
		EndpointConfiguration: &v1.EndpointConfiguration{Types: []string{d.Endpoint}, IpAddressType: opt(d.IPAddressType)},
		DomainNameStatus:      shape.Ptr(v1.DomainNameStatusAvailable), SecurityPolicy: opt(d.SecurityPolicy), EndpointAccessMode: opt(d.AccessMode),
		OwnershipVerificationCertificateArn: opt(d.OwnershipARN), RoutingMode: shape.Ptr(v1.RoutingModeBasePathMappingOnly), Tags: d.Tags}
	if m := d.MutualTLS; m != nil {
		out.MutualTlsAuthentication = &v1.MutualTlsAuthentication{TruststoreUri: &m.URI, TruststoreVersion: opt(m.Version), TruststoreWarnings: m.Warnings}
	}
	name, zone := d.Target()
	if d.Endpoint == domains.Edge {
		out.DistributionDomainName, out.DistributionHostedZoneId = &name, &zone
	} else {
		out.RegionalDomainName, out.RegionalHostedZoneId = &name, opt(zone)
	}
	return out
}

// settleDomain gives a domain the settings that can change, but for its truststore and its tags.
func settleDomain(d *domains.Domain, v *v1.DomainName) error {
	if m := shape.Val(v.RoutingMode); m != "" && m != v1.RoutingModeBasePathMappingOnly {
		return unsupported("Routing mode " + m + " is")
	}
	if shape.Val(v.Policy) != "" {
		return unsupported("A policy of a domain name, which only private ones have, is")
	}
	if err := checkEndpoint(&v.EndpointConfiguration); err != nil {
		return err
	}
	d.Endpoint, d.IPAddressType = v.EndpointConfiguration.Types[0], *v.EndpointConfiguration.IpAddressType
	d.SecurityPolicy, d.AccessMode = shape.Val(v.SecurityPolicy), shape.Val(v.EndpointAccessMode)
	d.EdgeARN, d.EdgeCertificate = shape.Val(v.CertificateArn), shape.Val(v.CertificateName)
	d.RegionalARN, d.RegionalCertificate = shape.Val(v.RegionalCertificateArn), shape.Val(v.RegionalCertificateName)
	d.OwnershipARN = shape.Val(v.OwnershipVerificationCertificateArn)
	return nil
}

func (s *Service) CreateDomainName(ctx context.Context, in *v1.CreateDomainNameRequest) (*v1.DomainName, error) {
	d := &domains.Domain{Name: in.DomainName, Region: region(ctx), Tags: in.Tags}
	err := settleDomain(d, &v1.DomainName{CertificateName: in.CertificateName, CertificateArn: in.CertificateArn, RegionalCertificateName: in.RegionalCertificateName,
		RegionalCertificateArn: in.RegionalCertificateArn, EndpointConfiguration: in.EndpointConfiguration, SecurityPolicy: in.SecurityPolicy,
		EndpointAccessMode: in.EndpointAccessMode, OwnershipVerificationCertificateArn: in.OwnershipVerificationCertificateArn, Policy: in.Policy, RoutingMode: in.RoutingMode})
	if err != nil {
		return nil, err
	}
	if m := in.MutualTlsAuthentication; m != nil {
		if shape.Val(m.TruststoreUri) == "" {
			return nil, bad("Mutual TLS authentication needs a truststore URI")
		}
		if err := d.Trust(m.TruststoreUri, m.TruststoreVersion); err != nil {
			return nil, err
		}
	}
	if body, key, chain := shape.Val(in.CertificateBody), shape.Val(in.CertificatePrivateKey), shape.Val(in.CertificateChain); body != "" || key != "" || chain != "" {
		if d.EdgeCertificate == "" && d.RegionalCertificate == "" {
			return nil, bad("Certificate name must be specified")
		}
		if err := s.domains.Upload(d, body, key, chain); err != nil {
			return nil, err
		}
	}
	if err := s.domains.Create(ctx, d); err != nil {
		return nil, err
	}
	return domainView(d), nil
}

func (s *Service) GetDomainName(ctx context.Context, in *v1.GetDomainNameRequest) (*v1.DomainName, error) {
	d, err := s.domains.Get(ctx, region(ctx), in.DomainName)
	if err != nil {
		return nil, err
	}
	return domainView(d), nil
}

func (s *Service) GetDomainNames(ctx context.Context, in *v1.GetDomainNamesRequest) (*v1.DomainNames, error) {
	n, err := limitOf(in.Limit)
	if err != nil {
		return nil, err
	}
	list, next, err := s.domains.List(ctx, region(ctx), shape.Val(in.Position), n)
	if err != nil {
		return nil, err
	}
	out := &v1.DomainNames{Items: make([]v1.DomainName, len(list)), Position: opt(next)}
	for i, d := range list {
		out.Items[i] = *domainView(d)
	}
	return out, nil
}

// domainFields is what can be patched of a domain.
var domainFields = []field[v1.DomainName]{
	{"/certificateArn", "replace", setText(func(d *v1.DomainName) **string { return &d.CertificateArn })},
	{"/certificateName", "replace", setText(func(d *v1.DomainName) **string { return &d.CertificateName })},
	{"/endpointConfiguration/ipAddressType", "replace", func(d *v1.DomainName, p patch) (err error) {
		d.EndpointConfiguration.IpAddressType, err = p.enum("dualstack", "ipv4")
		return err
	}},
	{"/endpointConfiguration/types/{type}", "add remove replace", func(d *v1.DomainName, p patch) error {
		if p.op == v1.OpReplace {
			d.EndpointConfiguration.Types = []string{p.value}
			return nil
		}
		return setElement(func(d *v1.DomainName) *[]string { return &d.EndpointConfiguration.Types })(d, p)
	}},
	{"/mutualTlsAuthentication/truststoreUri", "add remove replace", setTrust(func(m *v1.MutualTlsAuthentication) **string { return &m.TruststoreUri })},
	{"/mutualTlsAuthentication/truststoreVersion", "add remove replace", setTrust(func(m *v1.MutualTlsAuthentication) **string { return &m.TruststoreVersion })},
	{"/ownershipVerificationCertificateArn", "add remove replace", setText(func(d *v1.DomainName) **string { return &d.OwnershipVerificationCertificateArn })},
	{"/regionalCertificateArn", "add replace remove", setText(func(d *v1.DomainName) **string { return &d.RegionalCertificateArn })},
	{"/regionalCertificateName", "replace", setText(func(d *v1.DomainName) **string { return &d.RegionalCertificateName })},
	{"/securityPolicy", "replace", setText(func(d *v1.DomainName) **string { return &d.SecurityPolicy })},
}

// setTrust patches the truststore. What was not patched is nil, what was removed is empty.
func setTrust(at func(*v1.MutualTlsAuthentication) **string) func(*v1.DomainName, patch) error {
	return func(d *v1.DomainName, p patch) error {
		if d.MutualTlsAuthentication == nil {
			d.MutualTlsAuthentication = &v1.MutualTlsAuthentication{}
		}
		if p.removes() {
			p.value = ""
		}
		*at(d.MutualTlsAuthentication) = &p.value
		return nil
	}
}

func (s *Service) UpdateDomainName(ctx context.Context, in *v1.UpdateDomainNameRequest) (*v1.DomainName, error) {
	return s.changeDomain(ctx, in.DomainName, func(v *v1.DomainName) error { return apply(domainFields, v, in.PatchOperations) })
}

// changeDomain applies f to the view of a domain, whose truststore is empty, and stores what becomes of it.
func (s *Service) changeDomain(ctx context.Context, name string, f func(*v1.DomainName) error) (*v1.DomainName, error) {
	d, err := s.domains.Change(ctx, region(ctx), name, func(d *domains.Domain) error {
		v := domainView(d)
		v.MutualTlsAuthentication = nil
		if err := f(v); err != nil {
			return err
		}
		if m := v.MutualTlsAuthentication; m != nil {
			if err := d.Trust(m.TruststoreUri, m.TruststoreVersion); err != nil {
				return err
			}
		}
		return settleDomain(d, v)
	})
	if err != nil {
		return nil, err
	}
	return domainView(d), nil
}

func (s *Service) DeleteDomainName(ctx context.Context, in *v1.DeleteDomainNameRequest) (*v1.DeleteDomainNameResponse, error) {
	if err := s.domains.Delete(ctx, region(ctx), in.DomainName); err != nil {
		return nil, err
	}
	return &v1.DeleteDomainNameResponse{}, nil
}

// MappedAPI tells package domains whether the region has the API, and the API the stage.
func (s *Service) MappedAPI(tx *store.Tx, region, apiID, stage string) (has, hasStage bool, err error) {
	a, err := apis.Get(tx, apiID)
	if errors.Is(err, store.ErrNotFound) || err == nil && a.Region != region {
		return false, false, nil
	} else if err != nil || stage == "" {
		return err == nil, false, err
	}
	_, err = stages.Get(tx, apiID+"/"+stage)
	if errors.Is(err, store.ErrNotFound) {
		return true, false, nil
	}
	return true, err == nil, err
}

// unmapped refuses to delete an API, or the stage of one, that a custom domain leads to.
func unmapped(tx *store.Tx, apiID, stage string) error {
	used, err := domains.Uses(tx, apiID, stage)
	if err != nil || len(used) == 0 {
		return err
	}
	slices.Sort(used)
	if stage != "" {
		return bad("Deleting stage %s of RestApi %s failed. Please remove all base path mappings related to the stage in your domains: %s", stage, apiID, strings.Join(used, ", "))
	}
	return bad("Deleting RestApi %s failed. Please remove all base path mappings related to the RestApi in your domains: %s", apiID, strings.Join(used, ", "))
}

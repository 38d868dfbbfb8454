package httpapis

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Custom domains are kept by package domains, which REST APIs share. Here they have the form of this API.

const onlyRegional = "Only REGIONAL domain names can be managed through the API Gateway V2 API. For EDGE domain names, please use the API Gateway V1 API. " +
	"Also note that only REST APIs can be attached to EDGE domain names."

const mappingSelection = "$request.basepath"

// domainView is a domain as this API shows it.
func domainView(d *domains.Domain) *v2.GetDomainNameResponse {
	name, zone := d.Target()
	c := v2.DomainNameConfiguration{ApiGatewayDomainName: &name, CertificateArn: opt(d.CertificateARN()), CertificateName: opt(d.RegionalCertificate), CertificateUploadDate: d.Uploaded,
		DomainNameStatus: shape.Ptr(v2.DomainNameStatusAvailable), EndpointType: &d.Endpoint, HostedZoneId: opt(zone), IpAddressType: opt(d.IPAddressType),
		SecurityPolicy: &d.SecurityPolicy, OwnershipVerificationCertificateArn: opt(d.OwnershipARN)}
	if d.Endpoint == domains.Edge {
		c.CertificateName = opt(d.EdgeCertificate)
	}
	out := &v2.GetDomainNameResponse{ApiMappingSelectionExpression: shape.Ptr(mappingSelection), DomainName: &d.Name, DomainNameArn: shape.Ptr(d.ARN()),
		DomainNameConfigurations: []v2.DomainNameConfiguration{c}, RoutingMode: shape.Ptr(v2.RoutingModeApiMappingOnly), Tags: d.Tags}
	if out.Tags == nil {
		out.Tags = map[string]string{}
	}
	if m := d.MutualTLS; m != nil {
		out.MutualTlsAuthentication = &v2.MutualTlsAuthentication{TruststoreUri: &m.URI, TruststoreVersion: opt(m.Version), TruststoreWarnings: m.Warnings}
	}
	return out
}

// settleDomain gives a domain the settings of a request; those that it does not name stay. What AWS alone decides,
// such as a status, may be sent back and is not looked at.
func settleDomain(d *domains.Domain, configs []v2.DomainNameConfiguration, trust *v2.MutualTlsAuthenticationInput, routing *string) error {
	if m := shape.Val(routing); m != "" && m != v2.RoutingModeApiMappingOnly {
		return unsupported("Routing mode " + m + " is")
	}
	if len(configs) > 1 {
		return bad("Only one domain name configuration is supported")
	}
	if d.Endpoint == domains.Edge || len(configs) == 1 && shape.Val(configs[0].EndpointType) == domains.Edge {
		return bad("%s", onlyRegional)
	}
	for _, c := range configs {
		put := func(to *string, from *string) {
			if from != nil {
				*to = *from
			}
		}
		put(&d.Endpoint, c.EndpointType)
		put(&d.RegionalARN, c.CertificateArn)
		put(&d.RegionalCertificate, c.CertificateName)
		put(&d.OwnershipARN, c.OwnershipVerificationCertificateArn)
		put(&d.SecurityPolicy, c.SecurityPolicy)
		put(&d.IPAddressType, c.IpAddressType)
	}
	if trust != nil {
		return d.Trust(trust.TruststoreUri, trust.TruststoreVersion)
	}
	return nil
}

func (s *Service) CreateDomainName(ctx context.Context, in *v2.CreateDomainNameRequest) (*v2.CreateDomainNameResponse, error) {
	d, err := s.createDomain(ctx, in, "")
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.CreateDomainNameResponse(*domainView(d))), nil
}

func (s *Service) createDomain(ctx context.Context, in *v2.CreateDomainNameRequest, step string) (*domains.Domain, error) {
	if len(in.DomainNameConfigurations) == 0 {
		return nil, bad("Domain name configurations must be specified")
	}
	if t := in.MutualTlsAuthentication; t != nil && shape.Val(t.TruststoreUri) == "" {
		return nil, bad("Mutual TLS authentication needs a truststore URI")
	}
	d := &domains.Domain{Name: in.DomainName, Region: wire.CallFrom(ctx).Region, Tags: in.Tags, Step: step}
	if err := settleDomain(d, in.DomainNameConfigurations, in.MutualTlsAuthentication, in.RoutingMode); err != nil {
		return nil, err
	}
	if d.Endpoint == "" {
		d.Endpoint = domains.Regional
	}
	return d, s.domains.Create(ctx, d)
}

func (s *Service) GetDomainName(ctx context.Context, in *v2.GetDomainNameRequest) (*v2.GetDomainNameResponse, error) {
	d, err := s.domains.Get(ctx, wire.CallFrom(ctx).Region, in.DomainName)
	if err != nil {
		return nil, err
	}
	return domainView(d), nil
}

// pageSize reads maxResults; 0 is all.
func pageSize(max *string) (int, error) {
	if max == nil {
		return 0, nil
	}
	n, err := strconv.Atoi(*max)
	if err != nil || n < 1 {
		return 0, bad("Invalid value for maxResults: %s", *max)
	}
	return n, nil
}

func (s *Service) GetDomainNames(ctx context.Context, in *v2.GetDomainNamesRequest) (*v2.GetDomainNamesResponse, error) {
	n, err := pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	list, next, err := s.domains.List(ctx, wire.CallFrom(ctx).Region, shape.Val(in.NextToken), n)
	if err != nil {
		return nil, err
	}
	out := &v2.GetDomainNamesResponse{Items: make([]v2.DomainName, len(list)), NextToken: opt(next)}
	for i, d := range list {
		v := domainView(d)
		out.Items[i] = v2.DomainName{DomainName: d.Name, ApiMappingSelectionExpression: v.ApiMappingSelectionExpression, DomainNameArn: v.DomainNameArn,
			DomainNameConfigurations: v.DomainNameConfigurations, MutualTlsAuthentication: v.MutualTlsAuthentication, RoutingMode: v.RoutingMode, Tags: v.Tags}
	}
	return out, nil
}

func (s *Service) UpdateDomainName(ctx context.Context, in *v2.UpdateDomainNameRequest) (*v2.UpdateDomainNameResponse, error) {
	d, err := s.domains.Change(ctx, wire.CallFrom(ctx).Region, in.DomainName, func(d *domains.Domain) error {
		return settleDomain(d, in.DomainNameConfigurations, in.MutualTlsAuthentication, in.RoutingMode)
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.UpdateDomainNameResponse(*domainView(d))), nil
}

func (s *Service) DeleteDomainName(ctx context.Context, in *v2.DeleteDomainNameRequest) (*v2.DeleteDomainNameResponse, error) {
	if err := s.domains.Delete(ctx, wire.CallFrom(ctx).Region, in.DomainName); err != nil {
		return nil, err
	}
	return &v2.DeleteDomainNameResponse{}, nil
}

// taggedDomain applies f to the tags of a domain.
func (s *Service) taggedDomain(ctx context.Context, name string, f func(tags map[string]string)) (tags map[string]string, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		return domains.Tag(tx, wire.CallFrom(ctx).Region, name, func(t *map[string]string) error {
			if *t == nil {
				*t = map[string]string{}
			}
			f(*t)
			tags = *t
			return domains.CheckTags(*t)
		})
	})
	return tags, err
}

// mappingView is a mapping as this API shows it.
func mappingView(m *domains.Mapping) *v2.GetApiMappingResponse {
	return &v2.GetApiMappingResponse{ApiId: &m.APIID, ApiMappingId: &m.ID, ApiMappingKey: &m.Key, Stage: &m.Stage}
}

// mappingError puts what is wrong with a mapping into this API's words.
func mappingError(err error) error {
	switch {
	case errors.Is(err, domains.ErrMapped):
		return v2.ConflictException("ApiMapping key already exists for this domain name")
	case errors.Is(err, domains.ErrNoMapping):
		return v2.NotFoundException("Invalid ApiMapping identifier specified")
	case errors.Is(err, domains.ErrNoAPI):
		return bad("Invalid API identifier specified")
	case errors.Is(err, domains.ErrNoStage):
		return bad("Invalid stage identifier specified")
	}
	return err
}

var mappingKeyText = regexp.MustCompile(`^[a-zA-Z0-9$_.+!*'()/-]*$`)

// maxMappingKey is the length of a mapping's path at the most, in characters.
const maxMappingKey = 300

// checkMappingKey holds the path of a mapping against AWS's rules.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-mappings.html
func checkMappingKey(key string) error {
	switch {
	case !mappingKeyText.MatchString(key):
		return bad("An ApiMapping key may contain only letters, numbers and one of $-_.+!*'()/")
	case strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") || strings.Contains(key, "//"):
		return bad("ApiMapping key should not start or end with a '/' or have consecutive '/'s.")
	case len(key) > maxMappingKey:
		return bad("An ApiMapping key may have at most %d characters", maxMappingKey)
	}
	return nil
}

// regional refuses domains that this API does not manage.
func (s *Service) regional(ctx context.Context, domain string) error {
	d, err := s.domains.Get(ctx, wire.CallFrom(ctx).Region, domain)
	if err == nil && d.Endpoint == domains.Edge {
		err = bad("%s", onlyRegional)
	}
	return err
}

func (s *Service) CreateApiMapping(ctx context.Context, in *v2.CreateApiMappingRequest) (*v2.CreateApiMappingResponse, error) {
	m := &domains.Mapping{ID: newID(ctx, ident.AuthorizerID), DomainName: in.DomainName, Key: shape.Val(in.ApiMappingKey), APIID: in.ApiId, Stage: in.Stage}
	if m.Key == "(none)" {
		m.Key = ""
	}
	if err := checkMappingKey(m.Key); err != nil {
		return nil, err
	}
	if err := s.regional(ctx, in.DomainName); err != nil {
		return nil, err
	}
	if err := s.domains.Map(ctx, wire.CallFrom(ctx).Region, m, nil); err != nil {
		return nil, mappingError(err)
	}
	return shape.Ptr(v2.CreateApiMappingResponse(*mappingView(m))), nil
}

func (s *Service) GetApiMapping(ctx context.Context, in *v2.GetApiMappingRequest) (*v2.GetApiMappingResponse, error) {
	m, err := s.domains.Mapping(ctx, wire.CallFrom(ctx).Region, in.DomainName, domains.ByID(in.ApiMappingId))
	if err != nil {
		return nil, mappingError(err)
	}
	return mappingView(m), nil
}

func (s *Service) GetApiMappings(ctx context.Context, in *v2.GetApiMappingsRequest) (*v2.GetApiMappingsResponse, error) {
	n, err := pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	list, next, err := s.domains.Mappings(ctx, wire.CallFrom(ctx).Region, in.DomainName, shape.Val(in.NextToken), n)
	if err != nil {
		return nil, err
	}
	out := &v2.GetApiMappingsResponse{Items: make([]v2.ApiMapping, len(list)), NextToken: opt(next)}
	for i, m := range list {
		out.Items[i] = v2.ApiMapping{ApiId: m.APIID, Stage: m.Stage, ApiMappingId: &m.ID, ApiMappingKey: &m.Key}
	}
	return out, nil
}

func (s *Service) UpdateApiMapping(ctx context.Context, in *v2.UpdateApiMappingRequest) (*v2.UpdateApiMappingResponse, error) {
	m, err := s.domains.Remap(ctx, wire.CallFrom(ctx).Region, in.DomainName, domains.ByID(in.ApiMappingId), nil, func(m *domains.Mapping) error {
		m.APIID = in.ApiId
		if in.Stage != nil {
			m.Stage = *in.Stage
		}
		if in.ApiMappingKey != nil {
			if m.Key = *in.ApiMappingKey; m.Key == "(none)" {
				m.Key = ""
			}
		}
		return checkMappingKey(m.Key)
	})
	if err != nil {
		return nil, mappingError(err)
	}
	return shape.Ptr(v2.UpdateApiMappingResponse(*mappingView(m))), nil
}

func (s *Service) DeleteApiMapping(ctx context.Context, in *v2.DeleteApiMappingRequest) (*v2.DeleteApiMappingResponse, error) {
	if err := s.domains.Unmap(ctx, wire.CallFrom(ctx).Region, in.DomainName, domains.ByID(in.ApiMappingId)); err != nil {
		return nil, mappingError(err)
	}
	return &v2.DeleteApiMappingResponse{}, nil
}

// MappedAPI tells package domains whether the region has the API, and the API the stage.
func (s *Service) MappedAPI(tx *store.Tx, region, apiID, stage string) (has, hasStage bool, err error) {
	a, err := apis.Get(tx, apiID)
	if errors.Is(err, store.ErrNotFound) || err == nil && a.Region != region {
		return false, false, nil
	} else if err != nil {
		return false, false, err
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
	what, part := "API "+apiID, "API"
	if stage != "" {
		what, part = "stage "+stage+" of API "+apiID, "stage"
	}
	return bad("Deleting %s failed. Please remove all API mappings for the %s from your custom domain names. (%s)", what, part, strings.Join(used, ", "))
}

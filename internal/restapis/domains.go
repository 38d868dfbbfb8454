package restapis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// The documents of custom domains. Their names are unique among all regions, for a host leads to one of them.
var (
	domains  = store.Kind[domainName]{Name: "restapis.domain"}          // NAME, in a region
	mappings = store.Kind[v1.BasePathMapping]{Name: "restapis.mapping"} // NAME/BASEPATH, of a domain
)

type domainName struct {
	Region string
	v1.DomainName
	Body, Chain string // of a certificate that was given as text, PEM
	Sealed      []byte // its private key
}

// Domain is a custom domain, compiled.
type Domain struct {
	Name, Region string
	Certificate  *tls.Certificate // given with the domain; nil: certificateArn stands for one that is not here
	Mappings     []Mapped         // the longest base path first, the empty one last
}

// Mapped is a base path of a domain and where it leads.
type Mapped struct {
	BasePath string // without slashes; "": everything that no other takes
	APIID    string
	Stage    string // "": the first segment of the rest names it
}

// Match finds the mapping for a path, and the rest of the path after it.
func (d *Domain) Match(path string) (m Mapped, rest string, ok bool) {
	for _, m := range d.Mappings {
		if m.BasePath == "" {
			return m, path, true
		}
		after, found := strings.CutPrefix(strings.TrimPrefix(path, "/"), m.BasePath)
		if found && (after == "" || after[0] == '/') {
			if after == "" {
				after = "/"
			}
			return m, after, true
		}
	}
	return Mapped{}, "", false
}

// domainCache holds compiled domains by name.
type domainCache struct {
	mu      sync.RWMutex
	hosts   map[string]*Domain
	changes uint64
}

func (c *domainCache) drop(id string) {
	name, _, _ := strings.Cut(id, "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	if name == "" {
		clear(c.hosts)
	}
	delete(c.hosts, name)
}

// Domain finds the custom domain that a host belongs to: its own, or the wildcard above it; nil if there is none.
// It takes constant time, from memory.
func (s *Service) Domain(ctx context.Context, host string) (*Domain, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, name := range []string{host, wildcard(host)} {
		if name == "" {
			continue
		}
		d, err := s.domain(ctx, name)
		if err != nil || d != nil {
			return d, err
		}
	}
	return nil, nil
}

func wildcard(host string) string {
	if _, rest, ok := strings.Cut(host, "."); ok && strings.Contains(rest, ".") {
		return "*." + rest
	}
	return ""
}

func (s *Service) domain(ctx context.Context, name string) (*Domain, error) {
	s.domains.mu.RLock()
	d, changes := s.domains.hosts[name], s.domains.changes
	s.domains.mu.RUnlock()
	if d != nil {
		return d, nil
	}
	if _, err := domains.Cached(ctx, s.db, name); errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		doc, err := domains.Get(tx, name)
		if err != nil {
			return err
		}
		d = &Domain{Name: name, Region: doc.Region}
		if doc.Body != "" {
			if d.Certificate, err = s.domainCertificate(doc); err != nil {
				return err
			}
		}
		list, err := every(tx, mappings, name)
		for _, m := range list {
			d.Mappings = append(d.Mappings, Mapped{strings.TrimPrefix(*m.BasePath, noBasePath), *m.RestApiId, shape.Val(m.Stage)})
		}
		slices.SortFunc(d.Mappings, func(a, b Mapped) int { return len(b.BasePath) - len(a.BasePath) })
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	s.domains.mu.Lock()
	defer s.domains.mu.Unlock()
	if s.domains.changes == changes {
		s.domains.hosts[name] = d
	}
	return d, nil
}

func (s *Service) domainCertificate(d *domainName) (*tls.Certificate, error) {
	key, err := s.box.Open(d.Sealed, "restapis.domain "+*d.DomainName.DomainName)
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair([]byte(d.Body+"\n"+d.Chain), key)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

var (
	domainText = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	basePath   = regexp.MustCompile(`^[a-zA-Z0-9$_.+!*'()-]{1,300}$`)
)

const (
	noBasePath       = "(none)"
	cloudFrontZoneID = "Z2FDTNDATAQYW2"
)

// zoneIDs are the hosted zones of API Gateway's regional endpoints.
// https://docs.aws.amazon.com/general/latest/gr/apigateway.html
var zoneIDs = map[string]string{"us-east-1": "Z1UJRXOUMOOFQ8", "us-east-2": "ZOJJZC49E0EPZ", "us-west-1": "Z2MUQ32089INYE", "us-west-2": "Z2OJLYMUO9EFXC",
	"eu-west-1": "ZLY8HYME6SFDD", "eu-central-1": "Z1U9ULNL0V5AJ3"}

// checkDomain holds a domain against AWS's rules, and completes it.
func checkDomain(d *domainName) error {
	if d.MutualTlsAuthentication != nil || shape.Val(d.OwnershipVerificationCertificateArn) != "" {
		return unsupported("Mutual TLS of a domain name (mutualTlsAuthentication) is")
	}
	if m := shape.Val(d.RoutingMode); m != "" && m != v1.RoutingModeBasePathMappingOnly {
		return unsupported("Routing mode " + m + " is")
	}
	if m := shape.Val(d.EndpointAccessMode); m == v1.EndpointAccessModeStrict {
		return unsupported("Endpoint access mode STRICT is")
	}
	if shape.Val(d.Policy) != "" {
		return unsupported("A policy of a domain name, which only private ones have, is")
	}
	if err := checkEndpoint(&d.EndpointConfiguration); err != nil {
		return err
	}
	d.SecurityPolicy = or(d.SecurityPolicy, v1.SecurityPolicyTls12)
	for _, a := range []*string{d.CertificateArn, d.RegionalCertificateArn} {
		if a == nil {
			continue
		}
		if p, err := arn.Parse(*a); err != nil || p.Service != "acm" && p.Service != "iam" {
			return bad("Invalid certificate ARN: %s", *a)
		}
	}
	edge := d.EndpointConfiguration.Types[0] == v1.EndpointTypeEdge
	own, other := d.CertificateArn, d.RegionalCertificateArn
	if !edge {
		own, other = other, own
	}
	if d.Body == "" && own == nil {
		if other != nil {
			return bad("Invalid certificate ARN: a %s domain name needs the certificate of its own endpoint type", d.EndpointConfiguration.Types[0])
		}
		return bad("Missing certificate: a certificate ARN, or a certificate's body, private key and name must be given")
	}
	if edge {
		d.DistributionDomainName = or(d.DistributionDomainName, "d"+ident.Random(ident.LowerNum, 13)+".cloudfront.net")
		d.DistributionHostedZoneId = shape.Ptr(cloudFrontZoneID)
		d.RegionalDomainName, d.RegionalHostedZoneId = nil, nil
	} else {
		d.RegionalDomainName = or(d.RegionalDomainName, "d-"+ident.Random(ident.LowerNum, 10)+".execute-api."+d.Region+".amazonaws.com")
		d.RegionalHostedZoneId = opt(zoneIDs[d.Region])
		d.DistributionDomainName, d.DistributionHostedZoneId = nil, nil
	}
	return checkTags(d.Tags)
}

// takeCertificate reads a certificate given as text, which must be valid for the domain.
func (s *Service) takeCertificate(d *domainName, in *v1.CreateDomainNameRequest) error {
	body, key, chain := shape.Val(in.CertificateBody), shape.Val(in.CertificatePrivateKey), shape.Val(in.CertificateChain)
	if body == "" && key == "" && chain == "" {
		return nil
	}
	if shape.Val(in.CertificateName) == "" && shape.Val(in.RegionalCertificateName) == "" {
		return bad("A certificate's name must be given with its body and private key")
	}
	pair, err := tls.X509KeyPair([]byte(body+"\n"+chain), []byte(key))
	if err != nil {
		return bad("Invalid certificate: the body and the private key must be PEM, and belong together")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return bad("Invalid certificate body")
	}
	name := *d.DomainName.DomainName
	if err := leaf.VerifyHostname(strings.Replace(name, "*.", "wildcard-check.", 1)); err != nil {
		return bad("The certificate is not valid for the domain name %s", name)
	}
	if s.now().After(leaf.NotAfter) {
		return bad("The certificate has expired")
	}
	now := s.now().UTC()
	d.Body, d.Chain, d.CertificateUploadDate = body, chain, &now
	d.Sealed = s.box.Seal([]byte(key), "restapis.domain "+name)
	return nil
}

func (s *Service) CreateDomainName(ctx context.Context, in *v1.CreateDomainNameRequest) (*v1.DomainName, error) {
	name := strings.ToLower(in.DomainName)
	if len(name) > 253 || !domainText.MatchString(name) {
		return nil, bad("Invalid domain name: %s", in.DomainName)
	}
	d := &domainName{Region: region(ctx), DomainName: v1.DomainName{DomainName: &name, CertificateName: in.CertificateName, CertificateArn: in.CertificateArn,
		RegionalCertificateName: in.RegionalCertificateName, RegionalCertificateArn: in.RegionalCertificateArn, EndpointConfiguration: in.EndpointConfiguration, Tags: in.Tags,
		SecurityPolicy: in.SecurityPolicy, EndpointAccessMode: in.EndpointAccessMode, OwnershipVerificationCertificateArn: in.OwnershipVerificationCertificateArn, Policy: in.Policy,
		RoutingMode: or(in.RoutingMode, v1.RoutingModeBasePathMappingOnly), DomainNameStatus: shape.Ptr(v1.DomainNameStatusAvailable)}}
	d.DomainNameArn = shape.Ptr("arn:aws:apigateway:" + d.Region + "::/domainnames/" + name)
	if in.MutualTlsAuthentication != nil {
		d.MutualTlsAuthentication = &v1.MutualTlsAuthentication{}
	}
	if err := s.takeCertificate(d, in); err != nil {
		return nil, err
	}
	if err := checkDomain(d); err != nil {
		return nil, err
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		err := domains.Insert(tx, store.Key{ID: name, Parent: d.Region}, d)
		if errors.Is(err, store.ErrExists) {
			return bad("The domain name you provided already exists.")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &d.DomainName, nil
}

// domainOf returns a domain of the caller's region.
func domainOf(ctx context.Context, tx *store.Tx, name string) (*domainName, error) {
	d, err := domains.Get(tx, strings.ToLower(name))
	if err == nil && d.Region != region(ctx) {
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, v1.NotFoundException("Invalid domain name identifier specified")
	}
	return d, err
}

func (s *Service) GetDomainName(ctx context.Context, in *v1.GetDomainNameRequest) (*v1.DomainName, error) {
	var d *domainName
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		d, err = domainOf(ctx, tx, in.DomainName)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &d.DomainName, nil
}

func (s *Service) GetDomainNames(ctx context.Context, in *v1.GetDomainNamesRequest) (*v1.DomainNames, error) {
	out := &v1.DomainNames{Items: []v1.DomainName{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		list, next, err := pageOf(tx, domains, region(ctx), in.Position, in.Limit)
		out.Items, out.Position = make([]v1.DomainName, len(list)), next
		for i := range list {
			out.Items[i] = list[i].DomainName
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// domainFields is what can be patched of a domain.
var domainFields = []field[domainName]{
	{"/certificateArn", "replace", setText(func(d *domainName) **string { return &d.CertificateArn })},
	{"/certificateName", "replace", setText(func(d *domainName) **string { return &d.CertificateName })},
	{"/endpointConfiguration/ipAddressType", "replace", func(d *domainName, p patch) (err error) {
		d.EndpointConfiguration.IpAddressType, err = p.enum("dualstack", "ipv4")
		return err
	}},
	{"/endpointConfiguration/types/{type}", "add remove replace", func(d *domainName, p patch) error {
		if p.op == v1.OpReplace {
			d.EndpointConfiguration.Types = []string{p.value}
			return nil
		}
		return setElement(func(d *domainName) *[]string { return &d.EndpointConfiguration.Types })(d, p)
	}},
	{"/mutualTlsAuthentication/truststoreUri", "add remove replace", refuseMTLS},
	{"/mutualTlsAuthentication/truststoreVersion", "add remove replace", refuseMTLS},
	{"/regionalCertificateArn", "add replace remove", setText(func(d *domainName) **string { return &d.RegionalCertificateArn })},
	{"/regionalCertificateName", "replace", setText(func(d *domainName) **string { return &d.RegionalCertificateName })},
	{"/securityPolicy", "replace", setText(func(d *domainName) **string { return &d.SecurityPolicy })},
}

func refuseMTLS(*domainName, patch) error {
	return unsupported("Mutual TLS of a domain name (mutualTlsAuthentication) is")
}

func (s *Service) UpdateDomainName(ctx context.Context, in *v1.UpdateDomainNameRequest) (*v1.DomainName, error) {
	return s.changeDomain(ctx, in.DomainName, func(d *domainName) error { return apply(domainFields, d, in.PatchOperations) })
}

// changeDomain applies f to a domain, checks and stores it.
func (s *Service) changeDomain(ctx context.Context, name string, f func(*domainName) error) (*v1.DomainName, error) {
	var d *domainName
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if d, err = domainOf(ctx, tx, name); err != nil {
			return err
		}
		if err := f(d); err != nil {
			return err
		}
		if err := checkDomain(d); err != nil {
			return err
		}
		return domains.Put(tx, store.Key{ID: *d.DomainName.DomainName, Parent: d.Region}, d)
	})
	if err != nil {
		return nil, err
	}
	return &d.DomainName, nil
}

func (s *Service) DeleteDomainName(ctx context.Context, in *v1.DeleteDomainNameRequest) (*v1.DeleteDomainNameResponse, error) {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := domainOf(ctx, tx, in.DomainName)
		if err != nil {
			return err
		}
		list, err := every(tx, mappings, *d.DomainName.DomainName)
		if err != nil {
			return err
		}
		for _, m := range list {
			if err := dropMapping(tx, *d.DomainName.DomainName, m); err != nil {
				return err
			}
		}
		return domains.Delete(tx, *d.DomainName.DomainName)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteDomainNameResponse{}, nil
}

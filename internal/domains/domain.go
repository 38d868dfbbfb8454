package domains

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// The documents.
var (
	documents = store.Kind[Domain]{Name: "domains.domain"}   // by name
	mappings  = store.Kind[Mapping]{Name: "domains.mapping"} // DOMAIN/KEY of a domain, named by its ID
	reverse   = store.Kind[Mapping]{Name: "domains.mapped"}  // API/DOMAIN/KEY of an API
)

// Endpoint types.
const (
	Regional = "REGIONAL"
	Edge     = "EDGE"
)

// Security policies.
const (
	TLS10 = "TLS_1_0"
	TLS12 = "TLS_1_2"
)

// Domain is a custom domain name.
type Domain struct {
	Name, Region   string
	Endpoint       string // Regional or Edge
	IPAddressType  string // "ipv4", "dualstack"
	SecurityPolicy string
	AccessMode     string `json:",omitzero"`

	// Of each endpoint type the ARN of its certificate, and the name of one that was given as text.
	RegionalARN, RegionalCertificate string `json:",omitzero"`
	EdgeARN, EdgeCertificate         string `json:",omitzero"`
	OwnershipARN                     string `json:",omitzero"`

	// A certificate that was given as text, PEM, and its private key.
	Body, Chain string     `json:",omitzero"`
	Sealed      []byte     `json:",omitzero"`
	Uploaded    *time.Time `json:",omitzero"`

	// Names that AWS would have the domain's DNS record point to.
	RegionalName, EdgeName string `json:",omitzero"`

	MutualTLS *MutualTLS        `json:",omitzero"`
	Tags      map[string]string `json:",omitzero"`
	Step      string            `json:",omitzero"` // of the stack that made it
}

// MutualTLS says which client certificates a domain takes.
type MutualTLS struct {
	URI, Version string
	Warnings     []string `json:",omitzero"`
	Truststore   string   // what was there when the domain was last changed, PEM
}

// ARN is the domain's. Of a domain name the account is not part.
func (d *Domain) ARN() string { return "arn:aws:apigateway:" + d.Region + "::/domainnames/" + d.Name }

// CertificateARN is the ARN of the certificate that the domain shows; "" for one that was given as text.
func (d *Domain) CertificateARN() string {
	if d.Endpoint == Edge {
		return d.EdgeARN
	}
	return d.RegionalARN
}

// Target is the name that AWS would have the domain's DNS record point to, in the zone of that id.
func (d *Domain) Target() (name, zone string) {
	if d.Endpoint == Edge {
		return d.EdgeName, cloudFrontZone
	}
	return d.RegionalName, zones[d.Region]
}

const cloudFrontZone = "Z2FDTNDATAQYW2"

// zones are the hosted zones of API Gateway's regional endpoints.
// https://docs.aws.amazon.com/general/latest/gr/apigateway.html
var zones = map[string]string{"us-east-1": "Z1UJRXOUMOOFQ8", "us-east-2": "ZOJJZC49E0EPZ", "us-west-1": "Z2MUQ32089INYE", "us-west-2": "Z2OJLYMUO9EFXC",
	"eu-west-1": "ZLY8HYME6SFDD", "eu-central-1": "Z1U9ULNL0V5AJ3"}

// The errors that both APIs word alike. They are answers of AWS.

func bad(format string, args ...any) error {
	return shape.Errorf("BadRequestException", 400, format, args...)
}

func noDomain() error {
	return shape.Errorf("NotFoundException", 404, "Invalid domain name identifier specified")
}

func unsupported(what string) error { return bad("%s not supported by Gatehouse yet", what) }

var (
	domainText = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	policies   = regexp.MustCompile(`^(TLS_1_0|TLS_1_2|SecurityPolicy_[A-Za-z0-9_]+)$`)
)

// checkName holds the name of a new domain against AWS's rules.
func (s *Service) checkName(name string) error {
	if len(name) > 253 || !domainText.MatchString(name) || net.ParseIP(name) != nil {
		return bad("Invalid domain name: %s", name)
	}
	if s.reserved(name) {
		return bad("Invalid domain name: %s is a name of this server, or of AWS", name)
	}
	return nil
}

// check holds a domain against AWS's rules, and completes it.
func (s *Service) check(d *Domain) error {
	switch d.Endpoint {
	case Regional, Edge:
	default:
		return bad("Invalid endpoint type specified. Must be one of: [EDGE, PRIVATE, REGIONAL]")
	}
	def := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	def(&d.SecurityPolicy, TLS12)
	def(&d.IPAddressType, "ipv4")
	if !policies.MatchString(d.SecurityPolicy) {
		return bad("Invalid security policy specified: %s", d.SecurityPolicy)
	}
	if d.AccessMode == "STRICT" {
		return unsupported("Endpoint access mode STRICT is")
	}
	if err := CheckTags(d.Tags); err != nil {
		return err
	}
	if err := s.checkCertificate(d); err != nil {
		return err
	}
	if m := d.MutualTLS; m != nil {
		if d.Endpoint == Edge {
			return bad("Mutual TLS is supported for REGIONAL domain names only")
		}
		if d.SecurityPolicy == TLS10 {
			return bad("Mutual TLS needs a security policy with TLS 1.2 at least")
		}
	}
	if d.Endpoint == Edge {
		def(&d.EdgeName, "d"+ident.Random(ident.LowerNum, 13)+".cloudfront.net")
		d.RegionalName = ""
	} else {
		def(&d.RegionalName, "d-"+ident.Random(ident.LowerNum, 10)+".execute-api."+d.Region+".amazonaws.com")
		d.EdgeName = ""
	}
	return nil
}

// checkCertificate checks that the domain has a certificate that is there and covers its name.
func (s *Service) checkCertificate(d *Domain) error {
	for _, a := range []string{d.RegionalARN, d.EdgeARN, d.OwnershipARN} {
		if a == "" {
			continue
		}
		p, err := arn.Parse(a)
		if err != nil || p.Service != "acm" && p.Service != "iam" {
			return bad("Invalid certificate ARN: %s", a)
		}
		want := d.Region
		if a == d.EdgeARN && a != d.RegionalARN {
			want = "us-east-1"
		}
		if p.Service == "acm" && p.Region != want {
			return bad("Invalid certificate ARN: %s. Certificate must be in '%s'.", a, want)
		}
	}
	if own := d.CertificateARN(); own != "" {
		return s.covers(d.Name, own)
	}
	if d.Body == "" {
		return bad("A certificate was not provided for the endpoint type %s.", d.Endpoint)
	}
	return nil
}

// CheckTags holds tags against AWS's rules.
func CheckTags(tags map[string]string) error {
	if len(tags) > 50 {
		return bad("The number of tags exceeds the limit of 50")
	}
	for k, v := range tags {
		if k == "" || len([]rune(k)) > 128 || len([]rune(v)) > 256 {
			return bad("Invalid tag specified: a key has 1 to 128 characters, a value at most 256")
		}
	}
	return nil
}

// local tells whether a name means this machine: localhost, and what is below it.
func local(name string) bool {
	return strings.HasSuffix(strings.TrimPrefix(name, "*"), ".localhost")
}

// awsNames are the ends of names under which clients bring AWS's services here.
var awsNames = []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazoncognito.com", ".on.aws", ".execute-api.localhost", ".lambda-url.localhost",
	".localhost.localstack.cloud"}

// reserved tells whether a name can be no custom domain, for the server itself answers to it.
func (s *Service) reserved(name string) bool {
	if name == "localhost" || name == "localhost.localstack.cloud" || s.own != nil && s.own(name) {
		return true
	}
	return slices.ContainsFunc(awsNames, func(end string) bool { return strings.HasSuffix(name, end) })
}

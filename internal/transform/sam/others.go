package sam

import (
	"regexp"
	"strings"
)

// locate finds the template of an AWS::Serverless::Application.
func (t *transform) locate(m *macro) {
	v := m.get("Location")
	if v == nil {
		failResource(m.id, "Resource is missing the required [Location] property.")
	}
	if d := asDict(v); d != nil {
		for _, k := range []string{"ApplicationId", "SemanticVersion"} {
			if !d.has(k) {
				failResource(m.id, "Resource is missing the required [%s] property.", k)
			}
		}
		failResource(m.id, "Applications of the Serverless Application Repository are not supported by this server: Location must be the URL of a template.")
	}
	m.props = m.props.copy()
	m.props.set("TemplateUrl", v)
}

// application expands AWS::Serverless::Application.
func (t *transform) application(m *macro) []*resource {
	r := t.newResource(m.id, "AWS::CloudFormation::Stack", m.passed)
	r.dependsOn = m.dependsOn
	r.props.set("TemplateURL", m.get("TemplateUrl"))
	for _, p := range []string{"Parameters", "NotificationARNs"} {
		r.props.setIf(p, m.get(p))
	}
	r.props.set("Tags", t.tags(m, nil))
	r.props.setIf("TimeoutInMinutes", m.get("TimeoutInMinutes"))
	return []*resource{r}
}

// layer expands AWS::Serverless::LayerVersion. Its logical id has a hash, so that each change makes a
// new version and leaves the old one.
func (t *transform) layer(m *macro) []*resource {
	m.props = m.props.copy()
	for _, p := range []string{"LayerName", "LicenseInfo", "Description", "RetentionPolicy"} {
		if v := m.get(p); v != nil {
			resolved := t.resolve(deep(v))
			if _, ok := asText(resolved); !ok && !isIntrinsic(resolved) {
				failResource(m.id, "Could not resolve parameter for '%s' or parameter is not a String.", p)
			}
			m.props.set(p, resolved)
		}
	}
	attrs := m.passed.copy()
	policy := m.get("RetentionPolicy")
	if !attrs.has("DeletionPolicy") {
		attrs.set("DeletionPolicy", "Retain")
	}
	if policy != nil {
		if isIntrinsic(policy) {
			failResource(m.id, "'RetentionPolicy' does not accept intrinsic functions, please use one of the following options: ['Retain', 'Delete']")
		}
		switch strings.ToLower(textOf(policy)) {
		case "retain":
			attrs.set("DeletionPolicy", "Retain")
		case "delete":
			attrs.set("DeletionPolicy", "Delete")
		default:
			failResource(m.id, "'RetentionPolicy' must be one of the following options: ['Retain', 'Delete'].")
		}
	}
	all := newDict("Type", m.typ)
	if truthy(m.dependsOn) {
		all.set("DependsOn", m.dependsOn)
	}
	for _, e := range m.attrs.items() {
		if e.key != "DeletionPolicy" && e.key != "UpdateReplacePolicy" && e.key != "Metadata" {
			all.set(e.key, e.value)
		}
	}
	all.set("Properties", m.props)
	id := hashed(m.id, newDict(m.id, all))
	t.renamed[m.id] = id

	r := t.newResource(id, "AWS::Lambda::LayerVersion", attrs)
	r.dependsOn = m.dependsOn
	name := m.get("LayerName")
	if !truthy(name) {
		name = m.id
	}
	r.props.set("Content", code(m.get("ContentUri"), id, "ContentUri"))
	r.props.setIf("Description", m.get("Description"))
	r.props.set("LayerName", name)
	if l, ok := m.get("CompatibleArchitectures").(list); ok {
		for _, a := range l {
			if !isIntrinsic(a) && textOf(a) != "x86_64" && textOf(a) != "arm64" {
				failResource(id, "CompatibleArchitectures needs to be a list of 'x86_64' or 'arm64'")
			}
		}
	}
	for _, p := range []string{"CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo"} {
		r.props.setIf(p, m.get(p))
	}
	return []*resource{r}
}

// recordSets are the names of a custom domain in Route 53.
func (t *transform) recordSets(m *macro, domain *dict, id string) []*resource {
	v := domain.get("Route53")
	if v == nil {
		return nil
	}
	zone := of(m.id, "Domain.Route53").dict(v)
	if zone.get("HostedZoneId") == nil && zone.get("HostedZoneName") == nil {
		failResource(m.id, "HostedZoneId or HostedZoneName is required to enable Route53 support on Custom Domains.")
	}
	of := zone.get("HostedZoneId")
	if !truthy(of) {
		of = zone.get("HostedZoneName")
	}
	gid := hashed("RecordSetGroup", of)
	if truthy(zone.get("SeparateRecordSetGroup")) {
		gid = hashed("RecordSetGroup", list{of, domain.get("DomainName")})
	}
	group, shared := t.route53[gid], true
	if group == nil {
		group, shared = t.newResource(gid, "AWS::Route53::RecordSetGroup", m.passed), false
		group.props.setIf("HostedZoneId", zone.get("HostedZoneId"))
		group.props.setIf("HostedZoneName", zone.get("HostedZoneName"))
		t.route53[gid] = group
	}
	alias := newDict()
	alias.setIf("EvaluateTargetHealth", zone.get("EvaluateTargetHealth"))
	if textOf(domain.get("EndpointConfiguration")) == "EDGE" {
		alias.set("HostedZoneId", "Z2FDTNDATAQYW2")
		var name any = getAtt(id, "DistributionDomainName")
		if v := zone.get("DistributionDomainName"); v != nil {
			name = v
		}
		alias.set("DNSName", name)
	} else {
		alias.set("HostedZoneId", getAtt(id, "RegionalHostedZoneId"))
		alias.set("DNSName", getAtt(id, "RegionalDomainName"))
	}
	sets, _ := group.props.get("RecordSets").(list)
	types := []string{"A"}
	if zone.get("IpV6") == true {
		types = append(types, "AAAA")
	}
	for _, typ := range types {
		set := newDict("Name", domain.get("DomainName"), "Type", typ, "AliasTarget", alias)
		set.setIf("Region", zone.get("Region"))
		set.setIf("SetIdentifier", zone.get("SetIdentifier"))
		sets = append(sets, set)
	}
	group.props.set("RecordSets", sets)
	if shared {
		return nil
	}
	return []*resource{group}
}

func mutualTLS(m *macro, domain *dict, prefix string) *dict {
	v := domain.get("MutualTlsAuthentication")
	if !truthy(v) {
		return nil
	}
	d := asDict(v)
	if d == nil {
		failResource(m.id, "%sMutualTlsAuthentication must be a map with at least one of the following fields ['TruststoreUri', 'TruststoreVersion'].", prefix)
	}
	out := newDict()
	for _, e := range d.items() {
		if e.key != "TruststoreUri" && e.key != "TruststoreVersion" {
			failResource(m.id, "Available %sMutualTlsAuthentication fields are ['TruststoreUri', 'TruststoreVersion'].", prefix)
		}
		if truthy(e.value) {
			out.set(e.key, e.value)
		}
	}
	return out
}

// basePaths returns a domain's base paths, nil for none.
func basePaths(domain *dict) list {
	v := domain.get("BasePath")
	if l, ok := v.(list); ok && len(l) > 0 {
		return l
	}
	if s, ok := asText(v); ok && s != "" {
		return list{v}
	}
	return nil
}

// domain makes a REST API's custom domain with its mappings.
func (t *transform) domain(m *macro, domain *dict) []*resource {
	if domain == nil {
		return nil
	}
	name := of(m.id, "Domain.DomainName").there(domain.get("DomainName"))
	certificate := of(m.id, "Domain.CertificateArn").there(domain.get("CertificateArn"))
	id := hashed("ApiGatewayDomainName", name)
	domain.set("ApiDomainName", id)
	r := t.newResource(id, "AWS::ApiGateway::DomainName", m.passed)
	endpoint := "REGIONAL"
	if v := domain.get("EndpointConfiguration"); v != nil {
		endpoint = textOf(v)
	} else {
		domain.set("EndpointConfiguration", "REGIONAL")
	}
	switch endpoint {
	case "REGIONAL":
		r.props.set("RegionalCertificateArn", certificate)
	case "EDGE":
		r.props.set("CertificateArn", certificate)
	case "PRIVATE":
		failResource(m.id, "Private custom domains (EndpointConfiguration PRIVATE) are not supported by this server.")
	default:
		failResource(m.id, "EndpointConfiguration for Custom Domains must be one of ['EDGE', 'REGIONAL', 'PRIVATE'].")
	}
	r.props.set("DomainName", name)
	c := newDict("Types", list{endpoint})
	if v := domain.get("IpAddressType"); truthy(v) {
		c.set("IpAddressType", v)
	}
	r.props.set("EndpointConfiguration", c)
	if tls := mutualTLS(m, domain, "Domain."); tls != nil {
		r.props.set("MutualTlsAuthentication", tls)
	}
	for _, p := range []string{"SecurityPolicy", "EndpointAccessMode", "Policy", "OwnershipVerificationCertificateArn"} {
		if v := domain.get(p); truthy(v) {
			r.props.set(p, v)
		}
	}
	made := []*resource{r}
	mapping := func(mid string, path any) {
		b := t.newResource(mid, "AWS::ApiGateway::BasePathMapping", m.passed)
		b.props.setIf("BasePath", path)
		b.props.set("DomainName", ref(id))
		b.props.set("RestApiId", ref(m.id))
		b.props.set("Stage", ref(m.id+".Stage"))
		made = append(made, b)
	}
	paths := basePaths(domain)
	if paths == nil {
		mapping(m.id+"BasePathMapping", nil)
	}
	for _, p := range of(m.id, "Domain.BasePath").texts(append(list{}, paths...)) {
		plain := strings.Map(func(c rune) rune {
			if c < 0x80 && alphanumeric(string(c)) {
				return c
			}
			return -1
		}, p)
		path := plain
		if domain.has("NormalizeBasePath") && !truthy(domain.get("NormalizeBasePath")) {
			path = p
		}
		mapping(m.id+plain+"BasePathMapping", path)
	}
	return append(made, t.recordSets(m, domain, id)...)
}

var (
	notInMapping = regexp.MustCompile(`[^0-9a-zA-Z/\-_]+`)
	separators   = strings.NewReplacer("-", "", "_", "", "/", "")
)

// httpDomain makes an HTTP API's custom domain with its mappings.
func (t *transform) httpDomain(m *macro, domain *dict) []*resource {
	if domain == nil {
		return nil
	}
	name, certificate := domain.get("DomainName"), domain.get("CertificateArn")
	if name == nil || certificate == nil {
		failResource(m.id, "Custom Domains only works if both DomainName and CertificateArn are provided.")
	}
	id := hashed("ApiGatewayDomainNameV2", name)
	r := t.newResource(id, "AWS::ApiGatewayV2::DomainName", m.passed)
	endpoint := domain.get("EndpointConfiguration")
	if endpoint == nil {
		endpoint = "REGIONAL"
		domain.set("EndpointConfiguration", endpoint)
	}
	if textOf(endpoint) != "REGIONAL" {
		failResource(m.id, "EndpointConfiguration for Custom Domains must be one of ['REGIONAL'].")
	}
	c := newDict("CertificateArn", certificate, "EndpointType", endpoint)
	for _, p := range []string{"OwnershipVerificationCertificateArn", "SecurityPolicy"} {
		if v := domain.get(p); truthy(v) {
			c.set(p, v)
		}
	}
	r.props.set("DomainName", name)
	r.props.set("DomainNameConfigurations", list{c})
	if tls := mutualTLS(m, domain, ""); tls != nil {
		r.props.set("MutualTlsAuthentication", tls)
	}
	r.props.set("Tags", newDict("httpapi:createdBy", "SAM"))
	made := []*resource{r}
	mapping := func(mid string, key any) {
		b := t.newResource(mid, "AWS::ApiGatewayV2::ApiMapping", m.passed)
		b.props.set("ApiId", ref(m.id))
		b.props.setIf("ApiMappingKey", key)
		b.props.set("DomainName", ref(id))
		b.props.set("Stage", ref(m.id+".Stage"))
		made = append(made, b)
	}
	paths := basePaths(domain)
	if paths == nil {
		mapping(m.id+"ApiMapping", nil)
	}
	for _, v := range paths {
		p, ok := asText(v)
		if !ok {
			failResource(m.id, "Basepath must be a string.")
		}
		if notInMapping.MatchString(p) {
			failResource(m.id, "Invalid Basepath name provided.")
		}
		mapping(m.id+separators.Replace(p)+"ApiMapping", strings.Trim(p, "/"))
	}
	return append(made, t.recordSets(m, domain, id)...)
}

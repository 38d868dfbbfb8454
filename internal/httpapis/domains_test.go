package httpapis

import (
	"strings"
	"testing"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

func TestDomainNames(t *testing.T) {
	const arn = "arn:aws:acm:us-east-1:000000000000:certificate/x"
	p := shape.Ptr[string]
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		api := newAPI(t, s, ctx)
		must(s.CreateStage(ctx, &v2.CreateStageRequest{ApiId: api, StageName: "prod"}))(t)
		must(s.CreateStage(ctx, &v2.CreateStageRequest{ApiId: api, StageName: "free"}))(t)

		in := &v2.CreateDomainNameRequest{DomainName: "API.example.com", Tags: map[string]string{"a": "b"}, DomainNameConfigurations: []v2.DomainNameConfiguration{{CertificateArn: p(arn)}}}
		d := must(s.CreateDomainName(ctx, in))(t)
		c := d.DomainNameConfigurations[0]
		if *d.DomainName != "api.example.com" || *d.ApiMappingSelectionExpression != "$request.basepath" || *c.CertificateArn != arn || *c.EndpointType != "REGIONAL" ||
			*c.SecurityPolicy != "TLS_1_2" || *c.DomainNameStatus != "AVAILABLE" || !strings.HasSuffix(*c.ApiGatewayDomainName, ".execute-api.us-east-1.amazonaws.com") ||
			*c.HostedZoneId != "Z1UJRXOUMOOFQ8" || *d.DomainNameArn != "arn:aws:apigateway:us-east-1::/domainnames/api.example.com" || d.Tags["a"] != "b" {
			t.Errorf("the domain is %+v %+v", d, c)
		}
		_, err := s.CreateDomainName(ctx, in)
		wantError(t, err, "BadRequestException", "The domain name you provided already exists.")
		for text, change := range map[string]func(*v2.CreateDomainNameRequest){
			"Only REGIONAL domain names can be managed through the API Gateway V2 API.": func(in *v2.CreateDomainNameRequest) { in.DomainNameConfigurations[0].EndpointType = p("EDGE") },
			"A certificate was not provided for the endpoint type REGIONAL.":            func(in *v2.CreateDomainNameRequest) { in.DomainNameConfigurations[0].CertificateArn = nil },
			"Domain name configurations must be specified":                              func(in *v2.CreateDomainNameRequest) { in.DomainNameConfigurations = nil },
			"Only one domain name configuration": func(in *v2.CreateDomainNameRequest) {
				in.DomainNameConfigurations = append(in.DomainNameConfigurations, in.DomainNameConfigurations[0])
			},
			"Routing mode ROUTING_RULE_ONLY is not supported":  func(in *v2.CreateDomainNameRequest) { in.RoutingMode = p("ROUTING_RULE_ONLY") },
			"Mutual TLS authentication needs a truststore URI": func(in *v2.CreateDomainNameRequest) { in.MutualTlsAuthentication = &v2.MutualTlsAuthenticationInput{} },
			"Invalid domain name":                              func(in *v2.CreateDomainNameRequest) { in.DomainName = "nodots" },
		} {
			in := &v2.CreateDomainNameRequest{DomainName: "b.example.com", DomainNameConfigurations: []v2.DomainNameConfiguration{{CertificateArn: p(arn)}}}
			change(in)
			_, err := s.CreateDomainName(ctx, in)
			wantError(t, err, "BadRequestException", text)
		}
		u := must(s.UpdateDomainName(ctx, &v2.UpdateDomainNameRequest{DomainName: "api.example.com", DomainNameConfigurations: []v2.DomainNameConfiguration{{CertificateArn: p(arn + "2")}}}))(t)
		if *u.DomainNameConfigurations[0].CertificateArn != arn+"2" || *u.DomainNameConfigurations[0].ApiGatewayDomainName != *c.ApiGatewayDomainName {
			t.Errorf("after the update the domain is %+v", u)
		}
		must(s.CreateDomainName(ctx, &v2.CreateDomainNameRequest{DomainName: "*.example.com", DomainNameConfigurations: []v2.DomainNameConfiguration{{CertificateArn: p(arn)}}}))(t)
		page := must(s.GetDomainNames(ctx, &v2.GetDomainNamesRequest{MaxResults: p("1")}))(t)
		next := must(s.GetDomainNames(ctx, &v2.GetDomainNamesRequest{MaxResults: p("1"), NextToken: page.NextToken}))(t)
		if len(page.Items) != 1 || page.Items[0].DomainName != "*.example.com" || len(next.Items) != 1 || next.Items[0].DomainName != "api.example.com" || next.NextToken != nil {
			t.Errorf("pages %+v %+v", page, next)
		}
		_, err = s.GetDomainName(ctx, &v2.GetDomainNameRequest{DomainName: "nothing.example.com"})
		wantError(t, err, "NotFoundException", "Invalid domain name identifier specified")

		mapTo := func(key, api, stage string) (*v2.CreateApiMappingResponse, error) {
			return s.CreateApiMapping(ctx, &v2.CreateApiMappingRequest{DomainName: "api.example.com", ApiId: api, Stage: stage, ApiMappingKey: opt(key)})
		}
		m := must(mapTo("orders/v1", api, "prod"))(t)
		if *m.ApiMappingKey != "orders/v1" || *m.Stage != "prod" || *m.ApiId != api || len(*m.ApiMappingId) != 6 {
			t.Errorf("the mapping is %+v", m)
		}
		must(mapTo("", api, "prod"))(t)
		for _, r := range []struct{ key, api, stage, code, text string }{
			{"orders/v1", api, "prod", "ConflictException", "ApiMapping key already exists for this domain name"},
			{"/orders", api, "prod", "BadRequestException", "should not start or end with a '/'"},
			{"orders//v1", api, "prod", "BadRequestException", "consecutive '/'s"},
			{"orders v1", api, "prod", "BadRequestException", "An ApiMapping key may contain only letters, numbers and one of $-_.+!*'()/"},
			{strings.Repeat("x", 301), api, "prod", "BadRequestException", "300"},
			{"x", "nothing", "prod", "BadRequestException", "Invalid API identifier specified"},
			{"x", api, "nothing", "BadRequestException", "Invalid stage identifier specified"},
		} {
			_, err := mapTo(r.key, r.api, r.stage)
			wantError(t, err, r.code, r.text)
		}
		up := must(s.UpdateApiMapping(ctx, &v2.UpdateApiMappingRequest{DomainName: "api.example.com", ApiId: api, ApiMappingId: *m.ApiMappingId, ApiMappingKey: p("orders/v2")}))(t)
		if got := must(s.GetApiMapping(ctx, &v2.GetApiMappingRequest{DomainName: "api.example.com", ApiMappingId: *m.ApiMappingId}))(t); *got.ApiMappingKey != "orders/v2" || *up.Stage != "prod" {
			t.Errorf("after the update the mapping is %+v", got)
		}
		if list := must(s.GetApiMappings(ctx, &v2.GetApiMappingsRequest{DomainName: "api.example.com"}))(t); len(list.Items) != 2 {
			t.Errorf("mappings %+v", list)
		}
		_, err = s.DeleteApi(ctx, &v2.DeleteApiRequest{ApiId: api})
		wantError(t, err, "BadRequestException", "Deleting API "+api+" failed. Please remove all API mappings for the API from your custom domain names.")
		_, err = s.DeleteStage(ctx, &v2.DeleteStageRequest{ApiId: api, StageName: "prod"})
		wantError(t, err, "BadRequestException", "Please remove all API mappings")
		must(s.DeleteStage(ctx, &v2.DeleteStageRequest{ApiId: api, StageName: "free"}))(t)

		must(s.TagResource(ctx, &v2.TagResourceRequest{ResourceArn: *d.DomainNameArn, Tags: map[string]string{"c": "d"}}))(t)
		must(s.UntagResource(ctx, &v2.UntagResourceRequest{ResourceArn: *d.DomainNameArn, TagKeys: []string{"a"}}))(t)
		if tags := must(s.GetTags(ctx, &v2.GetTagsRequest{ResourceArn: *d.DomainNameArn}))(t).Tags; len(tags) != 1 || tags["c"] != "d" {
			t.Errorf("tags %v", tags)
		}
		must(s.DeleteApiMapping(ctx, &v2.DeleteApiMappingRequest{DomainName: "api.example.com", ApiMappingId: *m.ApiMappingId}))(t)
		_, err = s.GetApiMapping(ctx, &v2.GetApiMappingRequest{DomainName: "api.example.com", ApiMappingId: *m.ApiMappingId})
		wantError(t, err, "NotFoundException", "Invalid ApiMapping identifier specified")
		must(s.DeleteDomainName(ctx, &v2.DeleteDomainNameRequest{DomainName: "api.example.com"}))(t)
		must(s.DeleteApi(ctx, &v2.DeleteApiRequest{ApiId: api}))(t)
	})
}

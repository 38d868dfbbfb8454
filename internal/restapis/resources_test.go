package restapis

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// props reads properties as the template engine gives them.
func props(t testing.TB, text string) map[string]any {
	t.Helper()
	var out map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestResources goes through the life of what the stacks of CDK and SAM hold.
func TestResources(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		var reg resource.Registry
		for _, r := range s.Resources() {
			reg.Register(r)
		}
		type made struct {
			kind, id string
			p        map[string]any
		}
		var all []*made
		tags := map[string]string{"aws:cloudformation:stack-name": "dev"}
		refs := map[string]string{}
		create := func(name, kind, text string) *made {
			t.Helper()
			for k, v := range refs {
				text = strings.ReplaceAll(text, "$"+k, v)
			}
			p, kind := props(t, text), "AWS::ApiGateway::"+kind
			if err := reg.Check(kind, name, p); err != nil {
				t.Fatal(err)
			}
			h, _ := reg.Lookup(kind)
			req := &resource.Request{LogicalID: name, StackName: "dev", StackID: "dev", Type: kind, Token: "1", Props: p, Tags: tags}
			res, err := h.Handler.Create(ctx, req)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			again, err := h.Handler.Create(ctx, req)
			if err != nil || again.PhysicalID != res.PhysicalID {
				t.Fatalf("%s again: %+v, %v", kind, again, err)
			}
			sch, _ := reg.Schema(kind)
			for name := range sch.Attributes {
				if res.Attrs[name] == nil {
					t.Errorf("%s has no attribute %s", kind, name)
				}
			}
			refs[name] = res.PhysicalID
			if root, ok := res.Attrs["RootResourceId"].(string); ok {
				refs["root"] = root
			}
			m := &made{kind, res.PhysicalID, p}
			all = append(all, m)
			return m
		}
		update := func(m *made, change string, gone ...string) {
			t.Helper()
			p := maps.Clone(m.p)
			maps.Copy(p, props(t, change))
			for _, g := range gone {
				delete(p, g)
			}
			if err := reg.Check(m.kind, "R", p); err != nil {
				t.Fatal(err)
			}
			h, _ := reg.Lookup(m.kind)
			res, err := h.Handler.Update(ctx, &resource.Request{LogicalID: "R", StackName: "dev", Type: m.kind, PhysicalID: m.id, Props: p, OldProps: m.p, Tags: tags})
			if err != nil || res.PhysicalID != m.id {
				t.Fatalf("%s: %+v, %v", m.kind, res, err)
			}
			m.p = p
		}

		api := create("api", "RestApi", `{"Name":"pets","Description":"d","BinaryMediaTypes":["image/png"],"MinimumCompressionSize":"100","Tags":[{"Key":"a","Value":"b"}],
			"Policy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}}`)
		create("acct", "Account", `{"CloudWatchRoleArn":"`+testRole+`"}`)
		model := create("model", "Model", `{"RestApiId":"$api","ContentType":"application/json","Schema":{"type":"object","required":["name"]}}`)
		validator := create("validator", "RequestValidator", `{"RestApiId":"$api","Name":"v","ValidateRequestBody":"true"}`)
		auth := create("auth", "Authorizer", `{"IdentitySource":"method.request.header.Authorization","Name":"pool","ProviderARNs":["`+testPool+`"],"RestApiId":"$api","Type":"COGNITO_USER_POOLS"}`)
		create("pets", "Resource", `{"RestApiId":"$api","ParentId":"$root","PathPart":"pets"}`)
		method := create("get", "Method", `{"RestApiId":"$api","ResourceId":"$pets","HttpMethod":"GET","AuthorizationType":"COGNITO_USER_POOLS","AuthorizerId":"$auth","ApiKeyRequired":true,
			"RequestParameters":{"method.request.querystring.page":"true"},"RequestModels":{"application/json":"$model"},"RequestValidatorId":"$validator",
			"MethodResponses":[{"StatusCode":"200","ResponseParameters":{"method.response.header.X":true},"ResponseModels":{"application/json":"Empty"}}],
			"Integration":{"Type":"AWS","IntegrationHttpMethod":"POST","Uri":"`+testURI+`","RequestTemplates":{"application/json":"{}"},
				"IntegrationResponses":[{"StatusCode":"200","ResponseParameters":{"method.response.header.X":"'y'"}}]}}`)
		create("options", "Method", `{"RestApiId":"$api","ResourceId":"$pets","HttpMethod":"OPTIONS","Integration":{"Type":"MOCK","RequestTemplates":{"application/json":"{ statusCode: 200 }"},
			"IntegrationResponses":[{"StatusCode":"204","ResponseParameters":{"method.response.header.Access-Control-Allow-Origin":"'*'"}}]},"MethodResponses":[{"StatusCode":"204","ResponseParameters":{"method.response.header.Access-Control-Allow-Origin":true}}]}`)
		create("denied", "GatewayResponse", `{"RestApiId":"$api","ResponseType":"ACCESS_DENIED","StatusCode":"404"}`)
		deployment := create("deployment", "Deployment", `{"RestApiId":"$api","Description":"one","StageName":"dev","StageDescription":{"Variables":{"a":"1"},"LoggingLevel":"INFO","ThrottlingRateLimit":5}}`)
		stage := create("stage", "Stage", `{"RestApiId":"$api","DeploymentId":"$deployment","StageName":"prod","Variables":{"a":"1"},"TracingEnabled":true,
			"AccessLogSetting":{"DestinationArn":"arn:aws:logs:us-east-1:000000000000:log-group:/x","Format":"$context.requestId"},
			"MethodSettings":[{"HttpMethod":"*","ResourcePath":"/*","LoggingLevel":"ERROR"},{"HttpMethod":"GET","ResourcePath":"/~1pets","ThrottlingBurstLimit":7}],"Tags":[{"Key":"k","Value":"v"}]}`)
		key := create("key", "ApiKey", `{"Enabled":true,"Value":"key-of-more-than-20-characters"}`)
		plan := create("plan", "UsagePlan", `{"UsagePlanName":"gold","ApiStages":[{"ApiId":"$api","Stage":"prod"}],"Quota":{"Limit":5,"Period":"WEEK"}}`)
		create("planKey", "UsagePlanKey", `{"KeyId":"$key","KeyType":"API_KEY","UsagePlanId":"$plan"}`)
		domain := create("domain", "DomainName", `{"DomainName":"api.example.com","RegionalCertificateArn":"arn:aws:acm:us-east-1:000000000000:certificate/1","EndpointConfiguration":{"Types":["REGIONAL"]}}`)
		mapping := create("mapping", "BasePathMapping", `{"DomainName":"api.example.com","RestApiId":"$api","Stage":"prod","BasePath":"v1"}`)
		cert := create("cert", "ClientCertificate", `{"Description":"c"}`)
		part := create("part", "DocumentationPart", `{"RestApiId":"$api","Location":{"Type":"API"},"Properties":"{\"description\":\"x\"}"}`)
		version := create("version", "DocumentationVersion", `{"RestApiId":"$api","DocumentationVersion":"1"}`)

		snap := must(s.Snapshot(ctx, api.id, "prod"))(t)
		_, m := snap.Match("GET", "/pets")
		if m == nil || m.Authorizer == nil || m.Authorizer.ID != auth.id || !m.KeyRequired || !m.ValidateBody || m.Model("").Schema == nil || !snap.Tracing || snap.AccessLog == nil ||
			m.Settings.Logging != "ERROR" || m.Settings.Throttle.Burst != 7 || len(m.Integration.Responses) != 1 || snap.Policy == nil || snap.Response("ACCESS_DENIED").Status != 404 {
			t.Fatalf("the stage serves %+v", m)
		}
		dev := must(s.Snapshot(ctx, api.id, "dev"))(t)
		if _, m := dev.Match("GET", "/pets"); dev.Variables["a"] != "1" || m.Settings.Logging != "INFO" || m.Settings.Throttle.Rate != 5 {
			t.Errorf("the deployment's stage serves %+v", m)
		}
		d := must(s.domains.Host(ctx, "API.example.com."))(t)
		if to, rest, ok := d.Match("/v1/pets"); !ok || rest != "/pets" || to.APIID != api.id || to.Stage != "prod" {
			t.Errorf("the domain leads to %+v %s", to, rest)
		}
		if _, _, ok := d.Match("/v12"); ok {
			t.Error("/v12 is taken for /v1")
		}

		update(api, `{"Name":"other"}`, "Description", "Policy", "MinimumCompressionSize", "Tags")
		update(model, `{"Schema":{"type":"array"}}`)
		update(validator, `{"ValidateRequestParameters":true}`, "ValidateRequestBody")
		update(auth, `{"Name":"pool2","AuthorizerResultTtlInSeconds":10}`)
		update(method, `{"AuthorizationType":"NONE"}`, "AuthorizerId", "MethodResponses", "Integration")
		update(deployment, `{"Description":"two"}`)
		update(stage, `{"Variables":{"b":"2"}}`, "MethodSettings", "AccessLogSetting", "TracingEnabled", "Tags")
		update(key, `{"Enabled":false,"StageKeys":[{"RestApiId":"`+api.id+`","StageName":"dev"}]}`)
		update(plan, `{"ApiStages":[{"ApiId":"`+api.id+`","Stage":"dev"}]}`, "Quota")
		update(domain, `{"SecurityPolicy":"TLS_1_0"}`)
		update(mapping, `{"Stage":"dev"}`)
		update(cert, `{"Description":"d"}`)
		update(part, `{"Properties":"{\"description\":\"y\"}"}`)
		update(version, `{"Description":"y"}`)
		a := must(s.GetRestApi(ctx, &v1.GetRestApiRequest{RestApiId: api.id}))(t)
		if *a.Name != "other" || a.Description != nil || a.Policy != nil || a.MinimumCompressionSize != nil || len(a.Tags) != 1 {
			t.Errorf("after the update the API is %+v", a)
		}
		st := must(s.GetStage(ctx, &v1.GetStageRequest{RestApiId: api.id, StageName: "prod"}))(t)
		if len(st.MethodSettings) != 0 || st.AccessLogSettings != nil || *st.TracingEnabled || st.Variables["a"] != "" || st.Variables["b"] != "2" || len(st.Tags) != 1 {
			t.Errorf("after the update the stage is %+v", st)
		}
		if k := must(s.Key(ctx, testRegion, "key-of-more-than-20-characters"))(t); k.Enabled {
			t.Error("the key is enabled")
		}

		for range 2 { // what is gone is gone
			for i := len(all) - 1; i >= 0; i-- {
				h, _ := reg.Lookup(all[i].kind)
				if err := h.Handler.Delete(ctx, &resource.Request{PhysicalID: all[i].id, Props: all[i].p}); err != nil {
					t.Errorf("delete %s: %v", all[i].kind, err)
				}
			}
		}
		if _, err := s.Snapshot(ctx, api.id, "prod"); err != ErrNoAPI {
			t.Errorf("after all: %v", err)
		}
	})
}

// TestResourceWithBody is the API of a SAM template.
func TestResourceWithBody(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		h := apiType{s}
		r := &resource.Request{LogicalID: "Api", StackName: "sam", Type: "AWS::ApiGateway::RestApi", Token: "1", Props: props(t, `{"Body":{"info":{"version":"1.0","title":"sam"},
			"paths":{"/secret":{"get":{"x-amazon-apigateway-integration":{"httpMethod":"POST","type":"aws_proxy","uri":"`+testURI+`"},"security":[{"Cognito":[]}],"responses":{}}}},"swagger":"2.0",
			"securityDefinitions":{"Cognito":{"in":"header","type":"apiKey","name":"Authorization","x-amazon-apigateway-authorizer":{"providerARNs":["`+testPool+`"],"type":"cognito_user_pools"},
			"x-amazon-apigateway-authtype":"cognito_user_pools"}}}}`)}
		res := must(h.Create(ctx, r))(t)
		again := must(h.Create(ctx, r))(t)
		if res.PhysicalID != again.PhysicalID || res.Attrs["RootResourceId"] != again.Attrs["RootResourceId"] {
			t.Errorf("%+v, %+v", res, again)
		}
		a := &testAPI{s, ctx, t, res.PhysicalID, ""}
		a.deploy("Stage")
		_, m := a.snapshot("Stage").Match("GET", "/secret")
		if m == nil || m.AuthorizationType != "COGNITO_USER_POOLS" || m.Authorizer.Name != "Cognito" || m.Integration.FunctionARN != testFunction || a.snapshot("Stage").APIName != "sam" {
			t.Errorf("the stage serves %+v", m)
		}
		r.PhysicalID, r.OldProps = res.PhysicalID, r.Props
		r.Props = props(t, `{"Name":"named","Body":{"swagger":"2.0","info":{"title":"x"},"paths":{"/other":{"get":{"x-amazon-apigateway-integration":{"type":"mock"}}}}}}`)
		must(h.Update(ctx, r))(t)
		got := must(s.GetRestApi(ctx, &v1.GetRestApiRequest{RestApiId: res.PhysicalID}))(t)
		list := must(s.GetResources(ctx, &v1.GetResourcesRequest{RestApiId: res.PhysicalID}))(t)
		if *got.Name != "named" || len(list.Items) != 2 {
			t.Errorf("%+v %+v", got, list)
		}
		if _, err := h.Create(ctx, &resource.Request{Token: "2", StackName: "x", LogicalID: "A", Props: map[string]any{}}); err == nil {
			t.Error("an API without a name was made")
		}
	})
}

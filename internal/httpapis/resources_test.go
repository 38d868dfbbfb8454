package httpapis

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
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

// TestResources goes through the life of what the stacks of the JWT examples hold.
func TestResources(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		var reg resource.Registry
		for _, r := range s.Resources() {
			reg.Register(r)
		}
		type made struct {
			kind string
			id   string
			p    map[string]any
		}
		var all []made
		tags := map[string]string{"aws:cloudformation:stack-name": "dev"}
		create := func(kind string, p map[string]any) resource.Result {
			t.Helper()
			kind = "AWS::ApiGatewayV2::" + kind
			if err := reg.Check(kind, "R", p); err != nil {
				t.Fatal(err)
			}
			h, _ := reg.Lookup(kind)
			res, err := h.Handler.Create(ctx, &resource.Request{LogicalID: "R", StackName: "dev", Type: kind, Props: p, Tags: tags})
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			sch, _ := reg.Schema(kind)
			for name := range sch.Attributes {
				if res.Attrs[name] == nil {
					t.Errorf("%s has no attribute %s", kind, name)
				}
			}
			all = append(all, made{kind, res.PhysicalID, p})
			return res
		}
		update := func(at int, change map[string]any, gone ...string) {
			t.Helper()
			m := &all[at]
			p := maps.Clone(m.p)
			maps.Copy(p, change)
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
		in := func(api string, p map[string]any) map[string]any {
			p["ApiId"] = api
			return p
		}

		api := create("Api", props(t, `{"CorsConfiguration":{"AllowCredentials":false,"AllowHeaders":["*"],"AllowMethods":["*"],"AllowOrigins":["*"],"MaxAge":"123"},
			"Name":"dev-api","ProtocolType":"HTTP","Description":"d","Tags":{"sst:stage":"dev"}}`)).PhysicalID
		stage := create("Stage", in(api, props(t, `{"StageName":"$default","AutoDeploy":"true","AccessLogSettings":{"DestinationArn":"arn:aws:logs:us-east-1:000000000000:log-group:/x:*",
			"Format":"{\"id\":\"$context.requestId\"}"},"DefaultRouteSettings":{"ThrottlingRateLimit":50},"StageVariables":{"a":"1","b":"2"},"Tags":{"k":"v"}}`)))
		if stage.PhysicalID != "$default" {
			t.Errorf("the stage's Ref is %s", stage.PhysicalID)
		}
		auth := create("Authorizer", in(api, props(t, `{"AuthorizerType":"JWT","Name":"jwt","IdentitySource":["$request.header.Authorization"],
			"JwtConfiguration":{"Audience":["client"],"Issuer":"https://cognito-idp.us-east-1.amazonaws.com/us-east-1_QLBISRQwA"}}`))).PhysicalID
		integ := create("Integration", in(api, props(t, `{"IntegrationType":"AWS_PROXY","IntegrationUri":"`+testFunction+`","PayloadFormatVersion":"2.0","TimeoutInMillis":5000}`))).PhysicalID
		create("Route", in(api, map[string]any{"RouteKey": "GET /private", "AuthorizationType": "JWT", "AuthorizerId": auth, "Target": "integrations/" + integ}))
		create("Deployment", in(api, map[string]any{"Description": "first"}))

		snap := must(s.Snapshot(ctx, api, "$default"))(t)
		r := snap.Match("GET", "/private")
		if r == nil || r.Authorizer.ID != auth || r.Integration.FunctionARN != testFunction || r.Throttle.Rate != 50 || snap.AccessLog.LogGroup != "/x" || *snap.CORS.MaxAge != 123 {
			t.Fatalf("the stage serves %+v", r)
		}
		if got := must(s.GetTags(ctx, &v2.GetTagsRequest{ResourceArn: "arn:aws:apigateway:us-east-1::/apis/" + api}))(t).Tags; len(got) != 2 {
			t.Errorf("tags are %v", got)
		}

		update(0, map[string]any{"Name": "other"}, "CorsConfiguration", "Description", "Tags")
		update(1, map[string]any{"StageVariables": map[string]any{"b": "3"}}, "AccessLogSettings", "DefaultRouteSettings")
		update(3, nil, "TimeoutInMillis")
		update(4, map[string]any{"RouteKey": "GET /open"}, "AuthorizationType", "AuthorizerId")
		update(5, map[string]any{"Description": "second"})
		snap = must(s.Snapshot(ctx, api, "$default"))(t)
		r = snap.Match("GET", "/open")
		if r == nil || r.Authorizer != nil || r.Throttle != nil || snap.AccessLog != nil || snap.CORS != nil || r.Integration.Timeout.Seconds() != 30 || len(snap.Variables) != 1 {
			t.Errorf("after the update the stage serves %+v of %+v", r, snap)
		}
		a := must(s.GetApi(ctx, &v2.GetApiRequest{ApiId: api}))(t)
		if *a.Description != "" || *a.Name != "other" || len(a.Tags) != 1 {
			t.Errorf("after the update the API is %+v", a)
		}

		for _, again := range []bool{false, true} { // what is gone is gone
			for i := len(all) - 1; i >= 0; i-- {
				h, _ := reg.Lookup(all[i].kind)
				if err := h.Handler.Delete(ctx, &resource.Request{PhysicalID: all[i].id, Props: all[i].p}); err != nil {
					t.Errorf("delete %s, again %v: %v", all[i].kind, again, err)
				}
			}
		}
		h, _ := reg.Lookup("AWS::ApiGatewayV2::Authorizer")
		_, err := h.Handler.Create(ctx, &resource.Request{Props: map[string]any{"ApiId": api, "Name": "x", "AuthorizerType": "JWT"}})
		wantError(t, err, "BadRequestException", "IdentitySource")
	})
}

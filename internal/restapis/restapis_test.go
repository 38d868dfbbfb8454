package restapis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const (
	testRegion   = "us-east-1"
	testAccount  = "000000000000"
	testFunction = "arn:aws:lambda:us-east-1:000000000000:function:hello"
	testURI      = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + testFunction + "/invocations"
	testPool     = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_QLBISRQwA"
	testRole     = "arn:aws:iam::000000000000:role/logs"
)

func start(t testing.TB, db *store.DB) (*Service, context.Context) {
	t.Helper()
	box, err := seal.FromBytes(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{DB: db, Seal: box, Account: testAccount, PublicURL: func() string { return "http://127.0.0.1:4566" }})
	return s, wire.WithCall(t.Context(), &wire.Call{Account: testAccount, Region: testRegion})
}

// must returns a value that has to be had.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantError checks the code and a part of the message.
func wantError(t testing.TB, err error, code, text string) {
	t.Helper()
	var e *shape.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, text) {
		t.Errorf("error is %v, want %s: … %s …", err, code, text)
	}
}

// patches makes operations of lines like "replace /name value".
func patches(lines ...string) []v1.PatchOperation {
	var out []v1.PatchOperation
	for _, l := range lines {
		parts := strings.SplitN(l, " ", 3)
		op := v1.PatchOperation{Op: &parts[0], Path: &parts[1]}
		if len(parts) == 3 {
			if parts[0] == "copy" {
				op.From = &parts[2]
			} else {
				op.Value = &parts[2]
			}
		}
		out = append(out, op)
	}
	return out
}

type testAPI struct {
	s    *Service
	ctx  context.Context
	t    testing.TB
	id   string
	root string
}

func newAPI(t testing.TB, s *Service, ctx context.Context) *testAPI {
	t.Helper()
	a := must(s.CreateRestApi(ctx, &v1.CreateRestApiRequest{Name: "pets"}))(t)
	return &testAPI{s, ctx, t, *a.Id, *a.RootResourceId}
}

// resource makes the resources of a path that are not there, and returns the id of the last.
func (a *testAPI) resource(path string) string {
	a.t.Helper()
	all := must(a.s.GetResources(a.ctx, &v1.GetResourcesRequest{RestApiId: a.id}))(a.t)
	byPath := map[string]string{}
	for _, r := range all.Items {
		byPath[*r.Path] = *r.Id
	}
	id, at := a.root, ""
	for p := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if p == "" {
			break
		}
		at += "/" + p
		if byPath[at] == "" {
			byPath[at] = *must(a.s.CreateResource(a.ctx, &v1.CreateResourceRequest{RestApiId: a.id, ParentId: id, PathPart: p}))(a.t).Id
		}
		id = byPath[at]
	}
	return id
}

// method makes a method with a function behind it, and returns its resource.
func (a *testAPI) method(method, path string) string {
	a.t.Helper()
	id := a.resource(path)
	must(a.s.PutMethod(a.ctx, &v1.PutMethodRequest{RestApiId: a.id, ResourceId: id, HttpMethod: method, AuthorizationType: "NONE"}))(a.t)
	must(a.s.PutIntegration(a.ctx, &v1.PutIntegrationRequest{RestApiId: a.id, ResourceId: id, HttpMethod: method, Type: "AWS_PROXY",
		IntegrationHttpMethod: shape.Ptr("POST"), Uri: shape.Ptr(testURI)}))(a.t)
	return id
}

func (a *testAPI) deploy(stage string) string {
	a.t.Helper()
	return *must(a.s.CreateDeployment(a.ctx, &v1.CreateDeploymentRequest{RestApiId: a.id, StageName: opt(stage)}))(a.t).Id
}

func (a *testAPI) snapshot(stage string) *Snapshot {
	a.t.Helper()
	return must(a.s.Snapshot(a.ctx, a.id, stage))(a.t)
}

func TestLifeOfAnAPI(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		a := newAPI(t, s, ctx)
		got := must(s.GetRestApi(ctx, &v1.GetRestApiRequest{RestApiId: a.id}))(t)
		if len(a.id) != 10 || len(a.root) != 10 || *got.ApiKeySource != "HEADER" || got.EndpointConfiguration.Types[0] != "EDGE" || *got.DisableExecuteApiEndpoint {
			t.Errorf("a new API is %+v", got)
		}
		if m := must(s.GetModels(ctx, &v1.GetModelsRequest{RestApiId: a.id}))(t); len(m.Items) != 2 {
			t.Errorf("a new API has models %+v", m)
		}
		_, err := s.GetRestApi(ctx, &v1.GetRestApiRequest{RestApiId: "nothing123"})
		wantError(t, err, "NotFoundException", "Invalid API identifier specified 000000000000:nothing123")
		other := wire.WithCall(t.Context(), &wire.Call{Account: testAccount, Region: "eu-west-1"})
		_, err = s.GetRestApi(other, &v1.GetRestApiRequest{RestApiId: a.id})
		wantError(t, err, "NotFoundException", "Invalid API identifier")

		// The tree's rules.
		pets := a.resource("/pets")
		create := func(parent, part string) error {
			_, err := s.CreateResource(ctx, &v1.CreateResourceRequest{RestApiId: a.id, ParentId: parent, PathPart: part})
			return err
		}
		wantError(t, create(a.root, "pets"), "ConflictException", "Another resource with the same parent already has this name: pets")
		wantError(t, create(a.root, "a/b"), "BadRequestException", "Resource's path part only allow")
		wantError(t, create("nothing", "a"), "NotFoundException", "Invalid Resource identifier specified")
		id := a.resource("/pets/{id}")
		wantError(t, create(pets, "{name}"), "BadRequestException", "A sibling ({id}) of this resource already has a variable path part -- only one is allowed")
		wantError(t, create(id, "{id}"), "BadRequestException", "already used")
		greedy := a.resource("/all/{proxy+}")
		wantError(t, create(greedy, "x"), "BadRequestException", "Cannot create a child of a resource with a greedy path variable")
		// Renaming takes along what is below.
		must(s.UpdateResource(ctx, &v1.UpdateResourceRequest{RestApiId: a.id, ResourceId: pets, PatchOperations: patches("replace /pathPart animals")}))(t)
		if r := must(s.GetResource(ctx, &v1.GetResourceRequest{RestApiId: a.id, ResourceId: id}))(t); *r.Path != "/animals/{id}" {
			t.Errorf("the path is %s", *r.Path)
		}
		_, err = s.UpdateResource(ctx, &v1.UpdateResourceRequest{RestApiId: a.id, ResourceId: pets, PatchOperations: patches("replace /parentId " + id)})
		wantError(t, err, "BadRequestException", "below itself")

		// Methods.
		a.method("GET", "/animals/{id}")
		_, err = s.PutMethod(ctx, &v1.PutMethodRequest{RestApiId: a.id, ResourceId: id, HttpMethod: "GET", AuthorizationType: "NONE"})
		wantError(t, err, "ConflictException", "Method already exists for this resource")
		_, err = s.PutMethod(ctx, &v1.PutMethodRequest{RestApiId: a.id, ResourceId: id, HttpMethod: "PUT", AuthorizationType: "COGNITO_USER_POOLS"})
		wantError(t, err, "BadRequestException", "Invalid authorizer ID specified")
		_, err = s.GetMethod(ctx, &v1.GetMethodRequest{RestApiId: a.id, ResourceId: id, HttpMethod: "POST"})
		wantError(t, err, "NotFoundException", "Invalid Method identifier specified")
		_, err = s.PutIntegrationResponse(ctx, &v1.PutIntegrationResponseRequest{RestApiId: a.id, ResourceId: id, HttpMethod: "GET", StatusCode: "200"})
		wantError(t, err, "NotFoundException", "Invalid Response status code specified")

		// A list shows methods by name only, unless asked.
		list := must(s.GetResources(ctx, &v1.GetResourcesRequest{RestApiId: a.id}))(t)
		whole := must(s.GetResources(ctx, &v1.GetResourcesRequest{RestApiId: a.id, Embed: []string{"methods"}}))(t)
		for i := range list.Items {
			for name, m := range list.Items[i].ResourceMethods {
				if m.HttpMethod != nil || whole.Items[i].ResourceMethods[name].MethodIntegration == nil {
					t.Errorf("%s %s: %+v", name, *list.Items[i].Path, m)
				}
			}
		}
		_, err = s.GetResources(ctx, &v1.GetResourcesRequest{RestApiId: a.id, Embed: []string{"all"}})
		wantError(t, err, "BadRequestException", "all")
		page := must(s.GetResources(ctx, &v1.GetResourcesRequest{RestApiId: a.id, Limit: shape.Ptr(int64(2))}))(t)
		rest := must(s.GetResources(ctx, &v1.GetResourcesRequest{RestApiId: a.id, Limit: shape.Ptr(int64(100)), Position: page.Position}))(t)
		if len(page.Items) != 2 || len(page.Items)+len(rest.Items) != len(list.Items) || rest.Position != nil {
			t.Errorf("pages of %d and %d of %d", len(page.Items), len(rest.Items), len(list.Items))
		}

		// Deleting a resource deletes what is below.
		must(s.DeleteResource(ctx, &v1.DeleteResourceRequest{RestApiId: a.id, ResourceId: pets}))(t)
		_, err = s.GetResource(ctx, &v1.GetResourceRequest{RestApiId: a.id, ResourceId: id})
		wantError(t, err, "NotFoundException", "Invalid Resource identifier specified")
		_, err = s.DeleteResource(ctx, &v1.DeleteResourceRequest{RestApiId: a.id, ResourceId: a.root})
		wantError(t, err, "BadRequestException", "Root resource")

		must(s.DeleteRestApi(ctx, &v1.DeleteRestApiRequest{RestApiId: a.id}))(t)
		_, err = s.GetResources(ctx, &v1.GetResourcesRequest{RestApiId: a.id})
		wantError(t, err, "NotFoundException", "Invalid API identifier")
	})
}

// TestDeploymentsAreImmutable: a change is invisible until it is deployed.
func TestDeploymentsAreImmutable(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		a := newAPI(t, s, ctx)
		_, err := s.CreateDeployment(ctx, &v1.CreateDeploymentRequest{RestApiId: a.id})
		wantError(t, err, "BadRequestException", "The REST API doesn't contain any methods")
		id := a.resource("/secret")
		must(s.PutMethod(ctx, &v1.PutMethodRequest{RestApiId: a.id, ResourceId: id, HttpMethod: "GET", AuthorizationType: "NONE"}))(t)
		_, err = s.CreateDeployment(ctx, &v1.CreateDeploymentRequest{RestApiId: a.id})
		wantError(t, err, "BadRequestException", "No integration defined for method")
		must(s.DeleteMethod(ctx, &v1.DeleteMethodRequest{RestApiId: a.id, ResourceId: id, HttpMethod: "GET"}))(t)
		a.method("GET", "/secret")
		if _, err := s.Snapshot(ctx, a.id, "prod"); err != ErrNoStage {
			t.Errorf("no stage: %v", err)
		}
		if _, err := s.Snapshot(ctx, "nothing123", "prod"); err != ErrNoAPI {
			t.Errorf("no API: %v", err)
		}
		first := a.deploy("prod")
		snap := a.snapshot("prod")
		if _, m := snap.Match("GET", "/secret"); m.AuthorizationType != "NONE" || m.Integration.FunctionARN != testFunction || m.Integration.Timeout.Seconds() != 29 {
			t.Errorf("the stage serves %+v", m)
		}
		again := a.snapshot("prod")
		for range 100 { // the database's notices of what was made may come late, and once
			if again == snap {
				break
			}
			time.Sleep(10 * time.Millisecond)
			snap, again = again, a.snapshot("prod")
		}
		if again != snap {
			t.Error("the snapshot is compiled each time")
		}

		z := must(s.CreateAuthorizer(ctx, &v1.CreateAuthorizerRequest{RestApiId: a.id, Name: "pool", Type: "COGNITO_USER_POOLS", ProviderARNs: []string{testPool},
			IdentitySource: shape.Ptr("method.request.header.Authorization")}))(t)
		must(s.UpdateMethod(ctx, &v1.UpdateMethodRequest{RestApiId: a.id, ResourceId: id, HttpMethod: "GET",
			PatchOperations: patches("replace /authorizationType COGNITO_USER_POOLS", "replace /authorizerId "+*z.Id)}))(t)
		if a.snapshot("prod") != snap {
			t.Error("a change shows before it is deployed")
		}
		_, err = s.DeleteAuthorizer(ctx, &v1.DeleteAuthorizerRequest{RestApiId: a.id, AuthorizerId: *z.Id})
		wantError(t, err, "ConflictException", "/secret/GET")

		second := a.deploy("prod")
		_, m := a.snapshot("prod").Match("GET", "/secret")
		if m.AuthorizationType != "COGNITO_USER_POOLS" || m.Authorizer == nil || m.Authorizer.Providers[0] != testPool || m.Authorizer.Sources[0] != (Source{"header", "Authorization"}) {
			t.Errorf("after the deployment the stage serves %+v", m)
		}
		_, err = s.DeleteDeployment(ctx, &v1.DeleteDeploymentRequest{RestApiId: a.id, DeploymentId: second})
		wantError(t, err, "BadRequestException", "Active stages pointing to this deployment must be moved or deleted")
		d := must(s.GetDeployment(ctx, &v1.GetDeploymentRequest{RestApiId: a.id, DeploymentId: first, Embed: []string{"apisummary"}}))(t)
		if *d.ApiSummary["/secret"]["GET"].AuthorizationType != "NONE" {
			t.Errorf("the first deployment is %+v", d)
		}
		// Back to the first one.
		must(s.UpdateStage(ctx, &v1.UpdateStageRequest{RestApiId: a.id, StageName: "prod", PatchOperations: patches("replace /deploymentId " + first)}))(t)
		if _, m := a.snapshot("prod").Match("GET", "/secret"); m.AuthorizationType != "NONE" {
			t.Error("the stage does not serve the first deployment again")
		}
		must(s.DeleteDeployment(ctx, &v1.DeleteDeploymentRequest{RestApiId: a.id, DeploymentId: second}))(t)

		// A canary.
		third := must(s.CreateDeployment(ctx, &v1.CreateDeploymentRequest{RestApiId: a.id, StageName: shape.Ptr("prod"),
			CanarySettings: &v1.DeploymentCanarySettings{PercentTraffic: shape.Ptr(10.5), StageVariableOverrides: map[string]string{"v": "canary"}}}))(t)
		snap = a.snapshot("prod")
		if snap.DeploymentID != first || snap.Canary == nil || snap.Canary.Percent != 10.5 || snap.Canary.Snapshot.DeploymentID != *third.Id || snap.Canary.Snapshot.Variables["v"] != "canary" {
			t.Errorf("with a canary the stage serves %+v", snap.Canary)
		}
		st := must(s.UpdateStage(ctx, &v1.UpdateStageRequest{RestApiId: a.id, StageName: "prod", PatchOperations: patches(
			"copy /deploymentId /canarySettings/deploymentId", "copy /variables /canarySettings/stageVariableOverrides", "remove /canarySettings")}))(t)
		if *st.DeploymentId != *third.Id || st.Variables["v"] != "canary" || st.CanarySettings != nil {
			t.Errorf("after the promotion the stage is %+v", st)
		}
		must(s.DeleteStage(ctx, &v1.DeleteStageRequest{RestApiId: a.id, StageName: "prod"}))(t)
		if _, err := s.Snapshot(ctx, a.id, "prod"); err != ErrNoStage {
			t.Errorf("after its deletion: %v", err)
		}
	})
}

func TestMatch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		a := newAPI(t, s, ctx)
		for _, m := range []string{"GET /", "GET /pets", "ANY /pets/{id}", "GET /pets/mine", "POST /pets/{id}/toys", "ANY /{proxy+}", "GET /pets/{id}/files/{file+}", "GET /deep/er/est"} {
			method, path, _ := strings.Cut(m, " ")
			a.method(method, path)
		}
		a.deploy("prod")
		snap := a.snapshot("prod")
		for _, c := range []struct{ method, path, resource, want string }{
			{"GET", "/", "/", "GET"},
			{"POST", "/", "/", ""},
			{"GET", "/pets", "/pets", "GET"},
			{"GET", "/pets/", "/pets", "GET"},
			{"POST", "/pets", "/pets", ""},
			{"GET", "/pets/1", "/pets/{id}", "ANY"},
			{"GET", "/pets/mine", "/pets/mine", "GET"},
			{"POST", "/pets/mine", "/pets/mine", ""},
			{"POST", "/pets/mine/toys", "/pets/{id}/toys", "POST"},
			{"GET", "/pets/1/files/a/b", "/pets/{id}/files/{file+}", "GET"},
			{"GET", "/pets/1/files", "/{proxy+}", "ANY"},
			{"GET", "/deep", "/{proxy+}", "ANY"},
			{"GET", "/deep/er/est", "/deep/er/est", "GET"},
			{"GET", "/other/a/b", "/{proxy+}", "ANY"},
			{"GET", "//x", "/{proxy+}", "ANY"},
			{"GET", "", "", ""},
			{"GET", "pets", "", ""},
		} {
			r, m := snap.Match(c.method, c.path)
			resource, method := "", ""
			if r != nil {
				resource = r.Path
			}
			if m != nil {
				method = m.HTTP
			}
			if resource != c.resource || method != c.want {
				t.Errorf("%s %s: %s %s, want %s %s", c.method, c.path, method, resource, c.want, c.resource)
			}
		}
		r, _ := snap.Match("GET", "/pets/1/files/a/b")
		var got []string
		r.PathParameters("/pets/1/files/a/b", func(name, value string) { got = append(got, name+"="+value) })
		if fmt.Sprint(got) != "[id=1 file=a/b]" {
			t.Error(got)
		}
	})
}

func TestUsagePlans(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		a := newAPI(t, s, ctx)
		a.method("GET", "/pets")
		a.deploy("prod")
		k := must(s.CreateApiKey(ctx, &v1.CreateApiKeyRequest{Name: shape.Ptr("me"), Enabled: shape.Ptr(true), Value: shape.Ptr("a-key-of-twenty-characters")}))(t)
		_, err := s.CreateApiKey(ctx, &v1.CreateApiKeyRequest{Value: shape.Ptr("a-key-of-twenty-characters")})
		wantError(t, err, "ConflictException", "API Key already exists")
		_, err = s.CreateApiKey(ctx, &v1.CreateApiKeyRequest{Value: shape.Ptr("short")})
		wantError(t, err, "BadRequestException", "at least 20 characters")
		if g := must(s.GetApiKey(ctx, &v1.GetApiKeyRequest{ApiKey: *k.Id}))(t); g.Value != nil {
			t.Error("the value is shown unasked")
		}
		if g := must(s.GetApiKey(ctx, &v1.GetApiKeyRequest{ApiKey: *k.Id, IncludeValue: shape.Ptr(true)}))(t); *g.Value != "a-key-of-twenty-characters" {
			t.Error("the value is another")
		}
		p := must(s.CreateUsagePlan(ctx, &v1.CreateUsagePlanRequest{Name: "gold", ApiStages: []v1.ApiStage{{ApiId: &a.id, Stage: shape.Ptr("prod")}},
			Throttle: &v1.ThrottleSettings{RateLimit: shape.Ptr(5.0), BurstLimit: shape.Ptr(int64(2))}, Quota: &v1.QuotaSettings{Limit: shape.Ptr(int64(100)), Period: shape.Ptr("DAY")}}))(t)
		key := must(s.Key(ctx, testRegion, "a-key-of-twenty-characters"))(t)
		if _, ok, err := s.Plan(ctx, key, a.id, "prod"); ok || err != nil {
			t.Errorf("a key without a plan may: %v, %v", ok, err)
		}
		must(s.CreateUsagePlanKey(ctx, &v1.CreateUsagePlanKeyRequest{UsagePlanId: *p.Id, KeyId: *k.Id, KeyType: "API_KEY"}))(t)
		if _, err := s.Key(ctx, testRegion, "another-key-of-twenty-characters"); err != ErrNoKey {
			t.Errorf("an unknown key: %v", err)
		}
		key = must(s.Key(ctx, testRegion, "a-key-of-twenty-characters"))(t)
		plan, ok, err := s.Plan(ctx, key, a.id, "prod")
		if !ok || err != nil || plan.Throttle.Rate != 5 || plan.Quota.Limit != 100 {
			t.Fatalf("%+v, %v, %v", plan, ok, err)
		}
		if _, ok, _ := s.Plan(ctx, key, a.id, "dev"); ok {
			t.Error("the key may use another stage")
		}
		// The same stage by another plan.
		two := must(s.CreateUsagePlan(ctx, &v1.CreateUsagePlanRequest{Name: "silver", ApiStages: []v1.ApiStage{{ApiId: &a.id, Stage: shape.Ptr("prod")}}}))(t)
		_, err = s.CreateUsagePlanKey(ctx, &v1.CreateUsagePlanKeyRequest{UsagePlanId: *two.Id, KeyId: *k.Id, KeyType: "API_KEY"})
		wantError(t, err, "ConflictException", "already associated")

		// Method throttles, by patch.
		must(s.UpdateUsagePlan(ctx, &v1.UpdateUsagePlanRequest{UsagePlanId: *p.Id, PatchOperations: patches(
			"replace /apiStages/"+a.id+":prod/throttle/~1pets/GET/rateLimit 1", "replace /apiStages/"+a.id+":prod/throttle/~1pets/GET/burstLimit 3")}))(t)
		plan, _, _ = s.Plan(ctx, key, a.id, "prod")
		_, m := a.snapshot("prod").Match("GET", "/pets")
		if th := plan.MethodThrottle(a.id, "prod", m); th == nil || *th != (Throttle{1, 3}) {
			t.Errorf("the method's throttle is %+v", th)
		}
		if th := plan.MethodThrottle(a.id, "prod", &Method{HTTP: "PUT", Resource: m.Resource}); th != nil {
			t.Errorf("another method's throttle is %+v", th)
		}
		must(s.UpdateUsagePlan(ctx, &v1.UpdateUsagePlanRequest{UsagePlanId: *p.Id, PatchOperations: patches("replace /apiStages/" + a.id + ":prod/throttle/*/*/rateLimit 4")}))(t)
		plan, _, _ = s.Plan(ctx, key, a.id, "prod")
		if th := plan.MethodThrottle(a.id, "prod", &Method{HTTP: "PUT", Resource: m.Resource}); th == nil || th.Rate != 4 {
			t.Errorf("any method's throttle is %+v", th)
		}

		// Quota.
		now := s.now()
		if err := s.AddUsage(ctx, []Use{{*p.Id, *k.Id, now, 30}, {*p.Id, *k.Id, now, 5}}); err != nil {
			t.Fatal(err)
		}
		if n := must(s.Remaining(ctx, plan, *k.Id, now))(t); n != 65 {
			t.Errorf("%d remain", n)
		}
		told := make(chan string, 8)
		s.OnGrant(func(plan, key string) { told <- key })
		u := must(s.UpdateUsage(ctx, &v1.UpdateUsageRequest{UsagePlanId: *p.Id, KeyId: *k.Id, PatchOperations: patches("replace /remaining 10")}))(t)
		if u.Items[*k.Id][0][1] != 10 || must(s.Remaining(ctx, plan, *k.Id, now))(t) != 10 || <-told != *k.Id {
			t.Errorf("after the grant %+v", u)
		}
		day := now.UTC().Format(dateForm)
		use := must(s.GetUsage(ctx, &v1.GetUsageRequest{UsagePlanId: *p.Id, StartDate: day, EndDate: day}))(t)
		if got := use.Items[*k.Id]; len(got) != 1 || got[0][0] != 35 || got[0][1] != 10 {
			t.Errorf("the usage is %+v", use)
		}
		_, err = s.GetUsage(ctx, &v1.GetUsageRequest{UsagePlanId: *p.Id, StartDate: "2020-01-01", EndDate: "2020-12-31"})
		wantError(t, err, "BadRequestException", "range")

		_, err = s.DeleteUsagePlan(ctx, &v1.DeleteUsagePlanRequest{UsagePlanId: *p.Id})
		wantError(t, err, "BadRequestException", "contains API Stages")
		_, err = s.UpdateUsagePlan(ctx, &v1.UpdateUsagePlanRequest{UsagePlanId: *p.Id, PatchOperations: patches("replace /quota/offset 3")})
		wantError(t, err, "BadRequestException", "offset must be zero in the DAY period")
		must(s.UpdateUsagePlan(ctx, &v1.UpdateUsagePlanRequest{UsagePlanId: *p.Id, PatchOperations: patches("remove /apiStages " + a.id + ":prod")}))(t)
		must(s.DeleteUsagePlan(ctx, &v1.DeleteUsagePlanRequest{UsagePlanId: *p.Id}))(t)
		must(s.DeleteApiKey(ctx, &v1.DeleteApiKeyRequest{ApiKey: *k.Id}))(t)
		if _, err := s.Key(ctx, testRegion, "a-key-of-twenty-characters"); err != ErrNoKey {
			t.Errorf("a deleted key: %v", err)
		}

		csv := "name,key,description,Enabled,usageplanIds\nn1,importedKey-123456789012,,TRUE," + *two.Id + "\nn2,short,,false,\nn3,importedKey-223456789012,d,false,nope\n"
		ids := must(s.ImportApiKeys(ctx, &v1.ImportApiKeysRequest{Body: []byte(csv), Format: "csv"}))(t)
		if len(ids.Ids) != 2 || len(ids.Warnings) != 2 {
			t.Errorf("imported %+v", ids)
		}
		key = must(s.Key(ctx, testRegion, "importedKey-123456789012"))(t)
		if _, ok, _ := s.Plan(ctx, key, a.id, "prod"); !ok || !key.Enabled {
			t.Error("the imported key is not in its plan")
		}
	})
}

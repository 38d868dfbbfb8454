package restapis

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

func petstore(t testing.TB) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/petstore.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestImport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		out := must(s.ImportRestApi(ctx, &v1.ImportRestApiRequest{Body: petstore(t), Parameters: map[string]string{"endpointConfigurationTypes": "REGIONAL"}}))(t)
		if *out.Name != "Petstore" || *out.Version != "2026-01-02" || *out.MinimumCompressionSize != 1024 || out.EndpointConfiguration.Types[0] != "REGIONAL" || len(out.Warnings) != 1 ||
			!strings.Contains(out.Warnings[0], "'default'") || !strings.Contains(*out.Policy, `\"arn:aws:execute-api:us-east-1:000000000000:`+*out.Id+`/*\"`) {
			t.Errorf("the API is %+v", out)
		}
		_, err := s.ImportRestApi(ctx, &v1.ImportRestApiRequest{Body: petstore(t), FailOnWarnings: shape.Ptr(true)})
		wantError(t, err, "BadRequestException", "Warnings found during import:\n\tIgnoring response 'default' on method 'GET'")
		a := &testAPI{s, ctx, t, *out.Id, *out.RootResourceId}
		must(s.CreateDeployment(ctx, &v1.CreateDeploymentRequest{RestApiId: a.id, StageName: shape.Ptr("prod"), Variables: map[string]string{"version": "v2"}}))(t)
		snap := a.snapshot("prod")
		if !snap.Binary("IMAGE/PNG; q=1") || snap.Binary("text/plain") || snap.MinCompression != 1024 || snap.Policy == nil {
			t.Errorf("the snapshot is %+v", snap)
		}
		if g := snap.Response("UNAUTHORIZED"); g.Status != 401 || g.Parameters[0].Name != "Access-Control-Allow-Origin" || g.Default {
			t.Errorf("%+v", g)
		}
		if g := snap.Response("THROTTLED"); g.Status != 429 || !g.Default {
			t.Errorf("%+v", g)
		}
		_, get := snap.Match("GET", "/pets")
		if get.AuthorizationType != "COGNITO_USER_POOLS" || get.Scopes[0] != "pets/read" || !get.ValidateParams || get.ValidateBody || get.Operation != "listPets" ||
			get.Integration.URI != "https://backend.example.com/v2/pets" || get.Integration.Passthrough != "WHEN_NO_TEMPLATES" || len(get.Parameters) != 3 ||
			get.Integration.Parameters[0] != (Mapping{"integration.request.querystring.p", "querystring", "p", "method.request.querystring.page"}) {
			t.Errorf("GET /pets is %+v, %+v", get, get.Integration)
		}
		_, post := snap.Match("POST", "/pets")
		model := post.Model("application/json; charset=utf-8")
		if !post.KeyRequired || !post.ValidateBody || model == nil || model.Name != "Pet" {
			t.Fatalf("POST /pets is %+v", post)
		}
		if faults := model.Schema.Validate(map[string]any{"owner": map[string]any{"pets": []any{map[string]any{}}}}); len(faults) != 2 {
			t.Errorf("the faults are %v", faults)
		}
		rs := post.Integration.Responses
		if len(rs) != 2 || rs[0].Code != 400 || !rs[0].Pattern.MatchString("a Bad thing") || rs[1].Pattern != nil || post.Integration.FunctionARN != testFunction {
			t.Errorf("responses %+v %+v", rs[0], rs[1])
		}
		_, options := snap.Match("OPTIONS", "/pets")
		if options.Integration.Templates["application/json"] != `{"statusCode":200}` {
			t.Errorf("OPTIONS /pets is %+v", options.Integration)
		}
		if _, any := snap.Match("PUT", "/pets/1"); any.AuthorizationType != "AWS_IAM" {
			t.Errorf("ANY /pets/{id} is %+v", any)
		}
		_, proxy := snap.Match("GET", "/x/y")
		if z := proxy.Authorizer; proxy.AuthorizationType != "CUSTOM" || z.Type != "REQUEST" || len(z.Sources) != 2 || z.Sources[1] != (Source{"querystring", "token"}) || z.TTL.Seconds() != 60 {
			t.Errorf("GET /{proxy+} is %+v", proxy)
		}
		parts := must(s.GetDocumentationParts(ctx, &v1.GetDocumentationPartsRequest{RestApiId: a.id, Type: shape.Ptr("METHOD")}))(t)
		if len(parts.Items) != 1 || *parts.Items[0].Properties != `{"summary":"Lists pets"}` {
			t.Errorf("the documentation is %+v", parts)
		}

		// Base paths.
		for mode, want := range map[string]string{"ignore": "/pets", "prepend": "/v1/store/pets", "split": "/store/pets"} {
			out := must(s.ImportRestApi(ctx, &v1.ImportRestApiRequest{Body: petstore(t), Parameters: map[string]string{"basepath": mode}}))(t)
			found := false
			for _, r := range must(s.GetResources(ctx, &v1.GetResourcesRequest{RestApiId: *out.Id}))(t).Items {
				found = found || *r.Path == want
			}
			if !found {
				t.Errorf("basepath %s made no %s", mode, want)
			}
		}

		// Merge adds, overwrite replaces; authorizers keep their ids.
		before := must(s.GetAuthorizers(ctx, &v1.GetAuthorizersRequest{RestApiId: a.id}))(t)
		more := `{"swagger":"2.0","info":{"title":"More"},"paths":{"/more":{"get":{"x-amazon-apigateway-integration":{"type":"mock"}}}}}`
		must(s.PutRestApi(ctx, &v1.PutRestApiRequest{RestApiId: a.id, Body: []byte(more)}))(t)
		paths := func() string {
			var out []string
			for _, r := range must(s.GetResources(ctx, &v1.GetResourcesRequest{RestApiId: a.id}))(t).Items {
				if len(r.ResourceMethods) > 0 {
					out = append(out, *r.Path)
				}
			}
			return strings.Join(sorted(out), " ")
		}
		if got := paths(); got != "/more /pets /pets/{id} /{proxy+}" {
			t.Errorf("merged to %s", got)
		}
		must(s.PutRestApi(ctx, &v1.PutRestApiRequest{RestApiId: a.id, Body: petstore(t), Mode: shape.Ptr("overwrite")}))(t)
		if got := paths(); got != "/pets /pets/{id} /{proxy+}" {
			t.Errorf("overwritten with %s", got)
		}
		if d := cmp.Diff(before, must(s.GetAuthorizers(ctx, &v1.GetAuthorizersRequest{RestApiId: a.id}))(t)); d != "" {
			t.Error(d)
		}
		// Nothing is stored of what fails.
		broken := `{"swagger":"2.0","info":{},"paths":{"/new":{"get":{}},"/new/{a}":{"get":{}},"/new/{b}":{"get":{}}}}`
		_, err = s.PutRestApi(ctx, &v1.PutRestApiRequest{RestApiId: a.id, Body: []byte(broken)})
		wantError(t, err, "BadRequestException", "Errors found during import:\n\tUnable to create resource at path '/new/{b}': A sibling ({a})")
		if got := paths(); strings.Contains(got, "/new") {
			t.Errorf("half an import is there: %s", got)
		}
	})
}

func sorted(l []string) []string {
	m := map[string]bool{}
	for _, s := range l {
		m[s] = true
	}
	return sortedKeys(m)
}

// TestRoundTrip: what is exported and imported again is the same API.
func TestRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		first := must(s.ImportRestApi(ctx, &v1.ImportRestApiRequest{Body: petstore(t)}))(t)
		must(s.CreateDeployment(ctx, &v1.CreateDeploymentRequest{RestApiId: *first.Id, StageName: shape.Ptr("prod")}))(t)
		// The live configuration with names in the place of ids.
		shot := func(id string) map[string]any {
			var c *config
			err := s.view(ctx, id, func(tx *store.Tx, a *api) (err error) { c, err = live(tx, a); return err })
			if err != nil {
				t.Fatal(err)
			}
			names := map[string]string{id: "API"}
			for _, z := range c.Authorizers {
				names[*z.Id] = *z.Name
			}
			for _, v := range c.Validators {
				names[*v.Id] = *v.Name
			}
			for _, r := range c.Resources {
				names[*r.Id] = *r.Path
			}
			for _, m := range c.Models {
				names[*m.Id] = *m.Name
			}
			out := map[string]any{"policy": strings.ReplaceAll(strings.ReplaceAll(*c.API.Policy, id, "API"), *first.Id, "API")}
			add := func(name string, v any) {
				text := openapi.JSON(v)
				for id, n := range names {
					text = strings.ReplaceAll(text, `"`+id+`"`, `"`+n+`"`)
				}
				text = strings.ReplaceAll(text, "restapis/"+id, "restapis/API")
				text = regexp.MustCompile(`"Description":"[^"]*",`).ReplaceAllString(text, "") // of models
				var v2 any
				json.Unmarshal([]byte(text), &v2)
				out[name] = v2
			}
			for _, r := range c.Resources {
				add(*r.Path, r)
			}
			for _, m := range c.Models {
				var doc any
				json.Unmarshal([]byte(*m.Schema), &doc)
				m.Schema = shape.Ptr(strings.ReplaceAll(openapi.JSON(doc), id, "API"))
				m.Description = shape.Ptr("d")
				add("model "+*m.Name, m)
			}
			for _, z := range c.Authorizers {
				add("authorizer "+*z.Name, z)
			}
			for _, v := range c.Validators {
				add("validator "+*v.Name, v)
			}
			for _, g := range c.Responses {
				add("response "+*g.ResponseType, g)
			}
			return out
		}
		for _, typ := range []string{"oas30", "swagger"} {
			for _, accepts := range []string{"application/json", "application/yaml"} {
				doc := must(s.GetExport(ctx, &v1.GetExportRequest{RestApiId: *first.Id, StageName: "prod", ExportType: typ, Accepts: &accepts, Parameters: map[string]string{"extensions": "apigateway"}}))(t)
				second, err := s.ImportRestApi(ctx, &v1.ImportRestApiRequest{Body: doc.Body})
				if err != nil {
					t.Fatalf("%s as %s: %v\n%s", typ, accepts, err, doc.Body)
				}
				if d := cmp.Diff(shot(*first.Id), shot(*second.Id)); d != "" {
					t.Errorf("%s as %s: %s", typ, accepts, d)
				}
			}
		}
		bare := must(s.GetExport(ctx, &v1.GetExportRequest{RestApiId: *first.Id, StageName: "prod", ExportType: "oas30"}))(t)
		if strings.Contains(string(bare.Body), "x-amazon-apigateway-integration") || strings.Contains(string(bare.Body), openapi.XAuthorizer+`"`) {
			t.Errorf("extensions are exported unasked: %s", bare.Body)
		}
		_, err := s.GetExport(ctx, &v1.GetExportRequest{RestApiId: *first.Id, StageName: "prod", ExportType: "raml"})
		wantError(t, err, "BadRequestException", "raml")
	})
}

func TestImportRefuses(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"nothing", ``, "malformed"},
		{"neither", `{"info":{}}`, "neither swagger nor openapi"},
		{"3.1", `{"openapi":"3.1.0"}`, "Unsupported OpenAPI version"},
		{"bomb", "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]", "malformed"},
		{"deep", strings.Repeat("[", 1000), "malformed"},
		{"remote reference", `{"openapi":"3.0.1","paths":{"/a":{"$ref":"http://169.254.169.254/x"}}}`, "not supported"},
		{"circle", `{"openapi":"3.0.1","paths":{"/a":{"$ref":"#/paths/~1a"}}}`, "circle"},
		{"path", `{"openapi":"3.0.1","paths":{"/a b":{"get":{}}}}`, "Resource's path part"},
		{"VPC link", `{"openapi":"3.0.1","paths":{"/a":{"get":{"x-amazon-apigateway-integration":{"type":"http","connectionType":"VPC_LINK","httpMethod":"GET","uri":"http://a"}}}}}`, "VPC_LINK is not supported"},
		{"integration response", `{"openapi":"3.0.1","paths":{"/a":{"get":{"x-amazon-apigateway-integration":{"type":"mock","responses":{"default":{"statusCode":"200"}}}}}}}`, "Unable to put integration response on 'GET' for resource at path '/a': Invalid Response status code specified"},
		{"remote schema", `{"swagger":"2.0","definitions":{"A":{"$ref":"http://x/y"}},"paths":{}}`, ""},
		{"authorizer that is no object", `{"swagger":"2.0","securityDefinitions":{"a":{"type":"apiKey","x-amazon-apigateway-authorizer":"token"}},"paths":{}}`, "Unable to create authorizer from security definition: 'a'"},
		{"unknown authorizer", `{"swagger":"2.0","paths":{"/a":{"get":{"security":[{"b":[]}]}}}}`, "asks for the security definition 'b'"},
		{"security that is no list", `{"swagger":"2.0","paths":{"/a":{"get":{"security":{"b":[]}}}}}`, "Malformed security of method"},
		{"requirement that is no object", `{"swagger":"2.0","security":["b"],"paths":{"/a":{"get":{}}}}`, "Malformed security of method"},
		{"authorizer", `{"swagger":"2.0","securityDefinitions":{"a":{"type":"apiKey","x-amazon-apigateway-authorizer":{"type":"token"}}},"paths":{}}`, "Unable to create authorizer from security definition: 'a'"},
		{"types", `{"swagger":"2.0","paths":[],"info":7,"definitions":[],"tags":{},"securityDefinitions":4}`, ""},
	} {
		d, err := readDefinition([]byte(c.body), "abcdefghij", nil, nil)
		if err == nil {
			err = d.refusal(nil)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add(string(petstore(f)))
	f.Add(`{"swagger":"2.0","paths":{"/a/{b}":{"x-amazon-apigateway-any-method":{"parameters":[{"in":"body","name":"x","schema":{"type":"object"}}],"responses":{"200":{"schema":{"$ref":"#/definitions/A"}}}}}},"definitions":{"A":{}}}`)
	f.Add("openapi: 3.0.1\npaths: {/a: {get: {security: [{a: []}]}}}")
	f.Fuzz(func(t *testing.T, body string) {
		begun := time.Now()
		d, err := readDefinition([]byte(body), "abcdefghij", nil, map[string]string{"basepath": "prepend"})
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if err != nil {
			return
		}
		for _, m := range d.methods {
			if m.path == "" || m.path[0] != '/' || m.method.HttpMethod == nil {
				t.Errorf("%+v", m)
			}
		}
	})
}

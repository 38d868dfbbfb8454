package httpapis

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// A step of a stack that is run again finds what it made; another step does not take it for its own.
func TestCreateTwice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(Options{DB: db, Account: "000000000000", PublicURL: func() string { return "http://127.0.0.1:4566" }})
		ctx := wire.WithCall(t.Context(), &wire.Call{Account: "000000000000", Region: "us-east-1"})
		api := ""
		with := func(props map[string]any) map[string]any {
			if api != "" {
				props["ApiId"] = api
			}
			return props
		}
		for _, tt := range []struct {
			name  string
			h     resource.Handler
			props map[string]any
		}{
			{"api", apiResource{s}, map[string]any{"Name": "a", "ProtocolType": "HTTP"}},
			{"integration", integrationResource{s}, map[string]any{"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "GET", "IntegrationUri": "http://127.0.0.1:1/", "PayloadFormatVersion": "1.0"}},
			{"route", routeResource{s}, map[string]any{"RouteKey": "GET /a"}},
			{"authorizer", authorizerResource{s}, map[string]any{"Name": "jwt", "AuthorizerType": "JWT", "IdentitySource": []any{"$request.header.Authorization"},
				"JwtConfiguration": map[string]any{"Issuer": "https://issuer.example", "Audience": []any{"a"}}}},
			{"deployment", deploymentResource{s}, map[string]any{}},
			{"stage", stageResource{s}, map[string]any{"StageName": "prod"}},
		} {
			r := &resource.Request{StackName: "dev-app", LogicalID: tt.name, Token: "token-" + tt.name, Props: with(tt.props),
				Tags: map[string]string{"aws:cloudformation:logical-id": tt.name}}
			want, err := tt.h.Create(ctx, r)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			got, err := tt.h.Create(ctx, r)
			if err != nil || got.PhysicalID != want.PhysicalID || len(got.Attrs) != len(want.Attrs) {
				t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, want)
			}
			other := *r
			other.Token, other.Tags = "another", map[string]string{"aws:cloudformation:logical-id": "another"}
			if again, err := tt.h.Create(ctx, &other); err == nil && again.PhysicalID == want.PhysicalID {
				t.Errorf("%s: another step takes it for its own", tt.name)
			}
			if tt.name == "api" {
				api = want.PhysicalID
			}
		}
	})
}

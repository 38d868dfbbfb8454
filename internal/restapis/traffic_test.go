package restapis

import (
	"sync"
	"testing"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// TestDeployWhileTrafficRuns: requests see one deployment or the next, whole, and the newest once it is made.
func TestDeployWhileTrafficRuns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := start(t, db)
		a := newAPI(t, s, ctx)
		id := a.method("GET", "/pets")
		a.deploy("prod")
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					snap, err := s.Snapshot(ctx, a.id, "prod")
					if err != nil {
						t.Error(err)
						return
					}
					_, m := snap.Match("GET", "/pets")
					// Both change with each deployment.
					if m == nil || m.Operation != m.Integration.Templates["text/plain"] {
						t.Errorf("half of a deployment: %+v", m)
						return
					}
				}
			})
		}
		for _, name := range []string{"one", "two", "three", "four", "five"} {
			must(s.UpdateMethod(ctx, &v1.UpdateMethodRequest{RestApiId: a.id, ResourceId: id, HttpMethod: "GET", PatchOperations: patches("replace /operationName " + name)}))(t)
			must(s.UpdateIntegration(ctx, &v1.UpdateIntegrationRequest{RestApiId: a.id, ResourceId: id, HttpMethod: "GET", PatchOperations: patches("add /requestTemplates/text~1plain " + name)}))(t)
			must(s.CreateDeployment(ctx, &v1.CreateDeploymentRequest{RestApiId: a.id, StageName: shape.Ptr("prod")}))(t)
			if _, m := a.snapshot("prod").Match("GET", "/pets"); m.Operation != name {
				t.Errorf("after the deployment of %s the stage serves %s", name, m.Operation)
			}
		}
		close(stop)
		wg.Wait()
	})
}

package restapis

import (
	"context"
	"fmt"
	"testing"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// wide returns the snapshot of an API with n routes of three segments.
func wide(n int) *Snapshot {
	s := &Service{account: testAccount}
	c := &config{API: v1.RestApi{Id: shape.Ptr("abcdefghij")}}
	mock := v1.Method{AuthorizationType: shape.Ptr("NONE"), MethodIntegration: &v1.Integration{Type: shape.Ptr("MOCK")}}
	for i := range n {
		path := fmt.Sprintf("/things%d/{id}/part%d", i/100, i)
		c.Resources = append(c.Resources, &v1.Resource{Id: shape.Ptr(fmt.Sprint(i)), Path: &path, ResourceMethods: map[string]v1.Method{"GET": mock}})
	}
	return s.snapshot(&api{Region: testRegion, RestApi: v1.RestApi{Id: shape.Ptr("abcdefghij")}}, c, &v1.Stage{StageName: shape.Ptr("prod")}, nil)
}

// BenchmarkMatch: routing costs the same with 10 routes and with 10,000.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			snap := wide(n)
			path := fmt.Sprintf("/things%d/42/part%d", (n-1)/100, n-1)
			b.ReportAllocs()
			for b.Loop() {
				if _, m := snap.Match("GET", path); m == nil {
					b.Fatal("no match")
				}
			}
		})
	}
}

// BenchmarkCompile is what a change of a stage costs at the next request.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				wide(n)
			}
		})
	}
}

// BenchmarkKey: a key and its plan are found in the same time among 10 keys and among 5,000, and so is the snapshot.
func BenchmarkKey(b *testing.B) {
	for _, n := range []int{10, 5_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db := storetest.OpenOptions(b, store.Options{URL: "memory:"})
			s, _ := start(b, db)
			ctx := wire.WithCall(context.Background(), &wire.Call{Account: testAccount, Region: testRegion})
			a := newAPI(b, s, ctx)
			a.method("GET", "/pets")
			a.deploy("prod")
			p := must(s.CreateUsagePlan(ctx, &v1.CreateUsagePlanRequest{Name: "p", ApiStages: []v1.ApiStage{{ApiId: &a.id, Stage: shape.Ptr("prod")}}}))(b)
			err := db.Update(ctx, func(tx *store.Tx) error {
				for i := range n {
					k, err := s.createKey(ctx, tx, &v1.CreateApiKeyRequest{Enabled: shape.Ptr(true), Value: shape.Ptr(fmt.Sprintf("key-of-at-least-20-characters-%d", i))})
					if err != nil {
						return err
					}
					if err := s.addPlanKey(ctx, tx, *p.Id, k); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				snap, err := s.Snapshot(ctx, a.id, "prod")
				if err != nil || snap == nil {
					b.Fatal(err)
				}
				k, err := s.Key(ctx, testRegion, "key-of-at-least-20-characters-7")
				if err != nil {
					b.Fatal(err)
				}
				if _, ok, err := s.Plan(ctx, k, a.id, "prod"); !ok || err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

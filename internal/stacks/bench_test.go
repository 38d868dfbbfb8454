package stacks

import (
	"fmt"
	"os"
	"strings"
	"testing"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// wide makes a template of n resources like those of real apps: groups of ten, of which five need
// another.
func wide(n int) string {
	var b strings.Builder
	b.WriteString("Parameters: {V: {Type: String, Default: v}}\nResources:\n")
	for i := range n {
		switch i % 2 {
		case 0:
			fmt.Fprintf(&b, "  R%d: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 7, Tags: [{Key: app, Value: x}]}}\n", i)
		default:
			fmt.Fprintf(&b, "  R%d: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub \"${R%d.Arn}/${V}\", Description: some words of a usual length}}\n", i, i-1)
		}
	}
	b.WriteString("Outputs: {O: {Value: !GetAtt R0.Arn}}\n")
	return b.String()
}

func line(n int) string {
	var b strings.Builder
	b.WriteString("Resources:\n  R0: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: x}}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  R%d: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !GetAtt R%d.Arn}}\n", i, i-1)
	}
	return b.String()
}

// BenchmarkStack is creation, update of half of the resources, and deletion of a stack, with handlers
// that cost nothing and durable writes.
func BenchmarkStack(b *testing.B) {
	urls := map[string]func() string{"sqlite": func() string { return "sqlite:" + b.TempDir() + "/bench.db" }}
	if os.Getenv(storetest.PostgresEnv) != "" {
		urls["postgres"] = func() string { return storetest.PostgresURL(b) }
	}
	for engine, url := range urls {
		for _, tt := range []struct {
			name string
			n    int
			tpl  string
		}{{"wide", 10, wide(10)}, {"line", 10, line(10)}, {"wide", 50, wide(50)}, {"wide", 200, wide(200)}} {
			for _, what := range []string{"create", "update", "delete"} {
				if what == "update" && tt.name == "line" {
					continue
				}
				b.Run(fmt.Sprintf("%s/%s/%s-%d", engine, what, tt.name, tt.n), func(b *testing.B) {
					s := open(b, storetest.Open(b, url()), newCloud(), func(o *Options) {
						o.Objects = objects{"b/t": tt.tpl}
						o.Registry = new(resource.Registry)
						for _, name := range cloudTypes {
							o.Registry.Register(resource.Type{Name: name, Handler: anything{}})
						}
					})
					s.cloud = nil
					i := 0
					steps := map[string]func(){
						"create": func() {
							_, err := s.CreateStack(s.ctx, &cfn.CreateStackInput{StackName: "x", TemplateURL: shape.Ptr("http://127.0.0.1/b/t")})
							s.must(err)
						},
						"update": func() {
							i++
							_, err := s.UpdateStack(s.ctx, &cfn.UpdateStackInput{StackName: "x", TemplateURL: shape.Ptr("http://127.0.0.1/b/t"), Parameters: params(fmt.Sprint("V=", i))})
							s.must(err)
						},
						"delete": func() { s.must(s.delete("x")) },
					}
					if what == "update" {
						steps["create"]()
					}
					for b.Loop() {
						if what == "delete" {
							b.StopTimer()
							steps["create"]()
							b.StartTimer()
						}
						steps[what]()
						if what == "create" {
							b.StopTimer()
							steps["delete"]()
							b.StartTimer()
						}
					}
					b.StopTimer()
					commits, err := view(s.ctx, s.o.DB, func(tx *store.Tx) (n int, err error) {
						return n, tx.QueryRow("SELECT count(*) FROM stack_operations").Scan(&n)
					})
					if err != nil || commits != 0 {
						b.Errorf("%d operations are left, %v", commits, err)
					}
				})
			}
		}
	}
}

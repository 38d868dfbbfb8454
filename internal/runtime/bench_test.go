package runtime

import (
	"fmt"
	"testing"
)

func BenchmarkWarm(b *testing.B) {
	for _, tt := range []struct {
		name string
		spec func(b *testing.B) *Spec
	}{
		{"go", func(b *testing.B) *Spec { return spec("provided.al2023", "bootstrap", goFunction(b)) }},
		{"node", func(b *testing.B) *Spec { need(b, "node"); return nodeEcho(b) }},
		{"python", func(b *testing.B) *Spec { need(b, "python3"); return pythonEcho(b) }},
	} {
		b.Run(tt.name, func(b *testing.B) {
			m, _ := newManager(b, Options{})
			s := tt.spec(b)
			invoke(b, m, s, `{"do":"echo"}`)
			for b.Loop() {
				if r := invoke(b, m, s, `{"do":"echo"}`); r.FunctionError != "" {
					b.Fatalf("%s", r.Payload)
				}
			}
		})
		b.Run(tt.name+"/parallel", func(b *testing.B) {
			m, _ := newManager(b, Options{})
			s := tt.spec(b)
			invoke(b, m, s, `{"do":"echo"}`)
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for n := 0; pb.Next(); n++ {
					inv := &Invocation{RequestID: fmt.Sprintf("r%d", n), Payload: []byte(`{"do":"echo"}`)}
					if r, err := m.Invoke(b.Context(), s, inv); err != nil || r.FunctionError != "" {
						b.Error(r, err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkCold(b *testing.B) {
	for _, tt := range []struct {
		name    string
		prefork bool
		spec    func(b *testing.B) *Spec
	}{
		{"go", false, func(b *testing.B) *Spec { return spec("provided.al2023", "bootstrap", goFunction(b)) }},
		{"node", false, func(b *testing.B) *Spec { need(b, "node"); return nodeEcho(b) }},
		{"python", false, func(b *testing.B) *Spec { need(b, "python3"); return pythonEcho(b) }},
		{"node/preforked", true, func(b *testing.B) *Spec { need(b, "node"); return nodeEcho(b) }},
		{"python/preforked", true, func(b *testing.B) *Spec { need(b, "python3"); return pythonEcho(b) }},
	} {
		b.Run(tt.name, func(b *testing.B) {
			m, _ := newManager(b, Options{Prefork: tt.prefork})
			s := tt.spec(b)
			invoke(b, m, s, `{"do":"echo"}`)
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				m.Retire(s.ARN)
				if tt.prefork {
					settle(m)
				}
				c := *s
				c.Revision = fmt.Sprint("r", i)
				b.StartTimer()
				invoke(b, m, &c, `{"do":"echo"}`)
			}
		})
	}
}

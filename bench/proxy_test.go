package bench

import "testing"

// BenchmarkProxy is a JWT-authorised request to an HTTP backend over 16 connections, beside a bare
// httputil.ReverseProxy that asks for no token. cpu-µs are those of the proxy alone.
func BenchmarkProxy(b *testing.B) {
	backend := startProcess(b, "backend", "")
	bare := startProcess(b, "httputil", backend.url)
	s := start(b, b.TempDir())
	pool, client := s.pool(1)
	token, err := s.signIn(client, 1)
	if err != nil {
		b.Fatal(err)
	}
	endpoint := s.api(pool, client, backend.url)
	s.settle()
	b.Run("floor/backend", func(b *testing.B) { load(b, backend, 16, get(b, backend.url+"/private", token)) })
	b.Run("floor/httputil", func(b *testing.B) { load(b, bare, 16, get(b, bare.url+"/private", token)) })
	b.Run("gatehouse", func(b *testing.B) { load(b, s.process, 16, get(b, endpoint, token)) })
}

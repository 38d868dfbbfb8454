package engine

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/localca"
)

func TestOnePortSpeaksBoth(t *testing.T) {
	ca, err := localca.Load("")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%v %s", r.TLS != nil, r.Proto)
	})}
	go srv.Serve(newDualListener(l, ca.TLSConfig()))
	defer srv.Close()

	silent, err := net.Dial("tcp", l.Addr().String()) // a client that says nothing holds up nobody
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
	}}
	for url, want := range map[string]string{
		"http://" + l.Addr().String():  "false HTTP/1.1",
		"https://" + l.Addr().String(): "true HTTP/2.0",
	} {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != want {
			t.Errorf("%s: %s, want %s", url, body, want)
		}
	}
}

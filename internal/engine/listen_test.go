package engine

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
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
	go srv.Serve(newDualListener(l, ca.TLSConfig(func(string) bool { return true })))
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

// weakListener fails before it accepts, as one of a process with too many open files.
type weakListener struct {
	net.Listener
	failures atomic.Int32
}

func (l *weakListener) Accept() (net.Conn, error) {
	if l.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func TestListenerOutlivesFailures(t *testing.T) {
	ca, err := localca.Load("")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	weak := &weakListener{Listener: l}
	weak.failures.Store(3)
	srv := &http.Server{Handler: http.NotFoundHandler()}
	go srv.Serve(newDualListener(weak, ca.TLSConfig(func(string) bool { return true })))
	defer srv.Close()
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

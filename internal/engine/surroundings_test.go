package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/surroundings"
)

// What programs are led here for is what is served.
func TestServicesAreTakenOver(t *testing.T) {
	e := startTest(t, Config{})
	var served []string
	for _, s := range e.services {
		if !slices.Contains(served, s.Model.Endpoint) {
			served = append(served, s.Model.Endpoint)
		}
	}
	slices.Sort(served)
	if d := cmp.Diff(served, surroundings.Services()); d != "" {
		t.Errorf("served (-) and taken over (+):\n%s", d)
	}
}

func startTest(t *testing.T, cfg Config) *Engine {
	t.Helper()
	cfg.Addr, cfg.Ephemeral = "127.0.0.1:0", true
	e, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

// proxied returns a client that knows of nothing but the server's proxy and its authority.
func proxied(e *Engine, h2 bool) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.CA())
	via := &url.URL{Scheme: "http", Host: e.addr, User: url.UserPassword(surroundings.ProxyUser, surroundings.ProxyPassword(e.profile.Secret).Reveal())}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{Proxy: http.ProxyURL(via), TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: h2, DisableKeepAlives: true}}
}

// Names of services come home, over either version of HTTP, plain and over TLS; others do not.
func TestProxyLeadsHome(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		e := startTest(t, Config{AuthOpen: open})
		for _, h2 := range []bool{false, true} {
			c := proxied(e, h2)
			for address, want := range map[string]string{
				"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aaaaaaaaa/.well-known/jwks.json": "does not exist",
				"http://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aaaaaaaaa/.well-known/jwks.json":  "does not exist",
				"https://aaaaaaaaaa.execute-api.eu-west-1.amazonaws.com/x":                              `"Not Found"`,
				"https://some-bucket.s3.amazonaws.com/key":                                              "<Error>",
				"https://lambda.us-east-1.api.aws/2015-03-31/functions":                                 "Missing Authentication Token",
			} {
				resp, err := c.Get(address)
				if err != nil {
					t.Errorf("%s: %v", address, err)
					continue
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if !strings.Contains(string(body), want) || strings.HasPrefix(address, "https:") && h2 != (resp.ProtoMajor == 2) {
					t.Errorf("%s: %s %s %s, want %s", address, resp.Proto, resp.Status, body, want)
				}
			}
		}
		// A whole URL of the server's own is no request to a proxy; of another port of this machine it is.
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "other") }))
		defer other.Close()
		for target, want := range map[string]string{
			"http://" + e.addr + "/_gatehouse/health": `"status":"ok"`,
			other.URL + "/": map[bool]string{false: "password", true: "other"}[open], // an open server trusts this machine's programs
		} {
			conn, err := net.Dial("tcp", e.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			if !strings.Contains(string(body), want) {
				t.Errorf("open %v, %s: %s, want %s", open, target, body, want)
			}
		}
	}
}

// A server whose environment has its own settings does not lead to itself in circles.
func TestUpstreamIsNotItself(t *testing.T) {
	e := startTest(t, Config{})
	for _, c := range []struct {
		env  string
		want string
	}{
		{"http://gatehouse:secret@127.0.0.1:4566", ""},
		{e.URL(), ""},
		{"http://corporate.example:3128", "corporate.example:3128"},
	} {
		u, err := url.Parse(c.env)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if u := e.elsewhere(u); u != nil {
			got = u.Host
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.env, got, c.want)
		}
	}
}

// A start that fails leaves no directory that was not there.
func TestFailedStartLeavesNothing(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := Start(t.Context(), Config{Dir: dir, Addr: "127.0.0.1:0", Database: "mysql://x"}); err == nil {
		t.Fatal("started with a database that is not supported")
	}
	if list, err := os.ReadDir(dir); err == nil {
		t.Errorf("it left %v", list)
	}
}

// TLS through the proxy beside plain HTTP to the port: a new connection each, and one that is kept.
func BenchmarkSurroundings(b *testing.B) {
	e, err := Start(b.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close(context.Background())
	const path = "/us-east-1_aaaaaaaaa/.well-known/jwks.json"
	for _, kept := range []bool{false, true} {
		for _, how := range []string{"plain", "proxy"} {
			c, address := proxied(e, false), "https://cognito-idp.us-east-1.amazonaws.com"+path
			if how == "plain" {
				c, address = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, e.URL()+path
			}
			c.Transport.(*http.Transport).DisableKeepAlives = !kept
			b.Run(fmt.Sprintf("%s/kept=%v", how, kept), func(b *testing.B) {
				for b.Loop() {
					resp, err := c.Get(address)
					if err != nil {
						b.Fatal(err)
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			})
		}
	}
}

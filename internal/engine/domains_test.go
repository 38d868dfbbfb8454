package engine

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
)

// certified is a certificate, and its key, for a name; by signs it, or it itself, as an authority.
type certified struct {
	tls.Certificate
	pem, key []byte
}

func certify(t testing.TB, by *certified, cn string, names ...string) *certified {
	t.Helper()
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn}, DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	parent, signer := tmpl, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	} else {
		tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	fail(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	fail(err)
	c := &certified{pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})}
	c.Certificate, err = tls.X509KeyPair(c.pem, c.key)
	fail(err)
	return c
}

func (c *certified) write(t testing.TB, dir, name string) {
	t.Helper()
	for ext, text := range map[string][]byte{".crt": c.pem, ".key": c.key} {
		if err := os.WriteFile(filepath.Join(dir, name+ext), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// domainClient is a client for which each name leads to e.
func domainClient(t testing.TB, e *Engine, roots *x509.CertPool, h2 bool, sni string, own ...*certified) *http.Client {
	cfg := &tls.Config{RootCAs: roots, ServerName: sni}
	for _, c := range own {
		cfg.Certificates = append(cfg.Certificates, c.Certificate)
	}
	tr := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: h2, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, e.addr)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func (e *Engine) call(t testing.TB, service, method, path, body string) string {
	t.Helper()
	got := e.signed(t, e.root(), service, method, path, "", body)
	if got[0] != '2' {
		t.Fatalf("%s %s: %s", method, path, got)
	}
	return got
}

// mockAPI makes a REST API whose stage prod answers GET /where with its name and the path, and GET /who with the client's certificate.
func (e *Engine) mockAPI(t testing.TB, name string) string {
	t.Helper()
	mock := func(template string) string {
		return fmt.Sprintf(`{"get":{"responses":{"200":{"description":"ok"}},"x-amazon-apigateway-integration":{"type":"mock","requestTemplates":{"application/json":"{\"statusCode\":200}"},
			"responses":{"default":{"statusCode":"200","responseTemplates":{"application/json":%q}}}}}}`, template)
	}
	api := between(e.call(t, "apigateway", "POST", "/restapis?mode=import", `{"swagger":"2.0","info":{"title":"`+name+`","version":"1"},"securityDefinitions":{"sigv4":{"type":"apiKey","name":"Authorization","in":"header","x-amazon-apigateway-authtype":"awsSigv4"}},"paths":{"/where":`+mock(name+" $context.path $context.domainName $context.stage")+
		`,"/signed":`+strings.Replace(mock("$context.identity.userArn $context.customDomain.basePathMatched"), `"responses"`, `"security":[{"sigv4":[]}],"responses"`, 1)+
		`,"/who":`+mock("$context.identity.clientCert.subjectDN of $context.identity.clientCert.issuerDN")+`}}`), `"id":"`, `"`)
	e.call(t, "apigateway", "POST", "/restapis/"+api+"/deployments", `{"stageName":"prod"}`)
	return api
}

// TestCustomDomains serves an HTTP and a REST API below one name, with certificates from files, before and after a restart.
func TestCustomDomains(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "backend "+r.URL.Path) }))
	defer backend.Close()
	ca := certify(t, nil, "ca")
	roots := x509.NewCertPool()
	roots.AddCert(ca.Leaf)
	dir := t.TempDir()
	certify(t, ca, "api", "api.example.com").write(t, dir, "api")
	certify(t, ca, "wild", "*.tenants.example.com").write(t, dir, "wild")
	if err := os.WriteFile(filepath.Join(dir, "broken.crt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cfg := Config{Addr: "127.0.0.1:0", Dir: t.TempDir(), Certificates: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	e, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { e.Close(context.Background()) }()
	if !strings.Contains(log.String(), "broken.crt") {
		t.Errorf("nothing is said of the broken certificate:\n%s", &log)
	}

	rest := e.mockAPI(t, "rest")
	api := between(e.call(t, "apigateway", "POST", "/v2/apis", `{"name":"http","protocolType":"HTTP","routeKey":"ANY /{p+}","target":"`+backend.URL+`/{p}"}`), `"apiId":"`, `"`)
	domain := func(name, arn string) string {
		return e.signed(t, e.root(), "apigateway", "POST", "/v2/domainnames", "", `{"domainName":"`+name+`","domainNameConfigurations":[{"certificateArn":"arn:aws:acm:us-east-1:000000000000:certificate/`+arn+`"}]}`)
	}
	for name, arn := range map[string]string{"api.example.com": "api", "*.tenants.example.com": "wild", "dev.localhost": "none"} {
		if got := domain(name, arn); got[0] != '2' {
			t.Fatal(got)
		}
	}
	if got := domain("other.example.com", "nothing"); !strings.Contains(got, "The provided certificate does not exist.") {
		t.Error(got)
	}
	mapTo := func(domain, key, api, stage string) {
		t.Helper()
		e.call(t, "apigateway", "POST", "/v2/domainnames/"+domain+"/apimappings", `{"apiId":"`+api+`","stage":"`+stage+`","apiMappingKey":"`+key+`"}`)
	}
	mapTo("api.example.com", "orders/v1", api, "$default")
	mapTo("api.example.com", "rest", rest, "prod")
	mapTo("*.tenants.example.com", "", rest, "prod")
	mapTo("dev.localhost", "", rest, "prod")

	check := func(c *http.Client, url string, status int, want string) *http.Response {
		t.Helper()
		resp, err := c.Get(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			return nil
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != status || string(body) != want {
			t.Errorf("%s: %d %s, want %d %s", url, resp.StatusCode, body, status, want)
		}
		return resp
	}
	all := func() {
		t.Helper()
		for _, h2 := range []bool{false, true} {
			c := domainClient(t, e, roots, h2, "")
			check(c, "https://api.example.com/rest/where", 200, "rest /rest/where api.example.com prod")
			check(c, "https://api.example.com/orders/v1/a/b", 200, "backend /a/b")
			check(c, "https://t1.tenants.example.com/where", 200, "rest /where t1.tenants.example.com prod")
			r := check(c, "https://api.example.com/elsewhere", 403, `{"message":"Forbidden"}`)
			if tr := e.recorder.Get(r.Header.Get("X-Amzn-Requestid")); tr == nil || !tr.Refused() || !strings.Contains(fmt.Sprint(tr.Steps), "/orders/v1/, /rest/") || r.Header.Get("X-Amzn-Errortype") != "ForbiddenException" {
				t.Errorf("the refusal's trace is %+v", tr)
			}
			// The server's own paths mean nothing here.
			for _, path := range []string{"/_gatehouse/health", "/_aws/execute-api/" + rest + "/prod/where", "/restapis/" + rest + "/prod/_user_request_/where"} {
				check(c, "https://api.example.com"+path, 403, `{"message":"Forbidden"}`)
			}
			check(c, "http://api.example.com/rest/where", 200, "rest /rest/where api.example.com prod") // behind a proxy that ends TLS
			if resp, err := c.Get("https://other.example.com/"); err == nil {
				resp.Body.Close()
				t.Error("a name that is no domain has a certificate")
			}
		}
		local := x509.NewCertPool()
		local.AppendCertsFromPEM(e.CA())
		check(domainClient(t, e, local, true, ""), "https://dev.localhost/where", 200, "rest /where dev.localhost prod")
	}
	all()
	r := check(domainClient(t, e, roots, false, ""), "https://api.example.com/rest/where", 200, "rest /rest/where api.example.com prod")
	if tr := e.recorder.Get(r.Header.Get("X-Amzn-Requestid")); tr == nil || len(tr.Steps) == 0 || tr.Steps[0].Name != "domain" || tr.Steps[0].Detail != "api.example.com/rest" {
		t.Errorf("the trace is %+v", tr)
	}

	// A signature is for the name and the path that the client used.
	signed := func(k key) string {
		t.Helper()
		r := httptest.NewRequest("GET", "/rest/signed", nil)
		r.Host, r.URL.Host = "api.example.com", "api.example.com"
		r.RequestURI = ""
		sigv4.Sign(r, sigv4.PayloadHash(nil), k.id, k.secret, k.token, "execute-api", "us-east-1", time.Now())
		r.URL.Host, r.RequestURI = "", "/rest/signed"
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return fmt.Sprint(w.Code, " ", w.Body)
	}
	if got := signed(e.root()); got != "200 arn:aws:iam::000000000000:root rest" {
		t.Error(got)
	}
	eve := e.user(t, "eve", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:000000000000:`+rest+`/prod/GET/where"}]}`)
	if got := signed(eve); !strings.HasPrefix(got, "403 ") || !strings.Contains(got, rest+"/prod/GET/signed") {
		t.Error(got)
	}

	// The default endpoint may be switched off; the domain stays.
	e.call(t, "apigateway", "PATCH", "/v2/apis/"+api, `{"disableExecuteApiEndpoint":true}`)
	if w := httptest.NewRecorder(); true {
		e.ServeHTTP(w, httptest.NewRequest("GET", "/_aws/execute-api/"+api+"/a", nil))
		if w.Code != 404 {
			t.Errorf("the disabled endpoint answers %d", w.Code)
		}
	}

	// A new certificate, without a restart.
	time.Sleep(1100 * time.Millisecond) // as long as files are trusted not to have changed
	certify(t, ca, "renewed", "api.example.com").write(t, dir, "api")
	r = check(domainClient(t, e, roots, false, ""), "https://api.example.com/rest/where", 200, "rest /rest/where api.example.com prod")
	if r != nil && r.TLS.PeerCertificates[0].Subject.CommonName != "renewed" {
		t.Errorf("the certificate is still that of %s", r.TLS.PeerCertificates[0].Subject)
	}

	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, err = Start(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	all()
	if _, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true, Certificates: filepath.Join(dir, "nothing")}); err == nil || !strings.Contains(err.Error(), "directory of certificates") {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// TestMutualTLS: who shows no certificate gets no connection, who shows a wrong one gets 403, and a connection for another name 421.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	e := startEphemeral(t)
	ca, other := certify(t, nil, "clients"), certify(t, nil, "others")
	e.call(t, "s3", "PUT", "/trust", "")
	e.call(t, "s3", "PUT", "/trust/store.pem", string(ca.pem))
	rest := e.mockAPI(t, "rest")
	domain := func(name, more string) {
		t.Helper()
		e.call(t, "apigateway", "POST", "/domainnames", `{"domainName":"`+name+`","regionalCertificateArn":"arn:aws:acm:us-east-1:123456789012:certificate/x","endpointConfiguration":{"types":["REGIONAL"]}`+more+`}`)
		e.call(t, "apigateway", "POST", "/domainnames/"+name+"/basepathmappings", `{"restApiId":"`+rest+`","stage":"prod"}`)
	}
	domain("secure.example.com", `,"mutualTlsAuthentication":{"truststoreUri":"s3://trust/store.pem"}`)
	domain("plain.example.com", "")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.CA())
	good, bad := certify(t, ca, "jane"), certify(t, other, "jane")
	for _, h2 := range []bool{false, true} {
		client := func(sni string, own ...*certified) *http.Client { return domainClient(t, e, roots, h2, sni, own...) }
		for _, r := range []struct {
			why    string
			c      *http.Client
			url    string
			status int
			want   string
		}{
			{"trusted", client("", good), "https://secure.example.com/who", 200, "CN=jane of CN=clients"},
			{"no certificate", client(""), "https://secure.example.com/who", 0, ""}, // a client may find the connection cut before it reads why
			{"of another authority", client("", bad), "https://secure.example.com/who", 403, `{"message":"Forbidden"}`},
			{"without TLS", client(""), "http://secure.example.com/who", 403, `{"message":"Forbidden"}`},
			{"a connection for another name", client("plain.example.com", good), "https://secure.example.com/who", 421, `{"message":"Misdirected Request"}`},
			{"a connection for a name of the server", client("localhost"), "https://secure.example.com/who", 421, `{"message":"Misdirected Request"}`},
			{"the other way round", client("secure.example.com", good), "https://plain.example.com/where", 200, "rest /where plain.example.com prod"},
			{"a domain that does not ask", client(""), "https://plain.example.com/who", 200, " of "},
		} {
			resp, err := r.c.Get(r.url)
			if err != nil {
				if r.status != 0 || !strings.Contains(err.Error(), r.want) {
					t.Errorf("%s: %v", r.why, err)
				}
				continue
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != r.status || string(body) != r.want {
				t.Errorf("%s: %d %s, want %d %s", r.why, resp.StatusCode, body, r.status, r.want)
			}
			if tr := e.recorder.Get(resp.Header.Get("X-Amzn-Requestid")); r.status != 200 && (tr == nil || !tr.Refused()) {
				t.Errorf("%s: the trace is %+v", r.why, tr)
			}
		}
	}
	// The truststore is read for the caller, who must be allowed to.
	eve := e.user(t, "eve", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"apigateway:*","Resource":"*"}]}`)
	if got := e.signed(t, eve, "apigateway", "PATCH", "/v2/domainnames/plain.example.com", "", `{"mutualTlsAuthentication":{"truststoreUri":"s3://trust/store.pem"}}`); !strings.Contains(got, "is not authorized to perform: s3:GetObject on resource: ") {
		t.Error(got)
	}
	// Another truststore counts once the domain is updated, on connections that there are already, too.
	c := domainClient(t, e, roots, true, "", good)
	status := func() int {
		t.Helper()
		resp, err := c.Get("https://secure.example.com/who")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	before := status()
	e.call(t, "s3", "PUT", "/trust/store.pem", string(other.pem))
	uploaded := status()
	e.call(t, "apigateway", "PATCH", "/domainnames/secure.example.com", `{"patchOperations":[{"op":"replace","path":"/mutualTlsAuthentication/truststoreUri","value":"s3://trust/store.pem"}]}`)
	if after := status(); before != 200 || uploaded != 200 || after != 403 {
		t.Errorf("%d, %d after the upload, %d after the update", before, uploaded, after)
	}
	e.call(t, "apigateway", "PATCH", "/domainnames/secure.example.com", `{"patchOperations":[{"op":"replace","path":"/mutualTlsAuthentication/truststoreUri","value":""}]}`)
	if got := status(); got != 200 {
		t.Errorf("%d after mutual TLS was switched off", got)
	}
}

// BenchmarkFront is what finding out whom a request is for costs, with no custom domain and with a thousand.
func BenchmarkFront(b *testing.B) {
	for _, n := range []int{0, 1000} {
		e := startEphemeral(b)
		for i := range n {
			e.call(b, "apigateway", "POST", "/v2/domainnames", fmt.Sprintf(`{"domainName":"d%d.example.com","domainNameConfigurations":[{"certificateArn":"arn:aws:acm:us-east-1:000000000000:certificate/x"}]}`, i))
		}
		for name, url := range map[string]string{"host": "http://nothing000.execute-api.us-east-1.amazonaws.com/x", "path": e.URL() + "/_aws/execute-api/nothing000/x", "name": "http://intern.example.org/_gatehouse/health", "domain": "http://d0.example.com/x"} {
			if n == 0 && name == "domain" {
				continue
			}
			r := httptest.NewRequest("GET", url, nil)
			r.URL.Scheme, r.URL.Host = "", ""
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					e.front(httptest.NewRecorder(), r)
				}
			})
		}
	}
}

package surroundings

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
)

var taken = map[string]bool{
	"cognito-idp.us-east-1.amazonaws.com":                              true,
	"cognito-idp-fips.us-gov-west-1.amazonaws.com":                     true,
	"COGNITO-IDP.us-east-1.amazonaws.com.":                             true,
	"cognito-identity.ap-southeast-2.amazonaws.com":                    true,
	"sts.amazonaws.com":                                                true,
	"sts.eu-west-1.amazonaws.com":                                      true,
	"iam.amazonaws.com":                                                true,
	"lambda.us-east-1.api.aws":                                         true,
	"lambda.cn-north-1.amazonaws.com.cn":                               true,
	"s3.amazonaws.com":                                                 true,
	"s3.eu-west-1.amazonaws.com":                                       true,
	"s3-eu-west-1.amazonaws.com":                                       true,
	"s3.dualstack.eu-west-1.amazonaws.com":                             true,
	"a.bucket.with.dots.s3.amazonaws.com":                              true,
	"bucket.s3.us-east-1.amazonaws.com":                                true,
	"bucket.s3-us-west-2.amazonaws.com":                                true,
	"cloudformation-custom-resource-response-useast1.s3.amazonaws.com": true,
	"abcdefghij.execute-api.us-east-1.amazonaws.com":                   true,
	"my-app.auth.us-east-1.amazoncognito.com":                          true,
	"abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws":  true,
	"dynamodb.us-east-1.amazonaws.com":                                 false,
	"monitoring.us-east-1.amazonaws.com":                               false,
	"ec2-1-2-3-4.compute-1.amazonaws.com":                              false,
	"bucket.s3-website-us-east-1.amazonaws.com":                        false,
	"bucket.s3-accelerate.amazonaws.com":                               false,
	"s3.example.com":                                                   false,
	"sts.amazonaws.com.evil.example":                                   false,
	"x-sts.amazonaws.com":                                              false,
	"sts.amazonaws.com\n":                                              false,
	"amazonaws.com":                                                    false,
	"aws.amazon.com":                                                   false,
	"execute-api.us-east-1.amazonaws.com":                              false,
	"myuser.s3.us-east-1.elb.amazonaws.com":                            false,
	"":                                                                 false,
	"127.0.0.1":                                                        false,
	strings.Repeat("a", 300) + ".s3.amazonaws.com":                     false,
	"packages.example.org":                                             false,
	"api.ecr-public.us-east-1.amazonaws.com":                           false,
	"cognito-idp.us-east-1.amazonaws.com:443":                          false,
	"abcdefghijklmnopqrstuvwxyz.lambda-url.eu-central-1.on.aws.evil.example.": false,
}

func TestTakes(t *testing.T) {
	for host, want := range taken {
		if got := Takes(host); got != want {
			t.Errorf("Takes(%q) = %v", host, got)
		}
	}
}

func FuzzTakes(f *testing.F) {
	for host := range taken {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !Takes(host) {
			return
		}
		h := strings.TrimSuffix(strings.ToLower(host), ".")
		for _, end := range []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazoncognito.com", ".on.aws"} {
			if strings.HasSuffix(h, end) {
				return
			}
		}
		t.Errorf("took %q", host)
	})
}

func node(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is not installed")
		}
		t.Skip("node is not installed")
	}
	return path
}

// testCA is a certificate in PEM; nothing here checks what is in it.
var testCA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("not looked at")})

// The module for Node.js takes the names that Takes does, in every form of connect, and no others.
func TestPreload(t *testing.T) {
	bin := node(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "here %s %s", r.Host, r.URL.Path)
	}))
	defer srv.Close()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "elsewhere") }))
	defer elsewhere.Close()
	dir := filepath.Join(t.TempDir(), `a dir with "quotes"`)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := Write(dir, testCA, srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	run := func(env, name, script string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(bin, path)
		cmd.Env = append(os.Environ(), "NODE_OPTIONS="+WithPreload(env, f.Preload), "ELSEWHERE="+elsewhere.URL)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	const host = "cognito-idp.us-east-1.amazonaws.com"
	for name, script := range map[string]string{
		"get.cjs":     `require('http').get('http://` + host + `/get', (r) => r.pipe(process.stdout))`,
		"request.mjs": `import { request } from 'node:http'; request({ hostname: '` + host + `', port: 80, path: '/request' }, (r) => r.pipe(process.stdout)).end()`,
		"agent.cjs":   `const http = require('http'); http.get({ host: '` + host + `', path: '/agent', agent: new http.Agent({ keepAlive: true }) }, (r) => { r.pipe(process.stdout); r.on('end', () => process.exit()) })`,
		"fetch.mjs":   `console.log(await (await fetch('http://` + host + `/fetch')).text())`,
		"worker.cjs":  `const { Worker } = require('worker_threads'); new Worker("require('http').get('http://` + host + `/worker', (r) => r.on('data', (d) => require('worker_threads').parentPort.postMessage(String(d))))", { eval: true }).on('message', console.log)`,
		"child.cjs":   `require('child_process').execFileSync(process.execPath, ['-e', "require('http').get('http://` + host + `/child', (r) => r.pipe(process.stdout))"], { stdio: 'inherit' })`,
		"net.cjs":     `const s = require('net').connect(80, '` + host + `', () => s.write('GET /net HTTP/1.0\r\nHost: ` + host + `\r\n\r\n')); let a = ''; s.on('data', (d) => a += d); s.on('end', () => console.log(a.split('\r\n\r\n')[1]))`,
	} {
		want := "here " + host + " /" + strings.TrimSuffix(strings.TrimSuffix(name, ".cjs"), ".mjs")
		if got := run("", name, script); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := run("--no-warnings", "elsewhere.cjs", `require('http').get(process.env.ELSEWHERE, (r) => r.pipe(process.stdout))`); got != "elsewhere" {
		t.Errorf("another host: %q", got)
	}

	// Over TLS, the local authority is trusted for those names, and for nothing else.
	const host2 = "bucket.s3.amazonaws.com"
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "secure %s %s", r.Host, r.URL.Path) }))
	cert, certPEM := selfSigned(t, host2)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	if f, err = Write(dir, certPEM, "http://"+secure.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"https.cjs": `const https = require('https'); https.get('https://` + host2 + `/https', (r) => { r.resume(); r.on('end', () => https.get('https://` + host2 + `/https', { agent: false }, (r) => r.pipe(process.stdout))) })`,
		"fetch.mjs": `console.log(await (await fetch('https://` + host2 + `/fetch')).text())`,
		"ca.cjs":    `require('https').get({ host: '` + host2 + `', path: '/ca', ca: require('tls').rootCertificates[0] }, (r) => r.pipe(process.stdout))`,
		"http2.mjs": `import { connect } from 'node:http2'; const c = connect('https://` + host2 + `'), s = c.request({ ':path': '/http2', ':authority': '` + host2 + `' }); s.on('data', (d) => process.stdout.write(d)); s.on('end', () => c.close())`,
	} {
		want := "secure " + host2 + " /" + strings.TrimSuffix(strings.TrimSuffix(name, ".cjs"), ".mjs")
		if got := run("", name, script); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	script := `require('https').get('https://` + secure.Listener.Addr().String() + `', { servername: '` + host2 + `' }, () => console.log('trusted')).on('error', (e) => console.log(e.code))`
	if got := run("", "other.cjs", script); !strings.Contains(got, "SELF_SIGNED") && !strings.Contains(got, "UNABLE_TO_VERIFY") {
		t.Errorf("the authority is trusted by a connection that is not led here: %s", got)
	}

	// Each name, as the module's own test of names would say: by where it connects.
	if f, err = Write(dir, testCA, srv.URL); err != nil {
		t.Fatal(err)
	}
	hosts, _ := json.Marshal(taken)
	out := run("", "names.cjs", `
const net = require('net');
const hosts = `+string(hosts)+`;
(async () => {
  for (const host of Object.keys(hosts)) {
    const home = await new Promise((done) => {
      const s = net.connect({ host, port: 443, lookup: (name, o, then) => { done(false); then(new Error('stop')); } });
      s.on('connect', () => { done(s.remotePort === `+srv.URL[strings.LastIndexByte(srv.URL, ':')+1:]+`); s.destroy(); });
      s.on('error', () => done(false));
    });
    if (home !== hosts[host]) console.log(JSON.stringify(host), home);
  }
})()`)
	if out != "" {
		t.Errorf("the module disagrees with Takes:\n%s", out)
	}
}

// selfSigned returns a certificate for a host that is its own authority.
func selfSigned(t *testing.T, host string) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(t.TempDir(), "corporate.pem")
	corporate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("corporate")})
	if err := os.WriteFile(own, corporate, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Write(dir, testCA, "http://127.0.0.1:4566")
	if err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(f.Bundle)
	g, err := Write(dir, testCA, "http://127.0.0.1:4566", own, "/does/not/exist")
	if err != nil {
		t.Fatal(err)
	}
	if f.Bundle == g.Bundle || f.CA != g.CA {
		t.Errorf("%+v, then %+v", f, g)
	}
	data, _ := os.ReadFile(g.Bundle)
	for _, want := range [][]byte{testCA, corporate} {
		if !bytes.Contains(data, want) {
			t.Errorf("the bundle lacks\n%s", want)
		}
	}
	if _, err := Write(dir, testCA, "http://127.0.0.1:4566"); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(f.Bundle); !after.ModTime().Equal(before.ModTime()) {
		t.Error("what was up to date was written again")
	}
	other := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("renewed")})
	if _, err := Write(dir, other, "http://127.0.0.1:4566"); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(f.Bundle); !bytes.Contains(data, other) || bytes.Contains(data, testCA) {
		t.Error("the bundle was not renewed with the authority")
	}
	for _, endpoint := range []string{"https://gatehouse.example", "", "127.0.0.1:4566", "http://"} {
		if _, err := Write(dir, testCA, endpoint); err == nil {
			t.Errorf("endpoint %q was taken", endpoint)
		}
	}
	if _, err := Write(dir, []byte("no certificate"), "http://127.0.0.1:4566"); err == nil {
		t.Error("no certificate was taken for one")
	}
}

func TestNetwork(t *testing.T) {
	env := map[string]string{
		"NO_PROXY": "intern.example, .amazonaws.com,*,localhost", "no_proxy": "10.0.0.0/8,us-east-1.amazonaws.com:443,com", "NODE_OPTIONS": "--no-warnings",
		"NODE_EXTRA_CA_CERTS": "/etc/corporate.pem",
	}
	f := Files{CA: "/d/ca.pem", Bundle: "/d/ca-bundle-1.pem", Preload: "/d/preload.cjs"}
	got := map[string]string{}
	for _, v := range Network("http://127.0.0.1:4566", "pass", f, func(n string) string { return env[n] }) {
		got[v.Name] = v.Value
	}
	proxy, direct := "http://gatehouse:pass@127.0.0.1:4566", "intern.example,localhost,10.0.0.0/8,127.0.0.1,::1"
	want := map[string]string{
		"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": direct, "no_proxy": direct,
		"AWS_CA_BUNDLE": f.Bundle, "REQUESTS_CA_BUNDLE": f.Bundle, "SSL_CERT_FILE": f.Bundle, "CURL_CA_BUNDLE": f.Bundle, "NODE_EXTRA_CA_CERTS": f.Bundle,
		"NODE_OPTIONS": "--no-warnings --require=/d/preload.cjs",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if d := cmp.Diff([]string{"/etc/corporate.pem"}, Own("/d", func(n string) string {
		return map[string]string{"NODE_EXTRA_CA_CERTS": "/etc/corporate.pem", "SSL_CERT_FILE": "/d/ca-bundle.pem", "CURL_CA_BUNDLE": "/etc/corporate.pem"}[n]
	})); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestPreloadOption(t *testing.T) {
	for _, path := range []string{"/d/preload.cjs", "/with space/preload.cjs", `/with "quotes"/preload.cjs`} {
		for _, old := range []string{"", "--no-warnings"} {
			with := WithPreload(old, path)
			if again := WithPreload(with, path); again != with {
				t.Errorf("twice: %s", again)
			}
			if back := WithoutPreload(with, path); back != old {
				t.Errorf("%s, taken back: %q", with, back)
			}
		}
	}
}

func TestProxyPassword(t *testing.T) {
	a, b := ProxyPassword(seal.Secret("one")), ProxyPassword(seal.Secret("two"))
	if a.Reveal() == b.Reveal() || len(a.Reveal()) != 24 || strings.Contains(a.Reveal(), "one") {
		t.Errorf("%q, %q", a.Reveal(), b.Reveal())
	}
}

func TestStrangers(t *testing.T) {
	got := Strangers([]string{"PATH", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"})
	want := []Var{{Name: "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", Unset: true}, {Name: "AWS_ENDPOINT_URL_S3", Unset: true}, {Name: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", Unset: true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// The addresses of a Node.js client's connections are not looked at twice: BenchmarkTakes is the cost of a
// CONNECT's decision.
func BenchmarkTakes(b *testing.B) {
	for b.Loop() {
		Takes("bucket.s3.us-east-1.amazonaws.com")
		Takes("packages.example.org")
	}
}

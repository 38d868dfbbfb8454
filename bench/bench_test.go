package bench

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse"
	"github.com/gatehouse-dev/gatehouse/internal/srp"
)

// server is a running Gatehouse with what a benchmark needs of it.
type server struct {
	*gatehouse.Server
	tb testing.TB
}

func start(tb testing.TB, dir string) *server {
	tb.Helper()
	s := &gatehouse.Server{Dir: dir, Addr: "127.0.0.1:0", AuthOpen: true}
	if err := s.Start(context.Background()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Close(ctx)
	})
	return &server{s, tb}
}

// credentials are taken by an open server whatever they are.
const credentials = "AWS4-HMAC-SHA256 Credential=bench/20261121/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=00"

var hundred = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}

type doc = map[string]any

// call calls an operation of a JSON service by its target, or of a REST service by method and path.
func (s *server) call(service, target string, in doc) doc {
	out, err := s.try(service, target, in)
	if err != nil {
		s.tb.Fatal(err)
	}
	return out
}

func (s *server) try(service, target string, in doc) (doc, error) {
	body, _ := json.Marshal(in)
	method, path, rest := strings.Cut(target, " ")
	if !rest {
		method, path = "POST", "/"
	}
	r, err := http.NewRequest(method, s.URL()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", fmt.Sprintf(credentials, service))
	r.Header.Set("Content-Type", "application/json")
	if !rest {
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", target)
	}
	resp, err := hundred.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s: %d %s", target, resp.StatusCode, data)
	}
	out := doc{}
	if len(data) > 0 {
		err = json.Unmarshal(data, &out)
	}
	return out, err
}

const cognito = "AWSCognitoIdentityProviderService."

const password = "Passw0rd!"

// pool makes a user pool with a client and n users, and returns their ids.
func (s *server) pool(n int) (pool, client string) {
	pool = s.call("cognito-idp", cognito+"CreateUserPool", doc{"PoolName": "bench"})["UserPool"].(doc)["Id"].(string)
	client = s.call("cognito-idp", cognito+"CreateUserPoolClient", doc{"UserPoolId": pool, "ClientName": "bench",
		"ExplicitAuthFlows": []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}})["UserPoolClient"].(doc)["ClientId"].(string)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for {
				i := int(next.Add(1))
				if i > n {
					return
				}
				if _, err := s.try("cognito-idp", cognito+"AdminCreateUser", doc{"UserPoolId": pool, "Username": user(i), "MessageAction": "SUPPRESS",
					"UserAttributes": []doc{{"Name": "email", "Value": user(i) + "@example.com"}}}); err != nil {
					s.tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for i := 1; i <= min(n, 100); i++ {
		s.call("cognito-idp", cognito+"AdminSetUserPassword", doc{"UserPoolId": pool, "Username": user(i), "Password": password, "Permanent": true})
	}
	return pool, client
}

func user(i int) string { return fmt.Sprintf("user%07d", i) }

func (s *server) signIn(client string, i int) (idToken string, err error) {
	out, err := s.try("cognito-idp", cognito+"InitiateAuth", doc{"ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH",
		"AuthParameters": doc{"USERNAME": user(i), "PASSWORD": password}})
	if err != nil {
		return "", err
	}
	return out["AuthenticationResult"].(doc)["IdToken"].(string), nil
}

// signInSRP proves knowledge of the password without sending it.
func (s *server) signInSRP(pool, client string, i int) error {
	_, name, _ := strings.Cut(pool, "_")
	c := srp.NewClient(name)
	out, err := s.try("cognito-idp", cognito+"InitiateAuth", doc{"ClientId": client, "AuthFlow": "USER_SRP_AUTH",
		"AuthParameters": doc{"USERNAME": user(i), "SRP_A": c.SRPA()}})
	if err != nil {
		return err
	}
	p := out["ChallengeParameters"].(doc)
	id, block := p["USER_ID_FOR_SRP"].(string), p["SECRET_BLOCK"].(string)
	raw, err := base64.StdEncoding.DecodeString(block)
	if err != nil {
		return err
	}
	at := time.Now().UTC().Format("Mon Jan 2 15:04:05 UTC 2006")
	proof, err := c.Prove(id, password, p["SALT"].(string), p["SRP_B"].(string), raw, at)
	if err != nil {
		return err
	}
	_, err = s.try("cognito-idp", cognito+"RespondToAuthChallenge", doc{"ClientId": client, "ChallengeName": "PASSWORD_VERIFIER", "ChallengeResponses": doc{
		"USERNAME": id, "TIMESTAMP": at, "PASSWORD_CLAIM_SECRET_BLOCK": block, "PASSWORD_CLAIM_SIGNATURE": base64.StdEncoding.EncodeToString(proof)}})
	return err
}

// api makes an HTTP API with a JWT authorizer for the pool on every route, and returns its URL. The
// integration is a Lambda function if target is an ARN, or else an HTTP proxy.
func (s *server) api(pool, client, target string) string {
	api := s.call("apigateway", "POST /v2/apis", doc{"name": "bench", "protocolType": "HTTP"})
	id := api["apiId"].(string)
	base := "/v2/apis/" + id
	auth := s.call("apigateway", "POST "+base+"/authorizers", doc{"name": "jwt", "authorizerType": "JWT", "identitySource": []string{"$request.header.Authorization"},
		"jwtConfiguration": doc{"issuer": "https://cognito-idp.us-east-1.amazonaws.com/" + pool, "audience": []string{client}}})["authorizerId"]
	integration := doc{"integrationType": "HTTP_PROXY", "integrationMethod": "ANY", "integrationUri": target, "payloadFormatVersion": "1.0"}
	if strings.HasPrefix(target, "arn:") {
		integration = doc{"integrationType": "AWS_PROXY", "integrationUri": target, "payloadFormatVersion": "2.0"}
	}
	in := s.call("apigateway", "POST "+base+"/integrations", integration)["integrationId"].(string)
	s.call("apigateway", "POST "+base+"/routes", doc{"routeKey": "GET /private", "target": "integrations/" + in, "authorizationType": "JWT", "authorizerId": auth})
	s.call("apigateway", "POST "+base+"/stages", doc{"stageName": "$default", "autoDeploy": true})
	return api["apiEndpoint"].(string)
}

// function makes a function of the given files, lets APIs invoke it, and returns its ARN.
func (s *server) function(name, runtime, handler string, files map[string][]byte) string {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for name, data := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o755)
		w, err := z.CreateHeader(h)
		if err != nil {
			s.tb.Fatal(err)
		}
		w.Write(data)
	}
	z.Close()
	arn := s.call("lambda", "POST /2015-03-31/functions", doc{"FunctionName": name, "Runtime": runtime, "Handler": handler,
		"Role": "arn:aws:iam::000000000000:role/bench", "Code": doc{"ZipFile": buf.Bytes()}})["FunctionArn"].(string)
	s.call("lambda", "POST /2015-03-31/functions/"+name+"/policy", doc{"StatementId": "api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"})
	return arn
}

// load sends b.N requests over 16 connections, or one after the other, and reports what each cost.
func load(b *testing.B, serial bool, f func() error) {
	b.Helper()
	if err := f(); err != nil { // what is made on first use is not measured
		b.Fatal(err)
	}
	workers := 16
	if serial {
		workers = 1
	}
	times := make([]time.Duration, b.N)
	var next atomic.Int64
	var failed atomic.Value
	cpu := processTime()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				begun := time.Now()
				if err := f(); err != nil {
					failed.Store(err)
					return
				}
				times[i] = time.Since(begun)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	if err := failed.Load(); err != nil {
		b.Fatal(err)
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1e3, "µs-p50")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds())/1e3, "µs-p99")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64((processTime()-cpu).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
}

// processTime is the CPU time of this process: server, load generator and backend together.
func processTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// get returns a function that asks url with the token on one of a pool of raw connections: a load
// generator that costs much less than what it measures.
func get(tb testing.TB, target, token string) func() error {
	u, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	request := []byte("GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nAuthorization: Bearer " + token + "\r\n\r\n")
	conns := make(chan net.Conn, 100)
	tb.Cleanup(func() {
		for len(conns) > 0 {
			(<-conns).Close()
		}
	})
	return func() error {
		var c net.Conn
		select {
		case c = <-conns:
		default:
			var err error
			if c, err = net.Dial("tcp", u.Host); err != nil {
				return err
			}
		}
		if _, err := c.Write(request); err != nil {
			return err
		}
		buf := make([]byte, 4096)
		n := 0
		for {
			m, err := c.Read(buf[n:])
			if err != nil {
				return err
			}
			n += m
			head, body, ok := bytes.Cut(buf[:n], []byte("\r\n\r\n"))
			if !ok {
				continue
			}
			if !bytes.HasPrefix(head, []byte("HTTP/1.1 200")) {
				return fmt.Errorf("answer: %s", buf[:n])
			}
			i := bytes.Index(bytes.ToLower(head), []byte("content-length: "))
			if i < 0 {
				return fmt.Errorf("no length: %s", head)
			}
			text, _, _ := bytes.Cut(head[i+16:], []byte("\r"))
			if want, _ := strconv.Atoi(string(text)); len(body) >= want {
				conns <- c
				return nil
			}
		}
	}
}

// BenchmarkProxy is a JWT-authorised request to an HTTP backend, beside a bare reverse proxy.
func BenchmarkProxy(b *testing.B) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	b.Cleanup(backend.Close)
	s := start(b, b.TempDir())
	pool, client := s.pool(1)
	token, err := s.signIn(client, 1)
	if err != nil {
		b.Fatal(err)
	}
	endpoint := s.api(pool, client, backend.URL)
	u, _ := url.Parse(backend.URL)
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 100}
	bare := httptest.NewServer(proxy)
	b.Cleanup(bare.Close)

	b.Run("backend", func(b *testing.B) { load(b, false, get(b, backend.URL+"/private", token)) })
	b.Run("httputil", func(b *testing.B) { load(b, false, get(b, bare.URL+"/private", token)) })
	b.Run("gatehouse", func(b *testing.B) { load(b, false, get(b, endpoint+"/private", token)) })
}

// BenchmarkInvoke is a JWT-authorised request to a warm function.
func BenchmarkInvoke(b *testing.B) {
	s := start(b, b.TempDir())
	pool, client := s.pool(1)
	token, err := s.signIn(client, 1)
	if err != nil {
		b.Fatal(err)
	}
	functions := map[string]string{
		"go": s.function("go", "provided.al2023", "bootstrap", map[string][]byte{"bootstrap": build(b, "../examples/jwt-api/functions/public")}),
		"node": s.function("node", "nodejs22.x", "index.handler", map[string][]byte{
			"index.js": []byte(`exports.handler = async () => ({statusCode: 200, body: "hello"})`)}),
		"python": s.function("python", "python3.13", "index.handler", map[string][]byte{
			"index.py": []byte("def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n")}),
	}
	for _, lang := range []string{"go", "node", "python"} {
		endpoint := s.api(pool, client, functions[lang])
		b.Run(lang+"/serial", func(b *testing.B) { load(b, true, get(b, endpoint+"/private", token)) })
		b.Run(lang+"/16", func(b *testing.B) { load(b, false, get(b, endpoint+"/private", token)) })
	}
}

// build compiles a Go program for this machine.
func build(tb testing.TB, pkg string) []byte {
	out := filepath.Join(tb.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// BenchmarkSignIn signs in by password and by SRP, with 1,000 and with 100,000 users in the pool.
func BenchmarkSignIn(b *testing.B) {
	for _, users := range []int{1000, 100000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			s := start(b, b.TempDir())
			pool, client := s.pool(users)
			var i atomic.Int64
			next := func() int { return int(i.Add(1))%100 + 1 }
			b.Run("password", func(b *testing.B) {
				load(b, false, func() error { _, err := s.signIn(client, next()); return err })
			})
			b.Run("srp", func(b *testing.B) { load(b, false, func() error { return s.signInSRP(pool, client, next()) }) })
			list := func(filter string) func() error {
				return func() error {
					out, err := s.try("cognito-idp", cognito+"ListUsers", doc{"UserPoolId": pool, "Filter": filter})
					if err == nil && len(out["Users"].([]any)) == 0 {
						err = fmt.Errorf("%s finds nobody", filter)
					}
					return err
				}
			}
			b.Run("list-equal", func(b *testing.B) { load(b, true, list(`email = "user0000500@example.com"`)) })
			b.Run("list-prefix", func(b *testing.B) { load(b, true, list(`email ^= "user000050"`)) })
			if users >= 100000 {
				b.Run("disk", func(b *testing.B) {
					var size int64
					dir := s.Dir
					files, _ := filepath.Glob(filepath.Join(dir, "gatehouse.db*"))
					for _, f := range files {
						if st, err := os.Stat(f); err == nil {
							size += st.Size()
						}
					}
					b.ReportMetric(float64(size)/float64(users), "bytes/user")
				})
			}
		})
	}
}

// BenchmarkSignUp registers users, each on disk before the answer.
func BenchmarkSignUp(b *testing.B) {
	s := start(b, b.TempDir())
	_, client := s.pool(0)
	var i atomic.Int64
	load(b, false, func() error {
		n := i.Add(1)
		_, err := s.try("cognito-idp", cognito+"SignUp", doc{"ClientId": client, "Username": fmt.Sprintf("new%d", n), "Password": password,
			"UserAttributes": []doc{{"Name": "email", "Value": fmt.Sprintf("new%d@example.com", n)}}})
		return err
	})
}

// BenchmarkReady starts the binary on an empty directory and on one with 100,000 users, and reports the
// time to its first answer and what it holds in memory then.
func BenchmarkReady(b *testing.B) {
	bin := filepath.Join(b.TempDir(), "gatehouse")
	if text, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, "../cmd/gatehouse").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, text)
	}
	st, err := os.Stat(bin)
	if err != nil {
		b.Fatal(err)
	}
	full := filepath.Join(b.TempDir(), "full")
	b.Run("fill", func(b *testing.B) {
		s := &gatehouse.Server{Dir: full, Addr: "127.0.0.1:0", AuthOpen: true}
		if err := s.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		(&server{s, b}).pool(100000)
		if err := s.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	})
	empty := filepath.Join(b.TempDir(), "empty")
	for name, dir := range map[string]string{"empty": empty, "users=100000": full} {
		b.Run(name, func(b *testing.B) {
			var first time.Duration
			var rss float64
			for range b.N {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				addr := l.Addr().String()
				l.Close()
				cmd := exec.Command(bin, "start", "--listen", addr, "--data", dir)
				begun := time.Now()
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				for {
					if resp, err := http.Get("http://" + addr + "/_gatehouse/health"); err == nil {
						resp.Body.Close()
						break
					}
					if time.Since(begun) > 10*time.Second {
						b.Fatal("no answer in ten seconds")
					}
					time.Sleep(200 * time.Microsecond)
				}
				first += time.Since(begun)
				time.Sleep(300 * time.Millisecond)
				rss += resident(b, cmd.Process.Pid)
				cmd.Process.Signal(syscall.SIGTERM)
				cmd.Wait()
			}
			b.ReportMetric(float64(first.Microseconds())/1e3/float64(b.N), "ms-ready")
			b.ReportMetric(rss/float64(b.N), "MB-resident")
			b.ReportMetric(float64(st.Size())/1e6, "MB-binary")
		})
	}
}

// resident reads a process's resident memory, in megabytes.
func resident(tb testing.TB, pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1024
		}
	}
	return 0
}

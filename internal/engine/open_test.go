package engine

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestOpenServer: an open server serves tools and pages of this machine, and no page of another.
func TestOpenServer(t *testing.T) {
	e, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true, AuthOpen: true, PublicURL: "http://host.docker.internal:4566"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	const browser = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/60.0"
	// An image's address can be a call: what is in the query is as good as a header.
	const call = "/?Action=ListRoles&Version=2010-05-08&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261121T000000Z&X-Amz-Expires=1" +
		"&X-Amz-SignedHeaders=host&X-Amz-Signature=00&X-Amz-Credential=x%2F20261121%2Fus-east-1%2Fiam%2Faws4_request"
	for _, tc := range []struct {
		name, host string
		headers    string // Name: value, by line
		status     int
	}{
		{"a tool", "127.0.0.1:4566", "", 200},
		{"a tool by name", "localhost:4566", "", 200},
		{"a tool, IPv6", "[::1]:4566", "", 200},
		{"below localhost", "bucket.s3.localhost:4566", "", 200},
		{"a proxied tool", "iam.amazonaws.com", "", 200},
		{"the public URL", "host.docker.internal:4566", "", 200},
		{"DNS rebinding", "evil.example:4566", "", 403},
		{"DNS rebinding, same origin", "evil.example", "Sec-Fetch-Site: same-origin\nUser-Agent: " + browser, 403},
		{"a name that looks right", "127.0.0.1.evil.example", "", 403},
		{"a service that is not served", "elb.us-east-1.amazonaws.com", "", 403},
		{"a script elsewhere", "127.0.0.1", "Origin: https://evil.example", 403},
		{"a sandboxed frame", "127.0.0.1", "Origin: null", 403},
		{"an image elsewhere", "127.0.0.1", "Sec-Fetch-Site: cross-site\nUser-Agent: " + browser, 403},
		{"an image elsewhere, old browser", "127.0.0.1", "User-Agent: " + browser, 403},
		{"an image elsewhere, old browser, told", "127.0.0.1", "Referer: https://evil.example/\nUser-Agent: " + browser, 403},
		{"a script of this machine", "127.0.0.1", "Origin: http://localhost:3000\nSec-Fetch-Site: cross-site\nUser-Agent: " + browser, 200},
		{"an image of this machine", "127.0.0.1", "Referer: http://localhost:3000/x\nSec-Fetch-Site: cross-site\nUser-Agent: " + browser, 200},
		{"a page of its own", "127.0.0.1", "Sec-Fetch-Site: same-origin\nUser-Agent: " + browser, 200},
		{"typed in", "127.0.0.1", "Sec-Fetch-Site: none\nUser-Agent: " + browser, 200},
	} {
		for _, path := range []string{call, "/_gatehouse/messages"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = tc.host
			for line := range strings.SplitSeq(tc.headers, "\n") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			want := tc.status
			if path != call && r.Header.Get("Origin") != "" {
				want = 403 // no page at all
			}
			if w.Code != want {
				t.Errorf("%s, %s: %d, want %d: %.200s", tc.name, r.URL.Path, w.Code, want, w.Body)
			}
		}
	}
}

// TestAddresses: an API by its host in every form; what is no pool's id is none of the database's business.
func TestAddresses(t *testing.T) {
	for host, id := range map[string]string{
		"abc.execute-api.us-east-1.amazonaws.com": "abc", "ABC.execute-api.us-east-1.amazonaws.com:443": "abc", "abc.execute-api.us-east-1.amazonaws.com.": "abc",
		"abc.execute-api.localhost:4566": "abc", "abc.execute-api.localhost.": "abc", "abc.execute-api.localhost.localstack.cloud:4566": "abc",
		"x.abc.execute-api.us-east-1.amazonaws.com": "", ".execute-api.localhost": "", "abc.execute-api.evil.example": "", "abc.execute-api.us-east-1.amazonaws.com.evil.example": "",
		"[::1]:4566": "", "": "",
	} {
		r := httptest.NewRequest("GET", "/x", nil)
		r.Host = host
		if target, ok := apiTarget(r); target.APIID != id || ok != (id != "") {
			t.Errorf("%s: %q %v, want %q", host, target.APIID, ok, id)
		}
	}
	e, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	for _, path := range []string{"/us-east-1_%00/.well-known/jwks.json", "/us-east-1_%ff/.well-known/jwks.json", "/us-east-1_x/.well-known/jwks.json", "/%2e%2e/.well-known/jwks.json",
		"/us-east-1_x%2f../.well-known/jwks.json", "/us-east-1_x/.well-known/../x"} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 404 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestAdminInput: what is asked wrongly is the asker's fault.
func TestAdminInput(t *testing.T) {
	var log errorLog
	e, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true, AuthOpen: true, Logger: slog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	for target, want := range map[string]int{
		"messages?to=%00": 400, "messages?pool=%00": 400, "messages?to=%ff": 200, "messages?limit=0": 400, "messages?limit=x": 400, "messages?limit=1000000": 400,
		"requests?limit=-1": 400, "requests/%00": 404, "requests/a%2fb": 404, "logs": 400, "logs?group=x": 400, "logs?group=/%00": 200, "logs?group=/x&since=x": 400, "nothing": 404,
	} {
		r := httptest.NewRequest("GET", "/_gatehouse/"+target, nil)
		r.Host = "127.0.0.1"
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d: %s", target, w.Code, want, w.Body)
		}
	}
	for _, line := range log.take() {
		t.Errorf("the log says: %s", line)
	}
}
